/* SPDX-License-Identifier: Apache-2.0 */
/* Curves and points over two axes, as SVG for a page or a file. Pure functions but for the buffer.
 *
 * Colours are rules of a style sheet, for light and dark ground and for paper: tk_plot_put_style()
 * writes them once a page, and a file of its own has them. Series differ in their marks as well as
 * in colour. */
#ifndef TK_REPORT_PLOT_H
#define TK_REPORT_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define TK_PLOT_COLOURS 10

struct tk_plot_series {
    const char *name; /* in the legend; clean text, escaped here */
    const double *x, *y;
    const double *low, *high; /* [count] an interval around y; NULL = none */
    size_t count;
    unsigned colour; /* 0 .. TK_PLOT_COLOURS - 1 */
    bool is_bold;    /* the one that it is about */
    bool is_model;   /* what others are to look like: wide and pale below them */
    bool is_dashed;
    bool has_no_line;  /* marks alone */
    bool has_no_marks; /* a line alone */
};

struct tk_plot {
    const char *title, *x_label, *y_label; /* a logarithmic axis says so itself */
    bool x_log, y_log;                     /* values of 0 and less stand on the edge then */
    bool y_from_zero;                      /* a linear axis begins at 0 */
    double y_decades; /* a logarithmic axis has at most so many powers of ten, the highest; 0 = all
                       */
    const struct tk_plot_series *series;
    size_t series_count;
    bool is_file; /* a file of its own, with its style */
};

/* Append the plot. Points that are no numbers leave a gap; a plot without any says so. */
void tk_plot_put(struct tk_buf *out, const struct tk_plot *plot);

/* Append the rules of a style sheet that plots need: the colours on light and dark ground and on
 * paper. */
void tk_plot_put_style(struct tk_buf *out);

/* Append text escaped for HTML and SVG. */
void tk_html_put(struct tk_buf *out, const char *text);

#endif
