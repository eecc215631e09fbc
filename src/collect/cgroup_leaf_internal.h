/* SPDX-License-Identifier: Apache-2.0 */
/* What cgroup_leaf.c (making, reading, limits) and cgroup_leaf_shared.c (leaves that outlive their
 * maker) share. */
#ifndef TK_COLLECT_CGROUP_LEAF_INTERNAL_H
#define TK_COLLECT_CGROUP_LEAF_INTERNAL_H

#include "collect/cgroup_folders.h"
#include "collect/cgroups_internal.h"

enum {
    TK_CGROUP_LEAF_NAME = 128,
    TK_CGROUP_LEAF_FILE = 256, /* "NAME/file" */
};

/* A folder of the leaf in one hierarchy. */
struct tk_cgroup_place {
    int hierarchy;
    int parent; /* the group that it was made in, open */
    int entry;  /* the file that a process of one thread enters it by, open for writing */
};

struct tk_cgroup_leaf {
    int rootfd;
    struct tk_cgroup_mounts mounts;   /* `own` are the groups that it was made in */
    struct tk_cgroup_devices stacked; /* once something is told by device */
    bool had_stale;                   /* an earlier maker died and left its folders */
    struct tk_cgroup_place places[TK_CGROUP_HIERARCHIES];
    size_t count;
    char name[TK_CGROUP_LEAF_NAME];
    char path[TK_CGROUP_PATH_MAX]; /* as /proc/PID/cgroup shows it */
    struct tk_cgroup_step step;    /* within our group of version 2 */
};

/* The folder that is, or is mounted together with (cpu,cpuacct), a hierarchy; NULL = none. */
const struct tk_cgroup_place *tk_cgroup_leaf_place(const struct tk_cgroup_leaf *leaf,
                                                   int hierarchy);

/* Where the groups of this host are; `mounts` NULL = read that now. */
TK_MUST_USE int tk_cgroup_leaf_set_mounts(struct tk_cgroup_leaf *leaf,
                                          const struct tk_kernel *kernel,
                                          const struct tk_cgroup_mounts *mounts,
                                          struct tk_err *err);

/* Version 2 tells its CPU time: all that cpuacct does, and splits it exactly. */
bool tk_cgroup_leaf_has_cpu(const struct tk_cgroup_leaf *leaf);

/* Open the entry of a folder of `hierarchy` below `parent`; a negative errno. In version 1 a
 * process of one thread that writes to `tasks` spares itself the lock of cgroup.procs, for which
 * the kernel waits until all its readers are through, some ms. */
int tk_cgroup_leaf_open_entry(const struct tk_cgroup_leaf *leaf, int hierarchy, int parent);

/* Path of a file of the leaf, below its parent. */
void tk_cgroup_leaf_file(const struct tk_cgroup_leaf *leaf, const char *file,
                         char ret[TK_CGROUP_LEAF_FILE]);

#endif
