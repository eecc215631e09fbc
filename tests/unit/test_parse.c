/* SPDX-License-Identifier: Apache-2.0 */
/* Golden: each folder of tests/data/parse has a run folder `in` and what parse makes of it,
 * `expected`, with what it says in `expected/said`. TK_GOLDEN=write writes `expected` anew; the
 * difference is to be reviewed. */
#include "run/parse.h"

#include <dirent.h>
#include <errno.h>

#include "tk_folder.h"

static char work[PATH_MAX]; /* of one test */

static int make_work(void **state)
{
    (void)state;
    folder_make(work);
    return 0;
}

static int remove_work(void **state)
{
    (void)state;
    folder_remove(work);
    return 0;
}

/* What parse said; progress starts with nothing, warnings with "! ". */
static struct tk_buf said;

static void note(void *context, enum tk_parse_note kind, const char *line)
{
    (void)context;
    tk_buf_puts(&said, kind == TK_PARSE_WARNING ? "! " : "");
    tk_buf_puts(&said, line);
    tk_buf_putc(&said, '\n');
}

/* Parse `in` (below the working folder) into `out`. */
static struct tk_parse_result parse(const char *in, const char *out)
{
    struct tk_parse_options options = {
        .folder = in, .output = out, .cts = true, .say = note, .node = "env-node"};
    struct tk_parse_result result;
    struct tk_err err;
    tk_buf_reset(&said);
    if (tk_parse(&options, &result, &err) < 0)
        fail_msg("%s", err.msg);
    return result;
}

/* Golden ------------------------------------------------------------------------------- */

