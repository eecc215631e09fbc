/* SPDX-License-Identifier: Apache-2.0 */
/* Series: CPU time as a function of time, known at some moments and straight in between (opendc.md
 * section 7, step 4). All values are integers, and what is cut between two moments telescopes, so
 * that the parts of a series add up to the whole. Pure: no shared state. */
#ifndef TK_OPENDC_SERIES_H
#define TK_OPENDC_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

struct tk_knot {
    int64_t us;      /* epoch */
    int64_t ns;      /* CPU time up to then */
    int32_t rss_kb;  /* largest reading at this moment; -1 = none */
    bool is_reading; /* a task may be cut here; else a moment that was derived */
};

struct tk_series {
    struct tk_knot *items; /* owned; us strictly ascending, ns not descending */
    size_t count;
    size_t cap;
};

/* Append a knot. One that is not later than the last only raises its value. -ENOMEM. */
TK_MUST_USE int tk_series_add(struct tk_series *series, struct tk_knot knot, struct tk_err *err);

/* Index of the first knot at `us` or later; the count when there is none. */
size_t tk_series_find(const struct tk_series *series, int64_t us);

/* Value at `us`, rounded down; before the first knot that of the first, after the last that of the
 * last. `near` is an index to begin the search at, such as that of an earlier moment; 0 is fine. */
int64_t tk_series_at(const struct tk_series *series, int64_t us, size_t near);

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_series_release(struct tk_series *series);

/* The same for one on the heap; accepts NULL. */
void tk_series_free(struct tk_series *series);

/* When a task is active on a process that several share. */
struct tk_turn {
    int64_t start_us, end_us; /* start < end */
    bool says_own;            /* it knows its own CPU time */
    bool ret_all_say;         /* set: so do all that overlap with it, and with those, and so on */
};

/* Share the CPU time of a process among tasks: at each instant those that are active have equal
 * shares (step 1). The result is the CPU time of one share, from which each task takes the
 * difference between its end and its start; its knots are those of `whole` and all starts and ends.
 *
 *   whole   CPU time of the process
 *   turns   [count] sorted by start
 *   ret_unattributed_ns  CPU time while none was active, and what a division left over: all tasks'
 *                        parts and this add up to the whole exactly, as far as `whole` reaches
 */
TK_MUST_USE int tk_series_share(const struct tk_series *whole, struct tk_turn *turns, size_t count,
                                struct tk_series *ret_share, int64_t *ret_unattributed_ns,
                                struct tk_err *err);

#endif
