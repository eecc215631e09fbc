/* SPDX-License-Identifier: Apache-2.0 */
/* The programs of a tree of processes, by what they had used when they ended: from the kernel's
 * events of forks, which tell who belongs to the tree, and its records of exits. Both are needed
 * (collect/exits_feed.h); where they are not to be had nothing is told. One thread at a time. */
#ifndef TK_STEP_TREE_H
#define TK_STEP_TREE_H

#include "collect/kernel.h"
#include "step/job.h"

struct tk_tree;

/* Begin to listen. Returns -EOPNOTSUPP where this host does not tell of both. */
TK_MUST_USE int tk_tree_new(const struct tk_kernel *kernel, struct tk_tree **ret_tree,
                            struct tk_err *err);

/* Accepts NULL. */
void tk_tree_free(struct tk_tree *tree);

/* Tell the root of the tree, a child of ours that has not forked yet. */
void tk_tree_begin(struct tk_tree *tree, pid_t root);

/* Take what the kernel told since the last time: of a busy machine some thousand events a second.
 */
void tk_tree_drain(struct tk_tree *tree);

/* Processes that the tree ever had; TK_JOB_NONE when some may have been missed. */
int64_t tk_tree_count(const struct tk_tree *tree);

/* The five programs with most CPU time, of processes that have ended. Their names are copied to
 * `arena`. */
void tk_tree_top(const struct tk_tree *tree, struct tk_job_processes *ret, struct tk_arena *arena);

#endif
