/* SPDX-License-Identifier: Apache-2.0 */
/* Planes: each halves the cell of every number that has two halves. The first three, down to 5 %,
 * are mixed from a few contexts, most of which say how far the middle of the cell is from what is
 * known of the children; those behind them hardly depend on anything but the cell.
 *
 * Where the models of a number stand follows from what the plane before told, but for that
 * distance: so they are fetched some nodes ahead, because waiting for them took more time than all
 * else. */
#include "codec/timing_internal.h"

#define RELATIONS 16 /* slots of a context that says how far */
#define NOTHING   15 /* there is nothing to be far from */
#define AHEAD     4  /* nodes */

enum { GAP = 0, DURATION };

/* Where the models of a number are: of the first two contexts of a mixed plane the slots of all
 * distances, which are a line of the cache. */
struct site {
    struct tk_mix_weights *weights;
    struct tk_bit *slots[TK_TIME_PLANE_INPUTS];
};

static void find_site(struct tk_time_models *models, const struct tk_time_node *node,
                      unsigned plane, unsigned which, struct site *ret_site)
{
    const struct tk_time_number *number = which == GAP ? &node->gap : &node->duration;
    if (number->state != TK_TIME_CELL)
        return;
    uint64_t cell = (uint64_t)number->cell >> (TK_LEVEL_DEPTH - plane);
    uint64_t edge = which == GAP || !tk_time_is_inside(node) ? node->edge : 0;
    uint64_t kind = edge << 4 | plane << 1 | which;
    uint64_t hashes[TK_TIME_PLANE_INPUTS];
    unsigned inputs = tk_time_plane_inputs(plane);
    if (inputs == 1) {
        hashes[0] = tk_time_hash(node->symbol, cell << 4 | plane << 1 | which);
    } else {
        const uint64_t relations = RELATIONS - 1;
        hashes[0] = tk_time_hash(node->kind, kind << 4) & ~relations;
        hashes[1] = tk_time_hash(node->subtree, cell << 12 | kind << 4 | 1) & ~relations;
        hashes[2] = tk_time_hash(node->path, cell << 12 | kind << 4 | 2);
        ret_site->weights = &models->plane_weights[plane][which][node->edge];
    }
    for (unsigned k = 0; k < inputs; k++) {
        ret_site->slots[k] = tk_time_slot(models, plane, hashes[k]);
        __builtin_prefetch(ret_site->slots[k], 1);
    }
}

/* How far the middle of a cell (as the border between fine cells) is from a number, in halves of
 * its half: 0 to 14, 7 = as good as equal. */
static uint32_t relate(const struct tk_time_models *models, uint64_t value, uint32_t cell,
                       unsigned plane)
{
    const unsigned half = TK_LEVEL_DEPTH - 1 - plane;
    if (value == 0)
        return NOTHING;
    uint32_t place = tk_levels_find(&models->levels, value) + (4U << half);
    uint32_t middle = (2 * cell + 1) << half;
    uint32_t steps = place < middle ? 0 : 2 * (place - middle) >> half; /* 8 = equal */
    return steps < 1 ? 0 : steps > 15 ? 14 : steps - 1;
}

static bool code_half(struct tk_coder *coder, const struct tk_time_models *models, unsigned plane,
                      const struct site *site, uint32_t relation, bool half)
{
    struct tk_bit *bits[TK_TIME_PLANE_INPUTS];
    unsigned inputs = tk_time_plane_inputs(plane);
    if (inputs == 1)
        return tk_code_bit(coder, site->slots[0], half);
    bits[0] = site->slots[0] + relation;
    bits[1] = site->slots[1] + relation;
    bits[2] = site->slots[2];
    return inputs == 2 ? tk_code_mixed(coder, &models->tables, site->weights, bits, 2, half)
                       : tk_code_mixed(coder, &models->tables, site->weights, bits, 3, half);
}

/* The bit of one number, when there is one. `below`: what the children take, of a gap the duration.
 */
static void code_bit(struct tk_coder *coder, const struct tk_time_models *models, unsigned plane,
                     const struct site *site, uint64_t below, struct tk_time_number *number)
{
    uint32_t cell = (uint32_t)number->cell >> (TK_LEVEL_DEPTH - plane);
    uint32_t place = TK_LEVEL_DEPTH - 1 - plane;
    bool half = number->cell >> place & 1;
    uint32_t only;
    if (number->state != TK_TIME_CELL)
        return;
    if (!tk_levels_splits(&models->levels, plane, cell, &only)) {
        half = only;
    } else {
        uint32_t relation = plane < TK_TIME_MIXED ? relate(models, below, cell, plane) : 0;
        half = code_half(coder, models, plane, site, relation, half);
    }
    number->cell = (uint16_t)((number->cell & ~(1U << place)) | (uint32_t)half << place);
}

static void code_node(struct tk_coder *coder, const struct tk_time_models *models, unsigned plane,
                      const struct site *sites, struct tk_time_node *node)
{
    code_bit(coder, models, plane, &sites[DURATION], node->reach, &node->duration);
    node->duration.about = node->duration.state == TK_TIME_TIGHT
                               ? node->reach_inside
                               : tk_time_about(models, &node->duration, plane + 1);
    code_bit(coder, models, plane, &sites[GAP], node->duration.about, &node->gap);
    node->gap.about = tk_time_about(models, &node->gap, plane + 1);
}

void tk_time_code_plane(struct tk_coder *coder, struct tk_time_models *models,
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
            const struct tk_time_node *node = &trace->nodes[i - AHEAD];
            find_site(models, node, plane, DURATION, &site[DURATION]);
            find_site(models, node, plane, GAP, &site[GAP]);
        }
    }
}
