/* SPDX-License-Identifier: Apache-2.0 */
#include "table/batch.h"

#include <errno.h>
#include <stdlib.h>

#include "base/checked.h"

int tk_batch_new(const struct tk_schema *schema, size_t max_rows, size_t max_text,
                 struct tk_batch **ret_batch, struct tk_err *err)
{
    assert(schema->column_count >= 1 && schema->column_count <= 64 && max_rows > 0);
    struct tk_batch *batch = calloc(1, sizeof(*batch));
    if (!batch)
        return tk_fail(err, -ENOMEM, "table %s: out of memory", schema->name);
    batch->schema = schema;
    batch->max_rows = max_rows;

    /* Not cleared: pages of columns and rows that nobody sets are never taken. */
    size_t cells;
    size_t bytes;
    int rc = -ENOMEM;
    if (!tk_mul_size(schema->column_count, max_rows, &cells) ||
        !tk_mul_size(cells, sizeof(batch->values[0]), &bytes))
        goto fail;
    batch->values = malloc(bytes);
    batch->present = malloc(max_rows * sizeof(batch->present[0]));
    if (!batch->values || !batch->present)
        goto fail;
    rc = tk_arena_init(&batch->text, max_text > 0 ? max_text : 1, err);
    if (rc < 0)
        goto fail;
    *ret_batch = batch;
    return 0;

fail:
    tk_batch_free(batch);
    return tk_fail(err, rc, "table %s: no memory for %zu rows", schema->name, max_rows);
}

void tk_batch_free(struct tk_batch *batch)
{
    if (!batch)
        return;
    free(batch->values);
    free(batch->present);
    tk_arena_release(&batch->text);
    free(batch);
}

void tk_batch_freep(struct tk_batch **batch)
{
    tk_batch_free(*batch);
    *batch = NULL;
}

void tk_batch_reset(struct tk_batch *batch)
{
    batch->rows = 0;
    batch->overflow = false;
    tk_arena_reset(&batch->text);
}

bool tk_batch_has_room(const struct tk_batch *batch)
{
    if (batch->rows == 0)
        return true;
    return batch->rows < batch->max_rows && batch->text.n <= batch->text.max - batch->text.max / 8;
}

/* Where the last row's value goes; it counts as absent until mark() is called. */
static union tk_value *slot(struct tk_batch *batch, size_t column, enum tk_type type)
{
    assert(batch->rows > 0 && column < batch->schema->column_count);
    assert(batch->schema->columns[column].type == type);
    (void)type;
    batch->present[batch->rows - 1] &= ~(1ULL << column);
    return tk_batch_slot(batch, batch->rows - 1, column);
}

static void mark(struct tk_batch *batch, size_t column)
{
    batch->present[batch->rows - 1] |= 1ULL << column;
}

void tk_batch_set_text(struct tk_batch *batch, size_t column, tk_str text)
{
    union tk_value *value = slot(batch, column, TK_TEXT);
    tk_str copy = tk_arena_copy(&batch->text, text);
    if (!copy.p && text.n > 0) {
        batch->overflow = true;
        return;
    }
    value->text = copy;
    mark(batch, column);
}

/* Room for `n` items of a list; NULL, with the overflow noted, when they do not fit. */
static void *alloc_items(struct tk_batch *batch, size_t n, size_t item_bytes)
{
    size_t bytes;
    void *items = tk_mul_size(n, item_bytes, &bytes) ? tk_arena_alloc(&batch->text, bytes) : NULL;
    if (!items)
        batch->overflow = true;
    return items;
}

void tk_batch_set_f64_list(struct tk_batch *batch, size_t column, const double *items, size_t n)
{
    union tk_value *value = slot(batch, column, TK_F64_LIST);
    double *copies = alloc_items(batch, n, sizeof(*items));
    if (!copies)
        return;
    if (n > 0)
        memcpy(copies, items, n * sizeof(*items));
    value->list = (struct tk_list){copies, n};
    mark(batch, column);
}

void tk_batch_set_text_list(struct tk_batch *batch, size_t column, const tk_str *items, size_t n)
{
    union tk_value *value = slot(batch, column, TK_TEXT_LIST);
    tk_str *copies = alloc_items(batch, n, sizeof(*items));
    if (!copies)
        return;
    for (size_t i = 0; i < n; i++) {
        copies[i] = tk_arena_copy(&batch->text, items[i]);
        if (!copies[i].p && items[i].n > 0) {
            batch->overflow = true;
            return;
        }
    }
    value->list = (struct tk_list){copies, n};
    mark(batch, column);
}

void tk_batch_copy_value(struct tk_batch *batch, size_t column, const union tk_value *value)
{
    switch (batch->schema->columns[column].type) {
    case TK_I64:
        tk_batch_set_i64(batch, column, value->i64);
        break;
    case TK_F64:
        tk_batch_set_f64(batch, column, value->f64);
        break;
    case TK_BOOL:
        tk_batch_set_bool(batch, column, value->i64 != 0);
        break;
    case TK_TEXT:
        tk_batch_set_text(batch, column, value->text);
        break;
    case TK_F64_LIST:
        tk_batch_set_f64_list(batch, column, value->list.items, value->list.n);
        break;
    case TK_TEXT_LIST:
        tk_batch_set_text_list(batch, column, value->list.items, value->list.n);
        break;
    }
}
