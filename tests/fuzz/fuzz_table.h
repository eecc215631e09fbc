/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets of the formats share: a schema with a column of every type, decoding in
 * two pieces, and a comparison of batches. */
#ifndef TK_FUZZ_TABLE_H
#define TK_FUZZ_TABLE_H

#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "table/table.h"

#define MAX_ROWS 64

static const struct tk_column fuzz_columns[] = {
    {"i", TK_I64, "", "", 0, 0},
    {"f", TK_F64, "", "", 0, TK_SHORTEST},
    {"b", TK_BOOL, "", "", 0, 0},
    {"t", TK_TEXT, "", "", TK_NULLABLE, 0},
    {"fl", TK_F64_LIST, "", "", 0, TK_SHORTEST},
    {"tl", TK_TEXT_LIST, "", "", 0, 0},
};
static const struct tk_schema fuzz_schema = {"fuzz", "", fuzz_columns, TK_COUNTOF(fuzz_columns)};

static inline struct tk_batch *fuzz_batch(void)
{
    struct tk_err err;
    struct tk_batch *batch;
    if (tk_batch_new(&fuzz_schema, MAX_ROWS, 1 << 16, &batch, &err) < 0)
        abort();
    return batch;
}

/* Decode up to one batch of rows, the first `cut` bytes before the rest. */
static inline void fuzz_decode(const struct tk_decoder *decoder, tk_str text, size_t cut,
                               struct tk_batch *out, struct tk_decode_stats *stats)
{
    struct tk_err err;
    void *state = calloc(1, decoder->state_size);
    if (!text.p)
        text = TK_STR(""); /* nothing was encoded: an address to count from all the same */
    tk_str part = {text.p, cut};
    if (decoder->batch(state, &part, false, out, stats, &err) == 0) {
        tk_str rest = {text.p + (cut - part.n), text.n - (cut - part.n)};
        (void)decoder->batch(state, &rest, true, out, stats, &err);
    }
    free(state);
}

static inline void fuzz_encode(const struct tk_encoder *encoder, const struct tk_batch *batch,
                               struct tk_buf *out)
{
    tk_buf_init(out, 1 << 22);
    if (encoder->head)
        encoder->head(batch->schema, out);
    encoder->batch(batch, out);
    if (!tk_buf_ok(out))
        abort();
}

/* The text decodes to a batch; what we encode of it decodes without a complaint, to the same. */
static inline void fuzz_round_trip(const struct tk_decoder *decoder,
                                   const struct tk_encoder *encoder, const uint8_t *data,
                                   size_t size)
{
    size_t cut = size > 0 ? data[0] % size : 0;
    struct tk_decode_stats stats = {0};
    struct tk_decode_stats again = {0};
    struct tk_batch *first = fuzz_batch();
    struct tk_batch *second = fuzz_batch();
    struct tk_buf once;
    struct tk_buf twice;
    fuzz_decode(decoder, (tk_str){(const char *)data, size}, cut, first, &stats);
    fuzz_encode(encoder, first, &once);
    fuzz_decode(decoder, tk_buf_str(&once), once.n, second, &again);
    fuzz_encode(encoder, second, &twice);
    if (again.bad_rows || again.torn_rows || again.rows != first->rows ||
        !tk_str_eq(tk_buf_str(&once), tk_buf_str(&twice)))
        abort();
    tk_buf_release(&once);
    tk_buf_release(&twice);
    tk_batch_free(first);
    tk_batch_free(second);
}

#endif
