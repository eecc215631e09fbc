/* SPDX-License-Identifier: Apache-2.0 */
/* Times without a bit a trace: distributions that times are drawn from (trace-compression.md
 * section 13.2, docs/format-tkz.md "Tables of times").
 *
 * Spans that stand alike share tables: alike is where they stand and what is below them if forty
 * spans do, else the symbols of span and parent, else nothing. That follows from the trees alone,
 * so no keys are stored. What is slow goes with what is slow: each span has a rank among those
 * alike, drawn from a table by the rank of its parent; gaps come from a table by the rank of the
 * parent, and what a span takes beyond its children inside by its own rank. A table is 1 to 32
 * quantiles: no value of a single span, no least or greatest one is in the file.
 *
 * Safe from any thread. */
#ifndef TK_CODEC_TIME_TABLES_H
#define TK_CODEC_TIME_TABLES_H

#include "base/buf.h"
#include "codec/forest.h"
#include "codec/time_windows.h"

/* Append the tables of a forest; nothing of what fewer than `min_count` spans share. -ENOMEM. */
TK_MUST_USE int tk_time_tables_encode(const struct tk_forest *forest, uint32_t min_count,
                                      struct tk_buf *out, struct tk_err *err);

/* Draw the times of a forest whose trees are known, in their windows if these are (NULL = not).
 * -EBADMSG, -ENOMEM. */
TK_MUST_USE int tk_time_tables_draw(tk_str bytes, uint64_t draw_key,
                                    struct tk_time_windows *windows, struct tk_forest *forest,
                                    struct tk_err *err);

#endif
