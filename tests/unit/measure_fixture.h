/* SPDX-License-Identifier: Apache-2.0 */
/* Measures of two small tables for tests. */
#ifndef TK_MEASURE_FIXTURE_H
#define TK_MEASURE_FIXTURE_H

#include <math.h>

#include "fidelity/figures.h"
#include "span_table_fixture.h"

/* What a measure finds; to be released. */
static inline struct tk_figures figures_with(const struct tk_measure *measure, const char *a,
                                             const char *b,
                                             const struct tk_measure_options *options)
{
    struct tk_figures figures;
    struct tk_err err;
    struct tk_span_table *table_a = table_of(a);
    struct tk_span_table *table_b = table_of(b);
    assert_int_equal(tk_figures_init(&figures, &err), 0);
    if (measure->measure(table_a, table_b, options, &figures, &err) < 0)
        fail_msg("%s", err.msg);
    tk_span_table_free(table_a);
    tk_span_table_free(table_b);
    return figures;
}

static inline struct tk_figures figures_of(const struct tk_measure *measure, const char *a,
                                           const char *b)
{
    return figures_with(measure, a, b, &(struct tk_measure_options){0});
}

/* A figure that must be there; `detail` NULL = that of the whole. */
static inline const struct tk_figure *figure_of(const struct tk_figures *figures, const char *name,
                                                const char *detail, enum tk_figure_rule rule)
{
    static const struct tk_figure none;
    const char *wanted = detail ? detail : "";
    for (size_t i = 0; i < figures->count; i++) {
        const struct tk_figure *figure = &figures->items[i];
        if (strcmp(figure->name, name) == 0 && figure->rule == rule &&
            tk_str_eq(figure->detail, tk_str_from(wanted)))
            return figure;
    }
    fail_msg("no figure %s %s", name, wanted);
    return &none;
}

/* Its value, of a name as "trigger_correlation" or "trigger_correlation/10 s". */
static inline double figure_value(const struct tk_figures *figures, const char *name,
                                  enum tk_figure_rule rule)
{
    char whole[64];
    const char *slash = strchr(name, '/');
    size_t n = slash ? (size_t)(slash - name) : strlen(name);
    assert_true(n < sizeof(whole));
    memcpy(whole, name, n);
    whole[n] = '\0';
    return figure_of(figures, whole, slash ? slash + 1 : NULL, rule)->value;
}

/* What is expected of figures of a measure: NaN = none, for a reason. */
struct expected_figure {
    const char *name;
    double compat, strict;
};

static inline void assert_figure(const struct tk_figures *figures, const char *name,
                                 enum tk_figure_rule rule, double expected)
{
    double value = figure_value(figures, name, rule);
    bool same = isnan(expected) ? isnan(value) : fabs(value - expected) < 1e-9;
    if (!same)
        fail_msg("%s %s is %.12g, not %.12g", name, rule == TK_FIGURE_COMPAT ? "compat" : "strict",
                 value, expected);
}

static inline void assert_figures(const struct tk_figures *figures,
                                  const struct expected_figure *expected, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_figure(figures, expected[i].name, TK_FIGURE_COMPAT, expected[i].compat);
        assert_figure(figures, expected[i].name, TK_FIGURE_STRICT, expected[i].strict);
    }
}

#endif
