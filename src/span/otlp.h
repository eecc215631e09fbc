/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP traces: the messages TracesData and ExportTraceServiceRequest, which have the same bytes, as
 * protobuf and as JSON, to and from a batch of spans without loss (trace-protocols.md sections 2
 * and 4; opentelemetry-proto 1.11). Bytes go straight to columns. No I/O. One thread at a time per
 * object. */
#ifndef TK_SPAN_OTLP_H
#define TK_SPAN_OTLP_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "span/any_value.h"
#include "span/span_batch.h"
#include "span/span_tally.h"

#define TK_OTLP_MAX_ATTRS 1024 /* of a span, event ...; more are counted as dropped */

/* A reader into one batch: remembers the resources, scopes and texts that it met, so that the next
 * request costs no look-up for what it shares with the last. */
struct tk_otlp_reader;

TK_MUST_USE int tk_otlp_reader_new(struct tk_span_batch *batch, struct tk_otlp_reader **ret_reader,
                                   struct tk_err *err);

/* Accepts NULL; the batch stays. */
void tk_otlp_reader_free(struct tk_otlp_reader *reader);

/* The batch was reset, or another one takes its place. */
void tk_otlp_reader_reset(struct tk_otlp_reader *reader, struct tk_span_batch *batch);

/* Append the spans of one message. All or nothing: after a failure the batch is as it was.
 *
 * Invalid spans are left out and counted in `tally`, which is added to. Fails with -EBADMSG (byte
 * and what was expected), -EMSGSIZE when values nest too deep, -ENOBUFS when the batch has no room
 * (reset it and call again; on an empty batch the message is too large). */
TK_MUST_USE int tk_otlp_decode(struct tk_otlp_reader *reader, tk_str message,
                               struct tk_span_tally *tally, struct tk_err *err);
TK_MUST_USE int tk_otlp_decode_json(struct tk_otlp_reader *reader, tk_str text,
                                    struct tk_span_tally *tally, struct tk_err *err);

/* Append rows as one message. Neighbours of one scope share their ScopeSpans, neighbours of one
 * resource their ResourceSpans. The JSON form has no newline at its end. */
void tk_otlp_encode(const struct tk_span_rows *rows, struct tk_buf *out);
void tk_otlp_encode_json(const struct tk_span_rows *rows, struct tk_buf *out);

#endif
