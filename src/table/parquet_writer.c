/* SPDX-License-Identifier: Apache-2.0 */
/* The file: "PAR1", row groups (each the chunks of all columns), column indexes, offset indexes,
 * footer, length of the footer, "PAR1". */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "table/parquet_internal.h"

#define ARENA_BYTES ((size_t)512 << 20) /* of address space */

/* The names from the root to a column. */
struct path {
    tk_str *names;
    size_t n;
};

struct tk_parquet_writer {
    struct tk_parquet_opts opts;
    struct tk_parquet_sink sink;
    struct tk_parquet_schema schema;
    struct tk_arena arena; /* what the footer will say */
    struct tk_parquet_codecs codecs;
    struct tk_parquet_column *columns; /* [schema.leaf_count] */
    struct path *paths;                /* of each column */
    struct tk_buf row_groups;          /* struct tk_parquet_row_group[] */
    struct tk_buf pairs;               /* struct tk_parquet_key_value[] */
    struct tk_buf column_indexes;      /* encoded; chunks say where in here until the end */
    struct tk_buf offset_indexes;
    uint64_t offset;     /* in the file */
    uint64_t group_rows; /* of the open row group */
    uint64_t rows;
    uint64_t last_rows; /* that the last call brought */
    struct tk_err err;  /* the first failure; code 0 = none */
};

/* Making ------------------------------------------------------------------------------------ */

static struct tk_parquet_opts with_defaults(const struct tk_parquet_opts *opts)
{
    struct tk_parquet_opts full = *opts;
    full.row_group_rows = full.row_group_rows ? full.row_group_rows : 262144;
    full.row_group_bytes = full.row_group_bytes ? full.row_group_bytes : (size_t)128 << 20;
    full.page_rows = full.page_rows ? full.page_rows : 32768;
    full.page_bytes = full.page_bytes ? full.page_bytes : (size_t)1 << 20;
    return full;
}

static int make_column(struct tk_parquet_writer *writer, size_t i)
{
    const char *names[TK_PARQUET_DEPTH];
    const struct tk_parquet_leaf *leaf = &writer->schema.leaves[i];
    struct tk_parquet_column *column = &writer->columns[i];
    column->leaf = leaf;
    column->node = &writer->schema.nodes[leaf->node];
    column->opts = &writer->opts;
    column->codecs = &writer->codecs;
    column->err = &writer->err;
    tk_parquet_column_init(column);
    size_t n = tk_parquet_path(&writer->schema, leaf->node, names);
    struct path *path = &writer->paths[i];
    *path = (struct path){tk_arena_alloc(&writer->arena, n * sizeof(tk_str)), n};
    for (size_t k = 0; path->names && k < n; k++)
        path->names[k] = tk_str_from(names[k]);
    return path->names ? 0 : -ENOMEM;
}

static int make_columns(struct tk_parquet_writer *writer, struct tk_err *err)
{
    size_t n = writer->schema.leaf_count;
    writer->columns = calloc(n + 1, sizeof(*writer->columns));
    writer->paths = tk_arena_alloc(&writer->arena, (n + 1) * sizeof(*writer->paths));
    if (!writer->columns || !writer->paths)
        return tk_fail(err, -ENOMEM, "%zu columns: out of memory", n);
    for (size_t i = 0; i < n; i++) {
        const struct tk_parquet_node *node = &writer->schema.nodes[writer->schema.leaves[i].node];
        if (node->type == TK_PARQUET_I96)
            return tk_fail(err, -EINVAL, "column %s: int96 is of old files only", node->name);
        if (make_column(writer, i) < 0)
            return tk_fail(err, -ENOMEM, "%zu columns: out of memory", n);
    }
    return 0;
}

