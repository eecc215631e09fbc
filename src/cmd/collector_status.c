/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/collector_status.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/human.h"
#include "base/number.h"
#include "cmd/collectors.h"
#include "report/report.h"
#include "run/recording.h"
#include "run/run.h"

#define MAX_RUNS     256
#define ROW_TEXT_MAX ((size_t)1 << 20)
#define OUT_MAX      ((size_t)16 << 20)
#define TAIL_BYTES   4096
/* Of address space; most that the texts of a recording may be. */
#define SELF_TEXT_MAX ((size_t)4 << 20)
#define SELF_ROW_MIN  64 /* bytes of a row of self.jsonl, at least */

enum {
    STATUS_RUN_ID,
    STATUS_FOLDER,
    STATUS_RUNNING,
    STATUS_PID,
    STATUS_START_MS,
    STATUS_RUNG,
    STATUS_TIER,
    STATUS_TIER_CHANGES,
    STATUS_EXIT_SOURCE,
    STATUS_CGROUP_SOURCE,
    STATUS_INTERVAL_REQUESTED_MS,
    STATUS_INTERVAL_ACHIEVED_MS,
    STATUS_TICKS,
    STATUS_MISSED_TICKS,
    STATUS_LATE_P99_US,
    STATUS_DROPPED_EVENTS,
    STATUS_LOST_EXITS,
    STATUS_ROWS,
    STATUS_DROPPED_ROWS,
    STATUS_BYTES,
    STATUS_OWN_CPU_MS,
    STATUS_OWN_RSS_KB,
    STATUS_OWN_CPU_RATIO,
    STATUS_SYSCALLS_PER_TICK,
    STATUS_WRITTEN_BPS,
    STATUS_LATE_P50_US,
    STATUS_SWEEP_US,
    STATUS_DETAIL_INTERVAL_MS,
    STATUS_SLOW_INTERVAL_MS,
    STATUS_CPU_BUDGET_PERCENT,
    STATUS_BUDGET_CHANGES,
    STATUS_HZ,
    STATUS_MIN_GOOD_INTERVAL_MS,
    STATUS_CPU_EXACT,
    STATUS_RSS_EXACT,
    STATUS_COUNT
};

