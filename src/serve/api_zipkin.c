/* SPDX-License-Identifier: Apache-2.0 */
/* The query API of Zipkin v2, as its UI speaks it (trace-protocols.md section 9). Errors are plain
 * text. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "serve/api.h"
#include "span/span_format.h"

#define DEFAULT_LIMIT       10
#define DEFAULT_LOOKBACK_NS (24 * 3600LL * TK_NS_PER_S)
#define IDS_MAX             1000

static int finish(struct tk_answer *answer, int rc, const struct tk_err *err)
{
    if (rc >= 0)
        return 0;
    tk_api_begin(answer, tk_api_status(rc));
    answer->content_type = "text/plain; charset=utf-8";
    tk_buf_puts(&answer->body, err->msg);
    return 0;
}

/* Names ------------------------------------------------------------------------------- */

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
    tk_api_put_names(&answer->body, names, n);
    return 0;
}

static int handle_names(struct tk_query_ctx *ctx, const struct tk_request *request, tk_str segment,
                        struct tk_answer *answer, struct tk_err *err)
{
    size_t n;
    tk_str service;
    const struct tk_span_operation *items;
    (void)segment;
    if (!tk_api_param(request, "serviceName", NULL, &service))
        return finish(answer, tk_fail(err, -EINVAL, "serviceName is required"), err);
    int rc = tk_segment_set_operations(ctx->set, service, &items, &n, err);
    if (rc < 0)
        return finish(answer, rc, err);
    tk_api_begin(answer, 200);
    tk_buf_putc(&answer->body, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && tk_str_eq(items[i].name, items[i - 1].name))
            continue;
        tk_json_put_comma(&answer->body);
        tk_json_put_str(&answer->body, items[i].name);
    }
    tk_buf_putc(&answer->body, ']');
    return 0;
}

/* Traces ------------------------------------------------------------------------------ */

/* A trace as an array of spans. */
static int put_zipkin(void *user, const uint8_t id[16], const struct tk_span_rows *rows,
                      struct tk_buf *out, struct tk_err *err)
{
    const struct tk_span_encoder *zipkin = &tk_span_encoder_zipkin;
    (void)user;
    (void)id;
    void *state = calloc(1, zipkin->state_size + 1);
    if (!state)
        return tk_fail(err, -ENOMEM, "trace: out of memory");
    if (zipkin->head)
        zipkin->head(state, out);
    int rc = zipkin->spans(state, rows, out, err);
    if (rc == 0 && zipkin->tail)
        zipkin->tail(state, out);
    free(state);
    return rc;
}

/* "error and http.method=GET": all must hold. */
static int read_annotations(tk_str query, struct tk_api_search *search, struct tk_err *err)
{
    const tk_str separator = TK_STR(" and ");
    int rc = 0;
    while (rc == 0 && query.n > 0) {
        size_t n = 0;
        while (n < query.n && !tk_str_starts_with((tk_str){query.p + n, query.n - n}, separator))
            n++;
        tk_str term = tk_str_trim((tk_str){query.p, n});
        size_t skip = n < query.n ? n + separator.n : n;
        query = (tk_str){query.p + skip, query.n - skip};
        size_t equals = tk_str_find(term, '=');
        struct tk_attr_condition condition = {.key = {term.p, equals}, .test = TK_ATTR_EXISTS};
        if (equals < term.n) {
            condition.test = TK_ATTR_EQUAL;
            condition.value = (tk_str){term.p + equals + 1, term.n - equals - 1};
        } else if (tk_str_eq(term, TK_STR("error"))) { /* there with any value: a status */
            condition.test = TK_ATTR_EQUAL;
            condition.value = TK_STR("true");
        }
        if (condition.key.n > 0)
            rc = tk_api_search_add(search, &condition, err);
    }
    return rc;
}

/* endTs and lookback in milliseconds. */
static int read_window(const struct tk_request *request, int64_t now_ns, int64_t *ret_from_ns,
                       int64_t *ret_to_ns, struct tk_err *err)
{
    int64_t end_ns = now_ns;
    int64_t lookback_ns = DEFAULT_LOOKBACK_NS;
    int rc = tk_api_param_units(request, "endTs", TK_NS_PER_MS, &end_ns, err);
    rc = rc < 0 ? rc : tk_api_param_units(request, "lookback", TK_NS_PER_MS, &lookback_ns, err);
    *ret_from_ns = lookback_ns < end_ns ? end_ns - lookback_ns : 0;
    *ret_to_ns = end_ns + TK_NS_PER_MS; /* the end is asked for, too */
    return rc;
}

static int read_search(struct tk_query_ctx *ctx, const struct tk_request *request,
                       struct tk_api_search *search, struct tk_err *err)
{
    tk_str annotations = {NULL, 0};
    struct tk_span_query *query = &search->query;
    search->limit = DEFAULT_LIMIT;
    (void)tk_api_param(request, "serviceName", NULL, &query->service);
    (void)tk_api_param(request, "annotationQuery", NULL, &annotations);
    /* The UI says "all" for any. */
    if (tk_api_param(request, "spanName", NULL, &query->name) &&
        tk_str_eq(query->name, TK_STR("all")))
        query->name = (tk_str){NULL, 0};
    int rc = read_window(request, ctx->now_ns, &query->from_ns, &query->to_ns, err);
    rc = rc < 0 ? rc : tk_api_param_i64(request, "limit", &search->limit, err);
    rc = rc < 0 ? rc
                : tk_api_param_units(request, "minDuration", TK_NS_PER_US, &query->min_duration_ns,
                                     err);
    rc = rc < 0 ? rc
                : tk_api_param_units(request, "maxDuration", TK_NS_PER_US, &query->max_duration_ns,
                                     err);
    rc = rc < 0 ? rc : read_annotations(annotations, search, err);
    return rc < 0 ? rc : tk_api_search_check(search, "limit", "minDuration", "maxDuration", err);
}

