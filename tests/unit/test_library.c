/* SPDX-License-Identifier: Apache-2.0 */
#include "tk_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/library.h"

struct functions {
    __typeof__(getpid) *getpid;
    __typeof__(strtol) *strtol;
};

static void functions_of_a_library_can_be_called(void **state)
{
    (void)state;
    static const struct tk_symbol symbols[] = {
        TK_SYMBOL(struct functions, strtol, strtol),
        TK_SYMBOL(struct functions, getpid, getpid),
    };
    const struct tk_library library = {"libc.so.6", symbols, TK_COUNTOF(symbols)};
    struct functions functions;
    struct tk_err err;
    assert_int_equal(tk_library_load(&library, &functions, &err), 0);
    assert_int_equal(functions.getpid(), getpid());
    assert_int_equal(functions.strtol("42", NULL, 10), 42);
}

static void no_library_is_told_by_its_name(void **state)
{
    (void)state;
    static const struct tk_symbol symbols[] = {TK_SYMBOL(struct functions, strtol, strtol)};
    const struct tk_library library = {"libtracekit-has-no-such.so.1", symbols, 1};
    struct functions functions;
    struct tk_err err;
    assert_int_equal(tk_library_load(&library, &functions, &err), -ENOENT);
    assert_non_null(strstr(err.msg, "library libtracekit-has-no-such.so.1: "));
}

/* Half a library is none: no pointer is left to be called. */
static void a_function_that_lacks_fails_unless_it_is_optional(void **state)
{
    (void)state;
    static const struct tk_symbol symbols[] = {
        TK_SYMBOL(struct functions, strtol, strtol),
        {"tk_no_such_function", offsetof(struct functions, getpid), false},
    };
    static const struct tk_symbol optional[] = {
        TK_SYMBOL(struct functions, strtol, strtol),
        {"tk_no_such_function", offsetof(struct functions, getpid), true},
    };
    struct functions functions;
    struct tk_err err;
    const struct tk_library lacking = {"libc.so.6", symbols, TK_COUNTOF(symbols)};
    assert_int_equal(tk_library_load(&lacking, &functions, &err), -ENOENT);
    assert_string_equal(err.msg, "library libc.so.6: it has no tk_no_such_function");
    assert_null(functions.strtol);
    const struct tk_library fitting = {"libc.so.6", optional, TK_COUNTOF(optional)};
    assert_int_equal(tk_library_load(&fitting, &functions, &err), 0);
    assert_non_null(functions.strtol);
    assert_null(functions.getpid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_of_a_library_can_be_called),
        cmocka_unit_test(no_library_is_told_by_its_name),
        cmocka_unit_test(a_function_that_lacks_fails_unless_it_is_optional),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
