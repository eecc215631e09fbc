/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdlib.h>
#include <time.h>

#include "tk_test.h"

static void civil_dates_are_those_of_the_calendar(void **state)
{
    (void)state;
    static const struct {
        int64_t epoch_s;
        struct tk_civil civil;
    } cases[] = {
        {0, {1970, 1, 1, 0, 0, 0}},
        {-1, {1969, 12, 31, 23, 59, 59}},
        {951782400, {2000, 2, 29, 0, 0, 0}},
        {4107542400, {2100, 3, 1, 0, 0, 0}},
        {1763715749, {2025, 11, 21, 9, 2, 29}},
        {-62135596800, {1, 1, 1, 0, 0, 0}},
        {253402300799, {9999, 12, 31, 23, 59, 59}},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_civil civil = tk_civil_from_s(cases[i].epoch_s);
        assert_memory_equal(&civil, &cases[i].civil, sizeof(civil));
        assert_int_equal(tk_civil_to_s(&cases[i].civil), cases[i].epoch_s);
        assert_true(tk_civil_ok(&civil));
    }
}

static void every_day_of_five_centuries_agrees_with_libc(void **state)
{
    (void)state;
    for (int64_t day = -100000; day < 100000; day++) {
        time_t t = day * 86400 + day % 86400;
        struct tm expected;
        assert_non_null(gmtime_r(&t, &expected));
        struct tk_civil civil = tk_civil_from_s(t);
        assert_int_equal(civil.year, expected.tm_year + 1900);
        assert_int_equal(civil.month, expected.tm_mon + 1);
        assert_int_equal(civil.day, expected.tm_mday);
        assert_int_equal(civil.hour, expected.tm_hour);
        assert_int_equal(civil.minute, expected.tm_min);
        assert_int_equal(civil.second, expected.tm_sec);
        assert_int_equal(tk_civil_to_s(&civil), t);
    }
}

static void days_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    static const struct tk_civil bad[] = {
        {2025, 2, 29, 0, 0, 0},   {2100, 2, 29, 0, 0, 0}, {2025, 4, 31, 0, 0, 0},
        {2025, 0, 1, 0, 0, 0},    {2025, 13, 1, 0, 0, 0}, {2025, 1, 0, 0, 0, 0},
        {2025, 1, 32, 0, 0, 0},   {2025, 1, 1, 24, 0, 0}, {2025, 1, 1, 0, 60, 0},
        {2025, 1, 1, 23, 59, 60}, {2025, 1, 1, -1, 0, 0}, {0, 1, 1, 0, 0, 0},
        {10000, 1, 1, 0, 0, 0},
    };
    for (size_t i = 0; i < TK_COUNTOF(bad); i++)
        assert_false(tk_civil_ok(&bad[i]));
    assert_true(tk_civil_ok(&(struct tk_civil){2024, 2, 29, 23, 59, 59}));
}

static void times_print_in_utc_cut_off_to_the_second(void **state)
{
    (void)state;
    char text[TK_TIME_MAX];
    assert_string_equal(tk_time_format_iso(1763715749999999999, text), "2025-11-21T09:02:29Z");
    assert_string_equal(tk_time_format_compact(1763715749999999999, text), "20251121T090229Z");
    assert_string_equal(tk_time_format_iso(-1, text), "1969-12-31T23:59:59Z");
    assert_string_equal(tk_time_format_iso(0, text), "1970-01-01T00:00:00Z");
}

static void tk_clock_fixes_the_wall_clock_to_the_nanosecond(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"1763715749", 1763715749000000000},
        {"1763715749.25", 1763715749250000000},
        {"1763715749.123456789", 1763715749123456789},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        assert_int_equal(setenv("TK_CLOCK", cases[i].text, 1), 0);
        assert_int_equal(tk_clock_real_ns(), cases[i].ns);
    }
    static const char *const ignored[] = {"", "soon", "12x", "-5", "inf", "1e9"};
    for (size_t i = 0; i < TK_COUNTOF(ignored); i++) {
        assert_int_equal(setenv("TK_CLOCK", ignored[i], 1), 0);
        assert_true(tk_clock_real_ns() > 1700000000 * TK_NS_PER_S);
    }
    assert_int_equal(unsetenv("TK_CLOCK"), 0);
}

static void an_anchor_carries_stamps_over_a_step_of_the_wall_clock(void **state)
{
    (void)state;
    struct tk_anchor anchor = {.real_ns = 5000, .mono_ns = 100, .boot_ns = 300};
    assert_int_equal(tk_anchor_from_mono(&anchor, 90), 4990);
    assert_int_equal(tk_anchor_from_mono(&anchor, 150), 5050);
    assert_int_equal(tk_anchor_from_boot(&anchor, 300), 5000);

    anchor = tk_anchor_now();
    int64_t mono = tk_clock_mono_ns();
    int64_t real = tk_clock_real_ns();
    int64_t difference = tk_anchor_from_mono(&anchor, mono) - real;
    assert_true(llabs(difference) < TK_NS_PER_S / 10);
    assert_true(tk_clock_boot_ns() >= anchor.boot_ns);
    assert_true(mono >= anchor.mono_ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(civil_dates_are_those_of_the_calendar),
        cmocka_unit_test(every_day_of_five_centuries_agrees_with_libc),
        cmocka_unit_test(days_that_do_not_exist_are_refused),
        cmocka_unit_test(times_print_in_utc_cut_off_to_the_second),
        cmocka_unit_test(tk_clock_fixes_the_wall_clock_to_the_nanosecond),
        cmocka_unit_test(an_anchor_carries_stamps_over_a_step_of_the_wall_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
