/* SPDX-License-Identifier: Apache-2.0 */
/* The recording as it grows. It holds whole frames at any time that matters: a write that ends
 * within one is cut back at once, and if even that fails, before the next write. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "run/recording_write.h"

#define INDEX_BYTES_MAX ((size_t)64 << 10)
/* Blocks of one write, as a rule; the index is written when fewer would fit. A block that it lacks
 * makes a seek begin earlier, no more. */
#define INDEX_SPARE 64

void tk_recording_file_init(struct tk_recording_file *file, int dirfd,
                            const struct tk_run_disk *disk)
{
    *file = (struct tk_recording_file){.dirfd = dirfd, .disk = disk, .fd = -1};
}

void tk_recording_file_release(struct tk_recording_file *file)
{
    tk_fd_close(&file->fd);
    free(file->index);
    file->index = NULL;
}

static int cut(struct tk_recording_file *file)
{
    int rc = file->disk->truncate(file->disk->context, file->fd, (off_t)file->size);
    file->to_be_cut = rc < 0;
    return rc;
}

/* Write all, or as much as the disk takes. */
static int write_all(struct tk_recording_file *file, tk_str bytes, size_t *ret_done)
{
    size_t done = 0;
    int rc = 0;
    while (rc == 0 && done < bytes.n) {
        ssize_t put =
            file->disk->write(file->disk->context, file->fd, bytes.p + done, bytes.n - done);
        if (put >= 0) {
            done += (size_t)put;
        } else if (put != -EINTR) {
            rc = (int)put;
        }
    }
    *ret_done = done;
    return rc;
}

/* Opening ----------------------------------------------------------------------- */

static void note_block(struct tk_recording_file *file, const struct tk_recording_frame *frame,
                       uint64_t at)
{
    if (frame->kind != TK_RECORDING_BLOCK || file->index->count == TK_INDEX_MAX)
        return;
    file->index->entries[file->index->count++] = (struct tk_index_entry){
        .at = at,
        .table = frame->table,
        .begins = frame->before == 0,
        .first = frame->first,
        .last = frame->last,
    };
}

static int put_index(struct tk_recording_file *file)
{
    size_t done;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, INDEX_BYTES_MAX);
    tk_index_encode(file->index, file->size, &out);
    int rc = tk_buf_ok(&out) ? write_all(file, tk_buf_str(&out), &done) : out.failure;
    if (rc < 0) {
        (void)cut(file);
        return rc;
    }
    file->index->before = file->size;
    file->index->count = 0;
    file->size += out.n;
    return 0;
}

/* Find the end of the last whole frame, and what the index does not have yet. */
static int read_frames(struct tk_recording_file *file, struct tk_err *err)
{
    struct tk_frames frames;
    int rc = tk_frames_init(&frames, file->fd, err);
    uint64_t index = rc == 0 ? tk_index_find(&frames) : 0;
    frames.next = index > 0 ? index : frames.next;
    while (rc == 0 && (rc = tk_frames_next(&frames, err)) == 0) {
        file->size = frames.next;
        if (frames.frame.kind == TK_RECORDING_INDEX) {
            file->index->before = frames.at;
            file->index->count = 0;
            continue;
        }
        note_block(file, &frames.frame, frames.at);
    }
    file->torn += frames.torn;
    frames.fd = -1; /* the file's */
    tk_frames_close(&frames);
    return rc < 0 ? rc : 0;
}

/* An empty file gets its magic, another one is looked through and a torn frame cut off. */
static int begin_file(struct tk_recording_file *file, off_t size, struct tk_err *err)
{
    char magic[TK_RECORDING_MAGIC_BYTES];
    size_t done;
    file->size = 0;
    file->index->count = 0;
    file->index->before = 0;
    if (size < TK_RECORDING_MAGIC_BYTES) {
        int rc = cut(file);
        if (rc == 0)
            rc = write_all(file, (tk_str){TK_RECORDING_MAGIC, sizeof(magic)}, &done);
        if (rc < 0) {
            (void)cut(file);
            return tk_fail_code(err, rc, "%s", TK_RECORDING_FILE);
        }
        file->size = sizeof(magic);
        return 0;
    }
    if (pread(file->fd, magic, sizeof(magic), 0) != (ssize_t)sizeof(magic) ||
        memcmp(magic, TK_RECORDING_MAGIC, sizeof(magic)) != 0)
        return tk_fail(err, -EBADMSG, "%s: not a recording of this version", TK_RECORDING_FILE);
    file->size = sizeof(magic);
    int rc = read_frames(file, err);
    if (rc == 0 && file->size < (uint64_t)size && cut(file) < 0)
        rc = tk_fail_errno(err, "%s: cut off a torn block", TK_RECORDING_FILE);
    return rc;
}

