/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/exits_feed.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/genetlink.h>
#include <linux/taskstats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"

#define MAX_SOCKETS     8
#define CPUS_PER_SOCKET 16
#define MAX_CPUS        8192
#define BUFFER_BYTES    (16 * 1024 * 1024) /* room for about 40,000 events; used only when needed */
#define MESSAGE_MAX     8192
#define WHY_MAX         128
#define OTHER_NETWORK   "not in the initial network namespace"

_Static_assert(sizeof(struct genlmsghdr) % NLMSG_ALIGNTO == 0, "attributes follow at once");

/* Next sequence number of the connector on one CPU. */
struct cpu_sequence {
    uint32_t next;
    bool known;
};

struct tk_exit_feed {
    struct mnl_socket *connector; /* NULL = not open */
    struct mnl_socket *taskstats[MAX_SOCKETS];
    int socket_count;
    int next_socket; /* to read */
    uint16_t family; /* of taskstats */
    int version;
    char connector_why[WHY_MAX], taskstats_why[WHY_MAX];
    struct cpu_sequence *sequences; /* [cpu_count] */
    uint32_t cpu_count;
    int64_t events, records, dropped, overruns, bad, syscalls;
    bool lost;
    _Alignas(struct nlmsghdr) char message[MESSAGE_MAX];
};

/* A socket whose reads do not wait. NULL with errno set. */
static struct mnl_socket *socket_new(int bus, unsigned groups)
{
    struct mnl_socket *socket = mnl_socket_open2(bus, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!socket)
        return NULL;
    if (mnl_socket_bind(socket, groups, MNL_SOCKET_AUTOPID) < 0) {
        int saved = errno;
        mnl_socket_close(socket);
        errno = saved;
        return NULL;
    }
    int fd = mnl_socket_get_fd(socket);
    int bytes = BUFFER_BYTES;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    return socket;
}

static void close_socket(struct mnl_socket **socket)
{
    if (*socket)
        mnl_socket_close(*socket);
    *socket = NULL;
}

/* Proc connector -------------------------------------------------------------------- */

static int connector_request(struct mnl_socket *socket, enum proc_cn_mcast_op op, uint32_t ack)
{
    _Alignas(struct nlmsghdr) char buf[128];
    struct nlmsghdr *message = mnl_nlmsg_put_header(buf);
    message->nlmsg_type = NLMSG_DONE;
    struct cn_msg head = {
        .id = {CN_IDX_PROC, CN_VAL_PROC},
        .ack = ack,
        .len = sizeof(op),
    };
    /* cn_msg ends in an array of length 0: the operation follows it. */
    char *to = mnl_nlmsg_put_extra_header(message, sizeof(head) + sizeof(op));
    memcpy(to, &head, sizeof(head));
    memcpy(to + sizeof(head), &op, sizeof(op));
    return mnl_socket_sendto(socket, message, message->nlmsg_len) < 0 ? -errno : 0;
}

/* One event. 1 = read, 0 = none waits, negative errno. */
static int event_read(struct tk_exit_feed *feed, struct tk_event *ret)
{
    ssize_t n = mnl_socket_recvfrom(feed->connector, feed->message, sizeof(feed->message));
    feed->syscalls++;
    if (n < 0)
        return errno == EAGAIN ? 0 : -errno;
    int left = (int)n;
    const struct nlmsghdr *message = (const struct nlmsghdr *)feed->message;
    if (!mnl_nlmsg_ok(message, left))
        return -EBADMSG;
    tk_str payload = {mnl_nlmsg_get_payload(message), mnl_nlmsg_get_payload_len(message)};
    int rc = tk_event_parse(payload, ret);
    return rc < 0 ? rc : 1;
}

/* The kernel answers within the request, so the answer waits already. It is broadcast to all
 * listeners, so ours is told from others' by its number. */
static int connector_confirm(struct tk_exit_feed *feed, uint32_t ack)
{
    struct tk_event event = {0};
    for (;;) {
        int rc = event_read(feed, &event);
        if (rc == 0)
            return -ENOMSG;
        if (rc < 0 && rc != -EBADMSG && rc != -ENOBUFS)
            return rc;
        if (rc == 1 && event.kind == TK_EVENT_ACK && event.ack == ack + 1)
            return -event.status;
    }
}

