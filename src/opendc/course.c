/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/course.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/clock.h"

#define NEAR_US                                                                                    \
    100000 /* birth and exit of a process of its own lie so near to the task's times               \
            */

void tk_courses_init(struct tk_courses *courses, struct tk_workload *workload)
{
    *courses = (struct tk_courses){.workload = workload};
}

void tk_courses_release(struct tk_courses *courses)
{
    tk_series_release(&courses->series);
    free(courses->cuts_us);
    free(courses->course.at_ms);
    free(courses->course.cpu_ns);
    *courses = (struct tk_courses){0};
}

/* Readings as a series ---------------------------------------------------------------------- */

static const struct tk_folder *folder_of(const struct tk_workload *workload, uint32_t node)
{
    return &workload->folders[workload->nodes[node].folder];
}

static int add_knot(struct tk_series *series, int64_t us, int64_t ns, struct tk_err *err)
{
    return tk_series_add(series, (struct tk_knot){.us = us, .ns = ns, .rss_kb = -1}, err);
}

/* The second reading of a process, or its exit; false when there is only one. */
static bool second_reading(const struct tk_process *process, int64_t *ret_us, int64_t *ret_ns)
{
    if (process->point_count >= 2) {
        const struct tk_points *first = process->first; /* has room for two at least */
        *ret_us = first->items[1].us;
        *ret_ns = first->items[1].cpu_ns;
        return true;
    }
    *ret_us = process->exit_us;
    *ret_ns = process->exit_cpu_ns;
    return process->exit_cpu_ns >= 0 && process->exit_us > process->first->items[0].us;
}

/* What a process had used at the start, before its first reading: nothing when it was made for the
 * task and can have used all since; else by the rate of the first interval. */
static int64_t used_before(const struct tk_process *process, int64_t cores,
                           const struct tk_reach *reach)
{
    const struct tk_point *first = &process->first->items[0];
    int64_t gap_us = first->us - reach->from_us;
    if (reach->is_own && first->cpu_ns / 1000 <= gap_us * cores)
        return 0;
    int64_t us;
    int64_t ns;
    if (!second_reading(process, &us, &ns) || ns < first->cpu_ns)
        return first->cpu_ns;
    int64_t used_ns = (int64_t)tk_mul_div((uint64_t)(ns - first->cpu_ns), (uint64_t)gap_us,
                                          (uint64_t)(us - first->us));
    return used_ns < first->cpu_ns ? first->cpu_ns - used_ns : 0;
}

/* The moment before the first reading: birth where it lies in the run, else the start of the task.
 */
static int add_before(const struct tk_workload *workload, const struct tk_process *process,
                      const struct tk_reach *reach, struct tk_series *series, struct tk_err *err)
{
    const struct tk_folder *folder = folder_of(workload, process->node);
    int64_t first_us = process->first ? process->first->items[0].us : process->exit_us;
    bool is_new = process->birth_us != INT64_MIN && process->birth_us < first_us &&
                  (reach->is_own || !process->first ||
                   (folder->start_us != INT64_MIN && process->birth_us >= folder->start_us));
    if (is_new)
        return add_knot(series, process->birth_us, 0, err);
    if (!process->first || first_us <= reach->from_us)
        return 0;
    int64_t used_ns = used_before(process, workload->nodes[process->node].cores, reach);
    return add_knot(series, reach->from_us, used_ns, err);
}

/* Where only processes that ran are read, one without a reading for some ticks did not run until
 * the tick before its next. */
static int add_rest(const struct tk_folder *folder, struct tk_series *series,
                    const struct tk_point *point, struct tk_err *err)
{
    if (!folder->changed_only || folder->interval_us <= 0 || series->count == 0)
        return 0;
    const struct tk_knot *last = &series->items[series->count - 1];
    int64_t woke_us = point->us - folder->interval_us;
    if (!last->is_reading || woke_us - last->us < folder->interval_us / 2)
        return 0;
    return add_knot(series, woke_us, last->ns, err);
}

