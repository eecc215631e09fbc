/* SPDX-License-Identifier: Apache-2.0 */
#include "run/verify.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "tk_folder.h"

#define NODE                                                                                       \
    "{\"run_id\":\"r\",\"node\":\"vm0\",\"stage\":\"cloud\",\"cpu_cores\":4,\"mem_mb\":15997}"
#define NODES "[{\"node_id\":\"vm0\",\"stage\":\"cloud\",\"cpu_cores\":4,\"mem_mb\":15997}]"
#define RUN(more)                                                                                  \
    "{\"schema_version\":2,\"tool_version\":\"0\",\"run_id\":\"r\",\"node\":\"vm0\","              \
    "\"host\":\"h\",\"start_ms\":1,\"stop_ms\":9000" more "}"
#define CPU(ts) "{\"ts_ms\":" ts ",\"node\":\"vm0\",\"stage\":\"cloud\",\"cpu_util\":1.5}\n"
#define MEM(ts) "{\"ts_ms\":" ts ",\"node\":\"vm0\",\"stage\":\"cloud\",\"mem_free_mb\":15}\n"
#define NIC(ts)                                                                                    \
    "{\"ts_ms\":" ts ",\"node\":\"vm0\",\"stage\":\"cloud\",\"link\":\"vm0.nic\",\"rx_Bps\":1,"    \
    "\"tx_Bps\":1}\n"
#define PROC(ts, pid)                                                                              \
    "{\"ts_ms\":" ts ",\"pid\":" pid ",\"utime\":1,\"stime\":1,\"rss_kb\":4,\"start_ticks\":7}\n"
#define THREAD(ts, tid, start, cpu_ns)                                                             \
    "{\"ts_ms\":" ts ",\"pid\":7,\"start_ticks\":7,\"tid\":" tid ",\"thread_start_ticks\":" start  \
    ",\"cpu_ns\":" cpu_ns ",\"utime\":1}\n"
#define INTERVAL(ts, dt)                                                                           \
    "{\"ts_ms\":" ts ",\"pid\":7,\"cpu_ms\":1,\"dt_ms\":" dt ",\"start_ticks\":7}\n"
#define EVENT(span, parent, enqueue, start, end, pid)                                              \
    "{\"trace_id\":\"t\",\"span_id\":\"" span "\",\"parent_id\":" parent                           \
    ",\"ts_enqueue\":" enqueue ",\"ts_start\":" start ",\"ts_end\":" end ",\"pid\":" pid           \
    ",\"node\":\"vm0\"}\n"

#define FILES_MAX 6

/* A folder, and all that verify says about it: one line per finding. */
struct broken {
    const char *name;
    struct {
        const char *name;
        const char *text;
    } files[FILES_MAX];
    const char *findings;
};

