/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the join share. */
#ifndef TK_SPAN_BILL_INTERNAL_H
#define TK_SPAN_BILL_INTERNAL_H

#include "run/schemas.h"
#include "span/bill.h"

typedef int (*tk_join_row_fn)(void *context, const struct tk_batch *batch, size_t row,
                              struct tk_err *err);

/* Call `take` for each row of a table; a table that is not there has none. */
TK_MUST_USE int tk_join_each(struct tk_join *join, enum tk_table table, tk_join_row_fn take,
                             void *context, struct tk_err *err);

/* bill_readings.c: all samples and exits once more, through meters to the bills. */
TK_MUST_USE int tk_join_meter(struct tk_join *join, struct tk_err *err);

#endif
