/* SPDX-License-Identifier: Apache-2.0 */
/* A column of one row group, read page by page and handed out in slices: a page of a few bytes may
 * hold any number of entries, so that memory follows the slice and not the page. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <libdeflate.h>

#include "table/parquet_file_internal.h"

#define SLICE          4096 /* entries handed out at once */
#define WINDOW         ((size_t)256 << 10)
#define HEADER_MAX     ((size_t)16 << 20) /* as the arena of the file */
#define HEADER_PEEK    512
#define VALUE_MAX      sizeof(tk_str) /* bytes of a value in memory, of any type */
#define DICTIONARY_MAX (1U << 28)     /* bytes of a dictionary's values in memory */

struct tk_parquet_cursor {
    struct tk_parquet_file *file;
    const struct tk_parquet_leaf *leaf;
    const struct tk_parquet_node *node;
    const struct tk_parquet_column_meta *meta;
    uint64_t at;          /* in the file: the next page */
    uint64_t end;         /* of the chunk */
    int64_t entries_left; /* in the chunk; after a jump as many as there may be */
    bool has_jumped;
    bool wants_indices;
    size_t page_left; /* in the page */

    struct tk_buf window; /* bytes of the file from window_at on */
    uint64_t window_at;
    size_t window_bytes;           /* that are read at once */
    struct tk_buf page;            /* decompressed */
    struct tk_buf dictionary_page; /* likewise: texts of the dictionary lie in it */
    struct tk_buf dictionary;      /* values */
    struct tk_hybrid def, rep;
    struct tk_parquet_decoder decoder;
    struct tk_buf values; /* room for SLICE of them */
    uint8_t defs[SLICE];
    uint8_t reps[SLICE];
};

static int bad_page(const struct tk_parquet_cursor *cursor, const char *what, struct tk_err *err)
{
    return tk_fail(err, -EBADMSG, "column %s, page at byte %llu: %s", cursor->node->name,
                   (unsigned long long)cursor->at, what);
}

/* Making ------------------------------------------------------------------------------------- */

int tk_parquet_cursor_new(struct tk_parquet_file *file, size_t row_group, size_t column,
                          struct tk_parquet_cursor **ret_cursor, struct tk_err *err)
{
    struct tk_parquet_cursor *cursor = calloc(1, sizeof(*cursor));
    if (!cursor)
        return tk_fail(err, -ENOMEM, "parquet: out of memory");
    tk_buf_init(&cursor->window, TK_PARQUET_PAGE_MAX + WINDOW);
    tk_buf_init(&cursor->page, TK_PARQUET_PAGE_MAX);
    tk_buf_init(&cursor->dictionary_page, TK_PARQUET_PAGE_MAX);
    tk_buf_init(&cursor->dictionary, DICTIONARY_MAX);
    tk_buf_init(&cursor->values, SLICE * VALUE_MAX);
    tk_parquet_decoder_init(&cursor->decoder);
    int rc = tk_parquet_cursor_move(cursor, file, row_group, column, err);
    if (rc < 0) {
        tk_parquet_cursor_free(cursor);
        return rc;
    }
    *ret_cursor = cursor;
    return 0;
}

/* Nothing is read yet of the column that the cursor is about. */
static void stand_at_start(struct tk_parquet_cursor *cursor)
{
    cursor->at = (uint64_t)tk_parquet_chunk_start(cursor->meta);
    cursor->end = cursor->at + (uint64_t)cursor->meta->total_compressed_size;
    cursor->entries_left = cursor->meta->num_values;
    cursor->has_jumped = false;
    cursor->wants_indices = false;
    cursor->page_left = 0;
    cursor->window_at = 0;
    cursor->window_bytes = WINDOW;
    tk_buf_reset(&cursor->window);
    tk_buf_reset(&cursor->page);
    tk_buf_reset(&cursor->dictionary_page);
    tk_buf_reset(&cursor->dictionary);
    tk_parquet_decoder_begin(&cursor->decoder, cursor->node);
}