static const struct tk_column columns[STATUS_COUNT] = {
    [STATUS_RUN_ID] = {"run_id", TK_TEXT, "", "the run"},
    [STATUS_FOLDER] = {"folder", TK_TEXT, "", "its folder"},
    [STATUS_RUNNING] = {"running", TK_BOOL, "", "a recorder is at work"},
    [STATUS_PID] = {"pid", TK_I64, "", "process of the recorder"},
    [STATUS_START_MS] = {"start_ms", TK_I64, "ms", "first tick, epoch"},
    [STATUS_RUNG] = {"rung", TK_TEXT, "", "rung of the privilege ladder"},
    [STATUS_TIER] = {"tier", TK_TEXT, "", "source of process readings"},
    [STATUS_TIER_CHANGES] = {"tier_changes", TK_I64, "", "times that a tier failed during the run"},
    [STATUS_EXIT_SOURCE] = {"exit_source", TK_TEXT, "", "source of exits"},
    [STATUS_CGROUP_SOURCE] = {"cgroup_source", TK_TEXT, "", "source of control groups"},
    [STATUS_INTERVAL_REQUESTED_MS] = {"interval_requested_ms", TK_I64, "ms", "as asked for"},
    [STATUS_INTERVAL_ACHIEVED_MS] = {"interval_achieved_ms", TK_F64, "ms", "mean distance of ticks",
                                     0, 3},
    [STATUS_TICKS] = {"ticks", TK_I64, "", "ticks taken"},
    [STATUS_MISSED_TICKS] = {"missed_ticks", TK_I64, "", "deadlines that passed during a late one"},
    [STATUS_LATE_P99_US] = {"late_p99_us", TK_I64, "us", "99th percentile of lateness"},
    [STATUS_DROPPED_EVENTS] = {"dropped_events", TK_I64, "", "kernel events lost"},
    [STATUS_LOST_EXITS] = {"lost_exits", TK_I64, "", "processes that lived and died unseen"},
    [STATUS_ROWS] = {"rows", TK_I64, "", "rows written"},
    [STATUS_DROPPED_ROWS] = {"dropped_rows", TK_I64, "", "rows lost by failed writes"},
    [STATUS_BYTES] = {"bytes", TK_I64, "bytes", "size of the folder"},
    [STATUS_OWN_CPU_MS] = {"own_cpu_ms", TK_I64, "ms", "CPU time of the recorder"},
    [STATUS_OWN_RSS_KB] = {"own_rss_kb", TK_I64, "KiB", "peak memory of the recorder"},
    [STATUS_OWN_CPU_RATIO] = {"own_cpu_ratio", TK_F64, "",
                              "share of one CPU that the recorder took of late", 0, 5},
    [STATUS_SYSCALLS_PER_TICK] = {"syscalls_per_tick", TK_F64, "",
                                  "system calls of its sampling thread of late", 0, 1},
    [STATUS_WRITTEN_BPS] = {"written_Bps", TK_I64, "bytes/s", "written to the tables of late"},
    [STATUS_LATE_P50_US] = {"late_p50_us", TK_I64, "us", "median lateness of ticks of late"},
    [STATUS_DETAIL_INTERVAL_MS] = {"detail_interval_ms", TK_I64, "ms", "period of the 1 s class"},
    [STATUS_SLOW_INTERVAL_MS] = {"slow_interval_ms", TK_I64, "ms", "period of the slow class"},
    [STATUS_CPU_BUDGET_PERCENT] = {"cpu_budget_percent", TK_F64, "%",
                                   "of one CPU that recording should not exceed; absent = none", 0,
                                   TK_SHORTEST},
    [STATUS_BUDGET_CHANGES] = {"budget_changes", TK_I64, "",
                               "times that the budget changed the pace of slow readings"},
    [STATUS_HZ] = {"hz", TK_I64, "1/s", "timer ticks of the kernel"},
    [STATUS_MIN_GOOD_INTERVAL_MS] = {"min_good_interval_ms", TK_I64, "ms",
                                     "over which CPU times are good to 2 %"},
    [STATUS_CPU_EXACT] = {"cpu_exact", TK_BOOL, "", "CPU times are told to the moment"},
    [STATUS_RSS_EXACT] = {"rss_exact", TK_BOOL, "", "resident sets are exact"},
    [STATUS_SWEEP_US] = {"sweep_us", TK_I64, "us", "length of the last sweep over the processes"},
};

static const struct tk_schema schema = {"status", "what a recorder does", columns, STATUS_COUNT};

