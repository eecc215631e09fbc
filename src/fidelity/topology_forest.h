/* SPDX-License-Identifier: Apache-2.0 */
/* Subtrees of a side up to a height, equal ones once (trace-fidelity.md section 7). */
#ifndef TK_FIDELITY_TOPOLOGY_FOREST_H
#define TK_FIDELITY_TOPOLOGY_FOREST_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "fidelity/cells.h"
#include "fidelity/tree_distance.h"

/* A table with the children of each row: made once for all heights. */
struct tk_family {
    const struct tk_span_table *table; /* borrowed */
    uint64_t *names;                   /* [rows] node_names.h */
    uint32_t *child_ends;              /* [rows]: of row r from child_ends[r - 1] */
    uint32_t *children;                /* rows, by start */
};

/* -ENOMEM. */
TK_MUST_USE int tk_family_init(struct tk_family *family, const struct tk_sides *sides, int side,
                               struct tk_err *err);
void tk_family_release(struct tk_family *family);

/* Structures in the order of their first trees. */
struct tk_subtrees {
    struct tk_cells structures;   /* key: struct tk_structure; sums[0]: trees */
    struct tk_label_tree **trees; /* [structures.count] the first of each */
    uint32_t max;                 /* room in `trees` */
    uint64_t total;               /* trees */
};

/* The subtrees of `height` edges below all rows that have children, in the order of the rows, at
 * most `most` of them. -ENOMEM. */
TK_MUST_USE int tk_subtrees_init(struct tk_subtrees *forest, const struct tk_family *family,
                                 uint32_t height, uint64_t most, struct tk_err *err);
void tk_subtrees_release(struct tk_subtrees *forest);

#endif
