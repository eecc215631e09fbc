/* SPDX-License-Identifier: Apache-2.0 */
/* One block: the layers in their order, both ways. Blocks know nothing of each other, so that each
 * can be coded and decoded by a thread of its own, or alone. */
#ifndef TK_CODEC_BLOCK_H
#define TK_CODEC_BLOCK_H

#include "codec/codec.h"
#include "codec/stream.h"

/* Code rows, which are whole traces, as the sections of a block: `set` is begun and empty. Of
 * `ret_head` all is set but number, spans_in and late. -EMSGSIZE, -EBADMSG, -ENOMEM. */
TK_MUST_USE int tk_block_encode(const struct tk_codec_options *options,
                                const struct tk_span_rows *rows, struct tk_block_head *ret_head,
                                struct tk_section_set *set, struct tk_err *err);

/* Append the section EXACT: of each thousand traces so many as the options say, of a forest of
 * these rows. */
struct tk_forest;
TK_MUST_USE int tk_block_put_kept(const struct tk_codec_options *options,
                                  const struct tk_span_rows *rows, const struct tk_forest *forest,
                                  struct tk_buf *out, struct tk_err *err);

/* Choose as many traces of these rows as fit `limit` bytes, to be kept whole, and append them as
 * the section EXACT; nothing when not even a few do. `ret_per_mille` is how many. */
TK_MUST_USE int tk_block_keep(const struct tk_codec_options *options,
                              const struct tk_span_rows *rows, uint64_t limit, struct tk_buf *out,
                              uint32_t *ret_per_mille, struct tk_err *err);

/* Where decoded spans go, in calls of whole traces. */
struct tk_block_sink {
    /* Called before the first call of `sink`, to wait for a turn; NULL = no need to. */
    TK_MUST_USE int (*wait)(void *user);
    void *user;
    const struct tk_span_sink *sink; /* borrowed */
};

/* Decode a block. What it lacks is added to `losses`, -EBADMSG when nothing of it can be used. What
 * the sink fails with; -ENOMEM. */
TK_MUST_USE int tk_block_decode(const struct tk_block *block,
                                const struct tk_codec_decoding *options,
                                const struct tk_block_sink *sink, struct tk_codec_losses *losses,
                                struct tk_err *err);

#endif
