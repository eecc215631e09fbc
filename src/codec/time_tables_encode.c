/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "codec/time_tables.h"
#include "codec/time_tables_internal.h"

#define VALUES 256

/* How slow each span is ------------------------------------------------------------------------ */

static int by_duration(const void *a, const void *b, void *user)
{
    const int64_t *durations = *(const int64_t *const *)user;
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    if (durations[x] != durations[y])
        return durations[x] < durations[y] ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* Nodes by key, those of one in their order; `ends` [keys] are where they end. */
static void group_nodes(const struct tk_forest *forest, const struct tk_table_keys *keys,
                        uint32_t *nodes, uint32_t *ends)
{
    uint32_t begin = 0;
    for (uint32_t i = 0; i < forest->node_count; i++)
        ends[keys->of_node[i]]++;
    for (uint32_t k = 0; k < keys->count; k++) {
        uint32_t n = ends[k];
        ends[k] = begin;
        begin += n;
    }
    for (uint32_t i = 0; i < forest->node_count; i++)
        nodes[ends[keys->of_node[i]]++] = i;
}

/* The ranks of all spans among those of their key, in hundredths. */
static int rank_spans(const struct tk_forest *forest, const struct tk_table_keys *keys,
                      uint8_t *ranks)
{
    const int64_t *durations = forest->durations;
    uint32_t *nodes = calloc((size_t)forest->node_count + 1, sizeof(*nodes));
    uint32_t *ends = calloc((size_t)keys->count + 1, sizeof(*ends));
    int rc = nodes && ends ? 0 : -ENOMEM;
    if (rc == 0)
        group_nodes(forest, keys, nodes, ends);
    for (uint32_t k = 0, begin = 0; k < keys->count && rc == 0; begin = ends[k++]) {
        uint64_t spans = ends[k] - begin;
        qsort_r(nodes + begin, spans, sizeof(*nodes), by_duration, &durations);
        for (uint32_t i = begin; i < ends[k]; i++)
            ranks[nodes[i]] = (uint8_t)((uint64_t)(i - begin) * TK_TABLE_RANKS / spans);
    }
    free(nodes);
    free(ends);
    return rc;
}

/* Values --------------------------------------------------------------------------------------- */

struct value {
    uint8_t cell; /* + 1; 0 = zero; of ranks rank + 1 */
    uint8_t rank; /* that tells its bin */
};

/* Values of all keys and types, those of one behind each other. */
struct gathered {
    uint32_t *ends;       /* [keys * types]; while gathering where the next goes; owned */
    struct value *values; /* owned */
};

static uint8_t cell_of(const struct tk_time_number *number)
{
    if (number->value == 0)
        return 0;
    return (uint8_t)(1 + (number->cell >> (TK_LEVEL_DEPTH - TK_TABLE_DEPTH)));
}

/* What a span takes beyond its children inside. */
static uint8_t own_of(const struct tk_time_node *node, const struct tk_levels *levels)
{
    uint64_t own =
        node->duration.value > node->reach_inside ? node->duration.value - node->reach_inside : 0;
    struct tk_time_number number = {.value = own};
    if (own > 0)
        number.cell = (uint16_t)tk_levels_find(levels, own);
    return cell_of(&number);
}

static void put(struct gathered *gathered, uint32_t *end, uint8_t cell, uint8_t rank)
{
    if (gathered->values)
        gathered->values[*end] = (struct value){cell, rank};
    (*end)++;
}

/* Give each value of a measured trace to its key and type: count it, or put it there. */
static void gather_trace(struct gathered *gathered, const uint32_t *keys,
                         const struct tk_time_trace *trace, const struct tk_levels *levels,
                         const uint8_t *ranks)
{
    for (uint32_t i = 0; i < trace->count; i++) {
        const struct tk_time_node *node = &trace->nodes[i];
        uint32_t *ends = gathered->ends + (size_t)keys[i] * TK_TABLE_TYPES;
        bool is_child = node->parent != TK_TIME_NONE;
        uint8_t above = is_child ? ranks[node->parent] : 0;
        if (!tk_time_is_first(node))
            put(gathered, &ends[tk_table_of_edge(node->edge)], cell_of(&node->gap), above);
        if (is_child)
            put(gathered, &ends[TK_TABLE_RANK], (uint8_t)(ranks[i] + 1), above);
        uint32_t own = node->reach_inside > 0 ? TK_TABLE_OWN : TK_TABLE_ALONE;
        put(gathered, &ends[own], own_of(node, levels), ranks[i]);
    }
}

static void gather_all(struct gathered *gathered, const struct tk_table_keys *keys,
                       const struct tk_forest *forest, struct tk_time_trace *trace,
                       const struct tk_levels *levels, const uint8_t *ranks)
{
    for (uint32_t t = 0; t < forest->trace_count; t++) {
        uint32_t begin = tk_forest_begin(forest, t);
        tk_time_trace_load(trace, forest, t);
        tk_time_trace_measure(trace, forest, t, levels);
        gather_trace(gathered, keys->of_node + begin, trace, levels, ranks + begin);
    }
}

/* Count values, make room, gather them; `ends` are then where they end. */
static int gather(struct gathered *gathered, const struct tk_table_keys *keys,
                  const struct tk_forest *forest, struct tk_time_trace *trace,
                  const struct tk_levels *levels, const uint8_t *ranks)
{
    size_t lists = (size_t)keys->count * TK_TABLE_TYPES;
    uint32_t sum = 0;
    gathered->ends = calloc(lists + 1, sizeof(*gathered->ends));
    if (!gathered->ends)
        return -ENOMEM;
    gather_all(gathered, keys, forest, trace, levels, ranks);
    for (size_t i = 0; i < lists; i++) {
        uint32_t n = gathered->ends[i];
        gathered->ends[i] = sum;
        sum += n;
    }
    gathered->values = calloc((size_t)sum + 1, sizeof(*gathered->values));
    if (!gathered->values)
        return -ENOMEM;
    gather_all(gathered, keys, forest, trace, levels, ranks);
    return 0;
}

/* Tables --------------------------------------------------------------------------------------- */

static uint32_t begin_of(const struct gathered *gathered, size_t list)
{
    return list > 0 ? gathered->ends[list - 1] : 0;
}

/* Shares of edges in sixteenths; what fewer than `min_count` spans do is not told. */
static void fill_shares(const struct gathered *gathered, size_t list, uint32_t min_count,
                        struct tk_table_key *key)
{
    uint32_t left = TK_TABLE_SHARES;
    uint32_t most = 0;
    uint32_t counts[TK_TABLE_EDGES];
    for (uint32_t i = 0; i < TK_TABLE_EDGES; i++) {
        counts[i] = gathered->ends[list + i] - begin_of(gathered, list + i);
        most = counts[i] > counts[most] ? i : most;
    }
    for (uint32_t i = 0; i < TK_TABLE_EDGES; i++) {
        uint64_t share = ((uint64_t)counts[i] * TK_TABLE_SHARES + key->gaps / 2) / key->gaps;
        bool is_told = i != most && counts[i] >= min_count;
        key->shares[i] = (uint8_t)(!is_told ? 0 : share < left ? share : left);
        left -= key->shares[i];
    }
    key->shares[most] = (uint8_t)left;
}

/* The share of spans without children inside; all or none unless enough are told apart. */
static void fill_alone(const struct gathered *gathered, size_t list, uint32_t min_count,
                       struct tk_table_key *key)
{
    uint32_t own = gathered->ends[list + TK_TABLE_OWN] - begin_of(gathered, list + TK_TABLE_OWN);
    uint32_t alone = key->spans - own;
    uint64_t share = ((uint64_t)alone * TK_TABLE_SHARES + key->spans / 2) / key->spans;
    if (alone < min_count && own >= alone)
        share = 0;
    if (own < min_count && alone > own)
        share = TK_TABLE_SHARES;
    key->alone = (uint8_t)share;
}

/* Quantiles of the values of some bins. */
static void fill_table(const struct value *values, uint32_t n, uint32_t bins, uint32_t bin,
                       struct tk_time_table *table)
{
    uint32_t counts[VALUES] = {0};
    uint64_t total = 0;
    for (uint32_t i = 0; i < n; i++) {
        bool is_in = tk_table_bin(bins, values[i].rank) == bin;
        counts[values[i].cell] += is_in;
        total += is_in;
    }
    uint64_t before = 0;
    uint32_t cell = 0;
    for (uint32_t i = 0; i < table->count && total > 0; i++) {
        uint64_t rank = (2 * (uint64_t)i + 1) * total / (2 * (uint64_t)table->count);
        while (before + counts[cell] <= rank)
            before += counts[cell++];
        table->quantiles[i] = (uint8_t)cell;
    }
}

static void fill_type(const struct gathered *gathered, size_t list, struct tk_table_key *key,
                      enum tk_table_type type)
{
    uint32_t begin = begin_of(gathered, list);
    uint32_t n = gathered->ends[list] - begin;
    uint32_t bins = tk_table_bins(key, type);
    for (uint32_t bin = 0; bin < bins; bin++) {
        struct tk_time_table *table = &key->tables[type][bin];
        table->count = (uint8_t)tk_table_quantiles(key, type, bin);
        fill_table(gathered->values + begin, n, bins, bin, table);
    }
}

static void fill_keys(const struct gathered *gathered, uint32_t min_count,
                      struct tk_table_keys *keys)
{
    for (uint32_t k = 0; k < keys->count; k++) {
        struct tk_table_key *key = &keys->keys[k];
        size_t list = (size_t)k * TK_TABLE_TYPES;
        if (key->gaps > 0)
            fill_shares(gathered, list, min_count, key);
        fill_alone(gathered, list, min_count, key);
        for (uint32_t type = 0; type < TK_TABLE_TYPES; type++)
            fill_type(gathered, list + type, key, (enum tk_table_type)type);
    }
}

int tk_time_tables_encode(const struct tk_forest *forest, uint32_t min_count, struct tk_buf *out,
                          struct tk_err *err)
{
    TK_CLEANUP(tk_time_trace_release) struct tk_time_trace trace = {0};
    TK_CLEANUP(tk_table_keys_release) struct tk_table_keys keys = {0};
    struct gathered gathered = {0};
    struct tk_levels *levels = calloc(1, sizeof(*levels));
    uint8_t *ranks = calloc((size_t)forest->node_count + 1, 1);
    int rc = levels && ranks ? tk_time_trace_init(&trace, forest, err) : -ENOMEM;
    rc = rc < 0 ? rc : tk_table_keys_init(&keys, forest, &trace, min_count, err);
    rc = rc < 0 ? rc : rank_spans(forest, &keys, ranks);
    if (rc == 0) {
        tk_levels_init(levels);
        rc = gather(&gathered, &keys, forest, &trace, levels, ranks);
    }
    if (rc == 0) {
        struct tk_coder coder;
        fill_keys(&gathered, min_count, &keys);
        tk_coder_begin_encode(&coder, out);
        uint32_t written = tk_code_raw(&coder, min_count, 32);
        tk_tables_code(&coder, &keys, written);
        tk_coder_end(&coder);
    }
    free(gathered.ends);
    free(gathered.values);
    free(levels);
    free(ranks);
    return rc < 0 ? tk_fail(err, rc, "tables of times: out of memory") : 0;
}
