/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP files: JSON, one request or one a line; protobuf, one TracesData or records of a length of
 * four bytes and a request, in either byte order (trace-protocols.md section 4). A message that is
 * larger than a batch is read by its ResourceSpans: messages one after the other are one. */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#include "span/otlp.h"
#include "span/reading.h"
#include "span/wire.h"

#define FRAMES_LOOKED_AT 1000
#define RESOURCE_SPANS   TK_WIRE_BYTES(1)

enum framing { UNKNOWN, PLAIN, BIG_ENDIAN_FRAMES, LITTLE_ENDIAN_FRAMES };

struct otlp {
    struct tk_reading reading;
    struct tk_json_records records;
    struct tk_json parts; /* ResourceSpans of a document that is too large as a whole */
    bool in_parts;
    enum framing framing;
    tk_str frame; /* of protobuf: what is left of it */
    struct tk_otlp_reader *reader;
    struct tk_buf wrapped;
};

typedef int (*decode_fn)(struct tk_otlp_reader *reader, tk_str message, struct tk_span_tally *tally,
                         struct tk_err *err);

static void begin(struct otlp *otlp, struct tk_span_input *input, struct tk_span_batch *batch,
                  struct tk_span_tally *tally)
{
    tk_reading_begin(&otlp->reading, input, batch, tally);
    tk_otlp_reader_reset(otlp->reader, batch);
}

/* Decode one message: 0 when it is in the batch or was refused, 1 when the batch is to be handed on
 * first, -ENOBUFS when it does not fit an empty one. */
static int decode(struct otlp *otlp, decode_fn fn, tk_str message, const char *at)
{
    struct tk_reading *reading = &otlp->reading;
    struct tk_span_tally before = *reading->tally;
    struct tk_err err;
    size_t rows = reading->batch->rows;
    int rc = fn(otlp->reader, message, reading->tally, &err);
    if (rc == 0)
        return 0;
    *reading->tally = before;
    if (rc == -ENOBUFS)
        return rows > 0 ? 1 : rc;
    tk_reading_refuse(reading, TK_SPAN_BAD_RECORD, at, err.msg);
    return 0;
}

static void close(void *state)
{
    struct otlp *otlp = state;
    if (!otlp)
        return;
    tk_reading_release(&otlp->reading);
    tk_otlp_reader_free(otlp->reader);
    tk_buf_release(&otlp->wrapped);
    free(otlp);
}

/* Protobuf ------------------------------------------------------------------------------------- */

/* Bytes of the whole frames at the beginning of a text, at most FRAMES_LOOKED_AT of them. */
static size_t walk_frames(tk_str text, enum framing framing)
{
    size_t at = 0;
    for (int i = 0; i < FRAMES_LOOKED_AT && text.n - at >= 4; i++) {
        uint32_t n;
        memcpy(&n, text.p + at, sizeof(n));
        n = framing == BIG_ENDIAN_FRAMES ? be32toh(n) : le32toh(n);
        bool is_message = n == 0 || (n <= text.n - at - 4 && text.p[at + 4] == '\x0A');
        if (!is_message)
            return at;
        at += 4 + (size_t)n;
    }
    return at;
}

/* The framing by which most of the text is whole messages. */
static enum framing find_framing(tk_str text)
{
    size_t big = walk_frames(text, BIG_ENDIAN_FRAMES);
    size_t little = walk_frames(text, LITTLE_ENDIAN_FRAMES);
    if (text.n > 0 && *text.p == '\x0A' && big < text.n && little < text.n)
        return PLAIN;
    if (big == 0 && little == 0)
        return PLAIN;
    return big >= little ? BIG_ENDIAN_FRAMES : LITTLE_ENDIAN_FRAMES;
}