/* Columns that are as run.json has them, which is rewritten each 10 s. */
static const struct {
    size_t status, run;
} same[] = {
    {STATUS_RUN_ID, TK_RUN_RUN_ID},
    {STATUS_START_MS, TK_RUN_START_MS},
    {STATUS_RUNG, TK_RUN_RUNG},
    {STATUS_TIER, TK_RUN_TIER},
    {STATUS_TIER_CHANGES, TK_RUN_TIER_CHANGES},
    {STATUS_EXIT_SOURCE, TK_RUN_EXIT_SOURCE},
    {STATUS_CGROUP_SOURCE, TK_RUN_CGROUP_SOURCE},
    {STATUS_INTERVAL_REQUESTED_MS, TK_RUN_INTERVAL_REQUESTED_MS},
    {STATUS_INTERVAL_ACHIEVED_MS, TK_RUN_INTERVAL_ACHIEVED_MS},
    {STATUS_TICKS, TK_RUN_TICKS},
    {STATUS_MISSED_TICKS, TK_RUN_MISSED_TICKS},
    {STATUS_LATE_P99_US, TK_RUN_LATE_P99_US},
    {STATUS_DROPPED_EVENTS, TK_RUN_DROPPED_EVENTS},
    {STATUS_LOST_EXITS, TK_RUN_LOST_EXITS},
    {STATUS_ROWS, TK_RUN_ROWS},
    {STATUS_DROPPED_ROWS, TK_RUN_DROPPED_ROWS},
    {STATUS_OWN_CPU_MS, TK_RUN_OWN_CPU_MS},
    {STATUS_OWN_RSS_KB, TK_RUN_OWN_RSS_KB},
    {STATUS_CPU_BUDGET_PERCENT, TK_RUN_CPU_BUDGET_PERCENT},
    {STATUS_BUDGET_CHANGES, TK_RUN_BUDGET_CHANGES},
    {STATUS_HZ, TK_RUN_HZ},
    {STATUS_MIN_GOOD_INTERVAL_MS, TK_RUN_MIN_GOOD_INTERVAL_MS},
    {STATUS_CPU_EXACT, TK_RUN_CPU_EXACT},
    {STATUS_RSS_EXACT, TK_RUN_RSS_EXACT},
};

static void copy_value(const struct tk_batch *from, size_t row, size_t from_column,
                       struct tk_batch *to, size_t to_column)
{
    if (!tk_batch_has(from, row, from_column))
        return;
    if (columns[to_column].type == TK_TEXT) {
        tk_batch_set_text(to, to_column, tk_batch_text(from, row, from_column));
    } else if (columns[to_column].type == TK_F64) {
        tk_batch_set_f64(to, to_column, tk_batch_f64(from, row, from_column, 0));
    } else if (columns[to_column].type == TK_BOOL) {
        tk_batch_set_bool(to, to_column, tk_batch_i64(from, row, from_column, 0) != 0);
    } else {
        tk_batch_set_i64(to, to_column, tk_batch_i64(from, row, from_column, 0));
    }
}

static int64_t folder_bytes(int dirfd)
{
    int64_t bytes = 0;
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return 0;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): readdir() is safe on a DIR of one's own */
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        struct stat st;
        if (fstatat(dirfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            bytes += st.st_size;
    }
    (void)closedir(dir);
    return bytes;
}

/* The last rows of the account in a recording. */
static void read_recorded_self(int dirfd, struct tk_batch **self)
{
    struct tk_err ignored;
    struct tk_recording_reader *reader = NULL;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *next = NULL;
    if (tk_batch_new(&tk_schema_self, (*self)->max_rows, SELF_TEXT_MAX, &next, &ignored) < 0 ||
        tk_recording_reader_new(dirfd, &tk_schema_self, &reader, &ignored) < 0)
        return;
    while (tk_recording_reader_next(reader, next, &ignored) == 0) {
        struct tk_batch *older = *self;
        *self = next;
        next = older;
        tk_batch_reset(next);
    }
    tk_recording_reader_free(reader);
}

/* The last rows of self.jsonl, or fewer. */
static void read_last_self(int dirfd, struct tk_batch *self)
{
    char buf[TAIL_BYTES];
    struct stat st;
    TK_CLEANUP(tk_fd_close)
    int fd = openat(dirfd, tk_tables[TK_TABLE_SELF].raw, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0)
        return;
    off_t from = st.st_size > (off_t)sizeof(buf) ? st.st_size - (off_t)sizeof(buf) : 0;
    ssize_t n = pread(fd, buf, sizeof(buf), from);
    tk_str text = {buf, n > 0 ? (size_t)n : 0};
    tk_str cut;
    if (from > 0)
        (void)tk_str_take_line(&text, &cut);
    struct tk_decode_stats stats = {0};
    struct tk_err ignored;
    void *state = calloc(1, tk_decoder_jsonl.state_size);
    if (!state || tk_decoder_jsonl.batch(state, &text, false, self, &stats, &ignored) < 0)
        tk_batch_reset(self);
    free(state);
}

