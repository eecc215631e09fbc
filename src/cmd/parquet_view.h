/* SPDX-License-Identifier: Apache-2.0 */
/* What `tracekit parquet schema` and `meta` show of a file, as text or as one JSON object. */
#ifndef TK_CMD_PARQUET_VIEW_H
#define TK_CMD_PARQUET_VIEW_H

#include "base/buf.h"
#include "report/look.h"
#include "table/parquet_reader.h"

/* Append the schema: a line a node, children indented. */
void tk_parquet_view_schema(const struct tk_parquet_file *file, const struct tk_look *look,
                            struct tk_buf *out);
void tk_parquet_view_schema_json(const struct tk_parquet_file *file, const char *name,
                                 struct tk_buf *out);

/* Append what the footer says: the file, its metadata, and per row group its columns. */
TK_MUST_USE int tk_parquet_view_meta(const struct tk_parquet_file *file, const char *name,
                                     uint64_t file_bytes, const struct tk_look *look,
                                     struct tk_buf *out, struct tk_err *err);
void tk_parquet_view_meta_json(const struct tk_parquet_file *file, const char *name,
                               uint64_t file_bytes, struct tk_buf *out);

#endif
