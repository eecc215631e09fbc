/* SPDX-License-Identifier: Apache-2.0 */
/* Fragments, streamed in the order of the file, and what they add up to. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "opendc/check_internal.h"
#include "opendc/stats.h"

#define MOST_FRAGMENTS   50000000
#define CLASSES_PER_FOLD 64
#define FIRST_FOLD       (-20) /* usage of 2^-20 MHz is in class 0 */
#define TOLERANCE        1e-9
#define CONSTANT_SHARE   0.5
#define COURSE_FROM_MS   5000 /* a task of one fragment that is shorter may not have been sampled */
#define IDLE_SHARE       0.01 /* of its capacity: a task that uses less has no course to show */

enum { ID, DURATION, USAGE, WANTS };

static const struct tk_frame_want wants[WANTS] = {
    [ID] = {"id", TK_FRAME_I64},
    [DURATION] = {"duration", TK_FRAME_I64},
    [USAGE] = {"cpu_usage", TK_FRAME_F64},
};

/* The task of the fragment before, which as a rule is that of the next. */
struct walk {
    struct tk_check *check;
    uint32_t task; /* TK_NONE = none */
    int64_t id;
};

static void note_usage(struct tk_check *check, double mhz)
{
    if (!(mhz > 0) || !isfinite(mhz))
        mhz = 0;
    double at = mhz > 0 ? (log2(mhz) - FIRST_FOLD) * CLASSES_PER_FOLD : 0;
    size_t last = TK_COUNTOF(check->usages) - 1;
    check->usages[at < 0 ? 0 : at > (double)last ? last : (size_t)at]++;
    check->usage_min = check->usage_count == 0 || mhz < check->usage_min ? mhz : check->usage_min;
    check->usage_max = check->usage_count == 0 || mhz > check->usage_max ? mhz : check->usage_max;
    check->usage_count++;
}

/* What policy Perfect makes of it, section 6. */
static void check_length(struct tk_check *check, const struct tk_check_place *place,
                         const struct tk_check_task *task, int64_t duration_ms, double mhz)
{
    double work = mhz * (double)duration_ms;
    double supply = task->last_mhz;
    long long id = (long long)task->id;
    if (check->hosts.is_there && supply > check->hosts.most_mhz)
        supply = check->hosts.most_mhz;
    if (mhz == 0) {
        tk_check_found(check, TK_CHECK_W02, place, "task %lld: zero usage takes no time", id);
    } else if (work < 1) {
        tk_check_found(check, TK_CHECK_W02, place,
                       "task %lld: work of %g MHz ms vanishes from v2.4g on", id, work);
    } else if (task->fragments > 0 && work < supply) {
        tk_check_found(check, TK_CHECK_W02, place,
                       "task %lld: vanishes in v2.4f: its work of %g MHz ms is less than the usage "
                       "before, %g MHz, does in 1 ms",
                       id, work, supply);
    } else if ((int64_t)(work / mhz) < duration_ms) {
        tk_check_found(check, TK_CHECK_W02, place,
                       "task %lld: loses 1 ms to the rounding of work / usage", id);
    }
}

static void check_usage(struct tk_check *check, const struct tk_check_place *place,
                        const struct tk_check_task *task, double mhz)
{
    if (mhz > task->capacity_mhz * (1 + TOLERANCE)) {
        tk_check_found(check, TK_CHECK_W03, place, "task %lld: %g MHz, its capacity is %g",
                       (long long)task->id, mhz, task->capacity_mhz);
    } else if (check->hosts.is_there && mhz > check->hosts.most_mhz * (1 + TOLERANCE)) {
        tk_check_found(check, TK_CHECK_W03, place, "task %lld: %g MHz, the largest host has %g",
                       (long long)task->id, mhz, check->hosts.most_mhz);
    }
}

/* A file could not be read to its end: that rows miss others is no finding of its own. */
static bool is_unread(const struct tk_check *check)
{
    return check->result->counts[TK_CHECK_E01] > 0;
}

/* Go to the task of an id; TK_NONE when there is none. */
static void turn_to(struct walk *walk, int64_t id, const struct tk_check_place *place)
{
    struct tk_check *check = walk->check;
    if (walk->task != TK_NONE && walk->id == id)
        return;
    if (walk->task != TK_NONE)
        check->tasks[walk->task].is_closed = true;
    walk->id = id;
    if (!tk_map_find(&check->by_id, (uint64_t)id, &walk->task)) {
        walk->task = TK_NONE;
        if (!is_unread(check)) {
            tk_check_found(check, TK_CHECK_E07, place, "fragment of %lld, which is no task",
                           (long long)id);
        }
        return;
    }
    if (check->tasks[walk->task].is_closed) {
        tk_check_found(check, TK_CHECK_W08, place,
                       "fragments of task %lld go on after those of another", (long long)id);
    }
}

