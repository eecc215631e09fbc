/* SPDX-License-Identifier: Apache-2.0 */
/* The place of a command that we start in a trace: a span of its own, whose parent is the span that
 * we were started in. The command's environment tells it: TRACEPARENT, TRACESTATE and BAGGAGE
 * (span/propagation.h), and OTEL_RESOURCE_ATTRIBUTES, so that the spans of any OpenTelemetry SDK
 * below can be joined with its processes. */
#ifndef TK_CMD_CHILD_CONTEXT_H
#define TK_CMD_CHILD_CONTEXT_H

#include "span/propagation.h"

struct tk_child_context {
    struct tk_traceparent span; /* of the command */
    bool has_parent;            /* we were started in a span */
    uint64_t parent_id;         /* ... this one, of the same trace */
};

/* The span of a command: in the trace that our environment names; else in that of `trace_id`, 32
 * hexadecimal digits, dashes passed over, or anything else, of which the first bytes of the SHA-256
 * count (NULL or "" = not told); else in a new one. */
void tk_child_context_make(const char *trace_id, struct tk_child_context *ret);

/* Put it into our environment, which the command inherits. Before there are threads. */
void tk_child_context_set(const struct tk_child_context *context);

/* Lower-case hexadecimal digits, terminated. */
void tk_child_context_format(const struct tk_child_context *context, char ret_trace_id[33],
                             char ret_span_id[17], char ret_parent_id[17]);

#endif
