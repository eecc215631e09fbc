/* SPDX-License-Identifier: Apache-2.0 */
#include "span/call.h"

#include <errno.h>

#include "base/clock.h"
#include "run/schemas.h"
#include "tk_test.h"

static int set(struct tk_call *call, enum tk_field field, enum tk_unit unit, const char *text,
               struct tk_err *err)
{
    const struct tk_source source = {TK_STR("key"), field, unit, 0};
    return tk_call_set(call, &source, tk_str_from(text), err);
}

static void numbers_are_read_in_their_unit(void **state)
{
    (void)state;
    static const struct {
        enum tk_field field;
        enum tk_unit unit;
        const char *text;
        int64_t value;
    } cases[] = {
        {TK_FIELD_END, TK_UNIT_S, "1760097336.123", 1760097336123000000},
        {TK_FIELD_END, TK_UNIT_MS, "1760097336123", 1760097336123000000},
        {TK_FIELD_END, TK_UNIT_MS, "1760097336123.25", 1760097336123250000},
        {TK_FIELD_END, TK_UNIT_US, "1760097336123000", 1760097336123000000},
        {TK_FIELD_END, TK_UNIT_NS, "1760097336123000001", 1760097336123000001},
        {TK_FIELD_END, TK_UNIT_S, "1.5e3", 1500000000000},
        {TK_FIELD_END, TK_UNIT_S, "2025-10-10T11:55:36Z", 1760097336000000000},
        {TK_FIELD_SERVICE, TK_UNIT_S, "0.123", 123000000},
        {TK_FIELD_SERVICE, TK_UNIT_US, "7", 7000},
        {TK_FIELD_UPSTREAM_TIME, TK_UNIT_S, "0.010, 0.020 : 0.003", 33000000},
        {TK_FIELD_UPSTREAM_TIME, TK_UNIT_S, "-, 0.020", 20000000},
        {TK_FIELD_BYTES_OUT, TK_UNIT_NONE, "512", 512},
        {TK_FIELD_MEM, TK_UNIT_MB, "2", 2 << 20},
        {TK_FIELD_STATUS, TK_UNIT_NONE, "200", 200},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_call call = {0};
        struct tk_err err;
        print_message("# %s\n", cases[i].text);
        assert_int_equal(set(&call, cases[i].field, cases[i].unit, cases[i].text, &err), 0);
        assert_true(tk_call_has(&call, cases[i].field));
        assert_int_equal(call.values[cases[i].field].i64, cases[i].value);
    }
}

