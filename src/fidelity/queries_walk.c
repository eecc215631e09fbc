/* SPDX-License-Identifier: Apache-2.0 */
/* One walk over a table per query, for all combinations of its parameters. What SQL writes as a
 * join of S1 and S2 over a trace becomes sums per trace:
 *
 *     pairs of a row S1 with any row of the trace that ...     rows S1 x a number
 *     pairs of rows of S1.service with S2's value              numbers per service x rows S2
 *     quotients of durations                                   jumps over sorted durations */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fidelity/queries_internal.h"

#define LOG_BITS    16 /* of log2 behind the point */
#define LOG_COARSE  11 /* of them are cut in traces of very many pairs */
#define RATIO_SHIFT 6  /* LOG_BITS - log2(TK_RATIO_STEPS) */

_Static_assert(1 << (LOG_BITS - RATIO_SHIFT) == TK_RATIO_STEPS, "steps of ratios");

/* Keys and places ------------------------------------------------------------------------------ */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static uint64_t time_key(const struct tk_query_walk *walk, uint32_t row)
{
    const struct tk_span_table *table = walk->side->table;
    if (walk->keys.is_strict)
        return (uint64_t)floor_div(table->start_ns[row], walk->keys.window_ns);
    return (uint64_t)(table->start_ns[row] / table->unit_ns / TK_QUERY_WINDOW);
}

static uint64_t duration_key(const struct tk_query_walk *walk, uint32_t row)
{
    const struct tk_span_table *table = walk->side->table;
    return (uint64_t)(walk->keys.is_strict ? table->duration_ns[row]
                                           : table->duration_ns[row] / table->unit_ns);
}

static uint64_t column_key(const struct tk_query_walk *walk, const struct tk_query_column *column,
                           uint32_t row)
{
    int64_t value = column->value(walk->side->table, row);
    return column->is_text && walk->side->texts ? walk->side->texts[value] : (uint64_t)value;
}

/* The value of a parameter that a row's service is. */
static uint32_t place_of(const struct tk_query_walk *walk, enum tk_query_param param, uint32_t row)
{
    return walk->side->places[param][walk->side->table->services[row]];
}

/* How many traces one stands for: the original multiplies samples only. */
static double weight_of(const struct tk_query_walk *walk, uint32_t trace)
{
    if (walk->side->factor > 0)
        return walk->side->factor;
    return walk->keys.is_strict ? walk->side->table->weights[trace] : 1;
}

static void add(const struct tk_query_walk *walk, uint32_t combination, uint64_t key, double amount)
{
    tk_pair_counts_add(walk->counts, combination, key, amount);
}

/* Queries over rows ---------------------------------------------------------------------------- */

void tk_query_walk_rates(struct tk_query_walk *walk)
{
    const struct tk_span_table *table = walk->side->table;
    for (uint32_t trace = 0; trace < table->traces; trace++) {
        double weight = weight_of(walk, trace);
        for (uint32_t row = tk_span_table_begin(table, trace); row < table->trace_ends[trace];
             row++) {
            uint32_t service = place_of(walk, TK_PARAM_SERVICE, row);
            if (service != TK_NO_PLACE)
                add(walk, service, time_key(walk, row), weight);
        }
    }
}

static void walk_durations(const struct tk_query_walk *walk, bool of_errors)
{
    const struct tk_span_table *table = walk->side->table;
    for (uint32_t trace = 0; trace < table->traces; trace++) {
        double weight = weight_of(walk, trace);
        for (uint32_t row = tk_span_table_begin(table, trace); row < table->trace_ends[trace];
             row++) {
            uint32_t service = place_of(walk, TK_PARAM_SERVICE, row);
            if (service != TK_NO_PLACE && (!of_errors || table->issues[row]))
                add(walk, service, duration_key(walk, row), weight);
        }
    }
}

void tk_query_walk_durations(struct tk_query_walk *walk)
{
    walk_durations(walk, false);
}

void tk_query_walk_errors(struct tk_query_walk *walk)
{
    walk_durations(walk, true);
}

