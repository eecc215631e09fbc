/* SPDX-License-Identifier: Apache-2.0 */
#include "report/plot.h"

#include <math.h>
#include <string.h>

#include "base/compiler.h"
#include "report/sheet.h"
#include "tk_test.h"

/* How often a text stands in the buffer. */
static int count_of(const struct tk_buf *out, const char *text)
{
    int count = 0;
    size_t n = strlen(text);
    for (size_t i = 0; i + n <= out->n; i++)
        count += memcmp(out->p + i, text, n) == 0;
    return count;
}

static void draw(struct tk_buf *out, const struct tk_plot *plot)
{
    tk_buf_init(out, (size_t)1 << 20);
    tk_plot_put(out, plot);
    tk_buf_putc(out, '\0'); /* for strstr */
    assert_true(tk_buf_ok(out));
    assert_int_equal(count_of(out, "nan"), 0);
    assert_int_equal(count_of(out, "inf"), 0);
}

static void each_point_has_a_mark_and_the_legend_one_a_series(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    const double x[] = {1, 10, 100};
    const double y[] = {0.5, 0.05, 0.005};
    const struct tk_plot_series series[] = {{.name = "a", .x = x, .y = y, .count = 3},
                                            {.name = "b", .x = x, .y = y, .count = 2, .colour = 1}};
    draw(&out, &(struct tk_plot){.title = "t",
                                 .x_label = "x",
                                 .y_label = "y",
                                 .x_log = true,
                                 .y_log = true,
                                 .series = series,
                                 .series_count = 2});
    assert_int_equal(count_of(&out, "class='mark m"), 3 + 2 + 2);
    assert_int_equal(count_of(&out, "<title>a: "), 3);
}

static void points_that_are_no_numbers_leave_a_gap(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    const double x[] = {0, 1, 2, 3};
    const double y[] = {1, (double)NAN, 1, 2};
    const struct tk_plot_series series = {
        .name = "a", .x = x, .y = y, .count = 4, .has_no_marks = true};
    draw(&out,
         &(struct tk_plot){
             .title = "t", .x_label = "x", .y_label = "y", .series = &series, .series_count = 1});
    const char *line = strstr(out.p, "class='line l0' d='");
    assert_non_null(line);
    const char *end = strchr(line + sizeof("class='line l0' d='"), '\'');
    int moves = 0;
    for (const char *c = line; c < end; c++)
        moves += *c == 'M';
    assert_int_equal(moves, 2);
}

static void zeros_stand_on_the_edge_of_a_logarithmic_axis(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    const double x[] = {1, 2};
    const double y[] = {0, 0.1};
    const struct tk_plot_series series = {.name = "a", .x = x, .y = y, .count = 2};
    draw(&out, &(struct tk_plot){.title = "t",
                                 .x_label = "x",
                                 .y_label = "y",
                                 .y_log = true,
                                 .series = &series,
                                 .series_count = 1});
    assert_int_equal(count_of(&out, " 330.0)"), 1); /* the bottom */
}

static void the_model_is_drawn_below_the_others(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    const double x[] = {0, 1};
    const struct tk_plot_series series[] = {
        {.name = "real", .x = x, .y = x, .count = 2, .colour = 8, .is_model = true},
        {.name = "a", .x = x, .y = x, .count = 2}};
    draw(&out,
         &(struct tk_plot){
             .title = "t", .x_label = "x", .y_label = "y", .series = series, .series_count = 2});
    const char *model = strstr(out.p, "class='line l8 model'");
    const char *other = strstr(out.p, "class='line l0'");
    assert_non_null(model);
    assert_non_null(other);
    assert_true(model < other);
}

static void long_names_keep_their_ends(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    const double x[] = {0, 1};
    const struct tk_plot_series series = {
        .name = "größe-of-a-very-long-name-that-ends-in.otlp.zst", .x = x, .y = x, .count = 2};
    draw(&out,
         &(struct tk_plot){
             .title = "t", .x_label = "x", .y_label = "y", .series = &series, .series_count = 1});
    assert_int_equal(count_of(&out, ">größe-of-a-very-…nds-in.otlp.zst<title>"), 1);
    assert_int_equal(count_of(&out, "<title>größe-of-a-very-long-name-that-ends-in.otlp.zst<"), 1);
}

