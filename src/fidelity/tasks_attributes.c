/* SPDX-License-Identifier: Apache-2.0 */
/* attributes: in how many traces each value of a projected attribute stands on a span of an entry
 * service, per service and attribute. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fidelity/tasks_internal.h"

#define FEATURES (TK_STR_FEATURES + TK_INT_FEATURES)

static const char *const feature_names[FEATURES] = {
    "str_feature_1", "str_feature_2", "int_feature_1", "int_feature_2", "int_feature_3",
};

static int64_t value_of(const struct tasks *tasks, int side, size_t feature, uint32_t row)
{
    const struct tk_span_table *table = tasks->sides.tables[side];
    if (feature < TK_STR_FEATURES)
        return tk_sides_text(&tasks->sides, side, table->str_features[feature][row]);
    return table->int_features[feature - TK_STR_FEATURES][row];
}

/* Some S2 of the trace has status 0. */
static bool has_success(const struct tk_span_table *table, uint32_t trace)
{
    uint32_t begin = tk_span_table_begin(table, trace);
    return memchr(table->issues + begin, 0, table->trace_ends[trace] - begin) != NULL;
}

/* The values of a trace, each once. */
static void find_values(const struct tasks *tasks, int side, size_t feature, uint32_t trace,
                        struct tk_cells *seen)
{
    const struct tk_span_table *table = tasks->sides.tables[side];
    tk_cells_reset(seen);
    for (uint32_t row = tk_span_table_begin(table, trace); row < table->trace_ends[trace]; row++) {
        int64_t service = service_of(tasks, side, row);
        if (tasks->is_entry[side][service]) {
            tk_cells_add(
                seen, &(struct tk_cell_key){{service, value_of(tasks, side, feature, row)}}, 0, 1);
        }
    }
}

/* Cells (service, value): traces. */
static int count_values(const struct tasks *tasks, int side, size_t feature,
                        enum tk_figure_rule rule, struct tk_cells *cells, struct tk_err *err)
{
    const struct tk_span_table *table = tasks->sides.tables[side];
    struct tk_cells seen = {0};
    for (uint32_t trace = 0; trace < table->traces; trace++) {
        if (!has_success(table, trace))
            continue;
        find_values(tasks, side, feature, trace, &seen);
        double weight = tk_sides_weight(&tasks->sides, side, trace, rule);
        for (uint32_t i = 0; i < seen.count; i++)
            tk_cells_add(cells, &seen.items[i].key, side, weight);
    }
    int rc = tk_cells_check(&seen, err);
    tk_cells_release(&seen);
    return rc < 0 ? rc : tk_cells_check(cells, err);
}

/* The cells of one service, sorted by value. */
struct values {
    const struct tk_cell *items;
    uint32_t count;
    double totals[TK_SIDES];
};

static struct values values_at(const struct tk_cells *cells, uint32_t begin)
{
    struct values values = {.items = &cells->items[begin]};
    int64_t service = values.items->key.part[0];
    while (begin + values.count < cells->count &&
           values.items[values.count].key.part[0] == service) {
        for (int side = 0; side < TK_SIDES; side++)
            values.totals[side] += values.items[values.count].sums[side];
        values.count++;
    }
    return values;
}

static double text_f1(const struct values *values)
{
    double common = 0;
    for (uint32_t i = 0; i < values->count; i++)
        common += fmin(values->items[i].sums[TK_SIDE_A], values->items[i].sums[TK_SIDE_B]);
    return 2 * common / (values->totals[TK_SIDE_A] + values->totals[TK_SIDE_B]);
}

static double number_w1(const struct values *values)
{
    double done[TK_SIDES] = {0, 0};
    double distance = 0;
    for (uint32_t i = 0; i + 1 < values->count; i++) {
        for (int side = 0; side < TK_SIDES; side++)
            done[side] += values->items[i].sums[side] / values->totals[side];
        distance +=
            fabs(done[TK_SIDE_A] - done[TK_SIDE_B]) *
            ((double)values->items[i + 1].key.part[1] - (double)values->items[i].key.part[1]);
    }
    return distance;
}

/* Of one service that both sides have: F1 of texts, or W1 of numbers, which the strict rule gives
 * as a part of their range. */
static double compare_values(const struct values *values, bool is_text, enum tk_figure_rule rule)
{
    if (is_text)
        return text_f1(values);
    double distance = number_w1(values);
    double range =
        (double)values->items[values->count - 1].key.part[1] - (double)values->items[0].key.part[1];
    return rule == TK_FIGURE_COMPAT || range <= 0 ? distance : distance / range;
}

static struct tk_mean compare_services(const struct tk_cells *cells, bool is_text,
                                       enum tk_figure_rule rule)
{
    /* What is missing is perfect in the original, and the worst here. */
    double missing = is_text == (rule == TK_FIGURE_COMPAT) ? 1 : 0;
    struct tk_mean mean = {0};
    for (uint32_t i = 0; i < cells->count;) {
        struct values values = values_at(cells, i);
        bool in_a = values.totals[TK_SIDE_A] > 0;
        bool in_b = values.totals[TK_SIDE_B] > 0;
        if (in_a && in_b) {
            tk_mean_add(&mean, compare_values(&values, is_text, rule));
        } else if (in_b || rule == TK_FIGURE_STRICT) {
            tk_mean_add(&mean, missing);
        }
        i += values.count;
    }
    return mean;
}

static int measure_feature(const struct tasks *tasks, size_t feature, enum tk_figure_rule rule,
                           struct tk_mean *ret_mean, struct tk_err *err)
{
    struct tk_cells cells = {0};
    int rc = 0;
    for (int side = 0; rc == 0 && side < TK_SIDES; side++)
        rc = count_values(tasks, side, feature, rule, &cells, err);
    tk_cells_sort(&cells);
    if (rc == 0)
        *ret_mean = compare_services(&cells, feature < TK_STR_FEATURES, rule);
    tk_cells_release(&cells);
    return rc;
}

/* The figure of each feature, and the mean of those of one kind. */
static int measure_kind(const struct tasks *tasks, bool is_text, enum tk_figure_rule rule,
                        struct tk_err *err)
{
    struct tk_figure figure = {.name = is_text ? "attributes" : "attributes_integers",
                               .sense = is_text ? TK_FIGURE_SCORE : TK_FIGURE_DISTANCE,
                               .rule = rule,
                               .reason = "no entry service with a span that did not fail"};
    struct tk_mean all = {0};
    for (size_t feature = is_text ? 0 : TK_STR_FEATURES;
         feature < (is_text ? TK_STR_FEATURES : FEATURES); feature++) {
        struct tk_mean mean = {0};
        int rc = measure_feature(tasks, feature, rule, &mean, err);
        if (rc < 0)
            return rc;
        if (mean.count > 0) {
            figure.reason = NULL;
            tk_mean_add(&all, tk_mean_of(&mean));
        }
        figure.value = tk_mean_of(&mean);
        figure.samples = mean.count;
        tasks_add(tasks, &figure, tk_str_from(feature_names[feature]));
    }
    figure.value = tk_mean_of(&all);
    tasks_add(tasks, &figure, (tk_str){0});
    return 0;
}

int tasks_attributes(struct tasks *tasks, struct tk_err *err)
{
    for (int rule = 0; rule < TK_FIGURE_RULE_COUNT; rule++) {
        for (int is_text = 1; is_text >= 0; is_text--) {
            int rc = measure_kind(tasks, is_text, (enum tk_figure_rule)rule, err);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}
