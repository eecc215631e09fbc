/* SPDX-License-Identifier: Apache-2.0 */
/* Run a command and account for it exactly: shared by record, wrap and build steps.
 *
 * The command keeps our standard descriptors, terminal, process group, signal dispositions and
 * environment. While it runs, SIGINT and SIGQUIT from the terminal are left to it, SIGTERM, SIGHUP,
 * SIGUSR1 and SIGUSR2 sent to us are passed on, and when it stops (SIGTSTP) we stop too. We are its
 * subreaper, so that descendants which outlive their parent are waited for by us, and their usage
 * is counted. */
#ifndef TK_COLLECT_LAUNCH_H
#define TK_COLLECT_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "collect/cgroups.h"

struct tk_launch;

struct tk_launch_options {
    char *const *argv;           /* NULL-terminated; argv[0] is searched in PATH */
    struct tk_cgroup_leaf *leaf; /* to run in; NULL = ours. Borrowed */
    const char *cpuset;          /* CPUs to run on, "0-3,6"; NULL = ours */
    const char *pid_file;        /* made before exec, removed at the end; NULL = none */
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
    int64_t reaped; /* processes that we waited for ourselves */
    int64_t left;   /* descendants still alive when the command ended */
};

/* Start the command. When it cannot be executed: -ENOENT (a shell would exit with 127) or -EACCES
 * and others (126), with a message that names it. */
TK_MUST_USE int tk_launch_start(const struct tk_launch_options *options,
                                struct tk_launch **ret_launch, struct tk_err *err);

/* Of the command; valid until the struct is freed, also after its end. */
pid_t tk_launch_pid(const struct tk_launch *launch);

/* Readable when tk_launch_step() has something to do. */
int tk_launch_fd(const struct tk_launch *launch);

/* Handle signals and reap. Returns 1 when the command has ended, else 0. */
int tk_launch_step(struct tk_launch *launch);

/* After the end. */
void tk_launch_read_result(const struct tk_launch *launch, struct tk_launch_result *ret_result);

/* Restore our signal dispositions and free. */
void tk_launch_free(struct tk_launch *launch);

#endif
