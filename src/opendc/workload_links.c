/* SPDX-License-Identifier: Apache-2.0 */
/* Which task needs which: by spans whose child begins after its parent has ended, and by files that
 * one wrote and another reads (opendc.md section 7, step 12). A span that encloses its children
 * only calls them; that is no dependency. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "opendc/workload_internal.h"

struct edge {
    uint32_t parent, child;
};

struct links {
    struct tk_workload *workload;
    struct tk_map by_name;       /* the last task so far that has the name */
    uint32_t *by_start, *by_end; /* [task_count] indexes of tasks in the order of time */
    struct edge *edges;
    uint32_t count, cap;
};

/* Names are apart by run, so that two runs with the same files stay two. */
static uint64_t key_of(const struct tk_workload *workload, const struct tk_task *task, tk_str name)
{
    const struct tk_folder *folder = &workload->folders[workload->nodes[task->node].folder];
    return tk_hash_mix(tk_hash_text(folder->run_id), tk_hash_text(name));
}

static int add_edge(struct links *links, uint32_t parent, uint32_t child, struct tk_err *err)
{
    void *grown = tk_loader_grow(links->edges, links->count, &links->cap, sizeof(*links->edges));
    if (!grown)
        return tk_fail(err, -ENOMEM, "out of memory for %u edges", links->count);
    links->edges = grown;
    links->edges[links->count++] = (struct edge){parent, child};
    return 0;
}

static tk_str span_of(const struct tk_task *task)
{
    return task->span;
}

static tk_str output_of(const struct tk_task *task)
{
    return task->output;
}

static tk_str parent_of(const struct tk_task *task)
{
    return task->parent;
}

static tk_str input_of(const struct tk_task *task)
{
    return task->input;
}

/* Edges from the tasks that have a name to those that ask for it, of several with one name from the
 * one that ended last before. Through time: a task counts from its end on. Tasks
 * last a millisecond at least, so that edges never make a circle. */
