/* SPDX-License-Identifier: Apache-2.0 */
/* What the encoder and the decoder of recordings share: limits, streams and codings. */
#ifndef TK_TABLE_RECORDING_INTERNAL_H
#define TK_TABLE_RECORDING_INTERNAL_H

#include <string.h>

#include "table/recording.h"
#include "table/varint.h"

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
#define TK_STREAMS_MAX ((size_t)TK_STREAM_COLUMNS + 64)

/* A stream of numbers lies in planes: the first bytes of all, the second bytes, all others. Each
 * has its own frequencies, which an entropy coder can use. Texts and lists have the first only. */
#define TK_PLANES ((size_t)3)

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

/* Rounded down. */
static inline int64_t tk_thousandth(int64_t value)
{
    return value / 1000 - (value % 1000 < 0);
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
