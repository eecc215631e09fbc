/* SPDX-License-Identifier: Apache-2.0 */
/* When traces started, L2 (docs/format-tkz.md section "Arrivals"): the time since the trace before,
 * in units of a millisecond, a microsecond or some seconds, under contexts of how fast traces came
 * just before and of what trace it is. Ticks inside the unit are a section of their own, that only
 * lossless blocks have. Safe from any thread. */
#ifndef TK_CODEC_ARRIVALS_H
#define TK_CODEC_ARRIVALS_H

#include "codec/codec.h"
#include "codec/forest.h"
#include "codec/stream.h"

/* Write the section, or both; `shapes` [trace_count] are numbers of what each trace is. -ENOMEM. */
TK_MUST_USE int tk_arrivals_encode(const struct tk_forest *forest, const uint32_t *shapes,
                                   const struct tk_codec_options *options,
                                   struct tk_section_set *set, struct tk_err *err);

/* Fill the starts of all traces, ascending. Where only the unit is known, they stand in it by
 * chance, which follows from `draw_key`; without the section they are spread evenly over the time
 * of the block. -EBADMSG. */
TK_MUST_USE int tk_arrivals_decode(const struct tk_block *block, uint64_t draw_key,
                                   const uint32_t *shapes, struct tk_forest *forest,
                                   struct tk_err *err);

#endif
