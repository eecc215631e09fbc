/* SPDX-License-Identifier: Apache-2.0 */
/* Context propagation (trace-protocols.md section 10): the trace and the span in which something
 * was started, as W3C Trace Context and W3C Baggage carry it, here in the environment: TRACEPARENT,
 * TRACESTATE, BAGGAGE. Pure functions, safe from any thread. */
#ifndef TK_SPAN_PROPAGATION_H
#define TK_SPAN_PROPAGATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

#define TK_TRACEPARENT_BYTES 55 /* "00-", 32 digits, "-", 16, "-", 2 */
#define TK_TRACE_SAMPLED     1U /* of the flags */

struct tk_traceparent {
    uint8_t trace_id[16];
    uint64_t span_id; /* the eight bytes as sent, by memcpy */
    uint8_t flags;
};

/* Read "00-<32 hex>-<16 hex>-<2 hex>", lower case, ids not zero; a higher version may go on after
 * a "-". False when it is none: there is no context then. */
bool tk_traceparent_parse(tk_str text, struct tk_traceparent *ret);

/* Write it as version 00, terminated. */
void tk_traceparent_format(const struct tk_traceparent *parent, char ret[TK_TRACEPARENT_BYTES + 1]);

/* Append `text`, a list with commas, with at most `max_members` members and `max_bytes` bytes:
 * whole members are left out, first those longer than 128 bytes, then from the end. */
void tk_tracestate_put(tk_str text, struct tk_buf *out);
void tk_baggage_put(tk_str text, struct tk_buf *out);

/* Append OTEL_RESOURCE_ATTRIBUTES as it was ("" = none) with one attribute more, in place of an
 * older one of the same key. SDKs put what stands there on their Resource. Neither key nor value
 * needs escapes. */
void tk_resource_attributes_put(tk_str text, tk_str key, tk_str value, struct tk_buf *out);

/* The key under which a command's spans tell the span that it was started in: SDKs do not read
 * TRACEPARENT by themselves, but they do read resource attributes. */
#define TK_PARENT_ATTRIBUTE "tracekit.parent"

#endif
