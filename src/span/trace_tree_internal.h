/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the tree of a trace. */
#ifndef TK_SPAN_TRACE_TREE_INTERNAL_H
#define TK_SPAN_TRACE_TREE_INTERNAL_H

#include "span/trace_tree.h"

/* A span before it has its place in the tree. */
struct tk_trace_item {
    uint32_t row;
    uint32_t parent; /* an item; TK_TRACE_NONE = a root */
    uint32_t flags;
    uint32_t host; /* text that tells its host; 0 = not known */
    int64_t start_ns;
    int64_t end_ns;
    int64_t shift_ns;
};

/* Items in some order, and the children of each in that order: those of item i are
 * children[begins[i] .. begins[i + 1]), the roots children[begins[count] .. begins[count + 1]). */
struct tk_trace_links {
    uint32_t *begins; /* [count + 2] */
    uint32_t *children;
};

/* Make the items of `rows`, linked to their parents, without cycles. */
TK_MUST_USE int tk_trace_items_link(struct tk_trace_tree *tree, const struct tk_span_rows *rows,
                                    struct tk_trace_item *items, struct tk_err *err);

/* Move the items of hosts whose clocks cannot have been right. `links` has them in any order,
 * `queue` room for all. */
void tk_trace_items_move(const struct tk_span_batch *batch, struct tk_trace_item *items,
                         uint32_t count, const struct tk_trace_links *links, uint32_t *queue);

/* Find the critical path: flags and critical_ns of the nodes. -ENOMEM. */
TK_MUST_USE int tk_trace_critical_find(struct tk_trace_tree *tree, struct tk_err *err);

#endif
