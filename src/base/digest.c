/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/library.h"

#define CHUNK_BYTES ((size_t)256 << 10)

struct gnutls {
    __typeof__(gnutls_hash_fast) *hash_fast;
    __typeof__(gnutls_hash_init) *hash_init;
    __typeof__(gnutls_hash) *hash;
    __typeof__(gnutls_hash_deinit) *hash_deinit;
    __typeof__(gnutls_hash_output) *hash_output;
    __typeof__(gnutls_hmac_fast) *hmac_fast;
};

static const struct tk_symbol gnutls_symbols[] = {
    TK_SYMBOL(struct gnutls, hash_fast, gnutls_hash_fast),
    TK_SYMBOL(struct gnutls, hash_init, gnutls_hash_init),
    TK_SYMBOL(struct gnutls, hash, gnutls_hash),
    TK_SYMBOL(struct gnutls, hash_deinit, gnutls_hash_deinit),
    TK_SYMBOL(struct gnutls, hash_output, gnutls_hash_output),
    TK_SYMBOL(struct gnutls, hmac_fast, gnutls_hmac_fast),
};

static const struct tk_library gnutls_library = {"libgnutls.so.30", gnutls_symbols,
                                                 TK_COUNTOF(gnutls_symbols)};

void tk_digest_format(const unsigned char *bytes, size_t n, char *ret_hex)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        ret_hex[2 * i] = digits[bytes[i] >> 4];
        ret_hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_hex[2 * n] = 0;
}

int tk_digest_text(tk_str text, char ret_hex[TK_DIGEST_MAX], struct tk_err *err)
{
    struct tk_hasher hasher;
    int rc = tk_hasher_init(&hasher, err);
    if (rc == 0)
        rc = tk_hasher_digest(&hasher, text, ret_hex, err);
    tk_hasher_release(&hasher);
    return rc;
}

struct file_hash {
    struct gnutls gnutls;
    gnutls_hash_hd_t state;
    void *chunk; /* CHUNK_BYTES */
};

static int hash_descriptor(struct file_hash *hash, int fd, const char *path, uint64_t *ret_bytes,
                           struct tk_err *err)
{
    uint64_t bytes = 0;
    for (;;) {
        ssize_t got = read(fd, hash->chunk, CHUNK_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return tk_fail_errno(err, "%s", path);
        if (got == 0)
            break;
        if (hash->gnutls.hash(hash->state, hash->chunk, (size_t)got) < 0)
            return tk_fail(err, -EIO, "%s: SHA-256 failed", path);
        bytes += (uint64_t)got;
    }
    *ret_bytes = bytes;
    return 0;
}

int tk_digest_file(int dirfd, const char *path, char ret_hex[TK_DIGEST_MAX], uint64_t *ret_bytes,
                   struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return tk_fail_errno(err, "%s", path);
    struct file_hash hash;
    int rc = tk_library_load(&gnutls_library, &hash.gnutls, err);
    if (rc < 0)
        return rc;
    hash.chunk = malloc(CHUNK_BYTES);
    if (!hash.chunk || hash.gnutls.hash_init(&hash.state, GNUTLS_DIG_SHA256) < 0) {
        free(hash.chunk);
        return tk_fail(err, -ENOMEM, "%s: out of memory", path);
    }
    unsigned char result[TK_DIGEST_BYTES];
    rc = hash_descriptor(&hash, fd, path, ret_bytes, err);
    hash.gnutls.hash_deinit(hash.state, result);
    free(hash.chunk);
    if (rc == 0)
        tk_digest_format(result, sizeof(result), ret_hex);
    return rc;
}

/* Digests of pieces --------------------------------------------------------------------------- */

static const struct {
    const char *name;
    gnutls_digest_algorithm_t algorithm;
    size_t bytes;
} kinds[] = {
    [TK_DIGEST_SHA256] = {"SHA-256", GNUTLS_DIG_SHA256, TK_DIGEST_BYTES},
    [TK_DIGEST_MD5] = {"MD5", GNUTLS_DIG_MD5, 16},
};

struct pieces {
    struct gnutls gnutls;
    gnutls_hash_hd_t state;
};

int tk_digest_init(struct tk_digest *digest, enum tk_digest_kind kind, struct tk_err *err)
{
    *digest = (struct tk_digest){.kind = kind};
    struct pieces *pieces = calloc(1, sizeof(*pieces));
    if (!pieces)
        return tk_fail(err, -ENOMEM, "digest: out of memory");
    int rc = tk_library_load(&gnutls_library, &pieces->gnutls, err);
    if (rc == 0 && pieces->gnutls.hash_init(&pieces->state, kinds[kind].algorithm) < 0) {
        rc = tk_fail(err, -EOPNOTSUPP, "%s is not available", kinds[kind].name);
    }
    if (rc < 0) {
        free(pieces);
        return rc;
    }
    digest->state = pieces;
    return 0;
}

void tk_digest_add(struct tk_digest *digest, tk_str text)
{
    struct pieces *pieces = digest->state;
    if (text.n > 0)
        (void)pieces->gnutls.hash(pieces->state, text.p, text.n);
}

void tk_digest_take(struct tk_digest *digest, char ret_hex[TK_DIGEST_MAX])
{
    struct pieces *pieces = digest->state;
    unsigned char hash[TK_DIGEST_BYTES];
    pieces->gnutls.hash_output(pieces->state, hash);
    tk_digest_format(hash, kinds[digest->kind].bytes, ret_hex);
}

void tk_digest_release(struct tk_digest *digest)
{
    struct pieces *pieces = digest->state;
    if (pieces)
        pieces->gnutls.hash_deinit(pieces->state, NULL);
    free(pieces);
    digest->state = NULL;
}

/* Many small texts ---------------------------------------------------------------------------- */

int tk_hasher_init(struct tk_hasher *hasher, struct tk_err *err)
{
    hasher->functions = calloc(1, sizeof(struct gnutls));
    if (!hasher->functions)
        return tk_fail(err, -ENOMEM, "SHA-256: out of memory");
    return tk_library_load(&gnutls_library, hasher->functions, err);
}

void tk_hasher_release(struct tk_hasher *hasher)
{
    free(hasher->functions);
    hasher->functions = NULL;
}

int tk_hasher_digest(const struct tk_hasher *hasher, tk_str text, char ret_hex[TK_DIGEST_MAX],
                     struct tk_err *err)
{
    const struct gnutls *gnutls = hasher->functions;
    unsigned char hash[TK_DIGEST_BYTES];
    if (gnutls->hash_fast(GNUTLS_DIG_SHA256, text.n > 0 ? text.p : "", text.n, hash) < 0)
        return tk_fail(err, -ENOMEM, "SHA-256 is not available");
    tk_digest_format(hash, sizeof(hash), ret_hex);
    return 0;
}

int tk_hasher_hmac(const struct tk_hasher *hasher, tk_str key, tk_str text,
                   unsigned char ret_mac[TK_DIGEST_BYTES], struct tk_err *err)
{
    const struct gnutls *gnutls = hasher->functions;
    if (gnutls->hmac_fast(GNUTLS_MAC_SHA256, key.p, key.n, text.n > 0 ? text.p : "", text.n,
                          ret_mac) < 0)
        return tk_fail(err, -ENOMEM, "HMAC-SHA-256 is not available");
    return 0;
}
