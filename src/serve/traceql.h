/* SPDX-License-Identifier: Apache-2.0 */
/* The part of TraceQL that Grafana's search builder writes: one set of spans, all of whose
 * conditions hold:
 *
 *     { resource.service.name = "cart" && name = "GET" && status = error && duration > 100ms &&
 *       span.http.status_code >= 500 && .region != nil }
 *
 * Fields: name, status, kind, duration (also as span:name, ...), resource.KEY, span.KEY, .KEY, with
 * KEY in double quotes where it holds other characters. Operators: = != > >= < <=. Pure functions.
 */
#ifndef TK_SERVE_TRACEQL_H
#define TK_SERVE_TRACEQL_H

#include "base/arena.h"
#include "serve/api.h"

/* Read a query into `search`; texts with escapes are decoded into `scratch`, all others are views.
 * -EINVAL names the byte and what was expected or is not supported. */
TK_MUST_USE int tk_traceql_parse(tk_str text, struct tk_arena *scratch,
                                 struct tk_api_search *search, struct tk_err *err);

#endif
