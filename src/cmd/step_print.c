/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/step_print.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/human.h"
#include "base/number.h"
#include "report/text.h"

#define BYTES_PER_MB (1024.0 * 1024.0)

enum {
    RULE = 71,
    NAME = 28,
    CELL = 48, /* bytes of a number as text */
    BOX_COLUMNS_MAX = 8,
};

/* Figures ---------------------------------------------------------------------------- */

/* "12.5 s"; "-" when it is not known. */
static const char *time_text(double seconds, char buf[TK_HUMAN_MAX])
{
    return tk_duration_format(isnan(seconds) ? -1 : (int64_t)(seconds * (double)TK_NS_PER_S), buf);
}

static const char *size_text(double mb, char buf[TK_HUMAN_MAX])
{
    return tk_bytes_format(isnan(mb) ? -1 : mb * BYTES_PER_MB, buf);
}

/* With as many decimals as tell something: 1.25, 12.5, 890; "-" when it is not known. */
static const char *number_text(double value, char buf[CELL])
{
    double size = fabs(value);
    if (isnan(value)) {
        (void)snprintf(buf, CELL, "-");
    } else {
        (void)snprintf(buf, CELL, "%.*f", size < 10 && size > 0 ? (size < 0.095 ? 3 : 1) : 0,
                       value);
    }
    return buf;
}

static void put_status(struct tk_buf *out, const struct tk_look *look,
                       const struct tk_job_step *step)
{
    if (tk_str_eq(step->status, TK_STR(TK_JOB_SUCCESS))) {
        tk_style_printf(out, look, TK_STYLE_GOOD, "ok");
    } else if (step->timed_out == 1) {
        tk_style_printf(out, look, TK_STYLE_BAD, "timed out");
    } else if (step->signal > 0) {
        tk_style_printf(out, look, TK_STYLE_BAD, "killed by signal %lld", (long long)step->signal);
    } else if (tk_str_eq(step->status, TK_STR(TK_JOB_FAILED)) && step->exit_code > 0) {
        tk_style_printf(out, look, TK_STYLE_BAD, "failed (%lld)", (long long)step->exit_code);
    } else {
        tk_style_printf(out, look, TK_STYLE_BAD, "%.*s", TK_STR_ARG(step->status));
    }
}

void tk_step_put_line(struct tk_buf *out, const struct tk_look *look,
                      const struct tk_job_step *step)
{
    char number[CELL];
    char one[TK_HUMAN_MAX];
    char two[TK_HUMAN_MAX];
    bool host = tk_str_eq(step->scope, TK_STR(TK_JOB_SCOPE_HOST));
    tk_style_printf(out, look, TK_STYLE_DIM, "telemetry:");
    tk_buf_putc(out, ' ');
    tk_text_put_clean(out, look, step->name);
    tk_buf_lit(out, "  ");
    put_status(out, look, step);
    tk_buf_printf(out, "  %s", time_text(step->duration_s, one));
    if (host) {
        tk_buf_printf(out, "  host CPU %s %%", number_text(step->cpu_percent, number));
    } else {
        tk_buf_printf(out, "  %s cores", number_text(step->cpu.cores_avg, number));
    }
    if (!isnan(step->memory.peak_mb))
        tk_buf_printf(out, "  peak %s", size_text(step->memory.peak_mb, one));
    double read_mb = host ? step->disk_read_mb : step->io.read_mb;
    double write_mb = host ? step->disk_write_mb : step->io.write_mb;
    if (!isnan(read_mb))
        tk_buf_printf(out, "  disk %s / %s", size_text(read_mb, one), size_text(write_mb, two));
    if (step->net_rx_mb >= 0.5)
        tk_buf_printf(out, "  net rx %s", size_text(step->net_rx_mb, one));
    double waited = 100 * step->pressure.io_full_s / step->duration_s;
    if (waited >= 5)
        tk_buf_printf(out, "  io waits %.0f %%", waited > 100 ? 100 : waited);
    tk_buf_putc(out, '\n');
}

/* The original's block --------------------------------------------------------------- */

static void put_rule(struct tk_buf *out, const struct tk_look *look, const char *utf8, char ascii,
                     int width)
{
    for (int i = 0; i < width; i++) {
        if (look->utf8) {
            tk_buf_puts(out, utf8);
        } else {
            tk_buf_putc(out, ascii);
        }
    }
}

static void put_rule_line(struct tk_buf *out, const struct tk_look *look, bool heavy)
{
    put_rule(out, look, heavy ? "═" : "─", heavy ? '=' : '-', RULE);
    tk_buf_putc(out, '\n');
}

