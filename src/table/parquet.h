/* SPDX-License-Identifier: Apache-2.0 */
/* Parquet files (https://parquet.apache.org, parquet-format 2.11), written and read without any
 * library of theirs.
 *
 * A schema is a list of nodes, depth first, the root left out. A table of plain columns is
 *
 *     static const struct tk_parquet_node fragments[] = {
 *         {"id", TK_PARQUET_I32},
 *         {"duration", TK_PARQUET_I64},
 *         {"name", TK_PARQUET_BYTES, TK_PARQUET_OPTIONAL, TK_PARQUET_STRING},
 *     };
 *
 * and a list is a group of a group of an element (a map: "key_value" with "key" and "value"):
 *
 *         {"parents", TK_PARQUET_GROUP, TK_PARQUET_OPTIONAL, TK_PARQUET_LIST, .children = 1},
 *         {"list", TK_PARQUET_GROUP, TK_PARQUET_REPEATED, .children = 1},
 *         {"element", TK_PARQUET_I32, TK_PARQUET_OPTIONAL},
 *
 * What holds values is a column: the nodes without groups, counted from 0.
 *
 * Writing: columns take any number of values per call, in any order of columns, and the caller says
 * when all of them hold the same rows:
 *
 *     tk_parquet_writer_new(fragments, TK_COUNTOF(fragments), &opts, &sink, &writer, err);
 *     while (more rows) {
 *         tk_parquet_add_i32(writer, 0, ids, n);
 *         tk_parquet_add_i64(writer, 1, durations, n);
 *         tk_parquet_add_texts(writer, 2, names, n);
 *         rc = tk_parquet_writer_write(writer, err);
 *     }
 *     rc = tk_parquet_writer_close(writer, err);
 *     tk_parquet_writer_free(writer);
 *
 * Columns are encoded and compressed page by page as they fill, so that memory holds one compressed
 * row group. The module does no I/O: bytes go to a sink, in the order of the file. Objects are for
 * one thread at a time. */
#ifndef TK_TABLE_PARQUET_H
#define TK_TABLE_PARQUET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "table/parquet_meta.h"

/* Schemas --------------------------------------------------------------------------- */

/* Physical types; the numbers are those of the format. */
enum tk_parquet_type {
    TK_PARQUET_BOOL = 0,
    TK_PARQUET_I32 = 1,
    TK_PARQUET_I64 = 2,
    TK_PARQUET_I96 = 3, /* read only, as FIXED of 12 bytes: times of old writers */
    TK_PARQUET_F32 = 4,
    TK_PARQUET_F64 = 5,
    TK_PARQUET_BYTES = 6, /* BYTE_ARRAY: text and bytes of any length */
    TK_PARQUET_FIXED = 7, /* FIXED_LEN_BYTE_ARRAY */
    TK_PARQUET_GROUP = 8, /* ours: a node with children */
};

enum tk_parquet_repetition {
    TK_PARQUET_REQUIRED = 0,
    TK_PARQUET_OPTIONAL = 1,
    TK_PARQUET_REPEATED = 2,
};

/* What the values mean. */
enum tk_parquet_logical {
    TK_PARQUET_RAW = 0, /* no more than the physical type says */
    TK_PARQUET_STRING,  /* UTF-8, of BYTES */
    TK_PARQUET_ENUM,
    TK_PARQUET_JSON,
    TK_PARQUET_BSON,
    TK_PARQUET_UUID,    /* of FIXED of 16 bytes */
    TK_PARQUET_FLOAT16, /* of FIXED of 2 bytes */
    TK_PARQUET_DECIMAL, /* of I32, I64, BYTES or FIXED */
    TK_PARQUET_DATE,    /* days since 1970, of I32 */
    TK_PARQUET_TIME_MS, /* since midnight, of I32 */
    TK_PARQUET_TIME_US, /* of I64 */
    TK_PARQUET_TIME_NS,
    TK_PARQUET_TIMESTAMP_MS, /* since 1970, of I64; UTC unless `local` */
    TK_PARQUET_TIMESTAMP_US,
    TK_PARQUET_TIMESTAMP_NS, /* Spark refuses it */
    TK_PARQUET_INT8,         /* of I32 */
    TK_PARQUET_INT16,
    TK_PARQUET_INT32,
    TK_PARQUET_INT64, /* of I64 */
    TK_PARQUET_UINT8, /* of I32 */
    TK_PARQUET_UINT16,
    TK_PARQUET_UINT32,
    TK_PARQUET_UINT64, /* of I64 */
    TK_PARQUET_INTERVAL,
    TK_PARQUET_NULLS, /* UNKNOWN: nothing but nulls */
    TK_PARQUET_LIST,  /* of a GROUP */
    TK_PARQUET_MAP,   /* of a GROUP */
};

