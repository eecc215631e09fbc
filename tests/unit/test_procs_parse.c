/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/procs_parse.h"

#include <errno.h>

#include "base/compiler.h"
#include "tk_test.h"

/* What follows the name in a line of Linux 6.1; utime and stime beyond 2^32. */
#define TAIL                                                                                       \
    " S 7 8 9 0 -1 4194560 11 12 13 14 5000000000 6000000000 17 18 20 0 3 0 123456789012 "         \
    "19922944 1540 18446744073709551615 1 1 0 0 0 0 0 4096 81923 0 0 0 17 1 0 0 0 0 0 0 0\n"

static void reads_the_fields_of_a_stat_line(void **state)
{
    (void)state;
    struct tk_pid_stat stat;
    assert_int_equal(tk_pid_stat_parse(TK_STR("4321 (bash)" TAIL), &stat), 0);
    assert_int_equal(stat.pid, 4321);
    assert_string_equal(stat.comm, "bash");
    assert_int_equal(stat.state, 'S');
    assert_int_equal(stat.ppid, 7);
    assert_int_equal(stat.pgrp, 8);
    assert_int_equal(stat.session, 9);
    assert_int_equal(stat.minflt, 11);
    assert_int_equal(stat.majflt, 13);
    assert_int_equal(stat.utime_ticks, 5000000000);
    assert_int_equal(stat.stime_ticks, 6000000000);
    assert_int_equal(stat.threads, 3);
    assert_int_equal(stat.start_ticks, 123456789012);
    assert_int_equal(stat.rss_pages, 1540);
}

static void ends_the_name_at_the_last_parenthesis(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *comm;
    } cases[] = {
        {"1 (a b)" TAIL, "a b"}, {"1 (a) R 2 (b)" TAIL, "a) R 2 (b"},
        {"1 (:))" TAIL, ":)"},   {"1 (x\ny)" TAIL, "x\ny"},
        {"1 ()" TAIL, ""},       {"1 (kworker/u4:2-events_unbound)" TAIL, "kworker/u4:2-ev"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_pid_stat stat;
        assert_int_equal(tk_pid_stat_parse(tk_str_from(cases[i].line), &stat), 0);
        assert_string_equal(stat.comm, cases[i].comm);
        assert_int_equal(stat.ppid, 7);
    }
}

static void takes_the_shorter_lines_of_old_kernels(void **state)
{
    (void)state;
    struct tk_pid_stat stat;
    tk_str line = TK_STR("1 (init) S 0 1 1 0 -1 4 1 2 3 4 50 60 7 8 20 0 1 0 99");
    assert_int_equal(tk_pid_stat_parse(line, &stat), 0);
    assert_int_equal(stat.start_ticks, 99);
    assert_int_equal(stat.rss_pages, -1);
}

static void refuses_what_is_no_stat_line(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "1",
        "(a) S 1",
        "0 (a)" TAIL,
        "99999999999 (a)" TAIL,
        "1 (a" TAIL,
        "1 (a)",
        "1 (a) S",
        "1 (a) S 0 1 1 0 -1 4 1 2 3 4 50 60 7 8 20 0 1 0",
        "1 (a) S 0 1 1 0 -1 4 1 2 3 4 50 x 7 8 20 0 1 0 99",
    };
    for (size_t i = 0; i < TK_COUNTOF(lines); i++) {
        struct tk_pid_stat stat = {.pid = 77};
        assert_int_equal(tk_pid_stat_parse(tk_str_from(lines[i]), &stat), -EBADMSG);
        assert_int_equal(stat.pid, 77);
    }
}

static void reads_resident_pages(void **state)
{
    (void)state;
    int64_t pages = 0;
    assert_int_equal(tk_pid_statm_parse(TK_STR("9999999999 8888888888 3 4 0 5 0\n"), &pages), 0);
    assert_int_equal(pages, 8888888888);
    assert_int_equal(tk_pid_statm_parse(TK_STR("12"), &pages), -EBADMSG);
}

static void reads_block_io_and_not_the_bytes_of_system_calls(void **state)
{
    (void)state;
    struct tk_pid_io io;
    tk_str text = TK_STR("rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5000000000\n"
                         "write_bytes: 6\ncancelled_write_bytes: 7\n");
    assert_int_equal(tk_pid_io_parse(text, &io), 0);
    assert_int_equal(io.rd_bytes, 5000000000);
    assert_int_equal(io.wr_bytes, 6);
    assert_int_equal(tk_pid_io_parse(TK_STR("read_bytes: 5\n"), &io), -EBADMSG);
}

