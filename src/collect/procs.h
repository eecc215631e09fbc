/* SPDX-License-Identifier: Apache-2.0 */
/* The set of processes and its sweep (collector.md sections 2 to 5, tiers P and P0).
 *
 * Each tick reads the CPU clock of every process of the set (one system call, nanoseconds, no
 * parsing) and more only of those whose clock moved, under a quota; idle ones are read again in
 * turn. A row of proc_metrics is written for a process that ran, or whose turn came. Before the
 * first row after a pause a row with the unchanged counters is written at the stamp of the sweep
 * before, so that deltas between rows never smear over the pause.
 *
 * Identity is (boot id, pid, start ticks): a recycled pid is another process.
 */
#ifndef TK_COLLECT_PROCS_H
#define TK_COLLECT_PROCS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "collect/kernel.h"
#include "run/rows.h"

enum tk_tier {
    TK_TIER_AUTO,
    TK_TIER_P,  /* CPU-clock sweep */
    TK_TIER_P0, /* plain open, read, close */
};

struct tk_procs_options {
    const char *node, *host; /* identity of each row; borrowed */
    const char *match;     /* PROC_MATCH (section 3 of collect-and-cctf.md); NULL = every process */
    bool refresh;          /* PROC_REFRESH: match again each tick, not only at start */
    const char *container; /* CONTAINER whose processes alone are sampled; NULL = host mode */
    const char *pid_dir;   /* PROC_PID_DIR whitelist; NULL = none */
    pid_t tree_root;       /* always in the set, with its descendants; 0 = none */
    enum tk_tier tier;
    bool every_tick; /* a row per process and tick, as the original wrote */
};

/* One process as last read. Times are ns, sizes bytes; -1 = not readable. */
struct tk_proc {
    pid_t pid;
    pid_t ppid;
    int64_t start_ticks; /* since boot, of clk_tck */
    char comm[16];
    char state;
    bool in_tree; /* descends from options.tree_root */
    bool alive;
    int64_t cpu_ns, utime_ticks, stime_ticks;
    int64_t rss_bytes, threads;
    int64_t rd_bytes, wr_bytes, minflt, majflt, nvcsw, nivcsw;
    int64_t cpu_delta_ns; /* over the last tick */
    int64_t stamp_ns;     /* monotonic time of the last read */
};

struct tk_procs;

TK_MUST_USE int tk_procs_new(const struct tk_kernel *kernel, const struct tk_procs_options *options,
                             struct tk_procs **ret_procs, struct tk_err *err);

/* Accepts NULL. */
void tk_procs_free(struct tk_procs *procs);

/* Put the root of the tree in, once the child exists. */
void tk_procs_set_tree_root(struct tk_procs *procs, pid_t pid);

/* One sweep: rows go to proc_metrics, proc_events and proc_exit. `forks` is the count of
 * /proc/stat (-1 = unknown): unchanged, the folder /proc is not listed again. */
void tk_procs_tick(struct tk_procs *procs, int64_t forks, struct tk_rows *rows);

/* A descriptor that becomes readable when kernel events wait (poll it, or call tk_procs_drain() at
 * each tick); -1 when there is no event source. */
int tk_procs_fd(const struct tk_procs *procs);

/* Take the events that wait: forks, execs, exits with their accounting. */
void tk_procs_drain(struct tk_procs *procs, struct tk_rows *rows);

/* Last rows of everything alive, and of those whose exit was seen but not yet written. */
void tk_procs_finish(struct tk_procs *procs, struct tk_rows *rows);

/* Sources and losses, for run.json, status and doctor. */
struct tk_procs_stats {
    enum tk_tier tier;
    const char *exit_source; /* "taskstats", "proc_connector" or "none" */
    const char *rung;        /* "A", "B" or "C" */
    const char *why_not;     /* why the next better exit source is not in use; "" = best */
    int64_t alive;           /* processes in the set now */
    int64_t births;          /* processes that ever were in the set */
    int64_t exits;           /* exits seen with a record */
    int64_t lost_exits; /* processes that lived and died unseen: forks minus births; -1 unknown */
    int64_t dropped_events; /* events that the kernel refused for lack of room (ENOBUFS) */
    int64_t unreadable;     /* reads refused (hidepid, other users' io) */
    int64_t sweep_ns;       /* length of the last sweep, first to last process */
};
void tk_procs_read_stats(const struct tk_procs *procs, struct tk_procs_stats *ret_stats);

/* Exact CPU of the tree so far: exited processes by their records, live ones by their clocks.
 * `ret_exact` is false when a member may have been missed. */
int64_t tk_procs_tree_cpu_ns(const struct tk_procs *procs, bool *ret_exact);

/* Call `visit` for each process alive in the set. */
void tk_procs_each(const struct tk_procs *procs,
                   void (*visit)(void *context, const struct tk_proc *proc), void *context);

#endif
