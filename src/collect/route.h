/* SPDX-License-Identifier: Apache-2.0 */
/* Which network device leads to a peer, asked of the kernel by rtnetlink (rtnetlink(7)). */
#ifndef TK_COLLECT_ROUTE_H
#define TK_COLLECT_ROUTE_H

#include <net/if.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/err.h"

/* The address of a peer: an IPv4 or IPv6 address, or a name (which asks the resolver). -ENOENT when
 * it has none. */
TK_MUST_USE int tk_peer_resolve(const char *peer, struct sockaddr_storage *ret_address,
                                struct tk_err *err);

/* Is it an address of this machine's loopback? */
bool tk_peer_is_loopback(const struct sockaddr_storage *address);

/* Device of the route to `address`; NULL = of the default route, the one of the lowest metric, IPv4
 * before IPv6. -ENOENT when there is no such route, other codes when the kernel does not answer. */
TK_MUST_USE int tk_route_find(const struct sockaddr_storage *address, char ret_iface[IF_NAMESIZE],
                              struct tk_err *err);

#endif
