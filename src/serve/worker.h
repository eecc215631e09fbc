/* SPDX-License-Identifier: Apache-2.0 */
/* A worker: one thread with an epoll loop, its own connections of every protocol, its own sink.
 * What it shares with others are an inbox for new connections and its counters, so that nothing on
 * the way of a span is locked or contended for.
 *
 *     main thread accepts -> inbox -> worker: http1.h, http2.h -> intake.h -> answer
 *                                        ^------ syncer.h, with --ack=fsync ------'
 */
#ifndef TK_SERVE_WORKER_H
#define TK_SERVE_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "serve/body.h"
#include "serve/counters.h"
#include "serve/routes.h"
#include "serve/server.h"
#include "serve/syncer.h"

struct tk_http1;
struct tk_http2;
struct tk_worker_inbox;

struct tk_worker {
    const struct tk_server_options *options;
    struct tk_server *server;
    struct tk_counters counters;
    struct tk_bodies bodies;
    struct tk_intake *intake;
    struct tk_syncer *syncer; /* NULL unless answers wait for syncs */
    uint64_t late_ticket;     /* that was given up: no spans are taken until it is done; 0 = none */
    struct tk_http1 *http1[TK_PROTOCOL_COUNT]; /* NULL where it has no such listener */
    struct tk_http2 *http2;
    struct tk_segment_set *set; /* for queries; made when the first one comes */
    struct tk_span_batch *batch;
    struct tk_arena scratch;
    struct tk_worker_inbox *inbox;
    int spans_dirfd;
    int epoll_fd;
    int event_fd; /* written to when there is something in the inbox, or a sync is done */
    bool stopping;
    int64_t stop_by_ns; /* monotonic: connections are cut then */
};

/* A worker that takes connections of these protocols (bit by enum tk_protocol), without its thread.
 * -EOPNOTSUPP when a library is not there. */
TK_MUST_USE int tk_worker_new(struct tk_server *server, const struct tk_server_options *options,
                              unsigned protocols, struct tk_worker **ret_worker,
                              struct tk_err *err);

/* Begin: with the folder of spans, the caller's. */
TK_MUST_USE int tk_worker_start(struct tk_worker *worker, int spans_dirfd, struct tk_err *err);

/* Hand over a connection; any thread. Returns how many the worker has then, or -EAGAIN when its
 * inbox is full: the descriptor stays the caller's. */
int tk_worker_add(struct tk_worker *worker, enum tk_protocol protocol, int fd);

/* Connections that the worker has; any thread. */
int tk_worker_load(struct tk_worker *worker);

/* Whether spans come to the disk; `err` says why not: 503. Any thread. */
TK_MUST_USE int tk_worker_check(const struct tk_worker *worker, struct tk_err *err);

/* Tell it to end: requests under way are answered, what is stored is sealed. Any thread. */
void tk_worker_stop(struct tk_worker *worker);

/* Wait for its end. `err` tells what could not be sealed. */
TK_MUST_USE int tk_worker_join(struct tk_worker *worker, struct tk_err *err);

/* Accepts NULL; the thread has ended. */
void tk_worker_free(struct tk_worker *worker);

/* For http1.c and http2.c, on the worker's thread ------------------------------------------- */

/* A connection has ended. */
void tk_worker_drop(struct tk_worker *worker, enum tk_protocol protocol);

/* Take the spans of a request. Returns the ticket that its answer has to wait for; 0 = none. */
uint64_t tk_worker_take(struct tk_worker *worker, enum tk_protocol protocol,
                        const struct tk_payload *payload, struct tk_verdict *ret_verdict);

/* The verdict of a request whose ticket is done; false when it could not be synced, and `verdict`
 * says so then. */
bool tk_worker_settle(struct tk_worker *worker, const struct tk_sync_state *state, uint64_t ticket,
                      struct tk_verdict *ret_verdict);

/* Whether a request has waited too long for its sync: it is given up then, and `verdict` says so.
 * `since_ns` is when it began to wait. */
bool tk_worker_give_up(struct tk_worker *worker, uint64_t ticket, int64_t since_ns, int64_t now_ns,
                       struct tk_verdict *ret_verdict);

/* What is no spans was refused: count it, and tell of the first. */
void tk_worker_refuse_signal(struct tk_worker *worker, enum tk_signal signal);

/* Answer a query; a failure is in the answer. */
void tk_worker_query(struct tk_worker *worker, const struct tk_request *request,
                     struct tk_answer *answer);

#endif
