/* SPDX-License-Identifier: Apache-2.0 */
/* What the writer leaves behind columns: chunks, statistics, the two page indexes, the footer. */
#include <errno.h>
#include <string.h>

#include "table/parquet_writer_internal.h"

/* A row group ------------------------------------------------------------------------------- */

void tk_parquet_writer_put(struct tk_parquet_writer *writer, tk_str bytes)
{
    if (writer->err.code < 0 || bytes.n == 0)
        return;
    if (writer->sink.write(writer->sink.user, bytes, &writer->err) == 0)
        writer->offset += bytes.n;
}

static void *alloc(struct tk_parquet_writer *writer, size_t count, size_t size)
{
    void *p = tk_arena_alloc(&writer->arena, count * size);
    if (!p && writer->err.code == 0)
        (void)tk_fail(&writer->err, -EMSGSIZE, "the footer is too large: too many row groups");
    if (p)
        memset(p, 0, count * size);
    return p;
}

static tk_str copy_bound(struct tk_parquet_writer *writer, const struct tk_parquet_bound *bound)
{
    char *p = alloc(writer, 1, bound->n + 1U);
    if (p)
        memcpy(p, bound->bytes, bound->n);
    return (tk_str){p, p ? bound->n : 0};
}

static struct tk_parquet_statistics statistics_of(struct tk_parquet_writer *writer,
                                                  const struct tk_parquet_column *column)
{
    const struct tk_parquet_bounds *bounds = &column->bounds;
    struct tk_parquet_statistics statistics = {.set = 1U << 3,
                                               .null_count = (int64_t)column->chunk_nulls};
    if (!bounds->has || bounds->lost)
        return statistics;
    statistics.set |= 1U << 5 | 1U << 6 | 1U << 7 | 1U << 8;
    statistics.max_value = copy_bound(writer, &bounds->max);
    statistics.min_value = copy_bound(writer, &bounds->min);
    statistics.is_max_value_exact = bounds->max.exact;
    statistics.is_min_value_exact = bounds->min.exact;
    return statistics;
}

/* The encodings of the chunk's data pages, and of its levels. */
static void list_encodings(struct tk_parquet_writer *writer, const struct tk_parquet_column *column,
                           struct tk_parquet_column_meta *meta)
{
    int32_t *list = alloc(writer, TK_COUNTOF(column->page_counts) + 2, sizeof(*list));
    struct tk_parquet_encoding_stats *stats =
        alloc(writer, TK_COUNTOF(column->page_counts) + 1, sizeof(*stats));
    if (!list || !stats)
        return;
    if (column->page_counts[TK_PARQUET_ENC_RLE_DICTIONARY] > 0) {
        stats[meta->encoding_stats_count++] = (struct tk_parquet_encoding_stats){
            1U << 1 | 1U << 2 | 1U << 3, TK_PARQUET_PAGE_DICTIONARY, TK_PARQUET_ENC_PLAIN, 1};
        if (column->page_counts[TK_PARQUET_ENC_PLAIN] == 0)
            list[meta->encoding_count++] = TK_PARQUET_ENC_PLAIN;
    }
    for (int32_t e = 0; (size_t)e < TK_COUNTOF(column->page_counts); e++) {
        if (column->page_counts[e] == 0)
            continue;
        list[meta->encoding_count++] = e;
        stats[meta->encoding_stats_count++] = (struct tk_parquet_encoding_stats){
            1U << 1 | 1U << 2 | 1U << 3, TK_PARQUET_PAGE_DATA, e, column->page_counts[e]};
    }
    if (column->leaf->max_def > 0 && column->page_counts[TK_PARQUET_ENC_RLE] == 0)
        list[meta->encoding_count++] = TK_PARQUET_ENC_RLE;
    meta->encodings = list;
    meta->encoding_stats = stats;
}

