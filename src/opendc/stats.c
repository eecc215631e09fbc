/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/stats.h"

#include <math.h>
#include <stdlib.h>

#include "base/number.h"

#define KS_TERMS 100
#define FLAT     1e-9

void tk_stats_sort(double *values, size_t count)
{
    if (count > 1)
        qsort(values, count, sizeof(*values), tk_f64_cmp);
}

double tk_stats_mean(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return count > 0 ? sum / (double)count : (double)NAN;
}

double tk_stats_quantile(const double *sorted, size_t count, double q)
{
    if (count == 0)
        return (double)NAN;
    double at = q * (double)(count - 1);
    size_t low = (size_t)at;
    size_t high = low + 1 < count ? low + 1 : low;
    return sorted[low] + (sorted[high] - sorted[low]) * (at - (double)low);
}

double tk_stats_error(double a, double b)
{
    if (a == b)
        return 0;
    return fabs(b - a) / fabs(a);
}

/* 2 sum of (-1)^(k-1) e^(-2 k^2 lambda^2), which comes to 1 as lambda does to 0. */
static double ks_chance(double lambda)
{
    double sum = 0;
    double sign = 1;
    if (lambda < 0.2)
        return 1;
    for (int k = 1; k <= KS_TERMS; k++) {
        sum += sign * exp(-2 * (double)k * k * lambda * lambda);
        sign = -sign;
    }
    return fmin(1, fmax(0, 2 * sum));
}

struct tk_ks tk_stats_ks(const double *a, size_t a_count, const double *b, size_t b_count)
{
    struct tk_ks ks = {(double)NAN, (double)NAN};
    if (a_count == 0 || b_count == 0)
        return ks;
    size_t i = 0;
    size_t k = 0;
    ks.distance = 0;
    while (i < a_count && k < b_count) {
        double at = fmin(a[i], b[k]);
        while (i < a_count && a[i] <= at)
            i++;
        while (k < b_count && b[k] <= at)
            k++;
        double apart = fabs((double)i / (double)a_count - (double)k / (double)b_count);
        ks.distance = fmax(ks.distance, apart);
    }
    double e = sqrt((double)a_count * (double)b_count / (double)(a_count + b_count));
    ks.p = ks_chance((e + 0.12 + 0.11 / e) * ks.distance);
    return ks;
}

double tk_stats_smape(const double *a, const double *b, size_t count)
{
    double sum = 0;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        double middle = (fabs(a[i]) + fabs(b[i])) / 2;
        if (middle == 0)
            continue;
        sum += fabs(a[i] - b[i]) / middle;
        used++;
    }
    return used > 0 ? 100 * sum / (double)used : (double)NAN;
}

double tk_stats_pearson(const double *a, const double *b, size_t count)
{
    double mean_a = 0;
    double mean_b = 0;
    for (size_t i = 0; i < count; i++) {
        mean_a += a[i] / (double)count;
        mean_b += b[i] / (double)count;
    }
    double both = 0;
    double square_a = 0;
    double square_b = 0;
    for (size_t i = 0; i < count; i++) {
        both += (a[i] - mean_a) * (b[i] - mean_b);
        square_a += (a[i] - mean_a) * (a[i] - mean_a);
        square_b += (b[i] - mean_b) * (b[i] - mean_b);
    }
    /* What is left of a constant after rounding is no variation. */
    double least_a = FLAT * FLAT * mean_a * mean_a * (double)count;
    double least_b = FLAT * FLAT * mean_b * mean_b * (double)count;
    return square_a > least_a && square_b > least_b ? both / sqrt(square_a * square_b)
                                                    : (double)NAN;
}

double tk_stats_rmse(const double *a, const double *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return count > 0 ? sqrt(sum / (double)count) : (double)NAN;
}

static double rmse_at(const double *a, const double *b, size_t count, int64_t lag)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t at = (int64_t)i + lag;
        double other = at < 0 ? 0 : b[at < (int64_t)count ? (size_t)at : count - 1];
        sum += (a[i] - other) * (a[i] - other);
    }
    return sqrt(sum / (double)count);
}

double tk_stats_rmse_lagged(const double *a, const double *b, size_t count, size_t most,
                            int64_t *ret_lag)
{
    double best = (double)NAN;
    for (int64_t lag = -(int64_t)most; count > 0 && lag <= (int64_t)most; lag++) {
        double rmse = rmse_at(a, b, count, lag);
        if (rmse < best || isnan(best) || (rmse == best && llabs(lag) < llabs(*ret_lag))) {
            best = rmse;
            *ret_lag = lag;
        }
    }
    return best;
}

void tk_stats_smooth(const double *values, size_t count, size_t width, double *ret)
{
    size_t before = width / 2;
    size_t from = 0;
    size_t to = 0;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        size_t end = i - before + width < count ? i - before + width : count;
        while (to < end)
            sum += values[to++];
        while (from + before < i)
            sum -= values[from++];
        ret[i] = sum / (double)(to - from);
    }
}

double tk_stats_pearson_lagged(const double *a, const double *b, size_t count, size_t most,
                               size_t least, int64_t *ret_lag)
{
    double best = (double)NAN;
    for (int64_t lag = -(int64_t)most; lag <= (int64_t)most; lag++) {
        size_t apart = (size_t)llabs(lag);
        if (apart >= count || count - apart < least)
            continue;
        double r = lag < 0 ? tk_stats_pearson(a + apart, b, count - apart)
                           : tk_stats_pearson(a, b + apart, count - apart);
        if (r > best || (isnan(best) && !isnan(r)) || (r == best && llabs(lag) < llabs(*ret_lag))) {
            best = r;
            *ret_lag = lag;
        }
    }
    return best;
}
