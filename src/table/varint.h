/* SPDX-License-Identifier: Apache-2.0 */
/* Integers of few bytes where they are small: LEB128, and zigzag for either sign. Pure functions
 * but for the buffer; safe from any thread. */
#ifndef TK_TABLE_VARINT_H
#define TK_TABLE_VARINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* Zigzag: small numbers of either sign become small ones without. */
static inline uint64_t tk_zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

/* The number that tk_zigzag() made this of. */
static inline int64_t tk_unzigzag(uint64_t coded)
{
    return (int64_t)((coded >> 1) ^ (0 - (coded & 1)));
}

/* a - b modulo 2^64. */
static inline int64_t tk_wrap_sub(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

/* a + b modulo 2^64. */
static inline int64_t tk_wrap_add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

#define TK_VARINT_MAX 10

/* LEB128: seven bits a byte, the least first; the top bit says that more follow. */
static inline char *tk_varint_write(char *to, uint64_t value)
{
    while (value >= 0x80) {
        *to++ = (char)(value | 0x80);
        value >>= 7;
    }
    *to++ = (char)value;
    return to;
}

/* The value at the front of `*text`, which is taken off; false when it does not end, or has more
 * than 64 bits. */
TK_MUST_USE static inline bool tk_varint_read(tk_str *text, uint64_t *ret)
{
    uint64_t value = 0;
    unsigned shift = 0;
    for (size_t i = 0; i < text->n; i++, shift += 7) {
        uint64_t byte = (unsigned char)text->p[i];
        if (shift == 63 && byte > 1)
            return false;
        value |= (byte & 0x7F) << shift;
        if (byte < 0x80) {
            *ret = value;
            *text = (tk_str){text->p + i + 1, text->n - i - 1};
            return true;
        }
    }
    return false;
}

/* Append a value; sticky. */
static inline void tk_varint_put(struct tk_buf *out, uint64_t value)
{
    char *to = tk_buf_reserve(out, TK_VARINT_MAX);
    if (to)
        out->n += (size_t)(tk_varint_write(to, value) - to);
}

#endif
