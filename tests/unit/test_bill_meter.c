/* SPDX-License-Identifier: Apache-2.0 */
#include "span/bill_meter.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "tk_test.h"

#define NONE TK_BILL_NONE

enum { SPANS_MAX = 64 };

/* A process with readings of CPU and resident set at given times. */
struct reading {
    int64_t time_ns;
    double cpu_ns;
    int64_t rss_bytes;
};

static struct tk_bill_reading to_reading(const struct reading *from)
{
    return (struct tk_bill_reading){.time_ns = from->time_ns,
                                    .counters = {[TK_BILL_CPU] = from->cpu_ns},
                                    .rss_bytes = from->rss_bytes,
                                    .known = 1 << TK_BILL_CPU};
}

static void meter(const struct tk_bill_interval *intervals, uint32_t count,
                  const struct reading *readings, size_t reading_count, struct tk_bill *bills)
{
    struct tk_bill_schedule *schedule;
    struct tk_bill_meter *meter;
    struct tk_err err;
    struct tk_bill_reading reading = to_reading(&readings[0]);
    assert_int_equal(tk_bill_schedule_new(intervals, count, &schedule, &err), 0);
    assert_int_equal(tk_bill_meter_new(schedule, &reading, &meter, &err), 0);
    for (size_t i = 1; i < reading_count; i++) {
        reading = to_reading(&readings[i]);
        assert_int_equal(tk_bill_meter_add(meter, &reading, bills), 0);
    }
    tk_bill_meter_finish(meter, bills);
    tk_bill_meter_free(meter);
    tk_bill_schedule_free(schedule);
}

static void a_span_pays_for_its_share_of_an_interval(void **state)
{
    (void)state;
    static const struct tk_bill_interval intervals[] = {{100, 150, 0, NONE}, {170, 400, 1, NONE}};
    static const struct reading readings[] = {{100, 1000, 5}, {200, 2000, 9}, {300, 2500, 7}};
    struct tk_bill bills[2] = {{.max_rss_bytes = -1}, {.max_rss_bytes = -1}};
    meter(intervals, 2, readings, TK_COUNTOF(readings), bills);
    assert_near(bills[0].used[TK_BILL_CPU], 500, 1e-6);
    assert_near(bills[1].used[TK_BILL_CPU], 300 + 500, 1e-6);
    assert_int_equal(bills[0].innermost_ns, 50);
    assert_int_equal(bills[1].innermost_ns, 130); /* there is no reading after 300 */
    assert_int_equal(bills[0].max_rss_bytes, 5);
    assert_int_equal(bills[1].max_rss_bytes, 9);
    assert_int_equal(bills[0].period_ns, 100);
    assert_int_equal(bills[0].known, 1 << TK_BILL_CPU);
    assert_true(bills[0].is_metered);
}

static void a_span_that_waits_for_its_child_pays_nothing(void **state)
{
    (void)state;
    static const struct tk_bill_interval intervals[] = {
        {0, 100, 0, NONE}, {20, 60, 1, 0}, {40, 50, 2, 1}};
    static const struct reading readings[] = {{0, 0, -1}, {100, 1000, -1}};
    struct tk_bill bills[3] = {0};
    meter(intervals, 3, readings, TK_COUNTOF(readings), bills);
    assert_near(bills[0].used[TK_BILL_CPU], 600, 1e-6);
    assert_near(bills[1].used[TK_BILL_CPU], 300, 1e-6);
    assert_near(bills[2].used[TK_BILL_CPU], 100, 1e-6);

    static const uint32_t parents[] = {NONE, 0, 1};
    struct tk_err err;
    assert_int_equal(tk_bill_add_children(bills, parents, 3, &err), 0);
    assert_near(bills[0].used[TK_BILL_CPU], 1000, 1e-6);
    assert_near(bills[1].used[TK_BILL_CPU], 400, 1e-6);
}

static void spans_beside_each_other_share(void **state)
{
    (void)state;
    static const struct tk_bill_interval intervals[] = {{0, 100, 0, NONE}, {50, 100, 1, NONE}};
    static const struct reading readings[] = {{0, 0, -1}, {100, 1000, -1}};
    struct tk_bill bills[2] = {0};
    meter(intervals, 2, readings, TK_COUNTOF(readings), bills);
    assert_near(bills[0].used[TK_BILL_CPU], 750, 1e-6);
    assert_near(bills[1].used[TK_BILL_CPU], 250, 1e-6);
}

static void a_child_may_begin_before_its_parent_and_end_after_it(void **state)
{
    (void)state;
    static const struct tk_bill_interval intervals[] = {
        {0, 50, 1, 1}, {20, 80, 0, NONE}, {70, 100, 2, 1}};
    static const struct reading readings[] = {{0, 0, -1}, {100, 1000, -1}};
    struct tk_bill bills[3] = {0};
    meter(intervals, 3, readings, TK_COUNTOF(readings), bills);
    assert_near(bills[1].used[TK_BILL_CPU], 500, 1e-6);
    assert_near(bills[0].used[TK_BILL_CPU], 200, 1e-6);
    assert_near(bills[2].used[TK_BILL_CPU], 300, 1e-6);
}

