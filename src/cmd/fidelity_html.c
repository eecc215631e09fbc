/* SPDX-License-Identifier: Apache-2.0 */
/* A comparison of two sets of traces as a page: plots of both, and all figures. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/human.h"
#include "cmd/fidelity.h"
#include "cmd/fidelity_page.h"
#include "cmd/suite.h"
#include "report/plot.h"
#include "report/sheet.h"

#define OUT_MAX ((size_t)64 << 20)

static bool is_twin(const struct tk_figure *a, const struct tk_figure *b)
{
    return a->rule != b->rule && tk_figure_is_same(a, b);
}

/* A value, and what controls say of it. */
static void set_value(struct tk_sheet *sheet, const struct tk_fidelity_report *report, size_t i)
{
    const struct tk_figure *figure = &report->figures->items[i];
    size_t column = figure->rule == TK_FIGURE_COMPAT ? 1 : 2;
    if (isnan(figure->value)) {
        tk_sheet_set(sheet, column, TK_SHEET_DIM, "%s", figure->reason ? figure->reason : "-");
    } else {
        tk_sheet_set(sheet, column, TK_SHEET_PLAIN, "%.5g", figure->value);
    }
    tk_sheet_set(sheet, 4, TK_SHEET_DIM, "%llu", (unsigned long long)figure->samples);
    const struct tk_fidelity_judged *judged = tk_fidelity_judged_of(report->controls, i);
    if (judged && judged->floor)
        tk_sheet_set(sheet, 5, TK_SHEET_DIM, "%.5g", judged->floor->value);
    if (judged && judged->blind) {
        tk_sheet_set(sheet, 6, TK_SHEET_DIM, "%s: %s is better",
                     figure->rule == TK_FIGURE_COMPAT ? "compat" : "strict", judged->blind->name);
    }
}

/* A figure with its twin of the other rule in one line. */
static void add_figure(struct tk_sheet *sheet, const struct tk_fidelity_report *report, size_t i)
{
    const struct tk_figures *figures = report->figures;
    static const char *const senses[] = {"0 is best", "1 is best", "100 is best", ""};
    const struct tk_figure *figure = &figures->items[i];
    for (size_t k = 0; k < i; k++) {
        if (is_twin(&figures->items[k], figure))
            return;
    }
    tk_sheet_add(sheet);
    tk_sheet_set(sheet, 0, TK_SHEET_PLAIN, "%s%s%.*s", figure->name, figure->detail.n ? ", " : "",
                 TK_STR_ARG(figure->detail));
    tk_sheet_set(sheet, 3, TK_SHEET_DIM, "%s", senses[figure->sense]);
    set_value(sheet, report, i);
    for (size_t k = i + 1; k < figures->count; k++) {
        if (is_twin(&figures->items[k], figure))
            set_value(sheet, report, k);
    }
}

/* Figures of a group: of the whole, or those of parts. */
static void put_group(struct tk_buf *out, const struct tk_fidelity_report *report,
                      const char *group, bool of_parts)
{
    const struct tk_figures *figures = report->figures;
    TK_CLEANUP(tk_sheet_release) struct tk_sheet sheet;
    static const char *const heads[] = {"",      "compat", "strict", "", "values behind it",
                                        "floor", ""};
    size_t columns = report->controls ? TK_COUNTOF(heads) : TK_COUNTOF(heads) - 2;
    tk_sheet_init(&sheet, columns);
    tk_sheet_add(&sheet);
    for (size_t c = 0; c < columns; c++)
        tk_sheet_set(&sheet, c, TK_SHEET_PLAIN, "%s", heads[c]);
    for (size_t i = 0; i < figures->count; i++) {
        if ((figures->items[i].detail.n > 0) == of_parts &&
            strcmp(figures->items[i].group, group) == 0)
            add_figure(&sheet, report, i);
    }
    if (sheet.rows > 1) {
        tk_buf_printf(out, "<h3>%s</h3>", group);
        tk_sheet_put_html(&sheet, out);
    }
}

/* Each group once, in their order. */
static void put_figures(struct tk_buf *out, const struct tk_fidelity_report *report, bool of_parts)
{
    const struct tk_figures *figures = report->figures;
    for (size_t i = 0; i < figures->count; i++) {
        size_t first = 0;
        while (strcmp(figures->items[first].group, figures->items[i].group) != 0)
            first++;
        if (first == i)
            put_group(out, report, figures->items[i].group, of_parts);
    }
}

/* At a glance ---------------------------------------------------------------------------------- */

#define GOOD_LOSS 0.02
#define FAIR_LOSS 0.1

static const struct tk_figure *find_figure(const struct tk_figures *figures,
                                           const struct tk_suite_key *key)
{
    for (size_t i = 0; i < figures->count; i++) {
        const struct tk_figure *figure = &figures->items[i];
        if (figure->rule == key->rule && figure->detail.n == 0 &&
            strcmp(figure->group, key->group) == 0 && strcmp(figure->name, key->name) == 0)
            return figure;
    }
    return NULL;
}

/* A figure, how near to perfect it is as a bar, and what perfect is. Compatible distances have no
 * worst value, so that nothing can be drawn of them. */
