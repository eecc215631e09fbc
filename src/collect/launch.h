/* SPDX-License-Identifier: Apache-2.0 */
/* Run a command and account for it exactly: shared by record, wrap and build steps.
 *
 * The command keeps our standard descriptors, terminal, process group, signal dispositions, mask
 * and environment, as if the shell had started it. While it runs,
 *
 *   - signals that the terminal sends (Ctrl-C, Ctrl-\, hang-up) reach it from the terminal: we
 *     survive them and go on recording;
 *   - SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2 and SIGTSTP that somebody sends to us with
 *     kill() are passed on;
 *   - when the terminal stops it (Ctrl-Z) we stop too, so that the shell gets its prompt back, and
 *     what continues us continues it.
 *
 * We are its subreaper: descendants that outlive their parent are waited for by us, and their usage
 * is counted. One launch at a time per process: it owns SIGCHLD and waits for all children. */
#ifndef TK_COLLECT_LAUNCH_H
#define TK_COLLECT_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct tk_launch;

struct tk_launch_options {
    char *const *argv;  /* NULL-terminated; argv[0] is searched in PATH */
    const char *cpuset; /* CPUs to run on, "0-3,6"; NULL or "" = ours */
    uint64_t max_fds;   /* its soft limit of open files; 0 = ours */

    /* Called once when the command's process exists and has executed nothing yet: the place to
     * begin to follow it. May be NULL. */
    void (*on_fork)(void *context, pid_t pid);

    /* Folder of a control group of version 2 in which the command's process is to be born, which
     * spares it a move (some ms of waiting for the kernel's readers); <= 0 = in ours. */
    int group_fd;

    /* Called in the new process after that, to enter a control group and the like; 0 or a negative
     * errno, async-signal-safe. `in_group`: it was born in `group_fd`, as not each kernel and
     * sandbox lets us. May be NULL. */
    int (*prepare)(void *context, bool in_group);
    bool must_prepare; /* the command does not run when prepare fails */

    void *context; /* of both */
};

struct tk_launch_result {
    int64_t start_mono_ns; /* just before exec */
    int64_t end_mono_ns;   /* when its end was seen */
    int exit_code;         /* 0..255; 128 + signal when it was killed */
    int exit_signal;       /* 0 = none */
    int64_t user_ns,
        system_ns;         /* of all descendants that were waited for, by us or their parents */
    int64_t max_rss_bytes; /* of the largest single process */
    int64_t rd_bytes, wr_bytes; /* block I/O by rusage, in 512-byte units */
    int64_t minflt, majflt, nvcsw, nivcsw;
    int64_t reaped;    /* processes that we waited for ourselves */
    int64_t left;      /* descendants still alive when the command ended */
    int prepare_error; /* what options.prepare returned; the command ran all the same */
};

/* Whether the program can be found and may be executed and the CPUs exist, as tk_launch_start()
 * will: for callers that prepare much before. The same codes and messages. */
TK_MUST_USE int tk_launch_check(const struct tk_launch_options *options, struct tk_err *err);

/* Start the command, and return once it executes. When it cannot: -ENOENT (a shell would exit with
 * 127) or -EACCES and others (126), with a message that names it; -EINVAL for a bad cpuset, one
 * with CPUs that this machine or our control group lacks, and others when the kernel refuses it. */
TK_MUST_USE int tk_launch_start(const struct tk_launch_options *options,
                                struct tk_launch **ret_launch, struct tk_err *err);

/* Of the command; valid until the struct is freed, also after its end. */
pid_t tk_launch_pid(const struct tk_launch *launch);

/* Readable when tk_launch_step() has something to do. */
int tk_launch_fd(const struct tk_launch *launch);

/* Handle signals and reap; stops the calling process for as long as the terminal stops the command.
 * Returns 1 when the command has ended, else 0. */
int tk_launch_step(struct tk_launch *launch);

/* After the end. */
void tk_launch_read_result(const struct tk_launch *launch, struct tk_launch_result *ret_result);

/* Restore our signal mask and dispositions and free. Accepts NULL. */
void tk_launch_free(struct tk_launch *launch);

#endif
