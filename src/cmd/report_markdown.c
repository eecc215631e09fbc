/* SPDX-License-Identifier: Apache-2.0 */
/* For GitHub: the summary of a step, and annotations. What comes from outside is escaped so that it
 * is neither markup nor a command of the runner. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/report_export.h"

#define TOP_STEPS   10
#define GANTT_STEPS 60
/* Rows stop here, so that what follows them fits below 60 KB. */
#define ROWS_MAX_BYTES 45000

static void put_text(const struct tk_report *report, struct tk_buf *out, tk_str text)
{
    char clean[TK_CLEAN_MAX];
    (void)tk_clean(report, text, 0, clean);
    for (const char *c = clean; *c; c++) {
        if (*c == '<') {
            tk_buf_lit(out, "&lt;");
        } else if (*c == '&') {
            tk_buf_lit(out, "&amp;");
        } else if (strchr("\\`*_{}[]()#|~@!>", *c)) {
            tk_buf_printf(out, "\\%c", *c);
        } else {
            tk_buf_putc(out, *c);
        }
    }
}

static void put_curve(struct tk_report *report, const struct tk_job_step *step)
{
    enum { POINTS = 512, WIDTH = 10 };
    double values[POINTS];
    size_t count = 0;
    for (size_t i = 0; i < step->samples.rows.count && count < POINTS; i++) {
        const struct tk_job_row *row = &step->samples.rows.items[i];
        values[count++] = row->count ? row->items[0] : (double)NAN;
    }
    if (count)
        tk_spark_put(&report->out, &report->look, &(struct tk_spark){values, count}, WIDTH);
}

static void put_row(struct tk_report *report, const struct tk_job_step *step)
{
    char figure[TK_FIGURE_MAX];
    enum tk_style style;
    struct tk_buf *out = &report->out;
    const struct tk_job_finding *verdict = tk_diagnosis_verdict(&step->diagnosis);
    bool own = isfinite(step->memory.peak_mb);
    double written = isfinite(step->io.write_mb) ? step->io.write_mb : step->disk_write_mb;
    double received = isfinite(step->net.rx_mb) ? step->net.rx_mb : step->net_rx_mb;
    tk_buf_lit(out, "| ");
    put_text(report, out, step->name);
    tk_buf_printf(out, " | %s | ", tk_figure_seconds(step->duration_s, figure));
    if (isfinite(step->cpu.cores_avg)) {
        tk_buf_printf(out, "%.1f ", step->cpu.cores_avg);
    } else if (isfinite(step->cpu_percent)) {
        tk_buf_printf(out, "\\~%.0f %% ", step->cpu_percent);
    }
    put_curve(report, step);
    tk_buf_printf(out, " | %s",
                  tk_figure_mb(own ? step->memory.peak_mb : step->memory_used_mb, figure));
    tk_buf_printf(out, " | %s", tk_figure_mb(written, figure));
    tk_buf_printf(out, " | %s | ", tk_figure_mb(received, figure));
    if (tk_step_is_bad(step))
        tk_buf_printf(out, "**%s** ", tk_step_outcome(step, &style, figure));
    if (verdict)
        put_text(report, out, tk_diagnosis_label(verdict));
    tk_buf_lit(out, " |\n");
}

static void put_table_head(struct tk_report *report)
{
    tk_buf_lit(&report->out, "| step | time | cores | peak memory | disk written | net received | "
                             "verdict |\n|:--|--:|:--|--:|--:|--:|:--|\n");
}

/* Steps take longer than this to be among the first ten. */
static double top_limit(const struct tk_job *job)
{
    double limit = -1;
    for (size_t i = 0; i < job->steps.count; i++) {
        double one = job->steps.items[i].duration_s;
        size_t longer = 0;
        for (size_t k = 0; k < job->steps.count; k++)
            longer += job->steps.items[k].duration_s > one;
        if (longer >= TOP_STEPS)
            limit = fmax(limit, one);
    }
    return limit;
}

