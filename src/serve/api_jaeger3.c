/* SPDX-License-Identifier: Apache-2.0 */
/* Version 3 of Jaeger's query API: OTLP in JSON (trace-protocols.md section 7.2). Parameters have
 * the names of proto3 JSON, and those with underscores that came before. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/number.h"
#include "serve/api.h"
#include "span/otlp.h"
#include "span/span_format.h"
#include "span/trace_summary.h"

#define DEFAULT_DEPTH 100

static int finish(struct tk_answer *answer, int rc, const struct tk_err *err)
{
    if (rc >= 0)
        return 0;
    tk_api_begin(answer, tk_api_status(rc));
    tk_buf_printf(&answer->body, "{\"error\":{\"httpCode\":%d,\"message\":", answer->status);
    tk_json_put_str(&answer->body, tk_str_from(err->msg));
    tk_buf_lit(&answer->body, "}}");
    return 0;
}

/* Services and operations ------------------------------------------------------------- */

static int handle_services(struct tk_query_ctx *ctx, const struct tk_request *request,
                           tk_str segment, struct tk_answer *answer, struct tk_err *err)
{
    size_t n;
    const tk_str *names;
    (void)request;
    (void)segment;
    int rc = tk_api_services(ctx, &names, &n, err);
    if (rc < 0)
        return finish(answer, rc, err);
    tk_api_begin(answer, 200);
    tk_buf_lit(&answer->body, "{\"services\":");
    tk_api_put_names(&answer->body, names, n);
    tk_buf_putc(&answer->body, '}');
    return 0;
}

/* A span without a kind is an internal one. */
static const char *kind_of(uint32_t kind)
{
    return tk_api_kind(kind == TK_SPAN_UNSPECIFIED ? TK_SPAN_INTERNAL : kind);
}

static int by_name_and_kind(const void *a, const void *b)
{
    const struct tk_span_operation *x = a;
    const struct tk_span_operation *y = b;
    int order = tk_str_cmp(x->name, y->name);
    return order != 0 ? order : strcmp(kind_of(x->kind), kind_of(y->kind));
}

/* Put the operations that have the kind (n == 0 = any), sorted, each once: several services may
 * have one, and a span without a kind is as an internal one. */
static void put_operations(struct tk_buf *out, struct tk_span_operation *items, size_t n,
                           tk_str kind)
{
    qsort(items, n, sizeof(*items), by_name_and_kind);
    for (size_t i = 0; i < n; i++) {
        const char *own = kind_of(items[i].kind);
        bool is_known = i > 0 && by_name_and_kind(&items[i], &items[i - 1]) == 0;
        if (is_known || (kind.n > 0 && !tk_str_eq(kind, tk_str_from(own))))
            continue;
        tk_json_put_comma(out);
        tk_buf_lit(out, "{\"name\":");
        tk_json_put_str(out, items[i].name);
        tk_buf_printf(out, ",\"spanKind\":\"%s\"}", own);
    }
}

static int handle_operations(struct tk_query_ctx *ctx, const struct tk_request *request,
                             tk_str segment, struct tk_answer *answer, struct tk_err *err)
{
    size_t n;
    tk_str service = {NULL, 0};
    tk_str kind = {NULL, 0};
    const struct tk_span_operation *items;
    (void)segment;
    (void)tk_api_param(request, "service", NULL, &service);
    (void)tk_api_param(request, "spanKind", "span_kind", &kind);
    int rc = tk_segment_set_operations(ctx->set, service, &items, &n, err);
    if (rc < 0)
        return finish(answer, rc, err);
    struct tk_span_operation *own = malloc((n + 1) * sizeof(*own)); /* the set's are not ours */
    if (!own)
        return finish(answer, tk_fail(err, -ENOMEM, "operations: out of memory"), err);
    if (n > 0)
        memcpy(own, items, n * sizeof(*own));
    tk_api_begin(answer, 200);
    tk_buf_lit(&answer->body, "{\"operations\":[");
    put_operations(&answer->body, own, n, kind);
    tk_buf_lit(&answer->body, "]}");
    free(own);
    return 0;
}

/* Searches ---------------------------------------------------------------------------- */

static int read_window(const struct tk_request *request, struct tk_span_query *query,
                       struct tk_err *err)
{
    int64_t from_ns = -1;
    int64_t to_ns = -1;
    int rc =
        tk_api_param_time(request, "query.startTimeMin", "query.start_time_min", &from_ns, err);
    rc = rc < 0 ? rc
                : tk_api_param_time(request, "query.startTimeMax", "query.start_time_max", &to_ns,
                                    err);
    if (rc < 0)
        return rc;
    if (from_ns < 0 || to_ns < 0)
        return tk_fail(err, -EINVAL, "query.startTimeMin and query.startTimeMax are required");
    query->from_ns = from_ns;
    query->to_ns = to_ns;
    return 0;
}

