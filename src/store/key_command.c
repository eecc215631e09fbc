/* SPDX-License-Identifier: Apache-2.0 */
#include "store/key_command.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"

#define WORDS_MAX 64
#define TEXT_MAX  ((size_t)16 << 10)
#define STEP_NS   (10 * TK_NS_PER_MS)

/* Words ---------------------------------------------------------------------------------------- */

/* Move one word down to `*to`, without its quotes. False when a quote has no end. */
static bool take_word(const char **from, char **to)
{
    char quote = '\0';
    const char *p = *from;
    for (; *p && (quote || !isspace((unsigned char)*p)); p++) {
        bool is_escape =
            *p == '\\' && quote != '\'' && p[1] && (!quote || p[1] == '"' || p[1] == '\\');
        if (is_escape) {
            *(*to)++ = *++p;
        } else if (quote && *p == quote) {
            quote = '\0';
        } else if (!quote && (*p == '\'' || *p == '"')) {
            quote = *p;
        } else {
            *(*to)++ = *p;
        }
    }
    *from = *p ? p + 1 : p; /* before the end of the word is written there */
    *(*to)++ = '\0';
    return !quote;
}

/* The words of a command, in its own memory. */
static int split(char *text, char *words[WORDS_MAX + 1], struct tk_err *err)
{
    const char *from = text;
    char *to = text;
    size_t count = 0;
    for (;;) {
        while (isspace((unsigned char)*from))
            from++;
        if (!*from)
            break;
        if (count == WORDS_MAX)
            return tk_fail(err, -EINVAL, "credential_process: more than %d words", WORDS_MAX);
        words[count++] = to;
        if (!take_word(&from, &to))
            return tk_fail(err, -EINVAL, "credential_process: a quote has no end");
    }
    if (count == 0) {
        (void)tk_fail(err, -EINVAL, "credential_process: expected a command");
        return -EINVAL;
    }
    words[count] = NULL;
    return 0;
}

/* The process ---------------------------------------------------------------------------------- */

