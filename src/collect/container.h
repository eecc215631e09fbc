/* SPDX-License-Identifier: Apache-2.0 */
/* A running container by its name, asked of the runtime through its socket (Docker Engine API,
 * which podman speaks too). Nothing is executed, neither here nor in the container. */
#ifndef TK_COLLECT_CONTAINER_H
#define TK_COLLECT_CONTAINER_H

#include "base/err.h"
#include "base/str.h"

struct tk_container {
    char id[65];    /* 64 hexadecimal digits */
    char node[128]; /* NODE_ID and STAGE of its environment; "" = not set */
    char stage[128];
};

/* Ask the runtimes of this host ($DOCKER_HOST when it is a unix:// address, else Docker's and
 * podman's socket) for the running container `name`: 0, or -ENOENT when none of them knows one. A
 * runtime that does not answer within 2 s counts as one that does not know it. */
TK_MUST_USE int tk_container_find(const char *name, struct tk_container *ret_container,
                                  struct tk_err *err);

/* The answer to GET /containers/NAME/json: status line, headers, body. -ENOENT when it is none of a
 * running container, -EBADMSG when it does not parse. Pure function. */
TK_MUST_USE int tk_container_parse(tk_str response, struct tk_container *ret_container,
                                   struct tk_err *err);

#endif
