/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP over gRPC: unary calls on HTTP/2 by libnghttp2, which does the framing, the header
 * compression and the windows, and no I/O (trace-protocols.md section 5). A message is
 *
 *     [1 byte: 1 = gzip] [4 bytes: length, big-endian] [ExportTraceServiceRequest]
 */
#include <endian.h>
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/number.h"
#include "load/exchange_internal.h"

#define PREFIX     5
#define OUT_WANTED ((size_t)256 << 10) /* bytes that are handed to one system call */
#define OUT_MAX    ((size_t)32 << 20)
#define TEXT_MAX   ((size_t)64 << 10) /* of an answer's body and of each of its texts */
#define WINDOW     (8 << 20)

/* A call that is under way. */
struct stream {
    char prefix[PREFIX];
    tk_str body;
    size_t read; /* bytes of prefix and body that went into frames */
    int http_status;
    int grpc_status;
    struct tk_buf message, details, answer;
};

struct grpc {
    nghttp2_session *session;
    const struct tk_load_target *target;
    bool gzip;
    bool closing;
    bool deaf; /* being closed: streams that this cuts off have no answer */
    struct tk_buf out;
    size_t out_sent;
    size_t stream_count;
    struct stream *streams; /* [stream_count], by slot */
    tk_exchange_answer_fn on_answer;
    void *user;
};

/* Callbacks of libnghttp2 -------------------------------------------------------------------- */

/* NOLINTNEXTLINE(readability-function-size): libnghttp2's parameters */
static ssize_t on_read(nghttp2_session *session, int32_t stream_id, uint8_t *to, size_t cap,
                       uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct stream *stream = source->ptr;
    (void)session;
    (void)stream_id;
    (void)user;
    size_t done = 0;
    if (stream->read < PREFIX) {
        done = PREFIX - stream->read < cap ? PREFIX - stream->read : cap;
        memcpy(to, stream->prefix + stream->read, done);
        stream->read += done;
    }
    size_t at = stream->read - PREFIX;
    if (stream->read >= PREFIX && at < stream->body.n) {
        size_t n = stream->body.n - at < cap - done ? stream->body.n - at : cap - done;
        memcpy(to + done, stream->body.p + at, n);
        stream->read += n;
        done += n;
    }
    if (stream->read == PREFIX + stream->body.n)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)done;
}

/* Frames as large as the receiver takes them.
 * NOLINTNEXTLINE(readability-function-size): libnghttp2's parameters */
static ssize_t on_read_length(nghttp2_session *session, uint8_t type, int32_t stream_id,
                              int32_t session_window, int32_t stream_window, uint32_t max_frame,
                              void *user)
{
    (void)session;
    (void)type;
    (void)stream_id;
    (void)user;
    int32_t window = session_window < stream_window ? session_window : stream_window;
    int32_t cap = max_frame < OUT_WANTED ? (int32_t)max_frame : (int32_t)OUT_WANTED;
    return window < cap ? window : cap;
}

static struct stream *stream_of(nghttp2_session *session, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(session, stream_id);
}

static int parse_code(tk_str text)
{
    uint64_t code;
    return tk_parse_u64(text, &code) && code < 1000 ? (int)code : -1;
}

