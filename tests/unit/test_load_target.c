/* SPDX-License-Identifier: Apache-2.0 */
#include "load/target.h"

#include <errno.h>

#include "base/compiler.h"
#include "tk_test.h"

static void an_address_is_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host, *port, *authority, *path;
        bool grpc;
    } cases[] = {
        {"http://127.0.0.1:4318", "127.0.0.1", "4318", "127.0.0.1:4318", "/v1/traces", false},
        {"http://localhost", "localhost", "4318", "localhost:4318", "/v1/traces", false},
        {"http://localhost/", "localhost", "4318", "localhost:4318", "/v1/traces", false},
        {"http://c.example:80/otlp/v1/traces?x=1", "c.example", "80", "c.example:80",
         "/otlp/v1/traces?x=1", false},
        {"http://[::1]:9", "::1", "9", "[::1]:9", "/v1/traces", false},
        {"http://[::1]", "::1", "4318", "[::1]:4318", "/v1/traces", false},
        {"http://h", "h", "4317", "h:4317",
         "/opentelemetry.proto.collector.trace.v1.TraceService/Export", true},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_load_target target;
        struct tk_err err;
        assert_int_equal(tk_load_target_parse(cases[i].url, cases[i].grpc, &target, &err), 0);
        assert_string_equal(target.host, cases[i].host);
        assert_string_equal(target.port, cases[i].port);
        assert_string_equal(target.authority, cases[i].authority);
        assert_string_equal(target.path, cases[i].path);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "",
        "localhost:4318",
        "ftp://localhost",
        "http://",
        "http://:4318",
        "http://h:",
        "http://h:0",
        "http://h:65536",
        "http://h:+1",
        "http://a:b:1",
        "http://::1:4318",
        "http://[::1",
        "http://[::1]x:1",
        "http://user:secret@h:1",
        "http://h:1/a b",
        "http://h:1/a\r\nX: y",
    };
    for (size_t i = 0; i < TK_COUNTOF(urls); i++) {
        struct tk_load_target target;
        struct tk_err err;
        assert_int_equal(tk_load_target_parse(urls[i], false, &target, &err), -EINVAL);
    }
}

static void https_says_what_to_do_instead(void **state)
{
    (void)state;
    struct tk_load_target target;
    struct tk_err err;
    assert_int_equal(tk_load_target_parse("https://h", false, &target, &err), -EOPNOTSUPP);
    assert_string_equal(
        err.msg, "'https://h': https is not spoken here: send to a proxy on this host that does");
}

static void grpc_has_one_path(void **state)
{
    (void)state;
    struct tk_load_target target;
    struct tk_err err;
    assert_int_equal(tk_load_target_parse("http://h:1/v1/traces", true, &target, &err), -EINVAL);
    assert_string_equal(err.msg, "'http://h:1/v1/traces': an address of gRPC has no path");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_taken_apart),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(https_says_what_to_do_instead),
        cmocka_unit_test(grpc_has_one_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
