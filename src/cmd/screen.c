/* SPDX-License-Identifier: Apache-2.0 */
/* From the top: a title, a table of resources (what the command used beside the course of the
 * machine), the processes that used most CPU, what the run waited for, the quality of the data, the
 * folder. Every figure says whose it is. */
#include "cmd/screen.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/human.h"
#include "cmd/screen_internal.h"
#include "run/causes.h"

#define TOP_CAUSES   2
#define TOP_NOTICES  2
#define TOP_NODES    10
#define SCREEN_LINES 24

const char *tk_screen_separator(const struct tk_look *look)
{
    return look->utf8 ? " \u00b7 " : " - ";
}

const char *tk_cell_clean(const struct tk_look *look, tk_str text, struct tk_cell *cell)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, (size_t)TK_CELL_MAX * 4);
    tk_text_put_clean(&out, look, text);
    (void)snprintf(cell->text, sizeof(cell->text), "%.*s", TK_STR_ARG(tk_buf_str(&out)));
    return cell->text;
}

/* Title ------------------------------------------------------------------------------ */

static void put_command(const struct tk_summary *summary, const struct tk_look *look,
                        struct tk_buf *out)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, TK_SCREEN_MAX);
    for (size_t i = 0; i < summary->command.argc; i++) {
        if (i > 0)
            tk_buf_putc(&text, ' ');
        tk_text_put_clean(&text, look, summary->command.argv[i]);
    }
    tk_buf_puts(out, tk_style_begin(look, TK_STYLE_TITLE));
    tk_text_put_cut(out, look, tk_buf_str(&text), look->width);
    tk_buf_puts(out, look->colour ? "\033[0m\n" : "\n");
}

/* "exit 0 after 41.23 s", or what became of the run. */
static void put_outcome(const struct tk_summary *summary, const struct tk_look *look,
                        struct tk_buf *out)
{
    static const char *const states[] = {
        [TK_STATE_STOPPED] = "recorded ",
        [TK_STATE_ACTIVE] = "still recording, so far ",
        [TK_STATE_BROKEN] = "recorder killed after ",
        [TK_STATE_FOREIGN] = "imported, ",
        [TK_STATE_CALLS] = "invocations alone, ",
    };
    const struct tk_summary_command *command = &summary->command;
    char wall[TK_HUMAN_MAX];
    if (summary->end_ns == 0) {
        tk_style_printf(out, look, TK_STYLE_WARN, "no reading of the machine");
        return;
    }
    if (!command->known || command->exit_status < 0) {
        enum tk_style style = summary->state == TK_STATE_BROKEN ? TK_STYLE_WARN : TK_STYLE_PLAIN;
        tk_style_printf(out, look, style, "%s%s", states[summary->state],
                        tk_duration_format(summary->end_ns - summary->start_ns, wall));
        return;
    }
    int status = (int)command->exit_status;
    const char *signal = status > 128 ? sigabbrev_np(status - 128) : NULL;
    tk_style_printf(out, look, status ? TK_STYLE_BAD : TK_STYLE_GOOD, "exit %d%s%s%s", status,
                    signal ? " (SIG" : "", signal ? signal : "", signal ? ")" : "");
    tk_buf_printf(out, " after %s", tk_duration_format(command->end_ns - command->start_ns, wall));
}

/* "1.85 of 2 cores" */
static void put_cores(const struct tk_summary *summary, const struct tk_look *look,
                      struct tk_buf *out)
{
    const struct tk_summary_command *command = &summary->command;
    const struct tk_summary_host *host = &summary->host;
    double wall_ns = (double)(command->end_ns - command->start_ns);
    double busy =
        command->measured ? (double)command->cpu_ns / wall_ns : host->busy * (double)host->cores;
    if (host->cores <= 0 || !isfinite(busy))
        return;
    tk_buf_printf(out, "%s%.2f of %lld core%s", tk_screen_separator(look), busy,
                  (long long)host->cores, host->cores == 1 ? "" : "s");
}

/* "21 Nov 2026 09:26 UTC" */
static void put_date(int64_t ns, struct tk_buf *out)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tk_civil civil = tk_civil_from_s(ns / TK_NS_PER_S);
    tk_buf_printf(out, "%d %s %d %02d:%02d UTC", civil.day, months[civil.month - 1], civil.year,
                  civil.hour, civil.minute);
}

