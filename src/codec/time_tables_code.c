/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of nodes, and how their tables are coded. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/map.h"
#include "codec/time_tables_internal.h"

const uint8_t tk_table_begins[TK_TABLE_BINS + 1] = {0,  10, 20, 30, 40, 50, 60,
                                                    70, 80, 90, 95, 98, 100};

/* Of 3, 6, 12 bins where each begins among the twelve, and the values that they need. */
static const struct {
    uint32_t bins, least;
    uint8_t begins[TK_TABLE_BINS + 1];
} partitions[] = {
    {12, 2000, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
    {6, 600, {0, 2, 4, 6, 8, 10, 12}},
    {3, 120, {0, 5, 9, 12}},
    {1, 0, {0, 12}},
};

static const uint8_t *begins_of(uint32_t bins)
{
    size_t i = 0;
    while (partitions[i].bins != bins)
        i++;
    return partitions[i].begins;
}

uint32_t tk_table_bins(const struct tk_table_key *key, enum tk_table_type type)
{
    if (type == TK_TABLE_ALONE && key->is_leaf)
        return 1;
    uint64_t n = tk_table_values(key, type);
    size_t i = 0;
    while (n < partitions[i].least)
        i++;
    return partitions[i].bins;
}

uint32_t tk_table_bin(uint32_t bins, uint32_t rank)
{
    const uint8_t *begins = begins_of(bins);
    uint32_t bin = bins - 1;
    while (tk_table_begins[begins[bin]] > rank)
        bin--;
    return bin;
}

uint32_t tk_table_quantiles(const struct tk_table_key *key, enum tk_table_type type, uint32_t bin)
{
    uint32_t bins = tk_table_bins(key, type);
    const uint8_t *begins = begins_of(bins);
    uint64_t hundredths = tk_table_begins[begins[bin + 1]] - tk_table_begins[begins[bin]];
    uint64_t n = tk_table_values(key, type) * hundredths / TK_TABLE_RANKS;
    if (bins == 1 && n >= 400)
        return TK_TABLE_MOST;
    return n >= 200 ? bins > 3 ? 8 : 16 : n >= 64 ? 8 : n >= 24 ? 4 : n >= 8 ? 2 : 1;
}

uint64_t tk_table_values(const struct tk_table_key *key, enum tk_table_type type)
{
    if (type == TK_TABLE_ALONE)
        return (uint64_t)key->spans * key->alone / TK_TABLE_SHARES;
    if (type == TK_TABLE_OWN)
        return (uint64_t)key->spans * (TK_TABLE_SHARES - key->alone) / TK_TABLE_SHARES;
    if (type == TK_TABLE_RANK)
        return key->children;
    return (uint64_t)key->gaps * key->shares[type] / TK_TABLE_SHARES;
}

/* Keys ---------------------------------------------------------------------------------------- */

/* Numbers for hashes in the order in which they come, and how often each came. */
struct tally {
    struct tk_map map;
    uint32_t *counts;
    uint32_t count, cap;
};

static int tally_add(struct tally *tally, uint64_t hash, uint32_t *ret_id)
{
    if (!tk_map_find(&tally->map, hash, ret_id)) {
        if (tally->count == tally->cap) {
            uint32_t cap = tally->cap ? tally->cap * 2 : 1024;
            uint32_t *grown = realloc(tally->counts, cap * sizeof(*grown));
            if (!grown)
                return -ENOMEM;
            tally->counts = grown;
            tally->cap = cap;
        }
        *ret_id = tally->count;
        if (tk_map_add(&tally->map, hash, tally->count) < 0)
            return -ENOMEM;
        tally->counts[tally->count++] = 0;
    }
    assert(tally->counts);
    tally->counts[*ret_id]++;
    return 0;
}

static void tally_release(struct tally *tally)
{
    tk_map_release(&tally->map);
    free(tally->counts);
}

/* The keys that a node may have, from the finest on. */
static void hashes_of(const struct tk_time_node *node, uint64_t ret_hashes[3])
{
    ret_hashes[0] = tk_time_hash(node->path, node->subtree);
    ret_hashes[1] = tk_time_hash(node->kind, node->size > 1);
    ret_hashes[2] = node->size > 1;
}

static int count_hashes(const struct tk_forest *forest, struct tk_time_trace *trace,
                        struct tally *tallies)
{
    int rc = 0;
    for (uint32_t t = 0; t < forest->trace_count && rc == 0; t++) {
        tk_time_trace_load(trace, forest, t);
        for (uint32_t i = 0; i < trace->count && rc == 0; i++) {
            uint64_t hashes[3];
            uint32_t id;
            hashes_of(&trace->nodes[i], hashes);
            rc = tally_add(&tallies[0], hashes[0], &id);
            rc = rc < 0 ? rc : tally_add(&tallies[1], hashes[1], &id);
        }
    }
    return rc;
}

/* The finest key of a node that enough nodes have. */
static uint64_t choose_key(const struct tk_time_node *node, const struct tally *tallies,
                           uint32_t enough)
{
    uint64_t hashes[3];
    hashes_of(node, hashes);
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t id;
        assert(tallies[i].counts);
        if (tk_map_find(&tallies[i].map, hashes[i], &id) && tallies[i].counts[id] >= enough)
            return tk_time_hash(hashes[i], i);
    }
    return tk_time_hash(hashes[2], 2);
}

