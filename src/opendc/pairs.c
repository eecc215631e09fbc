/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/pairs.h"

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
#include "opendc/cutter.h"
#include "opendc/frame.h"
#include "opendc/names.h"
#include "opendc/profiles.h"
#include "opendc/task_map.h"
#include "run/run.h"

#define DEPTH_MAX 5
#define EPOCH_FROM_MS                                                                              \
    100000000000.0   /* a time above counts from 1970, one below from the first task */
#define APART_MS 1.5 /* submissions may differ by rounding */

void tk_pairs_release(struct tk_pairs *pairs)
{
    tk_map_release(&pairs->by_id);
    free(pairs->items);
    free(pairs->steps);
    free(pairs->usages);
    tk_workload_free(pairs->workload);
    *pairs = (struct tk_pairs){0};
}

/* Room for one more; NULL when there is no memory. */
static void *grow(void *items, uint32_t count, uint32_t *cap, size_t size, struct tk_err *err)
{
    if (count < *cap)
        return items;
    uint32_t more = *cap ? *cap * 2 : 1024;
    void *grown = more > *cap ? realloc(items, more * size) : NULL;
    if (grown) {
        *cap = more;
    } else {
        (void)tk_fail(err, -ENOMEM, "out of memory");
    }
    return grown;
}

static struct tk_pair *pair_of(struct tk_pairs *pairs, int64_t id, struct tk_err *err)
{
    uint32_t index;
    if (tk_map_find(&pairs->by_id, (uint64_t)id, &index))
        return &pairs->items[index];
    void *grown = grow(pairs->items, pairs->count, &pairs->cap, sizeof(*pairs->items), err);
    if (!grown)
        return NULL;
    pairs->items = grown;
    if (tk_map_add(&pairs->by_id, (uint64_t)id, pairs->count) < 0) {
        (void)tk_fail(err, -ENOMEM, "out of memory");
        return NULL;
    }
    struct tk_pair *pair = &pairs->items[pairs->count++];
    *pair = (struct tk_pair){.submitted_ms = (double)NAN,
                             .sim_submitted_ms = (double)NAN,
                             .row_ms = (double)NAN,
                             .row_mhz = (double)NAN};
    return pair;
}

bool tk_pair_is_joined(const struct tk_pair *pair)
{
    return pair->state == TK_PAIR_COMPLETED && !isnan(pair->submitted_ms);
}

double tk_pair_run(const struct tk_pair *pair)
{
    return pair->ended_ms - pair->started_ms;
}

double tk_pair_sim_run(const struct tk_pair *pair)
{
    return pair->sim_end_ms - pair->sim_submitted_ms - pair->sim_wait_ms;
}

/* Steps --------------------------------------------------------------------------------------- */

static int add_step(struct tk_pairs *pairs, struct tk_pair *pair, double duration_ms, double mhz,
                    struct tk_err *err)
{
    void *grown =
        grow(pairs->steps, pairs->step_count, &pairs->step_cap, sizeof(*pairs->steps), err);
    if (!grown)
        return err->code;
    pairs->steps = grown;
    if (pair->step_count == 0)
        pair->first_step = pairs->step_count;
    struct tk_step before = {0, 0};
    if (pair->step_count > 0)
        before = pairs->steps[pairs->step_count - 1];
    pairs->steps[pairs->step_count++] =
        (struct tk_step){before.end_ms + duration_ms, before.work + duration_ms * mhz};
    pair->step_count++;
    return 0;
}

/* Work of a task up to a moment after its start. */
static double work_at(const struct tk_pairs *pairs, const struct tk_pair *pair, double ms)
{
    const struct tk_step *steps = &pairs->steps[pair->first_step];
    uint32_t low = 0;
    uint32_t high = pair->step_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (steps[middle].end_ms < ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == pair->step_count)
        return steps[low - 1].work;
    struct tk_step before = low > 0 ? steps[low - 1] : (struct tk_step){0, 0};
    double share = (fmax(ms, 0) - before.end_ms) / (steps[low].end_ms - before.end_ms);
    return before.work + (steps[low].work - before.work) * share;
}

