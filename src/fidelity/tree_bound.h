/* SPDX-License-Identifier: Apache-2.0 */
/* A bound of the edit distance of two trees that costs next to nothing beside the distance itself:
 * what turns one tree into another turns its labels, in the order parent, then children, or in the
 * order children, then parent, into those of the other, so that the larger of the edit distances of
 * these two texts is no more than that of the trees. */
#ifndef TK_FIDELITY_TREE_BOUND_H
#define TK_FIDELITY_TREE_BOUND_H

#include "fidelity/tree_distance.h"

/* One tree, prepared for bounds to many others; zeroed = none yet. */
struct tk_tree_outline {
    const struct tk_label_tree *tree; /* not owned */
    uint64_t *names;                  /* [kinds] its labels, ascending, each once */
    uint64_t *masks;                  /* [2][kinds + 1][words] nodes of a label, by order */
    uint64_t *columns;                /* [2][words] */
    uint32_t kinds, words;
    size_t max; /* of all these arrays together, which are one block */
};

/* Prepare for another tree, which must outlive the bounds. -ENOMEM. */
TK_MUST_USE int tk_tree_outline_read(struct tk_tree_outline *outline,
                                     const struct tk_label_tree *tree, struct tk_err *err);

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_tree_outline_release(struct tk_tree_outline *outline);

/* What the distance of the tree to `other` is at least. */
uint32_t tk_tree_bound(struct tk_tree_outline *outline, const struct tk_label_tree *other);

#endif
