/* SPDX-License-Identifier: Apache-2.0 */
/* What a comparison found: as a table with the compatible and the strict figure of a name side by
 * side, as JSON, as CSV. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/human.h"
#include "base/json.h"
#include "base/number.h"
#include "cmd/fidelity.h"
#include "cmd/member.h"
#include "cmd/screen_internal.h"
#include "table/format.h"

static const char *const sense_names[] = {
    [TK_FIGURE_DISTANCE] = "distance",
    [TK_FIGURE_SCORE] = "score",
    [TK_FIGURE_PERCENT] = "percent",
    [TK_FIGURE_COUNT] = "count",
};

static const char *const rule_names[] = {
    [TK_FIGURE_STRICT] = "strict",
    [TK_FIGURE_COMPAT] = "compat",
};

#define OUT_MAX ((size_t)64 << 20)

/* Table ---------------------------------------------------------------------------------------- */

enum { NAME, COMPAT, STRICT, BEST, LAST, COLUMNS };

/* What a figure is at its best. */
static const char *const bests[] = {
    [TK_FIGURE_DISTANCE] = "0",
    [TK_FIGURE_SCORE] = "1",
    [TK_FIGURE_PERCENT] = "100 %",
    [TK_FIGURE_COUNT] = "",
};

/* A row of the table: the figures of one name and detail. */
struct row {
    const struct tk_figure *rules[TK_FIGURE_RULE_COUNT];           /* NULL = none */
    const struct tk_fidelity_judged *judged[TK_FIGURE_RULE_COUNT]; /* likewise */
    const struct tk_figure *first;
};

/* The row that begins with figure `at`; false when an earlier figure is of the same row. */
static bool find_row(const struct tk_fidelity_report *report, size_t at, struct row *ret_row)
{
    const struct tk_figures *figures = report->figures;
    const struct tk_figure *first = &figures->items[at];
    *ret_row = (struct row){.first = first};
    for (size_t i = 0; i < at; i++) {
        if (tk_figure_is_same(&figures->items[i], first))
            return false;
    }
    for (size_t i = at; i < figures->count; i++) {
        if (!tk_figure_is_same(&figures->items[i], first))
            continue;
        ret_row->rules[figures->items[i].rule] = &figures->items[i];
        ret_row->judged[figures->items[i].rule] = tk_fidelity_judged_of(report->controls, i);
    }
    return true;
}

/* Distances with 5 decimals, of which those below still tell that they are not 0. */
static const char *format_value(const struct tk_figure *figure, char text[TK_HUMAN_MAX])
{
    if (!figure)
        return "";
    if (isnan(figure->value))
        return "-";
    if (figure->sense == TK_FIGURE_COUNT)
        return tk_count_format((int64_t)figure->value, text);
    if (figure->sense == TK_FIGURE_PERCENT) {
        (void)snprintf(text, TK_HUMAN_MAX, "%.2f %%", figure->value);
    } else if (figure->value > 0 && figure->value < 0.000005) {
        (void)snprintf(text, TK_HUMAN_MAX, "%.0e", figure->value);
    } else {
        (void)snprintf(text, TK_HUMAN_MAX, figure->value == 0 ? "%.0f" : "%.5f", figure->value);
    }
    return text;
}

/* With a mark where it tells nothing, and where others may have one room for it. */
static const char *format_judged(const struct row *row, enum tk_figure_rule rule, char *text,
                                 size_t cap)
{
    char value[TK_HUMAN_MAX];
    const struct tk_fidelity_judged *judged = row->judged[rule];
    const char *mark = judged ? " " : "";
    if (judged && judged->blind)
        mark = "!";
    (void)snprintf(text, cap, "%s%s", format_value(row->rules[rule], value), mark);
    return text;
}

/* What chance alone makes of it. */
static const char *format_floor(const struct row *row, char text[TK_HUMAN_MAX])
{
    for (size_t rule = 0; rule < TK_FIGURE_RULE_COUNT; rule++) {
        if (row->judged[rule] && row->judged[rule]->floor)
            return format_value(row->judged[rule]->floor, text);
    }
    return "";
}

