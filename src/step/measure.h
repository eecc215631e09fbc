/* SPDX-License-Identifier: Apache-2.0 */
/* From counters to the figures of a step (build-telemetry.md sections 5.5 and 6.1). Each function
 * sets what it knows and leaves the rest; what went backwards or is missing stays absent. */
#ifndef TK_STEP_MEASURE_H
#define TK_STEP_MEASURE_H

#include "collect/cgroups.h"
#include "step/record.h"

#define TK_STEP_MB (1024.0 * 1024.0)

/* Flags of `quality`. */
#define TK_STEP_SHORT      "short"      /* under 100 ms */
#define TK_STEP_CLOCK_STEP "clock_step" /* the wall clock was set by more than 0.5 s */
#define TK_STEP_NEIGHBOURS "neighbours" /* others used a quarter of the machine or more */
#define TK_STEP_SWAPPED    "swapped"    /* the machine wrote to swap */
#define TK_STEP_RUSAGE     "rusage"     /* the control group missed CPU time that rusage saw */

/* The host between two records: the twenty flat fields but for the name, `host`, `net`, devices and
 * file systems, and the pressure unless it is known already. `step->duration_s`, when set, is the
 * exact duration of a part of that time. Texts are borrowed from the records and `arena`. */
void tk_step_measure_host(const struct tk_kernel *kernel, const struct tk_step_record *start,
                          const struct tk_step_record *end, struct tk_job_step *step,
                          struct tk_arena *arena);

/* CPU, faults and I/O of a process and those that it waited for, between two readings; what a
 * control group told already stays. */
void tk_step_measure_usage(const struct tk_step_usage *start, const struct tk_step_usage *end,
                           struct tk_job_step *step);

/* All that ever ran in a control group that was made for the step. `legacy` = its memory is counted
 * by version 1. */
void tk_step_measure_leaf(const struct tk_cgroup_reading *reading,
                          const struct tk_cgroup_memory *memory, bool legacy,
                          struct tk_job_step *step);

/* What follows from the others: averages per core, the split of the duration, what others used.
 * `cores` are those that the step could use. */
void tk_step_measure_rest(double cores, struct tk_job_step *step, struct tk_arena *arena);

#endif
