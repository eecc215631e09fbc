/* SPDX-License-Identifier: Apache-2.0 */
/* What stands below a span: why it failed, its attributes, events and links. */
#include <stdio.h>

#include "base/human.h"
#include "cmd/screen_internal.h"
#include "cmd/span_store.h"
#include "cmd/trace_view_internal.h"
#include "report/report.h"
#include "span/any_value.h"

struct lines {
    const struct tk_span_batch *batch;
    const struct tk_look *look;
    struct tk_buf *out;
    struct tk_buf text; /* of the line that is made */
    int indent;
};

/* Append the text, made printable, as a line. */
static void put_line(struct lines *lines, enum tk_style style)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf clean;
    tk_buf_init(&clean, TK_SCREEN_MAX);
    tk_text_put_clean(&clean, lines->look, tk_buf_str(&lines->text));
    const char *begin = tk_style_begin(lines->look, style);
    tk_buf_printf(lines->out, "%*s%s", lines->indent, "", begin);
    tk_text_put_cut(lines->out, lines->look, tk_buf_str(&clean),
                    lines->look->width - lines->indent);
    tk_buf_puts(lines->out, *begin ? "\033[0m\n" : "\n");
    tk_buf_reset(&lines->text);
}

static void put_attr(struct lines *lines, const struct tk_attr *attr)
{
    tk_buf_put(&lines->text, tk_texts_get(&lines->batch->texts, attr->key));
    tk_buf_lit(&lines->text, "=");
    tk_any_value_put_text(&lines->batch->texts, attr, &lines->text);
}

static void put_range(struct lines *lines, const struct tk_attr_range *range)
{
    for (uint32_t i = 0; i < range->n; i++) {
        tk_buf_putc(&lines->text, ' ');
        put_attr(lines, &lines->batch->side_attrs[range->begin + i]);
    }
    put_line(lines, TK_STYLE_DIM);
}

static void put_attrs(struct lines *lines, uint32_t row)
{
    size_t n;
    const struct tk_attr *attrs = tk_span_attrs(lines->batch, row, &n);
    for (size_t i = 0; i < n; i++) {
        put_attr(lines, &attrs[i]);
        put_line(lines, TK_STYLE_DIM);
    }
}

static void put_events(struct lines *lines, uint32_t row, int64_t start_ns)
{
    size_t n;
    const struct tk_span_event *events = tk_span_events(lines->batch, row, &n);
    for (size_t i = 0; i < n; i++) {
        char figure[TK_HUMAN_MAX];
        int64_t after_ns = events[i].time_ns - start_ns;
        tk_buf_printf(&lines->text, "%s%s ", after_ns < 0 ? "-" : "+",
                      tk_duration_format(after_ns < 0 ? -after_ns : after_ns, figure));
        tk_buf_put(&lines->text, tk_texts_get(&lines->batch->texts, events[i].name));
        put_range(lines, &events[i].attrs);
    }
}

static void put_links(struct lines *lines, uint32_t row)
{
    size_t n;
    const struct tk_span_link *links = tk_span_links(lines->batch, row, &n);
    for (size_t i = 0; i < n; i++) {
        char trace[TK_TRACE_ID_MAX];
        char span[TK_TRACE_ID_MAX];
        tk_buf_printf(&lines->text, "-> trace %s span %s",
                      tk_trace_id_cstr(links[i].trace_id, trace),
                      tk_span_id_cstr(links[i].span_id, span));
        put_range(lines, &links[i].attrs);
    }
}

void tk_trace_view_put_details(const struct tk_trace_tree *tree, uint32_t node,
                               const struct tk_trace_view *view, const struct tk_look *look,
                               int indent, struct tk_buf *out)
{
    uint32_t row = tree->nodes[node].row;
    struct lines lines = {.batch = tree->batch, .look = look, .out = out, .indent = indent};
    tk_buf_init(&lines.text, TK_SCREEN_MAX);
    if (tree->batch->messages[row] != 0) {
        tk_buf_lit(&lines.text, "! ");
        tk_buf_put(&lines.text, tk_texts_get(&tree->batch->texts, tree->batch->messages[row]));
        put_line(&lines, tree->batch->statuses[row] == TK_SPAN_ERROR ? TK_STYLE_BAD : TK_STYLE_DIM);
    }
    if (view->attrs)
        put_attrs(&lines, row);
    if (view->events) {
        put_events(&lines, row, tree->batch->start_ns[row]);
        put_links(&lines, row);
    }
    tk_buf_release(&lines.text);
}
