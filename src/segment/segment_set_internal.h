/* SPDX-License-Identifier: Apache-2.0 */
/* What a set is made of, for its parts: segment_set.c (which files there are), segment_scan.c (rows
 * of all of them, traces by their ids), segment_find.c (the latest traces), segment_copy.c. */
#ifndef TK_SEGMENT_SEGMENT_SET_INTERNAL_H
#define TK_SEGMENT_SEGMENT_SET_INTERNAL_H

#include "segment/block_file.h"
#include "segment/folder.h"
#include "segment/operations.h"
#include "segment/segment_file.h"
#include "segment/segment_log.h"
#include "segment/segment_set.h"

/* Rows that are handed to a visitor at once: the set's batch has room for them. */
#define TK_SCAN_ROWS ((size_t)16384)

/* A segment, compressed or not, or a log. */
struct tk_segment_member {
    uint32_t number;
    enum tk_segment_kind kind;
    bool is_seen;     /* by the refresh at hand */
    bool is_replaced; /* by a segment that is there */
    struct tk_segment_file file;
    struct tk_block_file block;
    int fd; /* of a log, likewise below */
    struct tk_span_batch *batch;
    struct tk_log_mark mark;
};

struct tk_segment_set {
    int dirfd; /* own */
    bool skip_bad;
    struct tk_segment_member **members; /* [count] by number */
    size_t count;
    uint32_t *bad; /* [bad_count] numbers of files that cannot be read */
    size_t bad_count;
    struct tk_arena arena; /* of the call at hand */
    struct tk_arena names; /* of the operations that were listed last */
    struct tk_operations operations;
    struct tk_segment_reader *reader;
    struct tk_span_batch *batch; /* for visitors */
    struct tk_buf ids;
    uint64_t clock; /* of the uses of compressed segments */
};

/* The rows of a log or of a compressed segment: valid until those of another one are asked for.
 * NULL, with `err`, when they cannot be decoded. */
const struct tk_span_batch *tk_segment_set_rows(struct tk_segment_set *set,
                                                struct tk_segment_member *member,
                                                struct tk_err *err);

/* tk_segment_set_scan() of one member. */
TK_MUST_USE int tk_segment_set_scan_member(struct tk_segment_set *set,
                                           struct tk_segment_member *member,
                                           const struct tk_span_query *query,
                                           tk_span_visit_fn visit, void *user, struct tk_err *err);

/* Spans of a member. */
uint64_t tk_segment_member_spans(const struct tk_segment_member *member);

#endif
