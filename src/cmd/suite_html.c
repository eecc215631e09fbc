/* SPDX-License-Identifier: Apache-2.0 */
/* The report as a page: first who is better at equal bytes, in a sentence and in a plot, then the
 * tables from which that follows. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "base/human.h"
#include "cmd/fidelity_page.h"
#include "cmd/suite_sheets.h"
#include "fidelity/queries.h"
#include "report/plot.h"

#define DUELS_MAX  64
#define POINTS_MAX 64 /* of a curve */
#define CURVES_MAX 24

static void put_sheet(struct tk_buf *out, struct tk_sheet *sheet)
{
    tk_sheet_put_html(sheet, out);
    tk_sheet_release(sheet);
}

/* Verdict -------------------------------------------------------------------------------------- */

static void put_name(struct tk_buf *out, const struct tk_suite_item *item)
{
    tk_html_put(out, item->method->name);
    if (!item->equal_to) {
        tk_buf_putc(out, ' ');
        tk_html_put(out, item->label);
    }
}

/* One duel as a sentence that needs no table. */
static void put_duel(struct tk_buf *out, const struct tk_suite_duel *duel)
{
    double times = duel->other_mean.mean / duel->own_mean.mean;
    bool is_won = times > 1;
    bool is_clear =
        duel->own_mean.high < duel->other_mean.low || duel->own_mean.low > duel->other_mean.high;
    tk_buf_lit(out, "<li><b>");
    put_name(out, duel->own);
    tk_buf_printf(out, "</b> (%.2f B/trace) against <b>", duel->own_bytes);
    put_name(out, duel->other);
    tk_buf_printf(out,
                  "</b> (%.2f B/trace): strict distance %.4f against %.4f, "
                  "<span class=%s>%.3g times %s</span>%s; of the ten queries better on %d, worse "
                  "on %d, equal on %d",
                  duel->other_bytes, duel->own_mean.mean, duel->other_mean.mean,
                  is_won ? "ok" : "bad", is_won ? times : 1 / times, is_won ? "better" : "worse",
                  is_clear ? "" : " (within the noise)", duel->better, duel->worse, duel->equal);
    if (duel->better + duel->worse + duel->equal < TK_QUERIES)
        tk_buf_lit(out, "; the others find nothing in these traces");
    tk_buf_lit(out, ".</li>\n");
}

static void put_verdict(const struct tk_suite_part *part, struct tk_buf *out)
{
    struct tk_suite_duel duels[DUELS_MAX];
    size_t count = tk_suite_duels(part, duels, DUELS_MAX);
    tk_buf_lit(out, "<h3>Who is better at equal bytes</h3>");
    if (count == 0) {
        tk_buf_lit(out, "<p>Nothing here keeps or models all traces at a size of its own that "
                        "another was measured at; see the tables by budget.</p>");
    }
    tk_buf_lit(out, "<ul>");
    for (size_t d = 0; d < count; d++)
        put_duel(out, &duels[d]);
    tk_buf_lit(out, "</ul>");
}

/* Frontier ------------------------------------------------------------------------------------- */

struct curve {
    double x[POINTS_MAX], y[POINTS_MAX], low[POINTS_MAX], high[POINTS_MAX];
    size_t count;
};

struct frontier {
    struct curve curves[CURVES_MAX];
    struct tk_plot_series series[CURVES_MAX];
    size_t count;
};

static void add_point(struct curve *curve, double bytes, enum tk_figure_sense sense,
                      const struct tk_spread *spread)
{
    size_t at = curve->count;
    double a = tk_figure_loss(sense, spread->low);
    double b = tk_figure_loss(sense, spread->high);
    if (at == POINTS_MAX || isnan(bytes) || isnan(spread->mean))
        return;
    for (; at > 0 && curve->x[at - 1] > bytes; at--) {
        curve->x[at] = curve->x[at - 1];
        curve->y[at] = curve->y[at - 1];
        curve->low[at] = curve->low[at - 1];
        curve->high[at] = curve->high[at - 1];
    }
    curve->x[at] = bytes;
    curve->y[at] = tk_figure_loss(sense, spread->mean);
    curve->low[at] = fmin(a, b);
    curve->high[at] = fmax(a, b);
    curve->count++;
}

static struct tk_plot_series *add_series(struct frontier *frontier, const char *name,
                                         unsigned colour)
{
    struct curve *curve = &frontier->curves[frontier->count];
    struct tk_plot_series *series = &frontier->series[frontier->count++];
    *series = (struct tk_plot_series){.name = name,
                                      .x = curve->x,
                                      .y = curve->y,
                                      .low = curve->low,
                                      .high = curve->high,
                                      .count = curve->count,
                                      .colour = colour};
    return series;
}

