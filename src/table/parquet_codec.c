/* SPDX-License-Identifier: Apache-2.0 */
/* The codecs of pages. Each knows nothing of pages: bytes in, bytes out, sizes checked. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>
#include <zstd.h>
#ifdef TK_HAVE_LZ4
#include <lz4.h>
#endif
#ifdef TK_HAVE_SNAPPY
#include <snappy-c.h>
#endif
#ifdef TK_HAVE_BROTLI
#include <brotli/decode.h>
#endif

#include "base/library.h"
#include "table/parquet_internal.h"

/* How one codec does it. All return the bytes written to `to`, 0 when that failed (the empty input
 * never comes here); bound() 0 when there is none. */
struct codec {
    const char *name;
    enum tk_parquet_codec id;
    bool here;                        /* in this build */
    const struct tk_library *library; /* what has to be loaded for it */
    size_t (*bound)(struct tk_parquet_codecs *codecs, size_t n);
    size_t (*compress)(struct tk_parquet_codecs *codecs, tk_str from, char *to, size_t cap);
    size_t (*decompress)(struct tk_parquet_codecs *codecs, tk_str from, char *to, size_t n);
};

static size_t zstd_bound(struct tk_parquet_codecs *codecs, size_t n)
{
    (void)codecs;
    return ZSTD_compressBound(n);
}

static size_t zstd_compress(struct tk_parquet_codecs *codecs, tk_str from, char *to, size_t cap)
{
    if (!codecs->zstd_out)
        codecs->zstd_out = ZSTD_createCCtx();
    if (!codecs->zstd_out)
        return 0;
    int of_file = codecs->level > 0 ? codecs->level : 3;
    int level = codecs->page_level > 0 ? codecs->page_level : of_file;
    size_t n = ZSTD_compressCCtx(codecs->zstd_out, to, cap, from.p, from.n, level);
    return ZSTD_isError(n) ? 0 : n;
}

static size_t zstd_decompress(struct tk_parquet_codecs *codecs, tk_str from, char *to, size_t n)
{
    if (!codecs->zstd_in)
        codecs->zstd_in = ZSTD_createDCtx();
    if (!codecs->zstd_in)
        return 0;
    size_t got = ZSTD_decompressDCtx(codecs->zstd_in, to, n, from.p, from.n);
    return ZSTD_isError(got) ? 0 : got;
}

static size_t gzip_bound(struct tk_parquet_codecs *codecs, size_t n)
{
    (void)codecs;
    return libdeflate_gzip_compress_bound(NULL, n);
}

static size_t gzip_compress(struct tk_parquet_codecs *codecs, tk_str from, char *to, size_t cap)
{
    if (!codecs->gzip_out)
        codecs->gzip_out = libdeflate_alloc_compressor(codecs->level > 0 ? codecs->level : 6);
    if (!codecs->gzip_out)
        return 0;
    return libdeflate_gzip_compress(codecs->gzip_out, from.p, from.n, to, cap);
}

/* A page may be several members, one after the other. */
static size_t gzip_decompress(struct tk_parquet_codecs *codecs, tk_str from, char *to, size_t n)
{
    if (!codecs->gzip_in)
        codecs->gzip_in = libdeflate_alloc_decompressor();
    size_t done = 0;
    while (codecs->gzip_in && from.n > 0) {
        size_t taken;
        size_t got;
        if (libdeflate_gzip_decompress_ex(codecs->gzip_in, from.p, from.n, to + done, n - done,
                                          &taken, &got) != LIBDEFLATE_SUCCESS)
            return 0;
        done += got;
        from = (tk_str){from.p + taken, from.n - taken};
    }
    return done;
}

#ifdef TK_HAVE_SNAPPY
/* Its library needs that of C++: not for the commands that write no Parquet. */
struct tk_snappy {
    __typeof__(snappy_max_compressed_length) *bound;
    __typeof__(snappy_compress) *compress;
    __typeof__(snappy_uncompress) *uncompress;
};

