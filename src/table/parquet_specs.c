/* SPDX-License-Identifier: Apache-2.0 */
/* Where the fields of parquet.thrift lie in the structs of parquet_meta.h. */
#include "table/parquet_meta.h"
#include "table/parquet_thrift_internal.h"

#define AT(type, member) (uint16_t) offsetof(struct type, member)
#define SPEC(title, type, table)                                                                   \
    {                                                                                              \
        .name = (title), .size = sizeof(struct type), .fields = (table),                           \
        .field_count = TK_COUNTOF(table)                                                           \
    }

#define BOOL(id, type, member)                                                                     \
    {                                                                                              \
        id, TK_THRIFT_BOOL, 0, AT(type, member), 0, NULL                                           \
    }
#define I8(id, type, member)                                                                       \
    {                                                                                              \
        id, TK_THRIFT_I8, 0, AT(type, member), 0, NULL                                             \
    }
#define I16(id, type, member)                                                                      \
    {                                                                                              \
        id, TK_THRIFT_I16, 0, AT(type, member), 0, NULL                                            \
    }
#define I32(id, type, member)                                                                      \
    {                                                                                              \
        id, TK_THRIFT_I32, 0, AT(type, member), 0, NULL                                            \
    }
#define I64(id, type, member)                                                                      \
    {                                                                                              \
        id, TK_THRIFT_I64, 0, AT(type, member), 0, NULL                                            \
    }
#define TEXT(id, type, member)                                                                     \
    {                                                                                              \
        id, TK_THRIFT_TEXT, 0, AT(type, member), 0, NULL                                           \
    }
#define STRUCT(id, type, member, of)                                                               \
    {                                                                                              \
        id, TK_THRIFT_STRUCT, 0, AT(type, member), 0, of                                           \
    }
#define LIST(id, item, type, member, count, of)                                                    \
    {                                                                                              \
        id, TK_THRIFT_LIST, item, AT(type, member), AT(type, count), of                            \
    }

static const struct tk_thrift_spec empty = {"an empty struct", sizeof(struct tk_parquet_empty),
                                            NULL, 0};

static const struct tk_thrift_field decimal_fields[] = {
    I32(1, tk_parquet_decimal, scale),
    I32(2, tk_parquet_decimal, precision),
};
static const struct tk_thrift_spec decimal =
    SPEC("DecimalType", tk_parquet_decimal, decimal_fields);

static const struct tk_thrift_field time_unit_fields[] = {
    STRUCT(1, tk_parquet_time_unit, millis, &empty),
    STRUCT(2, tk_parquet_time_unit, micros, &empty),
    STRUCT(3, tk_parquet_time_unit, nanos, &empty),
};
static const struct tk_thrift_spec time_unit =
    SPEC("TimeUnit", tk_parquet_time_unit, time_unit_fields);

static const struct tk_thrift_field time_fields[] = {
    BOOL(1, tk_parquet_time, is_adjusted_to_utc),
    STRUCT(2, tk_parquet_time, unit, &time_unit),
};
static const struct tk_thrift_spec time_spec = SPEC("TimeType", tk_parquet_time, time_fields);

static const struct tk_thrift_field int_type_fields[] = {
    I8(1, tk_parquet_int_type, bit_width),
    BOOL(2, tk_parquet_int_type, is_signed),
};
static const struct tk_thrift_spec int_type = SPEC("IntType", tk_parquet_int_type, int_type_fields);

