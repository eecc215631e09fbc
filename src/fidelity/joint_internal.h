/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the joint structure share (trace-fidelity.md section 10). */
#ifndef TK_FIDELITY_JOINT_INTERNAL_H
#define TK_FIDELITY_JOINT_INTERNAL_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "fidelity/cells.h"
#include "fidelity/figures.h"
#include "fidelity/sides.h"

/* What of B has to be seen this often to be compared. */
#define LEAST_EDGES        30  /* pairs of parent and child, for a correlation */
#define LEAST_EDGES_IN_A   10  /* fewer tell nothing */
#define LEAST_CHILD_ERRORS 5   /* for how errors propagate */
#define LEAST_P99          100 /* durations of an entry operation */
#define LEAST_P999         1000

struct joint {
    struct tk_sides sides;
    struct tk_figures *figures;
};

/* A service and an operation as one part of a key. */
static inline int64_t joint_operation(const struct joint *joint, int side, uint32_t row)
{
    const struct tk_span_table *table = joint->sides.tables[side];
    uint64_t service = tk_sides_text(&joint->sides, side, table->services[row]);
    return (int64_t)(service << 32 | tk_sides_text(&joint->sides, side, table->operations[row]));
}

/* Append a figure, all of which are strict; `reason` is for a mean of nothing. */
void joint_add(const struct joint *joint, const char *name, enum tk_figure_sense sense,
               const struct tk_mean *mean, const char *reason);

TK_MUST_USE int joint_edges(const struct joint *joint, struct tk_err *err);
TK_MUST_USE int joint_critical(const struct joint *joint, struct tk_err *err);
TK_MUST_USE int joint_shapes(const struct joint *joint, struct tk_err *err);
TK_MUST_USE int joint_tails(const struct joint *joint, struct tk_err *err);
TK_MUST_USE int joint_sizes(const struct joint *joint, struct tk_err *err);
TK_MUST_USE int joint_trigger(const struct joint *joint, struct tk_err *err);

#endif
