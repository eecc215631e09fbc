/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd without threads of its own: the worker polls its epoll descriptor. Its limits are
 * small on purpose, a larger pool per connection is cleared for each request (60 k requests/s with
 * 32 KiB, 4.9 k with 1 MiB), and ours do what it lacks: deadlines for heads and bodies, a budget
 * for bodies, the filter of heads (plan.h).
 *
 * Answers that wait for a sync suspend their connection. Resuming happens on the thread that runs
 * the daemon, so that the races of suspending, which upstream mended in 1.0.3, are not there;
 * tests/e2e/serve.bats holds hundreds of them suspended at once. */
#include "serve/http1.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/library.h"
#include "base/number.h"
#include "serve/coded.h"
#include "serve/cors.h"
#include "serve/plan.h"
#include "serve/site.h"
#include "serve/waiting.h"

#define POOL_BYTES 32768
#define ANSWER_MAX ((size_t)256 << 20)
#define DRAIN_MAX                                                                                  \
    ((uint64_t)1 << 20) /* of a refused body: read to its end, so that the                         \
                           answer arrives and the connection lives on */
#define MAX_PARAMS 256
#define ROUNDS     8 /* of one step, then other connections of the worker have their turn */

struct mhd {
    __typeof__(MHD_start_daemon) *start_daemon;
    __typeof__(MHD_stop_daemon) *stop_daemon;
    __typeof__(MHD_run) *run;
    __typeof__(MHD_get_timeout) *get_timeout;
    __typeof__(MHD_get_daemon_info) *get_daemon_info;
    __typeof__(MHD_get_connection_info) *get_connection_info;
    __typeof__(MHD_get_connection_values_n) *get_values;
    __typeof__(MHD_lookup_connection_value) *find_value;
    __typeof__(MHD_add_connection) *add_connection;
    __typeof__(MHD_suspend_connection) *suspend_connection;
    __typeof__(MHD_resume_connection) *resume_connection;
    __typeof__(MHD_create_response_from_buffer) *create_response;
    __typeof__(MHD_add_response_header) *add_response_header;
    __typeof__(MHD_queue_response) *queue_response;
    __typeof__(MHD_destroy_response) *destroy_response;
};

static const struct tk_symbol symbols[] = {
    TK_SYMBOL(struct mhd, start_daemon, MHD_start_daemon),
    TK_SYMBOL(struct mhd, stop_daemon, MHD_stop_daemon),
    TK_SYMBOL(struct mhd, run, MHD_run),
    TK_SYMBOL(struct mhd, get_timeout, MHD_get_timeout),
    TK_SYMBOL(struct mhd, get_daemon_info, MHD_get_daemon_info),
    TK_SYMBOL(struct mhd, get_connection_info, MHD_get_connection_info),
    TK_SYMBOL(struct mhd, get_values, MHD_get_connection_values_n),
    TK_SYMBOL(struct mhd, find_value, MHD_lookup_connection_value),
    TK_SYMBOL(struct mhd, add_connection, MHD_add_connection),
    TK_SYMBOL(struct mhd, suspend_connection, MHD_suspend_connection),
    TK_SYMBOL(struct mhd, resume_connection, MHD_resume_connection),
    TK_SYMBOL(struct mhd, create_response, MHD_create_response_from_buffer),
    TK_SYMBOL(struct mhd, add_response_header, MHD_add_response_header),
    TK_SYMBOL(struct mhd, queue_response, MHD_queue_response),
    TK_SYMBOL(struct mhd, destroy_response, MHD_destroy_response),
};

static const struct tk_library library = {"libmicrohttpd.so.12", symbols, TK_COUNTOF(symbols)};

/* A connection, from its first byte to its end. */
struct conn {
    struct tk_http1 *http;
    struct conn *next, **at; /* list of the owner */
    struct request *request; /* NULL between requests */
    int fd;                  /* libmicrohttpd's */
    int64_t due_ns;          /* it is cut when nothing came of it until then */
    bool has_served;         /* a request was answered: without another one it is merely idle */
};

