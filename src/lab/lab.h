/* SPDX-License-Identifier: Apache-2.0 */
/* The lab: incidents that are known, for tools that have to find them (trace-fidelity.md section
 * 18).
 *
 *   incidents.h  what is done to containers
 *   merge.h      which traces of an incident go where among those of a system that is well
 *
 * It starts no container and reads no trace: src/cmd does. */
#ifndef TK_LAB_LAB_H
#define TK_LAB_LAB_H

#include "lab/incidents.h"
#include "lab/merge.h"

#endif
