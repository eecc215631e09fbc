/* SPDX-License-Identifier: Apache-2.0 */
/* The query API of Tempo, as far as Grafana needs it (trace-protocols.md section 8). Errors are
 * plain text. Names and values of attributes are those of the first spans that are looked at. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/map.h"
#include "base/number.h"
#include "serve/api.h"
#include "serve/traceql.h"
#include "span/any_value.h"
#include "span/otlp.h"
#include "span/trace_summary.h"

#define DEFAULT_LIMIT     20
#define DEFAULT_SPANS     3 /* of a trace in a search */
#define CATALOGUE_SPANS   ((uint64_t)1 << 20)
#define CATALOGUE_ENTRIES 1000

static int finish(struct tk_answer *answer, int rc, const struct tk_err *err)
{
    if (rc >= 0)
        return 0;
    tk_api_begin(answer, tk_api_status(rc));
    answer->content_type = "text/plain; charset=utf-8";
    tk_buf_puts(&answer->body, err->msg);
    return 0;
}

static int handle_echo(struct tk_query_ctx *ctx, const struct tk_request *request, tk_str segment,
                       struct tk_answer *answer, struct tk_err *err)
{
    (void)ctx;
    (void)request;
    (void)segment;
    (void)err;
    tk_api_begin(answer, 200);
    answer->content_type = "text/plain; charset=utf-8";
    tk_buf_lit(&answer->body, "echo");
    return 0;
}

/* Search ------------------------------------------------------------------------------ */

struct searching {
    struct tk_query_ctx *ctx;
    struct tk_api_search base;  /* what the parameters ask for */
    struct tk_traceql *traceql; /* with what the query does */
    int64_t min_ns;             /* of a trace */
    int64_t max_ns;             /* 0 = none */
    int64_t spans;              /* of a trace in the answer */
};

static void put_nanoseconds(struct tk_buf *out, const char *key, int64_t ns)
{
    tk_json_put_key(out, key);
    tk_buf_putc(out, '"');
    tk_buf_put_i64(out, ns);
    tk_buf_putc(out, '"');
}

