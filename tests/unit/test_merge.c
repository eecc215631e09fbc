/* SPDX-License-Identifier: Apache-2.0 */
#include "run/merge.h"

#include <errno.h>
#include <sys/file.h>

#include "run/verify.h"
#include "tk_folder.h"

FOLDER_OF_EACH_TEST

#define NODE(id, host)                                                                             \
    "[{\"node_id\":\"" id "\",\"stage\":\"s\",\"cpu_cores\":1,\"mem_mb\":1,\"host\":\"" host       \
    "\"}]\n"

/* What the owner was told. */
static char said[4096];

static void say(void *context, const char *line)
{
    (void)context;
    size_t n = strlen(said);
    (void)snprintf(said + n, sizeof(said) - n, "%s\n", line);
}

/* Merge folders "a", "b", "c", ... into "out". */
static int merge_with(struct tk_merge_options options, size_t count,
                      struct tk_merge_report *ret_report, struct tk_err *err)
{
    char paths[4][PATH_MAX + 8];
    const char *folders[4];
    char to[PATH_MAX + 8];
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(paths[i], sizeof(paths[i]), "%s/%c", folder, (char)('a' + i));
        folders[i] = paths[i];
    }
    (void)snprintf(to, sizeof(to), "%s/out", folder);
    options.folders = folders;
    options.folder_count = count;
    options.to = to;
    options.say = say;
    said[0] = '\0';
    return tk_merge(&options, ret_report, err);
}

/* The same, which must do. */
static void merge(size_t count, struct tk_merge_report *ret_report)
{
    struct tk_err err = {0};
    int rc = merge_with((struct tk_merge_options){0}, count, ret_report, &err);
    if (rc < 0)
        print_error("%s\n", err.msg);
    assert_int_equal(rc, 0);
}

static void found(void *context, const struct tk_verify_finding *finding)
{
    char *text = context;
    size_t n = strlen(text);
    (void)snprintf(text + n, 1024 - n, "%s:%llu: %s\n", finding->file,
                   (unsigned long long)finding->line, finding->text);
}

/* What verify says of the result. */
static void verify(char text[1024])
{
    char path[PATH_MAX + 8];
    struct tk_verify_result result;
    struct tk_err err;
    (void)snprintf(path, sizeof(path), "%s/out", folder);
    text[0] = '\0';
    const struct tk_verify_options options = {.folder = path, .found = found, .context = text};
    assert_int_equal(tk_verify(&options, &result, &err), 0);
}

static void rows_come_in_the_order_of_time_then_host(void **state)
{
    (void)state;
    struct tk_merge_report report = {0};
    folder_put(folder, "a/nodes.json", NODE("web", "h2"));
    folder_put(folder, "a/host_metrics.jsonl",
               "{\"ts_ms\":1000,\"node\":\"web\",\"cpu_util\":1.00,\"host\":\"h2\"}\n"
               "{\"ts_ms\":3000,\"node\":\"web\",\"cpu_util\":3.00,\"host\":\"h2\"}\n");
    folder_put(folder, "b/nodes.json", NODE("db", "h1"));
    folder_put(folder, "b/host_metrics.jsonl",
               "{\"ts_ms\":1000,\"node\":\"db\",\"cpu_util\":1.00,\"host\":\"h1\"}\n"
               "{\"ts_ms\":2000,\"cpu_util\":2.00,\"odd\":[1, 2]}\n");
    merge(2, &report);
    assert_file(
        folder, "out/host_metrics.jsonl",
        "{\"ts_ms\":1000,\"node\":\"db\",\"cpu_util\":1.00,\"host\":\"h1\"}\n"
        "{\"ts_ms\":1000,\"node\":\"web\",\"cpu_util\":1.00,\"host\":\"h2\"}\n"
        "{\"ts_ms\":2000,\"cpu_util\":2.00,\"odd\":[1, 2],\"node\":\"db\",\"host\":\"h1\"}\n"
        "{\"ts_ms\":3000,\"node\":\"web\",\"cpu_util\":3.00,\"host\":\"h2\"}\n");
    assert_int_equal(report.node_count, 2);
    assert_int_equal(report.rows[TK_TABLE_HOST_METRICS], 4);
    assert_string_equal(said, "");
    tk_merge_report_release(&report);
}

