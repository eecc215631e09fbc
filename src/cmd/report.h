/* SPDX-License-Identifier: Apache-2.0 */
/* `tracekit report`: each verb is one line of a table in cmd_report.c and one function, in a file
 * report_VERB.c. To add one: the function, its extern below, its line there, its section in
 * docs/man/tracekit-report.1.scd and a test in tests/e2e/report.bats. */
#ifndef TK_CMD_REPORT_H
#define TK_CMD_REPORT_H

#include "cmd/archive.h"
#include "cmd/cmd.h"
#include "report/report.h"
#include "step/diagnosis.h"

struct tk_report_opts {
    bool json;
    const char *store;
    const char *step;
    const char *rules;
    const char *baseline;
    const char *max_total;
    const char *max_memory;
    const char *min_free;
    const char *verdict;
    struct tk_opt_list max_steps;
    int64_t confirm;
    bool lenient;
    int64_t keep;
    int64_t days;
    bool dry_run;
};

/* One call. */
struct tk_report {
    const struct tk_cmd *cmd;
    const struct tk_report_opts *opts;
    const char *verb;
    struct tk_archive *archive;
    struct tk_user_rules *rules; /* NULL: none */
    struct tk_look look;
    struct tk_buf out;
    const char *args[3]; /* of the verb, NULL where not given */
    int status;          /* exit status when the verb succeeds */
};

/* Run the verb: append to `out`. */
int tk_report_latest(struct tk_report *report, struct tk_err *err);
int tk_report_list(struct tk_report *report, struct tk_err *err);
int tk_report_show(struct tk_report *report, struct tk_err *err);
int tk_report_compare(struct tk_report *report, struct tk_err *err);
int tk_report_history(struct tk_report *report, struct tk_err *err);
int tk_report_watch(struct tk_report *report, struct tk_err *err);
int tk_report_diagnose(struct tk_report *report, struct tk_err *err);
int tk_report_gate(struct tk_report *report, struct tk_err *err);
int tk_report_export(struct tk_report *report, struct tk_err *err);
int tk_report_push(struct tk_report *report, struct tk_err *err);
int tk_report_pull(struct tk_report *report, struct tk_err *err);
int tk_report_prune(struct tk_report *report, struct tk_err *err);
int tk_report_reindex(struct tk_report *report, struct tk_err *err);
int tk_report_import(struct tk_report *report, struct tk_err *err);

/* The newest build that the selector means (NULL = latest), judged against those before it, with
 * its `baseline` set. */
TK_MUST_USE int tk_report_read(struct tk_report *report, const char *selector, const char *kind,
                               struct tk_job **ret_job, struct tk_err *err);

/* What verbs on one build begin with: tk_report_read(), then the header. With --json the document
 * is appended instead and all is done: *ret_job is NULL. */
TK_MUST_USE int tk_report_begin(struct tk_report *report, const char *selector, const char *kind,
                                struct tk_job **ret_job, struct tk_err *err);

#define TK_FIGURE_MAX 32 /* bytes of a figure as text */

/* `status` of a build and of steps that are not over; never in a document. */
#define TK_REPORT_RUNNING "running"

/* "ok", "failed", "incomplete", and how to show it. */
const char *tk_outcome_text(tk_str status, enum tk_style *ret_style);

/* It is over and did not succeed. */
bool tk_step_is_bad(const struct tk_job_step *step);

/* Likewise of a step, for a table: also "failed (3)", "killed (9)", "timed out". */
const char *tk_step_outcome(const struct tk_job_step *step, enum tk_style *ret_style,
                            char buf[TK_FIGURE_MAX]);

/* What became of a bad step, as a sentence about it: "killed by SIGKILL". */
#define TK_SENTENCE_MAX 96
const char *tk_step_outcome_sentence(const struct tk_job_step *step, char buf[TK_SENTENCE_MAX]);

/* How a format writes the list of bad steps. */
struct tk_bad_steps_form {
    const char *title; /* in the style of titles, where the look has styles */
    const char *begin;
    const char *item, *between, *item_end; /* around name and sentence */
    const char *more, *more_end;           /* around the number of those that are left out */
    const char *end;
    void (*put_name)(struct tk_report *report, tk_str name);
};

/* Append the first bad steps, an item each; nothing where all is well. */
void tk_report_put_bad_steps(struct tk_report *report, const struct tk_job *job,
                             const struct tk_bad_steps_form *form);

/* "NAME" of the original's files prints figures of its CPU with this before them. */
const char *tk_about_sign(const struct tk_job_step *step);

/* Append the findings that explain a job as numbered sentences. */
void tk_report_put_reasons(struct tk_report *report, const struct tk_job *job);

/* Append a table of the steps with their verdicts. */
TK_MUST_USE int tk_report_put_steps(struct tk_report *report, const struct tk_job *job,
                                    struct tk_err *err);

/* Append a header line or two: kind, version, run, branch, machine, outcome, time. */
void tk_report_put_header(struct tk_report *report, const struct tk_job *job);

/* Steps deep: 0 for one that no other holds. */
int tk_step_depth(const struct tk_job *job, const struct tk_job_step *step);

/* Figures as this report prints them ---------------------------------------------------- */

/* "5ms", "0.4s", "12.3s", "4m10s", "1h05m"; "-" when unknown. */
const char *tk_figure_seconds(double seconds, char buf[TK_FIGURE_MAX]);

/* The same with its sign: "+1m46s". */
const char *tk_figure_delta(double seconds, char buf[TK_FIGURE_MAX]);

/* "310 MB", "9.1 GB"; "-" when unknown. */
const char *tk_figure_mb(double mb, char buf[TK_FIGURE_MAX]);

/* "+8.4"; "-" when unknown. */
const char *tk_figure_percent(double percent, char buf[TK_FIGURE_MAX]);

/* "0.7335", "14.2", "59392": four digits or all of a whole part. */
const char *tk_figure_number(double number, char buf[TK_FIGURE_MAX]);

/* "2026-01-24 12:00" in UTC. */
const char *tk_figure_time(double epoch_s, char buf[TK_FIGURE_MAX]);

/* A text of the document, made fit for a terminal, at most `width` columns (0 = all), in `buf`. */
#define TK_CLEAN_MAX 2048
const char *tk_clean(const struct tk_report *report, tk_str text, int width,
                     char buf[TK_CLEAN_MAX]);

#endif
