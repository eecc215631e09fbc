/* SPDX-License-Identifier: Apache-2.0 */
/* Traces by their ids, one after the other, in bounded memory: as many at a time are read as fit
 * into a batch. One thread at a time. */
#ifndef TK_SEGMENT_TRACE_WALK_H
#define TK_SEGMENT_TRACE_WALK_H

#include "segment/segment_set.h"

/* Called with all spans of one trace, by their start; `rows` is NULL when it has more than fit into
 * the batch, and without rows when there is no such trace. Returns 0 to go on, 1 to stop, or a
 * failure. */
typedef int (*tk_trace_visit_fn)(void *user, const uint8_t id[16], const struct tk_span_rows *rows,
                                 struct tk_err *err);

struct tk_trace_walk {
    struct tk_span_batch *batch; /* reset again and again */
    tk_trace_visit_fn visit;
    void *user;
};

/* Walk the traces in the order of the ids. Returns 0, 1 when the visitor stopped, or a failure. */
TK_MUST_USE int tk_segment_set_walk_traces(struct tk_segment_set *set, const uint8_t (*ids)[16],
                                           size_t count, const struct tk_trace_walk *walk,
                                           struct tk_err *err);

#endif