static void one_label_on_several_hosts_becomes_the_hosts(void **state)
{
    (void)state;
    struct tk_merge_report report = {0};
    for (char name = 'a'; name <= 'b'; name++) {
        char text[400];
        char path[64];
        (void)snprintf(path, sizeof(path), "%c/nodes.json", name);
        (void)snprintf(text, sizeof(text), NODE("vm0", "cloud%c"), name);
        folder_put(folder, path, text);
        (void)snprintf(path, sizeof(path), "%c/links.json", name);
        folder_put(folder, path,
                   "[{\"u\":\"vm0\",\"v\":\"vm0.net\",\"BW_bps\":7,\"PR_s\":null}]\n");
        (void)snprintf(path, sizeof(path), "%c/link_metrics.jsonl", name);
        folder_put(
            folder, path,
            "{\"ts_ms\":5,\"node\":\"vm0\",\"stage\":\"s\",\"link\":\"vm0.nic\",\"rx_Bps\":1}\n");
        (void)snprintf(path, sizeof(path), "%c/proc_metrics.jsonl", name);
        folder_put(folder, path, "{\"ts_ms\":5,\"pid\":7,\"utime\":1,\"stime\":1}\n");
    }
    merge(2, &report);
    assert_string_equal(said,
                        "several hosts call themselves 'vm0': the host name becomes the node id\n");
    assert_file(
        folder, "out/link_metrics.jsonl",
        "{\"ts_ms\":5,\"node\":\"clouda\",\"stage\":\"s\",\"link\":\"clouda.nic\",\"rx_Bps\":1,"
        "\"host\":\"clouda\"}\n"
        "{\"ts_ms\":5,\"node\":\"cloudb\",\"stage\":\"s\",\"link\":\"cloudb.nic\",\"rx_Bps\":1,"
        "\"host\":\"cloudb\"}\n");
    assert_file(
        folder, "out/proc_metrics.jsonl",
        "{\"ts_ms\":5,\"pid\":7,\"utime\":1,\"stime\":1,\"node\":\"clouda\",\"host\":\"clouda\"}\n"
        "{\"ts_ms\":5,\"pid\":7,\"utime\":1,\"stime\":1,\"node\":\"cloudb\",\"host\":\"cloudb\"}"
        "\n");
    assert_file(folder, "out/links.json",
                "[\n{\"u\":\"clouda\",\"v\":\"clouda.net\",\"BW_bps\":7,\"PR_s\":null},\n"
                "{\"u\":\"cloudb\",\"v\":\"cloudb.net\",\"BW_bps\":7,\"PR_s\":null}\n]\n");
    assert_file(folder, "out/nodes.json",
                "[\n{\"node_id\":\"clouda\",\"stage\":\"s\",\"cpu_cores\":1,\"mem_mb\":1,"
                "\"host\":\"clouda\",\"node_label\":\"vm0\"},\n"
                "{\"node_id\":\"cloudb\",\"stage\":\"s\",\"cpu_cores\":1,\"mem_mb\":1,"
                "\"host\":\"cloudb\",\"node_label\":\"vm0\"}\n]\n");
    tk_merge_report_release(&report);
}

static void nodes_without_a_host_are_told_apart_by_their_folders(void **state)
{
    (void)state;
    struct tk_merge_report report = {0};
    static const char nodes[] =
        "[{\"node_id\":\"vm0\",\"stage\":\"s\",\"cpu_cores\":1,\"mem_mb\":1}]";
    folder_put(folder, "a/nodes.json", nodes);
    folder_put(folder, "b/nodes.json", nodes);
    folder_put(folder, "b/proc_rss.jsonl", "{\"ts_ms\":5,\"pid\":7,\"rss_kb\":1}\n");
    merge(2, &report);
    assert_string_equal(report.nodes[0].id, "a");
    assert_string_equal(report.nodes[1].id, "b");
    assert_false(report.nodes[1].host_known);
    assert_file(folder, "out/proc_rss.jsonl",
                "{\"ts_ms\":5,\"pid\":7,\"rss_kb\":1,\"node\":\"b\"}\n");
    tk_merge_report_release(&report);
}

static void the_same_row_of_two_copies_of_a_run_comes_once(void **state)
{
    (void)state;
    struct tk_merge_report report = {0};
    static const char twice[] = "{\"ts_ms\":5,\"pid\":7,\"rss_kb\":1,\"node\":\"n\"}\n"
                                "{\"ts_ms\":5,\"pid\":7,\"rss_kb\":1,\"node\":\"n\"}\n";
    folder_put(folder, "a/nodes.json", NODE("n", "h"));
    folder_put(folder, "b/nodes.json", NODE("n", "h"));
    folder_put(folder, "a/proc_rss.jsonl", twice);
    folder_put(folder, "b/proc_rss.jsonl",
               "{\"ts_ms\":5,\"pid\":7,\"rss_kb\":1,\"node\":\"n\"}\n"
               "{\"ts_ms\":6,\"pid\":7,\"rss_kb\":1,\"node\":\"n\"}\n");
    merge(2, &report);
    assert_int_equal(report.node_count, 1);
    assert_int_equal(report.duplicates, 1); /* a run may hold a row twice by itself */
    assert_int_equal(report.rows[TK_TABLE_PROC_RSS], 3);
    tk_merge_report_release(&report);
}