/* What comes after the last reading: the exit, or as in the last interval. */
static int add_after(const struct tk_folder *folder, const struct tk_process *process,
                     int64_t to_us, struct tk_series *series, struct tk_err *err)
{
    if (process->exit_us != INT64_MIN) {
        struct tk_knot end = {.us = process->exit_us,
                              .ns = process->exit_cpu_ns,
                              .rss_kb = (int32_t)process->exit_rss_kb,
                              .is_reading = true};
        return tk_series_add(series, end, err);
    }
    const struct tk_knot *last = &series->items[series->count - 1];
    if (last->us >= to_us || series->count < 2 || folder->changed_only)
        return 0;
    const struct tk_knot *before = last - 1;
    int64_t more_ns =
        (int64_t)tk_mul_div((uint64_t)(last->ns - before->ns), (uint64_t)(to_us - last->us),
                            (uint64_t)(last->us - before->us));
    return add_knot(series, to_us, last->ns + more_ns, err);
}

static int add_points(const struct tk_folder *folder, const struct tk_points *points,
                      struct tk_series *series, struct tk_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < points->count; i++) {
        const struct tk_point *point = &points->items[i];
        const struct tk_knot knot = {.us = point->us,
                                     .ns = point->cpu_ns,
                                     .rss_kb = (int32_t)point->rss_kb,
                                     .is_reading = true};
        rc = add_rest(folder, series, point, err);
        rc = rc < 0 ? rc : tk_series_add(series, knot, err);
    }
    return rc;
}

int tk_courses_read_process(const struct tk_workload *workload, const struct tk_process *process,
                            const struct tk_reach *reach, struct tk_series *ret_series,
                            struct tk_err *err)
{
    const struct tk_folder *folder = folder_of(workload, process->node);
    ret_series->count = 0;
    if (!process->first && (process->exit_cpu_ns < 0 || process->birth_us == INT64_MIN))
        return 1;
    int rc = add_before(workload, process, reach, ret_series, err);
    for (const struct tk_points *at = process->first; rc == 0 && at; at = at->next)
        rc = add_points(folder, at, ret_series, err);
    rc = rc < 0 ? rc : add_after(folder, process, reach->to_us, ret_series, err);
    if (rc < 0)
        return rc;
    return ret_series->count >= 2 ? 0 : 1;
}

/* Courses ------------------------------------------------------------------------------------- */

static int reserve(struct tk_courses *courses, size_t count, struct tk_err *err)
{
    if (count <= courses->course_cap)
        return 0;
    size_t cap = count * 2;
    int64_t *at_ms = realloc(courses->course.at_ms, cap * sizeof(*at_ms));
    if (at_ms)
        courses->course.at_ms = at_ms;
    int64_t *cpu_ns = realloc(courses->course.cpu_ns, cap * sizeof(*cpu_ns));
    if (cpu_ns)
        courses->course.cpu_ns = cpu_ns;
    if (!at_ms || !cpu_ns)
        return tk_fail(err, -ENOMEM, "out of memory for a task of %zu readings", count);
    courses->course_cap = cap;
    return 0;
}

/* The start of the task, and its end once the rest is there. */
static void begin(struct tk_course *course, const struct tk_task *task)
{
    course->count = 1;
    course->at_ms[0] = task->start_ms;
    course->cpu_ns[0] = 0;
}

static void end(struct tk_course *course, const struct tk_task *task, int64_t cpu_ns)
{
    course->at_ms[course->count] = task->end_ms;
    course->cpu_ns[course->count++] = cpu_ns;
}

/* A cut at a reading; two within a millisecond are one, as are those at the ends of the task. */
static void add_cut(struct tk_course *course, const struct tk_task *task, int64_t us,
                    int64_t cpu_ns)
{
    int64_t ms = (us + 500) / 1000;
    if (ms >= task->end_ms || ms <= task->start_ms)
        return;
    if (ms > course->at_ms[course->count - 1]) {
        course->at_ms[course->count] = ms;
        course->count++;
    }
    course->cpu_ns[course->count - 1] = cpu_ns;
}

