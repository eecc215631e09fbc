/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to values (Encodings.md of parquet-format), for each encoding how a page begins and how the
 * next values come. Values have the form that struct tk_parquet_entries tells; texts are views of
 * the page, of the dictionary, or of decoder->text. */
#include <errno.h>
#include <stdlib.h>

#include "table/parquet_internal.h"

#define TEXT_MAX ((size_t)256 << 20) /* of texts that DELTA_BYTE_ARRAY puts together at once */

struct tk_parquet_decoding {
    int32_t encoding;
    uint32_t types; /* bit t: it may hold that type */
    bool (*start)(struct tk_parquet_decoder *decoder);
    bool (*take)(struct tk_parquet_decoder *decoder, size_t n, void *to);
};

void tk_parquet_decoder_init(struct tk_parquet_decoder *decoder)
{
    *decoder = (struct tk_parquet_decoder){0};
    tk_buf_init(&decoder->text, TEXT_MAX);
    tk_buf_init(&decoder->before, TEXT_MAX);
    tk_buf_init(&decoder->scratch, TEXT_MAX);
}

void tk_parquet_decoder_begin(struct tk_parquet_decoder *decoder,
                              const struct tk_parquet_node *node)
{
    *decoder = (struct tk_parquet_decoder){.node = node,
                                           .text = decoder->text,
                                           .before = decoder->before,
                                           .scratch = decoder->scratch};
}

void tk_parquet_decoder_release(struct tk_parquet_decoder *decoder)
{
    tk_buf_release(&decoder->text);
    tk_buf_release(&decoder->before);
    tk_buf_release(&decoder->scratch);
}

static bool is_text(const struct tk_parquet_node *node)
{
    return node->type == TK_PARQUET_BYTES || node->type == TK_PARQUET_FIXED ||
           node->type == TK_PARQUET_I96;
}

size_t tk_parquet_memory_width(const struct tk_parquet_node *node)
{
    return is_text(node) ? sizeof(tk_str) : tk_parquet_width(node);
}

static bool take_bytes(struct tk_parquet_decoder *decoder, size_t n, tk_str *ret)
{
    if (n > decoder->data.n)
        return false;
    *ret = (tk_str){decoder->data.p, n};
    decoder->data = (tk_str){decoder->data.p + n, decoder->data.n - n};
    return true;
}

/* Room for `n` numbers of 32 bits; NULL when there is none. */
static uint32_t *scratch(struct tk_parquet_decoder *decoder, size_t n)
{
    tk_buf_reset(&decoder->scratch);
    return (uint32_t *)(void *)tk_buf_reserve(&decoder->scratch, n * sizeof(uint32_t));
}

/* PLAIN -------------------------------------------------------------------------------------- */

static bool take_plain_bools(struct tk_parquet_decoder *decoder, size_t n, bool *to)
{
    if (n > decoder->data.n * 8 - decoder->taken)
        return false;
    for (size_t i = 0; i < n; i++, decoder->taken++)
        to[i] = ((uint8_t)decoder->data.p[decoder->taken / 8] >> decoder->taken % 8 & 1) != 0;
    return true;
}

static bool take_plain_bytes(struct tk_parquet_decoder *decoder, size_t n, tk_str *to)
{
    for (size_t i = 0; i < n; i++) {
        tk_str head;
        uint32_t length;
        if (!take_bytes(decoder, sizeof(length), &head))
            return false;
        memcpy(&length, head.p, sizeof(length));
        if (!take_bytes(decoder, length, &to[i]))
            return false;
    }
    return true;
}

static bool take_plain(struct tk_parquet_decoder *decoder, size_t n, void *to)
{
    size_t width = tk_parquet_width(decoder->node);
    tk_str bytes;
    if (decoder->node->type == TK_PARQUET_BOOL)
        return take_plain_bools(decoder, n, to);
    if (decoder->node->type == TK_PARQUET_BYTES)
        return take_plain_bytes(decoder, n, to);
    if (n > decoder->data.n / width || !take_bytes(decoder, n * width, &bytes))
        return false;
    if (!is_text(decoder->node)) {
        memcpy(to, bytes.p, bytes.n);
        return true;
    }
    for (size_t i = 0; i < n; i++)
        ((tk_str *)to)[i] = (tk_str){bytes.p + i * width, width};
    return true;
}

