/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/compare.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "opendc/compare_internal.h"
#include "opendc/stats.h"

#define BIN_MS   60000.0
#define BINS_MAX ((size_t)1 << 22)
#define LAG_BINS 10
#define SHORT_MS 600000.0

const struct tk_compare_limits tk_compare_defaults = {
    .q50_percent = 5,
    .q95_percent = 10,
    .q99_percent = 20,
    .ks_p = 0.05,
    .completions_percent = 3,
    .makespan_percent = 1,
    .makespan_ms = 6000,
    .cpu_smape_percent = 5,
    .cpu_pearson = 0.95,
    .cpu_rmse_percent = 10,
    .power_pearson = 0.85,
    .power_segment_pearson = 0.90,
};

/* Figures ------------------------------------------------------------------------------------- */

void tk_compare_add(struct tk_comparison *comparison, struct tk_compare_line line)
{
    struct tk_compare_result *result = comparison->result;
    if (line.verdict == TK_VERDICT_FAIL)
        result->passed = false;
    result->lines[result->line_count++] = line;
}

void tk_compare_add_most(struct tk_comparison *comparison, struct tk_compare_line line)
{
    line.verdict = line.error <= line.limit ? TK_VERDICT_PASS : TK_VERDICT_FAIL;
    tk_compare_add(comparison, line);
}

void tk_compare_add_least(struct tk_comparison *comparison, struct tk_compare_line line)
{
    line.verdict = isnan(line.error)          ? TK_VERDICT_TOLD
                   : line.error >= line.limit ? TK_VERDICT_PASS
                                              : TK_VERDICT_FAIL;
    tk_compare_add(comparison, line);
}

void tk_compare_note(struct tk_comparison *comparison, const char *fmt, ...)
{
    struct tk_compare_result *result = comparison->result;
    if (result->note_count == TK_COMPARE_NOTES_MAX)
        return;
    va_list args;
    va_start(args, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() is above */
    (void)vsnprintf(result->notes[result->note_count++], sizeof(result->notes[0]), fmt, args);
    va_end(args);
}

static double wait_of(const struct tk_pair *task)
{
    return task->started_ms - task->submitted_ms;
}

static double sim_wait_of(const struct tk_pair *task)
{
    return task->sim_wait_ms;
}

/* A figure of all joined tasks, sorted; count of them. */
static size_t collect(const struct tk_comparison *comparison, double *values,
                      double (*get)(const struct tk_pair *task))
{
    size_t count = 0;
    for (uint32_t i = 0; i < comparison->pairs.count; i++) {
        double value = tk_pair_is_joined(&comparison->pairs.items[i])
                           ? get(&comparison->pairs.items[i])
                           : (double)NAN;
        if (isfinite(value))
            values[count++] = value;
    }
    tk_stats_sort(values, count);
    return count;
}

static void compare_waits(struct tk_comparison *comparison, double *a, double *b)
{
    const struct tk_compare_limits *limits = &comparison->options->limits;
    size_t measured = collect(comparison, a, wait_of);
    size_t simulated = collect(comparison, b, sim_wait_of);
    const struct {
        const char *name;
        double q, limit;
    } rows[] = {{"wait p50", 0.5, limits->q50_percent},
                {"wait p95", 0.95, limits->q95_percent},
                {"wait p99", 0.99, limits->q99_percent}};
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        struct tk_compare_line line = {.name = rows[i].name,
                                       .unit = "ms",
                                       .measured = tk_stats_quantile(a, measured, rows[i].q),
                                       .simulated = tk_stats_quantile(b, simulated, rows[i].q),
                                       .error_unit = "%",
                                       .limit = rows[i].limit};
        line.error = 100 * tk_stats_error(line.measured, line.simulated);
        tk_compare_add_most(comparison, line);
    }
    struct tk_ks ks = tk_stats_ks(a, measured, b, simulated);
    tk_compare_add(comparison,
                   (struct tk_compare_line){.name = "wait distribution (KS)",
                                            .unit = "",
                                            .measured = (double)NAN,
                                            .simulated = ks.distance,
                                            .error = ks.p,
                                            .error_unit = "p",
                                            .limit = limits->ks_p,
                                            .verdict = ks.p >= limits->ks_p ? TK_VERDICT_PASS
                                                                            : TK_VERDICT_FAIL});
}

struct side {
    double first_ms, last_ms; /* first submission, last end */
};

static struct side side_of(const struct tk_comparison *comparison, bool simulated)
{
    struct side side = {(double)INFINITY, -(double)INFINITY};
    for (uint32_t i = 0; i < comparison->pairs.count; i++) {
        const struct tk_pair *task = &comparison->pairs.items[i];
        if (!tk_pair_is_joined(task))
            continue;
        side.first_ms =
            fmin(side.first_ms, simulated ? task->sim_submitted_ms : task->submitted_ms);
        side.last_ms = fmax(side.last_ms, simulated ? task->sim_end_ms : task->ended_ms);
    }
    return side;
}

