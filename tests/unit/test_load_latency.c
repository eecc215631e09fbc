/* SPDX-License-Identifier: Apache-2.0 */
#include "load/latency.h"

#include <stdlib.h>

#include "tk_test.h"

static struct tk_load_latency *latency_new(void)
{
    struct tk_load_latency *latency = calloc(1, sizeof(*latency));
    assert_non_null(latency);
    return latency;
}

static void an_empty_histogram_has_only_zeros(void **state)
{
    (void)state;
    struct tk_load_latency *latency = latency_new();
    assert_int_equal(tk_load_latency_quantile(latency, 0.5), 0);
    assert_int_equal(tk_load_latency_quantile(latency, 1), 0);
    free(latency);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    struct tk_load_latency *latency = latency_new();
    for (int64_t ns = 0; ns < 64; ns++)
        tk_load_latency_add(latency, ns);
    assert_int_equal(tk_load_latency_quantile(latency, 0.5), 31);
    assert_int_equal(tk_load_latency_quantile(latency, 0), 0);
    assert_int_equal(tk_load_latency_quantile(latency, 1), 63);
    free(latency);
}

static void a_quantile_is_at_most_a_64th_too_high(void **state)
{
    (void)state;
    for (int64_t ns = 1; ns < INT64_MAX / 3; ns += ns / 3 + 1) {
        struct tk_load_latency *latency = latency_new();
        tk_load_latency_add(latency, ns);
        tk_load_latency_add(latency, INT64_MAX);
        int64_t found = tk_load_latency_quantile(latency, 0.5);
        assert_true(found >= ns);
        assert_true(found - ns <= ns / 64);
        free(latency);
    }
}

static void none_is_above_the_longest(void **state)
{
    (void)state;
    struct tk_load_latency *latency = latency_new();
    tk_load_latency_add(latency, 1000001);
    assert_int_equal(tk_load_latency_quantile(latency, 0.99), 1000001);
    free(latency);
}

static void what_ends_before_it_begins_counts_as_zero(void **state)
{
    (void)state;
    struct tk_load_latency *latency = latency_new();
    tk_load_latency_add(latency, -5);
    assert_int_equal(latency->total, 1);
    assert_int_equal(tk_load_latency_quantile(latency, 1), 0);
    free(latency);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_histogram_has_only_zeros),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(a_quantile_is_at_most_a_64th_too_high),
        cmocka_unit_test(none_is_above_the_longest),
        cmocka_unit_test(what_ends_before_it_begins_counts_as_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
