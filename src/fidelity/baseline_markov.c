/* SPDX-License-Identifier: Apache-2.0 */
/* Per-minute Markov tables as a file (trace-fidelity.md section 12.6): a gzip member of
 *
 *     varint start, zigzag   varint unit in ns   varint longest trace
 *     varint texts, then length and bytes of each
 *     tables in the order of struct tk_markov (int_rows.h)
 *
 * Deflated as well as libdeflate can, which is a little better than gzip -9. */
#include <errno.h>
#include <string.h>

#include <libdeflate.h>

#include "fidelity/baselines.h"
#include "fidelity/markov.h"
#include "fidelity/pack.h"
#include "table/varint.h"

#define LEVEL       12
#define RAW_MAX     ((size_t)256 << 20)
#define RATIO_MAX   1100 /* no deflate stream is longer than so many times its bytes */
#define TRAILER     4    /* length of the raw text, little-endian, at the end of a gzip member */
#define MINUTES_MAX 100000000
#define COUNT_MAX   100000000

static int deflate(const struct tk_buf *raw, struct tk_buf *out, struct tk_err *err)
{
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(LEVEL);
    if (!compressor)
        return tk_fail(err, -ENOMEM, "out of memory");
    size_t bound = libdeflate_gzip_compress_bound(compressor, raw->n);
    char *to = tk_buf_reserve(out, bound);
    if (to)
        out->n += libdeflate_gzip_compress(compressor, raw->p, raw->n, to, bound);
    libdeflate_free_compressor(compressor);
    return tk_buf_check(out, "model", err);
}

static int inflate(tk_str file, struct tk_buf *out, struct tk_err *err)
{
    uint8_t trailer[TRAILER];
    if (file.n < 18)
        return tk_fail(err, -EBADMSG, "model: no gzip member");
    memcpy(trailer, file.p + file.n - TRAILER, TRAILER);
    size_t n = (size_t)trailer[0] | (size_t)trailer[1] << 8 | (size_t)trailer[2] << 16 |
               (size_t)trailer[3] << 24;
    if (n > RAW_MAX || n > file.n * RATIO_MAX)
        return tk_fail(err, -EBADMSG, "model: claims %zu bytes", n);
    char *to = tk_buf_reserve(out, n + 1);
    struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
    int rc = to && decompressor ? 0 : tk_fail(err, -ENOMEM, "out of memory");
    if (rc == 0 && libdeflate_gzip_decompress(decompressor, file.p, file.n, to, n, &out->n) !=
                       LIBDEFLATE_SUCCESS) {
        rc = tk_fail(err, -EBADMSG, "model: damaged gzip member");
    }
    libdeflate_free_decompressor(decompressor);
    return rc;
}

static void put_model(const struct tk_markov *model, struct tk_buf *raw)
{
    tk_varint_put(raw, tk_zigzag(model->start_ns));
    tk_varint_put(raw, (uint64_t)model->unit_ns);
    tk_varint_put(raw, (uint64_t)model->longest);
    tk_varint_put(raw, model->texts.count);
    for (uint32_t id = 0; id < model->texts.count; id++) {
        tk_str text = tk_texts_get(&model->texts, id);
        tk_varint_put(raw, text.n);
        tk_buf_put(raw, text);
    }
    const struct tk_int_rows *const tables[] = {&model->symbols, &model->labels,   &model->roots,
                                                &model->links,   &model->mixtures, &model->ratios,
                                                &model->tags};
    for (size_t i = 0; i < TK_COUNTOF(tables); i++)
        tk_int_rows_encode(tables[i], raw);
}

static int encode(const struct tk_baseline_input *input, struct tk_buf *out, struct tk_err *err)
{
    TK_CLEANUP(tk_markov_release) struct tk_markov model;
    TK_CLEANUP(tk_buf_release) struct tk_buf raw;
    tk_buf_init(&raw, RAW_MAX);
    int rc = tk_markov_init(&model, err);
    rc = rc < 0 ? rc : tk_markov_fit(&model, input->table, err);
    if (rc < 0)
        return rc;
    put_model(&model, &raw);
    rc = tk_buf_check(&raw, "model", err);
    return rc < 0 ? rc : deflate(&raw, out, err);
}

