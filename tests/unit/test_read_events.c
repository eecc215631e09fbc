/* SPDX-License-Identifier: Apache-2.0 */
/* Event files as spans; that export otlp says the same of an event is for import_spans.bats. */
#include <errno.h>

#include "tk_spans.h"

#define TIMES "\"ts_start\":2000,\"ts_end\":2007"
#define SCOPE "\"scope\":{\"name\":\"tracekit\",\"version\":\"" TK_VERSION "\"}}\n"
#define IDS   "{\"trace_id\":\"0000000000000000000000000000000a\",\"span_id\":\"000000000000000b\","
#define NS    "\"start_time_unix_nano\":2000000000,\"end_time_unix_nano\":2007000000,"

static void a_request_is_a_server_span(void **state)
{
    (void)state;
    assert_reads_as(
        &tk_span_reader_events,
        IDS "\"parent_id\":\"000000000000000c\",\"module_id\":\"shop\",\"pid\":7,"
            "\"instance_id\":null,\"ts_enqueue\":1990,\"node\":\"n\",\"method\":\"GET\","
            "\"path\":\"/cart\",\"status\":503,\"bytes_in\":5,\"cpu_time_ms\":3," TIMES
            ",\"tenant\":\"x\",\"tags\":[1,\"a\"],\"nothing\":null}\n",
        IDS "\"parent_span_id\":\"000000000000000c\",\"name\":\"GET /cart\",\"kind\":2," NS
            "\"status\":{\"code\":2},\"attributes\":{\"http.request.method\":\"GET\","
            "\"url.path\":\"/cart\",\"http.request.body.size\":5,"
            "\"tracekit.cpu_time_ms\":3,\"http.response.status_code\":503,"
            "\"tenant\":\"x\",\"tags\":[1,\"a\"]},"
            "\"events\":[{\"time_unix_nano\":1990000000,\"name\":\"enqueue\",\"attributes\":{}}],"
            "\"resource\":{\"service.name\":\"shop\",\"host.name\":\"n\","
            "\"process.pid\":7,\"tracekit.node\":\"n\"}," SCOPE);
}

static void a_command_is_an_internal_span_and_its_exit_code_its_status(void **state)
{
    (void)state;
    assert_reads_as(&tk_span_reader_events,
                    IDS "\"method\":\"CLI\",\"path\":\"ffmpeg\",\"status\":3,\"exit_code\":3," TIMES
                        "}",
                    IDS "\"name\":\"ffmpeg\",\"kind\":1," NS
                        "\"status\":{\"code\":2,\"message\":\"exit code 3\"},\"attributes\":{"
                        "\"tracekit.method\":\"CLI\",\"process.executable.name\":\"ffmpeg\","
                        "\"process.exit.code\":3},\"resource\":{\"service.name\":"
                        "\"unknown_service\"}," SCOPE);
}

/* What a command started is in the trace that its environment names. */
static void ids_of_the_trace_context_come_first_and_own_ones_stay(void **state)
{
    (void)state;
    assert_reads_as(
        &tk_span_reader_events,
        "{\"trace_id\":\"job-42\",\"span_id\":\"00000000000000ff\",\"w3c_trace_id\":"
        "\"0000000000000000000000000000000a\",\"w3c_span_id\":\"000000000000000b\"," TIMES "}\n",
        IDS "\"name\":\"invocation\",\"kind\":1," NS
            "\"attributes\":{\"tracekit.trace_id\":\"job-42\",\"tracekit.span_id\":"
            "\"00000000000000ff\"},\"resource\":{\"service.name\":\"unknown_service\"}"
            "," SCOPE);
}

static void events_without_ids_get_some_that_differ(void **state)
{
    (void)state;
    struct tk_spans spans = {0};
    tk_spans_read(&spans, &tk_span_reader_events, TK_STR("{" TIMES "}\n{" TIMES "}\n"), 1);
    assert_int_equal(spans.rc, 1);
    assert_int_equal(spans.batch->rows, 2);
    assert_int_equal(spans.tally.by_reason[TK_SPAN_MADE_ID], 2);
    assert_memory_not_equal(spans.batch->trace_ids[0], spans.batch->trace_ids[1], 16);
    assert_true(spans.batch->span_ids[0] != spans.batch->span_ids[1]);
    tk_span_batch_free(spans.batch);
}