/* NOLINTNEXTLINE(readability-function-size): libnghttp2's parameters */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags, void *user)
{
    struct stream *stream = stream_of(session, frame->hd.stream_id);
    tk_str key = {(const char *)name, name_n};
    tk_str text = {(const char *)value, value_n};
    (void)flags;
    (void)user;
    if (!stream)
        return 0;
    if (tk_str_eq(key, TK_STR(":status"))) {
        stream->http_status = parse_code(text);
    } else if (tk_str_eq(key, TK_STR("grpc-status"))) {
        stream->grpc_status = parse_code(text);
    } else if (tk_str_eq(key, TK_STR("grpc-message"))) {
        tk_buf_put(&stream->message, text);
    } else if (tk_str_eq(key, TK_STR("grpc-status-details-bin"))) {
        tk_buf_put(&stream->details, text);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t n, void *user)
{
    struct stream *stream = stream_of(session, stream_id);
    (void)flags;
    (void)user;
    if (stream)
        tk_buf_put(&stream->answer, (tk_str){(const char *)data, n});
    return 0;
}

/* What a stream that was reset counts as, gRPC over HTTP2, "HTTP2 transport mapping: errors". */
static int code_of_reset(uint32_t error)
{
    enum { CANCELLED = 1, RESOURCE_EXHAUSTED = 8, INTERNAL = 13, UNAVAILABLE = 14 };
    if (error == NGHTTP2_REFUSED_STREAM)
        return UNAVAILABLE;
    if (error == NGHTTP2_CANCEL)
        return CANCELLED;
    return error == NGHTTP2_ENHANCE_YOUR_CALM ? RESOURCE_EXHAUSTED : INTERNAL;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error, void *user)
{
    struct grpc *grpc = user;
    struct stream *stream = stream_of(session, stream_id);
    if (!stream || grpc->deaf)
        return 0;
    bool is_reset = stream->grpc_status < 0 && (stream->http_status == 0 || error != 0);
    struct tk_load_answer answer = {
        .grpc = true,
        .http_status = stream->http_status,
        .grpc_status = is_reset ? code_of_reset(error) : stream->grpc_status,
        .message =
            is_reset ? TK_STR("the receiver reset the stream") : tk_buf_str(&stream->message),
        .details = tk_buf_str(&stream->details),
        .body = tk_buf_str(&stream->answer),
    };
    stream->body = TK_STR("");
    grpc->on_answer(grpc->user, (size_t)(stream - grpc->streams), &answer);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct grpc *grpc = user;
    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        grpc->closing = true;
    return 0;
}

/* The exchange ------------------------------------------------------------------------------- */

static void grpc_close(void *state)
{
    struct grpc *grpc = state;
    if (!grpc)
        return;
    grpc->deaf = true;
    nghttp2_session_del(grpc->session);
    for (size_t i = 0; grpc->streams && i < grpc->stream_count; i++) {
        tk_buf_release(&grpc->streams[i].message);
        tk_buf_release(&grpc->streams[i].details);
        tk_buf_release(&grpc->streams[i].answer);
    }
    tk_buf_release(&grpc->out);
    free(grpc->streams);
    free(grpc);
}

static int fail(int code, struct tk_err *err)
{
    return tk_fail(err, code == NGHTTP2_ERR_NOMEM ? -ENOMEM : -EBADMSG, "HTTP/2: %s",
                   nghttp2_strerror(code));
}

static int session_new(struct grpc *grpc)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW},
    };
    nghttp2_session_callbacks *callbacks;
    int rc = nghttp2_session_callbacks_new(&callbacks);
    if (rc < 0)
        return rc;
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, on_read_length);
    rc = nghttp2_session_client_new(&grpc->session, callbacks, grpc);
    nghttp2_session_callbacks_del(callbacks);
    if (rc == 0)
        rc = nghttp2_submit_settings(grpc->session, 0, settings, TK_COUNTOF(settings));
    return rc;
}

static int grpc_open(const struct tk_exchange_opts *opts, void **ret_state, struct tk_err *err)
{
    struct grpc *grpc = calloc(1, sizeof(*grpc));
    if (!grpc)
        return tk_fail(err, -ENOMEM, "a connection: out of memory");
    tk_buf_init(&grpc->out, OUT_MAX);
    grpc->on_answer = opts->on_answer;
    grpc->user = opts->user;
    grpc->target = opts->target;
    grpc->gzip = opts->gzip;
    grpc->stream_count = opts->streams;
    grpc->streams = calloc(opts->streams, sizeof(*grpc->streams));
    int rc = grpc->streams ? session_new(grpc) : NGHTTP2_ERR_NOMEM;
    if (rc < 0) {
        grpc_close(grpc);
        return fail(rc, err);
    }
    for (size_t i = 0; i < opts->streams; i++) {
        tk_buf_init(&grpc->streams[i].message, TEXT_MAX);
        tk_buf_init(&grpc->streams[i].details, TEXT_MAX);
        tk_buf_init(&grpc->streams[i].answer, TEXT_MAX);
    }
    *ret_state = grpc;
    return 0;
}

