/* SPDX-License-Identifier: Apache-2.0 */
/* Our client of gRPC against a server of libnghttp2, both in memory. */
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "load/exchange_internal.h"
#include "tk_test.h"

#define CALLS 4

static const struct tk_load_target target = {
    .authority = "h:1", .path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"};

/* What the server does with each call, and what it saw. */
struct server {
    nghttp2_session *session;
    const char *status;  /* grpc-status; NULL = reset the stream with `reset` */
    const char *message; /* grpc-message; NULL = none */
    uint32_t reset;
    bool goes_away; /* GOAWAY with the first answer */
    struct tk_buf headers;
    struct tk_buf bodies;
    int calls;
};

/* The client's side. */
struct client {
    void *state;
    int answers;
    int grpc_status[CALLS];
    int http_status[CALLS];
    char message[64];
};

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags, void *user)
{
    struct server *server = user;
    (void)session;
    (void)frame;
    (void)flags;
    tk_buf_printf(&server->headers, "%.*s: %.*s\n", (int)name_n, (const char *)name, (int)value_n,
                  (const char *)value);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t n, void *user)
{
    struct server *server = user;
    (void)session;
    (void)flags;
    (void)stream_id;
    tk_buf_put(&server->bodies, (tk_str){(const char *)data, n});
    return 0;
}

static nghttp2_nv pair(const char *name, const char *value)
{
    union {
        const char *text;
        uint8_t *bytes;
    } name_bytes = {name}, value_bytes = {value};
    return (nghttp2_nv){name_bytes.bytes, value_bytes.bytes, strlen(name), strlen(value), 0};
}

/* The call has come: answer by trailers only. */
static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct server *server = user;
    if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) || frame->hd.type != NGHTTP2_DATA)
        return 0;
    server->calls++;
    if (!server->status)
        return nghttp2_submit_rst_stream(session, 0, frame->hd.stream_id, server->reset);
    const nghttp2_nv headers[] = {pair(":status", "200"), pair("content-type", "application/grpc"),
                                  pair("grpc-status", server->status),
                                  pair("grpc-message", server->message ? server->message : "")};
    if (server->goes_away)
        (void)nghttp2_submit_goaway(session, 0, frame->hd.stream_id, 0, NULL, 0);
    return nghttp2_submit_response(session, frame->hd.stream_id, headers, server->message ? 4 : 3,
                                   NULL);
}

static void server_init(struct server *server)
{
    nghttp2_session_callbacks *callbacks;
    tk_buf_init(&server->headers, 1 << 20);
    tk_buf_init(&server->bodies, 1 << 24);
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    assert_int_equal(nghttp2_session_server_new(&server->session, callbacks, server), 0);
    nghttp2_session_callbacks_del(callbacks);
    assert_int_equal(nghttp2_submit_settings(server->session, 0, NULL, 0), 0);
}

static void server_release(struct server *server)
{
    nghttp2_session_del(server->session);
    tk_buf_release(&server->headers);
    tk_buf_release(&server->bodies);
}

static void take_answer(void *user, size_t slot, const struct tk_load_answer *answer)
{
    struct client *client = user;
    client->answers++;
    client->grpc_status[slot] = answer->grpc_status;
    client->http_status[slot] = answer->http_status;
    (void)tk_str_to_cstr(answer->message, client->message, sizeof(client->message));
}

static void client_init(struct client *client, bool gzip)
{
    struct tk_err err;
    const struct tk_exchange_opts opts = {.target = &target,
                                          .gzip = gzip,
                                          .streams = CALLS,
                                          .on_answer = take_answer,
                                          .user = client};
    assert_int_equal(tk_exchange_grpc.open(&opts, &client->state, &err), 0);
}

/* Carry bytes to and fro, `step` at a time, until both are silent, or the connection is over. */
static void carry(struct client *client, struct server *server, size_t step)
{
    struct tk_err err;
    for (bool moved = true; moved;) {
        tk_str pieces[2];
        const uint8_t *bytes;
        moved = false;
        if (tk_exchange_grpc.output(client->state, pieces, &err) < 0)
            return;
        size_t n = pieces[0].n < step ? pieces[0].n : step;
        if (n > 0) {
            moved = true;
            assert_int_equal(
                nghttp2_session_mem_recv(server->session, (const uint8_t *)pieces[0].p, n), n);
            tk_exchange_grpc.sent(client->state, n);
        }
        ssize_t got = nghttp2_session_mem_send(server->session, &bytes);
        for (size_t done = 0; got > 0 && done < (size_t)got; done += step) {
            size_t left = (size_t)got - done;
            tk_str part = {(const char *)bytes + done, left < step ? left : step};
            moved = true;
            assert_int_equal(tk_exchange_grpc.input(client->state, part, &err), 0);
        }
    }
}

