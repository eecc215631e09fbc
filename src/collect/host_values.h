/* SPDX-License-Identifier: Apache-2.0 */
/* Values of rows from two readings. Counters that went back or are missing become absent values,
 * which the setters leave out. */
#ifndef TK_COLLECT_HOST_VALUES_H
#define TK_COLLECT_HOST_VALUES_H

#include "base/checked.h"
#include "collect/host_sources.h"
#include "table/batch.h"

/* now - before, or TK_HOST_ABSENT. */
static inline int64_t tk_host_delta(int64_t now, int64_t before)
{
    return now < 0 || before < 0 || now < before ? TK_HOST_ABSENT : now - before;
}

/* Values that are absent (below zero) are left out. */
static inline void tk_row_set_count(struct tk_batch *batch, size_t column, int64_t value)
{
    if (value >= 0)
        tk_batch_set_i64(batch, column, value);
}

/* Whole units per second, cut off: exact, so that readers can compute it again from the stamps. */
static inline void tk_row_set_whole_rate(struct tk_batch *batch, size_t column, int64_t change,
                                         int64_t dt_us)
{
    int64_t whole;
    int64_t rest;
    if (change >= 0 && tk_mul_i64(change / dt_us, 1000000, &whole) &&
        tk_mul_i64(change % dt_us, 1000000, &rest) && tk_add_i64(whole, rest / dt_us, &whole))
        tk_batch_set_i64(batch, column, whole);
}

/* Per second. */
static inline void tk_row_set_rate(struct tk_batch *batch, size_t column, int64_t change,
                                   int64_t dt_us)
{
    if (change >= 0)
        tk_batch_set_f64(batch, column, (double)change * 1e6 / (double)dt_us);
}

/* A value as it stands. */
static inline void tk_row_set_gauge(struct tk_batch *batch, size_t column, double value)
{
    if (value >= 0)
        tk_batch_set_f64(batch, column, value);
}

#endif
