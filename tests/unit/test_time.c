/* SPDX-License-Identifier: Apache-2.0 */
/* What GenTEval measures over time, on series that are short enough to reckon by hand
 * (trace-fidelity.md section 8). */
#include "measure_fixture.h"

/* Spans of s per minute: 2, 1, 1; of u: 1 in the first. */
static const char real[] = "t1 a - s o  1s 10ms\n"
                           "t2 a - s o  2s 30ms\n"
                           "t3 a - s o 61s 20ms error\n"
                           "t4 a - s o 121s 20ms\n"
                           "t5 a - u o  5s 40ms http.status_code:=200\n";

/* Of s: 1, 1, 0; no u; t of its own. */
static const char made[] = "t1 a - s o  1s 10ms\n"
                           "t3 a - s o 61s 20ms\n"
                           "t6 a - t o  1s 20ms\n";

static void rates_are_compared_window_by_window(void **state)
{
    (void)state;
    /* s: elements |2-1|/3 and 0 of the common minutes: 100 - 100/6; u has none: 0. Strict, by ten
     * seconds: s has windows 0 (2, 1), 6 (1, 1), 12 (1, 0), u and t one each that the other lacks.
     */
    const struct expected_figure expected[] = {
        {"rate", (100 - 100.0 / 6) / 2, (100 - 100.0 / 3 + 100) / 5},
    };
    struct tk_figures figures = figures_of(&tk_measure_time, made, real);
    assert_figures(&figures, expected, TK_COUNTOF(expected));
    /* All: 3, 1, 1 against 2, 1, 0. */
    assert_figure(&figures, "rate/all, 60 s", TK_FIGURE_COMPAT, 100 - 100.0 / 5 / 2);
    assert_figure(&figures, "rate/all, 60 s", TK_FIGURE_STRICT, (80 + 100 + 0) / 3.0);
    /* s: (2, 1) and (1, 1): 3 / (sqrt 5 sqrt 2). */
    assert_figure(&figures, "rate_cosine", TK_FIGURE_COMPAT, 100 * 3 / sqrt(10) / 2);
    assert_figure(&figures, "rate/http.status_code, 60 s", TK_FIGURE_COMPAT, 0);
    tk_figures_release(&figures);
}

static void samples_are_scaled(void **state)
{
    (void)state;
    const struct tk_measure_options half = {.sample_of = 2};
    struct tk_figures figures = figures_with(&tk_measure_time, made, real, &half);
    /* s: 2 = 2, then 1 against 2: 1/3. */
    assert_figure(&figures, "rate", TK_FIGURE_COMPAT, (100 - 100.0 / 6) / 2);
    assert_figure(&figures, "rate/all, 60 s", TK_FIGURE_COMPAT,
                  100 - 100 * (1.0 / 7 + 1.0 / 3) / 2);
    tk_figures_release(&figures);
}

static void errors_of_the_original_that_are_gone_are_worst(void **state)
{
    (void)state;
    const struct expected_figure expected[] = {{"errors", 0, 0}};
    struct tk_figures figures = figures_of(&tk_measure_time, made, real);
    assert_figures(&figures, expected, TK_COUNTOF(expected));
    assert_string_equal(
        figure_of(&figures, "errors", "http.status_code, 60 s", TK_FIGURE_COMPAT)->reason,
        "no spans with an error");
    tk_figures_release(&figures);
}

static void durations_are_compared_by_quantile(void **state)
{
    (void)state;
    /* s, first minute: 10 against quantiles 10, 12, ... 30; second: equal. */
    double sum = 0;
    for (int p = 0; p <= 10; p++) {
        double real_ms = 10 + 2.0 * p;
        sum += 100 - 100 * (real_ms - 10) / (real_ms + 10) / 2;
    }
    struct tk_figures figures = figures_of(&tk_measure_time, made, real);
    assert_figure(&figures, "durations", TK_FIGURE_COMPAT, sum / 11 / 2);
    tk_figures_release(&figures);
}

static void sets_of_services_and_calls_have_precision_and_recall(void **state)
{
    (void)state;
    static const char b[] = "t1 a - f o 0 9\nt1 b a c get 1 1\nt1 c a d o 2 1\n";
    static const char a[] = "t1 a - f o 0 9\nt1 b a c put 1 1\n";
    /* Services {f, c} of {f, c, d}, calls {f c} of {f c, f d}; operations of c differ. */
    const struct expected_figure expected[] = {
        {"operation_precision", 1, 0.5},   {"operation_recall", 2.0 / 3, 1.0 / 3},
        {"operation_f1", 0.8, 0.4},        {"operation_pair_precision", 1, 0},
        {"operation_pair_recall", 0.5, 0}, {"operation_pair_f1", 2.0 / 3, 0},
    };
    struct tk_figures figures = figures_of(&tk_measure_time, a, b);
    assert_figures(&figures, expected, TK_COUNTOF(expected));
    tk_figures_release(&figures);
}

static void trees_are_parts_of_traces(void **state)
{
    (void)state;
    /* Trees of 2 and 1 (an orphan) spans in one trace, against one of 3. */
    static const char b[] = "t1 a - f o 0 9\nt1 b a c o 1 1\nt1 c z c o 2 1\n";
    static const char a[] = "t1 a - f o 0 9\nt1 b a c o 1 1\nt1 c b c o 2 1\n";
    struct tk_figures figures = figures_of(&tk_measure_time, a, b);
    assert_figure(&figures, "span_count", TK_FIGURE_COMPAT, 1.5);
    assert_figure(&figures, "span_count", TK_FIGURE_STRICT, 1.5);
    tk_figures_release(&figures);
}

static void graphs_differ_by_nodes_and_weights(void **state)
{
    (void)state;
    static const char b[] = "t1 a - f o 0 9\nt1 b a c o 1 1\nt1 c a c o 2 1\nt1 d c d o 2 1\n"
                            "t2 a - f o 70s 9\n";
    static const char a[] = "t1 a - f o 0 9\nt1 b a c o 1 1\nt1 c b e o 2 1\n";
    /* Nodes d and e: 2; f-c 1 against 2: 1; c-d 1; c-e 1. Of 3 nodes and weights 3 + 2. The second
     * minute is not in A. */
    double fidelity = 100 - 100 * 5.0 / 8;
    struct tk_figures figures = figures_of(&tk_measure_time, a, b);
    assert_figure(&figures, "graph_distance/60 s", TK_FIGURE_COMPAT, 5);
    assert_figure(&figures, "graph", TK_FIGURE_COMPAT, fidelity);
    assert_figure(&figures, "graph/60 s", TK_FIGURE_STRICT, fidelity / 2);
    tk_figures_release(&figures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_compared_window_by_window),
        cmocka_unit_test(samples_are_scaled),
        cmocka_unit_test(errors_of_the_original_that_are_gone_are_worst),
        cmocka_unit_test(durations_are_compared_by_quantile),
        cmocka_unit_test(sets_of_services_and_calls_have_precision_and_recall),
        cmocka_unit_test(trees_are_parts_of_traces),
        cmocka_unit_test(graphs_differ_by_nodes_and_weights),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
