/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks, one by one, and the edges between them. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "opendc/check_internal.h"

#define YEAR_1990_MS 631152000000LL
#define YEAR_2100_MS 4102444800000LL

enum { ID, SUBMISSION, DURATION, COUNT, CAPACITY, MEM, PARENTS, CHILDREN, DEADLINE, END, WANTS };

/* Columns of both kinds of files; those of v2.1 go by other names. */
static const struct tk_frame_want wants[WANTS] = {
    [ID] = {"id", TK_FRAME_I64},
    [SUBMISSION] = {"submission_time", TK_FRAME_I64},
    [DURATION] = {"duration", TK_FRAME_I64},
    [COUNT] = {"cpu_count", TK_FRAME_I64},
    [CAPACITY] = {"cpu_capacity", TK_FRAME_F64},
    [MEM] = {"mem_capacity", TK_FRAME_I64},
    [PARENTS] = {"parents.list.element", TK_FRAME_LIST},
    [CHILDREN] = {"children.list.element", TK_FRAME_LIST},
    [DEADLINE] = {"deadline", TK_FRAME_I64},
    [END] = {"stop_time", TK_FRAME_I64},
};

static bool is_text_id(const struct tk_check *check)
{
    return check->profile->task_columns[0] == TK_TASK_ID_TEXT;
}

/* Values of one row ------------------------------------------------------------------------ */

static void check_nulls(struct tk_check *check, const struct tk_frame *frame, size_t row)
{
    static const int needed[] = {ID, SUBMISSION, DURATION, COUNT, CAPACITY, MEM};
    for (size_t i = 0; i < TK_COUNTOF(needed); i++) {
        const struct tk_frame_column *column = &frame->columns[needed[i]];
        if (!column->is_there || column->has[row])
            continue;
        const struct tk_check_place place = {check->profile->tasks_name, wants[needed[i]].path,
                                             (int64_t)(frame->first_row + row)};
        tk_check_found(check, TK_CHECK_E04, &place, "null");
    }
}

static void check_figures(struct tk_check *check, const struct tk_check_task *task)
{
    struct tk_check_place place = {check->profile->tasks_name, "cpu_capacity", task->row};
    if (!isfinite(task->capacity_mhz) || task->capacity_mhz < 0) {
        tk_check_found(check, TK_CHECK_E09, &place, "task %lld: %g MHz", (long long)task->id,
                       task->capacity_mhz);
    }
    place.column = "cpu_count";
    if (task->cpu_count < 1) {
        tk_check_found(check, TK_CHECK_E09, &place, "task %lld: %d", (long long)task->id,
                       task->cpu_count);
    }
    place.column = "mem_capacity";
    if (task->mem_kb < 0) {
        tk_check_found(check, TK_CHECK_E09, &place, "task %lld: %lld kB", (long long)task->id,
                       (long long)task->mem_kb);
    }
    place.column = "duration";
    if (task->duration_ms <= 0) {
        tk_check_found(check, TK_CHECK_E08, &place, "task %lld: %lld ms", (long long)task->id,
                       (long long)task->duration_ms);
    }
    place.column = "submission_time";
    if (task->submission_ms < YEAR_1990_MS || task->submission_ms > YEAR_2100_MS) {
        tk_check_found(check, TK_CHECK_E10, &place,
                       "task %lld: %lld as ms is not within 1990 to 2100", (long long)task->id,
                       (long long)task->submission_ms);
    }
}

/* OpenDC divides kB by 1000, rounds, and compares with MiB. */
static void check_fit(struct tk_check *check, const struct tk_check_task *task)
{
    const struct tk_check_hosts *hosts = &check->hosts;
    const struct tk_check_place place = {check->profile->tasks_name, NULL, task->row};
    double mem_mb = nearbyint((double)task->mem_kb / 1000);
    if (!hosts->is_there)
        return;
    if (task->cpu_count > hosts->most_cores || mem_mb > hosts->most_mem_mib) {
        tk_check_found(check, TK_CHECK_W04, &place,
                       "task %lld: %d cores and %.0f MB, more than any host has",
                       (long long)task->id, task->cpu_count, mem_mb);
    }
    if (task->cpu_count > 0 &&
        task->capacity_mhz / task->cpu_count > hosts->core_mhz * (1 + 1e-9)) {
        tk_check_found(check, TK_CHECK_W03, &place,
                       "task %lld: %g MHz per core, more than any host has", (long long)task->id,
                       task->capacity_mhz / task->cpu_count);
    }
}

static void check_order(struct tk_check *check, const struct tk_check_task *task)
{
    if (check->task_count == 0)
        return;
    const struct tk_check_task *before = &check->tasks[check->task_count - 1];
    const struct tk_check_place place = {check->profile->tasks_name, "submission_time", task->row};
    if (task->submission_ms < before->submission_ms) {
        tk_check_found(check, TK_CHECK_W08, &place, "task %lld is submitted before the one above",
                       (long long)task->id);
    } else if (task->submission_ms == before->submission_ms) {
        tk_check_found(check, TK_CHECK_W08, &place,
                       "task %lld is submitted at the same time as the one above",
                       (long long)task->id);
    }
}

