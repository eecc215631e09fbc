/* SPDX-License-Identifier: Apache-2.0 */
/* The server over HTTP/1.1, by raw sockets: what no well-behaved client would send is here, too. */
#include "hanging_sync.h"
#include "served.h"

#define POST_HEAD "POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
#define EMPTY     "{\"resourceSpans\":[]}"
#define POST      POST_HEAD "Content-Length: 20\r\n\r\n" EMPTY
#define OK        "HTTP/1.1 200 OK\r\n"

/* Send `text` in pieces of so many bytes; what comes until `wanted` came so often goes to buf. */
static bool talk(const struct served *served, const char *text, size_t piece, const char *wanted,
                 int times, char *buf, size_t cap)
{
    int fd = served_connect(served, TK_PROTOCOL_HTTP);
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i += piece)
        served_send(fd, text + i, n - i < piece ? n - i : piece);
    bool closed = served_read(fd, wanted, times, buf, cap);
    (void)close(fd);
    return closed;
}

static int count(const char *text, const char *what)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        n++;
    return n;
}

static void requests_come_in_any_pieces_and_one_after_the_other(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t piece;
        int answers;
    } cases[] = {
        {POST, 1, 1},
        {POST POST POST, 1000, 3}, /* pipelined */
        {POST POST, 7, 2},
        {POST_HEAD
         "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"res\r\nf\r\nourceSpans\":[]}\r\n0\r\n\r\n",
         1000, 1},
        {POST_HEAD
         "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"res\r\nf\r\nourceSpans\":[]}\r\n0\r\n\r\n" POST,
         1, 2},
    };
    struct served served;
    char buf[8192];
    served_start(&served, (struct tk_server_options){.workers = 1});
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        (void)talk(&served, cases[i].text, cases[i].piece, "\r\n\r\n{}", cases[i].answers, buf,
                   sizeof(buf));
        assert_int_equal(count(buf, OK), cases[i].answers);
    }
    (void)served_stop(&served);
}

static void who_asks_first_is_told_to_go_on(void **state)
{
    (void)state;
    struct served served;
    char buf[8192];
    served_start(&served, (struct tk_server_options){.workers = 1});
    int fd = served_connect(&served, TK_PROTOCOL_HTTP);
    const char head[] = POST_HEAD "Content-Length: 20\r\nExpect: 100-continue\r\n\r\n";
    served_send(fd, head, sizeof(head) - 1);
    (void)served_read(fd, "HTTP/1.1 100 Continue\r\n\r\n", 1, buf, sizeof(buf));
    served_send(fd, EMPTY, 20);
    (void)served_read(fd, "\r\n\r\n{}", 1, buf, sizeof(buf));
    assert_int_equal(count(buf, OK), 1);
    (void)close(fd);
    (void)served_stop(&served);
}

/* Each with a request behind it that must never be answered: 400, or nothing, and the end. */
static void smuggled_requests_are_never_answered(void **state)
{
    (void)state;
    static const char *const heads[] = {
        POST_HEAD "Content-Length: 20\r\nContent-Length: 5\r\n\r\n",
        POST_HEAD "Content-Length: 5\r\nContent-Length: 20\r\n\r\n",
        POST_HEAD "Content-Length: 20\r\nTransfer-Encoding: chunked\r\n\r\n",
        POST_HEAD "Transfer-Encoding: chunked\r\nContent-Length: 20\r\n\r\n",
        POST_HEAD "Transfer-Encoding: xchunked\r\n\r\n",
        POST_HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
        POST_HEAD "Transfer-Encoding: chunked, identity\r\n\r\n",
        POST_HEAD "Content-Length: +20\r\n\r\n",
        POST_HEAD "Content-Length: 20, 20\r\n\r\n",
        POST_HEAD "Content-Length: 0x14\r\n\r\n",
        POST_HEAD "Content-Length : 20\r\n\r\n",
        POST_HEAD "Host: b\r\nContent-Length: 20\r\n\r\n",
        "POST /v1/traces HTTP/1.1\r\nContent-Length: 20\r\n\r\n", /* no Host */
        "POST /v1 /traces HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n",
    };
    struct served served;
    char text[1024], buf[8192];
    served_start(&served, (struct tk_server_options){.workers = 1});
    for (size_t i = 0; i < TK_COUNTOF(heads); i++) {
        (void)snprintf(text, sizeof(text), "%s%s%s", heads[i], EMPTY,
                       "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_true(talk(&served, text, 1000, NULL, 0, buf, sizeof(buf)));
        assert_int_equal(count(buf, OK), 0);
        assert_int_equal(count(buf, "HTTP/1.1 400 ") > 0, *buf != '\0');
    }
    (void)served_stop(&served);
}

static void damaged_chunks_end_the_connection(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "zz\r\n{}\r\n0\r\n\r\n",
        "-2\r\n{}\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}XX0\r\n\r\n",
    };
    struct served served;
    char text[1024], buf[8192];
    served_start(&served, (struct tk_server_options){.workers = 1});
    for (size_t i = 0; i < TK_COUNTOF(bodies); i++) {
        (void)snprintf(text, sizeof(text), "%sTransfer-Encoding: chunked\r\n\r\n%s", POST_HEAD,
                       bodies[i]);
        assert_true(talk(&served, text, 1000, NULL, 0, buf, sizeof(buf)));
        assert_int_equal(count(buf, OK), 0);
    }
    (void)served_stop(&served);
}

