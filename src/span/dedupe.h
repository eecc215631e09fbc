/* SPDX-License-Identifier: Apache-2.0 */
/* Spans that come again: clients repeat what was not acknowledged, files overlap, a trace is
 * downloaded once per service. A span is its trace id, its id and its kind (Zipkin's client and
 * server halves share an id); the first one stays. What was seen is known by 128 bits of hash, for
 * the last 4 to 8 million spans: memory is bounded by 256 MiB. One thread at a time. */
#ifndef TK_SPAN_DEDUPE_H
#define TK_SPAN_DEDUPE_H

#include "span/span_batch.h"
#include "span/span_tally.h"

struct tk_dedupe;

TK_MUST_USE int tk_dedupe_new(struct tk_dedupe **ret_dedupe, struct tk_err *err);

/* Accepts NULL. */
void tk_dedupe_free(struct tk_dedupe *dedupe);

/* Take the rows from `first` on that were seen before out of the batch, and count them as refused
 * instead of taken. -ENOMEM. */
TK_MUST_USE int tk_dedupe_filter(struct tk_dedupe *dedupe, struct tk_span_batch *batch,
                                 size_t first, struct tk_span_tally *tally, struct tk_err *err);

#endif