/* Text of all files below `folder`, each after a line with its name, by name. */
static void describe(const char *folder, const char *below, struct tk_buf *out)
{
    char path[2 * PATH_MAX];
    struct dirent **entries;
    (void)snprintf(path, sizeof(path), "%s/%s", folder, below);
    int n = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char name[PATH_MAX];
        struct stat st;
        (void)snprintf(name, sizeof(name), "%s%s%s", below, *below ? "/" : "", entries[i]->d_name);
        (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
        if (entries[i]->d_name[0] != '.' && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
            describe(folder, name, out);
        } else if (entries[i]->d_name[0] != '.') {
            char *text = folder_get(folder, name);
            tk_buf_printf(out, "--- %s\n%s", name, text);
            free(text);
        }
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

static void put_all(const char *to, tk_str text)
{
    tk_str line;
    char name[PATH_MAX] = "";
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    tk_buf_init(&file, 1 << 20);
    while (text.n > 0) {
        assert_true(tk_str_take_prefix(&text, TK_STR("--- ")) && tk_str_take_line(&text, &line));
        assert_true(tk_str_to_cstr(line, name, sizeof(name)));
        tk_buf_reset(&file);
        while (text.n > 0 && !tk_str_starts_with(text, TK_STR("--- "))) {
            assert_true(tk_str_take_line(&text, &line));
            tk_buf_put(&file, line);
            tk_buf_putc(&file, '\n');
        }
        tk_buf_putc(&file, '\0');
        folder_put(to, name, file.p);
    }
}

static void assert_golden(const char *name)
{
    char in[PATH_MAX];
    char expected[PATH_MAX];
    (void)snprintf(in, sizeof(in), "%s/parse/%s/in", TK_TEST_DATA, name);
    (void)snprintf(expected, sizeof(expected), "%s/parse/%s/expected", TK_TEST_DATA, name);
    TK_CLEANUP(tk_buf_release) struct tk_buf got;
    TK_CLEANUP(tk_buf_release) struct tk_buf want;
    tk_buf_init(&got, 1 << 20);
    tk_buf_init(&want, 1 << 20);

    static const char out[] = "out";
    assert_int_equal(chdir(work), 0);
    assert_int_equal(symlink(in, "in"), 0);
    (void)parse("in", out);
    tk_buf_putc(&said, '\0');
    folder_put(out, "said", said.p);
    describe(out, "", &got);
    if (getenv("TK_GOLDEN")) {
        folder_remove(expected);
        put_all(expected, tk_buf_str(&got));
    }
    describe(expected, "", &want);
    if (!tk_str_eq(tk_buf_str(&got), tk_buf_str(&want))) {
        print_error("%s: made\n%.*s\nexpected\n%.*s\n", name, TK_STR_ARG(tk_buf_str(&got)),
                    TK_STR_ARG(tk_buf_str(&want)));
        fail();
    }
}

static void a_run_of_ours_is_standardised(void **state)
{
    (void)state;
    assert_golden("ours");
}

static void a_folder_of_generation_1_is_standardised(void **state)
{
    (void)state;
    assert_golden("generation1");
}

static void a_folder_of_generation_2_is_taken_from_where_its_tables_lie(void **state)
{
    (void)state;
    assert_golden("generation2");
}

static void host_and_link_rows_come_from_raw_logs(void **state)
{
    (void)state;
    assert_golden("rawlogs");
}

static void a_collector_that_got_nowhere_gives_empty_tables(void **state)
{
    (void)state;
    assert_golden("empty");
}

/* proc_cpu ------------------------------------------------------------------------------ */

/* Put a run folder with these files, parse it in place, compare cctf/proc_cpu.jsonl. */
static void assert_proc_cpu(const char *metrics, const char *exits, const char *expected)
{
    folder_put(work, "node_meta.json", "{\"node\":\"n1\",\"stage\":\"edge\"}");
    folder_put(work, "run.json", "{\"schema_version\":2,\"start_ms\":1000,\"clk_tck\":100}");
    folder_put(work, "clock.jsonl", "{\"realtime_us\":1000000,\"boottime_us\":1000000}\n");
    folder_put(work, "proc_metrics.jsonl", metrics);
    folder_put(work, "proc_exit.jsonl", exits);
    (void)parse(work, NULL);
    assert_file(work, "cctf/proc_cpu.jsonl", expected);
}

static void cpu_time_is_the_difference_of_ticks(void **state)
{
    (void)state;
    assert_proc_cpu("{\"ts_ms\":1000,\"pid\":1,\"utime\":60,\"stime\":40,\"rss_kb\":5}\n"
                    "{\"ts_ms\":2000,\"pid\":1,\"utime\":100,\"stime\":50,\"rss_kb\":5}\n",
                    "", "{\"ts_ms\":2000,\"pid\":1,\"cpu_ms\":500,\"dt_ms\":1000}\n");
}

static void milliseconds_telescope_to_the_floor_of_the_total(void **state)
{
    (void)state;
    /* born at 1100 ms; 0.4, 0.9 and 1.6 ms of CPU */
    assert_proc_cpu("{\"ts_ms\":2000,\"pid\":1,\"start_ticks\":110,\"cpu_ns\":400000}\n"
                    "{\"ts_ms\":3000,\"pid\":1,\"start_ticks\":110,\"cpu_ns\":900000}\n"
                    "{\"ts_ms\":4000,\"pid\":1,\"start_ticks\":110,\"cpu_ns\":1600000}\n",
                    "",
                    "{\"ts_ms\":2000,\"pid\":1,\"cpu_ms\":0,\"dt_ms\":900,\"start_ticks\":110,"
                    "\"cpu_ns\":400000}\n"
                    "{\"ts_ms\":3000,\"pid\":1,\"cpu_ms\":0,\"dt_ms\":1000,\"start_ticks\":110,"
                    "\"cpu_ns\":500000}\n"
                    "{\"ts_ms\":4000,\"pid\":1,\"cpu_ms\":1,\"dt_ms\":1000,\"start_ticks\":110,"
                    "\"cpu_ns\":700000}\n");
}

static void samples_at_one_time_make_no_row(void **state)
{
    (void)state;
    assert_proc_cpu("{\"ts_ms\":1000,\"pid\":1,\"utime\":1,\"stime\":0}\n"
                    "{\"ts_ms\":1000,\"pid\":1,\"utime\":3,\"stime\":0}\n"
                    "{\"ts_ms\":1000,\"pid\":1,\"utime\":3,\"stime\":0}\n"
                    "{\"ts_ms\":2000,\"pid\":1,\"utime\":7,\"stime\":0}\n",
                    "", "{\"ts_ms\":2000,\"pid\":1,\"cpu_ms\":40,\"dt_ms\":1000}\n");
}

static void a_recycled_pid_is_another_process(void **state)
{
    (void)state;
    assert_proc_cpu("{\"ts_ms\":1500,\"pid\":1,\"start_ticks\":50,\"cpu_ns\":9000000}\n"
                    "{\"ts_ms\":2000,\"pid\":1,\"start_ticks\":190,\"cpu_ns\":70000000}\n",
                    "",
                    "{\"ts_ms\":2000,\"pid\":1,\"cpu_ms\":70,\"dt_ms\":100,\"start_ticks\":190,"
                    "\"cpu_ns\":70000000}\n");
    /* without start_ticks the counters tell */
    assert_proc_cpu("{\"ts_ms\":1000,\"pid\":1,\"utime\":50,\"stime\":0}\n"
                    "{\"ts_ms\":2000,\"pid\":1,\"utime\":2,\"stime\":0}\n"
                    "{\"ts_ms\":3000,\"pid\":1,\"utime\":3,\"stime\":0}\n",
                    "", "{\"ts_ms\":3000,\"pid\":1,\"cpu_ms\":10,\"dt_ms\":1000}\n");
}

static void a_reboot_in_the_run_begins_every_process_anew(void **state)
{
    (void)state;
    assert_proc_cpu("{\"ts_ms\":2000,\"pid\":9,\"start_ticks\":50,\"cpu_ns\":5000000000}\n"
                    "{\"ts_ms\":3000,\"pid\":9,\"start_ticks\":50,\"cpu_ns\":20000000}\n"
                    "{\"ts_ms\":4000,\"pid\":9,\"start_ticks\":50,\"cpu_ns\":50000000}\n",
                    "",
                    "{\"ts_ms\":4000,\"pid\":9,\"cpu_ms\":30,\"dt_ms\":1000,\"start_ticks\":50,"
                    "\"cpu_ns\":30000000}\n");
}

static void an_exit_adds_what_was_used_since_the_last_sample(void **state)
{
    (void)state;
    assert_proc_cpu(
        "{\"ts_ms\":1500,\"pid\":1,\"start_ticks\":50,\"cpu_ns\":9000000,\"node\":\"n1\"}\n"
        "{\"ts_ms\":1900,\"pid\":2,\"start_ticks\":60,\"cpu_ns\":0,\"node\":\"n1\"}\n",
        "{\"ts_ms\":1800,\"ts_us\":1800900,\"node\":\"n1\",\"pid\":1,\"start_ticks\":50,"
        "\"cpu_ns\":21000000,\"source\":\"taskstats\"}\n",
        "{\"ts_ms\":1800,\"pid\":1,\"cpu_ms\":12,\"dt_ms\":300,\"ts_us\":1800900,\"node\":\"n1\","
        "\"start_ticks\":50,\"cpu_ns\":12000000,\"dt_us\":300900}\n");
    /* a record that does not tell the start of its process */
    assert_proc_cpu("{\"ts_ms\":1500,\"pid\":1,\"start_ticks\":50,\"cpu_ns\":9000000}\n",
                    "{\"ts_ms\":1800,\"pid\":1,\"cpu_ns\":10000000,\"source\":\"taskstats\"}\n",
                    "{\"ts_ms\":1800,\"pid\":1,\"cpu_ms\":1,\"dt_ms\":300,\"ts_us\":1800000,"
                    "\"start_ticks\":50,\"cpu_ns\":1000000,\"dt_us\":300000}\n");
}

static void a_process_between_two_samples_is_known_by_its_exit(void **state)
{
    (void)state;
    assert_proc_cpu("",
                    "{\"ts_ms\":2005,\"pid\":1,\"start_us\":2000000,\"cpu_ns\":4900000,"
                    "\"source\":\"taskstats\"}\n"
                    /* born before the run: who knows when it used its time */
                    "{\"ts_ms\":2006,\"pid\":2,\"start_us\":900000,\"cpu_ns\":4900000,"
                    "\"source\":\"taskstats\"}\n",
                    "{\"ts_ms\":2005,\"pid\":1,\"cpu_ms\":4,\"dt_ms\":5,\"ts_us\":2005000,"
                    "\"cpu_ns\":4900000,\"dt_us\":5000}\n");
}

static void two_clocks_of_one_process_never_run_back(void **state)
{
    (void)state;
    assert_proc_cpu("{\"ts_ms\":1500,\"pid\":1,\"start_ticks\":50,\"cpu_ns\":5000000}\n"
                    "{\"ts_ms\":1700,\"pid\":1,\"start_ticks\":50,\"cpu_ns\":9000000}\n",
                    "{\"ts_ms\":1800,\"pid\":1,\"start_ticks\":50,\"cpu_ns\":8000000}\n",
                    "{\"ts_ms\":1700,\"pid\":1,\"cpu_ms\":4,\"dt_ms\":200,\"start_ticks\":50,"
                    "\"cpu_ns\":4000000}\n"
                    "{\"ts_ms\":1800,\"pid\":1,\"cpu_ms\":0,\"dt_ms\":100,\"ts_us\":1800000,"
                    "\"start_ticks\":50,\"cpu_ns\":0,\"dt_us\":100000}\n");
}

static void two_sweeps_within_a_millisecond_make_one_row(void **state)
{
    (void)state;
    assert_proc_cpu(
        "{\"ts_ms\":1500,\"pid\":1,\"rss_kb\":9,\"ts_us\":1500100,\"cpu_ns\":5000000}\n"
        "{\"ts_ms\":1500,\"pid\":1,\"rss_kb\":9,\"ts_us\":1500900,\"cpu_ns\":5000000}\n"
        "{\"ts_ms\":1500,\"pid\":2,\"rss_kb\":7,\"ts_us\":1500900,\"cpu_ns\":5000000}\n",
        "", "");
    assert_file(work, "cctf/proc_rss.jsonl",
                "{\"ts_ms\":1500,\"pid\":1,\"rss_kb\":9}\n"
                "{\"ts_ms\":1500,\"pid\":2,\"rss_kb\":7}\n");
}

static void rows_of_generation_2_are_differences_already(void **state)
{
    (void)state;
    assert_proc_cpu("{\"ts_ms\":1000,\"pid\":1,\"dt_ms\":0,\"cpu_ms\":0,\"rss_kb\":9}\n"
                    "{\"ts_ms\":1200,\"pid\":1,\"dt_ms\":200,\"cpu_ms\":150,\"rss_kb\":9}\n",
                    "", "{\"ts_ms\":1200,\"pid\":1,\"cpu_ms\":150,\"dt_ms\":200}\n");
    assert_file(work, "cctf/proc_rss.jsonl",
                "{\"ts_ms\":1000,\"pid\":1,\"rss_kb\":9}\n"
                "{\"ts_ms\":1200,\"pid\":1,\"rss_kb\":9}\n");
    assert_file(work, "CTS/proc_metrics.jsonl",
                "{\"ts_ms\":1000,\"pid\":1,\"dt_ms\":0,\"cpu_ms\":0,\"rss_kb\":9}\n"
                "{\"ts_ms\":1200,\"pid\":1,\"dt_ms\":200,\"cpu_ms\":150,\"rss_kb\":9}\n");
}

/* Failure and repetition ------------------------------------------------------------------- */

static void a_second_parse_writes_the_same_bytes(void **state)
{
    (void)state;
    static const char *const names[] = {"ours", "generation1", "generation2", "rawlogs"};
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        char in[PATH_MAX];
        TK_CLEANUP(tk_buf_release) struct tk_buf first;
        TK_CLEANUP(tk_buf_release) struct tk_buf second;
        tk_buf_init(&first, 1 << 20);
        tk_buf_init(&second, 1 << 20);
        (void)snprintf(in, sizeof(in), "%s/parse/%s/in", TK_TEST_DATA, names[i]);
        describe(in, "", &first);
        put_all(work, tk_buf_str(&first));
        tk_buf_reset(&first);
        (void)parse(work, NULL);
        describe(work, "", &first);
        (void)parse(work, NULL);
        describe(work, "", &second);
        assert_true(tk_str_eq(tk_buf_str(&first), tk_buf_str(&second)));
        folder_remove(work);
        assert_int_equal(mkdir(work, 0777), 0);
    }
}

static void a_missing_folder_is_told(void **state)
{
    (void)state;
    struct tk_parse_options options = {.folder = "/no/such/run"};
    struct tk_parse_result result;
    struct tk_err err;
    assert_int_equal(tk_parse(&options, &result, &err), -ENOENT);
    assert_string_equal(err.msg, "/no/such/run: No such file or directory");
}

static bool has_in_work(const char *name)
{
    char path[2 * PATH_MAX];
    struct stat st;
    (void)snprintf(path, sizeof(path), "%s/%s", work, name);
    return stat(path, &st) == 0;
}

static void an_empty_folder_is_left_alone(void **state)
{
    (void)state;
    struct tk_parse_options options = {.folder = work};
    struct tk_parse_result result;
    struct tk_err err;
    assert_int_equal(tk_parse(&options, &result, &err), -ENOENT);
    assert_non_null(strstr(err.msg, ": nothing to parse: "));
    assert_false(has_in_work("cctf"));
}

static void a_folder_of_something_else_is_left_alone(void **state)
{
    (void)state;
    folder_put(work, "passwd", "root:x:0:0::/root:/bin/sh\n");
    struct tk_parse_options options = {.folder = work};
    struct tk_parse_result result;
    struct tk_err err;
    assert_int_equal(tk_parse(&options, &result, &err), -ENOENT);
    assert_non_null(
        strstr(err.msg, ": nothing to parse: expected node_meta.json or a table of a run"));
    assert_false(has_in_work("cctf"));
    folder_put(work, "proc_exit.jsonl", "");
    assert_int_equal(tk_parse(&options, &result, &err), 0);
    assert_true(has_in_work("cctf"));
}

#define in_work(test) cmocka_unit_test_setup_teardown(test, make_work, remove_work)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_work(a_run_of_ours_is_standardised),
        in_work(a_folder_of_generation_1_is_standardised),
        in_work(a_folder_of_generation_2_is_taken_from_where_its_tables_lie),
        in_work(host_and_link_rows_come_from_raw_logs),
        in_work(a_collector_that_got_nowhere_gives_empty_tables),
        in_work(cpu_time_is_the_difference_of_ticks),
        in_work(milliseconds_telescope_to_the_floor_of_the_total),
        in_work(samples_at_one_time_make_no_row),
        in_work(a_recycled_pid_is_another_process),
        in_work(a_reboot_in_the_run_begins_every_process_anew),
        in_work(an_exit_adds_what_was_used_since_the_last_sample),
        in_work(a_process_between_two_samples_is_known_by_its_exit),
        in_work(two_clocks_of_one_process_never_run_back),
        in_work(two_sweeps_within_a_millisecond_make_one_row),
        in_work(rows_of_generation_2_are_differences_already),
        in_work(a_second_parse_writes_the_same_bytes),
        in_work(a_missing_folder_is_told),
        in_work(an_empty_folder_is_left_alone),
        in_work(a_folder_of_something_else_is_left_alone),
    };
    tk_buf_init(&said, 1 << 20);
    int status = cmocka_run_group_tests(tests, NULL, NULL);
    tk_buf_release(&said);
    return status;
}
