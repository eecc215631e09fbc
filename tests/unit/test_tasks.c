/* SPDX-License-Identifier: Apache-2.0 */
/* Gen-T's tasks on tables that are small enough to count by hand (trace-fidelity.md section 6). */
#include "fidelity/tasks.h"

#include <stdlib.h>

#include "measure_fixture.h"

/* Twelve errors of cart in one hour make an alert of front and cart; db has one, which makes none.
 */
static const char errors_real[] = "t1 a - front o 1ms 9ms\n"
                                  "t1 b a cart  o 2ms 1ms error\n"
                                  "t1 c a cart  o 3ms 1ms error\n"
                                  "t1 d a cart  o 4ms 1ms error\n"
                                  "t1 e a cart  o 5ms 1ms error\n"
                                  "t1 f a front o 6ms 1ms\n"
                                  "t1 g a front o 7ms 1ms\n"
                                  "t1 h a db    o 8ms 1ms error\n";

static void monitors_alert_above_ten_pairs(void **state)
{
    (void)state;
    /* Pairs (S1, S2 with an error): front 3, cart 4, db 1 spans; errors: cart 4, db 1. Of S1 =
     * front: cart 12 (alert), db 3; of cart: cart 16 (alert), db 4; of db: 4 and 1. In A one span
     * of front and one error less: front 2 x 4 = 8 is no alert, cart 16 is one. */
    static const char fewer[] = "t1 a - front o 1ms 9ms\n"
                                "t1 b a cart  o 2ms 1ms error\n"
                                "t1 c a cart  o 3ms 1ms error\n"
                                "t1 d a cart  o 4ms 1ms error\n"
                                "t1 e a cart  o 5ms 1ms error\n"
                                "t1 f a front o 6ms 1ms\n";
    struct tk_figures figures = figures_of(&tk_measure_tasks, fewer, errors_real);
    /* First services of A: front (F1 0) and cart (F1 1). */
    assert_figure(&figures, "monitor_errors", TK_FIGURE_COMPAT, 0.5);
    assert_figure(&figures, "monitor_errors", TK_FIGURE_STRICT, 0.5);
    tk_figures_release(&figures);

    /* A head sample 1:2 stands for twice as many: 16 pairs of front are an alert. */
    const struct tk_measure_options half = {.sample_of = 2};
    figures = figures_with(&tk_measure_tasks, fewer, errors_real, &half);
    assert_figure(&figures, "monitor_errors", TK_FIGURE_COMPAT, 1);
    assert_figure(&figures, "monitor_errors", TK_FIGURE_STRICT, 1);
    tk_figures_release(&figures);
}

static void invented_alerts_cost_nothing_in_the_original(void **state)
{
    (void)state;
    /* B has no errors: its keys are none, A's alerts are no false positives. */
    static const char silent[] = "t1 a - front o 1ms 9ms\n"
                                 "t1 b a cart  o 2ms 1ms\n";
    struct tk_figures figures = figures_of(&tk_measure_tasks, errors_real, silent);
    assert_figure(&figures, "monitor_errors", TK_FIGURE_COMPAT, 0);
    assert_figure(&figures, "monitor_errors", TK_FIGURE_STRICT, 0);
    assert_int_equal(figure_of(&figures, "monitor_errors", NULL, TK_FIGURE_STRICT)->samples, 2);
    tk_figures_release(&figures);
}

static void triggers_are_sets_of_calls_by_window(void **state)
{
    (void)state;
    static const char b[] = "t1 a - front o 1s 9ms\n"
                            "t1 b a cart  o 1s 1ms\n"
                            "t2 a - front o 12s 9ms\n"
                            "t2 b a cart  o 12s 1ms\n"
                            "t2 c b db    o 12s 1ms\n";
    static const char a[] = "t1 a - front o 1s 9ms\n"
                            "t1 b a cart  o 1s 1ms\n"
                            "t2 a - front o 13s 9ms\n"
                            "t2 b a ads   o 13s 1ms\n";
    /* Windows of 3.6 s times h (microseconds): starts 1, 12 and 13 s are in 0, 3, 3 of h = 1; 0, 1,
     * 1 of h = 2, 3; 0 of h = 4, 5. B has 3 keys of h = 1..3 and 2 of 4, 5; A has 2, of which 1 is
     * common. F1 = 2/5 three times, 2/4 twice. */
    const struct expected_figure expected[] = {
        {"trigger_correlation", 0.4, 0.4},
        {"trigger_correlation_many", (3 * 0.4 + 2 * 0.5) / 5, (0.4 + 0.5) / 2},
    };
    struct tk_figures figures = figures_of(&tk_measure_tasks, a, b);
    assert_figures(&figures, expected, TK_COUNTOF(expected));
    assert_figure(&figures, "trigger_correlation/10 s", TK_FIGURE_STRICT, 0.4);
    assert_figure(&figures, "trigger_correlation/300 s", TK_FIGURE_STRICT, 0.5);
    tk_figures_release(&figures);
}