/* An export ----------------------------------------------------------------------------------- */

static int take_mapped(struct tk_pairs *pairs, const struct tk_batch *batch, size_t row,
                       struct tk_err *err)
{
    struct tk_pair *pair = pair_of(pairs, tk_batch_i64(batch, row, TK_TASK_MAP_ID, -1), err);
    if (!pair)
        return err->code;
    pair->submitted_ms = (double)tk_batch_i64(batch, row, TK_TASK_MAP_TS_ENQUEUE, 0);
    pair->started_ms = (double)tk_batch_i64(batch, row, TK_TASK_MAP_TS_START, 0);
    pair->ended_ms = (double)tk_batch_i64(batch, row, TK_TASK_MAP_TS_END, 0);
    return 0;
}

static int read_map(struct tk_pairs *pairs, int dirfd, struct tk_err *err)
{
    struct tk_run_reader *reader;
    int rc = tk_run_reader_new(dirfd, TK_TASK_MAP_FILE, &tk_schema_task_map, &reader, err);
    if (rc < 0)
        return rc;
    const struct tk_batch *batch;
    while ((rc = tk_run_reader_next(reader, &batch, err)) == 0) {
        for (size_t row = 0; rc == 0 && row < batch->rows; row++)
            rc = take_mapped(pairs, batch, row, err);
        if (rc < 0)
            break;
    }
    tk_run_reader_free(reader);
    return rc < 0 ? rc : 0;
}

static int take_fragment(struct tk_pairs *pairs, const struct tk_frame *frame, size_t row,
                         uint32_t *at, struct tk_err *err)
{
    int64_t id;
    uint32_t index;
    double duration_ms = frame->columns[1].f64[row];
    double mhz = frame->columns[2].f64[row];
    if (!tk_parse_i64(frame->columns[0].text[row], &id) ||
        !tk_map_find(&pairs->by_id, (uint64_t)id, &index) || !(duration_ms > 0) || !isfinite(mhz))
        return 0;
    struct tk_pair *pair = &pairs->items[index];
    if (index != *at && pair->step_count > 0) {
        return tk_fail(err, -EBADMSG, "fragments of task %lld go on after those of another",
                       (long long)id);
    }
    *at = index;
    return add_step(pairs, pair, duration_ms, mhz, err);
}

/* The fragments of the export, by whatever name; none is fine. */
static int read_fragments(struct tk_pairs *pairs, int dirfd, struct tk_err *err)
{
    static const struct tk_frame_want wants[] = {
        {"id", TK_FRAME_TEXT}, {"duration", TK_FRAME_F64}, {"cpu_usage", TK_FRAME_F64}};
    TK_CLEANUP(tk_frame_freep) struct tk_frame *frame = NULL;
    int rc = tk_frame_new(dirfd, tk_profiles[TK_PROFILE_OPENDC].fragments_name, wants,
                          TK_COUNTOF(wants), &frame, err);
    if (rc == -ENOENT) {
        rc = tk_frame_new(dirfd, tk_profiles[TK_PROFILE_21].fragments_name, wants,
                          TK_COUNTOF(wants), &frame, err);
    }
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    uint32_t at = TK_NONE;
    while ((rc = tk_frame_next(frame, err)) == 0) {
        for (size_t row = 0; row < frame->rows; row++) {
            rc = take_fragment(pairs, frame, row, &at, err);
            if (rc < 0)
                return rc;
        }
    }
    return rc < 0 ? rc : 0;
}

static int read_export(struct tk_pairs *pairs, int dirfd, struct tk_err *err)
{
    int rc = read_map(pairs, dirfd, err);
    return rc < 0 ? rc : read_fragments(pairs, dirfd, err);
}

/* A run ---------------------------------------------------------------------------------------- */

