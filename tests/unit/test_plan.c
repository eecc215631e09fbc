/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "serve/plan.h"
#include "tk_test.h"

#define MAX_BODY 1000

/* Filter ------------------------------------------------------------------------------------ */

static void heads_that_two_readers_take_for_two_requests_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *headers[3][2];
        const char *reason;
    } cases[] = {
        {{{"Host", "a"}, {"Content-Length", "5"}}, NULL},
        {{{"Host", "a"}, {"Transfer-Encoding", "CHUNKED"}}, NULL},
        {{{"Content-Length", "5"}, {"content-length", "6"}}, "more than one Content-Length"},
        {{{"Content-Length", "5"}, {"content-length", "5"}}, "more than one Content-Length"},
        {{{"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}},
         "both Content-Length and Transfer-Encoding"},
        {{{"Host", "a"}, {"HOST", "b"}}, "more than one Host"},
        {{{"Transfer-Encoding", "gzip, chunked"}}, "a Transfer-Encoding other than chunked"},
        {{{"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}},
         "a Transfer-Encoding other than chunked"},
        {{{"Content-Length", "+5"}}, "Content-Length is no number"},
        {{{"Content-Length", "5, 5"}}, "Content-Length is no number"},
        {{{"Content-Length", "-1"}}, "Content-Length is no number"},
        {{{"Content-Length", "99999999999999999999"}}, "Content-Length is no number"},
        {{{"Content-Length ", "5"}}, "the name of a header is no token"},
        {{{"X\tY", "5"}}, "the name of a header is no token"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_head_filter filter = {0};
        for (size_t k = 0; k < 3 && cases[i].headers[k][0]; k++) {
            tk_head_filter_add(&filter, tk_str_from(cases[i].headers[k][0]),
                               tk_str_from(cases[i].headers[k][1]));
        }
        const char *reason = tk_head_filter_reason(&filter);
        if (cases[i].reason)
            assert_string_equal(reason, cases[i].reason);
        else
            assert_null(reason);
    }
}

/* Plan -------------------------------------------------------------------------------------- */

struct plan_case {
    enum tk_protocol protocol;
    const char *method, *path, *type, *coding;
    uint64_t length;
    enum tk_plan_kind kind;
    int status;  /* of a refusal */
    int payload; /* of spans */
};

#define HTTP   TK_PROTOCOL_HTTP
#define ZIPKIN TK_PROTOCOL_ZIPKIN

static const struct plan_case plans[] = {
    {HTTP, "POST", "/v1/traces", "application/x-protobuf", "", 1, TK_PLAN_SPANS, 0,
     TK_PAYLOAD_OTLP},
    {HTTP, "POST", "/v1/traces", "application/json; charset=utf-8", "gzip", 1, TK_PLAN_SPANS, 0,
     TK_PAYLOAD_OTLP_JSON},
    {HTTP, "POST", "/v1/traces", "Application/JSON", "zstd", 1, TK_PLAN_SPANS, 0,
     TK_PAYLOAD_OTLP_JSON},
    {HTTP, "POST", "/v1/traces", "application/json", "br", 1, TK_PLAN_REFUSE, 415, 0},
    {HTTP, "POST", "/v1/traces", "text/plain", "", 1, TK_PLAN_REFUSE, 415, 0},
    {HTTP, "POST", "/v1/traces", "", "", 1, TK_PLAN_REFUSE, 415, 0},
    {HTTP, "POST", "/v1/traces", "application/json", "", MAX_BODY, TK_PLAN_SPANS, 0,
     TK_PAYLOAD_OTLP_JSON},
    {HTTP, "POST", "/v1/traces", "application/json", "", MAX_BODY + 1, TK_PLAN_REFUSE, 413, 0},
    {HTTP, "POST", "/v1/events", "application/x-ndjson", "gzip", 1, TK_PLAN_SPANS, 0,
     TK_PAYLOAD_EVENTS},
    {HTTP, "POST", "/v1/events", "application/jsonl", "", 1, TK_PLAN_SPANS, 0, TK_PAYLOAD_EVENTS},
    {HTTP, "POST", "/v1/events", "application/json", "", 1, TK_PLAN_SPANS, 0, TK_PAYLOAD_EVENTS},
    {HTTP, "POST", "/v1/events", "application/x-protobuf", "", 1, TK_PLAN_REFUSE, 415, 0},
    /* A page of anybody's may send this one without asking first. */
    {HTTP, "POST", "/v1/events", "application/x-www-form-urlencoded", "", 1, TK_PLAN_REFUSE, 415,
     0},
    {ZIPKIN, "POST", "/v1/events", "application/json", "", 1, TK_PLAN_REFUSE, 404, 0},
    {HTTP, "GET", "/v1/events", "", "", 0, TK_PLAN_REFUSE, 405, 0},
    {HTTP, "GET", "/v1/traces", "", "", 0, TK_PLAN_REFUSE, 405, 0},
    {HTTP, "PUT", "/v1/traces", "application/json", "", 0, TK_PLAN_REFUSE, 405, 0},
    {HTTP, "POST", "/v1/metrics", "application/json", "", 0, TK_PLAN_REFUSE, 404, 0},
    {HTTP, "POST", "/v1/traces/", "application/json", "", 0, TK_PLAN_REFUSE, 404, 0},
    {HTTP, "POST", "/api/v2/spans", "application/json", "", 0, TK_PLAN_REFUSE, 404, 0},
    {ZIPKIN, "POST", "/api/v2/spans", "application/json", "gzip", 1, TK_PLAN_SPANS, 0,
     TK_PAYLOAD_ZIPKIN_JSON},
    {ZIPKIN, "POST", "/api/v2/spans", "", "", 1, TK_PLAN_SPANS, 0, TK_PAYLOAD_ZIPKIN_JSON},
    {ZIPKIN, "POST", "/api/v2/spans", "application/x-protobuf", "", 1, TK_PLAN_SPANS, 0,
     TK_PAYLOAD_ZIPKIN},
    {ZIPKIN, "POST", "/v1/traces", "application/json", "", 1, TK_PLAN_REFUSE, 404, 0},
    {ZIPKIN, "GET", "/api/v2/spans", "", "", 0, TK_PLAN_QUERY, 0, 0},
    {ZIPKIN, "PUT", "/api/v2/spans", "", "", 0, TK_PLAN_REFUSE, 405, 0},
    {TK_PROTOCOL_QUERY, "GET", "/api/traces/1", "", "", 0, TK_PLAN_QUERY, 0, 0},
    {TK_PROTOCOL_QUERY, "GET", "/api/services/a/b/operations", "", "", 0, TK_PLAN_QUERY, 0, 0},
    {TK_PROTOCOL_QUERY, "GET", "/api/traces/1/2", "", "", 0, TK_PLAN_REFUSE, 404, 0},
    {TK_PROTOCOL_QUERY, "PUT", "/api/traces", "", "", 0, TK_PLAN_REFUSE, 405, 0},
    {HTTP, "GET", "/healthz", "", "", 0, TK_PLAN_HEALTH, 0, 0},
    {HTTP, "HEAD", "/healthz", "", "", 0, TK_PLAN_HEALTH, 0, 0},
    {HTTP, "POST", "/healthz", "", "", 0, TK_PLAN_REFUSE, 405, 0},
    {ZIPKIN, "GET", "/metrics", "", "", 0, TK_PLAN_METRICS, 0, 0},
    {HTTP, "GET", "/", "", "", 0, TK_PLAN_LIST, 0, 0},
    {HTTP, "GET", "/api/services", "", "", 0, TK_PLAN_REFUSE, 404, 0},
};

static void the_head_decides(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_COUNTOF(plans); i++) {
        const struct plan_case *want = &plans[i];
        struct tk_head head = {.protocol = want->protocol,
                               .method = tk_str_from(want->method),
                               .path = tk_str_from(want->path),
                               .content_type =
                                   *want->type ? tk_str_from(want->type) : (tk_str){NULL, 0},
                               .content_encoding = tk_str_from(want->coding),
                               .length = want->length};
        struct tk_answer answer = {0};
        struct tk_plan plan;
        tk_buf_init(&answer.body, 10000);
        tk_plan_make(&head, MAX_BODY, &plan, &answer);
        assert_int_equal(plan.kind, want->kind);
        assert_int_equal(answer.status, want->status);
        if (plan.kind == TK_PLAN_SPANS)
            assert_int_equal(plan.payload, want->payload);
        assert_int_equal(answer.allow != NULL, want->status == 405);
        tk_buf_release(&answer.body);
    }
}

static void what_is_no_spans_is_answered_with_what_stops_its_sender(void **state)
{
    (void)state;
    static const struct {
        enum tk_protocol protocol;
        const char *method, *path, *type;
        enum tk_signal signal;
        const char *body; /* its beginning */
    } cases[] = {
        {HTTP, "POST", "/v1/metrics", "application/json", TK_SIGNAL_METRICS,
         "{\"code\":12,\"message\":\"metrics are not stored here, spans are: "
         "OTEL_METRICS_EXPORTER=none stops"},
        {HTTP, "POST", "/v1/logs", "application/x-protobuf", TK_SIGNAL_LOGS,
         "\x08\x0C\x12\x5Blogs are not stored here, spans are: OTEL_LOGS_EXPORTER=none stops"},
        {HTTP, "POST", "/v1development/profiles", "text/plain", TK_SIGNAL_PROFILES,
         "profiles are not stored here, spans are\n"},
        {HTTP, "GET", "/v1/metrics", "", TK_SIGNAL_COUNT, "there is no such path"},
        {HTTP, "POST", "/v1/metric", "application/json", TK_SIGNAL_COUNT, "there is no such path"},
        {ZIPKIN, "POST", "/v1/logs", "application/json", TK_SIGNAL_COUNT, "there is no such path"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_head head = {.protocol = cases[i].protocol,
                               .method = tk_str_from(cases[i].method),
                               .path = tk_str_from(cases[i].path),
                               .content_type = tk_str_from(cases[i].type)};
        struct tk_answer answer = {0};
        struct tk_plan plan;
        tk_buf_init(&answer.body, 10000);
        tk_plan_make(&head, MAX_BODY, &plan, &answer);
        assert_int_equal(plan.kind, TK_PLAN_REFUSE);
        assert_int_equal(plan.signal, cases[i].signal);
        assert_int_equal(answer.status, 404);
        assert_true(tk_str_starts_with(tk_buf_str(&answer.body), tk_str_from(cases[i].body)));
        tk_buf_release(&answer.body);
    }
}

static void a_page_answers_what_is_neither_api_nor_of_the_server(void **state)
{
    (void)state;
    static const struct {
        enum tk_protocol protocol;
        const char *method, *path;
        enum tk_plan_kind kind;
    } cases[] = {
        {TK_PROTOCOL_QUERY, "GET", "/", TK_PLAN_SITE},
        {TK_PROTOCOL_QUERY, "HEAD", "/search", TK_PLAN_SITE},
        {TK_PROTOCOL_QUERY, "GET", "/static/a.js", TK_PLAN_SITE},
        {TK_PROTOCOL_QUERY, "GET", "/api/services", TK_PLAN_QUERY},
        {TK_PROTOCOL_QUERY, "GET", "/api/nothing", TK_PLAN_REFUSE},
        {TK_PROTOCOL_QUERY, "GET", "/metrics", TK_PLAN_METRICS},
        {TK_PROTOCOL_QUERY, "POST", "/search", TK_PLAN_REFUSE},
        {ZIPKIN, "GET", "/", TK_PLAN_LIST},
        {HTTP, "GET", "/search", TK_PLAN_REFUSE},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_head head = {.protocol = cases[i].protocol,
                               .method = tk_str_from(cases[i].method),
                               .path = tk_str_from(cases[i].path),
                               .has_site = true};
        struct tk_answer answer = {0};
        struct tk_plan plan;
        tk_buf_init(&answer.body, 10000);
        tk_plan_make(&head, MAX_BODY, &plan, &answer);
        assert_int_equal(plan.kind, cases[i].kind);
        tk_buf_release(&answer.body);
    }
}

/* Verdicts ---------------------------------------------------------------------------------- */

static void put_verdict(enum tk_outcome outcome, enum tk_payload_kind kind,
                        const struct tk_span_tally *tally, struct tk_answer *ret_answer)
{
    struct tk_verdict verdict = {.outcome = outcome};
    if (tally)
        verdict.tally = *tally;
    (void)tk_fail(&verdict.err, -1, "why");
    *ret_answer = (struct tk_answer){0};
    tk_buf_init(&ret_answer->body, 10000);
    tk_verdict_put(&verdict, kind, ret_answer);
}

static void each_outcome_has_its_answer(void **state)
{
    (void)state;
    static const struct {
        enum tk_outcome outcome;
        int status;
        int64_t retry_after_s;
        const char *json;
    } cases[] = {
        {TK_OUTCOME_TAKEN, 200, 0, "{}"},
        {TK_OUTCOME_BAD, 400, 0,
         "{\"code\":3,\"message\":\"why\",\"details\":[{\"@type\":\"type.googleapis.com/"
         "google.rpc.BadRequest\",\"fieldViolations\":[{\"description\":\"why\"}]}]}"},
        {TK_OUTCOME_TOO_LARGE, 413, 0, "{\"code\":8,\"message\":\"why\"}"},
        {TK_OUTCOME_OVERLOADED, 429, 1,
         "{\"code\":14,\"message\":\"why\",\"details\":[{\"@type\":\"type.googleapis.com/"
         "google.rpc.RetryInfo\",\"retryDelay\":\"1s\"}]}"},
        {TK_OUTCOME_FAILED, 503, 1,
         "{\"code\":14,\"message\":\"why\",\"details\":[{\"@type\":\"type.googleapis.com/"
         "google.rpc.RetryInfo\",\"retryDelay\":\"1s\"}]}"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_answer answer;
        put_verdict(cases[i].outcome, TK_PAYLOAD_OTLP_JSON, NULL, &answer);
        assert_int_equal(answer.status, cases[i].status);
        assert_int_equal(answer.retry_after_s, cases[i].retry_after_s);
        assert_string_equal(answer.content_type, "application/json");
        assert_str_equal(tk_buf_str(&answer.body), cases[i].json);
        tk_buf_release(&answer.body);
    }
}

static void protobuf_is_answered_in_protobuf(void **state)
{
    (void)state;
    struct tk_answer answer;
    put_verdict(TK_OUTCOME_TAKEN, TK_PAYLOAD_OTLP, NULL, &answer);
    assert_string_equal(answer.content_type, "application/x-protobuf");
    assert_int_equal(answer.body.n, 0);
    tk_buf_release(&answer.body);
    put_verdict(TK_OUTCOME_TOO_LARGE, TK_PAYLOAD_OTLP, NULL, &answer);
    assert_str_equal(tk_buf_str(&answer.body), "\x08\x08\x12\x03why");
    tk_buf_release(&answer.body);
}

static void spans_that_are_refused_are_told_with_reasons(void **state)
{
    (void)state;
    struct tk_span_tally tally = {.spans = 5, .by_reason = {[TK_SPAN_BAD_SPAN_ID] = 2}};
    struct tk_answer answer;
    put_verdict(TK_OUTCOME_TAKEN, TK_PAYLOAD_OTLP_JSON, &tally, &answer);
    assert_int_equal(answer.status, 200);
    assert_true(tk_str_starts_with(tk_buf_str(&answer.body),
                                   TK_STR("{\"partialSuccess\":{\"rejectedSpans\":\"2\","
                                          "\"errorMessage\":\"refused 2 spans with ")));
    tk_buf_release(&answer.body);
    put_verdict(TK_OUTCOME_TAKEN, TK_PAYLOAD_OTLP, &tally, &answer);
    assert_int_equal(answer.body.p[0], 0x0A);
    assert_memory_equal(answer.body.p + 2, "\x08\x02\x12", 3);
    assert_int_equal((size_t)answer.body.p[1], answer.body.n - 2);
    tk_buf_release(&answer.body);
}

static void spans_that_are_mended_are_a_warning(void **state)
{
    (void)state;
    struct tk_span_tally tally = {.spans = 5, .by_reason = {[TK_SPAN_ENDS_EARLY] = 1}};
    struct tk_answer answer;
    put_verdict(TK_OUTCOME_TAKEN, TK_PAYLOAD_OTLP_JSON, &tally, &answer);
    assert_true(tk_str_starts_with(tk_buf_str(&answer.body),
                                   TK_STR("{\"partialSuccess\":{\"errorMessage\":\"1 span ")));
    tk_buf_release(&answer.body);
}

static void zipkin_is_answered_202_or_in_plain_text(void **state)
{
    (void)state;
    struct tk_answer answer;
    put_verdict(TK_OUTCOME_TAKEN, TK_PAYLOAD_ZIPKIN_JSON, NULL, &answer);
    assert_int_equal(answer.status, 202);
    assert_int_equal(answer.body.n, 0);
    tk_buf_release(&answer.body);
    put_verdict(TK_OUTCOME_BAD, TK_PAYLOAD_ZIPKIN_JSON, NULL, &answer);
    assert_int_equal(answer.status, 400);
    assert_str_equal(tk_buf_str(&answer.body), "why\n");
    tk_buf_release(&answer.body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_that_two_readers_take_for_two_requests_are_refused),
        cmocka_unit_test(the_head_decides),
        cmocka_unit_test(what_is_no_spans_is_answered_with_what_stops_its_sender),
        cmocka_unit_test(a_page_answers_what_is_neither_api_nor_of_the_server),
        cmocka_unit_test(each_outcome_has_its_answer),
        cmocka_unit_test(protobuf_is_answered_in_protobuf),
        cmocka_unit_test(spans_that_are_refused_are_told_with_reasons),
        cmocka_unit_test(spans_that_are_mended_are_a_warning),
        cmocka_unit_test(zipkin_is_answered_202_or_in_plain_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