static void bodies_over_the_limit_are_refused(void **state)
{
    (void)state;
    struct served served;
    char buf[8192];
    char *text = malloc(300000);
    assert_non_null(text);
    served_start(&served, (struct tk_server_options){.workers = 1, .max_body_bytes = 100000});

    /* By its length, before it comes: the connection lives on when the rest can be read away. */
    (void)talk(&served, POST_HEAD "Content-Length: 9000000\r\n\r\n", 1000, NULL, 0, buf,
               sizeof(buf));
    assert_int_equal(count(buf, "HTTP/1.1 413 "), 1);
    assert_int_equal(count(buf, "{\"code\":8,"), 1);

    /* In chunks, where only the end shows it. */
    size_t n =
        (size_t)snprintf(text, 300000, "%sTransfer-Encoding: chunked\r\n\r\n1d4c0\r\n", POST_HEAD);
    memset(text + n, ' ', 120000);
    (void)snprintf(text + n + 120000, 1000, "\r\n0\r\n\r\n%s", POST);
    (void)talk(&served, text, 50000, "\r\n\r\n{}", 1, buf, sizeof(buf));
    assert_int_equal(count(buf, "HTTP/1.1 413 "), 1);
    assert_int_equal(count(buf, OK), 1);

    struct tk_metrics metrics = served_stop(&served);
    assert_int_equal(metrics.counts.requests[TK_PROTOCOL_HTTP][TK_OUTCOME_TOO_LARGE], 1);
    free(text);
}

static void a_used_up_budget_is_overload(void **state)
{
    (void)state;
    struct served served;
    char buf[8192];
    served_start(&served, (struct tk_server_options){
                              .workers = 1, .max_body_bytes = 100000, .budget_bytes = 100000});
    int fd = served_connect(&served, TK_PROTOCOL_HTTP);
    const char head[] = POST_HEAD "Content-Length: 90000\r\n\r\n{";
    served_send(fd, head, sizeof(head) - 1);
    for (int i = 0; i < 1000 && count(buf, "429") == 0; i++)
        (void)talk(&served, POST, 1000, "\r\n\r\n{", 1, buf, sizeof(buf));
    assert_int_equal(count(buf, "HTTP/1.1 429 "), 1);
    assert_int_equal(count(buf, "Retry-After: 1\r\n"), 1);
    (void)close(fd);
    do /* what the other one held is there again */
        (void)talk(&served, POST, 1000, "\r\n\r\n{", 1, buf, sizeof(buf));
    while (count(buf, "429") > 0);
    assert_int_equal(count(buf, OK), 1);
    (void)served_stop(&served);
}

