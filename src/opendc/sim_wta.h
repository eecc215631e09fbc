/* SPDX-License-Identifier: Apache-2.0 */
/* Workflows of the Workflow Trace Archive: tasks of one trace and what holds of them together. */
#ifndef TK_OPENDC_SIM_WTA_H
#define TK_OPENDC_SIM_WTA_H

#include "opendc/simulators.h"

/* Figures of a workflow, by the definitions of the archive's own tools. */
struct tk_wta_workflow {
    int64_t first_ms;     /* submission of the first task */
    int64_t last_ms;      /* end of the critical path: as if tasks waited for parents only */
    uint32_t tasks;       /* that were exported, so below */
    uint32_t path_tasks;  /* on the critical path */
    uint32_t widest;      /* tasks that may run at once, by the waves of the graph */
    uint32_t wave;        /* of those seen so far without a child */
    double cores, mem_mb; /* asked for by all */
};

struct tk_wta {
    const struct tk_simulation *simulation;
    struct tk_wta_workflow *workflows; /* [workflow_count] by first submission */
    uint32_t workflow_count;
    uint32_t *workflow_of; /* [task_count] index; TK_NONE = the task is left out */
};

/* Find the workflows: tasks with one trace id; a task without one is a workflow of its own. Fails
 * with -ENOMEM. */
TK_MUST_USE int tk_wta_init(struct tk_wta *wta, const struct tk_simulation *simulation,
                            struct tk_err *err);

/* For TK_CLEANUP; accepts a zeroed struct. */
void tk_wta_release(struct tk_wta *wta);

/* Whether both tasks were exported and are of one workflow, so that an edge between them counts. */
bool tk_wta_is_edge(const struct tk_wta *wta, uint32_t a, uint32_t b);

/* Memory that a task asked for, else had at most, in MB of 10^6 bytes; -1 = unknown. */
double tk_wta_mem_mb(const struct tk_task *task);

#endif