static void put_title(const struct tk_summary *summary, const struct tk_look *look,
                      struct tk_buf *out)
{
    struct tk_cell name;
    if (summary->command.argc > 0) {
        put_command(summary, look, out);
    } else {
        tk_style_printf(out, look, TK_STYLE_TITLE, "%s", tk_cell_clean(look, summary->name, &name));
        tk_buf_putc(out, '\n');
    }
    TK_CLEANUP(tk_buf_release) struct tk_buf line;
    tk_buf_init(&line, TK_SCREEN_MAX);
    put_outcome(summary, look, &line);
    put_cores(summary, look, &line);
    tk_str label = summary->host_name.n ? summary->host_name : summary->node;
    if (label.n > 0)
        tk_buf_printf(&line, "%s%s", tk_screen_separator(look), tk_cell_clean(look, label, &name));
    if (summary->end_ns > 0) {
        tk_buf_lit(&line, ", ");
        put_date(summary->start_ns, &line);
    }
    tk_text_put_cut(out, look, tk_buf_str(&line), look->width);
    tk_buf_lit(out, "\n\n");
}

/* Causes, quality, folder ---------------------------------------------------------------- */

/* A paragraph with its label; later lines are indented to the text. */
static void put_paragraph(const struct tk_look *look, const char *label, const struct tk_buf *text,
                          struct tk_buf *out)
{
    const int column = 1 + TK_LABEL_WIDTH + 2;
    tk_buf_putc(out, ' ');
    tk_style_printf(out, look, TK_STYLE_DIM, "%-*s", TK_LABEL_WIDTH + 2, label);
    tk_text_put_wrapped(out, look, tk_buf_str(text), column, column);
}

/* The causes in bold, the evidence after each. */
static void put_causes(const struct tk_summary *summary, const struct tk_look *look,
                       struct tk_buf *out)
{
    struct tk_cause causes[TK_CAUSES_MAX];
    size_t count = tk_causes_find(summary, causes);
    for (size_t i = 0; i < count && i < TOP_CAUSES; i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf text;
        tk_buf_init(&text, TK_SCREEN_MAX);
        tk_str sentence = tk_str_from(causes[i].text);
        size_t colon = tk_str_find(sentence, ':');
        tk_style_printf(&text, look, TK_STYLE_TITLE, "%.*s", (int)colon, sentence.p);
        tk_text_put_clean(&text, look, (tk_str){sentence.p + colon, sentence.n - colon});
        put_paragraph(look, i == 0 ? "waited for" : "", &text, out);
    }
}

/* Where the time of the command's tasks went, as far as that was followed (--exact). The rest is
 * known only of a single process. */
static void put_split(const struct tk_summary *summary, const struct tk_look *look,
                      struct tk_buf *out)
{
    const struct tk_summary_command *command = &summary->command;
    if (!command->measured || command->io_wait_ns < 0 || command->run_delay_ns < 0)
        return;
    char time[TK_HUMAN_MAX];
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, TK_SCREEN_MAX);
    tk_buf_printf(&text, "%s on a core, ", tk_seconds_format(command->cpu_ns, time));
    tk_buf_printf(&text, "%s ready to run, ", tk_seconds_format(command->run_delay_ns, time));
    tk_buf_printf(&text, "%s waiting for block I/O", tk_seconds_format(command->io_wait_ns, time));
    int64_t rest_ns = command->end_ns - command->start_ns - command->cpu_ns -
                      command->run_delay_ns - command->io_wait_ns;
    if (command->processes == 1 && rest_ns >= 0)
        tk_buf_printf(&text, ", %s otherwise", tk_seconds_format(rest_ns, time));
    put_paragraph(look, "its tasks", &text, out);
}

static void put_tasks(const struct tk_summary *summary, const struct tk_look *look,
                      struct tk_buf *out)
{
    const struct tk_summary_invocations *invocations = &summary->invocations;
    bool only_command = summary->command.measured && invocations->count == 1;
    if (invocations->count == 0 || only_command)
        return;
    char count[TK_HUMAN_MAX];
    char median[TK_HUMAN_MAX];
    char p99[TK_HUMAN_MAX];
    char max[TK_HUMAN_MAX];
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, TK_SCREEN_MAX);
    tk_buf_printf(&text, "%s done: half of them within %s, 99 %% within %s, the longest %s; ",
                  tk_count_format(invocations->count, count),
                  tk_duration_format(invocations->median_ns, median),
                  tk_duration_format(invocations->p99_ns, p99),
                  tk_duration_format(invocations->max_ns, max));
    tk_style_printf(&text, look, invocations->failed ? TK_STYLE_BAD : TK_STYLE_PLAIN, "%s failed",
                    tk_count_format(invocations->failed, count));
    put_paragraph(look, "tasks", &text, out);
}

