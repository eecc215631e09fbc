/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/step_packer.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "step/ingest.h"

enum {
    CHUNK = 65536,
    REST_MS = 500, /* without a byte, until half a line is passed on */
    FOLDERS_OPEN = 8,
};

/* Reading ------------------------------------------------------------------------------ */

static void pass(void *into, tk_str text)
{
    const int *fd = into;
    struct tk_err ignored;
    (void)!tk_fd_write(*fd, text, "stdout", &ignored);
}

/* False at the end of what can be read. */
static bool take_chunk(struct tk_ingest *ingest, int from)
{
    char bytes[CHUNK];
    ssize_t got = read(from, bytes, sizeof(bytes));
    if (got > 0)
        tk_ingest_feed(ingest, (tk_str){bytes, (size_t)got});
    return got > 0 || (got < 0 && errno == EINTR);
}

/* Read until the end, or until nothing is left once `stop` is readable (-1 = never). */
static void pump(struct tk_ingest *ingest, int from, int stop)
{
    bool stopped = false;
    for (;;) {
        struct pollfd fds[] = {{.fd = from, .events = POLLIN},
                               {.fd = stopped ? -1 : stop, .events = POLLIN}};
        int ready = poll(fds, 2, stopped ? 0 : REST_MS);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready < 0 || (ready == 0 && stopped))
            return;
        if (ready == 0)
            tk_ingest_flush(ingest);
        stopped = stopped || fds[1].revents;
        if (fds[0].revents && !take_chunk(ingest, from))
            return;
    }
}

int tk_packer_ingest(struct tk_session *session, int fd, struct tk_err *err)
{
    struct stat st;
    int out = STDOUT_FILENO;
    TK_CLEANUP(tk_ingest_freep) struct tk_ingest *ingest = NULL;
    const struct tk_ingest_options options = {
        .session = session,
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
        .parent = getenv("TRACEKIT_SPAN"),
        .live = fstat(fd, &st) < 0 || !S_ISREG(st.st_mode),
        .pass = pass,
        .into = &out,
    };
    int rc = tk_ingest_new(&options, &ingest, err);
    if (rc < 0)
        return rc;
    pump(ingest, fd, -1);
    return tk_ingest_end(ingest, err);
}

/* Beside a command --------------------------------------------------------------------- */

struct tk_relay {
    struct tk_session *session; /* of the thread */
    struct tk_ingest *ingest;
    char folder[PATH_MAX];
    char job[PATH_MAX + NAME_MAX + 2];
    struct tk_state_options state;
    char span[TK_STEP_SPAN_MAX];
    int out;  /* stdout as it was */
    int pipe; /* end to read */
    int stop; /* readable when the command has ended */
    pthread_t thread;
};

static void *relay_run(void *context)
{
    struct tk_relay *relay = context;
    pump(relay->ingest, relay->pipe, relay->stop);
    return NULL;
}

static void relay_free(struct tk_relay *relay)
{
    tk_ingest_free(relay->ingest);
    tk_session_free(relay->session);
    tk_fd_close(&relay->out);
    tk_fd_close(&relay->pipe);
    tk_fd_close(&relay->stop);
    free(relay);
}

/* Signals are the business of the thread that waits for the command. */
static int start_thread(struct tk_relay *relay, struct tk_err *err)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&relay->thread, NULL, relay_run, relay);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? 0 : tk_fail_code(err, -rc, "thread that reads the log");
}

/* Put the end of a pipe in the place of stdout. */
static int divert(struct tk_relay *relay, struct tk_err *err)
{
    int ends[2];
    (void)fflush(stdout);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return tk_fail_errno(err, "pipe");
    relay->pipe = ends[0];
    relay->out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    relay->stop = eventfd(0, EFD_CLOEXEC);
    int rc = relay->out < 0 || relay->stop < 0 ? -1 : dup2(ends[1], STDOUT_FILENO);
    int code = errno;
    (void)close(ends[1]);
    return rc < 0 ? tk_fail_code(err, -code, "stdout") : 0;
}

static int relay_open(struct tk_relay *relay, struct tk_err *err)
{
    int rc = tk_session_open(&relay->state, &relay->session, err);
    rc = rc < 0 ? rc : tk_session_find(relay->session, err);
    const struct tk_ingest_options options = {.session = relay->session,
                                              .parent = relay->span,
                                              .live = true,
                                              .pass = pass,
                                              .into = &relay->out};
    rc = rc < 0 ? rc : tk_ingest_new(&options, &relay->ingest, err);
    rc = rc < 0 ? rc : divert(relay, err);
    return rc < 0 ? rc : start_thread(relay, err);
}

int tk_relay_start(struct tk_session *session, const char *span, struct tk_relay **ret_relay,
                   struct tk_err *err)
{
    struct tk_relay *relay = calloc(1, sizeof(*relay));
    if (!relay)
        return tk_fail(err, -ENOMEM, "out of memory");
    relay->out = relay->pipe = relay->stop = -1;
    (void)snprintf(relay->job, sizeof(relay->job), "%s", tk_session_path(session));
    (void)snprintf(relay->folder, sizeof(relay->folder), "%s", tk_session_state(session)->folder);
    (void)snprintf(relay->span, sizeof(relay->span), "%s", span);
    relay->state = (struct tk_state_options){.folder = relay->folder, .job = relay->job};
    int rc = relay_open(relay, err);
    if (rc < 0) {
        if (relay->out >= 0)
            (void)dup2(relay->out, STDOUT_FILENO);
        relay_free(relay);
        return rc;
    }
    *ret_relay = relay;
    return 0;
}

int tk_relay_stop(struct tk_relay *relay, struct tk_err *err)
{
    const uint64_t one = 1;
    if (!relay)
        return 0;
    (void)dup2(relay->out, STDOUT_FILENO);
    (void)!write(relay->stop, &one, sizeof(one));
    (void)pthread_join(relay->thread, NULL);
    int rc = tk_ingest_end(relay->ingest, err);
    relay_free(relay);
    return rc;
}

/* Leaving no trace --------------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *place)
{
    (void)st;
    (void)type;
    (void)place;
    (void)remove(path);
    return 0;
}

static void remove_tree(const char *path)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
    (void)nftw(path, remove_entry, FOLDERS_OPEN, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* The program and the functions beside it, where they lie in memory. */
static void remove_self(void)
{
    char path[PATH_MAX];
    char functions[PATH_MAX + 16];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    path[n < 0 ? 0 : n] = '\0';
    if (strncmp(path, "/run/", 5) != 0 && strncmp(path, "/dev/shm/", 9) != 0)
        return;
    (void)snprintf(functions, sizeof(functions), "%.*s/telemetry.sh",
                   (int)(strrchr(path, '/') - path), path);
    (void)unlink(path);
    (void)unlink(functions);
}

void tk_packer_clean(const char *state_folder, char *const *files, int count)
{
    remove_tree(state_folder);
    for (int i = 0; i < count; i++)
        remove_tree(files[i]);
    remove_self();
}
