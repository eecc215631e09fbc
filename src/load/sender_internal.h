/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TK_LOAD_SENDER_INTERNAL_H
#define TK_LOAD_SENDER_INTERNAL_H

#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "load/exchange_internal.h"
#include "load/sender.h"

/* A request that is under way. */
struct tk_load_slot {
    bool busy;
    int64_t sent_ns;
    struct tk_load_item item;
    struct tk_buf copy; /* with its own ids; empty when the body is sent as it is */
};

enum tk_connection_state { TK_CONNECTION_CLOSED = 0, TK_CONNECTION_OPENING, TK_CONNECTION_OPEN };

struct tk_sender;

struct tk_connection {
    struct tk_sender *sender;
    enum tk_connection_state state;
    int fd;                     /* -1 = closed */
    bool writable;              /* the last write took all */
    void *exchange;             /* state of the protocol; NULL = closed */
    struct tk_load_slot *slots; /* owned [sender->slot_count] */
    size_t busy;
    int64_t paused_until_ns; /* no new request before, nor an attempt to open */
};

struct tk_sender {
    const struct tk_load_opts *opts;
    const struct tk_exchange *protocol;
    struct tk_schedule schedule;
    struct tk_load_totals totals;
    struct tk_anchor start;
    int epoll_fd;
    struct sockaddr_storage address;
    socklen_t address_n;
    struct tk_connection *connections; /* owned [connection_count] */
    size_t connection_count;
    size_t slot_count; /* of a connection */
    size_t busy;       /* requests under way */
    size_t opening;    /* connections */
    size_t cursor;     /* connection to look at first */
    int64_t now_ns;
    int64_t window_start_ns;
    int64_t last_alive_ns; /* a connection was open */
    int64_t last_answer_ns;
    uint64_t random;
    bool stopped;          /* no new requests */
    struct tk_err failure; /* code 0 = none: ends the load */
};

/* sender_connection.c: sockets. Failures of a connection are no failures of the load: requests that
 * were under way on it are sent again. */

/* Begin to open. */
void tk_connection_open(struct tk_connection *connection);

/* Close; what is under way is sent again. */
void tk_connection_close(struct tk_connection *connection);

/* Send the item, on a free slot of an open connection. */
void tk_connection_submit(struct tk_connection *connection, const struct tk_load_item *item);

/* React to what epoll told. */
void tk_connection_handle(struct tk_connection *connection, uint32_t events);

/* sender_answer.c: what becomes of requests. */

/* The answer of a slot has come; `user` is the connection. */
void tk_sender_take_answer(void *user, size_t slot, const struct tk_load_answer *answer);

/* A request ended without an answer. */
void tk_sender_take_silence(struct tk_connection *connection, size_t slot);

/* Count what will not be sent again. */
void tk_sender_lose(struct tk_sender *sender, const struct tk_load_item *item,
                    enum tk_load_loss loss);

static inline const struct tk_load_body *tk_sender_body(const struct tk_sender *sender,
                                                        const struct tk_load_item *item)
{
    return &sender->opts->bodies->items[item->body];
}

static inline struct tk_load_body_change tk_sender_change(const struct tk_sender *sender,
                                                          const struct tk_load_item *item)
{
    struct tk_load_body_change change = tk_load_body_change_of(sender->opts->seed, item->pass);
    change.shift_ns = item->shift_ns;
    return change;
}

#endif
