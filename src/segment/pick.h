/* SPDX-License-Identifier: Apache-2.0 */
/* Values of some rows of one column. Pages without such a row are not read, nor is a column that is
 * null everywhere. Values go to an arena; all die with it. One thread at a time. */
#ifndef TK_SEGMENT_PICK_H
#define TK_SEGMENT_PICK_H

#include "segment/segment_file.h"

/* Which rows of which row group. */
struct tk_pick {
    struct tk_parquet_file *parquet;
    size_t group;
    const uint32_t *rows; /* [n], ascending */
    size_t n;
    struct tk_arena *arena;
    struct tk_parquet_cursor **cursor; /* one for all columns, made with the first; the caller's */
};

/* How texts are kept. */
enum tk_pick_as {
    TK_PICK_TEXT,     /* number of a text */
    TK_PICK_TRACE_ID, /* sixteen bytes */
    TK_PICK_SPAN_ID,  /* eight bytes; 0 of null */
};

/* Values of a column without repetition, [n] each of the column's kind. */
struct tk_picked {
    const uint8_t *there; /* NULL = none is */
    uint32_t *ids;        /* TK_PICK_TEXT */
    uint8_t (*traces)[16];
    uint64_t *spans;
    int64_t *i64; /* of an I64, F64 (its bits) or BOOL */
};

/* Entries of a repeated column. */
struct tk_picked_list {
    const uint32_t *ends; /* [n] of the entries of each row; NULL = no row has any */
    const uint8_t *def;
    const uint8_t *rep;
    const uint32_t *value_ends; /* [n] likewise of the values: entries of the greatest level */
    const uint32_t *ids;
    const int64_t *i64;
};

/* Texts go to `texts`: -ENOBUFS when they are full. */
TK_MUST_USE int tk_pick_flat(const struct tk_pick *pick, size_t leaf, enum tk_pick_as as,
                             struct tk_texts *texts, struct tk_picked *ret, struct tk_err *err);
TK_MUST_USE int tk_pick_list(const struct tk_pick *pick, size_t leaf, struct tk_texts *texts,
                             struct tk_picked_list *ret, struct tk_err *err);

#endif
