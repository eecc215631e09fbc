/* SPDX-License-Identifier: Apache-2.0 */
/* Requests with spans and what became of them, as plain data: between those who know a protocol and
 * those who take spans. */
#ifndef TK_SERVE_VERDICT_H
#define TK_SERVE_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "serve/body.h"
#include "span/span_tally.h"

enum tk_payload_kind {
    TK_PAYLOAD_OTLP = 0,
    TK_PAYLOAD_OTLP_JSON,
    TK_PAYLOAD_ZIPKIN,
    TK_PAYLOAD_ZIPKIN_JSON,
    TK_PAYLOAD_EVENTS, /* event files of a run */
    TK_PAYLOAD_KIND_COUNT
};

struct tk_payload {
    enum tk_payload_kind kind;
    enum tk_coding coding;
    tk_str body;
};

/* What to answer; each has its codes in both protocols (trace-protocols.md sections 3 and 5). */
enum tk_outcome {
    TK_OUTCOME_TAKEN = 0,  /* all of it, or but spans that are refused one by one */
    TK_OUTCOME_BAD,        /* cannot be decoded */
    TK_OUTCOME_TOO_LARGE,  /* as sent or inflated; sending it again is in vain */
    TK_OUTCOME_OVERLOADED, /* nothing was taken; later it may be */
    TK_OUTCOME_FAILED,     /* nothing is safe: the disk is full, or fails */
    TK_OUTCOME_COUNT
};

struct tk_outcome_about {
    const char *name; /* in metrics, "overloaded" */
    int http;
    int grpc;
    bool retry; /* the sender is told to try again */
};

/* By enum tk_outcome. */
extern const struct tk_outcome_about tk_outcomes[TK_OUTCOME_COUNT];

/* After how many seconds a refused sender is to try again. */
#define TK_RETRY_AFTER_S 1

struct tk_verdict {
    enum tk_outcome outcome;
    struct tk_span_tally tally; /* of this request; zero unless it was taken */
    size_t plain_bytes;         /* after inflating */
    struct tk_err err;          /* why, unless all of it was taken */
};

#endif
