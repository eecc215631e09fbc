/* SPDX-License-Identifier: Apache-2.0 */
#include "run/exits.h"

#include "tk_folder.h"

static char folder[PATH_MAX];
static struct tk_exits exits;

static int make_folder(void **state)
{
    (void)state;
    folder_make(folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    tk_exits_release(&exits);
    folder_remove(folder);
    return 0;
}

static struct tk_decode_stats read_exits(const char *text)
{
    static const struct tk_birth birth = {.clk_tck = 100, .boot_us = 0};
    struct tk_decode_stats stats;
    struct tk_err err;
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    assert_int_equal(tk_dir_open(AT_FDCWD, folder, &dirfd, &err), 0);
    if (text)
        folder_put(folder, "proc_exit.jsonl", text);
    assert_int_equal(tk_exits_read(&exits, dirfd, "proc_exit.jsonl", &birth, &stats, &err), 0);
    return stats;
}

static void no_file_is_no_exits(void **state)
{
    (void)state;
    assert_int_equal(read_exits(NULL).bad_rows, 0);
    assert_int_equal(exits.count, 0);
    assert_null(tk_exits_find(&exits, 1, -1, 0, INT64_MAX));
}

static void a_process_is_found_by_pid_start_and_life(void **state)
{
    (void)state;
    (void)read_exits(
        "{\"ts_ms\":900,\"pid\":7,\"start_ticks\":50,\"cpu_ns\":2}\n"
        "{\"ts_ms\":400,\"pid\":7,\"start_us\":100000,\"start_ticks\":10,\"cpu_ns\":1}\n"
        "{\"ts_ms\":400,\"ts_us\":400700,\"pid\":5,\"elapsed_us\":700,\"cpu_ns\":3}\n");
    assert_int_equal(exits.count, 3);
    assert_int_equal(tk_exits_find(&exits, 7, -1, 0, 300000)->cpu_ns, 1);
    assert_int_equal(tk_exits_find(&exits, 7, -1, 450000, 600000)->cpu_ns, 2);
    assert_int_equal(tk_exits_find(&exits, 7, -1, 0, 600000)->cpu_ns, 2);
    assert_int_equal(tk_exits_find(&exits, 7, 10, 0, 600000)->cpu_ns, 1);
    assert_null(tk_exits_find(&exits, 7, -1, 410000, 490000));
    assert_null(tk_exits_find(&exits, 7, 11, 0, 600000));
    assert_null(tk_exits_find(&exits, 6, -1, 0, INT64_MAX));
    assert_int_equal(tk_exits_find(&exits, 5, -1, 400000, 400000)->start_us, 400000);
    assert_int_equal(exits.items[exits.by_end[0]].pid, 7);
    assert_int_equal(exits.items[exits.by_end[1]].pid, 5);
    assert_int_equal(exits.items[exits.by_end[2]].cpu_ns, 2);
}

static void a_tree_is_summed_up_to_its_root(void **state)
{
    (void)state;
    (void)read_exits(
        "{\"ts_ms\":500,\"pid\":12,\"ppid\":11,\"start_us\":300000,\"cpu_ns\":100,\"max_rss_kb\":9}"
        "\n"
        "{\"ts_ms\":600,\"pid\":13,\"ppid\":11,\"start_us\":300000,\"cpu_ns\":50,\"max_rss_kb\":4}"
        "\n"
        "{\"ts_ms\":700,\"pid\":11,\"ppid\":10,\"start_us\":200000,\"cpu_ns\":7,\"max_rss_kb\":5}\n"
        "{\"ts_ms\":800,\"pid\":10,\"ppid\":1,\"start_us\":100000,\"cpu_ns\":1,\"max_rss_kb\":2}\n"
        /* pid 10 again, later: no parent of those before */
        "{\"ts_ms\":950,\"pid\":10,\"ppid\":1,\"start_us\":900000,\"cpu_ns\":3}\n");
    const struct tk_exit *root = tk_exits_find(&exits, 10, -1, 0, 800000);
    assert_int_equal(root->tree_cpu_ns, 158);
    assert_int_equal(root->tree_max_rss_kb, 9);
    assert_int_equal(tk_exits_find(&exits, 11, -1, 0, 800000)->tree_cpu_ns, 157);
    assert_int_equal(tk_exits_find(&exits, 12, -1, 0, 800000)->tree_cpu_ns, 100);
    assert_int_equal(tk_exits_find(&exits, 10, -1, 900000, 960000)->tree_cpu_ns, 3);
}

static void loops_of_damaged_records_end(void **state)
{
    (void)state;
    (void)read_exits("{\"ts_ms\":9,\"pid\":1,\"ppid\":2,\"start_us\":1000,\"cpu_ns\":1}\n"
                     "{\"ts_ms\":9,\"pid\":2,\"ppid\":1,\"start_us\":1000,\"cpu_ns\":1}\n"
                     "{\"ts_ms\":9,\"pid\":3,\"ppid\":3,\"start_us\":1000,\"cpu_ns\":1}\n");
    assert_int_equal(tk_exits_find(&exits, 3, -1, 0, 9000)->tree_cpu_ns, 1);
}

static void rows_without_pid_or_time_are_counted(void **state)
{
    (void)state;
    struct tk_decode_stats stats =
        read_exits("{\"ts_ms\":9}\n{\"pid\":1}\n{\"ts_us\":9,\"pid\":1}\n");
    assert_int_equal(stats.bad_rows, 2);
    assert_int_equal(exits.count, 1);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(no_file_is_no_exits),
        in_folder(a_process_is_found_by_pid_start_and_life),
        in_folder(a_tree_is_summed_up_to_its_root),
        in_folder(loops_of_damaged_records_end),
        in_folder(rows_without_pid_or_time_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
