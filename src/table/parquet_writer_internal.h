/* SPDX-License-Identifier: Apache-2.0 */
/* The writer, for its two parts: columns come in (parquet_writer.c), a file goes out
 * (parquet_footer.c). */
#ifndef TK_TABLE_PARQUET_WRITER_INTERNAL_H
#define TK_TABLE_PARQUET_WRITER_INTERNAL_H

#include "table/parquet_internal.h"

/* The names from the root to a column. */
struct tk_parquet_path {
    tk_str *names;
    size_t n;
};

struct tk_parquet_writer {
    struct tk_parquet_opts opts;
    struct tk_parquet_sink sink;
    struct tk_parquet_schema schema;
    struct tk_arena arena; /* what the footer will say */
    struct tk_parquet_codecs codecs;
    struct tk_parquet_column *columns; /* [schema.leaf_count] */
    struct tk_parquet_slots slots;
    struct tk_parquet_path *paths; /* of each column */
    struct tk_buf row_groups;      /* struct tk_parquet_row_group[] */
    struct tk_buf pairs;           /* struct tk_parquet_key_value[] */
    struct tk_buf column_indexes;  /* encoded; chunks say where in here until the end */
    struct tk_buf offset_indexes;
    struct tk_buf dictionary_page; /* of the chunk that is being written */
    struct tk_buf blooms;          /* of the row group that is being written */
    uint64_t offset;               /* in the file */
    uint64_t group_rows;           /* of the open row group */
    uint64_t rows;
    uint64_t last_rows; /* that the last call brought */
    struct tk_err err;  /* the first failure; code 0 = none */
};

/* Bring bytes to the sink; nothing after a failure. */
void tk_parquet_writer_put(struct tk_parquet_writer *writer, tk_str bytes);

/* Bring the open row group to the sink. */
void tk_parquet_writer_end_group(struct tk_parquet_writer *writer);

/* Bring the page indexes of all row groups to the sink. */
void tk_parquet_writer_put_indexes(struct tk_parquet_writer *writer);

/* Append the footer to `out`. */
void tk_parquet_writer_put_footer(struct tk_parquet_writer *writer, struct tk_buf *out);

#endif