/* A table of the ten longest steps, of those that took as long the first ones, or of all others.
 * Returns how many it has no room for. */
static size_t put_table(struct tk_report *report, const struct tk_job *job, bool longest)
{
    double limit = top_limit(job);
    size_t most_bytes = longest ? ROWS_MAX_BYTES / 2 : ROWS_MAX_BYTES;
    size_t places = TOP_STEPS;
    size_t left_out = 0;
    put_table_head(report);
    for (size_t i = 0; i < job->steps.count; i++) {
        bool top = places > 0 && !(job->steps.items[i].duration_s <= limit);
        places -= top;
        if (top != longest)
            continue;
        if (report->out.n < most_bytes) {
            put_row(report, &job->steps.items[i]);
        } else {
            left_out++;
        }
    }
    return left_out;
}

static void put_steps(struct tk_report *report, const struct tk_job *job)
{
    bool folded = job->steps.count > TOP_STEPS;
    size_t left_out = put_table(report, job, true);
    if (folded) {
        tk_buf_printf(&report->out, "\n<details><summary>%zu shorter steps</summary>\n\n",
                      job->steps.count - TOP_STEPS);
        left_out += put_table(report, job, false);
    }
    if (left_out)
        tk_buf_printf(&report->out, "\n%zu more are in the JSON document.\n", left_out);
    if (folded)
        tk_buf_lit(&report->out, "\n</details>\n");
}

/* A name that Mermaid takes for nothing else. */
static void put_bar_name(struct tk_report *report, tk_str name)
{
    char clean[TK_CLEAN_MAX];
    (void)tk_clean(report, name, 40, clean);
    for (const char *c = clean; *c; c++) {
        if (strchr(":;,#%<>`\\\"", *c)) {
            tk_buf_putc(&report->out, '_');
        } else {
            tk_buf_putc(&report->out, *c);
        }
    }
}

static void put_gantt(struct tk_report *report, const struct tk_job *job)
{
    char figure[TK_FIGURE_MAX];
    tk_buf_lit(&report->out,
               "\n```mermaid\ngantt\n  dateFormat X\n  axisFormat %H:%M:%S\n  section steps\n");
    for (size_t i = 0; i < job->steps.count && i < GANTT_STEPS; i++) {
        const struct tk_job_step *step = &job->steps.items[i];
        if (!isfinite(step->start_time) || !isfinite(step->duration_s))
            continue;
        tk_buf_lit(&report->out, "  ");
        put_bar_name(report, step->name);
        tk_buf_printf(&report->out, " (%s) :%s%.0f, %.0f\n",
                      tk_figure_seconds(step->duration_s, figure),
                      tk_step_is_bad(step) ? "crit, " : "", step->start_time,
                      step->start_time + fmax(step->duration_s, 1));
    }
    tk_buf_lit(&report->out, "```\n");
    if (job->steps.count > GANTT_STEPS) {
        tk_buf_printf(&report->out, "\nThe chart has the first %d of %zu steps.\n", GANTT_STEPS,
                      job->steps.count);
    }
}

static void put_reason(struct tk_report *report, const struct tk_reason *reason)
{
    char figure[TK_FIGURE_MAX];
    tk_buf_lit(&report->out, "1. ");
    if (reason->step) {
        tk_buf_lit(&report->out, "**");
        put_text(report, &report->out, reason->step->name);
        tk_buf_lit(&report->out, "**: ");
    }
    put_text(report, &report->out, reason->finding->text);
    if (reason->finding->saves_s >= 0.05) {
        tk_buf_printf(&report->out, " → save about %s",
                      tk_figure_seconds(reason->finding->saves_s, figure));
    }
    if (reason->finding->advice.n) {
        tk_buf_lit(&report->out, ": ");
        put_text(report, &report->out, reason->finding->advice);
    }
    tk_buf_putc(&report->out, '\n');
}

static void put_step_name(struct tk_report *report, tk_str name)
{
    put_text(report, &report->out, name);
}

