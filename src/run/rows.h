/* SPDX-License-Identifier: Apache-2.0 */
/* Rows on their way from a source to a sink: one batch per table of the run, drained into the sink
 * whenever it is full and at the end of each tick. Sources see only tk_rows_begin(). */
#ifndef TK_RUN_ROWS_H
#define TK_RUN_ROWS_H

#include "base/compiler.h"
#include "base/err.h"
#include "run/schemas.h"
#include "table/table.h"

/* Takes the rows of one batch: a file, a screen, a test. Must not keep pointers into it. One that
 * fails is given the next batch all the same: it alone knows how many rows it dropped. */
struct tk_sink {
    int (*take)(void *context, enum tk_table table, const struct tk_batch *batch,
                struct tk_err *err);
    void *context;
};

/* Takes rows and keeps none. */
extern const struct tk_sink tk_sink_none;

struct tk_rows;

/* Batches are made when a table gets its first row. */
TK_MUST_USE int tk_rows_new(struct tk_sink sink, struct tk_rows **ret_rows, struct tk_err *err);
void tk_rows_free(struct tk_rows *rows);

/* Begin a row of `table` and return the batch to set values in with tk_batch_set_*(). Never NULL:
 * without memory for it the row goes into a batch that nobody reads, and tk_rows_flush() reports
 * the failure. */
struct tk_batch *tk_rows_begin(struct tk_rows *rows, enum tk_table table);

/* Drain all batches. Returns the first failure since the last call and forgets it. */
TK_MUST_USE int tk_rows_flush(struct tk_rows *rows, struct tk_err *err);

#endif
