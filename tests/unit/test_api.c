/* SPDX-License-Identifier: Apache-2.0 */
/* The query APIs: requests to their handlers on a folder of spans, and the answers. */
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "segment/segment.h"
#include "serve/api.h"
#include "span/otlp.h"
#include "span_maker.h"

#define S       1000000000LL
#define MS      1000000LL
#define EPOCH_S 1700000000LL
#define T0      (EPOCH_S * S)
#define NOW_NS  (T0 + 3600 * S)

/* A shop: web calls cart, which calls a database; one call to it fails. Another trace is an orphan.
 */
static const struct made_span shop[] = {
    {.service = "web",
     .name = "GET /cart",
     .id = 0x1,
     .start_ns = T0,
     .duration_ns = 100 * MS,
     .kind = TK_SPAN_SERVER,
     .trace = 0xa1,
     .host = "a"},
    {.service = "web",
     .name = "call cart",
     .id = 0x2,
     .parent = 0x1,
     .start_ns = T0 + 10 * MS,
     .duration_ns = 80 * MS,
     .kind = TK_SPAN_CLIENT,
     .trace = 0xa1,
     .host = "a"},
    {.service = "cart",
     .name = "Get",
     .id = 0x3,
     .parent = 0x2,
     .start_ns = T0 + 20 * MS,
     .duration_ns = 60 * MS,
     .kind = TK_SPAN_SERVER,
     .trace = 0xa1,
     .host = "b"},
    {.service = "db",
     .name = "select",
     .id = 0x4,
     .parent = 0x3,
     .start_ns = T0 + 30 * MS,
     .duration_ns = 5 * MS,
     .status = TK_SPAN_ERROR,
     .trace = 0xa1,
     .host = "c"},
    {.service = "web",
     .name = "GET /",
     .id = 0x5,
     .start_ns = T0 + 60 * S,
     .duration_ns = 2 * MS,
     .kind = TK_SPAN_SERVER,
     .trace = 0xa2,
     .host = "a"},
    {.service = "cart",
     .name = "Get",
     .id = 0x6,
     .parent = 0x9,
     .start_ns = T0 + 120 * S,
     .duration_ns = 7 * MS,
     .kind = TK_SPAN_SERVER,
     .trace = 0xa3,
     .host = "b"},
};

struct fixture {
    char path[64];
    int dirfd;
    struct tk_query_ctx ctx;
    struct tk_arena scratch;
    struct tk_answer answer;
};

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

static void fill(struct tk_span_batch *batch, const struct made_span *spans, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        made_begin(batch, &spans[i]);
        if (spans[i].id == 0x1)
            made_attr_i64(batch, "http.status", 200);
        if (spans[i].id == 0x4)
            made_attr(batch, "db.system", "postgresql");
        assert_int_equal(tk_span_batch_end(batch), 0);
    }
}

/* Spans as a segment. */
static void store(const struct fixture *fixture, const struct made_span *spans, size_t n)
{
    struct tk_err err;
    struct tk_segment_sink *sink;
    assert_int_equal(
        tk_segment_sink_new(fixture->dirfd, &(struct tk_segment_opts){.no_log = true}, &sink, &err),
        0);
    fill(tk_segment_sink_batch(sink), spans, n);
    assert_int_equal(tk_segment_sink_close(sink, &err), 0);
    tk_segment_sink_free(sink);
}

