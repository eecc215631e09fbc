/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/trace_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/human.h"
#include "cmd/bill_text.h"
#include "cmd/screen_internal.h"
#include "cmd/span_store.h"
#include "cmd/trace_view_internal.h"
#include "report/report.h"

/* Columns of a line: marks, name, bar, duration, self time, with gaps of two. */
enum { MARKS = 3, FIGURE = 10, GAP = 2, LEAST_BAR = 8, MOST_BAR = 80, GUIDE = 2 };

/* Children that are being drawn. */
struct level {
    uint32_t next; /* sibling to draw next */
    uint32_t end;
    bool more; /* another one follows the one that is being drawn */
};

struct drawing {
    const struct tk_trace_tree *tree;
    const struct tk_trace_layout *layout;
    const struct tk_look *look;
    struct tk_buf *out;
    struct tk_buf cell; /* being made */
    struct level *levels;
    int name_width;
    int bar_width;
    uint32_t max_guides; /* levels for which there is room */
};

/* Figures ----------------------------------------------------------------------------- */

/* A column of figures, where the terminal is as wide. */
struct figure {
    const char *heading;
    int from_width;
    bool of_bills;
    void (*format)(const struct tk_trace_group *group, char text[TK_HUMAN_MAX]);
};

static void format_duration(const struct tk_trace_group *group, char text[TK_HUMAN_MAX])
{
    (void)tk_duration_format(group->duration_ns, text);
}

static void format_self(const struct tk_trace_group *group, char text[TK_HUMAN_MAX])
{
    (void)tk_duration_format(group->self_ns, text);
}

static void format_cpu(const struct tk_trace_group *group, char text[TK_HUMAN_MAX])
{
    (void)tk_bill_cpu_format(group->cpu_ns, group->is_bound, text);
}

static void format_memory(const struct tk_trace_group *group, char text[TK_HUMAN_MAX])
{
    (void)tk_bill_bytes_format(group->max_rss_bytes, text);
}

static void format_io(const struct tk_trace_group *group, char text[TK_HUMAN_MAX])
{
    (void)tk_bill_bytes_format(group->io_bytes, text);
}

static const struct figure figures[] = {
    {"duration", 0, false, format_duration}, {"self", 60, false, format_self},
    {"CPU", 80, true, format_cpu},           {"memory", 100, true, format_memory},
    {"I/O", 120, true, format_io},
};

static bool shows_figure(const struct drawing *drawing, const struct figure *figure)
{
    return drawing->look->width >= figure->from_width &&
           (!figure->of_bills || drawing->layout->view->bills);
}

/* Lines ------------------------------------------------------------------------------- */

/* The lines of the tree that lead to a node. Where there is no room for all, those next to the root
 * are left out, and a number tells how many. */
static void put_guides(const struct drawing *drawing, uint32_t depth, struct tk_buf *cell)
{
    static const char *const marks[2][2][2] = {{{"  ", "`-"}, {"| ", "|-"}},
                                               {{"  ", "\u2514 "}, {"\u2502 ", "\u251c "}}};
    uint32_t first = 1;
    if (depth > drawing->max_guides) {
        first = depth - drawing->max_guides + 1;
        tk_buf_printf(cell, "+%u ", first - 1);
    }
    for (uint32_t level = first; level <= depth; level++) {
        tk_buf_puts(cell, marks[drawing->look->utf8][drawing->levels[level].more][level == depth]);
    }
}

static void put_mark(const struct drawing *drawing, bool is_there, enum tk_style style,
                     const char *mark)
{
    if (is_there) {
        tk_style_printf(drawing->out, drawing->look, style, "%s", mark);
    } else {
        tk_buf_putc(drawing->out, ' ');
    }
}

/* The service where it is another than the parent's, and the operation. */
static void put_name(const struct drawing *drawing, const struct tk_trace_node *node,
                     struct tk_buf *cell)
{
    const struct tk_trace_tree *tree = drawing->tree;
    const struct tk_span_batch *batch = tree->batch;
    const char *begin = "";
    tk_str service = tk_span_service(batch, node->row);
    bool is_new = node->parent == TK_TRACE_NONE ||
                  !tk_str_eq(service, tk_span_service(batch, tree->nodes[node->parent].row));
    if (is_new && service.n > 0) {
        begin = tk_style_begin(drawing->look, TK_STYLE_TITLE);
        tk_buf_puts(cell, begin);
        tk_text_put_clean(cell, drawing->look, service);
        tk_buf_puts(cell, *begin ? "\033[0m " : " ");
    }
    if (batch->statuses[node->row] == TK_SPAN_ERROR) {
        begin = tk_style_begin(drawing->look, TK_STYLE_BAD);
    } else {
        begin = "";
    }
    tk_buf_puts(cell, begin);
    tk_text_put_clean(cell, drawing->look, tk_span_name(batch, node->row));
    tk_buf_puts(cell, *begin ? "\033[0m" : "");
}