static void reads_the_innermost_pid_and_the_switches(void **state)
{
    (void)state;
    struct tk_pid_status status;
    tk_str text = TK_STR("Name:\tsh\nPid:\t812\nNSpid:\t812\t31\t7\n"
                         "voluntary_ctxt_switches:\t42\nnonvoluntary_ctxt_switches:\t5\n");
    assert_int_equal(tk_pid_status_parse(text, &status), 0);
    assert_int_equal(status.ns_pid, 7);
    assert_int_equal(status.nvcsw, 42);
    assert_int_equal(status.nivcsw, 5);

    assert_int_equal(tk_pid_status_parse(TK_STR("Name:\tsh\n"), &status), 0);
    assert_int_equal(status.ns_pid, -1);
    assert_int_equal(status.nvcsw, -1);
    assert_int_equal(tk_pid_status_parse(TK_STR("NSpid:\t1\n"), &status), -EBADMSG);
    assert_int_equal(tk_pid_status_parse(TK_STR("Name:\tx\nNSpid:\tx\n"), &status), -EBADMSG);
}

static void reads_run_delay_and_last_pid(void **state)
{
    (void)state;
    struct tk_pid_schedstat schedstat = {0};
    assert_int_equal(tk_pid_schedstat_parse(TK_STR("5000000000 77 12\n"), &schedstat), 0);
    assert_int_equal(schedstat.run_ns, 5000000000);
    assert_int_equal(schedstat.run_delay_ns, 77);
    assert_int_equal(tk_pid_schedstat_parse(TK_STR("5\n"), &schedstat), -EBADMSG);

    int64_t files = 0;
    assert_int_equal(tk_pid_limits_parse(TK_STR("Limit  Soft Limit  Hard Limit  Units\n"
                                                "Max processes  96365  96365  processes\n"
                                                "Max open files            1024       "
                                                "524288    files     \n"),
                                         &files),
                     0);
    assert_int_equal(files, 1024);
    assert_int_equal(
        tk_pid_limits_parse(TK_STR("Max open files   unlimited  unlimited  files\n"), &files), 0);
    assert_int_equal(files, INT64_MAX);
    assert_int_equal(tk_pid_limits_parse(TK_STR("Max open files   -1 -1 files\n"), &files),
                     -EBADMSG);
    assert_int_equal(tk_pid_limits_parse(TK_STR("Max processes  9 9\n"), &files), -EBADMSG);

    struct tk_pid_rollup rollup;
    assert_int_equal(
        tk_pid_rollup_parse(TK_STR("5644-7ffd ---p 00000000 00:00 0    [rollup]\n"
                                   "Rss:                1708 kB\nPss:                 226 kB\n"
                                   "Pss_Dirty:  1 kB\nSwap:   12 kB\nSwapPss:  3 kB\n"),
                            &rollup),
        0);
    assert_int_equal(rollup.pss_kb, 226);
    assert_int_equal(rollup.swap_kb, 12);
    assert_int_equal(tk_pid_rollup_parse(TK_STR("Rss: 5 kB\n"), &rollup), -EBADMSG);

    pid_t pid = 0;
    assert_int_equal(tk_last_pid_parse(TK_STR("0.20 0.18 0.12 1/80 11206\n"), &pid), 0);
    assert_int_equal(pid, 11206);
    assert_int_equal(tk_last_pid_parse(TK_STR("0.20 0.18 0.12 1/80\n"), &pid), -EBADMSG);
    assert_int_equal(tk_last_pid_parse(TK_STR(""), &pid), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_fields_of_a_stat_line),
        cmocka_unit_test(ends_the_name_at_the_last_parenthesis),
        cmocka_unit_test(takes_the_shorter_lines_of_old_kernels),
        cmocka_unit_test(refuses_what_is_no_stat_line),
        cmocka_unit_test(reads_resident_pages),
        cmocka_unit_test(reads_block_io_and_not_the_bytes_of_system_calls),
        cmocka_unit_test(reads_the_innermost_pid_and_the_switches),
        cmocka_unit_test(reads_run_delay_and_last_pid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
