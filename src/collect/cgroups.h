/* SPDX-License-Identifier: Apache-2.0 */
/* Control groups v1, v2 and hybrid: which one a process is in, the readings of a set of them by
 * kept descriptors, and a leaf of our own for a command (rung B of the privilege ladder). */
#ifndef TK_COLLECT_CGROUPS_H
#define TK_COLLECT_CGROUPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "collect/kernel.h"
#include "run/rows.h"

/* Counters of one group; -1 = this host does not give it. */
struct tk_cgroup_reading {
    int64_t cpu_ns, user_ns, system_ns;
    int64_t nr_periods, nr_throttled, throttled_ns;
    int64_t memory_bytes, memory_peak_bytes, memory_limit_bytes;
    int64_t rd_bytes, wr_bytes;
    double cpu_limit_cores; /* quota / period; 0 = none */
    int64_t pids;
};

/* Group of a process: the path that names it best (v2 if the process is in a v2 group other than
 * the root, else the v1 group of cpuacct or memory), and the container's name or id when the path
 * is one of docker, containerd, cri-o, podman, kubepods (both drivers); "" = none.
 * Pure parser of /proc/PID/cgroup. */
TK_MUST_USE int tk_cgroup_parse(tk_str text, char *ret_path, size_t path_cap, char *ret_container,
                                size_t container_cap, struct tk_err *err);

struct tk_cgroups;

struct tk_cgroups_options {
    const char *node, *host; /* borrowed */
    int64_t max_groups;      /* read at most so many, the rest is counted; 0 = 1,000 */
};

/* All groups below the mount points that have processes or children; found anew every 10 s. */
TK_MUST_USE int tk_cgroups_new(const struct tk_kernel *kernel,
                               const struct tk_cgroups_options *options,
                               struct tk_cgroups **ret_groups, struct tk_err *err);
void tk_cgroups_free(struct tk_cgroups *groups);

/* Append a row of cgroup_metrics for each group that changed since its last row. */
void tk_cgroups_tick(struct tk_cgroups *groups, struct tk_rows *rows);

/* 1, 2, or 3 for hybrid; 0 = none mounted. */
int tk_cgroups_version(const struct tk_cgroups *groups);

/* A leaf of our own, below our own group in each hierarchy that lets us. */
struct tk_cgroup_leaf;

/* Make the leaf `name`. -EACCES, -EROFS, -EPERM or -ENOENT when this host gives us none. */
TK_MUST_USE int tk_cgroup_leaf_new(const struct tk_kernel *kernel, const char *name,
                                   struct tk_cgroup_leaf **ret_leaf, struct tk_err *err);

/* Move the calling process in: to be called in the child between fork and exec, so it is
 * async-signal-safe. 0 or a negative errno. */
int tk_cgroup_leaf_enter(const struct tk_cgroup_leaf *leaf);

/* What a command may use; zero = not limited. */
struct tk_cgroup_limits {
    int64_t cpu_percent; /* of one CPU: 250 = two and a half */
    int64_t cpu_weight;  /* 1..10000, the default of the kernel is 100 */
    const char *cpuset;  /* CPUs to run on, "0-3,6"; NULL = all of ours */
};

/* Set limits (cpu.max, cpu.weight, cpuset.cpus, or their files of version 1). All that can be set
 * are set; the first that cannot is reported, -EOPNOTSUPP where no hierarchy of the leaf has the
 * controller. */
TK_MUST_USE int tk_cgroup_leaf_limit(struct tk_cgroup_leaf *leaf,
                                     const struct tk_cgroup_limits *limits, struct tk_err *err);

/* Its path as /proc/PID/cgroup shows it. */
const char *tk_cgroup_leaf_path(const struct tk_cgroup_leaf *leaf);

/* Totals of everything that ever ran in it. */
TK_MUST_USE int tk_cgroup_leaf_read(struct tk_cgroup_leaf *leaf, struct tk_cgroup_reading *ret,
                                    struct tk_err *err);

/* Remove the leaf (processes left in it move to our own group first) and free. */
void tk_cgroup_leaf_free(struct tk_cgroup_leaf *leaf);

#endif
