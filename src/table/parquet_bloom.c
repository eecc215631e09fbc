/* SPDX-License-Identifier: Apache-2.0 */
/* Split-block Bloom filters (BloomFilter.md of parquet-format): blocks of 256 bits, eight words of
 * which each has one bit of a value set; XXH64 of the value as PLAIN stores it, without a length.
 *
 * Written for STRING and INT64 only: DuckDB up to 1.5.6 loses rows when a BLOB has a filter (its
 * issues 23053, 24994). */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdlib.h>

#include "table/parquet_internal.h"

#define WORDS          8
#define BLOCK_BYTES    TK_BLOOM_BLOCK
#define BITS_PER_VALUE 10.5 /* one wrong "maybe" in a hundred */
#define BLOOM_MAX      (1U << 20)

static const uint32_t salts[WORDS] = {0x47b6137bU, 0x44974d91U, 0x8824ad5bU, 0xa2b7289dU,
                                      0x705495c7U, 0x2df1424bU, 0x9efc4947U, 0x5c6bfb31U};

bool tk_bloom_ok(const struct tk_parquet_node *node)
{
    return !node->bloom || node->type == TK_PARQUET_I64 ||
           (node->type == TK_PARQUET_BYTES && node->logical == TK_PARQUET_STRING);
}

uint64_t tk_bloom_hash(tk_str value)
{
    return XXH64(value.p ? value.p : "", value.n, 0);
}

/* The block of a hash, and which bit of its word `i`. */
static size_t block_of(uint64_t hash, size_t blocks)
{
    return (size_t)(((hash >> 32) * blocks) >> 32);
}

static uint32_t bit_of(uint64_t hash, size_t i)
{
    return 1U << (((uint32_t)hash * salts[i]) >> 27);
}

void tk_bloom_add_values(struct tk_buf *hashes, const struct tk_parquet_values *values)
{
    const char *p = values->fixed ? values->fixed : values->text;
    uint64_t before = 0;
    for (size_t i = 0; i < values->n; i++) {
        size_t n = values->fixed ? sizeof(int64_t) : values->lengths[i];
        uint64_t hash = tk_bloom_hash((tk_str){p, n});
        p += n;
        if (i == 0 || hash != before)
            tk_buf_put(hashes, (tk_str){(const char *)&hash, sizeof(hash)});
        before = hash;
    }
}

size_t tk_bloom_put(const struct tk_buf *hashes, struct tk_buf *out)
{
    const uint64_t *hash = (const uint64_t *)(const void *)hashes->p;
    size_t n = hashes->n / sizeof(*hash);
    size_t at = out->n;
    size_t bytes = BLOCK_BYTES;
    while (bytes < BLOOM_MAX && (double)bytes * 8 < (double)n * BITS_PER_VALUE)
        bytes *= 2;
    uint32_t *words = calloc(bytes, 1);
    if (!words || n == 0) {
        free(words);
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t *block = words + block_of(hash[i], bytes / BLOCK_BYTES) * WORDS;
        for (size_t w = 0; w < WORDS; w++)
            block[w] |= bit_of(hash[i], w);
    }
    struct tk_parquet_bloom_header header = {
        .set = 1U << 1 | 1U << 2 | 1U << 3 | 1U << 4,
        .num_bytes = (int32_t)bytes,
        .algorithm = {.set = 1U << 1},
        .hash = {.set = 1U << 1},
        .compression = {.set = 1U << 1},
    };
    tk_thrift_encode(&tk_parquet_spec_bloom_header, &header, out);
    tk_buf_put(out, (tk_str){(const char *)words, bytes});
    free(words);
    return out->n - at;
}

size_t tk_bloom_block(size_t n, uint64_t hash)
{
    return block_of(hash, n / BLOCK_BYTES) * BLOCK_BYTES;
}

bool tk_bloom_block_has(const char *bytes, uint64_t hash)
{
    uint32_t block[WORDS];
    memcpy(block, bytes, sizeof(block));
    for (size_t w = 0; w < WORDS; w++) {
        if (!(block[w] & bit_of(hash, w)))
            return false;
    }
    return true;
}

bool tk_bloom_has(tk_str bits, uint64_t hash)
{
    return tk_bloom_block_has(bits.p + tk_bloom_block(bits.n, hash), hash);
}
