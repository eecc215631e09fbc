/* SPDX-License-Identifier: Apache-2.0 */
/* Columns to rows. At a node, the entry that comes next of any column below it tells: its
 * definition level is below the node's when the node is absent, and one entry of each column then
 * stands for the whole subtree; its repetition level is that of the node when the list goes on. */
#include "table/parquet_rows.h"

#include <errno.h>
#include <stdlib.h>

#include "base/json.h"
#include "table/parquet_file_internal.h"

/* A node as the walk needs it. */
struct place {
    size_t next; /* the node after its subtree */
    size_t first_leaf, end_leaf;
    size_t lead; /* the first wanted leaf; end_leaf when there is none */
    uint8_t def, rep;
};

/* A column and where it stands. */
struct stream {
    struct tk_parquet_cursor *cursor; /* NULL when it is not wanted */
    struct tk_parquet_entries entries;
    size_t at;    /* entry of those at hand */
    size_t value; /* and value */
    bool ended;
};

struct tk_parquet_rows {
    struct tk_parquet_file *file;
    struct tk_parquet_rows_opts opts;
    struct place *places;   /* [nodes] */
    struct stream *streams; /* [leaves] */
    size_t group;           /* the next */
    int64_t group_rows;     /* left of the one at hand */
    uint64_t rows_left;
    struct tk_buf cell;
    struct tk_err *err; /* of the call at hand */
    int rc;             /* 0, or the failure of the call at hand */
};

/* Making --------------------------------------------------------------------------------------- */

/* Lay out the places, children after their parents, then end them from the last on. */
static void find_places(struct tk_parquet_rows *rows)
{
    const struct tk_parquet_schema *schema = &rows->file->schema;
    size_t ends[TK_PARQUET_DEPTH + 1]; /* children left of the groups that are open */
    size_t open[TK_PARQUET_DEPTH + 1];
    size_t depth = 0;
    size_t leaf = 0;
    for (size_t i = 0; i < schema->node_count; i++) {
        const struct tk_parquet_node *node = &schema->nodes[i];
        const struct place *parent = depth > 0 ? &rows->places[open[depth - 1]] : NULL;
        struct place *place = &rows->places[i];
        *place = (struct place){
            .next = i + 1,
            .first_leaf = leaf,
            .def = (uint8_t)((parent ? parent->def : 0) + (node->repetition != 0)),
            .rep =
                (uint8_t)((parent ? parent->rep : 0) + (node->repetition == TK_PARQUET_REPEATED)),
        };
        if (node->type == TK_PARQUET_GROUP) {
            open[depth] = i;
            ends[depth++] = node->children;
            continue;
        }
        place->end_leaf = ++leaf;
        /* Every group that ends with this leaf. */
        while (depth > 0 && --ends[depth - 1] == 0) {
            rows->places[open[--depth]].next = i + 1;
            rows->places[open[depth]].end_leaf = leaf;
        }
    }
    for (size_t i = 0; i < schema->node_count; i++) {
        struct place *place = &rows->places[i];
        place->lead = place->first_leaf;
        while (place->lead < place->end_leaf && rows->opts.wanted &&
               !rows->opts.wanted[place->lead])
            place->lead++;
    }
}

int tk_parquet_rows_new(struct tk_parquet_file *file, const struct tk_parquet_rows_opts *opts,
                        struct tk_parquet_rows **ret_rows, struct tk_err *err)
{
    struct tk_parquet_rows *rows = calloc(1, sizeof(*rows));
    if (!rows)
        return tk_fail(err, -ENOMEM, "parquet: out of memory");
    rows->file = file;
    rows->opts = *opts;
    rows->rows_left = opts->max_rows > 0 ? opts->max_rows : UINT64_MAX;
    tk_buf_init(&rows->cell, TK_PARQUET_PAGE_MAX);
    rows->places = calloc(file->schema.node_count + 1, sizeof(*rows->places));
    rows->streams = calloc(file->schema.leaf_count + 1, sizeof(*rows->streams));
    if (!rows->places || !rows->streams) {
        tk_parquet_rows_free(rows);
        return tk_fail(err, -ENOMEM, "parquet: out of memory");
    }
    find_places(rows);
    *ret_rows = rows;
    return 0;
}

static void close_streams(struct tk_parquet_rows *rows)
{
    for (size_t i = 0; rows->streams && i < rows->file->schema.leaf_count; i++) {
        tk_parquet_cursor_free(rows->streams[i].cursor);
        rows->streams[i] = (struct stream){0};
    }
}

