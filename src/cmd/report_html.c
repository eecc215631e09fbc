/* SPDX-License-Identifier: Apache-2.0 */
/* A page of one file: a Gantt chart of the steps over the curves of the machine's resources on one
 * axis of time, and each step with all that is known of it. Drawn here as SVG; the script only
 * reads values out under the pointer. All lengths are in units of a drawing 1000 wide. */
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "cmd/report_export.h"
#include "step/overview.h"

#define LEFT  190.0 /* where the axis of time begins */
#define RIGHT 990.0
#define ROW   20.0
#define BAND  74.0

/* Bytes after which bars, a band, steps are left out, so that the page stays below 200 KB. */
#define GANTT_MAX 40000
#define PAGE_MAX  150000

#define NAME_WIDTH 26

static const char head[] =
    "<!doctype html><html lang=en><meta charset=utf-8>"
    "<meta name=viewport content='width=device-width,initial-scale=1'><style>"
    ":root{--bg:#fff;--fg:#1c2024;--dim:#5b6570;--line:#d9dee3;--bar:#4878b0;--bad:#c4314b;"
    "--warn:#a86500;--good:#2c7a4b;--area:#4878b055;color-scheme:light dark}"
    "@media(prefers-color-scheme:dark){:root{--bg:#14171a;--fg:#e4e7ea;--dim:#9aa4ae;"
    "--line:#30363c;--bar:#6f9fd8;--bad:#ff6b81;--warn:#e0a040;--good:#5cc487;--area:#6f9fd855}}"
    "body{background:var(--bg);color:var(--fg);font:15px/1.45 system-ui,sans-serif;margin:0 auto;"
    "max-width:1100px;padding:1rem}h1{font-size:1.35rem;margin:.2rem 0}h2{font-size:1.05rem;"
    "margin:1.4rem 0 .4rem}p{margin:.3rem 0}.dim{color:var(--dim)}.ok{color:var(--good)}"
    ".bad{color:var(--bad)}.warn{color:var(--warn)}.wide{overflow-x:auto}svg{min-width:660px;"
    "width:100%;display:block}svg text{fill:var(--fg);font:12px system-ui,sans-serif}"
    "svg "
    ".dim{fill:var(--dim)}.axis{stroke:var(--line)}.bar{fill:var(--bar)}.bar.bad{fill:var(--bad)}"
    ".bar.inner{opacity:.6}.critical{stroke:var(--fg);stroke-width:1.6}.curve{fill:var(--area);"
    "stroke:var(--bar);stroke-width:1}.own{fill:var(--bar)}.none{fill:url(#hatch)}#cursor{stroke:"
    "var(--fg);"
    "stroke-dasharray:3 3}table{border-collapse:collapse;font-size:13px;margin:.4rem "
    "0}td{padding:1px 10px 1px 0;"
    "vertical-align:top}details{border-top:1px solid var(--line);padding:.35rem 0}summary{"
    "cursor:pointer}#read{min-height:1.5em;font-variant-numeric:tabular-nums}"
    ".fields{columns:3 260px}.fields div{break-inside:avoid;font-size:13px}li{margin:.25rem 0}"
    "@media print{:root{--bg:#fff;--fg:#000;--dim:#444;--line:#bbb;--bar:#4878b0;--bad:#c4314b;"
    "--warn:#8a5300;--good:#2c7a4b;--area:#4878b055;color-scheme:light}body{font-size:12px;"
    "padding:0}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}"
    "h2,summary{break-after:avoid}.wide{break-inside:avoid}#read{display:none}}"
    "@media screen and (max-width:700px){svg{min-width:820px}}"
    "</style>";

/* D: rows of [x where it begins, values...] of the bands. Paper cannot be clicked: steps are
 * printed open. */