static const struct tk_symbol snappy_symbols[] = {
    TK_SYMBOL(struct tk_snappy, bound, snappy_max_compressed_length),
    TK_SYMBOL(struct tk_snappy, compress, snappy_compress),
    TK_SYMBOL(struct tk_snappy, uncompress, snappy_uncompress),
};

static const struct tk_library snappy_library = {"libsnappy.so.1", snappy_symbols,
                                                 TK_COUNTOF(snappy_symbols)};

/* NULL when there is none; tk_parquet_codec_check() has told why. */
static const struct tk_snappy *load_snappy(struct tk_parquet_codecs *codecs)
{
    struct tk_err err;
    if (codecs->snappy)
        return codecs->snappy;
    struct tk_snappy *snappy = calloc(1, sizeof(*snappy));
    if (!snappy || tk_library_load(&snappy_library, snappy, &err) < 0) {
        free(snappy);
        return NULL;
    }
    codecs->snappy = snappy;
    return snappy;
}

static size_t snappy_bound(struct tk_parquet_codecs *codecs, size_t n)
{
    const struct tk_snappy *snappy = load_snappy(codecs);
    return snappy ? snappy->bound(n) : 0;
}

static size_t snappy_compress_page(struct tk_parquet_codecs *codecs, tk_str from, char *to,
                                   size_t cap)
{
    const struct tk_snappy *snappy = load_snappy(codecs);
    return snappy && snappy->compress(from.p, from.n, to, &cap) == SNAPPY_OK ? cap : 0;
}

static size_t snappy_decompress_page(struct tk_parquet_codecs *codecs, tk_str from, char *to,
                                     size_t n)
{
    const struct tk_snappy *snappy = load_snappy(codecs);
    return snappy && snappy->uncompress(from.p, from.n, to, &n) == SNAPPY_OK ? n : 0;
}
#define SNAPPY true, &snappy_library, snappy_bound, snappy_compress_page, snappy_decompress_page
#else
#define SNAPPY false, NULL, NULL, NULL, NULL
#endif

#ifdef TK_HAVE_LZ4
static size_t lz4_bound(struct tk_parquet_codecs *codecs, size_t n)
{
    (void)codecs;
    return n <= LZ4_MAX_INPUT_SIZE ? (size_t)LZ4_compressBound((int)n) : 0;
}

static size_t lz4_compress(struct tk_parquet_codecs *codecs, tk_str from, char *to, size_t cap)
{
    (void)codecs;
    return (size_t)LZ4_compress_default(from.p, to, (int)from.n, (int)cap);
}

static size_t lz4_decompress(struct tk_parquet_codecs *codecs, tk_str from, char *to, size_t n)
{
    (void)codecs;
    int got = LZ4_decompress_safe(from.p, to, (int)from.n, (int)n);
    return got > 0 ? (size_t)got : 0;
}
#define LZ4 true, NULL, lz4_bound, lz4_compress, lz4_decompress
#else
#define LZ4 false, NULL, NULL, NULL, NULL
#endif

#ifdef TK_HAVE_BROTLI
static size_t brotli_decompress(struct tk_parquet_codecs *codecs, tk_str from, char *to, size_t n)
{
    (void)codecs;
    BrotliDecoderResult result =
        BrotliDecoderDecompress(from.n, (const uint8_t *)from.p, &n, (uint8_t *)to);
    return result == BROTLI_DECODER_RESULT_SUCCESS ? n : 0;
}
#define BROTLI true, NULL, NULL, NULL, brotli_decompress
#else
#define BROTLI false, NULL, NULL, NULL, NULL
#endif

static const struct codec codecs_known[] = {
    {"none", TK_PARQUET_UNCOMPRESSED, true, NULL, NULL, NULL, NULL},
    {"snappy", TK_PARQUET_SNAPPY, SNAPPY},
    {"gzip", TK_PARQUET_GZIP, true, NULL, gzip_bound, gzip_compress, gzip_decompress},
    {"brotli", TK_PARQUET_BROTLI, BROTLI},
    {"zstd", TK_PARQUET_ZSTD, true, NULL, zstd_bound, zstd_compress, zstd_decompress},
    {"lz4_raw", TK_PARQUET_LZ4_RAW, LZ4},
    {"lzo", (enum tk_parquet_codec)3, false, NULL, NULL, NULL, NULL},
    {"lz4", (enum tk_parquet_codec)5, false, NULL, NULL, NULL, NULL},
};

