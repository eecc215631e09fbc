/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "span/wire.h"
#include "tk_spans.h"

#define IDS   "{\"trace_id\":\"0000000000000000000000000000000a\",\"span_id\":\"000000000000000b\","
#define TIMES "\"start_time_unix_nano\":5000,\"end_time_unix_nano\":12000,"
#define SPAN  "{\"traceId\":\"a\",\"id\":\"b\",\"timestamp\":5,\"duration\":7"

static const struct {
    const char *what;
    const char *text;
    const char *lines;
} cases[] = {
    {"an array of spans, endpoints as attributes",
     "[" SPAN ",\"parentId\":\"c\",\"name\":\"get\",\"kind\":\"SERVER\","
     "\"localEndpoint\":{\"serviceName\":\"shop\",\"ipv4\":\"10.0.0.1\",\"port\":80},"
     "\"remoteEndpoint\":{\"serviceName\":\"db\",\"ipv6\":\"::1\"},"
     "\"annotations\":[{\"timestamp\":6,\"value\":\"ws\"}],\"tags\":{\"http.path\":\"/\"}}]",
     IDS "\"parent_span_id\":\"000000000000000c\",\"name\":\"get\",\"kind\":2," TIMES
         "\"attributes\":{\"http.path\":\"/\",\"network.local.address\":\"10.0.0.1\","
         "\"network.local.port\":80,\"network.peer.address\":\"::1\",\"peer.service\":\"db\"},"
         "\"events\":[{\"time_unix_nano\":6000,\"name\":\"ws\",\"attributes\":{}}],"
         "\"resource\":{\"service.name\":\"shop\"}}\n"},
    {"an array of traces, and lines", "[[" SPAN "}],[" SPAN "}]]\n" SPAN "}\n",
     IDS "\"name\":\"\",\"kind\":1," TIMES "\"attributes\":{},\"resource\":{}}\n" //
     IDS "\"name\":\"\",\"kind\":1," TIMES "\"attributes\":{},\"resource\":{}}\n" //
     IDS "\"name\":\"\",\"kind\":1," TIMES "\"attributes\":{},\"resource\":{}}\n"},
    {"an error is a status, and tells its message",
     "[" SPAN ",\"tags\":{\"error\":\"late\"}}," SPAN ",\"tags\":{\"error\":\"true\"}}]",
     IDS "\"name\":\"\",\"kind\":1," TIMES "\"status\":{\"code\":2,\"message\":\"late\"},"
         "\"attributes\":{},\"resource\":{}}\n" //
     IDS "\"name\":\"\",\"kind\":1," TIMES "\"status\":{\"code\":2},\"attributes\":{},"
         "\"resource\":{}}\n"},
    {"what exporters of OpenTelemetry hide in tags and annotations",
     "[" SPAN ",\"annotations\":[{\"timestamp\":6,\"value\":\"\\\"e\\\": {\\\"k\\\":1}\"}],"
     "\"tags\":{\"otel.status_code\":\"OK\",\"w3c.tracestate\":\"k=v\",\"otel.scope.name\":\"lib\","
     "\"otlp.link.0\":\"f|1|s=t|{\\\"l\\\":true}|2\"}}]",
     IDS "\"trace_state\":\"k=v\",\"name\":\"\",\"kind\":1," TIMES "\"status\":{\"code\":1},"
         "\"attributes\":{},\"events\":[{\"time_unix_nano\":6000,\"name\":\"e\",\"attributes\":{"
         "\"k\":1}}],\"links\":[{\"trace_id\":\"0000000000000000000000000000000f\",\"span_id\":"
         "\"0000000000000001\",\"trace_state\":\"s=t\",\"attributes\":{\"l\":true}}],"
         "\"resource\":{},\"scope\":{\"name\":\"lib\"}}\n"},
};

static void what_zipkin_writes_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        print_message("# %s\n", cases[i].what);
        assert_reads_as(&tk_span_reader_zipkin, cases[i].text, cases[i].lines);
    }
}

static void the_server_half_of_a_shared_span_is_the_child_of_the_other(void **state)
{
    (void)state;
    struct tk_spans spans = {0};
    tk_spans_read(&spans, &tk_span_reader_zipkin,
                  TK_STR("[" SPAN ",\"kind\":\"CLIENT\"}," SPAN
                         ",\"kind\":\"SERVER\",\"shared\":true,\"parentId\":\"c\"}]"),
                  10);
    assert_int_equal(spans.batch->rows, 2);
    assert_int_equal(spans.batch->parent_ids[1], spans.batch->span_ids[0]);
    assert_int_not_equal(spans.batch->span_ids[1], spans.batch->span_ids[0]);
    tk_span_batch_free(spans.batch);
}

