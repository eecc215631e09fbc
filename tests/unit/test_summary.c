/* SPDX-License-Identifier: Apache-2.0 */
#include "run/summary.h"

#include <errno.h>
#include <math.h>

#include "base/clock.h"
#include "tk_folder.h"
#include "tk_test.h"

#define START_NS (1795252000 * TK_NS_PER_S)

/* The summary of a folder under tests/data/show. */
static struct tk_summary *summary_of(const char *folder)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/show/%s", TK_TEST_DATA, folder);
    struct tk_summary *summary = NULL;
    struct tk_err err = {.msg = ""};
    if (tk_summary_new(path, &(struct tk_summary_options){0}, &summary, &err) < 0)
        fail_msg("%s", err.msg);
    return summary;
}

static void a_recorded_command_has_its_exact_bill(void **state)
{
    (void)state;
    TK_CLEANUP(tk_summary_freep) struct tk_summary *summary = summary_of("compile");
    const struct tk_summary_command *command = &summary->command;
    assert_int_equal(summary->state, TK_STATE_STOPPED);
    assert_true(command->known && command->measured);
    assert_int_equal(command->argc, 2);
    assert_str_equal(command->argv[1], "-j2");
    assert_int_equal(command->exit_status, 0);
    assert_int_equal(command->end_ns - command->start_ns, 12030 * TK_NS_PER_MS);
    assert_int_equal(command->cpu_ns, 19396 * TK_NS_PER_MS);
    assert_str_equal(command->cpu_source, "taskstats");
    assert_int_equal(command->mem_peak_bytes, 402653184);
    assert_int_equal(command->processes, 101);
    assert_int_equal(command->run_delay_ns, 3168 * TK_NS_PER_MS);
}

static void the_processes_of_the_tree_add_up_to_the_bill(void **state)
{
    (void)state;
    TK_CLEANUP(tk_summary_freep) struct tk_summary *summary = summary_of("compile");
    assert_int_equal(summary->tree.cpu_ns, summary->command.cpu_ns);
    assert_int_equal(summary->tree.processes, 101);
    assert_string_equal(summary->tree.max_rss_comm, "ld");
    /* dockerd by its samples, run-parts by its exit, systemd and sshd by first and last sample */
    assert_int_equal(summary->others.processes, 4);
    assert_int_equal(summary->others.cpu_ns, (384 + 3 + 2 + 1) * TK_NS_PER_MS);
    assert_string_equal(summary->groups[0].comm, "cc1");
    assert_int_equal(summary->groups[0].processes, 24);
}

static void rates_become_totals_by_the_length_of_their_interval(void **state)
{
    (void)state;
    TK_CLEANUP(tk_summary_freep) struct tk_summary *summary = summary_of("compile");
    const struct tk_summary_host *host = &summary->host;
    assert_int_equal(host->covered_ns, 12 * TK_NS_PER_S);
    assert_near(host->busy, 0.8493, 1e-4);
    assert_near(host->full_share, 8.0 / 12, 1e-9);
    assert_int_equal(host->disk_rd_bytes, 8500000);
    assert_int_equal(host->disk_wr_bytes, 63300000);
    assert_str_equal(host->busiest_disk, "sda");
    assert_near(host->disk_busy, 0.505 / 12, 1e-9);
    assert_int_equal(host->net_rx_bytes, 96570);
    assert_int_equal(host->stall_ns[TK_STALL_CPU], 5791693000);
    assert_int_equal(host->stall_ns[TK_STALL_MEMORY_FULL], 0);
    assert_int_equal(host->forks, 480);
    assert_int_equal(host->mem_used_peak_bytes, 1080LL << 20);
    assert_near(host->link_Bps, 125e6, 0);
}

/* Rows of 100 ms; the disks were read with each, swap only with the last of ten. */
static void a_slower_source_holds_the_time_since_it_was_read_last(void **state)
{
    (void)state;
    TK_CLEANUP(tk_summary_freep) struct tk_summary *summary = summary_of("classes");
    assert_int_equal(summary->host.covered_ns, TK_NS_PER_S);
    assert_int_equal(summary->host.disk_wr_bytes, 1000000);
    assert_int_equal(summary->host.swap_out_bytes, 4096000);
}

static void a_killed_recorder_leaves_a_run_up_to_its_last_whole_row(void **state)
{
    (void)state;
    TK_CLEANUP(tk_summary_freep) struct tk_summary *summary = summary_of("killed");
    assert_int_equal(summary->state, TK_STATE_BROKEN);
    assert_true(summary->command.known);
    assert_false(summary->command.measured);
    assert_int_equal(summary->start_ns, START_NS);
    assert_int_equal(summary->end_ns / TK_NS_PER_MS, START_NS / TK_NS_PER_MS + 3003);
    assert_int_equal(summary->quality.torn_rows, 2);
    assert_int_equal(summary->quality.bad_rows, 0);
}

static void generation_1_is_read_without_what_it_lacks(void **state)
{
    (void)state;
    TK_CLEANUP(tk_summary_freep) struct tk_summary *summary = summary_of("cctf1");
    assert_int_equal(summary->state, TK_STATE_FOREIGN);
    assert_str_equal(summary->name, "cctf1");
    assert_str_equal(summary->node, "vm0");
    assert_int_equal(summary->host.cores, 4);
    assert_near(summary->host.busy, (5.01 + 71.2 + 99 + 98 + 40) / 500, 1e-9);
    assert_true(isnan(summary->host.iowait));
    assert_int_equal(summary->host.stall_ns[TK_STALL_CPU], -1);
    assert_int_equal(summary->host.disk_rd_bytes, -1);
    assert_true(summary->host.mem_used_is_not_free);
    assert_int_equal(summary->others.cpu_ns, (4 * 81 + 4 * 31) * 10 * TK_NS_PER_MS);
}

