/* SPDX-License-Identifier: Apache-2.0 */
/* A frame of the live view as text and as JSON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/human.h"
#include "cmd/member.h"
#include "cmd/screen_internal.h"
#include "cmd/top.h"

#define LATE_PART 10 /* of the interval: so much longer is late */

/* Orders --------------------------------------------------------------------------- */

static double io_of(const struct tk_top_process *process)
{
    return fmax(process->rd_Bps, 0) + fmax(process->wr_Bps, 0);
}

static int descending(double a, double b)
{
    return (a < b) - (a > b);
}

static int by_cpu(const struct tk_top_process *a, const struct tk_top_process *b)
{
    return descending(fmax(a->cores, 0), fmax(b->cores, 0)); /* what is not known last */
}

static int by_memory(const struct tk_top_process *a, const struct tk_top_process *b)
{
    return descending((double)a->rss_bytes, (double)b->rss_bytes);
}

static int by_io(const struct tk_top_process *a, const struct tk_top_process *b)
{
    return descending(io_of(a), io_of(b));
}

static int by_pid(const struct tk_top_process *a, const struct tk_top_process *b)
{
    return (a->pid > b->pid) - (a->pid < b->pid);
}

static int by_name(const struct tk_top_process *a, const struct tk_top_process *b)
{
    return strcmp(a->comm, b->comm);
}

const char *const tk_top_sorts[TK_TOP_SORTS + 1] = {"cpu", "memory", "io", "pid", "name", NULL};

static int compare(const void *a, const void *b, void *context)
{
    static int (*const orders[TK_TOP_SORTS])(const struct tk_top_process *a,
                                             const struct tk_top_process *b) = {
        [TK_TOP_BY_CPU] = by_cpu, [TK_TOP_BY_MEMORY] = by_memory, [TK_TOP_BY_IO] = by_io,
        [TK_TOP_BY_PID] = by_pid, [TK_TOP_BY_NAME] = by_name,
    };
    const enum tk_top_sort *sort = context;
    int order = orders[*sort](a, b);
    /* Equals stand still: by what they used in all, then by pid. */
    if (order == 0) {
        order = descending((double)((const struct tk_top_process *)a)->cpu_ns,
                           (double)((const struct tk_top_process *)b)->cpu_ns);
    }
    return order ? order : by_pid(a, b);
}

size_t tk_top_select(struct tk_top_frame *frame, const struct tk_top_view *view)
{
    size_t shown = 0;
    for (size_t i = 0; i < frame->count; i++) {
        struct tk_top_process taken = frame->processes[i];
        if (view->filter && !strcasestr(taken.comm, view->filter))
            continue;
        frame->processes[i] = frame->processes[shown];
        frame->processes[shown++] = taken;
    }
    enum tk_top_sort sort = view->sort;
    if (shown > 1)
        qsort_r(frame->processes, shown, sizeof(*frame->processes), compare, &sort);
    return shown;
}

/* The part of the selection that is in view: the end index. */
static size_t end_of(const struct tk_top_view *view, size_t shown)
{
    size_t end = view->limit ? view->offset + view->limit : shown;
    return end < shown ? end : shown;
}

/* Text: the machine ------------------------------------------------------------------- */

static void put_title(const struct tk_top_frame *frame, const struct tk_look *look,
                      struct tk_buf *out)
{
    char uptime[TK_HUMAN_MAX];
    TK_CLEANUP(tk_buf_release) struct tk_buf line;
    tk_buf_init(&line, TK_SCREEN_MAX);
    tk_buf_putc(&line, ' ');
    tk_style_printf(&line, look, TK_STYLE_TITLE, "%s", frame->host);
    tk_buf_printf(&line, "%sup %s%s%lld processes", tk_screen_separator(look),
                  tk_duration_format(frame->uptime_ns, uptime), tk_screen_separator(look),
                  (long long)frame->alive);
    if (frame->ended > 0)
        tk_buf_printf(&line, ", %lld ended", (long long)frame->ended);
    if (!isnan(frame->machine.load1)) {
        tk_buf_printf(&line, "%sload %.2f %.2f %.2f", tk_screen_separator(look),
                      frame->machine.load1, frame->machine.load5, frame->machine.load15);
    }
    tk_text_put_cut(out, look, tk_buf_str(&line), look->width);
    tk_buf_lit(out, "\n");
}

