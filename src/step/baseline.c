/* SPDX-License-Identifier: Apache-2.0 */
#include "step/baseline.h"

#include <stdio.h>

#include "step/statistics.h"

#define SIGMA_PER_MAD 1.4826

tk_str tk_job_kind(tk_str job)
{
    static const struct {
        const char *alias;
        const char *kind;
    } aliases[] = {
        {"e2e_test", "e2e"},
        {"e2e-test", "e2e"},
        {"", "build"},
    };
    for (size_t i = 0; i < TK_COUNTOF(aliases); i++) {
        if (tk_str_eq(job, tk_str_from(aliases[i].alias)))
            return tk_str_from(aliases[i].kind);
    }
    return job;
}

static bool is_main(const struct tk_job *job)
{
    tk_str branch = job->ci.branch.p ? job->ci.branch : job->git_ref;
    (void)tk_str_take_prefix(&branch, TK_STR("refs/heads/"));
    return branch.n == 0 || tk_str_eq(branch, TK_STR("main")) ||
           tk_str_eq(branch, TK_STR("master"));
}

tk_str tk_job_baseline_key(const struct tk_job *job, struct tk_arena *arena)
{
    enum { DIGITS = 8 };
    char key[256];
    tk_str machine = job->system.fingerprint;
    machine =
        machine.n ? (tk_str){machine.p, machine.n < DIGITS ? machine.n : DIGITS} : TK_STR("any");
    int n = snprintf(key, sizeof(key), "%.*s|%.*s|%s", TK_STR_ARG(tk_job_kind(job->job)),
                     TK_STR_ARG(machine), is_main(job) ? "main" : "other");
    return n > 0 && (size_t)n < sizeof(key) ? tk_arena_copy(arena, (tk_str){key, (size_t)n})
                                            : (tk_str){0};
}

bool tk_job_is_comparable(const struct tk_job *job, const struct tk_job *past)
{
    tk_str here = job->system.fingerprint;
    tk_str there = past->system.fingerprint;
    bool good = !past->status.p || tk_str_eq(past->status, TK_STR(TK_JOB_SUCCESS));
    return good && tk_str_eq(tk_job_kind(job->job), tk_job_kind(past->job)) &&
           (!here.p || !there.p || tk_str_eq(here, there)) && is_main(job) == is_main(past);
}

/* One figure of a job; `step` with p == NULL is the whole job. */
typedef double (*figure_fn)(const struct tk_job *job, tk_str step);

double tk_job_step_seconds(const struct tk_job *job, tk_str step)
{
    double sum = (double)NAN;
    for (size_t i = 0; i < job->steps.count; i++) {
        const struct tk_job_step *one = &job->steps.items[i];
        if (tk_str_eq(one->name, step) && isfinite(one->duration_s))
            sum = (isnan(sum) ? 0 : sum) + one->duration_s;
    }
    return sum;
}

static double seconds(const struct tk_job *job, tk_str step)
{
    return step.p ? tk_job_step_seconds(job, step) : job->job_duration_s;
}

static double cpu_seconds(const struct tk_job *job, tk_str step)
{
    if (!step.p)
        return job->totals.cpu_s;
    double sum = (double)NAN;
    for (size_t i = 0; i < job->steps.count; i++) {
        const struct tk_job_step *one = &job->steps.items[i];
        if (tk_str_eq(one->name, step) && isfinite(one->cpu.total_s))
            sum = (isnan(sum) ? 0 : sum) + one->cpu.total_s;
    }
    return sum;
}

static double bytes_moved(const struct tk_job *job, tk_str step)
{
    if (!step.p)
        return job->totals.disk_write_mb + job->totals.net_rx_mb;
    double sum = (double)NAN;
    for (size_t i = 0; i < job->steps.count; i++) {
        const struct tk_job_step *one = &job->steps.items[i];
        double moved = one->disk_write_mb + one->net_rx_mb;
        if (tk_str_eq(one->name, step) && isfinite(moved))
            sum = (isnan(sum) ? 0 : sum) + moved;
    }
    return sum;
}

struct sample {
    double values[TK_BASELINE_MAX];
    size_t count;
};

