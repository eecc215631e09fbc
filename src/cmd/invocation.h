/* SPDX-License-Identifier: Apache-2.0 */
/* One command run for the user: started, accounted for by the best source that this host has, and
 * appended to the run folder as an invocation (collect-and-cctf.md section 14, `wrap`). Shared by
 * record and wrap, which drive it:
 *
 *     tk_invocation_new(&options, &invocation, &err);
 *     tk_invocation_start(invocation, &err);
 *     while (tk_invocation_step(invocation) == 0)
 *         poll(tk_invocation_fd(invocation)) ...
 *     tk_invocation_finish(invocation, procs, folder, &err);
 *     return tk_exit_as(&result);
 */
#ifndef TK_CMD_INVOCATION_H
#define TK_CMD_INVOCATION_H

#include "cmd/child_context.h"
#include "cmd/identity.h"
#include "collect/collect.h"

struct tk_invocation_options {
    const char *command; /* "wrap": of tracekit, for messages */
    const struct tk_identity *identity;
    const struct tk_kernel *kernel;
    char *const *argv;
    const char *trace_id;                 /* NULL = a new one */
    const struct tk_child_context *trace; /* its place in one; borrowed; NULL = none */
    int64_t enqueue_ms;                   /* epoch; 0 = the start */
    const char *unit;                     /* name of the control group; NULL = a name of ours */
    struct tk_cgroup_limits limits;
    bool must_limit;  /* fail where unit, quota or weight cannot be had, instead of telling it */
    uint64_t max_fds; /* the command's soft limit of open files; 0 = ours */

    /* Called when the command's process exists and has executed nothing yet. May be NULL. */
    void (*on_fork)(void *context, pid_t pid);
    void *context;
};

struct tk_invocation;

/* Prepare the control group. Where this host gives us none, the command runs without; a unit, quota
 * or weight that was asked for is then missed in one line on stderr, or with `must_limit` fails. */
TK_MUST_USE int tk_invocation_new(const struct tk_invocation_options *options,
                                  struct tk_invocation **ret_invocation, struct tk_err *err);

/* True when a control group of its own counts the command's CPU time. */
bool tk_invocation_is_exact(const struct tk_invocation *invocation);

/* Start the command; fails as tk_launch_start() does, and with `must_limit` when the command cannot
 * enter its group. */
TK_MUST_USE int tk_invocation_start(struct tk_invocation *invocation, struct tk_err *err);

/* As of the launch: poll, step; 1 when the command has ended. */
int tk_invocation_fd(const struct tk_invocation *invocation);
int tk_invocation_step(struct tk_invocation *invocation);

/* After the end: read the last counters and append the invocation to events.PROGRAM.jsonl in
 * `folder`. `procs` followed the tree and knows better than rusage; NULL = nobody did. */
TK_MUST_USE int tk_invocation_finish(struct tk_invocation *invocation, struct tk_procs *procs,
                                     const char *folder, struct tk_err *err);

/* Valid after the end. */
const struct tk_launch_result *tk_invocation_result(const struct tk_invocation *invocation);

/* "events.ffmpeg.jsonl" */
const char *tk_invocation_file(const struct tk_invocation *invocation);

/* Accepts NULL. */
void tk_invocation_free(struct tk_invocation *invocation);

/* For TK_CLEANUP. */
void tk_invocation_freep(struct tk_invocation **invocation);

/* End as the command did: returns its exit code, or dies by its signal, as the caller's shell wants
 * to see it. To be called last. */
int tk_exit_as(const struct tk_launch_result *result);

/* Exit status of a command that could not be started with `code`: 127 when it is missing, else
 * 126. */
int tk_invocation_status(int code);

#endif
