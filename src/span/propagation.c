/* SPDX-License-Identifier: Apache-2.0 */
#include "span/propagation.h"

#include <string.h>

#include "base/compiler.h"
#include "base/number.h"

#define MEMBER_LONG 128

/* Traceparent ------------------------------------------------------------------------- */

/* Upper-case digits are none here. */
static bool take_hex(tk_str *text, uint8_t *to, size_t bytes)
{
    if (text->n < 2 * bytes)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        char high = text->p[2 * i];
        char low = text->p[2 * i + 1];
        bool is_upper = (high >= 'A' && high <= 'F') || (low >= 'A' && low <= 'F');
        if (is_upper || tk_hex_value(high) < 0 || tk_hex_value(low) < 0)
            return false;
        to[i] = (uint8_t)(tk_hex_value(high) << 4 | tk_hex_value(low));
    }
    *text = (tk_str){text->p + 2 * bytes, text->n - 2 * bytes};
    return true;
}

static bool is_zero(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

bool tk_traceparent_parse(tk_str text, struct tk_traceparent *ret)
{
    uint8_t version;
    uint8_t flags;
    uint8_t trace_id[16];
    uint8_t span_id[8];
    if (!take_hex(&text, &version, 1) || !tk_str_take_prefix(&text, TK_STR("-")) ||
        !take_hex(&text, trace_id, sizeof(trace_id)) || !tk_str_take_prefix(&text, TK_STR("-")) ||
        !take_hex(&text, span_id, sizeof(span_id)) || !tk_str_take_prefix(&text, TK_STR("-")) ||
        !take_hex(&text, &flags, 1))
        return false;
    bool ends = text.n == 0 || (version > 0 && text.p[0] == '-');
    if (version == 0xFF || !ends || is_zero(trace_id, sizeof(trace_id)) ||
        is_zero(span_id, sizeof(span_id)))
        return false;
    memcpy(ret->trace_id, trace_id, sizeof(trace_id));
    memcpy(&ret->span_id, span_id, sizeof(span_id));
    ret->flags = flags;
    return true;
}

static char *put_hex(const void *bytes, size_t n, char *to)
{
    const uint8_t *from = bytes;
    for (size_t i = 0; i < n; i++) {
        *to++ = "0123456789abcdef"[from[i] >> 4];
        *to++ = "0123456789abcdef"[from[i] & 15];
    }
    return to;
}

void tk_traceparent_format(const struct tk_traceparent *parent, char ret[TK_TRACEPARENT_BYTES + 1])
{
    char *to = put_hex("", 1, ret);
    *to++ = '-';
    to = put_hex(parent->trace_id, sizeof(parent->trace_id), to);
    *to++ = '-';
    to = put_hex(&parent->span_id, sizeof(parent->span_id), to);
    *to++ = '-';
    to = put_hex(&parent->flags, 1, to);
    *to = '\0';
}

/* Lists ------------------------------------------------------------------------------ */

struct limits {
    size_t members, bytes;
};

/* Bytes of the members that stay; those longer than `longest` do not. */
static size_t measure(tk_str text, size_t longest)
{
    size_t bytes = 0;
    tk_str member;
    while (tk_str_take_until(&text, ',', &member)) {
        member = tk_str_trim(member);
        if (member.n > 0 && member.n <= longest)
            bytes += member.n + 1;
    }
    return bytes;
}

static void put_list(tk_str text, struct limits limits, struct tk_buf *out)
{
    bool fits = measure(text, SIZE_MAX) <= limits.bytes + 1;
    size_t longest = fits ? SIZE_MAX : MEMBER_LONG;
    size_t before = out->n;
    size_t count = 0;
    tk_str member;
    while (count < limits.members && tk_str_take_until(&text, ',', &member)) {
        member = tk_str_trim(member);
        if (member.n == 0 || member.n > longest)
            continue;
        if (out->n - before + member.n + (count > 0) > limits.bytes)
            return;
        if (count++ > 0)
            tk_buf_putc(out, ',');
        tk_buf_put(out, member);
    }
}

void tk_tracestate_put(tk_str text, struct tk_buf *out)
{
    put_list(text, (struct limits){32, 512}, out);
}

void tk_baggage_put(tk_str text, struct tk_buf *out)
{
    put_list(text, (struct limits){64, 8192}, out);
}

void tk_resource_attributes_put(tk_str text, tk_str key, tk_str value, struct tk_buf *out)
{
    tk_str member;
    while (tk_str_take_until(&text, ',', &member)) {
        tk_str rest = tk_str_trim(member);
        if (rest.n == 0 || (tk_str_take_prefix(&rest, key) && rest.n > 0 && *rest.p == '='))
            continue;
        tk_buf_put(out, tk_str_trim(member));
        tk_buf_putc(out, ',');
    }
    tk_buf_put(out, key);
    tk_buf_putc(out, '=');
    tk_buf_put(out, value);
}
