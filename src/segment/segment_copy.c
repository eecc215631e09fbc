/* SPDX-License-Identifier: Apache-2.0 */
/* All spans of a set into another folder: segments that are long enough as they are stored, others
 * row by row into segments of the length that the sink makes. */
#include <errno.h>

#include "segment/segment_set_internal.h"
#include "segment/segment_sink.h"

/* The rows go to the batch of the sink, which is sealed when it is full. */
static int take_rows(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    struct tk_segment_sink *sink = user;
    int rc = 0;
    for (size_t i = 0; i < rows->n && rc == 0;) {
        struct tk_span_copy *copy = NULL;
        rc = tk_span_copy_new(tk_segment_sink_batch(sink), rows->batch, &copy, err);
        while (rc == 0 && i < rows->n) {
            rc = tk_span_copy_row(copy, tk_span_rows_at(rows, i));
            i += rc == 0;
        }
        tk_span_copy_free(copy);
        if (rc == -ENOBUFS)
            rc = tk_segment_sink_seal(sink, err);
    }
    return rc;
}

/* The member is a segment that two of would fill a new one: merging them saves a hundredth of the
 * bytes and takes thirty times as long. */
static bool is_long(const struct tk_segment_member *member, const struct tk_span_batch *batch)
{
    return member->kind == TK_SEGMENT_PART &&
           tk_segment_member_spans(member) >= batch->max_rows / 2;
}

int tk_segment_set_copy(struct tk_segment_set *set, struct tk_segment_sink *sink,
                        struct tk_err *err)
{
    static const struct tk_span_query all = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < set->count; i++) {
        struct tk_segment_member *member = set->members[i];
        if (member->is_replaced)
            continue;
        if (!is_long(member, tk_segment_sink_batch(sink))) {
            rc = tk_segment_set_scan_member(set, member, &all, take_rows, sink, err);
        } else if ((rc = tk_segment_sink_copy(sink, &member->file, err)) < 0) {
            rc = tk_err_prefix(err, "segment %u", member->number);
        }
    }
    return rc;
}
