/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/pair_counts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS ((size_t)1 << 12)

int tk_pair_cmp(const void *a, const void *b)
{
    uint64_t x = ((const struct tk_pair *)a)->key;
    uint64_t y = ((const struct tk_pair *)b)->key;
    return (x > y) - (x < y);
}

void tk_pair_counts_reset(struct tk_pair_counts *counts)
{
    if (counts->slots && counts->count > 0)
        memset(counts->slots, 0, (counts->mask + 1) * sizeof(*counts->slots));
    counts->count = 0;
    counts->side = 0;
}

void tk_pair_counts_release(struct tk_pair_counts *counts)
{
    free(counts->slots);
    *counts = (struct tk_pair_counts){0};
}

int tk_pair_counts_check(const struct tk_pair_counts *counts, struct tk_err *err)
{
    return counts->failure < 0 ? tk_fail(err, counts->failure, "queries: out of memory") : 0;
}

bool tk_pair_counts_grow(struct tk_pair_counts *counts)
{
    size_t slots = counts->slots ? 2 * (counts->mask + 1) : FIRST_SLOTS;
    struct tk_pair *more = calloc(slots, sizeof(*more));
    if (!more) {
        counts->failure = -ENOMEM;
        return false;
    }
    for (size_t i = 0; counts->slots && i <= counts->mask; i++) {
        const struct tk_pair *pair = &counts->slots[i];
        if (!pair->has)
            continue;
        size_t at = (size_t)tk_hash_mix(pair->key, pair->combination) & (slots - 1);
        while (more[at].has)
            at = (at + 1) & (slots - 1);
        more[at] = *pair;
    }
    free(counts->slots);
    counts->slots = more;
    counts->mask = slots - 1;
    return true;
}

/* Sort the pairs by combination: `ends` come in zeroed. */
static void place(const struct tk_pair_counts *counts, size_t combinations, struct tk_pair *pairs,
                  size_t *ends)
{
    size_t sum = 0;
    for (size_t i = 0; i <= counts->mask; i++) {
        if (counts->slots[i].has)
            ends[counts->slots[i].combination]++;
    }
    for (size_t c = 0; c < combinations; c++) {
        size_t count = ends[c];
        ends[c] = sum;
        sum += count;
    }
    for (size_t i = 0; i <= counts->mask; i++) {
        if (counts->slots[i].has)
            pairs[ends[counts->slots[i].combination]++] = counts->slots[i];
    }
}

int tk_pair_counts_take(struct tk_pair_counts *counts, size_t combinations,
                        struct tk_pair **ret_pairs, size_t **ret_ends, struct tk_err *err)
{
    int rc = tk_pair_counts_check(counts, err);
    if (rc < 0)
        return rc;
    struct tk_pair *pairs = calloc(counts->count + 1, sizeof(*pairs));
    size_t *ends = calloc(combinations + 1, sizeof(*ends));
    if (!pairs || !ends) {
        free(pairs);
        free(ends);
        return tk_fail(err, -ENOMEM, "queries: out of memory");
    }
    if (counts->count > 0)
        place(counts, combinations, pairs, ends);
    tk_pair_counts_reset(counts);
    *ret_pairs = pairs;
    *ret_ends = ends;
    return 0;
}
