/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the Parquet writer and reader share.
 *
 *   parquet_thrift.c  the structs of the format, by the tables of parquet_specs.c
 *   parquet_schema.c  nodes, columns and their levels; to and from SchemaElements
 *   parquet_codec.c   compression
 *   parquet_hybrid.c  runs and packed bits: levels, dictionary indices
 *   parquet_delta.c   DELTA_BINARY_PACKED
 *   parquet_bounds.c  minimum and maximum of a page
 *   parquet_encode.c  values to bytes
 *   parquet_dictionary.c  values to indices
 *   parquet_bloom.c   Bloom filters
 *   parquet_column.c  the writer's column: values to pages to a chunk
 *   parquet_ids.c     values that come as numbers of texts
 *   parquet_writer.c  values to columns to row groups
 *   parquet_footer.c  row groups to a file
 *   parquet_decode.c  bytes to values
 *   parquet_cursor.c  the reader's column: pages to values and levels
 *   parquet_file.c    the reader's footer
 *   parquet_index.c   what need not be read: page indexes, Bloom filters */
#ifndef TK_TABLE_PARQUET_INTERNAL_H
#define TK_TABLE_PARQUET_INTERNAL_H

#include <endian.h>
#include <stdio.h>
#include <string.h>

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
    int level;      /* of the file; 0 = the codec's usual one */
    int page_level; /* of the page at hand, instead; 0 = none */
    struct ZSTD_CCtx_s *zstd_out;
    struct ZSTD_DCtx_s *zstd_in;
    struct libdeflate_compressor *gzip_out;
    struct libdeflate_decompressor *gzip_in;
    struct tk_snappy *snappy;
};

/* Append the footer that says so, its length and the end of the file. `out` must be empty. */
void tk_parquet_put_footer(const struct tk_parquet_file_meta *meta, struct tk_buf *out);

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

/* Read the nodes of a file, without the root, into the arena: -EBADMSG when they are no tree. */
TK_MUST_USE int tk_parquet_schema_read(struct tk_parquet_schema *schema,
                                       const struct tk_parquet_schema_element *elements,
                                       size_t count, struct tk_arena *arena, struct tk_err *err);

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

/* Append `n` levels 0..max behind their length in four bytes; nothing when there is but one. */
void tk_parquet_put_levels(struct tk_buf *out, const uint8_t *levels, size_t n, uint8_t max);

/* Read the hybrid, some values at a time. */
struct tk_hybrid {
    tk_str rest; /* after the run at hand */
    unsigned width;
    uint64_t run; /* values left of the run at hand, which are all `value` */
    uint32_t value;
    uint64_t packed; /* values left of the groups at hand */
    const char *bits;
    const char *bits_end;
    uint64_t bit; /* the next value, from `bits` */
};

/* Begin with `text`, borrowed; width 0..32. */
void tk_hybrid_init(struct tk_hybrid *hybrid, tk_str text, unsigned width);

/* Take `n` values; false when there are fewer. Levels of 8 bits: false when one is above `max`. */
TK_MUST_USE bool tk_hybrid_take_u8(struct tk_hybrid *hybrid, uint8_t *values, size_t n,
                                   uint8_t max);
TK_MUST_USE bool tk_hybrid_take_u32(struct tk_hybrid *hybrid, uint32_t *values, size_t n);

/* The `width` 0..64 bits at bit `bit` of from..end, which holds them. */
static inline uint64_t tk_bits_read(const char *from, const char *end, uint64_t bit, unsigned width)
{
    const char *p = from + bit / 8;
    unsigned shift = (unsigned)(bit % 8);
    uint64_t low = 0;
    uint64_t high = 0;
    if (end - p >= 9) {
        memcpy(&low, p, 8);
        high = (uint8_t)p[8];
    } else {
        size_t n = (size_t)(end - p);
        memcpy(&low, p, n < 8 ? n : 8);
    }
    uint64_t value = shift == 0 ? low : low >> shift | high << (64 - shift);
    return width == 64 ? value : value & ((1ULL << width) - 1);
}

/* Deltas -------------------------------------------------------------------------------- */