static const struct broken cases[] = {
    {"a sound run",
     {{"node_meta.json", NODE},
      {"resources.jsonl", CPU("1000") MEM("1000") CPU("2000") MEM("2000") CPU("2000")},
      {"events.x.jsonl", "{\n  \"trace_id\": null,\n  \"ts_enqueue\": 1, \"ts_start\": 1,\n"
                         "  \"ts_end\": 1, \"more\": [{}]\n}\n"},
      {"links.jsonl", NIC("1000") NIC("2000") NIC("3500")}},
     "events.x.jsonl: coverage: the run has no rows of processes, so no invocation has any\n"},
    {"json",
     {{"node_meta.json", NODE},
      {"resources.jsonl", CPU("1000") "{\"ts_ms\":12 13}\n[1]\n\n" CPU("2000")},
      {"events.x.jsonl", "7\n"}},
     "resources.jsonl:2: json: byte 12: expected ',' or '}'\n"
     "resources.jsonl:3: json: expected an object, found an array\n"
     "events.x.jsonl:1: json: expected an object, found a number\n"},
    {"type",
     {{"node_meta.json",
       "{\"run_id\":\"r\",\"node\":1,\"stage\":\"cloud\",\"cpu_cores\":4.5,\"mem_mb\":\"15997\","
       "\"ifaces\":[\"a\",1],\"tsc_invariant\":0}"}},
     "node_meta.json:1: type: node is a number, expected a string\n"
     "node_meta.json:1: type: cpu_cores is 4.5, expected a whole number\n"
     "node_meta.json:1: type: mem_mb is a string, expected a whole number\n"
     "node_meta.json:1: type: ifaces is [\"a\",1], expected an array of strings\n"
     "node_meta.json:1: type: tsc_invariant is a number, expected true or false\n"},
    {"required",
     {{"cctf/nodes.json", "[\n{\"node_id\":\"a\",\"stage\":\"s\",\"cpu_cores\":1,\"mem_mb\":1},\n"
                          "{\"node_id\":null,\"stage\":\"s\",\"mem_mb\":1}\n]"},
      {"cctf/proc_metrics.jsonl", "{\"ts_ms\":1,\"pid\":7,\"dt_ms\":0,\"cpu_ms\":0,\"rss_kb\":1}\n"
                                  "{\"ts_ms\":2,\"pid\":7,\"utime\":0,\"rss_kb\":1}\n"}},
     "cctf/nodes.json:3: required: node_id is null\n"
     "cctf/nodes.json:3: required: cpu_cores is missing\n"
     "cctf/proc_metrics.jsonl:2: required: stime is missing\n"},
    {"row-kind",
     {{"node_meta.json", NODE},
      {"resources.jsonl",
       "{\"ts_ms\":1000,\"node\":\"vm0\",\"stage\":\"s\",\"cpu_util\":1,\"mem_free_mb\":1}\n"
       "{\"ts_ms\":1000,\"node\":\"vm0\",\"stage\":\"s\"}\n"}},
     "resources.jsonl:1: row-kind: both cpu_util and mem_free_mb, expected one of them\n"
     "resources.jsonl:2: row-kind: neither cpu_util nor mem_free_mb\n"},
    {"order",
     {{"node_meta.json", NODE},
      {"resources.jsonl", CPU("5000") MEM("3500") MEM("4500")},
      {"proc_metrics.jsonl", PROC("5000", "7") PROC("3000", "8") PROC("2999", "9")}},
     "resources.jsonl:2: order: 1.500 s before line 1\n"
     "proc_metrics.jsonl:3: order: 2.001 s before line 1\n"},
    {"order of what parse has sorted",
     {{"cctf/nodes.json", NODES}, {"cctf/proc_metrics.jsonl", PROC("5000", "7") PROC("4999", "8")}},
     "cctf/proc_metrics.jsonl:2: order: 0.001 s before line 1\n"},
    {"process-order",
     {{"cctf/nodes.json", NODES},
      {"cctf/proc_metrics.jsonl", PROC("5000", "7") PROC("5000", "8") PROC("5000", "7")},
      {"cctf/proc_cpu.jsonl", INTERVAL("5000", "1")}},
     "cctf/proc_metrics.jsonl:3: process-order: pid 7 at 5000.000 ms, not after line 1 at "
     "5000.000 ms\n"},
    {"thread",
     {{"cctf/nodes.json", NODES},
      {"cctf/proc_metrics.jsonl", PROC("1000", "7")},
      {"cctf/thread_metrics.jsonl",
       THREAD("1000", "8", "1", "50") THREAD("1000", "9", "1", "60") THREAD("2000", "8", "1", "49")
           THREAD("2000", "9", "1", "60") THREAD("3000", "8", "2", "1")
               THREAD("3000", "8", "1", "49") THREAD("3000", "8", "1", "51")}},
     "cctf/thread_metrics.jsonl:3: thread: cpu_ns of tid 8 is 49, after 50 in line 1\n"
     "cctf/thread_metrics.jsonl:7: thread: tid 8 at 3000.000 ms, not after line 6 at 3000.000 "
     "ms\n"},
    {"coverage of threads",
     {{"cctf/nodes.json", NODES},
      {"cctf/thread_metrics.jsonl", THREAD("1000", "8", "1", "50") THREAD("2000", "8", "1", "50")}},
     "cctf/thread_metrics.jsonl:1: coverage: tid 8: no rows of its process, pid 7\n"},
    {"event-order",
     {{"cctf/nodes.json", NODES},
      {"cctf/proc_metrics.jsonl", PROC("5000", "7")},
      {"cctf/invocations.jsonl", EVENT("a", "null", "1000", "999", "998", "7")}},
     "cctf/invocations.jsonl:1: event-order: ts_start 999 is before ts_enqueue 1000\n"
     "cctf/invocations.jsonl:1: event-order: ts_end 998 is before ts_start 999\n"},
    {"negative-dt",
     {{"cctf/nodes.json", NODES}, {"cctf/proc_cpu.jsonl", INTERVAL("5000", "-3")}},
     "cctf/proc_cpu.jsonl:1: negative-dt: dt_ms is -3\n"},
    {"causality",
     {{"cctf/nodes.json", NODES},
      {"cctf/proc_metrics.jsonl", PROC("5000", "7")},
      {"cctf/invocations.jsonl", EVENT("child", "\"root\"", "1000", "1000", "1100", "7")
                                     EVENT("other", "\"root\"", "1009", "1009", "1100", "7")
                                         EVENT("root", "\"absent\"", "1010", "1010", "1250", "7")}},
     "cctf/invocations.jsonl:1: causality: starts 10 ms before its parent, "
     "cctf/invocations.jsonl line 3 (error bound 1 ms)\n"},
    {"causality between hosts",
     {{"node_meta.json", NODE},
      {"clock.jsonl", "{\"monotonic_us\":1,\"adj_maxerror_us\":20000}\n"},
      {"events.a.jsonl", EVENT("root", "null", "1010", "1010", "1250", "-1")},
      {"events.b.jsonl",
       "{\"trace_id\":\"t\",\"span_id\":\"x\",\"parent_id\":\"root\",\"ts_enqueue\":1,"
       "\"ts_start\":988,\"ts_end\":1250,\"host\":\"b\"}\n"
       "{\"trace_id\":\"t\",\"span_id\":\"y\",\"parent_id\":\"root\",\"ts_enqueue\":1,"
       "\"ts_start\":990,\"ts_end\":1250,\"host\":\"b\"}\n"}},
     "events.b.jsonl:1: causality: starts 22 ms before its parent, events.a.jsonl line 1 (error "
     "bound 21 ms)\n"
     "events.b.jsonl: coverage: the run has no rows of processes, so no invocation has any\n"},
    {"version",
     {{"node_meta.json", NODE},
      {"run.json", "{\"schema_version\":3,\"tool_version\":\"9\",\"run_id\":\"r\",\"node\":\"n\","
                   "\"host\":\"h\",\"start_ms\":1,\"stop_ms\":2}"}},
     "run.json:1: version: schema_version is 3, expected 2\n"},
    {"missing raw",
     {{"resources.jsonl", CPU("1000")}},
     "node_meta.json: missing: the file is missing\n"},
    {"missing in cctf",
     {{"node_meta.json", NODE}, {"cctf/host_metrics.jsonl", CPU("1000")}},
     "cctf/nodes.json: missing: the file is missing\n"},
    {"torn",
     {{"node_meta.json", NODE},
      {"resources.jsonl", CPU("1000") "{\"ts_ms\":2000,\"no"},
      {"events.x.jsonl", "{\"trace_id\":\"t\",\"ts_enq"}},
     "resources.jsonl:2: torn: the last line is cut short\n"
     "events.x.jsonl:1: torn: the last event is cut short\n"},
    {"gap",
     {{"node_meta.json", NODE},
      {"resources.jsonl",
       CPU("1000") MEM("1000") CPU("2000") CPU("3000") CPU("4501") MEM("2000") CPU("5501")},
      {"links.jsonl", NIC("1000") NIC("2000") NIC("4000") NIC("5000")}},
     "resources.jsonl:6: order: 2.501 s before line 5\n"
     "resources.jsonl:5: gap: CPU rows of vm0: 1.501 s after the row before, interval 1.000 s\n"
     "links.jsonl:3: gap: link vm0.nic: 2.000 s after the row before, interval 1.000 s\n"},
    {"gap by the interval of run.json, told once though cctf/ has a copy",
     {{"node_meta.json", NODE},
      {"resources.jsonl", CPU("1000") CPU("1100") CPU("1300")},
      {"cctf/run.json", RUN(",\"host_interval_ms\":100")},
      {"cctf/nodes.json", NODES},
      {"cctf/host_metrics.jsonl", CPU("1000") CPU("1100") CPU("1300")}},
     "cctf/host_metrics.jsonl:3: gap: CPU rows of vm0: 0.200 s after the row before, interval "
     "0.100 s\n"},
    {"gap of memory rows, which come once a second at most",
     {{"node_meta.json", NODE},
      {"run.json", RUN(",\"host_interval_ms\":100")},
      {"resources.jsonl", MEM("1000") MEM("2000") MEM("3600")}},
     "resources.jsonl:3: gap: memory rows of vm0: 1.600 s after the row before, interval 1.000 "
     "s\n"},
    {"coverage",
     {{"cctf/nodes.json", NODES},
      {"cctf/proc_metrics.jsonl", PROC("5000", "7")},
      {"cctf/proc_exit.jsonl",
       "{\"ts_ms\":5001,\"pid\":8,\"cpu_ns\":1,\"source\":\"taskstats\"}\n"},
      {"cctf/invocations.jsonl", EVENT("a", "null", "1000", "1000", "1001", "7")
                                     EVENT("b", "null", "1000", "1000", "1001", "8")
                                         EVENT("c", "null", "1000", "1000", "1001", "9")}},
     "cctf/invocations.jsonl:3: coverage: pid 9 has neither samples nor an exit record\n"},
    {"clock",
     {{"node_meta.json", NODE},
      {"clock.jsonl", "{\"monotonic_us\":1,\"adj_status\":64}\n"
                      "{\"monotonic_us\":2,\"adj_status\":8193,\"step_us\":-1500000}\n"}},
     "clock.jsonl:2: clock: the wall clock stepped by -1.500000 s\n"
     "clock.jsonl: clock: the clock is not synchronised, by the kernel's word in 1 rows\n"},
    {"rows that went back with the wall clock between two recordings",
     {{"node_meta.json", NODE},
      {"clock.jsonl", "{\"realtime_us\":9000000,\"monotonic_us\":1000000}\n"
                      "{\"realtime_us\":6000000,\"monotonic_us\":2000000}\n"},
      {"resources.jsonl", CPU("9000") CPU("6000") CPU("6500")},
      {"proc_metrics.jsonl", PROC("9000", "7") PROC("6000", "7") PROC("6000", "8")},
      {"events.x.jsonl", EVENT("a", "null", "9000", "6000", "6100", "7")
                             EVENT("b", "\"a\"", "5000", "5000", "6100", "7")}},
     "clock.jsonl:2: clock: the wall clock stepped by -4.000000 s\n"
     "resources.jsonl:2: clock: 3.000 s back in time with the wall clock, see clock.jsonl\n"
     "proc_metrics.jsonl:2: clock: 3.000 s back in time with the wall clock, see clock.jsonl\n"
     "events.x.jsonl:1: clock: 3.000 s back in time with the wall clock, see clock.jsonl\n"},
    {"a recording after a boot",
     {{"node_meta.json", NODE},
      {"clock.jsonl", "{\"realtime_us\":9000000,\"monotonic_us\":8000000}\n"
                      "{\"realtime_us\":9500000,\"monotonic_us\":300000}\n"},
      {"resources.jsonl", CPU("9000") CPU("8999")}},
     "resources.jsonl:2: order: 0.001 s before line 1\n"},
    {"rows that went back further than the wall clock",
     {{"node_meta.json", NODE},
      {"clock.jsonl", "{\"monotonic_us\":1000000}\n{\"monotonic_us\":2000000,"
                      "\"step_us\":-1000000}\n{\"monotonic_us\":1999999}\n"},
      {"resources.jsonl", CPU("9000") CPU("7900")},
      {"events.x.jsonl", EVENT("a", "null", "9000", "7900", "9100", "7")}},
     "clock.jsonl:2: clock: the wall clock stepped by -1.000000 s\n"
     "clock.jsonl:3: order: 0.000 s before line 2\n"
     "resources.jsonl:2: order: 1.100 s before line 1\n"
     "events.x.jsonl:1: event-order: ts_start 7900 is before ts_enqueue 9000\n"
     "events.x.jsonl: coverage: the run has no rows of processes, so no invocation has any\n"},
    {"loss",
     {{"node_meta.json", NODE},
      {"run.json", "{\"schema_version\":2,\"tool_version\":\"9\",\"run_id\":\"r\",\"node\":\"n\","
                   "\"host\":\"h\",\"start_ms\":1,\"stop_ms\":null,\"dropped_rows\":3,"
                   "\"lost_exits\":0,\"missed_ticks\":2}"}},
     "run.json:1: loss: dropped_rows is 3\n"
     "run.json:1: loss: missed_ticks is 2\n"
     "run.json:1: loss: stop_ms is null: the recorder still runs, or was killed\n"},
};

