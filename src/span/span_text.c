/* SPDX-License-Identifier: Apache-2.0 */
#include "span/span_text.h"

#include <endian.h>
#include <strings.h>

#include "base/number.h"

/* Eight hexadecimal digits as four bytes, all at once; false when one of them is none. */
static bool parse_eight(const char *digits, uint8_t *ret)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t text;
    memcpy(&text, digits, sizeof(text));
    text = le64toh(text);
    uint64_t letter = text >> 6 & ones; /* the bit that letters have and digits have not */
    uint64_t value = (text & 0x0F * ones) + 9 * letter;
    bool is_row = (text & ~(letter << 5) & 0xF0 * ones) == 0x30 * ones + (letter << 4);
    bool is_in_row = (((value + 6 * ones) & 0x10 * ones) == letter << 4) && !(value & 0x10 * ones);
    uint64_t pairs = (value << 4 | value >> 8) & UINT64_C(0x00FF00FF00FF00FF);
    pairs = (pairs | pairs >> 8) & UINT64_C(0x0000FFFF0000FFFF);
    uint32_t bytes = htole32((uint32_t)(pairs | pairs >> 16));
    memcpy(ret, &bytes, sizeof(bytes));
    return is_row && is_in_row;
}

/* Digits of any number, from the last on, with dashes anywhere. */
static bool parse_any(tk_str text, uint8_t *ret, size_t n)
{
    uint8_t bytes[16] = {0};
    size_t digits = 0;
    for (size_t i = text.n; i > 0; i--) {
        char c = text.p[i - 1];
        int value = tk_hex_value(c);
        if (c == '-')
            continue;
        if (value < 0 || digits == 2 * n)
            return false;
        bytes[n - 1 - digits / 2] |= (uint8_t)(value << (digits % 2 * 4));
        digits++;
    }
    if (digits == 0)
        return false;
    memcpy(ret, bytes, n);
    return true;
}

/* The digits as `n` bytes. */
static bool parse(tk_str text, uint8_t *ret, size_t n)
{
    uint8_t bytes[16] = {0};
    size_t at = text.n <= 2 * n ? n - text.n / 2 : n;
    bool is_plain = text.n % 8 == 0 && at < n;
    for (size_t i = 0; is_plain && at < n; i += 8, at += 4)
        is_plain = parse_eight(text.p + i, bytes + at);
    if (!is_plain)
        return parse_any(text, ret, n);
    memcpy(ret, bytes, n);
    return true;
}

static void format(const uint8_t *bytes, size_t n, char *to)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        to[2 * i] = hex[bytes[i] >> 4];
        to[2 * i + 1] = hex[bytes[i] & 15];
    }
}

bool tk_trace_id_parse(tk_str text, uint8_t ret_id[16])
{
    return parse(text, ret_id, 16);
}

bool tk_span_id_parse(tk_str text, uint64_t *ret_id)
{
    uint8_t bytes[8];
    if (!parse(text, bytes, sizeof(bytes)))
        return false;
    memcpy(ret_id, bytes, sizeof(bytes));
    return true;
}

void tk_trace_id_format(const uint8_t id[16], char to[TK_TRACE_ID_DIGITS])
{
    format(id, 16, to);
}

void tk_span_id_format(uint64_t id, char to[TK_SPAN_ID_DIGITS])
{
    uint8_t bytes[8];
    memcpy(bytes, &id, sizeof(bytes));
    format(bytes, sizeof(bytes), to);
}

bool tk_trace_id_is_zero(const uint8_t id[16])
{
    uint64_t halves[2];
    memcpy(halves, id, sizeof(halves));
    return (halves[0] | halves[1]) == 0;
}

/* Words ------------------------------------------------------------------------------------ */

const char *const tk_span_kind_names[TK_SPAN_KIND_COUNT] = {
    [TK_SPAN_UNSPECIFIED] = "unspecified", [TK_SPAN_INTERNAL] = "internal",
    [TK_SPAN_SERVER] = "server",           [TK_SPAN_CLIENT] = "client",
    [TK_SPAN_PRODUCER] = "producer",       [TK_SPAN_CONSUMER] = "consumer",
};

const char *const tk_span_status_names[TK_SPAN_STATUS_COUNT] = {
    [TK_SPAN_UNSET] = "unset", [TK_SPAN_OK] = "ok", [TK_SPAN_ERROR] = "error"};

/* The place of a word, or of its number, in a list; 0 for others. */
static uint8_t find_word(tk_str text, tk_str prefix, const char *const *words, size_t count)
{
    if (text.n > prefix.n && strncasecmp(text.p, prefix.p, prefix.n) == 0)
        text = (tk_str){text.p + prefix.n, text.n - prefix.n};
    if (text.n == 1 && tk_is_digit(*text.p))
        return (size_t)(*text.p - '0') < count ? (uint8_t)(*text.p - '0') : 0;
    for (size_t i = 0; i < count; i++) {
        if (text.n == strlen(words[i]) && strncasecmp(text.p, words[i], text.n) == 0)
            return (uint8_t)i;
    }
    return 0;
}

uint8_t tk_span_kind_parse(tk_str text)
{
    return find_word(text, TK_STR("SPAN_KIND_"), tk_span_kind_names, TK_SPAN_KIND_COUNT);
}

uint8_t tk_span_status_parse(tk_str text)
{
    return find_word(text, TK_STR("STATUS_CODE_"), tk_span_status_names, TK_SPAN_STATUS_COUNT);
}
