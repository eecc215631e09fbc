/* SPDX-License-Identifier: Apache-2.0 */
#include "report/grid.h"

#include <errno.h>
#include <stdlib.h>

#include <libsmartcols.h>

#include "report/text.h"

struct tk_grid {
    const struct tk_look *look;
    struct libscols_table *table;
    struct libscols_line *line; /* the last row; NULL before the first */
    int indent;
    int failure; /* the first, as a negative errno */
};

static void note(struct tk_grid *grid, int rc)
{
    if (rc < 0 && grid->failure == 0)
        grid->failure = rc;
}

static int column_add(struct tk_grid *grid, const struct tk_grid_column *column)
{
    /* A heading as wide as the hint makes libsmartcols 2.38 forget the hint; it is then not
     * needed either. */
    int width = column->width;
    if (width <= tk_text_width(grid->look, tk_str_from(column->name)))
        width = 0;
    int flags = (column->right ? SCOLS_FL_RIGHT : 0) | (column->cut ? SCOLS_FL_TRUNC : 0) |
                (width ? SCOLS_FL_STRICTWIDTH : 0);
    struct libscols_column *made = scols_table_new_column(grid->table, column->name, width, flags);
    if (!made)
        return -ENOMEM;
    const char *heading = tk_style_begin(grid->look, TK_STYLE_DIM);
    int rc = *heading ? scols_cell_set_color(scols_column_get_header(made), heading) : 0;
    const char *style = tk_style_begin(grid->look, column->style);
    return rc == 0 && *style ? scols_column_set_color(made, style) : rc;
}

static int table_init(struct tk_grid *grid, const struct tk_grid_options *options)
{
    int rc = scols_table_enable_noheadings(grid->table, options->no_heading);
    rc = rc < 0 ? rc : scols_table_enable_colors(grid->table, grid->look->colour);
    rc = rc < 0 ? rc : scols_table_set_column_separator(grid->table, "  ");
    rc = rc < 0 ? rc : scols_table_set_termforce(grid->table, SCOLS_TERMFORCE_ALWAYS);
    int width = grid->look->width - options->indent;
    rc = rc < 0 ? rc : scols_table_set_termwidth(grid->table, (size_t)width);
    for (size_t i = 0; rc >= 0 && i < options->column_count; i++)
        rc = column_add(grid, &options->columns[i]);
    return rc;
}

int tk_grid_new(const struct tk_look *look, const struct tk_grid_options *options,
                struct tk_grid **ret_grid, struct tk_err *err)
{
    struct tk_grid *grid = calloc(1, sizeof(*grid));
    if (!grid)
        return tk_fail(err, -ENOMEM, "table: out of memory");
    grid->look = look;
    grid->indent = options->indent;
    grid->table = scols_new_table();
    int rc = grid->table ? table_init(grid, options) : -ENOMEM;
    if (rc < 0)
        goto fail;
    *ret_grid = grid;
    return 0;

fail:
    tk_grid_free(grid);
    return tk_fail_code(err, rc, "table");
}

void tk_grid_free(struct tk_grid *grid)
{
    if (!grid)
        return;
    scols_unref_table(grid->table);
    free(grid);
}

void tk_grid_freep(struct tk_grid **grid)
{
    tk_grid_free(*grid);
}

void tk_grid_add(struct tk_grid *grid)
{
    grid->line = scols_table_new_line(grid->table, NULL);
    note(grid, grid->line ? 0 : -ENOMEM);
}

void tk_grid_set(struct tk_grid *grid, size_t column, const char *text)
{
    if (grid->line)
        note(grid, scols_line_set_data(grid->line, column, text));
}

void tk_grid_set_style(struct tk_grid *grid, size_t column, enum tk_style style)
{
    const char *begin = tk_style_begin(grid->look, style);
    struct libscols_cell *cell = grid->line ? scols_line_get_cell(grid->line, column) : NULL;
    if (cell && *begin)
        note(grid, scols_cell_set_color(cell, begin));
}

/* Each line with its indent and without the blanks that pad empty last cells. */
static void put_lines(const struct tk_grid *grid, tk_str text, struct tk_buf *out)
{
    tk_str line;
    while (tk_str_take_line(&text, &line)) {
        while (line.n > 0 && line.p[line.n - 1] == ' ')
            line.n--;
        tk_buf_printf(out, "%*s", line.n ? grid->indent : 0, "");
        tk_buf_put(out, line);
        tk_buf_putc(out, '\n');
    }
}

int tk_grid_write(struct tk_grid *grid, struct tk_buf *out, struct tk_err *err)
{
    if (scols_table_get_nlines(grid->table) == 0 && grid->failure == 0)
        return 0;
    char *text = NULL;
    locale_t before = tk_look_enter(grid->look);
    if (grid->failure == 0)
        note(grid, scols_print_table_to_string(grid->table, &text));
    tk_look_leave(before);
    if (grid->failure < 0) {
        free(text);
        return tk_fail_code(err, grid->failure, "table");
    }
    put_lines(grid, tk_str_from(text), out);
    free(text);
    return 0;
}
