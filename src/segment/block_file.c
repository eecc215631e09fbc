/* SPDX-License-Identifier: Apache-2.0 */
#include "segment/block_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/file.h"
#include "codec/trace_filter.h"

#define ROWS_MIN    ((size_t)1 << 16) /* room in a batch for few spans with many attributes */
#define ROWS_MAX    ((size_t)1 << 20)
#define NAMES_BYTES ((size_t)1 << 30) /* of address space */

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Opening -------------------------------------------------------------------------------------- */

static int map_file(int dirfd, const char *name, struct tk_block_file *file, struct tk_err *err)
{
    struct stat status;
    TK_CLEANUP(tk_fd_close) int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0)
        return tk_fail_errno(err, "%s", name);
    if (status.st_size == 0)
        return tk_fail(err, -EBADMSG, "%s: is empty", name);
    void *map = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return tk_fail_errno(err, "%s", name);
    file->map = map;
    file->mapped = (size_t)status.st_size;
    file->bytes = (tk_str){map, (size_t)status.st_size};
    return 0;
}

static int check_info(const struct tk_codec_info *info, const char *name, struct tk_err *err)
{
    if (info->damaged_bytes > 0 || info->damaged_sections > 0 || !info->closed)
        return tk_fail(err, -EBADMSG, "%s: is damaged or cut off", name);
    if (info->spans > ROWS_MAX)
        return tk_fail(err, -EMSGSIZE, "%s: more than %zu spans", name, ROWS_MAX);
    return 0;
}

/* The hashes that its blocks tell; of all of them, else it is decoded for that. */
static int read_filters(struct tk_block_file *file, struct tk_err *err)
{
    struct tk_block_walk walk = {.file = file->bytes};
    struct tk_block block;
    uint32_t *hashes = calloc((size_t)file->info.traces + 1, sizeof(*hashes));
    size_t n = 0;
    bool is_told = true;
    int rc = 0;
    if (!hashes)
        return tk_fail(err, -ENOMEM, "segments: out of memory");
    while (is_told && (rc = tk_block_walk_next(&walk, &block, err)) == 0) {
        is_told = tk_trace_filter_read(&block, hashes + n);
        n += block.head.traces;
    }
    if (rc < 0 || !is_told) {
        free(hashes);
        return rc < 0 ? rc : 0;
    }
    qsort(hashes, n, sizeof(*hashes), by_value);
    file->traces = hashes;
    file->trace_count = n;
    return 0;
}

int tk_block_file_open(int dirfd, const char *name, struct tk_block_file *ret_file,
                       struct tk_err *err)
{
    struct tk_block_file file = {0};
    int rc = map_file(dirfd, name, &file, err);
    if (rc < 0)
        return rc;
    rc = tk_codec_info_read(file.bytes, &file.info, err);
    rc = rc < 0 ? tk_err_prefix(err, "%s", name) : check_info(&file.info, name, err);
    rc = rc < 0 ? rc : read_filters(&file, err);
    if (rc < 0) {
        tk_block_file_close(&file);
    } else {
        *ret_file = file;
    }
    return rc;
}

/* What one block is as a file. */
static int open_block(const struct tk_block_file *all, const struct tk_block *block,
                      struct tk_block_file *ret_file, struct tk_err *err)
{
    *ret_file = (struct tk_block_file){.bytes = {all->bytes.p + block->offset, (size_t)block->size},
                                       .info = {.closed = true}};
    tk_codec_info_add(&ret_file->info, block);
    return read_filters(ret_file, err);
}

static int open_blocks(const struct tk_block_file *all, struct tk_block_file *files,
                       size_t *ret_count, struct tk_err *err)
{
    struct tk_block_walk walk = {.file = all->bytes};
    struct tk_block block;
    int rc = 0;
    *ret_count = 0;
    while (*ret_count < all->info.blocks && (rc = tk_block_walk_next(&walk, &block, err)) == 0) {
        rc = open_block(all, &block, &files[*ret_count], err);
        if (rc < 0)
            return rc;
        *ret_count += 1;
    }
    return rc < 0 ? rc : 0;
}

