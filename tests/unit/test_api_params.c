/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of the query APIs, and TraceQL. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "serve/api.h"
#include "serve/traceql.h"
#include "tk_test.h"

/* A request with one parameter. */
static struct tk_request request_of(const struct tk_param *params, size_t n)
{
    return (struct tk_request){.params = params, .param_count = n};
}

static void durations_are_those_of_go(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns; /* -1 = it is none */
    } cases[] = {
        {"1.2ms", 1200000},
        {"0", 0},
        {"100us", 100000},
        {"100\u00b5s", 100000},
        {"100\u03bcs", 100000},
        {"7ns", 7},
        {"1h2m3.5s", 3723500000000},
        {".5s", 500000000},
        {"1.23456789012s", 1234567890},
        {"", -1},
        {"5", -1},
        {"s", -1},
        {"1.5", -1},
        {"-1s", -1},
        {"1 s", -1},
        {"1d", -1},
        {"1s ", -1},
        {"9999999999h", -1},
        {"99999999999999999999s", -1},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        int64_t ns = -1;
        bool ok = tk_go_duration_parse(tk_str_from(cases[i].text), &ns);
        if (ok != (cases[i].ns >= 0) || ns != cases[i].ns)
            print_error("%s: %lld\n", cases[i].text, (long long)ns);
        assert_int_equal(ok, cases[i].ns >= 0);
        assert_int_equal(ns, cases[i].ns);
    }
}

static void trace_ids_come_in_several_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *expected; /* NULL = none */
    } cases[] = {
        {"4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e4736"},
        {"4BF92F3577B34DA6A3CE929D0E0E4736", "4bf92f3577b34da6a3ce929d0e0e4736"},
        {"a3ce929d0e0e4736", "0000000000000000a3ce929d0e0e4736"},
        {"1", "00000000000000000000000000000001"},
        {"S/kvNXezTaajzpKdDg5HNg==", "4bf92f3577b34da6a3ce929d0e0e4736"},
        {"S/kvNXezTaajzpKdDg5HNg", "4bf92f3577b34da6a3ce929d0e0e4736"},
        {"S_kvNXezTaajzpKdDg5HNg", "4bf92f3577b34da6a3ce929d0e0e4736"},
        {"", NULL},
        {"0", NULL},
        {"00000000000000000000000000000000", NULL},
        {"4bf92f3577b34da6a3ce929d0e0e47361", NULL},
        {"xyz", NULL},
        {"AAAAAAAAAAAAAAAAAAAAAA==", NULL},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        uint8_t id[16];
        struct tk_err err;
        int rc = tk_api_trace_id(tk_str_from(cases[i].text), id, &err);
        assert_int_equal(rc, cases[i].expected ? 0 : -EINVAL);
        if (!cases[i].expected)
            continue;
        struct tk_buf text;
        tk_buf_init(&text, 64);
        tk_api_put_trace_id(&text, id, false);
        assert_str_equal(tk_buf_str(&text), cases[i].expected);
        tk_buf_release(&text);
    }
}

static void a_short_trace_id_is_printed_with_16_digits(void **state)
{
    (void)state;
    struct tk_buf text;
    tk_buf_init(&text, 100);
    tk_api_put_trace_id(&text, (const uint8_t[16]){[8] = 0x0a, [15] = 1}, true);
    tk_buf_putc(&text, ' ');
    tk_api_put_trace_id(&text, (const uint8_t[16]){[7] = 1, [15] = 1}, true);
    assert_str_equal(tk_buf_str(&text), "0a00000000000001 00000000000000010000000000000001");
    tk_buf_release(&text);
}

