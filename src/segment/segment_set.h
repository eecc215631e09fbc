/* SPDX-License-Identifier: Apache-2.0 */
/* What the folder of spans holds: sealed segments, and logs that were left or are being written.
 * The set is a snapshot; tk_segment_set_refresh() looks again and keeps what it knows of the files
 * that are still there. One thread at a time. */
#ifndef TK_SEGMENT_SEGMENT_SET_H
#define TK_SEGMENT_SEGMENT_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "segment/span_query.h"
#include "span/span_batch.h"

struct tk_segment_set;

/* Open the folder, which stays the caller's. A file that is no segment fails with its name;
 * `skip_bad` counts it instead. */
TK_MUST_USE int tk_segment_set_new(int dirfd, bool skip_bad, struct tk_segment_set **ret_set,
                                   struct tk_err *err);
/* The blocks of a file of compressed traces as such a folder, to be read and not refreshed.
 * -ENOENT, -EBADMSG when it is none, damaged or cut off. */
TK_MUST_USE int tk_segment_set_new_of_blocks(int dirfd, const char *name,
                                             struct tk_segment_set **ret_set, struct tk_err *err);

TK_MUST_USE int tk_segment_set_refresh(struct tk_segment_set *set, struct tk_err *err);

/* Accepts NULL. */
void tk_segment_set_free(struct tk_segment_set *set);

struct tk_segment_totals {
    uint64_t spans;
    uint64_t segments;
    uint64_t logs;      /* not sealed */
    uint64_t bad_files; /* skipped */
    int64_t first_ns;   /* earliest start */
    int64_t last_ns;    /* latest end */
};

/* Sums of what the snapshot holds. */
void tk_segment_set_count(const struct tk_segment_set *set, struct tk_segment_totals *ret_totals);

/* Services, or operations of a service (p == NULL = of all) with their kinds, sorted, each once. */
struct tk_span_operation {
    tk_str service;
    tk_str name;
    uint32_t kind;
    uint64_t spans;
};

TK_MUST_USE int tk_segment_set_operations(struct tk_segment_set *set, tk_str service,
                                          const struct tk_span_operation **ret_items, size_t *ret_n,
                                          struct tk_err *err);

/* Called with the rows of a batch that match, in the order of the segments; the batch is the set's
 * and may hold other rows too. Returns 0 to go on, 1 to stop, or a failure. */
typedef int (*tk_span_visit_fn)(void *user, const struct tk_span_rows *rows, struct tk_err *err);

TK_MUST_USE int tk_segment_set_scan(struct tk_segment_set *set, const struct tk_span_query *query,
                                    tk_span_visit_fn visit, void *user, struct tk_err *err);

struct tk_segment_sink;

/* All spans of the snapshot as segments of a sink without a log. A segment of at least half the
 * length of a new one is copied as it is stored (tk_segment_sink_copy()), all others by rows. */
TK_MUST_USE int tk_segment_set_copy(struct tk_segment_set *set, struct tk_segment_sink *sink,
                                    struct tk_err *err);

/* Where a walk over all spans stands; zero = at the first one. */
struct tk_segment_cursor {
    size_t member; /* the segment or log */
    size_t group;  /* of rows in a segment */
    size_t row;
};

/* Append the next spans of the snapshot to `batch`, as many as there is room for: 0 = there may be
 * more, 1 = that was all. The set must not be refreshed in between. -ENOBUFS when the batch is
 * full.
 */
TK_MUST_USE int tk_segment_set_read(struct tk_segment_set *set, struct tk_segment_cursor *cursor,
                                    struct tk_span_batch *batch, struct tk_err *err);

/* Append all spans of these traces to `batch`, sorted by trace (in the order given) and start.
 * -ENOBUFS when the batch has no room. */
TK_MUST_USE int tk_segment_set_traces(struct tk_segment_set *set, const uint8_t (*ids)[16],
                                      size_t count, struct tk_span_batch *batch,
                                      struct tk_err *err);

/* The ids of at most `limit` traces of which a span matches any of the queries, latest start first.
 * `ids` is the set's until the next call. */
TK_MUST_USE int tk_segment_set_find(struct tk_segment_set *set, const struct tk_span_query *query,
                                    size_t limit, const uint8_t (**ret_ids)[16], size_t *ret_count,
                                    struct tk_err *err);

#endif
