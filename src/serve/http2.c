/* SPDX-License-Identifier: Apache-2.0 */
/* A connection is a session of nghttp2 and what is not written yet; a stream is a request. Windows
 * of 8 MiB let a sender go on without waiting for us (2.8 k instead of 836 requests/s of 277 KB);
 * what bounds memory is the budget of bodies, whose room is reserved by the length in the prefix.
 *
 *     DATA frames -> tk_grpc_message_add() -> tk_worker_take() -> HEADERS, DATA, trailers
 */
#include "serve/http2.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/number.h"
#include "serve/answer.h"
#include "serve/grpc.h"
#include "serve/signals.h"
#include "serve/waiting.h"

#define WINDOW_BYTES   (8 << 20)
#define FRAME_BYTES    (1 << 20)
#define MAX_STREAMS    256
#define HEADERS_BYTES  8192
#define INPUT_BYTES    ((size_t)256 << 10)
#define OUTPUT_MAX     ((size_t)4 << 20)
#define OUTPUT_ENOUGH  ((size_t)64 << 10)
#define READS_PER_STEP 8 /* then other connections of the worker have their turn */
#define ANSWER_MAX     ((size_t)64 << 10)

#define EXPORT_PATH "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

/* Codes of gRPC that are not those of an outcome. */
enum { GRPC_OK = 0, GRPC_DEADLINE_EXCEEDED = 4, GRPC_UNIMPLEMENTED = 12, GRPC_INTERNAL = 13 };

struct stream {
    struct tk_http2_conn *conn;
    struct stream *next, **at; /* list of the connection */
    int32_t id;
    size_t header_bytes;
    bool is_post, is_export, is_grpc, has_bad_coding, has_bad_timeout;
    enum tk_coding coding;
    enum tk_signal signal; /* that it carries and that is refused; TK_SIGNAL_COUNT = none */
    struct tk_grpc_message message;
    bool is_refused;    /* bytes that still come are dropped */
    bool is_answered;   /* an answer was submitted */
    struct tk_buf body; /* of the answer, with its prefix */
    size_t body_sent;
    int64_t due_ns, end_ns;
    int64_t deadline_ns; /* of grpc-timeout; INT64_MAX = none */
    struct tk_waiter waiter;
};

struct tk_http2_conn {
    struct tk_http2 *http;
    struct tk_http2_conn *next, **at;
    nghttp2_session *session;
    int fd;
    struct stream *streams;
    size_t stream_count;
    struct tk_buf output;
    bool wants_output; /* EPOLLOUT is on */
    bool has_spoken;   /* a byte came: our settings may go out */
    bool has_begun;    /* a stream came */
    bool is_ending;    /* GOAWAY was sent */
    int64_t due_ns;    /* for the first stream, or for output to be taken */
};

struct tk_http2 {
    struct tk_worker *worker;
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    struct tk_http2_conn *conns;
    size_t count;
    struct tk_waiting waiting; /* for a sync */
    char *input;               /* [INPUT_BYTES] */
};

static struct tk_worker *worker_of(const struct stream *stream)
{
    return stream->conn->http->worker;
}

/* Answers ----------------------------------------------------------------------------------- */

static nghttp2_nv pair(const char *name, tk_str value)
{
    /* nghttp2 takes them as if it would write to them; it copies. */
    union {
        const char *text;
        uint8_t *bytes;
    } name_bytes = {name}, value_bytes = {value.p ? value.p : ""};
    return (nghttp2_nv){name_bytes.bytes, value_bytes.bytes, strlen(name), value.n,
                        NGHTTP2_NV_FLAG_NONE};
}

/* NOLINTNEXTLINE(readability-function-size): nghttp2 says so */
static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *to, size_t cap,
                           uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct stream *stream = source->ptr;
    (void)user;
    size_t left = stream->body.n - stream->body_sent;
    size_t n = left < cap ? left : cap;
    if (n > 0)
        memcpy(to, stream->body.p + stream->body_sent, n);
    stream->body_sent += n;
    if (n < left)
        return (ssize_t)n;
    const nghttp2_nv trailer = pair("grpc-status", TK_STR("0"));
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return nghttp2_submit_trailer(session, id, &trailer, 1) == 0
               ? (ssize_t)n
               : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void submit(struct stream *stream, const nghttp2_nv *headers, size_t count, bool has_body)
{
    nghttp2_data_provider provider = {.source = {.ptr = stream}, .read_callback = read_answer};
    stream->is_answered = true;
    /* A failure is that of memory, or a stream that is closed already: the peer sees its end. */
    if (nghttp2_submit_response(stream->conn->session, stream->id, headers, count,
                                has_body ? &provider : NULL) != 0) {
        (void)nghttp2_submit_rst_stream(stream->conn->session, NGHTTP2_FLAG_NONE, stream->id,
                                        NGHTTP2_INTERNAL_ERROR);
    }
}

