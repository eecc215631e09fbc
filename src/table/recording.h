/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings: the rows of many tables in one file, a hundredth of the size of JSON Lines, readable
 * up to the last whole block after a crash. docs/format-recording.md has every byte.
 *
 *     rows -> tk_recording_encoder_put() -> blocks -> a file -> tk_recording_decoder_*() -> rows
 *
 * A row is stored as what is new in it against the row before of the same thing (process, disk;
 * the TK_KEY columns). Rows are collected into blocks of one table, which lie by column, compressed
 * and guarded by a CRC. The first block of a group stands alone; the others build on the block
 * before them, so that a lost block costs the rest of its group, and a reader that wants a time
 * begins with a group. Like the formats of format.h this does no I/O and does not know what a
 * column means.
 *
 * Values come back as JSON Lines would have given them: a double is rounded to the digits of its
 * column. Objects are for one thread at a time. */
#ifndef TK_TABLE_RECORDING_H
#define TK_TABLE_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "table/batch.h"

/* Frames --------------------------------------------------------------------------- */

/* A file begins with these bytes; frames follow, each a header and its payload. */
#define TK_RECORDING_MAGIC "tracekit.rec 01\n"
enum {
    TK_RECORDING_MAGIC_BYTES = 16,
    TK_RECORDING_HEADER_BYTES = 48,
    TK_RECORDING_STORED_MAX = 4 << 20, /* payload of a frame */
};

enum tk_recording_kind {
    TK_RECORDING_BLOCK = 1, /* rows of one table */
    TK_RECORDING_INDEX = 2, /* where blocks are */
};

struct tk_recording_frame {
    enum tk_recording_kind kind;
    uint32_t table;        /* tk_recording_table_id(); of an index 0 */
    uint32_t stored_bytes; /* of the payload, which follows the header */
    uint32_t raw_bytes;    /* of the payload of a block once decompressed */
    uint32_t rows;         /* of an index: entries */
    uint32_t before;       /* id of the block that this one builds on; 0 = it begins a group */
    int64_t first;         /* least and greatest stamp of the rows; first > last: none has one */
    int64_t last;
    uint32_t payload_crc;
    uint32_t id; /* CRC of the header */
};

/* What stands for the name of a table in headers: its CRC-32. */
uint32_t tk_recording_table_id(const char *name);

/* Lay out the header of a frame with this payload; fills in stored_bytes, payload_crc and id. */
void tk_recording_frame_encode(struct tk_recording_frame *frame, tk_str payload,
                               char ret_header[TK_RECORDING_HEADER_BYTES]);

/* Read a header. False when it is none, or damaged. */
bool tk_recording_frame_decode(const char header[TK_RECORDING_HEADER_BYTES],
                               struct tk_recording_frame *ret_frame);

/* Whether these are the bytes that the header was made for. */
bool tk_recording_payload_ok(const struct tk_recording_frame *frame, tk_str payload);

/* Writing --------------------------------------------------------------------------- */

struct tk_recording_encoder;

TK_MUST_USE int tk_recording_encoder_new(struct tk_recording_encoder **ret_encoder,
                                         struct tk_err *err);
void tk_recording_encoder_free(struct tk_recording_encoder *encoder); /* accepts NULL */

/* Add the rows of a batch, of any schema: up to 32 of them, each to be the same const table at each
 * call. Blocks that are full are appended to `out`, whole frames. Fails with -ENOMEM or, when a
 * batch has more than 1 MiB of text or `out` is full, -EMSGSIZE; rows are lost then, how many
 * tk_recording_encoder_restart() tells, which is to be called next. */
TK_MUST_USE int tk_recording_encoder_put(struct tk_recording_encoder *encoder,
                                         const struct tk_batch *batch, struct tk_buf *out,
                                         struct tk_err *err);

/* Append the open blocks of all tables to `out`. Fails as tk_recording_encoder_put(). */
TK_MUST_USE int tk_recording_encoder_close_blocks(struct tk_recording_encoder *encoder,
                                                  struct tk_buf *out, struct tk_err *err);

/* Rows in open blocks. */
int64_t tk_recording_encoder_open_rows(const struct tk_recording_encoder *encoder);

/* A block that was handed out was lost: begin new groups, so that what comes can be read. Open
 * blocks are dropped; returns their rows and those of a call that failed. */
int64_t tk_recording_encoder_restart(struct tk_recording_encoder *encoder);

/* Reading --------------------------------------------------------------------------- */

struct tk_recording_decoder;

/* For the blocks of one table, as columns of `schema`: those of the file that it lacks, or has with
 * another type, are passed over. */
TK_MUST_USE int tk_recording_decoder_new(const struct tk_schema *schema,
                                         struct tk_recording_decoder **ret_decoder,
                                         struct tk_err *err);
void tk_recording_decoder_free(struct tk_recording_decoder *decoder); /* accepts NULL */

/* Stand at the first row of a block, which is copied. Fails with -EBADMSG when it is damaged, and
 * with -ESTALE when the block that it builds on was not the last one decoded: its rows cannot be
 * had then. */
TK_MUST_USE int tk_recording_decoder_begin(struct tk_recording_decoder *decoder,
                                           const struct tk_recording_frame *frame, tk_str payload,
                                           struct tk_err *err);

/* Append rows to `out`, a batch of the schema, until it is full or the block is at its end. Returns
 * 0, 1 when the block has no more rows, -EBADMSG when the block contradicts itself (the rows so far
 * stand), -EMSGSIZE when a row does not fit into the empty batch. */
TK_MUST_USE int tk_recording_decoder_next(struct tk_recording_decoder *decoder,
                                          struct tk_batch *out, struct tk_err *err);

/* Cells of columns that the schema lacks, so far. */
uint64_t tk_recording_decoder_unknown_fields(const struct tk_recording_decoder *decoder);

#endif