/* Where the command's CPU time comes from. */
static void put_cpu_source(const struct tk_summary *summary, const struct tk_look *look,
                           struct tk_buf *text)
{
    static const struct {
        const char *source, *text;
    } sources[] = {
        {"bpf", "CPU exact (BPF)"},
        {"taskstats", "CPU exact (taskstats)"},
        {"cgroup", "CPU exact (cgroup)"},
        {"rusage", "CPU of processes that were waited for (rusage)"},
    };
    const struct tk_summary_command *command = &summary->command;
    if (!command->measured)
        return;
    for (size_t i = 0; i < TK_COUNTOF(sources); i++) {
        if (tk_str_eq(command->cpu_source, tk_str_from(sources[i].source))) {
            tk_buf_printf(text, "%s, ", sources[i].text);
            return;
        }
    }
    tk_style_printf(text, look, TK_STYLE_WARN, "CPU as far as it was sampled");
    tk_buf_lit(text, ", ");
}

/* How ends of processes are seen, unless the source of the CPU time has said it. */
static void put_exits(const struct tk_summary *summary, const struct tk_look *look,
                      struct tk_buf *text)
{
    tk_str source = summary->quality.exit_source;
    if (source.n == 0 || tk_str_eq(source, summary->command.cpu_source))
        return;
    if (tk_str_eq(source, TK_STR("none"))) {
        tk_style_printf(text, look, TK_STYLE_WARN, "exits not seen");
        tk_buf_lit(text, ", ");
        return;
    }
    tk_buf_printf(text, "exits by %.*s, ", TK_STR_ARG(source));
}

/* A count that should be 0: shown always, emphasised when it is not. */
static void put_loss(struct tk_buf *text, const struct tk_look *look, int64_t count,
                     const char *one, const char *many)
{
    char number[TK_HUMAN_MAX];
    if (count < 0)
        return;
    tk_style_printf(text, look, count > 0 ? TK_STYLE_WARN : TK_STYLE_PLAIN, "%s %s",
                    tk_count_format(count, number), count == 1 ? one : many);
}

static void put_interval(const struct tk_summary_quality *quality, const struct tk_look *look,
                         struct tk_buf *text)
{
    double asked = quality->interval_requested_ms;
    double kept = quality->interval_achieved_ms;
    char number[TK_HUMAN_MAX];
    bool is_long = asked >= 1000;
    tk_buf_printf(text, "every %.4g %s", is_long ? asked / 1000 : asked, is_long ? "s" : "ms");
    if (fabs(kept - asked) > asked * 0.01)
        tk_style_printf(text, look, TK_STYLE_WARN, " (%.4g ms in fact)", kept);
    if (quality->min_good_interval_ms > 0 && asked < (double)quality->min_good_interval_ms) {
        tk_style_printf(text, look, TK_STYLE_WARN, " (CPU shares are good from %lld ms)",
                        (long long)quality->min_good_interval_ms);
    }
    int64_t deadlines = quality->ticks + quality->missed_ticks;
    (void)snprintf(number, sizeof(number), "of %lld missed", (long long)deadlines);
    tk_buf_lit(text, ", ");
    put_loss(text, look, quality->missed_ticks, number, number);
    tk_buf_lit(text, "; ");
}

static void put_losses(const struct tk_summary *summary, const struct tk_look *look,
                       struct tk_buf *text)
{
    const struct tk_summary_quality *quality = &summary->quality;
    bool was_recorded = quality->ticks >= 0;
    if (was_recorded) {
        bool has_end = summary->state != TK_STATE_BROKEN; /* killed, or its disk was full */
        tk_style_printf(text, look, has_end ? TK_STYLE_PLAIN : TK_STYLE_WARN, "%s",
                        has_end ? "lost" : "the recorder noted no end; lost until its last note");
        tk_buf_lit(text, ": ");
        put_loss(text, look, quality->lost_exits, "exit", "exits");
        tk_buf_puts(text, quality->lost_exits < 0 ? "" : ", ");
        put_loss(text, look, quality->dropped_events, "event", "events");
        tk_buf_lit(text, ", ");
        put_loss(text, look, quality->dropped_rows, "row", "rows");
    } else {
        char number[TK_HUMAN_MAX];
        tk_buf_printf(text, "%s row%s read", tk_count_format(quality->rows, number),
                      quality->rows == 1 ? "" : "s");
    }
    if (quality->bad_rows > 0 || !was_recorded) {
        tk_buf_lit(text, ", ");
        put_loss(text, look, quality->bad_rows, "unreadable", "unreadable");
    }
    if (quality->torn_rows > 0) {
        tk_buf_lit(text, ", ");
        put_loss(text, look, quality->torn_rows, "torn", "torn");
    }
    if (quality->bad_rows > 0) {
        tk_buf_lit(text, " (");
        tk_text_put_clean(text, look, quality->first_bad);
        tk_buf_putc(text, ')');
    }
}

