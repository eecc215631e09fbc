/* SPDX-License-Identifier: Apache-2.0 */
/* Traces to shapes: most traces are known by their arrays at once (5 ns a span); what is new is
 * taken apart from the leaves up, and each subtree looked for among those that are there. */
#include "codec/grammar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "codec/draw.h"

int tk_grammar_init(struct tk_grammar *grammar, uint32_t traces, uint32_t nodes, struct tk_err *err)
{
    *grammar = (struct tk_grammar){
        .max_subtrees = traces + nodes, .max_runs = nodes, .max_shapes = traces};
    size_t subtrees = (size_t)grammar->max_subtrees * sizeof(*grammar->subtrees);
    size_t runs = (size_t)nodes * sizeof(*grammar->runs);
    size_t shapes = (size_t)traces * sizeof(*grammar->shapes);
    int rc = tk_arena_init(&grammar->memory, subtrees + runs + shapes + 4096, err);
    if (rc < 0)
        return rc;
    grammar->subtrees = tk_arena_alloc(&grammar->memory, subtrees);
    grammar->runs = tk_arena_alloc(&grammar->memory, runs);
    grammar->shapes = tk_arena_alloc(&grammar->memory, shapes);
    return 0;
}

void tk_grammar_release(struct tk_grammar *grammar)
{
    tk_arena_release(&grammar->memory);
    *grammar = (struct tk_grammar){0};
}

/* Numbers found by hash of what they stand for, which the owner compares. */
struct finder {
    uint32_t *slots;  /* number + 1; owned */
    uint64_t *hashes; /* of slots; owned */
    uint32_t mask;
    uint32_t count;
};

static void finder_release(struct finder *finder)
{
    free(finder->slots);
    free(finder->hashes);
}

static int finder_grow(struct finder *finder)
{
    uint32_t mask = finder->slots ? finder->mask * 2 + 1 : 255;
    struct finder more = {.mask = mask, .count = finder->count};
    more.slots = calloc((size_t)mask + 1, sizeof(*more.slots));
    more.hashes = calloc((size_t)mask + 1, sizeof(*more.hashes));
    if (!more.slots || !more.hashes) {
        finder_release(&more);
        return -ENOMEM;
    }
    for (size_t i = 0; finder->slots && i <= finder->mask; i++) {
        uint32_t at = (uint32_t)finder->hashes[i] & mask;
        while (finder->slots[i] != 0 && more.slots[at] != 0)
            at = (at + 1) & mask;
        if (finder->slots[i] == 0)
            continue;
        more.slots[at] = finder->slots[i];
        more.hashes[at] = finder->hashes[i];
    }
    finder_release(finder);
    *finder = more;
    return 0;
}

/* Room for one more; before a search that may add. */
static int finder_reserve(struct finder *finder)
{
    return !finder->slots || 2 * (finder->count + 1) > finder->mask + 1 ? finder_grow(finder) : 0;
}

struct grammar_building {
    struct tk_grammar *grammar;
    const struct tk_forest *forest;
    struct finder subtrees, shapes;
    uint32_t *firsts;   /* [shape] the first trace that has it */
    uint32_t *of_nodes; /* [node of the trace at hand] its subtree */
};

/* Whether the last subtree, which is being made, equals subtree `i`. */
static bool is_last_equal(const struct tk_grammar *grammar, uint32_t i)
{
    const struct tk_subtree *a = &grammar->subtrees[grammar->subtree_count];
    const struct tk_subtree *b = &grammar->subtrees[i];
    uint32_t n = a->run_end - a->run_begin;
    return a->symbol == b->symbol && n == b->run_end - b->run_begin &&
           memcmp(&grammar->runs[a->run_begin], &grammar->runs[b->run_begin],
                  n * sizeof(*grammar->runs)) == 0;
}

/* Add a child to the subtree that is being made. */
static void add_child(struct tk_grammar *grammar, uint32_t child)
{
    struct tk_subtree *made = &grammar->subtrees[grammar->subtree_count];
    made->size += grammar->subtrees[child].size;
    if (made->run_end > made->run_begin && grammar->runs[made->run_end - 1].subtree == child) {
        grammar->runs[made->run_end - 1].count++;
    } else {
        grammar->runs[made->run_end++] = (struct tk_grammar_run){child, 1};
    }
}

