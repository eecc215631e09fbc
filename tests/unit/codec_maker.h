/* SPDX-License-Identifier: Apache-2.0 */
/* Files of compressed traces of batches, and back, in memory. */
#ifndef TK_CODEC_MAKER_H
#define TK_CODEC_MAKER_H

#include <errno.h>

#include "codec/codec.h"
#include "tk_test.h"

#define FILE_MAX ((size_t)256 << 20)

/* A source of the rows of a batch. */
struct made_source {
    const struct tk_span_batch *batch;
    size_t at;
};

static inline int made_read(void *context, struct tk_span_batch *batch, struct tk_err *err)
{
    struct made_source *source = context;
    struct tk_span_copy *copy;
    assert_int_equal(tk_span_copy_new(batch, source->batch, &copy, err), 0);
    while (source->at < source->batch->rows && tk_span_copy_row(copy, source->at) == 0)
        source->at++;
    tk_span_copy_free(copy);
    return source->at == source->batch->rows;
}

static inline int made_write(void *context, tk_str bytes, struct tk_err *err)
{
    struct tk_buf *out = context;
    tk_buf_put(out, bytes);
    return tk_buf_check(out, "file", err);
}

/* The file of all rows of a batch; `out` is begun and the caller's to release. */
static inline void made_compress(const struct tk_span_batch *batch,
                                 const struct tk_codec_options *options, struct tk_buf *out)
{
    struct tk_err err = {0};
    struct tk_codec_info info;
    struct made_source made = {batch, 0};
    const struct tk_span_source source = {made_read, &made};
    tk_buf_init(out, FILE_MAX);
    if (tk_codec_encode(options, &source, &(struct tk_codec_output){made_write, out}, &info,
                        &err) != 0)
        fail_msg("%s", err.msg);
    assert_int_equal(info.bytes, out->n);
}

/* What came out of a file. */
struct made_spans {
    struct tk_span_batch *batch; /* NULL = they are counted only */
    size_t spans, calls, traces;
    uint64_t hash; /* of ids, times and names in their order */
};

static inline int made_take(void *context, const struct tk_span_rows *rows, struct tk_err *err)
{
    struct made_spans *spans = context;
    struct tk_span_copy *copy = NULL;
    spans->calls++;
    if (spans->batch)
        assert_int_equal(tk_span_copy_new(spans->batch, rows->batch, &copy, err), 0);
    for (size_t i = 0; i < rows->n; i++) {
        size_t row = tk_span_rows_at(rows, i);
        const struct tk_span_batch *batch = rows->batch;
        const uint64_t parts[] = {batch->span_ids[row], batch->parent_ids[row],
                                  (uint64_t)batch->start_ns[row], (uint64_t)batch->duration_ns[row],
                                  tk_span_name(batch, row).n};
        for (size_t k = 0; k < TK_COUNTOF(parts); k++)
            spans->hash = (spans->hash ^ parts[k]) * 0x100000001B3ULL;
        spans->traces += i == 0 || memcmp(batch->trace_ids[row],
                                          batch->trace_ids[tk_span_rows_at(rows, i - 1)], 16) != 0;
        assert_true(batch->duration_ns[row] >= 0);
        if (copy)
            assert_int_equal(tk_span_copy_row(copy, row), 0);
    }
    tk_span_copy_free(copy);
    spans->spans += rows->n;
    return 0;
}

/* Decode a file; it may be damaged, but nothing else may fail. */
static inline struct made_spans made_expand(tk_str file, const struct tk_codec_decoding *decoding,
                                            struct tk_span_batch *batch,
                                            struct tk_codec_losses *ret_losses)
{
    struct tk_err err = {0};
    struct made_spans spans = {.batch = batch};
    int rc = tk_codec_decode(decoding, file, &(struct tk_span_sink){made_take, &spans}, ret_losses,
                             &err);
    if (rc != 0)
        fail_msg("%s", err.msg);
    return spans;
}

#endif
