/* SPDX-License-Identifier: Apache-2.0 */
#include "report/sheet.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/plot.h"

#define FIRST_ROOM 16

void tk_sheet_init(struct tk_sheet *sheet, size_t columns)
{
    *sheet = (struct tk_sheet){.columns = columns};
}

void tk_sheet_release(struct tk_sheet *sheet)
{
    free(sheet->cells);
    *sheet = (struct tk_sheet){0};
}

void tk_sheet_add(struct tk_sheet *sheet)
{
    if (sheet->failure < 0)
        return;
    if (sheet->rows == sheet->room) {
        size_t room = sheet->room > 0 ? 2 * sheet->room : FIRST_ROOM;
        struct tk_sheet_cell *more =
            realloc(sheet->cells, room * sheet->columns * sizeof(*sheet->cells));
        if (!more) {
            sheet->failure = -ENOMEM;
            return;
        }
        sheet->cells = more;
        sheet->room = room;
    }
    for (size_t c = 0; c < sheet->columns; c++)
        sheet->cells[sheet->rows * sheet->columns + c] = (struct tk_sheet_cell){.text = ""};
    sheet->rows++;
}

void tk_sheet_set(struct tk_sheet *sheet, size_t column, enum tk_sheet_mark mark, const char *fmt,
                  ...)
{
    if (sheet->failure < 0 || sheet->rows == 0 || column >= sheet->columns)
        return;
    struct tk_sheet_cell *cell = &sheet->cells[(sheet->rows - 1) * sheet->columns + column];
    cell->mark = mark;
    va_list args;
    va_start(args, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() is above */
    (void)vsnprintf(cell->text, sizeof(cell->text), fmt, args);
    va_end(args);
}

/* Bars would end a cell. */
static void put_cell(const struct tk_sheet_cell *cell, struct tk_buf *out)
{
    bool is_bold = cell->mark == TK_SHEET_BEST && cell->text[0];
    tk_buf_puts(out, is_bold ? " **" : " ");
    for (const char *c = cell->text; *c; c++) {
        if (*c == '|')
            tk_buf_putc(out, '\\');
        tk_buf_putc(out, *c);
    }
    tk_buf_puts(out, is_bold ? "** |" : " |");
}

void tk_sheet_put_markdown(const struct tk_sheet *sheet, struct tk_buf *out)
{
    if (sheet->failure < 0)
        out->failure = sheet->failure;
    for (size_t row = 0; row < sheet->rows; row++) {
        tk_buf_putc(out, '|');
        for (size_t c = 0; c < sheet->columns; c++)
            put_cell(&sheet->cells[row * sheet->columns + c], out);
        tk_buf_putc(out, '\n');
        for (size_t c = 0; row == 0 && c < sheet->columns; c++)
            tk_buf_puts(out, c == 0 ? "|---|" : "---:|");
        if (row == 0)
            tk_buf_putc(out, '\n');
    }
    tk_buf_putc(out, '\n');
}

void tk_sheet_put_html(const struct tk_sheet *sheet, struct tk_buf *out)
{
    static const char *const classes[] = {"", " class=best", " class=dim", " class=bad"};
    if (sheet->failure < 0)
        out->failure = sheet->failure;
    tk_buf_lit(out, "<div class=wide><table class=sheet>");
    for (size_t row = 0; row < sheet->rows; row++) {
        tk_buf_puts(out, row == 0 ? "<thead><tr>" : "<tr>");
        for (size_t c = 0; c < sheet->columns; c++) {
            const struct tk_sheet_cell *cell = &sheet->cells[row * sheet->columns + c];
            tk_buf_printf(out, "<%s%s>", row == 0 || c == 0 ? "th" : "td", classes[cell->mark]);
            tk_html_put(out, cell->text);
            tk_buf_printf(out, "</%s>", row == 0 || c == 0 ? "th" : "td");
        }
        tk_buf_puts(out, row == 0 ? "</tr></thead>\n" : "</tr>\n");
    }
    tk_buf_lit(out, "</table></div>\n");
}
