/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that draw a trace. */
#ifndef TK_CMD_TRACE_VIEW_INTERNAL_H
#define TK_CMD_TRACE_VIEW_INTERNAL_H

#include "base/map.h"
#include "cmd/trace_view.h"

/* Siblings of one service, operation, kind and outcome; most groups have one member. */
struct tk_trace_group {
    uint32_t first;   /* node that starts first: where the group stands */
    uint32_t slowest; /* node whose children are drawn */
    uint32_t count;
    uint32_t below; /* nodes below all members */
    uint32_t flags; /* of any member */
    int64_t end_ns; /* of the last to end */
    int64_t duration_ns;
    int64_t self_ns;
    int64_t critical_ns;
    int64_t cpu_ns;        /* of the bills of all members; -1 = no member has one */
    int64_t max_rss_bytes; /* likewise, of the largest */
    int64_t io_bytes;      /* read and written */
    bool is_bound;         /* one of the bills is an order of magnitude */
};

/* The bill of a node; NULL when it has none. */
static inline const struct tk_bill_row *tk_trace_bill_find(const struct tk_trace_tree *tree,
                                                           uint32_t node,
                                                           const struct tk_bill_lookup *bills)
{
    uint32_t row = tree->nodes[node].row;
    return bills
               ? tk_bill_lookup_find(bills, tree->batch->trace_ids[row], tree->batch->span_ids[row])
               : NULL;
}

/* What is drawn of a tree, and in which groups. */
struct tk_trace_layout {
    const struct tk_trace_tree *tree;
    const struct tk_trace_view *view;
    uint32_t *group_ids; /* [tree->count] */
    struct tk_trace_group *groups;
    int64_t *longest_ns; /* [tree->count] duration of the longest span of the subtree */
    uint32_t group_count;
    uint32_t depth;  /* of the deepest node, from 1 */
    uint32_t hidden; /* nodes that are too short */
    uint32_t folded; /* nodes that are in groups and not drawn themselves */
};

/* Release the layout also after a failure. */
TK_MUST_USE int tk_trace_layout_init(struct tk_trace_layout *layout,
                                     const struct tk_trace_tree *tree,
                                     const struct tk_trace_view *view, struct tk_err *err);
void tk_trace_layout_release(struct tk_trace_layout *layout);

/* A node is drawn when it leads its group and is long enough. */
static inline bool tk_trace_layout_shows(const struct tk_trace_layout *layout, uint32_t node)
{
    return layout->groups[layout->group_ids[node]].first == node &&
           layout->longest_ns[node] >= layout->view->min_ns;
}

/* The first node from `from` on, among siblings that end before `end`, that is drawn; `end` when
 * there is none. */
uint32_t tk_trace_layout_next(const struct tk_trace_layout *layout, uint32_t from, uint32_t end);

/* Append the table of where the time went. */
TK_MUST_USE int tk_trace_view_put_shares(const struct tk_trace_tree *tree,
                                         const struct tk_look *look, struct tk_buf *out,
                                         struct tk_err *err);

/* Append the lines of attributes, events and links of a node, `indent` columns in. */
void tk_trace_view_put_details(const struct tk_trace_tree *tree, uint32_t node,
                               const struct tk_trace_view *view, const struct tk_look *look,
                               int indent, struct tk_buf *out);

#endif
