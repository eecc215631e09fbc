/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that write an export. */
#ifndef TK_OPENDC_EXPORT_INTERNAL_H
#define TK_OPENDC_EXPORT_INTERNAL_H

#include "base/buf.h"
#include "opendc/opendc.h"

#define TK_WARNINGS_MAX 64

struct tk_export {
    const struct tk_opendc_options *options;
    struct tk_workload *workload;
    struct tk_opendc_report report;
    uint32_t *order;         /* [workload->task_count] indexes of tasks, as they are written */
    uint32_t only_node;      /* TK_NONE = all */
    const char **node_names; /* [node_count] unique, in workload->text */
    char *warnings[TK_WARNINGS_MAX];
    size_t warning_count;
    int dirfd; /* folder being written */
};

/* Tell the user a line, once, and keep it for the manifest. */
void tk_export_warn(struct tk_export *export, const char *fmt, ...) TK_PRINTF(2, 3);

/* A node takes part: it is asked for. */
bool tk_export_has_node(const struct tk_export *export, uint32_t node);

/* Fragments of every task as they are made, then the rows of all tasks. */
TK_MUST_USE int tk_export_write_trace(struct tk_export *export, struct tk_err *err);

/* topology.json and topology.sdk.json; with gen2 small_datacenter.json. */
TK_MUST_USE int tk_export_write_topology(struct tk_export *export, struct tk_err *err);

/* experiment.json and experiment.sdk.json. */
TK_MUST_USE int tk_export_write_experiment(struct tk_export *export, struct tk_err *err);

/* task_map.jsonl and manifest.json. */
TK_MUST_USE int tk_export_write_map(struct tk_export *export, struct tk_err *err);
TK_MUST_USE int tk_export_write_manifest(struct tk_export *export, struct tk_err *err);

#endif