static void stream_begin(struct stream *stream, tk_str body, bool gzip)
{
    uint32_t length = htobe32((uint32_t)body.n);
    stream->prefix[0] = gzip ? 1 : 0;
    memcpy(stream->prefix + 1, &length, sizeof(length));
    stream->body = body;
    stream->read = 0;
    stream->http_status = 0;
    stream->grpc_status = -1;
    tk_buf_reset(&stream->message);
    tk_buf_reset(&stream->details);
    tk_buf_reset(&stream->answer);
}

static nghttp2_nv header(const char *name, const char *value)
{
    /* libnghttp2 takes them as if it would write to them; it copies. */
    union {
        const char *text;
        uint8_t *bytes;
    } name_bytes = {name}, value_bytes = {value};
    return (nghttp2_nv){name_bytes.bytes, value_bytes.bytes, strlen(name), strlen(value),
                        NGHTTP2_NV_FLAG_NONE};
}

static int grpc_submit(void *state, size_t slot, tk_str body, struct tk_err *err)
{
    struct grpc *grpc = state;
    struct stream *stream = &grpc->streams[slot];
    const nghttp2_nv headers[] = {
        header(":method", "POST"),
        header(":scheme", "http"),
        header(":path", grpc->target->path),
        header(":authority", grpc->target->authority),
        header("te", "trailers"),
        header("content-type", "application/grpc"),
        header("user-agent", "tracekit/" TK_VERSION),
        header("grpc-encoding", grpc->gzip ? "gzip" : "identity"),
    };
    stream_begin(stream, body, grpc->gzip);
    const nghttp2_data_provider provider = {{.ptr = stream}, on_read};
    int32_t id = nghttp2_submit_request(grpc->session, NULL, headers, TK_COUNTOF(headers),
                                        &provider, stream);
    return id < 0 ? fail(id, err) : 0;
}

/* Gather frames: one system call for many. */
static int fill(struct grpc *grpc, struct tk_err *err)
{
    tk_buf_reset(&grpc->out);
    grpc->out_sent = 0;
    while (grpc->out.n < OUT_WANTED) {
        const uint8_t *bytes;
        ssize_t n = nghttp2_session_mem_send(grpc->session, &bytes);
        if (n < 0)
            return fail((int)n, err);
        if (n == 0)
            break;
        tk_buf_put(&grpc->out, (tk_str){(const char *)bytes, (size_t)n});
    }
    return tk_buf_check(&grpc->out, "frames to send", err);
}

static int grpc_output(void *state, tk_str ret_pieces[2], struct tk_err *err)
{
    struct grpc *grpc = state;
    int rc = grpc->out_sent == grpc->out.n ? fill(grpc, err) : 0;
    if (rc < 0)
        return rc;
    ret_pieces[0] = (tk_str){grpc->out.p + grpc->out_sent, grpc->out.n - grpc->out_sent};
    ret_pieces[1] = TK_STR("");
    bool is_over = ret_pieces[0].n == 0 && !nghttp2_session_want_read(grpc->session) &&
                   !nghttp2_session_want_write(grpc->session);
    return is_over ? tk_fail(err, -EBADMSG, "HTTP/2: the connection is over") : 0;
}

static void grpc_sent(void *state, size_t n)
{
    struct grpc *grpc = state;
    grpc->out_sent += n;
}

static int grpc_input(void *state, tk_str bytes, struct tk_err *err)
{
    struct grpc *grpc = state;
    ssize_t n = nghttp2_session_mem_recv(grpc->session, (const uint8_t *)bytes.p, bytes.n);
    if (n < 0)
        return fail((int)n, err);
    return 0;
}

static int grpc_end(void *state, struct tk_err *err)
{
    struct grpc *grpc = state;
    (void)err;
    grpc->closing = true;
    return 0;
}

static bool grpc_is_closing(const void *state)
{
    const struct grpc *grpc = state;
    return grpc->closing;
}

const struct tk_exchange tk_exchange_grpc = {
    .name = "OTLP/gRPC",
    .open = grpc_open,
    .close = grpc_close,
    .submit = grpc_submit,
    .output = grpc_output,
    .sent = grpc_sent,
    .input = grpc_input,
    .end = grpc_end,
    .is_closing = grpc_is_closing,
};
