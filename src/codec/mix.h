/* SPDX-License-Identifier: Apache-2.0 */
/* Several models of one decision, mixed: each model's probability as a logit, weighed by how much
 * it has seen, summed under weights that learn which model is right (logistic mixing, M. Mahoney,
 * "Adaptive weighing of context models", 2005). And contexts: buckets of fifteen models, one nibble
 * each, found by hash, as in lpaq. Integers only. One thread at a time. */
#ifndef TK_CODEC_MIX_H
#define TK_CODEC_MIX_H

#include "codec/coder.h"

#define TK_MIX_INPUTS 8

/* Logits in 1/256, from -2047 to 2047; made once, the same everywhere. */
struct tk_mix_tables {
    uint16_t squash[4096]; /* [logit + 2048] to probability in 1/65536 */
    int16_t stretch[4096]; /* [probability / 16] to logit */
    uint16_t trust[256];   /* [decisions seen] in 1/256 */
};
void tk_mix_tables_init(struct tk_mix_tables *tables);

/* Weights of one set, in 1/65536. */
struct tk_mix_weights {
    int32_t w[TK_MIX_INPUTS];
};
void tk_mix_weights_init(struct tk_mix_weights *sets, size_t count, size_t inputs);

/* A decision by `n` models, 1 to TK_MIX_INPUTS; all learn, with memory `limit`. */
static inline bool tk_code_mixed(struct tk_coder *coder, const struct tk_mix_tables *tables,
                                 struct tk_mix_weights *weights, struct tk_bit *const *models,
                                 size_t n, bool bit)
{
    int32_t logits[TK_MIX_INPUTS] = {0};
    int64_t sum = 0;
    TK_UNROLL
    for (size_t i = 0; i < n; i++) {
        uint32_t seen = tk_bit_n(models[i]);
        logits[i] = tables->stretch[tk_bit_p(models[i]) >> 4] * tables->trust[seen] / 256;
        sum += (int64_t)logits[i] * weights->w[i];
    }
    int64_t logit = sum / 65536;
    logit = logit > 2047 ? 2047 : logit < -2047 ? -2047 : logit;
    uint32_t p = tables->squash[logit + 2048];
    bit = tk_code_decision(coder, p, bit);
    int32_t miss = 65535 * (int32_t)bit - (int32_t)p;
    TK_UNROLL
    for (size_t i = 0; i < n; i++) {
        weights->w[i] += logits[i] * miss * 6 / (1 << 19);
        tk_bit_update(models[i], bit, 255);
    }
    return bit;
}

/* Zeroed memory for a table that is read here and there, in whole lines of the cache; in large
 * pages where it fills some, because every read would else look its page up: that was a third of
 * the time. What is never read of a table takes no memory. NULL without memory. */
void *tk_mix_table_alloc(size_t bytes);

/* Accepts NULL; `bytes` as it was asked for. */
void tk_mix_table_free(void *table, size_t bytes);

/* A bucket: the models of a nibble in one context; [0] is its check. 64 bytes. */
struct tk_bucket {
    struct tk_bit bits[16];
};

/* Buckets by hash, never grown: the less used of two makes room. */
struct tk_contexts {
    struct tk_bucket *buckets; /* owned */
    uint32_t mask;
};

/* 1 << `bits` buckets (4 to 22), of 64 bytes each. -ENOMEM. */
TK_MUST_USE int tk_contexts_init(struct tk_contexts *contexts, unsigned bits, struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_contexts_release(struct tk_contexts *contexts);

/* Fetch the bucket of a context that will be asked for. */
static inline void tk_contexts_fetch(const struct tk_contexts *contexts, uint64_t hash)
{
    __builtin_prefetch(&contexts->buckets[(uint32_t)hash & contexts->mask], 1);
}

/* The bucket of a context, new when it is not there. Valid until the next call that may replace it:
 * ask for all inputs of a nibble first; two contexts of one nibble hardly ever share one. */
struct tk_bucket *tk_contexts_find(struct tk_contexts *contexts, uint64_t hash);

#endif
