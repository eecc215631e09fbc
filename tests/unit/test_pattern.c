/* SPDX-License-Identifier: Apache-2.0 */
#include "span/pattern.h"

#include <errno.h>

#include "tk_test.h"

static const struct tk_key table[] = {
    {"a", TK_FIELD_TRACE_ID},    {"b", TK_FIELD_PATH},      {"c", TK_FIELD_STATUS},
    {"REQ(X)", TK_FIELD_METHOD}, {"REQ(Y)", TK_FIELD_PATH}, {"START_TIME", TK_FIELD_START},
};

static int init(struct tk_pattern *pattern, enum tk_pattern_style style, const char *format,
                struct tk_err *err)
{
    static struct tk_keys keys;
    assert_int_equal(tk_keys_init(&keys, table, TK_COUNTOF(table), NULL, 0, err), 0);
    keys.any_case = style == TK_PATTERN_ENVOY;
    return tk_pattern_init(pattern, style, tk_str_from(format), &keys, err);
}

/* The field has this text; NULL = it is absent. */
static void assert_field(const struct tk_call *call, enum tk_field field, const char *text)
{
    assert_int_equal(tk_call_has(call, field), text != NULL);
    if (text)
        assert_str_equal(call->values[field].text, text);
}

static void lines_are_cut_at_the_literals(void **state)
{
    (void)state;
    static const struct {
        const char *format, *line;
        const char *a, *b; /* NULL = absent */
    } cases[] = {
        {"$a $b", "1 2 3", "1", "2 3"},   {"[$a] \"$b\"", "[x y] \"z\"", "x y", "z"},
        {"${a}x$b|", "1x2|", "1", "2"},   {"$skipped - $a - $b", "q - 1 - 2", "1", "2"},
        {"$a, $b", "1,2, 3", "1,2", "3"}, {"$a $b", "- ", NULL, NULL},
        {"($a)", "(1)", "1", NULL},       {"$a==$b", "1===2", "1", "=2"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_pattern pattern;
        struct tk_call call = {0};
        struct tk_err err;
        print_message("# %s: %s\n", cases[i].format, cases[i].line);
        assert_int_equal(init(&pattern, TK_PATTERN_NGINX, cases[i].format, &err), 0);
        assert_int_equal(tk_pattern_read(&pattern, tk_str_from(cases[i].line), NULL, &call, &err),
                         0);
        assert_field(&call, TK_FIELD_TRACE_ID, cases[i].a);
        assert_field(&call, TK_FIELD_PATH, cases[i].b);
    }
}

static void a_line_that_does_not_fit_says_where(void **state)
{
    (void)state;
    static const struct {
        const char *format, *line, *message;
    } cases[] = {
        {"[$a] $b", "x", "does not fit the format: expected '[' at the front"},
        {"[$a] $b", "", "does not fit the format: expected '[' at the front"},
        {"[$a] $b", "[x", "does not fit the format: expected '] ' behind $a"},
        {"$a \"$b\"", "x \"y", "does not fit the format: expected '\"' behind $b"},
        {"$a $c", "x y", "$c: 'y' is no whole number"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_pattern pattern;
        struct tk_call call = {0};
        struct tk_err err;
        assert_int_equal(init(&pattern, TK_PATTERN_NGINX, cases[i].format, &err), 0);
        assert_int_equal(tk_pattern_read(&pattern, tk_str_from(cases[i].line), NULL, &call, &err),
                         -EBADMSG);
        assert_string_equal(err.msg, cases[i].message);
    }
}

static void formats_that_cannot_be_read_are_refused(void **state)
{
    (void)state;
    static const struct {
        enum tk_pattern_style style;
        const char *format, *message;
    } cases[] = {
        {TK_PATTERN_NGINX, "", "format: has no variable"},
        {TK_PATTERN_NGINX, "plain", "format: has no variable"},
        {TK_PATTERN_NGINX, "$a$b", "format: $b follows $a with nothing in between"},
        {TK_PATTERN_NGINX, "$a $ x", "format: no variable at '$ x'"},
        {TK_PATTERN_NGINX, "${a", "format: no variable at '${a'"},
        {TK_PATTERN_ENVOY, "%START_TIME", "format: no variable at '%START_TIME'"},
        {TK_PATTERN_ENVOY, "%REQ(X%", "format: no variable at '%REQ(X%'"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_pattern pattern;
        struct tk_err err;
        assert_int_equal(init(&pattern, cases[i].style, cases[i].format, &err), -EINVAL);
        assert_string_equal(err.msg, cases[i].message);
    }
}

static void operators_of_envoy_are_found_in_any_case_with_alternatives(void **state)
{
    (void)state;
    struct tk_pattern pattern;
    struct tk_err err;
    assert_int_equal(init(&pattern, TK_PATTERN_ENVOY,
                          "%start_time(%s.%3f)% %REQ(x):10% %REQ(Z?Y)% %REQ(Q)% %REQ(X?Q)%", &err),
                     0);
    assert_int_equal(pattern.count, 5);
    assert_int_equal(pattern.items[0].source.field, TK_FIELD_START);
    assert_int_equal(pattern.items[1].source.field, TK_FIELD_METHOD);
    assert_int_equal(pattern.items[2].source.field, TK_FIELD_PATH);
    assert_int_equal(pattern.items[3].source.field, TK_FIELD_COUNT);
    assert_int_equal(pattern.items[4].source.field, TK_FIELD_METHOD);
}

static void escapes_of_nginx_are_decoded(void **state)
{
    (void)state;
    struct tk_pattern pattern;
    struct tk_arena scratch;
    struct tk_call call = {0};
    struct tk_err err;
    assert_int_equal(tk_arena_init(&scratch, 4096, &err), 0);
    assert_int_equal(init(&pattern, TK_PATTERN_NGINX, "\"$a\" $b", &err), 0);
    assert_int_equal(tk_pattern_read(&pattern, TK_STR("\"\\x22\\xC3\\xa4\\x5C\\xZZ\\x\" p\\x4"),
                                     &scratch, &call, &err),
                     0);
    assert_str_equal(call.values[TK_FIELD_TRACE_ID].text, "\"\xC3\xA4\\\\xZZ\\x");
    assert_str_equal(call.values[TK_FIELD_PATH].text, "p\\x4");
    tk_arena_release(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_cut_at_the_literals),
        cmocka_unit_test(a_line_that_does_not_fit_says_where),
        cmocka_unit_test(formats_that_cannot_be_read_are_refused),
        cmocka_unit_test(operators_of_envoy_are_found_in_any_case_with_alternatives),
        cmocka_unit_test(escapes_of_nginx_are_decoded),
    };
    return cmocka_run_group_tests_name("pattern", tests, NULL, NULL);
}
