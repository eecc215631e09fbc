/* SPDX-License-Identifier: Apache-2.0 */
/* What the encoder and the decoder of recordings share: limits and numbers as bytes. */
#ifndef TK_TABLE_RECORDING_INTERNAL_H
#define TK_TABLE_RECORDING_INTERNAL_H

#include <string.h>

#include "table/recording.h"

enum {
    TK_RECORDING_BLOCK_BYTES = 64 << 10, /* a block is closed when it has grown to so much */
    TK_RECORDING_GROUP_BLOCKS = 32,
    TK_RECORDING_RAW_MAX = 4 << 20,    /* of a block */
    TK_RECORDING_ROWS_MAX = 1 << 20,   /* of a block */
    TK_RECORDING_THINGS_MAX = 1 << 16, /* of a group; also its texts and its shapes */
    TK_RECORDING_TEXT_MAX = 1 << 20,   /* bytes of them; also the text of a batch */
    TK_RECORDING_KEYS_MAX = 4,
    TK_RECORDING_STAMPS = 4, /* remembered */
};

/* Streams of a block, in this order; one for each column follows. */
enum {
    TK_STREAM_THINGS,     /* which thing a row is of */
    TK_STREAM_SHAPES,     /* which columns it has, and which are new */
    TK_STREAM_NEW_SHAPES, /* shapes that the group has not seen before */
    TK_STREAM_NEW_TEXTS,  /* texts likewise */
    TK_STREAM_COLUMNS,
};
#define TK_STREAMS_MAX (TK_STREAM_COLUMNS + 64)

/* A stream of numbers lies in planes: the first bytes of all, the second bytes, all others. Each
 * has its own frequencies, which an entropy coder can use. Texts and lists have the first only. */
#define TK_PLANES 3

/* How a column is stored. */
enum tk_coding {
    TK_CODING_DELTA,       /* against the value before of the same thing */
    TK_CODING_STAMP,       /* against the stamps of the rows before */
    TK_CODING_STAMP_MILLI, /* against the stamp of the row */
};

/* The columns that a row has, and those of them whose value is not the one expected. */
struct tk_shape {
    uint64_t present;
    uint64_t changed;
};

/* Zigzag: small numbers of either sign become small ones without. */
static inline uint64_t tk_zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

static inline int64_t tk_unzigzag(uint64_t coded)
{
    return (int64_t)((coded >> 1) ^ (0 - (coded & 1)));
}

/* a - b and a + b modulo 2^64. */
static inline int64_t tk_wrap_sub(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static inline int64_t tk_wrap_add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* Rounded down. */
static inline int64_t tk_thousandth(int64_t value)
{
    return value / 1000 - (value % 1000 < 0);
}

#define TK_VARINT_MAX 10

/* LEB128: seven bits a byte, the least first; the top bit says that more follow. */
static inline char *tk_varint_write(char *to, uint64_t value)
{
    while (value >= 0x80) {
        *to++ = (char)(value | 0x80);
        value >>= 7;
    }
    *to++ = (char)value;
    return to;
}

/* The value at the front of `*text`, which is taken off; false when it does not end, or has more
 * than 64 bits. */
TK_MUST_USE static inline bool tk_varint_read(tk_str *text, uint64_t *ret)
{
    uint64_t value = 0;
    unsigned shift = 0;
    for (size_t i = 0; i < text->n; i++, shift += 7) {
        uint64_t byte = (unsigned char)text->p[i];
        if (shift == 63 && byte > 1)
            return false;
        value |= (byte & 0x7F) << shift;
        if (byte < 0x80) {
            *ret = value;
            *text = (tk_str){text->p + i + 1, text->n - i - 1};
            return true;
        }
    }
    return false;
}

static inline void tk_varint_put(struct tk_buf *out, uint64_t value)
{
    char *to = tk_buf_reserve(out, TK_VARINT_MAX);
    if (to)
        out->n += (size_t)(tk_varint_write(to, value) - to);
}

static inline uint64_t tk_f64_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static inline double tk_f64_from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

#endif
