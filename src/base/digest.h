/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, HMAC-SHA-256 and MD5, by GnuTLS. Safe from any thread. */
#ifndef TK_BASE_DIGEST_H
#define TK_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

/* 64 hexadecimal digits and a NUL. */
#define TK_DIGEST_MAX 65

/* Bytes of a SHA-256. */
#define TK_DIGEST_BYTES 32

/* Of some bytes. */
TK_MUST_USE int tk_digest_text(tk_str text, char ret_hex[TK_DIGEST_MAX], struct tk_err *err);

/* Of a file, which may be of any size. `ret_bytes` is its size. */
TK_MUST_USE int tk_digest_file(int dirfd, const char *path, char ret_hex[TK_DIGEST_MAX],
                               uint64_t *ret_bytes, struct tk_err *err);

/* Bytes as lower-case hexadecimal digits and a NUL: 2 * n + 1 bytes at `ret_hex`. */
void tk_digest_format(const unsigned char *bytes, size_t n, char *ret_hex);

enum tk_digest_kind {
    TK_DIGEST_SHA256,
    TK_DIGEST_MD5, /* only to compare with what others compute: 32 digits */
};

/* A digest of bytes that come one after the other. A zeroed struct may be released. */
struct tk_digest {
    void *state;
    enum tk_digest_kind kind;
};

/* Start one. -EOPNOTSUPP when the host forbids the kind, as FIPS does with MD5. */
TK_MUST_USE int tk_digest_init(struct tk_digest *digest, enum tk_digest_kind kind,
                               struct tk_err *err);

/* Bytes that come next. */
void tk_digest_add(struct tk_digest *digest, tk_str text);

/* The digest of all that came; starts anew. */
void tk_digest_take(struct tk_digest *digest, char ret_hex[TK_DIGEST_MAX]);

/* Free the memory. */
void tk_digest_release(struct tk_digest *digest);

/* For those who hash many small texts: the library is looked for once. */
struct tk_hasher {
    void *functions;
};

/* Load the library; -ENOENT when there is none. Release it in any case. */
TK_MUST_USE int tk_hasher_init(struct tk_hasher *hasher, struct tk_err *err);
void tk_hasher_release(struct tk_hasher *hasher);

/* SHA-256 of some bytes. */
TK_MUST_USE int tk_hasher_digest(const struct tk_hasher *hasher, tk_str text,
                                 char ret_hex[TK_DIGEST_MAX], struct tk_err *err);

/* HMAC-SHA-256 of some bytes; `ret_mac` may be where `key` is. */
TK_MUST_USE int tk_hasher_hmac(const struct tk_hasher *hasher, tk_str key, tk_str text,
                               unsigned char ret_mac[TK_DIGEST_BYTES], struct tk_err *err);

#endif
