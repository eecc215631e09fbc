/* SPDX-License-Identifier: Apache-2.0 */
/* What a sweep over all processes costs, tier by tier, in CPU time of this process: B2, B1, P, P0
 * and the plain loop that opens, reads and closes stat and statm of everybody, one after the other
 * in the same process, so that their ratio means something on a busy machine. Rows are encoded as
 * JSON Lines and dropped.
 *
 *     build/loadgen -n 2000 -a 10 &
 *     build/procs --interval 1s --ticks 15 --cold 64
 *
 * One line per way: median and 90th percentile of its ticks, its system calls per tick, how many
 * processes it looked at beyond their clock, rows per tick, and its median as a share of the plain
 * loop's. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "bench.h"
#include "collect/procs.h"

enum {
    TEXT_MAX = 16 * 1024 * 1024,
    WARM_UP = 3,
};

struct procs_opts {
    int64_t interval_ns;
    int64_t ticks;
    int64_t cold_mb;
    bool no_events;
    bool all;
};

static const struct tk_opt options[] = {
    {"interval", TK_OPT_DURATION, offsetof(struct procs_opts, interval_ns), "TIME",
     "between rounds (1s); 0ms = back to back", .letter = 'i', .max = 3600 * TK_NS_PER_S},
    {"ticks", TK_OPT_INT, offsetof(struct procs_opts, ticks), "N", "rounds to measure (15)",
     .letter = 'n', .min = 1, .max = 100000},
    {"cold", TK_OPT_INT, offsetof(struct procs_opts, cold_mb), "MB",
     "touch MB of memory before each tick, uncounted: cold caches (0)", .max = 4096},
    {"no-events", TK_OPT_FLAG, offsetof(struct procs_opts, no_events), NULL,
     "tier P without proc connector and taskstats"},
    {"all", TK_OPT_FLAG, offsetof(struct procs_opts, all), NULL,
     "a row per process and tick, as the original wrote"},
    {0},
};

/* One way of sampling, and what its ticks cost. */
struct way {
    const char *name;
    enum tk_tier tier;      /* AUTO: the plain loop */
    struct tk_procs *procs; /* NULL: the plain loop */
    struct tk_rows *rows;
    struct tk_buf text; /* of the rows */
    int64_t row_count;
    int64_t *cost_ns; /* [ticks] */
    int64_t syscalls;
    int64_t ran;
    bool is_absent; /* a tier that this host refuses */
};

static int encode(void *context, enum tk_table table, const struct tk_batch *batch,
                  struct tk_err *err)
{
    (void)table;
    (void)err;
    struct way *way = context;
    tk_buf_reset(&way->text);
    tk_encoder_jsonl.batch(batch, &way->text);
    way->row_count += (int64_t)batch->rows;
    return 0;
}

/* The plain loop ------------------------------------------------------------------------ */

static ssize_t read_plain(const char *pid, const char *name, char *text, size_t cap)
{
    char path[sizeof("/proc//") + NAME_MAX + 16];
    (void)snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t got = read(fd, text, cap - 1);
    (void)close(fd);
    text[got > 0 ? got : 0] = '\0';
    return got;
}

static void sample_plain(struct way *way, const char *pid)
{
    char stat[1024];
    char statm[256];
    if (read_plain(pid, "stat", stat, sizeof(stat)) <= 0 ||
        read_plain(pid, "statm", statm, sizeof(statm)) <= 0)
        return;
    const char *at = strrchr(stat, ')');
    for (int field = 2; at && field < 14; field++)
        at = strchr(at + 1, ' ');
    const char *resident = strchr(statm, ' ');
    if (!at || !resident)
        return;
    char *end;
    unsigned long long user = strtoull(at, &end, 10);
    unsigned long long system = strtoull(end, NULL, 10);
    tk_buf_printf(&way->text,
                  "{\"ts_ms\": 1758059310000, \"pid\": %s, \"rss_kb\": %llu, \"utime\": %llu, "
                  "\"stime\": %llu}\n",
                  pid, strtoull(resident, NULL, 10) * 4, user, system);
    way->row_count++;
    way->syscalls += 6;
}

static void tick_plain(struct way *way)
{
    DIR *proc = opendir("/proc");
    if (!proc)
        return;
    tk_buf_reset(&way->text);
    const struct dirent *entry;
    while ((entry = readdir(proc))) { /* NOLINT(concurrency-mt-unsafe): one thread */
        if (isdigit((unsigned char)entry->d_name[0]))
            sample_plain(way, entry->d_name);
    }
    (void)closedir(proc);
}

/* Measuring ----------------------------------------------------------------------------- */

static int tick(struct way *way, struct tk_err *err)
{
    if (!way->procs) {
        tick_plain(way);
        return 0;
    }
    struct tk_procs_stats stats;
    tk_procs_tick(way->procs, -1, way->rows);
    int rc = tk_rows_flush(way->rows, err);
    tk_procs_read_stats(way->procs, &stats);
    way->ran += stats.ran;
    return rc;
}

static int64_t calls_of(const struct way *way)
{
    struct tk_procs_stats stats;
    if (!way->procs)
        return way->syscalls;
    tk_procs_read_stats(way->procs, &stats);
    return stats.syscalls;
}

static void wait_until(int64_t due_ns)
{
    struct timespec due = {due_ns / TK_NS_PER_S, due_ns % TK_NS_PER_S};
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
}

