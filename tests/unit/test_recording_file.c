/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/stat.h>

#include "recording_mixes.h"
#include "run/lines.h"
#include "run/parse.h"
#include "run/recording.h"
#include "run/run.h"
#include "run/run_internal.h"
#include "tk_folder.h"

#define BLOCK_ROWS 10

static char folder[PATH_MAX];
static int dirfd;

static int make_folder(void **state)
{
    struct tk_err err;
    (void)state;
    folder_make(folder);
    return tk_dir_open(AT_FDCWD, folder, &dirfd, &err);
}

static int remove_folder(void **state)
{
    (void)state;
    tk_fd_close(&dirfd);
    folder_remove(folder);
    return 0;
}

/* Recording: exits of pid i at the second i, two clock rows in each block -------------- */

static void put_exit(struct tk_batch *batch, int64_t i)
{
    tk_batch_begin(batch);
    tk_batch_set_i64(batch, TK_PROC_EXIT_TS_MS, i * 1000);
    tk_batch_set_i64(batch, TK_PROC_EXIT_TS_US, i * 1000000);
    tk_batch_set_i64(batch, TK_PROC_EXIT_PID, i);
    tk_batch_set_text(batch, TK_PROC_EXIT_COMM, TK_STR("sh"));
}

static void put_clock(struct tk_batch *batch, int64_t i)
{
    tk_batch_begin(batch);
    tk_batch_set_i64(batch, TK_CLOCK_REALTIME_US, i);
}

static void encode(struct tk_recording_encoder *encoder, const struct tk_schema *schema,
                   void (*put)(struct tk_batch *batch, int64_t i), int64_t first, int64_t rows,
                   struct tk_buf *out)
{
    struct tk_err err;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    assert_int_equal(tk_batch_new(schema, BLOCK_ROWS, 4096, &batch, &err), 0);
    for (int64_t i = first; i < first + rows; i++)
        put(batch, i);
    assert_int_equal(tk_recording_encoder_put(encoder, batch, out, &err), 0);
}

/* Blocks with rows from `first` on, each pair written by itself; the last result. */
static int record_to(struct tk_run_writer *writer, int64_t first, int64_t blocks,
                     struct tk_err *err)
{
    struct tk_recording_encoder *encoder;
    struct tk_buf frames;
    int rc = 0;
    tk_buf_init(&frames, 1 << 20);
    assert_int_equal(tk_recording_encoder_new(&encoder, err), 0);
    for (int64_t i = 0; i < blocks && rc == 0; i++) {
        int64_t row = first + i * BLOCK_ROWS;
        encode(encoder, &tk_schema_proc_exit, put_exit, row, BLOCK_ROWS, &frames);
        encode(encoder, &tk_schema_clock, put_clock, row, 2, &frames);
        assert_int_equal(tk_recording_encoder_close_blocks(encoder, &frames, err), 0);
        rc = tk_run_writer_write_frames(writer, &frames, BLOCK_ROWS + 2, err);
        assert_int_equal(frames.n, 0);
    }
    tk_recording_encoder_free(encoder);
    tk_buf_release(&frames);
    return rc;
}

/* A recorder's life; without an end it is one that was killed. */
static void record(int64_t first, int64_t blocks, bool ends, int64_t *ret_torn)
{
    struct tk_err err;
    struct tk_run_writer *writer;
    struct tk_run_writer_stats stats;
    assert_int_equal(tk_run_writer_new(folder, &writer, &err), 0);
    assert_int_equal(record_to(writer, first, blocks, &err), 0);
    if (ends)
        assert_int_equal(tk_run_writer_sync(writer, &err), 0);
    tk_run_writer_read_stats(writer, &stats);
    assert_int_equal(stats.rows[TK_TABLE_PROC_EXIT], blocks * BLOCK_ROWS);
    assert_int_equal(stats.rows[TK_TABLE_CLOCK], blocks * 2);
    assert_int_equal(stats.dropped_rows, 0);
    if (ret_torn)
        *ret_torn = stats.torn_lines;
    tk_run_writer_free(writer);
}

