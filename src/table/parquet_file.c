/* SPDX-License-Identifier: Apache-2.0 */
/* The footer of a file: read, and checked as far as all else relies on it. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "table/parquet_file_internal.h"

#define FOOTER_MAX  ((size_t)256 << 20)
#define ARENA_BYTES ((size_t)1 << 30)  /* of address space */
#define TAIL_BYTES  8                  /* length of the footer, magic */
#define HEADER_MAX  ((size_t)16 << 20) /* of a page: address space */

/* An open file -------------------------------------------------------------------------- */

static int read_at(void *user, uint64_t offset, char *to, size_t n, struct tk_err *err)
{
    const int *fd = user;
    while (n > 0) {
        ssize_t got = pread(*fd, to, n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return tk_fail_errno(err, "read");
        if (got == 0)
            return tk_fail(err, -EBADMSG, "the file became shorter");
        to += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return 0;
}

struct tk_parquet_source tk_parquet_source_of(int *fd, uint64_t size)
{
    return (struct tk_parquet_source){size, read_at, fd};
}

/* The footer ---------------------------------------------------------------------------- */

static int read_tail(struct tk_parquet_file *file, uint32_t *ret_bytes, struct tk_err *err)
{
    char tail[TAIL_BYTES];
    uint64_t size = file->source.size;
    if (size < TAIL_BYTES + 4)
        return tk_fail(err, -EBADMSG, "%llu bytes are no Parquet file", (unsigned long long)size);
    int rc = file->source.read(file->source.user, size - TAIL_BYTES, tail, TAIL_BYTES, err);
    if (rc < 0)
        return rc;
    if (memcmp(tail + 4, "PARE", 4) == 0)
        return tk_fail(err, -EOPNOTSUPP, "the footer is encrypted");
    if (memcmp(tail + 4, TK_PARQUET_MAGIC, 4) != 0)
        return tk_fail(err, -EBADMSG, "no Parquet file: it does not end with " TK_PARQUET_MAGIC);
    memcpy(ret_bytes, tail, sizeof(*ret_bytes));
    if (*ret_bytes > size - TAIL_BYTES - 4) {
        return tk_fail(err, -EBADMSG, "a footer of %u bytes in a file of %llu", *ret_bytes,
                       (unsigned long long)size);
    }
    if (*ret_bytes > FOOTER_MAX)
        return tk_fail(err, -EMSGSIZE, "a footer of %u bytes is too large", *ret_bytes);
    file->footer_at = size - TAIL_BYTES - *ret_bytes;
    return 0;
}

static int check_chunk(const struct tk_parquet_file *file, size_t group, size_t column,
                       struct tk_err *err)
{
    const struct tk_parquet_leaf *leaf = &file->schema.leaves[column];
    const struct tk_parquet_node *node = &file->schema.nodes[leaf->node];
    const struct tk_parquet_chunk_meta *chunk = &file->meta.row_groups[group].columns[column];
    const struct tk_parquet_column_meta *meta = &chunk->meta;
    if (!TK_PARQUET_HAS(chunk, 3))
        return tk_fail(err, -EBADMSG, "row group %zu, column %s: no metadata", group, node->name);
    if (meta->type != (int32_t)node->type) {
        return tk_fail(err, -EBADMSG, "row group %zu, column %s: type %s, not %s", group,
                       node->name, tk_parquet_type_name(meta->type),
                       tk_parquet_type_name((int32_t)node->type));
    }
    if (meta->num_values == 0)
        return 0;
    int64_t end = (int64_t)file->footer_at;
    int64_t start = tk_parquet_chunk_start(meta);
    if (meta->num_values < 0 || start < 4 || start > end || meta->total_compressed_size < 0 ||
        meta->total_compressed_size > end - start) {
        return tk_fail(err, -EBADMSG,
                       "row group %zu, column %s: %lld bytes at %lld lie outside of the file",
                       group, node->name, (long long)meta->total_compressed_size, (long long)start);
    }
    return 0;
}

static int check_groups(const struct tk_parquet_file *file, struct tk_err *err)
{
    const struct tk_parquet_file_meta *meta = &file->meta;
    size_t leaves = file->schema.leaf_count;
    for (size_t g = 0; g < meta->row_group_count; g++) {
        const struct tk_parquet_row_group *group = &meta->row_groups[g];
        if (group->column_count != leaves || group->num_rows < 0) {
            return tk_fail(err, -EBADMSG, "row group %zu has %zu columns, the schema %zu", g,
                           group->column_count, leaves);
        }
        for (size_t i = 0; i < leaves; i++) {
            int rc = check_chunk(file, g, i, err);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

static int read_footer(struct tk_parquet_file *file, struct tk_err *err)
{
    uint32_t n = 0;
    int rc = read_tail(file, &n, err);
    if (rc < 0)
        return rc;
    char *to = tk_arena_alloc(&file->arena, n + 1U);
    if (!to)
        return tk_fail(err, -EMSGSIZE, "a footer of %u bytes is too large", n);
    rc = file->source.read(file->source.user, file->footer_at, to, n, err);
    if (rc < 0)
        return rc;
    tk_str text = {to, n};
    rc = tk_thrift_decode(&tk_parquet_spec_file_meta, &text, &file->arena, &file->meta, err);
    if (rc < 0)
        return tk_err_prefix(err, "footer");
    rc = tk_parquet_schema_read(&file->schema, file->meta.schema, file->meta.schema_count,
                                &file->arena, err);
    return rc < 0 ? rc : check_groups(file, err);
}

int tk_parquet_file_new(const struct tk_parquet_source *source, struct tk_parquet_file **ret_file,
                        struct tk_err *err)
{
    struct tk_parquet_file *file = calloc(1, sizeof(*file));
    if (!file)
        return tk_fail(err, -ENOMEM, "parquet: out of memory");
    file->source = *source;
    int rc = tk_arena_init(&file->arena, ARENA_BYTES, err);
    if (rc == 0)
        rc = tk_arena_init(&file->headers, HEADER_MAX, err);
    if (rc == 0)
        rc = read_footer(file, err);
    if (rc < 0) {
        tk_parquet_file_free(file);
        return rc;
    }
    *ret_file = file;
    return 0;
}

void tk_parquet_file_free(struct tk_parquet_file *file)
{
    if (!file)
        return;
    tk_arena_release(&file->arena);
    tk_arena_release(&file->headers);
    tk_parquet_codecs_release(&file->codecs);
    free(file);
}

void tk_parquet_file_freep(struct tk_parquet_file **file)
{
    tk_parquet_file_free(*file);
}

const struct tk_parquet_file_meta *tk_parquet_file_meta(const struct tk_parquet_file *file)
{
    return &file->meta;
}

const struct tk_parquet_node *tk_parquet_file_nodes(const struct tk_parquet_file *file,
                                                    size_t *ret_count)
{
    *ret_count = file->schema.node_count;
    return file->schema.nodes;
}

const struct tk_parquet_leaf *tk_parquet_file_leaves(const struct tk_parquet_file *file,
                                                     size_t *ret_count)
{
    *ret_count = file->schema.leaf_count;
    return file->schema.leaves;
}

void tk_parquet_file_put_path(const struct tk_parquet_file *file, size_t column, struct tk_buf *out)
{
    const char *names[TK_PARQUET_DEPTH];
    size_t n = tk_parquet_path(&file->schema, file->schema.leaves[column].node, names);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            tk_buf_putc(out, '.');
        tk_buf_puts(out, names[i]);
    }
}

size_t tk_parquet_file_find(const struct tk_parquet_file *file, tk_str path)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf here;
    tk_buf_init(&here, path.n + 1); /* a longer one is another one */
    size_t i = 0;
    for (; i < file->schema.leaf_count; i++) {
        tk_buf_reset(&here);
        tk_parquet_file_put_path(file, i, &here);
        if (tk_buf_ok(&here) && tk_str_eq(tk_buf_str(&here), path))
            break;
    }
    return i;
}
