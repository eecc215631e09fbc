/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of control groups: removing them, whatever is in them, and handing controllers down.
 * Groups are given as open folders. */
#ifndef TK_COLLECT_CGROUP_FOLDERS_H
#define TK_COLLECT_CGROUP_FOLDERS_H

#include <stdbool.h>

/* Write `text` into an existing file of a group. Returns 0 or a negative errno. */
int tk_cgroup_write(int group, const char *name, const char *text);

/* Remove the group `name` below `parent` with all groups below it; their processes move to
 * `parent`. Tries for up to 1 s, since dying processes leave late. False when it is still there. */
bool tk_cgroup_remove(int parent, const char *name);

/* Remove folders that a killed recorder left below `parent`: "tracekit-...-PID" without such a
 * process. One that still has processes stays (rmdir refuses), so nothing that lives is touched.
 * True when there was one. */
bool tk_cgroup_remove_stale(int parent);

/* In version 2 a group with processes of its own cannot hand controllers to its children ("no
 * internal processes", cgroup-v2.rst). When we are the only process of our group, as under
 * `systemd-run --scope -p Delegate=yes`, we step into a child of it, enable the controllers for
 * its children, and step back at the end. */
struct tk_cgroup_step {
    bool aside;        /* we are in the child */
    char enabled[128]; /* what undoes it, "-memory -cpu " */
};

/* Do so when `wanted` (ends with NULL), at least its first, can be had that way; else nothing. */
void tk_cgroup_step_aside(struct tk_cgroup_step *step, int own, const char *const *wanted);

/* Undo it, once all other children of `own` that use the controllers are gone. */
void tk_cgroup_step_back(struct tk_cgroup_step *step, int own);

#endif
