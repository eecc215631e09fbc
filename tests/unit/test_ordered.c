/* SPDX-License-Identifier: Apache-2.0 */
#include "run/ordered.h"

#include <errno.h>

#include "base/number.h"

#include "tk_folder.h"

FOLDER_OF_EACH_TEST

/* Copy "in" to "out". */
static struct tk_copy_stats copy_range(int64_t window_us, const struct tk_range *range)
{
    const struct tk_copy_options options = {window_us, range};
    TK_CLEANUP(tk_out_release) struct tk_out out = TK_OUT_NONE;
    struct tk_copy_stats stats;
    struct tk_err err;
    assert_int_equal(tk_out_open(&out, dirfd_of_folder, "out", NULL, &err), 0);
    assert_int_equal(tk_copy_ordered(dirfd_of_folder, "in", &options, &out, &stats, &err), 0);
    assert_int_equal(tk_out_close(&out, &err), 0);
    return stats;
}

static struct tk_copy_stats copy(int64_t window_us)
{
    return copy_range(window_us, NULL);
}

static void rows_within_the_window_are_sorted_and_kept_as_they_are(void **state)
{
    (void)state;
    folder_put(folder, "in",
               "{\"ts_ms\": 3, \"x\": [1]}\n"
               "{\"ts_us\":2500,\"ts_ms\":9}\n"
               "\n"
               "{\"ts\":1}\n"
               "  {\"ts_us\":2500,\"second\":true}  \r\n"
               "{\"ts_ms\":\"4\"}");
    struct tk_copy_stats stats = copy(1000000);
    assert_file(folder, "out",
                "{\"ts\":1}\n"
                "{\"ts_us\":2500,\"ts_ms\":9}\n"
                "{\"ts_us\":2500,\"second\":true}\n"
                "{\"ts_ms\": 3, \"x\": [1]}\n"
                "{\"ts_ms\":\"4\"}\n");
    assert_int_equal(stats.rows, 5);
    assert_int_equal(stats.bad + stats.torn + stats.late, 0);
}

static void rows_without_time_keep_their_place(void **state)
{
    (void)state;
    static const char text[] = "{\"realtime_us\":9}\n{\"realtime_us\":3}\n{}\n";
    folder_put(folder, "in", text);
    (void)copy(0);
    assert_file(folder, "out", text);
    folder_put(folder, "in", "{\"ts_ms\":5}\n{\"no\":1}\n{\"ts_ms\":4}\n");
    (void)copy(1000000);
    assert_file(folder, "out", "{\"ts_ms\":4}\n{\"ts_ms\":5}\n{\"no\":1}\n");
}

static void of_a_range_come_the_rows_from_its_begin_up_to_before_its_end(void **state)
{
    (void)state;
    folder_put(folder, "in",
               "{\"ts_ms\":3}\n{\"ts_us\":1999}\n{\"ts_ms\":2}\n{\"ts_us\":2999}\n{\"no\":1}\n");
    struct tk_copy_stats stats = copy_range(1000000, &(struct tk_range){2000, 3000});
    assert_file(folder, "out", "{\"ts_ms\":2}\n{\"ts_us\":2999}\n");
    assert_int_equal(stats.rows, 2);
    assert_int_equal(stats.outside, 3);
    stats = copy_range(1000000, &(struct tk_range){INT64_MIN, 2000});
    assert_file(folder, "out", "{\"ts_us\":1999}\n");
    stats = copy_range(1000000, &(struct tk_range){4000, INT64_MAX});
    assert_file(folder, "out", "");
    assert_int_equal(stats.rows, 0);
}

static void what_is_no_object_is_left_out_and_counted(void **state)
{
    (void)state;
    folder_put(folder, "in", "{\"ts_ms\":1}\n[1]\n{\"ts_ms\":2}}\nnull\n{\"ts_ms\":3}\n{\"ts_ms");
    struct tk_copy_stats stats = copy(0);
    assert_file(folder, "out", "{\"ts_ms\":1}\n{\"ts_ms\":3}\n");
    assert_int_equal(stats.rows, 2);
    assert_int_equal(stats.bad, 3);
    assert_int_equal(stats.torn, 1);
    assert_string_equal(stats.first_bad, "line 2: byte 0: expected an object");
}

/* Rows of 200 bytes at times that jump back by up to `jump` ms. */
static void put_jumping_rows(int rows, int jump)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, 64 << 20);
    for (int i = 0; i < rows; i++)
        tk_buf_printf(&text, "{\"ts_ms\":%d,\"pad\":\"%0180d\"}\n", i - (i % 7 == 0 ? jump : 0), i);
    tk_buf_putc(&text, '\0');
    folder_put(folder, "in", text.p);
}

/* Rows of "out", and how many of them are older than the one before. */
static void count_out(size_t *ret_rows, size_t *ret_backward)
{
    char *text = folder_get(folder, "out");
    tk_str rest = tk_str_from(text);
    tk_str line;
    int64_t before = -1000000;
    *ret_rows = *ret_backward = 0;
    while (tk_str_take_line(&rest, &line)) {
        int64_t ms = 0;
        /* Not sscanf(): it would measure the rest of the file for each line. */
        assert_true(tk_str_take_prefix(&line, TK_STR("{\"ts_ms\":")) && tk_scan_i64(&line, &ms));
        *ret_backward += ms < before;
        before = ms;
        ++*ret_rows;
    }
    free(text);
}

static void large_files_are_sorted_block_by_block(void **state)
{
    (void)state;
    size_t rows;
    size_t backward;
    put_jumping_rows(60000, 500);
    struct tk_copy_stats stats = copy(1000000);
    count_out(&rows, &backward);
    assert_int_equal(rows, 60000);
    assert_int_equal(backward, 0);
    assert_int_equal(stats.late, 0);
}

static void rows_older_than_the_window_are_kept_and_counted(void **state)
{
    (void)state;
    size_t rows;
    size_t backward;
    put_jumping_rows(60000, 30000);
    struct tk_copy_stats stats = copy(1000);
    count_out(&rows, &backward);
    assert_int_equal(rows, 60000);
    assert_true(backward > 0);
    assert_true(stats.late >= backward);
}

static void a_missing_file_is_told_apart(void **state)
{
    (void)state;
    TK_CLEANUP(tk_out_release) struct tk_out out = TK_OUT_NONE;
    struct tk_copy_stats stats;
    struct tk_err err;
    assert_int_equal(tk_out_open(&out, dirfd_of_folder, "out", NULL, &err), 0);
    const struct tk_copy_options options = {0};
    assert_int_equal(tk_copy_ordered(dirfd_of_folder, "in", &options, &out, &stats, &err), -ENOENT);
    tk_out_release(&out);
    assert_file(folder, "out", NULL);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, open_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(rows_within_the_window_are_sorted_and_kept_as_they_are),
        in_folder(of_a_range_come_the_rows_from_its_begin_up_to_before_its_end),
        in_folder(rows_without_time_keep_their_place),
        in_folder(what_is_no_object_is_left_out_and_counted),
        in_folder(large_files_are_sorted_block_by_block),
        in_folder(rows_older_than_the_window_are_kept_and_counted),
        in_folder(a_missing_file_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
