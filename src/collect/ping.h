/* SPDX-License-Identifier: Apache-2.0 */
/* Round trips to a peer by ICMP echo, through a ping socket (icmp(7), open to the groups of
 * net.ipv4.ping_group_range), else through a raw socket where we may have one. */
#ifndef TK_COLLECT_PING_H
#define TK_COLLECT_PING_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"

struct tk_ping {
    int64_t sent, received;
    double rtt_min_s, rtt_median_s, rtt_p95_s;
    double jitter_s; /* mean difference of consecutive round trips */
};

/* Send `probes` (1..100) of them 25 ms apart and wait up to 1 s for the last. 0 also when nothing
 * answers. Fails with -EACCES or -EPERM when this process may not send any, -EAFNOSUPPORT. */
TK_MUST_USE int tk_ping_run(const struct sockaddr_storage *peer, int probes,
                            struct tk_ping *ret_ping, struct tk_err *err);

/* Sequence number of an echo reply of ours. `raw`: an IPv4 header comes first and the identifier
 * must be `ident`; a ping socket has neither. False for anything else. Pure function. */
bool tk_ping_parse(tk_str packet, int family, bool raw, uint16_t ident, uint16_t *ret_sequence);

/* Figures of round trips, [n] in the order of sending. Pure function. */
void tk_ping_summarise(const double *rtts_s, size_t n, struct tk_ping *ret_ping);

#endif