/* On how much the figures rest: of compat / of strict where these differ. */
static const char *format_samples(const struct row *row, char *text, size_t cap)
{
    char counts[TK_FIGURE_RULE_COUNT][TK_HUMAN_MAX];
    const struct tk_figure *compat = row->rules[TK_FIGURE_COMPAT];
    const struct tk_figure *strict = row->rules[TK_FIGURE_STRICT];
    for (size_t i = 0; i < TK_FIGURE_RULE_COUNT; i++) {
        if (row->rules[i])
            (void)tk_count_format((int64_t)row->rules[i]->samples, counts[i]);
    }
    if (compat && strict && compat->samples != strict->samples) {
        (void)snprintf(text, cap, "%s / %s", counts[TK_FIGURE_COMPAT], counts[TK_FIGURE_STRICT]);
    } else {
        (void)snprintf(text, cap, "%s", counts[compat ? TK_FIGURE_COMPAT : TK_FIGURE_STRICT]);
    }
    return text;
}

static void add_row(struct tk_grid *grid, const struct tk_look *look, const struct row *row,
                    bool has_floor)
{
    char text[3 * TK_HUMAN_MAX];
    char name[256];
    struct tk_cell cell;
    const struct tk_figure *first = row->first;
    bool is_mean = strcmp(first->name, "mean") == 0 && !first->detail.p;
    (void)snprintf(name, sizeof(name), "%s%s%.*s", first->name, first->detail.n > 0 ? ", " : "",
                   TK_STR_ARG(first->detail));
    tk_grid_add(grid);
    tk_grid_set(grid, NAME, tk_cell_clean(look, tk_str_from(name), &cell));
    tk_grid_set(grid, COMPAT, format_judged(row, TK_FIGURE_COMPAT, text, sizeof(text)));
    tk_grid_set(grid, STRICT, format_judged(row, TK_FIGURE_STRICT, text, sizeof(text)));
    tk_grid_set(grid, BEST, bests[first->sense]);
    if (has_floor) {
        tk_grid_set(grid, LAST, format_floor(row, text));
    } else {
        tk_grid_set(grid, LAST, format_samples(row, text, sizeof(text)));
    }
    if (is_mean)
        tk_grid_set_style(grid, NAME, TK_STYLE_TITLE);
}

/* Whether a figure before `at` of the group that is shown has the same reason. */
static bool is_told(const struct tk_fidelity_report *report, size_t at)
{
    const struct tk_figures *figures = report->figures;
    for (size_t i = 0; i < at; i++) {
        const struct tk_figure *figure = &figures->items[i];
        bool is_shown = report->with_details || !figure->detail.p;
        if (is_shown && figure->reason && strcmp(figure->reason, figures->items[at].reason) == 0 &&
            strcmp(figure->group, figures->items[at].group) == 0)
            return true;
    }
    return false;
}

/* Why figures of the group are "-", each reason once. */
static void put_reasons(const struct tk_fidelity_report *report, const struct tk_look *look,
                        const char *group, struct tk_buf *out)
{
    for (size_t i = 0; i < report->figures->count; i++) {
        const struct tk_figure *figure = &report->figures->items[i];
        bool is_shown = report->with_details || !figure->detail.p;
        if (is_shown && figure->reason && strcmp(figure->group, group) == 0 &&
            !is_told(report, i)) {
            tk_style_printf(out, look, TK_STYLE_DIM, "-  %s", figure->reason);
            tk_buf_putc(out, '\n');
        }
    }
}

/* One group: the figures from `at` on that have its name. */
static int put_group(const struct tk_fidelity_report *report, const struct tk_look *look, size_t at,
                     struct tk_buf *out, struct tk_err *err)
{
    const struct tk_figures *figures = report->figures;
    const char *group = figures->items[at].group;
    bool has_floor = report->controls && !report->with_details;
    const struct tk_grid_column columns[COLUMNS] = {
        [NAME] = {group, .width = 36, .cut = true},
        [COMPAT] = {"compat", .width = 9, .right = true},
        [STRICT] = {"strict", .width = 9, .right = true, .style = TK_STYLE_TITLE},
        [BEST] = {"best", .width = 5, .right = true, .style = TK_STYLE_DIM},
        [LAST] = {has_floor ? "floor" : "rests on", .width = 13, .cut = true, .right = true,
                  .style = TK_STYLE_DIM},
    };
    const struct tk_grid_options options = {columns, COLUMNS};
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    int rc = tk_grid_new(look, &options, &grid, err);
    if (rc < 0)
        return rc;
    for (; at < figures->count; at++) {
        struct row row;
        bool is_shown = report->with_details || !figures->items[at].detail.p;
        if (is_shown && strcmp(figures->items[at].group, group) == 0 && find_row(report, at, &row))
            add_row(grid, look, &row, has_floor);
    }
    tk_buf_putc(out, '\n');
    rc = tk_grid_write(grid, out, err);
    put_reasons(report, look, group, out);
    return rc;
}

