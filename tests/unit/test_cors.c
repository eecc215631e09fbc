/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "serve/cors.h"
#include "tk_test.h"

static void only_origins_of_the_list_may(void **state)
{
    (void)state;
    static const struct {
        const char *allowed, *origin;
        bool may;
    } cases[] = {
        {NULL, "https://a.b", false},
        {"*", "https://a.b", true},
        {"*", "null", true},
        {"*", "", false}, /* no page, so nothing to allow */
        {"https://a.b", "https://a.b", true},
        {"https://a.b", "http://a.b", false},
        {"https://a.b", "https://a.b:8443", false},
        {"https://a.b", "https://a.bc", false},
        {"https://a.b", "https://a", false},
        {"https://a.b, http://localhost:3000", "http://localhost:3000", true},
        {"https://a.b,http://localhost:3000", "https://a.b", true},
        {"https://a.b,http://localhost:3000", "https://a.b,http://localhost:3000", false},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        assert_int_equal(tk_cors_allows(cases[i].allowed, tk_str_from(cases[i].origin)),
                         cases[i].may);
    }
}

static void what_is_no_origin_is_named(void **state)
{
    (void)state;
    static const char *const good[] = {"*", "https://a.b", "http://[::1]:80,https://a.b"};
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "'' is no origin such as https://shop.example"},
        {"a.b", "'a.b' is no origin such as https://shop.example"},
        {"https://", "'https://' is no origin such as https://shop.example"},
        {"https://a.b/", "'https://a.b/' is no origin such as https://shop.example"},
        {"https://a.b,*", "'*' is no origin such as https://shop.example"},
        {"https://a.b,", "'' is no origin such as https://shop.example"},
    };
    struct tk_err err;
    for (size_t i = 0; i < TK_COUNTOF(good); i++)
        assert_int_equal(tk_cors_check(good[i], &err), 0);
    for (size_t i = 0; i < TK_COUNTOF(bad); i++) {
        assert_int_equal(tk_cors_check(bad[i].text, &err), -EINVAL);
        assert_string_equal(err.msg, bad[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_origins_of_the_list_may),
        cmocka_unit_test(what_is_no_origin_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
