/* SPDX-License-Identifier: Apache-2.0 */
/* Incidents among normal traffic: which traces of an incident go where among those of a system that
 * is well (trace-fidelity.md section 18.3). Traces are numbers here, in the order of their starts.
 */
#ifndef TK_LAB_MERGE_H
#define TK_LAB_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

struct tk_lab_pick {
    bool is_incident;
    uint32_t trace; /* of its set */
};

/* What is merged; to be freed. */
struct tk_lab_picks {
    struct tk_lab_pick *items;
    size_t count;
};

struct tk_lab_exp {
    double lambda;  /* incidents come every 1 / lambda traces; above 0 */
    uint64_t least; /* merged traces with which running out of incident ones is no failure */
    uint64_t seed;
};

/* PandoraTrace's merge_with_exp: walk the benign traces with a counter from Exp(lambda); at 0 or
 * below one trace from the END of the incident's takes the place of the benign one and the counter
 * is drawn anew, else the benign one is taken and the counter falls by 1. Ends with the benign
 * traces, or where incident ones run out with more than `least` merged. -ENODATA when they run out
 * before, -EINVAL, -ENOMEM. */
TK_MUST_USE int tk_lab_merge_exp(uint32_t benign, uint32_t incident,
                                 const struct tk_lab_exp *options, struct tk_lab_picks *ret_picks,
                                 struct tk_err *err);

/* Starts of the traces of a set, ascending. */
struct tk_lab_starts {
    const int64_t *ns;
    uint32_t count;
};

/* A window of the benign time line. */
struct tk_lab_window {
    int64_t start_ns, length_ns;
};

/* Let the incident happen in a window: its traces move so that the first one starts with the
 * window, take the place of the benign ones that start in it, and those that would start after it
 * are left out. Picks stand by start. -ENODATA when there is no incident trace, -ENOMEM. */
TK_MUST_USE int tk_lab_merge_window(const struct tk_lab_starts *benign,
                                    const struct tk_lab_starts *incident,
                                    const struct tk_lab_window *window, int64_t *ret_shift_ns,
                                    struct tk_lab_picks *ret_picks, struct tk_err *err);

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_lab_picks_release(struct tk_lab_picks *picks);

#endif
