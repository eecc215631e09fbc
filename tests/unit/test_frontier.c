/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/frontier.h"

#include <errno.h>
#include <math.h>

#include "base/compiler.h"
#include "tk_test.h"

/* A file of `fixed` bytes and `slope` a share; counts how often it is asked. */
struct file_size {
    double fixed, slope;
    int asked;
    int failure;
};

static int size_of(void *context, double share, uint64_t *ret_bytes, struct tk_err *err)
{
    struct file_size *file = context;
    file->asked++;
    assert_true(share > 0 && share <= 1);
    if (file->failure < 0)
        return tk_fail(err, file->failure, "no");
    *ret_bytes = (uint64_t)(file->fixed + file->slope * share);
    return 0;
}

static void the_largest_share_that_fits_is_found(void **state)
{
    (void)state;
    static const struct {
        double fixed, slope, guess;
        uint64_t budget;
    } cases[] = {
        {0, 1e6, 0.1, 100000},     {0, 1e6, 1, 1000},   {500, 1e6, 0.0001, 300000},
        {90000, 1e6, 0.5, 100000}, {0, 1e9, 0.3, 5000}, {20, 1e5, 0.00001, 99000},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_err err;
        double share;
        uint64_t bytes;
        struct file_size file = {cases[i].fixed, cases[i].slope, 0, 0};
        const struct tk_share_size size = {size_of, &file, 1e-6, cases[i].guess};
        assert_int_equal(tk_share_find(&size, cases[i].budget, &share, &bytes, &err), 0);
        assert_true(bytes <= cases[i].budget);
        assert_true((double)bytes >= 0.9 * (double)cases[i].budget);
        assert_true(file.asked <= 10);
    }
}

static void all_fits_into_a_large_budget(void **state)
{
    (void)state;
    struct tk_err err;
    double share;
    uint64_t bytes;
    struct file_size file = {10, 1000, 0, 0};
    const struct tk_share_size size = {size_of, &file, 0.001, 0.2};
    assert_int_equal(tk_share_find(&size, 5000, &share, &bytes, &err), 0);
    assert_near(share, 1, 0);
    assert_int_equal(bytes, 1010);
}

static void what_does_not_fit_at_all_says_what_it_takes(void **state)
{
    (void)state;
    struct tk_err err;
    double share;
    uint64_t bytes;
    struct file_size file = {5000, 1000, 0, 0};
    const struct tk_share_size size = {size_of, &file, 0.001, 0.2};
    assert_int_equal(tk_share_find(&size, 100, &share, &bytes, &err), 1);
    assert_int_equal(bytes, 5001);
}

static void a_failure_is_passed_on(void **state)
{
    (void)state;
    struct tk_err err;
    double share;
    uint64_t bytes;
    struct file_size file = {0, 1, 0, -ENOMEM};
    const struct tk_share_size size = {size_of, &file, 0.001, 0.2};
    assert_int_equal(tk_share_find(&size, 100, &share, &bytes, &err), -ENOMEM);
}

static void an_interval_is_students(void **state)
{
    (void)state;
    const double five[] = {1, 2, 3, 4, 5};
    struct tk_spread spread = tk_spread_of(five, 5);
    assert_near(spread.mean, 3, 1e-12);
    assert_near(spread.high - spread.mean, 2.776 * sqrt(2.5 / 5), 1e-3);
    assert_near(spread.mean - spread.low, spread.high - spread.mean, 1e-12);
}

static void few_runs_have_no_interval_and_none_no_mean(void **state)
{
    (void)state;
    const double values[] = {(double)NAN, 7, (double)NAN};
    struct tk_spread one = tk_spread_of(values, 3);
    assert_int_equal(one.runs, 1);
    assert_near(one.mean, 7, 0);
    assert_near(one.high, 7, 0);
    assert_true(isnan(tk_spread_of(values, 1).mean));
    assert_int_equal(tk_spread_of(NULL, 0).runs, 0);
}

static void costs_follow_the_published_models(void **state)
{
    (void)state;
    /* A million traces of 47 bytes cost 47 MB at $0.32 a GB. */
    assert_near(tk_cost_of(&tk_cost_models[0], 47e6, 0, 1e6, 8e6), 0.01504, 1e-9);
    /* A million spans of 10 bytes and an hour of CPU. */
    assert_near(tk_cost_of(&tk_cost_models[1], 10e6, 3600, 1e5, 1e6), 0.001 + 0.16, 1e-9);
    assert_true(isnan(tk_cost_of(&tk_cost_models[0], 1, 1, 0, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_share_that_fits_is_found),
        cmocka_unit_test(all_fits_into_a_large_budget),
        cmocka_unit_test(what_does_not_fit_at_all_says_what_it_takes),
        cmocka_unit_test(a_failure_is_passed_on),
        cmocka_unit_test(an_interval_is_students),
        cmocka_unit_test(few_runs_have_no_interval_and_none_no_mean),
        cmocka_unit_test(costs_follow_the_published_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
