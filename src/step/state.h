/* SPDX-License-Identifier: Apache-2.0 */
/* Where jobs keep their state between shells:
 *
 *     $TELEMETRY_DIR/                        0700, ours, no link
 *         current                            name of the job that was begun last
 *         current-RUN                        ... by a run of a CI service
 *         open/JOB_YYYYmmdd_HHMMSS           link to "PID BORN": wrapper of a job of one command
 *         JOB_YYYYmmdd_HHMMSS/journal        see journal.h
 *         JOB_YYYYmmdd_HHMMSS/samples        see curve.h
 *         JOB_YYYYmmdd_HHMMSS.json           the document, once the job is finalised
 *
 * Two jobs that are begun at once in one folder get two names; which of them a shell means is told
 * by $TRACEKIT_JOB, by the run, and last by `current`. */
#ifndef TK_STEP_STATE_H
#define TK_STEP_STATE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "base/err.h"

#define TK_STATE_FOLDER "/tmp/telemetry"

struct tk_state_options {
    const char *folder; /* $TELEMETRY_DIR; NULL or "" = TK_STATE_FOLDER */
    const char *job;    /* $TRACEKIT_JOB: a name, or the path of its folder; NULL or "" = none */
    const char *run;    /* what names the run of a CI service; NULL or "" = none */
};

struct tk_state {
    char folder[PATH_MAX];  /* absolute */
    int fd;                 /* of it */
    char run[128];          /* cleaned, for a file name */
    char job[NAME_MAX + 1]; /* name of the job at hand; "" = none */
    int job_fd;             /* folder of it; -1 = none */
};

/* Open the folder; make it when it is missing. Fails with -EPERM when it belongs to somebody else,
 * -ELOOP or -ENOTDIR when it is a link. (Where the default belongs to somebody else, it is
 * /tmp/telemetry-UID instead.) The struct is then as tk_state_close() leaves it. */
TK_MUST_USE int tk_state_open(struct tk_state *state, const struct tk_state_options *options,
                              struct tk_err *err);
void tk_state_close(struct tk_state *state);

/* Make the folder of a new job and make it the current one. `now_ns` is epoch time. */
TK_MUST_USE int tk_state_new_job(struct tk_state *state, const char *job, int64_t now_ns,
                                 struct tk_err *err);

/* Let others find the job at hand as `current`, also once it is finalised. */
TK_MUST_USE int tk_state_point(const struct tk_state *state, struct tk_err *err);

/* Find the job that is meant: options.job, then the run's, then `current`. Fails with -ENOENT when
 * there is none. */
TK_MUST_USE int tk_state_find_job(struct tk_state *state, const struct tk_state_options *options,
                                  struct tk_err *err);

/* Note that the job at hand is that of one command, so that somebody finishes it when the process
 * that does is killed: `pid` and its start in ticks since boot. It also holds a lock on the job's
 * folder until the state is closed, which those see who have other pids (another container).
 * tk_state_unmark() takes the note back; without one it does nothing. */
#define TK_STATE_OPEN "open"
TK_MUST_USE int tk_state_mark(const struct tk_state *state, pid_t pid, int64_t born,
                              struct tk_err *err);
void tk_state_unmark(const struct tk_state *state);

/* True when a process that noted this job of a state folder still runs. */
bool tk_state_is_held(const char *folder, const char *job);

/* Path of the document of the job at hand, absolute. */
void tk_state_file(const struct tk_state *state, char ret_path[PATH_MAX]);

#endif
