/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "serve/http1.h"
#include "serve/http2.h"
#include "serve/intake.h"

#define INBOX_MAX   256
#define EVENTS      64
#define TICK_NS     (250 * TK_NS_PER_MS) /* of deadlines, and of segments that are due */
#define SCRATCH_MAX ((size_t)64 << 20)
#define BATCH_ROWS  ((size_t)1 << 20) /* of all traces of one answer */

struct arrival {
    int fd;
    enum tk_protocol protocol;
};

/* What other threads touch. */
struct tk_worker_inbox {
    pthread_t thread;
    bool is_running;
    struct tk_err err; /* of the end; once the thread was joined */
    int rc;

    pthread_mutex_t lock; /* for all below */
    struct arrival arrivals[INBOX_MAX];
    size_t count;
    int load; /* connections, those on their way too */
    bool stop;
};

/* Connections ------------------------------------------------------------------------------- */

static void wake(struct tk_worker *worker)
{
    uint64_t one = 1;
    (void)!write(worker->event_fd, &one, sizeof(one));
}

int tk_worker_add(struct tk_worker *worker, enum tk_protocol protocol, int fd)
{
    struct tk_worker_inbox *inbox = worker->inbox;
    int rc = -EAGAIN;
    (void)pthread_mutex_lock(&inbox->lock);
    if (inbox->count < INBOX_MAX && !inbox->stop) {
        inbox->arrivals[inbox->count++] = (struct arrival){fd, protocol};
        rc = ++inbox->load;
    }
    (void)pthread_mutex_unlock(&inbox->lock);
    if (rc > 0)
        wake(worker);
    return rc;
}

int tk_worker_load(struct tk_worker *worker)
{
    (void)pthread_mutex_lock(&worker->inbox->lock);
    int load = worker->inbox->load;
    (void)pthread_mutex_unlock(&worker->inbox->lock);
    return load;
}

void tk_worker_stop(struct tk_worker *worker)
{
    (void)pthread_mutex_lock(&worker->inbox->lock);
    worker->inbox->stop = true;
    (void)pthread_mutex_unlock(&worker->inbox->lock);
    wake(worker);
}

void tk_worker_drop(struct tk_worker *worker, enum tk_protocol protocol)
{
    tk_counters_add_connection(&worker->counters, protocol, -1);
    (void)pthread_mutex_lock(&worker->inbox->lock);
    worker->inbox->load--;
    (void)pthread_mutex_unlock(&worker->inbox->lock);
}

static void open_arrival(struct tk_worker *worker, struct arrival arrival)
{
    tk_counters_add_connection(&worker->counters, arrival.protocol, 1);
    if (arrival.protocol == TK_PROTOCOL_GRPC) {
        tk_http2_add(worker->http2, arrival.fd);
    } else {
        tk_http1_add(worker->http1[arrival.protocol], arrival.fd);
    }
}

static void take_inbox(struct tk_worker *worker)
{
    struct arrival arrivals[INBOX_MAX];
    (void)pthread_mutex_lock(&worker->inbox->lock);
    size_t count = worker->inbox->count;
    for (size_t i = 0; i < count; i++)
        arrivals[i] = worker->inbox->arrivals[i];
    worker->inbox->count = 0;
    bool stop = worker->inbox->stop;
    (void)pthread_mutex_unlock(&worker->inbox->lock);

    for (size_t i = 0; i < count; i++)
        open_arrival(worker, arrivals[i]);
    if (stop && !worker->stopping) {
        worker->stopping = true;
        worker->stop_by_ns = tk_clock_mono_ns() + worker->options->grace_ns;
    }
}

/* Requests ---------------------------------------------------------------------------------- */

int tk_worker_check(const struct tk_worker *worker, struct tk_err *err)
{
    int64_t limit_ns = worker->options->sync_wait_ns;
    if (worker->syncer && tk_syncer_is_late(worker->syncer, limit_ns)) {
        return tk_fail(err, -ETIMEDOUT, "the disk hangs, a sync takes longer than %lld ms",
                       (long long)(limit_ns / TK_NS_PER_MS));
    }
    return worker->intake ? tk_segment_sink_check(tk_intake_sink(worker->intake), limit_ns, err)
                          : 0;
}

