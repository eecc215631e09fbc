/* SPDX-License-Identifier: Apache-2.0 */
/* A workload: the tasks of one or more runs, and the processes and nodes that they ran on, read
 * from run folders, merged runs and CCTF alike (opendc.md section 7, steps 1 to 3). Rows are
 * streamed; what is held is one record per node, task and process, and 24 bytes per reading of a
 * process that a task may need. One thread at a time. */
#ifndef TK_OPENDC_WORKLOAD_H
#define TK_OPENDC_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

#define TK_NONE UINT32_MAX

/* What becomes a task. */
enum tk_service_mode {
    TK_MODE_AUTO,    /* the first of split, service, node that the run has anything for */
    TK_MODE_SPLIT,   /* each invocation; CPU of a process is shared among those active at once */
    TK_MODE_SERVICE, /* each process, over its life within the run */
    TK_MODE_REQUEST, /* each invocation with the CPU time that it says itself, and nothing else */
    TK_MODE_NODE     /* each node, with the load of the whole machine */
};

/* Which frequency of a node its CPU time is multiplied by. */
enum tk_cpu_unit {
    TK_CPU_MAX, /* the highest, else the one that the run was recorded with */
    TK_CPU_BASE,
    TK_CPU_MEASURED /* mean of the readings in the run */
};

struct tk_workload_options {
    const char *const *folders; /* runs, or folders that hold runs at most three levels down */
    size_t folder_count;
    enum tk_service_mode mode;
    enum tk_cpu_unit cpu_unit;
    double reference_mhz; /* all nodes count as so fast; 0 = each as it is */
    double assumed_mhz;   /* of nodes that do not tell theirs; 0 = that is an error */
    double smt_factor;    /* capacity of a hardware thread beyond the first of its core; 0 = 1 */
    bool pid_joins;       /* join by the pid alone, as generations 1 and 2 did */
    bool takes_digests;   /* of large files, on threads of their own while they are read */
};

/* A run folder. Texts are in tk_workload.text. */
struct tk_folder {
    tk_str path;
    tk_str run_id;
    int dirfd;
    int64_t clk_tck;
    int64_t boot_us;     /* epoch; INT64_MIN = unknown */
    int64_t start_us;    /* first tick; INT64_MIN = unknown */
    int64_t interval_us; /* of process samples; 0 = unknown */
    bool is_ours;        /* CCTF 2: cpu_time_ms is of the thread that served */
    bool changed_only;   /* a process has no reading at ticks before which it did not run */
    bool has_trees;      /* some invocation has the total of its whole process tree */
    uint32_t first_node, node_count;
};

struct tk_node {
    tk_str node, host, stage, cpu_model, arch, kernel;
    uint32_t folder;
    int64_t cores;
    int64_t mem_bytes;
    int64_t threads_per_core;
    int64_t plain_mhz, base_mhz, max_mhz; /* 0 = unknown */
    double measured_sum;                  /* of readings of the frequency */
    int64_t measured_count;
    double mhz; /* the one in use, of a core */
    double idle_watt, max_watt;
};

/* A reading of a process: what it had used since its birth. */
struct tk_point {
    int64_t us; /* epoch */
    int64_t cpu_ns;
    int64_t rss_kb; /* -1 = unknown */
};

struct tk_points {
    struct tk_points *next;
    uint32_t count, cap;
    struct tk_point items[];
};

struct tk_file_digest;
struct tk_series;

struct tk_process {
    uint32_t node;
    uint32_t same_pid; /* the one with this pid before it; TK_NONE = none */
    int64_t pid;
    int64_t start_ticks; /* -1 = unknown */
    int64_t ppid;        /* -1 = unknown, so below */
    int64_t ns_pid;
    int64_t birth_us;    /* INT64_MIN = unknown */
    int64_t first_us;    /* first reading or exit */
    int64_t last_us;     /* last reading; INT64_MIN = none */
    int64_t last_ns;     /* CPU time then */
    int64_t exit_us;     /* INT64_MIN = unknown */
    int64_t exit_cpu_ns; /* -1 = unknown */
    int64_t exit_rss_kb; /* -1 = unknown */
    tk_str comm;
    tk_str container;
    struct tk_points *first, *last; /* in tk_workload.points */
    size_t point_count;
    uint32_t tasks;      /* that share it */
    uint32_t first_task; /* of those; go on with tk_task.next */
    uint32_t tree;       /* task whose tree it belongs to; TK_NONE = none */
    uint32_t next_in_tree;
    struct tk_series *shared; /* owned; only where several tasks share it */
};

