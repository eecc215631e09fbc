/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a run as OTLP/JSON (opentelemetry-proto 1.x, "JSON Protobuf Encoding"), as an
 * OpenTelemetry collector's file exporter writes and its receivers read it: one request a line, one
 * request a batch. Names follow the semantic conventions where they have one; columns that they do
 * not know are attributes "tracekit.COLUMN". No I/O. */
#ifndef TK_SPAN_OTLP_WRITE_H
#define TK_SPAN_OTLP_WRITE_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "table/batch.h"

/* One export on its way; zeroed but for run_id. */
struct tk_otlp {
    tk_str run_id;     /* attribute tracekit.run_id; borrowed */
    uint64_t spans;    /* written */
    uint64_t points;   /* of metrics, written */
    uint64_t no_times; /* rows without start or end, or that end before they start: left out */
    uint64_t made_ids; /* spans that had no trace or span id and got one */
};

/* Append the rows of a batch of invocations as an ExportTraceServiceRequest, and a newline; nothing
 * where no row can be a span.
 *
 * A trace id is the 32 hexadecimal digits of ours without dashes, a span id 16; an id of another
 * form becomes the first bytes of its SHA-256, which parent and child share, and stays readable as
 * an attribute. Fails when there is no library for SHA-256. */
TK_MUST_USE int tk_otlp_encode_spans(struct tk_otlp *otlp, const struct tk_batch *invocations,
                                     struct tk_buf *out, struct tk_err *err);

/* Append the figures of a batch of host_metrics, link_metrics or proc_metrics that have a name in
 * the semantic conventions, as an ExportMetricsServiceRequest and a newline; nothing where there
 * are none. */
TK_MUST_USE int tk_otlp_encode_metrics(struct tk_otlp *otlp, const struct tk_batch *batch,
                                       struct tk_buf *out, struct tk_err *err);

/* Whether tk_otlp_encode_metrics() takes anything of a table. */
bool tk_otlp_has_metrics(const struct tk_schema *schema);

#endif
