/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/exits_parse.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/acct.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/taskstats.h>
#include <stddef.h>

/* Proc connector ------------------------------------------------------------------
 *
 *   struct cn_msg      20 bytes: id {idx, val}, seq, ack, len, flags
 *   struct proc_event  what, cpu, timestamp_ns, then by `what`:
 *     fork  parent tid, parent pid, child tid, child pid
 *     exec  tid, pid
 *     exit  tid, pid, status, signal to the parent [, parent tid, parent pid since 4.18]
 */

#define EVENT_HEAD offsetof(struct proc_event, event_data)

/* The i-th 32-bit word of the part that depends on `what`; 0 past the end. */
static uint32_t event_word(tk_str event, size_t i)
{
    uint32_t word = 0;
    size_t offset = EVENT_HEAD + i * sizeof(word);
    if (offset + sizeof(word) <= event.n)
        memcpy(&word, event.p + offset, sizeof(word));
    return word;
}

static bool pid_ok(pid_t pid)
{
    return pid > 0;
}

/* Words that each kind must have at least. */
static size_t words_of(uint32_t what)
{
    switch (what) {
    case PROC_EVENT_FORK:
    case PROC_EVENT_EXIT:
        return 4;
    case PROC_EVENT_EXEC:
        return 2;
    case PROC_EVENT_NONE:
        return 1;
    default:
        return 0;
    }
}

static int event_fill(tk_str event, uint32_t what, struct tk_event *out)
{
    if (event.n < EVENT_HEAD + words_of(what) * sizeof(uint32_t))
        return -EBADMSG;
    pid_t first = (pid_t)event_word(event, 0);
    pid_t second = (pid_t)event_word(event, 1);
    switch (what) {
    case PROC_EVENT_NONE:
        out->kind = TK_EVENT_ACK;
        out->status = (int)event_word(event, 0);
        return 0;
    case PROC_EVENT_FORK:
        out->kind = TK_EVENT_FORK;
        out->parent = second;
        out->tid = (pid_t)event_word(event, 2);
        out->pid = (pid_t)event_word(event, 3);
        break;
    case PROC_EVENT_EXEC:
        out->kind = TK_EVENT_EXEC;
        out->tid = first;
        out->pid = second;
        break;
    case PROC_EVENT_EXIT:
        out->kind = TK_EVENT_EXIT;
        out->tid = first;
        out->pid = second;
        out->status = (int)event_word(event, 2);
        out->parent = (pid_t)event_word(event, 5);
        break;
    default:
        out->kind = TK_EVENT_OTHER;
        return 0;
    }
    return pid_ok(out->tid) && pid_ok(out->pid) ? 0 : -EBADMSG;
}

int tk_event_parse(tk_str payload, struct tk_event *ret)
{
    struct cn_msg head;
    if (payload.n < sizeof(head))
        return -EBADMSG;
    memcpy(&head, payload.p, sizeof(head));
    if (head.id.idx != CN_IDX_PROC || head.id.val != CN_VAL_PROC ||
        head.len > payload.n - sizeof(head) || head.len < EVENT_HEAD)
        return -EBADMSG;

    tk_str event = {payload.p + sizeof(head), head.len};
    uint32_t what;
    struct tk_event out = {.seq = head.seq, .ack = head.ack};
    memcpy(&what, event.p, sizeof(what));
    memcpy(&out.cpu, event.p + offsetof(struct proc_event, cpu), sizeof(out.cpu));
    memcpy(&out.mono_ns, event.p + offsetof(struct proc_event, timestamp_ns), sizeof(out.mono_ns));
    int rc = event_fill(event, what, &out);
    if (rc < 0)
        return rc;
    *ret = out;
    return 0;
}

/* Taskstats -----------------------------------------------------------------------
 *
 *   AGGR_PID  { PID  u32, [padding] STATS struct taskstats }   each thread
 *   AGGR_TGID { TGID u32, [padding] STATS struct taskstats }   with the last of several threads
 *
 * struct taskstats grows at its end with each version, but for one accident: some kernels of
 * 6.14 and 6.15 (version 15, or 14 with a larger struct) put the largest and the smallest of each
 * of the eight kinds of delay right behind its total; version 16 moved them to the end. The size
 * tells: each kind has (size - 432) / 64 such words.
 */

#define MIN_VERSION 8
#define MIN_SIZE    offsetof(struct taskstats, ac_utimescaled)
#define V14_SIZE    432
#define DELAY_KINDS 8

_Static_assert(offsetof(struct taskstats, ac_tgid) == 368, "layout of version 12");

/* Words that were put behind each delay's total. */
static size_t inserted_words(int version, size_t size)
{
    if (version < 14 || version > 15 || size <= V14_SIZE)
        return 0;
    size_t words = (size - V14_SIZE) / (DELAY_KINDS * sizeof(uint64_t));
    return words <= 2 ? words : 2;
}

/* A record as it lies in the message. */
struct raw_record {
    tk_str bytes;
    size_t shift_bytes; /* inserted per kind of delay */
};

/* Copy a field of `size` bytes that has `delays` kinds of delay before it; zero past the end. */
static void copy_field(const struct raw_record *raw, size_t offset, size_t delays, void *to,
                       size_t size)
{
    size_t at = offset + delays * raw->shift_bytes;
    memset(to, 0, size);
    if (at + size <= raw->bytes.n)
        memcpy(to, raw->bytes.p + at, size);
}

static int64_t field_u64(const struct raw_record *raw, size_t offset, size_t delays)
{
    uint64_t value;
    copy_field(raw, offset, delays, &value, sizeof(value));
    return value <= INT64_MAX ? (int64_t)value : INT64_MAX;
}

