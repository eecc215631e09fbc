/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of procs share:
 *
 *   procs.c         made, asked, ended
 *   procs_sweep.c   the tick: clocks of all, files of those that ran (hot)
 *   procs_walk.c    the tick of tiers B2 and B1: all from one walk in the kernel (hot)
 *   procs_slow.c    what is read once in a while: open files, PSS
 *   procs_context.c where a process belongs: trace, container, published Resource
 *   procs_threads.c threads, on request: told by a walk, or read of those that ran
 *   procs_scan.c    who is there: /proc listed, or the pids given since the last look
 *   procs_events.c  who came and went: events and exit records by netlink
 *   procs_ring.c    ... or records by BPF
 *   procs_one.c     one process: added, named, judged, ended
 *   procs_rows.c    rows of the four tables
 */
#ifndef TK_COLLECT_PROCS_INTERNAL_H
#define TK_COLLECT_PROCS_INTERNAL_H

#include "base/clock.h"
#include "collect/bpf.h"
#include "collect/exits_feed.h"
#include "collect/exits_sum.h"
#include "collect/procs.h"
#include "collect/procs_files.h"
#include "collect/procs_groups.h"
#include "collect/procs_match.h"
#include "collect/procs_set.h"
#include "collect/procs_thread_set.h"

#define TK_PROCS_EVENTS   512 /* taken at a time */
#define TK_PROC_INDEX_MAX ((1U << 29) - 1)

/* A process that gets a row in this sweep, or at least a look. */
struct tk_touched {
    int64_t cpu_ns;      /* negative = it is gone */
    uint32_t after_us;   /* from the start of the sweep to the reading of its clock */
    uint32_t i : 29;     /* up to TK_PROC_INDEX_MAX */
    uint32_t ran : 1;    /* since the last sweep */
    uint32_t due : 1;    /* its turn to be read again though idle */
    uint32_t detail : 1; /* stat and io are read, by quota */
};

/* Readings of PSS on request. */
struct tk_procs_pss {
    uint32_t next;    /* index of the process read last */
    double owed;      /* processes whose turn has come */
    double ns_per_kb; /* that reading takes */
    int64_t last_ns;  /* of the last round; 0 = none yet */
    int64_t left_out; /* had no room in the budget */
};

/* Rows of threads on request. */
struct tk_procs_threads {
    struct tk_thread_set set;
    uint32_t next;      /* index of the process read next ... */
    pid_t resume_pid;   /* ... of which the quota ended in the midst; 0 = of none */
    uint32_t resume_at; /* threads of it that were read */
    int64_t left_out;   /* readings that had no room in their tick */
};

/* Who is to be looked at for its context, in the order of time. */
#define TK_CONTEXT_LOOKS 4
#define TK_CONTEXT_OLD   TK_CONTEXT_LOOKS /* the queue of who ran before the recording began */

struct tk_context_due {
    pid_t pid;
    uint32_t start_ticks; /* the lower half */
    uint32_t due_ms;      /* monotonic, the lower half: looks are due within a minute */
    uint32_t mark;        /* of its mappings at the look before, struct tk_bpf_mapping */
};

struct tk_context_queue {
    struct tk_context_due *items; /* [cap], owned; a ring */
    uint32_t head, count, cap;
};

struct tk_procs_contexts {
    struct tk_context_queue queues[TK_CONTEXT_LOOKS + 1]; /* of the first look, the second, ... */
    int64_t since_ns;                                     /* monotonic: the recording began */
    struct tk_buf text;                                   /* of the file or memory at hand */
    struct tk_buf resource;                               /* JSON */
    struct tk_allowance allowance;
    int64_t look_ns;  /* that a look took lately */
    int64_t refused;  /* processes that may not be read */
    int64_t left_out; /* that ended, or came in too large numbers, before they were */
};

/* Where births, execs and ends come from. To add one: a constant of this kind, its line in
 * open_source(). */
struct tk_procs_source {
    const char *name;  /* in run.json, and of an end with its account in proc_exit */
    bool has_births;   /* births, execs and ends are told */
    bool has_accounts; /* ends come with what the process has used */
    int64_t drain_ns;  /* between ticks it is emptied so often */

