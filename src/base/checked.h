/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on sizes and numbers that come from outside. Each returns false on overflow and
 * leaves `*ret` untouched then. */
#ifndef TK_BASE_CHECKED_H
#define TK_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

TK_MUST_USE static inline bool tk_add_size(size_t a, size_t b, size_t *ret)
{
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *ret = sum;
    return true;
}

TK_MUST_USE static inline bool tk_mul_size(size_t a, size_t b, size_t *ret)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *ret = product;
    return true;
}

TK_MUST_USE static inline bool tk_add_i64(int64_t a, int64_t b, int64_t *ret)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *ret = sum;
    return true;
}

TK_MUST_USE static inline bool tk_mul_i64(int64_t a, int64_t b, int64_t *ret)
{
    int64_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *ret = product;
    return true;
}

/* a * b / c, rounded down, with 128 bits in between; `c` is not 0 and the result must fit. */
static inline uint64_t tk_mul_div(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t product;
    if (!__builtin_mul_overflow(a, b, &product))
        return product / c;
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)((wide)a * b / c);
}

#endif
