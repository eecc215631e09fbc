/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of a document: made once, written as Markdown and as HTML. For a terminal see grid.h. One
 * thread at a time. */
#ifndef TK_REPORT_SHEET_H
#define TK_REPORT_SHEET_H

#include <stddef.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"

#define TK_SHEET_CELL 96 /* bytes of a cell's text, NUL and all; longer ones are cut */

enum tk_sheet_mark {
    TK_SHEET_PLAIN = 0,
    TK_SHEET_BEST, /* bold */
    TK_SHEET_DIM,  /* is there for completeness */
    TK_SHEET_BAD,
};

struct tk_sheet_cell {
    char text[TK_SHEET_CELL];
    enum tk_sheet_mark mark;
};

struct tk_sheet {
    size_t columns;
    size_t rows; /* the heading is the first */
    size_t room;
    struct tk_sheet_cell *cells; /* [rows][columns]; owned */
    int failure;                 /* sticky */
};

/* An empty sheet. */
void tk_sheet_init(struct tk_sheet *sheet, size_t columns);

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_sheet_release(struct tk_sheet *sheet);

/* Begin a row; its cells are empty until set. */
void tk_sheet_add(struct tk_sheet *sheet);

/* Set a cell of the last row; columns beyond the last are passed over. */
void tk_sheet_set(struct tk_sheet *sheet, size_t column, enum tk_sheet_mark mark, const char *fmt,
                  ...) TK_PRINTF(4, 5);

/* Append it. The first column is of names, the others are of figures. A sheet that ran out of
 * memory makes the buffer fail. */
void tk_sheet_put_markdown(const struct tk_sheet *sheet, struct tk_buf *out);
void tk_sheet_put_html(const struct tk_sheet *sheet, struct tk_buf *out);

#endif