static void add_methods(const struct tk_suite_part *part, const struct tk_suite_key *key,
                        enum tk_figure_sense sense, struct frontier *frontier)
{
    for (const struct tk_suite_method *method = tk_suite_methods; method->name[0]; method++) {
        struct curve *curve = &frontier->curves[frontier->count];
        for (size_t i = 0; i < part->count; i++) {
            const struct tk_suite_item *item = part->items[i];
            struct tk_spread spread = tk_suite_spread(item, key, false);
            if (item->method == method)
                add_point(curve, tk_suite_trace_bytes(part, item), sense, &spread);
        }
        if (curve->count == 0 || frontier->count + 2 >= CURVES_MAX)
            continue;
        add_series(frontier, method->name, method->colour)->is_bold = method->codec != NULL;
    }
}

/* A level across the plot: how far apart two halves of the real traces are, at half their bytes. */
static void add_floor(const struct tk_suite_part *part, const struct tk_suite_key *key,
                      enum tk_figure_sense sense, struct frontier *frontier)
{
    double low = (double)INFINITY;
    double high = 0;
    for (size_t s = 0; s < frontier->count; s++) {
        low = fmin(low, frontier->series[s].x[0]);
        high = fmax(high, frontier->series[s].x[frontier->series[s].count - 1]);
    }
    struct curve *curve = &frontier->curves[frontier->count];
    for (size_t i = 0; i < part->count; i++) {
        const struct tk_suite_item *item = part->items[i];
        struct tk_spread spread = tk_suite_spread(item, key, false);
        if (!item->control || !item->control->is_floor || !(high > 0))
            continue;
        add_point(curve, low, sense, &spread);
        add_point(curve, high, sense, &spread);
    }
    if (curve->count == 0)
        return;
    struct tk_plot_series *series = add_series(frontier, "two halves of the real set", 8);
    series->is_dashed = true;
    series->has_no_marks = true;
    series->low = NULL;
}

/* What others published of other data. */
static void add_published(struct frontier *frontier)
{
    struct curve *curve = &frontier->curves[frontier->count];
    for (const struct tk_published *point = tk_published; point->name[0]; point++) {
        const struct tk_spread one = {point->trigger_f1, point->trigger_f1, point->trigger_f1, 1};
        if (strncmp(point->name, "Gen-T", 5) == 0)
            add_point(curve, point->trace_bytes, TK_FIGURE_SCORE, &one);
    }
    struct tk_plot_series *series = add_series(frontier, "Gen-T: published, other data", 9);
    series->has_no_line = true;
    curve = &frontier->curves[frontier->count];
    for (const struct tk_published *point = tk_published; point->name[0]; point++) {
        const struct tk_spread one = {point->trigger_f1, point->trigger_f1, point->trigger_f1, 1};
        if (strncmp(point->name, "head", 4) == 0)
            add_point(curve, point->trace_bytes, TK_FIGURE_SCORE, &one);
    }
    series = add_series(frontier, "head: published, other data", 8);
    series->is_dashed = true;
}

static void put_plot(const struct tk_suite_part *part, const struct tk_suite_headline *line,
                     bool is_file, struct tk_buf *out)
{
    char title[160];
    enum tk_figure_sense sense = tk_suite_sense(part, &line->key);
    struct frontier *frontier = calloc(1, sizeof(*frontier));
    if (!frontier) {
        out->failure = -ENOMEM;
        return;
    }
    add_methods(part, &line->key, sense, frontier);
    add_floor(part, &line->key, sense, frontier);
    bool is_trigger =
        strcmp(line->key.name, "trigger_correlation") == 0 && line->key.rule == TK_FIGURE_COMPAT;
    if (is_trigger)
        add_published(frontier);
    (void)snprintf(title, sizeof(title), "%s: %s", part->data.name, line->title);
    tk_plot_put(out, &(struct tk_plot){
                         .title = title,
                         .x_label = "bytes per trace",
                         .y_label = sense == TK_FIGURE_SCORE     ? "1 - score: lower is better"
                                    : sense == TK_FIGURE_PERCENT ? "100 - %: lower is better"
                                                                 : "distance: lower is better",
                         .x_log = true,
                         .y_log = true,
                         .series = frontier->series,
                         .series_count = frontier->count,
                         .is_file = is_file});
    free(frontier);
}

