/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/merge.h"

#include <errno.h>
#include <math.h>

#include "tk_test.h"

static struct tk_lab_picks merge_exp(uint32_t benign, uint32_t incident, double lambda,
                                     uint64_t seed)
{
    const struct tk_lab_exp options = {.lambda = lambda, .least = 3000, .seed = seed};
    struct tk_lab_picks picks = {0};
    struct tk_err err;
    assert_int_equal(tk_lab_merge_exp(benign, incident, &options, &picks, &err), 0);
    return picks;
}

static void incident_traces_come_from_the_end_in_the_place_of_benign_ones(void **state)
{
    (void)state;
    struct tk_lab_picks picks = merge_exp(10000, 5000, 0.1, 1);
    uint32_t next = 5000;
    assert_int_equal(picks.count, 10000);
    for (size_t i = 0; i < picks.count; i++) {
        const struct tk_lab_pick *pick = &picks.items[i];
        assert_int_equal(pick->trace, pick->is_incident ? --next : i);
    }
    /* Each incident trace stands for the ceiling of an exponential of mean 10 and itself: one of
     * 1 + 1 / (1 - e^-.1) = 11.5 traces. */
    assert_near((5000.0 - next) / 10000, 1 / (1 + 1 / (1 - exp(-0.1))), 0.01);
    tk_lab_picks_release(&picks);
}

static void the_same_seed_gives_the_same(void **state)
{
    (void)state;
    struct tk_lab_picks first = merge_exp(1000, 500, 0.2, 7);
    struct tk_lab_picks again = merge_exp(1000, 500, 0.2, 7);
    struct tk_lab_picks other = merge_exp(1000, 500, 0.2, 8);
    size_t same = 0;
    for (size_t i = 0; i < first.count; i++) {
        assert_int_equal(first.items[i].is_incident, again.items[i].is_incident);
        same += first.items[i].is_incident == other.items[i].is_incident;
    }
    assert_true(same < first.count);
    tk_lab_picks_release(&first);
    tk_lab_picks_release(&again);
    tk_lab_picks_release(&other);
}

static void running_out_is_an_end_only_after_enough(void **state)
{
    (void)state;
    struct tk_lab_exp options = {.lambda = 0.2, .least = 300, .seed = 1};
    struct tk_lab_picks picks = {0};
    struct tk_err err;
    assert_int_equal(tk_lab_merge_exp(10000, 100, &options, &picks, &err), 0);
    assert_in_range(picks.count, 301, 1000);
    assert_true(picks.items[picks.count - 1].trace > 0);
    tk_lab_picks_release(&picks);
    options.least = 3000;
    assert_int_equal(tk_lab_merge_exp(10000, 100, &options, &picks, &err), -ENODATA);
    assert_non_null(strstr(err.msg, "all 100 traces of the incident are used after"));
    options.lambda = 0;
    assert_int_equal(tk_lab_merge_exp(1, 1, &options, &picks, &err), -EINVAL);
}

static void a_window_holds_the_incident_alone(void **state)
{
    (void)state;
    static const int64_t benign_ns[] = {0, 10, 20, 30, 40};
    static const int64_t incident_ns[] = {1005, 1012, 1019, 1025};
    static const struct tk_lab_pick expected[] = {{false, 0}, {false, 1}, {true, 0},
                                                  {true, 1},  {true, 2},  {false, 4}};
    const struct tk_lab_starts benign = {benign_ns, 5};
    const struct tk_lab_starts incident = {incident_ns, 4};
    const struct tk_lab_window window = {15, 20};
    struct tk_lab_picks picks = {0};
    int64_t shift_ns;
    struct tk_err err;
    assert_int_equal(tk_lab_merge_window(&benign, &incident, &window, &shift_ns, &picks, &err), 0);
    assert_int_equal(shift_ns, -990);
    assert_int_equal(picks.count, TK_COUNTOF(expected));
    for (size_t i = 0; i < picks.count; i++) {
        assert_int_equal(picks.items[i].is_incident, expected[i].is_incident);
        assert_int_equal(picks.items[i].trace, expected[i].trace);
    }
    tk_lab_picks_release(&picks);
    const struct tk_lab_starts none = {incident_ns, 0};
    assert_int_equal(tk_lab_merge_window(&benign, &none, &window, &shift_ns, &picks, &err),
                     -ENODATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(incident_traces_come_from_the_end_in_the_place_of_benign_ones),
        cmocka_unit_test(the_same_seed_gives_the_same),
        cmocka_unit_test(running_out_is_an_end_only_after_enough),
        cmocka_unit_test(a_window_holds_the_incident_alone),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
