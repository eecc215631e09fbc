/* SPDX-License-Identifier: Apache-2.0 */
/* From rows as they came to rows by trace that know their parents. Of a trace:
 *
 *     ids    a hash of the trace's span ids, each with the row that holds it
 *     twice  an id and kind that are there: the row is left out
 *     twin   an id that is there with another kind, as Zipkin's halves of a call: both stay, under
 *            ids of their own; of a client's and a server's the server's is the child and has the
 *            children, else the first to start has them
 *     cycle  is cut before its span that starts first */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "fidelity/span_table_internal.h"

#define FREE UINT32_MAX

/* An id of the trace at hand, and the row (place in the trace) that children belong to. */
struct holder {
    uint64_t id;
    uint32_t place; /* FREE = none */
};

struct grouping {
    const struct tk_span_arrivals *arrivals;
    struct tk_span_table *table;
    uint32_t *order;   /* [rows] of arrivals, by trace */
    uint32_t *parents; /* [rows] by place in `order` */
    struct holder *holders;
    uint32_t mask;

    /* The trace at hand: its rows are order[begin .. begin + count). */
    uint32_t begin, count;
    uint32_t *rows; /* order + begin */
    uint32_t edges;
};

/* Ids ------------------------------------------------------------------------------------------ */

static struct holder *holder_of(const struct grouping *grouping, uint64_t id)
{
    uint32_t at = (uint32_t)tk_hash_mix(id, grouping->table->texts.seed) & grouping->mask;
    while (grouping->holders[at].place != FREE && grouping->holders[at].id != id)
        at = (at + 1) & grouping->mask;
    return &grouping->holders[at];
}

/* An id of a twin's own. */
static uint64_t twin_id(uint64_t id, uint8_t kind)
{
    return tk_hash_mix(id, (uint64_t)kind + 1);
}

/* Room for the ids of a trace of `rows` rows, each with a twin's. */
static int clear_holders(struct grouping *grouping, uint32_t rows, uint32_t *room)
{
    uint64_t slots = 16;
    while (slots < 4 * (uint64_t)rows)
        slots *= 2;
    if (slots > *room) {
        free(grouping->holders);
        grouping->holders = malloc(slots * sizeof(*grouping->holders));
        if (!grouping->holders || slots > UINT32_MAX)
            return -ENOMEM;
        *room = (uint32_t)slots;
    }
    grouping->mask = (uint32_t)(slots - 1);
    for (uint32_t i = 0; i <= grouping->mask; i++)
        grouping->holders[i].place = FREE;
    return 0;
}

/* The row at `place` has the id of `holder`, and another kind: who has the children? */
static void settle_twins(struct grouping *grouping, struct holder *holder, uint32_t place)
{
    const struct tk_span_table *table = grouping->table;
    uint32_t *parents = grouping->parents + grouping->begin;
    uint32_t first = grouping->rows[holder->place];
    uint32_t second = grouping->rows[place];
    uint8_t a = table->kinds[first];
    uint8_t b = table->kinds[second];
    if (a == TK_SPAN_CLIENT && b == TK_SPAN_SERVER) {
        parents[place] = holder->place;
        holder->place = place;
    } else if (a == TK_SPAN_SERVER && b == TK_SPAN_CLIENT) {
        parents[holder->place] = place;
    } else if (table->start_ns[second] < table->start_ns[first]) {
        holder->place = place;
    }
}

/* Take up the row at `place`; false when it came before. */
static bool add_id(struct grouping *grouping, uint32_t place)
{
    struct tk_span_table *table = grouping->table;
    uint32_t row = grouping->rows[place];
    uint64_t id = table->span_ids[row];
    uint8_t kind = table->kinds[row];
    struct holder *holder = holder_of(grouping, id);
    if (holder->place == FREE) {
        *holder = (struct holder){id, place};
        return true;
    }
    uint32_t other = grouping->rows[holder->place];
    struct holder *twin = holder_of(grouping, twin_id(id, kind));
    if (table->kinds[other] == kind || twin->place != FREE)
        return false;
    *twin = (struct holder){twin_id(id, kind), place};
    if (table->span_ids[other] == id) {
        uint64_t own = twin_id(id, table->kinds[other]);
        *holder_of(grouping, own) = (struct holder){own, holder->place};
        table->span_ids[other] = own;
    }
    table->span_ids[row] = twin_id(id, kind);
    settle_twins(grouping, holder, place);
    return true;
}

/* Parents -------------------------------------------------------------------------------------- */

static void find_parents(struct grouping *grouping)
{
    struct tk_span_table *table = grouping->table;
    uint32_t *parents = grouping->parents + grouping->begin;
    for (uint32_t place = 0; place < grouping->count; place++) {
        uint32_t row = grouping->rows[place];
        uint64_t parent = grouping->arrivals->parent_ids[row];
        table->orphans[row] = 0;
        if (parents[place] != TK_ROW_TOP || parent == 0)
            continue;
        parents[place] = holder_of(grouping, parent)->place; /* FREE is TK_ROW_TOP */
        table->orphans[row] = parents[place] == TK_ROW_TOP;
    }
}

