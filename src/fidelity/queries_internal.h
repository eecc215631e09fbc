/* SPDX-License-Identifier: Apache-2.0 */
/* Walks of the ten queries, and what they need room for. */
#ifndef TK_FIDELITY_QUERIES_INTERNAL_H
#define TK_FIDELITY_QUERIES_INTERNAL_H

#include "fidelity/queries.h"

/* Rows of a trace with the same service and the same duration (or its logarithm). */
struct tk_query_item {
    int64_t value;
    uint64_t before; /* rows of the items before this one */
    uint32_t place;  /* of the service among the values of a parameter */
    uint32_t rows;
};

/* Of the trace at hand; numbers are zero in between. */
struct tk_query_scratch {
    uint32_t *numbers;              /* [entry points] rows */
    uint32_t *entries;              /* [entry points] that the trace has */
    struct tk_query_item *items;    /* [longest + 1] */
    struct tk_query_item *services; /* [longest + 1] */
};

/* One each, in the order of tk_queries[]. */
void tk_query_walk_error_traces(struct tk_query_walk *walk);
void tk_query_walk_attributes(struct tk_query_walk *walk);
void tk_query_walk_edges(struct tk_query_walk *walk);
void tk_query_walk_bottlenecks(struct tk_query_walk *walk);
void tk_query_walk_rates(struct tk_query_walk *walk);
void tk_query_walk_errors(struct tk_query_walk *walk);
void tk_query_walk_durations(struct tk_query_walk *walk);
void tk_query_walk_frequencies(struct tk_query_walk *walk);
void tk_query_walk_maxima(struct tk_query_walk *walk);
void tk_query_walk_filtered(struct tk_query_walk *walk);

#endif
