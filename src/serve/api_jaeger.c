/* SPDX-License-Identifier: Apache-2.0 */
/* The legacy query API of Jaeger, as its UI and Grafana speak it (trace-protocols.md section 7.1).
 * Where Jaeger asks its storage for the last two days when no start is given, all is asked for
 * here: a run may be old. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/number.h"
#include "serve/api.h"
#include "span/otlp.h"
#include "span/span_format.h"
#include "span/trace_order.h"
#include "span/trace_summary.h"
#include "span/writing.h"

#define DEFAULT_LIMIT       100
#define DEFAULT_LOOKBACK_NS (24 * 3600LL * TK_NS_PER_S)
#define IDS_MAX             1000

/* Envelope ---------------------------------------------------------------------------- */

static void begin(struct tk_answer *answer)
{
    tk_api_begin(answer, 200);
    tk_buf_lit(&answer->body, "{\"data\":");
}

static void end(struct tk_answer *answer, size_t total)
{
    tk_buf_printf(&answer->body, ",\"total\":%zu,\"limit\":0,\"offset\":0,\"errors\":null}", total);
}

static void put_error(struct tk_answer *answer, int status, tk_str message, const uint8_t *trace_id)
{
    struct tk_buf *out = &answer->body;
    tk_buf_lit(out, ",\"total\":0,\"limit\":0,\"offset\":0,\"errors\":[{");
    if (status != 0)
        tk_buf_printf(out, "\"code\":%d,", status);
    tk_buf_lit(out, "\"msg\":");
    tk_json_put_str(out, message);
    if (trace_id) {
        tk_buf_lit(out, ",\"traceID\":\"");
        tk_api_put_trace_id(out, trace_id, true);
        tk_buf_putc(out, '"');
    }
    tk_buf_lit(out, "}]}");
}

/* Turn a failure into an answer. */
static int finish(struct tk_answer *answer, int rc, const struct tk_err *err)
{
    if (rc >= 0)
        return 0;
    tk_api_begin(answer, tk_api_status(rc));
    tk_buf_lit(&answer->body, "{\"data\":null");
    put_error(answer, answer->status, tk_str_from(err->msg), NULL);
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
    begin(answer);
    tk_api_put_names(&answer->body, names, n);
    end(answer, n);
    return 0;
}

/* Names of the operations of a service, each once. */
static int handle_service_operations(struct tk_query_ctx *ctx, const struct tk_request *request,
                                     tk_str segment, struct tk_answer *answer, struct tk_err *err)
{
    size_t n;
    size_t total = 0;
    const struct tk_span_operation *items;
    (void)request;
    int rc = tk_segment_set_operations(ctx->set, segment, &items, &n, err);
    if (rc < 0)
        return finish(answer, rc, err);
    begin(answer);
    tk_buf_putc(&answer->body, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && tk_str_eq(items[i].name, items[i - 1].name))
            continue;
        tk_json_put_comma(&answer->body);
        tk_json_put_str(&answer->body, items[i].name);
        total++;
    }
    tk_buf_putc(&answer->body, ']');
    end(answer, total);
    return 0;
}

static int handle_operations(struct tk_query_ctx *ctx, const struct tk_request *request,
                             tk_str segment, struct tk_answer *answer, struct tk_err *err)
{
    size_t n;
    size_t total = 0;
    tk_str service;
    tk_str kind = {NULL, 0};
    const struct tk_span_operation *items;
    (void)segment;
    if (!tk_api_param(request, "service", NULL, &service))
        return finish(answer, tk_fail(err, -EINVAL, "parameter 'service' is required"), err);
    (void)tk_api_param(request, "spanKind", NULL, &kind);
    int rc = tk_segment_set_operations(ctx->set, service, &items, &n, err);
    if (rc < 0)
        return finish(answer, rc, err);
    begin(answer);
    tk_buf_putc(&answer->body, '[');
    for (size_t i = 0; i < n; i++) {
        if (kind.n > 0 && !tk_str_eq(kind, tk_str_from(tk_api_kind(items[i].kind))))
            continue;
        tk_json_put_comma(&answer->body);
        tk_buf_lit(&answer->body, "{\"name\":");
        tk_json_put_str(&answer->body, items[i].name);
        tk_buf_printf(&answer->body, ",\"spanKind\":\"%s\"}", tk_api_kind(items[i].kind));
        total++;
    }
    tk_buf_putc(&answer->body, ']');
    end(answer, total);
    return 0;
}

