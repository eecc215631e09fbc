/* SPDX-License-Identifier: Apache-2.0 */
/* The exact end of the codec (trace-compression.md sections 11 and 13.3): of lossless blocks the
 * ids and the details of all spans. Sections IDS, DETAILS and EXACT_TEXTS; which traces are kept
 * whole in blocks that are not lossless is keep.h's business. One thread at a time. */
#ifndef TK_CODEC_EXACT_H
#define TK_CODEC_EXACT_H

#include "codec/codec.h"
#include "codec/forest.h"
#include "codec/stream.h"

/* Encoder: append the sections of a lossless block; of other modes none. `batch` is what the forest
 * was built from. -ENOMEM, -EMSGSIZE. */
TK_MUST_USE int tk_exact_encode(const struct tk_forest *forest, const struct tk_span_batch *batch,
                                const struct tk_codec_options *options, struct tk_section_set *set,
                                struct tk_err *err);

struct tk_exact_decoder;

/* A decoder of a block whose forest has its symbols and sizes; what a block lacks, or what is
 * damaged, is passed over. `forest` is borrowed. Its times have to be there before the first node
 * is decoded. -EBADMSG, -ENOMEM. */
TK_MUST_USE int tk_exact_decoder_new(const struct tk_block *block, const struct tk_forest *forest,
                                     struct tk_exact_decoder **ret_decoder, struct tk_err *err);

/* Accepts NULL. */
void tk_exact_decoder_free(struct tk_exact_decoder *decoder);

/* Whether the block has ids, and details. */
bool tk_exact_has_ids(const struct tk_exact_decoder *decoder);
bool tk_exact_has_details(const struct tk_exact_decoder *decoder);

/* Set what the block has of a node in the last row of `batch`: ids, message, trace state, flags,
 * dropped counts, events, links. A block without ids has those that the row has by now. All nodes
 * of all traces in their order. -ENOBUFS when the batch is full: take the row back, and ask for the
 * same node again. -EBADMSG when a section is bad: that section is not asked any more. */
TK_MUST_USE int tk_exact_decode_node(struct tk_exact_decoder *decoder, uint32_t trace,
                                     uint32_t node, struct tk_span_batch *batch,
                                     struct tk_err *err);

#endif
