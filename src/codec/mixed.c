/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/mixed.h"

#include <errno.h>
#include <stdlib.h>

int tk_mixed_init(struct tk_mixed *mixed, unsigned bits, size_t kinds, size_t inputs,
                  struct tk_err *err)
{
    *mixed = (struct tk_mixed){0};
    tk_mix_tables_init(&mixed->tables);
    mixed->weights = calloc(kinds * TK_MIXED_CHUNKS, sizeof(*mixed->weights));
    if (!mixed->weights)
        return tk_fail(err, -ENOMEM, "contexts of the codec: out of memory");
    tk_mix_weights_init(mixed->weights, kinds * TK_MIXED_CHUNKS, inputs);
    return tk_contexts_init(&mixed->contexts, bits, err);
}

void tk_mixed_release(struct tk_mixed *mixed)
{
    tk_contexts_release(&mixed->contexts);
    free(mixed->weights);
    mixed->weights = NULL;
}

/* The buckets of a chunk. */
struct chunk {
    struct tk_mix_weights *weights;
    struct tk_bucket *buckets[TK_MIX_INPUTS];
    size_t count;
};

/* Up to four bits. */
static uint32_t code_chunk(struct tk_coder *coder, const struct tk_mix_tables *tables,
                           const struct chunk *chunk, unsigned bits, uint32_t value)
{
    struct tk_bit *models[TK_MIX_INPUTS];
    uint32_t node = 1;
    for (unsigned i = bits; i-- > 0;) {
        for (size_t k = 0; k < chunk->count; k++)
            models[k] = &chunk->buckets[k]->bits[node];
        bool bit = value >> i & 1;
        bit = tk_code_mixed(coder, tables, chunk->weights, models, chunk->count, bit);
        node = node << 1 | (uint32_t)bit;
    }
    return node - (1U << bits);
}

uint32_t tk_code_mixed_value(struct tk_coder *coder, struct tk_mixed *mixed,
                             const struct tk_mixed_context *context, unsigned bits, uint32_t value)
{
    struct chunk chunk = {.weights = &mixed->weights[context->kind * TK_MIXED_CHUNKS],
                          .count = context->count};
    uint32_t result = 0;
    for (unsigned i = 0, left = bits; left > 0; i++) {
        unsigned n = left % 4 != 0 ? left % 4 : 4;
        left -= n;
        for (size_t k = 0; k < context->count; k++) {
            uint64_t hash = tk_mixed_hash(context->hashes[k], (uint64_t)i << 32 | result);
            chunk.buckets[k] = tk_contexts_find(&mixed->contexts, hash);
        }
        uint32_t part = value >> left & ((1U << n) - 1);
        result = result << n | code_chunk(coder, &mixed->tables, &chunk, n, part);
        chunk.weights += i + 1 < TK_MIXED_CHUNKS;
    }
    return result;
}
