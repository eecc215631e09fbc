/* SPDX-License-Identifier: Apache-2.0 */
/* The part of TraceQL that Grafana's search builder writes: one set of spans, by conditions:
 *
 *     { resource.service.name =~ "cart|shop" && (name = "GET" || status = error) &&
 *       duration > 100ms && span.http.status_code >= 500 && .region != nil }
 *
 * Fields: name, status, kind, duration (also as span:name, ...), nestedSetParent (< 0: a root),
 * resource.KEY, span.KEY, .KEY, with KEY in double quotes where it holds other characters.
 * Operators: = != =~ !~ > >= < <=; && binds closer than ||; "true" holds always. Patterns describe
 * all of a text, in what RE2 and POSIX have in common. No I/O; one thread at a time per query. */
#ifndef TK_SERVE_TRACEQL_H
#define TK_SERVE_TRACEQL_H

#include <regex.h>

#include "base/arena.h"
#include "serve/api.h"

#define TK_TRACEQL_MAX 32 /* alternatives, and patterns */

/* A span is asked for when one of the alternatives asks for it; their queries are linked by
 * `otherwise`, beginning with the first one. */
struct tk_traceql {
    struct tk_api_search alternatives[TK_TRACEQL_MAX];
    size_t count; /* at least 1 */
    regex_t patterns[TK_TRACEQL_MAX];
    size_t pattern_count;
};

/* Read a query; each alternative asks for what `base` does, too. Texts with escapes are decoded
 * into `scratch`, all others are views. -EINVAL names the byte and what was expected or is not
 * supported, -ENOMEM. */
TK_MUST_USE int tk_traceql_parse(tk_str text, const struct tk_api_search *base,
                                 struct tk_arena *scratch, struct tk_traceql **ret_query,
                                 struct tk_err *err);

/* Accepts NULL. */
void tk_traceql_free(struct tk_traceql *query);

#endif
