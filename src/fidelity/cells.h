/* SPDX-License-Identifier: Apache-2.0 */
/* Sums and samples of two sides by key: what all measures are made of, so that a query over pairs
 * of spans is one walk and no product.
 *
 *     cells:   key -> sum of A, sum of B          (a hash; cells stand in order of their coming)
 *     samples: (cell, value, weight)              (sorted by cell, then value)
 *
 * Adding is sticky: a failure is remembered for tk_cells_check() and tk_samples_check(). One thread
 * at a time. */
#ifndef TK_FIDELITY_CELLS_H
#define TK_FIDELITY_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "fidelity/sides.h"

#define TK_CELL_NONE UINT32_MAX

struct tk_cell_key {
    int64_t part[3];
};

struct tk_cell {
    struct tk_cell_key key;
    double sums[TK_SIDES];
};

struct tk_cells { /* zeroed = empty */
    struct tk_cell *items;
    uint32_t *slots; /* index + 1; 0 = free */
    uint32_t count, max, mask;
    int failure;
};

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_cells_release(struct tk_cells *cells);

/* Take all cells out, keep the memory. */
void tk_cells_reset(struct tk_cells *cells);

/* Add to the sum of a side, making the cell when it is new; its index, or TK_CELL_NONE after a
 * failure. */
uint32_t tk_cells_add(struct tk_cells *cells, const struct tk_cell_key *key, int side,
                      double amount);

/* The index of a key; TK_CELL_NONE = none. */
uint32_t tk_cells_find(const struct tk_cells *cells, const struct tk_cell_key *key);

/* 0 or -ENOMEM. */
TK_MUST_USE int tk_cells_check(const struct tk_cells *cells, struct tk_err *err);

/* Sort the cells by key; they can be walked then but neither found nor added to until a reset. */
void tk_cells_sort(struct tk_cells *cells);

/* F1 of the sets of keys that have a sum on a side; NaN when neither has one. */
double tk_cells_f1(const struct tk_cells *cells);

struct tk_sample {
    uint32_t cell;
    double value, weight;
};

struct tk_samples { /* zeroed = empty */
    struct tk_sample *items;
    size_t count, max;
    int failure;
};

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_samples_release(struct tk_samples *samples);

/* Append a sample; a failure is remembered for tk_samples_check(). */
void tk_samples_add(struct tk_samples *samples, uint32_t cell, double value, double weight);

/* 0 or -ENOMEM. */
TK_MUST_USE int tk_samples_check(const struct tk_samples *samples, struct tk_err *err);

/* By cell, then value. */
void tk_samples_sort(struct tk_samples *samples);

/* Some sorted samples of one cell. */
struct tk_sample_run {
    const struct tk_sample *items;
    size_t count;
};

/* The run of a cell; `*at` walks the sorted samples as cells ask in ascending order. */
struct tk_sample_run tk_samples_of(const struct tk_samples *samples, uint32_t cell, size_t *at);

/* Wasserstein-1 of two weighted samples, each normalised to 1; both sorted and not empty. */
double tk_samples_w1(const struct tk_sample_run *a, const struct tk_sample_run *b);

/* Quantile q, 0..1, of a sorted run that is not empty: linear between values, which stand at the
 * middles of their weights; with equal weights the quantile of numpy. */
double tk_samples_quantile(const struct tk_sample_run *run, double q);

/* A mean that knows how many values it is of; NaN = of none. */
struct tk_mean {
    double sum;
    uint64_t count;
};

/* One value more. */
static inline void tk_mean_add(struct tk_mean *mean, double value)
{
    mean->sum += value;
    mean->count++;
}

/* The mean; NaN of none. */
double tk_mean_of(const struct tk_mean *mean);

#endif
