/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/routes.h"

/* Where two have a path, the first one answers it. */
static const struct tk_route *const tables[] = {
    tk_routes_jaeger, tk_routes_jaeger3, tk_routes_zipkin, tk_routes_tempo, NULL,
};

bool tk_request_param(const struct tk_request *request, const char *name, tk_str *ret_value)
{
    for (size_t i = 0; i < request->param_count; i++) {
        if (!tk_str_eq(request->params[i].name, tk_str_from(name)))
            continue;
        *ret_value = request->params[i].value;
        return true;
    }
    return false;
}

/* Whether a path is what a route's path says; "{}" stands for one segment that is not empty, or for
 * several in the middle of a path: names of services may hold a slash. */
static bool path_fits(tk_str pattern, tk_str path, tk_str *ret_segment)
{
    size_t hole = tk_str_find(pattern, '{');
    *ret_segment = (tk_str){NULL, 0};
    if (hole == pattern.n)
        return tk_str_eq(pattern, path);
    tk_str before = {pattern.p, hole};
    tk_str after = {pattern.p + hole + 2, pattern.n - hole - 2};
    if (path.n <= before.n + after.n || !tk_str_starts_with(path, before) ||
        !tk_str_ends_with(path, after))
        return false;
    tk_str segment = {path.p + hole, path.n - before.n - after.n};
    *ret_segment = segment;
    return after.n > 0 || tk_str_find(segment, '/') == segment.n;
}

const struct tk_route *tk_routes_find(tk_str method, tk_str path, tk_str *ret_segment,
                                      bool *ret_known)
{
    *ret_known = false;
    for (size_t i = 0; tables[i]; i++) {
        for (const struct tk_route *route = tables[i]; route->path; route++) {
            if (!path_fits(tk_str_from(route->path), path, ret_segment))
                continue;
            if (tk_str_eq(tk_str_from(route->method), method))
                return route;
            *ret_known = true;
        }
    }
    return NULL;
}

void tk_routes_list(struct tk_buf *out)
{
    for (size_t i = 0; tables[i]; i++) {
        for (const struct tk_route *route = tables[i]; route->path; route++)
            tk_buf_printf(out, "%-4s  %-44s  %s\n", route->method, route->path, route->about);
    }
}