/* Index of a node by its name in exports. */
static int find_node(struct tk_workload *workload, const char *name, uint32_t *ret_node,
                     struct tk_err *err)
{
    const char **names;
    int rc = tk_workload_name_nodes(workload, &names, err);
    if (rc < 0)
        return rc;
    uint32_t node = 0;
    while (node < workload->node_count && strcmp(names[node], name) != 0)
        node++;
    free((void *)names);
    if (node == workload->node_count)
        return tk_fail(err, -ENOENT, "the run has no node %s", name);
    *ret_node = node;
    return 0;
}

static int take_task(struct tk_pairs *pairs, struct tk_cutter *cutter, struct tk_task *task,
                     int64_t id, struct tk_err *err)
{
    struct tk_pair *pair = pair_of(pairs, id, err);
    int rc = pair ? tk_cutter_cut(cutter, task, err) : err->code;
    if (rc < 0 || !pair)
        return rc;
    pair->submitted_ms = (double)task->enqueue_ms;
    pair->started_ms = (double)task->start_ms;
    pair->ended_ms = (double)task->end_ms;
    for (size_t i = 0; rc == 0 && i < cutter->made.count; i++) {
        const struct tk_fragment *made = &cutter->made.items[i];
        rc = add_step(pairs, pair, (double)made->duration_ms, made->mhz, err);
    }
    return rc;
}

static int read_run(struct tk_pairs *pairs, const struct tk_pairs_options *options,
                    struct tk_err *err)
{
    struct tk_workload_options chosen = options->workload;
    chosen.folders = &options->measured;
    chosen.folder_count = 1;
    int rc = tk_workload_new(&chosen, &pairs->workload, err);
    uint32_t only = TK_NONE;
    if (rc == 0 && options->node)
        rc = find_node(pairs->workload, options->node, &only, err);
    const struct tk_opendc_options cut = {
        .floor_mhz = 0, .scale_cpu = 1, .scale_duration = 1, .headroom = 1};
    struct tk_fragment_sums sums = {0};
    TK_CLEANUP(tk_cutter_release) struct tk_cutter cutter;
    tk_cutter_init(&cutter, pairs->workload, &cut, &sums);
    int64_t id = 0;
    for (uint32_t i = 0; rc == 0 && i < pairs->workload->task_count; i++) {
        struct tk_task *task = &pairs->workload->tasks[pairs->workload->sorted[i]];
        if (only == TK_NONE || task->node == only)
            rc = take_task(pairs, &cutter, task, ++id, err);
    }
    return rc;
}

int tk_pairs_read_measured(struct tk_pairs *pairs, const struct tk_pairs_options *options,
                           struct tk_err *err)
{
    char path[PATH_MAX];
    int n = options->node
                ? snprintf(path, sizeof(path), "%s/nodes/%s", options->measured, options->node)
                : snprintf(path, sizeof(path), "%s", options->measured);
    if (n >= (int)sizeof(path))
        return tk_fail(err, -ENAMETOOLONG, "%s: too long a path", options->measured);
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    int rc = tk_dir_open(AT_FDCWD, path, &dirfd, err);
    if (rc < 0 && !(rc == -ENOENT && options->node))
        return rc;
    if (rc < 0 || faccessat(dirfd, TK_TASK_MAP_FILE, F_OK, 0) < 0)
        return read_run(pairs, options, err);
    rc = read_export(pairs, dirfd, err);
    return rc < 0 ? tk_err_prefix(err, "%s", path) : 0;
}

/* The simulation ------------------------------------------------------------------------------- */

enum { ID, SUBMISSION, SCHEDULE, FINISH, STATE, NEEDED, DELAY = NEEDED, TIME, USAGE, WANTS };

static const struct tk_frame_want wants[WANTS] = {
    [ID] = {"task_id", TK_FRAME_TEXT},
    [SUBMISSION] = {"submission_time", TK_FRAME_F64},
    [SCHEDULE] = {"schedule_time", TK_FRAME_F64},
    [FINISH] = {"finish_time", TK_FRAME_F64},
    [STATE] = {"task_state", TK_FRAME_TEXT},
    [DELAY] = {"scheduling_delay", TK_FRAME_F64},
    [TIME] = {"timestamp", TK_FRAME_F64},
    [USAGE] = {"cpu_usage", TK_FRAME_F64},
};

