/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/exit_as.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

int tk_exit_as(const struct tk_launch_result *result)
{
    if (result->exit_signal == 0)
        return result->exit_code;
    /* One core dump is enough, and it is the command's. */
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    (void)fflush(stdout);
    sigset_t all;
    sigfillset(&all);
    (void)sigaction(result->exit_signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    (void)raise(result->exit_signal);
    (void)pthread_sigmask(SIG_UNBLOCK, &all, NULL);
    return result->exit_code;
}

int tk_exit_unstarted(int code)
{
    return code == -ENOENT ? 127 : 126;
}
