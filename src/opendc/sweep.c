/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "opendc/frame.h"
#include "opendc/pairs.h"
#include "opendc/stats.h"

#define DEPTH_MAX 5

const struct tk_sweep_figure_about tk_sweep_figures[TK_SWEEP_FIGURES] = {
    [TK_SWEEP_WAIT_P95] = {"wait_p95", "ms", false},
    [TK_SWEEP_WAIT_MEAN] = {"wait_mean", "ms", false},
    [TK_SWEEP_TURNAROUND_P95] = {"turnaround_p95", "ms", false},
    [TK_SWEEP_TURNAROUND_MEAN] = {"turnaround_mean", "ms", false},
    [TK_SWEEP_MAKESPAN] = {"makespan", "ms", false},
    [TK_SWEEP_ENERGY] = {"energy_per_task", "J", false},
    [TK_SWEEP_UTILISATION] = {"utilisation", "%", true},
};

void tk_sweep_release(struct tk_sweep *sweep)
{
    free(sweep->items);
    *sweep = (struct tk_sweep){0};
}

int tk_sweep_criterion_parse(const char *text, struct tk_sweep_criterion *ret, struct tk_err *err)
{
    size_t length = strcspn(text, ":");
    size_t i = 0;
    while (i < TK_SWEEP_FIGURES && (strlen(tk_sweep_figures[i].name) != length ||
                                    strncmp(text, tk_sweep_figures[i].name, length) != 0))
        i++;
    if (i == TK_SWEEP_FIGURES) {
        return tk_fail(err, -EINVAL,
                       "'%s' is no criterion: expected NAME[:asc|desc[:WEIGHT]], NAME one of "
                       "wait_p95, wait_mean, turnaround_p95, turnaround_mean, makespan, "
                       "energy_per_task, utilisation",
                       text);
    }
    struct tk_sweep_criterion criterion = {(enum tk_sweep_figure)i,
                                           tk_sweep_figures[i].is_more_better, 1};
    const char *rest = text + length;
    if (*rest == ':') {
        length = strcspn(rest + 1, ":");
        tk_str direction = {rest + 1, length};
        criterion.is_more_better = tk_str_eq(direction, TK_STR("desc"));
        if (!criterion.is_more_better && !tk_str_eq(direction, TK_STR("asc")))
            return tk_fail(err, -EINVAL, "'%s': expected asc or desc after the name", text);
        rest += length + 1;
    }
    if (*rest == ':' && (!tk_parse_f64(tk_str_from(rest + 1), &criterion.weight) ||
                         !isfinite(criterion.weight) || criterion.weight <= 0))
        return tk_fail(err, -EINVAL, "'%s': the weight is no number above 0", text);
    *ret = criterion;
    return 0;
}

/* Reading -------------------------------------------------------------------------------------- */

/* Figures of the completed tasks; `values` is for two of each. 0 = there is none. */
static size_t set_task_figures(struct tk_sweep_scenario *seed, const struct tk_pairs *pairs,
                               double *values)
{
    double *waits = values;
    double *turnarounds = values + pairs->count;
    double first_ms = (double)INFINITY;
    double last_ms = -(double)INFINITY;
    size_t count = 0;
    for (uint32_t i = 0; i < pairs->count; i++) {
        const struct tk_pair *pair = &pairs->items[i];
        seed->terminated += pair->state == TK_PAIR_TERMINATED;
        seed->unfinished += pair->state == TK_PAIR_UNFINISHED;
        if (pair->state != TK_PAIR_COMPLETED)
            continue;
        waits[count] = pair->sim_wait_ms;
        turnarounds[count++] = pair->sim_end_ms - pair->sim_submitted_ms;
        first_ms = fmin(first_ms, pair->sim_submitted_ms);
        last_ms = fmax(last_ms, pair->sim_end_ms);
    }
    tk_stats_sort(waits, count);
    tk_stats_sort(turnarounds, count);
    seed->tasks = (double)count;
    seed->figures[TK_SWEEP_WAIT_P95] = tk_stats_quantile(waits, count, 0.95);
    seed->figures[TK_SWEEP_WAIT_MEAN] = tk_stats_mean(waits, count);
    seed->figures[TK_SWEEP_TURNAROUND_P95] = tk_stats_quantile(turnarounds, count, 0.95);
    seed->figures[TK_SWEEP_TURNAROUND_MEAN] = tk_stats_mean(turnarounds, count);
    seed->figures[TK_SWEEP_MAKESPAN] = last_ms - first_ms;
    return count;
}

