/* SPDX-License-Identifier: Apache-2.0 */
/* From cells to times (trace-compression.md sections 10.4, 10.5): every number is drawn inside its
 * cell, and spans that lay inside their parents still do, strictly shorter ones shorter by a tick
 * at least. That is always possible: what the least numbers of the cells below a span add up to is
 * found first, and each draw leaves room for those that follow. So no number leaves its cell. */
#ifndef TK_CODEC_NESTING_H
#define TK_CODEC_NESTING_H

#include "codec/time_context.h"

struct tk_nesting {
    const struct tk_levels *levels;
    unsigned depth;    /* to which cells are known */
    uint64_t draw_key; /* of the block (draw.h) */
    bool centre;       /* the middle of cells instead of draws; nesting may still move it */
};

/* Draw all values of trace `t` (its number in the block, part of the draws' keys), and place its
 * spans. */
void tk_nesting_draw(const struct tk_nesting *nesting, struct tk_time_trace *trace, uint32_t t);

#endif
