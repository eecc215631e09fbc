/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the invocations table (run/schemas.h) as spans: the one place that says what an event of
 * a run is to OpenTelemetry, for events that are sent (read_events.c) and runs that are exported
 * (otlp_spans.c). Names follow the semantic conventions where they have one; columns that they do
 * not know are attributes "tracekit.COLUMN". One thread at a time. */
#ifndef TK_SPAN_INVOCATION_SPANS_H
#define TK_SPAN_INVOCATION_SPANS_H

#include "span/reading.h"
#include "table/batch.h"

struct tk_invocation_row {
    const struct tk_batch *batch; /* of tk_schema_invocations */
    size_t row;
    tk_str run_id;  /* of the resource; empty = none */
    tk_str made_id; /* what ids are made of where the row has none; not empty */
};

/* Whether a row is an interval that a clock can show: it has a start and does not end before it. */
bool tk_invocation_is_span(const struct tk_batch *batch, size_t row);

/* Begin a row of `reading->batch` and set all that an invocation tells; the caller ends the row.
 *
 * Its ids are those of its W3C trace context where it has them, for what it called knows those;
 * else its own. A trace id is 32 hexadecimal digits, dashes passed over, a span id 16; an id of
 * another form becomes the first bytes of its SHA-256, which parent and child share. Own ids that
 * are not the span's stay readable as attributes tracekit.trace_id, .span_id, .parent_id.
 * `ret_made` tells that it had no trace or span id and got one.
 *
 * A span that ends before its start gets a duration of 0, and is counted. -EBADMSG without a start
 * or end, or with one beyond 2262; -ENOBUFS when the batch is full; fails when there is no library
 * for SHA-256. */
TK_MUST_USE int tk_invocation_put(struct tk_reading *reading, const struct tk_invocation_row *from,
                                  bool *ret_made, struct tk_err *err);

#endif