struct request {
    struct conn *conn;
    struct MHD_Connection *mhd;
    struct tk_plan plan;
    struct tk_body body;
    uint64_t drained; /* bytes of a body that is refused */
    bool is_refused;  /* the answer is there already, of the head */
    bool is_ready;    /* the answer is there */
    bool must_close;
    bool is_codable;       /* the answer's body may be coded */
    tk_str origin;         /* of the page that may ask; "" = none */
    enum tk_coding coding; /* of the answer's body */
    struct tk_answer answer;
    int64_t end_ns; /* when its last byte was there */
    struct tk_waiter waiter;
};

struct tk_http1 {
    struct mhd mhd;
    struct tk_worker *worker;
    enum tk_protocol protocol;
    struct MHD_Daemon *daemon;
    struct conn *conns;
    size_t count;
    struct tk_waiting waiting; /* for a sync */
};

/* Requests ---------------------------------------------------------------------------------- */

static tk_str header(const struct request *request, const char *name)
{
    return tk_str_from(request->conn->http->mhd.find_value(request->mhd, MHD_HEADER_KIND, name));
}

static enum MHD_Result filter_header(void *user, enum MHD_ValueKind kind, const char *name,
                                     size_t name_n, const char *value, size_t value_n)
{
    (void)kind;
    tk_head_filter_add(user, (tk_str){name, name_n}, (tk_str){value, value_n});
    return MHD_YES;
}

static struct request *request_new(struct conn *conn, struct MHD_Connection *mhd)
{
    struct request *request = calloc(1, sizeof(*request));
    if (!request)
        return NULL;
    request->conn = conn;
    request->mhd = mhd;
    tk_buf_init(&request->answer.body, ANSWER_MAX);
    conn->request = request;
    return request;
}

static void request_free(struct request *request)
{
    tk_body_release(&request->conn->http->worker->bodies, &request->body);
    tk_buf_release(&request->answer.body);
    request->conn->request = NULL;
    free(request);
}

/* The body does not fit: into a body, or into the memory for all. */
static void refuse_body(struct request *request, int rc)
{
    struct tk_worker *worker = request->conn->http->worker;
    struct tk_verdict verdict = {.outcome = rc == -EMSGSIZE ? TK_OUTCOME_TOO_LARGE
                                                            : TK_OUTCOME_OVERLOADED};
    if (rc == -EMSGSIZE) {
        (void)tk_fail(&verdict.err, rc, "body: more than the %zu bytes that are taken",
                      worker->bodies.max_bytes);
    } else {
        (void)tk_fail(&verdict.err, rc, "too many requests at once: try again");
    }
    tk_counters_add_request(&worker->counters, request->conn->http->protocol, 0, &verdict);
    tk_verdict_put(&verdict, request->plan.payload, &request->answer);
    tk_body_release(&worker->bodies, &request->body);
    request->is_refused = true;
}

/* Whether a page of another origin may ask, and asks just that. */
static bool is_preflight(struct request *request, const char *method)
{
    const char *allowed = request->conn->http->worker->options->cors;
    tk_str origin = header(request, "Origin");
    request->origin = tk_cors_allows(allowed, origin) ? origin : (tk_str){NULL, 0};
    return request->origin.n > 0 && strcmp(method, MHD_HTTP_METHOD_OPTIONS) == 0 &&
           header(request, "Access-Control-Request-Method").n > 0;
}

