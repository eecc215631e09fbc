/* SPDX-License-Identifier: Apache-2.0 */
/* The last builds of a kind in order of time, and where their level changed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/number.h"
#include "cmd/report.h"
#include "step/statistics.h"

#define SHOWN_DEFAULT 5
#define SERIES_MAX    1000

/* Builds in order of time. */
struct series {
    const struct tk_job *jobs[SERIES_MAX];
    double seconds[SERIES_MAX];
    size_t count;
    double median;
    struct tk_change changes[TK_CHANGES_MAX];
    size_t change_count;
};

static double seconds_of(const struct tk_job *job, const char *step)
{
    return step ? tk_job_step_seconds(job, tk_str_from(step)) : job->job_duration_s;
}

static void series_read(struct tk_report *report, const struct tk_job *last, struct series *series)
{
    size_t count;
    struct tk_job *jobs = tk_archive_jobs(report->archive, &count);
    series->count = 0;
    for (size_t i = 0; i < count && series->count < SERIES_MAX; i++) {
        double seconds = seconds_of(&jobs[i], report->opts->step);
        if (isfinite(seconds) && tk_job_is_comparable(last, &jobs[i]))
            series->jobs[series->count++] = &jobs[i];
    }
    for (size_t i = 0; i < series->count / 2; i++) {
        const struct tk_job *job = series->jobs[i];
        series->jobs[i] = series->jobs[series->count - 1 - i];
        series->jobs[series->count - 1 - i] = job;
    }
    for (size_t i = 0; i < series->count; i++)
        series->seconds[i] = seconds_of(series->jobs[i], report->opts->step);
    series->median = tk_median(series->seconds, series->count);
    series->change_count = tk_changes_find(series->seconds, series->count, series->changes);
}

static const struct tk_change *change_at(const struct series *series, size_t i)
{
    for (size_t k = 0; k < series->change_count; k++) {
        if (series->changes[k].at == i)
            return &series->changes[k];
    }
    return NULL;
}

static void put_series_json(const struct series *series, struct tk_buf *out)
{
    char id[TK_JOB_ID_MAX];
    for (size_t i = 0; i < series->count; i++) {
        const struct tk_change *change = change_at(series, i);
        tk_buf_putc(out, '{');
        tk_json_put_key(out, "id");
        tk_json_put_str(out, tk_str_from(tk_job_id(series->jobs[i], id)));
        tk_json_put_key(out, "version");
        tk_json_put_str(out, series->jobs[i]->version);
        tk_json_put_key(out, "job_start");
        tk_buf_put_f64(out, series->jobs[i]->job_start, 3);
        tk_json_put_key(out, "seconds");
        tk_buf_put_f64(out, series->seconds[i], TK_SHORTEST);
        tk_json_put_key(out, "vs_median_percent");
        tk_buf_put_f64(out, 100 * (series->seconds[i] / series->median - 1), 2);
        if (change) {
            tk_json_put_key(out, "change_percent");
            tk_buf_put_f64(out, change->percent, 2);
            tk_json_put_key(out, "change_p");
            tk_buf_put_f64(out, change->p, TK_SHORTEST);
        }
        tk_buf_lit(out, "}\n");
    }
}

static void add_row(const struct tk_report *report, struct tk_grid *grid,
                    const struct series *series, size_t i)
{
    char text[TK_CLEAN_MAX];
    char figure[TK_FIGURE_MAX];
    enum tk_style style;
    const struct tk_job *job = series->jobs[i];
    size_t column = 0;
    tk_grid_add(grid);
    tk_grid_set(grid, column++, tk_figure_time(job->job_start, figure));
    tk_grid_set(grid, column++, tk_clean(report, job->version, 20, text));
    tk_grid_set(grid, column++,
                job->run_number.n ? tk_clean(report, job->run_number, 12, text) : "-");
    tk_str branch = tk_job_branch(job);
    tk_grid_set(grid, column++, branch.n ? tk_clean(report, branch, 20, text) : "-");
    tk_grid_set(grid, column, tk_outcome_text(tk_job_outcome(job), &style));
    tk_grid_set_style(grid, column++, style);
    tk_grid_set(grid, column++, tk_figure_seconds(series->seconds[i], figure));
    (void)snprintf(text, sizeof(text), "%s %%",
                   tk_figure_percent(100 * (series->seconds[i] / series->median - 1), figure));
    tk_grid_set(grid, column++, text);
    const struct tk_change *change = change_at(series, i);
    if (!change)
        return;
    (void)snprintf(text, sizeof(text), "%s changed: %s %%, p %s.01", report->look.utf8 ? "◀" : "<-",
                   tk_figure_percent(change->percent, figure), change->p < 0.01 ? "< " : "");
    tk_grid_set(grid, column, text);
    tk_grid_set_style(grid, column, change->percent > 0 ? TK_STYLE_BAD : TK_STYLE_GOOD);
}

