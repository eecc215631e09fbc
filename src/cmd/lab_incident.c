/* SPDX-License-Identifier: Apache-2.0 */
/* tracekit lab incident: do one of PandoraTrace's incidents to some containers, through docker or
 * what stands for it. What was done to which container, and when, goes to the file of labels: the
 * true causes. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/number.h"
#include "cmd/lab.h"
#include "cmd/member.h"
#include "lab/incidents.h"

#define TRIES       5
#define MOST_NAMES  4096
#define NAMES_BYTES ((size_t)1 << 20)
#define MOST_WORDS  16

/* One container. */
struct target {
    const char *name;
    int64_t start_ns, end_ns; /* 0 = it failed */
};

struct incident {
    const struct tk_lab_call *call;
    const struct tk_lab_incident *kind;
    double ratio;
    char *names; /* owned; the targets' */
    struct target targets[MOST_NAMES];
    size_t count;
    size_t chosen[MOST_NAMES];
    size_t chosen_count, failed;
};

/* A command to run, and what says it. */
struct words {
    const char *items[MOST_WORDS + 1]; /* ends with NULL */
};

/* Containers ----------------------------------------------------------------------------------- */

static int split_names(struct incident *incident, char separator, struct tk_err *err)
{
    tk_str rest = tk_str_from(incident->names);
    tk_str word;
    while (tk_str_take_until(&rest, separator, &word)) {
        word = tk_str_trim(word);
        if (word.n == 0)
            continue;
        if (incident->count == MOST_NAMES)
            return tk_fail(err, -EMSGSIZE, "more than %d containers", MOST_NAMES);
        size_t at = (size_t)(word.p - incident->names);
        incident->names[at + word.n] = '\0';
        incident->targets[incident->count++].name = incident->names + at;
    }
    return incident->count > 0 ? 0 : tk_fail(err, -ENODATA, "no container runs");
}

static int read_all(int fd, char *to, size_t room, struct tk_err *err)
{
    size_t n = 0;
    for (;;) {
        ssize_t got = read(fd, to + n, room - 1 - n);
        if (got < 0)
            return tk_fail_errno(err, "list of containers");
        n += (size_t)got;
        to[n] = '\0';
        if (got == 0)
            return 0;
        if (n == room - 1)
            return tk_fail(err, -EMSGSIZE, "list of containers: longer than %zu bytes", room);
    }
}

/* Run a command and wait; its standard output goes to `out_fd` where that is not negative. Its exit
 * status, or a negative errno. */
