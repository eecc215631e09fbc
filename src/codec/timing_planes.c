/* SPDX-License-Identifier: Apache-2.0 */
/* Planes: each halves the cell of every number that has two halves. The first three, down to 5 %,
 * are mixed from a few contexts, most of which say how far the middle of the cell is from what is
 * known of the children and of a sibling; those behind them hardly depend on anything but the cell.
 *
 * Where the models of a number stand follows from what the plane before told, but for that
 * distance: so they are fetched some nodes ahead, because waiting for them took more time than all
 * else. */
#include "codec/timing_internal.h"

#define RELATIONS 16 /* slots of a context that says how far */
#define NOTHING   15 /* there is nothing to be far from */
#define AHEAD     4  /* nodes */

enum { GAP = 0, DURATION };

/* Where the models of a number are: in a mixed plane the slots of all distances, which are a line
 * of the cache; else the one. */
struct site {
    struct tk_mix_weights *weights;
    struct tk_bit *slots[TK_TIME_PLANE_INPUTS];
    const struct tk_time_number *beside; /* the same one of the sibling behind; NULL = none */
};

static void find_site(struct tk_time_models *models, const struct tk_time_trace *trace, uint32_t i,
                      unsigned plane, unsigned which, struct site *ret_site)
{
    const struct tk_time_node *node = &trace->nodes[i];
    const struct tk_time_node *next = node->next == TK_TIME_NONE ? NULL : &trace->nodes[node->next];
    const struct tk_time_number *number = which == GAP ? &node->gap : &node->duration;
    if (number->state != TK_TIME_CELL)
        return;
    uint64_t cell = (uint64_t)number->cell >> (TK_LEVEL_DEPTH - plane);
    if (plane >= TK_TIME_MIXED) {
        uint64_t hash = tk_time_hash(node->symbol, cell << 4 | plane << 1 | which);
        ret_site->slots[0] = tk_time_slot(models, plane, hash);
        __builtin_prefetch(ret_site->slots[0], 1);
        return;
    }
    uint64_t edge = which == GAP || !tk_time_is_inside(node) ? node->edge : 0;
    uint64_t is_same = next && next->symbol == node->symbol;
    uint64_t kind = edge << 5 | is_same << 4 | plane << 1 | which;
    const uint64_t hashes[TK_TIME_PLANE_INPUTS] = {
        tk_time_hash(node->kind, kind << 4),
        tk_time_hash(node->subtree, cell << 12 | kind << 4 | 1),
        tk_time_hash(node->kind, kind << 4 | 2),
    };
    for (size_t k = 0; k < TK_TIME_PLANE_INPUTS; k++) {
        ret_site->slots[k] = tk_time_slot(models, plane, hashes[k] & ~(uint64_t)(RELATIONS - 1));
        __builtin_prefetch(ret_site->slots[k], 1);
    }
    ret_site->weights = &models->plane_weights[plane][which][node->edge];
    ret_site->beside = !next ? NULL : which == GAP ? &next->gap : &next->duration;
}

/* How far the middle of a cell (as the border between fine cells) is from a place among fine cells,
 * in halves of its half: 0 to 14, 7 = as good as equal. */
static uint32_t relate(uint32_t place, uint32_t cell, unsigned plane)
{
    const unsigned half = TK_LEVEL_DEPTH - 1 - plane;
    uint32_t middle = (2 * cell + 1) << half;
    uint32_t from = place + (4U << half);
    uint32_t steps = from < middle ? 0 : 2 * (from - middle) >> half; /* 8 = equal */
    return steps < 1 ? 0 : steps > 15 ? 14 : steps - 1;
}

/* Every site is found some nodes before it is coded. */
static inline void assume_found(const struct site *site)
{
    for (size_t k = 0; k < TK_TIME_PLANE_INPUTS; k++) {
        if (!site->slots[k])
            __builtin_unreachable();
    }
    if (!site->weights)
        __builtin_unreachable();
}