/* Even, with a total. */
static int set_even(struct tk_courses *courses, struct tk_task *task, int64_t cpu_ns,
                    enum tk_cpu_known known, struct tk_err *err)
{
    int rc = reserve(courses, 2, err);
    if (rc < 0)
        return rc;
    begin(&courses->course, task);
    end(&courses->course, task, cpu_ns);
    task->cpu_ns = cpu_ns;
    task->known = known;
    return 0;
}

/* Scale the increments to the total that is known. What was used although the readings saw nothing
 * is spread evenly. */
static void scale(struct tk_course *course, int64_t total_ns)
{
    int64_t sampled_ns = course->cpu_ns[course->count - 1];
    if (sampled_ns == total_ns)
        return;
    if (sampled_ns == 0) {
        course->at_ms[1] = course->at_ms[course->count - 1];
        course->cpu_ns[1] = total_ns;
        course->count = 2;
        return;
    }
    for (size_t i = 1; i < course->count; i++) {
        course->cpu_ns[i] = (int64_t)tk_mul_div((uint64_t)course->cpu_ns[i], (uint64_t)total_ns,
                                                (uint64_t)sampled_ns);
    }
}

/* The largest reading within a task. */
static int64_t largest_rss_kb(const struct tk_series *series, const struct tk_task *task)
{
    int64_t rss_kb = -1;
    for (size_t i = tk_series_find(series, task->start_ms * 1000);
         i < series->count && series->items[i].us <= task->end_ms * 1000; i++)
        rss_kb = series->items[i].rss_kb > rss_kb ? series->items[i].rss_kb : rss_kb;
    return rss_kb;
}

/* The part of a series that lies within the task; `total_ns` -1 = as the series says. */
static int set_from_series(struct tk_courses *courses, struct tk_task *task,
                           const struct tk_series *series, int64_t total_ns, struct tk_err *err)
{
    int64_t start_us = task->start_ms * 1000;
    int64_t end_us = task->end_ms * 1000;
    size_t from = tk_series_find(series, start_us);
    size_t to = tk_series_find(series, end_us);
    int rc = reserve(courses, to - from + 2, err);
    if (rc < 0)
        return rc;
    int64_t base_ns = tk_series_at(series, start_us, from);
    begin(&courses->course, task);
    for (size_t i = from; i < to; i++) {
        const struct tk_knot *knot = &series->items[i];
        if (knot->is_reading)
            add_cut(&courses->course, task, knot->us, knot->ns - base_ns);
    }
    end(&courses->course, task, tk_series_at(series, end_us, to) - base_ns);
    if (total_ns >= 0)
        scale(&courses->course, total_ns);
    if (task->rss_kb < 0)
        task->rss_kb = largest_rss_kb(series, task);
    task->cpu_ns = courses->course.cpu_ns[courses->course.count - 1];
    task->known = TK_KNOWN_SAMPLES;
    return 0;
}

/* A process of its own ---------------------------------------------------------------------- */

/* The process was made for this task. */
static bool is_own(const struct tk_process *process, const struct tk_task *task)
{
    return process->birth_us == INT64_MIN ? task->is_command
                                          : process->birth_us >= task->start_ms * 1000 - NEAR_US;
}

/* And ended with it: its exit record is the task's bill. */
static int64_t total_of(const struct tk_process *process, const struct tk_task *task)
{
    bool has_ended = process->exit_us != INT64_MIN && process->exit_cpu_ns >= 0 &&
                     process->exit_us <= task->end_ms * 1000 + NEAR_US;
    return is_own(process, task) && has_ended ? process->exit_cpu_ns : -1;
}

/* A process that only this task used, or this and none at the same time. */
static int set_from_process(struct tk_courses *courses, struct tk_task *task,
                            const struct tk_process *process, struct tk_err *err)
{
    bool is_service = courses->workload->mode != TK_MODE_SPLIT;
    int64_t total_ns = is_service ? -1 : total_of(process, task);
    if (total_ns < 0 && task->thread_cpu_ns >= 0 &&
        folder_of(courses->workload, task->node)->is_ours)
        total_ns = task->thread_cpu_ns;
    const struct tk_reach reach = {task->start_ms * 1000, task->end_ms * 1000,
                                   !is_service && is_own(process, task)};
    int rc = tk_courses_read_process(courses->workload, process, &reach, &courses->series, err);
    if (rc == 1 && total_ns >= 0)
        return set_even(courses, task, total_ns, TK_KNOWN_TOTAL, err);
    if (rc != 0)
        return rc;
    return set_from_series(courses, task, &courses->series, total_ns, err);
}

