/* SPDX-License-Identifier: Apache-2.0 */
/* What a job leaves on disk while it runs: records, one for everything that happened to it. They
 * are JSON by the tables of step/job.h, so that a step's attributes and measured parts stand in a
 * record as they will in the job document. Counters of the host are raw; the document is computed
 * from two of them. What is absent follows the rule of step/job.h. */
#ifndef TK_STEP_RECORD_H
#define TK_STEP_RECORD_H

#include "collect/host_view.h"
#include "step/job.h"

struct tk_step_disk {
    tk_str dev;
    int64_t reads, sectors_read, read_ms, writes, sectors_written, write_ms;
    int64_t busy_ms, queue_ms, sectors_discarded, flushes, flush_ms;
};

struct tk_step_disks {
    struct tk_step_disk *items;
    size_t count;
};

/* A file system. */
struct tk_step_room {
    tk_str path;
    double total_mb, free_mb;
};

struct tk_step_rooms {
    struct tk_step_room *items;
    size_t count;
};

/* The host at one moment: ticks, bytes, microseconds, pages since boot. */
struct tk_step_host {
    int64_t user, nice, system, idle, iowait, irq, softirq, steal; /* ticks; guest is in user */
    int64_t memory_total, memory_available;
    int64_t swapped_out, major_faults, oom_kills;
    int64_t cpu_some_us, io_some_us, io_full_us, memory_some_us, memory_full_us;
    double load1;
    int64_t rx_bytes, tx_bytes, tcp_retrans, tcp_segments;
    struct tk_step_disks disks;
    struct tk_step_rooms rooms;
};

/* A process and all those that it waited for, at one moment. */
struct tk_step_usage {
    int64_t user_ns, system_ns, major_faults;
    int64_t rd_chars, wr_chars, rd_bytes, wr_bytes, cancelled_bytes;
};

/* `kind` of a step that ran in a virtual machine and was told of by its log. */
#define TK_STEP_KIND_VM "vm"

enum tk_step_verb {
    TK_STEP_INIT,     /* the first record: the job */
    TK_STEP_START,    /* a step began */
    TK_STEP_END,      /* ... ended */
    TK_STEP_GONE,     /* its owner ended without saying so, seen by the watcher */
    TK_STEP_NOTE,     /* marks, measures of a step, artifacts of the job */
    TK_STEP_FINALIZE, /* the last: the document was written */
    TK_STEP_VERBS
};

/* "init", "start", ...; by enum tk_step_verb. */
extern const char *const tk_step_verbs[TK_STEP_VERBS];

struct tk_step_record {
    tk_str verb;
    tk_str span;               /* of the step; "" = of the job */
    int64_t real_ns, boot_ns;  /* when; CLOCK_REALTIME and CLOCK_BOOTTIME */
    int64_t owner, owner_born; /* pid of shell or wrapper, and its start in ticks since boot */
    int64_t pid_ns;            /* number of the namespace in which `owner` is a pid */
    tk_str cgroup;             /* as of tk_cgroup_leaf_describe() */
    int64_t private;           /* truth: the job was made for one command */
    struct tk_step_usage usage;
    struct tk_step_host host;
    struct tk_job_step step; /* what is known of the step */
    struct tk_job job;       /* what is known of the job */
};

extern const struct tk_job_shape tk_step_record_shape;

/* A record of this kind, stamped now; all else is absent. */
void tk_step_record_init(struct tk_step_record *record, enum tk_step_verb verb, tk_str span);

/* True when the record is of this kind. */
bool tk_step_record_is(const struct tk_step_record *record, enum tk_step_verb verb);

/* Take over the counters of the host, and how much room "/" and the working folder have. The names
 * of disks are copied to `arena`; one that is full leaves them out. */
void tk_step_host_take(struct tk_step_host *host, const struct tk_host_view *view,
                       struct tk_arena *arena);

/* Read what a process has used. False when it is gone or may not be read. */
bool tk_step_usage_read(const struct tk_kernel *kernel, pid_t pid, struct tk_step_usage *ret);

/* Parent and start of a process; false when it is gone. */
bool tk_step_process_read(const struct tk_kernel *kernel, pid_t pid, pid_t *ret_parent,
                          int64_t *ret_born);

#endif
