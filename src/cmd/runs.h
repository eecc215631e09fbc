/* SPDX-License-Identifier: Apache-2.0 */
/* The run folders that the arguments of a command name. An argument is a folder, or the name of one
 * in logs/; a run of several nodes is also named without their numbers (RUN for RUN(c0), RUN(c1),
 * ...), which then come in the order of the numbers. Without any argument it is the run that
 * `parse` takes. */
#ifndef TK_CMD_RUNS_H
#define TK_CMD_RUNS_H

#include <stddef.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "base/err.h"

#define TK_RUNS_MAX 1000

struct tk_runs {
    const char *paths[TK_RUNS_MAX]; /* in `text` */
    size_t count;
    struct tk_arena text;
};

/* Find all runs of `argv[0..argc)`. -ENOENT names the argument that is none. Release the struct
 * also after a failure. */
TK_MUST_USE int tk_runs_find(struct tk_runs *ret_runs, int argc, char **argv, struct tk_err *err);

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_runs_release(struct tk_runs *runs);

#endif
