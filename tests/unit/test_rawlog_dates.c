/* SPDX-License-Identifier: Apache-2.0 */
#include "run/rawlog_dates.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "tk_test.h"

/* Epoch seconds of a time in UTC. */
static int64_t at(int month, int day, int hour, int minute, int second)
{
    return tk_civil_to_s(&(struct tk_civil){2025, month, day, hour, minute, second});
}

static int clock_s(int hour, int minute, int second)
{
    return hour * 3600 + minute * 60 + second;
}

static void the_first_row_gets_the_date_nearest_to_the_reference(void **state)
{
    (void)state;
    const struct {
        int64_t reference_s;
        int row_s;
        int64_t expected_s;
    } cases[] = {
        {at(9, 16, 21, 48, 29), clock_s(21, 48, 30), at(9, 16, 21, 48, 30)},
        {at(9, 16, 23, 59, 58), clock_s(0, 0, 1), at(9, 17, 0, 0, 1)},
        {at(9, 17, 0, 0, 1), clock_s(23, 59, 58), at(9, 16, 23, 59, 58)},
        {at(9, 30, 23, 59, 58), clock_s(0, 0, 1), at(10, 1, 0, 0, 1)},
        /* a reference at noon stands for the whole day */
        {at(9, 22, 12, 0, 0), clock_s(0, 0, 0), at(9, 22, 0, 0, 0)},
        {at(9, 22, 12, 0, 0), clock_s(23, 59, 59), at(9, 22, 23, 59, 59)},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_rawlog_dates dates;
        tk_rawlog_dates_init(&dates, cases[i].reference_s);
        assert_int_equal(tk_rawlog_dates_next(&dates, cases[i].row_s, false), cases[i].expected_s);
    }
}

static void a_fall_by_more_than_half_a_day_is_midnight(void **state)
{
    (void)state;
    struct tk_rawlog_dates dates;
    tk_rawlog_dates_init(&dates, at(9, 16, 23, 59, 57));
    assert_int_equal(tk_rawlog_dates_next(&dates, clock_s(23, 59, 59), false), 1758067199);
    assert_int_equal(tk_rawlog_dates_next(&dates, clock_s(0, 0, 0), false), 1758067200);
    assert_int_equal(tk_rawlog_dates_next(&dates, clock_s(23, 0, 0), false), at(9, 17, 23, 0, 0));
    assert_int_equal(tk_rawlog_dates_next(&dates, clock_s(10, 0, 0), false), at(9, 18, 10, 0, 0));
}

static void a_smaller_fall_keeps_the_date(void **state)
{
    (void)state;
    struct tk_rawlog_dates dates;
    tk_rawlog_dates_init(&dates, at(9, 16, 22, 0, 0));
    assert_int_equal(tk_rawlog_dates_next(&dates, clock_s(22, 0, 1), false), at(9, 16, 22, 0, 1));
    assert_int_equal(tk_rawlog_dates_next(&dates, clock_s(21, 59, 50), false),
                     at(9, 16, 21, 59, 50));
    assert_int_equal(tk_rawlog_dates_next(&dates, clock_s(22, 0, 3), false), at(9, 16, 22, 0, 3));
}

static void a_step_back_over_midnight_takes_the_day_back(void **state)
{
    (void)state;
    struct tk_rawlog_dates dates;
    tk_rawlog_dates_init(&dates, at(9, 16, 23, 59, 59));
    assert_int_equal(tk_rawlog_dates_next(&dates, clock_s(23, 59, 59), false),
                     at(9, 16, 23, 59, 59));
    assert_int_equal(tk_rawlog_dates_next(&dates, clock_s(0, 0, 0), false), at(9, 17, 0, 0, 0));
    assert_int_equal(tk_rawlog_dates_next(&dates, clock_s(23, 59, 58), false),
                     at(9, 16, 23, 59, 58));
    assert_int_equal(tk_rawlog_dates_next(&dates, clock_s(0, 0, 0), false), at(9, 17, 0, 0, 0));
}

static void set_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

static void local_times_become_utc_by_the_zone_of_the_environment(void **state)
{
    (void)state;
    struct tk_rawlog_dates dates;
    set_zone("<+02>-2");
    tk_rawlog_dates_init(&dates, at(9, 16, 21, 59, 0)); /* 23:59 there */
    assert_int_equal(tk_rawlog_dates_next(&dates, clock_s(23, 59, 30), true),
                     at(9, 16, 21, 59, 30));
    assert_int_equal(tk_rawlog_dates_next(&dates, clock_s(0, 0, 1), true), at(9, 16, 22, 0, 1));
    set_zone("EST5EDT,M3.2.0,M11.1.0"); /* summer time ends on 2 November 2025 */
    tk_rawlog_dates_init(&dates, at(11, 2, 4, 0, 0));
    assert_int_equal(tk_rawlog_dates_next(&dates, clock_s(0, 0, 0), true), at(11, 2, 4, 0, 0));
    assert_int_equal(tk_rawlog_dates_next(&dates, clock_s(6, 0, 0), true), at(11, 2, 11, 0, 0));
    set_zone("UTC");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_row_gets_the_date_nearest_to_the_reference),
        cmocka_unit_test(a_fall_by_more_than_half_a_day_is_midnight),
        cmocka_unit_test(a_smaller_fall_keeps_the_date),
        cmocka_unit_test(a_step_back_over_midnight_takes_the_day_back),
        cmocka_unit_test(local_times_become_utc_by_the_zone_of_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
