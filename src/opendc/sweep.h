/* SPDX-License-Identifier: Apache-2.0 */
/* Scenarios of OpenDC side by side (opendc.md section 14): the figures of each over its seeds, and
 * which one is best by the criteria that a user names. One thread at a time. */
#ifndef TK_OPENDC_SWEEP_H
#define TK_OPENDC_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

enum tk_sweep_figure {
    TK_SWEEP_WAIT_P95,
    TK_SWEEP_WAIT_MEAN,
    TK_SWEEP_TURNAROUND_P95,
    TK_SWEEP_TURNAROUND_MEAN,
    TK_SWEEP_MAKESPAN,
    TK_SWEEP_ENERGY,      /* of all hosts, by the completed tasks */
    TK_SWEEP_UTILISATION, /* usage by capacity of all hosts */
    TK_SWEEP_FIGURES
};

struct tk_sweep_figure_about {
    const char *name; /* "wait_p95" */
    const char *unit;
    bool is_more_better;
};

/* By enum tk_sweep_figure. */
extern const struct tk_sweep_figure_about tk_sweep_figures[TK_SWEEP_FIGURES];

struct tk_sweep_criterion {
    enum tk_sweep_figure figure;
    bool is_more_better;
    double weight; /* above 0 */
};

/* Parse "NAME[:asc|desc[:WEIGHT]]": asc = less is better; without it what is usual of the figure,
 * and weight 1. -EINVAL. */
TK_MUST_USE int tk_sweep_criterion_parse(const char *text, struct tk_sweep_criterion *ret,
                                         struct tk_err *err);

enum tk_sweep_order {
    TK_ORDER_PARETO, /* fronts: none of the first is beaten by another in all criteria */
    TK_ORDER_SUM,    /* weighted sum of figures, each from 0 (the best) to 1 (the worst) */
    TK_ORDER_LEX     /* by the first criterion; those that are equal by the next, and so on */
};

struct tk_sweep_scenario {
    char path[4096];
    int64_t seeds;
    double tasks, terminated, unfinished; /* completed and others, mean over the seeds */
    double figures[TK_SWEEP_FIGURES];     /* mean over the seeds; NaN = its output lacks it */
    double score;                         /* weighted sum */
    size_t rank;                          /* from 1; equal ones have the same */
};

struct tk_sweep {
    struct tk_sweep_scenario *items; /* owned */
    size_t count, cap;
};

/* Add every scenario in `path`, at most five levels down: a folder with task.parquet is a seed when
 * it is called seed=N, of the scenario that its parent is, else a scenario of its own. -ENOENT when
 * there is none, -EBADMSG when a file is broken. */
TK_MUST_USE int tk_sweep_add(struct tk_sweep *sweep, const char *path, struct tk_err *err);

/* Sort by rank. What lacks a figure is worst in it; -ENODATA when all lack it. */
TK_MUST_USE int tk_sweep_rank(struct tk_sweep *sweep, enum tk_sweep_order order,
                              const struct tk_sweep_criterion *criteria, size_t count,
                              struct tk_err *err);

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_sweep_release(struct tk_sweep *sweep);

#endif
