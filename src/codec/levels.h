/* SPDX-License-Identifier: Apache-2.0 */
/* Levels of positive numbers (trace-compression.md section 10.2, docs/format-tkz.md): cells on a
 * logarithmic scale, each a set of whole numbers, halved by every plane.
 *
 *     base   58 cells, of the ratio 1.1^8 = 2.144       a number within +-57 %
 *     plane 0 to 6 halve it: 23, 10.5, 5.0, 2.4, 1.2, 0.60, 0.30 %
 *
 * A cell of depth d (0 = base, 1 = plane 0 known, ..., 7) is numbered by its place on that scale; a
 * cell of depth 7 is a fine cell, and cell c of depth d the fine cells [c << (7 - d),
 * (c + 1) << (7 - d)). Where the cell ends all follow from one table of whole numbers. Safe from
 * any thread once made. */
#ifndef TK_CODEC_LEVELS_H
#define TK_CODEC_LEVELS_H

#include <stdbool.h>
#include <stdint.h>

#define TK_LEVEL_DEPTH 7                                  /* of fine cells */
#define TK_LEVEL_BASES 58                                 /* cells of depth 0 */
#define TK_LEVEL_FINE  (TK_LEVEL_BASES << TK_LEVEL_DEPTH) /* cells of depth 7 */

/* Steps of an octave from which the search for a cell begins. */
#define TK_LEVEL_STEPS 128

struct tk_levels {
    /* Fine cell k holds the whole numbers in [bounds[k], bounds[k + 1]): those from 1.1^(k / 16)
     * on, rounded up; 1 << 63 where they end. */
    uint64_t bounds[TK_LEVEL_FINE + 1];
    uint16_t guesses[64 * TK_LEVEL_STEPS];
};
void tk_levels_init(struct tk_levels *levels);

/* The fine cell of a number, 1 to INT64_MAX. */
static inline uint32_t tk_levels_find(const struct tk_levels *levels, uint64_t value)
{
    unsigned octave = 63 - (unsigned)__builtin_clzll(value);
    uint64_t step = octave >= 7 ? value >> (octave - 7) : value << (7 - octave);
    uint32_t cell = levels->guesses[octave << 7 | (step & (TK_LEVEL_STEPS - 1))];
    while (levels->bounds[cell + 1] <= value)
        cell++;
    return cell;
}

/* The least number of a cell; of the cell behind it, where it ends. */
static inline uint64_t tk_levels_low(const struct tk_levels *levels, unsigned depth, uint32_t cell)
{
    return levels->bounds[cell << (TK_LEVEL_DEPTH - depth)];
}

/* Whether the two halves of a cell of depth 0 to 6 both hold a number; if only one does,
 * `*ret_half` is that one (0 or 1), and no plane has a bit for it. */
static inline bool tk_levels_splits(const struct tk_levels *levels, unsigned depth, uint32_t cell,
                                    uint32_t *ret_half)
{
    uint64_t middle = tk_levels_low(levels, depth + 1, 2 * cell + 1);
    *ret_half = middle == tk_levels_low(levels, depth, cell);
    return *ret_half == 0 && middle < tk_levels_low(levels, depth, cell + 1);
}

/* The number in [low, high] whose greatest relative error is least; 1 <= low <= high. */
uint64_t tk_levels_centre(uint64_t low, uint64_t high);

/* A number in [low, high], 1 <= low <= high <= INT64_MAX, by 64 random bits: evenly on the
 * logarithmic scale, which is to say evenly over fine cells and evenly in each. */
uint64_t tk_levels_draw(const struct tk_levels *levels, uint64_t low, uint64_t high, uint64_t bits);

#endif
