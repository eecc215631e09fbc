/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics that a comparison of two runs needs (opendc.md section 14). Pure functions, safe from
 * any thread. Without values they give NaN. */
#ifndef TK_OPENDC_STATS_H
#define TK_OPENDC_STATS_H

#include <stddef.h>
#include <stdint.h>

/* Sort ascending. */
void tk_stats_sort(double *values, size_t count);

/* Arithmetic mean. */
double tk_stats_mean(const double *values, size_t count);

/* Quantile q, 0..1, of sorted values: linear between the two around q (n - 1). */
double tk_stats_quantile(const double *sorted, size_t count, double q);

/* |b - a| / |a|: 0 when both are 0, infinity when only `a` is. */
double tk_stats_error(double a, double b);

/* Two-sample Kolmogorov-Smirnov test of sorted values: the largest distance of the two cumulative
 * distributions, and how likely one as large comes about by chance (Stephens' approximation). */
struct tk_ks {
    double distance, p;
};
struct tk_ks tk_stats_ks(const double *a, size_t a_count, const double *b, size_t b_count);

/* Symmetric mean absolute percentage error of pairs, 0..200; pairs whose sum is 0 are passed over.
 */
double tk_stats_smape(const double *a, const double *b, size_t count);

/* Pearson's correlation of pairs. */
double tk_stats_pearson(const double *a, const double *b, size_t count);

/* Root of the mean squared difference of pairs. */
double tk_stats_rmse(const double *a, const double *b, size_t count);

/* The same of two series at the lag of b, within -most..most, at which it is smallest; what lies
 * beyond an end counts as its last value. */
double tk_stats_rmse_lagged(const double *a, const double *b, size_t count, size_t most,
                            int64_t *ret_lag);

/* Means of the `width` values around each, fewer at the ends. `ret` is [count] and not `values`. */
void tk_stats_smooth(const double *values, size_t count, size_t width, double *ret);

/* Pearson's correlation at the lag of b, within -most..most, at which it is largest, of the pairs
 * that both sides have then: at least `least` of them. */
double tk_stats_pearson_lagged(const double *a, const double *b, size_t count, size_t most,
                               size_t least, int64_t *ret_lag);

#endif
