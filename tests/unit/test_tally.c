/* SPDX-License-Identifier: Apache-2.0 */
#include "run/tally.h"

#include <string.h>

#include "base/clock.h"
#include "run/schemas.h"
#include "tk_test.h"

/* A run that begins 1,000 s after the boot. */
#define BOOT_NS  (1700000000 * TK_NS_PER_S)
#define START_NS (BOOT_NS + 1000 * TK_NS_PER_S)
#define MB       1000000

static const struct tk_tally_options options = {
    .start_ns = START_NS, .boot_ns = BOOT_NS, .clk_tck = 100, .root_pid = 50};

/* A row as a test gives it; 0 in the optional fields = absent. */
struct sample {
    int64_t at_s; /* since the start */
    int64_t pid, start_ticks, ppid;
    const char *comm;
    int64_t cpu_ms, rss_kb, rd_bytes, run_delay_ms;
};

struct end {
    int64_t at_s;
    int64_t pid, start_ticks, ppid;
    const char *comm;
    int64_t cpu_ms, max_rss_kb;
    bool in_tree;
    const char *source;
    int64_t rd_bytes;
    int64_t run_delay_ms;
};

static void set_if(struct tk_batch *batch, size_t column, int64_t value)
{
    if (value)
        tk_batch_set_i64(batch, column, value);
}

static void add_sample(struct tk_tally *tally, const struct sample *sample)
{
    struct tk_err err;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    assert_int_equal(tk_batch_new(&tk_schema_proc_metrics, 1, 256, &batch, &err), 0);
    tk_batch_begin(batch);
    tk_batch_set_i64(batch, TK_PROC_METRICS_TS_US,
                     START_NS / TK_NS_PER_US + sample->at_s * 1000000);
    tk_batch_set_i64(batch, TK_PROC_METRICS_PID, sample->pid);
    set_if(batch, TK_PROC_METRICS_START_TICKS, sample->start_ticks);
    set_if(batch, TK_PROC_METRICS_PPID, sample->ppid);
    set_if(batch, TK_PROC_METRICS_RSS_KB, sample->rss_kb);
    set_if(batch, TK_PROC_METRICS_RD_BYTES, sample->rd_bytes);
    set_if(batch, TK_PROC_METRICS_RUN_DELAY_US, sample->run_delay_ms * 1000);
    tk_batch_set_i64(batch, TK_PROC_METRICS_CPU_NS, sample->cpu_ms * TK_NS_PER_MS);
    if (sample->comm)
        tk_batch_set_text(batch, TK_PROC_METRICS_COMM, tk_str_from(sample->comm));
    assert_int_equal(tk_tally_add_sample(tally, batch, 0), 0);
}

static void add_exit(struct tk_tally *tally, const struct end *end)
{
    struct tk_err err;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    assert_int_equal(tk_batch_new(&tk_schema_proc_exit, 1, 256, &batch, &err), 0);
    tk_batch_begin(batch);
    tk_batch_set_i64(batch, TK_PROC_EXIT_TS_US, START_NS / TK_NS_PER_US + end->at_s * 1000000);
    tk_batch_set_i64(batch, TK_PROC_EXIT_PID, end->pid);
    set_if(batch, TK_PROC_EXIT_START_TICKS, end->start_ticks);
    set_if(batch, TK_PROC_EXIT_PPID, end->ppid);
    set_if(batch, TK_PROC_EXIT_MAX_RSS_KB, end->max_rss_kb);
    set_if(batch, TK_PROC_EXIT_RUN_DELAY_US, end->run_delay_ms * 1000);
    tk_batch_set_i64(batch, TK_PROC_EXIT_CPU_NS, end->cpu_ms * TK_NS_PER_MS);
    tk_batch_set_text(batch, TK_PROC_EXIT_COMM, tk_str_from(end->comm));
    tk_batch_set_bool(batch, TK_PROC_EXIT_IN_TREE, end->in_tree);
    if (end->source) {
        tk_batch_set_text(batch, TK_PROC_EXIT_SOURCE, tk_str_from(end->source));
        tk_batch_set_i64(batch, TK_PROC_EXIT_RD_BYTES, end->rd_bytes);
    }
    assert_int_equal(tk_tally_add_exit(tally, batch, 0), 0);
}

