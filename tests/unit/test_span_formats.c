/* SPDX-License-Identifier: Apache-2.0 */
/* All formats at once: what tells them apart, and spans on their way through each and back. */
#include <errno.h>
#include <math.h>

#include "run/schemas.h"
#include "span/lanes.h"
#include "table/table.h"
#include "tk_spans.h"

static const struct {
    const char *head;
    const char *name;
} heads[] = {
    {"{\"resourceSpans\":[]}", "otlp"},
    {"{\"data\":[{\"traceID\":\"1\"", "jaeger"},
    {"[{\"traceId\":\"1\",\"id\":\"2\"}]", "zipkin"},
    {"{\"traceStatus\": \"manual-traced\", \"nodesData\": {}}", "gent"},
    {"{\"trace_id\":\"1\",\"span_id\":\"2\"}", "flat"},
    {"TraceID,SpanID,x\n", "csv"},
    {"a\ttrace_id\n", "csv"},
};

static void formats_are_known_by_their_first_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_COUNTOF(heads); i++) {
        const struct tk_span_reader *reader = tk_span_reader_detect(tk_str_from(heads[i].head));
        assert_non_null(reader);
        assert_string_equal(reader->name, heads[i].name);
        assert_ptr_equal(tk_span_reader_find(heads[i].name), reader);
    }
    assert_null(tk_span_reader_detect(TK_STR("")));
    assert_null(tk_span_reader_detect(TK_STR("hello, world\n1,2\n")));
    assert_null(tk_span_reader_find("xml"));
    assert_null(tk_span_encoder_find("xml"));
}

/* Two traces: all that a span has, in what every format can hold: whole microseconds. */
static const char spans_text[] =
    "{\"trace_id\":\"0000000000000000000000000000000a\",\"span_id\":\"0000000000000001\","
    "\"name\":\"GET /\",\"kind\":2,\"start_time_unix_nano\":1661140374351773000,"
    "\"end_time_unix_nano\":1661140374362982000,\"attributes\":{\"http.route\":\"/\"},"
    "\"resource\":{\"service.name\":\"shop\"}}\n"
    "{\"trace_id\":\"0000000000000000000000000000000a\",\"span_id\":\"0000000000000002\","
    "\"parent_span_id\":\"0000000000000001\",\"trace_state\":\"k=v\",\"name\":\"db\",\"kind\":3,"
    "\"start_time_unix_nano\":1661140374351910000,\"end_time_unix_nano\":1661140374357482000,"
    "\"status\":{\"code\":2,\"message\":\"late\"},\"attributes\":{\"db.name\":\"carts\"},"
    "\"events\":[{\"time_unix_nano\":1661140374352000000,\"name\":\"retry\",\"attributes\":{"
    "\"why\":\"lock\"}}],\"links\":[{\"trace_id\":\"0000000000000000000000000000000b\","
    "\"span_id\":\"0000000000000001\",\"attributes\":{}}],"
    "\"resource\":{\"service.name\":\"shop\"},\"scope\":{\"name\":\"lib\",\"version\":\"2\"}}\n"
    "{\"trace_id\":\"8000000000000000000000000000000b\",\"span_id\":\"0000000000000001\","
    "\"name\":\"x\",\"kind\":1,\"start_time_unix_nano\":1661140375000000000,"
    "\"end_time_unix_nano\":1661140375000001000,\"status\":{\"code\":1},\"attributes\":{},"
    "\"resource\":{\"service.name\":\"cart\"}}\n";

