/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <netdb.h>
#include <string.h>
#include <time.h>

int tk_peer_resolve(const char *peer, struct sockaddr_storage *ret_address, struct tk_err *err)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(peer, NULL, &hints, &found);
    if (rc != 0 || !found)
        return tk_fail(err, -ENOENT, "peer '%s': %s", peer, gai_strerror(rc));
    *ret_address = (struct sockaddr_storage){0};
    memcpy(ret_address, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return 0;
}

static const struct in_addr *address_v4(const struct sockaddr_storage *address)
{
    return &((const struct sockaddr_in *)(const void *)address)->sin_addr;
}

static const struct in6_addr *address_v6(const struct sockaddr_storage *address)
{
    return &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
}

bool tk_peer_is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ntohl(address_v4(address)->s_addr) >> 24 == IN_LOOPBACKNET;
    return address->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(address_v6(address));
}

/* What the answers said so far. */
struct answer {
    bool default_only; /* of a dump only routes without a destination count */
    uint32_t device;   /* 0 = none */
    uint32_t metric;
};

/* One route. */
struct route {
    uint32_t device, first_hop, metric;
};

static int take_attribute(const struct nlattr *attr, void *context)
{
    struct route *route = context;
    uint16_t type = mnl_attr_get_type(attr);
    bool is_number = mnl_attr_validate(attr, MNL_TYPE_U32) == 0;
    if (type == RTA_OIF && is_number)
        route->device = mnl_attr_get_u32(attr);
    if (type == RTA_PRIORITY && is_number)
        route->metric = mnl_attr_get_u32(attr);
    if (type == RTA_MULTIPATH && mnl_attr_get_payload_len(attr) >= sizeof(struct rtnexthop)) {
        const struct rtnexthop *hop = mnl_attr_get_payload(attr);
        route->first_hop = (uint32_t)hop->rtnh_ifindex;
    }
    return MNL_CB_OK;
}

static int take_route(const struct nlmsghdr *message, void *context)
{
    struct answer *answer = context;
    if (message->nlmsg_type != RTM_NEWROUTE ||
        mnl_nlmsg_get_payload_len(message) < sizeof(struct rtmsg))
        return MNL_CB_OK;
    const struct rtmsg *head = mnl_nlmsg_get_payload(message);
    if (answer->default_only && (head->rtm_dst_len != 0 || head->rtm_table != RT_TABLE_MAIN ||
                                 head->rtm_type != RTN_UNICAST))
        return MNL_CB_OK;
    struct route route = {0};
    if (mnl_attr_parse(message, sizeof(*head), take_attribute, &route) < 0)
        return MNL_CB_OK;
    uint32_t device = route.device ? route.device : route.first_hop;
    if (device != 0 && (answer->device == 0 || route.metric < answer->metric)) {
        answer->device = device;
        answer->metric = route.metric;
    }
    return MNL_CB_OK;
}

/* Send the request in `buf` and hand all answers to take_route(). */
static int ask(struct nlmsghdr *request, char *buf, size_t cap, struct answer *answer)
{
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!socket)
        return -errno;
    int rc = -1;
    uint32_t sequence = request->nlmsg_seq;
    const struct timeval patience = {.tv_sec = 1};
    (void)setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &patience,
                     sizeof(patience));
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0 &&
        mnl_socket_sendto(socket, request, request->nlmsg_len) >= 0) {
        unsigned port = mnl_socket_get_portid(socket);
        ssize_t n;
        do {
            n = mnl_socket_recvfrom(socket, buf, cap);
            rc = n > 0 ? mnl_cb_run(buf, (size_t)n, sequence, port, take_route, answer) : -1;
            /* A single answer has no end mark. */
        } while (rc == MNL_CB_OK && answer->default_only);
    }
    rc = rc < 0 ? -errno : 0;
    (void)mnl_socket_close(socket);
    return rc;
}

static int find_by_family(int family, const struct sockaddr_storage *address, struct answer *answer)
{
    char buf[32768]; /* as large as the kernel's dumps get */
    struct nlmsghdr *request = mnl_nlmsg_put_header(buf);
    request->nlmsg_type = RTM_GETROUTE;
    request->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (address ? 0 : NLM_F_DUMP));
    request->nlmsg_seq = (uint32_t)time(NULL);
    struct rtmsg *route = mnl_nlmsg_put_extra_header(request, sizeof(*route));
    route->rtm_family = (unsigned char)family;
    if (address && family == AF_INET) {
        route->rtm_dst_len = 32;
        mnl_attr_put(request, RTA_DST, sizeof(struct in_addr), address_v4(address));
    } else if (address) {
        route->rtm_dst_len = 128;
        mnl_attr_put(request, RTA_DST, sizeof(struct in6_addr), address_v6(address));
    }
    return ask(request, buf, sizeof(buf), answer);
}

int tk_route_find(const struct sockaddr_storage *address, char ret_iface[IF_NAMESIZE],
                  struct tk_err *err)
{
    static const int families[] = {AF_INET, AF_INET6};
    struct answer answer = {.default_only = !address};
    int rc = 0;
    if (address)
        rc = find_by_family(address->ss_family, address, &answer);
    for (size_t i = 0; !address && rc == 0 && answer.device == 0 && i < TK_COUNTOF(families); i++)
        rc = find_by_family(families[i], NULL, &answer);
    if (rc < 0 && rc != -ENETUNREACH)
        return tk_fail_code(err, rc, "asking the kernel for a route");
    if (answer.device == 0 || !if_indextoname(answer.device, ret_iface))
        return tk_fail(err, -ENOENT, "%s", address ? "no route to the peer" : "no default route");
    return 0;
}