/* The cell, cut and filled up to `width` columns. */
static void put_cell(struct drawing *drawing, int width)
{
    tk_str cell = tk_buf_str(&drawing->cell);
    size_t before = drawing->out->n;
    tk_text_put_cut(drawing->out, drawing->look, cell, width);
    const tk_str put = {drawing->out->p + before, drawing->out->n - before};
    if (tk_buf_ok(drawing->out))
        tk_buf_printf(drawing->out, "%*s", width - tk_text_width(drawing->look, put), "");
    tk_buf_reset(&drawing->cell);
}

static void put_bar(const struct drawing *drawing, int64_t start_ns, int64_t end_ns,
                    bool is_critical)
{
    static const char *const marks[2][2] = {{"=", "#"}, {"\u2592", "\u2588"}};
    const struct tk_trace_tree *tree = drawing->tree;
    double scale = (double)drawing->bar_width / (double)(tree->end_ns - tree->start_ns + 1);
    int begin = (int)((double)(start_ns - tree->start_ns) * scale);
    int end = (int)((double)(end_ns - tree->start_ns) * scale + 0.999);
    end = end > begin ? end : begin + 1;
    tk_buf_printf(drawing->out, "%*s", begin, "");
    const char *style = tk_style_begin(drawing->look, TK_STYLE_CHART);
    tk_buf_puts(drawing->out, style);
    for (int i = begin; i < end; i++)
        tk_buf_puts(drawing->out, marks[drawing->look->utf8][is_critical]);
    tk_buf_puts(drawing->out, *style ? "\033[0m" : "");
    tk_buf_printf(drawing->out, "%*s", drawing->bar_width - end, "");
}

static void put_line(struct drawing *drawing, const struct tk_trace_group *group, uint32_t depth)
{
    const struct tk_trace_tree *tree = drawing->tree;
    const struct tk_trace_node *node = &tree->nodes[group->first];
    bool is_critical = (group->flags & TK_TRACE_CRITICAL) != 0;
    char times[TK_HUMAN_MAX] = "";
    put_mark(drawing, is_critical, TK_STYLE_CHART, drawing->look->utf8 ? "\u25cf" : "*");
    put_mark(drawing, tree->batch->statuses[node->row] == TK_SPAN_ERROR, TK_STYLE_BAD, "!");
    tk_buf_putc(drawing->out, ' ');
    if (group->count > 1)
        (void)snprintf(times, sizeof(times), " x %u", group->count);
    put_guides(drawing, depth, &drawing->cell);
    put_name(drawing, node, &drawing->cell);
    put_cell(drawing, drawing->name_width - (int)strlen(times));
    tk_style_printf(drawing->out, drawing->look, TK_STYLE_WARN, "%s", times);
    tk_buf_printf(drawing->out, "%*s", GAP, "");
    put_bar(drawing, node->start_ns, group->end_ns, is_critical);
    for (size_t i = 0; i < TK_COUNTOF(figures); i++) {
        char text[TK_HUMAN_MAX];
        if (!shows_figure(drawing, &figures[i]))
            continue;
        figures[i].format(group, text);
        tk_buf_printf(drawing->out, "%*s%*s", GAP, "", FIGURE, text);
    }
    tk_buf_putc(drawing->out, '\n');
}

/* The tree ---------------------------------------------------------------------------- */

/* Draw the next child of a level; the children of the slowest of its group are the next level. */
static uint32_t draw_next(struct drawing *drawing, uint32_t depth)
{
    const struct tk_trace_layout *layout = drawing->layout;
    struct level *level = &drawing->levels[depth];
    uint32_t k = level->next;
    const struct tk_trace_group *group = &layout->groups[layout->group_ids[k]];
    level->next = tk_trace_layout_next(layout, k + drawing->tree->nodes[k].size, level->end);
    level->more = level->next < level->end;
    put_line(drawing, group, depth);
    tk_trace_view_put_details(
        drawing->tree, group->slowest, layout->view, drawing->look,
        MARKS + GUIDE * (int)(depth < drawing->max_guides ? depth + 1 : drawing->max_guides + 1),
        drawing->out);
    const struct tk_trace_node *slowest = &drawing->tree->nodes[group->slowest];
    uint32_t end = group->slowest + slowest->size;
    drawing->levels[depth + 1] =
        (struct level){tk_trace_layout_next(layout, group->slowest + 1, end), end, false};
    return depth + 1;
}

