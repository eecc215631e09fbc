/* SPDX-License-Identifier: Apache-2.0 */
/* From the files of a run to the courses of its tasks. */
#include "tk_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/file.h"
#include "opendc/course.h"
#include "opendc/workload.h"

#define MS 1000000LL
#define T0 1758000000000LL

FOLDER_OF_EACH_TEST

static void put(const char *name, const char *text)
{
    folder_put(folder, name, text);
}

#define NODE                                                                                       \
    "{\"run_id\":\"r\",\"node\":\"n\",\"stage\":\"cloud\",\"host\":\"h\",\"cpu_cores\":4,\
\"mem_mb\":16384,\"cpu_freq_mhz\":2400}"

static int load_as(struct tk_workload **ret, enum tk_service_mode mode, struct tk_err *err)
{
    const char *const folders[] = {folder};
    const struct tk_workload_options options = {
        .folders = folders, .folder_count = 1, .mode = mode};
    return tk_workload_new(&options, ret, err);
}

static struct tk_workload *load(void)
{
    struct tk_workload *workload = NULL;
    struct tk_err err = {0};
    int rc = load_as(&workload, TK_MODE_AUTO, &err);
    if (rc < 0)
        print_error("%s\n", err.msg);
    assert_int_equal(rc, 0);
    return workload;
}

struct cut {
    int64_t ms; /* since T0 */
    int64_t cpu_ms;
};

/* The course of the task with that place in the order of ids, as cumulative CPU time in ms. */
static void expect_course(struct tk_workload *workload, uint32_t place, const struct cut *cuts,
                          size_t count)
{
    TK_CLEANUP(tk_courses_release) struct tk_courses courses;
    tk_courses_init(&courses, workload);
    struct tk_err err;
    struct tk_task *task = &workload->tasks[workload->sorted[place]];
    assert_int_equal(tk_courses_find(&courses, task, &err), 0);
    assert_int_equal(courses.course.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(courses.course.at_ms[i] - T0, cuts[i].ms);
        assert_int_equal(courses.course.cpu_ns[i], cuts[i].cpu_ms * MS);
    }
}

#define EXPECT_COURSE(workload, place, ...)                                                        \
    expect_course(workload, place, (const struct cut[]){__VA_ARGS__},                              \
                  TK_COUNTOF(((const struct cut[]){__VA_ARGS__})))

static int64_t cpu_of(struct tk_workload *workload, uint32_t place)
{
    TK_CLEANUP(tk_courses_release) struct tk_courses courses;
    tk_courses_init(&courses, workload);
    struct tk_err err;
    struct tk_task *task = &workload->tasks[workload->sorted[place]];
    assert_int_equal(tk_courses_find(&courses, task, &err), 0);
    return task->cpu_ns;
}

/* Specification, section 18 ---------------------------------------------------------------- */

#define EXAMPLE_SAMPLES                                                                            \
    "{\"ts_ms\":1758000001000,\"pid\":7,\"utime\":45,\"stime\":0,\"rss_kb\":40000}\n"              \
    "{\"ts_ms\":1758000002000,\"pid\":7,\"utime\":95,\"stime\":0,\"rss_kb\":50000}\n"              \
    "{\"ts_ms\":1758000003000,\"pid\":7,\"utime\":195,\"stime\":0,\"rss_kb\":45000}\n"
#define EXAMPLE_TIMES                                                                              \
    "\"ts_enqueue\":1758000000000,\"ts_start\":1758000000100,\"ts_end\":1758000003600,\"pid\":7"

static void total_of_the_invocation_ends_the_course(void **state)
{
    (void)state;
    put("r/node_meta.json", NODE);
    put("r/events.x.jsonl", "{\"trace_id\":\"t\",\"cpu_ns\":2400000000," EXAMPLE_TIMES "}\n");
    put("r/proc_metrics.jsonl", EXAMPLE_SAMPLES);
    TK_CLEANUP(tk_workload_freep) struct tk_workload *workload = load();
    EXPECT_COURSE(workload, 0, {100, 0}, {1000, 450}, {2000, 950}, {3000, 1950}, {3600, 2400});
    assert_int_equal(workload->tasks[0].known, TK_KNOWN_SAMPLES);
}

