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

#define SLICE             256 /* entries between two looks at the size of the page */
#define CHUNKS_PER_CHOICE 4   /* chunks that are laid out as the first of them chose */

static bool may_use(const struct tk_parquet_column *column, const struct tk_parquet_coding *coding)
{
    bool is_plain = coding->encoding == TK_PARQUET_ENC_PLAIN;
    return (coding->types >> column->node->type & 1) && (is_plain || !column->opts->classic);
}

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
    tk_dictionary_init(&column->dictionary);
    tk_buf_init(&column->hashes, TK_PARQUET_PAGE_MAX);
    column->coding = tk_parquet_codings;
    for (const struct tk_parquet_coding *coding = tk_parquet_codings; coding->put; coding++) {
        if (coding->choice == column->node->encoding && may_use(column, coding))
            column->coding = coding;
    }
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
    tk_dictionary_release(&column->dictionary);
    tk_buf_release(&column->hashes);
}

size_t tk_parquet_column_bytes(const struct tk_parquet_column *column)
{
    return column->pages.n + column->dictionary.plain.n + column->values.n + column->lengths.n;
}

static void reset_page(struct tk_parquet_column *column)
{
    tk_buf_reset(&column->def);
    tk_buf_reset(&column->rep);
    tk_buf_reset(&column->values);
    tk_buf_reset(&column->lengths);
    column->entries = column->count = column->rows = 0;
    column->has_indices = false;
}