static int check_opts(const struct tk_parquet_opts *opts, const struct tk_parquet_schema *schema,
                      struct tk_err *err)
{
    int rc = tk_parquet_codec_check((int32_t)opts->codec, true, err);
    for (size_t i = 0; rc == 0 && i < opts->sorting_count; i++) {
        if (opts->sorting[i].column >= schema->leaf_count) {
            rc = tk_fail(err, -EINVAL, "sorted by column %u of %zu", opts->sorting[i].column,
                         schema->leaf_count);
        }
    }
    return rc;
}

int tk_parquet_writer_new(const struct tk_parquet_node *nodes, size_t node_count,
                          const struct tk_parquet_opts *opts, const struct tk_parquet_sink *sink,
                          struct tk_parquet_writer **ret_writer, struct tk_err *err)
{
    struct tk_parquet_writer *writer = calloc(1, sizeof(*writer));
    if (!writer)
        return tk_fail(err, -ENOMEM, "parquet: out of memory");
    writer->opts = with_defaults(opts);
    writer->sink = *sink;
    writer->codecs = (struct tk_parquet_codecs){.codec = opts->codec, .level = opts->level};
    tk_buf_init(&writer->row_groups, INT32_MAX);
    tk_buf_init(&writer->pairs, INT32_MAX);
    tk_buf_init(&writer->column_indexes, INT32_MAX);
    tk_buf_init(&writer->offset_indexes, INT32_MAX);
    int rc = tk_arena_init(&writer->arena, ARENA_BYTES, err);
    if (rc == 0)
        rc = tk_parquet_schema_init(&writer->schema, nodes, node_count, &writer->arena, err);
    if (rc == 0)
        rc = check_opts(opts, &writer->schema, err);
    if (rc == 0)
        rc = make_columns(writer, err);
    if (rc < 0) {
        tk_parquet_writer_free(writer);
        return rc;
    }
    *ret_writer = writer;
    return 0;
}

void tk_parquet_writer_free(struct tk_parquet_writer *writer)
{
    if (!writer)
        return;
    for (size_t i = 0; writer->columns && i < writer->schema.leaf_count; i++)
        tk_parquet_column_release(&writer->columns[i]);
    free(writer->columns);
    tk_parquet_codecs_release(&writer->codecs);
    tk_buf_release(&writer->row_groups);
    tk_buf_release(&writer->pairs);
    tk_buf_release(&writer->column_indexes);
    tk_buf_release(&writer->offset_indexes);
    tk_arena_release(&writer->arena);
    free(writer);
}

void tk_parquet_writer_freep(struct tk_parquet_writer **writer)
{
    tk_parquet_writer_free(*writer);
}

uint64_t tk_parquet_writer_rows(const struct tk_parquet_writer *writer)
{
    return writer->rows;
}

uint64_t tk_parquet_writer_bytes(const struct tk_parquet_writer *writer)
{
    return writer->offset;
}

/* Adding ------------------------------------------------------------------------------------ */

static struct tk_parquet_column *column_of(struct tk_parquet_writer *writer, size_t column,
                                           enum tk_parquet_type type)
{
    assert(column < writer->schema.leaf_count);
    assert(writer->columns[column].node->type == type);
    assert(writer->columns[column].leaf->max_rep == 0);
    (void)type;
    return &writer->columns[column];
}

void tk_parquet_add_bools(struct tk_parquet_writer *writer, size_t column, const bool *values,
                          size_t n)
{
    tk_parquet_column_add(column_of(writer, column, TK_PARQUET_BOOL), values, NULL, NULL, n);
}

void tk_parquet_add_i32(struct tk_parquet_writer *writer, size_t column, const int32_t *values,
                        size_t n)
{
    tk_parquet_column_add(column_of(writer, column, TK_PARQUET_I32), values, NULL, NULL, n);
}

void tk_parquet_add_i64(struct tk_parquet_writer *writer, size_t column, const int64_t *values,
                        size_t n)
{
    tk_parquet_column_add(column_of(writer, column, TK_PARQUET_I64), values, NULL, NULL, n);
}

