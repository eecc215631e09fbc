/* SPDX-License-Identifier: Apache-2.0 */
/* Samplers: which whole traces of a set are kept, and how many each stands for (Horvitz-Thompson:
 * one by the probability with which it was kept). Safe from any thread. */
#ifndef TK_FIDELITY_SAMPLERS_H
#define TK_FIDELITY_SAMPLERS_H

#include "fidelity/span_table.h"

struct tk_sampler {
    const char *name; /* as in `tracekit fidelity sample NAME` */
    const char *help; /* one line, lower case */
    bool is_first;    /* `n` is a number of traces, else "one of n" */

    /* Choose traces. `n` is 1 or more and need not be whole; all are kept of "one of 1".
     *
     *   picks      [table->traces]; caller's memory
     *   ret_count  how many were chosen
     *
     * The same table, n and seed choose the same; a smaller n of "one of n" chooses those of a
     * larger one and more. -ENOMEM. */
    TK_MUST_USE int (*pick)(const struct tk_span_table *table, double n, uint64_t seed,
                            struct tk_trace_pick *picks, size_t *ret_count, struct tk_err *err);
};

extern const struct tk_sampler tk_sampler_head;
extern const struct tk_sampler tk_sampler_tail;
extern const struct tk_sampler tk_sampler_errors;
extern const struct tk_sampler tk_sampler_slow;
extern const struct tk_sampler tk_sampler_stratified;
extern const struct tk_sampler tk_sampler_first;

/* In the order of the manual; ends with NULL. */
extern const struct tk_sampler *const tk_samplers[];

/* By name; NULL = none. */
const struct tk_sampler *tk_sampler_find(const char *name);

/* The sample as a table. -ENOMEM. */
TK_MUST_USE int tk_sampler_take(const struct tk_sampler *sampler, const struct tk_span_table *table,
                                double n, uint64_t seed, struct tk_span_table **ret_table,
                                struct tk_err *err);

/* A number for each trace that those of the same shape share: services, operations and error flags
 * along the edges, whatever the order of siblings.
 *
 *   ret_shapes  [table->traces]; caller's memory
 *
 * -ENOMEM. */
TK_MUST_USE int tk_shapes_find(const struct tk_span_table *table, uint64_t *ret_shapes,
                               struct tk_err *err);

#endif
