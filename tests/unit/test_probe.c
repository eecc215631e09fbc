/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/probe.h"

#include "tk_root.h"

enum { COUNT_MAX = 64 };

static const struct tk_finding *find(const struct tk_finding *findings, const char *name)
{
    const struct tk_finding *finding = tk_probe_find(findings, name);
    assert_non_null(finding);
    return finding;
}

static void a_host_that_gives_nothing_is_told_what_is_missing(void **state)
{
    (void)state;
    struct tk_root root;
    struct tk_finding findings[COUNT_MAX];
    static const struct {
        const char *name;
        const char *detail;
        const char *missing;
    } cases[] = {
        {"pressure", "this kernel has no /proc/pressure", "Linux 4.20 or later with CONFIG_PSI"},
        {"other_io", "this kernel counts no I/O of processes",
         "a kernel with CONFIG_TASK_IO_ACCOUNTING"},
        {"energy", "no RAPL counters", "bare metal: virtual machines have none as a rule"},
        {"frequency", "no cpufreq", "a cpufreq driver; a virtual machine has none"},
        {"cgroups", "no control groups are mounted", "/sys/fs/cgroup mounted"},
        {"cpu_clocks", "CPU time comes from /proc/PID/stat, in ticks of 10 ms",
         "a Linux kernel whose pids are those of /proc"},
    };
    tk_root_init(&root, NULL);
    tk_root_write(&root, "proc/self/mountinfo", "");
    tk_root_write(&root, "proc/self/cgroup", "");
    tk_probe_read(&root.kernel, findings);
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        const struct tk_finding *finding = find(findings, cases[i].name);
        assert_int_equal(finding->state, TK_PROBE_NO);
        assert_string_equal(finding->detail, cases[i].detail);
        assert_string_equal(finding->missing, cases[i].missing);
    }
    tk_root_release(&root);
}

static void what_a_host_gives_is_described(void **state)
{
    (void)state;
    struct tk_root root;
    struct tk_finding findings[COUNT_MAX];
    static const char zone[] = "sys/devices/virtual/powercap/intel-rapl/intel-rapl:0";
    char path[128];
    tk_root_init(&root, "root-v2");
    tk_root_write(&root, "proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n");
    tk_root_write(&root, "proc/1/io", "rchar: 5\n");
    tk_root_write(&root, "proc/sys/kernel/task_delayacct", "1\n");
    tk_root_write(&root, "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq", "2000000\n");
    tk_root_write(&root, "run/.containerenv", "");
    (void)snprintf(path, sizeof(path), "%s/name", zone);
    tk_root_write(&root, path, "package-0\n");
    (void)snprintf(path, sizeof(path), "%s/energy_uj", zone);
    tk_root_write(&root, path, "5\n");
    tk_probe_read(&root.kernel, findings);
    assert_int_equal(find(findings, "pressure")->state, TK_PROBE_YES);
    assert_int_equal(find(findings, "other_io")->state, TK_PROBE_YES);
    assert_string_equal(find(findings, "io_delays")->detail, "delay accounting is on");
    assert_string_equal(find(findings, "frequency")->detail, "cpufreq, 1 domain");
    assert_string_equal(find(findings, "energy")->detail, "1 package");
    assert_string_equal(find(findings, "cgroups")->detail, "version 2, read by their files");
    assert_string_equal(find(findings, "surroundings")->detail,
                        "inside podman: its processes are seen, the host's are not");
    tk_root_release(&root);
}

static void the_rung_follows_from_the_findings(void **state)
{
    (void)state;
    static const struct {
        enum tk_probe_state events, records, leaf, clocks, walk;
        const char *rung;
        const char *next;
        enum tk_tier tier;
    } cases[] = {
        {TK_PROBE_YES, TK_PROBE_YES, TK_PROBE_YES, TK_PROBE_YES, TK_PROBE_YES, "A", NULL,
         TK_TIER_B2},
        {TK_PROBE_YES, TK_PROBE_YES, TK_PROBE_NO, TK_PROBE_YES, TK_PROBE_PARTLY, "A", NULL,
         TK_TIER_B1},
        {TK_PROBE_YES, TK_PROBE_NO, TK_PROBE_YES, TK_PROBE_YES, TK_PROBE_NO, "B", "A", TK_TIER_P},
        {TK_PROBE_NO, TK_PROBE_YES, TK_PROBE_PARTLY, TK_PROBE_NO, TK_PROBE_NO, "B", "A",
         TK_TIER_P0},
        {TK_PROBE_YES, TK_PROBE_NO, TK_PROBE_NO, TK_PROBE_YES, TK_PROBE_NO, "C", "B", TK_TIER_P},
        {TK_PROBE_NO, TK_PROBE_NO, TK_PROBE_NO, TK_PROBE_NO, TK_PROBE_NO, "C", "B", TK_TIER_P0},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_finding findings[COUNT_MAX] = {0};
        for (size_t k = 0; k < tk_capability_count; k++) {
            const char *name = tk_capabilities[k].name;
            findings[k].state = strcmp(name, "process_events") == 0 ? cases[i].events
                                : strcmp(name, "exit_records") == 0 ? cases[i].records
                                : strcmp(name, "cgroup_leaf") == 0  ? cases[i].leaf
                                : strcmp(name, "task_walk") == 0    ? cases[i].walk
                                                                    : cases[i].clocks;
        }
        struct tk_probe_verdict verdict = tk_probe_judge(findings);
        assert_string_equal(verdict.rung->name, cases[i].rung);
        assert_int_equal(verdict.tier, cases[i].tier);
        if (cases[i].next)
            assert_string_equal(verdict.next->name, cases[i].next);
        else
            assert_null(verdict.next);
    }
}

static void every_answer_of_this_machine_is_whole(void **state)
{
    (void)state;
    struct tk_kernel kernel;
    struct tk_err err;
    struct tk_finding findings[COUNT_MAX];
    assert_in_range(tk_capability_count, 1, COUNT_MAX);
    assert_int_equal(tk_kernel_open(&kernel, "/", &err), 0);
    tk_probe_read(&kernel, findings);
    for (size_t i = 0; i < tk_capability_count; i++) {
        assert_true(strlen(tk_capabilities[i].title) > 0 && strlen(tk_capabilities[i].gives) > 0);
        if (findings[i].state == TK_PROBE_YES)
            assert_string_equal(findings[i].missing, "");
        else
            assert_true(strlen(findings[i].detail) > 0);
    }
    assert_null(tk_probe_find(findings, "flux_capacitor"));
    tk_kernel_close(&kernel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_that_gives_nothing_is_told_what_is_missing),
        cmocka_unit_test(what_a_host_gives_is_described),
        cmocka_unit_test(the_rung_follows_from_the_findings),
        cmocka_unit_test(every_answer_of_this_machine_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
