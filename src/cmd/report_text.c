/* SPDX-License-Identifier: Apache-2.0 */
/* Figures and texts of build reports. */
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "cmd/report.h"

const char *tk_figure_seconds(double seconds, char buf[TK_FIGURE_MAX])
{
    if (!isfinite(seconds)) {
        (void)snprintf(buf, TK_FIGURE_MAX, "-");
    } else if (seconds >= 0.0005 && seconds < 0.0995) {
        (void)snprintf(buf, TK_FIGURE_MAX, "%.0fms", 1000 * seconds);
    } else if (seconds < 59.95) {
        (void)snprintf(buf, TK_FIGURE_MAX, "%.1fs", seconds);
    } else if (seconds < 3599.5) {
        long whole = lround(seconds);
        (void)snprintf(buf, TK_FIGURE_MAX, "%ldm%02lds", whole / 60, whole % 60);
    } else {
        long minutes = lround(seconds / 60);
        (void)snprintf(buf, TK_FIGURE_MAX, "%ldh%02ldm", minutes / 60, minutes % 60);
    }
    return buf;
}

const char *tk_figure_delta(double seconds, char buf[TK_FIGURE_MAX])
{
    char text[TK_FIGURE_MAX];
    if (!isfinite(seconds))
        return tk_figure_seconds(seconds, buf);
    (void)snprintf(buf, TK_FIGURE_MAX, "%c%s", seconds < 0 ? '-' : '+',
                   tk_figure_seconds(fabs(seconds), text));
    return buf;
}

const char *tk_figure_mb(double mb, char buf[TK_FIGURE_MAX])
{
    if (!isfinite(mb)) {
        (void)snprintf(buf, TK_FIGURE_MAX, "-");
    } else if (mb < 99.95) {
        (void)snprintf(buf, TK_FIGURE_MAX, "%.*f MB", mb < 9.95 && mb != 0 ? 1 : 0, mb);
    } else if (mb < 1023.5) {
        (void)snprintf(buf, TK_FIGURE_MAX, "%.0f MB", mb);
    } else {
        (void)snprintf(buf, TK_FIGURE_MAX, "%.*f GB", mb < 99.95 * 1024 ? 1 : 0, mb / 1024);
    }
    return buf;
}

const char *tk_figure_number(double number, char buf[TK_FIGURE_MAX])
{
    (void)snprintf(buf, TK_FIGURE_MAX, fabs(number) >= 1000 ? "%.0f" : "%.4g", number);
    return buf;
}

const char *tk_figure_percent(double percent, char buf[TK_FIGURE_MAX])
{
    if (!isfinite(percent)) {
        (void)snprintf(buf, TK_FIGURE_MAX, "-");
    } else {
        (void)snprintf(buf, TK_FIGURE_MAX, "%+.1f", percent);
    }
    return buf;
}

const char *tk_figure_time(double epoch_s, char buf[TK_FIGURE_MAX])
{
    if (!(epoch_s >= 0 && epoch_s < 253402300800.0)) {
        (void)snprintf(buf, TK_FIGURE_MAX, "-");
        return buf;
    }
    struct tk_civil civil = tk_civil_from_s((int64_t)epoch_s);
    (void)snprintf(buf, TK_FIGURE_MAX, "%04d-%02d-%02d %02d:%02d", civil.year, civil.month,
                   civil.day, civil.hour, civil.minute);
    return buf;
}

const char *tk_clean(const struct tk_report *report, tk_str text, int width, char buf[TK_CLEAN_MAX])
{
    TK_CLEANUP(tk_buf_release) struct tk_buf clean;
    TK_CLEANUP(tk_buf_release) struct tk_buf cut;
    tk_buf_init(&clean, 65536);
    tk_buf_init(&cut, 65536);
    tk_text_put_clean(&clean, &report->look, text);
    tk_text_put_cut(&cut, &report->look, tk_buf_str(&clean), width > 0 ? width : TK_CLEAN_MAX / 4);
    (void)snprintf(buf, TK_CLEAN_MAX, "%.*s", TK_STR_ARG(tk_buf_str(&cut)));
    return buf;
}

const char *tk_about_sign(const struct tk_job_step *step)
{
    return tk_job_has_text(&step->quality, TK_JOB_QUALITY_V1) ? "~" : "";
}

int tk_step_depth(const struct tk_job *job, const struct tk_job_step *step)
{
    enum { DEEPEST = 8 };
    int depth = 0;
    while (step && step->parent.p && depth < DEEPEST) {
        const struct tk_job_step *parent = NULL;
        for (size_t i = 0; i < job->steps.count && !parent; i++) {
            if (tk_str_eq(job->steps.items[i].id, step->parent))
                parent = &job->steps.items[i];
        }
        depth += parent != NULL;
        step = parent;
    }
    return depth;
}