static const char script[] =
    "<script>const s=document.getElementById('time'),c=document.getElementById('cursor'),"
    "r=document.getElementById('read');if(s&&D.length)s.addEventListener('mousemove',e=>{"
    "const b=s.getBoundingClientRect(),x=Math.min(Math.max((e.clientX-b.left)*1000/"
    "b.width,L),R);let n=D[0];for(const d of D)if(d[0]<=x)n=d;c.setAttribute('x1',x);"
    "c.setAttribute('x2',x);const t=(x-L)/(R-L)*T,m=Math.floor(t/60);"
    "r.textContent='at '+m+'m'+String(Math.floor(t%60)).padStart(2,'0')+'s: '+"
    "N.map((k,i)=>n[i+1]==null?'':k+' '+n[i+1]).filter(Boolean).join(' \\u00b7 ')});"
    "let shut=[];addEventListener('beforeprint',()=>{shut=[...document.querySelectorAll("
    "'details:not([open])')];shut.forEach(d=>d.open=true)});addEventListener('afterprint',()=>"
    "shut.forEach(d=>d.open=false))</script>";

static void put_text(const struct tk_report *report, struct tk_buf *out, tk_str text, int width)
{
    char clean[TK_CLEAN_MAX];
    (void)tk_clean(report, text, width, clean);
    for (const char *c = clean; *c; c++) {
        switch (*c) {
        case '<':
            tk_buf_lit(out, "&lt;");
            break;
        case '>':
            tk_buf_lit(out, "&gt;");
            break;
        case '&':
            tk_buf_lit(out, "&amp;");
            break;
        case '"':
            tk_buf_lit(out, "&quot;");
            break;
        case '\'':
            tk_buf_lit(out, "&#39;");
            break;
        default:
            tk_buf_putc(out, *c);
        }
    }
}

/* The axis of time ---------------------------------------------------------------------------- */

struct axis {
    double start_s, span_s;
};

static struct axis axis_of(const struct tk_job *job)
{
    double start = job->job_start;
    double end = job->job_start + job->job_duration_s;
    for (size_t i = 0; i < job->steps.count; i++) {
        const struct tk_job_step *step = &job->steps.items[i];
        start = fmin(start, step->start_time);
        end = fmax(end, step->start_time + step->duration_s);
    }
    if (!isfinite(start) || !(end > start))
        return (struct axis){isfinite(start) ? start : 0, 1};
    return (struct axis){start, end - start};
}

static double x_of(const struct axis *axis, double time_s)
{
    double share = (time_s - axis->start_s) / axis->span_s;
    return LEFT + fmin(fmax(share, 0), 1) * (RIGHT - LEFT);
}

static void put_ticks(struct tk_report *report, const struct axis *axis, double height)
{
    enum { TICKS = 5 };
    char figure[TK_FIGURE_MAX];
    for (int i = 0; i <= TICKS; i++) {
        double x = LEFT + (RIGHT - LEFT) * i / TICKS;
        tk_buf_printf(&report->out,
                      "<line class=axis x1='%.1f' x2='%.1f' y1='16' y2='%.1f'/>"
                      "<text class=dim x='%.1f' y='11' text-anchor='%s'>%s</text>",
                      x, x, height, x, i == TICKS ? "end" : "middle",
                      tk_figure_seconds(axis->span_s * i / TICKS, figure));
    }
}

/* Gantt ---------------------------------------------------------------------------------------- */

static void put_bar(struct tk_report *report, const struct tk_job *job, const struct axis *axis,
                    const struct tk_job_step *step, double y)
{
    char figure[TK_FIGURE_MAX];
    char name[TK_CLEAN_MAX];
    struct tk_buf *out = &report->out;
    int depth = tk_step_depth(job, step);
    double x = x_of(axis, step->start_time);
    double width = fmax(x_of(axis, step->start_time + step->duration_s) - x, 1.5);
    bool bad = tk_step_is_bad(step);
    bool critical = tk_str_to_cstr(step->name, name, sizeof(name)) &&
                    tk_job_has_text(&job->critical_path, name);
    tk_buf_printf(out, "<text x='%d' y='%.1f'>", 2 + 10 * depth, y + 13);
    put_text(report, out, step->name, NAME_WIDTH - 2 * depth);
    tk_buf_printf(out,
                  "</text><rect class='bar%s%s%s' x='%.1f' y='%.1f' width='%.1f' height='%.1f'>",
                  bad ? " bad" : "", depth ? " inner" : "",
                  critical && width > 4 ? " critical" : "", x, y + 2, width, ROW - 5);
    tk_buf_lit(out, "<title>");
    put_text(report, out, step->name, 0);
    tk_buf_printf(out, ": %s</title></rect>", tk_figure_seconds(step->duration_s, figure));
    bool inside = x + width > RIGHT - 60;
    tk_buf_printf(out, "<text class=dim x='%.1f' y='%.1f' text-anchor='%s'>%s</text>",
                  inside ? x - 4 : x + width + 4, y + 13, inside ? "end" : "start",
                  tk_figure_seconds(step->duration_s, figure));
}

