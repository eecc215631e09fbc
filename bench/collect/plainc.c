/* SPDX-License-Identifier: Apache-2.0 */
/* The yardstick of the collectors' benchmark: what a plain C sampler costs, collector.md 10, 11.
 *
 * At each tick it walks /proc and opens, reads and closes `stat` and `statm` of every process
 * (--five: also `io`, `schedstat` and `cgroup`), and appends to the output one row per process in
 * the form of the original sampler:
 *
 *     {"ts_ms": 1758059310000, "pid": 1, "rss_kb": 1064, "utime": 5, "stime": 6}
 *
 * Nothing is kept open and nothing is skipped; host files are not read. The CPU of a tick is the
 * difference of the process CPU clock around it. At the end (after --ticks, or at SIGTERM) one JSON
 * object goes to stdout: the CPU of every tick and its median, rows and bytes of the last tick. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "bench.h"

enum {
    TICKS_MAX = 100000,
    ROW_MAX = 160,
    ROWS_MAX = 40000 * ROW_MAX, /* bytes of one tick; pid_max is 32768 unless raised */
};

struct plainc_opts {
    int64_t interval_ns;
    int64_t ticks;
    int64_t cold_mb;
    bool five;
    const char *output;
};

static const struct tk_opt options[] = {
    {"interval", TK_OPT_DURATION, offsetof(struct plainc_opts, interval_ns), "TIME",
     "between ticks (1s); 0ms = back to back", .letter = 'i', .max = 3600 * TK_NS_PER_S},
    {"ticks", TK_OPT_INT, offsetof(struct plainc_opts, ticks), "N",
     "stop after N ticks (100000); SIGTERM stops earlier", .letter = 'n', .min = 1,
     .max = TICKS_MAX},
    {"cold", TK_OPT_INT, offsetof(struct plainc_opts, cold_mb), "MB",
     "touch MB of memory before each tick, uncounted: cold caches", .max = 4096},
    {"five", TK_OPT_FLAG, offsetof(struct plainc_opts, five), NULL,
     "read five files per process instead of two"},
    {"output", TK_OPT_STRING, offsetof(struct plainc_opts, output), "FILE",
     "where the rows go (/dev/null); emptied first", .letter = 'o'},
    {0},
};

/* The rows of one tick, and what the ticks so far cost. */
struct plainc {
    const struct plainc_opts *opts;
    int out_fd;
    struct tk_buf rows;
    int64_t rows_count;
    char *cold;           /* [opts->cold_mb MB], NULL when 0 */
    int64_t *tick_cpu_ns; /* [opts->ticks] */
    int64_t ticks;
};

