/* SPDX-License-Identifier: Apache-2.0 */
/* A model of traces as GenTEval's simple_gent is one (trace-fidelity.md section 12.6): exact counts
 * of roots a minute, a table of who calls whom, ratios of times as quantiles. It keeps no trace.
 *
 *   fit    table -> model        markov_fit.c
 *   file   model <-> bytes       baseline_markov.c
 *   draw   model, seed -> table  markov_draw.c
 *
 * A symbol is a service, an operation, a kind, and whether the span hangs below its parent or only
 * stands in its trace (an orphan, a further root). A label is what else a span says: status,
 * method, codes, the five attributes. One thread at a time. */
#ifndef TK_FIDELITY_MARKOV_H
#define TK_FIDELITY_MARKOV_H

#include "fidelity/int_rows.h"
#include "fidelity/span_table.h"

#define TK_MARKOV_QUANTILES 11 /* p0, p10 ... p100 */
#define TK_MARKOV_GAUSSIANS 3
#define TK_MARKOV_POOLED    INT64_MAX /* in place of a cell: of all cells */
#define TK_MARKOV_PLACES    32        /* positions and counts of children that tables tell apart */
#define TK_MARKOV_MINUTE_NS 60000000000

struct tk_markov {
    struct tk_texts texts;
    int64_t start_ns; /* of minute 0 */
    int64_t unit_ns;
    int64_t longest; /* rows of a trace */

    struct tk_int_rows
        symbols;               /* service, operation, kind, is cut; in the order of their numbers */
    struct tk_int_rows labels; /* status, method, code, features; likewise */
    struct tk_int_rows roots;  /* minute, symbol, children, error, count */
    struct tk_int_rows links;  /* parent, its children, position, child, its children, count */
    struct tk_int_rows mixtures; /* symbol, then weight, mean, deviation of each Gaussian */
    struct tk_int_rows ratios;   /* parent, child, cell, errors, gaps [11], durations [11] */
    struct tk_int_rows tags;     /* symbol, error, label, count */
};

enum { TK_MARKOV_SYMBOL_WIDTH = 4, TK_MARKOV_LABEL_WIDTH = 3 + TK_STR_FEATURES + TK_INT_FEATURES };

/* An empty model. -ENOMEM. */
TK_MUST_USE int tk_markov_init(struct tk_markov *model, struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_markov_release(struct tk_markov *model);

/* Fill an empty model. -ENOMEM. */
TK_MUST_USE int tk_markov_fit(struct tk_markov *model, const struct tk_span_table *table,
                              struct tk_err *err);

/* Make traces up. -EBADMSG when tables name what is not there, -ENOMEM. */
TK_MUST_USE int tk_markov_draw(const struct tk_markov *model, uint64_t seed,
                               struct tk_span_table **ret_table, struct tk_err *err);

/* The cell of a child: how long its parent took, and where among its siblings it stands. */
int64_t tk_markov_cell(int64_t parent_ns, int64_t unit_ns, int64_t position, int64_t children);

/* Ratios, of either sign, as whole numbers of some 3 per cent, and back. */
int64_t tk_markov_ratio_code(double ratio);
double tk_markov_ratio(double code);

#endif
