/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "tk_spans.h"

#define IDS   "{\"trace_id\":\"0000000000000000000000000000000a\",\"span_id\":\"000000000000000b\","
#define TIMES "\"start_time_unix_nano\":5000,\"end_time_unix_nano\":12000,"

static const struct {
    const char *what;
    const char *text;
    const char *lines;
} cases[] = {
    {"an answer of the query API, processes behind the spans",
     "{\"data\":[{\"traceID\":\"a\",\"spans\":[{\"traceID\":\"a\",\"spanID\":\"b\","
     "\"operationName\":\"GET\",\"references\":[],\"startTime\":5,\"duration\":7,\"tags\":["
     "{\"key\":\"span.kind\",\"type\":\"string\",\"value\":\"server\"},"
     "{\"key\":\"n\",\"type\":\"int64\",\"value\":\"9007199254740993\"},"
     "{\"key\":\"d\",\"type\":\"float64\",\"value\":2},"
     "{\"key\":\"t\",\"type\":\"bool\",\"value\":\"true\"}],"
     "\"logs\":[{\"timestamp\":6,\"fields\":[{\"key\":\"event\",\"value\":\"e\"},"
     "{\"key\":\"x\",\"value\":\"y\"}]}],\"processID\":\"p1\",\"warnings\":null}],"
     "\"processes\":{\"p1\":{\"serviceName\":\"shop\",\"tags\":["
     "{\"key\":\"ip\",\"type\":\"string\",\"value\":\"::1\"}]}}}],\"errors\":null}",
     IDS "\"name\":\"GET\",\"kind\":2," TIMES "\"attributes\":{\"n\":9007199254740993,\"d\":2.0,"
         "\"t\":true},\"events\":[{\"time_unix_nano\":6000,\"name\":\"e\",\"attributes\":{"
         "\"x\":\"y\"}}],\"resource\":{\"service.name\":\"shop\",\"ip\":\"::1\"}}\n"},
    {"tags that stand for something else",
     "{\"spans\":[{\"traceID\":\"A\",\"spanID\":\"B\",\"operationName\":\"x\",\"startTime\":5,"
     "\"duration\":7,\"flags\":1,\"tags\":["
     "{\"key\":\"otel.status_code\",\"type\":\"string\",\"value\":\"ERROR\"},"
     "{\"key\":\"error\",\"type\":\"bool\",\"value\":true},"
     "{\"key\":\"otel.status_description\",\"type\":\"string\",\"value\":\"no\"},"
     "{\"key\":\"otel.library.name\",\"type\":\"string\",\"value\":\"lib\"},"
     "{\"key\":\"otel.scope.version\",\"type\":\"string\",\"value\":\"2\"},"
     "{\"key\":\"w3c.tracestate\",\"type\":\"string\",\"value\":\"k=v\"}]}]}",
     IDS "\"trace_state\":\"k=v\",\"flags\":1,\"name\":\"x\",\"kind\":0," TIMES
         "\"status\":{\"code\":2,\"message\":\"no\"},\"attributes\":{},\"resource\":{},"
         "\"scope\":{\"name\":\"lib\",\"version\":\"2\"}}\n"},
    {"an error that says which stays an attribute",
     "{\"spans\":[{\"traceID\":\"a\",\"spanID\":\"b\",\"operationName\":\"x\",\"startTime\":5,"
     "\"duration\":7,\"tags\":[{\"key\":\"error\",\"type\":\"string\",\"value\":\"Late\"}]}]}",
     IDS "\"name\":\"x\",\"kind\":0," TIMES "\"status\":{\"code\":2},\"attributes\":{\"error\":"
         "\"Late\"},\"resource\":{}}\n"},
    {"the first CHILD_OF is the parent, others are links",
     "{\"spans\":[{\"traceID\":\"a\",\"spanID\":\"b\",\"operationName\":\"x\",\"startTime\":5,"
     "\"duration\":7,\"references\":["
     "{\"refType\":\"FOLLOWS_FROM\",\"traceID\":\"f\",\"spanID\":\"1\"},"
     "{\"refType\":\"CHILD_OF\",\"traceID\":\"a\",\"spanID\":\"c\"},"
     "{\"refType\":\"CHILD_OF\",\"traceID\":\"a\",\"spanID\":\"d\"}]}]}",
     IDS "\"parent_span_id\":\"000000000000000c\",\"name\":\"x\",\"kind\":0," TIMES
         "\"attributes\":{},\"links\":[{\"trace_id\":\"0000000000000000000000000000000f\","
         "\"span_id\":\"0000000000000001\",\"attributes\":{}},"
         "{\"trace_id\":\"0000000000000000000000000000000a\",\"span_id\":\"000000000000000d\","
         "\"attributes\":{\"opentracing.ref_type\":\"child_of\"}}],\"resource\":{}}\n"},
    {"without one the first FOLLOWS_FROM of the trace is, and stays a link",
     "{\"spans\":[{\"traceID\":\"a\",\"spanID\":\"b\",\"operationName\":\"x\",\"startTime\":5,"
     "\"duration\":7,\"references\":["
     "{\"refType\":\"FOLLOWS_FROM\",\"traceID\":\"a\",\"spanID\":\"c\"}]}]}",
     IDS "\"parent_span_id\":\"000000000000000c\",\"name\":\"x\",\"kind\":0," TIMES
         "\"attributes\":{},\"links\":[{\"trace_id\":\"0000000000000000000000000000000a\","
         "\"span_id\":\"000000000000000c\",\"attributes\":{}}],\"resource\":{}}\n"},
    {"lines of spans with their process inside",
     "{\"traceID\":\"a\",\"spanID\":\"b\",\"parentSpanID\":\"c\",\"operationName\":\"x\","
     "\"startTime\":5,\"duration\":7,\"process\":{\"serviceName\":\"s\"}}\n",
     IDS "\"parent_span_id\":\"000000000000000c\",\"name\":\"x\",\"kind\":0," TIMES
         "\"attributes\":{},\"resource\":{\"service.name\":\"s\"}}\n"},
    {"an id that is no number is hashed, and kept",
     "{\"spans\":[{\"traceID\":\"a\",\"spanID\":\"G\",\"operationName\":\"x\",\"startTime\":5,"
     "\"duration\":7}]}",
     "{\"trace_id\":\"0000000000000000000000000000000a\",\"span_id\":\"333e0a1e27815d0c\","
     "\"name\":\"x\",\"kind\":0," TIMES "\"attributes\":{\"tracekit.span_id\":\"G\"},"
     "\"resource\":{}}\n"},
};

