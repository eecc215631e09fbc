/* SPDX-License-Identifier: Apache-2.0 */
#include "segment/compact.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/file.h"
#include "segment/folder.h"
#include "segment/segment_file.h"
#include "segment/segment_write.h"

#define ROWS_MAX   ((size_t)1 << 20) /* of a batch */
#define CHUNK_ROWS 65536             /* read at once */
#define LOCK_FILE  ".compact"

/* Segments that are open, by number. */
struct parts {
    struct part {
        uint32_t number;
        uint64_t bytes;
        struct tk_segment_file file;
    } * items;
    size_t n;
};

static void parts_release(struct parts *parts)
{
    for (size_t i = 0; i < parts->n; i++)
        tk_segment_file_close(&parts->items[i].file);
    free(parts->items);
    *parts = (struct parts){0};
}

/* Open all segments; those that cannot be read are left alone. */
static int parts_open(int dirfd, struct parts *parts, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf entries;
    tk_buf_init(&entries, INT32_MAX);
    int rc = tk_segment_list(dirfd, &entries, err);
    if (rc < 0)
        return rc;
    const struct tk_segment_entry *items = (const struct tk_segment_entry *)(void *)entries.p;
    size_t n = entries.n / sizeof(*items);
    parts->items = calloc(n + 1, sizeof(*parts->items));
    if (!parts->items)
        return tk_fail(err, -ENOMEM, "segments: out of memory");
    for (size_t i = 0; i < n; i++) {
        char name[TK_SEGMENT_NAME_MAX];
        struct stat st;
        struct part *part = &parts->items[parts->n];
        if (!tk_segment_has(&items[i], TK_SEGMENT_PART))
            continue;
        tk_segment_name(TK_SEGMENT_PART, items[i].number, name);
        if (fstatat(dirfd, name, &st, 0) < 0 ||
            tk_segment_file_open(dirfd, name, &part->file, err) < 0)
            continue;
        part->number = items[i].number;
        part->bytes = (uint64_t)st.st_size;
        parts->n++;
    }
    return 0;
}

static bool has_number(const struct parts *parts, uint32_t number)
{
    for (size_t i = 0; i < parts->n; i++) {
        if (parts->items[i].number == number)
            return true;
    }
    return false;
}

/* Delete what others replace. */
static void remove_replaced(int dirfd, const struct parts *parts)
{
    for (size_t i = 0; i < parts->n; i++) {
        const struct tk_segment_file *file = &parts->items[i].file;
        for (size_t k = 0; k < file->replace_count; k++) {
            if (has_number(parts, file->replaces[k]))
                tk_segment_remove(dirfd, TK_SEGMENT_PART, file->replaces[k]);
        }
    }
}

int tk_segment_remove_replaced(int dirfd, struct tk_err *err)
{
    TK_CLEANUP(parts_release) struct parts parts = {0};
    int rc = parts_open(dirfd, &parts, err);
    if (rc == 0)
        remove_replaced(dirfd, &parts);
    return rc; /* NOLINT(clang-analyzer-unix.Malloc): parts_release() frees the items */
}

/* Merging -------------------------------------------------------------------------------------- */

struct merging {
    int dirfd;
    const struct tk_compact_opts *opts;
    size_t rows; /* of a segment, at most */
    struct tk_segment_reader *reader;
    struct tk_span_batch *batch; /* of the segment that is made */
    struct tk_span_batch *chunk; /* that is read */
    uint32_t *order;             /* 0, 1, 2, ... */
    struct tk_compact_counts counts;
};

static void merging_release(struct merging *merging)
{
    tk_segment_reader_free(merging->reader);
    tk_span_batch_free(merging->batch);
    tk_span_batch_free(merging->chunk);
    free(merging->order);
}

/* Append the rows of the chunk to the batch: resources and scopes are shared there. */
static int take_chunk(struct merging *merging, struct tk_err *err)
{
    struct tk_span_copy *copy = NULL;
    int rc = tk_span_copy_new(merging->batch, merging->chunk, &copy, err);
    for (size_t i = 0; rc == 0 && i < merging->chunk->rows; i++) {
        rc = tk_span_copy_row(copy, i);
        if (rc < 0)
            rc = tk_fail(err, rc, "no room for all rows of a segment");
    }
    tk_span_copy_free(copy);
    return rc;
}

static int take_part(struct merging *merging, struct part *part, struct tk_err *err)
{
    const struct tk_parquet_file_meta *meta = tk_parquet_file_meta(part->file.parquet);
    int rc = 0;
    for (size_t group = 0; rc == 0 && group < meta->row_group_count; group++) {
        size_t n = (size_t)meta->row_groups[group].num_rows;
        size_t added = 0;
        for (size_t done = 0; rc == 0 && done < n; done += added) {
            for (size_t i = 0; i < CHUNK_ROWS && done + i < n; i++)
                merging->order[i] = (uint32_t)(done + i);
            tk_span_batch_reset(merging->chunk);
            rc = tk_segment_reader_read(
                merging->reader,
                &(struct tk_segment_rows){&part->file, group, merging->order,
                                          n - done < CHUNK_ROWS ? n - done : CHUNK_ROWS, 0},
                merging->chunk, &added, err);
            if (rc == 0)
                rc = take_chunk(merging, err);
        }
    }
    return rc < 0 ? tk_err_prefix(err, "segment %u", part->number) : 0;
}

