/* SPDX-License-Identifier: Apache-2.0 */
/* What became of the spans of an input: taken, refused with a reason, or taken with a repair. The
 * reasons are one table for messages, reports and metrics (trace-protocols.md section 2.2). */
#ifndef TK_SPAN_SPAN_TALLY_H
#define TK_SPAN_SPAN_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum tk_span_reason {
    /* refused */
    TK_SPAN_BAD_TRACE_ID = 0, /* not 16 bytes, or all zero */
    TK_SPAN_BAD_SPAN_ID,      /* not 8 bytes, or all zero */
    TK_SPAN_BAD_PARENT_ID,    /* neither empty nor 8 bytes */
    TK_SPAN_BAD_TIME,         /* absent, or beyond 2262 */
    TK_SPAN_TOO_LARGE,        /* does not fit an empty batch */
    TK_SPAN_BAD_RECORD,       /* a line or object that is no span */
    TK_SPAN_DUPLICATE,        /* de-duplicated where the reader says so */
    /* taken, and repaired or cut */
    TK_SPAN_NO_START,   /* not told: that of its first event, of its trace, or the arrival */
    TK_SPAN_ENDS_EARLY, /* end < start: duration 0 */
    TK_SPAN_NO_UTF8,    /* text kept as bytes */
    TK_SPAN_MADE_ID,    /* had no trace or span id, got one */
    TK_SPAN_CUT_ATTRS,  /* attributes above the cap, counted as dropped */
    TK_SPAN_REASON_COUNT
};

struct tk_span_reason_about {
    const char *name; /* in metrics and JSON, "bad_trace_id" */
    const char *text; /* after a number: "with a trace id that is not 16 bytes or zero" */
    bool refused;
};

/* By enum tk_span_reason. */
extern const struct tk_span_reason_about tk_span_reasons[TK_SPAN_REASON_COUNT];

struct tk_span_tally {
    uint64_t spans; /* taken */
    uint64_t by_reason[TK_SPAN_REASON_COUNT];
};

/* Sum of the refused. */
uint64_t tk_span_tally_refused(const struct tk_span_tally *tally);

/* Add one tally to another. */
void tk_span_tally_add(struct tk_span_tally *sum, const struct tk_span_tally *tally);

/* Append "3 spans with ..., 1 span with ..." of the refused, or of the repaired; nothing when there
 * are none. */
void tk_span_tally_format(const struct tk_span_tally *tally, bool refused, struct tk_buf *out);

#endif
