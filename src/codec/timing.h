/* SPDX-License-Identifier: Apache-2.0 */
/* Timing of the spans of a block, L4 (trace-compression.md section 10, docs/format-tkz.md): a gap
 * and a duration of each, as a base level and planes that halve its error, each a section; what is
 * below the last plane makes them exact; or, in their place, tables to draw from. Any prefix of
 * the sections gives the times of all spans. Safe from any thread: blocks share nothing. */
#ifndef TK_CODEC_TIMING_H
#define TK_CODEC_TIMING_H

#include "codec/codec.h"
#include "codec/forest.h"
#include "codec/stream.h"

/* What the times of a block rest on. */
struct tk_timing_report {
    uint32_t planes;  /* that were read, + 1 (base level); 0 = no number was */
    bool is_exact;    /* every tick, by TIME_REST */
    bool is_modelled; /* drawn from tables */
};

/* Append the sections that the options ask for. -ENOMEM, -EMSGSIZE. */
TK_MUST_USE int tk_timing_encode(const struct tk_forest *forest,
                                 const struct tk_codec_options *options,
                                 struct tk_section_set *sections, struct tk_err *err);

/* Starts and durations of a forest whose traces, symbols and sizes are known, by the sections that
 * are there: zero without any. `draw_key` is tk_draw_block() of the block; `centre`: the middle of
 * cells instead of draws. TIME_REST is used only when all planes are there, and when the starts of
 * traces are exact, as encoders see to. -EBADMSG with the section's name, -ENOMEM. */
TK_MUST_USE int tk_timing_decode(const struct tk_block *block, uint64_t draw_key, bool centre,
                                 struct tk_forest *forest, struct tk_timing_report *ret_report,
                                 struct tk_err *err);

#endif