static void a_row_that_names_another_node_stays_as_it_is(void **state)
{
    (void)state;
    struct tk_merge_report report = {0};
    static const char row[] = "{\"trace_id\":\"t\",\"ts_start\":5,\"node\":\"elsewhere\"}\n";
    folder_put(folder, "a/nodes.json", NODE("n", "h"));
    folder_put(folder, "a/invocations.jsonl", row);
    merge(1, &report);
    assert_file(folder, "out/invocations.jsonl", row);
    tk_merge_report_release(&report);
}

static void bad_rows_are_left_out_counted_and_named(void **state)
{
    (void)state;
    struct tk_merge_report report = {0};
    folder_put(folder, "a/nodes.json", NODE("n", "h"));
    folder_put(folder, "a/proc_rss.jsonl", "[1]\n\n{\"ts_ms\":5}\n{\"ts_ms\":6");
    merge(1, &report);
    assert_int_equal(report.bad_rows, 2);
    assert_int_equal(report.rows[TK_TABLE_PROC_RSS], 1);
    assert_string_equal(said, "proc_rss.jsonl: skipped 2 bad rows, the first in a line 1: byte 0: "
                              "expected an object\n");
    tk_merge_report_release(&report);
}

/* Node a is the reference; b's clock is ahead of it by 100 ms at 10 s and by 300 ms at 20 s; c was
 * compared with b alone, whose clock is 50 ms behind c's. */
static void put_clocks(void)
{
    folder_put(folder, "a/nodes.json", NODE("a", "ha"));
    folder_put(folder, "b/nodes.json", NODE("b", "hb"));
    folder_put(folder, "c/nodes.json", NODE("c", "hc"));
    folder_put(folder, "a/clock.jsonl",
               "{\"realtime_us\":10000000,\"peer_node\":\"b\",\"peer_host\":\"hb\","
               "\"offset_us\":100000,\"error_us\":2000,\"rtt_us\":4000}\n"
               "{\"realtime_us\":20000000,\"peer_node\":\"b\",\"peer_host\":\"hb\","
               "\"offset_us\":300000,\"error_us\":5000,\"rtt_us\":10000}\n");
    folder_put(folder, "c/clock.jsonl",
               "{\"realtime_us\":15250000,\"peer_node\":\"b\",\"offset_us\":-50000,"
               "\"error_us\":1000,\"rtt_us\":2000}\n");
    folder_put(folder, "b/host_metrics.jsonl",
               "{\"ts_ms\":10100,\"node\":\"b\",\"host\":\"hb\",\"ts_us\":10100999}\n"
               "{\"ts_ms\":15200,\"node\":\"b\",\"host\":\"hb\",\"dt_ms\":5100}\n"
               "{\"ts_ms\":20300,\"node\":\"b\",\"host\":\"hb\"}\n"
               "{\"ts_ms\":99000,\"node\":\"b\",\"host\":\"hb\"}\n");
    folder_put(folder, "c/invocations.jsonl",
               "{\"trace_id\":\"t\",\"ts_enqueue\":15250,\"ts_start\":15260,\"ts_end\":15270}\n");
}

static void times_are_shifted_to_the_clock_of_the_reference(void **state)
{
    (void)state;
    struct tk_merge_report report = {0};
    put_clocks();
    merge(3, &report);
    assert_file(folder, "out/host_metrics.jsonl",
                "{\"ts_ms\":10000,\"node\":\"b\",\"host\":\"hb\",\"ts_us\":10000980}\n"
                "{\"ts_ms\":15000,\"node\":\"b\",\"host\":\"hb\",\"dt_ms\":5100}\n"
                "{\"ts_ms\":20000,\"node\":\"b\",\"host\":\"hb\"}\n"
                "{\"ts_ms\":98700,\"node\":\"b\",\"host\":\"hb\"}\n");
    assert_file(folder, "out/invocations.jsonl",
                "{\"trace_id\":\"t\",\"ts_enqueue\":15000,\"ts_start\":15010,\"ts_end\":15020,"
                "\"node\":\"c\",\"host\":\"hc\"}\n");
    assert_true(report.nodes[1].shifted);
    assert_int_equal(report.nodes[1].shift_us, -300000);
    assert_int_equal(report.nodes[1].bound_us, 5000);
    assert_int_equal(report.nodes[2].shift_us, -250000);
    assert_int_equal(report.nodes[2].bound_us, 6000);
    tk_merge_report_release(&report);
}