/* Values of one column of the rows of all services together, or of each. */
static void walk_column(const struct tk_query_walk *walk, uint32_t at, bool by_service)
{
    const struct tk_span_table *table = walk->side->table;
    const struct tk_query_column *column = walk->space->columns[TK_PARAM_ATTR][at];
    uint32_t columns = walk->space->counts[TK_PARAM_ATTR];
    for (uint32_t trace = 0; trace < table->traces; trace++) {
        double weight = weight_of(walk, trace);
        for (uint32_t row = tk_span_table_begin(table, trace); row < table->trace_ends[trace];
             row++) {
            uint32_t service = by_service ? place_of(walk, TK_PARAM_SERVICE, row) : 0;
            if (service != TK_NO_PLACE)
                add(walk, service * columns + at, column_key(walk, column, row), weight);
        }
    }
}

void tk_query_walk_frequencies(struct tk_query_walk *walk)
{
    for (uint32_t at = 0; at < walk->space->counts[TK_PARAM_ATTR]; at++)
        walk_column(walk, at, false);
}

void tk_query_walk_filtered(struct tk_query_walk *walk)
{
    for (uint32_t at = 0; at < walk->space->counts[TK_PARAM_ATTR]; at++)
        walk_column(walk, at, true);
}

void tk_query_walk_maxima(struct tk_query_walk *walk)
{
    const struct tk_span_table *table = walk->side->table;
    const struct tk_query_column **columns = walk->space->columns[TK_PARAM_INT_ATTR];
    uint32_t count = walk->space->counts[TK_PARAM_INT_ATTR];
    for (uint32_t row = 0; row < table->rows; row++) {
        uint32_t service = place_of(walk, TK_PARAM_SERVICE, row);
        if (service == TK_NO_PLACE)
            continue;
        uint64_t key = time_key(walk, row);
        for (uint32_t at = 0; at < count; at++) {
            tk_pair_counts_raise(walk->counts, service * count + at, key,
                                 (double)columns[at]->value(table, row));
        }
    }
}

/* Queries over edges --------------------------------------------------------------------------- */

void tk_query_walk_edges(struct tk_query_walk *walk)
{
    const struct tk_span_table *table = walk->side->table;
    uint32_t children = walk->space->counts[TK_PARAM_SERVICE2];
    for (uint32_t trace = 0; trace < table->traces; trace++) {
        double weight = weight_of(walk, trace);
        for (uint32_t row = tk_span_table_begin(table, trace); row < table->trace_ends[trace];
             row++) {
            uint32_t parent = table->parents[row];
            if (parent == TK_ROW_TOP)
                continue;
            uint32_t from = place_of(walk, TK_PARAM_SERVICE, parent);
            uint32_t to = place_of(walk, TK_PARAM_SERVICE2, row);
            if (from != TK_NO_PLACE && to != TK_NO_PLACE)
                add(walk, from * children + to, time_key(walk, parent), weight);
        }
    }
}

/* Queries over traces -------------------------------------------------------------------------- */

void tk_query_walk_error_traces(struct tk_query_walk *walk)
{
    const struct tk_span_table *table = walk->side->table;
    for (uint32_t trace = 0; trace < table->traces; trace++) {
        uint32_t begin = tk_span_table_begin(table, trace);
        uint32_t end = table->trace_ends[trace];
        uint32_t errors = 0;
        for (uint32_t row = begin; row < end; row++)
            errors += table->issues[row];
        double amount = weight_of(walk, trace) * errors;
        for (uint32_t row = begin; row < end && errors > 0; row++) {
            uint32_t entry = place_of(walk, TK_PARAM_ENTRY, row);
            if (entry != TK_NO_PLACE)
                add(walk, entry, time_key(walk, row), amount);
        }
    }
}

