/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/grpc.h"

#include <errno.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/number.h"

/* Take of the prefix what is missing. */
static int add_prefix(struct tk_grpc_message *message, struct tk_bodies *bodies, tk_str *bytes)
{
    while (message->prefix_n < TK_GRPC_PREFIX_BYTES && bytes->n > 0) {
        message->prefix[message->prefix_n++] = (unsigned char)*bytes->p;
        *bytes = (tk_str){bytes->p + 1, bytes->n - 1};
        if (message->prefix_n < TK_GRPC_PREFIX_BYTES)
            continue;
        const unsigned char *prefix = message->prefix;
        message->is_compressed = prefix[0] == 1;
        message->bytes = (uint32_t)prefix[1] << 24 | (uint32_t)prefix[2] << 16 |
                         (uint32_t)prefix[3] << 8 | prefix[4];
        return prefix[0] > 1 ? -EBADMSG : tk_body_reserve(bodies, &message->body, message->bytes);
    }
    return 0;
}

int tk_grpc_message_add(struct tk_grpc_message *message, struct tk_bodies *bodies, tk_str bytes)
{
    int rc = add_prefix(message, bodies, &bytes);
    if (rc < 0 || bytes.n == 0)
        return rc;
    if (bytes.n > message->bytes - message->body.n)
        return -EBADMSG;
    return tk_body_add(bodies, &message->body, bytes);
}

bool tk_grpc_message_ok(const struct tk_grpc_message *message)
{
    return message->prefix_n == TK_GRPC_PREFIX_BYTES && message->body.n == message->bytes;
}

void tk_grpc_message_release(struct tk_grpc_message *message, struct tk_bodies *bodies)
{
    tk_body_release(bodies, &message->body);
    *message = (struct tk_grpc_message){0};
}

bool tk_grpc_timeout_parse(tk_str text, int64_t *ret_ns)
{
    static const struct {
        char unit;
        int64_t ns;
    } units[] = {{'H', 3600 * TK_NS_PER_S}, {'M', 60 * TK_NS_PER_S}, {'S', TK_NS_PER_S},
                 {'m', TK_NS_PER_MS},       {'u', TK_NS_PER_US},     {'n', 1}};
    uint64_t value;
    if (text.n < 2 || text.n > 9 || !tk_is_digit(text.p[0]) ||
        !tk_parse_u64((tk_str){text.p, text.n - 1}, &value))
        return false;
    for (size_t i = 0; i < TK_COUNTOF(units); i++) {
        if (text.p[text.n - 1] != units[i].unit)
            continue;
        int64_t most = INT64_MAX / 2 / units[i].ns;
        *ret_ns = (int64_t)value > most ? INT64_MAX / 2 : (int64_t)value * units[i].ns;
        return true;
    }
    return false;
}

void tk_grpc_put_prefix(struct tk_buf *out, size_t bytes)
{
    const char prefix[TK_GRPC_PREFIX_BYTES] = {0, (char)(bytes >> 24), (char)(bytes >> 16),
                                               (char)(bytes >> 8), (char)bytes};
    tk_buf_put(out, (tk_str){prefix, sizeof(prefix)});
}

void tk_grpc_put_text(struct tk_buf *out, tk_str text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c >= 0x20 && c <= 0x7E && c != '%') {
            tk_buf_putc(out, (char)c);
            continue;
        }
        tk_buf_put(out, (tk_str){(const char[]){'%', digits[c >> 4], digits[c & 15]}, 3});
    }
}

void tk_grpc_put_binary(struct tk_buf *out, tk_str bytes)
{
    tk_base64_put(out, bytes);
    while (tk_buf_ok(out) && bytes.n % 3 > 0 && out->p[out->n - 1] == '=')
        out->n--;
}