static int handle_traces(struct tk_query_ctx *ctx, const struct tk_request *request, tk_str segment,
                         struct tk_answer *answer, struct tk_err *err)
{
    struct tk_api_search search = {0};
    struct tk_api_traces traces = {.put = put_zipkin, .out = &answer->body, .separator = ","};
    (void)segment;
    int rc = read_search(ctx, request, &search, err);
    if (rc < 0)
        return finish(answer, rc, err);
    tk_api_begin(answer, 200);
    tk_buf_putc(&answer->body, '[');
    rc = tk_api_put_found(ctx, &search, &traces, err);
    tk_buf_putc(&answer->body, ']');
    return finish(answer, rc, err);
}

static int handle_trace(struct tk_query_ctx *ctx, const struct tk_request *request, tk_str segment,
                        struct tk_answer *answer, struct tk_err *err)
{
    uint8_t ids[1][16];
    struct tk_api_traces traces = {.put = put_zipkin, .out = &answer->body, .separator = ""};
    (void)request;
    int rc = tk_api_trace_id(segment, ids[0], err);
    if (rc < 0)
        return finish(answer, rc, err);
    tk_api_begin(answer, 200);
    rc = tk_api_put_traces(ctx, (const uint8_t(*)[16])ids, 1, &traces, err);
    if (rc == 0 && traces.missing > 0)
        rc = tk_fail(err, -ENOENT, "%.*s not found", TK_STR_ARG(segment));
    if (rc == 0 && traces.too_large > 0)
        rc = tk_fail(err, -EMSGSIZE, "the trace is too large for one answer");
    return finish(answer, rc, err);
}

/* "a,b" to ids. */
static int read_ids(const struct tk_request *request, uint8_t (*ids)[16], size_t *ret_n,
                    struct tk_err *err)
{
    tk_str list;
    tk_str id;
    *ret_n = 0;
    if (!tk_api_param(request, "traceIds", NULL, &list))
        return tk_fail(err, -EINVAL, "traceIds is required");
    while (tk_str_take_until(&list, ',', &id)) {
        if (*ret_n == IDS_MAX)
            return tk_fail(err, -EINVAL, "traceIds: more than %d traces", IDS_MAX);
        int rc = tk_api_trace_id(tk_str_trim(id), ids[(*ret_n)++], err);
        if (rc < 0)
            return tk_err_prefix(err, "traceIds");
    }
    if (*ret_n < 2)
        return tk_fail(err, -EINVAL, "traceIds: expected at least two, separated by commas");
    return 0;
}

static int handle_trace_many(struct tk_query_ctx *ctx, const struct tk_request *request,
                             tk_str segment, struct tk_answer *answer, struct tk_err *err)
{
    size_t n;
    struct tk_api_traces traces = {.put = put_zipkin, .out = &answer->body, .separator = ","};
    (void)segment;
    uint8_t(*ids)[16] = tk_arena_alloc(ctx->scratch, IDS_MAX * sizeof(*ids));
    if (!ids)
        return tk_fail(err, -ENOMEM, "traces: out of memory");
    int rc = read_ids(request, ids, &n, err);
    if (rc < 0)
        return finish(answer, rc, err);
    tk_api_begin(answer, 200);
    tk_buf_putc(&answer->body, '[');
    rc = tk_api_put_traces(ctx, (const uint8_t(*)[16])ids, n, &traces, err);
    tk_buf_putc(&answer->body, ']');
    return finish(answer, rc, err);
}

static int handle_dependencies(struct tk_query_ctx *ctx, const struct tk_request *request,
                               tk_str segment, struct tk_answer *answer, struct tk_err *err)
{
    struct tk_api_links links = {.errors = true};
    (void)segment;
    int rc = read_window(request, ctx->now_ns, &links.from_ns, &links.to_ns, err);
    if (rc < 0)
        return finish(answer, rc, err);
    tk_api_begin(answer, 200);
    return finish(answer, tk_api_put_links(ctx, &links, &answer->body, err), err);
}

const struct tk_route tk_routes_zipkin[] = {
    {"GET", "/api/v2/services", "services (Zipkin)", handle_services},
    {"GET", "/api/v2/spans", "names of spans: serviceName (Zipkin)", handle_names},
    {"GET", "/api/v2/traces", "search: serviceName, spanName, annotationQuery, ... (Zipkin)",
     handle_traces},
    {"GET", "/api/v2/trace/{}", "one trace (Zipkin)", handle_trace},
    {"GET", "/api/v2/traceMany", "several traces: traceIds (Zipkin)", handle_trace_many},
    {"GET", "/api/v2/dependencies", "calls between services: endTs, lookback (Zipkin)",
     handle_dependencies},
    {0},
};
