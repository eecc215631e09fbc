/* SPDX-License-Identifier: Apache-2.0 */
/* Requests encoded before the first is sent: the sender is to cost less than the receiver. Each
 * body knows where its ids and times stand, so that a copy with other ids and later times takes a
 * few microseconds:
 *
 *     tk_load_bodies_new(&opts, &bodies, err);
 *     tk_load_bodies_add(bodies, &rows, err);       any number of times
 *     tk_load_bodies_finish(bodies, err);           sorted by when they are due
 *     tk_load_body_copy(bodies, i, &change, buf);   for each sending
 *
 * Memory is bounded by `max_bytes`. One thread at a time. */
#ifndef TK_LOAD_BODIES_H
#define TK_LOAD_BODIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "span/span_batch.h"

#define TK_LOAD_BODIES_MAX_BYTES ((size_t)4 << 30)

/* Zero = the default. */
struct tk_load_bodies_opts {
    size_t batch_spans; /* most spans of a body; 0 = 512 */
    int64_t batch_ns;   /* most time between the ends of its spans; 0 = any */
    bool json;          /* OTLP/JSON, else protobuf */
    bool gzip;          /* compressed, when they are finished or as they are copied */
    bool changes;       /* they will be copied with other ids or times */
    uint64_t max_spans; /* those behind are left out and counted; 0 = all */
    size_t max_bytes;   /* 0 = TK_LOAD_BODIES_MAX_BYTES */
};

/* What stands at a place: in protobuf 16 bytes, 8 bytes, or 8 bytes little-endian; in JSON 32, 16
 * or 19 digits. */
enum tk_place {
    TK_PLACE_TRACE_ID = 0, /* of the spans themselves, in their order */
    TK_PLACE_SPAN_ID,      /* likewise */
    TK_PLACE_LINK_TRACE_ID,
    TK_PLACE_OTHER_SPAN_ID, /* of parents and links */
    TK_PLACE_TIME,
    TK_PLACE_COUNT
};

/* Offsets [begin, begin + n) of the array of places. */
struct tk_load_body_places {
    uint32_t begin;
    uint32_t n;
};

struct tk_load_body {
    const char *p; /* as it is sent when nothing is changed */
    size_t n;
    uint32_t spans;
    int64_t end_ns; /* the latest end of its spans: when an exporter would have had them */
    struct tk_load_body_places places[TK_PLACE_COUNT]; /* empty without opts.changes */
};

struct libdeflate_compressor;

struct tk_load_bodies {
    struct tk_load_bodies_opts opts;
    struct tk_arena bytes;
    struct tk_arena places;     /* uint32_t: offsets in a body */
    struct tk_load_body *items; /* owned [count] */
    size_t count, cap;
    uint64_t spans;
    uint64_t left_out;                     /* beyond max_spans */
    uint64_t encoded_bytes;                /* before compression */
    struct libdeflate_compressor *deflate; /* owned; NULL without gzip */
    struct tk_buf encoded;                 /* scratch */
    struct tk_buf packed;                  /* scratch */
    struct tk_buf found[TK_PLACE_COUNT];   /* scratch: uint32_t */
};

TK_MUST_USE int tk_load_bodies_new(const struct tk_load_bodies_opts *opts,
                                   struct tk_load_bodies **ret_bodies, struct tk_err *err);

/* Accepts NULL. */
void tk_load_bodies_free(struct tk_load_bodies *bodies);

/* For TK_CLEANUP. */
void tk_load_bodies_freep(struct tk_load_bodies **bodies);

/* Encode rows, in the order of their ends, as bodies of at most batch_spans spans; within a body
 * spans of one resource stand together. Fails with -EMSGSIZE when max_bytes are full. */
TK_MUST_USE int tk_load_bodies_add(struct tk_load_bodies *bodies, const struct tk_span_rows *rows,
                                   struct tk_err *err);

/* No more rows: sort the bodies by end, compress them. -ENODATA when there are none. */
TK_MUST_USE int tk_load_bodies_finish(struct tk_load_bodies *bodies, struct tk_err *err);

/* Ids and times of a copy. Ids are mapped one to one, so that traces stay traces: the bits of each
 * are flipped where the masks have ones. */
struct tk_load_body_change {
    uint64_t trace_mask[2];
    uint64_t span_mask;
    int64_t shift_ns; /* added to every time but 0 */
};

/* Masks of a pass, other ones for each seed and pass; pass 0 of seed 0 changes nothing. */
struct tk_load_body_change tk_load_body_change_of(uint64_t seed, uint64_t pass);

/* Replace `to` by the body with the change. */
TK_MUST_USE int tk_load_body_copy(struct tk_load_bodies *bodies, size_t index,
                                  const struct tk_load_body_change *change, struct tk_buf *to,
                                  struct tk_err *err);

/* Append the ids of the spans of the body under the change: for each the 16 bytes of the trace's
 * and the 8 of the span's own. Needs opts.changes. */
void tk_load_body_put_ids(const struct tk_load_bodies *bodies, size_t index,
                          const struct tk_load_body_change *change, struct tk_buf *to);

#endif