static void compare_makespans(struct tk_comparison *comparison, const struct side *measured,
                              const struct side *simulated)
{
    const struct tk_compare_limits *limits = &comparison->options->limits;
    struct tk_compare_line line = {.name = "makespan",
                                   .unit = "ms",
                                   .measured = measured->last_ms - measured->first_ms,
                                   .simulated = simulated->last_ms - simulated->first_ms};
    bool is_short = line.measured < SHORT_MS;
    line.error_unit = is_short ? "ms" : "%";
    line.limit = is_short ? limits->makespan_ms : limits->makespan_percent;
    line.error = is_short ? fabs(line.simulated - line.measured)
                          : 100 * tk_stats_error(line.measured, line.simulated);
    tk_compare_add_most(comparison, line);
}

static void count_done(double *done, size_t bins, double ms)
{
    size_t bin = ms > 0 ? (size_t)(ms / BIN_MS) : 0;
    if (bin < bins)
        done[bin]++;
}

static int compare_completions(struct tk_comparison *comparison, const struct side *measured,
                               const struct side *simulated, struct tk_err *err)
{
    struct tk_compare_result *result = comparison->result;
    double longest =
        fmax(measured->last_ms - measured->first_ms, simulated->last_ms - simulated->first_ms);
    if (!(longest / BIN_MS < (double)BINS_MAX))
        return tk_fail(err, -EBADMSG, "tasks end %g ms after the first submission", longest);
    result->bin_count = (size_t)(fmax(longest, 0) / BIN_MS) + 1;
    result->measured_done = calloc(result->bin_count, sizeof(double));
    result->simulated_done = calloc(result->bin_count, sizeof(double));
    if (!result->measured_done || !result->simulated_done)
        return tk_fail(err, -ENOMEM, "out of memory");
    for (uint32_t i = 0; i < comparison->pairs.count; i++) {
        const struct tk_pair *task = &comparison->pairs.items[i];
        if (!tk_pair_is_joined(task))
            continue;
        count_done(result->measured_done, result->bin_count, task->ended_ms - measured->first_ms);
        count_done(result->simulated_done, result->bin_count,
                   task->sim_end_ms - simulated->first_ms);
    }
    for (size_t i = 1; i < result->bin_count; i++) {
        result->measured_done[i] += result->measured_done[i - 1];
        result->simulated_done[i] += result->simulated_done[i - 1];
    }
    int64_t lag = 0;
    double rmse = tk_stats_rmse_lagged(result->measured_done, result->simulated_done,
                                       result->bin_count, LAG_BINS, &lag);
    tk_compare_add_most(comparison, (struct tk_compare_line){
                                        .name = "cumulative completions",
                                        .unit = "min of lag",
                                        .measured = (double)NAN,
                                        .simulated = (double)lag,
                                        .error = 100 * rmse / (double)result->joined,
                                        .error_unit = "%",
                                        .limit = comparison->options->limits.completions_percent});
    return 0;
}

static double slowdown_of(const struct tk_pair *task)
{
    double ran_ms = tk_pair_run(task);
    return ran_ms > 0 ? tk_pair_sim_run(task) / ran_ms : (double)NAN;
}

static void compare_run_times(struct tk_comparison *comparison, double *values)
{
    static const struct {
        const char *name;
        double q;
    } rows[] = {{"run time p50", 0.5}, {"run time p95", 0.95}, {"run time max", 1}};
    size_t count = collect(comparison, values, slowdown_of);
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        tk_compare_add(comparison, (struct tk_compare_line){
                                       .name = rows[i].name,
                                       .unit = "x measured",
                                       .measured = (double)NAN,
                                       .simulated = tk_stats_quantile(values, count, rows[i].q),
                                       .error = (double)NAN,
                                       .error_unit = "",
                                       .limit = (double)NAN,
                                       .verdict = TK_VERDICT_TOLD});
    }
}

/* Usage of tasks over the intervals of the simulation, all together. */
static int compare_usages(struct tk_comparison *comparison, struct tk_err *err)
{
    const struct tk_pairs *pairs = &comparison->pairs;
    double *a = malloc(((size_t)pairs->usage_count + 1) * sizeof(*a));
    double *b = malloc(((size_t)pairs->usage_count + 1) * sizeof(*b));
    size_t count = 0;
    for (uint32_t i = 0; a && b && i < pairs->usage_count; i++) {
        const struct tk_usage *usage = &pairs->usages[i];
        if (!tk_pair_is_joined(&pairs->items[usage->pair]) || !isfinite(usage->simulated_mhz))
            continue;
        a[count] = usage->measured_mhz;
        b[count++] = usage->simulated_mhz;
    }
    int rc = a && b ? 0 : tk_fail(err, -ENOMEM, "out of memory");
    if (rc == 0 && count == 0) {
        tk_compare_note(comparison,
                        "CPU of tasks: no two rows of a running task in the simulation: export "
                        "shorter intervals, with timestamp and cpu_usage");
    } else if (rc == 0) {
        tk_compare_add_courses(comparison,
                               &(struct tk_courses_compared){
                                   {"CPU of tasks, sMAPE", "CPU of tasks, r", "CPU of tasks, RMSE"},
                                   "MHz",
                                   a,
                                   b,
                                   count});
    }
    free(a);
    free(b);
    return rc;
}