/* Where no step of the outermost level ran. Steps come in order of their starts. */
static void put_untracked(struct tk_report *report, const struct tk_job *job,
                          const struct axis *axis, double y)
{
    double covered = axis->start_s;
    double end = axis->start_s + axis->span_s;
    tk_buf_printf(&report->out, "<text class=dim x='2' y='%.1f'>(untracked)</text>", y + 13);
    for (size_t i = 0; i <= job->steps.count; i++) {
        const struct tk_job_step *step = i < job->steps.count ? &job->steps.items[i] : NULL;
        if (step && (step->parent.p || !isfinite(step->start_time)))
            continue;
        double next = step ? step->start_time : end;
        if (next - covered > axis->span_s / 400) {
            tk_buf_printf(
                &report->out, "<rect class=none x='%.1f' y='%.1f' width='%.1f' height='%.1f'/>",
                x_of(axis, covered), y + 2, x_of(axis, next) - x_of(axis, covered), ROW - 5);
        }
        if (step && isfinite(step->duration_s))
            covered = fmax(covered, step->start_time + step->duration_s);
    }
}

static double put_gantt(struct tk_report *report, const struct tk_job *job, const struct axis *axis,
                        double y)
{
    size_t left_out = 0;
    for (size_t i = 0; i < job->steps.count; i++) {
        const struct tk_job_step *step = &job->steps.items[i];
        if (!isfinite(step->start_time) || !isfinite(step->duration_s))
            continue;
        if (report->out.n >= GANTT_MAX) {
            left_out++;
            continue;
        }
        put_bar(report, job, axis, step, y);
        y += ROW;
    }
    if (left_out) {
        tk_buf_printf(&report->out, "<text class=dim x='2' y='%.1f'>(%zu more steps)</text>",
                      y + 13, left_out);
        y += ROW;
    }
    put_untracked(report, job, axis, y);
    return y + ROW;
}

/* Curves --------------------------------------------------------------------------------------- */

static const struct {
    const char *title, *unit;
    enum tk_band own; /* drawn in the same graph; TK_BANDS = none */
} bands[TK_BANDS] = {
    [TK_BAND_CPU] = {"CPU", "cores", TK_BAND_OWN_CPU},
    [TK_BAND_MEMORY] = {"memory", "MB", TK_BAND_OWN_MEMORY},
    [TK_BAND_DISK] = {"disk", "MB/s", TK_BANDS},
    [TK_BAND_NETWORK] = {"network", "MB/s", TK_BANDS},
    [TK_BAND_STALL] = {"I/O stall", "%", TK_BANDS},
    [TK_BAND_OWN_CPU] = {"CPU of commands", "cores", TK_BANDS},
    [TK_BAND_OWN_MEMORY] = {"memory of commands", "MB", TK_BANDS},
};