static void put_frontier(const struct tk_suite_part *part, const struct tk_suite_headline *line,
                         struct tk_buf *out)
{
    tk_buf_lit(out, "<div class=wide>");
    put_plot(part, line, false, out);
    tk_buf_lit(out, "</div>\n");
}

void tk_suite_put_svg(const struct tk_suite_part *part, struct tk_buf *out)
{
    put_plot(part, &tk_suite_headlines[0], true, out);
    tk_buf_putc(out, '\n');
}

static void put_frontiers(const struct tk_suite_part *part, struct tk_buf *out)
{
    static const struct tk_suite_headline published = {
        {"tasks", "trigger_correlation", TK_FIGURE_COMPAT}, "trigger F1 as Gen-T computes it"};
    int drawn = 0;
    for (const struct tk_suite_headline *line = tk_suite_headlines; line->title; line++) {
        if (tk_suite_sense(part, &line->key) == TK_FIGURE_COUNT)
            continue;
        if (drawn++ == 2)
            tk_buf_lit(out, "<details><summary>More measures against bytes</summary>");
        put_frontier(part, line, out);
    }
    if (tk_suite_sense(part, &published.key) != TK_FIGURE_COUNT)
        put_frontier(part, &published, out);
    if (drawn > 2)
        tk_buf_lit(out, "</details>\n");
}

/* Profiles ------------------------------------------------------------------------------------- */

/* The main item, and a head sample of its size, beside the real traces. */
static void put_profiles(const struct tk_suite_part *part, struct tk_buf *out)
{
    char names[2][96];
    struct tk_page_profile profiles[3] = {{"real", &part->data.profile, 8, true}};
    size_t count = 1;
    const struct tk_suite_item *main = tk_suite_main(part);
    if (!main)
        return;
    const struct tk_suite_item *shown[2] = {main, NULL};
    for (size_t i = 0; i < part->count && !shown[1]; i++) {
        const struct tk_suite_item *item = part->items[i];
        bool is_head = item->method && item != main && strcmp(item->method->name, "head") == 0;
        if (is_head && (item->equal_to == main || main->method == item->method))
            shown[1] = item;
    }
    for (size_t i = 0; i < 2 && shown[i]; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "%s, %.1f B/trace", shown[i]->method->name,
                       tk_suite_trace_bytes(part, shown[i]));
        profiles[count++] = (struct tk_page_profile){names[i], &shown[i]->points[0].profile,
                                                     shown[i]->method->colour, false};
    }
    tk_buf_lit(out, "<h3>Beside the real traces</h3><p class=dim>With the first seed; counts of "
                    "samples are multiplied by what each trace stands for.</p>");
    tk_page_put_profiles(out, &part->data.range, profiles, count);
}

/* Sections ------------------------------------------------------------------------------------- */

static void put_data(const struct tk_suite_data *data, struct tk_buf *out)
{
    char traces[TK_HUMAN_MAX];
    char spans[TK_HUMAN_MAX];
    tk_buf_lit(out, "<h2>");
    tk_html_put(out, data->name);
    tk_buf_printf(out, "</h2><p class=dim>%s traces, %s spans",
                  tk_count_format(data->real->traces, traces),
                  tk_count_format(data->real->rows, spans));
    if (data->all_traces != data->real->traces) {
        tk_buf_printf(out, ", the first of %s traces and %s spans",
                      tk_count_format(data->all_traces, traces),
                      tk_count_format(data->all_spans, spans));
    }
    tk_buf_printf(out, ". Table SHA-256 <code>%.16s…</code>", data->digest);
    if (data->sha256[0])
        tk_buf_printf(out, ", file SHA-256 <code>%.16s…</code>", data->sha256);
    tk_buf_lit(out, "</p>\n");
}

static int put_uninformative(const struct tk_suite_part *part, struct tk_buf *out,
                             struct tk_err *err)
{
    struct tk_suite_key *keys = NULL;
    size_t count = 0;
    size_t found = 0;
    int rc = tk_suite_keys(part, &keys, &count, err);
    tk_buf_lit(out, "<h3>Uninformative figures</h3><p class=dim>A control is wrong on purpose. A "
                    "figure that ranks one above a good method does not see "
                    "what is wrong, and says nothing about this set.</p><ul>");
    for (size_t k = 0; k < count; k++) {
        const struct tk_suite_item *item = NULL;
        const struct tk_control *control = tk_suite_uninformative(part, &keys[k], &item);
        if (!control || !item)
            continue;
        tk_buf_printf(out, "<li>%s %s, %s: %s (%s) stands above %s %s</li>\n", keys[k].group,
                      keys[k].name, keys[k].rule == TK_FIGURE_COMPAT ? "compat" : "strict",
                      control->name, control->shows, item->method->name, item->label);
        found++;
    }
    tk_buf_puts(out, found > 0 ? "</ul>" : "</ul><p>None.</p>");
    free(keys);
    return rc;
}

