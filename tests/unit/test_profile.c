/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/profile.h"

#include <math.h>

#include "suite_fixture.h"

static void windows_cover_the_set_and_are_round(void **state)
{
    (void)state;
    struct tk_span_table *table = shop_table(1000); /* 37 s */
    struct tk_profile_range range = tk_profile_range_of(table);
    assert_int_equal(range.window_ns, 500000000);
    assert_in_range(range.windows, 74, 76);
    assert_int_equal(range.start_ns, table->start_ns[0]);
    tk_span_table_free(table);
}

static void every_span_is_counted_once_with_its_weight(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_profile profile;
    struct tk_span_table *table = shop_table(700);
    double spans = 0;
    double errors = 0;
    struct tk_profile_range range = tk_profile_range_of(table);
    for (uint32_t t = 0; t < table->traces; t++)
        table->weights[t] = 3;
    assert_int_equal(tk_profile_read(table, &range, &profile, &err), 0);
    for (size_t w = 0; w < TK_PROFILE_WINDOWS; w++) {
        spans += profile.spans[w];
        errors += profile.errors[w];
    }
    assert_near(spans, 3.0 * table->rows, 1e-6);
    assert_near(errors, 3.0 * 70, 1e-6);
    tk_span_table_free(table);
}

static void quantiles_are_of_entries_by_weight(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_profile profile;
    struct tk_span_table *table = table_of("a 1 - f x 0 10ms\nb 1 - f x 1ms 20ms\n"
                                           "c 1 - f x 2ms 30ms\nc 2 1 g y 2ms 900ms\n");
    table->weights[2] = 8;
    struct tk_profile_range range = tk_profile_range_of(table);
    assert_int_equal(tk_profile_read(table, &range, &profile, &err), 0);
    assert_near(profile.quantiles_ms[0], 10, 1e-9);
    assert_near(profile.quantiles_ms[20], 30, 1e-9);
    assert_near(profile.quantiles_ms[40], 30, 1e-9);
    tk_span_table_free(table);
}

static void what_lies_outside_the_range_is_in_no_window(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_profile profile;
    struct tk_span_table *table = shop_table(100);
    const struct tk_profile_range elsewhere = {0, 1000000, 10};
    assert_int_equal(tk_profile_read(table, &elsewhere, &profile, &err), 0);
    for (size_t w = 0; w < TK_PROFILE_WINDOWS; w++) {
        assert_near(profile.spans[w], 0, 0);
        assert_true(isnan(profile.median_ms[w]) != 0);
    }
    assert_true(isfinite(profile.quantiles_ms[20]) != 0);
    tk_span_table_free(table);
}

static void an_empty_set_has_an_empty_profile(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_profile profile;
    struct tk_span_table *table = shop_table(0);
    struct tk_profile_range range = tk_profile_range_of(table);
    assert_int_equal(tk_profile_read(table, &range, &profile, &err), 0);
    assert_true(isnan(profile.quantiles_ms[0]) != 0);
    tk_span_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_cover_the_set_and_are_round),
        cmocka_unit_test(every_span_is_counted_once_with_its_weight),
        cmocka_unit_test(quantiles_are_of_entries_by_weight),
        cmocka_unit_test(what_lies_outside_the_range_is_in_no_window),
        cmocka_unit_test(an_empty_set_has_an_empty_profile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
