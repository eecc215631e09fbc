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

#include "collect/budget.h"
#include "collect/kernel.h"
#include "collect/walk.h"
#include "run/rows.h"

struct tk_bpf;

enum tk_tier {
    TK_TIER_AUTO,
    TK_TIER_P,  /* CPU-clock sweep */
    TK_TIER_P0, /* plain open, read, close */
    TK_TIER_B2, /* BPF, open-coded task iterator */
    TK_TIER_B1, /* BPF, iter/task */
};

/* "auto", "P", ... by enum tk_tier; ends with NULL. */
extern const char *const tk_tier_names[];

/* What a tier reads, one clause: "CPU clocks of processes, in nanoseconds". Borrowed. */
const char *tk_tier_title(enum tk_tier tier);

struct tk_procs_options {
    const char *node, *host; /* identity of each row; borrowed */
    const char *match;       /* PROC_MATCH (collect-and-cctf.md section 3), "" too; NULL = all */
    bool refresh;            /* PROC_REFRESH: match again each tick; else the set at the start and
                                its descendants */
    const char *container;   /* id of the container (tk_container_find()), or another part of its
                                control group's path: only its processes; NULL = the whole host */
    const char *pid_dir;     /* PROC_PID_DIR: only pids that are file names in it, and their
                                descendants; NULL = none */
    pid_t tree_root;         /* always in the set, with its descendants; 0 = none */
    bool tree_only;          /* nobody else is */
    uint32_t bpf_parts;      /* enum tk_bpf_part: to load with the walk, for tk_procs_bpf() */
    enum tk_tier tier;       /* P without CPU clocks becomes P0, AUTO is the best there is */
    bool exact;    /* CPU times of running processes to the moment of the tick, where the scheduler
                      credits them every few ms: tier B2 or B1 alone can, others are an error */
    bool net;      /* bytes that processes send and receive; likewise */
    bool threads;  /* rows of the threads of processes that have several */
    bool contexts; /* rows of the trace, container and service that processes belong to */
    const struct tk_walker *walker; /* that the tier B2 or B1 uses; copied; NULL = BPF is loaded */
    bool no_events;                 /* do without proc connector and taskstats: rung C */
    const struct tk_pace *pace; /* of the turn of idle processes; borrowed; NULL = as specified */
    int64_t pss_budget_ns; /* read PSS and swap, for at most so long per tick; 0 = not at all */
    bool every_tick;       /* a row per process and tick, as the original wrote */
};

/* One process as last read. Times are ns, sizes bytes; -1 = not readable. */
struct tk_proc {
    pid_t pid;
    pid_t ppid;
    int64_t start_ticks; /* since boot, of clk_tck */
    char comm[16];
    char state;            /* letter of /proc/PID/stat; '?' = not known */
    bool in_tree;          /* descends from options.tree_root */
    const char *cgroup;    /* path, "" = not known; borrowed for the call */
    const char *container; /* name or id, "" = none; borrowed for the call */
    int64_t uid;
    int64_t cpu_ns; /* -1 = older than we are, and not read yet */
    int64_t utime_ns, stime_ns;
    int64_t rss_bytes, threads;
    int64_t rd_bytes, wr_bytes, minflt, majflt;
    int64_t nvcsw, nivcsw, run_delay_ns; /* up to 20 s old; of processes with one thread */
    int64_t cpu_delta_ns;                /* within the last tick */
    int64_t stamp_ns;                    /* monotonic, end of the last sweep */
};

struct tk_procs;

/* Opens the sources of events that this host allows; what happens from now on is not missed. Fails
 * with -EBADMSG when `match` does not compile, -ENOMEM. `kernel` is borrowed for its life. */
TK_MUST_USE int tk_procs_new(const struct tk_kernel *kernel, const struct tk_procs_options *options,
                             struct tk_procs **ret_procs, struct tk_err *err);

/* What a tier B2 or B1 has loaded, for its other parts; NULL = this tier needs none. */
struct tk_bpf *tk_procs_bpf(const struct tk_procs *procs);

/* CPU time of this process, ns, up to when it last left a CPU, as the last walk of tier B2 or B1
 * found it; -1 = there was none, or it does not see us. */
int64_t tk_procs_own_cpu_ns(const struct tk_procs *procs);

/* Accepts NULL. */
void tk_procs_free(struct tk_procs *procs);

/* Put the root of the tree in, once the child exists and before events are next taken. */
void tk_procs_set_tree_root(struct tk_procs *procs, pid_t pid);

/* Whether the next tick has a use for the count of forks: where no event is lost, none has. */
bool tk_procs_wants_forks(const struct tk_procs *procs);

/* Take the events that wait, then one sweep: rows go to proc_metrics, proc_events and proc_exit,
 * and on request to thread_metrics. `forks` is the count of /proc/stat, for the count of lost
 * exits; -1 = unknown, or not wanted. */
