/* SPDX-License-Identifier: Apache-2.0 */
#include "tk_test.h"

#include <math.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "opendc/compat.h"
#include "opendc/fragments.h"

#define MS 1000000LL

static const struct tk_fragment_rules four_cores = {.cores = 4,
                                                    .mhz = 2400,
                                                    .floor_mhz = TK_FLOOR_MHZ,
                                                    .epsilon = TK_EPSILON,
                                                    .longest_ms = TK_LONGEST_MS};

static void cut(struct tk_fragments *out, struct tk_fragment_sums *sums, int64_t *at_ms,
                int64_t *cpu_ns, size_t count)
{
    struct tk_course course = {at_ms, cpu_ns, count};
    struct tk_err err;
    assert_int_equal(tk_fragments_cut(out, &course, &four_cores, sums, &err), 0);
}

/* Specification, section 18: cumulative CPU 450, 950, 1950 ms, exact total 2400. */
static void example_of_the_specification(void **state)
{
    (void)state;
    int64_t at_ms[] = {100, 1000, 2000, 3000, 3600};
    int64_t cpu_ns[] = {0, 450 * MS, 950 * MS, 1950 * MS, 2400 * MS};
    TK_CLEANUP(tk_fragments_release) struct tk_fragments out = {0};
    struct tk_fragment_sums sums = {0};
    cut(&out, &sums, at_ms, cpu_ns, 5);
    const struct {
        int64_t duration_ms;
        double mhz;
    } expected[] = {{1900, 1200}, {1000, 2400}, {600, 1800}};
    assert_int_equal(out.count, TK_COUNTOF(expected));
    double work = 0;
    for (size_t i = 0; i < out.count; i++) {
        assert_int_equal(out.items[i].duration_ms, expected[i].duration_ms);
        assert_near(out.items[i].mhz, expected[i].mhz, 1e-9);
        work += out.items[i].mhz * (double)out.items[i].duration_ms;
    }
    assert_near(work, 5760000, 1e-3);
    assert_int_equal(sums.joined, 1);
    double cores;
    struct tk_err err;
    assert_int_equal(tk_fragments_quantile(&out, 0.95, &cores, &err), 0);
    assert_near(cores, 1, 1e-12);
}

static void floors_of_the_specification(void **state)
{
    (void)state;
    const struct {
        int64_t duration_ms;
        double before_mhz, floor_mhz;
    } rows[] = {{1000, 0, 0.1}, {20, 0, 0.1},        {10, 0, 0.2},      {5, 0, 0.4},
                {1, 0, 2},      {1000, 2400, 2.424}, {20, 2400, 121.2}, {5, 2400, 484.8}};
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        assert_near(tk_fragment_floor(rows[i].duration_ms, rows[i].before_mhz, TK_FLOOR_MHZ),
                    rows[i].floor_mhz, 1e-12);
    }
}

static void idle_time_after_a_busy_fragment_is_raised(void **state)
{
    (void)state;
    int64_t at_ms[] = {0, 1900, 2900, 3500};
    int64_t cpu_ns[] = {0, 950 * MS, 950 * MS, 1400 * MS};
    TK_CLEANUP(tk_fragments_release) struct tk_fragments out = {0};
    struct tk_fragment_sums sums = {0};
    cut(&out, &sums, at_ms, cpu_ns, 4);
    assert_int_equal(out.count, 3);
    assert_near(out.items[1].mhz, 1.212, 1e-9);
    assert_int_equal(sums.floored, 1);
    assert_near(sums.floor_mhz_ms, 1212, 1e-6);
}

static void a_nudged_usage_keeps_its_duration(void **state)
{
    (void)state;
    /* 1000 ms at 2.41 MHz take 999 (specification, section 6). */
    assert_true((int64_t)((2.41 * 1000) / 2.41) < 1000);
    double mhz = tk_fragment_nudge(1000, 2.41);
    assert_true(mhz > 2.41 && mhz < 2.4100001);
    assert_int_equal((int64_t)((mhz * 1000) / mhz), 1000);
}

static void demand_above_the_host_is_clamped_and_counted(void **state)
{
    (void)state;
    int64_t at_ms[] = {0, 100};
    int64_t cpu_ns[] = {0, 500 * MS};
    TK_CLEANUP(tk_fragments_release) struct tk_fragments out = {0};
    struct tk_fragment_sums sums = {0};
    cut(&out, &sums, at_ms, cpu_ns, 2);
    assert_int_equal(out.items[0].cpu_ns, 400 * MS);
    assert_near(out.items[0].mhz, 9600, 1e-6);
    assert_int_equal(sums.clamped_ns, 100 * MS);
}

