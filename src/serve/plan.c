/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of the server itself, as one table; those of queries stand in routes.h. */
#include "serve/plan.h"

#include <string.h>
#include <strings.h>

#include "base/number.h"
#include "serve/answer.h"

#define TEXT_PLAIN "text/plain; charset=utf-8"
#define PROTOBUF   "application/x-protobuf"
#define JSON       "application/json"

#define RPC_UNIMPLEMENTED 12

/* Header filter ------------------------------------------------------------------------------ */

static bool is_named(tk_str name, const char *wanted)
{
    return name.n == strlen(wanted) && (name.n == 0 || strncasecmp(name.p, wanted, name.n) == 0);
}

/* Characters of a token, RFC 9110 section 5.6.2. */
static bool is_token(tk_str name)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        char lower = (char)(c | 0x20);
        if (!tk_is_digit(c) && !(lower >= 'a' && lower <= 'z') && (!c || !strchr(marks, c)))
            return false;
    }
    return name.n > 0;
}

void tk_head_filter_add(struct tk_head_filter *filter, tk_str name, tk_str value)
{
    filter->has_bad_name |= !is_token(name);
    if (is_named(name, "Content-Length")) {
        filter->lengths++;
        filter->has_bad_length |= !tk_parse_u64(value, &filter->length);
    } else if (is_named(name, "Transfer-Encoding")) {
        filter->codings++;
        filter->has_bad_coding |= !is_named(value, "chunked");
    } else if (is_named(name, "Host")) {
        filter->hosts++;
    }
}

const char *tk_head_filter_reason(const struct tk_head_filter *filter)
{
    if (filter->has_bad_name)
        return "the name of a header is no token";
    if (filter->lengths > 0 && filter->codings > 0)
        return "both Content-Length and Transfer-Encoding";
    if (filter->lengths > 1)
        return "more than one Content-Length";
    if (filter->has_bad_length)
        return "Content-Length is no number";
    if (filter->codings > 1 || filter->has_bad_coding)
        return "a Transfer-Encoding other than chunked";
    if (filter->hosts > 1)
        return "more than one Host";
    return NULL;
}

/* Paths -------------------------------------------------------------------------------------- */

#define ON(protocol) (1U << (protocol))
#define EVERYWHERE   (~0U)

/* What a body of spans may be, by media type. */
struct body_format {
    const char *type; /* NULL = the last; "" = none is told */
    enum tk_payload_kind payload;
};

static const struct body_format otlp_bodies[] = {
    {PROTOBUF, TK_PAYLOAD_OTLP}, {JSON, TK_PAYLOAD_OTLP_JSON}, {0}};
static const struct body_format zipkin_bodies[] = {{PROTOBUF, TK_PAYLOAD_ZIPKIN},
                                                   {JSON, TK_PAYLOAD_ZIPKIN_JSON},
                                                   {"", TK_PAYLOAD_ZIPKIN_JSON},
                                                   {0}};
static const struct body_format event_bodies[] = {{"application/x-ndjson", TK_PAYLOAD_EVENTS},
                                                  {"application/jsonl", TK_PAYLOAD_EVENTS},
                                                  {JSON, TK_PAYLOAD_EVENTS},
                                                  {0}};

static const struct {
    const char *method;
    const char *path;
    unsigned listeners; /* where it is */
    enum tk_plan_kind kind;
    const struct body_format *bodies; /* of SPANS */
    const char *about;
} endpoints[] = {
    {"POST", "/v1/traces", ON(TK_PROTOCOL_HTTP), TK_PLAN_SPANS, otlp_bodies,
     "spans as OTLP, protobuf or JSON"},
    {"POST", "/v1/events", ON(TK_PROTOCOL_HTTP), TK_PLAN_SPANS, event_bodies,
     "event files of runs, a line of JSON each"},
    {"POST", "/api/v2/spans", ON(TK_PROTOCOL_ZIPKIN), TK_PLAN_SPANS, zipkin_bodies,
     "spans of Zipkin, JSON or protobuf"},
    {"GET", "/healthz", EVERYWHERE, TK_PLAN_HEALTH, NULL,
     "200 while spans come to the disk, else 503 and why"},
    {"GET", "/metrics", EVERYWHERE, TK_PLAN_METRICS, NULL, "counters for Prometheus"},
    {"GET", "/", EVERYWHERE, TK_PLAN_LIST, NULL, "this list"},
};

static bool has_queries(enum tk_protocol protocol)
{
    return protocol == TK_PROTOCOL_QUERY || protocol == TK_PROTOCOL_ZIPKIN;
}

static bool takes_otlp(size_t endpoint)
{
    return endpoints[endpoint].bodies == otlp_bodies;
}

static bool is_at(const struct tk_head *head, size_t endpoint)
{
    return tk_str_eq(head->path, tk_str_from(endpoints[endpoint].path)) ||
           (head->otlp_path.n > 0 && takes_otlp(endpoint) &&
            tk_str_eq(head->path, head->otlp_path));
}

