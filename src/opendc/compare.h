/* SPDX-License-Identifier: Apache-2.0 */
/* What OpenDC computed against what was measured (opendc.md sections 12 and 14): waits,
 * completions, run times and CPU usage of tasks, and, where the run itself is at hand, load and
 * power of hosts. Each side begins at its first submission. Of the simulated tasks those that were
 * completed count; the others are counted. One thread at a time. */
#ifndef TK_OPENDC_COMPARE_H
#define TK_OPENDC_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "opendc/workload.h"

/* Largest errors that pass. Zero is no default: see tk_compare_defaults. */
struct tk_compare_limits {
    double q50_percent, q95_percent, q99_percent; /* of waits */
    double ks_p;                                  /* at least */
    double completions_percent;                   /* RMSE of cumulative counts */
    double makespan_percent;
    double makespan_ms; /* instead, where the measured one is below ten minutes */
    double cpu_smape_percent, cpu_pearson, cpu_rmse_percent; /* of tasks and of hosts */
    double power_pearson, power_segment_pearson;             /* at least */
};
extern const struct tk_compare_limits tk_compare_defaults;

struct tk_compare_options {
    const char *measured;  /* folder of an export, or the run itself */
    const char *simulated; /* folder with task.parquet, or one that holds such a folder */
    const char *node;      /* only this node, against its own replay; NULL = all */
    struct tk_workload_options workload; /* of a run; its folders are set here */
    struct tk_compare_limits limits;
};

enum tk_verdict { TK_VERDICT_PASS, TK_VERDICT_FAIL, TK_VERDICT_TOLD /* no limit */ };

struct tk_compare_line {
    const char *name; /* "wait p95" */
    const char *unit;
    double measured, simulated; /* NaN = not a figure of that side */
    double error;               /* in error_unit */
    const char *error_unit;
    double limit; /* NaN = none */
    enum tk_verdict verdict;
};

#define TK_COMPARE_LINES_MAX 24
#define TK_COMPARE_NOTES_MAX 8

struct tk_compare_result {
    char simulated[4096]; /* folder that was read */
    int64_t joined;       /* completed tasks that were measured */
    int64_t only_measured, only_simulated;
    int64_t terminated, unfinished; /* simulated tasks that were not completed */
    struct tk_compare_line lines[TK_COMPARE_LINES_MAX];
    size_t line_count;
    bool passed;
    char notes[TK_COMPARE_NOTES_MAX][300]; /* what could not be compared, and why */
    size_t note_count;
    /* Cumulative completions in bins of a minute, from the first submission; owned. */
    double *measured_done, *simulated_done;
    size_t bin_count;
};

/* Compare. -ENOENT when one of the files is missing, -EBADMSG when one is broken, lacks a column or
 * is of other tasks, -ENODATA when no task was both measured and completed. */
TK_MUST_USE int tk_opendc_compare(const struct tk_compare_options *options,
                                  struct tk_compare_result *ret_result, struct tk_err *err);

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_compare_release(struct tk_compare_result *result);

#endif
