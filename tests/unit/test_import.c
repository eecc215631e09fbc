/* SPDX-License-Identifier: Apache-2.0 */
#include "run/import.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>

#include "tk_folder.h"

/* What a test works in: old folders and new ones below `work`, and what import said. */
static char work[PATH_MAX];
static struct tk_buf said;

static int make_work(void **state)
{
    (void)state;
    folder_make(work);
    tk_buf_init(&said, 65536);
    return 0;
}

static int remove_work(void **state)
{
    (void)state;
    folder_remove(work);
    tk_buf_release(&said);
    return 0;
}

static void note(void *context, const char *line)
{
    (void)context;
    tk_buf_printf(&said, "%s\n", line);
}

static const char *path_of(const char *name, char path[PATH_MAX * 2])
{
    (void)snprintf(path, PATH_MAX * 2, "%s/%s", work, name);
    return path;
}

static int import_from(const char *from, const char *to, struct tk_import_report *report,
                       struct tk_err *err)
{
    char source[PATH_MAX * 2];
    char target[PATH_MAX * 2];
    return tk_import(&(struct tk_import_options){.from = path_of(from, source),
                                                 .to = path_of(to, target),
                                                 .say = note},
                     report, err);
}

static struct tk_import_report import(const char *from, const char *to)
{
    struct tk_import_report report;
    struct tk_err err;
    if (import_from(from, to, &report, &err) < 0)
        fail_msg("%s", err.msg);
    return report;
}

#define CPU_LOG                                                                                    \
    "Linux 5.4.0 (cloud0) \t09/16/25 \t_x86_64_\t(4 CPU)\n\n"                                      \
    "21:48:29     CPU    %usr   %idle\n"                                                           \
    "21:48:30     all    3.76   94.99\n"                                                           \
    "21:48:31     all    0.00  100.00\n"
#define NODE_META                                                                                  \
    "{\"run_id\": \"20250916001\", \"node\": \"vm0\", \"stage\": \"edge\", \"host\": \"cloud0\", " \
    "\"iface\": \"ens2\", \"cpu_cores\": 4, \"mem_mb\": 15997, \"cpu_model\": \"Q\", "             \
    "\"cpu_freq_mhz\": 2399}"
#define ROUNDED_NODES                                                                              \
    "[\n  {\n    \"node_id\": \"vm0\",\n    \"stage\": \"cloud\",\n    \"cpu_cores\": 4,\n"        \
    "    \"mem_mb\": 16384,\n    \"cpu_model\": \"Q\",\n    \"cpu_freq_mhz\": 2400\n  }\n]"

static void a_folder_of_generation_1_becomes_a_run_of_today(void **state)
{
    (void)state;
    folder_put(work, "old/node_meta.json", NODE_META);
    folder_put(work, "old/link_meta.json",
               "{\"iface\": \"ens2\", \"BW_bps\": 1000000000, \"PR_s\": 0.0001175}");
    folder_put(work, "old/cpu.log", CPU_LOG);
    folder_put(work, "old/resources.jsonl", /* of the first parser: the time of parsing */
               "{\"ts_ms\":1758300000000,\"node\":\"vm0\",\"stage\":\"edge\",\"mem_free_mb\":1}\n");
    folder_put(work, "old/proc_metrics.jsonl",
               "{\"ts_ms\":1758059310000,\"pid\":7,\"utime\":1,\"stime\":2,\"rss_kb\":3}\n"
               "{\"ts_ms\":1758059311000,\"pid\":7,\"utime\":11,\"stime\":2,\"rss_kb\":3}\n");
    folder_put(work, "old/events.7.jsonl",
               "{\"trace_id\":\"t\",\"ts_enqueue\":1758059309000,\"ts_start\":1758059309500,"
               "\"ts_end\":1758059312000,\"pid\":7}\n");
    folder_put(work, "old/cctf/invocations.jsonl", "{\"trace_id\":\"merged\"}\n");
    struct tk_import_report report = import("old", "new");

    assert_int_equal(report.node_from, TK_IMPORT_NODE_META);
    assert_string_equal(report.run_id, "20250916001");
    assert_int_equal(report.rows[TK_TABLE_HOST_METRICS], 2);
    assert_int_equal(report.rows[TK_TABLE_PROC_METRICS], 2);
    assert_int_equal(report.rows[TK_TABLE_INVOCATIONS], 1);
    assert_int_equal(report.first_ms, 1758059309000);
    assert_int_equal(report.last_ms, 1758059312000);
    assert_int_equal(report.parse.events, 1);
    assert_file(work, "new/run.json",
                "{\"schema_version\":2,\"tool_version\":\"" TK_VERSION
                "\",\"run_id\":\"20250916001\",\"node\":\"vm0\",\"host\":\"cloud0\","
                "\"start_ms\":1758059309000,\"stop_ms\":1758059312000,\"kernel\":\"5.4.0\","
                "\"host_interval_ms\":1000,\"rows\":5,\"notices\":[\"imported from old\"]}\n");
    assert_file(work, "new/proc_metrics.jsonl",
                "{\"ts_ms\":1758059310000,\"pid\":7,\"utime\":1,\"stime\":2,\"rss_kb\":3,"
                "\"node\":\"vm0\",\"host\":\"cloud0\"}\n"
                "{\"ts_ms\":1758059311000,\"pid\":7,\"utime\":11,\"stime\":2,\"rss_kb\":3,"
                "\"node\":\"vm0\",\"host\":\"cloud0\"}\n");
    assert_str_equal(tk_buf_str(&said), "");
}

