/* SPDX-License-Identifier: Apache-2.0 */
#include "base/device.h"

#include <errno.h>
#include <unistd.h>

#include "tk_folder.h"

FOLDER_OF_EACH_TEST

/* Whether it is opened as a device; closed again. */
static bool is_taken(const char *name)
{
    TK_CLEANUP(tk_fd_close) int fd = -1;
    struct tk_err err;
    assert_int_equal(tk_device_open(dirfd_of_folder, name, &fd, &err), 0);
    return fd >= 0;
}

static void link_to(const char *target, const char *name)
{
    assert_int_equal(symlinkat(target, dirfd_of_folder, name), 0);
}

static void devices_and_pipes_are_opened(void **state)
{
    (void)state;
    assert_int_equal(mkfifoat(dirfd_of_folder, "pipe", 0600), 0);
    TK_CLEANUP(tk_fd_close) int reader = openat(dirfd_of_folder, "pipe", O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    link_to("pipe", "link");
    link_to("/dev/null", "null");
    assert_true(is_taken("pipe"));
    assert_true(is_taken("link"));
    assert_true(is_taken("null"));
    assert_true(is_taken("/dev/null"));
}

/* As /dev/stderr is when it is redirected into a file. */
static void an_open_descriptor_is_written_to_whatever_it_is(void **state)
{
    (void)state;
    char target[64];
    folder_put(folder, "file", "");
    TK_CLEANUP(tk_fd_close) int fd = openat(dirfd_of_folder, "file", O_WRONLY);
    (void)snprintf(target, sizeof(target), "/proc/self/fd/%d", fd);
    link_to(target, "stderr");
    assert_true(is_taken("stderr"));
}

static void standard_output_is_refused(void **state)
{
    (void)state;
    int fd;
    struct tk_err err;
    link_to("/proc/self/fd/1", "stdout");
    assert_int_equal(tk_device_open(dirfd_of_folder, "stdout", &fd, &err), -EINVAL);
    assert_string_equal(err.msg, "stdout: what else is told goes there, too: give - for it");
    assert_int_equal(fd, -1);
}

static void files_folders_and_what_is_not_there_are_none(void **state)
{
    (void)state;
    folder_put(folder, "file", "");
    link_to("file", "link");
    link_to("nowhere", "dangling");
    assert_false(is_taken("file"));
    assert_false(is_taken("link"));
    assert_false(is_taken("dangling"));
    assert_false(is_taken("absent"));
    assert_false(is_taken("."));
}

static void a_link_of_somebody_else_is_not_followed(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    link_to("/dev/null", "null");
    assert_int_equal(fchownat(dirfd_of_folder, "null", 65534, 65534, AT_SYMLINK_NOFOLLOW), 0);
    assert_false(is_taken("null"));
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, open_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(devices_and_pipes_are_opened),
        in_folder(an_open_descriptor_is_written_to_whatever_it_is),
        in_folder(standard_output_is_refused),
        in_folder(files_folders_and_what_is_not_there_are_none),
        in_folder(a_link_of_somebody_else_is_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