static void exit_record_of_a_command_ends_the_course(void **state)
{
    (void)state;
    put("r/node_meta.json", NODE);
    put("r/events.x.jsonl", "{\"trace_id\":\"t\",\"method\":\"CLI\"," EXAMPLE_TIMES "}\n");
    put("r/proc_metrics.jsonl", EXAMPLE_SAMPLES);
    put("r/proc_exit.jsonl",
        "{\"ts_ms\":1758000003600,\"pid\":7,\"cpu_ns\":2400000000,\"source\":\"taskstats\"}\n");
    TK_CLEANUP(tk_workload_freep) struct tk_workload *workload = load();
    EXPECT_COURSE(workload, 0, {100, 0}, {1000, 450}, {2000, 950}, {3000, 1950}, {3600, 2400});
    assert_int_equal(workload->tasks[0].rss_kb, 50000);
}

static void without_a_total_the_last_rate_goes_on(void **state)
{
    (void)state;
    put("r/node_meta.json", NODE);
    put("r/events.x.jsonl", "{\"trace_id\":\"t\"," EXAMPLE_TIMES "}\n");
    put("r/proc_metrics.jsonl", EXAMPLE_SAMPLES);
    TK_CLEANUP(tk_workload_freep) struct tk_workload *workload = load();
    EXPECT_COURSE(workload, 0, {100, 0}, {1000, 450}, {2000, 950}, {3000, 1950}, {3600, 2550});
}

static void samples_are_scaled_to_the_total(void **state)
{
    (void)state;
    put("r/node_meta.json", NODE);
    put("r/events.x.jsonl", "{\"trace_id\":\"t\",\"cpu_ns\":1275000000," EXAMPLE_TIMES "}\n");
    put("r/proc_metrics.jsonl", EXAMPLE_SAMPLES);
    TK_CLEANUP(tk_workload_freep) struct tk_workload *workload = load();
    EXPECT_COURSE(workload, 0, {100, 0}, {1000, 225}, {2000, 475}, {3000, 975}, {3600, 1275});
}

/* Bad input ---------------------------------------------------------------------------------- */

static void what_makes_no_task_is_counted_and_named(void **state)
{
    (void)state;
    put("r/node_meta.json", NODE);
    put("r/events.x.jsonl",
        "{\"trace_id\":\"a\",\"span_id\":\"neg\",\"ts_start\":1758000002000,"
        "\"ts_end\":1758000001000}\n"
        "{\"trace_id\":\"b\",\"ts_start\":1758000002000}\n"
        "{\"trace_id\":\"c\",\"ts_start\":1758000002,\"ts_end\":1758000003000000}\n"
        "{\"trace_id\":\"d\",\"ts_start\":NaN,\"ts_end\":1758000003000}\n"
        "{\"trace_id\":\"e\",\"ts_start\":1758000002000,\"ts_end\":1758000002000,"
        "\"cpu_time_ms\":0}\n"
        "{\"trace_id\":\"f\",\"ts_enqueue\":1758000009000,\"ts_start\":1758000002000,"
        "\"ts_end\":1758000003000}\n"
        "{\"trace_id\":\"e\",\"ts_start\":1758000002000,\"ts_end\":1758000002000}\n"
        "{\"trace_id\":\"g\",\"ts_sta");
    TK_CLEANUP(tk_workload_freep) struct tk_workload *workload = load();
    const struct tk_workload_counts *counts = &workload->counts;
    assert_int_equal(workload->task_count, 2);
    assert_int_equal(counts->negative, 1);
    assert_int_equal(counts->no_times, 2); /* missing; in us, which is beyond 2100 as ms */
    assert_int_equal(counts->duplicates, 1);
    assert_int_equal(counts->late_enqueue, 1);
    assert_int_equal(counts->bad_rows, 2); /* NaN, and the torn last line */
    assert_string_equal(counts->first_skipped,
                        "trace a, span neg, pid -1: ts_end is before ts_start");
    EXPECT_COURSE(workload, 0, {2000, 0}, {2001, 0}); /* no duration counts as a millisecond */
}

