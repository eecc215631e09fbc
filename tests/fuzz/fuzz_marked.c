/* SPDX-License-Identifier: Apache-2.0 */
/* A log of any bytes, fed in two pieces: all lines come out once and in length, or belong to
 * records, and every record is read as one. */
#include <stdlib.h>

#include "step/marked.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_record(void *into, tk_str json)
{
    struct tk_arena arena;
    struct tk_step_record record;
    struct tk_err err;
    (void)into;
    if (tk_arena_init(&arena, 1 << 20, &err) < 0)
        abort();
    (void)!tk_job_shape_parse(json, &tk_step_record_shape, &arena, &record, &err);
    tk_arena_release(&arena);
}

static void take_line(void *into, tk_str line)
{
    size_t *bytes = into;
    *bytes += line.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t passed = 0;
    struct tk_err err;
    TK_CLEANUP(tk_marked_reader_freep) struct tk_marked_reader *reader = NULL;
    const struct tk_marked_sink sink = {take_record, take_line, &passed};
    if (tk_marked_reader_new(&sink, &reader, &err) < 0)
        abort();
    tk_marked_reader_feed(reader, (tk_str){(const char *)data, size / 2});
    tk_marked_reader_feed(reader, (tk_str){(const char *)data + size / 2, size - size / 2});
    tk_marked_reader_flush(reader);
    if (passed > size)
        abort();
    return 0;
}