static int assign_keys(struct tk_table_keys *keys, const struct tk_forest *forest,
                       struct tk_time_trace *trace, const struct tally *tallies,
                       struct tally *chosen)
{
    int rc = 0;
    for (uint32_t t = 0; t < forest->trace_count && rc == 0; t++) {
        uint32_t begin = tk_forest_begin(forest, t);
        tk_time_trace_load(trace, forest, t);
        for (uint32_t i = 0; i < trace->count && rc == 0; i++) {
            uint64_t key = choose_key(&trace->nodes[i], tallies, keys->enough);
            rc = tally_add(chosen, key, &keys->of_node[begin + i]);
        }
    }
    return rc;
}

/* What both sides know of each key. */
static int count_keys(struct tk_table_keys *keys, const struct tk_forest *forest,
                      struct tk_time_trace *trace, const struct tally *chosen)
{
    keys->count = chosen->count;
    keys->keys = calloc((size_t)chosen->count + 1, sizeof(*keys->keys));
    if (!keys->keys)
        return -ENOMEM;
    for (uint32_t t = 0; t < forest->trace_count; t++) {
        uint32_t begin = tk_forest_begin(forest, t);
        tk_time_trace_load(trace, forest, t);
        for (uint32_t i = 0; i < trace->count; i++) {
            struct tk_table_key *key = &keys->keys[keys->of_node[begin + i]];
            key->spans++;
            key->gaps += !tk_time_is_first(&trace->nodes[i]);
            key->children += trace->nodes[i].parent != TK_TIME_NONE;
            key->is_leaf = trace->nodes[i].size == 1;
        }
    }
    return 0;
}

int tk_table_keys_init(struct tk_table_keys *keys, const struct tk_forest *forest,
                       struct tk_time_trace *trace, uint32_t min_count, struct tk_err *err)
{
    struct tally tallies[3] = {{{0}, NULL, 0, 0}, {{0}, NULL, 0, 0}, {{0}, NULL, 0, 0}};
    keys->enough = min_count > TK_TABLE_LEAST ? min_count : TK_TABLE_LEAST;
    keys->of_node = calloc((size_t)forest->node_count + 1, sizeof(*keys->of_node));
    int rc = keys->of_node ? count_hashes(forest, trace, tallies) : -ENOMEM;
    rc = rc < 0 ? rc : assign_keys(keys, forest, trace, tallies, &tallies[2]);
    rc = rc < 0 ? rc : count_keys(keys, forest, trace, &tallies[2]);
    for (int i = 0; i < 3; i++)
        tally_release(&tallies[i]);
    return rc < 0 ? tk_fail(err, rc, "tables of times: out of memory") : 0;
}

void tk_table_keys_release(struct tk_table_keys *keys)
{
    free(keys->of_node);
    free(keys->keys);
    *keys = (struct tk_table_keys){0};
}

/* Coding -------------------------------------------------------------------------------------- */

#define STEPS 4 /* of the bin before, that a step is coded under: 0, 1, 2, more; none */

struct table_models {
    struct tk_bit shares[TK_TABLE_EDGES + 1][1 << 5];
    struct tk_bit firsts[3][1 << 8];
    struct tk_exp_models steps[3][STEPS + 1];
    struct tk_exp_models shifts[3][2];
};

/* Gaps, ranks, durations. */
static unsigned group_of(enum tk_table_type type)
{
    return type < TK_TABLE_RANK ? 0 : type == TK_TABLE_RANK ? 1 : 2;
}

