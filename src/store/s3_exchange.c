/* SPDX-License-Identifier: Apache-2.0 */
/* Requests on the wire: signed, sent by libcurl, answered, tried again. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/library.h"
#include "store/s3_internal.h"

#define URL_MAX          ((size_t)32 << 10)
#define POLL_MAX_MS      100
#define CONNECT_TIMEOUT  5000L /* ms */
#define EXPECT_MIN_BYTES ((uint64_t)1 << 20)
#define BUFFER_BYTES     262144L

/* A transfer that has been slower for so long is dead; there is no limit on the whole. */
#define SLOW_BYTES_PER_S 1L
#define SLOW_S           30L

static const struct tk_symbol symbols[] = {
    TK_SYMBOL(struct tk_curl, global_init, curl_global_init),
    TK_SYMBOL(struct tk_curl, easy_init, curl_easy_init),
    TK_SYMBOL(struct tk_curl, easy_cleanup, curl_easy_cleanup),
    TK_SYMBOL(struct tk_curl, easy_perform, curl_easy_perform),
    TK_SYMBOL(struct tk_curl, easy_reset, curl_easy_reset),
    TK_SYMBOL(struct tk_curl, easy_setopt, curl_easy_setopt),
    TK_SYMBOL(struct tk_curl, easy_strerror, curl_easy_strerror),
    TK_SYMBOL(struct tk_curl, slist_append, curl_slist_append),
    TK_SYMBOL(struct tk_curl, slist_free_all, curl_slist_free_all),
    TK_SYMBOL(struct tk_curl, multi_init, curl_multi_init),
    TK_SYMBOL(struct tk_curl, multi_cleanup, curl_multi_cleanup),
    TK_SYMBOL(struct tk_curl, multi_add, curl_multi_add_handle),
    TK_SYMBOL(struct tk_curl, multi_remove, curl_multi_remove_handle),
    TK_SYMBOL(struct tk_curl, multi_perform, curl_multi_perform),
    TK_SYMBOL(struct tk_curl, multi_poll, curl_multi_poll),
    TK_SYMBOL(struct tk_curl, multi_info_read, curl_multi_info_read),
};

static const struct tk_library library = {"libcurl-gnutls.so.4", symbols, TK_COUNTOF(symbols)};

int tk_curl_load(struct tk_curl *ret_curl, struct tk_err *err)
{
    if (tk_library_load(&library, ret_curl, err) < 0) {
        return tk_fail(err, -EOPNOTSUPP,
                       "HTTP needs %s (package libcurl3-gnutls), which is not here",
                       library.soname);
    }
    if (ret_curl->global_init(CURL_GLOBAL_ALL) != CURLE_OK)
        return tk_fail(err, -ENOMEM, "libcurl does not start");
    return 0;
}

int tk_s3_request_init(struct tk_s3 *s3, struct tk_s3_exchange *exchange, const char *method,
                       tk_str key, struct tk_err *err)
{
    struct tk_buf text = exchange->text, url = exchange->url;
    memset(exchange, 0, sizeof(*exchange));
    exchange->s3 = s3;
    exchange->text = text;
    exchange->url = url;
    exchange->endpoint = s3->endpoint;
    exchange->request.method = method;
    memcpy(exchange->request.payload_hash, TK_SIGV4_EMPTY, TK_DIGEST_MAX);
    if (key.n == 0)
        return 0;
    int n = snprintf(exchange->request.key, sizeof(exchange->request.key), "%s%.*s", s3->prefix,
                     TK_STR_ARG(key));
    if (n < 0 || n > TK_STORE_KEY_MAX) {
        return tk_fail(err, -ENAMETOOLONG,
                       "%s: with the prefix a key of %d bytes is longer than %d", s3->store.address,
                       n, TK_STORE_KEY_MAX);
    }
    return 0;
}

void tk_s3_request_add_param(struct tk_s3_request *request, tk_str name, tk_str value)
{
    assert(request->param_count < TK_COUNTOF(request->params));
    request->params[request->param_count++] = (struct tk_url_param){name, value};
}

void tk_s3_request_add_header(struct tk_s3_request *request, tk_str name, tk_str value)
{
    assert(request->header_count < TK_COUNTOF(request->headers));
    request->headers[request->header_count++] = (struct tk_sigv4_header){name, value};
}

