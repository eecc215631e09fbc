/* SPDX-License-Identifier: Apache-2.0 */
/* Edit distance of ordered trees with labels: K. Zhang and D. Shasha, "Simple fast algorithms for
 * the editing distance between trees and related problems", SIAM J. Comput. 18 (1989). Insert,
 * remove and rename cost 1 each. Nothing recurses. */
#ifndef TK_FIDELITY_TREE_DISTANCE_H
#define TK_FIDELITY_TREE_DISTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

/* A tree in the order children, then parent. */
struct tk_label_tree {
    uint32_t count;
    uint32_t key_root_count;
    uint64_t work;       /* nodes of the subtrees of all key roots */
    uint64_t *labels;    /* [count] */
    uint64_t *outline;   /* [count] the labels in the order parent, then children */
    uint64_t *sorted;    /* [count] the labels, ascending */
    uint32_t *leftmost;  /* [count] the first leaf below a node */
    uint32_t *key_roots; /* nodes with a sibling to their left, and the root; ascending */
};

/* A tree of `count` nodes, 1 or more, a parent before its children and children in their order;
 * parents[0] is ignored. -ENOMEM. */
TK_MUST_USE int tk_label_tree_new(const uint64_t *labels, const uint32_t *parents, uint32_t count,
                                  struct tk_label_tree **ret_tree, struct tk_err *err);

/* Accepts NULL. */
void tk_label_tree_free(struct tk_label_tree *tree);

/* The same shape with the same labels. */
bool tk_tree_equal(const struct tk_label_tree *a, const struct tk_label_tree *b);

/* Steps that tk_tree_distance() takes. */
static inline uint64_t tk_tree_steps(const struct tk_label_tree *a, const struct tk_label_tree *b)
{
    return a->work * b->work;
}

/* Tables that distances share; zeroed = empty. */
struct tk_tree_tables {
    uint32_t *cells;
    size_t max;
};

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_tree_tables_release(struct tk_tree_tables *tables);

/* The distance; takes tk_tree_steps() steps and 8 bytes for each pair of nodes. -ENOMEM. */
TK_MUST_USE int tk_tree_distance(const struct tk_label_tree *a, const struct tk_label_tree *b,
                                 struct tk_tree_tables *tables, uint32_t *ret_distance,
                                 struct tk_err *err);

#endif
