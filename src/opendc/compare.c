/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/compare.h"

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
#include "base/map.h"
#include "base/number.h"
#include "opendc/frame.h"
#include "opendc/stats.h"
#include "opendc/task_map.h"
#include "run/run.h"

#define DEPTH_MAX 5
#define EPOCH_FROM_MS                                                                              \
    100000000000.0 /* a time above counts from 1970, one below from the first task */
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
};

/* A task on both sides; NaN = that side does not have it. */
struct task {
    double submitted_ms, started_ms, ended_ms; /* measured, epoch */
    double sim_submitted_ms, sim_wait_ms, sim_ended_ms;
    enum { UNFINISHED, COMPLETED, TERMINATED } state;
    bool is_simulated;
};

struct comparison {
    const struct tk_compare_options *options;
    struct tk_compare_result *result;
    struct tk_map by_id;
    struct task *tasks;
    uint32_t count, cap;
};

static struct task *task_of(struct comparison *comparison, int64_t id, bool may_add,
                            struct tk_err *err)
{
    uint32_t index;
    if (tk_map_find(&comparison->by_id, (uint64_t)id, &index))
        return &comparison->tasks[index];
    if (!may_add)
        return NULL;
    if (comparison->count == comparison->cap) {
        uint32_t cap = comparison->cap ? comparison->cap * 2 : 1024;
        struct task *tasks = realloc(comparison->tasks, cap * sizeof(*tasks));
        if (!tasks) {
            (void)tk_fail(err, -ENOMEM, "out of memory");
            return NULL;
        }
        comparison->tasks = tasks;
        comparison->cap = cap;
    }
    if (tk_map_add(&comparison->by_id, (uint64_t)id, comparison->count) < 0) {
        (void)tk_fail(err, -ENOMEM, "out of memory");
        return NULL;
    }
    struct task *task = &comparison->tasks[comparison->count++];
    *task = (struct task){.submitted_ms = (double)NAN, .sim_submitted_ms = (double)NAN};
    return task;
}

/* Measured ---------------------------------------------------------------------------------- */

static int take_measured(struct comparison *comparison, const struct tk_batch *batch, size_t row,
                         struct tk_err *err)
{
    struct task *task =
        task_of(comparison, tk_batch_i64(batch, row, TK_TASK_MAP_ID, -1), true, err);
    if (!task)
        return err->code;
    task->submitted_ms = (double)tk_batch_i64(batch, row, TK_TASK_MAP_TS_ENQUEUE, 0);
    task->started_ms = (double)tk_batch_i64(batch, row, TK_TASK_MAP_TS_START, 0);
    task->ended_ms = (double)tk_batch_i64(batch, row, TK_TASK_MAP_TS_END, 0);
    return 0;
}

static int read_measured(struct comparison *comparison, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    int rc = tk_dir_open(AT_FDCWD, comparison->options->measured, &dirfd, err);
    if (rc < 0)
        return rc;
    struct tk_run_reader *reader;
    rc = tk_run_reader_new(dirfd, TK_TASK_MAP_FILE, &tk_schema_task_map, &reader, err);
    if (rc < 0)
        return tk_err_prefix(err, "%s", comparison->options->measured);
    const struct tk_batch *batch;
    while ((rc = tk_run_reader_next(reader, &batch, err)) == 0) {
        for (size_t row = 0; rc == 0 && row < batch->rows; row++)
            rc = take_measured(comparison, batch, row, err);
        if (rc < 0)
            break;
    }
    tk_run_reader_free(reader);
    return rc < 0 ? rc : 0;
}

/* Simulated --------------------------------------------------------------------------------- */

enum { ID, SUBMISSION, SCHEDULE, FINISH, DELAY, STATE, WANTS };

static const struct tk_frame_want wants[WANTS] = {
    [ID] = {"task_id", TK_FRAME_TEXT},
    [SUBMISSION] = {"submission_time", TK_FRAME_F64},
    [SCHEDULE] = {"schedule_time", TK_FRAME_F64},
    [FINISH] = {"finish_time", TK_FRAME_F64},
    [DELAY] = {"scheduling_delay", TK_FRAME_F64},
    [STATE] = {"task_state", TK_FRAME_TEXT},
};

/* A row per task and interval: the last one counts. */
static int take_simulated(struct comparison *comparison, const struct tk_frame *frame, size_t row,
                          struct tk_err *err)
{
    const struct tk_frame_column *columns = frame->columns;
    tk_str text = columns[STATE].text[row];
    int64_t id;
    if (!tk_parse_i64(columns[ID].text[row], &id)) {
        return tk_fail(err, -EBADMSG, "task_id '%.*s' is none of an export",
                       TK_STR_ARG(columns[ID].text[row]));
    }
    struct task *task = task_of(comparison, id, true, err);
    if (!task)
        return err->code;
    task->is_simulated = true;
    task->sim_submitted_ms = columns[SUBMISSION].f64[row];
    task->sim_ended_ms = columns[FINISH].f64[row];
    task->sim_wait_ms = columns[DELAY].has[row] ? columns[DELAY].f64[row] : (double)NAN;
    /* Without a delay it is the schedule, less the submission once that is known. */
    if (isnan(task->sim_wait_ms))
        task->sim_wait_ms = columns[SCHEDULE].f64[row];
    task->state = tk_str_eq(text, TK_STR("COMPLETED"))    ? COMPLETED
                  : tk_str_eq(text, TK_STR("TERMINATED")) ? TERMINATED
                                                          : UNFINISHED;
    return 0;
}

