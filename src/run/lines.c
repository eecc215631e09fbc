/* SPDX-License-Identifier: Apache-2.0 */
#include "run/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "run/recording.h"

#define BUFFER_START 65536
#define BATCH_ROWS   256
#define BATCH_TEXT   ((size_t)4 << 20)
#define TEXT_MAX     ((size_t)64 << 20)

/* Rows on their way to lines. */
struct tk_lines_recording {
    struct tk_recording_reader *reader;
    struct tk_batch *batch;
    struct tk_buf text; /* of the batch */
    size_t used;
};

static void recording_free(struct tk_lines_recording *recording)
{
    if (!recording)
        return;
    tk_recording_reader_free(recording->reader);
    tk_batch_free(recording->batch);
    tk_buf_release(&recording->text);
    free(recording);
}

/* -ENOENT when the recording has no rows for a file of this name. */
static int recording_new(int dirfd, const char *name, struct tk_lines_recording **ret,
                         struct tk_err *err)
{
    enum tk_table table = tk_recording_find_table(name);
    if (table == TK_TABLE_COUNT || !tk_recording_has(dirfd, table))
        return tk_fail(err, -ENOENT, "%s: not in the recording", name);
    struct tk_lines_recording *recording = calloc(1, sizeof(*recording));
    if (!recording)
        return tk_fail(err, -ENOMEM, "%s: out of memory", name);
    tk_buf_init(&recording->text, TEXT_MAX);
    const struct tk_schema *schema = tk_tables[table].schema;
    int rc = tk_recording_reader_new(dirfd, schema, &recording->reader, err);
    if (rc == 0)
        rc = tk_batch_new(schema, BATCH_ROWS, BATCH_TEXT, &recording->batch, err);
    if (rc < 0) {
        recording_free(recording);
        return rc;
    }
    *ret = recording;
    return 0;
}

/* The next bytes of the lines, at most `n`; 0 at the end. */
static ssize_t recording_read(struct tk_lines_recording *recording, char *to, size_t n,
                              struct tk_err *err)
{
    if (recording->used == recording->text.n) {
        tk_batch_reset(recording->batch);
        tk_buf_reset(&recording->text);
        recording->used = 0;
        int rc = tk_recording_reader_next(recording->reader, recording->batch, err);
        if (rc != 0)
            return rc < 0 ? rc : 0;
        tk_encoder_jsonl.batch(recording->batch, &recording->text);
        rc = tk_buf_check(&recording->text, TK_RECORDING_FILE, err);
        if (rc < 0)
            return rc;
    }
    size_t left = recording->text.n - recording->used;
    n = left < n ? left : n;
    memcpy(to, recording->text.p + recording->used, n);
    recording->used += n;
    return (ssize_t)n;
}

int tk_lines_open(struct tk_lines *lines, int dirfd, const char *name, struct tk_err *err)
{
    struct tk_lines opened = {.name = name, .cap = BUFFER_START};
    opened.fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
    int rc = opened.fd < 0 ? tk_fail_errno(err, "%s", name) : 0;
    if (rc == 0 || rc == -ENOENT) {
        struct tk_err failure;
        int found = recording_new(dirfd, name, &opened.recording, &failure);
        if (found < 0 && found != -ENOENT)
            *err = failure;
        rc = found == -ENOENT ? rc : found;
    }
    if (rc == 0) {
        opened.buffer = malloc(opened.cap);
        if (!opened.buffer)
            rc = tk_fail(err, -ENOMEM, "%s: out of memory", name);
    }
    if (rc < 0) {
        tk_fd_close(&opened.fd);
        recording_free(opened.recording);
        return rc;
    }
    *lines = opened;
    return 0;
}

int tk_lines_set_range(struct tk_lines *lines, const struct tk_range *range, struct tk_err *err)
{
    if (!lines->recording)
        return 0;
    return tk_recording_reader_set_range(lines->recording->reader, range->from_us, range->to_us,
                                         err);
}

