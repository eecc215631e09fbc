/* SPDX-License-Identifier: Apache-2.0 */
/* What happened in a run, in figures, computed from its tables in one pass and in memory that
 * follows the processes alive at once. Any folder will do: recorded, still recording, left behind
 * by a recorder that was killed, imported from raw logs, or cctf/ alone; what a table does not give
 * stays unknown (-1, NaN, an empty text).
 *
 * Figures of the command are of its whole process tree; figures of the host are of the machine,
 * whoever caused them. */
#ifndef TK_RUN_SUMMARY_H
#define TK_RUN_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "base/err.h"
#include "run/range.h"
#include "run/tally.h"
#include "run/timeline.h"

#define TK_SUMMARY_MAX_CONTAINERS 256

enum tk_state {
    TK_STATE_STOPPED, /* ended in order */
    TK_STATE_ACTIVE,  /* a recorder writes to it now */
    TK_STATE_BROKEN,  /* no end was written and no recorder lives: it was killed */
    TK_STATE_FOREIGN, /* made by other tools or an old version, imported or not */
    TK_STATE_CALLS,   /* programs wrote their invocations: wrap, adapt, the library; no recorder */
};

/* The command that the run was made for. */
struct tk_summary_command {
    bool known;         /* which command it was */
    bool measured;      /* what it used: else the figures below are unknown */
    const tk_str *argv; /* secrets redacted when it was recorded */
    size_t argc;
    int64_t exit_status; /* 128 + signal when it was killed; -1 = not known */
    int64_t start_ns, end_ns;
    int64_t cpu_ns, user_ns, system_ns;
    tk_str cpu_source; /* "bpf", "taskstats", "cgroup", "rusage"; "" = sum of what was sampled */
    int64_t mem_peak_bytes; /* of the tree at once, from its control group */
    int64_t max_rss_bytes;  /* of the largest process */
    int64_t rd_bytes, wr_bytes;
    int64_t throttled_ns;
    int64_t run_delay_ns; /* runnable but waiting for a CPU, all processes together */
    int64_t io_wait_ns;   /* likewise, waiting for block I/O */
    int64_t processes;
    int64_t left_running;
};

/* Stall times of the whole machine (PSI). */
enum tk_stall {
    TK_STALL_CPU,
    TK_STALL_IO,
    TK_STALL_IO_FULL, /* all tasks at once */
    TK_STALL_MEMORY,
    TK_STALL_MEMORY_FULL,
    TK_STALL_COUNT
};

struct tk_summary_host {
    tk_str kernel, cpu_model, virt, iface;
    int64_t cores;           /* usable */
    double cpu_limit_cores;  /* quota of our control group; NaN = none */
    int64_t mem_total_bytes; /* -1 = unknown */
    int64_t swap_total_bytes;

    int64_t cpu_rows;
    int64_t covered_ns; /* time that CPU rows cover */
    double busy;        /* share of all cores, 0..1; NaN without CPU rows */
    double full_share;  /* share of the time in which all cores were busy for 90 % or more */
    double iowait, steal;
    int64_t throttled_ns; /* our own control group */
    int64_t forks, oom_kills, major_faults, tcp_retransmits;

    int64_t mem_used_peak_bytes; /* total - available; where only free memory is known, - free */
    bool mem_used_is_not_free;   /* the latter: the page cache is in it */
    int64_t swap_in_bytes, swap_out_bytes;

    int64_t stall_ns[TK_STALL_COUNT];
    int64_t stall_covered_ns; /* time that the stall figures cover */

    int64_t disk_rd_bytes, disk_wr_bytes;
    tk_str busiest_disk; /* by the time in which it was busy; "" = no figures per disk */
    double disk_busy;    /* of that disk, 0..1 */
    double disk_await_ms;

    int64_t net_rx_bytes, net_tx_bytes; /* of iface */
    double link_Bps;                    /* speed of the link; NaN = unknown */
    double link_busy;                   /* the larger direction at its fastest reading, by speed */
};