static void node_meta_beats_the_rounded_nodes_json(void **state)
{
    (void)state;
    folder_put(work, "both/node_meta.json", NODE_META);
    folder_put(work, "both/cctf/nodes.json", ROUNDED_NODES);
    assert_int_equal(import("both", "new1").mem_mb, 15997);
    folder_put(work, "slim/cctf/nodes.json", ROUNDED_NODES);
    struct tk_import_report report = import("slim", "new2");
    assert_int_equal(report.node_from, TK_IMPORT_NODES_JSON);
    assert_int_equal(report.mem_mb, 16384);
    assert_str_equal(tk_buf_str(&said), "node_meta.json is missing: took nodes.json of node 'vm0' "
                                        "(its figures may be rounded)\n");
}

static void a_folder_of_generation_2_is_read_from_cts(void **state)
{
    (void)state;
    folder_put(work, "20250920(c1)/CTS/nodes.json", ROUNDED_NODES);
    folder_put(work, "20250920(c1)/CTS/invocations.jsonl",
               "{\"trace_id\":\"a\",\"pid\":7,\"ts_enqueue\":1000,\"ts_start\":1100,"
               "\"ts_end\":1500}\n");
    folder_put(work, "20250920(c1)/CTS/proc_metrics.jsonl",
               "{\"ts_ms\":1200,\"pid\":7,\"dt_ms\":0,\"cpu_ms\":0,\"rss_kb\":3}\n"
               "{\"ts_ms\":1400,\"pid\":7,\"dt_ms\":200,\"cpu_ms\":150,\"rss_kb\":3}\n");
    struct tk_import_report report = import("20250920(c1)", "new");
    assert_string_equal(report.run_id, "20250920");
    assert_int_equal(report.rows[TK_TABLE_PROC_METRICS], 2);
    assert_int_equal(report.rows[TK_TABLE_INVOCATIONS], 1);
    assert_file(work, "new/cctf/proc_cpu.jsonl",
                "{\"ts_ms\":1400,\"pid\":7,\"cpu_ms\":150,\"dt_ms\":200,\"node\":\"vm0\"}\n");
    assert_file(work, "new/invocations.jsonl",
                "{\"trace_id\":\"a\",\"pid\":7,\"ts_enqueue\":1000,\"ts_start\":1100,"
                "\"ts_end\":1500}\n");
}

