/* SPDX-License-Identifier: Apache-2.0 */
/* An echo message (RFC 792, RFC 4443):
 *
 *     0     1     2         4            6           8
 *     type  code  checksum  identifier   sequence    data
 */
#include "collect/ping.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

enum {
    HEADER = 8,
    ECHO_REQUEST_V4 = 8,
    ECHO_REPLY_V4 = 0,
    ECHO_REQUEST_V6 = 128,
    ECHO_REPLY_V6 = 129,
    PROBES_MAX = 100,
    DISTANCE_MS = 25,
    LAST_WAIT_MS = 1000,
};

struct prober {
    int fd;
    int family;
    bool raw;
    uint16_t ident;
    int sent;
    int64_t sent_ns[PROBES_MAX];
    double rtts_s[PROBES_MAX]; /* < 0 = no answer yet */
};

static uint16_t load16(const char *p)
{
    return (uint16_t)((unsigned char)p[0] << 8 | (unsigned char)p[1]);
}

bool tk_ping_parse(tk_str packet, int family, bool raw, uint16_t ident, uint16_t *ret_sequence)
{
    if (raw && family == AF_INET) {
        size_t header = packet.n > 0 ? (size_t)(packet.p[0] & 15) * 4 : 0;
        if (header < 20 || packet.n < header)
            return false;
        packet = (tk_str){packet.p + header, packet.n - header};
    }
    if (packet.n < HEADER)
        return false;
    unsigned char type = (unsigned char)packet.p[0];
    if (type != (family == AF_INET ? ECHO_REPLY_V4 : ECHO_REPLY_V6))
        return false;
    if (raw && load16(packet.p + 4) != ident)
        return false;
    *ret_sequence = load16(packet.p + 6);
    return true;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

void tk_ping_summarise(const double *rtts_s, size_t n, struct tk_ping *ret_ping)
{
    double sorted[PROBES_MAX];
    n = n < PROBES_MAX ? n : PROBES_MAX;
    ret_ping->received = (int64_t)n;
    if (n == 0)
        return;
    memcpy(sorted, rtts_s, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), by_value);
    ret_ping->rtt_min_s = sorted[0];
    ret_ping->rtt_median_s = n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
    ret_ping->rtt_p95_s = sorted[(n * 95 + 99) / 100 - 1];
    double sum = 0;
    for (size_t i = 1; i < n; i++)
        sum += rtts_s[i] > rtts_s[i - 1] ? rtts_s[i] - rtts_s[i - 1] : rtts_s[i - 1] - rtts_s[i];
    ret_ping->jitter_s = n > 1 ? sum / (double)(n - 1) : 0;
}

static int open_prober(struct prober *prober, const struct sockaddr_storage *peer,
                       struct tk_err *err)
{
    int protocol = peer->ss_family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    prober->family = peer->ss_family;
    prober->ident = (uint16_t)getpid();
    prober->fd = socket(peer->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, protocol);
    if (prober->fd < 0) {
        prober->raw = true;
        prober->fd = socket(peer->ss_family, SOCK_RAW | SOCK_CLOEXEC, protocol);
    }
    if (prober->fd < 0)
        return tk_fail_errno(err, "ICMP echo socket");
    if (connect(prober->fd, (const struct sockaddr *)(const void *)peer, sizeof(*peer)) < 0)
        return tk_fail_errno(err, "ICMP echo to the peer");
    return 0;
}

/* Sum of the 16-bit words, folded (RFC 1071). The kernel does it for ping sockets and IPv6. */
static uint16_t checksum_of(const char *packet, size_t n)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < n; i += 2)
        sum += load16(packet + i);
    while (sum >> 16)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint16_t)~sum;
}

static void store16(char *p, uint16_t value)
{
    p[0] = (char)(value >> 8);
    p[1] = (char)(value & 0xFF);
}

static void send_probe(struct prober *prober)
{
    char packet[HEADER + 48] = "";
    packet[0] = (char)(prober->family == AF_INET ? ECHO_REQUEST_V4 : ECHO_REQUEST_V6);
    store16(packet + 4, prober->ident);
    store16(packet + 6, (uint16_t)prober->sent);
    store16(packet + 2, checksum_of(packet, sizeof(packet)));
    prober->sent_ns[prober->sent] = tk_clock_mono_ns();
    (void)send(prober->fd, packet, sizeof(packet), MSG_DONTWAIT);
    prober->sent++;
}

static void take_replies(struct prober *prober)
{
    char buf[512];
    ssize_t n;
    while ((n = recv(prober->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
        int64_t now_ns = tk_clock_mono_ns();
        uint16_t sequence;
        if (!tk_ping_parse((tk_str){buf, (size_t)n}, prober->family, prober->raw, prober->ident,
                           &sequence) ||
            sequence >= prober->sent || prober->rtts_s[sequence] >= 0)
            continue;
        prober->rtts_s[sequence] = (double)(now_ns - prober->sent_ns[sequence]) / 1e9;
    }
}

static bool is_complete(const struct prober *prober)
{
    for (int i = 0; i < prober->sent; i++) {
        if (prober->rtts_s[i] < 0)
            return false;
    }
    return true;
}

/* Take replies until `deadline_ns`, or until all are in when `probes` were sent. */
static void wait_until(struct prober *prober, int probes, int64_t deadline_ns)
{
    for (;;) {
        int64_t left_ns = deadline_ns - tk_clock_mono_ns();
        if (left_ns <= 0 || (prober->sent == probes && is_complete(prober)))
            return;
        struct pollfd poll_fd = {.fd = prober->fd, .events = POLLIN};
        struct timespec timeout = {left_ns / TK_NS_PER_S, left_ns % TK_NS_PER_S};
        if (ppoll(&poll_fd, 1, &timeout, NULL) > 0)
            take_replies(prober);
    }
}

int tk_ping_run(const struct sockaddr_storage *peer, int probes, struct tk_ping *ret_ping,
                struct tk_err *err)
{
    struct prober prober = {.fd = -1};
    probes = probes < PROBES_MAX ? probes : PROBES_MAX;
    for (int i = 0; i < probes; i++)
        prober.rtts_s[i] = -1;
    int rc = open_prober(&prober, peer, err);
    if (rc < 0) {
        tk_fd_close(&prober.fd);
        return rc;
    }
    int64_t start_ns = tk_clock_mono_ns();
    while (prober.sent < probes) {
        send_probe(&prober);
        int64_t after_ms = (int64_t)prober.sent * DISTANCE_MS;
        if (prober.sent == probes)
            after_ms += LAST_WAIT_MS;
        wait_until(&prober, probes, start_ns + after_ms * TK_NS_PER_MS);
    }
    tk_fd_close(&prober.fd);

    double answered[PROBES_MAX];
    size_t n = 0;
    for (int i = 0; i < probes; i++) {
        if (prober.rtts_s[i] >= 0)
            answered[n++] = prober.rtts_s[i];
    }
    *ret_ping = (struct tk_ping){.sent = probes};
    tk_ping_summarise(answered, n, ret_ping);
    return 0;
}