/* The format's BoundaryOrder: the bounds of the pages rise all along (1), fall (2), or neither. */
static int order_of_pages(const struct tk_parquet_column *column,
                          const struct tk_parquet_page *pages, size_t n)
{
    bool rises = true;
    bool falls = true;
    const struct tk_parquet_bounds *before = NULL;
    for (size_t i = 0; i < n; i++) {
        const struct tk_parquet_bounds *bounds = &pages[i].bounds;
        if (!bounds->has)
            continue;
        int min = before ? tk_parquet_bound_cmp(column->node, &before->min, &bounds->min) : 0;
        int max = before ? tk_parquet_bound_cmp(column->node, &before->max, &bounds->max) : 0;
        rises = rises && min <= 0 && max <= 0;
        falls = falls && min >= 0 && max >= 0;
        before = bounds;
    }
    return rises ? 1 : falls ? 2 : 0;
}

/* What the two indexes of a chunk consist of, [pages] each. */
struct index_lists {
    bool *null_pages;
    tk_str *mins;
    tk_str *maxs;
    int64_t *null_counts;
    struct tk_parquet_page_location *places;
};

static bool index_lists_init(struct index_lists *lists, struct tk_parquet_writer *writer, size_t n)
{
    lists->null_pages = alloc(writer, n, sizeof(*lists->null_pages));
    lists->mins = alloc(writer, n, sizeof(*lists->mins));
    lists->maxs = alloc(writer, n, sizeof(*lists->maxs));
    lists->null_counts = alloc(writer, n, sizeof(*lists->null_counts));
    lists->places = alloc(writer, n, sizeof(*lists->places));
    return lists->null_pages && lists->mins && lists->maxs && lists->null_counts && lists->places;
}

static void put_offset_index(struct tk_parquet_writer *writer, const struct index_lists *lists,
                             size_t n, struct tk_parquet_chunk_meta *chunk)
{
    struct tk_parquet_offset_index index = {1U << 1, lists->places, n};
    size_t at = writer->offset_indexes.n;
    tk_thrift_encode(&tk_parquet_spec_offset_index, &index, &writer->offset_indexes);
    chunk->offset_index_offset = (int64_t)at;
    chunk->offset_index_length = (int32_t)(writer->offset_indexes.n - at);
    chunk->set |= 1U << 4 | 1U << 5;
}

static void put_column_index(struct tk_parquet_writer *writer, const struct index_lists *lists,
                             size_t n, int order, struct tk_parquet_chunk_meta *chunk)
{
    struct tk_parquet_column_index index = {
        .set = 1U << 1 | 1U << 2 | 1U << 3 | 1U << 4 | 1U << 5,
        .null_pages = lists->null_pages,
        .null_page_count = n,
        .min_values = lists->mins,
        .min_count = n,
        .max_values = lists->maxs,
        .max_count = n,
        .boundary_order = order,
        .null_counts = lists->null_counts,
        .null_count_count = n,
    };
    size_t at = writer->column_indexes.n;
    tk_thrift_encode(&tk_parquet_spec_column_index, &index, &writer->column_indexes);
    chunk->column_index_offset = (int64_t)at;
    chunk->column_index_length = (int32_t)(writer->column_indexes.n - at);
    chunk->set |= 1U << 6 | 1U << 7;
}

/* The indexes of the chunk's pages. That of the columns wants bounds of every page that holds a
 * value, or it is left out. */
static void put_indexes(struct tk_parquet_writer *writer, const struct tk_parquet_column *column,
                        struct tk_parquet_chunk_meta *chunk)
{
    const struct tk_parquet_page *pages =
        (const struct tk_parquet_page *)(const void *)column->page_list.p;
    size_t n = column->page_list.n / sizeof(*pages);
    struct index_lists lists;
    if (!index_lists_init(&lists, writer, n))
        return;
    bool all_bounded = true;
    for (size_t i = 0; i < n; i++) {
        const struct tk_parquet_bounds *bounds = &pages[i].bounds;
        lists.places[i] = (struct tk_parquet_page_location){
            .set = 1U << 1 | 1U << 2 | 1U << 3,
            .offset = chunk->meta.data_page_offset + (int64_t)pages[i].at,
            .compressed_page_size = (int32_t)pages[i].stored_bytes,
            .first_row_index = (int64_t)pages[i].first_row,
        };
        lists.null_counts[i] = (int64_t)pages[i].nulls;
        lists.null_pages[i] = pages[i].entries == pages[i].nulls;
        all_bounded = all_bounded && (bounds->has || lists.null_pages[i]);
        lists.mins[i] = (tk_str){bounds->min.bytes, bounds->has ? bounds->min.n : 0};
        lists.maxs[i] = (tk_str){bounds->max.bytes, bounds->has ? bounds->max.n : 0};
    }
    if (all_bounded)
        put_column_index(writer, &lists, n, order_of_pages(column, pages, n), chunk);
    put_offset_index(writer, &lists, n, chunk);
}