static void logs_alone_are_enough(void **state)
{
    (void)state;
    folder_put(work, "logs only/cpu.log", CPU_LOG);
    folder_put(work, "logs only/net.log",
               "  Time           ens2\nHH:MM:SS   KB/s in  KB/s out\n21:48:30 4.98 4.63\n");
    struct tk_import_report report = import("logs only", "new");
    assert_int_equal(report.node_from, TK_IMPORT_NODE_MADE);
    assert_string_equal(report.node, "cloud0");
    assert_int_equal(report.cpu_cores, 4);
    assert_int_equal(report.times.reference, TK_RAWLOG_BY_BANNER);
    assert_str_equal(tk_buf_str(&said),
                     "node_meta.json is missing: made one for node 'cloud0', unknown size of "
                     "memory\n");
    assert_file(work, "new/links.jsonl",
                "{\"ts_ms\":1758059310000,\"node\":\"cloud0\",\"stage\":\"cloud\","
                "\"link\":\"cloud0.nic\",\"rx_Bps\":5099,\"tx_Bps\":4741,\"host\":\"cloud0\","
                "\"iface\":\"ens2\"}\n");
    assert_file(work, "new/node_meta.json",
                "{\"run_id\":\"logs only\",\"node\":\"cloud0\",\"stage\":\"cloud\","
                "\"host\":\"cloud0\",\"iface\":\"ens2\",\"cpu_cores\":4,\"mem_mb\":0,"
                "\"cpu_freq_mhz\":0,\"arch\":\"x86_64\",\"kernel\":\"5.4.0\"}\n");
}

static void the_name_of_the_folder_tells_the_node_when_nothing_else_does(void **state)
{
    (void)state;
    folder_put(work, "20250916(c3)/proc_metrics.jsonl",
               "{\"ts_ms\":1758059310000,\"pid\":7,\"utime\":1,\"stime\":2,\"rss_kb\":3}\n");
    struct tk_import_report report = import("20250916(c3)", "new");
    assert_string_equal(report.node, "c3");
    assert_string_equal(report.run_id, "20250916");
}

static void events_over_several_lines_come_on_one(void **state)
{
    (void)state;
    folder_put(work, "old/node_meta.json", NODE_META);
    folder_put(work, "old/events.ffmpeg.jsonl",
               "{\n  \"trace_id\": \"a \\\"b\\\\\",\n  \"ts_enqueue\": 1000, \"ts_start\": 1000,\n"
               "  \"ts_end\": 2000,\n  \"argv\": [ \"x y\" ]\n}{\"trace_id\":\"c\"}\n7\n{\"tr\n"
               "{\"trace_id\":\"d\"}\n{\"trace");
    struct tk_import_report report = import("old", "new");
    assert_file(
        work, "new/events.ffmpeg.jsonl",
        "{\"trace_id\":\"a \\\"b\\\\\",\"ts_enqueue\":1000,\"ts_start\":1000,"
        "\"ts_end\":2000,\"argv\":[\"x y\"]}\n{\"trace_id\":\"c\"}\n{\"trace_id\":\"d\"}\n");
    assert_int_equal(report.rows[TK_TABLE_INVOCATIONS], 3);
    assert_int_equal(report.bad_rows, 2);
    assert_str_equal(tk_buf_str(&said),
                     "events.ffmpeg.jsonl: line 7: no object; texts skipped: 2\n"
                     "events.ffmpeg.jsonl: skipped a last event that was cut short\n");
}

static void bad_rows_and_lines_are_counted_and_the_first_is_named(void **state)
{
    (void)state;
    folder_put(work, "old/node_meta.json", NODE_META);
    folder_put(work, "old/cpu.log", CPU_LOG "what\n21:48:32 all 1.0");
    folder_put(work, "old/proc_metrics.jsonl",
               "{\"ts_ms\":1758059310000,\"pid\":7,\"utime\":1,\"stime\":2,\"rss_kb\":3,\"x\":1}\n"
               "{]\n{\"ts_ms\":17580593");
    struct tk_import_report report = import("old", "new");
    assert_int_equal(report.logs[TK_RAWLOG_CPU].bad, 1);
    assert_int_equal(report.logs[TK_RAWLOG_CPU].torn, 1);
    assert_int_equal(report.bad_rows, 1);
    assert_str_equal(tk_buf_str(&said),
                     "cpu.log:6: expected a time HH:MM:SS; lines skipped: 1\n"
                     "cpu.log: skipped a last line that was cut short\n"
                     "proc_metrics.jsonl: line 2: byte 1: expected a key; rows skipped: 1\n"
                     "proc_metrics.jsonl: skipped a last row that was cut short\n"
                     "proc_metrics.jsonl: values that no table has, left out: 1\n");
}