/* As stairs: a cell is an interval. */
static void put_curve(struct tk_buf *out, const struct tk_overview *overview, enum tk_band band,
                      double base, double scale)
{
    const double width = (RIGHT - LEFT) / TK_OVERVIEW_CELLS;
    double drawn = (double)NAN; /* the value of the stair that is open */
    tk_buf_printf(out, "<path class='curve%s' d='", band >= TK_BANDS_OF_MACHINE ? " own" : "");
    for (size_t i = 0; i <= TK_OVERVIEW_CELLS; i++) {
        double value = i < TK_OVERVIEW_CELLS ? overview->values[i][band] : (double)NAN;
        if (value == drawn || (isnan(value) && isnan(drawn)))
            continue;
        double x = LEFT + width * (double)i;
        if (isnan(value)) {
            tk_buf_printf(out, "H%.1fV%.1fZ", x, base);
        } else if (isnan(drawn)) {
            tk_buf_printf(out, "M%.1f %.1fV%.1f", x, base, base - scale * value);
        } else {
            tk_buf_printf(out, "H%.1fV%.1f", x, base - scale * value);
        }
        drawn = value;
    }
    tk_buf_lit(out, "'/>");
}

static void put_graph(struct tk_report *report, const struct tk_overview *overview,
                      enum tk_band band, double max, double y)
{
    double base = y + BAND - 8;
    double scale = (BAND - 14) / max;
    tk_buf_printf(&report->out,
                  "<text x='2' y='%.1f'>%s</text><text class=dim x='2' y='%.1f'>highest %.4g %s"
                  "</text><line class=axis x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f'/>",
                  y + 18, bands[band].title, y + 34, max, bands[band].unit, LEFT, RIGHT, base,
                  base);
    put_curve(&report->out, overview, band, base, scale);
    if (bands[band].own < TK_BANDS)
        put_curve(&report->out, overview, bands[band].own, base, scale);
}

static double put_graphs(struct tk_report *report, const struct tk_overview *overview, double y)
{
    for (enum tk_band band = 0; band < TK_BANDS_OF_MACHINE; band++) {
        double max = overview->max[band];
        if (bands[band].own < TK_BANDS)
            max = fmax(max, overview->max[bands[band].own]);
        if (!(max > 0))
            continue;
        put_graph(report, overview, band, max, y);
        y += BAND;
    }
    return y;
}

static bool is_same(const double *a, const double *b)
{
    for (size_t band = 0; band < TK_BANDS; band++) {
        if (a[band] != b[band] && !(isnan(a[band]) && isnan(b[band])))
            return false;
    }
    return true;
}

static void put_cell(struct tk_buf *out, double x, const double *values)
{
    tk_buf_printf(out, "[%.1f", x);
    for (size_t band = 0; band < TK_BANDS; band++) {
        if (isfinite(values[band])) {
            tk_buf_printf(out, ",%.4g", values[band]);
        } else {
            tk_buf_lit(out, ",null");
        }
    }
    tk_buf_lit(out, "],");
}

/* What the script reads out: each cell that differs from the one before. */
static void put_data(struct tk_report *report, const struct tk_overview *overview)
{
    struct tk_buf *out = &report->out;
    tk_buf_printf(out, "<script>const L=%.0f,R=%.0f,T=%.3f,N=[", LEFT, RIGHT,
                  overview->cell_s * TK_OVERVIEW_CELLS);
    for (enum tk_band band = 0; band < TK_BANDS; band++)
        tk_buf_printf(out, "'%s (%s)',", bands[band].title, bands[band].unit);
    tk_buf_lit(out, "],D=[");
    for (size_t i = 0; i < TK_OVERVIEW_CELLS; i++) {
        const double *values = overview->values[i];
        if (i == 0 || !is_same(overview->values[i - 1], values))
            put_cell(out, LEFT + (RIGHT - LEFT) * (double)i / TK_OVERVIEW_CELLS, values);
    }
    tk_buf_lit(out, "]</script>");
}

