/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of spans. One pass over the rows puts each value into the column of its key or into
 * the map, and notes where it went: the layout of the row, which most rows share.
 *
 *     attributes    http.route="/a"  n=3  x=[1]        promoted: http.route (0), n (1)
 *     columns       attr_http_route "/a", attr_n 3
 *     map           {"x": "[1]"}
 *     layout        "0.1.j"                             docs/format-spans.md section 4 */
#include "segment/columns_internal.h"

#include "base/number.h"

#define FIRST_PROMOTED 256 /* token of the first promoted column; below: letters */

/* A promoted column that fills. */
struct promoted {
    union {
        uint32_t *ids;
        int64_t *i64;
        double *f64;
        bool *bools;
    };
    uint8_t *def; /* [rows] */
    size_t n;
    size_t last; /* row + 1 that had a value: a second one goes into the map */
};

/* Where the attributes of a row went: one token each. */
struct layout {
    size_t at, n; /* in `tokens` */
    uint32_t text;
};

struct attrs {
    struct tk_columns *columns;
    struct promoted *promoted; /* [spans.count] */

    /* The map: an entry for each value, or one for a row without any. */
    uint32_t *keys;
    uint32_t *values;
    size_t value_count;
    uint8_t *def;
    uint8_t *rep;
    size_t entries;

    uint32_t *row_layouts; /* [rows] text, or TK_NO_TEXT without attributes */
    struct tk_buf tokens;  /* uint16_t[] of all layouts, and behind them of the row at hand */
    struct tk_buf layouts; /* struct layout[] */
    struct tk_map by_hash; /* of tokens -> layout */
    size_t last;           /* layout of the row before */
};

static void attrs_release(struct attrs *attrs)
{
    tk_buf_release(&attrs->tokens);
    tk_buf_release(&attrs->layouts);
    tk_map_release(&attrs->by_hash);
}

static int begin(struct attrs *attrs, struct tk_err *err)
{
    struct tk_columns *columns = attrs->columns;
    const struct tk_promotion *spans = &columns->spans;
    size_t rows = columns->rows;
    size_t most = rows + columns->batch->attr_count;
    tk_buf_init(&attrs->tokens, INT32_MAX);
    tk_buf_init(&attrs->layouts, INT32_MAX);
    attrs->promoted = tk_columns_alloc(columns, spans->count, sizeof(*attrs->promoted), err);
    attrs->row_layouts = tk_columns_alloc(columns, rows, sizeof(uint32_t), err);
    attrs->keys = tk_columns_alloc(columns, most, sizeof(uint32_t), err);
    attrs->values = tk_columns_alloc(columns, most, sizeof(uint32_t), err);
    attrs->def = tk_columns_alloc(columns, most, 1, err);
    attrs->rep = tk_columns_alloc(columns, most, 1, err);
    if (!attrs->promoted || !attrs->row_layouts || !attrs->keys || !attrs->values || !attrs->def ||
        !attrs->rep)
        return err->code;
    for (size_t i = 0; i < spans->count; i++) {
        struct promoted *column = &attrs->promoted[i];
        *column = (struct promoted){
            .i64 = tk_columns_alloc(columns, spans->columns[i].count, sizeof(int64_t), err),
            .def = tk_columns_alloc(columns, rows, 1, err)};
        if (!column->i64 || !column->def)
            return err->code;
        memset(column->def, 0, rows);
    }
    return 0;
}

/* Layouts ------------------------------------------------------------------------------------ */

/* Digits and a point for a column, a letter for an entry of the map. */
static uint32_t layout_text(struct attrs *attrs, const uint16_t *tokens, size_t n)
{
    struct tk_buf *text = &attrs->columns->text;
    tk_buf_reset(text);
    for (size_t i = 0; i < n; i++) {
        if (tokens[i] < FIRST_PROMOTED) {
            tk_buf_putc(text, (char)tokens[i]);
        } else {
            tk_buf_put_u64(text, tokens[i] - FIRST_PROMOTED);
            tk_buf_putc(text, '.');
        }
    }
    return tk_columns_make(attrs->columns, tk_buf_str(text));
}

static const struct layout *layout_at(const struct attrs *attrs, size_t i)
{
    return &((const struct layout *)(const void *)attrs->layouts.p)[i];
}

static bool is_layout(const struct attrs *attrs, size_t i, const uint16_t *tokens, size_t n)
{
    const struct layout *layout = layout_at(attrs, i);
    const uint16_t *known = (const uint16_t *)(const void *)attrs->tokens.p + layout->at;
    return layout->n == n && memcmp(known, tokens, n * sizeof(*tokens)) == 0;
}

static uint64_t hash_tokens(const uint16_t *tokens, size_t n)
{
    uint64_t hash = n;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ tokens[i]) * 0x9E3779B97F4A7C15ULL + (hash >> 29);
    return hash;
}

