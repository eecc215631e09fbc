/* SPDX-License-Identifier: Apache-2.0 */
#include "base/human.h"

#include <math.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "tk_test.h"

static void bytes_have_three_digits_and_a_binary_unit(void **state)
{
    (void)state;
    static const struct {
        double bytes;
        const char *text;
    } cases[] = {
        {0, "0 B"},
        {512, "512 B"},
        {1023, "1023 B"},
        {1024, "1.00 KiB"},
        {10.0 * 1024, "10.0 KiB"},
        {9.996 * 1024, "10.0 KiB"},
        {641728512, "612 MiB"},
        {1023.6 * 1024 * 1024, "1.00 GiB"},
        {7.24 * 1073741824, "7.24 GiB"},
        {1e30, "867361737988 EiB"},
        {-1, "-"},
        {(double)NAN, "-"},
        {(double)INFINITY, "-"},
    };
    char buf[TK_HUMAN_MAX];
    for (size_t i = 0; i < TK_COUNTOF(cases); i++)
        assert_string_equal(tk_bytes_format(cases[i].bytes, buf), cases[i].text);
    assert_string_equal(tk_rate_format(12.1 * 1048576, buf), "12.1 MiB/s");
    assert_string_equal(tk_rate_format(-1, buf), "-");
}

static void durations_change_their_unit_where_rounding_would_add_a_digit(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *duration;
        const char *seconds;
    } cases[] = {
        {0, "0 s", "0 s"},
        {850, "850 ns", "850 ns"},
        {12345, "12.3 us", "12.3 us"},
        {999960, "1.00 ms", "1.00 ms"},
        {850 * TK_NS_PER_MS, "850 ms", "850 ms"},
        {999600000, "1.00 s", "1.00 s"},
        {41234 * TK_NS_PER_MS, "41.23 s", "41.23 s"},
        {59994 * TK_NS_PER_MS, "59.99 s", "59.99 s"},
        {59996 * TK_NS_PER_MS, "1 min 00 s", "60.00 s"},
        {76410 * TK_NS_PER_MS, "1 min 16 s", "76.41 s"},
        {192440 * TK_NS_PER_MS, "3 min 12 s", "192.4 s"},
        {7500 * TK_NS_PER_S, "2 h 05 min", "7,500 s"},
        {274000 * TK_NS_PER_S, "3 d 04 h", "274,000 s"},
        {-1, "-", "-"},
    };
    char buf[TK_HUMAN_MAX];
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        assert_string_equal(tk_duration_format(cases[i].ns, buf), cases[i].duration);
        assert_string_equal(tk_seconds_format(cases[i].ns, buf), cases[i].seconds);
    }
}

static void shares_keep_a_decimal_only_where_it_matters(void **state)
{
    (void)state;
    static const struct {
        double ratio;
        const char *text;
    } cases[] = {
        {0, "0 %"},       {0.0003, "<0.1 %"}, {0.0006, "0.1 %"}, {0.042, "4.2 %"},
        {0.0996, "10 %"}, {0.934, "93 %"},    {1, "100 %"},      {1.85, "185 %"},
        {-0.1, "-"},      {(double)NAN, "-"},
    };
    char buf[TK_HUMAN_MAX];
    for (size_t i = 0; i < TK_COUNTOF(cases); i++)
        assert_string_equal(tk_share_format(cases[i].ratio, buf), cases[i].text);
}

static void counts_are_grouped_by_thousands(void **state)
{
    (void)state;
    char buf[TK_HUMAN_MAX];
    assert_string_equal(tk_count_format(0, buf), "0");
    assert_string_equal(tk_count_format(412, buf), "412");
    assert_string_equal(tk_count_format(1234567, buf), "1,234,567");
    assert_string_equal(tk_count_format(INT64_MAX, buf), "9,223,372,036,854,775,807");
    assert_string_equal(tk_count_format(-5, buf), "-");
    assert_string_equal(tk_count_ending(0), "s");
    assert_string_equal(tk_count_ending(1), "");
    assert_string_equal(tk_count_ending(2), "s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_have_three_digits_and_a_binary_unit),
        cmocka_unit_test(durations_change_their_unit_where_rounding_would_add_a_digit),
        cmocka_unit_test(shares_keep_a_decimal_only_where_it_matters),
        cmocka_unit_test(counts_are_grouped_by_thousands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