static void put_late(const struct tk_worker *worker, struct tk_verdict *ret_verdict)
{
    *ret_verdict = (struct tk_verdict){.outcome = TK_OUTCOME_FAILED};
    (void)tk_fail(&ret_verdict->err, -ETIMEDOUT,
                  "the disk hangs, a sync takes longer than %lld ms: try again",
                  (long long)(worker->options->sync_wait_ns / TK_NS_PER_MS));
}

uint64_t tk_worker_take(struct tk_worker *worker, enum tk_protocol protocol,
                        const struct tk_payload *payload, struct tk_verdict *ret_verdict)
{
    /* Who is told to come again comes again: what he brings would be stored each time. */
    if (worker->late_ticket > 0) {
        put_late(worker, ret_verdict);
    } else {
        tk_intake_add(worker->intake, payload, ret_verdict);
    }
    tk_counters_add_request(&worker->counters, protocol, payload->body.n, ret_verdict);
    bool waits =
        worker->syncer && ret_verdict->outcome == TK_OUTCOME_TAKEN && ret_verdict->tally.spans > 0;
    return waits ? tk_syncer_add(worker->syncer) : 0;
}

bool tk_worker_settle(struct tk_worker *worker, const struct tk_sync_state *state, uint64_t ticket,
                      struct tk_verdict *ret_verdict)
{
    if (ticket <= state->failed_from || ticket > state->failed)
        return true;
    *ret_verdict = (struct tk_verdict){.outcome = TK_OUTCOME_FAILED, .err = state->err};
    tk_counters_add_unsynced(&worker->counters);
    return false;
}

bool tk_worker_give_up(struct tk_worker *worker, uint64_t ticket, int64_t since_ns, int64_t now_ns,
                       struct tk_verdict *ret_verdict)
{
    if (now_ns - since_ns < worker->options->sync_wait_ns)
        return false;
    put_late(worker, ret_verdict);
    if (worker->late_ticket == 0)
        tk_log(TK_LOG_WARN, "serve", "%s", ret_verdict->err.msg);
    worker->late_ticket = ticket > worker->late_ticket ? ticket : worker->late_ticket;
    tk_counters_add_unsynced(&worker->counters);
    return true;
}

void tk_worker_refuse_signal(struct tk_worker *worker, enum tk_signal signal)
{
    tk_counters_add_signal(&worker->counters, signal);
    if (tk_server_is_first(worker->server, signal))
        tk_log(TK_LOG_WARN, "serve", "%s", tk_signals[signal].why);
}

static void settle(struct tk_worker *worker)
{
    struct tk_sync_state state;
    if (!worker->syncer)
        return;
    tk_syncer_read(worker->syncer, &state);
    if (worker->late_ticket > 0 && state.done >= worker->late_ticket) {
        worker->late_ticket = 0;
        tk_log(TK_LOG_INFO, "serve", "the disk syncs again: spans are taken");
    }
    for (size_t i = 0; i < TK_PROTOCOL_COUNT; i++) {
        if (worker->http1[i])
            tk_http1_settle(worker->http1[i], &state);
    }
    if (worker->http2)
        tk_http2_settle(worker->http2, &state);
}

/* Queries ----------------------------------------------------------------------------------- */

static int open_queries(struct tk_worker *worker, struct tk_err *err)
{
    int rc = 0;
    if (!worker->set)
        rc = tk_segment_set_new(worker->spans_dirfd, true, &worker->set, err);
    if (rc == 0 && !worker->batch)
        rc = tk_span_batch_new(BATCH_ROWS, &worker->batch, err);
    if (rc == 0 && !worker->scratch.p)
        rc = tk_arena_init(&worker->scratch, SCRATCH_MAX, err);
    return rc < 0 ? rc : tk_segment_set_refresh(worker->set, err);
}

static int run_query(struct tk_worker *worker, const struct tk_request *request,
                     struct tk_answer *answer, struct tk_err *err)
{
    bool is_known;
    tk_str segment;
    const struct tk_route *route =
        tk_routes_find(request->method, request->path, &segment, &is_known);
    if (!route)
        return tk_fail(err, -ENOENT, "no such path");
    int rc = open_queries(worker, err);
    if (rc < 0)
        return rc;
    tk_span_batch_reset(worker->batch);
    tk_arena_reset(&worker->scratch);
    struct tk_query_ctx ctx = {worker->set, worker->batch, &worker->scratch, tk_clock_real_ns()};
    return route->handle(&ctx, request, segment, answer, err);
}

