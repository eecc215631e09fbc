/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/coder.h"

#include <assert.h>

const uint16_t tk_bit_rates[256] = {
    40960, 25206, 18204, 14246, 11702, 9929, 8623, 7620, 6826, 6182, 5649, 5201, 4818, 4488, 4201,
    3947,  3723,  3523,  3343,  3181,  3034, 2899, 2776, 2664, 2560, 2463, 2374, 2291, 2214, 2141,
    2073,  2010,  1950,  1894,  1840,  1790, 1742, 1697, 1654, 1614, 1575, 1538, 1503, 1469, 1437,
    1406,  1376,  1348,  1321,  1295,  1270, 1245, 1222, 1200, 1178, 1157, 1137, 1118, 1099, 1081,
    1063,  1046,  1030,  1014,  999,   984,  969,  955,  941,  928,  915,  902,  890,  878,  866,
    855,   844,   833,   823,   813,   803,  793,  783,  774,  765,  756,  748,  739,  731,  723,
    715,   707,   700,   692,   685,   678,  671,  664,  657,  651,  645,  638,  632,  626,  620,
    614,   609,   603,   597,   592,   587,  582,  576,  571,  566,  562,  557,  552,  547,  543,
    538,   534,   530,   525,   521,   517,  513,  509,  505,  501,  497,  494,  490,  486,  483,
    479,   476,   472,   469,   466,   462,  459,  456,  453,  450,  447,  444,  441,  438,  435,
    432,   429,   426,   423,   421,   418,  415,  413,  410,  408,  405,  403,  400,  398,  395,
    393,   391,   388,   386,   384,   381,  379,  377,  375,  373,  371,  369,  366,  364,  362,
    360,   358,   356,   355,   353,   351,  349,  347,  345,  343,  342,  340,  338,  336,  335,
    333,   331,   329,   328,   326,   325,  323,  321,  320,  318,  317,  315,  314,  312,  311,
    309,   308,   306,   305,   303,   302,  301,  299,  298,  297,  295,  294,  293,  291,  290,
    289,   287,   286,   285,   284,   282,  281,  280,  279,  278,  276,  275,  274,  273,  272,
    271,   270,   269,   267,   266,   265,  264,  263,  262,  261,  260,  259,  258,  257,  256,
    255,
};

void tk_coder_begin_encode(struct tk_coder *coder, struct tk_buf *out)
{
    *coder = (struct tk_coder){
        .mode = TK_CODER_ENCODE, .range = UINT32_MAX, .pending = 1, .min_n = out->n, .out = out};
}

void tk_coder_begin_decode(struct tk_coder *coder, tk_str in)
{
    *coder = (struct tk_coder){.mode = TK_CODER_DECODE,
                               .range = UINT32_MAX,
                               .in = (const uint8_t *)in.p,
                               .end = (const uint8_t *)in.p + in.n};
    for (int i = 0; i < 4; i++) {
        coder->low = coder->low << 8 | (coder->in < coder->end ? *coder->in++ : 0);
    }
}

void tk_coder_begin_measure(struct tk_coder *coder)
{
    *coder = (struct tk_coder){.mode = TK_CODER_MEASURE};
}

void tk_coder_shift(struct tk_coder *coder)
{
    if (coder->low < 0xFF000000U || coder->low >> 32) {
        uint8_t carry = (uint8_t)(coder->low >> 32);
        uint8_t byte = coder->cache;
        for (; coder->pending > 0; coder->pending--) {
            if (coder->begun)
                tk_buf_putc(coder->out, (char)(uint8_t)(byte + carry));
            coder->begun = true;
            byte = 0xFF;
        }
        coder->cache = (uint8_t)(coder->low >> 24);
    }
    coder->pending++;
    coder->low = (coder->low & 0x00FFFFFF) << 8;
}

/* Of all numbers in [low, low + range) the one with most zeros at its end tells the code apart as
 * well; and zeros at the end are what a decoder reads where nothing is left. */
void tk_coder_end(struct tk_coder *coder)
{
    if (coder->mode != TK_CODER_ENCODE)
        return;
    uint64_t best = coder->low;
    for (unsigned bits = 8; bits <= 24; bits += 8) {
        uint64_t mask = (UINT64_C(1) << bits) - 1;
        uint64_t rounded = (coder->low + mask) & ~mask;
        if (rounded < coder->low + coder->range)
            best = rounded;
    }
    coder->low = best;
    for (int i = 0; i < 5; i++)
        tk_coder_shift(coder);
    struct tk_buf *out = coder->out;
    size_t most = 4;
    while (most-- > 0 && out->n > coder->min_n + 1 && out->p[out->n - 1] == 0)
        out->n--;
}