static int read_tasks(const char *folder, struct tk_sweep_scenario *seed, struct tk_err *err)
{
    TK_CLEANUP(tk_pairs_release) struct tk_pairs pairs = {0};
    int rc = tk_pairs_read_simulated(&pairs, folder, err);
    if (rc < 0)
        return rc;
    double *values = malloc(((size_t)pairs.count + 1) * 2 * sizeof(*values));
    if (!values)
        return tk_fail(err, -ENOMEM, "out of memory");
    if (set_task_figures(seed, &pairs, values) == 0)
        rc = tk_fail(err, -ENODATA, "%s: no task was completed", folder);
    free(values);
    return rc;
}

/* Energy and utilisation of a seed; NaN where there is no host.parquet or it lacks the column. */
static int read_hosts(int dirfd, struct tk_sweep_scenario *seed, struct tk_err *err)
{
    enum { ENERGY, USAGE, CAPACITY, WANTS };
    static const struct tk_frame_want wants[WANTS] = {[ENERGY] = {"energy_usage", TK_FRAME_F64},
                                                      [USAGE] = {"cpu_usage", TK_FRAME_F64},
                                                      [CAPACITY] = {"cpu_capacity", TK_FRAME_F64}};
    TK_CLEANUP(tk_frame_freep) struct tk_frame *frame = NULL;
    int rc = tk_frame_new(dirfd, "host.parquet", wants, WANTS, &frame, err);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    double sums[WANTS] = {0};
    while ((rc = tk_frame_next(frame, err)) == 0) {
        for (size_t row = 0; row < frame->rows; row++) {
            for (size_t i = 0; i < WANTS; i++)
                sums[i] += frame->columns[i].has[row] ? frame->columns[i].f64[row] : 0;
        }
    }
    if (frame->columns[ENERGY].is_there)
        seed->figures[TK_SWEEP_ENERGY] = sums[ENERGY] / seed->tasks;
    if (frame->columns[USAGE].is_there && sums[CAPACITY] > 0)
        seed->figures[TK_SWEEP_UTILISATION] = 100 * sums[USAGE] / sums[CAPACITY];
    return rc < 0 ? rc : 0;
}

/* The scenario of a path; added when there is none. */
static struct tk_sweep_scenario *scenario_of(struct tk_sweep *sweep, tk_str path,
                                             struct tk_err *err)
{
    for (size_t i = 0; i < sweep->count; i++) {
        if (tk_str_eq(tk_str_from(sweep->items[i].path), path))
            return &sweep->items[i];
    }
    if (sweep->count == sweep->cap) {
        size_t cap = sweep->cap ? sweep->cap * 2 : 16;
        struct tk_sweep_scenario *items = realloc(sweep->items, cap * sizeof(*items));
        if (!items) {
            (void)tk_fail(err, -ENOMEM, "out of memory");
            return NULL;
        }
        sweep->items = items;
        sweep->cap = cap;
    }
    struct tk_sweep_scenario *scenario = &sweep->items[sweep->count++];
    *scenario = (struct tk_sweep_scenario){0};
    (void)snprintf(scenario->path, sizeof(scenario->path), "%.*s", TK_STR_ARG(path));
    return scenario;
}

static void add_mean(double *mean, double value, int64_t count)
{
    *mean += (value - *mean) / (double)count;
}

/* The path without "seed=N" at its end. */
static tk_str scenario_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    bool is_seed = slash && slash > path && strncmp(name, "seed=", 5) == 0;
    return is_seed ? (tk_str){path, (size_t)(slash - path)} : tk_str_from(path);
}

