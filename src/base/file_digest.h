/* SPDX-License-Identifier: Apache-2.0 */
/* The SHA-256 of a file, taken by a thread of its own while the caller does other work. When that
 * is to read the same file, the thread hands the bytes over, so that they come from the kernel once
 * and a little ahead. Each is used by one thread at a time. */
#ifndef TK_BASE_FILE_DIGEST_H
#define TK_BASE_FILE_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/digest.h"
#include "base/err.h"

struct tk_file_digest;

/* Open the file and begin. `hands_over`: the bytes are wanted, by tk_file_digest_next(). Fails as
 * open(2) does, and with -EAGAIN where no thread can be had. */
TK_MUST_USE int tk_file_digest_new(int dirfd, const char *path, bool hands_over,
                                   struct tk_file_digest **ret_digest, struct tk_err *err);

/* The next bytes of the file, borrowed until the next call: 0, or 1 at its end, or the failure of
 * reading. What is not asked for stays with the thread: it is a MiB ahead at most, and
 * tk_file_digest_read() lets it go on alone. */
TK_MUST_USE int tk_file_digest_next(struct tk_file_digest *digest, tk_str *ret_bytes,
                                    struct tk_err *err);

/* Wait for the end: results and failures as tk_digest_file(), the same with each call. */
TK_MUST_USE int tk_file_digest_read(struct tk_file_digest *digest, char ret_hex[TK_DIGEST_MAX],
                                    uint64_t *ret_bytes, struct tk_err *err);

/* Accepts NULL. One that has not come to its end is broken off. */
void tk_file_digest_free(struct tk_file_digest *digest);

#endif
