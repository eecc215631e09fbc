/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/forest.h"

#include <errno.h>

#define DICTIONARY_BYTES ((size_t)512 << 20) /* of address space */

/* Bytes of all arrays, with what aligning them may take. */
static size_t bytes_of(size_t traces, size_t nodes)
{
    size_t trace = sizeof(uint32_t) + sizeof(int64_t);
    size_t node = sizeof(struct tk_symbol) + 3 * sizeof(uint32_t) + 2 * sizeof(int64_t);
    return traces * trace + nodes * node + 8 * sizeof(max_align_t) + 4096;
}

int tk_forest_init(struct tk_forest *forest, uint32_t max_traces, uint32_t max_nodes,
                   struct tk_err *err)
{
    *forest = (struct tk_forest){.tick_ns = 1};
    if (max_traces > TK_FOREST_MAX_TRACES || max_nodes > TK_FOREST_MAX_NODES) {
        return tk_fail(err, -EMSGSIZE,
                       "block of %u traces and %u spans: at most %u and %u are allowed", max_traces,
                       max_nodes, TK_FOREST_MAX_TRACES, TK_FOREST_MAX_NODES);
    }
    int rc = tk_texts_init(&forest->dictionary, DICTIONARY_BYTES, err);
    if (rc == 0)
        rc = tk_arena_init(&forest->memory, bytes_of(max_traces, max_nodes), err);
    if (rc < 0)
        return rc;
    struct tk_arena *memory = &forest->memory;
    forest->symbols = tk_arena_alloc(memory, max_nodes * sizeof(*forest->symbols));
    forest->trace_ends = tk_arena_alloc(memory, max_traces * sizeof(*forest->trace_ends));
    forest->trace_starts = tk_arena_alloc(memory, max_traces * sizeof(*forest->trace_starts));
    forest->node_symbols = tk_arena_alloc(memory, max_nodes * sizeof(*forest->node_symbols));
    forest->sizes = tk_arena_alloc(memory, max_nodes * sizeof(*forest->sizes));
    forest->starts = tk_arena_alloc(memory, max_nodes * sizeof(*forest->starts));
    forest->durations = tk_arena_alloc(memory, max_nodes * sizeof(*forest->durations));
    forest->rows = tk_arena_alloc(memory, max_nodes * sizeof(*forest->rows));
    return 0;
}

void tk_forest_release(struct tk_forest *forest)
{
    tk_texts_release(&forest->dictionary);
    tk_arena_release(&forest->memory);
    *forest = (struct tk_forest){0};
}

void tk_forest_parents(const struct tk_forest *forest, uint32_t *ret_parents)
{
    uint32_t begin = 0;
    for (uint32_t trace = 0; trace < forest->trace_count; trace++) {
        uint32_t end = forest->trace_ends[trace];
        for (uint32_t k = begin; k < end; k += forest->sizes[k])
            ret_parents[k] = TK_FOREST_TOP;
        begin = end;
    }
    for (uint32_t i = 0; i < forest->node_count; i++) {
        for (uint32_t k = i + 1; k < i + forest->sizes[i]; k += forest->sizes[k])
            ret_parents[k] = i;
    }
}