/* A request with a span of a name of its own; its length. */
static size_t put_request(char *text, size_t cap, enum tk_protocol protocol)
{
    static const char zipkin[] = "[{\"traceId\":\"000000000000000a\","
                                 "\"id\":\"000000000000000b\",\"timestamp\":1}]";
    int n = 0;
    if (protocol == TK_PROTOCOL_ZIPKIN) {
        n = snprintf(text, cap,
                     "POST /api/v2/spans HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n%s",
                     sizeof(zipkin) - 1, zipkin);
        return (size_t)n;
    }
    n = snprintf(text, cap,
                 "POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: "
                 "application/x-protobuf\r\nContent-Length: %zu\r\n\r\n",
                 SERVED_SPAN_BYTES);
    memcpy(text + n, served_span, SERVED_SPAN_BYTES);
    return (size_t)n + SERVED_SPAN_BYTES;
}

/* What is answered to one more request on a connection. */
static void ask(int fd, enum tk_protocol protocol, char *buf, size_t cap)
{
    char text[1024];
    served_send(fd, text, put_request(text, sizeof(text), protocol));
    (void)served_read(fd, "\r\n\r\n", 1, buf, cap);
}

/* Ask until the server says of the disk what is wanted, in /healthz and in /metrics. */
static void wait_for_health(const struct served *served, const char *status, const char *body,
                            const char *metric)
{
    static char buf[65536];
    int fd = served_connect(served, TK_PROTOCOL_QUERY);
    for (int i = 0;; i++) {
        static const char health[] = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
        served_send(fd, health, sizeof(health) - 1);
        (void)served_read(fd, "\n", 6, buf, sizeof(buf));
        if (count(buf, status) == 1 && count(buf, body) == 1)
            break;
        if (i == 2000)
            fail_msg("expected %s, got \"%s\"", body, buf);
        (void)poll(NULL, 0, 5);
    }
    static const char metrics[] = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
    served_send(fd, metrics, sizeof(metrics) - 1);
    (void)served_read(fd, "process_cpu_seconds_total ", 1, buf, sizeof(buf));
    assert_int_equal(count(buf, metric), 1);
    (void)close(fd);
}

static void a_disk_that_hangs_is_overload_and_nothing_is_lost(void **state)
{
    (void)state;
    static const struct {
        enum tk_protocol protocol;
        enum tk_ack ack;
        const char *taken;
    } cases[] = {{TK_PROTOCOL_HTTP, TK_ACK_WRITE, OK},
                 {TK_PROTOCOL_HTTP, TK_ACK_FSYNC, OK},
                 {TK_PROTOCOL_HTTP, TK_ACK_MEMORY, OK},
                 {TK_PROTOCOL_ZIPKIN, TK_ACK_WRITE, "HTTP/1.1 202 Accepted\r\n"}};
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct served served;
        char buf[8192];
        unsigned taken = 0;
        /* A disk that is merely slow to sync must not be taken for it. */
        bool is_synced = cases[i].ack == TK_ACK_FSYNC;
        served_start(&served, (struct tk_server_options){.workers = 1,
                                                         .ack = cases[i].ack,
                                                         .sync_wait_ns = (is_synced ? 20000 : 300) *
                                                                         TK_NS_PER_MS,
                                                         .segments = {.segment_rows = 4}});
        served_block_disk(&served);
        int fd = served_connect(&served, cases[i].protocol);
        for (;;) {
            ask(fd, cases[i].protocol, buf, sizeof(buf));
            if (count(buf, cases[i].taken) == 0)
                break;
            taken++;
        }
        assert_int_equal(taken, 12); /* two that wait, and one that is full */
        assert_int_equal(count(buf, "HTTP/1.1 429 "), 1);
        assert_int_equal(count(buf, "Retry-After: 1\r\n"), 1);
        (void)close(fd);
        if (!is_synced) {
            wait_for_health(&served, "HTTP/1.1 503 ",
                            "\r\nthe disk hangs, a segment takes longer than 300 ms\n",
                            "\ntracekit_storage_ok 0\n");
        }
        served_free_disk(&served);
        fd = served_connect(&served, cases[i].protocol);
        do
            ask(fd, cases[i].protocol, buf, sizeof(buf));
        while (count(buf, cases[i].taken) == 0);
        (void)close(fd);
        struct tk_metrics metrics = served_stop(&served);
        uint64_t *requests = metrics.counts.requests[cases[i].protocol];
        assert_true(requests[TK_OUTCOME_OVERLOADED] > 0);
        assert_int_equal(requests[TK_OUTCOME_TAKEN], 13);
        assert_int_equal(metrics.counts.spans.spans, 13);
        assert_int_equal(metrics.segments.spans, 13);
    }
}

