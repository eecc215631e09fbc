/* SPDX-License-Identifier: Apache-2.0 */
#include "run/out.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/schemas.h"
#include "tk_folder.h"

FOLDER_OF_EACH_TEST

static size_t count_files(void)
{
    DIR *dir = opendir(folder);
    size_t n = 0;
    const struct dirent *entry;
    while ((entry = readdir(dir)))
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    (void)closedir(dir);
    return n;
}

static void readers_see_the_old_file_until_the_close(void **state)
{
    (void)state;
    TK_CLEANUP(tk_out_release) struct tk_out out = TK_OUT_NONE;
    struct tk_err err;
    folder_put(folder, "x", "old");
    assert_int_equal(tk_out_open(&out, dirfd_of_folder, "x", &tk_schema_proc_rss, &err), 0);
    tk_out_put_line(&out, TK_STR("{}"));
    struct tk_batch *row = tk_out_begin(&out);
    tk_batch_set_i64(row, TK_PROC_RSS_TS_MS, 1);
    assert_file(folder, "x", "old");
    assert_int_equal(tk_out_close(&out, &err), 0);
    assert_file(folder, "x", "{}\n{\"ts_ms\":1}\n");
    assert_int_equal(out.row_count, 2);
    assert_int_equal(count_files(), 1);
}

static void two_that_write_one_file_each_put_a_whole_one_there(void **state)
{
    (void)state;
    TK_CLEANUP(tk_out_release) struct tk_out first = TK_OUT_NONE;
    TK_CLEANUP(tk_out_release) struct tk_out second = TK_OUT_NONE;
    struct tk_err err;
    assert_int_equal(tk_out_open(&first, dirfd_of_folder, "x", NULL, &err), 0);
    tk_out_put_line(&first, TK_STR("{\"first\":1}"));
    assert_int_equal(tk_out_open(&second, dirfd_of_folder, "x", NULL, &err), 0);
    tk_out_put_line(&second, TK_STR("{\"second\":1}"));
    assert_int_equal(tk_out_close(&first, &err), 0);
    assert_file(folder, "x", "{\"first\":1}\n");
    assert_int_equal(tk_out_close(&second, &err), 0);
    assert_file(folder, "x", "{\"second\":1}\n");
    assert_int_equal(count_files(), 1);
}

static void what_is_not_closed_leaves_nothing_behind(void **state)
{
    (void)state;
    struct tk_out out;
    struct tk_err err;
    folder_put(folder, "x", "old");
    assert_int_equal(tk_out_open(&out, dirfd_of_folder, "x", NULL, &err), 0);
    for (int i = 0; i < 100000; i++)
        tk_out_put_line(&out, TK_STR("{\"some\":\"line\"}"));
    assert_true(out.bytes > 0);
    tk_out_release(&out);
    assert_file(folder, "x", "old");
    assert_int_equal(count_files(), 1);
}

/* Otherwise `-o /dev/null` of root's would put a file there. */
static void a_pipe_is_written_into_and_stays(void **state)
{
    (void)state;
    TK_CLEANUP(tk_out_release) struct tk_out out = TK_OUT_NONE;
    struct tk_err err;
    char got[8] = "";
    struct stat about;
    assert_int_equal(mkfifoat(dirfd_of_folder, "x", 0600), 0);
    TK_CLEANUP(tk_fd_close) int reader = openat(dirfd_of_folder, "x", O_RDONLY | O_NONBLOCK);
    assert_int_equal(tk_out_open(&out, dirfd_of_folder, "x", NULL, &err), 0);
    tk_out_put_line(&out, TK_STR("{}"));
    assert_int_equal(tk_out_close(&out, &err), 0);
    assert_int_equal(read(reader, got, sizeof(got)), 3);
    assert_string_equal(got, "{}\n");
    assert_int_equal(fstatat(dirfd_of_folder, "x", &about, 0), 0);
    assert_true(S_ISFIFO(about.st_mode));
    assert_int_equal(count_files(), 1);
}

static void the_first_failure_is_told_by_the_close(void **state)
{
    (void)state;
    struct tk_out out;
    struct tk_err err;
    assert_int_equal(tk_out_open(&out, dirfd_of_folder, "x", NULL, &err), 0);
    int broken = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(broken >= 0);
    assert_int_equal(dup2(broken, out.fd), out.fd);
    tk_fd_close(&broken);
    tk_out_put_line(&out, TK_STR("{}"));
    assert_int_equal(tk_out_close(&out, &err), -ENOSPC);
    assert_string_equal(err.msg, "x: No space left on device");
    tk_out_release(&out);
    assert_int_equal(count_files(), 0);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, open_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(readers_see_the_old_file_until_the_close),
        in_folder(two_that_write_one_file_each_put_a_whole_one_there),
        in_folder(what_is_not_closed_leaves_nothing_behind),
        in_folder(a_pipe_is_written_into_and_stays),
        in_folder(the_first_failure_is_told_by_the_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