/* Code the half of a cell that has two. */
static TK_ALWAYS_INLINE bool code_half(struct tk_coder *coder, const struct tk_time_models *models,
                                       unsigned plane, const struct site *site, uint64_t below,
                                       const struct tk_time_number *number)
{
    uint32_t cell = (uint32_t)number->cell >> (TK_LEVEL_DEPTH - plane);
    bool half = number->cell >> (TK_LEVEL_DEPTH - 1 - plane) & 1;
    uint32_t far_below = NOTHING;
    uint32_t far_beside = NOTHING;
    if (plane >= TK_TIME_MIXED) {
        if (!site->slots[0])
            __builtin_unreachable(); /* as below */
        return tk_code_bit(coder, site->slots[0], half);
    }
    assume_found(site);
    if (below > 0)
        far_below = relate(tk_levels_find(&models->levels, below), cell, plane);
    if (site->beside && site->beside->state == TK_TIME_CELL) {
        const unsigned rest = TK_LEVEL_DEPTH - 1 - plane; /* what is not known of that one yet */
        uint32_t place = ((uint32_t)site->beside->cell >> rest << rest) + (1U << rest) / 2;
        far_beside = relate(place, cell, plane);
    }
    struct tk_bit *bits[TK_TIME_PLANE_INPUTS] = {
        site->slots[0] + far_below, site->slots[1] + far_below, site->slots[2] + far_beside};
    return tk_code_mixed(coder, &models->tables, site->weights, bits, TK_TIME_PLANE_INPUTS, half);
}

/* The bit of one number, when there is one. `below`: what the children take, of a gap the duration.
 */
static TK_ALWAYS_INLINE void code_bit(struct tk_coder *coder, const struct tk_time_models *models,
                                      unsigned plane, const struct site *site, uint64_t below,
                                      struct tk_time_number *number)
{
    uint32_t cell = (uint32_t)number->cell >> (TK_LEVEL_DEPTH - plane);
    uint32_t place = TK_LEVEL_DEPTH - 1 - plane;
    uint32_t half;
    if (number->state != TK_TIME_CELL)
        return;
    if (tk_levels_splits(&models->levels, plane, cell, &half))
        half = code_half(coder, models, plane, site, below, number);
    number->cell = (uint16_t)((number->cell & ~(1U << place)) | half << place);
}

static TK_ALWAYS_INLINE void code_node(struct tk_coder *coder, const struct tk_time_models *models,
                                       unsigned plane, const struct site *sites,
                                       struct tk_time_node *node)
{
    code_bit(coder, models, plane, &sites[DURATION], node->reach, &node->duration);
    node->duration.about = node->duration.state == TK_TIME_TIGHT
                               ? node->reach_inside
                               : tk_time_about(models, &node->duration, plane + 1);
    code_bit(coder, models, plane, &sites[GAP], node->duration.about, &node->gap);
    node->gap.about = tk_time_about(models, &node->gap, plane + 1);
}

static TK_ALWAYS_INLINE void code_plane(struct tk_coder *coder, struct tk_time_models *models,
                                        struct tk_time_trace *trace, unsigned plane)
{
    struct site sites[AHEAD][2] = {0};
    tk_time_trace_rewind(trace);
    for (uint32_t i = trace->count + AHEAD; i-- > 0;) {
        struct site *site = sites[i % AHEAD];
        if (i < trace->count) {
            code_node(coder, models, plane, site, &trace->nodes[i]);
            tk_time_add(trace, &trace->nodes[i]);
        }
        if (i >= AHEAD) {
            find_site(models, trace, i - AHEAD, plane, DURATION, &site[DURATION]);
            find_site(models, trace, i - AHEAD, plane, GAP, &site[GAP]);
        }
    }
}

void tk_time_code_plane(struct tk_coder *coder, struct tk_time_models *models,
                        struct tk_time_trace *trace, unsigned plane)
{
    struct tk_coder own = *coder; /* in registers */
    if (own.mode == TK_CODER_DECODE) {
        own.mode = TK_CODER_DECODE;
        code_plane(&own, models, trace, plane);
        *coder = own;
    } else {
        code_plane(coder, models, trace, plane);
    }
}
