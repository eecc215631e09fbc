/* SPDX-License-Identifier: Apache-2.0 */
/* The load of the collectors' benchmark: children that mostly sleep, collector.md section 10.
 *
 * Each child has one of 20 names and touches 64 to 192 KB; some of them are active: they wake
 * after a random while and burn a little CPU. The random numbers depend on the child's index
 * alone, so that two runs are the same load. When all children stand, one line goes to stdout:
 *
 *     ready children=2000 active=200 processes=2087
 *
 * where processes counts every entry of /proc, ours and the machine's. Then loadgen waits for
 * SIGTERM, SIGINT or the death of its parent, and takes its children with it. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench.h"

struct load {
    int64_t children;
    int64_t active_percent;
    int64_t burn_ns;
    int64_t wake_min_ns;
    int64_t wake_max_ns;
};

static const struct tk_opt options[] = {
    {"children", TK_OPT_INT, offsetof(struct load, children), "N", "processes to start (100)",
     .letter = 'n', .min = 1, .max = 30000},
    {"active", TK_OPT_INT, offsetof(struct load, active_percent), "PERCENT",
     "how many of them are active (10)", .letter = 'a', .max = 100},
    {"burn", TK_OPT_DURATION, offsetof(struct load, burn_ns), "TIME",
     "CPU time of one awakening (100us)", .max = TK_NS_PER_S},
    {"wake-min", TK_OPT_DURATION, offsetof(struct load, wake_min_ns), "TIME",
     "shortest sleep of an active process (200ms)", .max = 3600 * TK_NS_PER_S},
    {"wake-max", TK_OPT_DURATION, offsetof(struct load, wake_max_ns), "TIME",
     "longest sleep (1200ms)", .max = 3600 * TK_NS_PER_S},
    {0},
};

static const char *const names[] = {
    "nginx",  "postgres",   "redis-server", "java", "node",    "python3",    "gunicorn",
    "celery", "haproxy",    "memcached",    "etcd", "kubelet", "envoy",      "mongod",
    "ffmpeg", "clickhouse", "rabbitmq",     "sshd", "bash",    "fluent-bit",
};

/* xorshift64*, Vigna 2016; the state must not be 0. */
static uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static bool touch_memory(size_t bytes)
{
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    memset(memory, 1, bytes);
    return true;
}

static bool child_is_active(const struct load *load, int64_t index)
{
    return index * load->active_percent % 100 < load->active_percent;
}

static _Noreturn void child_work(const struct load *load, uint64_t *random)
{
    uint64_t spread = (uint64_t)(load->wake_max_ns - load->wake_min_ns) + 1;
    for (;;) {
        int64_t sleep_ns = load->wake_min_ns + (int64_t)(random_next(random) % spread);
        (void)nanosleep(&(struct timespec){sleep_ns / TK_NS_PER_S, sleep_ns % TK_NS_PER_S}, NULL);
        int64_t end_ns = tk_bench_cpu_ns() + load->burn_ns;
        while (tk_bench_cpu_ns() < end_ns)
            continue;
    }
}

/* One child: say by a byte on `ready_fd` that it stands, then work or sleep until killed. */
static _Noreturn void child_run(const struct load *load, int64_t index, pid_t parent, int ready_fd)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* the parent died before the line above */
        _exit(1);
    (void)prctl(PR_SET_NAME, names[(size_t)index % TK_COUNTOF(names)]);

    uint64_t random = UINT64_C(0x9e3779b97f4a7c15) * (uint64_t)(index + 1);
    size_t kb = 64 + random_next(&random) % 129;
    if (!touch_memory(kb * 1024) || write(ready_fd, "", 1) != 1)
        _exit(1);
    (void)close(ready_fd);
    if (child_is_active(load, index))
        child_work(load, &random);
    for (;;)
        (void)pause();
}

/* `ret_started` counts the children that run, also after a failed fork. */
static int start_children(const struct load *load, pid_t *pids, int ready_fd, int64_t *ret_started,
                          struct tk_err *err)
{
    pid_t parent = getpid();
    for (int64_t i = 0; i < load->children; i++) {
        *ret_started = i;
        pids[i] = fork();
        if (pids[i] == 0)
            child_run(load, i, parent, ready_fd);
        if (pids[i] < 0) {
            return tk_fail_errno(err, "fork of child %lld of %lld", (long long)i + 1,
                                 (long long)load->children);
        }
    }
    *ret_started = load->children;
    return 0;
}

static void stop_children(const pid_t *pids, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        (void)kill(pids[i], SIGKILL);
    for (int64_t i = 0; i < count; i++)
        (void)waitpid(pids[i], NULL, 0);
}

/* Wait for one byte of each child; one that dies first ends the pipe early. */
static int await_children(int ready_fd, int64_t count, struct tk_err *err)
{
    char bytes[4096];
    while (count > 0) {
        ssize_t got = read(ready_fd, bytes, sizeof(bytes));
        if (got <= 0)
            return tk_fail(err, -ECHILD, "a child died at its start: out of memory?");
        count -= got;
    }
    return 0;
}

static int64_t count_processes(void)
{
    DIR *proc = opendir("/proc");
    if (!proc)
        return 0;
    int64_t count = 0;
    const struct dirent *entry;
    while ((entry = readdir(proc))) /* NOLINT(concurrency-mt-unsafe): one thread */
        count += isdigit((unsigned char)entry->d_name[0]) != 0;
    (void)closedir(proc);
    return count;
}

/* Print the ready line, then wait until told to stop. */
static int hold(const struct load *load, const sigset_t *signals, struct tk_err *err)
{
    int64_t active = 0;
    for (int64_t i = 0; i < load->children; i++)
        active += child_is_active(load, i);
    printf("ready children=%lld active=%lld processes=%lld\n", (long long)load->children,
           (long long)active, (long long)count_processes());
    if (fflush(stdout) != 0)
        return tk_fail_errno(err, "stdout");
    int signal = 0;
    (void)sigwait(signals, &signal);
    return signal == SIGCHLD ? tk_fail(err, -ECHILD, "a child died: the load is not whole") : 0;
}

static int run(const struct load *load, pid_t *pids, struct tk_err *err)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGCHLD);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);

    int ready[2];
    if (pipe(ready) != 0)
        return tk_fail_errno(err, "pipe");
    int64_t started = 0;
    int rc = start_children(load, pids, ready[1], &started, err);
    (void)close(ready[1]);
    if (rc == 0)
        rc = await_children(ready[0], started, err);
    if (rc == 0)
        rc = hold(load, &signals, err);
    stop_children(pids, started);
    (void)close(ready[0]);
    return rc;
}

int main(int argc, char **argv)
{
    struct load load = {.children = 100,
                        .active_percent = 10,
                        .burn_ns = 100 * TK_NS_PER_US,
                        .wake_min_ns = 200 * TK_NS_PER_MS,
                        .wake_max_ns = 1200 * TK_NS_PER_MS};
    int status;
    if (!tk_bench_parse("loadgen", options, &load, argc, argv, &status))
        return status;
    struct tk_err err = {0};
    if (load.wake_max_ns < load.wake_min_ns) {
        (void)tk_fail(&err, -EINVAL, "--wake-max is shorter than --wake-min");
        return tk_bench_fail("loadgen", &err) + 1;
    }
    pid_t *pids = calloc((size_t)load.children, sizeof(*pids));
    int rc = pids ? run(&load, pids, &err) : tk_fail(&err, -ENOMEM, "out of memory");
    free(pids);
    return rc < 0 ? tk_bench_fail("loadgen", &err) : 0;
}