/* Decide by the head. */
static void judge(struct request *request, const char *url, const char *method,
                  const struct tk_head_filter *filter)
{
    struct tk_http1 *http = request->conn->http;
    if (is_preflight(request, method)) {
        request->plan.kind = TK_PLAN_PREFLIGHT;
        return;
    }
    struct tk_head head = {.protocol = http->protocol,
                           .method = tk_str_from(method),
                           .path = tk_str_from(url),
                           .content_type = header(request, "Content-Type"),
                           .content_encoding = header(request, "Content-Encoding"),
                           .length = filter->length,
                           .otlp_path = tk_str_from(http->worker->options->otlp_path),
                           .has_site = http->worker->options->site != NULL};
    tk_plan_make(&head, http->worker->bodies.max_bytes, &request->plan, &request->answer);
    request->is_refused = request->plan.kind == TK_PLAN_REFUSE;
    if (request->is_refused) {
        tk_counters_add_refusal(&http->worker->counters, http->protocol);
        if (request->plan.signal < TK_SIGNAL_COUNT)
            tk_worker_refuse_signal(http->worker, request->plan.signal);
        return;
    }
    int rc = tk_body_reserve(&http->worker->bodies, &request->body, filter->length);
    if (rc < 0)
        refuse_body(request, rc);
}

/* Answers ----------------------------------------------------------------------------------- */

static void add_header(const struct request *request, struct MHD_Response *response,
                       const char *name, const char *value)
{
    (void)request->conn->http->mhd.add_response_header(response, name, value);
}

/* For the browser, which decides by them what the page gets to see. */
static void add_cors_headers(const struct request *request, struct MHD_Response *response)
{
    if (request->conn->http->worker->options->cors)
        add_header(request, response, MHD_HTTP_HEADER_VARY, "Origin");
    if (request->origin.n == 0)
        return;
    add_header(request, response, "Access-Control-Allow-Origin", request->origin.p);
    if (request->plan.kind != TK_PLAN_PREFLIGHT) {
        add_header(request, response, "Access-Control-Expose-Headers", "Retry-After");
        return;
    }
    add_header(request, response, "Access-Control-Allow-Methods", "GET, POST");
    add_header(request, response, "Access-Control-Allow-Headers", "*");
    add_header(request, response, "Access-Control-Max-Age", "600");
}

