/* SPDX-License-Identifier: Apache-2.0 */
#include "span/dedupe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define GENERATION  ((size_t)4 << 20) /* spans */
#define PARTS       256
#define LINE        8 /* slots, as many as a line of the cache holds */
#define FIRST_SLOTS 64
#define FULL(slots) ((slots) - (slots) / 8)
#define MORE(slots) (((slots) + (slots) / 4) / LINE * LINE)
#define PREFETCH    16 /* rows ahead */

/* What is known of a span: the part that it belongs to, and the mark that it leaves there. */
struct seen {
    uint64_t mark; /* 0 = free */
    uint32_t part;
};

/* A set of marks, in lines of slots from the one on that a mark's greatness tells; the free ones of
 * a line are its last. */
struct part {
    uint64_t *slots; /* owned; NULL = empty */
    size_t slot_count, count;
};

/* A set of what was seen. Parts grow one by one, so that never two copies of all are there. */
struct set {
    struct part parts[PARTS];
    size_t count;
};

struct tk_dedupe {
    struct set now, before; /* when the one is full it becomes the other */
    size_t generation;
};

int tk_dedupe_new(size_t spans, struct tk_dedupe **ret_dedupe, struct tk_err *err)
{
    struct tk_dedupe *dedupe = calloc(1, sizeof(*dedupe));
    if (!dedupe)
        return tk_fail(err, -ENOMEM, "out of memory");
    dedupe->generation = spans > 0 ? spans : GENERATION;
    *ret_dedupe = dedupe;
    return 0;
}

static void release(struct set *set)
{
    for (size_t i = 0; i < PARTS; i++)
        free(set->parts[i].slots);
}

void tk_dedupe_free(struct tk_dedupe *dedupe)
{
    if (!dedupe)
        return;
    release(&dedupe->now);
    release(&dedupe->before);
    free(dedupe);
}

/* The line of a mark. */
static size_t home_of(const struct part *part, uint64_t mark)
{
    __extension__ typedef unsigned __int128 wide;
    return (size_t)((wide)mark * (part->slot_count / LINE) >> 64) * LINE;
}

/* The slot of a mark, or the free one where it belongs. A line is looked at as a whole: nobody can
 * foretell where in it the search would end. */
static uint64_t *find(const struct part *part, uint64_t mark)
{
    for (size_t at = home_of(part, mark);; at = at + LINE < part->slot_count ? at + LINE : 0) {
        unsigned there = 0;
        unsigned is_free = 0;
        for (unsigned i = 0; i < LINE; i++) {
            there |= (unsigned)(part->slots[at + i] == mark) << i;
            is_free |= (unsigned)(part->slots[at + i] == 0) << i;
        }
        if (there | is_free)
            return &part->slots[at + (unsigned)__builtin_ctz(there ? there : is_free)];
    }
}

static bool has(const struct set *set, const struct seen *seen)
{
    const struct part *part = &set->parts[seen->part];
    return part->slots && *find(part, seen->mark) != 0;
}

static bool grow(struct part *part)
{
    struct part grown = {.slot_count = part->slots ? MORE(part->slot_count) : FIRST_SLOTS,
                         .count = part->count};
    size_t bytes = grown.slot_count * sizeof(*grown.slots);
    grown.slots = aligned_alloc(LINE * sizeof(*grown.slots), bytes);
    if (!grown.slots)
        return false;
    memset(grown.slots, 0, bytes);
    for (size_t i = 0; part->slots && i < part->slot_count; i++) {
        if (part->slots[i] != 0)
            *find(&grown, part->slots[i]) = part->slots[i];
    }
    free(part->slots);
    *part = grown;
    return true;
}

/* Whether the span is new; it is known then. -ENOMEM. */
static int add(struct tk_dedupe *dedupe, const struct seen *seen)
{
    struct set *now = &dedupe->now;
    if (now->count == dedupe->generation) {
        release(&dedupe->before);
        dedupe->before = *now;
        *now = (struct set){0};
    }
    struct part *part = &now->parts[seen->part];
    if ((!part->slots || part->count == FULL(part->slot_count)) && !grow(part))
        return -ENOMEM;
    uint64_t *slot = find(part, seen->mark);
    if (*slot != 0 || has(&dedupe->before, seen))
        return 0;
    *slot = seen->mark;
    part->count++;
    now->count++;
    return 1;
}

static struct seen seen_of(const struct tk_span_batch *batch, size_t row)
{
    uint64_t halves[2];
    uint64_t id = batch->span_ids[row];
    uint64_t kind = batch->kinds[row];
    memcpy(halves, batch->trace_ids[row], sizeof(halves));
    uint64_t mark = tk_hash_mix(tk_hash_mix(halves[0], halves[1]), tk_hash_mix(id, kind));
    uint64_t part = tk_hash_mix(tk_hash_mix(kind, id), tk_hash_mix(halves[1], halves[0]));
    return (struct seen){mark + (mark == 0), (uint32_t)(part % PARTS)};
}

/* A row that comes soon: where it is looked for is fetched. */
static struct seen fetch(const struct tk_dedupe *dedupe, const struct tk_span_batch *batch,
                         size_t row)
{
    if (row >= batch->rows)
        return (struct seen){0};
    struct seen seen = seen_of(batch, row);
    const struct part *part = &dedupe->now.parts[seen.part];
    if (part->slots)
        __builtin_prefetch(&part->slots[home_of(part, seen.mark)], 1);
    return seen;
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
    tk_span_set_rare(&batch->messages[to], batch->messages[from]);
    tk_span_set_rare(&batch->trace_states[to], batch->trace_states[from]);
    tk_span_set_rare(&batch->flags[to], batch->flags[from]);
    batch->kinds[to] = batch->kinds[from];
    batch->statuses[to] = batch->statuses[from];
    tk_span_set_rare(&batch->dropped_attrs[to], batch->dropped_attrs[from]);
    tk_span_set_rare(&batch->dropped_events[to], batch->dropped_events[from]);
    tk_span_set_rare(&batch->dropped_links[to], batch->dropped_links[from]);
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
            tk_span_set_rare(&batch->attr_ends[at], to.attrs);
            tk_span_set_rare(&batch->event_ends[at], to.events);
            tk_span_set_rare(&batch->link_ends[at], to.links);
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
    struct seen soon[PREFETCH]; /* by row */
    bool *marks = calloc(batch->rows - first + 1, sizeof(*marks));
    for (size_t row = first; row < first + PREFETCH; row++)
        soon[row % PREFETCH] = fetch(dedupe, batch, row);
    for (size_t row = first; marks && row < batch->rows && rc >= 0; row++) {
        struct seen seen = soon[row % PREFETCH];
        soon[row % PREFETCH] = fetch(dedupe, batch, row + PREFETCH);
        rc = add(dedupe, &seen);
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
