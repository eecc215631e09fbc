/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "step/curve.h"
#include "tk_folder.h"

FOLDER_OF_EACH_TEST

static struct tk_sample at(int64_t s, float cores)
{
    struct tk_sample sample = {.boot_ns = s * TK_NS_PER_S};
    for (int i = 0; i < TK_CURVE_COLUMNS; i++)
        sample.values[i] = 0;
    sample.values[TK_CURVE_CORES] = cores;
    return sample;
}

static void a_full_curve_keeps_lowest_and_highest(void **state)
{
    (void)state;
    struct tk_curve curve = {0};
    double low, high;
    for (int i = 0; i < 5 * TK_CURVE_SAMPLES; i++) {
        float cores = i == 1234 ? 64 : i == 4321 ? -3 : 1;
        struct tk_sample sample = at(i, cores);
        assert_int_equal(tk_curve_add(&curve, &sample), 0);
        assert_true(curve.count <= TK_CURVE_SAMPLES);
    }
    assert_true(curve.merged);
    tk_curve_range(&curve, TK_CURVE_CORES, -1, INT64_MAX, &low, &high);
    assert_near(low, -3, 0);
    assert_near(high, 64, 0);
    tk_curve_release(&curve);
}

static void rows_are_few_and_keep_a_peak(void **state)
{
    (void)state;
    struct tk_curve curve = {0};
    struct tk_arena arena;
    struct tk_err err;
    struct tk_job_samples samples = {.t0 = 0};
    double highest = 0;
    assert_int_equal(tk_arena_init(&arena, 1 << 20, &err), 0);
    for (int i = 1; i <= 2000; i++) {
        struct tk_sample sample = at(i, i == 777 ? 8 : 1);
        assert_int_equal(tk_curve_add(&curve, &sample), 0);
    }
    tk_curve_rows(&curve, 0, 2000 * TK_NS_PER_S, 1e9, &samples, &arena);
    assert_int_equal(samples.cols.count, TK_CURVE_SHOWN);
    assert_int_equal(samples.rows.count, TK_CURVE_POINTS);
    assert_near(samples.t0, 1e9, 0);
    assert_near(samples.dt_s, 2000.0 / TK_CURVE_POINTS, 1e-9);
    for (size_t i = 0; i < samples.rows.count; i++) {
        double cores = samples.rows.items[i].items[TK_CURVE_CORES];
        highest = cores > highest ? cores : highest;
    }
    assert_near(highest, 8, 0);
    tk_arena_release(&arena);
    tk_curve_release(&curve);
}

static void a_time_without_samples_has_no_rows(void **state)
{
    (void)state;
    struct tk_curve curve = {0};
    struct tk_arena arena;
    struct tk_err err;
    struct tk_job_samples samples = {.t0 = 5};
    double low, high;
    assert_int_equal(tk_arena_init(&arena, 1 << 20, &err), 0);
    struct tk_sample sample = at(100, 1);
    assert_int_equal(tk_curve_add(&curve, &sample), 0);
    tk_curve_rows(&curve, 0, 50 * TK_NS_PER_S, 0, &samples, &arena);
    assert_int_equal(samples.rows.count, 0);
    assert_near(samples.t0, 5, 0);
    tk_curve_range(&curve, TK_CURVE_CORES, 0, 50 * TK_NS_PER_S, &low, &high);
    assert_true(isnan(low) && isnan(high));
    tk_arena_release(&arena);
    tk_curve_release(&curve);
}

static void samples_on_disk_come_back_without_those_that_are_damaged(void **state)
{
    (void)state;
    struct tk_curve curve;
    struct tk_err err;
    for (int i = 1; i <= 3; i++) {
        struct tk_sample sample = at(i, (float)i);
        assert_int_equal(tk_sample_append(dirfd_of_folder, &sample, &err), 0);
    }
    TK_CLEANUP(tk_fd_close) int fd = openat(dirfd_of_folder, TK_CURVE_NAME, O_WRONLY);
    assert_int_equal(pwrite(fd, "xx", 2, 64 + 10), 2);  /* in the second */
    assert_int_equal(pwrite(fd, "torn", 4, 3 * 64), 4); /* a fourth that was cut off */
    assert_int_equal(tk_curve_read(dirfd_of_folder, INT64_MIN, &curve, &err), 0);
    assert_int_equal(curve.count, 2);
    assert_near((double)curve.items[1].values[TK_CURVE_CORES], 3, 0);
    assert_int_equal(tk_curve_write(dirfd_of_folder, &curve, &err), 0);
    tk_curve_release(&curve);
    assert_int_equal(tk_curve_read(dirfd_of_folder, INT64_MIN, &curve, &err), 0);
    assert_int_equal(curve.count, 2);
    tk_curve_release(&curve);
}

static void what_was_before_a_time_is_left_out(void **state)
{
    (void)state;
    struct tk_curve curve;
    struct tk_err err;
    for (int i = 1; i <= 200; i++) {
        struct tk_sample sample = at(i, (float)i);
        assert_int_equal(tk_sample_append(dirfd_of_folder, &sample, &err), 0);
    }
    TK_CLEANUP(tk_fd_close) int fd = openat(dirfd_of_folder, TK_CURVE_NAME, O_WRONLY);
    assert_int_equal(pwrite(fd, "xx", 2, 136 * 64), 2); /* where the last 4 KiB begin */
    static const struct {
        int from_s;
        size_t count;
    } cases[] = {{0, 199}, {100, 99}, {136, 63}, {190, 10}, {200, 0}};
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        int64_t from_ns = cases[i].from_s * TK_NS_PER_S;
        assert_int_equal(tk_curve_read(dirfd_of_folder, from_ns, &curve, &err), 0);
        assert_int_equal(curve.count, cases[i].count);
        for (size_t k = 0; k < curve.count; k++)
            assert_true(curve.items[k].boot_ns > from_ns);
        tk_curve_release(&curve);
    }
}

static void no_file_is_an_empty_curve(void **state)
{
    (void)state;
    struct tk_curve curve;
    struct tk_err err;
    assert_int_equal(tk_curve_read(dirfd_of_folder, INT64_MIN, &curve, &err), 0);
    assert_int_equal(curve.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_curve_keeps_lowest_and_highest),
        cmocka_unit_test(rows_are_few_and_keep_a_peak),
        cmocka_unit_test(a_time_without_samples_has_no_rows),
        cmocka_unit_test_setup_teardown(samples_on_disk_come_back_without_those_that_are_damaged,
                                        open_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_was_before_a_time_is_left_out, open_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(no_file_is_an_empty_curve, open_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
