/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/budget.h"

#include "base/clock.h"
#include "tk_test.h"

/* A recorder by a clock of our own. */
struct world {
    struct tk_budget budget;
    int64_t now_ns, cpu_ns;
};

static struct world begin(double share)
{
    struct world world = {.now_ns = 1000 * TK_NS_PER_S};
    tk_budget_init(&world.budget, share);
    assert_false(tk_budget_step(&world.budget, world.now_ns, world.cpu_ns));
    return world;
}

/* Live for some seconds, taking `share` of a CPU; returns how often the pace changed. */
static int live(struct world *world, int seconds, double share)
{
    int changes = 0;
    for (int i = 0; i < seconds; i++) {
        world->now_ns += TK_NS_PER_S;
        world->cpu_ns += (int64_t)(share * TK_NS_PER_S);
        changes += tk_budget_step(&world->budget, world->now_ns, world->cpu_ns);
    }
    return changes;
}

static void without_a_budget_nothing_is_stretched(void **state)
{
    (void)state;
    struct world world = begin(0);
    assert_int_equal(live(&world, 600, 1.0), 0);
    assert_int_equal(world.budget.pace.slow, 1);
    assert_int_equal(world.budget.pace.detail, 1);
}

static void slow_readings_are_stretched_first(void **state)
{
    (void)state;
    static const struct tk_pace steps[] = {{1, 2}, {1, 4}, {1, 8}, {2, 8}, {4, 8}, {8, 8}};
    struct world world = begin(0.01);
    for (size_t i = 0; i < TK_COUNTOF(steps); i++) {
        assert_int_equal(live(&world, 5, 0.02), 1);
        assert_int_equal(world.budget.pace.slow, steps[i].slow);
        assert_int_equal(world.budget.pace.detail, steps[i].detail);
    }
    assert_int_equal(world.budget.over, 0);
    /* The end: said, and no further. */
    assert_int_equal(live(&world, 50, 0.02), 0);
    assert_int_equal(world.budget.over, 10);
    assert_int_equal(world.budget.changes, TK_COUNTOF(steps));
}

static void within_the_budget_the_pace_stays(void **state)
{
    (void)state;
    struct world world = begin(0.01);
    assert_int_equal(live(&world, 5, 0.011), 1);
    assert_int_equal(live(&world, 3600, 0.009), 0);
    assert_int_equal(world.budget.level, 1);
}

static void a_burst_that_the_budget_covers_is_no_reason(void **state)
{
    (void)state;
    struct world world = begin(0.01);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(live(&world, 1, 0.03), 0);
        assert_int_equal(live(&world, 4, 0.001), 0);
    }
}

static void steps_are_taken_back_when_there_is_room(void **state)
{
    (void)state;
    struct world world = begin(0.01);
    assert_int_equal(live(&world, 15, 0.05), 3);
    assert_int_equal(world.budget.pace.slow, 8);
    assert_int_equal(live(&world, 29, 0.001), 0);
    assert_int_equal(live(&world, 1, 0.001), 1);
    assert_int_equal(world.budget.pace.slow, 4);
    assert_int_equal(live(&world, 60, 0.001), 2);
    assert_int_equal(world.budget.level, 0);
    assert_int_equal(live(&world, 600, 0.001), 0);
    assert_int_equal(world.budget.changes, 6);
}

/* A load for which the one pace is too dear and the other leaves room. */
static void it_does_not_swing_to_and_fro(void **state)
{
    (void)state;
    struct world world = begin(0.01);
    int changes = 0;
    for (int i = 0; i < 3600 / 5; i++)
        changes += live(&world, 5, world.budget.level == 0 ? 0.011 : 0.002);
    assert_true(changes > 2 && changes <= 24);
}

static void a_clock_that_stood_still_does_no_harm(void **state)
{
    (void)state;
    struct world world = begin(0.01);
    for (int i = 0; i < 10; i++)
        assert_false(tk_budget_step(&world.budget, world.now_ns, world.cpu_ns += TK_NS_PER_S));
}

/* Spend pieces of `piece_ns`, each tick as long as there is any; returns what was spent. */
static int64_t spend(struct tk_allowance *allowance, int64_t tick_ns, int ticks, int64_t piece_ns)
{
    int64_t spent_ns = 0;
    int64_t now_ns = allowance->since_ns;
    for (int i = 0; i < ticks; i++) {
        now_ns += tick_ns;
        for (int64_t left_ns = tk_allowance_earn(allowance, now_ns); left_ns > 0;
             left_ns -= piece_ns) {
            allowance->credit_ns -= piece_ns;
            spent_ns += piece_ns;
        }
    }
    return spent_ns;
}

static struct tk_allowance begin_allowance(void)
{
    struct tk_allowance allowance = {.share = 0.02, .most_ns = 20 * TK_NS_PER_MS};
    assert_int_equal(tk_allowance_earn(&allowance, 1000 * TK_NS_PER_S), 0);
    return allowance;
}

static void an_allowance_is_a_share_of_the_time_at_any_rate(void **state)
{
    (void)state;
    static const int64_t ticks_ns[] = {TK_NS_PER_MS, 10 * TK_NS_PER_MS, TK_NS_PER_S};
    for (size_t i = 0; i < TK_COUNTOF(ticks_ns); i++) {
        struct tk_allowance allowance = begin_allowance();
        int ticks = (int)(10 * TK_NS_PER_S / ticks_ns[i]);
        int64_t spent_ns = spend(&allowance, ticks_ns[i], ticks, 70 * TK_NS_PER_US);
        assert_in_range(spent_ns, 199 * TK_NS_PER_MS, 201 * TK_NS_PER_MS);
    }
}

static void an_overdraft_is_earned_before_more_is_spent(void **state)
{
    (void)state;
    struct tk_allowance allowance = begin_allowance();
    assert_int_equal(spend(&allowance, 10 * TK_NS_PER_MS, 1, 3 * TK_NS_PER_MS), 3 * TK_NS_PER_MS);
    assert_int_equal(spend(&allowance, 10 * TK_NS_PER_MS, 14, TK_NS_PER_MS), 0);
    assert_int_equal(spend(&allowance, 10 * TK_NS_PER_MS, 1, TK_NS_PER_MS), TK_NS_PER_MS);
}

static void an_allowance_that_is_not_used_does_not_pile_up(void **state)
{
    (void)state;
    struct tk_allowance allowance = begin_allowance();
    assert_int_equal(spend(&allowance, 3600 * TK_NS_PER_S, 1, TK_NS_PER_MS), 20 * TK_NS_PER_MS);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_budget_nothing_is_stretched),
        cmocka_unit_test(slow_readings_are_stretched_first),
        cmocka_unit_test(within_the_budget_the_pace_stays),
        cmocka_unit_test(a_burst_that_the_budget_covers_is_no_reason),
        cmocka_unit_test(steps_are_taken_back_when_there_is_room),
        cmocka_unit_test(it_does_not_swing_to_and_fro),
        cmocka_unit_test(a_clock_that_stood_still_does_no_harm),
        cmocka_unit_test(an_allowance_is_a_share_of_the_time_at_any_rate),
        cmocka_unit_test(an_overdraft_is_earned_before_more_is_spent),
        cmocka_unit_test(an_allowance_that_is_not_used_does_not_pile_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