/* Of a run with rows of threads. */
static void put_threads(const struct tk_summary *summary, const struct tk_look *look,
                        struct tk_buf *out)
{
    const struct tk_summary_threads *threads = &summary->threads;
    struct tk_cell name;
    char text_of[TK_HUMAN_MAX];
    if (threads->count == 0)
        return;
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, TK_SCREEN_MAX);
    tk_buf_printf(&text, "%s with rows; most CPU:", tk_count_format(threads->count, text_of));
    for (size_t i = 0; i < threads->busiest_count; i++) {
        const struct tk_summary_thread *thread = &threads->busiest[i];
        tk_buf_printf(&text, "%s %s (%lld) %s", i > 0 ? "," : "",
                      tk_cell_clean(look, tk_str_from(thread->comm), &name), (long long)thread->tid,
                      tk_seconds_format(thread->cpu_ns, text_of));
    }
    put_paragraph(look, "threads", &text, out);
}

static void put_own_cost(const struct tk_summary *summary, struct tk_buf *text)
{
    const struct tk_summary_quality *quality = &summary->quality;
    char share[TK_HUMAN_MAX];
    char memory[TK_HUMAN_MAX];
    double span_ms = (double)(summary->end_ns - summary->start_ns) / 1e6;
    if (quality->own_cpu_ms < 0 || span_ms <= 0)
        return;
    tk_buf_printf(text, "; recorder: %s CPU",
                  tk_share_format((double)quality->own_cpu_ms / span_ms, share));
    if (quality->own_rss_kb >= 0)
        tk_buf_printf(text, ", %s", tk_bytes_format((double)quality->own_rss_kb * 1024, memory));
    char bytes[TK_HUMAN_MAX];
    if (!isnan(quality->own_calls_per_tick) && !isnan(quality->own_Bps)) {
        tk_buf_printf(text, ", %.0f system calls a tick, %s/s written", quality->own_calls_per_tick,
                      tk_bytes_format(quality->own_Bps, bytes));
    }
}

static void put_quality(const struct tk_summary *summary, const struct tk_look *look,
                        struct tk_buf *out)
{
    const struct tk_summary_quality *quality = &summary->quality;
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, TK_SCREEN_MAX);
    put_cpu_source(summary, look, &text);
    put_exits(summary, look, &text);
    if (quality->tier.n > 0)
        tk_buf_printf(&text, "tier %.*s; ", TK_STR_ARG(quality->tier));
    if (!isnan(quality->interval_requested_ms))
        put_interval(quality, look, &text);
    put_losses(summary, look, &text);
    put_own_cost(summary, &text);
    if (quality->rung.n > 0 && !tk_str_eq(quality->rung, TK_STR("A")))
        tk_buf_lit(&text, "; tracekit doctor tells how to get exact figures");
    put_paragraph(look, "data", &text, out);
}

/* The figures of a command end where it ended. */
static bool put_left_running(const struct tk_summary *summary, const struct tk_look *look,
                             struct tk_buf *out)
{
    int64_t left = summary->command.measured ? summary->command.left_running : 0;
    char count[TK_HUMAN_MAX];
    if (left <= 0)
        return false;
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, TK_SCREEN_MAX);
    tk_style_printf(&text, look, TK_STYLE_WARN, "%s process%s of the command outlived it",
                    tk_count_format(left, count), left == 1 ? "" : "es");
    tk_buf_lit(&text, ": what came after its end is not in these figures");
    put_paragraph(look, "note", &text, out);
    return true;
}

static void put_notices(const struct tk_summary *summary, const struct tk_look *look,
                        struct tk_buf *out)
{
    const struct tk_summary_quality *quality = &summary->quality;
    bool labelled = put_left_running(summary, look, out);
    for (size_t i = 0; i < quality->notice_count && i < TOP_NOTICES; i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf text;
        tk_buf_init(&text, TK_SCREEN_MAX);
        tk_text_put_clean(&text, look, quality->notices[i]);
        if (i + 1 == TOP_NOTICES && quality->notice_count > TOP_NOTICES)
            tk_buf_printf(&text, " (%zu more: --json)", quality->notice_count - TOP_NOTICES);
        put_paragraph(look, i == 0 && !labelled ? "note" : "", &text, out);
    }
}

