/* SPDX-License-Identifier: Apache-2.0 */
#include "span/trace_tree.h"

#include <errno.h>
#include <stdlib.h>

#include "base/map.h"
#include "span/trace_tree_internal.h"

/* Arrays of a build, per span, all at once: items, two orders, links, the windows of the critical
 * path. */
#define BYTES_PER_SPAN 256

static void *array_of(struct tk_trace_tree *tree, size_t count, size_t size)
{
    return tk_arena_alloc(&tree->memory, count * size);
}

/* Children by parent in the order of `order` (NULL = that of the items): a counting sort. */
static void link_children(const struct tk_trace_item *items, uint32_t count, const uint32_t *order,
                          struct tk_trace_links *links)
{
    uint32_t *begins = links->begins;
    for (uint32_t i = 0; i < count + 2; i++)
        begins[i] = 0;
    for (uint32_t i = 0; i < count; i++)
        begins[items[i].parent == TK_TRACE_NONE ? count : items[i].parent]++;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count + 2; i++) {
        sum += begins[i];
        begins[i] = sum;
    }
    /* Each begins[] is an end now, and comes down to the beginning as its children are put. */
    for (uint32_t k = count; k-- > 0;) {
        uint32_t i = order ? order[k] : k;
        uint32_t parent = items[i].parent == TK_TRACE_NONE ? count : items[i].parent;
        links->children[--begins[parent]] = i;
    }
}

static int by_start(const void *a, const void *b, void *context)
{
    const struct tk_trace_item *items = context;
    uint32_t first = *(const uint32_t *)a;
    uint32_t second = *(const uint32_t *)b;
    const struct tk_trace_item *x = &items[first];
    const struct tk_trace_item *y = &items[second];
    if (x->start_ns != y->start_ns)
        return x->start_ns < y->start_ns ? -1 : 1;
    if (x->end_ns != y->end_ns)
        return x->end_ns > y->end_ns ? -1 : 1;
    return (first > second) - (first < second);
}

static void node_set(struct tk_trace_tree *tree, uint32_t k, const struct tk_trace_item *item,
                     uint32_t parent)
{
    struct tk_trace_node *node = &tree->nodes[k];
    *node = (struct tk_trace_node){
        .row = item->row,
        .parent = parent,
        .size = 1,
        .depth = parent == TK_TRACE_NONE ? 0 : tree->nodes[parent].depth + 1,
        .flags = item->flags,
        .start_ns = item->start_ns,
        .end_ns = item->end_ns,
        .shift_ns = item->shift_ns,
    };
    if (parent == TK_TRACE_NONE)
        return;
    const struct tk_trace_node *above = &tree->nodes[parent];
    if (node->start_ns < above->start_ns || node->end_ns > above->end_ns)
        node->flags |= TK_TRACE_OUTSIDE;
}

/* Put the nodes in the order in which a tree is drawn. `stack` has room for all, `places` becomes
 * the node of each item. */
static void place_nodes(struct tk_trace_tree *tree, const struct tk_trace_item *items,
                        const struct tk_trace_links *links, uint32_t *stack, uint32_t *places)
{
    uint32_t depth = 0;
    uint32_t placed = 0;
    uint32_t above = tree->count; /* whose children are to be put on the stack */
    do {
        for (uint32_t c = links->begins[above + 1]; c-- > links->begins[above];)
            stack[depth++] = links->children[c];
        above = stack[--depth];
        uint32_t parent = items[above].parent;
        node_set(tree, placed, &items[above],
                 parent == TK_TRACE_NONE ? TK_TRACE_NONE : places[parent]);
        places[above] = placed++;
    } while (depth > 0 || links->begins[above] < links->begins[above + 1]);

    for (uint32_t k = tree->count; k-- > 0;) {
        const struct tk_trace_node *node = &tree->nodes[k];
        if (node->parent != TK_TRACE_NONE)
            tree->nodes[node->parent].size += node->size;
    }
}

/* The part of a node's time in which none of its children ran. */
static int64_t self_time(const struct tk_trace_node *nodes, uint32_t i)
{
    const struct tk_trace_node *node = &nodes[i];
    int64_t self_ns = 0;
    int64_t at = node->start_ns; /* up to here all is told */
    for (uint32_t k = i + 1; k < i + node->size && at < node->end_ns; k += nodes[k].size) {
        int64_t begin = nodes[k].start_ns < node->end_ns ? nodes[k].start_ns : node->end_ns;
        if (begin > at)
            self_ns += begin - at;
        at = nodes[k].end_ns > at ? nodes[k].end_ns : at;
    }
    return at < node->end_ns ? self_ns + (node->end_ns - at) : self_ns;
}

