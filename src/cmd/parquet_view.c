/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/parquet_view.h"

#include <stdio.h>

#include "base/human.h"
#include "base/json.h"
#include "cmd/member.h"
#include "report/grid.h"
#include "report/text.h"
#include "table/parquet_rows.h"

#define BOUND_WIDTH 24 /* columns of a minimum or maximum */

static const char *const repetitions[] = {"required", "optional", "repeated"};

/* Schema --------------------------------------------------------------------------------- */

/* "fixed(16)", "int64"; and "(timestamp(ms))" for what it means. */
static void put_type(const struct tk_parquet_node *node, struct tk_buf *out)
{
    tk_buf_puts(out, tk_parquet_type_name((int32_t)node->type));
    if (node->type == TK_PARQUET_FIXED)
        tk_buf_printf(out, "(%u)", node->fixed_bytes);
}

static void put_logical(const struct tk_parquet_node *node, struct tk_buf *out)
{
    tk_buf_puts(out, tk_parquet_logical_name(node->logical));
    if (node->logical == TK_PARQUET_DECIMAL)
        tk_buf_printf(out, "(%d,%d)", (int)node->precision, (int)node->scale);
    if (node->local)
        tk_buf_lit(out, ", local");
}

void tk_parquet_view_schema(const struct tk_parquet_file *file, const struct tk_look *look,
                            struct tk_buf *out)
{
    size_t n;
    const struct tk_parquet_node *nodes = tk_parquet_file_nodes(file, &n);
    uint32_t left[64] = {0}; /* children to come of the groups that are open */
    int depth = 0;
    for (size_t i = 0; i < n; i++) {
        const struct tk_parquet_node *node = &nodes[i];
        tk_buf_printf(out, "%*s%s ", 2 * depth, "", repetitions[node->repetition]);
        put_type(node, out);
        tk_buf_putc(out, ' ');
        tk_text_put_clean(out, look, tk_str_from(node->name));
        if (node->logical != TK_PARQUET_RAW) {
            tk_buf_lit(out, " (");
            put_logical(node, out);
            tk_buf_putc(out, ')');
        }
        tk_buf_putc(out, '\n');
        if (node->type == TK_PARQUET_GROUP) {
            left[++depth] = node->children;
            continue;
        }
        while (depth > 0 && --left[depth] == 0)
            depth--;
    }
}

static void put_node_json(const struct tk_parquet_node *node, struct tk_buf *out)
{
    tk_element_open(out, '{');
    tk_member_put_text(out, "name", tk_str_from(node->name));
    tk_member_put_text(out, "repetition", tk_str_from(repetitions[node->repetition]));
    tk_member_put_text(out, "type", tk_str_from(tk_parquet_type_name((int32_t)node->type)));
    tk_member_put_text(out, "logical", tk_str_from(tk_parquet_logical_name(node->logical)));
    if (node->type == TK_PARQUET_FIXED)
        tk_member_put_i64(out, "bytes", node->fixed_bytes);
    if (node->logical == TK_PARQUET_DECIMAL) {
        tk_member_put_i64(out, "precision", node->precision);
        tk_member_put_i64(out, "scale", node->scale);
    }
    if (node->local)
        tk_member_put_bool(out, "local", true);
    if (node->type == TK_PARQUET_GROUP)
        tk_member_put_i64(out, "children", node->children);
    tk_buf_putc(out, '}');
}

static void put_nodes_json(const struct tk_parquet_file *file, struct tk_buf *out)
{
    size_t n;
    const struct tk_parquet_node *nodes = tk_parquet_file_nodes(file, &n);
    tk_member_open(out, "schema", '[');
    for (size_t i = 0; i < n; i++)
        put_node_json(&nodes[i], out);
    tk_buf_putc(out, ']');
}

void tk_parquet_view_schema_json(const struct tk_parquet_file *file, const char *name,
                                 struct tk_buf *out)
{
    tk_element_open(out, '{');
    tk_member_put_text(out, "file", tk_str_from(name));
    put_nodes_json(file, out);
    tk_buf_lit(out, "}\n");
}

/* Metadata as text ------------------------------------------------------------------------- */