/* log2 by squaring: 12 bits behind the point. */
uint32_t tk_coder_cost(uint32_t p)
{
    assert(p > 0 && p < 65536);
    uint32_t whole = (uint32_t)__builtin_clz(p) - 15;
    uint64_t x = (uint64_t)p << (whole + 15); /* in [1 << 31, 1 << 32) */
    uint32_t part = 0;
    for (int i = 0; i < 12; i++) {
        x = x * x >> 31;
        part <<= 1;
        if (x >> 32) {
            part |= 1;
            x >>= 1;
        }
    }
    return (whole << 12) - part;
}

/* A value below `n`, at most 1 << 16, so that the range stays above 1 << 8. */
static uint32_t code_even(struct tk_coder *coder, uint32_t value, uint32_t n)
{
    coder->range /= n;
    if (coder->mode == TK_CODER_ENCODE) {
        coder->low += (uint64_t)value * coder->range;
    } else {
        uint64_t read = coder->low / coder->range;
        value = read < n ? (uint32_t)read : n - 1; /* more than that only if damaged */
        coder->low -= (uint64_t)value * coder->range;
    }
    while (coder->range < 1U << 24) {
        if (coder->mode == TK_CODER_ENCODE) {
            coder->range <<= 8;
            tk_coder_shift(coder);
        } else {
            tk_coder_fill(coder);
        }
    }
    return value;
}

uint32_t tk_code_raw(struct tk_coder *coder, uint32_t value, unsigned n)
{
    uint32_t result = 0;
    if (coder->mode == TK_CODER_MEASURE) {
        coder->cost += (uint64_t)n << 12;
        return value;
    }
    while (n > 0) {
        unsigned some = n < 16 ? n : 16;
        n -= some;
        result = result << some | code_even(coder, value >> n & ((1U << some) - 1), 1U << some);
    }
    return result;
}

/* The upper 16 bits evenly, the others as they are: the last share is cut, which costs less than
 * 1/20000 bit. */
uint64_t tk_code_even(struct tk_coder *coder, uint64_t value, uint64_t n)
{
    unsigned bits = n > 1 ? 64 - (unsigned)__builtin_clzll(n - 1) : 0;
    unsigned below = bits > 16 ? bits - 16 : 0;
    uint32_t shares = (uint32_t)((n - 1) >> below) + 1;
    uint64_t result = value >> below;
    if (coder->mode == TK_CODER_MEASURE) {
        coder->cost += (uint64_t)below << 12;
        coder->cost += 65536 - (shares < 65536 ? tk_coder_cost(shares) : 0);
        return value;
    }
    if (shares > 1)
        result = code_even(coder, (uint32_t)result, shares);
    for (; below > 0;) {
        unsigned some = below < 32 ? below : 32;
        below -= some;
        result = result << some | tk_code_raw(coder, (uint32_t)(value >> below), some);
    }
    return result < n ? result : n - 1;
}

void tk_bits_init(struct tk_bit *bits, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bits[i] = TK_BIT_NEW;
}

void tk_exp_models_init(struct tk_exp_models *models)
{
    tk_bits_init(models->length, TK_COUNTOF(models->length));
    tk_bits_init(&models->top[0][0], sizeof(models->top) / sizeof(models->top[0][0]));
}

uint64_t tk_code_exp(struct tk_coder *coder, struct tk_exp_models *models, uint64_t value)
{
    unsigned bits = value > 0 ? 64 - (unsigned)__builtin_clzll(value) : 0;
    bits = tk_code_tree(coder, models->length, 7, bits);
    if (bits > 64)
        bits = 64; /* of a damaged stream */
    if (bits < 2)
        return bits;
    uint64_t result = 1;
    unsigned left = bits - 1;
    unsigned modelled = left < 2 ? left : 2;
    uint32_t top = (uint32_t)(value >> (left - modelled)) & ((1U << modelled) - 1);
    result = result << modelled | tk_code_tree(coder, models->top[bits], modelled, top);
    for (left -= modelled; left > 0;) {
        unsigned n = left < 32 ? left : 32;
        left -= n;
        result = result << n | tk_code_raw(coder, (uint32_t)(value >> left), n);
    }
    return result;
}