/* Find or add the subtree of a symbol over the nodes [begin, end), whose own are known. */
static uint32_t find_subtree(struct grammar_building *building, uint32_t symbol, uint32_t first,
                             uint32_t begin, uint32_t end)
{
    struct tk_grammar *grammar = building->grammar;
    struct finder *finder = &building->subtrees;
    struct tk_subtree *made = &grammar->subtrees[grammar->subtree_count];
    *made = (struct tk_subtree){symbol, grammar->run_count, grammar->run_count,
                                symbol != TK_GRAMMAR_TOP};
    for (uint32_t k = begin; k < end; k += building->forest->sizes[k])
        add_child(grammar, building->of_nodes[k - first]);
    uint64_t hash = symbol;
    for (uint32_t i = made->run_begin; i < made->run_end; i++)
        hash = tk_hash_mix(hash, (uint64_t)grammar->runs[i].count << 32 | grammar->runs[i].subtree);
    hash = tk_hash_mix(hash, 1);
    uint32_t at = (uint32_t)hash & finder->mask;
    for (; finder->slots[at] != 0; at = (at + 1) & finder->mask) {
        if (finder->hashes[at] == hash && is_last_equal(grammar, finder->slots[at] - 1))
            return finder->slots[at] - 1;
    }
    grammar->run_count = made->run_end;
    finder->slots[at] = ++grammar->subtree_count;
    finder->hashes[at] = hash;
    finder->count++;
    return grammar->subtree_count - 1;
}

/* Take a trace apart: the subtree of its virtual root. */
static int add_shape(struct grammar_building *building, uint32_t trace)
{
    struct tk_grammar *grammar = building->grammar;
    const struct tk_forest *forest = building->forest;
    uint32_t begin = tk_forest_begin(forest, trace);
    uint32_t end = forest->trace_ends[trace];
    for (uint32_t i = end; i-- > begin;) {
        if (finder_reserve(&building->subtrees) < 0)
            return -ENOMEM;
        building->of_nodes[i - begin] =
            find_subtree(building, forest->node_symbols[i], begin, i + 1, i + forest->sizes[i]);
    }
    if (finder_reserve(&building->subtrees) < 0)
        return -ENOMEM;
    building->firsts[grammar->shape_count] = trace;
    grammar->shapes[grammar->shape_count++] =
        find_subtree(building, TK_GRAMMAR_TOP, begin, begin, end);
    return 0;
}

static bool is_shape(const struct grammar_building *building, uint32_t shape, uint32_t trace)
{
    const struct tk_forest *forest = building->forest;
    uint32_t a = tk_forest_begin(forest, building->firsts[shape]);
    uint32_t b = tk_forest_begin(forest, trace);
    uint32_t n = forest->trace_ends[trace] - b;
    size_t bytes = n * sizeof(uint32_t);
    return forest->trace_ends[building->firsts[shape]] - a == n &&
           memcmp(forest->node_symbols + a, forest->node_symbols + b, bytes) == 0 &&
           memcmp(forest->sizes + a, forest->sizes + b, bytes) == 0;
}

/* The shape of a trace, new when no trace before has it. */
static int find_shape(struct grammar_building *building, uint32_t trace, uint32_t *ret_shape)
{
    const struct tk_forest *forest = building->forest;
    struct finder *finder = &building->shapes;
    uint32_t begin = tk_forest_begin(forest, trace);
    size_t bytes = (forest->trace_ends[trace] - begin) * sizeof(uint32_t);
    const uint32_t *symbols = forest->node_symbols + begin;
    const uint32_t *sizes = forest->sizes + begin;
    if (finder_reserve(finder) < 0)
        return -ENOMEM;
    uint64_t hash = tk_hash_bytes((tk_str){(const char *)symbols, bytes}, 1);
    hash = tk_hash_bytes((tk_str){(const char *)sizes, bytes}, hash);
    uint32_t at = (uint32_t)hash & finder->mask;
    for (; finder->slots[at] != 0; at = (at + 1) & finder->mask) {
        *ret_shape = finder->slots[at] - 1;
        if (finder->hashes[at] == hash && is_shape(building, *ret_shape, trace))
            return 0;
    }
    *ret_shape = building->grammar->shape_count;
    finder->slots[at] = *ret_shape + 1;
    finder->hashes[at] = hash;
    finder->count++;
    return add_shape(building, trace);
}