static int connector_open(struct tk_exit_feed *feed)
{
    uint32_t ack = (uint32_t)getpid();
    int rc = 0;
    feed->connector = socket_new(NETLINK_CONNECTOR, CN_IDX_PROC);
    if (!feed->connector)
        rc = -errno;
    if (rc == 0)
        rc = connector_request(feed->connector, PROC_CN_MCAST_LISTEN, ack);
    if (rc == 0)
        rc = connector_confirm(feed, ack);
    if (rc == 0)
        return 0;
    close_socket(&feed->connector);
    const char *why = rc == -ENOMSG
                          ? "not in the initial pid and user namespaces, or CAP_NET_ADMIN "
                            "is missing on a kernel before 6.6"
                      : rc == -EPERM           ? "CAP_NET_ADMIN is missing"
                      : rc == -ECONNREFUSED    ? OTHER_NETWORK
                      : rc == -EPROTONOSUPPORT ? "this kernel has no connector"
                                               : strerrordesc_np(-rc);
    (void)snprintf(feed->connector_why, WHY_MAX, "%s", why ? why : "unknown error");
    return rc;
}

/* Taskstats ------------------------------------------------------------------------- */

static int take_family(const struct nlattr *attr, void *context)
{
    uint16_t *family = context;
    if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID &&
        mnl_attr_get_payload_len(attr) == sizeof(*family))
        *family = mnl_attr_get_u16(attr);
    return MNL_CB_OK;
}

static int take_family_message(const struct nlmsghdr *message, void *context)
{
    return mnl_attr_parse(message, sizeof(struct genlmsghdr), take_family, context);
}

static int take_version(const struct nlmsghdr *message, void *context)
{
    int *version = context;
    struct tk_task_record records[2];
    size_t head = sizeof(struct genlmsghdr);
    size_t n = mnl_nlmsg_get_payload_len(message);
    if (n < head)
        return MNL_CB_ERROR;
    const char *payload = mnl_nlmsg_get_payload(message);
    if (tk_task_records_parse((tk_str){payload + head, n - head}, records) > 0)
        *version = records[0].version;
    return MNL_CB_OK;
}

/* Send a request with one attribute and pass its answer to `take`. Exit records that come in
 * between are from before we are ready: dropped. */
static int generic_request(struct tk_exit_feed *feed, struct mnl_socket *socket,
                           struct nlmsghdr *request, mnl_cb_t take, void *context)
{
    static const unsigned seq = 0x7472616b;
    request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    request->nlmsg_seq = seq;
    if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
        return -errno;
    for (;;) {
        ssize_t n = mnl_socket_recvfrom(socket, feed->message, sizeof(feed->message));
        if (n < 0 && errno == ENOBUFS)
            continue;
        if (n < 0)
            return -errno;
        const struct nlmsghdr *message = (const struct nlmsghdr *)feed->message;
        if (n < (ssize_t)sizeof(*message) || message->nlmsg_seq != seq)
            continue;
        int rc =
            mnl_cb_run(feed->message, (size_t)n, seq, mnl_socket_get_portid(socket), take, context);
        if (rc <= MNL_CB_STOP)
            return rc < 0 ? -errno : 0;
    }
}

static struct nlmsghdr *generic_message(void *buf, uint16_t family, uint8_t command)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(buf);
    message->nlmsg_type = family;
    struct genlmsghdr *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
    head->cmd = command;
    head->version = 1;
    return message;
}

