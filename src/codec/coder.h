/* SPDX-License-Identifier: Apache-2.0 */
/* The entropy coder of `.tkz`: binary decisions, each under a probability that both sides learn as
 * they go (docs/format-tkz.md section "Coder"). One function codes and decodes: a layer is written
 * once,
 *
 *     duration = tk_code_exp(coder, model, duration);
 *
 * and that line writes the value when the coder encodes, returns what was written when it decodes
 * (the argument is then ignored), and only sums up what it would take when it measures. So the two
 * sides cannot differ. Everything is integers, and the same on every machine.
 *
 * The coder is the range coder with carry of LZMA (I. Pavlov) with probabilities of 16 bits; the
 * mixer is the logistic mixing of PAQ (M. Mahoney, "Adaptive weighing of context models", 2005).
 * A decoder that runs out of bytes reads zeros and says so in `overrun`: callers check it once per
 * trace. One thread at a time. */
#ifndef TK_CODEC_CODER_H
#define TK_CODEC_CODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

enum tk_coder_mode { TK_CODER_ENCODE = 0, TK_CODER_DECODE, TK_CODER_MEASURE };

struct tk_coder {
    enum tk_coder_mode mode;
    uint32_t range;
    uint64_t low;     /* encoder: below 1 << 33; decoder: the code, below `range` */
    uint8_t cache;    /* encoder: a byte that a carry may still change */
    bool begun;       /* encoder: the first byte, which is always 0, was left out */
    uint32_t overrun; /* decoder: bytes read beyond the end */
    uint64_t pending; /* encoder: bytes held back, `cache` among them */
    size_t min_n;     /* encoder: zeros below are no trailing ones */
    struct tk_buf *out;
    const uint8_t *in, *end;
    uint64_t cost; /* measure: in 1/4096 bit */
};

/* An adaptive probability: a bit of a model. The upper 22 bits are that of a 1, the lower 10 how
 * many decisions it has seen, up to its limit. */
struct tk_bit {
    uint32_t v;
};

#define TK_BIT_NEW ((struct tk_bit){1U << 31})

/* Of a 1, in 1/65536; 1 to 65535. */
static inline uint32_t tk_bit_p(const struct tk_bit *model)
{
    return model->v >> 16 | 1;
}

/* Decisions seen. */
static inline uint32_t tk_bit_n(const struct tk_bit *model)
{
    return model->v & 1023;
}

/* Begin; `out` is borrowed until the end. */
void tk_coder_begin_encode(struct tk_coder *coder, struct tk_buf *out);
void tk_coder_begin_decode(struct tk_coder *coder, tk_str in);
void tk_coder_begin_measure(struct tk_coder *coder);

/* Write what is held back: as few bytes as tell the code apart, and at least one, so that a section
 * that was coded is there. Of a decoder nothing. */
void tk_coder_end(struct tk_coder *coder);

/* Whether the decoder read more than there was (the encoder leaves out some trailing zeros). */
static inline bool tk_coder_is_over(const struct tk_coder *coder)
{
    return coder->overrun > 16;
}

/* Cost of a decision of probability p / 65536, in 1/4096 bit. */
uint32_t tk_coder_cost(uint32_t p);

/* Encoder: write a byte. */
void tk_coder_shift(struct tk_coder *coder);

/* Decoder: read a byte, 0 behind the end. */
static inline void tk_coder_fill(struct tk_coder *coder)
{
    bool is_there = coder->in < coder->end;
    uint32_t byte = is_there ? *coder->in : 0;
    coder->in += is_there;
    coder->overrun += !is_there;
    coder->low = (uint32_t)coder->low << 8 | byte;
    coder->range <<= 8;
}

/* One decision: `p1` is the probability of a 1 in 1/65536, 1 to 65535. */
static inline bool tk_code_decision(struct tk_coder *coder, uint32_t p1, bool bit)
{
    if (coder->mode == TK_CODER_MEASURE) {
        coder->cost += tk_coder_cost(bit ? p1 : 65536 - p1);
        return bit;
    }
    uint32_t bound = (uint32_t)(((uint64_t)coder->range * p1) >> 16);
    if (coder->mode == TK_CODER_ENCODE) {
        uint32_t zero = (uint32_t)bit - 1; /* all ones; no branch, for nobody can foretell it */
        coder->low += bound & zero;
        coder->range = (bound ^ zero) + (coder->range & zero) - zero;
        while (coder->range < 1U << 24) {
            coder->range <<= 8;
            tk_coder_shift(coder);
        }
        return bit;
    }
    bit = coder->low < bound;
    uint32_t zero = (uint32_t)bit - 1;
    coder->low -= bound & zero;
    coder->range = (bound ^ zero) + (coder->range & zero) - zero;
    while (coder->range < 1U << 24)
        tk_coder_fill(coder);
    return bit;
}

/* The share of a new decision after n: 65536 / (n + 1.6). */
extern const uint16_t tk_bit_rates[256];

/* Learn; `limit` (1 to 255) is the memory: 255 for what does not drift, 30 for what does. */
static inline void tk_bit_update(struct tk_bit *model, bool bit, uint32_t limit)
{
    uint32_t n = model->v & 1023;
    uint32_t p = model->v >> 10;
    uint32_t one = 0 - (uint32_t)bit; /* no branch: see above */
    uint32_t left = p ^ (one & ((1U << 22) - 1));
    uint32_t step = (uint32_t)((uint64_t)left * tk_bit_rates[n] >> 16);
    model->v = (p + (step ^ ~one) - ~one) << 10 | (n + (n < limit));
}

/* A decision of one model. */
static inline bool tk_code_bit(struct tk_coder *coder, struct tk_bit *model, bool bit)
{
    bit = tk_code_decision(coder, tk_bit_p(model), bit);
    tk_bit_update(model, bit, 255);
    return bit;
}

/* The lowest `n` bits (0 to 32) of a value as they are. */
uint32_t tk_code_raw(struct tk_coder *coder, uint32_t value, unsigned n);

/* A value below `n` (1 or more), each as likely as any other. */
uint64_t tk_code_even(struct tk_coder *coder, uint64_t value, uint64_t n);

/* A value below 1 << n by a tree of 1 << n models (the first is not used): all TK_BIT_NEW at
 * first. */
static inline uint32_t tk_code_tree(struct tk_coder *coder, struct tk_bit *models, unsigned n,
                                    uint32_t value)
{
    uint32_t node = 1;
    for (unsigned i = n; i-- > 0;)
        node = node << 1 | (uint32_t)tk_code_bit(coder, &models[node], value >> i & 1);
    return node - (1U << n);
}

/* A number of any size: its length in bits by models, the two bits below the first one by models,
 * the rest as it is. */
struct tk_exp_models {
    struct tk_bit length[128]; /* a tree of 7 */
    struct tk_bit top[65][4];
};
void tk_exp_models_init(struct tk_exp_models *models);
uint64_t tk_code_exp(struct tk_coder *coder, struct tk_exp_models *models, uint64_t value);

/* All TK_BIT_NEW. */
void tk_bits_init(struct tk_bit *bits, size_t count);

#endif
