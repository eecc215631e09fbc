/* SPDX-License-Identifier: Apache-2.0 */
#include "load/schedule.h"

#include <errno.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "tk_test.h"

#define START      (1000 * TK_NS_PER_S)
#define START_REAL (1700000000 * TK_NS_PER_S)
#define RECORDED   (1600000000 * TK_NS_PER_S)

/* Three requests of 10, 20 and 30 spans that ended 0, 1 and 4 s after the first. */
static struct tk_load_body items[] = {
    {.spans = 10, .end_ns = RECORDED},
    {.spans = 20, .end_ns = RECORDED + TK_NS_PER_S},
    {.spans = 30, .end_ns = RECORDED + 4 * TK_NS_PER_S},
};
static const struct tk_load_bodies bodies = {.items = items, .count = TK_COUNTOF(items)};

static struct tk_schedule begin(struct tk_schedule_opts opts)
{
    struct tk_schedule schedule;
    opts.bodies = &bodies;
    tk_schedule_init(&schedule, &opts, START, START_REAL);
    return schedule;
}

/* Take the next request at the time when it is due. */
static struct tk_load_item take(struct tk_schedule *schedule)
{
    struct tk_load_item item;
    int64_t due_ns = tk_schedule_next_ns(schedule);
    if (due_ns > INT64_MIN)
        assert_false(tk_schedule_take(schedule, due_ns - 1, &item));
    assert_true(tk_schedule_take(schedule, due_ns == INT64_MIN ? START : due_ns, &item));
    return item;
}

static void requests_are_due_as_their_spans_ended(void **state)
{
    (void)state;
    struct tk_schedule schedule = begin((struct tk_schedule_opts){.speed = 1, .passes = 1});
    assert_int_equal(take(&schedule).due_ns, START);
    assert_int_equal(take(&schedule).due_ns, START + TK_NS_PER_S);
    assert_int_equal(take(&schedule).due_ns, START + 4 * TK_NS_PER_S);
    assert_int_equal(tk_schedule_next_ns(&schedule), INT64_MAX);
    tk_schedule_release(&schedule);
}

static void speed_shortens_the_time_between(void **state)
{
    (void)state;
    struct tk_schedule schedule = begin((struct tk_schedule_opts){.speed = 4, .passes = 1});
    assert_int_equal(take(&schedule).due_ns, START);
    assert_int_equal(take(&schedule).due_ns, START + TK_NS_PER_S / 4);
    assert_int_equal(take(&schedule).due_ns, START + TK_NS_PER_S);
    tk_schedule_release(&schedule);
}

static void a_pass_begins_after_the_last_one(void **state)
{
    (void)state;
    struct tk_schedule schedule = begin((struct tk_schedule_opts){.speed = 1, .passes = 2});
    struct tk_load_item last = {0};
    for (int i = 0; i < 3; i++)
        last = take(&schedule);
    struct tk_load_item next = take(&schedule);
    assert_int_equal(last.pass, 0);
    assert_int_equal(next.pass, 1);
    assert_int_equal(next.body, 0);
    /* The mean distance of requests. */
    assert_int_equal(next.due_ns - last.due_ns, 4 * TK_NS_PER_S / 3);
    tk_schedule_release(&schedule);
}

static void a_rate_counts_spans_not_requests(void **state)
{
    (void)state;
    struct tk_schedule schedule =
        begin((struct tk_schedule_opts){.pace = TK_LOAD_RATE, .spans_per_s = 10, .passes = 2});
    static const int64_t due_s[] = {0, 1, 3, 6, 7, 9};
    for (size_t i = 0; i < TK_COUNTOF(due_s); i++)
        assert_int_equal(take(&schedule).due_ns, START + due_s[i] * TK_NS_PER_S);
    assert_int_equal(tk_schedule_next_ns(&schedule), INT64_MAX);
    tk_schedule_release(&schedule);
}

static void as_fast_is_due_when_it_is_taken(void **state)
{
    (void)state;
    struct tk_schedule schedule =
        begin((struct tk_schedule_opts){.pace = TK_LOAD_AS_FAST, .passes = 1});
    struct tk_load_item item;
    assert_int_equal(tk_schedule_next_ns(&schedule), INT64_MIN);
    assert_true(tk_schedule_take(&schedule, START + 5, &item));
    assert_int_equal(item.due_ns, START + 5);
    tk_schedule_release(&schedule);
}