void tk_worker_query(struct tk_worker *worker, const struct tk_request *request,
                     struct tk_answer *answer)
{
    struct tk_err err;
    int64_t began_ns = tk_clock_mono_ns();
    answer->status = 0;
    if (run_query(worker, request, answer, &err) < 0) {
        tk_buf_reset(&answer->body);
        answer->status = 500;
        answer->content_type = "text/plain; charset=utf-8";
        tk_buf_printf(&answer->body, "%s\n", err.msg);
    }
    answer->status = answer->status == 0 ? 200 : answer->status;
    tk_counters_add_query(&worker->counters, tk_clock_mono_ns() - began_ns);
}

/* Loop -------------------------------------------------------------------------------------- */

static size_t count_connections(const struct tk_worker *worker)
{
    size_t count = worker->http2 ? tk_http2_count(worker->http2) : 0;
    for (size_t i = 0; i < TK_PROTOCOL_COUNT; i++)
        count += worker->http1[i] ? tk_http1_count(worker->http1[i]) : 0;
    return count;
}

static void sweep(struct tk_worker *worker, int64_t now_ns, bool all)
{
    for (size_t i = 0; i < TK_PROTOCOL_COUNT; i++) {
        if (worker->http1[i])
            tk_http1_sweep(worker->http1[i], now_ns, all);
    }
    if (worker->http2)
        tk_http2_sweep(worker->http2, now_ns, all);
}

/* Let each listener of HTTP/1.1 do what it can; returns after how long one wants to go on. */
static int64_t step_http1(struct tk_worker *worker)
{
    int64_t soonest_ns = TICK_NS;
    for (size_t i = 0; i < TK_PROTOCOL_COUNT; i++) {
        int64_t ns = worker->http1[i] ? tk_http1_step(worker->http1[i]) : -1;
        if (ns >= 0 && ns < soonest_ns)
            soonest_ns = ns;
    }
    return soonest_ns;
}

/* Wait for events and handle those of gRPC. A connection lives at least as long as the events that
 * were got with it, so all else, which may close connections, comes afterwards. */
static bool wait_for_events(struct tk_worker *worker, int64_t timeout_ns)
{
    struct epoll_event events[EVENTS];
    bool is_woken = false;
    int timeout_ms = (int)((timeout_ns + TK_NS_PER_MS - 1) / TK_NS_PER_MS);
    int n = epoll_wait(worker->epoll_fd, events, EVENTS, timeout_ms);
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr == worker) {
            is_woken = true;
        } else if (events[i].data.ptr) {
            tk_http2_step(events[i].data.ptr, events[i].events);
        }
    }
    if (is_woken) {
        uint64_t ignored;
        (void)!read(worker->event_fd, &ignored, sizeof(ignored));
    }
    return is_woken;
}

static void loop(struct tk_worker *worker)
{
    int64_t next_tick_ns = 0;
    int64_t timeout_ns = 0;
    for (;;) {
        if (wait_for_events(worker, timeout_ns)) {
            take_inbox(worker);
            settle(worker);
        }
        int64_t now_ns = tk_clock_mono_ns();
        if (now_ns >= next_tick_ns || worker->stopping) {
            next_tick_ns = now_ns + TICK_NS;
            tk_intake_step(worker->intake, now_ns);
            sweep(worker, now_ns, worker->stopping && now_ns > worker->stop_by_ns);
        }
        timeout_ns = step_http1(worker); /* what sweeping answered goes out, too */
        if (!worker->stopping)
            continue;
        if (count_connections(worker) == 0)
            return;
        timeout_ns = timeout_ns < 10 * TK_NS_PER_MS ? timeout_ns : 10 * TK_NS_PER_MS;
    }
}

static void *run(void *user)
{
    struct tk_worker *worker = user;
    struct tk_worker_inbox *inbox = worker->inbox;
    (void)prctl(PR_SET_NAME, "tk-worker", 0, 0, 0);
    loop(worker);
    inbox->rc = tk_intake_close(worker->intake, &inbox->err);
    return NULL;
}

/* Object ------------------------------------------------------------------------------------ */

static int watch(const struct tk_worker *worker, int fd, void *data, struct tk_err *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = data}};
    if (epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return tk_fail_errno(err, "epoll");
    return 0;
}

