/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/recorder.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>

#include "run/run.h"
#include "tk_folder.h"

#define PATIENCE_MS 20000

FOLDER_OF_EACH_TEST

/* Only this process, so that it does not matter what else runs here. */
static struct tk_recorder_options options_of(const char *vm_ip)
{
    static char make[] = "make";
    static char secret[] = "--token=s3cret";
    static char *const command[] = {make, secret, NULL};
    return (struct tk_recorder_options){
        .folder = folder,
        .node = {.run_id = "r",
                 .node = "n",
                 .stage = "s",
                 .iface = "lo",
                 .vm_ip = vm_ip,
                 .cpu_freq_mhz = 1000},
        .procs = {.tree_root = getpid(), .tree_only = true},
        .interval_ns = 5 * TK_NS_PER_MS,
        .host_interval_ns = 5 * TK_NS_PER_MS,
        .command = command,
    };
}

static struct tk_recorder *open_recorder(const char *vm_ip)
{
    struct tk_recorder *recorder = NULL;
    struct tk_err err = {0};
    struct tk_recorder_options options = options_of(vm_ip);
    int rc = tk_recorder_new(&options, &recorder, &err);
    if (rc < 0)
        print_error("%s\n", err.msg);
    assert_int_equal(rc, 0);
    return recorder;
}

static int step(struct tk_recorder *recorder, struct tk_err *err)
{
    struct pollfd fd = {.fd = tk_recorder_fd(recorder), .events = POLLIN};
    assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
    return tk_recorder_step(recorder, err);
}

/* The row of run.json; to be freed. */
static struct tk_batch *read_run(void)
{
    struct tk_batch *row = NULL;
    struct tk_err err;
    assert_int_equal(tk_object_read(dirfd_of_folder, "run.json", &tk_schema_run, &row, &err), 0);
    return row;
}

static bool file_has(const char *name, const char *text)
{
    char *got = folder_get(folder, name);
    bool has = got && strstr(got, text);
    free(got);
    return has;
}

static void the_first_readings_are_there_when_it_returns(void **state)
{
    (void)state;
    struct tk_recorder *recorder = open_recorder(NULL);
    assert_true(file_has("node_meta.json", "\"node\":\"n\",\"stage\":\"s\""));
    assert_true(file_has("link_meta.json", "\"iface\":\"lo\""));
    assert_true(file_has("resources.jsonl", "\"mem_free_mb\":"));
    assert_true(file_has("proc_metrics.jsonl", "\"pid\":"));
    assert_true(file_has("clock.jsonl", "\"monotonic_us\":"));
    assert_true(file_has("collector.pid", "\"start_ticks\":"));
    assert_true(file_has("run.json", "\"stop_ms\":null"));
    assert_true(file_has("run.json", "\"command\":[\"make\",\"--token=***\"]"));
    tk_recorder_free(recorder);
}

static void the_end_is_written_with_its_counters(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_recorder *recorder = open_recorder(NULL);
    for (int i = 0; i < 20; i++)
        assert_int_equal(step(recorder, &err), 0);
    tk_recorder_set_exit_status(recorder, 7);
    tk_recorder_add_notice(recorder, "a notice");
    assert_int_equal(tk_recorder_finish(recorder, &err), 0);
    TK_CLEANUP(tk_batch_freep) struct tk_batch *run = read_run();
    assert_int_equal(tk_batch_i64(run, 0, TK_RUN_EXIT_STATUS, -1), 7);
    /* A step may be for the ring of events, not for a tick. */
    assert_in_range(tk_batch_i64(run, 0, TK_RUN_TICKS, -1), 18, 21);
    assert_true(tk_batch_i64(run, 0, TK_RUN_ROWS, -1) >= 18);
    assert_int_equal(tk_batch_i64(run, 0, TK_RUN_DROPPED_ROWS, -1), 0);
    assert_true(tk_batch_i64(run, 0, TK_RUN_STOP_MS, -1) >=
                tk_batch_i64(run, 0, TK_RUN_START_MS, -1));
    assert_true(file_has("run.json", "\"notices\":[") && file_has("run.json", "\"a notice\""));
    assert_false(file_has("collector.pid", ""));
    tk_recorder_free(recorder);
}

/* Sums of the rows of self.jsonl, and their number. */
static size_t sum_self(int64_t ret_sums[TK_SELF_COUNT])
{
    static const size_t summed[] = {TK_SELF_DT_MS, TK_SELF_TICKS, TK_SELF_MISSED_TICKS,
                                    TK_SELF_CPU_NS, TK_SELF_SYSCALLS};
    struct tk_run_reader *reader = NULL;
    const struct tk_batch *batch = NULL;
    struct tk_err err;
    size_t rows = 0;
    memset(ret_sums, 0, TK_SELF_COUNT * sizeof(*ret_sums));
    assert_int_equal(
        tk_run_reader_new(dirfd_of_folder, "self.jsonl", &tk_schema_self, &reader, &err), 0);
    while (tk_run_reader_next(reader, &batch, &err) == 0) {
        for (size_t row = 0; row < batch->rows; row++, rows++) {
            for (size_t i = 0; i < TK_COUNTOF(summed); i++)
                ret_sums[summed[i]] += tk_batch_i64(batch, row, summed[i], INT64_MIN / 1000);
        }
    }
    tk_run_reader_free(reader);
    return rows;
}

