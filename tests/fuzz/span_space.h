/* SPDX-License-Identifier: Apache-2.0 */
/* A batch and its reader, for targets that compare what two of them hold. */
#ifndef TK_SPAN_SPACE_H
#define TK_SPAN_SPACE_H

#include <assert.h>

#include "span/otlp.h"

struct span_space {
    struct tk_span_batch *batch;
    struct tk_otlp_reader *reader;
    struct tk_buf wire, json;
};

static inline void span_space_init(struct span_space *space)
{
    struct tk_err err;
    assert(tk_span_batch_new(64, &space->batch, &err) == 0);
    assert(tk_otlp_reader_new(space->batch, &space->reader, &err) == 0);
    tk_buf_init(&space->wire, 64 << 20);
    tk_buf_init(&space->json, 64 << 20);
}

static inline void span_space_release(struct span_space *space)
{
    tk_otlp_reader_free(space->reader);
    tk_span_batch_free(space->batch);
    tk_buf_release(&space->wire);
    tk_buf_release(&space->json);
}

/* All rows in both forms. */
static inline void span_space_encode(struct span_space *space)
{
    const struct tk_span_rows rows = {space->batch, NULL, space->batch->rows};
    tk_otlp_encode(&rows, &space->wire);
    tk_otlp_encode_json(&rows, &space->json);
    assert(tk_buf_ok(&space->wire) && tk_buf_ok(&space->json));
}

/* What `first` has written says the same when it is read again. */
static inline void span_space_check(struct span_space *first)
{
    struct tk_span_tally tally = {0};
    struct tk_err err;
    for (int json = 0; json < 2; json++) {
        struct span_space again;
        span_space_init(&again);
        assert((json ? tk_otlp_decode_json(again.reader, tk_buf_str(&first->json), &tally, &err)
                     : tk_otlp_decode(again.reader, tk_buf_str(&first->wire), &tally, &err)) == 0);
        span_space_encode(&again);
        assert(tk_str_eq(tk_buf_str(&first->json), tk_buf_str(&again.json)));
        assert(json || tk_str_eq(tk_buf_str(&first->wire), tk_buf_str(&again.wire)));
        span_space_release(&again);
    }
    assert(tk_span_tally_refused(&tally) == 0);
    assert(tally.spans == 2 * first->batch->rows);
}

#endif
