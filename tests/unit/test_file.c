/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/file.h>

#include "tk_folder.h"
#include "tk_test.h"

struct fixture {
    char path[PATH_MAX];
    int dirfd;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    folder_make(fixture->path);
    fixture->dirfd = open(fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fixture->dirfd >= 0);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    close(fixture->dirfd);
    folder_remove(fixture->path);
    free(fixture);
    return 0;
}

static int count_entries(const char *path)
{
    DIR *dir = opendir(path);
    assert_non_null(dir);
    int n = 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2;
}

static void a_small_file_is_read_whole_or_refused(void **state)
{
    const struct fixture *fixture = *state;
    char buf[8];
    tk_str text;
    struct tk_err err;
    folder_put(fixture->path, "seven", "1234567");
    folder_put(fixture->path, "eight", "12345678");
    folder_put(fixture->path, "empty", "");
    assert_int_equal(tk_file_read(fixture->dirfd, "seven", buf, sizeof(buf), &text, &err), 0);
    assert_str_equal(text, "1234567");
    assert_int_equal(tk_file_read(fixture->dirfd, "empty", buf, sizeof(buf), &text, &err), 0);
    assert_int_equal(text.n, 0);
    assert_int_equal(tk_file_read(fixture->dirfd, "eight", buf, sizeof(buf), &text, &err),
                     -EMSGSIZE);
    assert_string_equal(err.msg, "eight: larger than 7 bytes");
    assert_int_equal(tk_file_read(fixture->dirfd, "none", buf, sizeof(buf), &text, &err), -ENOENT);
    assert_string_equal(err.msg, "none: No such file or directory");
    assert_int_equal(tk_file_read(fixture->dirfd, ".", buf, sizeof(buf), &text, &err), -EISDIR);
}

static void a_large_file_is_loaded_up_to_the_cap(void **state)
{
    const struct fixture *fixture = *state;
    struct tk_err err;
    TK_CLEANUP(tk_buf_release) struct tk_buf big;
    TK_CLEANUP(tk_buf_release) struct tk_buf loaded;
    tk_buf_init(&big, 1 << 20);
    for (int i = 0; i < 20000; i++)
        tk_buf_printf(&big, "line %d\n", i);
    assert_int_equal(tk_file_write(fixture->dirfd, "big", tk_buf_str(&big), 0644, &err), 0);
    tk_buf_init(&loaded, 1 << 20);
    tk_buf_lit(&loaded, "head");
    assert_int_equal(tk_file_load(fixture->dirfd, "big", &loaded, &err), 0);
    assert_int_equal(loaded.n, big.n + 4);
    assert_memory_equal(loaded.p + 4, big.p, big.n);
    tk_buf_release(&loaded);
    tk_buf_init(&loaded, 1000);
    assert_int_equal(tk_file_load(fixture->dirfd, "big", &loaded, &err), -EMSGSIZE);
    assert_string_equal(err.msg, "big: larger than 1000 bytes");
}

static void a_file_without_a_size_is_loaded_as_well(void **state)
{
    (void)state;
    struct tk_err err;
    TK_CLEANUP(tk_buf_release) struct tk_buf loaded;
    tk_buf_init(&loaded, 1 << 20);
    assert_int_equal(tk_file_load(AT_FDCWD, "/proc/self/status", &loaded, &err), 0);
    assert_true(tk_str_starts_with(tk_buf_str(&loaded), TK_STR("Name:\ttest_file\n")));
}

