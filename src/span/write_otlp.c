/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP as files: a request a line of JSON, or a length and a request of protobuf, as the file
 * exporter of the OpenTelemetry collector writes them. */
#include <endian.h>
#include <errno.h>

#include "span/otlp.h"
#include "span/writing.h"

static int put_json(void *state, const struct tk_span_rows *rows, struct tk_buf *out,
                    struct tk_err *err)
{
    (void)state;
    if (rows->n == 0)
        return 0;
    tk_otlp_encode_json(rows, out);
    tk_buf_putc(out, '\n');
    return tk_buf_check(out, "spans", err);
}

static int put_proto(void *state, const struct tk_span_rows *rows, struct tk_buf *out,
                     struct tk_err *err)
{
    (void)state;
    size_t start = out->n;
    if (rows->n == 0)
        return 0;
    tk_buf_lit(out, "\0\0\0\0");
    tk_otlp_encode(rows, out);
    int rc = tk_buf_check(out, "spans", err);
    if (rc < 0)
        return rc;
    size_t n = out->n - start - 4;
    if (n > UINT32_MAX)
        return tk_fail(err, -EMSGSIZE, "a request of more than 4 GiB");
    uint32_t length = htobe32((uint32_t)n);
    memcpy(out->p + start, &length, sizeof(length));
    return 0;
}

const struct tk_span_encoder tk_span_encoder_otlp = {
    .name = "otlp",
    .help = "OTLP/JSON, a request a line",
    .ending = ".otlp.jsonl",
    .spans = put_json,
};

const struct tk_span_encoder tk_span_encoder_otlp_proto = {
    .name = "otlp-proto",
    .help = "OTLP protobuf, each request behind its length (4 bytes, big-endian)",
    .ending = ".otlp.pb",
    .spans = put_proto,
};
