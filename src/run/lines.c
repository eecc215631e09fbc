/* SPDX-License-Identifier: Apache-2.0 */
#include "run/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define BUFFER_START 65536

int tk_lines_open(struct tk_lines *lines, int dirfd, const char *name, struct tk_err *err)
{
    int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return tk_fail_errno(err, "%s", name);
    *lines = (struct tk_lines){.name = name, .fd = fd, .cap = BUFFER_START};
    lines->buffer = malloc(lines->cap);
    if (!lines->buffer) {
        tk_fd_close(&lines->fd);
        return tk_fail(err, -ENOMEM, "%s: out of memory", name);
    }
    return 0;
}

void tk_lines_close(struct tk_lines *lines)
{
    if (!lines->buffer) /* never opened: `fd` says nothing */
        return;
    tk_fd_close(&lines->fd);
    free(lines->buffer);
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

/* Read more into the buffer, which has room. */
static int fill(struct tk_lines *lines, struct tk_err *err)
{
    for (;;) {
        ssize_t got = read(lines->fd, lines->buffer + lines->end, lines->cap - lines->end);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return tk_fail_errno(err, "%s", lines->name);
        lines->end += (size_t)got;
        lines->at_end = got == 0;
        return 0;
    }
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
        if (newline || (lines->at_end && left > 0)) {
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
