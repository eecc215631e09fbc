/* SPDX-License-Identifier: Apache-2.0 */
/* OpenDC, a simulator of datacentres (https://opendc.org): what was recorded becomes a workload and
 * a topology that it loads, and what it computes is compared with what was measured.
 *
 *   workload.h   tasks, processes and nodes of runs, joined by identity
 *   course.h     the CPU time of each task over its life
 *   fragments.h  that, cut into pieces of constant demand
 *   compat.h     the same by the formulas of the two old exporters
 *   environment.h  carbon intensity and failures, as OpenDC reads them
 *   opendc.h     this page: the folder that OpenDC loads
 *
 * Export goes through the runs once, and then task by task: a task's fragments are made, written
 * and forgotten. What is summed and guessed on the way goes to manifest.json. */
#ifndef TK_OPENDC_OPENDC_H
#define TK_OPENDC_OPENDC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "opendc/calibration.h"
#include "opendc/compat.h"
#include "opendc/environment.h"
#include "opendc/fragments.h"
#include "opendc/workload.h"
#include "table/parquet.h"

/* What the files look like, by the version of OpenDC that is to read them. */
enum tk_opendc_profile {
    TK_PROFILE_OPENDC, /* v2.4g and later */
    TK_PROFILE_24F,
    TK_PROFILE_24E, /* v2.3 to v2.4e: ids are text */
    TK_PROFILE_21,  /* v2.1 to v2.2b: meta.parquet and trace.parquet */
    TK_PROFILE_COUNT
};

/* By enum tk_opendc_profile, ends with NULL. */
extern const char *const tk_opendc_profiles[];

enum tk_task_ids {
    TK_IDS_SEQUENTIAL, /* 1, 2, 3, ... by submission */
    TK_IDS_PID,        /* of the process: two tasks with one pid are an error */
    TK_IDS_AUTO        /* pid where no two tasks have the same, else sequential */
};

enum tk_count_method {
    TK_COUNT_AUTO, /* what the task asked for, else P95 */
    TK_COUNT_P95,  /* of the cores in use, weighted by time, rounded up */
    TK_COUNT_MAX,
    TK_COUNT_REQUEST, /* as AUTO, but a task that did not ask for any is an error */
    TK_COUNT_GEN1     /* the peak, rounded */
};

/* Zero is the default of every member but the first two, and of those that say otherwise. */
struct tk_opendc_options {
    struct tk_workload_options workload;
    const char *to; /* folder, made here if need be */
    enum tk_opendc_profile profile;
    enum tk_compat compat;
    bool exact_compat; /* with joins by pid and the cap of 2400 MHz */
    enum tk_task_ids ids;
    enum tk_count_method count_method;
    double floor_mhz;      /* TK_FLOOR_MHZ; 0 = neither floor nor nudge */
    double scale_cpu;      /* 1 */
    double scale_duration; /* 1 */
    int64_t startup_ms;    /* added to each task's first fragment */
    int64_t shift_ms;      /* added to each submission */
    double headroom;       /* of memory; 1 */
    double core_speed;     /* factor of the speed of cores in the topology; 1 */
    double cpu_ratio;      /* cores of tasks that a host takes, by its own; 0 = as OpenDC does */
    /* Applied on top of these, borrowed; NULL = none. What the manifest says of it: members of a
     * JSON object; empty = the calibration alone. */
    const struct tk_calibration *calibration;
    tk_str calibration_json;
    bool per_node;
    bool no_estimate; /* leave out tasks of whose CPU time nothing is known */
    bool anonymise;
    int64_t top; /* only so many, the earliest; 0 = all */
    enum tk_parquet_codec codec;
    const char *environment[TK_ENVIRONMENT_COUNT]; /* files of others; NULL = none */

    /* Told what a user should know, one line each; NULL = nobody. */
    void (*say)(void *context, const char *line);
    void *context;
};

struct tk_range {
    double low, high;
};

/* What was written. */
struct tk_opendc_report {
    int64_t tasks, fragments;
    int64_t estimated; /* tasks of whose CPU time nothing is known: half a core */
    int64_t even;      /* tasks of which only the total is known */
    int64_t mem_estimated;
    int64_t dropped; /* by no_estimate */
    struct tk_range duration_ms, capacity_mhz, mem_kb;
    int64_t cpu_ns; /* of all tasks */
    struct tk_fragment_sums sums;
    struct tk_workload_counts counts;
    enum tk_service_mode mode;
};

/* Write a folder that OpenDC loads. Fails as tk_workload_new() does; with -EEXIST when two tasks
 * would have one id, -ENODATA when nothing is left to write. */
TK_MUST_USE int tk_opendc_export(const struct tk_opendc_options *options,
                                 struct tk_opendc_report *ret_report, struct tk_err *err);

#endif
