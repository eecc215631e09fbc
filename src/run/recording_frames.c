/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "run/recording_internal.h"

#define SEARCH_BYTES ((size_t)64 << 10)

int tk_frames_init(struct tk_frames *frames, int fd, struct tk_err *err)
{
    struct stat st;
    *frames = (struct tk_frames){.fd = fd, .next = TK_RECORDING_MAGIC_BYTES};
    tk_buf_init(&frames->payload, TK_RECORDING_STORED_MAX);
    if (fstat(fd, &st) < 0)
        return tk_fail_errno(err, TK_RECORDING_FILE);
    frames->size = (uint64_t)st.st_size;
    return 0;
}

int tk_frames_open(struct tk_frames *frames, int dirfd, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int fd = openat(dirfd, TK_RECORDING_FILE, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return tk_fail_errno(err, TK_RECORDING_FILE);
    int rc = tk_frames_init(frames, fd, err);
    frames->fd = rc == 0 ? tk_fd_take(&fd) : -1;
    return rc;
}

void tk_frames_close(struct tk_frames *frames)
{
    tk_fd_close(&frames->fd);
    tk_buf_release(&frames->payload);
}

/* Read `n` bytes at a place; fewer only where the file ends. */
static ssize_t read_at(const struct tk_frames *frames, uint64_t at, char *to, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(frames->fd, to + done, n - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

/* The offset in `text` of the first header; text.n when it has none. */
static size_t find_header(tk_str text, struct tk_recording_frame *ret_frame)
{
    for (size_t at = 0; at + TK_RECORDING_HEADER_BYTES <= text.n; at++) {
        if (text.p[at] == 'T' && tk_recording_frame_decode(text.p + at, ret_frame))
            return at;
    }
    return text.n;
}

/* Look for a header from frames->next on: 0 found, 1 there is none to the end of the file. */
static int search(struct tk_frames *frames, struct tk_err *err)
{
    char buf[SEARCH_BYTES];
    for (;;) {
        ssize_t got = read_at(frames, frames->next, buf, sizeof(buf));
        if (got < 0)
            return tk_fail_code(err, (int)got, TK_RECORDING_FILE);
        size_t n = (size_t)got;
        size_t at = find_header((tk_str){buf, n}, &frames->frame);
        if (at < n) {
            frames->next += at;
            return 0;
        }
        if (n < sizeof(buf))
            return 1;
        frames->next += n - TK_RECORDING_HEADER_BYTES + 1;
    }
}

/* A header at frames->next, or the next one behind something else. */
static int find_next(struct tk_frames *frames, struct tk_err *err)
{
    char header[TK_RECORDING_HEADER_BYTES];
    ssize_t got = read_at(frames, frames->next, header, sizeof(header));
    if (got < 0)
        return tk_fail_code(err, (int)got, TK_RECORDING_FILE);
    if (got == 0)
        return 1;
    if (got == sizeof(header) && tk_recording_frame_decode(header, &frames->frame))
        return 0;
    int rc = search(frames, err);
    frames->damaged += rc == 0;
    frames->torn |= rc == 1;
    return rc;
}

int tk_frames_next(struct tk_frames *frames, struct tk_err *err)
{
    for (;;) {
        int rc = find_next(frames, err);
        if (rc != 0)
            return rc;
        frames->at = frames->next;
        frames->next += TK_RECORDING_HEADER_BYTES + frames->frame.stored_bytes;
        if (frames->next <= frames->size)
            return 0;
        /* Cut short: nothing whole can follow, unless the recorder could not cut it off. */
        frames->next = frames->at + 1;
        rc = search(frames, err);
        frames->torn |= rc == 1;
        frames->damaged += rc == 0;
        if (rc != 0)
            return rc;
    }
}

int tk_frames_load(struct tk_frames *frames, struct tk_err *err)
{
    tk_buf_reset(&frames->payload);
    char *to = tk_buf_reserve(&frames->payload, frames->frame.stored_bytes);
    if (!to)
        return tk_buf_check(&frames->payload, TK_RECORDING_FILE, err);
    ssize_t got =
        read_at(frames, frames->at + TK_RECORDING_HEADER_BYTES, to, frames->frame.stored_bytes);
    if (got < 0)
        return tk_fail_code(err, (int)got, TK_RECORDING_FILE);
    frames->payload.n = (size_t)got;
    if (tk_recording_payload_ok(&frames->frame, tk_buf_str(&frames->payload)))
        return 0;
    frames->damaged++;
    frames->next = frames->at + 1;
    if (search(frames, err) == 1)
        frames->next = frames->size;
    return tk_fail(err, -EBADMSG, "%s: a damaged block at byte %llu", TK_RECORDING_FILE,
                   (unsigned long long)frames->at);
}