/* Traces ------------------------------------------------------------------------------ */

static int put_jaeger(void *user, const uint8_t id[16], const struct tk_span_rows *rows,
                      struct tk_buf *out, struct tk_err *err)
{
    (void)user;
    (void)id;
    (void)err;
    tk_jaeger_put_trace(rows, out);
    return 0;
}

/* The end of an answer with traces: what is not in it is told. */
static void end_traces(struct tk_answer *answer, const struct tk_api_traces *traces)
{
    tk_buf_putc(&answer->body, ']');
    if (traces->missing == 0 && traces->too_large == 0) {
        end(answer, 0);
    } else if (traces->is_cut) {
        put_error(answer, 0, TK_STR("the answer is too large: it ends before this trace"),
                  traces->missed);
    } else if (traces->too_large > 0) {
        put_error(answer, 0, TK_STR("the trace has too many spans for one answer"), traces->missed);
    } else {
        put_error(answer, 0, TK_STR("trace not found"), traces->missed);
    }
}

/* "k:v", split at the first colon. */
static int add_tag(struct tk_api_search *search, tk_str tag, struct tk_err *err)
{
    size_t colon = tk_str_find(tag, ':');
    if (colon == tag.n) {
        return tk_fail(err, -EINVAL,
                       "malformed 'tag' parameter, expecting key:value, received: %.*s",
                       TK_STR_ARG(tag));
    }
    const struct tk_attr_condition condition = {
        .key = {tag.p, colon},
        .test = TK_ATTR_EQUAL,
        .value = {tag.p + colon + 1, tag.n - colon - 1},
    };
    return tk_api_search_add(search, &condition, err);
}

static int read_tags(const struct tk_request *request, struct tk_arena *scratch,
                     struct tk_api_search *search, struct tk_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < request->param_count; i++) {
        const struct tk_param *param = &request->params[i];
        if (tk_str_eq(param->name, TK_STR("tag"))) {
            rc = add_tag(search, param->value, err);
        } else if (tk_str_eq(param->name, TK_STR("tags")) && param->value.n > 0) {
            rc = tk_api_search_add_json(search, "tags", param->value, scratch, err);
        }
    }
    return rc;
}

/* start and end in microseconds; `lookback` counts where there is no start. */
static int read_window(const struct tk_request *request, int64_t now_ns,
                       struct tk_span_query *query, struct tk_err *err)
{
    tk_str lookback;
    int64_t end_ns = now_ns;
    int64_t lookback_ns;
    int rc = tk_api_param_units(request, "end", TK_NS_PER_US, &end_ns, err);
    if (rc < 0)
        return rc;
    if (tk_api_param(request, "lookback", NULL, &lookback) &&
        tk_go_duration_parse(lookback, &lookback_ns) && lookback_ns < end_ns)
        query->from_ns = end_ns - lookback_ns;
    query->to_ns = end_ns + TK_NS_PER_US; /* the end is asked for, too */
    return tk_api_param_units(request, "start", TK_NS_PER_US, &query->from_ns, err);
}

static int read_search(struct tk_query_ctx *ctx, const struct tk_request *request,
                       struct tk_api_search *search, struct tk_err *err)
{
    struct tk_span_query *query = &search->query;
    search->limit = DEFAULT_LIMIT;
    if (!tk_api_param(request, "service", NULL, &query->service))
        return tk_fail(err, -EINVAL, "parameter 'service' is required");
    (void)tk_api_param(request, "operation", NULL, &query->name);
    int rc = read_window(request, ctx->now_ns, query, err);
    rc = rc < 0 ? rc : tk_api_param_i64(request, "limit", &search->limit, err);
    rc = rc < 0 ? rc
                : tk_api_param_duration(request, "minDuration", NULL, &query->min_duration_ns, err);
    rc = rc < 0 ? rc
                : tk_api_param_duration(request, "maxDuration", NULL, &query->max_duration_ns, err);
    rc = rc < 0 ? rc : read_tags(request, ctx->scratch, search, err);
    return rc < 0 ? rc : tk_api_search_check(search, "limit", "minDuration", "maxDuration", err);
}

