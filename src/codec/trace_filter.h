/* SPDX-License-Identifier: Apache-2.0 */
/* Which traces a block may have, without decoding it: hashes of 26 bits of their ids, as a section
 * of its own, or of the ids that a block without any draws (docs/format-tkz.md section "Trace
 * filter"). Of 10,000 traces the section takes 18 KB, and one in 6,700 ids that are not there seems
 * to be. Safe from any thread. */
#ifndef TK_CODEC_TRACE_FILTER_H
#define TK_CODEC_TRACE_FILTER_H

#include "codec/codec.h"
#include "codec/forest.h"
#include "codec/stream.h"

/* The hash of an id of a trace. */
uint32_t tk_trace_filter_hash(const uint8_t id[16]);

/* Append the section of a forest of rows of this batch. -ENOMEM. */
TK_MUST_USE int tk_trace_filter_encode(const struct tk_forest *forest,
                                       const struct tk_span_batch *batch, struct tk_buf *out,
                                       struct tk_err *err);

/* The hashes of all traces of a block, ascending: `ret_hashes` has room for head.traces. False
 * when they cannot be told without decoding the block. */
bool tk_trace_filter_read(const struct tk_block *block, uint32_t *ret_hashes);

#endif
