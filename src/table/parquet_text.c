/* SPDX-License-Identifier: Apache-2.0 */
/* One value as text. */
#include <endian.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/number.h"
#include "base/scan.h"
#include "table/parquet_internal.h"
#include "table/parquet_rows.h"

#define DAY_S         86400
#define JULIAN_1970   2440588
#define S_OF_YEAR_1   (-62135596800LL)
#define S_OF_YEAR_1E4 253402300800LL

/* Units of a time in a second, and their digits. */
static int unit_digits(enum tk_parquet_logical logical)
{
    switch ((int)logical) {
    case TK_PARQUET_TIME_MS:
    case TK_PARQUET_TIMESTAMP_MS:
        return 3;
    case TK_PARQUET_TIME_US:
    case TK_PARQUET_TIMESTAMP_US:
        return 6;
    case TK_PARQUET_TIME_NS:
    case TK_PARQUET_TIMESTAMP_NS:
        return 9;
    default:
        return 0;
    }
}

static void put_date(int64_t day, struct tk_buf *out)
{
    struct tk_civil civil = tk_civil_from_s(day * DAY_S);
    tk_buf_printf(out, "%04d-%02d-%02d", civil.year, civil.month, civil.day);
}

static void put_clock(int64_t second, int64_t fraction, int digits, struct tk_buf *out)
{
    tk_buf_printf(out, "%02d:%02d:%02d.%0*lld", (int)(second / 3600), (int)(second / 60 % 60),
                  (int)(second % 60), digits, (long long)fraction);
}

/* Since 1970, in units of which 10^digits make a second; years of more or less than four digits
 * stay a number. */
static void put_timestamp(int64_t value, int digits, bool local, struct tk_buf *out)
{
    int64_t units = (int64_t)tk_powers_u64[digits];
    int64_t second = value / units - (value % units < 0);
    int64_t fraction = value % units + (value % units < 0 ? units : 0);
    int64_t day = second / DAY_S - (second % DAY_S < 0);
    if (second < S_OF_YEAR_1 || second >= S_OF_YEAR_1E4) {
        tk_buf_put_i64(out, value);
        return;
    }
    put_date(day, out);
    tk_buf_putc(out, 'T');
    put_clock(second - day * DAY_S, fraction, digits, out);
    if (!local)
        tk_buf_putc(out, 'Z');
}

/* An int96: nanoseconds of the day, Julian day. */
static void put_int96(tk_str bytes, struct tk_buf *out)
{
    int64_t ns;
    int32_t day;
    int64_t since;
    memcpy(&ns, bytes.p, sizeof(ns));
    memcpy(&day, bytes.p + sizeof(ns), sizeof(day));
    bool fits = !__builtin_mul_overflow((int64_t)day - JULIAN_1970, DAY_S * TK_NS_PER_S, &since) &&
                !__builtin_add_overflow(since, ns, &since);
    if (fits) {
        put_timestamp(since, 9, false, out);
    } else {
        tk_buf_printf(out, "%d:%lld", (int)day, (long long)ns);
    }
}

static void put_hex(tk_str bytes, struct tk_buf *out)
{
    char *to = tk_buf_reserve(out, 2 * bytes.n);
    for (size_t i = 0; to && i < bytes.n; i++) {
        *to++ = "0123456789abcdef"[(uint8_t)bytes.p[i] >> 4];
        *to++ = "0123456789abcdef"[bytes.p[i] & 15];
    }
    if (to)
        out->n += 2 * bytes.n;
}

static void put_uuid(tk_str bytes, struct tk_buf *out)
{
    static const uint8_t parts[] = {4, 2, 2, 2, 6};
    const char *p = bytes.p;
    for (size_t i = 0; i < TK_COUNTOF(parts); p += parts[i++]) {
        if (i > 0)
            tk_buf_putc(out, '-');
        put_hex((tk_str){p, parts[i]}, out);
    }
}

#define DECIMAL_BYTES 32

/* Divide a big-endian number by ten; the remainder. */
static unsigned divide(uint8_t *bytes, size_t n)
{
    unsigned rest = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned value = rest << 8 | bytes[i];
        bytes[i] = (uint8_t)(value / 10);
        rest = value % 10;
    }
    return rest;
}

