/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/cgroup_files.h"

#include <string.h>

#include "tk_test.h"

static const struct tk_cgroup_devices stacked = {.items = {{253, 0}, {7, 1}}, .count = 2};

static bool parse(const char *name, int hierarchy, const char *text,
                  struct tk_cgroup_reading *reading)
{
    for (size_t i = 0; i < TK_CGROUP_FILE_COUNT; i++)
        if (strcmp(tk_cgroup_files[i].name, name) == 0 && tk_cgroup_files[i].hierarchy == hierarchy)
            return tk_cgroup_file_parse(&tk_cgroup_files[i], tk_str_from(text), &stacked, reading);
    print_error("no file %s\n", name);
    fail();
    return false;
}

static void cpu_time_of_version_2_is_turned_into_ns(void **state)
{
    (void)state;
    struct tk_cgroup_reading reading = tk_cgroup_reading_none();
    assert_true(parse("cpu.stat", TK_CGROUP_V2,
                      "usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000\n", &reading));
    assert_int_equal(reading.cpu_ns, 1500000000);
    assert_int_equal(reading.user_ns, 1000000000);
    assert_int_equal(reading.system_ns, 500000000);
    assert_int_equal(reading.nr_throttled, -1);
    assert_true(parse("cpu.stat", TK_CGROUP_V2,
                      "usage_usec 1\nuser_usec 1\nsystem_usec 0\nnr_periods 9\nnr_throttled 3\n"
                      "throttled_usec 250\n",
                      &reading));
    assert_int_equal(reading.nr_periods, 9);
    assert_int_equal(reading.nr_throttled, 3);
    assert_int_equal(reading.throttled_ns, 250000);
}

static void files_of_version_1_add_to_the_same_reading(void **state)
{
    (void)state;
    struct tk_cgroup_reading reading = tk_cgroup_reading_none();
    assert_true(parse("cpuacct.usage", TK_CGROUP_CPUACCT, "92233000\n", &reading));
    assert_true(parse("cpuacct.usage_user", TK_CGROUP_CPUACCT, "71271000\n", &reading));
    assert_true(parse("cpuacct.usage_sys", TK_CGROUP_CPUACCT, "20962000\n", &reading));
    assert_true(parse("cpu.stat", TK_CGROUP_CPU,
                      "nr_periods 4\nnr_throttled 2\nthrottled_time 47500230\n", &reading));
    assert_int_equal(reading.cpu_ns, 92233000);
    assert_int_equal(reading.user_ns, 71271000);
    assert_int_equal(reading.system_ns, 20962000);
    assert_int_equal(reading.throttled_ns, 47500230);
}

static void quotas_become_cores(void **state)
{
    (void)state;
    struct tk_cgroup_reading reading = tk_cgroup_reading_none();
    assert_true(parse("cpu.max", TK_CGROUP_V2, "250000 100000\n", &reading));
    assert_near(reading.cpu_limit_cores, 2.5, 1e-9);
    assert_true(parse("cpu.max", TK_CGROUP_V2, "max 100000\n", &reading));
    assert_near(reading.cpu_limit_cores, 0, 0);
    assert_true(parse("cpu.cfs_quota_us", TK_CGROUP_CPU, "150000\n", &reading));
    assert_true(parse("cpu.cfs_period_us", TK_CGROUP_CPU, "100000\n", &reading));
    assert_near(reading.cpu_limit_cores, 1.5, 1e-9);
    assert_true(parse("cpu.cfs_quota_us", TK_CGROUP_CPU, "-1\n", &reading));
    assert_true(parse("cpu.cfs_period_us", TK_CGROUP_CPU, "100000\n", &reading));
    assert_near(reading.cpu_limit_cores, 0, 0);
}

static void limits_that_are_none_are_absent(void **state)
{
    (void)state;
    struct tk_cgroup_reading reading = tk_cgroup_reading_none();
    assert_true(parse("memory.max", TK_CGROUP_V2, "268435456\n", &reading));
    assert_int_equal(reading.memory_limit_bytes, 268435456);
    assert_true(parse("memory.max", TK_CGROUP_V2, "max\n", &reading));
    assert_int_equal(reading.memory_limit_bytes, -1);
    assert_true(parse("memory.limit_in_bytes", TK_CGROUP_MEMORY, "134217728\n", &reading));
    assert_int_equal(reading.memory_limit_bytes, 134217728);
    assert_true(
        parse("memory.limit_in_bytes", TK_CGROUP_MEMORY, "9223372036854771712\n", &reading));
    assert_int_equal(reading.memory_limit_bytes, -1);
}