/* Read /proc/PID/NAME into `text`, ended by NUL; false when the process is gone or refuses. */
static bool read_file(const char *pid, const char *name, char *text, size_t cap)
{
    char path[sizeof("/proc//") + NAME_MAX + 16];
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

static void sample_process(struct plainc *plainc, const char *pid, int64_t ts_ms)
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
    uint64_t page_kb = (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
    uint64_t rss_kb = resident ? strtoull(resident, NULL, 10) * page_kb : 0;
    if (plainc->opts->five) {
        (void)read_file(pid, "io", other, sizeof(other));
        (void)read_file(pid, "schedstat", other, sizeof(other));
        (void)read_file(pid, "cgroup", other, sizeof(other));
    }
    char *row = tk_buf_reserve(&plainc->rows, ROW_MAX);
    if (!row)
        return;
    int bytes = snprintf(row, ROW_MAX,
                         "{\"ts_ms\": %" PRId64 ", \"pid\": %s, \"rss_kb\": %" PRIu64
                         ", \"utime\": %" PRIu64 ", \"stime\": %" PRIu64 "}\n",
                         ts_ms, pid, rss_kb, utime, stime);
    plainc->rows.n += (size_t)bytes;
    plainc->rows_count++;
}

/* One sweep of /proc and one write. */
static int tick(struct plainc *plainc, struct tk_err *err)
{
    DIR *proc = opendir("/proc");
    if (!proc)
        return tk_fail_errno(err, "open /proc");
    int64_t ts_ms = tk_clock_real_ns() / TK_NS_PER_MS;
    tk_buf_reset(&plainc->rows);
    plainc->rows_count = 0;
    const struct dirent *entry;
    while ((entry = readdir(proc))) { /* NOLINT(concurrency-mt-unsafe): one thread */
        if (isdigit((unsigned char)entry->d_name[0]))
            sample_process(plainc, entry->d_name, ts_ms);
    }
    (void)closedir(proc);
    int rc = tk_buf_check(&plainc->rows, "the rows of a tick", err);
    if (rc < 0)
        return rc;
    return tk_fd_write(plainc->out_fd, tk_buf_str(&plainc->rows), plainc->opts->output, err);
}

static int sample(struct plainc *plainc, struct tk_err *err)
{
    struct tk_bench_ticker ticker;
    tk_bench_ticker_init(&ticker, plainc->opts->interval_ns);
    while (plainc->ticks < plainc->opts->ticks && tk_bench_ticker_next(&ticker)) {
        if (plainc->cold)
            memset(plainc->cold, (int)plainc->ticks, (size_t)plainc->opts->cold_mb << 20);
        int64_t before_ns = tk_bench_cpu_ns();
        int rc = tick(plainc, err);
        if (rc < 0)
            return rc;
        plainc->tick_cpu_ns[plainc->ticks++] = tk_bench_cpu_ns() - before_ns;
    }
    return 0;
}

static int compare_ns(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Sorts tick_cpu_ns after it has been printed in order. */
static int print_summary(struct plainc *plainc, struct tk_err *err)
{
    printf("{\"ticks\": %" PRId64 ", \"rows\": %" PRId64 ", \"bytes\": %zu, \"cpu_ns\": [",
           plainc->ticks, plainc->rows_count, plainc->rows.n);
    for (int64_t i = 0; i < plainc->ticks; i++)
        printf("%s%" PRId64, i > 0 ? ", " : "", plainc->tick_cpu_ns[i]);
    qsort(plainc->tick_cpu_ns, (size_t)plainc->ticks, sizeof(int64_t), compare_ns);
    int64_t median_ns = plainc->ticks > 0 ? plainc->tick_cpu_ns[plainc->ticks / 2] : 0;
    printf("], \"cpu_ns_median\": %" PRId64 "}\n", median_ns);
    return fflush(stdout) == 0 ? 0 : tk_fail_errno(err, "stdout");
}

static int run(struct plainc *plainc, struct tk_err *err)
{
    const struct plainc_opts *opts = plainc->opts;
    plainc->out_fd = open(opts->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (plainc->out_fd < 0)
        return tk_fail_errno(err, "open %s", opts->output);
    plainc->tick_cpu_ns = calloc((size_t)opts->ticks, sizeof(int64_t));
    plainc->cold = opts->cold_mb > 0 ? malloc((size_t)opts->cold_mb << 20) : NULL;
    if (!plainc->tick_cpu_ns || (opts->cold_mb > 0 && !plainc->cold))
        return tk_fail(err, -ENOMEM, "out of memory");
    int rc = sample(plainc, err);
    return rc < 0 ? rc : print_summary(plainc, err);
}

int main(int argc, char **argv)
{
    struct plainc_opts opts = {
        .interval_ns = TK_NS_PER_S, .ticks = TICKS_MAX, .output = "/dev/null"};
    int status;
    if (!tk_bench_parse("plainc", options, &opts, argc, argv, &status))
        return status;
    struct plainc plainc = {.opts = &opts, .out_fd = -1};
    tk_buf_init(&plainc.rows, ROWS_MAX);
    struct tk_err err = {0};
    int rc = run(&plainc, &err);
    tk_fd_close(&plainc.out_fd);
    tk_buf_release(&plainc.rows);
    free(plainc.cold);
    free(plainc.tick_cpu_ns);
    return rc < 0 ? tk_bench_fail("plainc", &err) : 0;
}
