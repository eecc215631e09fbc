/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers of the decoder: a function of a key, so that a trace decodes alike alone or with
 * all others, on any machine and thread (trace-compression.md section 5.2). The function is fixed
 * by docs/format-tkz.md: two rounds of the finaliser of MurmurHash3. Safe from any thread. */
#ifndef TK_CODEC_DRAW_H
#define TK_CODEC_DRAW_H

#include <stdint.h>
#include <string.h>

/* What a draw is for: the last part of its key. */
enum tk_draw_field {
    TK_DRAW_TRACE_ID = 1, /* and 2: the second half */
    TK_DRAW_SPAN_ID = 3,
    TK_DRAW_START = 4,
    TK_DRAW_GAP = 5,
    TK_DRAW_DURATION = 6,
    TK_DRAW_SLOWNESS = 7,
    TK_DRAW_SHAPE = 8,
    TK_DRAW_KEEP = 9,   /* encoder: which traces are kept whole */
    TK_DRAW_EDGE = 10,  /* of a span, from tables */
    TK_DRAW_TOKEN = 15, /* of a block: the node is the number of the token */
    TK_DRAW_ATTR = 16,  /* + the key's number */
};

/* The finaliser of MurmurHash3. */
static inline uint64_t tk_draw_round(uint64_t x)
{
    x = (x ^ (x >> 33)) * 0xFF51AFD7ED558CCDULL;
    x = (x ^ (x >> 33)) * 0xC4CEB9FE1A85EC53ULL;
    return x ^ (x >> 33);
}

/* The key of a block: `seed` of the file, `block` its number there. */
static inline uint64_t tk_draw_block(uint64_t seed, uint64_t block)
{
    return tk_draw_round(seed + 0x9E3779B97F4A7C15ULL * (block + 1));
}

/* 64 random bits for a field of a node of a trace of the block. */
static inline uint64_t tk_draw(uint64_t block_key, uint32_t trace, uint32_t node, uint32_t field)
{
    uint64_t x = tk_draw_round(block_key ^ ((uint64_t)trace << 32 | node));
    return tk_draw_round(x + 0x9E3779B97F4A7C15ULL * field);
}

/* The id of a trace of a block that has no ids. */
static inline void tk_draw_trace_id(uint64_t block_key, uint32_t trace, uint8_t ret_id[16])
{
    const uint64_t halves[2] = {tk_draw(block_key, trace, 0, TK_DRAW_TRACE_ID),
                                tk_draw(block_key, trace, 0, TK_DRAW_TRACE_ID + 1) | 1};
    memcpy(ret_id, halves, sizeof(halves));
}

/* A number in [0, n) from random bits; n > 0. */
static inline uint64_t tk_draw_below(uint64_t bits, uint64_t n)
{
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)((wide)bits * n >> 64);
}

#endif
