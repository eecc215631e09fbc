/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of text, drawn by libsmartcols, which knows the width of every character. Where a row
 * would not fit the terminal, the widest of the columns that may be cut are, until it does. One
 * thread at a time. */
#ifndef TK_REPORT_GRID_H
#define TK_REPORT_GRID_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "report/look.h"

struct tk_grid_column {
    const char *name; /* in the heading; "" = none */
    int width;  /* exactly so many columns, the heading at least; 0 = what the widest cell takes */
    bool right; /* numbers */
    bool cut;   /* may be cut when the table is too wide */
    enum tk_style style;
};

struct tk_grid_options {
    const struct tk_grid_column *columns; /* borrowed until tk_grid_new() returns */
    size_t column_count;
    bool no_heading;
    int indent; /* columns left of the table */
};

struct tk_grid;

/* An empty grid. Fails with -ENOMEM. */
TK_MUST_USE int tk_grid_new(const struct tk_look *look, const struct tk_grid_options *options,
                            struct tk_grid **ret_grid, struct tk_err *err);

/* Accepts NULL. */
void tk_grid_free(struct tk_grid *grid);

/* For TK_CLEANUP. */
void tk_grid_freep(struct tk_grid **grid);

/* Begin a row; its cells are empty until set. Failures are remembered for tk_grid_write(). */
void tk_grid_add(struct tk_grid *grid);

/* Set a cell of the last row, and the style of one that differs from its column's. The text is
 * copied; it must be clean (report/text.h). */
void tk_grid_set(struct tk_grid *grid, size_t column, const char *text);
void tk_grid_set_style(struct tk_grid *grid, size_t column, enum tk_style style);

/* Append the table to `out`, without blanks at the ends of lines. */
TK_MUST_USE int tk_grid_write(struct tk_grid *grid, struct tk_buf *out, struct tk_err *err);

#endif