/* Decode --------------------------------------------------------------------------------------- */

/* A number of a table, and what it has to be below. */
struct bound {
    size_t column;
    int64_t below;
};

static bool is_within(const struct tk_int_rows *records, const struct bound *bounds, size_t n)
{
    for (size_t i = 0; i < records->count; i++) {
        const int64_t *row = tk_int_rows_at(records, i);
        for (size_t k = 0; k < n; k++) {
            if (row[bounds[k].column] < 0 || row[bounds[k].column] >= bounds[k].below)
                return false;
        }
    }
    return true;
}

/* All numbers name what is there, and none asks for more than memory holds. */
static bool is_sound(const struct tk_markov *model)
{
    int64_t texts = model->texts.count;
    int64_t symbols = (int64_t)model->symbols.count;
    int64_t labels = (int64_t)model->labels.count;
    const struct bound of_symbols[] = {{0, texts}, {1, texts}, {2, TK_SPAN_KIND_COUNT}, {3, 2}};
    const struct bound of_labels[] = {
        {0, TK_SPAN_STATUS_COUNT}, {1, texts}, {2, UINT16_MAX + 1}, {3, texts}, {4, texts}};
    const struct bound of_roots[] = {
        {0, MINUTES_MAX}, {1, symbols}, {2, COUNT_MAX}, {3, 2}, {4, COUNT_MAX}};
    const struct bound of_links[] = {{3, symbols}, {4, COUNT_MAX}, {5, COUNT_MAX}};
    const struct bound of_tags[] = {{2, labels}, {3, COUNT_MAX}};
    return model->unit_ns > 0 && model->longest >= 0 && model->longest < COUNT_MAX &&
           is_within(&model->symbols, of_symbols, TK_COUNTOF(of_symbols)) &&
           is_within(&model->labels, of_labels, TK_COUNTOF(of_labels)) &&
           is_within(&model->roots, of_roots, TK_COUNTOF(of_roots)) &&
           is_within(&model->links, of_links, TK_COUNTOF(of_links)) &&
           is_within(&model->tags, of_tags, TK_COUNTOF(of_tags)) &&
           (model->roots.count == 0 || labels > 0);
}

static int take_model(struct tk_markov *model, tk_str text, struct tk_err *err)
{
    bool ok = true;
    int rc = 0;
    model->start_ns = tk_unzigzag(tk_pack_take(&text, &ok));
    model->unit_ns = (int64_t)tk_pack_take(&text, &ok);
    model->longest = (int64_t)tk_pack_take(&text, &ok);
    uint64_t texts = tk_pack_take(&text, &ok);
    for (uint64_t id = 0; ok && id < texts; id++) {
        tk_str own = tk_pack_take_bytes(&text, (size_t)tk_pack_take(&text, &ok), &ok);
        ok = ok && (id == 0 || tk_texts_append(&model->texts, own) == id);
    }
    struct tk_int_rows *const tables[] = {&model->symbols, &model->labels,   &model->roots,
                                          &model->links,   &model->mixtures, &model->ratios,
                                          &model->tags};
    for (size_t i = 0; ok && rc == 0 && i < TK_COUNTOF(tables); i++)
        rc = tk_int_rows_decode(tables[i], &text, err);
    if (rc < 0)
        return rc;
    return ok && is_sound(model) ? 0 : tk_fail(err, -EBADMSG, "model: damaged tables");
}

static int decode(tk_str file, uint64_t seed, struct tk_span_table **ret_table, struct tk_err *err)
{
    TK_CLEANUP(tk_markov_release) struct tk_markov model;
    TK_CLEANUP(tk_buf_release) struct tk_buf raw;
    tk_buf_init(&raw, RAW_MAX + 1);
    int rc = tk_markov_init(&model, err);
    rc = rc < 0 ? rc : inflate(file, &raw, err);
    rc = rc < 0 ? rc : take_model(&model, tk_buf_str(&raw), err);
    return rc < 0 ? rc : tk_markov_draw(&model, seed, ret_table, err);
}

const struct tk_baseline tk_baseline_markov = {
    .name = "markov",
    .help = "per-minute counts and Markov tables after GenTEval's simple_gent, gzip",
    .is_generative = true,
    .encode = encode,
    .decode = decode,
};
