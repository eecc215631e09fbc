/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/int_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fidelity/pack.h"
#include "table/varint.h"

#define FIRST_ROOM 256

void tk_int_rows_init(struct tk_int_rows *records, size_t width)
{
    *records = (struct tk_int_rows){.width = width};
}

void tk_int_rows_release(struct tk_int_rows *records)
{
    free(records->values);
    *records = (struct tk_int_rows){.width = records->width};
}

void tk_int_rows_add(struct tk_int_rows *records, const int64_t *row)
{
    if (records->failure < 0)
        return;
    if (records->count == records->room) {
        size_t room = records->room > 0 ? records->room * 2 : FIRST_ROOM;
        int64_t *more = realloc(records->values, room * records->width * sizeof(*more));
        if (!more) {
            records->failure = -ENOMEM;
            return;
        }
        records->values = more;
        records->room = room;
    }
    memcpy(records->values + records->count * records->width, row, records->width * sizeof(*row));
    records->count++;
}

int tk_int_rows_check(const struct tk_int_rows *records, struct tk_err *err)
{
    return records->failure < 0 ? tk_fail(err, records->failure, "out of memory") : 0;
}

static int compare(const int64_t *a, const int64_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    }
    return 0;
}

static int by_all(const void *a, const void *b, void *user)
{
    const struct tk_int_rows *records = user;
    return compare(a, b, records->width);
}

void tk_int_rows_sort(struct tk_int_rows *records)
{
    size_t row_bytes = records->width * sizeof(*records->values);
    if (records->count > 0)
        qsort_r(records->values, records->count, row_bytes, by_all, records);
}

void tk_int_rows_count(struct tk_int_rows *records)
{
    size_t kept = 0;
    size_t width = records->width;
    tk_int_rows_sort(records);
    for (size_t i = 0; i < records->count; i++) {
        const int64_t *row = tk_int_rows_at(records, i);
        int64_t *last = kept > 0 ? records->values + (kept - 1) * width : NULL;
        if (last && compare(last, row, width - 1) == 0) {
            last[width - 1] += row[width - 1];
        } else {
            memmove(records->values + kept * width, row, width * sizeof(*row));
            kept++;
        }
    }
    records->count = kept;
}

/* The first row that is not below the key, or with `after` the first above it. */
static size_t find_edge(const struct tk_int_rows *records, const int64_t *key, size_t n, bool after)
{
    size_t low = 0;
    size_t high = records->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(tk_int_rows_at(records, middle), key, n);
        if (order < 0 || (after && order == 0)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void tk_int_rows_find(const struct tk_int_rows *records, const int64_t *key, size_t n,
                      size_t *ret_begin, size_t *ret_end)
{
    *ret_begin = find_edge(records, key, n, false);
    *ret_end = find_edge(records, key, n, true);
}

/* A number stands as its difference to the row before while all before it in the row are the same:
 * sorted rows differ little. */
void tk_int_rows_encode(const struct tk_int_rows *records, struct tk_buf *out)
{
    size_t width = records->width;
    tk_varint_put(out, records->count);
    for (size_t column = 0; column < width; column++) {
        for (size_t i = 0; i < records->count; i++) {
            const int64_t *row = tk_int_rows_at(records, i);
            bool follows = i > 0 && compare(row - width, row, column) == 0;
            int64_t before = follows ? (row - width)[column] : 0;
            tk_varint_put(out, tk_zigzag(tk_wrap_sub(row[column], before)));
        }
    }
}

int tk_int_rows_decode(struct tk_int_rows *records, tk_str *text, struct tk_err *err)
{
    bool ok = true;
    size_t width = records->width;
    uint64_t count = tk_pack_take(text, &ok);
    if (!ok || count > text->n / width)
        return tk_fail(err, -EBADMSG, "a table of the model is damaged");
    records->values = calloc((size_t)count * width + 1, sizeof(*records->values));
    if (!records->values)
        return tk_fail(err, -ENOMEM, "out of memory");
    records->count = records->room = (size_t)count;
    for (size_t column = 0; column < width; column++) {
        for (size_t i = 0; i < count; i++) {
            int64_t *row = records->values + i * width;
            bool follows = i > 0 && compare(row - width, row, column) == 0;
            int64_t before = follows ? (row - width)[column] : 0;
            row[column] = tk_wrap_add(before, tk_unzigzag(tk_pack_take(text, &ok)));
        }
    }
    return ok ? 0 : tk_fail(err, -EBADMSG, "a table of the model ends too early");
}
