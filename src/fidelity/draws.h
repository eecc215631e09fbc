/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers that a seed gives again: counter-based, so that a draw does not depend on those
 * before it. Pure functions. */
#ifndef TK_FIDELITY_DRAWS_H
#define TK_FIDELITY_DRAWS_H

#include <stdint.h>

#include "base/hash.h"
#include "span/trace_id.h"

/* The draw number `i` of a seed: all bits random. */
static inline uint64_t tk_draw_bits(uint64_t seed, uint64_t i)
{
    return tk_hash_mix(tk_hash_mix(seed, 0x6A09E667F3BCC908ULL), i);
}

/* From 0 up to, not including, 1. */
static inline double tk_draw_unit(uint64_t seed, uint64_t i)
{
    return (double)(tk_draw_bits(seed, i) >> 11) * 0x1p-53;
}

/* From 0 to n - 1; n is 1 or more. */
static inline uint64_t tk_draw_index(uint64_t seed, uint64_t i, uint64_t n)
{
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)((wide)tk_draw_bits(seed, i) * n >> 64);
}

/* The draw of a trace: the same in whatever set it stands. */
static inline double tk_draw_trace(uint64_t seed, const uint8_t id[16])
{
    return tk_draw_unit(seed, tk_trace_id_hash(id));
}

#endif
