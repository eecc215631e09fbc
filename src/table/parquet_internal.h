/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the Parquet writer and reader share.
 *
 *   parquet_thrift.c  the structs of the format, by the tables of parquet_specs.c
 *   parquet_schema.c  nodes, columns and their levels; to and from SchemaElements
 *   parquet_codec.c   compression
 *   parquet_hybrid.c  runs and packed bits: levels, dictionary indices
 *   parquet_bounds.c  minimum and maximum of a page
 *   parquet_encode.c  values to bytes
 *   parquet_column.c  the writer's column: values to pages to a chunk
 *   parquet_writer.c  columns to row groups to a file */
#ifndef TK_TABLE_PARQUET_INTERNAL_H
#define TK_TABLE_PARQUET_INTERNAL_H

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "table/parquet.h"
#include "table/parquet_thrift_internal.h"

#define TK_PARQUET_MAGIC    "PAR1"
#define TK_PARQUET_DEPTH    32           /* of nodes, and so the greatest level */
#define TK_PARQUET_PAGE_MAX (256U << 20) /* bytes of a page, as stored and decompressed */

/* Codecs ------------------------------------------------------------------------------ */

/* One codec to write with, and what any codec needs to be kept between pages. Zeroed but for the
 * first two; to be released. */
struct tk_parquet_codecs {
    enum tk_parquet_codec codec;
    int level;
    struct ZSTD_CCtx_s *zstd_out;
    struct ZSTD_DCtx_s *zstd_in;
    struct libdeflate_compressor *gzip_out;
    struct libdeflate_decompressor *gzip_in;
};

void tk_parquet_codecs_release(struct tk_parquet_codecs *codecs);

/* -EBADMSG when there is no such codec, -EOPNOTSUPP when this build cannot do it. */
TK_MUST_USE int tk_parquet_codec_check(int32_t id, bool to_write, struct tk_err *err);

/* Append `from`, at least one byte, compressed by codecs->codec. */
TK_MUST_USE int tk_parquet_compress(struct tk_parquet_codecs *codecs, tk_str from,
                                    struct tk_buf *out, struct tk_err *err);

/* Decompress `from` to exactly `n` bytes at `to`; -EBADMSG when it does not give as many. */
TK_MUST_USE int tk_parquet_decompress(struct tk_parquet_codecs *codecs, int32_t id, tk_str from,
                                      char *to, size_t n, struct tk_err *err);

/* Schemas ----------------------------------------------------------------------------- */

struct tk_parquet_schema {
    const struct tk_parquet_node *nodes;
    size_t node_count;
    const struct tk_parquet_leaf *leaves;
    size_t leaf_count;
};

/* Find the columns of these nodes, which stay borrowed; the leaves go into the arena. -EINVAL names
 * the node that is none. */
TK_MUST_USE int tk_parquet_schema_init(struct tk_parquet_schema *schema,
                                       const struct tk_parquet_node *nodes, size_t count,
                                       struct tk_arena *arena, struct tk_err *err);

/* The names from the root down to a node, itself included, in `ret_path`; returns how many. */
size_t tk_parquet_path(const struct tk_parquet_schema *schema, size_t node,
                       const char *ret_path[TK_PARQUET_DEPTH]);

/* The nodes as SchemaElements, in the arena, a root before them. NULL when it is full. */
const struct tk_parquet_schema_element *
tk_parquet_schema_elements(const struct tk_parquet_schema *schema, struct tk_arena *arena);

/* Bytes of a value of fixed size as PLAIN stores it; 0 of BYTES; 1 of BOOL. */
size_t tk_parquet_width(const struct tk_parquet_node *node);

/* Runs and bits ------------------------------------------------------------------------- */

/* Bits that hold 0..max. */
static inline unsigned tk_bit_width(uint64_t max)
{
    return max == 0 ? 0 : 64U - (unsigned)__builtin_clzll(max);
}

/* Append values of `width` 0..32 bits as the RLE/bit-packed hybrid (Encodings.md, "RLE"). */
void tk_hybrid_put_u8(struct tk_buf *out, const uint8_t *values, size_t n, unsigned width);
void tk_hybrid_put_u32(struct tk_buf *out, const uint32_t *values, size_t n, unsigned width);