static int add_seed(struct tk_sweep *sweep, const char *path, struct tk_err *err)
{
    struct tk_sweep_scenario seed = {0};
    seed.figures[TK_SWEEP_ENERGY] = seed.figures[TK_SWEEP_UTILISATION] = (double)NAN;
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    int rc = tk_dir_open(AT_FDCWD, path, &dirfd, err);
    rc = rc < 0 ? rc : read_tasks(path, &seed, err);
    if (rc < 0)
        return rc;
    rc = read_hosts(dirfd, &seed, err);
    if (rc < 0)
        return tk_err_prefix(err, "%s", path);
    struct tk_sweep_scenario *scenario = scenario_of(sweep, scenario_path(path), err);
    if (!scenario)
        return err->code;
    scenario->seeds++;
    add_mean(&scenario->tasks, seed.tasks, scenario->seeds);
    add_mean(&scenario->terminated, seed.terminated, scenario->seeds);
    add_mean(&scenario->unfinished, seed.unfinished, scenario->seeds);
    for (size_t i = 0; i < TK_SWEEP_FIGURES; i++)
        add_mean(&scenario->figures[i], seed.figures[i], scenario->seeds);
    return 0;
}

static int is_folder(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && entry->d_type == DT_DIR;
}

/* NOLINTNEXTLINE(misc-no-recursion): at most DEPTH_MAX deep */
static int add_below(struct tk_sweep *sweep, const char *path, int depth, struct tk_err *err)
{
    char below[PATH_MAX];
    int n = snprintf(below, sizeof(below), "%s/task.parquet", path);
    if (n < (int)sizeof(below) && access(below, F_OK) == 0)
        return add_seed(sweep, path, err);
    if (depth == DEPTH_MAX)
        return 0;
    struct dirent **entries;
    int count = scandir(path, &entries, is_folder, versionsort);
    if (count < 0)
        return tk_fail_errno(err, "%s", path);
    int rc = 0;
    for (int i = 0; i < count; i++) {
        n = snprintf(below, sizeof(below), "%s/%s", path, entries[i]->d_name);
        if (rc == 0 && n < (int)sizeof(below))
            rc = add_below(sweep, below, depth + 1, err);
        free(entries[i]);
    }
    free((void *)entries);
    return rc;
}

int tk_sweep_add(struct tk_sweep *sweep, const char *path, struct tk_err *err)
{
    size_t before = sweep->count;
    int rc = add_below(sweep, path, 0, err);
    if (rc == 0 && sweep->count == before)
        rc = tk_fail(err, -ENOENT, "%s: no task.parquet here nor below", path);
    return rc;
}

/* Ranking -------------------------------------------------------------------------------------- */

/* What is to be small: the figure, or less than nothing of it; the worst where it is not known. */
static double cost_of(const struct tk_sweep_scenario *scenario,
                      const struct tk_sweep_criterion *criterion)
{
    double value = scenario->figures[criterion->figure];
    if (isnan(value))
        return (double)INFINITY;
    return criterion->is_more_better ? -value : value;
}

/* Share of the way from the best to the worst scenario. */
static int add_scores(struct tk_sweep *sweep, const struct tk_sweep_criterion *criterion,
                      double weight, struct tk_err *err)
{
    double best = (double)INFINITY;
    double worst = -(double)INFINITY;
    for (size_t i = 0; i < sweep->count; i++) {
        double cost = cost_of(&sweep->items[i], criterion);
        if (!isfinite(cost))
            continue;
        best = fmin(best, cost);
        worst = fmax(worst, cost);
    }
    if (isinf(best)) {
        return tk_fail(err, -ENODATA, "%s: no scenario has it: its host.parquet is missing",
                       tk_sweep_figures[criterion->figure].name);
    }
    for (size_t i = 0; i < sweep->count; i++) {
        double cost = cost_of(&sweep->items[i], criterion);
        double share = worst > best ? (cost - best) / (worst - best) : 0;
        sweep->items[i].score += weight * (isinf(cost) ? 1 : share);
    }
    return 0;
}

