/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays of a batch as a log of spans holds them. A byte that is written costs the kernel more than
 * packing it costs here, so what repeats is left out where that is seen at a glance:
 *
 *     numbers   PLAIN  as they lie in memory
 *               SAME   one for all: a column that nobody fills, the scope
 *               STEP   the first and what each adds: ends of rows of as many attributes
 *               NEAR   the least, and four bytes above it each: times of a request
 *     ids       RUNS   a bit each: as the one before; then those that are not
 *     attrs     SHAPED for each row the number of its shape (keys and types), a new one behind it,
 *                      255 for one that is not numbered; then the values, four bytes of a text
 *
 * Little-endian machines only. Pure functions, safe from any thread. */
#ifndef TK_SEGMENT_LOG_PACK_H
#define TK_SEGMENT_LOG_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/str.h"

/* What an array is, and so how it may be packed. */
enum tk_log_kind {
    TK_LOG_ITEMS = 0, /* structs: as they are */
    TK_LOG_NUMBERS,   /* of 1, 4 or 8 bytes */
    TK_LOG_IDS,       /* of 16 bytes */
    TK_LOG_ATTRS,     /* struct tk_attr of rows */
};

/* Items that came since the last block. */
struct tk_log_items {
    enum tk_log_kind kind;
    size_t width; /* bytes of an item */
    size_t n;
    const uint32_t *ends; /* [rows] of ATTRS: where those of each row end; NULL of others */
    size_t rows;
    uint32_t begin; /* of the first row */
};

/* Bytes that packing may write at most; some are scratch. */
size_t tk_log_pack_bound(const struct tk_log_items *items);

/* Write the items at `from` to `to`, which has room for the bound. Returns the end of what was
 * written. */
char *tk_log_pack(const struct tk_log_items *items, const void *from, char *to, uint8_t *ret_form);

/* Take items of that form from the front of `*rest` to `to`. False when there are not as many
 * bytes, or no such form; `ends` may be any numbers. */
TK_MUST_USE bool tk_log_unpack(const struct tk_log_items *items, uint8_t form, tk_str *rest,
                               void *to);

#endif
