/* SPDX-License-Identifier: Apache-2.0 */
/* What BPF programs and the program that loads them pass each other in mapped memory. Compiled by
 * both: fixed sizes, no pointers, no holes. */
#ifndef TK_COLLECT_BPF_SHARED_H
#define TK_COLLECT_BPF_SHARED_H

#include <stdint.h>

#define TK_BPF_COMM_MAX 16
#define TK_BPF_CPUS_MAX 512 /* whose part of a counter is added; more CPUs: RSS is not exact */

/* One process: sums over its live threads and of those that have ended. Times are ns. */
struct tk_bpf_task {
    int32_t pid; /* of the thread group, in the namespace of the reader */
    uint32_t
        is_whole;     /* the next five are told: it is new, or due, or one of them may be another */
    int32_t ppid;     /* 0 = outside of the namespace */
    int32_t ns_pid;   /* in its innermost namespace */
    uint32_t uid;     /* effective */
    int32_t fds;      /* open files; -1 = they are too many to count */
    int32_t fd_limit; /* ... that it may have; INT32_MAX = any number */
    int32_t threads;
    uint64_t start_boot_ns;
    uint64_t runtime_ns;
    uint64_t utime_ns, stime_ns;           /* by tick, as raw as the kernel has them */
    uint64_t prev_utime_ns, prev_stime_ns; /* what /proc told last, if anybody asked */
    int64_t rss_pages;
    uint64_t rd_bytes, wr_bytes;
    uint64_t minflt, majflt, nvcsw, nivcsw;
    uint64_t run_delay_ns; /* of live threads only */
    uint64_t group;        /* stands for its control groups: changes when one of them does */
    uint32_t state;        /* of its main thread: task_struct.__state */
    uint32_t exit_state;
    uint64_t net_rx_bytes, net_tx_bytes; /* since they are followed; 0 when they are not */
    uint64_t io_wait_ns;                 /* likewise */
    char comm[TK_BPF_COMM_MAX];
};

/* One thread of a process that has several. Times are ns. */
struct tk_bpf_thread {
    int32_t pid, tid; /* in the namespace of the reader */
    uint64_t process_start_boot_ns, start_boot_ns;
    uint64_t runtime_ns;
    uint64_t utime_ns, stime_ns;           /* by tick, as raw as the kernel has them */
    uint64_t prev_utime_ns, prev_stime_ns; /* what /proc told last, if anybody asked */
    uint64_t minflt, majflt, nvcsw, nivcsw;
    uint64_t run_delay_ns;
    uint32_t state, exit_state;
    char comm[TK_BPF_COMM_MAX];
};

/* Which threads a walk tells of. */
enum tk_bpf_threads { TK_BPF_THREADS_NONE, TK_BPF_THREADS_MOVED, TK_BPF_THREADS_ALL };

/* What programs that follow events add up of a process, from when they were loaded. */
struct tk_bpf_extra {
    uint64_t start_boot_ns; /* of the process, which its pid alone is not */
    uint64_t net_rx_bytes, net_tx_bytes;
    uint64_t io_wait_ns;
};

/* A walk over all processes: what is asked and what came of it. */
struct tk_bpf_walk {
    /* In */
    uint32_t ns_level, ns_inum;     /* the reader's pid namespace; level 0 = the initial one */
    uint32_t turn_from, turn_width; /* whose turn it is, tk_bpf_in_turn(): they are due, though they
                                       did not run */
    uint64_t now_ns;  /* monotonic: to this moment a running task is credited, in exact mode */
    uint32_t tick;    /* of the order: a walk of the rest has that of the walk before */
    uint32_t threads; /* enum tk_bpf_threads */
    /* Out: counted up from what the reader puts there */
    uint32_t count;     /* records */
    uint32_t left_out;  /* processes that found no room: they come with the next walk */
    uint32_t processes; /* in the namespace */
    uint32_t cut;       /* processes with more threads than were added up (tier B1) */
    uint32_t unmoved;   /* processes that are due and for which there is nothing new to tell: their
                           pids alone are. With everybody due, all have records */
    uint32_t thread_count;     /* records of threads */
    uint32_t threads_left_out; /* that found no room: they come with a later walk */
    uint32_t padding;
};

/* Each pid has its place on the circle of all turns, of 2^32 parts: whether it lies in the `width`
 * of them after `from`. UINT32_MAX = everybody. */
static inline int tk_bpf_in_turn(uint32_t pid, uint32_t from, uint32_t width)
{
    return width == UINT32_MAX || pid * 2654435769u - from < width;
}

/* The clock that the scheduler keeps for a CPU, as exact mode follows it. */
struct tk_bpf_clock {
    uint64_t switch_ns; /* by that clock, when the task that is on the CPU came there */
    uint64_t behind_ns; /* add it to get monotonic time; 0 = not known yet */
    uint64_t least_ns;  /* of the differences looked at lately ... */
    uint32_t looks;     /* ... which are so many */
    uint32_t padding;
};

/* What only a program in the kernel can find out: the pid namespace of who runs it, and what points
 * to per-CPU data, of which the kernel tells nobody where it lies. */
struct tk_bpf_learned {
    uint32_t ns_level, ns_inum;
    uint64_t rq[TK_BPF_CPUS_MAX]; /* address of the run queue of each CPU; 0 = not met */
    uint64_t root_rstat;          /* per-CPU pointer to the root control group's statistics */
};

/* What is added up of the per-CPU parts of a counter: at `counters` + delta[n] is that of CPU n. */
struct tk_bpf_cpus {
    uint64_t delta[TK_BPF_CPUS_MAX];
    uint32_t count; /* 0 = take the central part alone */
    uint32_t padding;
};

