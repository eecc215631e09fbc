/* SPDX-License-Identifier: Apache-2.0 */
/* Requests as plain data, handlers, answers. A handler knows no HTTP library: tests call it
 * directly, and HTTP/1.1 and HTTP/2 share it. */
#ifndef TK_SERVE_ROUTES_H
#define TK_SERVE_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "segment/segment_set.h"

struct tk_param {
    tk_str name; /* decoded */
    tk_str value;
};

/* All borrowed for the call. */
struct tk_request {
    tk_str method;
    tk_str path;                   /* decoded, without the query */
    const struct tk_param *params; /* of the query, in order; a name may come again */
    size_t param_count;
    tk_str accept; /* "" = no such header */
    tk_str content_type;
    tk_str body;
};

struct tk_answer {
    int status;               /* of HTTP; 0 until it is set */
    const char *content_type; /* static */
    struct tk_buf body;
    int64_t retry_after_s; /* 0 = no such header */
    const char *policy;    /* Content-Security-Policy of a page; NULL = no such header */
    const char *allow;     /* methods that the path knows, of a 405; NULL = no such header */
};

/* What a query needs; one of each worker, so used by one thread at a time. */
struct tk_query_ctx {
    struct tk_segment_set *set;  /* refreshed before the call */
    struct tk_span_batch *batch; /* for traces; reset before the call */
    struct tk_arena *scratch;    /* reset before the call */
    int64_t now_ns;              /* wall clock */
};

/* The value of a parameter: the first of that name; false = it is not there. */
bool tk_request_param(const struct tk_request *request, const char *name, tk_str *ret_value);

struct tk_route {
    const char *method;
    const char *path;  /* exact, or with one "{}" for a segment, "/api/traces/{}" */
    const char *about; /* one line, for the list at "/" */

    /* Fill the answer. `segment` is what stood for "{}". A failure becomes a 500 with its text. */
    TK_MUST_USE int (*handle)(struct tk_query_ctx *ctx, const struct tk_request *request,
                              tk_str segment, struct tk_answer *answer, struct tk_err *err);
};

/* Tables of the query APIs; each ends with {0}. */
extern const struct tk_route tk_routes_jaeger[];
extern const struct tk_route tk_routes_jaeger3[];
extern const struct tk_route tk_routes_zipkin[];
extern const struct tk_route tk_routes_tempo[];

/* The route of a path in all tables; NULL = none. `ret_known` tells whether the path is known with
 * another method (405). */
const struct tk_route *tk_routes_find(tk_str method, tk_str path, tk_str *ret_segment,
                                      bool *ret_known);

/* Append a line for each route, for "/". */
void tk_routes_list(struct tk_buf *out);

#endif
