/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks into an output, and the index of them behind the last one: what encoding, truncating and
 * merging end with. One thread at a time. */
#ifndef TK_CODEC_BLOCK_WRITER_H
#define TK_CODEC_BLOCK_WRITER_H

#include "codec/codec.h"

struct tk_block_writer {
    const struct tk_codec_output *output; /* borrowed */
    struct tk_codec_info info;
    struct tk_block_entry *entries; /* owned */
    size_t count, room;
    struct tk_buf buf; /* of a head, or of the index */
};

/* An empty writer; `output` is borrowed as long as it lives. Release it also after a failure. */
void tk_block_writer_init(struct tk_block_writer *writer, const struct tk_codec_output *output);

/* Accepts a zeroed struct. */
void tk_block_writer_release(struct tk_block_writer *writer);

/* Write a block of these sections. */
TK_MUST_USE int tk_block_writer_add(struct tk_block_writer *writer,
                                    const struct tk_block_head *head,
                                    const struct tk_section *sections, size_t count,
                                    struct tk_err *err);

/* Write the index, and tell what was written. */
TK_MUST_USE int tk_block_writer_close(struct tk_block_writer *writer,
                                      struct tk_codec_info *ret_info, struct tk_err *err);

/* The most bytes that the index takes, and each block of it: six numbers, two of them times. */
#define TK_BLOCK_INDEX_BYTES 24
#define TK_BLOCK_ENTRY_BYTES 34

#endif