void tk_procs_tick(struct tk_procs *procs, int64_t forks, struct tk_rows *rows);

/* Call tk_procs_drain() at least so often between ticks: events have little room (unprivileged) or
 * do not exist, and new processes are looked for. */
int64_t tk_procs_drain_interval_ns(const struct tk_procs *procs);

/* Call it as well when an edge-triggered epoll wakes for this descriptor, borrowed: the room for
 * events is half full. -1 = there is none. */
int tk_procs_drain_fd(const struct tk_procs *procs);

/* Take the events that wait: forks, execs, exits with their accounting; or look for new processes
 * where there are none. Does nothing before the first tick. */
void tk_procs_drain(struct tk_procs *procs, struct tk_rows *rows);

/* A last row of everything alive, and the exits whose last event did not come. */
void tk_procs_finish(struct tk_procs *procs, struct tk_rows *rows);

/* Sources and losses, for run.json, status and doctor. */
struct tk_procs_stats {
    enum tk_tier tier;
    const char *tier_why_not; /* why no better one is in use; "" = it is the best, or was asked for
                               */
    int64_t tier_changes;     /* times that it changed in the run, for the reason above */
    bool rss_exact;           /* the walk adds up all parts of the counters, as statm does */
    bool cpu_exact;           /* options.exact holds */
    int64_t cut;              /* processes with so many threads that not all were added up */
    const char *exit_source;  /* "bpf", "taskstats", "proc_connector" or "none" */
    const char *rung;         /* "A": exits with their accounting; else "C" (the owner of a control
                                 group of its own may call it "B") */
    const char *why_not;      /* why the next better exit source is not in use; "" = best */
    const char *notice;       /* something that the user should know about the options; "" = none */
    int64_t alive;            /* processes in the set now */
    int64_t births;           /* processes that ever were in the set */
    int64_t exits;            /* exits seen with a record */
    int64_t lost_exits;       /* processes whose end was not accounted for. Without events: forks
                                 minus births seen, which counts threads as well, so it is the most
                                 that can have been lost. -1 = unknown */
    int64_t dropped_events;   /* messages that the kernel had no room for */
    int64_t unreadable;       /* processes that may not be read, in whole or their io */
    int64_t pss_left_out;     /* readings of PSS that had no room in the budget */
    int64_t threads_left_out; /* readings of threads that came later: a tick had no room */
    int64_t sweep_ns;         /* length of the last sweep, first clock to last */
    const char *context_source; /* of published Resources: "bpf", "maps" or "none" */
    int64_t contexts_refused;   /* processes whose environment and memory may not be read */
    int64_t contexts_left_out;  /* that had ended before they were read, or were too many */
    int64_t detail_ticks; /* user and system time, faults and I/O of a process that runs all the
                             time are up to so many ticks old, less one; 0 = nobody ran */
    int64_t syscalls;     /* of all sweeps so far; what following forks and exits takes is not in
                             it, since that follows the machine */
    int64_t all_syscalls; /* of everything so far, following forks and exits included */
    int64_t ran;          /* processes that the last sweep read more of than their clock */
};
void tk_procs_read_stats(const struct tk_procs *procs, struct tk_procs_stats *ret_stats);

/* CPU time of the tree so far: exited processes by their records, live ones by their clocks at the
 * last sweep. `*ret_exact` is false when a member may have been missed; how well records tell CPU
 * time is said in exits_sum.h. */
int64_t tk_procs_tree_cpu_ns(const struct tk_procs *procs, bool *ret_exact);

/* Processes that the tree ever had. */
int64_t tk_procs_tree_count(const struct tk_procs *procs);

/* What this host would give: each question is tried, nothing stays open. */
struct tk_procs_probe {
    enum tk_tier tier;      /* the best */
    char walk_why_not[160]; /* why it is neither B2 nor B1; "" = it is */
    bool rss_exact;         /* by the walk of B2 or B1 */
    bool ring;              /* births, execs and ends with their accounting, by BPF */
    bool group_walk;        /* likewise, of all control groups */
    bool mappings;          /* likewise, where processes publish their Resource */
    bool cpu_clock;         /* tier P */
    bool connector;         /* fork, exec and exit events */
    bool taskstats;         /* exits with their accounting */
    int taskstats_version;
    bool hidepid;                                        /* other users' processes cannot be read */
    char connector_why_not[128], taskstats_why_not[128]; /* "" = it works */
};
void tk_procs_try(const struct tk_kernel *kernel, struct tk_procs_probe *ret_probe);

/* Call `visit` for each process alive in the set, in no order. */
void tk_procs_each(const struct tk_procs *procs,
                   void (*visit)(void *context, const struct tk_proc *proc), void *context);

#endif
