/* SPDX-License-Identifier: Apache-2.0 */
/* The programs that tracekit runs in the kernel (src/collect/bpf): loading, probing, running. They
 * are built into the binary; libbpf fits them to the running kernel by its BTF (CO-RE). What the
 * kernel refuses is left out and said: nothing is decided by its version.
 *
 * Costs some 100 ms of CPU at the start (libbpf and the verifier search the BTF of all of the
 * kernel). When the process ends, however it does, its programs leave the kernel with it: nothing
 * is pinned.
 *
 * A build without libbpf has all these functions; they say so. One thread at a time. */
#ifndef TK_COLLECT_BPF_H
#define TK_COLLECT_BPF_H

#include "collect/group_walk.h"
#include "collect/procs.h"
#include "collect/walk.h"

struct tk_bpf;

/* What is loaded in one go, for its cost. */
enum tk_bpf_part {
    TK_BPF_TASKS = 1 << 0,  /* the walk over processes; always */
    TK_BPF_EXACT = 1 << 1,  /* it tells CPU times of running tasks to the moment, not to the tick */
    TK_BPF_EVENTS = 1 << 2, /* births, execs and ends of processes */
    TK_BPF_NET = 1 << 3,    /* bytes that processes sent and received */
    TK_BPF_THREADS = 1 << 4,  /* the walk tells of threads, too, where an order asks for them */
    TK_BPF_MAPPINGS = 1 << 5, /* where processes publish their Resource */

    TK_BPF_CGROUPS = 1 << 8,   /* the walk over control groups */
    TK_BPF_FLUSH_CSS = 1 << 9, /* and what has version 2 add up, two ways of two kernels */
    TK_BPF_FLUSH_CGROUP = 1 << 10,
    TK_BPF_ALL_CGROUPS = TK_BPF_CGROUPS | TK_BPF_FLUSH_CSS | TK_BPF_FLUSH_CGROUP,
};

/* Load the programs of `parts`, as far as the kernel has what they need. `tier` says which walk:
 * TK_TIER_B2, TK_TIER_B1, or TK_TIER_AUTO for the better one that this kernel takes. Afterwards
 * running them needs no capability.
 * -EPERM without the rights to (CAP_BPF and CAP_PERFMON), -EOPNOTSUPP when the kernel lacks what
 * they need or this build has none, -ENOMEM; `err` says in one clause what was missing. */
TK_MUST_USE int tk_bpf_new(enum tk_tier tier, uint32_t parts, struct tk_bpf **ret_bpf,
                           struct tk_err *err);

/* Accepts NULL. */
void tk_bpf_free(struct tk_bpf *bpf);

/* The parts that were loaded. */
uint32_t tk_bpf_parts(const struct tk_bpf *bpf);

/* The walk that was loaded: TK_TIER_B2 or TK_TIER_B1. */
enum tk_tier tk_bpf_tier(const struct tk_bpf *bpf);

/* What was added up of the process that has this pid, or had it last, by the parts TK_BPF_NET and
 * TK_BPF_EXACT. False when there is nothing. */
bool tk_bpf_read_extra(const struct tk_bpf *bpf, pid_t pid, struct tk_bpf_extra *ret_extra);

/* To give to struct tk_procs_options; good until tk_bpf_free(). */
struct tk_walker tk_bpf_walker(struct tk_bpf *bpf);

/* Part TK_BPF_EVENTS ------------------------------------------------------------------- */

/* Take the oldest event that waits, if there is one: the head, and all of it of a TK_BPF_EXIT. No
 * system call. What happened since tk_bpf_new() is told in an order that causes come before their
 * effects; stamps of different CPUs may be some us out of order. */
bool tk_bpf_event_next(struct tk_bpf *bpf, struct tk_bpf_end *ret_event);

/* The descriptor that an edge-triggered epoll wakes once when the ring is half full, until it has
 * been emptied; nobody else needs to wait for it. */
int tk_bpf_event_fd(const struct tk_bpf *bpf);

/* Counts since tk_bpf_new(). */
struct tk_bpf_event_stats {
    int64_t forks;        /* of processes and threads, of the whole host */
    int64_t dropped;      /* events that found no room */
    int64_t dropped_ends; /* ends among them */
};
struct tk_bpf_event_stats tk_bpf_read_event_stats(const struct tk_bpf *bpf);

/* Part TK_BPF_CGROUPS ------------------------------------------------------------------ */

/* To give to struct tk_cgroups_options. -EOPNOTSUPP when the part TK_BPF_CGROUPS was not loaded.
 */
TK_MUST_USE int tk_bpf_group_walker(struct tk_bpf *bpf, struct tk_group_walker *ret_walker,
                                    struct tk_err *err);

#endif
