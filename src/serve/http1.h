/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 by libmicrohttpd, which is loaded when the first server starts; the only file that knows
 * it. One object of each worker and listener, driven by the worker's thread. */
#ifndef TK_SERVE_HTTP1_H
#define TK_SERVE_HTTP1_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "serve/worker.h"

/* -EOPNOTSUPP when the library is not there. */
TK_MUST_USE int tk_http1_new(struct tk_worker *worker, enum tk_protocol protocol,
                             struct tk_http1 **ret_http, struct tk_err *err);

/* All requests that wait were settled. Accepts NULL. */
void tk_http1_free(struct tk_http1 *http);

/* To be polled for reading. */
int tk_http1_fd(const struct tk_http1 *http);

/* Take over a connection. */
void tk_http1_add(struct tk_http1 *http, int fd);

/* Read, handle and write what can be; returns in how many ns it wants to be called again, -1 = when
 * its descriptor can be read. */
int64_t tk_http1_step(struct tk_http1 *http);

/* Answer what waits for a sync that is done now. */
void tk_http1_settle(struct tk_http1 *http, const struct tk_sync_state *state);

/* Answer what has waited for a sync too long. Close connections that are too slow, and when the
 * worker ends those that are idle, or all when `all`. */
void tk_http1_sweep(struct tk_http1 *http, int64_t now_ns, bool all);

/* Connections that are open. */
size_t tk_http1_count(const struct tk_http1 *http);

#endif