/* Cut the cycle that `at` is on before the row that starts first. */
static void cut_cycle(struct grouping *grouping, uint32_t at)
{
    const struct tk_span_table *table = grouping->table;
    uint32_t *parents = grouping->parents + grouping->begin;
    uint32_t first = at;
    for (uint32_t place = parents[at]; place != at; place = parents[place]) {
        uint32_t row = grouping->rows[place];
        uint32_t best = grouping->rows[first];
        bool is_tie = table->start_ns[row] == table->start_ns[best];
        if (is_tie ? memcmp(&table->span_ids[row], &table->span_ids[best], 8) < 0
                   : table->start_ns[row] < table->start_ns[best])
            first = place;
    }
    parents[first] = TK_ROW_TOP;
    grouping->table->cycles++;
}

/* Walk up from every row that no walk has met; a walk that meets itself is on a cycle. `walks` is
 * room for all. */
static void cut_cycles(struct grouping *grouping, uint32_t *walks)
{
    const uint32_t *parents = grouping->parents + grouping->begin;
    for (uint32_t place = 0; place < grouping->count; place++)
        walks[place] = FREE;
    for (uint32_t place = 0; place < grouping->count; place++) {
        uint32_t at = place;
        while (at != TK_ROW_TOP && walks[at] == FREE) {
            walks[at] = place;
            at = parents[at];
        }
        if (at != TK_ROW_TOP && walks[at] == place)
            cut_cycle(grouping, at);
    }
}

/* Traces --------------------------------------------------------------------------------------- */

/* Rows by trace, in the order in which they came. `ends` become the ends of the traces. */
static void order_by_trace(const struct grouping *grouping, uint32_t *ends)
{
    const struct tk_span_table *table = grouping->table;
    const uint32_t *traces = grouping->arrivals->traces;
    uint32_t sum = 0;
    for (uint32_t row = 0; row < table->rows; row++)
        ends[traces[row]]++;
    for (uint32_t trace = 0; trace < table->traces; trace++) {
        uint32_t count = ends[trace];
        ends[trace] = sum;
        sum += count;
    }
    for (uint32_t row = 0; row < table->rows; row++)
        grouping->order[ends[traces[row]]++] = row;
}

/* The rows of the trace at hand stand at `from` and go to `begin`, without those that came before.
 */
static void take_rows(struct grouping *grouping, uint32_t from, uint32_t rows)
{
    grouping->rows = grouping->order + grouping->begin;
    grouping->count = 0;
    for (uint32_t i = 0; i < rows; i++) {
        uint32_t place = grouping->count;
        grouping->rows[place] = grouping->order[from + i];
        grouping->parents[grouping->begin + place] = TK_ROW_TOP;
        if (add_id(grouping, place)) {
            grouping->count++;
        } else {
            grouping->table->duplicates++;
        }
    }
}

/* Places in the trace become rows of the table. */
static void end_trace(struct grouping *grouping)
{
    uint32_t *parents = grouping->parents + grouping->begin;
    grouping->edges = 0;
    for (uint32_t place = 0; place < grouping->count; place++) {
        if (parents[place] == TK_ROW_TOP)
            continue;
        parents[place] += grouping->begin;
        grouping->edges++;
    }
}

static int group_traces(struct grouping *grouping, uint32_t *walks)
{
    struct tk_span_table *table = grouping->table;
    uint32_t room = 0;
    uint32_t kept = 0;
    uint32_t from = 0;
    for (uint32_t trace = 0; trace < table->traces; trace++) {
        uint32_t end = table->trace_ends[trace];
        if (clear_holders(grouping, end - from, &room) < 0)
            return -ENOMEM;
        take_rows(grouping, from, end - from);
        find_parents(grouping);
        cut_cycles(grouping, walks);
        end_trace(grouping);
        from = end;
        if (grouping->edges == 0 && grouping->arrivals->drop_edgeless) {
            table->edgeless++;
            continue;
        }
        grouping->begin += grouping->count;
        memmove(table->trace_ids[kept], table->trace_ids[trace], sizeof(table->trace_ids[kept]));
        table->trace_ends[kept++] = grouping->begin;
    }
    table->traces = kept;
    return 0;
}

static int group(struct grouping *grouping, struct tk_err *err)
{
    struct tk_span_table *table = grouping->table;
    uint32_t *walks = grouping->arrivals->traces; /* not needed any more once rows are by trace */
    order_by_trace(grouping, table->trace_ends);
    int rc = group_traces(grouping, walks);
    if (rc < 0)
        return tk_fail(err, rc, "table of spans: out of memory");
    rc = tk_span_table_gather(table, table, grouping->order, grouping->begin, err);
    if (rc < 0)
        return rc;
    free(table->parents);
    table->parents = grouping->parents;
    grouping->parents = NULL;
    for (uint32_t trace = 0; trace < table->traces; trace++)
        table->weights[trace] = 1.0;
    return 0;
}

int tk_span_table_group(struct tk_span_arrivals *arrivals, struct tk_err *err)
{
    struct tk_span_table *table = arrivals->table;
    struct grouping grouping = {
        .arrivals = arrivals,
        .table = table,
        .order = calloc((size_t)table->rows + 1, sizeof(*grouping.order)),
        .parents = calloc((size_t)table->rows + 1, sizeof(*grouping.parents)),
    };
    table->trace_ends = calloc((size_t)table->traces + 1, sizeof(*table->trace_ends));
    table->weights = calloc((size_t)table->traces + 1, sizeof(*table->weights));
    bool ok = grouping.order && grouping.parents && table->trace_ends && table->weights;
    int rc = ok ? group(&grouping, err) : tk_fail(err, -ENOMEM, "table of spans: out of memory");
    free(grouping.holders);
    free(grouping.order);
    free(grouping.parents);
    return rc;
}