static void put_moment(struct tk_buf *out, const struct tk_look *look, tk_str name,
                       const char *what, int64_t real_ns)
{
    char time[TK_TIME_MAX];
    tk_buf_puts(out, look->utf8 ? "⏱️  [" : "* [");
    tk_text_put_clean(out, look, name);
    tk_buf_printf(out, "] %s: %.19s+00:00\n", what, tk_time_format_iso(real_ns, time));
}

void tk_step_put_start(struct tk_buf *out, const struct tk_look *look, tk_str name, int64_t real_ns)
{
    put_rule_line(out, look, true);
    put_moment(out, look, name, "START", real_ns);
    put_rule_line(out, look, false);
}

static void put_disk(struct tk_buf *out, const char *label, double mb, double rate, double ops)
{
    char a[CELL], b[CELL], c[CELL];
    tk_buf_printf(out, "  %-14s %sMB (%sMB/s, %s ops)\n", label, number_text(mb, a),
                  number_text(rate, b), number_text(ops, c));
}

static void put_net(struct tk_buf *out, const char *label, double mb, double rate)
{
    char a[CELL], b[CELL];
    tk_buf_printf(out, "  %-14s %sMB (%sMB/s)\n", label, number_text(mb, a), number_text(rate, b));
}

void tk_step_put_end(struct tk_buf *out, const struct tk_look *look, const struct tk_job_step *step)
{
    char a[CELL], b[CELL], c[CELL];
    put_rule_line(out, look, false);
    put_moment(out, look, step->name, "END", (int64_t)(step->end_time * (double)TK_NS_PER_S));
    tk_buf_printf(out, "\n  %-14s %.1fs\n", "Duration:", step->duration_s);
    tk_buf_printf(out, "  %-14s ~%.0f%% avg\n", "CPU:", step->cpu_percent);
    tk_buf_printf(out, "  %-14s %.0fMB used (delta %.0fMB)\n", "Memory:", step->memory_used_mb,
                  step->memory_delta_mb);
    put_disk(out, "Disk Read:", step->disk_read_mb, step->disk_read_rate_mbs, step->disk_read_ops);
    put_disk(out, "Disk Write:", step->disk_write_mb, step->disk_write_rate_mbs,
             step->disk_write_ops);
    tk_buf_printf(out, "  %-14s util=%s%%, await=%sms, queue=%s\n",
                  "Disk I/O:", number_text(step->disk_util_percent, a),
                  number_text(step->await_ms, b), number_text(step->queue_depth, c));
    put_net(out, "Net RX:", step->net_rx_mb, step->net_rx_rate_mbs);
    put_net(out, "Net TX:", step->net_tx_mb, step->net_tx_rate_mbs);
    put_rule_line(out, look, true);
}

/* Boxes ------------------------------------------------------------------------------ */

/* Widths of the cells, the first of which is a name. */
struct box {
    const struct tk_look *look;
    struct tk_buf *out;
    int widths[BOX_COLUMNS_MAX];
    size_t columns;
};

enum edge { EDGE_TOP, EDGE_MIDDLE, EDGE_BOTTOM };

static void put_edge(const struct box *box, enum edge edge)
{
    static const char *const corners[][3] = {[EDGE_TOP] = {"╔", "╤", "╗"},
                                             [EDGE_MIDDLE] = {"╟", "┼", "╢"},
                                             [EDGE_BOTTOM] = {"╚", "╧", "╝"}};
    bool utf8 = box->look->utf8;
    for (size_t i = 0; i < box->columns; i++) {
        tk_buf_puts(box->out, utf8 ? corners[edge][i > 0] : "+");
        put_rule(box->out, box->look, edge == EDGE_MIDDLE ? "─" : "═", '-', box->widths[i] + 2);
    }
    tk_buf_puts(box->out, utf8 ? corners[edge][2] : "+");
    tk_buf_putc(box->out, '\n');
}

/* A row; `cells` are those after the name. */
static void put_row(const struct box *box, tk_str name, const char *const *cells)
{
    const struct tk_look *look = box->look;
    TK_CLEANUP(tk_buf_release) struct tk_buf clean, cut;
    tk_buf_init(&clean, 65536);
    tk_buf_init(&cut, 65536);
    tk_text_put_clean(&clean, look, name);
    tk_text_put_cut(&cut, look, tk_buf_str(&clean), box->widths[0]);
    tk_buf_puts(box->out, look->utf8 ? "║ " : "| ");
    tk_buf_put(box->out, tk_buf_str(&cut));
    tk_buf_printf(box->out, "%*s", box->widths[0] - tk_text_width(look, tk_buf_str(&cut)), "");
    for (size_t i = 1; i < box->columns; i++)
        tk_buf_printf(box->out, " %s %*s", look->utf8 ? "│" : "|", box->widths[i], cells[i - 1]);
    tk_buf_puts(box->out, look->utf8 ? " ║\n" : " |\n");
}