static void a_rewrite_never_touches_what_a_reader_has_open(void **state)
{
    const struct fixture *fixture = *state;
    struct tk_err err;
    char buf[64];
    static int (*const writers[])(int, const char *, tk_str, mode_t,
                                  struct tk_err *) = {tk_file_write, tk_file_refresh};
    for (size_t i = 0; i < TK_COUNTOF(writers); i++) {
        folder_put(fixture->path, "file", "old content");
        int reader = openat(fixture->dirfd, "file", O_RDONLY | O_CLOEXEC);
        assert_int_equal(writers[i](fixture->dirfd, "file", TK_STR("new"), 0600, &err), 0);
        assert_int_equal(read(reader, buf, sizeof(buf)), strlen("old content"));
        close(reader);
        assert_file(fixture->path, "file", "new");
        struct stat st;
        assert_int_equal(fstatat(fixture->dirfd, "file", &st, 0), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_int_equal(count_entries(fixture->path), 1);
    }
}

/* Two processes of one pid may write, each in a container of its own. */
static void two_that_write_one_file_do_not_meet(void **state)
{
    const struct fixture *fixture = *state;
    struct tk_err err;
    char names[2][TK_TEMPORARY_MAX];
    int fds[2];
    for (size_t i = 0; i < TK_COUNTOF(fds); i++) {
        assert_int_equal(tk_file_make_beside(fixture->dirfd, "file", 0644, names[i], &fds[i], &err),
                         0);
        assert_int_equal(names[i][0], '.');
        assert_int_equal(tk_fd_write(fds[i], TK_STR("half"), "file", &err), 0);
    }
    assert_string_not_equal(names[0], names[1]);
    assert_int_equal(tk_file_write(fixture->dirfd, "file", TK_STR("whole"), 0644, &err), 0);
    assert_file(fixture->path, "file", "whole");
    for (size_t i = 0; i < TK_COUNTOF(fds); i++) {
        assert_file(fixture->path, names[i], "half");
        close(fds[i]);
    }
    assert_int_equal(count_entries(fixture->path), 3);
}

static void a_failed_write_leaves_nothing_behind(void **state)
{
    const struct fixture *fixture = *state;
    struct tk_err err;
    assert_int_equal(tk_file_write(fixture->dirfd, "no/file", TK_STR("x"), 0644, &err), -ENOENT);
    assert_string_equal(err.msg, "no: No such file or directory");
    assert_int_equal(tk_dir_make(fixture->dirfd, "taken/inner", &err), 0);
    assert_true(tk_file_write(fixture->dirfd, "taken", TK_STR("x"), 0644, &err) < 0);
    assert_true(tk_str_starts_with(tk_str_from(err.msg), TK_STR("taken: ")));
    assert_int_equal(count_entries(fixture->path), 1);

    char longest[NAME_MAX + 2];
    memset(longest, 'n', NAME_MAX + 1);
    longest[NAME_MAX + 1] = '\0';
    assert_int_equal(tk_file_write(fixture->dirfd, longest, TK_STR("x"), 0644, &err),
                     -ENAMETOOLONG);
}

static void a_lock_is_waited_for_no_longer_than_so(void **state)
{
    const struct fixture *fixture = *state;
    TK_CLEANUP(tk_fd_close) int first = dup(fixture->dirfd);
    TK_CLEANUP(tk_fd_close) int second = open(fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(tk_fd_lock(first, 0));
    assert_false(tk_fd_lock(second, 0));
    assert_false(tk_fd_lock(second, 2000000));
    assert_int_equal(flock(first, LOCK_UN), 0);
    assert_true(tk_fd_lock(second, 0));
}

static void a_full_disk_is_reported(void **state)
{
    (void)state;
    struct tk_err err;
    TK_CLEANUP(tk_fd_close) int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(full >= 0);
    assert_int_equal(tk_fd_write(full, TK_STR("x"), "/dev/full", &err), -ENOSPC);
    assert_string_equal(err.msg, "/dev/full: No space left on device");
}

static void folders_are_made_with_their_parents(void **state)
{
    const struct fixture *fixture = *state;
    struct tk_err err;
    TK_CLEANUP(tk_fd_close) int fd = -1;
    assert_int_equal(tk_dir_make(fixture->dirfd, "a/b/c", &err), 0);
    assert_int_equal(tk_dir_make(fixture->dirfd, "a/b/c/", &err), 0);
    assert_int_equal(tk_dir_open(fixture->dirfd, "a/b/c", &fd, &err), 0);

    char path[PATH_MAX + 16];
    (void)snprintf(path, sizeof(path), "%s/x//y", fixture->path);
    assert_int_equal(tk_dir_make(AT_FDCWD, path, &err), 0);

    folder_put(fixture->path, "file", "");
    assert_int_equal(tk_dir_make(fixture->dirfd, "file", &err), -ENOTDIR);
    assert_string_equal(err.msg, "file: is a file, expected a folder");
    assert_int_equal(tk_dir_make(fixture->dirfd, "file/below", &err), -ENOTDIR);
    int none = -1;
    assert_int_equal(tk_dir_open(fixture->dirfd, "file", &none, &err), -ENOTDIR);
}

static void folders_that_were_made_are_taken_back_as_far_as_they_are_empty(void **state)
{
    const struct fixture *fixture = *state;
    struct tk_err err;
    char path[PATH_MAX + 16];
    char below[PATH_MAX + 16];
    struct stat status;
    (void)snprintf(path, sizeof(path), "%s/old", fixture->path);
    (void)snprintf(below, sizeof(below), "%s/old/new//inner/", fixture->path);
    assert_int_equal(tk_dir_make(AT_FDCWD, path, &err), 0);
    size_t end = strlen(path);
    assert_int_equal(tk_dir_missing(path), end + 1);
    assert_int_equal(tk_dir_missing(below), end + strlen("/new"));

    size_t missing = tk_dir_missing(below);
    assert_int_equal(tk_dir_make(AT_FDCWD, below, &err), 0);
    tk_dir_unmake(below, missing);
    assert_int_equal(fstatat(fixture->dirfd, "old/new", &status, 0), -1);
    assert_int_equal(fstatat(fixture->dirfd, "old", &status, 0), 0);

    assert_int_equal(tk_dir_make(AT_FDCWD, below, &err), 0);
    folder_put(fixture->path, "old/new/file", "");
    tk_dir_unmake(below, missing);
    assert_int_equal(fstatat(fixture->dirfd, "old/new/inner", &status, 0), -1);
    assert_int_equal(fstatat(fixture->dirfd, "old/new/file", &status, 0), 0);
    tk_dir_unmake(path, tk_dir_missing(path));
    assert_int_equal(fstatat(fixture->dirfd, "old", &status, 0), 0);
}

static void closing_keeps_errno_and_forgets_the_descriptor(void **state)
{
    (void)state;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int held = fd;
    errno = ENOSPC;
    tk_fd_close(&fd);
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(fd, -1);
    assert_int_equal(fcntl(held, F_GETFD), -1);
    tk_fd_close(&fd);

    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    held = tk_fd_take(&fd);
    assert_int_equal(fd, -1);
    tk_fd_close(&fd);
    assert_true(fcntl(held, F_GETFD) >= 0);
    tk_fd_close(&held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_small_file_is_read_whole_or_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_large_file_is_loaded_up_to_the_cap, set_up, tear_down),
        cmocka_unit_test(a_file_without_a_size_is_loaded_as_well),
        cmocka_unit_test_setup_teardown(a_rewrite_never_touches_what_a_reader_has_open, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(two_that_write_one_file_do_not_meet, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failed_write_leaves_nothing_behind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lock_is_waited_for_no_longer_than_so, set_up, tear_down),
        cmocka_unit_test(a_full_disk_is_reported),
        cmocka_unit_test_setup_teardown(folders_are_made_with_their_parents, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            folders_that_were_made_are_taken_back_as_far_as_they_are_empty, set_up, tear_down),
        cmocka_unit_test(closing_keeps_errno_and_forgets_the_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
