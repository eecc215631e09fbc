/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a Parquet file: open it and put its first rows together. */
#include <stdint.h>
#include <string.h>

#include "table/parquet_rows.h"

#define ROWS_MAX 2000

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
    struct tk_parquet_source source = {size, read_at, NULL};
    TK_CLEANUP(tk_parquet_file_freep) struct tk_parquet_file *file = NULL;
    TK_CLEANUP(tk_parquet_rows_freep) struct tk_parquet_rows *rows = NULL;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    memcpy(&source.user, &data, sizeof(data));
    tk_buf_init(&out, 16 << 20);
    struct tk_parquet_rows_opts opts = {.csv = size % 2 == 0, .max_rows = ROWS_MAX};
    if (tk_parquet_file_new(&source, &file, &err) < 0 ||
        tk_parquet_rows_new(file, &opts, &rows, &err) < 0)
        return 0;
    tk_parquet_rows_put_header(rows, &out);
    while (tk_parquet_rows_next(rows, &out, &err) == 0)
        tk_buf_reset(&out);
    return 0;
}