static void put_empty(struct tk_buf *out, const struct tk_job *job)
{
    char time[TK_HUMAN_MAX];
    tk_buf_printf(out,
                  "telemetry: no steps recorded in %s: no telemetry_step_start or tracekit exec "
                  "was called for job '%.*s'\n",
                  time_text(job->job_duration_s, time), TK_STR_ARG(job->job));
}

void tk_step_put_summary(struct tk_buf *out, const struct tk_look *look, const struct tk_job *job)
{
    if (job->steps.count == 0) {
        put_empty(out, job);
        return;
    }
    const struct box box = {look, out, {NAME, 13, 6, 9, 9}, 5};
    static const char *const heads[] = {"Duration", "CPU", "Net RX", "Disk W"};
    put_edge(&box, EDGE_TOP);
    put_row(&box, TK_STR("Step"), heads);
    put_edge(&box, EDGE_MIDDLE);
    for (size_t i = 0; i < job->steps.count; i++) {
        const struct tk_job_step *step = &job->steps.items[i];
        char time[TK_HUMAN_MAX], cpu[CELL], net[TK_HUMAN_MAX], disk[TK_HUMAN_MAX];
        (void)snprintf(cpu, sizeof(cpu), "%.0f %%", step->cpu_percent);
        const char *const cells[] = {
            time_text(step->duration_s, time), isnan(step->cpu_percent) ? "-" : cpu,
            size_text(step->net_rx_mb, net), size_text(step->disk_write_mb, disk)};
        put_row(&box, step->name, cells);
    }
    put_edge(&box, EDGE_MIDDLE);
    char time[TK_HUMAN_MAX], net[TK_HUMAN_MAX], disk[TK_HUMAN_MAX];
    const char *const cells[] = {time_text(job->job_duration_s, time), "",
                                 size_text(job->totals.net_rx_mb, net),
                                 size_text(job->totals.disk_write_mb, disk)};
    put_row(&box, TK_STR("TOTAL"), cells);
    put_edge(&box, EDGE_BOTTOM);
}

static void raise_to(double *field, double value)
{
    if (isnan(*field) || value > *field)
        *field = value;
}

void tk_step_put_table(struct tk_buf *out, const struct tk_look *look, const struct tk_job *job)
{
    if (job->steps.count == 0) {
        put_empty(out, job);
        return;
    }
    static const char *const heads[] = {"DUR",   "CPU%",  "DISK_W", "UTIL%",
                                        "AWAIT", "QUEUE", "NET_RX"};
    const struct box box = {look, out, {16, 8, 4, 7, 5, 6, 5, 7}, 8};
    double sums[3] = {0};
    double peaks[3] = {(double)NAN, (double)NAN, (double)NAN};
    char text[7][CELL];
    put_edge(&box, EDGE_TOP);
    put_row(&box, TK_STR("STEP"), heads);
    put_edge(&box, EDGE_MIDDLE);
    for (size_t i = 0; i < job->steps.count; i++) {
        const struct tk_job_step *step = &job->steps.items[i];
        const double values[] = {step->duration_s,        step->cpu_percent, step->disk_write_mb,
                                 step->disk_util_percent, step->await_ms,    step->queue_depth,
                                 step->net_rx_mb};
        const char *cells[TK_COUNTOF(values)];
        for (size_t k = 0; k < TK_COUNTOF(values); k++)
            cells[k] = number_text(values[k], text[k]);
        put_row(&box, step->name, cells);
        sums[0] += step->duration_s;
        sums[1] += isnan(step->disk_write_mb) ? 0 : step->disk_write_mb;
        sums[2] += isnan(step->net_rx_mb) ? 0 : step->net_rx_mb;
        for (size_t k = 0; k < TK_COUNTOF(peaks); k++)
            raise_to(&peaks[k], values[3 + k]);
    }
    put_edge(&box, EDGE_MIDDLE);
    const char *const total[] = {
        number_text(sums[0], text[0]), "", number_text(sums[1], text[1]), "", "", "",
        number_text(sums[2], text[2])};
    put_row(&box, TK_STR("TOTAL"), total);
    put_edge(&box, EDGE_BOTTOM);
    tk_buf_printf(out, "DISK BOTTLENECK: max util %s%%, max await %sms, max queue %s\n",
                  number_text(peaks[0], text[0]), number_text(peaks[1], text[1]),
                  number_text(peaks[2], text[2]));
}
