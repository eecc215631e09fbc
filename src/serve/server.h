/* SPDX-License-Identifier: Apache-2.0 */
/* Start, run and stop the server:
 *
 *     tk_server_new(&options, &server, err);       sockets listen; nothing is answered yet
 *     ... give up privileges, tell that it is ready
 *     tk_server_run(server, spans_dirfd, stop_fd, err);     until stop_fd can be read
 *     tk_server_count(server, &metrics);           for the receipt
 *     tk_server_free(server);
 */
#ifndef TK_SERVE_SERVER_H
#define TK_SERVE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "segment/segment_sink.h"
#include "serve/counters.h"
#include "serve/site.h"

/* Zero or NULL = the default. */
struct tk_server_options {
    /* By enum tk_protocol: "HOST:PORT", "[::1]:4318", ":4318" for all addresses; NULL = not
     * served. Port 0 = any that is free. */
    const char *listen[TK_PROTOCOL_COUNT];
    enum tk_ack ack;
    int workers;           /* that take spans; 0 = one for each CPU */
    size_t max_body_bytes; /* of a request, as sent and inflated; 0 = 64 MiB */
    size_t budget_bytes;   /* of all requests that are being received; 0 = 256 MiB */
    int max_connections;   /* 0 = 1024 */
    int64_t head_ns;       /* for the head of a first request; 0 = 10 s */
    int64_t body_ns;       /* for its body; 0 = 60 s */
    int64_t idle_ns;       /* between requests of HTTP/1.1; 0 = 75 s */
    int64_t grace_ns;      /* for requests under way when it ends; 0 = 5 s */
    int64_t sync_ns;       /* between syncs of TK_ACK_FSYNC; 0 = 20 ms */
    int64_t sync_wait_ns;  /* of a request for its sync, then it is told to come again; 0 = 4 s */
    const char *otlp_path; /* of OTLP over HTTP, besides /v1/traces; NULL = none */
    const char *cors;      /* pages that may ask (cors.h), checked; NULL = none */
    /* Shown by the listener of queries, and borrowed; NULL = it lists its paths at "/". */
    const struct tk_site *site;
    struct tk_segment_opts segments;
};

struct tk_server;

/* Listen. -EADDRINUSE, -EINVAL (an address that is none), -EOPNOTSUPP (a library, or the whole
 * server, is not in this build); `err` is one line that names the option's value. */
TK_MUST_USE int tk_server_new(const struct tk_server_options *options,
                              struct tk_server **ret_server, struct tk_err *err);

/* Where a protocol listens, "127.0.0.1:4318"; NULL = it does not. */
const char *tk_server_address(const struct tk_server *server, enum tk_protocol protocol);

/* Serve until `stop_fd` can be read, then end: no new connections, answers to what is under way,
 * all spans in segments. These are in the folder `spans_dirfd`, which stays the caller's. Fails
 * when they could not be written. Once. */
TK_MUST_USE int tk_server_run(struct tk_server *server, int spans_dirfd, int stop_fd,
                              struct tk_err *err);

/* Whether such a signal is refused for the first time; true once. Any thread. */
bool tk_server_is_first(struct tk_server *server, enum tk_signal signal);

/* Whether what is sent comes to the disk: 0, or `err` is one line that says why not. Any thread. */
TK_MUST_USE int tk_server_check(struct tk_server *server, struct tk_err *err);

/* What was counted until now. Any thread. */
void tk_server_count(struct tk_server *server, struct tk_metrics *ret_metrics);

/* Accepts NULL. */
void tk_server_free(struct tk_server *server);

#endif