enum { COLUMN, TYPE, CODEC, ENCODINGS, VALUES, NULLS, STORED, RATIO, LEAST, GREATEST, COLUMNS };

static const struct tk_grid_column columns[] = {
    [COLUMN] = {"column", .cut = true},
    [TYPE] = {"type"},
    [CODEC] = {"codec"},
    [ENCODINGS] = {"encodings", .cut = true},
    [VALUES] = {"values", .right = true},
    [NULLS] = {"nulls", .right = true},
    [STORED] = {"stored", .right = true},
    [RATIO] = {"ratio", .right = true},
    [LEAST] = {"min", .cut = true},
    [GREATEST] = {"max", .cut = true},
};

static void put_encodings(const struct tk_parquet_column_meta *meta, struct tk_buf *out)
{
    for (size_t i = 0; i < meta->encoding_count; i++) {
        if (i > 0)
            tk_buf_lit(out, ", ");
        tk_buf_puts(out, tk_parquet_encoding_name(meta->encodings[i]));
    }
    if (TK_PARQUET_HAS(meta, 14))
        tk_buf_lit(out, ", bloom filter");
}

/* The bound that the file has: the older pair counts where only that is there. */
static bool find_bound(const struct tk_parquet_statistics *statistics, bool max, tk_str *ret)
{
    if (TK_PARQUET_HAS(statistics, max ? 5U : 6U)) {
        *ret = max ? statistics->max_value : statistics->min_value;
        return true;
    }
    *ret = max ? statistics->max : statistics->min;
    return TK_PARQUET_HAS(statistics, max ? 1U : 2U);
}

/* A cell of the grid: cleaned, cut and terminated. */
static void set_cell(struct tk_grid *grid, size_t column, const struct tk_look *look, tk_str text)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf clean;
    TK_CLEANUP(tk_buf_release) struct tk_buf cell;
    tk_buf_init(&clean, 1 << 20);
    tk_buf_init(&cell, 1 << 20);
    tk_text_put_clean(&clean, look, text);
    tk_text_put_cut(&cell, look, tk_buf_str(&clean), column == COLUMN ? 60 : BOUND_WIDTH);
    tk_buf_putc(&cell, 0);
    tk_grid_set(grid, column, tk_buf_ok(&cell) ? cell.p : "?");
}

static void set_bound(struct tk_grid *grid, size_t column, const struct tk_look *look,
                      const struct tk_parquet_node *node,
                      const struct tk_parquet_statistics *statistics)
{
    tk_str bound;
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, 16 << 20);
    if (!find_bound(statistics, column == GREATEST, &bound))
        return;
    tk_parquet_put_bound(node, bound, &text);
    set_cell(grid, column, look, tk_buf_str(&text));
}

static void add_chunk(struct tk_grid *grid, const struct tk_look *look,
                      const struct tk_parquet_file *file, size_t group, size_t column)
{
    size_t n;
    const struct tk_parquet_leaf *leaf = &tk_parquet_file_leaves(file, &n)[column];
    const struct tk_parquet_node *node = &tk_parquet_file_nodes(file, &n)[leaf->node];
    const struct tk_parquet_column_meta *meta =
        &tk_parquet_file_meta(file)->row_groups[group].columns[column].meta;
    char text[TK_HUMAN_MAX];
    TK_CLEANUP(tk_buf_release) struct tk_buf cell;
    tk_buf_init(&cell, 1 << 20);
    tk_grid_add(grid);
    tk_parquet_file_put_path(file, column, &cell);
    set_cell(grid, COLUMN, look, tk_buf_str(&cell));
    tk_grid_set(grid, TYPE, tk_parquet_type_name((int32_t)node->type));
    tk_grid_set(grid, CODEC, tk_parquet_codec_name(meta->codec));
    tk_buf_reset(&cell);
    put_encodings(meta, &cell);
    tk_buf_putc(&cell, 0);
    tk_grid_set(grid, ENCODINGS, tk_buf_ok(&cell) ? cell.p : "?");
    tk_grid_set(grid, VALUES, tk_count_format(meta->num_values, text));
    if (TK_PARQUET_HAS(&meta->statistics, 3))
        tk_grid_set(grid, NULLS, tk_count_format(meta->statistics.null_count, text));
    tk_grid_set(grid, STORED, tk_bytes_format((double)meta->total_compressed_size, text));
    if (meta->total_compressed_size > 0) {
        (void)snprintf(text, sizeof(text), "%.2f",
                       (double)meta->total_uncompressed_size / (double)meta->total_compressed_size);
        tk_grid_set(grid, RATIO, text);
    }
    set_bound(grid, LEAST, look, node, &meta->statistics);
    set_bound(grid, GREATEST, look, node, &meta->statistics);
}