static void a_call_is_what_grpc_wants(void **state)
{
    (void)state;
    for (int gzip = 0; gzip <= 1; gzip++) {
        struct server server = {.status = "0"};
        struct client client = {0};
        struct tk_err err;
        server_init(&server);
        client_init(&client, gzip);
        assert_int_equal(tk_exchange_grpc.submit(client.state, 2, TK_STR("body"), &err), 0);
        carry(&client, &server, 1 << 20);
        assert_int_equal(client.answers, 1);
        assert_int_equal(client.grpc_status[2], 0);
        assert_int_equal(client.http_status[2], 200);
        tk_buf_putc(&server.headers, '\0');
        assert_string_equal(
            server.headers.p,
            gzip ? ":method: POST\n:scheme: http\n"
                   ":path: /opentelemetry.proto.collector.trace.v1.TraceService/Export\n"
                   ":authority: h:1\nte: trailers\ncontent-type: application/grpc\n"
                   "user-agent: tracekit/" TK_VERSION "\ngrpc-encoding: gzip\n"
                 : ":method: POST\n:scheme: http\n"
                   ":path: /opentelemetry.proto.collector.trace.v1.TraceService/Export\n"
                   ":authority: h:1\nte: trailers\ncontent-type: application/grpc\n"
                   "user-agent: tracekit/" TK_VERSION "\ngrpc-encoding: identity\n");
        assert_int_equal(server.bodies.n, 9);
        assert_memory_equal(server.bodies.p, gzip ? "\1\0\0\0\4body" : "\0\0\0\0\4body", 9);
        tk_exchange_grpc.close(client.state);
        server_release(&server);
    }
}

static void calls_share_a_connection_cut_anywhere(void **state)
{
    (void)state;
    static char body[300000]; /* more than the windows that a server has without asking */
    for (size_t step = 1; step < 200000; step = step * 3 + 1000) {
        struct server server = {.status = "14", .message = "later"};
        struct client client = {0};
        struct tk_err err;
        memset(body, 'x', sizeof(body));
        server_init(&server);
        client_init(&client, false);
        for (size_t slot = 0; slot < CALLS; slot++) {
            tk_str text = {body, sizeof(body) - slot};
            assert_int_equal(tk_exchange_grpc.submit(client.state, slot, text, &err), 0);
        }
        carry(&client, &server, step);
        assert_int_equal(client.answers, CALLS);
        assert_int_equal(server.bodies.n, CALLS * (sizeof(body) + 5) - 6);
        for (size_t slot = 0; slot < CALLS; slot++)
            assert_int_equal(client.grpc_status[slot], 14);
        assert_string_equal(client.message, "later");
        tk_exchange_grpc.close(client.state);
        server_release(&server);
    }
}

static void a_reset_stream_counts_as_its_code_says(void **state)
{
    (void)state;
    static const struct {
        uint32_t reset;
        int status;
    } cases[] = {
        {NGHTTP2_REFUSED_STREAM, 14},
        {NGHTTP2_CANCEL, 1},
        {NGHTTP2_ENHANCE_YOUR_CALM, 8},
        {NGHTTP2_INTERNAL_ERROR, 13},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct server server = {.reset = cases[i].reset};
        struct client client = {0};
        struct tk_err err;
        server_init(&server);
        client_init(&client, false);
        assert_int_equal(tk_exchange_grpc.submit(client.state, 0, TK_STR("body"), &err), 0);
        carry(&client, &server, 1 << 20);
        assert_int_equal(client.answers, 1);
        assert_int_equal(client.grpc_status[0], cases[i].status);
        tk_exchange_grpc.close(client.state);
        server_release(&server);
    }
}

static void a_server_that_goes_away_gets_no_more_calls(void **state)
{
    (void)state;
    struct server server = {.status = "0", .goes_away = true};
    struct client client = {0};
    struct tk_err err;
    server_init(&server);
    client_init(&client, false);
    assert_false(tk_exchange_grpc.is_closing(client.state));
    assert_int_equal(tk_exchange_grpc.submit(client.state, 0, TK_STR("body"), &err), 0);
    carry(&client, &server, 1 << 20);
    assert_int_equal(client.answers, 1);
    assert_int_equal(client.grpc_status[0], 0);
    assert_true(tk_exchange_grpc.is_closing(client.state));
    tk_exchange_grpc.close(client.state);
    server_release(&server);
}

/* What is left to be said is said before: GOAWAY. */
static void what_is_no_http2_ends_the_connection(void **state)
{
    (void)state;
    struct client client = {0};
    struct tk_err err;
    tk_str pieces[2];
    int rc;
    client_init(&client, false);
    assert_int_equal(tk_exchange_grpc.submit(client.state, 0, TK_STR("body"), &err), 0);
    rc = tk_exchange_grpc.input(client.state, TK_STR("HTTP/1.1 400 Bad Request\r\n\r\n"), &err);
    for (int i = 0; i < 10 && rc == 0; i++) {
        rc = tk_exchange_grpc.output(client.state, pieces, &err);
        tk_exchange_grpc.sent(client.state, rc == 0 ? pieces[0].n : 0);
    }
    assert_int_equal(rc, -EBADMSG);
    assert_string_equal(err.msg, "HTTP/2: the connection is over");
    tk_exchange_grpc.close(client.state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_what_grpc_wants),
        cmocka_unit_test(calls_share_a_connection_cut_anywhere),
        cmocka_unit_test(a_reset_stream_counts_as_its_code_says),
        cmocka_unit_test(a_server_that_goes_away_gets_no_more_calls),
        cmocka_unit_test(what_is_no_http2_ends_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
