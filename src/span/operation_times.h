/* SPDX-License-Identifier: Apache-2.0 */
/* Operations of services: how often, how long, how much time of their own. For runs of any size:
 *
 *     tk_operation_times_new(spans that there are, &operations, err);
 *     for (part = 0; part < tk_operation_times_parts(operations); part++) {
 *         every span, in any order: tk_operation_times_add(operations, rows, wanted, user, err);
 *         tk_operation_times_next_part(operations, err);
 *     }
 *     tk_operation_times_finish(operations, &items, &n, err);
 *
 * One thread at a time. */
#ifndef TK_SPAN_OPERATION_TIMES_H
#define TK_SPAN_OPERATION_TIMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "span/span_batch.h"

struct tk_operation_time {
    tk_str service;
    tk_str name;
    uint64_t spans;
    uint64_t errors;
    int64_t p50_ns; /* of the durations, by nearest rank */
    int64_t p95_ns;
    int64_t p99_ns;
    int64_t max_ns;
    int64_t self_ns; /* of all its spans: in which no child ran */
};

struct tk_operation_times;

/* For at most `max_spans` spans. -ENOMEM. */
TK_MUST_USE int tk_operation_times_new(uint64_t max_spans,
                                       struct tk_operation_times **ret_operations,
                                       struct tk_err *err);

/* Accepts NULL; for TK_CLEANUP. */
void tk_operation_times_freep(struct tk_operation_times **operations);

/* How many times all spans have to come. */
uint32_t tk_operation_times_parts(const struct tk_operation_times *operations);

/* Tells whether a row is asked for; the others count as children only. */
typedef bool (*tk_operation_times_wanted_fn)(const void *user, const struct tk_span_batch *batch,
                                             size_t row);

TK_MUST_USE int tk_operation_times_add(struct tk_operation_times *operations,
                                       const struct tk_span_rows *rows,
                                       tk_operation_times_wanted_fn wanted, const void *user,
                                       struct tk_err *err);
TK_MUST_USE int tk_operation_times_next_part(struct tk_operation_times *operations,
                                             struct tk_err *err);

/* The operations, the most time of their own first; theirs until they are freed. */
TK_MUST_USE int tk_operation_times_finish(struct tk_operation_times *operations,
                                          const struct tk_operation_time **ret_items, size_t *ret_n,
                                          struct tk_err *err);

#endif
