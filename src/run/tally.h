/* SPDX-License-Identifier: Apache-2.0 */
/* Who used what: folds the rows of proc_metrics and proc_exit into totals per program name.
 *
 * Rows are to come roughly by time. A process that is alive is held as one record; its exit adds
 * what it used to its group and lets go of it, so that memory follows the processes alive at once,
 * not those that ever lived. What a process had used before the run began is not counted. One
 * thread at a time. */
#ifndef TK_RUN_TALLY_H
#define TK_RUN_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "table/batch.h"

#define TK_COMM_MAX 16

struct tk_tally_options {
    int64_t start_ns;         /* of the run, epoch */
    int64_t boot_ns;          /* epoch time of the boot; 0 = unknown */
    int64_t clk_tck;          /* ticks per second; 0 = 100 */
    int64_t root_pid;         /* root of the tree that is told apart; 0 = none */
    int64_t root_start_ticks; /* 0 = unknown */
};

/* The processes of one name, in or out of the tree. Figures are -1 when no row had them. */
struct tk_tally_group {
    char comm[TK_COMM_MAX]; /* as recorded, may hold any byte; "pid 4711" in files without names */
    bool in_tree;
    int64_t processes;
    int64_t cpu_ns;        /* within the run */
    int64_t max_rss_bytes; /* largest one process */
    int64_t rd_bytes, wr_bytes;
};

struct tk_tally_totals {
    int64_t processes;
    int64_t cpu_ns;
    int64_t max_rss_bytes;
    char max_rss_comm[TK_COMM_MAX]; /* of the process with the largest resident set */
    int64_t rd_bytes, wr_bytes;
    int64_t run_delay_ns; /* runnable but waiting for a CPU, as far as known; -1 = not known */
    int64_t io_wait_ns;   /* likewise, waiting for block I/O */
};

struct tk_tally;

/* An empty tally. Fails with -ENOMEM. */
TK_MUST_USE int tk_tally_new(const struct tk_tally_options *options, struct tk_tally **ret_tally,
                             struct tk_err *err);

/* Accepts NULL. */
void tk_tally_free(struct tk_tally *tally);

/* Add a row of proc_metrics or of proc_exit. Returns 0 or -ENOMEM. */
TK_MUST_USE int tk_tally_add_sample(struct tk_tally *tally, const struct tk_batch *batch,
                                    size_t row);
TK_MUST_USE int tk_tally_add_exit(struct tk_tally *tally, const struct tk_batch *batch, size_t row);

/* Of a part of a run: what was added so far only told who is there and where counters stood, and
 * from here on it counts. */
void tk_tally_restart(struct tk_tally *tally);

/* Add what is still alive to its groups and order them by CPU, then name; once, at the end.
 * Returns 0 or -ENOMEM. */
TK_MUST_USE int tk_tally_finish(struct tk_tally *tally);

/* After tk_tally_finish(). Borrowed. */
size_t tk_tally_read_groups(const struct tk_tally *tally, const struct tk_tally_group **ret_groups);
void tk_tally_read_totals(const struct tk_tally *tally, bool in_tree,
                          struct tk_tally_totals *ret_totals);

#endif