/* The text of the layout whose tokens stand behind all others, from `at` on. */
static uint32_t find_layout(struct attrs *attrs, size_t at)
{
    const uint16_t *tokens = (const uint16_t *)(const void *)attrs->tokens.p + at;
    size_t n = attrs->tokens.n / sizeof(*tokens) - at;
    size_t count = attrs->layouts.n / sizeof(struct layout);
    uint32_t known;
    if (count > 0 && is_layout(attrs, attrs->last, tokens, n)) {
        attrs->tokens.n = at * sizeof(*tokens);
        return layout_at(attrs, attrs->last)->text;
    }
    uint64_t hash = hash_tokens(tokens, n);
    while (tk_map_find(&attrs->by_hash, hash, &known)) {
        if (is_layout(attrs, known, tokens, n)) {
            attrs->last = known;
            attrs->tokens.n = at * sizeof(*tokens);
            return layout_at(attrs, known)->text;
        }
        hash++;
    }
    struct layout layout = {at, n, layout_text(attrs, tokens, n)};
    (void)!tk_map_add(&attrs->by_hash, hash, (uint32_t)count);
    tk_buf_put(&attrs->layouts, (tk_str){(const char *)&layout, sizeof(layout)});
    attrs->last = tk_buf_ok(&attrs->layouts) ? count : attrs->last;
    return layout.text;
}

/* Rows --------------------------------------------------------------------------------------- */

static void put_promoted(struct promoted *column, enum tk_attr_type type,
                         const struct tk_attr *attr)
{
    if (type == TK_ATTR_STRING) {
        column->ids[column->n++] = attr->text;
    } else if (type == TK_ATTR_BOOL) {
        column->bools[column->n++] = attr->i64 != 0;
    } else {
        column->i64[column->n++] = attr->i64; /* a double has the same eight bytes */
    }
}

static uint16_t put_tail(struct attrs *attrs, const struct tk_attr *attr)
{
    char letter;
    attrs->keys[attrs->value_count] = attr->key;
    attrs->values[attrs->value_count++] = tk_columns_attr(attrs->columns, attr, &letter);
    attrs->def[attrs->entries++] = 2;
    return (uint16_t)letter;
}

static void put_row(struct attrs *attrs, size_t i)
{
    const struct tk_columns *columns = attrs->columns;
    size_t n;
    const struct tk_attr *list = tk_span_attrs(columns->batch, tk_columns_row(columns, i), &n);
    size_t at = attrs->tokens.n / sizeof(uint16_t);
    uint16_t *tokens = (uint16_t *)(void *)tk_buf_reserve(&attrs->tokens, n * sizeof(*tokens) + 1);
    size_t entries = attrs->entries;
    if (!tokens)
        return;
    for (size_t k = 0; k < n; k++) {
        const struct tk_key_plan *plan = tk_promotion_plan(&columns->spans, list[k].key);
        struct promoted *column = plan->promoted != TK_NOT_PROMOTED && plan->type == list[k].type
                                      ? &attrs->promoted[plan->promoted]
                                      : NULL;
        if (column && column->last != i + 1) {
            column->last = i + 1;
            column->def[i] = 1;
            put_promoted(column, plan->type, &list[k]);
            tokens[k] = (uint16_t)(FIRST_PROMOTED + plan->promoted);
        } else {
            tokens[k] = put_tail(attrs, &list[k]);
        }
    }
    attrs->tokens.n += n * sizeof(*tokens);
    attrs->row_layouts[i] = n > 0 ? find_layout(attrs, at) : TK_NO_TEXT;
    if (attrs->entries == entries)
        attrs->def[attrs->entries++] = 0;
    memset(attrs->rep + entries, 1, attrs->entries - entries);
    attrs->rep[entries] = 0;
}

/* Columns ------------------------------------------------------------------------------------- */

static void put_column(struct attrs *attrs, size_t i)
{
    struct tk_columns *columns = attrs->columns;
    const struct promoted *column = &attrs->promoted[i];
    size_t leaf = TK_COLUMN_COUNT + i;
    if (columns->spans.columns[i].type == TK_ATTR_STRING) {
        tk_columns_put_ids(columns, leaf, column->ids, column->def, NULL, columns->rows);
    } else {
        tk_parquet_add_levels(columns->writer, leaf, column->i64, column->def, NULL, columns->rows);
    }
}

int tk_columns_put_attrs(struct tk_columns *columns, struct tk_err *err)
{
    TK_CLEANUP(attrs_release) struct attrs attrs = {.columns = columns};
    int rc = begin(&attrs, err);
    if (rc < 0)
        return rc;
    uint8_t *has_layout = tk_columns_alloc(columns, columns->rows, 1, err);
    if (!has_layout)
        return err->code;
    for (size_t i = 0; i < columns->rows; i++)
        put_row(&attrs, i);
    if (!tk_buf_ok(&attrs.tokens) || !tk_buf_ok(&attrs.layouts))
        return tk_fail(err, -ENOMEM, "attributes: out of memory");
    for (size_t i = 0; i < columns->spans.count; i++)
        put_column(&attrs, i);
    tk_columns_put_texts(columns, TK_COLUMN_LAYOUT, attrs.row_layouts, has_layout);
    tk_columns_put_ids(columns, TK_COLUMN_ATTRS_KEY, attrs.keys, attrs.def, attrs.rep,
                       attrs.entries);
    tk_columns_put_ids(columns, TK_COLUMN_ATTRS_VALUE, attrs.values, attrs.def, attrs.rep,
                       attrs.entries);
    return 0;
}