static void answer_taken(struct stream *stream, const struct tk_verdict *verdict)
{
    const nghttp2_nv headers[] = {pair(":status", TK_STR("200")),
                                  pair("content-type", TK_STR("application/grpc"))};
    TK_CLEANUP(tk_buf_release) struct tk_buf message;
    tk_buf_init(&message, ANSWER_MAX);
    tk_export_response_encode(&verdict->tally, false, &message);
    tk_grpc_put_prefix(&stream->body, message.n);
    tk_buf_put(&stream->body, tk_buf_str(&message));
    submit(stream, headers, TK_COUNTOF(headers), true);
}

/* Trailers only: one HEADERS frame with the status. */
static void answer_status(struct stream *stream, const struct tk_rpc_status *status)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text, binary, details;
    char code[TK_I64_MAX];
    tk_buf_init(&text, ANSWER_MAX);
    tk_buf_init(&binary, ANSWER_MAX);
    tk_buf_init(&details, ANSWER_MAX);
    tk_grpc_put_text(&text, status->message);
    tk_rpc_status_encode(status, false, &binary);
    tk_grpc_put_binary(&details, tk_buf_str(&binary));
    const nghttp2_nv headers[] = {
        pair(":status", TK_STR("200")),
        pair("content-type", TK_STR("application/grpc")),
        pair("grpc-status", (tk_str){code, tk_i64_format(status->code, code)}),
        pair("grpc-message", tk_buf_str(&text)),
        pair(status->code == GRPC_UNIMPLEMENTED ? "grpc-accept-encoding"
                                                : "grpc-status-details-bin",
             status->code == GRPC_UNIMPLEMENTED ? TK_STR("identity,gzip,deflate,zstd")
                                                : tk_buf_str(&details)),
    };
    submit(stream, headers, TK_COUNTOF(headers), false);
}

static void answer_verdict(struct stream *stream, const struct tk_verdict *verdict)
{
    const struct tk_outcome_about *about = &tk_outcomes[verdict->outcome];
    if (verdict->outcome == TK_OUTCOME_TAKEN) {
        answer_taken(stream, verdict);
    } else {
        answer_status(
            stream, &(struct tk_rpc_status){.code = about->grpc,
                                            .message = tk_str_from(verdict->err.msg),
                                            .bad_request = verdict->outcome == TK_OUTCOME_BAD,
                                            .retry_after_s = about->retry ? TK_RETRY_AFTER_S : 0});
    }
}

/* Refuse what no sink was asked about. */
static void refuse(struct stream *stream, int code, const char *why)
{
    struct tk_worker *worker = worker_of(stream);
    tk_grpc_message_release(&stream->message, &worker->bodies);
    stream->is_refused = true;
    tk_counters_add_refusal(&worker->counters, TK_PROTOCOL_GRPC);
    answer_status(stream, &(struct tk_rpc_status){.code = code, .message = tk_str_from(why)});
}

static void refuse_http(struct stream *stream, const char *status)
{
    const nghttp2_nv headers[] = {pair(":status", tk_str_from(status))};
    stream->is_refused = true;
    tk_counters_add_refusal(&worker_of(stream)->counters, TK_PROTOCOL_GRPC);
    submit(stream, headers, TK_COUNTOF(headers), false);
}

/* A message that does not fit, or is none. */
static void refuse_message(struct stream *stream, int rc)
{
    struct tk_worker *worker = worker_of(stream);
    struct tk_verdict verdict = {.outcome = TK_OUTCOME_OVERLOADED};
    if (rc == -EBADMSG) {
        verdict.outcome = TK_OUTCOME_BAD;
        (void)tk_fail(&verdict.err, rc, "expected one message of gRPC");
    } else if (rc == -EMSGSIZE) {
        verdict.outcome = TK_OUTCOME_TOO_LARGE;
        (void)tk_fail(&verdict.err, rc, "message: %lu bytes, at most %zu are taken",
                      (unsigned long)stream->message.bytes, worker->bodies.max_bytes);
    } else {
        (void)tk_fail(&verdict.err, rc, "too many requests at once: try again");
    }
    tk_grpc_message_release(&stream->message, &worker->bodies);
    stream->is_refused = true;
    tk_counters_add_request(&worker->counters, TK_PROTOCOL_GRPC, 0, &verdict);
    answer_verdict(stream, &verdict);
}

