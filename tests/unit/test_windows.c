/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/windows.h"

#include "tk_test.h"

#define MS INT64_C(1000000)

/* 400 ms at 1 core, 600 ms at none, 1000 ms at 2 cores. */
static struct tk_fragment items[] = {{400, 400 * MS, 0}, {600, 0, 0}, {1000, 2000 * MS, 0}};
static const struct tk_fragments made = {items, TK_COUNTOF(items), TK_COUNTOF(items)};

static void assert_window(const struct tk_window *window, int64_t start_ms, int64_t end_ms,
                          double average, double most)
{
    assert_int_equal(window->start_ms, start_ms);
    assert_int_equal(window->end_ms, end_ms);
    assert_true(window->average == average);
    assert_true(window->most == most);
}

static void fragments_are_cut_at_the_borders_of_windows(void **state)
{
    (void)state;
    TK_CLEANUP(tk_windows_release) struct tk_windows windows = {0};
    struct tk_window window;
    struct tk_err err;
    tk_windows_begin(&windows, &made, 1500, 1000, 1000);
    assert_int_equal(tk_windows_next(&windows, &window, &err), 0);
    assert_window(&window, 1500, 2000, 0.8, 1);
    assert_int_equal(tk_windows_next(&windows, &window, &err), 0);
    assert_window(&window, 2000, 3000, 1, 2);
    assert_int_equal(tk_windows_next(&windows, &window, &err), 0);
    assert_window(&window, 3000, 3500, 2, 2);
    assert_int_equal(tk_windows_next(&windows, &window, &err), 1);
}

static void quantiles_are_weighted_by_time(void **state)
{
    (void)state;
    TK_CLEANUP(tk_windows_release) struct tk_windows windows = {0};
    struct tk_window window;
    struct tk_err err;
    tk_windows_begin(&windows, &made, 0, 0, 2000);
    assert_int_equal(tk_windows_next(&windows, &window, &err), 0);
    assert_window(&window, 0, 2000, 1.2, 2);
    assert_true(tk_window_quantile(&window, 0) == 0);
    assert_true(tk_window_quantile(&window, 0.3) == 0); /* 600 of 2000 ms */
    assert_true(tk_window_quantile(&window, 0.31) == 1);
    assert_true(tk_window_quantile(&window, 0.5) == 1);
    assert_true(tk_window_quantile(&window, 0.51) == 2);
    assert_true(tk_window_quantile(&window, 1) == 2);
    assert_int_equal(tk_windows_next(&windows, &window, &err), 1);
}

static void nothing_has_no_window(void **state)
{
    (void)state;
    TK_CLEANUP(tk_windows_release) struct tk_windows windows = {0};
    struct tk_fragments none = {0};
    struct tk_window window;
    struct tk_err err;
    tk_windows_begin(&windows, &none, 0, 0, 1000);
    assert_int_equal(tk_windows_next(&windows, &window, &err), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fragments_are_cut_at_the_borders_of_windows),
        cmocka_unit_test(quantiles_are_weighted_by_time),
        cmocka_unit_test(nothing_has_no_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