static const struct codec *find_codec(int32_t id)
{
    for (size_t i = 0; i < TK_COUNTOF(codecs_known); i++) {
        if ((int32_t)codecs_known[i].id == id)
            return &codecs_known[i];
    }
    return NULL;
}

const char *tk_parquet_codec_name(int32_t codec)
{
    const struct codec *known = find_codec(codec);
    return known ? known->name : "unknown";
}

static bool can_write(const struct codec *codec)
{
    return codec->id == TK_PARQUET_UNCOMPRESSED || codec->compress;
}

int tk_parquet_codec_parse(tk_str name, enum tk_parquet_codec *ret_codec, struct tk_err *err)
{
    char names[128] = "";
    for (size_t i = 0; i < TK_COUNTOF(codecs_known); i++) {
        const struct codec *codec = &codecs_known[i];
        if (tk_str_eq(name, tk_str_from(codec->name))) {
            int rc = tk_parquet_codec_check((int32_t)codec->id, true, err);
            if (rc == 0)
                *ret_codec = codec->id;
            return rc;
        }
        size_t used = strlen(names);
        if (can_write(codec)) {
            (void)snprintf(names + used, sizeof(names) - used, "%s%s", used > 0 ? ", " : "",
                           codec->name);
        }
    }
    return tk_fail(err, -EINVAL, "'%.*s' is none of %s", TK_STR_ARG(name), names);
}

int tk_parquet_codec_check(int32_t id, bool to_write, struct tk_err *err)
{
    const struct codec *codec = find_codec(id);
    if (!codec)
        return tk_fail(err, -EBADMSG, "there is no codec %d", (int)id);
    bool can = to_write ? can_write(codec) : id == TK_PARQUET_UNCOMPRESSED || codec->decompress;
    if (!can) {
        return tk_fail(err, -EOPNOTSUPP, "this build cannot %s the codec %s",
                       to_write ? "write" : "read", codec->name);
    }
    if (!codec->library)
        return 0;
    void *functions[8];
    assert(codec->library->symbol_count <= TK_COUNTOF(functions));
    return tk_library_load(codec->library, functions, err);
}

int tk_parquet_compress(struct tk_parquet_codecs *codecs, tk_str from, struct tk_buf *out,
                        struct tk_err *err)
{
    const struct codec *codec = find_codec((int32_t)codecs->codec);
    if (!codec || !codec->compress) {
        tk_buf_put(out, from);
        return tk_buf_check(out, "a page", err);
    }
    size_t bound = codec->bound(codecs, from.n);
    char *to = tk_buf_reserve(out, bound);
    if (!to)
        return tk_buf_check(out, "a page", err);
    size_t n = codec->compress(codecs, from, to, bound);
    if (n == 0)
        return tk_fail(err, -ENOMEM, "a page of %zu bytes: %s failed", from.n, codec->name);
    out->n += n;
    return 0;
}

int tk_parquet_decompress(struct tk_parquet_codecs *codecs, int32_t id, tk_str from, char *to,
                          size_t n, struct tk_err *err)
{
    const struct codec *codec = find_codec(id);
    if (n == 0 && from.n <= 32)
        return 0;
    size_t got = codec && codec->decompress ? codec->decompress(codecs, from, to, n) : 0;
    if (got != n) {
        return tk_fail(err, -EBADMSG, "%s data of %zu bytes does not give %zu",
                       tk_parquet_codec_name(id), from.n, n);
    }
    return 0;
}

void tk_parquet_codecs_release(struct tk_parquet_codecs *codecs)
{
    ZSTD_freeCCtx(codecs->zstd_out);
    ZSTD_freeDCtx(codecs->zstd_in);
    libdeflate_free_compressor(codecs->gzip_out);
    libdeflate_free_decompressor(codecs->gzip_in);
    free(codecs->snappy);
    *codecs = (struct tk_parquet_codecs){0};
}
