/* SPDX-License-Identifier: Apache-2.0 */
/* The watcher of a job: a process of its own, which samples the machine once a second (10 times in
 * the first 5 s of a step) and sees when the owner of a step ends without saying so. It holds
 * nothing of whoever started it: no descriptor, no terminal, no working folder. It may be killed at
 * any time, which costs the curve from then on and the moment at which an owner ended, nothing
 * else. */
#ifndef TK_STEP_WATCH_H
#define TK_STEP_WATCH_H

#include "step/session.h"

/* Start the watcher of the session's job. It ends when the job is finalised or its folder is gone,
 * or after 12 h in which no step was open. */
TK_MUST_USE int tk_watch_start(struct tk_session *session, struct tk_err *err);

/* What two readings of the host say of the time between them. `place` is a path on the file system
 * whose room is told beside that of "/"; NULL = none. */
void tk_watch_sample(const struct tk_kernel *kernel, const struct tk_host_view *before,
                     const struct tk_host_view *now, const char *place, struct tk_sample *ret);

/* CPU time that the watcher of a job has used so far, in ms; NaN when it does not run. */
double tk_watch_cpu_ms(const struct tk_kernel *kernel, int job_fd);

#endif
