/* SPDX-License-Identifier: Apache-2.0 */
/* What a reader may leave out: pages by their bounds (PageIndex.md of parquet-format), row groups
 * by their Bloom filters (BloomFilter.md). */
#include <errno.h>

#include "table/parquet_file_internal.h"

#define INDEX_MAX  ((int32_t)64 << 20) /* bytes of an index of pages */
#define BLOOM_HEAD 64                  /* bytes that hold the header of a filter */

/* Read and decode a struct that lies at `offset`, with views that live as long as the arena. */
/* NOLINTNEXTLINE(readability-function-size): what to read, where, into what */
static int read_struct(struct tk_parquet_file *file, const struct tk_thrift_spec *spec,
                       int64_t offset, int32_t bytes, struct tk_arena *arena, void *ret_object,
                       struct tk_err *err)
{
    if (offset < 4 || bytes < 0 || bytes > INDEX_MAX || (uint64_t)offset > file->source.size ||
        (uint64_t)bytes > file->source.size - (uint64_t)offset)
        return tk_fail(err, -EBADMSG, "%s lies outside of the file", spec->name);
    char *to = tk_arena_alloc(arena, (size_t)bytes + 1);
    if (!to)
        return tk_fail(err, -EMSGSIZE, "%s of %d bytes is too large", spec->name, (int)bytes);
    int rc = file->source.read(file->source.user, (uint64_t)offset, to, (size_t)bytes, err);
    tk_str text = {to, (size_t)bytes};
    return rc < 0 ? rc : tk_thrift_decode(spec, &text, arena, ret_object, err);
}

static bool pages_rise(const struct tk_parquet_offset_index *offsets, int64_t rows)
{
    int64_t before = -1;
    for (size_t i = 0; i < offsets->page_count; i++) {
        int64_t row = offsets->page_locations[i].first_row_index;
        if (row <= before || row >= rows || (i == 0 && row != 0))
            return false;
        before = row;
    }
    return true;
}

static int bad_index(size_t row_group, size_t column, struct tk_err *err)
{
    return tk_fail(err, -EBADMSG, "row group %zu, column %zu: its index of pages is damaged",
                   row_group, column);
}

int tk_parquet_file_offsets(struct tk_parquet_file *file, size_t row_group, size_t column,
                            struct tk_arena *arena, struct tk_parquet_offset_index *ret_offsets,
                            struct tk_err *err)
{
    const struct tk_parquet_row_group *group = &file->meta.row_groups[row_group];
    const struct tk_parquet_chunk_meta *chunk = &group->columns[column];
    struct tk_parquet_offset_index offsets = {0};
    int rc = 0;
    if (TK_PARQUET_HAS(chunk, 4) && TK_PARQUET_HAS(chunk, 5)) {
        rc = read_struct(file, &tk_parquet_spec_offset_index, chunk->offset_index_offset,
                         chunk->offset_index_length, arena, &offsets, err);
    }
    if (rc < 0)
        return rc;
    if (!pages_rise(&offsets, group->num_rows))
        return bad_index(row_group, column, err);
    *ret_offsets = offsets;
    return 0;
}

int tk_parquet_file_pages(struct tk_parquet_file *file, size_t row_group, size_t column,
                          struct tk_arena *arena, struct tk_parquet_pages *ret_pages,
                          struct tk_err *err)
{
    const struct tk_parquet_chunk_meta *chunk = &file->meta.row_groups[row_group].columns[column];
    struct tk_parquet_pages pages = {0};
    struct tk_parquet_column_index *bounds = &pages.bounds;
    int rc = tk_parquet_file_offsets(file, row_group, column, arena, &pages.offsets, err);
    if (rc == 0 && TK_PARQUET_HAS(chunk, 6) && TK_PARQUET_HAS(chunk, 7)) {
        rc = read_struct(file, &tk_parquet_spec_column_index, chunk->column_index_offset,
                         chunk->column_index_length, arena, bounds, err);
    }
    if (rc < 0)
        return rc;
    size_t n = pages.offsets.page_count;
    if (bounds->set != 0 &&
        (bounds->null_page_count != n || bounds->min_count != n || bounds->max_count != n))
        return bad_index(row_group, column, err);
    *ret_pages = pages;
    return 0;
}

uint64_t tk_parquet_hash(tk_str value)
{
    return tk_bloom_hash(value);
}

int tk_parquet_file_may_have(struct tk_parquet_file *file, size_t row_group, size_t column,
                             uint64_t hash, bool *ret_may, struct tk_err *err)
{
    const struct tk_parquet_column_meta *meta =
        &file->meta.row_groups[row_group].columns[column].meta;
    if (!TK_PARQUET_HAS(meta, 14)) {
        *ret_may = true;
        return 0;
    }
    char head[BLOOM_HEAD];
    uint64_t at = (uint64_t)meta->bloom_filter_offset;
    uint64_t size = file->source.size;
    if (meta->bloom_filter_offset < 4 || at >= size) {
        return tk_fail(err, -EBADMSG, "row group %zu: a Bloom filter outside of the file",
                       row_group);
    }
    size_t n = size - at < sizeof(head) ? (size_t)(size - at) : sizeof(head);
    int rc = file->source.read(file->source.user, at, head, n, err);
    if (rc < 0)
        return rc;
    struct tk_parquet_bloom_header header;
    tk_str text = {head, n};
    tk_arena_reset(&file->headers);
    rc = tk_thrift_decode(&tk_parquet_spec_bloom_header, &text, &file->headers, &header, err);
    if (rc < 0)
        return rc;
    at += n - text.n;
    bool is_known = TK_PARQUET_HAS(&header.algorithm, 1) && TK_PARQUET_HAS(&header.hash, 1) &&
                    TK_PARQUET_HAS(&header.compression, 1);
    if (header.num_bytes < (int32_t)TK_BLOOM_BLOCK || (uint64_t)header.num_bytes > size - at) {
        return tk_fail(err, -EBADMSG, "row group %zu: a Bloom filter of %d bytes", row_group,
                       (int)header.num_bytes);
    }
    *ret_may = true;
    if (!is_known)
        return 0;
    char block[TK_BLOOM_BLOCK];
    rc = file->source.read(file->source.user, at + tk_bloom_block((size_t)header.num_bytes, hash),
                           block, sizeof(block), err);
    if (rc == 0)
        *ret_may = tk_bloom_block_has(block, hash);
    return rc;
}