static int tally_init(void **state)
{
    struct tk_err err;
    struct tk_tally *tally;
    int rc = tk_tally_new(&options, &tally, &err);
    *state = tally;
    return rc;
}

static int tally_release(void **state)
{
    tk_tally_free(*state);
    return 0;
}

static const struct tk_tally_group *group_named(const struct tk_tally *tally, const char *comm)
{
    static const struct tk_tally_group none; /* never returned: gcc does not know fail_msg() */
    const struct tk_tally_group *groups;
    size_t count = tk_tally_read_groups(tally, &groups);
    for (size_t i = 0; i < count; i++)
        if (strcmp(groups[i].comm, comm) == 0)
            return &groups[i];
    fail_msg("no group is named %s", comm);
    return &none;
}

static void what_was_used_before_the_run_does_not_count(void **state)
{
    struct tk_tally *tally = *state;
    add_sample(tally, &(struct sample){0, 7, 500, 1, "old", 9000, 1000, 100 * MB});
    add_sample(tally, &(struct sample){5, 7, 500, 1, "old", 9250, 3000, 101 * MB});
    add_sample(tally, &(struct sample){6, 7, 500, 1, "old", 9400, 2000, 103 * MB});
    assert_int_equal(tk_tally_finish(tally), 0);
    const struct tk_tally_group *group = group_named(tally, "old");
    assert_int_equal(group->processes, 1);
    assert_int_equal(group->cpu_ns, 400 * TK_NS_PER_MS);
    assert_int_equal(group->rd_bytes, 3 * MB);
    assert_int_equal(group->wr_bytes, -1);
    assert_int_equal(group->max_rss_bytes, 3000 * 1024);
}

static void a_process_born_in_the_run_counts_from_its_birth(void **state)
{
    struct tk_tally *tally = *state;
    add_sample(tally, &(struct sample){3, 60, 100250, 1, "new", 150, 1000, 0});
    add_sample(tally, &(struct sample){4, 60, 100250, 1, "new", 180, 1000, 0});
    assert_int_equal(tk_tally_finish(tally), 0);
    assert_int_equal(group_named(tally, "new")->cpu_ns, 180 * TK_NS_PER_MS);
}

static void an_exit_record_replaces_what_was_sampled(void **state)
{
    struct tk_tally *tally = *state;
    add_sample(tally, &(struct sample){1, 60, 100100, 1, "sh", 10, 1000, 0});
    add_exit(tally, &(struct end){2, 60, 100100, 1, "cc1", 840, 52000, false});
    assert_int_equal(tk_tally_finish(tally), 0);
    const struct tk_tally_group *groups;
    assert_int_equal(tk_tally_read_groups(tally, &groups), 1);
    assert_string_equal(groups[0].comm, "cc1");
    assert_int_equal(groups[0].cpu_ns, 840 * TK_NS_PER_MS);
    assert_int_equal(groups[0].max_rss_bytes, 52000 * 1024);
}

static void an_old_process_that_exits_counts_what_it_used_since_the_start(void **state)
{
    struct tk_tally *tally = *state;
    add_sample(tally, &(struct sample){0, 7, 500, 1, "old", 9000, 1000, 0});
    add_exit(tally, &(struct end){9, 7, 500, 1, "old", 9100, 1000, false});
    assert_int_equal(tk_tally_finish(tally), 0);
    assert_int_equal(group_named(tally, "old")->cpu_ns, 100 * TK_NS_PER_MS);
}

