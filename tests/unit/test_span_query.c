/* SPDX-License-Identifier: Apache-2.0 */
/* Which spans a query asks for. */
#include "segment/span_query.h"

#include <errno.h>

#include "span_maker.h"

/* Three spans: row 0 a root, row 1 slow and failed, row 2 of another trace. */
static struct tk_span_batch *batch_new(void)
{
    struct tk_err err;
    struct tk_span_batch *batch;
    assert_int_equal(tk_span_batch_new(3, &batch, &err), 0);
    made_begin(batch, &(struct made_span){.service = "web",
                                          .name = "GET /",
                                          .id = 1,
                                          .start_ns = 1000,
                                          .duration_ns = 100,
                                          .kind = TK_SPAN_SERVER,
                                          .trace = 0xab1,
                                          .host = "a"});
    made_attr(batch, "http.route", "/");
    made_attr_i64(batch, "http.status", 200);
    assert_int_equal(tk_span_batch_end(batch), 0);
    made_begin(batch, &(struct made_span){.service = "db",
                                          .name = "select",
                                          .id = 2,
                                          .parent = 1,
                                          .start_ns = 1010,
                                          .duration_ns = 50,
                                          .kind = TK_SPAN_CLIENT,
                                          .status = TK_SPAN_ERROR,
                                          .trace = 0xab1,
                                          .host = "b"});
    made_attr(batch, "db.rows", "12.5");
    made_attr(batch, "empty", "");
    assert_int_equal(tk_span_batch_end(batch), 0);
    made_begin(batch, &(struct made_span){.service = "web",
                                          .name = "GET /cart",
                                          .id = 3,
                                          .parent = 9,
                                          .start_ns = 2000,
                                          .duration_ns = 0,
                                          .status = TK_SPAN_OK,
                                          .trace = 0xac2,
                                          .host = "a"});
    made_attr_i64(batch, "http.status", 503);
    assert_int_equal(tk_span_batch_end(batch), 0);
    return batch;
}

/* The rows that match, as bits. */
static unsigned matches(const struct tk_span_query *query)
{
    unsigned bits = 0;
    struct tk_span_batch *batch = batch_new();
    for (unsigned row = 0; row < batch->rows; row++)
        bits |= (unsigned)tk_span_query_matches(query, batch, row) << row;
    tk_span_batch_free(batch);
    return bits;
}

static void every_condition_on_columns_narrows(void **state)
{
    (void)state;
    static const uint8_t ids[1][16] = {{[14] = 0x0a, [15] = 0xb1}};
    const struct {
        unsigned expected;
        struct tk_span_query query;
    } cases[] = {
        {7, {.roots = false}},
        {5, {.service = TK_STR("web")}},
        {0, {.service = TK_STR("we")}},
        {0, {.service = TK_STR("")}},
        {4, {.name = TK_STR("GET /cart")}},
        {6, {.from_ns = 1010}},
        {3, {.to_ns = 2000}},
        {2, {.from_ns = 1001, .to_ns = 2000}},
        {3, {.min_duration_ns = 50}},
        {6, {.max_duration_ns = 50}},
        {1, {.kinds = 1U << TK_SPAN_SERVER}},
        {3, {.kinds = 1U << TK_SPAN_SERVER | 1U << TK_SPAN_CLIENT}},
        {6, {.statuses = 1U << TK_SPAN_ERROR | 1U << TK_SPAN_OK}},
        {1, {.roots = true}},
        {3, {.trace_ids = ids, .trace_id_count = 1}},
        {7, {.trace_prefix_digits = 29}},
        {3, {.trace_prefix = {[14] = 0x0a, [15] = 0xb0}, .trace_prefix_digits = 31}},
        {3, {.trace_prefix = {[14] = 0x0a, [15] = 0xb1}, .trace_prefix_digits = 32}},
        {0, {.trace_prefix = {[14] = 0x0a, [15] = 0xb2}, .trace_prefix_digits = 32}},
        {2, {.service = TK_STR("db"), .min_duration_ns = 50, .statuses = 1U << TK_SPAN_ERROR}},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        unsigned bits = matches(&cases[i].query);
        if (bits != cases[i].expected)
            print_error("case %zu: rows %x\n", i, bits);
        assert_int_equal(bits, cases[i].expected);
    }
}

static void attributes_are_those_of_the_span_or_else_of_its_resource(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned expected;
    } cases[] = {
        {"http.route", 1},       {"http.route=/", 1},     {"http.route!=/", 0},
        {"http.status", 5},      {"http.status=200", 1},  {"http.status!=200", 4},
        {"http.status>200", 4},  {"http.status>=200", 5}, {"http.status<503", 1},
        {"http.status<=503", 5}, {"db.rows>12", 2},       {"db.rows<12.6", 2},
        {"db.rows=12.5", 2},     {"http.route>1", 0},     {"host.name=a", 5},
        {"host.name!=a", 2},     {"service.name=web", 5}, {"nothing", 0},
        {"nothing!=x", 0},       {"empty=", 2},           {"empty", 2},
        {" http.route =/", 1},   {"http.route==/", 0},    {"http.status=2e2", 0},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_err err;
        struct tk_attr_condition condition;
        assert_int_equal(tk_attr_condition_parse(tk_str_from(cases[i].text), &condition, &err), 0);
        unsigned bits =
            matches(&(struct tk_span_query){.conditions = &condition, .condition_count = 1});
        if (bits != cases[i].expected)
            print_error("%s: rows %x\n", cases[i].text, bits);
        assert_int_equal(bits, cases[i].expected);
    }
}

static void what_is_no_condition_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "'' names no attribute"},
        {"=x", "'=x' names no attribute"},
        {"a!b", "'a!b': expected KEY, KEY=VALUE, KEY!=VALUE, KEY>N or KEY<N"},
        {"a>b", "'a>b': 'b' is not a number"},
        {"a<=", "'a<=': '' is not a number"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_err err;
        struct tk_attr_condition condition;
        assert_int_equal(tk_attr_condition_parse(tk_str_from(cases[i].text), &condition, &err),
                         -EINVAL);
        assert_string_equal(err.msg, cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_condition_on_columns_narrows),
        cmocka_unit_test(attributes_are_those_of_the_span_or_else_of_its_resource),
        cmocka_unit_test(what_is_no_condition_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