    /* Take all that waits; NULL = nothing ever does. Sets procs->rescan when something was lost. */
    void (*take)(struct tk_procs *procs, struct tk_rows *rows);
};

extern const struct tk_procs_source tk_procs_by_bpf;
extern const struct tk_procs_source tk_procs_by_taskstats; /* and proc connector */
extern const struct tk_procs_source tk_procs_by_taskstats_alone;
extern const struct tk_procs_source tk_procs_by_connector;
extern const struct tk_procs_source tk_procs_by_looking; /* nobody tells */

struct tk_procs {
    const struct tk_kernel *kernel; /* borrowed */
    struct tk_procs_options options;
    struct tk_proc_set set;
    struct tk_proc_files files;
    struct tk_groups groups;
    struct tk_match match;
    enum tk_tier tier;
    struct tk_bpf *bpf;      /* owned; NULL = none */
    struct tk_walker walker; /* of tiers B2 and B1 */
    char tier_why_not[160];  /* why no better tier is in use; "" = it is the best */
    int64_t tier_changes;    /* walks that failed: tier P took over */
    int64_t cut;             /* processes whose threads were not all added up */
    pid_t own_pid;
    bool started;                       /* the first scan is done */
    bool rescan;                        /* events were lost: look for ourselves */
    bool moved_since_scan;              /* pids were given */
    bool root_is_child;                 /* the tree's root is ours: its orphans come to us */
    bool tree_inexact;                  /* a member's record is missing */
    int pid_dir_fd;                     /* whitelist; -1 = none */
    int loadavg_fd;                     /* -1 = none */
    int dir_fd;                         /* procfd's folder, with a place of its own for listing */
    pid_t last_pid;                     /* given last, at the last look; 0 = not known */
    pid_t verify_after, verify_up_to;   /* known pids that the scan at hand asks */
    int64_t last_scan_ns, scan_cost_ns; /* its end and its length */
    int64_t boot_offset_ns; /* boot-time clock less monotonic clock: grows when the host sleeps */
    int64_t pid_dir_ns;     /* last change of the whitelist that is taken in */

    /* Events */
    const struct tk_procs_source *source;
    struct tk_bpf_event_stats ring; /* of the BPF source */
    struct tk_exit_feed *feed;      /* of the others; NULL = none */
    struct tk_exit_feed_stats sources;
    char why_not[256]; /* why the feed gives less than it could; "" = it does not */
    struct tk_exit_sums sums;
    struct tk_event events[TK_PROCS_EVENTS];

    /* Sweep */
    struct tk_touched *touched; /* [touched_cap], owned */
    uint32_t touched_count, touched_cap;
    uint32_t tick;
    uint32_t swept_tick;    /* of the last sweep that ended */
    uint32_t looked;        /* processes of which this sweep read more than their clock */
    uint32_t ran;           /* of them, since the last sweep */
    bool all;               /* the sweep writes and reads all members */
    uint32_t gone;          /* processes with TK_PROC_GONE */
    uint32_t unmet;         /* ... with TK_PROC_UNMET */
    uint32_t quota_next;    /* index from which stat and io are read next */
    uint32_t detail_ticks;  /* that it takes to read them of all who ran */
    uint32_t turn_at;       /* how far the turn has come, of 2^32 */
    uint32_t turns;         /* times that it went round */
    uint32_t lost_turns;    /* of them, when a walk looked for those who are gone */
    int64_t sweep_start_ns; /* of this sweep */
    int64_t sweep_end_ns;   /* of the last sweep; 0 = none yet */
    int64_t sweep_ns;

    bool counts_fds;        /* this kernel tells how many files a process has open */
    int32_t fd_limits[256]; /* that were met, from place 1 on; 0 = a free place */
    struct tk_procs_pss pss;
    struct tk_procs_threads threads;
    struct tk_procs_contexts contexts;

