/* SPDX-License-Identifier: Apache-2.0 */
/* The traces of a source from one place to another, in the order of their starts: Gen-T's tx_start
 * and tx_end (trace-compression.md section 15.2). The source is read twice. One thread at a time.
 */
#ifndef TK_CMD_TRACE_SLICE_H
#define TK_CMD_TRACE_SLICE_H

#include <stdint.h>

#include "base/map.h"
#include "span/span_source.h"

struct tk_trace_slice {
    struct tk_map kept;                  /* hashes of ids */
    const struct tk_span_source *source; /* borrowed; of the second reading */
    struct tk_span_batch *batch;         /* owned; rows on their way */
    size_t next;                         /* of them */
    bool at_end;
    uint64_t traces; /* of the whole source */
};

/* Read `source` to its end and note the traces [first, end) of it; `end` is cut at their number.
 * Release it also after a failure. -ENOMEM, what the source fails with. */
TK_MUST_USE int tk_trace_slice_init(struct tk_trace_slice *slice,
                                    const struct tk_span_source *source, uint64_t first,
                                    uint64_t end, struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_trace_slice_release(struct tk_trace_slice *slice);

/* The spans of those traces, from a source with the same spans. Both must outlive it. */
struct tk_span_source tk_trace_slice_source(struct tk_trace_slice *slice,
                                            const struct tk_span_source *again);

#endif