static int setup(void **state)
{
    struct tk_err err;
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    strcpy(fixture->path, "/tmp/tracekit-api-XXXXXX");
    assert_non_null(mkdtemp(fixture->path));
    fixture->dirfd = open(fixture->path, O_RDONLY | O_DIRECTORY);
    store(fixture, shop, TK_COUNTOF(shop));
    assert_int_equal(tk_segment_set_new(fixture->dirfd, false, &fixture->ctx.set, &err), 0);
    assert_int_equal(tk_span_batch_new(1000, &fixture->ctx.batch, &err), 0);
    assert_int_equal(tk_arena_init(&fixture->scratch, (size_t)1 << 20, &err), 0);
    fixture->ctx.scratch = &fixture->scratch;
    fixture->ctx.now_ns = NOW_NS;
    tk_buf_init(&fixture->answer.body, (size_t)1 << 20);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    tk_buf_release(&fixture->answer.body);
    tk_arena_release(&fixture->scratch);
    tk_span_batch_free(fixture->ctx.batch);
    tk_segment_set_free(fixture->ctx.set);
    close(fixture->dirfd);
    nftw(fixture->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(fixture);
    return 0;
}

static const char *handle(struct fixture *fixture, const struct tk_request *request)
{
    bool is_known;
    tk_str segment;
    struct tk_err err;
    const struct tk_route *route =
        tk_routes_find(request->method, request->path, &segment, &is_known);
    if (!route)
        fail_msg("no route for %.*s", TK_STR_ARG(request->path));
    tk_span_batch_reset(fixture->ctx.batch);
    tk_arena_reset(&fixture->scratch);
    tk_buf_reset(&fixture->answer.body);
    fixture->answer.status = 0;
    assert_int_equal(route->handle(&fixture->ctx, request, segment, &fixture->answer, &err), 0);
    tk_buf_putc(&fixture->answer.body, '\0');
    assert_true(tk_buf_ok(&fixture->answer.body));
    fixture->answer.body.n--;
    return fixture->answer.body.p;
}

/* Ask: "GET /api/x?a=b&c=d", nothing of it encoded; with an Accept header, a body. */
static const char *ask_with(struct fixture *fixture, const char *request_line, const char *accept,
                            const char *body)
{
    char text[1024];
    struct tk_param params[16];
    struct tk_request request = {
        .params = params, .accept = tk_str_from(accept), .body = tk_str_from(body)};
    tk_str pair;
    snprintf(text, sizeof(text), "%s", request_line);
    tk_str rest = tk_str_from(text);
    assert_true(tk_str_take_until(&rest, ' ', &request.method));
    assert_true(tk_str_take_until(&rest, '?', &request.path));
    while (tk_str_take_until(&rest, '&', &pair)) {
        struct tk_param *param = &params[request.param_count++];
        assert_true(tk_str_take_until(&pair, '=', &param->name));
        param->value = pair;
    }
    return handle(fixture, &request);
}

static const char *ask_traceql(struct fixture *fixture, const char *query)
{
    struct tk_param param = {TK_STR("q"), tk_str_from(query)};
    return handle(fixture, &(struct tk_request){.method = TK_STR("GET"),
                                                .path = TK_STR("/api/search"),
                                                .params = &param,
                                                .param_count = 1});
}

static const char *ask(struct fixture *fixture, const char *request_line)
{
    return ask_with(fixture, request_line, "", "");
}

struct exchange {
    const char *request;
    int status;
    const char *body;
};

static void assert_exchanges(struct fixture *fixture, const struct exchange *exchanges, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *body = ask(fixture, exchanges[i].request);
        if (fixture->answer.status != exchanges[i].status || strcmp(body, exchanges[i].body) != 0) {
            print_error("%s: %d\n", exchanges[i].request, fixture->answer.status);
            assert_string_equal(body, exchanges[i].body);
        }
        assert_int_equal(fixture->answer.status, exchanges[i].status);
    }
}

/* The answer as a document. */
static json_t *ask_json(struct fixture *fixture, const char *request_line, int status)
{
    json_error_t error;
    const char *body = ask(fixture, request_line);
    json_t *document = json_loads(body, 0, &error);
    if (!document)
        fail_msg("%s: %s: %s", request_line, error.text, body);
    if (fixture->answer.status != status)
        print_error("%s: %s\n", request_line, body);
    assert_int_equal(fixture->answer.status, status);
    return document;
}