/* Read DELTA_BINARY_PACKED, some values at a time. */
struct tk_delta {
    tk_str rest;   /* after the miniblock at hand */
    uint64_t left; /* values to come */
    uint64_t per_mini;
    uint64_t minis;     /* miniblocks of a block */
    int64_t value;      /* the next */
    int64_t least;      /* delta of the block */
    const char *widths; /* of the miniblocks that are left of the block */
    uint64_t minis_left;
    uint64_t mini; /* deltas left of the miniblock at hand */
    unsigned width;
    const char *bits;
    const char *bits_end;
    uint64_t bit;
};

/* Begin with `text`, borrowed. False when it is none. */
TK_MUST_USE bool tk_delta_init(struct tk_delta *delta, tk_str text);

/* Take `n` values, of 32 or 64 bits; false when there are fewer. */
TK_MUST_USE bool tk_delta_take_i32(struct tk_delta *delta, int32_t *values, size_t n);
TK_MUST_USE bool tk_delta_take_i64(struct tk_delta *delta, int64_t *values, size_t n);

/* Append values as DELTA_BINARY_PACKED. */
void tk_delta_put_i32(struct tk_buf *out, const int32_t *values, size_t n);
void tk_delta_put_i64(struct tk_buf *out, const int64_t *values, size_t n);

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
    const uint32_t *indices; /* [n] of a page of indices: nothing else then; else NULL */
};

/* The bounds of some values. Types without an order (INTERVAL, I96) have none; NaN is passed over,
 * a zero becomes -0 as minimum and +0 as maximum. */
void tk_parquet_bounds_find(const struct tk_parquet_node *node,
                            const struct tk_parquet_values *values,
                            struct tk_parquet_bounds *ret_bounds);

/* The least and the greatest of some texts. Each goes with its first eight bytes as a number of the
 * same order, which tells it from most others. */
struct tk_text_ends {
    tk_str min, max; /* p NULL before the first text */
    uint64_t min_head, max_head;
};

static inline void tk_text_ends_add(struct tk_text_ends *ends, tk_str text)
{
    uint64_t head = 0;
    if (text.p && text.n >= sizeof(head)) {
        memcpy(&head, text.p, sizeof(head));
    } else if (text.p && text.n > 0) {
        memcpy(&head, text.p, text.n);
    }
    head = be64toh(head);
    if (!ends->min.p || head < ends->min_head ||
        (head == ends->min_head && tk_str_cmp(text, ends->min) < 0)) {
        ends->min = text;
        ends->min_head = head;
    }
    if (!ends->max.p || head > ends->max_head ||
        (head == ends->max_head && tk_str_cmp(text, ends->max) > 0)) {
        ends->max = text;
        ends->max_head = head;
    }
}

/* The bounds of texts of which these are the least and the greatest. */
void tk_parquet_bounds_set(const struct tk_parquet_node *node, tk_str min, tk_str max,
                           struct tk_parquet_bounds *ret_bounds);

/* Widen `into` by `more`. */
void tk_parquet_bounds_add(const struct tk_parquet_node *node, struct tk_parquet_bounds *into,
                           const struct tk_parquet_bounds *more);

/* Order of two bounds of a column, as memcmp. */
int tk_parquet_bound_cmp(const struct tk_parquet_node *node, const struct tk_parquet_bound *a,
                         const struct tk_parquet_bound *b);

/* Encodings ----------------------------------------------------------------------------- */

/* How values of some types are laid out without a dictionary. */
struct tk_parquet_coding {
    enum tk_parquet_format_encoding encoding;
    enum tk_parquet_encoding choice; /* by which a node asks for it */
    uint32_t types;                  /* bit t: of that type */
    void (*put)(struct tk_buf *out, const struct tk_parquet_node *node,
                const struct tk_parquet_values *values);
};

/* PLAIN comes first; all types have it. Ends with a NULL `put`. */
extern const struct tk_parquet_coding tk_parquet_codings[];

/* Whether the encoding that a node asks for is one of its type, and `classic` where that is wanted.
 */
bool tk_parquet_encoding_ok(const struct tk_parquet_node *node, bool classic);

/* Dictionaries ---------------------------------------------------------------------------- */

#define TK_DICTIONARY_VALUES 65536U
#define TK_DICTIONARY_BYTES  (1U << 20)
#define TK_IDS_BYTES         (32U << 20) /* of a dictionary that a caller's numbers make */

