/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/cors.h"

#include <errno.h>

/* The next origin of the list; false at its end. */
static bool take_origin(tk_str *list, tk_str *ret_origin)
{
    if (!list->p)
        return false;
    size_t n = tk_str_find(*list, ',');
    *ret_origin = tk_str_trim((tk_str){list->p, n});
    *list = n < list->n ? (tk_str){list->p + n + 1, list->n - n - 1} : (tk_str){NULL, 0};
    return true;
}

/* scheme "://" host [":" port], and nothing behind it. */
static bool is_origin(tk_str text)
{
    tk_str rest = text;
    if (!tk_str_take_prefix(&rest, TK_STR("http://")) &&
        !tk_str_take_prefix(&rest, TK_STR("https://")))
        return false;
    return rest.n > 0 && tk_str_find(rest, '/') == rest.n && tk_str_find(rest, ' ') == rest.n;
}

int tk_cors_check(const char *allowed, struct tk_err *err)
{
    tk_str list = tk_str_from(allowed);
    tk_str origin;
    if (tk_str_eq(list, TK_STR("*")))
        return 0;
    while (take_origin(&list, &origin)) {
        if (!is_origin(origin)) {
            return tk_fail(err, -EINVAL, "'%.*s' is no origin such as https://shop.example",
                           (int)origin.n, origin.p);
        }
    }
    return 0;
}

bool tk_cors_allows(const char *allowed, tk_str origin)
{
    tk_str list = tk_str_from(allowed);
    tk_str one;
    if (!allowed || origin.n == 0)
        return false;
    if (tk_str_eq(list, TK_STR("*")))
        return true;
    while (take_origin(&list, &one)) {
        if (tk_str_eq(one, origin))
            return true;
    }
    return false;
}
