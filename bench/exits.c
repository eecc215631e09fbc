/* SPDX-License-Identifier: Apache-2.0 */
/* What it costs to be told of every process: CPU time of a life (vfork, exit, wait; of parent and
 * child) and of a switch between two processes on one CPU with each source of events at work, one
 * after the other in rounds, and the CPU time that taking the events costs us.
 *
 *     build/exits --rounds 15
 *
 * One line per source: medians, and what they add to those without any. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench.h"
#include "collect/procs.h"

enum {
    LIVES = 2000,
    SWITCHES = 40000,
    ROUNDS_MAX = 1000,
};

struct exits_opts {
    int64_t rounds;
};

static const struct tk_opt options[] = {
    {"rounds", TK_OPT_INT, offsetof(struct exits_opts, rounds), "N", "rounds to measure (15)",
     .letter = 'n', .min = 1, .max = ROUNDS_MAX},
    {0},
};

/* A source, and what its rounds cost. */
struct way {
    const char *name; /* as struct tk_procs_stats.exit_source */
    enum tk_tier tier;
    bool no_events;
    bool is_missing; /* this host does not have it */
    double life_ns[ROUNDS_MAX], switch_ns[ROUNDS_MAX], take_ns[ROUNDS_MAX];
};

/* CPU time of this process and of its children that have ended. */
static int64_t family_cpu_ns(void)
{
    struct rusage children;
    (void)getrusage(RUSAGE_CHILDREN, &children);
    int64_t us = (children.ru_utime.tv_sec + children.ru_stime.tv_sec) * 1000000 +
                 children.ru_utime.tv_usec + children.ru_stime.tv_usec;
    return tk_bench_cpu_ns() + us * TK_NS_PER_US;
}

static double live_and_die(void)
{
    int64_t start_ns = family_cpu_ns();
    for (int i = 0; i < LIVES; i++) {
        pid_t child = vfork();
        if (child == 0)
            _exit(0);
        (void)waitpid(child, NULL, 0);
    }
    return (double)(family_cpu_ns() - start_ns) / LIVES;
}

/* Two processes on one CPU hand each other a byte. */
static double switch_to_and_fro(void)
{
    int there[2];
    int back[2];
    char byte = 0;
    if (pipe(there) < 0 || pipe(back) < 0)
        return 0;
    pid_t child = fork();
    if (child == 0) {
        (void)close(there[1]);
        while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1)
            continue;
        _exit(0);
    }
    int64_t start_ns = family_cpu_ns();
    for (int i = 0; i < SWITCHES / 2; i++) {
        if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
            break;
    }
    for (int i = 0; i < 2; i++) {
        (void)close(there[i]);
        (void)close(back[i]);
    }
    (void)waitpid(child, NULL, 0);
    return (double)(family_cpu_ns() - start_ns) / SWITCHES;
}

static int run_round(const struct tk_kernel *kernel, struct way *way, int64_t round,
                     struct tk_err *err)
{
    struct tk_procs_stats stats;
    struct tk_procs *procs = NULL;
    struct tk_rows *rows = NULL;
    struct tk_procs_options wanted = {
        .node = "", .host = "", .tier = way->tier, .no_events = way->no_events};
    int rc = tk_rows_new(tk_sink_none, &rows, err);
    rc = rc < 0 ? rc : tk_procs_new(kernel, &wanted, &procs, err);
    if (rc < 0) {
        tk_rows_free(rows);
        return rc;
    }
    tk_procs_tick(procs, -1, rows);
    tk_procs_read_stats(procs, &stats);
    way->is_missing |= strcmp(stats.exit_source, way->name) != 0;
    way->switch_ns[round] = switch_to_and_fro();
    way->life_ns[round] = live_and_die();
    int64_t start_ns = tk_bench_cpu_ns();
    tk_procs_drain(procs, rows);
    way->take_ns[round] = (double)(tk_bench_cpu_ns() - start_ns) / LIVES;
    rc = tk_rows_flush(rows, err);
    tk_procs_free(procs);
    tk_rows_free(rows);
    return rc;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int64_t n)
{
    qsort(values, (size_t)n, sizeof(*values), compare);
    return values[n / 2];
}

static void report(struct way *ways, size_t count, int64_t rounds)
{
    printf("%-16s %10s %10s %12s %10s %14s\n", "source", "life ns", "added", "switch ns", "added",
           "taking it ns");
    double life_ns = median(ways[0].life_ns, rounds);
    double switch_ns = median(ways[0].switch_ns, rounds);
    for (size_t i = 0; i < count; i++) {
        if (ways[i].is_missing) {
            printf("%-16s is not to be had here\n", ways[i].name);
            continue;
        }
        double own_life_ns = median(ways[i].life_ns, rounds);
        double own_switch_ns = median(ways[i].switch_ns, rounds);
        printf("%-16s %10.0f %+10.0f %12.0f %+10.0f %14.0f\n", ways[i].name, own_life_ns,
               own_life_ns - life_ns, own_switch_ns, own_switch_ns - switch_ns,
               i == 0 ? 0 : median(ways[i].take_ns, rounds));
    }
}

int main(int argc, char **argv)
{
    static struct way ways[] = {
        {.name = "none", .tier = TK_TIER_P, .no_events = true},
        {.name = "bpf", .tier = TK_TIER_AUTO},
        {.name = "taskstats", .tier = TK_TIER_P},
    };
    struct exits_opts opts = {.rounds = 15};
    struct tk_kernel kernel;
    struct tk_err err;
    int status;
    if (!tk_bench_parse("exits", options, &opts, argc, argv, &status))
        return status;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    (void)sched_setaffinity(0, sizeof(one), &one);
    int rc = tk_kernel_open(&kernel, "/", &err);
    if (rc < 0)
        return tk_bench_fail("exits", &err);
    for (int64_t round = 0; round < opts.rounds; round++) {
        for (size_t i = 0; i < TK_COUNTOF(ways) && rc == 0; i++)
            rc = run_round(&kernel, &ways[i], round, &err);
    }
    tk_kernel_close(&kernel);
    if (rc < 0)
        return tk_bench_fail("exits", &err);
    report(ways, TK_COUNTOF(ways), opts.rounds);
    return 0;
}