int tk_grammar_build(struct tk_grammar *grammar, const struct tk_forest *forest,
                     uint32_t *ret_shapes, struct tk_err *err)
{
    struct grammar_building building = {.grammar = grammar, .forest = forest};
    size_t nodes = (size_t)forest->node_count + 1;
    building.firsts = calloc((size_t)forest->trace_count + 1, sizeof(uint32_t));
    building.of_nodes = malloc(nodes * sizeof(uint32_t));
    int rc = building.firsts && building.of_nodes ? 0 : -ENOMEM;
    for (uint32_t trace = 0; rc == 0 && trace < forest->trace_count; trace++)
        rc = find_shape(&building, trace, &ret_shapes[trace]);
    finder_release(&building.subtrees);
    finder_release(&building.shapes);
    free(building.firsts);
    free(building.of_nodes);
    return rc < 0 ? tk_fail(err, rc, "grammar: out of memory") : 0;
}

/* Expansion ------------------------------------------------------------------------------------ */

/* A run whose subtree is being written. */
struct open_run {
    uint32_t run;  /* in `runs` */
    uint32_t left; /* of its count */
    uint32_t end;  /* behind the last run of the same parent */
};

int tk_grammar_expand(const struct tk_grammar *grammar, uint32_t shape, uint32_t *ret_symbols,
                      uint32_t *ret_sizes, struct tk_err *err)
{
    const struct tk_subtree *top = &grammar->subtrees[grammar->shapes[shape]];
    struct open_run *stack = malloc(((size_t)top->size + 1) * sizeof(*stack));
    uint32_t depth = 0;
    uint32_t node = 0;
    if (!stack)
        return tk_fail(err, -ENOMEM, "grammar: out of memory");
    stack[depth++] = (struct open_run){top->run_begin, 0, top->run_end};
    while (depth > 0) {
        struct open_run *open = &stack[depth - 1];
        if (open->run == open->end) {
            depth--;
            continue;
        }
        const struct tk_grammar_run *run = &grammar->runs[open->run];
        const struct tk_subtree *subtree = &grammar->subtrees[run->subtree];
        open->left = open->left > 0 ? open->left - 1 : run->count - 1;
        open->run += open->left == 0;
        ret_symbols[node] = subtree->symbol;
        ret_sizes[node++] = subtree->size;
        if (subtree->run_end > subtree->run_begin)
            stack[depth++] = (struct open_run){subtree->run_begin, 0, subtree->run_end};
    }
    free(stack);
    return 0;
}

/* Hashes --------------------------------------------------------------------------------------- */

static void hash_add(struct tk_subtree_hash *hash, uint64_t value)
{
    hash->a = tk_draw_round((hash->a ^ value) + 0x9E3779B97F4A7C15ULL);
    hash->b = tk_draw_round((hash->b + value) ^ 0xC2B2AE3D27D4EB4FULL) * 3;
}

static void hash_add_text(struct tk_subtree_hash *hash, tk_str text)
{
    hash_add(hash, text.n);
    for (size_t i = 0; i < text.n; i++)
        hash_add(hash, (unsigned char)text.p[i]);
}

void tk_grammar_hash(const struct tk_grammar *grammar, const struct tk_forest *forest,
                     struct tk_subtree_hash *ret_hashes)
{
    for (uint32_t i = 0; i < grammar->subtree_count; i++) {
        const struct tk_subtree *subtree = &grammar->subtrees[i];
        struct tk_subtree_hash hash = {1, 2};
        if (subtree->symbol != TK_GRAMMAR_TOP) {
            const struct tk_symbol *symbol = &forest->symbols[subtree->symbol];
            hash_add_text(&hash, tk_texts_get(&forest->dictionary, symbol->service));
            hash_add_text(&hash, tk_texts_get(&forest->dictionary, symbol->operation));
            hash_add(&hash, (uint64_t)symbol->kind << 24 | (uint64_t)symbol->status << 16 |
                                (uint64_t)symbol->code_class << 8 | symbol->orphan);
        }
        for (uint32_t k = subtree->run_begin; k < subtree->run_end; k++) {
            const struct tk_subtree_hash *child = &ret_hashes[grammar->runs[k].subtree];
            hash_add(&hash, child->a);
            hash_add(&hash, child->b);
            hash_add(&hash, grammar->runs[k].count);
        }
        ret_hashes[i] = hash;
    }
}