void tk_parquet_column_reset(struct tk_parquet_column *column)
{
    reset_page(column);
    tk_buf_reset(&column->pages);
    tk_buf_reset(&column->page_list);
    tk_dictionary_reset(&column->dictionary);
    tk_buf_reset(&column->hashes);
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

static struct tk_parquet_values values_of(const struct tk_parquet_column *column)
{
    bool texts = column->node->type == TK_PARQUET_BYTES;
    return (struct tk_parquet_values){
        .fixed = texts ? NULL : column->values.p,
        .lengths = texts ? (const uint32_t *)(const void *)column->lengths.p : NULL,
        .text = texts ? column->values.p : NULL,
        .text_bytes = texts ? column->values.n : 0,
        .indices = column->has_indices ? (const uint32_t *)(const void *)column->values.p : NULL,
        .n = column->count,
    };
}

/* A page in one of the ways to lay it out. */
struct layout {
    enum tk_parquet_format_encoding encoding;
    size_t raw_bytes;
    tk_str stored; /* in a buffer of the column */
};

/* Compress `body` into `packed`; the result is in either. False after a failure. */
static bool pack(struct tk_parquet_column *column, const struct tk_buf *body, struct tk_buf *packed,
                 tk_str *ret_stored)
{
    check_buf(column, body);
    *ret_stored = tk_buf_str(body);
    if (column->err->code < 0 || body->n == 0 || column->codecs->codec == TK_PARQUET_UNCOMPRESSED)
        return column->err->code == 0;
    tk_buf_reset(packed);
    column->codecs->page_level = column->node->level;
    if (tk_parquet_compress(column->codecs, *ret_stored, packed, column->err) < 0)
        return false;
    *ret_stored = tk_buf_str(packed);
    return true;
}

/* Lay the page out by `coding`, or with the indices of the dictionary when that is NULL. */
static bool lay_out(struct tk_parquet_column *column, const struct tk_parquet_values *values,
                    const struct tk_parquet_coding *coding, struct layout *ret_layout)
{
    struct tk_buf *body = &column->body;
    const struct tk_parquet_leaf *leaf = column->leaf;
    tk_buf_reset(body);
    tk_parquet_put_levels(body, (const uint8_t *)column->rep.p, column->rep.n, leaf->max_rep);
    tk_parquet_put_levels(body, (const uint8_t *)column->def.p, column->def.n, leaf->max_def);
    if (coding) {
        coding->put(body, column->node, values);
    } else {
        const struct tk_dictionary *dictionary = &column->dictionary;
        const uint32_t *found = (const uint32_t *)(const void *)dictionary->indices.p;
        tk_dictionary_put(dictionary, values->indices ? values->indices : found, values->n, body);
    }
    ret_layout->encoding = coding ? coding->encoding : TK_PARQUET_ENC_RLE_DICTIONARY;
    ret_layout->raw_bytes = body->n;
    return pack(column, body, &column->packed, &ret_layout->stored);
}

/* Bytes that the dictionary adds to one page of many. One that takes in few values of a page grows
 * little in the pages to come. */
static size_t dictionary_share(struct tk_parquet_column *column, size_t values)
{
    tk_str stored;
    if (!pack(column, &column->dictionary.plain, &column->packed, &stored))
        return SIZE_MAX / 2;
    return column->dictionary.count < values / 8 ? stored.n / 4 : stored.n;
}

/* Lay the page at hand out in every way, and keep to what was smallest. */
static void choose_layout(struct tk_parquet_column *column, const struct tk_parquet_values *values)
{
    enum tk_parquet_encoding wish = column->node->encoding;
    bool may_index = column->node->type != TK_PARQUET_BOOL;
    struct layout layout;
    size_t least = SIZE_MAX;
    for (const struct tk_parquet_coding *coding = tk_parquet_codings; coding->put; coding++) {
        if (may_use(column, coding) && lay_out(column, values, coding, &layout) &&
            layout.stored.n < least) {
            least = layout.stored.n;
            column->coding = coding;
        }
    }
    column->wants_dictionary = wish == TK_PARQUET_ENCODE_DICTIONARY && may_index;
    if (wish != TK_PARQUET_ENCODE_AUTO || !may_index ||
        !tk_dictionary_add(&column->dictionary, column->node, values))
        return;
    if (lay_out(column, values, NULL, &layout)) {
        size_t bytes = layout.stored.n;
        column->wants_dictionary = bytes + dictionary_share(column, values->n) < least;
    }
}

/* Before the first page of a chunk: choose anew from time to time. */
static void start_chunk(struct tk_parquet_column *column, const struct tk_parquet_values *values)
{
    enum tk_parquet_encoding wish = column->node->encoding;
    bool is_free = wish == TK_PARQUET_ENCODE_AUTO || wish == TK_PARQUET_ENCODE_DICTIONARY;
    if (is_free && column->chunks % CHUNKS_PER_CHOICE == 0 && values->n > 0)
        choose_layout(column, values);
    column->has_dictionary = column->wants_dictionary;
    if (!column->has_dictionary)
        tk_dictionary_reset(&column->dictionary);
    column->chunks++;
}

/* Append a header and the stored bytes to the chunk, and enter the page into its list. */
static void store_page(struct tk_parquet_column *column, const struct layout *layout,
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
        .uncompressed_page_size = (int32_t)layout->raw_bytes,
        .compressed_page_size = (int32_t)layout->stored.n,
        .crc = (int32_t)libdeflate_crc32(0, layout->stored.p, layout->stored.n),
        .data = {.set = 1U << 1 | 1U << 2 | 1U << 3 | 1U << 4,
                 .num_values = (int32_t)column->entries,
                 .encoding = (int32_t)layout->encoding,
                 .definition_level_encoding = TK_PARQUET_ENC_RLE,
                 .repetition_level_encoding = TK_PARQUET_ENC_RLE},
    };
    tk_thrift_encode(&tk_parquet_spec_page_header, &header, &column->pages);
    column->raw_bytes += column->pages.n - page.at + layout->raw_bytes;
    tk_buf_put(&column->pages, layout->stored);
    page.stored_bytes = column->pages.n - page.at;
    tk_buf_put(&column->page_list, (tk_str){(const char *)&page, sizeof(page)});
    column->page_counts[layout->encoding]++;
}