static const struct tk_bad_steps_form bad_steps = {.title = "",
                                                   .begin = "",
                                                   .item = "- **",
                                                   .between = "**: ",
                                                   .item_end = "\n",
                                                   .more = "- and ",
                                                   .more_end = "\n",
                                                   .end = "\n",
                                                   .put_name = put_step_name};

int tk_report_put_markdown(struct tk_report *report, const struct tk_job *job, struct tk_err *err)
{
    struct tk_reason reasons[TK_REASONS_MAX];
    char figure[TK_FIGURE_MAX];
    enum tk_style style;
    (void)err;
    tk_look_release(&report->look); /* a file is not the terminal */
    tk_look_init_plain(&report->look, true, 100);
    tk_buf_lit(&report->out, "### ");
    put_text(report, &report->out, job->job);
    tk_buf_putc(&report->out, ' ');
    put_text(report, &report->out, job->version);
    tk_buf_printf(&report->out, ": %s, %s", tk_outcome_text(tk_job_outcome(job), &style),
                  tk_figure_seconds(job->job_duration_s, figure));
    if (isfinite(job->baseline.median_s)) {
        tk_buf_printf(&report->out, " (%+.1f %% on the median of %lld)",
                      job->baseline.delta_percent, (long long)job->baseline.n);
    }
    tk_buf_lit(&report->out, "\n\n");
    tk_report_put_bad_steps(report, job, &bad_steps);
    size_t count = tk_diagnosis_reasons(job, reasons);
    for (size_t i = 0; i < count; i++)
        put_reason(report, &reasons[i]);
    tk_buf_putc(&report->out, '\n');
    if (job->steps.count == 0) {
        tk_buf_lit(&report->out, "No steps recorded.\n");
        return 0;
    }
    put_steps(report, job);
    put_gantt(report, job);
    return 0;
}

/* Annotations --------------------------------------------------------------------------------- */

/* A text of a message: the runner decodes "%25". */
static void put_message(struct tk_report *report, tk_str text)
{
    char clean[TK_CLEAN_MAX];
    (void)tk_clean(report, text, 0, clean);
    for (const char *c = clean; *c; c++) {
        if (*c == '%') {
            tk_buf_lit(&report->out, "%25");
        } else {
            tk_buf_putc(&report->out, *c);
        }
    }
}

static void put_annotation(struct tk_report *report, const char *kind,
                           const struct tk_job_step *step, const struct tk_job_finding *finding)
{
    tk_buf_printf(&report->out, "::%s::", kind);
    put_message(report, step->name);
    tk_buf_lit(&report->out, ": ");
    put_message(report, finding->text);
    tk_buf_putc(&report->out, '\n');
}

/* What ran out stops builds: an error. */
static bool is_error(const struct tk_job_finding *finding)
{
    bool full = tk_str_eq(finding->rule, TK_STR("DISK_FULL"));
    return tk_level_find(finding->level) == TK_LEVEL_CRITICAL &&
           (full || tk_str_eq(finding->rule, TK_STR("OOM")));
}

int tk_report_put_annotations(struct tk_report *report, const struct tk_job *job,
                              struct tk_err *err)
{
    enum { ERRORS_MAX = 10, WARNINGS_MAX = 3 };
    size_t errors = 0;
    size_t warnings = 0;
    (void)err;
    for (size_t i = 0; i < job->steps.count; i++) {
        const struct tk_job_step *step = &job->steps.items[i];
        const struct tk_job_finding *verdict = tk_diagnosis_verdict(&step->diagnosis);
        if (!verdict || tk_level_find(verdict->level) != TK_LEVEL_CRITICAL ||
            tk_str_eq(verdict->rule, TK_STR("LONG")))
            continue;
        if (is_error(verdict) && errors++ < ERRORS_MAX) {
            put_annotation(report, "error", step, verdict);
        } else if (!is_error(verdict) && warnings++ < WARNINGS_MAX) {
            put_annotation(report, "warning", step, verdict);
        }
    }
    return 0;
}
