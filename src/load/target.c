/* SPDX-License-Identifier: Apache-2.0 */
#include "load/target.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/str.h"

#define GRPC_PATH "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

/* Host and port of "HOST[:PORT]" or "[ADDRESS][:PORT]"; the port is empty when there is none. */
static bool split(tk_str place, tk_str *ret_host, tk_str *ret_port)
{
    size_t colon = tk_str_find_last(place, ':');
    if (place.n > 0 && place.p[0] == '[') {
        size_t close = tk_str_find(place, ']');
        if (close == place.n || (close + 1 != place.n && close + 1 != colon))
            return false;
        *ret_host = (tk_str){place.p + 1, close - 1};
        colon = close + 1;
    } else {
        *ret_host = (tk_str){place.p, colon};
        if (tk_str_find(place, ':') != colon)
            return false;
    }
    *ret_port = colon < place.n ? (tk_str){place.p + colon + 1, place.n - colon - 1} : TK_STR("");
    return ret_host->n > 0 && (colon == place.n || ret_port->n > 0);
}

static bool is_plain(tk_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if ((unsigned char)text.p[i] <= ' ' || (unsigned char)text.p[i] >= 0x7F)
            return false;
    }
    return true;
}

static bool port_ok(tk_str port)
{
    uint64_t number;
    return port.n <= 5 && tk_parse_u64(port, &number) && number >= 1 && number <= 65535;
}

static int take_scheme(tk_str *text, const char *url, struct tk_err *err)
{
    if (tk_str_take_prefix(text, TK_STR("http://")))
        return 0;
    if (tk_str_starts_with(*text, TK_STR("https://"))) {
        return tk_fail(err, -EOPNOTSUPP,
                       "'%s': https is not spoken here: send to a proxy on this host that does",
                       url);
    }
    return tk_fail(err, -EINVAL, "'%s': expected http://HOST[:PORT][/PATH]", url);
}

int tk_load_target_parse(const char *url, bool grpc, struct tk_load_target *ret, struct tk_err *err)
{
    tk_str text = tk_str_from(url);
    tk_str place;
    tk_str host;
    tk_str port;
    struct tk_load_target target = {0};
    int rc = take_scheme(&text, url, err);
    if (rc < 0)
        return rc;
    size_t slash = tk_str_find(text, '/');
    place = (tk_str){text.p, slash};
    tk_str path = {text.p + slash, text.n - slash};
    if (!is_plain(text) || tk_str_find(place, '@') < place.n || !split(place, &host, &port))
        return tk_fail(err, -EINVAL, "'%s': expected http://HOST[:PORT][/PATH]", url);
    if (port.n == 0)
        port = grpc ? TK_STR("4317") : TK_STR("4318");
    if (!port_ok(port))
        return tk_fail(err, -EINVAL, "'%s': the port is not between 1 and 65535", url);
    if (path.n <= 1) {
        path = grpc ? TK_STR(GRPC_PATH) : TK_STR("/v1/traces");
    } else if (grpc) {
        return tk_fail(err, -EINVAL, "'%s': an address of gRPC has no path", url);
    }
    if (!tk_str_to_cstr(host, target.host, sizeof(target.host)) ||
        !tk_str_to_cstr(port, target.port, sizeof(target.port)) ||
        !tk_str_to_cstr(path, target.path, sizeof(target.path)))
        return tk_fail(err, -EINVAL, "'%s' is too long", url);
    bool bare = strchr(target.host, ':') != NULL;
    (void)snprintf(target.authority, sizeof(target.authority), bare ? "[%s]:%s" : "%s:%s",
                   target.host, target.port);
    *ret = target;
    return 0;
}
