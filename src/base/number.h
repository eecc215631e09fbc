/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers to text and back, without a locale. The scanners consume from the front of `*text` and
 * leave both arguments untouched when they return false. Pure functions, safe from any thread. */
#ifndef TK_BASE_NUMBER_H
#define TK_BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/* ASCII 0..9, whatever the locale. */
static inline bool tk_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What a hexadecimal digit of either case stands for; -1 of any other byte. */
static inline int tk_hex_value(char c)
{
    if (tk_is_digit(c))
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Order of two doubles, for qsort(): below, at or above 0. No NaN. */
static inline int tk_f64_cmp(const void *a, const void *b)
{
    double first = *(const double *)a;
    double second = *(const double *)b;
    return (first > second) - (first < second);
}

/* 10^0 .. 10^19, all that fit. */
#define TK_POWERS_U64 20
extern const uint64_t tk_powers_u64[TK_POWERS_U64];

/* Take an integer: optional '-' (signed only), then digits, exact; false on overflow or no digit.
 * Leading zeros are fine. */
bool tk_scan_i64(tk_str *text, int64_t *ret);
bool tk_scan_u64(tk_str *text, uint64_t *ret);

/* Take a decimal number in JSON's grammar, also with leading zeros or a missing integer part
 * (".5"); correctly rounded. No hexadecimal, no infinity, no NaN; false when it is too large. */
bool tk_scan_f64(tk_str *text, double *ret);

/* The whole text is one number. */
bool tk_parse_i64(tk_str text, int64_t *ret);
bool tk_parse_u64(tk_str text, uint64_t *ret);
bool tk_parse_f64(tk_str text, double *ret);

/* The whole text is one decimal number whose value is an int64 exactly, in any form: "12", "12.0",
 * "1.2e1". */
bool tk_parse_whole(tk_str text, int64_t *ret);

/* Take a non-negative decimal number as an exact multiple of 10^-decimals, cut off (not rounded)
 * below that: "4.98" with 2 decimals is 498. False on overflow or no digit; decimals 0..9. */
bool tk_scan_fixed(tk_str *text, int decimals, int64_t *ret);

/* Append a number. `decimals` 0..9 prints that many digits after the point, rounded half away
 * from zero, without "-0.00"; values of 2^53 / 10^decimals and more, whose last digits mean
 * nothing, go as TK_SHORTEST. That prints the shortest text of up to 17 digits that reads back as
 * the same double. NaN and infinity append "null". */
#define TK_SHORTEST (-1)
void tk_buf_put_i64(struct tk_buf *buf, int64_t value);
void tk_buf_put_u64(struct tk_buf *buf, uint64_t value);
void tk_buf_put_f64(struct tk_buf *buf, double value, int decimals);

/* Most bytes that tk_i64_format() and tk_u64_format(), and tk_f64_format(), write. */
#define TK_I64_MAX 20
#define TK_F64_MAX 32

/* Write a number as the functions above to `to`, which has room for the maximum; returns the bytes
 * written, no NUL. For encoders that reserve a row at once. */
size_t tk_i64_format(int64_t value, char *to);
size_t tk_u64_format(uint64_t value, char *to);
size_t tk_f64_format(double value, int decimals, char *to);

/* The whole number of 10^-decimals that tk_f64_format() writes `value` as; false when it writes the
 * shortest text instead. Finite values only. */
bool tk_f64_units(double value, int decimals, int64_t *ret_units);

/* The double that text of so many units reads back as. */
double tk_f64_from_units(int64_t units, int decimals);

#endif
