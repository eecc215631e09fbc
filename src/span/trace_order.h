/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a batch by trace, for whoever hands on whole traces. Pure functions, safe from any
 * thread. */
#ifndef TK_SPAN_TRACE_ORDER_H
#define TK_SPAN_TRACE_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "span/span_batch.h"

/* The rows of one trace: n of a list of rows, from `first` on. */
struct tk_trace_place {
    int64_t start_ns; /* of its first span */
    uint32_t first, n;
};

/* Sort a list of rows, [n], by trace id, then start, then row. */
void tk_rows_sort_by_trace(const struct tk_span_batch *batch, uint32_t *rows, size_t n);

/* The traces of a list that is sorted so, earliest first; returns how many. `ret_places` is [n]. */
size_t tk_rows_find_traces(const struct tk_span_batch *batch, const uint32_t *rows, size_t n,
                           struct tk_trace_place *ret_places);

/* Rows, trace after trace, the earliest trace first; its places lie in them one behind the other.
 */
struct tk_trace_list {
    uint32_t *rows;                /* owned, [row_count] */
    struct tk_trace_place *places; /* owned, [count] */
    size_t row_count, count;
};

/* The rows of a batch from `begin` on. Release it also after a failure. */
TK_MUST_USE int tk_trace_list_init(struct tk_trace_list *list, const struct tk_span_batch *batch,
                                   size_t begin, struct tk_err *err);
/* Accepts a zeroed struct. */
void tk_trace_list_release(struct tk_trace_list *list);

#endif
