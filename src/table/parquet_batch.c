/* SPDX-License-Identifier: Apache-2.0 */
#include "table/parquet_batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define NODES_PER_LIST 3

struct tk_parquet_table {
    const struct tk_schema *schema;
    struct tk_parquet_writer *writer;
    struct tk_parquet_node *nodes; /* [column_count * NODES_PER_LIST] at most */
    union tk_value *values;        /* [max_rows]: those of a column that are there */
    uint8_t *def;                  /* [max_rows] */
    size_t max_rows;
};

static enum tk_parquet_logical stamp_of(const struct tk_column *column)
{
    if (!(column->flags & (TK_STAMP | TK_STAMP_MILLI)))
        return TK_PARQUET_RAW;
    return strcmp(column->unit, "ms") == 0   ? TK_PARQUET_TIMESTAMP_MS
           : strcmp(column->unit, "us") == 0 ? TK_PARQUET_TIMESTAMP_US
                                             : TK_PARQUET_RAW;
}

/* The nodes of one column; returns how many. */
static size_t make_nodes(const struct tk_column *column, struct tk_parquet_node *nodes)
{
    static const struct {
        enum tk_parquet_type type;
        enum tk_parquet_logical logical;
        bool is_list;
    } types[] = {
        [TK_I64] = {TK_PARQUET_I64},
        [TK_F64] = {TK_PARQUET_F64},
        [TK_BOOL] = {TK_PARQUET_BOOL},
        [TK_TEXT] = {TK_PARQUET_BYTES, TK_PARQUET_STRING},
        [TK_F64_LIST] = {TK_PARQUET_F64, .is_list = true},
        [TK_TEXT_LIST] = {TK_PARQUET_BYTES, TK_PARQUET_STRING, true},
    };
    enum tk_parquet_type type = types[column->type].type;
    enum tk_parquet_logical logical = types[column->type].logical;
    if (!types[column->type].is_list) {
        if (column->type == TK_I64)
            logical = stamp_of(column);
        nodes[0] = (struct tk_parquet_node){column->name, type, TK_PARQUET_OPTIONAL, logical};
        return 1;
    }
    nodes[0] = (struct tk_parquet_node){column->name, TK_PARQUET_GROUP, TK_PARQUET_OPTIONAL,
                                        TK_PARQUET_LIST, .children = 1};
    nodes[1] =
        (struct tk_parquet_node){"list", TK_PARQUET_GROUP, TK_PARQUET_REPEATED, .children = 1};
    nodes[2] = (struct tk_parquet_node){"element", type, TK_PARQUET_REQUIRED, logical};
    return NODES_PER_LIST;
}

/* An object of what `text_of` says of each column that it says something of. */
static void add_description(struct tk_parquet_table *table, const char *key,
                            const char *(*text_of)(const struct tk_column *))
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 1 << 20);
    tk_buf_putc(&out, '{');
    for (size_t i = 0; i < table->schema->column_count; i++) {
        const struct tk_column *column = &table->schema->columns[i];
        const char *text = text_of(column);
        if (!text[0])
            continue;
        tk_json_put_member_str(&out, column->name, tk_str_from(text));
    }
    tk_buf_putc(&out, '}');
    tk_parquet_writer_add_pair(table->writer, key, tk_buf_str(&out));
}

static const char *unit_of(const struct tk_column *column)
{
    return column->unit;
}

static const char *meaning_of(const struct tk_column *column)
{
    return column->meaning;
}