static void a_late_sample_does_not_bring_a_process_back(void **state)
{
    struct tk_tally *tally = *state;
    add_exit(tally, &(struct end){2, 60, 100100, 1, "cc1", 840, 1, false});
    add_sample(tally, &(struct sample){2, 60, 100100, 1, "cc1", 800, 1000, 0});
    assert_int_equal(tk_tally_finish(tally), 0);
    const struct tk_tally_group *group = group_named(tally, "cc1");
    assert_int_equal(group->processes, 1);
    assert_int_equal(group->cpu_ns, 840 * TK_NS_PER_MS);
}

/* make (old) runs sh, which runs cc1: /proc/PID/io of each has what was waited for below it. */
static void io_of_children_that_were_waited_for_counts_once(void **state)
{
    struct tk_tally *tally = *state;
    add_sample(tally, &(struct sample){0, 7, 500, 1, "make", 10, 1000, 100 * MB});
    add_sample(tally, &(struct sample){1, 60, 100050, 7, "sh", 1, 1000, 1 * MB});
    add_exit(tally, &(struct end){2, 61, 100060, 60, "cc1", 9, 9000, false, "taskstats", 50 * MB});
    add_sample(tally, &(struct sample){3, 60, 100050, 7, "sh", 2, 1000, 51 * MB});
    add_exit(tally, &(struct end){4, 60, 100050, 7, "sh", 2, 1000, false, "taskstats", 2 * MB});
    add_sample(tally, &(struct sample){5, 7, 500, 1, "make", 11, 1000, 155 * MB});
    assert_int_equal(tk_tally_finish(tally), 0);
    assert_int_equal(group_named(tally, "cc1")->rd_bytes, 50 * MB);
    assert_int_equal(group_named(tally, "sh")->rd_bytes, 2 * MB);
    assert_int_equal(group_named(tally, "make")->rd_bytes, 3 * MB);
}

static void io_of_children_counts_once_without_exit_records_too(void **state)
{
    struct tk_tally *tally = *state;
    add_sample(tally, &(struct sample){1, 60, 100050, 7, "sh", 1, 1000, 1 * MB});
    add_exit(tally, &(struct end){2, 61, 100060, 60, "cc1", 9, 9000, false, "clock", 50 * MB});
    add_exit(tally, &(struct end){4, 60, 100050, 7, "sh", 2, 1000, false, "clock", 52 * MB});
    assert_int_equal(tk_tally_finish(tally), 0);
    assert_int_equal(group_named(tally, "cc1")->rd_bytes, 50 * MB);
    assert_int_equal(group_named(tally, "sh")->rd_bytes, 2 * MB);
}

static void a_recycled_pid_is_another_process(void **state)
{
    struct tk_tally *tally = *state;
    add_exit(tally, &(struct end){2, 60, 100100, 1, "cc1", 300, 1, false});
    add_exit(tally, &(struct end){3, 60, 100200, 1, "cc1", 500, 1, false});
    assert_int_equal(tk_tally_finish(tally), 0);
    const struct tk_tally_group *group = group_named(tally, "cc1");
    assert_int_equal(group->processes, 2);
    assert_int_equal(group->cpu_ns, 800 * TK_NS_PER_MS);
}

static void without_start_ticks_a_falling_counter_is_another_process(void **state)
{
    struct tk_tally *tally = *state;
    add_sample(tally, &(struct sample){1, 60, 0, 0, "w", 1000, 1, 0});
    add_sample(tally, &(struct sample){2, 60, 0, 0, "w", 1500, 1, 0});
    add_sample(tally, &(struct sample){3, 60, 0, 0, "w", 200, 1, 0});
    add_sample(tally, &(struct sample){4, 60, 0, 0, "w", 300, 1, 0});
    assert_int_equal(tk_tally_finish(tally), 0);
    const struct tk_tally_group *group = group_named(tally, "w");
    assert_int_equal(group->processes, 2);
    assert_int_equal(group->cpu_ns, 800 * TK_NS_PER_MS);
}

