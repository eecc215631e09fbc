/* SPDX-License-Identifier: Apache-2.0 */
/* Services, scopes and resources: what a batch keeps once for many rows is put into text once, and
 * rows take its number. */
#include "segment/columns_internal.h"

#include "base/json.h"
#include "base/number.h"
#include "segment/scope_text.h"

uint32_t *tk_columns_weights(struct tk_columns *columns, struct tk_err *err)
{
    const struct tk_span_batch *batch = columns->batch;
    uint32_t *weights =
        tk_arena_alloc(&columns->memory->plan, (batch->resource_count + 1U) * sizeof(*weights));
    if (!weights) {
        (void)tk_fail(err, -ENOMEM, "resources: out of memory");
        return NULL;
    }
    memset(weights, 0, (batch->resource_count + 1U) * sizeof(*weights));
    for (size_t i = 0; i < columns->rows; i++)
        weights[batch->scopes[batch->scope_ids[i]].resource]++;
    return weights;
}

/* Put a column of texts of which each scope has one: `by_scope` [scope_count]. */
static int put_by_scope(struct tk_columns *columns, size_t column, const uint32_t *by_scope,
                        bool may_be_null, struct tk_err *err)
{
    const uint32_t *scope_ids = columns->batch->scope_ids;
    uint32_t *ids = tk_columns_alloc(columns, columns->rows, sizeof(*ids), err);
    uint8_t *def = tk_columns_alloc(columns, columns->rows, 1, err);
    if (!ids || !def)
        return err->code;
    for (size_t i = 0; i < columns->rows; i++)
        ids[i] = by_scope[scope_ids[tk_columns_row(columns, i)]];
    if (may_be_null) {
        tk_columns_put_texts(columns, column, ids, def);
    } else {
        tk_columns_put_ids(columns, column, ids, NULL, NULL, columns->rows);
    }
    return 0;
}

/* Fixed columns ------------------------------------------------------------------------------- */

static uint32_t or_none(uint32_t text)
{
    return text != 0 ? text : TK_NO_TEXT;
}

/* A text of a resource or scope; TK_NO_TEXT when there is nothing to tell. */
static uint32_t made_or_none(struct tk_columns *columns)
{
    return columns->text.n > 0 ? tk_columns_make(columns, tk_buf_str(&columns->text)) : TK_NO_TEXT;
}

/* The two texts of each resource: its attributes, and what these leave out. */
static void resource_texts(struct tk_columns *columns, uint32_t *attrs, uint32_t *more)
{
    const struct tk_span_batch *batch = columns->batch;
    for (uint32_t i = 0; i < batch->resource_count; i++) {
        tk_buf_reset(&columns->text);
        bool is_exact = tk_resource_put(&columns->coder, batch, i, &columns->text);
        attrs[i] = tk_columns_make(columns, tk_buf_str(&columns->text));
        tk_buf_reset(&columns->text);
        tk_resource_put_more(batch, i, is_exact, &columns->text);
        more[i] = made_or_none(columns);
    }
}

enum by_scope { SERVICE, NAME, VERSION, RESOURCE, RESOURCE_MORE, SCOPE_MORE, BY_SCOPE_COUNT };

