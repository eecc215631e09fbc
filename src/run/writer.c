/* SPDX-License-Identifier: Apache-2.0 */
/* Table files as they grow. Each holds whole lines at any time that matters: a write that ends in
 * the middle of a line is cut back at once, and if even that fails, before the next write.
 *
 * Several processes may write to one file. Who writes or mends holds an exclusive lock on it
 * meanwhile: so the last line that a writer finds is whole, or torn for good, and what it cuts off
 * is its own. Where a file system has no locks, each takes itself for the only one; a lock that is
 * not to be had within a moment is done without. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "run/recording_write.h"
#include "run/run_internal.h"

#define BUFFER_BYTES ((size_t)64 << 10) /* written without waiting for a flush */
#define BUFFER_MAX   ((size_t)8 << 20)  /* with one batch of long texts on top */
#define TAIL_MAX     ((size_t)1 << 20)  /* longest torn line that is looked at */

/* A write takes microseconds. Who holds the lock for longer is stopped, or somebody who may read
 * the file and means no good: then we append all the same, and mend nothing. */
#define LOCK_PATIENCE_NS (200 * TK_NS_PER_MS)

struct table_file {
    char name[NAME_MAX + 1]; /* "" = the name in tk_tables */
    int fd;                  /* -1 before the first row */
    struct tk_buf lines;     /* waiting, whole lines */
    int64_t rows;            /* in `lines` */
    off_t end;               /* of the whole lines after our last write; -1 = not known */
    off_t torn_end;          /* then it had a part of a line, up to here; `end` = it had none */
    bool is_locked;          /* the last write was; else the next does not wait for the lock */
};

struct tk_run_writer {
    int dirfd;
    char folder[PATH_MAX];
    struct tk_run_disk disk;
    struct table_file files[TK_TABLE_COUNT];
    struct tk_recording_file recording;
    struct tk_run_writer_stats stats;
};

static ssize_t disk_write(void *context, int fd, const void *from, size_t n)
{
    (void)context;
    ssize_t put = write(fd, from, n);
    return put < 0 ? -errno : put;
}

static int disk_truncate(void *context, int fd, off_t size)
{
    (void)context;
    return ftruncate(fd, size) < 0 ? -errno : 0;
}

int tk_run_writer_new_on(const char *folder, const struct tk_run_disk *disk,
                         struct tk_run_writer **ret_writer, struct tk_err *err)
{
    struct tk_run_writer *writer = calloc(1, sizeof(*writer));
    if (!writer)
        return tk_fail(err, -ENOMEM, "%s: out of memory", folder);
    writer->dirfd = -1;
    writer->disk = *disk;
    for (size_t i = 0; i < TK_TABLE_COUNT; i++) {
        writer->files[i].fd = -1;
        writer->files[i].end = writer->files[i].torn_end = -1;
        writer->files[i].is_locked = true;
        tk_buf_init(&writer->files[i].lines, BUFFER_MAX);
    }
    int rc = tk_dir_open(AT_FDCWD, folder, &writer->dirfd, err);
    tk_recording_file_init(&writer->recording, writer->dirfd, &writer->disk);
    if (rc == 0 && !tk_str_to_cstr(tk_str_from(folder), writer->folder, sizeof(writer->folder)))
        rc = tk_fail(err, -ENAMETOOLONG, "%s: path longer than %d bytes", folder, PATH_MAX - 1);
    if (rc < 0) {
        tk_run_writer_free(writer);
        return rc;
    }
    *ret_writer = writer;
    return 0;
}

int tk_run_writer_new(const char *folder, struct tk_run_writer **ret_writer, struct tk_err *err)
{
    static const struct tk_run_disk disk = {disk_write, disk_truncate, NULL};
    return tk_run_writer_new_on(folder, &disk, ret_writer, err);
}

void tk_run_writer_free(struct tk_run_writer *writer)
{
    if (!writer)
        return;
    for (size_t i = 0; i < TK_TABLE_COUNT; i++) {
        tk_fd_close(&writer->files[i].fd);
        tk_buf_release(&writer->files[i].lines);
    }
    tk_recording_file_release(&writer->recording);
    tk_fd_close(&writer->dirfd);
    free(writer);
}

