/* SPDX-License-Identifier: Apache-2.0 */
/* A column of the writer: values gather as they come until they make a page, which is then encoded,
 * compressed and appended to the chunk. A page begins with a row.
 *
 * Body of a data page (version 1, compressed as a whole): repetition levels and definition levels,
 * each four bytes of length and the hybrid, left out when there is but one level; then the values.
 */
#include <errno.h>
#include <string.h>

#include <libdeflate.h>

#include "table/parquet_internal.h"

#define SLICE 256 /* entries between two looks at the size of the page */

void tk_parquet_column_init(struct tk_parquet_column *column)
{
    struct tk_buf *const bufs[] = {&column->def,     &column->rep,   &column->values,
                                   &column->lengths, &column->pages, &column->page_list,
                                   &column->body,    &column->packed};
    for (size_t i = 0; i < TK_COUNTOF(bufs); i++)
        tk_buf_init(bufs[i], TK_PARQUET_PAGE_MAX);
    column->pages.max = INT32_MAX;
    column->packed.max =
        (size_t)2 * TK_PARQUET_PAGE_MAX; /* what does not compress grows a little */
    column->width = tk_parquet_width(column->node);
}

void tk_parquet_column_release(struct tk_parquet_column *column)
{
    tk_buf_release(&column->def);
    tk_buf_release(&column->rep);
    tk_buf_release(&column->values);
    tk_buf_release(&column->lengths);
    tk_buf_release(&column->pages);
    tk_buf_release(&column->page_list);
    tk_buf_release(&column->body);
    tk_buf_release(&column->packed);
}

size_t tk_parquet_column_bytes(const struct tk_parquet_column *column)
{
    return column->pages.n + column->values.n + column->lengths.n;
}

static void reset_page(struct tk_parquet_column *column)
{
    tk_buf_reset(&column->def);
    tk_buf_reset(&column->rep);
    tk_buf_reset(&column->values);
    tk_buf_reset(&column->lengths);
    column->entries = column->count = column->rows = 0;
}

void tk_parquet_column_reset(struct tk_parquet_column *column)
{
    reset_page(column);
    tk_buf_reset(&column->pages);
    tk_buf_reset(&column->page_list);
    column->chunk_entries = column->chunk_nulls = column->chunk_rows = column->raw_bytes = 0;
    memset(column->page_counts, 0, sizeof(column->page_counts));
    column->bounds = (struct tk_parquet_bounds){0};
}

/* Keep the first failure of a buffer. */
static void check_buf(struct tk_parquet_column *column, const struct tk_buf *buf)
{
    struct tk_err err;
    if (column->err->code == 0 && tk_buf_check(buf, column->node->name, &err) < 0)
        *column->err = err;
}

/* A page --------------------------------------------------------------------------------- */

static void put_levels(struct tk_buf *out, const struct tk_buf *levels, uint8_t max)
{
    size_t at = out->n;
    if (max == 0)
        return;
    tk_buf_put(out, (tk_str){"\0\0\0\0", 4});
    tk_hybrid_put_u8(out, (const uint8_t *)levels->p, levels->n, tk_bit_width(max));
    uint32_t n = (uint32_t)(out->n - at - 4);
    if (tk_buf_ok(out))
        memcpy(out->p + at, &n, sizeof(n));
}

static struct tk_parquet_values values_of(const struct tk_parquet_column *column)
{
    bool texts = column->node->type == TK_PARQUET_BYTES;
    return (struct tk_parquet_values){
        .fixed = texts ? NULL : column->values.p,
        .lengths = texts ? (const uint32_t *)(const void *)column->lengths.p : NULL,
        .text = texts ? column->values.p : NULL,
        .text_bytes = texts ? column->values.n : 0,
        .n = column->count,
    };
}

/* Append a header and the stored bytes to the chunk, and enter the page into its list. */
static void store_page(struct tk_parquet_column *column, tk_str stored,
                       const struct tk_parquet_bounds *bounds)
{
    struct tk_parquet_page page = {
        .at = column->pages.n,
        .first_row = column->chunk_rows,
        .entries = column->entries,
        .nulls = column->entries - column->count,
        .bounds = *bounds,
    };
    struct tk_parquet_page_header header = {
        .set = 1U << 1 | 1U << 2 | 1U << 3 | 1U << 4 | 1U << 5,
        .type = TK_PARQUET_PAGE_DATA,
        .uncompressed_page_size = (int32_t)column->body.n,
        .compressed_page_size = (int32_t)stored.n,
        .crc = (int32_t)libdeflate_crc32(0, stored.p, stored.n),
        .data = {.set = 1U << 1 | 1U << 2 | 1U << 3 | 1U << 4,
                 .num_values = (int32_t)column->entries,
                 .encoding = TK_PARQUET_ENC_PLAIN,
                 .definition_level_encoding = TK_PARQUET_ENC_RLE,
                 .repetition_level_encoding = TK_PARQUET_ENC_RLE},
    };
    tk_thrift_encode(&tk_parquet_spec_page_header, &header, &column->pages);
    column->raw_bytes += column->pages.n - page.at + column->body.n;
    tk_buf_put(&column->pages, stored);
    page.stored_bytes = column->pages.n - page.at;
    tk_buf_put(&column->page_list, (tk_str){(const char *)&page, sizeof(page)});
    column->page_counts[TK_PARQUET_ENC_PLAIN]++;
}

