/* SPDX-License-Identifier: Apache-2.0 */
/* Invocations of a run as OTLP, by way of spans. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "span/invocation_spans.h"
#include "span/otlp.h"
#include "span/otlp_write.h"

#define MADE_ID_MAX 64

/* A batch on its way. */
struct writing {
    struct tk_otlp *otlp;
    struct tk_span_batch *spans;
    struct tk_reading reading;
    struct tk_span_input input; /* none: for what is refused */
    struct tk_span_tally tally;
    uint32_t *order; /* rows of `spans`, by resource */
};

static void writing_release(struct writing *writing)
{
    tk_reading_release(&writing->reading);
    tk_span_batch_free(writing->spans);
    free(writing->order);
}

/* For `rows` spans at most. */
static int writing_init(struct writing *writing, struct tk_otlp *otlp, size_t rows,
                        struct tk_err *err)
{
    *writing = (struct writing){.otlp = otlp};
    int rc = tk_reading_init(&writing->reading, err);
    if (rc == 0)
        rc = tk_span_batch_new(rows * 2, &writing->spans, err); /* room for rows with all columns */
    if (rc < 0)
        return rc;
    writing->order = calloc(rows, sizeof(*writing->order));
    if (!writing->order)
        return tk_fail(err, -ENOMEM, "out of memory");
    tk_reading_begin(&writing->reading, &writing->input, writing->spans, &writing->tally);
    return 0;
}

/* What ids are made of where a row has none: the run and its place there. */
static tk_str made_id(const struct tk_otlp *otlp, char text[MADE_ID_MAX])
{
    unsigned long long place = otlp->spans + otlp->no_times;
    int n =
        snprintf(text, MADE_ID_MAX, "%.*s/%llu", (int)(otlp->run_id.n < 40 ? otlp->run_id.n : 40),
                 otlp->run_id.n > 0 ? otlp->run_id.p : "", place);
    return (tk_str){text, (size_t)n};
}

static int add_span(struct writing *writing, const struct tk_batch *batch, size_t row,
                    struct tk_err *err)
{
    char text[MADE_ID_MAX];
    struct tk_otlp *otlp = writing->otlp;
    bool has_ids = tk_invocation_has_ids(batch, row);
    const struct tk_invocation_row from = {batch, row, otlp->run_id,
                                           has_ids ? (tk_str){NULL, 0} : made_id(otlp, text)};
    tk_arena_reset(&writing->reading.scratch);
    int rc = tk_invocation_put(&writing->reading, &from, err);
    rc = rc < 0 ? rc : tk_span_batch_end(writing->spans);
    if (rc == -ENOBUFS)
        return tk_fail(err, -EMSGSIZE, "events with too much text for one request");
    otlp->spans += rc == 0;
    otlp->made_ids += rc == 0 && !has_ids;
    return rc;
}

/* Rows of one resource one after the other, resources as they came first: a counting sort. */
static int order_rows(struct writing *writing, struct tk_span_rows *ret_rows, struct tk_err *err)
{
    const struct tk_span_batch *spans = writing->spans;
    uint32_t *next = calloc((size_t)spans->resource_count + 1, sizeof(*next));
    if (!next)
        return tk_fail(err, -ENOMEM, "out of memory");
    for (uint32_t row = 0; row < spans->rows; row++)
        next[tk_span_resource_id(spans, row) + 1]++;
    for (uint32_t resource = 0; resource < spans->resource_count; resource++)
        next[resource + 1] += next[resource];
    for (uint32_t row = 0; row < spans->rows; row++)
        writing->order[next[tk_span_resource_id(spans, row)]++] = row;
    free(next);
    *ret_rows = (struct tk_span_rows){spans, writing->order, spans->rows};
    return 0;
}

int tk_otlp_encode_spans(struct tk_otlp *otlp, const struct tk_batch *invocations,
                         struct tk_buf *out, struct tk_err *err)
{
    TK_CLEANUP(writing_release) struct writing writing;
    int rc = writing_init(&writing, otlp, invocations->rows > 0 ? invocations->rows : 1, err);
    for (size_t row = 0; rc == 0 && row < invocations->rows; row++) {
        if (tk_invocation_is_span(invocations, row)) {
            rc = add_span(&writing, invocations, row, err);
        } else {
            otlp->no_times++;
        }
    }
    if (rc < 0 || writing.spans->rows == 0)
        return rc;
    struct tk_span_rows rows;
    rc = order_rows(&writing, &rows, err);
    if (rc < 0)
        return rc;
    tk_otlp_encode_json(&rows, out);
    tk_buf_putc(out, '\n');
    return 0;
}