/* The index in `endpoints`; their count = none. `ret_allow` is the method of the path with another
 * one. */
static size_t find_endpoint(const struct tk_head *head, tk_str method, const char **ret_allow)
{
    for (size_t i = 0; i < TK_COUNTOF(endpoints); i++) {
        if (!(endpoints[i].listeners & ON(head->protocol)) || !is_at(head, i))
            continue;
        if (tk_str_eq(method, tk_str_from(endpoints[i].method)))
            return i;
        *ret_allow = endpoints[i].method;
    }
    return TK_COUNTOF(endpoints);
}

/* Plan --------------------------------------------------------------------------------------- */

static void refuse(struct tk_answer *answer, int status, const char *text)
{
    answer->status = status;
    answer->content_type = TEXT_PLAIN;
    tk_buf_puts(&answer->body, text);
    tk_buf_putc(&answer->body, '\n');
}

/* The media type without its parameters. */
static tk_str media_type(tk_str content_type)
{
    content_type.n = tk_str_find(content_type, ';');
    return tk_str_trim(content_type);
}

/* The format of the body; false = none of those that are taken. */
static bool choose_payload(const struct tk_head *head, const struct body_format *bodies,
                           enum tk_payload_kind *ret_kind)
{
    tk_str type = media_type(head->content_type);
    for (const struct body_format *body = bodies; body->type; body++) {
        if (!is_named(type, body->type))
            continue;
        *ret_kind = body->payload;
        return true;
    }
    return false;
}

static void refuse_type(const struct body_format *bodies, struct tk_answer *answer)
{
    answer->status = 415;
    answer->content_type = TEXT_PLAIN;
    tk_buf_lit(&answer->body, "expected Content-Type ");
    for (const struct body_format *body = bodies; body->type; body++) {
        if (*body->type)
            tk_buf_printf(&answer->body, "%s%s", body == bodies ? "" : " or ", body->type);
    }
    tk_buf_putc(&answer->body, '\n');
}

static void plan_spans(const struct tk_head *head, size_t endpoint, size_t max_body_bytes,
                       struct tk_plan *plan, struct tk_answer *answer)
{
    struct tk_verdict verdict = {0};
    if (!choose_payload(head, endpoints[endpoint].bodies, &plan->payload)) {
        refuse_type(endpoints[endpoint].bodies, answer);
        return;
    }
    plan->speaks_otlp = plan->payload == TK_PAYLOAD_OTLP || plan->payload == TK_PAYLOAD_OTLP_JSON;
    if (!tk_coding_find(head->content_encoding, &plan->coding)) {
        refuse(answer, 415, "expected Content-Encoding gzip, deflate, zstd or none");
        return;
    }
    if (head->length > max_body_bytes) {
        verdict.outcome = TK_OUTCOME_TOO_LARGE;
        (void)tk_fail(&verdict.err, -1, "body: %llu bytes, at most %zu are taken",
                      (unsigned long long)head->length, max_body_bytes);
        tk_verdict_put(&verdict, plan->payload, answer);
        return;
    }
    plan->kind = TK_PLAN_SPANS;
}

/* Whatever is no API and none of the server's own: the page knows, or says that it does not. */
static bool is_of_site(const struct tk_head *head, tk_str method)
{
    return head->has_site && head->protocol == TK_PROTOCOL_QUERY &&
           tk_str_eq(method, TK_STR("GET")) && !tk_str_starts_with(head->path, TK_STR("/api/"));
}

/* Neither of the server's own: a query, or nothing. `allow` is a method that the path knows. */
static void plan_query(const struct tk_head *head, tk_str method, const char *allow,
                       struct tk_plan *plan, struct tk_answer *answer)
{
    tk_str segment;
    bool is_known = false;
    if (has_queries(head->protocol) && tk_routes_find(method, head->path, &segment, &is_known)) {
        plan->kind = TK_PLAN_QUERY;
        return;
    }
    if (!is_known && is_of_site(head, method)) {
        plan->kind = TK_PLAN_SITE;
        return;
    }
    if (!allow && is_known)
        allow = "GET, POST";
    refuse(answer, allow ? 405 : 404,
           allow ? "this path knows another method" : "there is no such path; GET / lists them");
    answer->allow = allow;
}

