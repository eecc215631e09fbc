/* SPDX-License-Identifier: Apache-2.0 */
/* Values by combination and key, of two sides side by side: a hash table that grows, at most two
 * thirds full, 32 bytes a slot. An add is sticky: ask tk_pair_counts_check() at the end. One thread
 * at a time. */
#ifndef TK_FIDELITY_PAIR_COUNTS_H
#define TK_FIDELITY_PAIR_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/hash.h"

#define TK_KEY_NULL UINT64_MAX /* the key that SQL calls NULL */

/* A key and its values. */
struct tk_pair {
    uint64_t key;
    double values[2]; /* of a and b */
    uint32_t combination;
    uint8_t has; /* bit i: side i has the key; 0 = no pair */
};

/* Order by key, for qsort(). */
int tk_pair_cmp(const void *a, const void *b);

struct tk_pair_counts {
    struct tk_pair *slots; /* owned */
    size_t mask, count;
    int side; /* that is added to */
    int failure;
};

/* Empty; a zeroed struct is that too. Keeps the memory. */
void tk_pair_counts_reset(struct tk_pair_counts *counts);

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_pair_counts_release(struct tk_pair_counts *counts);

/* 0 or -ENOMEM. */
TK_MUST_USE int tk_pair_counts_check(const struct tk_pair_counts *counts, struct tk_err *err);

/* Make room for one more; false when there is none. */
bool tk_pair_counts_grow(struct tk_pair_counts *counts);

/* The pair of a key, which may be a new one; NULL without memory. */
static inline struct tk_pair *tk_pair_counts_find(struct tk_pair_counts *counts,
                                                  uint32_t combination, uint64_t key)
{
    if (3 * counts->count >= 2 * counts->mask && !tk_pair_counts_grow(counts))
        return NULL;
    size_t at = (size_t)tk_hash_mix(key, combination) & counts->mask;
    struct tk_pair *pair = &counts->slots[at];
    while (pair->has && (pair->key != key || pair->combination != combination)) {
        at = (at + 1) & counts->mask;
        pair = &counts->slots[at];
    }
    if (!pair->has) {
        *pair = (struct tk_pair){.key = key, .combination = combination};
        counts->count++;
    }
    return pair;
}

/* Add to the value of a key. */
static inline void tk_pair_counts_add(struct tk_pair_counts *counts, uint32_t combination,
                                      uint64_t key, double amount)
{
    struct tk_pair *pair = tk_pair_counts_find(counts, combination, key);
    if (!pair)
        return;
    pair->values[counts->side] += amount;
    pair->has |= (uint8_t)(1U << counts->side);
}

/* Make the value of a key the largest of what is offered. */
static inline void tk_pair_counts_raise(struct tk_pair_counts *counts, uint32_t combination,
                                        uint64_t key, double value)
{
    struct tk_pair *pair = tk_pair_counts_find(counts, combination, key);
    if (!pair)
        return;
    bool is_first = !(pair->has & 1U << counts->side);
    if (is_first || value > pair->values[counts->side])
        pair->values[counts->side] = value;
    pair->has |= (uint8_t)(1U << counts->side);
}

/* Hand all pairs out, by combination, in no order inside: [*ret_ends of combination c - 1, that of
 * c). Both arrays are the caller's to free; the counts are empty then. -ENOMEM. */
TK_MUST_USE int tk_pair_counts_take(struct tk_pair_counts *counts, size_t combinations,
                                    struct tk_pair **ret_pairs, size_t **ret_ends,
                                    struct tk_err *err);

#endif
