/* SPDX-License-Identifier: Apache-2.0 */
/* What a comparison of two sets of traces found: figures, each with a name, and a reason where
 * there is none. A measure appends; reports, JSON and CSV walk. One thread at a time. */
#ifndef TK_FIDELITY_FIGURES_H
#define TK_FIDELITY_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "fidelity/queries.h"
#include "fidelity/span_table.h"

/* What a value says. */
enum tk_figure_sense {
    TK_FIGURE_DISTANCE = 0, /* 0 is best, lower is better */
    TK_FIGURE_SCORE,        /* 1 is best, higher is better */
    TK_FIGURE_PERCENT,      /* 100 is best, higher is better */
    TK_FIGURE_COUNT,        /* neither: how much it rests on */
};

/* Of two figures of one name the compatible one is what the original computes, faults included, and
 * the strict one is ours. */
enum tk_figure_rule { TK_FIGURE_STRICT = 0, TK_FIGURE_COMPAT, TK_FIGURE_RULE_COUNT };

struct tk_figure {
    const char *group; /* of the measure: "queries", "tasks", "rca"; static */
    const char *name;  /* "error_traces"; static */
    tk_str detail;     /* "h=3", "service cart"; p NULL = the whole; kept in the list */
    enum tk_figure_sense sense;
    enum tk_figure_rule rule;
    double value;       /* NaN = none, for the reason */
    const char *reason; /* static; NULL = there is a value */
    uint64_t samples;   /* combinations, edges, buckets that it rests on */
};

struct tk_figures {
    struct tk_figure *items; /* owned */
    size_t count, max;
    struct tk_arena texts;
    int failure; /* sticky: -ENOMEM */
};

/* -ENOMEM. */
TK_MUST_USE int tk_figures_init(struct tk_figures *figures, struct tk_err *err);

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_figures_release(struct tk_figures *figures);

/* Append a figure; `detail` is copied. A failure is remembered for tk_figures_check(). */
void tk_figures_add(struct tk_figures *figures, const struct tk_figure *figure);
TK_MUST_USE int tk_figures_check(const struct tk_figures *figures, struct tk_err *err);

/* The figure of that name without a detail; NULL = none. */
const struct tk_figure *tk_figures_find(const struct tk_figures *figures, const char *group,
                                        const char *name, enum tk_figure_rule rule);

/* Whether two figures tell of the same, by either rule: group, name and detail are equal. */
bool tk_figure_is_same(const struct tk_figure *a, const struct tk_figure *b);

/* How far a value is from perfect: 0 is best, whatever the sense. */
double tk_figure_loss(enum tk_figure_sense sense, double value);

/* Whether a value is a better one than another. */
bool tk_figure_is_better(enum tk_figure_sense sense, double value, double than);

/* How measures are asked. Zero = the defaults of trace-fidelity.md. */
struct tk_measure_options {
    bool skip_zero;            /* combinations of distance 0 do not count, as in Gen-T's copy */
    const int64_t *windows_ns; /* of strict time queries; NULL = 10 s, 5 min */
    size_t window_count;
    uint64_t seed;      /* of draws */
    uint32_t sample_of; /* A is a head sample 1:N whose counts are multiplied; 0 = by weights */
    const char *const *measures; /* only these of tk_measures[]; NULL = all */
    size_t measure_count;
    const char *const *queries; /* only these of the ten; NULL = all */
    size_t query_count;
    const struct tk_param_values *params; /* of queries, instead of all values */
    size_t param_count;
};

/* A measure of `a` (reduced, made up) against `b` (real). */
struct tk_measure {
    const char *name; /* "queries" */
    const char *help; /* one line, lower case */
    TK_MUST_USE int (*measure)(const struct tk_span_table *a, const struct tk_span_table *b,
                               const struct tk_measure_options *options, struct tk_figures *figures,
                               struct tk_err *err);
};

extern const struct tk_measure tk_measure_queries;  /* sections 3 to 5 */
extern const struct tk_measure tk_measure_tasks;    /* section 6 */
extern const struct tk_measure tk_measure_topology; /* section 7 */
extern const struct tk_measure tk_measure_time;     /* section 8 */
extern const struct tk_measure tk_measure_joint;    /* section 10 */
extern const struct tk_measure tk_measure_trace;    /* section 10, trace by trace */

/* In the order of reports; ends with NULL. Root causes (rca.h) need a list of faults besides. */
extern const struct tk_measure *const tk_measures[];

/* All measures, or those that the options name, one after the other. -EINVAL names one that is
 * none.
 */
TK_MUST_USE int tk_measure_run(const struct tk_span_table *a, const struct tk_span_table *b,
                               const struct tk_measure_options *options, struct tk_figures *figures,
                               struct tk_err *err);

#endif
