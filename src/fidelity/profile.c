/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/profile.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define NS_PER_MS 1000000

struct tk_profile_range tk_profile_range_of(const struct tk_span_table *table)
{
    static const int64_t steps[] = {2, 5, 10};
    struct tk_profile_range range = {0, NS_PER_MS, 1};
    if (table->rows == 0)
        return range;
    int64_t last_ns = INT64_MIN;
    range.start_ns = INT64_MAX;
    for (uint32_t r = 0; r < table->rows; r++) {
        range.start_ns = table->start_ns[r] < range.start_ns ? table->start_ns[r] : range.start_ns;
        last_ns = table->start_ns[r] > last_ns ? table->start_ns[r] : last_ns;
    }
    double width = (double)last_ns - (double)range.start_ns;
    int64_t power = range.window_ns;
    size_t step = 0;
    while (width / (double)range.window_ns >= TK_PROFILE_WINDOWS) {
        range.window_ns = power * steps[step++];
        if (step == TK_COUNTOF(steps)) {
            step = 0;
            power *= 10;
        }
    }
    range.windows = (size_t)(width / (double)range.window_ns) + 1;
    return range;
}

/* An entry: how long it took, and for how many it stands. */
struct entry {
    double ms, weight;
    size_t window; /* TK_PROFILE_WINDOWS = none */
};

static int by_window(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    if (x->window != y->window)
        return x->window < y->window ? -1 : 1;
    return (x->ms > y->ms) - (x->ms < y->ms);
}

static int by_length(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    return (x->ms > y->ms) - (x->ms < y->ms);
}

/* The value that this share of the weight of sorted entries does not exceed. */
static double quantile_of(const struct entry *entries, size_t n, double share)
{
    double all = 0;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        all += entries[i].weight;
    for (size_t i = 0; i < n; i++) {
        sum += entries[i].weight;
        if (sum >= share * all)
            return entries[i].ms;
    }
    return n > 0 ? entries[n - 1].ms : (double)NAN;
}

static size_t window_of(const struct tk_profile_range *range, int64_t start_ns)
{
    if (start_ns < range->start_ns)
        return TK_PROFILE_WINDOWS;
    uint64_t window = ((uint64_t)start_ns - (uint64_t)range->start_ns) / (uint64_t)range->window_ns;
    return window < range->windows ? (size_t)window : TK_PROFILE_WINDOWS;
}

static void count_row(const struct tk_span_table *table, uint32_t r, double weight, size_t window,
                      struct tk_profile *ret)
{
    if (window == TK_PROFILE_WINDOWS)
        return;
    ret->spans[window] += weight;
    ret->errors[window] += table->issues[r] ? weight : 0;
}

/* Count what each window has; returns the number of entries. */
static size_t read_rows(const struct tk_span_table *table, const struct tk_profile_range *range,
                        struct entry *entries, struct tk_profile *ret)
{
    size_t count = 0;
    uint32_t trace = 0;
    for (uint32_t r = 0; r < table->rows; r++) {
        while (r >= table->trace_ends[trace])
            trace++;
        size_t window = window_of(range, table->start_ns[r]);
        double weight = table->weights[trace];
        double ms = (double)table->duration_ns[r] / NS_PER_MS;
        count_row(table, r, weight, window, ret);
        if (table->parents[r] == TK_ROW_TOP)
            entries[count++] = (struct entry){ms, weight, window};
    }
    return count;
}

int tk_profile_read(const struct tk_span_table *table, const struct tk_profile_range *range,
                    struct tk_profile *ret, struct tk_err *err)
{
    struct entry *entries = calloc((size_t)table->rows + 1, sizeof(*entries));
    if (!entries)
        return tk_fail(err, -ENOMEM, "out of memory");
    *ret = (struct tk_profile){{0}};
    size_t count = read_rows(table, range, entries, ret);
    for (size_t w = 0; w < TK_PROFILE_WINDOWS; w++)
        ret->median_ms[w] = (double)NAN;
    qsort(entries, count, sizeof(*entries), by_window);
    for (size_t begin = 0, end; begin < count; begin = end) {
        size_t window = entries[begin].window;
        for (end = begin; end < count && entries[end].window == window;)
            end++;
        if (window < TK_PROFILE_WINDOWS)
            ret->median_ms[window] = quantile_of(entries + begin, end - begin, 0.5);
    }
    qsort(entries, count, sizeof(*entries), by_length);
    for (size_t i = 0; i < TK_PROFILE_QUANTILES; i++)
        ret->quantiles_ms[i] = quantile_of(entries, count, tk_profile_share(i));
    free(entries);
    return 0;
}
