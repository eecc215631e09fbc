/* SPDX-License-Identifier: Apache-2.0 */
/* A batch: rows of one schema, held by column. A source begins a row and sets the values that it
 * has; all others are absent. Text is copied into the batch. A batch holds a fixed number of rows:
 * when it is full the owner drains it into a sink and resets it. One thread at a time. */
#ifndef TK_TABLE_BATCH_H
#define TK_TABLE_BATCH_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "base/err.h"
#include "table/schema.h"

struct tk_list {
    const void *items; /* double or tk_str, by the type of the column */
    size_t n;
};

union tk_value {
    int64_t i64; /* I64, and BOOL as 0 or 1 */
    double f64;
    tk_str text;
    struct tk_list list;
};

struct tk_batch {
    const struct tk_schema *schema;
    size_t rows;
    size_t max_rows;
    union tk_value *values; /* [column_count][max_rows] */
    uint64_t *present;      /* [max_rows], bit c: column c is set */
    struct tk_arena text;
    bool overflow; /* text did not fit; the value was left absent */
};

/* A batch of at most `max_rows` rows and `max_text` bytes of text. Fails with -ENOMEM. */
TK_MUST_USE int tk_batch_new(const struct tk_schema *schema, size_t max_rows, size_t max_text,
                             struct tk_batch **ret_batch, struct tk_err *err);
void tk_batch_free(struct tk_batch *batch);

/* For TK_CLEANUP. */
void tk_batch_freep(struct tk_batch **batch);

/* Drop all rows and texts, keep the memory. */
void tk_batch_reset(struct tk_batch *batch);

/* True when another row fits, by count and with an eighth of the text left; always when empty. */
bool tk_batch_has_room(const struct tk_batch *batch);

/* Begin a row with all values absent; the batch must have room. */
static inline void tk_batch_begin(struct tk_batch *batch)
{
    assert(batch->rows < batch->max_rows);
    batch->present[batch->rows++] = 0;
}

/* Take the last row back. */
static inline void tk_batch_drop(struct tk_batch *batch)
{
    batch->rows--;
}

/* Where a value lives; for the setters here. */
static inline union tk_value *tk_batch_slot(struct tk_batch *batch, size_t row, size_t column)
{
    return &batch->values[column * batch->max_rows + row];
}

/* Set a value of the last row. The type must be the column's (asserted). */
static inline void tk_batch_set_i64(struct tk_batch *batch, size_t column, int64_t value)
{
    assert(batch->schema->columns[column].type == TK_I64);
    tk_batch_slot(batch, batch->rows - 1, column)->i64 = value;
    batch->present[batch->rows - 1] |= 1ULL << column;
}

/* As set_i64, with 0 or 1. */
static inline void tk_batch_set_bool(struct tk_batch *batch, size_t column, bool value)
{
    assert(batch->schema->columns[column].type == TK_BOOL);
    tk_batch_slot(batch, batch->rows - 1, column)->i64 = value;
    batch->present[batch->rows - 1] |= 1ULL << column;
}

/* NaN and infinity leave the value absent. */
static inline void tk_batch_set_f64(struct tk_batch *batch, size_t column, double value)
{
    assert(batch->schema->columns[column].type == TK_F64);
    if (!__builtin_isfinite(value))
        return;
    tk_batch_slot(batch, batch->rows - 1, column)->f64 = value;
    batch->present[batch->rows - 1] |= 1ULL << column;
}

/* Copies the text (or the items and their texts) into the batch. What does not fit stays absent and
 * sets `overflow`. */
void tk_batch_set_text(struct tk_batch *batch, size_t column, tk_str text);
void tk_batch_set_f64_list(struct tk_batch *batch, size_t column, const double *items, size_t n);
void tk_batch_set_text_list(struct tk_batch *batch, size_t column, const tk_str *items, size_t n);

/* Set a value of any type, as tk_batch_at() gives it for a column of the same type. */
void tk_batch_copy_value(struct tk_batch *batch, size_t column, const union tk_value *value);

/* Read a value: valid until the next reset. */
static inline bool tk_batch_has(const struct tk_batch *batch, size_t row, size_t column)
{
    return (batch->present[row] >> column & 1) != 0;
}

/* The value of a cell that is present. */
static inline const union tk_value *tk_batch_at(const struct tk_batch *batch, size_t row,
                                                size_t column)
{
    return &batch->values[column * batch->max_rows + row];
}

/* The value, or `otherwise` when it is absent. */
static inline int64_t tk_batch_i64(const struct tk_batch *batch, size_t row, size_t column,
                                   int64_t otherwise)
{
    return tk_batch_has(batch, row, column) ? tk_batch_at(batch, row, column)->i64 : otherwise;
}

/* The value, or `otherwise` when it is absent. */
static inline double tk_batch_f64(const struct tk_batch *batch, size_t row, size_t column,
                                  double otherwise)
{
    return tk_batch_has(batch, row, column) ? tk_batch_at(batch, row, column)->f64 : otherwise;
}

/* The empty view when absent. */
static inline tk_str tk_batch_text(const struct tk_batch *batch, size_t row, size_t column)
{
    return tk_batch_has(batch, row, column) ? tk_batch_at(batch, row, column)->text
                                            : (tk_str){NULL, 0};
}

#endif