#define SPAN_OF(trace, id, more, service)                                                          \
    "{\"traceId\":\"" trace "\",\"id\":\"" id "\",\"timestamp\":3," more                           \
    ",\"localEndpoint\":{\"serviceName\":\"" service "\"}}"
#define CLIENT                    SPAN_OF("a", "1", "\"kind\":\"CLIENT\"", "web")
#define SERVER                    SPAN_OF("a", "1", "\"kind\":\"SERVER\",\"shared\":true", "cart")
#define BELOW(trace, id, service) SPAN_OF(trace, id, "\"parentId\":\"1\"", service)

/* Spans of the server's service below the shared id, wherever they stand; none of another service
 * or trace. */
static void what_the_server_did_is_below_its_half_of_a_shared_span(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t half, below[2], others[3];
    } traces[] = {
        {"[" BELOW("a", "2", "cart") "," CLIENT "," SERVER "," BELOW("a", "3", "web") "," //
         BELOW("b", "4", "cart") "," BELOW("a", "5", "cart") "," BELOW("a", "6", "db") "]",
         2,
         {0, 5},
         {3, 4, 6}},
        {"[" BELOW("a", "2", "web") "," BELOW("a", "3", "cart") "," BELOW("a", "4", "") "," //
         BELOW("b", "5", "cart") "," SERVER "," BELOW("a", "6", "cart") "]",
         4,
         {1, 5},
         {0, 2, 3}},
    };
    for (size_t i = 0; i < TK_COUNTOF(traces); i++) {
        struct tk_spans spans = {0};
        tk_spans_read(&spans, &tk_span_reader_zipkin, tk_str_from(traces[i].text), 10);
        const struct tk_span_batch *batch = spans.batch;
        uint64_t shared = batch->parent_ids[traces[i].half];
        assert_int_not_equal(shared, 0);
        for (size_t k = 0; k < TK_COUNTOF(traces[i].below); k++) {
            assert_int_equal(batch->parent_ids[traces[i].below[k]],
                             batch->span_ids[traces[i].half]);
        }
        for (size_t k = 0; k < TK_COUNTOF(traces[i].others); k++)
            assert_int_equal(batch->parent_ids[traces[i].others[k]], shared);
        tk_span_batch_free(spans.batch);
    }
}

/* By row: its start; -1 = when it came. */
static const struct {
    const char *what;
    const char *text;
    int64_t starts_us[3];
    size_t rows, untimed;
} untimed[] = {
    {"with its first annotation",
     "[{\"traceId\":\"a\",\"id\":\"b\",\"duration\":2,\"annotations\":["
     "{\"timestamp\":9,\"value\":\"ws\"},{\"timestamp\":8,\"value\":\"wr\"}]}]",
     {8},
     1,
     1},
    {"with its trace, wherever that stands, not with another",
     "[{\"traceId\":\"a\",\"id\":\"1\",\"timestamp\":0}," SPAN "},"
     "{\"traceId\":\"f\",\"id\":\"2\",\"timestamp\":1}]",
     {5, 5, 1},
     3,
     1},
    {"else when it came, with its duration",
     "[{\"traceId\":\"a\",\"id\":\"b\",\"duration\":3},{\"traceId\":\"a\",\"id\":\"c\"}]",
     {-1, -1},
     2,
     2},
};

static void a_span_without_a_time_gets_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_COUNTOF(untimed); i++) {
        struct tk_spans spans = {0};
        int64_t before_ns = tk_clock_real_ns();
        print_message("# %s\n", untimed[i].what);
        tk_spans_read(&spans, &tk_span_reader_zipkin, tk_str_from(untimed[i].text), 10);
        assert_int_equal(spans.batch->rows, untimed[i].rows);
        assert_int_equal(spans.tally.by_reason[TK_SPAN_NO_START], untimed[i].untimed);
        assert_int_equal(tk_span_tally_refused(&spans.tally), 0);
        for (size_t row = 0; row < untimed[i].rows; row++) {
            int64_t start_ns = spans.batch->start_ns[row];
            if (untimed[i].starts_us[row] >= 0) {
                assert_int_equal(start_ns, untimed[i].starts_us[row] * 1000);
            } else {
                assert_in_range(start_ns, before_ns, tk_clock_real_ns());
            }
        }
        tk_span_batch_free(spans.batch);
    }
}

