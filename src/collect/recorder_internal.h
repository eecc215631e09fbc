/* SPDX-License-Identifier: Apache-2.0 */
/* The recorder's own state, shared by recorder.c (the loop) and recorder_run.c (run.json). */
#ifndef TK_COLLECT_RECORDER_INTERNAL_H
#define TK_COLLECT_RECORDER_INTERNAL_H

#include <pthread.h>

#include "base/buf.h"
#include "collect/gpu.h"
#include "collect/recorder.h"
#include "collect/relay.h"

#define TK_TEXTS_MAX      256
#define TK_PRIVILEGES_MAX 8

/* Texts for a list of run.json, one after the other in `bytes`. */
struct tk_recorder_texts {
    struct tk_buf bytes;
    size_t ends[TK_TEXTS_MAX];
    size_t n;
    int64_t left_out;
};

/* Measures the delay of the link beside the loop. */
struct tk_prober {
    pthread_t thread;
    bool running;
    const struct tk_kernel *kernel;
    const char *iface, *vm_ip;
    int dirfd;
};

/* What recording took since the start. */
struct tk_self_totals {
    int64_t cpu_ns;
    int64_t syscalls; /* of the sampling thread */
    int64_t bytes, lost_events, dropped_rows;
};

struct tk_recorder {
    struct tk_recorder_options options;
    char host_name[TK_NODE_NAME_MAX];
    char iface[64];
    char kernel_release[65]; /* as uname(2) has it */
    struct tk_kernel kernel;
    struct tk_run_writer *writer;
    struct tk_relay *relay;
    struct tk_rows *rows;
    struct tk_host *host;
    struct tk_procs *procs;
    struct tk_cgroups *cgroups;
    struct tk_gpu *gpu; /* NULL = no driver of NVIDIA here */
    struct tk_sampler *sampler;
    struct tk_prober prober;
    int lock_fd;
    int status_fd; /* /proc/self/status */
    struct tk_recorder_texts argv, command, notices;
    tk_str privileges[TK_PRIVILEGES_MAX]; /* at the start */
    size_t privilege_count;
    bool rss_exact;
    int64_t start_ms; /* epoch; of the first recorder of this folder */
    int64_t stop_ms;  /* 0 = it runs */
    int exit_status;
    bool has_exit_status;
    bool has_leaf;
    bool cgroups_walked; /* at the start */

    struct tk_self_totals self; /* at the last row of self.jsonl */
    struct tk_budget budget;
    int64_t self_ns;  /* monotonic time of it */
    int64_t syscalls; /* of the sampling thread that its parts do not count */

    int64_t start_ns;                      /* monotonic time when sampling began */
    int64_t flushed_ns, clock_ns, meta_ns; /* monotonic time of the last one */
    bool settled;                          /* memory that only the start took was given back */
    int64_t wall_offset_ns;                /* wall clock minus monotonic clock, when last seen */
    bool failing;                          /* the last write failed, and on_failure was told */
    int64_t dropped_before;                /* rows dropped before that */
};

/* Append a text; over TK_TEXTS_MAX they are counted. */
void tk_recorder_texts_add(struct tk_recorder_texts *texts, tk_str text);

/* Append a command line, redacted: one given (NULL = none), and that of this process. */
void tk_recorder_texts_add_argv(struct tk_recorder_texts *texts, char *const *argv);
void tk_recorder_texts_add_own_argv(struct tk_recorder_texts *texts);

/* Find out what the header states about this kernel. */
void tk_recorder_probe(struct tk_recorder *recorder);

/* Make the row of run.json as things stand; the caller frees it. */
TK_MUST_USE int tk_recorder_make_run(struct tk_recorder *recorder, struct tk_batch **ret_row,
                                     struct tk_err *err);

/* CPU time of this process, ns. */
int64_t tk_recorder_cpu_ns(struct tk_recorder *recorder);

/* Begin the account with what recording, not starting, takes; then append a row of self.jsonl with
 * what was taken since the last one. */
void tk_recorder_start_self(struct tk_recorder *recorder);
void tk_recorder_put_self(struct tk_recorder *recorder, int64_t now);

/* Give back the memory that starting took, and lock what is left of it; the peak that run.json
 * tells begins here. Once, when all that recording runs on has run. */
void tk_recorder_settle_memory(const struct tk_recorder *recorder);

/* Keep the start of an earlier recording into the same folder. */
void tk_recorder_read_start(struct tk_recorder *recorder);

#endif
