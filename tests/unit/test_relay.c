/* SPDX-License-Identifier: Apache-2.0 */
/* The disk is a struct of functions: it can stand still until the test lets it go on. */
#include "collect/relay.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "run/recording.h"
#include "run/run_internal.h"
#include "tk_folder.h"

#define PATIENCE_MS 20000

/* A disk that may stand still or be full. */
struct moody_disk {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool still, full;
    int waiting; /* writes that stand still */
};

struct fixture {
    char folder[PATH_MAX];
    struct moody_disk disk;
    struct tk_run_writer *writer;
    struct tk_relay *relay;
    struct tk_rows *rows;
};

static ssize_t moody_write(void *context, int fd, const void *from, size_t n)
{
    struct moody_disk *disk = context;
    pthread_mutex_lock(&disk->mutex);
    disk->waiting++;
    pthread_cond_broadcast(&disk->changed);
    while (disk->still)
        pthread_cond_wait(&disk->changed, &disk->mutex);
    disk->waiting--;
    bool full = disk->full;
    pthread_mutex_unlock(&disk->mutex);
    return full ? -ENOSPC : write(fd, from, n);
}

static int moody_truncate(void *context, int fd, off_t size)
{
    (void)context;
    return ftruncate(fd, size) < 0 ? -errno : 0;
}

static void set_mood(struct moody_disk *disk, bool still, bool full)
{
    pthread_mutex_lock(&disk->mutex);
    disk->still = still;
    disk->full = full;
    pthread_cond_broadcast(&disk->changed);
    pthread_mutex_unlock(&disk->mutex);
}

/* Until a write has come that stands still. */
static void wait_for_write(struct moody_disk *disk)
{
    pthread_mutex_lock(&disk->mutex);
    while (disk->waiting == 0)
        pthread_cond_wait(&disk->changed, &disk->mutex);
    pthread_mutex_unlock(&disk->mutex);
}

static void fixture_make(struct fixture *fixture)
{
    struct tk_err err;
    *fixture = (struct fixture){
        .disk = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER}};
    folder_make(fixture->folder);
    const struct tk_run_disk disk = {moody_write, moody_truncate, &fixture->disk};
    assert_int_equal(tk_run_writer_new_on(fixture->folder, &disk, &fixture->writer, &err), 0);
    assert_int_equal(tk_relay_new(fixture->writer, &fixture->relay, &err), 0);
    assert_int_equal(tk_rows_new(tk_relay_sink(fixture->relay), &fixture->rows, &err), 0);
}

static void fixture_open(struct fixture *fixture)
{
    fixture_make(fixture);
    tk_relay_open(fixture->relay);
}

static void fixture_close(struct fixture *fixture)
{
    tk_rows_free(fixture->rows);
    tk_relay_free(fixture->relay);
    tk_run_writer_free(fixture->writer);
    folder_remove(fixture->folder);
}

static void put_row(struct fixture *fixture, int64_t ms)
{
    struct tk_err err;
    struct tk_batch *row = tk_rows_begin(fixture->rows, TK_TABLE_PROC_EXIT);
    tk_batch_set_i64(row, TK_PROC_EXIT_TS_MS, ms);
    assert_int_equal(tk_rows_flush(fixture->rows, &err), 0);
}

#define ROW1 "{\"ts_ms\":1}\n"
#define ROW2 "{\"ts_ms\":2}\n"
#define ROW3 "{\"ts_ms\":3}\n"

/* All that was handed over is written, or could not be; the outcome. */
static int finish(struct fixture *fixture, struct tk_err *err)
{
    tk_relay_write(fixture->relay);
    return tk_relay_next_outcome(fixture->relay, err);
}

/* The disk stands still in the middle of a row. */
static void stand_still(struct fixture *fixture)
{
    set_mood(&fixture->disk, true, false);
    put_row(fixture, 1);
    tk_relay_flush(fixture->relay, NULL);
    wait_for_write(&fixture->disk);
}

static void rows_reach_their_file_in_order(void **state)
{
    (void)state;
    struct fixture fixture;
    struct tk_err err;
    struct tk_run_writer_stats stats;
    fixture_open(&fixture);
    for (int64_t ms = 1; ms <= 3; ms++) {
        put_row(&fixture, ms);
        tk_relay_flush(fixture.relay, NULL);
    }
    assert_int_equal(finish(&fixture, &err), 0);
    assert_file(fixture.folder, "proc_exit.jsonl", ROW1 ROW2 ROW3);
    tk_relay_read_stats(fixture.relay, &stats);
    assert_int_equal(stats.rows[TK_TABLE_PROC_EXIT], 3);
    assert_int_equal(stats.dropped_rows, 0);
    fixture_close(&fixture);
}