/* Submissions count from the first one; in some versions from 1970, though all else does not. */
static void align(struct comparison *comparison, bool has_delay)
{
    double first_ms = (double)INFINITY;
    for (uint32_t i = 0; i < comparison->count; i++)
        first_ms = fmin(first_ms, comparison->tasks[i].sim_submitted_ms);
    for (uint32_t i = 0; i < comparison->count; i++) {
        struct task *task = &comparison->tasks[i];
        if (first_ms > EPOCH_FROM_MS)
            task->sim_submitted_ms -= first_ms;
        if (!has_delay)
            task->sim_wait_ms -= task->sim_submitted_ms;
    }
}

static int read_simulated(struct comparison *comparison, const char *folder, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    TK_CLEANUP(tk_frame_freep) struct tk_frame *frame = NULL;
    int rc = tk_dir_open(AT_FDCWD, folder, &dirfd, err);
    rc = rc < 0 ? rc : tk_frame_new(dirfd, "task.parquet", wants, WANTS, &frame, err);
    if (rc < 0)
        return tk_err_prefix(err, "%s", folder);
    for (size_t i = 0; i < WANTS; i++) {
        if (!frame->columns[i].is_there && i != DELAY)
            return tk_fail(err, -EBADMSG, "%s/task.parquet: no column %s", folder, wants[i].path);
    }
    while ((rc = tk_frame_next(frame, err)) == 0) {
        for (size_t row = 0; row < frame->rows; row++) {
            rc = take_simulated(comparison, frame, row, err);
            if (rc < 0)
                return rc;
        }
    }
    if (rc < 0)
        return tk_err_prefix(err, "%s", folder);
    align(comparison, frame->columns[DELAY].is_there);
    return 0;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Find the only folder with a task.parquet; a second one is an error that names both. */
/* NOLINTNEXTLINE(misc-no-recursion): at most DEPTH_MAX deep */
static int find_output(const char *path, int depth, char found[PATH_MAX], struct tk_err *err)
{
    char below[PATH_MAX];
    (void)snprintf(below, sizeof(below), "%s/task.parquet", path);
    if (access(below, F_OK) == 0) {
        if (found[0]) {
            return tk_fail(err, -EEXIST, "%s and %s: several scenarios or seeds, name one", found,
                           path);
        }
        (void)snprintf(found, PATH_MAX, "%s", path);
        return 0;
    }
    struct dirent **entries;
    int count = depth < DEPTH_MAX ? scandir(path, &entries, is_visible, alphasort) : 0;
    int rc = 0;
    for (int i = 0; i < count; i++) {
        int n = snprintf(below, sizeof(below), "%s/%s", path, entries[i]->d_name);
        if (rc == 0 && n < (int)sizeof(below) && entries[i]->d_type == DT_DIR)
            rc = find_output(below, depth + 1, found, err);
        free(entries[i]);
    }
    if (count >= 0 && depth < DEPTH_MAX)
        free((void *)entries);
    return rc;
}

/* Figures ------------------------------------------------------------------------------------- */

static void add_line(struct tk_compare_result *result, struct tk_compare_line line)
{
    if (line.verdict == TK_VERDICT_FAIL)
        result->passed = false;
    result->lines[result->line_count++] = line;
}

/* A line that passes up to its limit. */
static void add_limited(struct tk_compare_result *result, struct tk_compare_line line)
{
    line.verdict = line.error <= line.limit ? TK_VERDICT_PASS : TK_VERDICT_FAIL;
    add_line(result, line);
}

static bool is_joined(const struct task *task)
{
    return task->state == COMPLETED && !isnan(task->submitted_ms);
}

static double wait_of(const struct task *task)
{
    return task->started_ms - task->submitted_ms;
}

static double sim_wait_of(const struct task *task)
{
    return task->sim_wait_ms;
}

/* A figure of all joined tasks, sorted; count of them. */
static size_t collect(const struct comparison *comparison, double *values,
                      double (*get)(const struct task *task))
{
    size_t count = 0;
    for (uint32_t i = 0; i < comparison->count; i++) {
        double value = is_joined(&comparison->tasks[i]) ? get(&comparison->tasks[i]) : (double)NAN;
        if (isfinite(value))
            values[count++] = value;
    }
    tk_stats_sort(values, count);
    return count;
}

static void compare_waits(struct comparison *comparison, double *a, double *b)
{
    const struct tk_compare_limits *limits = &comparison->options->limits;
    struct tk_compare_result *result = comparison->result;
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
        add_limited(result, line);
    }
    struct tk_ks ks = tk_stats_ks(a, measured, b, simulated);
    add_line(result, (struct tk_compare_line){.name = "wait distribution (KS)",
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

static struct side side_of(const struct comparison *comparison, bool simulated)
{
    struct side side = {(double)INFINITY, -(double)INFINITY};
    for (uint32_t i = 0; i < comparison->count; i++) {
        const struct task *task = &comparison->tasks[i];
        if (!is_joined(task))
            continue;
        side.first_ms =
            fmin(side.first_ms, simulated ? task->sim_submitted_ms : task->submitted_ms);
        side.last_ms = fmax(side.last_ms, simulated ? task->sim_ended_ms : task->ended_ms);
    }
    return side;
}

static void compare_makespans(struct comparison *comparison, const struct side *measured,
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
    add_limited(comparison->result, line);
}

static void count_done(double *done, size_t bins, double ms)
{
    size_t bin = ms > 0 ? (size_t)(ms / BIN_MS) : 0;
    if (bin < bins)
        done[bin]++;
}

static int compare_completions(struct comparison *comparison, const struct side *measured,
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
    for (uint32_t i = 0; i < comparison->count; i++) {
        const struct task *task = &comparison->tasks[i];
        if (!is_joined(task))
            continue;
        count_done(result->measured_done, result->bin_count, task->ended_ms - measured->first_ms);
        count_done(result->simulated_done, result->bin_count,
                   task->sim_ended_ms - simulated->first_ms);
    }
    for (size_t i = 1; i < result->bin_count; i++) {
        result->measured_done[i] += result->measured_done[i - 1];
        result->simulated_done[i] += result->simulated_done[i - 1];
    }
    int64_t lag = 0;
    double rmse = tk_stats_rmse_lagged(result->measured_done, result->simulated_done,
                                       result->bin_count, LAG_BINS, &lag);
    add_limited(result,
                (struct tk_compare_line){.name = "cumulative completions",
                                         .unit = "min of lag",
                                         .measured = (double)NAN,
                                         .simulated = (double)lag,
                                         .error = 100 * rmse / (double)result->joined,
                                         .error_unit = "%",
                                         .limit = comparison->options->limits.completions_percent});
    return 0;
}

static double slowdown_of(const struct task *task)
{
    double ran_ms = task->ended_ms - task->started_ms;
    double sim_ms = task->sim_ended_ms - task->sim_submitted_ms - task->sim_wait_ms;
    return ran_ms > 0 ? sim_ms / ran_ms : (double)NAN;
}

static void compare_run_times(struct comparison *comparison, double *values)
{
    static const struct {
        const char *name;
        double q;
    } rows[] = {{"run time p50", 0.5}, {"run time p95", 0.95}, {"run time max", 1}};
    size_t count = collect(comparison, values, slowdown_of);
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        add_line(comparison->result,
                 (struct tk_compare_line){.name = rows[i].name,
                                          .unit = "x measured",
                                          .measured = (double)NAN,
                                          .simulated = tk_stats_quantile(values, count, rows[i].q),
                                          .error = (double)NAN,
                                          .error_unit = "",
                                          .limit = (double)NAN,
                                          .verdict = TK_VERDICT_TOLD});
    }
}

static void count_tasks(struct comparison *comparison)
{
    struct tk_compare_result *result = comparison->result;
    for (uint32_t i = 0; i < comparison->count; i++) {
        const struct task *task = &comparison->tasks[i];
        bool is_measured = !isnan(task->submitted_ms);
        result->joined += is_joined(task);
        result->only_measured += is_measured && !task->is_simulated;
        result->only_simulated += !is_measured;
        result->terminated += task->is_simulated && task->state == TERMINATED;
        result->unfinished += task->is_simulated && task->state == UNFINISHED;
    }
}

static int compare(struct comparison *comparison, struct tk_err *err)
{
    count_tasks(comparison);
    if (comparison->result->joined == 0)
        return tk_fail(err, -ENODATA, "no task was both measured and completed");
    double *a = malloc(((size_t)comparison->count + 1) * sizeof(*a));
    double *b = malloc(((size_t)comparison->count + 1) * sizeof(*b));
    int rc = -ENOMEM;
    if (a && b) {
        const struct side measured = side_of(comparison, false);
        const struct side simulated = side_of(comparison, true);
        compare_waits(comparison, a, b);
        rc = compare_completions(comparison, &measured, &simulated, err);
        compare_makespans(comparison, &measured, &simulated);
        compare_run_times(comparison, a);
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
    struct comparison comparison = {.options = options, .result = &result};
    int rc = find_output(options->simulated, 0, result.simulated, err);
    if (rc == 0 && !result.simulated[0])
        rc = tk_fail(err, -ENOENT, "%s: no task.parquet here nor below", options->simulated);
    rc = rc < 0 ? rc : read_measured(&comparison, err);
    rc = rc < 0 ? rc : read_simulated(&comparison, result.simulated, err);
    rc = rc < 0 ? rc : compare(&comparison, err);
    tk_map_release(&comparison.by_id);
    free(comparison.tasks);
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
