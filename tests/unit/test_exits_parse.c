/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/exits_parse.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/acct.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/taskstats.h>
#include <stdalign.h>
#include <string.h>

#include "base/compiler.h"
#include "tk_test.h"

/* Proc connector ---------------------------------------------------------------- */

struct message {
    alignas(8) char bytes[256];
    size_t n;
};

/* A connector message around the first `event_bytes` of `event`. */
static tk_str connector(struct message *message, const struct proc_event *event, size_t event_bytes)
{
    struct cn_msg head = {
        .id = {CN_IDX_PROC, CN_VAL_PROC},
        .seq = 17,
        .ack = 5,
        .len = (uint16_t)event_bytes,
    };
    memcpy(message->bytes, &head, sizeof(head));
    memcpy(message->bytes + sizeof(head), event, event_bytes);
    message->n = sizeof(head) + event_bytes;
    return (tk_str){message->bytes, message->n};
}

static void reads_a_fork_with_the_process_and_not_the_thread_of_the_parent(void **state)
{
    (void)state;
    struct message message;
    struct tk_event event;
    struct proc_event fork = {
        .what = PROC_EVENT_FORK,
        .cpu = 3,
        .timestamp_ns = 123456789,
        .event_data.fork = {.parent_pid = 11, .parent_tgid = 10, .child_pid = 21, .child_tgid = 20},
    };
    assert_int_equal(tk_event_parse(connector(&message, &fork, sizeof(fork)), &event), 0);
    assert_int_equal(event.kind, TK_EVENT_FORK);
    assert_int_equal(event.parent, 10);
    assert_int_equal(event.tid, 21);
    assert_int_equal(event.pid, 20);
    assert_int_equal(event.mono_ns, 123456789);
    assert_int_equal(event.cpu, 3);
    assert_int_equal(event.seq, 17);
}

static void reads_an_exit_with_and_without_the_parent(void **state)
{
    (void)state;
    struct message message;
    struct tk_event event;
    struct proc_event ended = {
        .what = PROC_EVENT_EXIT,
        .event_data.exit = {20, 20, 0x300, 17, 11, 10},
    };
    assert_int_equal(tk_event_parse(connector(&message, &ended, sizeof(ended)), &event), 0);
    assert_int_equal(event.kind, TK_EVENT_EXIT);
    assert_int_equal(event.status, 0x300);
    assert_int_equal(event.parent, 10);

    size_t old = offsetof(struct proc_event, event_data.exit.parent_pid);
    assert_int_equal(tk_event_parse(connector(&message, &ended, old), &event), 0);
    assert_int_equal(event.status, 0x300);
    assert_int_equal(event.parent, 0);
}

static void reads_exec_and_acknowledgement_and_passes_over_other_kinds(void **state)
{
    (void)state;
    struct message message;
    struct tk_event event;
    struct proc_event exec = {.what = PROC_EVENT_EXEC, .event_data.exec = {5, 5}};
    assert_int_equal(tk_event_parse(connector(&message, &exec, sizeof(exec)), &event), 0);
    assert_int_equal(event.kind, TK_EVENT_EXEC);
    assert_int_equal(event.pid, 5);

    struct proc_event ack = {.what = PROC_EVENT_NONE, .event_data.ack = {1}};
    assert_int_equal(tk_event_parse(connector(&message, &ack, sizeof(ack)), &event), 0);
    assert_int_equal(event.kind, TK_EVENT_ACK);
    assert_int_equal(event.ack, 5);
    assert_int_equal(event.status, 1);

    struct proc_event comm = {.what = PROC_EVENT_COMM};
    assert_int_equal(tk_event_parse(connector(&message, &comm, sizeof(comm)), &event), 0);
    assert_int_equal(event.kind, TK_EVENT_OTHER);
}

