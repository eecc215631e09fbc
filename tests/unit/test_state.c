/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/clock.h"
#include "step/state.h"
#include "tk_folder.h"

FOLDER_OF_EACH_TEST

/* 2026-01-24 12:00:00 */
#define NOON_NS (1769256000 * TK_NS_PER_S)

static struct tk_state_options options_of(const char *run)
{
    return (struct tk_state_options){.folder = folder, .run = run};
}

static void begin(const struct tk_state_options *options, const char *job, char ret[NAME_MAX + 1])
{
    struct tk_state state;
    struct tk_err err;
    assert_int_equal(tk_state_open(&state, options, &err), 0);
    assert_int_equal(tk_state_new_job(&state, job, NOON_NS, &err), 0);
    assert_int_equal(tk_state_point(&state, &err), 0);
    memcpy(ret, state.job, sizeof(state.job));
    tk_state_close(&state);
}

static void a_job_of_one_command_is_held_until_its_state_is_closed(void **state)
{
    (void)state;
    const struct tk_state_options options = options_of(NULL);
    struct tk_state at;
    struct tk_err err;
    assert_int_equal(tk_state_open(&at, &options, &err), 0);
    assert_int_equal(tk_state_new_job(&at, "held", NOON_NS, &err), 0);
    assert_false(tk_state_is_held(folder, at.job));
    assert_int_equal(tk_state_mark(&at, 1, 1, &err), 0); /* whatever the pid means to others */
    assert_true(tk_state_is_held(folder, at.job));
    assert_true(tk_state_is_held(folder, at.job));
    tk_state_close(&at);
    assert_false(tk_state_is_held(folder, at.job));
    assert_false(tk_state_is_held(folder, "none"));
}

static void expect_found(const struct tk_state_options *options, const char *job)
{
    struct tk_state state;
    struct tk_err err;
    assert_int_equal(tk_state_open(&state, options, &err), 0);
    assert_int_equal(tk_state_find_job(&state, options, &err), 0);
    assert_string_equal(state.job, job);
    tk_state_close(&state);
}

static void a_job_is_named_after_itself_and_the_time(void **state)
{
    (void)state;
    const struct tk_state_options options = options_of(NULL);
    char name[NAME_MAX + 1];
    begin(&options, "build", name);
    assert_string_equal(name, "build_20260124_120000");
    begin(&options, "build", name);
    assert_string_equal(name, "build_20260124_120000_2");
    begin(&options, "../a b/\xc3\xa4", name);
    assert_string_equal(name, "_._a_b____20260124_120000");
    expect_found(&options, name);
}

static void each_run_has_its_own_job(void **state)
{
    (void)state;
    const struct tk_state_options one = options_of("1/x");
    const struct tk_state_options two = options_of("2");
    const struct tk_state_options three = options_of("3");
    char a[NAME_MAX + 1], b[NAME_MAX + 1];
    struct tk_state at;
    struct tk_err err;
    begin(&one, "a", a);
    begin(&two, "b", b);
    expect_found(&one, a);
    expect_found(&two, b);
    assert_int_equal(tk_state_open(&at, &three, &err), 0);
    assert_int_equal(tk_state_find_job(&at, &three, &err), -ENOENT);
    tk_state_close(&at);
}

static void a_job_that_is_given_wins(void **state)
{
    (void)state;
    struct tk_state_options options = options_of(NULL);
    char a[NAME_MAX + 1], b[NAME_MAX + 1];
    char path[PATH_MAX + NAME_MAX + 2];
    begin(&options, "a", a);
    begin(&options, "b", b);
    options.job = a;
    expect_found(&options, a);
    (void)snprintf(path, sizeof(path), "%s/%s", folder, a);
    options = (struct tk_state_options){.folder = "/tmp", .job = path};
    options.folder = folder;
    expect_found(&options, a);
}

static void a_pointer_out_of_the_folder_is_not_followed(void **state)
{
    (void)state;
    const struct tk_state_options options = options_of(NULL);
    struct tk_state at;
    struct tk_err err;
    folder_put(folder, "current", "../../etc");
    assert_int_equal(tk_state_open(&at, &options, &err), 0);
    assert_int_equal(tk_state_find_job(&at, &options, &err), -ENOENT);
    tk_state_close(&at);
}

static void a_link_and_a_folder_open_to_all_are_refused(void **state)
{
    (void)state;
    char link[PATH_MAX + 16];
    char open_to_all[PATH_MAX + 16];
    struct tk_state at;
    struct tk_err err;
    (void)snprintf(link, sizeof(link), "%s/link", folder);
    (void)snprintf(open_to_all, sizeof(open_to_all), "%s/open", folder);
    assert_int_equal(symlink("/tmp", link), 0);
    struct tk_state_options options = {.folder = link};
    assert_int_equal(tk_state_open(&at, &options, &err), -ENOTDIR);
    tk_state_close(&at);
    assert_int_equal(mkdir(open_to_all, 0700), 0);
    assert_int_equal(chmod(open_to_all, 0777), 0);
    options.folder = open_to_all;
    assert_int_equal(tk_state_open(&at, &options, &err), -EPERM);
    tk_state_close(&at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_job_is_named_after_itself_and_the_time, open_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(each_run_has_its_own_job, open_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_job_that_is_given_wins, open_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_pointer_out_of_the_folder_is_not_followed, open_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_job_of_one_command_is_held_until_its_state_is_closed,
                                        open_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_link_and_a_folder_open_to_all_are_refused, open_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
