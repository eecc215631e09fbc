/* SPDX-License-Identifier: Apache-2.0 */
#include "run/events.h"

#include "tk_test.h"

static struct tk_events events;
static struct tk_exits exits;

static int release(void **state)
{
    (void)state;
    tk_events_release(&events);
    exits = (struct tk_exits){0};
    return 0;
}

static void add(const char *text)
{
    struct tk_err err;
    assert_int_equal(tk_events_add(&events, tk_str_from(text), &err), 0);
}

static void assert_formatted(const char *text, const char *expected)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 1 << 20);
    add(text);
    tk_events_join(&events, &exits);
    tk_event_format(&events.items[events.count - 1], TK_STR("\"n1\""), TK_STR("\"edge\""), &out);
    assert_str_equal(tk_buf_str(&out), expected);
}

static void what_is_absent_or_null_is_filled_in(void **state)
{
    (void)state;
    assert_formatted("{\"ts_enqueue\":1000,\"ts_start\":1010,\"ts_end\":1250}",
                     "{\"ts_enqueue\":1000,\"ts_start\":1010,\"ts_end\":1250,\"node\":\"n1\","
                     "\"stage\":\"edge\",\"queue_time_ms\":10,\"service_time_ms\":240,"
                     "\"rt_ms\":250}");
    assert_formatted("{\"stage\":null,\"rt_ms\":null,\"ts_end\":5,\"node\":\"n7\"}",
                     "{\"stage\":\"edge\",\"rt_ms\":null,\"ts_end\":5,\"node\":\"n7\"}");
    assert_formatted("{\"rt_ms\":null,\"ts_enqueue\":3,\"ts_end\":5}",
                     "{\"rt_ms\":2,\"ts_enqueue\":3,\"ts_end\":5,\"node\":\"n1\","
                     "\"stage\":\"edge\"}");
}

static void derived_times_are_never_negative(void **state)
{
    (void)state;
    assert_formatted("{\"ts_enqueue\":20,\"ts_start\":10,\"ts_end\":5}",
                     "{\"ts_enqueue\":20,\"ts_start\":10,\"ts_end\":5,\"node\":\"n1\","
                     "\"stage\":\"edge\",\"queue_time_ms\":0,\"service_time_ms\":0,\"rt_ms\":0}");
}

static void fields_keep_their_order_their_text_and_unknown_ones(void **state)
{
    (void)state;
    assert_formatted("{ \"zeta\" : [ 1 , {\"k\": \"a  b\\\" \"} ],\n\t\"stage\":\"\",\r\n"
                     "\"node\":\"x\", \"v\":1.50e+1, \"\\u00e4\":\"\\u00e4 \xc3\xa4\" }",
                     "{\"zeta\":[1,{\"k\":\"a  b\\\" \"}],\"stage\":\"\",\"node\":\"x\","
                     "\"v\":1.50e+1,\"\\u00e4\":\"\\u00e4 \xc3\xa4\"}");
    assert_formatted("{}", "{\"node\":\"n1\",\"stage\":\"edge\"}");
}

static void numbers_are_read_as_any_writer_put_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t start_ms;
    } cases[] = {
        {"{\"ts_start\":12}", 12},
        {"{\"ts_start\":\"12\"}", 12},
        {"{\"ts_start\":12.0}", 12},
        {"{\"ts_start\":12.9}", 12},
        {"{\"ts_start\":-1.5}", -2},
        {"{\"ts_start\":1.2e1}", 12},
        {"{\"ts_start\":null}", INT64_MIN},
        {"{\"ts_start\":\"soon\"}", INT64_MIN},
        {"{\"ts_start\":1e300}", INT64_MIN},
        {"{\"ts_start\":[1]}", INT64_MIN},
        {"{\"ts_start\":1,\"ts_start\":2}", 2},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        add(cases[i].text);
        assert_int_equal(events.items[events.count - 1].start_ms, cases[i].start_ms);
    }
}

static void order_is_time_then_pid_then_span_then_arrival(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"ts_enqueue\":5,\"n\":\"7\"}",
        "{\"ts_start\":3,\"ts_enqueue\":0,\"pid\":2,\"n\":\"3\"}",
        "{\"ts_ms\":3,\"ts_enqueue\":9,\"pid\":1,\"span_id\":\"b\",\"n\":\"1\"}",
        "{\"ts_ms\":3,\"pid\":1,\"span_id\":\"b\",\"n\":\"2\"}",
        "{\"n\":\"0\"}",
        "{\"ts_ms\":4,\"pid\":null,\"n\":\"4\"}",
        "{\"ts_ms\":4,\"pid\":1,\"n\":\"6\"}",
        "{\"ts_ms\":4,\"pid\":0,\"span_id\":\"a\",\"n\":\"5\"}",
    };
    for (size_t i = 0; i < TK_COUNTOF(texts); i++)
        add(texts[i]);
    tk_events_sort(&events);
    for (size_t i = 0; i < events.count; i++) {
        char mark[32];
        (void)snprintf(mark, sizeof(mark), "\"n\":\"%zu\"", i);
        assert_non_null(strstr(events.items[i].text.p, mark));
    }
}

