/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sender.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "load/sender_internal.h"

#define CONNECTIONS 8
#define STREAMS     8
#define EVENTS      64
#define TIMEOUT_NS  (10 * TK_NS_PER_S)
#define PATIENCE_NS (30 * TK_NS_PER_S)
#define TICK_NS     (50 * TK_NS_PER_MS) /* between looks at what takes too long */
#define PROGRESS_NS TK_NS_PER_S

/* Finding the receiver --------------------------------------------------------------------- */

/* Whether something listens there. */
static int try_address(const struct addrinfo *info, int64_t timeout_ns)
{
    int error = 0;
    socklen_t n = sizeof(error);
    TK_CLEANUP(tk_fd_close)
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, info->ai_addr, info->ai_addrlen) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return -errno;
    struct pollfd waiting = {.fd = fd, .events = POLLOUT};
    int rc = poll(&waiting, 1, (int)(timeout_ns / TK_NS_PER_MS));
    if (rc <= 0)
        return rc < 0 ? -errno : -ETIMEDOUT;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
        return -errno;
    return -error;
}

/* The first address of the name that takes a connection. It stays that one for the whole load. */
static int find_address(struct tk_sender *sender, int64_t timeout_ns, struct tk_err *err)
{
    const struct tk_load_target *target = sender->opts->target;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int found = getaddrinfo(target->host, target->port, &hints, &list);
    if (found != 0)
        return tk_fail(err, -EHOSTUNREACH, "%s: %s", target->host, gai_strerror(found));
    int rc = -EHOSTUNREACH;
    for (const struct addrinfo *info = list; info && rc < 0; info = info->ai_next) {
        rc = try_address(info, timeout_ns);
        memcpy(&sender->address, info->ai_addr, info->ai_addrlen);
        sender->address_n = info->ai_addrlen;
    }
    freeaddrinfo(list);
    return rc < 0 ? tk_fail_code(err, rc, "connect to %s", target->authority) : 0;
}

/* Begin and end ---------------------------------------------------------------------------- */

static void sender_release(struct tk_sender *sender)
{
    sender->stopped = true;
    for (size_t i = 0; sender->connections && i < sender->connection_count; i++) {
        struct tk_connection *connection = &sender->connections[i];
        tk_fd_close(&connection->fd);
        sender->protocol->close(connection->exchange);
        for (size_t j = 0; connection->slots && j < sender->slot_count; j++)
            tk_buf_release(&connection->slots[j].copy);
        free(connection->slots);
    }
    free(sender->connections);
    tk_schedule_release(&sender->schedule);
    tk_fd_close(&sender->epoll_fd);
}

static const struct tk_exchange *protocol_of(bool grpc)
{
#ifdef TK_HAVE_NGHTTP2
    return grpc ? &tk_exchange_grpc : &tk_exchange_http;
#else
    return grpc ? NULL : &tk_exchange_http;
#endif
}

static int connections_new(struct tk_sender *sender, struct tk_err *err)
{
    size_t max_copy = 2 * TK_LOAD_BODIES_MAX_BYTES;
    sender->connections = calloc(sender->connection_count, sizeof(*sender->connections));
    if (!sender->connections)
        return tk_fail(err, -ENOMEM, "connections: out of memory");
    for (size_t i = 0; i < sender->connection_count; i++) {
        struct tk_connection *connection = &sender->connections[i];
        connection->sender = sender;
        connection->fd = -1;
        connection->slots = calloc(sender->slot_count, sizeof(*connection->slots));
        if (!connection->slots)
            return tk_fail(err, -ENOMEM, "connections: out of memory");
        for (size_t j = 0; j < sender->slot_count; j++)
            tk_buf_init(&connection->slots[j].copy, max_copy);
    }
    return 0;
}

static int sender_init(struct tk_sender *sender, const struct tk_load_opts *opts,
                       struct tk_err *err)
{
    *sender = (struct tk_sender){.opts = opts, .epoll_fd = -1};
    sender->protocol = protocol_of(opts->grpc);
    if (!sender->protocol)
        return tk_fail(err, -EOPNOTSUPP, "gRPC: this tracekit was built without libnghttp2");
    sender->connection_count = opts->connections;
    sender->slot_count = opts->grpc ? opts->streams : 1;
    int rc = connections_new(sender, err);
    if (rc < 0)
        return rc;
    sender->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (sender->epoll_fd < 0)
        return tk_fail_errno(err, "epoll");
    rc = find_address(sender, opts->timeout_ns, err);
    if (rc < 0)
        return rc;
    sender->start = tk_anchor_now();
    sender->now_ns = sender->start.mono_ns;
    sender->last_alive_ns = sender->now_ns;
    sender->window_start_ns = sender->now_ns + opts->warmup_ns;
    sender->random = (uint64_t)sender->start.mono_ns;
    tk_schedule_init(&sender->schedule, &opts->schedule, sender->now_ns, sender->start.real_ns);
    return 0;
}