static void bad_values_name_their_source(void **state)
{
    (void)state;
    static const struct {
        enum tk_field field;
        enum tk_unit unit;
        const char *text;
        const char *message;
    } cases[] = {
        {TK_FIELD_SERVICE, TK_UNIT_S, "x.1", "key: 'x.1' is no duration in s"},
        {TK_FIELD_SERVICE, TK_UNIT_S, "-0.5", "key: '-0.5' is no duration in s"},
        {TK_FIELD_SERVICE, TK_UNIT_S, "NaN", "key: 'NaN' is no duration in s"},
        {TK_FIELD_SERVICE, TK_UNIT_S, "1e300", "key: '1e300' is no duration in s"},
        {TK_FIELD_SERVICE, TK_UNIT_NONE, "12",
         "key: 12 is a number whose unit nobody stated (s, ms, us or ns)"},
        {TK_FIELD_END, TK_UNIT_NONE, "1760097336",
         "key: 1760097336 is a number whose unit nobody stated (s, ms, us or ns)"},
        {TK_FIELD_END, TK_UNIT_S, "9999999999999", "key: '9999999999999' is no time in s"},
        {TK_FIELD_END, TK_UNIT_NONE, "yesterday", "key: 'yesterday' is no time"},
        {TK_FIELD_STATUS, TK_UNIT_NONE, "2OO", "key: '2OO' is no whole number"},
        {TK_FIELD_PID, TK_UNIT_NONE, "-3", "key: '-3' is no whole number"},
        {TK_FIELD_BYTES_IN, TK_UNIT_GB, "9999999999999", "key: '9999999999999' is no size in GiB"},
        {TK_FIELD_EXIT, TK_UNIT_NONE, "1:999", "key: '1:999' is no exit code"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_call call = {0};
        struct tk_err err;
        assert_int_equal(set(&call, cases[i].field, cases[i].unit, cases[i].text, &err), -EBADMSG);
        assert_string_equal(err.msg, cases[i].message);
        assert_int_equal(call.present, 0);
    }
}

static void dashes_and_empty_texts_are_no_values(void **state)
{
    (void)state;
    struct tk_call call = {0};
    struct tk_err err;
    assert_int_equal(set(&call, TK_FIELD_TRACE_ID, TK_UNIT_NONE, "-", &err), 0);
    assert_int_equal(set(&call, TK_FIELD_TRACE_ID, TK_UNIT_NONE, "", &err), 0);
    assert_int_equal(set(&call, TK_FIELD_BYTES_OUT, TK_UNIT_NONE, "-", &err), 0);
    assert_int_equal(set(&call, TK_FIELD_END, TK_UNIT_NONE, "Unknown", &err), 0);
    assert_int_equal(call.present, 0);
}

static void the_source_of_the_smallest_rank_counts(void **state)
{
    (void)state;
    struct tk_call call = {0};
    struct tk_err err;
    static const uint8_t ranks[] = {2, 1, 3, 1};
    static const char *const texts[] = {"two", "one", "three", "again"};
    for (size_t i = 0; i < TK_COUNTOF(ranks); i++) {
        const struct tk_source source = {TK_STR("k"), TK_FIELD_TRACE_ID, TK_UNIT_NONE, ranks[i]};
        assert_int_equal(tk_call_set(&call, &source, tk_str_from(texts[i]), &err), 0);
    }
    assert_str_equal(call.values[TK_FIELD_TRACE_ID].text, "one");
}

/* The field has this text; NULL = it is absent. */
static void assert_field(const struct tk_call *call, enum tk_field field, const char *text)
{
    assert_int_equal(tk_call_has(call, field), text != NULL);
    if (text)
        assert_str_equal(call->values[field].text, text);
}

static void request_lines_give_method_and_path(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *method; /* NULL = none */
        const char *path;
    } cases[] = {
        {"GET /x?q=1 HTTP/1.1", "GET", "/x?q=1"},
        {"M-SEARCH * HTTP/2.0", "M-SEARCH", "*"},
        {"GET /a b HTTP/1.1", "GET", "/a b"},
        {"GET /old", "GET", "/old"},
        {"get /x HTTP/1.1", NULL, "get /x HTTP/1.1"},
        {"GET /x FTP/1", NULL, "GET /x FTP/1"},
        {"\x16\x03\x01", NULL, "\x16\x03\x01"},
        {"GET", NULL, "GET"},
        {" ", NULL, " "},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_call call = {0};
        struct tk_err err;
        assert_int_equal(set(&call, TK_FIELD_REQUEST, TK_UNIT_NONE, cases[i].text, &err), 0);
        assert_field(&call, TK_FIELD_METHOD, cases[i].method);
        assert_field(&call, TK_FIELD_PATH, cases[i].path);
    }
}

static void a_traceparent_gives_the_trace_and_the_parent(void **state)
{
    (void)state;
    struct tk_call call = {0};
    struct tk_err err;
    assert_int_equal(set(&call, TK_FIELD_TRACEPARENT, TK_UNIT_NONE,
                         "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", &err),
                     0);
    assert_str_equal(call.values[TK_FIELD_TRACE_ID].text, "0af7651916cd43dd8448eb211c80319c");
    assert_str_equal(call.values[TK_FIELD_W3C_TRACE_ID].text, "0af7651916cd43dd8448eb211c80319c");
    assert_str_equal(call.values[TK_FIELD_PARENT_ID].text, "b7ad6b7169203331");
    tk_call_reset(&call);
    assert_int_equal(set(&call, TK_FIELD_TRACEPARENT, TK_UNIT_NONE, "00-0af7-b7-01", &err), 0);
    assert_int_equal(call.present, 0);
}

