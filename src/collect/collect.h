/* SPDX-License-Identifier: Apache-2.0 */
/* Collecting: kernel sources become rows of a run.
 *
 *   kernel.h       the outside world: root folder, clocks
 *   node.h         facts of the node
 *   host.h         CPU, memory, disks, links, pressure
 *   host_view.h    the same as counters of one moment
 *   gpu.h          GPUs by NVML
 *   procs.h        processes: their set, the sweep, exits
 *   procs_match.h  which processes
 *   probe.h        what this host lets us measure
 *   cgroups.h      control groups, and a leaf of our own
 *   container.h    containers by name
 *   privileges.h   capabilities: what they add, how to give them up
 *   budget.h       how much of a CPU recording may take
 *   sampler.h      the loop: deadlines, rate classes, own cost
 *   recorder.h     the loop with a run folder under it
 *   launch.h       run a command and account for it
 */
#ifndef TK_COLLECT_COLLECT_H
#define TK_COLLECT_COLLECT_H

#include "collect/budget.h"
#include "collect/cgroups.h"
#include "collect/container.h"
#include "collect/gpu.h"
#include "collect/host.h"
#include "collect/host_view.h"
#include "collect/kernel.h"
#include "collect/launch.h"
#include "collect/node.h"
#include "collect/privileges.h"
#include "collect/probe.h"
#include "collect/procs.h"
#include "collect/procs_match.h"
#include "collect/recorder.h"
#include "collect/sampler.h"

#endif