/* A text in a document, "data.0.traceID". */
static const char *text_at(json_t *document, const char *path)
{
    static char copy[256];
    snprintf(copy, sizeof(copy), "%s", path);
    for (char *part = strtok(copy, "."); part; part = strtok(NULL, ".")) {
        document = json_is_array(document) ? json_array_get(document, (size_t)atol(part))
                                           : json_object_get(document, part);
    }
    if (!document)
        fail_msg("no %s", path);
    if (json_is_string(document))
        return json_string_value(document);
    static char text[256];
    size_t n = json_dumpb(document, text, sizeof(text) - 1, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_in_range(n, 1, sizeof(text) - 1);
    text[n] = '\0';
    return text;
}

static void jaeger_lists_services_operations_and_calls(void **state)
{
    static const struct exchange exchanges[] = {
        {"GET /api/services", 200,
         "{\"data\":[\"cart\",\"db\",\"web\"],\"total\":3,\"limit\":0,\"offset\":0,"
         "\"errors\":null}"},
        {"GET /api/services/web/operations", 200,
         "{\"data\":[\"GET /\",\"GET /cart\",\"call cart\"],\"total\":3,\"limit\":0,\"offset\":0,"
         "\"errors\":null}"},
        {"GET /api/services/nobody/operations", 200,
         "{\"data\":[],\"total\":0,\"limit\":0,\"offset\":0,\"errors\":null}"},
        {"GET /api/operations?service=web&spanKind=client", 200,
         "{\"data\":[{\"name\":\"call cart\",\"spanKind\":\"client\"}],\"total\":1,\"limit\":0,"
         "\"offset\":0,\"errors\":null}"},
        {"GET /api/operations?service=db", 200,
         "{\"data\":[{\"name\":\"select\",\"spanKind\":\"\"}],\"total\":1,\"limit\":0,"
         "\"offset\":0,\"errors\":null}"},
        {"GET /api/dependencies", 200,
         "{\"data\":[{\"parent\":\"cart\",\"child\":\"db\",\"callCount\":1},"
         "{\"parent\":\"web\",\"child\":\"cart\",\"callCount\":1}],\"total\":0,\"limit\":0,"
         "\"offset\":0,\"errors\":null}"},
        {"GET /api/dependencies?service=db", 200,
         "{\"data\":[{\"parent\":\"cart\",\"child\":\"db\",\"callCount\":1}],\"total\":0,"
         "\"limit\":0,\"offset\":0,\"errors\":null}"},
        {"GET /api/dependencies?endTs=1600000000000&lookback=1000", 200,
         "{\"data\":[],\"total\":0,\"limit\":0,\"offset\":0,\"errors\":null}"},
    };
    assert_exchanges(*state, exchanges, TK_COUNTOF(exchanges));
}

static void jaeger_refuses_what_is_wrong_with_its_status(void **state)
{
    static const struct exchange exchanges[] = {
        {"GET /api/operations", 400,
         "{\"data\":null,\"total\":0,\"limit\":0,\"offset\":0,\"errors\":[{\"code\":400,"
         "\"msg\":\"parameter 'service' is required\"}]}"},
        {"GET /api/traces", 400,
         "{\"data\":null,\"total\":0,\"limit\":0,\"offset\":0,\"errors\":[{\"code\":400,"
         "\"msg\":\"parameter 'service' is required\"}]}"},
        {"GET /api/traces?service=web&minDuration=2s&maxDuration=1s", 400,
         "{\"data\":null,\"total\":0,\"limit\":0,\"offset\":0,\"errors\":[{\"code\":400,"
         "\"msg\":\"'maxDuration' should be greater than 'minDuration'\"}]}"},
        {"GET /api/traces?service=web&tag=x", 400,
         "{\"data\":null,\"total\":0,\"limit\":0,\"offset\":0,\"errors\":[{\"code\":400,"
         "\"msg\":\"malformed 'tag' parameter, expecting key:value, received: x\"}]}"},
        {"GET /api/traces?service=web&limit=0", 400,
         "{\"data\":null,\"total\":0,\"limit\":0,\"offset\":0,\"errors\":[{\"code\":400,"
         "\"msg\":\"invalid parameter: limit must be 1 to 10000\"}]}"},
        {"GET /api/traces/xyz", 400,
         "{\"data\":null,\"total\":0,\"limit\":0,\"offset\":0,\"errors\":[{\"code\":400,"
         "\"msg\":\"'xyz' is not a trace id: expected up to 32 hexadecimal digits\"}]}"},
        {"GET /api/traces/b0b", 404,
         "{\"data\":null,\"total\":0,\"limit\":0,\"offset\":0,\"errors\":[{\"code\":404,"
         "\"msg\":\"trace not found\"}]}"},
        {"GET /api/traces?traceID=b0b", 200,
         "{\"data\":[],\"total\":0,\"limit\":0,\"offset\":0,\"errors\":[{\"msg\":\"trace not "
         "found\",\"traceID\":\"0000000000000b0b\"}]}"},
        {"POST /api/archive/a1", 501,
         "{\"data\":null,\"total\":0,\"limit\":0,\"offset\":0,\"errors\":[{\"code\":501,"
         "\"msg\":\"archive storage is not configured\"}]}"},
        {"GET /api/metrics/calls", 501,
         "{\"data\":null,\"total\":0,\"limit\":0,\"offset\":0,\"errors\":[{\"code\":501,"
         "\"msg\":\"metrics querying is disabled\"}]}"},
    };
    assert_exchanges(*state, exchanges, TK_COUNTOF(exchanges));
}

/* The trace ids of Jaeger's answer, "a2 a1". */
static void assert_found(struct fixture *fixture, const char *request, const char *expected)
{
    char found[256] = "";
    size_t i;
    json_t *trace;
    json_t *document = ask_json(fixture, request, 200);
    json_array_foreach(json_object_get(document, "data"), i, trace)
    {
        const char *id = json_string_value(json_object_get(trace, "traceID"));
        snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s", i ? " " : "",
                 id + strspn(id, "0"));
    }
    if (strcmp(found, expected) != 0)
        print_error("%s\n", request);
    assert_string_equal(found, expected);
    json_decref(document);
}