/* A container, by its control group. Figures within the run; -1 = not known. */
struct tk_summary_container {
    tk_str name, cgroup;
    tk_str called, pod, namespace; /* by their names; "" = not known */
    int64_t cpu_ns;
    int64_t mem_peak_bytes; /* largest reading */
    int64_t rd_bytes, wr_bytes;
    int64_t throttled_ns;
};

/* Threads, of a run that has rows of them. */
#define TK_SUMMARY_BUSIEST 3

struct tk_summary_thread {
    int64_t pid, tid;
    int64_t cpu_ns; /* within the run */
    char comm[16];
};

struct tk_summary_threads {
    int64_t count;
    struct tk_summary_thread busiest[TK_SUMMARY_BUSIEST]; /* by CPU, most first */
    size_t busiest_count;
};

/* Requests, tasks and commands of the run. */
struct tk_summary_invocations {
    int64_t count;
    int64_t failed; /* exit code other than 0, or HTTP status from 400 */
    int64_t median_ns, p99_ns, max_ns;
};

/* How good the data is. Counts are -1 when the run does not say. */
struct tk_summary_quality {
    tk_str tier, rung, exit_source, proc_rows;
    double interval_requested_ms, interval_achieved_ms, host_interval_ms; /* NaN = unknown */
    int64_t min_good_interval_ms;
    int64_t ticks, missed_ticks, late_max_us, late_p99_us;
    int64_t lost_exits, dropped_events, dropped_rows;
    int64_t own_cpu_ms, own_rss_kb;
    double own_calls_per_tick, own_Bps; /* system calls, bytes written; NaN = unknown */
    int rss_exact;                      /* 0, 1; -1 = unknown */
    const tk_str *notices;
    size_t notice_count;
    int64_t rows;      /* read for this summary */
    int64_t bad_rows;  /* that did not parse */
    int64_t torn_rows; /* last lines that were cut short */
    tk_str first_bad;  /* "proc_metrics.jsonl: line 17: ..."; "" = none */
};

struct tk_summary {
    enum tk_state state;
    tk_str name; /* of the folder: tells the nodes of a run apart */
    tk_str run_id, node, host_name, stage, tool_version;
    const tk_str *other_nodes; /* of a merged run: those that this summary is not of; in `text` */
    size_t other_node_count;
    int64_t start_ns, end_ns; /* epoch; the end of an unfinished run is its last row */
    struct tk_summary_command command;
    struct tk_summary_host host;
    struct tk_summary_invocations invocations;
    struct tk_summary_threads threads;
    struct tk_summary_quality quality;
    struct tk_tally_totals tree, others; /* others: without a command, all processes */
    const struct tk_tally_group *groups; /* by CPU, most first */
    size_t group_count;
    const struct tk_summary_container *containers; /* by CPU, most first; in `text` */
    size_t container_count;
    int64_t containers_left_out; /* rows of groups beyond TK_SUMMARY_MAX_CONTAINERS */
    struct tk_timeline timeline;

    struct tk_tally *tally; /* owned; holds the groups */
    struct tk_arena text;   /* owned; holds the texts */
};

/* Zero = all of the run. */
struct tk_summary_options {
    const char *node; /* where several nodes were merged, the one to summarise, by its label or its
                         host name; NULL = the first */
    const struct tk_range *range; /* rows of other times are left out, blocks of a recording not
                                     decoded; what run.json and the command's invocation tell stays
                                     that of the whole, and a notice says so. NULL = all times */
};

/* Summarise the run in `folder` (a run folder, or its cctf/). Fails with -ENOENT when the folder is
 * no run, has no such node or nothing of that time, -EBADMSG when no table of it can be read. Free
 * it. */
TK_MUST_USE int tk_summary_new(const char *folder, const struct tk_summary_options *options,
                               struct tk_summary **ret_summary, struct tk_err *err);
void tk_summary_free(struct tk_summary *summary);

/* For TK_CLEANUP. */
void tk_summary_freep(struct tk_summary **summary);

#endif