static void put_machine(struct tk_report *report, const struct tk_job *job)
{
    char buf[TK_CLEAN_MAX];
    char figure[TK_FIGURE_MAX];
    const struct tk_job_system *system = &job->system;
    if (job->runner.n)
        tk_buf_printf(&report->out, "  %s", tk_clean(report, job->runner, 32, buf));
    if (!isfinite(system->cpus))
        return;
    tk_buf_printf(&report->out, " (%g cores",
                  isfinite(system->cpus_effective) ? system->cpus_effective : system->cpus);
    if (isfinite(system->memory_total_mb))
        tk_buf_printf(&report->out, ", %s", tk_figure_mb(system->memory_total_mb, figure));
    if (system->virt.n && !tk_str_eq(system->virt, TK_STR("none")))
        tk_buf_printf(&report->out, ", %s", tk_clean(report, system->virt, 16, buf));
    tk_buf_putc(&report->out, ')');
}

void tk_report_put_header(struct tk_report *report, const struct tk_job *job)
{
    char buf[TK_CLEAN_MAX];
    char figure[TK_FIGURE_MAX];
    struct tk_buf *out = &report->out;
    enum tk_style style;
    tk_style_printf(out, &report->look, TK_STYLE_TITLE, "%s", tk_clean(report, job->job, 32, buf));
    tk_buf_printf(out, " %s", tk_clean(report, job->version, 32, buf));
    if (job->run_number.n && !tk_str_eq(job->run_number, TK_STR("0")))
        tk_buf_printf(out, "  run %s", tk_clean(report, job->run_number, 20, buf));
    tk_str branch = tk_job_branch(job);
    if (branch.n)
        tk_buf_printf(out, "  %s", tk_clean(report, branch, 32, buf));
    if (branch.n && job->git_sha.n >= 6)
        tk_buf_printf(out, "@%s", tk_clean(report, (tk_str){job->git_sha.p, 6}, 6, buf));
    put_machine(report, job);
    const char *outcome = tk_outcome_text(tk_job_outcome(job), &style);
    tk_buf_lit(out, "\n");
    tk_style_printf(out, &report->look, style, "%s", outcome);
    tk_buf_printf(out, "  %s", tk_figure_seconds(job->job_duration_s, figure));
    if (job->baseline.n > 0 && isfinite(job->baseline.median_s)) {
        tk_buf_printf(out, "  (median %s, ", tk_figure_seconds(job->baseline.median_s, figure));
        tk_buf_printf(out, "%s %%, n=%lld", tk_figure_percent(job->baseline.delta_percent, figure),
                      (long long)job->baseline.n);
        tk_buf_printf(out, ": %s)", tk_clean(report, job->baseline.verdict, 32, buf));
    }
    tk_buf_printf(out, "  %s UTC\n", tk_figure_time(job->job_start, figure));
}

static void put_reason(struct tk_report *report, size_t number, const struct tk_reason *reason)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    char buf[TK_CLEAN_MAX];
    char figure[TK_FIGURE_MAX];
    enum { INDENT = 5 };
    tk_buf_init(&text, 65536);
    if (reason->step)
        tk_buf_printf(&text, "%s: ", tk_clean(report, reason->step->name, 40, buf));
    tk_buf_puts(&text, tk_clean(report, reason->finding->text, TK_CLEAN_MAX / 4, buf));
    if (reason->finding->saves_s >= 0.05) {
        tk_buf_printf(&text, " %s save about %s", report->look.utf8 ? "→" : "->",
                      tk_figure_seconds(reason->finding->saves_s, figure));
    }
    if (reason->finding->advice.n) {
        tk_buf_printf(&text, ": %s",
                      tk_clean(report, reason->finding->advice, TK_CLEAN_MAX / 4, buf));
    }
    tk_buf_printf(&report->out, "  %zu. ", number);
    tk_text_put_wrapped(&report->out, &report->look, tk_buf_str(&text), INDENT, INDENT);
}

void tk_report_put_reasons(struct tk_report *report, const struct tk_job *job)
{
    struct tk_reason reasons[TK_REASONS_MAX];
    char figure[TK_FIGURE_MAX];
    size_t count = tk_diagnosis_reasons(job, reasons);
    if (count == 0)
        return;
    tk_style_printf(&report->out, &report->look, TK_STYLE_TITLE, "\nwhy %s?",
                    tk_figure_seconds(job->job_duration_s, figure));
    tk_buf_putc(&report->out, '\n');
    for (size_t i = 0; i < count; i++)
        put_reason(report, i + 1, &reasons[i]);
}
