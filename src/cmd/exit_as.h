/* SPDX-License-Identifier: Apache-2.0 */
/* The exit status of a program that ran another, as a shell would have it of that one. */
#ifndef TK_CMD_EXIT_AS_H
#define TK_CMD_EXIT_AS_H

#include "collect/launch.h"

/* End as the command did: returns its exit code, or dies by its signal, as the caller's shell wants
 * to see it. To be called last. */
int tk_exit_as(const struct tk_launch_result *result);

/* Exit status of a command that could not be started with `code`: 127 when it is missing, else
 * 126. */
int tk_exit_unstarted(int code);

#endif