static void another_reference_shifts_the_other_way(void **state)
{
    (void)state;
    struct tk_merge_report report = {0};
    struct tk_err err;
    put_clocks();
    assert_int_equal(merge_with((struct tk_merge_options){.reference = "hb"}, 3, &report, &err), 0);
    assert_int_equal(report.nodes[0].shift_us, 300000);
    assert_int_equal(report.nodes[1].shift_us, 0);
    assert_int_equal(report.nodes[2].shift_us, -50000);
    tk_merge_report_release(&report);
    assert_int_equal(merge_with((struct tk_merge_options){.reference = "x"}, 3, &report, &err),
                     -EINVAL);
    assert_string_equal(err.msg, "no node 'x' to align with");
    tk_merge_report_release(&report);
}

/* The example of the specification: 1000, 1060, 1061, 1011 ms, so 55 ahead, give or take 5. */
static void stamps_that_others_noted_give_offset_and_bound(void **state)
{
    (void)state;
    struct tk_merge_report report = {0};
    folder_put(folder, "a/nodes.json", NODE("a", "ha"));
    folder_put(folder, "a/clock.jsonl",
               "{\"peer_node\":\"b\",\"t0_us\":1000000,\"t1_us\":1060000,\"t2_us\":1061000,"
               "\"t3_us\":1011000}\n");
    folder_put(folder, "b/nodes.json", NODE("b", "hb"));
    folder_put(folder, "b/proc_rss.jsonl",
               "{\"ts_ms\":1055,\"pid\":1,\"rss_kb\":1,\"node\":\"b\"}\n");
    merge(2, &report);
    assert_file(folder, "out/proc_rss.jsonl",
                "{\"ts_ms\":1000,\"pid\":1,\"rss_kb\":1,\"node\":\"b\",\"host\":\"hb\"}\n");
    assert_int_equal(report.nodes[1].shift_us, -55000);
    assert_int_equal(report.nodes[1].bound_us, 5000);
    assert_string_equal(said, "");
    tk_merge_report_release(&report);
}

static void of_exchanges_close_together_the_one_with_the_smallest_bound_counts(void **state)
{
    (void)state;
    struct tk_merge_report report = {0};
    folder_put(folder, "a/nodes.json", NODE("a", "ha"));
    folder_put(
        folder, "a/clock.jsonl",
        "{\"realtime_us\":10000000,\"peer_node\":\"b\",\"offset_us\":90000,\"rtt_us\":80000}\n"
        "{\"realtime_us\":10300000,\"peer_node\":\"b\",\"offset_us\":50000,\"rtt_us\":1999}\n"
        "{\"realtime_us\":10600000,\"peer_node\":\"b\",\"offset_us\":10000,\"rtt_us\":90000}\n");
    folder_put(folder, "b/nodes.json", NODE("b", "hb"));
    folder_put(folder, "b/proc_rss.jsonl",
               "{\"ts_ms\":10000,\"pid\":1,\"rss_kb\":1,\"node\":\"b\",\"host\":\"hb\"}\n"
               "{\"ts_ms\":19000,\"pid\":1,\"rss_kb\":1,\"node\":\"b\",\"host\":\"hb\"}\n");
    merge(2, &report);
    assert_file(folder, "out/proc_rss.jsonl",
                "{\"ts_ms\":9950,\"pid\":1,\"rss_kb\":1,\"node\":\"b\",\"host\":\"hb\"}\n"
                "{\"ts_ms\":18950,\"pid\":1,\"rss_kb\":1,\"node\":\"b\",\"host\":\"hb\"}\n");
    assert_int_equal(report.nodes[1].bound_us, 1000);
    tk_merge_report_release(&report);
}

