/* SPDX-License-Identifier: Apache-2.0 */
/* Names of spans as Gen-T has them, `service*k`: the k-th span of that service in its trace by
 * start (trace-compression.md section 15.5). A name is one number that is the same on both sides;
 * no two spans of a trace share one, so that a set of edges "a-b" tells a tree. */
#ifndef TK_FIDELITY_NODE_NAMES_H
#define TK_FIDELITY_NODE_NAMES_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/hash.h"
#include "fidelity/sides.h"

/* The names of all rows of a side; the caller frees them. -ENOMEM. */
TK_MUST_USE int tk_node_names_new(const struct tk_sides *sides, int side, uint64_t **ret_names,
                                  struct tk_err *err);

/* A set of edges, in any order: two sums of hashes. Zeroed = no edge. */
struct tk_structure {
    uint64_t part[2];
};

/* One edge more. */
static inline void tk_structure_add(struct tk_structure *structure, uint64_t parent, uint64_t child)
{
    uint64_t edge = tk_hash_mix(parent, child);
    structure->part[0] += edge;
    structure->part[1] += tk_hash_mix(edge, parent ^ 0x5851F42D4C957F2DULL);
}

#endif