static void add_headers(struct request *request, struct MHD_Response *response)
{
    const struct tk_http1 *http = request->conn->http;
    const struct tk_answer *answer = &request->answer;
    char seconds[TK_I64_MAX + 1];
    if (answer->content_type)
        add_header(request, response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
    if (request->is_codable)
        add_header(request, response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    if (request->coding != TK_CODING_IDENTITY) {
        add_header(request, response, MHD_HTTP_HEADER_CONTENT_ENCODING,
                   tk_coding_name(request->coding));
    }
    if (answer->policy) {
        add_header(request, response, "Content-Security-Policy", answer->policy);
        add_header(request, response, "X-Content-Type-Options", "nosniff");
    }
    if (answer->allow)
        add_header(request, response, MHD_HTTP_HEADER_ALLOW, answer->allow);
    if (answer->retry_after_s > 0) {
        seconds[tk_i64_format(answer->retry_after_s, seconds)] = '\0';
        add_header(request, response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    }
    if (request->must_close || http->worker->stopping)
        add_header(request, response, MHD_HTTP_HEADER_CONNECTION, "close");
    add_cors_headers(request, response);
}

/* Long answers in the coding that the client likes best. */
static void code_answer(struct request *request)
{
    struct tk_buf *body = &request->answer.body;
    request->is_codable = body->n >= TK_CODED_MIN_BYTES;
    if (!request->is_codable)
        return;
    enum tk_coding coding = tk_coding_choose(header(request, MHD_HTTP_HEADER_ACCEPT_ENCODING));
    if (coding != TK_CODING_IDENTITY && tk_coded_make(coding, body))
        request->coding = coding;
}

/* Hand the answer to the library, which frees its body. */
static enum MHD_Result queue_answer(struct request *request)
{
    struct tk_http1 *http = request->conn->http;
    struct tk_answer *answer = &request->answer;
    if (!tk_buf_ok(&answer->body)) {
        tk_buf_reset(&answer->body);
        answer->status = 500;
    }
    code_answer(request);
    struct MHD_Response *response =
        http->mhd.create_response(answer->body.n, answer->body.p, MHD_RESPMEM_MUST_FREE);
    if (!response)
        return MHD_NO;
    tk_buf_init(&answer->body, ANSWER_MAX); /* its bytes are the response's now */
    add_headers(request, response);
    enum MHD_Result result =
        http->mhd.queue_response(request->mhd, (unsigned)answer->status, response);
    http->mhd.destroy_response(response);
    request->conn->due_ns = tk_clock_mono_ns() + http->worker->options->body_ns;
    return result;
}

static void put_waiting(struct request *request, uint64_t ticket)
{
    struct tk_http1 *http = request->conn->http;
    tk_waiting_add(&http->waiting, &request->waiter, ticket, request->end_ns, request);
    request->conn->due_ns = INT64_MAX;
    http->mhd.suspend_connection(request->mhd);
}

/* For tk_waiting. */
static void answer_waiter(void *owner, const struct tk_verdict *verdict)
{
    struct request *request = owner;
    struct tk_http1 *http = request->conn->http;
    int64_t now_ns = tk_clock_mono_ns();
    if (verdict)
        tk_verdict_put(verdict, request->plan.payload, &request->answer);
    request->conn->due_ns = now_ns + http->worker->options->body_ns;
    tk_counters_add_answer(&http->worker->counters, now_ns - request->end_ns);
    http->mhd.resume_connection(request->mhd);
}

static void take_spans(struct request *request)
{
    struct tk_http1 *http = request->conn->http;
    struct tk_verdict verdict;
    struct tk_payload payload = {
        request->plan.payload, request->plan.coding, {request->body.p, request->body.n}};
    uint64_t ticket = tk_worker_take(http->worker, http->protocol, &payload, &verdict);
    tk_body_release(&http->worker->bodies, &request->body);
    tk_verdict_put(&verdict, request->plan.payload, &request->answer);
    request->is_ready = true;
    if (ticket > 0) {
        put_waiting(request, ticket);
    } else {
        tk_counters_add_answer(&http->worker->counters, tk_clock_mono_ns() - request->end_ns);
    }
}

struct params {
    struct tk_param items[MAX_PARAMS];
    size_t count;
    bool is_cut;
};

static enum MHD_Result add_param(void *user, enum MHD_ValueKind kind, const char *name,
                                 size_t name_n, const char *value, size_t value_n)
{
    struct params *params = user;
    (void)kind;
    params->is_cut = params->count == MAX_PARAMS;
    if (params->is_cut)
        return MHD_NO;
    params->items[params->count++] =
        (struct tk_param){{name, name_n}, {value ? value : "", value_n}};
    return MHD_YES;
}

static void query(struct request *request, const char *url, const char *method)
{
    struct tk_http1 *http = request->conn->http;
    struct params params = {.count = 0};
    (void)http->mhd.get_values(request->mhd, MHD_GET_ARGUMENT_KIND, add_param, &params);
    if (params.is_cut) {
        request->answer.status = 400;
        tk_buf_printf(&request->answer.body, "more than %d parameters\n", MAX_PARAMS);
        return;
    }
    struct tk_request plain = {.method = tk_str_from(method),
                               .path = tk_str_from(url),
                               .params = params.items,
                               .param_count = params.count,
                               .accept = header(request, "Accept"),
                               .content_type = header(request, "Content-Type"),
                               .body = {request->body.p, request->body.n}};
    if (tk_str_eq(plain.method, TK_STR("HEAD")))
        plain.method = TK_STR("GET");
    tk_worker_query(http->worker, &plain, &request->answer);
}

/* Whether what is sent can be stored, or why not. */
static void tell_health(struct tk_server *server, struct tk_answer *answer)
{
    struct tk_err err;
    if (tk_server_check(server, &err) == 0) {
        tk_buf_lit(&answer->body, "ok\n");
        return;
    }
    answer->status = 503;
    tk_buf_printf(&answer->body, "%s\n", err.msg);
}

/* The whole request is there. */
static void finish(struct request *request, const char *url, const char *method)
{
    struct tk_http1 *http = request->conn->http;
    struct tk_answer *answer = &request->answer;
    request->end_ns = tk_clock_mono_ns();
    request->is_ready = true;
    answer->status = answer->status == 0 ? 200 : answer->status;
    if (request->is_refused)
        return;
    switch (request->plan.kind) {
    case TK_PLAN_SPANS:
        take_spans(request);
        break;
    case TK_PLAN_QUERY:
        query(request, url, method);
        break;
    case TK_PLAN_METRICS: {
        struct tk_metrics metrics;
        tk_server_count(http->worker->server, &metrics);
        tk_metrics_format(&metrics, &answer->body);
        answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
        break;
    }
    case TK_PLAN_LIST:
        tk_plan_list(http->protocol, tk_str_from(http->worker->options->otlp_path), &answer->body);
        break;
    case TK_PLAN_SITE:
        tk_site_answer(http->worker->options->site, tk_str_from(url), answer);
        break;
    case TK_PLAN_HEALTH:
        tell_health(http->worker->server, answer);
        break;
    case TK_PLAN_PREFLIGHT:
        answer->status = 204;
        return;
    case TK_PLAN_REFUSE:
        break;
    }
    if (!answer->content_type)
        answer->content_type = "text/plain; charset=utf-8";
}

/* What the library calls -------------------------------------------------------------------- */

/* The head is there. */
static enum MHD_Result begin(struct conn *conn, struct MHD_Connection *mhd, const char *url,
                             const char *method, void **ret_state)
{
    struct tk_http1 *http = conn->http;
    struct request *request = request_new(conn, mhd);
    if (!request)
        return MHD_NO;
    *ret_state = request;
    conn->due_ns = tk_clock_mono_ns() + http->worker->options->body_ns;

    struct tk_head_filter filter = {0};
    (void)http->mhd.get_values(mhd, MHD_HEADER_KIND, filter_header, &filter);
    const char *reason = tk_head_filter_reason(&filter);
    if (reason) {
        tk_counters_add_refusal(&http->worker->counters, http->protocol);
        request->answer.status = 400;
        request->answer.content_type = "text/plain; charset=utf-8";
        request->must_close = true;
        tk_buf_printf(&request->answer.body, "%s\n", reason);
        return queue_answer(request);
    }
    judge(request, url, method, &filter);
    request->must_close = request->is_refused && filter.length > DRAIN_MAX;
    return request->must_close ? queue_answer(request) : MHD_YES;
}

static enum MHD_Result take_bytes(struct request *request, tk_str bytes)
{
    struct tk_bodies *bodies = &request->conn->http->worker->bodies;
    if (!request->is_refused) {
        int rc = tk_body_add(bodies, &request->body, bytes);
        if (rc < 0)
            refuse_body(request, rc);
        return MHD_YES;
    }
    request->drained += bytes.n;
    return request->drained > bodies->max_bytes ? MHD_NO : MHD_YES;
}

/* NOLINTNEXTLINE(readability-function-size): libmicrohttpd says so */
static enum MHD_Result on_request(void *user, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *bytes,
                                  size_t *bytes_n, void **state)
{
    struct tk_http1 *http = user;
    struct request *request = *state;
    (void)version;
    if (!request) {
        struct conn *conn =
            http->mhd.get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
        return conn ? begin(conn, mhd, url, method, state) : MHD_NO;
    }
    if (*bytes_n > 0) {
        enum MHD_Result result = take_bytes(request, (tk_str){bytes, *bytes_n});
        *bytes_n = 0;
        return result;
    }
    if (!request->is_ready)
        finish(request, url, method);
    return request->waiter.ticket > 0 ? MHD_YES : queue_answer(request);
}

static void on_completed(void *user, struct MHD_Connection *mhd, void **state,
                         enum MHD_RequestTerminationCode why)
{
    struct tk_http1 *http = user;
    struct request *request = *state;
    (void)mhd;
    (void)why;
    if (!request)
        return;
    request->conn->due_ns = tk_clock_mono_ns() + http->worker->options->idle_ns;
    request->conn->has_served = true;
    request_free(request);
    *state = NULL;
}

static void on_connection(void *user, struct MHD_Connection *mhd, void **state,
                          enum MHD_ConnectionNotificationCode what)
{
    struct tk_http1 *http = user;
    struct conn *conn = *state;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        conn = calloc(1, sizeof(*conn));
        if (!conn)
            return;
        conn->http = http;
        conn->fd =
            http->mhd.get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        conn->due_ns = tk_clock_mono_ns() + http->worker->options->head_ns;
        conn->next = http->conns;
        conn->at = &http->conns;
        if (conn->next)
            conn->next->at = &conn->next;
        http->conns = conn;
        http->count++;
        *state = conn;
    } else if (conn) {
        *conn->at = conn->next;
        if (conn->next)
            conn->next->at = conn->at;
        http->count--;
        free(conn);
        *state = NULL;
        tk_worker_drop(http->worker, http->protocol);
    }
}

/* Object ------------------------------------------------------------------------------------ */

int tk_http1_new(struct tk_worker *worker, enum tk_protocol protocol, struct tk_http1 **ret_http,
                 struct tk_err *err)
{
    struct tk_http1 *http = calloc(1, sizeof(*http));
    if (!http)
        return tk_fail(err, -ENOMEM, "HTTP: out of memory");
    http->worker = worker;
    http->protocol = protocol;
    http->waiting = (struct tk_waiting){.worker = worker, .answer = answer_waiter};
    if (tk_library_load(&library, &http->mhd, err) < 0) {
        free(http);
        return tk_fail(err, -EOPNOTSUPP,
                       "the server needs %s (package libmicrohttpd12), which is not here",
                       library.soname);
    }
    http->daemon = http->mhd.start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
        on_request, http, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)worker->options->max_connections,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_END);
    if (!http->daemon) {
        free(http);
        return tk_fail(err, -EIO, "libmicrohttpd does not start");
    }
    *ret_http = http;
    return 0;
}

