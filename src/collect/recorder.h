/* SPDX-License-Identifier: Apache-2.0 */
/* The recorder: a sampler whose rows go to the files of a run folder. Rows are written at each
 * second at the latest (of a compact run each ten ticks), so that kill -9 loses no more; run.json
 * is rewritten as counters move. When a write fails (disk full, folder gone) the failure is told
 * once through `on_failure`, the file is cut back to its last whole line, rows are dropped and
 * counted, and writing is tried again each second. From the first step on a thread of its own
 * writes (collect/relay.h): give up privileges before. */
#ifndef TK_COLLECT_RECORDER_H
#define TK_COLLECT_RECORDER_H

#include "collect/node.h"
#include "collect/sampler.h"
#include "run/run.h"

struct tk_recorder;

/* Descriptors with which a recorder keeps all files open that are worth it: 2,000 of processes,
 * those of control groups. With fewer it opens and closes more: see tk_fd_limit_raise(). */
#define TK_RECORDER_FDS 8192

struct tk_recorder_options {
    const char *root;   /* "/" */
    const char *folder; /* of the run; made when missing */
    struct tk_node_options node;
    struct tk_procs_options procs; /* node and host are filled in by the recorder */
    bool no_procs;                 /* PROC_SAMPLING other than 1 */
    bool per_core;
    bool compact; /* one recording in place of a JSON Lines file per table; a crash may then cost 10
                     ticks, and a second */
    int64_t interval_ns, host_interval_ns;
    double cpu_budget;       /* share of one CPU past which slow readings are stretched; 0 = none */
    const char *gpu_library; /* of NVML; NULL = that of the driver, "" = none */
    char *const *command;    /* that is recorded; NULL = none */

    /* Told when writing fails and when it works again, one line; may be NULL. */
    void (*on_failure)(void *context, const char *message);
    void *context;
};

/* Make the folder and its meta files, take its lock, open the sources, write the first tick. The
 * options and what they point to are borrowed for the life of the recorder. -EBUSY when another
 * recorder is at work there. */
TK_MUST_USE int tk_recorder_new(const struct tk_recorder_options *options,
                                struct tk_recorder **ret_recorder, struct tk_err *err);

/* Poll this, then step. A step tells what came of the writing that steps before it began; it fails
 * only when recording cannot go on: the folder was removed (-ENOENT). */
int tk_recorder_fd(const struct tk_recorder *recorder);
TK_MUST_USE int tk_recorder_step(struct tk_recorder *recorder, struct tk_err *err);

/* For record: the child whose tree is to be followed, and how it ended (0..255). */
void tk_recorder_set_tree_root(struct tk_recorder *recorder, pid_t pid);
void tk_recorder_set_exit_status(struct tk_recorder *recorder, int exit_status);

/* The command runs in a control group of its own: without exit records that is rung B. */
void tk_recorder_set_leaf(struct tk_recorder *recorder);

/* What a reader of the run should know, one sentence, for run.json. */
void tk_recorder_add_notice(struct tk_recorder *recorder, const char *notice);

/* The NIC that is sampled; "" = none. */
const char *tk_recorder_iface(const struct tk_recorder *recorder);

/* The shortest time in ms over which CPU times of this recording are good to 2 %; 0 = unknown. */
int64_t tk_recorder_good_interval_ms(const struct tk_recorder *recorder);

/* What is under it, for the report. Borrowed. */
const struct tk_kernel *tk_recorder_kernel(const struct tk_recorder *recorder);
struct tk_procs *tk_recorder_procs(struct tk_recorder *recorder);

/* The folder's descriptor, borrowed. */
int tk_recorder_dirfd(const struct tk_recorder *recorder);

/* Last tick, tail rows, stop time, counters, fsync, and the lock is given back. Waits for the disk.
 * Fails when that could not be written, -ENOENT when the folder was removed; of a failure that
 * on_failure was told of, `err` has only how many rows it cost. */
TK_MUST_USE int tk_recorder_finish(struct tk_recorder *recorder, struct tk_err *err);

/* Accepts NULL. */
void tk_recorder_free(struct tk_recorder *recorder);

#endif
