/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of a whole job (build-telemetry.md section 15). */
#include "step/baseline.h"
#include "step/diagnosis_internal.h"

static enum tk_level untracked(const struct tk_facts *facts, struct tk_says *says)
{
    double lost_s = facts->job->totals.untracked_s;
    double percent = 100 * lost_s / facts->d;
    if (!(percent > 15) || facts->job->steps.count == 0)
        return TK_LEVEL_NONE;
    tk_says_text(says, "%.0f s of the job (%.0f %%) belong to no step", lost_s, percent);
    tk_says_evidence(says, "untracked_percent", percent);
    return TK_LEVEL_WARN;
}

static bool is_net_bound(const struct tk_job_step *step)
{
    double rate = tk_known(step->net.rx_mb, step->net_rx_mb) / step->duration_s;
    return rate >= 10 && step->cpu.cores_avg < 0.5;
}

static bool is_cpu_bound(const struct tk_job_step *step)
{
    return step->cpu.cores_avg >= 0.8;
}

#define LONG_S 60

/* One waits for the network, the other computes, and they ran one after the other. */
static bool could_overlap(const struct tk_job_step *a, const struct tk_job_step *b)
{
    bool both_long = a->duration_s >= LONG_S && b->duration_s >= LONG_S;
    bool adjacent = fabs(b->start_time - a->end_time) < 5;
    bool differ = (is_net_bound(a) && is_cpu_bound(b)) || (is_cpu_bound(a) && is_net_bound(b));
    return both_long && adjacent && differ && !a->parent.p && !b->parent.p;
}

static enum tk_level overlap(const struct tk_facts *facts, struct tk_says *says)
{
    const struct tk_job_steps *steps = &facts->job->steps;
    for (size_t i = 0; i + 1 < steps->count; i++) {
        const struct tk_job_step *a = &steps->items[i];
        const struct tk_job_step *b = &steps->items[i + 1];
        if (!could_overlap(a, b))
            continue;
        says->saves_s = 0.8 * fmin(a->duration_s, b->duration_s);
        tk_says_text(says, "%.*s and %.*s could run side by side: one waits for the network",
                     TK_STR_ARG(a->name), TK_STR_ARG(b->name));
        tk_says_evidence(says, "shorter_s", fmin(a->duration_s, b->duration_s));
        return TK_LEVEL_WARN;
    }
    return TK_LEVEL_NONE;
}

#define RIGHT_SIZE_RUNS 5

/* The largest figures of this job and the last four. */
static bool sizes(const struct tk_facts *facts, double *ret_cores, double *ret_peak_mb)
{
    if (facts->options->past_count + 1 < RIGHT_SIZE_RUNS)
        return false;
    *ret_cores = facts->job->totals.cores_avg;
    *ret_peak_mb = facts->job->totals.memory_peak_mb;
    for (size_t i = 0; i + 1 < RIGHT_SIZE_RUNS; i++) {
        const struct tk_job_totals *past = &facts->options->past[i].totals;
        if (isnan(past->cores_avg) || isnan(past->memory_peak_mb))
            return false;
        *ret_cores = fmax(*ret_cores, past->cores_avg);
        *ret_peak_mb = fmax(*ret_peak_mb, past->memory_peak_mb);
    }
    return true;
}

static enum tk_level right_size(const struct tk_facts *facts, struct tk_says *says)
{
    double cores;
    double peak_mb;
    if (!sizes(facts, &cores, &peak_mb))
        return TK_LEVEL_NONE;
    double used = 100 * cores / facts->n;
    double filled = 100 * peak_mb / facts->limit_mb;
    tk_says_evidence(says, "cores_percent", used);
    tk_says_evidence(says, "memory_percent", filled);
    if (filled > 85) {
        tk_says_text(says, "memory is %.0f %% full at its peak", filled);
        tk_says_advice(says, "a larger runner: %.0f GB keep it at 65 %%", peak_mb / 0.65 / 1024);
        return TK_LEVEL_WARN;
    }
    if (!(used < 25) || !(filled < 40))
        return TK_LEVEL_NONE;
    tk_says_text(says, "the runner is too large: %.0f %% of its cores and %.0f %% of its memory",
                 used, filled);
    tk_says_advice(says, "a smaller one: %.0f cores and %.0f GB keep it at 65 %%",
                   ceil(cores / 0.65), ceil(peak_mb / 0.65 / 1024));
    return TK_LEVEL_WARN;
}

static enum tk_level regression(const struct tk_facts *facts, struct tk_says *says)
{
    struct tk_trend trend;
    if (!tk_trend_find(facts->options->past, facts->options->past_count, facts->job, &trend) ||
        trend.verdict != TK_TREND_SLOWER)
        return TK_LEVEL_NONE;
    says->saves_s = facts->d - trend.median_s;
    tk_says_text(says, "%.0f %% slower than the median of %zu runs, %s", trend.delta_percent,
                 trend.n, trend.confirmed ? "confirmed by its CPU time or bytes" : "one run alone");
    tk_says_evidence(says, "delta_percent", trend.delta_percent);
    tk_says_evidence(says, "z", trend.z);
    return trend.confirmed ? TK_LEVEL_CRITICAL : TK_LEVEL_WARN;
}

const struct tk_rule tk_job_rules[] = {
    {"UNTRACKED", "untracked", .judge = untracked,
     .advice = "give names to what runs between the steps: tracekit exec -n NAME"},
    {"OVERLAP", "in a row", .judge = overlap, .advice = "start the download in the background"},
    {"RIGHT_SIZE", "runner size", .any_duration = true, .judge = right_size},
    {"REGRESSION", "slower", .judge = regression,
     .advice = "compare it with the run before: tracekit report compare latest~1 latest"},
    {0},
};