static void exchanges_that_say_nothing_sure_are_counted_and_not_used(void **state)
{
    (void)state;
    static const char *const rows[] = {
        /* neither a bound nor a round trip */
        "\"realtime_us\":1000000,\"peer_node\":\"b\",\"offset_us\":5000",
        "\"realtime_us\":1000000,\"peer_node\":\"b\",\"offset_us\":5000,\"error_us\":-1",
        "\"realtime_us\":1000000,\"peer_node\":\"b\",\"offset_us\":5000,\"rtt_us\":-2",
        "\"peer_node\":\"b\",\"offset_us\":5000,\"error_us\":1",
        /* the way there and back took less than no time; a stamp is missing */
        "\"peer_node\":\"b\",\"t0_us\":1000,\"t1_us\":2000,\"t2_us\":2100,\"t3_us\":1099",
        "\"peer_node\":\"b\",\"t0_us\":1000,\"t1_us\":2000,\"t2_us\":1999,\"t3_us\":1100",
        "\"peer_node\":\"b\",\"t0_us\":1000,\"t1_us\":2000,\"t3_us\":1100",
        "\"peer_node\":\"b\",\"t0_us\":-9223372036854775807,\"t1_us\":1,\"t2_us\":1,\"t3_us\":9999",
        /* nobody, and oneself */
        "\"realtime_us\":1000000,\"peer_node\":\"x\",\"offset_us\":5000,\"error_us\":1",
        "\"realtime_us\":1000000,\"peer_node\":\"a\",\"offset_us\":5000,\"error_us\":1",
    };
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        struct tk_merge_report report = {0};
        struct tk_err err = {0};
        char text[400];
        folder_put(folder, "a/nodes.json", NODE("a", "ha"));
        folder_put(folder, "b/nodes.json", NODE("b", "hb"));
        (void)snprintf(text, sizeof(text), "{%s}\n", rows[i]);
        folder_put(folder, "a/clock.jsonl", text);
        /* Only then are exchanges that cannot be used worth a word. */
        assert_int_equal(merge_with((struct tk_merge_options){.reference = "a"}, 2, &report, &err),
                         0);
        assert_string_equal(said, "clock.jsonl: 1 exchanges with unknown peers, without a bound or "
                                  "beyond sense, are not used\n");
        assert_false(report.nodes[1].shifted);
        tk_merge_report_release(&report);
    }
}

static void nothing_is_shifted_when_that_is_not_wanted(void **state)
{
    (void)state;
    struct tk_merge_report report = {0};
    struct tk_err err;
    put_clocks();
    assert_int_equal(merge_with((struct tk_merge_options){.no_align = true}, 3, &report, &err), 0);
    assert_false(report.nodes[1].shifted);
    char *text = folder_get(folder, "out/host_metrics.jsonl");
    assert_memory_equal(text, "{\"ts_ms\":10100,", 15);
    free(text);
    tk_merge_report_release(&report);
}

static void a_large_offset_is_applied_only_by_force(void **state)
{
    (void)state;
    struct tk_merge_report report = {0};
    struct tk_err err;
    put_clocks();
    folder_put(folder, "a/clock.jsonl",
               "{\"realtime_us\":10000000,\"peer_node\":\"b\",\"peer_host\":\"hb\","
               "\"offset_us\":5000000,\"error_us\":2000}\n");
    merge(2, &report);
    assert_string_equal(said,
                        "the clock of 'b' is 5.000 s ahead of that of 'a': its times stay as they "
                        "are (--force shifts them)\n");
    assert_false(report.nodes[1].shifted);
    tk_merge_report_release(&report);
    assert_int_equal(merge_with((struct tk_merge_options){.must_align = true}, 2, &report, &err),
                     -ERANGE);
    assert_string_equal(
        err.msg, "the clock of 'b' is 5.000 s ahead of that of 'a': --force shifts its times");
    tk_merge_report_release(&report);
    assert_int_equal(merge_with((struct tk_merge_options){.force = true}, 2, &report, &err), 0);
    assert_int_equal(report.nodes[1].shift_us, -5000000);
    tk_merge_report_release(&report);
}

static void clocks_that_were_never_compared_are_an_error_when_they_must_be(void **state)
{
    (void)state;
    struct tk_merge_report report = {0};
    struct tk_err err;
    folder_put(folder, "a/nodes.json", NODE("a", "ha"));
    folder_put(folder, "b/nodes.json", NODE("b", "hb"));
    assert_int_equal(merge_with((struct tk_merge_options){.must_align = true}, 2, &report, &err),
                     -ENODATA);
    assert_string_equal(err.msg, "the clock of 'b' was never compared with that of 'a'");
    assert_file(folder, "out/nodes.json", NULL);
    tk_merge_report_release(&report);
}

#define CALL(span, parent, start)                                                                  \
    "{\"trace_id\":\"t\",\"span_id\":\"" span "\",\"parent_id\":\"" parent                         \
    "\",\"ts_enqueue\":" start ",\"ts_start\":" start ",\"ts_end\":9000}\n"

