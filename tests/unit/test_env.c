/* SPDX-License-Identifier: Apache-2.0 */
#include "base/env.h"

#include <stdlib.h>

#include "tk_test.h"

static void a_variable_has_its_value(void **state)
{
    (void)state;
    assert_int_equal(setenv("TK_TEST_ENV", "a value", 1), 0);
    assert_string_equal(tk_env_find("TK_TEST_ENV"), "a value");
}

static void one_that_is_empty_counts_as_not_set(void **state)
{
    (void)state;
    assert_int_equal(setenv("TK_TEST_ENV", "", 1), 0);
    assert_null(tk_env_find("TK_TEST_ENV"));
    assert_int_equal(unsetenv("TK_TEST_ENV"), 0);
    assert_null(tk_env_find("TK_TEST_ENV"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_variable_has_its_value),
        cmocka_unit_test(one_that_is_empty_counts_as_not_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