/* A null, and so no figure, in a column that is there. */
static bool has_null(const struct walk *walk, const struct tk_frame *frame, size_t row)
{
    bool found = false;
    for (size_t i = 0; i < WANTS; i++) {
        if (!frame->columns[i].is_there || frame->columns[i].has[row])
            continue;
        const struct tk_check_place place = {walk->check->profile->fragments_name, wants[i].path,
                                             (int64_t)(frame->first_row + row)};
        tk_check_found(walk->check, TK_CHECK_E04, &place, "null");
        found = true;
    }
    return found;
}

static void take_fragment(struct walk *walk, const struct tk_frame *frame, size_t row, bool is_text)
{
    struct tk_check *check = walk->check;
    struct tk_check_place place = {check->profile->fragments_name, "id",
                                   (int64_t)(frame->first_row + row)};
    int64_t id = tk_check_id(&frame->columns[ID], row, is_text);
    int64_t duration_ms = frame->columns[DURATION].i64[row];
    double mhz = frame->columns[USAGE].f64[row];
    check->result->fragments++;
    if (has_null(walk, frame, row))
        return;
    note_usage(check, mhz);
    turn_to(walk, id, &place);
    place.column = "duration";
    if (duration_ms <= 0) {
        tk_check_found(check, TK_CHECK_E08, &place, "task %lld: %lld ms", (long long)id,
                       (long long)duration_ms);
    }
    place.column = "cpu_usage";
    if (!isfinite(mhz) || mhz < 0)
        tk_check_found(check, TK_CHECK_E09, &place, "task %lld: %g MHz", (long long)id, mhz);
    if (walk->task == TK_NONE || duration_ms <= 0 || !isfinite(mhz) || mhz < 0)
        return;
    struct tk_check_task *task = &check->tasks[walk->task];
    check_length(check, &place, task, duration_ms, mhz);
    check_usage(check, &place, task, mhz);
    if (task->fragments == 0)
        task->first_mhz = mhz;
    task->is_constant = task->is_constant && mhz == task->first_mhz;
    task->last_mhz = mhz;
    task->fragments++;
    task->length_ms += duration_ms;
    check->work_mhz_ms += mhz * (double)duration_ms;
}

static bool is_text(const struct tk_parquet_file *file)
{
    size_t count;
    size_t node_count;
    const struct tk_parquet_leaf *leaves = tk_parquet_file_leaves(file, &count);
    const struct tk_parquet_node *nodes = tk_parquet_file_nodes(file, &node_count);
    size_t leaf = tk_parquet_file_find(file, TK_STR("id"));
    return leaf < count && nodes[leaves[leaf].node].type == TK_PARQUET_BYTES;
}

void tk_check_fragments(struct tk_check *check)
{
    bool wants_text = check->profile->fragment_columns[0] == TK_FRAGMENT_ID_TEXT;
    const struct tk_check_place place = {check->profile->fragments_name, NULL, -1};
    TK_CLEANUP(tk_frame_freep) struct tk_frame *frame = NULL;
    struct tk_err why;
    struct tk_frame_want asked[WANTS];
    memcpy(asked, wants, sizeof(asked));
    if (wants_text)
        asked[ID].kind = TK_FRAME_TEXT;
    int rc = tk_frame_new(check->dirfd, place.file, asked, WANTS, &frame, &why);
    if (rc < 0) {
        tk_check_found(check, TK_CHECK_E01, &place, "%s", why.msg);
        return;
    }
    if (is_text(tk_frame_part(frame, 0)) != wants_text) {
        const struct tk_check_place id = {check->profile->fragments_name, "id", -1};
        tk_check_found(check, TK_CHECK_E05, &id, "ids are %s here, %s in %s",
                       wants_text ? "numbers" : "text", wants_text ? "text" : "numbers",
                       check->profile->tasks_name);
    }
    tk_check_schema(check, tk_frame_part(frame, 0), check->profile->fragments_name,
                    check->profile->fragments, check->profile->fragment_column_count);
    struct walk walk = {.check = check, .task = TK_NONE};
    while ((rc = tk_frame_next(frame, &why)) == 0) {
        for (size_t row = 0; row < frame->rows; row++)
            take_fragment(&walk, frame, row, wants_text);
    }
    if (rc < 0)
        tk_check_found(check, TK_CHECK_E01, &place, "%s", why.msg);
}

/* Sums ----------------------------------------------------------------------------------------- */

static struct tk_spread spread_of(const struct tk_check *check, double *values,
                                  double (*get)(const struct tk_check_task *task))
{
    size_t n = check->task_count;
    for (size_t i = 0; i < n; i++)
        values[i] = get(&check->tasks[i]);
    tk_stats_sort(values, n);
    return (struct tk_spread){values[0], (values[(n - 1) / 2] + values[n / 2]) / 2, values[n - 1]};
}