/* The drawing comes before its height is known: it is drawn aside. */
static void put_drawing(struct tk_report *report, const struct tk_job *job, const struct axis *axis,
                        const struct tk_overview *overview)
{
    struct tk_buf page = report->out;
    tk_buf_init(&report->out, (size_t)8 << 20);
    double y = put_gantt(report, job, axis, 22);
    if (overview)
        y = put_graphs(report, overview, y + 8);
    struct tk_buf drawn = report->out;
    report->out = page;
    tk_buf_printf(&report->out,
                  "<div class=wide><svg %s viewBox='0 0 1000 %.0f' role=img "
                  "aria-label='steps over time'><defs><pattern id=hatch width=6 height=6 "
                  "patternUnits=userSpaceOnUse patternTransform='rotate(45)'><line x1=0 y1=0 x2=0 "
                  "y2=6 stroke='var(--dim)' stroke-width=1.5 /></pattern></defs>",
                  overview ? "id=time" : "", y + 4);
    put_ticks(report, axis, y);
    tk_buf_put(&report->out, tk_buf_str(&drawn));
    if (overview)
        tk_buf_printf(&report->out, "<line id=cursor y1='16' y2='%.0f' x1='-9' x2='-9'/>", y);
    tk_buf_lit(&report->out, "</svg></div>");
    if (!tk_buf_ok(&drawn))
        report->out.failure = drawn.failure;
    tk_buf_release(&drawn);
}

/* Steps ---------------------------------------------------------------------------------------- */

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables */
static void put_fields(struct tk_report *report, const struct tk_job_shape *shape,
                       const void *object, const char *prefix)
{
    struct tk_buf *out = &report->out;
    for (size_t i = 0; i < shape->count; i++) {
        const struct tk_job_field *field = &shape->fields[i];
        const void *at = (const char *)object + field->offset;
        char path[96];
        (void)snprintf(path, sizeof(path), "%s%s", prefix, field->name);
        if (field->type == TK_JOB_OBJECT) {
            (void)snprintf(path, sizeof(path), "%s%s.", prefix, field->name);
            put_fields(report, field->of, at, path);
            continue;
        }
        bool number = field->type == TK_JOB_F64 && isfinite(*(const double *)at);
        bool whole = (field->type == TK_JOB_INT || field->type == TK_JOB_TRUTH) &&
                     *(const int64_t *)at != TK_JOB_NONE;
        bool text = field->type == TK_JOB_TEXT && ((const tk_str *)at)->n;
        if (!number && !whole && !text)
            continue;
        tk_buf_printf(out, "<div><span class=dim>%s</span> ", path);
        if (number) {
            tk_buf_put_f64(out, round(*(const double *)at * 1000) / 1000, TK_SHORTEST);
        } else if (whole) {
            tk_buf_put_i64(out, *(const int64_t *)at);
        } else {
            put_text(report, out, *(const tk_str *)at, 60);
        }
        tk_buf_printf(out, " %s</div>", field->unit ? field->unit : "");
    }
}

/* `step` is told first where the list is of several; NULL elsewhere. */
static void put_finding(struct tk_report *report, const struct tk_job_step *step,
                        const struct tk_job_finding *finding)
{
    char figure[TK_FIGURE_MAX];
    struct tk_buf *out = &report->out;
    enum tk_level level = tk_level_find(finding->level);
    tk_buf_printf(out, "<li><span class=%s>",
                  level == TK_LEVEL_CRITICAL ? "bad"
                  : level == TK_LEVEL_WARN   ? "warn"
                                             : "dim");
    put_text(report, out, finding->level, 10);
    tk_buf_lit(out, "</span> ");
    if (step) {
        tk_buf_lit(out, "<b>");
        put_text(report, out, step->name, 60);
        tk_buf_lit(out, "</b>: ");
    }
    put_text(report, out, finding->text, 0);
    if (finding->saves_s >= 0.05)
        tk_buf_printf(out, " → save about %s", tk_figure_seconds(finding->saves_s, figure));
    if (finding->advice.n) {
        tk_buf_lit(out, ": ");
        put_text(report, out, finding->advice, 0);
    }
}

/* A control group that worked for the step, as a row among its processes. */
static void put_via(struct tk_report *report, const struct tk_job_via *via)
{
    char figure[TK_FIGURE_MAX];
    struct tk_buf *out = &report->out;
    tk_buf_lit(out, "<tr><td>via ");
    put_text(report, out, via->unit, 60);
    tk_buf_printf(out, "<td>-<td>%s", tk_figure_seconds(via->cpu_s, figure));
    tk_buf_printf(out, "<td>%s", tk_figure_mb(via->memory_peak_mb, figure));
    tk_buf_printf(out, "<td>%s</tr>", tk_figure_mb(via->write_mb, figure));
}

