/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that processes passed to and took from IP sockets (collector.md section 3): what send() and
 * recv() and their kin returned, whatever the protocol, so without headers, retransmissions and
 * what was only looked at (MSG_PEEK). Counted to the process that made the call.
 *
 * Cost per call: bench/RESULTS.md, section "followers". */
#include "collect/bpf/extras.bpf.h"

/* include/linux/socket.h */
#define AF_INET  2
#define AF_INET6 10
#define MSG_PEEK 2

static __always_inline bool is_ip(const struct sock *sock)
{
    uint16_t family = sock->__sk_common.skc_family;
    return family == AF_INET || family == AF_INET6;
}

SEC("tp_btf/sock_send_length")
int count_sent(uint64_t *context)
{
    int32_t bytes = (int32_t)context[1];
    if (bytes <= 0 || !is_ip((const struct sock *)context[0]))
        return 0;
    struct tk_bpf_extra *extra = extra_of(bpf_get_current_task_btf()->group_leader);
    if (extra)
        __sync_fetch_and_add(&extra->net_tx_bytes, (uint64_t)bytes);
    return 0;
}

SEC("tp_btf/sock_recv_length")
int count_received(uint64_t *context)
{
    int32_t bytes = (int32_t)context[1];
    if (bytes <= 0 || (context[2] & MSG_PEEK) || !is_ip((const struct sock *)context[0]))
        return 0;
    struct tk_bpf_extra *extra = extra_of(bpf_get_current_task_btf()->group_leader);
    if (extra)
        __sync_fetch_and_add(&extra->net_rx_bytes, (uint64_t)bytes);
    return 0;
}
