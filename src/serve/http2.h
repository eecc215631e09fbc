/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC over cleartext HTTP/2 by libnghttp2, which does no I/O of its own; the only file that knows
 * it. One object of each worker, driven by the worker's thread; its connections are in the worker's
 * epoll. */
#ifndef TK_SERVE_HTTP2_H
#define TK_SERVE_HTTP2_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "serve/worker.h"

struct tk_http2_conn;

TK_MUST_USE int tk_http2_new(struct tk_worker *worker, struct tk_http2 **ret_http,
                             struct tk_err *err);

/* Closes all connections. Accepts NULL. */
void tk_http2_free(struct tk_http2 *http);

/* Take over a connection, which is put into the worker's epoll with itself as data. */
void tk_http2_add(struct tk_http2 *http, int fd);

/* Its descriptor can be read or written (EPOLLIN and others); it may be closed and freed by this.
 */
void tk_http2_step(struct tk_http2_conn *conn, uint32_t events);

/* As the functions of http1.h of the same names. */
void tk_http2_settle(struct tk_http2 *http, const struct tk_sync_state *state);
void tk_http2_sweep(struct tk_http2 *http, int64_t now_ns, bool all);
size_t tk_http2_count(const struct tk_http2 *http);

#endif
