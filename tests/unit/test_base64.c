/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include "base/compiler.h"
#include "tk_test.h"

/* RFC 4648 section 10, and bytes that use all of the alphabet. */
static const struct {
    const char *bytes, *text;
} cases[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xFB\xFF\xBF\x80", "+/+/gA=="},
};

static void bytes_come_out_as_the_standard_has_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf out;
        tk_buf_init(&out, 100);
        tk_base64_put(&out, tk_str_from(cases[i].bytes));
        assert_str_equal(tk_buf_str(&out), cases[i].text);
        tk_buf_reset(&out);
        assert_true(tk_base64_decode(tk_str_from(cases[i].text), &out));
        assert_str_equal(tk_buf_str(&out), cases[i].bytes);
    }
}

static void padding_may_lack_and_the_alphabet_may_be_that_of_urls(void **state)
{
    (void)state;
    static const char *const texts[] = {"-_-_gA", "-_-_gA==", "+/+/gA"};
    for (size_t i = 0; i < TK_COUNTOF(texts); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf out;
        tk_buf_init(&out, 100);
        assert_true(tk_base64_decode(tk_str_from(texts[i]), &out));
        assert_str_equal(tk_buf_str(&out), "\xFB\xFF\xBF\x80");
    }
}

static void what_is_no_base64_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "A", "AAAAA", "A=", "AA=", "AAA==", "A A=", "Zg==Zg==", "===", "=", "\xC3\xA9zz"};
    for (size_t i = 0; i < TK_COUNTOF(texts); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf out;
        tk_buf_init(&out, 100);
        print_message("# %s\n", texts[i]);
        assert_false(tk_base64_decode(tk_str_from(texts[i]), &out));
        assert_int_equal(out.n, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_out_as_the_standard_has_them),
        cmocka_unit_test(padding_may_lack_and_the_alphabet_may_be_that_of_urls),
        cmocka_unit_test(what_is_no_base64_is_refused),
    };
    return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