static void what_is_no_event_is_left_out_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *line, *why;
    } cases[] = {
        {"{\"ts_end\":2}", "line 2: an event without ts_start"},
        {"{\"ts_start\":2}", "line 2: an event without ts_end"},
        {"{\"ts_start\":2,\"ts_end\":9300000000000}", "line 2: a time before 1970 or beyond 2262"},
        {"{\"ts_start\":\"soon\",\"ts_end\":2}", "line 2: ts_start: byte 12: expected a number"},
        {"{\"ts_start\":", "line 2: byte 47: expected a value, not the end"},
        {"7", "line 2: expected an object"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        char text[200];
        struct tk_spans spans = {0};
        (void)snprintf(text, sizeof(text), "{\"ts_start\":1,\"ts_end\":1,\"pid\":7}\n%s\n",
                       cases[i].line);
        tk_spans_read(&spans, &tk_span_reader_events, tk_str_from(text), 4);
        assert_int_equal(spans.rc, 1);
        assert_int_equal(spans.tally.spans, 1);
        assert_int_equal(spans.tally.by_reason[TK_SPAN_BAD_RECORD], 1);
        assert_string_equal(spans.input.first_bad, cases[i].why);
        tk_span_batch_free(spans.batch);
    }
}

static void a_text_that_is_too_long_is_told(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    struct tk_spans spans = {0};
    tk_buf_init(&text, 1 << 22);
    tk_buf_lit(&text, "{\"ts_start\":1,\"ts_end\":2,\"path\":\"");
    for (int i = 0; i < 1 << 21; i++)
        tk_buf_putc(&text, 'x');
    tk_buf_lit(&text, "\"}\n");
    tk_spans_read(&spans, &tk_span_reader_events, tk_buf_str(&text), 4);
    assert_int_equal(spans.rc, 1);
    assert_string_equal(spans.input.first_bad,
                        "line 1: a row of 2097187 bytes is too large: path: the text does not fit");
    tk_span_batch_free(spans.batch);
}

static void a_torn_line_costs_no_other(void **state)
{
    (void)state;
    static const char event[] = "{\"pid\":7,\"path\":\"/a\",\"ts_start\":1,\"ts_end\":1}\n";
    for (size_t n = 1; n < sizeof(event) - 2; n++) {
        char text[300];
        struct tk_spans spans = {0};
        (void)snprintf(text, sizeof(text), "%s%.*s\n%s%s", event, (int)n, event, event, event);
        tk_spans_read(&spans, &tk_span_reader_events, tk_str_from(text), 4);
        assert_int_equal(spans.rc, 1);
        assert_int_equal(spans.tally.spans, 3);
        assert_int_equal(spans.tally.by_reason[TK_SPAN_BAD_RECORD], 1);
        tk_span_batch_free(spans.batch);
    }
}

static void an_event_that_ends_before_its_start_lasts_no_time(void **state)
{
    (void)state;
    struct tk_spans spans = {0};
    tk_spans_read(&spans, &tk_span_reader_events, TK_STR("{\"ts_start\":2,\"ts_end\":1}"), 4);
    assert_int_equal(spans.batch->rows, 1);
    assert_int_equal(spans.batch->start_ns[0], 2000000);
    assert_int_equal(spans.batch->duration_ns[0], 0);
    assert_int_equal(spans.tally.by_reason[TK_SPAN_ENDS_EARLY], 1);
    tk_span_batch_free(spans.batch);
}

static void events_of_a_process_share_its_resource(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    struct tk_span_input input = {0};
    struct tk_span_batch *batch = NULL;
    struct tk_span_tally tally = {0};
    struct tk_err err;
    void *reader = NULL;
    tk_buf_init(&text, 1 << 20);
    for (int i = 0; i < 1000; i++)
        tk_buf_printf(&text, "{" TIMES ",\"module_id\":\"shop\",\"pid\":%d}\n", i % 7);
    input.text = tk_buf_str(&text);
    assert_int_equal(tk_span_batch_new(1000, &batch, &err), 0);
    assert_int_equal(tk_span_reader_events.open(&reader, &err), 0);
    assert_int_equal(tk_span_reader_events.read(reader, &input, batch, &tally, &err), 1);
    tk_span_reader_events.close(reader);
    assert_int_equal(batch->rows, 1000);
    assert_int_equal(batch->resource_count, 7);
    tk_span_batch_free(batch);
}

static void the_format_is_told_by_its_first_bytes(void **state)
{
    (void)state;
    assert_ptr_equal(tk_span_reader_detect(TK_STR(IDS TIMES "}")), &tk_span_reader_events);
    assert_ptr_equal(tk_span_reader_detect(TK_STR(IDS "\"start_time_unix_nano\":1}")),
                     &tk_span_reader_flat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_a_server_span),
        cmocka_unit_test(a_command_is_an_internal_span_and_its_exit_code_its_status),
        cmocka_unit_test(ids_of_the_trace_context_come_first_and_own_ones_stay),
        cmocka_unit_test(events_without_ids_get_some_that_differ),
        cmocka_unit_test(what_is_no_event_is_left_out_with_its_line),
        cmocka_unit_test(a_text_that_is_too_long_is_told),
        cmocka_unit_test(a_torn_line_costs_no_other),
        cmocka_unit_test(an_event_that_ends_before_its_start_lasts_no_time),
        cmocka_unit_test(events_of_a_process_share_its_resource),
        cmocka_unit_test(the_format_is_told_by_its_first_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
