/* SPDX-License-Identifier: Apache-2.0 */
/* Spans that come again: clients repeat what was not acknowledged, files overlap, a trace is
 * downloaded once per service. A span is its trace id, its id and its kind (Zipkin's client and
 * server halves share an id); the first one stays. What was seen is known by 72 bits of hash, so
 * that of 100 million spans one is taken for another with a chance below one in a million. A span
 * takes 11 to 16 bytes. One thread at a time. */
#ifndef TK_SPAN_DEDUPE_H
#define TK_SPAN_DEDUPE_H

#include "span/span_batch.h"
#include "span/span_tally.h"

struct tk_dedupe;

/* Know the last `spans` to twice as many; 0 = 4 million, so at most 96 MiB. -ENOMEM. */
TK_MUST_USE int tk_dedupe_new(size_t spans, struct tk_dedupe **ret_dedupe, struct tk_err *err);

/* Accepts NULL. */
void tk_dedupe_free(struct tk_dedupe *dedupe);

/* Take the rows from `first` on that were seen before out of the batch, and count them as refused
 * instead of taken. -ENOMEM. */
TK_MUST_USE int tk_dedupe_filter(struct tk_dedupe *dedupe, struct tk_span_batch *batch,
                                 size_t first, struct tk_span_tally *tally, struct tk_err *err);

#endif