/* The traces that parameters traceID name. */
static int read_ids(const struct tk_request *request, uint8_t (*ids)[16], size_t *ret_n,
                    struct tk_err *err)
{
    *ret_n = 0;
    for (size_t i = 0; i < request->param_count; i++) {
        if (!tk_str_eq(request->params[i].name, TK_STR("traceID")))
            continue;
        if (*ret_n == IDS_MAX)
            return tk_fail(err, -EINVAL, "more than %d traces are asked for", IDS_MAX);
        int rc = tk_api_trace_id(request->params[i].value, ids[(*ret_n)++], err);
        if (rc < 0)
            return tk_err_prefix(err, "cannot parse traceID param");
    }
    return 0;
}

static int handle_search(struct tk_query_ctx *ctx, const struct tk_request *request, tk_str segment,
                         struct tk_answer *answer, struct tk_err *err)
{
    size_t n;
    struct tk_api_search search = {0};
    struct tk_api_traces traces = {.put = put_jaeger, .out = &answer->body, .separator = ","};
    (void)segment;
    uint8_t(*ids)[16] = tk_arena_alloc(ctx->scratch, IDS_MAX * sizeof(*ids));
    if (!ids)
        return tk_fail(err, -ENOMEM, "traces: out of memory");
    int rc = read_ids(request, ids, &n, err);
    if (rc == 0 && n == 0)
        rc = read_search(ctx, request, &search, err);
    if (rc < 0)
        return finish(answer, rc, err);
    begin(answer);
    tk_buf_putc(&answer->body, '[');
    rc = n > 0 ? tk_api_put_traces(ctx, (const uint8_t(*)[16])ids, n, &traces, err)
               : tk_api_put_found(ctx, &search, &traces, err);
    if (rc < 0)
        return finish(answer, rc, err);
    end_traces(answer, &traces);
    return 0;
}

/* Grafana asks for a trace in Tempo's way at this path, too, and tells it by the Accept header. */
static int put_protobuf(void *user, const uint8_t id[16], const struct tk_span_rows *rows,
                        struct tk_buf *out, struct tk_err *err)
{
    (void)user;
    (void)id;
    (void)err;
    tk_otlp_encode(rows, out);
    return 0;
}

static int handle_trace_protobuf(struct tk_query_ctx *ctx, const uint8_t (*ids)[16],
                                 struct tk_answer *answer, struct tk_err *err)
{
    struct tk_api_traces traces = {.put = put_protobuf, .out = &answer->body, .separator = ""};
    tk_api_begin(answer, 200);
    answer->content_type = "application/protobuf";
    int rc = tk_api_put_traces(ctx, ids, 1, &traces, err);
    if (rc == 0 && traces.put_count == 0)
        rc = tk_fail(err, traces.missing ? -ENOENT : -EMSGSIZE, "trace not found");
    return finish(answer, rc, err);
}

static int handle_trace(struct tk_query_ctx *ctx, const struct tk_request *request, tk_str segment,
                        struct tk_answer *answer, struct tk_err *err)
{
    bool raw; /* nothing is adjusted anyway */
    int64_t bound_ns;
    uint8_t ids[1][16];
    struct tk_api_traces traces = {.put = put_jaeger, .out = &answer->body, .separator = ","};
    int rc = tk_api_trace_id(segment, ids[0], err);
    rc = rc < 0 ? rc : tk_api_param_bool(request, "raw", NULL, &raw, err);
    rc = rc < 0 ? rc : tk_api_param_units(request, "start", TK_NS_PER_US, &bound_ns, err);
    rc = rc < 0 ? rc : tk_api_param_units(request, "end", TK_NS_PER_US, &bound_ns, err);
    if (rc < 0)
        return finish(answer, rc, err);
    const uint8_t(*asked)[16] = (const uint8_t(*)[16])ids;
    if (tk_str_starts_with(request->accept, TK_STR("application/protobuf")))
        return handle_trace_protobuf(ctx, asked, answer, err);
    begin(answer);
    tk_buf_putc(&answer->body, '[');
    rc = tk_api_put_traces(ctx, asked, 1, &traces, err);
    if (rc == 0 && traces.missing > 0)
        rc = tk_fail(err, -ENOENT, "trace not found");
    if (rc == 0 && traces.too_large > 0)
        rc = tk_fail(err, -EMSGSIZE, "the trace is too large for one answer");
    if (rc < 0)
        return finish(answer, rc, err);
    end_traces(answer, &traces);
    return 0;
}

/* Transform --------------------------------------------------------------------------- */

