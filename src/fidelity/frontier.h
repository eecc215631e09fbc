/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing at equal bytes: how large a share fits a budget, means of some runs with their
 * intervals, what a volume costs, and what others published. Pure functions but for the callback.
 */
#ifndef TK_FIDELITY_FRONTIER_H
#define TK_FIDELITY_FRONTIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

/* The bytes of a file that keeps this share (above 0, at most 1) of the traces; larger shares make
 * larger files, but for noise. */
struct tk_share_size {
    TK_MUST_USE int (*size)(void *context, double share, uint64_t *ret_bytes, struct tk_err *err);
    void *context;
    double least; /* the smallest share that makes sense */
    double guess; /* where to begin: what may fit */
};

/* The largest share that was found whose file has at most `budget_bytes`: within a few per cent of
 * it. 1 when even the least share does not fit; `*ret_bytes` is then what that takes. Or what
 * `size` fails with. */
TK_MUST_USE int tk_share_find(const struct tk_share_size *size, uint64_t budget_bytes,
                              double *ret_share, uint64_t *ret_bytes, struct tk_err *err);

/* Some runs of one thing. */
struct tk_spread {
    double mean;      /* NaN = no runs */
    double low, high; /* 95 % interval of the mean (Student's t); the mean itself for one run */
    size_t runs;      /* values that are numbers */
};
struct tk_spread tk_spread_of(const double *values, size_t count);

/* A model of cost that somebody published (trace-fidelity.md section 13). Dollars. */
struct tk_cost_model {
    const char *name;
    const char *help;
    double per_gb; /* sent, 10^9 bytes */
    double per_cpu_hour;
    const char *basis; /* of what the total is told */
    bool is_per_span;  /* a million spans; else a million traces */
};
extern const struct tk_cost_model tk_cost_models[]; /* ends with an empty name */

/* Dollars for a million traces or spans, given the bytes and CPU seconds of this many. NaN for 0.
 */
double tk_cost_of(const struct tk_cost_model *model, double bytes, double cpu_s, double traces,
                  double spans);

/* A point that others published, of other data (section 14.1): it is drawn, never compared. */
struct tk_published {
    const char *name;
    double trace_bytes; /* B/trace */
    double monitoring_f1, trigger_f1;
};
extern const struct tk_published tk_published[]; /* ends with an empty name */

#endif
