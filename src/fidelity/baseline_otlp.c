/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP requests of some thousand spans, neighbours of one resource together, as one zstd frame:
 * what a collector's file exporter leaves. Level 9: level 19 takes forty times as long for 7 % less
 * (hipstershop).
 *
 *     head (whole_spans.h)   zstd frame of (varint length, request)...
 */
#include <errno.h>
#include <stdlib.h>

#include "fidelity/baselines.h"
#include "fidelity/pack.h"
#include "fidelity/whole_spans.h"
#include "span/otlp.h"
#include "table/varint.h"

#define BATCH_ROWS   ((size_t)1 << 16)
#define REQUEST_ROWS ((size_t)2048)
#define RAW_MAX      ((size_t)4 << 30)
#define LEVEL        9

/* Encode --------------------------------------------------------------------------------------- */

static int by_scope(const void *a, const void *b, void *user)
{
    const struct tk_span_batch *batch = user;
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    if (batch->scope_ids[x] != batch->scope_ids[y])
        return batch->scope_ids[x] < batch->scope_ids[y] ? -1 : 1;
    return x < y ? -1 : x > y;
}

static void put_request(struct tk_span_batch *batch, size_t begin, size_t n, struct tk_buf *out)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf request;
    uint32_t order[REQUEST_ROWS];
    tk_buf_init(&request, RAW_MAX);
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)(begin + i);
    qsort_r(order, n, sizeof(*order), by_scope, batch);
    tk_otlp_encode(&(struct tk_span_rows){batch, order, n}, &request);
    tk_varint_put(out, request.n);
    tk_buf_put(out, tk_buf_str(&request));
    if (!tk_buf_ok(&request))
        out->failure = request.failure;
}

static int put_spans(const struct tk_span_source *source, struct tk_buf *raw, struct tk_err *err)
{
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = NULL;
    int rc = tk_span_batch_new(BATCH_ROWS, &batch, err);
    while (rc == 0) {
        tk_span_batch_reset(batch);
        rc = source->read(source->context, batch, err);
        for (size_t i = 0; rc >= 0 && i < batch->rows; i += REQUEST_ROWS) {
            size_t n = batch->rows - i < REQUEST_ROWS ? batch->rows - i : REQUEST_ROWS;
            put_request(batch, i, n, raw);
        }
        if (rc >= 0 && !tk_buf_ok(raw))
            rc = tk_buf_check(raw, "OTLP", err);
    }
    return rc < 0 ? rc : 0;
}

static int encode(const struct tk_baseline_input *input, struct tk_buf *out, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf raw;
    tk_buf_init(&raw, RAW_MAX);
    int rc = tk_whole_spans_put(input->table, "otlp", out, err);
    rc = rc < 0 ? rc : put_spans(&input->spans, &raw, err);
    return rc < 0 ? rc : tk_zstd_encode(tk_buf_str(&raw), LEVEL, out, err);
}

/* Decode --------------------------------------------------------------------------------------- */

struct requests {
    tk_str rest;
    struct tk_otlp_reader *reader;
};

static int read_requests(void *context, struct tk_span_batch *batch, struct tk_err *err)
{
    struct requests *requests = context;
    struct tk_span_tally tally = {0};
    int rc = 0;
    if (requests->reader) {
        tk_otlp_reader_reset(requests->reader, batch);
    } else {
        rc = tk_otlp_reader_new(batch, &requests->reader, err);
    }
    while (rc == 0 && requests->rest.n > 0) {
        tk_str rest = requests->rest;
        bool ok = true;
        tk_str request = tk_pack_take_bytes(&rest, (size_t)tk_pack_take(&rest, &ok), &ok);
        if (!ok)
            return tk_fail(err, -EBADMSG, "OTLP ends in the middle of a request");
        rc = tk_otlp_decode(requests->reader, request, &tally, err);
        if (rc == -ENOBUFS && batch->rows > 0)
            return 0;
        if (rc == 0)
            requests->rest = rest;
    }
    return rc < 0 ? rc : 1;
}

static int decode(tk_str file, uint64_t seed, struct tk_span_table **ret_table, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf raw;
    struct requests requests = {.reader = NULL};
    struct tk_whole_spans head;
    (void)seed;
    tk_buf_init(&raw, RAW_MAX);
    int rc = tk_whole_spans_take(&file, "OTLP", &head, err);
    rc = rc < 0 ? rc : tk_zstd_decode(file, RAW_MAX - (1 << 20), &raw, err);
    requests.rest = tk_buf_str(&raw);
    const struct tk_span_source source = {read_requests, &requests};
    rc = rc < 0 ? rc : tk_whole_spans_table(&head, source, ret_table, err);
    tk_otlp_reader_free(requests.reader);
    return rc;
}

const struct tk_baseline tk_baseline_otlp = {
    .name = "otlp",
    .help = "OTLP requests, all that spans hold, as one zstd-9 frame",
    .needs_spans = true,
    .has_ids = true,
    .encode = encode,
    .decode = decode,
};