/* What recording takes now, by the last row of its account. */
static void set_self(int dirfd, struct tk_batch *out)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *self = NULL;
    struct tk_err ignored;
    if (tk_batch_new(&tk_schema_self, TAIL_BYTES / SELF_ROW_MIN, SELF_TEXT_MAX, &self, &ignored) <
        0)
        return;
    read_last_self(dirfd, self);
    if (self->rows == 0)
        read_recorded_self(dirfd, &self);
    size_t row = self->rows;
    /* The last one of a recording may be of a moment. */
    while (row > 0 && tk_batch_i64(self, row - 1, TK_SELF_TICKS, 0) == 0)
        row--;
    if (row-- == 0)
        return;
    double dt_ms = (double)tk_batch_i64(self, row, TK_SELF_DT_MS, 0);
    double ticks = (double)tk_batch_i64(self, row, TK_SELF_TICKS, 0);
    double cpu_ns = (double)tk_batch_i64(self, row, TK_SELF_CPU_NS, 0);
    double bytes = (double)tk_batch_i64(self, row, TK_SELF_BYTES, 0);
    tk_batch_set_f64(out, STATUS_SYSCALLS_PER_TICK,
                     (double)tk_batch_i64(self, row, TK_SELF_SYSCALLS, 0) / ticks);
    copy_value(self, row, TK_SELF_LATE_P50_US, out, STATUS_LATE_P50_US);
    copy_value(self, row, TK_SELF_SWEEP_US, out, STATUS_SWEEP_US);
    copy_value(self, row, TK_SELF_DETAIL_INTERVAL_MS, out, STATUS_DETAIL_INTERVAL_MS);
    copy_value(self, row, TK_SELF_SLOW_INTERVAL_MS, out, STATUS_SLOW_INTERVAL_MS);
    if (dt_ms <= 0)
        return;
    tk_batch_set_f64(out, STATUS_OWN_CPU_RATIO, cpu_ns / dt_ms / 1e6);
    tk_batch_set_i64(out, STATUS_WRITTEN_BPS, (int64_t)(bytes * 1000 / dt_ms));
}

static int read_status(const char *folder, struct tk_batch *out, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    int rc = tk_dir_open(AT_FDCWD, folder, &dirfd, err);
    if (rc < 0)
        return rc;
    tk_batch_begin(out);
    tk_batch_set_text(out, STATUS_FOLDER, tk_str_from(folder));
    struct tk_err ignored;
    struct tk_run_owner owner;
    bool running = tk_run_owner_read(dirfd, &owner, &ignored) == 0;
    tk_batch_set_bool(out, STATUS_RUNNING, running);
    if (running)
        tk_batch_set_i64(out, STATUS_PID, owner.pid);
    tk_batch_set_i64(out, STATUS_BYTES, folder_bytes(dirfd));
    set_self(dirfd, out);
    TK_CLEANUP(tk_batch_freep) struct tk_batch *run = NULL;
    if (tk_object_read(dirfd, tk_tables[TK_TABLE_RUN].raw, &tk_schema_run, &run, &ignored) == 0) {
        for (size_t i = 0; i < TK_COUNTOF(same); i++)
            copy_value(run, 0, same[i].run, out, same[i].status);
    }
    return 0;
}

/* As text ------------------------------------------------------------------------ */

static const struct tk_grid_column grid_columns[] = {
    {.name = "RUN", .style = TK_STYLE_TITLE},
    {.name = "STATE"},
    {.name = "RUNG"},
    {.name = "TIER"},
    {.name = "INTERVAL", .right = true},
    {.name = "ACHIEVED", .right = true},
    {.name = "MISSED", .right = true},
    {.name = "DROPPED", .right = true},
    {.name = "ROWS", .right = true},
    {.name = "SIZE", .right = true},
    {.name = "CPU", .right = true},
    {.name = "NOW", .right = true},
    {.name = "CALLS/TICK", .right = true},
    {.name = "MEMORY", .right = true},
};

