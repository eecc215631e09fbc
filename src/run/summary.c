/* SPDX-License-Identifier: Apache-2.0 */
#include "run/summary.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/clock.h"
#include "base/file.h"
#include "run/exits.h"
#include "run/rawlog.h"
#include "run/recording.h"
#include "run/summary_internal.h"

#define TEXT_MAX ((size_t)1024 * 1024)

/* Twice the turn in which a process that does not run is told of (docs/collectors.md). */
#define LOOK_BACK_US 20000000

/* Small helpers that every part uses -------------------------------------------------- */

int64_t tk_summary_ns(const struct tk_batch *batch, size_t row, size_t column, int64_t unit_ns)
{
    int64_t value = tk_batch_i64(batch, row, column, -1);
    int64_t ns;
    return value >= 0 && tk_mul_i64(value, unit_ns, &ns) ? ns : -1;
}

int64_t tk_summary_stamp(const struct tk_batch *batch, size_t row, size_t us_column,
                         size_t ms_column)
{
    int64_t ns = tk_summary_ns(batch, row, us_column, TK_NS_PER_US);
    return ns >= 0 ? ns : tk_summary_ns(batch, row, ms_column, TK_NS_PER_MS);
}

void tk_summary_extend(struct tk_summary_maker *maker, int64_t stamp_ns, int64_t dt_ns)
{
    struct tk_summary *summary = maker->summary;
    if (!maker->has_span) {
        maker->has_span = true;
        summary->start_ns = stamp_ns > dt_ns ? stamp_ns - dt_ns : 0;
        summary->end_ns = stamp_ns;
        tk_timeline_init(&summary->timeline, summary->start_ns);
    }
    if (stamp_ns > summary->end_ns)
        summary->end_ns = stamp_ns;
}

int64_t tk_summary_clip(const struct tk_range *range, int64_t ns)
{
    if (ns / TK_NS_PER_US < range->from_us)
        return range->from_us * TK_NS_PER_US;
    return ns / TK_NS_PER_US < range->to_us ? ns : range->to_us * TK_NS_PER_US;
}

/* Tables --------------------------------------------------------------------------------- */

int tk_summary_open(const struct tk_summary_maker *maker, enum tk_table table,
                    const struct tk_range *range, struct tk_run_reader **ret_reader,
                    struct tk_err *err)
{
    int rc = tk_run_reader_open(maker->dirfd, table, ret_reader, err);
    if (rc < 0 || !*ret_reader || !range)
        return rc;
    return tk_run_reader_set_range(*ret_reader, range->from_us, range->to_us, err);
}

void tk_summary_close(struct tk_summary_maker *maker, const char *name,
                      struct tk_run_reader *reader)
{
    if (!reader)
        return;
    const struct tk_decode_stats *stats = tk_run_reader_stats(reader);
    struct tk_summary *summary = maker->summary;
    summary->quality.rows += (int64_t)stats->rows;
    summary->quality.bad_rows += (int64_t)stats->bad_rows;
    summary->quality.torn_rows += (int64_t)stats->torn_rows;
    if (stats->first_bad[0] && summary->quality.first_bad.n == 0) {
        char text[256];
        (void)snprintf(text, sizeof(text), "%s: %s", name, stats->first_bad);
        summary->quality.first_bad = tk_arena_copy(&summary->text, tk_str_from(text));
    }
    tk_run_reader_free(reader);
}

int tk_summary_each(struct tk_summary_maker *maker, enum tk_table table,
                    void (*take)(struct tk_summary_maker *maker, const struct tk_batch *batch,
                                 size_t row),
                    struct tk_err *err)
{
    struct tk_run_reader *reader;
    const struct tk_row_filter filter = tk_summary_filter(maker, tk_tables[table].schema);
    int rc = tk_summary_open(maker, table, filter.range, &reader, err);
    if (rc == 0 && !reader)
        return 0;
    const struct tk_batch *batch;
    while (rc == 0 && (rc = tk_run_reader_next(reader, &batch, err)) == 0) {
        for (size_t row = 0; row < batch->rows; row++) {
            if (tk_row_filter_takes(&filter, batch, row))
                take(maker, batch, row);
        }
    }
    tk_summary_close(maker, tk_tables[table].raw, reader);
    return rc < 0 ? rc : 0;
}

