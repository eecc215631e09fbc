/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/procs_match.h"

#include <errno.h>

#include "tk_test.h"

static void searches_names_unanchored_and_without_regard_to_case(void **state)
{
    (void)state;
    static const struct {
        const char *match, *name;
        bool yes;
    } cases[] = {
        {"python|node", "python3", true},
        {"python|node", "Node", true},
        {"python|node", "bash", false},
        {"^node$", "node", true},
        {"^node$", "nodejs", false},
        {"^(ff|x)mpeg$", "XMPEG", true},
        {"a^b", "a", true},
        {"[^a]b", "ab", false},
        {"^ffmpeg^ffprobe$", "ffprobe", true},
        {"^ffmpeg^ffprobe$", "xffmpeg", false},
        {".*", "", true},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_match match;
        struct tk_err err;
        assert_int_equal(tk_match_init(&match, cases[i].match, &err), 0);
        assert_int_equal(match.subject, TK_MATCH_COMM);
        assert_int_equal(tk_match_test(&match, cases[i].name), cases[i].yes);
        tk_match_release(&match);
    }
}

static void puts_back_what_make_ate(void **state)
{
    (void)state;
    static const struct {
        const char *text, *repaired;
        size_t repairs;
    } cases[] = {
        {"", "", 0},
        {"^ffmpeg$|^ffprobe$", "^ffmpeg$|^ffprobe$", 0},
        {"^ffmpeg^ffprobe$", "^ffmpeg$|^ffprobe$", 1},
        {"^a^b^c", "^a$|^b$|^c", 2},
        {"(^a|^b)[^c]\\^d", "(^a|^b)[^c]\\^d", 0},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        char out[128];
        assert_int_equal(tk_match_repair(cases[i].text, out), cases[i].repairs);
        assert_string_equal(out, cases[i].repaired);
    }
}

static void a_prefix_chooses_what_is_searched(void **state)
{
    (void)state;
    static const struct {
        const char *match;
        enum tk_match_subject subject;
    } cases[] = {
        {"cmdline:^x", TK_MATCH_CMDLINE},
        {"exe:^x", TK_MATCH_EXE},
        {"cgroup:^x", TK_MATCH_CGROUP},
        {"^x", TK_MATCH_COMM},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_match match;
        struct tk_err err;
        assert_int_equal(tk_match_init(&match, cases[i].match, &err), 0);
        assert_int_equal(match.subject, cases[i].subject);
        assert_false(match.repaired);
        assert_true(tk_match_test(&match, "xyz"));
        assert_false(tk_match_test(&match, "a x"));
        tk_match_release(&match);
    }
}

static void names_what_does_not_compile(void **state)
{
    (void)state;
    struct tk_match match;
    struct tk_err err;
    assert_int_equal(tk_match_init(&match, "exe:[a", &err), -EBADMSG);
    assert_non_null(strstr(err.msg, "PROC_MATCH 'exe:[a': "));
    tk_match_release(&match);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searches_names_unanchored_and_without_regard_to_case),
        cmocka_unit_test(puts_back_what_make_ate),
        cmocka_unit_test(a_prefix_chooses_what_is_searched),
        cmocka_unit_test(names_what_does_not_compile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
