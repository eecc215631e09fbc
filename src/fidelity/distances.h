/* SPDX-License-Identifier: Apache-2.0 */
/* How far apart two results of a query are: key by key the values of both sides (trace-fidelity.md
 * sections 4 and 5). 0 = the same. Pure functions but for the order of `pairs`, which they change.
 */
#ifndef TK_FIDELITY_DISTANCES_H
#define TK_FIDELITY_DISTANCES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "fidelity/pair_counts.h"

/* Results of one combination of parameters. */
struct tk_results {
    struct tk_pair *pairs; /* [n] each key once */
    size_t n;
    double *scratch; /* [4 * (n + 1)] */
};

/* Sides that have a key: bit 0 = a, bit 1 = b. */
unsigned tk_results_sides(const struct tk_results *results);

/* PandoraTrace's: both sides normalised to 1, each sorted on the union of the keys, mean absolute
 * difference, in [0, 2 / n). Which key has which value does not matter. A side that sums to 0 is
 * zero everywhere. TK_KEY_NULL on both sides among other keys counts twice, as in pandas 1.5, if
 * `has_null`. Both sides must have keys. */
double tk_distance_compat(const struct tk_results *results, bool has_null);

/* Total variation of what was counted: sum |a - b| / (sum a + sum b). In [0, 1]. */
double tk_distance_counts(const struct tk_results *results);

/* Total variation of the shares of the keys. In [0, 1]. */
double tk_distance_shares(const struct tk_results *results);

/* Mean over the keys of |a - b| / (|a| + |b|), 1 where a side has none, 0 where both are 0. */
double tk_distance_relative(const struct tk_results *results);

/* How far log2 of what the keys stand for has to move, as shares: 1 = 4 doublings, and more is no
 * worse. What has no logarithm is moved at cost 1. Durations, 0 has none; or steps of
 * TK_RATIO_STEPS a doubling (queries.h), TK_KEY_NULL has none. In [0, 1]. */
double tk_distance_durations(const struct tk_results *results);
double tk_distance_ratios(const struct tk_results *results);

#endif