/* One tick of one way, its cost kept unless it warms up. */
static int measure_tick(struct way *way, int64_t round, struct tk_err *err)
{
    if (round == 0) {
        way->row_count = way->ran = 0;
        way->syscalls = -calls_of(way);
    }
    int64_t before_ns = tk_bench_cpu_ns();
    int rc = tick(way, err);
    if (round >= 0)
        way->cost_ns[round] = tk_bench_cpu_ns() - before_ns;
    return rc;
}

/* Each way ticks at the interval, evenly between the others. */
static int measure(const struct procs_opts *opts, struct way *ways, size_t count, char *cold,
                   struct tk_err *err)
{
    int64_t start_ns = tk_clock_mono_ns();
    int64_t step_ns = opts->interval_ns / (int64_t)count;
    for (int64_t round = -WARM_UP; round < opts->ticks; round++) {
        for (size_t i = 0; i < count; i++) {
            wait_until(start_ns + (round + WARM_UP) * opts->interval_ns + (int64_t)i * step_ns);
            if (cold)
                memset(cold, (int)round, (size_t)opts->cold_mb << 20);
            int rc = ways[i].is_absent ? 0 : measure_tick(&ways[i], round, err);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

static int compare_ns(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Of sorted costs. */
static int64_t median_of(const struct procs_opts *opts, const struct way *way)
{
    int64_t middle = opts->ticks / 2;
    return way->cost_ns[middle];
}

static int print_way(const struct procs_opts *opts, struct way *way, double plain_ns)
{
    double ticks = (double)opts->ticks;
    int64_t p90 = opts->ticks * 9 / 10;
    double median_ns = (double)median_of(opts, way);
    int64_t calls = way->procs ? calls_of(way) + way->syscalls : way->syscalls;
    return printf("%-6s median %8.1f us  p90 %8.1f us  %8.0f syscalls  %6.0f looked at  %6.0f "
                  "rows  1/%.1f of plain\n",
                  way->name, median_ns / 1e3, (double)way->cost_ns[p90] / 1e3,
                  (double)calls / ticks, (double)way->ran / ticks, (double)way->row_count / ticks,
                  plain_ns / median_ns);
}

static int way_open(struct way *way, const struct procs_opts *opts, const struct tk_kernel *kernel,
                    struct tk_err *err)
{
    tk_buf_init(&way->text, TEXT_MAX);
    way->cost_ns = calloc((size_t)opts->ticks, sizeof(*way->cost_ns));
    if (!way->cost_ns)
        return tk_fail(err, -1, "out of memory");
    if (way->tier == TK_TIER_AUTO)
        return 0;
    int rc = tk_rows_new((struct tk_sink){encode, way}, &way->rows, err);
    if (rc < 0)
        return rc;
    struct tk_procs_options procs_options = {
        .node = "bench",
        .host = "bench",
        .tier = way->tier,
        .no_events = opts->no_events || way->tier == TK_TIER_P0,
        .every_tick = opts->all,
    };
    rc = tk_procs_new(kernel, &procs_options, &way->procs, err);
    /* Tiers that this host refuses are told and left out. */
    way->is_absent = rc == -EPERM || rc == -EOPNOTSUPP;
    if (way->is_absent)
        (void)printf("%s\n", err->msg);
    return way->is_absent ? 0 : rc;
}

static void way_close(struct way *way)
{
    tk_procs_free(way->procs);
    tk_rows_free(way->rows);
    tk_buf_release(&way->text);
    free(way->cost_ns);
}

static int run(const struct procs_opts *opts, struct tk_kernel *kernel, struct tk_err *err)
{
    struct way ways[] = {
        {.name = "B2", .tier = TK_TIER_B2},
        {.name = "B1", .tier = TK_TIER_B1},
        {.name = "P", .tier = TK_TIER_P},
        {.name = "P0", .tier = TK_TIER_P0},
        {.name = "plain"},
    };
    const struct way *plain = &ways[TK_COUNTOF(ways) - 1];
    char *cold = opts->cold_mb > 0 ? malloc((size_t)opts->cold_mb << 20) : NULL;
    int rc = tk_kernel_open(kernel, "/", err);
    for (size_t i = 0; rc == 0 && i < TK_COUNTOF(ways); i++)
        rc = way_open(&ways[i], opts, kernel, err);
    if (rc == 0)
        rc = measure(opts, ways, TK_COUNTOF(ways), cold, err);
    for (size_t i = 0; rc == 0 && i < TK_COUNTOF(ways); i++)
        qsort(ways[i].cost_ns, (size_t)opts->ticks, sizeof(*ways[i].cost_ns), compare_ns);
    for (size_t i = TK_COUNTOF(ways); rc == 0 && i-- > 0;) {
        double plain_ns = (double)median_of(opts, plain);
        rc = ways[i].is_absent ? 0 : print_way(opts, &ways[i], plain_ns) < 0;
    }
    for (size_t i = 0; i < TK_COUNTOF(ways); i++)
        way_close(&ways[i]);
    free(cold);
    tk_kernel_close(kernel);
    return rc;
}

int main(int argc, char **argv)
{
    struct procs_opts opts = {.interval_ns = TK_NS_PER_S, .ticks = 15};
    struct tk_kernel kernel = {0};
    struct tk_err err = {0};
    int status;
    if (!tk_bench_parse("procs", options, &opts, argc, argv, &status))
        return status;
    return run(&opts, &kernel, &err) < 0 ? tk_bench_fail("procs", &err) : 0;
}
