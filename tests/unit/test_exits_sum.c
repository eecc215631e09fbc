/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/exits_sum.h"

#include "tk_test.h"

/* A thread that never slept: on a CPU for all its life but the delay. */
static struct tk_task_record busy_thread(pid_t tid, pid_t pid)
{
    return (struct tk_task_record){
        .version = 16,
        .tid = tid,
        .pid = pid,
        .ppid = 7,
        .comm = "busy",
        .cpu_ns = 3000000,
        .user_us = 4000,
        .elapsed_us = 5000,
        .group_elapsed_us = 5000,
        .max_rss_kb = 1000,
        .rd_bytes = 10,
        .minflt = 1,
        .run_delay_ns = 100000,
        .runs = 3,
    };
}

static struct tk_task_record last_thread(pid_t tid, pid_t pid)
{
    struct tk_task_record record = busy_thread(tid, pid);
    record.last = true;
    return record;
}

static void add(struct tk_exit_sums *sums, struct tk_task_record record)
{
    tk_exit_sums_add(sums, &record, 1, 1000);
}

static void adds_the_threads_of_a_process_up_to_its_last(void **state)
{
    (void)state;
    TK_CLEANUP(tk_exit_sums_release) struct tk_exit_sums sums;
    tk_exit_sums_init(&sums);
    struct tk_exit_total total;
    add(&sums, busy_thread(21, 20));
    struct tk_task_record main_thread = busy_thread(20, 20);
    memcpy(main_thread.comm, "main", 5);
    add(&sums, main_thread);
    assert_false(tk_exit_sums_take(&sums, 20, 20, &total));

    struct tk_task_record last = last_thread(22, 20);
    last.max_rss_kb = 3000;
    last.status = 0x300;
    last.group_elapsed_us = 9000;
    add(&sums, last);
    assert_string_equal(tk_exit_sums_comm(&sums, 20), "main");
    assert_false(tk_exit_sums_take(&sums, 20, 21, &total));
    assert_true(tk_exit_sums_take(&sums, 20, 22, &total));
    assert_int_equal(total.pid, 20);
    assert_int_equal(total.threads, 3);
    assert_int_equal(total.cpu_ns, 3 * 4900000);
    assert_int_equal(total.user_us, 12000);
    assert_int_equal(total.max_rss_kb, 3000);
    assert_int_equal(total.rd_bytes, 30);
    assert_int_equal(total.minflt, 3);
    assert_int_equal(total.elapsed_us, 9000);
    assert_int_equal(total.status, 0x300);
    assert_false(tk_exit_sums_take(&sums, 20, 22, &total));
}

static void completes_cpu_time_by_what_the_life_of_the_thread_tells(void **state)
{
    (void)state;
    static const struct {
        int64_t cpu_ns, elapsed_us, run_delay_ns, runs, nvcsw, user_us;
        int64_t expected_ns;
    } cases[] = {
        /* never slept: life less delay */
        {0, 700, 30000, 1, 0, 0, 670000},
        {3000000, 5000, 100000, 3, 0, 4000, 4900000},
        /* slept: a third of the mean stretch */
        {900000, 20000, 0, 3, 2, 0, 1000000},
        /* ... at most what its life leaves */
        {900000, 950, 0, 3, 2, 0, 950000},
        {900000, 900, 0, 3, 2, 0, 900000},
        /* ... at most half a tick, here of 4 ms */
        {900000000, 2000000, 0, 3, 2, 4000, 902000000},
        /* a life shorter than the count: clocks of different grain */
        {5000000, 4900, 0, 1, 0, 4000, 5000000},
        /* a kernel that does not count runs */
        {3000000, 5000, 0, 0, 0, 4000, 3000000},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        TK_CLEANUP(tk_exit_sums_release) struct tk_exit_sums sums;
        tk_exit_sums_init(&sums);
        struct tk_task_record record = last_thread(20, 20);
        record.cpu_ns = cases[i].cpu_ns;
        record.elapsed_us = record.group_elapsed_us = cases[i].elapsed_us;
        record.run_delay_ns = cases[i].run_delay_ns;
        record.runs = cases[i].runs;
        record.nvcsw = cases[i].nvcsw;
        record.user_us = cases[i].user_us;
        add(&sums, record);
        struct tk_exit_total total;
        assert_true(tk_exit_sums_take(&sums, 20, 20, &total));
        assert_int_equal(total.cpu_ns, cases[i].expected_ns);
    }
}

static void counts_the_work_of_exiting_up_to_what_its_memory_explains(void **state)
{
    (void)state;
    struct tk_exit_total total = {.max_rss_kb = 1000};
    assert_int_equal(tk_exit_work_ns(&total, 74000), 74000);
    assert_int_equal(tk_exit_work_ns(&total, 9000000), 37500);
    assert_int_equal(tk_exit_work_ns(&total, -5), 0);
}

