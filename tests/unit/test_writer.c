/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "run/run.h"
#include "run/run_internal.h"
#include "tk_folder.h"

static char folder[PATH_MAX];

static int make_folder(void **state)
{
    (void)state;
    folder_make(folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

/* A disk with room for a number of bytes, whose ftruncate may fail too. */
struct small_disk {
    size_t room;
    int failing_truncates;
    int truncates;
};

static ssize_t small_write(void *context, int fd, const void *from, size_t n)
{
    struct small_disk *disk = context;
    if (disk->room == 0)
        return -ENOSPC;
    size_t part = n < disk->room ? n : disk->room;
    ssize_t put = write(fd, from, part);
    assert_int_equal(put, part);
    disk->room -= part;
    return put;
}

static int small_truncate(void *context, int fd, off_t size)
{
    struct small_disk *disk = context;
    disk->truncates++;
    if (disk->failing_truncates > 0) {
        disk->failing_truncates--;
        return -EIO;
    }
    return ftruncate(fd, size) < 0 ? -errno : 0;
}

static struct tk_run_writer *open_writer(struct small_disk *disk)
{
    struct tk_run_disk on = {small_write, small_truncate, disk};
    struct tk_run_writer *writer;
    struct tk_err err;
    assert_int_equal(tk_run_writer_new_on(folder, &on, &writer, &err), 0);
    return writer;
}

static void put_exit(struct tk_rows *rows, int64_t ms, int64_t pid)
{
    struct tk_batch *batch = tk_rows_begin(rows, TK_TABLE_PROC_EXIT);
    tk_batch_set_i64(batch, TK_PROC_EXIT_TS_MS, ms);
    tk_batch_set_i64(batch, TK_PROC_EXIT_PID, pid);
}

/* Rows 1..n through a writer, flushed; the result of the flush. */
static int write_rows(struct tk_run_writer *writer, int64_t first, int64_t n, struct tk_err *err)
{
    struct tk_rows *rows;
    assert_int_equal(tk_rows_new(tk_run_writer_sink(writer), &rows, err), 0);
    for (int64_t i = 0; i < n; i++)
        put_exit(rows, first + i, 7);
    assert_int_equal(tk_rows_flush(rows, err), 0);
    tk_rows_free(rows);
    return tk_run_writer_flush(writer, err);
}

static struct tk_run_writer_stats stats_of(const struct tk_run_writer *writer)
{
    struct tk_run_writer_stats stats;
    tk_run_writer_read_stats(writer, &stats);
    return stats;
}

#define ROW1 "{\"ts_ms\":1,\"pid\":7}\n"
#define ROW2 "{\"ts_ms\":2,\"pid\":7}\n"
#define ROW3 "{\"ts_ms\":3,\"pid\":7}\n"

static void rows_are_appended_and_counted(void **state)
{
    (void)state;
    struct tk_run_writer *writer;
    struct tk_err err;
    assert_int_equal(tk_run_writer_new(folder, &writer, &err), 0);
    assert_file(folder, "proc_exit.jsonl", NULL);
    assert_int_equal(write_rows(writer, 1, 2, &err), 0);
    assert_file(folder, "proc_exit.jsonl", ROW1 ROW2);
    tk_run_writer_free(writer);

    assert_int_equal(tk_run_writer_new(folder, &writer, &err), 0);
    assert_int_equal(write_rows(writer, 3, 1, &err), 0);
    assert_int_equal(tk_run_writer_sync(writer, &err), 0);
    assert_file(folder, "proc_exit.jsonl", ROW1 ROW2 ROW3);
    assert_int_equal(stats_of(writer).rows[TK_TABLE_PROC_EXIT], 1);
    assert_int_equal(stats_of(writer).bytes, strlen(ROW3));
    tk_run_writer_free(writer);
}

static void a_torn_last_line_is_cut_off_but_a_whole_one_is_kept(void **state)
{
    (void)state;
    static const struct {
        const char *before;
        const char *after;
        int64_t torn;
    } cases[] = {
        {ROW1 "{\"ts_ms\":2,\"p", ROW1 ROW3, 1},
        {"{\"ts", ROW3, 1},
        {ROW1 "{\"ts_ms\":2,\"pid\":7}", ROW1 ROW2 ROW3, 0},
        {ROW1, ROW1 ROW3, 0},
        {"", ROW3, 0},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_run_writer *writer;
        struct tk_err err;
        folder_put(folder, "proc_exit.jsonl", cases[i].before);
        assert_int_equal(tk_run_writer_new(folder, &writer, &err), 0);
        assert_int_equal(write_rows(writer, 3, 1, &err), 0);
        assert_file(folder, "proc_exit.jsonl", cases[i].after);
        assert_int_equal(stats_of(writer).torn_lines, cases[i].torn);
        tk_run_writer_free(writer);
    }
}

static void append(const char *text)
{
    char path[PATH_MAX + NAME_MAX];
    (void)snprintf(path, sizeof(path), "%s/proc_exit.jsonl", folder);
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* The size of a file grows page by page while a line is appended: nobody may look then. */
static ssize_t watched_write(void *context, int fd, const void *from, size_t n)
{
    char path[PATH_MAX + NAME_MAX];
    int *writes = context;
    (void)snprintf(path, sizeof(path), "%s/proc_exit.jsonl", folder);
    int other = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    close(other);
    ++*writes;
    return write(fd, from, n);
}

static void a_line_is_written_while_no_other_writer_looks_at_the_file(void **state)
{
    (void)state;
    int writes = 0;
    struct tk_run_disk disk = {watched_write, small_truncate, &writes};
    struct tk_run_writer *first;
    struct tk_run_writer *second;
    struct tk_err err;
    assert_int_equal(tk_run_writer_new_on(folder, &disk, &first, &err), 0);
    assert_int_equal(tk_run_writer_new_on(folder, &disk, &second, &err), 0);
    assert_int_equal(write_rows(first, 1, 1, &err), 0);
    assert_int_equal(write_rows(second, 2, 1, &err), 0);
    assert_int_equal(write_rows(first, 3, 1, &err), 0);
    assert_int_equal(writes, 3);
    assert_file(folder, "proc_exit.jsonl", ROW1 ROW2 ROW3);
    tk_run_writer_free(first);
    tk_run_writer_free(second);
}

/* Whoever may read a file may lock it. */
static void a_lock_that_somebody_keeps_does_not_stop_a_writer(void **state)
{
    (void)state;
    char path[PATH_MAX + NAME_MAX];
    struct tk_run_writer *writer;
    struct tk_err err;
    folder_put(folder, "proc_exit.jsonl", ROW1);
    (void)snprintf(path, sizeof(path), "%s/proc_exit.jsonl", folder);
    int other = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(other, LOCK_EX), 0);
    assert_int_equal(tk_run_writer_new(folder, &writer, &err), 0);
    assert_int_equal(write_rows(writer, 2, 1, &err), 0);
    assert_int_equal(write_rows(writer, 3, 1, &err), 0);
    assert_file(folder, "proc_exit.jsonl", ROW1 ROW2 ROW3);
    append("{\"begun\":"); /* perhaps by who has the lock: it stays */
    assert_int_equal(write_rows(writer, 1, 1, &err), 0);
    assert_file(folder, "proc_exit.jsonl", ROW1 ROW2 ROW3 "{\"begun\":" ROW1);
    assert_int_equal(stats_of(writer).torn_lines, 0);
    close(other);
    append("{\"begun\":");
    assert_int_equal(write_rows(writer, 2, 1, &err), 0);
    assert_int_equal(stats_of(writer).torn_lines, 1);
    assert_file(folder, "proc_exit.jsonl", ROW1 ROW2 ROW3 "{\"begun\":" ROW1 ROW2);
    tk_run_writer_free(writer);
}

static void a_line_that_a_killed_writer_began_is_cut_off_by_one_that_goes_on(void **state)
{
    (void)state;
    struct tk_run_writer *writer;
    struct tk_err err;
    assert_int_equal(tk_run_writer_new(folder, &writer, &err), 0);
    assert_int_equal(write_rows(writer, 1, 1, &err), 0);
    append("{\"begun\":");
    assert_int_equal(write_rows(writer, 2, 1, &err), 0);
    assert_int_equal(stats_of(writer).torn_lines, 1);
    append(ROW3);
    assert_int_equal(write_rows(writer, 1, 1, &err), 0);
    assert_int_equal(stats_of(writer).torn_lines, 1);
    assert_file(folder, "proc_exit.jsonl", ROW1 ROW2 ROW3 ROW1);
    tk_run_writer_free(writer);
}

static void a_cut_that_failed_spares_what_another_writer_appended(void **state)
{
    (void)state;
    struct small_disk disk = {.room = 30, .failing_truncates = 1};
    struct tk_run_writer *full = open_writer(&disk);
    struct tk_run_writer *other;
    struct tk_err err;
    assert_int_equal(tk_run_writer_new(folder, &other, &err), 0);
    assert_int_equal(write_rows(full, 1, 2, &err), -ENOSPC);
    assert_int_equal(disk.truncates, 1);
    assert_int_equal(write_rows(other, 2, 1, &err), 0);
    assert_file(folder, "proc_exit.jsonl", ROW1 ROW2);
    disk.room = 1000;
    assert_int_equal(write_rows(full, 3, 1, &err), 0);
    assert_file(folder, "proc_exit.jsonl", ROW1 ROW2 ROW3);
    assert_int_equal(stats_of(full).dropped_rows, 1);
    tk_run_writer_free(full);
    tk_run_writer_free(other);
}

static void a_full_disk_keeps_whole_lines_at_every_possible_byte(void **state)
{
    (void)state;
    static const char all[] = ROW1 ROW2 ROW3;
    for (size_t room = 0; room < sizeof(all) - 1; room++) {
        struct small_disk disk = {.room = room};
        struct tk_run_writer *writer = open_writer(&disk);
        struct tk_err err;
        size_t whole = room - room % (sizeof(ROW1) - 1);
        char expected[2 * sizeof(all)];
        assert_int_equal(write_rows(writer, 1, 3, &err), -ENOSPC);
        (void)snprintf(expected, sizeof(expected), "%.*s", (int)whole, all);
        assert_file(folder, "proc_exit.jsonl", expected);
        assert_int_equal(stats_of(writer).dropped_rows, 3 - (int)(whole / (sizeof(ROW1) - 1)));

        disk.room = 1000;
        assert_int_equal(write_rows(writer, 3, 1, &err), 0);
        (void)snprintf(expected, sizeof(expected), "%.*s" ROW3, (int)whole, all);
        assert_file(folder, "proc_exit.jsonl", expected);
        tk_run_writer_free(writer);
        folder_remove(folder);
        assert_int_equal(mkdir(folder, 0777), 0);
    }
}

static void a_cut_that_failed_is_done_before_the_next_write(void **state)
{
    (void)state;
    struct small_disk disk = {.room = 30, .failing_truncates = 2};
    struct tk_run_writer *writer = open_writer(&disk);
    struct tk_err err;
    char message[PATH_MAX + 100];
    assert_int_equal(write_rows(writer, 1, 2, &err), -ENOSPC);
    (void)snprintf(message, sizeof(message), "%s/proc_exit.jsonl: No space left on device", folder);
    assert_string_equal(err.msg, message);
    disk.room = 1000;
    assert_int_equal(write_rows(writer, 9, 1, &err), -EIO);
    assert_int_equal(write_rows(writer, 3, 1, &err), 0);
    assert_file(folder, "proc_exit.jsonl", ROW1 ROW3);
    assert_int_equal(stats_of(writer).dropped_rows, 2);
    tk_run_writer_free(writer);
}

static void a_failing_table_spares_the_others(void **state)
{
    (void)state;
    struct tk_run_writer *writer;
    struct tk_rows *rows;
    struct tk_err err;
    folder_put(folder, "proc_events.jsonl/in-the-way", "");
    assert_int_equal(tk_run_writer_new(folder, &writer, &err), 0);
    assert_int_equal(tk_rows_new(tk_run_writer_sink(writer), &rows, &err), 0);
    tk_batch_set_i64(tk_rows_begin(rows, TK_TABLE_PROC_EVENTS), TK_PROC_EVENTS_TS_MS, 1);
    put_exit(rows, 1, 7);
    assert_int_equal(tk_rows_flush(rows, &err), 0);
    assert_int_equal(tk_run_writer_flush(writer, &err), -EISDIR);
    assert_file(folder, "proc_exit.jsonl", ROW1);
    assert_int_equal(stats_of(writer).dropped_rows, 1);
    tk_rows_free(rows);
    tk_run_writer_free(writer);
}

static void a_removed_file_is_made_again_and_a_removed_folder_is_told(void **state)
{
    (void)state;
    struct tk_run_writer *writer;
    struct tk_err err;
    char path[PATH_MAX + 100];
    assert_int_equal(tk_run_writer_new(folder, &writer, &err), 0);
    assert_int_equal(write_rows(writer, 1, 1, &err), 0);
    (void)snprintf(path, sizeof(path), "%s/proc_exit.jsonl", folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(write_rows(writer, 2, 1, &err), 0);
    assert_file(folder, "proc_exit.jsonl", ROW2);

    folder_remove(folder);
    assert_int_equal(write_rows(writer, 3, 1, &err), -ENOENT);
    (void)snprintf(path, sizeof(path), "%s/proc_exit.jsonl: No such file or directory", folder);
    assert_string_equal(err.msg, path);
    assert_int_equal(stats_of(writer).dropped_rows, 1);
    tk_run_writer_free(writer);
}

static void a_table_may_be_given_another_file(void **state)
{
    (void)state;
    struct tk_run_writer *writer;
    struct tk_rows *rows;
    struct tk_err err;
    assert_int_equal(tk_run_writer_new(folder, &writer, &err), 0);
    assert_int_equal(tk_run_writer_set_name(writer, TK_TABLE_INVOCATIONS, "a/b", &err), -EINVAL);
    assert_int_equal(
        tk_run_writer_set_name(writer, TK_TABLE_INVOCATIONS, "events.make.jsonl", &err), 0);
    assert_int_equal(tk_rows_new(tk_run_writer_sink(writer), &rows, &err), 0);
    tk_batch_set_i64(tk_rows_begin(rows, TK_TABLE_INVOCATIONS), TK_INVOCATIONS_TS_START, 5);
    assert_int_equal(tk_rows_flush(rows, &err), 0);
    assert_int_equal(tk_run_writer_flush(writer, &err), 0);
    char *text = folder_get(folder, "events.make.jsonl");
    assert_non_null(strstr(text, "\"ts_start\":5"));
    free(text);
    tk_rows_free(rows);
    tk_run_writer_free(writer);
}

static void many_rows_are_written_before_the_flush(void **state)
{
    (void)state;
    struct small_disk disk = {.room = SIZE_MAX};
    struct tk_run_writer *writer = open_writer(&disk);
    struct tk_rows *rows;
    struct tk_err err;
    assert_int_equal(tk_rows_new(tk_run_writer_sink(writer), &rows, &err), 0);
    for (int64_t i = 0; i < 100000; i++)
        put_exit(rows, i, 7);
    assert_int_equal(tk_rows_flush(rows, &err), 0);
    assert_true(stats_of(writer).rows[TK_TABLE_PROC_EXIT] > 80000);
    assert_int_equal(tk_run_writer_flush(writer, &err), 0);
    assert_int_equal(stats_of(writer).rows[TK_TABLE_PROC_EXIT], 100000);
    tk_rows_free(rows);
    tk_run_writer_free(writer);
}

static void a_missing_folder_is_told_at_once(void **state)
{
    (void)state;
    struct tk_run_writer *writer;
    struct tk_err err;
    assert_int_equal(tk_run_writer_new("/no/such/folder", &writer, &err), -ENOENT);
    assert_string_equal(err.msg, "/no/such/folder: No such file or directory");
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(rows_are_appended_and_counted),
        in_folder(a_torn_last_line_is_cut_off_but_a_whole_one_is_kept),
        in_folder(a_line_is_written_while_no_other_writer_looks_at_the_file),
        in_folder(a_lock_that_somebody_keeps_does_not_stop_a_writer),
        in_folder(a_line_that_a_killed_writer_began_is_cut_off_by_one_that_goes_on),
        in_folder(a_cut_that_failed_spares_what_another_writer_appended),
        in_folder(a_full_disk_keeps_whole_lines_at_every_possible_byte),
        in_folder(a_cut_that_failed_is_done_before_the_next_write),
        in_folder(a_failing_table_spares_the_others),
        in_folder(a_removed_file_is_made_again_and_a_removed_folder_is_told),
        in_folder(a_table_may_be_given_another_file),
        in_folder(many_rows_are_written_before_the_flush),
        in_folder(a_missing_folder_is_told_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
