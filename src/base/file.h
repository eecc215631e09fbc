/* SPDX-License-Identifier: Apache-2.0 */
/* Files: read whole, write whole and durably, make folders. Paths are relative to `dirfd`
 * (AT_FDCWD for the working folder). Errors name the path. Thread-safe. */
#ifndef TK_BASE_FILE_H
#define TK_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

/* For TK_CLEANUP: close *fd unless it is negative, and set it to -1. Keeps errno. */
void tk_fd_close(int *fd);

/* The descriptor, out of the hands of the cleanup: *fd is -1 then. */
static inline int tk_fd_take(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

/* Let this process have `wanted` descriptors, or as many as its hard limit allows, unless it may
 * have more already: a shell gives 1,024 as a rule. Returns the soft limit before, for a child that
 * is not to notice; 0 when the kernel does not tell. */
uint64_t tk_fd_limit_raise(uint64_t wanted);

/* Set the soft limit; one that is not allowed is left as it is. Async-signal-safe. */
void tk_fd_limit_write(uint64_t max_fds);

/* Lock a file or folder alone (flock), until the descriptor is closed or unlocked; waits no longer
 * than so. False when somebody keeps the lock; true also where a file system has no locks. */
bool tk_fd_lock(int fd, int64_t patience_ns);

/* True when the path, not followed if it is a link, still names the open file: whoever had the lock
 * of a file before may have removed it. */
bool tk_fd_is_at(int fd, int dirfd, const char *path);

/* Read a small file whole into buf; -EMSGSIZE when it does not fit (`cap` - 1 bytes at most). */
TK_MUST_USE int tk_file_read(int dirfd, const char *path, char *buf, size_t cap, tk_str *ret_text,
                             struct tk_err *err);

/* Append a file of any size to `buf`, up to the cap of `buf`. */
TK_MUST_USE int tk_file_load(int dirfd, const char *path, struct tk_buf *buf, struct tk_err *err);

/* Replace or make a file: write beside it, fsync, rename, fsync the folder. Readers see the old
 * or the new content, never a part. `mode` is subject to umask. A device is written into. */
TK_MUST_USE int tk_file_write(int dirfd, const char *path, tk_str text, mode_t mode,
                              struct tk_err *err);

/* Likewise without waiting for the disk. Readers see the old or the new content as long as the
 * machine runs; after a power failure the file may be either, or empty. */
TK_MUST_USE int tk_file_refresh(int dirfd, const char *path, tk_str text, mode_t mode,
                                struct tk_err *err);

/* Room for the name of a temporary file. */
#define TK_TEMPORARY_MAX 256

/* Make a file to write, to be renamed to `name` once it is whole: hidden, beside it, under a name
 * that nobody has, not a process of another container or machine either that shares the folder. */
TK_MUST_USE int tk_file_make_beside(int dirfd, const char *name, mode_t mode,
                                    char ret_temporary[TK_TEMPORARY_MAX], int *ret_fd,
                                    struct tk_err *err);

/* Write all bytes to a descriptor, through short writes and EINTR. `name` is for the message. */
TK_MUST_USE int tk_fd_write(int fd, tk_str text, const char *name, struct tk_err *err);

/* Open an existing folder. */
TK_MUST_USE int tk_dir_open(int dirfd, const char *path, int *ret_fd, struct tk_err *err);

/* Make a folder and its missing parents (0777 subject to umask); one that exists is fine. */
TK_MUST_USE int tk_dir_make(int dirfd, const char *path, struct tk_err *err);

/* Length of the part of `path` up to and without the next slash after `from`. */
size_t tk_path_next(const char *path, size_t from);

/* Length of the first part of `path` (relative to the working folder) that does not exist; past
 * its end when all do. */
size_t tk_dir_missing(const char *path);

/* Take back what tk_dir_make() made: the folders of `path` from the one that was missing before
 * (tk_dir_missing()) to the last, as far as they are empty. */
void tk_dir_unmake(const char *path, size_t missing);

#endif
