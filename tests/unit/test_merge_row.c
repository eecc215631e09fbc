/* SPDX-License-Identifier: Apache-2.0 */
#include "run/merge_internal.h"

#include <errno.h>

#include "tk_test.h"

static const struct tk_merge_node node = {
    .id = "new \"id\"", .label = "old", .host = "h", .host_known = true};

/* The row as it leaves a merge, shifted by so much. */
static void assert_row(const char *line, int64_t shift_us, const char *expected)
{
    struct tk_merge_row row;
    struct tk_err err;
    struct tk_buf out;
    tk_buf_init(&out, 4096);
    assert_int_equal(tk_merge_row_read(TK_TABLE_HOST_METRICS, tk_str_from(line), &row, &err), 0);
    tk_merge_row_put(&row, &node, shift_us, &out);
    assert_true(tk_buf_ok(&out));
    assert_str_equal(tk_buf_str(&out), expected);
    tk_buf_release(&out);
}

static void rows_are_changed_only_where_they_must(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int64_t shift_us;
        const char *expected;
    } cases[] = {
        {"{}", 0, "{\"node\":\"new \\\"id\\\"\",\"host\":\"h\"}"},
        {"{ }", 0, "{\"node\":\"new \\\"id\\\"\",\"host\":\"h\"}"},
        {"{\"a\" : 1.50 }", 0, "{\"a\" : 1.50,\"node\":\"new \\\"id\\\"\",\"host\":\"h\"}"},
        {"{\"node\":null,\"a\":\"}\"}", 0,
         "{\"node\":\"new \\\"id\\\"\",\"a\":\"}\",\"host\":\"h\"}"},
        {"{\"host\":\"x\",\"node\":\"old\"}", 0, "{\"host\":\"h\",\"node\":\"new \\\"id\\\"\"}"},
        {"{\"node_id\":\"old\",\"host\":\"h\",\"o\":{\"ts_ms\":1}}", 5000,
         "{\"node_id\":\"new \\\"id\\\"\",\"host\":\"h\",\"o\":{\"ts_ms\":1}}"},
        {"{\"node\":\"old\",\"host\":\"h\",\"link\":\"old.nic\"}", 0,
         "{\"node\":\"new \\\"id\\\"\",\"host\":\"h\",\"link\":\"new \\\"id\\\".nic\"}"},
        {"{\"node\":\"old\",\"host\":\"h\",\"link\":\"older.nic\"}", 0,
         "{\"node\":\"new \\\"id\\\"\",\"host\":\"h\",\"link\":\"older.nic\"}"},
        {"{\"node\":\"old\",\"host\":\"h\",\"ts_ms\":10,\"ts_us\":10900,\"dt_ms\":7,\"ts_end\":"
         "\"9\"}",
         -1000,
         "{\"node\":\"new \\\"id\\\"\",\"host\":\"h\",\"ts_ms\":9,\"ts_us\":9900,\"dt_ms\":7,"
         "\"ts_end\":8}"},
        {"{\"node\":\"old\",\"host\":\"h\",\"ts_ms\":10,\"start_us\":0,\"pid_start_ms\":null}",
         1999,
         "{\"node\":\"new \\\"id\\\"\",\"host\":\"h\",\"ts_ms\":11,\"start_us\":0,"
         "\"pid_start_ms\":null}"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        print_message("# %s\n", cases[i].line);
        assert_row(cases[i].line, cases[i].shift_us, cases[i].expected);
    }
}

static void rows_are_ordered_by_the_best_stamp_that_they_have(void **state)
{
    (void)state;
    static const struct {
        enum tk_table table;
        const char *line;
        int64_t time_us;
    } cases[] = {
        {TK_TABLE_HOST_METRICS, "{\"ts_ms\":5,\"ts_us\":5123}", 5123},
        {TK_TABLE_HOST_METRICS, "{\"ts_us\":5123,\"ts_ms\":5}", 5123},
        {TK_TABLE_INVOCATIONS, "{\"ts_end\":9,\"ts_start\":7,\"ts_enqueue\":6}", 6000},
        {TK_TABLE_INVOCATIONS, "{\"ts_end\":9,\"ts_start\":7,\"ts_enqueue\":0}", 7000},
        {TK_TABLE_INVOCATIONS, "{\"ts_end\":9}", INT64_MIN},
        {TK_TABLE_PLACEMENT_EVENTS, "{\"ts\":5}", 5000},
        {TK_TABLE_CLOCK, "{\"realtime_us\":77,\"monotonic_us\":1}", 77},
        {TK_TABLE_HOST_METRICS, "{\"realtime_us\":77}", INT64_MIN},
        {TK_TABLE_HOST_METRICS, "{\"ts_ms\":9223372036854775807}", INT64_MIN},
        {TK_TABLE_HOST_METRICS, "{\"ts_ms\":\"5\"}", 5000},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_merge_row row;
        struct tk_err err;
        assert_int_equal(tk_merge_row_read(cases[i].table, tk_str_from(cases[i].line), &row, &err),
                         0);
        assert_int_equal(row.time_us, cases[i].time_us);
    }
}

static void what_is_no_object_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"[1]", "7", "{\"a\":1", "{\"a\":1}x", "{\"a\"}"};
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_merge_row row;
        struct tk_err err;
        assert_int_equal(tk_merge_row_read(TK_TABLE_SELF, tk_str_from(cases[i]), &row, &err),
                         -EBADMSG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_changed_only_where_they_must),
        cmocka_unit_test(rows_are_ordered_by_the_best_stamp_that_they_have),
        cmocka_unit_test(what_is_no_object_is_refused),
    };
    return cmocka_run_group_tests_name("merge_row", tests, NULL, NULL);
}