void tk_parquet_add_f32(struct tk_parquet_writer *writer, size_t column, const float *values,
                        size_t n)
{
    tk_parquet_column_add(column_of(writer, column, TK_PARQUET_F32), values, NULL, NULL, n);
}

void tk_parquet_add_f64(struct tk_parquet_writer *writer, size_t column, const double *values,
                        size_t n)
{
    tk_parquet_column_add(column_of(writer, column, TK_PARQUET_F64), values, NULL, NULL, n);
}

void tk_parquet_add_texts(struct tk_parquet_writer *writer, size_t column, const tk_str *values,
                          size_t n)
{
    assert(column < writer->schema.leaf_count);
    enum tk_parquet_type type = writer->columns[column].node->type;
    assert(type == TK_PARQUET_BYTES || type == TK_PARQUET_FIXED);
    tk_parquet_column_add(column_of(writer, column, type), values, NULL, NULL, n);
}

void tk_parquet_add_nulls(struct tk_parquet_writer *writer, size_t column, size_t n)
{
    static const uint8_t zeros[256];
    assert(column < writer->schema.leaf_count);
    struct tk_parquet_column *to = &writer->columns[column];
    assert(to->leaf->max_def > 0);
    const uint8_t *rep = to->leaf->max_rep > 0 ? zeros : NULL;
    for (size_t k; n > 0; n -= k) {
        k = n < sizeof(zeros) ? n : sizeof(zeros);
        tk_parquet_column_add(to, NULL, zeros, rep, k);
    }
}

void tk_parquet_add_levels(struct tk_parquet_writer *writer, size_t column, const void *values,
                           const uint8_t *def, const uint8_t *rep, size_t n)
{
    assert(column < writer->schema.leaf_count);
    assert((writer->columns[column].leaf->max_rep > 0) == (rep != NULL));
    tk_parquet_column_add(&writer->columns[column], values, def, rep, n);
}

void tk_parquet_add_list(struct tk_parquet_writer *writer, size_t column, const void *values,
                         size_t n)
{
    assert(column < writer->schema.leaf_count);
    struct tk_parquet_column *to = &writer->columns[column];
    const struct tk_parquet_node *element = to->node;
    assert(to->leaf->max_rep == 1);
    if (n == 0) {
        /* All but the repeated node and what stands below it. */
        uint8_t def = (uint8_t)(to->leaf->max_def - 1 - (element->repetition != 0));
        tk_parquet_column_add(to, NULL, &def, &(uint8_t){0}, 1);
        return;
    }
    uint8_t rep[256];
    memset(rep, 1, sizeof(rep));
    rep[0] = 0;
    const char *rest = values;
    size_t width = element->type == TK_PARQUET_BYTES || element->type == TK_PARQUET_FIXED
                       ? sizeof(tk_str)
                       : to->width;
    for (size_t done = 0; done < n;) {
        size_t k = n - done < sizeof(rep) ? n - done : sizeof(rep);
        tk_parquet_column_add(to, rest + done * width, NULL, rep, k);
        rep[0] = 1;
        done += k;
    }
}

void tk_parquet_writer_add_pair(struct tk_parquet_writer *writer, const char *key, tk_str value)
{
    struct tk_parquet_key_value pair = {
        .set = 1U << 1 | 1U << 2,
        .key = tk_arena_copy(&writer->arena, tk_str_from(key)),
        .value = tk_arena_copy(&writer->arena, value),
    };
    tk_buf_put(&writer->pairs, (tk_str){(const char *)&pair, sizeof(pair)});
    if (((value.n > 0 && !pair.value.p) || !pair.key.p || !tk_buf_ok(&writer->pairs)) &&
        writer->err.code == 0)
        (void)tk_fail(&writer->err, -EMSGSIZE, "metadata %s is too large", key);
}

/* A row group ------------------------------------------------------------------------------- */