/* A counter of which the parts are elsewhere. */
struct tk_bpf_counter {
    int64_t central;
    uint64_t parts; /* per-CPU pointer */
};

/* Asked of a process: where its mapping named OTEL_CTX begins, and its environment. */
struct tk_bpf_mapping {
    int32_t pid;        /* in the namespace of the reader */
    int32_t rc;         /* 0, or a negative errno: it is gone, or its memory is being changed */
    uint32_t mark;      /* in: as it was told last, 0 = not yet; out: it is another one when any
                           mapping has changed, and 0 on kernels that do not tell. While it stays, the
                           process is not gone through again: what it has is what it had */
    uint32_t env_bytes; /* out, as the next two */
    uint64_t env;
    uint64_t address; /* 0 = it has none, or has not changed */
};

#define TK_BPF_MAPPINGS_MAX 256 /* processes asked at a time */

struct tk_bpf_mappings {
    uint32_t count;
    uint32_t padding;
    struct tk_bpf_mapping items[TK_BPF_MAPPINGS_MAX];
};

enum tk_bpf_event_kind { TK_BPF_FORK = 1, TK_BPF_EXEC, TK_BPF_EXIT };

/* A process was born, runs another program, or has ended (then with struct tk_bpf_end). */
struct tk_bpf_event {
    uint32_t kind;               /* of enum tk_bpf_event_kind */
    int32_t pid;                 /* of the process, in the namespace of the reader */
    int32_t ppid;                /* 0 = outside of it */
    uint32_t uid;                /* effective */
    int32_t status;              /* as wait(2) gives it; -1 = it lives */
    uint32_t threads;            /* that have ended, as far as they were seen; 1 = it lives */
    uint64_t stamp_ns, start_ns; /* CLOCK_MONOTONIC; start: of the process */
    uint64_t start_boot_ns;
    uint64_t group; /* as that of struct tk_bpf_task */
    char comm[TK_BPF_COMM_MAX];
};

/* What threads have used; ns. */
struct tk_bpf_sums {
    uint64_t runtime_ns;
    uint64_t utime_ns, stime_ns; /* by tick */
    uint64_t run_delay_ns;
    uint64_t minflt, majflt, nvcsw, nivcsw;
    uint64_t rd_bytes, wr_bytes;
};

/* An end: all that the process has used, to the last switch of its last thread. */
struct tk_bpf_end {
    struct tk_bpf_event event;
    struct tk_bpf_sums sums;
    uint64_t max_rss_pages;
};

/* Of the ring of events: what is told and what came of it. */
struct tk_bpf_events {
    /* In */
    uint32_t ns_level, ns_inum; /* as in struct tk_bpf_walk */
    uint32_t is_asked;          /* the reader was woken; it puts 0 here when it comes */
    uint32_t padding;
    /* Out */
    uint64_t forks;                 /* of processes and threads, of the whole host */
    uint64_t dropped, dropped_ends; /* events that found no room; ends among them */
};

/* One control group in one hierarchy. Figures of a controller that the group lacks are 0. */
struct tk_bpf_group {
    uint64_t id;        /* of its folder: the inode */
    uint32_t name;      /* hash of its name, which changes when it is renamed */
    uint32_t moved;     /* number of the walk that last found anything changed */
    uint32_t has;       /* bits TK_BPF_HAS_... */
    uint32_t hierarchy; /* index into tk_bpf_groups.hierarchies */
    uint64_t cpu_ns;    /* TK_BPF_HAS_CPUACCT, TK_BPF_HAS_USAGE */
    uint64_t user_ns;   /* of ticks, as raw as the kernel has them */
    uint64_t system_ns;
    uint64_t prev_user_ns, prev_system_ns;     /* what cpu.stat told last, if anybody asked */
    uint64_t periods, throttled, throttled_ns; /* TK_BPF_HAS_CPU */
    uint64_t quota_ns, period_ns;              /* of CPU time; quota ~0 = no limit */
    uint64_t memory_pages, memory_peak_pages, memory_limit_pages; /* TK_BPF_HAS_MEMORY */
    uint64_t pids;                                                /* TK_BPF_HAS_PIDS */
};

enum {
    TK_BPF_HAS_CPUACCT = 1 << 0, /* CPU time by version 1 */
    TK_BPF_HAS_USAGE = 1 << 1,   /* CPU time by version 2 */
    TK_BPF_HAS_CPU = 1 << 2,
    TK_BPF_HAS_MEMORY = 1 << 3,
    TK_BPF_HAS_PIDS = 1 << 4,
    TK_BPF_HAS_IO = 1 << 5, /* the controller is there; its figures are not told */
};

#define TK_BPF_HIERARCHIES_MAX 8
#define TK_BPF_NO_QUOTA        UINT64_MAX

/* A walk over all control groups: what is asked and what came of it. */
struct tk_bpf_groups {
    /* In */
    int32_t
        hierarchies[TK_BPF_HIERARCHIES_MAX]; /* numbers as in /proc/self/cgroup; 0 = version 2 */
    uint32_t hierarchy_count;
    uint32_t number; /* of this walk, from 1 */
    uint32_t is_due; /* the next walk over processes is to go over control groups, too (tier B2) */
    uint32_t padding;
    /* Out: counted up from what the reader puts there */
    uint32_t count;    /* records, in the order of the walk */
    uint32_t left_out; /* groups that found no room */
    uint64_t set;      /* sum over ids and names: another one for another set of groups */
};

#endif
