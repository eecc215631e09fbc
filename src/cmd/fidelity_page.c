/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/fidelity_page.h"

#include <math.h>

#include "report/plot.h"

#define PROFILES_MAX 8

/* Colours and shapes as in report_html.c, so that pages of one tool look alike. */
static const char head[] =
    "<!doctype html><html lang=en><meta charset=utf-8>"
    "<meta name=viewport content='width=device-width,initial-scale=1'><style>"
    ":root{--bg:#fff;--fg:#1c2024;--dim:#5b6570;--line:#d9dee3;--good:#2c7a4b;--bad:#c4314b;"
    "--warn:#a86500;color-scheme:light dark}"
    "@media(prefers-color-scheme:dark){:root{--bg:#14171a;--fg:#e4e7ea;--dim:#9aa4ae;"
    "--line:#30363c;--good:#5cc487;--bad:#ff6b81;--warn:#e0a040}}"
    "body{background:var(--bg);color:var(--fg);font:15px/1.45 system-ui,sans-serif;margin:0 auto;"
    "max-width:1100px;padding:1rem}h1{font-size:1.35rem;margin:.2rem "
    "0;overflow-wrap:anywhere}h2{font-size:1.15rem;"
    "margin:1.8rem 0 .4rem;border-top:1px solid var(--line);padding-top:.8rem}h3{font-size:1rem;"
    "margin:1.2rem 0 .3rem}p{margin:.35rem 0;max-width:75ch}.dim{color:var(--dim)}"
    ".ok{color:var(--good)}.bad{color:var(--bad)}.wide{overflow-x:auto}"
    "svg{min-width:660px;width:100%;max-width:980px;display:block}"
    "table.sheet{border-collapse:collapse;font-size:13px;margin:.4rem 0;"
    "font-variant-numeric:tabular-nums}.sheet th,.sheet td{padding:3px 12px 3px 0;"
    "border-bottom:1px solid var(--line);text-align:right;vertical-align:top;white-space:nowrap}"
    ".sheet thead th{white-space:normal;vertical-align:bottom;color:var(--dim);font-weight:400}"
    ".sheet th:first-child{text-align:left}.sheet tbody th,.sheet tr th{font-weight:400}"
    ".sheet .best{font-weight:700;color:var(--good)}.sheet th.best{color:inherit}"
    ".sheet .dim{color:var(--dim)}.sheet .bad{color:var(--bad)}"
    ".fair{color:var(--warn)}.tiles{display:grid;gap:.6rem;margin:.5rem 0;"
    "grid-template-columns:repeat(auto-fill,minmax(190px,1fr))}.tile{border:1px solid var(--line);"
    "border-radius:6px;padding:.5rem .7rem;display:flex;flex-direction:column;gap:.2rem}"
    ".tile b{font-size:1.35rem;font-variant-numeric:tabular-nums}.tile i{display:block;height:5px;"
    "background:currentColor;border-radius:3px;min-width:2px}"
    "details{border-top:1px solid var(--line);padding:.35rem 0}summary{cursor:pointer}"
    "ul{margin:.3rem 0;padding-left:1.3rem}li{margin:.25rem 0;max-width:80ch}"
    "code{font-size:13px;overflow-wrap:anywhere}"
    "@media print{:root{--bg:#fff;--fg:#000;--dim:#444;--line:#bbb;--good:#2c7a4b;--bad:#c4314b;"
    "--warn:#8a5300;color-scheme:light}body{font-size:11px;padding:0}"
    "*{print-color-adjust:exact;-webkit-print-color-adjust:exact}h2,h3,summary{break-after:avoid}"
    ".wide{break-inside:avoid;overflow:visible}.sheet{font-size:9px}"
    ".sheet th,.sheet td{padding-right:6px}}"
    "@media screen and (max-width:700px){svg{min-width:820px}}";

/* Paper cannot be clicked: what is folded is printed open. */
static const char script[] =
    "<script>let shut=[];addEventListener('beforeprint',()=>{shut=[...document.querySelectorAll("
    "'details:not([open])')];shut.forEach(d=>d.open=true)});addEventListener('afterprint',()=>"
    "shut.forEach(d=>d.open=false))</script>\n";

void tk_page_begin(struct tk_buf *out, const char *title)
{
    tk_buf_puts(out, head);
    tk_plot_put_style(out);
    tk_buf_lit(out, "</style><title>");
    tk_html_put(out, title);
    tk_buf_lit(out, "</title><h1>");
    tk_html_put(out, title);
    tk_buf_lit(out, "</h1>\n");
}

