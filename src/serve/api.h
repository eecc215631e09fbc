/* SPDX-License-Identifier: Apache-2.0 */
/* What the query APIs share: parameters of requests, answers in JSON, traces that were found. Each
 * API says in its own words why a request failed; the number of a failure tells which kind it is:
 * -EINVAL 400, -ENOENT 404, -EMSGSIZE 413, -EOPNOTSUPP 501, all others 500. One thread at a time.
 */
#ifndef TK_SERVE_API_H
#define TK_SERVE_API_H

#include "segment/trace_walk.h"
#include "serve/routes.h"

/* Parameters -------------------------------------------------------------------------- */

/* The value of a parameter by its name, or else by an alias (NULL = none). One without a value is
 * as good as none. */
bool tk_api_param(const struct tk_request *request, const char *name, const char *alias,
                  tk_str *ret_value);

/* Read a parameter, when it is there: a number, a truth as Go reads it (1, t, true, ...), a
 * duration in Go's words ("1.5s", "2h45m"), a time in RFC 3339. -EINVAL names the parameter. */
TK_MUST_USE int tk_api_param_i64(const struct tk_request *request, const char *name, int64_t *ret,
                                 struct tk_err *err);
TK_MUST_USE int tk_api_param_bool(const struct tk_request *request, const char *name,
                                  const char *alias, bool *ret, struct tk_err *err);
TK_MUST_USE int tk_api_param_duration(const struct tk_request *request, const char *name,
                                      const char *alias, int64_t *ret_ns, struct tk_err *err);
TK_MUST_USE int tk_api_param_time(const struct tk_request *request, const char *name,
                                  const char *alias, int64_t *ret_ns, struct tk_err *err);

/* A parameter that counts units since the epoch or as a duration: *ret_ns = number * unit_ns. */
TK_MUST_USE int tk_api_param_units(const struct tk_request *request, const char *name,
                                   int64_t unit_ns, int64_t *ret_ns, struct tk_err *err);

/* A duration as Go's time.ParseDuration reads it, not negative: units ns, us, \u00b5s, ms, s, m, h.
 */
bool tk_go_duration_parse(tk_str text, int64_t *ret_ns);

/* A trace id: 1 to 32 hexadecimal digits, or base64 of its 16 bytes, standard or for URLs, padded
 * or not. -EINVAL. */
TK_MUST_USE int tk_api_trace_id(tk_str text, uint8_t ret_id[16], struct tk_err *err);

/* Searches ---------------------------------------------------------------------------- */

#define TK_API_CONDITIONS 64
#define TK_API_LIMIT      10000 /* traces of one answer */

struct tk_api_search {
    struct tk_span_query query;
    struct tk_attr_condition conditions[TK_API_CONDITIONS]; /* query.conditions */
    int64_t limit;
};

/* Ask for an attribute, too. What Jaeger's and Zipkin's tags say of columns (error, span.kind,
 * otel.status_code) becomes a condition on the column. -EINVAL when there are too many. */
TK_MUST_USE int tk_api_search_add(struct tk_api_search *search,
                                  const struct tk_attr_condition *condition, struct tk_err *err);

/* Ask for all members of a JSON object of texts. */
TK_MUST_USE int tk_api_search_add_json(struct tk_api_search *search, const char *name, tk_str json,
                                       struct tk_arena *scratch, struct tk_err *err);

/* -EINVAL for limits and durations that cannot be, with the names that the API has for them. */
TK_MUST_USE int tk_api_search_check(const struct tk_api_search *search, const char *limit,
                                    const char *min, const char *max, struct tk_err *err);

/* Answers ----------------------------------------------------------------------------- */

#define TK_API_ANSWER_BYTES ((size_t)64 << 20) /* an answer ends with the trace that reaches it */

/* The HTTP status for a failure. */
int tk_api_status(int rc);

/* Begin an answer in JSON. */
void tk_api_begin(struct tk_answer *answer, int status);

/* Services that have spans, each once, sorted; in `scratch`. -ENOMEM. */
TK_MUST_USE int tk_api_services(struct tk_query_ctx *ctx, const tk_str **ret_names, size_t *ret_n,
                                struct tk_err *err);

/* Append ["a","b"]. */
void tk_api_put_names(struct tk_buf *out, const tk_str *names, size_t n);

/* Append the links between services, of spans that start in [from_ns, to_ns), as
 * {"parent","child","callCount"} each; those of `service` only, unless that is empty; with
 * "errorCount" where there are any and it is asked for. */
struct tk_api_links {
    int64_t from_ns;
    int64_t to_ns;
    tk_str service;
    bool errors;
};
TK_MUST_USE int tk_api_put_links(struct tk_query_ctx *ctx, const struct tk_api_links *links,
                                 struct tk_buf *out, struct tk_err *err);

/* Append one trace to `out`. */
typedef int (*tk_api_put_fn)(void *user, const uint8_t id[16], const struct tk_span_rows *rows,
                             struct tk_buf *out, struct tk_err *err);

/* What became of traces that were asked for. */
struct tk_api_traces {
    tk_api_put_fn put;
    void *user;
    struct tk_buf *out;
    const char *separator; /* between two traces, "," */
    size_t limit;          /* traces to put at most; 0 = all */
    size_t put_count;
    size_t missing;     /* not there */
    size_t too_large;   /* more spans, or bytes, than an answer can have */
    bool is_cut;        /* bytes: some were not looked at any more */
    uint8_t missed[16]; /* the first that is missing or too large */
};

/* Put the traces in the order of their ids. */
TK_MUST_USE int tk_api_put_traces(struct tk_query_ctx *ctx, const uint8_t (*ids)[16], size_t count,
                                  struct tk_api_traces *traces, struct tk_err *err);

/* Find traces of which a span is asked for, the latest first, and put them. */
TK_MUST_USE int tk_api_put_found(struct tk_query_ctx *ctx, const struct tk_api_search *search,
                                 struct tk_api_traces *traces, struct tk_err *err);

/* Append ids as lower-case hexadecimal digits: 32, or of a trace id whose first half is zero 16
 * when it is to be `short_form`. */
void tk_api_put_trace_id(struct tk_buf *out, const uint8_t id[16], bool short_form);
void tk_api_put_span_id(struct tk_buf *out, uint64_t id);

/* Name of a kind, "" of an unspecified one. */
const char *tk_api_kind(uint32_t kind);

#endif