static double duration_of(const struct tk_check_task *task)
{
    return (double)task->duration_ms;
}

static double capacity_of(const struct tk_check_task *task)
{
    return task->capacity_mhz;
}

static double count_of(const struct tk_check_task *task)
{
    return task->cpu_count;
}

static double mem_of(const struct tk_check_task *task)
{
    return (double)task->mem_kb;
}

static double fragments_of(const struct tk_check_task *task)
{
    return (double)task->fragments;
}

static void set_spreads(struct tk_check *check)
{
    struct tk_check_result *result = check->result;
    double *values = malloc(check->task_count * sizeof(*values));
    /* Without memory the table stays empty. */
    if (!values)
        return;
    result->duration_ms = spread_of(check, values, duration_of);
    result->capacity_mhz = spread_of(check, values, capacity_of);
    result->cpu_count = spread_of(check, values, count_of);
    result->mem_kb = spread_of(check, values, mem_of);
    result->fragments_per_task = spread_of(check, values, fragments_of);
    free(values);
    uint64_t seen = 0;
    size_t at = 0;
    while (at + 1 < TK_COUNTOF(check->usages) &&
           (seen += check->usages[at]) * 2 < check->usage_count)
        at++;
    double middle = exp2(((double)at + 0.5) / CLASSES_PER_FOLD + FIRST_FOLD);
    result->usage_mhz = (struct tk_spread){
        check->usage_min, fmin(fmax(middle, check->usage_min), check->usage_max), check->usage_max};
}

static void check_task_sums(struct tk_check *check, const struct tk_check_task *task)
{
    const struct tk_check_place place = {check->profile->tasks_name, "duration", task->row};
    if (is_unread(check))
        return;
    if (task->fragments == 0) {
        tk_check_found(check, TK_CHECK_E07, &place,
                       "task %lld has no fragment: OpenDC drops it silently", (long long)task->id);
        return;
    }
    double off_ms = fabs((double)(task->length_ms - task->duration_ms));
    if (off_ms > 1 || off_ms > 0.001 * (double)task->duration_ms) {
        tk_check_found(check, TK_CHECK_W01, &place,
                       "task %lld: its fragments add up to %lld ms, not %lld", (long long)task->id,
                       (long long)task->length_ms, (long long)task->duration_ms);
    }
}

/* A task of which a measurement would show a course: neither shorter than a sample or two, nor
 * idle. */
static bool shows_course(const struct tk_check_task *task)
{
    bool is_long = task->fragments > 1 || task->length_ms >= COURSE_FROM_MS;
    bool is_idle = task->is_constant && task->first_mhz <= IDLE_SHARE * task->capacity_mhz;
    return task->fragments > 0 && is_long && !is_idle;
}

/* Tasks whose usage never changes, though it could, are made up, most likely. */
static void check_shares(struct tk_check *check)
{
    int64_t constant = 0;
    int64_t count = 0;
    for (uint32_t i = 0; i < check->task_count; i++) {
        count += shows_course(&check->tasks[i]);
        constant += shows_course(&check->tasks[i]) && check->tasks[i].is_constant;
    }
    const struct tk_check_place place = {check->profile->fragments_name, "cpu_usage", -1};
    if ((double)constant > CONSTANT_SHARE * (double)count) {
        tk_check_found(check, TK_CHECK_W06, &place,
                       "%lld of %lld tasks that are neither short nor idle have one constant usage",
                       (long long)constant, (long long)count);
    }
    int64_t most = check->options->most_fragments;
    if (check->result->fragments > (most > 0 ? most : MOST_FRAGMENTS)) {
        tk_check_found(check, TK_CHECK_W07, &place, "%lld fragments, which OpenDC holds in memory",
                       (long long)check->result->fragments);
    }
}

void tk_check_sums(struct tk_check *check)
{
    struct tk_check_result *result = check->result;
    if (check->task_count == 0)
        return;
    int64_t first_ms = INT64_MAX;
    int64_t last_ms = INT64_MIN;
    for (uint32_t i = 0; i < check->task_count; i++) {
        const struct tk_check_task *task = &check->tasks[i];
        check_task_sums(check, task);
        int64_t end_ms = task->submission_ms + task->length_ms;
        first_ms = task->submission_ms < first_ms ? task->submission_ms : first_ms;
        last_ms = end_ms > last_ms ? end_ms : last_ms;
    }
    check_shares(check);
    set_spreads(check);
    result->span_ms = last_ms - first_ms;
    if (check->hosts.is_there && check->hosts.core_mhz > 0) {
        result->cpu_hours = check->work_mhz_ms / check->hosts.core_mhz / 3600000;
        result->utilisation =
            check->work_mhz_ms / (check->hosts.total_mhz * fmax(1, (double)result->span_ms));
    }
}
