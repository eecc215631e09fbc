/* SPDX-License-Identifier: Apache-2.0 */
#include "span/when.h"

#include <string.h>
#include <time.h>

#include "base/checked.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/number.h"
#include "base/opt.h"

/* Take a number of exactly `digits` digits. */
static bool take_digits(tk_str *text, size_t digits, int *ret)
{
    int value = 0;
    if (text->n < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (!tk_is_digit(text->p[i]))
            return false;
        value = value * 10 + (text->p[i] - '0');
    }
    *text = (tk_str){text->p + digits, text->n - digits};
    *ret = value;
    return true;
}

static bool take_char(tk_str *text, char a, char b)
{
    if (text->n == 0 || (*text->p != a && *text->p != b))
        return false;
    *text = (tk_str){text->p + 1, text->n - 1};
    return true;
}

static bool take_month_name(tk_str *text, int *ret_month)
{
    static const char names[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        if (tk_str_take_prefix(text, (tk_str){names[i], 3})) {
            *ret_month = (int)i + 1;
            return true;
        }
    }
    return false;
}

/* HH:MM:SS */
static bool take_clock(tk_str *text, struct tk_civil *civil)
{
    return take_digits(text, 2, &civil->hour) && take_char(text, ':', ':') &&
           take_digits(text, 2, &civil->minute) && take_char(text, ':', ':') &&
           take_digits(text, 2, &civil->second);
}

/* YYYY-MM-DDTHH:MM:SS */
static bool take_iso(tk_str *text, struct tk_civil *civil)
{
    return take_digits(text, 4, &civil->year) && take_char(text, '-', '/') &&
           take_digits(text, 2, &civil->month) && take_char(text, '-', '/') &&
           take_digits(text, 2, &civil->day) &&
           (take_char(text, 'T', 't') || take_char(text, ' ', ' ')) && take_clock(text, civil);
}

/* DD/Mon/YYYY:HH:MM:SS */
static bool take_common(tk_str *text, struct tk_civil *civil)
{
    return take_digits(text, 2, &civil->day) && take_char(text, '/', '/') &&
           take_month_name(text, &civil->month) && take_char(text, '/', '/') &&
           take_digits(text, 4, &civil->year) && take_char(text, ':', ':') &&
           take_clock(text, civil);
}

/* ".123": digits beyond the ninth are cut off. */
static bool take_fraction(tk_str *text, int64_t *ret_ns)
{
    static const int64_t units[] = {100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};
    *ret_ns = 0;
    if (!take_char(text, '.', ','))
        return true;
    size_t digits = 0;
    for (; digits < text->n && tk_is_digit(text->p[digits]); digits++) {
        if (digits < TK_COUNTOF(units))
            *ret_ns += (text->p[digits] - '0') * units[digits];
    }
    *text = (tk_str){text->p + digits, text->n - digits};
    return digits > 0;
}

/* "Z", "+02:00", "-0530", "+02". */
static bool take_zone(tk_str *text, int64_t *ret_s)
{
    int hours = 0;
    int minutes = 0;
    *ret_s = 0;
    if (take_char(text, 'Z', 'z'))
        return true;
    bool is_west = text->n > 0 && *text->p == '-';
    if (!take_char(text, '+', '-') || !take_digits(text, 2, &hours))
        return false;
    (void)take_char(text, ':', ':');
    if (text->n > 0 && !take_digits(text, 2, &minutes))
        return false;
    *ret_s = ((int64_t)hours * 60 + minutes) * (is_west ? -60 : 60);
    return hours <= 14 && minutes < 60;
}

static int64_t local_to_s(const struct tk_civil *civil)
{
    struct tm tm = {
        .tm_year = civil->year - 1900,
        .tm_mon = civil->month - 1,
        .tm_mday = civil->day,
        .tm_hour = civil->hour,
        .tm_min = civil->minute,
        .tm_sec = civil->second,
        .tm_isdst = -1,
    };
    return (int64_t)mktime(&tm);
}

bool tk_when_parse(tk_str text, bool local, int64_t *ret_ns)
{
    struct tk_civil civil;
    int64_t fraction_ns;
    int64_t east_s = 0;
    tk_str rest = text;
    if (!take_iso(&rest, &civil)) {
        rest = text;
        if (!take_common(&rest, &civil))
            return false;
    }
    if (!take_fraction(&rest, &fraction_ns) || !tk_civil_ok(&civil) || civil.year < 1970 ||
        civil.year > 2100)
        return false;
    (void)take_char(&rest, ' ', ' ');
    bool has_zone = rest.n > 0;
    if (has_zone && (!take_zone(&rest, &east_s) || rest.n > 0))
        return false;
    int64_t s = local && !has_zone ? local_to_s(&civil) : tk_civil_to_s(&civil) - east_s;
    *ret_ns = s * TK_NS_PER_S + fraction_ns;
    return true;
}

/* "+90s"; without a unit it would be milliseconds, which nobody means. */
static bool parse_offset(const char *text, int64_t *ret_ns)
{
    size_t n = strlen(text);
    return *text == '+' && text[n - 1] >= 'a' && tk_duration_parse(text + 1, ret_ns);
}

#define MILLI_FROM 100000000000 /* as ms the year 1973, as seconds the year 5138 */

bool tk_when_parse_point(const char *text, int64_t start_ns, int64_t *ret_ns)
{
    int64_t number;
    int64_t ns;
    if (*text == '+') {
        if (!parse_offset(text, &number) || !tk_add_i64(start_ns, number, &ns))
            return false;
    } else if (tk_parse_i64(tk_str_from(text), &number)) {
        if (number < 0 ||
            !tk_mul_i64(number, number < MILLI_FROM ? TK_NS_PER_S : TK_NS_PER_MS, &ns))
            return false;
    } else {
        return tk_when_parse(tk_str_from(text), false, ret_ns);
    }
    *ret_ns = ns;
    return true;
}