static void note(void *context, const struct tk_verify_finding *finding)
{
    struct tk_buf *out = context;
    tk_buf_puts(out, finding->file);
    if (finding->line > 0)
        tk_buf_printf(out, ":%llu", (unsigned long long)finding->line);
    tk_buf_printf(out, ": %s: %s\n", tk_verify_rules[finding->rule].name, finding->text);
}

static void each_rule_names_what_broke_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        char folder[PATH_MAX];
        folder_make(folder);
        for (size_t j = 0; j < FILES_MAX && cases[i].files[j].name; j++)
            folder_put(folder, cases[i].files[j].name, cases[i].files[j].text);
        TK_CLEANUP(tk_buf_release) struct tk_buf found;
        tk_buf_init(&found, 65536);
        struct tk_verify_result result;
        struct tk_err err = {0};
        assert_int_equal(
            tk_verify(
                &(struct tk_verify_options){.folder = folder, .found = note, .context = &found},
                &result, &err),
            0);
        if (!tk_str_eq(tk_buf_str(&found), tk_str_from(cases[i].findings))) {
            print_error("%s:\n%.*s", cases[i].name, TK_STR_ARG(tk_buf_str(&found)));
            fail();
        }
        folder_remove(folder);
    }
}

static int verify(const char *folder, uint64_t max, bool report, struct tk_buf *found,
                  struct tk_verify_result *result, struct tk_err *err)
{
    return tk_verify(&(struct tk_verify_options){.folder = folder,
                                                 .max_findings = max,
                                                 .write_report = report,
                                                 .found = note,
                                                 .context = found},
                     result, err);
}