static void a_bad_parameter_is_named(void **state)
{
    (void)state;
    struct tk_err err;
    int64_t number = 5;
    bool truth = true;
    const struct tk_param params[] = {
        {TK_STR("limit"), TK_STR("x")},
        {TK_STR("raw"), TK_STR("yes")},
        {TK_STR("minDuration"), TK_STR("5")},
        {TK_STR("start"), TK_STR("-1")},
        {TK_STR("end"), TK_STR("9300000000000000000")},
        {TK_STR("startTime"), TK_STR("yesterday")},
        {TK_STR("empty"), TK_STR("")},
    };
    const struct tk_request request = request_of(params, TK_COUNTOF(params));
    assert_int_equal(tk_api_param_i64(&request, "limit", &number, &err), -EINVAL);
    assert_string_equal(err.msg, "unable to parse param 'limit': 'x' is not a number");
    assert_int_equal(tk_api_param_bool(&request, "raw", NULL, &truth, &err), -EINVAL);
    assert_string_equal(err.msg, "unable to parse param 'raw': 'yes' is not true or false");
    assert_int_equal(tk_api_param_duration(&request, "minDuration", NULL, &number, &err), -EINVAL);
    assert_string_equal(err.msg,
                        "unable to parse param 'minDuration': '5' is not a duration as 1.5s or "
                        "100ms");
    assert_int_equal(tk_api_param_units(&request, "start", 1000, &number, &err), -EINVAL);
    assert_int_equal(tk_api_param_units(&request, "end", 1000, &number, &err), -EINVAL);
    assert_int_equal(tk_api_param_time(&request, "startTime", NULL, &number, &err), -EINVAL);
    assert_int_equal(tk_api_param_i64(&request, "empty", &number, &err), 0);
    assert_int_equal(tk_api_param_i64(&request, "absent", &number, &err), 0);
    assert_int_equal(number, 5);
}

static void an_alias_counts_where_the_name_is_not(void **state)
{
    (void)state;
    tk_str value;
    const struct tk_param params[] = {{TK_STR("span_kind"), TK_STR("old")},
                                      {TK_STR("spanKind"), TK_STR("new")}};
    struct tk_request request = request_of(params, 2);
    assert_true(tk_api_param(&request, "spanKind", "span_kind", &value));
    assert_str_equal(value, "new");
    request.param_count = 1;
    assert_true(tk_api_param(&request, "spanKind", "span_kind", &value));
    assert_str_equal(value, "old");
    assert_false(tk_api_param(&request, "spanKind", NULL, &value));
}

static void tags_that_stand_for_columns_become_conditions_on_them(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_arena scratch;
    struct tk_api_search search = {0};
    assert_int_equal(tk_arena_init(&scratch, 65536, &err), 0);
    assert_int_equal(tk_api_search_add_json(&search, "tags",
                                            TK_STR("{\"error\":\"true\",\"span.kind\":\"client\","
                                                   "\"http.\\u006dethod\":\"GET\"}"),
                                            &scratch, &err),
                     0);
    assert_int_equal(search.query.statuses, 1U << TK_SPAN_ERROR);
    assert_int_equal(search.query.kinds, 1U << TK_SPAN_CLIENT);
    assert_int_equal(search.query.condition_count, 1);
    assert_str_equal(search.query.conditions[0].key, "http.method");
    /* Of two kinds at once there is no span. */
    assert_int_equal(tk_api_search_add_json(&search, "tags", TK_STR("{\"span.kind\":\"server\"}"),
                                            &scratch, &err),
                     0);
    assert_int_equal(search.query.kinds & ((1U << TK_SPAN_KIND_COUNT) - 1), 0);
    assert_int_not_equal(search.query.kinds, 0);
    tk_arena_release(&scratch);
}

static void tags_that_are_no_object_of_texts_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "[]", "{\"a\":1}", "{\"a\":\"b\"", "{\"a\":\"b\"} x"};
    struct tk_err err;
    struct tk_arena scratch;
    assert_int_equal(tk_arena_init(&scratch, 65536, &err), 0);
    for (size_t i = 0; i < TK_COUNTOF(texts); i++) {
        struct tk_api_search search = {0};
        assert_int_equal(
            tk_api_search_add_json(&search, "tags", tk_str_from(texts[i]), &scratch, &err),
            -EINVAL);
        assert_non_null(strstr(err.msg, "malformed 'tags' parameter"));
    }
    tk_arena_release(&scratch);
}

static void limits_and_durations_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct tk_api_search search;
        const char *message; /* NULL = it is fine */
    } cases[] = {
        {{.limit = 1}, NULL},
        {{.limit = 0}, "invalid parameter: limit must be 1 to 10000"},
        {{.limit = 10001}, "invalid parameter: limit must be 1 to 10000"},
        {{.limit = 1, .query = {.min_duration_ns = 2, .max_duration_ns = 1}},
         "'max' should be greater than 'min'"},
        {{.limit = 1, .query = {.from_ns = 5, .to_ns = 5}},
         "invalid parameter: the start must be before the end"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_err err;
        int rc = tk_api_search_check(&cases[i].search, "limit", "min", "max", &err);
        assert_int_equal(rc, cases[i].message ? -EINVAL : 0);
        if (cases[i].message)
            assert_string_equal(err.msg, cases[i].message);
    }
}

