/* SPDX-License-Identifier: Apache-2.0 */
/* The text files of /proc/PID, and /proc/loadavg: what a sample needs of each (proc_pid_stat(5),
 * proc_pid_statm(5), proc_pid_io(5), proc_pid_status(5), proc_pid_schedstat in
 * Documentation/scheduler/sched-stats.rst). Pure functions without allocation, safe from any
 * thread. Each returns 0 or -EBADMSG, and leaves `*ret` untouched then. */
#ifndef TK_COLLECT_PROCS_PARSE_H
#define TK_COLLECT_PROCS_PARSE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "base/str.h"

#define TK_COMM_MAX 16 /* 15 bytes and a NUL, as the kernel has it */

/* Copy a name, cut to 15 bytes. */
void tk_comm_set(char comm[TK_COMM_MAX], tk_str name);

/* /proc/PID/stat. Everything after `start_ticks` may be missing in lines of old kernels: -1. */
struct tk_pid_stat {
    pid_t pid, ppid, pgrp, session;
    char comm[TK_COMM_MAX];
    char state;
    int64_t minflt, majflt;
    int64_t utime_ticks, stime_ticks;            /* all threads, live and dead */
    int64_t cmajflt, cutime_ticks, cstime_ticks; /* of children that it waited for, and theirs */
    int64_t threads;
    int64_t start_ticks; /* since boot */
    int64_t rss_pages;   /* near: since Linux 6.2 a sum of per-CPU counters that may lag */
};

/* The name may hold spaces, parentheses and newlines: it ends at the last ')'. */
TK_MUST_USE int tk_pid_stat_parse(tk_str text, struct tk_pid_stat *ret);

/* Second number of /proc/PID/statm: resident pages. */
TK_MUST_USE int tk_pid_statm_parse(tk_str text, int64_t *ret_rss_pages);

/* Bytes that went to and came from block devices. */
struct tk_pid_io {
    int64_t rd_bytes, wr_bytes;
};
TK_MUST_USE int tk_pid_io_parse(tk_str text, struct tk_pid_io *ret);

/* All of it that is bytes. Those of children that it waited for are in it. */
struct tk_pid_io_all {
    int64_t rd_chars, wr_chars; /* by read() and write() calls */
    int64_t rd_bytes, wr_bytes; /* from and to block devices, when the pages were made dirty */
    int64_t cancelled_bytes;    /* of the latter, dropped again before they were written */
};
TK_MUST_USE int tk_pid_io_all_parse(tk_str text, struct tk_pid_io_all *ret);

/* /proc/PID/status: the numbers of the main thread; -1 = the line is missing. */
struct tk_pid_status {
    pid_t ns_pid; /* in the innermost pid namespace: last of NSpid */
    int64_t nvcsw, nivcsw;
};
TK_MUST_USE int tk_pid_status_parse(tk_str text, struct tk_pid_status *ret);

/* /proc/PID/schedstat of the main thread, or that of a task: ns that it had a CPU, and that it
 * waited for one. */
struct tk_pid_schedstat {
    int64_t run_ns, run_delay_ns;
};
TK_MUST_USE int tk_pid_schedstat_parse(tk_str text, struct tk_pid_schedstat *ret);

/* /proc/PID/limits: files that it may have open (the soft limit); INT64_MAX = any number. */
TK_MUST_USE int tk_pid_limits_parse(tk_str text, int64_t *ret_open_files);

/* /proc/PID/smaps_rollup, KiB; -1 = the line is missing. */
struct tk_pid_rollup {
    int64_t pss_kb, swap_kb;
};
TK_MUST_USE int tk_pid_rollup_parse(tk_str text, struct tk_pid_rollup *ret);

/* Last number of /proc/loadavg: the pid given last, process or thread, in our namespace. */
TK_MUST_USE int tk_last_pid_parse(tk_str text, pid_t *ret_pid);

#endif
