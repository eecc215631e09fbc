/* SPDX-License-Identifier: Apache-2.0 */
/* Trace by trace: what is the same, and how far times are off. */
#include "measure_fixture.h"

static const char real[] = "t1 a - front o 0    100ms\nt1 b a cart o 10ms 40ms error\n"
                           "t1 c a cart o 60ms 20ms\n"
                           "t2 a - front o 200ms 80ms\nt2 b a ads o 210ms 10ms\n"
                           "t3 a - front o 400ms 100ms\nt3 b a cart o 410ms 40ms\n"
                           "t3 c a cart o 460ms 20ms\n";

struct expected_part {
    const char *name;
    double value;
};

static void assert_parts(const char *a, const struct expected_part *expected, size_t count)
{
    struct tk_figures figures = figures_of(&tk_measure_trace, a, real);
    for (size_t i = 0; i < count; i++)
        assert_figure(&figures, expected[i].name, TK_FIGURE_STRICT, expected[i].value);
    tk_figures_release(&figures);
}

static void times_are_compared_span_by_span(void **state)
{
    (void)state;
    /* Ids of traces are kept. t1: cart 40 ms becomes 44 (10 %), gap 10 becomes 9; t2 starts 2 ms
     * late; t3 lost its errors but had none. */
    static const char a[] = "t1 a - front o 0    100ms\nt1 b a cart o 9ms 44ms error\n"
                            "t1 c a cart o 60ms 20ms\n"
                            "t2 a - front o 202ms 80ms\nt2 b a ads o 212ms 10ms\n"
                            "t3 a - front o 400ms 100ms\nt3 b a cart o 410ms 40ms\n"
                            "t3 c a cart o 460ms 20ms\n";
    static const struct expected_part expected[] = {
        {"same_tree", 1},        {"same_errors", 1},        {"same_attributes", 1},
        {"duration_error", 0.1}, {"duration_error/p50", 0}, {"gap_error", 0.1},
        {"start_error_ms", 2},   {"start_error_ms/p50", 0},
    };
    assert_parts(a, expected, TK_COUNTOF(expected));
}

static void without_ids_traces_of_a_shape_are_paired_by_start(void **state)
{
    (void)state;
    /* The trace of ads now starts before the first one; the two others are as they were. */
    static const char a[] = "x1 p - front o 0    100ms\nx1 q p cart o 10ms 40ms error\n"
                            "x1 r p cart o 60ms 20ms\n"
                            "x2 p - front o -1ms 80ms\nx2 q p ads o 9ms 10ms\n"
                            "x3 p - front o 400ms 100ms\nx3 q p cart o 410ms 40ms\n"
                            "x3 r p cart o 460ms 20ms\n";
    static const struct expected_part expected[] = {
        {"same_tree", 1},      {"same_errors", 1}, {"same_attributes", 1},
        {"duration_error", 0}, {"gap_error", 0},   {"start_error_ms", 201},
    };
    assert_parts(a, expected, TK_COUNTOF(expected));
}

static void siblings_that_change_places_keep_what_is_below_them(void **state)
{
    (void)state;
    static const char b[] = "t1 a - f o 0 100ms\nt1 b a c o 10ms 40ms\nt1 c a c o 11ms 20ms\n"
                            "t1 d b e o 12ms 5ms\n";
    static const char a[] = "t1 a - f o 0 100ms\nt1 b a c o 12ms 40ms\nt1 c a c o 11ms 20ms\n"
                            "t1 d b e o 14ms 5ms\n";
    struct tk_figures figures = figures_of(&tk_measure_trace, a, b);
    assert_figure(&figures, "same_tree", TK_FIGURE_STRICT, 1);
    assert_figure(&figures, "duration_error", TK_FIGURE_STRICT, 0);
    assert_figure(&figures, "gap_error", TK_FIGURE_STRICT, 0.2);
    tk_figures_release(&figures);
}

static void changed_trees_errors_and_attributes_are_told(void **state)
{
    (void)state;
    /* t1 lost an error and has an attribute; t2 calls cart instead of ads. */
    static const char a[] = "t1 a - front o 0    100ms http.status_code:=200\n"
                            "t1 b a cart o 10ms 40ms\n"
                            "t1 c a cart o 60ms 20ms\n"
                            "t2 a - front o 200ms 80ms\nt2 b a cart o 210ms 10ms\n"
                            "t3 a - front o 400ms 100ms\nt3 b a cart o 410ms 40ms\n"
                            "t3 c a cart o 460ms 20ms\n";
    static const struct expected_part expected[] = {
        {"same_tree", 2.0 / 3},
        {"same_errors", 5.0 / 6},
        {"same_attributes", 5.0 / 6},
        {"duration_error", 0},
    };
    assert_parts(a, expected, TK_COUNTOF(expected));
}

static void a_set_that_lacks_traces_is_not_compared(void **state)
{
    (void)state;
    struct tk_figures figures = figures_of(&tk_measure_trace, "t1 a - front o 0 1\n", real);
    const struct tk_figure *figure = figure_of(&figures, "same_tree", NULL, TK_FIGURE_STRICT);
    assert_string_equal(figure->reason, "not all traces are kept");
    assert_true(isnan(figure->value));
    tk_figures_release(&figures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_compared_span_by_span),
        cmocka_unit_test(without_ids_traces_of_a_shape_are_paired_by_start),
        cmocka_unit_test(siblings_that_change_places_keep_what_is_below_them),
        cmocka_unit_test(changed_trees_errors_and_attributes_are_told),
        cmocka_unit_test(a_set_that_lacks_traces_is_not_compared),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