static void put_processes(struct tk_report *report, const struct tk_job_step *step)
{
    const struct tk_job_processes *processes = &step->top;
    char figure[TK_FIGURE_MAX];
    struct tk_buf *out = &report->out;
    if (processes->count + step->via.count == 0)
        return;
    tk_buf_lit(out, "<table><tr class=dim><td>process<td>count<td>CPU<td>memory<td>written</tr>");
    for (size_t i = 0; i < processes->count; i++) {
        const struct tk_job_process *process = &processes->items[i];
        tk_buf_lit(out, "<tr><td>");
        put_text(report, out, process->comm, 32);
        if (process->count != TK_JOB_NONE) {
            tk_buf_printf(out, "<td>%lld", (long long)process->count);
        } else {
            tk_buf_lit(out, "<td>-");
        }
        tk_buf_printf(out, "<td>%s", tk_figure_seconds(process->cpu_s, figure));
        tk_buf_printf(out, "<td>%s", tk_figure_mb(process->rss_peak_mb, figure));
        tk_buf_printf(out, "<td>%s</tr>", tk_figure_mb(process->write_mb, figure));
    }
    for (size_t i = 0; i < step->via.count; i++)
        put_via(report, &step->via.items[i]);
    tk_buf_lit(out, "</table>");
}

static void put_step(struct tk_report *report, const struct tk_job_step *step)
{
    char figure[TK_FIGURE_MAX];
    enum tk_style style;
    struct tk_buf *out = &report->out;
    const struct tk_job_finding *verdict = tk_diagnosis_verdict(&step->diagnosis);
    tk_buf_lit(out, "<details><summary><b>");
    put_text(report, out, step->name, 80);
    tk_buf_printf(out, "</b> %s", tk_figure_seconds(step->duration_s, figure));
    if (tk_step_is_bad(step)) {
        tk_buf_printf(out, " <span class=bad>%s</span>", tk_step_outcome(step, &style, figure));
    }
    if (verdict) {
        tk_buf_lit(out, " <span class=dim>");
        put_text(report, out, tk_diagnosis_label(verdict), 30);
        tk_buf_lit(out, "</span>");
    }
    tk_buf_lit(out, "</summary><ul>");
    for (size_t i = 0; i < step->diagnosis.count; i++)
        put_finding(report, NULL, &step->diagnosis.items[i]);
    tk_buf_lit(out, "</ul>");
    put_processes(report, step);
    tk_buf_lit(out, "<div class=fields>");
    put_fields(report, &tk_job_step_shape, step, "");
    tk_buf_lit(out, "</div></details>");
}

/* The page ------------------------------------------------------------------------------------- */

static void put_header(struct tk_report *report, const struct tk_job *job)
{
    char figure[TK_FIGURE_MAX];
    enum tk_style style;
    struct tk_buf *out = &report->out;
    const char *outcome = tk_outcome_text(tk_job_outcome(job), &style);
    tk_buf_lit(out, "<title>");
    put_text(report, out, job->job, 60);
    tk_buf_putc(out, ' ');
    put_text(report, out, job->version, 60);
    tk_buf_lit(out, "</title><h1>");
    put_text(report, out, job->job, 60);
    tk_buf_putc(out, ' ');
    put_text(report, out, job->version, 60);
    tk_buf_printf(out, " <span class=%s>%s</span> %s</h1><p class=dim>",
                  style == TK_STYLE_GOOD ? "ok" : "bad", outcome,
                  tk_figure_seconds(job->job_duration_s, figure));
    if (isfinite(job->baseline.median_s)) {
        tk_buf_printf(out, "%+.1f %% on the median of %lld builds · ", job->baseline.delta_percent,
                      (long long)job->baseline.n);
    }
    tk_buf_printf(out, "%s UTC", tk_figure_time(job->job_start, figure));
    const tk_str sha = {job->git_sha.p, job->git_sha.n < 10 ? job->git_sha.n : 10};
    if (job->run_number.n && !tk_str_eq(job->run_number, TK_STR("0"))) {
        tk_buf_lit(out, " · run ");
        put_text(report, out, job->run_number, 20);
    }
    const tk_str more[] = {tk_job_branch(job), sha, job->runner, job->system.cpu_model,
                           job->system.virt};
    for (size_t i = 0; i < TK_COUNTOF(more); i++) {
        if (!more[i].n)
            continue;
        tk_buf_lit(out, " · ");
        put_text(report, out, more[i], 40);
    }
    tk_buf_lit(out, "</p>");
}