static void children_before_their_parents_are_counted_by_pair(void **state)
{
    (void)state;
    struct tk_merge_report report = {0};
    folder_put(folder, "a/nodes.json", NODE("a", "ha"));
    folder_put(folder, "b/nodes.json", NODE("b", "hb"));
    folder_put(folder, "a/clock.jsonl",
               "{\"realtime_us\":1,\"monotonic_us\":1,\"adj_maxerror_us\":10000}\n");
    folder_put(folder, "b/clock.jsonl",
               "{\"realtime_us\":1,\"monotonic_us\":1,\"adj_maxerror_us\":20000}\n");
    folder_put(folder, "a/invocations.jsonl", CALL("p1", "", "5000") CALL("p2", "", "6000"));
    folder_put(folder, "b/invocations.jsonl",
               CALL("c1", "p1", "4969") CALL("c2", "p1", "4968") CALL("c3", "p1", "4970")
                   CALL("c4", "p2", "5000") CALL("c5", "p2", "6001") CALL("c6", "lost", "6002"));
    merge(2, &report);
    assert_int_equal(report.pair_count, 1);
    assert_int_equal(report.pairs[0].calls, 5);
    assert_int_equal(report.pairs[0].violations, 2);
    assert_int_equal(report.pairs[0].worst_us, 1000000);
    assert_string_equal(said,
                        "2 of 5 calls from a to b start before their cause, by up to 1000.000 "
                        "ms: the clocks are further apart than they claim\n");
    tk_merge_report_release(&report);
}

static void verify_follows_the_clock_of_each_node(void **state)
{
    (void)state;
    struct tk_merge_report report = {0};
    char findings[1024];
    /* The clock of b was set back by 10 s between two recordings; that of a runs on. */
    folder_put(folder, "a/nodes.json", NODE("a", "ha"));
    folder_put(folder, "b/nodes.json", NODE("b", "hb"));
    folder_put(folder, "a/clock.jsonl",
               "{\"realtime_us\":100000000,\"monotonic_us\":50000000}\n"
               "{\"realtime_us\":140000000,\"monotonic_us\":90000000}\n");
    folder_put(folder, "b/clock.jsonl",
               "{\"realtime_us\":110000000,\"monotonic_us\":5000000}\n"
               "{\"realtime_us\":101000000,\"monotonic_us\":6000000}\n");
    folder_put(folder, "b/proc_rss.jsonl",
               "{\"ts_ms\":110000,\"pid\":7,\"rss_kb\":1,\"start_ticks\":3,\"node\":\"b\"}\n"
               "{\"ts_ms\":100500,\"pid\":7,\"rss_kb\":1,\"start_ticks\":3,\"node\":\"b\"}\n");
    merge(2, &report);
    verify(findings);
    assert_string_equal(findings, "clock.jsonl:3: the wall clock stepped by -10.000000 s\n"
                                  "proc_rss.jsonl:2: 9.500 s back in time with the wall clock, see "
                                  "clock.jsonl\n");
    tk_merge_report_release(&report);

    /* The same rows of a, whose clock was not set back, are out of order. */
    folder_put(folder, "b/proc_rss.jsonl", "");
    folder_put(folder, "a/proc_rss.jsonl",
               "{\"ts_ms\":110000,\"pid\":7,\"rss_kb\":1,\"start_ticks\":3,\"node\":\"a\"}\n"
               "{\"ts_ms\":100500,\"pid\":7,\"rss_kb\":1,\"start_ticks\":3,\"node\":\"a\"}\n");
    merge(2, &report);
    verify(findings);
    assert_non_null(strstr(findings, "proc_rss.jsonl:2: 9.500 s before line 1\n"));
    assert_non_null(strstr(findings, "proc_rss.jsonl:2: pid 7 at"));
    tk_merge_report_release(&report);
}

static void verify_tells_equal_pids_of_two_nodes_apart(void **state)
{
    (void)state;
    struct tk_merge_report report = {0};
    char findings[1024];
    folder_put(folder, "a/nodes.json", NODE("a", "ha"));
    folder_put(folder, "b/nodes.json", NODE("b", "hb"));
    folder_put(folder, "a/proc_metrics.jsonl",
               "{\"ts_ms\":5000,\"pid\":7,\"utime\":1,\"stime\":1,\"rss_kb\":1,\"node\":\"a\"}\n");
    folder_put(folder, "a/invocations.jsonl",
               "{\"trace_id\":\"t\",\"ts_enqueue\":1,\"ts_start\":1,\"ts_end\":2,\"pid\":7}\n");
    folder_put(folder, "b/invocations.jsonl",
               "{\"trace_id\":\"u\",\"ts_enqueue\":1,\"ts_start\":1,\"ts_end\":2,\"pid\":7}\n");
    merge(2, &report);
    verify(findings);
    assert_string_equal(findings,
                        "invocations.jsonl:2: pid 7 has neither samples nor an exit record\n");
    tk_merge_report_release(&report);
}