/* The machine ------------------------------------------------------------------------------- */

/* The raw logs of an old run that nobody has imported give the same rows. */
static int rawlog_take(void *context, enum tk_table table, const struct tk_batch *batch,
                       struct tk_err *err)
{
    (void)err;
    struct tk_summary_maker *maker = context;
    const struct tk_row_filter filter = tk_summary_filter(maker, batch->schema);
    maker->summary->quality.rows += (int64_t)batch->rows;
    for (size_t row = 0; row < batch->rows; row++) {
        if (!tk_row_filter_takes(&filter, batch, row))
            continue;
        if (table == TK_TABLE_HOST_METRICS) {
            tk_summary_add_host(maker, batch, row);
        } else if (table == TK_TABLE_LINK_METRICS) {
            tk_summary_add_link(maker, batch, row);
        }
    }
    return 0;
}

static int add_rawlogs(struct tk_summary_maker *maker, struct tk_err *err)
{
    struct tk_summary *summary = maker->summary;
    const struct tk_rawlog_options options = {.run_id = summary->run_id};
    TK_CLEANUP(tk_rawlog_freep) struct tk_rawlog *rawlog = NULL;
    int rc = tk_rawlog_new(maker->dirfd, &options, &rawlog, err);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    struct tk_rows *rows;
    rc = tk_rows_new((struct tk_sink){rawlog_take, maker}, &rows, err);
    if (rc < 0)
        return rc;
    const struct tk_rawlog_node node = {.node = summary->node, .stage = summary->stage};
    rc = tk_rawlog_read(rawlog, &node, rows, err);
    if (rc == 0)
        rc = tk_rows_flush(rows, err);
    tk_rows_free(rows);
    return rc;
}

static int add_host(struct tk_summary_maker *maker, struct tk_err *err)
{
    int rc = tk_summary_each(maker, TK_TABLE_HOST_METRICS, tk_summary_add_host, err);
    rc = rc < 0 ? rc : tk_summary_each(maker, TK_TABLE_LINK_METRICS, tk_summary_add_link, err);
    rc = rc < 0 ? rc : tk_summary_each(maker, TK_TABLE_DISK_METRICS, tk_summary_add_disk, err);
    if (rc == 0 && maker->cpu_prev_ns == 0 && maker->memory_prev_ns == 0)
        rc = add_rawlogs(maker, err);
    tk_summary_finish_host(maker);
    return rc;
}

/* Processes ------------------------------------------------------------------------------------ */

/* A table on its way through the merge by time. */
struct cursor {
    struct tk_run_reader *reader; /* NULL = this folder lacks the table */
    const struct tk_batch *batch; /* NULL = at its end */
    size_t row;
    size_t us_column, ms_column;
    struct tk_row_filter filter;
    int64_t stamp_ns; /* of the row at hand */
};

/* The next row of any node; 1 at the end. */
static int cursor_step(struct cursor *cursor, struct tk_err *err)
{
    if (cursor->batch && ++cursor->row < cursor->batch->rows)
        return 0;
    cursor->row = 0;
    return cursor->reader ? tk_run_reader_next(cursor->reader, &cursor->batch, err) : 1;
}

static int cursor_next(struct cursor *cursor, struct tk_err *err)
{
    int rc;
    do {
        rc = cursor_step(cursor, err);
    } while (rc == 0 && !tk_row_filter_takes(&cursor->filter, cursor->batch, cursor->row));
    if (rc != 0) {
        cursor->batch = NULL;
        return rc < 0 ? rc : 0;
    }
    cursor->stamp_ns =
        tk_summary_stamp(cursor->batch, cursor->row, cursor->us_column, cursor->ms_column);
    return 0;
}

/* Merge samples and exits by time, so that a process is held only while it lives. What lies before
 * `from_ns` only tells who is there. */