static void an_unknown_frequency_is_an_error_that_names_the_remedy(void **state)
{
    (void)state;
    put("r/node_meta.json", "{\"run_id\":\"r\",\"node\":\"n\",\"stage\":\"s\",\"cpu_cores\":4,"
                            "\"mem_mb\":1000,\"cpu_freq_mhz\":0}");
    put("r/events.x.jsonl", "{\"trace_id\":\"t\"," EXAMPLE_TIMES "}\n");
    struct tk_workload *workload = NULL;
    struct tk_err err;
    assert_int_equal(load_as(&workload, TK_MODE_AUTO, &err), -ENODATA);
    assert_string_equal(err.msg, "node n: its CPU frequency is not known (cpu_freq_mhz is 0): set "
                                 "CPU_FREQ_MHZ");
}

static void a_folder_without_anything_is_an_error(void **state)
{
    (void)state;
    struct tk_workload *workload = NULL;
    struct tk_err err;
    assert_int_equal(load_as(&workload, TK_MODE_AUTO, &err), -ENOENT);
    put("r/node_meta.json", NODE);
    assert_int_equal(load_as(&workload, TK_MODE_AUTO, &err), -ENOENT);
    assert_non_null(strstr(err.msg, "nothing to make a task of"));
}

/* Joins ---------------------------------------------------------------------------------------- */

#define TASK(trace, pid, start, end)                                                               \
    "{\"trace_id\":\"" trace "\",\"ts_start\":175800000" start ",\"ts_end\":175800000" end         \
    ",\"pid\":" pid "}\n"
#define SAMPLE(ms, pid, ticks)                                                                     \
    "{\"ts_ms\":175800000" ms ",\"pid\":" pid ",\"utime\":" ticks ",\"stime\":0,\"rss_kb\":1}\n"

static void equal_pids_on_two_nodes_are_two_processes(void **state)
{
    (void)state;
    put("r/nodes.json", "[{\"node_id\":\"a\",\"stage\":\"s\",\"cpu_cores\":4,\"mem_mb\":1,"
                        "\"cpu_freq_mhz\":2000},{\"node_id\":\"b\",\"stage\":\"s\","
                        "\"cpu_cores\":4,\"mem_mb\":1,\"cpu_freq_mhz\":2000}]");
    put("r/invocations.jsonl",
        "{\"trace_id\":\"1\",\"node\":\"a\",\"ts_start\":1758000001000,\"ts_end\":1758000002000,"
        "\"pid\":7}\n"
        "{\"trace_id\":\"2\",\"node\":\"b\",\"ts_start\":1758000001000,\"ts_end\":1758000002000,"
        "\"pid\":7}\n");
    put("r/proc_metrics.jsonl",
        "{\"ts_ms\":1758000001000,\"node\":\"a\",\"pid\":7,\"utime\":0,\"stime\":0}\n"
        "{\"ts_ms\":1758000001000,\"node\":\"b\",\"pid\":7,\"utime\":500,\"stime\":0}\n"
        "{\"ts_ms\":1758000001500,\"node\":\"c\",\"pid\":7,\"utime\":500,\"stime\":0}\n"
        "{\"ts_ms\":1758000002000,\"node\":\"a\",\"pid\":7,\"utime\":10,\"stime\":0}\n"
        "{\"ts_ms\":1758000002000,\"node\":\"b\",\"pid\":7,\"utime\":590,\"stime\":0}\n");
    TK_CLEANUP(tk_workload_freep) struct tk_workload *workload = load();
    assert_int_equal(cpu_of(workload, 0), 100 * MS);
    assert_int_equal(cpu_of(workload, 1), 900 * MS);
    assert_int_equal(workload->counts.unknown_node, 1);
}

