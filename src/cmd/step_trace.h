/* SPDX-License-Identifier: Apache-2.0 */
/* A build as a trace: the job is its root span, each step a span of it, so that exported steps and
 * the spans of what they ran are one trace. The ids are drawn when job and step begin and stand in
 * the journal; a job that begins in somebody's span (TRACEPARENT) is a part of that trace. */
#ifndef TK_CMD_STEP_TRACE_H
#define TK_CMD_STEP_TRACE_H

#include "cmd/child_context.h"
#include "step/session.h"

/* The place of a job that is about to begin. Its texts go to `arena`; one that is full leaves the
 * job without a trace. */
void tk_step_trace_begin(struct tk_job_trace *ret, struct tk_arena *arena);

/* The place of a step that is about to begin in the job of the session. False when the job has no
 * trace, or we were started in a span of another one: that is then passed on as it is. */
bool tk_step_trace_next(struct tk_session *session, struct tk_job_trace *ret,
                        struct tk_child_context *ret_context);

#endif