/* What a format cannot hold is left out of the comparison by not being in the text. */
static void spans_come_back_from_every_format_that_is_read(void **state)
{
    (void)state;
    static const char *const names[] = {"otlp", "otlp-proto", "jaeger", "zipkin"};
    struct tk_spans spans = {0};
    tk_spans_read(&spans, &tk_span_reader_flat, tk_str_from(spans_text), 100);
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        struct tk_spans back = {0};
        size_t n;
        char *text = tk_spans_write(spans.batch, tk_span_encoder_find(names[i]), &n);
        print_message("# %s\n", names[i]);
        const struct tk_span_reader *reader = tk_span_reader_detect((tk_str){text, n});
        assert_non_null(reader);
        assert_string_equal(reader->name, names[i]);
        tk_spans_read(&back, reader, (tk_str){text, n}, 100);
        assert_string_equal(back.input.first_bad, "");
        assert_int_equal(back.rc, 1);
        char *lines = tk_spans_write(back.batch, &tk_span_encoder_jsonl, &n);
        assert_string_equal(lines, spans_text);
        free(lines);
        free(text);
        tk_span_batch_free(back.batch);
    }
    tk_span_batch_free(spans.batch);
}

static void zipkin_gets_no_tags_that_say_nothing(void **state)
{
    (void)state;
    static const char text[] =
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
        "\"stringValue\":\"shop\"}},{\"key\":\"host\",\"value\":{}}]},\"scopeSpans\":[{\"spans\":["
        "{\"traceId\":\"0000000000000000000000000000000a\",\"spanId\":\"0000000000000001\","
        "\"name\":\"a\",\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"2000\",\"attributes\":"
        "["
        "{\"key\":\"none\",\"value\":{}},{\"key\":\"empty\",\"value\":{\"stringValue\":\"\"}}]},"
        "{\"traceId\":\"0000000000000000000000000000000a\",\"spanId\":\"0000000000000002\","
        "\"name\":\"b\",\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"2000\",\"attributes\":"
        "["
        "{\"key\":\"none\"}]}]}]}]}";
    struct tk_spans spans = {0};
    size_t n;
    tk_spans_read(&spans, tk_span_reader_find("otlp"), tk_str_from(text), 100);
    assert_int_equal(spans.batch->rows, 2);
    char *written = tk_spans_write(spans.batch, tk_span_encoder_find("zipkin"), &n);
    assert_string_equal(
        written, "[{\"traceId\":\"0000000000000000000000000000000a\",\"id\":\"0000000000000001\","
                 "\"name\":\"a\","
                 "\"timestamp\":1,\"duration\":1,\"localEndpoint\":{\"serviceName\":\"shop\"},"
                 "\"tags\":{\"empty\":\"\"}},\n"
                 "{\"traceId\":\"0000000000000000000000000000000a\",\"id\":\"0000000000000002\","
                 "\"name\":\"b\","
                 "\"timestamp\":1,\"duration\":1,\"localEndpoint\":{\"serviceName\":\"shop\"}}]\n");
    free(written);
    tk_span_batch_free(spans.batch);
}

static void little_endian_lengths_are_found_out(void **state)
{
    (void)state;
    struct tk_spans spans = {0};
    struct tk_spans back = {0};
    size_t n;
    tk_spans_read(&spans, &tk_span_reader_flat, tk_str_from(spans_text), 100);
    char *text = tk_spans_write(spans.batch, &tk_span_encoder_otlp_proto, &n);
    for (size_t i = 0; i < 2; i++) {
        char c = text[i];
        text[i] = text[3 - i];
        text[3 - i] = c;
    }
    tk_spans_read(&back, &tk_span_reader_otlp_proto, (tk_str){text, n}, 100);
    assert_int_equal(back.rc, 1);
    assert_int_equal(back.batch->rows, 3);
    tk_span_batch_free(back.batch);
    back = (struct tk_spans){0};
    tk_spans_read(&back, &tk_span_reader_otlp_proto, (tk_str){text, n - 1}, 100);
    assert_int_equal(back.rc, -EBADMSG);
    free(text);
    tk_span_batch_free(back.batch);
    tk_span_batch_free(spans.batch);
}