static void a_process_without_a_name_goes_by_its_pid(void **state)
{
    struct tk_tally *tally = *state;
    add_sample(tally, &(struct sample){1, 4711, 0, 0, NULL, 1000, 1, 0});
    add_sample(tally, &(struct sample){2, 4711, 0, 0, NULL, 1500, 1, 0});
    assert_int_equal(tk_tally_finish(tally), 0);
    assert_int_equal(group_named(tally, "pid 4711")->cpu_ns, 500 * TK_NS_PER_MS);
}

static void the_tree_follows_parents_and_exit_records(void **state)
{
    struct tk_tally *tally = *state;
    add_sample(tally, &(struct sample){1, 50, 100010, 40, "make", 10, 1, 0});
    add_sample(tally, &(struct sample){1, 51, 100020, 50, "sh", 20, 1, 0});
    add_sample(tally, &(struct sample){1, 52, 100020, 41, "cron", 40, 1, 0});
    add_exit(tally, &(struct end){2, 53, 100030, 1, "cc1", 100, 7000, true});
    assert_int_equal(tk_tally_finish(tally), 0);
    struct tk_tally_totals tree;
    struct tk_tally_totals others;
    tk_tally_read_totals(tally, true, &tree);
    tk_tally_read_totals(tally, false, &others);
    assert_int_equal(tree.processes, 3);
    assert_int_equal(tree.cpu_ns, 130 * TK_NS_PER_MS);
    assert_string_equal(tree.max_rss_comm, "cc1");
    assert_int_equal(others.processes, 1);
    assert_int_equal(others.cpu_ns, 40 * TK_NS_PER_MS);
}

static void a_process_that_is_its_own_parent_is_in_no_tree(void **state)
{
    struct tk_tally *tally = *state;
    add_sample(tally, &(struct sample){1, 60, 100010, 60, "odd", 10, 1, 0});
    assert_int_equal(tk_tally_finish(tally), 0);
    assert_false(group_named(tally, "odd")->in_tree);
}

static void waiting_for_a_core_adds_up_over_samples_and_exits(void **state)
{
    struct tk_tally *tally = *state;
    struct tk_tally_totals totals;
    add_sample(tally, &(struct sample){0, 7, 500, 1, "old", 9000, 1, 0, 700});
    add_sample(tally, &(struct sample){9, 7, 500, 1, "old", 9000, 1, 0, 750});
    add_sample(tally, &(struct sample){1, 60, 100100, 1, "new", 10, 1, 0, 20});
    add_exit(tally, &(struct end){2, 60, 100100, 1, "new", 10, 1, .run_delay_ms = 30});
    add_exit(tally, &(struct end){2, 61, 100100, 1, "unknown", 10, 1});
    assert_int_equal(tk_tally_finish(tally), 0);
    tk_tally_read_totals(tally, false, &totals);
    assert_int_equal(totals.run_delay_ns, 80 * TK_NS_PER_MS);
    tk_tally_read_totals(tally, true, &totals);
    assert_int_equal(totals.run_delay_ns, -1);
}

static void groups_come_by_cpu_then_name(void **state)
{
    struct tk_tally *tally = *state;
    add_exit(tally, &(struct end){1, 61, 100100, 1, "as", 50, 1, true});
    add_exit(tally, &(struct end){1, 62, 100100, 1, "cc1", 500, 1, true});
    add_exit(tally, &(struct end){1, 63, 100100, 1, "ar", 50, 1, true});
    assert_int_equal(tk_tally_finish(tally), 0);
    const struct tk_tally_group *groups;
    assert_int_equal(tk_tally_read_groups(tally, &groups), 3);
    assert_string_equal(groups[0].comm, "cc1");
    assert_string_equal(groups[1].comm, "ar");
    assert_string_equal(groups[2].comm, "as");
}