int tk_parquet_cursor_move(struct tk_parquet_cursor *cursor, struct tk_parquet_file *file,
                           size_t row_group, size_t column, struct tk_err *err)
{
    assert(row_group < file->meta.row_group_count && column < file->schema.leaf_count);
    const struct tk_parquet_chunk_meta *chunk = &file->meta.row_groups[row_group].columns[column];
    cursor->file = file;
    cursor->leaf = &file->schema.leaves[column];
    cursor->node = &file->schema.nodes[cursor->leaf->node];
    cursor->meta = &chunk->meta;
    stand_at_start(cursor);
    tk_buf_reset(&cursor->values);
    if (!tk_buf_reserve(&cursor->values, SLICE * tk_parquet_memory_width(cursor->node)))
        return tk_fail(err, -ENOMEM, "parquet: out of memory");
    if (TK_PARQUET_HAS(chunk, 1))
        return tk_fail(err, -EOPNOTSUPP, "column %s lies in another file", cursor->node->name);
    return tk_parquet_codec_check(cursor->meta->codec, false, err);
}

void tk_parquet_cursor_free(struct tk_parquet_cursor *cursor)
{
    if (!cursor)
        return;
    tk_buf_release(&cursor->window);
    tk_buf_release(&cursor->page);
    tk_buf_release(&cursor->dictionary_page);
    tk_buf_release(&cursor->dictionary);
    tk_parquet_decoder_release(&cursor->decoder);
    tk_buf_release(&cursor->values);
    free(cursor);
}

void tk_parquet_cursor_freep(struct tk_parquet_cursor **cursor)
{
    tk_parquet_cursor_free(*cursor);
}

/* Bytes -------------------------------------------------------------------------------------- */

/* A view of the `n` bytes at cursor->at, or of fewer where the chunk ends. */
static int peek(struct tk_parquet_cursor *cursor, size_t n, tk_str *ret, struct tk_err *err)
{
    uint64_t left = cursor->end - cursor->at;
    n = n < left ? n : (size_t)left;
    uint64_t have_end = cursor->window_at + cursor->window.n;
    if (cursor->at < cursor->window_at || cursor->at + n > have_end) {
        size_t more = n > cursor->window_bytes ? n : cursor->window_bytes;
        cursor->window_bytes = WINDOW;
        more = more < left ? more : (size_t)left;
        tk_buf_reset(&cursor->window);
        char *to = tk_buf_reserve(&cursor->window, more + 1);
        if (!to)
            return tk_buf_check(&cursor->window, cursor->node->name, err);
        int rc = cursor->file->source.read(cursor->file->source.user, cursor->at, to, more, err);
        if (rc < 0)
            return rc;
        cursor->window.n = more;
        cursor->window_at = cursor->at;
    }
    *ret = (tk_str){cursor->window.p + (cursor->at - cursor->window_at), n};
    return 0;
}

/* The header of the page at cursor->at, which then stands behind it. Statistics may make it any
 * length: look at more and more. */
static int read_header(struct tk_parquet_cursor *cursor, struct tk_parquet_page_header *header,
                       struct tk_err *err)
{
    for (size_t n = HEADER_PEEK;; n *= 8) {
        tk_str text = {NULL, 0};
        int rc = peek(cursor, n, &text, err);
        if (rc < 0)
            return rc;
        size_t before = text.n;
        tk_arena_reset(&cursor->file->headers);
        rc = tk_thrift_decode(&tk_parquet_spec_page_header, &text, &cursor->file->headers, header,
                              err);
        if (rc == 0) {
            cursor->at += before - text.n;
            break;
        }
        if (before < n || n >= HEADER_MAX)
            return bad_page(cursor, "its header is cut off or damaged", err);
    }
    if (header->compressed_page_size < 0 || header->uncompressed_page_size < 0 ||
        (uint64_t)header->compressed_page_size > cursor->end - cursor->at)
        return bad_page(cursor, "it does not fit into its column", err);
    if ((uint32_t)header->compressed_page_size > TK_PARQUET_PAGE_MAX ||
        (uint32_t)header->uncompressed_page_size > TK_PARQUET_PAGE_MAX) {
        return tk_fail(err, -EMSGSIZE, "column %s, page at byte %llu: more than %u MiB",
                       cursor->node->name, (unsigned long long)cursor->at,
                       TK_PARQUET_PAGE_MAX >> 20);
    }
    return 0;
}

