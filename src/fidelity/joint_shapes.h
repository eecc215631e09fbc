/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes: traces as trees of (service, operation). Two traces have one shape when their trees are
 * the same, children in the order of their starts; children that start at once stand by what is
 * below them, so that neither ids nor the order of rows matter. */
#ifndef TK_FIDELITY_JOINT_SHAPES_H
#define TK_FIDELITY_JOINT_SHAPES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "fidelity/topology_forest.h"

/* What makes a shape. */
struct tk_shape_options {
    bool with_errors; /* the status of each span too */
    bool unordered;   /* children in any order */
};

/* Hashes of shapes, the same on both sides. */
struct tk_shapes {
    uint64_t *traces; /* [traces] */
    uint64_t *rows;   /* [rows] of what begins with a row, its name among it */
};

/* Release them. -ENOMEM. */
TK_MUST_USE int tk_shapes_new(const struct tk_sides *sides, int side,
                              const struct tk_family *family,
                              const struct tk_shape_options *options, struct tk_shapes *ret_shapes,
                              struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_shapes_release(struct tk_shapes *shapes);

#endif
