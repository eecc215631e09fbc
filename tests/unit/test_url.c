/* SPDX-License-Identifier: Apache-2.0 */
#include "tk_test.h"

#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "store/url.h"

static void keys_are_encoded_once_and_never_normalised(void **state)
{
    (void)state;
    static const struct {
        const char *key, *path;
    } cases[] = {
        {"a b+c=d&e?f#g", "a%20b%2Bc%3Dd%26e%3Ff%23g"},
        {"day=2026-11-20/host=x", "day%3D2026-11-20/host%3Dx"},
        {"x/../y", "x/../y"},
        {"./dot", "./dot"},
        {"x//y", "x//y"},
        {"\xC3\xA9", "%C3%A9"},
        {"semi;colon:star*(paren)'quote!", "semi%3Bcolon%3Astar%2A%28paren%29%27quote%21"},
        {"tilde~under_", "tilde~under_"},
        {"per%cent%2F", "per%25cent%252F"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_buf path;
        tk_buf_init(&path, 1024);
        tk_url_put_path(&path, tk_str_from(cases[i].key));
        assert_str_equal(tk_buf_str(&path), cases[i].path);
        struct tk_buf back;
        tk_buf_init(&back, 1024);
        assert_true(tk_url_decode(tk_buf_str(&path), &back));
        assert_str_equal(tk_buf_str(&back), cases[i].key);
        tk_buf_release(&back);
        tk_buf_release(&path);
    }
}

static void a_query_is_sorted_by_what_is_sent(void **state)
{
    (void)state;
    const struct tk_url_param params[] = {
        {TK_STR("prefix"), TK_STR("a/b c")}, {TK_STR("list-type"), TK_STR("2")},
        {TK_STR("uploads"), TK_STR("")},     {TK_STR("a"), TK_STR("~")},
        {TK_STR("a"), TK_STR("\xC3")},       {TK_STR("a-b"), TK_STR("1")},
    };
    struct tk_buf query;
    tk_buf_init(&query, 1024);
    tk_url_put_query(&query, params, TK_COUNTOF(params));
    assert_str_equal(tk_buf_str(&query), "a=%C3&a=~&a-b=1&list-type=2&prefix=a%2Fb%20c&uploads=");
    tk_buf_release(&query);
}

static void what_is_no_encoding_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"%", "%2", "a%zz", "%2g"};
    struct tk_buf out;
    tk_buf_init(&out, 64);
    for (size_t i = 0; i < TK_COUNTOF(cases); i++)
        assert_false(tk_url_decode(tk_str_from(cases[i]), &out));
    tk_buf_reset(&out);
    assert_true(tk_url_decode(TK_STR("a+b%2b%2B"), &out));
    assert_str_equal(tk_buf_str(&out), "a b++");
    tk_buf_release(&out);
}

static void endpoints_are_a_scheme_and_a_host(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int rc;
        bool is_tls;
        const char *host;
    } cases[] = {
        {"http://127.0.0.1:9000", 0, false, "127.0.0.1:9000"},
        {"https://s3.example.org/", 0, true, "s3.example.org"},
        {"https://s3.example.org:443", 0, true, "s3.example.org"},
        {"http://h:80", 0, false, "h"},
        {"https://h:80", 0, true, "h:80"},
        {"http://[::1]:7480", 0, false, "[::1]:7480"},
        {"127.0.0.1:9000", -EINVAL, false, NULL},
        {"ftp://h", -EINVAL, false, NULL},
        {"http://", -EINVAL, false, NULL},
        {"http://h:", -EINVAL, false, NULL},
        {"http://h:0", -EINVAL, false, NULL},
        {"http://h:65536", -EINVAL, false, NULL},
        {"http://h/path", -EINVAL, false, NULL},
        {"http://user:pw@h", -EINVAL, false, NULL},
        {"http://h\r\nx:", -EINVAL, false, NULL},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_endpoint endpoint;
        struct tk_err err;
        assert_int_equal(tk_endpoint_parse(tk_str_from(cases[i].text), &endpoint, &err),
                         cases[i].rc);
        if (cases[i].rc < 0)
            continue;
        assert_int_equal(endpoint.is_tls, cases[i].is_tls);
        assert_string_equal(endpoint.host, cases[i].host);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_encoded_once_and_never_normalised),
        cmocka_unit_test(a_query_is_sorted_by_what_is_sent),
        cmocka_unit_test(what_is_no_encoding_is_refused),
        cmocka_unit_test(endpoints_are_a_scheme_and_a_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