/* Reading --------------------------------------------------------------------------------- */

/* Exits that come back: they ascend, each is one that was written. */
static int64_t read_exits(int64_t *ret_first)
{
    struct tk_err err;
    struct tk_run_reader *reader;
    const struct tk_batch *batch;
    int64_t rows = 0;
    int64_t last = -1;
    int rc = tk_run_reader_new(dirfd, "proc_exit.jsonl", &tk_schema_proc_exit, &reader, &err);
    if (rc == -ENOENT)
        return 0;
    assert_int_equal(rc, 0);
    while ((rc = tk_run_reader_next(reader, &batch, &err)) == 0) {
        for (size_t i = 0; i < batch->rows; i++) {
            int64_t pid = tk_batch_i64(batch, i, TK_PROC_EXIT_PID, -1);
            assert_true(pid > last);
            assert_int_equal(tk_batch_i64(batch, i, TK_PROC_EXIT_TS_US, -1), pid * 1000000);
            assert_str_equal(tk_batch_text(batch, i, TK_PROC_EXIT_COMM), "sh");
            if (rows++ == 0 && ret_first)
                *ret_first = pid;
            last = pid;
        }
    }
    assert_int_equal(rc, 1);
    assert_int_equal(tk_run_reader_stats(reader)->rows, rows);
    tk_run_reader_free(reader);
    return rows;
}

static struct tk_recording_report check(void)
{
    struct tk_err err;
    struct tk_recording_report report;
    assert_int_equal(tk_recording_check(dirfd, &report, &err), 0);
    return report;
}

static void open_file(int flags, int *ret_fd)
{
    *ret_fd = openat(dirfd, TK_RECORDING_FILE, flags);
    assert_true(*ret_fd >= 0);
}

static off_t file_size(void)
{
    struct stat st;
    assert_int_equal(fstatat(dirfd, TK_RECORDING_FILE, &st, 0), 0);
    return st.st_size;
}

static void cut_file(off_t size)
{
    int fd;
    open_file(O_RDWR, &fd);
    assert_int_equal(ftruncate(fd, size), 0);
    (void)close(fd);
}

/* Tests ------------------------------------------------------------------------------------- */

static void rows_are_found_by_the_names_of_their_files(void **state)
{
    (void)state;
    record(0, 50, true, NULL);
    int64_t first;
    assert_int_equal(read_exits(&first), 500);
    assert_int_equal(first, 0);
    assert_true(tk_recording_has(dirfd, TK_TABLE_PROC_EXIT));
    assert_false(tk_recording_has(dirfd, TK_TABLE_PROC_METRICS));

    struct tk_err err;
    struct tk_lines lines;
    struct tk_line line;
    assert_int_equal(tk_lines_open(&lines, dirfd, "proc_exit.jsonl", &err), 0);
    assert_int_equal(tk_lines_next(&lines, &line, &err), 0);
    assert_str_equal(line.text, "{\"ts_ms\":0,\"ts_us\":0,\"pid\":0,\"comm\":\"sh\"}");
    while (tk_lines_next(&lines, &line, &err) == 0)
        assert_false(line.torn || line.too_long);
    assert_int_equal(line.number, 500);
    tk_lines_close(&lines);

    assert_int_equal(tk_lines_open(&lines, dirfd, "proc_metrics.jsonl", &err), -ENOENT);
    assert_int_equal(tk_lines_open(&lines, dirfd, "run.json", &err), -ENOENT);
}

