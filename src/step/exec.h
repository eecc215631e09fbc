/* SPDX-License-Identifier: Apache-2.0 */
/* A command as a step: run as if we were not there (collect/launch.h), accounted for by the best
 * that this host has
 *
 *     L1, L2  a control group of its own: CPU time, memory peak, pressure, I/O
 *     L3      rusage and /proc/self/io of all descendants, for which we wait as their subreaper
 *
 * with a curve of samples, and the programs that used most of the CPU where the kernel tells of
 * each process that ends. */
#ifndef TK_STEP_EXEC_H
#define TK_STEP_EXEC_H

#include "collect/launch.h"
#include "step/session.h"

struct tk_exec_options {
    struct tk_session *session; /* with its job; NULL = run it unrecorded */
    char *const *argv;
    tk_str name;
    const char *parent; /* span; NULL = as found */
    struct tk_job_attrs attrs;
    struct tk_job_trace trace;
    struct tk_job_texts args; /* to be recorded; none = not wanted */
    tk_str also;              /* groups of others that work for it, as of tk_also_new() */
    int64_t timeout_ns;       /* end it after that; 0 = never */
    bool kill_leftovers;      /* kill what outlives it */

    /* Called with the span of the step before the command starts: the place to tell it to the
     * command's environment. May be NULL. */
    void (*on_start)(void *context, const char *span);
    void *context;
};

struct tk_exec_result {
    struct tk_launch_result launch;
    char span[TK_STEP_SPAN_MAX]; /* "" = nothing was recorded */
    bool timed_out;
    struct tk_err trouble; /* of ours, while the command ran; code 0 = none */
};

/* Exit status of a command that could not be started, by the code of that failure: as a shell has
 * it, but 125 where the command is not to blame, as this machine had no process, memory or
 * descriptor left for it. */
int tk_exec_start_status(int code);

/* Run the command. Fails as tk_launch_start() does; the step is then recorded as failed with that
 * status. Trouble in recording is no failure: it goes to
 * `ret_result->trouble`, and the command runs. */
TK_MUST_USE int tk_exec_run(const struct tk_exec_options *options,
                            struct tk_exec_result *ret_result, struct tk_err *err);

#endif
