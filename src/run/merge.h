/* SPDX-License-Identifier: Apache-2.0 */
/* Merge: the nodes of one run become one CCTF folder (collect-and-cctf.md section 15). A node is
 * identified by label and host; where several hosts use one label, the host name becomes the node
 * id. Rows of each table are merged in the order of time, gain node and host, and are shifted to
 * the clock of one node where the offsets between clocks were measured. Streams: memory is bounded
 * by the number of inputs, not by their size. */
#ifndef TK_RUN_MERGE_H
#define TK_RUN_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "run/schemas.h"

#define TK_MERGE_INPUTS_MAX 1000
#define TK_MERGE_NODES_MAX  1000
#define TK_MERGE_NAME_MAX   128
#define TK_MERGE_PAIRS_MAX  256

struct tk_merge_options {
    /* Run folders, or folders that hold some at a depth of at most 3. A run that was not parsed, or
     * was changed since, is parsed into a folder beside the result that is removed again. */
    const char *const *folders;
    size_t folder_count;
    const char
        *to; /* the result: made here, or an empty folder, or one that an earlier merge made */

    const char *reference; /* node to whose clock times are shifted; NULL = the first */
    bool no_align;         /* leave all times as they are */
    bool must_align;       /* fail where a node's offset is not known, or too large */
    bool force;            /* shift by more than a second too */
    bool validate;         /* check the result; findings are told */

    /* Told what a user should know, one line each; NULL = nobody. */
    void (*say)(void *context, const char *line);
    void *context;
};

struct tk_merge_node {
    char id[TK_MERGE_NAME_MAX];    /* in the result */
    char label[TK_MERGE_NAME_MAX]; /* as it called itself */
    char alias[TK_MERGE_NAME_MAX]; /* id that an earlier merge gave it; "" = none */
    char host[TK_MERGE_NAME_MAX];  /* as known; made from the name of the folder where it is not */
    bool host_known;
    bool shifted;
    int64_t shift_us; /* largest shift by amount; 0 where the clock is not known */
    int64_t bound_us; /* largest error of the shifted times against the reference, or of the node's
                         clock by the kernel's word; -1 = unknown */
};

/* Calls from one node to another that contradict the clocks: the child starts before its parent. */
struct tk_merge_pair {
    size_t parent, child; /* nodes */
    uint64_t calls;       /* all from the one to the other */
    uint64_t violations;  /* earlier than the error bound allows */
    int64_t worst_us;
};

struct tk_merge_report {
    size_t input_count;
    struct tk_merge_node *nodes; /* owned */
    size_t node_count;
    struct tk_merge_pair pairs[TK_MERGE_PAIRS_MAX]; /* with calls between nodes, or violations */
    size_t pair_count;
    int64_t rows[TK_TABLE_COUNT];
    uint64_t duplicates; /* rows that two inputs of one node both had: dropped */
    uint64_t bad_rows;   /* that hold no object: dropped */
    uint64_t violations; /* of all pairs */
    uint64_t errors;     /* rules of verify that the result breaks, when it was to be validated */
    uint64_t warnings;
};

/* On failure nothing new is left. -ENOENT when a folder holds no run, -EEXIST when `to` holds
 * something else. Release the report also after a failure; it must be zeroed before. */
TK_MUST_USE int tk_merge(const struct tk_merge_options *options, struct tk_merge_report *ret_report,
                         struct tk_err *err);

/* Names of the files of a merge as generation 2 made it; NULL = not that one, but not both. */
struct tk_merge_files {
    const char *invocations;
    const char *proc_metrics; /* CPU time and memory of processes, intervals of no length left out;
                                 with the frequency of the node */
};

/* Merge into these files; options->to is not looked at. On failure neither is left half written. */
TK_MUST_USE int tk_merge_to_files(const struct tk_merge_options *options,
                                  const struct tk_merge_files *files,
                                  struct tk_merge_report *ret_report, struct tk_err *err);

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_merge_report_release(struct tk_merge_report *report);

/* The common name of the runs that the folders are: that of the first without "(c0)"; for the
 * default of `to`. */
void tk_merge_run_name(const char *folder, char ret_name[TK_MERGE_NAME_MAX]);

#endif