static int put_transformed(const struct tk_span_batch *batch, struct tk_arena *scratch,
                           struct tk_buf *out, struct tk_err *err)
{
    uint32_t *rows = tk_arena_alloc(scratch, (batch->rows + 1) * sizeof(*rows));
    if (!rows)
        return tk_fail(err, -EMSGSIZE, "more spans than can be transformed at once");
    for (size_t i = 0; i < batch->rows; i++)
        rows[i] = (uint32_t)i;
    tk_rows_sort_by_trace(batch, rows, batch->rows);
    const struct tk_span_rows all = {batch, rows, batch->rows};
    for (size_t first = 0, n = 0; first < all.n; first += n) {
        n = tk_span_rows_trace(&all, first);
        if (first > 0)
            tk_buf_putc(out, ',');
        tk_jaeger_put_trace(&(struct tk_span_rows){batch, rows + first, n}, out);
    }
    return 0;
}

static int handle_transform(struct tk_query_ctx *ctx, const struct tk_request *request,
                            tk_str segment, struct tk_answer *answer, struct tk_err *err)
{
    struct tk_span_tally tally = {0};
    struct tk_otlp_reader *reader;
    (void)segment;
    int rc = tk_otlp_reader_new(ctx->batch, &reader, err);
    if (rc < 0)
        return rc;
    rc = tk_otlp_decode_json(reader, request->body, &tally, err);
    tk_otlp_reader_free(reader);
    if (rc < 0)
        return finish(answer, rc == -ENOBUFS ? -EMSGSIZE : -EINVAL, err);
    begin(answer);
    tk_buf_putc(&answer->body, '[');
    rc = put_transformed(ctx->batch, ctx->scratch, &answer->body, err);
    if (rc < 0)
        return finish(answer, rc, err);
    tk_buf_putc(&answer->body, ']');
    end(answer, 0);
    return 0;
}

/* Dependencies, and what is not here ---------------------------------------------------- */

static int handle_dependencies(struct tk_query_ctx *ctx, const struct tk_request *request,
                               tk_str segment, struct tk_answer *answer, struct tk_err *err)
{
    int64_t end_ns = ctx->now_ns;
    int64_t lookback_ns = DEFAULT_LOOKBACK_NS;
    struct tk_api_links links = {0};
    (void)segment;
    (void)tk_api_param(request, "service", NULL, &links.service);
    int rc = tk_api_param_units(request, "endTs", TK_NS_PER_MS, &end_ns, err);
    rc = rc < 0 ? rc : tk_api_param_units(request, "lookback", TK_NS_PER_MS, &lookback_ns, err);
    if (rc < 0)
        return finish(answer, rc, err);
    links.from_ns = lookback_ns < end_ns ? end_ns - lookback_ns : 0;
    links.to_ns = end_ns + TK_NS_PER_MS;
    begin(answer);
    rc = tk_api_put_links(ctx, &links, &answer->body, err);
    if (rc < 0)
        return finish(answer, rc, err);
    end(answer, 0);
    return 0;
}

static int handle_archive(struct tk_query_ctx *ctx, const struct tk_request *request,
                          tk_str segment, struct tk_answer *answer, struct tk_err *err)
{
    (void)ctx;
    (void)request;
    (void)segment;
    return finish(answer, tk_fail(err, -EOPNOTSUPP, "archive storage is not configured"), err);
}

static int handle_metrics(struct tk_query_ctx *ctx, const struct tk_request *request,
                          tk_str segment, struct tk_answer *answer, struct tk_err *err)
{
    (void)ctx;
    (void)request;
    (void)segment;
    return finish(answer, tk_fail(err, -EOPNOTSUPP, "metrics querying is disabled"), err);
}

const struct tk_route tk_routes_jaeger[] = {
    {"GET", "/api/services", "services (Jaeger)", handle_services},
    {"GET", "/api/services/{}/operations", "operations of a service (Jaeger)",
     handle_service_operations},
    {"GET", "/api/operations", "operations with kinds: service, spanKind (Jaeger)",
     handle_operations},
    {"GET", "/api/traces", "search: service, operation, tags, start, end, limit, ... (Jaeger)",
     handle_search},
    {"GET", "/api/traces/{}", "one trace (Jaeger; as protobuf Tempo)", handle_trace},
    {"POST", "/api/transform", "OTLP/JSON to Jaeger's traces", handle_transform},
    {"POST", "/api/archive/{}", "not supported", handle_archive},
    {"GET", "/api/dependencies", "calls between services: endTs, lookback, service (Jaeger)",
     handle_dependencies},
    {"GET", "/api/metrics/{}", "not supported", handle_metrics},
    {0},
};