/* Number of the taskstats family, and the version of its records by asking about ourselves. */
static int taskstats_find(struct tk_exit_feed *feed, struct mnl_socket *socket)
{
    _Alignas(struct nlmsghdr) char buf[256];
    struct nlmsghdr *request = generic_message(buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
    mnl_attr_put_strz(request, CTRL_ATTR_FAMILY_NAME, TASKSTATS_GENL_NAME);
    int rc = generic_request(feed, socket, request, take_family_message, &feed->family);
    if (rc < 0)
        return rc;
    if (feed->family == 0)
        return -ENOENT;
    request = generic_message(buf, feed->family, TASKSTATS_CMD_GET);
    mnl_attr_put_u32(request, TASKSTATS_CMD_ATTR_PID, (uint32_t)getpid());
    rc = generic_request(feed, socket, request, take_version, &feed->version);
    return rc == 0 && feed->version == 0 ? -EPROTO : rc;
}

/* Ask for the exit records of some CPUs: "0-15". */
static int taskstats_register(struct tk_exit_feed *feed, struct mnl_socket *socket,
                              const char *cpus)
{
    _Alignas(struct nlmsghdr) char buf[1024];
    if (strlen(cpus) > sizeof(buf) / 2)
        return -EMSGSIZE;
    struct nlmsghdr *request = generic_message(buf, feed->family, TASKSTATS_CMD_GET);
    mnl_attr_put_strz(request, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, cpus);
    return generic_request(feed, socket, request, NULL, NULL);
}

/* One more socket, for the CPUs of `cpus`. */
static int taskstats_add(struct tk_exit_feed *feed, const char *cpus)
{
    struct mnl_socket *socket = socket_new(NETLINK_GENERIC, 0);
    if (!socket)
        return -errno;
    int rc = feed->socket_count == 0 ? taskstats_find(feed, socket) : 0;
    if (rc == 0)
        rc = taskstats_register(feed, socket, cpus);
    if (rc < 0) {
        close_socket(&socket);
        return rc;
    }
    feed->taskstats[feed->socket_count++] = socket;
    return 0;
}

/* CPUs that may ever exist, in equal parts. A mask with holes goes to one socket as it is. */
static int taskstats_add_all(struct tk_exit_feed *feed, const char *possible)
{
    tk_str text = tk_str_from(possible);
    int64_t last;
    if (!tk_str_take_prefix(&text, TK_STR("0-")) || !tk_parse_i64(text, &last) || last < 1 ||
        last >= MAX_CPUS)
        return taskstats_add(feed, possible);
    int64_t cpus = last + 1;
    int64_t parts = (cpus + CPUS_PER_SOCKET - 1) / CPUS_PER_SOCKET;
    parts = parts < MAX_SOCKETS ? parts : MAX_SOCKETS;
    for (int64_t i = 0; i < parts; i++) {
        char part[48];
        (void)snprintf(part, sizeof(part), "%lld-%lld", (long long)(i * cpus / parts),
                       (long long)((i + 1) * cpus / parts - 1));
        int rc = taskstats_add(feed, part);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void taskstats_close(struct tk_exit_feed *feed)
{
    for (int i = 0; i < feed->socket_count; i++)
        close_socket(&feed->taskstats[i]);
    feed->socket_count = 0;
    feed->version = 0;
}

static void taskstats_open(struct tk_exit_feed *feed, const char *possible)
{
    int rc = taskstats_add_all(feed, possible);
    if (rc == 0)
        return;
    taskstats_close(feed);
    const char *why = rc == -EPERM    ? "CAP_NET_ADMIN is missing"
                      : rc == -EINVAL ? "not in the initial pid and user namespaces"
                      : rc == -ENOENT ? "this kernel has no taskstats"
                                      : strerrordesc_np(-rc);
    (void)snprintf(feed->taskstats_why, WHY_MAX, "%s", why ? why : "unknown error");
}

/* Both ------------------------------------------------------------------------------ */

/* Highest number in a list such as "0-3,8", plus one. */
static uint32_t cpu_count_of(const char *possible)
{
    tk_str text = tk_str_from(possible);
    size_t at = 0;
    for (size_t i = 0; i < text.n; i++)
        at = text.p[i] == '-' || text.p[i] == ',' ? i + 1 : at;
    int64_t last;
    tk_str tail = {text.p + at, text.n - at};
    return tk_parse_i64(tail, &last) && last >= 0 && last < MAX_CPUS ? (uint32_t)last + 1 : 1;
}

static void read_possible(const struct tk_kernel *kernel, char possible[256])
{
    tk_str text;
    struct tk_err ignored;
    if (tk_file_read(kernel->rootfd, "sys/devices/system/cpu/possible", possible, 256, &text,
                     &ignored) < 0)
        text = TK_STR("0");
    text = tk_str_trim(text);
    memmove(possible, text.p, text.n);
    possible[text.n] = '\0';
}

int tk_exit_feed_new(const struct tk_kernel *kernel, struct tk_exit_feed **ret_feed,
                     struct tk_err *err)
{
    struct tk_exit_feed *feed = calloc(1, sizeof(*feed));
    if (!feed)
        return tk_fail(err, -ENOMEM, "process events: out of memory");
    char possible[256];
    read_possible(kernel, possible);
    feed->cpu_count = cpu_count_of(possible);
    feed->sequences = calloc(feed->cpu_count, sizeof(*feed->sequences));
    if (!feed->sequences) {
        tk_exit_feed_free(feed);
        return tk_fail(err, -ENOMEM, "process events: out of memory");
    }
    /* Taskstats first: no exit that the connector tells of may lack its record. */
    taskstats_open(feed, possible);
    /* Only the initial network namespace has a connector. In others taskstats takes the request,
     * but the kernel sends all records to the initial one (send_cpu_listeners()). */
    if (connector_open(feed) == -ECONNREFUSED) {
        taskstats_close(feed);
        (void)snprintf(feed->taskstats_why, WHY_MAX, "%s", OTHER_NETWORK);
    }
    *ret_feed = feed;
    return 0;
}

void tk_exit_feed_free(struct tk_exit_feed *feed)
{
    if (!feed)
        return;
    if (feed->connector)
        (void)connector_request(feed->connector, PROC_CN_MCAST_IGNORE, 0);
    close_socket(&feed->connector);
    taskstats_close(feed);
    free(feed->sequences);
    free(feed);
}

int tk_exit_feed_fd(const struct tk_exit_feed *feed)
{
    if (feed->connector)
        return mnl_socket_get_fd(feed->connector);
    return feed->socket_count > 0 ? mnl_socket_get_fd(feed->taskstats[0]) : -1;
}

/* Count what is missing on the event's CPU. Older kernels let a message overtake the one before it:
 * the gap that it made is then closed again. Answers to other listeners have a number of their own
 * there, so they are passed over unless they fit. */
static void follow_sequence(struct tk_exit_feed *feed, const struct tk_event *event)
{
    if (event->cpu >= feed->cpu_count)
        return;
    struct cpu_sequence *sequence = &feed->sequences[event->cpu];
    int32_t gap = sequence->known ? (int32_t)(event->seq - sequence->next) : 0;
    if (event->kind == TK_EVENT_ACK && (gap != 0 || !sequence->known))
        return;
    if (gap < 0) {
        feed->dropped -= feed->dropped > 0;
        return;
    }
    sequence->next = event->seq + 1;
    sequence->known = true;
    if (gap == 0)
        return;
    feed->dropped += gap;
    feed->lost = true;
}

/* What a failed read means: true to read on. */
static bool read_on(struct tk_exit_feed *feed, int rc)
{
    if (rc == -ENOBUFS) {
        feed->overruns++;
        feed->lost = true;
        return true;
    }
    bool bad = rc == -EBADMSG || rc == -ENOSPC; /* ENOSPC: larger than any message that we know */
    feed->bad += bad;
    return bad || rc == -EINTR;
}

size_t tk_exit_feed_read_events(struct tk_exit_feed *feed, struct tk_event *ret_events, size_t cap)
{
    size_t n = 0;
    while (feed->connector && n < cap) {
        struct tk_event *event = &ret_events[n];
        int rc = event_read(feed, event);
        if (rc == 0 || (rc < 0 && !read_on(feed, rc)))
            break;
        if (rc < 0)
            continue;
        feed->events++;
        follow_sequence(feed, event);
        n += event->kind >= TK_EVENT_FORK;
    }
    return n;
}

/* One message of a socket. Number of records, 0 = none waits, negative errno. */
static int records_read(struct tk_exit_feed *feed, struct mnl_socket *socket,
                        struct tk_task_record ret_records[2])
{
    ssize_t n = mnl_socket_recvfrom(socket, feed->message, sizeof(feed->message));
    feed->syscalls++;
    if (n < 0)
        return errno == EAGAIN ? 0 : -errno;
    const struct nlmsghdr *message = (const struct nlmsghdr *)feed->message;
    size_t head = sizeof(struct genlmsghdr);
    if (!mnl_nlmsg_ok(message, (int)n) || message->nlmsg_type != feed->family ||
        mnl_nlmsg_get_payload_len(message) < head)
        return -EBADMSG;
    const char *payload = mnl_nlmsg_get_payload(message);
    int rc = tk_task_records_parse(
        (tk_str){payload + head, mnl_nlmsg_get_payload_len(message) - head}, ret_records);
    return rc == 0 ? -EBADMSG : rc;
}

int tk_exit_feed_read_records(struct tk_exit_feed *feed, struct tk_task_record ret_records[2])
{
    for (int tried = 0; tried < feed->socket_count;) {
        int rc = records_read(feed, feed->taskstats[feed->next_socket], ret_records);
        if (rc > 0) {
            feed->records++;
            return rc;
        }
        if (rc < 0 && read_on(feed, rc))
            continue;
        feed->next_socket = (feed->next_socket + 1) % feed->socket_count;
        tried++;
    }
    return 0;
}

bool tk_exit_feed_lost(struct tk_exit_feed *feed)
{
    bool lost = feed->lost;
    feed->lost = false;
    return lost;
}

void tk_exit_feed_read_stats(const struct tk_exit_feed *feed, struct tk_exit_feed_stats *ret_stats)
{
    *ret_stats = (struct tk_exit_feed_stats){
        .connector = feed->connector != NULL,
        .taskstats = feed->socket_count > 0,
        .version = feed->version,
        .sockets = feed->socket_count,
        .connector_why_not = feed->connector_why,
        .taskstats_why_not = feed->taskstats_why,
        .events = feed->events,
        .records = feed->records,
        .dropped = feed->dropped,
        .overruns = feed->overruns,
        .bad = feed->bad,
        .syscalls = feed->syscalls,
    };
}