static void bottlenecks_compare_ratios_of_durations(void **state)
{
    (void)state;
    /* Ratios to front: cart .5, db .125 -> .13 (half away from zero). In A: cart .6, db missing;
     * and a group of ads, which the original does not see. */
    static const char b[] = "t1 a - front o 0 800\n"
                            "t1 b a cart  o 1 400\n"
                            "t1 c b db    o 2 100\n";
    static const char a[] = "t1 a - front o 0 1000\n"
                            "t1 b a cart  o 1 600\n"
                            "t1 c b ads   o 2 600\n";
    /* 12 h and 24 h: {.13, .5} against {.6, .6}: mean of .47 and .1. */
    double wide = (0.47 + 0.1) / 2;
    const struct expected_figure expected[] = {
        {"bottlenecks/4 h", (0.1 + 1) / 2, (0.1 + 1 + 1) / 3},
        {"bottlenecks/12 h", wide, wide},
        {"bottlenecks/24 h", wide, wide},
        {"bottlenecks", (0.55 + 2 * wide) / 3, (0.7 + 2 * wide) / 3},
    };
    struct tk_figures figures = figures_of(&tk_measure_tasks, a, b);
    assert_figures(&figures, expected, TK_COUNTOF(expected));
    tk_figures_release(&figures);
}

static void attributes_count_traces_by_value(void **state)
{
    (void)state;
    /* str_feature_1 is `component`, int_feature_1 the status code, of spans with a method. */
    static const char b[] =
        "t1 a - front o 0 9 http.method=GET component=x http.status_code:=200\n"
        "t2 a - front o 1 9 http.method=GET component=x http.status_code:=200\n"
        "t3 a - front o 2 9 http.method=GET component=y http.status_code:=204\n"
        "t4 a - ads   o 3 9 http.method=GET component=z http.status_code:=200\n"
        "t5 a - ads   o 4 9 http.method=GET component=q http.status_code:=200 error\n";
    static const char a[] =
        "t1 a - front o 0 9 http.method=GET component=x http.status_code:=200\n"
        "t2 a - front o 1 9 http.method=GET component=y http.status_code:=208\n";
    /* front: {x 2, y 1} against {x 1, y 1}: 2 x 2 / 5; {200 2, 204 1} against {200 1, 208 1}: W1 =
     * 4 - 4/3 (means 201.33 and 204), of a range of 8. ads is missing: perfect there, worst here.
     */
    double w1 = 204 - 604.0 / 3;
    const struct expected_figure expected[] = {
        {"attributes/str_feature_1", (0.8 + 1) / 2, (0.8 + 0) / 2},
        {"attributes_integers/int_feature_1", (w1 + 0) / 2, (w1 / 8 + 1) / 2},
    };
    struct tk_figures figures = figures_of(&tk_measure_tasks, a, b);
    assert_figures(&figures, expected, TK_COUNTOF(expected));
    tk_figures_release(&figures);
}

static void training_watches_gaps_durations_and_starts(void **state)
{
    (void)state;
    static const char b[] = "t1 a - front o 0 100\n"
                            "t1 b a cart  o 10 50\n"
                            "t2 a - front o 1000 100\n"
                            "t2 b a cart  o 1030 50\n";
    static const char a[] = "t1 a - front o 0 103\n"
                            "t1 b a cart  o 15 50\n"
                            "t2 a - front o 500 103\n"
                            "t2 b a cart  o 535 50\n";
    /* Octaves of 1 + microseconds, of which four are 1. */
    double gap = (log2(16.0 / 11) + log2(36.0 / 31)) / 2 / 4;
    double duration = log2(104.0 / 101) / 4 / 2;
    const struct expected_figure expected[] = {
        {"training_gap", 5, gap},
        {"training_duration", 1.5, duration},
        {"training_start", 0.25, 0.25},
    };
    struct tk_figures figures = figures_of(&tk_measure_tasks, a, b);
    assert_figures(&figures, expected, TK_COUNTOF(expected));
    tk_figures_release(&figures);
}

/* A cell has this many samples, the first of this value. */
static void assert_ratio(const struct tk_ratios *ratios, const int64_t names[2], double ratio,
                         size_t count)
{
    size_t at = 0;
    uint32_t cell = tk_cells_find(&ratios->cells, &(struct tk_cell_key){{names[0], names[1]}});
    struct tk_sample_run run = tk_samples_of(&ratios->samples[TK_SIDE_A], cell, &at);
    assert_int_equal(run.count, count);
    assert_near(run.items[0].value, ratio, 1e-15);
}