/* Bring a column's chunk to the sink, and say in `chunk` what it is. */
static void write_chunk(struct tk_parquet_writer *writer, size_t i,
                        struct tk_parquet_chunk_meta *chunk)
{
    struct tk_parquet_column *column = &writer->columns[i];
    struct tk_parquet_column_meta *meta = &chunk->meta;
    uint64_t start = writer->offset;
    tk_buf_reset(&writer->dictionary_page);
    size_t dictionary = tk_parquet_column_put_dictionary(column, &writer->dictionary_page);
    chunk->set = 1U << 2 | 1U << 3;
    *meta = (struct tk_parquet_column_meta){
        .set = 1U << 1 | 1U << 2 | 1U << 3 | 1U << 4 | 1U << 5 | 1U << 6 | 1U << 7 | 1U << 9 |
               1U << 12 | 1U << 13,
        .type = (int32_t)column->node->type,
        .path_in_schema = writer->paths[i].names,
        .path_count = writer->paths[i].n,
        .codec = (int32_t)writer->opts.codec,
        .num_values = (int64_t)column->chunk_entries,
        .total_uncompressed_size = (int64_t)column->raw_bytes,
        .total_compressed_size = (int64_t)(dictionary + column->pages.n),
        .data_page_offset = (int64_t)(start + dictionary),
        .dictionary_page_offset = (int64_t)start,
        .statistics = statistics_of(writer, column),
    };
    meta->set |= dictionary > 0 ? 1U << 11 : 0;
    list_encodings(writer, column, meta);
    put_indexes(writer, column, chunk);
    meta->bloom_filter_offset = (int64_t)writer->blooms.n; /* behind the row group's last chunk */
    meta->bloom_filter_length = (int32_t)tk_parquet_column_put_bloom(column, &writer->blooms);
    meta->set |= meta->bloom_filter_length > 0 ? 1U << 14 | 1U << 15 : 0;
    tk_parquet_writer_put(writer, tk_buf_str(&writer->dictionary_page));
    tk_parquet_writer_put(writer, tk_buf_str(&column->pages));
    tk_parquet_column_reset(column);
}

static const struct tk_parquet_sorting_column *sorting_of(struct tk_parquet_writer *writer)
{
    size_t n = writer->opts.sorting_count;
    struct tk_parquet_sorting_column *list = alloc(writer, n + 1, sizeof(*list));
    for (size_t i = 0; list && i < n; i++) {
        list[i] = (struct tk_parquet_sorting_column){
            .set = 1U << 1 | 1U << 2 | 1U << 3,
            .column_idx = (int32_t)writer->opts.sorting[i].column,
            .descending = writer->opts.sorting[i].descending,
            .nulls_first = writer->opts.sorting[i].nulls_first,
        };
    }
    return list;
}