/* Take the next frame: 0, or 1 at the end. */
static int next_frame(struct otlp *otlp, struct tk_err *err)
{
    struct tk_span_input *input = otlp->reading.input;
    tk_str rest = {input->text.p + input->offset, input->text.n - input->offset};
    if (rest.n == 0)
        return 1;
    if (otlp->framing == PLAIN) {
        otlp->frame = rest;
        input->offset = input->text.n;
        return 0;
    }
    uint32_t n = 0;
    if (rest.n >= 4)
        memcpy(&n, rest.p, sizeof(n));
    n = otlp->framing == BIG_ENDIAN_FRAMES ? be32toh(n) : le32toh(n);
    if (rest.n < 4 || n > rest.n - 4) {
        return tk_fail(err, -EBADMSG, "byte %zu: expected a record of %lu bytes, %zu are left",
                       input->offset, (unsigned long)n, rest.n < 4 ? rest.n : rest.n - 4);
    }
    otlp->frame = (tk_str){rest.p + 4, n};
    input->offset += 4 + (size_t)n;
    return 0;
}

/* The next field of the frame: one ResourceSpans as a message of its own, or one that we do not
 * know. 1 at the end. */
static int next_part(struct otlp *otlp, tk_str *ret_part, struct tk_err *err)
{
    struct tk_wire_fault fault;
    struct tk_wire in = {otlp->frame.p, otlp->frame.p + otlp->frame.n, &fault};
    uint32_t tag = 0;
    if (otlp->frame.n == 0)
        return 1;
    int rc = tk_wire_tag(&in, &tag);
    rc = rc < 0 ? rc : tk_wire_skip(&in, tag);
    if (rc < 0) {
        (void)tk_wire_tell(&fault, otlp->reading.input->text, err);
        return -EBADMSG;
    }
    *ret_part = (tk_str){otlp->frame.p, (size_t)(in.p - otlp->frame.p)};
    otlp->frame = (tk_str){in.p, (size_t)(in.end - in.p)};
    return 0;
}

/* The spans of the frame: 0 at its end, 1 when the batch is full. */
static int read_frame(struct otlp *otlp, struct tk_err *err)
{
    tk_str part = {NULL, 0};
    int rc;
    if (otlp->framing != PLAIN) {
        rc = decode(otlp, tk_otlp_decode, otlp->frame, otlp->frame.p);
        if (rc >= 0) {
            if (rc == 0)
                otlp->frame.n = 0;
            return rc;
        }
    }
    while ((rc = next_part(otlp, &part, err)) == 0) {
        rc = decode(otlp, tk_otlp_decode, part, part.p);
        if (rc == -ENOBUFS) {
            tk_reading_refuse(&otlp->reading, TK_SPAN_TOO_LARGE, part.p,
                              "more spans of one resource than a batch holds");
        }
        if (rc == 1) {
            otlp->frame = (tk_str){part.p, part.n + otlp->frame.n};
            return 1;
        }
    }
    if (rc == 1)
        return 0;
    if (otlp->framing == PLAIN)
        return rc;
    tk_reading_refuse(&otlp->reading, TK_SPAN_BAD_RECORD, otlp->frame.p, err->msg);
    otlp->frame.n = 0;
    return 0;
}

static int read_proto(void *state, struct tk_span_input *input, struct tk_span_batch *batch,
                      struct tk_span_tally *tally, struct tk_err *err)
{
    struct otlp *otlp = state;
    int rc = 0;
    begin(otlp, input, batch, tally);
    if (otlp->framing == UNKNOWN)
        otlp->framing = find_framing(input->text);
    for (;;) {
        if (otlp->frame.n > 0)
            rc = read_frame(otlp, err);
        if (rc != 0)
            return rc < 0 ? rc : 0;
        rc = next_frame(otlp, err);
        if (rc != 0)
            return rc;
    }
}

/* A message whose first field is a message, whose first field is one again: resource or scope. */
static bool is_traces(tk_str text)
{
    struct tk_wire_fault fault;
    struct tk_wire in = {text.p, text.p + text.n, &fault};
    uint32_t tag = 0;
    uint64_t n;
    for (int level = 0; level < 2; level++) {
        if (tk_wire_tag(&in, &tag) != 0 || tk_wire_varint(&in, &n) < 0)
            return false;
        if (level == 0 ? tag != RESOURCE_SPANS : tag != TK_WIRE_BYTES(1) && tag != TK_WIRE_BYTES(2))
            return false;
    }
    return true;
}

static bool detect_proto(tk_str head)
{
    if (is_traces(head))
        return true;
    return head.n > 8 && is_traces((tk_str){head.p + 4, head.n - 4});
}