static void long_fragments_are_split_without_loss(void **state)
{
    (void)state;
    int64_t at_ms[] = {0, 2 * TK_LONGEST_MS + 7};
    int64_t cpu_ns[] = {0, 1234567890123};
    TK_CLEANUP(tk_fragments_release) struct tk_fragments out = {0};
    struct tk_fragment_sums sums = {0};
    cut(&out, &sums, at_ms, cpu_ns, 2);
    assert_int_equal(out.count, 3);
    int64_t duration_ms = 0;
    int64_t sum_ns = 0;
    for (size_t i = 0; i < out.count; i++) {
        assert_true(out.items[i].duration_ms <= TK_LONGEST_MS);
        duration_ms += out.items[i].duration_ms;
        sum_ns += out.items[i].cpu_ns;
    }
    assert_int_equal(duration_ms, at_ms[1]);
    assert_int_equal(sum_ns, cpu_ns[1]);
}

static void busy_and_idle_never_join(void **state)
{
    (void)state;
    int64_t at_ms[] = {0, 1000, 2000, 3000};
    int64_t cpu_ns[] = {0, 1 * MS, 1 * MS, 2 * MS}; /* 0.001 cores: within epsilon of nothing */
    TK_CLEANUP(tk_fragments_release) struct tk_fragments out = {0};
    struct tk_fragment_sums sums = {0};
    cut(&out, &sums, at_ms, cpu_ns, 4);
    assert_int_equal(out.count, 3);
}

/* What OpenDC does with a fragment under Perfect, alone on its host: section 6. */
static int64_t finish_under_perfect(const struct tk_fragments *fragments)
{
    int64_t finish_ms = 0;
    double supply = 0;
    for (size_t i = 0; i < fragments->count; i++) {
        const struct tk_fragment *at = &fragments->items[i];
        double work = at->mhz * (double)at->duration_ms;
        if (work < supply * 1)
            continue;
        finish_ms += (int64_t)(work / at->mhz);
        supply = at->mhz;
    }
    return finish_ms;
}

/* I1, I2, I3 and the finish under Perfect on series that nobody chose. */
static void invariants_hold_on_random_courses(void **state)
{
    (void)state;
    enum { CUTS = 300 };
    uint64_t seed = 42;
    for (int round = 0; round < 200; round++) {
        int64_t at_ms[CUTS + 1] = {1758000000000};
        int64_t cpu_ns[CUTS + 1] = {0};
        for (int i = 1; i <= CUTS; i++) {
            seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
            int64_t duration_ms = 1 + (int64_t)(seed >> 33) % 1000;
            seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
            int64_t most_ns = 4 * duration_ms * MS;
            int64_t used_ns = (seed >> 60) < 6 ? 0 : (int64_t)((seed >> 20) % (uint64_t)most_ns);
            at_ms[i] = at_ms[i - 1] + duration_ms;
            cpu_ns[i] = cpu_ns[i - 1] + used_ns;
        }
        TK_CLEANUP(tk_fragments_release) struct tk_fragments out = {0};
        struct tk_fragment_sums sums = {0};
        cut(&out, &sums, at_ms, cpu_ns, CUTS + 1);
        int64_t duration_ms = 0;
        int64_t sum_ns = 0;
        double work = 0;
        for (size_t i = 0; i < out.count; i++) {
            const struct tk_fragment *at = &out.items[i];
            assert_true(at->duration_ms >= 1 && isfinite(at->mhz));
            assert_true(at->mhz >= TK_FLOOR_MHZ && at->mhz <= 9600 * (1 + 1e-9));
            duration_ms += at->duration_ms;
            sum_ns += at->cpu_ns;
            work += at->mhz * (double)at->duration_ms;
        }
        assert_int_equal(duration_ms, at_ms[CUTS] - at_ms[0]);
        assert_int_equal(sum_ns, cpu_ns[CUTS]);
        double expected = (double)cpu_ns[CUTS] / 1e6 * 2400;
        assert_near(work - sums.floor_mhz_ms - sums.nudge_mhz_ms, expected, expected * 1e-9);
        assert_int_equal(finish_under_perfect(&out), duration_ms);
    }
}

/* Compatibility, section 18 -------------------------------------------------------------- */

struct compat_case {
    enum tk_compat compat;
    bool has_cap;
    struct tk_compat_row rows[2];
    size_t row_count;
    int64_t end_ms;
    double mhz;
    int64_t durations[3];
    double usages[3];
    size_t count;
    int32_t cpu_count;
    double capacity;
};

