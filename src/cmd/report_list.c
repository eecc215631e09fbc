/* SPDX-License-Identifier: Apache-2.0 */
/* All builds, a row each; and one build with everything that is known of it. */
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "cmd/report.h"

/* Below this width the time has no year, and runs and steps have no number. */
#define WIDE 100

static void add_row(const struct tk_report *report, struct tk_grid *grid, const struct tk_job *job)
{
    enum { YEAR = 5 };
    bool wide = report->look.width >= WIDE;
    char text[TK_CLEAN_MAX];
    char figure[TK_FIGURE_MAX];
    char id[TK_JOB_ID_MAX];
    enum tk_style style;
    size_t column = 0;
    tk_grid_add(grid);
    const char *time = tk_figure_time(job->job_start, figure);
    tk_grid_set(grid, column++, wide || strlen(time) < YEAR ? time : time + YEAR);
    tk_grid_set(grid, column++, tk_clean(report, tk_job_kind(job->job), 24, text));
    tk_grid_set(grid, column++, tk_clean(report, job->version, 24, text));
    bool numbered = job->run_number.n && !tk_str_eq(job->run_number, TK_STR("0"));
    if (wide)
        tk_grid_set(grid, column++, numbered ? tk_clean(report, job->run_number, 12, text) : "-");
    tk_str branch = tk_job_branch(job);
    tk_grid_set(grid, column++, branch.n ? tk_clean(report, branch, 24, text) : "-");
    tk_grid_set(grid, column, tk_outcome_text(tk_job_outcome(job), &style));
    tk_grid_set_style(grid, column++, style);
    tk_grid_set(grid, column++, tk_figure_seconds(job->job_duration_s, figure));
    (void)snprintf(figure, sizeof(figure), "%zu", job->steps.count);
    if (wide)
        tk_grid_set(grid, column++, figure);
    tk_grid_set(grid, column, tk_clean(report, tk_str_from(tk_job_id(job, id)), 0, text));
}