static void describe_cpu(const struct tk_top_frame *frame, struct tk_cell *cell)
{
    const struct tk_top_machine *machine = &frame->machine;
    char user[TK_HUMAN_MAX];
    char system[TK_HUMAN_MAX];
    char other[TK_HUMAN_MAX];
    bool is_stolen = machine->steal > 0.01;
    (void)snprintf(cell->text, sizeof(cell->text), "user %s, system %s, %s %s",
                   tk_share_format(machine->user, user), tk_share_format(machine->system, system),
                   is_stolen ? "steal" : "iowait",
                   tk_share_format(is_stolen ? machine->steal : machine->iowait, other));
}

static void describe_memory(const struct tk_top_frame *frame, struct tk_cell *cell)
{
    const struct tk_top_machine *machine = &frame->machine;
    char total[TK_HUMAN_MAX];
    char swap[TK_HUMAN_MAX];
    char swap_total[TK_HUMAN_MAX];
    tk_bytes_format(machine->mem_total_bytes, total);
    if (machine->swap_total_bytes > 0) {
        (void)snprintf(cell->text, sizeof(cell->text), "of %s, swap %s of %s", total,
                       tk_bytes_format(machine->swap_used_bytes, swap),
                       tk_bytes_format(machine->swap_total_bytes, swap_total));
    } else {
        (void)snprintf(cell->text, sizeof(cell->text), "of %s, no swap", total);
    }
}

static void describe_disk(const struct tk_top_frame *frame, struct tk_cell *cell)
{
    const struct tk_top_machine *machine = &frame->machine;
    char in[TK_HUMAN_MAX];
    char out[TK_HUMAN_MAX];
    char busy[TK_HUMAN_MAX];
    int n = snprintf(cell->text, sizeof(cell->text), "%s rd, %s wr",
                     tk_bytes_format(machine->disk_rd_Bps, in),
                     tk_bytes_format(machine->disk_wr_Bps, out));
    if (machine->disk_busy >= 0.01) {
        (void)snprintf(cell->text + n, sizeof(cell->text) - (size_t)n, ", %s %s", machine->disk,
                       tk_share_format(fmin(machine->disk_busy, 1), busy));
    }
}

static void describe_network(const struct tk_top_frame *frame, struct tk_cell *cell)
{
    char in[TK_HUMAN_MAX];
    char out[TK_HUMAN_MAX];
    (void)snprintf(cell->text, sizeof(cell->text), "%s in, %s out, %s",
                   tk_bytes_format(frame->machine.net_rx_Bps, in),
                   tk_bytes_format(frame->machine.net_tx_Bps, out), frame->iface);
}

static void describe_wait(const struct tk_top_frame *frame, struct tk_cell *cell)
{
    char cpu[TK_HUMAN_MAX];
    char io[TK_HUMAN_MAX];
    char memory[TK_HUMAN_MAX];
    (void)snprintf(cell->text, sizeof(cell->text), "CPU %s, I/O %s, memory %s",
                   tk_share_format(frame->machine.cpu_stall, cpu),
                   tk_share_format(frame->machine.io_stall, io),
                   tk_share_format(frame->machine.memory_stall, memory));
}

