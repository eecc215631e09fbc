/* SPDX-License-Identifier: Apache-2.0 */
/* Training distances: what Gen-T watches while it learns. Gaps from the parent and durations per
 * service, and starts of traces within the real window. */
#include <errno.h>
#include <math.h>

#include "fidelity/tasks_internal.h"

#define OCTAVES 4.0 /* of the strict unit */

enum what { GAP, DURATION };

static double value_of(const struct tk_span_table *table, uint32_t row, enum what what,
                       enum tk_figure_rule rule)
{
    int64_t ns = what == GAP ? table->start_ns[row] - table->start_ns[table->parents[row]]
                             : table->duration_ns[row];
    int64_t units = ns / table->unit_ns;
    if (rule == TK_FIGURE_COMPAT)
        return (double)units;
    return copysign(log2(1 + fabs((double)ns) / 1000), (double)ns) / OCTAVES;
}

static int collect(const struct tasks *tasks, int side, enum what what, enum tk_figure_rule rule,
                   struct tk_samples *samples, struct tk_err *err)
{
    const struct tk_span_table *table = tasks->sides.tables[side];
    uint32_t trace = 0;
    for (uint32_t row = 0; row < table->rows; row++) {
        trace += row == table->trace_ends[trace];
        if (what == DURATION || table->parents[row] != TK_ROW_TOP) {
            tk_samples_add(samples, service_of(tasks, side, row), value_of(table, row, what, rule),
                           tk_sides_weight(&tasks->sides, side, trace, rule));
        }
    }
    tk_samples_sort(samples);
    return tk_samples_check(samples, err);
}

/* The original compares services that are there; missing ones are the worst here. */
static struct tk_mean compare(const struct tasks *tasks, const struct tk_samples *samples,
                              enum tk_figure_rule rule)
{
    struct tk_mean mean = {0};
    size_t at[TK_SIDES] = {0, 0};
    for (uint32_t service = 0; service < tasks->sides.texts; service++) {
        struct tk_sample_run a = tk_samples_of(&samples[TK_SIDE_A], service, &at[TK_SIDE_A]);
        struct tk_sample_run b = tk_samples_of(&samples[TK_SIDE_B], service, &at[TK_SIDE_B]);
        if (a.count > 0 && b.count > 0) {
            double distance = tk_samples_w1(&a, &b);
            tk_mean_add(&mean, rule == TK_FIGURE_STRICT ? fmin(distance, 1) : distance);
        } else if (a.count + b.count > 0 && rule == TK_FIGURE_STRICT) {
            tk_mean_add(&mean, 1);
        }
    }
    return mean;
}

static int measure_services(struct tasks *tasks, enum what what, enum tk_figure_rule rule,
                            struct tk_err *err)
{
    struct tk_samples samples[TK_SIDES] = {{0}, {0}};
    int rc = 0;
    for (int side = 0; rc == 0 && side < TK_SIDES; side++)
        rc = collect(tasks, side, what, rule, &samples[side], err);
    if (rc == 0) {
        struct tk_mean mean = compare(tasks, samples, rule);
        tasks_add(tasks,
                  &(struct tk_figure){.name = what == GAP ? "training_gap" : "training_duration",
                                      .sense = TK_FIGURE_DISTANCE,
                                      .rule = rule,
                                      .value = tk_mean_of(&mean),
                                      .reason = mean.count > 0 ? NULL : "no service to compare",
                                      .samples = mean.count},
                  (tk_str){0});
    }
    for (int side = 0; side < TK_SIDES; side++)
        tk_samples_release(&samples[side]);
    return rc;
}

static int64_t trace_start(const struct tk_span_table *table, uint32_t trace)
{
    return table->start_ns[tk_span_table_begin(table, trace)];
}

/* Traces stand by start, so that the window of the real ones is from their first to their last. */
static void collect_starts(const struct tasks *tasks, int side, enum tk_figure_rule rule,
                           struct tk_samples *samples)
{
    const struct tk_span_table *table = tasks->sides.tables[side];
    const struct tk_span_table *real = tasks->sides.tables[TK_SIDE_B];
    int64_t begin = trace_start(real, 0);
    double length = (double)(trace_start(real, real->traces - 1) - begin);
    for (uint32_t trace = 0; trace < table->traces; trace++) {
        tk_samples_add(samples, 0,
                       (double)(trace_start(table, trace) - begin) / (length > 0 ? length : 1),
                       tk_sides_weight(&tasks->sides, side, trace, rule));
    }
    tk_samples_sort(samples);
}

static int measure_starts(struct tasks *tasks, enum tk_figure_rule rule, struct tk_err *err)
{
    struct tk_figure figure = {
        .name = "training_start", .sense = TK_FIGURE_DISTANCE, .rule = rule, .value = (double)NAN};
    uint32_t traces[TK_SIDES] = {tasks->sides.tables[TK_SIDE_A]->traces,
                                 tasks->sides.tables[TK_SIDE_B]->traces};
    struct tk_samples samples[TK_SIDES] = {{0}, {0}};
    int rc = 0;
    for (int side = 0; rc == 0 && traces[TK_SIDE_B] > 0 && side < TK_SIDES; side++) {
        collect_starts(tasks, side, rule, &samples[side]);
        rc = tk_samples_check(&samples[side], err);
    }
    if (rc == 0 && traces[TK_SIDE_A] > 0 && traces[TK_SIDE_B] > 0) {
        struct tk_sample_run a = {samples[TK_SIDE_A].items, samples[TK_SIDE_A].count};
        struct tk_sample_run b = {samples[TK_SIDE_B].items, samples[TK_SIDE_B].count};
        figure.value = tk_samples_w1(&a, &b);
    }
    figure.reason = isnan(figure.value) ? "no trace on one side" : NULL;
    figure.samples = traces[TK_SIDE_A];
    if (rc == 0)
        tasks_add(tasks, &figure, (tk_str){0});
    for (int side = 0; side < TK_SIDES; side++)
        tk_samples_release(&samples[side]);
    return rc;
}

int tasks_training(struct tasks *tasks, struct tk_err *err)
{
    for (int rule = 0; rule < TK_FIGURE_RULE_COUNT; rule++) {
        int rc = measure_services(tasks, GAP, (enum tk_figure_rule)rule, err);
        if (rc == 0)
            rc = measure_services(tasks, DURATION, (enum tk_figure_rule)rule, err);
        if (rc == 0)
            rc = measure_starts(tasks, (enum tk_figure_rule)rule, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