static void draw_tree(struct drawing *drawing)
{
    uint32_t depth = 0;
    uint32_t end = drawing->tree->count;
    drawing->levels[0] = (struct level){tk_trace_layout_next(drawing->layout, 0, end), end, false};
    for (;;) {
        if (drawing->levels[depth].next < drawing->levels[depth].end) {
            depth = draw_next(drawing, depth);
        } else if (depth-- == 0) {
            return;
        }
    }
}

/* Around it --------------------------------------------------------------------------- */

static void put_header(const struct tk_trace_tree *tree, const struct tk_look *look,
                       struct tk_buf *out)
{
    char id[TK_TRACE_ID_MAX];
    char time[TK_TIME_MAX];
    char figure[TK_HUMAN_MAX];
    const char *separator = tk_screen_separator(look);
    TK_CLEANUP(tk_buf_release) struct tk_buf line;
    tk_buf_init(&line, TK_SCREEN_MAX);
    tk_style_printf(out, look, TK_STYLE_TITLE, "trace %s\n",
                    tk_trace_id_cstr(tree->batch->trace_ids[tree->nodes[0].row], id));
    tk_buf_printf(&line, "%s UTC%s%s%s", tk_span_time_format(tree->start_ns, true, time), separator,
                  tk_duration_format(tree->end_ns - tree->start_ns, figure), separator);
    tk_buf_printf(&line, "%s span%s%s", tk_count_format(tree->count, figure),
                  tk_count_ending(tree->count), separator);
    tk_buf_printf(&line, "%u service%s", tree->services, tk_count_ending(tree->services));
    if (tree->errors > 0) {
        tk_buf_puts(&line, separator);
        tk_style_printf(&line, look, TK_STYLE_BAD, "%s error%s",
                        tk_count_format(tree->errors, figure), tk_count_ending(tree->errors));
    }
    tk_text_put_cut(out, look, tk_buf_str(&line), look->width);
    tk_buf_lit(out, "\n\n");
}

static void put_heading(const struct drawing *drawing)
{
    tk_style_printf(drawing->out, drawing->look, TK_STYLE_DIM, "%*s%-*.*s%*s%-*s", MARKS, "",
                    drawing->name_width, drawing->name_width, "service operation", GAP, "",
                    drawing->bar_width, "time");
    for (size_t i = 0; i < TK_COUNTOF(figures); i++) {
        if (shows_figure(drawing, &figures[i])) {
            tk_style_printf(drawing->out, drawing->look, TK_STYLE_DIM, "%*s%*s", GAP, "", FIGURE,
                            figures[i].heading);
        }
    }
    tk_buf_putc(drawing->out, '\n');
}

/* One line of what was found, where there is any of it. */
static void put_note(const struct tk_look *look, struct tk_buf *out, uint32_t count,
                     const char *one, const char *many)
{
    char figure[TK_HUMAN_MAX];
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, TK_SCREEN_MAX);
    if (count == 0)
        return;
    tk_buf_printf(&text, "%s %s", tk_count_format(count, figure), count == 1 ? one : many);
    tk_buf_printf(out, "%*s", MARKS, "");
    tk_text_put_wrapped(out, look, tk_buf_str(&text), MARKS, MARKS);
}

static void put_notes(const struct drawing *drawing)
{
    const struct tk_trace_tree *tree = drawing->tree;
    const struct {
        uint32_t count;
        const char *one;
        const char *many;
    } notes[] = {
        {drawing->layout->hidden, "shorter span is hidden (--min)",
         "shorter spans are hidden (--min)"},
        {drawing->layout->folded, "span like others, or below such a one, is not drawn (--all)",
         "spans like others, or below such, are not drawn (--all)"},
        {tree->orphans, "span names a parent that is not in the trace",
         "spans name parents that are not in the trace"},
        {tree->cycles, "span was its own ancestor: made a root",
         "spans were their own ancestors: made roots"},
        {tree->duplicates, "span came twice: left out", "spans came twice: left out"},
        {tree->twins, "span has the id of another", "spans have the id of another"},
        {tree->moved, "span moved to where it can have been, its host's clock is off (--raw)",
         "spans moved to where they can have been, clocks of their hosts are off (--raw)"},
        {tree->outside, "span is not inside its parent", "spans are not inside their parents"},
    };
    size_t before = drawing->out->n;
    tk_buf_putc(drawing->out, '\n');
    size_t empty = drawing->out->n;
    for (size_t i = 0; i < TK_COUNTOF(notes); i++)
        put_note(drawing->look, drawing->out, notes[i].count, notes[i].one, notes[i].many);
    if (drawing->out->n == empty)
        drawing->out->n = before;
}