static void put_span(const struct tk_span_batch *batch, uint32_t row, struct tk_buf *out)
{
    tk_json_put_comma(out);
    tk_buf_lit(out, "{\"spanID\":\"");
    tk_api_put_span_id(out, batch->span_ids[row]);
    tk_buf_lit(out, "\",\"name\":");
    tk_json_put_str(out, tk_span_name(batch, row));
    put_nanoseconds(out, "startTimeUnixNano", batch->start_ns[row]);
    put_nanoseconds(out, "durationNanos", batch->duration_ns[row]);
    tk_buf_lit(out, ",\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":");
    tk_json_put_str(out, tk_span_service(batch, row));
    tk_buf_lit(out, "}}]}");
}

/* The spans of the trace that are asked for. */
static void put_matches(const struct searching *searching, const struct tk_span_rows *rows,
                        struct tk_buf *out)
{
    int64_t matched = 0;
    tk_json_put_key(out, "spanSets");
    tk_buf_lit(out, "[{\"spans\":[");
    for (size_t i = 0; i < rows->n; i++) {
        uint32_t row = tk_span_row(rows, i);
        if (!tk_span_query_matches_any(&searching->traceql->alternatives->query, rows->batch, row))
            continue;
        if (matched++ < searching->spans)
            put_span(rows->batch, row, out);
    }
    tk_buf_lit(out, "],\"matched\":");
    tk_buf_put_i64(out, matched);
    tk_buf_lit(out, "}]");
}

static int put_trace(void *user, const uint8_t id[16], const struct tk_span_rows *rows,
                     struct tk_buf *out, struct tk_err *err)
{
    const struct searching *searching = user;
    const struct tk_span_batch *batch = rows->batch;
    struct tk_trace_summary summary;
    struct tk_arena memory = *searching->ctx->scratch; /* given back with it */
    int rc = tk_trace_summary_read(rows, &memory, &summary, err);
    if (rc < 0)
        return rc;
    int64_t duration_ns = summary.end_ns - summary.start_ns;
    if (duration_ns < searching->min_ns ||
        (searching->max_ns > 0 && duration_ns > searching->max_ns))
        return 0;
    tk_buf_lit(out, "{\"traceID\":\"");
    tk_api_put_trace_id(out, id, false);
    tk_buf_lit(out, "\",\"rootServiceName\":");
    tk_json_put_str(out, tk_span_service(batch, summary.root));
    tk_json_put_key(out, "rootTraceName");
    tk_json_put_str(out, tk_span_name(batch, summary.root));
    put_nanoseconds(out, "startTimeUnixNano", summary.start_ns);
    tk_json_put_key(out, "durationMs");
    tk_buf_put_i64(out, duration_ns / TK_NS_PER_MS);
    put_matches(searching, rows, out);
    tk_buf_putc(out, '}');
    return 0;
}

/* "service.name=cart http.method="GET /"": logfmt. */
static int read_tags(tk_str tags, struct tk_api_search *search, struct tk_err *err)
{
    int rc = 0;
    tk_str rest = tk_str_trim(tags);
    while (rc == 0 && rest.n > 0) {
        struct tk_attr_condition condition = {.test = TK_ATTR_EQUAL};
        size_t equals = tk_str_find(rest, '=');
        if (equals == rest.n)
            return tk_fail(err, -EINVAL, "tags: '%.*s' is not KEY=VALUE", TK_STR_ARG(rest));
        condition.key = tk_str_trim((tk_str){rest.p, equals});
        rest = (tk_str){rest.p + equals + 1, rest.n - equals - 1};
        char end = tk_str_take_prefix(&rest, TK_STR("\"")) ? '"' : ' ';
        if (!tk_str_take_until(&rest, end, &condition.value))
            condition.value = TK_STR("");
        rest = tk_str_trim(rest);
        rc = tk_api_search_add(search, &condition, err);
    }
    return rc;
}

static int read_search(const struct tk_request *request, struct searching *searching,
                       struct tk_err *err)
{
    tk_str text = TK_STR("{}");
    tk_str tags;
    struct tk_api_search *search = &searching->base;
    search->limit = DEFAULT_LIMIT;
    searching->spans = DEFAULT_SPANS;
    int rc = tk_api_param_i64(request, "limit", &search->limit, err);
    rc = rc < 0 ? rc : tk_api_param_i64(request, "spss", &searching->spans, err);
    rc = rc < 0 ? rc : tk_api_param_duration(request, "minDuration", NULL, &searching->min_ns, err);
    rc = rc < 0 ? rc : tk_api_param_duration(request, "maxDuration", NULL, &searching->max_ns, err);
    rc = rc < 0 ? rc
                : tk_api_param_units(request, "start", TK_NS_PER_S, &search->query.from_ns, err);
    rc = rc < 0 ? rc : tk_api_param_units(request, "end", TK_NS_PER_S, &search->query.to_ns, err);
    if (rc == 0 && tk_api_param(request, "tags", NULL, &tags))
        rc = read_tags(tags, search, err);
    rc = rc < 0 ? rc : tk_api_search_check(search, "limit", "minDuration", "maxDuration", err);
    (void)tk_api_param(request, "q", NULL, &text);
    return rc < 0
               ? rc
               : tk_traceql_parse(text, search, searching->ctx->scratch, &searching->traceql, err);
}

static int handle_search(struct tk_query_ctx *ctx, const struct tk_request *request, tk_str segment,
                         struct tk_answer *answer, struct tk_err *err)
{
    struct searching searching = {.ctx = ctx};
    struct tk_segment_totals totals;
    (void)segment;
    int rc = read_search(request, &searching, err);
    if (rc < 0)
        return finish(answer, rc, err);
    struct tk_api_traces traces = {.put = put_trace,
                                   .user = &searching,
                                   .out = &answer->body,
                                   .separator = ",",
                                   .limit = (size_t)searching.base.limit};
    tk_api_begin(answer, 200);
    tk_buf_lit(&answer->body, "{\"traces\":[");
    rc = tk_api_put_found(ctx, searching.traceql->alternatives, &traces, err);
    tk_traceql_free(searching.traceql);
    tk_segment_set_count(ctx->set, &totals);
    tk_buf_lit(&answer->body, "],\"metrics\":{\"totalBlocks\":");
    tk_buf_put_u64(&answer->body, totals.segments + totals.logs);
    tk_buf_lit(&answer->body, "}}");
    return finish(answer, rc, err);
}

/* One trace --------------------------------------------------------------------------- */

static int put_json(void *user, const uint8_t id[16], const struct tk_span_rows *rows,
                    struct tk_buf *out, struct tk_err *err)
{
    (void)user;
    (void)id;
    (void)err;
    tk_otlp_encode_json(rows, out);
    return 0;
}

/* TraceByIDResponse { trace 1 message }; the message has the bytes of TracesData. */
static int put_protobuf(void *user, const uint8_t id[16], const struct tk_span_rows *rows,
                        struct tk_buf *out, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf message;
    (void)user;
    (void)id;
    (void)err;
    tk_buf_init(&message, out->max);
    tk_otlp_encode(rows, &message);
    tk_buf_putc(out, 0x0A);
    for (size_t n = message.n;; n >>= 7) {
        tk_buf_putc(out, (char)(n >= 128 ? (n & 127) | 128 : n));
        if (n < 128)
            break;
    }
    tk_buf_put(out, tk_buf_str(&message));
    if (!tk_buf_ok(&message))
        out->failure = message.failure; /* as if it had not fit there */
    return 0;
}

static int handle_trace(struct tk_query_ctx *ctx, const struct tk_request *request, tk_str segment,
                        struct tk_answer *answer, struct tk_err *err)
{
    uint8_t ids[1][16];
    bool is_protobuf = tk_str_starts_with(request->accept, TK_STR("application/protobuf"));
    struct tk_api_traces traces = {
        .put = is_protobuf ? put_protobuf : put_json, .out = &answer->body, .separator = ""};
    int rc = tk_api_trace_id(segment, ids[0], err);
    if (rc < 0)
        return finish(answer, rc, err);
    tk_api_begin(answer, 200);
    if (is_protobuf) {
        answer->content_type = "application/protobuf";
    } else {
        tk_buf_lit(&answer->body, "{\"trace\":");
    }
    rc = tk_api_put_traces(ctx, (const uint8_t(*)[16])ids, 1, &traces, err);
    if (rc == 0 && traces.put_count == 0)
        rc = tk_fail(err, traces.missing ? -ENOENT : -EMSGSIZE, "trace not found");
    if (!is_protobuf)
        tk_buf_putc(&answer->body, '}');
    return finish(answer, rc, err);
}

/* Names and values of attributes -------------------------------------------------------- */

/* Distinct texts, each with a comma before it as needed, as they are met. */
struct catalogue {
    tk_str key;    /* whose values are collected; p == NULL = names are */
    bool resource; /* of resources, or of spans */
    bool both;
    struct tk_map seen; /* hashes of the texts */
    struct tk_buf *out;
    bool typed;     /* as {"type","value"} */
    uint64_t spans; /* looked at */
    struct tk_buf text;
};

static const char *type_of(const struct tk_attr *attr)
{
    static const char *const types[] = {
        [TK_ATTR_STRING] = "string",
        [TK_ATTR_BOOL] = "bool",
        [TK_ATTR_INT] = "int",
        [TK_ATTR_DOUBLE] = "float",
    };
    return attr->type < TK_COUNTOF(types) && types[attr->type] ? types[attr->type] : "string";
}

static int catalogue_add(struct catalogue *catalogue, tk_str text, const char *type)
{
    uint32_t known;
    uint64_t hash = tk_hash_text(text);
    if (catalogue->seen.count >= CATALOGUE_ENTRIES || tk_map_find(&catalogue->seen, hash, &known))
        return 0;
    tk_json_put_comma(catalogue->out);
    if (catalogue->typed)
        tk_buf_printf(catalogue->out, "{\"type\":\"%s\",\"value\":", type);
    tk_json_put_str(catalogue->out, text);
    if (catalogue->typed)
        tk_buf_putc(catalogue->out, '}');
    return tk_map_add(&catalogue->seen, hash, 0);
}

static int catalogue_attrs(struct catalogue *catalogue, const struct tk_span_batch *batch,
                           const struct tk_attr *attrs, size_t n)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        tk_str key = tk_texts_get(&batch->texts, attrs[i].key);
        if (!catalogue->key.p) {
            rc = catalogue_add(catalogue, key, "string");
        } else if (tk_str_eq(key, catalogue->key)) {
            tk_buf_reset(&catalogue->text);
            tk_any_value_put_text(&batch->texts, &attrs[i], &catalogue->text);
            rc = catalogue_add(catalogue, tk_buf_str(&catalogue->text), type_of(&attrs[i]));
        }
    }
    return rc;
}

