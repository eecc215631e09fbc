/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "run/run.h"
#include "tk_folder.h"

FOLDER_OF_EACH_TEST

struct seen {
    size_t rows;
    int64_t sum_ms;
    struct tk_decode_stats stats;
};

static struct seen read_all(const char *text)
{
    struct seen seen = {0};
    struct tk_run_reader *reader;
    const struct tk_batch *batch;
    struct tk_err err;
    int rc;
    folder_put(folder, "proc_exit.jsonl", text);
    assert_int_equal(
        tk_run_reader_new(dirfd_of_folder, "proc_exit.jsonl", &tk_schema_proc_exit, &reader, &err),
        0);
    while ((rc = tk_run_reader_next(reader, &batch, &err)) == 0) {
        seen.rows += batch->rows;
        for (size_t row = 0; row < batch->rows; row++)
            seen.sum_ms += tk_batch_i64(batch, row, TK_PROC_EXIT_TS_MS, 0);
    }
    assert_int_equal(rc, 1);
    seen.stats = *tk_run_reader_stats(reader);
    tk_run_reader_free(reader);
    return seen;
}

static void all_rows_are_read_across_chunks(void **state)
{
    (void)state;
    enum { ROWS = 30000 };
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, 16 << 20);
    for (int i = 1; i <= ROWS; i++)
        tk_buf_printf(&text, "{\"ts_ms\":%d,\"pid\":%d,\"comm\":\"process-%d\"}\n", i, i, i);
    tk_buf_putc(&text, '\0');
    struct seen seen = read_all(text.p);
    assert_int_equal(seen.rows, ROWS);
    assert_int_equal(seen.sum_ms, (int64_t)ROWS * (ROWS + 1) / 2);
    assert_int_equal(seen.stats.line, ROWS);
    assert_int_equal(seen.stats.bad_rows, 0);
}

static void bad_and_torn_lines_are_counted_and_cost_nothing_else(void **state)
{
    (void)state;
    struct seen seen = read_all("{\"ts_ms\":1}\nnonsense\n{\"ts_ms\":2}\n{\"ts_ms\":4,\"pi");
    assert_int_equal(seen.rows, 2);
    assert_int_equal(seen.sum_ms, 3);
    assert_int_equal(seen.stats.bad_rows, 1);
    assert_int_equal(seen.stats.torn_rows, 1);
    assert_memory_equal(seen.stats.first_bad, "line 2: ", 8);
}

static void an_empty_file_has_no_rows(void **state)
{
    (void)state;
    assert_int_equal(read_all("").rows, 0);
    assert_int_equal(read_all("\n\n").rows, 0);
}

static void a_line_without_end_is_one_bad_row(void **state)
{
    (void)state;
    enum { N = 3 << 20 };
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, 16 << 20);
    tk_buf_lit(&text, "{\"ts_ms\":1}\n{\"comm\":\"");
    char *to = tk_buf_reserve(&text, N);
    memset(to, 'x', N);
    text.n += N;
    tk_buf_lit(&text, "\"}\n{\"ts_ms\":2}\n");
    tk_buf_putc(&text, '\0');
    struct seen seen = read_all(text.p);
    assert_int_equal(seen.rows, 2);
    assert_int_equal(seen.sum_ms, 3);
    assert_int_equal(seen.stats.bad_rows, 1);
    assert_string_equal(seen.stats.first_bad, "line 2: longer than 1048576 bytes");
}

static void a_missing_file_is_told_apart(void **state)
{
    (void)state;
    struct tk_run_reader *reader;
    struct tk_err err;
    assert_int_equal(
        tk_run_reader_new(dirfd_of_folder, "clock.jsonl", &tk_schema_clock, &reader, &err),
        -ENOENT);
    assert_string_equal(err.msg, "clock.jsonl: No such file or directory");
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, open_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(all_rows_are_read_across_chunks),
        in_folder(bad_and_torn_lines_are_counted_and_cost_nothing_else),
        in_folder(an_empty_file_has_no_rows),
        in_folder(a_line_without_end_is_one_bad_row),
        in_folder(a_missing_file_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
