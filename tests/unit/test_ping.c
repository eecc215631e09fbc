/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/ping.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "base/clock.h"
#include "collect/route.h"
#include "tk_test.h"

static void replies_are_recognised_and_all_else_is_not(void **state)
{
    (void)state;
    static const char v4[] = "\x00\x00\xab\xcd\x12\x34\x00\x05";
    static const char request[] = "\x08\x00\xab\xcd\x12\x34\x00\x05";
    static const char v6[] = "\x81\x00\xab\xcd\x12\x34\x00\x06";
    char raw[28] = "\x45";
    memcpy(raw + 20, v4, 8);
    const struct {
        tk_str packet;
        int family;
        bool raw;
        uint16_t ident;
        int sequence; /* -1 = refused */
    } cases[] = {
        {{v4, 8}, AF_INET, false, 0, 5},        {{v4, 8}, AF_INET, false, 0x9999, 5},
        {{v4, 7}, AF_INET, false, 0, -1},       {{v4, 0}, AF_INET, false, 0, -1},
        {{request, 8}, AF_INET, false, 0, -1},  {{v6, 8}, AF_INET, false, 0, -1},
        {{v6, 8}, AF_INET6, false, 0, 6},       {{v6, 8}, AF_INET6, true, 0x1234, 6},
        {{raw, 28}, AF_INET, true, 0x1234, 5},  {{raw, 28}, AF_INET, true, 0x1235, -1},
        {{raw, 27}, AF_INET, true, 0x1234, -1}, {{raw, 10}, AF_INET, true, 0x1234, -1},
        {{v4, 8}, AF_INET, true, 0x1234, -1},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        uint16_t sequence = 999;
        bool ok = tk_ping_parse(cases[i].packet, cases[i].family, cases[i].raw, cases[i].ident,
                                &sequence);
        assert_int_equal(ok, cases[i].sequence >= 0);
        assert_int_equal(sequence, ok ? cases[i].sequence : 999);
    }
}

static void round_trips_are_summed_up(void **state)
{
    (void)state;
    struct tk_ping ping = {0};
    const double rtts_s[] = {0.003, 0.001, 0.002, 0.010};
    tk_ping_summarise(rtts_s, 4, &ping);
    assert_int_equal(ping.received, 4);
    assert_near(ping.rtt_min_s, 0.001, 1e-12);
    assert_near(ping.rtt_median_s, 0.0025, 1e-12);
    assert_near(ping.rtt_p95_s, 0.010, 1e-12);
    assert_near(ping.jitter_s, (0.002 + 0.001 + 0.008) / 3, 1e-12);
    tk_ping_summarise(rtts_s, 1, &ping);
    assert_near(ping.rtt_median_s, 0.003, 1e-12);
    assert_near(ping.jitter_s, 0, 0);
    tk_ping_summarise(rtts_s, 0, &ping);
    assert_int_equal(ping.received, 0);
}

static void addresses_of_peers_are_resolved(void **state)
{
    (void)state;
    static const struct {
        const char *peer;
        int family;
        bool loopback;
    } cases[] = {
        {"127.0.0.1", AF_INET, true},     {"127.9.9.9", AF_INET, true},
        {"192.0.2.1", AF_INET, false},    {"::1", AF_INET6, true},
        {"2001:db8::1", AF_INET6, false},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct sockaddr_storage address;
        struct tk_err err;
        assert_int_equal(tk_peer_resolve(cases[i].peer, &address, &err), 0);
        assert_int_equal(address.ss_family, cases[i].family);
        assert_int_equal(tk_peer_is_loopback(&address), cases[i].loopback);
    }
}

static void loopback_answers_every_probe(void **state)
{
    (void)state;
    struct sockaddr_storage address;
    struct tk_ping ping;
    struct tk_err err;
    assert_int_equal(tk_peer_resolve("127.0.0.1", &address, &err), 0);
    int rc = tk_ping_run(&address, 4, &ping, &err);
    if (rc == -EACCES || rc == -EPERM)
        return_without("right to send ICMP");
    assert_int_equal(rc, 0);
    assert_int_equal(ping.sent, 4);
    assert_int_equal(ping.received, 4);
    assert_true(ping.rtt_min_s > 0);
    assert_true(ping.rtt_min_s <= ping.rtt_median_s && ping.rtt_median_s <= ping.rtt_p95_s);
}

static void the_route_to_loopback_goes_through_lo(void **state)
{
    (void)state;
    struct sockaddr_storage address;
    struct tk_err err;
    char iface[IF_NAMESIZE];
    assert_int_equal(tk_peer_resolve("127.0.0.1", &address, &err), 0);
    if (tk_route_find(&address, iface, &err) < 0)
        return_without("kernel that tells its routes");
    assert_string_equal(iface, "lo");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_are_recognised_and_all_else_is_not),
        cmocka_unit_test(round_trips_are_summed_up),
        cmocka_unit_test(addresses_of_peers_are_resolved),
        cmocka_unit_test(loopback_answers_every_probe),
        cmocka_unit_test(the_route_to_loopback_goes_through_lo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
