/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of protobuf from a text that people can read, for tests:
 *
 *     5"text"   5#00ff (bytes)   6=-1 (varint)   7@1000 (64 bits)   16%1 (32 bits)
 *     2{ ... } (a message)       9( ... 9) (a group) */
#ifndef TK_WIRE_TEXT_H
#define TK_WIRE_TEXT_H

#include <stdlib.h>

#include "base/number.h"
#include "span/wire.h"

/* Append what the text says up to '}' or the end; returns where it stopped. */
static inline const char *wire_text(struct tk_buf *out, const char *p);

static inline const char *wire_hex(struct tk_buf *out, uint32_t tag, const char *p)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf bytes;
    tk_buf_init(&bytes, 4096);
    for (; tk_hex_value(p[0]) >= 0; p += 2)
        tk_buf_putc(&bytes, (char)(tk_hex_value(p[0]) << 4 | tk_hex_value(p[1])));
    tk_wire_put_bytes(out, tag, tk_buf_str(&bytes));
    return p;
}

static inline const char *wire_value(struct tk_buf *out, uint32_t number, const char *p)
{
    char *end = NULL;
    size_t n = strcspn(p + 1, "\"");
    size_t at;
    switch (*p) {
    case '"':
        tk_wire_put_bytes(out, TK_WIRE_BYTES(number), (tk_str){p + 1, n});
        return p + n + 2;
    case '#':
        return wire_hex(out, TK_WIRE_BYTES(number), p + 1);
    case '=':
        tk_wire_put_number(out, TK_WIRE_VARINT(number), (uint64_t)strtoll(p + 1, &end, 10));
        return end;
    case '@':
        tk_wire_put_fixed64(out, TK_WIRE_FIXED64(number), strtoull(p + 1, &end, 10));
        return end;
    case '%':
        tk_wire_put_varint(out, TK_WIRE_FIXED32(number));
        uint32_t word = htole32((uint32_t)strtoul(p + 1, &end, 10));
        tk_buf_put(out, (tk_str){(const char *)&word, sizeof(word)});
        return end;
    case '{':
        at = tk_wire_begin(out, TK_WIRE_BYTES(number), 0);
        p = wire_text(out, p + 1);
        tk_wire_end(out, at, 0);
        return p + 1;
    default: /* parentheses */
        tk_wire_put_varint(out, number << 3 | (*p == '(' ? 3 : 4));
        return p + 1;
    }
}

static inline const char *wire_text(struct tk_buf *out, const char *p)
{
    while (*p == ' ')
        p++;
    while (*p != '\0' && *p != '}') {
        char *after = NULL;
        uint32_t number = (uint32_t)strtoul(p, &after, 10);
        p = wire_value(out, number, after);
        while (*p == ' ')
            p++;
    }
    return p;
}

#endif
