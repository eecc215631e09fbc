/* SPDX-License-Identifier: Apache-2.0 */
/* What a receiver's answer means for the spans of its request: trace-protocols.md sections 3 and 5
 * (opentelemetry.io/docs/specs/otlp, "OTLP/HTTP response", "OTLP/gRPC throttling"). */
#ifndef TK_LOAD_ANSWER_H
#define TK_LOAD_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* As it came; all texts borrowed, "" = absent. */
struct tk_load_answer {
    bool grpc;
    bool json;          /* the body is */
    int http_status;    /* 0 = the stream ended without one */
    int grpc_status;    /* -1 = none */
    tk_str retry_after; /* header of HTTP */
    tk_str message;     /* grpc-message, percent-encoded */
    tk_str details;     /* grpc-status-details-bin, base64 */
    tk_str body;        /* of gRPC with its prefix of five bytes */
};

enum tk_load_outcome {
    TK_LOAD_ACCEPTED = 0, /* also with some spans rejected: those are never sent again */
    TK_LOAD_REJECTED,     /* all spans, for good */
    TK_LOAD_RETRY,        /* none was taken; send them again */
};

#define TK_LOAD_REASON_MAX 200

struct tk_load_verdict {
    enum tk_load_outcome outcome;
    int code;                        /* status of gRPC, else of HTTP */
    uint64_t rejected_spans;         /* of an accepted request */
    int64_t delay_ns;                /* RETRY: as the receiver asks; -1 = it does not say */
    char reason[TK_LOAD_REASON_MAX]; /* in the receiver's words, printable ASCII; may be "" */
};

/* Judge an answer. `now_real_ns` is the wall clock, for dates in Retry-After. Retried are exactly
 * 429, 502, 503, 504, or of gRPC 1, 4, 10, 11, 14, 15, and 8 when it comes with RetryInfo. Pure. */
void tk_load_judge(const struct tk_load_answer *answer, int64_t now_real_ns,
                   struct tk_load_verdict *ret_verdict);

/* The delay that a header Retry-After asks for, seconds or a date of HTTP (RFC 9110 section
 * 10.2.3), 0 at least; -1 when it is neither. Pure. */
int64_t tk_load_retry_after_ns(tk_str text, int64_t now_real_ns);

/* How a code reads in a report, for those that receivers send as a rule ("429 too many requests",
 * "14 unavailable"); NULL of others. */
const char *tk_load_code_text(bool grpc, int code);

#endif
