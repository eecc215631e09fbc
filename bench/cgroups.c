/* SPDX-License-Identifier: Apache-2.0 */
/* What a tick over control groups costs, by the walk in the kernel and by files, in CPU time of
 * this process. It makes groups of its own, of which none runs anything, in one hierarchy, and
 * removes them. Needs the right to.
 *
 *     build/cgroups --groups 400 --hierarchy cpuacct
 *     build/cgroups --groups 400 --hierarchy unified --interval 100ms
 *
 * One line per way: medians per tick and per group, and system calls per tick. "walk" is the walk
 * alone, "bpf" a tick with it, "files" a tick without. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "collect/bpf.h"
#include "collect/cgroup_folders.h"
#include "collect/cgroups.h"

enum {
    WARM_UP = 5,
    PATH_CAP = 256,
};

struct cgroups_opts {
    const char *hierarchy;
    int64_t groups, ticks, interval_ns;
};

static const struct tk_opt options[] = {
    {"groups", TK_OPT_INT, offsetof(struct cgroups_opts, groups), "N", "groups to make (400)",
     .letter = 'g', .min = 1, .max = 900},
    {"hierarchy", TK_OPT_STRING, offsetof(struct cgroups_opts, hierarchy), "NAME",
     "folder of /sys/fs/cgroup to make them in (cpuacct)"},
    {"ticks", TK_OPT_INT, offsetof(struct cgroups_opts, ticks), "N", "ticks to measure (101)",
     .letter = 'n', .min = 1, .max = 100000},
    {"interval", TK_OPT_DURATION, offsetof(struct cgroups_opts, interval_ns), "TIME",
     "between ticks (0ms = back to back)", .letter = 'i', .max = 3600 * TK_NS_PER_S},
    {0},
};

/* One way of reading, and what its ticks cost. */
struct way {
    const char *name;
    const struct tk_group_walker *walker; /* NULL = files */
    struct tk_cgroups *groups;            /* NULL = the walk alone */
    struct tk_rows *rows;
    int64_t *cost_ns; /* [ticks] */
    int64_t syscalls;
};

static int make_groups(int top, const char *name, int64_t count, struct tk_err *err)
{
    char path[PATH_CAP];
    if (mkdirat(top, name, 0755) < 0)
        return tk_fail_errno(err, "%s", name);
    for (int64_t i = 0; i < count; i++) {
        (void)snprintf(path, sizeof(path), "%s/g%lld", name, (long long)i);
        if (mkdirat(top, path, 0755) < 0)
            return tk_fail_errno(err, "%s", path);
    }
    return 0;
}

static int64_t calls_of(const struct way *way)
{
    struct tk_cgroups_stats stats;
    tk_cgroups_read_stats(way->groups, &stats);
    return stats.syscalls;
}

static int tick(struct way *way, struct tk_err *err)
{
    struct tk_group_walk walk;
    if (!way->groups) {
        int rc = way->walker->walk(way->walker->context, &walk);
        way->syscalls += walk.syscalls;
        return rc < 0 ? tk_fail(err, rc, "the walk failed") : 0;
    }
    int64_t before = calls_of(way);
    tk_cgroups_tick(way->groups, way->rows);
    way->syscalls += calls_of(way) - before;
    return tk_rows_flush(way->rows, err);
}

static int compare_ns(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int measure(const struct cgroups_opts *opts, struct way *way, struct tk_err *err)
{
    const struct timespec pause = {opts->interval_ns / TK_NS_PER_S,
                                   opts->interval_ns % TK_NS_PER_S};
    for (int64_t i = -WARM_UP; i < opts->ticks; i++) {
        if (opts->interval_ns > 0)
            (void)nanosleep(&pause, NULL);
        if (i == 0)
            way->syscalls = 0;
        int64_t before_ns = tk_bench_cpu_ns();
        int rc = tick(way, err);
        if (rc < 0)
            return rc;
        if (i >= 0)
            way->cost_ns[i] = tk_bench_cpu_ns() - before_ns;
    }
    qsort(way->cost_ns, (size_t)opts->ticks, sizeof(*way->cost_ns), compare_ns);
    double median_ns = (double)way->cost_ns[opts->ticks / 2];
    (void)printf("%-6s median %8.1f us  %7.1f ns per group  %6.1f syscalls\n", way->name,
                 median_ns / 1e3, median_ns / (double)opts->groups,
                 (double)way->syscalls / (double)opts->ticks);
    return 0;
}

static int open_groups(struct way *way, const struct tk_kernel *kernel, struct tk_err *err)
{
    const struct tk_cgroups_options cgroups = {
        .node = "bench", .host = "bench", .walker = way->walker};
    int rc = tk_rows_new(tk_sink_none, &way->rows, err);
    return rc < 0 ? rc : tk_cgroups_new(kernel, &cgroups, &way->groups, err);
}

/* The walk alone comes last: its hierarchies are those that the way before it opened. */
static int run_ways(const struct cgroups_opts *opts, const struct tk_kernel *kernel,
                    struct tk_err *err)
{
    struct tk_bpf *bpf;
    struct tk_group_walker walker;
    int rc = tk_bpf_new(TK_TIER_AUTO, TK_BPF_ALL_CGROUPS, &bpf, err);
    if (rc < 0)
        return rc;
    rc = tk_bpf_group_walker(bpf, &walker, err);
    struct way ways[] = {
        {.name = "files"}, {.name = "bpf", .walker = &walker}, {.name = "walk", .walker = &walker}};
    for (size_t i = 0; rc == 0 && i < TK_COUNTOF(ways); i++) {
        ways[i].cost_ns = calloc((size_t)opts->ticks, sizeof(*ways[i].cost_ns));
        if (!ways[i].cost_ns)
            rc = tk_fail(err, -ENOMEM, "out of memory");
        if (rc == 0 && i + 1 < TK_COUNTOF(ways))
            rc = open_groups(&ways[i], kernel, err);
        if (rc == 0)
            rc = measure(opts, &ways[i], err);
    }
    for (size_t i = 0; i < TK_COUNTOF(ways); i++) {
        tk_cgroups_free(ways[i].groups);
        tk_rows_free(ways[i].rows);
        free(ways[i].cost_ns);
    }
    tk_bpf_free(bpf);
    return rc;
}

static int run(const struct cgroups_opts *opts, struct tk_err *err)
{
    char path[PATH_CAP];
    char name[64];
    struct tk_kernel kernel = {0};
    (void)snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", opts->hierarchy);
    (void)snprintf(name, sizeof(name), "tk-bench-groups-%d", getpid());
    int top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (top < 0)
        return tk_fail_errno(err, "%s", path);
    int rc = tk_kernel_open(&kernel, "/", err);
    if (rc == 0)
        rc = make_groups(top, name, opts->groups, err);
    if (rc == 0)
        rc = run_ways(opts, &kernel, err);
    (void)tk_cgroup_remove(top, name);
    tk_kernel_close(&kernel);
    (void)close(top);
    return rc;
}

int main(int argc, char **argv)
{
    struct cgroups_opts opts = {.hierarchy = "cpuacct", .groups = 400, .ticks = 101};
    struct tk_err err = {0};
    int status;
    if (!tk_bench_parse("cgroups", options, &opts, argc, argv, &status))
        return status;
    return run(&opts, &err) < 0 ? tk_bench_fail("cgroups", &err) : 0;
}