static void free_headers(struct tk_s3_exchange *exchange)
{
    /* One of them may be the session token. */
    for (struct curl_slist *item = exchange->headers; item; item = item->next)
        explicit_bzero(item->data, strlen(item->data));
    exchange->s3->curl.slist_free_all(exchange->headers);
    exchange->headers = NULL;
}

void tk_s3_exchange_release(struct tk_s3_exchange *exchange)
{
    tk_buf_release(&exchange->text);
    tk_buf_release(&exchange->url);
}

/* What libcurl calls --------------------------------------------------------------------------- */

/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl says so */
static size_t on_header(char *p, size_t size, size_t n, void *user)
{
    struct tk_s3_exchange *exchange = user;
    tk_answer_add(&exchange->answer, (tk_str){p, size * n});
    if (exchange->answer.bytes <= exchange->s3->store.options.answer_max)
        return size * n;
    exchange->failure =
        tk_fail(&exchange->err, -EMSGSIZE, "%s s3://%s/%s: response headers of more than %zu bytes",
                exchange->request.method, exchange->s3->bucket, exchange->request.key,
                exchange->s3->store.options.answer_max);
    return 0;
}

/* The first bytes of an object: are they those that were asked for? */
static int check_range(struct tk_s3_exchange *exchange)
{
    const struct tk_s3_request *request = &exchange->request;
    const struct tk_answer *answer = &exchange->answer;
    uint64_t start = request->range.offset + exchange->sink_bytes;
    bool is_part = request->has_range || exchange->sink_bytes > 0;
    if (is_part ? answer->has_range && answer->range_start == start : answer->status == 200)
        return 0;
    return tk_fail(&exchange->err, -EPROTO,
                   "GET s3://%s/%s: the server does not give the range that it was asked for",
                   exchange->s3->bucket, request->key);
}

static int take_object_bytes(struct tk_s3_exchange *exchange, tk_str bytes)
{
    const struct tk_store_sink *sink = &exchange->request.sink;
    exchange->s3->store.counters.bytes_received += bytes.n;
    if (exchange->try_bytes == 0) {
        int rc = check_range(exchange);
        if (rc < 0)
            return rc;
        memcpy(exchange->etag, exchange->answer.etag, sizeof(exchange->etag));
    }
    int rc = sink->write(sink->into, bytes, &exchange->err);
    exchange->sink_bytes += bytes.n;
    exchange->try_bytes += bytes.n;
    return rc;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl says so */
static size_t on_body(char *p, size_t size, size_t n, void *user)
{
    struct tk_s3_exchange *exchange = user;
    tk_str bytes = {p, size * n};
    int status = exchange->answer.status;
    bool is_good = status == 200 || status == 206;
    if (is_good && exchange->request.sink.write) {
        exchange->failure = take_object_bytes(exchange, bytes);
        return exchange->failure < 0 ? 0 : bytes.n;
    }
    size_t max = is_good ? TK_S3_DOCUMENT_MAX : exchange->s3->store.options.answer_max;
    if (bytes.n > max - exchange->text.n) {
        exchange->failure =
            tk_fail(&exchange->err, -EMSGSIZE, "%s s3://%s/%s: an answer of more than %zu bytes",
                    exchange->request.method, exchange->s3->bucket, exchange->request.key, max);
        return 0;
    }
    tk_buf_put(&exchange->text, bytes);
    return tk_buf_ok(&exchange->text) ? bytes.n : 0;
}

static size_t on_read(char *p, size_t size, size_t n, void *user)
{
    struct tk_s3_exchange *exchange = user;
    const struct tk_s3_request *request = &exchange->request;
    uint64_t left = request->body_bytes - exchange->sent;
    size_t cap = left < size * n ? (size_t)left : size * n;
    tk_str bytes;
    if (cap == 0)
        return 0;
    int rc = tk_reader_read(request->body, request->body_offset + exchange->sent, p, cap, &bytes,
                            &exchange->err);
    if (rc < 0) {
        exchange->failure = rc;
        return CURL_READFUNC_ABORT;
    }
    if (bytes.p != p)
        memcpy(p, bytes.p, bytes.n);
    exchange->sent += bytes.n;
    exchange->s3->store.counters.bytes_sent += bytes.n;
    return bytes.n;
}

/* libcurl sends again by itself when a kept connection was dead; the server may have obeyed. */
static int on_seek(void *user, curl_off_t offset, int origin)
{
    struct tk_s3_exchange *exchange = user;
    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > exchange->request.body_bytes)
        return CURL_SEEKFUNC_CANTSEEK;
    exchange->sent = (uint64_t)offset;
    exchange->is_lost = true;
    return CURL_SEEKFUNC_OK;
}

