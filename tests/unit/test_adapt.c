/* SPDX-License-Identifier: Apache-2.0 */
/* Logs of every format to rows: what the user of `tracekit adapt` gets, in memory. */
#include "span/adapt.h"

#include <errno.h>

#include "base/clock.h"
#include "tk_test.h"

/* What came out: some columns of each row on a line, and the bad lines. */
struct result {
    char rows[4096];
    char bad[4096];
    struct tk_adapt_stats stats;
    uint64_t open;
    int rc;
    struct tk_err err;
};

static void append(char *to, size_t cap, const char *text)
{
    size_t n = strlen(to);
    (void)snprintf(to + n, cap - n, "%s", text);
}

static int take(void *context, enum tk_table table, const struct tk_batch *batch,
                struct tk_err *err)
{
    struct result *result = context;
    (void)err;
    assert_int_equal(table, TK_TABLE_INVOCATIONS);
    for (size_t i = 0; i < batch->rows; i++) {
        char line[512];
        (void)snprintf(line, sizeof(line), "%.*s %.*s %.*s %lld %lld %lld %lld\n",
                       TK_STR_ARG(tk_batch_text(batch, i, TK_INVOCATIONS_TRACE_ID)),
                       TK_STR_ARG(tk_batch_text(batch, i, TK_INVOCATIONS_METHOD)),
                       TK_STR_ARG(tk_batch_text(batch, i, TK_INVOCATIONS_PATH)),
                       (long long)tk_batch_i64(batch, i, TK_INVOCATIONS_TS_ENQUEUE, -1),
                       (long long)tk_batch_i64(batch, i, TK_INVOCATIONS_TS_START, -1),
                       (long long)tk_batch_i64(batch, i, TK_INVOCATIONS_TS_END, -1),
                       (long long)tk_batch_i64(batch, i, TK_INVOCATIONS_STATUS, -1));
        append(result->rows, sizeof(result->rows), line);
    }
    return 0;
}

static void bad(void *context, uint64_t line, const char *why)
{
    struct result *result = context;
    char text[300];
    (void)snprintf(text, sizeof(text), "%llu: %s\n", (unsigned long long)line, why);
    append(result->bad, sizeof(result->bad), text);
}

static struct result adapt(const struct tk_ingest *ingest, const struct tk_ingest_options *format,
                           const char *text)
{
    struct result result = {0};
    struct tk_adapt *adapt = NULL;
    tk_str rest = tk_str_from(text);
    tk_str line;
    uint64_t number = 0;
    const struct tk_adapt_options options = {
        .ingest = ingest, .format = *format, .bad = bad, .context = &result};
    result.rc = tk_adapt_new(&options, (struct tk_sink){take, &result}, &adapt, &result.err);
    if (result.rc < 0)
        return result;
    tk_adapt_begin(adapt);
    while (result.rc == 0 && tk_str_take_line(&rest, &line))
        result.rc = tk_adapt_put(adapt, line, ++number, &result.err);
    if (result.rc == 0)
        result.rc = tk_adapt_end(adapt, &result.err);
    result.stats = *tk_adapt_stats(adapt);
    result.open = tk_adapt_count_open(adapt);
    tk_adapt_free(adapt);
    return result;
}

static const struct tk_ingest_options usual = {0};

static void nginx_tells_the_end_of_a_request(void **state)
{
    (void)state;
    struct result got = adapt(&tk_ingest_nginx, &usual,
                              "1.2.3.4 - - [10/Oct/2025:13:55:36 +0200] \"GET /x HTTP/1.1\" 200 512"
                              " \"-\" \"curl\" 301 0.123 abc\n"
                              "1.2.3.4 - - [10/Oct/2025:13:55:36 +0200] \"GET /x HTTP/1.1\" 200 -"
                              " \"-\" \"curl\" 301 0.123 -\r\n"
                              "1.2.3.4 - - [10/Oct/2025:13:55:36 +0200] \"\" 400 0"
                              " \"-\" \"-\" 0 0.000\n");
    assert_int_equal(got.rc, 0);
    assert_string_equal(got.rows, "abc GET /x 1760097335877 1760097335877 1760097336000 200\n"
                                  " GET /x 1760097335877 1760097335877 1760097336000 200\n"
                                  "   1760097336000 1760097336000 1760097336000 400\n");
    assert_string_equal(got.bad, "");
    assert_int_equal(got.stats.lines, 3);
}

