/* SPDX-License-Identifier: Apache-2.0 */
/* `tracekit step import`: steps that other tools have timed. One line of the table and one function
 * a format. */
#ifndef TK_CMD_STEP_IMPORT_H
#define TK_CMD_STEP_IMPORT_H

#include "step/session.h"

struct tk_import_step {
    tk_str name;
    int64_t start_ns, end_ns; /* epoch */
    bool failed;
};

/* Takes the steps of a file; texts are borrowed for the call. */
struct tk_import_sink {
    int (*add)(void *into, const struct tk_import_step *step, struct tk_err *err);
    void *into;
};

struct tk_import_format {
    const char *name; /* as on the command line, and the `kind` of its steps */

    /* Read a file that was written last at `written_ns` (epoch). Fails with -EBADMSG when it is no
     * such file, and as the sink does. */
    int (*read)(tk_str text, int64_t written_ns, const struct tk_import_sink *sink,
                struct tk_err *err);
};

/* ninja_log (.ninja_log), buildkit (--progress=rawjson), github (jobs of a run, of its API); ends
 * with a name of NULL. */
extern const struct tk_import_format tk_import_formats[];

/* Add the steps of a file to the job of `session`; `ret_count` is how many. */
TK_MUST_USE int tk_step_import(struct tk_session *session, const struct tk_import_format *format,
                               const char *path, size_t *ret_count, struct tk_err *err);

#endif