void tk_parquet_rows_free(struct tk_parquet_rows *rows)
{
    if (!rows)
        return;
    close_streams(rows);
    free(rows->streams);
    free(rows->places);
    tk_buf_release(&rows->cell);
    free(rows);
}

void tk_parquet_rows_freep(struct tk_parquet_rows **rows)
{
    tk_parquet_rows_free(*rows);
}

/* Streams -------------------------------------------------------------------------------------- */

/* Have an entry at hand; false at the end of the row group, and after a failure. */
static bool has_entry(struct tk_parquet_rows *rows, struct stream *stream)
{
    if (stream->at < stream->entries.n)
        return true;
    if (stream->ended || rows->rc < 0)
        return false;
    int rc = tk_parquet_cursor_next(stream->cursor, &stream->entries, rows->err);
    stream->at = 0;
    stream->value = 0;
    stream->ended = rc != 0;
    if (rc != 0)
        stream->entries.n = 0;
    if (rc < 0)
        rows->rc = rc;
    return rc == 0;
}

static unsigned level_at(const uint8_t *levels, size_t at)
{
    return levels ? levels[at] : 0;
}

/* The definition level of the entry at hand; a column that ends too early is a failure. */
static unsigned def_of(struct tk_parquet_rows *rows, size_t leaf)
{
    struct stream *stream = &rows->streams[leaf];
    if (has_entry(rows, stream))
        return level_at(stream->entries.def, stream->at);
    if (rows->rc == 0) {
        rows->rc = tk_fail(rows->err, -EBADMSG, "column %s has fewer rows than its row group",
                           rows->file->schema.nodes[rows->file->schema.leaves[leaf].node].name);
    }
    return 0;
}

/* The list whose elements have this repetition level goes on. */
static bool goes_on(struct tk_parquet_rows *rows, size_t leaf, unsigned rep)
{
    struct stream *stream = &rows->streams[leaf];
    return rows->rc == 0 && has_entry(rows, stream) &&
           level_at(stream->entries.rep, stream->at) == rep;
}

/* Pass the entry at hand; the value that it has, or NULL. */
static const void *take_entry(struct tk_parquet_rows *rows, size_t leaf)
{
    const struct tk_parquet_leaf *column = &rows->file->schema.leaves[leaf];
    struct stream *stream = &rows->streams[leaf];
    unsigned def = def_of(rows, leaf);
    if (rows->rc < 0)
        return NULL;
    stream->at++;
    if (def < column->max_def)
        return NULL;
    size_t width = tk_parquet_memory_width(&rows->file->schema.nodes[column->node]);
    return (const char *)stream->entries.values + stream->value++ * width;
}

/* Pass what stands for an absent subtree. */
static void skip_subtree(struct tk_parquet_rows *rows, const struct place *place)
{
    for (size_t i = place->lead; i < place->end_leaf; i++) {
        if (rows->streams[i].cursor)
            (void)take_entry(rows, i);
    }
}

/* Values --------------------------------------------------------------------------------------- */

static void put_value(struct tk_parquet_rows *rows, size_t i, struct tk_buf *out);

static bool is_wanted(const struct place *place)
{
    return place->lead < place->end_leaf;
}

/* The node that an element of a list is, below the repeated one: that itself when it is no group of
 * one, and with old writers (LogicalTypes.md, "Backward-compatibility rules"). */
static size_t element_of(const struct tk_parquet_rows *rows, size_t repeated)
{
    const struct tk_parquet_node *node = &rows->file->schema.nodes[repeated];
    tk_str name = tk_str_from(node->name);
    bool itself = node->type != TK_PARQUET_GROUP || node->children != 1 ||
                  tk_str_eq(name, TK_STR("array")) || tk_str_ends_with(name, TK_STR("_tuple"));
    return itself ? repeated : repeated + 1;
}

/* A group or a value that is there. */
static void put_present(struct tk_parquet_rows *rows, size_t i, struct tk_buf *out);

/* An element of a list: the repeated node itself, or what it holds. */
static void put_element(struct tk_parquet_rows *rows, size_t repeated, size_t element,
                        struct tk_buf *out) /* NOLINT(misc-no-recursion) */
{
    tk_json_put_comma(out);
    if (element == repeated) {
        put_present(rows, repeated, out);
    } else {
        put_value(rows, element, out);
    }
}

/* All elements of a list whose repeated node is `repeated`. */
static void put_list(struct tk_parquet_rows *rows, size_t repeated, bool is_list,
                     struct tk_buf *out) /* NOLINT(misc-no-recursion) */
{
    const struct place *place = &rows->places[repeated];
    size_t element = is_list ? element_of(rows, repeated) : repeated;
    tk_buf_putc(out, '[');
    if (def_of(rows, place->lead) < place->def) {
        skip_subtree(rows, place);
    } else {
        do {
            put_element(rows, repeated, element, out);
        } while (goes_on(rows, place->lead, place->rep));
    }
    tk_buf_putc(out, ']');
}

