/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/wait.h>

#include "run/run.h"
#include "tk_folder.h"

FOLDER_OF_EACH_TEST

/* Start of this process in ticks, as the file is to hold it. */
static int64_t own_start_ticks(void)
{
    char text[2048];
    FILE *stat = fopen("/proc/self/stat", "r");
    assert_non_null(stat);
    assert_non_null(fgets(text, sizeof(text), stat));
    (void)fclose(stat);
    long long ticks;
    assert_int_equal(sscanf(strrchr(text, ')') + 1,
                            " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
                            "%*d %*d %lld",
                            &ticks),
                     1);
    return ticks;
}

static struct tk_run_owner own_identity(void)
{
    struct tk_run_owner owner = {.pid = getpid(), .start_ticks = own_start_ticks()};
    char text[64];
    tk_str boot_id;
    struct tk_err err;
    assert_int_equal(tk_file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", text, sizeof(text),
                                  &boot_id, &err),
                     0);
    assert_true(tk_str_to_cstr(tk_str_trim(boot_id), owner.boot_id, sizeof(owner.boot_id)));
    return owner;
}

static void nobody_records_into_a_new_folder(void **state)
{
    (void)state;
    struct tk_run_owner owner;
    struct tk_err err;
    assert_int_equal(tk_run_owner_read(dirfd_of_folder, &owner, &err), -ENOENT);
}

static void the_owner_is_found_and_a_second_one_refused(void **state)
{
    (void)state;
    struct tk_run_owner mine = own_identity();
    struct tk_run_owner owner;
    struct tk_err err;
    TK_CLEANUP(tk_fd_close) int fd = -1;
    int second = -1;
    assert_int_equal(tk_run_lock(dirfd_of_folder, &mine, &fd, &err), 0);
    assert_int_equal(tk_run_owner_read(dirfd_of_folder, &owner, &err), 0);
    assert_int_equal(owner.pid, mine.pid);
    assert_int_equal(owner.start_ticks, mine.start_ticks);
    assert_string_equal(owner.boot_id, mine.boot_id);
    assert_int_equal(tk_run_lock(dirfd_of_folder, &mine, &second, &err), -EBUSY);
    char expected[100];
    (void)snprintf(expected, sizeof(expected), "a recorder is running there already (pid %ld)",
                   (long)getpid());
    assert_string_equal(err.msg, expected);
}

static void the_lock_can_be_taken_again_after_its_holder_let_go(void **state)
{
    (void)state;
    struct tk_run_owner mine = own_identity();
    struct tk_err err;
    int fd = -1;
    assert_int_equal(tk_run_lock(dirfd_of_folder, &mine, &fd, &err), 0);
    tk_fd_close(&fd);
    assert_int_equal(tk_run_lock(dirfd_of_folder, &mine, &fd, &err), 0);
    tk_fd_close(&fd);
}

static void an_owner_that_is_another_process_now_is_stale(void **state)
{
    (void)state;
    const struct tk_run_owner mine = own_identity();
    struct tk_run_owner others[] = {mine, mine, mine};
    others[0].start_ticks++;
    others[1].boot_id[0] = others[1].boot_id[0] == '0' ? '1' : '0';
    others[2].pid = INT32_MAX;
    for (size_t i = 0; i < TK_COUNTOF(others); i++) {
        struct tk_run_owner owner;
        struct tk_err err;
        int fd = -1;
        assert_int_equal(tk_run_lock(dirfd_of_folder, &others[i], &fd, &err), 0);
        tk_fd_close(&fd);
        assert_int_equal(tk_run_owner_read(dirfd_of_folder, &owner, &err), -ESRCH);
    }
}

static void a_damaged_file_is_stale(void **state)
{
    (void)state;
    struct tk_run_owner owner;
    struct tk_err err;
    static const char *const damaged[] = {"", "{\"pid\":", "[1]", "{\"pid\":-3}",
                                          "{\"pid\":\"x\"}"};
    for (size_t i = 0; i < TK_COUNTOF(damaged); i++) {
        folder_put(folder, "collector.pid", damaged[i]);
        assert_int_equal(tk_run_owner_read(dirfd_of_folder, &owner, &err), -ESRCH);
    }
}

static void a_lock_held_in_another_pid_namespace_counts(void **state)
{
    (void)state;
    struct tk_run_owner elsewhere = own_identity();
    struct tk_run_owner owner;
    struct tk_err err;
    TK_CLEANUP(tk_fd_close) int fd = -1;
    elsewhere.start_ticks++;
    assert_int_equal(tk_run_lock(dirfd_of_folder, &elsewhere, &fd, &err), 0);
    assert_int_equal(tk_run_owner_read(dirfd_of_folder, &owner, &err), 0);
    assert_int_equal(owner.pid, elsewhere.pid);
}

static void assert_file_is_there(bool is_there)
{
    assert_int_equal(faccessat(dirfd_of_folder, "collector.pid", F_OK, 0), is_there ? 0 : -1);
}

static void the_file_goes_with_the_lock_unless_it_is_another_recorder_s(void **state)
{
    (void)state;
    struct tk_run_owner mine = own_identity();
    struct tk_err err;
    int first = -1;
    int second = -1;
    assert_int_equal(tk_run_lock(dirfd_of_folder, &mine, &first, &err), 0);
    assert_int_equal(unlinkat(dirfd_of_folder, "collector.pid", 0), 0);
    assert_int_equal(tk_run_lock(dirfd_of_folder, &mine, &second, &err), 0);
    tk_run_unlock(dirfd_of_folder, &first);
    assert_int_equal(first, -1);
    assert_file_is_there(true);
    tk_run_unlock(dirfd_of_folder, &second);
    assert_file_is_there(false);
    tk_run_unlock(dirfd_of_folder, &second);
}

static void only_the_file_of_a_recorder_that_is_gone_is_cleared(void **state)
{
    (void)state;
    struct tk_run_owner mine = own_identity();
    struct tk_run_owner gone = mine;
    struct tk_err err;
    int fd = -1;
    gone.start_ticks++;
    tk_run_owner_clear(dirfd_of_folder); /* there is none */
    assert_int_equal(tk_run_lock(dirfd_of_folder, &gone, &fd, &err), 0);
    tk_run_owner_clear(dirfd_of_folder);
    assert_file_is_there(true);
    tk_fd_close(&fd);
    tk_run_owner_clear(dirfd_of_folder);
    assert_file_is_there(false);

    /* Where a file system has no locks, its owner must be gone. */
    assert_int_equal(tk_run_lock(dirfd_of_folder, &mine, &fd, &err), 0);
    tk_fd_close(&fd);
    tk_run_owner_clear(dirfd_of_folder);
    assert_file_is_there(true);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, open_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(nobody_records_into_a_new_folder),
        in_folder(the_owner_is_found_and_a_second_one_refused),
        in_folder(the_lock_can_be_taken_again_after_its_holder_let_go),
        in_folder(an_owner_that_is_another_process_now_is_stale),
        in_folder(a_damaged_file_is_stale),
        in_folder(a_lock_held_in_another_pid_namespace_counts),
        in_folder(the_file_goes_with_the_lock_unless_it_is_another_recorder_s),
        in_folder(only_the_file_of_a_recorder_that_is_gone_is_cleared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
