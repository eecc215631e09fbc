/* SPDX-License-Identifier: Apache-2.0 */
/* A batch as a segment of a folder: written under a temporary name, synced, renamed, and the folder
 * synced. Any thread. */
#ifndef TK_SEGMENT_SEGMENT_WRITE_H
#define TK_SEGMENT_SEGMENT_WRITE_H

#include "codec/codec.h"
#include "segment/columns.h"
#include "segment/segment_file.h"

/* Write segment `number` as Parquet. On failure nothing of it is left. `ret_bytes` is its size. */
TK_MUST_USE int tk_segment_write(int dirfd, uint32_t number, const struct tk_span_batch *batch,
                                 const struct tk_columns_opts *opts, uint64_t *ret_bytes,
                                 struct tk_err *err);

/* How segments of a sink are written. */
struct tk_segment_form {
    const struct tk_codec_options *compress; /* NULL = Parquet */
    struct tk_columns_memory *memory;        /* as in struct tk_columns_opts */
};

/* The same in that form; as Parquet all the same when no block can hold the rows, as with times
 * that lie centuries apart. */
TK_MUST_USE int tk_segment_write_as(int dirfd, uint32_t number, const struct tk_span_batch *batch,
                                    const struct tk_segment_form *form, uint64_t *ret_bytes,
                                    struct tk_err *err);

/* Write a segment of another folder as segment `number`, as it is stored, with its pages checked
 * but not decoded; it replaces none then. */
TK_MUST_USE int tk_segment_write_copy(int dirfd, uint32_t number,
                                      const struct tk_segment_file *file, uint64_t *ret_bytes,
                                      struct tk_err *err);

/* Make segments of the logs that processes left which are gone (compressed ones where there are
 * options for it), and delete what else they left: temporary files, logs whose segment is there,
 * segments that others replace. A log that cannot be read is left as it is; `ret_left` counts them.
 */
TK_MUST_USE int tk_segment_recover(int dirfd, const struct tk_codec_options *compress,
                                   uint32_t *ret_sealed, uint32_t *ret_left, struct tk_err *err);

#endif
