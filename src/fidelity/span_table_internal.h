/* SPDX-License-Identifier: Apache-2.0 */
/* A table of spans while it is made. */
#ifndef TK_FIDELITY_SPAN_TABLE_INTERNAL_H
#define TK_FIDELITY_SPAN_TABLE_INTERNAL_H

#include "fidelity/span_table.h"

/* An empty table: no rows, no columns, texts. */
TK_MUST_USE int tk_span_table_init(struct tk_span_table **ret_table, struct tk_err *err);

/* Give all columns of rows room for so many rows; what is there stays. -ENOMEM. */
TK_MUST_USE int tk_span_table_reserve(struct tk_span_table *table, uint32_t room,
                                      struct tk_err *err);

/* Row i becomes what row order[i] of `from` is, for i in [0, count): all columns, parents as they
 * are. `from` may be the table itself. The table then has `count` rows. -ENOMEM. */
TK_MUST_USE int tk_span_table_gather(struct tk_span_table *table, const struct tk_span_table *from,
                                     const uint32_t *order, uint32_t count, struct tk_err *err);

/* The rows of a table as they came: what is known besides the columns, until they are grouped. */
struct tk_span_arrivals {
    struct tk_span_table *table;
    uint32_t *traces;     /* [rows] index in table->trace_ids */
    uint64_t *parent_ids; /* [rows] 0 = none */
    bool drop_edgeless;
};

/* Group rows by trace, leave duplicates out, find parents, cut cycles. -ENOMEM. */
TK_MUST_USE int tk_span_table_group(struct tk_span_arrivals *arrivals, struct tk_err *err);

#endif