static uint32_t field_u32(const struct raw_record *raw, size_t offset, size_t delays)
{
    uint32_t value;
    copy_field(raw, offset, delays, &value, sizeof(value));
    return value;
}

/* Kinds of delay that stand before a field: cpu before blkio; cpu, blkio and swapin before most;
 * freepages, thrashing and compact as well before what version 12 added. */
#define FIELD(raw, name, delays) field_u64((raw), offsetof(struct taskstats, name), (delays))

static void record_fill(const struct raw_record *raw, struct tk_task_record *out)
{
    uint8_t flags;
    char comm[TS_COMM_LEN];
    copy_field(raw, offsetof(struct taskstats, ac_flag), 0, &flags, sizeof(flags));
    copy_field(raw, offsetof(struct taskstats, ac_comm), 3, comm, sizeof(comm));
    *out = (struct tk_task_record){
        .version = out->version,
        .tid = (pid_t)field_u32(raw, offsetof(struct taskstats, ac_pid), 3),
        .pid = (pid_t)field_u32(raw, offsetof(struct taskstats, ac_tgid), 6),
        .ppid = (pid_t)field_u32(raw, offsetof(struct taskstats, ac_ppid), 3),
        .last = (flags & AGROUP) != 0,
        .forked = (flags & AFORK) != 0,
        .status = (int)field_u32(raw, offsetof(struct taskstats, ac_exitcode), 0),
        .uid = (int64_t)field_u32(raw, offsetof(struct taskstats, ac_uid), 3),
        .cpu_ns = FIELD(raw, cpu_run_virtual_total, 3),
        .user_us = FIELD(raw, ac_utime, 3),
        .system_us = FIELD(raw, ac_stime, 3),
        .elapsed_us = FIELD(raw, ac_etime, 3),
        .group_elapsed_us = FIELD(raw, ac_tgetime, 6),
        .max_rss_kb = FIELD(raw, hiwater_rss, 3),
        .rd_bytes = FIELD(raw, read_bytes, 3),
        .wr_bytes = FIELD(raw, write_bytes, 3),
        .minflt = FIELD(raw, ac_minflt, 3),
        .majflt = FIELD(raw, ac_majflt, 3),
        .nvcsw = FIELD(raw, nvcsw, 3),
        .nivcsw = FIELD(raw, nivcsw, 3),
        .run_delay_ns = FIELD(raw, cpu_delay_total, 0),
        .runs = FIELD(raw, cpu_count, 0),
        .blkio_delay_ns = FIELD(raw, blkio_delay_total, 1),
    };
    tk_comm_set(out->comm, (tk_str){comm, strnlen(comm, sizeof(comm))});
}

/* What AGGR_PID and AGGR_TGID hold. */
struct aggregate {
    tk_str stats;
    uint32_t pid;
};

static int take_part(const struct nlattr *attr, void *context)
{
    struct aggregate *aggregate = context;
    tk_str value = {mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr)};
    switch (mnl_attr_get_type(attr)) {
    case TASKSTATS_TYPE_STATS:
        aggregate->stats = value;
        break;
    case TASKSTATS_TYPE_PID:
    case TASKSTATS_TYPE_TGID:
        if (value.n == sizeof(aggregate->pid))
            memcpy(&aggregate->pid, value.p, sizeof(aggregate->pid));
        break;
    default:
        break;
    }
    return MNL_CB_OK;
}

static int aggregate_parse(const struct nlattr *attr, bool group, struct tk_task_record *ret)
{
    struct aggregate aggregate = {{NULL, 0}, 0};
    (void)mnl_attr_parse_payload(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr),
                                 take_part, &aggregate);
    uint16_t version = 0;
    if (aggregate.stats.n >= sizeof(version))
        memcpy(&version, aggregate.stats.p, sizeof(version));
    if (version < MIN_VERSION || aggregate.stats.n < MIN_SIZE || aggregate.pid == 0 ||
        aggregate.pid > INT_MAX)
        return -EBADMSG;

    struct raw_record raw = {aggregate.stats,
                             inserted_words(version, aggregate.stats.n) * sizeof(uint64_t)};
    struct tk_task_record out = {.version = version};
    record_fill(&raw, &out);
    out.tid = (pid_t)aggregate.pid;
    out.group = group;
    if (group) {
        out.last = true;
        out.pid = out.tid;
    } else if (version >= 12 && !pid_ok(out.pid)) {
        return -EBADMSG;
    }
    *ret = out;
    return 0;
}

struct records {
    struct tk_task_record *to;
    int n; /* so far, or -EBADMSG */
};

static int take_record(const struct nlattr *attr, void *context)
{
    struct records *records = context;
    uint16_t type = mnl_attr_get_type(attr);
    if (type != TASKSTATS_TYPE_AGGR_PID && type != TASKSTATS_TYPE_AGGR_TGID)
        return MNL_CB_OK;
    bool group = type == TASKSTATS_TYPE_AGGR_TGID;
    int rc = records->n < 2 ? aggregate_parse(attr, group, &records->to[records->n]) : -EBADMSG;
    records->n = rc < 0 ? rc : records->n + 1;
    return rc < 0 ? MNL_CB_ERROR : MNL_CB_OK;
}

int tk_task_records_parse(tk_str payload, struct tk_task_record ret[2])
{
    struct records records = {ret, 0};
    (void)mnl_attr_parse_payload(payload.p, payload.n, take_record, &records);
    return records.n;
}
