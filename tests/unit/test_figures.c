/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/figures.h"

#include <errno.h>

#include "tk_test.h"

static void figures_are_found_by_group_name_and_rule(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_figures figures;
    char detail[] = "window 5m";
    assert_int_equal(tk_figures_init(&figures, &err), 0);
    for (size_t i = 0; i < 200; i++) {
        tk_figures_add(&figures, &(struct tk_figure){.group = "queries",
                                                     .name = "red_rate",
                                                     .detail = tk_str_from(detail),
                                                     .value = (double)i});
    }
    tk_figures_add(&figures, &(struct tk_figure){.group = "queries",
                                                 .name = "red_rate",
                                                 .rule = TK_FIGURE_COMPAT,
                                                 .value = 0.5});
    tk_figures_add(
        &figures,
        &(struct tk_figure){.group = "queries", .name = "red_rate", .value = 0.25, .samples = 3});
    detail[0] = 'W';
    assert_int_equal(tk_figures_check(&figures, &err), 0);
    assert_int_equal(figures.count, 202);
    assert_str_equal(figures.items[0].detail, "window 5m");
    assert_near(figures.items[199].value, 199, 0);
    const struct tk_figure *strict =
        tk_figures_find(&figures, "queries", "red_rate", TK_FIGURE_STRICT);
    assert_non_null(strict);
    assert_near(strict->value, 0.25, 0);
    assert_near(tk_figures_find(&figures, "queries", "red_rate", TK_FIGURE_COMPAT)->value, 0.5, 0);
    assert_null(tk_figures_find(&figures, "tasks", "red_rate", TK_FIGURE_STRICT));
    assert_null(tk_figures_find(&figures, "queries", "red", TK_FIGURE_STRICT));
    tk_figures_release(&figures);
}

static void a_measure_that_is_none_is_refused_by_name(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_figures figures;
    const char *const names[] = {"nonsense"};
    const struct tk_measure_options options = {.measures = names, .measure_count = 1};
    assert_int_equal(tk_figures_init(&figures, &err), 0);
    assert_int_equal(tk_measure_run(NULL, NULL, &options, &figures, &err), -EINVAL);
    assert_string_equal(err.msg, "'nonsense' is no measure");
    tk_figures_release(&figures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_found_by_group_name_and_rule),
        cmocka_unit_test(a_measure_that_is_none_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
