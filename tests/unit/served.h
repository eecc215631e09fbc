/* SPDX-License-Identifier: Apache-2.0 */
/* A server in this process, in a folder of its own, and raw sockets to talk to it. */
#ifndef TK_SERVED_H
#define TK_SERVED_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "serve/serve.h"
#include "tk_test.h"

#define PATIENCE_MS 20000

/* ExportTraceServiceRequest of one span "op" of service "svc". */
static const char served_span[] =
    "\x0A\x4D"
    "\x0A\x15\x0A\x13\x0A\x0Cservice.name\x12\x03"
    "\x0A\x01s"
    "\x12\x34\x12\x32"
    "\x0A\x10\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F\x10"
    "\x12\x08\x01\x02\x03\x04\x05\x06\x07\x08"
    "\x2A\x02op"
    "\x39\x00\x00\x00\x00\x00\x00\x00\x10\x41\x01\x00\x00\x00\x00\x00\x00\x10";
#define SERVED_SPAN_BYTES (sizeof(served_span) - 1)

struct served {
    struct tk_server *server;
    char folder[64];
    int dirfd, stop_fd;
    int ports[TK_PROTOCOL_COUNT];
    pthread_t thread;
    int rc;
};

static inline void *served_run(void *user)
{
    struct served *served = user;
    struct tk_err err;
    served->rc = tk_server_run(served->server, served->dirfd, served->stop_fd, &err);
    return NULL;
}

/* Start with these options; addresses are filled in. */
static inline void served_start(struct served *served, struct tk_server_options options)
{
    struct tk_err err = {0};
    *served = (struct served){.folder = "/tmp/tk-served-XXXXXX"};
    assert_non_null(mkdtemp(served->folder));
    assert_int_equal(tk_dir_open(AT_FDCWD, served->folder, &served->dirfd, &err), 0);
    served->stop_fd = eventfd(0, EFD_CLOEXEC);
    for (size_t i = 0; i < TK_PROTOCOL_COUNT; i++)
        options.listen[i] = "127.0.0.1:0";
    int rc = tk_server_new(&options, &served->server, &err);
    if (rc < 0)
        print_error("%s\n", err.msg);
    assert_int_equal(rc, 0);
    for (size_t i = 0; i < TK_PROTOCOL_COUNT; i++) {
        const char *address = tk_server_address(served->server, (enum tk_protocol)i);
        served->ports[i] = atoi(strrchr(address, ':') + 1); /* NOLINT(cert-err34-c) */
    }
    assert_int_equal(pthread_create(&served->thread, NULL, served_run, served), 0);
}

/* End it; returns what it counted. */
static inline struct tk_metrics served_stop(struct served *served)
{
    struct tk_metrics metrics;
    uint64_t one = 1;
    char command[128];
    assert_int_equal(write(served->stop_fd, &one, sizeof(one)), sizeof(one));
    assert_int_equal(pthread_join(served->thread, NULL), 0);
    assert_int_equal(served->rc, 0);
    tk_server_count(served->server, &metrics);
    tk_server_free(served->server);
    tk_fd_close(&served->dirfd);
    tk_fd_close(&served->stop_fd);
    (void)snprintf(command, sizeof(command), "rm -rf %s", served->folder);
    assert_int_equal(system(command), 0); /* NOLINT: a folder of our own */
    return metrics;
}

static inline int served_connect(const struct served *served, enum tk_protocol protocol)
{
    static const int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)served->ports[protocol]),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    return fd;
}

static inline void served_send(int fd, const void *bytes, size_t n)
{
    struct tk_err err;
    assert_int_equal(tk_fd_write(fd, (tk_str){bytes, n}, "socket", &err), 0);
}

/* Read until the peer closes (true), or `wanted` came `times` times, or nothing comes any more. */
static inline bool served_read(int fd, const char *wanted, int times, char *buf, size_t cap)
{
    size_t n = 0;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    buf[0] = '\0';
    while (n + 1 < cap && poll(&ready, 1, PATIENCE_MS) == 1) {
        ssize_t got = read(fd, buf + n, cap - 1 - n);
        if (got <= 0)
            return true;
        n += (size_t)got;
        buf[n] = '\0';
        int seen = 0;
        for (const char *at = buf; wanted && (at = strstr(at, wanted)); at++)
            seen++;
        if (wanted && seen >= times)
            return false;
    }
    fail_msg("no answer, only \"%s\"", buf);
    return false;
}

/* A disk that hangs: pipes without a reader stand where the next segments are to be written. For a
 * server of one worker, which has a log, and so has the one that answers queries; starting, they
 * tidy up the folder. */
#define SERVED_PIPES 8

static inline void served_pipe_name(const struct served *served, int number, char path[128])
{
    (void)snprintf(path, 128, "%s/part-%06d.tmp", served->folder, number);
}

static inline void served_block_disk(const struct served *served)
{
    char path[128];
    while (faccessat(served->dirfd, "open-000002.log", F_OK, 0) < 0)
        (void)poll(NULL, 0, 1);
    (void)signal(SIGPIPE, SIG_IGN); /* NOLINT: tests have one thread when they call this */
    for (int i = 1; i <= SERVED_PIPES; i++) {
        served_pipe_name(served, i, path);
        assert_int_equal(mkfifo(path, 0600), 0);
    }
}

/* It goes on: what hung fails, as a pipe cannot be synced, and is tried again on a file. */
static inline void served_free_disk(const struct served *served)
{
    char path[128];
    for (int i = 1; i <= SERVED_PIPES; i++) {
        served_pipe_name(served, i, path);
        int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        (void)unlink(path);
        if (fd >= 0)
            (void)close(fd);
    }
}

#endif