/* The key of a map's entry, as a member's name. */
static void put_key(struct tk_parquet_rows *rows, size_t key, struct tk_buf *out)
{
    const struct tk_parquet_node *node = &rows->file->schema.nodes[key];
    const void *value = take_entry(rows, rows->places[key].first_leaf);
    tk_buf_reset(&rows->cell);
    if (value)
        tk_parquet_put_text(node, value, rows->opts.raw, &rows->cell);
    tk_json_put_str(out, tk_buf_str(&rows->cell));
    tk_buf_putc(out, ':');
}

static void put_map(struct tk_parquet_rows *rows, size_t repeated,
                    struct tk_buf *out) /* NOLINT(misc-no-recursion) */
{
    const struct place *place = &rows->places[repeated];
    tk_buf_putc(out, '{');
    if (def_of(rows, place->lead) < place->def) {
        skip_subtree(rows, place);
    } else {
        do {
            tk_json_put_comma(out);
            put_key(rows, repeated + 1, out);
            put_value(rows, rows->places[repeated + 1].next, out);
        } while (goes_on(rows, place->lead, place->rep));
    }
    tk_buf_putc(out, '}');
}

/* A map that can be an object: the key is a value, and both are wanted. */
static bool is_object_map(const struct tk_parquet_rows *rows, size_t i)
{
    const struct tk_parquet_node *nodes = rows->file->schema.nodes;
    if (nodes[i].logical != TK_PARQUET_MAP || nodes[i].children != 1 ||
        nodes[i + 1].repetition != TK_PARQUET_REPEATED || nodes[i + 1].children != 2 ||
        nodes[i + 2].type == TK_PARQUET_GROUP || nodes[i + 2].repetition == TK_PARQUET_REPEATED)
        return false;
    return is_wanted(&rows->places[i + 2]) && is_wanted(&rows->places[rows->places[i + 2].next]);
}

static void put_struct(struct tk_parquet_rows *rows, size_t i,
                       struct tk_buf *out) /* NOLINT(misc-no-recursion) */
{
    tk_buf_putc(out, '{');
    for (size_t child = i + 1; child < rows->places[i].next; child = rows->places[child].next) {
        if (!is_wanted(&rows->places[child]))
            continue;
        tk_json_put_key(out, rows->file->schema.nodes[child].name);
        put_value(rows, child, out);
    }
    tk_buf_putc(out, '}');
}

static void put_present(struct tk_parquet_rows *rows, size_t i,
                        struct tk_buf *out) /* NOLINT(misc-no-recursion) */
{
    const struct tk_parquet_node *node = &rows->file->schema.nodes[i];
    if (node->type != TK_PARQUET_GROUP) {
        const void *value = take_entry(rows, rows->places[i].first_leaf);
        if (value)
            tk_parquet_put_json(node, value, rows->opts.raw, out);
    } else if (is_object_map(rows, i)) {
        put_map(rows, i + 1, out);
    } else if (node->logical == TK_PARQUET_LIST && node->children == 1 &&
               node[1].repetition == TK_PARQUET_REPEATED) {
        put_list(rows, i + 1, true, out);
    } else {
        put_struct(rows, i, out);
    }
}

/* A wanted node, whatever its repetition, as JSON. */
static void put_value(struct tk_parquet_rows *rows, size_t i,
                      struct tk_buf *out) /* NOLINT(misc-no-recursion) */
{
    const struct tk_parquet_node *node = &rows->file->schema.nodes[i];
    const struct place *place = &rows->places[i];
    if (rows->rc < 0)
        return;
    if (node->repetition == TK_PARQUET_REPEATED) {
        put_list(rows, i, false, out);
    } else if (def_of(rows, place->lead) < place->def) {
        skip_subtree(rows, place);
        tk_buf_lit(out, "null");
    } else {
        put_present(rows, i, out);
    }
}

/* Rows
 * ---------------------------------------------------------------------------------------------- */

/* Quoted where it must be; the empty text is quoted, as nothing stands for null. */
static void put_cell(struct tk_buf *out, tk_str text)
{
    bool quote = text.n == 0;
    for (size_t i = 0; i < text.n && !quote; i++)
        quote = text.p[i] == ',' || text.p[i] == '"' || text.p[i] == '\n' || text.p[i] == '\r';
    if (!quote) {
        tk_buf_put(out, text);
        return;
    }
    tk_buf_putc(out, '"');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"')
            tk_buf_putc(out, '"');
        tk_buf_putc(out, text.p[i]);
    }
    tk_buf_putc(out, '"');
}

