/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/node.h"

#include <net/if.h>

#include "collect/node_internal.h"
#include "tk_root.h"

static void check_golden(const char *name, const char *golden, int64_t freq_mhz)
{
    struct tk_root root;
    struct tk_err err;
    tk_root_init(&root, name);
    const struct tk_node_options options = {
        .run_id = "r1", .node = "n1", .stage = "edge", .iface = "eno1", .cpu_freq_mhz = freq_mhz};
    struct tk_batch *rows;
    assert_int_equal(tk_batch_new(&tk_schema_node_meta, 1, 65536, &rows, &err), 0);
    if (tk_node_read(&root.kernel, &options, rows, &err) < 0)
        print_error("%s\n", err.msg);
    assert_int_equal(tk_root_take(&root, TK_TABLE_NODE_META, rows, &err), 0);
    tk_batch_reset(rows);
    tk_batch_free(rows);
    assert_int_equal(tk_batch_new(&tk_schema_link_meta, 1, 65536, &rows, &err), 0);
    assert_int_equal(tk_link_read(&root.kernel, "eno1", "127.0.0.1", rows, &err), 0);
    assert_int_equal(tk_root_take(&root, TK_TABLE_LINK_META, rows, &err), 0);
    tk_batch_free(rows);
    tk_root_assert_golden(&root, golden);
    tk_root_release(&root);
}

static void a_host_of_version_2_makes_the_golden_facts(void **state)
{
    (void)state;
    check_golden("root-v2", "root-v2/node.jsonl", 0);
}

static void a_virtual_machine_makes_the_golden_facts(void **state)
{
    (void)state;
    check_golden("root-vm", "root-vm/node.jsonl", 2500);
}

static void a_missing_meminfo_is_named(void **state)
{
    (void)state;
    struct tk_root root;
    struct tk_err err;
    struct tk_batch *rows;
    const struct tk_node_options options = {.run_id = "r1", .stage = "edge", .iface = "eth0"};
    tk_root_init(&root, NULL);
    assert_int_equal(tk_batch_new(&tk_schema_node_meta, 1, 65536, &rows, &err), 0);
    assert_int_equal(tk_node_read(&root.kernel, &options, rows, &err), -ENOENT);
    assert_string_equal(err.msg, "proc: meminfo: No such file or directory");
    assert_int_equal(rows->rows, 0);
    tk_root_write(&root, "proc/meminfo", "MemTotal: none\n");
    assert_int_equal(tk_node_read(&root.kernel, &options, rows, &err), -EBADMSG);
    assert_string_equal(err.msg, "proc/meminfo: expected a line \"MemTotal: NUMBER kB\"");
    tk_batch_free(rows);
    tk_root_release(&root);
}

static void the_running_machine_tells_its_facts(void **state)
{
    (void)state;
    struct tk_kernel kernel;
    struct tk_err err;
    struct tk_batch *row;
    char host[TK_NODE_NAME_MAX];
    char own[TK_NODE_NAME_MAX] = "";
    assert_int_equal(tk_kernel_open(&kernel, "/", &err), 0);
    const struct tk_node_options options = {.run_id = "r1", .stage = "edge"};
    assert_int_equal(tk_batch_new(&tk_schema_node_meta, 1, 65536, &row, &err), 0);
    assert_int_equal(tk_node_read(&kernel, &options, row, &err), 0);
    assert_in_range(tk_batch_i64(row, 0, TK_NODE_META_CPU_CORES, -1), 1, 8192);
    assert_int_equal(tk_batch_i64(row, 0, TK_NODE_META_MEM_MB, -1),
                     tk_batch_i64(row, 0, TK_NODE_META_MEM_BYTES, -1) >> 20);
    assert_in_range(tk_batch_i64(row, 0, TK_NODE_META_CPU_FREQ_MHZ, -1), 100, 10000);
    gethostname(own, sizeof(own) - 1);
    tk_node_host_name(&kernel, host);
    assert_string_equal(host, own);
    assert_str_equal(tk_batch_text(row, 0, TK_NODE_META_NODE), own);
    assert_true(tk_batch_text(row, 0, TK_NODE_META_KERNEL).n > 0);
    assert_true(tk_batch_text(row, 0, TK_NODE_META_ARCH).n > 0);
    assert_true(tk_batch_text(row, 0, TK_NODE_META_IFACE).n > 0);
    tk_batch_free(row);
    tk_kernel_close(&kernel);
}

