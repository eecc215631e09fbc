/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/cells.h"

#include <math.h>

#include "base/hash.h"
#include "tk_test.h"

static struct tk_sample_run run_of(const struct tk_sample *items, size_t count)
{
    return (struct tk_sample_run){items, count};
}

static void sums_stand_by_key_and_side_in_the_order_of_coming(void **state)
{
    (void)state;
    struct tk_cells cells = {0};
    struct tk_err err;
    for (int64_t i = 0; i < 10000; i++) {
        assert_int_equal(tk_cells_add(&cells, &(struct tk_cell_key){{-i, i / 2, 7}}, TK_SIDE_A, 1),
                         i);
        assert_int_equal(tk_cells_add(&cells, &(struct tk_cell_key){{-i, i / 2, 7}}, TK_SIDE_B, 2),
                         i);
    }
    assert_int_equal(tk_cells_check(&cells, &err), 0);
    uint32_t at = tk_cells_find(&cells, &(struct tk_cell_key){{-77, 38, 7}});
    assert_int_equal(at, 77);
    assert_near(cells.items[at].sums[TK_SIDE_A], 1, 0);
    assert_near(cells.items[at].sums[TK_SIDE_B], 2, 0);
    assert_int_equal(tk_cells_find(&cells, &(struct tk_cell_key){{-77, 38, 8}}), TK_CELL_NONE);
    tk_cells_sort(&cells);
    assert_int_equal(cells.items[0].key.part[0], -9999);
    tk_cells_reset(&cells);
    assert_int_equal(tk_cells_find(&cells, &(struct tk_cell_key){{0, 0, 7}}), TK_CELL_NONE);
    assert_int_equal(tk_cells_add(&cells, &(struct tk_cell_key){{5}}, TK_SIDE_A, 1), 0);
    tk_cells_release(&cells);
}

static void f1_is_of_the_sets_of_keys(void **state)
{
    (void)state;
    struct tk_cells cells = {0};
    assert_true(isnan(tk_cells_f1(&cells)));
    tk_cells_add(&cells, &(struct tk_cell_key){{1}}, TK_SIDE_A, 5);
    assert_near(tk_cells_f1(&cells), 0, 0);
    tk_cells_add(&cells, &(struct tk_cell_key){{1}}, TK_SIDE_B, 1);
    assert_near(tk_cells_f1(&cells), 1, 0);
    tk_cells_add(&cells, &(struct tk_cell_key){{2}}, TK_SIDE_B, 1);
    assert_near(tk_cells_f1(&cells), 2.0 / 3, 1e-15);
    tk_cells_release(&cells);
}

static void wasserstein_is_the_area_between_two_distributions(void **state)
{
    (void)state;
    /* As scipy.stats.wasserstein_distance has them. */
    static const struct {
        struct tk_sample a[4], b[4];
        size_t a_count, b_count;
        double distance;
    } cases[] = {
        {{{0, 1, 1}}, {{0, 1, 1}}, 1, 1, 0},
        {{{0, 0, 1}}, {{0, 5, 1}}, 1, 1, 5},
        {{{0, 0, 1}, {0, 1, 1}, {0, 3, 1}}, {{0, 5, 1}, {0, 6, 1}, {0, 8, 1}}, 3, 3, 5},
        {{{0, 0, 3}, {0, 1, 1}}, {{0, 0, 2}, {0, 1, 2}}, 2, 2, 0.25},
        {{{0, 1, 1}, {0, 2, 1}, {0, 3, 1}, {0, 4, 1}},
         {{0, 1, 1}, {0, 2, 1}, {0, 3, 1}, {0, 5, 1}},
         4,
         4,
         0.25},
        {{{0, 2, 10}}, {{0, 1, 1}, {0, 4, 1}}, 1, 2, 1.5},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_sample_run a = run_of(cases[i].a, cases[i].a_count);
        struct tk_sample_run b = run_of(cases[i].b, cases[i].b_count);
        assert_near(tk_samples_w1(&a, &b), cases[i].distance, 1e-15);
        assert_near(tk_samples_w1(&b, &a), cases[i].distance, 1e-15);
    }
}

