/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the invocations table (run/schemas.h) as spans: the one place that says what an event of
 * a run is to OpenTelemetry, for events that are sent (read_events.c) and runs that are exported
 * (otlp_spans.c). Names follow the semantic conventions where they have one; columns that they do
 * not know are attributes "tracekit.COLUMN". One thread at a time. */
#ifndef TK_SPAN_INVOCATION_SPANS_H
#define TK_SPAN_INVOCATION_SPANS_H

#include "base/digest.h"
#include "span/reading.h"
#include "table/batch.h"

struct tk_invocation_row {
    const struct tk_batch *batch; /* of tk_schema_invocations */
    size_t row;
    tk_str run_id;  /* of the resource; empty = none */
    tk_str made_id; /* what ids are made of where the row lacks one; not empty then */
};

/* The id of a trace or span as that many hexadecimal digits in lower case: those of the text,
 * dashes passed over, when it has just so many and they are not all zero; else the first of its
 * SHA-256. Fails when there is no library for SHA-256. */
TK_MUST_USE int tk_invocation_id(tk_str text, size_t digits, char ret_hex[TK_DIGEST_MAX],
                                 struct tk_err *err);

/* Whether a row has both a trace and a span id, its own or of the W3C trace context. */
bool tk_invocation_has_ids(const struct tk_batch *batch, size_t row);

/* Whether a row is an interval that a clock can show: it has a start and does not end before it. */
bool tk_invocation_is_span(const struct tk_batch *batch, size_t row);

/* Begin a row of `reading->batch` and set all that an invocation tells; the caller ends the row.
 *
 * Its ids are those of its W3C trace context where it has them, for what it called knows those;
 * else its own, by tk_invocation_id(), so that parent and child share them in any form. Own ids
 * that are not the span's stay readable as attributes tracekit.trace_id, .span_id, .parent_id.
 *
 * A span that ends before its start gets a duration of 0, and is counted. -EBADMSG without a start
 * or end, or with one beyond 2262; -ENOBUFS when the batch is full; fails when there is no library
 * for SHA-256. */
TK_MUST_USE int tk_invocation_put(struct tk_reading *reading, const struct tk_invocation_row *from,
                                  struct tk_err *err);

#endif
