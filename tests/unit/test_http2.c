/* SPDX-License-Identifier: Apache-2.0 */
/* The server over gRPC, by a client of nghttp2 that can do what no SDK would: split its bytes
 * anywhere, lie about lengths, stop in the middle. */
#include <nghttp2/nghttp2.h>

#include "hanging_sync.h"
#include "served.h"

#define EXPORT         "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
#define FRAME(message) "\0\0\0\0" message

/* What came of a stream. */
struct reply {
    char status[8], grpc_status[8], message[256], details[512], codings[64], type[64];
    char body[256];
    size_t body_n;
    bool is_closed, has_ended;
    uint32_t error; /* of RST_STREAM */
};

struct client {
    nghttp2_session *session;
    nghttp2_session_callbacks *callbacks;
    int fd;
    struct reply reply; /* of the last stream */
    tk_str body;        /* to be sent */
    bool never_ends;    /* the request stays open */
    bool has_goaway, has_pong;
    size_t piece; /* bytes of one write */
};

struct call {
    const char *method, *path, *type, *coding, *timeout;
    tk_str body;
    bool never_ends;
};

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags, void *user)
{
    struct reply *reply = &((struct client *)user)->reply;
    const struct {
        const char *name;
        char *to;
        size_t cap;
    } all[] = {
        {":status", reply->status, sizeof(reply->status)},
        {"grpc-status", reply->grpc_status, sizeof(reply->grpc_status)},
        {"grpc-message", reply->message, sizeof(reply->message)},
        {"grpc-status-details-bin", reply->details, sizeof(reply->details)},
        {"grpc-accept-encoding", reply->codings, sizeof(reply->codings)},
        {"content-type", reply->type, sizeof(reply->type)},
    };
    (void)session, (void)frame, (void)flags;
    for (size_t i = 0; i < TK_COUNTOF(all); i++) {
        if (strlen(all[i].name) == name_n && memcmp(all[i].name, name, name_n) == 0)
            (void)tk_str_to_cstr((tk_str){(const char *)value, value_n}, all[i].to, all[i].cap);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
                   size_t n, void *user)
{
    struct reply *reply = &((struct client *)user)->reply;
    (void)session, (void)flags, (void)id;
    assert_true(reply->body_n + n <= sizeof(reply->body));
    memcpy(reply->body + reply->body_n, bytes, n);
    reply->body_n += n;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct client *client = user;
    (void)session;
    client->has_goaway |= frame->hd.type == NGHTTP2_GOAWAY;
    client->has_pong |= frame->hd.type == NGHTTP2_PING && frame->hd.flags & NGHTTP2_FLAG_ACK;
    client->reply.has_ended |= frame->hd.stream_id > 0 && frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    return 0;
}

static int on_closed(nghttp2_session *session, int32_t id, uint32_t error, void *user)
{
    struct client *client = user;
    (void)session, (void)id;
    client->reply.is_closed = true;
    client->reply.error = error;
    return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t cap,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct client *client = user;
    (void)session, (void)id, (void)source;
    size_t n = client->body.n < cap ? client->body.n : cap;
    if (n == 0 && client->never_ends)
        return NGHTTP2_ERR_DEFERRED;
    memcpy(to, client->body.p, n);
    client->body = (tk_str){client->body.p + n, client->body.n - n};
    if (client->body.n == 0 && !client->never_ends)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static void client_open(struct client *client, const struct served *served)
{
    *client = (struct client){.fd = served_connect(served, TK_PROTOCOL_GRPC), .piece = 65536};
    assert_int_equal(nghttp2_session_callbacks_new(&client->callbacks), 0);
    nghttp2_session_callbacks_set_on_header_callback(client->callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(client->callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(client->callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(client->callbacks, on_closed);
    assert_int_equal(nghttp2_session_client_new(&client->session, client->callbacks, client), 0);
    assert_int_equal(nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, NULL, 0), 0);
}

static void client_close(struct client *client)
{
    nghttp2_session_del(client->session);
    nghttp2_session_callbacks_del(client->callbacks);
    (void)close(client->fd);
}

static void client_write(struct client *client)
{
    const uint8_t *bytes;
    for (ssize_t n; (n = nghttp2_session_mem_send(client->session, &bytes)) > 0;) {
        for (size_t i = 0; i < (size_t)n; i += client->piece) {
            size_t left = (size_t)n - i;
            served_send(client->fd, bytes + i, left < client->piece ? left : client->piece);
        }
    }
}

/* Send and receive until `done`; false when the server has closed the connection. */
static bool client_step(struct client *client, const bool *done)
{
    uint8_t buf[16384];
    struct pollfd ready = {.fd = client->fd, .events = POLLIN};
    client_write(client);
    while (!*done) {
        assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
        ssize_t n = read(client->fd, buf, sizeof(buf));
        if (n <= 0)
            return false;
        assert_int_equal(nghttp2_session_mem_recv(client->session, buf, (size_t)n), n);
        client_write(client);
    }
    return true;
}

static nghttp2_nv pair(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static void client_submit(struct client *client, const struct call *call)
{
    nghttp2_nv headers[8] = {
        pair(":method", call->method ? call->method : "POST"),
        pair(":scheme", "http"),
        pair(":authority", "a"),
        pair(":path", call->path ? call->path : EXPORT),
        pair("te", "trailers"),
        pair("content-type", call->type ? call->type : "application/grpc"),
    };
    size_t count = 6;
    if (call->coding)
        headers[count++] = pair("grpc-encoding", call->coding);
    if (call->timeout)
        headers[count++] = pair("grpc-timeout", call->timeout);
    nghttp2_data_provider provider = {.read_callback = read_body};
    client->body = call->body;
    client->never_ends = call->never_ends;
    client->reply = (struct reply){.status = ""};
    assert_true(nghttp2_submit_request(client->session, NULL, headers, count, &provider, NULL) > 0);
}

/* One call on a connection of its own. */
static struct reply client_call(const struct served *served, const struct call *call, size_t piece)
{
    struct client client;
    client_open(&client, served);
    client.piece = piece;
    client_submit(&client, call);
    assert_true(client_step(&client, &client.reply.is_closed));
    client_close(&client);
    return client.reply;
}

static tk_str span_frame(char buf[SERVED_SPAN_BYTES + 5])
{
    memcpy(buf, "\0\0\0\0", 4);
    buf[4] = (char)SERVED_SPAN_BYTES;
    memcpy(buf + 5, served_span, SERVED_SPAN_BYTES);
    return (tk_str){buf, SERVED_SPAN_BYTES + 5};
}

/* Tests ------------------------------------------------------------------------------------- */

static void spans_are_taken_however_the_bytes_are_split(void **state)
{
    (void)state;
    struct served served;
    char frame[SERVED_SPAN_BYTES + 5];
    uint64_t calls = 0;
    served_start(&served, (struct tk_server_options){.workers = 1});
    for (size_t piece = 1; piece < 128; piece += piece < 16 ? 1 : 37) {
        struct call call = {.body = span_frame(frame)};
        struct reply reply = client_call(&served, &call, piece);
        assert_string_equal(reply.status, "200");
        assert_string_equal(reply.grpc_status, "0");
        assert_string_equal(reply.type, "application/grpc");
        assert_int_equal(reply.body_n, 5);
        assert_memory_equal(reply.body, "\0\0\0\0\0", 5);
        assert_int_equal(reply.error, 0);
        calls++;
    }
    struct tk_metrics metrics = served_stop(&served);
    assert_int_equal(metrics.counts.spans.spans, calls);
    assert_int_equal(metrics.segments.spans, calls);
}

static void each_row_of_the_table_has_its_answer(void **state)
{
    (void)state;
    static const struct {
        struct call call;
        const char *status, *grpc_status, *message;
    } cases[] = {
        {{.body = {FRAME("\0"), 5}}, "200", "0", ""}, /* an empty request is fine */
        {{.type = "application/grpc+proto", .body = {FRAME("\0"), 5}}, "200", "0", ""},
        {{.type = "application/json", .body = {FRAME("\0"), 5}}, "415", "", ""},
        {{.method = "PUT", .body = {FRAME("\0"), 5}}, "405", "", ""},
        {{.path = "/a.B/Export", .body = {FRAME("\0"), 5}},
         "200",
         "12",
         "unknown service or method: spans go to " EXPORT},
        {{.path = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
          .body = {FRAME("\0"), 5}},
         "200",
         "12",
         "metrics are not stored here, spans are: OTEL_METRICS_EXPORTER=none stops an agent that "
         "sends them"},
        {{.path = "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
          .body = {FRAME("\0"), 5}},
         "200",
         "12",
         "logs are not stored here, spans are: OTEL_LOGS_EXPORTER=none stops an agent that sends "
         "them"},
        {{.coding = "br", .body = {FRAME("\0"), 5}},
         "200",
         "12",
         "grpc-encoding: expected gzip, deflate, zstd or none"},
        {{.body = {"\1\0\0\0\0", 5}}, "200", "13", "a compressed message without grpc-encoding"},
        {{.coding = "identity", .body = {"\1\0\0\0\0", 5}},
         "200",
         "13",
         "a compressed message without grpc-encoding"},
        {{.body = {"\2\0\0\0\0", 5}}, "200", "3", "expected one message of gRPC"},
        {{.body = {FRAME("\2x"), 6}}, "200", "3", "expected one message of gRPC"},
        {{.body = {"", 0}}, "200", "3", "expected one message of gRPC"},
        {{.body = {FRAME("\1xy"), 7}}, "200", "3", "expected one message of gRPC"},
        {{.body = {FRAME("\2\x0A\x7F"), 7}}, "200", "3", NULL},
        {{.coding = "gzip", .body = {"\1\0\0\0\2xx", 7}},
         "200",
         "3",
         "body, byte 0: expected a gzip stream"},
        {{.body = {"\0\0\1\206\241", 5}},
         "200",
         "8",
         "message: 100001 bytes, at most 100000 are taken"},
    };
    struct served served;
    served_start(&served, (struct tk_server_options){.workers = 1, .max_body_bytes = 100000});
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct reply reply = client_call(&served, &cases[i].call, 65536);
        assert_string_equal(reply.status, cases[i].status);
        assert_string_equal(reply.grpc_status, cases[i].grpc_status);
        if (cases[i].message)
            assert_string_equal(reply.message, cases[i].message);
        /* RetryInfo would tell senders to try 8 again. */
        assert_null(strstr(reply.details, "cmV0cnk")); /* NOLINT: "retry" in base64 */
    }
    (void)served_stop(&served);
}

static void overload_is_unavailable_and_says_when_to_try_again(void **state)
{
    (void)state;
    struct served served;
    struct client holder;
    struct call half = {.body = {"\0\0\1\200\0half", 9}, .never_ends = true};
    struct reply reply;
    char frame[SERVED_SPAN_BYTES + 5];
    served_start(&served, (struct tk_server_options){
                              .workers = 1, .max_body_bytes = 100000, .budget_bytes = 100000});
    client_open(&holder, &served);
    client_submit(&holder, &half);
    client_write(&holder);
    do {
        struct call call = {.body = span_frame(frame)};
        reply = client_call(&served, &call, 65536);
    } while (strcmp(reply.grpc_status, "0") == 0);
    assert_string_equal(reply.grpc_status, "14");
    assert_string_equal(reply.message, "too many requests at once: try again");
    /* Status { code 14, message, details { type_url RetryInfo, value { retry_delay { 1 s } } } } */
    assert_memory_equal(reply.details, "CA4SJHRvbyBtYW55IHJlcXVlc3RzIGF0IG9uY2U6IHRyeSBhZ2Fpbho",
                        55);
    client_close(&holder);
    do {
        struct call call = {.body = span_frame(frame)};
        reply = client_call(&served, &call, 65536);
    } while (strcmp(reply.grpc_status, "14") == 0);
    assert_string_equal(reply.grpc_status, "0");
    (void)served_stop(&served);
}

static void a_disk_that_hangs_is_unavailable_and_nothing_is_lost(void **state)
{
    (void)state;
    struct served served;
    struct reply reply;
    char frame[SERVED_SPAN_BYTES + 5];
    unsigned taken = 0;
    served_start(&served,
                 (struct tk_server_options){.workers = 1, .segments = {.segment_rows = 4}});
    served_block_disk(&served);
    for (;; taken++) {
        struct call call = {.body = span_frame(frame)};
        reply = client_call(&served, &call, 65536);
        if (strcmp(reply.grpc_status, "0") != 0)
            break;
    }
    assert_int_equal(taken, 12); /* two that wait, and one that is full */
    assert_string_equal(reply.grpc_status, "14");
    assert_string_equal(reply.message, "segments are written slower than spans come: try again");
    assert_non_null(strstr(reply.details, "UmV0cnlJbmZv")); /* "RetryInfo" in base64 */
    served_free_disk(&served);
    do {
        struct call call = {.body = span_frame(frame)};
        reply = client_call(&served, &call, 65536);
    } while (strcmp(reply.grpc_status, "0") != 0);
    struct tk_metrics metrics = served_stop(&served);
    assert_true(metrics.counts.requests[TK_PROTOCOL_GRPC][TK_OUTCOME_OVERLOADED] > 0);
    assert_int_equal(metrics.counts.spans.spans, 13);
    assert_int_equal(metrics.segments.spans, 13);
}

static void a_sync_that_hangs_is_unavailable_in_time_and_nothing_is_lost(void **state)
{
    (void)state;
    struct served served;
    struct reply reply;
    char frame[SERVED_SPAN_BYTES + 5];
    struct call call = {.body = span_frame(frame)};
    served_start(&served, (struct tk_server_options){.workers = 1,
                                                     .ack = TK_ACK_FSYNC,
                                                     .sync_wait_ns = 900 * TK_NS_PER_MS,
                                                     .segments = {.segment_rows = 1}});
    assert_string_equal(client_call(&served, &call, 65536).grpc_status, "0");
    atomic_store(&syncs_hang, true);
    for (int i = 0; i < 5; i++) {
        reply = client_call(&served, &call, 65536);
        assert_string_equal(reply.grpc_status, "14");
        assert_string_equal(reply.message,
                            "the disk hangs, a sync takes longer than 900 ms: try again");
        assert_non_null(strstr(reply.details, "JldHJ5SW5mb")); /* "RetryInfo" in base64 */
        assert_int_equal(reply.body_n, 0);
    }
    atomic_store(&syncs_hang, false);
    do
        reply = client_call(&served, &call, 65536);
    while (strcmp(reply.grpc_status, "0") != 0);
    struct tk_metrics metrics = served_stop(&served);
    assert_int_equal(metrics.counts.unsynced, 1);
    assert_true(metrics.counts.requests[TK_PROTOCOL_GRPC][TK_OUTCOME_FAILED] >= 4);
    assert_int_equal(metrics.counts.spans.spans, 3);
    assert_int_equal(metrics.segments.spans, 3);
}

static void a_deadline_ends_what_is_not_whole(void **state)
{
    (void)state;
    struct served served;
    char frame[SERVED_SPAN_BYTES + 5];
    struct call slow = {.body = {FRAME("\x09half"), 9}, .never_ends = true, .timeout = "50m"};
    struct call late = {.body = span_frame(frame), .timeout = "0n"};
    struct call early = {.body = span_frame(frame), .timeout = "1H"};
    struct call bad = {.body = span_frame(frame), .timeout = "soon"};
    served_start(&served, (struct tk_server_options){.workers = 1});
    struct reply reply = client_call(&served, &slow, 65536);
    assert_string_equal(reply.grpc_status, "4");
    assert_string_equal(reply.message, "the deadline passed before the message");
    assert_string_equal(client_call(&served, &late, 65536).grpc_status, "4");
    assert_string_equal(client_call(&served, &early, 65536).grpc_status, "0");
    reply = client_call(&served, &bad, 65536);
    assert_string_equal(reply.grpc_status, "13");
    assert_string_equal(reply.message,
                        "grpc-timeout: expected up to 8 digits and H, M, S, m, u or n");
    struct tk_metrics metrics = served_stop(&served);
    assert_int_equal(metrics.counts.expired, 2);
    assert_int_equal(metrics.counts.spans.spans, 1);
}

static void a_deadline_ends_the_wait_for_the_disk(void **state)
{
    (void)state;
    struct served served;
    char frame[SERVED_SPAN_BYTES + 5];
    struct call first = {.body = span_frame(frame)};
    struct call second = {.body = span_frame(frame), .timeout = "1S"};
    /* The second sync begins long after the first one. */
    served_start(&served, (struct tk_server_options){
                              .workers = 1, .ack = TK_ACK_FSYNC, .sync_ns = 4 * TK_NS_PER_S});
    assert_string_equal(client_call(&served, &first, 65536).grpc_status, "0");
    struct reply reply = client_call(&served, &second, 65536);
    assert_string_equal(reply.grpc_status, "4");
    assert_string_equal(reply.message, "the deadline passed before the sync");
    struct tk_metrics metrics = served_stop(&served);
    assert_int_equal(metrics.counts.expired, 1);
    assert_int_equal(metrics.segments.spans, 2); /* it is stored all the same */
}

static void an_early_answer_ends_the_request_without_an_error(void **state)
{
    (void)state;
    struct served served;
    struct call call = {.path = "/a.B/C", .body = {FRAME("\x09half"), 9}, .never_ends = true};
    served_start(&served, (struct tk_server_options){.workers = 1});
    struct reply reply = client_call(&served, &call, 65536);
    assert_string_equal(reply.grpc_status, "12");
    assert_true(reply.has_ended);
    assert_int_equal(reply.error, NGHTTP2_NO_ERROR);
    (void)served_stop(&served);
}

static void a_request_that_never_ends_is_cancelled(void **state)
{
    (void)state;
    struct served served;
    struct call call = {.body = {FRAME("\x09half"), 9}, .never_ends = true};
    served_start(&served, (struct tk_server_options){.workers = 1, .body_ns = 100 * TK_NS_PER_MS});
    struct reply reply = client_call(&served, &call, 65536);
    assert_int_equal(reply.error, NGHTTP2_CANCEL);
    struct tk_metrics metrics = served_stop(&served);
    assert_int_equal(metrics.counts.closed_slow, 1);
}

static void who_says_nothing_is_cut_off(void **state)
{
    (void)state;
    struct served served;
    char buf[1024];
    served_start(&served, (struct tk_server_options){.workers = 1, .head_ns = 100 * TK_NS_PER_MS});
    int fd = served_connect(&served, TK_PROTOCOL_GRPC);
    assert_true(served_read(fd, NULL, 0, buf, sizeof(buf)));
    (void)close(fd);
    (void)served_stop(&served);
}

static void long_heads_are_refused(void **state)
{
    (void)state;
    static char path[10000];
    struct served served;
    memset(path, 'a', sizeof(path) - 1);
    path[0] = '/';
    struct call call = {.path = path, .body = {FRAME("\0"), 5}};
    served_start(&served, (struct tk_server_options){.workers = 1});
    struct reply reply = client_call(&served, &call, 65536);
    assert_string_equal(reply.status, "");
    assert_int_equal(reply.error, NGHTTP2_INTERNAL_ERROR);
    (void)served_stop(&served);
}

static void who_speaks_another_protocol_is_told_so(void **state)
{
    (void)state;
    struct served served;
    char buf[1024];
    static const char request[] = "POST /v1/traces HTTP/1.1\r\nHost: a\r\n\r\n";
    served_start(&served, (struct tk_server_options){.workers = 1});
    int fd = served_connect(&served, TK_PROTOCOL_GRPC);
    served_send(fd, request, sizeof(request) - 1);
    (void)served_read(fd, "--http)", 1, buf, sizeof(buf));
    assert_non_null(strstr(buf, "HTTP/1.1 400 Bad Request\r\n"));
    assert_non_null(strstr(buf, "this port speaks gRPC"));
    (void)close(fd);
    (void)served_stop(&served);
}

static void the_end_is_announced_and_what_is_under_way_is_answered(void **state)
{
    (void)state;
    struct served served;
    struct client client;
    struct call call = {.body = {FRAME("\0"), 4}, .never_ends = true};
    uint64_t one = 1;
    served_start(&served, (struct tk_server_options){.workers = 1});
    client_open(&client, &served);
    client_submit(&client, &call);
    client_write(&client);
    /* The server has the stream once it answers a ping that comes after it. */
    assert_int_equal(nghttp2_submit_ping(client.session, NGHTTP2_FLAG_NONE, NULL), 0);
    assert_true(client_step(&client, &client.has_pong));
    assert_int_equal(write(served.stop_fd, &one, sizeof(one)), sizeof(one));
    assert_true(client_step(&client, &client.has_goaway));
    client.body = TK_STR("\0");
    client.never_ends = false;
    assert_int_equal(nghttp2_session_resume_data(client.session, 1), 0);
    assert_true(client_step(&client, &client.reply.is_closed));
    assert_string_equal(client.reply.grpc_status, "0");
    client_close(&client);
    (void)served_stop(&served);
}

static void answers_wait_for_the_disk(void **state)
{
    (void)state;
    struct served served;
    struct client client;
    char frame[SERVED_SPAN_BYTES + 5];
    served_start(&served, (struct tk_server_options){
                              .workers = 1, .ack = TK_ACK_FSYNC, .sync_ns = TK_NS_PER_MS});
    client_open(&client, &served);
    for (int i = 0; i < 50; i++) {
        struct call call = {.body = span_frame(frame)};
        client_submit(&client, &call);
        assert_true(client_step(&client, &client.reply.is_closed));
        assert_string_equal(client.reply.grpc_status, "0");
        assert_int_equal(client.reply.body_n, 5);
    }
    /* One that leaves while it waits. */
    struct call call = {.body = span_frame(frame)};
    client_submit(&client, &call);
    client_write(&client);
    client_close(&client);
    struct tk_metrics metrics = served_stop(&served);
    assert_true(metrics.counts.spans.spans >= 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_are_taken_however_the_bytes_are_split),
        cmocka_unit_test(each_row_of_the_table_has_its_answer),
        cmocka_unit_test(overload_is_unavailable_and_says_when_to_try_again),
        cmocka_unit_test(a_disk_that_hangs_is_unavailable_and_nothing_is_lost),
        cmocka_unit_test(a_sync_that_hangs_is_unavailable_in_time_and_nothing_is_lost),
        cmocka_unit_test(a_deadline_ends_what_is_not_whole),
        cmocka_unit_test(a_deadline_ends_the_wait_for_the_disk),
        cmocka_unit_test(an_early_answer_ends_the_request_without_an_error),
        cmocka_unit_test(a_request_that_never_ends_is_cancelled),
        cmocka_unit_test(who_says_nothing_is_cut_off),
        cmocka_unit_test(long_heads_are_refused),
        cmocka_unit_test(who_speaks_another_protocol_is_told_so),
        cmocka_unit_test(the_end_is_announced_and_what_is_under_way_is_answered),
        cmocka_unit_test(answers_wait_for_the_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