static void without_a_thread_the_caller_writes(void **state)
{
    (void)state;
    struct fixture fixture;
    struct tk_err err;
    fixture_make(&fixture);
    put_row(&fixture, 1);
    tk_relay_flush(fixture.relay, NULL);
    assert_file(fixture.folder, "proc_exit.jsonl", ROW1);
    put_row(&fixture, 2);
    assert_int_equal(finish(&fixture, &err), 0);
    assert_file(fixture.folder, "proc_exit.jsonl", ROW1 ROW2);
    fixture_close(&fixture);
}

static void a_disk_that_stands_still_is_not_waited_for(void **state)
{
    (void)state;
    struct fixture fixture;
    struct tk_err err;
    fixture_open(&fixture);
    stand_still(&fixture);
    for (int64_t ms = 2; ms <= 3; ms++) {
        put_row(&fixture, ms);
        tk_relay_flush(fixture.relay, NULL);
        assert_int_equal(tk_relay_next_outcome(fixture.relay, &err), 1);
    }
    set_mood(&fixture.disk, false, false);
    assert_int_equal(finish(&fixture, &err), 0);
    assert_file(fixture.folder, "proc_exit.jsonl", ROW1 ROW2 ROW3);
    fixture_close(&fixture);
}

/* Kill -9 would lose them else. */
static void rows_flushed_meanwhile_need_no_second_call(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture);
    stand_still(&fixture);
    put_row(&fixture, 2);
    tk_relay_flush(fixture.relay, NULL);
    set_mood(&fixture.disk, false, false);
    struct tk_run_writer_stats stats = {0};
    for (int ms = 0; stats.rows[TK_TABLE_PROC_EXIT] < 2 && ms < PATIENCE_MS; ms++) {
        (void)usleep(1000);
        tk_relay_read_stats(fixture.relay, &stats);
    }
    assert_int_equal(stats.rows[TK_TABLE_PROC_EXIT], 2);
    fixture_close(&fixture);
}

static void what_does_not_fit_meanwhile_is_dropped_and_counted(void **state)
{
    (void)state;
    struct fixture fixture;
    struct tk_err err;
    struct tk_run_writer_stats stats;
    fixture_open(&fixture);
    stand_still(&fixture);
    int64_t put = 0;
    int rc = 0;
    for (; rc == 0 && put < 2000000; put++) {
        struct tk_batch *row = tk_rows_begin(fixture.rows, TK_TABLE_PROC_EXIT);
        tk_batch_set_i64(row, TK_PROC_EXIT_TS_MS, 2);
        if (put % 64 == 63)
            rc = tk_rows_flush(fixture.rows, &err);
    }
    assert_int_equal(rc, -EAGAIN);
    assert_string_equal(err.msg, "proc_exit.jsonl: the disk does not keep up");
    set_mood(&fixture.disk, false, false);
    assert_int_equal(finish(&fixture, &err), 0);
    tk_relay_read_stats(fixture.relay, &stats);
    assert_true(stats.dropped_rows > 0);
    assert_int_equal(stats.rows[TK_TABLE_PROC_EXIT] + stats.dropped_rows, put + 1);
    /* Afterwards it goes on as before. */
    put_row(&fixture, 3);
    assert_int_equal(finish(&fixture, &err), 0);
    fixture_close(&fixture);
}

static void each_failure_is_told_once_and_success_afterwards(void **state)
{
    (void)state;
    struct fixture fixture;
    struct tk_err err;
    struct tk_run_writer_stats stats;
    fixture_open(&fixture);
    set_mood(&fixture.disk, false, true);
    for (int i = 0; i < 2; i++) {
        put_row(&fixture, 1);
        assert_int_equal(finish(&fixture, &err), -ENOSPC);
        assert_non_null(strstr(err.msg, "proc_exit.jsonl: No space left on device"));
        assert_int_equal(tk_relay_next_outcome(fixture.relay, &err), 1);
    }
    set_mood(&fixture.disk, false, false);
    put_row(&fixture, 2);
    assert_int_equal(finish(&fixture, &err), 0);
    assert_int_equal(tk_relay_next_outcome(fixture.relay, &err), 1);
    tk_relay_read_stats(fixture.relay, &stats);
    assert_int_equal(stats.dropped_rows, 2);
    assert_file(fixture.folder, "proc_exit.jsonl", ROW2);
    fixture_close(&fixture);
}

static void outcomes_that_nobody_asked_for_are_told_in_order(void **state)
{
    (void)state;
    struct fixture fixture;
    struct tk_err err;
    fixture_open(&fixture);
    for (int i = 0; i < 4; i++) {
        set_mood(&fixture.disk, false, i == 1 || i == 2);
        put_row(&fixture, i);
        tk_relay_write(fixture.relay);
    }
    assert_int_equal(tk_relay_next_outcome(fixture.relay, &err), -ENOSPC);
    assert_int_equal(tk_relay_next_outcome(fixture.relay, &err), 0);
    assert_int_equal(tk_relay_next_outcome(fixture.relay, &err), 1);
    fixture_close(&fixture);
}

