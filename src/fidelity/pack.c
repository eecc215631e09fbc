/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/pack.h"

#include <errno.h>

#include <zstd.h>

#include "table/varint.h"

#define TOGETHER_MAX ((size_t)1 << 18) /* bytes below which columns may share a frame */
#define PIECE        ((size_t)128 << 10)

enum mode { ALONE = 0, TOGETHER = 1 };

int tk_zstd_encode(tk_str text, int level, struct tk_buf *out, struct tk_err *err)
{
    size_t bound = ZSTD_compressBound(text.n);
    char *to = tk_buf_reserve(out, bound);
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    int rc = to && zstd ? 0 : tk_fail(err, -ENOMEM, "out of memory");
    if (rc == 0) {
        (void)ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, level);
        (void)ZSTD_CCtx_setParameter(zstd, ZSTD_c_contentSizeFlag, 0);
        size_t n = ZSTD_compress2(zstd, to, bound, text.p, text.n);
        if (ZSTD_isError(n)) {
            rc = tk_fail(err, -ENOMEM, "zstd: %s", ZSTD_getErrorName(n));
        } else {
            out->n += n;
        }
    }
    ZSTD_freeCCtx(zstd);
    return rc;
}

int tk_zstd_decode(tk_str frame, size_t max, struct tk_buf *out, struct tk_err *err)
{
    ZSTD_DCtx *zstd = ZSTD_createDCtx();
    ZSTD_inBuffer in = {frame.p, frame.n, 0};
    size_t begin = out->n;
    size_t left = 1;
    int rc = zstd ? 0 : tk_fail(err, -ENOMEM, "out of memory");
    while (rc == 0 && left != 0) {
        char *to = tk_buf_reserve(out, PIECE);
        ZSTD_outBuffer piece = {to, PIECE, 0};
        if (!to) {
            rc = tk_buf_check(out, "zstd frame", err);
            break;
        }
        left = ZSTD_decompressStream(zstd, &piece, &in);
        out->n += piece.pos;
        if (ZSTD_isError(left) || (left != 0 && piece.pos < PIECE && in.pos == in.size)) {
            rc = tk_fail(err, -EBADMSG, "damaged zstd frame");
        } else if (out->n - begin > max) {
            rc = tk_fail(err, -EMSGSIZE, "zstd frame holds more than %zu bytes", max);
        }
    }
    ZSTD_freeDCtx(zstd);
    return rc;
}

uint64_t tk_pack_take(tk_str *text, bool *ok)
{
    uint64_t value = 0;
    if (*ok)
        *ok = tk_varint_read(text, &value);
    return *ok ? value : 0;
}

tk_str tk_pack_take_bytes(tk_str *text, size_t n, bool *ok)
{
    tk_str bytes = {text->p, n};
    if (n > text->n)
        *ok = false;
    if (!*ok)
        return (tk_str){NULL, 0};
    *text = (tk_str){text->p + n, text->n - n};
    return bytes;
}

/* Encode --------------------------------------------------------------------------------------- */

static int encode_alone(const struct tk_buf *columns, size_t n, struct tk_buf *out,
                        struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf frames;
    int rc = 0;
    tk_buf_init(&frames, SIZE_MAX / 2);
    tk_buf_putc(out, ALONE);
    for (size_t i = 0; i < n; i++)
        tk_varint_put(out, columns[i].n);
    for (size_t i = 0; i < n && rc == 0; i++) {
        size_t begin = frames.n;
        if (columns[i].n > 0)
            rc = tk_zstd_encode(tk_buf_str(&columns[i]), TK_PACK_LEVEL, &frames, err);
        tk_varint_put(out, frames.n - begin);
    }
    tk_buf_put(out, tk_buf_str(&frames));
    return rc;
}