/* A storm of short processes leaves marks of the last 10 s only. */
static void records_of_the_dead_are_used_again(void **state)
{
    struct tk_tally *tally = *state;
    for (int64_t i = 0; i < 100000; i++)
        add_exit(tally, &(struct end){i / 100, 100 + i, 100000 + i, 1, "true", 1, 1, false});
    assert_int_equal(tk_tally_finish(tally), 0);
    const struct tk_tally_group *group = group_named(tally, "true");
    assert_int_equal(group->processes, 100000);
    assert_int_equal(group->cpu_ns, 100000 * TK_NS_PER_MS);
}

static void names_beyond_the_limit_share_one_group(void **state)
{
    struct tk_tally *tally = *state;
    char comm[16];
    for (int64_t i = 0; i < 6000; i++) {
        (void)snprintf(comm, sizeof(comm), "p%d", (int)i);
        add_exit(tally, &(struct end){1, 100 + i, 100000, 1, comm, 1, 1, false});
    }
    assert_int_equal(tk_tally_finish(tally), 0);
    const struct tk_tally_group *groups;
    assert_int_equal(tk_tally_read_groups(tally, &groups), 4097);
    assert_int_equal(group_named(tally, "(others)")->processes, 6000 - 4096);
}

/* A part of a run: 50 used 1 s before it and 2 s in it, 60 ended before, 70 sleeps. */
static void after_a_restart_only_what_follows_counts(void **state)
{
    struct tk_tally *tally = *state;
    add_sample(tally, &(struct sample){1, 50, 100001, 1, "make", 1000, 900});
    add_sample(tally, &(struct sample){1, 70, 100002, 50, "cc", 500, 300});
    add_exit(tally, &(struct end){2, 60, 100003, 50, "as", 700, 200, true, "bpf"});
    add_sample(tally, &(struct sample){3, 50, 100001, 1, "make", 1500, 100});
    tk_tally_restart(tally);
    add_sample(tally, &(struct sample){4, 50, 100001, 1, "make", 3500, 400});
    assert_int_equal(tk_tally_finish(tally), 0);

    struct tk_tally_totals tree;
    tk_tally_read_totals(tally, true, &tree);
    assert_int_equal(tree.processes, 2);
    assert_int_equal(tree.cpu_ns, 2000 * TK_NS_PER_MS);
    assert_int_equal(group_named(tally, "make")->max_rss_bytes, 400 * 1024);
    assert_int_equal(group_named(tally, "cc")->cpu_ns, 0);
    assert_int_equal(group_named(tally, "cc")->max_rss_bytes, 300 * 1024);
    const struct tk_tally_group *groups;
    assert_int_equal(tk_tally_read_groups(tally, &groups), 2);
}

#define TALLY_TEST(f) cmocka_unit_test_setup_teardown(f, tally_init, tally_release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TALLY_TEST(what_was_used_before_the_run_does_not_count),
        TALLY_TEST(a_process_born_in_the_run_counts_from_its_birth),
        TALLY_TEST(an_exit_record_replaces_what_was_sampled),
        TALLY_TEST(an_old_process_that_exits_counts_what_it_used_since_the_start),
        TALLY_TEST(a_late_sample_does_not_bring_a_process_back),
        TALLY_TEST(io_of_children_that_were_waited_for_counts_once),
        TALLY_TEST(io_of_children_counts_once_without_exit_records_too),
        TALLY_TEST(a_recycled_pid_is_another_process),
        TALLY_TEST(without_start_ticks_a_falling_counter_is_another_process),
        TALLY_TEST(a_process_without_a_name_goes_by_its_pid),
        TALLY_TEST(the_tree_follows_parents_and_exit_records),
        TALLY_TEST(a_process_that_is_its_own_parent_is_in_no_tree),
        TALLY_TEST(waiting_for_a_core_adds_up_over_samples_and_exits),
        TALLY_TEST(groups_come_by_cpu_then_name),
        TALLY_TEST(records_of_the_dead_are_used_again),
        TALLY_TEST(names_beyond_the_limit_share_one_group),
        TALLY_TEST(after_a_restart_only_what_follows_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
