/* SPDX-License-Identifier: Apache-2.0 */
/* bottlenecks_by_time_range: how long spans of a trace took against those of entry services. Ratios
 * are rounded to hundredths and below or at 1, so that a group is a histogram of 101 bins:
 *
 *     targets of a trace   sorted by (service, window, duration)
 *     for each S1          its bins are runs of each group: found by search, not pair by pair
 *
 * which takes a trace of n spans n (groups + bins log n) steps instead of n^2. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "fidelity/tasks_internal.h"

#define RANGES 3

static const struct {
    const char *detail;
    int64_t windows; /* of four hours in one of this range */
    bool by_service, by_pair;
} ranges[RANGES] = {{"4 h", 1, true, true}, {"12 h", 3, true, false}, {"24 h", 6, false, false}};

#define FINEST_HOURS 4
#define MOST_NS      (INT64_MAX / 512) /* of a duration, half a year: so that nothing overflows */

struct target {
    int64_t window, duration;
    uint32_t service;
    uint32_t group_end; /* of the first of a group: past its last */
};

struct targets {
    struct target *items;
    size_t count, max, groups;
};

static int by_group(const void *a, const void *b)
{
    const struct target *x = a;
    const struct target *y = b;
    if (x->service != y->service)
        return x->service < y->service ? -1 : 1;
    if (x->window != y->window)
        return x->window < y->window ? -1 : 1;
    return (x->duration > y->duration) - (x->duration < y->duration);
}

static bool same_group(const struct target *a, const struct target *b)
{
    return a->service == b->service && a->window == b->window;
}

static int64_t duration_of(const struct tk_span_table *table, uint32_t row,
                           enum tk_figure_rule rule)
{
    int64_t ns = table->duration_ns[row] < MOST_NS ? table->duration_ns[row] : MOST_NS;
    return rule == TK_FIGURE_COMPAT ? ns / table->unit_ns : ns;
}

static int fill_targets(const struct tasks *tasks, int side, uint32_t trace,
                        enum tk_figure_rule rule, struct targets *targets)
{
    const struct tk_span_table *table = tasks->sides.tables[side];
    uint32_t begin = tk_span_table_begin(table, trace);
    uint32_t end = table->trace_ends[trace];
    if (end - begin > targets->max) {
        struct target *items = realloc(targets->items, (end - begin) * sizeof(*items));
        if (!items)
            return -ENOMEM;
        targets->items = items;
        targets->max = end - begin;
    }
    targets->count = end - begin;
    for (uint32_t row = begin; row < end; row++) {
        targets->items[row - begin] =
            (struct target){window_of(table, table->start_ns[row], FINEST_HOURS, rule),
                            duration_of(table, row, rule), service_of(tasks, side, row)};
    }
    if (targets->count > 0)
        qsort(targets->items, targets->count, sizeof(*targets->items), by_group);
    targets->groups = 0;
    size_t first = 0;
    for (size_t i = 1; i <= targets->count; i++) {
        if (i < targets->count && same_group(&targets->items[i], &targets->items[first]))
            continue;
        targets->items[first].group_end = (uint32_t)i;
        targets->groups++;
        first = i;
    }
    return 0;
}

/* ROUND(1.0 * part / whole, 2) in hundredths, as SQLite rounds: 0 <= part < whole. */
static int64_t ratio_of(int64_t part, int64_t whole)
{
    return (200 * part + whole) / (2 * whole);
}

/* Past the last of [i, end) that is below `whole` and whose ratio is that of i: the first that is
 * not is as long as ((2 ratio + 1) / 200) of the whole. */
static size_t run_end(const struct target *items, size_t i, size_t end, int64_t whole)
{
    int64_t ratio = ratio_of(items[i].duration, whole);
    int64_t limit = (whole * (2 * ratio + 1) + 199) / 200;
    limit = limit < whole ? limit : whole;
    size_t step = 1;
    while (i + step < end && items[i + step].duration < limit) {
        i += step;
        step *= 2;
    }
    size_t high = i + step < end ? i + step : end;
    while (i + 1 < high) {
        size_t middle = i + (high - i) / 2;
        *(items[middle].duration < limit ? &i : &high) = middle;
    }
    return high;
}

/* What S1 of a service and a duration adds: cells (S1's service and S2's, window, ratio). */
static void add_ratios(const struct targets *targets, const struct target *s1, int side,
                       double weight, struct tk_cells *cells)
{
    const struct target *items = targets->items;
    for (size_t i = 0; i < targets->count;) {
        size_t end = items[i].group_end;
        while (i < end && items[i].duration < s1->duration) {
            size_t next = run_end(items, i, end, s1->duration);
            tk_cells_add(
                cells,
                &(struct tk_cell_key){{pair_of(s1->service, items[i].service), items[i].window,
                                       ratio_of(items[i].duration, s1->duration)}},
                side, weight * (double)(next - i));
            i = next;
        }
        i = end;
    }
}

/* All S1 of a trace; how many keys were beyond the limit. */
static uint64_t add_trace(const struct tasks *tasks, const struct targets *targets, int side,
                          double weight, struct tk_cells *cells)
{
    uint64_t keys = 0;
    uint64_t left_out = 0;
    for (size_t i = 0; i < targets->count; i++) {
        struct target s1 = targets->items[i];
        if (!tasks->is_entry[side][s1.service])
            continue;
        keys += targets->groups;
        if (keys <= TRACE_KEYS_MAX) {
            add_ratios(targets, &s1, side, weight, cells);
        } else {
            left_out += targets->groups;
        }
    }
    return left_out;
}