static int open_loop(struct tk_worker *worker, struct tk_err *err)
{
    worker->inbox = calloc(1, sizeof(*worker->inbox));
    if (!worker->inbox)
        return tk_fail(err, -ENOMEM, "worker: out of memory");
    (void)pthread_mutex_init(&worker->inbox->lock, NULL);
    worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    worker->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (worker->epoll_fd < 0 || worker->event_fd < 0)
        return tk_fail_errno(err, "worker");
    return watch(worker, worker->event_fd, worker, err);
}

static int open_protocol(struct tk_worker *worker, enum tk_protocol protocol, struct tk_err *err)
{
    if (protocol == TK_PROTOCOL_GRPC)
        return tk_http2_new(worker, &worker->http2, err);
    int rc = tk_http1_new(worker, protocol, &worker->http1[protocol], err);
    /* What of it is ready is found by stepping, whatever woke the loop. */
    return rc < 0 ? rc : watch(worker, tk_http1_fd(worker->http1[protocol]), NULL, err);
}

static int open_intake(struct tk_worker *worker, struct tk_err *err)
{
    const struct tk_server_options *options = worker->options;
    int rc = tk_intake_new(worker->spans_dirfd, &options->segments, options->max_body_bytes,
                           &worker->intake, err);
    if (rc == 0 && options->ack == TK_ACK_FSYNC) {
        rc = tk_syncer_new(tk_intake_sink(worker->intake), worker->event_fd, options->sync_ns,
                           &worker->syncer, err);
    }
    return rc;
}

int tk_worker_new(struct tk_server *server, const struct tk_server_options *options,
                  unsigned protocols, struct tk_worker **ret_worker, struct tk_err *err)
{
    struct tk_worker *worker = calloc(1, sizeof(*worker));
    if (!worker)
        return tk_fail(err, -ENOMEM, "worker: out of memory");
    worker->server = server;
    worker->options = options;
    worker->epoll_fd = worker->event_fd = worker->spans_dirfd = -1;
    tk_counters_init(&worker->counters);
    tk_bodies_init(&worker->bodies, options->max_body_bytes,
                   options->budget_bytes / (size_t)options->workers);
    int rc = open_loop(worker, err);
    for (int i = 0; i < TK_PROTOCOL_COUNT && rc == 0; i++) {
        if (protocols >> i & 1)
            rc = open_protocol(worker, (enum tk_protocol)i, err);
    }
    if (rc < 0) {
        tk_worker_free(worker);
        return rc;
    }
    *ret_worker = worker;
    return 0;
}

int tk_worker_start(struct tk_worker *worker, int spans_dirfd, struct tk_err *err)
{
    worker->spans_dirfd = spans_dirfd;
    int rc = open_intake(worker, err);
    if (rc < 0)
        return rc;
    rc = pthread_create(&worker->inbox->thread, NULL, run, worker);
    if (rc != 0)
        return tk_fail_code(err, -rc, "thread of a worker");
    worker->inbox->is_running = true;
    return 0;
}

int tk_worker_join(struct tk_worker *worker, struct tk_err *err)
{
    struct tk_worker_inbox *inbox = worker->inbox;
    if (!inbox->is_running)
        return 0;
    (void)pthread_join(inbox->thread, NULL);
    inbox->is_running = false;
    if (inbox->rc < 0)
        *err = inbox->err;
    return inbox->rc;
}

void tk_worker_free(struct tk_worker *worker)
{
    if (!worker)
        return;
    for (size_t i = 0; i < TK_PROTOCOL_COUNT; i++)
        tk_http1_free(worker->http1[i]);
    tk_http2_free(worker->http2);
    tk_syncer_free(worker->syncer);
    tk_intake_free(worker->intake);
    tk_segment_set_free(worker->set);
    tk_span_batch_free(worker->batch);
    tk_arena_release(&worker->scratch);
    tk_bodies_release(&worker->bodies);
    tk_counters_release(&worker->counters);
    tk_fd_close(&worker->epoll_fd);
    tk_fd_close(&worker->event_fd);
    for (size_t i = 0; worker->inbox && i < worker->inbox->count; i++)
        tk_fd_close(&worker->inbox->arrivals[i].fd);
    if (worker->inbox)
        (void)pthread_mutex_destroy(&worker->inbox->lock);
    free(worker->inbox);
    free(worker);
}