static void put_csv_value(struct tk_parquet_rows *rows, size_t i, struct tk_buf *out)
{
    const struct tk_parquet_node *node = &rows->file->schema.nodes[i];
    const struct place *place = &rows->places[i];
    TK_CLEANUP(tk_buf_release) struct tk_buf cell;
    tk_buf_init(&cell, out->max);
    if (node->type != TK_PARQUET_GROUP && node->repetition != TK_PARQUET_REPEATED) {
        const void *value = take_entry(rows, place->first_leaf);
        if (!value)
            return;
        tk_parquet_put_text(node, value, rows->opts.raw, &cell);
    } else if (def_of(rows, place->lead) < place->def && node->repetition == TK_PARQUET_OPTIONAL) {
        skip_subtree(rows, place);
        return;
    } else {
        put_value(rows, i, &cell);
    }
    put_cell(out, tk_buf_str(&cell));
}

static void put_row(struct tk_parquet_rows *rows, struct tk_buf *out)
{
    bool first = true;
    if (!rows->opts.csv)
        tk_buf_putc(out, '{');
    for (size_t i = 0; i < rows->file->schema.node_count; i = rows->places[i].next) {
        if (!is_wanted(&rows->places[i]))
            continue;
        if (rows->opts.csv) {
            if (!first)
                tk_buf_putc(out, ',');
            put_csv_value(rows, i, out);
        } else {
            tk_json_put_key(out, rows->file->schema.nodes[i].name);
            put_value(rows, i, out);
        }
        first = false;
    }
    tk_buf_puts(out, rows->opts.csv ? "\n" : "}\n");
}

void tk_parquet_rows_put_header(const struct tk_parquet_rows *rows, struct tk_buf *out)
{
    bool first = true;
    for (size_t i = 0; i < rows->file->schema.node_count; i = rows->places[i].next) {
        if (!is_wanted(&rows->places[i]))
            continue;
        if (!first)
            tk_buf_putc(out, ',');
        put_cell(out, tk_str_from(rows->file->schema.nodes[i].name));
        first = false;
    }
    tk_buf_putc(out, '\n');
}

/* Every column stands at the beginning of a row, or all at the end (`at_end`). */
static bool streams_agree(struct tk_parquet_rows *rows, bool at_end)
{
    for (size_t i = 0; i < rows->file->schema.leaf_count; i++) {
        struct stream *stream = &rows->streams[i];
        if (!stream->cursor)
            continue;
        bool has = has_entry(rows, stream);
        if (rows->rc < 0)
            return false;
        if (has == at_end || (has && level_at(stream->entries.rep, stream->at) != 0)) {
            rows->rc = tk_fail(rows->err, -EBADMSG,
                               "row group %zu: its columns have not as many rows as it says",
                               rows->group - 1);
            return false;
        }
    }
    return true;
}

/* Open the next row group that has rows: 0, or 1 when there is none. */
static int open_group(struct tk_parquet_rows *rows)
{
    const struct tk_parquet_file_meta *meta = &rows->file->meta;
    while (rows->group_rows == 0) {
        if (rows->group == meta->row_group_count || rows->file->schema.leaf_count == 0)
            return 1;
        close_streams(rows);
        rows->group_rows = meta->row_groups[rows->group].num_rows;
        for (size_t i = 0; i < rows->file->schema.leaf_count; i++) {
            if (rows->opts.wanted && !rows->opts.wanted[i])
                continue;
            int rc = tk_parquet_cursor_new(rows->file, rows->group, i, &rows->streams[i].cursor,
                                           rows->err);
            if (rc < 0)
                return rc;
        }
        rows->group++;
    }
    return 0;
}

int tk_parquet_rows_next(struct tk_parquet_rows *rows, struct tk_buf *out, struct tk_err *err)
{
    size_t at = out->n;
    rows->err = err;
    if (rows->rows_left == 0)
        return 1;
    rows->rc = open_group(rows);
    if (rows->rc != 0)
        return rows->rc;
    if (streams_agree(rows, false))
        put_row(rows, out);
    rows->group_rows--;
    rows->rows_left--;
    if (rows->rc == 0 && rows->group_rows == 0)
        (void)streams_agree(rows, true);
    if (rows->rc == 0)
        rows->rc = tk_buf_check(out, "a row", err);
    if (rows->rc < 0)
        out->n = at;
    return rows->rc;
}
