/* SPDX-License-Identifier: Apache-2.0 */
/* The trees of a block, each once, L1 (docs/format-tkz.md section "Grammar"): a subtree is a symbol
 * and runs of equal children; a shape is a whole trace, the subtree of a virtual root whose symbol
 * is none. A subtree stands behind those that it is made of. Shapes stand in the order in which
 * traces first have them. One thread at a time. */
#ifndef TK_CODEC_GRAMMAR_H
#define TK_CODEC_GRAMMAR_H

#include "codec/forest.h"
#include "codec/stream.h"

#define TK_GRAMMAR_TOP UINT32_MAX /* symbol of a virtual root */

/* `count` children in a row, all of them this subtree. */
struct tk_grammar_run {
    uint32_t subtree;
    uint32_t count;
};

struct tk_subtree {
    uint32_t symbol;
    uint32_t run_begin, run_end; /* in `runs` */
    uint32_t size;               /* nodes, this one among them; the virtual root is none */
};

struct tk_grammar {
    struct tk_subtree *subtrees;
    uint32_t subtree_count, max_subtrees;
    struct tk_grammar_run *runs;
    uint32_t run_count, max_runs;
    uint32_t *shapes; /* [shape_count] subtrees */
    uint32_t shape_count, max_shapes;
    struct tk_arena memory;
};

/* An empty grammar for a block of so many traces and nodes. -ENOMEM. */
TK_MUST_USE int tk_grammar_init(struct tk_grammar *grammar, uint32_t traces, uint32_t nodes,
                                struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_grammar_release(struct tk_grammar *grammar);

/* Find the shapes of all traces: `ret_shapes` [trace_count] are numbers of shapes. -ENOMEM. */
TK_MUST_USE int tk_grammar_build(struct tk_grammar *grammar, const struct tk_forest *forest,
                                 uint32_t *ret_shapes, struct tk_err *err);

/* Write the section of a grammar. -ENOMEM. */
TK_MUST_USE int tk_grammar_encode(const struct tk_grammar *grammar, const struct tk_forest *forest,
                                  struct tk_section_set *set, struct tk_err *err);

/* Read it into an empty grammar of a forest that has its symbols. -EBADMSG when it is damaged or
 * missing, or holds what a block of that many spans cannot have. */
TK_MUST_USE int tk_grammar_decode(const struct tk_block *block, const struct tk_forest *forest,
                                  struct tk_grammar *grammar, struct tk_err *err);

/* Write the symbols and sizes of a shape's nodes, subtrees[shapes[shape]].size of them. */
TK_MUST_USE int tk_grammar_expand(const struct tk_grammar *grammar, uint32_t shape,
                                  uint32_t *ret_symbols, uint32_t *ret_sizes, struct tk_err *err);

/* What a subtree is in any block: 128 bits over its texts, its other fields and its children. */
struct tk_subtree_hash {
    uint64_t a, b;
};

/* The hashes of all subtrees, `ret_hashes` [subtree_count]. Two blocks share what has the same. */
void tk_grammar_hash(const struct tk_grammar *grammar, const struct tk_forest *forest,
                     struct tk_subtree_hash *ret_hashes);

#endif
