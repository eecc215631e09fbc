/* SPDX-License-Identifier: Apache-2.0 */
/* The symbols of a block, L0 (docs/format-tkz.md section "Symbols"): each as what differs from the
 * one before. Safe from any thread. */
#ifndef TK_CODEC_SYMBOLS_H
#define TK_CODEC_SYMBOLS_H

#include "codec/forest.h"
#include "codec/stream.h"

/* Write the section. -ENOMEM. */
TK_MUST_USE int tk_block_symbols_encode(const struct tk_forest *forest, struct tk_section_set *set,
                                        struct tk_err *err);

/* Fill the symbols of a forest that has its dictionary, and room for as many as nodes. -EBADMSG
 * when the section is damaged or missing. */
TK_MUST_USE int tk_block_symbols_decode(const struct tk_block *block, uint32_t max_symbols,
                                        struct tk_forest *forest, struct tk_err *err);

#endif
