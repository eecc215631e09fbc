/* SPDX-License-Identifier: Apache-2.0 */
/* What a Parquet file says about itself, field by field as in parquet.thrift of
 * apache/parquet-format 2.11 (the member names are those of the format). Enumerations are numbers
 * as read: a hostile file may hold any. Bit `id` of `set` says that the field with that id is
 * there; all others are zero.
 *
 * tk_thrift_encode() and tk_thrift_decode() (parquet_thrift_internal.h) are driven by tables of
 * these structs, so that writer and reader agree by construction. */
#ifndef TK_TABLE_PARQUET_META_H
#define TK_TABLE_PARQUET_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Field `id` of a struct is there. */
#define TK_PARQUET_HAS(object, id) (((object)->set >> (id)&1) != 0)

enum tk_parquet_format_encoding {
    TK_PARQUET_ENC_PLAIN = 0,
    TK_PARQUET_ENC_PLAIN_DICTIONARY = 2, /* the old name of RLE_DICTIONARY */
    TK_PARQUET_ENC_RLE = 3,
    TK_PARQUET_ENC_BIT_PACKED = 4, /* levels of the first writers */
    TK_PARQUET_ENC_DELTA_BINARY_PACKED = 5,
    TK_PARQUET_ENC_DELTA_LENGTH_BYTE_ARRAY = 6,
    TK_PARQUET_ENC_DELTA_BYTE_ARRAY = 7,
    TK_PARQUET_ENC_RLE_DICTIONARY = 8,
    TK_PARQUET_ENC_BYTE_STREAM_SPLIT = 9,
};

enum tk_parquet_page_type {
    TK_PARQUET_PAGE_DATA = 0,
    TK_PARQUET_PAGE_INDEX = 1,
    TK_PARQUET_PAGE_DICTIONARY = 2,
    TK_PARQUET_PAGE_DATA_V2 = 3,
};

/* A struct without fields: a member of a union that has nothing to say. */
struct tk_parquet_empty {
    uint64_t set;
};

struct tk_parquet_decimal {
    uint64_t set;
    int32_t scale;     /* 1 */
    int32_t precision; /* 2 */
};

/* A union of empty structs: the set bit is the unit. */
struct tk_parquet_time_unit {
    uint64_t set;
    struct tk_parquet_empty millis; /* 1 */
    struct tk_parquet_empty micros; /* 2 */
    struct tk_parquet_empty nanos;  /* 3 */
};

struct tk_parquet_time {
    uint64_t set;
    bool is_adjusted_to_utc;          /* 1 */
    struct tk_parquet_time_unit unit; /* 2 */
};

struct tk_parquet_int_type {
    uint64_t set;
    int32_t bit_width; /* 1 */
    bool is_signed;    /* 2 */
};

/* The union LogicalType: exactly one bit is set. */
struct tk_parquet_logical_type {
    uint64_t set;
    struct tk_parquet_empty nothing; /* of every member without fields */
    struct tk_parquet_decimal decimal;
    struct tk_parquet_time time; /* of TIME and TIMESTAMP */
    struct tk_parquet_int_type integer;
};

struct tk_parquet_schema_element {
    uint64_t set;
    int32_t type;                           /* 1 */
    int32_t type_length;                    /* 2 */
    int32_t repetition_type;                /* 3 */
    tk_str name;                            /* 4 */
    int32_t num_children;                   /* 5 */
    int32_t converted_type;                 /* 6 */
    int32_t scale;                          /* 7 */
    int32_t precision;                      /* 8 */
    int32_t field_id;                       /* 9 */
    struct tk_parquet_logical_type logical; /* 10 */
};

struct tk_parquet_statistics {
    uint64_t set;
    tk_str max;              /* 1, of old writers; signed order, whatever the type */
    tk_str min;              /* 2 */
    int64_t null_count;      /* 3 */
    int64_t distinct_count;  /* 4 */
    tk_str max_value;        /* 5 */
    tk_str min_value;        /* 6 */
    bool is_max_value_exact; /* 7 */
    bool is_min_value_exact; /* 8 */
};

struct tk_parquet_encoding_stats {
    uint64_t set;
    int32_t page_type; /* 1 */
    int32_t encoding;  /* 2 */
    int32_t count;     /* 3 */
};

struct tk_parquet_column_meta {
    uint64_t set;
    int32_t type;             /* 1 */
    const int32_t *encodings; /* 2 */
    size_t encoding_count;
    const tk_str *path_in_schema; /* 3 */
    size_t path_count;
    int32_t codec;                                          /* 4 */
    int64_t num_values;                                     /* 5, nulls included */
    int64_t total_uncompressed_size;                        /* 6, page headers included */
    int64_t total_compressed_size;                          /* 7 */
    int64_t data_page_offset;                               /* 9 */
    int64_t dictionary_page_offset;                         /* 11 */
    struct tk_parquet_statistics statistics;                /* 12 */
    const struct tk_parquet_encoding_stats *encoding_stats; /* 13 */
    size_t encoding_stats_count;
    int64_t bloom_filter_offset; /* 14 */
    int32_t bloom_filter_length; /* 15 */
};

