/* SPDX-License-Identifier: Apache-2.0 */
/* The critical path of a trace, as CRISP defines it (trace_tree.h). Nodes stand before their
 * children, so one pass from the root hands each node on the path the window in which it counts:
 * its time, cut to the windows of all above it. No recursion: traces may be deep. */
#include <errno.h>
#include <stdlib.h>

#include "span/trace_tree_internal.h"

/* Children may overlap by less than this part of their parent. */
#define OVERLAP_DIVISOR 100

struct child {
    uint32_t node;
    int64_t begin_ns;
    int64_t end_ns;
};

/* The children of one node, cut to its window. */
struct family {
    struct child *by_start; /* [n] */
    struct child *by_end;   /* [n], the last to end first; of equals the longest */
    uint32_t n;
    int64_t window_ns;
};

static int by_end(const void *a, const void *b)
{
    const struct child *x = a;
    const struct child *y = b;
    if (x->end_ns != y->end_ns)
        return x->end_ns > y->end_ns ? -1 : 1;
    if (x->begin_ns != y->begin_ns)
        return x->begin_ns < y->begin_ns ? -1 : 1;
    return (x->node > y->node) - (x->node < y->node);
}

/* Children that have a part in the window; one without duration may stand at its edge. */
static void family_read(struct family *family, const struct tk_trace_tree *tree, uint32_t i,
                        const struct child *window)
{
    const struct tk_trace_node *nodes = tree->nodes;
    family->n = 0;
    family->window_ns = window->end_ns - window->begin_ns;
    for (uint32_t k = i + 1; k < i + nodes[i].size; k += nodes[k].size) {
        struct child child = {k, nodes[k].start_ns, nodes[k].end_ns};
        bool is_inside = child.begin_ns >= window->begin_ns && child.end_ns <= window->end_ns;
        if (!is_inside && (child.begin_ns >= window->end_ns || child.end_ns <= window->begin_ns))
            continue;
        if (child.begin_ns < window->begin_ns)
            child.begin_ns = window->begin_ns;
        if (child.end_ns > window->end_ns)
            child.end_ns = window->end_ns;
        family->by_start[family->n] = child;
        family->by_end[family->n++] = child;
    }
    qsort(family->by_end, family->n, sizeof(*family->by_end), by_end);
}

/* Children that begin before `ns`, or at it when `with` is set. */
static uint32_t count_begun(const struct family *family, int64_t ns, bool with)
{
    uint32_t low = 0;
    uint32_t high = family->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int64_t begin_ns = family->by_start[middle].begin_ns;
        if (begin_ns < ns || (with && begin_ns == ns)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Children that end after `ns`, or at it when `with` is set. */
static uint32_t count_ending(const struct family *family, int64_t ns, bool with)
{
    uint32_t low = 0;
    uint32_t high = family->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int64_t end_ns = family->by_end[middle].end_ns;
        if (end_ns > ns || (with && end_ns == ns)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Whether `earlier` had returned before `later` began, up to what clocks are wrong by. */
static bool happens_before(const struct family *family, const struct child *earlier,
                           const struct child *later)
{
    if (earlier->end_ns <= later->begin_ns)
        return true;
    if (earlier->end_ns >= later->end_ns || earlier->begin_ns >= later->begin_ns)
        return false;
    if ((earlier->end_ns - later->begin_ns) > (family->window_ns - 1) / OVERLAP_DIVISOR)
        return false;
    uint32_t begins =
        count_begun(family, earlier->end_ns, true) - count_begun(family, later->begin_ns, false);
    uint32_t ends =
        count_ending(family, later->begin_ns, true) - count_ending(family, earlier->end_ns, false);
    return begins + ends == 2; /* of these two */
}

/* Put the children of node `i` that are on the path on it. */
static void walk_back(struct tk_trace_tree *tree, uint32_t i, const struct family *family,
                      struct child *windows)
{
    int64_t share_ns = family->window_ns;
    const struct child *last = NULL;
    for (uint32_t c = 0; c < family->n; c++) {
        const struct child *child = &family->by_end[c];
        if (last && !happens_before(family, child, last))
            continue;
        last = child;
        tree->nodes[child->node].flags |= TK_TRACE_CRITICAL;
        windows[child->node] = *child;
        share_ns -= child->end_ns - child->begin_ns;
    }
    tree->nodes[i].critical_ns = share_ns > 0 ? share_ns : 0;
}

int tk_trace_critical_find(struct tk_trace_tree *tree, struct tk_err *err)
{
    size_t bytes = tree->count * sizeof(struct child);
    struct child *windows = tk_arena_alloc(&tree->memory, bytes);
    struct family family = {tk_arena_alloc(&tree->memory, bytes),
                            tk_arena_alloc(&tree->memory, bytes), 0, 0};
    if (!windows || !family.by_start || !family.by_end)
        return tk_fail(err, -ENOMEM, "trace: out of memory");
    struct tk_trace_node *root = &tree->nodes[tree->main];
    root->flags |= TK_TRACE_CRITICAL;
    windows[tree->main] = (struct child){tree->main, root->start_ns, root->end_ns};
    for (uint32_t k = tree->main; k < tree->main + root->size; k++) {
        if (!(tree->nodes[k].flags & TK_TRACE_CRITICAL))
            continue;
        family_read(&family, tree, k, &windows[k]);
        walk_back(tree, k, &family, windows);
    }
    return 0;
}