/* The blocks of a whole file; the first one holds its mapping. */
static int open_whole(struct tk_block_file *all, struct tk_block_file **ret_files,
                      size_t *ret_count, struct tk_err *err)
{
    size_t count = 0;
    int rc = tk_codec_info_read(all->bytes, &all->info, err);
    if (rc < 0)
        return rc;
    if (all->info.damaged_bytes > 0 || all->info.damaged_sections > 0 || !all->info.closed)
        return tk_fail(err, -EBADMSG, "is damaged or cut off: see tracekit tkz info");
    struct tk_block_file *files = calloc((size_t)all->info.blocks + 1, sizeof(*files));
    if (!files)
        return tk_fail(err, -ENOMEM, "out of memory");
    rc = open_blocks(all, files, &count, err);
    if (rc < 0) {
        for (size_t i = 0; i < count; i++)
            tk_block_file_close(&files[i]);
        free(files);
        return rc;
    }
    if (count > 0) {
        files[0].map = all->map;
        files[0].mapped = all->mapped;
        all->map = NULL;
    }
    *ret_files = files;
    *ret_count = count;
    return 0;
}

int tk_block_file_open_each(int dirfd, const char *name, struct tk_block_file **ret_files,
                            size_t *ret_count, struct tk_err *err)
{
    struct tk_block_file all = {0};
    int rc = map_file(dirfd, name, &all, err);
    if (rc < 0)
        return rc;
    rc = open_whole(&all, ret_files, ret_count, err);
    tk_block_file_close(&all);
    return rc < 0 ? tk_err_prefix(err, "%s", name) : 0;
}

void tk_block_file_close(struct tk_block_file *file)
{
    tk_block_file_unload(file);
    if (file->map)
        (void)munmap(file->map, file->mapped);
    free(file->traces);
    tk_operations_release(&file->operations);
    tk_arena_release(&file->names);
    *file = (struct tk_block_file){0};
}

void tk_block_file_unload(struct tk_block_file *file)
{
    tk_span_batch_free(file->batch);
    file->batch = NULL;
}

/* Decoding ------------------------------------------------------------------------------------- */

static int take_rows(void *context, const struct tk_span_rows *rows, struct tk_err *err)
{
    struct tk_span_copy *copy = NULL;
    int rc = tk_span_copy_new(context, rows->batch, &copy, err);
    for (size_t i = 0; rc == 0 && i < rows->n; i++)
        rc = tk_span_copy_row(copy, tk_span_rows_at(rows, i));
    tk_span_copy_free(copy);
    return rc == -ENOBUFS ? tk_fail(err, rc, "no room for the spans of a block") : rc;
}

static int decode(const struct tk_block_file *file, size_t room, struct tk_span_batch **ret_batch,
                  struct tk_err *err)
{
    const struct tk_codec_decoding decoding = {0};
    struct tk_codec_losses losses;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = NULL;
    int rc = tk_span_batch_new(room, &batch, err);
    if (rc < 0)
        return rc;
    const struct tk_span_sink sink = {take_rows, batch};
    rc = tk_codec_decode(&decoding, file->bytes, &sink, &losses, err);
    if (rc == 0 && tk_codec_losses_any(&losses))
        rc = tk_fail(err, -EBADMSG, "%s", losses.first);
    if (rc < 0)
        return rc;
    *ret_batch = batch;
    batch = NULL;
    return 0;
}

/* The hashes of all ids; rows of a trace stand together. */
static int note_traces(struct tk_block_file *file, const struct tk_span_batch *batch)
{
    size_t n = 0;
    for (size_t row = 0; row < batch->rows; row++)
        n += row == 0 || memcmp(batch->trace_ids[row], batch->trace_ids[row - 1], 16) != 0;
    uint32_t *hashes = calloc(n + 1, sizeof(*hashes));
    if (!hashes)
        return -ENOMEM;
    n = 0;
    for (size_t row = 0; row < batch->rows; row++) {
        if (row == 0 || memcmp(batch->trace_ids[row], batch->trace_ids[row - 1], 16) != 0)
            hashes[n++] = tk_trace_filter_hash(batch->trace_ids[row]);
    }
    qsort(hashes, n, sizeof(*hashes), by_value);
    file->traces = hashes;
    file->trace_count = n;
    return 0;
}