static const struct tk_thrift_field logical_fields[] = {
    STRUCT(1, tk_parquet_logical_type, nothing, &empty), /* STRING */
    STRUCT(2, tk_parquet_logical_type, nothing, &empty), /* MAP */
    STRUCT(3, tk_parquet_logical_type, nothing, &empty), /* LIST */
    STRUCT(4, tk_parquet_logical_type, nothing, &empty), /* ENUM */
    STRUCT(5, tk_parquet_logical_type, decimal, &decimal),
    STRUCT(6, tk_parquet_logical_type, nothing, &empty), /* DATE */
    STRUCT(7, tk_parquet_logical_type, time, &time_spec),
    STRUCT(8, tk_parquet_logical_type, time, &time_spec), /* TIMESTAMP */
    STRUCT(10, tk_parquet_logical_type, integer, &int_type),
    STRUCT(11, tk_parquet_logical_type, nothing, &empty), /* UNKNOWN */
    STRUCT(12, tk_parquet_logical_type, nothing, &empty), /* JSON */
    STRUCT(13, tk_parquet_logical_type, nothing, &empty), /* BSON */
    STRUCT(14, tk_parquet_logical_type, nothing, &empty), /* UUID */
    STRUCT(15, tk_parquet_logical_type, nothing, &empty), /* FLOAT16 */
};
static const struct tk_thrift_spec logical =
    SPEC("LogicalType", tk_parquet_logical_type, logical_fields);

static const struct tk_thrift_field schema_element_fields[] = {
    I32(1, tk_parquet_schema_element, type),
    I32(2, tk_parquet_schema_element, type_length),
    I32(3, tk_parquet_schema_element, repetition_type),
    TEXT(4, tk_parquet_schema_element, name),
    I32(5, tk_parquet_schema_element, num_children),
    I32(6, tk_parquet_schema_element, converted_type),
    I32(7, tk_parquet_schema_element, scale),
    I32(8, tk_parquet_schema_element, precision),
    I32(9, tk_parquet_schema_element, field_id),
    STRUCT(10, tk_parquet_schema_element, logical, &logical),
};
static const struct tk_thrift_spec schema_element =
    SPEC("SchemaElement", tk_parquet_schema_element, schema_element_fields);

static const struct tk_thrift_field statistics_fields[] = {
    TEXT(1, tk_parquet_statistics, max),
    TEXT(2, tk_parquet_statistics, min),
    I64(3, tk_parquet_statistics, null_count),
    I64(4, tk_parquet_statistics, distinct_count),
    TEXT(5, tk_parquet_statistics, max_value),
    TEXT(6, tk_parquet_statistics, min_value),
    BOOL(7, tk_parquet_statistics, is_max_value_exact),
    BOOL(8, tk_parquet_statistics, is_min_value_exact),
};
static const struct tk_thrift_spec statistics =
    SPEC("Statistics", tk_parquet_statistics, statistics_fields);

static const struct tk_thrift_field encoding_stats_fields[] = {
    I32(1, tk_parquet_encoding_stats, page_type),
    I32(2, tk_parquet_encoding_stats, encoding),
    I32(3, tk_parquet_encoding_stats, count),
};
static const struct tk_thrift_spec encoding_stats =
    SPEC("PageEncodingStats", tk_parquet_encoding_stats, encoding_stats_fields);

static const struct tk_thrift_field column_meta_fields[] = {
    I32(1, tk_parquet_column_meta, type),
    LIST(2, TK_THRIFT_I32, tk_parquet_column_meta, encodings, encoding_count, NULL),
    LIST(3, TK_THRIFT_TEXT, tk_parquet_column_meta, path_in_schema, path_count, NULL),
    I32(4, tk_parquet_column_meta, codec),
    I64(5, tk_parquet_column_meta, num_values),
    I64(6, tk_parquet_column_meta, total_uncompressed_size),
    I64(7, tk_parquet_column_meta, total_compressed_size),
    I64(9, tk_parquet_column_meta, data_page_offset),
    I64(11, tk_parquet_column_meta, dictionary_page_offset),
    STRUCT(12, tk_parquet_column_meta, statistics, &statistics),
    LIST(13, TK_THRIFT_STRUCT, tk_parquet_column_meta, encoding_stats, encoding_stats_count,
         &encoding_stats),
    I64(14, tk_parquet_column_meta, bloom_filter_offset),
    I32(15, tk_parquet_column_meta, bloom_filter_length),
};
static const struct tk_thrift_spec column_meta =
    SPEC("ColumnMetaData", tk_parquet_column_meta, column_meta_fields);

