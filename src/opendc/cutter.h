/* SPDX-License-Identifier: Apache-2.0 */
/* One task at a time to its fragments, and from these its size: cores, capacity, memory (opendc.md
 * section 7, steps 4 to 10). What it needs is used again for each task. */
#ifndef TK_OPENDC_CUTTER_H
#define TK_OPENDC_CUTTER_H

#include "opendc/course.h"
#include "opendc/opendc.h"

struct tk_cutter {
    struct tk_workload *workload; /* borrowed, so all below */
    const struct tk_opendc_options *options;
    struct tk_fragment_sums *sums;
    struct tk_courses courses;
    struct tk_compat_rows rows;
    struct tk_fragments made; /* of the last task */
    double most_cores;        /* that it used at once */
};

/* Nothing is cut yet. */
void tk_cutter_init(struct tk_cutter *cutter, struct tk_workload *workload,
                    const struct tk_opendc_options *options, struct tk_fragment_sums *sums);

/* Make the fragments of a task, cutter->made, and set its cpu_ns, known, cpu_count,
 * cpu_capacity_mhz, mem_kb, duration_ms. Fails with -ENOMEM, and with -ENODATA when the method for
 * the cores needs what the task does not say. */
TK_MUST_USE int tk_cutter_cut(struct tk_cutter *cutter, struct tk_task *task, struct tk_err *err);

/* For TK_CLEANUP; accepts a zeroed struct. */
void tk_cutter_release(struct tk_cutter *cutter);

#endif
