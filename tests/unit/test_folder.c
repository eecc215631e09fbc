/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "run/run.h"
#include "run/run_internal.h"
#include "tk_folder.h"

#define SOMEBODY 12345

static char folder[PATH_MAX];

static int make_folder(void **state)
{
    (void)state;
    unsetenv("SUDO_UID");
    unsetenv("SUDO_GID");
    folder_make(folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unsetenv("SUDO_UID");
    unsetenv("SUDO_GID");
    folder_remove(folder);
    return 0;
}

static uid_t owner_of(const char *name)
{
    char path[PATH_MAX + NAME_MAX];
    struct stat st;
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (lstat(path, &st) < 0)
        fail_msg("%s: %s", path, strerror(errno));
    return st.st_uid;
}

static void make(const char *name)
{
    char path[PATH_MAX + NAME_MAX];
    struct tk_err err;
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (tk_run_folder_make(path, &err) < 0)
        fail_msg("%s", err.msg);
}

static void missing_parents_are_made(void **state)
{
    (void)state;
    make("a/b/c");
    make("a/b/c");
    make("a/b//d/");
    assert_int_equal(owner_of("a/b/c"), geteuid());
    assert_int_equal(owner_of("a/b/d"), geteuid());
}

static void new_folders_belong_to_the_caller_of_sudo(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    make("logs");
    setenv("SUDO_UID", "12345", 1);
    setenv("SUDO_GID", "12345", 1);
    make("logs/r1/deep");
    assert_int_equal(owner_of("logs"), 0);
    assert_int_equal(owner_of("logs/r1"), SOMEBODY);
    assert_int_equal(owner_of("logs/r1/deep"), SOMEBODY);
    setenv("SUDO_UID", "many", 1);
    make("logs/r2");
    assert_int_equal(owner_of("logs/r2"), 0);
}

static void files_of_root_get_the_owner_of_the_folder(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    struct tk_run_writer *writer;
    struct tk_rows *rows;
    struct tk_err err;
    assert_int_equal(chown(folder, SOMEBODY, SOMEBODY), 0);
    assert_int_equal(tk_run_writer_new(folder, &writer, &err), 0);
    assert_int_equal(tk_rows_new(tk_run_writer_sink(writer), &rows, &err), 0);
    struct tk_batch *row = tk_rows_begin(rows, TK_TABLE_CLOCK);
    tk_batch_set_i64(row, TK_CLOCK_REALTIME_US, 1);
    assert_int_equal(tk_object_write(tk_run_writer_dirfd(writer), "clock.json", row, &err), 0);
    assert_int_equal(tk_rows_flush(rows, &err), 0);
    assert_int_equal(tk_run_writer_flush(writer, &err), 0);
    tk_rows_free(rows);
    tk_run_writer_free(writer);
    assert_int_equal(owner_of("clock.json"), SOMEBODY);
    assert_int_equal(owner_of("clock.jsonl"), SOMEBODY);
}

static void the_name_of_a_run_is_the_last_part_of_its_path(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *name;
    } cases[] = {
        {"logs/r1", "r1"}, {"logs/r1//", "r1"}, {"r1", "r1"}, {"/", ""}, {"./R(c0)/", "R(c0)"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++)
        assert_str_equal(tk_run_path_name(tk_str_from(cases[i].path)), cases[i].name);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(missing_parents_are_made),
        in_folder(new_folders_belong_to_the_caller_of_sudo),
        in_folder(files_of_root_get_the_owner_of_the_folder),
        cmocka_unit_test(the_name_of_a_run_is_the_last_part_of_its_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
