/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"

#define BACKLOG 1024

struct place {
    char host[TK_ADDRESS_MAX]; /* "" = all addresses */
    char port[8];
};

static int split(const char *text, struct place *ret_place, struct tk_err *err)
{
    tk_str all = tk_str_from(text);
    size_t colon = tk_str_find_last(all, ':');
    tk_str host = colon < all.n ? (tk_str){all.p, colon} : TK_STR("127.0.0.1");
    tk_str port = colon < all.n ? (tk_str){all.p + colon + 1, all.n - colon - 1} : all;
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = (tk_str){host.p + 1, host.n - 2};
    uint64_t number;
    if (!tk_parse_u64(port, &number) || number > UINT16_MAX ||
        !tk_str_to_cstr(port, ret_place->port, sizeof(ret_place->port)) ||
        !tk_str_to_cstr(host, ret_place->host, sizeof(ret_place->host)))
        return tk_fail(err, -EINVAL, "'%s' is no address: expected HOST:PORT", text);
    return 0;
}

/* Where it listens indeed. */
static void name_socket(struct tk_listener *listener)
{
    struct sockaddr_storage address = {0};
    socklen_t n = sizeof(address);
    char host[NI_MAXHOST], port[NI_MAXSERV];
    if (getsockname(listener->fd, (struct sockaddr *)&address, &n) < 0 ||
        getnameinfo((struct sockaddr *)&address, n, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    bool is_v6 = strchr(host, ':') != NULL;
    (void)snprintf(listener->address, sizeof(listener->address), "%s%.80s%s:%.8s", is_v6 ? "[" : "",
                   host, is_v6 ? "]" : "", port);
}

static int open_socket(const struct addrinfo *info)
{
    static const int on = 1;
    TK_CLEANUP(tk_fd_close)
    int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    info->ai_protocol);
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
        return -errno;
    return tk_fd_take(&fd);
}

int tk_listener_open(const char *text, struct tk_listener *ret_listener, struct tk_err *err)
{
    static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                          .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct place place = {0};
    struct addrinfo *infos = NULL;
    int rc = split(text, &place, err);
    if (rc < 0)
        return rc;
    rc = getaddrinfo(*place.host ? place.host : NULL, place.port, &hints, &infos);
    if (rc != 0)
        return tk_fail(err, -EINVAL, "'%s': %s", text, gai_strerror(rc));
    int fd = -EINVAL;
    for (const struct addrinfo *info = infos; info && fd < 0; info = info->ai_next)
        fd = open_socket(info);
    freeaddrinfo(infos);
    if (fd == -EADDRINUSE)
        return tk_fail(err, fd, "%s is taken by another program", text);
    if (fd < 0)
        return tk_fail_code(err, fd, "listening at %s", text);
    struct tk_listener listener = {.fd = fd};
    name_socket(&listener);
    *ret_listener = listener;
    return 0;
}