/* A table under a heading that is folded up. */
static void put_folded(struct tk_buf *out, const char *title, struct tk_sheet *sheet)
{
    tk_buf_printf(out, "<details><summary>%s</summary>", title);
    put_sheet(out, sheet);
    tk_buf_lit(out, "</details>\n");
}

static void put_budgets(const struct tk_suite *suite, const struct tk_suite_part *part,
                        struct tk_buf *out)
{
    struct tk_sheet sheet;
    int shown = 0;
    if (!tk_suite_has_budgets(suite, part))
        return;
    tk_buf_lit(out, "<h3>By budget</h3><p class=dim>Bytes of the whole file. The best of each line "
                    "is bold; - where not even one trace of each kind fits.</p>");
    for (const struct tk_suite_headline *line = tk_suite_headlines; line->title; line++) {
        if (tk_suite_sense(part, &line->key) == TK_FIGURE_COUNT)
            continue;
        tk_suite_sheet_budgets(suite, part, &line->key, &sheet);
        if (shown++ > 0) {
            put_folded(out, line->title, &sheet);
            continue;
        }
        tk_buf_printf(out, "<p>%s</p>", line->title);
        put_sheet(out, &sheet);
    }
}

static void put_topics(const struct tk_suite_part *part, struct tk_buf *out)
{
    struct tk_sheet sheet;
    for (const struct tk_suite_topic *topic = tk_suite_topics; topic->title; topic++) {
        if (!tk_suite_has_topic(part, topic))
            continue;
        tk_buf_printf(out, "<h3>%s</h3><p class=dim>%s</p>", topic->title, topic->help);
        tk_suite_sheet_topic(part, topic, &sheet);
        put_sheet(out, &sheet);
    }
}

static int put_part(const struct tk_suite *suite, const struct tk_suite_part *part,
                    struct tk_buf *out, struct tk_err *err)
{
    struct tk_sheet sheet;
    put_data(&part->data, out);
    put_verdict(part, out);
    put_frontiers(part, out);
    put_budgets(suite, part, out);
    tk_buf_lit(out, "<h3>Query by query at one size</h3>");
    tk_suite_sheet_queries(part, &sheet);
    put_sheet(out, &sheet);
    tk_buf_lit(out, "<h3>Sizes of their own</h3>");
    tk_suite_sheet_points(part, false, &sheet);
    put_sheet(out, &sheet);
    put_topics(part, out);
    if (part->data.next) {
        tk_buf_lit(out, "<h3>Against the next block</h3><p class=dim>The same files against the "
                        "traces that came after: do they describe the system?</p>");
        tk_suite_sheet_points(part, true, &sheet);
        put_sheet(out, &sheet);
    }
    put_profiles(part, out);
    tk_buf_lit(out, "<h3>Controls</h3>");
    tk_suite_sheet_controls(part, &sheet);
    put_sheet(out, &sheet);
    int rc = put_uninformative(part, out, err);
    if (rc < 0)
        return rc;
    rc = tk_suite_sheet_all(part, &sheet, err);
    put_folded(out, "All figures at one size", &sheet);
    if (rc == 0 && !suite->no_cost) {
        tk_suite_sheet_costs(part, &sheet);
        put_folded(out, "What it cost on this machine", &sheet);
    }
    return rc;
}

int tk_suite_put_html(const struct tk_suite *suite, struct tk_buf *out, struct tk_err *err)
{
    int rc = 0;
    tk_page_begin(out, "Fidelity of reduced traces at equal bytes");
    tk_buf_printf(
        out,
        "<p class=dim>tracekit %s, zstd %s, %zu seed%s. Every byte of a file counts; what "
        "is measured was decoded from that file in an empty folder. Figures are means "
        "over seeds with half their 95 %% interval. <i>Strict</i> distances cannot be "
        "fooled by what is missing or permuted; <i>compatible</i> ones are those of the "
        "published tools, faults included.</p>\n",
        TK_VERSION, ZSTD_versionString(), suite->seeds, suite->seeds == 1 ? "" : "s");
    for (size_t p = 0; p < suite->part_count && rc == 0; p++)
        rc = put_part(suite, &suite->parts[p], out, err);
    tk_page_end(out);
    return rc;
}