static void a_sync_that_hangs_is_answered_in_time_and_nothing_is_lost(void **state)
{
    (void)state;
    static const struct {
        enum tk_protocol protocol;
        const char *taken;
    } cases[] = {{TK_PROTOCOL_HTTP, OK}, {TK_PROTOCOL_ZIPKIN, "HTTP/1.1 202 Accepted\r\n"}};
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct served served;
        char buf[8192];
        served_start(&served, (struct tk_server_options){.workers = 1,
                                                         .ack = TK_ACK_FSYNC,
                                                         .sync_wait_ns = 900 * TK_NS_PER_MS,
                                                         .segments = {.segment_rows = 1}});
        int fd = served_connect(&served, cases[i].protocol);
        ask(fd, cases[i].protocol, buf, sizeof(buf));
        assert_int_equal(count(buf, cases[i].taken), 1);
        atomic_store(&syncs_hang, true);
        /* The first waits in vain, the others are not even stored; a segment each is due. */
        for (int k = 0; k < 5; k++) {
            ask(fd, cases[i].protocol, buf, sizeof(buf));
            assert_int_equal(count(buf, "HTTP/1.1 503 "), 1);
            assert_int_equal(count(buf, "Retry-After: 1\r\n"), 1);
        }
        wait_for_health(&served, "HTTP/1.1 503 ",
                        "\r\nthe disk hangs, a sync takes longer than 900 ms\n",
                        "\ntracekit_storage_ok 0\n");
        atomic_store(&syncs_hang, false);
        do
            ask(fd, cases[i].protocol, buf, sizeof(buf));
        while (count(buf, cases[i].taken) == 0);
        wait_for_health(&served, OK, "\r\nok\n", "\ntracekit_storage_ok 1\n");
        (void)close(fd);
        struct tk_metrics metrics = served_stop(&served);
        assert_int_equal(metrics.counts.unsynced, 1);
        assert_true(metrics.counts.requests[cases[i].protocol][TK_OUTCOME_FAILED] >= 4);
        assert_int_equal(metrics.counts.spans.spans, 3);
        assert_int_equal(metrics.segments.spans, 3); /* the one that was given up, too */
    }
}

static void who_is_too_slow_is_cut_off(void **state)
{
    (void)state;
    static const char *const starts[] = {"", "POST /v1/tra", POST_HEAD,
                                         POST_HEAD "Content-Length: 20\r\n\r\n{\"re"};
    struct served served;
    char buf[8192];
    served_start(&served, (struct tk_server_options){.workers = 1,
                                                     .head_ns = 100 * TK_NS_PER_MS,
                                                     .body_ns = 200 * TK_NS_PER_MS});
    for (size_t i = 0; i < TK_COUNTOF(starts); i++) {
        int fd = served_connect(&served, TK_PROTOCOL_HTTP);
        served_send(fd, starts[i], strlen(starts[i]));
        assert_true(served_read(fd, NULL, 0, buf, sizeof(buf)));
        assert_string_equal(buf, "");
        (void)close(fd);
    }
    struct tk_metrics metrics = served_stop(&served);
    assert_int_equal(metrics.counts.closed_slow, TK_COUNTOF(starts));
}

static void too_many_connections_are_told_so(void **state)
{
    (void)state;
    struct served served;
    char buf[8192];
    served_start(&served, (struct tk_server_options){.workers = 1, .max_connections = 2});
    int first = served_connect(&served, TK_PROTOCOL_HTTP);
    int second = served_connect(&served, TK_PROTOCOL_HTTP);
    int third = served_connect(&served, TK_PROTOCOL_HTTP);
    assert_true(served_read(third, NULL, 0, buf, sizeof(buf)));
    assert_int_equal(count(buf, "HTTP/1.1 503 "), 1);
    (void)close(first);
    (void)close(second);
    (void)close(third);
    struct tk_metrics metrics = served_stop(&served);
    assert_int_equal(metrics.refused_connections, 1);
}

