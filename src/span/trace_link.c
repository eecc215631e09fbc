/* SPDX-License-Identifier: Apache-2.0 */
/* From the rows of a trace to items that know their parents: twice sent spans, shared ids, parents
 * that are not there, cycles. */
#include <errno.h>

#include "base/hash.h"
#include "base/map.h"
#include "span/trace_tree_internal.h"

/* Who holds an id: the item that those which name it as their parent belong to. */
struct linking {
    const struct tk_span_batch *batch;
    struct tk_trace_item *items;
    uint32_t count;
    struct tk_map holders; /* span id -> item */
    struct tk_map sent;    /* hash of id, start and kind -> item */
};

static uint8_t kind_of(const struct linking *linking, uint32_t item)
{
    return linking->batch->kinds[linking->items[item].row];
}

/* Whether the row is the same span as an item that is there. */
static bool is_duplicate(const struct linking *linking, uint64_t hash, uint32_t row)
{
    uint32_t i;
    const struct tk_span_batch *batch = linking->batch;
    if (!tk_map_find(&linking->sent, hash, &i))
        return false;
    uint32_t other = linking->items[i].row;
    return batch->span_ids[other] == batch->span_ids[row] &&
           batch->start_ns[other] == batch->start_ns[row] &&
           batch->kinds[other] == batch->kinds[row];
}

/* Item `twin` has the id of `holder`: who holds it then? Of a client's and a server's span one is
 * the child of the other. */
static uint32_t settle_twins(struct linking *linking, uint32_t holder, uint32_t twin)
{
    struct tk_trace_item *items = linking->items;
    items[holder].flags |= TK_TRACE_TWIN;
    items[twin].flags |= TK_TRACE_TWIN;
    uint8_t a = kind_of(linking, holder);
    uint8_t b = kind_of(linking, twin);
    if (a == TK_SPAN_CLIENT && b == TK_SPAN_SERVER && items[twin].parent == TK_TRACE_NONE) {
        items[twin].parent = holder;
        return twin;
    }
    if (a == TK_SPAN_SERVER && b == TK_SPAN_CLIENT && items[holder].parent == TK_TRACE_NONE) {
        items[holder].parent = twin;
        return holder;
    }
    return items[twin].start_ns < items[holder].start_ns ? twin : holder;
}

static int item_add(struct linking *linking, uint32_t row)
{
    const struct tk_span_batch *batch = linking->batch;
    uint64_t id = batch->span_ids[row];
    uint64_t hash = tk_hash_mix(id, tk_hash_mix((uint64_t)batch->start_ns[row], batch->kinds[row]));
    if (is_duplicate(linking, hash, row))
        return 1;
    uint32_t i = linking->count++;
    linking->items[i] = (struct tk_trace_item){
        .row = row,
        .parent = TK_TRACE_NONE,
        .start_ns = batch->start_ns[row],
        .end_ns = batch->start_ns[row] + batch->duration_ns[row],
    };
    if (tk_map_add(&linking->sent, hash, i) < 0)
        return -ENOMEM;
    uint32_t holder;
    if (tk_map_find(&linking->holders, id, &holder))
        i = settle_twins(linking, holder, i);
    return tk_map_add(&linking->holders, id, i);
}

static void find_parents(struct linking *linking)
{
    for (uint32_t i = 0; i < linking->count; i++) {
        struct tk_trace_item *item = &linking->items[i];
        uint64_t parent = linking->batch->parent_ids[item->row];
        if (item->parent != TK_TRACE_NONE || parent == 0)
            continue;
        if (!tk_map_find(&linking->holders, parent, &item->parent))
            item->flags |= TK_TRACE_ORPHAN;
    }
}

/* Cut the cycle that `at` is on before the span that starts first. */
static void cut_cycle(struct tk_trace_item *items, uint32_t at)
{
    uint32_t first = at;
    for (uint32_t i = items[at].parent; i != at; i = items[i].parent) {
        if (items[i].start_ns < items[first].start_ns)
            first = i;
    }
    items[first].parent = TK_TRACE_NONE;
    items[first].flags |= TK_TRACE_CYCLE;
}

/* Walk up from every item that no walk has met; a walk that meets itself is on a cycle. `walks` is
 * room for all. */
static void cut_cycles(struct linking *linking, uint32_t *walks)
{
    struct tk_trace_item *items = linking->items;
    for (uint32_t i = 0; i < linking->count; i++)
        walks[i] = TK_TRACE_NONE;
    for (uint32_t i = 0; i < linking->count; i++) {
        uint32_t at = i;
        while (at != TK_TRACE_NONE && walks[at] == TK_TRACE_NONE) {
            walks[at] = i;
            at = items[at].parent;
        }
        if (at != TK_TRACE_NONE && walks[at] == i)
            cut_cycle(items, at);
    }
}

int tk_trace_items_link(struct tk_trace_tree *tree, const struct tk_span_rows *rows,
                        struct tk_trace_item *items, struct tk_err *err)
{
    struct linking linking = {.batch = rows->batch, .items = items};
    int rc = 0;
    for (size_t i = 0; rc >= 0 && i < rows->n; i++) {
        rc = item_add(&linking, rows->rows ? rows->rows[i] : (uint32_t)i);
        tree->duplicates += rc == 1;
    }
    if (rc >= 0) {
        find_parents(&linking);
        cut_cycles(&linking, tk_arena_alloc(&tree->memory, linking.count * sizeof(uint32_t)));
        tree->count = linking.count;
    }
    tk_map_release(&linking.holders);
    tk_map_release(&linking.sent);
    return rc < 0 ? tk_fail(err, -ENOMEM, "trace: out of memory") : 0;
}
