/* SPDX-License-Identifier: Apache-2.0 */
#include "run/causes.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "run/summary_internal.h"
#include "tk_test.h"

#define S TK_NS_PER_S

/* A command of 100 s on two cores that kept `cpu_s` seconds of CPU busy. */
static struct tk_summary command_run(double cpu_s)
{
    struct tk_summary summary;
    tk_summary_init(&summary);
    summary.command.measured = true;
    summary.command.end_ns = 100 * S;
    summary.command.cpu_ns = (int64_t)(cpu_s * 1e9);
    summary.end_ns = 100 * S;
    summary.host.cores = 2;
    summary.host.covered_ns = 100 * S;
    summary.host.stall_covered_ns = 100 * S;
    for (int i = 0; i < TK_STALL_COUNT; i++)
        summary.host.stall_ns[i] = 0;
    summary.host.busy = cpu_s / 200;
    summary.host.iowait = 0;
    summary.host.steal = 0;
    return summary;
}

/* The cause that stands first. */
static void check_first(const struct tk_summary *summary, const char *name, const char *text)
{
    struct tk_cause causes[TK_CAUSES_MAX];
    size_t count = tk_causes_find(summary, causes);
    assert_true(count >= 1);
    assert_string_equal(causes[0].text, text);
    assert_string_equal(causes[0].name, name);
}

static void full_cores_are_named_with_the_time_that_tasks_waited_for_them(void **state)
{
    (void)state;
    struct tk_summary summary = command_run(186);
    summary.command.run_delay_ns = 41 * S;
    check_first(
        &summary, "cpu",
        "CPU: both cores were busy 93 % of the time; its tasks were ready to run but waited "
        "for a core, 41.00 s in all.");
    summary.command.run_delay_ns = -1;
    summary.host.stall_ns[TK_STALL_CPU] = 62 * S;
    check_first(&summary, "cpu",
                "CPU: both cores were busy 93 % of the time; 62 % of the time some task was ready "
                "to run but waited for a core.");
    summary.host.cores = 1;
    summary.host.stall_ns[TK_STALL_CPU] = 0;
    check_first(&summary, "cpu", "CPU: the only core was busy 100 % of the time.");
}

static void cores_that_are_full_in_phases_are_told_by_their_time(void **state)
{
    (void)state;
    struct tk_summary summary = command_run(120);
    summary.host.full_share = 0.55;
    check_first(&summary, "cpu", "CPU: both cores were busy to 90 % or more for 55 % of the time.");
}

static void a_quota_counts_as_the_cores_that_there_are(void **state)
{
    (void)state;
    struct tk_summary summary = command_run(95);
    summary.host.cores = 64;
    summary.host.cpu_limit_cores = 1;
    summary.host.busy = 0.02;
    check_first(&summary, "cpu",
                "CPU: the 1 core that its quota allows was busy 95 % of the time.");
}

static void work_on_one_core_of_several_is_called_serial(void **state)
{
    (void)state;
    struct tk_summary summary = command_run(98);
    check_first(&summary, "one_core",
                "One core: the work ran one task at a time (0.98 of 2 cores on average). A faster "
                "core or more parallel work would shorten it, more cores would not.");
    summary = command_run(130);
    check_first(&summary, "nothing", "Nothing for long: it kept 1.30 of 2 cores busy on average.");
}

static void disk_waits_come_with_the_disk_that_was_busy(void **state)
{
    (void)state;
    struct tk_summary summary = command_run(20);
    summary.host.stall_ns[TK_STALL_IO] = 30 * S;
    summary.host.busiest_disk = TK_STR("sda");
    summary.host.disk_busy = 0.85;
    summary.host.disk_await_ms = 4.2;
    check_first(&summary, "disk",
                "Disk: some task waited for I/O for 30.00 s (30 % of the time); sda was busy 85 % "
                "of the time, 4.2 ms a request.");
    summary.host.stall_ns[TK_STALL_IO] = 9 * S;
    summary.command.cpu_ns = 40 * S;
    check_first(&summary, "nothing",
                "Nothing for long: it kept 0.40 of 2 cores busy on average; some task waited for "
                "I/O 9.0 % of the time.");
}