#define CELL_MAX 256

/* A row of the table as text. */
struct cells {
    size_t count;
    char texts[TK_COUNTOF(grid_columns)][CELL_MAX];
};

static void add_cell(struct cells *cells, const char *text)
{
    (void)snprintf(cells->texts[cells->count++], CELL_MAX, "%s", text);
}

static void add_cell_text(struct cells *cells, tk_str text)
{
    char buf[CELL_MAX];
    add_cell(cells, text.n > 0 && tk_str_to_cstr(text, buf, sizeof(buf)) ? buf : "-");
}

static void set_cells(struct cells *cells, const struct tk_batch *batch, size_t row)
{
    char buf[TK_HUMAN_MAX];
    bool running = tk_batch_i64(batch, row, STATUS_RUNNING, 0) != 0;
    int64_t requested_ms = tk_batch_i64(batch, row, STATUS_INTERVAL_REQUESTED_MS, -1);
    double achieved_ms = tk_batch_f64(batch, row, STATUS_INTERVAL_ACHIEVED_MS, -1);
    int64_t own_cpu_ms = tk_batch_i64(batch, row, STATUS_OWN_CPU_MS, -1);
    int64_t own_rss_kb = tk_batch_i64(batch, row, STATUS_OWN_RSS_KB, -1);
    int64_t dropped = tk_batch_i64(batch, row, STATUS_DROPPED_EVENTS, 0) +
                      tk_batch_i64(batch, row, STATUS_DROPPED_ROWS, 0);
    tk_str id = tk_batch_text(batch, row, STATUS_RUN_ID);
    cells->count = 0;
    add_cell_text(cells, id.n > 0 ? id : tk_batch_text(batch, row, STATUS_FOLDER));
    add_cell(cells, running ? "running" : "stopped");
    add_cell_text(cells, tk_batch_text(batch, row, STATUS_RUNG));
    add_cell_text(cells, tk_batch_text(batch, row, STATUS_TIER));
    add_cell(cells, tk_duration_format(requested_ms < 0 ? -1 : requested_ms * TK_NS_PER_MS, buf));
    add_cell(cells, tk_duration_format(achieved_ms < 0 ? -1 : (int64_t)(achieved_ms * 1e6), buf));
    add_cell(cells, tk_count_format(tk_batch_i64(batch, row, STATUS_MISSED_TICKS, -1), buf));
    add_cell(cells, tk_count_format(dropped, buf));
    add_cell(cells, tk_count_format(tk_batch_i64(batch, row, STATUS_ROWS, -1), buf));
    add_cell(cells, tk_bytes_format((double)tk_batch_i64(batch, row, STATUS_BYTES, -1), buf));
    add_cell(cells, tk_seconds_format(own_cpu_ms < 0 ? -1 : own_cpu_ms * TK_NS_PER_MS, buf));
    double ratio = tk_batch_f64(batch, row, STATUS_OWN_CPU_RATIO, -1);
    double calls = tk_batch_f64(batch, row, STATUS_SYSCALLS_PER_TICK, -1);
    add_cell(cells, ratio < 0 ? "-" : tk_share_format(ratio, buf));
    add_cell(cells, tk_count_format((int64_t)calls, buf));
    add_cell(cells, tk_bytes_format(own_rss_kb < 0 ? -1 : (double)own_rss_kb * 1024, buf));
}

