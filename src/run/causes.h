/* SPDX-License-Identifier: Apache-2.0 */
/* What a run waited for, in plain sentences with their evidence: a const table of rules over the
 * figures of its summary. */
#ifndef TK_RUN_CAUSES_H
#define TK_RUN_CAUSES_H

#include <stddef.h>

#include "run/summary.h"

#define TK_CAUSES_MAX     16
#define TK_CAUSE_TEXT_MAX 400

struct tk_cause {
    const char *name;             /* of the rule, "cpu": stable, for programs */
    double share;                 /* of the run's time that it accounts for, 0..1: orders causes */
    char text[TK_CAUSE_TEXT_MAX]; /* one or two sentences, ASCII */
};

/* Find what held the run up, most first; where no rule fires, the one of the last rules that says
 * so. Returns the count, at least 1. Pure function. */
size_t tk_causes_find(const struct tk_summary *summary, struct tk_cause ret_causes[TK_CAUSES_MAX]);

#endif