/* Streams ----------------------------------------------------------------------------------- */

static void leave_waiting(struct stream *stream)
{
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): a stream leaves the list before it is freed */
    tk_waiting_remove(&stream->conn->http->waiting, &stream->waiter);
}

static void stream_free(struct stream *stream)
{
    leave_waiting(stream);
    *stream->at = stream->next;
    if (stream->next)
        stream->next->at = stream->at;
    stream->conn->stream_count--;
    tk_grpc_message_release(&stream->message, &worker_of(stream)->bodies);
    tk_buf_release(&stream->body);
    free(stream);
}

static struct stream *stream_new(struct tk_http2_conn *conn, int32_t id)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    if (!stream)
        return NULL;
    stream->conn = conn;
    stream->id = id;
    stream->due_ns = tk_clock_mono_ns() + conn->http->worker->options->body_ns;
    stream->deadline_ns = INT64_MAX;
    stream->signal = TK_SIGNAL_COUNT;
    tk_buf_init(&stream->body, ANSWER_MAX);
    stream->next = conn->streams;
    stream->at = &conn->streams;
    if (stream->next)
        stream->next->at = &stream->next;
    conn->streams = stream;
    conn->stream_count++;
    conn->has_begun = true;
    return stream;
}

/* The head is there: refuse at once what its message cannot mend. */
static void judge(struct stream *stream)
{
    if (!stream->is_post) {
        refuse_http(stream, "405");
    } else if (!stream->is_grpc) {
        refuse_http(stream, "415");
    } else if (stream->signal < TK_SIGNAL_COUNT) {
        tk_worker_refuse_signal(worker_of(stream), stream->signal);
        refuse(stream, GRPC_UNIMPLEMENTED, tk_signals[stream->signal].why);
    } else if (!stream->is_export) {
        refuse(stream, GRPC_UNIMPLEMENTED, "unknown service or method: spans go to " EXPORT_PATH);
    } else if (stream->has_bad_coding) {
        refuse(stream, GRPC_UNIMPLEMENTED, "grpc-encoding: expected gzip, deflate, zstd or none");
    } else if (stream->has_bad_timeout) {
        refuse(stream, GRPC_INTERNAL,
               "grpc-timeout: expected up to 8 digits and H, M, S, m, u or n");
    }
}

/* The sender waits no longer: what is not whole is dropped, and what waits for the disk may come
 * there yet, which the sender has to reckon with whenever an answer does not reach him. */
static void expire(struct stream *stream)
{
    struct tk_worker *worker = worker_of(stream);
    bool is_stored = stream->waiter.ticket > 0;
    leave_waiting(stream);
    tk_grpc_message_release(&stream->message, &worker->bodies);
    tk_buf_reset(&stream->body);
    stream->is_refused = true;
    tk_counters_add_expired(&worker->counters);
    answer_status(stream,
                  &(struct tk_rpc_status){
                      .code = GRPC_DEADLINE_EXCEEDED,
                      .message = is_stored ? TK_STR("the deadline passed before the sync")
                                           : TK_STR("the deadline passed before the message")});
}

/* The request is there to its last byte. */
static void finish(struct stream *stream)
{
    struct tk_worker *worker = worker_of(stream);
    const struct tk_grpc_message *message = &stream->message;
    if (stream->is_refused)
        return;
    if (!tk_grpc_message_ok(message)) {
        refuse_message(stream, -EBADMSG);
        return;
    }
    if (tk_clock_mono_ns() > stream->deadline_ns) {
        expire(stream);
        return;
    }
    if (message->is_compressed && stream->coding == TK_CODING_IDENTITY) {
        refuse(stream, GRPC_INTERNAL, "a compressed message without grpc-encoding");
        return;
    }
    struct tk_verdict verdict;
    struct tk_payload payload = {TK_PAYLOAD_OTLP,
                                 message->is_compressed ? stream->coding : TK_CODING_IDENTITY,
                                 {message->body.p, message->body.n}};
    stream->end_ns = tk_clock_mono_ns();
    uint64_t ticket = tk_worker_take(worker, TK_PROTOCOL_GRPC, &payload, &verdict);
    tk_grpc_message_release(&stream->message, &worker->bodies);
    if (ticket > 0) {
        tk_waiting_add(&stream->conn->http->waiting, &stream->waiter, ticket, stream->end_ns,
                       stream);
        tk_export_response_encode(&verdict.tally, false, &stream->body);
        return;
    }
    tk_counters_add_answer(&worker->counters, tk_clock_mono_ns() - stream->end_ns);
    answer_verdict(stream, &verdict);
}