static int catalogue_rows(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    struct catalogue *catalogue = user;
    const struct tk_span_batch *batch = rows->batch;
    const struct tk_span_resource *last = NULL;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < rows->n; i++) {
        size_t n;
        uint32_t row = tk_span_row(rows, i);
        const struct tk_attr *attrs = tk_span_attrs(batch, row, &n);
        const struct tk_span_resource *resource = tk_span_resource_of(batch, row);
        if (!catalogue->resource || catalogue->both)
            rc = catalogue_attrs(catalogue, batch, attrs, n);
        if (rc == 0 && resource != last && (catalogue->resource || catalogue->both)) {
            rc = catalogue_attrs(catalogue, batch, batch->side_attrs + resource->attrs.begin,
                                 resource->attrs.n);
        }
        last = resource;
    }
    catalogue->spans += rows->n;
    if (rc < 0)
        return tk_fail(err, -ENOMEM, "attributes: out of memory");
    return catalogue->spans >= CATALOGUE_SPANS;
}

/* Append the distinct texts, in the window that the request names. */
static int put_catalogue(struct tk_query_ctx *ctx, const struct tk_request *request,
                         struct catalogue *catalogue, struct tk_err *err)
{
    struct tk_span_query query = {0};
    int rc = tk_api_param_units(request, "start", TK_NS_PER_S, &query.from_ns, err);
    rc = rc < 0 ? rc : tk_api_param_units(request, "end", TK_NS_PER_S, &query.to_ns, err);
    if (rc < 0)
        return rc;
    tk_buf_init(&catalogue->text, (size_t)1 << 20);
    tk_buf_putc(catalogue->out, '[');
    rc = tk_segment_set_scan(ctx->set, &query, catalogue_rows, catalogue, err);
    tk_buf_putc(catalogue->out, ']');
    tk_buf_release(&catalogue->text);
    tk_map_release(&catalogue->seen);
    return rc < 0 ? rc : 0;
}

