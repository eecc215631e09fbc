/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of Gen-T's tasks that other measures use too (trace-fidelity.md section 6). */
#ifndef TK_FIDELITY_TASKS_H
#define TK_FIDELITY_TASKS_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "fidelity/cells.h"
#include "fidelity/sides.h"

/* F1 of the sets of (window of the parent's start, its service, the child's service) over all
 * edges: trigger_correlation with windows of `window_ns` of real time. NaN when there is no edge on
 * either side. -ENOMEM. */
TK_MUST_USE int tk_trigger_f1(const struct tk_sides *sides, int64_t window_ns, double *ret_f1,
                              uint64_t *ret_keys, struct tk_err *err);

/* A trace as Gen-T's graphs have it: a node may have several parents. */
struct tk_ratio_graph {
    const uint64_t *names; /* [nodes] */
    const int64_t *start_ns, *duration_ns;
    uint32_t nodes;
    const uint32_t (*edges)[2]; /* parent, child */
    uint32_t edge_count;
};

/* Where ratios go. */
struct tk_ratios {
    struct tk_cells cells; /* key: upper name, lower name; sums: how many */
    struct tk_samples samples[TK_SIDES];
    uint64_t left_out; /* nodes of whose paths some were not walked */
};

/* build_child_ratio_mapping: for each path from a node down to another the lower one's duration
 * over the upper one's. An edge to a child that starts before its parent is none; a node that took
 * no time is no upper one. At most `max_steps` edges are walked. -ENOMEM. */
TK_MUST_USE int tk_child_ratios(const struct tk_ratio_graph *graph, int side, double weight,
                                uint64_t max_steps, struct tk_ratios *ratios);

/* count_successes: what monitors of whole structures say of the real ones, by whether spans of such
 * a trace had issues. */
struct tk_alerts {
    uint64_t right;    /* both have issues: alerted_correctly */
    uint64_t failed;   /* the real one has: monitor_failed */
    uint64_t misfired; /* the real one has none: monitor_miss_fired */
    uint64_t silent;   /* neither has: didnt_alert_correctly */
};

/* `cells` has a sum a side: traces with issues of a structure in part 2 = 1, all of them in part 2
 * = 0. The compatible rule looks at structures of B alone. */
struct tk_alerts tk_alerts_count(const struct tk_cells *cells, enum tk_figure_rule rule);

#endif