/* Viewers of SVG files need not know variables of CSS. */
static void a_file_has_its_colours_in_it(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    const double x[] = {20000, 3000000};
    const struct tk_plot_series series = {.name = "a", .x = x, .y = x, .count = 2};
    draw(&out, &(struct tk_plot){.title = "t",
                                 .x_label = "x",
                                 .y_label = "y",
                                 .x_log = true,
                                 .series = &series,
                                 .series_count = 1,
                                 .is_file = true});
    assert_int_equal(count_of(&out, "var("), 0);
    assert_int_equal(count_of(&out, ".plot .l0{stroke:#"), 2); /* light and dark */
    assert_int_equal(count_of(&out, ">x (logarithmic)<"), 1);
    assert_int_equal(count_of(&out, ">y<"), 1);
    assert_int_equal(count_of(&out, ">50k<"), 1);
}

static void nothing_to_draw_is_said(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    draw(&out, &(struct tk_plot){.title = "t", .x_label = "x", .y_label = "y", .x_log = true});
    assert_int_equal(count_of(&out, "nothing to draw"), 1);
}

static void names_are_escaped(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    const double one[] = {1};
    const struct tk_plot_series series = {.name = "<b>&'\"", .x = one, .y = one, .count = 1};
    draw(&out,
         &(struct tk_plot){
             .title = "<i>", .x_label = "x", .y_label = "y", .series = &series, .series_count = 1});
    assert_int_equal(count_of(&out, "<b>"), 0);
    assert_int_equal(count_of(&out, "<i>"), 0);
    assert_int_equal(count_of(&out, "&lt;b&gt;&amp;&#39;&quot;"), 2);
}

static void a_file_of_its_own_brings_its_style(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    draw(&out, &(struct tk_plot){.title = "t", .x_label = "x", .y_label = "y", .is_file = true});
    assert_int_equal(count_of(&out, "xmlns="), 1);
    assert_int_equal(count_of(&out, "prefers-color-scheme:dark"), 1);
}

static void sheets_are_written_as_markdown_and_html(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    TK_CLEANUP(tk_sheet_release) struct tk_sheet sheet;
    tk_buf_init(&out, 65536);
    tk_sheet_init(&sheet, 2);
    tk_sheet_add(&sheet);
    tk_sheet_set(&sheet, 0, TK_SHEET_PLAIN, "what");
    tk_sheet_set(&sheet, 1, TK_SHEET_PLAIN, "n");
    tk_sheet_add(&sheet);
    tk_sheet_set(&sheet, 0, TK_SHEET_PLAIN, "a|b <c>");
    tk_sheet_set(&sheet, 1, TK_SHEET_BEST, "%d", 7);
    tk_sheet_set(&sheet, 2, TK_SHEET_BEST, "beyond the last");
    tk_sheet_put_markdown(&sheet, &out);
    assert_str_equal(tk_buf_str(&out), "| what | n |\n|---|---:|\n| a\\|b <c> | **7** |\n\n");
    tk_buf_reset(&out);
    tk_sheet_put_html(&sheet, &out);
    assert_int_equal(count_of(&out, "<th>a|b &lt;c&gt;</th><td class=best>7</td>"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_point_has_a_mark_and_the_legend_one_a_series),
        cmocka_unit_test(points_that_are_no_numbers_leave_a_gap),
        cmocka_unit_test(zeros_stand_on_the_edge_of_a_logarithmic_axis),
        cmocka_unit_test(the_model_is_drawn_below_the_others),
        cmocka_unit_test(long_names_keep_their_ends),
        cmocka_unit_test(a_file_has_its_colours_in_it),
        cmocka_unit_test(nothing_to_draw_is_said),
        cmocka_unit_test(names_are_escaped),
        cmocka_unit_test(a_file_of_its_own_brings_its_style),
        cmocka_unit_test(sheets_are_written_as_markdown_and_html),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