static void rows_of_a_file_come_before_those_of_the_recording(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_lines lines;
    struct tk_line line;
    uint64_t n = 0;
    folder_put(folder, "proc_exit.jsonl",
               "{\"ts_us\":-2000000,\"pid\":-2}\n{\"ts_us\":-1000000,\"pid\":-1}");
    record(0, 1, true, NULL);
    assert_int_equal(tk_lines_open(&lines, dirfd, "proc_exit.jsonl", &err), 0);
    while (tk_lines_next(&lines, &line, &err) == 0) {
        n++;
        assert_false(line.torn);
        if (n == 2)
            assert_str_equal(line.text, "{\"ts_us\":-1000000,\"pid\":-1}");
        if (n == 3)
            assert_str_equal(line.text, "{\"ts_ms\":0,\"ts_us\":0,\"pid\":0,\"comm\":\"sh\"}");
    }
    assert_int_equal(n, 12);
    tk_lines_close(&lines);
}

static void a_cut_at_any_byte_costs_no_whole_block(void **state)
{
    (void)state;
    record(0, 4, false, NULL);
    off_t size = file_size();
    for (; size > TK_RECORDING_MAGIC_BYTES; size--) {
        cut_file(size);
        struct tk_recording_report report = check();
        int64_t rows = read_exits(NULL);
        assert_int_equal(rows % BLOCK_ROWS, 0);
        assert_int_equal(report.damaged + report.lost_blocks, 0);
        assert_true((uint64_t)rows <= report.rows && (uint64_t)rows + 8 >= report.rows);
        assert_int_equal(report.indexed, false);
    }
    cut_file(size);
    assert_false(check().torn);
    assert_int_equal(check().blocks, 0);
}

static void a_recorder_that_goes_on_cuts_a_torn_block_off(void **state)
{
    (void)state;
    record(0, 3, true, NULL);
    off_t whole = file_size();
    for (off_t cut = 1; cut < 300; cut += 7) {
        int64_t torn;
        cut_file(0);
        record(0, 3, false, NULL);
        cut_file(file_size() - cut);
        int64_t before = read_exits(NULL);
        bool was_torn = check().torn;
        record(1000, 2, true, &torn);
        assert_int_equal(torn, was_torn);
        assert_int_equal(read_exits(NULL), before + 2 * BLOCK_ROWS);
        struct tk_recording_report report = check();
        assert_int_equal(report.damaged + report.lost_blocks + report.torn, 0);
        assert_true(report.indexed);
    }
    assert_true(whole > 300);
}

