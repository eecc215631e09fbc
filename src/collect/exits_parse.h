/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of the two kernel sources of process events: the proc connector (linux/cn_proc.h) and
 * the exit records of taskstats (linux/taskstats.h, Documentation/accounting/taskstats.rst). Pure
 * functions over the payload of one netlink message, every size checked; safe from any thread. */
#ifndef TK_COLLECT_EXITS_PARSE_H
#define TK_COLLECT_EXITS_PARSE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "base/str.h"
#include "collect/procs_parse.h"

enum tk_event_kind {
    TK_EVENT_OTHER, /* not of interest, but part of the sequence */
    TK_EVENT_ACK,   /* answer to a request to listen, ours or another process's */
    TK_EVENT_FORK,
    TK_EVENT_EXEC,
    TK_EVENT_EXIT,
};

/* One message of the proc connector. A thread is (tid, pid) with tid != pid. */
struct tk_event {
    enum tk_event_kind kind;
    uint32_t cpu; /* that it happened on: `seq` counts per CPU, without gap unless one was lost */
    uint32_t seq;
    uint32_t ack;    /* of an ACK: one more than the request's */
    int64_t mono_ns; /* CLOCK_MONOTONIC */
    pid_t tid, pid;  /* of a FORK: the child */
    pid_t parent;    /* of a FORK: process that forked; of an EXIT: parent, 0 = kernel too old */
    int status;      /* of an EXIT: as wait(2) gives it; of an ACK: 0 or an errno */
};

/* Decode the payload of a connector message. -EBADMSG when it is not one of the proc connector, or
 * is cut short. */
TK_MUST_USE int tk_event_parse(tk_str payload, struct tk_event *ret);

/* What one thread, or a whole thread group, had used at its exit. Counters that the record lacks
 * are 0. */
struct tk_task_record {
    int version;    /* of the kernel's struct, 8..16 known */
    pid_t tid, pid; /* pid 0: the kernel is older than version 12 and does not say */
    pid_t ppid;     /* parent process */
    bool last;      /* last thread of its process (version 12); of a group: always */
    bool forked;    /* never called exec */
    bool group;     /* sums of a thread group: only pid, cpu_ns, run_delay_ns, nvcsw, nivcsw */
    int status;     /* as wait(2) gives it */
    int64_t uid;    /* real user */
    char comm[TK_COMM_MAX];
    int64_t cpu_ns; /* as of the scheduler's last look at the thread: up to one tick too little */
    int64_t user_us, system_us; /* by tick, not scaled to cpu_ns */
    int64_t elapsed_us;         /* life of the thread */
    int64_t group_elapsed_us;   /* life of the process so far (version 12), else 0 */
    int64_t max_rss_kb;         /* high-water mark of the process */
    int64_t rd_bytes, wr_bytes; /* block devices */
    int64_t minflt, majflt, nvcsw, nivcsw;
    int64_t run_delay_ns;   /* runnable, but waiting for a CPU */
    int64_t runs;           /* times that it was put on a CPU; 0 = not counted by this kernel */
    int64_t blkio_delay_ns; /* 0 unless kernel.task_delayacct is on */
};

/* Decode the payload (after the generic netlink header) of a TASKSTATS message. A message of the
 * last thread of a process that had several also carries the sums of the group. Returns the number
 * of records, 0 to 2, or -EBADMSG. */
TK_MUST_USE int tk_task_records_parse(tk_str payload, struct tk_task_record ret[2]);

#endif
