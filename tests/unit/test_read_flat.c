/* SPDX-License-Identifier: Apache-2.0 */
/* Flat JSON, CSV and the lines of Gen-T. */
#include <errno.h>

#include "tk_spans.h"

#define IDS   "{\"trace_id\":\"0000000000000000000000000000000a\",\"span_id\":\"000000000000000b\","
#define TIMES "\"start_time_unix_nano\":5000,\"end_time_unix_nano\":12000,"

static void objects_of_one_span_are_read_and_nulls_dropped(void **state)
{
    (void)state;
    assert_reads_as(&tk_span_reader_flat,
                    IDS "\"trace_state\":null,\"parent_span_id\":null,\"name\":\"x\",\"kind\":2,"
                        "\"attributes\":{\"a\":\"1\",\"b\":null,\"c\":[1,2]}," TIMES
                        "\"status\":{\"message\":null,\"code\":1},\"extra\":7}\n",
                    IDS "\"name\":\"x\",\"kind\":2," TIMES
                        "\"status\":{\"code\":1},\"attributes\":{"
                        "\"a\":\"1\",\"c\":[1,2],\"extra\":7},\"resource\":{}}\n");
}

static void what_we_write_is_read_back(void **state)
{
    (void)state;
    const char *line = IDS
        "\"parent_span_id\":\"000000000000000c\",\"trace_state\":\"k=v\",\"flags\":257,"
        "\"name\":\"x \\\"y\\\"\",\"kind\":3," TIMES "\"status\":{\"code\":2,\"message\":\"m\"},"
        "\"attributes\":{\"n\":1,\"d\":1.5,\"t\":true,\"s\":\"\\u0001\",\"m\":{\"k\":[\"v\"]}},"
        "\"events\":[{\"time_unix_nano\":7,\"name\":\"e\",\"attributes\":{\"k\":1}}],"
        "\"links\":[{\"trace_id\":\"0000000000000000000000000000000f\",\"span_id\":"
        "\"0000000000000001\",\"trace_state\":\"s\",\"attributes\":{\"k\":1}}],"
        "\"resource\":{\"service.name\":\"s\",\"n\":1},"
        "\"scope\":{\"name\":\"lib\",\"version\":\"2\"}}\n";
    assert_reads_as(&tk_span_reader_flat, line, line);
}

static void columns_are_known_by_their_names(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *lines;
    } cases[] = {
        {"TraceID,SpanID,ParentID,PodName,OperationName,StartTimeUnixNano,EndTimeUnixNano,Duration"
         "\na,b,root,cart-579b9bff58-t2dbm,Get,5000,12000,9\n",
         IDS "\"name\":\"Get\",\"kind\":0," TIMES "\"attributes\":{},\"resource\":{"
             "\"service.name\":\"cart\",\"k8s.pod.name\":\"cart-579b9bff58-t2dbm\"}}\n"},
        {"trace_id;span.id;parent span id;service;name;start_us;duration;error;http.path\r\n"
         "a;b;c;s;\"x;\"\"y\"\"\nz\";5;7;true;/\r\n",
         IDS
         "\"parent_span_id\":\"000000000000000c\",\"name\":\"x;\\\"y\\\"\\nz\",\"kind\":0," TIMES
         "\"status\":{\"code\":2},\"attributes\":{\"http.path\":\"/\"},\"resource\":{"
         "\"service.name\":\"s\"}}\n"},
        {"\xEF\xBB\xBFtrace_id,span_id,end,duration_ms,kind\na,b,1661140374.5,1.5,SPAN_KIND_CLIENT",
         "{\"trace_id\":\"0000000000000000000000000000000a\",\"span_id\":\"000000000000000b\","
         "\"name\":\"\",\"kind\":3,\"start_time_unix_nano\":1661140374498500000,"
         "\"end_time_unix_nano\":1661140374500000000,\"attributes\":{},\"resource\":{}}\n"},
        {"trace_id,span_id,start,end,attributes\n"
         "a,b,2022-08-22T03:52:54.351Z,2022-08-22T03:52:55Z,\"{\"\"k\"\":1}\"\n",
         "{\"trace_id\":\"0000000000000000000000000000000a\",\"span_id\":\"000000000000000b\","
         "\"name\":\"\",\"kind\":0,\"start_time_unix_nano\":1661140374351000000,"
         "\"end_time_unix_nano\":1661140375000000000,\"attributes\":{\"k\":1},\"resource\":{}}\n"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++)
        assert_reads_as(&tk_span_reader_csv, cases[i].text, cases[i].lines);
}

