/* SPDX-License-Identifier: Apache-2.0 */
/* What the gate of builds is worth (build-telemetry.md section 13): series of builds whose times
 * vary log-normally, with 5 % slow outliers of 1.15 to 1.6 times, are judged as `report gate` does
 * with `--confirm 2`. CPU time varies by a third as much and follows a shift.
 *
 *     meson setup build-bench -Dbench=true && ninja -C build-bench
 *     build-bench/regressions
 */
#include "bench.h"

#include <math.h>
#include <stdio.h>

#include "step/baseline.h"

struct opts {
    int64_t runs;
};

static const struct tk_opt options[] = {
    {"runs", TK_OPT_INT, offsetof(struct opts, runs), "N", "series per cell (4000)", .min = 100,
     .max = 1000000},
    {0},
};

/* Uniform in (0, 1). */
static double uniform(uint64_t *state)
{
    return ((double)(tk_bench_noise((*state)++) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(uint64_t *state)
{
    double radius = sqrt(-2 * log(uniform(state)));
    return radius * cos(2 * 3.14159265358979323846 * uniform(state));
}

static void make_job(struct tk_job *job, double cv, double shift, bool witness, uint64_t *state)
{
    tk_job_init(job);
    job->job = TK_STR("build");
    job->status = TK_STR(TK_JOB_SUCCESS);
    bool slow = uniform(state) < 0.05;
    double outlier = slow ? 1.15 + 0.45 * uniform(state) : 1;
    job->job_duration_s = 600 * shift * outlier * exp(cv * normal(state));
    if (witness)
        job->totals.cpu_s = 900 * shift * exp(cv / 3 * normal(state));
}

/* Builds up to and with the first that breaks the gate, at most `most` after the shift; 0 = none.
 */
static int64_t judge(double cv, double shift, bool witness, int64_t most, uint64_t *state)
{
    enum { PAST = TK_BASELINE_MAX + 2 };
    struct tk_job past[PAST + 2]; /* newest first */
    struct tk_trend trend;
    for (size_t i = 2; i < PAST + 2; i++)
        make_job(&past[i], cv, 1, witness, state);
    for (int64_t n = 1; n <= most; n++) {
        struct tk_job *now = &past[2 - n];
        make_job(now, cv, shift, witness, state);
        if (tk_trend_find(now + 1, PAST, now, &trend) && trend.confirmed)
            return n;
    }
    return 0;
}

/* Share of series in which the gate breaks within `most` builds after the shift, in per cent. */
static double rate(double cv, double shift, bool witness, int64_t most, int64_t runs)
{
    int64_t broken = 0;
    uint64_t state = (uint64_t)(cv * 1e6) * 1000003 + (uint64_t)(shift * 1000) * 7919 + witness;
    state <<= 24;
    for (int64_t i = 0; i < runs; i++)
        broken += judge(cv, shift, witness, most, &state) > 0;
    return 100.0 * (double)broken / (double)runs;
}

int main(int argc, char **argv)
{
    static const double cvs[] = {0.027, 0.03, 0.05, 0.10};
    struct opts opts = {.runs = 4000};
    int status;
    if (!tk_bench_parse("regressions", options, &opts, argc, argv, &status))
        return status;
    (void)printf("%-18s %6s  %12s  %17s  %17s\n", "witness", "CV", "false alarm", "+10 % within 2",
                 "+20 % within 2");
    for (int witness = 0; witness < 2; witness++) {
        for (size_t i = 0; i < TK_COUNTOF(cvs); i++) {
            (void)printf("%-18s %4.1f %%  %10.2f %%  %15.1f %%  %15.1f %%\n",
                         witness ? "time and CPU time" : "time alone", 100 * cvs[i],
                         rate(cvs[i], 1, witness, 1, opts.runs),
                         rate(cvs[i], 1.10, witness, 2, opts.runs),
                         rate(cvs[i], 1.20, witness, 2, opts.runs));
        }
    }
    return 0;
}
