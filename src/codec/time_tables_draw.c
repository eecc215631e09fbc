/* SPDX-License-Identifier: Apache-2.0 */
/* Times from tables. A span draws its rank by that of its parent, and its numbers by ranks; from
 * the last node to the first each duration is what its children inside take and something of its
 * own, so spans lie in each other by construction, and slow parents have slow children. */
#include <errno.h>
#include <stdlib.h>

#include "codec/draw.h"
#include "codec/time_tables.h"
#include "codec/time_tables_internal.h"

struct drawing {
    const struct tk_table_key *keys;
    const struct tk_levels *levels;
    struct tk_time_windows *windows;
    const uint32_t *of_node; /* of the trace */
    uint64_t draw_key;
    uint32_t trace;
};

static uint64_t draw_bits(const struct drawing *drawing, uint32_t node, uint32_t field)
{
    return tk_draw(drawing->draw_key, drawing->trace, node, field);
}

/* A quantile: `place` (below 65536) of all, evenly between those of the table, and at its ends as
 * far beyond them as the next is away, by half. `dither` is below 256. */
static uint32_t quantile(const struct tk_time_table *table, uint32_t place, uint32_t dither)
{
    int32_t last = table->count - 1;
    int32_t at = (int32_t)(place * (uint32_t)table->count >> 8) - 128;
    int32_t i = at < 0 ? 0 : at >> 8 < last ? at >> 8 : last - 1;
    if (last == 0)
        return table->quantiles[0];
    int32_t low = table->quantiles[i];
    int32_t high = table->quantiles[i + 1];
    int32_t part = at - i * 256;
    if (low == 0 || high == 0)
        return (uint32_t)(part < 128 ? low : high);
    int32_t cell = (low * 256 + (high - low) * part + (int32_t)dither) / 256;
    return cell < 1 ? 1 : (uint32_t)cell;
}

/* A number inside the cell of a quantile. */
static uint64_t draw_cell(const struct drawing *drawing, uint32_t cell, uint64_t bits)
{
    const uint32_t cells = TK_LEVEL_BASES << TK_TABLE_DEPTH;
    if (cell == 0)
        return 0;
    cell = cell <= cells ? cell - 1 : cells - 1;
    uint64_t begin = tk_levels_low(drawing->levels, TK_TABLE_DEPTH, cell);
    uint64_t end = tk_levels_low(drawing->levels, TK_TABLE_DEPTH, cell + 1);
    if (begin > TK_TIME_MAX)
        return TK_TIME_MAX;
    return tk_levels_draw(drawing->levels, begin, end > begin ? end - 1 : begin, bits);
}

static const struct tk_time_table *table_of(const struct drawing *drawing, uint32_t node,
                                            enum tk_table_type type, uint32_t rank)
{
    const struct tk_table_key *key = &drawing->keys[drawing->of_node[node]];
    return &key->tables[type][tk_table_bin(tk_table_bins(key, type), rank)];
}

static uint8_t draw_rank(const struct drawing *drawing, uint32_t i, const struct tk_time_node *node,
                         const struct tk_time_trace *trace)
{
    uint64_t bits = draw_bits(drawing, i, TK_DRAW_SLOWNESS);
    if (node->parent != TK_TIME_NONE) {
        const struct tk_time_table *table =
            table_of(drawing, i, TK_TABLE_RANK, trace->nodes[node->parent].rank);
        if (table->count > 0) {
            uint32_t rank = quantile(table, (uint32_t)(bits >> 48), bits & 255);
            rank = rank > 0 ? rank - 1 : 0;
            return (uint8_t)(rank < TK_TABLE_RANKS ? rank : TK_TABLE_RANKS - 1);
        }
    }
    return (uint8_t)tk_draw_below(bits, TK_TABLE_RANKS);
}

static uint64_t draw_gap(const struct drawing *drawing, uint32_t i, const struct tk_time_node *node,
                         const struct tk_time_trace *trace)
{
    uint32_t rank = node->parent == TK_TIME_NONE ? 0 : trace->nodes[node->parent].rank;
    const struct tk_time_table *table = table_of(drawing, i, tk_table_of_edge(node->edge), rank);
    uint64_t bits = draw_bits(drawing, i, TK_DRAW_GAP);
    if (table->count == 0)
        return 0;
    return draw_cell(drawing, quantile(table, (uint32_t)(bits >> 48), bits & 255), bits);
}

static uint64_t draw_own(const struct drawing *drawing, uint32_t i, const struct tk_time_node *node)
{
    const struct tk_table_key *key = &drawing->keys[drawing->of_node[i]];
    bool is_alone = key->alone == TK_TABLE_SHARES || (key->alone > 0 && node->reach_inside == 0);
    const struct tk_time_table *table =
        table_of(drawing, i, is_alone ? TK_TABLE_ALONE : TK_TABLE_OWN, node->rank);
    uint64_t bits = draw_bits(drawing, i, TK_DRAW_DURATION);
    if (table->count == 0)
        return 0;
    uint32_t place = (uint32_t)(bits >> 48);
    if (key->is_leaf)
        place = ((uint32_t)node->rank << 16 | place) / TK_TABLE_RANKS;
    return draw_cell(drawing, quantile(table, place, bits & 255), bits);
}

