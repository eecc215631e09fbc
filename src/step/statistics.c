/* SPDX-License-Identifier: Apache-2.0 */
#include "step/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

/* Of a normal distribution, the standard deviation is so many median distances. */
#define SIGMA_PER_MAD 1.4826

static double sorted_median(const double *sorted, size_t count)
{
    if (count == 0)
        return (double)NAN;
    size_t middle = count / 2;
    return count % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

static size_t at_most(size_t count, size_t max)
{
    return count < max ? count : max;
}

double tk_median(const double *values, size_t count)
{
    double sorted[TK_SAMPLE_MAX];
    count = at_most(count, TK_SAMPLE_MAX);
    if (count == 0)
        return (double)NAN;
    memcpy(sorted, values, count * sizeof(*values));
    qsort(sorted, count, sizeof(*sorted), tk_f64_cmp);
    return sorted_median(sorted, count);
}

double tk_mad(const double *values, size_t count, double centre)
{
    double distances[TK_SAMPLE_MAX];
    count = at_most(count, TK_SAMPLE_MAX);
    for (size_t i = 0; i < count; i++)
        distances[i] = fabs(values[i] - centre);
    return tk_median(distances, count);
}

double tk_robust_z(const double *baseline, size_t count, double value)
{
    double logs[TK_SAMPLE_MAX];
    count = at_most(count, TK_SAMPLE_MAX);
    if (count < 3)
        return (double)NAN;
    for (size_t i = 0; i < count; i++)
        logs[i] = log(baseline[i]);
    double median = tk_median(logs, count);
    double sigma = SIGMA_PER_MAD * tk_mad(logs, count, median);
    return (log(value) - median) / fmax(sigma, 0.01);
}

/* Mann and Whitney ------------------------------------------------------------------ */

/* U of `b`: pairs in which b is larger, ties as a half. */
static double pairs_above(const double *a, size_t a_count, const double *b, size_t b_count)
{
    double u = 0;
    for (size_t i = 0; i < a_count; i++) {
        for (size_t k = 0; k < b_count; k++)
            u += b[k] > a[i] ? 1 : b[k] == a[i] ? 0.5 : 0;
    }
    return u;
}

#define EXACT_PAIRS 400

/* P(U >= u) when all orders are equally likely. counts[n][s]: ways to choose n of the ranks seen so
 * far that sum up to s; choosing b_count ranks of all gives U plus the least such sum. */
static double exact_p(size_t a_count, size_t b_count, size_t u)
{
    size_t pairs = a_count * b_count;
    size_t total = a_count + b_count;
    size_t width = b_count * total + 1;
    double *ways = calloc((b_count + 1) * width, sizeof(*ways));
    if (!ways)
        return 1; /* no memory: no claim */
    ways[0] = 1;
    for (size_t rank = 1; rank <= total; rank++) {
        for (size_t n = at_most(rank, b_count); n >= 1; n--) {
            for (size_t s = rank; s < width; s++)
                ways[n * width + s] += ways[(n - 1) * width + s - rank];
        }
    }
    size_t least = b_count * (b_count + 1) / 2;
    double all = 0;
    double above = 0;
    for (size_t i = 0; i <= pairs; i++) {
        double n = ways[b_count * width + least + i];
        all += n;
        above += i >= u ? n : 0;
    }
    free(ways);
    return above / all;
}

/* Sum of t^3 - t over groups of t equal values. */
static double tie_term(const double *sorted, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && sorted[end] == sorted[i])
            end++;
        double t = (double)(end - i);
        sum += t * t * t - t;
        i = end;
    }
    return sum;
}

static double normal_p(double u, double n, double m, double ties)
{
    double total = n + m;
    double variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)));
    if (!(variance > 0))
        return 1;
    double z = (u - n * m / 2 - 0.5) / sqrt(variance);
    return 0.5 * erfc(z / sqrt(2));
}