static void encode_page(struct tk_parquet_column *column)
{
    struct tk_parquet_values values = values_of(column);
    struct tk_parquet_bounds bounds;
    tk_buf_reset(&column->body);
    tk_buf_reset(&column->packed);
    put_levels(&column->body, &column->rep, column->leaf->max_rep);
    put_levels(&column->body, &column->def, column->leaf->max_def);
    tk_parquet_put_plain(&column->body, column->node, &values);
    check_buf(column, &column->body);
    if (column->err->code < 0)
        return;
    tk_str stored = tk_buf_str(&column->body);
    if (stored.n > 0 && column->codecs->codec != TK_PARQUET_UNCOMPRESSED) {
        if (tk_parquet_compress(column->codecs, stored, &column->packed, column->err) < 0)
            return;
        stored = tk_buf_str(&column->packed);
    }
    tk_parquet_bounds_find(column->node, &values, &bounds);
    tk_parquet_bounds_add(column->node, &column->bounds, &bounds);
    store_page(column, stored, &bounds);
    check_buf(column, &column->pages);
    check_buf(column, &column->page_list);
}

void tk_parquet_column_end_page(struct tk_parquet_column *column)
{
    if (column->entries == 0 || column->err->code < 0)
        return;
    encode_page(column);
    column->chunk_entries += column->entries;
    column->chunk_nulls += column->entries - column->count;
    column->chunk_rows += column->rows;
    reset_page(column);
}

/* Adding --------------------------------------------------------------------------------- */

static void add_texts(struct tk_parquet_column *column, const tk_str *texts, size_t n)
{
    uint32_t *lengths = (uint32_t *)(void *)tk_buf_reserve(&column->lengths, n * sizeof(*lengths));
    if (!lengths)
        return;
    for (size_t i = 0; i < n; i++) {
        lengths[i] = (uint32_t)texts[i].n;
        tk_buf_put(&column->values, texts[i]);
    }
    column->lengths.n += n * sizeof(*lengths);
}

static void add_fixed(struct tk_parquet_column *column, const tk_str *texts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (texts[i].n != column->width && column->err->code == 0) {
            (void)tk_fail(column->err, -EINVAL, "column %s: a value of %zu bytes, not %zu",
                          column->node->name, texts[i].n, column->width);
        }
        tk_buf_put(&column->values, texts[i]);
    }
}

/* Values that are there; returns those that follow them. */
static const char *add_values(struct tk_parquet_column *column, const char *values, size_t n)
{
    const tk_str *texts = (const tk_str *)(const void *)values;
    column->count += n;
    if (column->node->type == TK_PARQUET_BYTES) {
        add_texts(column, texts, n);
    } else if (column->node->type == TK_PARQUET_FIXED) {
        add_fixed(column, texts, n);
    } else {
        tk_buf_put(&column->values, (tk_str){values, n * column->width});
        return n > 0 ? values + n * column->width : values;
    }
    return n > 0 ? (const char *)(texts + n) : values;
}

static void add_level(struct tk_buf *buf, const uint8_t *levels, size_t n, uint8_t otherwise)
{
    char *to = tk_buf_reserve(buf, n);
    if (!to)
        return;
    if (levels) {
        memcpy(to, levels, n);
    } else {
        memset(to, otherwise, n);
    }
    buf->n += n;
}

static size_t count_equal(const uint8_t *levels, size_t n, uint8_t level)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += levels[i] == level;
    return count;
}

/* How many of the entries to take before the next look at the size: whole rows. */
static size_t slice_of(const struct tk_parquet_column *column, const uint8_t *rep, size_t n)
{
    size_t room = column->opts->page_rows - column->rows;
    size_t most =
        column->node->type == TK_PARQUET_BYTES || rep ? SLICE : column->opts->page_bytes / 16;
    size_t slice = room < most ? room : most;
    if (slice >= n)
        return n;
    slice += slice == 0;
    while (rep && slice < n && rep[slice] != 0)
        slice++;
    return slice;
}

static bool page_is_full(const struct tk_parquet_column *column)
{
    return column->rows >= column->opts->page_rows ||
           column->values.n + column->lengths.n >= column->opts->page_bytes;
}

void tk_parquet_column_add(struct tk_parquet_column *column, const void *values, const uint8_t *def,
                           const uint8_t *rep, size_t n)
{
    const char *rest = values;
    uint8_t max_def = column->leaf->max_def;
    while (n > 0 && column->err->code == 0) {
        if (page_is_full(column))
            tk_parquet_column_end_page(column);
        size_t slice = slice_of(column, rep, n);
        rest = add_values(column, rest, def ? count_equal(def, slice, max_def) : slice);
        if (max_def > 0)
            add_level(&column->def, def, slice, max_def);
        if (column->leaf->max_rep > 0)
            add_level(&column->rep, rep, slice, 0);
        column->entries += slice;
        column->rows += rep ? count_equal(rep, slice, 0) : slice;
        def = def ? def + slice : NULL;
        rep = rep ? rep + slice : NULL;
        n -= slice;
        check_buf(column, &column->values);
        check_buf(column, &column->lengths);
        check_buf(column, &column->def);
        check_buf(column, &column->rep);
    }
}
