/* SPDX-License-Identifier: Apache-2.0 */
/* The section with the texts of exact values: columns one after the other, so that like stands by
 * like, in one zstd frame. */
#include <errno.h>
#include <stdlib.h>
#include <zstd.h>

#include "codec/exact_values.h"
#include "span/wire.h"

#define LEVEL       19
#define LEVEL_LARGE 9 /* for more than LARGE bytes, where 19 takes seconds */
#define LARGE       ((size_t)4 << 20)

/* Writing -------------------------------------------------------------------------------------- */

/* By column; those of a column as they came. */
static int by_column(const void *a, const void *b)
{
    const struct tk_value_text *x = a;
    const struct tk_value_text *y = b;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static void put_columns(const struct tk_value_text *texts, size_t n, struct tk_buf *raw)
{
    uint32_t columns = 0;
    for (size_t i = 0; i < n; i++)
        columns += i == 0 || texts[i].column != texts[i - 1].column;
    tk_wire_put_varint(raw, columns);
    uint32_t last = 0;
    for (size_t i = 0; i < n;) {
        size_t begin = i;
        while (i < n && texts[i].column == texts[begin].column)
            i++;
        tk_wire_put_varint(raw, texts[begin].column - last);
        tk_wire_put_varint(raw, i - begin);
        last = texts[begin].column;
    }
}

static void put_frame(const struct tk_buf *raw, struct tk_buf *out)
{
    size_t bound = ZSTD_compressBound(raw->n);
    tk_wire_put_varint(out, raw->n);
    char *to = tk_buf_reserve(out, bound);
    if (!to)
        return;
    size_t n = ZSTD_compress(to, bound, raw->p, raw->n, raw->n > LARGE ? LEVEL_LARGE : LEVEL);
    if (ZSTD_isError(n)) {
        out->failure = -ENOMEM;
    } else {
        out->n += n;
    }
}

static int put_texts(const struct tk_value_text *sorted, size_t n, const struct tk_texts *source,
                     struct tk_buf *out, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf raw;
    tk_buf_init(&raw, TK_VALUES_TEXTS_MAX);
    put_columns(sorted, n, &raw);
    for (size_t i = 0; i < n; i++)
        tk_wire_put_varint(&raw, tk_texts_get(source, sorted[i].text).n);
    for (size_t i = 0; i < n; i++)
        tk_buf_put(&raw, tk_texts_get(source, sorted[i].text));
    int rc = tk_buf_check(&raw, "texts of events", err);
    if (rc == 0)
        put_frame(&raw, out);
    return rc < 0 ? rc : tk_buf_check(out, "texts of events", err);
}

int tk_values_write_texts(struct tk_values *values, const struct tk_texts *source,
                          struct tk_buf *out, struct tk_err *err)
{
    struct tk_value_text *texts = (struct tk_value_text *)(void *)values->new_texts.p;
    size_t n = values->new_texts.n / sizeof(*texts);
    if (values->failure < 0)
        return tk_fail(err, values->failure, "events of a block: too many values");
    int rc = tk_buf_check(&values->new_texts, "texts of events", err);
    if (rc < 0 || n == 0)
        return rc;
    qsort(texts, n, sizeof(*texts), by_column);
    return put_texts(texts, n, source, out, err);
}

/* Reading -------------------------------------------------------------------------------------- */

static int bad(struct tk_err *err, const char *why)
{
    return tk_fail(err, -EBADMSG, "section of exact texts: %s", why);
}

/* Unpack the frame: all of it is in memory then, within the cap. */
static int unpack(struct tk_values *values, tk_str section, struct tk_wire *ret_raw,
                  struct tk_err *err)
{
    struct tk_wire in = {section.p, section.p + section.n, ret_raw->fault};
    uint64_t size;
    if (tk_wire_varint(&in, &size) < 0 || size > TK_VALUES_TEXTS_MAX)
        return bad(err, "its size is none");
    int rc = tk_arena_init(&values->bytes, (size_t)size + 64, err);
    if (rc < 0)
        return rc;
    char *to = tk_arena_alloc(&values->bytes, (size_t)size);
    if (!to)
        return tk_fail(err, -ENOMEM, "out of memory");
    size_t n = ZSTD_decompress(to, (size_t)size, in.p, (size_t)(in.end - in.p));
    if (ZSTD_isError(n) || n != size)
        return bad(err, "expected a zstd frame of the size that it tells");
    *ret_raw = (struct tk_wire){to, to + n, ret_raw->fault};
    return 0;
}

/* Columns and how many texts each has. A text takes a byte at least, that of its length. */
static int read_columns(struct tk_values *values, struct tk_wire *raw, struct tk_err *err)
{
    uint64_t most = (uint64_t)(raw->end - raw->p);
    uint64_t columns;
    uint64_t column = 0;
    if (tk_wire_varint(raw, &columns) < 0 || columns > most)
        return bad(err, "more columns than bytes");
    values->runs = calloc((size_t)columns + 1, sizeof(*values->runs));
    if (!values->runs)
        return tk_fail(err, -ENOMEM, "out of memory");
    uint64_t all = 0;
    for (uint32_t i = 0; i < columns; i++) {
        uint64_t step;
        uint64_t count;
        if (tk_wire_varint(raw, &step) < 0 || tk_wire_varint(raw, &count) < 0 ||
            step > UINT32_MAX || count > most)
            return bad(err, "a column with more texts than bytes");
        column += step;
        values->runs[i] = (struct tk_value_run){(uint32_t)all, (uint32_t)(all + count)};
        all += count;
        if (all > most)
            return bad(err, "more texts than bytes");
        if (tk_map_add(&values->columns, column, i) < 0)
            return tk_fail(err, -ENOMEM, "out of memory");
    }
    values->text_count = (uint32_t)all;
    return 0;
}

int tk_values_read_texts(struct tk_values *values, tk_str section, struct tk_err *err)
{
    struct tk_wire_fault fault = {0};
    struct tk_wire raw = {.fault = &fault};
    int rc = unpack(values, section, &raw, err);
    rc = rc < 0 ? rc : read_columns(values, &raw, err);
    if (rc < 0)
        return rc;
    values->texts = calloc((size_t)values->text_count + 1, sizeof(*values->texts));
    if (!values->texts)
        return tk_fail(err, -ENOMEM, "out of memory");
    for (uint32_t i = 0; i < values->text_count; i++) {
        uint64_t n;
        if (tk_wire_varint(&raw, &n) < 0 || n > TK_VALUES_TEXTS_MAX)
            return bad(err, "a length is missing");
        values->texts[i].n = (size_t)n;
    }
    for (uint32_t i = 0; i < values->text_count; i++) {
        size_t n = values->texts[i].n;
        if (n > (size_t)(raw.end - raw.p))
            return bad(err, "a text is cut off");
        values->texts[i].p = raw.p;
        raw.p += n;
    }
    return 0;
}