static const struct {
    const char *label;
    bool is_share;
    char *(*format)(double value, char buf[TK_HUMAN_MAX]);
    void (*describe)(const struct tk_top_frame *frame, struct tk_cell *cell);
} lines[TK_TOP_LINES] = {
    [TK_TOP_CPU] = {"CPU", true, tk_share_format, describe_cpu},
    [TK_TOP_MEMORY] = {"memory", false, tk_bytes_format, describe_memory},
    [TK_TOP_DISK] = {"disk", false, tk_rate_format, describe_disk},
    [TK_TOP_NETWORK] = {"network", false, tk_rate_format, describe_network},
    [TK_TOP_WAIT] = {"wait", true, tk_share_format, describe_wait},
};

enum { LINE_LABEL, LINE_NOW, LINE_COURSE, LINE_DETAIL, LINE_COLUMNS };

/* The last readings that fit, one a cell, new ones coming in at the right. */
static void set_course(struct tk_grid *grid, const struct tk_top_frame *frame,
                       const struct tk_look *look, enum tk_top_line line, int width)
{
    double cells[TK_TOP_COURSE];
    size_t count = (size_t)width < TK_TOP_COURSE ? (size_t)width : TK_TOP_COURSE;
    size_t known = frame->machine.course_count < count ? frame->machine.course_count : count;
    for (size_t i = 0; i < count - known; i++)
        cells[i] = (double)NAN;
    memcpy(cells + (count - known),
           frame->machine.course[line] + (frame->machine.course_count - known),
           known * sizeof(cells[0]));
    double full = lines[line].is_share ? 1 : 0;
    if (line == TK_TOP_MEMORY)
        full = frame->machine.mem_total_bytes;
    const struct tk_spark spark = {.values = cells, .count = count, .full = full};
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, TK_SCREEN_MAX);
    (void)tk_spark_put(&text, look, &spark, (int)count);
    tk_buf_putc(&text, '\0');
    tk_grid_set(grid, LINE_COURSE, tk_buf_ok(&text) ? text.p : "");
}

static int clamp(int value, int least, int most)
{
    if (value < least)
        return least;
    return value > most ? most : value;
}

static int put_machine(const struct tk_top_frame *frame, const struct tk_look *look,
                       struct tk_buf *out, struct tk_err *err)
{
    enum { INDENT = 1, LABEL = 9, NOW = 10, GAPS = 3 * 2, LEAST_DETAIL = 36, MOST_DETAIL = 48 };
    enum { LEAST_COURSE = 8, GOOD_COURSE = 24 };
    int left = look->width - INDENT - LABEL - NOW - GAPS;
    int detail = clamp(left - GOOD_COURSE, LEAST_DETAIL, MOST_DETAIL);
    int width = clamp(left - detail, LEAST_COURSE, TK_TOP_COURSE);
    const struct tk_grid_column columns[LINE_COLUMNS] = {
        [LINE_LABEL] = {"", .width = LABEL, .style = TK_STYLE_DIM},
        [LINE_NOW] = {"", .width = NOW, .right = true, .style = TK_STYLE_TITLE},
        [LINE_COURSE] = {"", .width = width, .style = TK_STYLE_CHART},
        [LINE_DETAIL] = {"", .width = detail, .cut = true},
    };
    const struct tk_grid_options options = {
        .columns = columns, .column_count = LINE_COLUMNS, .no_heading = true, .indent = INDENT};
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    int rc = tk_grid_new(look, &options, &grid, err);
    if (rc < 0)
        return rc;
    for (int i = 0; i < TK_TOP_LINES; i++) {
        char now[TK_HUMAN_MAX];
        struct tk_cell cell;
        tk_grid_add(grid);
        tk_grid_set(grid, LINE_LABEL, lines[i].label);
        tk_grid_set(grid, LINE_NOW, lines[i].format(frame->machine.now[i], now));
        set_course(grid, frame, look, (enum tk_top_line)i, width);
        lines[i].describe(frame, &cell);
        tk_grid_set(grid, LINE_DETAIL, cell.text);
    }
    return tk_grid_write(grid, out, err);
}

