/* SPDX-License-Identifier: Apache-2.0 */
/* Control groups v1, v2 and hybrid: which one a process is in, the readings of a set of them by
 * kept descriptors, and a leaf of our own for a command (rung B of the privilege ladder). */
#ifndef TK_COLLECT_CGROUPS_H
#define TK_COLLECT_CGROUPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "collect/budget.h"
#include "collect/group_walk.h"
#include "collect/kernel.h"
#include "run/rows.h"

/* Counters of one group; -1 = this host does not give it. */
struct tk_cgroup_reading {
    int64_t cpu_ns, user_ns, system_ns;
    int64_t nr_periods, nr_throttled, throttled_ns;
    int64_t memory_bytes, memory_peak_bytes;
    int64_t memory_limit_bytes; /* -1 also when there is no limit */
    int64_t rd_bytes, wr_bytes; /* block I/O; version 1 knows direct and synchronous I/O only */
    double cpu_limit_cores;     /* quota / period; 0 = none */
    int64_t pids;               /* processes and threads now */
    /* Stall times since it was made: of some of its tasks, of all that could run. */
    int64_t psi_cpu_some_us, psi_io_some_us, psi_memory_some_us;
    int64_t psi_cpu_full_us, psi_io_full_us, psi_memory_full_us;
};

/* Group of a process: the path that names it best (of version 2 unless that is the root, else of
 * cpuacct, memory, pids, systemd's own hierarchy), and what runs there: the first 12 digits of the
 * container's id (docker, containerd, cri-o, podman, kubepods; either driver), the container's name
 * (lxc, nspawn), the pod, or the unit "nginx.service"; "" = none. Pure parser of /proc/PID/cgroup.
 * Fails with -EBADMSG, or -EMSGSIZE when one of them does not fit. */
TK_MUST_USE int tk_cgroup_parse(tk_str text, char *ret_path, size_t path_cap, char *ret_container,
                                size_t container_cap, struct tk_err *err);

struct tk_cgroups;

struct tk_cgroups_options {
    const char *node, *host;              /* borrowed */
    const struct tk_pace *pace;           /* borrowed; NULL = as specified */
    int64_t max_groups;                   /* read at most so many, the rest is counted; 0 = 1,000 */
    const struct tk_group_walker *walker; /* walks of it instead of files, as far as they go;
                                             copied; NULL = files */
};

/* All groups below the mount points, and in a container its own; found anew when their number
 * changes, and every 10 s. Fails with -ENOENT when no control groups are mounted. */
TK_MUST_USE int tk_cgroups_new(const struct tk_kernel *kernel,
                               const struct tk_cgroups_options *options,
                               struct tk_cgroups **ret_groups, struct tk_err *err);
void tk_cgroups_free(struct tk_cgroups *groups);

/* Append a row of cgroup_metrics for each group that changed since its last row: CPU time at each
 * tick; memory, I/O, throttling, processes each second while its CPU time moves; limits and
 * pressure, and all of idle groups, every 10 s. A row has the columns that were read for it. */
void tk_cgroups_tick(struct tk_cgroups *groups, struct tk_rows *rows);

/* Processes are about to be read, and tk_cgroups_tick() is called next. */
void tk_cgroups_announce(const struct tk_cgroups *groups);

/* The last tick: everything is read, new groups are found. */
void tk_cgroups_finish(struct tk_cgroups *groups, struct tk_rows *rows);

struct tk_cgroups_stats {
    int64_t groups;  /* in the set now */
    int64_t skipped; /* groups past max_groups when last looked for */
    int64_t errors;  /* files that did not parse */
    bool by_walk;    /* figures come from a walk in the kernel; files tell only what it does not */
    const char *why_not; /* why not, though a walker was given; "" = none was, or it is in use */
    int64_t syscalls;    /* of all ticks so far */
};
void tk_cgroups_read_stats(const struct tk_cgroups *groups, struct tk_cgroups_stats *ret_stats);

/* 1, 2, or 3 for hybrid; 0 = none mounted. */
int tk_cgroups_version(const struct tk_cgroups *groups);

/* A leaf of our own, below our own group in each hierarchy that lets us. */
struct tk_cgroup_leaf;

/* Make the leaf `name`, a file name without '/'; `mounts` are those of tk_cgroup_mounts_read(),
 * NULL = read them. -EACCES, -EROFS, -EPERM or -ENOENT when this host
 * gives us none, -EBUSY when a group of that name is in use. Leaves named "tracekit-...-PID" whose
 * maker died and which are empty are removed on the way. A recorder that is killed leaves its leaf
 * behind, with the command in it. */