    /* Counts */
    int64_t first_forks; /* of /proc/stat at the first tick; -1 = not known */
    int64_t last_forks;
    int64_t seen_forks;    /* births of all processes since, members or not */
    int64_t fork_events;   /* events of processes and threads since the first tick */
    int64_t births;        /* processes that ever were members */
    int64_t births_walked; /* of them, at the last walk */
    int64_t walked_ns;     /* when it began */
    bool had_new;          /* ... and it had to meet new members */
    int64_t exits_seen, lost_records, unreadable;
    int64_t syscalls;                  /* without those of `files` */
    int64_t sweep_syscalls;            /* with those, of sweeps alone */
    int64_t tree_ended_ns, tree_ended; /* CPU time and number of those of the tree that ended */

    _Alignas(8) char dents[32768]; /* the folder's entries at hand */
};

/* procs_one.c ------------------------------------------------------------------------- */

/* Whether exits come with their accounting, or at all. */
static inline bool tk_procs_has_records(const struct tk_procs *procs)
{
    return procs->source->has_accounts;
}

/* Tiers B2 and B1. */
static inline bool tk_procs_has_walk(const struct tk_procs *procs)
{
    return procs->tier == TK_TIER_B2 || procs->tier == TK_TIER_B1;
}

static inline bool tk_procs_has_events(const struct tk_procs *procs)
{
    return procs->source->has_births;
}

/* Of the address by which a walk or a record tells the control groups: 0 is none. */
static inline uint32_t tk_procs_group_mark(uint64_t group)
{
    return (uint32_t)(group >> 4) | 1U;
}

/* Add a process by its pid alone. TK_PROC_NONE when there is no memory. */
uint32_t tk_procs_add(struct tk_procs *procs, pid_t pid);

/* Read and parse /proc/PID/stat without keeping it. 0, -ESRCH when it is gone, -EACCES, -EBADMSG.
 */
int tk_procs_read_stat(struct tk_procs *procs, pid_t pid, struct tk_pid_stat *ret_stat);

/* A new name is judged anew. */
void tk_procs_name(struct tk_procs *procs, uint32_t i, const char comm[TK_COMM_MAX]);

/* Start of a process as /proc tells it, in ticks. */
static inline int64_t tk_procs_ticks_since_boot(const struct tk_procs *procs, uint64_t boot_ns)
{
    return (int64_t)boot_ns / (TK_NS_PER_S / procs->kernel->clk_tck);
}

/* Note whether a process, whose start is known, was born in the run. */
void tk_procs_mark_born(struct tk_procs *procs, uint32_t i);

/* Take over what stat says. */
void tk_procs_apply_stat(struct tk_procs *procs, uint32_t i, const struct tk_pid_stat *stat);

/* Read the owner, once per program. */
void tk_procs_read_uid(struct tk_procs *procs, uint32_t i);

/* Read the control group, and in a container the pid there. */
void tk_procs_read_group(struct tk_procs *procs, uint32_t i);

/* Take over the control group of another process, which is in the same ones. */
void tk_procs_share_group(struct tk_procs *procs, uint32_t i, uint32_t from);

/* Whether the process belongs to the tree and to the set, by what is known now. */
void tk_procs_judge(struct tk_procs *procs, uint32_t i);

/* Read how far the boot-time clock, by which starts are told, is ahead of the monotonic one. */
void tk_procs_follow_boot_clock(struct tk_procs *procs);

/* Start since boot in ticks of a process that began at a monotonic time. */
int64_t tk_procs_ticks_at(const struct tk_procs *procs, int64_t mono_ns);

/* Monotonic time at which a process began. 0 = not known. */
int64_t tk_procs_birth_ns(const struct tk_procs *procs, uint32_t i);

/* How a process ended. */
struct tk_end {
    const struct tk_exit_total *total; /* NULL = no record: the last reading of its clock counts */
    int64_t stamp_ns;                  /* monotonic */
    bool event;                        /* the stamp is that of an exit event */
    int status;                        /* as wait(2) gives it; -1 = not known */
};

/* Write the last rows of a process and take it out of the set. */
void tk_procs_end(struct tk_procs *procs, struct tk_rows *rows, uint32_t i,
                  const struct tk_end *end);

