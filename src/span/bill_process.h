/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a run as the join with spans sees them: who, from when to when, started by whom,
 * and where they belong. Built from proc_metrics, proc_exit and proc_context, in any order of the
 * tables; a process is (host, pid, start ticks). One thread at a time. */
#ifndef TK_SPAN_BILL_PROCESS_H
#define TK_SPAN_BILL_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/map.h"
#include "span/bill_meter.h"
#include "span/propagation.h"
#include "span/texts.h"
#include "table/batch.h"

struct tk_bill_process {
    int64_t pid, start_ticks;
    int64_t start_ns; /* birth, epoch; INT64_MIN = before the recording, unknown */
    int64_t end_ns;   /* end, epoch; INT64_MAX = it outlived the recording, or nobody saw its end */
    int64_t seen_ns;  /* of its first row */
    int64_t ppid;     /* as first seen; -1 = unknown */
    int64_t ns_pid;   /* in its container; -1 = the same, or unknown */
    uint32_t host;    /* text; 0 = not told */
    uint32_t comm;
    uint32_t parent; /* index; TK_BILL_NONE = unknown. Set by tk_bill_processes_finish() */
    uint32_t container_id, pod_uid, resource; /* texts; 0 = not known; resource is JSON */
    bool has_trace;
    struct tk_traceparent trace; /* of its environment */
};

struct tk_bill_processes {
    struct tk_bill_process *items; /* [count], owned */
    uint32_t count, cap;
    uint32_t *by_pid; /* [count], owned: by (host, pid, start); set by finish */
    struct tk_map by_key;
    struct tk_texts texts;
    int64_t boot_ns; /* epoch time of the boot; 0 = unknown */
    int64_t clk_tck; /* ticks per second */
};

/* An empty table; `clk_tck` 0 = 100. */
TK_MUST_USE int tk_bill_processes_init(struct tk_bill_processes *processes, int64_t boot_ns,
                                       int64_t clk_tck, struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_bill_processes_release(struct tk_bill_processes *processes);

/* Take in a row of that table. Returns 0, or -ENOMEM. */
TK_MUST_USE int tk_bill_processes_add_sample(struct tk_bill_processes *processes,
                                             const struct tk_batch *batch, size_t row);
TK_MUST_USE int tk_bill_processes_add_exit(struct tk_bill_processes *processes,
                                           const struct tk_batch *batch, size_t row);
TK_MUST_USE int tk_bill_processes_add_context(struct tk_bill_processes *processes,
                                              const struct tk_batch *batch, size_t row);

/* All rows are in: find parents, and let children that told nothing themselves have the container
 * and the environment of their parents. -ENOMEM. */
TK_MUST_USE int tk_bill_processes_finish(struct tk_bill_processes *processes, struct tk_err *err);

/* The process of a row of proc_metrics or proc_exit; TK_BILL_NONE = it is not in. */
uint32_t tk_bill_processes_find_sample(const struct tk_bill_processes *processes,
                                       const struct tk_batch *batch, size_t row);
uint32_t tk_bill_processes_find_exit(const struct tk_bill_processes *processes,
                                     const struct tk_batch *batch, size_t row);

/* The process that had this pid on that host (text id; 0 = any) at a time; TK_BILL_NONE. After
 * finish. */
uint32_t tk_bill_processes_at(const struct tk_bill_processes *processes, uint32_t host, int64_t pid,
                              int64_t time_ns);

/* Whether the process lived at any time of [from_ns, to_ns]. */
static inline bool tk_bill_process_overlaps(const struct tk_bill_process *process, int64_t from_ns,
                                            int64_t to_ns)
{
    return process->start_ns <= to_ns && process->end_ns >= from_ns;
}

/* The time of a row: its column of microseconds, else that of milliseconds, in ns; -1 = none. */
int64_t tk_bill_stamp_ns(const struct tk_batch *batch, size_t row, size_t us_column,
                         size_t ms_column);

#endif
