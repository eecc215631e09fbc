/* SPDX-License-Identifier: Apache-2.0 */
/* Controls beside a comparison (trace-fidelity.md sections 1 and 11): the same measures of sets
 * that are made of the real one, and which figure likes one of these better than A. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "cmd/fidelity.h"

void tk_fidelity_controls_release(struct tk_fidelity_controls *controls)
{
    for (size_t i = 0; i < controls->count; i++)
        tk_figures_release(&controls->items[i].figures);
    free(controls->judged);
    *controls = (struct tk_fidelity_controls){0};
}

/* Of a set without attributes nothing changes when they are shuffled. */
static bool has_effect(const struct tk_figures *figures)
{
    for (size_t i = 0; i < figures->count; i++) {
        const struct tk_figure *figure = &figures->items[i];
        if (figure->rule == TK_FIGURE_STRICT && figure->sense != TK_FIGURE_COUNT &&
            tk_figure_loss(figure->sense, figure->value) > 0)
            return true;
    }
    return false;
}

static int run_one(const struct tk_control *control, const struct tk_span_table *real,
                   const struct tk_measure_options *options, struct tk_fidelity_controls *controls,
                   struct tk_err *err)
{
    struct tk_fidelity_measured *measured = &controls->items[controls->count];
    struct tk_span_table *a = NULL;
    struct tk_span_table *b = NULL;
    int rc = tk_figures_init(&measured->figures, err);
    if (rc < 0)
        return rc;
    measured->control = control;
    controls->count++;
    rc = control->make(real, options->seed, &a, &b, err);
    rc = rc < 0 ? rc : tk_measure_run(a, b ? b : real, options, &measured->figures, err);
    measured->has_effect = rc == 0 && has_effect(&measured->figures);
    tk_span_table_free(a);
    tk_span_table_free(b);
    return rc;
}

static const struct tk_figure *find(const struct tk_figures *figures,
                                    const struct tk_figure *wanted)
{
    for (size_t i = 0; i < figures->count; i++) {
        const struct tk_figure *figure = &figures->items[i];
        if (figure->rule == wanted->rule && tk_figure_is_same(figure, wanted))
            return figure;
    }
    return NULL;
}

static struct tk_fidelity_judged judge(const struct tk_fidelity_controls *controls,
                                       const struct tk_figure *figure)
{
    struct tk_fidelity_judged judged = {NULL, NULL};
    for (size_t i = 0; i < controls->count && figure->sense != TK_FIGURE_COUNT; i++) {
        const struct tk_fidelity_measured *measured = &controls->items[i];
        const struct tk_figure *own = find(&measured->figures, figure);
        if (!own || isnan(own->value))
            continue;
        if (measured->control->is_floor)
            judged.floor = own;
        if (!judged.blind && tk_control_breaks(measured->control, figure->group, figure->name) &&
            measured->has_effect && tk_figure_is_better(figure->sense, own->value, figure->value))
            judged.blind = measured->control;
    }
    return judged;
}

int tk_fidelity_controls_run(const struct tk_span_table *real,
                             const struct tk_measure_options *options,
                             const struct tk_figures *figures,
                             struct tk_fidelity_controls *ret_controls, struct tk_err *err)
{
    struct tk_measure_options own = *options;
    int rc = 0;
    own.sample_of = 0; /* controls have all traces */
    for (size_t i = 0; tk_controls[i] && rc == 0; i++) {
        rc = ret_controls->count < TK_FIDELITY_CONTROLS
                 ? run_one(tk_controls[i], real, &own, ret_controls, err)
                 : tk_fail(err, -ENOBUFS, "more controls than %d", TK_FIDELITY_CONTROLS);
    }
    if (rc < 0)
        return rc;
    ret_controls->judged = calloc(figures->count + 1, sizeof(*ret_controls->judged));
    if (!ret_controls->judged)
        return tk_fail(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < figures->count; i++)
        ret_controls->judged[i] = judge(ret_controls, &figures->items[i]);
    return 0;
}

const struct tk_fidelity_judged *tk_fidelity_judged_of(const struct tk_fidelity_controls *controls,
                                                       size_t at)
{
    return controls ? &controls->judged[at] : NULL;
}
