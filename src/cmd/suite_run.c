/* SPDX-License-Identifier: Apache-2.0 */
/* Each run is a process: it sees the real traces of its parent, may use memory as it likes, and
 * what it used is its own. What it found comes through a pipe: names and reasons are literals of
 * the program and stay pointers; details are not sent. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/suite.h"

#define JOBS_MAX    16
#define MESSAGE_MAX ((size_t)16 << 20)

/* A process that is under way; item NULL = none. */
struct job {
    struct tk_suite_item *item;
    struct tk_suite_point *point;
    pid_t pid;
    int fd;
    struct tk_buf message;
};

/* What stands before the figures in a message. */
struct message {
    struct tk_suite_point point; /* without its figures */
    size_t figures, next;
};

/* In the child --------------------------------------------------------------------------------- */

static _Noreturn void run_child(const struct tk_suite *suite, const struct tk_suite_data *data,
                                const struct tk_suite_item *item, struct tk_suite_point *point,
                                int fd)
{
    struct tk_err err = {0};
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, MESSAGE_MAX);
    if (tk_suite_point_run(suite, data, item, point, &err) < 0)
        (void)snprintf(point->failure, sizeof(point->failure), "%s", err.msg);
    point->is_done = true;
    const struct message message = {*point, point->figures.count, point->next.count};
    tk_buf_put(&text, (tk_str){(const char *)&message, sizeof(message)});
    tk_buf_put(&text, (tk_str){(const char *)point->figures.items,
                               point->figures.count * sizeof(struct tk_figure)});
    tk_buf_put(&text, (tk_str){(const char *)point->next.items,
                               point->next.count * sizeof(struct tk_figure)});
    bool ok = tk_buf_ok(&text) && tk_fd_write(fd, tk_buf_str(&text), "pipe", &err) == 0;
    _exit(ok ? 0 : 1);
}

/* In the parent -------------------------------------------------------------------------------- */

static int start(const struct tk_suite *suite, const struct tk_suite_data *data, struct job *job,
                 struct tk_err *err)
{
    int ends[2];
    if (pipe(ends) < 0)
        return tk_fail_errno(err, "pipe");
    (void)fflush(NULL);
    job->pid = fork();
    if (job->pid < 0) {
        int rc = tk_fail_errno(err, "fork");
        (void)close(ends[0]);
        (void)close(ends[1]);
        return rc;
    }
    if (job->pid == 0) {
        (void)close(ends[0]);
        run_child(suite, data, job->item, job->point, ends[1]);
    }
    (void)close(ends[1]);
    job->fd = ends[0];
    tk_buf_init(&job->message, MESSAGE_MAX);
    return 0;
}

static int take_figures(tk_str *text, size_t count, struct tk_figures *figures, struct tk_err *err)
{
    struct tk_figure figure;
    int rc = tk_figures_init(figures, err);
    for (size_t i = 0; rc == 0 && i < count && text->n >= sizeof(figure); i++) {
        memcpy(&figure, text->p, sizeof(figure));
        *text = (tk_str){text->p + sizeof(figure), text->n - sizeof(figure)};
        tk_figures_add(figures, &figure);
    }
    return rc < 0 ? rc : tk_figures_check(figures, err);
}

