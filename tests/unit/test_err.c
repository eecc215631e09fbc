/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <string.h>

#include "tk_test.h"

static void the_code_is_returned_and_kept_beside_the_message(void **state)
{
    (void)state;
    struct tk_err err;
    assert_int_equal(tk_fail(&err, -EBADMSG, "field %d is bad", 3), -EBADMSG);
    assert_int_equal(err.code, -EBADMSG);
    assert_string_equal(err.msg, "field 3 is bad");
}

static void a_reason_of_the_system_follows_the_message(void **state)
{
    (void)state;
    struct tk_err err;
    errno = ENOENT;
    assert_int_equal(tk_fail_errno(&err, "%s", "run.json"), -ENOENT);
    assert_string_equal(err.msg, "run.json: No such file or directory");
    assert_int_equal(tk_fail_code(&err, -ENOSPC, "disk"), -ENOSPC);
    assert_string_equal(err.msg, "disk: No space left on device");
    assert_int_equal(tk_fail_code(&err, -4000, "odd"), -4000);
    assert_string_equal(err.msg, "odd: unknown error");
    errno = 0;
    assert_int_equal(tk_fail_errno(&err, "no reason"), -EIO);
    assert_string_equal(err.msg, "no reason: Input/output error");
}

static void context_goes_before_and_keeps_the_code(void **state)
{
    (void)state;
    struct tk_err err;
    (void)tk_fail(&err, -EBADMSG, "byte 4: expected ':'");
    assert_int_equal(tk_err_prefix(&err, "%s:%d", "a.jsonl", 7), -EBADMSG);
    assert_string_equal(err.msg, "a.jsonl:7: byte 4: expected ':'");
}

static void what_does_not_fit_ends_in_dots(void **state)
{
    (void)state;
    struct tk_err err;
    (void)tk_fail(&err, -EINVAL, "%0600d", 1);
    assert_int_equal(strlen(err.msg), TK_ERR_MAX - 1);
    assert_string_equal(err.msg + TK_ERR_MAX - 5, "0...");
    (void)tk_err_prefix(&err, "head");
    assert_memory_equal(err.msg, "head: 000", 9);
    assert_string_equal(err.msg + TK_ERR_MAX - 5, "0...");
    (void)tk_fail(&err, -EINVAL, "%0511d", 1);
    assert_string_equal(err.msg + TK_ERR_MAX - 3, "01");
    (void)tk_fail_code(&err, -EINVAL, "%0511d", 1);
    assert_string_equal(err.msg + TK_ERR_MAX - 5, "0...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_code_is_returned_and_kept_beside_the_message),
        cmocka_unit_test(a_reason_of_the_system_follows_the_message),
        cmocka_unit_test(context_goes_before_and_keeps_the_code),
        cmocka_unit_test(what_does_not_fit_ends_in_dots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