static bool start_plain(struct tk_parquet_decoder *decoder)
{
    decoder->taken = 0;
    return true;
}

/* RLE of BOOL: four bytes of length and the hybrid -------------------------------------------- */

static bool start_rle(struct tk_parquet_decoder *decoder)
{
    tk_str head;
    uint32_t length;
    if (!take_bytes(decoder, sizeof(length), &head))
        return false;
    memcpy(&length, head.p, sizeof(length));
    if (length > decoder->data.n)
        return false;
    tk_hybrid_init(&decoder->hybrid, (tk_str){decoder->data.p, length}, 1);
    return true;
}

static bool take_rle(struct tk_parquet_decoder *decoder, size_t n, void *to)
{
    return tk_hybrid_take_u8(&decoder->hybrid, to, n, 1);
}

/* RLE_DICTIONARY: a byte of width and the hybrid of indices ------------------------------------ */

static bool start_dictionary(struct tk_parquet_decoder *decoder)
{
    /* A page of nulls may lack even the width. */
    unsigned width = decoder->data.n > 0 ? (uint8_t)decoder->data.p[0] : 0;
    if (width > 32 || !decoder->dictionary)
        return false;
    tk_str rest = {decoder->data.p, 0};
    if (decoder->data.n > 0)
        rest = (tk_str){decoder->data.p + 1, decoder->data.n - 1};
    tk_hybrid_init(&decoder->hybrid, rest, width);
    return true;
}

/* Indices below the count of the dictionary; NULL when the page has not so many. */
static const uint32_t *take_indices(struct tk_parquet_decoder *decoder, size_t n)
{
    uint32_t *indices = scratch(decoder, n);
    if (!indices || !tk_hybrid_take_u32(&decoder->hybrid, indices, n))
        return NULL;
    uint32_t most = 0;
    for (size_t i = 0; i < n; i++)
        most = indices[i] > most ? indices[i] : most;
    return n > 0 && most >= decoder->dictionary_count ? NULL : indices;
}

static bool take_dictionary(struct tk_parquet_decoder *decoder, size_t n, void *to)
{
    size_t width = tk_parquet_memory_width(decoder->node);
    const uint32_t *indices = take_indices(decoder, n);
    if (!indices)
        return false;
    const char *from = decoder->dictionary;
    char *at = to;
    if (width == 8) {
        for (size_t i = 0; i < n; i++, at += 8)
            memcpy(at, from + (size_t)indices[i] * 8, 8);
        return true;
    }
    for (size_t i = 0; i < n; i++, at += width)
        memcpy(at, from + indices[i] * width, width);
    return true;
}

/* Deltas --------------------------------------------------------------------------------------- */

static bool start_delta(struct tk_parquet_decoder *decoder)
{
    return tk_delta_init(&decoder->delta, decoder->data);
}

static bool take_delta(struct tk_parquet_decoder *decoder, size_t n, void *to)
{
    return decoder->node->type == TK_PARQUET_I32 ? tk_delta_take_i32(&decoder->delta, to, n)
                                                 : tk_delta_take_i64(&decoder->delta, to, n);
}

/* Begin with lengths at the front of the data, and stand behind them. */
static bool start_lengths(struct tk_parquet_decoder *decoder, struct tk_delta *lengths)
{
    struct tk_delta scan;
    if (!tk_delta_init(lengths, decoder->data) || lengths->left > decoder->left)
        return false;
    scan = *lengths;
    if (!tk_delta_take_i32(&scan, NULL, (size_t)scan.left))
        return false;
    decoder->data = scan.rest;
    return true;
}

static bool start_delta_length(struct tk_parquet_decoder *decoder)
{
    return start_lengths(decoder, &decoder->delta);
}