static void each_change_of_a_byte_is_counted_and_gives_no_wrong_row(void **state)
{
    (void)state;
    record(0, 3, true, NULL);
    int fd;
    open_file(O_RDWR, &fd);
    off_t size = file_size();
    for (off_t at = TK_RECORDING_MAGIC_BYTES; at < size; at++) {
        char byte;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        char changed = (char)(byte ^ (1 << at % 8));
        assert_int_equal(pwrite(fd, &changed, 1, at), 1);
        struct tk_recording_report report = check();
        int64_t rows = read_exits(NULL);
        assert_true(report.damaged > 0 || report.torn);
        assert_true(rows <= 3 * BLOCK_ROWS);
        assert_true(report.rows + report.lost_rows <= 36 || report.damaged > 0);
        assert_true((uint64_t)rows <= report.rows);
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    (void)close(fd);
    assert_int_equal(check().damaged, 0);
}

static void damage_is_told_in_a_line(void **state)
{
    (void)state;
    char text[TK_RECORDING_TROUBLE_MAX];
    record(0, 3, false, NULL);
    struct tk_recording_report report = check();
    assert_int_equal(report.rows, 36);
    assert_false(tk_recording_trouble_format(&report, text));
    int fd;
    open_file(O_RDWR, &fd);
    assert_int_equal(pwrite(fd, "x", 1, TK_RECORDING_MAGIC_BYTES + TK_RECORDING_HEADER_BYTES + 9),
                     1);
    (void)close(fd);
    cut_file(file_size() - 1);
    report = check();
    assert_true(tk_recording_trouble_format(&report, text));
    assert_string_equal(text, "1 damaged places, 2 blocks that build on a lost one: at least 30 "
                              "rows are lost; the last block is cut short");
}

static int64_t read_from(int64_t from, int64_t to, int64_t *ret_first, int64_t *ret_last)
{
    struct tk_err err;
    struct tk_recording_reader *reader;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    int64_t rows = 0;
    int rc;
    assert_int_equal(tk_batch_new(&tk_schema_proc_exit, 64, 4 << 20, &batch, &err), 0);
    assert_int_equal(tk_recording_reader_new(dirfd, &tk_schema_proc_exit, &reader, &err), 0);
    assert_int_equal(tk_recording_reader_set_range(reader, from, to, &err), 0);
    while ((rc = tk_recording_reader_next(reader, batch, &err)) == 0) {
        if (rows == 0)
            *ret_first = tk_batch_i64(batch, 0, TK_PROC_EXIT_PID, -1);
        *ret_last = tk_batch_i64(batch, batch->rows - 1, TK_PROC_EXIT_PID, -1);
        rows += (int64_t)batch->rows;
        tk_batch_reset(batch);
    }
    assert_int_equal(rc, 1);
    tk_recording_reader_free(reader);
    return rows;
}

/* 2,000 blocks have several indexes; a second recorder adds to them. */
static void seeks_by_time_with_the_index_and_without(void **state)
{
    (void)state;
    record(0, 900, true, NULL);
    record(9000, 100, true, NULL);
    static const int64_t starts[] = {0, 5, 1000, 3333, 7777, 9001, 9999};
    for (int indexed = 1; indexed >= 0; indexed--) {
        if (!indexed)
            cut_file(file_size() - 1);
        assert_int_equal(check().indexed, indexed);
        for (size_t i = 0; i < TK_COUNTOF(starts); i++) {
            int64_t first = -1;
            int64_t last = -1;
            int64_t start = starts[i];
            int64_t rows = read_from(start * 1000000, (start + 15) * 1000000, &first, &last);
            assert_in_range(first, start / BLOCK_ROWS * BLOCK_ROWS, start);
            assert_true(last >= start + 14 || last == 9999);
            assert_in_range(rows, 1, 3 * BLOCK_ROWS);
        }
    }
}

/* A disk with room for a number of bytes. */
static ssize_t small_write(void *context, int fd, const void *from, size_t n)
{
    size_t *room = context;
    size_t part = n < *room ? n : *room;
    if (part == 0)
        return -ENOSPC;
    assert_int_equal(write(fd, from, part), part);
    *room -= part;
    return (ssize_t)part;
}

static int cut_disk(void *context, int fd, off_t size)
{
    (void)context;
    return ftruncate(fd, size) < 0 ? -errno : 0;
}

static void a_full_disk_keeps_whole_blocks_at_every_possible_byte(void **state)
{
    (void)state;
    record(0, 3, false, NULL);
    size_t all = (size_t)file_size();
    for (size_t room = 1; room < all; room += 3) {
        struct tk_err err;
        struct tk_run_writer *writer;
        struct tk_run_writer_stats stats;
        size_t left = room;
        assert_int_equal(unlinkat(dirfd, TK_RECORDING_FILE, 0), 0);
        struct tk_run_disk disk = {small_write, cut_disk, &left};
        assert_int_equal(tk_run_writer_new_on(folder, &disk, &writer, &err), 0);
        assert_int_equal(record_to(writer, 0, 3, &err), -ENOSPC);
        tk_run_writer_read_stats(writer, &stats);
        tk_run_writer_free(writer);
        int64_t exits = stats.rows[TK_TABLE_PROC_EXIT];
        assert_int_equal((exits + stats.rows[TK_TABLE_CLOCK] + stats.dropped_rows) % 12, 0);
        assert_true(stats.dropped_rows > 0);
        assert_int_equal(read_exits(NULL), exits);
        assert_int_equal(check().torn + check().damaged, 0);
    }
}

static void a_file_of_something_else_is_not_written_to(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_run_writer *writer;
    folder_put(folder, TK_RECORDING_FILE, "something else that is long enough");
    assert_int_equal(tk_run_writer_new(folder, &writer, &err), 0);
    assert_int_equal(record_to(writer, 0, 1, &err), -EBADMSG);
    assert_non_null(strstr(err.msg, "recording.tkr: not a recording of this version"));
    tk_run_writer_free(writer);
    assert_file(folder, TK_RECORDING_FILE, "something else that is long enough");
}

/* The same rows both ways -------------------------------------------------------------------- */

static const char *const documents[] = {"node_meta.json", "link_meta.json", "run.json",
                                        "events.make.jsonl"};

/* A batch to the files of one folder and to the recording of the other. */
struct both {
    struct tk_run_writer *lines;
    struct tk_run_writer *blocks;
    struct tk_recording_encoder *encoder;
    struct tk_buf frames;
};

static void put_both(struct both *both, enum tk_table table, const struct tk_batch *batch)
{
    struct tk_err err;
    struct tk_sink sink = tk_run_writer_sink(both->lines);
    assert_int_equal(sink.take(sink.context, table, batch, &err), 0);
    assert_int_equal(tk_recording_encoder_put(both->encoder, batch, &both->frames, &err), 0);
}

static void put_table(struct both *both, int from, enum tk_table table)
{
    struct tk_err err;
    struct tk_run_reader *reader;
    const struct tk_batch *batch;
    if (!tk_tables[table].raw || table == TK_TABLE_INVOCATIONS ||
        tk_run_reader_new(from, tk_tables[table].raw, tk_tables[table].schema, &reader, &err) < 0)
        return;
    while (tk_run_reader_next(reader, &batch, &err) == 0)
        put_both(both, table, batch);
    tk_run_reader_free(reader);
}

/* Processes of a day later than the run's, in sweeps. */
static void put_processes(struct both *both)
{
    struct tk_err err;
    struct mix_run run;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    assert_int_equal(tk_batch_new(&tk_schema_proc_metrics, 32, 1 << 16, &batch, &err), 0);
    mix_init(&run, &mixes[1]);
    for (run.tick = 86400; run.tick < 86420; run.tick++) {
        for (size_t i = 0; i < mixes[1].processes; i++) {
            if (mix_step(&run, i))
                mix_put_metrics(&run, &run.processes[i], batch);
            if (tk_batch_has_room(batch))
                continue;
            put_both(both, TK_TABLE_PROC_METRICS, batch);
            tk_batch_reset(batch);
        }
        assert_int_equal(tk_recording_encoder_close_blocks(both->encoder, &both->frames, &err), 0);
    }
    mix_release(&run);
}

static void make_both(const char *lines, const char *blocks)
{
    struct tk_err err;
    struct both both;
    TK_CLEANUP(tk_fd_close) int from = -1;
    assert_int_equal(tk_dir_open(AT_FDCWD, TK_TEST_DATA "/parse/ours/in", &from, &err), 0);
    tk_buf_init(&both.frames, 16 << 20);
    assert_int_equal(tk_run_writer_new(lines, &both.lines, &err), 0);
    assert_int_equal(tk_run_writer_new(blocks, &both.blocks, &err), 0);
    assert_int_equal(tk_recording_encoder_new(&both.encoder, &err), 0);
    for (size_t i = 0; i < TK_TABLE_COUNT; i++) {
        if (tk_tables[i].layout == TK_LAYOUT_LINES)
            put_table(&both, from, (enum tk_table)i);
    }
    put_processes(&both);
    assert_int_equal(tk_run_writer_flush(both.lines, &err), 0);
    assert_int_equal(tk_recording_encoder_close_blocks(both.encoder, &both.frames, &err), 0);
    assert_int_equal(tk_run_writer_write_frames(both.blocks, &both.frames, 0, &err), 0);
    for (size_t i = 0; i < TK_COUNTOF(documents); i++) {
        char *text = folder_get(TK_TEST_DATA "/parse/ours/in", documents[i]);
        folder_put(lines, documents[i], text);
        folder_put(blocks, documents[i], text);
        free(text);
    }
    tk_run_writer_free(both.lines);
    tk_run_writer_free(both.blocks);
    tk_recording_encoder_free(both.encoder);
    tk_buf_release(&both.frames);
}

static void parse_gives_the_same_bytes_as_of_json_lines(void **state)
{
    (void)state;
    char lines[PATH_MAX];
    char blocks[PATH_MAX];
    struct tk_err err;
    struct tk_parse_result result;
    folder_make(lines);
    folder_make(blocks);
    make_both(lines, blocks);
    assert_file(blocks, "proc_metrics.jsonl", NULL);
    assert_int_equal(tk_parse(&(struct tk_parse_options){.folder = lines}, &result, &err), 0);
    assert_int_equal(tk_parse(&(struct tk_parse_options){.folder = blocks}, &result, &err), 0);
    assert_int_equal(result.bad_rows + result.torn, 0);
    for (size_t i = 0; i < TK_TABLE_COUNT; i++) {
        char name[128];
        if (!tk_tables[i].cctf)
            continue;
        (void)snprintf(name, sizeof(name), "cctf/%s", tk_tables[i].cctf);
        char *wanted = folder_get(lines, name);
        assert_file(blocks, name, wanted);
        free(wanted);
    }
    folder_remove(lines);
    folder_remove(blocks);
}

/* Each block is a group of its own: two of them are read before the range, see set_range(). */
static void a_part_of_a_run_is_parsed_from_few_of_its_blocks(void **state)
{
    (void)state;
    char part[PATH_MAX];
    struct tk_err err;
    struct tk_parse_result result;
    const struct tk_range range = {3333000000, 3348000000};
    record(0, 900, true, NULL);
    folder_make(part);
    const struct tk_parse_options options = {.folder = folder, .output = part, .range = &range};
    assert_int_equal(tk_parse(&options, &result, &err), 0);
    assert_int_equal(result.rows, 15);
    assert_in_range(result.outside, 0, 3 * BLOCK_ROWS);
    char *rows = folder_get(part, "cctf/proc_exit.jsonl");
    tk_str line;
    tk_str rest = tk_str_from(rows);
    for (int64_t i = 0; i < 15; i++) {
        char wanted[128];
        (void)snprintf(wanted, sizeof(wanted),
                       "{\"ts_ms\":%lld000,\"ts_us\":%lld000000,\"pid\":%lld,\"comm\":\"sh\"}",
                       (long long)i + 3333, (long long)i + 3333, (long long)i + 3333);
        assert_true(tk_str_take_until(&rest, '\n', &line));
        assert_str_equal(line, wanted);
    }
    assert_int_equal(rest.n, 0);
    free(rows);
    folder_remove(part);
}

static void a_part_does_not_replace_the_run(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_parse_result result;
    const struct tk_range range = {0, 5000000};
    record(0, 1, true, NULL);
    const struct tk_parse_options options = {.folder = folder, .range = &range};
    assert_int_equal(tk_parse(&options, &result, &err), -EINVAL);
    assert_non_null(strstr(err.msg, "a part of the run takes another folder as output"));
    assert_file(folder, "events.jsonl", NULL);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(rows_are_found_by_the_names_of_their_files),
        in_folder(rows_of_a_file_come_before_those_of_the_recording),
        in_folder(a_cut_at_any_byte_costs_no_whole_block),
        in_folder(a_recorder_that_goes_on_cuts_a_torn_block_off),
        in_folder(each_change_of_a_byte_is_counted_and_gives_no_wrong_row),
        in_folder(damage_is_told_in_a_line),
        in_folder(seeks_by_time_with_the_index_and_without),
        in_folder(a_full_disk_keeps_whole_blocks_at_every_possible_byte),
        in_folder(a_file_of_something_else_is_not_written_to),
        in_folder(a_part_of_a_run_is_parsed_from_few_of_its_blocks),
        in_folder(a_part_does_not_replace_the_run),
        cmocka_unit_test(parse_gives_the_same_bytes_as_of_json_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
