/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that read a workload. */
#ifndef TK_OPENDC_WORKLOAD_INTERNAL_H
#define TK_OPENDC_WORKLOAD_INTERNAL_H

#include "base/map.h"
#include "opendc/workload.h"
#include "run/run.h"

struct tk_loader {
    struct tk_workload *workload;
    const struct tk_workload_options *options;
    uint32_t folder;         /* being read */
    struct tk_map wanted;    /* (node, pid) of invocations */
    struct tk_map processes; /* by identity */
    struct tk_map by_pid;    /* (node, pid): the last process that had it */
    struct tk_map seen;      /* invocations, by the hash of what makes a duplicate */
    bool keeps_all;          /* readings of processes that no invocation names, too */
    bool reads_load;         /* host rows become processes of their own: mode node */
    uint32_t folder_cap, node_cap, process_cap, task_cap, input_cap;
};

/* Make room for one more item of an array that doubles; NULL when there is no memory. */
void *tk_loader_grow(void *items, uint32_t count, uint32_t *cap, size_t size);

/* A copy in workload->text; empty when memory is short. */
tk_str tk_loader_copy(struct tk_loader *loader, tk_str text);

/* Node of a row, by its node and host columns (SIZE_MAX = it has none); TK_NONE and counted when
 * the folder does not know it. */
uint32_t tk_loader_node(struct tk_loader *loader, const struct tk_batch *batch, size_t row,
                        size_t node_column, size_t host_column);

/* Time of a row, epoch us; INT64_MIN = it has none. */
int64_t tk_loader_stamp(const struct tk_batch *batch, size_t row, size_t us_column,
                        size_t ms_column);

/* Read `name` of the folder to its end; 1 when it has no such file. */
TK_MUST_USE int tk_loader_read(struct tk_loader *loader, const char *name,
                               const struct tk_schema *schema,
                               int (*take)(struct tk_loader *loader, const struct tk_batch *batch,
                                           size_t row, struct tk_err *err),
                               struct tk_err *err);

/* Read a table wherever the folder has it; 1 when it has it nowhere. */
TK_MUST_USE int tk_loader_read_table(struct tk_loader *loader, enum tk_table table,
                                     int (*take)(struct tk_loader *loader,
                                                 const struct tk_batch *batch, size_t row,
                                                 struct tk_err *err),
                                     struct tk_err *err);

/* Add the run folders in `path`, itself included. */
TK_MUST_USE int tk_loader_find(struct tk_loader *loader, const char *path, struct tk_err *err);

/* Steps, per folder. */
TK_MUST_USE int tk_loader_read_nodes(struct tk_loader *loader, struct tk_err *err);
TK_MUST_USE int tk_loader_read_invocations(struct tk_loader *loader, struct tk_err *err);
TK_MUST_USE int tk_loader_read_processes(struct tk_loader *loader, struct tk_err *err);
TK_MUST_USE int tk_loader_read_hosts(struct tk_loader *loader, struct tk_err *err);

/* Steps, once all folders are read. */
TK_MUST_USE int tk_loader_join(struct tk_loader *loader, struct tk_err *err);
TK_MUST_USE int tk_loader_link(struct tk_loader *loader, struct tk_err *err);
TK_MUST_USE int tk_loader_sort(struct tk_loader *loader, struct tk_err *err);

/* Tasks of the modes that do not begin with invocations. */
TK_MUST_USE int tk_loader_add_services(struct tk_loader *loader, struct tk_err *err);

/* Choose the frequency of each node with a task. */
TK_MUST_USE int tk_loader_set_frequencies(struct tk_loader *loader, struct tk_err *err);

#endif