/* Write the batch under a new number, and delete the parts that it replaces. */
static int put_segment(struct merging *merging, const struct part *parts, size_t n,
                       struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int fd = -1; /* of the log, empty: it keeps the number ours */
    uint32_t number;
    uint64_t bytes = 0;
    uint32_t *replaces = calloc(n, sizeof(*replaces));
    if (!replaces)
        return tk_fail(err, -ENOMEM, "segments: out of memory");
    for (size_t i = 0; i < n; i++)
        replaces[i] = parts[i].number;
    const struct tk_columns_opts opts = {
        .level = merging->opts->level, .replaces = replaces, .replace_count = n};
    int rc = tk_segment_reserve(merging->dirfd, &number, &fd, err);
    if (rc == 0) {
        rc = tk_segment_write(merging->dirfd, number, merging->batch, &opts, &bytes, err);
        tk_segment_remove(merging->dirfd, TK_SEGMENT_LOG, number);
    }
    free(replaces);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n; i++) {
        tk_segment_remove(merging->dirfd, TK_SEGMENT_PART, parts[i].number);
        merging->counts.bytes_before += parts[i].bytes;
    }
    merging->counts.merged += (uint32_t)n;
    merging->counts.made++;
    merging->counts.spans += merging->batch->rows;
    merging->counts.bytes_after += bytes;
    return 0;
}

/* Merge `n` parts. One with more texts or attributes than a batch has room for ends the merging of
 * these, not of the others. */
static int merge_parts(struct merging *merging, struct part *parts, size_t n, struct tk_err *err)
{
    int rc = 0;
    tk_span_batch_reset(merging->batch);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = take_part(merging, &parts[i], err);
    if (rc == -ENOBUFS)
        return 0;
    return rc < 0 ? rc : put_segment(merging, parts, n, err);
}

/* How many neighbours from `first` on fit into one segment. */
static size_t count_neighbours(const struct merging *merging, const struct parts *parts,
                               size_t first)
{
    uint64_t rows = 0;
    size_t n = 0;
    while (first + n < parts->n) {
        rows += parts->items[first + n].file.rows;
        if (rows > merging->rows)
            break;
        n++;
    }
    return n;
}

static int merge_all(struct merging *merging, struct parts *parts, struct tk_err *err)
{
    int rc = 0;
    size_t n;
    for (size_t i = 0; rc == 0 && i < parts->n; i += n) {
        n = count_neighbours(merging, parts, i);
        if (n > 1)
            rc = merge_parts(merging, &parts->items[i], n, err);
        n += n == 0;
    }
    return rc;
}

static int merging_init(struct merging *merging, struct tk_err *err)
{
    merging->order = calloc(CHUNK_ROWS, sizeof(*merging->order));
    int rc = merging->order ? 0 : tk_fail(err, -ENOMEM, "segments: out of memory");
    if (rc == 0)
        rc = tk_segment_reader_new(&merging->reader, err);
    if (rc == 0)
        rc = tk_span_batch_new(merging->rows, &merging->batch, err);
    if (rc == 0)
        rc = tk_span_batch_new(CHUNK_ROWS, &merging->chunk, err);
    return rc;
}

/* Only one at a time: two would make two segments of the same rows. */
static int lock_compaction(int dirfd, int *ret_fd, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close)
    int fd = openat(dirfd, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0)
        return tk_fail_errno(err, "%s", LOCK_FILE);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return tk_fail(err, -EBUSY, "another process compacts these spans");
    *ret_fd = tk_fd_take(&fd);
    return 0;
}

int tk_segment_compact(int dirfd, const struct tk_compact_opts *opts,
                       struct tk_compact_counts *ret_counts, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int lock = -1;
    TK_CLEANUP(parts_release) struct parts parts = {0};
    TK_CLEANUP(merging_release)
    struct merging merging = {.dirfd = dirfd, .opts = opts, .rows = ROWS_MAX};
    if (opts->rows > 0 && opts->rows < ROWS_MAX)
        merging.rows = opts->rows;
    int rc = lock_compaction(dirfd, &lock, err);
    if (rc == 0)
        rc = tk_segment_remove_replaced(dirfd, err);
    if (rc == 0)
        rc = parts_open(dirfd, &parts, err);
    if (rc == 0)
        rc = merging_init(&merging, err);
    if (rc == 0)
        rc = merge_all(&merging, &parts, err);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): parts_release() frees the items */
    if (rc == 0)
        *ret_counts = merging.counts;
    return rc;
}