static void put_step_name(struct tk_report *report, tk_str name)
{
    put_text(report, &report->out, name, 60);
}

static const struct tk_bad_steps_form bad_steps = {.title = "",
                                                   .begin = "<h2>Not ok</h2><ul>",
                                                   .item = "<li><b>",
                                                   .between = "</b> <span class=bad>",
                                                   .item_end = "</span>",
                                                   .more = "<li>and ",
                                                   .more_end = "",
                                                   .end = "</ul>",
                                                   .put_name = put_step_name};

static void put_reasons(struct tk_report *report, const struct tk_job *job)
{
    struct tk_reason reasons[TK_REASONS_MAX];
    size_t count = tk_diagnosis_reasons(job, reasons);
    if (count == 0)
        return;
    tk_buf_lit(&report->out, "<h2>Why so long</h2><ol>");
    for (size_t i = 0; i < count; i++)
        put_finding(report, reasons[i].step, reasons[i].finding);
    tk_buf_lit(&report->out, "</ol>");
}

static void put_steps(struct tk_report *report, const struct tk_job *job)
{
    size_t left_out = 0;
    tk_buf_lit(&report->out, "<h2>Steps</h2>");
    for (size_t i = 0; i < job->steps.count; i++) {
        if (report->out.n < PAGE_MAX) {
            put_step(report, &job->steps.items[i]);
        } else {
            left_out++;
        }
    }
    if (left_out) {
        tk_buf_printf(&report->out, "<p class=dim>%zu more are in the JSON document.</p>",
                      left_out);
    }
    if (job->steps.count == 0)
        tk_buf_lit(&report->out, "<p>No steps recorded.</p>");
}

int tk_report_put_html(struct tk_report *report, const struct tk_job *job, struct tk_err *err)
{
    struct axis axis = axis_of(job);
    struct tk_overview overview;
    struct tk_group other = {.count = 0};
    if (report->args[2]) {
        int rc = tk_archive_find(report->archive, report->args[2], NULL, &other, err);
        if (rc < 0)
            return rc;
    }
    tk_look_release(&report->look); /* a file is not the terminal */
    tk_look_init_plain(&report->look, true, 100);
    tk_buf_puts(&report->out, head);
    put_header(report, job);
    tk_report_put_bad_steps(report, job, &bad_steps);
    put_reasons(report, job);
    tk_buf_lit(&report->out, "<h2>Time</h2>");
    struct axis second = other.count ? axis_of(other.jobs[0]) : axis;
    axis.span_s = fmax(axis.span_s, second.span_s); /* one scale for both */
    second.span_s = axis.span_s;
    tk_overview_of(job, axis.start_s, axis.span_s, &overview);
    put_drawing(report, job, &axis, &overview);
    tk_buf_lit(&report->out,
               "<p id=read class=dim>hatched: no step ran; outlined: the critical "
               "path; darker: what commands themselves used; point at a curve to read it</p>");
    if (other.count) {
        tk_buf_lit(&report->out, "<h2>Beside it: ");
        put_text(report, &report->out, other.jobs[0]->version, 60);
        tk_buf_lit(&report->out, "</h2>");
        put_drawing(report, other.jobs[0], &second, NULL);
    }
    put_steps(report, job);
    put_data(report, &overview);
    tk_buf_puts(&report->out, script);
    tk_buf_putc(&report->out, '\n');
    return 0;
}