/* cpu_usage is of the moment of its row: it holds until the next one. What was measured is the mean
 * over the same time after the start. */
static int add_usage(struct tk_pairs *pairs, struct tk_pair *pair, double to_ms, double schedule_ms,
                     struct tk_err *err)
{
    double from_ms = pair->row_ms - schedule_ms;
    to_ms -= schedule_ms;
    if (!(to_ms > from_ms) || pair->step_count == 0)
        return 0;
    void *grown =
        grow(pairs->usages, pairs->usage_count, &pairs->usage_cap, sizeof(*pairs->usages), err);
    if (!grown)
        return err->code;
    pairs->usages = grown;
    double work = work_at(pairs, pair, to_ms) - work_at(pairs, pair, from_ms);
    pairs->usages[pairs->usage_count++] =
        (struct tk_usage){(uint32_t)(pair - pairs->items), work / (to_ms - from_ms), pair->row_mhz};
    return 0;
}

static int take_usage(struct tk_pairs *pairs, struct tk_pair *pair, const struct tk_frame *frame,
                      size_t row, struct tk_err *err)
{
    const struct tk_frame_column *columns = frame->columns;
    double now_ms = columns[TIME].f64[row];
    double end_ms = columns[FINISH].f64[row];
    double schedule_ms = columns[SCHEDULE].f64[row];
    bool runs = tk_str_eq(columns[STATE].text[row], TK_STR("RUNNING"));
    int rc = 0;
    if (!isnan(pair->row_ms) && isfinite(schedule_ms))
        rc = add_usage(pairs, pair, runs || isnan(end_ms) ? now_ms : end_ms, schedule_ms, err);
    pair->row_ms = runs ? now_ms : (double)NAN;
    pair->row_mhz = columns[USAGE].f64[row];
    return rc;
}

/* A row per task and interval: the last one counts. */
static int take_simulated(struct tk_pairs *pairs, const struct tk_frame *frame, size_t row,
                          struct tk_err *err)
{
    const struct tk_frame_column *columns = frame->columns;
    tk_str text = columns[STATE].text[row];
    int64_t id;
    if (!tk_parse_i64(columns[ID].text[row], &id)) {
        return tk_fail(err, -EBADMSG, "task_id '%.*s' is none of an export",
                       TK_STR_ARG(columns[ID].text[row]));
    }
    struct tk_pair *pair = pair_of(pairs, id, err);
    if (!pair)
        return err->code;
    pair->is_simulated = true;
    pair->sim_submitted_ms = columns[SUBMISSION].f64[row];
    pair->sim_end_ms = columns[FINISH].f64[row];
    pair->sim_wait_ms = columns[DELAY].has[row] ? columns[DELAY].f64[row] : (double)NAN;
    /* Without a delay it is the schedule, less the submission once that is known. */
    if (isnan(pair->sim_wait_ms))
        pair->sim_wait_ms = columns[SCHEDULE].f64[row];
    pair->state = tk_str_eq(text, TK_STR("COMPLETED"))    ? TK_PAIR_COMPLETED
                  : tk_str_eq(text, TK_STR("TERMINATED")) ? TK_PAIR_TERMINATED
                                                          : TK_PAIR_UNFINISHED;
    bool has_usage = columns[TIME].is_there && columns[USAGE].is_there;
    return has_usage ? take_usage(pairs, pair, frame, row, err) : 0;
}

/* Submissions count from the first one; in some versions from 1970, though all else does not. */
static void align(struct tk_pairs *pairs, bool has_delay)
{
    double first_ms = (double)INFINITY;
    for (uint32_t i = 0; i < pairs->count; i++)
        first_ms = fmin(first_ms, pairs->items[i].sim_submitted_ms);
    for (uint32_t i = 0; i < pairs->count; i++) {
        struct tk_pair *pair = &pairs->items[i];
        if (first_ms > EPOCH_FROM_MS)
            pair->sim_submitted_ms -= first_ms;
        if (!has_delay)
            pair->sim_wait_ms -= pair->sim_submitted_ms;
    }
}

