/* SPDX-License-Identifier: Apache-2.0 */
/* The workflows of a workload, and their critical paths. */
#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"
#include "opendc/sim_wta.h"

/* A task on its way through the graph. */
struct step {
    int64_t finish_ms;  /* by the critical path to it */
    uint32_t waits_for; /* parents that were not seen yet */
    uint32_t path_tasks;
    bool has_child; /* one was seen */
};

double tk_wta_mem_mb(const struct tk_task *task)
{
    static const double kb_per_mb = 1e6 / 1024;
    if (task->req_mem_kb > 0)
        return (double)task->req_mem_kb / kb_per_mb;
    return task->mem_is_estimate ? -1 : (double)task->mem_kb / kb_per_mb;
}

/* The workflow of a trace, or a new one. */
static int find_workflow(struct tk_wta *wta, struct tk_map *traces, const struct tk_task *task,
                         uint32_t *ret, struct tk_err *err)
{
    uint64_t key = tk_hash_text(task->trace);
    if (task->trace.n > 0 && tk_map_find(traces, key, ret))
        return 0;
    *ret = wta->workflow_count++;
    wta->workflows[*ret] = (struct tk_wta_workflow){.first_ms = task->enqueue_ms};
    if (task->trace.n > 0 && tk_map_add(traces, key, *ret) < 0)
        return tk_fail(err, -ENOMEM, "out of memory");
    return 0;
}

static void add_task(struct tk_wta_workflow *workflow, const struct tk_task *task)
{
    double mem_mb = tk_wta_mem_mb(task);
    workflow->tasks++;
    workflow->cores += task->cpu_count;
    workflow->mem_mb += mem_mb > 0 ? mem_mb : 0;
    if (task->enqueue_ms < workflow->first_ms)
        workflow->first_ms = task->enqueue_ms;
}

static int find_workflows(struct tk_wta *wta, struct tk_err *err)
{
    const struct tk_workload *workload = wta->simulation->workload;
    TK_CLEANUP(tk_map_release) struct tk_map traces = {0};
    for (uint32_t i = 0; i < workload->task_count; i++) {
        uint32_t index = workload->sorted[i];
        const struct tk_task *task = &workload->tasks[index];
        wta->workflow_of[index] = TK_NONE;
        if (task->id == 0)
            continue;
        int rc = find_workflow(wta, &traces, task, &wta->workflow_of[index], err);
        if (rc < 0)
            return rc;
        add_task(&wta->workflows[wta->workflow_of[index]], task);
    }
    return 0;
}

/* The graph ---------------------------------------------------------------------------------- */

bool tk_wta_is_edge(const struct tk_wta *wta, uint32_t a, uint32_t b)
{
    return wta->workflow_of[a] != TK_NONE && wta->workflow_of[a] == wta->workflow_of[b];
}

/* A task whose parents have all been seen. */
static void visit(const struct tk_wta *wta, struct step *steps, uint32_t index)
{
    const struct tk_task *task = &wta->simulation->workload->tasks[index];
    struct tk_wta_workflow *workflow = &wta->workflows[wta->workflow_of[index]];
    struct step *step = &steps[index];
    int64_t ready_ms = 0;
    for (uint32_t i = 0; i < task->parent_count; i++) {
        struct step *parent = &steps[task->parents[i]];
        if (!tk_wta_is_edge(wta, index, task->parents[i]))
            continue;
        workflow->wave -= !parent->has_child;
        parent->has_child = true;
        if (parent->finish_ms > ready_ms) {
            ready_ms = parent->finish_ms;
            step->path_tasks = parent->path_tasks;
        }
    }
    workflow->wave++;
    if (workflow->wave > workflow->widest)
        workflow->widest = workflow->wave;
    int64_t start_ms = task->enqueue_ms > ready_ms ? task->enqueue_ms : ready_ms;
    step->path_tasks++;
    step->finish_ms = start_ms + task->end_ms - task->start_ms;
    if (step->finish_ms > workflow->last_ms) {
        workflow->last_ms = step->finish_ms;
        workflow->path_tasks = step->path_tasks;
    }
}

/* Go through the tasks wave by wave: `queue` [task_count] takes those whose turn it is. */
static void follow_edges(const struct tk_wta *wta, struct step *steps, uint32_t *queue)
{
    const struct tk_workload *workload = wta->simulation->workload;
    uint32_t tail = 0;
    for (uint32_t i = 0; i < workload->task_count; i++) {
        uint32_t index = workload->sorted[i];
        const struct tk_task *task = &workload->tasks[index];
        for (uint32_t k = 0; k < task->parent_count; k++)
            steps[index].waits_for += tk_wta_is_edge(wta, index, task->parents[k]);
        if (wta->workflow_of[index] != TK_NONE && steps[index].waits_for == 0)
            queue[tail++] = index;
    }
    for (uint32_t head = 0; head < tail; head++) {
        const struct tk_task *task = &workload->tasks[queue[head]];
        visit(wta, steps, queue[head]);
        for (uint32_t k = 0; k < task->child_count; k++) {
            uint32_t child = task->children[k];
            if (tk_wta_is_edge(wta, queue[head], child) && --steps[child].waits_for == 0)
                queue[tail++] = child;
        }
    }
}

static int find_paths(struct tk_wta *wta, struct tk_err *err)
{
    size_t count = wta->simulation->workload->task_count;
    struct step *steps = calloc(count, sizeof(*steps));
    uint32_t *queue = calloc(count, sizeof(*queue));
    bool ok = steps && queue;
    if (ok)
        follow_edges(wta, steps, queue);
    free(steps);
    free(queue);
    return ok ? 0 : tk_fail(err, -ENOMEM, "out of memory");
}

int tk_wta_init(struct tk_wta *wta, const struct tk_simulation *simulation, struct tk_err *err)
{
    size_t count = simulation->workload->task_count;
    *wta = (struct tk_wta){
        .simulation = simulation,
        .workflows = calloc(count, sizeof(*wta->workflows)),
        .workflow_of = calloc(count, sizeof(*wta->workflow_of)),
    };
    if (!wta->workflows || !wta->workflow_of)
        return tk_fail(err, -ENOMEM, "out of memory");
    int rc = find_workflows(wta, err);
    return rc < 0 ? rc : find_paths(wta, err);
}

void tk_wta_release(struct tk_wta *wta)
{
    free(wta->workflows);
    free(wta->workflow_of);
}