/* How the writer lays out values; the reader takes whatever there is. */
enum tk_parquet_encoding {
    TK_PARQUET_ENCODE_AUTO = 0, /* what turns out smallest */
    TK_PARQUET_ENCODE_PLAIN,
    TK_PARQUET_ENCODE_DICTIONARY, /* as long as it stays small, then as AUTO; not of BOOL */
    TK_PARQUET_ENCODE_DELTA,      /* DELTA_BINARY_PACKED of I32 and I64, DELTA_LENGTH of BYTES */
    TK_PARQUET_ENCODE_SPLIT,      /* BYTE_STREAM_SPLIT of F32 and F64 */
    TK_PARQUET_ENCODE_RLE,        /* of BOOL */
};

/* Zero is the default of every member but the first two. */
struct tk_parquet_node {
    const char *name; /* unique among its siblings */
    enum tk_parquet_type type;
    enum tk_parquet_repetition repetition;
    enum tk_parquet_logical logical;
    uint32_t children;                 /* of a GROUP, 1 or more: the nodes that follow */
    uint32_t fixed_bytes;              /* of FIXED */
    int32_t precision, scale;          /* of DECIMAL */
    enum tk_parquet_encoding encoding; /* writer: one that the type has (-EINVAL) */
    int level;  /* writer: of zstd, 1..19; 0 = the file's. Random ids gain nothing above 1 */
    bool bloom; /* writer: a Bloom filter; of STRING and I64 only (-EINVAL): others are unsafe */
    bool local; /* times are not UTC but of wherever one is */
};

/* A column: a node that holds values. */
struct tk_parquet_leaf {
    size_t node;     /* index in the nodes */
    uint8_t max_def; /* definition level of a value that is there; at most 32 */
    uint8_t max_rep; /* 0 = one value a row */
};

/* Compression; the numbers are those of the format. */
enum tk_parquet_codec {
    TK_PARQUET_UNCOMPRESSED = 0,
    TK_PARQUET_SNAPPY = 1,
    TK_PARQUET_GZIP = 2,
    TK_PARQUET_BROTLI = 4, /* read only */
    TK_PARQUET_ZSTD = 6,
    TK_PARQUET_LZ4_RAW = 7,
};

/* The codec of that name ("none", "snappy", "gzip", "zstd", "lz4_raw", ...), or -EINVAL with all
 * names in `err`; -EOPNOTSUPP when this build has not the library. */
TK_MUST_USE int tk_parquet_codec_parse(tk_str name, enum tk_parquet_codec *ret_codec,
                                       struct tk_err *err);

/* The name of a codec, an encoding, a physical or logical type; numbers that the format lacks give
 * "unknown". */
const char *tk_parquet_codec_name(int32_t codec);
const char *tk_parquet_encoding_name(int32_t encoding);
const char *tk_parquet_type_name(int32_t type);
const char *tk_parquet_logical_name(enum tk_parquet_logical logical);

/* Writing ---------------------------------------------------------------------------- */

/* Takes the bytes of the file, in order. A failure (negative errno, `err` set) ends the writing. */
struct tk_parquet_sink {
    int (*write)(void *user, tk_str bytes, struct tk_err *err);
    void *user;
};

struct tk_parquet_sorting {
    uint32_t column;
    bool descending;
    bool nulls_first;
};

struct tk_parquet_opts {
    enum tk_parquet_codec codec;
    int level;              /* of zstd 1..19 (0 = 3) and gzip 1..12 (0 = 6) */
    size_t row_group_rows;  /* 0 = 262,144 */
    size_t row_group_bytes; /* of encoded and compressed columns; 0 = 128 MiB */
    size_t page_rows;       /* 0 = 32,768 */
    size_t page_bytes;      /* of values as they come; 0 = 1 MiB */
    bool classic;           /* PLAIN and RLE_DICTIONARY only: for readers of 2013 */
    const struct tk_parquet_sorting *sorting; /* how the caller's rows are sorted; copied */
    size_t sorting_count;
};

struct tk_parquet_writer;

/* A writer of this schema, which stays borrowed until the writer is freed, as `sink` does not.
 *
 * Fails with -EINVAL when the schema is none (`err` names the node), -EOPNOTSUPP when this build
 * lacks the codec, -ENOMEM. */
