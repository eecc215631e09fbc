/* SPDX-License-Identifier: Apache-2.0 */
#include "report/chart.h"

#include <math.h>

#include "tk_test.h"

/* What a sparkline of `count` values in `width` cells looks like. */
static void check_spark(const struct tk_spark *spark, bool utf8, int width, const char *expected)
{
    struct tk_look look;
    tk_look_init_plain(&look, utf8, 80);
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 4096);
    (void)tk_spark_put(&out, &look, spark, width);
    assert_str_equal(tk_buf_str(&out), expected);
    tk_look_release(&look);
}

static const double ramp[] = {0, 1, 2, 3, 4, 5, 6, 7};

static void a_ramp_climbs_through_every_level(void **state)
{
    (void)state;
    const struct tk_spark spark = {.values = ramp, .count = 8};
    check_spark(&spark, true, 8, "▁▂▃▄▅▆▇█");
    check_spark(&spark, false, 8, "_.-=+*%#");
}

static void a_fixed_scale_does_not_stretch_to_the_highest_value(void **state)
{
    (void)state;
    const struct tk_spark spark = {.values = ramp, .count = 8, .full = 14};
    check_spark(&spark, true, 8, "▁▂▂▃▃▄▄▅");
    const struct tk_spark low = {.values = ramp, .count = 8, .full = 2};
    check_spark(&low, true, 8, "▁▅██████");
}

static void a_base_shows_what_lies_above_it(void **state)
{
    (void)state;
    static const double values[] = {100, 101, 107, 99};
    const struct tk_spark spark = {.values = values, .count = 4, .base = 100};
    check_spark(&spark, true, 4, "▁▂█▁");
    const struct tk_spark calm = {.values = values, .count = 2, .base = 100, .full = 128};
    check_spark(&calm, true, 2, "▁▁");
    const struct tk_spark level = {.values = values, .count = 1, .base = 100};
    check_spark(&level, true, 2, "▁▁");
}

static void many_values_are_squeezed_by_mean_or_by_maximum(void **state)
{
    (void)state;
    static const double spike[] = {0, 0, 0, 7, 0, 0, 7, 7};
    const struct tk_spark mean = {.values = spike, .count = 8, .full = 7};
    check_spark(&mean, true, 2, "▃▅");
    const struct tk_spark max = {.values = spike, .count = 8, .full = 7, .squeeze = TK_SQUEEZE_MAX};
    check_spark(&max, true, 2, "██");
    check_spark(&max, true, 4, "▁█▁█");
}

static void few_values_are_stretched(void **state)
{
    (void)state;
    const struct tk_spark spark = {.values = ramp, .count = 2};
    check_spark(&spark, true, 6, "▁▁▁███");
    const struct tk_spark none = {.values = ramp, .count = 0};
    check_spark(&none, true, 4, "    ");
}

static void a_gap_is_blank_and_zero_is_not(void **state)
{
    (void)state;
    static const double values[] = {0, (double)NAN, 0, 1};
    const struct tk_spark spark = {.values = values, .count = 4};
    check_spark(&spark, true, 4, "▁ ▁█");
    static const double zeros[] = {0, 0};
    const struct tk_spark flat = {.values = zeros, .count = 2};
    check_spark(&flat, true, 2, "▁▁");
}

static void the_highest_cell_is_returned_for_the_scale(void **state)
{
    (void)state;
    struct tk_look look;
    tk_look_init_plain(&look, false, 80);
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 4096);
    const struct tk_spark spark = {.values = ramp, .count = 8};
    assert_near(tk_spark_put(&out, &look, &spark, 4), 6.5, 1e-9);
    const struct tk_spark none = {.values = ramp, .count = 0};
    assert_true(isnan(tk_spark_put(&out, &look, &none, 4)));
    tk_look_release(&look);
}

static void check_bar(bool utf8, double ratio, const char *expected)
{
    struct tk_look look;
    tk_look_init_plain(&look, utf8, 80);
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 4096);
    tk_bar_put(&out, &look, ratio, 4);
    assert_str_equal(tk_buf_str(&out), expected);
    tk_look_release(&look);
}

static void a_bar_shows_eighths_and_never_hides_a_small_share(void **state)
{
    (void)state;
    check_bar(true, 0.5, "██");
    check_bar(true, 0.40625, "█▋");
    check_bar(true, 0.001, "▏");
    check_bar(true, 0, "");
    check_bar(true, 7, "████");
    check_bar(true, (double)NAN, "");
    check_bar(false, 0.5, "##");
    check_bar(false, 0.001, "#");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ramp_climbs_through_every_level),
        cmocka_unit_test(a_fixed_scale_does_not_stretch_to_the_highest_value),
        cmocka_unit_test(a_base_shows_what_lies_above_it),
        cmocka_unit_test(many_values_are_squeezed_by_mean_or_by_maximum),
        cmocka_unit_test(few_values_are_stretched),
        cmocka_unit_test(a_gap_is_blank_and_zero_is_not),
        cmocka_unit_test(the_highest_cell_is_returned_for_the_scale),
        cmocka_unit_test(a_bar_shows_eighths_and_never_hides_a_small_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
