/* SPDX-License-Identifier: Apache-2.0 */
/* What became of a build and its steps. */
#include <stdio.h>
#include <string.h>

#include "cmd/report.h"

const char *tk_outcome_text(tk_str status, enum tk_style *ret_style)
{
    static const struct {
        const char *status;
        const char *text;
        enum tk_style style;
    } outcomes[] = {
        {TK_JOB_SUCCESS, "ok", TK_STYLE_GOOD},
        {TK_JOB_FAILED, "failed", TK_STYLE_BAD},
        {TK_JOB_INCOMPLETE, "incomplete", TK_STYLE_WARN},
        {TK_REPORT_RUNNING, "running", TK_STYLE_CHART},
    };
    for (size_t i = 0; i < TK_COUNTOF(outcomes); i++) {
        if (!tk_str_eq(status, tk_str_from(outcomes[i].status)))
            continue;
        *ret_style = outcomes[i].style;
        return outcomes[i].text;
    }
    *ret_style = TK_STYLE_WARN;
    return "unknown";
}

bool tk_step_is_bad(const struct tk_job_step *step)
{
    return step->status.p && !tk_str_eq(step->status, TK_STR(TK_JOB_SUCCESS)) &&
           !tk_str_eq(step->status, TK_STR(TK_REPORT_RUNNING));
}

const char *tk_step_outcome(const struct tk_job_step *step, enum tk_style *ret_style,
                            char buf[TK_FIGURE_MAX])
{
    const char *outcome = tk_outcome_text(step->status, ret_style);
    if (step->timed_out == 1) {
        (void)snprintf(buf, TK_FIGURE_MAX, "timed out");
    } else if (step->signal > 0 && tk_step_is_bad(step)) {
        *ret_style = TK_STYLE_BAD;
        (void)snprintf(buf, TK_FIGURE_MAX, "killed (%lld)", (long long)step->signal);
    } else if (step->exit_code > 0) {
        (void)snprintf(buf, TK_FIGURE_MAX, "%s (%lld)", outcome, (long long)step->exit_code);
    } else {
        (void)snprintf(buf, TK_FIGURE_MAX, "%s", outcome);
    }
    return buf;
}

static void put_signal(int64_t signal, char buf[TK_SENTENCE_MAX])
{
    const char *name = signal <= INT32_MAX ? sigabbrev_np((int)signal) : NULL;
    if (name) {
        (void)snprintf(buf, TK_SENTENCE_MAX, "killed by SIG%s", name);
    } else {
        (void)snprintf(buf, TK_SENTENCE_MAX, "killed by signal %lld", (long long)signal);
    }
}

const char *tk_step_outcome_sentence(const struct tk_job_step *step, char buf[TK_SENTENCE_MAX])
{
    long long code = (long long)step->exit_code;
    if (step->timed_out == 1) {
        (void)snprintf(buf, TK_SENTENCE_MAX, "took longer than it may, and was ended");
    } else if (step->signal > 0) {
        put_signal(step->signal, buf);
    } else if (tk_str_eq(step->status, TK_STR(TK_JOB_FAILED))) {
        (void)snprintf(buf, TK_SENTENCE_MAX, code > 0 ? "failed with exit status %lld" : "failed",
                       code);
    } else if (code >= 0) {
        (void)snprintf(buf, TK_SENTENCE_MAX,
                       "its shell ended with exit status %lld before the step did", code);
    } else {
        (void)snprintf(buf, TK_SENTENCE_MAX, "never ended; what had begun it was gone");
    }
    return buf;
}

#define BAD_STEPS_MAX 10

void tk_report_put_bad_steps(struct tk_report *report, const struct tk_job *job,
                             const struct tk_bad_steps_form *form)
{
    char sentence[TK_SENTENCE_MAX];
    struct tk_buf *out = &report->out;
    size_t count = 0;
    for (size_t i = 0; i < job->steps.count; i++) {
        const struct tk_job_step *step = &job->steps.items[i];
        if (!tk_step_is_bad(step) || ++count > BAD_STEPS_MAX)
            continue;
        if (count == 1) {
            tk_style_printf(out, &report->look, TK_STYLE_TITLE, "%s", form->title);
            tk_buf_puts(out, form->begin);
        }
        tk_buf_puts(out, form->item);
        form->put_name(report, step->name);
        tk_buf_printf(out, "%s%s%s", form->between, tk_step_outcome_sentence(step, sentence),
                      form->item_end);
    }
    if (count > BAD_STEPS_MAX) {
        size_t left_out = count - BAD_STEPS_MAX;
        tk_buf_printf(out, "%s%zu more step%s%s", form->more, left_out, left_out == 1 ? "" : "s",
                      form->more_end);
    }
    if (count > 0)
        tk_buf_puts(out, form->end);
}