static void at_its_own_pace_a_span_ends_when_it_is_sent(void **state)
{
    (void)state;
    struct tk_schedule schedule =
        begin((struct tk_schedule_opts){.speed = 1, .passes = 2, .shift_time = true});
    for (int i = 0; i < 6; i++) {
        struct tk_load_item item = take(&schedule);
        int64_t ends_ns = items[item.body].end_ns + item.shift_ns;
        assert_int_equal(ends_ns, START_REAL + (item.due_ns - START));
    }
    tk_schedule_release(&schedule);
}

static void no_time_is_moved_into_the_future(void **state)
{
    (void)state;
    static const struct tk_schedule_opts paces[] = {
        {.speed = 10, .passes = 2, .shift_time = true},
        {.pace = TK_LOAD_AS_FAST, .passes = 2, .shift_time = true},
        {.pace = TK_LOAD_RATE, .spans_per_s = 1e6, .passes = 2, .shift_time = true},
    };
    for (size_t i = 0; i < TK_COUNTOF(paces); i++) {
        struct tk_schedule schedule = begin(paces[i]);
        for (int j = 0; j < 6; j++) {
            struct tk_load_item item = take(&schedule);
            int64_t now_real_ns = START_REAL + (item.due_ns - START);
            assert_true(items[item.body].end_ns + item.shift_ns <= now_real_ns);
        }
        tk_schedule_release(&schedule);
    }
}

static void what_waits_comes_back_in_the_order_of_its_times(void **state)
{
    (void)state;
    struct tk_schedule schedule = begin((struct tk_schedule_opts){.speed = 1, .passes = 1});
    (void)tk_schedule_stop(&schedule, START - 1);
    for (uint32_t i = 0; i < 1000; i++) {
        struct tk_load_item item = {.body = i * 7919 % 1000};
        assert_int_equal(tk_schedule_add(&schedule, &item, START + item.body), 0);
    }
    for (uint32_t i = 0; i < 1000; i++) {
        struct tk_load_item item = take(&schedule);
        assert_int_equal(item.body, i);
    }
    assert_int_equal(tk_schedule_next_ns(&schedule), INT64_MAX);
    tk_schedule_release(&schedule);
}

static void there_is_room_for_so_many_that_wait(void **state)
{
    (void)state;
    struct tk_schedule schedule = begin((struct tk_schedule_opts){.speed = 1, .passes = 1});
    struct tk_load_item item = {0};
    for (int i = 0; i < TK_LOAD_RETRIES_WAITING; i++)
        assert_int_equal(tk_schedule_add(&schedule, &item, i), 0);
    assert_int_equal(tk_schedule_add(&schedule, &item, 1), -ENOBUFS);
    tk_schedule_release(&schedule);
}

static void stopping_counts_what_was_due_and_not_sent(void **state)
{
    (void)state;
    struct tk_schedule schedule = begin((struct tk_schedule_opts){.speed = 1, .passes = 0});
    (void)take(&schedule);
    /* 1 s and 4 s of the first pass, then 5.33 s and 6.33 s. */
    assert_int_equal(tk_schedule_stop(&schedule, START + 7 * TK_NS_PER_S), 20 + 30 + 10 + 20);
    assert_int_equal(tk_schedule_next_ns(&schedule), INT64_MAX);
    tk_schedule_release(&schedule);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_due_as_their_spans_ended),
        cmocka_unit_test(speed_shortens_the_time_between),
        cmocka_unit_test(a_pass_begins_after_the_last_one),
        cmocka_unit_test(a_rate_counts_spans_not_requests),
        cmocka_unit_test(as_fast_is_due_when_it_is_taken),
        cmocka_unit_test(at_its_own_pace_a_span_ends_when_it_is_sent),
        cmocka_unit_test(no_time_is_moved_into_the_future),
        cmocka_unit_test(what_waits_comes_back_in_the_order_of_its_times),
        cmocka_unit_test(there_is_room_for_so_many_that_wait),
        cmocka_unit_test(stopping_counts_what_was_due_and_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