static void spans_that_come_again_are_dropped_and_what_they_have_with_them(void **state)
{
    (void)state;
    struct tk_spans spans = {0};
    struct tk_dedupe *dedupe = NULL;
    struct tk_err err;
    size_t n;
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, 1 << 16);
    tk_buf_puts(&text, spans_text);
    tk_buf_puts(&text, spans_text);
    tk_spans_read(&spans, &tk_span_reader_flat, tk_buf_str(&text), 100);
    assert_int_equal(spans.batch->rows, 6);
    assert_int_equal(tk_dedupe_new(0, &dedupe, &err), 0);
    assert_int_equal(tk_dedupe_filter(dedupe, spans.batch, 0, &spans.tally, &err), 0);
    assert_int_equal(spans.tally.spans, 3);
    assert_int_equal(spans.tally.by_reason[TK_SPAN_DUPLICATE], 3);
    char *lines = tk_spans_write(spans.batch, &tk_span_encoder_jsonl, &n);
    assert_string_equal(lines, spans_text);
    assert_int_equal(tk_dedupe_filter(dedupe, spans.batch, 1, &spans.tally, &err), 0);
    assert_int_equal(spans.batch->rows, 1);
    free(lines);
    tk_dedupe_free(dedupe);
    tk_span_batch_free(spans.batch);
}

/* id, parent, start, end, service; the lane that is expected. */
static const struct {
    int id, parent, start, end;
    const char *service;
    uint32_t lane;
} laned[] = {
    {1, 0, 0, 100, "a", 0},  {2, 1, 10, 40, "a", 0},  {3, 1, 30, 60, "a", 1},
    {4, 3, 35, 50, "a", 1},  {5, 1, 70, 100, "a", 0}, {6, 1, 80, 120, "a", 1},
    {7, 2, 12, 20, "b", 0},  {8, 2, 15, 18, "b", 1},  {9, 99, 20, 20, "b", 1},
    {10, 10, 0, 10, "c", 0}, {11, 12, 0, 5, "d", 0},  {12, 11, 2, 4, "d", 0},
};

static void lanes_nest_children_and_keep_others_apart(void **state)
{
    (void)state;
    struct tk_spans spans = {0};
    struct tk_lanes lanes = {0};
    struct tk_err err;
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, 1 << 16);
    tk_buf_lit(&text, "trace_id,span_id,parent_id,start_ns,end_ns,service\n");
    for (size_t i = 0; i < TK_COUNTOF(laned); i++) {
        tk_buf_printf(&text, "1,%x,%x,%d,%d,%s\n", (unsigned)laned[i].id, (unsigned)laned[i].parent,
                      laned[i].start, laned[i].end, laned[i].service);
    }
    tk_spans_read(&spans, &tk_span_reader_csv, tk_buf_str(&text), 100);
    const struct tk_span_rows all = {spans.batch, NULL, spans.batch->rows};
    assert_int_equal(tk_lanes_add_trace(&lanes, &all, &err), 0);
    assert_int_equal(lanes.count, TK_COUNTOF(laned));
    for (uint32_t i = 0; i < lanes.count; i++) {
        const struct tk_lane_item *item = &lanes.items[i];
        print_message("# span %d\n", laned[item->row].id);
        assert_int_equal(item->lane, laned[item->row].lane);
        assert_str_equal(tk_lanes_service(&lanes, item->process), laned[item->row].service);
    }

    /* The same again overlaps on every lane but the free ones of others. */
    assert_int_equal(tk_lanes_count(&lanes, 0), 2);
    assert_int_equal(tk_lanes_add_trace(&lanes, &all, &err), 0);
    assert_int_equal(tk_lanes_count(&lanes, 0), 4);
    tk_lanes_release(&lanes);
    tk_span_batch_free(spans.batch);
}