static void jaeger_searches_by_what_the_spans_have(void **state)
{
    struct fixture *fixture = *state;
    assert_found(fixture, "GET /api/traces?service=web", "a2 a1");
    assert_found(fixture, "GET /api/traces?service=web&limit=1", "a2");
    assert_found(fixture, "GET /api/traces?service=web&operation=GET /cart", "a1");
    assert_found(fixture, "GET /api/traces?service=cart&minDuration=10ms", "a1");
    assert_found(fixture, "GET /api/traces?service=cart&maxDuration=10ms", "a3");
    assert_found(fixture, "GET /api/traces?service=db&tags={\"db.system\":\"postgresql\"}", "a1");
    assert_found(fixture, "GET /api/traces?service=db&tag=db.system:mysql", "");
    assert_found(fixture, "GET /api/traces?service=db&tags={\"error\":\"true\"}", "a1");
    assert_found(fixture, "GET /api/traces?service=web&tags={\"error\":\"true\"}", "");
    assert_found(fixture, "GET /api/traces?service=web&tag=http.status:200", "a1");
    assert_found(fixture, "GET /api/traces?service=cart&start=1700000060000000", "a3");
    assert_found(fixture, "GET /api/traces?service=cart&end=1700000060000000", "a1");
    assert_found(fixture, "GET /api/traces?service=cart&end=1700000060000000&lookback=30s", "");
    assert_found(fixture, "GET /api/traces?traceID=a1&traceID=00000000000000a3", "a1 a3");
}

static void jaeger_tells_a_trace(void **state)
{
    struct fixture *fixture = *state;
    json_t *document = ask_json(fixture, "GET /api/traces/00000000000000a1?raw=true", 200);
    assert_string_equal(text_at(document, "data.0.traceID"), "00000000000000a1");
    assert_int_equal(json_array_size(json_object_get(
                         json_array_get(json_object_get(document, "data"), 0), "spans")),
                     4);
    assert_string_equal(text_at(document, "data.0.spans.0.startTime"), "1700000000000000");
    assert_string_equal(text_at(document, "data.0.spans.1.references.0.spanID"),
                        "0000000000000001");
    json_decref(document);
}