static int read_depth(const struct tk_request *request, int64_t *ret, struct tk_err *err)
{
    static const char *const names[] = {"query.num_traces", "query.search_depth",
                                        "query.searchDepth"}; /* the last counts */
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < TK_COUNTOF(names); i++)
        rc = tk_api_param_i64(request, names[i], ret, err);
    return rc;
}

static int read_search(struct tk_query_ctx *ctx, const struct tk_request *request,
                       struct tk_api_search *search, struct tk_err *err)
{
    bool raw; /* nothing is adjusted anyway */
    tk_str text;
    struct tk_span_query *query = &search->query;
    search->limit = DEFAULT_DEPTH;
    (void)tk_api_param(request, "query.serviceName", "query.service_name", &query->service);
    /* Jaeger's page of early 2026 says span_name. */
    if (!tk_api_param(request, "query.operationName", "query.operation_name", &query->name))
        (void)tk_api_param(request, "query.spanName", "query.span_name", &query->name);
    if (tk_api_param(request, "query.filter", NULL, &text))
        return tk_fail(err, -EINVAL, "query.filter is not supported");
    int rc = read_window(request, query, err);
    rc = rc < 0 ? rc : read_depth(request, &search->limit, err);
    rc = rc < 0 ? rc
                : tk_api_param_duration(request, "query.durationMin", "query.duration_min",
                                        &query->min_duration_ns, err);
    rc = rc < 0 ? rc
                : tk_api_param_duration(request, "query.durationMax", "query.duration_max",
                                        &query->max_duration_ns, err);
    rc = rc < 0 ? rc : tk_api_param_bool(request, "query.rawTraces", "query.raw_traces", &raw, err);
    if (rc == 0 && tk_api_param(request, "query.attributes", NULL, &text))
        rc = tk_api_search_add_json(search, "query.attributes", text, ctx->scratch, err);
    return rc < 0 ? rc
                  : tk_api_search_check(search, "query.searchDepth", "query.durationMin",
                                        "query.durationMax", err);
}

/* Summaries --------------------------------------------------------------------------- */

static void put_text(struct tk_buf *out, const char *key, tk_str value)
{
    if (value.n == 0)
        return;
    tk_json_put_key(out, key);
    tk_json_put_str(out, value);
}

/* Zero is left out, as proto3 does. */
static void put_count(struct tk_buf *out, const char *key, uint32_t count)
{
    if (count == 0)
        return;
    tk_json_put_key(out, key);
    tk_buf_put_u64(out, count);
}

static void put_time(struct tk_buf *out, const char *key, int64_t ns)
{
    tk_json_put_key(out, key);
    tk_buf_putc(out, '"');
    tk_buf_put_i64(out, ns);
    tk_buf_putc(out, '"');
}

/* Its page takes no service without a name. */
static tk_str name_of_service(tk_str service)
{
    return service.n > 0 ? service : TK_STR(TK_JAEGER_NO_SERVICE);
}

static void put_services(const struct tk_span_batch *batch, const struct tk_trace_summary *summary,
                         struct tk_buf *out)
{
    tk_json_put_key(out, "services");
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < summary->service_count; i++) {
        const struct tk_trace_service *service = &summary->services[i];
        tk_json_put_comma(out);
        tk_buf_putc(out, '{');
        put_text(out, "name", name_of_service(tk_texts_get(&batch->texts, service->service)));
        put_count(out, "spanCount", service->spans);
        put_count(out, "errorSpanCount", service->errors);
        tk_buf_putc(out, '}');
    }
    tk_buf_putc(out, ']');
}

static int put_summary(void *user, const uint8_t id[16], const struct tk_span_rows *rows,
                       struct tk_buf *out, struct tk_err *err)
{
    struct tk_query_ctx *ctx = user;
    const struct tk_span_batch *batch = rows->batch;
    struct tk_trace_summary summary;
    struct tk_arena memory = *ctx->scratch; /* given back with it */
    int rc = tk_trace_summary_read(rows, &memory, &summary, err);
    if (rc < 0)
        return rc;
    tk_buf_lit(out, "{\"traceId\":\"");
    tk_api_put_trace_id(out, id, false);
    tk_buf_putc(out, '"');
    put_text(out, "rootServiceName", name_of_service(tk_span_service(batch, summary.root)));
    put_text(out, "rootOperationName", tk_span_name(batch, summary.root));
    put_time(out, "minStartTimeUnixNano", summary.start_ns);
    put_time(out, "maxEndTimeUnixNano", summary.end_ns);
    put_count(out, "spanCount", summary.spans);
    put_count(out, "errorSpanCount", summary.errors);
    put_count(out, "orphanSpanCount", summary.orphans);
    put_services(batch, &summary, out);
    tk_buf_putc(out, '}');
    return 0;
}

