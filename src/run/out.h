/* SPDX-License-Identifier: Apache-2.0 */
/* A large file that is written whole: beside its name, then fsync and rename, so that a reader
 * sees the old or the new one; a device (base/device.h) is written into. Sticky: appends return
 * nothing, the close tells. One thread. */
#ifndef TK_RUN_OUT_H
#define TK_RUN_OUT_H

#include "base/buf.h"
#include "base/file.h"
#include "table/table.h"

struct tk_out {
    int dirfd;                        /* borrowed */
    char name[256];                   /* below dirfd */
    char temporary[TK_TEMPORARY_MAX]; /* of the file beside it */
    int fd;                           /* likewise, or of the device; -1 = not open */
    bool is_device;
    struct tk_buf buf;
    struct tk_batch *rows; /* rows on their way; NULL unless there is a schema */
    int64_t row_count;     /* lines and rows so far */
    int64_t bytes;         /* written so far, without what waits in buf */
    struct tk_err failure; /* the first; code 0 = none */
};

/* Begin NAME in the folder. With a schema, rows can be put by tk_out_begin(). On failure the struct
 * may be given to tk_out_release(). */
TK_MUST_USE int tk_out_open(struct tk_out *out, int dirfd, const char *name,
                            const struct tk_schema *schema, struct tk_err *err);

/* Append one line, without its end. */
void tk_out_put_line(struct tk_out *out, tk_str line);

/* Append text as it is; it is not counted as a row. */
void tk_out_put(struct tk_out *out, tk_str text);

/* Append the rows of a batch. */
void tk_out_put_rows(struct tk_out *out, const struct tk_batch *batch);

/* Begin a row and return the batch to set its values in. Never NULL. */
struct tk_batch *tk_out_begin(struct tk_out *out);

/* Write what waits and put the file in its place. Fails with the first failure of all calls; the
 * old file is then untouched. */
TK_MUST_USE int tk_out_close(struct tk_out *out, struct tk_err *err);

/* Free; a file that was not closed is removed. For TK_CLEANUP; accepts a zeroed struct with
 * fd -1. */
void tk_out_release(struct tk_out *out);

#define TK_OUT_NONE                                                                                \
    {                                                                                              \
        .dirfd = -1, .fd = -1                                                                      \
    }

#endif
