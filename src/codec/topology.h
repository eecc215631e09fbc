/* SPDX-License-Identifier: Apache-2.0 */
/* Trees and starts of all traces of a block, L0 to L2 (docs/format-tkz.md): its symbols, its
 * grammar, the shape of each trace (the events) and when it started (arrivals.h). Safe from any
 * thread. */
#ifndef TK_CODEC_TOPOLOGY_H
#define TK_CODEC_TOPOLOGY_H

#include "codec/codec.h"
#include "codec/dictionary.h"
#include "codec/forest.h"
#include "codec/stream.h"

/* Append to the sections of symbols, grammar, events and arrivals. tk_block_dictionary_encode() has
 * to follow when all layers have added their texts. -ENOMEM. */
TK_MUST_USE int tk_topology_encode(const struct tk_forest *forest,
                                   const struct tk_codec_options *options,
                                   struct tk_section_set *set, struct tk_err *err);

/* Make the forest of a block, which release also after a failure: dictionary, symbols, traces,
 * nodes and sizes; starts, durations and rows are there to be filled. Traces start somewhere
 * in the unit of time that arrivals are told by: where, follows from `draw_key`; without that
 * section they are spread evenly between the first start and the last end. -EBADMSG names the
 * section that is damaged or missing; -EMSGSIZE, -ENOMEM. */
TK_MUST_USE int tk_topology_decode(const struct tk_block *block, uint64_t draw_key,
                                   struct tk_forest *forest, struct tk_err *err);

#endif