/* TraceQL ----------------------------------------------------------------------------- */

static int parse_traceql(const char *text, struct tk_arena *scratch, struct tk_traceql **ret_query,
                         struct tk_err *err)
{
    const struct tk_api_search base = {0};
    return tk_traceql_parse(tk_str_from(text), &base, scratch, ret_query, err);
}

static void traceql_of_a_search_builder_is_understood(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_arena scratch;
    struct tk_traceql *query = NULL;
    assert_int_equal(tk_arena_init(&scratch, 65536, &err), 0);

    assert_int_equal(parse_traceql(" { } ", &scratch, &query, &err), 0);
    assert_null(query->alternatives[0].query.service.p);
    tk_traceql_free(query);

    assert_int_equal(parse_traceql("{resource.service.name=\"cart\" && name = `GET /` && "
                                   "status=error&&kind!=client && duration>100ms && "
                                   "duration<=2s && span.http.status_code >= 500 && "
                                   ".\"odd key\" != nil && span.a != \"x\\\"y\"}",
                                   &scratch, &query, &err),
                     0);
    assert_int_equal(query->count, 1);
    const struct tk_api_search *search = &query->alternatives[0];
    assert_str_equal(search->query.service, "cart");
    assert_str_equal(search->query.name, "GET /");
    assert_int_equal(search->query.statuses, 1U << TK_SPAN_ERROR);
    assert_int_equal(search->query.kinds, 0x3FU & ~(1U << TK_SPAN_CLIENT));
    assert_int_equal(search->query.min_duration_ns, 100 * TK_NS_PER_MS + 1);
    assert_int_equal(search->query.max_duration_ns, 2 * TK_NS_PER_S);
    assert_int_equal(search->query.condition_count, 3);
    assert_str_equal(search->conditions[0].key, "http.status_code");
    assert_int_equal(search->conditions[0].test, TK_ATTR_AT_LEAST);
    assert_str_equal(search->conditions[0].value, "500");
    assert_str_equal(search->conditions[1].key, "odd key");
    assert_int_equal(search->conditions[1].test, TK_ATTR_EXISTS);
    assert_str_equal(search->conditions[2].value, "x\"y");
    tk_traceql_free(query);
    tk_arena_release(&scratch);
}

static void traceql_that_is_not_supported_is_told_with_its_byte(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "TraceQL, byte 0: expected '{'"},
        {"{", "TraceQL, byte 1: expected name, status, kind, duration, resource.KEY, span.KEY or "
              ".KEY"},
        {"{ name > \"a\" }", "TraceQL, byte 12: here only =, !=, =~ and !~ are supported"},
        {"{ status = \"odd\" }", "TraceQL, byte 16: the value before is not one of this field"},
        {"{ .a = 1 } | count() > 2",
         "TraceQL, byte 11: only one set of spans is supported, without a pipeline"},
        {"{ .a > x }", "TraceQL, byte 8: the value before is no number"},
        {"{ duration > 5 }", "TraceQL, byte 14: the value before is no duration as 100ms"},
        {"{ .a = \"b }", "TraceQL, byte 7: expected a text in double quotes"},
        {"{ .a }", "TraceQL, byte 5: expected =, !=, =~, !~, >, >=, < or <="},
        {"{ .a = nil }", "TraceQL, byte 10: of nil only != is supported"},
    };
    struct tk_err err;
    struct tk_arena scratch;
    struct tk_traceql *query = NULL;
    assert_int_equal(tk_arena_init(&scratch, 65536, &err), 0);
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        assert_int_equal(parse_traceql(cases[i].text, &scratch, &query, &err), -EINVAL);
        assert_string_equal(err.msg, cases[i].message);
    }
    tk_arena_release(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_those_of_go),
        cmocka_unit_test(trace_ids_come_in_several_forms),
        cmocka_unit_test(a_short_trace_id_is_printed_with_16_digits),
        cmocka_unit_test(a_bad_parameter_is_named),
        cmocka_unit_test(an_alias_counts_where_the_name_is_not),
        cmocka_unit_test(tags_that_stand_for_columns_become_conditions_on_them),
        cmocka_unit_test(tags_that_are_no_object_of_texts_are_refused),
        cmocka_unit_test(limits_and_durations_that_cannot_be_are_refused),
        cmocka_unit_test(traceql_of_a_search_builder_is_understood),
        cmocka_unit_test(traceql_that_is_not_supported_is_told_with_its_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