void tk_page_end(struct tk_buf *out)
{
    tk_buf_puts(out, script);
}

/* Profiles ------------------------------------------------------------------------------------- */

/* Values of all profiles of one kind, as series. */
struct curves {
    struct tk_plot_series series[PROFILES_MAX];
    double x[TK_PROFILE_WINDOWS];
    double y[PROFILES_MAX][TK_PROFILE_WINDOWS];
    size_t count;
};

static void begin_curves(struct curves *curves, const struct tk_page_profile *profiles,
                         size_t count, size_t points)
{
    *curves = (struct curves){.count = count < PROFILES_MAX ? count : PROFILES_MAX};
    for (size_t i = 0; i < curves->count; i++) {
        curves->series[i] = (struct tk_plot_series){.name = profiles[i].name,
                                                    .x = curves->x,
                                                    .y = curves->y[i],
                                                    .count = points,
                                                    .colour = profiles[i].colour,
                                                    .is_model = profiles[i].is_real,
                                                    .has_no_marks = true};
    }
}

static void put_curves(struct tk_buf *out, const struct curves *curves, struct tk_plot plot)
{
    plot.series = curves->series;
    plot.series_count = curves->count;
    tk_buf_lit(out, "<div class=wide>");
    tk_plot_put(out, &plot);
    tk_buf_lit(out, "</div>\n");
}

/* What of a profile is drawn over time. */
struct over_time {
    size_t offset; /* of the array */
    bool is_rate;  /* per second */
    bool is_log;
    const char *title, *label;
    const char *none; /* what is said where it is nowhere above 0 */
};

static const struct over_time over_time[] = {
    {offsetof(struct tk_profile, spans), true, false, "Rate over time", "spans a second",
     "There are no spans."},
    {offsetof(struct tk_profile, errors), true, false, "Errors over time",
     "spans with an error a second", "No span of any of these sets has an error."},
    {offsetof(struct tk_profile, median_ms), false, true, "Median duration of requests over time",
     "ms", "No request takes any time."},
};

static void put_over_time(struct tk_buf *out, const struct over_time *what,
                          const struct tk_profile_range *range,
                          const struct tk_page_profile *profiles, size_t count)
{
    struct curves curves;
    double window_s = (double)range->window_ns / 1e9;
    bool is_empty = true;
    begin_curves(&curves, profiles, count, range->windows);
    for (size_t w = 0; w < range->windows; w++) {
        curves.x[w] = ((double)w + 0.5) * window_s;
        for (size_t i = 0; i < curves.count; i++) {
            const double *values =
                (const double *)((const char *)profiles[i].profile + what->offset);
            curves.y[i][w] = what->is_rate ? values[w] / window_s : values[w];
            is_empty = is_empty && !(values[w] > 0);
        }
    }
    if (is_empty) {
        tk_buf_printf(out, "<p class=dim>%s: %s</p>\n", what->title, what->none);
        return;
    }
    put_curves(out, &curves,
               (struct tk_plot){.title = what->title,
                                .x_label = "seconds since the first span",
                                .y_label = what->label,
                                .y_log = what->is_log,
                                .y_from_zero = !what->is_log});
}

static void put_quantiles(struct tk_buf *out, const struct tk_page_profile *profiles, size_t count)
{
    struct curves curves;
    begin_curves(&curves, profiles, count, TK_PROFILE_QUANTILES);
    for (size_t q = 0; q < TK_PROFILE_QUANTILES; q++) {
        curves.x[q] = tk_profile_share(q) * 100;
        for (size_t i = 0; i < curves.count; i++)
            curves.y[i][q] = profiles[i].profile->quantiles_ms[q];
    }
    put_curves(out, &curves,
               (struct tk_plot){.title = "Quantiles of the durations of requests",
                                .x_label = "percentile",
                                .y_label = "ms",
                                .y_log = true});
}

void tk_page_put_profiles(struct tk_buf *out, const struct tk_profile_range *range,
                          const struct tk_page_profile *profiles, size_t count)
{
    for (size_t i = 0; i < TK_COUNTOF(over_time); i++)
        put_over_time(out, &over_time[i], range, profiles, count);
    put_quantiles(out, profiles, count);
}
