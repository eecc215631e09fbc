/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of a whole job (build-telemetry.md section 15). */
#include <stdio.h>

#include "step/baseline.h"
#include "step/diagnosis_internal.h"

enum {
    NAME_BYTES = 80, /* of the name of a step in a sentence */
};

/* As much of a name as fits into a sentence, in whole characters. */
static tk_str short_name(tk_str name)
{
    size_t n = name.n < NAME_BYTES ? name.n : NAME_BYTES;
    while (n > 0 && n < name.n && ((unsigned char)name.p[n] & 0xC0) == 0x80)
        n--;
    return (tk_str){name.p, n};
}

/* The longest time without a step, and those around it; NULL = the job begins or ends there. */
struct gap {
    double seconds; /* NaN = not known */
    const struct tk_job_step *before, *after;
};

static void gap_widen(struct gap *gap, double seconds, const struct tk_job_step *before,
                      const struct tk_job_step *after)
{
    if (!(seconds <= gap->seconds))
        *gap = (struct gap){seconds, before, after};
}

/* Steps are in order of their starts, give or take those that began side by side; where others
 * timed some of them they are not, and nothing is said. */
static struct gap find_gap(const struct tk_job *job)
{
    const struct gap unknown = {.seconds = (double)NAN};
    struct gap gap = unknown;
    const struct tk_job_step *last = NULL; /* the one that ended last */
    double reach = job->job_start;
    double start = job->job_start;
    for (size_t i = 0; i < job->steps.count; i++) {
        const struct tk_job_step *step = &job->steps.items[i];
        if (!(step->start_time >= start - 1) || !(step->end_time >= step->start_time))
            return unknown;
        start = step->start_time;
        if (step->parent.n > 0)
            continue;
        gap_widen(&gap, step->start_time - reach, last, step);
        if (step->end_time > reach) {
            reach = step->end_time;
            last = step;
        }
    }
    gap_widen(&gap, job->job_start + job->job_duration_s - reach, last, NULL);
    return gap;
}

/* ", 30 s of them between 'a' and 'b'" */
static void format_gap(const struct gap *gap, char *ret, size_t cap)
{
    tk_str before = gap->before ? short_name(gap->before->name) : TK_STR("");
    tk_str after = gap->after ? short_name(gap->after->name) : TK_STR("");
    if (!(gap->seconds >= 1) || (!gap->before && !gap->after)) {
        *ret = '\0';
    } else if (gap->before && gap->after) {
        (void)snprintf(ret, cap, ", %.0f s of them between '%.*s' and '%.*s'", gap->seconds,
                       TK_STR_ARG(before), TK_STR_ARG(after));
    } else {
        (void)snprintf(ret, cap, ", %.0f s of them %s '%.*s'", gap->seconds,
                       gap->after ? "before" : "after", TK_STR_ARG(gap->after ? after : before));
    }
}

static enum tk_level untracked(const struct tk_facts *facts, struct tk_says *says)
{
    char where[2 * NAME_BYTES + 64];
    double lost_s = facts->job->totals.untracked_s;
    double percent = 100 * lost_s / facts->d;
    if (!(percent > 15) || facts->job->steps.count == 0)
        return TK_LEVEL_NONE;
    struct gap gap = find_gap(facts->job);
    format_gap(&gap, where, sizeof(where));
    tk_says_text(says, "%.0f s of the job (%.0f %%) belong to no step%s", lost_s, percent, where);
    tk_says_evidence(says, "untracked_percent", percent);
    tk_says_evidence(says, "longest_gap_s", gap.seconds);
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
    double enough = ceil(cores / 0.65);
    tk_says_advice(says, "a smaller one: %.0f core%s and %.0f GB keep it at 65 %%", enough,
                   enough == 1 ? "" : "s", ceil(peak_mb / 0.65 / 1024));
    return TK_LEVEL_WARN;
}

/* The step that takes more time than usual, the most of all: what it takes more; NaN where none is
 * known to. */
static double find_slower(const struct tk_facts *facts, tk_str *ret_step)
{
    double most_s = (double)NAN;
    const struct tk_diagnosis_options *options = facts->options;
    for (size_t i = 0; i < facts->job->steps.count; i++) {
        struct tk_trend trend;
        const struct tk_job_step *step = &facts->job->steps.items[i];
        if (step->parent.n > 0 ||
            !tk_trend_find_step(options->past, options->past_count, facts->job, step->name, &trend))
            continue;
        double more_s = tk_job_step_seconds(facts->job, step->name) - trend.median_s;
        if (trend.verdict == TK_TREND_SLOWER && !(more_s <= most_s)) {
            most_s = more_s;
            *ret_step = step->name;
        }
    }
    return most_s;
}

static enum tk_level regression(const struct tk_facts *facts, struct tk_says *says)
{
    char where[NAME_BYTES + 64] = "";
    tk_str step = {0};
    struct tk_trend trend;
    const char *confirmed = "one run alone";
    if (!tk_trend_find(facts->options->past, facts->options->past_count, facts->job, &trend) ||
        trend.verdict != TK_TREND_SLOWER)
        return TK_LEVEL_NONE;
    says->saves_s = facts->d - trend.median_s;
    double more_s = find_slower(facts, &step);
    if (step.n > 0) {
        (void)snprintf(where, sizeof(where), "; %.0f s more in '%.*s'", more_s,
                       TK_STR_ARG(short_name(step)));
    }
    if (trend.confirmed)
        confirmed = trend.witness ? "confirmed by its " : "confirmed by the run before";
    tk_says_text(says, "%.0f %% slower than the median of %zu runs, %s%s%s", trend.delta_percent,
                 trend.n, confirmed, trend.confirmed && trend.witness ? trend.witness : "", where);
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
