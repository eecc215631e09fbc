/* SPDX-License-Identifier: Apache-2.0 */
/* Calls between nodes: a child that starts before its parent, by more than the clocks of the two
 * may be wrong, shows that they are wrong by more than they claim. The last CALLS invocations are
 * remembered, so that a parent is found whether its row comes before or after that of its child. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "run/merge_internal.h"

#define CALLS            ((size_t)1 << 18)
#define ROUNDING_US      1000
#define UNKNOWN_CLOCK_US 1000000

struct call {
    uint64_t span; /* hashes; 0 = none */
    uint64_t parent;
    int64_t start_us;
    uint32_t node;
    uint32_t sibling; /* index + 1 of another child that waits for the same parent; 0 = none */
    bool waits;
};

struct tk_merge_calls {
    struct call *ring; /* owned; [CALLS] */
    size_t next;
    bool is_full;
    struct tk_map by_span; /* span to index */
    struct tk_map waiting; /* parent to the index of the newest child that waits */
};

int tk_merge_calls_new(struct tk_merge_calls **ret_calls, struct tk_err *err)
{
    struct tk_merge_calls *calls = calloc(1, sizeof(*calls));
    if (calls)
        calls->ring = calloc(CALLS, sizeof(*calls->ring));
    if (!calls || !calls->ring) {
        tk_merge_calls_free(calls);
        return tk_fail(err, -ENOMEM, "out of memory");
    }
    *ret_calls = calls;
    return 0;
}

void tk_merge_calls_free(struct tk_merge_calls *calls)
{
    if (!calls)
        return;
    tk_map_release(&calls->by_span);
    tk_map_release(&calls->waiting);
    free(calls->ring);
    free(calls);
}

static uint64_t hash_id(tk_str id)
{
    return id.n > 0 ? tk_hash_text(id) | 1 : 0;
}

/* How far two clocks may be apart. */
static int64_t bound_us(const struct tk_merge_node *a, const struct tk_merge_node *b)
{
    if (a == b)
        return ROUNDING_US;
    if (a->bound_us < 0 || b->bound_us < 0)
        return UNKNOWN_CLOCK_US;
    return a->bound_us + b->bound_us + ROUNDING_US;
}

/* The pair of two nodes, or a new one; NULL when there is no room for more. */
static struct tk_merge_pair *find_pair(struct tk_merge_report *report, size_t parent, size_t child)
{
    size_t i = 0;
    while (i < report->pair_count &&
           (report->pairs[i].parent != parent || report->pairs[i].child != child))
        i++;
    if (i == TK_MERGE_PAIRS_MAX)
        return NULL;
    if (i == report->pair_count)
        report->pairs[report->pair_count++] = (struct tk_merge_pair){parent, child, 0, 0, 0};
    return &report->pairs[i];
}

static void check(struct tk_merge_report *report, const struct call *parent,
                  const struct call *child)
{
    int64_t early_us = parent->start_us - child->start_us;
    bool is_wrong = early_us > bound_us(&report->nodes[parent->node], &report->nodes[child->node]);
    struct tk_merge_pair *pair = NULL;
    if (is_wrong || parent->node != child->node)
        pair = find_pair(report, parent->node, child->node);
    report->violations += is_wrong;
    if (!pair)
        return;
    pair->calls++;
    pair->violations += is_wrong;
    if (is_wrong && early_us > pair->worst_us)
        pair->worst_us = early_us;
}

/* Forget the call that the next one replaces. */
static void forget(struct tk_merge_calls *calls, size_t index)
{
    const struct call *old = &calls->ring[index];
    uint32_t found;
    if (old->span && tk_map_find(&calls->by_span, old->span, &found) && found == index)
        (void)tk_map_remove(&calls->by_span, old->span);
    /* It is the oldest that waits: whoever waits with it is newer and in front of it. */
    if (old->waits && tk_map_find(&calls->waiting, old->parent, &found) && found == index)
        (void)tk_map_remove(&calls->waiting, old->parent);
}

static bool is_waiting_for(const struct tk_merge_calls *calls, uint32_t index, uint64_t span)
{
    return calls->ring[index].waits && calls->ring[index].parent == span;
}

/* Children that came before their parent. */
static void meet_children(struct tk_merge *merge, const struct call *parent)
{
    struct tk_merge_calls *calls = merge->calls;
    uint32_t index;
    if (!parent->span || !tk_map_find(&calls->waiting, parent->span, &index))
        return;
    (void)tk_map_remove(&calls->waiting, parent->span);
    while (is_waiting_for(calls, index, parent->span)) {
        struct call *child = &calls->ring[index];
        check(merge->report, parent, child);
        child->waits = false;
        if (child->sibling == 0)
            break;
        index = child->sibling - 1;
    }
}

static void meet_parent(struct tk_merge *merge, struct call *child, uint32_t index)
{
    struct tk_merge_calls *calls = merge->calls;
    uint32_t found;
    if (!child->parent)
        return;
    if (tk_map_find(&calls->by_span, child->parent, &found)) {
        check(merge->report, &calls->ring[found], child);
        return;
    }
    child->waits = true;
    child->sibling = tk_map_find(&calls->waiting, child->parent, &found) ? found + 1 : 0;
    if (tk_map_add(&calls->waiting, child->parent, index) < 0)
        child->waits = false; /* without memory for it, it is not checked */
}

void tk_merge_calls_add(struct tk_merge *merge, const struct tk_merge_row *row, size_t node,
                        int64_t start_us)
{
    struct tk_merge_calls *calls = merge->calls;
    if (start_us == INT64_MIN || (row->span.n == 0 && row->parent.n == 0))
        return;
    uint32_t index = (uint32_t)calls->next;
    struct call *call = &calls->ring[index];
    if (calls->is_full)
        forget(calls, index);
    *call = (struct call){.span = hash_id(row->span),
                          .parent = hash_id(row->parent),
                          .start_us = start_us,
                          .node = (uint32_t)node};
    calls->next = (calls->next + 1) % CALLS;
    calls->is_full |= calls->next == 0;
    meet_parent(merge, call, index);
    if (call->span && tk_map_add(&calls->by_span, call->span, index) < 0)
        call->span = 0;
    meet_children(merge, call);
}