static bool is_zero(const uint8_t *bytes, size_t n)
{
    size_t i = 0;
    while (i < n && bytes[i] == 0)
        i++;
    return i == n;
}

/* Make a two's complement number the opposite of what it is. */
static void negate(uint8_t *bytes, size_t n)
{
    unsigned carry = 1;
    for (size_t i = n; i-- > 0;) {
        carry += (uint8_t)~bytes[i];
        bytes[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

/* A whole number of 10^-scale, big-endian, two's complement, of at most DECIMAL_BYTES. */
static void put_decimal(tk_str number, int32_t scale, struct tk_buf *out)
{
    uint8_t bytes[DECIMAL_BYTES];
    char digits[3 * DECIMAL_BYTES];
    size_t n = 0;
    size_t places = scale > 0 && scale < 2 * DECIMAL_BYTES ? (size_t)scale : 0;
    bool negative = number.n > 0 && ((uint8_t)number.p[0] & 0x80);
    if (number.n > 0)
        memcpy(bytes, number.p, number.n);
    if (negative)
        negate(bytes, number.n);
    while (n <= places || !is_zero(bytes, number.n))
        digits[n++] = (char)('0' + (int)divide(bytes, number.n));
    if (negative)
        tk_buf_putc(out, '-');
    while (n > 0) {
        if (n == places)
            tk_buf_putc(out, '.');
        tk_buf_putc(out, digits[--n]);
    }
}

static void put_decimal_i64(int64_t value, int32_t scale, struct tk_buf *out)
{
    uint64_t big = htobe64((uint64_t)value);
    put_decimal((tk_str){(const char *)&big, sizeof(big)}, scale, out);
}

static void put_bytes(const struct tk_parquet_node *node, tk_str bytes, bool raw,
                      struct tk_buf *out)
{
    if (node->type == TK_PARQUET_I96 && !raw) {
        put_int96(bytes, out);
    } else if (node->logical == TK_PARQUET_UUID) {
        put_uuid(bytes, out);
    } else if (node->logical == TK_PARQUET_DECIMAL && bytes.n <= DECIMAL_BYTES) {
        put_decimal(bytes, raw ? 0 : node->scale, out);
    } else if (node->type == TK_PARQUET_BYTES && tk_utf8_ok(bytes)) {
        tk_buf_put(out, bytes);
    } else {
        tk_buf_lit(out, "0x");
        put_hex(bytes, out);
    }
}

/* What is out of range for a calendar or a clock stays a number. */
static void put_time(const struct tk_parquet_node *node, int64_t value, struct tk_buf *out)
{
    int digits = unit_digits(node->logical);
    int64_t units = (int64_t)tk_powers_u64[digits];
    bool is_clock = node->logical >= TK_PARQUET_TIME_MS && node->logical <= TK_PARQUET_TIME_NS;
    bool is_date = node->logical == TK_PARQUET_DATE;
    if (is_date && value >= S_OF_YEAR_1 / DAY_S && value < S_OF_YEAR_1E4 / DAY_S) {
        put_date(value, out);
    } else if (is_clock && value >= 0 && value / units < DAY_S) {
        put_clock(value / units, value % units, digits, out);
    } else if (digits > 0 && !is_clock) {
        put_timestamp(value, digits, node->local, out);
    } else {
        tk_buf_put_i64(out, value);
    }
}

static void put_integer(const struct tk_parquet_node *node, int64_t value, bool raw,
                        struct tk_buf *out)
{
    if (node->logical == TK_PARQUET_UINT64) {
        tk_buf_put_u64(out, (uint64_t)value);
    } else if (node->logical == TK_PARQUET_UINT32) {
        tk_buf_put_u64(out, (uint32_t)value);
    } else if (raw) {
        tk_buf_put_i64(out, value);
    } else if (node->logical == TK_PARQUET_DECIMAL) {
        put_decimal_i64(value, node->scale, out);
    } else {
        put_time(node, value, out);
    }
}

static void put_float(double value, struct tk_buf *out)
{
    if (__builtin_isnan(value)) {
        tk_buf_lit(out, "nan");
    } else if (__builtin_isinf(value)) {
        tk_buf_puts(out, value > 0 ? "inf" : "-inf");
    } else {
        tk_buf_put_f64(out, value, TK_SHORTEST);
    }
}

/* The shortest text that reads back as the same float. */
static void put_float32(float value, struct tk_buf *out)
{
    char text[32];
    if (!__builtin_isfinite(value)) {
        put_float((double)value, out);
        return;
    }
    for (int digits = 6; digits <= 9; digits++) {
        double back = 0;
        (void)snprintf(text, sizeof(text), "%.*g", digits, (double)value);
        if (tk_parse_f64(tk_str_from(text), &back) && (float)back == value)
            break;
    }
    tk_buf_puts(out, text);
}

void tk_parquet_put_text(const struct tk_parquet_node *node, const void *value, bool raw,
                         struct tk_buf *out)
{
    switch (node->type) {
    case TK_PARQUET_BOOL:
        tk_buf_puts(out, *(const bool *)value ? "true" : "false");
        break;
    case TK_PARQUET_I32:
        put_integer(node, *(const int32_t *)value, raw, out);
        break;
    case TK_PARQUET_I64:
        put_integer(node, *(const int64_t *)value, raw, out);
        break;
    case TK_PARQUET_F32:
        put_float32(*(const float *)value, out);
        break;
    case TK_PARQUET_F64:
        put_float(*(const double *)value, out);
        break;
    case TK_PARQUET_I96:
    case TK_PARQUET_BYTES:
    case TK_PARQUET_FIXED:
        put_bytes(node, *(const tk_str *)value, raw, out);
        break;
    case TK_PARQUET_GROUP:
        break;
    }
}

/* Its text is a JSON value as it stands, as a rule. */
static bool is_plain_json(const struct tk_parquet_node *node, bool raw)
{
    switch (node->type) {
    case TK_PARQUET_BOOL:
    case TK_PARQUET_F32:
    case TK_PARQUET_F64:
        return true;
    case TK_PARQUET_I32:
    case TK_PARQUET_I64:
        return raw ||
               (node->logical != TK_PARQUET_DATE &&
                (node->logical < TK_PARQUET_TIME_MS || node->logical > TK_PARQUET_TIMESTAMP_NS));
    case TK_PARQUET_I96:
    case TK_PARQUET_BYTES:
    case TK_PARQUET_FIXED:
    case TK_PARQUET_GROUP:
        break;
    }
    return node->logical == TK_PARQUET_DECIMAL;
}

void tk_parquet_put_json(const struct tk_parquet_node *node, const void *value, bool raw,
                         struct tk_buf *out)
{
    size_t at = out->n;
    if (node->type == TK_PARQUET_BYTES && node->logical != TK_PARQUET_DECIMAL &&
        tk_utf8_ok(*(const tk_str *)value)) {
        tk_json_put_str(out, *(const tk_str *)value);
        return;
    }
    bool quote = !is_plain_json(node, raw);
    if (quote)
        tk_buf_putc(out, '"');
    tk_parquet_put_text(node, value, raw, out);
    if (quote)
        tk_buf_putc(out, '"');
    /* "nan", "inf", and what was no decimal. */
    if (!quote && tk_buf_ok(out) && node->type != TK_PARQUET_BOOL &&
        (out->p[out->n - 1] == 'n' || out->p[out->n - 1] == 'f')) {
        out->n = at;
        tk_buf_lit(out, "null");
    }
}

void tk_parquet_put_bound(const struct tk_parquet_node *node, tk_str bytes, struct tk_buf *out)
{
    int64_t number = 0; /* and whatever else of eight bytes */
    size_t width = tk_parquet_width(node);
    if (width > 0 && bytes.n != width)
        return;
    if (node->type == TK_PARQUET_BYTES || node->type == TK_PARQUET_FIXED ||
        node->type == TK_PARQUET_I96) {
        tk_parquet_put_text(node, &bytes, false, out);
        return;
    }
    memcpy(&number, bytes.p, width);
    tk_parquet_put_text(node, &number, false, out);
}