/* One try ------------------------------------------------------------------------------------- */

/* The host as it is sent and signed. */
static tk_str format_host(const struct tk_s3_exchange *exchange, char *buf, size_t cap)
{
    const struct tk_s3 *s3 = exchange->s3;
    bool is_virtual = s3->store.options.addressing == TK_STORE_VIRTUAL;
    int n = snprintf(buf, cap, "%s%s%s", is_virtual ? s3->bucket : "", is_virtual ? "." : "",
                     exchange->endpoint.host);
    return (tk_str){buf, (size_t)n};
}

static void put_path(const struct tk_s3_exchange *exchange, struct tk_buf *out)
{
    const struct tk_s3 *s3 = exchange->s3;
    tk_buf_putc(out, '/');
    if (s3->store.options.addressing == TK_STORE_PATH) {
        tk_buf_puts(out, s3->bucket);
        if (*exchange->request.key)
            tk_buf_putc(out, '/');
    }
    tk_url_put_path(out, tk_str_from(exchange->request.key));
}

static void add_line(struct tk_s3_exchange *exchange, const char *name, tk_str value)
{
    struct tk_buf line;
    tk_buf_init(&line, URL_MAX);
    tk_buf_puts(&line, name);
    tk_buf_lit(&line, ": ");
    tk_buf_put(&line, value);
    tk_buf_putc(&line, '\0');
    struct curl_slist *more =
        tk_buf_ok(&line) ? exchange->s3->curl.slist_append(exchange->headers, line.p) : NULL;
    if (more) {
        exchange->headers = more;
    } else {
        exchange->failure = tk_fail(&exchange->err, -ENOMEM, "S3: out of memory");
    }
    if (line.p)
        explicit_bzero(line.p, line.n);
    tk_buf_release(&line);
}

/* Range and If-Match of a read, from where the sink stands. */
static void add_range(struct tk_s3_exchange *exchange)
{
    const struct tk_s3_request *request = &exchange->request;
    uint64_t start = request->range.offset + exchange->sink_bytes;
    char text[64];
    if (!request->has_range && exchange->sink_bytes == 0)
        return;
    int n = snprintf(text, sizeof(text), "bytes=%llu-", (unsigned long long)start);
    if (request->range.length > 0) {
        n = snprintf(text, sizeof(text), "bytes=%llu-%llu", (unsigned long long)start,
                     (unsigned long long)(request->range.offset + request->range.length - 1));
    }
    add_line(exchange, "Range", (tk_str){text, (size_t)n});
    if (exchange->sink_bytes == 0)
        return;
    exchange->s3->store.counters.resumed_reads++;
    if (*exchange->etag) {
        char etag[TK_STORE_ETAG_MAX + 2];
        n = snprintf(etag, sizeof(etag), "\"%s\"", exchange->etag);
        add_line(exchange, "If-Match", (tk_str){etag, (size_t)n});
    }
}

/* Sign the request, and set all its header lines. */
static int sign(struct tk_s3_exchange *exchange, tk_str host, tk_str path, tk_str query)
{
    struct tk_s3 *s3 = exchange->s3;
    const struct tk_s3_request *request = &exchange->request;
    char date[TK_TIME_MAX];
    int64_t now_ns = tk_s3_now_ns(s3);
    tk_time_format_compact(now_ns, date);
    const struct tk_sigv4_header headers[] = {
        {TK_STR("host"), host},
        {TK_STR("x-amz-content-sha256"), tk_str_from(request->payload_hash)},
        {TK_STR("x-amz-date"), tk_str_from(date)},
        {TK_STR("x-amz-security-token"), tk_str_from(s3->signer.session_token)},
    };
    size_t count = TK_COUNTOF(headers) - (s3->signer.session_token ? 0 : 1);
    const struct tk_sigv4_request to_sign = {
        .method = tk_str_from(request->method),
        .path = path,
        .query = query,
        .headers = headers,
        .header_count = count,
        .payload_hash = tk_str_from(request->payload_hash),
        .time_ns = now_ns,
    };
    struct tk_buf value;
    tk_buf_init(&value, URL_MAX);
    int rc = tk_sigv4_sign(&s3->signer, &to_sign, &value, &exchange->err);
    if (rc == 0)
        add_line(exchange, "Authorization", tk_buf_str(&value));
    tk_buf_release(&value);
    static const char *const names[] = {"Host", "x-amz-content-sha256", "x-amz-date",
                                        "x-amz-security-token"};
    for (size_t i = 0; i < count; i++)
        add_line(exchange, names[i], headers[i].value);
    return rc;
}