static void a_pid_used_again_is_another_process(void **state)
{
    (void)state;
    put("r/node_meta.json", NODE);
    put("r/invocations.jsonl", TASK("1", "7", "1000", "3000") TASK("2", "7", "5000", "6000"));
    put("r/proc_metrics.jsonl",
        SAMPLE("1000", "7", "10") SAMPLE("2000", "7", "60") SAMPLE("3000", "7", "100")
            SAMPLE("5500", "7", "20") SAMPLE("6000", "7", "40"));
    TK_CLEANUP(tk_workload_freep) struct tk_workload *workload = load();
    assert_int_equal(workload->process_count, 2);
    EXPECT_COURSE(workload, 0, {1000, 0}, {2000, 500}, {3000, 900});
    EXPECT_COURSE(workload, 1, {5000, 0}, {5500, 200}, {6000, 400});
}

static void identity_beats_the_time_of_a_pid(void **state)
{
    (void)state;
    put("r/node_meta.json", NODE);
    put("r/invocations.jsonl",
        "{\"trace_id\":\"1\",\"ts_start\":1758000001000,\"ts_end\":1758000002000,\"pid\":7,"
        "\"start_ticks\":42}\n");
    put("r/proc_metrics.jsonl",
        "{\"ts_ms\":1758000001000,\"pid\":7,\"start_ticks\":41,\"cpu_ns\":0}\n"
        "{\"ts_ms\":1758000001000,\"pid\":7,\"start_ticks\":42,\"cpu_ns\":0}\n"
        "{\"ts_ms\":1758000002000,\"pid\":7,\"start_ticks\":41,\"cpu_ns\":5000000}\n"
        "{\"ts_ms\":1758000002000,\"pid\":7,\"start_ticks\":42,\"cpu_ns\":7000000}\n");
    TK_CLEANUP(tk_workload_freep) struct tk_workload *workload = load();
    assert_int_equal(cpu_of(workload, 0), 7 * MS);
}

static void a_pid_of_a_container_is_found_by_its_namespace(void **state)
{
    (void)state;
    put("r/node_meta.json", NODE);
    put("r/invocations.jsonl",
        "{\"trace_id\":\"1\",\"instance_id\":\"0123456789ab\",\"ts_start\":1758000001000,"
        "\"ts_end\":1758000002000,\"pid\":1}\n");
    put("r/proc_metrics.jsonl",
        "{\"ts_ms\":1758000001000,\"pid\":900,\"ns_pid\":1,\"container\":\"0123456789abcdef\","
        "\"cpu_ns\":0}\n"
        "{\"ts_ms\":1758000002000,\"pid\":900,\"ns_pid\":1,\"container\":\"0123456789abcdef\","
        "\"cpu_ns\":3000000}\n");
    TK_CLEANUP(tk_workload_freep) struct tk_workload *workload = load();
    assert_int_equal(cpu_of(workload, 0), 3 * MS);
}

static void a_command_has_the_course_of_its_tree(void **state)
{
    (void)state;
    put("r/node_meta.json", NODE);
    put("r/run.json", "{\"schema_version\":2,\"interval_requested_ms\":100,\"clk_tck\":100}");
    put("r/events.sh.jsonl",
        "{\"trace_id\":\"1\",\"method\":\"CLI\",\"ts_start\":1758000001000,"
        "\"ts_end\":1758000003000,\"pid\":7,\"start_ticks\":5,\"cpu_ns\":1000000000}\n");
    put("r/proc_metrics.jsonl",
        "{\"ts_ms\":1758000001000,\"pid\":7,\"start_ticks\":5,\"ppid\":1,\"cpu_ns\":0}\n"
        "{\"ts_ms\":1758000002000,\"pid\":8,\"start_ticks\":6,\"ppid\":7,\"cpu_ns\":0}\n"
        "{\"ts_ms\":1758000002001,\"pid\":9,\"start_ticks\":6,\"ppid\":1,\"cpu_ns\":0}\n"
        "{\"ts_ms\":1758000003000,\"pid\":8,\"start_ticks\":6,\"ppid\":7,\"cpu_ns\":1000000000}\n"
        "{\"ts_ms\":1758000003000,\"pid\":9,\"start_ticks\":6,\"ppid\":1,\"cpu_ns\":900000000}\n");
    TK_CLEANUP(tk_workload_freep) struct tk_workload *workload = load();
    EXPECT_COURSE(workload, 0, {1000, 0}, {2000, 0}, {3000, 1000});
}