/* procs_sweep.c ----------------------------------------------------------------------- */

#define TK_AGE_NS (16 * TK_NS_PER_MS)

/* When something was read, in TK_AGE_NS. It wraps around in 17 minutes: in one second of them an
 * old reading passes for a young one, and waits a second more. */
static inline uint16_t tk_procs_age(int64_t mono_ns)
{
    return (uint16_t)(mono_ns / TK_AGE_NS);
}

/* Each process has its turn to be read, though idle, once in so long. */
static inline int64_t tk_procs_turn_ns(const struct tk_procs *procs)
{
    return tk_pace_slow_ns(procs->options.pace, 10 * TK_NS_PER_S);
}

/* Read the clocks and what they ask for, write rows. `all`: a row for each member. */
void tk_procs_sweep(struct tk_procs *procs, struct tk_rows *rows, bool all);

/* The row of this tick is being written, with this reading of the CPU clock. */
void tk_procs_take_reading(struct tk_procs *procs, uint32_t i, int64_t cpu_ns);

/* procs_walk.c ------------------------------------------------------------------------ */

/* Tiers B2 and B1: take what one walk in the kernel tells, and write its rows. Returns when the
 * walk ended. Where it fails, the tier is P from then on, which is counted. */
int64_t tk_procs_walk(struct tk_procs *procs, struct tk_rows *rows, uint32_t turn_from,
                      uint32_t turn_width);

/* The letter that stat shows of a task with this state (fs/proc/array.c). */
char tk_procs_state_letter(uint32_t state, uint32_t exit_state);

/* procs_threads.c --------------------------------------------------------------------- */

/* Tiers P and P0: read the threads of touched processes that ran, under a quota, and write rows of
 * those that moved. */
void tk_procs_read_threads(struct tk_procs *procs, struct tk_rows *rows);

/* Tiers B2 and B1: write rows of the threads that a walk told of. */
void tk_procs_take_threads(struct tk_procs *procs, struct tk_rows *rows,
                           const struct tk_walk *walk);

/* procs_slow.c ------------------------------------------------------------------------ */

/* Find out whether this kernel counts open files. */
void tk_procs_probe_fds(struct tk_procs *procs);

/* Count the open files of a process; read how many it may have. */
void tk_procs_read_fds(struct tk_procs *procs, uint32_t i);
void tk_procs_read_limits(struct tk_procs *procs, uint32_t i);

/* Its limit: hosts know few different ones, so that processes keep a place in the table of them. -1
 * = unknown. */
void tk_procs_set_fd_limit(struct tk_procs *procs, uint32_t i, int64_t limit);
int64_t tk_procs_fd_limit(const struct tk_procs *procs, uint32_t i);

/* PSS and swap of those whose turn it is, within the budget of this tick; nothing unless asked for.
 */
void tk_procs_read_pss(struct tk_procs *procs);

/* What was added up of a process that ends, beside the walks. Its identity has to be known. */
void tk_procs_take_extra(struct tk_procs *procs, uint32_t i);

/* procs_context.c --------------------------------------------------------------------- */

void tk_procs_contexts_init(struct tk_procs *procs);
void tk_procs_contexts_release(struct tk_procs_contexts *contexts);

/* A process has its first row, or executes another program: look where it belongs, soon and some
 * times more. Does nothing unless asked for. */
void tk_procs_await_context(struct tk_procs *procs, uint32_t i);

/* Where published Resources are found: "bpf", "maps" or "none". */
const char *tk_procs_context_source(const struct tk_procs *procs);

/* Look at those whose time has come, as far as the share of the time goes that is for it, and write
 * rows of what is known. */
void tk_procs_read_contexts(struct tk_procs *procs, struct tk_rows *rows);

/* procs_rows.c ------------------------------------------------------------------------ */

void tk_procs_put_metrics(struct tk_procs *procs, struct tk_rows *rows, uint32_t i,
                          int64_t stamp_ns);

/* The unchanged counters at the end of the last sweep, if no row says so yet. */
void tk_procs_put_pause(struct tk_procs *procs, struct tk_rows *rows, uint32_t i);

