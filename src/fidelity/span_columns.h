/* SPDX-License-Identifier: Apache-2.0 */
/* Tables that are filled by column, by decoders and controls, instead of from spans. One thread at
 * a time. */
#ifndef TK_FIDELITY_SPAN_COLUMNS_H
#define TK_FIDELITY_SPAN_COLUMNS_H

#include "fidelity/span_table.h"

/* A table of so many rows and traces, which the caller fills: all columns of all rows, `trace_ends`
 * and `trace_ids`. Weights are 1. tk_span_table_sort() then brings it into order. -ENOMEM. */
TK_MUST_USE int tk_span_table_alloc(uint32_t rows, uint32_t traces,
                                    struct tk_span_table **ret_table, struct tk_err *err);

/* A copy. -ENOMEM. */
TK_MUST_USE int tk_span_table_copy(const struct tk_span_table *from,
                                   struct tk_span_table **ret_table, struct tk_err *err);

#endif
