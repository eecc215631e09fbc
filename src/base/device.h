/* SPDX-License-Identifier: Apache-2.0 */
/* Outputs that are no files: /dev/null, a terminal, a named pipe, /dev/stdout, the pipe of a
 * shell's >(COMMAND). Who writes beside a name and renames must not put a file in their place.
 * Thread-safe. */
#ifndef TK_BASE_DEVICE_H
#define TK_BASE_DEVICE_H

#include "base/compiler.h"
#include "base/err.h"

/* Open `path` to write into it when it is a character device or a pipe, or a symbolic link of
 * root's or of our own to one or to an open descriptor. `ret_fd` is -1 when it is anything else or
 * is not there. Waits for who reads a named pipe. -EINVAL for a link to standard output, where
 * results and what is told of them would mix: commands know "-". */
TK_MUST_USE int tk_device_open(int dirfd, const char *path, int *ret_fd, struct tk_err *err);

#endif
