/* SPDX-License-Identifier: Apache-2.0 */
/* TK_FAKE_NVML is the library of tests/peers/fake_nvml.c. */
#include "collect/gpu.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "tk_root.h"

#define PATIENCE_MS 20000

static struct tk_gpu *open_gpu(struct tk_root *root, const char *mode)
{
    static const struct tk_gpu_options options = {
        .node = "n", .host = "h", .library = TK_FAKE_NVML, .interval_ns = TK_NS_PER_MS};
    struct tk_gpu *gpu = NULL;
    struct tk_err err = {0};
    assert_int_equal(setenv("FAKE_NVML", mode, 1), 0);
    tk_root_init(root, NULL);
    int rc = tk_gpu_new(&root->kernel, &options, &gpu, &err);
    if (rc < 0)
        print_error("%s\n", err.msg);
    assert_int_equal(rc, 0);
    return gpu;
}

static void wait_for_readings(struct tk_gpu *gpu, int64_t readings)
{
    struct tk_gpu_stats stats = {0};
    for (int ms = 0; ms < PATIENCE_MS && stats.readings < readings; ms += 10) {
        (void)usleep(10000);
        tk_gpu_read_stats(gpu, &stats);
    }
    assert_true(stats.readings >= readings);
}

static void assert_has(const char *rows, const char *part)
{
    if (!strstr(rows, part)) {
        print_error("no %s in:\n%s", part, rows);
        fail();
    }
}

static void devices_and_their_processes_have_rows(void **state)
{
    (void)state;
    struct tk_root root;
    struct tk_gpu *gpu = open_gpu(&root, "");
    tk_gpu_open(gpu);
    wait_for_readings(gpu, 1);
    tk_gpu_take(gpu, root.rows);
    const char *rows = tk_root_take_rows(&root);
    assert_has(rows, "\"gpu\":0,\"uuid\":\"GPU-0000-0\",\"name\":\"Fake 0\",\"util\":73,"
                     "\"mem_util\":21,\"mem_used_bytes\":1073741824,"
                     "\"mem_total_bytes\":17179869184,\"power_w\":70.125,\"temp_c\":55,"
                     "\"sm_mhz\":1410,\"mem_mhz\":5001}");
    /* What a device does not tell is absent. */
    assert_has(rows, "\"gpu\":1,\"uuid\":\"GPU-0000-1\",\"name\":\"Fake 1\","
                     "\"mem_used_bytes\":2147483648,\"mem_total_bytes\":17179869184,"
                     "\"temp_c\":55,\"sm_mhz\":1410,\"mem_mhz\":5001}");
    assert_has(rows, "\"gpu\":0,\"pid\":4242,\"mem_used_bytes\":3145728,\"sm_util\":70,"
                     "\"mem_util\":22,\"enc_util\":1,\"dec_util\":2}");
    assert_has(rows, "\"gpu\":0,\"pid\":4243}");
    tk_gpu_free(gpu);
    tk_root_release(&root);
}

static void a_reading_is_taken_once_and_the_driver_is_not_asked_more_often_than_useful(void **state)
{
    (void)state;
    struct tk_root root;
    struct tk_gpu *gpu = open_gpu(&root, "");
    struct tk_gpu_stats stats;
    int64_t start_ns = tk_clock_mono_ns();
    tk_gpu_open(gpu);
    wait_for_readings(gpu, 3);
    tk_gpu_take(gpu, root.rows);
    assert_has(tk_root_take_rows(&root), "gpu_metrics");
    tk_gpu_read_stats(gpu, &stats);
    /* 1 ms was asked for, 200 ms is what makes sense. */
    assert_true(stats.readings <= (tk_clock_mono_ns() - start_ns) / (200 * TK_NS_PER_MS) + 1);
    assert_int_equal(stats.devices, 2);
    /* All but the one that was taken; another may have come since. */
    assert_in_range(stats.overwritten, stats.readings - 2, stats.readings - 1);
    tk_gpu_free(gpu);
    tk_root_release(&root);
}

static void a_driver_that_hangs_holds_nobody_up(void **state)
{
    (void)state;
    struct tk_root root;
    struct tk_gpu *gpu = open_gpu(&root, "hang");
    tk_gpu_open(gpu);
    (void)usleep(50000);
    tk_gpu_take(gpu, root.rows);
    assert_string_equal(tk_root_take_rows(&root), "");
    tk_gpu_free(gpu); /* returns, without the thread */
    tk_root_release(&root);
}

static void a_driver_that_does_not_start_is_counted(void **state)
{
    (void)state;
    struct tk_root root;
    struct tk_gpu *gpu = open_gpu(&root, "nodriver");
    struct tk_gpu_stats stats = {0};
    tk_gpu_open(gpu);
    for (int ms = 0; ms < PATIENCE_MS && stats.failed_calls == 0; ms += 10) {
        (void)usleep(10000);
        tk_gpu_read_stats(gpu, &stats);
    }
    assert_int_equal(stats.failed_calls, 1);
    assert_int_equal(stats.devices, -1);
    tk_gpu_free(gpu);
    tk_root_release(&root);
}

static void a_host_without_the_library_is_told_so(void **state)
{
    (void)state;
    struct tk_root root;
    struct tk_gpu *gpu = NULL;
    struct tk_err err;
    tk_root_init(&root, NULL);
    struct tk_gpu_options options = {.library = "libtracekit-has-no-such.so.1"};
    assert_int_equal(tk_gpu_new(&root.kernel, &options, &gpu, &err), -ENOENT);
    assert_string_equal(err.msg, "libtracekit-has-no-such.so.1: not installed");
    options.library = "libm.so.6"; /* one that is no NVML */
    assert_int_equal(tk_gpu_new(&root.kernel, &options, &gpu, &err), -ENOENT);
    tk_root_release(&root);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_and_their_processes_have_rows),
        cmocka_unit_test(
            a_reading_is_taken_once_and_the_driver_is_not_asked_more_often_than_useful),
        cmocka_unit_test(a_driver_that_hangs_holds_nobody_up),
        cmocka_unit_test(a_driver_that_does_not_start_is_counted),
        cmocka_unit_test(a_host_without_the_library_is_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
