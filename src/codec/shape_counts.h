/* SPDX-License-Identifier: Apache-2.0 */
/* How many different traces there are in any number of blocks: shapes and subtrees are the same in
 * two blocks when their hashes are (grammar.h). One thread at a time. */
#ifndef TK_CODEC_SHAPE_COUNTS_H
#define TK_CODEC_SHAPE_COUNTS_H

#include "base/buf.h"
#include "base/map.h"
#include "codec/forest.h"

struct tk_shape_counts {
    struct tk_map numbers; /* hash of a shape -> its count */
    struct tk_map subtrees;
    struct tk_buf counts; /* uint64_t of traces */
    uint64_t traces;
};

/* What a user may want to know of the trees of traces. */
struct tk_shape_counts_info {
    uint64_t traces;
    uint64_t shapes;     /* different traces */
    uint64_t once;       /* shapes that a single trace has */
    uint64_t subtrees;   /* different subtrees */
    double entropy_bits; /* of a trace's shape: -log2 of its share, on average */
};

/* Counts of no trace. */
void tk_shape_counts_init(struct tk_shape_counts *shapes);

/* Accepts a zeroed struct. */
void tk_shape_counts_release(struct tk_shape_counts *shapes);

/* Add the traces of a forest that was built or decoded. -ENOMEM. */
TK_MUST_USE int tk_shape_counts_add(struct tk_shape_counts *shapes, const struct tk_forest *forest,
                                    struct tk_err *err);

/* Of all that were added. */
void tk_shape_counts_describe(const struct tk_shape_counts *shapes,
                              struct tk_shape_counts_info *ret_info);

#endif
