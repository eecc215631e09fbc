/* SPDX-License-Identifier: Apache-2.0 */
/* The processes that we know of, densely: two arrays side by side and an index by pid. What each
 * tick touches for every process is in the first (16 bytes), the rest is touched only for those
 * that ran. Adding may move both arrays, removing puts the last process in the hole: indexes are
 * good until then. About 190 bytes per process. One thread at a time. */
#ifndef TK_COLLECT_PROCS_SET_H
#define TK_COLLECT_PROCS_SET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "collect/procs_parse.h"

#define TK_PROC_NONE    UINT32_MAX
#define TK_PROC_KB_NONE UINT32_MAX

enum tk_proc_flags {
    TK_PROC_MEMBER = 1 << 0,       /* sampled; the others are remembered so as not to ask again */
    TK_PROC_IN_TREE = 1 << 1,      /* descends from the tree's root */
    TK_PROC_BORN = 1 << 2,         /* born in the run: its CPU time counts from 0 */
    TK_PROC_FRESH = 1 << 3,        /* not sampled yet */
    TK_PROC_WAITING = 1 << 4,      /* ran since stat and io were read */
    TK_PROC_REGROUP = 1 << 5,      /* control group not read since birth or exec */
    TK_PROC_NO_IO = 1 << 6,        /* io refused */
    TK_PROC_GONE = 1 << 7,         /* has no clock any more; its exit record is awaited */
    TK_PROC_LISTED = 1 << 8,       /* met by the scan that is going on */
    TK_PROC_JUDGED = 1 << 9,       /* TK_PROC_MATCHES holds the verdict on its present name */
    TK_PROC_MATCHES = 1 << 10,     /* ... and it was yes */
    TK_PROC_TOLD = 1 << 11,        /* its birth was written */
    TK_PROC_BEHIND = 1 << 12,      /* ran since switches or run delay were read */
    TK_PROC_IO_DUE = 1 << 13,      /* ran since io was read */
    TK_PROC_IO_MOVES = 1 << 14,    /* io had changed when it was read last */
    TK_PROC_RSS_MOVES = 1 << 15,   /* likewise statm */
    TK_PROC_UNMET = 1 << 16,       /* alive, but a walk in the kernel does not show it */
    TK_PROC_THREADS_DUE = 1 << 17, /* ran since all of its threads were read */
};

/* The part that each tick touches. */
struct tk_proc_clock {
    int64_t cpu_ns; /* at the last sweep */
    pid_t pid;
    uint32_t flags; /* of enum tk_proc_flags */
};

/* Times and counters are as last read; -1 = never or not readable. */
struct tk_proc_facts {
    int64_t start_ticks;
    int64_t birth_ns; /* monotonic, of its fork event; 0 = no such event was seen */
    int64_t utime_ns, stime_ns;
    int64_t rd_bytes, wr_bytes, minflt, majflt;
    int64_t nvcsw, nivcsw, run_delay_ns; /* told of the main thread alone: -1 when there are more */
    uint32_t delta_us;                   /* CPU time within the tick `row_tick` */
    uint32_t row_tick;                   /* that wrote a row last; 0 = none yet */
    int32_t rss_pages;
    int32_t threads;
    pid_t ppid, ns_pid;
    int32_t uid;
    int32_t fds;              /* open files */
    uint32_t group;           /* in the table of control groups */
    uint32_t group_mark;      /* of a walk: changes when the control groups do; 0 = none yet */
    uint16_t io_age, rss_age; /* when io and statm were read; see procs_sweep.c */
    uint16_t files;           /* kept descriptors: a slot of struct tk_proc_files, or TK_NO_FILES */
    uint8_t fd_limit;         /* how many it may have: a place in a table of limits; 0 = unknown */
    char state;               /* '?' = unknown */
    char comm[TK_COMM_MAX];
};

/* Read on request only. TK_PROC_KB_NONE = never or not readable, or 4 TiB and more. */
struct tk_proc_memory {
    uint32_t pss_kb, swap_kb;
};

/* Added up on request only, from when that began; -1 = not for this process. */
struct tk_proc_extra {
    int64_t net_rx_bytes, net_tx_bytes;
    int64_t io_wait_ns;
};

struct tk_proc_set {
    bool has_memory, has_extra;    /* to be set before the first process is added */
    struct tk_proc_clock *clocks;  /* [count], owned */
    struct tk_proc_facts *facts;   /* [count], owned */
    struct tk_proc_memory *memory; /* [count], owned; NULL unless has_memory */
    struct tk_proc_extra *extra;   /* [count], owned; NULL unless has_extra */
    uint32_t count, cap;
    uint32_t *index; /* open addressing, TK_PROC_NONE = free; owned */
    uint32_t mask;   /* slots - 1; 0 = no slots yet */
};

/* An array of whole pages grows from `old` to `new` bytes (0 = it is not there yet, or to be given
 * back), perhaps to another address: nothing is copied, no freed memory stays behind between
 * others', and pages that were never touched cost nothing. One that is locked in memory is unlocked
 * when the limit does not let it grow. NULL when there is no memory, the array is then as it was.
 */
void *tk_pages_resize(void *pages, size_t old_bytes, size_t new_bytes);

/* Free the memory; the set is then empty and usable again. A zeroed struct is an empty set. */
void tk_proc_set_release(struct tk_proc_set *set);

/* Index of a process; TK_PROC_NONE when it is not in. */
uint32_t tk_proc_set_find(const struct tk_proc_set *set, pid_t pid);

/* Have the memory of a process fetched, which is to be looked at soon: its place first, then what
 * the place leads to. */
void tk_proc_set_fetch_place(const struct tk_proc_set *set, pid_t pid);
void tk_proc_set_fetch(const struct tk_proc_set *set, pid_t pid);

/* Add a process that is not in: all counters unknown, CPU time 0, no flags. -ENOMEM. */
TK_MUST_USE int tk_proc_set_add(struct tk_proc_set *set, pid_t pid, uint32_t *ret_i);

/* Take out the process at index `i`; the last one then has this index. */
void tk_proc_set_remove(struct tk_proc_set *set, uint32_t i);

#endif