static void what_jaeger_writes_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        print_message("# %s\n", cases[i].what);
        assert_reads_as(&tk_span_reader_jaeger, cases[i].text, cases[i].lines);
    }
}

static void spans_that_are_none_are_counted_and_the_first_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *first_bad;
        uint64_t spans;
        uint64_t bad;
    } bad[] = {
        {"{\"spans\":[{\"traceID\":\"a\",\"startTime\":1},{\"traceID\":\"a\",\"spanID\":\"1\","
         "\"startTime\":1}]}",
         "line 1: a span without an id", 1, 1},
        {"\n{\"spans\":[\n{\"traceID\":\"0\",\"spanID\":\"1\",\"startTime\":1}]}",
         "line 3: a trace id of zeros", 0, 1},
        {"{\"spans\":[{\"traceID\":\"a\",\"spanID\":\"1\"}]}", "line 1: a span without startTime",
         0, 1},
        {"{\"spans\":[{\"traceID\":\"a\",\"spanID\":\"1\",\"startTime\":9223372036854775807}]}",
         "line 1: a time before 1970 or beyond 2262", 0, 1},
        {"{}", "line 1: neither a trace nor a span", 0, 1},
        {"{\"spans\":[]}\nnonsense\n{\"spans\":[{\"traceID\":\"a\",\"spanID\":\"1\","
         "\"startTime\":1}]}\n",
         "line 2: byte 14: expected null", 1, 1},
    };
    for (size_t i = 0; i < TK_COUNTOF(bad); i++) {
        struct tk_spans spans = {0};
        tk_spans_read(&spans, &tk_span_reader_jaeger, tk_str_from(bad[i].text), 100);
        assert_int_equal(spans.rc, 1);
        assert_int_equal(spans.tally.spans, bad[i].spans);
        assert_int_equal(spans.tally.by_reason[TK_SPAN_BAD_RECORD], bad[i].bad);
        assert_string_equal(spans.input.first_bad, bad[i].first_bad);
        tk_span_batch_free(spans.batch);
    }
}

static void a_document_that_breaks_off_fails(void **state)
{
    (void)state;
    struct tk_spans spans = {0};
    tk_spans_read(&spans, &tk_span_reader_jaeger, TK_STR("{\"data\":[\n{\"traceID\":\"a\","), 100);
    assert_int_equal(spans.rc, -EBADMSG);
    assert_string_equal(spans.err.msg, "byte 25: expected a key, not the end");
    tk_span_batch_free(spans.batch);
}

static void a_span_that_ends_before_it_starts_lasts_no_time(void **state)
{
    (void)state;
    struct tk_spans spans = {0};
    tk_spans_read(&spans, &tk_span_reader_jaeger,
                  TK_STR("{\"spans\":[{\"traceID\":\"a\",\"spanID\":\"1\",\"startTime\":5,"
                         "\"duration\":-3}]}"),
                  100);
    assert_int_equal(spans.batch->rows, 1);
    assert_int_equal(spans.batch->duration_ns[0], 0);
    assert_int_equal(spans.tally.by_reason[TK_SPAN_ENDS_EARLY], 1);
    tk_span_batch_free(spans.batch);
}

/* 1,000 spans of one trace through batches of 7. */
static void a_trace_larger_than_a_batch_goes_in_parts(void **state)
{
    (void)state;
    struct tk_spans spans = {0};
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, TK_SPANS_MAX);
    tk_buf_lit(&text, "{\"data\":[{\"spans\":[");
    for (int i = 1; i <= 1000; i++) {
        tk_buf_printf(&text,
                      "%s{\"traceID\":\"a\",\"spanID\":\"%x\",\"startTime\":%d,"
                      "\"duration\":1,\"processID\":\"p%d\"}",
                      i > 1 ? "," : "", (unsigned)i, i, i % 3);
    }
    tk_buf_lit(&text, "],\"processes\":{\"p0\":{\"serviceName\":\"a\"},\"p1\":{\"serviceName\":"
                      "\"b\"},\"p2\":{\"serviceName\":\"c\"}}}]}");
    tk_spans_read(&spans, &tk_span_reader_jaeger, tk_buf_str(&text), 7);
    assert_int_equal(spans.rc, 1);
    assert_int_equal(spans.batch->rows, 1000);
    assert_int_equal(spans.tally.spans, 1000);
    assert_int_equal(spans.rounds, 143);
    assert_str_equal(tk_span_service(spans.batch, 997), "c");
    tk_span_batch_free(spans.batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_jaeger_writes_is_read),
        cmocka_unit_test(spans_that_are_none_are_counted_and_the_first_is_told),
        cmocka_unit_test(a_document_that_breaks_off_fails),
        cmocka_unit_test(a_span_that_ends_before_it_starts_lasts_no_time),
        cmocka_unit_test(a_trace_larger_than_a_batch_goes_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
