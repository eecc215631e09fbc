/* SPDX-License-Identifier: Apache-2.0 */
/* All spans of a join in memory, some 100 bytes each: who they are, when, and which called which.
 * One thread at a time. */
#ifndef TK_SPAN_BILL_SPANS_H
#define TK_SPAN_BILL_SPANS_H

#include "base/buf.h"
#include "span/bill_match.h"
#include "span/span_batch.h"

struct tk_bill_span {
    uint8_t trace_id[16];
    uint64_t span_id, parent_id; /* as in a batch */
    int64_t start_ns, end_ns;
    uint32_t name;     /* text */
    uint32_t resource; /* index */
    uint32_t parent;   /* index of the span that called it; TK_BILL_NONE = none, or not here */
    uint32_t above;    /* the next one above it that the same processes served; TK_BILL_NONE */
    struct tk_bill_answer answer;
};

/* A Resource, once however many batches it comes in. */
struct tk_bill_sender {
    uint32_t service; /* text; 0 = not told */
    uint32_t host;    /* text of host.name; 0 = not told */
    struct tk_bill_resource who;
};

struct tk_bill_spans {
    struct tk_bill_span *items; /* [count], owned; by start after finish */
    uint32_t count, cap;
    struct tk_bill_sender *senders; /* [sender_count], owned */
    uint32_t sender_count, sender_cap;
    uint32_t *order; /* [count], owned: parents before their children; set by finish */
    struct tk_texts texts;
    struct tk_map by_attrs; /* text of all attributes: sender */
    struct tk_buf scratch;
    uint64_t duplicates; /* spans with the id of another one of their trace: children are the
                            first one's */
    uint64_t orphans;    /* whose parent is not here */
    uint64_t cycles;     /* that call themselves in the end: they have no parent then */
};

TK_MUST_USE int tk_bill_spans_init(struct tk_bill_spans *spans, struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_bill_spans_release(struct tk_bill_spans *spans);

/* Add rows of a batch; Resources are asked of the matcher. -ENOMEM, -EMSGSIZE. */
TK_MUST_USE int tk_bill_spans_add(struct tk_bill_spans *spans, struct tk_bill_matcher *matcher,
                                  const struct tk_span_rows *rows, struct tk_err *err);

/* All are in: sort by start, find parents. -ENOMEM. */
TK_MUST_USE int tk_bill_spans_finish(struct tk_bill_spans *spans, struct tk_err *err);

#endif
