/* SPDX-License-Identifier: Apache-2.0 */
/* Ids of traces and spans, whole (docs/format-tkz.md section "Ids"). Random ones cost their bits;
 * what follows from something else costs next to nothing: halves of zeros, a root that has the id
 * of its trace, numbers in a row, clocks in the upper half, and parents, which the tree tells. One
 * function for both directions, trace by trace, node by node; one thread at a time. */
#ifndef TK_CODEC_IDS_H
#define TK_CODEC_IDS_H

#include "codec/coder.h"
#include "codec/forest.h"

#define TK_IDS_SLOTS 64 /* of services that have models of their own */

/* Models of words of 64 bits that may follow from others. */
struct tk_id_models {
    struct tk_bit kind[8];
    struct tk_bit top[2]; /* bits of raw words: some generators leave the highest 0 */
    struct tk_exp_models near, upper;
};

struct tk_ids {
    struct tk_coder coder;
    const struct tk_forest *forest;
    uint32_t *parents;  /* owned; [node_count] */
    uint64_t *span_ids; /* owned; [node_count], as numbers */
    uint64_t *parent_ids;
    uint8_t *slots; /* owned; [symbol_count] of services */
    uint64_t trace_id[2];
    uint64_t last_trace[2];
    uint64_t last_raw_parent;
    struct tk_id_models traces[2];
    struct tk_id_models spans[2][TK_IDS_SLOTS]; /* [is below another span] */
    struct tk_bit expected[3];                  /* parents: of nodes below, on top, of orphans */
    struct tk_bit parent_kind[8];
};

/* Ids of a forest whose symbols and sizes are known. Release it also after a failure; the coder is
 * the caller's to begin and to end. -ENOMEM. */
TK_MUST_USE int tk_ids_init(struct tk_ids *ids, const struct tk_forest *forest, struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_ids_release(struct tk_ids *ids);

/* Code the id of a trace, before those of its nodes: changes `id` when decoding. */
void tk_code_trace_id(struct tk_ids *ids, uint8_t id[16]);

/* Code the ids of a node and its parent, as columns of a batch have them. Nodes come in order. */
void tk_code_node_ids(struct tk_ids *ids, uint32_t trace, uint32_t node, uint64_t *span_id,
                      uint64_t *parent_id);

#endif