static bool take_lengths(struct tk_delta *lengths, int32_t *to, size_t n)
{
    if (!to || !tk_delta_take_i32(lengths, to, n))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (to[i] < 0)
            return false;
    }
    return true;
}

static bool take_delta_length(struct tk_parquet_decoder *decoder, size_t n, void *to)
{
    int32_t *lengths = (int32_t *)scratch(decoder, n);
    if (!take_lengths(&decoder->delta, lengths, n))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!take_bytes(decoder, (size_t)lengths[i], &((tk_str *)to)[i]))
            return false;
    }
    return true;
}

/* Each value begins as the one before does, so far; the rest of each stands in DELTA_LENGTH. */
static bool start_delta_bytes(struct tk_parquet_decoder *decoder)
{
    tk_buf_reset(&decoder->before);
    return start_lengths(decoder, &decoder->delta) && start_lengths(decoder, &decoder->suffixes);
}

/* Where the values lie is known only when all are put together: until then a view's pointer is
 * NULL. */
static bool take_delta_bytes(struct tk_parquet_decoder *decoder, size_t n, void *to)
{
    tk_str *texts = to;
    struct tk_buf *out = &decoder->text;
    int32_t *prefixes = (int32_t *)scratch(decoder, 2 * n);
    if (!take_lengths(&decoder->delta, prefixes, n) ||
        !take_lengths(&decoder->suffixes, prefixes + n, n))
        return false;
    tk_buf_reset(out);
    tk_buf_put(out, tk_buf_str(&decoder->before));
    size_t start = 0; /* of the value before */
    for (size_t i = 0; i < n; i++) {
        tk_str suffix;
        size_t prefix = (size_t)prefixes[i];
        if (prefix > out->n - start || !take_bytes(decoder, (size_t)prefixes[n + i], &suffix))
            return false;
        char *room = tk_buf_reserve(out, prefix + suffix.n);
        if (!room)
            return false;
        size_t at = out->n;
        if (prefix > 0)
            memcpy(room, out->p + start, prefix);
        if (suffix.n > 0)
            memcpy(room + prefix, suffix.p, suffix.n);
        out->n += prefix + suffix.n;
        texts[i].n = prefix + suffix.n;
        start = at;
    }
    const char *p = out->p ? out->p : "";
    if (n > 0 && out->n > 0) {
        p += decoder->before.n;
        tk_buf_reset(&decoder->before);
        tk_buf_put(&decoder->before, (tk_str){out->p + start, out->n - start});
    }
    for (size_t i = 0; i < n; p += texts[i++].n) {
        texts[i].p = p;
        if (decoder->node->type == TK_PARQUET_FIXED && texts[i].n != decoder->node->fixed_bytes)
            return false;
    }
    return tk_buf_ok(&decoder->before);
}

/* BYTE_STREAM_SPLIT: all first bytes, all second bytes, ...
 * ---------------------------------------- */

static bool start_split(struct tk_parquet_decoder *decoder)
{
    decoder->taken = 0;
    return decoder->data.n % tk_parquet_width(decoder->node) == 0;
}

static bool take_split(struct tk_parquet_decoder *decoder, size_t n, void *to)
{
    size_t width = tk_parquet_width(decoder->node);
    size_t stride = decoder->data.n / width;
    char *out = to;
    if (n > stride - decoder->taken)
        return false;
    if (n == 0)
        return true;
    if (is_text(decoder->node)) {
        tk_buf_reset(&decoder->text);
        out = tk_buf_reserve(&decoder->text, n * width);
        if (!out)
            return false;
        for (size_t i = 0; i < n; i++)
            ((tk_str *)to)[i] = (tk_str){out + i * width, width};
    }
    for (size_t byte = 0; byte < width; byte++) {
        const char *from = decoder->data.p + byte * stride + decoder->taken;
        for (size_t i = 0; i < n; i++)
            out[i * width + byte] = from[i];
    }
    decoder->taken += n;
    return true;
}

/* The table ------------------------------------------------------------------------------------ */