static void any_log_format_of_nginx_is_taken(void **state)
{
    (void)state;
    const struct tk_ingest_options options = {
        .format = "$msec|$time_local|$request_time|$request|$http_x_my_id|$request_id|"
                  "$upstream_response_time|$status",
        .trace_header = "X-My-Id"};
    struct result got =
        adapt(&tk_ingest_nginx, &options,
              "1760097336.250|10/Oct/2025:13:55:36 +0200|0.250|GET / HTTP/1.1|mine|"
              "req|0.1, 0.1|200\n"
              "1760097336.250|10/Oct/2025:13:55:36 +0200|0.250|GET / HTTP/1.1|-|req|"
              "-|200\n");
    assert_string_equal(got.rows, "mine GET / 1760097336000 1760097336000 1760097336250 200\n"
                                  "req GET / 1760097336000 1760097336000 1760097336250 200\n");
}

static void every_bad_line_is_counted_and_told(void **state)
{
    (void)state;
    const struct tk_ingest_options options = {.format = "$msec $request_time"};
    struct result got = adapt(&tk_ingest_nginx, &options,
                              "10.5 0.5\n"
                              "garbage\n"
                              "\n"
                              "10.5 -1\n"
                              "10.5 nan\n"
                              "- 0.5\n"
                              "5 6\n");
    assert_int_equal(got.rc, 0);
    assert_string_equal(got.rows, "   10000 10000 10500 -1\n");
    assert_string_equal(got.bad, "2: does not fit the format: expected ' ' behind $msec\n"
                                 "4: $request_time: '-1' is no duration in s\n"
                                 "5: $request_time: 'nan' is no duration in s\n"
                                 "6: tells no time\n"
                                 "7: begins before 1970\n");
    assert_int_equal(got.stats.bad, 5);
    assert_int_equal(got.stats.rows, 1);
    assert_int_equal(got.stats.lines, 7);
}

static void envoy_tells_the_start_of_a_request(void **state)
{
    (void)state;
    struct result got =
        adapt(&tk_ingest_envoy, &usual,
              "[2016-04-15T20:17:00.310Z] \"POST /api/v1/locations HTTP/2\" 204 - 154 0 226 100 "
              "\"10.0.35.28\" \"nsq2http\" \"cc21d9b0\" \"locations\" \"tcp://10.0.2.1:80\"\n");
    assert_string_equal(
        got.rows,
        "cc21d9b0 POST /api/v1/locations 1460751420310 1460751420310 1460751420536 204\n");
}

static void a_traceparent_of_envoy_beats_the_request_id(void **state)
{
    (void)state;
    const struct tk_ingest_options options = {
        .format = "%START_TIME(%s.%3f)% %DURATION% %REQ(X-REQUEST-ID)% %REQ(traceparent)%"};
    struct result got =
        adapt(&tk_ingest_envoy, &options,
              "1760097336.250 5 id 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n"
              "1760097336.250 5 id -\n");
    assert_string_equal(got.rows, "0af7651916cd43dd8448eb211c80319c   1760097336250 1760097336250 "
                                  "1760097336255 -1\n"
                                  "id   1760097336250 1760097336250 1760097336255 -1\n");
}

static void objects_are_read_by_common_names(void **state)
{
    (void)state;
    struct result got =
        adapt(&tk_ingest_json, &usual,
              "{\"start_time\":\"2025-10-10T11:55:36.5Z\",\"duration\":12,\"method\":\"GET\","
              "\"path\":\"/\\u0078\",\"response_code\":200,\"x_request_id\":\"e\",\"route\":null}\n"
              "{\"msec\":\"1760097336.250\",\"request_time\":\"0.250\",\"status\":\"404\","
              "\"request\":\"GET /y HTTP/1.1\",\"request_id\":\"n\"}\n"
              "{\"ts_enqueue\":1000,\"ts_start\":1010,\"ts_end\":1250,\"trace_id\":\"t\"}\n"
              "[1]\n"
              "{\"msec\":\n"
              "{\"duration\":\"fast\"}\n");
    assert_string_equal(got.rows, "e GET /x 1760097336500 1760097336500 1760097336512 200\n"
                                  "n GET /y 1760097336000 1760097336000 1760097336250 404\n"
                                  "t   1000 1010 1250 -1\n");
    assert_string_equal(got.bad, "4: byte 0: expected an object\n"
                                 "5: byte 8: expected a value, not the end\n"
                                 "6: duration: 'fast' is no duration in ms\n");
}