static void pictures_hold_every_span(void **state)
{
    (void)state;
    struct tk_spans spans = {0};
    size_t n;
    tk_spans_read(&spans, &tk_span_reader_flat, tk_str_from(spans_text), 100);
    char *text = tk_spans_write(spans.batch, &tk_span_encoder_chrome, &n);
    assert_non_null(strstr(text,
                           "{\"ph\":\"M\",\"pid\":1,\"tid\":1,\"name\":\"process_name\",\"args\":"
                           "{\"name\":\"shop\"}}"));
    assert_non_null(
        strstr(text, "{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"name\":\"GET /\",\"cat\":\"server\","
                     "\"ts\":100374351773,\"dur\":11209,\"args\":{"));
    assert_non_null(strstr(text, "{\"ph\":\"i\",\"pid\":1,\"tid\":1,\"name\":\"retry\","));
    assert_non_null(strstr(text, "\"time_origin_unix_nano\":\"1661040000000000000\""));
    free(text);
    text = tk_spans_write(spans.batch, &tk_span_encoder_perfetto, &n);
    size_t packets = 0;
    for (size_t at = 0; at < n; packets++) {
        assert_int_equal(text[at++], 0x0A);
        size_t length = 0;
        for (int shift = 0;; shift += 7) {
            unsigned char byte = (unsigned char)text[at++];
            length |= (size_t)(byte & 0x7F) << shift;
            if (byte < 0x80)
                break;
        }
        at += length;
        assert_true(at <= n);
    }
    assert_int_equal(packets, 2 + 2 + 2 + 2 * 3 + 1); /* clocks, state, tracks, slices, event */
    free(text);
    tk_span_batch_free(spans.batch);
}

/* How often some bytes stand in a text. */
static size_t count_bytes(tk_str text, const void *bytes, size_t n)
{
    size_t count = 0;
    for (size_t at = 0; at + n <= text.n; at++)
        count += memcmp(text.p + at, bytes, n) == 0;
    return count;
}

static size_t count_text(tk_str text, const char *wanted)
{
    return count_bytes(text, wanted, strlen(wanted));
}

/* Events whose double_counter_value, field 44, is `value`. */
static size_t count_value(tk_str text, double value)
{
    char bytes[2 + sizeof(value)] = {(char)0xE1, 0x02};
    memcpy(bytes + 2, &value, sizeof(value));
    return count_bytes(text, bytes, sizeof(bytes));
}

static void add_reading(struct tk_batch *batch, const char *node, int64_t ts_ms, double util,
                        int64_t available)
{
    tk_batch_begin(batch);
    tk_batch_set_text(batch, TK_HOST_METRICS_NODE, tk_str_from(node));
    tk_batch_set_i64(batch, TK_HOST_METRICS_TS_MS, ts_ms);
    tk_batch_set_f64(batch, TK_HOST_METRICS_CPU_UTIL, util);
    if (available >= 0)
        tk_batch_set_i64(batch, TK_HOST_METRICS_MEM_AVAILABLE_BYTES, available);
}

static void readings_of_machines_are_counters_of_a_track_for_each(void **state)
{
    (void)state;
    const struct tk_span_encoder *perfetto = &tk_span_encoder_perfetto;
    struct tk_err err;
    struct tk_batch *batch = NULL;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    void *encoder = calloc(1, perfetto->state_size);
    assert_non_null(encoder);
    tk_buf_init(&out, 1 << 16);
    assert_int_equal(tk_batch_new(&tk_schema_host_metrics, 8, 4096, &batch, &err), 0);
    add_reading(batch, "vm1", 1661140374000, 12.5, -1);
    add_reading(batch, "vm1", 1661140375000, 37.5, -1);
    add_reading(batch, "vm2", 1661140374000, (double)NAN, 4096);
    add_reading(batch, "vm3", 0, 77, 8192); /* no time */
    assert_int_equal(perfetto->host(encoder, batch, &out, &err), 0);
    tk_batch_reset(batch);
    add_reading(batch, "vm1", 1661140376000, 12.5, 2048);
    assert_int_equal(perfetto->host(encoder, batch, &out, &err), 0);
    tk_str text = tk_buf_str(&out);
    assert_int_equal(count_text(text, "vm1"), 1);
    assert_int_equal(count_text(text, "vm2"), 1);
    assert_int_equal(count_text(text, "vm3"), 0);
    assert_int_equal(count_text(text, "CPU busy"), 1);
    assert_int_equal(count_text(text, "memory available"), 2);
    assert_int_equal(count_text(text, "disks"), 0);
    assert_int_equal(count_value(text, 12.5), 2);
    assert_int_equal(count_value(text, 37.5), 1);
    assert_int_equal(count_value(text, 4096), 1);
    assert_int_equal(count_value(text, 2048), 1);
    assert_int_equal(count_value(text, 77), 0);
    tk_batch_freep(&batch);
    perfetto->release(encoder);
    free(encoder);
}