static void check_deadline(struct tk_check *check, const struct tk_frame *frame, size_t row,
                           const struct tk_check_task *task)
{
    const struct tk_frame_column *column = &frame->columns[DEADLINE];
    const struct tk_check_place place = {check->profile->tasks_name, "deadline", task->row};
    if (column->has[row] && column->i64[row] != -1 && column->i64[row] < task->submission_ms) {
        tk_check_found(check, TK_CHECK_E12, &place, "task %lld: %lld, before its submission",
                       (long long)task->id, (long long)column->i64[row]);
    }
}

/* Keeping ------------------------------------------------------------------------------------ */

static void *grow(void *items, uint32_t count, uint32_t *cap, size_t size)
{
    if (count < *cap)
        return items;
    uint32_t more = *cap ? *cap * 2 : 1024;
    void *grown = more > *cap ? realloc(items, more * size) : NULL;
    if (grown)
        *cap = more;
    return grown;
}

static int keep_edges(struct tk_check *check, const struct tk_frame_column *column, size_t row,
                      uint32_t *ret_first, uint32_t *ret_count, struct tk_err *err)
{
    *ret_first = check->edge_count;
    for (uint32_t i = column->from[row]; i < column->from[row + 1]; i++) {
        void *grown = grow(check->edges, check->edge_count, &check->edge_cap, sizeof(int64_t));
        if (!grown)
            return tk_fail(err, -ENOMEM, "out of memory");
        check->edges = grown;
        check->edges[check->edge_count++] = column->i64[i];
    }
    *ret_count = check->edge_count - *ret_first;
    return 0;
}

static int keep_task(struct tk_check *check, const struct tk_check_task *task, struct tk_err *err)
{
    uint32_t before;
    const struct tk_check_place place = {check->profile->tasks_name, "id", task->row};
    if (tk_map_find(&check->by_id, (uint64_t)task->id, &before)) {
        tk_check_found(check, TK_CHECK_E06, &place, "task %lld is in row %lld, too",
                       (long long)task->id, (long long)check->tasks[before].row);
        return 0;
    }
    void *grown = grow(check->tasks, check->task_count, &check->task_cap, sizeof(*check->tasks));
    if (!grown)
        return tk_fail(err, -ENOMEM, "out of memory");
    check->tasks = grown;
    if (tk_map_add(&check->by_id, (uint64_t)task->id, check->task_count) < 0)
        return tk_fail(err, -ENOMEM, "out of memory");
    check->tasks[check->task_count++] = *task;
    return 0;
}

static int take_task(struct tk_check *check, const struct tk_frame *frame, size_t row,
                     struct tk_err *err)
{
    const struct tk_frame_column *columns = frame->columns;
    struct tk_check_task task = {
        .id = tk_check_id(&columns[ID], row, is_text_id(check)),
        .row = (int64_t)(frame->first_row + row),
        .submission_ms = columns[SUBMISSION].i64[row],
        .duration_ms = columns[DURATION].i64[row],
        .cpu_count = (int32_t)columns[COUNT].i64[row],
        .capacity_mhz = columns[CAPACITY].f64[row],
        .mem_kb = columns[MEM].i64[row],
        .is_constant = true,
    };
    if (check->result->profile == TK_PROFILE_21)
        task.duration_ms = columns[END].i64[row] - task.submission_ms;
    check->result->tasks++;
    check_nulls(check, frame, row);
    check_figures(check, &task);
    check_fit(check, &task);
    check_order(check, &task);
    check_deadline(check, frame, row, &task);
    int rc = keep_edges(check, &columns[PARENTS], row, &task.first_parent, &task.parents, err);
    rc = rc < 0
             ? rc
             : keep_edges(check, &columns[CHILDREN], row, &task.first_child, &task.children, err);
    return rc < 0 ? rc : keep_task(check, &task, err);
}

int tk_check_tasks(struct tk_check *check, struct tk_err *err)
{
    const char *name = check->profile->tasks_name;
    const struct tk_check_place place = {name, NULL, -1};
    struct tk_frame_want asked[WANTS];
    memcpy(asked, wants, sizeof(asked));
    if (is_text_id(check))
        asked[ID].kind = TK_FRAME_TEXT;
    if (check->result->profile == TK_PROFILE_21)
        asked[SUBMISSION].path = "start_time";
    TK_CLEANUP(tk_frame_freep) struct tk_frame *frame = NULL;
    struct tk_err why;
    int rc = tk_frame_new(check->dirfd, name, asked, WANTS, &frame, &why);
    if (rc < 0) {
        tk_check_found(check, TK_CHECK_E01, &place, "%s", why.msg);
        return 0;
    }
    tk_check_schema(check, tk_frame_part(frame, 0), name, check->profile->tasks,
                    check->profile->task_nodes);
    while ((rc = tk_frame_next(frame, &why)) == 0) {
        for (size_t row = 0; row < frame->rows; row++) {
            rc = take_task(check, frame, row, err);
            if (rc < 0)
                return rc;
        }
    }
    if (rc < 0) {
        tk_check_found(check, TK_CHECK_E01, &place, "%s", why.msg);
    } else if (check->result->tasks == 0) {
        tk_check_found(check, TK_CHECK_E13, &place, "no task: OpenDC fails on an empty list");
    }
    return 0;
}

