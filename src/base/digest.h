/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, by GnuTLS. Safe from any thread. */
#ifndef TK_BASE_DIGEST_H
#define TK_BASE_DIGEST_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

/* 64 hexadecimal digits and a NUL. */
#define TK_DIGEST_MAX 65

/* Of some bytes. */
TK_MUST_USE int tk_digest_text(tk_str text, char ret_hex[TK_DIGEST_MAX], struct tk_err *err);

/* Of a file, which may be of any size. `ret_bytes` is its size. */
TK_MUST_USE int tk_digest_file(int dirfd, const char *path, char ret_hex[TK_DIGEST_MAX],
                               uint64_t *ret_bytes, struct tk_err *err);

#endif