static void put_title(struct tk_report *report, const struct tk_job *last,
                      const struct series *series)
{
    enum { SPARK = 40 };
    char text[TK_CLEAN_MAX];
    char figure[TK_FIGURE_MAX];
    struct tk_buf *out = &report->out;
    tk_style_printf(out, &report->look, TK_STYLE_TITLE, "history %s",
                    tk_clean(report, tk_job_kind(last->job), 30, text));
    if (report->opts->step)
        tk_buf_printf(out, " %s", tk_clean(report, tk_str_from(report->opts->step), 40, text));
    double least = series->seconds[0];
    for (size_t i = 1; i < series->count; i++)
        least = fmin(least, series->seconds[i]);
    tk_buf_lit(out, "  ");
    int width = series->count < SPARK ? (int)series->count : SPARK;
    /* From a little below the least, so that a level stands out from what is missing. */
    tk_spark_put(out, &report->look,
                 &(struct tk_spark){series->seconds, series->count, .base = 0.8 * least}, width);
    tk_buf_printf(out, "  median %s (n=%zu)\n\n", tk_figure_seconds(series->median, figure),
                  series->count);
}

static int put_rows(struct tk_report *report, const struct series *series, size_t shown,
                    struct tk_err *err)
{
    static const struct tk_grid_column columns[] = {
        {"time"},
        {"version", .cut = true},
        {"run"},
        {"branch", .cut = true},
        {"status"},
        {"total", .right = true},
        {"vs median", .right = true},
        {""},
    };
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    int rc = tk_grid_new(&report->look,
                         &(struct tk_grid_options){columns, TK_COUNTOF(columns), .indent = 1},
                         &grid, err);
    size_t first = series->count > shown ? series->count - shown : 0;
    size_t left_out = 0;
    for (size_t i = 0; rc == 0 && i < series->count; i++) {
        if (i >= first || change_at(series, i)) {
            add_row(report, grid, series, i);
        } else {
            left_out++;
        }
    }
    rc = rc < 0 ? rc : tk_grid_write(grid, &report->out, err);
    if (left_out) {
        tk_buf_printf(&report->out, " (%zu earlier: tracekit report history %zu)\n", left_out,
                      series->count);
    }
    return rc;
}

int tk_report_history(struct tk_report *report, struct tk_err *err)
{
    const char *kind = NULL;
    int64_t shown = SHOWN_DEFAULT;
    for (size_t i = 0; i < 2 && report->args[i]; i++) {
        if (!tk_parse_i64(tk_str_from(report->args[i]), &shown))
            kind = report->args[i];
    }
    if (shown < 1)
        return tk_fail(err, -EINVAL, "history %lld: at least 1", (long long)shown);
    struct tk_group last;
    int rc = tk_archive_find(report->archive, "latest", kind, &last, err);
    if (rc < 0)
        return rc;
    struct series *series = tk_arena_alloc(tk_archive_arena(report->archive), sizeof(*series));
    if (!series)
        return tk_fail(err, -EMSGSIZE, "history: more builds than fit into memory");
    series_read(report, last.jobs[0], series);
    if (series->count == 0) {
        return tk_fail(err, -ENOENT, "no successful build of that kind%s%s",
                       report->opts->step ? " has a step " : "",
                       report->opts->step ? report->opts->step : "");
    }
    if (report->opts->json) {
        put_series_json(series, &report->out);
        return 0;
    }
    put_title(report, last.jobs[0], series);
    return put_rows(report, series, (size_t)shown, err);
}
