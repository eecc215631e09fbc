/* SPDX-License-Identifier: Apache-2.0 */
#include "report/text.h"

#include "tk_test.h"

static struct tk_look utf8;
static struct tk_look ascii;

static int looks_init(void **state)
{
    (void)state;
    tk_look_init_plain(&utf8, true, 40);
    tk_look_init_plain(&ascii, false, 40);
    return 0;
}

static int looks_release(void **state)
{
    (void)state;
    tk_look_release(&utf8);
    tk_look_release(&ascii);
    return 0;
}

static void width_counts_columns_not_bytes(void **state)
{
    (void)state;
    assert_int_equal(tk_text_width(&utf8, TK_STR("abc")), 3);
    assert_int_equal(tk_text_width(&utf8, TK_STR("größe")), 5);
    assert_int_equal(tk_text_width(&utf8, TK_STR("日本")), 4);
    assert_int_equal(tk_text_width(&utf8, TK_STR("e\u0301")), 1);
    assert_int_equal(tk_text_width(&utf8, TK_STR("\033[33mwarn\033[0m")), 4);
}

static void what_a_terminal_would_obey_is_replaced(void **state)
{
    (void)state;
    static const struct {
        const char *text, *utf8, *ascii;
    } cases[] = {
        {"make -j2", "make -j2", "make -j2"},
        {"\033[31mred\a", "?[31mred?", "?[31mred?"},
        {"a\tb\nc", "a b c", "a b c"},
        {"größe", "größe",
         "gr??"
         "??e"},
        {"\xff\xc3", "??", "??"},
        {"\u202egnp", "?gnp", "???gnp"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf out;
        tk_buf_init(&out, 4096);
        tk_text_put_clean(&out, &utf8, tk_str_from(cases[i].text));
        assert_str_equal(tk_buf_str(&out), cases[i].utf8);
        tk_buf_reset(&out);
        tk_text_put_clean(&out, &ascii, tk_str_from(cases[i].text));
        assert_str_equal(tk_buf_str(&out), cases[i].ascii);
    }
}

static void a_cut_text_ends_in_an_ellipsis_and_keeps_the_width(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 4096);
    tk_text_put_cut(&out, &utf8, TK_STR("a long name"), 6);
    assert_str_equal(tk_buf_str(&out), "a lon\u2026");
    tk_buf_reset(&out);
    tk_text_put_cut(&out, &ascii, TK_STR("a long name"), 6);
    assert_str_equal(tk_buf_str(&out), "a l...");
    tk_buf_reset(&out);
    tk_text_put_cut(&out, &utf8, TK_STR("日本語"), 5);
    assert_str_equal(tk_buf_str(&out), "日本\u2026");
    tk_buf_reset(&out);
    tk_text_put_cut(&out, &utf8, TK_STR("a \033[31mred name\033[0m"), 6);
    assert_str_equal(tk_buf_str(&out), "a \033[31mred\u2026\033[0m");
    tk_buf_reset(&out);
    tk_text_put_cut(&out, &utf8, TK_STR("short"), 6);
    assert_str_equal(tk_buf_str(&out), "short");
}

static void lines_break_at_spaces_with_a_hanging_indent(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 4096);
    tk_buf_lit(&out, "wait  ");
    tk_text_put_wrapped(
        &out, &utf8, TK_STR("the disk was busy all of the time and nothing else ran on it"), 6, 6);
    assert_str_equal(tk_buf_str(&out), "wait  the disk was busy all of the time\n"
                                       "      and nothing else ran on it\n");
    tk_buf_reset(&out);
    tk_text_put_wrapped(&out, &utf8, TK_STR("a 12345678901234567890123456789012345678901234 b"), 0,
                        2);
    assert_str_equal(tk_buf_str(&out), "a\n  12345678901234567890123456789012345678901234\n  b\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(width_counts_columns_not_bytes),
        cmocka_unit_test(what_a_terminal_would_obey_is_replaced),
        cmocka_unit_test(a_cut_text_ends_in_an_ellipsis_and_keeps_the_width),
        cmocka_unit_test(lines_break_at_spaces_with_a_hanging_indent),
    };
    return cmocka_run_group_tests(tests, looks_init, looks_release);
}
