/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "tk_test.h"

/* Send stderr into a pipe while a line is logged, and read it back. The macro keeps the format a
 * literal. */
#define captured(buf, ...)                                                                         \
    do {                                                                                           \
        int pipe_[2];                                                                              \
        int saved_ = dup(2);                                                                       \
        assert_int_equal(pipe2(pipe_, O_CLOEXEC | O_NONBLOCK), 0);                                 \
        assert_int_equal(dup2(pipe_[1], 2), 2);                                                    \
        tk_log(__VA_ARGS__);                                                                       \
        assert_int_equal(dup2(saved_, 2), 2);                                                      \
        ssize_t n_ = read(pipe_[0], (buf), sizeof(buf) - 1);                                       \
        (buf)[n_ > 0 ? n_ : 0] = '\0';                                                             \
        close(pipe_[0]);                                                                           \
        close(pipe_[1]);                                                                           \
        close(saved_);                                                                             \
    } while (0)

static int without_journal(void **state)
{
    (void)state;
    return unsetenv("JOURNAL_STREAM") | unsetenv("TK_DEBUG");
}

static void a_message_is_one_line_of_logfmt(void **state)
{
    (void)state;
    char line[4096];
    captured(line, TK_LOG_WARN, "collect", "disk \"%s\" is\nfull\\", "a\tb");
    assert_string_equal(line, "level=warn mod=collect msg=\"disk \\\"a b\\\" is full\\\\\"\n");
    captured(line, TK_LOG_ERROR, "run", "%s", "");
    assert_string_equal(line, "level=error mod=run msg=\"\"\n");
}

static void a_long_message_is_cut(void **state)
{
    (void)state;
    char line[4096];
    captured(line, TK_LOG_INFO, "run", "%02000d", 1);
    assert_int_equal(strlen(line), strlen("level=info mod=run msg=\"\"\n") + 1023);
}

static void debug_shows_only_modules_that_were_asked_for(void **state)
{
    (void)state;
    static const struct {
        const char *wanted;
        bool shown;
    } cases[] = {
        {"", false},     {"run", true},     {"all", true},
        {"host", false}, {"a,run,b", true}, {"runs", false},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        char line[4096];
        assert_int_equal(setenv("TK_DEBUG", cases[i].wanted, 1), 0);
        captured(line, TK_LOG_DEBUG, "run", "x");
        assert_string_equal(line, cases[i].shown ? "level=debug mod=run msg=\"x\"\n" : "");
    }
}

static void the_journal_gets_its_priority(void **state)
{
    (void)state;
    char line[4096];
    assert_int_equal(setenv("JOURNAL_STREAM", "8:1", 1), 0);
    captured(line, TK_LOG_ERROR, "run", "x");
    assert_string_equal(line, "<3>level=error mod=run msg=\"x\"\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_message_is_one_line_of_logfmt, without_journal),
        cmocka_unit_test_setup(a_long_message_is_cut, without_journal),
        cmocka_unit_test_setup(debug_shows_only_modules_that_were_asked_for, without_journal),
        cmocka_unit_test_setup(the_journal_gets_its_priority, without_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
