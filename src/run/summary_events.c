/* SPDX-License-Identifier: Apache-2.0 */
/* Invocations: how many, how long, how many failed, and which of them is the command that the run
 * was made for. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "run/summary_internal.h"

/* Durations in powers of two, each in SUB_BUCKETS equal parts: quantiles are within 1 %. */
#define SUB_BITS    7
#define SUB_BUCKETS (1 << SUB_BITS)
#define BUCKETS     ((size_t)64 * SUB_BUCKETS)

struct events {
    struct tk_summary_maker *maker;
    int64_t durations[BUCKETS];
    int64_t best_ns; /* length of the command as far as found; -1 = not found */
};

static size_t bucket_of(int64_t ns)
{
    uint64_t value = ns < SUB_BUCKETS ? SUB_BUCKETS : (uint64_t)ns;
    int top = 63 - __builtin_clzll(value);
    size_t sub = (size_t)(value >> (top - SUB_BITS)) & (SUB_BUCKETS - 1);
    return (size_t)top * (size_t)SUB_BUCKETS + sub;
}

/* Middle of a bucket. */
static int64_t bucket_ns(size_t bucket)
{
    int top = (int)(bucket / SUB_BUCKETS);
    int64_t sub = (int64_t)(bucket % SUB_BUCKETS);
    int shift = top - SUB_BITS;
    return shift < 0 ? 0 : ((SUB_BUCKETS + sub) << shift) + ((1LL << shift) >> 1);
}

static int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Within which so many per cent of them are, or a little more. */
static int64_t percentile_ns(const struct events *events, int percent)
{
    int64_t count = events->maker->summary->invocations.count;
    int64_t rank = (count * percent + 99) / 100 - 1;
    for (size_t i = 0; i < BUCKETS; i++) {
        rank -= events->durations[i];
        if (rank < 0)
            return min_i64(bucket_ns(i), events->maker->summary->invocations.max_ns);
    }
    return -1;
}

static bool is_command(const struct tk_summary_command *command, const struct tk_batch *batch,
                       size_t row)
{
    if (command->argc == 0 ||
        !tk_str_eq(tk_batch_text(batch, row, TK_INVOCATIONS_METHOD), TK_STR("CLI")))
        return false;
    return tk_str_eq(tk_str_base_name(tk_batch_text(batch, row, TK_INVOCATIONS_PATH)),
                     tk_str_base_name(command->argv[0]));
}

static void set_command_figures(struct tk_summary_maker *maker, const struct tk_batch *batch,
                                size_t row)
{
    struct tk_summary_command *command = &maker->summary->command;
    const struct {
        int64_t *figure;
        size_t column;
        int64_t unit;
    } figures[] = {
        {&command->start_ns, TK_INVOCATIONS_TS_START, TK_NS_PER_MS},
        {&command->end_ns, TK_INVOCATIONS_TS_END, TK_NS_PER_MS},
        {&command->cpu_ns, TK_INVOCATIONS_CPU_NS, 1},
        {&command->user_ns, TK_INVOCATIONS_USER_NS, 1},
        {&command->system_ns, TK_INVOCATIONS_SYSTEM_NS, 1},
        {&command->mem_peak_bytes, TK_INVOCATIONS_MEM_PEAK_BYTES, 1},
        {&command->max_rss_bytes, TK_INVOCATIONS_MAX_RSS_KB, 1024},
        {&command->rd_bytes, TK_INVOCATIONS_RD_BYTES, 1},
        {&command->wr_bytes, TK_INVOCATIONS_WR_BYTES, 1},
        {&command->throttled_ns, TK_INVOCATIONS_THROTTLED_US, TK_NS_PER_US},
        {&command->run_delay_ns, TK_INVOCATIONS_RUN_DELAY_US, TK_NS_PER_US},
        {&command->processes, TK_INVOCATIONS_PROCESSES, 1},
        {&command->left_running, TK_INVOCATIONS_LEFT_RUNNING, 1},
    };
    for (size_t i = 0; i < TK_COUNTOF(figures); i++)
        *figures[i].figure = tk_summary_ns(batch, row, figures[i].column, figures[i].unit);
    command->cpu_source =
        tk_arena_copy(&maker->summary->text, tk_batch_text(batch, row, TK_INVOCATIONS_CPU_SOURCE));
    if (command->exit_status < 0)
        command->exit_status = tk_batch_i64(batch, row, TK_INVOCATIONS_EXIT_CODE, -1);
}

/* What it used as a whole is not what it used in a part of its time: that its processes tell. */
static bool set_command_part(struct tk_summary_maker *maker, int64_t start_ns, int64_t end_ns)
{
    struct tk_summary_command *command = &maker->summary->command;
    const struct tk_range *range = maker->options->range;
    if (!range)
        return false;
    command->start_ns = tk_summary_clip(range, start_ns);
    command->end_ns = tk_summary_clip(range, end_ns);
    if (command->end_ns < end_ns)
        command->exit_status = -1;
    return command->start_ns > start_ns || command->end_ns < end_ns;
}