/* How a task's CPU time is known. */
enum tk_cpu_known {
    TK_KNOWN_SAMPLES, /* total and course */
    TK_KNOWN_TOTAL,   /* the total; its course is taken as even */
    TK_KNOWN_NOTHING  /* an estimate: half a core */
};

struct tk_task {
    uint32_t node;
    uint32_t process; /* TK_NONE = not sampled */
    uint32_t next;    /* of the same process */
    uint32_t first_in_tree;
    uint32_t order; /* of arrival */
    tk_str name;
    tk_str trace, span, parent, module, instance, method, path, input, output, queue;
    int64_t pid;         /* as in the process table of the node; -1 = unknown */
    int64_t start_ticks; /* -1 = unknown */
    int64_t birth_us;    /* of the process, as the invocation says; INT64_MIN = unknown */
    int64_t enqueue_ms, start_ms, end_ms;
    int64_t submission_ms; /* enqueue, or earlier where a parent demands it */
    int64_t tree_cpu_ns;   /* total of its own process tree or control group; -1 = none */
    int64_t thread_cpu_ns; /* cpu_time_ms; -1 = none */
    int64_t rss_kb;        /* largest, as the invocation says; -1 = unknown */
    int64_t bytes_in, bytes_out, rd_bytes, wr_bytes; /* -1 = unknown, so below */
    int64_t status;
    int64_t req_cpu_units;
    int64_t req_mem_kb;
    bool is_command;      /* one process did it: method CLI, or it has a total of its own */
    bool is_thread_share; /* all that overlap on its process say their own CPU time */

    const uint32_t *parents, *children; /* indexes of tasks, ascending; in tk_workload.text */
    uint32_t parent_count, child_count;

    /* Set when the task is cut. */
    int32_t id;
    int32_t cpu_count;
    double cpu_capacity_mhz;
    int64_t mem_kb;
    int64_t duration_ms;
    int64_t cpu_ns;
    enum tk_cpu_known known;
    bool mem_is_estimate;
};

/* A file that was read. */
struct tk_input {
    uint32_t folder;
    tk_str name;
    uint64_t rows, bad_rows;
    tk_str first_bad;              /* "" = none */
    struct tk_file_digest *digest; /* of the file; owned; NULL = was not begun */
};

/* What was left out or guessed while reading. */
struct tk_workload_counts {
    int64_t invocations;     /* read */
    int64_t no_times;        /* without ts_start or ts_end: left out */
    int64_t negative;        /* ended before they began: left out */
    int64_t duplicates;      /* left out */
    int64_t late_enqueue;    /* enqueued after they began: taken as enqueued at the start */
    int64_t unknown_node;    /* rows of a node that the run does not know: left out */
    int64_t backward;        /* readings older than the one before: left out */
    int64_t samples;         /* readings of processes that were kept */
    int64_t processes;       /* that were kept */
    int64_t not_sampled;     /* tasks whose process has no reading */
    int64_t moved;           /* tasks whose submission a parent made earlier */
    int64_t edges;           /* between tasks */
    int64_t unattributed_ns; /* CPU time of processes of tasks while no task was active */
    int64_t bad_rows;
    int64_t damaged;         /* recordings that have lost blocks, or end within one */
    char first_damaged[400]; /* where, and what is lost; "" = none */
    char first_skipped[200]; /* the first invocation that was left out, and why; "" = none */
};

struct tk_workload {
    enum tk_service_mode mode; /* as it was done: never AUTO */
    bool mode_was_chosen;      /* because the run had nothing for the ones before */
    struct tk_folder *folders;
    struct tk_node *nodes;
    struct tk_process *processes;
    struct tk_task *tasks;
    struct tk_input *inputs;
    uint32_t folder_count, node_count, process_count, task_count, input_count;
    uint32_t *sorted; /* [task_count] indexes of tasks, by submission: the order of their ids */
    struct tk_workload_counts counts;
    struct tk_arena text;
    struct tk_arena points;
};

/* Read the runs. Fails with -ENOENT where there is no run or nothing to make a task of, and with
 * -ENODATA when the frequency or the cores of a node that has a task are unknown. */
TK_MUST_USE int tk_workload_new(const struct tk_workload_options *options,
                                struct tk_workload **ret_workload, struct tk_err *err);

/* Accepts NULL. */
void tk_workload_free(struct tk_workload *workload);

/* For TK_CLEANUP. */
void tk_workload_freep(struct tk_workload **workload);

#endif
