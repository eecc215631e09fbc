/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/kernel.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>

#include "tk_test.h"

static void spin_ms(int ms)
{
    struct timespec t;
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    while (t.tv_sec * 1000 + t.tv_nsec / 1000000 < ms);
}

static void the_cpu_clock_counts_the_time_of_another_process(void **state)
{
    (void)state;
    struct tk_kernel kernel;
    struct tk_err err;
    assert_int_equal(tk_kernel_open(&kernel, "/", &err), 0);
    assert_non_null(kernel.cpu_clock);

    pid_t child = fork();
    if (child == 0) {
        spin_ms(30);
        pause();
    }
    int64_t ns = 0;
    for (int i = 0; i < 2000 && ns < 30000000; i++) {
        usleep(10000);
        assert_int_equal(kernel.cpu_clock(kernel.world, child, &ns), 0);
    }
    assert_in_range(ns, 30000000, 1000000000);

    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(kernel.cpu_clock(kernel.world, child, &ns), -ESRCH);
    tk_kernel_close(&kernel);
}

static void a_running_kernel_has_an_identity_and_an_anchor(void **state)
{
    (void)state;
    struct tk_kernel kernel;
    struct tk_err err;
    assert_int_equal(tk_kernel_open(&kernel, "/", &err), 0);
    assert_int_equal(strlen(kernel.boot_id), 36);
    assert_in_range(kernel.clk_tck, 1, 1024);
    assert_int_equal(kernel.page_bytes, sysconf(_SC_PAGESIZE));
    assert_in_range(kernel.mono_ns(kernel.world) - kernel.anchor.mono_ns, 0, 10 * TK_NS_PER_S);
    tk_kernel_close(&kernel);
}

static void a_missing_root_is_named(void **state)
{
    (void)state;
    struct tk_kernel kernel;
    struct tk_err err;
    assert_int_equal(tk_kernel_open(&kernel, "/nowhere", &err), -ENOENT);
    assert_string_equal(err.msg, "/nowhere: No such file or directory");
    assert_int_equal(tk_kernel_open(&kernel, "/tmp", &err), -ENOENT);
    assert_string_equal(err.msg, "proc: No such file or directory");
    tk_kernel_close(&kernel);
}

static void another_root_has_no_cpu_clocks(void **state)
{
    (void)state;
    struct tk_kernel kernel;
    struct tk_err err;
    assert_int_equal(tk_kernel_open(&kernel, "//", &err), 0);
    assert_null(kernel.cpu_clock);
    tk_kernel_close(&kernel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cpu_clock_counts_the_time_of_another_process),
        cmocka_unit_test(a_running_kernel_has_an_identity_and_an_anchor),
        cmocka_unit_test(a_missing_root_is_named),
        cmocka_unit_test(another_root_has_no_cpu_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
