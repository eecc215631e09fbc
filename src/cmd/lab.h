/* SPDX-License-Identifier: Apache-2.0 */
/* tracekit lab from inside: a file a verb. To add one: src/cmd/lab_x.c, its prototype below, its
 * line in the table of cmd_lab.c, its options there and in docs/man/tracekit-lab.1.scd. */
#ifndef TK_CMD_LAB_H
#define TK_CMD_LAB_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/cmd.h"

struct tk_lab_opts {
    int64_t seed;
    const char *labels;

    /* merge */
    const char *exp;
    const char *window;
    const char *output;
    const char *to;
    const char *input_format;
    int64_t traces;

    /* incident */
    bool dry_run;
    bool list;
    bool compat;
    const char *containers;
    const char *docker;
    int64_t duration_ns, pause_ns;
};

/* One call. */
struct tk_lab_call {
    const struct tk_cmd *cmd;
    const struct tk_lab_opts *opts;
    int argc; /* arguments of the verb */
    char **argv;
};

/* Each does what its verb says and returns the exit status of the program. */
int tk_lab_merge(const struct tk_lab_call *call);
int tk_lab_incident(const struct tk_lab_call *call);

#endif
