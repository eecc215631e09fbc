/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/shape_counts.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "codec/grammar.h"

#define COUNTS_MAX ((size_t)1 << 30)

void tk_shape_counts_init(struct tk_shape_counts *shapes)
{
    *shapes = (struct tk_shape_counts){0};
    tk_buf_init(&shapes->counts, COUNTS_MAX);
}

void tk_shape_counts_release(struct tk_shape_counts *shapes)
{
    tk_map_release(&shapes->numbers);
    tk_map_release(&shapes->subtrees);
    tk_buf_release(&shapes->counts);
}

/* The count of a shape, 0 when it is new; NULL without memory. */
static uint64_t *count_of(struct tk_shape_counts *shapes, uint64_t hash)
{
    uint32_t number = (uint32_t)(shapes->counts.n / sizeof(uint64_t));
    if (!tk_map_find(&shapes->numbers, hash, &number)) {
        const uint64_t none = 0;
        tk_buf_put(&shapes->counts, (tk_str){(const char *)&none, sizeof(none)});
        if (!tk_buf_ok(&shapes->counts) || tk_map_add(&shapes->numbers, hash, number) < 0)
            return NULL;
    }
    return (uint64_t *)(void *)shapes->counts.p + number;
}

/* Add the counts of a block, [shape]. */
static int add_counts(struct tk_shape_counts *shapes, const struct tk_grammar *grammar,
                      const struct tk_subtree_hash *hashes, const uint32_t *counts)
{
    for (uint32_t i = 0; i < grammar->subtree_count; i++) {
        if (grammar->subtrees[i].symbol != TK_GRAMMAR_TOP &&
            tk_map_add(&shapes->subtrees, tk_hash_mix(hashes[i].a, hashes[i].b), 0) < 0)
            return -ENOMEM;
    }
    for (uint32_t shape = 0; shape < grammar->shape_count; shape++) {
        const struct tk_subtree_hash *hash = &hashes[grammar->shapes[shape]];
        uint64_t *count = count_of(shapes, tk_hash_mix(hash->a, hash->b));
        if (!count)
            return -ENOMEM;
        *count += counts[shape];
        shapes->traces += counts[shape];
    }
    return 0;
}

static int add(struct tk_shape_counts *shapes, const struct tk_forest *forest,
               struct tk_grammar *grammar, struct tk_err *err)
{
    size_t traces = (size_t)forest->trace_count + 1;
    uint32_t *of_traces = calloc(traces, 2 * sizeof(*of_traces));
    if (!of_traces)
        return -ENOMEM;
    uint32_t *counts = of_traces + traces;
    struct tk_subtree_hash *hashes = NULL;
    int rc = tk_grammar_build(grammar, forest, of_traces, err);
    if (rc == 0) {
        hashes = malloc(((size_t)grammar->subtree_count + 1) * sizeof(*hashes));
        rc = hashes ? 0 : -ENOMEM;
    }
    if (rc == 0) {
        for (uint32_t trace = 0; trace < forest->trace_count; trace++)
            counts[of_traces[trace]]++;
        tk_grammar_hash(grammar, forest, hashes);
        rc = add_counts(shapes, grammar, hashes, counts);
    }
    free(hashes);
    free(of_traces);
    return rc;
}

int tk_shape_counts_add(struct tk_shape_counts *shapes, const struct tk_forest *forest,
                        struct tk_err *err)
{
    struct tk_grammar grammar = {0};
    int rc = tk_grammar_init(&grammar, forest->trace_count, forest->node_count, err);
    rc = rc < 0 ? rc : add(shapes, forest, &grammar, err);
    tk_grammar_release(&grammar);
    return rc < 0 ? tk_fail(err, rc, "shapes of traces: out of memory") : 0;
}

void tk_shape_counts_describe(const struct tk_shape_counts *shapes,
                              struct tk_shape_counts_info *ret_info)
{
    const uint64_t *counts = (const uint64_t *)(const void *)shapes->counts.p;
    double bits = 0;
    *ret_info = (struct tk_shape_counts_info){.traces = shapes->traces,
                                              .shapes = shapes->counts.n / sizeof(*counts),
                                              .subtrees = shapes->subtrees.count};
    for (uint64_t i = 0; i < ret_info->shapes; i++) {
        ret_info->once += counts[i] == 1;
        bits += (double)counts[i] * log2((double)shapes->traces / (double)counts[i]);
    }
    ret_info->entropy_bits = shapes->traces > 0 ? bits / (double)shapes->traces : 0;
}