void tk_parquet_writer_end_group(struct tk_parquet_writer *writer)
{
    size_t n = writer->schema.leaf_count;
    struct tk_parquet_chunk_meta *chunks = alloc(writer, n, sizeof(*chunks));
    struct tk_parquet_row_group group = {
        .set = 1U << 1 | 1U << 2 | 1U << 3 | 1U << 5 | 1U << 6 |
               (writer->opts.sorting_count > 0 ? 1U << 4 : 0),
        .columns = chunks,
        .column_count = n,
        .num_rows = (int64_t)writer->group_rows,
        .sorting_columns = sorting_of(writer),
        .sorting_count = writer->opts.sorting_count,
        .file_offset = (int64_t)writer->offset,
    };
    size_t ordinal = writer->row_groups.n / sizeof(group);
    if (ordinal <= INT16_MAX) {
        group.set |= 1U << 7;
        group.ordinal = (int32_t)ordinal;
    }
    for (size_t i = 0; i < n; i++)
        tk_parquet_column_end_page(&writer->columns[i]);
    for (size_t i = 0; i < n && writer->err.code == 0; i++) {
        write_chunk(writer, i, &chunks[i]);
        group.total_byte_size += chunks[i].meta.total_uncompressed_size;
        group.total_compressed_size += chunks[i].meta.total_compressed_size;
    }
    for (size_t i = 0; chunks && i < n; i++)
        chunks[i].meta.bloom_filter_offset += (int64_t)writer->offset;
    tk_parquet_writer_put(writer, tk_buf_str(&writer->blooms));
    tk_buf_reset(&writer->blooms);
    writer->group_rows = 0;
    tk_buf_put(&writer->row_groups, (tk_str){(const char *)&group, sizeof(group)});
}

/* The end ------------------------------------------------------------------------------------- */

/* Where the indexes lie is known only now. */
void tk_parquet_writer_put_indexes(struct tk_parquet_writer *writer)
{
    struct tk_parquet_row_group *groups =
        (struct tk_parquet_row_group *)(void *)writer->row_groups.p;
    size_t n = writer->row_groups.n / sizeof(*groups);
    int64_t columns = (int64_t)writer->offset;
    int64_t offsets = columns + (int64_t)writer->column_indexes.n;
    for (size_t g = 0; g < n; g++) {
        struct tk_parquet_chunk_meta *chunks = groups[g].columns;
        for (size_t i = 0; i < groups[g].column_count; i++) {
            chunks[i].column_index_offset += columns;
            chunks[i].offset_index_offset += offsets;
        }
    }
    tk_parquet_writer_put(writer, tk_buf_str(&writer->column_indexes));
    tk_parquet_writer_put(writer, tk_buf_str(&writer->offset_indexes));
}

void tk_parquet_put_footer(const struct tk_parquet_file_meta *meta, struct tk_buf *out)
{
    tk_thrift_encode(&tk_parquet_spec_file_meta, meta, out);
    uint32_t length = (uint32_t)out->n;
    tk_buf_put(out, (tk_str){(const char *)&length, sizeof(length)});
    tk_buf_lit(out, TK_PARQUET_MAGIC);
}

void tk_parquet_writer_put_footer(struct tk_parquet_writer *writer, struct tk_buf *out)
{
    size_t n = writer->schema.leaf_count;
    struct tk_parquet_column_order *orders = alloc(writer, n + 1, sizeof(*orders));
    for (size_t i = 0; orders && i < n; i++)
        orders[i].set = 1U << 1;
    struct tk_parquet_file_meta meta = {
        .set = 1U << 1 | 1U << 2 | 1U << 3 | 1U << 4 | 1U << 6 | 1U << 7 |
               (writer->pairs.n > 0 ? 1U << 5 : 0),
        .version = 1,
        .schema = tk_parquet_schema_elements(&writer->schema, &writer->arena),
        .schema_count = writer->schema.node_count + 1,
        .num_rows = (int64_t)writer->rows,
        .row_groups = (const struct tk_parquet_row_group *)(void *)writer->row_groups.p,
        .row_group_count = writer->row_groups.n / sizeof(struct tk_parquet_row_group),
        .key_value_metadata = (const struct tk_parquet_key_value *)(void *)writer->pairs.p,
        .key_value_count = writer->pairs.n / sizeof(struct tk_parquet_key_value),
        .created_by = TK_STR("tracekit version " TK_VERSION),
        .column_orders = orders,
        .column_order_count = n,
    };
    if (!meta.schema || !orders) {
        (void)tk_fail(&writer->err, -EMSGSIZE, "the footer is too large");
        return;
    }
    tk_parquet_put_footer(&meta, out);
}