void tk_compare_add_courses(struct tk_comparison *comparison,
                            const struct tk_courses_compared *courses)
{
    const struct tk_compare_limits *limits = &comparison->options->limits;
    struct tk_compare_line line = {
        .name = courses->names[0],
        .unit = courses->unit,
        .measured = tk_stats_mean(courses->a, courses->count),
        .simulated = tk_stats_mean(courses->b, courses->count),
        .error = tk_stats_smape(courses->a, courses->b, courses->count),
        .error_unit = "%",
        .limit = limits->cpu_smape_percent,
    };
    double rmse = tk_stats_rmse(courses->a, courses->b, courses->count);
    double pearson = tk_stats_pearson(courses->a, courses->b, courses->count);
    if (isnan(line.error))
        line.error = 0; /* all are zero */
    tk_compare_add_most(comparison, line);
    line.name = courses->names[1];
    line.measured = line.simulated = (double)NAN;
    line.error = pearson;
    line.error_unit = "r";
    line.limit = limits->cpu_pearson;
    tk_compare_add_least(comparison, line);
    tk_stats_sort(courses->a, courses->count);
    tk_stats_sort(courses->b, courses->count);
    line.name = courses->names[2];
    line.measured = tk_stats_quantile(courses->a, courses->count, 0.5);
    line.simulated = tk_stats_quantile(courses->b, courses->count, 0.5);
    line.error = rmse > 0 ? 100 * rmse / line.simulated : 0;
    line.error_unit = "% of median";
    line.limit = limits->cpu_rmse_percent;
    tk_compare_add_most(comparison, line);
}

static void count_tasks(struct tk_comparison *comparison)
{
    struct tk_compare_result *result = comparison->result;
    for (uint32_t i = 0; i < comparison->pairs.count; i++) {
        const struct tk_pair *task = &comparison->pairs.items[i];
        bool is_measured = !isnan(task->submitted_ms);
        result->joined += tk_pair_is_joined(task);
        result->only_measured += is_measured && !task->is_simulated;
        result->only_simulated += !is_measured;
        result->terminated += task->is_simulated && task->state == TK_PAIR_TERMINATED;
        result->unfinished += task->is_simulated && task->state == TK_PAIR_UNFINISHED;
    }
}

static int compare(struct tk_comparison *comparison, struct tk_err *err)
{
    count_tasks(comparison);
    if (comparison->result->joined == 0)
        return tk_fail(err, -ENODATA, "no task was both measured and completed");
    double *a = malloc(((size_t)comparison->pairs.count + 1) * sizeof(*a));
    double *b = malloc(((size_t)comparison->pairs.count + 1) * sizeof(*b));
    int rc = -ENOMEM;
    if (a && b) {
        const struct side measured = side_of(comparison, false);
        const struct side simulated = side_of(comparison, true);
        compare_waits(comparison, a, b);
        rc = compare_completions(comparison, &measured, &simulated, err);
        compare_makespans(comparison, &measured, &simulated);
        compare_run_times(comparison, a);
        rc = rc < 0 ? rc : compare_usages(comparison, err);
        rc = rc < 0 ? rc : tk_compare_hosts(comparison, err);
    } else {
        (void)tk_fail(err, rc, "out of memory");
    }
    free(a);
    free(b);
    return rc;
}

int tk_opendc_compare(const struct tk_compare_options *options,
                      struct tk_compare_result *ret_result, struct tk_err *err)
{
    struct tk_compare_result result = {.passed = true};
    struct tk_comparison comparison = {.options = options, .result = &result};
    const struct tk_pairs_options measured = {options->measured, options->node, options->workload};
    int rc = tk_pairs_find_output(options->simulated, result.simulated, err);
    rc = rc < 0 ? rc : tk_pairs_read_measured(&comparison.pairs, &measured, err);
    rc = rc < 0 ? rc : tk_pairs_read_simulated(&comparison.pairs, result.simulated, err);
    rc = rc < 0 ? rc : compare(&comparison, err);
    tk_pairs_release(&comparison.pairs);
    if (rc < 0) {
        tk_compare_release(&result);
        return rc;
    }
    *ret_result = result;
    return 0;
}

void tk_compare_release(struct tk_compare_result *result)
{
    free(result->measured_done);
    free(result->simulated_done);
    *result = (struct tk_compare_result){0};
}
