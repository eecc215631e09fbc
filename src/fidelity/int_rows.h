/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a few whole numbers each, sorted, counted and written as columns of small differences:
 * the tables of models. One thread at a time. */
#ifndef TK_FIDELITY_INT_ROWS_H
#define TK_FIDELITY_INT_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

#define TK_INT_ROW_MAX 32 /* numbers of a row */

struct tk_int_rows {
    size_t width; /* 1 .. TK_INT_ROW_MAX */
    size_t count;
    size_t room;
    int64_t *values; /* [count][width]; owned */
    int failure;     /* sticky */
};

/* An empty set of rows. */
void tk_int_rows_init(struct tk_int_rows *records, size_t width);

/* Accepts a zeroed struct. */
void tk_int_rows_release(struct tk_int_rows *records);

/* Append a row of `width` numbers; a failure is remembered for tk_int_rows_check(). */
void tk_int_rows_add(struct tk_int_rows *records, const int64_t *row);
TK_MUST_USE int tk_int_rows_check(const struct tk_int_rows *records, struct tk_err *err);

/* Row i. */
static inline const int64_t *tk_int_rows_at(const struct tk_int_rows *records, size_t i)
{
    return records->values + i * records->width;
}

/* Sort by all numbers, the first first. */
void tk_int_rows_sort(struct tk_int_rows *records);

/* Sort, and of rows that agree in all but the last number keep one with the sum of those. */
void tk_int_rows_count(struct tk_int_rows *records);

/* The rows [*ret_begin, *ret_end) of sorted ones whose first `n` numbers are these. */
void tk_int_rows_find(const struct tk_int_rows *records, const int64_t *key, size_t n,
                      size_t *ret_begin, size_t *ret_end);

/* Append sorted rows to a text, and take them from it again. -EBADMSG, -ENOMEM. */
void tk_int_rows_encode(const struct tk_int_rows *records, struct tk_buf *out);
TK_MUST_USE int tk_int_rows_decode(struct tk_int_rows *records, tk_str *text, struct tk_err *err);

#endif
