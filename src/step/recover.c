/* SPDX-License-Identifier: Apache-2.0 */
#include "step/recover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "step/session_internal.h"

/* The wrapper that a note tells of runs, as far as its pid says something to us. */
static bool is_alive(const struct tk_kernel *kernel, int marks, const char *job)
{
    char owner[64];
    int64_t pid = 0;
    int64_t noted, born;
    pid_t above;
    ssize_t n = readlinkat(marks, job, owner, sizeof(owner));
    tk_str text = {owner, n > 0 ? (size_t)n : 0};
    tk_str word;
    return tk_str_take_word(&text, &word) && tk_parse_i64(word, &pid) &&
           tk_str_take_word(&text, &word) && tk_parse_i64(word, &noted) && pid > 0 &&
           pid <= INT32_MAX && tk_step_process_read(kernel, (pid_t)pid, &above, &born) &&
           born == noted;
}

/* Close what is open, at the moment at which it was last heard of. */
static int close_steps(struct tk_session *session, struct tk_err *err)
{
    TK_CLEANUP(tk_curve_release) struct tk_curve curve = {0};
    int rc = tk_curve_read(session->state.job_fd, INT64_MIN, &curve, err);
    int64_t last_ns = tk_session_last_ns(session, &curve);
    for (size_t i = 0; rc == 0 && i < session->spans.count; i++) {
        const struct tk_step_span *span = &session->spans.items[i];
        if (!span->end && !span->gone)
            rc = tk_session_tell_gone(session, span, last_ns, NULL, err);
    }
    return rc < 0 ? rc : tk_session_find(session, err);
}

static int finish(struct tk_session *session, struct tk_err *err)
{
    struct tk_job document;
    int rc = tk_session_find(session, err);
    rc = rc < 0 ? rc : close_steps(session, err);
    rc = rc < 0 ? rc : tk_session_build_lost(session, &document, err);
    return rc < 0 ? rc : tk_session_finalize(session, &document, err);
}

/* True when the document was written. */
static bool recover(const char *folder, int marks, const char *job)
{
    struct tk_session *session;
    struct tk_err ignored;
    const struct tk_state_options options = {.folder = folder, .job = job};
    if (tk_session_open(&options, &session, &ignored) < 0)
        return false;
    int rc = finish(session, &ignored);
    if (rc == -EALREADY || rc == -ENOENT || rc == -EBADMSG) /* nothing was ever recorded */
        (void)unlinkat(marks, job, 0);
    tk_session_free(session);
    return rc == 0;
}

size_t tk_jobs_recover(const char *folder)
{
    char path[PATH_MAX];
    struct tk_kernel kernel;
    struct tk_err ignored;
    const struct dirent *entry;
    size_t count = 0;
    bool opened = false;
    (void)snprintf(path, sizeof(path), "%s/" TK_STATE_OPEN, folder);
    DIR *marks = opendir(path);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    while (marks && (entry = readdir(marks))) {
        if (entry->d_name[0] == '.')
            continue;
        if (!opened && tk_kernel_open(&kernel, "/", &ignored) < 0)
            break;
        opened = true;
        if (!tk_state_is_held(folder, entry->d_name) &&
            !is_alive(&kernel, dirfd(marks), entry->d_name))
            count += recover(folder, dirfd(marks), entry->d_name);
    }
    if (opened)
        tk_kernel_close(&kernel);
    if (marks)
        (void)closedir(marks);
    return count;
}