static int merge(struct tk_summary_maker *maker, struct cursor *samples, struct cursor *exits,
                 int64_t from_ns, struct tk_err *err)
{
    struct tk_tally *tally = maker->summary->tally;
    bool is_before = false;
    int rc = cursor_next(samples, err);
    rc = rc < 0 ? rc : cursor_next(exits, err);
    while (rc == 0 && (samples->batch || exits->batch)) {
        bool is_exit = exits->batch && (!samples->batch || exits->stamp_ns < samples->stamp_ns);
        struct cursor *at = is_exit ? exits : samples;
        if (is_before && at->stamp_ns >= from_ns)
            tk_tally_restart(tally);
        is_before = at->stamp_ns < from_ns;
        if (at->stamp_ns >= 0 && !is_before)
            tk_summary_extend(maker, at->stamp_ns, 0);
        rc = is_exit ? tk_tally_add_exit(tally, at->batch, at->row)
                     : tk_tally_add_sample(tally, at->batch, at->row);
        if (rc < 0)
            return tk_fail_code(err, rc, "process totals");
        rc = cursor_next(at, err);
    }
    if (is_before)
        tk_tally_restart(tally);
    return rc;
}

/* Of a part of a run, rows of some time before it, too: in that time each process has one. */
static struct tk_range range_of_processes(const struct tk_summary_maker *maker)
{
    struct tk_range range = maker->options->range ? *maker->options->range : TK_RANGE_ALL;
    if (range.from_us > LOOK_BACK_US)
        range.from_us -= LOOK_BACK_US;
    return range;
}

/* INT64_MIN = all rows count. */
static int64_t first_ns(const struct tk_range *part)
{
    return part && part->from_us != INT64_MIN ? part->from_us * TK_NS_PER_US : INT64_MIN;
}

static int add_processes(struct tk_summary_maker *maker, struct tk_err *err)
{
    struct cursor samples = {.us_column = TK_PROC_METRICS_TS_US,
                             .ms_column = TK_PROC_METRICS_TS_MS,
                             .filter = tk_summary_filter(maker, &tk_schema_proc_metrics)};
    struct cursor exits = {.us_column = TK_PROC_EXIT_TS_US,
                           .ms_column = TK_PROC_EXIT_TS_MS,
                           .filter = tk_summary_filter(maker, &tk_schema_proc_exit)};
    const struct tk_range *part = maker->options->range;
    const struct tk_range range = range_of_processes(maker);
    if (part)
        samples.filter.range = exits.filter.range = &range;
    const struct tk_tally_options options = {
        .start_ns = maker->summary->start_ns,
        .boot_ns = maker->boot_ns,
        .clk_tck = maker->clk_tck,
        .root_pid = maker->root_pid,
        .root_start_ticks = maker->root_start_ticks,
    };
    int rc = tk_tally_new(&options, &maker->summary->tally, err);
    rc = rc < 0 ? rc
                : tk_summary_open(maker, TK_TABLE_PROC_METRICS, samples.filter.range,
                                  &samples.reader, err);
    rc = rc < 0
             ? rc
             : tk_summary_open(maker, TK_TABLE_PROC_EXIT, exits.filter.range, &exits.reader, err);
    rc = rc < 0 ? rc : merge(maker, &samples, &exits, first_ns(part), err);
    tk_summary_close(maker, tk_tables[TK_TABLE_PROC_METRICS].raw, samples.reader);
    tk_summary_close(maker, tk_tables[TK_TABLE_PROC_EXIT].raw, exits.reader);
    if (rc == 0 && tk_tally_finish(maker->summary->tally) < 0)
        rc = tk_fail(err, -ENOMEM, "process totals: out of memory");
    return rc;
}

/* The whole ------------------------------------------------------------------------------------ */

/* Largest process of the command: by the kernel's exit records, when they have all of them. rusage
 * counts the recorder's copy too that the command's process began as. */
static void set_max_rss(struct tk_summary *summary)
{
    const struct tk_summary_quality *quality = &summary->quality;
    struct tk_summary_command *command = &summary->command;
    bool all_seen = tk_exit_source_is_account(quality->exit_source) && quality->lost_exits == 0 &&
                    command->left_running <= 0;
    if (all_seen && summary->tree.max_rss_bytes > 0)
        command->max_rss_bytes = summary->tree.max_rss_bytes;
}