struct tk_parquet_chunk_meta {
    uint64_t set;
    tk_str file_path;                   /* 1, of chunks in other files */
    int64_t file_offset;                /* 2 */
    struct tk_parquet_column_meta meta; /* 3 */
    int64_t offset_index_offset;        /* 4 */
    int32_t offset_index_length;        /* 5 */
    int64_t column_index_offset;        /* 6 */
    int32_t column_index_length;        /* 7 */
};

struct tk_parquet_sorting_column {
    uint64_t set;
    int32_t column_idx; /* 1, a leaf */
    bool descending;    /* 2 */
    bool nulls_first;   /* 3 */
};

struct tk_parquet_row_group {
    uint64_t set;
    struct tk_parquet_chunk_meta *columns; /* 1 */
    size_t column_count;
    int64_t total_byte_size;                                 /* 2, uncompressed */
    int64_t num_rows;                                        /* 3 */
    const struct tk_parquet_sorting_column *sorting_columns; /* 4 */
    size_t sorting_count;
    int64_t file_offset;           /* 5 */
    int64_t total_compressed_size; /* 6 */
    int32_t ordinal;               /* 7 */
};

struct tk_parquet_key_value {
    uint64_t set;
    tk_str key;   /* 1 */
    tk_str value; /* 2 */
};

/* A union; TYPE_ORDER is all that there is. */
struct tk_parquet_column_order {
    uint64_t set;
    struct tk_parquet_empty type_order; /* 1 */
};

struct tk_parquet_file_meta {
    uint64_t set;
    int32_t version;                                /* 1 */
    const struct tk_parquet_schema_element *schema; /* 2, depth first, the root first */
    size_t schema_count;
    int64_t num_rows;                              /* 3 */
    const struct tk_parquet_row_group *row_groups; /* 4 */
    size_t row_group_count;
    const struct tk_parquet_key_value *key_value_metadata; /* 5 */
    size_t key_value_count;
    tk_str created_by;                                   /* 6 */
    const struct tk_parquet_column_order *column_orders; /* 7 */
    size_t column_order_count;
};

struct tk_parquet_data_page {
    uint64_t set;
    int32_t num_values;                      /* 1, nulls included */
    int32_t encoding;                        /* 2 */
    int32_t definition_level_encoding;       /* 3 */
    int32_t repetition_level_encoding;       /* 4 */
    struct tk_parquet_statistics statistics; /* 5 */
};

struct tk_parquet_dictionary_page {
    uint64_t set;
    int32_t num_values; /* 1 */
    int32_t encoding;   /* 2 */
    bool is_sorted;     /* 3 */
};

struct tk_parquet_data_page_v2 {
    uint64_t set;
    int32_t num_values;                      /* 1, nulls included */
    int32_t num_nulls;                       /* 2 */
    int32_t num_rows;                        /* 3 */
    int32_t encoding;                        /* 4 */
    int32_t definition_levels_byte_length;   /* 5 */
    int32_t repetition_levels_byte_length;   /* 6 */
    bool is_compressed;                      /* 7, true when it is not there */
    struct tk_parquet_statistics statistics; /* 8 */
};

struct tk_parquet_page_header {
    uint64_t set;
    int32_t type;                                 /* 1 */
    int32_t uncompressed_page_size;               /* 2 */
    int32_t compressed_page_size;                 /* 3 */
    int32_t crc;                                  /* 4, of the page as stored */
    struct tk_parquet_data_page data;             /* 5 */
    struct tk_parquet_dictionary_page dictionary; /* 7 */
    struct tk_parquet_data_page_v2 data_v2;       /* 8 */
};

struct tk_parquet_page_location {
    uint64_t set;
    int64_t offset;               /* 1 */
    int32_t compressed_page_size; /* 2, header included */
    int64_t first_row_index;      /* 3, in the row group */
};

struct tk_parquet_offset_index {
    uint64_t set;
    const struct tk_parquet_page_location *page_locations; /* 1 */
    size_t page_count;
};

struct tk_parquet_column_index {
    uint64_t set;
    const bool *null_pages; /* 1 */
    size_t null_page_count;
    const tk_str *min_values; /* 2 */
    size_t min_count;
    const tk_str *max_values; /* 3 */
    size_t max_count;
    int32_t boundary_order;     /* 4: 0 unordered, 1 ascending, 2 descending */
    const int64_t *null_counts; /* 5 */
    size_t null_count_count;
};

struct tk_parquet_bloom_algorithm {
    uint64_t set;
    struct tk_parquet_empty only; /* 1 */
};

struct tk_parquet_bloom_header {
    uint64_t set;
    int32_t num_bytes;                             /* 1 */
    struct tk_parquet_bloom_algorithm algorithm;   /* 2: 1 split block */
    struct tk_parquet_bloom_algorithm hash;        /* 3: 1 XXH64 */
    struct tk_parquet_bloom_algorithm compression; /* 4: 1 none */
};

#endif
