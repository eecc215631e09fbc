/* SPDX-License-Identifier: Apache-2.0 */
/* What a host tick costs in CPU time, user and system.
 *
 *     host --sources --interval 0 --ticks 10000    each source alone, hot
 *     host --sources --interval 1s --ticks 10      the same with cold caches
 *     host --interval 1s --ticks 20                whole ticks, as a recorder runs
 *
 * Ticks closer than 10 ms read only a part: the kernel's own CPU counters have not moved then.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "bench.h"
#include "collect/host.h"
#include "collect/host_sources.h"

struct host_opts {
    int64_t ticks;
    int64_t interval_ns;
    bool sources;
    bool per_core;
    bool encode;
    bool all;
};

static const struct tk_opt options[] = {
    {"ticks", TK_OPT_INT, offsetof(struct host_opts, ticks), "N", "ticks to measure", .min = 1,
     .max = 1000000},
    {"interval", TK_OPT_DURATION, offsetof(struct host_opts, interval_ns), "TIME", "between ticks"},
    {"sources", TK_OPT_FLAG, offsetof(struct host_opts, sources), NULL,
     "measure each source alone"},
    {"per-core", TK_OPT_FLAG, offsetof(struct host_opts, per_core), NULL, "add per_core_util"},
    {"encode", TK_OPT_FLAG, offsetof(struct host_opts, encode), NULL, "encode rows as JSON Lines"},
    {"all", TK_OPT_FLAG, offsetof(struct host_opts, all), NULL,
     "read the sources of every class at each tick"},
    {0},
};

static int drop(void *context, enum tk_table table, const struct tk_batch *batch,
                struct tk_err *err)
{
    (void)table;
    (void)err;
    struct tk_buf *out = context;
    if (out->max == 0)
        return 0;
    tk_buf_reset(out);
    tk_encoder_jsonl.batch(batch, out);
    return 0;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void wait_until(struct timespec *deadline, int64_t interval_ns)
{
    int64_t ns = deadline->tv_nsec + interval_ns;
    deadline->tv_sec += ns / TK_NS_PER_S;
    deadline->tv_nsec = ns % TK_NS_PER_S;
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, deadline, NULL);
}

static int measure(const struct host_opts *opts, struct tk_host *host, struct tk_rows *rows,
                   struct tk_err *err)
{
    int64_t *costs = calloc((size_t)opts->ticks, sizeof(*costs));
    if (!costs)
        return tk_fail(err, -1, "out of memory");
    struct timespec deadline;
    (void)clock_gettime(CLOCK_MONOTONIC, &deadline);
    int64_t start = 0;
    int rc = 0;
    for (int64_t i = -3; i < opts->ticks && rc == 0; i++) {
        if (i == 0)
            start = tk_bench_cpu_ns();
        if (opts->interval_ns > 0)
            wait_until(&deadline, opts->interval_ns);
        int64_t before = tk_bench_cpu_ns();
        (opts->all ? tk_host_finish : tk_host_tick)(host, rows);
        rc = tk_rows_flush(rows, err);
        if (i >= 0)
            costs[i] = tk_bench_cpu_ns() - before;
    }
    int64_t total = tk_bench_cpu_ns() - start;
    qsort(costs, (size_t)opts->ticks, sizeof(*costs), by_value);
    if (rc == 0)
        printf("ticks %lld  median %.1f us  p99 %.1f us  whole program %.1f us per tick\n",
               (long long)opts->ticks, (double)costs[opts->ticks / 2] / 1e3,
               (double)costs[opts->ticks * 99 / 100] / 1e3,
               (double)total / 1e3 / (double)opts->ticks);
    free(costs);
    return rc;
}

/* One source, kept open as the recorder keeps it. */
struct source {
    const struct tk_host_source *source;
    int fd; /* -1 = missing */
    int64_t read_ns, parse_ns;
};

static void measure_source(struct source *source, struct tk_host_reading *reading)
{
    static char buf[1 << 20];
    struct tk_err err;
    int64_t start_ns = tk_bench_cpu_ns();
    ssize_t n = pread(source->fd, buf, sizeof(buf), 0);
    if (n > 2048 && source->source->paged) {
        ssize_t more = pread(source->fd, buf + n, sizeof(buf) - (size_t)n, n);
        n += more > 0 ? more : 0;
    }
    int64_t read_ns = tk_bench_cpu_ns();
    if (n <= 0 || source->source->parse((tk_str){buf, (size_t)n}, 0, reading, &err) < 0)
        tk_fd_close(&source->fd);
    source->read_ns += read_ns - start_ns;
    source->parse_ns += tk_bench_cpu_ns() - read_ns;
}

static int measure_sources(const struct host_opts *opts, const struct tk_kernel *kernel,
                           struct tk_err *err)
{
    static const char *const classes[] = {"fast", "1 s", "slow"};
    struct source sources[TK_HOST_SOURCE_COUNT];
    struct tk_host_reading *reading = calloc(1, sizeof(*reading));
    if (!reading)
        return tk_fail(err, -1, "out of memory");
    for (size_t i = 0; i < TK_HOST_SOURCE_COUNT; i++) {
        const char *path = tk_host_sources[i].path;
        sources[i] = (struct source){.source = &tk_host_sources[i], .fd = -1};
        if (path)
            sources[i].fd = openat(kernel->rootfd, path, O_RDONLY | O_CLOEXEC);
    }
    struct timespec deadline;
    (void)clock_gettime(CLOCK_MONOTONIC, &deadline);
    for (int64_t tick = 0; tick < opts->ticks; tick++) {
        wait_until(&deadline, opts->interval_ns);
        for (size_t i = 0; i < TK_HOST_SOURCE_COUNT; i++)
            if (sources[i].fd >= 0)
                measure_source(&sources[i], reading);
    }
    for (size_t i = 0; i < TK_HOST_SOURCE_COUNT; i++) {
        if (sources[i].fd >= 0)
            printf("%-16s %-5s read %7.2f us  parse %6.2f us\n", sources[i].source->name,
                   classes[sources[i].source->class],
                   (double)sources[i].read_ns / 1e3 / (double)opts->ticks,
                   (double)sources[i].parse_ns / 1e3 / (double)opts->ticks);
        tk_fd_close(&sources[i].fd);
    }
    free(reading);
    return 0;
}

int main(int argc, char **argv)
{
    struct host_opts opts = {.ticks = 100, .interval_ns = 100 * TK_NS_PER_MS};
    int status = 0;
    if (!tk_bench_parse("host", options, &opts, argc, argv, &status))
        return status;

    struct tk_err err;
    struct tk_kernel kernel;
    struct tk_host *host = NULL;
    struct tk_rows *rows = NULL;
    struct tk_buf out;
    tk_buf_init(&out, opts.encode ? 1 << 20 : 0);
    const struct tk_host_options host_options = {.node = "node",
                                                 .stage = "cloud",
                                                 .host = "host",
                                                 .iface = "eth0",
                                                 .per_core = opts.per_core};
    int rc = tk_kernel_open(&kernel, "/", &err);
    if (rc == 0)
        rc = tk_host_new(&kernel, &host_options, &host, &err);
    if (rc == 0)
        rc = tk_rows_new((struct tk_sink){drop, &out}, &rows, &err);
    if (rc == 0)
        rc =
            opts.sources ? measure_sources(&opts, &kernel, &err) : measure(&opts, host, rows, &err);
    if (rc < 0)
        status = tk_bench_fail("host", &err);
    tk_rows_free(rows);
    tk_host_free(host);
    tk_kernel_close(&kernel);
    tk_buf_release(&out);
    return status;
}
