/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include "tk_test.h"

static void lines_end_at_newline_or_end_of_text(void **state)
{
    (void)state;
    tk_str text = TK_STR("one\n\nlast");
    tk_str line;
    assert_true(tk_str_take_line(&text, &line));
    assert_str_equal(line, "one");
    assert_true(tk_str_take_line(&text, &line));
    assert_str_equal(line, "");
    assert_true(tk_str_take_line(&text, &line));
    assert_str_equal(line, "last");
    assert_false(tk_str_take_line(&text, &line));
}

static void words_stop_at_white_space_and_leave_newlines(void **state)
{
    (void)state;
    tk_str text = TK_STR("  a\tbc\nd");
    tk_str word;
    assert_true(tk_str_take_word(&text, &word));
    assert_str_equal(word, "a");
    assert_true(tk_str_take_word(&text, &word));
    assert_str_equal(word, "bc");
    assert_false(tk_str_take_word(&text, &word));
    assert_str_equal(text, "\nd");
}

static void order_is_by_bytes_with_prefixes_first(void **state)
{
    (void)state;
    assert_true(tk_str_cmp(TK_STR("a"), TK_STR("ab")) < 0);
    assert_true(tk_str_cmp(TK_STR("b"), TK_STR("ab")) > 0);
    assert_int_equal(tk_str_cmp(TK_STR(""), (tk_str){NULL, 0}), 0);
}

static void a_copy_for_the_kernel_refuses_what_does_not_fit(void **state)
{
    (void)state;
    char buf[4];
    assert_true(tk_str_to_cstr(TK_STR("abc"), buf, sizeof(buf)));
    assert_string_equal(buf, "abc");
    assert_false(tk_str_to_cstr(TK_STR("abcd"), buf, sizeof(buf)));
    assert_false(tk_str_to_cstr(TK_STR("a\0b"), buf, sizeof(buf)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_end_at_newline_or_end_of_text),
        cmocka_unit_test(words_stop_at_white_space_and_leave_newlines),
        cmocka_unit_test(order_is_by_bytes_with_prefixes_first),
        cmocka_unit_test(a_copy_for_the_kernel_refuses_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
