/* SPDX-License-Identifier: Apache-2.0 */
/* The query API of a Jaeger server, as its clients here ask it: tracekit import jaeger and
 * tracekit fetch-jaeger. A bearer token is taken from JAEGER_TOKEN. One thread at a time. */
#ifndef TK_CMD_JAEGER_API_H
#define TK_CMD_JAEGER_API_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/json.h"
#include "cmd/cmd.h"

struct tk_fetch;

struct tk_jaeger_api {
    struct tk_fetch *fetch;
    tk_str base;          /* the address, without slashes at its end; borrowed */
    struct tk_buf url;    /* of the question at hand */
    struct tk_buf answer; /* to the last one */
};

/* `url` is borrowed; `option` is what the user calls it. -EINVAL when it is no address, or one with
 * credentials, which others would see; -EOPNOTSUPP in a build without libcurl. */
TK_MUST_USE int tk_jaeger_api_init(struct tk_jaeger_api *api, const char *url, const char *option,
                                   struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_jaeger_api_release(struct tk_jaeger_api *api);

/* Begin a question: the address and a path, to which the caller appends. */
void tk_jaeger_api_begin(struct tk_jaeger_api *api, const char *path);

/* Append a value, escaped. */
void tk_jaeger_api_put(struct tk_jaeger_api *api, tk_str value);

/* Ask it; the body is `answer` then. */
TK_MUST_USE int tk_jaeger_api_get(struct tk_jaeger_api *api, struct tk_err *err);

/* Enter the array "data" of the answer: 0, or 1 when it has none or a null. */
TK_MUST_USE int tk_jaeger_api_enter(const struct tk_jaeger_api *api, struct tk_json *json,
                                    struct tk_err *err);

/* Append the names of all services to `names`, each with a NUL. */
TK_MUST_USE int tk_jaeger_api_services(struct tk_jaeger_api *api, struct tk_buf *names,
                                       struct tk_err *err);

/* Tell on standard error when as many traces of a service came as `limit` allows: what the server
 * left out cannot be known, but is likely. `remedy` is what the user may do. */
void tk_jaeger_api_tell_limit(const struct tk_cmd *cmd, tk_str service, int64_t traces,
                              int64_t limit, const char *remedy);

#endif