static void odd_spans_and_readings_do_no_harm(void **state)
{
    (void)state;
    static const struct tk_bill_interval intervals[] = {
        {10, 10, 0, NONE}, {20, 15, 1, NONE}, {20, 40, 2, 0}, {500, 600, 3, NONE}};
    static const struct reading readings[] = {
        {0, 1000, -1}, {30, 1300, -1}, {30, 9999, -1}, {20, 9999, -1}, {60, 700, -1}};
    struct tk_bill bills[4] = {0};
    meter(intervals, 4, readings, TK_COUNTOF(readings), bills);
    assert_near(bills[0].used[TK_BILL_CPU], 0, 0);
    assert_near(bills[1].used[TK_BILL_CPU], 0, 0);
    assert_near(bills[2].used[TK_BILL_CPU], 100, 1e-6);
    assert_false(bills[3].is_metered);
}

static void a_process_that_begins_late_finds_who_is_open(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct tk_bill_interval *intervals = calloc(COUNT + 1, sizeof(*intervals));
    struct tk_bill *bills = calloc(COUNT + 1, sizeof(*bills));
    assert_true(intervals && bills);
    intervals[0] = (struct tk_bill_interval){0, 1000000, 0, NONE};
    for (uint32_t i = 1; i <= COUNT; i++)
        intervals[i] = (struct tk_bill_interval){i * 10, i * 10 + 5, i, NONE};
    static const struct reading readings[] = {{150002, 0, -1}, {150007, 1000, -1}};
    meter(intervals, COUNT + 1, readings, 2, bills);
    assert_near(bills[15000].used[TK_BILL_CPU], 300, 1e-6);
    assert_near(bills[0].used[TK_BILL_CPU], 700, 1e-6);
    assert_false(bills[14999].is_metered);
    free(intervals);
    free(bills);
}

/* Numbers that repeat. */
static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static int compare_starts(const void *a, const void *b)
{
    int64_t first = ((const struct tk_bill_interval *)a)->start_ns;
    int64_t second = ((const struct tk_bill_interval *)b)->start_ns;
    return (first > second) - (first < second);
}

/* What is billed while some span is open is what was used then, and never more. */
static void bills_add_up_to_what_was_used_while_spans_were_open(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 2000; round++) {
        uint32_t seed = round;
        uint32_t count = 1 + next(&seed) % SPANS_MAX;
        struct tk_bill_interval intervals[SPANS_MAX];
        struct reading readings[40];
        struct tk_bill bills[SPANS_MAX] = {0};
        bool open[1000] = {false};
        for (uint32_t i = 0; i < count; i++) {
            int64_t start = next(&seed) % 900;
            int64_t end = start + next(&seed) % (i % 3 ? 30 : 400);
            intervals[i] = (struct tk_bill_interval){start, end < 1000 ? end : 1000, i, NONE};
        }
        qsort(intervals, count, sizeof(*intervals), compare_starts);
        for (uint32_t i = 1; i < count; i++)
            intervals[i].parent = next(&seed) % 3 ? next(&seed) % i : NONE;
        size_t n = 0;
        double total = 0;
        double covered = 0;
        int64_t at = next(&seed) % 50;
        readings[n++] = (struct reading){at, 0, 1};
        for (uint32_t i = 0; i < count; i++) {
            for (int64_t t = intervals[i].start_ns; t < intervals[i].end_ns; t++)
                open[t] = true;
        }
        while (n < TK_COUNTOF(readings) && at < 1000) {
            int64_t step = 1 + next(&seed) % 60;
            double used = next(&seed) % 4 ? next(&seed) % 1000 : 0;
            for (int64_t t = at; t < at + step; t++)
                covered += t < 1000 && open[t] ? used / (double)step : 0;
            at += step;
            total += used;
            readings[n++] = (struct reading){at, total, 1};
        }
        meter(intervals, count, readings, n, bills);
        double billed = 0;
        for (uint32_t i = 0; i < count; i++)
            billed += bills[i].used[TK_BILL_CPU];
        assert_true(billed <= total + 1e-6);
        /* A span whose children outlive it is closed; theirs is the time then. */
        assert_near(billed, covered, 1e-6 * (total + 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span_pays_for_its_share_of_an_interval),
        cmocka_unit_test(a_span_that_waits_for_its_child_pays_nothing),
        cmocka_unit_test(spans_beside_each_other_share),
        cmocka_unit_test(a_child_may_begin_before_its_parent_and_end_after_it),
        cmocka_unit_test(odd_spans_and_readings_do_no_harm),
        cmocka_unit_test(a_process_that_begins_late_finds_who_is_open),
        cmocka_unit_test(bills_add_up_to_what_was_used_while_spans_were_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