static void rows_of_a_pod_share_its_resource(void **state)
{
    (void)state;
    struct tk_span_batch *batch = NULL;
    struct tk_span_tally tally = {0};
    struct tk_err err;
    void *reader = NULL;
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, 1 << 20);
    tk_buf_lit(&text, "trace_id,span_id,start,end,pod\n");
    for (int i = 1; i <= 1000; i++)
        tk_buf_printf(&text, "1,%x,1,2,cart-579b9bff58-t2db%d\n", (unsigned)i, i % 7);
    struct tk_span_input input = {.text = tk_buf_str(&text)};
    assert_int_equal(tk_span_batch_new(1000, &batch, &err), 0);
    assert_int_equal(tk_span_reader_csv.open(&reader, &err), 0);
    assert_int_equal(tk_span_reader_csv.read(reader, &input, batch, &tally, &err), 1);
    assert_int_equal(batch->rows, 1000);
    assert_int_equal(batch->resource_count, 7);
    tk_span_reader_csv.close(reader);
    tk_span_batch_free(batch);
}

static void maps_name_columns_that_have_other_names(void **state)
{
    (void)state;
    static const char *const maps[] = {"trace_id=req", "span_id=hop", "start=t0:ms",
                                       "duration=took:s"};
    struct tk_spans spans = {.input = {.maps = maps, .map_count = TK_COUNTOF(maps)}};
    tk_spans_read(&spans, &tk_span_reader_csv, TK_STR("req,hop,t0,took\n1,2,3,4.5\n"), 10);
    assert_int_equal(spans.rc, 1);
    assert_int_equal(spans.batch->rows, 1);
    assert_int_equal(spans.batch->start_ns[0], 3000000);
    assert_int_equal(spans.batch->duration_ns[0], 4500000000);
    tk_span_batch_free(spans.batch);
}