/* Number the rows of each entry service of a trace: scratch->entries[i] of services[i]. */
static uint32_t count_entries(const struct tk_query_walk *walk, uint32_t trace)
{
    const struct tk_span_table *table = walk->side->table;
    struct tk_query_scratch *scratch = walk->scratch;
    uint32_t count = 0;
    for (uint32_t row = tk_span_table_begin(table, trace); row < table->trace_ends[trace]; row++) {
        uint32_t entry = place_of(walk, TK_PARAM_ENTRY, row);
        if (entry == TK_NO_PLACE)
            continue;
        if (scratch->numbers[entry]++ == 0)
            scratch->entries[count++] = entry;
    }
    return count;
}

/* A row's value of one column, for all entries of its trace. */
static void add_value(const struct tk_query_walk *walk, uint32_t row, uint32_t at, uint32_t entries,
                      double weight)
{
    const struct tk_query_scratch *scratch = walk->scratch;
    uint64_t key = column_key(walk, walk->space->columns[TK_PARAM_ATTR][at], row);
    for (uint32_t i = 0; i < entries; i++) {
        uint32_t entry = scratch->entries[i];
        add(walk, entry * walk->space->counts[TK_PARAM_ATTR] + at, key,
            weight * scratch->numbers[entry]);
    }
}

static void add_values(const struct tk_query_walk *walk, uint32_t trace, uint32_t entries)
{
    const struct tk_span_table *table = walk->side->table;
    double weight = weight_of(walk, trace);
    for (uint32_t row = tk_span_table_begin(table, trace); row < table->trace_ends[trace]; row++) {
        for (uint32_t at = 0; at < walk->space->counts[TK_PARAM_ATTR]; at++)
            add_value(walk, row, at, entries, weight);
    }
}

void tk_query_walk_attributes(struct tk_query_walk *walk)
{
    struct tk_query_scratch *scratch = walk->scratch;
    for (uint32_t trace = 0; trace < walk->side->table->traces; trace++) {
        uint32_t entries = count_entries(walk, trace);
        if (entries > 0)
            add_values(walk, trace, entries);
        for (uint32_t i = 0; i < entries; i++)
            scratch->numbers[scratch->entries[i]] = 0;
    }
}

/* Ratios of durations -------------------------------------------------------------------------- */

/* Log2 of a duration in steps of 2^-LOG_BITS; LOG_NONE of 0. */
#define LOG_NONE INT64_MIN

static int64_t log_of(int64_t duration_ns)
{
    if (duration_ns <= 0)
        return LOG_NONE;
    return (int64_t)llround(ldexp(log2((double)duration_ns), LOG_BITS));
}

static int by_service(const void *a, const void *b)
{
    const struct tk_query_item *x = a;
    const struct tk_query_item *y = b;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

/* The rows of a trace whose service is a value of `param`, sorted by it and their durations (as
 * quotients or logarithms take them), equal ones together. */
static uint32_t list_items(const struct tk_query_walk *walk, enum tk_query_param param,
                           uint32_t trace, struct tk_query_item *items)
{
    const struct tk_span_table *table = walk->side->table;
    uint32_t listed = 0;
    uint32_t count = 0;
    for (uint32_t row = tk_span_table_begin(table, trace); row < table->trace_ends[trace]; row++) {
        uint32_t place = place_of(walk, param, row);
        if (place == TK_NO_PLACE)
            continue;
        int64_t value = walk->keys.is_strict ? log_of(table->duration_ns[row])
                                             : table->duration_ns[row] / table->unit_ns;
        items[listed++] = (struct tk_query_item){.place = place, .value = value, .rows = 1};
    }
    if (listed > 1)
        qsort(items, listed, sizeof(*items), by_service);
    for (uint32_t i = 0; i < listed; i++) {
        if (count > 0 && items[i].place == items[count - 1].place &&
            items[i].value == items[count - 1].value) {
            items[count - 1].rows++;
        } else {
            items[count++] = items[i];
        }
    }
    return count;
}

/* Rows before items[i], so that sums over ranges are differences. */
static void sum_items(struct tk_query_item *items, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        items[i].before = sum;
        sum += items[i].rows;
    }
    items[count] = (struct tk_query_item){.place = TK_NO_PLACE, .before = sum};
}