/* Bring `stored`, `n` bytes once decompressed, to `to`: behind what is there already. */
static int unpack(struct tk_parquet_cursor *cursor, tk_str stored, size_t n, struct tk_buf *to,
                  struct tk_err *err)
{
    char *room = tk_buf_reserve(to, n + 1); /* so that the buffer is never NULL */
    if (!room)
        return tk_buf_check(to, cursor->node->name, err);
    if (cursor->meta->codec != TK_PARQUET_UNCOMPRESSED) {
        int rc =
            tk_parquet_decompress(&cursor->file->codecs, cursor->meta->codec, stored, room, n, err);
        if (rc < 0) {
            return tk_err_prefix(err, "column %s, page at byte %llu", cursor->node->name,
                                 (unsigned long long)cursor->at);
        }
    } else if (stored.n != n) {
        return bad_page(cursor, "its two sizes differ, though nothing is compressed", err);
    } else if (n > 0) {
        memcpy(room, stored.p, n);
    }
    to->n += n;
    return 0;
}

/* Pages -------------------------------------------------------------------------------------- */

static int read_dictionary(struct tk_parquet_cursor *cursor,
                           const struct tk_parquet_page_header *header, tk_str stored,
                           struct tk_err *err)
{
    const struct tk_parquet_dictionary_page *page = &header->dictionary;
    size_t width = tk_parquet_memory_width(cursor->node);
    if (cursor->decoder.dictionary)
        return bad_page(cursor, "a second dictionary", err);
    if (page->num_values < 0 || (page->encoding != TK_PARQUET_ENC_PLAIN &&
                                 page->encoding != TK_PARQUET_ENC_PLAIN_DICTIONARY))
        return bad_page(cursor, "a dictionary that is not PLAIN", err);
    size_t n = (size_t)page->num_values;
    int rc = unpack(cursor, stored, (size_t)header->uncompressed_page_size,
                    &cursor->dictionary_page, err);
    if (rc < 0)
        return rc;
    char *values = tk_buf_reserve(&cursor->dictionary, n * width + 1);
    if (!values)
        return tk_buf_check(&cursor->dictionary, cursor->node->name, err);
    rc = tk_parquet_decoder_start(&cursor->decoder, TK_PARQUET_ENC_PLAIN,
                                  tk_buf_str(&cursor->dictionary_page), n, err);
    if (rc == 0)
        rc = tk_parquet_decoder_take(&cursor->decoder, n, values, err);
    cursor->decoder.dictionary = values;
    cursor->decoder.dictionary_count = n;
    return rc;
}

/* Begin with levels at the front of `*body`: of version 1 behind their length in four bytes, of
 * version 2 of `bytes`. Levels that can only be 0 are not there. */
static bool start_levels(struct tk_hybrid *levels, uint8_t max, const int32_t *bytes, tk_str *body)
{
    uint32_t n = 0;
    if (bytes) {
        n = (uint32_t)*bytes;
    } else if (max > 0) {
        if (body->n < sizeof(n))
            return false;
        memcpy(&n, body->p, sizeof(n));
        *body = (tk_str){body->p + sizeof(n), body->n - sizeof(n)};
    }
    if (n > body->n)
        return false;
    tk_hybrid_init(levels, (tk_str){body->p, n}, tk_bit_width(max));
    *body = (tk_str){body->p + n, body->n - n};
    return true;
}

static int start_values(struct tk_parquet_cursor *cursor, int32_t n, int32_t encoding, tk_str body,
                        struct tk_err *err)
{
    if (n < 0 || n > cursor->entries_left)
        return bad_page(cursor, "more values than its column has", err);
    cursor->page_left = (size_t)n;
    return tk_parquet_decoder_start(&cursor->decoder, encoding, body, (size_t)n, err);
}

static int read_page_v1(struct tk_parquet_cursor *cursor,
                        const struct tk_parquet_page_header *header, tk_str stored,
                        struct tk_err *err)
{
    const struct tk_parquet_data_page *page = &header->data;
    bool old_levels =
        (cursor->leaf->max_rep > 0 &&
         page->repetition_level_encoding == TK_PARQUET_ENC_BIT_PACKED) ||
        (cursor->leaf->max_def > 0 && page->definition_level_encoding == TK_PARQUET_ENC_BIT_PACKED);
    if (old_levels) {
        return tk_fail(err, -EOPNOTSUPP, "column %s: levels of the old encoding BIT_PACKED",
                       cursor->node->name);
    }
    tk_buf_reset(&cursor->page);
    int rc = unpack(cursor, stored, (size_t)header->uncompressed_page_size, &cursor->page, err);
    if (rc < 0)
        return rc;
    tk_str body = tk_buf_str(&cursor->page);
    if (!start_levels(&cursor->rep, cursor->leaf->max_rep, NULL, &body) ||
        !start_levels(&cursor->def, cursor->leaf->max_def, NULL, &body))
        return bad_page(cursor, "its levels are cut off", err);
    return start_values(cursor, page->num_values, page->encoding, body, err);
}