/* The ids of a run are by the order of its tasks: they are those of the simulation only if that is
 * of an export with default options, which shows in the submissions. Those that a parent moved are
 * in the workload. */
static int check_submissions(const struct tk_pairs *pairs, const char *folder, struct tk_err *err)
{
    const struct tk_workload *workload = pairs->workload;
    double first_ms = (double)INFINITY;
    for (uint32_t i = 0; i < pairs->count; i++)
        first_ms = fmin(first_ms, pairs->items[i].submitted_ms);
    for (uint32_t i = 0; workload->counts.moved == 0 && i < pairs->count; i++) {
        const struct tk_pair *pair = &pairs->items[i];
        double after_ms = pair->submitted_ms - first_ms;
        if (fabs(after_ms - pair->sim_submitted_ms) > APART_MS) {
            return tk_fail(err, -EBADMSG,
                           "%s: task %u was submitted %.0f ms after the first, but %.0f ms in the "
                           "simulation: it is of another run or of an export with other options; "
                           "name the folder of the export as what was measured",
                           folder, i + 1, after_ms, pair->sim_submitted_ms);
        }
    }
    return 0;
}

int tk_pairs_read_simulated(struct tk_pairs *pairs, const char *folder, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    TK_CLEANUP(tk_frame_freep) struct tk_frame *frame = NULL;
    int rc = tk_dir_open(AT_FDCWD, folder, &dirfd, err);
    rc = rc < 0 ? rc : tk_frame_new(dirfd, "task.parquet", wants, WANTS, &frame, err);
    if (rc < 0)
        return tk_err_prefix(err, "%s", folder);
    for (size_t i = 0; i < NEEDED; i++) {
        if (!frame->columns[i].is_there) {
            return tk_fail(err, -EBADMSG, "%s/task.parquet: no column %s that can be read", folder,
                           wants[i].path);
        }
    }
    while ((rc = tk_frame_next(frame, err)) == 0) {
        for (size_t row = 0; rc == 0 && row < frame->rows; row++)
            rc = take_simulated(pairs, frame, row, err);
        if (rc < 0)
            break;
    }
    if (rc < 0)
        return tk_err_prefix(err, "%s", folder);
    align(pairs, frame->columns[DELAY].is_there);
    return pairs->workload ? check_submissions(pairs, folder, err) : 0;
}

/* Where the output is -------------------------------------------------------------------------- */

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Find the only folder with a task.parquet; a second one is an error that names both. */
/* NOLINTNEXTLINE(misc-no-recursion): at most DEPTH_MAX deep */
static int find_output(const char *path, int depth, char found[PATH_MAX], struct tk_err *err)
{
    char below[PATH_MAX];
    int n = snprintf(below, sizeof(below), "%s/task.parquet", path);
    if (n < (int)sizeof(below) && access(below, F_OK) == 0) {
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
        n = snprintf(below, sizeof(below), "%s/%s", path, entries[i]->d_name);
        if (rc == 0 && n < (int)sizeof(below) && entries[i]->d_type == DT_DIR)
            rc = find_output(below, depth + 1, found, err);
        free(entries[i]);
    }
    if (count >= 0 && depth < DEPTH_MAX)
        free((void *)entries);
    return rc;
}

int tk_pairs_find_output(const char *path, char ret_found[4096], struct tk_err *err)
{
    _Static_assert(PATH_MAX == 4096, "the size in the header");
    ret_found[0] = '\0';
    if (access(path, F_OK) < 0)
        return tk_fail_errno(err, "%s", path);
    int rc = find_output(path, 0, ret_found, err);
    if (rc == 0 && !ret_found[0])
        rc = tk_fail(err, -ENOENT, "%s: no task.parquet here nor below", path);
    return rc;
}
