/* SPDX-License-Identifier: Apache-2.0 */
/* Planes: each halves the cell of every number that has two halves. The first three, down to 5 %,
 * are mixed from contexts, most of which say how far the middle of the cell is from what is known
 * of a number nearby; those behind them hardly depend on anything but the cell. */
#include "codec/timing_internal.h"

#define RELATIONS 32 /* slots of a context that says how far */
#define NOTHING   31 /* there is no number nearby */

/* How far the middle of a cell (as the border between fine cells) is from a number, in halves of
 * its half: 0 to 30, 15 = as good as equal. */
static uint32_t relate(const struct tk_time_models *models, uint64_t value, uint32_t middle,
                       unsigned plane)
{
    if (value == 0)
        return NOTHING;
    int32_t distance = (int32_t)tk_levels_find(&models->levels, value) - (int32_t)middle;
    int32_t unit = 1 << (TK_LEVEL_DEPTH - 1 - plane);
    int32_t steps = 15 + (distance * 2 + (distance < 0 ? 1 - unit : 0)) / unit;
    return (uint32_t)(steps < 0 ? 0 : steps > 30 ? 30 : steps);
}

/* Contexts of one kind of relation stand side by side. */
static struct tk_bit *relation_slot(struct tk_time_models *models, unsigned plane, uint64_t hash,
                                    uint32_t relation)
{
    return tk_time_slot(models, plane, (hash & ~(uint64_t)(RELATIONS - 1)) + relation);
}

/* What a number's bit depends on. */
struct nearby {
    unsigned plane;
    uint64_t children; /* of a duration what they take, of a gap the own duration */
    uint64_t sibling;  /* the same number of the sibling behind */
    uint64_t kind;     /* gap or duration, plane, edge, whether that sibling is alike */
};

static bool code_mixed_bit(struct tk_coder *coder, struct tk_time_models *models,
                           const struct tk_time_node *node, const struct nearby *nearby,
                           uint32_t cell, bool bit)
{
    unsigned plane = nearby->plane;
    struct tk_mix_weights *weights = &models->plane_weights[plane][nearby->kind & 1][node->edge];
    uint32_t middle = (2 * cell + 1) << (TK_LEVEL_DEPTH - 1 - plane);
    uint32_t above = relate(models, nearby->children, middle, plane);
    uint32_t beside = relate(models, nearby->sibling, middle, plane);
    uint64_t at = (uint64_t)cell << 8 | (nearby->kind & 255);
    struct tk_bit *bits[TK_TIME_PLANE_INPUTS] = {
        relation_slot(models, plane, tk_time_hash(node->kind, nearby->kind << 4), above),
        relation_slot(models, plane, tk_time_hash(node->subtree, at << 4 | 1), above),
        relation_slot(models, plane, tk_time_hash(node->kind, nearby->kind << 4 | 2), beside),
        tk_time_slot(models, plane, tk_time_hash(node->path, at << 4 | 3)),
    };
    return tk_code_mixed(coder, &models->tables, weights, bits, TK_TIME_PLANE_INPUTS, bit);
}

/* The bit of one number, when there is one. */
static void code_bit(struct tk_coder *coder, struct tk_time_models *models,
                     const struct tk_time_node *node, const struct nearby *nearby,
                     struct tk_time_number *number)
{
    unsigned plane = nearby->plane;
    uint32_t cell = (uint32_t)number->cell >> (TK_LEVEL_DEPTH - plane);
    uint32_t place = TK_LEVEL_DEPTH - 1 - plane;
    bool half = number->cell >> place & 1;
    uint32_t only;
    if (!tk_levels_splits(&models->levels, plane, cell, &only)) {
        half = only;
    } else if (plane < TK_TIME_MIXED) {
        half = code_mixed_bit(coder, models, node, nearby, cell, half);
    } else {
        uint64_t hash =
            tk_time_hash(node->symbol, (uint64_t)cell << 4 | plane << 1 | (nearby->kind & 1));
        half = tk_code_bit(coder, tk_time_slot(models, plane, hash), half);
    }
    number->cell = (uint16_t)((number->cell & ~(1U << place)) | (uint32_t)half << place);
}

void tk_time_code_plane(struct tk_coder *coder, struct tk_time_models *models,
                        struct tk_time_trace *trace, unsigned plane)
{
    tk_time_trace_rewind(trace);
    for (uint32_t i = trace->count; i-- > 0;) {
        struct tk_time_node *node = &trace->nodes[i];
        const struct tk_time_node *next =
            node->next == TK_TIME_NONE ? NULL : &trace->nodes[node->next];
        bool same = next && next->symbol == node->symbol;
        uint64_t edge = tk_time_is_inside(node) ? 0 : node->edge;
        struct nearby nearby = {.plane = plane,
                                .children = node->reach,
                                .sibling = next ? next->duration.about : 0,
                                .kind = edge << 5 | (uint64_t)same << 4 | plane << 1 | 1};
        if (node->duration.state == TK_TIME_CELL)
            code_bit(coder, models, node, &nearby, &node->duration);
        node->duration.about = node->duration.state == TK_TIME_TIGHT
                                   ? node->reach_inside
                                   : tk_time_about(models, &node->duration, plane + 1);
        nearby =
            (struct nearby){.plane = plane,
                            .children = node->duration.about,
                            .sibling = next ? next->gap.about : 0,
                            .kind = (uint64_t)node->edge << 5 | (uint64_t)same << 4 | plane << 1};
        if (node->gap.state == TK_TIME_CELL)
            code_bit(coder, models, node, &nearby, &node->gap);
        node->gap.about = tk_time_about(models, &node->gap, plane + 1);
        tk_time_add(trace, node);
    }
}
