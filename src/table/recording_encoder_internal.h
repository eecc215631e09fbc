/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of the encoder share: its tables. recording_encode.c turns rows into streams,
 * recording_close.c streams into a block. */
#ifndef TK_TABLE_RECORDING_ENCODER_INTERNAL_H
#define TK_TABLE_RECORDING_ENCODER_INTERNAL_H

#include <zstd.h>

#include "base/arena.h"
#include "base/map.h"
#include "table/recording_internal.h"

#define TK_RECORDED_TABLES_MAX 32
#define TK_LATEST_SHAPES_BITS  6
#define TK_NO_COLUMN           64

struct tk_recorded_thing {
    uint32_t next;     /* the thing that came after it last time; 0 = unknown */
    uint32_t key_bits; /* which of its keys it has */
};

struct tk_recorded_stream {
    struct tk_buf planes[TK_PLANES];
};

struct tk_recorded_texts {
    tk_str *items; /* 0 is the empty text */
    size_t count;
    size_t cap;
    struct tk_map by_hash;
    struct tk_arena bytes;
};

struct tk_recorded_shapes {
    struct {
        struct tk_shape shape;
        uint32_t id;
    } latest[1 << TK_LATEST_SHAPES_BITS]; /* by some bits of them; those with no column are not in
                                             use */
    struct tk_shape *items;
    size_t count;
    size_t cap;
    struct tk_map by_hash;
};

/* A table: what its rows are expected to be, and its open block. */
struct tk_recorded_table {
    const struct tk_schema *schema;
    uint32_t id;
    uint8_t keys[TK_RECORDING_KEYS_MAX];
    size_t key_count;
    uint64_t key_columns;
    size_t stamp; /* column; TK_NO_COLUMN = none */
    size_t milli;

    /* The group */
    uint32_t before; /* id of the last block; 0 = the next one begins a group */
    uint32_t blocks;
    uint64_t slotted;  /* columns that ever had a value that is kept */
    uint8_t slots[64]; /* where in a line of `values`; of those columns */
    size_t stride;     /* of a line */
    int64_t *values;   /* [thing][stride]; of thing 0 all are 0 */
    struct tk_recorded_thing *things;
    size_t thing_count;
    size_t thing_cap;
    size_t first_things; /* after the first block of the group */
    uint32_t last;       /* thing of the last row */
    struct tk_map by_key;
    int64_t stamps[TK_RECORDING_STAMPS]; /* latest first */
    struct tk_recorded_texts texts;
    struct tk_recorded_shapes shapes;

    /* The open block */
    struct tk_recorded_stream streams[TK_STREAMS_MAX];
    size_t bytes; /* in them */
    uint32_t rows;
    int64_t first_stamp;
    int64_t last_stamp;
};

struct tk_recording_encoder {
    struct tk_recorded_table *tables[TK_RECORDED_TABLES_MAX];
    size_t table_count;
    struct tk_buf raw; /* part of the block that is being closed */
    size_t raw_bytes;  /* of the parts before it */
    ZSTD_CCtx *zstd;
    int64_t lost_rows; /* by calls that failed */
};

/* Streams that a table has. */
static inline size_t tk_recorded_stream_count(const struct tk_recorded_table *table)
{
    return TK_STREAM_COLUMNS + table->schema->column_count;
}

/* How the table keeps a column. */
static inline enum tk_coding tk_recorded_coding(const struct tk_recorded_table *table,
                                                size_t column)
{
    return column == table->stamp   ? TK_CODING_STAMP
           : column == table->milli ? TK_CODING_STAMP_MILLI
                                    : TK_CODING_DELTA;
}

/* Append a text with its length. */
static inline void tk_recorded_text_put(struct tk_buf *out, tk_str text)
{
    tk_varint_put(out, text.n);
    tk_buf_put(out, text);
}

/* Append the open block of a table as a frame, whose id becomes table->before; the block stays.
 * -ENOMEM, or -EMSGSIZE when `out` is full. */
TK_MUST_USE int tk_recorded_frame_put(struct tk_recording_encoder *encoder,
                                      struct tk_recorded_table *table, struct tk_buf *out,
                                      struct tk_err *err);

#endif