/* Sharing -------------------------------------------------------------------------------------- */

static void requests_share_their_server_and_all_adds_up(void **state)
{
    (void)state;
    enum { REQUESTS = 1000 };
    static char text[REQUESTS * 160];
    size_t n = 0;
    for (int i = 0; i < REQUESTS; i++) {
        n += (size_t)snprintf(text + n, sizeof(text) - n,
                              "{\"trace_id\":\"%d\",\"ts_start\":%lld,\"ts_end\":%lld,"
                              "\"pid\":7}\n",
                              i, T0 + 2000 + i % 500, T0 + 4000 + (i * 7) % 900);
    }
    put("r/node_meta.json", NODE);
    put("r/invocations.jsonl", text);
    put("r/proc_metrics.jsonl",
        SAMPLE("1000", "7", "0") SAMPLE("3000", "7", "333") SAMPLE("6000", "7", "1000"));
    TK_CLEANUP(tk_workload_freep) struct tk_workload *workload = load();
    int64_t sum_ns = 0;
    for (uint32_t i = 0; i < REQUESTS; i++)
        sum_ns += cpu_of(workload, i);
    assert_int_equal(sum_ns + workload->counts.unattributed_ns, 10000 * MS);
    assert_true(sum_ns > 5000 * MS);
}

static void requests_that_say_their_own_cpu_time_get_it(void **state)
{
    (void)state;
    put("r/node_meta.json", NODE);
    put("r/run.json", "{\"schema_version\":2}");
    put("r/invocations.jsonl",
        "{\"trace_id\":\"1\",\"ts_start\":1758000001000,\"ts_end\":1758000003000,\"pid\":7,"
        "\"cpu_time_ms\":600}\n"
        "{\"trace_id\":\"2\",\"ts_start\":1758000001000,\"ts_end\":1758000003000,\"pid\":7,"
        "\"cpu_time_ms\":300}\n");
    put("r/proc_metrics.jsonl",
        SAMPLE("1000", "7", "0") SAMPLE("2000", "7", "25") SAMPLE("3000", "7", "100"));
    TK_CLEANUP(tk_workload_freep) struct tk_workload *workload = load();
    EXPECT_COURSE(workload, 0, {1000, 0}, {2000, 150}, {3000, 600});
    EXPECT_COURSE(workload, 1, {1000, 0}, {2000, 75}, {3000, 300});
    assert_int_equal(workload->counts.unattributed_ns, 100 * MS);
}

static void the_same_of_generation_1_is_of_the_whole_process(void **state)
{
    (void)state;
    put("r/node_meta.json", NODE);
    put("r/invocations.jsonl",
        "{\"trace_id\":\"1\",\"ts_start\":1758000001000,\"ts_end\":1758000003000,\"pid\":7,"
        "\"cpu_time_ms\":600}\n"
        "{\"trace_id\":\"2\",\"ts_start\":1758000001000,\"ts_end\":1758000003000,\"pid\":7,"
        "\"cpu_time_ms\":300}\n");
    put("r/proc_metrics.jsonl", SAMPLE("1000", "7", "0") SAMPLE("3000", "7", "100"));
    TK_CLEANUP(tk_workload_freep) struct tk_workload *workload = load();
    assert_int_equal(cpu_of(workload, 0), 500 * MS);
    assert_int_equal(cpu_of(workload, 1), 500 * MS);
}

/* Without samples ------------------------------------------------------------------------------ */

static void without_samples_the_total_is_even_and_nothing_is_half_a_core(void **state)
{
    (void)state;
    put("r/node_meta.json", NODE);
    put("r/invocations.jsonl",
        "{\"trace_id\":\"1\",\"ts_start\":1758000001000,\"ts_end\":1758000003000,"
        "\"cpu_time_ms\":600}\n"
        "{\"trace_id\":\"2\",\"ts_start\":1758000002000,\"ts_end\":1758000003000,\"pid\":9}\n");
    TK_CLEANUP(tk_workload_freep) struct tk_workload *workload = load();
    EXPECT_COURSE(workload, 0, {1000, 0}, {3000, 600});
    EXPECT_COURSE(workload, 1, {2000, 0}, {3000, 500});
    assert_int_equal(workload->tasks[0].known, TK_KNOWN_TOTAL);
    assert_int_equal(workload->tasks[1].known, TK_KNOWN_NOTHING);
}

