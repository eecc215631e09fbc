/* SPDX-License-Identifier: Apache-2.0 */
/* One job against the earlier ones of its kind (build-telemetry.md section 13): is it slower than
 * chance explains? One run alone is never more than suspicious; it takes a second witness: the run
 * before, or CPU time or bytes that went up as well. Pure functions, safe from any thread. */
#ifndef TK_STEP_BASELINE_H
#define TK_STEP_BASELINE_H

#include "step/job.h"

/* Fewer earlier runs than this say nothing; more than this are not looked at. */
#define TK_BASELINE_MIN 5
#define TK_BASELINE_MAX 30

/* A run is suspicious from so many robust standard deviations and per cent above the median. */
#define TK_SUSPICIOUS_Z       3.5
#define TK_SUSPICIOUS_PERCENT 5.0

enum tk_trend_verdict {
    TK_TREND_UNKNOWN, /* not enough data */
    TK_TREND_USUAL,
    TK_TREND_SLOWER,
    TK_TREND_FASTER,
};

struct tk_trend {
    enum tk_trend_verdict verdict;
    const char *witness; /* "CPU time", "bytes": what is up as well; NULL = neither */
    bool confirmed;      /* by that, or by the run before */
    size_t n;            /* runs of the baseline */
    double median_s, mad_s, delta_percent;
    double noise_percent; /* two robust standard deviations of the baseline */
    double z;
};

/* May be compared: the same kind of job, on a machine of the same fingerprint where both tell it,
 * on the same class of branch (main, or any other), successful. */
bool tk_job_is_comparable(const struct tk_job *job, const struct tk_job *past);

/* The time of the whole job, or of a step by its name, against the
 * comparable ones of `past`, newest first. False and TK_TREND_UNKNOWN when there are too few. */
bool tk_trend_find(const struct tk_job *past, size_t past_count, const struct tk_job *job,
                   struct tk_trend *ret_trend);
bool tk_trend_find_step(const struct tk_job *past, size_t past_count, const struct tk_job *job,
                        tk_str step, struct tk_trend *ret_trend);

/* What a job is compared with, "build|2f1d6b0f|main": its kind, the first digits of its machine's
 * fingerprint or "any", "main" or "other" for the class of its branch. In the arena; p == NULL when
 * that is full. */
tk_str tk_job_baseline_key(const struct tk_job *job, struct tk_arena *arena);

/* Seconds that all attempts of a step took together; NaN when the job has none of that name. */
double tk_job_step_seconds(const struct tk_job *job, tk_str step);

/* "not enough data", "as usual", "suspicious", "regression", "faster". */
const char *tk_trend_name(const struct tk_trend *trend);

/* "build" or what an alias stands for: "e2e_test" is "e2e". */
tk_str tk_job_kind(tk_str job);

#endif
