/* SPDX-License-Identifier: Apache-2.0 */
/* The file: "PAR1", row groups (each the chunks of all columns), column indexes, offset indexes,
 * footer, length of the footer, "PAR1". */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "table/parquet_writer_internal.h"

#define ARENA_BYTES ((size_t)512 << 20) /* of address space */
#define SLOTS_MAX   ((size_t)4 << 30)   /* eight bytes a text that the caller has by number */

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
    struct tk_parquet_path *path = &writer->paths[i];
    *path = (struct tk_parquet_path){tk_arena_alloc(&writer->arena, n * sizeof(tk_str)), n};
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
        if (!tk_bloom_ok(node)) {
            return tk_fail(err, -EINVAL,
                           "column %s: only strings and int64 may have a Bloom filter", node->name);
        }
        if (!tk_parquet_encoding_ok(node, writer->opts.classic)) {
            return tk_fail(err, -EINVAL, "column %s: %s has not the encoding that is asked for",
                           node->name, tk_parquet_type_name((int32_t)node->type));
        }
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
    tk_buf_init(&writer->dictionary_page, TK_PARQUET_PAGE_MAX);
    tk_buf_init(&writer->blooms, TK_PARQUET_PAGE_MAX);
    tk_buf_init(&writer->slots.slots, SLOTS_MAX);
    tk_buf_init(&writer->slots.indices, SLOTS_MAX);
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
    tk_buf_release(&writer->dictionary_page);
    tk_buf_release(&writer->blooms);
    tk_buf_release(&writer->slots.slots);
    tk_buf_release(&writer->slots.indices);
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

void tk_parquet_add_packed(struct tk_parquet_writer *writer, size_t column, const char *bytes,
                           size_t each, const uint8_t *def, size_t n)
{
    tk_parquet_column_add_packed(column_of(writer, column, TK_PARQUET_BYTES), bytes, each, def, n);
}

void tk_parquet_add_ids(struct tk_parquet_writer *writer, size_t column,
                        const struct tk_parquet_ids *ids, const uint8_t *def, const uint8_t *rep,
                        size_t n)
{
    assert(column < writer->schema.leaf_count);
    struct tk_parquet_column *to = &writer->columns[column];
    assert(to->node->type == TK_PARQUET_BYTES);
    assert((to->leaf->max_rep > 0) == (rep != NULL));
    tk_parquet_column_add_ids(to, &writer->slots, ids, def, rep, n);
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

/* Writing --------------------------------------------------------------------------------- */

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
        tk_parquet_writer_put(writer, TK_STR(TK_PARQUET_MAGIC));
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
        tk_parquet_writer_end_group(writer);
    if (writer->err.code < 0)
        *err = writer->err;
    return writer->err.code;
}

int tk_parquet_writer_close(struct tk_parquet_writer *writer, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf footer;
    tk_buf_init(&footer, INT32_MAX);
    int rc = tk_parquet_writer_write(writer, err);
    if (rc == 0 && writer->group_rows > 0)
        tk_parquet_writer_end_group(writer);
    if (writer->err.code == 0) {
        tk_parquet_writer_put_indexes(writer);
        tk_parquet_writer_put_footer(writer, &footer);
    }
    const struct tk_buf *const bufs[] = {&writer->row_groups, &writer->column_indexes,
                                         &writer->offset_indexes, &footer};
    for (size_t i = 0; i < TK_COUNTOF(bufs) && writer->err.code == 0; i++)
        (void)!tk_buf_check(bufs[i], "the footer", &writer->err);
    tk_parquet_writer_put(writer, tk_buf_str(&footer));
    if (writer->err.code < 0)
        *err = writer->err;
    return writer->err.code;
}