/* The first of items [from, end) whose value is `least` or more. */
static uint32_t lower_bound(const struct tk_query_item *items, uint32_t from, uint32_t end,
                            int64_t least)
{
    while (from < end) {
        uint32_t middle = from + (end - from) / 2;
        if (items[middle].value < least) {
            from = middle + 1;
        } else {
            end = middle;
        }
    }
    return from;
}

/* Quotients of the durations of one service, items [at, end), by that of an entry's rows. */
static void add_quotients(const struct tk_query_walk *walk, const struct tk_query_item *entry,
                          uint32_t at, uint32_t end, double weight)
{
    const struct tk_query_item *items = walk->scratch->services;
    uint32_t combination = entry->place * walk->space->counts[TK_PARAM_SERVICE] + items[at].place;
    double amount = weight * entry->rows;
    if (entry->value == 0) {
        add(walk, combination, TK_KEY_NULL,
            amount * (double)(items[end].before - items[at].before));
        return;
    }
    while (at < end) {
        int64_t quotient = items[at].value / entry->value;
        int64_t next = 0;
        if (__builtin_mul_overflow(quotient + 1, entry->value, &next))
            next = INT64_MAX;
        uint32_t stop = lower_bound(items, at + 1, end, next);
        add(walk, combination, (uint64_t)quotient,
            amount * (double)(items[stop].before - items[at].before));
        at = stop;
    }
}

/* Logarithms of ratios, likewise; `cut` bits behind the point are left out. */
static void add_logs(const struct tk_query_walk *walk, const struct tk_query_item *entry,
                     uint32_t at, uint32_t end, double weight)
{
    const struct tk_query_item *items = walk->scratch->services;
    uint32_t combination = entry->place * walk->space->counts[TK_PARAM_SERVICE] + items[at].place;
    for (; at < end; at++) {
        uint64_t key = TK_KEY_NULL;
        if (entry->value != LOG_NONE && items[at].value != LOG_NONE) {
            int64_t steps = (items[at].value - entry->value) >> RATIO_SHIFT;
            key = TK_RATIO_ZERO + (uint64_t)steps;
        }
        add(walk, combination, key, weight * entry->rows * items[at].rows);
    }
}

/* Leave bits of the logarithms out, so that few remain different. Returns how many items. */
static uint32_t coarsen(struct tk_query_item *items, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct tk_query_item item = items[i];
        if (item.value != LOG_NONE)
            item.value = (item.value >> LOG_COARSE) << LOG_COARSE;
        bool is_same =
            kept > 0 && items[kept - 1].place == item.place && items[kept - 1].value == item.value;
        if (is_same) {
            items[kept - 1].rows += item.rows;
        } else {
            items[kept++] = item;
        }
    }
    return kept;
}

/* All entries of the trace at hand with the items [at, end) of one service. */
static void add_ratios(const struct tk_query_walk *walk, uint32_t entries, uint32_t at,
                       uint32_t end, double weight)
{
    for (uint32_t i = 0; i < entries; i++) {
        if (walk->keys.is_strict) {
            add_logs(walk, &walk->scratch->items[i], at, end, weight);
        } else {
            add_quotients(walk, &walk->scratch->items[i], at, end, weight);
        }
    }
}

void tk_query_walk_bottlenecks(struct tk_query_walk *walk)
{
    const struct tk_span_table *table = walk->side->table;
    struct tk_query_item *items = walk->scratch->items;
    struct tk_query_item *services = walk->scratch->services;
    for (uint32_t trace = 0; trace < table->traces; trace++) {
        uint32_t entries = list_items(walk, TK_PARAM_ENTRY, trace, items);
        uint32_t count = list_items(walk, TK_PARAM_SERVICE, trace, services);
        if (walk->keys.is_strict && (uint64_t)entries * count > TK_RATIO_PAIRS) {
            entries = coarsen(items, entries);
            count = coarsen(services, count);
        }
        sum_items(services, count);
        for (uint32_t at = 0; at < count;) {
            uint32_t end = at + 1;
            while (services[end].place == services[at].place)
                end++;
            add_ratios(walk, entries, at, end, weight_of(walk, trace));
            at = end;
        }
    }
}