/* `status` of an exit, -1 = not known. */
void tk_procs_put_event(struct tk_procs *procs, struct tk_rows *rows, enum tk_event_kind kind,
                        uint32_t i, int64_t stamp_ns, int status);

/* `cpu_ns` is the total of the process. */
void tk_procs_put_exit(struct tk_procs *procs, struct tk_rows *rows, uint32_t i,
                       const struct tk_end *end, int64_t cpu_ns);

/* Where a process belongs; empty = not known. */
struct tk_proc_context {
    tk_str traceparent;
    tk_str container_id;
    tk_str pod_uid;
    tk_str resource; /* JSON */
};

/* Of process `i`. */
void tk_procs_put_context(struct tk_procs *procs, struct tk_rows *rows, uint32_t i,
                          const struct tk_proc_context *context, int64_t stamp_ns);

/* What is told of a thread. Times are ns; -1 = not told. */
struct tk_thread_reading {
    pid_t tid;
    int64_t start_ticks; /* since boot */
    char comm[TK_COMM_MAX];
    char state;
    int64_t cpu_ns, utime_ns, stime_ns;
    int64_t minflt, majflt, nvcsw, nivcsw, run_delay_ns;
};

/* Of process `i`. */
void tk_procs_put_thread(struct tk_procs *procs, struct tk_rows *rows, uint32_t i,
                         const struct tk_thread_reading *reading, int64_t stamp_ns);

/* procs_scan.c ------------------------------------------------------------------------ */

/* Call `visit` for each entry of an open folder whose name is a number. */
void tk_procs_each_number(struct tk_procs *procs, int fd,
                          void (*visit)(void *context, pid_t number), void *context);

/* The first look: everybody. What PROC_MATCH says now decides who is in the set. */
void tk_procs_start(struct tk_procs *procs, struct tk_rows *rows);

/* A process that was just put in and about which we know everything: judge it, and tell its birth
 * if it was born in the run. */
void tk_procs_welcome(struct tk_procs *procs, struct tk_rows *rows, uint32_t i);

/* Ask a pid whether it is a process, and who. */
void tk_procs_ask(struct tk_procs *procs, struct tk_rows *rows, pid_t pid);

/* After a loss of events: list /proc, add who is new, end who is gone, and ask who we know whether
 * they are still the same. Waits, with `rescan` still set, while it would take too much time. */
void tk_procs_rescan(struct tk_procs *procs, struct tk_rows *rows);

/* Without events: add those whose pids were given since the last look. */
void tk_procs_look(struct tk_procs *procs, struct tk_rows *rows);

/* A process that has vanished ends, unless its exit record may still be on its way. */
void tk_procs_miss(struct tk_procs *procs, struct tk_rows *rows, uint32_t i);

/* Ask who has this pid now: add it, and end the one that had it before. */
void tk_procs_check(struct tk_procs *procs, struct tk_rows *rows, pid_t pid);

/* Take in what the whitelist folder names now. */
void tk_procs_read_pid_dir(struct tk_procs *procs, struct tk_rows *rows);

/* Let tree and set spread over all generations, to those who were not sampled yet or to all. */
void tk_procs_join_families(struct tk_procs *procs, bool all);

/* procs_events.c ---------------------------------------------------------------------- */

/* Say once that a member was born. */
void tk_procs_tell_birth(struct tk_procs *procs, struct tk_rows *rows, uint32_t i,
                         int64_t stamp_ns);

/* Handle one event, as read or made by a test. */
void tk_procs_on_event(struct tk_procs *procs, struct tk_rows *rows, const struct tk_event *event);

/* Exit records that wait for their event since before `before_ns`. */
void tk_procs_end_late(struct tk_procs *procs, struct tk_rows *rows, int64_t before_ns);

/* procs_ring.c ------------------------------------------------------------------------ */

/* Likewise a record of BPF; of one that is no end only `event` is read. */
void tk_procs_on_record(struct tk_procs *procs, struct tk_rows *rows,
                        const struct tk_bpf_end *record);

#endif