static int read_page_v2(struct tk_parquet_cursor *cursor,
                        const struct tk_parquet_page_header *header, tk_str stored,
                        struct tk_err *err)
{
    const struct tk_parquet_data_page_v2 *page = &header->data_v2;
    int64_t levels =
        (int64_t)page->repetition_levels_byte_length + page->definition_levels_byte_length;
    if (page->repetition_levels_byte_length < 0 || page->definition_levels_byte_length < 0 ||
        levels > header->uncompressed_page_size || (uint64_t)levels > stored.n)
        return bad_page(cursor, "its levels are cut off", err);
    tk_str front = {stored.p, (size_t)levels};
    tk_str packed = {stored.p + levels, stored.n - (size_t)levels};
    size_t n = (size_t)(header->uncompressed_page_size - levels);
    tk_buf_reset(&cursor->page);
    tk_buf_put(&cursor->page, front);
    bool plain = TK_PARQUET_HAS(page, 7) && !page->is_compressed;
    int rc = 0;
    if (!plain) {
        rc = unpack(cursor, packed, n, &cursor->page, err);
    } else if (packed.n != n) {
        rc = bad_page(cursor, "its two sizes differ, though nothing is compressed", err);
    } else {
        tk_buf_put(&cursor->page, packed);
        tk_buf_putc(&cursor->page, 0); /* so that the buffer is never NULL */
        cursor->page.n--;
    }
    if (rc == 0)
        rc = tk_buf_check(&cursor->page, cursor->node->name, err);
    if (rc < 0)
        return rc;
    tk_str body = tk_buf_str(&cursor->page);
    (void)!start_levels(&cursor->rep, cursor->leaf->max_rep, &page->repetition_levels_byte_length,
                        &body);
    (void)!start_levels(&cursor->def, cursor->leaf->max_def, &page->definition_levels_byte_length,
                        &body);
    return start_values(cursor, page->num_values, page->encoding, body, err);
}

/* The page at cursor->at as it is stored, of which the header has been passed. */
static int read_stored(struct tk_parquet_cursor *cursor, struct tk_parquet_page_header *header,
                       tk_str *ret_stored, struct tk_err *err)
{
    int rc = read_header(cursor, header, err);
    if (rc == 0)
        rc = peek(cursor, (size_t)header->compressed_page_size, ret_stored, err);
    if (rc < 0)
        return rc;
    if (TK_PARQUET_HAS(header, 4) &&
        libdeflate_crc32(0, ret_stored->p, ret_stored->n) != (uint32_t)header->crc)
        return bad_page(cursor, "its checksum is wrong", err);
    return 0;
}

/* Read the page at cursor->at, and stand behind it. */
static int read_page(struct tk_parquet_cursor *cursor, struct tk_err *err)
{
    struct tk_parquet_page_header header = {0};
    tk_str stored = {NULL, 0};
    int rc = read_stored(cursor, &header, &stored, err);
    if (rc < 0)
        return rc;
    if (header.type == TK_PARQUET_PAGE_DICTIONARY) {
        rc = read_dictionary(cursor, &header, stored, err);
    } else if (header.type == TK_PARQUET_PAGE_DATA) {
        rc = read_page_v1(cursor, &header, stored, err);
    } else if (header.type == TK_PARQUET_PAGE_DATA_V2) {
        rc = read_page_v2(cursor, &header, stored, err);
    }
    cursor->at += stored.n;
    return rc;
}

/* Read pages up to one that holds entries: 0, or 1 when the chunk has no more. */
static int next_page(struct tk_parquet_cursor *cursor, struct tk_err *err)
{
    int rc = 0;
    while (rc == 0 && cursor->page_left == 0) {
        if (cursor->entries_left == 0 || (cursor->has_jumped && cursor->at == cursor->end))
            return 1;
        if (cursor->at == cursor->end) {
            return tk_fail(err, -EBADMSG, "column %s ends, %lld values are missing",
                           cursor->node->name, (long long)cursor->entries_left);
        }
        rc = read_page(cursor, err);
    }
    return rc;
}