static int handle_summaries(struct tk_query_ctx *ctx, const struct tk_request *request,
                            tk_str segment, struct tk_answer *answer, struct tk_err *err)
{
    struct tk_api_search search = {0};
    struct tk_api_traces traces = {
        .put = put_summary, .user = ctx, .out = &answer->body, .separator = ","};
    (void)segment;
    int rc = read_search(ctx, request, &search, err);
    if (rc < 0)
        return finish(answer, rc, err);
    tk_api_begin(answer, 200);
    tk_buf_lit(&answer->body, "{\"summaries\":[");
    rc = tk_api_put_found(ctx, &search, &traces, err);
    tk_buf_lit(&answer->body, "]}");
    return finish(answer, rc, err);
}

/* Traces ------------------------------------------------------------------------------ */

/* What stands around the ResourceSpans of one message: those of all traces make one. */
#define BEFORE "{\"resourceSpans\":["
#define AFTER  "]}"

static int put_otlp(void *user, const uint8_t id[16], const struct tk_span_rows *rows,
                    struct tk_buf *out, struct tk_err *err)
{
    struct tk_buf *message = user;
    (void)id;
    tk_buf_reset(message);
    tk_otlp_encode_json(rows, message);
    tk_str text = tk_buf_str(message);
    if (!tk_buf_ok(message)) {
        out->failure = message->failure; /* as if it had not fit there */
        return 0;
    }
    if (!tk_str_take_prefix(&text, TK_STR(BEFORE)) || !tk_str_ends_with(text, TK_STR(AFTER)))
        return tk_fail(err, -EIO, "a trace is no list of resourceSpans");
    text.n -= sizeof(AFTER) - 1;
    tk_buf_put(out, text);
    return 0;
}

/* Put the traces that were found by `put`, or say why there are none. */
static int answer_traces(struct tk_query_ctx *ctx, const struct tk_api_search *search,
                         const uint8_t (*ids)[16], struct tk_answer *answer, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf message;
    tk_buf_init(&message, answer->body.max);
    struct tk_api_traces traces = {
        .put = put_otlp, .user = &message, .out = &answer->body, .separator = ","};
    tk_api_begin(answer, 200);
    tk_buf_lit(&answer->body, "{\"result\":" BEFORE);
    int rc = ids ? tk_api_put_traces(ctx, ids, 1, &traces, err)
                 : tk_api_put_found(ctx, search, &traces, err);
    if (rc == 0 && traces.put_count == 0 && traces.too_large > 0) {
        rc = tk_fail(err, -EMSGSIZE, "the trace is too large for one answer");
    } else if (rc == 0 && traces.put_count == 0) {
        rc = tk_fail(err, -ENOENT, ids ? "trace not found" : "No traces found");
    }
    tk_buf_lit(&answer->body, AFTER "}");
    return finish(answer, rc, err);
}

static int handle_traces(struct tk_query_ctx *ctx, const struct tk_request *request, tk_str segment,
                         struct tk_answer *answer, struct tk_err *err)
{
    struct tk_api_search search = {0};
    (void)segment;
    int rc = read_search(ctx, request, &search, err);
    return rc < 0 ? finish(answer, rc, err) : answer_traces(ctx, &search, NULL, answer, err);
}

static int handle_trace(struct tk_query_ctx *ctx, const struct tk_request *request, tk_str segment,
                        struct tk_answer *answer, struct tk_err *err)
{
    bool raw; /* nothing is adjusted anyway */
    int64_t bound_ns;
    uint8_t ids[1][16];
    int rc = tk_api_trace_id(segment, ids[0], err);
    if (rc < 0)
        return finish(answer, tk_err_prefix(err, "malformed parameter trace_id"), err);
    rc = tk_api_param_time(request, "startTime", "start_time", &bound_ns, err);
    rc = rc < 0 ? rc : tk_api_param_time(request, "endTime", "end_time", &bound_ns, err);
    rc = rc < 0 ? rc : tk_api_param_bool(request, "rawTraces", "raw_traces", &raw, err);
    if (rc < 0)
        return finish(answer, rc, err);
    return answer_traces(ctx, NULL, (const uint8_t(*)[16])ids, answer, err);
}

const struct tk_route tk_routes_jaeger3[] = {
    {"GET", "/api/v3/services", "services (Jaeger v3)", handle_services},
    {"GET", "/api/v3/operations", "operations: service, spanKind (Jaeger v3)", handle_operations},
    {"GET", "/api/v3/trace-summaries", "search, a line a trace: query.* (Jaeger v3)",
     handle_summaries},
    {"GET", "/api/v3/traces", "search, as OTLP/JSON: query.* (Jaeger v3)", handle_traces},
    {"GET", "/api/v3/traces/{}", "one trace as OTLP/JSON (Jaeger v3)", handle_trace},
    {0},
};