static bool is_first_of_group(const struct tk_figures *figures, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (strcmp(figures->items[i].group, figures->items[at].group) == 0)
            return false;
    }
    return true;
}

static void put_sets(const struct tk_fidelity_report *report, const struct tk_look *look,
                     struct tk_buf *out)
{
    for (int i = 0; i < 2; i++) {
        char traces[TK_HUMAN_MAX];
        char spans[TK_HUMAN_MAX];
        const struct tk_span_table *table = report->tables[i];
        tk_style_printf(out, look, TK_STYLE_TITLE, "%s", i == 0 ? "A" : "B");
        tk_buf_printf(out, "  %s trace%s, %s span%s  ", tk_count_format(table->traces, traces),
                      tk_count_ending(table->traces), tk_count_format(table->rows, spans),
                      tk_count_ending(table->rows));
        tk_text_put_clean(out, look, tk_str_from(report->names[i]));
        tk_style_printf(out, look, TK_STYLE_DIM, "%s", i == 0 ? "" : "  (real)");
        tk_buf_putc(out, '\n');
    }
}

/* Which figures tell nothing, and what a control that they like better is. */
static void put_blind(const struct tk_fidelity_report *report, const struct tk_look *look,
                      struct tk_buf *out)
{
    bool is_named[TK_FIDELITY_CONTROLS] = {false};
    const struct tk_fidelity_controls *controls = report->controls;
    size_t begin = out->n;
    for (size_t i = 0; i < report->figures->count; i++) {
        const struct tk_figure *figure = &report->figures->items[i];
        const struct tk_control *blind = controls->judged[i].blind;
        if (!blind || (figure->detail.p && !report->with_details))
            continue;
        if (out->n == begin)
            tk_buf_lit(out, "\n!  no use here: traces that are wrong on purpose come out better\n");
        tk_buf_printf(out, "   %s %s %s: %s\n", figure->group, figure->name,
                      rule_names[figure->rule], blind->name);
        for (size_t c = 0; c < controls->count; c++)
            is_named[c] |= controls->items[c].control == blind;
    }
    for (size_t c = 0; c < controls->count; c++) {
        if (!is_named[c])
            continue;
        tk_style_printf(out, look, TK_STYLE_DIM, "   %s: %s", controls->items[c].control->name,
                        controls->items[c].control->help);
        tk_buf_putc(out, '\n');
    }
}

static void put_legend(const struct tk_fidelity_report *report, const struct tk_look *look,
                       struct tk_buf *out)
{
    if (!report->controls)
        return;
    put_blind(report, look, out);
    if (report->with_details)
        return;
    tk_buf_putc(out, '\n');
    tk_style_printf(out, look, TK_STYLE_DIM,
                    "floor  what chance makes: two random halves of B, one against the other");
    tk_buf_putc(out, '\n');
}

int tk_fidelity_put_table(const struct tk_fidelity_report *report, const struct tk_look *look,
                          struct tk_buf *out, struct tk_err *err)
{
    int rc = 0;
    put_sets(report, look, out);
    for (size_t i = 0; i < report->figures->count && rc == 0; i++) {
        if (is_first_of_group(report->figures, i))
            rc = put_group(report, look, i, out, err);
    }
    put_legend(report, look, out);
    return rc;
}

/* JSON and CSV --------------------------------------------------------------------------------- */

static void put_set(struct tk_buf *out, const char *key, const char *name,
                    const struct tk_span_table *table)
{
    tk_member_open(out, key, '{');
    tk_member_put_text(out, "name", tk_str_from(name));
    tk_member_put_i64(out, "traces", table->traces);
    tk_member_put_i64(out, "spans", table->rows);
    tk_member_put_i64(out, "duplicates", (int64_t)table->duplicates);
    tk_member_put_i64(out, "cycles", (int64_t)table->cycles);
    tk_member_put_i64(out, "edgeless", (int64_t)table->edgeless);
    tk_buf_putc(out, '}');
}

