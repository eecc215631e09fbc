/* SPDX-License-Identifier: Apache-2.0 */
/* Values under several contexts at once, for layers whose values are few and dear: a value goes
 * nibble by nibble, each bit mixed (mix.h) of what it was in all contexts. 0.3 us for a nibble of
 * six contexts. One thread at a time. */
#ifndef TK_CODEC_MIXED_H
#define TK_CODEC_MIXED_H

#include "codec/draw.h"
#include "codec/mix.h"

#define TK_MIXED_CHUNKS 8 /* nibbles of a value that have weights of their own */

struct tk_mixed {
    struct tk_mix_tables tables;
    struct tk_contexts contexts;
    struct tk_mix_weights *weights; /* [kinds][TK_MIXED_CHUNKS] owned */
};

/* How many bits of contexts so many values are worth: the fewest from `least` to `most` that make
 * eight contexts a value. A small block takes little memory, and little time to clear it. */
static inline unsigned tk_mixed_bits(size_t values, unsigned least, unsigned most)
{
    while (least < most && (size_t)1 << least < 8 * values)
        least++;
    return least;
}

/* 1 << `bits` contexts (4 to 22) for values of so many kinds, each with up to `inputs` contexts.
 * -ENOMEM; release it also after a failure. */
TK_MUST_USE int tk_mixed_init(struct tk_mixed *mixed, unsigned bits, size_t kinds, size_t inputs,
                              struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_mixed_release(struct tk_mixed *mixed);

/* The hash of a context so far, and what comes to it. Begin with the number of the context, which
 * no other has. */
static inline uint64_t tk_mixed_hash(uint64_t hash, uint64_t value)
{
    return tk_draw_round(hash * 0x9E3779B97F4A7C15ULL + value + 1);
}

/* What a value is coded in. */
struct tk_mixed_context {
    size_t kind;  /* of value: its weights */
    size_t count; /* 1 to TK_MIX_INPUTS */
    uint64_t hashes[TK_MIX_INPUTS];
};

/* The lowest `bits` bits (0 to 32) of a value, highest first. The first chunk has bits % 4 bits
 * where that is not 0, others four. */
uint32_t tk_code_mixed_value(struct tk_coder *coder, struct tk_mixed *mixed,
                             const struct tk_mixed_context *context, unsigned bits, uint32_t value);

#endif
