/* SPDX-License-Identifier: Apache-2.0 */
/* The load of the collectors' benchmark: N children that mostly sleep, collector.md section 10.
 *
 * Each child has one of 20 names and touches 64 to 192 KB; PERCENT of them are active: they wake
 * after a random while of MIN to MAX ms and burn BURN us of CPU. The random numbers depend on the
 * child's index alone, so that two runs are the same load. When all children stand, one line goes
 * to stdout:
 *
 *     ready children=2000 active=200 processes=2087
 *
 * where processes counts every entry of /proc, ours and the machine's. Then loadgen waits for
 * SIGTERM, SIGINT or the death of its parent, and takes its children with it. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

static const char *const names[] = {
    "nginx",  "postgres", "redis-server", "java",     "node", "python3", "gunicorn",
    "celery", "haproxy",  "memcached",    "rabbitmq", "etcd", "kubelet", "envoy",
    "mongod", "clickhse", "fluent-bit",   "ffmpeg",   "sshd", "bash"};

struct load {
    size_t children;
    size_t active_percent;
    int64_t burn_ns;
    int64_t wake_min_ns;
    int64_t wake_max_ns;
};

static const char usage[] =
    "usage: loadgen -n CHILDREN [-a PERCENT] [-b BURN_US] [-w MIN_MS] [-W MAX_MS]\n"
    "  -n CHILDREN  processes to start, 1..30000\n"
    "  -a PERCENT   how many of them are active, 0..100 (10)\n"
    "  -b BURN_US   CPU of one awakening in microseconds (100)\n"
    "  -w MIN_MS    shortest sleep of an active one (200)\n"
    "  -W MAX_MS    longest sleep (1200)\n";

/* xorshift64*: state must not be 0. */
static uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static bool touch_memory(size_t bytes)
{
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    memset(memory, 1, bytes);
    return true;
}

static bool child_is_active(const struct load *load, size_t index)
{
    return index * load->active_percent % 100 < load->active_percent;
}

static _Noreturn void child_work(const struct load *load, uint64_t *random)
{
    uint64_t spread = (uint64_t)(load->wake_max_ns - load->wake_min_ns) + 1;
    for (;;) {
        int64_t sleep_ns = load->wake_min_ns + (int64_t)(random_next(random) % spread);
        (void)nanosleep(&(struct timespec){sleep_ns / NS_PER_S, sleep_ns % NS_PER_S}, NULL);

        int64_t end_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + load->burn_ns;
        while (clock_ns(CLOCK_PROCESS_CPUTIME_ID) < end_ns)
            continue;
    }
}

/* One child: say by a byte on `ready_fd` that it stands, then work or sleep until killed. */
static _Noreturn void child_run(const struct load *load, size_t index, pid_t parent, int ready_fd)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* the parent died before the line above */
        _exit(1);
    (void)prctl(PR_SET_NAME, names[index % TK_COUNTOF(names)]);

    uint64_t random = UINT64_C(0x9e3779b97f4a7c15) * (index + 1);
    size_t kb = 64 + random_next(&random) % 129;
    if (!touch_memory(kb * 1024) || write(ready_fd, "", 1) != 1)
        _exit(1);
    (void)close(ready_fd);
    if (child_is_active(load, index))
        child_work(load, &random);
    for (;;)
        (void)pause();
}

static void stop_children(const pid_t *pids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)kill(pids[i], SIGKILL);
    for (size_t i = 0; i < count; i++)
        (void)waitpid(pids[i], NULL, 0);
}

/* Returns how many children were started; fewer than asked for means that fork failed. */
static size_t start_children(const struct load *load, pid_t *pids, int ready_fd)
{
    pid_t parent = getpid();
    for (size_t i = 0; i < load->children; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            child_run(load, i, parent, ready_fd);
        if (pids[i] < 0) {
            fprintf(stderr, "loadgen: fork of child %zu of %zu: %s\n", i + 1, load->children,
                    strerror(errno));
            return i;
        }
    }
    return load->children;
}

/* Wait for one byte of each child; false when one died first, which ends the pipe early. */
static bool children_are_ready(int ready_fd, size_t count)
{
    char bytes[4096];
    while (count > 0) {
        ssize_t got = read(ready_fd, bytes, sizeof(bytes));
        if (got <= 0)
            return false;
        count -= (size_t)got;
    }
    return true;
}

static size_t count_processes(void)
{
    DIR *proc = opendir("/proc");
    if (!proc)
        return 0;
    size_t count = 0;
    for (const struct dirent *entry;
         (entry = readdir(proc));) /* NOLINT(concurrency-mt-unsafe): one thread */
        count += isdigit((unsigned char)entry->d_name[0]) != 0;
    (void)closedir(proc);
    return count;
}

static size_t count_active(const struct load *load)
{
    size_t count = 0;
    for (size_t i = 0; i < load->children; i++)
        count += child_is_active(load, i);
    return count;
}

/* Print the ready line and wait until told to stop; false when a child died meanwhile. */
static bool hold(const struct load *load, const sigset_t *signals)
{
    printf("ready children=%zu active=%zu processes=%zu\n", load->children, count_active(load),
           count_processes());
    if (fflush(stdout) != 0)
        return false;
    int signal = 0;
    (void)sigwait(signals, &signal);
    if (signal == SIGCHLD)
        fprintf(stderr, "loadgen: a child died\n");
    return signal != SIGCHLD;
}

static int run(const struct load *load)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGCHLD);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);

    int ready[2];
    pid_t *pids = calloc(load->children, sizeof(*pids));
    if (!pids || pipe(ready) != 0) {
        fprintf(stderr, "loadgen: %s\n", strerror(errno));
        free(pids);
        return 1;
    }
    size_t started = start_children(load, pids, ready[1]);
    (void)close(ready[1]);
    bool ok = started == load->children && children_are_ready(ready[0], started);
    ok = ok && hold(load, &signals);
    stop_children(pids, started);
    free(pids);
    return ok ? 0 : 1;
}

/* An option's number, or exit 2 with a line that names the option and its range. */
static int64_t number_arg(int option, const char *text, int64_t min, int64_t max)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && value >= min && value <= max)
        return value;
    fprintf(stderr, "loadgen: -%c: '%s' is not a number from %lld to %lld\n", option, text,
            (long long)min, (long long)max);
    exit(2); /* NOLINT(concurrency-mt-unsafe): one thread */
}

int main(int argc, char **argv)
{
    struct load load = {.active_percent = 10,
                        .burn_ns = 100 * NS_PER_US,
                        .wake_min_ns = 200 * NS_PER_MS,
                        .wake_max_ns = 1200 * NS_PER_MS};
    for (int option; (option = getopt(argc, argv, "n:a:b:w:W:")) !=
                     -1;) { /* NOLINT(concurrency-mt-unsafe): one thread */
        if (option == 'n')
            load.children = (size_t)number_arg(option, optarg, 1, 30000);
        else if (option == 'a')
            load.active_percent = (size_t)number_arg(option, optarg, 0, 100);
        else if (option == 'b')
            load.burn_ns = number_arg(option, optarg, 0, 1000000) * NS_PER_US;
        else if (option == 'w')
            load.wake_min_ns = number_arg(option, optarg, 1, 3600000) * NS_PER_MS;
        else if (option == 'W')
            load.wake_max_ns = number_arg(option, optarg, 1, 3600000) * NS_PER_MS;
        else
            load.children = 0;
    }
    if (load.children == 0 || optind != argc || load.wake_min_ns > load.wake_max_ns) {
        fputs(usage, stderr);
        return 2;
    }
    return run(&load);
}