static int put_fixed(struct tk_columns *columns, struct tk_err *err)
{
    static const struct {
        size_t column;
        bool may_be_null;
    } places[BY_SCOPE_COUNT] = {
        [SERVICE] = {TK_COLUMN_SERVICE, true},
        [NAME] = {TK_COLUMN_SCOPE_NAME, true},
        [VERSION] = {TK_COLUMN_SCOPE_VERSION, true},
        [RESOURCE] = {TK_COLUMN_RESOURCE, false},
        [RESOURCE_MORE] = {TK_COLUMN_RESOURCE_MORE, true},
        [SCOPE_MORE] = {TK_COLUMN_SCOPE_MORE, true},
    };
    const struct tk_span_batch *batch = columns->batch;
    uint32_t *texts[BY_SCOPE_COUNT];
    uint32_t *attrs = tk_columns_alloc(columns, batch->resource_count, sizeof(*attrs), err);
    uint32_t *more = tk_columns_alloc(columns, batch->resource_count, sizeof(*more), err);
    if (!attrs || !more)
        return err->code;
    for (size_t k = 0; k < BY_SCOPE_COUNT; k++) {
        texts[k] = tk_columns_alloc(columns, batch->scope_count, sizeof(**texts), err);
        if (!texts[k])
            return err->code;
    }
    resource_texts(columns, attrs, more);
    for (uint32_t i = 0; i < batch->scope_count; i++) {
        const struct tk_span_scope *scope = &batch->scopes[i];
        texts[SERVICE][i] = or_none(batch->resources[scope->resource].service);
        texts[NAME][i] = or_none(scope->name);
        texts[VERSION][i] = or_none(scope->version);
        texts[RESOURCE][i] = attrs[scope->resource];
        texts[RESOURCE_MORE][i] = more[scope->resource];
        tk_buf_reset(&columns->text);
        tk_scope_put_more(batch, i, &columns->text);
        texts[SCOPE_MORE][i] = made_or_none(columns);
    }
    int rc = 0;
    for (size_t k = 0; rc == 0 && k < BY_SCOPE_COUNT; k++)
        rc = put_by_scope(columns, places[k].column, texts[k], places[k].may_be_null, err);
    return rc;
}

/* Promoted attributes ------------------------------------------------------------------------- */

/* The attribute of a resource that goes into the column of a key; NULL = none. Of two the last, as
 * in most maps. */
static const struct tk_attr *find_attr(const struct tk_span_batch *batch,
                                       const struct tk_span_resource *resource,
                                       const struct tk_promoted *column)
{
    const struct tk_attr *attrs = batch->side_attrs + resource->attrs.begin;
    for (uint32_t i = resource->attrs.n; i-- > 0;) {
        if (attrs[i].key == column->key && attrs[i].type == column->type)
            return &attrs[i];
    }
    return NULL;
}

/* Numbers or booleans, of which each scope has one or none. */
static int put_numbers(struct tk_columns *columns, size_t leaf, const struct tk_attr **by_scope,
                       bool is_bool, struct tk_err *err)
{
    size_t n = 0;
    int64_t *values = tk_columns_alloc(columns, columns->rows, sizeof(*values), err);
    bool *bools = tk_columns_alloc(columns, columns->rows, sizeof(*bools), err);
    uint8_t *def = tk_columns_alloc(columns, columns->rows, 1, err);
    if (!values || !bools || !def)
        return err->code;
    for (size_t i = 0; i < columns->rows; i++) {
        const struct tk_attr *attr =
            by_scope[columns->batch->scope_ids[tk_columns_row(columns, i)]];
        def[i] = attr != NULL;
        values[n] = attr ? attr->i64 : 0; /* a double has the same eight bytes */
        bools[n] = values[n] != 0;
        n += def[i];
    }
    tk_parquet_add_levels(columns->writer, leaf, is_bool ? (const void *)bools : values, def, NULL,
                          columns->rows);
    return 0;
}

static int put_promoted(struct tk_columns *columns, size_t i, struct tk_err *err)
{
    const struct tk_span_batch *batch = columns->batch;
    const struct tk_promoted *column = &columns->resources.columns[i];
    size_t leaf = TK_COLUMN_COUNT + columns->spans.count + i;
    const struct tk_attr **attrs =
        /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
        tk_columns_alloc(columns, batch->scope_count, sizeof(*attrs), err);
    uint32_t *ids = tk_columns_alloc(columns, batch->scope_count, sizeof(*ids), err);
    if (!attrs || !ids)
        return err->code;
    for (uint32_t k = 0; k < batch->scope_count; k++) {
        attrs[k] = find_attr(batch, &batch->resources[batch->scopes[k].resource], column);
        ids[k] = attrs[k] && column->type == TK_ATTR_STRING ? attrs[k]->text : TK_NO_TEXT;
    }
    return column->type == TK_ATTR_STRING
               ? put_by_scope(columns, leaf, ids, true, err)
               : put_numbers(columns, leaf, attrs, column->type == TK_ATTR_BOOL, err);
}

int tk_columns_put_scopes(struct tk_columns *columns, struct tk_err *err)
{
    int rc = put_fixed(columns, err);
    for (size_t i = 0; rc == 0 && i < columns->resources.count; i++) {
        tk_arena_reset(&columns->memory->scratch);
        rc = put_promoted(columns, i, err);
    }
    return rc;
}