static int link_by(struct links *links, tk_str (*has)(const struct tk_task *task),
                   tk_str (*asks)(const struct tk_task *task), struct tk_err *err)
{
    const struct tk_workload *workload = links->workload;
    const struct tk_task *tasks = workload->tasks;
    uint32_t ended = 0;
    tk_map_reset(&links->by_name);
    for (uint32_t i = 0; i < workload->task_count; i++) {
        const struct tk_task *child = &tasks[links->by_start[i]];
        for (;
             ended < workload->task_count && tasks[links->by_end[ended]].end_ms <= child->start_ms;
             ended++) {
            const struct tk_task *task = &tasks[links->by_end[ended]];
            tk_str name = has(task);
            if (name.n > 0 &&
                tk_map_add(&links->by_name, key_of(workload, task, name), links->by_end[ended]) < 0)
                return tk_fail(err, -ENOMEM, "out of memory");
        }
        uint32_t parent;
        tk_str name = asks(child);
        if (name.n == 0 || !tk_map_find(&links->by_name, key_of(workload, child, name), &parent) ||
            !tk_str_eq(has(&tasks[parent]), name))
            continue;
        int rc = add_edge(links, parent, links->by_start[i], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int compare_edges(const void *a, const void *b)
{
    const struct edge *first = a;
    const struct edge *second = b;
    if (first->child != second->child)
        return first->child < second->child ? -1 : 1;
    return (first->parent > second->parent) - (first->parent < second->parent);
}

static void drop_twice(struct links *links)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < links->count; i++) {
        if (kept == 0 || compare_edges(&links->edges[kept - 1], &links->edges[i]) != 0)
            links->edges[kept++] = links->edges[i];
    }
    links->count = kept;
}

/* Both lists of every task, so that they are symmetric. */
static int set_lists(struct links *links, struct tk_err *err)
{
    struct tk_workload *workload = links->workload;
    uint32_t *parents = tk_arena_alloc(&workload->text, links->count * sizeof(*parents));
    uint32_t *children = tk_arena_alloc(&workload->text, links->count * sizeof(*children));
    if (!parents || !children)
        return tk_fail(err, -ENOMEM, "out of memory for %u edges", links->count);
    for (uint32_t i = 0; i < links->count; i++) {
        struct tk_task *child = &workload->tasks[links->edges[i].child];
        parents[i] = links->edges[i].parent;
        if (child->parent_count++ == 0)
            child->parents = &parents[i];
        workload->tasks[links->edges[i].parent].child_count++;
    }
    uint32_t used = 0;
    for (uint32_t i = 0; i < workload->task_count; i++) {
        struct tk_task *task = &workload->tasks[i];
        task->children = &children[used];
        used += task->child_count;
        task->child_count = 0;
    }
    for (uint32_t i = 0; i < links->count; i++) {
        struct tk_task *parent = &workload->tasks[links->edges[i].parent];
        children[parent->children - children + parent->child_count++] = links->edges[i].child;
    }
    return 0;
}

static int compare_starts(const void *a, const void *b, void *context)
{
    const struct tk_task *tasks = context;
    const struct tk_task *first = &tasks[*(const uint32_t *)a];
    const struct tk_task *second = &tasks[*(const uint32_t *)b];
    if (first->start_ms != second->start_ms)
        return first->start_ms < second->start_ms ? -1 : 1;
    return (first->order > second->order) - (first->order < second->order);
}

static int compare_ends(const void *a, const void *b, void *context)
{
    const struct tk_task *tasks = context;
    const struct tk_task *first = &tasks[*(const uint32_t *)a];
    const struct tk_task *second = &tasks[*(const uint32_t *)b];
    if (first->end_ms != second->end_ms)
        return first->end_ms < second->end_ms ? -1 : 1;
    return (first->order > second->order) - (first->order < second->order);
}

static int sort_by_time(struct links *links, struct tk_err *err)
{
    const struct tk_workload *workload = links->workload;
    size_t bytes = ((size_t)workload->task_count + 1) * sizeof(uint32_t);
    links->by_start = malloc(bytes);
    links->by_end = malloc(bytes);
    if (!links->by_start || !links->by_end)
        return tk_fail(err, -ENOMEM, "out of memory for %u tasks", workload->task_count);
    for (uint32_t i = 0; i < workload->task_count; i++)
        links->by_start[i] = links->by_end[i] = i;
    qsort_r(links->by_start, workload->task_count, sizeof(uint32_t), compare_starts,
            workload->tasks);
    qsort_r(links->by_end, workload->task_count, sizeof(uint32_t), compare_ends, workload->tasks);
    return 0;
}

/* A child that is submitted after its parent may have ended stays blocked for ever from v2.4g on:
 * it is submitted with the parent then. Parents first, so that what moves them moves it, too. */
static void move_submissions(const struct links *links)
{
    struct tk_workload *workload = links->workload;
    for (uint32_t i = 0; i < workload->task_count; i++) {
        struct tk_task *child = &workload->tasks[links->by_start[i]];
        int64_t before_ms = child->submission_ms;
        for (uint32_t k = 0; k < child->parent_count; k++) {
            const struct tk_task *parent = &workload->tasks[child->parents[k]];
            int64_t ends_ms = parent->submission_ms + parent->end_ms - parent->start_ms;
            if (child->submission_ms > ends_ms)
                child->submission_ms = parent->submission_ms;
        }
        workload->counts.moved += child->submission_ms < before_ms;
    }
}

int tk_loader_link(struct tk_loader *loader, struct tk_err *err)
{
    struct links links = {.workload = loader->workload};
    int rc = sort_by_time(&links, err);
    rc = rc < 0 ? rc : link_by(&links, span_of, parent_of, err);
    rc = rc < 0 ? rc : link_by(&links, output_of, input_of, err);
    if (rc == 0 && links.count > 0) {
        qsort(links.edges, links.count, sizeof(*links.edges), compare_edges);
        drop_twice(&links);
        rc = set_lists(&links, err);
        if (rc == 0)
            move_submissions(&links);
    }
    loader->workload->counts.edges = links.count;
    tk_map_release(&links.by_name);
    free(links.by_start);
    free(links.by_end);
    free(links.edges);
    return rc;
}