static int learn(struct tk_block_file *file, const struct tk_span_batch *batch, struct tk_err *err)
{
    const struct tk_span_rows rows = {batch, NULL, batch->rows};
    int rc = tk_arena_init(&file->names, NAMES_BYTES, err);
    if (rc < 0)
        return rc;
    tk_operations_init(&file->operations, &file->names);
    rc = tk_operations_add_rows(&file->operations, &rows, (tk_str){NULL, 0}, err);
    if (rc == 0 && !file->traces && note_traces(file, batch) < 0)
        rc = tk_fail(err, -ENOMEM, "segments: out of memory");
    if (rc == 0) {
        file->is_known = true;
        return 0;
    }
    tk_operations_release(&file->operations);
    tk_arena_release(&file->names);
    return rc;
}

int tk_block_file_load(struct tk_block_file *file, struct tk_err *err)
{
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = NULL;
    if (file->batch)
        return 0;
    size_t room = file->info.spans > ROWS_MIN ? (size_t)file->info.spans : ROWS_MIN;
    int rc = decode(file, room, &batch, err);
    if (rc == -ENOBUFS)
        rc = decode(file, ROWS_MAX, &batch, err);
    if (rc == 0 && !file->is_known)
        rc = learn(file, batch, err);
    if (rc < 0)
        return rc;
    file->batch = batch;
    batch = NULL;
    return 0;
}

/* Asking --------------------------------------------------------------------------------------- */

static bool has_trace(const struct tk_block_file *file, const struct tk_span_query *query)
{
    for (size_t i = 0; i < query->trace_id_count; i++) {
        uint32_t hash = tk_trace_filter_hash(query->trace_ids[i]);
        if (bsearch(&hash, file->traces, file->trace_count, sizeof(hash), by_value))
            return true;
    }
    return query->trace_id_count == 0;
}

static bool has_operation(const struct tk_block_file *file, const struct tk_span_query *query)
{
    const struct tk_span_operation *items =
        (const struct tk_span_operation *)(const void *)file->operations.items.p;
    size_t n = file->operations.items.n / sizeof(*items);
    for (size_t i = 0; i < n; i++) {
        if ((!query->service.p || tk_str_eq(query->service, items[i].service)) &&
            (!query->name.p || tk_str_eq(query->name, items[i].name)))
            return true;
    }
    return false;
}

bool tk_block_file_may_match(const struct tk_block_file *file, const struct tk_span_query *query)
{
    const struct tk_codec_info *info = &file->info;
    if (info->spans == 0 || info->last_ns < tk_span_query_from_ns(query) ||
        (query->to_ns != 0 && info->first_ns >= query->to_ns))
        return false;
    return (!file->traces || has_trace(file, query)) &&
           (!file->is_known || has_operation(file, query));
}

/* Encoding ------------------------------------------------------------------------------------- */

struct rows_source {
    const struct tk_span_batch *batch;
    size_t next;
};

static int read_rows(void *context, struct tk_span_batch *batch, struct tk_err *err)
{
    struct rows_source *source = context;
    struct tk_span_copy *copy = NULL;
    int rc = tk_span_copy_new(batch, source->batch, &copy, err);
    while (rc == 0 && source->next < source->batch->rows) {
        rc = tk_span_copy_row(copy, source->next);
        source->next += rc == 0;
    }
    tk_span_copy_free(copy);
    if (rc == -ENOBUFS)
        return batch->rows > 0 ? 0 : tk_fail(err, -EMSGSIZE, "a span fits no batch");
    return rc < 0 ? rc : 1;
}

int tk_block_file_encode(const struct tk_span_batch *batch, const struct tk_codec_options *options,
                         const struct tk_codec_output *output, struct tk_err *err)
{
    struct rows_source rows = {.batch = batch};
    struct tk_codec_info info;
    const struct tk_span_source source = {read_rows, &rows};
    return tk_codec_encode(options, &source, output, &info, err);
}
