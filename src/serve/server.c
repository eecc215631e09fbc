/* SPDX-License-Identifier: Apache-2.0 */
/* The main thread accepts and deals connections out to the worker that has the fewest: telemetry
 * comes over few connections that live long, which SO_REUSEPORT would spread by chance (of 8, five
 * or more go to one of two workers in seven of ten cases).
 *
 * Workers 0 .. n - 1 take spans over HTTP and gRPC; the last one answers queries and takes spans of
 * Zipkin, so that a query that takes long delays nobody who sends. */
#include "serve/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "serve/intake.h"
#include "serve/listen.h"
#include "serve/worker.h"

#define WORKERS_MAX 256
#define ACCEPT_MAX  64 /* in one go, then others are accepted */
#define PAUSE_MS    100

struct tk_server {
    struct tk_server_options options;
    struct tk_listener listeners[TK_PROTOCOL_COUNT];
    struct tk_worker *workers[WORKERS_MAX + 1];
    size_t worker_count;
    pthread_mutex_t lock; /* for what follows */
    uint64_t refused_connections;
    bool has_refused[TK_SIGNAL_COUNT];
};

#define FOR_SPANS   (1U << TK_PROTOCOL_HTTP | 1U << TK_PROTOCOL_GRPC)
#define FOR_QUERIES (1U << TK_PROTOCOL_ZIPKIN | 1U << TK_PROTOCOL_QUERY)

static const char *const option_names[TK_PROTOCOL_COUNT] = {
    [TK_PROTOCOL_HTTP] = "http",
    [TK_PROTOCOL_GRPC] = "grpc",
    [TK_PROTOCOL_ZIPKIN] = "zipkin",
    [TK_PROTOCOL_QUERY] = "query",
};

/* Options ----------------------------------------------------------------------------------- */

static int64_t or_ns(int64_t value_ns, int64_t otherwise_ns)
{
    return value_ns > 0 ? value_ns : otherwise_ns;
}

static void fill_options(struct tk_server_options *options)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    if (options->workers <= 0)
        options->workers = cpus > 0 ? (int)cpus : 1;
    if (options->workers > WORKERS_MAX)
        options->workers = WORKERS_MAX;
    if (options->max_body_bytes == 0)
        options->max_body_bytes = (size_t)64 << 20;
    if (options->budget_bytes == 0)
        options->budget_bytes = (size_t)256 << 20;
    if (options->max_connections <= 0)
        options->max_connections = 1024;
    options->head_ns = or_ns(options->head_ns, 10 * TK_NS_PER_S);
    options->body_ns = or_ns(options->body_ns, 60 * TK_NS_PER_S);
    options->idle_ns = or_ns(options->idle_ns, 75 * TK_NS_PER_S);
    options->grace_ns = or_ns(options->grace_ns, 5 * TK_NS_PER_S);
    options->sync_ns = or_ns(options->sync_ns, 20 * TK_NS_PER_MS);
    /* Collectors wait 5 s for an answer, SDKs 10 s. */
    options->sync_wait_ns = or_ns(options->sync_wait_ns, 4 * TK_NS_PER_S);
    options->segments.ack = options->ack;
}

/* Object ------------------------------------------------------------------------------------ */

static int open_listeners(struct tk_server *server, struct tk_err *err)
{
    for (size_t i = 0; i < TK_PROTOCOL_COUNT; i++) {
        const char *text = server->options.listen[i];
        int rc = text ? tk_listener_open(text, &server->listeners[i], err) : 0;
        if (rc < 0)
            return tk_err_prefix(err, "option '--%s'", option_names[i]);
    }
    return 0;
}

static int add_worker(struct tk_server *server, unsigned protocols, struct tk_err *err)
{
    unsigned wanted = 0;
    for (unsigned i = 0; i < TK_PROTOCOL_COUNT; i++)
        wanted |= server->listeners[i].fd >= 0 ? protocols & 1U << i : 0;
    if (wanted == 0)
        return 0;
    int rc = tk_worker_new(server, &server->options, wanted, &server->workers[server->worker_count],
                           err);
    if (rc == 0)
        server->worker_count++;
    return rc;
}

int tk_server_new(const struct tk_server_options *options, struct tk_server **ret_server,
                  struct tk_err *err)
{
    struct tk_server *server = calloc(1, sizeof(*server));
    if (!server)
        return tk_fail(err, -ENOMEM, "server: out of memory");
    server->options = *options;
    fill_options(&server->options);
    (void)pthread_mutex_init(&server->lock, NULL);
    for (size_t i = 0; i < TK_PROTOCOL_COUNT; i++)
        server->listeners[i].fd = -1;
    int rc = open_listeners(server, err);
    for (int i = 0; i < server->options.workers && rc == 0; i++)
        rc = add_worker(server, FOR_SPANS, err);
    if (rc == 0)
        rc = add_worker(server, FOR_QUERIES, err);
    if (rc < 0) {
        tk_server_free(server);
        return rc;
    }
    *ret_server = server;
    return 0;
}

const char *tk_server_address(const struct tk_server *server, enum tk_protocol protocol)
{
    return server->listeners[protocol].fd >= 0 ? server->listeners[protocol].address : NULL;
}

void tk_server_free(struct tk_server *server)
{
    if (!server)
        return;
    for (size_t i = 0; i < server->worker_count; i++)
        tk_worker_free(server->workers[i]);
    for (size_t i = 0; i < TK_PROTOCOL_COUNT; i++)
        tk_fd_close(&server->listeners[i].fd);
    (void)pthread_mutex_destroy(&server->lock);
    free(server);
}

