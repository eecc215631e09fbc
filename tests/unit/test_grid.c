/* SPDX-License-Identifier: Apache-2.0 */
#include "report/grid.h"

#include "tk_test.h"

static const struct tk_grid_column columns[] = {
    {"name", .cut = true},
    {"cpu", .right = true},
    {"note"},
};

/* The table of three processes as it is drawn. */
static void draw(const struct tk_look *look, int indent, struct tk_buf *out)
{
    static const char *const rows[][3] = {
        {"a-process-with-a-very-long-name", "61.20 s", "heavy"},
        {"größe", "4.10 s", ""},
        {"as", "812 ms", ""},
    };
    struct tk_err err;
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    const struct tk_grid_options options = {
        .columns = columns, .column_count = TK_COUNTOF(columns), .indent = indent};
    assert_int_equal(tk_grid_new(look, &options, &grid, &err), 0);
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        tk_grid_add(grid);
        for (size_t c = 0; c < TK_COUNTOF(columns); c++)
            tk_grid_set(grid, c, rows[i][c]);
    }
    tk_grid_set_style(grid, 1, TK_STYLE_WARN);
    assert_int_equal(tk_grid_write(grid, out, &err), 0);
}

static void numbers_line_up_and_lines_have_no_blank_ends(void **state)
{
    (void)state;
    struct tk_look look;
    tk_look_init_plain(&look, true, 60);
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 4096);
    draw(&look, 1, &out);
    assert_str_equal(tk_buf_str(&out), " name                                 cpu  note\n"
                                       " a-process-with-a-very-long-name  61.20 s  heavy\n"
                                       " größe                             4.10 s\n"
                                       " as                                812 ms\n");
    tk_look_release(&look);
}

static void a_table_too_wide_cuts_the_column_that_may_be_cut(void **state)
{
    (void)state;
    struct tk_look look;
    tk_look_init_plain(&look, true, 40);
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 4096);
    draw(&look, 1, &out);
    assert_str_equal(tk_buf_str(&out), " name                         cpu  note\n"
                                       " a-process-with-a-very-…  61.20 s  heavy\n"
                                       " größe                     4.10 s\n"
                                       " as                        812 ms\n");
    tk_look_release(&look);
}

/* A service, an operation and a count below these headings, on a terminal of 40 columns. */
static void assert_prints_as(const struct tk_grid_column three[3], const char *expected)
{
    struct tk_look look;
    tk_look_init_plain(&look, true, 40);
    struct tk_err err;
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    const struct tk_grid_options options = {.columns = three, .column_count = 3};
    assert_int_equal(tk_grid_new(&look, &options, &grid, &err), 0);
    tk_grid_add(grid);
    tk_grid_set(grid, 0, "checkoutservice");
    tk_grid_set(grid, 1, "/shop.Checkout/PlaceOrderOfOneCustomer");
    tk_grid_set(grid, 2, "116");
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 4096);
    assert_int_equal(tk_grid_write(grid, &out, &err), 0);
    assert_str_equal(tk_buf_str(&out), expected);
    tk_look_release(&look);
}

static void of_two_columns_that_may_be_cut_the_wider_one_is(void **state)
{
    (void)state;
    static const struct tk_grid_column three[] = {
        {"service", .cut = true},
        {"operation", .cut = true},
        {"spans", .right = true},
    };
    assert_prints_as(three, "service          operation         spans\n"
                            "checkoutservice  /shop.Checkout/…    116\n");
}

static void no_column_is_cut_below_its_heading_at_the_cost_of_another(void **state)
{
    (void)state;
    static const struct tk_grid_column three[] = {
        {"by", .cut = true},
        {"operation of the service", .cut = true},
        {"spans", .right = true},
    };
    assert_prints_as(three, "by       operation of the service  spans\n"
                            "checko…  /shop.Checkout/PlaceOrd…    116\n");
}

static void a_column_of_fixed_width_keeps_it_also_under_a_long_heading(void **state)
{
    (void)state;
    static const struct tk_grid_column fixed[] = {
        {"pid", .width = 7, .right = true},
        {"written/s", .width = 9, .right = true},
        {"x", .width = 3},
        {"name"},
    };
    struct tk_look look;
    tk_look_init_plain(&look, false, 60);
    struct tk_err err;
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    const struct tk_grid_options options = {.columns = fixed, .column_count = TK_COUNTOF(fixed)};
    assert_int_equal(tk_grid_new(&look, &options, &grid, &err), 0);
    tk_grid_add(grid);
    tk_grid_set(grid, 0, "1");
    tk_grid_set(grid, 1, "0 B");
    tk_grid_set(grid, 3, "init");
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 4096);
    assert_int_equal(tk_grid_write(grid, &out, &err), 0);
    assert_str_equal(tk_buf_str(&out), "    pid  written/s  x    name\n"
                                       "      1        0 B       init\n");
    tk_look_release(&look);
}

static void a_table_without_rows_draws_nothing(void **state)
{
    (void)state;
    struct tk_look look;
    tk_look_init_plain(&look, false, 80);
    struct tk_err err;
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    const struct tk_grid_options options = {.columns = columns,
                                            .column_count = TK_COUNTOF(columns)};
    assert_int_equal(tk_grid_new(&look, &options, &grid, &err), 0);
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 4096);
    assert_int_equal(tk_grid_write(grid, &out, &err), 0);
    assert_int_equal(out.n, 0);
}

static void colours_wrap_the_cell_and_end_with_it(void **state)
{
    (void)state;
    struct tk_look look;
    tk_look_init_plain(&look, false, 80);
    look.colour = true;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 4096);
    draw(&look, 0, &out);
    tk_buf_putc(&out, '\0');
    assert_non_null(strstr(out.p, "\033[33m 812 ms\033[0m"));
    tk_look_release(&look);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_line_up_and_lines_have_no_blank_ends),
        cmocka_unit_test(a_table_too_wide_cuts_the_column_that_may_be_cut),
        cmocka_unit_test(of_two_columns_that_may_be_cut_the_wider_one_is),
        cmocka_unit_test(no_column_is_cut_below_its_heading_at_the_cost_of_another),
        cmocka_unit_test(a_column_of_fixed_width_keeps_it_also_under_a_long_heading),
        cmocka_unit_test(a_table_without_rows_draws_nothing),
        cmocka_unit_test(colours_wrap_the_cell_and_end_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
