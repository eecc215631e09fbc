/* SPDX-License-Identifier: Apache-2.0 */
/* What is left below the last plane, so that all times are exact. Clocks of a trace can differ: the
 * points in time where spans start and end are often whole us or ms where the tick is a ns, so each
 * point first tells its grain, and then which of the points of that grain in its cell it is. */
#include "codec/timing_internal.h"

#define GRAINS 3

static const uint64_t grains[GRAINS] = {1, 1000, 1000000};

static uint64_t remainder_of(int64_t point, uint64_t grain)
{
    int64_t rest = point % (int64_t)grain;
    return (uint64_t)(rest < 0 ? rest + (int64_t)grain : rest);
}

/* The coarsest grain of a point in time. */
static uint32_t grain_of(int64_t point)
{
    uint32_t grain = GRAINS - 1;
    while (remainder_of(point, grains[grain]) != 0)
        grain--;
    return grain;
}

/* The least number of a cell for which `from` + number (or - number) is of a grain. */
static uint64_t first_of(int64_t from, bool is_back, uint64_t low, uint64_t grain)
{
    uint64_t at = is_back ? remainder_of((int64_t)((uint64_t)from - low), grain)
                          : remainder_of((int64_t)((uint64_t)from + low), grain);
    return low + (is_back || at == 0 ? at : grain - at);
}

/* A number of a known cell, by the point in time that it leads to. */
static void code_number(struct tk_coder *coder, struct tk_time_models *models, struct tk_bit *kinds,
                        int64_t from, bool is_back, struct tk_time_number *number)
{
    uint64_t low = tk_levels_low(&models->levels, TK_LEVEL_DEPTH, number->cell);
    uint64_t end = tk_levels_low(&models->levels, TK_LEVEL_DEPTH, number->cell + 1U);
    if (end - low == 1) {
        number->value = low;
        return;
    }
    int64_t point =
        (int64_t)(is_back ? (uint64_t)from - number->value : (uint64_t)from + number->value);
    uint32_t grain = tk_code_tree(coder, kinds, 2, grain_of(point));
    uint64_t step = grains[grain < GRAINS ? grain : 0];
    uint64_t first = first_of(from, is_back, low, step);
    if (first >= end) { /* of a damaged stream */
        first = low;
        step = 1;
    }
    uint64_t count = (end - 1 - first) / step + 1;
    number->value = first + step * tk_code_even(coder, (number->value - first) / step, count);
}

/* Models of the grain of a point: by symbol, what it is, and the grain of the point before. */
static struct tk_bit *kinds_of(struct tk_time_models *models, const struct tk_time_node *node,
                               unsigned which, int64_t from)
{
    uint64_t hash = tk_time_hash(node->symbol, 1U << 16 | which << 8 | grain_of(from));
    return tk_time_slot(models, TK_TIME_PLANES, hash & ~(uint64_t)3);
}

void tk_time_code_rest(struct tk_coder *coder, struct tk_time_models *models,
                       struct tk_time_trace *trace, int64_t start)
{
    for (uint32_t i = 0; i < trace->count; i++) {
        struct tk_time_node *node = &trace->nodes[i];
        tk_time_close(trace, i);
        int64_t from = (int64_t)((uint64_t)start + (uint64_t)tk_time_origin(trace, node));
        bool is_back = node->edge >= TK_TIME_BEFORE;
        if (node->gap.state == TK_TIME_CELL) {
            code_number(coder, models, kinds_of(models, node, is_back, from), from, is_back,
                        &node->gap);
        }
        uint64_t gap = is_back ? 0 - node->gap.value : node->gap.value;
        from = (int64_t)((uint64_t)from + gap);
        node->start = (int64_t)((uint64_t)from - (uint64_t)start);
        if (node->duration.state == TK_TIME_CELL) {
            code_number(coder, models, kinds_of(models, node, 2, from), from, false,
                        &node->duration);
        } else if (node->duration.state == TK_TIME_TIGHT) {
            tk_time_open(trace, i);
        }
    }
    tk_time_close(trace, trace->count);
}