/* How many spans have a bill, by which rules, and how exact they are. */
static void put_bills_note(const struct drawing *drawing)
{
    const struct tk_trace_tree *tree = drawing->tree;
    uint32_t by_rule[TK_BILL_RULES] = {0};
    uint32_t billed = 0;
    uint32_t bounds = 0;
    double error = 0;
    for (uint32_t k = 0; k < tree->count; k++) {
        const struct tk_bill_row *bill = tk_trace_bill_find(tree, k, drawing->layout->view->bills);
        if (!bill)
            continue;
        billed++;
        if (bill->values[TK_BILLS_RULE] >= 0)
            by_rule[bill->values[TK_BILLS_RULE]]++;
        bool is_bound = bill->values[TK_BILLS_IS_BOUND] > 0;
        bounds += is_bound;
        if (!is_bound && bill->error_ratio > error)
            error = bill->error_ratio;
    }
    char figure[TK_HUMAN_MAX];
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, TK_SCREEN_MAX);
    tk_buf_printf(&text, "%s of ", tk_count_format(billed, figure));
    tk_buf_printf(&text, "%s span%s with a bill", tk_count_format(tree->count, figure),
                  tk_count_ending(tree->count));
    for (size_t rule = 0; rule < TK_BILL_RULES; rule++) {
        if (by_rule[rule] > 0) {
            tk_buf_printf(&text, "; by %s: %s", tk_bill_rules[rule].name,
                          tk_count_format(by_rule[rule], figure));
        }
    }
    if (billed > bounds)
        tk_buf_printf(&text, "; off by %s at most", tk_share_format(error, figure));
    if (bounds > 0) {
        tk_buf_printf(&text, "; %s shorter than the time between readings (~)",
                      tk_count_format(bounds, figure));
    }
    tk_buf_printf(drawing->out, "\n%*s", MARKS, "");
    tk_text_put_wrapped(drawing->out, drawing->look, tk_buf_str(&text), MARKS, MARKS);
}

static int clamp(int value, int least, int most)
{
    if (value < least)
        return least;
    return value > most ? most : value;
}

static int draw(struct drawing *drawing, struct tk_err *err)
{
    int left = drawing->look->width - MARKS - GAP;
    for (size_t i = 0; i < TK_COUNTOF(figures); i++)
        left -= shows_figure(drawing, &figures[i]) ? GAP + FIGURE : 0;
    drawing->bar_width = clamp(left * 2 / 5, LEAST_BAR, MOST_BAR);
    drawing->name_width = left - drawing->bar_width;
    drawing->max_guides = (uint32_t)drawing->name_width / (2 * GUIDE);
    put_header(drawing->tree, drawing->look, drawing->out);
    put_heading(drawing);
    draw_tree(drawing);
    put_notes(drawing);
    if (drawing->layout->view->bills)
        put_bills_note(drawing);
    return tk_trace_view_put_shares(drawing->tree, drawing->look, drawing->out, err);
}

int tk_trace_view_text(const struct tk_trace_tree *tree, const struct tk_trace_view *view,
                       const struct tk_look *look, struct tk_buf *out, struct tk_err *err)
{
    struct tk_trace_layout layout;
    struct drawing drawing = {.tree = tree, .layout = &layout, .look = look, .out = out};
    int rc = tk_trace_layout_init(&layout, tree, view, err);
    tk_buf_init(&drawing.cell, TK_SCREEN_MAX);
    if (rc == 0) {
        drawing.levels = calloc(layout.depth + 1, sizeof(*drawing.levels));
        rc = drawing.levels ? draw(&drawing, err) : tk_fail(err, -ENOMEM, "trace: out of memory");
    }
    free(drawing.levels);
    tk_buf_release(&drawing.cell);
    tk_trace_layout_release(&layout);
    return rc < 0 ? rc : tk_buf_check(out, "trace", err);
}
