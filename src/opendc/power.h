/* SPDX-License-Identifier: Apache-2.0 */
/* Power models of OpenDC in closed form (opendc.md section 9), and how they are fitted to what was
 * measured (section 15). Pure functions, safe from any thread. */
#ifndef TK_OPENDC_POWER_H
#define TK_OPENDC_POWER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"

enum tk_power_kind {
    TK_POWER_LINEAR,
    TK_POWER_SQRT,
    TK_POWER_SQUARE,
    TK_POWER_CUBIC,
    TK_POWER_MSE,
    TK_POWER_ASYMPTOTIC,
    TK_POWER_KINDS
};

/* By enum tk_power_kind, as OpenDC calls them; ends with NULL. */
extern const char *const tk_power_kinds[];

struct tk_power_model {
    enum tk_power_kind kind;
    double idle_watt, max_watt;
    double shape; /* exponent r of mse, a of asymptotic; else 0 */
    bool dvfs;    /* asymptotic: by the cube of the load */
};

/* What OpenDC takes without a model: linear, 200 to 400 W. */
extern const struct tk_power_model tk_power_default;

/* Watts at a load of 0..1. */
double tk_power_at(const struct tk_power_model *model, double load);

struct tk_power_sample {
    double load; /* 0..1 */
    double watt; /* above 0 */
};

/* Mean absolute error in per cent of the measured value; NaN without samples. */
double tk_power_error(const struct tk_power_model *model, const struct tk_power_sample *samples,
                      size_t count);

/* The model of a kind, or with TK_POWER_KINDS of the kind that does best, of the least error: a
 * kind further down the list has to be better by a hundredth. -ENODATA when the samples cannot
 * tell: they are too few, or of too few loads; `name` says whose they are. */
TK_MUST_USE int tk_power_fit(const char *name, enum tk_power_kind kind,
                             const struct tk_power_sample *samples, size_t count,
                             struct tk_power_model *ret_model, struct tk_err *err);

#endif