/* Of a merged run one node is shown. */
static void put_nodes(const struct tk_summary *summary, const struct tk_look *look,
                      struct tk_buf *out)
{
    if (summary->other_node_count == 0)
        return;
    struct tk_cell name;
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, TK_SCREEN_MAX);
    tk_style_printf(&text, look, TK_STYLE_WARN, "%s alone, of %zu nodes",
                    tk_cell_clean(look, summary->node, &name), summary->other_node_count + 1);
    tk_buf_lit(&text, "; --node shows another:");
    for (size_t i = 0; i < summary->other_node_count && i < TOP_NODES; i++) {
        tk_buf_printf(&text, "%s%s", i > 0 ? ", " : " ",
                      tk_cell_clean(look, summary->other_nodes[i], &name));
    }
    if (summary->other_node_count > TOP_NODES)
        tk_buf_printf(&text, " and %zu more (--json)", summary->other_node_count - TOP_NODES);
    put_paragraph(look, "node", &text, out);
}

static void put_folder(const char *folder, const struct tk_look *look, struct tk_buf *out)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, TK_SCREEN_MAX);
    tk_text_put_clean(&text, look, tk_str_from(folder));
    put_paragraph(look, "run folder", &text, out);
}

static int count_lines(const struct tk_buf *text)
{
    int lines = 0;
    for (size_t i = 0; i < text->n; i++)
        lines += text->p[i] == '\n';
    return lines;
}

/* Tables have their least width; what a narrower terminal would wrap is cut. */
static void put_tables(const struct tk_look *look, const struct tk_buf *tables, struct tk_buf *out)
{
    tk_str rest = tk_buf_str(tables);
    tk_str line;
    while (rest.n > 0 && tk_str_take_until(&rest, '\n', &line)) {
        tk_text_put_cut(out, look, line, look->width);
        tk_buf_putc(out, '\n');
    }
}

int tk_screen_format(const struct tk_summary *summary, const char *folder,
                     const struct tk_look *look, struct tk_buf *out, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf end;
    tk_buf_init(&end, TK_SCREEN_MAX);
    put_causes(summary, look, &end);
    put_split(summary, look, &end);
    put_tasks(summary, look, &end);
    put_threads(summary, look, &end);
    put_quality(summary, look, &end);
    put_notices(summary, look, &end);
    put_nodes(summary, look, &end);
    put_folder(folder, look, &end);

    put_title(summary, look, out);
    TK_CLEANUP(tk_buf_release) struct tk_buf tables;
    TK_CLEANUP(tk_buf_release) struct tk_buf containers;
    tk_buf_init(&tables, TK_SCREEN_MAX);
    tk_buf_init(&containers, TK_SCREEN_MAX);
    int rc = tk_screen_put_resources(summary, look, &tables, err);
    rc = rc < 0 ? rc : tk_screen_put_containers(summary, look, &containers, err);
    /* Processes take what the rest leaves of a screen, with a blank line on both sides. */
    int left = SCREEN_LINES - count_lines(out) - count_lines(&tables) - count_lines(&containers) -
               count_lines(&end) - 2;
    rc = rc < 0 ? rc : tk_screen_put_processes(summary, look, left, &tables, err);
    if (rc < 0)
        return rc;
    tk_buf_put(&tables, tk_buf_str(&containers));
    put_tables(look, &tables, out);
    if (tables.n > 0)
        tk_buf_putc(out, '\n');
    tk_buf_put(out, tk_buf_str(&end));
    rc = tk_buf_check(&tables, "report", err);
    if (rc < 0)
        return rc;
    rc = tk_buf_check(&end, "report", err);
    return rc < 0 ? rc : tk_buf_check(out, "report", err);
}

int tk_screen_write(const char *folder, const struct tk_summary_options *options, int fd,
                    struct tk_err *err)
{
    TK_CLEANUP(tk_summary_freep) struct tk_summary *summary = NULL;
    int rc = tk_summary_new(folder, options, &summary, err);
    if (rc < 0)
        return rc;
    TK_CLEANUP(tk_look_release) struct tk_look look;
    tk_look_init(&look, fd);
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, TK_SCREEN_MAX);
    rc = tk_screen_format(summary, folder, &look, &out, err);
    return rc < 0 ? rc : tk_fd_write(fd, tk_buf_str(&out), "report", err);
}