/* What the invocation did not say is known from the processes of the tree. */
static void finish(struct tk_summary *summary)
{
    struct tk_summary_command *command = &summary->command;
    tk_tally_read_totals(summary->tally, true, &summary->tree);
    tk_tally_read_totals(summary->tally, false, &summary->others);
    summary->group_count = tk_tally_read_groups(summary->tally, &summary->groups);
    if (!command->known)
        return;
    const struct {
        int64_t *figure;
        int64_t otherwise;
    } figures[] = {
        {&command->cpu_ns, summary->tree.processes ? summary->tree.cpu_ns : -1},
        {&command->processes, summary->tree.processes ? summary->tree.processes : -1},
        {&command->max_rss_bytes, summary->tree.max_rss_bytes},
        {&command->rd_bytes, summary->tree.rd_bytes},
        {&command->wr_bytes, summary->tree.wr_bytes},
        {&command->run_delay_ns, summary->tree.run_delay_ns},
        {&command->io_wait_ns, summary->tree.io_wait_ns},
    };
    for (size_t i = 0; i < TK_COUNTOF(figures); i++) {
        if (*figures[i].figure < 0)
            *figures[i].figure = figures[i].otherwise;
    }
    set_max_rss(summary);
    command->measured = command->cpu_ns >= 0;
    if (command->end_ns == 0) {
        command->start_ns = summary->start_ns;
        command->end_ns = summary->end_ns;
    }
}

void tk_summary_init(struct tk_summary *summary)
{
    *summary = (struct tk_summary){0};
    summary->command = (struct tk_summary_command){
        .exit_status = -1,
        .cpu_ns = -1,
        .user_ns = -1,
        .system_ns = -1,
        .mem_peak_bytes = -1,
        .max_rss_bytes = -1,
        .rd_bytes = -1,
        .wr_bytes = -1,
        .throttled_ns = -1,
        .run_delay_ns = -1,
        .io_wait_ns = -1,
        .processes = -1,
        .left_running = -1,
    };
    summary->host = (struct tk_summary_host){
        .cores = -1,
        .cpu_limit_cores = (double)NAN,
        .mem_total_bytes = -1,
        .swap_total_bytes = -1,
        .busy = (double)NAN,
        .full_share = (double)NAN,
        .iowait = (double)NAN,
        .steal = (double)NAN,
        .throttled_ns = -1,
        .forks = -1,
        .oom_kills = -1,
        .major_faults = -1,
        .tcp_retransmits = -1,
        .mem_used_peak_bytes = -1,
        .swap_in_bytes = -1,
        .swap_out_bytes = -1,
        .stall_ns = {-1, -1, -1, -1, -1},
        .disk_rd_bytes = -1,
        .disk_wr_bytes = -1,
        .disk_busy = (double)NAN,
        .disk_await_ms = (double)NAN,
        .net_rx_bytes = -1,
        .net_tx_bytes = -1,
        .link_Bps = (double)NAN,
        .link_busy = (double)NAN,
    };
    summary->quality = (struct tk_summary_quality){
        .interval_requested_ms = (double)NAN,
        .interval_achieved_ms = (double)NAN,
        .host_interval_ms = (double)NAN,
        .min_good_interval_ms = -1,
        .ticks = -1,
        .missed_ticks = -1,
        .late_max_us = -1,
        .late_p99_us = -1,
        .lost_exits = -1,
        .dropped_events = -1,
        .dropped_rows = -1,
        .own_cpu_ms = -1,
        .own_calls_per_tick = (double)NAN,
        .own_Bps = (double)NAN,
        .own_rss_kb = -1,
        .rss_exact = -1,
    };
}

/* The folder's own name; that of the run when the folder is its cctf/. */
static int set_name(struct tk_summary *summary, int dirfd, const char *folder, struct tk_err *err)
{
    char path[PATH_MAX];
    char link[64];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", dirfd);
    ssize_t n = readlink(link, path, sizeof(path));
    tk_str name = n > 0 ? (tk_str){path, (size_t)n} : tk_str_from(folder);
    if (tk_str_ends_with(name, TK_STR("/cctf")))
        name.n -= strlen("/cctf");
    size_t slash = tk_str_find_last(name, '/');
    if (slash + 1 < name.n)
        name = (tk_str){name.p + slash + 1, name.n - slash - 1};
    summary->name = tk_arena_copy(&summary->text, name);
    if (summary->run_id.n == 0)
        summary->run_id = summary->name;
    return summary->name.p ? 0 : tk_fail(err, -ENOMEM, "out of memory");
}

