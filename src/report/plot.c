/* SPDX-License-Identifier: Apache-2.0 */
#include "report/plot.h"

#include <math.h>
#include <stdio.h>

#include "base/compiler.h"
#include "base/str.h"

#define WIDTH            900.0
#define HEIGHT           380.0
#define LEFT             78.0
#define RIGHT            640.0 /* the legend stands behind it */
#define TOP              34.0
#define BOTTOM           330.0
#define LEGEND           658.0
#define LINE             18.0
#define TICKS_MAX        24
#define MARKS_MAX        80 /* a series of more points is drawn without marks */
#define NAME_MAX_LETTERS 32 /* that the legend has room for */

/* Colours of one ground. */
struct shade {
    const char *text, *dim, *grid, *ground;
    const char *series[TK_PLOT_COLOURS];
};

static const struct shade light = {"#1c2024",
                                   "#5b6570",
                                   "#d9dee3",
                                   "#fff",
                                   {"#c4314b", "#1f5fa8", "#2c7a4b", "#a86500", "#7a4fb0",
                                    "#0f8a92", "#b0448a", "#6b6f2a", "#5b6570", "#8c5a3c"}};
static const struct shade dark = {"#e4e7ea",
                                  "#9aa4ae",
                                  "#30363c",
                                  "#14171a",
                                  {"#ff6b81", "#74a9ef", "#5cc487", "#e0a040", "#b895ee", "#4cc6ce",
                                   "#ee86c6", "#bdc25a", "#9aa4ae", "#d29a78"}};

static void put_shade(struct tk_buf *out, const struct shade *shade)
{
    tk_buf_printf(out,
                  ".plot text{fill:%s}.plot .dim{fill:%s}.plot .grid{stroke:%s}"
                  ".plot .ground{fill:%s}.plot .mark{stroke:%s}",
                  shade->text, shade->dim, shade->grid, shade->ground, shade->ground);
    for (size_t i = 0; i < TK_PLOT_COLOURS; i++) {
        tk_buf_printf(out, ".plot .l%zu{stroke:%s}.plot .m%zu{fill:%s}", i, shade->series[i], i,
                      shade->series[i]);
    }
}

/* Literal colours: not each viewer of SVG files knows variables. */
void tk_plot_put_style(struct tk_buf *out)
{
    tk_buf_lit(out, ".plot text{font:12px system-ui,sans-serif}"
                    ".plot .title{font-size:14px;font-weight:600}.plot .strong{font-weight:700}"
                    ".plot .line{fill:none;stroke-width:1.5}.plot .bold{stroke-width:3}"
                    ".plot .model{stroke-width:7;stroke-linejoin:round;opacity:.35}"
                    ".plot .dash{stroke-dasharray:5 4}.plot .mark{stroke-width:.7}");
    put_shade(out, &light);
    tk_buf_lit(out, "@media screen and (prefers-color-scheme:dark){");
    put_shade(out, &dark);
    tk_buf_putc(out, '}');
}

void tk_html_put(struct tk_buf *out, const char *text)
{
    static const char specials[] = "<>&\"'";
    static const char *const escapes[] = {"&lt;", "&gt;", "&amp;", "&quot;", "&#39;"};
    for (const char *c = text; *c; c++) {
        const char *special = strchr(specials, *c);
        if (special) {
            tk_buf_puts(out, escapes[special - specials]);
        } else {
            tk_buf_putc(out, *c);
        }
    }
}

/* Axes ----------------------------------------------------------------------------------------- */

struct axis {
    double low, high; /* of values, or of their logarithms */
    double from, to;  /* of the drawing */
    bool is_log;
};

static bool is_point(const struct tk_plot_series *series, size_t i)
{
    return isfinite(series->x[i]) && isfinite(series->y[i]);
}

static void widen(struct axis *axis, double value)
{
    if (!isfinite(value) || (axis->is_log && value <= 0))
        return;
    value = axis->is_log ? log10(value) : value;
    axis->low = fmin(axis->low, value);
    axis->high = fmax(axis->high, value);
}

static double place(const struct axis *axis, double value)
{
    double at = axis->is_log ? (value > 0 ? log10(value) : axis->low) : value;
    double share = (at - axis->low) / (axis->high - axis->low);
    return axis->from + fmin(fmax(share, 0), 1) * (axis->to - axis->from);
}

