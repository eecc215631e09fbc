/* SPDX-License-Identifier: Apache-2.0 */
/* Values to bytes (Encodings.md of parquet-format). Machines of the other byte order are not
 * supported: numbers are copied as they lie in memory. */
#include <string.h>

#include "table/parquet_internal.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "Parquet stores little-endian numbers");

/* A bit each, least significant first. */
static void put_bools(struct tk_buf *out, const struct tk_parquet_values *values)
{
    size_t bytes = (values->n + 7) / 8;
    char *to = tk_buf_reserve(out, bytes);
    if (!to)
        return;
    memset(to, 0, bytes);
    for (size_t i = 0; i < values->n; i++)
        to[i / 8] = (char)(to[i / 8] | (values->fixed[i] != 0) << i % 8);
    out->n += bytes;
}

/* Each text after its length in four bytes. */
static void put_texts(struct tk_buf *out, const struct tk_parquet_values *values)
{
    const char *from = values->text;
    char *to = tk_buf_reserve(out, values->n * sizeof(uint32_t) + values->text_bytes);
    if (!to)
        return;
    for (size_t i = 0; i < values->n; i++) {
        uint32_t n = values->lengths[i];
        memcpy(to, &n, sizeof(n));
        if (n > 0)
            memcpy(to + sizeof(n), from, n);
        to += sizeof(n) + n;
        from += n;
    }
    out->n += values->n * sizeof(uint32_t) + values->text_bytes;
}

static void put_plain(struct tk_buf *out, const struct tk_parquet_node *node,
                      const struct tk_parquet_values *values)
{
    if (node->type == TK_PARQUET_BOOL) {
        put_bools(out, values);
    } else if (node->type == TK_PARQUET_BYTES) {
        put_texts(out, values);
    } else {
        tk_buf_put(out, (tk_str){values->fixed, values->n * tk_parquet_width(node)});
    }
}

/* Four bytes of length and the hybrid. */
static void put_rle(struct tk_buf *out, const struct tk_parquet_node *node,
                    const struct tk_parquet_values *values)
{
    (void)node;
    tk_parquet_put_levels(out, (const uint8_t *)values->fixed, values->n, 1);
}

static void put_delta(struct tk_buf *out, const struct tk_parquet_node *node,
                      const struct tk_parquet_values *values)
{
    const void *numbers = values->fixed;
    if (node->type == TK_PARQUET_I32) {
        tk_delta_put_i32(out, numbers, values->n);
    } else {
        tk_delta_put_i64(out, numbers, values->n);
    }
}

/* All lengths, then all texts. */
static void put_delta_length(struct tk_buf *out, const struct tk_parquet_node *node,
                             const struct tk_parquet_values *values)
{
    (void)node;
    tk_delta_put_i32(out, (const int32_t *)values->lengths, values->n);
    tk_buf_put(out, (tk_str){values->text, values->text_bytes});
}

/* All first bytes, all second bytes, ...; `width` is constant where this is inlined. */
static inline void put_streams(char *to, const char *from, size_t n, size_t width)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t byte = 0; byte < width; byte++)
            to[byte * n + i] = from[i * width + byte];
    }
}

static void put_split(struct tk_buf *out, const struct tk_parquet_node *node,
                      const struct tk_parquet_values *values)
{
    size_t width = tk_parquet_width(node);
    char *to = tk_buf_reserve(out, values->n * width);
    if (!to)
        return;
    if (width == 4) {
        put_streams(to, values->fixed, values->n, 4);
    } else {
        put_streams(to, values->fixed, values->n, 8);
    }
    out->n += values->n * width;
}

#define ALL      0xFFU
#define BOOLS    (1U << TK_PARQUET_BOOL)
#define INTEGERS (1U << TK_PARQUET_I32 | 1U << TK_PARQUET_I64)
#define FLOATS   (1U << TK_PARQUET_F32 | 1U << TK_PARQUET_F64)
#define BYTES    (1U << TK_PARQUET_BYTES)

const struct tk_parquet_coding tk_parquet_codings[] = {
    {TK_PARQUET_ENC_PLAIN, TK_PARQUET_ENCODE_PLAIN, ALL, put_plain},
    {TK_PARQUET_ENC_RLE, TK_PARQUET_ENCODE_RLE, BOOLS, put_rle},
    {TK_PARQUET_ENC_DELTA_BINARY_PACKED, TK_PARQUET_ENCODE_DELTA, INTEGERS, put_delta},
    {TK_PARQUET_ENC_DELTA_LENGTH_BYTE_ARRAY, TK_PARQUET_ENCODE_DELTA, BYTES, put_delta_length},
    {TK_PARQUET_ENC_BYTE_STREAM_SPLIT, TK_PARQUET_ENCODE_SPLIT, FLOATS, put_split},
    {0},
};

bool tk_parquet_encoding_ok(const struct tk_parquet_node *node, bool classic)
{
    if (node->encoding == TK_PARQUET_ENCODE_AUTO)
        return true;
    if (node->encoding == TK_PARQUET_ENCODE_DICTIONARY)
        return node->type != TK_PARQUET_BOOL;
    for (const struct tk_parquet_coding *coding = tk_parquet_codings; coding->put; coding++) {
        if (coding->choice == node->encoding && (coding->types >> node->type & 1))
            return !classic || coding->encoding == TK_PARQUET_ENC_PLAIN;
    }
    return false;
}
