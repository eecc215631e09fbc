/* SPDX-License-Identifier: Apache-2.0 */
#include "tk_test.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "opendc/sweep.h"

static void criteria_say_name_direction_and_weight(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct tk_sweep_criterion criterion;
    } rows[] = {
        {"makespan", {TK_SWEEP_MAKESPAN, false, 1}},
        {"utilisation", {TK_SWEEP_UTILISATION, true, 1}},
        {"utilisation:asc", {TK_SWEEP_UTILISATION, false, 1}},
        {"wait_p95:desc:2.5", {TK_SWEEP_WAIT_P95, true, 2.5}},
    };
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        struct tk_sweep_criterion criterion;
        struct tk_err err;
        assert_int_equal(tk_sweep_criterion_parse(rows[i].text, &criterion, &err), 0);
        assert_int_equal(criterion.figure, rows[i].criterion.figure);
        assert_int_equal(criterion.is_more_better, rows[i].criterion.is_more_better);
        assert_near(criterion.weight, rows[i].criterion.weight, 1e-12);
    }
}

static void what_is_no_criterion_is_an_error(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"makespan:up", "'makespan:up': expected asc or desc after the name"},
        {"makespan:asc:0", "'makespan:asc:0': the weight is no number above 0"},
        {"makespan:asc:nan", "'makespan:asc:nan': the weight is no number above 0"},
        {"makespan:asc:", "'makespan:asc:': the weight is no number above 0"},
        {"makes",
         "'makes' is no criterion: expected NAME[:asc|desc[:WEIGHT]], NAME one of wait_p95, "
         "wait_mean, turnaround_p95, turnaround_mean, makespan, energy_per_task, utilisation"},
    };
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        struct tk_sweep_criterion criterion;
        struct tk_err err;
        assert_int_equal(tk_sweep_criterion_parse(rows[i].text, &criterion, &err), -EINVAL);
        assert_string_equal(err.msg, rows[i].message);
    }
}

/* Scenarios a, b, c, ... of a makespan and an energy. */
static void fill(struct tk_sweep *sweep, const double (*figures)[2], size_t count)
{
    *sweep = (struct tk_sweep){.items = calloc(count, sizeof(*sweep->items)), .count = count};
    assert_non_null(sweep->items);
    for (size_t i = 0; i < count; i++) {
        sweep->items[i].path[0] = (char)('a' + i);
        sweep->items[i].figures[TK_SWEEP_MAKESPAN] = figures[i][0];
        sweep->items[i].figures[TK_SWEEP_ENERGY] = figures[i][1];
    }
}

/* "a1 b1 c2": paths in order, with their ranks. */
static void expect_ranks(const struct tk_sweep *sweep, const char *expected)
{
    char text[200] = "";
    for (size_t i = 0; i < sweep->count; i++) {
        size_t used = strlen(text);
        (void)snprintf(text + used, sizeof(text) - used, "%s%.1s%zu", i > 0 ? " " : "",
                       sweep->items[i].path, sweep->items[i].rank);
    }
    assert_string_equal(text, expected);
}

static void scenarios_are_ranked(void **state)
{
    (void)state;
    static const double figures[][2] = {{10, 90}, {20, 20}, {30, 10}, {30, 30}, {40, 95}, {20, 20}};
    static const struct {
        enum tk_sweep_order order;
        double weights[2];
        const char *ranks;
    } rows[] = {
        /* d is beaten by b, e by all. Within a front by score. */
        {TK_ORDER_PARETO, {1, 1}, "b1 f1 c1 a1 d2 e3"},
        {TK_ORDER_SUM, {1, 1}, "b1 f1 c3 d4 a5 e6"},
        {TK_ORDER_SUM, {9, 1}, "a1 b2 f2 c4 d5 e6"},
        {TK_ORDER_LEX, {1, 1}, "a1 b2 f2 c4 d5 e6"},
    };
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        TK_CLEANUP(tk_sweep_release) struct tk_sweep sweep;
        struct tk_err err;
        const struct tk_sweep_criterion criteria[] = {
            {TK_SWEEP_MAKESPAN, false, rows[i].weights[0]},
            {TK_SWEEP_ENERGY, false, rows[i].weights[1]}};
        fill(&sweep, figures, TK_COUNTOF(figures));
        assert_int_equal(tk_sweep_rank(&sweep, rows[i].order, criteria, 2, &err), 0);
        expect_ranks(&sweep, rows[i].ranks);
    }
}

static void more_may_be_better(void **state)
{
    (void)state;
    static const double figures[][2] = {{10, 0}, {20, 0}, {30, 0}};
    const struct tk_sweep_criterion most = {TK_SWEEP_MAKESPAN, true, 1};
    for (int order = TK_ORDER_PARETO; order <= TK_ORDER_LEX; order++) {
        TK_CLEANUP(tk_sweep_release) struct tk_sweep sweep;
        struct tk_err err;
        fill(&sweep, figures, TK_COUNTOF(figures));
        assert_int_equal(tk_sweep_rank(&sweep, (enum tk_sweep_order)order, &most, 1, &err), 0);
        expect_ranks(&sweep, "c1 b2 a3");
    }
}

static void what_lacks_a_figure_is_worst_in_it(void **state)
{
    (void)state;
    static const double figures[][2] = {{10, (double)NAN}, {20, 50}, {10, (double)NAN}};
    const struct tk_sweep_criterion criteria[] = {{TK_SWEEP_ENERGY, false, 1},
                                                  {TK_SWEEP_UTILISATION, true, 1}};
    TK_CLEANUP(tk_sweep_release) struct tk_sweep sweep;
    struct tk_err err;
    fill(&sweep, figures, TK_COUNTOF(figures));
    assert_int_equal(tk_sweep_rank(&sweep, TK_ORDER_SUM, criteria, 1, &err), 0);
    expect_ranks(&sweep, "b1 a2 c2");
    for (size_t i = 0; i < sweep.count; i++)
        sweep.items[i].figures[TK_SWEEP_UTILISATION] = (double)NAN;
    assert_int_equal(tk_sweep_rank(&sweep, TK_ORDER_SUM, criteria, 2, &err), -ENODATA);
    assert_string_equal(err.msg, "utilisation: no scenario has it: its host.parquet is missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(criteria_say_name_direction_and_weight),
        cmocka_unit_test(what_is_no_criterion_is_an_error),
        cmocka_unit_test(scenarios_are_ranked),
        cmocka_unit_test(more_may_be_better),
        cmocka_unit_test(what_lacks_a_figure_is_worst_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