/* What the recording lost is no row of any table. */
static int add_recording(struct tk_summary_maker *maker, struct tk_err *err)
{
    struct tk_recording_report report;
    struct tk_summary_quality *quality = &maker->summary->quality;
    char trouble[TK_RECORDING_TROUBLE_MAX];
    char text[TK_RECORDING_TROUBLE_MAX + 32];
    int rc = tk_recording_check(maker->dirfd, &report, err);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    quality->bad_rows += (int64_t)report.lost_rows;
    quality->torn_rows += report.torn;
    if (report.damaged + report.lost_blocks > 0 && tk_recording_trouble_format(&report, trouble)) {
        (void)snprintf(text, sizeof(text), "%s: %s", TK_RECORDING_FILE, trouble);
        quality->first_bad = tk_arena_copy(&maker->summary->text, tk_str_from(text));
    }
    return 0;
}

static int make(struct tk_summary_maker *maker, const char *folder, struct tk_err *err)
{
    int rc = tk_summary_add_meta(maker, err);
    if (rc < 0)
        return rc;
    const int64_t *rows = &maker->summary->quality.rows;
    rc = set_name(maker->summary, maker->dirfd, folder, err);
    rc = rc < 0 ? rc : add_recording(maker, err);
    int64_t before = *rows;
    rc = rc < 0 ? rc : tk_summary_add_invocations(maker, err);
    int64_t calls = *rows - before;
    rc = rc < 0 ? rc : add_host(maker, err);
    rc = rc < 0 ? rc : add_processes(maker, err);
    rc = rc < 0 ? rc : tk_summary_add_threads(maker, err);
    rc = rc < 0 ? rc : tk_summary_add_containers(maker, err);
    if (rc < 0)
        return rc;
    if (!maker->has_span && maker->last_ns >= 0)
        tk_summary_extend(maker, maker->last_ns, maker->last_ns - maker->first_ns);
    if (!maker->has_span && maker->summary->host.cores < 0)
        return tk_fail(err, -ENOENT, "no run: neither run.json, node_meta.json nor a table");
    if (maker->summary->state == TK_STATE_CALLS && (calls == 0 || calls < *rows))
        maker->summary->state = TK_STATE_FOREIGN; /* somebody took readings */
    finish(maker->summary);
    const struct tk_summary *summary = maker->summary;
    if (maker->options->range && summary->host.cpu_rows == 0 && summary->group_count == 0)
        return tk_fail(err, -ENOENT, "no row of the run lies in the range");
    return 0;
}

int tk_summary_new(const char *folder, const struct tk_summary_options *options,
                   struct tk_summary **ret_summary, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    int rc = tk_dir_open(AT_FDCWD, folder, &dirfd, err);
    if (rc < 0)
        return rc;
    struct tk_summary *summary = calloc(1, sizeof(*summary));
    if (!summary)
        return tk_fail(err, -ENOMEM, "%s: out of memory", folder);
    tk_summary_init(summary);
    rc = tk_arena_init(&summary->text, TEXT_MAX, err);
    if (rc < 0)
        goto fail;
    struct tk_summary_maker maker = {.summary = summary,
                                     .dirfd = dirfd,
                                     .options = options,
                                     .first_ns = INT64_MAX,
                                     .last_ns = -1,
                                     .link_max_Bps = (double)NAN};
    rc = make(&maker, folder, err);
    tk_batch_free(maker.nodes);
    if (rc < 0) {
        tk_err_prefix(err, "%s", folder);
        goto fail;
    }
    *ret_summary = summary;
    return 0;

fail:
    tk_summary_free(summary);
    return rc;
}

void tk_summary_free(struct tk_summary *summary)
{
    if (!summary)
        return;
    tk_tally_free(summary->tally);
    tk_arena_release(&summary->text);
    free(summary);
}

void tk_summary_freep(struct tk_summary **summary)
{
    tk_summary_free(*summary);
}