/* A little air at both ends, and a range where all values are one. */
static void settle(struct axis *axis, bool from_zero)
{
    if (axis->low > axis->high) {
        axis->low = 0;
        axis->high = 1;
    }
    if (from_zero && !axis->is_log)
        axis->low = fmin(axis->low, 0);
    double air = (axis->high - axis->low) * 0.04;
    if (!(air > 0))
        air = axis->is_log ? 0.3 : fmax(fabs(axis->high) * 0.1, 1e-9);
    axis->high += air;
    axis->low -= from_zero && !axis->is_log ? 0 : air;
}

/* 1, 2 and 5 of each power of ten; only the powers where that would be too many. */
static size_t log_ticks(const struct axis *axis, double ticks[TICKS_MAX])
{
    static const double steps[] = {1, 2, 5};
    size_t per_power = axis->high - axis->low > 3.2 ? 1 : TK_COUNTOF(steps);
    size_t count = 0;
    for (int power = (int)floor(axis->low); power <= (int)axis->high; power++) {
        for (size_t i = 0; i < per_power && count < TICKS_MAX; i++) {
            double at = power + log10(steps[i]);
            if (at >= axis->low && at <= axis->high)
                ticks[count++] = steps[i] * pow(10, power);
        }
    }
    return count;
}

static size_t even_ticks(const struct axis *axis, double ticks[TICKS_MAX])
{
    double raw = (axis->high - axis->low) / 6;
    double power = pow(10, floor(log10(raw)));
    double step = raw / power > 5 ? 10 * power : raw / power > 2 ? 5 * power : 2 * power;
    double first = ceil(axis->low / step) * step;
    size_t count = 0;
    while (count < TICKS_MAX && first + (double)count * step <= axis->high) {
        ticks[count] = first + (double)count * step;
        count++;
    }
    return count;
}

static size_t find_ticks(const struct axis *axis, double ticks[TICKS_MAX])
{
    return axis->is_log ? log_ticks(axis, ticks) : even_ticks(axis, ticks);
}

/* A number of an axis, short where it is large: 20k, 3M. */
static void put_number(struct tk_buf *out, double value)
{
    double size = fabs(value);
    if (size >= 1e6) {
        tk_buf_printf(out, "%.6gM", value / 1e6);
    } else if (size >= 1e4) {
        tk_buf_printf(out, "%.6gk", value / 1e3);
    } else {
        tk_buf_printf(out, "%.6g", value);
    }
}

static void put_label(struct tk_buf *out, const char *label, bool is_log)
{
    tk_html_put(out, label);
    tk_buf_puts(out, is_log ? " (logarithmic)</text>" : "</text>");
}

static void put_ticks(struct tk_buf *out, const struct axis *x, const struct axis *y)
{
    double ticks[TICKS_MAX];
    size_t count = find_ticks(x, ticks);
    for (size_t i = 0; i < count; i++) {
        double at = place(x, ticks[i]);
        tk_buf_printf(out,
                      "<line class='grid' x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f'/>"
                      "<text class='dim' x='%.1f' y='%.1f' text-anchor='middle'>",
                      at, at, TOP, BOTTOM, at, BOTTOM + 16);
        put_number(out, ticks[i]);
        tk_buf_lit(out, "</text>");
    }
    count = find_ticks(y, ticks);
    for (size_t i = 0; i < count; i++) {
        double at = place(y, ticks[i]);
        tk_buf_printf(out,
                      "<line class='grid' x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f'/>"
                      "<text class='dim' x='%.1f' y='%.1f' text-anchor='end'>",
                      LEFT, RIGHT, at, at, LEFT - 6, at + 4);
        put_number(out, ticks[i]);
        tk_buf_lit(out, "</text>");
    }
}