/* A page of indices: its dictionary is made already. */
static void encode_indices(struct tk_parquet_column *column)
{
    struct tk_parquet_values values = values_of(column);
    struct tk_parquet_bounds bounds;
    struct layout layout;
    if (!lay_out(column, &values, NULL, &layout))
        return;
    tk_dictionary_bounds(&column->dictionary, column->node, values.indices, values.n,
                         &column->lengths, &bounds);
    tk_parquet_bounds_add(column->node, &column->bounds, &bounds);
    store_page(column, &layout, &bounds);
    column->has_dictionary = false; /* what comes as texts is not looked for in it */
}

static void encode_page(struct tk_parquet_column *column)
{
    struct tk_parquet_values values = values_of(column);
    struct tk_parquet_bounds bounds;
    struct layout layout;
    if (column->page_list.n == 0)
        start_chunk(column, &values);
    /* A dictionary that is full stays so for the rest of the chunk. */
    column->has_dictionary =
        column->has_dictionary && tk_dictionary_add(&column->dictionary, column->node, &values);
    if (!lay_out(column, &values, column->has_dictionary ? NULL : column->coding, &layout))
        return;
    if (column->node->bloom && !column->has_dictionary)
        tk_bloom_add_values(&column->hashes, &values);
    tk_parquet_bounds_find(column->node, &values, &bounds);
    tk_parquet_bounds_add(column->node, &column->bounds, &bounds);
    store_page(column, &layout, &bounds);
}

size_t tk_parquet_column_put_dictionary(struct tk_parquet_column *column, struct tk_buf *out)
{
    tk_str stored;
    size_t at = out->n;
    if (column->page_counts[TK_PARQUET_ENC_RLE_DICTIONARY] == 0 || column->err->code < 0 ||
        !pack(column, &column->dictionary.plain, &column->packed, &stored))
        return 0;
    struct tk_parquet_page_header header = {
        .set = 1U << 1 | 1U << 2 | 1U << 3 | 1U << 4 | 1U << 7,
        .type = TK_PARQUET_PAGE_DICTIONARY,
        .uncompressed_page_size = (int32_t)column->dictionary.plain.n,
        .compressed_page_size = (int32_t)stored.n,
        .crc = (int32_t)libdeflate_crc32(0, stored.p, stored.n),
        .dictionary = {.set = 1U << 1 | 1U << 2,
                       .num_values = (int32_t)column->dictionary.count,
                       .encoding = TK_PARQUET_ENC_PLAIN},
    };
    tk_thrift_encode(&tk_parquet_spec_page_header, &header, out);
    column->raw_bytes += out->n - at + column->dictionary.plain.n;
    tk_buf_put(out, stored);
    check_buf(column, out);
    return out->n - at;
}

size_t tk_parquet_column_put_bloom(struct tk_parquet_column *column, struct tk_buf *out)
{
    if (!column->node->bloom)
        return 0;
    bool texts = column->node->type == TK_PARQUET_BYTES;
    for (uint32_t i = 0; i < column->dictionary.count; i++) {
        uint64_t hash = tk_bloom_hash(tk_dictionary_value(&column->dictionary, i, texts));
        tk_buf_put(&column->hashes, (tk_str){(const char *)&hash, sizeof(hash)});
    }
    check_buf(column, &column->hashes);
    size_t bytes = tk_bloom_put(&column->hashes, out);
    check_buf(column, out);
    return bytes;
}

void tk_parquet_column_end_page(struct tk_parquet_column *column)
{
    if (column->entries == 0 || column->err->code < 0)
        return;
    if (column->has_indices) {
        encode_indices(column);
    } else {
        encode_page(column);
    }
    check_buf(column, &column->pages);
    check_buf(column, &column->page_list);
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

size_t tk_parquet_count_level(const uint8_t *levels, size_t n, uint8_t level)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += levels[i] == level;
    return count;
}

