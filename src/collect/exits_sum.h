/* SPDX-License-Identifier: Apache-2.0 */
/* Totals of processes from the exit records of their threads. A record comes per thread; those of
 * one process are added up until the one of its last thread. No system calls; one thread at a time.
 *
 * How exact: memory, I/O, faults and switches are the kernel's own counters. CPU time is not in the
 * record as such, since the kernel copies the scheduler's count as of its last look at the thread,
 * which happens at each switch and each timer tick: a 5 ms busy loop lacks 40 % of its CPU time on
 * average, /bin/true 88 % (measured, HZ=250). The rest is in the record all the same: a thread that
 * never slept was on a CPU all its life but for the time that it waited for one, and both are there
 * in us. For a thread that did sleep only the stretch since its last switch or tick is unknown; it
 * is taken as a third of its mean stretch, at most half a tick and at most what its life leaves.
 * After the record follows the work of exiting (freeing memory), up to the exit event: CPU time, if
 * it is short enough for that (50 us + 25 ns per KiB of peak memory). Longer, it was interrupted as
 * a rule, mostly by the parent that it woke, and half of that is taken.
 *
 *   sums against rusage of wait4(2) (tests/unit/test_procs_live.c, HZ=250, 2 CPUs): a 300 ms loop,
 *   1,000 lives of 5 ms, 2,000 forks in bursts of 100, threads, daemons, 200 times /bin/true: all
 *   within 0.3 %, on a busy machine within 1 %. Tried by hand: sh with children +2 %, gcc -c +0.4
 * %, starting python3 -1 %, sleep 0.02 +11 % (0.1 ms each)
 */
#ifndef TK_COLLECT_EXITS_SUM_H
#define TK_COLLECT_EXITS_SUM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "collect/exits_parse.h"

/* What a process had used at its end. */
struct tk_exit_total {
    pid_t pid, ppid;
    pid_t last_tid; /* of the thread that ended last */
    int status;     /* as wait(2) gives it */
    int64_t uid;
    char comm[TK_COMM_MAX];
    int64_t threads;            /* records that were added up */
    int64_t cpu_ns;             /* completed as said above, without the work of exiting */
    int64_t user_us, system_us; /* by tick: only their ratio is good */
    int64_t elapsed_us;         /* life of the process */
    int64_t max_rss_kb;
    int64_t rd_bytes, wr_bytes, minflt, majflt, nvcsw, nivcsw;
    int64_t run_delay_ns, blkio_delay_ns;
};

struct tk_exit_entry;

struct tk_exit_sums {
    struct tk_exit_entry *entries; /* owned */
    uint32_t entry_count, entry_cap;
    uint32_t free_entry;                    /* head of the list of unused ones */
    uint32_t first_finished, last_finished; /* list of those that wait to be taken, oldest first */
    struct tk_map first_of_pid;             /* pid to its oldest entry */
    struct tk_map pid_of_tid;               /* kernels before version 12: what fork events said */
    struct tk_map threads_of_pid;           /* same: threads alive, beside the main one */
    int64_t tick_us;                        /* shortest tick seen */
    int64_t refused;                        /* records that found no room */
};

/* No memory is taken before the first record. */
void tk_exit_sums_init(struct tk_exit_sums *sums);
void tk_exit_sums_release(struct tk_exit_sums *sums);

/* A thread other than the main one was made. Only kernels before version 12 need to be told. */
void tk_exit_sums_add_thread(struct tk_exit_sums *sums, pid_t tid, pid_t pid);

/* A new process has this pid: forget threads of an earlier one whose end was missed. */
void tk_exit_sums_forget(struct tk_exit_sums *sums, pid_t pid);

/* Add the 1 or 2 records of one message, read at `now_ns`. */
void tk_exit_sums_add(struct tk_exit_sums *sums, const struct tk_task_record *records, int n,
                      int64_t now_ns);

/* Take out the oldest finished total of a process, if `tid` was its last thread; 0 = any. */
bool tk_exit_sums_take(struct tk_exit_sums *sums, pid_t pid, pid_t tid, struct tk_exit_total *ret);

/* Take out the oldest of all finished totals, if it finished before `before_ns`. */
bool tk_exit_sums_next(struct tk_exit_sums *sums, int64_t before_ns, struct tk_exit_total *ret);

/* Name that a process ended with; NULL unless it has finished and was not taken. */
const char *tk_exit_sums_comm(const struct tk_exit_sums *sums, pid_t pid);

/* CPU time of the work of exiting, of at most `wall_ns` between record and exit event. */
int64_t tk_exit_work_ns(const struct tk_exit_total *total, int64_t wall_ns);

#endif
