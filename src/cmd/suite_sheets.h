/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of a suite's report, for Markdown and HTML alike. Each makes a sheet that the caller
 * releases. One thread at a time. */
#ifndef TK_CMD_SUITE_SHEETS_H
#define TK_CMD_SUITE_SHEETS_H

#include "cmd/suite.h"
#include "report/sheet.h"

/* Who is better: ours against what takes as many bytes or more. */
void tk_suite_sheet_duels(const struct tk_suite_part *part, struct tk_sheet *sheet);

/* Whether any method was measured at budgets. */
bool tk_suite_has_budgets(const struct tk_suite *suite, const struct tk_suite_part *part);

/* A figure: budgets down, methods across; the best of each budget is marked. */
void tk_suite_sheet_budgets(const struct tk_suite *suite, const struct tk_suite_part *part,
                            const struct tk_suite_key *key, struct tk_sheet *sheet);

/* Headline figures of what has a size of its own; against the next block with `next`. */
void tk_suite_sheet_points(const struct tk_suite_part *part, bool next, struct tk_sheet *sheet);

/* Whether any item has a figure of a topic; and these figures of what has a size of its own. */
bool tk_suite_has_topic(const struct tk_suite_part *part, const struct tk_suite_topic *topic);
void tk_suite_sheet_topic(const struct tk_suite_part *part, const struct tk_suite_topic *topic,
                          struct tk_sheet *sheet);

/* Headline figures of the controls, sets that are spoilt on purpose. */
void tk_suite_sheet_controls(const struct tk_suite_part *part, struct tk_sheet *sheet);

/* The ten queries under both rules, and all figures: the main item against others of its size. */
void tk_suite_sheet_queries(const struct tk_suite_part *part, struct tk_sheet *sheet);
TK_MUST_USE int tk_suite_sheet_all(const struct tk_suite_part *part, struct tk_sheet *sheet,
                                   struct tk_err *err);

/* What each took on this machine: differs from run to run. */
void tk_suite_sheet_costs(const struct tk_suite_part *part, struct tk_sheet *sheet);

#endif