static void without_psi_idle_cores_with_io_outstanding_are_the_evidence(void **state)
{
    (void)state;
    struct tk_summary summary = command_run(20);
    summary.host.stall_ns[TK_STALL_IO] = -1;
    summary.host.iowait = 0.4;
    check_first(&summary, "disk",
                "Disk: the cores sat idle for 40 % of their time while I/O was outstanding.");
}

static void memory_stalls_show_the_swap_traffic(void **state)
{
    (void)state;
    struct tk_summary summary = command_run(100);
    summary.host.busy = 0.6;
    summary.command.cpu_ns = 120 * S;
    summary.host.stall_ns[TK_STALL_MEMORY] = 8 * S;
    check_first(&summary, "memory",
                "Memory: some task waited for memory for 8.00 s (8.0 % of the time).");
    summary.host.swap_in_bytes = 120LL << 20;
    summary.host.swap_out_bytes = 300LL << 20;
    check_first(&summary, "memory",
                "Memory: some task waited for memory for 8.00 s (8.0 % of the time); 120 MiB were "
                "read from swap and 300 MiB written to it.");
    summary.host.stall_ns[TK_STALL_MEMORY] = -1;
    check_first(&summary, "swap",
                "Memory: the machine was short of it; 120 MiB were read from swap and 300 MiB "
                "written to it.");
}

static void an_out_of_memory_kill_comes_before_everything(void **state)
{
    (void)state;
    struct tk_summary summary = command_run(199);
    summary.host.oom_kills = 1;
    check_first(&summary, "out_of_memory", "Memory ran out: the kernel killed 1 process.");
    summary.host.oom_kills = 3;
    check_first(&summary, "out_of_memory", "Memory ran out: the kernel killed 3 processes.");
}

static void throttling_names_the_limit(void **state)
{
    (void)state;
    struct tk_summary summary = command_run(50);
    summary.host.throttled_ns = 2 * S;
    summary.command.throttled_ns = 45 * S;
    check_first(&summary, "cpu_quota",
                "CPU quota: held back for 45 % of the time by the limit of its control group.");
    summary.host.cpu_limit_cores = 0.5;
    summary.command.cpu_ns = 30 * S;
    check_first(&summary, "cpu_quota",
                "CPU quota: held back for 45 % of the time by the limit of its control group (0.5 "
                "cores).");
}

static void steal_is_told_as_the_hypervisors_doing(void **state)
{
    (void)state;
    struct tk_summary summary = command_run(60);
    summary.host.steal = 0.12;
    check_first(&summary, "steal",
                "Hypervisor: it gave 12 % of the CPU time to other guests (steal).");
}

static void competitors_are_named_when_the_cores_are_full(void **state)
{
    (void)state;
    struct tk_summary summary = command_run(150);
    const struct tk_tally_group groups[] = {
        {.comm = "cc1", .in_tree = true, .cpu_ns = 150 * S},
        {.comm = "dockerd", .cpu_ns = 38 * S},
    };
    summary.groups = groups;
    summary.group_count = 2;
    summary.host.busy = 0.95;
    summary.others.cpu_ns = 40 * S;
    struct tk_cause causes[TK_CAUSES_MAX];
    assert_int_equal(tk_causes_find(&summary, causes), 2);
    assert_string_equal(causes[0].name, "cpu");
    assert_string_equal(causes[1].text,
                        "Competition: processes outside of the command used 40.00 s of CPU "
                        "meanwhile, most of it dockerd (38.00 s).");
    summary.host.busy = 0.5;
    assert_int_equal(tk_causes_find(&summary, causes), 1);
    assert_string_equal(causes[0].name, "nothing");
}

static void a_full_link_is_found_by_its_speed(void **state)
{
    (void)state;
    struct tk_summary summary = command_run(20);
    summary.host.iface = TK_STR("eth0");
    summary.host.link_Bps = 125e6;
    summary.host.net_tx_bytes = 10;
    summary.host.net_rx_bytes = 100LL * 110000000;
    check_first(&summary, "network", "Network: eth0 carried 88 % of its 119 MiB/s.");
}

static void a_sleeper_is_told_from_one_that_waits_for_the_machine(void **state)
{
    (void)state;
    struct tk_summary summary = command_run(0.12);
    check_first(&summary, "idle",
                "Mostly idle: it used 120 ms of CPU in 1 min 40 s. No core, disk or memory held it "
                "up, so it slept or waited for something outside: a timer, a network peer, a lock, "
                "input.");
}