static void put_sorting(const struct tk_parquet_file *file,
                        const struct tk_parquet_row_group *group, struct tk_buf *out)
{
    size_t n;
    (void)tk_parquet_file_leaves(file, &n);
    for (size_t i = 0; i < group->sorting_count; i++) {
        const struct tk_parquet_sorting_column *sorting = &group->sorting_columns[i];
        tk_buf_puts(out, i == 0 ? ", sorted by " : ", ");
        if (sorting->column_idx >= 0 && (size_t)sorting->column_idx < n)
            tk_parquet_file_put_path(file, (size_t)sorting->column_idx, out);
        tk_buf_puts(out, sorting->descending ? " (descending)" : "");
    }
}

static int put_group(const struct tk_parquet_file *file, size_t index, const struct tk_look *look,
                     struct tk_buf *out, struct tk_err *err)
{
    const struct tk_parquet_row_group *group = &tk_parquet_file_meta(file)->row_groups[index];
    char count[TK_HUMAN_MAX];
    char raw[TK_HUMAN_MAX];
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    struct tk_grid_options options = {.columns = columns, .column_count = COLUMNS, .indent = 2};
    int rc = tk_grid_new(look, &options, &grid, err);
    if (rc < 0)
        return rc;
    tk_buf_printf(out, "\nrow group %zu: %s row%s, %s raw", index,
                  tk_count_format(group->num_rows, count), tk_count_ending(group->num_rows),
                  tk_bytes_format((double)group->total_byte_size, raw));
    put_sorting(file, group, out);
    tk_buf_putc(out, '\n');
    for (size_t i = 0; i < group->column_count; i++)
        add_chunk(grid, look, file, index, i);
    return tk_grid_write(grid, out, err);
}

int tk_parquet_view_meta(const struct tk_parquet_file *file, const char *name, uint64_t file_bytes,
                         const struct tk_look *look, struct tk_buf *out, struct tk_err *err)
{
    const struct tk_parquet_file_meta *meta = tk_parquet_file_meta(file);
    char rows[TK_HUMAN_MAX];
    char bytes[TK_HUMAN_MAX];
    size_t n;
    (void)tk_parquet_file_leaves(file, &n);
    tk_style_printf(out, look, TK_STYLE_TITLE, "%s", name);
    tk_buf_printf(out, ": %s row%s, %zu column%s, %zu row group%s, %s, by ",
                  tk_count_format(meta->num_rows, rows), tk_count_ending(meta->num_rows), n,
                  tk_count_ending((int64_t)n), meta->row_group_count,
                  tk_count_ending((int64_t)meta->row_group_count),
                  tk_bytes_format((double)file_bytes, bytes));
    tk_text_put_clean(out, look, meta->created_by.n > 0 ? meta->created_by : TK_STR("unknown"));
    tk_buf_putc(out, '\n');
    for (size_t i = 0; i < meta->key_value_count; i++) {
        tk_buf_lit(out, "  ");
        tk_text_put_clean(out, look, meta->key_value_metadata[i].key);
        tk_buf_lit(out, " = ");
        tk_text_put_clean(out, look, meta->key_value_metadata[i].value);
        tk_buf_putc(out, '\n');
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < meta->row_group_count; i++)
        rc = put_group(file, i, look, out, err);
    return rc;
}

/* Metadata as JSON -------------------------------------------------------------------------- */

static void put_bound_json(const struct tk_parquet_node *node, const char *key,
                           const struct tk_parquet_statistics *statistics, bool max,
                           struct tk_buf *out)
{
    tk_str bound;
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, 16 << 20);
    if (!find_bound(statistics, max, &bound))
        return;
    tk_parquet_put_bound(node, bound, &text);
    tk_member_put_text(out, key, tk_buf_str(&text));
}