static int encode_together(const struct tk_buf *columns, size_t n, struct tk_buf *out,
                           struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf all;
    tk_buf_init(&all, TOGETHER_MAX);
    tk_buf_putc(out, TOGETHER);
    for (size_t i = 0; i < n; i++) {
        tk_varint_put(out, columns[i].n);
        tk_buf_put(&all, tk_buf_str(&columns[i]));
    }
    int rc = tk_buf_check(&all, "columns", err);
    return rc < 0 ? rc : tk_zstd_encode(tk_buf_str(&all), TK_PACK_LEVEL, out, err);
}

int tk_pack_encode(const struct tk_buf *columns, size_t n, struct tk_buf *out, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf together;
    size_t begin = out->n;
    size_t bytes = 0;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = tk_buf_check(&columns[i], "column", err);
        bytes += columns[i].n;
    }
    rc = rc < 0 ? rc : encode_alone(columns, n, out, err);
    tk_buf_init(&together, SIZE_MAX / 2);
    if (rc == 0 && bytes <= TOGETHER_MAX)
        rc = encode_together(columns, n, &together, err);
    if (rc == 0 && together.n > 0 && together.n < out->n - begin) {
        out->n = begin;
        tk_buf_put(out, tk_buf_str(&together));
    }
    return rc < 0 ? rc : tk_buf_check(out, "packed columns", err);
}

/* Decode --------------------------------------------------------------------------------------- */

static int decode_together(tk_str text, const size_t *sizes, struct tk_buf *columns, size_t n,
                           struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf all;
    bool ok = true;
    tk_buf_init(&all, SIZE_MAX / 2);
    int rc = tk_zstd_decode(text, TOGETHER_MAX, &all, err);
    if (rc < 0)
        return rc;
    tk_str rest = tk_buf_str(&all);
    for (size_t i = 0; i < n && ok; i++) {
        tk_buf_put(&columns[i], tk_pack_take_bytes(&rest, sizes[i], &ok));
        ok = ok && tk_buf_ok(&columns[i]);
    }
    return ok && rest.n == 0 ? 0 : tk_fail(err, -EBADMSG, "columns are shorter than they say");
}

static int decode_alone(tk_str text, const size_t *sizes, struct tk_buf *columns, size_t n,
                        struct tk_err *err)
{
    tk_str head = text;
    bool ok = true;
    int rc = 0;
    for (size_t i = 0; i < n; i++)
        (void)tk_pack_take(&text, &ok); /* `text` stands behind the sizes then */
    for (size_t i = 0; i < n && ok && rc == 0; i++) {
        tk_str frame = tk_pack_take_bytes(&text, tk_pack_take(&head, &ok), &ok);
        if (ok && sizes[i] > 0)
            rc = tk_zstd_decode(frame, sizes[i], &columns[i], err);
        ok = ok && columns[i].n == sizes[i];
    }
    if (rc < 0)
        return rc;
    return ok ? 0 : tk_fail(err, -EBADMSG, "a column does not have the size that it says");
}

int tk_pack_decode(tk_str text, struct tk_buf *ret_columns, size_t n, struct tk_err *err)
{
    enum { COLUMNS_MAX = 64 };
    size_t sizes[COLUMNS_MAX];
    bool ok = n <= COLUMNS_MAX;
    tk_str mode = tk_pack_take_bytes(&text, 1, &ok);
    for (size_t i = 0; i < n; i++) {
        tk_buf_init(&ret_columns[i], TK_PACK_COLUMN_MAX + PIECE);
        uint64_t size = tk_pack_take(&text, &ok);
        ok = ok && size <= TK_PACK_COLUMN_MAX;
        if (ok)
            sizes[i] = (size_t)size;
    }
    if (!ok || (mode.p[0] != ALONE && mode.p[0] != TOGETHER))
        return tk_fail(err, -EBADMSG, "no packed columns");
    return mode.p[0] == TOGETHER ? decode_together(text, sizes, ret_columns, n, err)
                                 : decode_alone(text, sizes, ret_columns, n, err);
}