static void formulas_of_both_generations(void **state)
{
    (void)state;
    static const struct compat_case cases[] = {
        {TK_COMPAT_GEN1,
         false,
         {{2000, 1000, 500}, {3000, 1000, 1000}},
         2,
         3600,
         2400,
         {900, 1000, 1000},
         {1200, 1200, 2400},
         3,
         1,
         2280},
        {TK_COMPAT_GEN2,
         false,
         {{2000, 1000, 500}, {3000, 1000, 1000}},
         2,
         3600,
         2400,
         {900, 1000, 1000},
         {1200, 1200, 2400},
         3,
         1,
         2400},
        {TK_COMPAT_GEN1, false, {{0}}, 0, 3600, 2400, {3500}, {600}, 1, 1, 600},
        {TK_COMPAT_GEN1, false, {{1100, 1000, 2500}}, 1, 1100, 3000, {1000}, {7500}, 1, 3, 7500},
        {TK_COMPAT_GEN2, false, {{1100, 1000, 2500}}, 1, 1100, 3000, {1000}, {7500}, 1, 2, 7500},
        {TK_COMPAT_GEN2, true, {{1100, 1000, 2500}}, 1, 1100, 3000, {1000}, {7500}, 1, 2, 4800},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        const struct compat_case *at = &cases[i];
        struct tk_compat_row copy[2] = {at->rows[0], at->rows[1]};
        struct tk_compat_rows rows = {.items = copy, .count = at->row_count};
        const struct tk_compat_rules rules = {at->compat, at->has_cap, 4, at->mhz};
        struct tk_task task = {.start_ms = 100, .end_ms = at->end_ms};
        TK_CLEANUP(tk_fragments_release) struct tk_fragments out = {0};
        struct tk_err err;
        assert_int_equal(tk_compat_cut(&out, &task, &rows, &rules, &err), 0);
        assert_int_equal(out.count, at->count);
        for (size_t k = 0; k < out.count; k++) {
            assert_int_equal(out.items[k].duration_ms, at->durations[k]);
            assert_near(out.items[k].mhz, at->usages[k], 1e-9);
        }
        assert_int_equal(task.cpu_count, at->cpu_count);
        assert_near(task.cpu_capacity_mhz, at->capacity, 1e-9);
    }
}

static int compare_cpu(const void *a, const void *b)
{
    int64_t first = ((const struct tk_fragment *)a)->cpu_ns;
    int64_t second = ((const struct tk_fragment *)b)->cpu_ns;
    return (first > second) - (first < second);
}

/* Of fragments of equal length, so that their order is that of their CPU time. */
static void quantiles_are_those_of_the_sorted_fragments(void **state)
{
    (void)state;
    unsigned seed = 7;
    struct tk_err err;
    for (size_t count = 1; count < 200; count++) {
        struct tk_fragment items[200];
        for (size_t i = 0; i < count; i++)
            items[i] = (struct tk_fragment){10, (int64_t)(rand_r(&seed) % 40) * MS, 0};
        struct tk_fragments all = {.items = items, .count = count};
        const double shares[] = {0.05, 0.5, 0.95, 1};
        double found[TK_COUNTOF(shares)];
        for (size_t i = 0; i < TK_COUNTOF(shares); i++)
            assert_int_equal(tk_fragments_quantile(&all, shares[i], &found[i], &err), 0);
        qsort(items, count, sizeof(items[0]), compare_cpu);
        for (size_t i = 0; i < TK_COUNTOF(shares); i++) {
            size_t rank = 0;
            while ((double)(rank + 1) * 10 < shares[i] * (double)count * 10)
                rank++;
            assert_near(found[i], (double)items[rank].cpu_ns / (10 * MS), 1e-12);
        }
    }
}

static void a_quantile_is_weighted_by_time(void **state)
{
    (void)state;
    struct tk_fragment items[] = {{900, 900 * MS, 0}, {40, 160 * MS, 0}, {60, 120 * MS, 0}};
    const struct tk_fragments all = {.items = items, .count = TK_COUNTOF(items)};
    struct tk_err err;
    double cores;
    assert_int_equal(tk_fragments_quantile(&all, 0.9, &cores, &err), 0);
    assert_near(cores, 1, 1e-12);
    assert_int_equal(tk_fragments_quantile(&all, 0.95, &cores, &err), 0);
    assert_near(cores, 2, 1e-12);
    assert_int_equal(tk_fragments_quantile(&all, 0.97, &cores, &err), 0);
    assert_near(cores, 4, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example_of_the_specification),
        cmocka_unit_test(floors_of_the_specification),
        cmocka_unit_test(idle_time_after_a_busy_fragment_is_raised),
        cmocka_unit_test(a_nudged_usage_keeps_its_duration),
        cmocka_unit_test(demand_above_the_host_is_clamped_and_counted),
        cmocka_unit_test(long_fragments_are_split_without_loss),
        cmocka_unit_test(busy_and_idle_never_join),
        cmocka_unit_test(invariants_hold_on_random_courses),
        cmocka_unit_test(quantiles_are_those_of_the_sorted_fragments),
        cmocka_unit_test(a_quantile_is_weighted_by_time),
        cmocka_unit_test(formulas_of_both_generations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
