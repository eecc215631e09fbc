/* SPDX-License-Identifier: Apache-2.0 */
/* In place of the server in a build without libmicrohttpd or libnghttp2. */
#include <errno.h>
#include <stddef.h>

#include "serve/server.h"

int tk_server_new(const struct tk_server_options *options, struct tk_server **ret_server,
                  struct tk_err *err)
{
    (void)options;
    (void)ret_server;
    return tk_fail(err, -EOPNOTSUPP,
                   "this build has no server: libmicrohttpd-dev or libnghttp2-dev was not there");
}

const char *tk_server_address(const struct tk_server *server, enum tk_protocol protocol)
{
    (void)server;
    (void)protocol;
    return NULL;
}

int tk_server_run(struct tk_server *server, int spans_dirfd, int stop_fd, struct tk_err *err)
{
    (void)server;
    (void)spans_dirfd;
    (void)stop_fd;
    return tk_fail(err, -EOPNOTSUPP, "this build has no server");
}

void tk_server_count(struct tk_server *server, struct tk_metrics *ret_metrics)
{
    (void)server;
    *ret_metrics = (struct tk_metrics){0};
}

void tk_server_free(struct tk_server *server)
{
    (void)server;
}