static void the_result_can_be_merged_again_and_replaced(void **state)
{
    (void)state;
    struct tk_merge_report report = {0};
    struct tk_err err;
    folder_put(folder, "a/nodes.json", NODE("a", "ha"));
    folder_put(folder, "b/nodes.json", NODE("b", "hb"));
    folder_put(folder, "a/proc_rss.jsonl", "{\"ts_ms\":5,\"pid\":7,\"rss_kb\":1}\n");
    merge(2, &report);
    tk_merge_report_release(&report);
    (void)remove("a/proc_rss.jsonl");
    folder_put(folder, "a/proc_rss.jsonl", "{\"ts_ms\":6,\"pid\":7,\"rss_kb\":1}\n");
    merge(2, &report);
    assert_file(folder, "out/proc_rss.jsonl",
                "{\"ts_ms\":6,\"pid\":7,\"rss_kb\":1,\"node\":\"a\",\"host\":\"ha\"}\n");
    tk_merge_report_release(&report);

    char from[PATH_MAX + 8];
    char to[PATH_MAX + 8];
    (void)snprintf(from, sizeof(from), "%s/out", folder);
    (void)snprintf(to, sizeof(to), "%s/again", folder);
    const char *folders[] = {from};
    const struct tk_merge_options again = {.folders = folders, .folder_count = 1, .to = to};
    assert_int_equal(tk_merge(&again, &report, &err), 0);
    assert_int_equal(report.node_count, 2);
    assert_file(folder, "again/proc_rss.jsonl",
                "{\"ts_ms\":6,\"pid\":7,\"rss_kb\":1,\"node\":\"a\",\"host\":\"ha\"}\n");
    tk_merge_report_release(&report);
}

static void a_result_and_a_run_that_is_in_it_give_the_same_again(void **state)
{
    (void)state;
    struct tk_merge_report report = {0};
    struct tk_err err;
    char from[2][PATH_MAX + 8];
    char to[PATH_MAX + 8];
    folder_put(folder, "a/nodes.json", NODE("vm0", "ha"));
    folder_put(folder, "b/nodes.json", NODE("vm0", "hb"));
    folder_put(folder, "a/link_metrics.jsonl",
               "{\"ts_ms\":5,\"node\":\"vm0\",\"link\":\"vm0.nic\",\"rx_Bps\":1}\n");
    merge(2, &report);
    tk_merge_report_release(&report);
    (void)snprintf(from[0], sizeof(from[0]), "%s/out", folder);
    (void)snprintf(from[1], sizeof(from[1]), "%s/a", folder);
    (void)snprintf(to, sizeof(to), "%s/again", folder);
    const char *folders[] = {from[0], from[1]};
    const struct tk_merge_options again = {.folders = folders, .folder_count = 2, .to = to};
    assert_int_equal(tk_merge(&again, &report, &err), 0);
    assert_int_equal(report.node_count, 2);
    assert_int_equal(report.duplicates, 1);
    assert_file(folder, "again/link_metrics.jsonl",
                "{\"ts_ms\":5,\"node\":\"ha\",\"link\":\"ha.nic\",\"rx_Bps\":1,"
                "\"host\":\"ha\"}\n");
    assert_string_equal(report.nodes[0].label, "vm0");
    tk_merge_report_release(&report);
}

static void a_folder_that_is_no_result_is_not_written_to(void **state)
{
    (void)state;
    struct tk_merge_report report = {0};
    struct tk_err err;
    folder_put(folder, "a/nodes.json", NODE("a", "ha"));
    folder_put(folder, "out/mine.txt", "precious");
    assert_int_equal(merge_with((struct tk_merge_options){0}, 1, &report, &err), -EEXIST);
    assert_file(folder, "out/mine.txt", "precious");
    tk_merge_report_release(&report);
}

static void a_folder_that_another_merge_fills_is_left_to_it(void **state)
{
    (void)state;
    struct tk_merge_report report = {0};
    struct tk_err err;
    char path[PATH_MAX + 8];
    folder_put(folder, "a/nodes.json", NODE("a", "ha"));
    folder_put(folder, "out/merge.json", "{}");
    (void)snprintf(path, sizeof(path), "%s/out", folder);
    TK_CLEANUP(tk_fd_close) int other = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(other, LOCK_EX), 0);
    assert_int_equal(merge_with((struct tk_merge_options){0}, 1, &report, &err), -EBUSY);
    assert_non_null(strstr(err.msg, "/out: another process is writing a run there"));
    assert_file(folder, "out/merge.json", "{}");
    tk_merge_report_release(&report);
}

