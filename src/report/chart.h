/* SPDX-License-Identifier: Apache-2.0 */
/* Charts of one line. Pure functions but for the buffer. */
#ifndef TK_REPORT_CHART_H
#define TK_REPORT_CHART_H

#include <stddef.h>

#include "base/buf.h"
#include "report/look.h"

/* How many values become one cell of a sparkline. */
enum tk_squeeze {
    TK_SQUEEZE_MEAN,
    TK_SQUEEZE_MAX,
};

struct tk_spark {
    const double *values; /* by time; NaN = no reading */
    size_t count;
    double base; /* value of the lowest mark */
    double full; /* value of a full cell; 0 = the highest cell */
    enum tk_squeeze squeeze;
};

/* Append exactly `width` cells of one column each (at most TK_SPARK_MAX): values are squeezed into
 * them or stretched over them. A cell without a reading is blank; zero is the lowest mark, so that
 * "nothing" and "not known" look different. Returns the highest cell, NaN when there is none. */
#define TK_SPARK_MAX 400
double tk_spark_put(struct tk_buf *out, const struct tk_look *look, const struct tk_spark *spark,
                    int width);

/* Append a horizontal bar of `ratio` (0..1, cut to it) of `width` columns, without padding. A ratio
 * above 0 shows at least the thinnest mark. */
void tk_bar_put(struct tk_buf *out, const struct tk_look *look, double ratio, int width);

#endif