int tk_run_writer_dirfd(const struct tk_run_writer *writer)
{
    return writer->dirfd;
}

void tk_run_writer_read_stats(const struct tk_run_writer *writer,
                              struct tk_run_writer_stats *ret_stats)
{
    *ret_stats = writer->stats;
}

static const char *file_name(const struct tk_run_writer *writer, enum tk_table table)
{
    const char *name = writer->files[table].name;
    return *name ? name : tk_tables[table].raw;
}

int tk_run_writer_set_name(struct tk_run_writer *writer, enum tk_table table, const char *name,
                           struct tk_err *err)
{
    tk_str text = tk_str_from(name);
    char *to = writer->files[table].name;
    if (tk_str_find(text, '/') < text.n || !tk_str_to_cstr(text, to, NAME_MAX + 1))
        return tk_fail(err, -EINVAL, "'%s' is no file name", name);
    return 0;
}

/* Opening ----------------------------------------------------------------------- */

/* Read the bytes after the last line end of the file, at most TAIL_MAX of them. */
static int read_tail(int fd, off_t size, struct tk_buf *tail)
{
    size_t n = (size_t)size < TAIL_MAX ? (size_t)size : TAIL_MAX;
    char *to = tk_buf_reserve(tail, n);
    if (!to)
        return tail->failure;
    ssize_t got = pread(fd, to, n, size - (off_t)n);
    if (got < 0)
        return -errno;
    tail->n = (size_t)got;
    size_t end = tk_str_find_last(tk_buf_str(tail), '\n');
    if (end < tail->n)
        tk_buf_consume(tail, end + 1);
    return 0;
}

static bool is_whole_value(tk_str text)
{
    struct tk_json json;
    struct tk_err ignored;
    tk_json_init(&json, text);
    return tk_json_skip(&json, NULL, &ignored) == 0 && tk_json_expect_end(&json, &ignored) == 0;
}

/* A last line without its end: if it is whole (written by hand) end it, else cut it off. */
static int mend_tail(struct tk_run_writer *writer, int fd, off_t size)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf tail;
    tk_buf_init(&tail, TAIL_MAX);
    int rc = read_tail(fd, size, &tail);
    if (rc < 0 || tail.n == 0)
        return rc;
    if (is_whole_value(tk_buf_str(&tail))) {
        ssize_t put = writer->disk.write(writer->disk.context, fd, "\n", 1);
        return put < 0 ? (int)put : 0;
    }
    writer->stats.torn_lines++;
    return writer->disk.truncate(writer->disk.context, fd, size - (off_t)tail.n);
}

static int open_file(struct tk_run_writer *writer, enum tk_table table, struct tk_err *err)
{
    struct table_file *file = &writer->files[table];
    const char *name = file_name(writer, table);
    struct stat st;
    TK_CLEANUP(tk_fd_close)
    int fd =
        openat(writer->dirfd, name, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0 || fstat(fd, &st) < 0)
        return tk_fail_errno(err, "%s/%s", writer->folder, name);
    if (st.st_size == 0)
        tk_run_adopt(writer->dirfd, fd);
    file->fd = tk_fd_take(&fd);
    file->end = file->torn_end = -1;
    return 0;
}

