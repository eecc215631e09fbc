/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/levels.h"

#include <assert.h>

#include "codec/draw.h"

__extension__ typedef unsigned __int128 wide;

/* 2^62 * 1.1^(1/16), rounded. */
#define STEP UINT64_C(4639239291784795266)

#define END (UINT64_C(1) << 63)

/* Powers of STEP as mantissa / 2^62 * 2^exponent, cut off at each step. */
static void fill_bounds(struct tk_levels *levels)
{
    uint64_t mantissa = UINT64_C(1) << 62;
    unsigned exponent = 0;
    for (uint32_t k = 0; k <= TK_LEVEL_FINE; k++) {
        uint64_t bound = END;
        if (exponent <= 62) {
            uint64_t part = (UINT64_C(1) << (62 - exponent)) - 1;
            bound = (mantissa + part) >> (62 - exponent);
        }
        levels->bounds[k] = bound;
        mantissa = (uint64_t)((wide)mantissa * STEP >> 62);
        if (mantissa >> 63) {
            mantissa >>= 1;
            exponent++;
        }
    }
}

void tk_levels_init(struct tk_levels *levels)
{
    fill_bounds(levels);
    uint32_t cell = 0;
    for (uint32_t i = 0; i < 63 * TK_LEVEL_STEPS; i++) {
        unsigned octave = i / TK_LEVEL_STEPS;
        uint64_t step = TK_LEVEL_STEPS + i % TK_LEVEL_STEPS;
        uint64_t value = octave >= 7 ? step << (octave - 7) : step >> (7 - octave);
        while (levels->bounds[cell + 1] <= value)
            cell++;
        levels->guesses[i] = (uint16_t)cell;
    }
    for (uint32_t i = 63 * TK_LEVEL_STEPS; i < 64 * TK_LEVEL_STEPS; i++)
        levels->guesses[i] = (uint16_t)cell; /* of numbers that there are not */
}

uint64_t tk_levels_centre(uint64_t low, uint64_t high)
{
    wide sum = (wide)low + high;
    return (uint64_t)(((wide)low * high * 2 + sum / 2) / sum);
}

/* How much of fine cell k the numbers [low, high] are, in 1/65536. */
static uint64_t share(const struct tk_levels *levels, uint32_t k, uint64_t low, uint64_t high)
{
    uint64_t begin = levels->bounds[k] > low ? levels->bounds[k] : low;
    uint64_t end = levels->bounds[k + 1] <= high ? levels->bounds[k + 1] : high + 1;
    return (uint64_t)(((wide)(end - begin) << 16) / (levels->bounds[k + 1] - levels->bounds[k]));
}

uint64_t tk_levels_draw(const struct tk_levels *levels, uint64_t low, uint64_t high, uint64_t bits)
{
    assert(low > 0 && low <= high && high < END);
    uint32_t first = tk_levels_find(levels, low);
    uint32_t last = tk_levels_find(levels, high);
    if (first == last)
        return low + tk_draw_below(bits, high - low + 1);
    uint64_t head = share(levels, first, low, high);
    uint64_t tail = share(levels, last, low, high);
    uint64_t at = tk_draw_below(bits, head + tail + ((uint64_t)(last - first - 1) << 16));
    uint32_t k = at < head ? first : first + 1 + (uint32_t)((at - head) >> 16);
    uint64_t begin = levels->bounds[k] > low ? levels->bounds[k] : low;
    uint64_t end = levels->bounds[k + 1] <= high ? levels->bounds[k + 1] : high + 1;
    if (begin >= end) /* no whole number in it: the next below, as clocks cut off */
        return begin - 1 < low ? low : begin - 1;
    return begin + tk_draw_below(tk_draw_round(bits), end - begin);
}