/* A process that several share ------------------------------------------------------------- */

static int compare_turns(const void *a, const void *b)
{
    const struct tk_turn *first = a;
    const struct tk_turn *second = b;
    if (first->start_us != second->start_us)
        return first->start_us < second->start_us ? -1 : 1;
    return (first->end_us > second->end_us) - (first->end_us < second->end_us);
}

/* The turn of a task, by its times: tasks of equal times were active together, so that any will do.
 */
static const struct tk_turn *turn_of(const struct tk_turn *turns, size_t count,
                                     const struct tk_task *task)
{
    struct tk_turn key = {.start_us = task->start_ms * 1000, .end_us = task->end_ms * 1000};
    const struct tk_turn *turn = bsearch(&key, turns, count, sizeof(*turns), compare_turns);
    assert(turn);
    return turn;
}

/* What all tasks of the process took, and what nobody did. */
static void note_unattributed(struct tk_workload *workload, const struct tk_process *process,
                              const struct tk_series *shares, int64_t nobodys_ns)
{
    workload->counts.unattributed_ns += nobodys_ns;
    for (uint32_t i = process->first_task; i != TK_NONE; i = workload->tasks[i].next) {
        const struct tk_task *task = &workload->tasks[i];
        if (!task->is_thread_share)
            continue;
        int64_t share_ns = tk_series_at(shares, task->end_ms * 1000, 0) -
                           tk_series_at(shares, task->start_ms * 1000, 0);
        workload->counts.unattributed_ns += share_ns - task->thread_cpu_ns;
    }
}