static int run_command(const struct words *words, int out_fd, struct tk_err *err)
{
    posix_spawn_file_actions_t actions;
    char *argv[MOST_WORDS + 1] = {NULL};
    pid_t pid;
    int status;
    if (!words->items[0] || !*words->items[0])
        return tk_fail(err, -EINVAL, "option '--docker': expected a command");
    for (size_t i = 0; words->items[i]; i++)
        memcpy(&argv[i], &words->items[i], sizeof(argv[i])); /* execv() wants them mutable */
    if (posix_spawn_file_actions_init(&actions) != 0)
        return tk_fail(err, -ENOMEM, "%s: out of memory", argv[0]);
    int rc = out_fd >= 0 ? posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO) : 0;
    rc = rc != 0 ? rc : posix_spawnp(&pid, words->items[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (rc != 0)
        return tk_fail_code(err, -rc, "%s", words->items[0]);
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return tk_fail_errno(err, "%s", words->items[0]);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* All containers that run, by name. */
static int list_containers(struct incident *incident, struct tk_err *err)
{
    const struct words words = {
        {incident->call->opts->docker, "ps", "--format", "{{.Names}}", NULL}};
    TK_CLEANUP(tk_fd_close) int fd = memfd_create("containers", MFD_CLOEXEC);
    if (fd < 0)
        return tk_fail_errno(err, "list of containers");
    int rc = run_command(&words, fd, err);
    if (rc > 0)
        rc = tk_fail(err, -EIO, "%s ps failed with status %d", words.items[0], rc);
    if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
        rc = tk_fail_errno(err, "list of containers");
    rc = rc < 0 ? rc : read_all(fd, incident->names, NAMES_BYTES, err);
    return rc < 0 ? rc : split_names(incident, '\n', err);
}

static int find_containers(struct incident *incident, struct tk_err *err)
{
    const char *given = incident->call->opts->containers;
    incident->names = calloc(1, NAMES_BYTES);
    if (!incident->names)
        return tk_fail(err, -ENOMEM, "containers: out of memory");
    if (!given)
        return list_containers(incident, err);
    if (strlen(given) >= NAMES_BYTES)
        return tk_fail(err, -EMSGSIZE, "option '--containers': too long");
    memcpy(incident->names, given, strlen(given) + 1);
    return split_names(incident, ',', err);
}

/* Commands ------------------------------------------------------------------------------------- */

static struct words in_container(const struct incident *incident, const struct target *target,
                                 const char *command)
{
    return (struct words){{incident->call->opts->docker, "exec", "--privileged", "--user", "root",
                           target->name, "sh", "-c", command, NULL}};
}

/* What the incident needs first: apt update, apt install. */
static struct words package_words(const struct incident *incident, const struct target *target,
                                  char *command, size_t room)
{
    (void)snprintf(command, room, "apt update --allow-insecure-repositories && apt install -y %s",
                   incident->kind->package);
    return in_container(incident, target, command);
}

static struct words incident_words(const struct incident *incident, const struct target *target)
{
    if (!incident->kind->command)
        return (struct words){{incident->call->opts->docker, "kill", target->name, NULL}};
    return in_container(incident, target, incident->kind->command);
}

/* A word as the shell takes it. */
static void print_word(const char *word)
{
    if (*word && !strpbrk(word, " \t\n\"'\\$`&|;<>(){}*?[]#~")) {
        printf("%s", word);
        return;
    }
    putchar('\'');
    for (const char *p = word; *p; p++)
        printf(*p == '\'' ? "'\\''" : "%c", *p);
    putchar('\'');
}

static void print_words(const struct words *words)
{
    for (size_t i = 0; words->items[i]; i++) {
        if (i > 0)
            putchar(' ');
        print_word(words->items[i]);
    }
    putchar('\n');
}

static void print_commands(const struct incident *incident)
{
    for (size_t i = 0; i < incident->chosen_count; i++) {
        const struct target *target = &incident->targets[incident->chosen[i]];
        char command[256];
        struct words words;
        if (incident->kind->package) {
            words = package_words(incident, target, command, sizeof(command));
            print_words(&words);
        }
        words = incident_words(incident, target);
        print_words(&words);
    }
}

/* Running -------------------------------------------------------------------------------------- */

static void rest(int64_t ns)
{
    struct timespec time = {ns / TK_NS_PER_S, ns % TK_NS_PER_S};
    while (nanosleep(&time, &time) < 0 && errno == EINTR)
        ;
}

/* Up to five times, with pauses; the last exit status, or a negative errno. */
static int try_command(const struct incident *incident, const struct words *words,
                       struct tk_err *err)
{
    int rc = run_command(words, -1, err);
    for (int i = 1; i < TRIES && rc != 0; i++) {
        rest(incident->call->opts->pause_ns);
        rc = run_command(words, -1, err);
    }
    return rc;
}

/* What is done to one container, in a process of its own: commands that end by themselves are run
 * again until the incident is over. The exit status. */
static int keep_running(const struct incident *incident, const struct target *target)
{
    const struct words words = incident_words(incident, target);
    int64_t end_ns = tk_clock_mono_ns() + incident->call->opts->duration_ns;
    struct tk_err err;
    bool once = incident->kind->lasts_ns == 0 || incident->call->opts->compat;
    for (;;) {
        int rc = try_command(incident, &words, &err);
        if (rc < 0)
            (void)fprintf(stderr, "tracekit lab: %s\n", err.msg);
        if (rc != 0 || once || tk_clock_mono_ns() >= end_ns)
            return rc < 0 ? TK_EXIT_FAILED : rc;
    }
}

static int prepare(const struct incident *incident, const struct target *target, struct tk_err *err)
{
    char command[256];
    if (!incident->kind->package)
        return 0;
    const struct words words = package_words(incident, target, command, sizeof(command));
    return try_command(incident, &words, err);
}

/* Begin in one container; its process, or a negative errno. */
static pid_t begin(const struct incident *incident, struct target *target, struct tk_err *err)
{
    int rc = prepare(incident, target, err);
    if (rc > 0) {
        return tk_fail(err, -EIO, "%s: installing %s failed with status %d", target->name,
                       incident->kind->package, rc);
    }
    if (rc < 0)
        return rc;
    target->start_ns = tk_clock_real_ns();
    pid_t pid = fork();
    if (pid < 0)
        return tk_fail_errno(err, "%s", target->name);
    if (pid == 0)
        _exit(keep_running(incident, target));
    return pid;
}

static void fail_target(struct incident *incident, struct target *target, const char *why)
{
    (void)fprintf(stderr, "tracekit lab: %s: left out\n", why);
    target->start_ns = 0;
    incident->failed++;
}

static int run_all(struct incident *incident, struct tk_err *err)
{
    pid_t *pids = calloc(incident->chosen_count + 1, sizeof(*pids));
    if (!pids)
        return tk_fail(err, -ENOMEM, "containers: out of memory");
    for (size_t i = 0; i < incident->chosen_count; i++) {
        struct target *target = &incident->targets[incident->chosen[i]];
        pids[i] = begin(incident, target, err);
        if (pids[i] < 0)
            fail_target(incident, target, err->msg);
    }
    for (size_t i = 0; i < incident->chosen_count; i++) {
        struct target *target = &incident->targets[incident->chosen[i]];
        int status = 0;
        char why[256];
        if (pids[i] < 0)
            continue;
        while (waitpid(pids[i], &status, 0) < 0 && errno == EINTR)
            ;
        target->end_ns = tk_clock_real_ns();
        (void)snprintf(why, sizeof(why), "%s: %s failed %d times", target->name,
                       incident->kind->name, TRIES);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            fail_target(incident, target, why);
    }
    free(pids);
    return incident->failed < incident->chosen_count
               ? 0
               : tk_fail(err, -EIO, "%s: no container is in the incident", incident->kind->name);
}

/* Labels --------------------------------------------------------------------------------------- */

static void put_labels(const struct incident *incident, struct tk_buf *out)
{
    tk_buf_putc(out, '{');
    tk_member_put_text(out, "incident", tk_str_from(incident->kind->name));
    tk_member_put_f64(out, "ratio", incident->ratio, TK_SHORTEST);
    tk_member_put_text(out, "command",
                       tk_str_from(incident->kind->command ? incident->kind->command : "kill"));
    tk_member_put_i64(out, "seed", incident->call->opts->seed);
    tk_member_open(out, "containers", '[');
    for (size_t i = 0; i < incident->chosen_count; i++) {
        const struct target *target = &incident->targets[incident->chosen[i]];
        if (target->start_ns == 0)
            continue;
        tk_element_open(out, '{');
        tk_member_put_text(out, "name", tk_str_from(target->name));
        tk_member_put_i64(out, "start_ns", target->start_ns);
        tk_member_put_i64(out, "end_ns", target->end_ns);
        tk_buf_putc(out, '}');
    }
    tk_buf_lit(out, "]}\n");
}

static int write_labels(const struct incident *incident, struct tk_err *err)
{
    const char *path = incident->call->opts->labels;
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, NAMES_BYTES * 4);
    if (!path)
        return 0;
    put_labels(incident, &text);
    int rc = tk_buf_check(&text, "labels", err);
    return rc < 0 ? rc : tk_file_write(AT_FDCWD, path, tk_buf_str(&text), 0644, err);
}

static int run(struct incident *incident, struct tk_err *err)
{
    int rc = find_containers(incident, err);
    if (rc < 0)
        return rc;
    incident->chosen_count = tk_lab_incident_choose(
        incident->count, incident->ratio, (uint64_t)incident->call->opts->seed, incident->chosen);
    if (incident->call->opts->dry_run) {
        print_commands(incident);
        return 0;
    }
    rc = run_all(incident, err);
    rc = rc < 0 ? rc : write_labels(incident, err);
    if (rc == 0) {
        printf("%s in %zu of %zu containers\n", incident->kind->name,
               incident->chosen_count - incident->failed, incident->count);
    }
    return rc;
}

static int list(void)
{
    for (const struct tk_lab_incident *at = tk_lab_incidents; at->name; at++)
        printf("%-15s %s\n", at->name, at->help);
    return TK_EXIT_OK;
}

int tk_lab_incident(const struct tk_lab_call *call)
{
    struct tk_err err;
    const struct tk_lab_incident *kind = NULL;
    double ratio = 0;
    if (call->opts->list)
        return list();
    if (call->argc == 0) {
        return tk_cmd_usage(call->cmd,
                            "incident: expected a name and a ratio, such as latency-0.2");
    }
    if (tk_lab_incident_find(call->argv[0], &kind, &ratio, &err) < 0)
        return tk_cmd_usage(call->cmd, "%s", err.msg);
    struct incident *incident = calloc(1, sizeof(*incident));
    if (!incident)
        return TK_EXIT_FAILED;
    incident->call = call;
    incident->kind = kind;
    incident->ratio = ratio;
    int rc = run(incident, &err);
    free(incident->names);
    free(incident);
    return rc < 0 ? tk_cmd_fail(call->cmd, &err) : TK_EXIT_OK;
}
