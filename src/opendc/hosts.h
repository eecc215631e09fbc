/* SPDX-License-Identifier: Apache-2.0 */
/* Load and power of hosts over time, as they were measured and as OpenDC simulated them (opendc.md
 * sections 12 and 14). Times are ms from the first submission. One thread at a time. */
#ifndef TK_OPENDC_HOSTS_H
#define TK_OPENDC_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "opendc/workload.h"

/* A mean over an interval. */
struct tk_interval {
    double from_ms, to_ms, value;
};

struct tk_intervals {
    struct tk_interval *items; /* owned; ascending, none overlaps the next */
    size_t count, cap;
};

/* Append one; one that begins before the last ends is cut to what is new, or left out. -ENOMEM. */
TK_MUST_USE int tk_intervals_add(struct tk_intervals *spans, struct tk_interval span,
                                 struct tk_err *err);

/* Mean over an interval, weighted by time; NaN when the spans cover less than half of it. */
double tk_intervals_mean(const struct tk_intervals *spans, double from_ms, double to_ms);

struct tk_host {
    char name[128];           /* as in the topology */
    struct tk_intervals util; /* share of all cores, 0..1 */
    struct tk_intervals watt;
    double counter_ms, counter_uj; /* last change of the energy counter; NaN = none */
};

struct tk_hosts {
    struct tk_host *items; /* owned */
    size_t count, cap;
};

/* From host_metrics of a run, into zeroed `hosts`; `origin_ms` is the first submission, epoch.
 * `node` is the only one wanted, by its name in exports, or NULL. Power is what the energy counter
 * says between two of its changes. */
TK_MUST_USE int tk_hosts_read_measured(struct tk_hosts *hosts, struct tk_workload *workload,
                                       const char *node, double origin_ms, struct tk_err *err);

/* From host.parquet in a folder of OpenDC's output: 0; -ENOENT without one, -EBADMSG when a column
 * is missing. */
TK_MUST_USE int tk_hosts_read_simulated(struct tk_hosts *hosts, const char *folder,
                                        struct tk_err *err);

/* The host of that name; where both sides have a single one, that. NULL = none. */
const struct tk_host *tk_hosts_find(const struct tk_hosts *hosts, const char *name, bool is_only);

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_hosts_release(struct tk_hosts *hosts);
void tk_intervals_release(struct tk_intervals *spans);

#endif