/* What nghttp2 calls ------------------------------------------------------------------------ */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct tk_http2_conn *conn = user;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct stream *stream = stream_new(conn, frame->hd.stream_id);
    if (!stream)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
}

static void take_header(struct stream *stream, tk_str name, tk_str value)
{
    if (tk_str_eq(name, TK_STR(":method"))) {
        stream->is_post = tk_str_eq(value, TK_STR("POST"));
    } else if (tk_str_eq(name, TK_STR(":path"))) {
        stream->is_export = tk_str_eq(value, TK_STR(EXPORT_PATH));
        stream->signal = tk_signal_of_grpc(value);
    } else if (tk_str_eq(name, TK_STR("content-type"))) {
        stream->is_grpc = tk_str_starts_with(value, TK_STR("application/grpc"));
    } else if (tk_str_eq(name, TK_STR("grpc-encoding"))) {
        stream->has_bad_coding = !tk_coding_find(value, &stream->coding);
    } else if (tk_str_eq(name, TK_STR("grpc-timeout"))) {
        int64_t timeout_ns = 0;
        stream->has_bad_timeout = !tk_grpc_timeout_parse(value, &timeout_ns);
        stream->deadline_ns = tk_clock_mono_ns() + timeout_ns;
    }
}

/* NOLINTNEXTLINE(readability-function-size): nghttp2 says so */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags, void *user)
{
    struct stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    (void)flags;
    (void)user;
    if (!stream || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    stream->header_bytes += name_n + value_n + 32; /* as RFC 9113 section 6.5.2 counts */
    if (stream->header_bytes > HEADERS_BYTES)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    take_header(stream, (tk_str){(const char *)name, name_n},
                (tk_str){(const char *)value, value_n});
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
                   size_t n, void *user)
{
    struct stream *stream = nghttp2_session_get_stream_user_data(session, id);
    (void)flags;
    (void)user;
    if (!stream || stream->is_refused)
        return 0;
    int rc = tk_grpc_message_add(&stream->message, &worker_of(stream)->bodies,
                                 (tk_str){(const char *)bytes, n});
    if (rc < 0)
        refuse_message(stream, rc);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    (void)user;
    if (!stream || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        judge(stream);
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        finish(stream);
    return 0;
}

/* An answer that is out before the request has ended: the sender may stop (RFC 9113 section 8.1).
 */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    int32_t id = frame->hd.stream_id;
    (void)user;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->hd.flags & NGHTTP2_FLAG_END_STREAM &&
        nghttp2_session_get_stream_remote_close(session, id) == 0)
        (void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
    return 0;
}

static int on_closed(nghttp2_session *session, int32_t id, uint32_t why, void *user)
{
    struct stream *stream = nghttp2_session_get_stream_user_data(session, id);
    (void)why;
    (void)user;
    if (stream)
        stream_free(stream);
    return 0;
}

/* Connections ------------------------------------------------------------------------------- */

static void conn_free(struct tk_http2_conn *conn)
{
    struct tk_http2 *http = conn->http;
    nghttp2_session_del(conn->session); /* streams are not told of */
    for (struct stream *stream = conn->streams, *next; stream; stream = next) {
        next = stream->next;
        stream_free(stream);
    }
    tk_buf_release(&conn->output);
    (void)close(conn->fd);
    *conn->at = conn->next;
    if (conn->next)
        conn->next->at = conn->at;
    http->count--;
    tk_worker_drop(http->worker, TK_PROTOCOL_GRPC);
    free(conn);
}

static void watch_output(struct tk_http2_conn *conn, bool wanted)
{
    if (conn->wants_output == wanted)
        return;
    struct epoll_event event = {.events = EPOLLIN | (wanted ? (uint32_t)EPOLLOUT : 0U),
                                .data = {.ptr = conn}};
    (void)epoll_ctl(conn->http->worker->epoll_fd, EPOLL_CTL_MOD, conn->fd, &event);
    conn->wants_output = wanted;
    conn->due_ns = wanted ? tk_clock_mono_ns() + conn->http->worker->options->body_ns : INT64_MAX;
}

/* What the session has to say, until there is enough for one write. */
static int gather_output(struct tk_http2_conn *conn)
{
    while (conn->output.n < OUTPUT_ENOUGH) {
        const uint8_t *bytes;
        ssize_t n = nghttp2_session_mem_send(conn->session, &bytes);
        if (n <= 0)
            return n < 0 ? -EPROTO : 0;
        tk_buf_put(&conn->output, (tk_str){(const char *)bytes, (size_t)n});
    }
    return tk_buf_ok(&conn->output) ? 0 : -ENOMEM;
}

/* Write what there is to say: 0, or a failure when the connection is of no use any more. */
static int conn_write(struct tk_http2_conn *conn)
{
    for (;;) {
        int rc = gather_output(conn);
        if (rc < 0)
            return rc;
        if (conn->output.n == 0)
            break;
        ssize_t n = send(conn->fd, conn->output.p, conn->output.n, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return -errno;
        if (n > 0)
            tk_buf_consume(&conn->output, (size_t)n);
        if (conn->output.n > 0)
            break;
    }
    watch_output(conn, conn->output.n > 0);
    bool is_done = !nghttp2_session_want_read(conn->session) &&
                   !nghttp2_session_want_write(conn->session) && conn->output.n == 0;
    return is_done ? -EPIPE : 0;
}

/* Somebody speaks HTTP/1.1 to the port of gRPC. Nothing was written to him yet. */
static void tell_stranger(struct tk_http2_conn *conn)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
                               "Connection: close\r\n\r\n"
                               "this port speaks gRPC; OTLP over HTTP has its own (4318, --http)\n";
    (void)!send(conn->fd, text, sizeof(text) - 1, MSG_NOSIGNAL);
}

static int conn_read(struct tk_http2_conn *conn)
{
    for (int i = 0; i < READS_PER_STEP; i++) {
        ssize_t n = recv(conn->fd, conn->http->input, INPUT_BYTES, 0);
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n <= 0)
            return -ECONNRESET;
        conn->has_spoken = true;
        ssize_t taken =
            nghttp2_session_mem_recv(conn->session, (const uint8_t *)conn->http->input, (size_t)n);
        if (taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC) {
            tell_stranger(conn);
            return -ECONNRESET;
        }
        if (taken < 0)
            return -EPROTO;
        if ((size_t)n < INPUT_BYTES)
            return 0;
    }
    return 0;
}

