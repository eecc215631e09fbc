/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a Parquet file as text: nested columns put together again (the record assembly of the
 * Dremel paper), values in the form that a person reads. */
#ifndef TK_TABLE_PARQUET_ROWS_H
#define TK_TABLE_PARQUET_ROWS_H

#include <stdbool.h>

#include "base/buf.h"
#include "table/parquet_reader.h"

/* As text: integers, doubles (the shortest that read back as the same), "true", texts; times as
 * "2026-11-21T09:30:00.123456Z" (without Z when they are local), "2026-11-21", "09:30:00.123"; a
 * decimal with its point; a UUID with dashes; other bytes as text where they are UTF-8, else as
 * "0x" and hexadecimal digits, as FIXED always is. `raw` gives the integers of times and decimals.
 *
 * In JSON numbers are numbers, but NaN and infinity null; a list is an array, a map an object. */
struct tk_parquet_rows_opts {
    const bool *wanted; /* [columns] that are to appear; NULL = all */
    bool csv;           /* else JSON, an object a line */
    bool raw;
    uint64_t max_rows; /* 0 = all */
};

struct tk_parquet_rows;

/* Stand before the first row. `file` and opts->wanted stay borrowed. */
TK_MUST_USE int tk_parquet_rows_new(struct tk_parquet_file *file,
                                    const struct tk_parquet_rows_opts *opts,
                                    struct tk_parquet_rows **ret_rows, struct tk_err *err);

/* Append the line of names (CSV). */
void tk_parquet_rows_put_header(const struct tk_parquet_rows *rows, struct tk_buf *out);

/* Append the next row with its newline: 0, or 1 at the end. Sticky buffer: a row that does not fit
 * is -EMSGSIZE. On failure `out` is as before. */
TK_MUST_USE int tk_parquet_rows_next(struct tk_parquet_rows *rows, struct tk_buf *out,
                                     struct tk_err *err);

/* Accepts NULL. */
void tk_parquet_rows_free(struct tk_parquet_rows *rows);

/* For TK_CLEANUP. */
void tk_parquet_rows_freep(struct tk_parquet_rows **rows);

/* Append one value as text, or as a JSON value; `value` points to what struct tk_parquet_entries
 * has of the node's type. */
void tk_parquet_put_text(const struct tk_parquet_node *node, const void *value, bool raw,
                         struct tk_buf *out);
void tk_parquet_put_json(const struct tk_parquet_node *node, const void *value, bool raw,
                         struct tk_buf *out);

/* Append the bytes of a minimum or maximum of the file's metadata as text; nothing when they are no
 * value of the node. */
void tk_parquet_put_bound(const struct tk_parquet_node *node, tk_str bytes, struct tk_buf *out);

#endif