static void errors_and_warnings_are_counted_apart(void **state)
{
    (void)state;
    char folder[PATH_MAX];
    folder_make(folder);
    folder_put(folder, "node_meta.json", NODE);
    folder_put(folder, "resources.jsonl", CPU("1000") CPU("2000") CPU("4000") "{}\n{\n");
    TK_CLEANUP(tk_buf_release) struct tk_buf found;
    tk_buf_init(&found, 65536);
    struct tk_verify_result result;
    struct tk_err err;
    assert_int_equal(verify(folder, 0, false, &found, &result, &err), 0);
    assert_int_equal(result.files, 2);
    assert_int_equal(result.rows, 6);
    assert_int_equal(result.counts[TK_VERIFY_REQUIRED], 3);
    assert_int_equal(result.counts[TK_VERIFY_ROW_KIND], 1);
    assert_int_equal(result.counts[TK_VERIFY_JSON], 1);
    assert_int_equal(result.errors, 5);
    assert_int_equal(result.counts[TK_VERIFY_GAP], 0); /* two distances, the median is the larger */
    assert_int_equal(result.warnings, 0);
    folder_remove(folder);
}

static void findings_over_the_limit_are_summed_up(void **state)
{
    (void)state;
    char folder[PATH_MAX];
    folder_make(folder);
    folder_put(folder, "node_meta.json", NODE);
    folder_put(folder, "resources.jsonl", "1\n2\n3\n4\n");
    TK_CLEANUP(tk_buf_release) struct tk_buf found;
    tk_buf_init(&found, 65536);
    struct tk_verify_result result;
    struct tk_err err;
    assert_int_equal(verify(folder, 1, false, &found, &result, &err), 0);
    assert_str_equal(tk_buf_str(&found),
                     "resources.jsonl:1: json: expected an object, found a number\n"
                     "resources.jsonl: json: 3 more of these\n");
    assert_int_equal(result.errors, 4);
    folder_remove(folder);
}