static void a_signal_is_told_as_a_shell_tells_it(void **state)
{
    (void)state;
    struct tk_call call = {0};
    struct tk_err err;
    assert_int_equal(set(&call, TK_FIELD_EXIT, TK_UNIT_NONE, "0:9", &err), 0);
    assert_int_equal(call.values[TK_FIELD_STATUS].i64, 137);
    assert_int_equal(call.values[TK_FIELD_EXIT_CODE].i64, 0);
    tk_call_reset(&call);
    assert_int_equal(set(&call, TK_FIELD_EXIT, TK_UNIT_NONE, "3", &err), 0);
    assert_int_equal(call.values[TK_FIELD_STATUS].i64, 3);
}

#define NONE (-1)

static void two_of_start_end_and_duration_suffice(void **state)
{
    (void)state;
    static const struct {
        int64_t given_ms[6]; /* enqueue, start, end, queue_time, service, rt */
        int64_t enqueue_ms, start_ms, end_ms;
        const char *message; /* NULL = complete */
    } cases[] = {
        {{1000, 1010, 1250, NONE, NONE, NONE}, 1000, 1010, 1250},
        {{NONE, NONE, 1250, NONE, 240, NONE}, 1010, 1010, 1250},
        {{NONE, 1010, NONE, NONE, 240, NONE}, 1010, 1010, 1250},
        {{NONE, 1010, 1250, 10, NONE, NONE}, 1000, 1010, 1250},
        {{1000, NONE, NONE, 10, 240, NONE}, 1000, 1010, 1250},
        {{1000, NONE, NONE, 10, NONE, 250}, 1000, 1010, 1250},
        {{NONE, NONE, 1250, 10, NONE, 250}, 1000, 1010, 1250},
        {{NONE, NONE, 1250, NONE, 240, 250}, 1000, 1010, 1250},
        {{NONE, NONE, NONE, NONE, 240, NONE}, 0, 0, 0, "tells no time"},
        {{NONE, 1010, NONE, NONE, NONE, NONE},
         0,
         0,
         0,
         "tells only the start: expected two of start, end and duration"},
        {{NONE, NONE, 1250, NONE, NONE, NONE},
         0,
         0,
         0,
         "tells only the end: expected two of start, end and duration"},
        {{NONE, 1250, 1010, NONE, NONE, NONE}, 0, 0, 0, "ends 0.240 s before it starts"},
        {{1020, 1010, 1250, NONE, NONE, NONE}, 0, 0, 0, "starts 0.010 s before it arrives"},
        {{NONE, NONE, 1250, NONE, 9000, NONE}, 0, 0, 0, "begins before 1970"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_call call = {0};
        struct tk_err err;
        char text[32];
        for (size_t k = 0; k < 6; k++) {
            if (cases[i].given_ms[k] == NONE)
                continue;
            (void)snprintf(text, sizeof(text), "%lld", (long long)cases[i].given_ms[k]);
            assert_int_equal(set(&call, (enum tk_field)k, TK_UNIT_MS, text, &err), 0);
        }
        print_message("# case %zu\n", i);
        assert_int_equal(tk_call_complete(&call, &err), cases[i].message ? -EBADMSG : 0);
        if (cases[i].message) {
            assert_string_equal(err.msg, cases[i].message);
            continue;
        }
        assert_int_equal(call.values[TK_FIELD_ENQUEUE].i64, cases[i].enqueue_ms * TK_NS_PER_MS);
        assert_int_equal(call.values[TK_FIELD_START].i64, cases[i].start_ms * TK_NS_PER_MS);
        assert_int_equal(call.values[TK_FIELD_END].i64, cases[i].end_ms * TK_NS_PER_MS);
    }
}

/* The row of a call. */
static struct tk_batch *put(const struct tk_call *call)
{
    static const struct tk_call_place place = {{"n", 1}, {"edge", 4}, {"h", 1}};
    struct tk_batch *batch;
    struct tk_err err;
    assert_int_equal(tk_batch_new(&tk_schema_invocations, 1, 4096, &batch, &err), 0);
    tk_batch_begin(batch);
    tk_call_put(call, &place, batch);
    return batch;
}

static void a_row_has_the_derived_times_and_the_place(void **state)
{
    (void)state;
    struct tk_call call = {0};
    struct tk_err err;
    assert_int_equal(set(&call, TK_FIELD_ENQUEUE, TK_UNIT_MS, "1000", &err), 0);
    assert_int_equal(set(&call, TK_FIELD_START, TK_UNIT_MS, "1010", &err), 0);
    assert_int_equal(set(&call, TK_FIELD_END, TK_UNIT_MS, "1250", &err), 0);
    assert_int_equal(set(&call, TK_FIELD_MEM, TK_UNIT_MB, "3", &err), 0);
    assert_int_equal(tk_call_complete(&call, &err), 0);
    TK_CLEANUP(tk_batch_freep) struct tk_batch *row = put(&call);
    assert_int_equal(tk_batch_i64(row, 0, TK_INVOCATIONS_QUEUE_TIME_MS, -1), 10);
    assert_int_equal(tk_batch_i64(row, 0, TK_INVOCATIONS_SERVICE_TIME_MS, -1), 240);
    assert_int_equal(tk_batch_i64(row, 0, TK_INVOCATIONS_RT_MS, -1), 250);
    assert_int_equal(tk_batch_i64(row, 0, TK_INVOCATIONS_BYTES_OUT, -1), 0);
    assert_int_equal(tk_batch_i64(row, 0, TK_INVOCATIONS_REQ_MEM_KB, -1), 3072);
    assert_str_equal(tk_batch_text(row, 0, TK_INVOCATIONS_NODE), "n");
    assert_str_equal(tk_batch_text(row, 0, TK_INVOCATIONS_STAGE), "edge");
    assert_str_equal(tk_batch_text(row, 0, TK_INVOCATIONS_HOST), "h");
    assert_false(tk_batch_has(row, 0, TK_INVOCATIONS_PID));
    assert_false(tk_batch_has(row, 0, TK_INVOCATIONS_TRACE_ID));
}

static void a_call_of_another_node_is_not_on_our_host(void **state)
{
    (void)state;
    struct tk_call call = {0};
    struct tk_err err;
    assert_int_equal(set(&call, TK_FIELD_NODE, TK_UNIT_NONE, "other", &err), 0);
    TK_CLEANUP(tk_batch_freep) struct tk_batch *row = put(&call);
    assert_str_equal(tk_batch_text(row, 0, TK_INVOCATIONS_NODE), "other");
    assert_false(tk_batch_has(row, 0, TK_INVOCATIONS_HOST));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_in_their_unit),
        cmocka_unit_test(bad_values_name_their_source),
        cmocka_unit_test(dashes_and_empty_texts_are_no_values),
        cmocka_unit_test(the_source_of_the_smallest_rank_counts),
        cmocka_unit_test(request_lines_give_method_and_path),
        cmocka_unit_test(a_traceparent_gives_the_trace_and_the_parent),
        cmocka_unit_test(a_signal_is_told_as_a_shell_tells_it),
        cmocka_unit_test(two_of_start_end_and_duration_suffice),
        cmocka_unit_test(a_row_has_the_derived_times_and_the_place),
        cmocka_unit_test(a_call_of_another_node_is_not_on_our_host),
    };
    return cmocka_run_group_tests_name("call", tests, NULL, NULL);
}