void tk_http2_step(struct tk_http2_conn *conn, uint32_t events)
{
    int rc = 0;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        rc = conn_read(conn);
    if (rc == -EPROTO)
        (void)conn_write(conn); /* the session says what is wrong in a GOAWAY */
    if (rc == 0)
        rc = conn_write(conn);
    if (rc < 0)
        conn_free(conn);
}

static int conn_open(struct tk_http2_conn *conn)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, MAX_STREAMS},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_BYTES},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, FRAME_BYTES},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADERS_BYTES},
    };
    struct tk_http2 *http = conn->http;
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = conn}};
    if (nghttp2_session_server_new2(&conn->session, http->callbacks, conn, http->option) != 0)
        return -ENOMEM;
    if (nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, settings, TK_COUNTOF(settings)) !=
            0 ||
        nghttp2_session_set_local_window_size(conn->session, NGHTTP2_FLAG_NONE, 0, WINDOW_BYTES) !=
            0)
        return -ENOMEM;
    if (epoll_ctl(http->worker->epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) < 0)
        return -errno;
    return 0; /* our settings go out with the first bytes that come: to no stranger */
}

void tk_http2_add(struct tk_http2 *http, int fd)
{
    struct tk_http2_conn *conn = calloc(1, sizeof(*conn));
    if (!conn) {
        (void)close(fd);
        tk_worker_drop(http->worker, TK_PROTOCOL_GRPC);
        return;
    }
    conn->http = http;
    conn->fd = fd;
    tk_buf_init(&conn->output, OUTPUT_MAX);
    conn->next = http->conns;
    conn->at = &http->conns;
    if (conn->next)
        conn->next->at = &conn->next;
    http->conns = conn;
    http->count++;
    conn->due_ns = tk_clock_mono_ns() + http->worker->options->head_ns;
    if (conn_open(conn) < 0)
        conn_free(conn);
}

/* Object ------------------------------------------------------------------------------------ */

