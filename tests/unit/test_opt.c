/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt.h"

#include <errno.h>
#include <stdlib.h>

#include "tk_test.h"

struct opts {
    bool once;
    bool interval_given;
    const char *root; /* borrowed: dies with argv */
    int64_t count;
    double budget;
    double factor;
    int64_t interval_ns;
    int tier;
};

static const char *const tiers[] = {"auto", "P", "P0", NULL};

static const struct tk_opt options[] = {
    {"once", TK_OPT_FLAG, offsetof(struct opts, once), NULL, "one tick"},
    {"root", TK_OPT_STRING, offsetof(struct opts, root), "DIR", "read DIR/proc", .letter = 'r'},
    {"count", TK_OPT_INT, offsetof(struct opts, count), "N", "ticks", .min = 1, .max = 10},
    {"interval", TK_OPT_DURATION, offsetof(struct opts, interval_ns), "TIME", "between ticks",
     .env = "TK_TEST_INTERVAL", .given = offsetof(struct opts, interval_given)},
    {"budget", TK_OPT_PERCENT, offsetof(struct opts, budget), "%", "of a CPU", .max = 100},
    {"factor", TK_OPT_F64, offsetof(struct opts, factor), "X", "of a figure", .max = 8},
    {"tier", TK_OPT_CHOICE, offsetof(struct opts, tier), "TIER", "source", .choices = tiers},
    {0},
};

static int parse(struct opts *opts, int *first, struct tk_err *err, const char *const *words)
{
    static char name[] = "x";
    char *argv[16] = {name};
    int argc = 1;
    for (; words[argc - 1]; argc++)
        argv[argc] = strdup(words[argc - 1]);
    int rc = tk_opt_parse(options, opts, argc, argv, first, err);
    while (--argc > 0)
        free(argv[argc]);
    return rc;
}

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})

static void values_of_each_type_are_read(void **state)
{
    (void)state;
    struct opts opts = {0};
    struct tk_err err;
    int first = 0;
    assert_int_equal(parse(&opts, &first, &err,
                           ARGV("--once", "-r", "d", "--count=7", "--interval", "1.5s", "--tier",
                                "P0", "--budget=12.5%", "--factor=1.25", "--", "cmd", "--count")),
                     0);
    assert_true(opts.once);
    assert_non_null(opts.root);
    assert_int_equal(opts.count, 7);
    assert_int_equal(opts.interval_ns, 1500000000);
    assert_int_equal(opts.tier, 2);
    assert_true(opts.budget == 0.125);
    assert_true(opts.factor == 1.25);
    assert_int_equal(first, 12);
}

static void options_may_follow_arguments_where_no_command_is_run(void **state)
{
    (void)state;
    char words[][12] = {"x", "run1", "--once", "--count=7", "run2", "--", "--root"};
    char *argv[TK_COUNTOF(words) + 1] = {0};
    for (size_t i = 0; i < TK_COUNTOF(words); i++)
        argv[i] = words[i];
    struct opts opts = {0};
    struct tk_err err;
    int first = 0;
    assert_int_equal(tk_opt_parse_mixed(options, &opts, TK_COUNTOF(words), argv, &first, &err), 0);
    assert_true(opts.once);
    assert_int_equal(opts.count, 7);
    assert_int_equal(first, 4);
    assert_string_equal(argv[4], "run1");
    assert_string_equal(argv[5], "run2");
    assert_string_equal(argv[6], "--root");
}

static void an_option_of_a_list_may_come_several_times(void **state)
{
    (void)state;
    static const struct tk_opt list_options[] = {
        {"map", TK_OPT_LIST, 0, "X", "one of several", .letter = 'm'},
        {0},
    };
    char words[][8] = {"x", "--map=a", "-m", "b", "c"};
    char *argv[] = {words[0], words[1], words[2], words[3], words[4], NULL};
    struct tk_opt_list list = {0};
    struct tk_err err;
    int first = 0;
    assert_int_equal(tk_opt_parse(list_options, &list, 5, argv, &first, &err), 0);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0], "a");
    assert_string_equal(list.items[1], "b");
    assert_int_equal(first, 4);
    list.count = TK_OPT_LIST_MAX;
    assert_int_equal(tk_opt_parse(list_options, &list, 5, argv, &first, &err), -EINVAL);
    assert_string_equal(err.msg, "option '--map': more than 64 times");
}

