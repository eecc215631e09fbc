/* SPDX-License-Identifier: Apache-2.0 */
/* The sampling loop: absolute deadlines on the monotonic clock (timerfd), rate classes, missed
 * ticks counted and never replayed (collector.md section 4). It is driven from outside: poll
 * tk_sampler_fd(), then call tk_sampler_step().
 *
 * A timerfd has no slack, so that PR_SET_TIMERSLACK, which a recorded command would inherit, is
 * left alone. Kernel events wait in their sockets for the next tick, or, where ticks are further
 * apart than these have room for, for a drain of their own: woken by each event, a fork storm would
 * be ours as well. */
#ifndef TK_COLLECT_SAMPLER_H
#define TK_COLLECT_SAMPLER_H

#include <stdint.h>

#include "collect/cgroups.h"
#include "collect/host.h"
#include "collect/procs.h"

struct tk_sampler;

struct tk_sampler_options {
    int64_t interval_ns;        /* of processes, 1 ms to 1 h */
    int64_t host_interval_ns;   /* of host, links, disks, cgroups; need not be a multiple */
    struct tk_host *host;       /* borrowed; NULL = none */
    struct tk_procs *procs;     /* borrowed; NULL = none */
    struct tk_cgroups *cgroups; /* borrowed; NULL = none */
};

struct tk_sampler_stats {
    int64_t ticks;
    int64_t missed_ticks; /* deadlines that passed while a tick was late; not replayed */
    int64_t late_max_ns, late_p50_ns, late_p99_ns; /* start of a tick after its deadline; the
                                                      percentiles to 1/8 */
    int64_t achieved_ns;                           /* mean distance of ticks; 0 before the second */
    int64_t drift_ns; /* last deadline minus (start + (ticks + missed - 1) * interval): 0 unless
                         a deadline was neither kept nor counted */
};

/* Of the ticks since the last time that somebody asked. */
struct tk_sampler_span {
    int64_t ticks, missed_ticks;
    int64_t late_max_ns, late_p50_ns; /* 0 without ticks; the median to 1/8 */
};

/* The first tick of each class is due at once. */
TK_MUST_USE int tk_sampler_new(const struct tk_sampler_options *options,
                               struct tk_sampler **ret_sampler, struct tk_err *err);

/* Accepts NULL; leaves what it borrowed alone. */
void tk_sampler_free(struct tk_sampler *sampler);

/* Readable when something is due. */
int tk_sampler_fd(const struct tk_sampler *sampler);

/* The longest time between two steps that are in time. */
int64_t tk_sampler_wake_ns(const struct tk_sampler *sampler);

/* Do what is due, flush `rows` and set the next deadline. Fails only as the sink of `rows` does,
 * and may be called again then. */
TK_MUST_USE int tk_sampler_step(struct tk_sampler *sampler, struct tk_rows *rows,
                                struct tk_err *err);

/* One last tick now, whatever is due, and the tail rows. */
TK_MUST_USE int tk_sampler_finish(struct tk_sampler *sampler, struct tk_rows *rows,
                                  struct tk_err *err);

/* Figures since the start. */
void tk_sampler_read_stats(const struct tk_sampler *sampler, struct tk_sampler_stats *ret_stats);

/* Figures since the last call, for one asker. */
void tk_sampler_take_span(struct tk_sampler *sampler, struct tk_sampler_span *ret_span);

/* System calls that waiting for the deadlines has taken so far: a poll and a setting of the timer
 * for each step. */
int64_t tk_sampler_syscalls(const struct tk_sampler *sampler);

#endif