static void quantiles_are_those_of_numpy(void **state)
{
    (void)state;
    static const struct tk_sample items[] = {{0, 1, 2}, {0, 2, 2}, {0, 4, 2}, {0, 8, 2}};
    static const struct {
        double q, value;
    } cases[] = {{0, 1}, {0.1, 1.3}, {0.5, 3}, {0.9, 6.8}, {1, 8}};
    struct tk_sample_run run = run_of(items, 4);
    for (size_t i = 0; i < TK_COUNTOF(cases); i++)
        assert_near(tk_samples_quantile(&run, cases[i].q), cases[i].value, 1e-12);
    run.count = 1;
    assert_near(tk_samples_quantile(&run, 0.3), 1, 0);
}

static void a_weight_counts_for_as_many_values(void **state)
{
    (void)state;
    static const struct tk_sample heavy[] = {{0, 1, 9}, {0, 100, 1}};
    struct tk_sample_run run = run_of(heavy, 2);
    assert_true(tk_samples_quantile(&run, 0.5) > 1);
    assert_near(tk_samples_quantile(&run, 0), 1, 0);
    assert_near(tk_samples_quantile(&run, 1), 100, 0);
}

static void samples_are_walked_by_cell_and_value(void **state)
{
    (void)state;
    struct tk_samples samples = {0};
    struct tk_err err;
    for (int i = 0; i < 1000; i++)
        tk_samples_add(&samples, (uint32_t)(i % 3) * 2, (double)(997 * i % 1000), 1);
    assert_int_equal(tk_samples_check(&samples, &err), 0);
    tk_samples_sort(&samples);
    size_t at = 0;
    size_t seen = 0;
    for (uint32_t cell = 0; cell < 6; cell++) {
        struct tk_sample_run run = tk_samples_of(&samples, cell, &at);
        assert_int_equal(run.count > 0, cell % 2 == 0);
        for (size_t i = 1; i < run.count; i++)
            assert_true(run.items[i - 1].value <= run.items[i].value);
        seen += run.count;
    }
    assert_int_equal(seen, 1000);
    tk_samples_release(&samples);
}

/* Below the next one, or equal: by cell, value, weight. */
static bool is_before(const struct tk_sample *a, const struct tk_sample *b)
{
    if (a->cell != b->cell)
        return a->cell < b->cell;
    return a->value != b->value ? a->value < b->value : a->weight <= b->weight;
}

static void any_number_of_samples_is_sorted(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 511, 512, 20000};
    for (size_t k = 0; k < TK_COUNTOF(counts); k++) {
        TK_CLEANUP(tk_samples_release) struct tk_samples samples = {0};
        double sum = 0;
        for (size_t i = 0; i < counts[k]; i++) {
            uint64_t bits = tk_hash_mix(i, k);
            double value = (double)(int64_t)(bits % 400) - 200;
            value = value == 0 && i % 2 ? -0.0 : value / (i % 3 ? 1 : 7);
            tk_samples_add(&samples, (uint32_t)(bits >> 40 & 1023), value, 1 + (double)(i % 5));
            sum += value;
        }
        tk_samples_sort(&samples);
        assert_int_equal(samples.count, counts[k]);
        for (size_t i = 0; i < counts[k]; i++) {
            sum -= samples.items[i].value;
            assert_true(i == 0 || is_before(&samples.items[i - 1], &samples.items[i]));
        }
        assert_true(sum < 1e-6 && sum > -1e-6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_stand_by_key_and_side_in_the_order_of_coming),
        cmocka_unit_test(f1_is_of_the_sets_of_keys),
        cmocka_unit_test(wasserstein_is_the_area_between_two_distributions),
        cmocka_unit_test(quantiles_are_those_of_numpy),
        cmocka_unit_test(a_weight_counts_for_as_many_values),
        cmocka_unit_test(samples_are_walked_by_cell_and_value),
        cmocka_unit_test(any_number_of_samples_is_sorted),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