static void full_cores_are_no_matter_to_a_command_that_wants_none(void **state)
{
    (void)state;
    struct tk_summary summary = command_run(0.12);
    summary.host.busy = 1;
    summary.host.full_share = 1;
    summary.others.cpu_ns = 199 * S;
    summary.command.run_delay_ns = S;
    check_first(&summary, "idle",
                "Mostly idle: it used 120 ms of CPU in 1 min 40 s. No core, disk or memory held it "
                "up, so it slept or waited for something outside: a timer, a network peer, a lock, "
                "input.");
    summary.command.run_delay_ns = 60 * S;
    check_first(&summary, "cpu",
                "CPU: both cores were busy 100 % of the time; its tasks were ready to run but "
                "waited for a core, 60.00 s in all.");
}

static void a_very_short_command_is_not_judged(void **state)
{
    (void)state;
    struct tk_summary summary = command_run(0.0014);
    summary.command.end_ns = 23 * TK_NS_PER_MS;
    summary.command.run_delay_ns = 20 * TK_NS_PER_MS;
    summary.host.busy = 1;
    check_first(&summary, "too_short",
                "Nothing: it was too short, 23.0 ms, for anything to hold it up.");
}

static void a_machine_without_a_command_is_judged_as_a_whole(void **state)
{
    (void)state;
    struct tk_summary summary = command_run(0);
    summary.command.measured = false;
    summary.host.busy = 0.03;
    check_first(&summary, "idle",
                "Nothing: the machine was mostly idle, its cores were busy 3.0 % of the time.");
    summary.host.busy = 0.51;
    check_first(&summary, "nothing", "Nothing for long: the cores were busy 51 % of the time.");
    summary.host.busy = 0.9;
    check_first(&summary, "cpu", "CPU: both cores were busy 90 % of the time.");
}

static void nothing_is_claimed_without_readings(void **state)
{
    (void)state;
    struct tk_summary summary;
    tk_summary_init(&summary);
    check_first(&summary, "not_known", "Not known: the run has no readings of the CPU.");
}

static void several_causes_come_by_their_share(void **state)
{
    (void)state;
    struct tk_summary summary = command_run(180);
    summary.host.stall_ns[TK_STALL_IO] = 20 * S;
    summary.host.stall_ns[TK_STALL_MEMORY] = 30 * S;
    struct tk_cause causes[TK_CAUSES_MAX];
    assert_int_equal(tk_causes_find(&summary, causes), 3);
    assert_string_equal(causes[0].name, "cpu");
    assert_string_equal(causes[1].name, "memory");
    assert_string_equal(causes[2].name, "disk");
    assert_near(causes[2].share, 0.2, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_cores_are_named_with_the_time_that_tasks_waited_for_them),
        cmocka_unit_test(cores_that_are_full_in_phases_are_told_by_their_time),
        cmocka_unit_test(a_quota_counts_as_the_cores_that_there_are),
        cmocka_unit_test(work_on_one_core_of_several_is_called_serial),
        cmocka_unit_test(disk_waits_come_with_the_disk_that_was_busy),
        cmocka_unit_test(without_psi_idle_cores_with_io_outstanding_are_the_evidence),
        cmocka_unit_test(memory_stalls_show_the_swap_traffic),
        cmocka_unit_test(an_out_of_memory_kill_comes_before_everything),
        cmocka_unit_test(throttling_names_the_limit),
        cmocka_unit_test(steal_is_told_as_the_hypervisors_doing),
        cmocka_unit_test(competitors_are_named_when_the_cores_are_full),
        cmocka_unit_test(a_full_link_is_found_by_its_speed),
        cmocka_unit_test(a_sleeper_is_told_from_one_that_waits_for_the_machine),
        cmocka_unit_test(full_cores_are_no_matter_to_a_command_that_wants_none),
        cmocka_unit_test(a_very_short_command_is_not_judged),
        cmocka_unit_test(a_machine_without_a_command_is_judged_as_a_whole),
        cmocka_unit_test(nothing_is_claimed_without_readings),
        cmocka_unit_test(several_causes_come_by_their_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