static int share_with_turns(struct tk_courses *courses, struct tk_process *process,
                            struct tk_turn *turns, struct tk_err *err)
{
    struct tk_workload *workload = courses->workload;
    bool is_ours = folder_of(workload, process->node)->is_ours;
    size_t count = 0;
    int64_t last_us = INT64_MIN;
    for (uint32_t i = process->first_task; i != TK_NONE; i = workload->tasks[i].next) {
        const struct tk_task *task = &workload->tasks[i];
        turns[count++] = (struct tk_turn){.start_us = task->start_ms * 1000,
                                          .end_us = task->end_ms * 1000,
                                          .says_own = is_ours && task->thread_cpu_ns >= 0};
        last_us = task->end_ms * 1000 > last_us ? task->end_ms * 1000 : last_us;
    }
    qsort(turns, count, sizeof(*turns), compare_turns);
    const struct tk_reach reach = {turns[0].start_us, last_us, false};
    int rc = tk_courses_read_process(workload, process, &reach, &courses->series, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    int64_t nobodys_ns;
    rc = tk_series_share(&courses->series, turns, count, process->shared, &nobodys_ns, err);
    if (rc < 0)
        return rc;
    for (uint32_t i = process->first_task; i != TK_NONE; i = workload->tasks[i].next) {
        workload->tasks[i].is_thread_share =
            turn_of(turns, count, &workload->tasks[i])->ret_all_say;
    }
    note_unattributed(workload, process, process->shared, nobodys_ns);
    return 0;
}

/* Once per process, with its first task. A process of which nothing is known gets an empty one. */
static int make_shares(struct tk_courses *courses, struct tk_process *process, struct tk_err *err)
{
    struct tk_turn *turns = malloc(process->tasks * sizeof(*turns));
    process->shared = calloc(1, sizeof(*process->shared));
    int rc = turns && process->shared
                 ? share_with_turns(courses, process, turns, err)
                 : tk_fail(err, -ENOMEM, "out of memory for %u tasks", process->tasks);
    free(turns);
    return rc;
}

static int set_from_shares(struct tk_courses *courses, struct tk_task *task,
                           struct tk_process *process, struct tk_err *err)
{
    int rc = process->shared ? 0 : make_shares(courses, process, err);
    if (rc < 0 || process->shared->count < 2)
        return rc < 0 ? rc : 1;
    return set_from_series(courses, task, process->shared,
                           task->is_thread_share ? task->thread_cpu_ns : -1, err);
}

/* A tree of processes ----------------------------------------------------------------------- */

static int compare_i64(const void *a, const void *b)
{
    int64_t first = *(const int64_t *)a;
    int64_t second = *(const int64_t *)b;
    return (first > second) - (first < second);
}

/* All moments of readings within the task, ascending. */
static int collect_cuts(struct tk_courses *courses, const struct tk_task *task, size_t *ret_count,
                        struct tk_err *err)
{
    const struct tk_workload *workload = courses->workload;
    size_t count = 0;
    for (uint32_t p = task->first_in_tree; p != TK_NONE; p = workload->processes[p].next_in_tree) {
        const struct tk_process *process = &workload->processes[p];
        if (count + process->point_count + 1 > courses->cut_cap) {
            size_t cap = (count + process->point_count + 1) * 2;
            int64_t *cuts_us = realloc(courses->cuts_us, cap * sizeof(*cuts_us));
            if (!cuts_us)
                return tk_fail(err, -ENOMEM, "out of memory for %zu readings", cap);
            courses->cuts_us = cuts_us;
            courses->cut_cap = cap;
        }
        for (const struct tk_points *at = process->first; at; at = at->next) {
            for (uint32_t i = 0; i < at->count; i++)
                courses->cuts_us[count++] = at->items[i].us;
        }
        if (process->exit_us != INT64_MIN)
            courses->cuts_us[count++] = process->exit_us;
    }
    if (count > 0)
        qsort(courses->cuts_us, count, sizeof(*courses->cuts_us), compare_i64);
    *ret_count = count;
    return 0;
}

/* Processes are read one after the other within a sweep: of the moments that lie nearer than half
 * an interval only the first is a cut. CPU time at the cuts is still zero. */
static int set_tree_cuts(struct tk_courses *courses, const struct tk_task *task, struct tk_err *err)
{
    size_t count = 0;
    int rc = collect_cuts(courses, task, &count, err);
    rc = rc < 0 ? rc : reserve(courses, count + 2, err);
    if (rc < 0)
        return rc;
    int64_t near_ms = folder_of(courses->workload, task->node)->interval_us / 2000;
    struct tk_course *course = &courses->course;
    begin(course, task);
    for (size_t i = 0; i < count; i++) {
        int64_t ms = (courses->cuts_us[i] + 500) / 1000;
        if (ms - course->at_ms[course->count - 1] >= near_ms && task->end_ms - ms >= near_ms)
            add_cut(course, task, courses->cuts_us[i], 0);
    }
    end(course, task, 0);
    return 0;
}

/* Add what one process used to each interval of the course: cpu_ns[i] is that of the interval that
 * ends there. Only intervals that the process lived in are touched. */
static void add_process(struct tk_course *course, const struct tk_series *series)
{
    int64_t first_us = series->items[0].us;
    int64_t last_us = series->items[series->count - 1].us;
    size_t low = 1;
    size_t high = course->count - 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (course->at_ms[middle] * 1000 < first_us) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    size_t near = 0;
    int64_t before_ns = tk_series_at(series, course->at_ms[low - 1] * 1000, 0);
    for (size_t i = low; i < course->count; i++) {
        int64_t us = course->at_ms[i] * 1000;
        while (near < series->count && series->items[near].us < us)
            near++;
        int64_t ns = tk_series_at(series, us, near);
        course->cpu_ns[i] += ns - before_ns;
        before_ns = ns;
        if (us >= last_us)
            break;
    }
}

/* Of a single process the readings are right as they are: what is left of the total came after the
 * last of them, unless that is more than all cores can do. */
static bool ends_with_total(struct tk_course *course, int64_t total_ns, int64_t cores)
{
    int64_t read_ns = course->cpu_ns[course->count - 2];
    int64_t tail_ms = course->at_ms[course->count - 1] - course->at_ms[course->count - 2];
    if (read_ns > total_ns || (total_ns - read_ns) / TK_NS_PER_MS > tail_ms * cores)
        return false;
    course->cpu_ns[course->count - 1] = total_ns;
    return true;
}

/* CPU time of all processes of the tree that were read, at the cuts, and the largest of them. */
static int add_processes(struct tk_courses *courses, const struct tk_task *task,
                         int64_t *ret_rss_kb, struct tk_err *err)
{
    const struct tk_workload *workload = courses->workload;
    const struct tk_reach reach = {task->start_ms * 1000, task->end_ms * 1000, true};
    *ret_rss_kb = -1;
    for (uint32_t p = task->first_in_tree; p != TK_NONE; p = workload->processes[p].next_in_tree) {
        int rc = tk_courses_read_process(workload, &workload->processes[p], &reach,
                                         &courses->series, err);
        if (rc < 0)
            return rc;
        if (rc == 1)
            continue;
        add_process(&courses->course, &courses->series);
        int64_t rss_kb = largest_rss_kb(&courses->series, task);
        *ret_rss_kb = rss_kb > *ret_rss_kb ? rss_kb : *ret_rss_kb;
    }
    struct tk_course *course = &courses->course;
    for (size_t i = 1; i < course->count; i++)
        course->cpu_ns[i] += course->cpu_ns[i - 1];
    return 0;
}

/* The tree's own total; its course is that of its processes, scaled, as some are too short-lived to
 * be read. */
static int set_from_tree(struct tk_courses *courses, struct tk_task *task, struct tk_err *err)
{
    const struct tk_workload *workload = courses->workload;
    if (task->first_in_tree == TK_NONE)
        return set_even(courses, task, task->tree_cpu_ns, TK_KNOWN_TOTAL, err);
    int rc = set_tree_cuts(courses, task, err);
    int64_t rss_kb;
    rc = rc < 0 ? rc : add_processes(courses, task, &rss_kb, err);
    if (rc < 0)
        return rc;
    if (task->rss_kb < 0)
        task->rss_kb = rss_kb;
    struct tk_course *course = &courses->course;
    bool is_alone = workload->processes[task->first_in_tree].next_in_tree == TK_NONE;
    task->known = course->cpu_ns[course->count - 1] > 0 ? TK_KNOWN_SAMPLES : TK_KNOWN_TOTAL;
    task->cpu_ns = task->tree_cpu_ns;
    if (!is_alone || !ends_with_total(course, task->tree_cpu_ns, workload->nodes[task->node].cores))
        scale(course, task->tree_cpu_ns);
    return 0;
}

/* Any ------------------------------------------------------------------------------------------ */

/* By what is known, best first; 1 when nothing is. */
static int set_course(struct tk_courses *courses, struct tk_task *task, struct tk_err *err)
{
    struct tk_workload *workload = courses->workload;
    if (task->tree_cpu_ns >= 0 && workload->mode != TK_MODE_REQUEST)
        return set_from_tree(courses, task, err);
    if (task->process != TK_NONE) {
        struct tk_process *process = &workload->processes[task->process];
        int rc = process->tasks > 1 ? set_from_shares(courses, task, process, err)
                                    : set_from_process(courses, task, process, err);
        if (rc != 1)
            return rc;
    }
    if (task->tree_cpu_ns >= 0)
        return set_even(courses, task, task->tree_cpu_ns, TK_KNOWN_TOTAL, err);
    return task->thread_cpu_ns >= 0
               ? set_even(courses, task, task->thread_cpu_ns, TK_KNOWN_TOTAL, err)
               : 1;
}

int tk_courses_find(struct tk_courses *courses, struct tk_task *task, struct tk_err *err)
{
    int rc = set_course(courses, task, err);
    if (rc == 1) {
        int64_t half_ns = (task->end_ms - task->start_ms) * (TK_NS_PER_MS / 2);
        rc = set_even(courses, task, half_ns, TK_KNOWN_NOTHING, err);
    }
    if (rc == 0)
        courses->known[task->known]++;
    return rc;
}