static void sink_put(struct tk_parquet_writer *writer, tk_str bytes)
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
    int32_t *list = alloc(writer, TK_COUNTOF(column->page_counts) + 1, sizeof(*list));
    struct tk_parquet_encoding_stats *stats =
        alloc(writer, TK_COUNTOF(column->page_counts), sizeof(*stats));
    if (!list || !stats)
        return;
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
        .total_compressed_size = (int64_t)column->pages.n,
        .data_page_offset = (int64_t)writer->offset,
        .statistics = statistics_of(writer, column),
    };
    list_encodings(writer, column, meta);
    put_indexes(writer, column, chunk);
    sink_put(writer, tk_buf_str(&column->pages));
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

static void write_row_group(struct tk_parquet_writer *writer)
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
    writer->group_rows = 0;
    tk_buf_put(&writer->row_groups, (tk_str){(const char *)&group, sizeof(group)});
}

/* Columns that do not hold as many rows as the first. */
static void check_rows(struct tk_parquet_writer *writer, uint64_t *ret_rows)
{
    uint64_t rows = writer->schema.leaf_count > 0 ? tk_parquet_column_rows(writer->columns) : 0;
    for (size_t i = 1; i < writer->schema.leaf_count && writer->err.code == 0; i++) {
        uint64_t here = tk_parquet_column_rows(&writer->columns[i]);
        if (here != rows) {
            (void)tk_fail(&writer->err, -EINVAL, "column %s has %llu rows, column %s %llu",
                          writer->columns[0].node->name, (unsigned long long)rows,
                          writer->columns[i].node->name, (unsigned long long)here);
        }
    }
    *ret_rows = rows;
}

int tk_parquet_writer_write(struct tk_parquet_writer *writer, struct tk_err *err)
{
    uint64_t rows;
    size_t bytes = 0;
    check_rows(writer, &rows);
    if (writer->offset == 0)
        sink_put(writer, TK_STR(TK_PARQUET_MAGIC));
    for (size_t i = 0; i < writer->schema.leaf_count; i++)
        bytes += tk_parquet_column_bytes(&writer->columns[i]);
    if (writer->err.code == 0) {
        writer->last_rows = rows - writer->group_rows;
        writer->rows += writer->last_rows;
        writer->group_rows = rows;
    }
    if (writer->err.code == 0 && rows > 0 &&
        (rows + writer->last_rows > writer->opts.row_group_rows ||
         bytes >= writer->opts.row_group_bytes))
        write_row_group(writer);
    if (writer->err.code < 0)
        *err = writer->err;
    return writer->err.code;
}

/* The end ------------------------------------------------------------------------------------- */

/* Where the indexes lie is known only now. */
static void place_indexes(struct tk_parquet_writer *writer)
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
    sink_put(writer, tk_buf_str(&writer->column_indexes));
    sink_put(writer, tk_buf_str(&writer->offset_indexes));
}

static void write_footer(struct tk_parquet_writer *writer, struct tk_buf *out)
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
    tk_thrift_encode(&tk_parquet_spec_file_meta, &meta, out);
    uint32_t length = (uint32_t)out->n;
    tk_buf_put(out, (tk_str){(const char *)&length, sizeof(length)});
    tk_buf_lit(out, TK_PARQUET_MAGIC);
}

int tk_parquet_writer_close(struct tk_parquet_writer *writer, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf footer;
    tk_buf_init(&footer, INT32_MAX);
    int rc = tk_parquet_writer_write(writer, err);
    if (rc == 0 && writer->group_rows > 0)
        write_row_group(writer);
    if (writer->err.code == 0) {
        place_indexes(writer);
        write_footer(writer, &footer);
    }
    const struct tk_buf *const bufs[] = {&writer->row_groups, &writer->column_indexes,
                                         &writer->offset_indexes, &footer};
    for (size_t i = 0; i < TK_COUNTOF(bufs) && writer->err.code == 0; i++)
        (void)!tk_buf_check(bufs[i], "the footer", &writer->err);
    sink_put(writer, tk_buf_str(&footer));
    if (writer->err.code < 0)
        *err = writer->err;
    return writer->err.code;
}
