/* SPDX-License-Identifier: Apache-2.0 */
/* A job document that parses is written as one that parses to the same. */
#include <stdlib.h>

#include "base/number.h"
#include "step/job.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The document, written; false when it does not parse. */
static bool rewrite(tk_str text, struct tk_buf *out)
{
    struct tk_err err;
    struct tk_arena arena;
    struct tk_job job;
    if (tk_arena_init(&arena, TK_JOB_ARENA_MAX, &err) < 0)
        abort();
    bool ok = tk_job_parse(text, &arena, &job, &err) == 0;
    if (ok)
        tk_job_format(&job, TK_SHORTEST, out);
    tk_arena_release(&arena);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_buf once, twice;
    tk_buf_init(&once, TK_JOB_TEXT_MAX);
    tk_buf_init(&twice, TK_JOB_TEXT_MAX);
    if (rewrite((tk_str){(const char *)data, size}, &once)) {
        if (!tk_buf_ok(&once) || !rewrite(tk_buf_str(&once), &twice) ||
            !tk_str_eq(tk_buf_str(&once), tk_buf_str(&twice)))
            abort();
    }
    tk_buf_release(&once);
    tk_buf_release(&twice);
    return 0;
}