/* Sending ---------------------------------------------------------------------------------- */

static bool has_room(const struct tk_sender *sender, const struct tk_connection *connection)
{
    return connection->state == TK_CONNECTION_OPEN && connection->busy < sender->slot_count &&
           connection->paused_until_ns <= sender->now_ns &&
           !sender->protocol->is_closing(connection->exchange);
}

/* A connection for the next request; NULL when none has room. */
static struct tk_connection *find_room(struct tk_sender *sender)
{
    if (sender->busy == sender->connection_count * sender->slot_count)
        return NULL;
    for (size_t i = 0; i < sender->connection_count; i++) {
        size_t at = (sender->cursor + i) % sender->connection_count;
        if (has_room(sender, &sender->connections[at])) {
            sender->cursor = at + 1;
            return &sender->connections[at];
        }
    }
    return NULL;
}

/* More connections for what is due: one more at a time, so that a burst does not open them all. */
static void open_one(struct tk_sender *sender)
{
    for (size_t i = 0; i < sender->connection_count && sender->opening == 0; i++) {
        struct tk_connection *connection = &sender->connections[i];
        if (connection->state == TK_CONNECTION_CLOSED &&
            connection->paused_until_ns <= sender->now_ns)
            tk_connection_open(connection);
    }
}

static void count_sent(struct tk_sender *sender, const struct tk_load_item *item)
{
    struct tk_load_totals *totals = &sender->totals;
    if (item->attempts > 0) {
        totals->retries++;
        return;
    }
    int64_t late_ns = sender->now_ns - item->due_ns;
    totals->sent_requests++;
    totals->sent_spans += tk_sender_body(sender, item)->spans;
    if (late_ns > totals->late_max_ns)
        totals->late_max_ns = late_ns;
}

/* Send what is due, as far as there is room. */
static void send_due(struct tk_sender *sender)
{
    struct tk_load_item item;
    while (sender->failure.code == 0 && tk_schedule_next_ns(&sender->schedule) <= sender->now_ns) {
        struct tk_connection *connection = find_room(sender);
        if (!connection) {
            open_one(sender);
            return;
        }
        if (!tk_schedule_take(&sender->schedule, sender->now_ns, &item))
            return;
        count_sent(sender, &item);
        tk_connection_submit(connection, &item);
        sender->now_ns = tk_clock_mono_ns();
    }
}

/* Watching --------------------------------------------------------------------------------- */

static bool is_overdue(const struct tk_sender *sender, const struct tk_connection *connection)
{
    for (size_t i = 0; i < sender->slot_count && connection->busy > 0; i++) {
        const struct tk_load_slot *slot = &connection->slots[i];
        if (slot->busy && sender->now_ns - slot->sent_ns > sender->opts->timeout_ns)
            return true;
    }
    return false;
}

/* Close what takes too long; remember whether the receiver is there. */
static void watch(struct tk_sender *sender)
{
    for (size_t i = 0; i < sender->connection_count; i++) {
        struct tk_connection *connection = &sender->connections[i];
        if (connection->state == TK_CONNECTION_OPEN)
            sender->last_alive_ns = sender->now_ns;
        if (is_overdue(sender, connection)) {
            sender->totals.timeouts++;
            tk_connection_close(connection);
        }
    }
}

static void stop(struct tk_sender *sender)
{
    struct tk_load_totals *totals = &sender->totals;
    sender->stopped = true;
    totals->unsent_spans = tk_schedule_stop(&sender->schedule, sender->now_ns);
}

/* Whether no new request is to be sent, by time, signal, or as the receiver is gone. */
static bool wants_stop(const struct tk_sender *sender)
{
    const struct tk_load_opts *opts = sender->opts;
    int64_t elapsed_ns = sender->now_ns - sender->start.mono_ns;
    return (opts->stop && *opts->stop) || (opts->for_ns > 0 && elapsed_ns >= opts->for_ns) ||
           sender->now_ns - sender->last_alive_ns > opts->patience_ns;
}

/* How long to wait for events: to the next request that is due and has room, else to the next look
 * at what takes too long. */
