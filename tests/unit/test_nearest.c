/* SPDX-License-Identifier: Apache-2.0 */
#include "base/nearest.h"

#include "base/compiler.h"
#include "tk_test.h"

static const char *const words[] = {"record", "collect", "wrap", "parse", "import", "show", "top"};

static const char *nearest(const char *given)
{
    return tk_nearest_find(given, words, TK_COUNTOF(words));
}

static void a_slip_of_the_keyboard_is_recognised(void **state)
{
    (void)state;
    static const struct {
        const char *given, *meant;
    } cases[] = {
        {"recrod", "record"}, {"records", "record"}, {"recor", "record"}, {"colect", "collect"},
        {"warp", "wrap"},     {"sohw", "show"},      {"shiw", "show"},    {"imp", "import"},
        {"tpo", "top"},       {"re", "record"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++)
        assert_string_equal(nearest(cases[i].given), cases[i].meant);
}

static void another_word_has_no_nearest(void **state)
{
    (void)state;
    static const char *const given[] = {
        "", "x", "nonsense", "explain", "make", "a word much longer than any that there could be"};
    for (size_t i = 0; i < TK_COUNTOF(given); i++)
        assert_null(nearest(given[i]));
    assert_null(tk_nearest_find("record", words, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slip_of_the_keyboard_is_recognised),
        cmocka_unit_test(another_word_has_no_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
