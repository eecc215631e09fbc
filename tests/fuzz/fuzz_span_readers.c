/* SPDX-License-Identifier: Apache-2.0 */
/* Files of spans in every format: the first byte selects which. What was read is written in every
 * format; duplicates are taken out. */
#include <assert.h>
#include <stdlib.h>

#include "span/dedupe.h"
#include "span/span.h"

static void encode(const struct tk_span_encoder *encoder, const struct tk_span_batch *batch)
{
    uint32_t rows[64];
    struct tk_buf out;
    struct tk_err err;
    void *state = calloc(1, encoder->state_size + 1);
    const struct tk_span_rows all = {batch, rows, batch->rows};
    for (uint32_t i = 0; i < batch->rows; i++)
        rows[i] = i;
    tk_buf_init(&out, (size_t)1 << 26);
    assert(state && encoder->spans(state, &all, &out, &err) == 0);
    if (encoder->release)
        encoder->release(state);
    tk_buf_release(&out);
    free(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tk_span_batch *batch; /* large: one for all inputs */
    size_t count = 0;
    while (tk_span_readers[count])
        count++;
    const struct tk_span_reader *reader = size > 0 ? tk_span_readers[data[0] % count] : NULL;
    struct tk_span_tally tally = {0};
    struct tk_dedupe *dedupe;
    struct tk_err err;
    void *state;
    int rc = 0;
    if (!reader || (!batch && tk_span_batch_new(64, &batch, &err) < 0))
        return 0;
    struct tk_span_input input = {.text = {(const char *)data + 1, size - 1}};
    assert(reader->open(&state, &err) == 0 && tk_dedupe_new(0, &dedupe, &err) == 0);
    (void)reader->detect(input.text);
    for (int round = 0; round < 1000 && rc == 0; round++) {
        tk_span_batch_reset(batch);
        rc = reader->read(state, &input, batch, &tally, &err);
        for (size_t i = 0; tk_span_encoders[i]; i++)
            encode(tk_span_encoders[i], batch);
        assert(tk_dedupe_filter(dedupe, batch, 0, &tally, &err) == 0);
    }
    assert(rc != 0);
    reader->close(state);
    tk_dedupe_free(dedupe);
    return 0;
}
