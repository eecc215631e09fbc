/* SPDX-License-Identifier: Apache-2.0 */
/* The formulas of build-telemetry.md section 6.1, on counters made by hand. */
#include "base/clock.h"
#include "step/measure.h"
#include "tk_test.h"

struct pair {
    struct tk_arena arena;
    struct tk_kernel kernel;
    struct tk_step_record start, end;
    struct tk_job_step step;
};

/* Two readings of an idle host, `ms` apart. */
static void pair_init(struct pair *pair, int64_t ms)
{
    struct tk_err err;
    assert_int_equal(tk_arena_init(&pair->arena, 1 << 20, &err), 0);
    assert_int_equal(tk_kernel_open(&pair->kernel, "/", &err), 0);
    tk_step_record_init(&pair->start, TK_STEP_START, TK_STR("a"));
    pair->start.real_ns = 1769257200 * TK_NS_PER_S;
    pair->start.boot_ns = TK_NS_PER_S;
    struct tk_step_host *host = &pair->start.host;
    host->user = host->nice = host->system = host->idle = host->iowait = 1000;
    host->irq = host->softirq = host->steal = 0;
    host->memory_total = 1000 << 20;
    host->memory_available = 600 << 20;
    host->rx_bytes = host->tx_bytes = 0;
    pair->end = pair->start;
    pair->end.boot_ns += ms * TK_NS_PER_MS;
    pair->end.real_ns += ms * TK_NS_PER_MS;
    tk_job_shape_init(&tk_job_step_shape, &pair->step);
}

static void pair_release(struct pair *pair)
{
    tk_arena_release(&pair->arena);
    tk_kernel_close(&pair->kernel);
}

static void measure(struct pair *pair)
{
    tk_step_measure_host(&pair->kernel, &pair->start, &pair->end, &pair->step, &pair->arena);
}

static void busy_is_what_is_neither_idle_nor_waiting(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair, 1900);
    pair.end.host.user += 95; /* one of two cores for half of the time */
    pair.end.host.idle += 185;
    pair.end.host.iowait += 100;
    pair.end.host.steal += 20;
    measure(&pair);
    assert_near(pair.step.duration_s, 1.9, 1e-9);
    assert_near(pair.step.cpu_percent, 100.0 * 115 / 400, 1e-9);
    assert_near(pair.step.host.iowait_percent, 25, 1e-9);
    assert_near(pair.step.host.steal_percent, 5, 1e-9);
    assert_near(pair.step.start_time, 1769257200, 0);
    assert_near(pair.step.end_time, 1769257201.9, 1e-6);
    assert_int_equal(pair.step.quality.count, 0);
    pair_release(&pair);
}

static void iowait_that_goes_back_is_none(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair, 1000);
    pair.end.host.user += 150;
    pair.end.host.idle += 60;
    pair.end.host.iowait -= 10;
    measure(&pair);
    assert_near(pair.step.cpu_percent, 70, 1e-9);
    assert_near(pair.step.host.iowait_percent, 0, 0);
    pair_release(&pair);
}

static void disks_are_added_up_and_keep_their_decimals(void **state)
{
    (void)state;
    struct pair pair;
    struct tk_step_disk before[] = {{.dev = TK_STR("sda"), .flushes = 0}};
    struct tk_step_disk now[] = {
        {.dev = TK_STR("sda"),
         .reads = 10,
         .sectors_read = 2048,
         .read_ms = 5,
         .writes = 90,
         .sectors_written = 204800,
         .write_ms = 45,
         .busy_ms = 1500,
         .queue_ms = 3000,
         .flushes = 4,
         .flush_ms = 10,
         .sectors_discarded = TK_JOB_NONE},
        {.dev = TK_STR("nvme1n1"), .writes = 100, .sectors_written = 2048, .busy_ms = 400},
    };
    pair_init(&pair, 2000);
    pair.start.host.disks = (struct tk_step_disks){before, 1};
    pair.end.host.disks = (struct tk_step_disks){now, 2};
    measure(&pair);
    assert_near(pair.step.disk_read_mb, 1, 1e-9);
    assert_near(pair.step.disk_write_mb, 101, 1e-9);
    assert_near(pair.step.disk_write_rate_mbs, 50.5, 1e-9);
    assert_near(pair.step.disk_read_ops + pair.step.disk_write_ops, 200, 0);
    assert_near(pair.step.await_ms, 0.25, 1e-9);
    assert_near(pair.step.disk_util_percent, 75, 1e-9); /* of the busiest */
    assert_near(pair.step.queue_depth, 1.5, 1e-9);
    assert_int_equal(pair.step.io.devices.count, 2);
    const struct tk_job_device *sda = &pair.step.io.devices.items[0];
    assert_int_equal(sda->flushes, 4);
    assert_near(sda->flush_ms, 2.5, 1e-9);
    assert_near(sda->read_await_ms, 0.5, 1e-9);
    assert_true(isnan(sda->discard_mb));
    assert_true(isnan(pair.step.io.devices.items[1].read_await_ms));
    pair_release(&pair);
}

