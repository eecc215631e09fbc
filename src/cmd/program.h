/* SPDX-License-Identifier: Apache-2.0 */
/* The two programs: `tracekit`, which is on PATH, and `tracekit-full`.
 *
 *     tracekit        steps of a build (exec, step): small, as a build starts it for each of them
 *     tracekit-full   all commands; tracekit becomes it for what it does not know
 *
 * Most of what a program costs that tells of one step is its start: the tables of all commands are
 * full of addresses that have to be set. */
#ifndef TK_CMD_PROGRAM_H
#define TK_CMD_PROGRAM_H

#include "cmd/cmd.h"

#define TK_PROGRAM_FULL "tracekit-full"

/* Run a command as `main` got it, argv[1] being its name; returns the exit status of the program.
 * Results that did not reach stdout are a failure. */
int tk_program_run(const struct tk_cmd *cmd, int argc, char **argv);

#endif
