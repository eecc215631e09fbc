/* SPDX-License-Identifier: Apache-2.0 */
/* How a process ended, for one who is not its parent. Linux 6.15 keeps that for whoever holds a
 * pidfd; before it is known only until the parent has asked (see proc_pid_stat(5), exit_code). */
#ifndef TK_STEP_ENDING_H
#define TK_STEP_ENDING_H

#include "collect/kernel.h"

/* As struct tk_job_step has them: 128 + signal where a signal ended it; TK_JOB_NONE = not known. */
struct tk_ending {
    int64_t exit_code, signal;
};

/* Of process `pid`, born then (see tk_step_process_read()), which has ended. `pidfd` is its own, or
 * -1. */
void tk_ending_read(const struct tk_kernel *kernel, int pidfd, pid_t pid, int64_t born,
                    struct tk_ending *ret);

#endif
