/* SPDX-License-Identifier: Apache-2.0 */
/* Control groups of others that work for a step: the daemon of containers that it talks to, the
 * machines that it starts. No accounting of the step shows that work; what these groups used while
 * it ran is told beside it ("via"), also what they did for somebody else. One thread at a time. */
#ifndef TK_STEP_ALSO_H
#define TK_STEP_ALSO_H

#include "collect/cgroups.h"
#include "step/job.h"

struct tk_also;

/* Read what the groups have used so far. `units` has names with commas between them: a unit of
 * systemd (docker.service, machine.slice) or the path of a group as /proc/PID/cgroup has it. Those
 * that usually work for builds are looked at where they exist and we are not in them ourselves.
 * `leaf` is one of ours, from which the mounts are known, or NULL. Fails with -ENOENT when a group
 * of `units` is not there. */
TK_MUST_USE int tk_also_new(const struct tk_kernel *kernel, const struct tk_cgroup_leaf *leaf,
                            tk_str units, struct tk_also **ret_also, struct tk_err *err);

/* Accepts NULL. */
void tk_also_free(struct tk_also *also);

/* What they used since: all that were asked for, of the others those that did something. */
void tk_also_take(struct tk_also *also, struct tk_job_vias *ret, struct tk_arena *arena);

#endif