static void invocations_are_counted_with_their_quantiles(void **state)
{
    (void)state;
    TK_CLEANUP(tk_summary_freep) struct tk_summary *summary = summary_of("service");
    assert_int_equal(summary->invocations.count, 200);
    assert_int_equal(summary->invocations.failed, 4);
    assert_near((double)summary->invocations.median_ns, 12e6, 12e4);
    assert_near((double)summary->invocations.p99_ns, 480e6, 480e4);
    assert_int_equal(summary->invocations.max_ns, 480 * TK_NS_PER_MS);
}

static void a_container_is_the_group_nearest_to_the_root(void **state)
{
    (void)state;
    TK_CLEANUP(tk_summary_freep) struct tk_summary *summary = summary_of("service");
    assert_int_equal(summary->container_count, 2);
    const struct tk_summary_container *web = &summary->containers[0];
    assert_str_equal(web->name, "web-1");
    assert_str_equal(web->cgroup, "/docker/3f1b");
    assert_int_equal(web->cpu_ns, 1500 * TK_NS_PER_MS);
    assert_int_equal(web->mem_peak_bytes, 225LL << 20);
    assert_int_equal(web->rd_bytes, 5000000);
    assert_int_equal(web->throttled_ns, 450 * TK_NS_PER_MS);
    assert_str_equal(summary->containers[1].name, "redis");
}

static void raw_logs_are_read_where_nobody_imported_them(void **state)
{
    (void)state;
    TK_CLEANUP(tk_summary_freep) struct tk_summary *summary = summary_of("old(c0)");
    assert_int_equal(summary->host.cpu_rows, 6);
    assert_str_equal(summary->name, "old(c0)");
    assert_str_equal(summary->host_name, "cloud0");
    assert_int_equal(summary->host.net_rx_bytes, 6 * 5099);
    assert_int_equal(summary->end_ns / TK_NS_PER_S, 1758059315);
}

static void what_is_no_run_is_refused_by_name(void **state)
{
    (void)state;
    struct tk_summary *summary = NULL;
    struct tk_err err;
    assert_int_equal(tk_summary_new(TK_TEST_DATA, &(struct tk_summary_options){0}, &summary, &err),
                     -ENOENT);
    assert_string_equal(err.msg,
                        TK_TEST_DATA ": no run: neither run.json, node_meta.json nor a table");
    assert_int_equal(
        tk_summary_new(TK_TEST_DATA "/none", &(struct tk_summary_options){0}, &summary, &err),
        -ENOENT);
}

/* Peak of a command whose rusage has 4,700 KiB and whose only exit record has 1,600 KiB. */
static int64_t peak_when(int lost_exits)
{
    char folder[PATH_MAX];
    char run[256];
    folder_make(folder);
    (void)snprintf(run, sizeof(run),
                   "{\"start_ms\":1000,\"stop_ms\":2000,\"exit_source\":\"taskstats\","
                   "\"lost_exits\":%d,\"command\":[\"sh\"],\"exit_status\":0}",
                   lost_exits);
    folder_put(folder, "run.json", run);
    folder_put(folder, "events.sh.jsonl",
               "{\"method\":\"CLI\",\"path\":\"sh\",\"ts_start\":1100,\"ts_end\":1900,\"pid\":9,"
               "\"start_ticks\":5,\"cpu_ns\":1000,"
               "\"max_rss_kb\":4700,\"left_running\":0,\"exit_code\":0}\n");
    folder_put(folder, "proc_exit.jsonl",
               "{\"ts_ms\":1900,\"pid\":9,\"start_ticks\":5,\"comm\":\"sh\",\"cpu_ns\":1000,"
               "\"max_rss_kb\":1600,\"source\":\"taskstats\",\"in_tree\":true}\n");
    TK_CLEANUP(tk_summary_freep) struct tk_summary *summary = NULL;
    struct tk_err err = {.msg = ""};
    if (tk_summary_new(folder, &(struct tk_summary_options){0}, &summary, &err) < 0)
        fail_msg("%s", err.msg);
    folder_remove(folder);
    return summary->command.max_rss_bytes;
}

static void the_recorder_is_not_in_the_peak_of_what_it_ran(void **state)
{
    (void)state;
    assert_int_equal(peak_when(0), 1600 * 1024);
    assert_int_equal(peak_when(1), 4700 * 1024); /* the largest may be the one that was lost */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recorded_command_has_its_exact_bill),
        cmocka_unit_test(the_recorder_is_not_in_the_peak_of_what_it_ran),
        cmocka_unit_test(the_processes_of_the_tree_add_up_to_the_bill),
        cmocka_unit_test(rates_become_totals_by_the_length_of_their_interval),
        cmocka_unit_test(a_slower_source_holds_the_time_since_it_was_read_last),
        cmocka_unit_test(a_killed_recorder_leaves_a_run_up_to_its_last_whole_row),
        cmocka_unit_test(generation_1_is_read_without_what_it_lacks),
        cmocka_unit_test(invocations_are_counted_with_their_quantiles),
        cmocka_unit_test(a_container_is_the_group_nearest_to_the_root),
        cmocka_unit_test(raw_logs_are_read_where_nobody_imported_them),
        cmocka_unit_test(what_is_no_run_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