static int handle_tags(struct tk_query_ctx *ctx, const struct tk_request *request, tk_str segment,
                       struct tk_answer *answer, struct tk_err *err)
{
    struct catalogue catalogue = {.both = true, .out = &answer->body};
    (void)segment;
    tk_api_begin(answer, 200);
    tk_buf_lit(&answer->body, "{\"tagNames\":");
    int rc = put_catalogue(ctx, request, &catalogue, err);
    tk_buf_putc(&answer->body, '}');
    return finish(answer, rc, err);
}

static int handle_scoped_tags(struct tk_query_ctx *ctx, const struct tk_request *request,
                              tk_str segment, struct tk_answer *answer, struct tk_err *err)
{
    tk_str scope = {NULL, 0};
    int rc = 0;
    struct tk_buf *out = &answer->body;
    (void)segment;
    (void)tk_api_param(request, "scope", NULL, &scope);
    tk_api_begin(answer, 200);
    tk_buf_lit(out, "{\"scopes\":[");
    for (int resource = 1; rc == 0 && resource >= 0; resource--) {
        const char *name = resource ? "resource" : "span";
        struct catalogue catalogue = {.resource = resource, .out = out};
        if (scope.n > 0 && !tk_str_eq(scope, tk_str_from(name)))
            continue;
        tk_json_put_comma(out);
        tk_buf_printf(out, "{\"name\":\"%s\",\"tags\":", name);
        rc = put_catalogue(ctx, request, &catalogue, err);
        tk_buf_putc(out, '}');
    }
    if (scope.n == 0 || tk_str_eq(scope, TK_STR("intrinsic"))) {
        tk_json_put_comma(out);
        tk_buf_lit(out, "{\"name\":\"intrinsic\",\"tags\":[\"duration\",\"kind\",\"name\","
                        "\"status\"]}");
    }
    tk_buf_lit(out, "]}");
    return finish(answer, rc, err);
}