static const struct tk_thrift_field chunk_meta_fields[] = {
    TEXT(1, tk_parquet_chunk_meta, file_path),
    I64(2, tk_parquet_chunk_meta, file_offset),
    STRUCT(3, tk_parquet_chunk_meta, meta, &column_meta),
    I64(4, tk_parquet_chunk_meta, offset_index_offset),
    I32(5, tk_parquet_chunk_meta, offset_index_length),
    I64(6, tk_parquet_chunk_meta, column_index_offset),
    I32(7, tk_parquet_chunk_meta, column_index_length),
};
static const struct tk_thrift_spec chunk_meta =
    SPEC("ColumnChunk", tk_parquet_chunk_meta, chunk_meta_fields);

static const struct tk_thrift_field sorting_fields[] = {
    I32(1, tk_parquet_sorting_column, column_idx),
    BOOL(2, tk_parquet_sorting_column, descending),
    BOOL(3, tk_parquet_sorting_column, nulls_first),
};
static const struct tk_thrift_spec sorting =
    SPEC("SortingColumn", tk_parquet_sorting_column, sorting_fields);

static const struct tk_thrift_field row_group_fields[] = {
    LIST(1, TK_THRIFT_STRUCT, tk_parquet_row_group, columns, column_count, &chunk_meta),
    I64(2, tk_parquet_row_group, total_byte_size),
    I64(3, tk_parquet_row_group, num_rows),
    LIST(4, TK_THRIFT_STRUCT, tk_parquet_row_group, sorting_columns, sorting_count, &sorting),
    I64(5, tk_parquet_row_group, file_offset),
    I64(6, tk_parquet_row_group, total_compressed_size),
    I16(7, tk_parquet_row_group, ordinal),
};
static const struct tk_thrift_spec row_group =
    SPEC("RowGroup", tk_parquet_row_group, row_group_fields);

static const struct tk_thrift_field key_value_fields[] = {
    TEXT(1, tk_parquet_key_value, key),
    TEXT(2, tk_parquet_key_value, value),
};
static const struct tk_thrift_spec key_value =
    SPEC("KeyValue", tk_parquet_key_value, key_value_fields);

static const struct tk_thrift_field column_order_fields[] = {
    STRUCT(1, tk_parquet_column_order, type_order, &empty),
};
static const struct tk_thrift_spec column_order =
    SPEC("ColumnOrder", tk_parquet_column_order, column_order_fields);

static const struct tk_thrift_field file_meta_fields[] = {
    I32(1, tk_parquet_file_meta, version),
    LIST(2, TK_THRIFT_STRUCT, tk_parquet_file_meta, schema, schema_count, &schema_element),
    I64(3, tk_parquet_file_meta, num_rows),
    LIST(4, TK_THRIFT_STRUCT, tk_parquet_file_meta, row_groups, row_group_count, &row_group),
    LIST(5, TK_THRIFT_STRUCT, tk_parquet_file_meta, key_value_metadata, key_value_count,
         &key_value),
    TEXT(6, tk_parquet_file_meta, created_by),
    LIST(7, TK_THRIFT_STRUCT, tk_parquet_file_meta, column_orders, column_order_count,
         &column_order),
};
const struct tk_thrift_spec tk_parquet_spec_file_meta =
    SPEC("FileMetaData", tk_parquet_file_meta, file_meta_fields);

static const struct tk_thrift_field data_page_fields[] = {
    I32(1, tk_parquet_data_page, num_values),
    I32(2, tk_parquet_data_page, encoding),
    I32(3, tk_parquet_data_page, definition_level_encoding),
    I32(4, tk_parquet_data_page, repetition_level_encoding),
    STRUCT(5, tk_parquet_data_page, statistics, &statistics),
};
static const struct tk_thrift_spec data_page =
    SPEC("DataPageHeader", tk_parquet_data_page, data_page_fields);

static const struct tk_thrift_field dictionary_page_fields[] = {
    I32(1, tk_parquet_dictionary_page, num_values),
    I32(2, tk_parquet_dictionary_page, encoding),
    BOOL(3, tk_parquet_dictionary_page, is_sorted),
};
static const struct tk_thrift_spec dictionary_page =
    SPEC("DictionaryPageHeader", tk_parquet_dictionary_page, dictionary_page_fields);

