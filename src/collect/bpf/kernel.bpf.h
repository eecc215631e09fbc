/* SPDX-License-Identifier: Apache-2.0 */
/* What the BPF programs read of the kernel, by name: only the members in use, in no order. CO-RE
 * (preserve_access_index) has libbpf find each in the BTF of the running kernel, so nothing here
 * follows the kernel that tracekit was built on. A member that some kernels lack is asked for with
 * bpf_core_field_exists() first. */
#ifndef TK_COLLECT_BPF_KERNEL_BPF_H
#define TK_COLLECT_BPF_KERNEL_BPF_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "collect/bpf/shared.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
    unsigned int inum;
};

struct pid_namespace {
    struct ns_common ns;
};

struct upid {
    int nr;
    struct pid_namespace *ns;
};

struct pid {
    unsigned int level;
    struct upid numbers[1];
};

typedef struct {
    unsigned int val;
} kuid_t;

struct cred {
    kuid_t euid;
};

struct list_head {
    struct list_head *next;
};

struct rq {
    int cpu;
    struct task_struct *curr;
    uint64_t clock, clock_task; /* ns: all time, and that without interrupts and steal */
};

struct cfs_rq {
    struct rq *rq;
};

struct sched_entity {
    uint64_t exec_start, sum_exec_runtime;
    struct cfs_rq *cfs_rq;
};

struct sched_info {
    unsigned long long run_delay, last_queued;
};

struct sock_common {
    unsigned short skc_family;
};

struct sock {
    struct sock_common __sk_common;
};

struct task_io_accounting {
    uint64_t read_bytes, write_bytes;
};

struct prev_cputime {
    uint64_t utime, stime;
};

typedef struct {
    int counter;
} atomic_t;

struct rlimit {
    unsigned long rlim_cur;
};

typedef struct {
    int64_t counter;
} atomic64_t;

struct signal_struct {
    atomic_t live;
    int nr_threads;
    int group_exit_code;
    unsigned int flags;
    struct list_head thread_head;
    struct prev_cputime prev_cputime;
    uint64_t utime, stime;
    unsigned long nvcsw, nivcsw, min_flt, maj_flt, maxrss;
    unsigned long long sum_sched_runtime;
    struct task_io_accounting ioac;
    struct rlimit rlim[16];
};

struct fdtable {
    unsigned int max_fds;
    unsigned long *open_fds;
};

struct files_struct {
    struct fdtable *fdt;
};

struct percpu_counter {
    int64_t count;
    int32_t *counters;
};

typedef struct seqcount {
    unsigned int sequence;
} seqcount_t;

struct mm_struct {
    struct percpu_counter rss_stat[4];
    unsigned long hiwater_rss, env_start, env_end;
    seqcount_t mm_lock_seq; /* from Linux 6.14 */
};

/* Linux 6.4 to 6.13. */
struct mm_struct___int {
    int mm_lock_seq;
};

struct qstr {
    uint32_t len;
    const unsigned char *name;
};

struct dentry {
    struct qstr d_name;
};

struct path {
    struct dentry *dentry;
};

struct file {
    struct path f_path;
};

struct anon_vma_name {
    char name[1];
};

struct vm_area_struct {
    unsigned long vm_start;
    struct file *vm_file;
    struct anon_vma_name *anon_name; /* where the kernel keeps such names */
};

/* Up to Linux 6.1. */
typedef struct {
    int64_t counter;
} atomic64_t___old;

struct mm_rss_stat___old {
    atomic64_t___old count[4];
};

struct mm_struct___old {
    struct mm_rss_stat___old rss_stat;
};

struct cgroup_root;
struct cgroup;

struct cgroup_subsys_state {
    struct cgroup *cgroup;
    unsigned int flags;
};

struct kernfs_node {
    uint64_t id;
    unsigned int hash;
};

struct task_cputime {
    uint64_t stime, utime;
    unsigned long long sum_exec_runtime;
};

struct cgroup_base_stat {
    struct task_cputime cputime;
};

struct cgroup {
    struct cgroup_subsys_state self;
    int level;
    struct kernfs_node *kn;
    struct cgroup_subsys_state *subsys[1];
    struct cgroup_root *root;
    void *rstat_base_cpu; /* per CPU; from Linux 6.16 */
    struct cgroup_base_stat bstat;
    struct prev_cputime prev_cputime;
};

/* The numbers follow the configuration of the kernel. */
enum cgroup_subsys_id {
    cpu_cgrp_id,
    cpuacct_cgrp_id,
    io_cgrp_id,
    memory_cgrp_id,
    pids_cgrp_id,
};

struct cpuacct {
    uint64_t *cpuusage; /* per CPU, as is the next */
    void *cpustat;
};

typedef struct {
    long counter;
} atomic_long_t;

struct page_counter {
    atomic_long_t usage;
    unsigned long watermark, max;
};

struct mem_cgroup {
    struct page_counter memory;
};

struct cfs_bandwidth {
    int64_t period;
    uint64_t quota;
    int nr_periods, nr_throttled;
    uint64_t throttled_time;
};

struct task_group {
    struct cfs_bandwidth cfs_bandwidth;
};

struct pids_cgroup {
    atomic64_t counter;
};

struct cgroup___old {
    void *rstat_cpu; /* per CPU; up to Linux 6.15 */
};

struct cgroup_root {
    struct cgroup cgrp;
};

struct css_set {
    struct cgroup *dfl_cgrp;
};

struct task_struct {
    struct list_head tasks;
    int pid, tgid, on_cpu;
    unsigned int __state;
    unsigned int flags;
    unsigned in_iowait : 1;
    int exit_state, exit_code;
    struct sched_entity se;
    struct sched_info sched_info;
    struct mm_struct *mm;
    struct task_struct *real_parent, *group_leader;
    struct pid *thread_pid;
    struct list_head thread_node;
    unsigned long nvcsw, nivcsw, min_flt, maj_flt;
    uint64_t utime, stime, start_time, start_boottime;
    struct prev_cputime prev_cputime;
    const struct cred *cred;
    char comm[16];
    struct signal_struct *signal;
    struct task_io_accounting ioac;
    struct css_set *cgroups;
    struct files_struct *files;
};

/* Up to Linux 5.13. */
struct task_struct___old {
    long state;
};

struct bpf_iter_meta {
    struct seq_file *seq;
};

struct bpf_iter__task {
    struct bpf_iter_meta *meta;
    struct task_struct *task;
};

#pragma clang attribute pop

/* An address as that of a kernel's struct, which the verifier lets be read and trusts no further.
 * Who uses it declares bpf_rdonly_cast(), Linux 6.2. */
#define KERNEL_TYPE(name, address)                                                                 \
    ((struct name *)bpf_rdonly_cast(address, bpf_core_type_id_kernel(struct name)))

#endif