static void put_chunk_json(const struct tk_parquet_file *file, size_t column,
                           const struct tk_parquet_chunk_meta *chunk, struct tk_buf *out)
{
    size_t n;
    const struct tk_parquet_leaf *leaf = &tk_parquet_file_leaves(file, &n)[column];
    const struct tk_parquet_node *node = &tk_parquet_file_nodes(file, &n)[leaf->node];
    const struct tk_parquet_column_meta *meta = &chunk->meta;
    TK_CLEANUP(tk_buf_release) struct tk_buf path;
    tk_buf_init(&path, 1 << 20);
    tk_parquet_file_put_path(file, column, &path);
    tk_element_open(out, '{');
    tk_member_put_text(out, "column", tk_buf_str(&path));
    tk_member_put_text(out, "codec", tk_str_from(tk_parquet_codec_name(meta->codec)));
    tk_member_open(out, "encodings", '[');
    for (size_t i = 0; i < meta->encoding_count; i++) {
        tk_json_put_comma(out);
        tk_json_put_str(out, tk_str_from(tk_parquet_encoding_name(meta->encodings[i])));
    }
    tk_buf_putc(out, ']');
    tk_member_put_i64(out, "values", meta->num_values);
    if (TK_PARQUET_HAS(&meta->statistics, 3))
        tk_member_put_i64(out, "nulls", meta->statistics.null_count);
    tk_member_put_i64(out, "stored_bytes", meta->total_compressed_size);
    tk_member_put_i64(out, "raw_bytes", meta->total_uncompressed_size);
    put_bound_json(node, "min", &meta->statistics, false, out);
    put_bound_json(node, "max", &meta->statistics, true, out);
    tk_member_put_bool(out, "page_index", TK_PARQUET_HAS(chunk, 4) && TK_PARQUET_HAS(chunk, 6));
    tk_member_put_bool(out, "bloom_filter", TK_PARQUET_HAS(meta, 14));
    tk_buf_putc(out, '}');
}

static void put_group_json(const struct tk_parquet_file *file,
                           const struct tk_parquet_row_group *group, struct tk_buf *out)
{
    tk_element_open(out, '{');
    tk_member_put_i64(out, "rows", group->num_rows);
    tk_member_put_i64(out, "raw_bytes", group->total_byte_size);
    tk_member_open(out, "sorted_by", '[');
    for (size_t i = 0; i < group->sorting_count; i++) {
        tk_element_open(out, '{');
        tk_member_put_i64(out, "column", group->sorting_columns[i].column_idx);
        tk_member_put_bool(out, "descending", group->sorting_columns[i].descending);
        tk_buf_putc(out, '}');
    }
    tk_buf_putc(out, ']');
    tk_member_open(out, "columns", '[');
    for (size_t i = 0; i < group->column_count; i++)
        put_chunk_json(file, i, &group->columns[i], out);
    tk_buf_lit(out, "]}");
}

void tk_parquet_view_meta_json(const struct tk_parquet_file *file, const char *name,
                               uint64_t file_bytes, struct tk_buf *out)
{
    const struct tk_parquet_file_meta *meta = tk_parquet_file_meta(file);
    tk_element_open(out, '{');
    tk_member_put_text(out, "file", tk_str_from(name));
    tk_member_put_i64(out, "bytes", (int64_t)file_bytes);
    tk_member_put_i64(out, "version", meta->version);
    tk_member_put_text(out, "created_by", meta->created_by);
    tk_member_put_i64(out, "rows", meta->num_rows);
    tk_member_open(out, "metadata", '[');
    for (size_t i = 0; i < meta->key_value_count; i++) {
        tk_element_open(out, '{');
        tk_member_put_text(out, "key", meta->key_value_metadata[i].key);
        tk_member_put_text(out, "value", meta->key_value_metadata[i].value);
        tk_buf_putc(out, '}');
    }
    tk_buf_putc(out, ']');
    put_nodes_json(file, out);
    tk_member_open(out, "row_groups", '[');
    for (size_t i = 0; i < meta->row_group_count; i++)
        put_group_json(file, &meta->row_groups[i], out);
    tk_buf_lit(out, "]}\n");
}