/* JSON ----------------------------------------------------------------------------------------- */

/* Enter the array of ResourceSpans of a document that is too large. */
static int enter_parts(struct otlp *otlp, tk_str raw, struct tk_err *err)
{
    struct tk_json *json = &otlp->parts;
    tk_str key;
    tk_reading_scan(&otlp->reading, raw, json);
    int rc = tk_json_enter_object(json, err);
    while (rc == 0 && (rc = tk_json_next_key(json, NULL, &key, err)) == 0) {
        if (tk_str_eq(key, TK_STR("resourceSpans"))) {
            otlp->in_parts = true;
            return tk_json_enter_array(json, err);
        }
        rc = tk_json_skip(json, NULL, err);
    }
    return rc < 0 ? rc : 0;
}

/* The parts of a document, each as a document of its own: 0 at the end, 1 when the batch is full.
 */
static int read_parts(struct otlp *otlp, struct tk_err *err)
{
    tk_str raw;
    int rc;
    while ((rc = tk_json_next_element(&otlp->parts, err)) == 0) {
        rc = tk_json_skip(&otlp->parts, &raw, err);
        if (rc < 0)
            return rc;
        tk_buf_reset(&otlp->wrapped);
        tk_buf_lit(&otlp->wrapped, "{\"resourceSpans\":[");
        tk_buf_put(&otlp->wrapped, raw);
        tk_buf_lit(&otlp->wrapped, "]}");
        rc = tk_buf_ok(&otlp->wrapped)
                 ? decode(otlp, tk_otlp_decode_json, tk_buf_str(&otlp->wrapped), raw.p)
                 : -ENOBUFS;
        if (rc == -ENOBUFS) {
            tk_reading_refuse(&otlp->reading, TK_SPAN_TOO_LARGE, raw.p,
                              "more spans of one resource than a batch holds");
        }
        if (rc == 1) {
            tk_json_rewind(&otlp->parts, raw);
            return 1;
        }
    }
    otlp->in_parts = false;
    return rc < 0 ? rc : 0;
}

static int read_json(void *state, struct tk_span_input *input, struct tk_span_batch *batch,
                     struct tk_span_tally *tally, struct tk_err *err)
{
    struct otlp *otlp = state;
    begin(otlp, input, batch, tally);
    for (;;) {
        tk_str raw;
        int rc = otlp->in_parts ? read_parts(otlp, err) : 0;
        if (rc != 0)
            return rc < 0 ? rc : 0;
        rc = tk_json_records_next(&otlp->records, &otlp->reading, &raw, err);
        if (rc != 0)
            return rc;
        rc = decode(otlp, tk_otlp_decode_json, raw, raw.p);
        if (rc == 1) {
            tk_json_rewind(&otlp->records.json, raw);
            return 0;
        }
        if (rc == -ENOBUFS)
            rc = enter_parts(otlp, raw, err);
        if (rc < 0)
            return rc;
    }
}

static bool detect_json(tk_str head)
{
    return tk_head_has_key(head, "resourceSpans");
}

static int open(void **ret_state, struct tk_err *err)
{
    struct otlp *otlp = calloc(1, sizeof(*otlp));
    if (!otlp)
        return tk_fail(err, -ENOMEM, "out of memory");
    tk_buf_init(&otlp->wrapped, (size_t)1 << 30);
    int rc = tk_reading_init(&otlp->reading, err);
    rc = rc < 0 ? rc : tk_otlp_reader_new(NULL, &otlp->reader, err);
    if (rc < 0) {
        close(otlp);
    } else {
        *ret_state = otlp;
    }
    return rc;
}

const struct tk_span_reader tk_span_reader_otlp_proto = {
    .name = "otlp-proto",
    .help = "OTLP protobuf: TracesData, or records of a 4-byte length and one",
    .detect = detect_proto,
    .open = open,
    .read = read_proto,
    .close = close,
};

const struct tk_span_reader tk_span_reader_otlp_json = {
    .name = "otlp",
    .help = "OTLP JSON: one document, or one a line",
    .detect = detect_json,
    .open = open,
    .read = read_json,
    .close = close,
};
