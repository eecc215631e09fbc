/* SPDX-License-Identifier: Apache-2.0 */
/* Edges and base levels. A number is a nibble, each bit of it mixed from three contexts,
 *
 *     0 to 12   a level: the first of the window of its kind and so many
 *     13        zero
 *     14        a duration that ends with the last child inside
 *     15        a level outside the window: six bits follow
 *
 * and the window moves there. A bit that the first context is sure of takes only that one. */
#include "codec/timing_internal.h"

enum { NIBBLE_ZERO = 13, NIBBLE_TIGHT, NIBBLE_ESCAPE };

#define WINDOW   13U /* levels */
#define NO_LEVEL 63  /* of a sibling that is not there */

#define SURE_SEEN 60
#define SURE_P    2000

/* Levels of spans with the same subtree below the same parent are coded within a window: it moves
 * to one outside it. */
static void move_window(uint8_t *window, uint32_t level)
{
    if (level < *window || level >= *window + WINDOW)
        *window = (uint8_t)(level < 8 ? 0 : (level - 4) / 4 * 4);
}

static uint32_t level_of(const struct tk_time_number *number)
{
    return number->state != TK_TIME_CELL ? 0 : 1 + ((uint32_t)number->cell >> TK_LEVEL_DEPTH);
}

/* Whether a model is enough alone: it has seen much, and the same nearly always. */
static bool is_sure(const struct tk_bit *bit)
{
    uint32_t p = tk_bit_p(bit);
    return tk_bit_n(bit) >= SURE_SEEN && (p < SURE_P || p > 65536 - SURE_P);
}

/* Contexts are looked for when the first of them is not sure. */
static uint32_t code_nibble(struct tk_coder *coder, struct tk_time_models *models, unsigned which,
                            const uint64_t *hashes, uint32_t value, uint32_t window)
{
    struct tk_bucket *buckets[TK_TIME_BASE_INPUTS];
    struct tk_bit *bits[TK_TIME_BASE_INPUTS];
    uint32_t node = 1;
    bool found = false;
    for (size_t k = 1; k < TK_TIME_BASE_INPUTS; k++)
        tk_contexts_fetch(&models->contexts, tk_time_hash(hashes[k], window));
    buckets[0] = tk_contexts_find(&models->contexts, tk_time_hash(hashes[0], window));
    for (unsigned i = 4; i-- > 0;) {
        bool bit = value >> i & 1;
        if (is_sure(&buckets[0]->bits[node])) {
            node = node << 1 | tk_code_bit(coder, &buckets[0]->bits[node], bit);
            continue;
        }
        for (size_t k = 1; k < TK_TIME_BASE_INPUTS && !found; k++)
            buckets[k] = tk_contexts_find(&models->contexts, tk_time_hash(hashes[k], window));
        found = true;
        for (size_t k = 0; k < TK_TIME_BASE_INPUTS; k++)
            bits[k] = &buckets[k]->bits[node];
        struct tk_mix_weights *weights = &models->base_weights[which][node];
        node = node << 1 |
               tk_code_mixed(coder, &models->tables, weights, bits, TK_TIME_BASE_INPUTS, bit);
    }
    return node - 16;
}

static uint32_t nibble_of(const struct tk_time_number *number, uint32_t window)
{
    if (number->state != TK_TIME_CELL)
        return number->state == TK_TIME_ZERO ? NIBBLE_ZERO : NIBBLE_TIGHT;
    uint32_t level = level_of(number);
    bool is_near = level >= window && level < window + WINDOW;
    return is_near ? level - window : NIBBLE_ESCAPE;
}

/* Code a number in three contexts; `place` is that of its window. */
static void code_number(struct tk_coder *coder, struct tk_time_models *models, unsigned which,
                        const uint64_t *hashes, uint64_t place, struct tk_time_number *number)
{
    uint8_t *window = &models->windows[which][place & ((1U << TK_TIME_WINDOW_BITS) - 1)];
    uint32_t level = level_of(number);
    uint32_t nibble =
        code_nibble(coder, models, which, hashes, nibble_of(number, *window), *window);
    if (nibble == NIBBLE_ZERO || nibble == NIBBLE_TIGHT) {
        number->state = nibble == NIBBLE_ZERO ? TK_TIME_ZERO : TK_TIME_TIGHT;
        return;
    }
    level =
        nibble < WINDOW ? *window + nibble : tk_code_tree(coder, models->escapes[which], 6, level);
    level = level < 1 ? 1 : level > TK_LEVEL_BASES ? TK_LEVEL_BASES : level; /* of damage */
    move_window(window, level);
    uint32_t below = number->cell & ((1U << TK_LEVEL_DEPTH) - 1); /* of the encoder; else 0 */
    number->state = TK_TIME_CELL;
    number->cell = (uint16_t)((level - 1) << TK_LEVEL_DEPTH | below);
}

/* A hash of a context: which one it is, where, and what is known. */
static uint64_t context(uint64_t where, unsigned which, unsigned kind, uint64_t known)
{
    return tk_time_hash(where, known << 8 | which << 4 | kind);
}

