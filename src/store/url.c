/* SPDX-License-Identifier: Apache-2.0 */
#include "store/url.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "base/number.h"

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_unreserved(char c)
{
    return is_letter(c) || tk_is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static void put_encoded(struct tk_buf *out, tk_str raw, bool is_path)
{
    static const char digits[] = "0123456789ABCDEF";
    char *to = tk_buf_reserve(out, 3 * raw.n);
    if (!to)
        return;
    const char *start = to;
    for (size_t i = 0; i < raw.n; i++) {
        char c = raw.p[i];
        if (is_unreserved(c) || (c == '/' && is_path)) {
            *to++ = c;
            continue;
        }
        *to++ = '%';
        *to++ = digits[(unsigned char)c >> 4];
        *to++ = digits[(unsigned char)c & 15];
    }
    out->n += (size_t)(to - start);
}

void tk_url_put_value(struct tk_buf *out, tk_str raw)
{
    put_encoded(out, raw, false);
}

void tk_url_put_path(struct tk_buf *out, tk_str raw)
{
    put_encoded(out, raw, true);
}

/* Bytes of a parameter in `out`. */
struct piece {
    size_t start, name_n, n;
};

static int piece_cmp(const char *p, const struct piece *a, const struct piece *b)
{
    int order = tk_str_cmp((tk_str){p + a->start, a->name_n}, (tk_str){p + b->start, b->name_n});
    return order != 0 ? order
                      : tk_str_cmp((tk_str){p + a->start, a->n}, (tk_str){p + b->start, b->n});
}

static void sort_pieces(const char *p, struct piece *pieces, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct piece moved = pieces[i];
        size_t to = i;
        for (; to > 0 && piece_cmp(p, &moved, &pieces[to - 1]) < 0; to--)
            pieces[to] = pieces[to - 1];
        pieces[to] = moved;
    }
}

void tk_url_put_query(struct tk_buf *out, const struct tk_url_param *params, size_t count)
{
    struct piece pieces[TK_URL_PARAMS_MAX];
    struct tk_buf encoded;
    assert(count <= TK_URL_PARAMS_MAX);
    tk_buf_init(&encoded, out->max);
    for (size_t i = 0; i < count; i++) {
        pieces[i].start = encoded.n;
        tk_url_put_value(&encoded, params[i].name);
        pieces[i].name_n = encoded.n - pieces[i].start;
        tk_buf_putc(&encoded, '=');
        tk_url_put_value(&encoded, params[i].value);
        pieces[i].n = encoded.n - pieces[i].start;
    }
    if (tk_buf_ok(&encoded)) {
        sort_pieces(encoded.p, pieces, count);
        for (size_t i = 0; i < count; i++) {
            if (i > 0)
                tk_buf_putc(out, '&');
            tk_buf_put(out, (tk_str){encoded.p + pieces[i].start, pieces[i].n});
        }
    } else {
        out->failure = encoded.failure;
    }
    tk_buf_release(&encoded);
}

bool tk_url_decode(tk_str encoded, struct tk_buf *out)
{
    for (size_t i = 0; i < encoded.n; i++) {
        char c = encoded.p[i];
        if (c == '%') {
            int high = i + 2 < encoded.n ? tk_hex_value(encoded.p[i + 1]) : -1;
            int low = i + 2 < encoded.n ? tk_hex_value(encoded.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        tk_buf_putc(out, c);
    }
    return true;
}

/* A name, an IPv4 address, or an IPv6 address in brackets. */
static bool host_ok(tk_str host)
{
    bool is_v6 = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    if (is_v6)
        host = (tk_str){host.p + 1, host.n - 2};
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        if (!is_letter(c) && !tk_is_digit(c) && c != '-' && c != '.' &&
            !(is_v6 ? c == ':' : c == '_'))
            return false;
    }
    return host.n > 0;
}

static bool port_ok(tk_str port)
{
    uint64_t number;
    return port.n <= 5 && tk_parse_u64(port, &number) && number > 0 && number < 65536;
}

int tk_endpoint_parse(tk_str text, struct tk_endpoint *ret_endpoint, struct tk_err *err)
{
    struct tk_endpoint endpoint = {.is_tls = false};
    tk_str rest = text;
    endpoint.is_tls = tk_str_take_prefix(&rest, TK_STR("https://"));
    if (!endpoint.is_tls && !tk_str_take_prefix(&rest, TK_STR("http://"))) {
        return tk_fail(err, -EINVAL, "endpoint '%.*s': expected http://host:port or https://host",
                       TK_STR_ARG(text));
    }
    if (tk_str_ends_with(rest, TK_STR("/")))
        rest.n--;
    size_t bracket = tk_str_find(rest, ']');
    size_t from = bracket < rest.n ? bracket : 0;
    size_t colon = from + tk_str_find((tk_str){rest.p + from, rest.n - from}, ':');
    tk_str host = {rest.p, colon};
    bool has_port = colon < rest.n;
    tk_str port = has_port ? (tk_str){rest.p + colon + 1, rest.n - colon - 1} : TK_STR("");
    if (!host_ok(host) || (has_port && !port_ok(port))) {
        return tk_fail(err, -EINVAL, "endpoint '%.*s': expected a host and perhaps a port, no path",
                       TK_STR_ARG(text));
    }
    if (tk_str_eq(port, endpoint.is_tls ? TK_STR("443") : TK_STR("80")))
        rest = host;
    if (!tk_str_to_cstr(rest, endpoint.host, sizeof(endpoint.host)))
        return tk_fail(err, -EINVAL, "endpoint: longer than %d bytes", TK_ENDPOINT_MAX - 1);
    *ret_endpoint = endpoint;
    return 0;
}