int tk_parquet_cursor_check(struct tk_parquet_cursor *cursor, struct tk_err *err)
{
    while (cursor->at < cursor->end) {
        struct tk_parquet_page_header header = {0};
        tk_str stored = {NULL, 0};
        int rc = read_stored(cursor, &header, &stored, err);
        if (rc < 0)
            return rc;
        cursor->at += stored.n;
    }
    return 0;
}

/* Entries ------------------------------------------------------------------------------------- */

static bool take_levels(struct tk_hybrid *levels, uint8_t *to, size_t n, uint8_t max)
{
    return max == 0 || tk_hybrid_take_u8(levels, to, n, max);
}

int tk_parquet_cursor_next(struct tk_parquet_cursor *cursor, struct tk_parquet_entries *ret_entries,
                           struct tk_err *err)
{
    int rc = next_page(cursor, err);
    if (rc != 0)
        return rc;
    uint8_t max_def = cursor->leaf->max_def;
    uint8_t max_rep = cursor->leaf->max_rep;
    size_t n = cursor->page_left < SLICE ? cursor->page_left : SLICE;
    if (!take_levels(&cursor->rep, cursor->reps, n, max_rep) ||
        !take_levels(&cursor->def, cursor->defs, n, max_def))
        return bad_page(cursor, "its levels are cut off or damaged", err);
    size_t values = n;
    for (size_t i = 0; max_def > 0 && i < n; i++)
        values -= cursor->defs[i] != max_def;
    const uint32_t *indices = NULL;
    if (cursor->wants_indices && tk_parquet_decoder_has_indices(&cursor->decoder)) {
        rc = tk_parquet_decoder_take_indices(&cursor->decoder, values, &indices, err);
    } else {
        rc = tk_parquet_decoder_take(&cursor->decoder, values, cursor->values.p, err);
    }
    if (rc < 0)
        return rc;
    cursor->page_left -= n;
    cursor->entries_left -= (int64_t)n;
    *ret_entries = (struct tk_parquet_entries){
        .n = n,
        .def = max_def > 0 ? cursor->defs : NULL,
        .rep = max_rep > 0 ? cursor->reps : NULL,
        .value_count = values,
        .values = indices ? NULL : cursor->values.p,
        .indices = indices,
    };
    return 0;
}

/* Jumping ------------------------------------------------------------------------------------- */

void tk_parquet_cursor_use_indices(struct tk_parquet_cursor *cursor)
{
    cursor->wants_indices = true;
}

/* Read the dictionary, unless that is done or there is none: it stands before all data. */
static int load_dictionary(struct tk_parquet_cursor *cursor, struct tk_err *err)
{
    const struct tk_parquet_column_meta *meta = cursor->meta;
    uint64_t start = (uint64_t)tk_parquet_chunk_start(meta);
    if (cursor->decoder.dictionary || start == (uint64_t)meta->data_page_offset ||
        cursor->at != start)
        return 0;
    if (cursor->window.n == 0) /* no more than the dictionary, for now */
        cursor->window_bytes = (size_t)((uint64_t)meta->data_page_offset - start);
    return read_page(cursor, err);
}

int tk_parquet_cursor_dictionary(struct tk_parquet_cursor *cursor, const void **ret_values,
                                 size_t *ret_count, struct tk_err *err)
{
    int rc = load_dictionary(cursor, err);
    if (rc < 0)
        return rc;
    *ret_values = cursor->decoder.dictionary;
    *ret_count = cursor->decoder.dictionary_count;
    return 0;
}

int tk_parquet_cursor_seek(struct tk_parquet_cursor *cursor,
                           const struct tk_parquet_page_location *page, struct tk_err *err)
{
    int rc = load_dictionary(cursor, err);
    if (rc < 0)
        return rc;
    if (page->offset < cursor->meta->data_page_offset || page->compressed_page_size < 0 ||
        (uint64_t)page->offset > cursor->end ||
        (uint64_t)page->compressed_page_size > cursor->end - (uint64_t)page->offset) {
        return tk_fail(err, -EBADMSG, "column %s: a page at byte %lld lies outside of it",
                       cursor->node->name, (long long)page->offset);
    }
    cursor->at = (uint64_t)page->offset;
    cursor->window_bytes = (size_t)page->compressed_page_size;
    cursor->page_left = 0;
    cursor->entries_left = cursor->meta->num_values;
    cursor->has_jumped = true;
    return 0;
}