struct tk_dictionary_text {
    uint32_t at, n; /* in `plain` */
};

struct tk_dictionary {
    struct tk_buf plain;   /* the values as the dictionary page has them */
    struct tk_buf texts;   /* struct tk_dictionary_text[], of BYTES and FIXED */
    struct tk_buf indices; /* uint32_t[], of the values that were added last */
    uint32_t *slots;       /* [mask + 1] 1 + index; 0 = free */
    size_t mask;
    uint32_t count;
};

void tk_dictionary_init(struct tk_dictionary *dictionary);
void tk_dictionary_release(struct tk_dictionary *dictionary);
void tk_dictionary_reset(struct tk_dictionary *dictionary);

/* Find the indices of values, which are not BOOL. False when they do not all fit: the dictionary is
 * then as before. */
bool tk_dictionary_add(struct tk_dictionary *dictionary, const struct tk_parquet_node *node,
                       const struct tk_parquet_values *values);

/* Value `i` of a dictionary of texts, or of numbers of eight bytes; a view. */
tk_str tk_dictionary_value(const struct tk_dictionary *dictionary, uint32_t i, bool texts);

/* The index of a text, which is added when it is new; -1 when the dictionary then held more than
 * `max_count` texts or TK_IDS_BYTES. */
int64_t tk_dictionary_add_text(struct tk_dictionary *dictionary, tk_str text, uint32_t max_count);

/* Where a dictionary of texts stands, and back to there. */
struct tk_dictionary_mark {
    uint32_t count;
    size_t bytes;
};

struct tk_dictionary_mark tk_dictionary_mark(const struct tk_dictionary *dictionary);
void tk_dictionary_rewind(struct tk_dictionary *dictionary, struct tk_dictionary_mark mark);

/* Append `n` indices into the dictionary as RLE_DICTIONARY. */
void tk_dictionary_put(const struct tk_dictionary *dictionary, const uint32_t *indices, size_t n,
                       struct tk_buf *out);

/* The bounds of the texts that some indices stand for. `seen` is scratch. */
void tk_dictionary_bounds(const struct tk_dictionary *dictionary,
                          const struct tk_parquet_node *node, const uint32_t *indices, size_t n,
                          struct tk_buf *seen, struct tk_parquet_bounds *ret_bounds);

/* Values of a page, read some at a time. */
struct tk_parquet_decoder {
    const struct tk_parquet_node *node;
    const struct tk_parquet_decoding *decoding; /* of the page at hand */
    int32_t encoding;
    size_t left;              /* values that the page may still have, nulls counted */
    tk_str data;              /* not yet taken; of BYTE_STREAM_SPLIT all */
    size_t taken;             /* of BYTE_STREAM_SPLIT and BOOL: values */
    struct tk_hybrid hybrid;  /* RLE, RLE_DICTIONARY */
    struct tk_delta delta;    /* DELTA_BINARY_PACKED; lengths, or lengths of prefixes */
    struct tk_delta suffixes; /* DELTA_BYTE_ARRAY: lengths of what follows the prefix */
    struct tk_buf text;       /* DELTA_BYTE_ARRAY: values put together */
    struct tk_buf before;     /* and the last one */
    struct tk_buf scratch;    /* lengths or indices */
    const char *dictionary;   /* values as the cursor gives them */
    size_t dictionary_count;
};

void tk_parquet_decoder_init(struct tk_parquet_decoder *decoder);
/* Be about values of that column from here on, without a dictionary. */
void tk_parquet_decoder_begin(struct tk_parquet_decoder *decoder,
                              const struct tk_parquet_node *node);
void tk_parquet_decoder_release(struct tk_parquet_decoder *decoder);

/* Bytes of a value in memory. */
size_t tk_parquet_memory_width(const struct tk_parquet_node *node);

/* Begin with the values of a page, borrowed, of at most `n` values. */
TK_MUST_USE int tk_parquet_decoder_start(struct tk_parquet_decoder *decoder, int32_t encoding,
                                         tk_str data, size_t n, struct tk_err *err);

/* Take `n` values to `to`. */
TK_MUST_USE int tk_parquet_decoder_take(struct tk_parquet_decoder *decoder, size_t n, void *to,
                                        struct tk_err *err);

