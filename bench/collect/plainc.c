/* SPDX-License-Identifier: Apache-2.0 */
/* The yardstick of the collectors' benchmark: what a plain C sampler costs, collector.md 10, 11.
 *
 * At each tick it walks /proc and opens, reads and closes `stat` and `statm` of every process
 * (with -5 also `io`, `schedstat` and `cgroup`), and appends to FILE one row per process in the
 * form of the original sampler:
 *
 *     {"ts_ms": 1758059310000, "pid": 1, "rss_kb": 1064, "utime": 5, "stime": 6}
 *
 * Nothing is kept open and nothing is skipped. The CPU of a tick is the difference of
 * CLOCK_PROCESS_CPUTIME_ID around it. At the end (after TICKS, or at SIGTERM) one JSON object goes
 * to stdout: the CPU of every tick and its median, rows and bytes of the last tick. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

enum {
    TICKS_MAX = 100000,
    ROW_MAX = 160,
    ROWS_BYTES = 40000 * ROW_MAX, /* pid_max is 32768 unless raised */
};

struct sampler {
    int out_fd;
    int64_t interval_ns;
    size_t ticks_max;
    bool five_files;
    size_t cold_bytes;
    long page_kb;
    char *rows; /* [ROWS_BYTES], the rows of one tick */
    size_t rows_bytes;
    size_t rows_count;
    char *cold;           /* [cold_bytes], touched between ticks to empty the caches */
    int64_t *tick_cpu_ns; /* [ticks_max] */
    size_t ticks;
};

static const char usage[] = "usage: plainc [-i INTERVAL_MS] [-n TICKS] [-c MB] [-5] -o FILE\n"
                            "  -i INTERVAL_MS  between ticks (1000); 0 = back to back\n"
                            "  -n TICKS        then stop (until SIGTERM, at most 100000)\n"
                            "  -c MB           touch MB of memory between ticks: cold caches\n"
                            "  -5              five files per process instead of two\n"
                            "  -o FILE         where the rows go; it is emptied first\n";

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* Read /proc/PID/NAME into `text`, ended by NUL; false when the process is gone or refuses. */
static bool read_file(const char *pid, const char *name, char *text, size_t cap)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, text, cap - 1);
    (void)close(fd);
    if (got <= 0)
        return false;
    text[got] = '\0';
    return true;
}

/* Fields 14 and 15 of stat, counted from the last ')' since a name may hold any byte. */
static bool parse_stat(const char *text, uint64_t *ret_utime, uint64_t *ret_stime)
{
    const char *at = strrchr(text, ')');
    for (int field = 2; at && field < 14; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return false;
    char *end;
    *ret_utime = strtoull(at, &end, 10);
    *ret_stime = strtoull(end, NULL, 10);
    return true;
}

static void sample_process(struct sampler *sampler, const char *pid, int64_t ts_ms)
{
    char stat[1024];
    char other[4096];
    uint64_t utime;
    uint64_t stime;
    if (!read_file(pid, "stat", stat, sizeof(stat)) || !parse_stat(stat, &utime, &stime))
        return;
    if (!read_file(pid, "statm", other, sizeof(other)))
        return;
    const char *resident = strchr(other, ' ');
    uint64_t rss_kb = resident ? strtoull(resident, NULL, 10) * (uint64_t)sampler->page_kb : 0;
    if (sampler->five_files) {
        (void)read_file(pid, "io", other, sizeof(other));
        (void)read_file(pid, "schedstat", other, sizeof(other));
        (void)read_file(pid, "cgroup", other, sizeof(other));
    }
    if (sampler->rows_bytes + ROW_MAX > ROWS_BYTES)
        return;
    int bytes = snprintf(sampler->rows + sampler->rows_bytes, ROW_MAX,
                         "{\"ts_ms\": %" PRId64 ", \"pid\": %s, \"rss_kb\": %" PRIu64
                         ", \"utime\": %" PRIu64 ", \"stime\": %" PRIu64 "}\n",
                         ts_ms, pid, rss_kb, utime, stime);
    sampler->rows_bytes += (size_t)bytes;
    sampler->rows_count++;
}

/* One sweep of /proc and one write; false when the write failed. */
static bool tick(struct sampler *sampler)
{
    DIR *proc = opendir("/proc");
    if (!proc)
        return false;
    int64_t ts_ms = clock_ns(CLOCK_REALTIME) / NS_PER_MS;
    sampler->rows_bytes = 0;
    sampler->rows_count = 0;
    for (const struct dirent *entry;
         (entry = readdir(proc));) /* NOLINT(concurrency-mt-unsafe): one thread */
        if (isdigit((unsigned char)entry->d_name[0]))
            sample_process(sampler, entry->d_name, ts_ms);
    (void)closedir(proc);
    ssize_t wrote = write(sampler->out_fd, sampler->rows, sampler->rows_bytes);
    return wrote == (ssize_t)sampler->rows_bytes;
}

/* Sleep until the deadline of tick `index`; true when SIGTERM or SIGINT came meanwhile. */
static bool wait_for_tick(const struct sampler *sampler, int64_t start_ns, const sigset_t *stop)
{
    int64_t due_ns = start_ns + (int64_t)(sampler->ticks + 1) * sampler->interval_ns;
    struct timespec due = {due_ns / NS_PER_S, due_ns % NS_PER_S};
    if (sampler->interval_ns > 0)
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
    return sigtimedwait(stop, NULL, &(struct timespec){0}) > 0;
}

static int sample(struct sampler *sampler)
{
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &stop, NULL);

    int64_t start_ns = clock_ns(CLOCK_MONOTONIC);
    while (sampler->ticks < sampler->ticks_max && !wait_for_tick(sampler, start_ns, &stop)) {
        if (sampler->cold_bytes > 0)
            memset(sampler->cold, (int)sampler->ticks, sampler->cold_bytes);
        int64_t before_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        if (!tick(sampler)) {
            fprintf(stderr, "plainc: cannot write the rows: %s\n", strerror(errno));
            return 1;
        }
        sampler->tick_cpu_ns[sampler->ticks++] = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - before_ns;
    }
    return 0;
}

