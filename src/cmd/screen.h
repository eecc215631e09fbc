/* SPDX-License-Identifier: Apache-2.0 */
/* The report of one screen: what ran, what it used, what it waited for, how good the data is. Shown
 * by `record` at its end and by `show`. */
#ifndef TK_CMD_SCREEN_H
#define TK_CMD_SCREEN_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "report/look.h"
#include "run/summary.h"

/* Summarise the run in `folder` and write its report to the descriptor, drawn for what is there: a
 * terminal or a file. */
TK_MUST_USE int tk_screen_write(const char *folder, const struct tk_summary_options *options,
                                int fd, struct tk_err *err);

/* Append the report of one run; `folder` is shown as given. Up to 24 lines as a rule, never wider
 * than the look. */
TK_MUST_USE int tk_screen_format(const struct tk_summary *summary, const char *folder,
                                 const struct tk_look *look, struct tk_buf *out,
                                 struct tk_err *err);

/* Append a table of several runs (the nodes of one), one line each. */
TK_MUST_USE int tk_screen_format_nodes(const struct tk_summary *const *summaries, size_t count,
                                       const struct tk_look *look, struct tk_buf *out,
                                       struct tk_err *err);

/* Append the summary as one JSON object on one line; the keys are in tracekit-show(1). */
void tk_screen_format_json(const struct tk_summary *summary, const char *folder,
                           struct tk_buf *out);

#endif
