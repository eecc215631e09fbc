/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks on both sides: as they were measured, and as OpenDC simulated them, joined by their ids
 * (opendc.md sections 12 and 14). What was measured is an export, with task_map.jsonl and its
 * fragments, or the run itself, whose tasks then have the ids that an export gives by default. One
 * thread at a time. */
#ifndef TK_OPENDC_PAIRS_H
#define TK_OPENDC_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/map.h"
#include "opendc/workload.h"

/* A task; times are NaN on the side that does not have it. */
struct tk_pair {
    double submitted_ms, started_ms, ended_ms;        /* measured, epoch */
    double sim_submitted_ms, sim_wait_ms, sim_end_ms; /* from the first submission */
    enum { TK_PAIR_UNFINISHED, TK_PAIR_COMPLETED, TK_PAIR_TERMINATED } state;
    bool is_simulated;
    /* Of its demand as it was measured, in tk_pairs.steps. */
    uint32_t first_step, step_count;
    /* The last row of the simulation that said it runs; NaN = none. */
    double row_ms, row_mhz;
};

/* Demand up to a moment after the start of its task. */
struct tk_step {
    double end_ms;
    double work; /* MHz ms from the start to there */
};

/* Usage of a task over an interval of the simulation, and its mean over the same then. */
struct tk_usage {
    uint32_t pair;
    double measured_mhz, simulated_mhz;
};

struct tk_pairs {
    struct tk_pair *items;
    uint32_t count, cap;
    struct tk_map by_id;
    struct tk_step *steps;
    uint32_t step_count, step_cap;
    struct tk_usage *usages;
    uint32_t usage_count, usage_cap;
    struct tk_workload *workload; /* of a run; NULL = the measured side is an export */
};

struct tk_pairs_options {
    const char *measured; /* folder of an export, or a run */
    const char *node;     /* only tasks of this node, with ids of their own; NULL = all */
    struct tk_workload_options workload; /* for a run; its folders are set here */
};

/* Read what was measured into zeroed `pairs`. -ENOENT where there is neither an export nor a run,
 * -EBADMSG when a file is broken. */
TK_MUST_USE int tk_pairs_read_measured(struct tk_pairs *pairs,
                                       const struct tk_pairs_options *options, struct tk_err *err);

/* Then the task.parquet in a folder of OpenDC's output, of any version from 2.4 on. -EBADMSG also
 * when a column is missing, or the tasks were submitted otherwise than those of the run. */
TK_MUST_USE int tk_pairs_read_simulated(struct tk_pairs *pairs, const char *folder,
                                        struct tk_err *err);

/* It was measured, and completed in the simulation. */
bool tk_pair_is_joined(const struct tk_pair *pair);

/* Measured run time; simulated wait and run time; all in ms. */
double tk_pair_run(const struct tk_pair *pair);
double tk_pair_sim_run(const struct tk_pair *pair);

/* The only folder in `path`, at most five levels down, that has a task.parquet. -EEXIST names two,
 * -ENOENT: there is none. */
TK_MUST_USE int tk_pairs_find_output(const char *path, char ret_found[4096], struct tk_err *err);

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_pairs_release(struct tk_pairs *pairs);

#endif