static void set_common(struct tk_s3_exchange *exchange)
{
    struct tk_s3 *s3 = exchange->s3;
    CURL *easy = exchange->easy;
    __typeof__(curl_easy_setopt) *set = s3->curl.easy_setopt;
    set(easy, CURLOPT_URL, exchange->url.p);
    set(easy, CURLOPT_HTTPHEADER, exchange->headers);
    set(easy, CURLOPT_PRIVATE, exchange);
    set(easy, CURLOPT_PATH_AS_IS, 1L);
    set(easy, CURLOPT_NOSIGNAL, 1L);
    set(easy, CURLOPT_TCP_NODELAY, 1L);
    set(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    set(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT);
    set(easy, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES_PER_S);
    set(easy, CURLOPT_LOW_SPEED_TIME, SLOW_S);
    set(easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
    set(easy, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_BYTES);
    set(easy, CURLOPT_USERAGENT, "tracekit/" TK_VERSION);
    set(easy, CURLOPT_ERRORBUFFER, exchange->curl_error);
    set(easy, CURLOPT_HEADERFUNCTION, on_header);
    set(easy, CURLOPT_HEADERDATA, exchange);
    set(easy, CURLOPT_WRITEFUNCTION, on_body);
    set(easy, CURLOPT_WRITEDATA, exchange);
    if (s3->ca_file)
        set(easy, CURLOPT_CAINFO, s3->ca_file);
    if (s3->client_certificate)
        set(easy, CURLOPT_SSLCERT, s3->client_certificate);
    if (s3->client_key)
        set(easy, CURLOPT_SSLKEY, s3->client_key);
    if (s3->proxy)
        set(easy, CURLOPT_PROXY, s3->proxy);
}

static void set_method(struct tk_s3_exchange *exchange)
{
    const struct tk_s3_request *request = &exchange->request;
    CURL *easy = exchange->easy;
    __typeof__(curl_easy_setopt) *set = exchange->s3->curl.easy_setopt;
    bool has_body = request->body || strcmp(request->method, "PUT") == 0 ||
                    strcmp(request->method, "POST") == 0;
    if (strcmp(request->method, "HEAD") == 0) {
        set(easy, CURLOPT_NOBODY, 1L);
    } else if (has_body) {
        set(easy, CURLOPT_UPLOAD, 1L);
    }
    if (!has_body && strcmp(request->method, "HEAD") != 0 && strcmp(request->method, "GET") != 0)
        set(easy, CURLOPT_CUSTOMREQUEST, request->method);
    if (!has_body)
        return;
    if (strcmp(request->method, "PUT") != 0)
        set(easy, CURLOPT_CUSTOMREQUEST, request->method);
    set(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body_bytes);
    set(easy, CURLOPT_READFUNCTION, on_read);
    set(easy, CURLOPT_READDATA, exchange);
    set(easy, CURLOPT_SEEKFUNCTION, on_seek);
    set(easy, CURLOPT_SEEKDATA, exchange);
}

static int build(struct tk_s3_exchange *exchange)
{
    const struct tk_s3_request *request = &exchange->request;
    char buf[TK_ENDPOINT_MAX + TK_S3_BUCKET_MAX + 2];
    tk_str host = format_host(exchange, buf, sizeof(buf));
    struct tk_buf *url = &exchange->url;
    tk_buf_init(url, URL_MAX);
    tk_buf_puts(url, exchange->endpoint.is_tls ? "https://" : "http://");
    tk_buf_put(url, host);
    size_t path_start = url->n;
    put_path(exchange, url);
    size_t path_end = url->n;
    if (request->param_count > 0)
        tk_buf_putc(url, '?');
    size_t query_start = url->n;
    tk_url_put_query(url, request->params, request->param_count);
    size_t query_end = url->n;
    tk_buf_putc(url, '\0');
    int rc = tk_buf_check(url, "URL", &exchange->err);
    if (rc == 0) {
        rc = sign(exchange, host, (tk_str){url->p + path_start, path_end - path_start},
                  (tk_str){url->p + query_start, query_end - query_start});
    }
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < request->header_count; i++) {
        char name[40];
        if (tk_str_to_cstr(request->headers[i].name, name, sizeof(name)))
            add_line(exchange, name, request->headers[i].value);
    }
    add_range(exchange);
    /* Without it libcurl waits for leave to send bodies of any size. */
    if (request->body_bytes < EXPECT_MIN_BYTES) {
        struct curl_slist *more = exchange->s3->curl.slist_append(exchange->headers, "Expect:");
        exchange->headers = more ? more : exchange->headers;
    }
    return exchange->failure;
}

/* Send a try; its end comes by take_messages(). */
static int start(struct tk_s3_exchange *exchange)
{
    struct tk_s3 *s3 = exchange->s3;
    exchange->easy = s3->idle_count > 0 ? s3->idle[--s3->idle_count] : s3->curl.easy_init();
    if (!exchange->easy)
        return tk_fail(&exchange->err, -ENOMEM, "S3: out of memory");
    exchange->answer = (struct tk_answer){0};
    exchange->sent = 0;
    exchange->try_bytes = 0;
    exchange->failure = 0;
    exchange->curl_error[0] = '\0';
    tk_buf_release(&exchange->text);
    tk_buf_release(&exchange->url);
    tk_buf_init(&exchange->text, TK_S3_DOCUMENT_MAX);
    int rc = build(exchange);
    if (rc < 0)
        return rc;
    set_common(exchange);
    set_method(exchange);
    exchange->state = TK_S3_RUNNING;
    exchange->tries++;
    s3->store.counters.requests++;
    if (s3->curl.multi_add(s3->multi, exchange->easy) != CURLM_OK)
        return tk_fail(&exchange->err, -ENOMEM, "S3: out of memory");
    return 0;
}

/* Take the transfer from the multi handle; its connection is kept. */
static void stop(struct tk_s3_exchange *exchange)
{
    struct tk_s3 *s3 = exchange->s3;
    if (!exchange->easy)
        return;
    (void)s3->curl.multi_remove(s3->multi, exchange->easy);
    s3->curl.easy_reset(exchange->easy);
    if (s3->idle_count < TK_S3_IN_FLIGHT_MAX) {
        s3->idle[s3->idle_count++] = exchange->easy;
    } else {
        s3->curl.easy_cleanup(exchange->easy);
    }
    exchange->easy = NULL;
    free_headers(exchange);
}

static void end_try(struct tk_s3_exchange *exchange, CURLcode code)
{
    int64_t now_ns = tk_clock_mono_ns();
    stop(exchange);
    enum tk_s3_verdict verdict = tk_s3_judge(exchange, code);
    exchange->state = TK_S3_DONE;
    if (verdict == TK_S3_GOOD)
        exchange->rc = 0;
    if (verdict == TK_S3_AGAIN)
        exchange->start_at_ns = now_ns;
    if (verdict == TK_S3_AGAIN || (verdict == TK_S3_RETRY && tk_s3_plan_retry(exchange, now_ns)))
        exchange->state = TK_S3_WAITING;
}

/* Running ------------------------------------------------------------------------------------- */

static struct tk_s3_exchange *exchange_find(struct tk_s3_exchange *exchanges, size_t count,
                                            const CURL *easy)
{
    for (size_t i = 0; i < count; i++) {
        if (exchanges[i].easy == easy)
            return &exchanges[i];
    }
    return NULL;
}

static void take_messages(struct tk_s3 *s3, struct tk_s3_exchange *exchanges, size_t count)
{
    int left;
    const CURLMsg *message;
    while ((message = s3->curl.multi_info_read(s3->multi, &left)) != NULL) {
        struct tk_s3_exchange *exchange = exchange_find(exchanges, count, message->easy_handle);
        if (exchange && message->msg == CURLMSG_DONE)
            end_try(exchange, message->data.result);
    }
}

/* Start what is due; the number of ms until something else is. */
static int start_due(struct tk_s3_exchange *exchanges, size_t count)
{
    int64_t now_ns = tk_clock_mono_ns(), wait_ns = POLL_MAX_MS * TK_NS_PER_MS;
    for (size_t i = 0; i < count; i++) {
        struct tk_s3_exchange *exchange = &exchanges[i];
        if (exchange->state != TK_S3_WAITING)
            continue;
        if (exchange->start_at_ns > now_ns) {
            int64_t left_ns = exchange->start_at_ns - now_ns;
            wait_ns = left_ns < wait_ns ? left_ns : wait_ns;
            continue;
        }
        int rc = start(exchange);
        if (rc < 0) {
            stop(exchange);
            exchange->rc = rc;
            exchange->state = TK_S3_DONE;
        }
    }
    return (int)((wait_ns + TK_NS_PER_MS - 1) / TK_NS_PER_MS);
}

/* Take the answers that are there and prepare what comes next: 1 when all is done. */
static int feed_all(struct tk_s3_exchange *exchanges, size_t count, const struct tk_s3_feed *feed,
                    struct tk_err *err)
{
    bool is_busy = false;
    for (size_t i = 0; i < count; i++) {
        struct tk_s3_exchange *exchange = &exchanges[i];
        int rc = 0;
        if (exchange->state == TK_S3_DONE) {
            if (exchange->rc < 0)
                *err = exchange->err;
            rc = exchange->rc < 0 ? exchange->rc : feed->done(feed->owner, exchange, err);
            exchange->state = TK_S3_FREE;
        }
        if (rc == 0 && exchange->state == TK_S3_FREE) {
            rc = feed->next(feed->owner, exchange, err);
            exchange->state = rc == 0 ? TK_S3_WAITING : TK_S3_FREE;
        }
        if (rc < 0)
            return rc;
        is_busy = is_busy || exchange->state != TK_S3_FREE;
    }
    return is_busy ? 0 : 1;
}

static int drive(struct tk_s3 *s3, struct tk_s3_exchange *exchanges, size_t count,
                 const struct tk_s3_feed *feed, struct tk_err *err)
{
    for (;;) {
        int rc = feed_all(exchanges, count, feed, err);
        if (rc != 0)
            return rc;
        rc = tk_store_may_go_on(&s3->store, tk_str_from(exchanges[0].request.key), err);
        if (rc < 0)
            return rc;
        int wait_ms = start_due(exchanges, count), running = 0;
        if (s3->curl.multi_perform(s3->multi, &running) != CURLM_OK)
            return tk_fail(err, -ENOMEM, "S3: libcurl fails");
        take_messages(s3, exchanges, count);
        bool is_idle = true;
        for (size_t i = 0; i < count && is_idle; i++)
            is_idle = exchanges[i].state != TK_S3_DONE;
        if (is_idle)
            (void)s3->curl.multi_poll(s3->multi, NULL, 0, wait_ms, NULL);
    }
}

int tk_s3_run_feed(struct tk_s3 *s3, struct tk_s3_exchange *exchanges, size_t count,
                   const struct tk_s3_feed *feed, struct tk_err *err)
{
    int rc = drive(s3, exchanges, count, feed, err);
    for (size_t i = 0; i < count; i++) {
        stop(&exchanges[i]);
        exchanges[i].state = TK_S3_FREE;
    }
    return rc < 0 ? rc : 0;
}

/* The feed of one exchange, which is ready. */
static int one_next(void *owner, struct tk_s3_exchange *exchange, struct tk_err *err)
{
    bool *is_given = owner;
    (void)exchange;
    (void)err;
    if (*is_given)
        return 1;
    *is_given = true;
    return 0;
}

static int one_done(void *owner, struct tk_s3_exchange *exchange, struct tk_err *err)
{
    (void)owner;
    (void)exchange;
    (void)err;
    return 0;
}

int tk_s3_run(struct tk_s3 *s3, struct tk_s3_exchange *exchange, struct tk_err *err)
{
    bool is_given = false;
    const struct tk_s3_feed feed = {one_next, one_done, &is_given};
    return tk_s3_run_feed(s3, exchange, 1, &feed, err);
}
