/* SPDX-License-Identifier: Apache-2.0 */
#include "report/grid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libsmartcols.h>

#include "base/library.h"
#include "report/text.h"

/* What we call of libsmartcols, which is loaded for the commands that print tables. */
struct scols {
    __typeof__(scols_cell_get_data) *cell_get_data;
    __typeof__(scols_cell_set_color) *cell_set_color;
    __typeof__(scols_cell_set_data) *cell_set_data;
    __typeof__(scols_column_get_header) *column_get_header;
    __typeof__(scols_column_set_color) *column_set_color;
    __typeof__(scols_free_iter) *free_iter;
    __typeof__(scols_line_get_cell) *line_get_cell;
    __typeof__(scols_line_set_data) *line_set_data;
    __typeof__(scols_new_iter) *new_iter;
    __typeof__(scols_new_table) *new_table;
    __typeof__(scols_print_table_to_string) *print_table_to_string;
    __typeof__(scols_table_enable_colors) *table_enable_colors;
    __typeof__(scols_table_enable_noheadings) *table_enable_noheadings;
    __typeof__(scols_table_get_nlines) *table_get_nlines;
    __typeof__(scols_table_new_column) *table_new_column;
    __typeof__(scols_table_new_line) *table_new_line;
    __typeof__(scols_table_next_line) *table_next_line;
    __typeof__(scols_table_set_column_separator) *table_set_column_separator;
    __typeof__(scols_table_set_termforce) *table_set_termforce;
    __typeof__(scols_table_set_termwidth) *table_set_termwidth;
    __typeof__(scols_unref_table) *unref_table;
};

static const struct tk_symbol scols_symbols[] = {
    TK_SYMBOL(struct scols, cell_get_data, scols_cell_get_data),
    TK_SYMBOL(struct scols, cell_set_color, scols_cell_set_color),
    TK_SYMBOL(struct scols, cell_set_data, scols_cell_set_data),
    TK_SYMBOL(struct scols, column_get_header, scols_column_get_header),
    TK_SYMBOL(struct scols, column_set_color, scols_column_set_color),
    TK_SYMBOL(struct scols, free_iter, scols_free_iter),
    TK_SYMBOL(struct scols, line_get_cell, scols_line_get_cell),
    TK_SYMBOL(struct scols, line_set_data, scols_line_set_data),
    TK_SYMBOL(struct scols, new_iter, scols_new_iter),
    TK_SYMBOL(struct scols, new_table, scols_new_table),
    TK_SYMBOL(struct scols, print_table_to_string, scols_print_table_to_string),
    TK_SYMBOL(struct scols, table_enable_colors, scols_table_enable_colors),
    TK_SYMBOL(struct scols, table_enable_noheadings, scols_table_enable_noheadings),
    TK_SYMBOL(struct scols, table_get_nlines, scols_table_get_nlines),
    TK_SYMBOL(struct scols, table_new_column, scols_table_new_column),
    TK_SYMBOL(struct scols, table_new_line, scols_table_new_line),
    TK_SYMBOL(struct scols, table_next_line, scols_table_next_line),
    TK_SYMBOL(struct scols, table_set_column_separator, scols_table_set_column_separator),
    TK_SYMBOL(struct scols, table_set_termforce, scols_table_set_termforce),
    TK_SYMBOL(struct scols, table_set_termwidth, scols_table_set_termwidth),
    TK_SYMBOL(struct scols, unref_table, scols_unref_table),
};

static const struct tk_library scols_library = {"libsmartcols.so.1", scols_symbols,
                                                TK_COUNTOF(scols_symbols)};

#define SEPARATOR "  "
#define CELL_MAX  ((size_t)1 << 20)

/* Of a column, in columns of the terminal: its heading, and its widest cell or that. */
struct extent {
    int heading;
    int widest;
    bool cut;
};

struct tk_grid {
    struct scols scols;
    const struct tk_look *look;
    struct libscols_table *table;
    struct libscols_line *line; /* the last row; NULL before the first */
    struct extent *extents;     /* owned; [column_count] */
    size_t column_count;
    int indent;
    int failure; /* the first, as a negative errno */
};

static void note(struct tk_grid *grid, int rc)
{
    if (rc < 0 && grid->failure == 0)
        grid->failure = rc;
}

static int column_add(struct tk_grid *grid, size_t i, const struct tk_grid_column *column)
{
    const struct scols *scols = &grid->scols;
    /* A heading as wide as the hint makes libsmartcols 2.38 forget the hint; it is then not
     * needed either. */
    int width = column->width;
    int heading_width = tk_text_width(grid->look, tk_str_from(column->name));
    if (width <= heading_width)
        width = 0;
    grid->extents[i] = (struct extent){.heading = heading_width,
                                       .widest = width ? width : heading_width,
                                       .cut = column->cut && !width};
    int flags = (column->right ? SCOLS_FL_RIGHT : 0) | (column->cut ? SCOLS_FL_TRUNC : 0) |
                (width ? SCOLS_FL_STRICTWIDTH : 0);
    struct libscols_column *made = scols->table_new_column(grid->table, column->name, width, flags);
    if (!made)
        return -ENOMEM;
    const char *heading = tk_style_begin(grid->look, TK_STYLE_DIM);
    int rc = *heading ? scols->cell_set_color(scols->column_get_header(made), heading) : 0;
    const char *style = tk_style_begin(grid->look, column->style);
    return rc == 0 && *style ? scols->column_set_color(made, style) : rc;
}

