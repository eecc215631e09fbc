/* SPDX-License-Identifier: Apache-2.0 */
#include "run/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "tk_test.h"

static int folder = -1;
static char folder_path[] = "/tmp/tk-lines-XXXXXX";

static int folder_make(void **state)
{
    (void)state;
    if (!mkdtemp(folder_path))
        return -1;
    folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder < 0;
}

static int folder_remove(void **state)
{
    (void)state;
    (void)unlinkat(folder, "text", 0);
    tk_fd_close(&folder);
    return rmdir(folder_path);
}

static void open_text(struct tk_lines *lines, tk_str text)
{
    struct tk_err err;
    assert_int_equal(tk_file_write(folder, "text", text, 0600, &err), 0);
    assert_int_equal(tk_lines_open(lines, folder, "text", &err), 0);
}

static void lines_come_with_their_numbers(void **state)
{
    (void)state;
    struct tk_lines lines;
    struct tk_line line;
    struct tk_err err;
    open_text(&lines, TK_STR("one\n\nthree\r\n"));
    assert_int_equal(tk_lines_next(&lines, &line, &err), 0);
    assert_str_equal(line.text, "one");
    assert_int_equal(line.number, 1);
    assert_int_equal(tk_lines_next(&lines, &line, &err), 0);
    assert_str_equal(line.text, "");
    assert_int_equal(tk_lines_next(&lines, &line, &err), 0);
    assert_str_equal(line.text, "three\r");
    assert_int_equal(line.number, 3);
    assert_false(line.torn);
    assert_int_equal(tk_lines_next(&lines, &line, &err), 1);
    assert_int_equal(tk_lines_next(&lines, &line, &err), 1);
    assert_int_equal(lines.bytes, 12);
    tk_lines_close(&lines);
}

static void a_last_line_without_newline_is_torn(void **state)
{
    (void)state;
    struct tk_lines lines;
    struct tk_line line;
    struct tk_err err;
    open_text(&lines, TK_STR("one\ntw"));
    assert_int_equal(tk_lines_next(&lines, &line, &err), 0);
    assert_false(line.torn);
    assert_int_equal(tk_lines_next(&lines, &line, &err), 0);
    assert_true(line.torn);
    assert_str_equal(line.text, "tw");
    assert_int_equal(tk_lines_next(&lines, &line, &err), 1);
    tk_lines_close(&lines);
}

static void an_empty_file_has_no_lines(void **state)
{
    (void)state;
    struct tk_lines lines;
    struct tk_line line;
    struct tk_err err;
    open_text(&lines, TK_STR(""));
    assert_int_equal(tk_lines_next(&lines, &line, &err), 1);
    tk_lines_close(&lines);
}

/* Lengths around the size of the buffer, which doubles from 64 KiB. */
static void lines_of_any_length_below_the_limit_come_whole(void **state)
{
    (void)state;
    static const size_t lengths[] = {65534, 65535, 65536, 131071, 131072, 300000, TK_LINE_MAX - 1};
    for (size_t i = 0; i < TK_COUNTOF(lengths); i++) {
        size_t n = lengths[i];
        char *text = malloc(n + 6);
        assert_non_null(text);
        memset(text, 'x', n);
        memcpy(text + n, "\nnext\n", 6);
        struct tk_lines lines;
        struct tk_line line;
        struct tk_err err;
        open_text(&lines, (tk_str){text, n + 6});
        assert_int_equal(tk_lines_next(&lines, &line, &err), 0);
        assert_int_equal(line.text.n, n);
        assert_false(line.too_long);
        assert_memory_equal(line.text.p, text, n);
        assert_int_equal(tk_lines_next(&lines, &line, &err), 0);
        assert_str_equal(line.text, "next");
        tk_lines_close(&lines);
        free(text);
    }
}

static void a_line_over_the_limit_is_skipped_and_told(void **state)
{
    (void)state;
    size_t n = 3 * TK_LINE_MAX + 17;
    char *text = malloc(n);
    assert_non_null(text);
    memset(text, 'x', n);
    memcpy(text + n - 6, "\nnext\n", 6);
    struct tk_lines lines;
    struct tk_line line;
    struct tk_err err;
    open_text(&lines, (tk_str){text, n});
    assert_int_equal(tk_lines_next(&lines, &line, &err), 0);
    assert_true(line.too_long);
    assert_int_equal(line.number, 1);
    assert_int_equal(tk_lines_next(&lines, &line, &err), 0);
    assert_str_equal(line.text, "next");
    assert_int_equal(line.number, 2);
    assert_int_equal(lines.bytes, n);
    tk_lines_close(&lines);
    open_text(&lines, (tk_str){text, n - 6});
    assert_int_equal(tk_lines_next(&lines, &line, &err), 0);
    assert_true(line.too_long);
    assert_true(line.torn);
    assert_int_equal(tk_lines_next(&lines, &line, &err), 1);
    tk_lines_close(&lines);
    free(text);
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    struct tk_lines lines = {0};
    struct tk_err err;
    assert_int_equal(tk_lines_open(&lines, folder, "absent", &err), -ENOENT);
    assert_string_equal(err.msg, "absent: No such file or directory");
    tk_lines_close(&lines);
}

static void a_line_that_still_grows_comes_when_it_is_whole(void **state)
{
    (void)state;
    struct tk_lines lines;
    struct tk_line line;
    struct tk_err err;
    assert_int_equal(tk_file_write(folder, "text", TK_STR("one\ntw"), 0600, &err), 0);
    int fd = openat(folder, "text", O_RDONLY | O_CLOEXEC);
    assert_int_equal(tk_lines_open_fd(&lines, fd, "text", &err), 0);
    lines.growing = true;
    assert_int_equal(tk_lines_next(&lines, &line, &err), 0);
    assert_str_equal(line.text, "one");
    assert_int_equal(tk_lines_next(&lines, &line, &err), 1);
    int writer = openat(folder, "text", O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(tk_fd_write(writer, TK_STR("o\n"), "text", &err), 0);
    assert_int_equal(tk_lines_next(&lines, &line, &err), 1);
    tk_lines_resume(&lines);
    assert_int_equal(tk_lines_next(&lines, &line, &err), 0);
    assert_str_equal(line.text, "two");
    assert_int_equal(line.number, 2);
    assert_int_equal(tk_lines_next(&lines, &line, &err), 1);
    tk_lines_close(&lines);
    tk_fd_close(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_with_their_numbers),
        cmocka_unit_test(a_last_line_without_newline_is_torn),
        cmocka_unit_test(an_empty_file_has_no_lines),
        cmocka_unit_test(lines_of_any_length_below_the_limit_come_whole),
        cmocka_unit_test(a_line_over_the_limit_is_skipped_and_told),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(a_line_that_still_grows_comes_when_it_is_whole),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