/* The end of a span must not pass 2262, whichever start it gets. */
static void a_span_without_a_time_has_an_end(void **state)
{
    (void)state;
    struct tk_spans spans = {0};
    tk_spans_read(&spans, &tk_span_reader_zipkin,
                  TK_STR("[{\"traceId\":\"a\",\"id\":\"1\",\"timestamp\":9200000000000000},"
                         "{\"traceId\":\"a\",\"id\":\"2\",\"duration\":3600000000000000},"
                         "{\"traceId\":\"a\",\"id\":\"3\",\"duration\":9200000000000000}]"),
                  10);
    assert_int_equal(spans.batch->rows, 2);
    assert_true(spans.batch->start_ns[1] < spans.batch->start_ns[0]); /* when it came */
    assert_int_equal(spans.batch->duration_ns[1], 3600000000000000000);
    assert_int_equal(spans.tally.by_reason[TK_SPAN_BAD_RECORD], 1);
    tk_span_batch_free(spans.batch);
}

static void put_endpoint(struct tk_buf *out)
{
    size_t place = tk_wire_begin(out, TK_WIRE_BYTES(8), 10);
    tk_wire_put_bytes(out, TK_WIRE_BYTES(1), TK_STR("shop"));
    tk_wire_put_bytes(out, TK_WIRE_BYTES(2), TK_STR("\x0A\0\0\x01"));
    tk_wire_put_number(out, TK_WIRE_VARINT(4), 80);
    tk_wire_end(out, place, 10);
}

static void put_tag(struct tk_buf *out, tk_str key, tk_str value)
{
    size_t place = tk_wire_begin(out, TK_WIRE_BYTES(11), 10);
    tk_wire_put_bytes(out, TK_WIRE_BYTES(1), key);
    tk_wire_put_bytes(out, TK_WIRE_BYTES(2), value);
    tk_wire_end(out, place, 10);
}

static void protobuf_gives_the_same_as_json(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    struct tk_spans spans = {0};
    size_t n;
    tk_buf_init(&out, 4096);
    for (int i = 0; i < 5; i++) {
        size_t span = tk_wire_begin(&out, TK_WIRE_BYTES(1), 100);
        tk_wire_put_bytes(&out, TK_WIRE_BYTES(1), TK_STR("\0\0\0\0\0\0\0\x0A"));
        tk_wire_put_bytes(&out, TK_WIRE_BYTES(3), TK_STR("\0\0\0\0\0\0\0\x0B"));
        tk_wire_put_number(&out, TK_WIRE_VARINT(4), 2);
        tk_wire_put_bytes(&out, TK_WIRE_BYTES(5), TK_STR("get\xFF"));
        tk_wire_put_fixed64(&out, TK_WIRE_FIXED64(6), 5);
        tk_wire_put_number(&out, TK_WIRE_VARINT(7), 7);
        put_endpoint(&out);
        put_tag(&out, TK_STR("k"), TK_STR("v"));
        tk_wire_end(&out, span, 100);
    }
    assert_true(tk_span_reader_detect(tk_buf_str(&out)) == &tk_span_reader_zipkin_proto);
    tk_spans_read(&spans, &tk_span_reader_zipkin_proto, tk_buf_str(&out), 2);
    assert_int_equal(spans.rc, 1);
    assert_int_equal(spans.batch->rows, 5);
    assert_int_equal(spans.tally.by_reason[TK_SPAN_NO_UTF8], 5);
    spans.batch->rows = 1;
    char *got = tk_spans_write(spans.batch, &tk_span_encoder_jsonl, &n);
    assert_string_equal(got, IDS "\"name\":\"get\xEF\xBF\xBD\",\"kind\":2," TIMES
                                 "\"attributes\":{\"k\":\"v\",\"network.local.address\":"
                                 "\"10.0.0.1\",\"network.local.port\":80},"
                                 "\"resource\":{\"service.name\":\"shop\"}}\n");
    free(got);
    tk_span_batch_free(spans.batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_zipkin_writes_is_read),
        cmocka_unit_test(the_server_half_of_a_shared_span_is_the_child_of_the_other),
        cmocka_unit_test(what_the_server_did_is_below_its_half_of_a_shared_span),
        cmocka_unit_test(a_span_without_a_time_gets_one),
        cmocka_unit_test(a_span_without_a_time_has_an_end),
        cmocka_unit_test(protobuf_gives_the_same_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