static void exact_duplicates_are_marked_after_the_first(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool duplicate;
    } cases[] = {
        {"{\"trace_id\":\"t\",\"pid\":1,\"ts_enqueue\":1,\"ts_start\":2,\"ts_end\":3}", false},
        {"{\"ts_end\":\"3\",\"trace_id\":\"t\",\"pid\":1,\"ts_enqueue\":1,\"ts_start\":2.0}", true},
        {"{\"trace_id\":\"t\",\"pid\":1,\"ts_enqueue\":1,\"ts_start\":2,\"ts_end\":4}", false},
        {"{\"trace_id\":\"t\",\"pid\":2,\"ts_enqueue\":1,\"ts_start\":2,\"ts_end\":3}", false},
        {"{\"trace_id\":\"t\",\"ts_enqueue\":1,\"ts_start\":2,\"ts_end\":3}", false},
        {"{\"trace_id\":\"t\",\"span_id\":\"s\",\"pid\":1,\"ts_enqueue\":1,\"ts_start\":2,"
         "\"ts_end\":3}",
         false},
        /* lines of an access log with a resolution of one second */
        {"{\"trace_id\":null,\"ts_enqueue\":1,\"ts_start\":2,\"ts_end\":3,\"path\":\"/\"}", false},
        {"{\"trace_id\":null,\"ts_enqueue\":1,\"ts_start\":2,\"ts_end\":3,\"path\":\"/\"}", false},
    };
    uint64_t duplicates;
    struct tk_err err;
    for (size_t i = 0; i < TK_COUNTOF(cases); i++)
        add(cases[i].text);
    assert_int_equal(tk_events_mark_duplicates(&events, &duplicates, &err), 0);
    assert_int_equal(duplicates, 1);
    for (size_t i = 0; i < TK_COUNTOF(cases); i++)
        assert_int_equal(events.items[i].is_duplicate, cases[i].duplicate);
}

/* One process 7 that lived from 1000 to 3000 ms and used 250 ms. */
static void give_exit(void)
{
    static struct tk_exit item;
    item = (struct tk_exit){.pid = 7,
                            .start_ticks = 100,
                            .start_us = 1000000,
                            .end_us = 3000000,
                            .tree_cpu_ns = 250000000,
                            .tree_max_rss_kb = 4096};
    exits = (struct tk_exits){.items = &item, .count = 1};
}

#define BILL     "\"cpu_ns\":250000000,\"max_rss_kb\":4096"
#define IDENTITY "\"node\":\"n\",\"stage\":\"s\",\"service_time_ms\":0"

static void a_command_gets_the_bill_of_its_process(void **state)
{
    (void)state;
    give_exit();
    assert_formatted(
        "{\"pid\":7,\"method\":\"CLI\",\"ts_start\":1001,\"ts_end\":3001," IDENTITY "}",
        "{\"pid\":7,\"method\":\"CLI\",\"ts_start\":1001,\"ts_end\":3001," IDENTITY "," BILL "}");
}

static void a_bill_that_is_there_stays(void **state)
{
    (void)state;
    give_exit();
    assert_formatted(
        "{\"host_pid\":7,\"pid\":1,\"exit_code\":0,\"ts_start\":1001,\"ts_end\":2000," IDENTITY
        ",\"cpu_ns\":5,\"max_rss_kb\":null}",
        "{\"host_pid\":7,\"pid\":1,\"exit_code\":0,\"ts_start\":1001,\"ts_end\":2000," IDENTITY
        ",\"cpu_ns\":5,\"max_rss_kb\":4096}");
}

static void others_get_no_bill(void **state)
{
    (void)state;
    static const char *const texts[] = {
        /* a request */
        "{\"pid\":7,\"method\":\"GET\",\"ts_start\":1001,\"ts_end\":2000," IDENTITY "}",
        /* another process with that pid: other start, other time */
        "{\"pid\":7,\"method\":\"CLI\",\"start_ticks\":99,\"ts_start\":1001,\"ts_end\":"
        "2000," IDENTITY "}",
        "{\"pid\":7,\"method\":\"CLI\",\"ts_start\":4000,\"ts_end\":5000," IDENTITY "}",
        "{\"pid\":8,\"method\":\"CLI\",\"ts_start\":1001,\"ts_end\":2000," IDENTITY "}",
    };
    for (size_t i = 0; i < TK_COUNTOF(texts); i++) {
        give_exit();
        assert_formatted(texts[i], texts[i]);
        tk_events_release(&events);
    }
}

static void a_process_that_served_twice_bills_nobody(void **state)
{
    (void)state;
    static const char text[] =
        "{\"pid\":7,\"method\":\"CLI\",\"ts_start\":1001,\"ts_end\":2000," IDENTITY "}";
    give_exit();
    add(text);
    assert_formatted(text, text);
}

#define with_release(test) cmocka_unit_test_teardown(test, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_release(what_is_absent_or_null_is_filled_in),
        with_release(derived_times_are_never_negative),
        with_release(fields_keep_their_order_their_text_and_unknown_ones),
        with_release(numbers_are_read_as_any_writer_put_them),
        with_release(order_is_time_then_pid_then_span_then_arrival),
        with_release(exact_duplicates_are_marked_after_the_first),
        with_release(a_command_gets_the_bill_of_its_process),
        with_release(a_bill_that_is_there_stays),
        with_release(others_get_no_bill),
        with_release(a_process_that_served_twice_bills_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