static void frequencies_are_read_from_model_names(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        int64_t mhz;
    } cases[] = {
        {"Intel(R) Xeon(R) CPU E5-2670 v3 @ 2.30GHz", 2300},
        {"Intel(R) Core(TM) i7-8550U CPU @ 1.80 GHz", 1800},
        {"Pentium III @ 933MHz", 933},
        {"AMD EPYC 7763 64-Core Processor", 0},
        {"Something @ fast", 0},
        {"Something @ 2.3", 0},
        {"@ -1GHz", 0},
        {"", 0},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++)
        assert_int_equal(tk_cpu_model_mhz(tk_str_from(cases[i].model)), cases[i].mhz);
}

static void lists_of_cpus_are_counted(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        int64_t count;
    } cases[] = {
        {"0", 1}, {"0-3", 4}, {"0-3,8", 5}, {"0,4-5,9", 4}, {"", 0},
        {"a", 0}, {"3-1", 0}, {"0-", 0},    {"0x", 0},      {"0-99999999999", 0},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++)
        assert_int_equal(tk_cpu_list_count(tk_str_from(cases[i].list)), cases[i].count);
}

/* The frequency and its source, of a root with the given files. */
static void check_freq(const char *path, const char *text, const char *model, int64_t mhz,
                       const char *source)
{
    struct tk_root root;
    struct tk_cpu_facts facts;
    char cpuinfo[256];
    tk_root_init(&root, NULL);
    (void)snprintf(cpuinfo, sizeof(cpuinfo), "model name\t: %s\ncpu MHz\t\t: 1999.700\n", model);
    tk_root_write(&root, "proc/cpuinfo", cpuinfo);
    if (path)
        tk_root_write(&root, path, text);
    tk_cpu_facts_read(&root.kernel, 0, &facts);
    assert_int_equal(facts.freq_mhz, mhz);
    assert_string_equal(facts.freq_source, source);
    tk_root_release(&root);
}

static void the_ladder_of_frequencies_is_climbed_down(void **state)
{
    (void)state;
    check_freq("sys/devices/system/cpu/cpu0/cpufreq/base_frequency", "2600000\n", "X @ 1.00GHz",
               2600, "base_frequency");
    check_freq("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "3900000\n", "X @ 1.00GHz",
               3900, "cpuinfo_max_freq");
    check_freq(NULL, NULL, "X @ 1.00GHz", 1000, "model_name");
    check_freq(NULL, NULL, "X", 2000, "cpuinfo");
    struct tk_root root;
    struct tk_cpu_facts facts;
    tk_root_init(&root, NULL);
    tk_cpu_facts_read(&root.kernel, 0, &facts);
    assert_int_equal(facts.freq_mhz, 0);
    assert_string_equal(facts.freq_source, "unknown");
    tk_cpu_facts_read(&root.kernel, 2345, &facts);
    assert_int_equal(facts.freq_mhz, 2345);
    assert_string_equal(facts.freq_source, "CPU_FREQ_MHZ");
    tk_root_release(&root);
}

static void arm_parts_have_names(void **state)
{
    (void)state;
    struct tk_root root;
    struct tk_cpu_facts facts;
    tk_root_init(&root, NULL);
    tk_root_write(&root, "proc/cpuinfo",
                  "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n"
                  "CPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\n");
    tk_cpu_facts_read(&root.kernel, 0, &facts);
    assert_string_equal(facts.model, "Neoverse-N1");
    assert_false(facts.has_flags);
    tk_root_release(&root);
}

