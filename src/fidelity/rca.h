/* SPDX-License-Identifier: Apache-2.0 */
/* Root causes: which service two published algorithms blame for a fault, from the spans of the
 * minute of its injection, the one before and the one after (trace-fidelity.md section 9).
 *
 * Spans that ended before the injection are normal, the others anomalous; a trace is in the window
 * when its first span starts in it. */
#ifndef TK_FIDELITY_RCA_H
#define TK_FIDELITY_RCA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "fidelity/faults.h"
#include "fidelity/figures.h"
#include "fidelity/span_table.h"

enum tk_rca_algorithm { TK_RCA_TRACE = 0, TK_RCA_MICRORANK, TK_RCA_COUNT };

/* "TraceRCA", "MicroRank". */
extern const char *const tk_rca_names[TK_RCA_COUNT];

/* What became of a fault. */
struct tk_rca_result {
    const char *reason;                                 /* why it cannot be scored; NULL = it can */
    uint32_t ranks[TK_RCA_COUNT][TK_FIGURE_RULE_COUNT]; /* of the true service, from 1; 0 = none */
    uint64_t normal, anomalous;                         /* spans */
};

/* Rank the true service of each fault. Compatible: the spans as they are; strict: each counts as
 * its trace's weight. `ret_results` is [faults->count]. -ENOMEM. */
TK_MUST_USE int tk_rca_run(const struct tk_span_table *table, const struct tk_faults *faults,
                           struct tk_rca_result *ret_results, struct tk_err *err);

/* Who is to blame for a fault at a time. */
struct tk_rca_question {
    int64_t inject_ns;
    enum tk_rca_algorithm algorithm;
    enum tk_figure_rule rule;
};

/* The services that an algorithm blames, most likely first, as text ids of the table; the caller
 * frees them. -ENODATA when the fault cannot be scored, -ENOMEM. */
TK_MUST_USE int tk_rca_rank(const struct tk_span_table *table,
                            const struct tk_rca_question *question, uint32_t **ret_services,
                            size_t *ret_count, struct tk_err *err);

/* Append AC@1 to AC@5 and their mean avg5 of each algorithm, of group "rca": "tracerca_ac1" to
 * "microrank_avg5". With results of the
 * real set, `real` (else NULL), faults that it can score count, those that `results` cannot are
 * misses, and the differences to it are figures, too. */
void tk_rca_add(const struct tk_rca_result *results, const struct tk_rca_result *real, size_t count,
                struct tk_figures *figures);

#endif