/* Something of OTLP that is no spans: 404, as Collectors answer what they were not told to take. */
static bool plan_signal(const struct tk_head *head, struct tk_plan *plan, struct tk_answer *answer)
{
    if (head->protocol != TK_PROTOCOL_HTTP || !tk_str_eq(head->method, TK_STR("POST")))
        return false;
    plan->signal = tk_signal_of_http(head->path);
    if (plan->signal == TK_SIGNAL_COUNT)
        return false;
    const char *why = tk_signals[plan->signal].why;
    tk_str type = media_type(head->content_type);
    bool is_json = is_named(type, JSON);
    if (!is_json && !is_named(type, PROTOBUF)) {
        refuse(answer, 404, why);
        return true;
    }
    answer->status = 404;
    answer->content_type = is_json ? JSON : PROTOBUF;
    tk_rpc_status_encode(
        &(struct tk_rpc_status){.code = RPC_UNIMPLEMENTED, .message = tk_str_from(why)}, is_json,
        &answer->body);
    return true;
}

void tk_plan_make(const struct tk_head *head, size_t max_body_bytes, struct tk_plan *ret_plan,
                  struct tk_answer *answer)
{
    const char *allow = NULL;
    /* What GET answers HEAD answers without its body. */
    tk_str method = tk_str_eq(head->method, TK_STR("HEAD")) ? TK_STR("GET") : head->method;
    size_t endpoint = find_endpoint(head, method, &allow);
    *ret_plan = (struct tk_plan){.signal = TK_SIGNAL_COUNT};
    if (endpoint < TK_COUNTOF(endpoints) && endpoints[endpoint].kind != TK_PLAN_SPANS) {
        ret_plan->kind = endpoints[endpoint].kind;
        if (ret_plan->kind == TK_PLAN_LIST && is_of_site(head, method))
            ret_plan->kind = TK_PLAN_SITE;
    } else if (endpoint < TK_COUNTOF(endpoints)) {
        plan_spans(head, endpoint, max_body_bytes, ret_plan, answer);
    } else if (!plan_signal(head, ret_plan, answer)) {
        plan_query(head, method, allow, ret_plan, answer);
    }
}

/* Who sends a file by hand is told what became of it. */
static void put_taken_events(const struct tk_verdict *verdict, struct tk_buf *out)
{
    const struct tk_span_tally *tally = &verdict->tally;
    tk_buf_printf(out, "%llu span%s taken\n", (unsigned long long)tally->spans,
                  tally->spans == 1 ? "" : "s");
    if (tk_span_tally_refused(tally) > 0) {
        tk_buf_lit(out, "left out: ");
        tk_span_tally_format(tally, true, out);
        tk_buf_printf(out, "; %s\n", verdict->err.msg);
    }
    size_t before = out->n;
    tk_span_tally_format(tally, false, out);
    if (out->n > before)
        tk_buf_putc(out, '\n');
}

void tk_verdict_put(const struct tk_verdict *verdict, enum tk_payload_kind kind,
                    struct tk_answer *answer)
{
    const struct tk_outcome_about *about = &tk_outcomes[verdict->outcome];
    bool is_json = kind == TK_PAYLOAD_OTLP_JSON;
    tk_buf_reset(&answer->body);
    answer->status = about->http;
    answer->retry_after_s = about->retry ? TK_RETRY_AFTER_S : 0;
    if (kind != TK_PAYLOAD_OTLP && kind != TK_PAYLOAD_OTLP_JSON) {
        answer->content_type = TEXT_PLAIN;
        if (verdict->outcome == TK_OUTCOME_TAKEN) {
            answer->status = 202;
            if (kind == TK_PAYLOAD_EVENTS)
                put_taken_events(verdict, &answer->body);
        } else {
            refuse(answer, about->http, verdict->err.msg);
        }
        return;
    }
    answer->content_type = is_json ? JSON : PROTOBUF;
    if (verdict->outcome == TK_OUTCOME_TAKEN) {
        tk_export_response_encode(&verdict->tally, is_json, &answer->body);
        return;
    }
    tk_rpc_status_encode(&(struct tk_rpc_status){.code = about->grpc,
                                                 .message = tk_str_from(verdict->err.msg),
                                                 .bad_request = verdict->outcome == TK_OUTCOME_BAD,
                                                 .retry_after_s = answer->retry_after_s},
                         is_json, &answer->body);
}

/* List --------------------------------------------------------------------------------------- */

static void list_endpoint(size_t endpoint, tk_str path, struct tk_buf *out)
{
    tk_buf_printf(out, "%-4s  %-44.*s  %s\n", endpoints[endpoint].method, TK_STR_ARG(path),
                  endpoints[endpoint].about);
}

void tk_plan_list(enum tk_protocol protocol, tk_str otlp_path, struct tk_buf *out)
{
    tk_buf_lit(out, "tracekit " TK_VERSION "\n\n");
    for (size_t i = 0; i < TK_COUNTOF(endpoints); i++) {
        if (!(endpoints[i].listeners & ON(protocol)))
            continue;
        list_endpoint(i, tk_str_from(endpoints[i].path), out);
        if (otlp_path.n > 0 && takes_otlp(i))
            list_endpoint(i, otlp_path, out);
    }
    if (has_queries(protocol))
        tk_routes_list(out);
}