/* How good the figures are, and what they cost. */
static void put_quality(const struct tk_top_frame *frame, const struct tk_look *look,
                        struct tk_buf *out)
{
    char share[TK_HUMAN_MAX];
    char memory[TK_HUMAN_MAX];
    TK_CLEANUP(tk_buf_release) struct tk_buf line;
    tk_buf_init(&line, TK_SCREEN_MAX);
    tk_buf_putc(&line, ' ');
    tk_style_printf(&line, look, TK_STYLE_DIM, "%-11s", "data");
    tk_buf_printf(&line, "tier %s, ", tk_tier_names[frame->procs.tier]);
    bool none = strcmp(frame->procs.exit_source, "none") == 0;
    if (none) {
        tk_style_printf(&line, look, TK_STYLE_WARN, "exits not seen");
    } else {
        tk_buf_printf(&line, "exits by %s", frame->procs.exit_source);
    }
    if (frame->procs.lost_exits >= 0) {
        tk_style_printf(&line, look, frame->procs.lost_exits ? TK_STYLE_WARN : TK_STYLE_PLAIN,
                        ", %lld lost", (long long)frame->procs.lost_exits);
    }
    tk_buf_lit(&line, "; ");
    tk_style_printf(&line, look, frame->sampler.missed_ticks ? TK_STYLE_WARN : TK_STYLE_PLAIN,
                    "%lld missed", (long long)frame->sampler.missed_ticks);
    if (tk_top_is_late(frame)) {
        char late[TK_TOP_INTERVAL_MAX];
        tk_top_format_interval(frame, late);
        tk_buf_lit(&line, ", ");
        tk_style_printf(&line, look, TK_STYLE_WARN, "every %s", late);
    }
    tk_buf_printf(&line, "; cost %s, %s", tk_share_format(frame->own_cores, share),
                  tk_bytes_format((double)frame->own_rss_bytes, memory));
    tk_text_put_cut(out, look, tk_buf_str(&line), look->width);
    tk_buf_lit(out, "\n\n");
}

bool tk_top_is_late(const struct tk_top_frame *frame)
{
    return frame->interval_ns > frame->requested_ns + frame->requested_ns / LATE_PART;
}

void tk_top_format_interval(const struct tk_top_frame *frame, char text[TK_TOP_INTERVAL_MAX])
{
    double asked = (double)frame->requested_ns / 1e9;
    if (tk_top_is_late(frame)) {
        (void)snprintf(text, TK_TOP_INTERVAL_MAX, "%.4g s (%.3g s in fact)", asked,
                       (double)frame->interval_ns / 1e9);
    } else {
        (void)snprintf(text, TK_TOP_INTERVAL_MAX, "%.4g s", asked);
    }
}

/* Text: the processes ------------------------------------------------------------------- */

enum {
    PROCESS_PID,
    PROCESS_CPU,
    PROCESS_MEMORY,
    PROCESS_READ,
    PROCESS_WRITTEN,
    PROCESS_THREADS,
    PROCESS_STATE,
    PROCESS_NAME,
    PROCESS_COLUMNS
};

/* The command line of a process, its arguments separated by spaces; false when it has none or is
 * gone. */
static bool args_read(int procfd, pid_t pid, char *ret_args, size_t cap)
{
    char path[64];
    tk_str text;
    struct tk_err err;
    (void)snprintf(path, sizeof(path), "%d/cmdline", (int)pid);
    if (pid <= 0 || tk_file_read(procfd, path, ret_args, cap, &text, &err) < 0)
        return false;
    size_t n = text.n < cap ? text.n : cap - 1;
    for (size_t i = 0; i < n; i++) {
        if (ret_args[i] == '\0')
            ret_args[i] = ' ';
    }
    ret_args[n] = '\0';
    return n > 0;
}

