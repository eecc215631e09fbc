/* SPDX-License-Identifier: Apache-2.0 */
/* Which run a command writes to, and as which node (collect-and-cctf.md sections 2 and 3). */
#ifndef TK_CMD_IDENTITY_H
#define TK_CMD_IDENTITY_H

#include <limits.h>
#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"
#include "run/run.h"

/* What the user gave; NULL or "" = not given. */
struct tk_identity_options {
    const char *run_id;
    const char *folder;
    const char *node;
    const char *stage;
};

struct tk_identity {
    char run_id[TK_RUN_ID_MAX];
    char folder[PATH_MAX]; /* `folder` as given, else logs/RUN_ID */
    char host[HOST_NAME_MAX + 1];
    char node[TK_RUN_ID_MAX];  /* as given, else the host name */
    char stage[TK_RUN_ID_MAX]; /* as given, else "cloud" */
    bool is_named;             /* somebody gave the run id or the folder */
};

/* Fails with -EINVAL when a name cannot be one. A run id that nobody gave is the folder's name when
 * a folder was given and its name can be one, else the time now. */
TK_MUST_USE int tk_identity_resolve(const struct tk_identity_options *options,
                                    struct tk_identity *ret_identity, struct tk_err *err);

/* Another name for a run that nobody named, because it began in the same second as another: "RUN-2"
 * for number 2. */
TK_MUST_USE int tk_identity_renumber(struct tk_identity *identity, int number, struct tk_err *err);

#endif
