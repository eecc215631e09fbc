/* SPDX-License-Identifier: Apache-2.0 */
#include "tk_test.h"

#include <math.h>

#include "opendc/hosts.h"

static void means_are_weighted_by_time(void **state)
{
    (void)state;
    static const struct tk_interval spans[] = {{0, 10, 1}, {10, 30, 4}, {50, 60, 10}};
    static const struct {
        double from_ms, to_ms, mean;
    } rows[] = {
        {0, 10, 1},
        {5, 15, 2.5},
        {0, 30, 3},
        {12, 13, 4},
        {20, 60, 7},
        {30, 50, (double)NAN},
        {25, 50, (double)NAN}, /* a fifth is covered */
        {-5, 5, 1},
        {60, 70, (double)NAN},
    };
    TK_CLEANUP(tk_intervals_release) struct tk_intervals series = {0};
    struct tk_err err;
    for (size_t i = 0; i < TK_COUNTOF(spans); i++)
        assert_int_equal(tk_intervals_add(&series, spans[i], &err), 0);
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        double mean = tk_intervals_mean(&series, rows[i].from_ms, rows[i].to_ms);
        if (isnan(rows[i].mean)) {
            assert_true(isnan(mean));
        } else {
            assert_near(mean, rows[i].mean, 1e-12);
        }
    }
}

static void what_is_told_twice_counts_once(void **state)
{
    (void)state;
    TK_CLEANUP(tk_intervals_release) struct tk_intervals series = {0};
    struct tk_err err;
    assert_int_equal(tk_intervals_add(&series, (struct tk_interval){0, 10, 2}, &err), 0);
    assert_int_equal(tk_intervals_add(&series, (struct tk_interval){5, 20, 6}, &err),
                     0); /* from 10 on */
    assert_int_equal(tk_intervals_add(&series, (struct tk_interval){12, 20, 9}, &err), 0);
    assert_int_equal(tk_intervals_add(&series, (struct tk_interval){20, 30, (double)NAN}, &err), 0);
    assert_int_equal(series.count, 2);
    assert_near(tk_intervals_mean(&series, 0, 20), 4, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_are_weighted_by_time),
        cmocka_unit_test(what_is_told_twice_counts_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
