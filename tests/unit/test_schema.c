/* SPDX-License-Identifier: Apache-2.0 */
#include "table/schema.h"

#include "base/compiler.h"
#include "tk_test.h"

static const struct tk_column columns[] = {
    {"ts_ms", TK_I64, "ms", "", 0, 0},
    {"pid", TK_I64, "", "", 0, 0},
    {"pi", TK_I64, "", "", 0, 0},
};
static const struct tk_schema schema = {"test", "", columns, TK_COUNTOF(columns)};

static void a_column_is_found_by_its_whole_name_whatever_the_hint(void **state)
{
    (void)state;
    static const struct {
        tk_str name;
        size_t column;
    } cases[] = {
        {{"ts_ms", 5}, 0},      {{"pid", 3}, 1},   {{"pi", 2}, 2}, {{"p", 1}, 3},
        {{"pid ", 4}, 3},       {{"", 0}, 3},      {{NULL, 0}, 3}, {{"PID", 3}, 3},
        {{"pi\0\0\0\0", 6}, 3}, {{"pid\0", 4}, 3},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++)
        for (size_t hint = 0; hint < 6; hint++)
            assert_int_equal(tk_schema_find(&schema, cases[i].name, hint), cases[i].column);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_column_is_found_by_its_whole_name_whatever_the_hint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