static void put_axes(struct tk_buf *out, const struct tk_plot *plot, const struct axis *x,
                     const struct axis *y)
{
    put_ticks(out, x, y);
    tk_buf_printf(out, "<text class='title' x='%.1f' y='18'>", LEFT);
    tk_html_put(out, plot->title);
    tk_buf_printf(out, "</text><text class='dim' x='%.1f' y='%.1f' text-anchor='middle'>",
                  (LEFT + RIGHT) / 2, BOTTOM + 38);
    put_label(out, plot->x_label, plot->x_log);
    tk_buf_printf(out,
                  "<text class='dim' text-anchor='middle' "
                  "transform='translate(16 %.1f) rotate(-90)'>",
                  (TOP + BOTTOM) / 2);
    put_label(out, plot->y_label, plot->y_log);
}

/* Series --------------------------------------------------------------------------------------- */

/* Marks by the number of the colour, around (0, 0). */
static const char *const marks[] = {
    "M-4.5 0A4.5 4.5 0 1 0 4.5 0A4.5 4.5 0 1 0 -4.5 0Z", /* disc */
    "M-4 -4H4V4H-4Z",                                    /* square */
    "M0 -5L5 4H-5Z",                                     /* triangle */
    "M0 -5.5L5.5 0L0 5.5L-5.5 0Z",                       /* diamond */
    "M0 5L5 -4H-5Z",                                     /* triangle, down */
    "M-5 -2H-2V-5H2V-2H5V2H2V5H-2V2H-5Z",                /* plus */
    "M-5 0L-2.5 -4.5H2.5L5 0L2.5 4.5H-2.5Z",             /* hexagon */
    "M-5 -5L0 -2L5 -5L2 0L5 5L0 2L-5 5L-2 0Z",           /* star */
    "M-5 -2H5V2H-5Z",                                    /* bar */
    "M-2 -5H2V5H-2Z",                                    /* bar, upright */
};

_Static_assert(TK_COUNTOF(marks) == TK_PLOT_COLOURS, "a mark for each colour");

static void put_mark(struct tk_buf *out, const struct tk_plot_series *series, double x, double y)
{
    tk_buf_printf(out,
                  "<path class='mark m%u' d='%s' "
                  "transform='translate(%.1f %.1f)%s'>",
                  series->colour, marks[series->colour], x, y,
                  series->is_bold ? " scale(1.3)" : "");
}

static void begin_line(struct tk_buf *out, const struct tk_plot_series *series)
{
    tk_buf_printf(out, "<path class='line l%u%s%s%s' d='", series->colour,
                  series->is_bold ? " bold" : "", series->is_model ? " model" : "",
                  series->is_dashed ? " dash" : "");
}

static void put_line(struct tk_buf *out, const struct tk_plot_series *series, const struct axis *x,
                     const struct axis *y)
{
    bool is_drawing = false;
    begin_line(out, series);
    for (size_t i = 0; i < series->count; i++) {
        if (is_point(series, i)) {
            tk_buf_printf(out, "%c%.1f %.1f", is_drawing ? 'L' : 'M', place(x, series->x[i]),
                          place(y, series->y[i]));
        }
        is_drawing = is_point(series, i);
    }
    tk_buf_lit(out, "'/>");
}

static void put_series(struct tk_buf *out, const struct tk_plot_series *series,
                       const struct axis *x, const struct axis *y)
{
    if (!series->has_no_line)
        put_line(out, series, x, y);
    for (size_t i = 0; series->low && i < series->count; i++) {
        if (is_point(series, i) && isfinite(series->low[i]) && isfinite(series->high[i])) {
            tk_buf_printf(out, "<path class='line l%u' d='M%.1f %.1fV%.1f'/>", series->colour,
                          place(x, series->x[i]), place(y, series->low[i]),
                          place(y, series->high[i]));
        }
    }
    if (series->has_no_marks || series->count > MARKS_MAX)
        return;
    for (size_t i = 0; i < series->count; i++) {
        if (!is_point(series, i))
            continue;
        put_mark(out, series, place(x, series->x[i]), place(y, series->y[i]));
        tk_buf_lit(out, "<title>");
        tk_html_put(out, series->name);
        tk_buf_printf(out, ": %.4g, %.4g</title></path>", series->x[i], series->y[i]);
    }
}