/* What Gen-T's tests of build_child_ratio_mapping say. */
static void paths_give_ratios_of_all_they_pass(void **state)
{
    (void)state;
    enum { A, B, C, D };
    static const uint64_t names[] = {A, B, C, D};
    static const int64_t starts[] = {0, 0, 0, 0};
    static const int64_t durations[] = {200, 100, 50, 10};
    static const uint32_t diamond[][2] = {{A, B}, {A, C}, {C, D}, {B, D}};
    static const struct {
        int64_t names[2];
        double ratio;
        size_t count;
    } expected[] = {
        {{A, B}, 0.5, 1}, {{A, C}, 0.25, 1}, {{A, D}, 0.05, 2}, {{C, D}, 0.2, 1}, {{B, D}, 0.1, 1},
    };
    const struct tk_ratio_graph graph = {.names = names,
                                         .start_ns = starts,
                                         .duration_ns = durations,
                                         .nodes = 4,
                                         .edges = diamond,
                                         .edge_count = 4};
    struct tk_ratios ratios = {0};
    assert_int_equal(tk_child_ratios(&graph, TK_SIDE_A, 1, 100, &ratios), 0);
    assert_int_equal(ratios.cells.count, TK_COUNTOF(expected));
    tk_samples_sort(&ratios.samples[TK_SIDE_A]);
    for (size_t i = 0; i < TK_COUNTOF(expected); i++)
        assert_ratio(&ratios, expected[i].names, expected[i].ratio, expected[i].count);
    tk_cells_release(&ratios.cells);
    tk_samples_release(&ratios.samples[TK_SIDE_A]);
}

static void a_child_that_starts_before_its_parent_has_no_ratio(void **state)
{
    (void)state;
    static const uint64_t names[] = {0, 1};
    static const int64_t starts[] = {10, 5};
    static const int64_t durations[] = {200, 100};
    static const uint32_t edges[][2] = {{0, 1}};
    const struct tk_ratio_graph graph = {.names = names,
                                         .start_ns = starts,
                                         .duration_ns = durations,
                                         .nodes = 2,
                                         .edges = edges,
                                         .edge_count = 1};
    struct tk_ratios ratios = {0};
    assert_int_equal(tk_child_ratios(&graph, TK_SIDE_A, 1, 100, &ratios), 0);
    assert_int_equal(ratios.cells.count, 0);
    tk_cells_release(&ratios.cells);
}

static void structures_alert_or_are_silent(void **state)
{
    (void)state;
    /* Gen-T's test of count_successes: structures 1 and 2 have issues, 4 and 5 have none; of A the
     * structures 1, 3 and 5 have, 4 has none. */
    static const char b[] = "t1 a - s1 o 0 9 error\nt1 b a s1 o 1 1\n"
                            "t2 a - s2 o 0 9 error\nt2 b a s2 o 1 1\n"
                            "t4 a - s4 o 0 9\nt4 b a s4 o 1 1\n"
                            "t5 a - s5 o 0 9\nt5 b a s5 o 1 1\n";
    static const char a[] = "t1 a - s1 o 0 9 error\nt1 b a s1 o 1 1\n"
                            "t3 a - s3 o 0 9 error\nt3 b a s3 o 1 1\n"
                            "t4 a - s4 o 0 9\nt4 b a s4 o 1 1\n"
                            "t5 a - s5 o 0 9 error\nt5 b a s5 o 1 1\n";
    const struct expected_figure expected[] = {
        {"alerts/alerted correctly", 1, 1}, {"alerts/failed", 1, 1}, {"alerts/misfired", 1, 2},
        {"alerts/correctly silent", 1, 1},  {"alerts", 0.5, 0.4},
    };
    struct tk_figures figures = figures_of(&tk_measure_tasks, a, b);
    assert_figures(&figures, expected, TK_COUNTOF(expected));
    tk_figures_release(&figures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(monitors_alert_above_ten_pairs),
        cmocka_unit_test(invented_alerts_cost_nothing_in_the_original),
        cmocka_unit_test(triggers_are_sets_of_calls_by_window),
        cmocka_unit_test(bottlenecks_compare_ratios_of_durations),
        cmocka_unit_test(attributes_count_traces_by_value),
        cmocka_unit_test(training_watches_gaps_durations_and_starts),
        cmocka_unit_test(paths_give_ratios_of_all_they_pass),
        cmocka_unit_test(a_child_that_starts_before_its_parent_has_no_ratio),
        cmocka_unit_test(structures_alert_or_are_silent),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