struct tk_cgroup_mounts;
TK_MUST_USE int tk_cgroup_leaf_new(const struct tk_kernel *kernel,
                                   const struct tk_cgroup_mounts *mounts, const char *name,
                                   struct tk_cgroup_leaf **ret_leaf, struct tk_err *err);

/* The folder of version 2, for tk_launch_start(); -1 when the leaf has none. The caller closes it.
 */
int tk_cgroup_leaf_open(const struct tk_cgroup_leaf *leaf);

/* Move the calling process of one thread in, `in_v2`: where it is already in the folder of version
 * 2, into the others. To be called in the child between fork and exec, so it is async-signal-safe.
 * 0, or a negative errno when one of the hierarchies refuses: the leaf then does not hold all of
 * the command and its figures are of no use. */
int tk_cgroup_leaf_enter(const struct tk_cgroup_leaf *leaf, bool in_v2);

/* What a command may use; zero = not limited. */
struct tk_cgroup_limits {
    int64_t cpu_percent; /* of one CPU: 250 = two and a half */
    int64_t cpu_weight;  /* 1..10000, the default of the kernel is 100 */
    const char *cpuset;  /* CPUs to run on, "0-3,6"; NULL = all of ours */
};

/* Before anything enters, set limits (cpu.max, cpu.weight, cpuset.cpus, or their files of version
 * 1). All that can be set are set; the first that cannot is reported, -EOPNOTSUPP where no
 * hierarchy of the leaf has the controller. */
TK_MUST_USE int tk_cgroup_leaf_limit(struct tk_cgroup_leaf *leaf,
                                     const struct tk_cgroup_limits *limits, struct tk_err *err);

/* Its path as /proc/PID/cgroup shows it. */
const char *tk_cgroup_leaf_path(const struct tk_cgroup_leaf *leaf);

/* Totals of everything that ever ran in it. */
TK_MUST_USE int tk_cgroup_leaf_read(struct tk_cgroup_leaf *leaf, struct tk_cgroup_reading *ret,
                                    struct tk_err *err);

/* Memory of a leaf by kind, and what went wrong with it; -1 = this host does not give it. */
struct tk_cgroup_memory {
    int64_t anon_bytes, file_bytes, swap_bytes; /* now; tmpfs is in `file` */
    int64_t shmem_bytes; /* of `file`: tmpfs and shared memory, which cannot be dropped */
    int64_t major_faults, refaults; /* since it was made; pages read again from disk */
    int64_t oom_kills;
};

/* Of the hierarchy that counts memory. */
void tk_cgroup_leaf_read_memory(const struct tk_cgroup_leaf *leaf, struct tk_cgroup_memory *ret);

/* Tasks, threads among them, that were in it at once; -1 where the controller is missing. */
int64_t tk_cgroup_leaf_tasks_peak(const struct tk_cgroup_leaf *leaf);

/* Move another process in, with what it starts from then on. 0 or a negative errno. */
TK_MUST_USE int tk_cgroup_leaf_take(const struct tk_cgroup_leaf *leaf, pid_t pid);

/* Kill all processes in it. */
void tk_cgroup_leaf_kill(const struct tk_cgroup_leaf *leaf);

/* Append where it is, for tk_cgroup_leaf_reopen() in another process. */
void tk_cgroup_leaf_describe(const struct tk_cgroup_leaf *leaf, struct tk_buf *out);

/* A leaf that another process made and left; `mounts` as above. Fails with -EBADMSG when
 * `described` is not what tk_cgroup_leaf_describe() writes, -ENOENT when it is gone. */
TK_MUST_USE int tk_cgroup_leaf_reopen(const struct tk_kernel *kernel,
                                      const struct tk_cgroup_mounts *mounts, tk_str described,
                                      struct tk_cgroup_leaf **ret_leaf, struct tk_err *err);

/* A group of somebody else, for reading alone: "/system.slice/docker.service", as /proc/PID/cgroup
 * shows it, in each hierarchy that has it. -ENOENT when none does. tk_cgroup_leaf_leave() frees. */
TK_MUST_USE int tk_cgroup_leaf_find(const struct tk_kernel *kernel,
                                    const struct tk_cgroup_mounts *mounts, const char *group,
                                    struct tk_cgroup_leaf **ret_leaf, struct tk_err *err);

/* Where the groups of this host are, as found for this leaf. */
const struct tk_cgroup_mounts *tk_cgroup_leaf_mounts(const struct tk_cgroup_leaf *leaf);

/* Free without removing it. Accepts NULL. */
void tk_cgroup_leaf_leave(struct tk_cgroup_leaf *leaf);

/* Remove the leaf (processes left in it move to the group that it was made in first) and free.
 * Takes up to 1 s for processes that are dying just then. Accepts NULL. */
void tk_cgroup_leaf_free(struct tk_cgroup_leaf *leaf);

#endif
