/* SPDX-License-Identifier: Apache-2.0 */
/* Rows to a forest: group them by trace, sort the traces, link each (forest_link.c), walk it from
 * the top. The same rows in another order give the same forest. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "codec/forest_internal.h"
#include "span/span_text.h"

struct building {
    struct tk_forest *forest;
    const struct tk_span_rows *rows;
    struct tk_forest_names names;
    struct tk_arena scratch;

    /* Traces in the order in which they came. */
    uint32_t *traces;  /* [n] of the i-th row */
    uint32_t *firsts;  /* [count] the first row of each */
    uint32_t *ends;    /* [count] behind the last of its rows in `members` */
    uint32_t *members; /* [n] i of rows, trace by trace */
    uint32_t count;
    uint32_t largest; /* rows of a trace */
    uint32_t *slots;  /* trace + 1 by id; owned */
    uint32_t mask;

    uint8_t *is_used; /* [2 * names.count] symbol, and as an orphan's */
};

/* Times ---------------------------------------------------------------------------------------- */

static int refuse_time(const struct tk_span_batch *batch, size_t row, const char *why,
                       struct tk_err *err)
{
    char trace[TK_TRACE_ID_DIGITS];
    char span[TK_SPAN_ID_DIGITS];
    tk_trace_id_format(batch->trace_ids[row], trace);
    tk_span_id_format(batch->span_ids[row], span);
    return tk_fail(err, -EBADMSG, "trace %.*s: span %.*s: %s", (int)sizeof(trace), trace,
                   (int)sizeof(span), span, why);
}

/* Find the origin and the clock. */
static int find_clock(struct building *building, struct tk_err *err)
{
    const struct tk_span_batch *batch = building->rows->batch;
    struct tk_forest *forest = building->forest;
    int64_t tick_ns = 1000000;
    int64_t first_ns = INT64_MAX;
    for (size_t i = 0; i < building->rows->n; i++) {
        size_t row = tk_span_rows_at(building->rows, i);
        int64_t start_ns = batch->start_ns[row];
        int64_t duration_ns = batch->duration_ns[row];
        int64_t end_ns;
        if (duration_ns < 0 || __builtin_add_overflow(start_ns, duration_ns, &end_ns))
            return refuse_time(batch, row, "ends before it starts or after all time", err);
        if (tick_ns == 1000000 && (start_ns % 1000000 != 0 || duration_ns % 1000000 != 0))
            tick_ns = 1000;
        if (tick_ns == 1000 && (start_ns % 1000 != 0 || duration_ns % 1000 != 0))
            tick_ns = 1;
        first_ns = start_ns < first_ns ? start_ns : first_ns;
    }
    for (size_t i = 0; i < building->rows->n; i++) {
        size_t row = tk_span_rows_at(building->rows, i);
        int64_t behind_ns;
        if (__builtin_sub_overflow(batch->start_ns[row], first_ns, &behind_ns))
            return refuse_time(batch, row, "starts more than 292 years after the first", err);
    }
    forest->tick_ns = tick_ns;
    forest->origin_ns = building->rows->n > 0 ? first_ns : 0;
    return 0;
}

static int64_t ticks_of(const struct tk_forest *forest, int64_t ns)
{
    if (forest->tick_ns == 1)
        return ns;
    return forest->tick_ns == 1000 ? ns / 1000 : ns / 1000000;
}

/* Traces --------------------------------------------------------------------------------------- */

static uint32_t home_of(const struct building *building, size_t row)
{
    uint64_t halves[2];
    memcpy(halves, building->rows->batch->trace_ids[row], sizeof(halves));
    uint64_t seed = building->forest->dictionary.seed;
    return (uint32_t)tk_hash_mix(halves[0] ^ seed, halves[1]);
}