/* Writes to a file that was removed would succeed and be lost. */
static bool is_removed(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

/* Open the file, unless it is, and lock it; one that was removed is made again. */
static int take_file(struct tk_run_writer *writer, enum tk_table table, struct tk_err *err)
{
    struct table_file *file = &writer->files[table];
    for (;;) {
        int rc = file->fd >= 0 ? 0 : open_file(writer, table, err);
        if (rc < 0)
            return rc;
        file->is_locked = tk_fd_lock(file->fd, file->is_locked ? LOCK_PATIENCE_NS : 0);
        if (!is_removed(file->fd))
            return 0;
        tk_fd_close(&file->fd);
    }
}

/* Writing ----------------------------------------------------------------------- */

static int64_t count_lines(tk_str text)
{
    int64_t lines = 0;
    tk_str line;
    while (tk_str_take_line(&text, &line))
        lines++;
    return lines;
}

static void drop_waiting(struct tk_run_writer *writer, struct table_file *file)
{
    writer->stats.dropped_rows += file->rows;
    file->rows = 0;
    tk_buf_reset(&file->lines);
}

/* Cut the file back to where our last write should have ended. */
static int cut_back(struct tk_run_writer *writer, struct table_file *file)
{
    int rc = writer->disk.truncate(writer->disk.context, file->fd, file->end);
    if (rc == 0)
        file->torn_end = file->end;
    return rc;
}

static bool ends_a_line(int fd, off_t size)
{
    char last;
    return size == 0 || (pread(fd, &last, 1, size - 1) == 1 && last == '\n');
}

/* Before a write: the file has whole lines, whatever we or another writer left there. */
static int make_whole(struct tk_run_writer *writer, struct table_file *file, off_t *ret_size)
{
    struct stat st;
    if (fstat(file->fd, &st) < 0)
        return -errno;
    if (file->is_locked && st.st_size != file->end && !ends_a_line(file->fd, st.st_size)) {
        bool is_ours = file->end >= 0 && st.st_size == file->torn_end;
        int rc = is_ours ? cut_back(writer, file) : mend_tail(writer, file->fd, st.st_size);
        if (rc < 0 || fstat(file->fd, &st) < 0)
            return rc < 0 ? rc : -errno;
    }
    *ret_size = st.st_size;
    return 0;
}

/* The disk took `put` bytes from `begin` on and no more: keep the whole lines among them, drop the
 * rest. */
static void keep_whole_lines(struct tk_run_writer *writer, struct table_file *file, off_t begin,
                             size_t put)
{
    tk_str taken = {file->lines.p, put};
    size_t last = tk_str_find_last(taken, '\n');
    size_t whole = last < put ? last + 1 : 0;
    file->end = file->is_locked ? begin + (off_t)whole : -1;
    file->torn_end = file->is_locked ? begin + (off_t)put : -1;
    if (whole < put && file->is_locked)
        (void)cut_back(writer, file); /* else before the next write */
    int64_t rows = count_lines((tk_str){file->lines.p, whole});
    writer->stats.rows[file - writer->files] += rows;
    writer->stats.bytes += (int64_t)whole;
    file->rows -= rows;
    drop_waiting(writer, file);
}

static int write_lines(struct tk_run_writer *writer, struct table_file *file)
{
    off_t begin = 0;
    size_t done = 0;
    int rc = make_whole(writer, file, &begin);
    if (rc < 0) {
        drop_waiting(writer, file);
        return rc;
    }
    while (rc == 0 && done < file->lines.n) {
        ssize_t put = writer->disk.write(writer->disk.context, file->fd, file->lines.p + done,
                                         file->lines.n - done);
        if (put >= 0) {
            done += (size_t)put;
        } else if (put != -EINTR) {
            rc = (int)put;
        }
    }
    keep_whole_lines(writer, file, begin, done);
    return rc;
}

static int write_table(struct tk_run_writer *writer, enum tk_table table, struct tk_err *err)
{
    struct table_file *file = &writer->files[table];
    if (file->lines.n == 0)
        return 0;
    int rc = take_file(writer, table, err);
    if (rc < 0) {
        drop_waiting(writer, file);
        return rc;
    }
    rc = write_lines(writer, file);
    (void)flock(file->fd, LOCK_UN);
    if (rc < 0)
        return tk_fail_code(err, rc, "%s/%s", writer->folder, file_name(writer, table));
    return 0;
}

static int take(void *context, enum tk_table table, const struct tk_batch *batch,
                struct tk_err *err)
{
    struct tk_run_writer *writer = context;
    struct table_file *file = &writer->files[table];
    if (!file_name(writer, table) || tk_tables[table].layout != TK_LAYOUT_LINES)
        return tk_fail(err, -EINVAL, "%s: not a table that grows", tk_tables[table].schema->name);
    size_t before = file->lines.n;
    tk_encoder_jsonl.batch(batch, &file->lines);
    if (!tk_buf_ok(&file->lines)) {
        int rc = tk_buf_check(&file->lines, file_name(writer, table), err);
        file->lines.failure = 0;
        file->lines.n = before;
        writer->stats.dropped_rows += (int64_t)batch->rows;
        return rc;
    }
    file->rows += (int64_t)batch->rows;
    return file->lines.n < BUFFER_BYTES ? 0 : write_table(writer, table, err);
}

struct tk_sink tk_run_writer_sink(struct tk_run_writer *writer)
{
    return (struct tk_sink){take, writer};
}

int tk_run_writer_flush(struct tk_run_writer *writer, struct tk_err *err)
{
    int first = 0;
    for (size_t i = 0; i < TK_TABLE_COUNT; i++) {
        struct tk_err failure;
        if (write_table(writer, (enum tk_table)i, &failure) < 0 && first == 0) {
            first = failure.code;
            *err = failure;
        }
    }
    return first;
}

int tk_run_writer_write(struct tk_run_writer *writer, enum tk_table table, struct tk_buf *lines,
                        int64_t rows, struct tk_err *err)
{
    struct table_file *file = &writer->files[table];
    assert(tk_tables[table].layout == TK_LAYOUT_LINES && file->lines.n == 0);
    struct tk_buf own = file->lines;
    file->lines = *lines;
    file->rows = rows;
    int rc = write_table(writer, table, err);
    *lines = file->lines;
    file->lines = own;
    return rc;
}

/* A frame of the recording is in the file. */
static void count_frame(void *context, const struct tk_recording_frame *frame)
{
    struct tk_run_writer_stats *stats = context;
    stats->bytes += (int64_t)(TK_RECORDING_HEADER_BYTES + frame->stored_bytes);
    for (size_t i = 0; i < TK_TABLE_COUNT; i++) {
        if (tk_recording_table_id(tk_tables[i].schema->name) == frame->table)
            stats->rows[i] += frame->rows;
    }
}

static int64_t sum_rows(const struct tk_run_writer_stats *stats)
{
    int64_t rows = 0;
    for (size_t i = 0; i < TK_TABLE_COUNT; i++)
        rows += stats->rows[i];
    return rows;
}

int tk_run_writer_write_frames(struct tk_run_writer *writer, struct tk_buf *frames, int64_t rows,
                               struct tk_err *err)
{
    struct tk_run_writer_stats *stats = &writer->stats;
    int64_t before = sum_rows(stats);
    int rc = tk_recording_file_append(&writer->recording, tk_buf_str(frames),
                                      &(struct tk_recording_taken){count_frame, stats}, err);
    stats->dropped_rows += before + rows - sum_rows(stats);
    stats->torn_lines += (int64_t)writer->recording.torn;
    writer->recording.torn = 0;
    tk_buf_reset(frames);
    return rc < 0 ? tk_err_prefix(err, "%s", writer->folder) : 0;
}

int tk_run_writer_sync(struct tk_run_writer *writer, struct tk_err *err)
{
    int rc = tk_run_writer_flush(writer, err);
    struct tk_err failure;
    if (tk_recording_file_sync(&writer->recording, &failure) < 0 && rc == 0) {
        *err = failure;
        rc = tk_err_prefix(err, "%s", writer->folder);
    }
    for (size_t i = 0; i < TK_TABLE_COUNT; i++) {
        int fd = writer->files[i].fd;
        if (fd >= 0 && fsync(fd) < 0 && rc == 0)
            rc = tk_fail_errno(err, "%s/%s", writer->folder, file_name(writer, (enum tk_table)i));
    }
    if (rc == 0 && fsync(writer->dirfd) < 0)
        rc = tk_fail_errno(err, "%s", writer->folder);
    return rc;
}
