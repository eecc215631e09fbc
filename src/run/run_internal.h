/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#ifndef TK_RUN_INTERNAL_H
#define TK_RUN_INTERNAL_H

#include <sys/types.h>

#include "run/run.h"

/* Give the file `fd` the owner of the folder `dirfd` when we are root and the folder is another
 * user's, as after sudo. A file system that refuses is left as it is. */
void tk_run_adopt(int dirfd, int fd);

/* Same, for a file that was put there by name. */
void tk_run_adopt_name(int dirfd, const char *name);

/* Nobody else may put a new run there: -EBUSY when somebody does just now. The lock goes with the
 * descriptor. `path` is for the message. */
TK_MUST_USE int tk_run_folder_claim(int dirfd, const char *path, struct tk_err *err);

/* The last part of a path: the name of the run. */
tk_str tk_run_path_name(tk_str path);

/* Append the one object that `text` holds as a row of `batch`, which must have room. -EBADMSG names
 * the byte, not the file. */
TK_MUST_USE int tk_object_decode(tk_str text, struct tk_batch *batch, struct tk_err *err);

/* Append the objects of the array that `text` holds, as far as they fit. -EBADMSG at the first that
 * is none; those before it stay, and may be all that the caller wants. */
int tk_objects_decode(tk_str text, struct tk_batch *batch, struct tk_err *err);

/* Write a document such as nodes.json: an array, one object a line. */
TK_MUST_USE int tk_objects_write(int dirfd, const char *name, const struct tk_batch *batch,
                                 struct tk_err *err);

/* How a writer reaches the disk, so that a test can fail the n-th call. As write(2) and
 * ftruncate(2), but with the error as result: bytes or 0, or a negative errno. */
struct tk_run_disk {
    ssize_t (*write)(void *context, int fd, const void *from, size_t n);
    int (*truncate)(void *context, int fd, off_t size);
    void *context;
};

/* tk_run_writer_new() on such a disk; `disk` is copied. */
TK_MUST_USE int tk_run_writer_new_on(const char *folder, const struct tk_run_disk *disk,
                                     struct tk_run_writer **ret_writer, struct tk_err *err);

#endif
