/* SPDX-License-Identifier: Apache-2.0 */
/* Batches into the folder of spans: rows are logged as they are accepted, and a full batch becomes
 * a segment. A sink and its batch belong to one thread; several sinks may share a folder.
 *
 *     tk_segment_sink_new(dirfd, &opts, &sink, err);
 *     batch = tk_segment_sink_batch(sink);               fill it (otlp.h)
 *     tk_segment_sink_commit(sink, level, err);          what came since the last commit is safe
 *     ... on -ENOBUFS of the batch, or when tk_segment_sink_is_due():
 *     tk_segment_sink_seal(sink, err);                   a segment; the batch is another one then
 */
#ifndef TK_SEGMENT_SEGMENT_SINK_H
#define TK_SEGMENT_SEGMENT_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "codec/codec.h"
#include "span/span_batch.h"

/* When spans count as accepted: in memory, written to the log, or synced to the disk. */
enum tk_ack { TK_ACK_WRITE = 0, TK_ACK_MEMORY, TK_ACK_FSYNC };

/* Zero = the default. */
struct tk_segment_opts {
    size_t segment_rows;    /* a segment is sealed at so many spans; 0 = 131,072 */
    size_t batch_rows;      /* a batch has room for: then the last of its requests may go beyond
                               segment_rows; less = segment_rows; see tk_segment_sink_widen() */
    int64_t segment_age_ns; /* or when its first span is so old; 0 = 10 s */
    size_t queue;           /* batches that may wait to be written as segments; 0 = 2 */
    enum tk_ack ack;
    bool no_log; /* for import and export: nothing is acknowledged before the seal */
    const struct tk_codec_options *compress; /* segments are compressed so; borrowed; NULL = Parquet
                                              */
    uint32_t segment_traces; /* a segment is due at so many traces; 0 = no matter how many */
};

struct tk_segment_file;
struct tk_segment_sink;

/* A sink into the folder, which is open and stays the caller's. Segments are written by a thread
 * of the sink. */
TK_MUST_USE int tk_segment_sink_new(int dirfd, const struct tk_segment_opts *opts,
                                    struct tk_segment_sink **ret_sink, struct tk_err *err);

/* The batch to fill; another one after each seal. */
struct tk_span_batch *tk_segment_sink_batch(struct tk_segment_sink *sink);

/* Give the batch, which has no rows, room for as many as a segment may have: for one request that
 * fits into no other. It is another batch then, until the seal. -EMSGSIZE when it has the room
 * already, -ENOMEM; it stays as it is then. */
TK_MUST_USE int tk_segment_sink_widen(struct tk_segment_sink *sink, struct tk_err *err);

/* Make the rows since the last commit as safe as `ack` says, FSYNC without the sync: that is for
 * tk_segment_sink_sync(), once for many commits. */
TK_MUST_USE int tk_segment_sink_commit(struct tk_segment_sink *sink, struct tk_err *err);

/* Sync what was committed. May be called from another thread than the owner's. */
TK_MUST_USE int tk_segment_sink_sync(struct tk_segment_sink *sink, struct tk_err *err);

/* Whether the batch has segment_rows, or more: seal it before more comes. */
bool tk_segment_sink_is_full(const struct tk_segment_sink *sink);

/* Whether the first row of the batch is older than segment_age_ns, or it has segment_traces;
 * `now_ns` is monotonic. */
bool tk_segment_sink_is_due(const struct tk_segment_sink *sink, int64_t now_ns);

/* Hand the batch to the writing thread and take an empty one. When `queue` batches wait already,
 * the batch stays as it is: -EAGAIN, answer with overload and try again later, or the failure for
 * which the first of them could not be written yet. It is tried again until it can be. With
 * `no_log` this waits for the queue, and the first failure is the last. */
TK_MUST_USE int tk_segment_sink_seal(struct tk_segment_sink *sink, struct tk_err *err);

/* Write a segment of another folder as the next one, as it is stored; what is in the batch comes
 * before it. For sinks without a log that do not compress. */
TK_MUST_USE int tk_segment_sink_copy(struct tk_segment_sink *sink,
                                     const struct tk_segment_file *file, struct tk_err *err);

/* Seal what there is, wait until all segments are written. Fails when one cannot be, tried once
 * more; `err` tells how many spans that are. */
TK_MUST_USE int tk_segment_sink_close(struct tk_segment_sink *sink, struct tk_err *err);

/* Accepts NULL; does not wait for what was not closed: the logs have it. */
void tk_segment_sink_free(struct tk_segment_sink *sink);

/* Whether segments come to the disk: else the failure of the last, which is tried again, or that
 * the first takes longer than `limit_ns` while the queue is full. Any thread. */
TK_MUST_USE int tk_segment_sink_check(struct tk_segment_sink *sink, int64_t limit_ns,
                                      struct tk_err *err);

/* For receipts and metrics. */
struct tk_segment_counts {
    uint64_t spans;    /* in segments */
    uint64_t segments; /* written */
    uint64_t bytes;    /* of them */
    uint64_t log_bytes;
    uint64_t waiting;   /* batches in the queue now */
    uint64_t failures;  /* attempts to write a segment that failed */
    uint64_t unwritten; /* spans of segments that were given up at the end */
};

/* What the sink has done so far. Any thread. */
void tk_segment_sink_count(struct tk_segment_sink *sink, struct tk_segment_counts *ret_counts);

#endif