/* Values of the intrinsic fields that have few; false = it is none of them. */
static bool put_keywords(tk_str tag, bool typed, struct tk_buf *out)
{
    static const struct {
        const char *tag;
        const char *words[7];
    } fields[] = {
        {"status", {"error", "ok", "unset"}},
        {"kind", {"client", "consumer", "internal", "producer", "server", "unspecified"}},
    };
    for (size_t i = 0; i < TK_COUNTOF(fields); i++) {
        if (!tk_str_eq(tag, tk_str_from(fields[i].tag)))
            continue;
        tk_buf_putc(out, '[');
        for (const char *const *word = fields[i].words; *word; word++) {
            tk_json_put_comma(out);
            tk_buf_printf(out, typed ? "{\"type\":\"keyword\",\"value\":\"%s\"}" : "\"%s\"", *word);
        }
        tk_buf_putc(out, ']');
        return true;
    }
    return false;
}

static int put_operation_names(struct tk_query_ctx *ctx, struct catalogue *catalogue,
                               struct tk_err *err)
{
    size_t n;
    const struct tk_span_operation *items;
    int rc = tk_segment_set_operations(ctx->set, (tk_str){NULL, 0}, &items, &n, err);
    if (rc < 0)
        return rc;
    tk_buf_putc(catalogue->out, '[');
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = catalogue_add(catalogue, items[i].name, "string");
    tk_buf_putc(catalogue->out, ']');
    tk_map_release(&catalogue->seen);
    return rc < 0 ? tk_fail(err, -ENOMEM, "names: out of memory") : 0;
}

static int answer_values(struct tk_query_ctx *ctx, const struct tk_request *request, tk_str tag,
                         struct tk_answer *answer, struct catalogue catalogue, struct tk_err *err)
{
    int rc = 0;
    catalogue.out = &answer->body;
    catalogue.both = true;
    if (tk_str_take_prefix(&tag, TK_STR("resource."))) {
        catalogue.both = false;
        catalogue.resource = true;
    } else if (tk_str_take_prefix(&tag, TK_STR("span."))) {
        catalogue.both = false;
    } else {
        (void)tk_str_take_prefix(&tag, TK_STR("."));
    }
    catalogue.key = tag;
    tk_api_begin(answer, 200);
    tk_buf_lit(&answer->body, "{\"tagValues\":");
    if (tk_str_eq(tag, TK_STR("name"))) {
        rc = put_operation_names(ctx, &catalogue, err);
    } else if (!put_keywords(tag, catalogue.typed, &answer->body)) {
        rc = put_catalogue(ctx, request, &catalogue, err);
    }
    tk_buf_putc(&answer->body, '}');
    return finish(answer, rc, err);
}

static int handle_values(struct tk_query_ctx *ctx, const struct tk_request *request, tk_str segment,
                         struct tk_answer *answer, struct tk_err *err)
{
    return answer_values(ctx, request, segment, answer, (struct catalogue){0}, err);
}

static int handle_typed_values(struct tk_query_ctx *ctx, const struct tk_request *request,
                               tk_str segment, struct tk_answer *answer, struct tk_err *err)
{
    return answer_values(ctx, request, segment, answer, (struct catalogue){.typed = true}, err);
}

const struct tk_route tk_routes_tempo[] = {
    {"GET", "/api/echo", "answers \"echo\" (Tempo)", handle_echo},
    {"GET", "/api/search", "search: q (TraceQL), tags, minDuration, start, end, ... (Tempo)",
     handle_search},
    {"GET", "/api/search/tags", "names of attributes (Tempo)", handle_tags},
    {"GET", "/api/search/tag/{}/values", "values of an attribute (Tempo)", handle_values},
    {"GET", "/api/v2/search/tags", "names of attributes by scope (Tempo)", handle_scoped_tags},
    {"GET", "/api/v2/search/tag/{}/values", "values of an attribute, with types (Tempo)",
     handle_typed_values},
    {"GET", "/api/v2/traces/{}", "one trace, as JSON or protobuf (Tempo)", handle_trace},
    {0},
};
