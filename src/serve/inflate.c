/* SPDX-License-Identifier: Apache-2.0 */
/* Codings of bodies. The room for a result is reserved as address space up to the limit and touched
 * as far as the result goes, so that no size in a header is trusted and none needs a second try. */
#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <strings.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/arena.h"
#include "serve/body.h"

#define MAX_RATIO    500
#define ALWAYS_BYTES ((size_t)1 << 20) /* however few it came from */
#define KEEP_BYTES   ((size_t)8 << 20) /* touched memory that stays for the next body */

struct tk_inflater {
    struct tk_arena room;
    size_t max_bytes;
    struct libdeflate_decompressor *deflate;
    ZSTD_DCtx *zstd;
};

static const struct {
    tk_str name;
    enum tk_coding coding;
} codings[] = {
    {{"identity", 8}, TK_CODING_IDENTITY}, {{"gzip", 4}, TK_CODING_GZIP},
    {{"x-gzip", 6}, TK_CODING_GZIP},       {{"deflate", 7}, TK_CODING_DEFLATE},
    {{"zlib", 4}, TK_CODING_DEFLATE},      {{"zstd", 4}, TK_CODING_ZSTD},
};

bool tk_coding_find(tk_str name, enum tk_coding *ret_coding)
{
    if (name.n == 0) {
        *ret_coding = TK_CODING_IDENTITY;
        return true;
    }
    for (size_t i = 0; i < TK_COUNTOF(codings); i++) {
        if (codings[i].name.n != name.n || strncasecmp(codings[i].name.p, name.p, name.n) != 0)
            continue;
        *ret_coding = codings[i].coding;
        return true;
    }
    return false;
}

int tk_inflater_new(size_t max_bytes, struct tk_inflater **ret_inflater, struct tk_err *err)
{
    struct tk_inflater *inflater = calloc(1, sizeof(*inflater));
    if (!inflater)
        return tk_fail(err, -ENOMEM, "inflating: out of memory");
    inflater->max_bytes = max_bytes;
    inflater->deflate = libdeflate_alloc_decompressor();
    inflater->zstd = ZSTD_createDCtx();
    int rc = tk_arena_init(&inflater->room, max_bytes + 1, err);
    if (rc == 0 && (!inflater->deflate || !inflater->zstd))
        rc = tk_fail(err, -ENOMEM, "inflating: out of memory");
    if (rc < 0) {
        tk_inflater_free(inflater);
        return rc;
    }
    *ret_inflater = inflater;
    return 0;
}

void tk_inflater_free(struct tk_inflater *inflater)
{
    if (!inflater)
        return;
    libdeflate_free_decompressor(inflater->deflate);
    ZSTD_freeDCtx(inflater->zstd);
    tk_arena_release(&inflater->room);
    free(inflater);
}

static size_t limit_of(const struct tk_inflater *inflater, tk_str body)
{
    size_t limit = body.n > ALWAYS_BYTES / MAX_RATIO ? body.n * MAX_RATIO : ALWAYS_BYTES;
    return limit < inflater->max_bytes ? limit : inflater->max_bytes;
}

static int too_large(const struct tk_inflater *inflater, size_t limit, struct tk_err *err)
{
    if (limit == inflater->max_bytes) {
        return tk_fail(err, -EMSGSIZE, "body: inflates to more than the %zu bytes that are allowed",
                       limit);
    }
    return tk_fail(err, -EMSGSIZE, "body: inflates to more than %d times its size", MAX_RATIO);
}

/* One member after the other: a stream may have several (RFC 1952 section 2.2). */
static int inflate_gzip(struct tk_inflater *inflater, tk_str body, size_t limit, size_t *ret_n,
                        struct tk_err *err)
{
    size_t n = 0;
    for (tk_str rest = body; rest.n > 0 || rest.p == body.p;) {
        size_t in, out;
        enum libdeflate_result result = libdeflate_gzip_decompress_ex(
            inflater->deflate, rest.p, rest.n, inflater->room.p + n, limit - n, &in, &out);
        if (result == LIBDEFLATE_INSUFFICIENT_SPACE)
            return too_large(inflater, limit, err);
        if (result != LIBDEFLATE_SUCCESS) {
            return tk_fail(err, -EBADMSG, "body, byte %zu: expected a gzip stream",
                           (size_t)(rest.p - body.p));
        }
        n += out;
        rest = (tk_str){rest.p + in, rest.n - in};
    }
    *ret_n = n;
    return 0;
}

/* HTTP's "deflate" is zlib's format (RFC 9110 section 8.4.1.2); some senders leave out its frame.
 */
static int inflate_deflate(struct tk_inflater *inflater, tk_str body, size_t limit, size_t *ret_n,
                           struct tk_err *err)
{
    enum libdeflate_result result = libdeflate_zlib_decompress(inflater->deflate, body.p, body.n,
                                                               inflater->room.p, limit, ret_n);
    if (result == LIBDEFLATE_BAD_DATA) {
        result = libdeflate_deflate_decompress(inflater->deflate, body.p, body.n, inflater->room.p,
                                               limit, ret_n);
    }
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE)
        return too_large(inflater, limit, err);
    if (result != LIBDEFLATE_SUCCESS)
        return tk_fail(err, -EBADMSG, "body: expected a zlib or deflate stream");
    return 0;
}

static int inflate_zstd(struct tk_inflater *inflater, tk_str body, size_t limit, size_t *ret_n,
                        struct tk_err *err)
{
    size_t n = ZSTD_decompressDCtx(inflater->zstd, inflater->room.p, limit, body.p, body.n);
    if (ZSTD_isError(n) && ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall)
        return too_large(inflater, limit, err);
    if (ZSTD_isError(n) || body.n == 0)
        return tk_fail(err, -EBADMSG, "body: expected a zstd stream: %s", ZSTD_getErrorName(n));
    *ret_n = n;
    return 0;
}

/* Memory that one large body touched is not kept for the small ones after it. */
static int drop_pages(struct tk_inflater *inflater, struct tk_err *err)
{
    if (inflater->room.p && inflater->room.n <= KEEP_BYTES)
        return 0;
    tk_arena_release(&inflater->room);
    return tk_arena_init(&inflater->room, inflater->max_bytes + 1, err);
}

int tk_inflater_decode(struct tk_inflater *inflater, enum tk_coding coding, tk_str body,
                       tk_str *ret_plain, struct tk_err *err)
{
    static int (*const inflate[])(struct tk_inflater *, tk_str, size_t, size_t *,
                                  struct tk_err *) = {
        [TK_CODING_GZIP] = inflate_gzip,
        [TK_CODING_DEFLATE] = inflate_deflate,
        [TK_CODING_ZSTD] = inflate_zstd,
    };
    if (coding == TK_CODING_IDENTITY) {
        *ret_plain = body;
        return 0;
    }
    size_t n = 0;
    int rc = drop_pages(inflater, err);
    if (rc == 0)
        rc = inflate[coding](inflater, body, limit_of(inflater, body), &n, err);
    inflater->room.n = rc < 0 ? inflater->max_bytes : n; /* touched, of a failure perhaps all */
    if (rc == 0)
        *ret_plain = (tk_str){inflater->room.p, n};
    return rc;
}
