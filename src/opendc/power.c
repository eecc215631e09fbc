/* SPDX-License-Identifier: Apache-2.0 */
/* All models are idle + (max - idle) g(load). For a given shape g the two powers are found by
 * weighted least squares, again and again with weights by the last error, which comes to the least
 * sum of relative errors; the shape by a grid and then ever smaller steps around its best point. */
#include "opendc/power.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define LEAST_SAMPLES 10
#define LEAST_REACH   0.1  /* of the load */
#define LEVEL         0.05 /* loads closer than this are one */
#define SAMPLES_MAX   4096 /* more are thinned out evenly */
#define ROUNDS        40
#define GRID          48
#define REFINEMENTS   40
#define BETTER        0.99
#define MILLI         1e3
#define EXACT_PERCENT 1e-6 /* an error that none needs to be better than */

const char *const tk_power_kinds[] = {"linear", "sqrt",       "square", "cubic",
                                      "mse",    "asymptotic", NULL};

const struct tk_power_model tk_power_default = {
    .kind = TK_POWER_LINEAR, .idle_watt = 200, .max_watt = 400};

/* Range of the shape; those without one have none. */
static const struct {
    double low, high;
} shapes[TK_POWER_KINDS] = {[TK_POWER_MSE] = {0.1, 10}, [TK_POWER_ASYMPTOTIC] = {0.01, 3}};

/* Share of the way from idle to maximum. */
static double course(const struct tk_power_model *model, double load)
{
    double u = load;
    switch (model->kind) {
    case TK_POWER_SQRT:
        return sqrt(u);
    case TK_POWER_SQUARE:
        return u * u;
    case TK_POWER_CUBIC:
        return u * u * u;
    case TK_POWER_MSE:
        return 2 * u - pow(u, model->shape);
    case TK_POWER_ASYMPTOTIC:
        u = model->dvfs ? u * u * u : u;
        return (1 + u - exp(-u / model->shape)) / 2;
    case TK_POWER_LINEAR:
    case TK_POWER_KINDS:
        break;
    }
    return u;
}

double tk_power_at(const struct tk_power_model *model, double load)
{
    return model->idle_watt + (model->max_watt - model->idle_watt) * course(model, load);
}

double tk_power_error(const struct tk_power_model *model, const struct tk_power_sample *samples,
                      size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += fabs(tk_power_at(model, samples[i].load) - samples[i].watt) / samples[i].watt;
    return count > 0 ? 100 * sum / (double)count : (double)NAN;
}

/* Fitting -------------------------------------------------------------------------------------- */

struct fit {
    const struct tk_power_sample *samples;
    size_t count, step; /* each step-th counts */
    struct tk_power_model model;
    double error;
};

static double error_of(const struct fit *fit, const struct tk_power_model *model)
{
    double sum = 0;
    size_t used = 0;
    for (size_t i = 0; i < fit->count; i += fit->step, used++) {
        const struct tk_power_sample *at = &fit->samples[i];
        sum += fabs(tk_power_at(model, at->load) - at->watt) / at->watt;
    }
    return 100 * sum / (double)used;
}

/* Least squares of the two powers, weighted by the errors of `model`, which they replace; false
 * where they are not determined. */
static bool solve(const struct fit *fit, struct tk_power_model *model, bool is_first)
{
    double n = 0;
    double g_sum = 0;
    double g_square = 0;
    double watt_sum = 0;
    double both = 0;
    for (size_t i = 0; i < fit->count; i += fit->step) {
        const struct tk_power_sample *at = &fit->samples[i];
        double off = is_first ? at->watt : fabs(tk_power_at(model, at->load) - at->watt);
        double weight = 1 / (at->watt * fmax(off, 1e-9 * at->watt));
        double g = course(model, at->load);
        n += weight;
        g_sum += weight * g;
        g_square += weight * g * g;
        watt_sum += weight * at->watt;
        both += weight * g * at->watt;
    }
    double spread = n * g_square - g_sum * g_sum;
    if (!(spread > 1e-12 * n * g_square))
        return false;
    double reach = (n * both - g_sum * watt_sum) / spread;
    model->idle_watt = (watt_sum - reach * g_sum) / n;
    model->max_watt = model->idle_watt + reach;
    return true;
}

/* The best two powers for a kind and a shape, kept when they beat the best so far. */
static void try_shape(struct fit *fit, enum tk_power_kind kind, double shape)
{
    struct tk_power_model model = {.kind = kind, .shape = shape};
    for (int i = 0; i < ROUNDS; i++) {
        if (!solve(fit, &model, i == 0))
            return;
        bool makes_sense = model.idle_watt >= 0 && model.max_watt >= model.idle_watt;
        double error = makes_sense ? error_of(fit, &model) : (double)INFINITY;
        if (error < fit->error) {
            fit->error = error;
            fit->model = model;
        }
    }
}