static void refuses_connector_messages_that_are_cut_or_foreign(void **state)
{
    (void)state;
    struct message message;
    struct tk_event event;
    struct proc_event fork = {.what = PROC_EVENT_FORK, .event_data.fork = {1, 1, 2, 2}};
    size_t whole = offsetof(struct proc_event, event_data) + 16;
    for (size_t n = 0; n < whole; n++)
        assert_int_equal(tk_event_parse(connector(&message, &fork, n), &event), -EBADMSG);
    assert_int_equal(tk_event_parse(connector(&message, &fork, whole), &event), 0);

    tk_str cut = connector(&message, &fork, whole);
    cut.n--;
    assert_int_equal(tk_event_parse(cut, &event), -EBADMSG);

    tk_str foreign = connector(&message, &fork, whole);
    struct cn_msg head;
    memcpy(&head, message.bytes, sizeof(head));
    head.id.idx++;
    memcpy(message.bytes, &head, sizeof(head));
    assert_int_equal(tk_event_parse(foreign, &event), -EBADMSG);

    struct proc_event nobody = {.what = PROC_EVENT_FORK};
    assert_int_equal(tk_event_parse(connector(&message, &nobody, whole), &event), -EBADMSG);
}

/* Taskstats --------------------------------------------------------------------- */

#define STRUCT_MAX 600

/* The struct as version 13 lays it out, all fields that we read told apart by their values. */
static struct taskstats sample(void)
{
    struct taskstats s = {
        .version = 13,
        .ac_exitcode = 0x300,
        .ac_flag = AGROUP,
        .cpu_count = 100,
        .cpu_delay_total = 101,
        .blkio_delay_total = 102,
        .cpu_run_virtual_total = 103,
        .ac_comm = "worker",
        .ac_uid = 1000,
        .ac_pid = 21,
        .ac_ppid = 7,
        .ac_etime = 104,
        .ac_utime = 105,
        .ac_stime = 106,
        .ac_minflt = 107,
        .ac_majflt = 108,
        .hiwater_rss = 109,
        .read_bytes = 110,
        .write_bytes = 111,
        .nvcsw = 112,
        .nivcsw = 113,
        .ac_tgid = 20,
        .ac_tgetime = 114,
    };
    return s;
}

/* Bytes of the struct in each version, and where 6.14's accident put words in between. */
static const struct layout {
    int version;
    size_t size;
    size_t inserted; /* words behind each kind of delay */
} layouts[] = {
    {8, 328, 0},  {9, 344, 0},  {10, 352, 0}, {11, 368, 0}, {12, 400, 0},
    {13, 416, 0}, {14, 432, 0}, {14, 496, 1}, {15, 560, 2}, {16, 560, 0},
};

/* Lay the sample out for a version; returns the bytes. */
static tk_str layout_struct(const struct layout *layout, char out[STRUCT_MAX])
{
    static const size_t cuts[] = {
        offsetof(struct taskstats, blkio_count),        offsetof(struct taskstats, swapin_count),
        offsetof(struct taskstats, cpu_run_real_total), offsetof(struct taskstats, thrashing_count),
        offsetof(struct taskstats, ac_btime64),         offsetof(struct taskstats, ac_tgid),
    };
    struct taskstats s = sample();
    s.version = (uint16_t)layout->version;
    memset(out, 0xee, STRUCT_MAX);
    size_t from = 0;
    size_t to = 0;
    for (size_t i = 0; i <= TK_COUNTOF(cuts); i++) {
        size_t end = i < TK_COUNTOF(cuts) ? cuts[i] : sizeof(s);
        memcpy(out + to, (const char *)&s + from, end - from);
        to += end - from + layout->inserted * sizeof(uint64_t);
        from = end;
    }
    return (tk_str){out, layout->size};
}

static void put_aggregate(struct nlmsghdr *to, uint16_t type, uint32_t pid, tk_str stats)
{
    struct nlattr *nest = mnl_attr_nest_start(to, type);
    mnl_attr_put_u32(to, type == TASKSTATS_TYPE_AGGR_PID ? TASKSTATS_TYPE_PID : TASKSTATS_TYPE_TGID,
                     pid);
    mnl_attr_put(to, TASKSTATS_TYPE_STATS, stats.n, stats.p);
    mnl_attr_nest_end(to, nest);
}

static tk_str payload_of(const struct nlmsghdr *message)
{
    return (tk_str){mnl_nlmsg_get_payload(message), mnl_nlmsg_get_payload_len(message)};
}

