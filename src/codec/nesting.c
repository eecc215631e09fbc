/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/nesting.h"

#include "codec/draw.h"

/* The numbers of a cell: [low, high]; a gap or duration that is zero: [0, 0]. */
static void bounds_of(const struct tk_nesting *nesting, const struct tk_time_number *number,
                      uint64_t *ret_bounds)
{
    ret_bounds[0] = 0;
    ret_bounds[1] = number->state == TK_TIME_TIGHT ? TK_TIME_MAX : 0;
    if (number->state != TK_TIME_CELL)
        return;
    uint32_t cell = (uint32_t)number->cell >> (TK_LEVEL_DEPTH - nesting->depth);
    uint64_t low = tk_levels_low(nesting->levels, nesting->depth, cell);
    uint64_t high = tk_levels_low(nesting->levels, nesting->depth, cell + 1) - 1;
    ret_bounds[0] = low < TK_TIME_MAX ? low : TK_TIME_MAX;
    ret_bounds[1] = high < TK_TIME_MAX ? high : TK_TIME_MAX;
}

/* The least that each number can be, into `about`: of a duration what its children need. */
static void find_least(const struct tk_nesting *nesting, struct tk_time_trace *trace)
{
    tk_time_trace_rewind(trace);
    for (uint32_t i = trace->count; i-- > 0;) {
        struct tk_time_node *node = &trace->nodes[i];
        uint64_t bounds[2];
        bounds_of(nesting, &node->gap, bounds);
        node->gap.about = bounds[0];
        bounds_of(nesting, &node->duration, bounds);
        bool is_cell = node->duration.state == TK_TIME_CELL;
        uint64_t need = node->reach_inside + (is_cell && node->reach_inside > 0);
        uint64_t least = need > bounds[0] ? need : bounds[0];
        node->duration.about = least < bounds[1] ? least : bounds[1];
        tk_time_add(trace, node);
    }
}

/* What follows a span inside its parent needs. */
static uint64_t need_after(const struct tk_time_node *node)
{
    return node->run - node->duration.about;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static uint64_t draw(const struct tk_nesting *nesting, const struct tk_time_node *node,
                     unsigned which, const uint64_t bounds[2], const uint64_t key[2])
{
    const struct tk_time_number *number = which ? &node->duration : &node->gap;
    if (bounds[0] >= bounds[1])
        return bounds[0];
    if (nesting->centre) {
        uint64_t cell[2];
        bounds_of(nesting, number, cell);
        uint64_t centre = tk_levels_centre(cell[0], cell[1]);
        return centre < bounds[0] ? bounds[0] : centre > bounds[1] ? bounds[1] : centre;
    }
    uint64_t bits = tk_draw(nesting->draw_key, (uint32_t)key[0], (uint32_t)key[1],
                            which ? TK_DRAW_DURATION : TK_DRAW_GAP);
    return tk_levels_draw(nesting->levels, bounds[0], bounds[1], bits);
}

/* The latest end, since the parent's start, of a span inside it. */
static uint64_t room_of(const struct tk_time_trace *trace, const struct tk_time_node *node)
{
    if (node->parent == TK_TIME_NONE || !tk_time_is_inside(node))
        return TK_TIME_MAX;
    const struct tk_time_node *parent = &trace->nodes[node->parent];
    return parent->duration.state == TK_TIME_CELL ? less(parent->duration.value, 1) : parent->reach;
}

/* Place the start of a node; `room` is what its parent has. */
static void draw_start(const struct tk_nesting *nesting, const struct tk_time_trace *trace,
                       struct tk_time_node *node, uint64_t room, const uint64_t key[2])
{
    int64_t origin = tk_time_place(tk_time_origin(trace, node), 0, false);
    int64_t parent = node->parent == TK_TIME_NONE ? 0 : trace->nodes[node->parent].start;
    uint64_t offset = (uint64_t)(origin - parent);
    uint64_t bounds[2];
    bounds_of(nesting, &node->gap, bounds);
    if (tk_time_is_inside(node)) {
        uint64_t most = less(room, tk_time_sum(offset, node->run));
        bounds[1] = most < bounds[1] ? most : bounds[1];
    }
    if (node->edge == TK_TIME_PARALLEL && node->previous != TK_TIME_NONE) {
        int64_t before = trace->nodes[node->previous].start - origin;
        if (before > 0 && (uint64_t)before > bounds[0] && (uint64_t)before <= bounds[1])
            bounds[0] = (uint64_t)before; /* siblings keep their order where cells let them */
    }
    uint64_t gap = draw(nesting, node, 0, bounds, key);
    node->gap.value = gap;
    node->start = tk_time_place(origin, gap, node->edge >= TK_TIME_BEFORE);
}

/* The bounds of a duration that is in a cell. */
static void bound_duration(const struct tk_nesting *nesting, const struct tk_time_trace *trace,
                           const struct tk_time_node *node, uint64_t most, uint64_t *ret_bounds)
{
    bounds_of(nesting, &node->duration, ret_bounds);
    ret_bounds[0] = node->duration.about;
    ret_bounds[1] = most < ret_bounds[1] ? most : ret_bounds[1];
    if (node->parent == TK_TIME_NONE || tk_time_is_inside(node))
        return;
    const struct tk_time_node *parent = &trace->nodes[node->parent];
    uint64_t border = parent->duration.value;
    if (parent->duration.state == TK_TIME_TIGHT || border < ret_bounds[0] || border > ret_bounds[1])
        return; /* not known yet, or the cell tells */
    if (node->edge == TK_TIME_AFTER_LONGER || node->edge == TK_TIME_BEFORE_LONGER) {
        ret_bounds[0] = border;
    } else if (border > ret_bounds[0]) {
        ret_bounds[1] = border - 1;
    }
}

void tk_nesting_draw(const struct tk_nesting *nesting, struct tk_time_trace *trace, uint32_t t)
{
    find_least(nesting, trace);
    for (uint32_t i = 0; i < trace->count; i++) {
        struct tk_time_node *node = &trace->nodes[i];
        const uint64_t key[2] = {t, i};
        tk_time_close(trace, i);
        uint64_t room = room_of(trace, node);
        draw_start(nesting, trace, node, room, key);
        int64_t parent = node->parent == TK_TIME_NONE ? 0 : trace->nodes[node->parent].start;
        uint64_t most = TK_TIME_MAX;
        if (tk_time_is_inside(node)) {
            uint64_t used = (uint64_t)(node->start - parent) + need_after(node);
            most = less(room, used);
        }
        if (node->duration.state == TK_TIME_CELL) {
            uint64_t bounds[2];
            bound_duration(nesting, trace, node, most, bounds);
            node->duration.value = draw(nesting, node, 1, bounds, key);
        } else {
            node->duration.value = 0;
            node->reach = node->duration.state == TK_TIME_TIGHT ? most : 0;
            if (node->duration.state == TK_TIME_TIGHT)
                tk_time_open(trace, i);
        }
    }
    tk_time_close(trace, trace->count);
}