static void spans_are_counted_and_stored(void **state)
{
    (void)state;
    struct served served;
    char head[256], buf[8192];
    served_start(&served, (struct tk_server_options){.workers = 2});
    int n = snprintf(head, sizeof(head),
                     "POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: "
                     "application/x-protobuf\r\nContent-Length: %zu\r\n\r\n",
                     SERVED_SPAN_BYTES);
    int fd = served_connect(&served, TK_PROTOCOL_HTTP);
    served_send(fd, head, (size_t)n);
    served_send(fd, served_span, SERVED_SPAN_BYTES);
    (void)served_read(fd, "Content-Length: 0\r\n\r\n", 1, buf, sizeof(buf));
    assert_int_equal(count(buf, OK), 1);
    assert_int_equal(count(buf, "Content-Type: application/x-protobuf\r\n"), 1);
    (void)close(fd);
    struct tk_metrics metrics = served_stop(&served);
    assert_int_equal(metrics.counts.spans.spans, 1);
    assert_int_equal(metrics.segments.spans, 1);
}

static void a_request_under_way_is_answered_at_the_end(void **state)
{
    (void)state;
    struct served served;
    char buf[8192];
    const char first[] = POST_HEAD "Content-Length: 20\r\nExpect: 100-continue\r\n\r\n";
    uint64_t one = 1;
    served_start(&served, (struct tk_server_options){.workers = 1});
    int idle = served_connect(&served, TK_PROTOCOL_HTTP);
    int fd = served_connect(&served, TK_PROTOCOL_HTTP);
    served_send(fd, first, sizeof(first) - 1);
    (void)served_read(fd, "HTTP/1.1 100 Continue\r\n\r\n", 1, buf, sizeof(buf));
    assert_int_equal(write(served.stop_fd, &one, sizeof(one)), sizeof(one));
    assert_true(served_read(idle, NULL, 0, buf, sizeof(buf)));
    served_send(fd, EMPTY, 20);
    assert_true(served_read(fd, NULL, 0, buf, sizeof(buf)));
    assert_int_equal(count(buf, OK), 1);
    assert_int_equal(count(buf, "Connection: close\r\n"), 1);
    (void)close(fd);
    (void)close(idle);
    (void)served_stop(&served);
}

/* Suspended connections: many at once, each answered, whatever the others do. */
static void answers_wait_for_the_disk(void **state)
{
    (void)state;
    enum { CONNECTIONS = 64, ROUNDS = 10 };
    struct served served;
    int fds[CONNECTIONS];
    char head[256], buf[8192];
    served_start(&served, (struct tk_server_options){
                              .workers = 2, .ack = TK_ACK_FSYNC, .sync_ns = TK_NS_PER_MS});
    int n = snprintf(head, sizeof(head),
                     "POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: "
                     "application/x-protobuf\r\nContent-Length: %zu\r\n\r\n",
                     SERVED_SPAN_BYTES);
    for (int i = 0; i < CONNECTIONS; i++)
        fds[i] = served_connect(&served, TK_PROTOCOL_HTTP);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CONNECTIONS; i++) {
            served_send(fds[i], head, (size_t)n);
            served_send(fds[i], served_span, SERVED_SPAN_BYTES);
        }
        for (int i = 0; i < CONNECTIONS; i++) {
            (void)served_read(fds[i], "Content-Length: 0\r\n\r\n", 1, buf, sizeof(buf));
            assert_int_equal(count(buf, OK), 1);
        }
    }
    for (int i = 0; i < CONNECTIONS; i++)
        (void)close(fds[i]);
    struct tk_metrics metrics = served_stop(&served);
    assert_int_equal(metrics.counts.spans.spans, CONNECTIONS * ROUNDS);
}

