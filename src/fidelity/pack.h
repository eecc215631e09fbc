/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of bytes as one text, compressed: how the baselines write their files. Safe from any
 * thread.
 *
 *     u8 0   varint raw[n]   varint packed[n]   a zstd frame a column
 *     u8 1   varint raw[n]   one zstd frame of all columns
 *
 * whichever is smaller; 1 is tried while all columns together are small. */
#ifndef TK_FIDELITY_PACK_H
#define TK_FIDELITY_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

#define TK_PACK_LEVEL      19
#define TK_PACK_COLUMN_MAX ((size_t)1 << 30) /* bytes of a column */

/* Append the columns to `out`. -ENOMEM, or what a column failed with. */
TK_MUST_USE int tk_pack_encode(const struct tk_buf *columns, size_t n, struct tk_buf *out,
                               struct tk_err *err);

/* Take the columns of a text apart.
 *
 *   ret_columns  [n] zeroed buffers; the caller releases them, also after a failure
 *
 * -EBADMSG when the text is damaged, -ENOMEM. */
TK_MUST_USE int tk_pack_decode(tk_str text, struct tk_buf *ret_columns, size_t n,
                               struct tk_err *err);

/* A zstd frame of a text, appended to `out`; and back. -EBADMSG, -EMSGSIZE above `max` bytes,
 * -ENOMEM. */
TK_MUST_USE int tk_zstd_encode(tk_str text, int level, struct tk_buf *out, struct tk_err *err);
TK_MUST_USE int tk_zstd_decode(tk_str frame, size_t max, struct tk_buf *out, struct tk_err *err);

/* Reading a column: a number, or bytes; `*ok` turns false for good at the end of the text. */
uint64_t tk_pack_take(tk_str *text, bool *ok);
tk_str tk_pack_take_bytes(tk_str *text, size_t n, bool *ok);

#endif
