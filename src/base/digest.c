/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"

#define HASH_BYTES  32
#define CHUNK_BYTES ((size_t)256 << 10)

static void format_hex(const unsigned char hash[HASH_BYTES], char ret_hex[TK_DIGEST_MAX])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < HASH_BYTES; i++) {
        ret_hex[2 * i] = digits[hash[i] >> 4];
        ret_hex[2 * i + 1] = digits[hash[i] & 15];
    }
    ret_hex[TK_DIGEST_MAX - 1] = 0;
}

int tk_digest_text(tk_str text, char ret_hex[TK_DIGEST_MAX], struct tk_err *err)
{
    unsigned char hash[HASH_BYTES];
    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, text.n > 0 ? text.p : "", text.n, hash) < 0)
        return tk_fail(err, -ENOMEM, "SHA-256 is not available");
    format_hex(hash, ret_hex);
    return 0;
}

static int hash_descriptor(int fd, const char *path, gnutls_hash_hd_t hash, void *chunk,
                           uint64_t *ret_bytes, struct tk_err *err)
{
    uint64_t bytes = 0;
    for (;;) {
        ssize_t got = read(fd, chunk, CHUNK_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return tk_fail_errno(err, "%s", path);
        if (got == 0)
            break;
        if (gnutls_hash(hash, chunk, (size_t)got) < 0)
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
    gnutls_hash_hd_t hash;
    unsigned char result[HASH_BYTES];
    void *chunk = malloc(CHUNK_BYTES);
    if (!chunk || gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) < 0) {
        free(chunk);
        return tk_fail(err, -ENOMEM, "%s: out of memory", path);
    }
    int rc = hash_descriptor(fd, path, hash, chunk, ret_bytes, err);
    gnutls_hash_deinit(hash, result);
    free(chunk);
    if (rc == 0)
        format_hex(result, ret_hex);
    return rc;
}
