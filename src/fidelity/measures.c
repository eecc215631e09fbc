/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "fidelity/figures.h"

const struct tk_measure *const tk_measures[] = {
    &tk_measure_queries,
    &tk_measure_tasks,
    &tk_measure_topology,
    &tk_measure_time,
    &tk_measure_joint,
    &tk_measure_trace,
    NULL,
};

static const struct tk_measure *find(const char *name)
{
    for (const struct tk_measure *const *measure = tk_measures; *measure; measure++) {
        if (strcmp((*measure)->name, name) == 0)
            return *measure;
    }
    return NULL;
}

static bool is_asked(const struct tk_measure *measure, const struct tk_measure_options *options)
{
    for (size_t i = 0; i < options->measure_count; i++) {
        if (strcmp(measure->name, options->measures[i]) == 0)
            return true;
    }
    return options->measure_count == 0;
}

int tk_measure_run(const struct tk_span_table *a, const struct tk_span_table *b,
                   const struct tk_measure_options *options, struct tk_figures *figures,
                   struct tk_err *err)
{
    for (size_t i = 0; i < options->measure_count; i++) {
        if (!find(options->measures[i]))
            return tk_fail(err, -EINVAL, "'%s' is no measure", options->measures[i]);
    }
    int rc = 0;
    for (const struct tk_measure *const *measure = tk_measures; *measure && rc == 0; measure++) {
        if (is_asked(*measure, options))
            rc = (*measure)->measure(a, b, options, figures, err);
    }
    return rc < 0 ? rc : tk_figures_check(figures, err);
}
