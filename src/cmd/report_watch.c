/* SPDX-License-Identifier: Apache-2.0 */
/* The build that runs: its steps so far, and when it will be done by what earlier builds took. A
 * frame is read from disk and drawn anew each second; nothing is left running. */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "cmd/report.h"
#include "cmd/step_session.h"
#include "step/statistics.h"

#define REFRESH_MS 1000
struct watch {
    struct tk_report *report;
    struct tk_step_env env;
    const struct tk_job *past; /* earlier builds, once they are looked up */
    size_t past_count;
    bool looked_up;
};

/* What earlier builds say of this one. */
struct forecast {
    size_t steps, done; /* of the last comparable build; of them that ended */
    double left_s;      /* NaN = nobody knows */
};

/* Median of a step in earlier builds; NaN when none had it. */
static double usual_seconds(const struct tk_job *job, const struct tk_job *past, size_t past_count,
                            tk_str step)
{
    double seconds[TK_BASELINE_MAX];
    size_t count = 0;
    for (size_t i = 0; i < past_count && count < TK_BASELINE_MAX; i++) {
        double one = tk_job_step_seconds(&past[i], step);
        if (isfinite(one) && tk_job_is_comparable(job, &past[i]))
            seconds[count++] = one;
    }
    return tk_median(seconds, count);
}

/* The last step of that name; NULL = it has not begun. */
static const struct tk_job_step *find_step(const struct tk_job *job, tk_str name)
{
    for (size_t i = job->steps.count; i-- > 0;) {
        if (tk_str_eq(job->steps.items[i].name, name))
            return &job->steps.items[i];
    }
    return NULL;
}

static bool is_running(const struct tk_job_step *step)
{
    return tk_str_eq(step->status, TK_STR(TK_REPORT_RUNNING));
}

static const struct tk_job *last_comparable(const struct tk_job *job, const struct tk_job *past,
                                            size_t past_count)
{
    for (size_t i = 0; i < past_count; i++) {
        if (tk_job_is_comparable(job, &past[i]))
            return &past[i];
    }
    return NULL;
}

/* The usual times of all steps of the last build, less what is done. */
static struct forecast forecast(const struct tk_job *job, const struct tk_job *past,
                                size_t past_count)
{
    struct forecast ret = {.left_s = (double)NAN};
    const struct tk_job *last = last_comparable(job, past, past_count);
    for (size_t i = 0; last && i < last->steps.count; i++) {
        tk_str name = last->steps.items[i].name;
        const struct tk_job_step *step = find_step(job, name);
        double usual_s = usual_seconds(job, past, past_count, name);
        bool again = find_step(last, name) != &last->steps.items[i];
        if (last->steps.items[i].parent.n > 0 || again || isnan(usual_s))
            continue;
        double left_s = step ? usual_s - step->duration_s : usual_s;
        bool ended = step && !is_running(step);
        ret.steps++;
        ret.done += ended;
        ret.left_s = (isnan(ret.left_s) ? 0 : ret.left_s) + (ended ? 0 : fmax(0, left_s));
    }
    return ret;
}

static void put_bar(struct tk_report *report, double share)
{
    enum { WIDTH = 20 };
    int full = (int)(share * WIDTH + 0.5);
    for (int i = 0; i < WIDTH; i++) {
        const char *mark = report->look.utf8 ? (i < full ? "█" : "░") : (i < full ? "#" : ".");
        tk_style_printf(&report->out, &report->look, TK_STYLE_CHART, "%s", mark);
    }
}

static void put_forecast(struct tk_report *report, const struct tk_job *job,
                         const struct forecast *forecast)
{
    char figure[TK_FIGURE_MAX];
    char end[TK_FIGURE_MAX];
    tk_buf_putc(&report->out, '\n');
    if (isnan(forecast->left_s)) {
        tk_style_printf(&report->out, &report->look, TK_STYLE_DIM,
                        "no earlier build of this kind says how long it will take\n");
        return;
    }
    double whole_s = job->job_duration_s + forecast->left_s;
    put_bar(report, whole_s > 0 ? job->job_duration_s / whole_s : 0);
    (void)tk_figure_time(job->job_start + whole_s, end);
    const char *clock = strchr(end, ' ');
    tk_buf_printf(&report->out, "  %zu of %zu steps, about %s left, done at%s UTC\n",
                  forecast->done, forecast->steps, tk_figure_seconds(forecast->left_s, figure),
                  clock ? clock : " -");
}

/* Steps that nobody has ended and whose owner is there. */
static void mark_running(const struct tk_session *session, struct tk_job *job)
{
    const struct tk_step_spans *spans = tk_session_spans(session);
    job->status = TK_STR(TK_REPORT_RUNNING);
    for (size_t i = 0; i < job->steps.count && i < spans->count; i++) {
        if (!spans->items[i].end && !spans->items[i].gone)
            job->steps.items[i].status = TK_STR(TK_REPORT_RUNNING);
    }
}

static int put_frame(struct watch *watch, struct tk_session *session, struct tk_err *err)
{
    struct tk_job job;
    struct tk_report *report = watch->report;
    int rc = tk_session_build(session, &job, err);
    if (rc < 0)
        return rc;
    if (!watch->looked_up)
        watch->past = tk_archive_past(report->archive, &job, &watch->past_count);
    watch->looked_up = true;
    const struct tk_diagnosis_options options = {watch->past, watch->past_count, report->rules};
    mark_running(session, &job);
    rc = tk_diagnosis_add(&options, &job, tk_session_arena(session), err);
    if (rc < 0)
        return rc;
    if (report->opts->json) {
        tk_job_format(&job, TK_SHORTEST, &report->out);
        return 0;
    }
    struct forecast left = forecast(&job, watch->past, watch->past_count);
    tk_report_put_header(report, &job);
    tk_buf_putc(&report->out, '\n');
    if (job.steps.count == 0)
        tk_buf_lit(&report->out, "no step has begun yet\n");
    rc = tk_report_put_steps(report, &job, err);
    put_forecast(report, &job, &left);
    return rc;
}

/* Read what is on disk now and draw it. -ENOENT without a job, -EALREADY when it is over. */
static int take_frame(struct watch *watch, struct tk_err *err)
{
    TK_CLEANUP(tk_session_freep) struct tk_session *session = NULL;
    int rc = tk_session_open(&watch->env.state, &session, err);
    rc = rc < 0 ? rc : tk_session_find(session, err);
    return rc < 0 ? rc : put_frame(watch, session, err);
}

int tk_report_watch(struct tk_report *report, struct tk_err *err)
{
    struct watch watch = {.report = report};
    tk_step_env_read(&watch.env);
    bool live = isatty(STDOUT_FILENO) && !report->opts->json;
    int rc = take_frame(&watch, err);
    while (rc == 0 && live) {
        TK_CLEANUP(tk_buf_release) struct tk_buf screen;
        tk_buf_init(&screen, TK_JOB_TEXT_MAX);
        tk_buf_lit(&screen, "\033[H\033[J");
        tk_buf_put(&screen, tk_buf_str(&report->out));
        rc = tk_fd_write(STDOUT_FILENO, tk_buf_str(&screen), "stdout", err);
        tk_buf_reset(&report->out);
        (void)poll(NULL, 0, REFRESH_MS);
        rc = rc < 0 ? rc : take_frame(&watch, err);
        if (rc == -EALREADY) {
            tk_buf_lit(&report->out, "\nit is finalised: tracekit report tells of it\n");
            return 0;
        }
    }
    return rc;
}