static struct tk_batch *run_row(const char *run_id)
{
    struct tk_batch *row = NULL;
    struct tk_err err;
    assert_int_equal(tk_batch_new(&tk_schema_run, 1, 4096, &row, &err), 0);
    tk_batch_begin(row);
    tk_batch_set_text(row, TK_RUN_RUN_ID, tk_str_from(run_id));
    return row;
}

static void the_newest_run_json_is_written(void **state)
{
    (void)state;
    struct fixture fixture;
    struct tk_err err;
    fixture_open(&fixture);
    tk_relay_flush(fixture.relay, run_row("a"));
    assert_int_equal(finish(&fixture, &err), 0);
    assert_file(fixture.folder, "run.json", "{\"run_id\":\"a\",\"stop_ms\":null}\n");
    stand_still(&fixture);
    tk_relay_flush(fixture.relay, run_row("b"));
    tk_relay_flush(fixture.relay, run_row("c"));
    set_mood(&fixture.disk, false, false);
    assert_int_equal(finish(&fixture, &err), 0);
    assert_file(fixture.folder, "run.json", "{\"run_id\":\"c\",\"stop_ms\":null}\n");
    fixture_close(&fixture);
}

/* Rows of the recording that can be read. */
static uint64_t recorded_rows(const struct fixture *fixture)
{
    struct tk_err err;
    struct tk_recording_report report;
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    assert_int_equal(tk_dir_open(AT_FDCWD, fixture->folder, &dirfd, &err), 0);
    if (tk_recording_check(dirfd, &report, &err) < 0)
        return 0;
    assert_int_equal(report.damaged + report.lost_blocks + report.torn, 0);
    return report.rows;
}

static void blocks_are_closed_by_the_window_or_the_end(void **state)
{
    (void)state;
    struct fixture fixture;
    struct tk_err err;
    fixture_open(&fixture);
    assert_int_equal(tk_relay_set_compact(fixture.relay, 3600 * TK_NS_PER_S, &err), 0);
    put_row(&fixture, 1);
    tk_relay_flush(fixture.relay, NULL);
    assert_int_equal(tk_relay_next_outcome(fixture.relay, &err), 1);
    assert_int_equal(recorded_rows(&fixture), 0);
    put_row(&fixture, 2);
    assert_int_equal(finish(&fixture, &err), 0);
    assert_int_equal(recorded_rows(&fixture), 2);
    assert_file(fixture.folder, "proc_exit.jsonl", NULL);
    fixture_close(&fixture);

    fixture_open(&fixture);
    assert_int_equal(tk_relay_set_compact(fixture.relay, 0, &err), 0);
    put_row(&fixture, 1);
    tk_relay_flush(fixture.relay, NULL);
    tk_relay_write(fixture.relay);
    assert_int_equal(recorded_rows(&fixture), 1);
    fixture_close(&fixture);
}

/* The block that is lost, and the rows that were to build on it, are dropped and counted; what
 * comes after can be read. */
static void blocks_after_a_lost_one_begin_anew(void **state)
{
    (void)state;
    struct fixture fixture;
    struct tk_err err;
    struct tk_run_writer_stats stats;
    fixture_open(&fixture);
    assert_int_equal(tk_relay_set_compact(fixture.relay, 3600 * TK_NS_PER_S, &err), 0);
    put_row(&fixture, 1);
    assert_int_equal(finish(&fixture, &err), 0);
    set_mood(&fixture.disk, false, true);
    put_row(&fixture, 2);
    assert_int_equal(finish(&fixture, &err), -ENOSPC);
    set_mood(&fixture.disk, false, false);
    put_row(&fixture, 3);
    put_row(&fixture, 4);
    assert_int_equal(finish(&fixture, &err), 0);
    assert_int_equal(recorded_rows(&fixture), 3);
    tk_relay_read_stats(fixture.relay, &stats);
    assert_int_equal(stats.dropped_rows, 1);
    assert_int_equal(stats.rows[TK_TABLE_PROC_EXIT], 3);
    fixture_close(&fixture);
}

static void what_waits_is_written_before_the_end(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture);
    put_row(&fixture, 1);
    tk_relay_free(fixture.relay);
    fixture.relay = NULL;
    assert_file(fixture.folder, "proc_exit.jsonl", ROW1);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_reach_their_file_in_order),
        cmocka_unit_test(without_a_thread_the_caller_writes),
        cmocka_unit_test(a_disk_that_stands_still_is_not_waited_for),
        cmocka_unit_test(rows_flushed_meanwhile_need_no_second_call),
        cmocka_unit_test(what_does_not_fit_meanwhile_is_dropped_and_counted),
        cmocka_unit_test(each_failure_is_told_once_and_success_afterwards),
        cmocka_unit_test(outcomes_that_nobody_asked_for_are_told_in_order),
        cmocka_unit_test(the_newest_run_json_is_written),
        cmocka_unit_test(blocks_are_closed_by_the_window_or_the_end),
        cmocka_unit_test(blocks_after_a_lost_one_begin_anew),
        cmocka_unit_test(what_waits_is_written_before_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
