/* SPDX-License-Identifier: Apache-2.0 */
/* Collecting: kernel sources become rows of a run.
 *
 *   kernel.h    the outside world: root folder, clocks
 *   node.h      facts of the node
 *   host.h      CPU, memory, disks, links, pressure
 *   procs.h     processes: their set, the sweep, exits
 *   cgroups.h   control groups, and a leaf of our own
 *   sampler.h   the loop: deadlines, rate classes, own cost
 *   recorder.h  the loop with a run folder under it
 *   launch.h    run a command and account for it
 */
#ifndef TK_COLLECT_COLLECT_H
#define TK_COLLECT_COLLECT_H

#include "collect/cgroups.h"
#include "collect/host.h"
#include "collect/kernel.h"
#include "collect/launch.h"
#include "collect/node.h"
#include "collect/procs.h"
#include "collect/recorder.h"
#include "collect/sampler.h"

#endif