static int start(char *const *words, pid_t *ret_pid, int *ret_fd, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int theirs = -1;
    posix_spawn_file_actions_t actions;
    int ends[2];
    if (posix_spawn_file_actions_init(&actions) != 0)
        return tk_fail(err, -ENOMEM, "credential_process: out of memory");
    if (pipe2(ends, O_CLOEXEC) < 0) {
        posix_spawn_file_actions_destroy(&actions);
        return tk_fail_errno(err, "credential_process");
    }
    theirs = ends[1];
    int rc = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    rc = rc != 0 ? rc : posix_spawn_file_actions_adddup2(&actions, theirs, STDOUT_FILENO);
    rc = rc != 0 ? rc : posix_spawnp(ret_pid, words[0], &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (rc != 0) {
        tk_fd_close(&ends[0]);
        return tk_fail_code(err, -rc, "credential_process '%s'", words[0]);
    }
    *ret_fd = ends[0];
    return 0;
}

/* What a command printed; wiped after use. */
struct output {
    char text[TEXT_MAX];
    size_t n;
};

/* Wait until it prints something, or has closed its output. */
static int await(int fd, int64_t deadline_ns, struct tk_err *err)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    int count;
    do {
        int64_t left_ns = deadline_ns - tk_clock_mono_ns();
        count = poll(&ready, 1, left_ns > 0 ? (int)(left_ns / TK_NS_PER_MS) + 1 : 0);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        return tk_fail_errno(err, "its output");
    return count > 0 ? 0 : tk_fail(err, -ETIMEDOUT, "it takes too long");
}

/* All that it prints. */
static int read_all(int fd, int64_t deadline_ns, struct output *output, struct tk_err *err)
{
    ssize_t n = 1;
    while (n > 0) {
        int rc = await(fd, deadline_ns, err);
        if (rc < 0)
            return rc;
        n = read(fd, output->text + output->n, sizeof(output->text) - output->n);
        if (n < 0)
            return tk_fail_errno(err, "its output");
        output->n += (size_t)n;
        if (output->n == sizeof(output->text))
            return tk_fail(err, -EMSGSIZE, "it prints %zu KiB or more", TEXT_MAX >> 10);
    }
    return 0;
}

/* Wait for its end, or make one. */
static int finish(pid_t pid, int64_t deadline_ns, struct tk_err *err)
{
    const struct timespec step = {.tv_nsec = STEP_NS};
    int status = 0;
    pid_t got;
    while ((got = waitpid(pid, &status, WNOHANG)) == 0 && tk_clock_mono_ns() < deadline_ns)
        (void)nanosleep(&step, NULL);
    if (got == 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, &status, 0);
        return tk_fail(err, -ETIMEDOUT, "it takes too long");
    }
    if (got < 0)
        return tk_fail_errno(err, "its status");
    if (WIFSIGNALED(status))
        return tk_fail(err, -EACCES, "it was ended by signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        return tk_fail(err, -EACCES, "it failed with status %d", WEXITSTATUS(status));
    return 0;
}

/* What it prints, if it ends well. */
static int capture(char *const *words, int64_t patience_ns, struct output *output,
                   struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int fd = -1;
    int64_t deadline_ns = tk_clock_mono_ns() + patience_ns;
    struct tk_err ignored;
    pid_t pid = -1;
    int rc = start(words, &pid, &fd, err);
    if (rc < 0)
        return rc;
    rc = read_all(fd, deadline_ns, output, err);
    if (rc < 0) {
        (void)finish(pid, 0, &ignored);
    } else {
        rc = finish(pid, deadline_ns, err);
    }
    return rc < 0 ? tk_err_prefix(err, "credential_process '%s'", words[0]) : 0;
}

/* Its answer ----------------------------------------------------------------------------------- */

struct answer {
    struct tk_keys *keys;
    int64_t version;
    char expiration[64]; /* as it was printed; empty = never */
};

/* A time of ISO 8601, of any zone. */
static bool parse_time(const char *text, time_t *ret_s)
{
    struct tm civil = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &civil);
    if (rest && *rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    rest = rest ? strptime(rest, "%z", &civil) : NULL;
    long offset_s = civil.tm_gmtoff;
    *ret_s = timegm(&civil) - offset_s;
    return rest && !*rest;
}

static int read_member(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                       struct tk_err *err)
{
    struct answer *answer = into;
    const struct {
        tk_str name;
        char *to;
        size_t cap;
    } texts[] = {
        {TK_STR("AccessKeyId"), answer->keys->access_key, sizeof(answer->keys->access_key)},
        {TK_STR("SecretAccessKey"), answer->keys->secret_key, sizeof(answer->keys->secret_key)},
        {TK_STR("SessionToken"), answer->keys->session_token, sizeof(answer->keys->session_token)},
        {TK_STR("Expiration"), answer->expiration, sizeof(answer->expiration)},
    };
    tk_str value;
    if (tk_str_eq(key, TK_STR("Version")))
        return tk_json_read_i64(json, &answer->version, err);
    if (tk_json_peek(json) == TK_JSON_NULL)
        return 1;
    for (size_t i = 0; i < TK_COUNTOF(texts); i++) {
        if (!tk_str_eq(key, texts[i].name))
            continue;
        int rc = tk_json_read_str(json, scratch, &value, err);
        if (rc == 0 && !tk_str_to_cstr(value, texts[i].to, texts[i].cap))
            return tk_fail(err, -EMSGSIZE, "its %s is too long", texts[i].name.p);
        return rc;
    }
    return 1;
}

static int check_answer(const struct answer *answer, struct tk_err *err)
{
    time_t end_s = 0;
    if (answer->version != 1)
        return tk_fail(err, -EBADMSG, "expected \"Version\": 1");
    if (!*answer->keys->access_key || !*answer->keys->secret_key)
        return tk_fail(err, -EBADMSG, "expected AccessKeyId and SecretAccessKey");
    if (!*answer->expiration)
        return 0;
    if (!parse_time(answer->expiration, &end_s))
        return tk_fail(err, -EBADMSG, "Expiration: expected a time as 2026-11-23T07:00:00Z");
    if (end_s <= time(NULL))
        return tk_fail(err, -EACCES, "its keys expired at %s", answer->expiration);
    return 0;
}

static int read_answer(tk_str text, struct tk_keys *keys, struct tk_err *err)
{
    struct answer answer = {.keys = keys};
    struct tk_arena scratch = {0};
    struct tk_json json;
    int rc = tk_arena_init(&scratch, TEXT_MAX, err);
    if (rc < 0)
        return rc;
    tk_json_init(&json, text);
    rc = tk_json_read_members(&json, &scratch, read_member, &answer, err);
    rc = rc < 0 ? rc : tk_json_expect_end(&json, err);
    rc = rc < 0 ? rc : check_answer(&answer, err);
    tk_arena_release(&scratch);
    return rc;
}

int tk_key_command_run(const char *command, int64_t patience_ns, struct tk_keys *ret_keys,
                       struct tk_err *err)
{
    char *words[WORDS_MAX + 1];
    char copy[TK_KEY_COMMAND_MAX];
    struct output output = {.n = 0};
    memset(ret_keys, 0, sizeof(*ret_keys));
    if (!tk_str_to_cstr(tk_str_from(command), copy, sizeof(copy)))
        return tk_fail(err, -EINVAL, "credential_process: too long");
    int rc = split(copy, words, err);
    if (rc < 0)
        return rc;
    rc = capture(words, patience_ns, &output, err);
    if (rc == 0) {
        rc = read_answer((tk_str){output.text, output.n}, ret_keys, err);
        rc = rc < 0 ? tk_err_prefix(err, "credential_process '%s'", words[0]) : 0;
    }
    explicit_bzero(&output, sizeof(output));
    if (rc < 0)
        explicit_bzero(ret_keys, sizeof(*ret_keys));
    return rc;
}
