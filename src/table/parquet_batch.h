/* SPDX-License-Identifier: Apache-2.0 */
/* Batches of a schema as a Parquet file. Every column may be null; lists become three-level LISTs
 * of elements that may not. Stamps (TK_STAMP, TK_STAMP_MILLI) of a unit "ms" or "us" become
 * timestamps in UTC. The file's metadata says what no type can: "tracekit.table", its name, and
 * "tracekit.units" and "tracekit.meanings", JSON objects by column. */
#ifndef TK_TABLE_PARQUET_BATCH_H
#define TK_TABLE_PARQUET_BATCH_H

#include "table/batch.h"
#include "table/parquet.h"

struct tk_parquet_table;

/* A file of the rows of `schema`, as tk_parquet_writer_new(). */
TK_MUST_USE int tk_parquet_table_new(const struct tk_schema *schema,
                                     const struct tk_parquet_opts *opts,
                                     const struct tk_parquet_sink *sink,
                                     struct tk_parquet_table **ret_table, struct tk_err *err);

/* Append all rows of a batch of that schema. */
TK_MUST_USE int tk_parquet_table_write(struct tk_parquet_table *table, const struct tk_batch *batch,
                                       struct tk_err *err);

/* The writer: for metadata, rows and bytes; borrowed. */
struct tk_parquet_writer *tk_parquet_table_writer(struct tk_parquet_table *table);

/* As tk_parquet_writer_close(). */
TK_MUST_USE int tk_parquet_table_close(struct tk_parquet_table *table, struct tk_err *err);

/* Accepts NULL. */
void tk_parquet_table_free(struct tk_parquet_table *table);

/* For TK_CLEANUP. */
void tk_parquet_table_freep(struct tk_parquet_table **table);

#endif