/* The page at hand has indices into the dictionary: take `n` of them, a view of scratch. */
bool tk_parquet_decoder_has_indices(const struct tk_parquet_decoder *decoder);
TK_MUST_USE int tk_parquet_decoder_take_indices(struct tk_parquet_decoder *decoder, size_t n,
                                                const uint32_t **ret_indices, struct tk_err *err);

/* Bloom filters -------------------------------------------------------------------------- */

/* The node may have the filter that it asks for. */
bool tk_bloom_ok(const struct tk_parquet_node *node);

uint64_t tk_bloom_hash(tk_str value);

/* Append the hashes (uint64_t) of values that are BYTES or of eight bytes. */
void tk_bloom_add_values(struct tk_buf *hashes, const struct tk_parquet_values *values);

/* Append the filter of these hashes with its header; returns the bytes, 0 without any hash. */
size_t tk_bloom_put(const struct tk_buf *hashes, struct tk_buf *out);

/* Where in the bits of a filter, `n` bytes, the block of a hash begins, and whether that block, 32
 * bytes, says that a value of the hash may be there. */
#define TK_BLOOM_BLOCK 32U
size_t tk_bloom_block(size_t n, uint64_t hash);
bool tk_bloom_block_has(const char *bytes, uint64_t hash);

/* Whether a filter's bits say that a value of that hash may be there. */
bool tk_bloom_has(tk_str bits, uint64_t hash);

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
    bool has_indices; /* the values of this page are uint32_t into the dictionary */

    /* The chunk. */
    struct tk_buf pages;        /* data pages, with their headers */
    struct tk_buf page_list;    /* struct tk_parquet_page[] */
    struct tk_buf body, packed; /* scratch: a page before and after compression */

    /* How pages are laid out. */
    const struct tk_parquet_coding *coding; /* without a dictionary */
    bool wants_dictionary;                  /* in the chunks to come */
    bool has_dictionary;                    /* in this chunk, as long as it is not full */
    uint32_t chunks;                        /* so far */
    struct tk_dictionary dictionary;
    struct tk_buf
        hashes; /* uint64_t[]: for the Bloom filter, of values outside of the dictionary */
    uint64_t chunk_entries, chunk_nulls, chunk_rows, raw_bytes;
    int32_t page_counts[16]; /* data pages by encoding */
    struct tk_parquet_bounds bounds;
};

void tk_parquet_column_init(struct tk_parquet_column *column);
void tk_parquet_column_release(struct tk_parquet_column *column);

/* Append entries; see tk_parquet_add_levels(). */
void tk_parquet_column_add(struct tk_parquet_column *column, const void *values, const uint8_t *def,
                           const uint8_t *rep, size_t n);

/* Append entries whose values are indices into the column's dictionary, or texts of one length. */
void tk_parquet_column_add_indices(struct tk_parquet_column *column, const uint32_t *indices,
                                   const uint8_t *def, const uint8_t *rep, size_t n);
void tk_parquet_column_add_packed(struct tk_parquet_column *column, const char *bytes, size_t each,
                                  const uint8_t *def, size_t n);

/* Append entries by number of text; see tk_parquet_add_ids(). `slots` is scratch that all columns
 * of a writer share. */
struct tk_parquet_slots {
    struct tk_buf slots;   /* struct { uint32_t call, index; } by id */
    struct tk_buf indices; /* of the values of a call */
    uint32_t call;         /* slots of another call are empty */
};

void tk_parquet_column_add_ids(struct tk_parquet_column *column, struct tk_parquet_slots *slots,
                               const struct tk_parquet_ids *ids, const uint8_t *def,
                               const uint8_t *rep, size_t n);

/* How many of `n` levels are `level`. */
size_t tk_parquet_count_level(const uint8_t *levels, size_t n, uint8_t level);

/* Encode the page that fills, if there is anything in it. */
void tk_parquet_column_end_page(struct tk_parquet_column *column);

/* Append the dictionary page, if any data page needs it; returns its bytes. To be called once, when
 * all pages have ended. */
size_t tk_parquet_column_put_dictionary(struct tk_parquet_column *column, struct tk_buf *out);

/* Append the Bloom filter, if the column is to have one; returns its bytes. Likewise. */
size_t tk_parquet_column_put_bloom(struct tk_parquet_column *column, struct tk_buf *out);

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
