/* SPDX-License-Identifier: Apache-2.0 */
/* Controls: sets of traces that are wrong in a known way (trace-fidelity.md section 11). A measure
 * that likes one better than a real method does not see what is wrong with it. Safe from any
 * thread. */
#ifndef TK_FIDELITY_CONTROLS_H
#define TK_FIDELITY_CONTROLS_H

#include "fidelity/span_table.h"

struct tk_control {
    const char *name;  /* as in `tracekit fidelity control NAME` */
    const char *help;  /* one line, lower case: what is done */
    const char *shows; /* what a measure is blind to that likes it */
    bool is_floor;     /* made of real traces alone: how far apart two equally good sets are */
    const char *const *breaks; /* names of figures that ought to see it; ends with NULL */

    /* Make what is to be measured: `ret_a` against `ret_b`, or against `real` where `ret_b` stays
     * NULL. Both are NULL before; the caller frees them, also after a failure. -ENOMEM. */
    TK_MUST_USE int (*make)(const struct tk_span_table *real, uint64_t seed,
                            struct tk_span_table **ret_a, struct tk_span_table **ret_b,
                            struct tk_err *err);
};

extern const struct tk_control tk_control_halves;
extern const struct tk_control tk_control_uniform_starts;
extern const struct tk_control tk_control_constant_starts;
extern const struct tk_control tk_control_shuffled_attributes;
extern const struct tk_control tk_control_swapped_durations;

/* In the order of section 11; ends with NULL. */
extern const struct tk_control *const tk_controls[];

/* By name; NULL = none. */
const struct tk_control *tk_control_find(const char *name);

/* Whether figures of that group and name ought to see what is wrong with a control; totals never:
 * each control keeps what is counted over all. */
bool tk_control_breaks(const struct tk_control *control, const char *group, const char *name);

#endif
