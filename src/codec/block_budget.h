/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that blocks may take (trace-compression.md section 12). Sections stand in the order of
 * their worth, and planes halve the error one after the other, so what a block costs at each
 * quality is read off the sizes of its sections: the last ones go until the rest fits. What one
 * block leaves the next ones may use. One thread at a time. */
#ifndef TK_CODEC_BLOCK_BUDGET_H
#define TK_CODEC_BLOCK_BUDGET_H

#include "codec/codec.h"
#include "codec/stream.h"

struct tk_block_budget {
    double of_trace, of_span; /* bytes; 0 = no limit */
    double left;              /* of the blocks so far */
};

/* So many bytes for each trace, and each span, of which the index of blocks takes some; 0 = no
 * limit. */
void tk_block_budget_init(struct tk_block_budget *budget, double trace_bytes, double span_bytes);

/* What a block may take now. */
uint64_t tk_block_budget_open(struct tk_block_budget *budget, const struct tk_block_head *head);

/* What it took. */
void tk_block_budget_pay(struct tk_block_budget *budget, uint64_t bytes);

/* Drop the last of `*count` sections until a block of them fits `limit` bytes, and say in the head
 * what is left. False when those that are required do not fit; `*ret_bytes` is what the block then
 * takes. */
bool tk_block_budget_fit(uint64_t limit, struct tk_block_head *head,
                         const struct tk_section *sections, size_t *count, uint64_t *ret_bytes);

/* Say in the head that a section of this type is gone: mode and planes. */
void tk_block_budget_drop(struct tk_block_head *head, uint32_t type);

#endif