static void maps_name_keys_of_any_log(void **state)
{
    (void)state;
    static const char *const maps[] = {"ts_end=time:s", "service=took.ms:ms", "trace_id=a.b.c"};
    const struct tk_ingest_options options = {.maps = maps, .map_count = TK_COUNTOF(maps)};
    struct result got = adapt(&tk_ingest_json, &options,
                              "{\"time\":1760097336.25,\"took\":{\"s\":9,\"ms\":250},"
                              "\"a\":{\"b\":{\"c\":\"deep\"},\"x\":[{}]},\"duration\":1}\n");
    assert_string_equal(got.rows, "deep   1760097336000 1760097336000 1760097336250 -1\n");
}

static void maps_that_are_none_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *map, *message;
    } cases[] = {
        {"ts_end", "'ts_end' is no FIELD=NAME or FIELD=NAME:UNIT"},
        {"ts_end=", "'ts_end=' is no FIELD=NAME or FIELD=NAME:UNIT"},
        {"when=x:s", "'when' is no field of an invocation"},
        {"ts_end=x:h", "'ts_end=x:h': 'h' is no unit of ts_end (s, ms, us, ns)"},
        {"bytes_in=x:s", "'bytes_in=x:s': 's' is no unit of bytes_in (bytes, kb, mb, gb)"},
        {"pid=x:s", "'pid=x:s': 's' is no unit of pid (it takes none)"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        const struct tk_ingest_options options = {.maps = &cases[i].map, .map_count = 1};
        struct result got = adapt(&tk_ingest_json, &options, "");
        assert_int_equal(got.rc, -EINVAL);
        assert_string_equal(got.err.msg, cases[i].message);
    }
}

static void columns_are_found_by_their_header(void **state)
{
    (void)state;
    struct result got = adapt(&tk_ingest_csv, &usual,
                              "\xEF\xBB\xBFts_end;ts_start;\"path\";trace_id;other\r\n"
                              "1250;1010;\"/a;\"\"b\"\"\";t1;x\r\n"
                              "1250;1010;\"/two\n"
                              "lines\";t2;x\n"
                              "\n"
                              "1250;1010;/c;t3\n"
                              "1250;1010;/c;t3;x;y\n"
                              "1250;1010;\"/open;t4;x\n");
    assert_string_equal(got.rows, "t1  /a;\"b\" 1010 1010 1250 -1\n"
                                  "t2  /two\nlines 1010 1010 1250 -1\n");
    assert_string_equal(got.bad, "6: has 4 columns, the header 5\n"
                                 "7: has 6 columns, the header 5\n"
                                 "8: a quote is not closed\n");
}

static void columns_that_nobody_knows_end_the_reading(void **state)
{
    (void)state;
    struct result got = adapt(&tk_ingest_csv, &usual, "x,y\n1,2\n");
    assert_int_equal(got.rc, -EINVAL);
    assert_string_equal(got.err.msg,
                        "the header names no column that is known; name some with --map");
}

static void rows_of_batch_systems_become_invocations(void **state)
{
    (void)state;
    struct result got =
        adapt(&tk_ingest_jobs, &usual,
              "JobID|User|Submit|Start|End|ExitCode|Partition\n"
              "17|ann|2025-10-10T10:00:00|2025-10-10T10:00:05|2025-10-10T10:01:05|0:9|gpu\n"
              "17.batch|ann|2025-10-10T10:00:00|2025-10-10T10:00:05|2025-10-10T10:01:05|0:0|gpu\n"
              "18|ann|2025-10-10T10:00:00|Unknown|Unknown|0:0|gpu\n"
              "19|ann|2025-10-10T10:00:00|2025-10-10T10:00:05|Unknown|0:0|gpu\n"
              "20|ann|2025-10-10T10:00:00|2025-10-10T09:00:05|2025-10-10T10:01:05|0:0|gpu\n");
    assert_string_equal(got.rows, "17   1760090400000 1760090405000 1760090465000 137\n");
    assert_string_equal(got.bad, "6: starts 3595.000 s before it arrives\n");
    assert_int_equal(got.stats.passed, 3);
}

