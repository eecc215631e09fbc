/* SPDX-License-Identifier: Apache-2.0 */
/* The spans of some traces out of a source, with all that they hold; and the spans of a table, with
 * what it holds. Each as a source. One thread at a time. */
#ifndef TK_FIDELITY_TRACE_FILTER_H
#define TK_FIDELITY_TRACE_FILTER_H

#include "fidelity/span_table.h"

struct tk_trace_filter;

/* Spans of `from` whose traces are in `table`, which stays borrowed. -ENOMEM. */
TK_MUST_USE int tk_trace_filter_new(const struct tk_span_table *table, struct tk_span_source from,
                                    struct tk_trace_filter **ret_filter, struct tk_err *err);

/* Accepts NULL. */
void tk_trace_filter_free(struct tk_trace_filter *filter);

/* As long as the filter lives. */
struct tk_span_source tk_trace_filter_source(struct tk_trace_filter *filter);

/* The trace of the table that has this id; UINT32_MAX = none. */
uint32_t tk_trace_filter_find(const struct tk_trace_filter *filter, const uint8_t id[16]);

/* The rows of a table as spans. Attributes are the five features, so that the table that is made of
 * these spans has the same ones; method and status code are kept where they are among them. */
struct tk_table_spans {
    const struct tk_span_table *table; /* borrowed */
    uint32_t trace, row;               /* next; 0, 0 to begin with */
};
struct tk_span_source tk_table_spans_source(struct tk_table_spans *spans);

#endif
