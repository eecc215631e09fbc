/* SPDX-License-Identifier: Apache-2.0 */
/* Which nodes of a trace are drawn: siblings that repeat become one, short ones are left out. */
#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "cmd/trace_view_internal.h"

/* Siblings that repeat so often become one line. */
#define REPEATS 4

static uint64_t group_key(const struct tk_trace_tree *tree, const struct tk_trace_node *node)
{
    const struct tk_span_batch *batch = tree->batch;
    uint64_t what =
        (uint64_t)batch->names[node->row] << 32 | tk_span_resource_of(batch, node->row)->service;
    uint64_t how = (uint64_t)batch->kinds[node->row] << 8 |
                   (uint64_t)(batch->statuses[node->row] == TK_SPAN_ERROR);
    return tk_hash_mix(tk_hash_mix(what, node->parent), how);
}

/* The sum of what is known; -1 where nothing is. */
static int64_t add_known(int64_t sum, int64_t value)
{
    if (value < 0)
        return sum;
    return sum < 0 ? value : sum + value;
}

static void group_add_bill(struct tk_trace_group *group, const struct tk_bill_row *bill)
{
    const int64_t *values = bill->values;
    group->cpu_ns = add_known(group->cpu_ns, values[TK_BILLS_CPU_NS]);
    group->io_bytes = add_known(group->io_bytes, values[TK_BILLS_RD_BYTES]);
    group->io_bytes = add_known(group->io_bytes, values[TK_BILLS_WR_BYTES]);
    if (values[TK_BILLS_MAX_RSS_BYTES] > group->max_rss_bytes)
        group->max_rss_bytes = values[TK_BILLS_MAX_RSS_BYTES];
    group->is_bound = group->is_bound || values[TK_BILLS_IS_BOUND] > 0;
}

static void group_add(struct tk_trace_group *group, const struct tk_trace_tree *tree, uint32_t k)
{
    const struct tk_trace_node *node = &tree->nodes[k];
    const struct tk_trace_node *slowest = &tree->nodes[group->slowest];
    if (tk_trace_node_duration_ns(node) > tk_trace_node_duration_ns(slowest))
        group->slowest = k;
    group->below += node->size - 1;
    group->flags |= node->flags;
    group->end_ns = node->end_ns > group->end_ns ? node->end_ns : group->end_ns;
    group->duration_ns += tk_trace_node_duration_ns(node);
    group->self_ns += node->self_ns;
    group->critical_ns += node->critical_ns;
}

static uint32_t group_begin(struct tk_trace_layout *layout, uint32_t k)
{
    layout->groups[layout->group_count] = (struct tk_trace_group){
        .first = k, .slowest = k, .count = 1, .cpu_ns = -1, .max_rss_bytes = -1, .io_bytes = -1};
    return layout->group_count++;
}

/* Groups of all siblings that are alike, without sums. */
static int find_alike(struct tk_trace_layout *layout)
{
    const struct tk_trace_tree *tree = layout->tree;
    TK_CLEANUP(tk_map_release) struct tk_map ids = {0};
    for (uint32_t k = 0; k < tree->count; k++) {
        uint64_t key = group_key(tree, &tree->nodes[k]);
        if (tk_map_find(&ids, key, &layout->group_ids[k])) {
            layout->groups[layout->group_ids[k]].count++;
            continue;
        }
        layout->group_ids[k] = group_begin(layout, k);
        if (tk_map_add(&ids, key, layout->group_ids[k]) < 0)
            return -ENOMEM;
    }
    return 0;
}

/* Where few are alike, each becomes a group of its own. */
static int find_groups(struct tk_trace_layout *layout)
{
    int rc = find_alike(layout);
    for (uint32_t k = 0; rc == 0 && k < layout->tree->count; k++) {
        if (layout->view->all || layout->groups[layout->group_ids[k]].count < REPEATS)
            layout->group_ids[k] = group_begin(layout, k);
        struct tk_trace_group *group = &layout->groups[layout->group_ids[k]];
        group_add(group, layout->tree, k);
        const struct tk_bill_row *bill = tk_trace_bill_find(layout->tree, k, layout->view->bills);
        if (bill)
            group_add_bill(group, bill);
    }
    return rc;
}

/* What is too short, or folded into a group, with all below it. */
static void count_hidden(struct tk_trace_layout *layout)
{
    const struct tk_trace_node *nodes = layout->tree->nodes;
    for (uint32_t k = 0; k < layout->tree->count;) {
        const struct tk_trace_group *group = &layout->groups[layout->group_ids[k]];
        bool is_short = layout->longest_ns[k] < layout->view->min_ns;
        bool is_folded = group->count > 1 && group->slowest != k;
        if (is_short) {
            layout->hidden += nodes[k].size;
        } else if (is_folded) {
            layout->folded += nodes[k].size;
        }
        k += is_short || is_folded ? nodes[k].size : 1;
    }
}

int tk_trace_layout_init(struct tk_trace_layout *layout, const struct tk_trace_tree *tree,
                         const struct tk_trace_view *view, struct tk_err *err)
{
    *layout = (struct tk_trace_layout){.tree = tree, .view = view};
    layout->group_ids = calloc(tree->count, sizeof(*layout->group_ids));
    layout->groups = calloc(tree->count, sizeof(*layout->groups) * 2);
    layout->longest_ns = calloc(tree->count, sizeof(*layout->longest_ns));
    if (!layout->group_ids || !layout->groups || !layout->longest_ns || find_groups(layout) < 0)
        return tk_fail(err, -ENOMEM, "trace: out of memory");
    for (uint32_t k = tree->count; k-- > 0;) {
        const struct tk_trace_node *node = &tree->nodes[k];
        int64_t duration_ns = tk_trace_node_duration_ns(node);
        if (duration_ns > layout->longest_ns[k])
            layout->longest_ns[k] = duration_ns;
        if (node->parent != TK_TRACE_NONE &&
            layout->longest_ns[k] > layout->longest_ns[node->parent])
            layout->longest_ns[node->parent] = layout->longest_ns[k];
        layout->depth = node->depth + 1 > layout->depth ? node->depth + 1 : layout->depth;
    }
    count_hidden(layout);
    return 0;
}

void tk_trace_layout_release(struct tk_trace_layout *layout)
{
    free(layout->group_ids);
    free(layout->groups);
    free(layout->longest_ns);
}

uint32_t tk_trace_layout_next(const struct tk_trace_layout *layout, uint32_t from, uint32_t end)
{
    while (from < end && !tk_trace_layout_shows(layout, from))
        from += layout->tree->nodes[from].size;
    return from;
}
