/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "serve/listen.h"
#include "tk_test.h"

/* A container may be without /etc/hosts. */
static bool knows_localhost(void)
{
    struct addrinfo *infos = NULL;
    bool knows = getaddrinfo("localhost", NULL, NULL, &infos) == 0;
    if (knows)
        freeaddrinfo(infos);
    return knows;
}

static void addresses_are_read_in_all_their_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text, *prefix;
    } cases[] = {
        {"127.0.0.1:0", "127.0.0.1:"},   {"localhost:0", ""}, {"0", "127.0.0.1:"},
        {"[127.0.0.1]:0", "127.0.0.1:"}, {":0", ""},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_listener listener;
        struct tk_err err;
        if (strncmp(cases[i].text, "localhost", 9) == 0 && !knows_localhost())
            continue;
        assert_int_equal(tk_listener_open(cases[i].text, &listener, &err), 0);
        assert_true(
            tk_str_starts_with(tk_str_from(listener.address), tk_str_from(cases[i].prefix)));
        tk_fd_close(&listener.fd);
    }
}

static void what_is_no_address_is_told(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "", "localhost", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:80x"};
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_listener listener;
        struct tk_err err;
        char want[128];
        (void)snprintf(want, sizeof(want), "'%s' is no address: expected HOST:PORT", cases[i]);
        assert_int_equal(tk_listener_open(cases[i], &listener, &err), -EINVAL);
        assert_string_equal(err.msg, want);
    }
}

static void an_address_that_is_taken_is_named(void **state)
{
    (void)state;
    struct tk_listener first, second;
    struct tk_err err;
    char want[256];
    assert_int_equal(tk_listener_open("127.0.0.1:0", &first, &err), 0);
    (void)snprintf(want, sizeof(want), "%s is taken by another program", first.address);
    assert_int_equal(tk_listener_open(first.address, &second, &err), -EADDRINUSE);
    assert_string_equal(err.msg, want);
    tk_fd_close(&first.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_in_all_their_forms),
        cmocka_unit_test(what_is_no_address_is_told),
        cmocka_unit_test(an_address_that_is_taken_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