/* A figure of the comparable jobs of past[begin..], newest first. */
static void sample_read(const struct tk_job *job, const struct tk_job *past, size_t past_count,
                        figure_fn figure, tk_str step, struct sample *ret_sample)
{
    ret_sample->count = 0;
    for (size_t i = 0; i < past_count && ret_sample->count < TK_BASELINE_MAX; i++) {
        double value = figure(&past[i], step);
        if (value > 0 && tk_job_is_comparable(job, &past[i]))
            ret_sample->values[ret_sample->count++] = value;
    }
}

static bool is_above(const double *baseline, size_t count, double value)
{
    double median = tk_median(baseline, count);
    return tk_robust_z(baseline, count, value) > TK_SUSPICIOUS_Z &&
           value > median * (1 + TK_SUSPICIOUS_PERCENT / 100);
}

/* Another figure of the job is up as well. */
static bool is_witnessed(const struct tk_job *past, size_t past_count, const struct tk_job *job,
                         tk_str step, figure_fn figure)
{
    struct sample sample;
    double value = figure(job, step);
    sample_read(job, past, past_count, figure, step, &sample);
    return value > 0 && sample.count >= TK_BASELINE_MIN &&
           is_above(sample.values, sample.count, value);
}

static void trend_judge(const struct sample *sample, double value, struct tk_trend *trend)
{
    trend->n = sample->count;
    trend->median_s = tk_median(sample->values, sample->count);
    trend->mad_s = tk_mad(sample->values, sample->count, trend->median_s);
    trend->delta_percent = 100 * (value / trend->median_s - 1);
    trend->noise_percent = 100 * 2 * SIGMA_PER_MAD * trend->mad_s / trend->median_s;
    trend->z = tk_robust_z(sample->values, sample->count, value);
    trend->verdict = TK_TREND_USUAL;
    if (trend->z > TK_SUSPICIOUS_Z && trend->delta_percent > TK_SUSPICIOUS_PERCENT) {
        trend->verdict = TK_TREND_SLOWER;
    } else if (trend->z < -TK_SUSPICIOUS_Z && trend->delta_percent < -TK_SUSPICIOUS_PERCENT) {
        trend->verdict = TK_TREND_FASTER;
    }
}

static bool trend_find(const struct tk_job *past, size_t past_count, const struct tk_job *job,
                       tk_str step, struct tk_trend *ret_trend)
{
    struct sample sample;
    double value = seconds(job, step);
    *ret_trend = (struct tk_trend){.median_s = (double)NAN};
    sample_read(job, past, past_count, seconds, step, &sample);
    ret_trend->n = sample.count;
    if (sample.count < TK_BASELINE_MIN || !(value > 0))
        return false;
    /* The run before may be the first of the new level: judge both against those before them. */
    struct sample older = {.count = sample.count - 1};
    for (size_t i = 0; i < older.count; i++)
        older.values[i] = sample.values[i + 1];
    bool twice = older.count >= TK_BASELINE_MIN &&
                 is_above(older.values, older.count, sample.values[0]) &&
                 is_above(older.values, older.count, value);
    trend_judge(twice ? &older : &sample, value, ret_trend);
    if (is_witnessed(past, past_count, job, step, cpu_seconds)) {
        ret_trend->witness = "CPU time";
    } else if (is_witnessed(past, past_count, job, step, bytes_moved)) {
        ret_trend->witness = "bytes";
    }
    ret_trend->confirmed = ret_trend->verdict == TK_TREND_SLOWER && (twice || ret_trend->witness);
    return true;
}

bool tk_trend_find(const struct tk_job *past, size_t past_count, const struct tk_job *job,
                   struct tk_trend *ret_trend)
{
    return trend_find(past, past_count, job, (tk_str){0}, ret_trend);
}

bool tk_trend_find_step(const struct tk_job *past, size_t past_count, const struct tk_job *job,
                        tk_str step, struct tk_trend *ret_trend)
{
    return trend_find(past, past_count, job, step, ret_trend);
}

const char *tk_trend_name(const struct tk_trend *trend)
{
    switch (trend->verdict) {
    case TK_TREND_UNKNOWN:
        return "not enough data";
    case TK_TREND_USUAL:
        return "as usual";
    case TK_TREND_SLOWER:
        return trend->confirmed ? "regression" : "suspicious";
    case TK_TREND_FASTER:
        return "faster";
    }
    return "";
}
