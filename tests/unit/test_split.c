/* SPDX-License-Identifier: Apache-2.0 */
#include "run/split.h"

#include "base/compiler.h"
#include "tk_test.h"

/* What a text is split into: "KIND@LINE TEXT" a line, white space in texts shown as '_'. */
static void describe(const char *text, char *to, size_t cap)
{
    static const char *const names[] = {
        [TK_SPLIT_OBJECT] = "object",
        [TK_SPLIT_OTHER] = "other",
        [TK_SPLIT_BAD] = "bad",
        [TK_SPLIT_TORN] = "torn",
    };
    struct tk_split split = {.rest = tk_str_from(text)};
    struct tk_err why;
    tk_str part;
    uint64_t line;
    enum tk_split_kind kind;
    size_t n = 0;
    to[0] = '\0';
    while ((kind = tk_split_next(&split, &part, &line, &why)) != TK_SPLIT_END) {
        n += (size_t)snprintf(to + n, cap - n, "%s@%llu ", names[kind], (unsigned long long)line);
        for (size_t i = 0; i < part.n; i++)
            to[n++] = strchr(" \r\n\t", part.p[i]) ? '_' : part.p[i];
        to[n++] = '\n';
        to[n] = '\0';
    }
}

static void texts_are_split_into_values(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *parts;
    } cases[] = {
        {"", ""},
        {" \r\n\t\n", ""},
        {"{\"a\":1}\n{\"b\":2}\n", "object@1 {\"a\":1}\nobject@2 {\"b\":2}\n"},
        {"\xef\xbb\xbf{\"a\":1}\r\n{}", "object@1 {\"a\":1}\nobject@2 {}\n"},
        {"{}{}  {}\n", "object@1 {}\nobject@1 {}\nobject@1 {}\n"},
        {"{\n  \"a\": {\n    \"b\": [1,\n 2]\n  }\n}\n{\n}\n",
         "object@1 {___\"a\":_{_____\"b\":_[1,__2]___}_}\nobject@7 {_}\n"},
        {"{\"a\":\"}{\\\"\"}\n{}\n", "object@1 {\"a\":\"}{\\\"\"}\nobject@2 {}\n"},
        {"null\n[1,{\"a\":2}]\n\"{}\"\n-1.5e3\n{}\n",
         "other@1 null\nother@2 [1,{\"a\":2}]\nother@3 \"{}\"\nother@4 -1.5e3\nobject@5 {}\n"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        char parts[1000];
        describe(cases[i].text, parts, sizeof(parts));
        assert_string_equal(parts, cases[i].parts);
    }
}

static void damage_costs_nothing_but_itself(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *parts;
    } cases[] = {
        /* a line cut short by a crash, the next writer goes on behind it */
        {"{\"a\":1,\"b\n{\"c\":3}\n", "bad@1 {\"a\":1,\"b_\nobject@2 {\"c\":3}\n"},
        {"{\"a\":1}\n{\"b\":\n{\"c\":3}\n",
         "object@1 {\"a\":1}\nbad@2 {\"b\":_\nobject@3 {\"c\":3}\n"},
        /* over several lines: on to the next one that starts an object */
        {"{\n  \"a\": ,\n  \"b\": {}\n}\n{\"c\":3}\n",
         "bad@1 {___\"a\":_,___\"b\":_{}_}_\nobject@5 {\"c\":3}\n"},
        {"rubbish\n  {\"a\":1}\n", "bad@1 rubbish_\nobject@2 {\"a\":1}\n"},
        {"{\"a\":NaN}\n{}\n", "bad@1 {\"a\":NaN}_\nobject@2 {}\n"},
        {"{\"a\":1}garbage\n{}\n", "object@1 {\"a\":1}\nbad@1 garbage_\nobject@2 {}\n"},
        /* the writer was stopped in the middle */
        {"{}\n{\"a\":1,\"b", "object@1 {}\ntorn@2 {\"a\":1,\"b\n"},
        {"{\n  \"a\": 1,", "torn@1 {___\"a\":_1,\n"},
        {"{\"a\":}", "bad@1 {\"a\":}\n"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        char parts[1000];
        describe(cases[i].text, parts, sizeof(parts));
        assert_string_equal(parts, cases[i].parts);
    }
}

static void bad_input_is_explained(void **state)
{
    (void)state;
    struct tk_split split = {.rest = TK_STR("{\"a\" 1}\n")};
    struct tk_err why;
    tk_str part;
    uint64_t line;
    assert_int_equal(tk_split_next(&split, &part, &line, &why), TK_SPLIT_BAD);
    assert_string_equal(why.msg, "byte 5: expected ':'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_split_into_values),
        cmocka_unit_test(damage_costs_nothing_but_itself),
        cmocka_unit_test(bad_input_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
