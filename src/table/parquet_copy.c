/* SPDX-License-Identifier: Apache-2.0 */
/* A file again with other metadata: what stands before the footer is copied as bytes, so that all
 * offsets in the footer still hold. */
#include <errno.h>
#include <stdlib.h>

#include "table/parquet_file_internal.h"

#define CHUNK_BYTES ((size_t)256 << 10) /* copied at once */
#define FOOTER_MAX  ((size_t)256 << 20)

static int check_pages(struct tk_parquet_file *file, struct tk_err *err)
{
    TK_CLEANUP(tk_parquet_cursor_freep) struct tk_parquet_cursor *cursor = NULL;
    int rc = 0;
    for (size_t group = 0; group < file->meta.row_group_count; group++) {
        for (size_t column = 0; rc == 0 && column < file->schema.leaf_count; column++) {
            rc = cursor ? tk_parquet_cursor_move(cursor, file, group, column, err)
                        : tk_parquet_cursor_new(file, group, column, &cursor, err);
            if (rc == 0)
                rc = tk_parquet_cursor_check(cursor, err);
        }
    }
    return rc;
}

static int copy_bytes(const struct tk_parquet_file *file, const struct tk_parquet_sink *sink,
                      struct tk_err *err)
{
    char *chunk = malloc(CHUNK_BYTES);
    if (!chunk)
        return tk_fail(err, -ENOMEM, "parquet: out of memory");
    int rc = 0;
    for (uint64_t at = 0; rc == 0 && at < file->footer_at;) {
        uint64_t left = file->footer_at - at;
        size_t n = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
        rc = file->source.read(file->source.user, at, chunk, n, err);
        if (rc == 0)
            rc = sink->write(sink->user, (tk_str){chunk, n}, err);
        at += n;
    }
    free(chunk);
    return rc;
}

static int put_footer(const struct tk_parquet_file *file, tk_str key, tk_str value,
                      const struct tk_parquet_sink *sink, struct tk_err *err)
{
    struct tk_parquet_file_meta meta = file->meta;
    struct tk_parquet_key_value *pairs = calloc(meta.key_value_count + 1, sizeof(*pairs));
    if (!pairs)
        return tk_fail(err, -ENOMEM, "parquet: out of memory");
    for (size_t i = 0; i < meta.key_value_count; i++) {
        pairs[i] = file->meta.key_value_metadata[i];
        if (tk_str_eq(pairs[i].key, key))
            pairs[i].value = value;
    }
    meta.key_value_metadata = pairs;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, FOOTER_MAX);
    tk_parquet_put_footer(&meta, &out);
    free(pairs);
    int rc = tk_buf_check(&out, "footer", err);
    return rc < 0 ? rc : sink->write(sink->user, tk_buf_str(&out), err);
}

int tk_parquet_file_copy(struct tk_parquet_file *file, tk_str key, tk_str value,
                         const struct tk_parquet_sink *sink, struct tk_err *err)
{
    int rc = check_pages(file, err);
    if (rc == 0)
        rc = copy_bytes(file, sink, err);
    return rc < 0 ? rc : put_footer(file, key, value, sink, err);
}