static void set_command(struct tk_summary_maker *maker, const struct tk_batch *batch, size_t row)
{
    int64_t start_ns = tk_summary_ns(batch, row, TK_INVOCATIONS_TS_START, TK_NS_PER_MS);
    int64_t end_ns = tk_summary_ns(batch, row, TK_INVOCATIONS_TS_END, TK_NS_PER_MS);
    if (!set_command_part(maker, start_ns, end_ns))
        set_command_figures(maker, batch, row);
    maker->root_pid = tk_batch_i64(batch, row, TK_INVOCATIONS_HOST_PID,
                                   tk_batch_i64(batch, row, TK_INVOCATIONS_PID, 0));
    maker->root_start_ticks = tk_batch_i64(batch, row, TK_INVOCATIONS_START_TICKS, 0);
}

/* Exit code where there is one; else the status, which is HTTP's from 100 on. */
static bool is_failed(const struct tk_batch *batch, size_t row)
{
    int64_t status = tk_batch_i64(batch, row, TK_INVOCATIONS_STATUS, 0);
    int64_t exit_code = tk_batch_i64(batch, row, TK_INVOCATIONS_EXIT_CODE, -1);
    if (exit_code >= 0)
        return exit_code != 0;
    bool is_http = !tk_str_eq(tk_batch_text(batch, row, TK_INVOCATIONS_METHOD), TK_STR("CLI"));
    return is_http ? status >= 400 : status != 0;
}

static void take(struct events *events, const struct tk_batch *batch, size_t row)
{
    struct tk_summary *summary = events->maker->summary;
    int64_t start_ns = tk_summary_ns(batch, row, TK_INVOCATIONS_TS_START, TK_NS_PER_MS);
    int64_t end_ns = tk_summary_ns(batch, row, TK_INVOCATIONS_TS_END, TK_NS_PER_MS);
    int64_t duration_ns = start_ns >= 0 && end_ns > start_ns ? end_ns - start_ns : 0;
    const struct tk_range *range = events->maker->options->range;
    if (range &&
        !tk_range_meets(range, start_ns / TK_NS_PER_US, (start_ns + duration_ns) / TK_NS_PER_US))
        return;
    if (start_ns >= 0 && start_ns < events->maker->first_ns)
        events->maker->first_ns = start_ns;
    if (start_ns >= 0 && start_ns + duration_ns > events->maker->last_ns)
        events->maker->last_ns = start_ns + duration_ns;
    summary->invocations.count++;
    summary->invocations.failed += is_failed(batch, row);
    events->durations[bucket_of(duration_ns)]++;
    if (duration_ns > summary->invocations.max_ns)
        summary->invocations.max_ns = duration_ns;
    if (duration_ns > events->best_ns && is_command(&summary->command, batch, row)) {
        events->best_ns = duration_ns;
        set_command(events->maker, batch, row);
    }
}

/* 1 when there is no such file. */
static int take_file(struct events *events, const char *name, struct tk_err *err)
{
    struct tk_run_reader *reader;
    int rc = tk_run_reader_new(events->maker->dirfd, name, &tk_schema_invocations, &reader, err);
    if (rc < 0)
        return rc == -ENOENT ? 1 : rc;
    const struct tk_batch *batch;
    const struct tk_row_filter filter = tk_summary_filter(events->maker, &tk_schema_invocations);
    while ((rc = tk_run_reader_next(reader, &batch, err)) == 0) {
        for (size_t row = 0; row < batch->rows; row++) {
            if (tk_row_filter_takes(&filter, batch, row))
                take(events, batch, row);
        }
    }
    tk_summary_close(events->maker, name, reader);
    return rc < 0 ? rc : 0;
}

static void close_dir(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}

/* Every events.*.jsonl of the folder; the number of files, or an error. */
static int take_event_files(struct events *events, struct tk_err *err)
{
    int fd = openat(events->maker->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    TK_CLEANUP(close_dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        int rc = tk_fail_errno(err, "run folder");
        tk_fd_close(&fd);
        return rc;
    }
    int files = 0;
    for (;;) {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is our own */
        const struct dirent *entry = readdir(dir);
        if (!entry)
            return files;
        if (!tk_run_is_events_file(tk_str_from(entry->d_name)))
            continue;
        int rc = take_file(events, entry->d_name, err);
        if (rc < 0)
            return rc;
        files++;
    }
}

/* Raw files are the source; what parse made of them is read only where they are not. */
static int take_all(struct events *events, struct tk_err *err)
{
    int files = take_event_files(events, err);
    if (files < 0)
        return files;
    int rc = take_file(events, "invocations.jsonl", err);
    if (rc == 1 && files == 0)
        rc = take_file(events, "cctf/invocations.jsonl", err);
    return rc < 0 ? rc : 0;
}

int tk_summary_add_invocations(struct tk_summary_maker *maker, struct tk_err *err)
{
    struct events events = {.maker = maker, .best_ns = -1};
    struct tk_summary_invocations *invocations = &maker->summary->invocations;
    int rc = take_all(&events, err);
    invocations->median_ns = invocations->count ? percentile_ns(&events, 50) : -1;
    invocations->p99_ns = invocations->count ? percentile_ns(&events, 99) : -1;
    return rc;
}