static int list_rows(struct tk_report *report, const struct tk_job *jobs, size_t count,
                     struct tk_err *err)
{
    static const struct tk_grid_column wide[] = {
        {"time"},
        {"type"},
        {"version", .cut = true},
        {"run"},
        {"branch", .cut = true},
        {"status"},
        {"total", .right = true},
        {"steps", .right = true},
        {"id", .style = TK_STYLE_DIM},
    };
    static const struct tk_grid_column narrow[] = {
        {"time"},
        {"type"},
        {"version", .cut = true},
        {"branch", .cut = true},
        {"status"},
        {"total", .right = true},
        {"id", .style = TK_STYLE_DIM},
    };
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    const struct tk_grid_options many = {wide, TK_COUNTOF(wide), .indent = 1};
    const struct tk_grid_options few = {narrow, TK_COUNTOF(narrow), .indent = 1};
    int rc = tk_grid_new(&report->look, report->look.width >= WIDE ? &many : &few, &grid, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        add_row(report, grid, &jobs[i]);
    return rc < 0 ? rc : tk_grid_write(grid, &report->out, err);
}

int tk_report_list(struct tk_report *report, struct tk_err *err)
{
    size_t count;
    const struct tk_job *jobs = tk_archive_jobs(report->archive, &count);
    for (size_t i = 0; report->opts->json && i < count; i++)
        tk_job_format(&jobs[i], TK_SHORTEST, &report->out);
    if (report->opts->json)
        return 0;
    if (count == 0)
        tk_buf_printf(&report->out, "no builds in %s\n", tk_archive_place(report->archive));
    return list_rows(report, jobs, count, err);
}

/* One build ----------------------------------------------------------------------------- */

/* All numbers and texts of an object, a line each, under the path of its members. */
static void put_fields(struct tk_report *report, const struct tk_job_shape *shape,
                       const void *object, const char *prefix);

static void put_line(struct tk_report *report, const char *prefix, const struct tk_job_field *field,
                     const char *value)
{
    int width = 28 - (int)strlen(prefix);
    tk_buf_printf(&report->out, "   %s%-*s %s%s%s\n", prefix, width > 0 ? width : 0, field->name,
                  value, field->unit ? " " : "", field->unit ? field->unit : "");
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables */
static void put_field(struct tk_report *report, const struct tk_job_field *field, const void *at,
                      const char *prefix)
{
    char text[TK_CLEAN_MAX];
    char path[160];
    switch (field->type) {
    case TK_JOB_F64:
        if (!isfinite(*(const double *)at))
            return;
        text[tk_f64_format(round(*(const double *)at * 1000) / 1000, TK_SHORTEST, text)] = '\0';
        put_line(report, prefix, field, text);
        break;
    case TK_JOB_INT:
    case TK_JOB_TRUTH:
        if (*(const int64_t *)at == TK_JOB_NONE)
            return;
        (void)snprintf(text, sizeof(text), "%lld", (long long)*(const int64_t *)at);
        put_line(report, prefix, field, text);
        break;
    case TK_JOB_TEXT:
        if (((const tk_str *)at)->p)
            put_line(report, prefix, field, tk_clean(report, *(const tk_str *)at, 100, text));
        break;
    case TK_JOB_OBJECT:
        (void)snprintf(path, sizeof(path), "%.100s%.50s.", prefix, field->name);
        put_fields(report, field->of, at, path);
        break;
    case TK_JOB_TEXTS:
    case TK_JOB_MEASURES:
    case TK_JOB_ATTRS:
    case TK_JOB_ROWS:
    case TK_JOB_OBJECTS:
        break; /* lists: in --json */
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables */
static void put_fields(struct tk_report *report, const struct tk_job_shape *shape,
                       const void *object, const char *prefix)
{
    for (size_t i = 0; i < shape->count; i++) {
        const struct tk_job_field *field = &shape->fields[i];
        put_field(report, field, (const char *)object + field->offset, prefix);
    }
}

/* The original's seven maxima. */
static const struct {
    const char *title;
    const char *path;
    const char *unit;
} maxima[] = {
    {"slowest step", "duration_s", "s"},        {"most net", "net_rx_mb", "MB"},
    {"most disk write", "disk_write_mb", "MB"}, {"highest util", "disk_util_percent", "%"},
    {"highest await", "await_ms", "ms"},        {"highest queue", "queue_depth", "requests"},
    {"highest memory", "memory_used_mb", "MB"},
};

static void put_maximum(struct tk_report *report, const struct tk_job *job, size_t i)
{
    char text[TK_CLEAN_MAX];
    char figure[TK_FIGURE_MAX];
    const struct tk_job_step *most = NULL;
    double value = (double)NAN;
    for (size_t k = 0; k < job->steps.count; k++) {
        const struct tk_job_step *step = &job->steps.items[k];
        double one = tk_job_number(&tk_job_step_shape, step, tk_str_from(maxima[i].path));
        if (isfinite(one) && !(one <= value)) {
            value = one;
            most = step;
        }
    }
    if (most) {
        tk_buf_printf(&report->out, "   %-28s %s %s  %s\n", maxima[i].title,
                      tk_figure_number(value, figure), maxima[i].unit,
                      tk_clean(report, most->name, 60, text));
    }
}

int tk_report_show(struct tk_report *report, struct tk_err *err)
{
    struct tk_job *job = NULL;
    char text[TK_CLEAN_MAX];
    int rc = tk_report_begin(report, report->args[0], NULL, &job, err);
    if (rc < 0 || !job)
        return rc;
    tk_buf_putc(&report->out, '\n');
    put_fields(report, &tk_job_shape, job, "");
    tk_style_printf(&report->out, &report->look, TK_STYLE_TITLE, "\n maxima\n");
    for (size_t i = 0; i < TK_COUNTOF(maxima); i++)
        put_maximum(report, job, i);
    for (size_t i = 0; i < job->steps.count; i++) {
        const struct tk_job_step *step = &job->steps.items[i];
        tk_style_printf(&report->out, &report->look, TK_STYLE_TITLE, "\n %s\n",
                        tk_clean(report, step->name, 70, text));
        put_fields(report, &tk_job_step_shape, step, "");
        for (size_t k = 0; k < step->via.count; k++)
            put_fields(report, &tk_job_via_shape, &step->via.items[k], "via.");
    }
    return 0;
}

/* Findings ------------------------------------------------------------------------------- */

static void put_finding(struct tk_report *report, const struct tk_job_finding *finding)
{
    enum { INDENT = 6 };
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    char buf[TK_CLEAN_MAX];
    char figure[TK_FIGURE_MAX];
    enum tk_level level = tk_level_find(finding->level);
    enum tk_style style = level == TK_LEVEL_CRITICAL ? TK_STYLE_BAD
                          : level == TK_LEVEL_WARN   ? TK_STYLE_WARN
                                                     : TK_STYLE_DIM;
    tk_buf_lit(&report->out, "   ");
    tk_style_printf(&report->out, &report->look, style, "%s %s",
                    tk_clean(report, finding->level, 10, buf), "");
    tk_buf_printf(&report->out, "%s\n", tk_clean(report, finding->rule, 40, buf));
    tk_buf_init(&text, 65536);
    tk_buf_puts(&text, tk_clean(report, finding->text, TK_CLEAN_MAX / 4, buf));
    if (finding->saves_s >= 0.05)
        tk_buf_printf(&text, "; would save about %s", tk_figure_seconds(finding->saves_s, figure));
    if (finding->advice.n)
        tk_buf_printf(&text, ": %s", tk_clean(report, finding->advice, TK_CLEAN_MAX / 4, buf));
    tk_buf_printf(&report->out, "%*s", INDENT, "");
    tk_text_put_wrapped(&report->out, &report->look, tk_buf_str(&text), INDENT, INDENT);
    tk_buf_printf(&report->out, "%*s", INDENT, "");
    tk_buf_reset(&text);
    for (size_t i = 0; i < finding->evidence.count; i++) {
        tk_buf_printf(&text, "%s%.*s=%s", i ? " " : "", TK_STR_ARG(finding->evidence.items[i].name),
                      tk_figure_number(finding->evidence.items[i].value, figure));
    }
    tk_text_put_wrapped(&report->out, &report->look, tk_buf_str(&text), INDENT, INDENT);
}

static void put_findings(struct tk_report *report, tk_str title,
                         const struct tk_job_findings *findings)
{
    char text[TK_CLEAN_MAX];
    if (findings->count == 0)
        return;
    tk_style_printf(&report->out, &report->look, TK_STYLE_TITLE, "\n %s\n",
                    tk_clean(report, title, 70, text));
    for (size_t i = 0; i < findings->count; i++)
        put_finding(report, &findings->items[i]);
}

/* What is last known of a step that never ended. */
static void put_last_state(struct tk_report *report, const struct tk_job_step *step)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    char name[TK_CLEAN_MAX];
    char sentence[TK_SENTENCE_MAX];
    const struct tk_job_samples *samples = &step->samples;
    tk_buf_init(&text, 65536);
    if (!tk_str_eq(step->status, TK_STR(TK_JOB_INCOMPLETE)))
        return;
    tk_buf_printf(&text, "%s: %s", tk_clean(report, step->name, 60, name),
                  tk_step_outcome_sentence(step, sentence));
    const struct tk_job_row *last =
        samples->rows.count ? &samples->rows.items[samples->rows.count - 1] : NULL;
    tk_buf_puts(&text, last ? "; at last:" : "");
    for (size_t i = 0; last && i < last->count && i < samples->cols.count; i++) {
        tk_buf_printf(&text, " %.*s=%.3g", TK_STR_ARG(samples->cols.items[i]), last->items[i]);
    }
    tk_buf_lit(&report->out, "\n ");
    tk_text_put_wrapped(&report->out, &report->look, tk_buf_str(&text), 1, 6);
}

int tk_report_diagnose(struct tk_report *report, struct tk_err *err)
{
    struct tk_job *job = NULL;
    int rc = tk_report_begin(report, report->args[0], NULL, &job, err);
    if (rc < 0 || !job)
        return rc;
    size_t findings = job->diagnosis.count;
    put_findings(report, TK_STR("the job"), &job->diagnosis);
    for (size_t i = 0; i < job->steps.count; i++) {
        put_findings(report, job->steps.items[i].name, &job->steps.items[i].diagnosis);
        put_last_state(report, &job->steps.items[i]);
        findings += job->steps.items[i].diagnosis.count;
    }
    if (findings == 0)
        tk_buf_lit(&report->out, "\nnothing held it up\n");
    tk_report_put_reasons(report, job);
    return 0;
}