static const struct tk_thrift_field data_page_v2_fields[] = {
    I32(1, tk_parquet_data_page_v2, num_values),
    I32(2, tk_parquet_data_page_v2, num_nulls),
    I32(3, tk_parquet_data_page_v2, num_rows),
    I32(4, tk_parquet_data_page_v2, encoding),
    I32(5, tk_parquet_data_page_v2, definition_levels_byte_length),
    I32(6, tk_parquet_data_page_v2, repetition_levels_byte_length),
    BOOL(7, tk_parquet_data_page_v2, is_compressed),
    STRUCT(8, tk_parquet_data_page_v2, statistics, &statistics),
};
static const struct tk_thrift_spec data_page_v2 =
    SPEC("DataPageHeaderV2", tk_parquet_data_page_v2, data_page_v2_fields);

static const struct tk_thrift_field page_header_fields[] = {
    I32(1, tk_parquet_page_header, type),
    I32(2, tk_parquet_page_header, uncompressed_page_size),
    I32(3, tk_parquet_page_header, compressed_page_size),
    I32(4, tk_parquet_page_header, crc),
    STRUCT(5, tk_parquet_page_header, data, &data_page),
    STRUCT(7, tk_parquet_page_header, dictionary, &dictionary_page),
    STRUCT(8, tk_parquet_page_header, data_v2, &data_page_v2),
};
const struct tk_thrift_spec tk_parquet_spec_page_header =
    SPEC("PageHeader", tk_parquet_page_header, page_header_fields);

static const struct tk_thrift_field page_location_fields[] = {
    I64(1, tk_parquet_page_location, offset),
    I32(2, tk_parquet_page_location, compressed_page_size),
    I64(3, tk_parquet_page_location, first_row_index),
};
static const struct tk_thrift_spec page_location =
    SPEC("PageLocation", tk_parquet_page_location, page_location_fields);

static const struct tk_thrift_field offset_index_fields[] = {
    LIST(1, TK_THRIFT_STRUCT, tk_parquet_offset_index, page_locations, page_count, &page_location),
};
const struct tk_thrift_spec tk_parquet_spec_offset_index =
    SPEC("OffsetIndex", tk_parquet_offset_index, offset_index_fields);

static const struct tk_thrift_field column_index_fields[] = {
    LIST(1, TK_THRIFT_BOOL, tk_parquet_column_index, null_pages, null_page_count, NULL),
    LIST(2, TK_THRIFT_TEXT, tk_parquet_column_index, min_values, min_count, NULL),
    LIST(3, TK_THRIFT_TEXT, tk_parquet_column_index, max_values, max_count, NULL),
    I32(4, tk_parquet_column_index, boundary_order),
    LIST(5, TK_THRIFT_I64, tk_parquet_column_index, null_counts, null_count_count, NULL),
};
const struct tk_thrift_spec tk_parquet_spec_column_index =
    SPEC("ColumnIndex", tk_parquet_column_index, column_index_fields);

static const struct tk_thrift_field bloom_algorithm_fields[] = {
    STRUCT(1, tk_parquet_bloom_algorithm, only, &empty),
};
static const struct tk_thrift_spec bloom_algorithm =
    SPEC("a choice of BloomFilterHeader", tk_parquet_bloom_algorithm, bloom_algorithm_fields);

static const struct tk_thrift_field bloom_header_fields[] = {
    I32(1, tk_parquet_bloom_header, num_bytes),
    STRUCT(2, tk_parquet_bloom_header, algorithm, &bloom_algorithm),
    STRUCT(3, tk_parquet_bloom_header, hash, &bloom_algorithm),
    STRUCT(4, tk_parquet_bloom_header, compression, &bloom_algorithm),
};
const struct tk_thrift_spec tk_parquet_spec_bloom_header =
    SPEC("BloomFilterHeader", tk_parquet_bloom_header, bloom_header_fields);
