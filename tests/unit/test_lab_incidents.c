/* SPDX-License-Identifier: Apache-2.0 */
#include "lab/incidents.h"

#include <errno.h>

#include "tk_test.h"

static void there_are_six_incidents_with_their_commands(void **state)
{
    (void)state;
    static const struct {
        const char *name, *command;
    } expected[] = {
        {"packet_loss", "tc qdisc add dev eth0 root netem loss 50%"},
        {"latency", "tc qdisc add dev eth0 root netem delay 100ms 20ms distribution normal"},
        {"crush", NULL},
        {"cpu_load", "stress --cpu 1 --timeout 60s"},
        {"memory_stress", "stress --vm 4 --vm-bytes 256M --timeout 60s"},
        {"disk_io_stress", "stress --io 4 --timeout 60s"},
    };
    for (size_t i = 0; i < TK_COUNTOF(expected); i++) {
        const struct tk_lab_incident *incident = &tk_lab_incidents[i];
        assert_string_equal(incident->name, expected[i].name);
        if (expected[i].command)
            assert_string_equal(incident->command, expected[i].command);
        assert_int_equal(incident->package == NULL, expected[i].command == NULL);
    }
    assert_null(tk_lab_incidents[TK_COUNTOF(expected)].name);
}

/* A name is found with its ratio, or refused with a message. */
static void assert_found(const char *name, const char *message, double expected)
{
    const struct tk_lab_incident *incident = NULL;
    double ratio = 0;
    struct tk_err err = {0};
    assert_int_equal(tk_lab_incident_find(name, &incident, &ratio, &err), message ? -EINVAL : 0);
    assert_string_equal(err.msg, message ? message : "");
    assert_near(ratio, expected, 0);
}

static void a_name_has_a_ratio_behind_it(void **state)
{
    (void)state;
    static const struct {
        const char *name, *message;
        double ratio;
    } cases[] = {
        {"packet_loss-0.2", NULL, 0.2},
        {"crush-1.0", NULL, 1},
        {"latency", "'latency': expected a ratio of containers behind it, as in latency-0.2", 0},
        {"latency-0", "'latency-0': expected a ratio of containers behind it, as in latency-0.2",
         0},
        {"latency-1.1",
         "'latency-1.1': expected a ratio of containers behind it, as in latency-0.2", 0},
        {"crash-0.5", "'crash' is no incident: did you mean 'crush'?", 0},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++)
        assert_found(cases[i].name, cases[i].message, cases[i].ratio);
}

static void a_part_of_the_containers_is_chosen_rounded_up(void **state)
{
    (void)state;
    static const struct {
        size_t count, chosen;
        double ratio;
    } cases[] = {{10, 3, 0.3}, {10, 10, 1}, {7, 1, 0.1}, {27, 6, 0.2}, {1, 1, 0.1}, {0, 0, 0.5}};
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        size_t chosen[32];
        size_t n = tk_lab_incident_choose(cases[i].count, cases[i].ratio, i, chosen);
        assert_int_equal(n, cases[i].chosen);
        for (size_t k = 0; k < n; k++)
            assert_in_range(chosen[k], k > 0 ? chosen[k - 1] + 1 : 0, cases[i].count - 1);
    }
}

static void each_container_is_chosen_as_often(void **state)
{
    (void)state;
    size_t counts[5] = {0};
    size_t chosen[5];
    for (uint64_t seed = 0; seed < 5000; seed++) {
        size_t n = tk_lab_incident_choose(5, 0.4, seed, chosen);
        for (size_t i = 0; i < n; i++)
            counts[chosen[i]]++;
    }
    for (size_t i = 0; i < 5; i++)
        assert_in_range(counts[i], 1850, 2150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_are_six_incidents_with_their_commands),
        cmocka_unit_test(a_name_has_a_ratio_behind_it),
        cmocka_unit_test(a_part_of_the_containers_is_chosen_rounded_up),
        cmocka_unit_test(each_container_is_chosen_as_often),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
