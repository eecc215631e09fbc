/* SPDX-License-Identifier: Apache-2.0 */
/* Spans for tests: a text through a reader, and a batch through an encoder. */
#ifndef TK_SPANS_TEST_H
#define TK_SPANS_TEST_H

#include <stdlib.h>

#include "span/dedupe.h"
#include "span/span_format.h"
#include "tk_test.h"

#define TK_SPANS_MAX ((size_t)1 << 28)

/* What became of a text. */
struct tk_spans {
    struct tk_span_batch *batch; /* all spans, when they fit */
    struct tk_span_tally tally;
    struct tk_span_input input;
    struct tk_err err;
    int rc;        /* of the last call of the reader */
    size_t rounds; /* batches that were handed on */
};

/* Read a text in batches of at most `max_rows` spans, which are copied into one. */
static inline void tk_spans_read(struct tk_spans *spans, const struct tk_span_reader *reader,
                                 tk_str text, size_t max_rows)
{
    struct tk_span_batch *part = NULL;
    struct tk_span_copy *copy = NULL;
    void *state = NULL;
    struct tk_err *err = &spans->err;
    spans->input.text = text;
    assert_int_equal(tk_span_batch_new(1 << 17, &spans->batch, err), 0);
    assert_int_equal(tk_span_batch_new(max_rows, &part, err), 0);
    assert_int_equal(reader->open(&state, err), 0);
    do {
        tk_span_batch_reset(part);
        spans->rc = reader->read(state, &spans->input, part, &spans->tally, err);
        spans->rounds++;
        assert_int_equal(tk_span_copy_new(spans->batch, part, &copy, err), 0);
        for (size_t row = 0; row < part->rows; row++)
            assert_int_equal(tk_span_copy_row(copy, row), 0);
        tk_span_copy_free(copy);
    } while (spans->rc == 0);
    reader->close(state);
    tk_span_batch_free(part);
}

/* The rows as an encoder writes them, to be freed; in the order of the batch. */
static inline char *tk_spans_write(const struct tk_span_batch *batch,
                                   const struct tk_span_encoder *encoder, size_t *ret_n)
{
    struct tk_buf out;
    struct tk_err err;
    uint32_t *rows = calloc(batch->rows + 1, sizeof(*rows));
    void *state = calloc(1, encoder->state_size + 1);
    assert_non_null(rows);
    assert_non_null(state);
    for (uint32_t i = 0; i < batch->rows; i++)
        rows[i] = i;
    tk_buf_init(&out, TK_SPANS_MAX);
    if (encoder->head)
        encoder->head(state, &out);
    const struct tk_span_rows all = {batch, rows, batch->rows};
    assert_int_equal(encoder->spans(state, &all, &out, &err), 0);
    if (encoder->tail)
        encoder->tail(state, &out);
    if (encoder->release)
        encoder->release(state);
    tk_buf_putc(&out, '\0');
    assert_true(tk_buf_ok(&out));
    free(state);
    free(rows);
    *ret_n = out.n - 1;
    return out.p;
}

/* A text through a reader gives these lines of flat JSON. */
static inline void assert_reads_as(const struct tk_span_reader *reader, const char *text,
                                   const char *lines)
{
    struct tk_spans spans = {0};
    size_t n;
    tk_spans_read(&spans, reader, tk_str_from(text), 4);
    if (spans.rc < 0)
        print_error("%s\n", spans.err.msg);
    if (spans.input.first_bad[0])
        print_message("# %s\n", spans.input.first_bad);
    char *got = tk_spans_write(spans.batch, &tk_span_encoder_jsonl, &n);
    assert_string_equal(got, lines);
    free(got);
    tk_span_batch_free(spans.batch);
}

#endif
