/* SPDX-License-Identifier: Apache-2.0 */
/* The log of a batch that fills: what came since the last call, as blocks that are whole or count
 * as not there.
 *
 *     file     "TKSPANS2", blocks
 *     block    struct head: magic, CRC-32 of all that follows it, bytes, counts, forms;
 *              then of each array of the batch, in the order of span_batch.h, the items that are
 *              new, packed (log_pack.h);
 *              then the texts that are new
 *
 * Numbers are those of the batch: nothing is looked up, a commit is one system call. A batch that
 * is filled from the log has the same numbers. Little-endian machines only. */
#ifndef TK_SEGMENT_SEGMENT_LOG_H
#define TK_SEGMENT_SEGMENT_LOG_H

#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "span/span_batch.h"

/* How far a log is written or read. Zeroed at the beginning. */
struct tk_log_mark {
    uint64_t bytes; /* of the file */
    struct tk_span_mark batch;
    uint32_t texts; /* 0 = not even the empty one */
};

/* Append what the batch has beyond the mark, which moves on; `scratch` has room for it as it lies
 * in memory. On failure the file is as before, or -EIO when not even that could be done. One thread
 * at a time. */
TK_MUST_USE int tk_segment_log_append(int fd, const struct tk_span_batch *batch,
                                      struct tk_log_mark *mark, struct tk_buf *scratch,
                                      struct tk_err *err);

/* Append the whole blocks beyond the mark to the batch, which no one else fills. What is not whole
 * is left: it is being written, or was when its writer died. -EBADMSG when the file is no log,
 * -ENOBUFS when the batch is too small. */
TK_MUST_USE int tk_segment_log_read(int fd, struct tk_span_batch *batch, struct tk_log_mark *mark,
                                    struct tk_err *err);

/* The same for the bytes of a file that follow the mark. */
TK_MUST_USE int tk_segment_log_decode(tk_str bytes, struct tk_span_batch *batch,
                                      struct tk_log_mark *mark, struct tk_err *err);

#endif
