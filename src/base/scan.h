/* SPDX-License-Identifier: Apache-2.0 */
/* Inline pieces of text scanners, eight bytes at a time. They never read past `end`. Pure
 * functions, safe from any thread. */
#ifndef TK_BASE_SCAN_H
#define TK_BASE_SCAN_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

#define TK_EACH_BYTE(byte) (0x0101010101010101ULL * (byte))

/* Eight bytes as a number; the first is the lowest. */
static inline uint64_t tk_load8(const char *p)
{
    uint64_t bytes;
    memcpy(&bytes, p, sizeof(bytes));
    return le64toh(bytes);
}

/* The top bit of each byte that cannot stand for itself in a JSON string or needs a closer look: a
 * quote, a backslash, a control character, not ASCII. Bits above the lowest may be wrong. */
static inline uint64_t tk_special8(uint64_t bytes)
{
    uint64_t quote = bytes ^ TK_EACH_BYTE('"');
    uint64_t backslash = bytes ^ TK_EACH_BYTE('\\');
    uint64_t low =
        (bytes - TK_EACH_BYTE(0x20)) | (quote - TK_EACH_BYTE(1)) | (backslash - TK_EACH_BYTE(1));
    return (low | bytes) & TK_EACH_BYTE(0x80);
}

/* The first byte that tk_special8() marks, or `end`. */
static inline const char *tk_skip_plain(const char *p, const char *end)
{
    while ((size_t)(end - p) >= 8) {
        uint64_t special = tk_special8(tk_load8(p));
        if (special != 0)
            return p + (__builtin_ctzll(special) >> 3);
        p += 8;
    }
    for (; p < end; p++) {
        if (*p == '"' || *p == '\\' || (unsigned char)*p < 0x20 || (unsigned char)*p >= 0x80)
            break;
    }
    return p;
}

/* The top bit of each byte that is a quote, bracket or brace, or one of 'Y', '_', 'y' and DEL,
 * which share their bits. Bits above the lowest may be wrong. */
static inline uint64_t tk_bracket8(uint64_t bytes)
{
    uint64_t quote = bytes ^ TK_EACH_BYTE('"');
    uint64_t bracket = (bytes | TK_EACH_BYTE('[' ^ '}')) ^ TK_EACH_BYTE('[' | '}');
    uint64_t zero = ((quote - TK_EACH_BYTE(1)) & ~quote) | ((bracket - TK_EACH_BYTE(1)) & ~bracket);
    return zero & TK_EACH_BYTE(0x80);
}

/* A byte at or after p that tk_bracket8() marks, or one of the last eight, or `end`. */
static inline const char *tk_skip_to_bracket(const char *p, const char *end)
{
    for (; (size_t)(end - p) >= 8; p += 8) {
        uint64_t bracket = tk_bracket8(tk_load8(p));
        if (bracket != 0)
            return p + (__builtin_ctzll(bracket) >> 3);
    }
    return p;
}

/* Length of the UTF-8 sequence at p < end (Unicode 15, table 3-7): 1..4; 0 when it is none; -1
 * when it is right so far but cut off by `end`. */
static inline int tk_utf8_length(const char *p, const char *end)
{
    unsigned char lead = (unsigned char)*p;
    if (lead < 0x80)
        return 1;
    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    int n = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    for (int i = 1; i < n; i++) {
        if (p + i == end)
            return -1;
        if ((unsigned char)p[i] < low || (unsigned char)p[i] > high)
            return 0;
        low = 0x80;
        high = 0xBF;
    }
    return n;
}

/* All of `text` is UTF-8. */
static inline bool tk_utf8_ok(tk_str text)
{
    const char *end = text.n > 0 ? text.p + text.n : text.p;
    for (const char *p = text.p; p < end;) {
        if (end - p >= 8 && (tk_load8(p) & TK_EACH_BYTE(0x80)) == 0) {
            p += 8;
            continue;
        }
        int n = tk_utf8_length(p, end);
        if (n <= 0)
            return false;
        p += n;
    }
    return true;
}

#endif
