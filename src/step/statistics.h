/* SPDX-License-Identifier: Apache-2.0 */
/* Robust statistics of durations (build-telemetry.md section 13): medians, not means; ranks, not
 * normal distributions. Pure functions, safe from any thread; where a limit is named, more values
 * are not looked at. */
#ifndef TK_STEP_STATISTICS_H
#define TK_STEP_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>

/* Most values of one sample. */
#define TK_SAMPLE_MAX 1024

/* The median of some values in any order; NaN of none. */
double tk_median(const double *values, size_t count);

/* The median distance from `centre`: of log(values) a relative one. */
double tk_mad(const double *values, size_t count, double centre);

/* How many robust standard deviations log(value) lies above the median of the logarithms of a
 * baseline of positive values. A baseline that hardly varies counts as one that varies by 1 %: a
 * step that takes 1.000 s each time and once 1.005 s is not slower. NaN for fewer than 3 values. */
double tk_robust_z(const double *baseline, size_t count, double value);

/* One-sided p of Mann and Whitney's test that values of `b` are larger than those of `a`: exact
 * without ties and for at most 400 pairs, else by the normal approximation with its corrections for
 * ties and continuity. 1 when either is empty. */
double tk_mann_whitney(const double *a, size_t a_count, const double *b, size_t b_count);

struct tk_shift {
    double middle;    /* Hodges and Lehmann's: the median of all b - a */
    double low, high; /* 95 % interval; equal to the extremes when there are too few pairs */
};

/* By how much `b` is larger than `a`, both of them 1..64 values. */
struct tk_shift tk_shift_find(const double *a, size_t a_count, const double *b, size_t b_count);

struct tk_change {
    size_t at;      /* the first value of the new level */
    double p;       /* of Pettitt's test, approximate */
    double percent; /* new median above the old */
};

/* Where the level of a series in order of time changed: Pettitt's rank test, again on both sides of
 * each change, with p < 0.01 and at least 3 %. Returns how many, in order. */
#define TK_CHANGES_MAX 16
size_t tk_changes_find(const double *values, size_t count,
                       struct tk_change ret_changes[TK_CHANGES_MAX]);

/* Holm's correction for many tests: each p becomes the one at which it would be significant among
 * all. At most TK_SAMPLE_MAX. */
void tk_holm(double *p, size_t count);

#endif
