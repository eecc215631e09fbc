/* SPDX-License-Identifier: Apache-2.0 */
/* A segment that is compressed, `part-000012.tkz` (docs/format-tkz.md): opened by the heads of its
 * blocks, and decoded whole when rows of it are asked for. Which traces it may have its filters
 * tell; its operations are known once it was decoded. So most questions need no decoding. One
 * thread at a time. */
#ifndef TK_SEGMENT_BLOCK_FILE_H
#define TK_SEGMENT_BLOCK_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "codec/codec.h"
#include "segment/operations.h"
#include "segment/span_query.h"
#include "span/span_batch.h"

struct tk_block_file {
    void *map; /* owned; NULL = that of another one */
    size_t mapped;
    tk_str bytes; /* of it */
    struct tk_codec_info info;
    struct tk_span_batch *batch; /* the rows; NULL = not decoded now */
    uint64_t used;               /* when it was asked for last, by the clock of its owner */
    uint32_t *traces; /* owned; [trace_count] hashes of ids, ascending (trace_filter.h); NULL = not
                         known before it is decoded */
    size_t trace_count;
    bool is_known; /* it was decoded once: what follows holds */
    struct tk_operations operations;
    struct tk_arena names; /* of the operations */
};

/* Open a file of the folder. -ENOENT, -EBADMSG when it is no such file or damaged, -EMSGSIZE when
 * it has more spans than a batch. */
TK_MUST_USE int tk_block_file_open(int dirfd, const char *name, struct tk_block_file *ret_file,
                                   struct tk_err *err);

/* Open a file of compressed traces of any origin and size, each of its blocks as a file of its own:
 * `ret_files` is the caller's to close and to free; the first one holds the map of all, and the
 * others must not be read when it is closed. -ENOENT, -EBADMSG when it is no such file, damaged or
 * cut off. */
TK_MUST_USE int tk_block_file_open_each(int dirfd, const char *name,
                                        struct tk_block_file **ret_files, size_t *ret_count,
                                        struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_block_file_close(struct tk_block_file *file);

/* Decode it, unless its rows are there. -EBADMSG, -ENOMEM. */
TK_MUST_USE int tk_block_file_load(struct tk_block_file *file, struct tk_err *err);

/* Give the rows up; what is known stays. */
void tk_block_file_unload(struct tk_block_file *file);

/* Whether it may have spans that are asked for, from what is known without decoding. */
bool tk_block_file_may_match(const struct tk_block_file *file, const struct tk_span_query *query);

/* Encode the rows of a batch as such a file. -EBADMSG and -EMSGSIZE when no block can hold them. */
TK_MUST_USE int tk_block_file_encode(const struct tk_span_batch *batch,
                                     const struct tk_codec_options *options,
                                     const struct tk_codec_output *output, struct tk_err *err);

#endif