/* Edges ---------------------------------------------------------------------------------------- */

static bool has_edge(const struct tk_check *check, uint32_t first, uint32_t count, int64_t id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (check->edges[first + i] == id)
            return true;
    }
    return false;
}

static void check_parent(struct tk_check *check, const struct tk_check_task *task, int64_t id)
{
    const struct tk_check_place place = {check->profile->tasks_name, "parents", task->row};
    uint32_t index;
    if (!tk_map_find(&check->by_id, (uint64_t)id, &index)) {
        tk_check_found(check, TK_CHECK_E11, &place, "task %lld: its parent %lld is no task",
                       (long long)task->id, (long long)id);
        return;
    }
    const struct tk_check_task *parent = &check->tasks[index];
    if (!has_edge(check, parent->first_child, parent->children, task->id)) {
        tk_check_found(check, TK_CHECK_E11, &place,
                       "task %lld: its parent %lld does not have it as a child",
                       (long long)task->id, (long long)id);
    }
    if (task->submission_ms > parent->submission_ms + parent->length_ms) {
        tk_check_found(check, TK_CHECK_E11, &place,
                       "task %lld is submitted after its parent %lld may have ended: blocked for "
                       "ever from v2.4g on",
                       (long long)task->id, (long long)id);
    }
}

static void check_child(struct tk_check *check, const struct tk_check_task *task, int64_t id)
{
    const struct tk_check_place place = {check->profile->tasks_name, "children", task->row};
    uint32_t index;
    if (!tk_map_find(&check->by_id, (uint64_t)id, &index)) {
        tk_check_found(check, TK_CHECK_E11, &place, "task %lld: its child %lld is no task",
                       (long long)task->id, (long long)id);
        return;
    }
    const struct tk_check_task *child = &check->tasks[index];
    if (!has_edge(check, child->first_parent, child->parents, task->id)) {
        tk_check_found(check, TK_CHECK_E11, &place,
                       "task %lld: its child %lld does not have it as a parent",
                       (long long)task->id, (long long)id);
    }
}

/* Take away tasks without parents, again and again; what is left lies on a circle or behind one.
 * Edges that only one side has are told already. */
static void check_circles(struct tk_check *check, uint32_t *waits, uint32_t *queue)
{
    uint32_t head = 0;
    uint32_t tail = 0;
    for (uint32_t i = 0; i < check->task_count; i++) {
        const struct tk_check_task *task = &check->tasks[i];
        for (uint32_t k = 0; k < task->parents; k++) {
            uint32_t parent;
            uint64_t id = (uint64_t)check->edges[task->first_parent + k];
            waits[i] += tk_map_find(&check->by_id, id, &parent) &&
                        has_edge(check, check->tasks[parent].first_child,
                                 check->tasks[parent].children, task->id);
        }
        if (waits[i] == 0)
            queue[tail++] = i;
    }
    while (head < tail) {
        const struct tk_check_task *task = &check->tasks[queue[head++]];
        for (uint32_t k = 0; k < task->children; k++) {
            uint32_t child;
            uint64_t id = (uint64_t)check->edges[task->first_child + k];
            if (tk_map_find(&check->by_id, id, &child) && waits[child] > 0 && --waits[child] == 0)
                queue[tail++] = child;
        }
    }
    if (tail == check->task_count)
        return;
    uint32_t first = 0;
    while (waits[first] == 0)
        first++;
    const struct tk_check_place place = {check->profile->tasks_name, "parents",
                                         check->tasks[first].row};
    tk_check_found(check, TK_CHECK_E11, &place,
                   "%u tasks wait for each other in a circle, or for one: the first is task %lld",
                   check->task_count - tail, (long long)check->tasks[first].id);
}

int tk_check_edges(struct tk_check *check, struct tk_err *err)
{
    if (check->edge_count == 0)
        return 0;
    for (uint32_t i = 0; i < check->task_count; i++) {
        const struct tk_check_task *task = &check->tasks[i];
        for (uint32_t k = 0; k < task->parents; k++)
            check_parent(check, task, check->edges[task->first_parent + k]);
        for (uint32_t k = 0; k < task->children; k++)
            check_child(check, task, check->edges[task->first_child + k]);
    }
    uint32_t *waits = calloc((size_t)check->task_count + 1, sizeof(*waits));
    uint32_t *queue = calloc((size_t)check->task_count + 1, sizeof(*queue));
    bool has_memory = waits && queue;
    if (has_memory)
        check_circles(check, waits, queue);
    free(waits);
    free(queue);
    return has_memory ? 0 : tk_fail(err, -ENOMEM, "out of memory");
}