void tk_http1_free(struct tk_http1 *http)
{
    if (!http)
        return;
    http->mhd.stop_daemon(http->daemon);
    free(http);
}

int tk_http1_fd(const struct tk_http1 *http)
{
    return http->mhd.get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

void tk_http1_add(struct tk_http1 *http, int fd)
{
    struct sockaddr_storage peer = {0};
    socklen_t n = sizeof(peer);
    (void)getpeername(fd, (struct sockaddr *)&peer, &n);
    size_t before = http->count;
    if (http->mhd.add_connection(http->daemon, fd, (struct sockaddr *)&peer, n) != MHD_YES &&
        http->count == before)
        tk_worker_drop(http->worker, http->protocol);
}

int64_t tk_http1_step(struct tk_http1 *http)
{
    for (int round = 0; round < ROUNDS; round++) {
        MHD_UNSIGNED_LONG_LONG timeout_ms;
        (void)http->mhd.run(http->daemon);
        if (http->mhd.get_timeout(http->daemon, &timeout_ms) != MHD_YES)
            return -1;
        if (timeout_ms > 0)
            return (int64_t)timeout_ms * TK_NS_PER_MS;
    }
    return 0;
}

/* Deadlines and waiting --------------------------------------------------------------------- */

void tk_http1_settle(struct tk_http1 *http, const struct tk_sync_state *state)
{
    tk_waiting_settle(&http->waiting, state);
}

void tk_http1_sweep(struct tk_http1 *http, int64_t now_ns, bool all)
{
    tk_waiting_give_up(&http->waiting, now_ns);
    for (struct conn *conn = http->conns; conn; conn = conn->next) {
        bool is_idle = http->worker->stopping && !conn->request;
        bool is_slow = now_ns > conn->due_ns;
        if (!is_idle && !is_slow && !all)
            continue;
        /* The library sees its end and closes it. */
        (void)shutdown(conn->fd, SHUT_RDWR);
        if (is_slow && (conn->request || !conn->has_served))
            tk_counters_add_slow(&http->worker->counters);
        conn->due_ns = INT64_MAX;
    }
}

size_t tk_http1_count(const struct tk_http1 *http)
{
    return http->count;
}