static int table_init(struct tk_grid *grid, const struct tk_grid_options *options)
{
    const struct scols *scols = &grid->scols;
    int rc = scols->table_enable_noheadings(grid->table, options->no_heading);
    rc = rc < 0 ? rc : scols->table_enable_colors(grid->table, grid->look->colour);
    rc = rc < 0 ? rc : scols->table_set_column_separator(grid->table, SEPARATOR);
    rc = rc < 0 ? rc : scols->table_set_termforce(grid->table, SCOLS_TERMFORCE_ALWAYS);
    int width = grid->look->width - options->indent;
    rc = rc < 0 ? rc : scols->table_set_termwidth(grid->table, (size_t)width);
    for (size_t i = 0; rc >= 0 && i < options->column_count; i++)
        rc = column_add(grid, i, &options->columns[i]);
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
    int rc = tk_library_load(&scols_library, &grid->scols, err);
    if (rc < 0) {
        free(grid);
        return rc;
    }
    grid->table = grid->scols.new_table();
    grid->extents = calloc(options->column_count, sizeof(*grid->extents));
    grid->column_count = options->column_count;
    rc = grid->table && grid->extents ? table_init(grid, options) : -ENOMEM;
    if (rc < 0) {
        tk_grid_free(grid);
        return tk_fail_code(err, rc, "table");
    }
    *ret_grid = grid;
    return 0;
}

void tk_grid_free(struct tk_grid *grid)
{
    if (!grid)
        return;
    grid->scols.unref_table(grid->table);
    free(grid->extents);
    free(grid);
}

void tk_grid_freep(struct tk_grid **grid)
{
    tk_grid_free(*grid);
}

void tk_grid_add(struct tk_grid *grid)
{
    grid->line = grid->scols.table_new_line(grid->table, NULL);
    note(grid, grid->line ? 0 : -ENOMEM);
}

void tk_grid_set(struct tk_grid *grid, size_t column, const char *text)
{
    struct extent *extent = &grid->extents[column];
    if (!grid->line)
        return;
    note(grid, grid->scols.line_set_data(grid->line, column, text));
    int width = tk_text_width(grid->look, tk_str_from(text));
    if (extent->widest < width)
        extent->widest = width;
}

void tk_grid_set_style(struct tk_grid *grid, size_t column, enum tk_style style)
{
    const char *begin = tk_style_begin(grid->look, style);
    struct libscols_cell *cell = grid->line ? grid->scols.line_get_cell(grid->line, column) : NULL;
    if (cell && *begin)
        note(grid, grid->scols.cell_set_color(cell, begin));
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

/* The width of a column that may be cut, when these are to be no wider than `level`: not below that
 * of its heading, which libsmartcols keeps. */
static int cut_width(const struct extent *extent, int level)
{
    int width = extent->widest < level ? extent->widest : level;
    return width > extent->heading ? width : extent->heading;
}

/* The level at which all columns that may be cut fit into `room`; those that are narrower keep
 * their width. 1, that of headings alone, when even these do not fit. */
static int find_level(const struct tk_grid *grid, int room)
{
    for (int level = room; level > 1; level--) {
        int sum = 0;
        for (size_t i = 0; i < grid->column_count; i++)
            sum += grid->extents[i].cut ? cut_width(&grid->extents[i], level) : 0;
        if (sum <= room)
            return level;
    }
    return 1;
}

static void cut_cell(struct tk_grid *grid, struct libscols_cell *cell, int width,
                     struct tk_buf *text)
{
    const char *data = cell ? grid->scols.cell_get_data(cell) : NULL;
    if (!data || tk_text_width(grid->look, tk_str_from(data)) <= width)
        return;
    tk_buf_reset(text);
    tk_text_put_cut(text, grid->look, tk_str_from(data), width);
    tk_buf_putc(text, '\0');
    note(grid, tk_buf_ok(text) ? grid->scols.cell_set_data(cell, text->p) : text->failure);
}

/* Line by line: to look one up by its number takes a walk over those before it. */
static void cut_cells(struct tk_grid *grid, int level)
{
    const struct scols *scols = &grid->scols;
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, CELL_MAX);
    struct libscols_iter *lines = scols->new_iter(SCOLS_ITER_FORWARD);
    note(grid, lines ? 0 : -ENOMEM);
    struct libscols_line *line;
    while (lines && scols->table_next_line(grid->table, lines, &line) == 0) {
        for (size_t i = 0; i < grid->column_count; i++) {
            const struct extent *extent = &grid->extents[i];
            if (extent->cut && extent->widest > level)
                cut_cell(grid, scols->line_get_cell(line, i), cut_width(extent, level), &text);
        }
    }
    scols->free_iter(lines);
}

/* libsmartcols would take from the columns that may be cut from the first on, down to its heading,
 * so that short ones lose most: here the widest lose, and what is cut ends in an ellipsis. */
static void shrink(struct tk_grid *grid)
{
    int room = grid->look->width - grid->indent;
    int wanted = 0;
    for (size_t i = 0; i < grid->column_count; i++) {
        const struct extent *extent = &grid->extents[i];
        room -= (extent->cut ? 0 : extent->widest) + (i > 0 ? (int)strlen(SEPARATOR) : 0);
        wanted += extent->cut ? extent->widest : 0;
    }
    if (wanted > room)
        cut_cells(grid, find_level(grid, room));
}

int tk_grid_write(struct tk_grid *grid, struct tk_buf *out, struct tk_err *err)
{
    if (grid->scols.table_get_nlines(grid->table) == 0 && grid->failure == 0)
        return 0;
    char *text = NULL;
    shrink(grid);
    locale_t before = tk_look_enter(grid->look);
    if (grid->failure == 0)
        note(grid, grid->scols.print_table_to_string(grid->table, &text));
    tk_look_leave(before);
    if (grid->failure < 0) {
        free(text);
        return tk_fail_code(err, grid->failure, "table");
    }
    put_lines(grid, tk_str_from(text), out);
    free(text);
    return 0;
}
