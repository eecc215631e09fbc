/* SPDX-License-Identifier: Apache-2.0 */
#include "step/statistics.h"

#include "base/compiler.h"
#include "tk_test.h"

static void the_median_is_the_middle_or_the_mean_of_two(void **state)
{
    (void)state;
    assert_near(tk_median((const double[]){3, 1, 2}, 3), 2, 0);
    assert_near(tk_median((const double[]){4, 1, 3, 2}, 4), 2.5, 0);
    assert_near(tk_mad((const double[]){1, 1, 2, 2, 4, 6, 9}, 7, 2), 1, 0);
}

static void the_robust_z_does_not_mind_an_outlier(void **state)
{
    (void)state;
    static const double calm[] = {100, 101, 99, 100, 102, 98, 100, 101, 99, 300};
    assert_near(tk_robust_z(calm, 10, 100), 0, 0.6);
    assert_true(tk_robust_z(calm, 10, 120) > 3.5);
    assert_true(tk_robust_z(calm, 10, 80) < -3.5);
}

static void a_baseline_without_noise_does_not_make_every_run_suspicious(void **state)
{
    (void)state;
    static const double same[] = {1, 1, 1, 1, 1};
    assert_true(tk_robust_z(same, 5, 1.005) < 1);
    assert_true(tk_robust_z(same, 5, 1.2) > 3.5);
}

/* All of b above all of a. */
static double least_p(size_t a_count, size_t b_count)
{
    double a[64];
    double b[64];
    for (size_t i = 0; i < a_count; i++)
        a[i] = (double)i;
    for (size_t i = 0; i < b_count; i++)
        b[i] = 100 + (double)i;
    return tk_mann_whitney(a, a_count, b, b_count);
}

static void the_smallest_p_of_small_groups_is_exact(void **state)
{
    (void)state;
    static const struct {
        size_t a, b;
        double p;
    } cases[] = {
        {3, 3, 1.0 / 20},  {4, 4, 1.0 / 70},   {5, 5, 1.0 / 252}, {10, 1, 1.0 / 11},
        {10, 2, 1.0 / 66}, {10, 3, 1.0 / 286}, {30, 1, 1.0 / 31},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++)
        assert_near(least_p(cases[i].a, cases[i].b), cases[i].p, 1e-12);
}

/* Exact by counting all 126 orders; with ties by the formula for them, written out. */
static void mann_whitney_agrees_with_counting(void **state)
{
    (void)state;
    static const double a[] = {1.1, 2.2, 3.3, 4.4, 5.5};
    static const double b[] = {2.0, 3.0, 6.0, 7.0};
    assert_near(tk_mann_whitney(a, 5, b, 4), 35.0 / 126, 1e-12);
    static const double tied[] = {1, 2, 2, 3, 3, 3};
    static const double above[] = {2, 3, 4, 4, 5};
    assert_near(tk_mann_whitney(tied, 6, above, 5), 0.0443568, 1e-6);
}

static void the_exact_and_the_normal_p_of_large_groups_meet(void **state)
{
    (void)state;
    double a[21];
    double b[21];
    for (int i = 0; i < 21; i++) {
        a[i] = i;
        b[i] = i + 4.5;
    }
    assert_near(tk_mann_whitney(a, 20, b, 20), tk_mann_whitney(a, 21, b, 20), 0.03);
}

static void the_shift_has_an_interval_around_it(void **state)
{
    (void)state;
    static const double a[] = {10, 11, 12, 13, 14, 15, 16, 17};
    static const double b[] = {15, 16, 17, 18, 19, 20, 21, 22};
    struct tk_shift shift = tk_shift_find(a, 8, b, 8);
    assert_near(shift.middle, 5, 0);
    assert_true(shift.low < 5 && shift.high > 5 && shift.low > 0);
}

static void a_planted_change_is_found_where_it_is(void **state)
{
    (void)state;
    double values[40];
    for (size_t i = 0; i < 40; i++)
        values[i] = (i < 20 ? 100 : 110) + (double)(i * 7 % 5) - 2;
    struct tk_change changes[TK_CHANGES_MAX];
    assert_int_equal(tk_changes_find(values, 40, changes), 1);
    assert_int_equal(changes[0].at, 20);
    assert_near(changes[0].percent, 10, 1.5);
    assert_true(changes[0].p < 0.01);
}

static void two_changes_come_in_order_and_noise_has_none(void **state)
{
    (void)state;
    double values[60];
    for (size_t i = 0; i < 60; i++)
        values[i] = (i < 20 ? 100 : i < 40 ? 130 : 150) + (double)(i * 7 % 5) - 2;
    struct tk_change changes[TK_CHANGES_MAX];
    assert_int_equal(tk_changes_find(values, 60, changes), 2);
    assert_near((double)changes[0].at, 20, 1);
    assert_near((double)changes[1].at, 40, 1);
    for (size_t i = 0; i < 60; i++)
        values[i] = 100 + (double)(i * 7 % 5) - 2;
    assert_int_equal(tk_changes_find(values, 60, changes), 0);
}

static void holm_corrects_for_many_tests(void **state)
{
    (void)state;
    double p[] = {0.01, 0.04, 0.03, 0.005};
    tk_holm(p, 4);
    static const double expected[] = {0.03, 0.06, 0.06, 0.02};
    for (size_t i = 0; i < 4; i++)
        assert_near(p[i], expected[i], 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_median_is_the_middle_or_the_mean_of_two),
        cmocka_unit_test(the_robust_z_does_not_mind_an_outlier),
        cmocka_unit_test(a_baseline_without_noise_does_not_make_every_run_suspicious),
        cmocka_unit_test(the_smallest_p_of_small_groups_is_exact),
        cmocka_unit_test(mann_whitney_agrees_with_counting),
        cmocka_unit_test(the_exact_and_the_normal_p_of_large_groups_meet),
        cmocka_unit_test(the_shift_has_an_interval_around_it),
        cmocka_unit_test(a_planted_change_is_found_where_it_is),
        cmocka_unit_test(two_changes_come_in_order_and_noise_has_none),
        cmocka_unit_test(holm_corrects_for_many_tests),
    };
    return cmocka_run_group_tests_name("statistics", tests, NULL, NULL);
}
