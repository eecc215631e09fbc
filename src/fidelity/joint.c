/* SPDX-License-Identifier: Apache-2.0 */
/* Joint structure: what marginals do not show (trace-fidelity.md section 10). What B has often
 * enough and A lacks counts as the worst. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "fidelity/joint_internal.h"
#include "fidelity/tasks.h"

#define TRIGGER_WINDOW_NS (10 * 1000000000LL)

void joint_add(const struct joint *joint, const char *name, enum tk_figure_sense sense,
               const struct tk_mean *mean, const char *reason)
{
    tk_figures_add(joint->figures, &(struct tk_figure){.group = "joint",
                                                       .name = name,
                                                       .sense = sense,
                                                       .value = tk_mean_of(mean),
                                                       .reason = mean->count > 0 ? NULL : reason,
                                                       .samples = mean->count});
}

/* Durations of spans without a parent by (service, operation). */
static void collect_entries(const struct joint *joint, int side, struct tk_cells *cells,
                            struct tk_samples *samples)
{
    const struct tk_span_table *table = joint->sides.tables[side];
    uint32_t trace = 0;
    for (uint32_t row = 0; row < table->rows; row++) {
        trace += row == table->trace_ends[trace];
        if (table->parents[row] != TK_ROW_TOP)
            continue;
        const struct tk_cell_key key = {{joint_operation(joint, side, row)}};
        tk_samples_add(samples, tk_cells_add(cells, &key, side, 1), (double)table->duration_ns[row],
                       tk_sides_weight(&joint->sides, side, trace, TK_FIGURE_STRICT));
    }
    tk_samples_sort(samples);
}

/* |a - b| / b, at most 1. */
static double relative_error(double a, double b)
{
    if (a == b)
        return 0;
    return b > 0 ? fmin(fabs(a - b) / b, 1) : 1;
}

static const struct {
    const char *name;
    double q;
    size_t least;
} tails[] = {{"tail_p99", 0.99, LEAST_P99}, {"tail_p99_9", 0.999, LEAST_P999}};

static void compare_tails(const struct tk_cells *cells, const struct tk_samples samples[TK_SIDES],
                          struct tk_mean means[TK_COUNTOF(tails)])
{
    size_t at[TK_SIDES] = {0, 0};
    for (uint32_t cell = 0; cell < cells->count; cell++) {
        struct tk_sample_run a = tk_samples_of(&samples[TK_SIDE_A], cell, &at[TK_SIDE_A]);
        struct tk_sample_run b = tk_samples_of(&samples[TK_SIDE_B], cell, &at[TK_SIDE_B]);
        for (size_t i = 0; i < TK_COUNTOF(tails); i++) {
            if (b.count < tails[i].least)
                continue;
            tk_mean_add(&means[i], a.count > 0 ? relative_error(tk_samples_quantile(&a, tails[i].q),
                                                                tk_samples_quantile(&b, tails[i].q))
                                               : 1);
        }
    }
}

int joint_tails(const struct joint *joint, struct tk_err *err)
{
    struct tk_cells cells = {0};
    struct tk_samples samples[TK_SIDES] = {{0}, {0}};
    int rc = 0;
    for (int side = 0; rc == 0 && side < TK_SIDES; side++) {
        collect_entries(joint, side, &cells, &samples[side]);
        rc = tk_samples_check(&samples[side], err);
    }
    if (rc == 0)
        rc = tk_cells_check(&cells, err);
    struct tk_mean means[TK_COUNTOF(tails)] = {{0}, {0}};
    if (rc == 0)
        compare_tails(&cells, samples, means);
    for (size_t i = 0; rc == 0 && i < TK_COUNTOF(tails); i++) {
        joint_add(joint, tails[i].name, TK_FIGURE_DISTANCE, &means[i],
                  "no entry operation with enough spans");
    }
    tk_cells_release(&cells);
    for (int side = 0; side < TK_SIDES; side++)
        tk_samples_release(&samples[side]);
    return rc;
}

int joint_sizes(const struct joint *joint, struct tk_err *err)
{
    struct tk_samples samples[TK_SIDES] = {{0}, {0}};
    int rc = 0;
    for (int side = 0; rc == 0 && side < TK_SIDES; side++) {
        const struct tk_span_table *table = joint->sides.tables[side];
        for (uint32_t trace = 0; trace < table->traces; trace++) {
            tk_samples_add(&samples[side], 0,
                           table->trace_ends[trace] - tk_span_table_begin(table, trace),
                           tk_sides_weight(&joint->sides, side, trace, TK_FIGURE_STRICT));
        }
        tk_samples_sort(&samples[side]);
        rc = tk_samples_check(&samples[side], err);
    }
    struct tk_sample_run a = {samples[TK_SIDE_A].items, samples[TK_SIDE_A].count};
    struct tk_sample_run b = {samples[TK_SIDE_B].items, samples[TK_SIDE_B].count};
    struct tk_mean mean = {0};
    if (rc == 0 && a.count > 0 && b.count > 0)
        tk_mean_add(&mean, tk_samples_w1(&a, &b));
    if (rc == 0)
        joint_add(joint, "tree_size", TK_FIGURE_DISTANCE, &mean, "no trace on one side");
    for (int side = 0; side < TK_SIDES; side++)
        tk_samples_release(&samples[side]);
    return rc;
}

int joint_trigger(const struct joint *joint, struct tk_err *err)
{
    struct tk_mean mean = {0};
    uint64_t keys;
    double f1;
    int rc = tk_trigger_f1(&joint->sides, TRIGGER_WINDOW_NS, &f1, &keys, err);
    if (rc == 0 && keys > 0)
        mean = (struct tk_mean){f1, 1};
    if (rc == 0)
        joint_add(joint, "trigger", TK_FIGURE_SCORE, &mean, "no edge on either side");
    return rc;
}

static const struct {
    int (*run)(const struct joint *joint, struct tk_err *err);
} parts[] = {{joint_edges}, {joint_critical}, {joint_tails},
             {joint_sizes}, {joint_shapes},   {joint_trigger}};

static int joint_measure(const struct tk_span_table *a, const struct tk_span_table *b,
                         const struct tk_measure_options *options, struct tk_figures *figures,
                         struct tk_err *err)
{
    struct joint joint = {.figures = figures};
    int rc = tk_sides_init(&joint.sides, a, b, options, err);
    for (size_t i = 0; rc == 0 && i < TK_COUNTOF(parts); i++)
        rc = parts[i].run(&joint, err);
    tk_sides_release(&joint.sides);
    return rc < 0 ? rc : tk_figures_check(figures, err);
}

const struct tk_measure tk_measure_joint = {
    .name = "joint",
    .help = "correlation of parents and children, critical paths, tails, shapes",
    .measure = joint_measure,
};