/* Rows ----------------------------------------------------------------------------------------- */

static void rows_of_generation_2_are_differences(void **state)
{
    (void)state;
    put("r/CTS/nodes.json", "[{\"node_id\":\"n\",\"stage\":\"s\",\"cpu_cores\":4,\"mem_mb\":1,"
                            "\"cpu_freq_mhz\":2400}]");
    put("r/CTS/invocations.jsonl", TASK("1", "7", "1000", "3000"));
    put("r/CTS/proc_metrics.jsonl",
        "{\"ts_ms\":1758000001000,\"pid\":7,\"dt_ms\":0,\"cpu_ms\":0}\n"
        "{\"ts_ms\":1758000002000,\"pid\":7,\"dt_ms\":1000,\"cpu_ms\":300}\n"
        "{\"ts_ms\":1758000003000,\"pid\":7,\"dt_ms\":1000,\"cpu_ms\":50}\n");
    TK_CLEANUP(tk_workload_freep) struct tk_workload *workload = load();
    EXPECT_COURSE(workload, 0, {1000, 0}, {2000, 300}, {3000, 350});
}

static void a_process_without_rows_did_not_run_where_only_those_that_ran_have_some(void **state)
{
    (void)state;
    put("r/node_meta.json", NODE);
    put("r/run.json", "{\"schema_version\":2,\"interval_requested_ms\":100,"
                      "\"proc_rows\":\"changed\"}");
    put("r/invocations.jsonl", TASK("1", "7", "1000", "2900") TASK("2", "7", "2900", "3000"));
    put("r/proc_metrics.jsonl", SAMPLE("1000", "7", "0") SAMPLE("3000", "7", "8"));
    TK_CLEANUP(tk_workload_freep) struct tk_workload *workload = load();
    assert_int_equal(cpu_of(workload, 0), 0);
    assert_int_equal(cpu_of(workload, 1), 80 * MS);
}

/* Other modes ---------------------------------------------------------------------------------- */

static void processes_are_tasks_where_there_are_no_invocations(void **state)
{
    (void)state;
    put("r/node_meta.json", NODE);
    put("r/proc_metrics.jsonl",
        SAMPLE("1000", "7", "100") SAMPLE("2000", "8", "0") SAMPLE("3000", "7", "150"));
    TK_CLEANUP(tk_workload_freep) struct tk_workload *workload = load();
    assert_int_equal(workload->mode, TK_MODE_SERVICE);
    assert_true(workload->mode_was_chosen);
    assert_int_equal(workload->task_count, 1); /* one reading of pid 8 tells nothing */
    EXPECT_COURSE(workload, 0, {1000, 0}, {3000, 500});
}

static void a_node_is_a_task_where_there_are_no_processes(void **state)
{
    (void)state;
    put("r/node_meta.json", NODE);
    put("r/resources.jsonl",
        "{\"ts_ms\":1758000001000,\"node\":\"n\",\"stage\":\"s\",\"cpu_util\":10.0}\n"
        "{\"ts_ms\":1758000002000,\"node\":\"n\",\"stage\":\"s\",\"cpu_util\":50.0}\n"
        "{\"ts_ms\":1758000002000,\"node\":\"n\",\"stage\":\"s\",\"mem_free_mb\":5}\n"
        "{\"ts_ms\":1758000004000,\"node\":\"n\",\"stage\":\"s\",\"cpu_util\":25.0}\n");
    TK_CLEANUP(tk_workload_freep) struct tk_workload *workload = load();
    assert_int_equal(workload->mode, TK_MODE_NODE);
    assert_str_equal(workload->tasks[0].name, "h");
    EXPECT_COURSE(workload, 0, {1000, 0}, {2000, 2000}, {4000, 4000});
}

/* Order and edges ------------------------------------------------------------------------------ */