int tk_lines_open_fd(struct tk_lines *lines, int fd, const char *name, struct tk_err *err)
{
    struct tk_lines opened = {.name = name, .cap = BUFFER_START, .fd = fd};
    opened.buffer = malloc(opened.cap);
    if (!opened.buffer) {
        tk_fd_close(&opened.fd);
        return tk_fail(err, -ENOMEM, "%s: out of memory", name);
    }
    *lines = opened;
    return 0;
}

void tk_lines_resume(struct tk_lines *lines)
{
    lines->at_end = false;
}

void tk_lines_close(struct tk_lines *lines)
{
    if (!lines->buffer) /* never opened: `fd` says nothing */
        return;
    tk_fd_close(&lines->fd);
    free(lines->buffer);
    recording_free(lines->recording);
    *lines = (struct tk_lines){.fd = -1};
}

/* Move what is left to the front and, when it fills the buffer, double that up to the limit. */
static int make_room(struct tk_lines *lines, struct tk_err *err)
{
    memmove(lines->buffer, lines->buffer + lines->start, lines->end - lines->start);
    lines->end -= lines->start;
    lines->start = 0;
    if (lines->end < lines->cap || lines->cap >= TK_LINE_MAX)
        return 0;
    size_t cap = lines->cap < BUFFER_START ? BUFFER_START : lines->cap * 2;
    char *buffer = realloc(lines->buffer, cap);
    if (!buffer)
        return tk_fail(err, -ENOMEM, "%s: out of memory", lines->name);
    lines->buffer = buffer;
    lines->cap = cap;
    return 0;
}

/* Bytes of the file, then of the recording; a last line of the file ends where those begin. */
static ssize_t read_some(struct tk_lines *lines, char *to, size_t n, struct tk_err *err)
{
    if (lines->fd >= 0) {
        ssize_t got;
        do {
            got = read(lines->fd, to, n);
        } while (got < 0 && errno == EINTR);
        if (got < 0)
            return tk_fail_errno(err, "%s", lines->name);
        if (got > 0 || !lines->recording)
            return got;
        tk_fd_close(&lines->fd);
        if (lines->end > lines->start) {
            *to = '\n';
            return 1;
        }
    }
    return recording_read(lines->recording, to, n, err);
}

/* Read more into the buffer, which has room. */
static int fill(struct tk_lines *lines, struct tk_err *err)
{
    ssize_t got = read_some(lines, lines->buffer + lines->end, lines->cap - lines->end, err);
    if (got < 0)
        return (int)got;
    lines->end += (size_t)got;
    lines->at_end = got == 0;
    return 0;
}

/* Read and forget a line that the full buffer begins with. */
static int skip_line(struct tk_lines *lines, struct tk_line *ret_line, struct tk_err *err)
{
    for (;;) {
        char *newline = memchr(lines->buffer, '\n', lines->end);
        lines->start = newline ? (size_t)(newline - lines->buffer) + 1 : lines->end;
        lines->bytes += lines->start;
        if (newline || lines->at_end) {
            *ret_line =
                (struct tk_line){.number = ++lines->number, .torn = !newline, .too_long = true};
            return 0;
        }
        lines->start = lines->end = 0;
        int rc = fill(lines, err);
        if (rc < 0)
            return rc;
    }
}

int tk_lines_next(struct tk_lines *lines, struct tk_line *ret_line, struct tk_err *err)
{
    size_t searched = 0;
    for (;;) {
        size_t left = lines->end - lines->start;
        char *text = lines->buffer + lines->start;
        char *newline = left > searched ? memchr(text + searched, '\n', left - searched) : NULL;
        if (newline || (lines->at_end && left > 0 && !lines->growing)) {
            size_t n = newline ? (size_t)(newline - text) : left;
            *ret_line = (struct tk_line){{text, n}, ++lines->number, !newline, false};
            lines->start += n + (newline != NULL);
            lines->bytes += n + (newline != NULL);
            return 0;
        }
        if (lines->at_end)
            return 1;
        searched = left;
        int rc = make_room(lines, err);
        if (rc == 0 && lines->end == lines->cap)
            return skip_line(lines, ret_line, err);
        if (rc == 0)
            rc = fill(lines, err);
        if (rc < 0)
            return rc;
    }
}
