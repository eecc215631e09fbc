/* SPDX-License-Identifier: Apache-2.0 */
/* Spans and their children, brought together from any order: for figures over many traces, which
 * need not be trees. Put every span in as the parent that it may be and as the child that it is,
 * then walk the parents with their children. One thread at a time.
 *
 * Memory is 64 bytes a span. Who has more than fits goes several times over the spans, each time
 * with a part of the traces: tk_trace_part(). */
#ifndef TK_SPAN_SPAN_JOIN_H
#define TK_SPAN_SPAN_JOIN_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "span/span_batch.h"
#include "span/trace_id.h"

#define TK_SPAN_JOIN_BYTES 64 /* of memory, a span */

struct tk_joined_span {
    uint64_t key; /* of its own id as a parent, of its parent's as a child */
    int64_t start_ns;
    int64_t end_ns;
    uint32_t value; /* the owner's */
    uint32_t flags; /* likewise */
};

struct tk_span_join {
    struct tk_buf parents; /* struct tk_joined_span each */
    struct tk_buf children;
};

/* Which of `parts` parts the spans of a trace are in. */
static inline uint32_t tk_trace_part(const uint8_t trace_id[16], uint32_t parts)
{
    return (uint32_t)(tk_trace_id_hash(trace_id) % parts);
}

/* Room for `max_spans` spans; allocates nothing yet. */
void tk_span_join_init(struct tk_span_join *join, size_t max_spans);
void tk_span_join_release(struct tk_span_join *join);
void tk_span_join_reset(struct tk_span_join *join);

/* Put row `row` in as a parent, as a child. A span that names no parent is no child. Failures are
 * told by tk_span_join_run(). */
void tk_span_join_add_parent(struct tk_span_join *join, const struct tk_span_batch *batch,
                             size_t row, uint32_t value, uint32_t flags);
void tk_span_join_add_child(struct tk_span_join *join, const struct tk_span_batch *batch,
                            size_t row, uint32_t value, uint32_t flags);

/* Called for each parent, also those without children; these are by their start. */
typedef void (*tk_span_join_fn)(void *user, const struct tk_joined_span *parent,
                                const struct tk_joined_span *children, size_t n);

/* Walk all parents. -EMSGSIZE when more spans came than there was room for, -ENOMEM. */
TK_MUST_USE int tk_span_join_run(struct tk_span_join *join, tk_span_join_fn visit, void *user,
                                 struct tk_err *err);

#endif
