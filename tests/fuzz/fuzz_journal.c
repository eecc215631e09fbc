/* SPDX-License-Identifier: Apache-2.0 */
/* A journal that a killed writer or anybody else left: read or skipped, never followed. The first
 * line gets the right checksum, so that the records behind it are reached too. */
#include <stdio.h>
#include <stdlib.h>

#include <libdeflate.h>

#include "step/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_err err;
    struct tk_journal journal;
    struct tk_step_spans spans;
    TK_CLEANUP(tk_arena_release) struct tk_arena arena = {0};
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_str rest = {(const char *)data, size};
    tk_str line;
    tk_buf_init(&text, 1 << 20);
    if (size > 65536 || tk_arena_init(&arena, 16 << 20, &err) < 0)
        return 0;
    while (tk_str_take_line(&rest, &line)) {
        tk_buf_printf(&text, "%08x ", libdeflate_crc32(0, line.p, line.n));
        tk_buf_put(&text, line);
        tk_buf_putc(&text, '\n');
    }
    tk_buf_put(&text, (tk_str){(const char *)data, size});
    const struct tk_journal_filter filter = {TK_STR("a")};
    for (int some = 0; some < 2; some++) {
        if (tk_journal_parse(tk_buf_str(&text), some ? &filter : NULL, &arena, &journal, &err) ==
                0 &&
            tk_step_spans_find(&journal, &arena, &spans, &err) == 0 &&
            spans.count > journal.records.count)
            abort();
    }
    return 0;
}