static int grow(struct building *building)
{
    uint32_t mask = building->slots ? building->mask * 2 + 1 : 1023;
    uint32_t *slots = calloc((size_t)mask + 1, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    for (uint32_t trace = 0; trace < building->count; trace++) {
        uint32_t at = home_of(building, building->firsts[trace]) & mask;
        while (slots[at] != 0)
            at = (at + 1) & mask;
        slots[at] = trace + 1;
    }
    free(building->slots);
    building->slots = slots;
    building->mask = mask;
    return 0;
}

static bool is_same_trace(const struct tk_span_batch *batch, size_t a, size_t b)
{
    return memcmp(batch->trace_ids[a], batch->trace_ids[b], sizeof(batch->trace_ids[a])) == 0;
}

/* The number of the trace of a row; there is a free slot. */
static uint32_t find_trace(struct building *building, size_t row)
{
    const struct tk_span_batch *batch = building->rows->batch;
    uint32_t at = home_of(building, row) & building->mask;
    for (; building->slots[at] != 0; at = (at + 1) & building->mask) {
        uint32_t trace = building->slots[at] - 1;
        if (is_same_trace(batch, building->firsts[trace], row))
            return trace;
    }
    building->firsts[building->count] = (uint32_t)row;
    building->ends[building->count] = 0;
    building->slots[at] = ++building->count;
    return building->count - 1;
}

/* Count the rows of each trace. */
static int count_rows(struct building *building)
{
    const struct tk_span_rows *rows = building->rows;
    uint32_t trace = 0;
    for (size_t i = 0; i < rows->n; i++) {
        size_t row = tk_span_rows_at(rows, i);
        if (i == 0 || !is_same_trace(rows->batch, row, building->firsts[trace])) {
            if (2 * (building->count + 1) > building->mask + 1 && grow(building) < 0)
                return -ENOMEM;
            trace = find_trace(building, row);
        }
        building->traces[i] = trace;
        building->ends[trace]++;
    }
    return 0;
}

/* Put the rows of each trace together. */
static int group(struct building *building, struct tk_err *err)
{
    size_t n = building->rows->n;
    building->traces = tk_arena_alloc(&building->scratch, n * sizeof(uint32_t));
    building->firsts = tk_arena_alloc(&building->scratch, n * sizeof(uint32_t));
    building->ends = tk_arena_alloc(&building->scratch, n * sizeof(uint32_t));
    building->members = tk_arena_alloc(&building->scratch, n * sizeof(uint32_t));
    if (!building->members || grow(building) < 0 || count_rows(building) < 0)
        return tk_fail(err, -ENOMEM, "traces of a block: out of memory");
    uint32_t begin = 0;
    for (uint32_t trace = 0; trace < building->count; trace++) {
        uint32_t size = building->ends[trace];
        building->ends[trace] = begin;
        building->largest = size > building->largest ? size : building->largest;
        begin += size;
    }
    for (size_t i = 0; i < n; i++)
        building->members[building->ends[building->traces[i]]++] = (uint32_t)i;
    return 0;
}

static bool is_trace_before(const void *context, uint32_t a, uint32_t b)
{
    const struct building *building = context;
    const struct tk_span_batch *batch = building->rows->batch;
    return memcmp(batch->trace_ids[building->firsts[a]], batch->trace_ids[building->firsts[b]],
                  sizeof(batch->trace_ids[0])) < 0;
}

/* The traces by start, then id; NULL without memory. */
static struct tk_forest_item *sort_traces(struct building *building)
{
    const struct tk_span_rows *rows = building->rows;
    size_t bytes = building->count * sizeof(struct tk_forest_item);
    struct tk_forest_item *order = tk_arena_alloc(&building->scratch, bytes);
    struct tk_forest_item *spare = tk_arena_alloc(&building->scratch, bytes);
    if (!spare)
        return NULL;
    for (uint32_t trace = 0; trace < building->count; trace++)
        order[trace] = (struct tk_forest_item){INT64_MAX, 0, trace};
    for (size_t i = 0; i < rows->n; i++) {
        int64_t *first_ns = &order[building->traces[i]].start_ns;
        int64_t start_ns = rows->batch->start_ns[tk_span_rows_at(rows, i)];
        *first_ns = start_ns < *first_ns ? start_ns : *first_ns;
    }
    tk_forest_items_sort(order, building->count, spare, is_trace_before, building);
    return order;
}

/* Nodes ---------------------------------------------------------------------------------------- */

static void put_node(struct building *building, const struct tk_forest_trace *trace, uint32_t item)
{
    struct tk_forest *forest = building->forest;
    const struct tk_forest_item *span = &trace->items[item];
    uint32_t node = forest->node_count++;
    uint32_t symbol = 2 * span->symbol + trace->is_orphan[item];
    building->is_used[symbol] = 1;
    forest->node_symbols[node] = symbol;
    forest->starts[node] = ticks_of(forest, span->start_ns - trace->items[0].start_ns);
    forest->durations[node] = ticks_of(forest, trace->batch->duration_ns[span->index]);
    forest->rows[node] = span->index;
}

/* All below `at` is there: so it is for those whose last child it is. The item that comes next. */
static uint32_t close_items(struct tk_forest *forest, const struct tk_forest_trace *trace,
                            const uint32_t *nodes, uint32_t at)
{
    for (; at != TK_FOREST_NONE; at = trace->parents[at]) {
        forest->sizes[nodes[at]] = forest->node_count - nodes[at];
        if (trace->siblings[at] != TK_FOREST_NONE)
            return trace->siblings[at];
    }
    return TK_FOREST_NONE;
}

/* Append the trace, parents before children. */
static void put_trace(struct building *building, const struct tk_forest_trace *trace)
{
    struct tk_forest *forest = building->forest;
    uint32_t *nodes = trace->twins; /* of items: no longer in use */
    for (uint32_t at = trace->top; at != TK_FOREST_NONE;) {
        nodes[at] = forest->node_count;
        put_node(building, trace, at);
        uint32_t child = trace->children[at];
        at = child != TK_FOREST_NONE ? child : close_items(forest, trace, nodes, at);
    }
    uint32_t number = forest->trace_count++;
    forest->trace_ends[number] = forest->node_count;
    forest->trace_starts[number] = ticks_of(forest, trace->items[0].start_ns - forest->origin_ns);
}

static int put_traces(struct building *building, struct tk_err *err)
{
    struct tk_forest *forest = building->forest;
    const struct tk_span_rows *rows = building->rows;
    struct tk_forest_trace trace = {.batch = rows->batch, .seed = forest->dictionary.seed};
    const struct tk_forest_item *order = sort_traces(building);
    if (!order)
        return tk_fail(err, -ENOMEM, "traces of a block: out of memory");
    int rc = tk_forest_trace_init(&trace, building->largest, &building->scratch, err);
    for (uint32_t i = 0; rc == 0 && i < building->count; i++) {
        uint32_t number = order[i].index;
        uint32_t begin = number > 0 ? building->ends[number - 1] : 0;
        uint32_t n = building->ends[number] - begin;
        for (uint32_t k = 0; k < n; k++) {
            uint32_t at = building->members[begin + k];
            uint32_t row = (uint32_t)tk_span_rows_at(rows, at);
            trace.items[k] = (struct tk_forest_item){rows->batch->start_ns[row],
                                                     building->names.of_rows[at], row};
        }
        tk_forest_trace_link(&trace, n);
        put_trace(building, &trace);
    }
    forest->orphans = trace.orphans;
    forest->cycles = trace.cycles;
    forest->duplicates = trace.duplicates;
    forest->unequal_duplicates = trace.unequal_duplicates;
    return rc;
}

/* Number the symbols that there are, and take their texts into the dictionary. */
static int put_symbols(struct building *building, struct tk_err *err)
{
    struct tk_forest *forest = building->forest;
    const struct tk_forest_names *names = &building->names;
    uint32_t *numbers =
        tk_arena_alloc(&building->scratch, (size_t)names->count * 2 * sizeof(*numbers));
    if (!numbers)
        return tk_fail(err, -ENOMEM, "symbols of a block: out of memory");
    for (uint32_t i = 0; i < 2 * names->count; i++) {
        numbers[i] = forest->symbol_count;
        if (!building->is_used[i])
            continue;
        struct tk_symbol *symbol = &forest->symbols[forest->symbol_count++];
        *symbol = names->symbols[i / 2];
        symbol->service =
            tk_texts_add(&forest->dictionary, tk_texts_get(&names->batch->texts, symbol->service));
        symbol->operation = tk_texts_add(&forest->dictionary,
                                         tk_texts_get(&names->batch->texts, symbol->operation));
        symbol->orphan = i % 2;
    }
    for (uint32_t node = 0; node < forest->node_count; node++)
        forest->node_symbols[node] = numbers[forest->node_symbols[node]];
    return forest->dictionary.full ? tk_fail(err, -EMSGSIZE,
                                             "block of %zu spans: names of services and operations "
                                             "take too much room",
                                             building->rows->n)
                                   : 0;
}

static int build(struct building *building, struct tk_err *err)
{
    struct tk_forest_names *names = &building->names;
    int rc = find_clock(building, err);
    if (rc == 0)
        rc = tk_forest_names_init(names, building->rows, &building->scratch, err);
    if (rc == 0)
        rc = group(building, err);
    if (rc < 0)
        return rc;
    building->is_used = tk_arena_alloc(&building->scratch, (size_t)names->count * 2);
    if (!building->is_used)
        return tk_fail(err, -ENOMEM, "symbols of a block: out of memory");
    memset(building->is_used, 0, (size_t)names->count * 2);
    rc = put_traces(building, err);
    return rc < 0 ? rc : put_symbols(building, err);
}

int tk_forest_build(struct tk_forest *forest, const struct tk_span_rows *rows, struct tk_err *err)
{
    return tk_forest_build_common(forest, rows, 0, err);
}

int tk_forest_build_common(struct tk_forest *forest, const struct tk_span_rows *rows,
                           uint32_t min_count, struct tk_err *err)
{
    struct building building = {.forest = forest, .rows = rows, .names.min_count = min_count};
    tk_forest_release(forest);
    if (rows->n > TK_FOREST_MAX_NODES) {
        return tk_fail(err, -EMSGSIZE, "block of %zu spans: at most %u are allowed", rows->n,
                       TK_FOREST_MAX_NODES);
    }
    int rc = tk_forest_init(forest, (uint32_t)rows->n, (uint32_t)rows->n, err);
    if (rc == 0) /* all that is taken for a row, and room to align it */
        rc = tk_arena_init(&building.scratch, rows->n * 256 + 65536, err);
    if (rc == 0)
        rc = build(&building, err);
    free(building.slots);
    tk_arena_release(&building.scratch);
    return rc;
}
