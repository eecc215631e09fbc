/* SPDX-License-Identifier: Apache-2.0 */
/* From the spans of a trace to its tree, as trace_link.c has it for traces that are shown, here for
 * all traces of a block and without allocating: about 60 ns a span. Nothing depends on the order in
 * which the spans came. */
#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "codec/forest_internal.h"

/* Ids are bytes; their order is that of their digits. */
static bool is_id_before(uint64_t a, uint64_t b)
{
    return memcmp(&a, &b, sizeof(a)) < 0;
}

static bool is_row_before(const void *context, uint32_t a, uint32_t b)
{
    const struct tk_span_batch *batch = context;
    if (batch->duration_ns[a] != batch->duration_ns[b])
        return batch->duration_ns[a] < batch->duration_ns[b];
    return is_id_before(batch->span_ids[a], batch->span_ids[b]);
}

static uint32_t *alloc_words(struct tk_arena *scratch, size_t n)
{
    return tk_arena_alloc(scratch, n * sizeof(uint32_t));
}

static uint32_t slots_for(uint32_t n)
{
    uint32_t slots = 4;
    while (slots < 2 * n)
        slots *= 2;
    return slots;
}

int tk_forest_trace_init(struct tk_forest_trace *trace, uint32_t max, struct tk_arena *scratch,
                         struct tk_err *err)
{
    trace->items = tk_arena_alloc(scratch, max * sizeof(*trace->items));
    trace->spare = tk_arena_alloc(scratch, max * sizeof(*trace->spare));
    trace->parents = alloc_words(scratch, max);
    trace->children = alloc_words(scratch, max);
    trace->siblings = alloc_words(scratch, max);
    trace->holders = alloc_words(scratch, max);
    trace->twins = alloc_words(scratch, max);
    trace->is_orphan = tk_arena_alloc(scratch, max);
    trace->slots = alloc_words(scratch, slots_for(max));
    return trace->slots ? 0 : tk_fail(err, -ENOMEM, "traces of a block: out of memory");
}

/* The slot of an id, or the free one where it would go. */
static uint32_t *slot_of(const struct tk_forest_trace *trace, uint32_t mask, uint64_t id)
{
    uint32_t at = (uint32_t)tk_hash_fold(id ^ trace->seed, 0x9E3779B97F4A7C15ULL) & mask;
    while (trace->slots[at] != 0 &&
           trace->batch->span_ids[trace->items[trace->slots[at] - 1].index] != id)
        at = (at + 1) & mask;
    return &trace->slots[at];
}

static uint8_t kind_of(const struct tk_forest_trace *trace, uint32_t item)
{
    return trace->batch->kinds[trace->items[item].index];
}

static bool is_equal(const struct tk_forest_trace *trace, uint32_t a, uint32_t b)
{
    const struct tk_span_batch *batch = trace->batch;
    const struct tk_forest_item *x = &trace->items[a];
    const struct tk_forest_item *y = &trace->items[b];
    return x->start_ns == y->start_ns && x->symbol == y->symbol &&
           batch->duration_ns[x->index] == batch->duration_ns[y->index] &&
           batch->parent_ids[x->index] == batch->parent_ids[y->index];
}

/* Item `twin` has the id of items that came before it: false when it is one of them sent again. Of
 * a client's and a server's span one is the child of the other. */
static bool settle_twin(struct tk_forest_trace *trace, uint32_t first, uint32_t twin)
{
    uint32_t last = first;
    for (uint32_t i = first; i != TK_FOREST_NONE; i = trace->twins[i]) {
        last = i;
        if (kind_of(trace, i) != kind_of(trace, twin))
            continue;
        trace->duplicates++;
        trace->unequal_duplicates += !is_equal(trace, i, twin);
        return false;
    }
    trace->twins[last] = twin;
    uint32_t holder = trace->holders[first];
    uint8_t a = kind_of(trace, holder);
    uint8_t b = kind_of(trace, twin);
    if (a == TK_SPAN_CLIENT && b == TK_SPAN_SERVER) {
        trace->parents[twin] = holder;
        trace->holders[first] = twin;
    } else if (a == TK_SPAN_SERVER && b == TK_SPAN_CLIENT &&
               trace->parents[holder] == TK_FOREST_NONE) {
        trace->parents[holder] = twin;
    }
    return true;
}

/* Enter all items by id, without those that were sent before; an id of zero is none. */
static void enter_items(struct tk_forest_trace *trace, uint32_t n, uint32_t mask)
{
    memset(trace->slots, 0, ((size_t)mask + 1) * sizeof(*trace->slots));
    trace->n = 0;
    for (uint32_t from = 0; from < n; from++) {
        uint32_t i = trace->n;
        trace->items[i] = trace->items[from];
        trace->parents[i] = trace->twins[i] = TK_FOREST_NONE;
        trace->is_orphan[i] = 0;
        trace->holders[i] = i;
        uint64_t id = trace->batch->span_ids[trace->items[i].index];
        uint32_t *slot = id != 0 ? slot_of(trace, mask, id) : NULL;
        if (slot && *slot != 0 && !settle_twin(trace, *slot - 1, i))
            continue;
        if (slot && *slot == 0)
            *slot = i + 1;
        trace->n++;
    }
}

static void find_parents(struct tk_forest_trace *trace, uint32_t mask)
{
    for (uint32_t i = 0; i < trace->n; i++) {
        uint64_t id = trace->batch->parent_ids[trace->items[i].index];
        if (id == 0 || trace->parents[i] != TK_FOREST_NONE)
            continue;
        uint32_t slot = *slot_of(trace, mask, id);
        if (slot != 0) {
            trace->parents[i] = trace->holders[slot - 1];
        } else {
            trace->is_orphan[i] = 1;
            trace->orphans++;
        }
    }
}

/* Cut the cycle that `at` is on before the span that starts first. */
static void cut_cycle(struct tk_forest_trace *trace, uint32_t at)
{
    uint32_t first = at;
    for (uint32_t i = trace->parents[at]; i != at; i = trace->parents[i])
        first = i < first ? i : first;
    trace->parents[first] = TK_FOREST_NONE;
    trace->is_orphan[first] = 1;
    trace->cycles++;
}

/* Walk up from every item that no walk has met; a walk that meets itself is on a cycle. */
static void cut_cycles(struct tk_forest_trace *trace)
{
    uint32_t *walks = trace->children; /* not yet in use */
    for (uint32_t i = 0; i < trace->n; i++)
        walks[i] = TK_FOREST_NONE;
    for (uint32_t i = 0; i < trace->n; i++) {
        uint32_t at = i;
        while (at != TK_FOREST_NONE && walks[at] == TK_FOREST_NONE) {
            walks[at] = i;
            at = trace->parents[at];
        }
        if (at != TK_FOREST_NONE && walks[at] == i)
            cut_cycle(trace, at);
    }
}

void tk_forest_trace_link(struct tk_forest_trace *trace, uint32_t n)
{
    uint32_t mask = slots_for(n) - 1;
    tk_forest_items_sort(trace->items, n, trace->spare, is_row_before, trace->batch);
    enter_items(trace, n, mask);
    find_parents(trace, mask);
    cut_cycles(trace);
    trace->top = TK_FOREST_NONE;
    for (uint32_t i = 0; i < trace->n; i++)
        trace->children[i] = TK_FOREST_NONE;
    for (uint32_t i = trace->n; i-- > 0;) {
        uint32_t parent = trace->parents[i];
        uint32_t *first = parent != TK_FOREST_NONE ? &trace->children[parent] : &trace->top;
        trace->siblings[i] = *first;
        *first = i;
    }
}
