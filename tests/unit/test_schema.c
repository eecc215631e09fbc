/* SPDX-License-Identifier: Apache-2.0 */
#include "table/schema.h"

#include "base/buf.h"
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

static void the_json_schema_says_what_we_write(void **state)
{
    (void)state;
    static const struct tk_column all_types[] = {
        {"i", TK_I64, "ms", "a \"time\"", TK_REQUIRED, 0},
        {"f", TK_F64, "", "x", TK_REQUIRED, 2},
        {"b", TK_BOOL, "", "x", 0, 0},
        {"t", TK_TEXT, "", "x", TK_NULLABLE, 0},
        {"fl", TK_F64_LIST, "%", "x", 0, 0},
        {"tl", TK_TEXT_LIST, "", "x", 0, 0},
    };
    static const struct tk_schema wide = {"wide", "one of each", all_types, TK_COUNTOF(all_types)};
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 65536);
    tk_schema_put_json_schema(&wide, 1, &out);
    assert_str_equal(tk_buf_str(&out),
                     "{\n"
                     "   \"title\": \"wide\",\n"
                     "   \"description\": \"one of each\",\n"
                     "   \"type\": \"object\",\n"
                     "   \"required\": [\"i\", \"f\"],\n"
                     "   \"properties\": {\n"
                     "     \"i\": {\"type\": \"integer\", \"description\": \"a \\\"time\\\"\", "
                     "\"x-unit\": \"ms\"},\n"
                     "     \"f\": {\"type\": \"number\", \"description\": \"x\"},\n"
                     "     \"b\": {\"type\": \"boolean\", \"description\": \"x\"},\n"
                     "     \"t\": {\"type\": [\"string\", \"null\"], \"description\": \"x\"},\n"
                     "     \"fl\": {\"type\": \"array\", \"items\": {\"type\": \"number\"}, "
                     "\"description\": \"x\", "
                     "\"x-unit\": \"%\"},\n"
                     "     \"tl\": {\"type\": \"array\", \"items\": {\"type\": \"string\"}, "
                     "\"description\": \"x\"}\n"
                     "   }\n"
                     " }");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_column_is_found_by_its_whole_name_whatever_the_hint),
        cmocka_unit_test(the_json_schema_says_what_we_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