static void the_report_has_the_layout_of_generation_2(void **state)
{
    (void)state;
    char folder[PATH_MAX];
    folder_make(folder);
    folder_put(folder, "cctf/nodes.json", NODES);
    folder_put(folder, "cctf/proc_metrics.jsonl",
               "{\"ts_ms\":1000,\"pid\":7,\"dt_ms\":0,\"cpu_ms\":0,\"rss_kb\":1}\n"
               "{\"ts_ms\":1200,\"pid\":7,\"dt_ms\":200,\"cpu_ms\":20}\n");
    folder_put(folder, "cctf/invocations.jsonl",
               EVENT("a", "null", "1000", "1010", "1250", "7")
                   EVENT("b", "null", "1000", "1010", "1250",
                         "9") "{\"trace_id\":null,\"ts_enqueue\":1000,\"ts_start\":900,"
                              "\"ts_end\":1000}\n");
    TK_CLEANUP(tk_buf_release) struct tk_buf found;
    tk_buf_init(&found, 65536);
    struct tk_verify_result result;
    struct tk_err err;
    assert_int_equal(verify(folder, 0, false, &found, &result, &err), 0);
    assert_null(folder_get(folder, "cctf/audit_report.md"));
    assert_int_equal(verify(folder, 0, true, &found, &result, &err), 0);
    assert_true(result.report_written);
    char *report = folder_get(folder, "cctf/audit_report.md");
    assert_non_null(report);
    static const char expected[] =
        "# CCTF Audit Report\n"
        "Node: vm0  |  Stage: cloud\n"
        "\n"
        "## Summary\n"
        "Invocations: 3\n"
        "Proc metrics samples: 2\n"
        "Distinct PIDs (invocations): 2\n"
        "Distinct PIDs (proc_metrics): 1\n"
        "PID match rate: 50.00%\n"
        "\n"
        "## Field completeness (missing counts / rate)\n"
        "- invocations.trace_id: 1 (33.33%)\n"
        "- invocations.ts_enqueue: 0 (0.00%)\n"
        "- invocations.ts_start: 0 (0.00%)\n"
        "- invocations.ts_end: 0 (0.00%)\n"
        "- invocations.pid: 1 (33.33%)\n"
        "- proc_metrics.ts_ms: 0 (0.00%)\n"
        "- proc_metrics.pid: 0 (0.00%)\n"
        "- proc_metrics.dt_ms: 0 (0.00%)\n"
        "- proc_metrics.cpu_ms: 0 (0.00%)\n"
        "- proc_metrics.rss_kb: 1 (50.00%)\n"
        "\n"
        "## Temporal consistency\n"
        "- invocations ts_enqueue ≤ ts_start ≤ ts_end violations: 1\n"
        "- proc_metrics per-pid strictly increasing ts_ms violations: 0\n"
        "- proc_metrics records with dt_ms < 0: 0\n"
        "\n"
        "## Cross-reference\n"
        "- invocations without matching proc_metrics PID: 1\n"
        "  - PIDs: 9\n";
    assert_memory_equal(report, expected, sizeof(expected) - 1);
    free(report);
    folder_remove(folder);
}