static bool beats(const struct tk_sweep_scenario *a, const struct tk_sweep_scenario *b,
                  const struct tk_sweep_criterion *criteria, size_t count)
{
    bool is_better = false;
    for (size_t i = 0; i < count; i++) {
        double cost_a = cost_of(a, &criteria[i]);
        double cost_b = cost_of(b, &criteria[i]);
        if (cost_a > cost_b)
            return false;
        is_better = is_better || cost_a < cost_b;
    }
    return is_better;
}

/* One that is of no front yet, or of this one, beats it. */
static bool is_beaten(const struct tk_sweep *sweep, const struct tk_sweep_scenario *at,
                      size_t front, const struct tk_sweep_criterion *criteria, size_t count)
{
    for (size_t i = 0; i < sweep->count; i++) {
        const struct tk_sweep_scenario *other = &sweep->items[i];
        bool is_rest = other->rank == 0 || other->rank == front;
        if (is_rest && beats(other, at, criteria, count))
            return true;
    }
    return false;
}

/* Front by front: those that none of the rest beats. */
static void rank_pareto(struct tk_sweep *sweep, const struct tk_sweep_criterion *criteria,
                        size_t count)
{
    size_t left = sweep->count;
    for (size_t front = 1; left > 0; front++) {
        for (size_t i = 0; i < sweep->count; i++) {
            struct tk_sweep_scenario *at = &sweep->items[i];
            if (at->rank > 0 || is_beaten(sweep, at, front, criteria, count))
                continue;
            at->rank = front;
            left--;
        }
    }
}

static int compare_lex(const struct tk_sweep_scenario *a, const struct tk_sweep_scenario *b,
                       const struct tk_sweep_criterion *criteria, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double cost_a = cost_of(a, &criteria[i]);
        double cost_b = cost_of(b, &criteria[i]);
        if (cost_a != cost_b)
            return cost_a < cost_b ? -1 : 1;
    }
    return 0;
}

/* One more than there are better ones. */
static void rank_ordered(struct tk_sweep *sweep, enum tk_sweep_order order,
                         const struct tk_sweep_criterion *criteria, size_t count)
{
    for (size_t i = 0; i < sweep->count; i++) {
        struct tk_sweep_scenario *at = &sweep->items[i];
        at->rank = 1;
        for (size_t k = 0; k < sweep->count; k++) {
            const struct tk_sweep_scenario *other = &sweep->items[k];
            at->rank += order == TK_ORDER_SUM ? other->score < at->score
                                              : compare_lex(other, at, criteria, count) < 0;
        }
    }
}

static int compare_ranks(const void *a, const void *b)
{
    const struct tk_sweep_scenario *first = a;
    const struct tk_sweep_scenario *second = b;
    if (first->rank != second->rank)
        return first->rank < second->rank ? -1 : 1;
    if (first->score != second->score)
        return first->score < second->score ? -1 : 1;
    return strverscmp(first->path, second->path);
}

int tk_sweep_rank(struct tk_sweep *sweep, enum tk_sweep_order order,
                  const struct tk_sweep_criterion *criteria, size_t count, struct tk_err *err)
{
    double weights = 0;
    for (size_t i = 0; i < count; i++)
        weights += criteria[i].weight;
    for (size_t i = 0; i < sweep->count; i++)
        sweep->items[i].score = 0;
    for (size_t i = 0; i < count; i++) {
        int rc = add_scores(sweep, &criteria[i], criteria[i].weight / weights, err);
        if (rc < 0)
            return rc;
    }
    for (size_t i = 0; i < sweep->count; i++)
        sweep->items[i].rank = 0;
    if (order == TK_ORDER_PARETO) {
        rank_pareto(sweep, criteria, count);
    } else {
        rank_ordered(sweep, order, criteria, count);
    }
    qsort(sweep->items, sweep->count, sizeof(*sweep->items), compare_ranks);
    return 0;
}