static void draw_edge(const struct drawing *drawing, const struct tk_time_trace *trace, uint32_t i,
                      struct tk_time_node *node)
{
    static const uint8_t edges[TK_TABLE_EDGES] = {TK_TIME_SEQUENTIAL, TK_TIME_PARALLEL,
                                                  TK_TIME_AFTER, TK_TIME_BEFORE};
    const struct tk_table_key *key = &drawing->keys[drawing->of_node[i]];
    uint64_t share = tk_draw_below(draw_bits(drawing, i, TK_DRAW_EDGE), TK_TABLE_SHARES);
    uint32_t edge = 0;
    while (edge + 1 < TK_TABLE_EDGES && share >= key->shares[edge])
        share -= key->shares[edge++];
    node->edge = edges[edge];
    if (node->edge == TK_TIME_SEQUENTIAL && !tk_time_may_follow(trace, node))
        node->edge = TK_TIME_PARALLEL;
}

/* For tk_time_windows_draw(). */
static void draw_trace(void *user, uint64_t draw_key, struct tk_time_trace *trace)
{
    struct drawing *drawing = user;
    drawing->draw_key = draw_key;
    for (uint32_t i = 0; i < trace->count; i++) {
        struct tk_time_node *node = &trace->nodes[i];
        node->rank = draw_rank(drawing, i, node, trace);
        if (!tk_time_is_first(node)) {
            draw_edge(drawing, trace, i, node);
            node->gap.value = draw_gap(drawing, i, node, trace);
        }
    }
    tk_time_trace_rewind(trace);
    for (uint32_t i = trace->count; i-- > 0;) {
        struct tk_time_node *node = &trace->nodes[i];
        node->gap.about = node->gap.value;
        node->duration.about = tk_time_sum(node->reach_inside, draw_own(drawing, i, node));
        tk_time_add(trace, node);
    }
    for (uint32_t i = 0; i < trace->count; i++) {
        struct tk_time_node *node = &trace->nodes[i];
        node->duration.value = node->duration.about;
        node->start = tk_time_place(tk_time_origin(trace, node), node->gap.value,
                                    node->edge >= TK_TIME_BEFORE);
    }
}

static int draw_all(struct drawing *drawing, const struct tk_table_keys *keys,
                    struct tk_time_trace *trace, struct tk_forest *forest, struct tk_err *err)
{
    const struct tk_time_drawer drawer = {draw_trace, drawing, drawing->draw_key};
    int rc = 0;
    for (uint32_t t = 0; t < forest->trace_count && rc == 0; t++) {
        tk_time_trace_load(trace, forest, t);
        drawing->trace = t;
        drawing->of_node = keys->of_node + tk_forest_begin(forest, t);
        rc = tk_time_windows_draw(drawing->windows, &drawer, trace, err);
        tk_time_trace_store(trace, forest, t);
    }
    return rc;
}

/* The tables of a section; which keys there are follows from its first number and the trees. */
static int read_tables(tk_str bytes, const struct tk_forest *forest, struct tk_time_trace *trace,
                       struct tk_table_keys *keys, struct tk_err *err)
{
    struct tk_coder coder;
    tk_coder_begin_decode(&coder, bytes);
    uint32_t min_count = tk_code_raw(&coder, 0, 32);
    int rc = tk_table_keys_init(keys, forest, trace, min_count, err);
    if (rc < 0)
        return rc;
    tk_tables_code(&coder, keys, min_count);
    return tk_coder_is_over(&coder) ? tk_fail(err, -EBADMSG, "timing, tables: end too early") : 0;
}

int tk_time_tables_draw(tk_str bytes, uint64_t draw_key, struct tk_time_windows *windows,
                        struct tk_forest *forest, struct tk_err *err)
{
    TK_CLEANUP(tk_time_trace_release) struct tk_time_trace trace = {0};
    TK_CLEANUP(tk_table_keys_release) struct tk_table_keys keys = {0};
    struct tk_levels *levels = calloc(1, sizeof(*levels));
    if (!levels)
        return tk_fail(err, -ENOMEM, "tables of times: out of memory");
    int rc = tk_time_trace_init(&trace, forest, err);
    rc = rc < 0 ? rc : read_tables(bytes, forest, &trace, &keys, err);
    if (rc == 0) {
        struct drawing drawing = {
            .keys = keys.keys, .levels = levels, .windows = windows, .draw_key = draw_key};
        tk_levels_init(levels);
        rc = draw_all(&drawing, &keys, &trace, forest, err);
    }
    free(levels);
    return rc;
}
