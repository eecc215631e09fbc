/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel alone takes for the figures of a step: the least that a wrapper of a command can
 * cost, whatever program it is. Nothing is parsed or written here, and no program is started for
 * it.
 *
 *     build/step_floor --rounds 300
 *
 * CPU time of this process and its children per command, over a plain fork and exec, as more is
 * asked for: a group in each hierarchy of control groups that tells of a step (as root), and the
 * counters of the machine before and after. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench.h"

struct floor_opts {
    int64_t rounds;
};

static const struct tk_opt options[] = {
    {"rounds", TK_OPT_INT, offsetof(struct floor_opts, rounds), "N", "commands of each kind (300)",
     .letter = 'n', .min = 1, .max = 100000},
    {0},
};

/* As tracekit-exec(1) makes them on a hybrid host. */
static const struct hierarchy {
    const char *folder, *join, *figures[3];
} hierarchies[] = {
    {"/sys/fs/cgroup/unified/step-floor", "cgroup.procs", {"cpu.stat", "cpu.pressure"}},
    {"/sys/fs/cgroup/memory/step-floor", "tasks", {"memory.max_usage_in_bytes", "memory.stat"}},
    {"/sys/fs/cgroup/pids/step-floor", "tasks", {"pids.max"}},
};

static const char *const counters[] = {
    "/proc/stat",    "/proc/pressure/cpu", "/proc/pressure/io", "/proc/pressure/memory",
    "/proc/meminfo", "/proc/diskstats",    "/proc/net/dev",     "/proc/loadavg",
    "/proc/vmstat",  "/proc/net/snmp",
};

struct floor {
    bool groups, machine;
    int fds[TK_COUNTOF(counters)];
};

static void read_all(int fd)
{
    char buf[16384];
    (void)!pread(fd, buf, sizeof(buf), 0);
}

static void read_counters(const struct floor *floor)
{
    for (size_t i = 0; i < TK_COUNTOF(counters); i++)
        read_all(floor->fds[i]);
}

static int open_in(const struct hierarchy *hierarchy, const char *name, int flags)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", hierarchy->folder, name);
    return open(path, flags | O_CLOEXEC);
}

static void make_groups(int joins[TK_COUNTOF(hierarchies)])
{
    for (size_t i = 0; i < TK_COUNTOF(hierarchies); i++) {
        (void)mkdir(hierarchies[i].folder, 0755);
        joins[i] = open_in(&hierarchies[i], hierarchies[i].join, O_WRONLY);
    }
}

/* Whether one of the hierarchies is there, and ours to write. */
static bool may_make_groups(void)
{
    size_t made = 0;
    for (size_t i = 0; i < TK_COUNTOF(hierarchies); i++)
        made += mkdir(hierarchies[i].folder, 0755) == 0 && rmdir(hierarchies[i].folder) == 0;
    return made > 0;
}

static void end_groups(const int joins[TK_COUNTOF(hierarchies)])
{
    for (size_t i = 0; i < TK_COUNTOF(hierarchies); i++) {
        for (size_t k = 0; k < 3 && hierarchies[i].figures[k]; k++) {
            int fd = open_in(&hierarchies[i], hierarchies[i].figures[k], O_RDONLY);
            if (fd >= 0) {
                read_all(fd);
                (void)close(fd);
            }
        }
        if (joins[i] >= 0)
            (void)close(joins[i]);
        (void)rmdir(hierarchies[i].folder);
    }
}

static void open_counters(struct floor *floor)
{
    for (size_t i = 0; i < TK_COUNTOF(counters); i++)
        floor->fds[i] = open(counters[i], O_RDONLY | O_CLOEXEC);
    read_counters(floor);
}

static void close_counters(const struct floor *floor)
{
    read_counters(floor);
    for (size_t i = 0; i < TK_COUNTOF(counters); i++) {
        if (floor->fds[i] >= 0)
            (void)close(floor->fds[i]);
    }
}

static bool run_one(struct floor *floor)
{
    int joins[TK_COUNTOF(hierarchies)];
    int status = -1;
    if (floor->machine)
        open_counters(floor);
    if (floor->groups)
        make_groups(joins);
    pid_t pid = fork();
    if (pid == 0) {
        for (size_t i = 0; floor->groups && i < TK_COUNTOF(hierarchies); i++) {
            if (joins[i] >= 0)
                (void)!write(joins[i], "0", 1);
        }
        (void)execl("/bin/true", "true", (char *)NULL);
        _exit(127);
    }
    bool good = pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
    if (floor->groups)
        end_groups(joins);
    if (floor->machine)
        close_counters(floor);
    return good;
}

static int64_t usage_ns(int who)
{
    struct rusage usage;
    (void)getrusage(who, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * TK_NS_PER_S +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * TK_NS_PER_US;
}

/* CPU time of a command in ns; -1 when one fails. */
static double measure(struct floor floor, int64_t rounds)
{
    int64_t before_ns = usage_ns(RUSAGE_SELF) + usage_ns(RUSAGE_CHILDREN);
    for (int64_t i = 0; i < rounds; i++) {
        if (!run_one(&floor))
            return -1;
    }
    int64_t after_ns = usage_ns(RUSAGE_SELF) + usage_ns(RUSAGE_CHILDREN);
    return (double)(after_ns - before_ns) / (double)rounds;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *what;
        struct floor floor;
    } parts[] = {
        {"fork and exec", {0}},
        {"and control groups", {.groups = true}},
        {"and the counters of the machine, twice", {.machine = true}},
        {"and both", {.groups = true, .machine = true}},
    };
    struct floor_opts opts = {.rounds = 300};
    int status;
    double plain = 0;
    if (!tk_bench_parse("step_floor", options, &opts, argc, argv, &status))
        return status;
    for (size_t i = 0; i < TK_COUNTOF(parts); i++) {
        if (parts[i].floor.groups && !may_make_groups()) {
            printf("%-42s not allowed here\n", parts[i].what);
            continue;
        }
        double ns = measure(parts[i].floor, opts.rounds);
        if (ns < 0) {
            struct tk_err err;
            (void)tk_fail(&err, -ECHILD, "/bin/true does not run");
            return tk_bench_fail("step_floor", &err);
        }
        plain = i == 0 ? ns : plain;
        printf("%-42s %6.0f us  over it %6.0f us\n", parts[i].what, ns / 1e3, (ns - plain) / 1e3);
    }
    return 0;
}