static void a_time_that_needs_its_unit_is_not_guessed(void **state)
{
    (void)state;
    static const struct tk_opt ages[] = {
        {"age", TK_OPT_DURATION, 0, "TIME", "how old", .needs_unit = true},
        {0},
    };
    static const struct {
        char word[16];
        int64_t ns; /* -1 = refused */
    } cases[] = {{"--age=2", -1}, {"--age=0.5", -1}, {"--age=2ms", 2000000}, {"--age=0", 0}};
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        static char name[] = "x";
        char word[16];
        memcpy(word, cases[i].word, sizeof(word));
        char *argv[] = {name, word};
        int64_t age_ns = -1;
        struct tk_err err;
        int first;
        int rc = tk_opt_parse(ages, &age_ns, 2, argv, &first, &err);
        assert_int_equal(rc, cases[i].ns < 0 ? -EINVAL : 0);
        assert_int_equal(age_ns, cases[i].ns);
        if (i == 0)
            assert_string_equal(err.msg,
                                "option '--age': '2' has no unit, expected such as 100ms or 2s");
    }
}

static void errors_name_the_option_and_the_value(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        const char *message;
    } cases[] = {
        {"--interval=soon", "option '--interval': 'soon' is not a duration such as 100ms or 2s"},
        {"--interval=1e3", "option '--interval': '1e3' is not a duration such as 100ms or 2s"},
        {"--budget=x", "option '--budget': 'x' is not a number of per cent such as 2 or 0.5"},
        {"--budget=-1", "option '--budget': '-1' is not a number of per cent such as 2 or 0.5"},
        {"--budget=nan", "option '--budget': 'nan' is not a number of per cent such as 2 or 0.5"},
        {"--budget=101", "option '--budget': 101 is out of range, expected 0 to 100"},
        {"--count=11", "option '--count': 11 is out of range, expected 1 to 10"},
        {"--count=1x", "option '--count': '1x' is not a whole number"},
        {"--tier=B9", "option '--tier': 'B9' is none of auto, P, P0"},
        {"--colour", "unknown option '--colour'"},
        {"-z", "unknown option '-z'"},
        {"--root", "option '--root' needs a value"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct opts opts = {0};
        struct tk_err err;
        int first;
        assert_int_equal(parse(&opts, &first, &err, ARGV(cases[i].word)), -EINVAL);
        assert_string_equal(err.msg, cases[i].message);
    }
}

static void the_command_line_beats_the_environment(void **state)
{
    (void)state;
    struct opts opts = {0};
    struct tk_err err;
    int first;
    setenv("TK_TEST_INTERVAL", "200", 1);
    assert_int_equal(parse(&opts, &first, &err, ARGV("--once")), 0);
    assert_int_equal(opts.interval_ns, 200000000);
    assert_false(opts.interval_given);
    assert_int_equal(parse(&opts, &first, &err, ARGV("--interval=1s")), 0);
    assert_int_equal(opts.interval_ns, 1000000000);
    assert_true(opts.interval_given);
    setenv("TK_TEST_INTERVAL", "often", 1);
    assert_int_equal(parse(&opts, &first, &err, ARGV("--once")), -EINVAL);
    assert_string_equal(
        err.msg,
        "environment variable TK_TEST_INTERVAL: 'often' is not a duration such as 100ms or 2s");
    unsetenv("TK_TEST_INTERVAL");
}

static void help_lists_every_option_within_the_width(void **state)
{
    (void)state;
    static const struct {
        int width;
        const char *text;
    } cases[] = {
        {80, "      --once           one tick\n"
             "  -r, --root DIR       read DIR/proc\n"
             "      --count N        ticks\n"
             "      --interval TIME  between ticks [TK_TEST_INTERVAL]\n"
             "      --budget %       of a CPU\n"
             "      --factor X       of a figure\n"
             "      --tier TIER      source\n"
             "  -h, --help           show this help\n"},
        {36, "      --once           one tick\n"
             "  -r, --root DIR       read DIR/proc\n"
             "      --count N        ticks\n"
             "      --interval TIME  between ticks\n"
             "                       [TK_TEST_INTERVAL]\n"
             "      --budget %       of a CPU\n"
             "      --factor X       of a figure\n"
             "      --tier TIER      source\n"
             "  -h, --help           show this\n"
             "                       help\n"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf out;
        tk_buf_init(&out, 4096);
        tk_opt_help(options, cases[i].width, &out);
        assert_str_equal(tk_buf_str(&out), cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_each_type_are_read),
        cmocka_unit_test(options_may_follow_arguments_where_no_command_is_run),
        cmocka_unit_test(an_option_of_a_list_may_come_several_times),
        cmocka_unit_test(a_time_that_needs_its_unit_is_not_guessed),
        cmocka_unit_test(errors_name_the_option_and_the_value),
        cmocka_unit_test(the_command_line_beats_the_environment),
        cmocka_unit_test(help_lists_every_option_within_the_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
