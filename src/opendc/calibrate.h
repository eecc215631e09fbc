/* SPDX-License-Identifier: Apache-2.0 */
/* Find the calibration of an export (opendc.md section 15): the speed of cores, or the length of
 * tasks, and the start-up overhead by least squares of measured against simulated run times; the
 * power model of each host by its measured load and energy. Both are fitted to what happened in the
 * first two thirds of the time, and tried on the last. One thread at a time. */
#ifndef TK_OPENDC_CALIBRATE_H
#define TK_OPENDC_CALIBRATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "opendc/calibration.h"
#include "opendc/workload.h"

enum tk_fit_what {
    TK_FIT_ALL,       /* what there is anything for */
    TK_FIT_RUN_TIMES, /* needs a simulation */
    TK_FIT_POWER      /* needs an energy counter */
};

enum tk_fit_factor {
    TK_FACTOR_CORE_SPEED, /* tasks that run longer than simulated: slower cores */
    TK_FACTOR_DURATION    /* longer fragments */
};

struct tk_calibrate_options {
    const char *measured;                /* run folder, or a folder that holds some */
    const char *simulated;               /* output of OpenDC for its export; NULL = none */
    struct tk_workload_options workload; /* its folders are set here */
    enum tk_fit_what what;
    enum tk_fit_factor factor;
    enum tk_power_kind power_kind; /* TK_POWER_KINDS = the best */
    int64_t startup_ms;            /* known start-up overhead, which is then not fitted; -1 = fit */
};

/* Mean relative errors in per cent; NaN = there is nothing to try it on. */
struct tk_fit_errors {
    double before, after;
    double held_before, held_after; /* on the last third of the time */
    size_t count, held_count;       /* tasks or readings */
};

struct tk_host_fit {
    char host[128];
    struct tk_fit_errors errors;
};

#define TK_CALIBRATE_NOTES_MAX 16

struct tk_calibrate_result {
    struct tk_calibration calibration;
    bool has_run_times;
    double slope, overhead_ms; /* measured = slope x simulated + overhead */
    struct tk_fit_errors run_times;
    struct tk_host_fit *power;               /* owned; as calibration.power */
    char simulated[4096];                    /* folder that was read; "" = none */
    char notes[TK_CALIBRATE_NOTES_MAX][300]; /* what could not be fitted, and why */
    size_t note_count;
};

/* Find it. -ENODATA when what was asked for cannot be told from the data, and says why; with
 * TK_FIT_ALL when nothing can. Fails as tk_workload_new() and the comparison do, too. */
TK_MUST_USE int tk_calibrate(const struct tk_calibrate_options *options,
                             struct tk_calibrate_result *ret_result, struct tk_err *err);

/* Append the members of the result to the JSON object at hand: parameters as an export reads them,
 * errors before and after. */
void tk_calibrate_put(struct tk_buf *out, const struct tk_calibrate_result *result);

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_calibrate_release(struct tk_calibrate_result *result);

#endif