static int open_file(struct tk_recording_file *file, struct tk_err *err)
{
    struct stat st;
    if (!file->index)
        file->index = calloc(1, sizeof(*file->index));
    if (!file->index)
        return tk_fail(err, -ENOMEM, "%s: out of memory", TK_RECORDING_FILE);
    TK_CLEANUP(tk_fd_close)
    int fd = openat(file->dirfd, TK_RECORDING_FILE,
                    O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0 || fstat(fd, &st) < 0)
        return tk_fail_errno(err, "%s", TK_RECORDING_FILE);
    file->fd = fd;
    file->to_be_cut = false;
    int rc = begin_file(file, st.st_size, err);
    if (rc < 0) {
        file->fd = -1;
        return rc;
    }
    if (st.st_size == 0)
        tk_run_adopt(file->dirfd, fd);
    (void)tk_fd_take(&fd);
    return 0;
}

/* Writes to a file that was removed would succeed and be lost. */
static bool is_removed(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

static int make_ready(struct tk_recording_file *file, struct tk_err *err)
{
    if (file->fd >= 0 && is_removed(file->fd))
        tk_fd_close(&file->fd);
    int rc = file->fd >= 0 ? 0 : open_file(file, err);
    if (rc == 0 && file->to_be_cut) {
        rc = cut(file);
        if (rc < 0)
            return tk_fail_code(err, rc, "%s", TK_RECORDING_FILE);
    }
    return rc;
}

/* Appending --------------------------------------------------------------------- */

/* Take the frame at the front of the text; it is whole, we made it. */
static bool take_frame(tk_str *text, struct tk_recording_frame *ret_frame)
{
    if (text->n < TK_RECORDING_HEADER_BYTES || !tk_recording_frame_decode(text->p, ret_frame))
        return false;
    size_t n = TK_RECORDING_HEADER_BYTES + ret_frame->stored_bytes;
    if (n > text->n)
        return false;
    *text = (tk_str){text->p + n, text->n - n};
    return true;
}

/* What was written becomes part of the file, as far as it is whole frames. */
static void keep_whole_frames(struct tk_recording_file *file, tk_str frames, size_t put,
                              const struct tk_recording_taken *taken)
{
    tk_str rest = {frames.p, put};
    struct tk_recording_frame frame;
    while (take_frame(&rest, &frame)) {
        note_block(file, &frame, file->size);
        file->size += TK_RECORDING_HEADER_BYTES + frame.stored_bytes;
        taken->take(taken->context, &frame);
    }
}

int tk_recording_file_append(struct tk_recording_file *file, tk_str frames,
                             const struct tk_recording_taken *taken, struct tk_err *err)
{
    size_t done = 0;
    int rc = make_ready(file, err);
    if (rc < 0)
        return rc;
    rc = write_all(file, frames, &done);
    keep_whole_frames(file, frames, done, taken);
    if (rc < 0) {
        (void)cut(file); /* else before the next write */
        return tk_fail_code(err, rc, "%s", TK_RECORDING_FILE);
    }
    if (file->index->count + INDEX_SPARE >= TK_INDEX_MAX && put_index(file) < 0)
        file->index->count = 0; /* a scan finds them */
    return 0;
}

int tk_recording_file_sync(struct tk_recording_file *file, struct tk_err *err)
{
    if (file->fd < 0)
        return 0;
    int rc = file->to_be_cut ? cut(file) : 0;
    if (rc == 0)
        rc = put_index(file);
    if (rc < 0)
        return tk_fail_code(err, rc, "%s", TK_RECORDING_FILE);
    return fsync(file->fd) < 0 ? tk_fail_errno(err, "%s", TK_RECORDING_FILE) : 0;
}