/* Shares of edges: the last one is what is left. */
static void code_shares(struct tk_coder *coder, struct table_models *models,
                        struct tk_table_key *key)
{
    uint32_t left = TK_TABLE_SHARES;
    for (uint32_t i = 0; i + 1 < TK_TABLE_EDGES; i++) {
        uint32_t share = left == 0 ? 0 : tk_code_tree(coder, models->shares[i], 5, key->shares[i]);
        key->shares[i] = (uint8_t)(share < left ? share : left);
        left -= key->shares[i];
    }
    key->shares[TK_TABLE_EDGES - 1] = (uint8_t)left;
}

static uint8_t code_alone(struct tk_coder *coder, struct table_models *models, uint8_t share)
{
    uint32_t coded = tk_code_tree(coder, models->shares[TK_TABLE_EDGES], 5, share);
    return (uint8_t)(coded < TK_TABLE_SHARES ? coded : TK_TABLE_SHARES);
}

/* A table, by that of the bin before where it has as many quantiles (else NULL). */
static void code_table(struct tk_coder *coder, struct table_models *models, unsigned group,
                       const struct tk_time_table *before, struct tk_time_table *table)
{
    uint32_t value = table->quantiles[0];
    if (before) {
        bool is_less = value < before->quantiles[0];
        uint64_t by = is_less ? before->quantiles[0] - value : value - before->quantiles[0];
        by = tk_code_exp(coder, &models->shifts[group][0], by);
        is_less = by > 0 && tk_code_bit(coder, &models->shifts[group][1].length[0], is_less);
        by = by > UINT8_MAX ? UINT8_MAX : by;
        value = is_less ? before->quantiles[0] - (uint32_t)by : before->quantiles[0] + (uint32_t)by;
    } else {
        value = tk_code_tree(coder, models->firsts[group], 8, value);
    }
    table->quantiles[0] = (uint8_t)value;
    for (uint32_t i = 1; i < table->count; i++) {
        uint32_t state = STEPS;
        if (before) {
            uint32_t step = (uint32_t)before->quantiles[i] - before->quantiles[i - 1];
            state = step < STEPS ? step : STEPS - 1;
        }
        uint64_t step = (uint64_t)table->quantiles[i] - table->quantiles[i - 1];
        step = tk_code_exp(coder, &models->steps[group][state], step);
        uint64_t sum = table->quantiles[i - 1] + (step < UINT8_MAX ? step : UINT8_MAX);
        table->quantiles[i] = (uint8_t)(sum < UINT8_MAX ? sum : UINT8_MAX);
    }
}

static void code_type(struct tk_coder *coder, struct table_models *models, uint32_t min_count,
                      struct tk_table_key *key, enum tk_table_type type)
{
    uint64_t n = tk_table_values(key, type);
    uint32_t bins = tk_table_bins(key, type);
    if (n < min_count || n == 0)
        return;
    for (uint32_t bin = 0; bin < bins; bin++) {
        struct tk_time_table *table = &key->tables[type][bin];
        table->count = (uint8_t)tk_table_quantiles(key, type, bin);
        bool is_alike = bin > 0 && table[-1].count == table->count;
        code_table(coder, models, group_of(type), is_alike ? table - 1 : NULL, table);
    }
}

void tk_tables_code(struct tk_coder *coder, struct tk_table_keys *keys, uint32_t min_count)
{
    struct table_models models;
    tk_bits_init(models.shares[0], sizeof(models.shares) / sizeof(models.shares[0][0]));
    tk_bits_init(models.firsts[0], sizeof(models.firsts) / sizeof(models.firsts[0][0]));
    for (int group = 0; group < 3; group++) {
        for (int i = 0; i <= STEPS; i++)
            tk_exp_models_init(&models.steps[group][i]);
        for (int i = 0; i < 2; i++)
            tk_exp_models_init(&models.shifts[group][i]);
    }
    for (uint32_t k = 0; k < keys->count; k++) {
        struct tk_table_key *key = &keys->keys[k];
        if (key->gaps > 0)
            code_shares(coder, &models, key);
        key->alone = key->is_leaf ? TK_TABLE_SHARES : code_alone(coder, &models, key->alone);
        for (uint32_t type = 0; type < TK_TABLE_TYPES; type++)
            code_type(coder, &models, min_count, key, (enum tk_table_type)type);
    }
}