static void a_table_that_is_none_of_spans_says_what_is_missing(void **state)
{
    (void)state;
    static const char *const maps[] = {"colour=blue"};
    static const struct {
        const char *text;
        size_t map_count;
        const char *message;
    } cases[] = {
        {"trace_id,x\n1,2\n", 0, "line 1: no column span_id; name it by --map span_id=COLUMN"},
        {"trace_id,span_id\n", 1,
         "'colour' is no field of a span (trace_id, span_id, parent_id, service, pod, name, kind, "
         "start, end, duration, status, status_message, error, attributes, resource)"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_spans spans = {.input = {.maps = maps, .map_count = cases[i].map_count}};
        tk_spans_read(&spans, &tk_span_reader_csv, tk_str_from(cases[i].text), 10);
        assert_true(spans.rc < 0);
        assert_string_equal(spans.err.msg, cases[i].message);
        tk_span_batch_free(spans.batch);
    }
}

static void rows_that_are_no_spans_are_counted(void **state)
{
    (void)state;
    struct tk_spans spans = {0};
    tk_spans_read(&spans, &tk_span_reader_csv,
                  TK_STR("trace_id,span_id,start,end\n1,2,3\n1,2,x,4\n,2,3,4\n1,0,3,4\n1,2,3,4\n"
                         "1,3,4,3\n1,4,-3,4\n"),
                  10);
    assert_int_equal(spans.rc, 1);
    assert_int_equal(spans.tally.spans, 2);
    assert_int_equal(spans.tally.by_reason[TK_SPAN_BAD_RECORD], 5);
    assert_int_equal(spans.tally.by_reason[TK_SPAN_ENDS_EARLY], 1);
    assert_string_equal(spans.input.first_bad, "line 2: 3 columns, the header has 4");
    tk_span_batch_free(spans.batch);
}

static void text_that_is_no_utf8_is_kept_as_bytes_in_attributes_only(void **state)
{
    (void)state;
    struct tk_spans spans = {0};
    size_t n;
    tk_spans_read(&spans, &tk_span_reader_csv,
                  TK_STR("trace_id,span_id,start,end,name,x\na,b,5000,12000,\xFF,\xFE\n"), 10);
    assert_int_equal(spans.tally.by_reason[TK_SPAN_NO_UTF8], 2);
    assert_str_equal(tk_span_name(spans.batch, 0), "\xEF\xBF\xBD");
    const struct tk_attr *attrs = tk_span_attrs(spans.batch, 0, &n);
    assert_int_equal(n, 1);
    assert_int_equal(attrs[0].type, TK_ATTR_BYTES);
    assert_str_equal(tk_texts_get(&spans.batch->texts, attrs[0].text), "\xFE");
    tk_span_batch_free(spans.batch);
}

/* The golden case of trace-compression.md section 15.5, in microseconds. */
static const char gent[] =
    "{\"traceStatus\": \"manual-traced\", \"nodesData\": {\"cart*0\": {\"resource\": {\"id\": "
    "\"cart*0\", \"name\": \"cart*0\", \"serviceType\": \"jaeger\"}, \"id\": \"cart*0\", "
    "\"startTime\": 1656095783086384, \"duration\": 1674, \"environmentVariables\": {\"body\": "
    "{\"http.method\": \"GET\"}}, \"issues\": [], \"operation\": \"grpc.request\"}, \"cart*1\": "
    "{\"resource\": {\"name\": \"cart*1\"}, \"id\": \"cart*1\", \"startTime\": 1656095783087240, "
    "\"duration\": 301, \"issues\": [{\"message\": \"late\"}]}}, \"graph\": {\"edges\": "
    "[{\"source\": \"cart*0\", \"target\": \"cart*1\"}]}, \"details\": {\"transactionId\": "
    "\"62b8a8877fdfa085\"}},\n";

static void traces_of_gen_t_are_read(void **state)
{
    (void)state;
    struct tk_spans spans = {0};
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, 1 << 16);
    for (int i = 0; i < 3; i++)
        tk_buf_puts(&text, gent);
    tk_buf_lit(&text, "{\"nodesData\": 1},\n");
    tk_spans_read(&spans, &tk_span_reader_gent, tk_buf_str(&text), 3);
    assert_int_equal(spans.rc, 1);
    assert_int_equal(spans.batch->rows, 6);
    assert_int_equal(spans.tally.by_reason[TK_SPAN_BAD_RECORD], 1);
    assert_string_equal(spans.input.first_bad, "line 4: a trace without nodesData");
    for (size_t row = 0; row < 6; row += 2) {
        assert_int_equal(spans.batch->start_ns[row], 1656095783086384000);
        assert_int_equal(spans.batch->duration_ns[row], 1674000);
        assert_int_equal(spans.batch->parent_ids[row], 0);
        assert_int_equal(spans.batch->parent_ids[row + 1], spans.batch->span_ids[row]);
        assert_int_equal(spans.batch->statuses[row + 1], TK_SPAN_ERROR);
        assert_str_equal(tk_span_service(spans.batch, row), "cart");
        assert_str_equal(tk_span_name(spans.batch, row), "grpc.request");
        assert_str_equal(tk_span_name(spans.batch, row + 1), "cart");
    }
    tk_span_batch_free(spans.batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_of_one_span_are_read_and_nulls_dropped),
        cmocka_unit_test(what_we_write_is_read_back),
        cmocka_unit_test(columns_are_known_by_their_names),
        cmocka_unit_test(rows_of_a_pod_share_its_resource),
        cmocka_unit_test(maps_name_columns_that_have_other_names),
        cmocka_unit_test(a_table_that_is_none_of_spans_says_what_is_missing),
        cmocka_unit_test(rows_that_are_no_spans_are_counted),
        cmocka_unit_test(text_that_is_no_utf8_is_kept_as_bytes_in_attributes_only),
        cmocka_unit_test(traces_of_gen_t_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
