/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the writer of columns:
 *
 *   columns_write.c   the file: order of rows, plain columns, metadata
 *   columns_attrs.c   attributes of spans: promoted columns, the map, the layout
 *   columns_items.c   events and links
 *   columns_scopes.c  services, scopes, resources
 *
 * Columns of text take numbers of texts: those of the batch, and behind them those that were made
 * (numbers as text, JSON). */
#ifndef TK_SEGMENT_COLUMNS_INTERNAL_H
#define TK_SEGMENT_COLUMNS_INTERNAL_H

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/map.h"
#include "segment/attr_text.h"
#include "segment/promote.h"

/* Beside the number of a text: nothing is there. Ids of batches are never so large. */
#define TK_NO_TEXT UINT32_MAX

struct tk_columns {
    const struct tk_span_batch *batch;
    const struct tk_columns_opts *opts;
    size_t rows;
    uint32_t *order; /* [rows] of the batch, as they stand in the file; NULL = as they come */

    struct tk_parquet_node *nodes;
    size_t node_count;
    struct tk_promotion spans, resources;
    struct tk_parquet_writer *writer;

    struct tk_columns_memory *memory;
    struct tk_map nested; /* hash of type and text of an array or a map -> made text and letter */
    struct tk_attr_coder coder;
    struct tk_buf text; /* scratch */
};

/* Row of the batch that is row `i` of the file. */
static inline size_t tk_columns_row(const struct tk_columns *columns, size_t i)
{
    return columns->order ? columns->order[i] : i;
}

/* Room for `count` items until the next group of columns; NULL (and `err` set) when there is none.
 */
void *tk_columns_alloc(struct tk_columns *columns, size_t count, size_t size, struct tk_err *err);

/* The number of a copy of `text`; 0, the empty text, when there is no room: the file is then not
 * finished (its texts are full). */
uint32_t tk_columns_make(struct tk_columns *columns, tk_str text);

/* The number of the text of an attribute value, and its letter. */
uint32_t tk_columns_attr(struct tk_columns *columns, const struct tk_attr *attr, char *ret_letter);

/* Append a column of texts, ids of values that are there. */
void tk_columns_put_ids(struct tk_columns *columns, size_t column, const uint32_t *ids,
                        const uint8_t *def, const uint8_t *rep, size_t n);

/* Append a column of one text a row, TK_NO_TEXT = null where the column may be; ids [rows]. */
void tk_columns_put_texts(struct tk_columns *columns, size_t column, uint32_t *ids, uint8_t *def);

/* The groups of columns. */
TK_MUST_USE int tk_columns_put_attrs(struct tk_columns *columns, struct tk_err *err);
TK_MUST_USE int tk_columns_put_events(struct tk_columns *columns, struct tk_err *err);
TK_MUST_USE int tk_columns_put_links(struct tk_columns *columns, struct tk_err *err);
TK_MUST_USE int tk_columns_put_scopes(struct tk_columns *columns, struct tk_err *err);

/* Spans by resource, [resource_count]; NULL (and `err` set) when there is no room. */
uint32_t *tk_columns_weights(struct tk_columns *columns, struct tk_err *err);

/* Two lower-case hexadecimal digits of each of four bytes, all at once: a byte becomes a lane of
 * two, its high half first; a digit above 9 lies 39 further on, at the letters. */
static inline uint64_t tk_hex_of_4(const uint8_t *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof(word));
    uint64_t lanes = le32toh(word);
    lanes = (lanes | lanes << 16) & 0x0000FFFF0000FFFFULL;
    lanes = (lanes | lanes << 8) & 0x00FF00FF00FF00FFULL;
    lanes = (lanes >> 4 | lanes << 8) & 0x0F0F0F0F0F0F0F0FULL;
    uint64_t letters = (lanes + 0x0606060606060606ULL) >> 4 & 0x0101010101010101ULL;
    return htole64(lanes + 0x3030303030303030ULL + letters * 39);
}

/* Hexadecimal digits of an id of `n` bytes, a multiple of four. */
static inline void tk_hex_put(const uint8_t *bytes, size_t n, char *to)
{
    for (size_t i = 0; i < n; i += 4) {
        uint64_t digits = tk_hex_of_4(bytes + i);
        memcpy(to + 2 * i, &digits, sizeof(digits));
    }
}

#endif