/* The process is at its end: what it found becomes the point. */
static int finish(struct job *job, struct tk_err *err)
{
    struct message message;
    tk_str text = tk_buf_str(&job->message);
    int status = 0;
    int rc = 0;
    while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (text.n < sizeof(message)) {
        job->point->is_done = true;
        (void)snprintf(job->point->failure, sizeof(job->point->failure),
                       WIFSIGNALED(status) ? "ended by signal %d" : "ended with status %d",
                       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    } else {
        memcpy(&message, text.p, sizeof(message));
        text = (tk_str){text.p + sizeof(message), text.n - sizeof(message)};
        *job->point = message.point;
        rc = take_figures(&text, message.figures, &job->point->figures, err);
        rc = rc < 0 ? rc : take_figures(&text, message.next, &job->point->next, err);
    }
    (void)close(job->fd);
    tk_buf_release(&job->message);
    job->item = NULL;
    return rc;
}

/* Read what processes say; those that are done are finished. */
static int attend(struct job *jobs, size_t count, struct tk_err *err)
{
    struct pollfd polls[JOBS_MAX];
    int rc = 0;
    for (size_t i = 0; i < count; i++)
        polls[i] = (struct pollfd){.fd = jobs[i].item ? jobs[i].fd : -1, .events = POLLIN};
    if (poll(polls, count, -1) < 0)
        return errno == EINTR ? 0 : tk_fail_errno(err, "poll");
    for (size_t i = 0; i < count && rc == 0; i++) {
        enum { PIECE = 65536 };
        if (!jobs[i].item || polls[i].revents == 0)
            continue;
        char *to = tk_buf_reserve(&jobs[i].message, PIECE);
        ssize_t n = to ? read(jobs[i].fd, to, PIECE) : -1;
        if (n > 0) {
            jobs[i].message.n += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            rc = finish(&jobs[i], err);
        }
    }
    return rc;
}

/* Where the search for points that nobody runs yet stands. */
struct cursor {
    struct tk_suite_part *part;
    size_t item, seed;
};

static bool next_point(struct cursor *cursor, struct job *job)
{
    const struct tk_suite_part *part = cursor->part;
    for (; cursor->item < part->count; cursor->item++, cursor->seed = 0) {
        struct tk_suite_item *found = part->items[cursor->item];
        while (cursor->seed < found->seeds) {
            struct tk_suite_point *point = &found->points[cursor->seed++];
            if (point->is_done)
                continue;
            job->item = found;
            job->point = point;
            return true;
        }
    }
    return false;
}

/* Free places get the next points; `*ret_busy` is how many are at work then. */
static int fill(const struct tk_suite *suite, struct cursor *cursor, struct job *jobs,
                size_t *ret_busy, struct tk_err *err)
{
    size_t count = suite->jobs < JOBS_MAX ? suite->jobs : JOBS_MAX;
    int rc = 0;
    *ret_busy = 0;
    for (size_t i = 0; i < count; i++) {
        if (rc == 0 && !jobs[i].item && next_point(cursor, &jobs[i])) {
            rc = start(suite, &cursor->part->data, &jobs[i], err);
            if (rc < 0)
                jobs[i].item = NULL;
        }
        *ret_busy += jobs[i].item != NULL;
    }
    return rc;
}

/* How many runs of the items [first, ...) are done; an empty line when all are. */
static void tell_progress(const struct tk_suite *suite, const struct tk_suite_part *part,
                          size_t first)
{
    size_t done = 0;
    size_t all = 0;
    if (!suite->shows_progress)
        return;
    for (size_t i = first; i < part->count; i++) {
        all += part->items[i]->seeds;
        for (size_t s = 0; s < part->items[i]->seeds; s++)
            done += part->items[i]->points[s].is_done;
    }
    if (done < all) {
        (void)fprintf(stderr, "\r%s: %zu of %zu runs\033[K", part->data.name, done, all);
    } else {
        (void)fputs("\r\033[K", stderr);
    }
}

/* After a failure nothing new begins; what is under way is waited for. */
int tk_suite_run(const struct tk_suite *suite, struct tk_suite_part *part, size_t first,
                 struct tk_err *err)
{
    struct job jobs[JOBS_MAX] = {{0}};
    struct cursor cursor = {part, first, 0};
    struct tk_err later;
    size_t busy = 0;
    int rc = fill(suite, &cursor, jobs, &busy, err);
    while (busy > 0) {
        tell_progress(suite, part, first);
        int ended = attend(jobs, JOBS_MAX, rc < 0 ? &later : err);
        rc = rc < 0 ? rc : ended;
        if (rc < 0)
            cursor.item = part->count;
        int filled = fill(suite, &cursor, jobs, &busy, rc < 0 ? &later : err);
        rc = rc < 0 ? rc : filled;
    }
    tell_progress(suite, part, first);
    return rc;
}
