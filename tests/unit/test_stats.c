/* SPDX-License-Identifier: Apache-2.0 */
/* Expected results of opendc.md section 18. */
#include "tk_test.h"

#include <math.h>

#include "base/compiler.h"
#include "opendc/stats.h"

static void quantiles_are_linear_between_values(void **state)
{
    (void)state;
    const double values[] = {0, 10, 20, 30, 40};
    assert_near(tk_stats_quantile(values, 5, 0.5), 20, 1e-12);
    assert_near(tk_stats_quantile(values, 5, 0.95), 38, 1e-12);
    assert_near(tk_stats_quantile(values, 5, 0.99), 39.6, 1e-12);
    assert_true(isnan(tk_stats_quantile(values, 0, 0.5)));
}

static void distributions_are_compared_by_ks(void **state)
{
    (void)state;
    const double a[] = {1, 2, 3, 4};
    const double b[] = {2, 3, 4, 5};
    struct tk_ks ks = tk_stats_ks(a, 4, b, 4);
    assert_near(ks.distance, 0.25, 1e-12);
    assert_near(ks.p, 0.99688, 5e-6);
    ks = tk_stats_ks(a, 4, a, 4);
    assert_near(ks.distance, 0, 1e-12);
    assert_near(ks.p, 1, 1e-12);
}

static void smape_is_symmetric(void **state)
{
    (void)state;
    const double a[] = {1000, 2000, 0};
    const double b[] = {1100, 1900, 0};
    assert_near(tk_stats_smape(a, b, 3), 7.326, 5e-4);
    assert_near(tk_stats_smape(b, a, 3), 7.326, 5e-4);
}

static void correlation_is_of_shape_not_of_size(void **state)
{
    (void)state;
    const double a[] = {1, 2, 3, 4};
    const double b[] = {10, 20, 30, 40};
    const double c[] = {4, 3, 2, 1};
    assert_near(tk_stats_pearson(a, b, 4), 1, 1e-12);
    assert_near(tk_stats_pearson(a, c, 4), -1, 1e-12);
    assert_near(tk_stats_rmse(a, c, 4), sqrt(5), 1e-12);
}

static void a_lag_is_found_and_taken_out(void **state)
{
    (void)state;
    const double a[] = {0, 1, 2, 3, 4, 5, 6, 6, 6, 6};
    const double b[] = {0, 0, 0, 1, 2, 3, 4, 5, 6, 6};
    int64_t lag = 0;
    assert_near(tk_stats_rmse_lagged(a, b, 10, 5, &lag), 0, 1e-12);
    assert_int_equal(lag, 2);
}

static void errors_are_relative_to_the_measured_value(void **state)
{
    (void)state;
    assert_near(tk_stats_error(200, 210), 0.05, 1e-12);
    assert_near(tk_stats_error(0, 0), 0, 1e-12);
    assert_true(isinf(tk_stats_error(0, 1)));
}

static void a_constant_correlates_with_nothing(void **state)
{
    (void)state;
    double flat[100];
    double rising[100];
    for (size_t i = 0; i < 100; i++) {
        flat[i] = 0.1 + 0.2 - (i % 2 ? 0.3 : 0); /* up to rounding */
        flat[i] = 7 + flat[i] * 1e-16;
        rising[i] = (double)i;
    }
    assert_true(isnan(tk_stats_pearson(flat, rising, 100)));
    assert_true(isnan(tk_stats_pearson(rising, flat, 100)));
}

static void smoothing_takes_fewer_values_at_the_ends(void **state)
{
    (void)state;
    const double values[] = {4, 8, 0, 12, 6};
    const double means[] = {6, 4, 20.0 / 3, 6, 9};
    double smooth[5];
    tk_stats_smooth(values, 5, 3, smooth);
    for (size_t i = 0; i < 5; i++)
        assert_near(smooth[i], means[i], 1e-12);
    tk_stats_smooth(values, 5, 60, smooth);
    for (size_t i = 0; i < 5; i++)
        assert_near(smooth[i], 6, 1e-12);
}

static void the_lag_of_the_best_correlation_is_found(void **state)
{
    (void)state;
    double a[200];
    double b[200];
    for (size_t i = 0; i < 200; i++) {
        a[i] = sin((double)i / 9) + (double)(i * i % 17);
        b[i] = i < 5 ? 0 : 3 * a[i - 5] + 2;
    }
    int64_t lag = 0;
    assert_near(tk_stats_pearson_lagged(a, b, 200, 20, 100, &lag), 1, 1e-9);
    assert_int_equal(lag, 5);
    assert_near(tk_stats_pearson_lagged(b, a, 200, 20, 100, &lag), 1, 1e-9);
    assert_int_equal(lag, -5);
    /* Too few pairs would be left. */
    assert_true(tk_stats_pearson_lagged(a, b, 200, 20, 198, &lag) < 0.9);
    assert_true(isnan(tk_stats_pearson_lagged(a, b, 10, 20, 11, &lag)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_linear_between_values),
        cmocka_unit_test(distributions_are_compared_by_ks),
        cmocka_unit_test(smape_is_symmetric),
        cmocka_unit_test(correlation_is_of_shape_not_of_size),
        cmocka_unit_test(a_lag_is_found_and_taken_out),
        cmocka_unit_test(a_constant_correlates_with_nothing),
        cmocka_unit_test(smoothing_takes_fewer_values_at_the_ends),
        cmocka_unit_test(the_lag_of_the_best_correlation_is_found),
        cmocka_unit_test(errors_are_relative_to_the_measured_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
