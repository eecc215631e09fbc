/* SPDX-License-Identifier: Apache-2.0 */
/* Joint structure of tables that are small enough to reckon by hand (trace-fidelity.md section 10).
 */
#include "fidelity/joint_shapes.h"

#include <stdlib.h>

#include "measure_fixture.h"

/* `count` traces of front and cart, whose durations are 1000 << (i % 4) and 100 << (j % 4) us,
 * where j is i, or backwards, or the same for all. */
enum follow { ALONG, AGAINST, NOT };

static char *pairs_of(int count, enum follow follow)
{
    char *text = malloc((size_t)count * 96 + 1);
    size_t n = 0;
    assert_non_null(text);
    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        int by[] = {[ALONG] = i % 4, [AGAINST] = 3 - i % 4, [NOT] = i / 4 % 4};
        n += (size_t)snprintf(text + n, 96, "t%d a - front o %d %d\nt%d b a cart o %d %d\n", i, i,
                              1000 << (i % 4), i, i, 100 << by[follow]);
    }
    return text;
}

static double correlation_of(const char *a, const char *b)
{
    struct tk_figures figures = figures_of(&tk_measure_joint, a, b);
    double value = figure_value(&figures, "correlation", TK_FIGURE_STRICT);
    tk_figures_release(&figures);
    return value;
}

static void correlation_of_parents_and_children_is_compared(void **state)
{
    (void)state;
    char *along = pairs_of(32, ALONG);
    char *against = pairs_of(32, AGAINST);
    char *not = pairs_of(32, NOT);
    char *few = pairs_of(8, ALONG);
    assert_near(correlation_of(along, along), 0, 1e-12);
    assert_near(correlation_of(against, along), 2, 1e-12);
    assert_near(correlation_of(not, along), 1, 1e-12);
    assert_near(correlation_of(few, along), 1, 0); /* too few tell nothing */
    assert_true(isnan(correlation_of(along, few)));
    free(along);
    free(against);
    free(not );
    free(few);
}

static void errors_go_from_children_to_parents(void **state)
{
    (void)state;
    char b[1024] = "";
    char a[1024] = "";
    size_t in_a = 0;
    size_t in_b = 0;
    /* Of eight failed children six fail their parents in B, two in A. */
    for (int i = 0; i < 8; i++) {
        in_b += (size_t)snprintf(b + in_b, sizeof(b) - in_b,
                                 "t%d a - f o %d 9%s\nt%d b a c o %d 1 error\n", i, i,
                                 i < 6 ? " error" : "", i, i);
        in_a += (size_t)snprintf(a + in_a, sizeof(a) - in_a,
                                 "t%d a - f o %d 9%s\nt%d b a c o %d 1 error\n", i, i,
                                 i < 2 ? " error" : "", i, i);
    }
    struct tk_figures figures = figures_of(&tk_measure_joint, a, b);
    assert_figure(&figures, "error_propagation", TK_FIGURE_STRICT, 0.5);
    tk_figures_release(&figures);
}

static void critical_paths_are_those_of_crisp(void **state)
{
    (void)state;
    /* B: front 0..100 waits for cart 10..60 and then ads 60..90: 20, 50, 30. A: cart 10..30, ads
     * 60..90: front 50, cart 20, ads 30. A child that another one outlasts is not on the path. */
    static const char b[] = "t1 a - front o 0 100\nt1 b a cart o 10 50\nt1 c a ads o 60 30\n"
                            "t1 d a db o 20 30\n";
    static const char a[] = "t1 a - front o 0 100\nt1 b a cart o 10 20\nt1 c a ads o 60 30\n";
    struct tk_figures figures = figures_of(&tk_measure_joint, a, b);
    assert_figure(&figures, "critical_path", TK_FIGURE_STRICT, 0.3);
    tk_figures_release(&figures);
    figures = figures_of(&tk_measure_joint, "", b);
    assert_figure(&figures, "critical_path", TK_FIGURE_STRICT, 1);
    tk_figures_release(&figures);
}

static char *entries_of(int count, int longest)
{
    char *text = malloc((size_t)count * 64);
    size_t n = 0;
    assert_non_null(text);
    for (int i = 0; i < count; i++) {
        n += (size_t)snprintf(text + n, 64, "t%d a - front o %d %d\n", i, i,
                              i == count - 1 ? longest : 100);
    }
    return text;
}

static void tails_are_quantiles_of_entry_operations(void **state)
{
    (void)state;
    /* p99 of 101 values is the hundredth: 100 in both; with 100 values it is 1 % of the way to the
     * longest: 100 + .01 x 900 against 100 + .01 x 400. */
    char *b = entries_of(100, 1000);
    char *a = entries_of(100, 500);
    struct tk_figures figures = figures_of(&tk_measure_joint, a, b);
    assert_figure(&figures, "tail_p99", TK_FIGURE_STRICT, 5.0 / 109);
    assert_true(isnan(figure_value(&figures, "tail_p99_9", TK_FIGURE_STRICT)));
    tk_figures_release(&figures);
    free(a);
    free(b);
}

static void sizes_and_shapes_of_traces_are_compared(void **state)
{
    (void)state;
    static const char b[] = "t1 a - f o 0 9\nt1 b a c o 1 1\nt1 c a d o 2 1\n"
                            "t2 a - f o 10 9\nt2 b a c o 11 1\nt2 c a d o 12 1\n"
                            "t3 a - f o 20 9\nt3 b a d o 21 1\nt3 c a c o 22 1\n"
                            "t4 a - f o 30 9\n";
    static const char a[] = "t1 a - f o 0 9\nt1 b a c o 1 1\nt1 c a d o 2 1\n"
                            "t2 a - f o 5 9 error\n";
    /* Shapes: f(c d) twice, f(d c), f. */
    const struct {
        const char *name;
        double value;
    } expected[] = {
        {"shapes", 3},
        {"shape_recall", 2.0 / 3},
        {"shape_recall_weighted", 3.0 / 4},
        {"shape_recall_with_errors", 1.0 / 3},
        {"shape_recall_with_errors_weighted", 2.0 / 4},
        {"tree_size", 0.5}, /* halves of 1 and 3 against a quarter of 1 */
    };
    struct tk_figures figures = figures_of(&tk_measure_joint, a, b);
    for (size_t i = 0; i < TK_COUNTOF(expected); i++)
        assert_figure(&figures, expected[i].name, TK_FIGURE_STRICT, expected[i].value);
    tk_figures_release(&figures);
}

static void children_that_start_at_once_have_one_order(void **state)
{
    (void)state;
    static const char b[] = "t1 a - f o 0 9\nt1 b a c o 1 1\nt1 c a d o 1 1\n";
    static const char a[] = "t1 a - f o 0 9\nt1 b a d o 1 1\nt1 c a c o 1 1\n";
    struct tk_figures figures = figures_of(&tk_measure_joint, a, b);
    assert_figure(&figures, "shape_recall", TK_FIGURE_STRICT, 1);
    tk_figures_release(&figures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(correlation_of_parents_and_children_is_compared),
        cmocka_unit_test(errors_go_from_children_to_parents),
        cmocka_unit_test(critical_paths_are_those_of_crisp),
        cmocka_unit_test(tails_are_quantiles_of_entry_operations),
        cmocka_unit_test(sizes_and_shapes_of_traces_are_compared),
        cmocka_unit_test(children_that_start_at_once_have_one_order),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
