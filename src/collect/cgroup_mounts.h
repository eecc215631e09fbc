/* SPDX-License-Identifier: Apache-2.0 */
/* Where the control groups of this host are mounted, and which of them we are in. Version 1 has a
 * hierarchy per controller (or per set of controllers), version 2 has one for all; a hybrid host
 * has both. Parsers are pure. */
#ifndef TK_COLLECT_CGROUP_MOUNTS_H
#define TK_COLLECT_CGROUP_MOUNTS_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "collect/kernel.h"

#define TK_CGROUP_PATH_MAX 1024

/* The controllers that we read, by their names in version 1. */
enum tk_cgroup_controller {
    TK_CGROUP_CPU,
    TK_CGROUP_CPUACCT,
    TK_CGROUP_MEMORY,
    TK_CGROUP_BLKIO,
    TK_CGROUP_PIDS,
    TK_CGROUP_CPUSET,
    TK_CGROUP_CONTROLLERS,
    TK_CGROUP_V2 = TK_CGROUP_CONTROLLERS, /* the hierarchy of version 2 */
    TK_CGROUP_HIERARCHIES
};

/* "cpu", "memory", ...; "" for TK_CGROUP_V2. */
extern const char *const tk_cgroup_names[TK_CGROUP_HIERARCHIES];

struct tk_cgroup_mount {
    char at[TK_CGROUP_PATH_MAX];   /* below the root, without leading '/'; "" = not mounted */
    char from[TK_CGROUP_PATH_MAX]; /* the group that is seen there, "/" on a host */
};

struct tk_cgroup_mounts {
    struct tk_cgroup_mount mounts[TK_CGROUP_HIERARCHIES];
    char own[TK_CGROUP_HIERARCHIES][TK_CGROUP_PATH_MAX]; /* our group, "/a/b"; "" = unknown */
    int32_t numbers[TK_CGROUP_HIERARCHIES]; /* of the hierarchies, in /proc/PID/cgroup; -1 = none */
};

/* Fill `mounts` from the text of /proc/self/mountinfo; of several mounts of a hierarchy the first
 * counts. Paths that are too long are left out. */
void tk_cgroup_mounts_parse(tk_str mountinfo, struct tk_cgroup_mounts *mounts);

/* Fill `own` and `numbers` from the text of /proc/self/cgroup. */
void tk_cgroup_own_parse(tk_str self_cgroup, struct tk_cgroup_mounts *mounts);

/* Both for the calling process; a group of ours that no mount shows is unknown. Fails with -ENOENT
 * when no control groups are mounted. */
TK_MUST_USE int tk_cgroup_mounts_read(const struct tk_kernel *kernel,
                                      struct tk_cgroup_mounts *ret_mounts, struct tk_err *err);

/* 1, 2, or 3 for hybrid; 0 = none mounted. */
int tk_cgroup_mounts_version(const struct tk_cgroup_mounts *mounts);

/* Path below the root of `group` ("/a/b" as /proc/PID/cgroup has it) in a hierarchy, followed by
 * "/file" unless that is "". -ENOENT when the hierarchy is not mounted or the group lies outside of
 * what is seen there, -ENAMETOOLONG. */
TK_MUST_USE int tk_cgroup_file_path(const struct tk_cgroup_mounts *mounts, int hierarchy,
                                    const char *group, const char *file, char *ret, size_t cap);

/* Is `group` the root of the whole hierarchy, and not only, as in a container, of what is seen? The
 * true root lacks most files: it counts nothing and cannot be limited. */
bool tk_cgroup_is_root(const struct tk_kernel *kernel, const struct tk_cgroup_mounts *mounts,
                       int hierarchy, const char *group);

#endif
