/* SPDX-License-Identifier: Apache-2.0 */
#include "base/number.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

#define MAX_EXACT (1ULL << 53) /* integers up to here are doubles exactly */

const uint64_t tk_powers_u64[TK_POWERS_U64] = {
    1ULL,
    10ULL,
    100ULL,
    1000ULL,
    10000ULL,
    100000ULL,
    1000000ULL,
    10000000ULL,
    100000000ULL,
    1000000000ULL,
    10000000000ULL,
    100000000000ULL,
    1000000000000ULL,
    10000000000000ULL,
    100000000000000ULL,
    1000000000000000ULL,
    10000000000000000ULL,
    100000000000000000ULL,
    1000000000000000000ULL,
    10000000000000000000ULL,
};

/* All powers of ten that are doubles exactly. */
static const double powers_f64[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* Integers from text ------------------------------------------------------------ */

bool tk_scan_u64(tk_str *text, uint64_t *ret)
{
    uint64_t value = 0;
    size_t i = 0;
    for (; i < text->n && tk_is_digit(text->p[i]); i++) {
        uint64_t digit = (uint64_t)(text->p[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (i == 0)
        return false;
    *text = (tk_str){text->p + i, text->n - i};
    *ret = value;
    return true;
}

/* `magnitude` with a sign, when int64 can hold it. */
static bool to_i64(uint64_t magnitude, bool negative, int64_t *ret)
{
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    *ret = (int64_t)(negative ? 0 - magnitude : magnitude);
    return true;
}

bool tk_scan_i64(tk_str *text, int64_t *ret)
{
    tk_str rest = *text;
    bool negative = tk_str_take_prefix(&rest, TK_STR("-"));
    uint64_t magnitude;
    if (!tk_scan_u64(&rest, &magnitude) || !to_i64(magnitude, negative, ret))
        return false;
    *text = rest;
    return true;
}

bool tk_scan_fixed(tk_str *text, int decimals, int64_t *ret)
{
    tk_str rest = *text;
    uint64_t value = 0;
    bool whole = rest.n > 0 && tk_is_digit(rest.p[0]);
    if (whole && !tk_scan_u64(&rest, &value))
        return false;
    bool point = rest.n > 1 && rest.p[0] == '.' && tk_is_digit(rest.p[1]);
    if (!whole && !point)
        return false;
    size_t i = point ? 1 : 0;
    for (int k = 0; k < decimals; k++) {
        bool more = point && i < rest.n && tk_is_digit(rest.p[i]);
        uint64_t digit = more ? (uint64_t)(rest.p[i++] - '0') : 0;
        if (value > (INT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    while (point && i < rest.n && tk_is_digit(rest.p[i]))
        i++;
    if (!to_i64(value, false, ret))
        return false;
    *text = (tk_str){rest.p + i, rest.n - i};
    return true;
}

/* Decimal numbers from text -------------------------------------------------------- */

/* mantissa * 10^exponent. The mantissa ends in no zero, so that the value is whole when the
 * exponent is not negative. */
struct decimal {
    uint64_t mantissa;
    int64_t exponent;
    int64_t zeros; /* seen, but held back until another digit follows */
    bool negative;
    bool cut;                /* it had more digits than the mantissa holds */
    tk_str digits;           /* as written, with the point, without sign and exponent */
    int64_t digits_exponent; /* the exponent as written */
};

static void add_digit(struct decimal *decimal, char c)
{
    uint64_t digit = (uint64_t)(c - '0');
    uint64_t scaled;
    if (decimal->cut) {
        decimal->exponent++;
    } else if (digit == 0) {
        decimal->zeros += decimal->mantissa != 0;
    } else if (decimal->zeros + 1 < (int64_t)TK_POWERS_U64 &&
               !__builtin_mul_overflow(decimal->mantissa, tk_powers_u64[decimal->zeros + 1],
                                       &scaled) &&
               scaled <= UINT64_MAX - digit) {
        decimal->mantissa = scaled + digit;
        decimal->zeros = 0;
    } else {
        decimal->cut = true;
        decimal->exponent += decimal->zeros + 1;
        decimal->zeros = 0;
    }
}

/* The exponent "e+12" at text[i...]: returns where it ends; i when there is none. */
static size_t scan_exponent(tk_str text, size_t i, int64_t *ret)
{
    size_t at = i + 1;
    if (i >= text.n || (text.p[i] != 'e' && text.p[i] != 'E'))
        return i;
    bool negative = at < text.n && text.p[at] == '-';
    if (at < text.n && (text.p[at] == '-' || text.p[at] == '+'))
        at++;
    if (at >= text.n || !tk_is_digit(text.p[at]))
        return i;
    int64_t value = 0;
    for (; at < text.n && tk_is_digit(text.p[at]); at++) {
        if (value < INT32_MAX) /* far past what any double needs, far from overflow */
            value = value * 10 + (text.p[at] - '0');
    }
    *ret = negative ? -value : value;
    return at;
}

/* Read the number at the front of `text`: returns its length, 0 when there is none. */
static size_t scan_decimal(tk_str text, struct decimal *ret)
{
    *ret = (struct decimal){.negative = text.n > 0 && text.p[0] == '-'};
    size_t i = ret->negative;
    size_t digits = 0;
    for (; i < text.n && tk_is_digit(text.p[i]); i++, digits++)
        add_digit(ret, text.p[i]);
    if (i + 1 < text.n && text.p[i] == '.' && tk_is_digit(text.p[i + 1])) {
        for (i++; i < text.n && tk_is_digit(text.p[i]); i++, digits++) {
            add_digit(ret, text.p[i]);
            ret->exponent--;
        }
    }
    if (digits == 0)
        return 0;
    ret->digits = (tk_str){text.p + ret->negative, i - ret->negative};
    i = scan_exponent(text, i, &ret->digits_exponent);
    ret->exponent += ret->zeros + ret->digits_exponent;
    return i;
}

/* The "C" locale; glibc has it as a constant, so nothing is allocated or freed. */
static locale_t c_locale(void)
{
    return newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* The double nearest to a number of any length. What decides the rounding are the first 768
 * significant digits and whether anything but zeros follows, so that much goes to strtod(). */
static double slow_f64(const struct decimal *decimal)
{
    char buf[800];
    size_t n = 0;
    int64_t exponent = decimal->digits_exponent;
    bool in_fraction = false;
    bool more = false;
    for (size_t i = 0; i < decimal->digits.n; i++) {
        char c = decimal->digits.p[i];
        bool kept = c != '.' && (n > 0 || c != '0') && n < 768;
        if (kept)
            buf[n++] = c;
        exponent += (c != '.' && n == 768 && !kept) - (c != '.' && in_fraction);
        more |= n == 768 && !kept && c != '.' && c != '0';
        in_fraction |= c == '.';
    }
    (void)snprintf(buf + n, sizeof(buf) - n, "%se%lld", more ? "1" : "",
                   (long long)(exponent - more));
    return strtod_l(buf, NULL, c_locale());
}

static double magnitude_f64(const struct decimal *decimal)
{
    if (decimal->mantissa == 0)
        return 0;
    if (decimal->cut || decimal->mantissa > MAX_EXACT || decimal->exponent < -22 ||
        decimal->exponent > 22)
        return slow_f64(decimal);
    double mantissa = (double)decimal->mantissa; /* exact, so what follows rounds only once */
    return decimal->exponent < 0 ? mantissa / powers_f64[-decimal->exponent]
                                 : mantissa * powers_f64[decimal->exponent];
}

/* The common case in one pass: up to 18 digits, no exponent. Returns the length; 0 for others. */
static size_t scan_plain_f64(tk_str text, double *ret)
{
    uint64_t mantissa = 0;
    size_t negative = text.n > 0 && text.p[0] == '-';
    size_t point = 0; /* index behind it */
    size_t i = negative;
    for (; i < text.n && i < 20; i++) {
        if (tk_is_digit(text.p[i])) {
            mantissa = mantissa * 10 + (uint64_t)(text.p[i] - '0');
        } else if (text.p[i] == '.' && point == 0 && i + 1 < text.n && tk_is_digit(text.p[i + 1])) {
            point = i + 1;
        } else {
            break;
        }
    }
    bool unusual = i < text.n && (tk_is_digit(text.p[i]) || (text.p[i] | 0x20) == 'e');
    if (unusual || i == negative || mantissa > MAX_EXACT || i >= 20)
        return 0;
    double magnitude = (double)mantissa / (point ? powers_f64[i - point] : 1);
    *ret = negative ? -magnitude : magnitude;
    return i;
}

bool tk_scan_f64(tk_str *text, double *ret)
{
    size_t plain = scan_plain_f64(*text, ret);
    if (plain > 0) {
        *text = (tk_str){text->p + plain, text->n - plain};
        return true;
    }
    struct decimal decimal;
    size_t n = scan_decimal(*text, &decimal);
    if (n == 0)
        return false;
    double magnitude = magnitude_f64(&decimal);
    if (!isfinite(magnitude))
        return false;
    *text = (tk_str){text->p + n, text->n - n};
    *ret = decimal.negative ? -magnitude : magnitude;
    return true;
}

/* Whole texts ----------------------------------------------------------------------- */

bool tk_parse_i64(tk_str text, int64_t *ret)
{
    int64_t value;
    if (!tk_scan_i64(&text, &value) || text.n != 0)
        return false;
    *ret = value;
    return true;
}

bool tk_parse_u64(tk_str text, uint64_t *ret)
{
    uint64_t value;
    if (!tk_scan_u64(&text, &value) || text.n != 0)
        return false;
    *ret = value;
    return true;
}

bool tk_parse_f64(tk_str text, double *ret)
{
    double value;
    if (!tk_scan_f64(&text, &value) || text.n != 0)
        return false;
    *ret = value;
    return true;
}

bool tk_parse_whole(tk_str text, int64_t *ret)
{
    struct decimal decimal;
    size_t n = scan_decimal(text, &decimal);
    if (n == 0 || n != text.n || decimal.cut)
        return false;
    if (decimal.mantissa == 0) {
        *ret = 0;
        return true;
    }
    if (decimal.exponent < 0 || decimal.exponent >= (int64_t)TK_POWERS_U64)
        return false;
    uint64_t magnitude;
    return !__builtin_mul_overflow(decimal.mantissa, tk_powers_u64[decimal.exponent], &magnitude) &&
           to_i64(magnitude, decimal.negative, ret);
}

/* Numbers to text --------------------------------------------------------------------- */

static const char digit_pairs[] = "00010203040506070809"
                                  "10111213141516171819"
                                  "20212223242526272829"
                                  "30313233343536373839"
                                  "40414243444546474849"
                                  "50515253545556575859"
                                  "60616263646566676869"
                                  "70717273747576777879"
                                  "80818283848586878889"
                                  "90919293949596979899";

/* Decimal digits of `value`, 1..20: log10(2) = 1233/4096 from the bit length, then mended. */
static size_t digit_count(uint64_t value)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
    unsigned guess = bits * 1233 >> 12;
    return guess + (value >= tk_powers_u64[guess]) + (value == 0);
}

/* Write the last `n` decimal digits of `value`. */
static void put_digits(uint64_t value, char *to, size_t n)
{
    while (n >= 2) {
        n -= 2;
        memcpy(to + n, digit_pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (n == 1)
        to[0] = (char)('0' + value % 10);
}

size_t tk_u64_format(uint64_t value, char *to)
{
    size_t n = digit_count(value);
    put_digits(value, to, n);
    return n;
}

size_t tk_i64_format(int64_t value, char *to)
{
    if (value >= 0)
        return tk_u64_format((uint64_t)value, to);
    *to = '-';
    return 1 + tk_u64_format(0 - (uint64_t)value, to + 1);
}

/* units / 10^decimals, with the point. */
static size_t put_fixed(uint64_t units, bool negative, int decimals, char *to)
{
    char *at = to;
    if (negative)
        *at++ = '-';
    at += tk_u64_format(units / tk_powers_u64[decimals], at);
    if (decimals > 0) {
        *at++ = '.';
        put_digits(units % tk_powers_u64[decimals], at, (size_t)decimals);
        at += decimals;
    }
    return (size_t)(at - to);
}

/* Up to 17 digits by printf, in the "C" locale whatever the program has set. */
static size_t put_general(double value, char *to)
{
    locale_t c = c_locale();
    locale_t before = uselocale(c);
    int n = 0;
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(to, TK_F64_MAX, "%.*g", digits, value);
        if (strtod_l(to, NULL, c) == value)
            break;
    }
    (void)uselocale(before);
    return (size_t)n;
}

/* Most doubles of our files are decimals of few digits: then units / 10^k is one exact division,
 * and the smallest k that gives the double back is the shortest text. */
static size_t put_shortest(double value, char *to)
{
    double magnitude = fabs(value);
    for (int k = 0; k <= 9; k++) {
        double scaled = magnitude * powers_f64[k];
        if (scaled >= 1e15)
            break;
        uint64_t units = (uint64_t)(scaled + 0.5);
        if ((double)units / powers_f64[k] == magnitude && (units != 0 || !signbit(value)))
            return put_fixed(units, signbit(value), k, to);
    }
    return put_general(value, to);
}

bool tk_f64_units(double value, int decimals, int64_t *ret_units)
{
    if (decimals == TK_SHORTEST)
        return false;
    double scaled = fabs(value) * powers_f64[decimals];
    if (scaled >= (double)MAX_EXACT)
        return false;
    int64_t units = (int64_t)scaled;
    units += scaled - (double)units >= 0.5;
    *ret_units = signbit(value) ? -units : units;
    return true;
}

double tk_f64_from_units(int64_t units, int decimals)
{
    return (double)units / powers_f64[decimals];
}

size_t tk_f64_format(double value, int decimals, char *to)
{
    if (!isfinite(value)) {
        static const char null[] = {'n', 'u', 'l', 'l'};
        memcpy(to, null, sizeof(null));
        return sizeof(null);
    }
    int64_t units;
    if (!tk_f64_units(value, decimals, &units))
        return put_shortest(value, to);
    return put_fixed((uint64_t)(units < 0 ? -units : units), units < 0, decimals, to);
}

void tk_buf_put_i64(struct tk_buf *buf, int64_t value)
{
    char text[TK_I64_MAX];
    tk_buf_put(buf, (tk_str){text, tk_i64_format(value, text)});
}

void tk_buf_put_u64(struct tk_buf *buf, uint64_t value)
{
    char text[TK_I64_MAX];
    tk_buf_put(buf, (tk_str){text, tk_u64_format(value, text)});
}

void tk_buf_put_f64(struct tk_buf *buf, double value, int decimals)
{
    char text[TK_F64_MAX];
    tk_buf_put(buf, (tk_str){text, tk_f64_format(value, decimals, text)});
}
