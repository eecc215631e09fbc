/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be done with an HTTP request, as far as its head tells: before a byte of its body is
 * taken. Pure functions, safe from any thread. */
#ifndef TK_SERVE_PLAN_H
#define TK_SERVE_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "serve/counters.h"
#include "serve/routes.h"
#include "serve/signals.h"
#include "serve/verdict.h"

/* Header filter --------------------------------------------------------------------------- */

/* Headers that two readers of one connection could take for two different requests (RFC 9112
 * section 11.2): libmicrohttpd 0.9.75 lets them pass. A zeroed struct has seen none. */
struct tk_head_filter {
    int lengths, hosts, codings; /* Content-Length, Host, Transfer-Encoding */
    bool has_bad_coding;         /* other than "chunked" */
    bool has_bad_name;           /* no token: "Content-Length " */
    bool has_bad_length;         /* not only digits */
    uint64_t length;             /* of the body; 0 when it is chunked */
};

/* Look at one header. */
void tk_head_filter_add(struct tk_head_filter *filter, tk_str name, tk_str value);

/* Why the request is refused, with 400 and the end of the connection; NULL = it is not. */
const char *tk_head_filter_reason(const struct tk_head_filter *filter);

/* Plan ------------------------------------------------------------------------------------- */

struct tk_head {
    enum tk_protocol protocol; /* of the listener: that is what it is there for */
    tk_str method;
    tk_str path;
    tk_str content_type;
    tk_str content_encoding;
    uint64_t length;  /* 0 = none, or not told */
    tk_str otlp_path; /* where OTLP is taken besides /v1/traces; "" = nowhere */
    bool has_site;    /* the listener of queries has a page to show */
};

enum tk_plan_kind {
    TK_PLAN_REFUSE = 0, /* the answer says why */
    TK_PLAN_SPANS,
    TK_PLAN_HEALTH,
    TK_PLAN_METRICS,
    TK_PLAN_LIST,
    TK_PLAN_QUERY,
    TK_PLAN_SITE,
    TK_PLAN_PREFLIGHT, /* a page asks whether it may; it may */
};

struct tk_plan {
    enum tk_plan_kind kind;
    enum tk_payload_kind payload; /* of SPANS, and of a refusal that has a body in that format */
    enum tk_coding coding;
    bool speaks_otlp;      /* the answer is OTLP's: of a known media type */
    enum tk_signal signal; /* that is refused; TK_SIGNAL_COUNT = none is */
};

/* Decide; `answer`, whose body is initialised, is filled where the plan is to refuse. */
void tk_plan_make(const struct tk_head *head, size_t max_body_bytes, struct tk_plan *ret_plan,
                  struct tk_answer *answer);

/* The answer to a request with spans. */
void tk_verdict_put(const struct tk_verdict *verdict, enum tk_payload_kind kind,
                    struct tk_answer *answer);

/* Append the list of what a listener answers, for "/"; `otlp_path` as in struct tk_head. */
void tk_plan_list(enum tk_protocol protocol, tk_str otlp_path, struct tk_buf *out);

#endif