/* A line a run. */
static int write_table(const struct tk_batch *batch, const struct tk_look *look, struct tk_buf *out,
                       struct tk_err *err)
{
    const struct tk_grid_options options = {.columns = grid_columns,
                                            .column_count = TK_COUNTOF(grid_columns)};
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    struct cells cells;
    int rc = tk_grid_new(look, &options, &grid, err);
    for (size_t row = 0; rc == 0 && row < batch->rows; row++) {
        bool running = tk_batch_i64(batch, row, STATUS_RUNNING, 0) != 0;
        set_cells(&cells, batch, row);
        tk_grid_add(grid);
        for (size_t i = 0; i < cells.count; i++)
            tk_grid_set(grid, i, cells.texts[i]);
        tk_grid_set_style(grid, 1, running ? TK_STYLE_GOOD : TK_STYLE_DIM);
    }
    return rc < 0 ? rc : tk_grid_write(grid, out, err);
}

/* A line a figure, for terminals on which the table would wrap. */
static void write_list(const struct tk_batch *batch, const struct tk_look *look, struct tk_buf *out)
{
    struct cells cells;
    for (size_t row = 0; row < batch->rows; row++) {
        set_cells(&cells, batch, row);
        tk_buf_puts(out, row > 0 ? "\n" : "");
        for (size_t i = 0; i < cells.count; i++) {
            tk_style_printf(out, look, TK_STYLE_DIM, "%-10s", grid_columns[i].name);
            tk_buf_printf(out, "  %s\n", cells.texts[i]);
        }
    }
}

/* Columns of the terminal that the table takes. */
static size_t table_width(const struct tk_batch *batch)
{
    enum { BETWEEN = 2 };
    struct cells cells;
    size_t widest[TK_COUNTOF(grid_columns)];
    size_t sum = 0;
    for (size_t i = 0; i < TK_COUNTOF(grid_columns); i++)
        widest[i] = strlen(grid_columns[i].name);
    for (size_t row = 0; row < batch->rows; row++) {
        set_cells(&cells, batch, row);
        for (size_t i = 0; i < cells.count; i++)
            widest[i] = strlen(cells.texts[i]) > widest[i] ? strlen(cells.texts[i]) : widest[i];
    }
    for (size_t i = 0; i < TK_COUNTOF(grid_columns); i++)
        sum += widest[i] + (i > 0 ? BETWEEN : 0);
    return sum;
}

static int write_text(const struct tk_batch *batch, struct tk_buf *out, struct tk_err *err)
{
    struct tk_look look;
    int rc = 0;
    tk_look_init(&look, STDOUT_FILENO);
    if (isatty(STDOUT_FILENO) && table_width(batch) > (size_t)look.width) {
        write_list(batch, &look, out);
    } else {
        rc = write_table(batch, &look, out, err);
    }
    tk_look_release(&look);
    return rc;
}

/* One run, or all ----------------------------------------------------------------- */

struct many {
    struct tk_batch *batch;
    struct tk_err *err;
    int rc;
};

static void visit_run(void *context, const char *folder)
{
    struct many *many = context;
    if (many->rc == 0 && tk_batch_has_room(many->batch))
        many->rc = read_status(folder, many->batch, many->err);
}

int tk_collector_show_status(const char *folder, bool json, struct tk_err *err)
{
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    int rc = tk_batch_new(&schema, MAX_RUNS, ROW_TEXT_MAX, &batch, err);
    if (rc < 0)
        return rc;
    struct many many = {.batch = batch, .err = err};
    if (folder) {
        visit_run(&many, folder);
    } else {
        tk_collectors_each_below("logs", visit_run, &many);
    }
    if (many.rc < 0)
        return many.rc;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, OUT_MAX);
    if (json) {
        tk_encoder_jsonl.batch(batch, &out);
    } else if (batch->rows > 0) {
        rc = write_text(batch, &out, err);
    } else {
        tk_buf_lit(&out, "no collector runs for a run in logs/ (of another folder: -o DIR)\n");
    }
    if (rc == 0)
        rc = tk_buf_check(&out, "status", err);
    if (rc == 0)
        (void)fwrite(out.p, 1, out.n, stdout);
    return rc;
}
