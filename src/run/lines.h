/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of a file, one at a time and numbered, in bounded memory. For readers that must say
 * which line a finding is in: raw logs, `verify`. Rows of a table that are in the recording of the
 * folder (recording.h) follow as the lines that the table's file would have had. One thread at a
 * time. */
#ifndef TK_RUN_LINES_H
#define TK_RUN_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "run/range.h"

/* Longer lines are skipped, and said to be so. */
#define TK_LINE_MAX ((size_t)1 << 20)

struct tk_line {
    tk_str text;     /* without its newline; valid until the next call */
    uint64_t number; /* from 1 */
    bool torn;       /* the file ends before the newline of this line */
    bool too_long;   /* TK_LINE_MAX bytes or more: `text` is empty */
};

struct tk_lines {
    const char *name; /* for messages; borrowed */
    int fd;           /* owned; -1 = there is no file, or it is at its end */
    char *buffer;     /* owned; grows from 64 KiB up to TK_LINE_MAX */
    size_t cap;
    size_t start; /* of what was not handed out yet */
    size_t end;   /* of what was read */
    bool at_end;  /* of the file */
    bool growing; /* set by the caller: a line without its newline waits for the rest of it */
    uint64_t number;
    uint64_t bytes;                       /* handed out so far, newlines included */
    struct tk_lines_recording *recording; /* owned; NULL = the table has no rows there */
};

/* Open `name` below `dirfd`, which are to live as long as the reader. -ENOENT when it is missing;
 * `lines` is untouched on failure. */
TK_MUST_USE int tk_lines_open(struct tk_lines *lines, int dirfd, const char *name,
                              struct tk_err *err);

/* Before the first line: pass over the blocks of the recording that have no row of the range; rows
 * of other times, and all lines of a file, still come. */
TK_MUST_USE int tk_lines_set_range(struct tk_lines *lines, const struct tk_range *range,
                                   struct tk_err *err);

/* Read from a descriptor, which is then owned, whether it is a file or a pipe. */
TK_MUST_USE int tk_lines_open_fd(struct tk_lines *lines, int fd, const char *name,
                                 struct tk_err *err);

/* After the end: look again whether there is more by now. */
void tk_lines_resume(struct tk_lines *lines);

/* The next line: 0, or 1 at the end, or the error of read(2). */
TK_MUST_USE int tk_lines_next(struct tk_lines *lines, struct tk_line *ret_line, struct tk_err *err);

/* Close the file and free the buffer. Accepts a zeroed struct and a second call. */
void tk_lines_close(struct tk_lines *lines);

#endif