void tk_fidelity_put_figure(struct tk_buf *out, const struct tk_figure *figure,
                            const struct tk_fidelity_judged *judged)
{
    tk_element_open(out, '{');
    tk_member_put_text(out, "group", tk_str_from(figure->group));
    tk_member_put_text(out, "name", tk_str_from(figure->name));
    tk_member_put_text(out, "detail", figure->detail);
    tk_member_put_text(out, "rule", tk_str_from(rule_names[figure->rule]));
    tk_member_put_text(out, "sense", tk_str_from(sense_names[figure->sense]));
    tk_member_put_f64(out, "value", figure->value, TK_SHORTEST);
    tk_member_put_text(out, "reason", tk_str_from(figure->reason));
    tk_member_put_i64(out, "samples", (int64_t)figure->samples);
    if (judged) {
        tk_member_put_f64(out, "floor", judged->floor ? judged->floor->value : (double)NAN,
                          TK_SHORTEST);
        tk_member_put_text(out, "uninformative",
                           tk_str_from(judged->blind ? judged->blind->name : NULL));
    }
    tk_buf_putc(out, '}');
}

/* A control with its figures of the whole. */
static void put_control(struct tk_buf *out, const struct tk_fidelity_measured *measured)
{
    tk_element_open(out, '{');
    tk_member_put_text(out, "name", tk_str_from(measured->control->name));
    tk_member_put_text(out, "about", tk_str_from(measured->control->help));
    tk_member_put_text(out, "shows", tk_str_from(measured->control->shows));
    tk_member_open(out, "figures", '[');
    for (size_t i = 0; i < measured->figures.count; i++) {
        if (!measured->figures.items[i].detail.p)
            tk_fidelity_put_figure(out, &measured->figures.items[i], NULL);
    }
    tk_buf_lit(out, "]}");
}

void tk_fidelity_put_json(const struct tk_fidelity_report *report, struct tk_buf *out)
{
    tk_buf_putc(out, '{');
    put_set(out, "a", report->names[0], report->tables[0]);
    put_set(out, "b", report->names[1], report->tables[1]);
    tk_member_open(out, "figures", '[');
    for (size_t i = 0; i < report->figures->count; i++) {
        tk_fidelity_put_figure(out, &report->figures->items[i],
                               tk_fidelity_judged_of(report->controls, i));
    }
    tk_buf_putc(out, ']');
    if (report->controls) {
        tk_member_open(out, "controls", '[');
        for (size_t i = 0; i < report->controls->count; i++)
            put_control(out, &report->controls->items[i]);
        tk_buf_putc(out, ']');
    }
    tk_buf_lit(out, "}\n");
}

void tk_fidelity_put_csv(const struct tk_figures *figures,
                         const struct tk_fidelity_controls *controls, struct tk_buf *out)
{
    tk_buf_lit(out, "group,name,detail,rule,sense,value,reason,samples,floor,uninformative\n");
    for (size_t i = 0; i < figures->count; i++) {
        const struct tk_figure *figure = &figures->items[i];
        tk_buf_printf(out, "%s,%s,", figure->group, figure->name);
        if (figure->detail.n > 0)
            tk_csv_put_text(out, figure->detail);
        tk_buf_printf(out, ",%s,%s,", rule_names[figure->rule], sense_names[figure->sense]);
        if (!isnan(figure->value))
            tk_buf_put_f64(out, figure->value, TK_SHORTEST);
        tk_buf_printf(out, ",%s,%llu,", figure->reason ? figure->reason : "",
                      (unsigned long long)figure->samples);
        const struct tk_fidelity_judged *judged = tk_fidelity_judged_of(controls, i);
        if (judged && judged->floor)
            tk_buf_put_f64(out, judged->floor->value, TK_SHORTEST);
        tk_buf_printf(out, ",%s\n", judged && judged->blind ? judged->blind->name : "");
    }
}

int tk_fidelity_print(const struct tk_fidelity_call *call, const struct tk_fidelity_report *report,
                      struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    TK_CLEANUP(tk_look_release) struct tk_look look;
    tk_buf_init(&out, OUT_MAX);
    tk_look_init(&look, STDOUT_FILENO);
    int rc = 0;
    if (call->opts->format == TK_FIDELITY_JSON) {
        tk_fidelity_put_json(report, &out);
    } else if (call->opts->format == TK_FIDELITY_CSV) {
        tk_fidelity_put_csv(report->figures, report->controls, &out);
    } else {
        rc = tk_fidelity_put_table(report, &look, &out, err);
    }
    rc = rc < 0 ? rc : tk_buf_check(&out, "report", err);
    return rc < 0 ? rc : tk_fd_write(STDOUT_FILENO, tk_buf_str(&out), "stdout", err);
}