static void put_tile(struct tk_buf *out, const struct tk_suite_headline *line,
                     const struct tk_figure *figure)
{
    static const char *const best[] = {"0 is perfect", "1 is perfect", "100 is perfect", ""};
    bool is_percent = figure->sense == TK_FIGURE_PERCENT;
    double loss = tk_figure_loss(figure->sense, figure->value) / (is_percent ? 100 : 1);
    const char *grade = loss <= GOOD_LOSS ? "ok" : loss <= FAIR_LOSS ? "fair" : "bad";
    tk_buf_lit(out, "<div class=tile><span class=dim>");
    tk_html_put(out, line->title);
    if (isnan(figure->value)) {
        tk_buf_lit(out, "</span><b>-</b><small class=dim>");
        tk_html_put(out, figure->reason ? figure->reason : "");
    } else if (figure->rule == TK_FIGURE_COMPAT) {
        tk_buf_printf(out, "</span><b>%.4g</b><small class=dim>%s", figure->value,
                      best[figure->sense]);
    } else {
        tk_buf_printf(out,
                      "</span><b class=%s>%.4g</b><i class=%s style='width:%.1f%%'></i>"
                      "<small class=dim>%s",
                      grade, figure->value, grade, fmax(0, 1 - loss) * 100, best[figure->sense]);
    }
    tk_buf_lit(out, "</small></div>");
}

static void put_glance(struct tk_buf *out, const struct tk_figures *figures)
{
    size_t begin = out->n;
    for (const struct tk_suite_headline *line = tk_suite_headlines; line->title; line++) {
        const struct tk_figure *figure = find_figure(figures, &line->key);
        if (!figure)
            continue;
        if (out->n == begin)
            tk_buf_lit(out, "<h2>At a glance</h2><div class=tiles>");
        put_tile(out, line, figure);
    }
    if (out->n > begin) {
        tk_buf_lit(out, "</div><p class=dim>A full bar is perfect. Green: within 2 % of it, "
                        "yellow: within 10 %, red: further away.</p>\n");
    }
}

/* The page ------------------------------------------------------------------------------------- */

#define NAME_BYTES 61

/* What a reader knows a set by: the last part of its path, without slashes at its end. */
static const char *base_name(const char *path, char room[NAME_BYTES])
{
    tk_str text = tk_str_from(path);
    while (text.n > 1 && text.p[text.n - 1] == '/')
        text.n--;
    (void)snprintf(room, NAME_BYTES, "%.*s", TK_STR_ARG(tk_str_base_name(text)));
    return room;
}

static void put_head(struct tk_buf *out, const struct tk_fidelity_report *report)
{
    char title[160];
    char counts[4][TK_HUMAN_MAX];
    const struct tk_span_table *a = report->tables[0];
    const struct tk_span_table *b = report->tables[1];
    char names[2][NAME_BYTES];
    (void)snprintf(title, sizeof(title), "Fidelity of %s to %s",
                   base_name(report->names[0], names[0]), base_name(report->names[1], names[1]));
    tk_page_begin(out, title);
    tk_buf_printf(out,
                  "<p class=dim>%s traces and %s spans against %s traces and %s spans. "
                  "<i>Compat</i> is what the published tools compute, faults included; "
                  "<i>strict</i> cannot be fooled by what is missing or permuted.</p>\n",
                  tk_count_format(a->traces, counts[0]), tk_count_format(a->rows, counts[1]),
                  tk_count_format(b->traces, counts[2]), tk_count_format(b->rows, counts[3]));
}

/* Counts of a sample as those of all. */
static void scale(struct tk_profile *profile, int64_t sample_of)
{
    for (size_t w = 0; sample_of > 1 && w < TK_PROFILE_WINDOWS; w++) {
        profile->spans[w] *= (double)sample_of;
        profile->errors[w] *= (double)sample_of;
    }
}

/* What the controls are that figures are set beside. */
static void put_controls(struct tk_buf *out, const struct tk_fidelity_report *report)
{
    if (!report->controls)
        return;
    tk_buf_lit(out, "<p class=dim>Beside each figure: its floor, which is what chance makes (two "
                    "random halves of the real traces, one against the other), and traces that are "
                    "wrong on purpose where they come out better, so that it tells nothing "
                    "here:</p><ul class=dim>");
    for (size_t i = 0; i < report->controls->count; i++) {
        const struct tk_control *control = report->controls->items[i].control;
        if (!control->is_floor)
            tk_buf_printf(out, "<li>%s: %s</li>", control->name, control->help);
    }
    tk_buf_lit(out, "</ul>\n");
}

static int put_page(const struct tk_fidelity_report *report, struct tk_buf *out, struct tk_err *err)
{
    struct tk_profile a;
    struct tk_profile b;
    struct tk_profile_range range = tk_profile_range_of(report->tables[1]);
    int rc = tk_profile_read(report->tables[0], &range, &a, err);
    rc = rc < 0 ? rc : tk_profile_read(report->tables[1], &range, &b, err);
    if (rc < 0)
        return rc;
    scale(&a, report->sample_of);
    char names[2][NAME_BYTES];
    const struct tk_page_profile profiles[] = {
        {base_name(report->names[1], names[1]), &b, 8, true},
        {base_name(report->names[0], names[0]), &a, 0, false}};
    put_head(out, report);
    put_glance(out, report->figures);
    tk_buf_lit(out, "<h2>Side by side</h2>");
    if (report->sample_of > 1) {
        tk_buf_printf(out, "<p class=dim>Counts of the sample are multiplied by %lld.</p>",
                      (long long)report->sample_of);
    }
    tk_page_put_profiles(out, &range, profiles, TK_COUNTOF(profiles));
    tk_buf_lit(out, "<h2>Figures</h2>");
    put_controls(out, report);
    put_figures(out, report, false);
    tk_buf_lit(out, "<details><summary>Figures of parts</summary>");
    put_figures(out, report, true);
    tk_buf_lit(out, "</details>\n");
    tk_page_end(out);
    return 0;
}

int tk_fidelity_write_html(const struct tk_fidelity_report *report, const char *path,
                           struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, OUT_MAX);
    int rc = put_page(report, &out, err);
    rc = rc < 0 ? rc : tk_buf_check(&out, "page", err);
    return rc < 0 ? rc : tk_file_write(AT_FDCWD, path, tk_buf_str(&out), 0666, err);
}