static void the_account_of_itself_adds_up(void **state)
{
    (void)state;
    enum { STEPS = 300 };
    struct tk_err err;
    int64_t sums[TK_SELF_COUNT];
    int64_t start_ns = tk_clock_mono_ns();
    struct tk_recorder *recorder = open_recorder(NULL);
    for (int i = 0; i < STEPS; i++)
        assert_int_equal(step(recorder, &err), 0);
    assert_int_equal(tk_recorder_finish(recorder, &err), 0);
    int64_t span_ms = (tk_clock_mono_ns() - start_ns) / TK_NS_PER_MS;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *run = read_run();
    size_t rows = sum_self(sums);
    /* A row each second, not one each tick. */
    assert_true(rows >= 2 && (int64_t)rows <= span_ms / 1000 + 2);
    assert_int_equal(sums[TK_SELF_TICKS] + 1, tk_batch_i64(run, 0, TK_RUN_TICKS, -1));
    assert_in_range(sums[TK_SELF_TICKS], STEPS - 10, STEPS);
    assert_int_equal(sums[TK_SELF_MISSED_TICKS], tk_batch_i64(run, 0, TK_RUN_MISSED_TICKS, -1));
    assert_true(sums[TK_SELF_DT_MS] >= (STEPS - 10) * 5 - 10 && sums[TK_SELF_DT_MS] <= span_ms + 2);
    assert_true(sums[TK_SELF_CPU_NS] > 0 &&
                sums[TK_SELF_CPU_NS] / TK_NS_PER_MS <= tk_batch_i64(run, 0, TK_RUN_OWN_CPU_MS, -1));
    /* Poll, timer, at least one clock and one file. */
    assert_true(sums[TK_SELF_SYSCALLS] >= (STEPS - 10) * 4);
    tk_recorder_free(recorder);
}

static void gpus_are_recorded_where_there_is_a_driver(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_recorder *recorder = NULL;
    struct tk_recorder_options options = options_of(NULL);
    options.gpu_library = TK_FAKE_NVML;
    assert_int_equal(tk_recorder_new(&options, &recorder, &err), 0);
    /* Rows are handed over each second, table by table. */
    for (int i = 0; i < 4000 && !(file_has("gpu_metrics.jsonl", "\"name\":\"Fake 0\"") &&
                                  file_has("gpu_proc_metrics.jsonl", "\"pid\":4242"));
         i++)
        assert_int_equal(step(recorder, &err), 0);
    assert_true(file_has("gpu_metrics.jsonl", "\"node\":\"n\""));
    assert_true(file_has("gpu_proc_metrics.jsonl", "\"pid\":4242"));
    assert_int_equal(tk_recorder_finish(recorder, &err), 0);
    tk_recorder_free(recorder);
}

static void two_recorders_do_not_share_a_folder(void **state)
{
    (void)state;
    struct tk_recorder *first = open_recorder(NULL);
    struct tk_recorder *second = NULL;
    struct tk_recorder_options options = options_of(NULL);
    struct tk_err err;
    assert_int_equal(tk_recorder_new(&options, &second, &err), -EBUSY);
    assert_non_null(strstr(err.msg, folder));
    assert_true(file_has("collector.pid", "\"pid\":"));
    tk_recorder_free(first);
}

static void the_start_of_an_earlier_recording_is_kept(void **state)
{
    (void)state;
    folder_put(folder, "run.json", "{\"run_id\":\"r\",\"start_ms\":1000}\n");
    struct tk_recorder *recorder = open_recorder(NULL);
    TK_CLEANUP(tk_batch_freep) struct tk_batch *run = read_run();
    assert_int_equal(tk_batch_i64(run, 0, TK_RUN_START_MS, -1), 1000);
    tk_recorder_free(recorder);
}

static void the_delay_of_the_link_comes_later(void **state)
{
    (void)state;
    struct tk_err err;
    /* A peer that is not 127.0.0.1 and answers. */
    struct tk_recorder *recorder = open_recorder("127.0.0.2");
    for (int i = 0; i < 5; i++)
        assert_int_equal(step(recorder, &err), 0);
    assert_int_equal(tk_recorder_finish(recorder, &err), 0); /* waits for the probes */
    assert_true(file_has("link_meta.json", "\"PR_s\":"));
    tk_recorder_free(recorder);
}

static void a_folder_that_is_removed_ends_it(void **state)
{
    (void)state;
    struct tk_err err = {0};
    struct tk_recorder *recorder = open_recorder(NULL);
    folder_remove(folder);
    int rc = 0;
    for (int i = 0; i < 4000 && rc == 0; i++)
        rc = step(recorder, &err);
    assert_int_equal(rc, -ENOENT);
    assert_non_null(strstr(err.msg, ": the run folder was removed"));
    tk_recorder_free(recorder);
}

static void a_folder_that_is_removed_before_the_end_is_told_by_it(void **state)
{
    (void)state;
    struct tk_err err = {0};
    struct tk_recorder *recorder = open_recorder(NULL);
    folder_remove(folder);
    assert_int_equal(tk_recorder_finish(recorder, &err), -ENOENT);
    assert_non_null(strstr(err.msg, ": the run folder was removed"));
    tk_recorder_free(recorder);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(the_first_readings_are_there_when_it_returns),
        TEST(the_end_is_written_with_its_counters),
        TEST(the_account_of_itself_adds_up),
        TEST(gpus_are_recorded_where_there_is_a_driver),
        TEST(two_recorders_do_not_share_a_folder),
        TEST(the_start_of_an_earlier_recording_is_kept),
        TEST(the_delay_of_the_link_comes_later),
        TEST(a_folder_that_is_removed_ends_it),
        TEST(a_folder_that_is_removed_before_the_end_is_told_by_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