static void set_name(const struct tk_top_frame *frame, const struct tk_top_process *process,
                     const struct tk_top_view *view, const struct tk_look *look,
                     struct tk_grid *grid)
{
    char args[4096];
    struct tk_cell cell;
    if (view->args && args_read(frame->procfd, process->pid, args, sizeof(args))) {
        TK_CLEANUP(tk_buf_release) struct tk_buf text;
        tk_buf_init(&text, TK_SCREEN_MAX);
        tk_text_put_clean(&text, look, tk_str_trim(tk_str_from(args)));
        tk_buf_putc(&text, '\0');
        tk_grid_set(grid, PROCESS_NAME, tk_buf_ok(&text) ? text.p : "");
        return;
    }
    tk_cell_clean(look, tk_str_from(process->comm), &cell);
    if (process->ended > 0) {
        size_t n = strlen(cell.text);
        (void)snprintf(cell.text + n, sizeof(cell.text) - n, " (%lld ended)",
                       (long long)process->ended);
    }
    tk_grid_set(grid, PROCESS_NAME, cell.text);
}

static void add_process(const struct tk_top_process *process, struct tk_grid *grid)
{
    char text[TK_HUMAN_MAX];
    tk_grid_add(grid);
    (void)snprintf(text, sizeof(text), "%d", (int)process->pid);
    tk_grid_set(grid, PROCESS_PID, process->pid ? text : "-");
    tk_grid_set(grid, PROCESS_CPU, tk_share_format(process->cores, text));
    tk_grid_set(grid, PROCESS_MEMORY, tk_bytes_format((double)process->rss_bytes, text));
    tk_grid_set(grid, PROCESS_READ, tk_bytes_format(process->rd_Bps, text));
    tk_grid_set(grid, PROCESS_WRITTEN, tk_bytes_format(process->wr_Bps, text));
    tk_grid_set(grid, PROCESS_THREADS, tk_count_format(process->threads, text));
    text[0] = process->state;
    text[1] = '\0';
    tk_grid_set(grid, PROCESS_STATE, text);
}

static int put_processes(struct tk_top_frame *frame, const struct tk_top_view *view,
                         const struct tk_look *look, struct tk_buf *out, struct tk_err *err)
{
    static const struct tk_grid_column columns[PROCESS_COLUMNS] = {
        [PROCESS_PID] = {"pid", .width = 7, .right = true},
        [PROCESS_CPU] = {"CPU", .width = 7, .right = true},
        [PROCESS_MEMORY] = {"memory", .width = 8, .right = true},
        [PROCESS_READ] = {"read/s", .width = 8, .right = true},
        [PROCESS_WRITTEN] = {"written/s", .width = 9, .right = true},
        [PROCESS_THREADS] = {"threads", .width = 7, .right = true},
        [PROCESS_STATE] = {"", .width = 1},
        [PROCESS_NAME] = {"process", .cut = true},
    };
    const struct tk_grid_options options = {.columns = columns, .column_count = PROCESS_COLUMNS};
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    int rc = tk_grid_new(look, &options, &grid, err);
    if (rc < 0)
        return rc;
    size_t end = end_of(view, tk_top_select(frame, view));
    for (size_t i = view->offset; i < end; i++) {
        const struct tk_top_process *process = &frame->processes[i];
        add_process(process, grid);
        set_name(frame, process, view, look, grid);
        if (process->ended > 0)
            tk_grid_set_style(grid, PROCESS_NAME, TK_STYLE_DIM);
    }
    return tk_grid_write(grid, out, err);
}

int tk_top_format(struct tk_top_frame *frame, const struct tk_top_view *view,
                  const struct tk_look *look, struct tk_buf *out, struct tk_err *err)
{
    put_title(frame, look, out);
    int rc = put_machine(frame, look, out, err);
    if (rc < 0)
        return rc;
    put_quality(frame, look, out);
    rc = put_processes(frame, view, look, out, err);
    return rc < 0 ? rc : tk_buf_check(out, "frame", err);
}

/* JSON -------------------------------------------------------------------------------------- */