TK_MUST_USE int tk_parquet_writer_new(const struct tk_parquet_node *nodes, size_t node_count,
                                      const struct tk_parquet_opts *opts,
                                      const struct tk_parquet_sink *sink,
                                      struct tk_parquet_writer **ret_writer, struct tk_err *err);

/* Metadata of the file, any time before the end; both are copied. Sticky. */
void tk_parquet_writer_add_pair(struct tk_parquet_writer *writer, const char *key, tk_str value);

/* Append `n` values to a column of that type (asserted) that is not repeated: one per row, none of
 * them null. FIXED takes texts of its length. Sticky: a failure shows in tk_parquet_writer_write().
 */
void tk_parquet_add_bools(struct tk_parquet_writer *writer, size_t column, const bool *values,
                          size_t n);
void tk_parquet_add_i32(struct tk_parquet_writer *writer, size_t column, const int32_t *values,
                        size_t n);
void tk_parquet_add_i64(struct tk_parquet_writer *writer, size_t column, const int64_t *values,
                        size_t n);
void tk_parquet_add_f32(struct tk_parquet_writer *writer, size_t column, const float *values,
                        size_t n);
void tk_parquet_add_f64(struct tk_parquet_writer *writer, size_t column, const double *values,
                        size_t n);
void tk_parquet_add_texts(struct tk_parquet_writer *writer, size_t column, const tk_str *values,
                          size_t n);

/* Append texts of one length, `each` bytes, that lie one after the other; otherwise as
 * tk_parquet_add_levels() for a column of BYTES that is not repeated. For ids: costs a copy. */
void tk_parquet_add_packed(struct tk_parquet_writer *writer, size_t column, const char *bytes,
                           size_t each, const uint8_t *def, size_t n);

/* Values as numbers of texts that the caller has. `get` gives the text of an id below `count`; the
 * view stays valid until tk_parquet_add_ids() returns. */
struct tk_parquet_ids {
    tk_str (*get)(void *user, uint32_t id);
    void *user;
    uint32_t count;
    const uint32_t *ids; /* those that are there */
};

/* As tk_parquet_add_levels(), for a column of BYTES whose values are numbers of texts. They become
 * a dictionary where that pays, and then each text is looked at once, not each value: 2 to 3 ns a
 * value however long the texts. One call with all rows of a row group is cheapest. */
void tk_parquet_add_ids(struct tk_parquet_writer *writer, size_t column,
                        const struct tk_parquet_ids *ids, const uint8_t *def, const uint8_t *rep,
                        size_t n);

/* Append `n` rows that have no value in this column, which is optional or below a node that is
 * (asserted): the outermost such node is null. */
void tk_parquet_add_nulls(struct tk_parquet_writer *writer, size_t column, size_t n);

/* Append entries with their levels, the general form.
 *
 *   values  of the column's type, only those that are there (definition level = max_def)
 *   def     [n] definition levels, 0..max_def; NULL = all are max_def
 *   rep     [n] repetition levels: 0 begins a row; NULL when max_rep is 0. A call begins a row.
 */
void tk_parquet_add_levels(struct tk_parquet_writer *writer, size_t column, const void *values,
                           const uint8_t *def, const uint8_t *rep, size_t n);

/* Append one row to the column of a three-level LIST: `n` elements, none of them null; 0 = an empty
 * list. `values` is of the column's type. */
void tk_parquet_add_list(struct tk_parquet_writer *writer, size_t column, const void *values,
                         size_t n);

/* Every column holds the same rows now (-EINVAL names one that does not): a row group that is full
 * goes to the sink. It is closed early when another call as large as the last one might pass the
 * limit of rows. Returns 0, or the first failure since the writer was made. */
TK_MUST_USE int tk_parquet_writer_write(struct tk_parquet_writer *writer, struct tk_err *err);

/* Write what is left and the footer; without rows, too. Only tk_parquet_writer_free() may follow.
 */
TK_MUST_USE int tk_parquet_writer_close(struct tk_parquet_writer *writer, struct tk_err *err);

/* Rows that tk_parquet_writer_write() has taken, and bytes that went to the sink. */
uint64_t tk_parquet_writer_rows(const struct tk_parquet_writer *writer);
uint64_t tk_parquet_writer_bytes(const struct tk_parquet_writer *writer);

/* Accepts NULL; writes nothing. */
void tk_parquet_writer_free(struct tk_parquet_writer *writer);

/* For TK_CLEANUP. */
void tk_parquet_writer_freep(struct tk_parquet_writer **writer);

#endif