static int compare_i64(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int print_summary(struct sampler *sampler)
{
    printf("{\"ticks\": %zu, \"rows\": %zu, \"bytes\": %zu, \"cpu_ns\": [", sampler->ticks,
           sampler->rows_count, sampler->rows_bytes);
    for (size_t i = 0; i < sampler->ticks; i++)
        printf("%s%" PRId64, i > 0 ? ", " : "", sampler->tick_cpu_ns[i]);
    qsort(sampler->tick_cpu_ns, sampler->ticks, sizeof(int64_t), compare_i64);
    int64_t median_ns = sampler->ticks > 0 ? sampler->tick_cpu_ns[sampler->ticks / 2] : 0;
    printf("], \"cpu_ns_median\": %" PRId64 "}\n", median_ns);
    return fflush(stdout) == 0 ? 0 : 1;
}

/* An option's number, or exit 2 with a line that names the option and its range. */
static int64_t number_arg(int option, const char *text, int64_t min, int64_t max)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && value >= min && value <= max)
        return value;
    fprintf(stderr, "plainc: -%c: '%s' is not a number from %lld to %lld\n", option, text,
            (long long)min, (long long)max);
    exit(2); /* NOLINT(concurrency-mt-unsafe): one thread */
}

/* Fills `sampler` and returns the output's path, or NULL after a wrong option. */
static const char *parse_args(struct sampler *sampler, int argc, char **argv)
{
    const char *path = NULL;
    for (int option; (option = getopt(argc, argv, "i:n:c:5o:")) !=
                     -1;) { /* NOLINT(concurrency-mt-unsafe): one thread */
        if (option == 'i')
            sampler->interval_ns = number_arg(option, optarg, 0, 3600000) * NS_PER_MS;
        else if (option == 'n')
            sampler->ticks_max = (size_t)number_arg(option, optarg, 1, TICKS_MAX);
        else if (option == 'c')
            sampler->cold_bytes = (size_t)number_arg(option, optarg, 1, 4096) << 20;
        else if (option == '5')
            sampler->five_files = true;
        else if (option == 'o')
            path = optarg;
        else
            return NULL;
    }
    return optind == argc ? path : NULL;
}

int main(int argc, char **argv)
{
    struct sampler sampler = {
        .interval_ns = NS_PER_S, .ticks_max = TICKS_MAX, .page_kb = sysconf(_SC_PAGESIZE) / 1024};
    const char *path = parse_args(&sampler, argc, argv);
    if (!path) {
        fputs(usage, stderr);
        return 2;
    }
    sampler.out_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
    if (sampler.out_fd < 0) {
        fprintf(stderr, "plainc: open %s: %s\n", path, strerror(errno));
        return 1;
    }
    sampler.rows = malloc(ROWS_BYTES);
    sampler.cold = malloc(sampler.cold_bytes + 1);
    sampler.tick_cpu_ns = calloc(sampler.ticks_max, sizeof(*sampler.tick_cpu_ns));
    int rc = 1;
    if (sampler.rows && sampler.cold && sampler.tick_cpu_ns)
        rc = sample(&sampler);
    else
        fprintf(stderr, "plainc: out of memory\n");
    if (rc == 0)
        rc = print_summary(&sampler);
    free(sampler.rows);
    free(sampler.cold);
    free(sampler.tick_cpu_ns);
    return rc;
}
