/* SPDX-License-Identifier: Apache-2.0 */
/* What step and exec print (build-telemetry.md section 7): one line a step, or the block of the
 * original scripts, and summaries of a job. All of it is appended to a buffer. */
#ifndef TK_CMD_STEP_PRINT_H
#define TK_CMD_STEP_PRINT_H

#include "report/look.h"
#include "step/job.h"

/* "telemetry: compile  ok  12.5 s  1.9 cores ..." and a newline. */
void tk_step_put_line(struct tk_buf *out, const struct tk_look *look,
                      const struct tk_job_step *step);

/* The original's lines before and after a step. `real_ns` is epoch time. */
void tk_step_put_start(struct tk_buf *out, const struct tk_look *look, tk_str name,
                       int64_t real_ns);
void tk_step_put_end(struct tk_buf *out, const struct tk_look *look,
                     const struct tk_job_step *step);

/* The box at the end of a job; why it is empty when it has no steps. */
void tk_step_put_summary(struct tk_buf *out, const struct tk_look *look, const struct tk_job *job);

/* The table that the original printed within a virtual machine. */
void tk_step_put_table(struct tk_buf *out, const struct tk_look *look, const struct tk_job *job);

#endif