/* How many of the entries to take before the next look at the size: whole rows, `most` at most
 * unless a row has more. */
static size_t slice_of(const struct tk_parquet_column *column, const uint8_t *rep, size_t n,
                       size_t most)
{
    size_t room = column->opts->page_rows - column->rows;
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

/* Make a page ready for entries: of values, or of indices. */
static void begin_entries(struct tk_parquet_column *column, bool has_indices)
{
    if (page_is_full(column) || column->has_indices != has_indices)
        tk_parquet_column_end_page(column);
    column->has_indices = has_indices;
}

/* Entries whose values are in the page by now. */
static void end_entries(struct tk_parquet_column *column, const uint8_t *def, const uint8_t *rep,
                        size_t n)
{
    uint8_t max_def = column->leaf->max_def;
    if (max_def > 0)
        add_level(&column->def, def, n, max_def);
    if (column->leaf->max_rep > 0)
        add_level(&column->rep, rep, n, 0);
    column->entries += n;
    column->rows += rep ? tk_parquet_count_level(rep, n, 0) : n;
    check_buf(column, &column->values);
    check_buf(column, &column->lengths);
    check_buf(column, &column->def);
    check_buf(column, &column->rep);
}

void tk_parquet_column_add(struct tk_parquet_column *column, const void *values, const uint8_t *def,
                           const uint8_t *rep, size_t n)
{
    const char *rest = values;
    uint8_t max_def = column->leaf->max_def;
    bool is_text = column->node->type == TK_PARQUET_BYTES;
    while (n > 0 && column->err->code == 0) {
        begin_entries(column, false);
        size_t slice =
            slice_of(column, rep, n, is_text || rep ? SLICE : column->opts->page_bytes / 16);
        rest = add_values(column, rest, def ? tk_parquet_count_level(def, slice, max_def) : slice);
        end_entries(column, def, rep, slice);
        def = def ? def + slice : NULL;
        rep = rep ? rep + slice : NULL;
        n -= slice;
    }
}

void tk_parquet_column_add_indices(struct tk_parquet_column *column, const uint32_t *indices,
                                   const uint8_t *def, const uint8_t *rep, size_t n)
{
    uint8_t max_def = column->leaf->max_def;
    while (n > 0 && column->err->code == 0) {
        begin_entries(column, true);
        size_t slice = slice_of(column, rep, n, rep ? SLICE : column->opts->page_rows);
        size_t values = def ? tk_parquet_count_level(def, slice, max_def) : slice;
        if (values > 0)
            tk_buf_put(&column->values, (tk_str){(const char *)indices, values * sizeof(*indices)});
        indices += values;
        column->count += values;
        end_entries(column, def, rep, slice);
        def = def ? def + slice : NULL;
        rep = rep ? rep + slice : NULL;
        n -= slice;
    }
}

void tk_parquet_column_add_packed(struct tk_parquet_column *column, const char *bytes, size_t each,
                                  const uint8_t *def, size_t n)
{
    uint8_t max_def = column->leaf->max_def;
    size_t per_page = column->opts->page_bytes / (each + sizeof(uint32_t)) + 1;
    while (n > 0 && column->err->code == 0) {
        begin_entries(column, false);
        size_t slice = slice_of(column, NULL, n, per_page);
        size_t values = def ? tk_parquet_count_level(def, slice, max_def) : slice;
        uint32_t *lengths =
            (uint32_t *)(void *)tk_buf_reserve(&column->lengths, values * sizeof(*lengths));
        for (size_t i = 0; lengths && i < values; i++)
            lengths[i] = (uint32_t)each;
        column->lengths.n += lengths ? values * sizeof(*lengths) : 0;
        if (values > 0)
            tk_buf_put(&column->values, (tk_str){bytes, values * each});
        bytes += values * each;
        column->count += values;
        end_entries(column, def, NULL, slice);
        def = def ? def + slice : NULL;
        n -= slice;
    }
}
