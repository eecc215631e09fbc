/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void tk_base64_put(struct tk_buf *out, tk_str bytes)
{
    char *to = bytes.n < SIZE_MAX / 2 ? tk_buf_reserve(out, (bytes.n + 2) / 3 * 4) : NULL;
    if (!to)
        return;
    const unsigned char *p = (const unsigned char *)bytes.p;
    for (size_t i = 0; i < bytes.n; i += 3, to += 4) {
        size_t left = bytes.n - i;
        uint32_t group = (uint32_t)p[i] << 16;
        group |= left > 1 ? (uint32_t)p[i + 1] << 8 : 0;
        group |= left > 2 ? p[i + 2] : 0;
        to[0] = digits[group >> 18];
        to[1] = digits[group >> 12 & 63];
        to[2] = '=';
        to[3] = '=';
        if (left > 1)
            to[2] = digits[group >> 6 & 63];
        if (left > 2)
            to[3] = digits[group & 63];
    }
    out->n += (bytes.n + 2) / 3 * 4;
}

/* What a digit of either alphabet stands for; -1 of any other byte. */
static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

bool tk_base64_decode(tk_str text, struct tk_buf *out)
{
    size_t n = text.n;
    while (n > 0 && text.n - n < 2 && text.p[n - 1] == '=')
        n--;
    if (n % 4 == 1 || (n < text.n && text.n % 4 != 0))
        return false;
    char *to = tk_buf_reserve(out, n / 4 * 3 + 3);
    size_t written = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        int value = value_of(text.p[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 != 0 && to)
            to[written++] = (char)(bits >> (6 - i % 4 * 2));
    }
    if (to)
        out->n += written;
    return true;
}