static void a_chrome_trace_has_a_process_for_each_machine(void **state)
{
    (void)state;
    const struct tk_span_encoder *chrome = &tk_span_encoder_chrome;
    struct tk_spans spans = {0};
    struct tk_err err;
    struct tk_batch *batch = NULL;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    void *encoder = calloc(1, chrome->state_size);
    assert_non_null(encoder);
    tk_buf_init(&out, 1 << 16);
    tk_spans_read(&spans, &tk_span_reader_flat, tk_str_from(spans_text), 100);
    const uint32_t rows[] = {0, 1, 2}; /* whole traces */
    const struct tk_span_rows all = {spans.batch, rows, spans.batch->rows};
    assert_int_equal(spans.batch->rows, TK_COUNTOF(rows));
    assert_int_equal(chrome->spans(encoder, &all, &out, &err), 0);
    tk_buf_reset(&out);
    assert_int_equal(tk_batch_new(&tk_schema_host_metrics, 8, 4096, &batch, &err), 0);
    add_reading(batch, "vm1", 1661140375000, 12.5, -1);
    tk_batch_set_i64(batch, TK_HOST_METRICS_DT_MS, 250);
    add_reading(batch, "vm2", 1661140374000, (double)NAN, 4096);
    add_reading(batch, "vm1", 1661040000000, 0, -1); /* a day before the spans */
    assert_int_equal(chrome->host(encoder, batch, &out, &err), 0);
    assert_str_equal(
        tk_buf_str(&out),
        ",\n{\"ph\":\"M\",\"pid\":3,\"tid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"vm1\"}"
        "}"
        ",\n{\"ph\":\"C\",\"pid\":3,\"tid\":1,\"name\":\"CPU busy\",\"ts\":100374750000,"
        "\"args\":{\"%\":12.5}}"
        ",\n{\"ph\":\"M\",\"pid\":4,\"tid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"vm2\"}"
        "}"
        ",\n{\"ph\":\"C\",\"pid\":4,\"tid\":1,\"name\":\"memory available\",\"ts\":100374000000,"
        "\"args\":{\"bytes\":4096}}"
        ",\n{\"ph\":\"C\",\"pid\":3,\"tid\":1,\"name\":\"CPU "
        "busy\",\"ts\":0,\"args\":{\"%\":0}}");
    tk_batch_freep(&batch);
    chrome->release(encoder);
    free(encoder);
    tk_span_batch_free(spans.batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_are_known_by_their_first_bytes),
        cmocka_unit_test(spans_come_back_from_every_format_that_is_read),
        cmocka_unit_test(zipkin_gets_no_tags_that_say_nothing),
        cmocka_unit_test(little_endian_lengths_are_found_out),
        cmocka_unit_test(spans_that_come_again_are_dropped_and_what_they_have_with_them),
        cmocka_unit_test(lanes_nest_children_and_keep_others_apart),
        cmocka_unit_test(pictures_hold_every_span),
        cmocka_unit_test(readings_of_machines_are_counters_of_a_track_for_each),
        cmocka_unit_test(a_chrome_trace_has_a_process_for_each_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
