/* SPDX-License-Identifier: Apache-2.0 */
/* The formulas of the two generations of the original exporter, flaws included (opendc.md section
 * 8): a fixed floor of 0.1 MHz, nothing after the last sample, an unweighted percentile. Two are
 * left out unless asked for: joins by the pid alone, and a cap of 2400 MHz per core. */
#ifndef TK_OPENDC_COMPAT_H
#define TK_OPENDC_COMPAT_H

#include "opendc/fragments.h"
#include "opendc/workload.h"

enum tk_compat { TK_COMPAT_OFF, TK_COMPAT_GEN1, TK_COMPAT_GEN2 };

/* One row of proc_cpu: CPU time within (ts - dt, ts]. */
struct tk_compat_row {
    int64_t ts_ms, dt_ms, cpu_ms;
};

struct tk_compat_rows {
    struct tk_compat_row *items; /* owned */
    size_t count, cap;
};

/* The rows of a task's process within the task, in the order of time; with `by_pid` those of all
 * processes that had the pid. Fails with -ENOMEM. */
TK_MUST_USE int tk_compat_rows_read(struct tk_compat_rows *rows, const struct tk_workload *workload,
                                    const struct tk_task *task, bool by_pid, struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_compat_rows_release(struct tk_compat_rows *rows);

struct tk_compat_rules {
    enum tk_compat compat; /* not OFF */
    bool has_cap;          /* at most 2400 MHz per core; of generation 2 */
    int64_t cores;         /* of the node */
    double mhz;            /* of a core */
};

/* Replace what is in `fragments`, and set cpu_count, cpu_capacity_mhz, known of the task. */
TK_MUST_USE int tk_compat_cut(struct tk_fragments *fragments, struct tk_task *task,
                              const struct tk_compat_rows *rows,
                              const struct tk_compat_rules *rules, struct tk_err *err);

#endif
