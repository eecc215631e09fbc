/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/trace_slice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "span/trace_id.h"

#define ROWS       ((size_t)1 << 16)
#define TRACES_MAX ((size_t)1 << 31) /* bytes of what is known of traces */

struct start {
    int64_t start_ns;
    uint64_t id[2]; /* as it stands: ties go by the bytes */
};

static uint64_t hash_row(const struct tk_span_batch *batch, size_t row)
{
    return tk_trace_id_hash(batch->trace_ids[row]);
}

static int note_row(const struct tk_span_batch *batch, size_t row, struct tk_map *places,
                    struct tk_buf *starts)
{
    struct start *items = (struct start *)(void *)starts->p;
    uint64_t hash = hash_row(batch, row);
    uint32_t at;
    if (tk_map_find(places, hash, &at)) {
        if (batch->start_ns[row] < items[at].start_ns)
            items[at].start_ns = batch->start_ns[row];
        return 0;
    }
    struct start start = {.start_ns = batch->start_ns[row]};
    memcpy(start.id, batch->trace_ids[row], sizeof(start.id));
    at = (uint32_t)(starts->n / sizeof(start));
    tk_buf_put(starts, (tk_str){(const char *)&start, sizeof(start)});
    return tk_buf_ok(starts) ? tk_map_add(places, hash, at) : -ENOMEM;
}

/* The start of each trace. */
static int read_starts(struct tk_trace_slice *slice, const struct tk_span_source *source,
                       struct tk_map *places, struct tk_buf *starts, struct tk_err *err)
{
    int rc = 0;
    while (rc == 0) {
        tk_span_batch_reset(slice->batch);
        rc = source->read(source->context, slice->batch, err);
        for (size_t row = 0; rc >= 0 && row < slice->batch->rows; row++) {
            if (note_row(slice->batch, row, places, starts) < 0)
                return tk_fail(err, -ENOMEM, "out of memory");
        }
    }
    return rc < 0 ? rc : 0;
}

static int by_start(const void *a, const void *b)
{
    const struct start *x = a;
    const struct start *y = b;
    if (x->start_ns != y->start_ns)
        return x->start_ns < y->start_ns ? -1 : 1;
    return memcmp(x->id, y->id, sizeof(x->id));
}

int tk_trace_slice_init(struct tk_trace_slice *slice, const struct tk_span_source *source,
                        uint64_t first, uint64_t end, struct tk_err *err)
{
    TK_CLEANUP(tk_map_release) struct tk_map places = {0};
    TK_CLEANUP(tk_buf_release) struct tk_buf starts;
    *slice = (struct tk_trace_slice){0};
    tk_buf_init(&starts, TRACES_MAX);
    int rc = tk_span_batch_new(ROWS, &slice->batch, err);
    rc = rc < 0 ? rc : read_starts(slice, source, &places, &starts, err);
    if (rc < 0)
        return rc;
    struct start *items = (struct start *)(void *)starts.p;
    slice->traces = starts.n / sizeof(*items);
    end = end < slice->traces ? end : slice->traces;
    if (slice->traces > 0)
        qsort(items, slice->traces, sizeof(*items), by_start);
    for (uint64_t i = first; i < end; i++) {
        if (tk_map_add(&slice->kept, tk_hash_mix(items[i].id[0], items[i].id[1]), 1) < 0)
            return tk_fail(err, -ENOMEM, "out of memory");
    }
    tk_span_batch_reset(slice->batch);
    return 0;
}

void tk_trace_slice_release(struct tk_trace_slice *slice)
{
    tk_map_release(&slice->kept);
    tk_span_batch_free(slice->batch);
    *slice = (struct tk_trace_slice){0};
}

/* Copy the rows at hand that are of the slice: -ENOBUFS with some left. */
static int copy_rows(struct tk_trace_slice *slice, struct tk_span_batch *batch, struct tk_err *err)
{
    struct tk_span_copy *copy = NULL;
    uint32_t one;
    int rc = tk_span_copy_new(batch, slice->batch, &copy, err);
    for (; rc == 0 && slice->next < slice->batch->rows; slice->next += rc == 0) {
        if (tk_map_find(&slice->kept, hash_row(slice->batch, slice->next), &one))
            rc = tk_span_copy_row(copy, slice->next);
    }
    tk_span_copy_free(copy);
    return rc;
}

static int read_slice(void *context, struct tk_span_batch *batch, struct tk_err *err)
{
    struct tk_trace_slice *slice = context;
    for (;;) {
        int rc = copy_rows(slice, batch, err);
        if (rc == -ENOBUFS)
            return batch->rows > 0 ? 0 : tk_fail(err, rc, "a span fits no batch");
        if (rc < 0 || slice->at_end)
            return rc < 0 ? rc : 1;
        tk_span_batch_reset(slice->batch);
        slice->next = 0;
        rc = slice->source->read(slice->source->context, slice->batch, err);
        if (rc < 0)
            return rc;
        slice->at_end = rc == 1;
    }
}

struct tk_span_source tk_trace_slice_source(struct tk_trace_slice *slice,
                                            const struct tk_span_source *again)
{
    slice->source = again;
    return (struct tk_span_source){read_slice, slice};
}
