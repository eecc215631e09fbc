/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a segment of spans: open it and read its first rows. */
#include <stdint.h>
#include <string.h>

#include "segment/segment_file.h"

#define ROWS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_at(void *user, uint64_t offset, char *to, size_t n, struct tk_err *err)
{
    (void)err;
    memcpy(to, (const char *)user + offset, n);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_err err;
    struct tk_segment_file file;
    struct tk_segment_reader *reader = NULL;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = NULL;
    struct tk_parquet_source source = {size, read_at, NULL};
    uint32_t rows[ROWS];
    size_t added;
    memcpy(&source.user, &data, sizeof(data));
    if (tk_segment_file_init(&source, &file, &err) < 0)
        return 0;
    for (uint32_t i = 0; i < ROWS; i++)
        rows[i] = i;
    if (tk_parquet_file_meta(file.parquet)->row_group_count > 0 &&
        tk_segment_reader_new(&reader, &err) == 0 && tk_span_batch_new(ROWS, &batch, &err) == 0)
        (void)!tk_segment_reader_read(reader, &(struct tk_segment_rows){&file, 0, rows, ROWS, 0},
                                      batch, &added, &err);
    tk_segment_reader_free(reader);
    tk_segment_file_close(&file);
    return 0;
}