static void the_host_of_the_log_is_compared_with_the_node(void **state)
{
    (void)state;
    folder_put(work, "old/node_meta.json",
               "{\"run_id\":\"r\",\"node\":\"n\",\"stage\":\"s\",\"host\":\"other\","
               "\"cpu_cores\":1,\"mem_mb\":1}");
    folder_put(work, "old/cpu.log", CPU_LOG);
    assert_string_equal(import("old", "new").host, "other");
    assert_str_equal(tk_buf_str(&said),
                     "cpu.log is of host 'cloud0', the node's host is 'other'; kept the latter\n");
}

/* What cannot be done, and leaves nothing behind ------------------------------------------- */

/* `message` is all after the path of the work folder. */
static void assert_refused(const char *from, const char *to, int code, const char *message)
{
    struct tk_import_report report;
    struct tk_err err = {0};
    assert_int_equal(import_from(from, to, &report, &err), code);
    assert_memory_equal(err.msg, work, strlen(work));
    assert_string_equal(err.msg + strlen(work), message);
}

static void what_is_no_old_run_is_refused(void **state)
{
    (void)state;
    folder_put(work, "empty/readme", "");
    folder_put(work, "ours/run.json", "{}");
    assert_refused("absent", "new", -ENOENT, "/absent: No such file or directory");
    assert_refused("empty", "new", -ENOENT,
                   "/empty: no old run: expected cpu.log, mem.log, net.log, node_meta.json, "
                   "tables or events, cctf/ or CTS/");
    assert_refused("ours", "new", -EALREADY,
                   "/ours: is a run of tracekit already (it has run.json)");
    assert_null(folder_get(work, "new/run.json"));
}

static void a_folder_with_anything_in_it_is_not_written(void **state)
{
    (void)state;
    folder_put(work, "old/cpu.log", CPU_LOG);
    folder_put(work, "new/mine", "keep");
    assert_refused("old", "new", -EEXIST, "/new: is there and not empty");
    assert_file(work, "new/mine", "keep");
}

static void a_folder_that_another_import_fills_is_left_to_it(void **state)
{
    (void)state;
    char path[PATH_MAX * 2];
    struct tk_err err;
    folder_put(work, "old/cpu.log", CPU_LOG);
    assert_int_equal(tk_dir_make(AT_FDCWD, path_of("new", path), &err), 0);
    TK_CLEANUP(tk_fd_close) int other = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(other, LOCK_EX), 0);
    assert_refused("old", "new", -EBUSY, "/new: another process is writing a run there");
    assert_int_equal(access(path, F_OK), 0);
}

static void the_old_folder_is_not_written(void **state)
{
    (void)state;
    folder_put(work, "old/cpu.log", CPU_LOG);
    char message[PATH_MAX * 2];
    (void)snprintf(message, sizeof(message), "/old/a/b: lies within %s/old, which is only read",
                   work);
    assert_refused("old", "old/a/b", -EINVAL, message);
    (void)snprintf(message, sizeof(message), "/old: lies within %s/old, which is only read", work);
    assert_refused("old", "old", -EINVAL, message);
    char path[PATH_MAX * 2];
    assert_int_equal(access(path_of("old/a", path), F_OK), -1);
}

static void a_failure_leaves_no_new_folder(void **state)
{
    (void)state;
    char path[PATH_MAX * 2];
    struct tk_err err;
    folder_put(work, "old/node_meta.json", NODE_META);
    folder_put(work, "old/cpu.log", CPU_LOG);
    assert_int_equal(tk_dir_make(AT_FDCWD, path_of("old/events.x.jsonl", path), &err), 0);
    assert_refused("old", "new", -EISDIR, "/old: events.x.jsonl: Is a directory");
    assert_int_equal(access(path_of("new", path), F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_work, remove_work)
        TEST(a_folder_of_generation_1_becomes_a_run_of_today),
        TEST(node_meta_beats_the_rounded_nodes_json),
        TEST(a_folder_of_generation_2_is_read_from_cts),
        TEST(logs_alone_are_enough),
        TEST(the_name_of_the_folder_tells_the_node_when_nothing_else_does),
        TEST(events_over_several_lines_come_on_one),
        TEST(bad_rows_and_lines_are_counted_and_the_first_is_named),
        TEST(the_host_of_the_log_is_compared_with_the_node),
        TEST(what_is_no_old_run_is_refused),
        TEST(a_folder_with_anything_in_it_is_not_written),
        TEST(a_folder_that_another_import_fills_is_left_to_it),
        TEST(the_old_folder_is_not_written),
        TEST(a_failure_leaves_no_new_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
