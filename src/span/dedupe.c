/* SPDX-License-Identifier: Apache-2.0 */
#include "span/dedupe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define GENERATION  ((size_t)4 << 20) /* spans */
#define FIRST_SLOTS ((size_t)1 << 16)

struct seen {
    uint64_t low, high; /* both 0 = free */
};

/* A set of what was seen, at most half full. */
struct set {
    struct seen *slots; /* owned; NULL = empty */
    size_t mask, count;
};

struct tk_dedupe {
    struct set now, before; /* when the one is full it becomes the other */
};

int tk_dedupe_new(struct tk_dedupe **ret_dedupe, struct tk_err *err)
{
    *ret_dedupe = calloc(1, sizeof(**ret_dedupe));
    return *ret_dedupe ? 0 : tk_fail(err, -ENOMEM, "out of memory");
}

void tk_dedupe_free(struct tk_dedupe *dedupe)
{
    if (!dedupe)
        return;
    free(dedupe->now.slots);
    free(dedupe->before.slots);
    free(dedupe);
}

/* The slot of an item, or the free one where it belongs. */
static struct seen *find(const struct set *set, const struct seen *item)
{
    size_t i = (size_t)item->low & set->mask;
    for (;; i = (i + 1) & set->mask) {
        struct seen *slot = &set->slots[i];
        if ((slot->low | slot->high) == 0 || (slot->low == item->low && slot->high == item->high))
            return slot;
    }
}

static bool has(const struct set *set, const struct seen *item)
{
    return set->slots && (find(set, item)->low | find(set, item)->high) != 0;
}

static bool grow(struct set *set)
{
    size_t slots = set->slots ? 2 * (set->mask + 1) : FIRST_SLOTS;
    struct set grown = {calloc(slots, sizeof(*grown.slots)), slots - 1, set->count};
    if (!grown.slots)
        return false;
    for (size_t i = 0; set->slots && i <= set->mask; i++) {
        if ((set->slots[i].low | set->slots[i].high) != 0)
            *find(&grown, &set->slots[i]) = set->slots[i];
    }
    free(set->slots);
    *set = grown;
    return true;
}

/* Whether the item is new; it is known then. -ENOMEM. */
static int add(struct tk_dedupe *dedupe, const struct seen *item)
{
    struct set *now = &dedupe->now;
    if (now->count == GENERATION) {
        free(dedupe->before.slots);
        dedupe->before = *now;
        *now = (struct set){0};
    }
    if ((!now->slots || 2 * now->count > now->mask) && !grow(now))
        return -ENOMEM;
    struct seen *slot = find(now, item);
    if ((slot->low | slot->high) != 0 || has(&dedupe->before, item))
        return 0;
    *slot = *item;
    now->count++;
    return 1;
}

static struct seen seen_of(const struct tk_span_batch *batch, size_t row)
{
    uint64_t halves[2];
    uint64_t id = batch->span_ids[row];
    uint64_t kind = batch->kinds[row];
    memcpy(halves, batch->trace_ids[row], sizeof(halves));
    struct seen item = {tk_hash_mix(tk_hash_mix(halves[0], halves[1]), tk_hash_mix(id, kind)),
                        tk_hash_mix(tk_hash_mix(kind, id), tk_hash_mix(halves[1], halves[0]))};
    item.high |= (item.low | item.high) == 0;
    return item;
}

static void move_row(struct tk_span_batch *batch, size_t from, size_t to)
{
    memcpy(batch->trace_ids[to], batch->trace_ids[from], sizeof(batch->trace_ids[to]));
    batch->span_ids[to] = batch->span_ids[from];
    batch->parent_ids[to] = batch->parent_ids[from];
    batch->start_ns[to] = batch->start_ns[from];
    batch->duration_ns[to] = batch->duration_ns[from];
    batch->names[to] = batch->names[from];
    batch->scope_ids[to] = batch->scope_ids[from];
    batch->messages[to] = batch->messages[from];
    batch->trace_states[to] = batch->trace_states[from];
    batch->flags[to] = batch->flags[from];
    batch->kinds[to] = batch->kinds[from];
    batch->statuses[to] = batch->statuses[from];
    batch->dropped_attrs[to] = batch->dropped_attrs[from];
    batch->dropped_events[to] = batch->dropped_events[from];
    batch->dropped_links[to] = batch->dropped_links[from];
}

/* Where the attributes, events and links of a row end. */
struct ends {
    uint32_t attrs, events, links;
};

static struct ends ends_of(const struct tk_span_batch *batch, size_t row)
{
    return (struct ends){batch->attr_ends[row], batch->event_ends[row], batch->link_ends[row]};
}

/* What belongs to a row stands from `from` to `end` and goes to `to`. */
static void move_parts(struct tk_span_batch *batch, struct ends from, struct ends end,
                       struct ends to)
{
    memmove(batch->attrs + to.attrs, batch->attrs + from.attrs,
            (end.attrs - from.attrs) * sizeof(*batch->attrs));
    memmove(batch->events + to.events, batch->events + from.events,
            (end.events - from.events) * sizeof(*batch->events));
    memmove(batch->links + to.links, batch->links + from.links,
            (end.links - from.links) * sizeof(*batch->links));
}

/* Take the rows out whose mark, from `first` on, is set. */
static void remove_rows(struct tk_span_batch *batch, size_t first, const bool *marks)
{
    struct ends from = first > 0 ? ends_of(batch, first - 1) : (struct ends){0};
    struct ends to = from;
    size_t at = first;
    for (size_t row = first; row < batch->rows; row++) {
        struct ends end = ends_of(batch, row);
        if (!marks[row - first]) {
            move_parts(batch, from, end, to);
            move_row(batch, row, at);
            to.attrs += end.attrs - from.attrs;
            to.events += end.events - from.events;
            to.links += end.links - from.links;
            batch->attr_ends[at] = to.attrs;
            batch->event_ends[at] = to.events;
            batch->link_ends[at] = to.links;
            at++;
        }
        from = end;
    }
    batch->rows = at;
    batch->attr_count = to.attrs;
    batch->event_count = to.events;
    batch->link_count = to.links;
}

int tk_dedupe_filter(struct tk_dedupe *dedupe, struct tk_span_batch *batch, size_t first,
                     struct tk_span_tally *tally, struct tk_err *err)
{
    uint64_t again = 0;
    int rc = 0;
    bool *marks = calloc(batch->rows - first + 1, sizeof(*marks));
    for (size_t row = first; marks && row < batch->rows && rc >= 0; row++) {
        struct seen item = seen_of(batch, row);
        rc = add(dedupe, &item);
        marks[row - first] = rc == 0;
        again += rc == 0;
    }
    if (!marks || rc < 0) {
        free(marks);
        return tk_fail(err, -ENOMEM, "out of memory");
    }
    if (again > 0)
        remove_rows(batch, first, marks);
    free(marks);
    tally->spans -= again;
    tally->by_reason[TK_SPAN_DUPLICATE] += again;
    return 0;
}