static void ids_follow_submission_whatever_the_order_of_folders_and_rows(void **state)
{
    (void)state;
    put("r(c10)/node_meta.json", NODE);
    put("r(c2)/node_meta.json", NODE);
    put("r(c10)/invocations.jsonl", TASK("first", "7", "1000", "2000"));
    put("r(c2)/invocations.jsonl",
        TASK("third", "7", "3000", "4000") TASK("second", "7", "2000", "4000"));
    TK_CLEANUP(tk_workload_freep) struct tk_workload *workload = load();
    static const char *const traces[] = {"first", "second", "third"};
    assert_true(tk_str_ends_with(workload->folders[0].path, TK_STR("r(c2)")));
    for (uint32_t i = 0; i < 3; i++) {
        const struct tk_task *task = &workload->tasks[workload->sorted[i]];
        assert_str_equal(task->trace, traces[i]);
        assert_int_equal(task->id, i + 1);
    }
}

static void a_child_needs_the_parent_that_had_ended_before(void **state)
{
    (void)state;
    put("r/node_meta.json", NODE);
    put("r/invocations.jsonl",
        "{\"trace_id\":\"t\",\"span_id\":\"a\",\"ts_start\":1758000001000,"
        "\"ts_end\":1758000002000,\"output\":\"x.mp4\"}\n"
        "{\"trace_id\":\"t\",\"span_id\":\"b\",\"parent_id\":\"a\",\"ts_start\":1758000001500,"
        "\"ts_end\":1758000001800}\n"
        "{\"trace_id\":\"t\",\"span_id\":\"c\",\"parent_id\":\"a\",\"ts_start\":1758000002000,"
        "\"ts_end\":1758000003000}\n"
        "{\"trace_id\":\"t\",\"span_id\":\"d\",\"ts_enqueue\":1758000009000,"
        "\"ts_start\":1758000009500,\"ts_end\":1758000009900,\"input\":\"x.mp4\"}\n");
    TK_CLEANUP(tk_workload_freep) struct tk_workload *workload = load();
    const struct tk_task *tasks = workload->tasks;
    assert_int_equal(tasks[1].parent_count, 0); /* called within its parent */
    assert_int_equal(tasks[2].parent_count, 1);
    assert_int_equal(tasks[2].parents[0], 0);
    assert_int_equal(tasks[3].parents[0], 0);
    assert_int_equal(tasks[0].child_count, 2);
    assert_int_equal(tasks[0].children[0], 2);
    assert_int_equal(tasks[0].children[1], 3);
    /* Submitted later than the parent's end it would stay blocked: with the parent, then. */
    assert_int_equal(tasks[3].submission_ms, T0 + 1000);
    assert_int_equal(tasks[2].submission_ms, T0 + 2000);
    assert_int_equal(workload->counts.moved, 1);
}

#define test(name) cmocka_unit_test_setup_teardown(name, open_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(total_of_the_invocation_ends_the_course),
        test(exit_record_of_a_command_ends_the_course),
        test(without_a_total_the_last_rate_goes_on),
        test(samples_are_scaled_to_the_total),
        test(what_makes_no_task_is_counted_and_named),
        test(an_unknown_frequency_is_an_error_that_names_the_remedy),
        test(a_folder_without_anything_is_an_error),
        test(equal_pids_on_two_nodes_are_two_processes),
        test(a_pid_used_again_is_another_process),
        test(identity_beats_the_time_of_a_pid),
        test(a_pid_of_a_container_is_found_by_its_namespace),
        test(a_command_has_the_course_of_its_tree),
        test(requests_share_their_server_and_all_adds_up),
        test(requests_that_say_their_own_cpu_time_get_it),
        test(the_same_of_generation_1_is_of_the_whole_process),
        test(without_samples_the_total_is_even_and_nothing_is_half_a_core),
        test(rows_of_generation_2_are_differences),
        test(a_process_without_rows_did_not_run_where_only_those_that_ran_have_some),
        test(processes_are_tasks_where_there_are_no_invocations),
        test(a_node_is_a_task_where_there_are_no_processes),
        test(ids_follow_submission_whatever_the_order_of_folders_and_rows),
        test(a_child_needs_the_parent_that_had_ended_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