static int64_t wait_ns(struct tk_sender *sender, int64_t tick_at_ns)
{
    int64_t until_ns = tick_at_ns;
    int64_t due_ns = tk_schedule_next_ns(&sender->schedule);
    if (due_ns > sender->now_ns && due_ns < until_ns)
        until_ns = due_ns;
    for (size_t i = 0; due_ns <= sender->now_ns && i < sender->connection_count; i++) {
        int64_t paused_ns = sender->connections[i].paused_until_ns;
        if (paused_ns > sender->now_ns && paused_ns < until_ns)
            until_ns = paused_ns;
    }
    return until_ns > sender->now_ns ? until_ns - sender->now_ns : 0;
}

static int wait_for_events(struct tk_sender *sender, int64_t ns, struct tk_err *err)
{
    struct epoll_event events[EVENTS];
    struct timespec timeout = {ns / TK_NS_PER_S, ns % TK_NS_PER_S};
    int n = epoll_pwait2(sender->epoll_fd, events, EVENTS, &timeout, NULL);
    if (n < 0 && errno == ENOSYS) /* before Linux 5.11: the last millisecond is spent awake */
        n = epoll_wait(sender->epoll_fd, events, EVENTS, (int)(ns / TK_NS_PER_MS));
    if (n < 0 && errno != EINTR)
        return tk_fail_errno(err, "epoll");
    sender->now_ns = tk_clock_mono_ns();
    for (int i = 0; i < n; i++)
        tk_connection_handle(events[i].data.ptr, events[i].events);
    return 0;
}

static bool is_done(const struct tk_sender *sender)
{
    return sender->busy == 0 && tk_schedule_next_ns(&sender->schedule) == INT64_MAX;
}

/* What is neither answered nor sent again when patience ends. */
static void give_up(struct tk_sender *sender)
{
    struct tk_load_item item;
    for (size_t i = 0; i < sender->connection_count; i++) {
        struct tk_connection *connection = &sender->connections[i];
        for (size_t j = 0; j < sender->slot_count; j++) {
            if (connection->slots[j].busy)
                tk_sender_lose(sender, &connection->slots[j].item, TK_LOAD_LOST_UNANSWERED);
        }
    }
    while (tk_schedule_drop(&sender->schedule, &item))
        tk_sender_lose(sender, &item, (enum tk_load_loss)item.failure);
}

/* Look after everything that goes by time, every tick. */
static void tick(struct tk_sender *sender, int64_t *progress_at_ns)
{
    const struct tk_load_opts *opts = sender->opts;
    watch(sender);
    if (opts->on_progress && sender->now_ns >= *progress_at_ns) {
        opts->on_progress(opts->user, &sender->totals, sender->now_ns - sender->start.mono_ns);
        *progress_at_ns += PROGRESS_NS;
    }
}

static int loop(struct tk_sender *sender, struct tk_err *err)
{
    int64_t tick_at_ns = sender->now_ns + TICK_NS;
    int64_t progress_at_ns = sender->now_ns + PROGRESS_NS;
    int64_t end_ns = INT64_MAX;
    int rc = 0;
    while (rc == 0 && sender->failure.code == 0 && !is_done(sender) && sender->now_ns < end_ns) {
        if (!sender->stopped && wants_stop(sender)) {
            stop(sender);
            sender->totals.window_ns = sender->now_ns - sender->window_start_ns;
            end_ns = sender->now_ns + sender->opts->patience_ns;
        }
        send_due(sender);
        rc = wait_for_events(sender, wait_ns(sender, tick_at_ns), err);
        if (sender->now_ns >= tick_at_ns) {
            tick(sender, &progress_at_ns);
            tick_at_ns = sender->now_ns + TICK_NS;
        }
    }
    if (sender->failure.code != 0)
        *err = sender->failure;
    return sender->failure.code != 0 ? sender->failure.code : rc;
}

int tk_load_run(const struct tk_load_opts *opts, struct tk_load_totals *ret_totals,
                struct tk_err *err)
{
    struct tk_sender sender;
    struct tk_load_opts full = *opts;
    full.connections = opts->connections > 0 ? opts->connections : CONNECTIONS;
    full.streams = opts->streams > 0 ? opts->streams : STREAMS;
    full.timeout_ns = opts->timeout_ns > 0 ? opts->timeout_ns : TIMEOUT_NS;
    full.patience_ns = opts->patience_ns > 0 ? opts->patience_ns : PATIENCE_NS;
    int rc = sender_init(&sender, &full, err);
    if (rc == 0)
        rc = loop(&sender, err);
    if (rc == 0) {
        give_up(&sender);
        int64_t end_ns = sender.last_answer_ns > 0 ? sender.last_answer_ns : sender.now_ns;
        if (!sender.stopped)
            sender.totals.window_ns = end_ns - sender.window_start_ns;
        sender.totals.elapsed_ns = end_ns - sender.start.mono_ns;
        *ret_totals = sender.totals;
    }
    sender_release(&sender);
    return rc;
}