static void reads_a_thread_record_of_every_version(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_COUNTOF(layouts); i++) {
        alignas(8) char bytes[4096];
        char raw[STRUCT_MAX];
        struct nlmsghdr *message = mnl_nlmsg_put_header(bytes);
        put_aggregate(message, TASKSTATS_TYPE_AGGR_PID, 21, layout_struct(&layouts[i], raw));
        struct tk_task_record record[2];
        assert_int_equal(tk_task_records_parse(payload_of(message), record), 1);

        bool has_tgid = layouts[i].version >= 12;
        assert_int_equal(record[0].version, layouts[i].version);
        assert_int_equal(record[0].tid, 21);
        assert_int_equal(record[0].pid, has_tgid ? 20 : 0);
        assert_int_equal(record[0].group_elapsed_us, has_tgid ? 114 : 0);
        assert_int_equal(record[0].ppid, 7);
        assert_false(record[0].group);
        assert_true(record[0].last);
        assert_false(record[0].forked);
        assert_int_equal(record[0].status, 0x300);
        assert_int_equal(record[0].uid, 1000);
        assert_string_equal(record[0].comm, "worker");
        assert_int_equal(record[0].runs, 100);
        assert_int_equal(record[0].run_delay_ns, 101);
        assert_int_equal(record[0].blkio_delay_ns, 102);
        assert_int_equal(record[0].cpu_ns, 103);
        assert_int_equal(record[0].elapsed_us, 104);
        assert_int_equal(record[0].user_us, 105);
        assert_int_equal(record[0].system_us, 106);
        assert_int_equal(record[0].minflt, 107);
        assert_int_equal(record[0].majflt, 108);
        assert_int_equal(record[0].max_rss_kb, 109);
        assert_int_equal(record[0].rd_bytes, 110);
        assert_int_equal(record[0].wr_bytes, 111);
        assert_int_equal(record[0].nvcsw, 112);
        assert_int_equal(record[0].nivcsw, 113);
    }
}

static void reads_the_sums_of_a_group_beside_its_last_thread(void **state)
{
    (void)state;
    alignas(8) char bytes[4096];
    char raw[STRUCT_MAX];
    tk_str stats = layout_struct(&layouts[TK_COUNTOF(layouts) - 1], raw);
    struct nlmsghdr *message = mnl_nlmsg_put_header(bytes);
    put_aggregate(message, TASKSTATS_TYPE_AGGR_PID, 21, stats);
    put_aggregate(message, TASKSTATS_TYPE_AGGR_TGID, 20, stats);
    struct tk_task_record record[2];
    assert_int_equal(tk_task_records_parse(payload_of(message), record), 2);
    assert_false(record[0].group);
    assert_true(record[1].group);
    assert_int_equal(record[1].pid, 20);
    assert_int_equal(record[1].cpu_ns, 103);

    put_aggregate(message, TASKSTATS_TYPE_AGGR_PID, 22, stats);
    assert_int_equal(tk_task_records_parse(payload_of(message), record), -EBADMSG);
}

static void refuses_records_that_are_cut_or_too_old(void **state)
{
    (void)state;
    static const struct layout bad[] = {{7, 328, 0}, {8, 200, 0}, {16, 1, 0}, {0, 0, 0}};
    struct tk_task_record record[2];
    for (size_t i = 0; i < TK_COUNTOF(bad); i++) {
        alignas(8) char bytes[4096];
        char raw[STRUCT_MAX];
        struct nlmsghdr *message = mnl_nlmsg_put_header(bytes);
        put_aggregate(message, TASKSTATS_TYPE_AGGR_PID, 21, layout_struct(&bad[i], raw));
        assert_int_equal(tk_task_records_parse(payload_of(message), record), -EBADMSG);
    }
    assert_int_equal(tk_task_records_parse((tk_str){NULL, 0}, record), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_fork_with_the_process_and_not_the_thread_of_the_parent),
        cmocka_unit_test(reads_an_exit_with_and_without_the_parent),
        cmocka_unit_test(reads_exec_and_acknowledgement_and_passes_over_other_kinds),
        cmocka_unit_test(refuses_connector_messages_that_are_cut_or_foreign),
        cmocka_unit_test(reads_a_thread_record_of_every_version),
        cmocka_unit_test(reads_the_sums_of_a_group_beside_its_last_thread),
        cmocka_unit_test(refuses_records_that_are_cut_or_too_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