static void objects_of_jobs_are_read_too(void **state)
{
    (void)state;
    struct result got = adapt(&tk_ingest_jobs, &usual,
                              "{\"job_id\":5,\"submitted_at\":\"2025-10-10T10:00:00Z\","
                              "\"started_at\":\"2025-10-10T10:00:05Z\","
                              "\"finished_at\":\"2025-10-10T10:01:05Z\",\"exit_code\":2}\n");
    assert_string_equal(got.rows, "5   1760090400000 1760090405000 1760090465000 2\n");
}

static void events_of_a_task_are_joined(void **state)
{
    (void)state;
    struct result got =
        adapt(&tk_ingest_jobs, &usual,
              "{\"event\":\"submitted\",\"ts_ms\":1000,\"task_id\":\"t1\"}\n"
              "{\"event\":\"submitted\",\"ts_ms\":1001,\"task_id\":\"t2\"}\n"
              "{\"event\":\"started\",\"ts_ms\":1010,\"task_id\":\"t1\",\"node\":\"n1\"}\n"
              "{\"event\":\"requeued\",\"ts_ms\":1100,\"task_id\":\"t1\"}\n"
              "{\"event\":\"started\",\"ts_ms\":1200,\"task_id\":\"t1\",\"node\":\"n2\"}\n"
              "{\"event\":\"ended\",\"ts_ms\":1450,\"task_id\":\"t1\",\"exit_code\":0}\n"
              "{\"event\":\"ended\",\"ts_ms\":1450,\"task_id\":\"t3\"}\n"
              "{\"event\":\"lost\",\"ts_ms\":1450,\"task_id\":\"t3\"}\n"
              "{\"event\":\"started\",\"task_id\":\"t3\"}\n");
    assert_string_equal(got.rows, "t1   1000 1200 1450 0\n");
    assert_string_equal(got.bad, "7: task 't3' ended, but was not started\n"
                                 "8: 'lost' is no event of a task\n"
                                 "9: an event must tell the task and ts_ms\n");
    assert_int_equal(got.open, 1);
}

static void a_quote_that_stays_open_costs_a_bounded_piece(void **state)
{
    (void)state;
    struct tk_adapt *adapt;
    struct tk_err err;
    struct result result = {0};
    const struct tk_adapt_options options = {
        .ingest = &tk_ingest_csv, .bad = bad, .context = &result};
    assert_int_equal(tk_adapt_new(&options, (struct tk_sink){take, &result}, &adapt, &err), 0);
    tk_adapt_begin(adapt);
    assert_int_equal(tk_adapt_put(adapt, TK_STR("ts_start,ts_end"), 1, &err), 0);
    assert_int_equal(tk_adapt_put(adapt, TK_STR("\"1,2"), 2, &err), 0);
    for (uint64_t i = 0; i < TK_INGEST_RECORD_MAX / 16; i++)
        assert_int_equal(tk_adapt_put(adapt, TK_STR("1000000,20000001"), 3 + i, &err), 0);
    assert_int_equal(tk_adapt_end(adapt, &err), 0);
    assert_int_equal(tk_adapt_stats(adapt)->bad, 1);
    assert_true(tk_adapt_stats(adapt)->rows > 1000);
    assert_memory_equal(result.bad, "2: a quote is not closed: ", 26);
    tk_adapt_free(adapt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nginx_tells_the_end_of_a_request),
        cmocka_unit_test(any_log_format_of_nginx_is_taken),
        cmocka_unit_test(every_bad_line_is_counted_and_told),
        cmocka_unit_test(envoy_tells_the_start_of_a_request),
        cmocka_unit_test(a_traceparent_of_envoy_beats_the_request_id),
        cmocka_unit_test(objects_are_read_by_common_names),
        cmocka_unit_test(maps_name_keys_of_any_log),
        cmocka_unit_test(maps_that_are_none_are_refused),
        cmocka_unit_test(columns_are_found_by_their_header),
        cmocka_unit_test(columns_that_nobody_knows_end_the_reading),
        cmocka_unit_test(rows_of_batch_systems_become_invocations),
        cmocka_unit_test(objects_of_jobs_are_read_too),
        cmocka_unit_test(events_of_a_task_are_joined),
        cmocka_unit_test(a_quote_that_stays_open_costs_a_bounded_piece),
    };
    return cmocka_run_group_tests_name("adapt", tests, NULL, NULL);
}