static void code_duration(struct tk_coder *coder, struct tk_time_models *models,
                          const struct tk_time_trace *trace, struct tk_time_node *node)
{
    const struct tk_time_node *next = node->next == TK_TIME_NONE ? NULL : &trace->nodes[node->next];
    uint32_t sibling = next ? level_of(&next->duration) : NO_LEVEL;
    uint32_t reach = tk_time_scale(models, node->reach, 1);
    uint64_t edge = tk_time_is_inside(node) ? 0 : node->edge;
    const uint64_t hashes[TK_TIME_BASE_INPUTS] = {
        context(node->kind, 1, 0, reach << 4 | edge),
        context(node->subtree, 1, 1, reach << 4 | edge),
        context(node->path ^ node->subtree, 1, 2, sibling << 4 | edge),
    };
    code_number(coder, models, 1, hashes, node->subtree, &node->duration);
    node->duration.about = node->duration.state == TK_TIME_TIGHT
                               ? node->reach_inside
                               : tk_time_about(models, &node->duration, 0);
}

static void code_gap(struct tk_coder *coder, struct tk_time_models *models,
                     const struct tk_time_trace *trace, struct tk_time_node *node)
{
    const struct tk_time_node *next = node->next == TK_TIME_NONE ? NULL : &trace->nodes[node->next];
    uint32_t gap = next ? level_of(&next->gap) : NO_LEVEL;
    uint32_t sibling = next ? level_of(&next->duration) : NO_LEVEL;
    uint32_t own = tk_time_scale(models, node->duration.about, 1);
    const uint64_t hashes[TK_TIME_BASE_INPUTS] = {
        context(node->kind, 0, 0, (uint64_t)own << 4 | node->edge),
        context(node->path ^ node->subtree, 0, 1, sibling << 4 | node->edge),
        context(node->edge, 0, 2, gap),
    };
    code_number(coder, models, 0, hashes, node->subtree + node->edge, &node->gap);
    if (node->gap.state == TK_TIME_TIGHT) /* of a damaged stream */
        node->gap.state = TK_TIME_ZERO;
    node->gap.about = tk_time_about(models, &node->gap, 0);
}

/* One decision of an edge. */
static bool code_edge_bit(struct tk_coder *coder, struct tk_time_models *models,
                          struct tk_bucket *const *buckets, uint32_t node, bool bit)
{
    struct tk_bit *bits[TK_TIME_EDGE_INPUTS];
    for (size_t k = 0; k < TK_TIME_EDGE_INPUTS; k++)
        bits[k] = &buckets[k]->bits[node];
    return tk_code_mixed(coder, &models->tables, &models->edge_weights[node], bits,
                         TK_TIME_EDGE_INPUTS, bit);
}

/* Inside the parent or not; then whether it follows its sibling, or where it lies and how long. */
static void code_edge(struct tk_coder *coder, struct tk_time_models *models,
                      const struct tk_time_trace *trace, struct tk_time_node *node)
{
    uint32_t before =
        node->previous == TK_TIME_NONE ? TK_TIME_EDGES : trace->nodes[node->previous].edge;
    uint32_t above = node->parent == TK_TIME_NONE ? TK_TIME_EDGES : trace->nodes[node->parent].edge;
    const uint64_t hashes[TK_TIME_EDGE_INPUTS] = {
        context(node->place, 2, 0, before),
        context(node->kind, 2, 1, before),
        context(node->path, 2, 2, above << 4 | before),
    };
    struct tk_bucket *buckets[TK_TIME_EDGE_INPUTS];
    uint32_t edge = node->edge;
    for (size_t k = 0; k < TK_TIME_EDGE_INPUTS; k++)
        buckets[k] = tk_contexts_find(&models->contexts, hashes[k]);
    if (!code_edge_bit(coder, models, buckets, 1, edge > TK_TIME_PARALLEL)) {
        bool follows = tk_time_may_follow(trace, node) &&
                       code_edge_bit(coder, models, buckets, 2, edge == TK_TIME_SEQUENTIAL);
        node->edge = follows ? TK_TIME_SEQUENTIAL : TK_TIME_PARALLEL;
        return;
    }
    bool is_before = code_edge_bit(coder, models, buckets, 3, edge >= TK_TIME_BEFORE);
    bool is_longer = code_edge_bit(coder, models, buckets, 4 + is_before,
                                   edge == TK_TIME_AFTER_LONGER || edge == TK_TIME_BEFORE_LONGER);
    node->edge = (uint8_t)(is_before ? TK_TIME_BEFORE + is_longer : TK_TIME_AFTER + is_longer);
}

void tk_time_code_base(struct tk_coder *coder, struct tk_time_models *models,
                       struct tk_time_trace *trace)
{
    for (uint32_t i = 0; i < trace->count; i++) {
        if (!tk_time_is_first(&trace->nodes[i]))
            code_edge(coder, models, trace, &trace->nodes[i]);
    }
    tk_time_trace_rewind(trace);
    for (uint32_t i = trace->count; i-- > 0;) {
        struct tk_time_node *node = &trace->nodes[i];
        code_duration(coder, models, trace, node);
        if (!tk_time_is_first(node))
            code_gap(coder, models, trace, node);
        tk_time_add(trace, node);
    }
}
