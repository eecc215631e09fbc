/* SPDX-License-Identifier: Apache-2.0 */
/* Spans on disk: the folder RUN/spans, which holds immutable Parquet segments that any engine reads
 * at any time, and what is not in a segment yet as logs (trace-storage-and-ui.md sections 3 to 7).
 *
 *     RUN/spans/part-000001.parquet   a sealed segment: written, synced, renamed
 *     RUN/spans/part-000002.tkz       the same, compressed: block_file.h
 *     RUN/spans/open-1.log            rows that were acknowledged and are in no segment
 *
 *   columns.h       spans as Parquet columns, both ways
 *   segment_log.h   the log: blocks of column data with checksums; torn tails are cut
 *   segment_sink.h  batches in, log and segments out, for one thread
 *   segment_set.h   what is there: segments and logs, traces by id, spans by a query, copies
 *   span_query.h    what is asked for
 *   trace_walk.h    traces by their ids, one after the other
 *
 * A reader sees each span once: a log is deleted only after the segment that has its rows was
 * renamed, its name tells which, and a set drops a log whose segment is there. */
#ifndef TK_SEGMENT_SEGMENT_H
#define TK_SEGMENT_SEGMENT_H

#include "segment/segment_set.h"
#include "segment/segment_sink.h"
#include "segment/span_query.h"
#include "segment/trace_walk.h"

#endif
