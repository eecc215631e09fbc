/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of answers to those who send spans: ExportTraceServiceResponse and google.rpc.Status, as
 * protobuf and as JSON (trace-protocols.md sections 3 and 5). Pure functions, safe from any thread.
 */
#ifndef TK_SERVE_ANSWER_H
#define TK_SERVE_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "span/span_tally.h"

/* Append the response of a request that was taken: empty when all is well, else partial_success
 * with how many were refused and why, or with a warning of what was repaired. */
void tk_export_response_encode(const struct tk_span_tally *tally, bool json, struct tk_buf *out);

struct tk_rpc_status {
    int code; /* of google.rpc.Code */
    tk_str message;
    bool bad_request;      /* with google.rpc.BadRequest, which says the same */
    int64_t retry_after_s; /* with google.rpc.RetryInfo; 0 = without */
};

/* Append a google.rpc.Status. */
void tk_rpc_status_encode(const struct tk_rpc_status *status, bool json, struct tk_buf *out);

#endif
