/* SPDX-License-Identifier: Apache-2.0 */
#include "span/texts.h"

#include <errno.h>

#include "base/compiler.h"
#include "base/hash.h"
#include "tk_test.h"

static void init(struct tk_texts *texts, size_t max_bytes)
{
    struct tk_err err;
    assert_int_equal(tk_texts_init(texts, max_bytes, &err), 0);
}

static tk_str number_text(char buf[32], size_t i)
{
    int n = snprintf(buf, 32, "text number %zu", i);
    return (tk_str){buf, (size_t)n};
}

static void equal_texts_have_one_id(void **state)
{
    (void)state;
    TK_CLEANUP(tk_texts_release) struct tk_texts texts;
    init(&texts, 1 << 20);
    char buf[32];
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < 10000; i++)
            assert_int_equal(tk_texts_add(&texts, number_text(buf, i)), i + 1);
    }
    assert_int_equal(texts.count, 10001);
    assert_true(tk_str_eq(tk_texts_get(&texts, 4712), number_text(buf, 4711)));
}

static void texts_of_all_lengths_are_told_apart(void **state)
{
    (void)state;
    TK_CLEANUP(tk_texts_release) struct tk_texts texts;
    init(&texts, 1 << 20);
    char buf[100];
    memset(buf, 'x', sizeof(buf));
    for (size_t n = 0; n <= sizeof(buf); n++)
        assert_int_equal(tk_texts_add(&texts, (tk_str){buf, n}), n);
    /* Each byte counts, wherever it stands. */
    for (size_t n = 1; n <= 40; n++) {
        for (size_t i = 0; i < n; i++) {
            buf[i] = 'y';
            assert_true(tk_texts_add(&texts, (tk_str){buf, n}) > sizeof(buf));
            buf[i] = 'x';
        }
    }
    assert_int_equal(texts.count, 101 + 40 * 41 / 2);
}

static void the_empty_text_is_zero(void **state)
{
    (void)state;
    TK_CLEANUP(tk_texts_release) struct tk_texts texts;
    init(&texts, 1 << 20);
    assert_int_equal(tk_texts_add(&texts, (tk_str){NULL, 0}), 0);
    assert_int_equal(tk_texts_get(&texts, 0).n, 0);
}

static void appended_texts_are_not_found_again(void **state)
{
    (void)state;
    TK_CLEANUP(tk_texts_release) struct tk_texts texts;
    init(&texts, 1 << 20);
    assert_int_equal(tk_texts_append(&texts, TK_STR("a")), 1);
    assert_int_equal(tk_texts_add(&texts, TK_STR("a")), 2);
    assert_int_equal(tk_texts_append(&texts, TK_STR("a")), 3);
    assert_int_equal(tk_texts_add(&texts, TK_STR("a")), 2);
    assert_str_equal(tk_texts_get(&texts, 3), "a");
}

static void utf8_is_judged_once_and_remembered(void **state)
{
    (void)state;
    TK_CLEANUP(tk_texts_release) struct tk_texts texts;
    init(&texts, 1 << 20);
    for (int round = 0; round < 2; round++) {
        bool is_utf8 = false;
        assert_int_equal(tk_texts_add_utf8(&texts, TK_STR("r\xC3\xB6hre"), &is_utf8), 1);
        assert_true(is_utf8);
        assert_int_equal(tk_texts_add_utf8(&texts, TK_STR("r\xF6hre and more text"), &is_utf8), 2);
        assert_false(is_utf8);
    }
}

static void what_does_not_fit_has_no_id_until_the_reset(void **state)
{
    (void)state;
    TK_CLEANUP(tk_texts_release) struct tk_texts texts;
    init(&texts, 4096);
    char buf[32];
    size_t i = 0;
    while (tk_texts_add(&texts, number_text(buf, i)) != TK_TEXTS_NONE)
        i++;
    assert_in_range(i, 4096 / 16, 4096 / 13);
    assert_true(texts.full);
    assert_int_equal(tk_texts_add(&texts, number_text(buf, 0)), 1); /* is there */
    tk_texts_reset(&texts);
    assert_false(texts.full);
    assert_int_equal(texts.count, 1);
    assert_int_equal(tk_texts_add(&texts, number_text(buf, 5)), 1);
}

static void short_texts_are_limited_in_number(void **state)
{
    (void)state;
    TK_CLEANUP(tk_texts_release) struct tk_texts texts;
    init(&texts, 16);
    uint32_t got = 0;
    while (tk_texts_append(&texts, TK_STR("a")) != TK_TEXTS_NONE)
        got++;
    assert_int_equal(got, 4);
}

static void a_large_table_shrinks_over_resets(void **state)
{
    (void)state;
    TK_CLEANUP(tk_texts_release) struct tk_texts texts;
    init(&texts, 8 << 20);
    char buf[32];
    for (size_t i = 0; i < 100000; i++)
        (void)tk_texts_add(&texts, number_text(buf, i));
    uint32_t large = texts.mask;
    for (int i = 0; i < 20; i++) {
        tk_texts_reset(&texts);
        assert_int_equal(tk_texts_add(&texts, TK_STR("a")), 1);
        assert_int_equal(tk_texts_add(&texts, TK_STR("b")), 2);
        assert_int_equal(tk_texts_add(&texts, TK_STR("a")), 1);
    }
    assert_true(texts.mask < large / 64);
}

static void the_seed_decides_where_texts_go(void **state)
{
    (void)state;
    assert_true(tk_hash_bytes(TK_STR("abc"), 1) != tk_hash_bytes(TK_STR("abc"), 2));
    assert_true(tk_hash_bytes(TK_STR("abcdefghijklmnopqrstuvwxyz"), 1) !=
                tk_hash_bytes(TK_STR("abcdefghijklmnopqrstuvwxyz"), 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_texts_have_one_id),
        cmocka_unit_test(texts_of_all_lengths_are_told_apart),
        cmocka_unit_test(the_empty_text_is_zero),
        cmocka_unit_test(appended_texts_are_not_found_again),
        cmocka_unit_test(utf8_is_judged_once_and_remembered),
        cmocka_unit_test(what_does_not_fit_has_no_id_until_the_reset),
        cmocka_unit_test(short_texts_are_limited_in_number),
        cmocka_unit_test(a_large_table_shrinks_over_resets),
        cmocka_unit_test(the_seed_decides_where_texts_go),
    };
    return cmocka_run_group_tests_name("texts", tests, NULL, NULL);
}