static void io_of_stacked_devices_is_not_added_twice(void **state)
{
    (void)state;
    struct tk_cgroup_reading reading = tk_cgroup_reading_none();
    assert_true(parse("io.stat", TK_CGROUP_V2,
                      "8:0 rbytes=100 wbytes=20 rios=1 wios=1 dbytes=9 dios=9\n"
                      "253:0 rbytes=100 wbytes=20 rios=1 wios=1 dbytes=0 dios=0\n"
                      "8:16 rbytes=5 wbytes=6 rios=1 wios=1 dbytes=0 dios=0\n8:32 \n",
                      &reading));
    assert_int_equal(reading.rd_bytes, 105);
    assert_int_equal(reading.wr_bytes, 26);
    assert_true(parse("io.stat", TK_CGROUP_V2, "", &reading));
    assert_int_equal(reading.rd_bytes, 0);
    assert_true(parse("blkio.throttle.io_service_bytes_recursive", TK_CGROUP_BLKIO,
                      "8:0 Read 7\n8:0 Write 8\n8:0 Sync 15\n8:0 Total 15\n7:1 Read 99\n"
                      "7:1 Write 99\nTotal 213\n",
                      &reading));
    assert_int_equal(reading.rd_bytes, 7);
    assert_int_equal(reading.wr_bytes, 8);
}

static void pressure_and_small_numbers_are_read(void **state)
{
    (void)state;
    struct tk_cgroup_reading reading = tk_cgroup_reading_none();
    assert_true(parse("cpu.pressure", TK_CGROUP_V2,
                      "some avg10=0.00 avg60=0.00 avg300=0.00 total=17\nfull avg10=0.00 total=3\n",
                      &reading));
    assert_int_equal(reading.psi_cpu_some_us, 17);
    assert_true(parse("pids.current", TK_CGROUP_V2, "12\n", &reading));
    assert_int_equal(reading.pids, 12);
    assert_true(parse("memory.peak", TK_CGROUP_V2, "4096\n", &reading));
    assert_int_equal(reading.memory_peak_bytes, 4096);
}

static void broken_text_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int hierarchy;
        const char *text;
    } cases[] = {
        {"cpu.stat", TK_CGROUP_V2, "user_usec 5\n"},
        {"cpu.stat", TK_CGROUP_CPU, "nr_periods 5\n"},
        {"cpuacct.usage", TK_CGROUP_CPUACCT, ""},
        {"cpuacct.usage", TK_CGROUP_CPUACCT, "12 13\n"},
        {"cpuacct.usage", TK_CGROUP_CPUACCT, "-1\n"},
        {"cpu.max", TK_CGROUP_V2, "100\n"},
        {"cpu.max", TK_CGROUP_V2, "100 0\n"},
        {"cpu.cfs_period_us", TK_CGROUP_CPU, "0\n"},
        {"memory.max", TK_CGROUP_V2, "much\n"},
        {"io.stat", TK_CGROUP_V2, "sda rbytes=1\n"},
        {"io.stat", TK_CGROUP_V2, "8 rbytes=1\n"},
        {"blkio.throttle.io_service_bytes_recursive", TK_CGROUP_BLKIO, "8:0 Read\n"},
        {"cpu.pressure", TK_CGROUP_V2, "full total=1\n"},
        {"cpu.pressure", TK_CGROUP_V2, "some avg10=0.00\n"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_cgroup_reading reading = tk_cgroup_reading_none();
        assert_false(parse(cases[i].name, cases[i].hierarchy, cases[i].text, &reading));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpu_time_of_version_2_is_turned_into_ns),
        cmocka_unit_test(files_of_version_1_add_to_the_same_reading),
        cmocka_unit_test(quotas_become_cores),
        cmocka_unit_test(limits_that_are_none_are_absent),
        cmocka_unit_test(io_of_stacked_devices_is_not_added_twice),
        cmocka_unit_test(pressure_and_small_numbers_are_read),
        cmocka_unit_test(broken_text_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