static void try_kind(struct fit *fit, enum tk_power_kind kind)
{
    double low = shapes[kind].low;
    double high = shapes[kind].high;
    if (high == 0) {
        try_shape(fit, kind, 0);
        return;
    }
    double factor = pow(high / low, 1.0 / GRID);
    for (int i = 0; i <= GRID; i++)
        try_shape(fit, kind, low * pow(factor, i));
    for (int i = 0; i < REFINEMENTS && isfinite(fit->error); i++) {
        double best = fit->model.shape;
        try_shape(fit, kind, fmin(best * factor, high));
        try_shape(fit, kind, fmax(best / factor, low));
        if (fit->model.shape == best)
            factor = sqrt(factor);
    }
}

static int compare_loads(const void *a, const void *b)
{
    double first = *(const double *)a;
    double second = *(const double *)b;
    return (first > second) - (first < second);
}

/* How many loads there are, and the lowest and the highest. */
static int count_levels(const struct tk_power_sample *samples, size_t count, size_t *ret_levels,
                        double ret_reach[2], struct tk_err *err)
{
    double *loads = malloc(count * sizeof(*loads));
    if (!loads)
        return tk_fail(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        loads[i] = samples[i].load;
    qsort(loads, count, sizeof(*loads), compare_loads);
    double level = loads[0];
    *ret_levels = 1;
    for (size_t i = 1; i < count; i++) {
        if (loads[i] - level < LEVEL)
            continue;
        level = loads[i];
        (*ret_levels)++;
    }
    ret_reach[0] = loads[0];
    ret_reach[1] = loads[count - 1];
    free(loads);
    return 0;
}

/* Whether the samples can tell. */
static int check_samples(const char *name, enum tk_power_kind kind,
                         const struct tk_power_sample *samples, size_t count, size_t *ret_levels,
                         struct tk_err *err)
{
    double reach[2] = {0, 0};
    if (count < LEAST_SAMPLES) {
        return tk_fail(err, -ENODATA, "%s: %zu readings of power, expected %d or more", name, count,
                       LEAST_SAMPLES);
    }
    int rc = count_levels(samples, count, ret_levels, reach, err);
    if (rc < 0)
        return rc;
    if (reach[1] - reach[0] < LEAST_REACH) {
        return tk_fail(err, -ENODATA,
                       "%s: its load stays within %.0f to %.0f %%: idle and maximum power cannot "
                       "be told apart",
                       name, 100 * reach[0], 100 * reach[1]);
    }
    if (kind != TK_POWER_KINDS && shapes[kind].high > 0 && *ret_levels < 3) {
        return tk_fail(err, -ENODATA,
                       "%s: its load has two levels, %.0f and %.0f %%: they do not tell the shape "
                       "of model %s",
                       name, 100 * reach[0], 100 * reach[1], tk_power_kinds[kind]);
    }
    return 0;
}

int tk_power_fit(const char *name, enum tk_power_kind kind, const struct tk_power_sample *samples,
                 size_t count, struct tk_power_model *ret_model, struct tk_err *err)
{
    size_t levels = 0;
    int rc = check_samples(name, kind, samples, count, &levels, err);
    if (rc < 0)
        return rc;
    struct fit best = {.error = (double)INFINITY};
    for (int i = 0; i < TK_POWER_KINDS; i++) {
        bool is_told = shapes[i].high == 0 ? levels >= 3 || i == TK_POWER_LINEAR : levels >= 4;
        if (kind == TK_POWER_KINDS ? !is_told : kind != (enum tk_power_kind)i)
            continue;
        struct fit fit = {.samples = samples,
                          .count = count,
                          .step = (count + SAMPLES_MAX - 1) / SAMPLES_MAX,
                          .error = (double)INFINITY};
        try_kind(&fit, (enum tk_power_kind)i);
        bool is_better = isinf(best.error) || fit.error < BETTER * best.error;
        if (isfinite(fit.error) && is_better && best.error > EXACT_PERCENT)
            best = fit;
    }
    if (isinf(best.error)) {
        return tk_fail(err, -ENODATA, "%s: its power does not rise with its load: no model fits",
                       name);
    }
    *ret_model = best.model;
    ret_model->idle_watt = round(best.model.idle_watt * MILLI) / MILLI;
    ret_model->max_watt = round(best.model.max_watt * MILLI) / MILLI;
    return 0;
}