static int count_ratios(struct tasks *tasks, int side, enum tk_figure_rule rule,
                        struct tk_cells *cells, struct tk_err *err)
{
    const struct tk_span_table *table = tasks->sides.tables[side];
    struct targets targets = {0};
    int rc = 0;
    for (uint32_t trace = 0; rc == 0 && trace < table->traces; trace++) {
        double weight = tk_sides_weight(&tasks->sides, side, trace, rule);
        rc = fill_targets(tasks, side, trace, rule, &targets);
        if (rc == 0)
            tasks->left_out += add_trace(tasks, &targets, side, weight, cells);
    }
    free(targets.items);
    return rc < 0 ? tk_fail(err, rc, "bottlenecks: out of memory") : tk_cells_check(cells, err);
}

/* The cells of four hours and pairs of services as those of a wider range. */
static int widen(const struct tk_cells *finest, size_t range, enum tk_figure_rule rule,
                 struct tk_cells *cells, struct tk_err *err)
{
    int64_t windows = ranges[range].windows;
    for (uint32_t i = 0; i < finest->count; i++) {
        const struct tk_cell *cell = &finest->items[i];
        struct tk_cell_key key = cell->key;
        if (!ranges[range].by_pair)
            key.part[0] = ranges[range].by_service ? key.part[0] >> 32 : 0;
        key.part[1] =
            rule == TK_FIGURE_COMPAT ? key.part[1] / windows : tk_floor_div(key.part[1], windows);
        for (int side = 0; side < TK_SIDES; side++) {
            if (cell->sums[side] > 0)
                tk_cells_add(cells, &key, side, cell->sums[side]);
        }
    }
    tk_cells_sort(cells);
    return tk_cells_check(cells, err);
}

/* Wasserstein-1 of one group, cells [begin, end) sorted by ratio; -1 = that side is missing. */
static double group_distance(const struct tk_cell *cells, uint32_t begin, uint32_t end)
{
    double totals[TK_SIDES] = {0, 0};
    for (uint32_t i = begin; i < end; i++) {
        for (int side = 0; side < TK_SIDES; side++)
            totals[side] += cells[i].sums[side];
    }
    if (totals[TK_SIDE_A] <= 0 || totals[TK_SIDE_B] <= 0)
        return totals[TK_SIDE_A] <= 0 ? -1 : -2;
    double done[TK_SIDES] = {0, 0};
    double distance = 0;
    for (uint32_t i = begin; i + 1 < end; i++) {
        for (int side = 0; side < TK_SIDES; side++)
            done[side] += cells[i].sums[side];
        distance +=
            fabs(done[TK_SIDE_A] / totals[TK_SIDE_A] - done[TK_SIDE_B] / totals[TK_SIDE_B]) *
            (double)(cells[i + 1].key.part[2] - cells[i].key.part[2]) / 100;
    }
    return distance;
}

static struct tk_mean range_distance(const struct tk_cells *cells, enum tk_figure_rule rule)
{
    const struct tk_cell *items = cells->items;
    struct tk_mean mean = {0};
    for (uint32_t i = 0; i < cells->count;) {
        uint32_t end = i + 1;
        while (end < cells->count && items[end].key.part[0] == items[i].key.part[0] &&
               items[end].key.part[1] == items[i].key.part[1])
            end++;
        double distance = group_distance(items, i, end);
        /* -2: a group that only A has, which the original ignores. */
        if (distance >= -1 || rule == TK_FIGURE_STRICT)
            tk_mean_add(&mean, distance < 0 ? 1 : distance);
        i = end;
    }
    return mean;
}

static int measure_rule(struct tasks *tasks, enum tk_figure_rule rule, struct tk_cells *finest,
                        struct tk_err *err)
{
    struct tk_mean all = {0};
    struct tk_figure figure = {.name = "bottlenecks", .sense = TK_FIGURE_DISTANCE, .rule = rule};
    for (size_t range = 0; range < RANGES; range++) {
        struct tk_cells cells = {0};
        int rc = widen(finest, range, rule, &cells, err);
        struct tk_mean mean = range_distance(&cells, rule);
        tk_cells_release(&cells);
        if (rc < 0)
            return rc;
        figure.value = tk_mean_of(&mean);
        figure.reason = mean.count > 0 ? NULL : "no group in the real traces";
        figure.samples = mean.count;
        tasks_add(tasks, &figure, tk_str_from(ranges[range].detail));
        if (mean.count > 0)
            tk_mean_add(&all, figure.value);
    }
    figure.value = tk_mean_of(&all);
    figure.samples = all.count;
    tasks_add(tasks, &figure, (tk_str){0});
    return 0;
}

int tasks_bottlenecks(struct tasks *tasks, struct tk_err *err)
{
    for (int rule = 0; rule < TK_FIGURE_RULE_COUNT; rule++) {
        struct tk_cells cells = {0};
        int rc = 0;
        for (int side = 0; rc == 0 && side < TK_SIDES; side++)
            rc = count_ratios(tasks, side, (enum tk_figure_rule)rule, &cells, err);
        if (rc == 0)
            rc = measure_rule(tasks, (enum tk_figure_rule)rule, &cells, err);
        tk_cells_release(&cells);
        if (rc < 0)
            return rc;
    }
    return 0;
}