static int new_callbacks(struct tk_http2 *http)
{
    if (nghttp2_session_callbacks_new(&http->callbacks) != 0 ||
        nghttp2_option_new(&http->option) != 0)
        return -ENOMEM;
    nghttp2_session_callbacks_set_on_begin_headers_callback(http->callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(http->callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(http->callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(http->callbacks, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(http->callbacks, on_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(http->callbacks, on_closed);
    return 0;
}

/* The answer of a request that was taken, whose response stands in the body. */
static void answer_settled(struct stream *stream)
{
    struct tk_buf message = stream->body;
    const nghttp2_nv headers[] = {pair(":status", TK_STR("200")),
                                  pair("content-type", TK_STR("application/grpc"))};
    tk_buf_init(&stream->body, ANSWER_MAX);
    tk_grpc_put_prefix(&stream->body, message.n);
    tk_buf_put(&stream->body, tk_buf_str(&message));
    tk_buf_release(&message);
    submit(stream, headers, TK_COUNTOF(headers), true);
}

/* For tk_waiting. */
static void answer_waiter(void *owner, const struct tk_verdict *verdict)
{
    struct stream *stream = owner;
    struct tk_http2_conn *conn = stream->conn;
    tk_counters_add_answer(&conn->http->worker->counters, tk_clock_mono_ns() - stream->end_ns);
    if (verdict) {
        tk_buf_reset(&stream->body);
        answer_verdict(stream, verdict);
    } else {
        answer_settled(stream);
    }
    if (conn_write(conn) < 0)
        conn_free(conn);
}

int tk_http2_new(struct tk_worker *worker, struct tk_http2 **ret_http, struct tk_err *err)
{
    struct tk_http2 *http = calloc(1, sizeof(*http));
    if (!http)
        return tk_fail(err, -ENOMEM, "gRPC: out of memory");
    http->worker = worker;
    http->waiting = (struct tk_waiting){.worker = worker, .answer = answer_waiter};
    http->input = malloc(INPUT_BYTES);
    if (!http->input || new_callbacks(http) < 0) {
        tk_http2_free(http);
        return tk_fail(err, -ENOMEM, "gRPC: out of memory");
    }
    *ret_http = http;
    return 0;
}

void tk_http2_free(struct tk_http2 *http)
{
    if (!http)
        return;
    for (struct tk_http2_conn *conn = http->conns, *next; conn; conn = next) {
        next = conn->next;
        conn_free(conn);
    }
    nghttp2_session_callbacks_del(http->callbacks);
    nghttp2_option_del(http->option);
    free(http->input);
    free(http);
}

/* Deadlines and waiting --------------------------------------------------------------------- */

void tk_http2_settle(struct tk_http2 *http, const struct tk_sync_state *state)
{
    tk_waiting_settle(&http->waiting, state);
}

static void sweep_streams(struct tk_http2_conn *conn, int64_t now_ns)
{
    for (struct stream *stream = conn->streams; stream; stream = stream->next) {
        if (now_ns > stream->deadline_ns && !stream->is_answered)
            expire(stream);
        if (now_ns <= stream->due_ns || stream->waiter.ticket > 0)
            continue;
        stream->due_ns = INT64_MAX;
        tk_counters_add_slow(&conn->http->worker->counters);
        (void)nghttp2_submit_rst_stream(conn->session, NGHTTP2_FLAG_NONE, stream->id,
                                        NGHTTP2_CANCEL);
    }
}

/* False when it is to be closed. */
static bool sweep(struct tk_http2_conn *conn, int64_t now_ns)
{
    bool is_stuck = conn->wants_output || !conn->has_begun;
    if (is_stuck && now_ns > conn->due_ns) {
        tk_counters_add_slow(&conn->http->worker->counters);
        return false;
    }
    if (!conn->has_spoken)
        return !conn->http->worker->stopping;
    sweep_streams(conn, now_ns);
    if (conn->http->worker->stopping && !conn->is_ending) {
        /* Streams up to the last one that came are still answered. */
        int32_t last = nghttp2_session_get_last_proc_stream_id(conn->session);
        (void)nghttp2_submit_goaway(conn->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL,
                                    0);
        conn->is_ending = true;
    }
    return conn_write(conn) == 0 && !(conn->is_ending && conn->stream_count == 0);
}

void tk_http2_sweep(struct tk_http2 *http, int64_t now_ns, bool all)
{
    tk_waiting_give_up(&http->waiting, now_ns);
    for (struct tk_http2_conn *conn = http->conns; conn;) {
        struct tk_http2_conn *next = conn->next;
        if (all || !sweep(conn, now_ns))
            conn_free(conn);
        conn = next;
    }
}

size_t tk_http2_count(const struct tk_http2 *http)
{
    return http->count;
}
