/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes per process on the running kernel: this process sends and receives over the loopback
 * device, and all of it is counted. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "collect/bpf.h"
#include "tk_test.h"

#define CALLS 30000

static struct net {
    struct tk_bpf *bpf; /* NULL = not to be had */
    int sender, receiver;
} net;

static int net_open(void **state)
{
    (void)state;
    struct tk_err err;
    net = (struct net){.sender = -1, .receiver = -1};
    int rc = tk_bpf_new(TK_TIER_AUTO, TK_BPF_TASKS | TK_BPF_NET, &net.bpf, &err);
    if (rc == 0 && !(tk_bpf_parts(net.bpf) & TK_BPF_NET)) {
        tk_bpf_free(net.bpf);
        net.bpf = NULL;
    }
    return 0;
}

static int net_close(void **state)
{
    (void)state;
    tk_bpf_free(net.bpf);
    (void)close(net.sender);
    (void)close(net.receiver);
    return 0;
}

/* What this process has passed so far, as the walk tells it. */
static struct tk_bpf_extra own_bytes(void)
{
    struct tk_walk walk;
    const struct tk_walk_order order = {.turn_width = UINT32_MAX};
    struct tk_walker walker = tk_bpf_walker(net.bpf);
    assert_int_equal(walker.walk(walker.context, &order, &walk), 0);
    for (uint32_t i = 0; i < walk.count; i++) {
        if (walk.tasks[i].pid == getpid()) {
            return (struct tk_bpf_extra){.net_rx_bytes = walk.tasks[i].net_rx_bytes,
                                         .net_tx_bytes = walk.tasks[i].net_tx_bytes};
        }
    }
    fail_msg("a walk does not show this process");
    return (struct tk_bpf_extra){0};
}

/* A pair of sockets of the loopback device. */
static void connect_pair(int type)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(at);
    int listener = socket(AF_INET, type, 0);
    net.sender = socket(AF_INET, type, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, n), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &n), 0);
    if (type == SOCK_STREAM)
        assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(connect(net.sender, (struct sockaddr *)&at, n), 0);
    net.receiver = type == SOCK_STREAM ? accept(listener, NULL, NULL) : listener;
    if (type == SOCK_STREAM)
        (void)close(listener);
    assert_true(net.receiver >= 0);
}

/* Pass 100 bytes many times, by each kind of call in turn, looking at them first. */
static void pass_bytes(void)
{
    char bytes[100] = {0};
    struct iovec parts[] = {{bytes, 60}, {bytes + 60, 40}};
    for (int i = 0; i < CALLS; i++) {
        ssize_t sent = i % 3 == 0   ? write(net.sender, bytes, sizeof(bytes))
                       : i % 3 == 1 ? send(net.sender, bytes, sizeof(bytes), 0)
                                    : writev(net.sender, parts, 2);
        assert_int_equal(sent, sizeof(bytes));
        assert_int_equal(recv(net.receiver, bytes, sizeof(bytes), MSG_PEEK | MSG_WAITALL),
                         sizeof(bytes));
        ssize_t received = i % 2 == 0 ? read(net.receiver, bytes, sizeof(bytes))
                                      : recv(net.receiver, bytes, sizeof(bytes), MSG_WAITALL);
        assert_int_equal(received, sizeof(bytes));
    }
}

static void assert_counted(uint64_t expected)
{
    struct tk_bpf_extra before = own_bytes();
    pass_bytes();
    struct tk_bpf_extra after = own_bytes();
    assert_int_equal(after.net_tx_bytes - before.net_tx_bytes, expected);
    assert_int_equal(after.net_rx_bytes - before.net_rx_bytes, expected);
}

static void counts_all_bytes_over_tcp(void **state)
{
    (void)state;
    if (!net.bpf)
        return_without("BPF");
    connect_pair(SOCK_STREAM);
    assert_counted(100 * CALLS);
}

static void counts_all_bytes_over_udp(void **state)
{
    (void)state;
    if (!net.bpf)
        return_without("BPF");
    connect_pair(SOCK_DGRAM);
    assert_counted(100 * CALLS);
}

static void does_not_count_unix_sockets(void **state)
{
    (void)state;
    int pair[2];
    if (!net.bpf)
        return_without("BPF");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    net.sender = pair[0];
    net.receiver = pair[1];
    assert_counted(0);
}

static void does_not_count_what_failed(void **state)
{
    (void)state;
    if (!net.bpf)
        return_without("BPF");
    connect_pair(SOCK_DGRAM);
    struct tk_bpf_extra before = own_bytes();
    char byte;
    assert_int_equal(recv(net.receiver, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(own_bytes().net_rx_bytes, before.net_rx_bytes);
}

static void ends_with_what_the_process_passed(void **state)
{
    (void)state;
    struct tk_bpf_extra read;
    if (!net.bpf)
        return_without("BPF");
    connect_pair(SOCK_STREAM);
    pass_bytes();
    struct tk_bpf_extra own = own_bytes();
    assert_true(tk_bpf_read_extra(net.bpf, getpid(), &read));
    assert_int_equal(read.net_tx_bytes, own.net_tx_bytes);
    assert_int_equal(read.net_rx_bytes, own.net_rx_bytes);
    assert_false(tk_bpf_read_extra(net.bpf, INT32_MAX, &read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counts_all_bytes_over_tcp, net_open, net_close),
        cmocka_unit_test_setup_teardown(counts_all_bytes_over_udp, net_open, net_close),
        cmocka_unit_test_setup_teardown(does_not_count_unix_sockets, net_open, net_close),
        cmocka_unit_test_setup_teardown(does_not_count_what_failed, net_open, net_close),
        cmocka_unit_test_setup_teardown(ends_with_what_the_process_passed, net_open, net_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