double tk_mann_whitney(const double *a, size_t a_count, const double *b, size_t b_count)
{
    double all[2 * TK_SAMPLE_MAX];
    a_count = at_most(a_count, TK_SAMPLE_MAX);
    b_count = at_most(b_count, TK_SAMPLE_MAX);
    if (a_count == 0 || b_count == 0)
        return 1;
    memcpy(all, a, a_count * sizeof(*a));
    memcpy(all + a_count, b, b_count * sizeof(*b));
    qsort(all, a_count + b_count, sizeof(*all), tk_f64_cmp);
    double ties = tie_term(all, a_count + b_count);
    double u = pairs_above(a, a_count, b, b_count);
    if (ties == 0 && a_count * b_count <= EXACT_PAIRS)
        return exact_p(a_count, b_count, (size_t)lround(u));
    return normal_p(u, (double)a_count, (double)b_count, ties);
}

/* Shift ------------------------------------------------------------------------------ */

#define SHIFT_MAX 64

struct tk_shift tk_shift_find(const double *a, size_t a_count, const double *b, size_t b_count)
{
    double differences[SHIFT_MAX * SHIFT_MAX];
    a_count = at_most(a_count, SHIFT_MAX);
    b_count = at_most(b_count, SHIFT_MAX);
    size_t pairs = 0;
    for (size_t i = 0; i < a_count; i++) {
        for (size_t k = 0; k < b_count; k++)
            differences[pairs++] = b[k] - a[i];
    }
    if (pairs == 0)
        return (struct tk_shift){(double)NAN, (double)NAN, (double)NAN};
    qsort(differences, pairs, sizeof(*differences), tk_f64_cmp);
    double n = (double)a_count;
    double m = (double)b_count;
    double rank = floor(n * m / 2 - 1.96 * sqrt(n * m * (n + m + 1) / 12));
    size_t low = rank > 0 ? (size_t)rank : 0;
    return (struct tk_shift){
        .middle = sorted_median(differences, pairs),
        .low = differences[low],
        .high = differences[pairs - 1 - low],
    };
}

/* Changes ---------------------------------------------------------------------------- */

#define CHANGE_P       0.01
#define CHANGE_PERCENT 3

/* The split of a series at which the ranks of both parts differ most; false when they do not. */
static bool pettitt(const double *values, size_t count, struct tk_change *ret_change)
{
    double most = 0;
    double u = 0;
    size_t at = 0;
    for (size_t t = 0; t + 1 < count; t++) {
        for (size_t k = 0; k < count; k++)
            u += (values[k] > values[t]) - (values[k] < values[t]);
        if (fabs(u) > most) {
            most = fabs(u);
            at = t + 1;
        }
    }
    double n = (double)count;
    double p = fmin(1, 2 * exp(-6 * most * most / (n * n * n + n * n)));
    if (at == 0 || p >= CHANGE_P)
        return false;
    double before = tk_median(values, at);
    double after = tk_median(values + at, count - at);
    *ret_change = (struct tk_change){at, p, 100 * (after / before - 1)};
    return fabs(ret_change->percent) >= CHANGE_PERCENT;
}

struct part {
    size_t begin, end;
};

static int compare_changes(const void *a, const void *b)
{
    const struct tk_change *x = a;
    const struct tk_change *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

size_t tk_changes_find(const double *values, size_t count,
                       struct tk_change ret_changes[TK_CHANGES_MAX])
{
    struct part open[2 * TK_CHANGES_MAX + 1] = {{0, at_most(count, TK_SAMPLE_MAX)}};
    size_t open_count = 1;
    size_t found = 0;
    while (open_count > 0 && found < TK_CHANGES_MAX) {
        struct part part = open[--open_count];
        struct tk_change change;
        if (!pettitt(values + part.begin, part.end - part.begin, &change))
            continue;
        change.at += part.begin;
        ret_changes[found++] = change;
        open[open_count++] = (struct part){part.begin, change.at};
        open[open_count++] = (struct part){change.at, part.end};
    }
    qsort(ret_changes, found, sizeof(*ret_changes), compare_changes);
    return found;
}

/* Many tests --------------------------------------------------------------------------- */

void tk_holm(double *p, size_t count)
{
    bool done[TK_SAMPLE_MAX] = {false};
    double floor_p = 0; /* a larger p is never more significant than a smaller one */
    count = at_most(count, TK_SAMPLE_MAX);
    for (size_t round = 0; round < count; round++) {
        size_t least = count;
        for (size_t i = 0; i < count; i++) {
            if (!done[i] && (least == count || p[i] < p[least]))
                least = i;
        }
        done[least] = true;
        floor_p = fmax(floor_p, fmin(1, p[least] * (double)(count - round)));
        p[least] = floor_p;
    }
}