static void a_cctf_folder_may_be_given_itself(void **state)
{
    (void)state;
    char folder[PATH_MAX];
    folder_make(folder);
    folder_put(folder, "nodes.json", NODES);
    folder_put(folder, "host_metrics.jsonl", "[]\n");
    TK_CLEANUP(tk_buf_release) struct tk_buf found;
    tk_buf_init(&found, 65536);
    struct tk_verify_result result;
    struct tk_err err;
    assert_int_equal(verify(folder, 0, false, &found, &result, &err), 0);
    assert_str_equal(tk_buf_str(&found),
                     "host_metrics.jsonl:1: json: expected an object, found an array\n");
    folder_remove(folder);
}

static void a_folder_without_tables_is_no_run(void **state)
{
    (void)state;
    char folder[PATH_MAX];
    char message[PATH_MAX + 64];
    folder_make(folder);
    struct tk_verify_result result;
    struct tk_err err;
    assert_int_equal(verify(folder, 0, false, NULL, &result, &err), -ENOENT);
    (void)snprintf(message, sizeof(message), "%s: holds no table of a run", folder);
    assert_string_equal(err.msg, message);
    assert_int_equal(verify("/nowhere", 0, false, NULL, &result, &err), -ENOENT);
    assert_string_equal(err.msg, "/nowhere: No such file or directory");
    folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_names_what_broke_it),
        cmocka_unit_test(errors_and_warnings_are_counted_apart),
        cmocka_unit_test(findings_over_the_limit_are_summed_up),
        cmocka_unit_test(the_report_has_the_layout_of_generation_2),
        cmocka_unit_test(a_cctf_folder_may_be_given_itself),
        cmocka_unit_test(a_folder_without_tables_is_no_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
