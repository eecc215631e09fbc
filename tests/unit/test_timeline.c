/* SPDX-License-Identifier: Apache-2.0 */
#include "run/timeline.h"

#include <math.h>

#include "base/clock.h"
#include "tk_test.h"

#define START (1700000000 * TK_NS_PER_S)

static void a_reading_fills_the_buckets_that_it_covers(void **state)
{
    (void)state;
    struct tk_timeline timeline;
    tk_timeline_init(&timeline, START);
    tk_timeline_add(&timeline, TK_RESOURCE_CPU, START + 4 * TK_NS_PER_MS, 2 * TK_NS_PER_MS, 0.5);
    double mean[TK_TIMELINE_BUCKETS];
    assert_int_equal(tk_timeline_read(&timeline, TK_RESOURCE_CPU, mean, NULL), 4);
    assert_true(isnan(mean[0]) && isnan(mean[1]));
    assert_near(mean[2], 0.5, 0);
    assert_near(mean[3], 0.5, 0);
}

static void readings_in_one_bucket_are_weighted_by_time(void **state)
{
    (void)state;
    struct tk_timeline timeline;
    tk_timeline_init(&timeline, START);
    tk_timeline_add(&timeline, TK_RESOURCE_DISK, START + 750 * TK_NS_PER_US, 750 * TK_NS_PER_US, 4);
    tk_timeline_add(&timeline, TK_RESOURCE_DISK, START + TK_NS_PER_MS, 250 * TK_NS_PER_US, 12);
    double mean[TK_TIMELINE_BUCKETS];
    double max[TK_TIMELINE_BUCKETS];
    assert_int_equal(tk_timeline_read(&timeline, TK_RESOURCE_DISK, mean, max), 1);
    assert_near(mean[0], 6, 1e-9);
    assert_near(max[0], 12, 0);
}

/* A day of seconds: the first hour busy, the rest idle. */
static void a_long_run_keeps_its_shape_in_few_buckets(void **state)
{
    (void)state;
    struct tk_timeline timeline;
    tk_timeline_init(&timeline, START);
    for (int64_t s = 1; s <= 86400; s++)
        tk_timeline_add(&timeline, TK_RESOURCE_CPU, START + s * TK_NS_PER_S, TK_NS_PER_S,
                        s <= 3600 ? 1 : 0);
    double mean[TK_TIMELINE_BUCKETS];
    size_t n = tk_timeline_read(&timeline, TK_RESOURCE_CPU, mean, NULL);
    assert_true(n > TK_TIMELINE_BUCKETS / 2 && n <= TK_TIMELINE_BUCKETS);
    double busy_ns = 0;
    for (size_t i = 0; i < n; i++)
        busy_ns += timeline.buckets[TK_RESOURCE_CPU][i].sum;
    assert_near(busy_ns / 1e9, 3600, 1e-3);
    assert_near(mean[0], 1, 1e-9);
    assert_near(mean[n - 1], 0, 1e-9);
}

static void what_lies_before_the_start_or_is_no_number_is_left_out(void **state)
{
    (void)state;
    struct tk_timeline timeline;
    tk_timeline_init(&timeline, START);
    tk_timeline_add(&timeline, TK_RESOURCE_CPU, START, TK_NS_PER_S, 1);
    tk_timeline_add(&timeline, TK_RESOURCE_CPU, START - 1, TK_NS_PER_S, 1);
    tk_timeline_add(&timeline, TK_RESOURCE_CPU, START + TK_NS_PER_S, 0, 1);
    tk_timeline_add(&timeline, TK_RESOURCE_CPU, START + TK_NS_PER_S, -5, 1);
    tk_timeline_add(&timeline, TK_RESOURCE_CPU, START + TK_NS_PER_S, 5, (double)NAN);
    assert_int_equal(timeline.used, 0);
    tk_timeline_add(&timeline, TK_RESOURCE_CPU, START + TK_NS_PER_MS, TK_NS_PER_S, 1);
    assert_int_equal(timeline.used, 1);
    assert_near(timeline.buckets[TK_RESOURCE_CPU][0].weight_ns, 1e6, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reading_fills_the_buckets_that_it_covers),
        cmocka_unit_test(readings_in_one_bucket_are_weighted_by_time),
        cmocka_unit_test(a_long_run_keeps_its_shape_in_few_buckets),
        cmocka_unit_test(what_lies_before_the_start_or_is_no_number_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
