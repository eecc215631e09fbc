/* SPDX-License-Identifier: Apache-2.0 */
/* A block as an encoder writes it that reads its spans. A lossless block becomes a near one so, for
 * its attributes are exact throughout (ids, the order of keys, words that one span has), and no
 * section can be dropped to make them those of a near block; and any becomes a generative one,
 * whose distributions stand in no section of others. Safe from any thread. */
#ifndef TK_CODEC_RECODE_H
#define TK_CODEC_RECODE_H

#include "codec/codec.h"
#include "codec/stream.h"

/* Whether a block holds exact times and attributes of all its spans. */
bool tk_block_is_exact(const struct tk_block *block);

/* Code a block anew, by the mode and planes of the options: `set` is begun and empty; `ret_head`
 * keeps what the head of the block says of its origin. -EBADMSG when the block has no trees to
 * read, or anything of it is damaged; -ENOMEM, -EMSGSIZE. */
TK_MUST_USE int tk_block_recode(const struct tk_block *block,
                                const struct tk_codec_options *options,
                                struct tk_block_head *ret_head, struct tk_section_set *set,
                                struct tk_err *err);

#endif