/* Begin and end of a name that is too long; all of it is the tooltip. */
static void put_name(struct tk_buf *out, const char *name)
{
    tk_str text = tk_str_from(name);
    char part[4 * NAME_MAX_LETTERS + 1];
    size_t letters = 0;
    size_t head = 0; /* bytes */
    size_t tail = 0;
    for (size_t i = 0; i < text.n; i++)
        letters += ((unsigned char)text.p[i] & 0xC0) != 0x80;
    if (letters <= NAME_MAX_LETTERS) {
        tk_html_put(out, name);
        return;
    }
    for (size_t i = 0, letter = 0; i < text.n; i++) {
        letter += ((unsigned char)text.p[i] & 0xC0) != 0x80;
        head = letter <= NAME_MAX_LETTERS / 2 ? i + 1 : head;
        tail += letter > letters - NAME_MAX_LETTERS / 2 + 1;
    }
    (void)snprintf(part, sizeof(part), "%.*s", (int)head, name);
    tk_html_put(out, part);
    tk_buf_lit(out, "…");
    tk_html_put(out, name + text.n - tail);
    tk_buf_lit(out, "<title>");
    tk_html_put(out, name);
    tk_buf_lit(out, "</title>");
}

static void put_legend(struct tk_buf *out, const struct tk_plot *plot)
{
    for (size_t i = 0; i < plot->series_count; i++) {
        const struct tk_plot_series *series = &plot->series[i];
        double y = TOP + 8 + LINE * (double)i;
        if (!series->has_no_line) {
            begin_line(out, series);
            tk_buf_printf(out, "M%.1f %.1fH%.1f'/>", LEGEND, y, LEGEND + 26);
        }
        if (!series->has_no_marks && series->count <= MARKS_MAX) {
            put_mark(out, series, LEGEND + 13, y);
            tk_buf_lit(out, "</path>");
        }
        tk_buf_printf(out, "<text x='%.1f' y='%.1f'%s>", LEGEND + 33, y + 4,
                      series->is_bold || series->is_model ? " class='strong'" : "");
        put_name(out, series->name);
        tk_buf_lit(out, "</text>");
    }
}

/* The plot ------------------------------------------------------------------------------------- */

static void put_begin(struct tk_buf *out, const struct tk_plot *plot)
{
    tk_buf_lit(out, "<svg class='plot' ");
    if (plot->is_file)
        tk_buf_lit(out, "xmlns='http://www.w3.org/2000/svg' ");
    tk_buf_printf(out, "viewBox='0 0 %.0f %.0f' role='img' aria-label='", WIDTH, HEIGHT);
    tk_html_put(out, plot->title);
    tk_buf_lit(out, "'>");
    if (!plot->is_file)
        return;
    tk_buf_lit(out, "<style>");
    tk_plot_put_style(out);
    tk_buf_printf(out, "</style><rect class='ground' width='%.0f' height='%.0f'/>", WIDTH, HEIGHT);
}

void tk_plot_put(struct tk_buf *out, const struct tk_plot *plot)
{
    struct axis x = {(double)INFINITY, (double)-INFINITY, LEFT, RIGHT, plot->x_log};
    struct axis y = {(double)INFINITY, (double)-INFINITY, BOTTOM, TOP, plot->y_log};
    size_t points = 0;
    for (size_t s = 0; s < plot->series_count; s++) {
        const struct tk_plot_series *series = &plot->series[s];
        for (size_t i = 0; i < series->count; i++) {
            if (!is_point(series, i))
                continue;
            widen(&x, series->x[i]);
            widen(&y, series->y[i]);
            points++;
        }
    }
    if (plot->y_decades > 0 && y.is_log)
        y.low = fmax(y.low, y.high - plot->y_decades);
    settle(&x, false);
    settle(&y, plot->y_from_zero);
    put_begin(out, plot);
    put_axes(out, plot, &x, &y);
    for (size_t s = plot->series_count; s-- > 0;) {
        if (plot->series[s].is_model)
            put_series(out, &plot->series[s], &x, &y);
    }
    for (size_t s = plot->series_count; s-- > 0;) {
        if (!plot->series[s].is_model)
            put_series(out, &plot->series[s], &x, &y);
    }
    put_legend(out, plot);
    if (points == 0) {
        tk_buf_printf(out,
                      "<text class='dim' x='%.1f' y='%.1f' text-anchor='middle'>nothing to "
                      "draw</text>",
                      (LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2);
    }
    tk_buf_lit(out, "</svg>");
}
