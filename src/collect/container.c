/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/container.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"

#define RESPONSE_MAX ((size_t)4 << 20)
#define TEXT_MAX     ((size_t)256 << 10)
#define TIMEOUT_S    2

static const char *const sockets[] = {"/var/run/docker.sock", "/run/podman/podman.sock"};

/* The answer -------------------------------------------------------------------- */

/* "NODE_ID=edge7" into `label`, when it is that variable and fits. */
static void take_variable(tk_str assignment, tk_str name, char *label, size_t cap)
{
    if (tk_str_take_prefix(&assignment, name) && tk_str_take_prefix(&assignment, TK_STR("=")))
        (void)tk_str_to_cstr(assignment, label, cap);
}

static int read_config(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                       struct tk_err *err)
{
    struct tk_container *container = into;
    if (!tk_str_eq(key, TK_STR("Env")) || tk_json_peek(json) != TK_JSON_ARRAY)
        return 1;
    int rc = tk_json_enter_array(json, err);
    if (rc < 0)
        return rc;
    while ((rc = tk_json_next_element(json, err)) == 0) {
        tk_str text;
        rc = tk_json_read_str(json, scratch, &text, err);
        if (rc < 0)
            return rc;
        take_variable(text, TK_STR("NODE_ID"), container->node, sizeof(container->node));
        take_variable(text, TK_STR("STAGE"), container->stage, sizeof(container->stage));
    }
    return rc < 0 ? rc : 0;
}

static int read_state(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                      struct tk_err *err)
{
    (void)scratch;
    return tk_str_eq(key, TK_STR("Running")) ? tk_json_read_bool(json, into, err) : 1;
}

struct answer {
    struct tk_container container;
    bool running;
};

static int read_answer(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                       struct tk_err *err)
{
    struct answer *answer = into;
    if (tk_str_eq(key, TK_STR("State")))
        return tk_json_read_members(json, scratch, read_state, &answer->running, err);
    if (tk_str_eq(key, TK_STR("Config")))
        return tk_json_read_members(json, scratch, read_config, &answer->container, err);
    if (!tk_str_eq(key, TK_STR("Id")))
        return 1;
    tk_str id;
    int rc = tk_json_read_str(json, scratch, &id, err);
    if (rc < 0)
        return rc;
    if (!tk_str_to_cstr(id, answer->container.id, sizeof(answer->container.id)))
        return tk_fail(err, -EBADMSG, "Id of %zu characters, expected at most 64", id.n);
    return 0;
}

int tk_container_parse(tk_str response, struct tk_container *ret_container, struct tk_err *err)
{
    tk_str line;
    tk_str word = {NULL, 0};
    if (!tk_str_take_line(&response, &line) || !tk_str_take_word(&line, &word) ||
        !tk_str_take_word(&line, &word))
        return tk_fail(err, -EBADMSG, "no HTTP answer");
    if (!tk_str_eq(word, TK_STR("200")))
        return tk_fail(err, -ENOENT, "the runtime says %.*s", TK_STR_ARG(word));
    do {
        if (!tk_str_take_line(&response, &line))
            return tk_fail(err, -EBADMSG, "HTTP answer without a body");
    } while (tk_str_trim(line).n > 0);

    struct tk_arena scratch = {0};
    int rc = tk_arena_init(&scratch, TEXT_MAX, err);
    if (rc < 0)
        return rc;
    struct tk_json json;
    struct answer answer = {0};
    tk_json_init(&json, response);
    rc = tk_json_read_members(&json, &scratch, read_answer, &answer, err);
    tk_arena_release(&scratch);
    if (rc < 0)
        return rc;
    if (!answer.running || !answer.container.id[0])
        return tk_fail(err, -ENOENT, "it does not run");
    *ret_container = answer.container;
    return 0;
}

/* The question ------------------------------------------------------------------ */

static int connect_to(const char *path, struct tk_err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!tk_str_to_cstr(tk_str_from(path), address.sun_path, sizeof(address.sun_path)))
        return tk_fail(err, -ENAMETOOLONG, "%s: too long for a socket", path);
    TK_CLEANUP(tk_fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval timeout = {.tv_sec = TIMEOUT_S};
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return tk_fail_errno(err, "%s", path);
    return tk_fd_take(&fd);
}

static int ask(const char *path, const char *name, struct tk_container *ret_container,
               struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int fd = connect_to(path, err);
    if (fd < 0)
        return fd;
    TK_CLEANUP(tk_buf_release) struct tk_buf buf;
    tk_buf_init(&buf, RESPONSE_MAX);
    /* HTTP/1.0, so that the body comes in one piece and ends with the connection. */
    tk_buf_printf(&buf, "GET /containers/%s/json HTTP/1.0\r\nHost: localhost\r\n\r\n", name);
    int rc = tk_fd_write(fd, tk_buf_str(&buf), path, err);
    tk_buf_reset(&buf);
    while (rc == 0) {
        char *to = tk_buf_reserve(&buf, 16384);
        if (!to)
            return tk_buf_check(&buf, path, err);
        ssize_t got = read(fd, to, 16384);
        if (got < 0 && errno != EINTR)
            return tk_fail_errno(err, "%s", path);
        if (got == 0)
            return tk_container_parse(tk_buf_str(&buf), ret_container, err);
        buf.n += got > 0 ? (size_t)got : 0;
    }
    return rc;
}

/* As the API wants it; it also keeps a name from being a path. */
static bool is_container_name(const char *name)
{
    if (!isalnum((unsigned char)name[0]))
        return false;
    for (; *name; name++) {
        if (!isalnum((unsigned char)*name) && !strchr("_.-", *name))
            return false;
    }
    return true;
}

int tk_container_find(const char *name, struct tk_container *ret_container, struct tk_err *err)
{
    if (!is_container_name(name))
        return tk_fail(err, -ENOENT, "'%s' is no name of a container", name);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing in tracekit changes the environment */
    const char *host = getenv("DOCKER_HOST");
    if (host && strncmp(host, "unix://", 7) == 0) {
        return ask(host + 7, name, ret_container, err) == 0
                   ? 0
                   : tk_fail(err, -ENOENT, "no container '%s' runs", name);
    }
    for (size_t i = 0; i < TK_COUNTOF(sockets); i++) {
        if (ask(sockets[i], name, ret_container, err) == 0)
            return 0;
    }
    return tk_fail(err, -ENOENT, "no container '%s' runs", name);
}
