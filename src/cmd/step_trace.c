/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/step_trace.h"

static struct tk_job_trace take(const struct tk_child_context *context, struct tk_arena *arena)
{
    char trace[33], span[17], parent[17];
    tk_child_context_format(context, trace, span, parent);
    return (struct tk_job_trace){
        .trace_id = tk_arena_copy(arena, tk_str_from(trace)),
        .span_id = tk_arena_copy(arena, tk_str_from(span)),
        .parent_span_id = parent[0] ? tk_arena_copy(arena, tk_str_from(parent)) : (tk_str){0},
    };
}

void tk_step_trace_begin(struct tk_job_trace *ret, struct tk_arena *arena)
{
    struct tk_child_context context;
    tk_child_context_make(NULL, &context);
    *ret = take(&context, arena);
}

bool tk_step_trace_next(struct tk_session *session, struct tk_job_trace *ret,
                        struct tk_child_context *ret_context)
{
    char id[33];
    const struct tk_step_record *init = tk_journal_get(tk_session_journal(session), TK_STEP_INIT);
    if (!init || init->job.trace.trace_id.n != 32 ||
        !tk_str_to_cstr(init->job.trace.trace_id, id, sizeof(id)))
        return false;
    tk_child_context_make(id, ret_context);
    struct tk_job_trace own = take(ret_context, tk_session_arena(session));
    if (!tk_str_eq(own.trace_id, init->job.trace.trace_id))
        return false;
    own.trace_id = (tk_str){0}; /* that of the job */
    if (tk_str_eq(own.parent_span_id, init->job.trace.parent_span_id))
        own.parent_span_id = (tk_str){0}; /* the job lies between */
    *ret = own;
    return true;
}