static void jaeger_transforms_otlp(void **state)
{
    struct fixture *fixture = *state;
    json_error_t error;
    const char *body = ask_with(
        fixture, "POST /api/transform", "",
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":"
        "{\"stringValue\":\"x\"}}]},\"scopeSpans\":[{\"spans\":[{\"traceId\":"
        "\"4bf92f3577b34da6a3ce929d0e0e4736\",\"spanId\":\"00f067aa0ba902b7\",\"name\":\"op\","
        "\"startTimeUnixNano\":\"1000000\",\"endTimeUnixNano\":\"3000000\"}]}]}]}");
    json_t *document = json_loads(body, 0, &error);
    assert_int_equal(fixture->answer.status, 200);
    assert_string_equal(text_at(document, "data.0.traceID"), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_string_equal(text_at(document, "data.0.spans.0.duration"), "2000");
    json_decref(document);
    (void)ask_with(fixture, "POST /api/transform", "", "{\"resourceSpans\":[");
    assert_int_equal(fixture->answer.status, 400);
}

/* Version 3 --------------------------------------------------------------------------- */

#define WINDOW "query.startTimeMin=2023-11-14T22:13:20Z&query.startTimeMax=2023-11-14T23:13:20Z"

static void v3_lists_services_and_operations(void **state)
{
    static const struct exchange exchanges[] = {
        {"GET /api/v3/services", 200, "{\"services\":[\"cart\",\"db\",\"web\"]}"},
        {"GET /api/v3/operations?service=db", 200,
         "{\"operations\":[{\"name\":\"select\",\"spanKind\":\"internal\"}]}"},
        {"GET /api/v3/operations?service=web&span_kind=client", 200,
         "{\"operations\":[{\"name\":\"call cart\",\"spanKind\":\"client\"}]}"},
    };
    assert_exchanges(*state, exchanges, TK_COUNTOF(exchanges));
}

/* An operation of two services, in one of them with its kind and without. */
static const struct made_span selects[] = {
    {.service = "db",
     .name = "select",
     .id = 0x7,
     .start_ns = T0,
     .kind = TK_SPAN_INTERNAL,
     .trace = 0xa4},
    {.service = "cart",
     .name = "select",
     .id = 0x8,
     .start_ns = T0,
     .kind = TK_SPAN_CLIENT,
     .trace = 0xa4},
    {.service = "web",
     .name = "select",
     .id = 0x9,
     .start_ns = T0,
     .kind = TK_SPAN_CLIENT,
     .trace = 0xa4},
};

static void v3_lists_an_operation_and_its_kind_once(void **state)
{
    struct fixture *fixture = *state;
    static const struct exchange exchanges[] = {
        {"GET /api/v3/operations?service=db", 200,
         "{\"operations\":[{\"name\":\"select\",\"spanKind\":\"internal\"}]}"},
        {"GET /api/v3/operations?spanKind=client", 200,
         "{\"operations\":[{\"name\":\"call cart\",\"spanKind\":\"client\"},"
         "{\"name\":\"select\",\"spanKind\":\"client\"}]}"},
        {"GET /api/v3/operations", 200,
         "{\"operations\":[{\"name\":\"GET /\",\"spanKind\":\"server\"},"
         "{\"name\":\"GET /cart\",\"spanKind\":\"server\"},"
         "{\"name\":\"Get\",\"spanKind\":\"server\"},"
         "{\"name\":\"call cart\",\"spanKind\":\"client\"},"
         "{\"name\":\"select\",\"spanKind\":\"client\"},"
         "{\"name\":\"select\",\"spanKind\":\"internal\"}]}"},
        {"GET /api/v3/operations?service=nobody", 200, "{\"operations\":[]}"},
    };
    struct tk_err err;
    store(fixture, selects, TK_COUNTOF(selects));
    assert_int_equal(tk_segment_set_refresh(fixture->ctx.set, &err), 0);
    assert_exchanges(*state, exchanges, TK_COUNTOF(exchanges));
}

static void v3_sums_traces_up(void **state)
{
    static const struct exchange exchanges[] = {
        {"GET /api/v3/trace-summaries?query.serviceName=db&" WINDOW, 200,
         "{\"summaries\":[{\"traceId\":\"000000000000000000000000000000a1\","
         "\"rootServiceName\":\"web\",\"rootOperationName\":\"GET /cart\","
         "\"minStartTimeUnixNano\":\"1700000000000000000\","
         "\"maxEndTimeUnixNano\":\"1700000000100000000\",\"spanCount\":4,\"errorSpanCount\":1,"
         "\"services\":[{\"name\":\"web\",\"spanCount\":2},{\"name\":\"cart\",\"spanCount\":1},"
         "{\"name\":\"db\",\"spanCount\":1,\"errorSpanCount\":1}]}]}"},
        {"GET /api/v3/trace-summaries?query.service_name=cart&query.duration_max=10ms&"
         "query.start_time_min=2023-11-14T22:13:20Z&query.start_time_max=2023-11-14T23:13:20Z",
         200,
         "{\"summaries\":[{\"traceId\":\"000000000000000000000000000000a3\","
         "\"rootServiceName\":\"cart\",\"rootOperationName\":\"Get\","
         "\"minStartTimeUnixNano\":\"1700000120000000000\","
         "\"maxEndTimeUnixNano\":\"1700000120007000000\",\"spanCount\":1,\"orphanSpanCount\":1,"
         "\"services\":[{\"name\":\"cart\",\"spanCount\":1}]}]}"},
        {"GET /api/v3/trace-summaries?query.serviceName=nobody&" WINDOW, 200, "{\"summaries\":[]}"},
        {"GET /api/v3/trace-summaries?query.serviceName=cart&query.span_name=Put&" WINDOW, 200,
         "{\"summaries\":[]}"},
        {"GET /api/v3/trace-summaries", 400,
         "{\"error\":{\"httpCode\":400,\"message\":\"query.startTimeMin and query.startTimeMax are "
         "required\"}}"},
        {"GET /api/v3/traces?query.serviceName=nobody&" WINDOW, 404,
         "{\"error\":{\"httpCode\":404,\"message\":\"No traces found\"}}"},
        {"GET /api/v3/traces?query.filter={}&" WINDOW, 400,
         "{\"error\":{\"httpCode\":400,\"message\":\"query.filter is not supported\"}}"},
        {"GET /api/v3/traces/b0b", 404,
         "{\"error\":{\"httpCode\":404,\"message\":\"trace not found\"}}"},
    };
    assert_exchanges(*state, exchanges, TK_COUNTOF(exchanges));
}

static size_t count_spans(json_t *resource_spans)
{
    size_t count = 0;
    size_t i;
    size_t k;
    json_t *resource;
    json_t *scope;
    json_array_foreach(resource_spans, i, resource)
        json_array_foreach(json_object_get(resource, "scopeSpans"), k, scope) count +=
        json_array_size(json_object_get(scope, "spans"));
    return count;
}

static void v3_answers_all_traces_as_one_list_of_otlp(void **state)
{
    json_t *document = ask_json(*state, "GET /api/v3/traces?query.searchDepth=2&" WINDOW, 200);
    json_t *list = json_object_get(json_object_get(document, "result"), "resourceSpans");
    assert_int_equal(count_spans(list), 2); /* the two latest of three */
    json_decref(document);
    document = ask_json(*state, "GET /api/v3/traces?query.num_traces=3&" WINDOW, 200);
    list = json_object_get(json_object_get(document, "result"), "resourceSpans");
    assert_int_equal(count_spans(list), TK_COUNTOF(shop));
    json_decref(document);
    document = ask_json(*state, "GET /api/v3/traces/a1?rawTraces=true", 200);
    list = json_object_get(json_object_get(document, "result"), "resourceSpans");
    assert_int_equal(count_spans(list), 4);
    json_decref(document);
}

/* Zipkin ------------------------------------------------------------------------------ */

static void zipkin_lists_names_and_calls(void **state)
{
    static const struct exchange exchanges[] = {
        {"GET /api/v2/services", 200, "[\"cart\",\"db\",\"web\"]"},
        {"GET /api/v2/spans?serviceName=web", 200, "[\"GET /\",\"GET /cart\",\"call cart\"]"},
        {"GET /api/v2/spans", 400, "serviceName is required"},
        {"GET /api/v2/dependencies?endTs=1700003600000&lookback=86400000", 200,
         "[{\"parent\":\"cart\",\"child\":\"db\",\"callCount\":1,\"errorCount\":1},"
         "{\"parent\":\"web\",\"child\":\"cart\",\"callCount\":1}]"},
        {"GET /api/v2/trace/b0b", 404, "b0b not found"},
        {"GET /api/v2/traceMany?traceIds=a1", 400,
         "traceIds: expected at least two, separated by commas"},
        {"GET /api/v2/traces?limit=x", 400, "unable to parse param 'limit': 'x' is not a number"},
    };
    assert_exchanges(*state, exchanges, TK_COUNTOF(exchanges));
}

static void assert_zipkin(struct fixture *fixture, const char *request, size_t traces)
{
    json_t *document = ask_json(fixture, request, 200);
    if (json_array_size(document) != traces)
        print_error("%s\n", request);
    assert_int_equal(json_array_size(document), traces);
    json_decref(document);
}

static void zipkin_searches(void **state)
{
    struct fixture *fixture = *state;
    assert_zipkin(fixture, "GET /api/v2/traces", 3);
    assert_zipkin(fixture, "GET /api/v2/traces?serviceName=web&spanName=all", 2);
    assert_zipkin(fixture, "GET /api/v2/traces?serviceName=web&spanName=GET /cart", 1);
    assert_zipkin(fixture, "GET /api/v2/traces?annotationQuery=error", 1);
    assert_zipkin(fixture, "GET /api/v2/traces?annotationQuery=error and db.system=postgresql", 1);
    assert_zipkin(fixture, "GET /api/v2/traces?annotationQuery=error and http.status", 0);
    assert_zipkin(fixture, "GET /api/v2/traces?minDuration=90000", 1);
    assert_zipkin(fixture, "GET /api/v2/traces?endTs=1700000030000&lookback=60000", 1);
    assert_zipkin(fixture, "GET /api/v2/traces?limit=2", 2);
    assert_zipkin(fixture, "GET /api/v2/trace/00000000000000a1", 4);
    assert_zipkin(fixture, "GET /api/v2/traceMany?traceIds=a1,a3", 2);
}

/* Tempo ------------------------------------------------------------------------------- */

/* The traces that TraceQL finds, by the last digit of their ids, the latest first; or what is wrong
 * with it. */
static void traceql_finds_what_it_says(void **state)
{
    static const struct {
        const char *query, *found;
    } cases[] = {
        {"{}", "321"},
        {"{true}", "321"},
        {"{name=\"Get\"}", "31"},
        {"{name!=\"Get\"}", "21"},
        {"{name=\"select\" || name=\"GET /\"}", "21"},
        {"{name=\"Get\" && name=\"select\"}", ""},
        {"{name=~\"GET\"}", ""}, /* patterns describe all of it */
        {"{name=~\"GET.*\"}", "21"},
        {"{name=~\"GET|Get\"}", "31"},
        {"{name!~\"G.*|call.*\"}", "1"},
        {"{resource.service.name=~\"db|cart\"}", "31"},
        {"{resource.service.name=\"web\" && (name=\"GET /\" || duration>90ms)}", "21"},
        {"{(resource.service.name=\"web\" || resource.service.name=\"cart\") && duration<8ms}",
         "32"},
        {"{status=error || kind=client && duration>1s || (((name=\"GET /\")))}", "21"},
        {"{span.db.system=~\"post.*\"}", "1"},
        {"{span.db.system!~\"post.*\"}", ""},
        {"{span.db.system!~\"my.*\" || status=ok}", "1"},
        {"{span.http.status=~\"2[0-9]+\"}", "1"},
        {"{nestedSetParent<0}", "21"},
        {"{nestedSetParent<0 && true && span.http.status>=200}", "1"},
        {"{duration>5s && duration<1s}", ""},
        {"{name=~`\\w+ /cart`}", "1"},
        {"nonsense", "TraceQL, byte 0: expected '{'"},
        {"{(name=\"a\"}", "TraceQL, byte 10: expected ')'"},
        {"{name=\"a\" name=\"b\"}", "TraceQL, byte 10: expected &&, || or '}'"},
        {"{name>\"a\"}", "TraceQL, byte 9: here only =, !=, =~ and !~ are supported"},
        {"{name=~\"a{2}\"}", "TraceQL, byte 13: counts {n} in patterns are not supported"},
        {"{name=~`\\d+`}", "TraceQL, byte 12: in patterns of the backslashes only \\w \\W \\s \\S "
                           "\\b \\B are supported"},
        {"{name=~\"(?i)a\"}", "TraceQL, byte 14: groups (?...) in patterns are not supported"},
        {"{name=~`[\\w]`}",
         "TraceQL, byte 13: sets [...] that do not end, or hold a backslash, are not supported"},
        {"{name=~\"(\"}", "TraceQL, byte 10: the value before is no pattern"},
        {"{} | rate()", "TraceQL, byte 3: only one set of spans is supported, without a pipeline"},
        {"{nestedSetParent>0}", "TraceQL, byte 18: here only < 0 is supported"},
        {"{(name=\"a\"||name=\"b\"||name=\"c\")&&(name=\"a\"||name=\"b\"||name=\"c\")&&"
         "(name=\"a\"||name=\"b\"||name=\"c\")&&(name=\"a\"||name=\"b\"||name=\"c\")}",
         "TraceQL, byte 127: more alternatives than are supported"},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        char found[64] = "";
        const char *body = ask_traceql(fixture, cases[i].query);
        size_t n = 0;
        for (const char *at = body; (at = strstr(at, "{\"traceID\":\"")); at++)
            found[n++] = at[strlen("{\"traceID\":\"") + 31];
        found[n] = '\0';
        const char *got = fixture->answer.status == 200 ? found : body;
        if (strcmp(got, cases[i].found) != 0)
            print_error("%s\n", cases[i].query);
        assert_string_equal(got, cases[i].found);
        assert_true(fixture->answer.status == 200 || fixture->answer.status == 400);
    }
}

static void tempo_searches_with_traceql_and_tags(void **state)
{
    static const struct exchange exchanges[] = {
        {"GET /api/search?q={status=error}", 200,
         "{\"traces\":[{\"traceID\":\"000000000000000000000000000000a1\","
         "\"rootServiceName\":\"web\",\"rootTraceName\":\"GET /cart\","
         "\"startTimeUnixNano\":\"1700000000000000000\",\"durationMs\":100,\"spanSets\":[{"
         "\"spans\":[{\"spanID\":\"0000000000000004\",\"name\":\"select\","
         "\"startTimeUnixNano\":\"1700000000030000000\",\"durationNanos\":\"5000000\","
         "\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"db\"}}]}],"
         "\"matched\":1}]}],\"metrics\":{\"totalBlocks\":1}}"},
        {"GET /api/search?tags=service.name=nobody", 200,
         "{\"traces\":[],\"metrics\":{\"totalBlocks\":1}}"},
        {"GET /api/search?q=nonsense", 400, "TraceQL, byte 0: expected '{'"},
        {"GET /api/search?tags=nonsense", 400, "tags: 'nonsense' is not KEY=VALUE"},
        {"GET /api/echo", 200, "echo"},
        {"GET /api/search/tags", 200,
         "{\"tagNames\":[\"http.status\",\"service.name\",\"host.name\",\"db.system\"]}"},
        {"GET /api/v2/search/tags", 200,
         "{\"scopes\":[{\"name\":\"resource\",\"tags\":[\"service.name\",\"host.name\"]},"
         "{\"name\":\"span\",\"tags\":[\"http.status\",\"db.system\"]},"
         "{\"name\":\"intrinsic\",\"tags\":[\"duration\",\"kind\",\"name\",\"status\"]}]}"},
        {"GET /api/search/tag/db.system/values", 200, "{\"tagValues\":[\"postgresql\"]}"},
        {"GET /api/v2/search/tag/span.http.status/values", 200,
         "{\"tagValues\":[{\"type\":\"int\",\"value\":\"200\"}]}"},
        {"GET /api/v2/search/tag/resource.service.name/values", 200,
         "{\"tagValues\":[{\"type\":\"string\",\"value\":\"web\"},{\"type\":\"string\",\"value\":"
         "\"cart\"},{\"type\":\"string\",\"value\":\"db\"}]}"},
        {"GET /api/v2/search/tag/status/values", 200,
         "{\"tagValues\":[{\"type\":\"keyword\",\"value\":\"error\"},{\"type\":\"keyword\","
         "\"value\":\"ok\"},{\"type\":\"keyword\",\"value\":\"unset\"}]}"},
        {"GET /api/v2/traces/b0b", 404, "trace not found"},
    };
    assert_exchanges(*state, exchanges, TK_COUNTOF(exchanges));
}

static void tempo_durations_are_those_of_traces(void **state)
{
    json_t *document = ask_json(*state, "GET /api/search?minDuration=90ms", 200);
    assert_int_equal(json_array_size(json_object_get(document, "traces")), 1);
    json_decref(document);
    document = ask_json(*state, "GET /api/search?maxDuration=90ms&limit=1", 200);
    assert_int_equal(json_array_size(json_object_get(document, "traces")), 1);
    json_decref(document);
    document = ask_json(*state, "GET /api/search?tags=service.name=cart host.name=\"b\"", 200);
    assert_int_equal(json_array_size(json_object_get(document, "traces")), 2);
    json_decref(document);
}

static void tempo_answers_a_trace_in_protobuf_too(void **state)
{
    struct fixture *fixture = *state;
    struct tk_err err;
    struct tk_span_tally tally = {0};
    struct tk_span_batch *batch;
    struct tk_otlp_reader *reader;
    assert_int_equal(tk_span_batch_new(100, &batch, &err), 0);
    assert_int_equal(tk_otlp_reader_new(batch, &reader, &err), 0);

    (void)ask_with(fixture, "GET /api/traces/a1", "application/protobuf", "");
    assert_string_equal(fixture->answer.content_type, "application/protobuf");
    assert_int_equal(tk_otlp_decode(reader, tk_buf_str(&fixture->answer.body), &tally, &err), 0);
    assert_int_equal(batch->rows, 4);

    /* In version 2 the same message is the first field of another. */
    (void)ask_with(fixture, "GET /api/v2/traces/a1", "application/protobuf", "");
    tk_str body = tk_buf_str(&fixture->answer.body);
    assert_int_equal(body.p[0], 0x0A);
    size_t skip = 1;
    while (body.p[skip++] & 0x80)
        continue;
    body = (tk_str){body.p + skip, body.n - skip};
    assert_int_equal(tk_otlp_decode(reader, body, &tally, &err), 0);
    assert_int_equal(batch->rows, 8);
    tk_otlp_reader_free(reader);
    tk_span_batch_free(batch);

    json_t *document = ask_json(fixture, "GET /api/v2/traces/a1", 200);
    json_t *list = json_object_get(json_object_get(document, "trace"), "resourceSpans");
    assert_int_equal(count_spans(list), 4);
    json_decref(document);
}

/* Bounds ------------------------------------------------------------------------------ */

static void a_trace_that_does_not_fit_is_told_and_nothing_of_it_is_sent(void **state)
{
    struct fixture *fixture = *state;
    struct tk_err err;
    tk_span_batch_free(fixture->ctx.batch);
    assert_int_equal(tk_span_batch_new(2, &fixture->ctx.batch, &err), 0);
    (void)ask(fixture, "GET /api/traces/a1");
    assert_int_equal(fixture->answer.status, 413);
    json_t *document = ask_json(fixture, "GET /api/traces?service=web", 200);
    assert_int_equal(json_array_size(json_object_get(document, "data")), 1);
    assert_string_equal(text_at(document, "errors.0.msg"),
                        "the trace has too many spans for one answer");
    assert_string_equal(text_at(document, "errors.0.traceID"), "00000000000000a1");
    json_decref(document);

    tk_buf_release(&fixture->answer.body);
    tk_buf_init(&fixture->answer.body, 900); /* room for the first trace only */
    document = ask_json(fixture, "GET /api/traces?service=web&operation=GET /", 200);
    assert_int_equal(json_array_size(json_object_get(document, "data")), 1);
    json_decref(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(jaeger_lists_services_operations_and_calls, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(jaeger_refuses_what_is_wrong_with_its_status, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(jaeger_searches_by_what_the_spans_have, setup, teardown),
        cmocka_unit_test_setup_teardown(jaeger_tells_a_trace, setup, teardown),
        cmocka_unit_test_setup_teardown(jaeger_transforms_otlp, setup, teardown),
        cmocka_unit_test_setup_teardown(v3_lists_services_and_operations, setup, teardown),
        cmocka_unit_test_setup_teardown(v3_lists_an_operation_and_its_kind_once, setup, teardown),
        cmocka_unit_test_setup_teardown(v3_sums_traces_up, setup, teardown),
        cmocka_unit_test_setup_teardown(v3_answers_all_traces_as_one_list_of_otlp, setup, teardown),
        cmocka_unit_test_setup_teardown(zipkin_lists_names_and_calls, setup, teardown),
        cmocka_unit_test_setup_teardown(zipkin_searches, setup, teardown),
        cmocka_unit_test_setup_teardown(traceql_finds_what_it_says, setup, teardown),
        cmocka_unit_test_setup_teardown(tempo_searches_with_traceql_and_tags, setup, teardown),
        cmocka_unit_test_setup_teardown(tempo_durations_are_those_of_traces, setup, teardown),
        cmocka_unit_test_setup_teardown(tempo_answers_a_trace_in_protobuf_too, setup, teardown),
        cmocka_unit_test_setup_teardown(a_trace_that_does_not_fit_is_told_and_nothing_of_it_is_sent,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
