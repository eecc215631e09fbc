/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/file.h"
#include "load/sender_internal.h"

#define READ_BYTES 65536
#define REOPEN_NS  (100 * TK_NS_PER_MS) /* after an attempt that failed */

void tk_connection_close(struct tk_connection *connection)
{
    struct tk_sender *sender = connection->sender;
    if (connection->state == TK_CONNECTION_OPENING)
        sender->opening--;
    connection->state = TK_CONNECTION_CLOSED;
    tk_fd_close(&connection->fd); /* leaves the epoll set by itself */
    sender->protocol->close(connection->exchange);
    connection->exchange = NULL;
    if (connection->busy > 0)
        sender->totals.cut_connections++;
    for (size_t i = 0; i < sender->slot_count && connection->busy > 0; i++) {
        if (connection->slots[i].busy)
            tk_sender_take_silence(connection, i);
    }
}

static void refuse(struct tk_connection *connection)
{
    tk_connection_close(connection);
    connection->paused_until_ns = connection->sender->now_ns + REOPEN_NS;
}

void tk_connection_open(struct tk_connection *connection)
{
    struct tk_sender *sender = connection->sender;
    const struct tk_exchange_opts exchange = {
        .target = sender->opts->target,
        .json = sender->opts->bodies->opts.json,
        .gzip = sender->opts->bodies->opts.gzip,
        .streams = sender->slot_count,
        .on_answer = tk_sender_take_answer,
        .user = connection,
    };
    const int on = 1;
    struct epoll_event event = {EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, {.ptr = connection}};
    if (sender->protocol->open(&exchange, &connection->exchange, &sender->failure) < 0)
        return;
    connection->state = TK_CONNECTION_OPENING;
    connection->writable = false;
    sender->opening++;
    connection->fd =
        socket(sender->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 ||
        setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0) {
        (void)tk_fail_errno(&sender->failure, "a connection");
        return;
    }
    /* epoll calls a socket that was never connected hung up: connect first. */
    if (connect(connection->fd, (const struct sockaddr *)&sender->address, sender->address_n) < 0 &&
        errno != EINPROGRESS) {
        refuse(connection);
    } else if (epoll_ctl(sender->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) < 0) {
        (void)tk_fail_errno(&sender->failure, "a connection");
    }
}

/* sendmsg() takes bytes as if it would write to them. */
static struct iovec part_of(tk_str bytes)
{
    union {
        const char *text;
        void *bytes;
    } base = {bytes.p};
    return (struct iovec){base.bytes, bytes.n};
}

/* Write what there is. False when the connection had to be closed. */
static bool flush(struct tk_connection *connection)
{
    struct tk_sender *sender = connection->sender;
    struct tk_err err;
    tk_str pieces[2];
    while (connection->writable) {
        if (sender->protocol->output(connection->exchange, pieces, &err) < 0) {
            tk_connection_close(connection);
            return false;
        }
        if (pieces[0].n + pieces[1].n == 0)
            return true;
        struct iovec parts[2] = {part_of(pieces[0]), part_of(pieces[1])};
        const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        ssize_t n = sendmsg(connection->fd, &message, MSG_NOSIGNAL);
        if (n >= 0) {
            sender->protocol->sent(connection->exchange, (size_t)n);
        } else if (errno == EAGAIN) {
            connection->writable = false;
        } else if (errno != EINTR) {
            /* What the receiver answered before it closed is still to be read. */
            connection->writable = false;
            return true;
        }
    }
    return true;
}

void tk_connection_submit(struct tk_connection *connection, const struct tk_load_item *item)
{
    struct tk_sender *sender = connection->sender;
    size_t at = 0;
    while (connection->slots[at].busy)
        at++;
    struct tk_load_slot *slot = &connection->slots[at];
    const struct tk_load_body *body = tk_sender_body(sender, item);
    tk_str text = {body->p, body->n};
    slot->item = *item;
    slot->item.attempts++;
    slot->sent_ns = sender->now_ns;
    if (sender->opts->bodies->opts.changes) {
        struct tk_load_body_change change = tk_sender_change(sender, item);
        if (tk_load_body_copy(sender->opts->bodies, item->body, &change, &slot->copy,
                              &sender->failure) < 0)
            return;
        text = tk_buf_str(&slot->copy);
    }
    if (sender->protocol->submit(connection->exchange, at, text, &sender->failure) < 0)
        return;
    slot->busy = true;
    connection->busy++;
    sender->busy++;
    sender->totals.sent_bytes += text.n;
    (void)flush(connection);
}

/* Read what there is. False when the connection had to be closed. */
static bool drain(struct tk_connection *connection, bool to_the_end)
{
    struct tk_sender *sender = connection->sender;
    struct tk_err err;
    char bytes[READ_BYTES];
    for (;;) {
        ssize_t n = recv(connection->fd, bytes, sizeof(bytes), 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return true;
        int rc =
            n > 0 ? sender->protocol->input(connection->exchange, (tk_str){bytes, (size_t)n}, &err)
            : n == 0 ? sender->protocol->end(connection->exchange, &err)
                     : -errno;
        if (n <= 0 || rc < 0) {
            tk_connection_close(connection);
            return false;
        }
        /* Less than asked for: there was no more. */
        if ((size_t)n < sizeof(bytes) && !to_the_end)
            return true;
    }
}

/* Whether the attempt to connect has succeeded. */
static bool is_connected(const struct tk_connection *connection)
{
    int error = 0;
    socklen_t n = sizeof(error);
    return getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error == 0;
}

void tk_connection_handle(struct tk_connection *connection, uint32_t events)
{
    struct tk_sender *sender = connection->sender;
    if (connection->state == TK_CONNECTION_CLOSED)
        return;
    if (connection->state == TK_CONNECTION_OPENING) {
        if ((events & (EPOLLERR | EPOLLHUP)) || !is_connected(connection)) {
            refuse(connection);
            return;
        }
        connection->state = TK_CONNECTION_OPEN;
        sender->opening--;
    }
    if (events & EPOLLOUT)
        connection->writable = true;
    bool is_ending = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    if ((events & EPOLLIN || is_ending) && !drain(connection, is_ending))
        return;
    if (!flush(connection))
        return;
    if (sender->protocol->is_closing(connection->exchange) && connection->busy == 0)
        tk_connection_close(connection);
}