/* Whether root `a` has the better claim to be the main one than `b`. */
static bool is_before(const struct tk_trace_node *a, const struct tk_trace_node *b)
{
    bool a_orphan = (a->flags & (TK_TRACE_ORPHAN | TK_TRACE_CYCLE)) != 0;
    bool b_orphan = (b->flags & (TK_TRACE_ORPHAN | TK_TRACE_CYCLE)) != 0;
    if (a_orphan != b_orphan)
        return !a_orphan;
    return a_orphan && tk_trace_node_duration_ns(a) > tk_trace_node_duration_ns(b);
}

static void count_nodes(struct tk_trace_tree *tree)
{
    tree->start_ns = tree->nodes[0].start_ns; /* roots stand by start, children may be outside */
    tree->end_ns = tree->nodes[0].end_ns;
    for (uint32_t k = 0; k < tree->count; k++) {
        struct tk_trace_node *node = &tree->nodes[k];
        if (node->parent == TK_TRACE_NONE) {
            tree->roots++;
            if (is_before(node, &tree->nodes[tree->main]))
                tree->main = k;
        }
        tree->start_ns = node->start_ns < tree->start_ns ? node->start_ns : tree->start_ns;
        tree->end_ns = node->end_ns > tree->end_ns ? node->end_ns : tree->end_ns;
        tree->orphans += (node->flags & TK_TRACE_ORPHAN) != 0;
        tree->cycles += (node->flags & TK_TRACE_CYCLE) != 0;
        tree->twins += (node->flags & TK_TRACE_TWIN) != 0;
        tree->moved += (node->flags & TK_TRACE_MOVED) != 0;
        tree->outside += (node->flags & TK_TRACE_OUTSIDE) != 0;
        tree->errors += tree->batch->statuses[node->row] == TK_SPAN_ERROR;
        node->self_ns = self_time(tree->nodes, k);
    }
}

static int count_services(struct tk_trace_tree *tree, struct tk_err *err)
{
    TK_CLEANUP(tk_map_release) struct tk_map seen = {0};
    for (uint32_t k = 0; k < tree->count; k++) {
        uint32_t service = tk_span_resource_of(tree->batch, tree->nodes[k].row)->service;
        if (tk_map_add(&seen, service, 0) < 0)
            return tk_fail(err, -ENOMEM, "trace: out of memory");
    }
    tree->services = (uint32_t)seen.count;
    return 0;
}

static int build(struct tk_trace_tree *tree, const struct tk_span_rows *rows, bool raw,
                 struct tk_err *err)
{
    struct tk_trace_item *items = array_of(tree, rows->n, sizeof(*items));
    int rc = tk_trace_items_link(tree, rows, items, err);
    if (rc < 0)
        return rc;
    uint32_t count = tree->count;
    struct tk_trace_links links = {array_of(tree, (size_t)count + 2, sizeof(uint32_t)),
                                   array_of(tree, count, sizeof(uint32_t))};
    uint32_t *order = array_of(tree, count, sizeof(*order));
    uint32_t *places = array_of(tree, count, sizeof(*places));
    tree->nodes = array_of(tree, count, sizeof(*tree->nodes));
    if (!raw) {
        link_children(items, count, NULL, &links);
        tk_trace_items_move(tree->batch, items, count, &links, order);
    }
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    qsort_r(order, count, sizeof(*order), by_start, items);
    link_children(items, count, order, &links);
    place_nodes(tree, items, &links, order, places);
    count_nodes(tree);
    rc = count_services(tree, err);
    return rc < 0 ? rc : tk_trace_critical_find(tree, err);
}

int tk_trace_tree_init(struct tk_trace_tree *tree, const struct tk_span_rows *rows,
                       const struct tk_trace_options *options, struct tk_err *err)
{
    *tree = (struct tk_trace_tree){.batch = rows->batch};
    if (rows->n == 0 || rows->n >= TK_TRACE_NONE / 2)
        return tk_fail(err, -EINVAL, "trace: %zu spans", rows->n);
    /* Every array of the build fits: none of its allocations can fail. */
    int rc = tk_arena_init(&tree->memory, rows->n * BYTES_PER_SPAN + 65536, err);
    return rc < 0 ? rc : build(tree, rows, options->raw, err);
}

void tk_trace_tree_release(struct tk_trace_tree *tree)
{
    tk_arena_release(&tree->memory);
    *tree = (struct tk_trace_tree){0};
}