#define ALL      0xFFU
#define INTEGERS (1U << TK_PARQUET_I32 | 1U << TK_PARQUET_I64)
#define FLOATS   (1U << TK_PARQUET_F32 | 1U << TK_PARQUET_F64)
#define BYTES    (1U << TK_PARQUET_BYTES)
#define FIXED    (1U << TK_PARQUET_FIXED)

static const struct tk_parquet_decoding decodings[] = {
    {TK_PARQUET_ENC_PLAIN, ALL, start_plain, take_plain},
    {TK_PARQUET_ENC_PLAIN_DICTIONARY, ALL, start_dictionary, take_dictionary},
    {TK_PARQUET_ENC_RLE, 1U << TK_PARQUET_BOOL, start_rle, take_rle},
    {TK_PARQUET_ENC_DELTA_BINARY_PACKED, INTEGERS, start_delta, take_delta},
    {TK_PARQUET_ENC_DELTA_LENGTH_BYTE_ARRAY, BYTES, start_delta_length, take_delta_length},
    {TK_PARQUET_ENC_DELTA_BYTE_ARRAY, BYTES | FIXED, start_delta_bytes, take_delta_bytes},
    {TK_PARQUET_ENC_RLE_DICTIONARY, ALL, start_dictionary, take_dictionary},
    {TK_PARQUET_ENC_BYTE_STREAM_SPLIT, INTEGERS | FLOATS | FIXED, start_split, take_split},
};

static const struct tk_parquet_decoding *find_decoding(int32_t encoding)
{
    for (size_t i = 0; i < TK_COUNTOF(decodings); i++) {
        if (decodings[i].encoding == encoding)
            return &decodings[i];
    }
    return NULL;
}

static int bad_values(const struct tk_parquet_decoder *decoder, struct tk_err *err)
{
    return tk_fail(err, -EBADMSG, "column %s: values of encoding %s are cut off or damaged",
                   decoder->node->name, tk_parquet_encoding_name(decoder->encoding));
}

int tk_parquet_decoder_start(struct tk_parquet_decoder *decoder, int32_t encoding, tk_str data,
                             size_t n, struct tk_err *err)
{
    const struct tk_parquet_decoding *decoding = find_decoding(encoding);
    if (!decoding || !(decoding->types >> decoder->node->type & 1)) {
        return tk_fail(err, -EBADMSG, "column %s: %s cannot be of encoding %s (%d)",
                       decoder->node->name, tk_parquet_type_name((int32_t)decoder->node->type),
                       tk_parquet_encoding_name(encoding), (int)encoding);
    }
    decoder->decoding = decoding;
    decoder->encoding = encoding;
    decoder->data = data;
    decoder->left = n;
    /* A page of nulls may hold nothing at all. */
    if (data.n == 0) {
        decoder->left =
            encoding == TK_PARQUET_ENC_RLE_DICTIONARY || encoding == TK_PARQUET_ENC_PLAIN_DICTIONARY
                ? n
                : 0;
    }
    return decoder->left == 0 || decoding->start(decoder) ? 0 : bad_values(decoder, err);
}

int tk_parquet_decoder_take(struct tk_parquet_decoder *decoder, size_t n, void *to,
                            struct tk_err *err)
{
    if (n == 0)
        return 0;
    if (n > decoder->left || !decoder->decoding->take(decoder, n, to))
        return bad_values(decoder, err);
    decoder->left -= n;
    return 0;
}

bool tk_parquet_decoder_has_indices(const struct tk_parquet_decoder *decoder)
{
    return decoder->encoding == TK_PARQUET_ENC_RLE_DICTIONARY ||
           decoder->encoding == TK_PARQUET_ENC_PLAIN_DICTIONARY;
}

int tk_parquet_decoder_take_indices(struct tk_parquet_decoder *decoder, size_t n,
                                    const uint32_t **ret_indices, struct tk_err *err)
{
    const uint32_t *indices = n <= decoder->left ? take_indices(decoder, n) : NULL;
    if (!indices)
        return bad_values(decoder, err);
    decoder->left -= n;
    *ret_indices = indices;
    return 0;
}