static void put_process_json(const struct tk_top_process *process, struct tk_buf *out)
{
    tk_element_open(out, '{');
    tk_member_put_i64(out, "pid", process->pid ? process->pid : -1);
    tk_member_put_text(out, "comm", tk_str_from(process->comm));
    tk_member_put_i64(out, "ended", process->ended);
    tk_member_put_f64(out, "cpu_cores", process->cores, 4);
    tk_member_put_i64(out, "cpu_ns", process->cpu_ns);
    tk_member_put_i64(out, "rss_bytes", process->rss_bytes);
    tk_member_put_i64(out, "threads", process->threads);
    tk_member_put_f64(out, "read_bytes_per_s", process->rd_Bps, 0);
    tk_member_put_f64(out, "written_bytes_per_s", process->wr_Bps, 0);
    tk_buf_putc(out, '}');
}

static void put_machine_json(const struct tk_top_machine *machine, struct tk_buf *out)
{
    const struct {
        const char *key;
        double value;
        int decimals;
    } fields[] = {
        {"cpu_busy_ratio", machine->now[TK_TOP_CPU], 4},
        {"cpu_user_ratio", machine->user, 4},
        {"cpu_system_ratio", machine->system, 4},
        {"cpu_iowait_ratio", machine->iowait, 4},
        {"cpu_steal_ratio", machine->steal, 4},
        {"load1", machine->load1, 2},
        {"mem_used_bytes", machine->now[TK_TOP_MEMORY], 0},
        {"mem_total_bytes", machine->mem_total_bytes, 0},
        {"swap_used_bytes", machine->swap_used_bytes, 0},
        {"disk_read_bytes_per_s", machine->disk_rd_Bps, 0},
        {"disk_written_bytes_per_s", machine->disk_wr_Bps, 0},
        {"disk_busy_ratio", machine->disk_busy, 4},
        {"net_received_bytes_per_s", machine->net_rx_Bps, 0},
        {"net_sent_bytes_per_s", machine->net_tx_Bps, 0},
        {"cpu_stall_ratio", machine->cpu_stall, 4},
        {"io_stall_ratio", machine->io_stall, 4},
        {"mem_stall_ratio", machine->memory_stall, 4},
    };
    for (size_t i = 0; i < TK_COUNTOF(fields); i++)
        tk_member_put_f64(out, fields[i].key, fields[i].value, fields[i].decimals);
}

void tk_top_format_json(struct tk_top_frame *frame, const struct tk_top_view *view,
                        struct tk_buf *out)
{
    tk_buf_putc(out, '{');
    tk_member_put_i64(out, "ts_ms", frame->ts_ns / TK_NS_PER_MS);
    tk_member_put_i64(out, "interval_ns", frame->interval_ns);
    tk_member_put_i64(out, "interval_requested_ns", frame->requested_ns);
    tk_member_put_text(out, "host", tk_str_from(frame->host));
    put_machine_json(&frame->machine, out);
    tk_member_put_i64(out, "alive", frame->alive);
    tk_member_put_i64(out, "ended_count", frame->ended);
    tk_member_put_text(out, "tier", tk_str_from(tk_tier_names[frame->procs.tier]));
    tk_member_put_text(out, "exit_source", tk_str_from(frame->procs.exit_source));
    tk_member_put_i64(out, "lost_exits", frame->procs.lost_exits);
    tk_member_put_i64(out, "missed_ticks", frame->sampler.missed_ticks);
    tk_member_put_f64(out, "own_cpu_cores", frame->own_cores, 6);
    tk_member_put_i64(out, "own_rss_bytes", frame->own_rss_bytes);
    tk_member_open(out, "processes", '[');
    size_t end = end_of(view, tk_top_select(frame, view));
    for (size_t i = view->offset; i < end; i++)
        put_process_json(&frame->processes[i], out);
    tk_buf_lit(out, "]}\n");
}
