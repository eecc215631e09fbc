/* SPDX-License-Identifier: Apache-2.0 */
/* Topology on forests that are small enough to match by hand (trace-fidelity.md section 7). */
#include "measure_fixture.h"

/* Trees f(a b) two times, f(a) once. */
static const char real[] = "t1 a - f o 0 9\nt1 b a a o 1 1\nt1 c a b o 2 1\n"
                           "t2 a - f o 10 9\nt2 b a a o 11 1\nt2 c a b o 12 1\n"
                           "t3 a - f o 20 9\nt3 b a a o 21 1\n";

static void the_nearest_trees_are_matched_first(void **state)
{
    (void)state;
    /* A: f(a), f(a), f(a c): one f(a) is exact; then f(a) - f(a b) costs 1, f(a c) - f(a b) 1. */
    static const char a[] = "t1 a - f o 0 9\nt1 b a a o 1 1\n"
                            "t2 a - f o 10 9\nt2 b a a o 11 1\n"
                            "t3 a - f o 20 9\nt3 b a a o 21 1\nt3 c a c o 22 1\n";
    struct tk_figures figures = figures_of(&tk_measure_topology, a, real);
    const struct tk_figure *figure = figure_of(&figures, "tree_distance", "h=2", TK_FIGURE_STRICT);
    assert_near(figure->value, 2.0 / 3, 1e-12);
    assert_int_equal(figure->samples, 3);
    assert_figure(&figures, "tree_distance_deviation/h=2", TK_FIGURE_STRICT, sqrt(2.0 / 9));
    assert_figure(&figures, "tree_distance", TK_FIGURE_STRICT, 2.0 / 3);
    tk_figures_release(&figures);
}

static void the_original_adds_what_it_should_subtract(void **state)
{
    (void)state;
    /* A: f(a b) once, f(x y) and g(h). Real f(a b) has two: after the exact match the original has
     * three of them left instead of one, so that f(x y) (2 renames) and g(h) both find one of them
     * or f(a); without the fault one of both is left to f(a). g(h) - f(a) costs 2, g(h) - f(a b) 3,
     * f(x y) - f(a b) 2, f(x y) - f(a) 2. Order of pairs at 2: f(x y) with f(a b), which takes 1,
     * then g(h) with f(a). */
    static const char a[] = "t1 a - f o 0 9\nt1 b a a o 1 1\nt1 c a b o 2 1\n"
                            "t2 a - f o 10 9\nt2 b a x o 11 1\nt2 c a y o 12 1\n"
                            "t3 a - g o 20 9\nt3 b a h o 21 1\n"
                            "t4 a - g o 30 9\nt4 b a h o 31 1\n";
    static const char b[] = "t1 a - f o 0 9\nt1 b a a o 1 1\nt1 c a b o 2 1\n"
                            "t2 a - f o 10 9\nt2 b a a o 11 1\nt2 c a b o 12 1\n"
                            "t3 a - f o 20 9\nt3 b a a o 21 1\n"
                            "t4 a - k o 30 9\nt4 b a l o 31 1\n";
    /* Strict: f(a b) 0; f(x y) - f(a b) 2; g(h) - f(a) 2; g(h) - k(l) 2: mean 6 / 4. Compatible:
     * the same pairs come first at distance 2, so the fault shows in what is left, not in the mean.
     */
    struct tk_figures figures = figures_of(&tk_measure_topology, a, b);
    assert_figure(&figures, "tree_distance/h=2", TK_FIGURE_STRICT, 1.5);
    assert_figure(&figures, "tree_distance/h=2", TK_FIGURE_COMPAT, 1.5);
    tk_figures_release(&figures);

    /* Real f(a b) two times and k(l m n); A has f(a b) and f(a c). The fault lets f(a c) match a
     * tree that was taken twice over; and with f(a c) two times both do, where one should go to k.
     */
    static const char twice[] = "t1 a - f o 0 9\nt1 b a a o 1 1\nt1 c a b o 2 1\n"
                                "t2 a - f o 10 9\nt2 b a a o 11 1\nt2 c a c o 12 1\n"
                                "t3 a - f o 20 9\nt3 b a a o 21 1\nt3 c a c o 22 1\n";
    static const char other[] = "t1 a - f o 0 9\nt1 b a a o 1 1\nt1 c a b o 2 1\n"
                                "t2 a - f o 10 9\nt2 b a a o 11 1\nt2 c a b o 12 1\n"
                                "t3 a - k o 20 9\nt3 b a l o 21 1\nt3 c a m o 22 1\n";
    figures = figures_of(&tk_measure_topology, twice, other);
    /* Strict: 0, 1, 3. Compatible: 0, then 3 trees are there: 1, 1. */
    assert_figure(&figures, "tree_distance/h=2", TK_FIGURE_STRICT, 4.0 / 3);
    assert_figure(&figures, "tree_distance/h=2", TK_FIGURE_COMPAT, 2.0 / 3);
    tk_figures_release(&figures);
}

