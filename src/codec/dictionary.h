/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of a block, L0 (docs/format-tkz.md section "Dictionary"): names of services and
 * operations first, then what other layers added. Few texts are coded byte by byte in six contexts
 * mixed, many front-coded and packed by zstd. Safe from any thread. */
#ifndef TK_CODEC_DICTIONARY_H
#define TK_CODEC_DICTIONARY_H

#include "codec/forest.h"
#include "codec/stream.h"

/* Write the section of all texts that the dictionary holds now: the last of the layers, for all of
 * them add texts. -ENOMEM. */
TK_MUST_USE int tk_block_dictionary_encode(const struct tk_forest *forest,
                                           struct tk_section_set *set, struct tk_err *err);

/* Fill the dictionary of an empty forest. -EBADMSG when the section is damaged or missing. */
TK_MUST_USE int tk_block_dictionary_decode(const struct tk_block *block, struct tk_forest *forest,
                                           struct tk_err *err);

#endif
