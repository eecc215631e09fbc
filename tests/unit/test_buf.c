/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <errno.h>

#include "tk_test.h"

static void keeps_what_was_put(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf buf;
    tk_buf_init(&buf, 1000);
    for (int i = 0; i < 100; i++)
        tk_buf_printf(&buf, "%d,", i % 10);
    assert_true(tk_buf_ok(&buf));
    assert_int_equal(buf.n, 200);
    tk_buf_consume(&buf, 190);
    assert_str_equal(tk_buf_str(&buf), "5,6,7,8,9,");
}

static void remembers_that_the_cap_was_passed(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf buf;
    struct tk_err err;
    tk_buf_init(&buf, 4);
    tk_buf_lit(&buf, "abcd");
    assert_true(tk_buf_ok(&buf));
    tk_buf_lit(&buf, "e");
    tk_buf_lit(&buf, "");
    assert_int_equal(tk_buf_check(&buf, "answer", &err), -EMSGSIZE);
    assert_string_equal(err.msg, "answer: larger than 4 bytes");
    tk_buf_reset(&buf);
    assert_true(tk_buf_ok(&buf));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_was_put),
        cmocka_unit_test(remembers_that_the_cap_was_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