int tk_parquet_table_new(const struct tk_schema *schema, const struct tk_parquet_opts *opts,
                         const struct tk_parquet_sink *sink, struct tk_parquet_table **ret_table,
                         struct tk_err *err)
{
    struct tk_parquet_table *table = calloc(1, sizeof(*table));
    if (!table)
        return tk_fail(err, -ENOMEM, "%s: out of memory", schema->name);
    table->schema = schema;
    table->nodes = calloc(schema->column_count * NODES_PER_LIST, sizeof(*table->nodes));
    if (!table->nodes) {
        tk_parquet_table_free(table);
        return tk_fail(err, -ENOMEM, "%s: out of memory", schema->name);
    }
    size_t n = 0;
    for (size_t i = 0; i < schema->column_count; i++)
        n += make_nodes(&schema->columns[i], table->nodes + n);
    int rc = tk_parquet_writer_new(table->nodes, n, opts, sink, &table->writer, err);
    if (rc < 0) {
        tk_parquet_table_free(table);
        return rc;
    }
    tk_parquet_writer_add_pair(table->writer, "tracekit.table", tk_str_from(schema->name));
    add_description(table, "tracekit.units", unit_of);
    add_description(table, "tracekit.meanings", meaning_of);
    *ret_table = table;
    return 0;
}

void tk_parquet_table_free(struct tk_parquet_table *table)
{
    if (!table)
        return;
    tk_parquet_writer_free(table->writer);
    free(table->nodes);
    free(table->values);
    free(table->def);
    free(table);
}

void tk_parquet_table_freep(struct tk_parquet_table **table)
{
    tk_parquet_table_free(*table);
}

struct tk_parquet_writer *tk_parquet_table_writer(struct tk_parquet_table *table)
{
    return table->writer;
}

static int make_room(struct tk_parquet_table *table, size_t rows, struct tk_err *err)
{
    if (rows <= table->max_rows)
        return 0;
    free(table->values);
    free(table->def);
    table->values = calloc(rows, sizeof(*table->values));
    table->def = calloc(rows, sizeof(*table->def));
    table->max_rows = table->values && table->def ? rows : 0;
    return table->max_rows > 0 ? 0 : tk_fail(err, -ENOMEM, "%zu rows: out of memory", rows);
}

/* Gather what is there of a column, by the width of its type, and which rows have it. */
static void add_flat(struct tk_parquet_table *table, const struct tk_batch *batch, size_t column)
{
    enum tk_type type = batch->schema->columns[column].type;
    const union tk_value *from = tk_batch_at(batch, 0, column);
    bool *bools = (bool *)table->values;
    int64_t *words = (int64_t *)table->values; /* also the bits of doubles */
    tk_str *texts = (tk_str *)table->values;
    size_t n = 0;
    for (size_t row = 0; row < batch->rows; row++) {
        bool has = tk_batch_has(batch, row, column);
        table->def[row] = has;
        if (!has)
            continue;
        if (type == TK_TEXT) {
            texts[n++] = from[row].text;
        } else if (type == TK_BOOL) {
            bools[n++] = from[row].i64 != 0;
        } else {
            words[n++] = from[row].i64;
        }
    }
    tk_parquet_add_levels(table->writer, column, table->values, table->def, NULL, batch->rows);
}

static void add_lists(struct tk_parquet_table *table, const struct tk_batch *batch, size_t column)
{
    for (size_t row = 0; row < batch->rows; row++) {
        if (!tk_batch_has(batch, row, column)) {
            tk_parquet_add_nulls(table->writer, column, 1);
            continue;
        }
        const struct tk_list *list = &tk_batch_at(batch, row, column)->list;
        tk_parquet_add_list(table->writer, column, list->items, list->n);
    }
}

int tk_parquet_table_write(struct tk_parquet_table *table, const struct tk_batch *batch,
                           struct tk_err *err)
{
    int rc = make_room(table, batch->rows, err);
    if (rc < 0)
        return rc;
    for (size_t column = 0; column < table->schema->column_count; column++) {
        enum tk_type type = table->schema->columns[column].type;
        if (type == TK_F64_LIST || type == TK_TEXT_LIST) {
            add_lists(table, batch, column);
        } else {
            add_flat(table, batch, column);
        }
    }
    return tk_parquet_writer_write(table->writer, err);
}

int tk_parquet_table_close(struct tk_parquet_table *table, struct tk_err *err)
{
    return tk_parquet_writer_close(table->writer, err);
}
