/* SPDX-License-Identifier: Apache-2.0 */
/* A build in another format, one function each; a line of the table in report_export.c names it. */
#ifndef TK_CMD_REPORT_EXPORT_H
#define TK_CMD_REPORT_EXPORT_H

#include "cmd/report.h"

struct tk_report_format {
    const char *name;
    int (*put)(struct tk_report *report, const struct tk_job *job, struct tk_err *err);
};

/* GitHub's step summary: a headline, the longest ten steps, a Gantt chart, findings, the other
 * steps folded; below 60 KB. */
int tk_report_put_markdown(struct tk_report *report, const struct tk_job *job, struct tk_err *err);

/* Lines for GitHub's annotations: errors for what ran out, at most three warnings. */
int tk_report_put_annotations(struct tk_report *report, const struct tk_job *job,
                              struct tk_err *err);

/* One file without anything from outside, below 200 KB; a second build beside it when the command
 * names one. */
int tk_report_put_html(struct tk_report *report, const struct tk_job *job, struct tk_err *err);

/* Steps for machines. */
int tk_report_put_prometheus(struct tk_report *report, const struct tk_job *job,
                             struct tk_err *err);
int tk_report_put_otlp(struct tk_report *report, const struct tk_job *job, struct tk_err *err);
int tk_report_put_chrome(struct tk_report *report, const struct tk_job *job, struct tk_err *err);
int tk_report_put_csv(struct tk_report *report, const struct tk_job *job, struct tk_err *err);
int tk_report_put_folded(struct tk_report *report, const struct tk_job *job, struct tk_err *err);

#endif
