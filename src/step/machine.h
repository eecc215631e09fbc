/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of the machine that hold until it boots again, kept in the state folder: to find them out
 * takes some hundred system calls, ten times what a step may cost. The file `machine` there is one
 * line
 *
 *     1f0a93c4 KEY<tab>MODEL<tab>KERNEL<tab>ARCH<tab>VIRT
 *
 * after the CRC-32 of the rest. KEY tells what the facts depend on: the boot, the namespaces and
 * the root folder that we see the machine from, and the version that found them out. */
#ifndef TK_STEP_MACHINE_H
#define TK_STEP_MACHINE_H

#include "collect/node.h"

#define TK_STEP_MACHINE_NAME "machine"

/* The facts, from the file where it is of this boot and place and undamaged; else they are found
 * out, and kept if the folder lets us. */
void tk_step_machine_read(const struct tk_kernel *kernel, int state_fd,
                          struct tk_machine *ret_machine);

#endif