static void containers_and_hypervisors_are_told_apart(void **state)
{
    (void)state;
    static const char dockers_own[] =
        "0::/docker/3f4c1a5b6d7e8f901234567890abcdef3f4c1a5b6d7e8f901234567890abcdef\n";
    static const char clocksource[] =
        "sys/devices/system/clocksource/clocksource0/available_clocksource";
    static const struct {
        const char *path;
        const char *text;
        bool hypervisor;
        const char *virt;
    } cases[] = {
        {"run/.containerenv", "", true, "podman"},
        {"run/systemd/container", "systemd-nspawn\n", false, "systemd-nspawn"},
        {"run/systemd/container", "something-new\n", false, "container"},
        {"proc/1/environ", "container=lxc", false, "lxc"},
        {"proc/1/cgroup", dockers_own, false, "docker"},
        {"proc/1/cgroup", "0::/system.slice/web.service\n", false, "none"},
        {".dockerenv", "", false, "docker"},
        {"proc/sys/kernel/osrelease", "5.15.90.1-microsoft-standard-WSL2\n", true, "wsl"},
        {"sys/class/dmi/id/sys_vendor", "QEMU\n", true, "qemu"},
        {"sys/class/dmi/id/sys_vendor", "VMware, Inc.\n", true, "vmware"},
        {"sys/class/dmi/id/product_name", "Virtual Machine\n", true, "microsoft"},
        {clocksource, "tsc kvm-clock \n", true, "kvm"},
        {"sys/hypervisor/type", "xen\n", false, "xen"},
        {"proc/version", "Linux\n", true, "vm"},
        {"proc/version", "Linux\n", false, "none"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_root root;
        tk_root_init(&root, NULL);
        tk_root_write(&root, cases[i].path, cases[i].text);
        assert_string_equal(tk_virt_find(&root.kernel, cases[i].hypervisor), cases[i].virt);
        tk_root_release(&root);
    }
}

static void read_limits(const struct tk_kernel *kernel, double *cores, int64_t *bytes)
{
    struct tk_cgroup_mounts mounts;
    struct tk_err err;
    assert_int_equal(tk_cgroup_mounts_read(kernel, &mounts, &err), 0);
    tk_cgroup_own_limits(kernel, &mounts, cores, bytes);
}

static void the_tightest_limit_of_all_groups_above_counts(void **state)
{
    (void)state;
    struct tk_root root;
    double cores;
    int64_t bytes;
    tk_root_init(&root, NULL);
    tk_root_write(&root, "proc/self/mountinfo", "1 1 0:1 / /cg rw - cgroup2 cgroup2 rw\n");
    tk_root_write(&root, "proc/self/cgroup", "0::/a/b\n");
    tk_root_write(&root, "cg/cpu.stat", "usage_usec 1\n");
    read_limits(&root.kernel, &cores, &bytes);
    assert_near(cores, 0, 0);
    assert_int_equal(bytes, -1);
    tk_root_write(&root, "cg/a/cpu.max", "150000 100000\n");
    tk_root_write(&root, "cg/a/b/cpu.max", "400000 100000\n");
    tk_root_write(&root, "cg/a/memory.max", "max\n");
    tk_root_write(&root, "cg/a/b/memory.max", "4096\n");
    read_limits(&root.kernel, &cores, &bytes);
    assert_near(cores, 1.5, 1e-9);
    assert_int_equal(bytes, 4096);

    /* In a namespace of groups with the host's mounts ours cannot be told. */
    tk_root_write(&root, "proc/self/mountinfo", "1 1 0:1 /../.. /cg rw - cgroup2 cgroup2 rw\n");
    tk_root_write(&root, "proc/self/cgroup", "0::/\n");
    tk_root_write(&root, "cg/memory.max", "77\n");
    read_limits(&root.kernel, &cores, &bytes);
    assert_near(cores, 0, 0);
    assert_int_equal(bytes, -1);
    tk_root_release(&root);
}

static void the_iface_is_given_or_found(void **state)
{
    (void)state;
    char iface[TK_NODE_NAME_MAX];
    tk_node_iface("eth7", "192.0.2.1", iface);
    assert_string_equal(iface, "eth7");
    char first[TK_NODE_NAME_MAX];
    tk_node_iface(NULL, "127.0.0.1", first);
    tk_node_iface("", "", iface);
    assert_string_equal(iface, first); /* of the default route, or lo */
    assert_true(if_nametoindex(iface) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_of_version_2_makes_the_golden_facts),
        cmocka_unit_test(a_virtual_machine_makes_the_golden_facts),
        cmocka_unit_test(a_missing_meminfo_is_named),
        cmocka_unit_test(the_running_machine_tells_its_facts),
        cmocka_unit_test(frequencies_are_read_from_model_names),
        cmocka_unit_test(lists_of_cpus_are_counted),
        cmocka_unit_test(the_ladder_of_frequencies_is_climbed_down),
        cmocka_unit_test(arm_parts_have_names),
        cmocka_unit_test(containers_and_hypervisors_are_told_apart),
        cmocka_unit_test(the_tightest_limit_of_all_groups_above_counts),
        cmocka_unit_test(the_iface_is_given_or_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