int tk_server_check(struct tk_server *server, struct tk_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < server->worker_count && rc == 0; i++)
        rc = tk_worker_check(server->workers[i], err);
    return rc;
}

void tk_server_count(struct tk_server *server, struct tk_metrics *ret_metrics)
{
    struct tk_err ignored;
    *ret_metrics = (struct tk_metrics){.can_store = tk_server_check(server, &ignored) == 0};
    for (size_t i = 0; i < server->worker_count; i++) {
        struct tk_worker *worker = server->workers[i];
        struct tk_segment_counts counts = {0};
        tk_counters_sum(&worker->counters, &ret_metrics->counts);
        if (worker->intake)
            tk_segment_sink_count(tk_intake_sink(worker->intake), &counts);
        ret_metrics->segments.spans += counts.spans;
        ret_metrics->segments.segments += counts.segments;
        ret_metrics->segments.bytes += counts.bytes;
        ret_metrics->segments.log_bytes += counts.log_bytes;
        ret_metrics->segments.waiting += counts.waiting;
        ret_metrics->segments.failures += counts.failures;
        ret_metrics->segments.unwritten += counts.unwritten;
    }
    (void)pthread_mutex_lock(&server->lock);
    ret_metrics->refused_connections = server->refused_connections;
    (void)pthread_mutex_unlock(&server->lock);
}

bool tk_server_is_first(struct tk_server *server, enum tk_signal signal)
{
    (void)pthread_mutex_lock(&server->lock);
    bool is_first = !server->has_refused[signal];
    server->has_refused[signal] = true;
    (void)pthread_mutex_unlock(&server->lock);
    return is_first;
}

/* Connections ------------------------------------------------------------------------------- */

/* The worker of a protocol that has the fewest connections; `ret_total` is what all have. */
static struct tk_worker *choose_worker(struct tk_server *server, enum tk_protocol protocol,
                                       int *ret_total)
{
    struct tk_worker *best = NULL;
    int best_load = 0, total = 0;
    for (size_t i = 0; i < server->worker_count; i++) {
        struct tk_worker *worker = server->workers[i];
        int load = tk_worker_load(worker);
        total += load;
        bool fits =
            protocol == TK_PROTOCOL_GRPC ? worker->http2 != NULL : worker->http1[protocol] != NULL;
        if (!fits || (best && load >= best_load))
            continue;
        best = worker;
        best_load = load;
    }
    *ret_total = total;
    return best;
}

static void refuse_connection(struct tk_server *server, enum tk_protocol protocol, int fd)
{
    static const char text[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
                               "Connection: close\r\nContent-Length: 0\r\n\r\n";
    if (protocol != TK_PROTOCOL_GRPC)
        (void)!send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)close(fd);
    (void)pthread_mutex_lock(&server->lock);
    server->refused_connections++;
    (void)pthread_mutex_unlock(&server->lock);
}

static void deal_out(struct tk_server *server, enum tk_protocol protocol, int fd)
{
    static const int on = 1;
    int total;
    struct tk_worker *worker = choose_worker(server, protocol, &total);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (total >= server->options.max_connections || tk_worker_add(worker, protocol, fd) < 0)
        refuse_connection(server, protocol, fd);
}

static void accept_some(struct tk_server *server, enum tk_protocol protocol)
{
    for (int i = 0; i < ACCEPT_MAX; i++) {
        int fd = accept4(server->listeners[protocol].fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            deal_out(server, protocol, fd);
            continue;
        }
        /* No descriptor or memory is left: those that have one are served first. */
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            (void)poll(NULL, 0, PAUSE_MS);
        return;
    }
}

static void accept_until(struct tk_server *server, int stop_fd)
{
    struct pollfd fds[TK_PROTOCOL_COUNT + 1] = {{.fd = stop_fd, .events = POLLIN}};
    for (size_t i = 0; i < TK_PROTOCOL_COUNT; i++)
        fds[i + 1] = (struct pollfd){.fd = server->listeners[i].fd, .events = POLLIN};
    for (;;) {
        (void)poll(fds, TK_COUNTOF(fds), -1);
        if (fds[0].revents)
            return;
        for (size_t i = 0; i < TK_PROTOCOL_COUNT; i++) {
            if (fds[i + 1].revents & POLLIN)
                accept_some(server, (enum tk_protocol)i);
        }
    }
}

static int stop_workers(struct tk_server *server, struct tk_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < TK_PROTOCOL_COUNT; i++)
        tk_fd_close(&server->listeners[i].fd);
    for (size_t i = 0; i < server->worker_count; i++)
        tk_worker_stop(server->workers[i]);
    for (size_t i = 0; i < server->worker_count; i++) {
        struct tk_err own;
        int own_rc = tk_worker_join(server->workers[i], &own);
        if (own_rc < 0 && rc == 0) {
            rc = own_rc;
            *err = own;
        }
    }
    return rc;
}

int tk_server_run(struct tk_server *server, int spans_dirfd, int stop_fd, struct tk_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < server->worker_count && rc == 0; i++)
        rc = tk_worker_start(server->workers[i], spans_dirfd, err);
    if (rc == 0)
        accept_until(server, stop_fd);
    struct tk_err later;
    int end = stop_workers(server, rc < 0 ? &later : err);
    return rc < 0 ? rc : end;
}