static void a_folder_without_a_run_is_named_and_leaves_nothing(void **state)
{
    (void)state;
    struct tk_merge_report report = {0};
    struct tk_err err;
    char path[PATH_MAX + 8];
    folder_put(folder, "a/x/readme", "");
    assert_int_equal(merge_with((struct tk_merge_options){0}, 1, &report, &err), -ENOENT);
    assert_non_null(strstr(err.msg, "/a: is no run and holds none"));
    (void)snprintf(path, sizeof(path), "%s/out", folder);
    assert_int_not_equal(access(path, F_OK), 0);
    tk_merge_report_release(&report);
}

static void run_json_is_that_of_all_nodes(void **state)
{
    (void)state;
    struct tk_merge_report report = {0};
    folder_put(folder, "a/nodes.json", NODE("a", "ha"));
    folder_put(folder, "b/nodes.json", NODE("b", "hb"));
    folder_put(folder, "a/run.json",
               "{\"schema_version\":2,\"tool_version\":\"1\",\"run_id\":\"r\",\"node\":\"a\","
               "\"host\":\"ha\",\"start_ms\":2000,\"stop_ms\":5000,\"clk_tck\":100,"
               "\"host_interval_ms\":1000,\"missed_ticks\":2,\"late_max_us\":7,"
               "\"notices\":[\"odd\"]}");
    folder_put(folder, "b/run.json",
               "{\"schema_version\":2,\"tool_version\":\"1\",\"run_id\":\"r\",\"node\":\"b\","
               "\"host\":\"hb\",\"start_ms\":1000,\"stop_ms\":4000,\"clk_tck\":100,"
               "\"host_interval_ms\":500,\"missed_ticks\":3,\"late_max_us\":6}");
    merge(2, &report);
    assert_file(folder, "out/run.json",
                "{\"schema_version\":2,\"tool_version\":\"" TK_VERSION "\",\"run_id\":\"a\","
                "\"node\":\"\",\"host\":\"\",\"start_ms\":1000,\"stop_ms\":5000,\"clk_tck\":100,"
                "\"missed_ticks\":5,\"late_max_us\":7,\"notices\":[\"a: odd\"]}\n");
    tk_merge_report_release(&report);
}

static void names_of_runs_lose_the_number_of_the_node(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"logs/R(c0)", "R"}, {"/x/R(c0)/", "R"}, {"R", "R"}, {"logs/R/cctf", "R"}, {"(c0)", "(c0)"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        char name[TK_MERGE_NAME_MAX];
        tk_merge_run_name(cases[i][0], name);
        assert_string_equal(name, cases[i][1]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_come_in_the_order_of_time_then_host),
        TEST(one_label_on_several_hosts_becomes_the_hosts),
        TEST(nodes_without_a_host_are_told_apart_by_their_folders),
        TEST(the_same_row_of_two_copies_of_a_run_comes_once),
        TEST(a_row_that_names_another_node_stays_as_it_is),
        TEST(bad_rows_are_left_out_counted_and_named),
        TEST(times_are_shifted_to_the_clock_of_the_reference),
        TEST(another_reference_shifts_the_other_way),
        TEST(stamps_that_others_noted_give_offset_and_bound),
        TEST(of_exchanges_close_together_the_one_with_the_smallest_bound_counts),
        TEST(exchanges_that_say_nothing_sure_are_counted_and_not_used),
        TEST(nothing_is_shifted_when_that_is_not_wanted),
        TEST(a_large_offset_is_applied_only_by_force),
        TEST(clocks_that_were_never_compared_are_an_error_when_they_must_be),
        TEST(children_before_their_parents_are_counted_by_pair),
        TEST(verify_follows_the_clock_of_each_node),
        TEST(verify_tells_equal_pids_of_two_nodes_apart),
        TEST(the_result_can_be_merged_again_and_replaced),
        TEST(a_result_and_a_run_that_is_in_it_give_the_same_again),
        TEST(a_folder_that_is_no_result_is_not_written_to),
        TEST(a_folder_that_another_merge_fills_is_left_to_it),
        TEST(a_folder_without_a_run_is_named_and_leaves_nothing),
        TEST(run_json_is_that_of_all_nodes),
        cmocka_unit_test(names_of_runs_lose_the_number_of_the_node),
    };
    return cmocka_run_group_tests_name("merge", tests, NULL, NULL);
}
