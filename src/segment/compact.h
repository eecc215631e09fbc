/* SPDX-License-Identifier: Apache-2.0 */
/* Small segments made into few. Neighbours are merged: a new segment gets their rows and says in
 * its metadata which it replaces ("replaces"), and only when it is there, whole and synced, are
 * they deleted. In between, and after a crash in between, both are there: a set takes the new one,
 * and the next compaction or sink deletes the old ones. An engine that reads all files by a pattern
 * may see a row twice for the moment between the rename and the deletions: that is why compaction
 * never runs by itself. */
#ifndef TK_SEGMENT_COMPACT_H
#define TK_SEGMENT_COMPACT_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

/* Zero = the default. */
struct tk_compact_opts {
    uint32_t rows; /* of a segment that is made, at most; 0 = 1,048,576, the greatest */
    int level;     /* of zstd; 0 = 3 */
};

struct tk_compact_counts {
    uint32_t merged; /* segments that are gone */
    uint32_t made;
    uint64_t spans; /* in those that were made */
    uint64_t bytes_before, bytes_after;
};

/* Compact the segments of a folder in which nobody else compacts: -EBUSY otherwise. Sinks and sets
 * may be at work. */
TK_MUST_USE int tk_segment_compact(int dirfd, const struct tk_compact_opts *opts,
                                   struct tk_compact_counts *ret_counts, struct tk_err *err);

/* Delete the segments that others replace, which a crash left. */
TK_MUST_USE int tk_segment_remove_replaced(int dirfd, struct tk_err *err);

#endif