static void pages_may_ask_when_the_option_says_so(void **state)
{
    (void)state;
    static const char preflight[] =
        "OPTIONS /v1/traces HTTP/1.1\r\nHost: a\r\nOrigin: http://page\r\n"
        "Access-Control-Request-Method: POST\r\n"
        "Access-Control-Request-Headers: content-type\r\n\r\n";
    static const char post[] = POST_HEAD "Origin: http://page\r\nContent-Length: 20\r\n\r\n" EMPTY;
    static const char stranger[] =
        POST_HEAD "Origin: http://other\r\nContent-Length: 20\r\n\r\n" EMPTY;
    static const char allowed[] = "Access-Control-Allow-Origin: http://page\r\n";
    struct served served;
    char buf[8192];
    served_start(&served, (struct tk_server_options){.workers = 1, .cors = "http://page"});
    (void)talk(&served, preflight, 1000, "\r\n\r\n", 1, buf, sizeof(buf));
    assert_int_equal(count(buf, "HTTP/1.1 204 "), 1);
    assert_int_equal(count(buf, allowed), 1);
    assert_int_equal(count(buf, "Access-Control-Allow-Methods: GET, POST\r\n"), 1);
    assert_int_equal(count(buf, "Access-Control-Allow-Headers: *\r\n"), 1);
    (void)talk(&served, post, 1000, "\r\n\r\n{}", 1, buf, sizeof(buf));
    assert_int_equal(count(buf, OK), 1);
    assert_int_equal(count(buf, allowed), 1);
    assert_int_equal(count(buf, "Vary: Origin\r\n"), 1);
    (void)talk(&served, stranger, 1000, "\r\n\r\n{}", 1, buf, sizeof(buf));
    assert_int_equal(count(buf, "Access-Control"), 0);
    (void)served_stop(&served);

    served_start(&served, (struct tk_server_options){.workers = 1});
    (void)talk(&served, preflight, 1000, "\r\n\r\n", 1, buf, sizeof(buf));
    assert_int_equal(count(buf, "HTTP/1.1 405 "), 1);
    (void)talk(&served, post, 1000, "\r\n\r\n{}", 1, buf, sizeof(buf));
    assert_int_equal(count(buf, OK), 1);
    assert_int_equal(count(buf, "Access-Control"), 0);
    (void)served_stop(&served);
}

static void long_answers_are_coded_for_who_asks(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        const char *coding; /* NULL = as it is */
    } cases[] = {
        {"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n", "gzip"},
        {"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip, zstd\r\n\r\n", "zstd"},
        {"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", NULL},
        {"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip;q=0\r\n\r\n", NULL},
        {"GET /healthz HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n", NULL},
    };
    struct served served;
    char buf[65536];
    served_start(&served, (struct tk_server_options){.workers = 1});
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        char header[64];
        (void)talk(&served, cases[i].request, 1000, "\r\n\r\n", 1, buf, sizeof(buf));
        (void)snprintf(header, sizeof(header), "Content-Encoding: %s\r\n",
                       cases[i].coding ? cases[i].coding : "");
        assert_int_equal(count(buf, OK), 1);
        assert_int_equal(count(buf, cases[i].coding ? header : "Content-Encoding"),
                         cases[i].coding ? 1 : 0);
        assert_int_equal(count(buf, "Vary: Accept-Encoding\r\n"), count(buf, "version=0.0.4"));
    }
    (void)served_stop(&served);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_come_in_any_pieces_and_one_after_the_other),
        cmocka_unit_test(who_asks_first_is_told_to_go_on),
        cmocka_unit_test(smuggled_requests_are_never_answered),
        cmocka_unit_test(damaged_chunks_end_the_connection),
        cmocka_unit_test(bodies_over_the_limit_are_refused),
        cmocka_unit_test(a_used_up_budget_is_overload),
        cmocka_unit_test(a_disk_that_hangs_is_overload_and_nothing_is_lost),
        cmocka_unit_test(a_sync_that_hangs_is_answered_in_time_and_nothing_is_lost),
        cmocka_unit_test(who_is_too_slow_is_cut_off),
        cmocka_unit_test(too_many_connections_are_told_so),
        cmocka_unit_test(spans_are_counted_and_stored),
        cmocka_unit_test(a_request_under_way_is_answered_at_the_end),
        cmocka_unit_test(answers_wait_for_the_disk),
        cmocka_unit_test(pages_may_ask_when_the_option_says_so),
        cmocka_unit_test(long_answers_are_coded_for_who_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