static void takes_the_sum_of_the_group_when_threads_ended_before_we_listened(void **state)
{
    (void)state;
    TK_CLEANUP(tk_exit_sums_release) struct tk_exit_sums sums;
    tk_exit_sums_init(&sums);
    struct tk_task_record message[2] = {last_thread(22, 20), {.version = 16}};
    message[1].group = message[1].last = true;
    message[1].pid = message[1].tid = 20;
    message[1].cpu_ns = 60000000;
    tk_exit_sums_add(&sums, message, 2, 1000);
    struct tk_exit_total total;
    assert_true(tk_exit_sums_take(&sums, 20, 22, &total));
    assert_int_equal(total.cpu_ns, 60000000);
    assert_int_equal(total.threads, 1);
}

static void keeps_processes_with_the_same_pid_apart(void **state)
{
    (void)state;
    TK_CLEANUP(tk_exit_sums_release) struct tk_exit_sums sums;
    tk_exit_sums_init(&sums);
    for (int i = 1; i <= 3; i++) {
        struct tk_task_record record = last_thread(20, 20);
        record.status = i;
        add(&sums, record);
    }
    struct tk_exit_total total;
    for (int i = 1; i <= 3; i++) {
        assert_true(tk_exit_sums_take(&sums, 20, 20, &total));
        assert_int_equal(total.status, i);
    }
    assert_false(tk_exit_sums_next(&sums, INT64_MAX, &total));
}

static void forgets_threads_of_a_process_whose_end_was_missed(void **state)
{
    (void)state;
    TK_CLEANUP(tk_exit_sums_release) struct tk_exit_sums sums;
    tk_exit_sums_init(&sums);
    add(&sums, busy_thread(21, 20));
    tk_exit_sums_forget(&sums, 20);
    add(&sums, last_thread(20, 20));
    struct tk_exit_total total;
    assert_true(tk_exit_sums_take(&sums, 20, 20, &total));
    assert_int_equal(total.threads, 1);

    add(&sums, last_thread(20, 20));
    tk_exit_sums_forget(&sums, 20);
    assert_true(tk_exit_sums_take(&sums, 20, 20, &total));
}

static void hands_out_what_finished_before_a_time_oldest_first(void **state)
{
    (void)state;
    TK_CLEANUP(tk_exit_sums_release) struct tk_exit_sums sums;
    tk_exit_sums_init(&sums);
    for (pid_t pid = 1; pid <= 1000; pid++)
        add(&sums, pid % 2 ? last_thread(pid, pid) : busy_thread(pid, pid));
    struct tk_exit_total total;
    int n = 0;
    assert_true(tk_exit_sums_take(&sums, 501, 501, &total));
    assert_false(tk_exit_sums_next(&sums, 1000, &total));
    pid_t before = 0;
    for (; tk_exit_sums_next(&sums, 1001, &total); n++, before = total.pid)
        assert_true(total.pid > before);
    assert_int_equal(n, 499);
}

/* Records of kernels before 5.19 name neither the process nor its last thread. */
static struct tk_task_record old_thread(pid_t tid)
{
    struct tk_task_record record = busy_thread(tid, 0);
    record.version = 10;
    return record;
}

static void joins_threads_of_old_kernels_by_their_fork_events(void **state)
{
    (void)state;
    TK_CLEANUP(tk_exit_sums_release) struct tk_exit_sums sums;
    tk_exit_sums_init(&sums);
    struct tk_exit_total total;
    tk_exit_sums_add_thread(&sums, 21, 20);
    tk_exit_sums_add_thread(&sums, 22, 20);
    add(&sums, old_thread(20)); /* the main thread ends first */
    assert_false(tk_exit_sums_take(&sums, 20, 20, &total));
    add(&sums, old_thread(21));
    assert_false(tk_exit_sums_take(&sums, 20, 20, &total));
    struct tk_task_record message[2] = {old_thread(22), {.version = 10}};
    message[1].group = true;
    message[1].pid = 20;
    tk_exit_sums_add(&sums, message, 2, 1000);
    assert_true(tk_exit_sums_take(&sums, 20, 22, &total));
    assert_int_equal(total.threads, 3);

    add(&sums, old_thread(30));
    assert_true(tk_exit_sums_take(&sums, 30, 30, &total));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_the_threads_of_a_process_up_to_its_last),
        cmocka_unit_test(completes_cpu_time_by_what_the_life_of_the_thread_tells),
        cmocka_unit_test(counts_the_work_of_exiting_up_to_what_its_memory_explains),
        cmocka_unit_test(takes_the_sum_of_the_group_when_threads_ended_before_we_listened),
        cmocka_unit_test(keeps_processes_with_the_same_pid_apart),
        cmocka_unit_test(forgets_threads_of_a_process_whose_end_was_missed),
        cmocka_unit_test(hands_out_what_finished_before_a_time_oldest_first),
        cmocka_unit_test(joins_threads_of_old_kernels_by_their_fork_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