static void memory_and_links_are_those_of_the_machine(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair, 500);
    pair.end.host.memory_available -= 50 << 20;
    pair.end.host.rx_bytes += 3 << 20;
    measure(&pair);
    assert_near(pair.step.memory_used_mb, 450, 1e-9);
    assert_near(pair.step.memory_delta_mb, 50, 1e-9);
    assert_near(pair.step.host.memory_available_min_mb, 550, 1e-9);
    assert_near(pair.step.net_rx_mb, 3, 1e-9);
    assert_near(pair.step.net_rx_rate_mbs, 6, 1e-9);
    assert_near(pair.step.net_tx_mb, 0, 0);
    pair_release(&pair);
}

static void what_is_missing_is_absent(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair, 500);
    pair.start.host.user = TK_JOB_NONE;
    pair.end.host.rx_bytes = TK_JOB_NONE;
    measure(&pair);
    assert_true(isnan(pair.step.cpu_percent));
    assert_true(isnan(pair.step.net_rx_mb));
    assert_true(isnan(pair.step.disk_read_mb));
    assert_null(pair.step.net.source.p);
    assert_null(pair.step.pressure.source.p);
    pair_release(&pair);
}

static void a_clock_that_was_set_and_a_short_step_are_flagged(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair, 99);
    pair.end.real_ns -= 7200 * TK_NS_PER_S;
    measure(&pair);
    assert_near(pair.step.duration_s, 0.099, 1e-9);
    assert_true(tk_job_has_text(&pair.step.quality, TK_STEP_SHORT));
    assert_true(tk_job_has_text(&pair.step.quality, TK_STEP_CLOCK_STEP));
    pair_release(&pair);
}

static void a_starved_step_is_told_from_a_busy_one(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair, 3000);
    pair.end.host.user += 600;
    pair.step.cpu.total_s = 1.65;
    pair.step.pressure =
        (struct tk_job_pressure){.source = TK_STR("cgroup"), .cpu_some_s = 2.64, .io_full_s = 0};
    measure(&pair);
    tk_step_measure_rest(2, &pair.step, &pair.arena);
    assert_near(pair.step.cpu.cores_avg, 0.55, 1e-9);
    assert_near(pair.step.cpu.machine_percent, 27.5, 1e-9);
    assert_near(pair.step.host.other_cpu_percent, 72.5, 1e-9);
    assert_true(tk_job_has_text(&pair.step.quality, TK_STEP_NEIGHBOURS));
    assert_near(pair.step.wall.active_s, 1.65, 1e-9);
    assert_near(pair.step.wall.cpu_wait_s, 1.35, 1e-9);
    assert_near(pair.step.wall.idle_s, 0, 1e-9);
    pair_release(&pair);
}

static void bytes_that_never_reached_the_disk_are_told(void **state)
{
    (void)state;
    struct pair pair;
    pair_init(&pair, 1000);
    struct tk_step_usage *usage = &pair.start.usage;
    usage->user_ns = usage->system_ns = usage->rd_bytes = usage->wr_bytes = 0;
    usage->cancelled_bytes = usage->rd_chars = usage->wr_chars = usage->major_faults = 0;
    pair.end.usage = *usage;
    pair.end.usage.wr_bytes = pair.end.usage.cancelled_bytes = 200 << 20;
    pair.end.usage.user_ns = TK_NS_PER_S / 2;
    tk_step_measure_usage(&pair.start.usage, &pair.end.usage, &pair.step);
    assert_near(pair.step.io.write_mb, 200, 1e-9);
    assert_near(pair.step.io.cancelled_mb, 200, 1e-9);
    assert_near(pair.step.cpu.total_s, 0.5, 1e-9);
    assert_str_equal(pair.step.io.source, "/proc/self/io");
    pair_release(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(busy_is_what_is_neither_idle_nor_waiting),
        cmocka_unit_test(iowait_that_goes_back_is_none),
        cmocka_unit_test(disks_are_added_up_and_keep_their_decimals),
        cmocka_unit_test(memory_and_links_are_those_of_the_machine),
        cmocka_unit_test(what_is_missing_is_absent),
        cmocka_unit_test(a_clock_that_was_set_and_a_short_step_are_flagged),
        cmocka_unit_test(a_starved_step_is_told_from_a_busy_one),
        cmocka_unit_test(bytes_that_never_reached_the_disk_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