/* Bounds -------------------------------------------------------------------------------- */

#define TK_BOUND_BYTES 64

/* The least or greatest value as statistics store it; a long text is cut off to what is no greater
 * or no less. */
struct tk_parquet_bound {
    uint8_t n;
    bool exact;
    char bytes[TK_BOUND_BYTES];
};

struct tk_parquet_bounds {
    bool has;  /* a value that can be compared */
    bool lost; /* a value that no bound of that length covers: there are none then */
    struct tk_parquet_bound min, max;
};

/* Values as a column holds them before they are encoded: `n` of the type, or texts. */
struct tk_parquet_values {
    const char *fixed;       /* [n] of the type's width; BOOL a byte each; NULL of BYTES */
    const uint32_t *lengths; /* [n] of BYTES */
    const char *text;        /* of BYTES: one after the other */
    size_t text_bytes;
    size_t n;
};

/* The bounds of some values. Types without an order (INTERVAL, I96) have none; NaN is passed over,
 * a zero becomes -0 as minimum and +0 as maximum. */
void tk_parquet_bounds_find(const struct tk_parquet_node *node,
                            const struct tk_parquet_values *values,
                            struct tk_parquet_bounds *ret_bounds);

/* Widen `into` by `more`. */
void tk_parquet_bounds_add(const struct tk_parquet_node *node, struct tk_parquet_bounds *into,
                           const struct tk_parquet_bounds *more);

/* Order of two bounds of a column, as memcmp. */
int tk_parquet_bound_cmp(const struct tk_parquet_node *node, const struct tk_parquet_bound *a,
                         const struct tk_parquet_bound *b);

/* Encodings ----------------------------------------------------------------------------- */

/* Append values as PLAIN. */
void tk_parquet_put_plain(struct tk_buf *out, const struct tk_parquet_node *node,
                          const struct tk_parquet_values *values);

/* A column of the writer ------------------------------------------------------------------ */

struct tk_parquet_page {
    size_t at; /* in the chunk's data pages */
    size_t stored_bytes;
    uint64_t first_row; /* in the row group */
    uint64_t entries;
    uint64_t nulls;
    struct tk_parquet_bounds bounds;
};

struct tk_parquet_column {
    const struct tk_parquet_node *node;
    const struct tk_parquet_leaf *leaf;
    const struct tk_parquet_opts *opts;
    struct tk_parquet_codecs *codecs; /* shared by all columns */
    struct tk_err *err;               /* of the writer; code 0 = all is well */
    size_t width;

    /* The page that fills: levels of entries, values as struct tk_parquet_values says. */
    struct tk_buf def, rep, values, lengths;
    size_t entries, count, rows;

    /* The chunk. */
    struct tk_buf pages;        /* data pages, with their headers */
    struct tk_buf page_list;    /* struct tk_parquet_page[] */
    struct tk_buf body, packed; /* scratch: a page before and after compression */
    uint64_t chunk_entries, chunk_nulls, chunk_rows, raw_bytes;
    int32_t page_counts[16]; /* data pages by encoding */
    struct tk_parquet_bounds bounds;
};

void tk_parquet_column_init(struct tk_parquet_column *column);
void tk_parquet_column_release(struct tk_parquet_column *column);

/* Append entries; see tk_parquet_add_levels(). */
void tk_parquet_column_add(struct tk_parquet_column *column, const void *values, const uint8_t *def,
                           const uint8_t *rep, size_t n);

/* Encode the page that fills, if there is anything in it. */
void tk_parquet_column_end_page(struct tk_parquet_column *column);

/* Rows added since the last reset. */
static inline uint64_t tk_parquet_column_rows(const struct tk_parquet_column *column)
{
    return column->chunk_rows + column->rows;
}

/* Bytes that the chunk takes so far, and memory of the page that fills. */
size_t tk_parquet_column_bytes(const struct tk_parquet_column *column);

/* Forget the chunk. */
void tk_parquet_column_reset(struct tk_parquet_column *column);

#endif