static void too_few_real_trees_are_told(void **state)
{
    (void)state;
    static const char one[] = "t1 a - f o 0 9\nt1 b a a o 1 1\n";
    struct tk_figures figures = figures_of(&tk_measure_topology, real, one);
    const struct tk_figure *figure = figure_of(&figures, "tree_distance", NULL, TK_FIGURE_COMPAT);
    assert_string_equal(figure->reason, "the original fails: fewer real trees than made ones");
    assert_figure(&figures, "tree_distance", TK_FIGURE_STRICT, 0);
    assert_figure(&figures, "unmatched_trees", TK_FIGURE_STRICT, 2 * 5);
    tk_figures_release(&figures);

    figures = figures_of(&tk_measure_topology, one, real);
    assert_figure(&figures, "tree_distance", TK_FIGURE_COMPAT, 1);
    assert_figure(&figures, "unmatched_trees", TK_FIGURE_STRICT, 0);
    tk_figures_release(&figures);
}

static void height_is_counted_in_edges(void **state)
{
    (void)state;
    /* Chains of four edges that differ in the last one: subtrees of two edges from their first
     * three nodes are equal but that of the third and of the fourth node. */
    static const char b[] = "t1 a - a o 0 9\nt1 b a b o 1 8\nt1 c b c o 2 7\nt1 d c d o 3 6\n"
                            "t1 e d e o 4 5\n";
    static const char a[] = "t1 a - a o 0 9\nt1 b a b o 1 8\nt1 c b c o 2 7\nt1 d c d o 3 6\n"
                            "t1 e d x o 4 5\n";
    struct tk_figures figures = figures_of(&tk_measure_topology, a, b);
    assert_figure(&figures, "tree_distance/h=2", TK_FIGURE_STRICT, 0.5);
    assert_figure(&figures, "tree_distance/h=3", TK_FIGURE_STRICT, 0.75);
    assert_figure(&figures, "tree_distance/h=5", TK_FIGURE_STRICT, 1);
    tk_figures_release(&figures);
}

static void children_that_the_original_would_move_are_counted(void **state)
{
    (void)state;
    /* b starts 5000 before its parent and is moved to 4000 after it; then c is 5000 before b. */
    static const char moved[] = "t1 a - s o 10000 9\nt1 b a s o 5000 1\nt1 c b s o 9000 1\n";
    struct tk_figures figures = figures_of(&tk_measure_topology, moved, real);
    assert_figure(&figures, "repaired_starts/B", TK_FIGURE_COMPAT, 0);
    assert_figure(&figures, "repaired_starts/A", TK_FIGURE_COMPAT, 1);
    tk_figures_release(&figures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_trees_are_matched_first),
        cmocka_unit_test(the_original_adds_what_it_should_subtract),
        cmocka_unit_test(too_few_real_trees_are_told),
        cmocka_unit_test(height_is_counted_in_edges),
        cmocka_unit_test(children_that_the_original_would_move_are_counted),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
