/* SPDX-License-Identifier: Apache-2.0 */
/* A set of traces over time, for plots: what happened in each of some windows, and how long
 * requests took. Counts are multiplied by weights. Safe from any thread. */
#ifndef TK_FIDELITY_PROFILE_H
#define TK_FIDELITY_PROFILE_H

#include "fidelity/span_table.h"

#define TK_PROFILE_WINDOWS   120
#define TK_PROFILE_QUANTILES 41

/* Where windows lie: those of a set of traces, to look at another through. */
struct tk_profile_range {
    int64_t start_ns;
    int64_t window_ns;
    size_t windows; /* at most TK_PROFILE_WINDOWS */
};

struct tk_profile {
    double spans[TK_PROFILE_WINDOWS];          /* that start in the window */
    double errors[TK_PROFILE_WINDOWS];         /* of these, with issues */
    double median_ms[TK_PROFILE_WINDOWS];      /* of entries (spans without parent); NaN = none */
    double quantiles_ms[TK_PROFILE_QUANTILES]; /* of entries: p0 .. p100; NaN = none */
};

/* Windows of 1, 2 or 5 of a power of ten milliseconds from the first start to the last. */
struct tk_profile_range tk_profile_range_of(const struct tk_span_table *table);

/* -ENOMEM. */
TK_MUST_USE int tk_profile_read(const struct tk_span_table *table,
                                const struct tk_profile_range *range, struct tk_profile *ret,
                                struct tk_err *err);

/* The share of the quantile number i. */
static inline double tk_profile_share(size_t i)
{
    return (double)i / (TK_PROFILE_QUANTILES - 1);
}

#endif
