/* SPDX-License-Identifier: Apache-2.0 */
/* One trace as a tree: who called whom, which time was whose own, what the whole waited for.
 *
 * Nodes stand in the order in which a tree is drawn, a parent before its children and siblings by
 * their start, so that the subtree of node i is [i, i + nodes[i].size) and its children are walked
 * with
 *
 *     for (k = i + 1; k < i + nodes[i].size; k += nodes[k].size)
 *
 * Traces come from many hands and are often not trees. What is done then, each case counted:
 *
 *   orphan     names a parent that is not in the trace: a root
 *   cycle      is its own ancestor: of those on the cycle the first to start becomes a root
 *   duplicate  has the id, start and kind of an earlier one (sent twice): left out
 *   twin       has the id of another span but differs: both stay. Of a client's and a server's
 *              the server's is the child and has the children (Zipkin shares ids so); else the
 *              first to start has them
 *   moved      of another host than its parent's, and cannot have been then; see below
 *   outside    is, all that done, not inside its parent: drawn as it is, and cut to its parent
 *              for all sums (work that goes on after the answer)
 *
 * Clocks: a span of another host that starts before its parent moves to its parent's start. One
 * that serves a client's call, took no longer than that and is not inside it moves to its middle,
 * so that the way there takes as long as the way back. All that its host did below moves along,
 * and so does what was inside it as it was sent. Resources are of one host when they are one, or
 * agree in host.id, else host.name.
 *
 * The critical path is that of CRISP (Zhang et al., USENIX ATC 2022): from the end of a span back
 * through the child that returned last, from there through the child that returned last before
 * that one began, and so on; and likewise inside each of these. Children may overlap by less than
 * 1 % of their parent, as clocks do, when no other child begins or ends meanwhile. A span's share
 * of the path is its duration without its children on the path: the shares add up to the duration
 * of the root. It is the path of the root that starts first, or, where all roots are orphans, of
 * the longest. */
#ifndef TK_SPAN_TRACE_TREE_H
#define TK_SPAN_TRACE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "base/err.h"
#include "span/span_batch.h"

#define TK_TRACE_NONE UINT32_MAX /* no node */

/* Bits of struct tk_trace_node. */
enum {
    TK_TRACE_ORPHAN = 1,
    TK_TRACE_CYCLE = 2,
    TK_TRACE_TWIN = 4,
    TK_TRACE_MOVED = 8,
    TK_TRACE_OUTSIDE = 16,
    TK_TRACE_CRITICAL = 32, /* on the critical path */
};

struct tk_trace_node {
    uint32_t row;    /* in the batch */
    uint32_t parent; /* TK_TRACE_NONE = a root */
    uint32_t size;   /* nodes of the subtree, this one among them */
    uint32_t depth;  /* of a root 0 */
    uint32_t flags;
    int64_t start_ns;    /* with shift_ns in it */
    int64_t end_ns;      /* start_ns or later */
    int64_t shift_ns;    /* by which it was moved */
    int64_t self_ns;     /* in which no child ran */
    int64_t critical_ns; /* share of the critical path */
};

struct tk_trace_tree {
    const struct tk_span_batch *batch; /* borrowed */
    struct tk_trace_node *nodes;
    uint32_t count;
    uint32_t main;    /* root of the critical path */
    int64_t start_ns; /* of the first node to start */
    int64_t end_ns;   /* of the last node to end */

    /* Nodes; duplicates are none. */
    uint32_t roots, orphans, cycles, twins, moved, outside, errors;
    uint32_t duplicates;
    uint32_t services;
    struct tk_arena memory;
};

struct tk_trace_options {
    bool raw; /* move nothing */
};

/* Build the tree of the rows, at least one, which are taken to be of one trace; `rows` may point to
 * rows in any order. The batch must outlive the tree and stay as it is. -EINVAL without rows,
 * -ENOMEM. Release the tree also after a failure. One thread at a time. */
TK_MUST_USE int tk_trace_tree_init(struct tk_trace_tree *tree, const struct tk_span_rows *rows,
                                   const struct tk_trace_options *options, struct tk_err *err);

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_trace_tree_release(struct tk_trace_tree *tree);

/* From start to end. */
static inline int64_t tk_trace_node_duration_ns(const struct tk_trace_node *node)
{
    return node->end_ns - node->start_ns;
}

#endif
