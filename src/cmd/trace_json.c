/* SPDX-License-Identifier: Apache-2.0 */
/* One trace as JSON: the tree with what was worked out. */
#include "base/json.h"
#include "base/number.h"
#include "cmd/span_store.h"
#include "cmd/trace_view_internal.h"
#include "span/any_value.h"

static void put_i64(struct tk_buf *out, const char *key, int64_t value)
{
    tk_json_put_key(out, key);
    tk_buf_put_i64(out, value);
}

static void put_text(struct tk_buf *out, const char *key, tk_str value)
{
    tk_json_put_key(out, key);
    tk_json_put_str(out, value);
}

static void put_attr(const struct tk_texts *texts, const struct tk_attr *attr, struct tk_buf *out)
{
    tk_json_put_comma(out);
    tk_json_put_str(out, tk_texts_get(texts, attr->key));
    tk_buf_putc(out, ':');
    tk_any_value_put_json(texts, attr, out);
}

static void put_attrs(const struct tk_span_batch *batch, uint32_t row, struct tk_buf *out)
{
    size_t n;
    const struct tk_attr *attrs = tk_span_attrs(batch, row, &n);
    if (n == 0)
        return;
    tk_json_put_key(out, "attrs");
    tk_buf_putc(out, '{');
    for (size_t i = 0; i < n; i++)
        put_attr(&batch->texts, &attrs[i], out);
    tk_buf_putc(out, '}');
}

static void put_range(const struct tk_span_batch *batch, const struct tk_attr_range *range,
                      struct tk_buf *out)
{
    if (range->n == 0)
        return;
    tk_json_put_key(out, "attrs");
    tk_buf_putc(out, '{');
    for (uint32_t i = 0; i < range->n; i++)
        put_attr(&batch->texts, &batch->side_attrs[range->begin + i], out);
    tk_buf_putc(out, '}');
}

static void put_events(const struct tk_span_batch *batch, uint32_t row, struct tk_buf *out)
{
    size_t n;
    const struct tk_span_event *events = tk_span_events(batch, row, &n);
    if (n == 0)
        return;
    tk_json_put_key(out, "events");
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < n; i++) {
        tk_json_put_comma(out);
        tk_buf_putc(out, '{');
        put_text(out, "name", tk_texts_get(&batch->texts, events[i].name));
        put_i64(out, "time_ns", events[i].time_ns);
        put_range(batch, &events[i].attrs, out);
        tk_buf_putc(out, '}');
    }
    tk_buf_putc(out, ']');
}

static void put_links(const struct tk_span_batch *batch, uint32_t row, struct tk_buf *out)
{
    size_t n;
    char id[TK_TRACE_ID_MAX];
    const struct tk_span_link *links = tk_span_links(batch, row, &n);
    if (n == 0)
        return;
    tk_json_put_key(out, "links");
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < n; i++) {
        tk_json_put_comma(out);
        tk_buf_putc(out, '{');
        put_text(out, "trace_id", tk_str_from(tk_trace_id_cstr(links[i].trace_id, id)));
        put_text(out, "span_id", tk_str_from(tk_span_id_cstr(links[i].span_id, id)));
        put_range(batch, &links[i].attrs, out);
        tk_buf_putc(out, '}');
    }
    tk_buf_putc(out, ']');
}

/* What is odd about a span, only where it is. */
static void put_flags(const struct tk_trace_node *node, struct tk_buf *out)
{
    static const struct {
        uint32_t flag;
        const char *key;
    } flags[] = {
        {TK_TRACE_ORPHAN, "orphan"},
        {TK_TRACE_CYCLE, "cycle"},
        {TK_TRACE_TWIN, "twin"},
        {TK_TRACE_OUTSIDE, "outside"},
    };
    for (size_t i = 0; i < TK_COUNTOF(flags); i++) {
        if (!(node->flags & flags[i].flag))
            continue;
        tk_json_put_key(out, flags[i].key);
        tk_buf_lit(out, "true");
    }
}

static void put_node(const struct tk_trace_tree *tree, uint32_t k, const struct tk_bill_row *bill,
                     struct tk_buf *out)
{
    char id[TK_TRACE_ID_MAX];
    const struct tk_trace_node *node = &tree->nodes[k];
    const struct tk_span_batch *batch = tree->batch;
    uint32_t row = node->row;
    tk_json_put_comma(out);
    tk_buf_putc(out, '{');
    put_text(out, "span_id", tk_str_from(tk_span_id_cstr(batch->span_ids[row], id)));
    if (batch->parent_ids[row] != 0)
        put_text(out, "parent_id", tk_str_from(tk_span_id_cstr(batch->parent_ids[row], id)));
    put_i64(out, "depth", node->depth);
    put_text(out, "service", tk_span_service(batch, row));
    put_text(out, "name", tk_span_name(batch, row));
    put_text(out, "kind", tk_str_from(tk_span_kind_name(batch->kinds[row])));
    put_text(out, "status", tk_str_from(tk_span_status_name(batch->statuses[row])));
    if (batch->messages[row] != 0)
        put_text(out, "message", tk_texts_get(&batch->texts, batch->messages[row]));
    put_i64(out, "start_ns", node->start_ns);
    put_i64(out, "duration_ns", tk_trace_node_duration_ns(node));
    put_i64(out, "self_ns", node->self_ns);
    tk_json_put_key(out, "critical_ns");
    if (node->flags & TK_TRACE_CRITICAL) {
        tk_buf_put_i64(out, node->critical_ns);
    } else {
        tk_buf_lit(out, "null");
    }
    if (node->shift_ns != 0)
        put_i64(out, "shift_ns", node->shift_ns);
    put_flags(node, out);
    if (bill) {
        tk_json_put_key(out, "bill");
        tk_bill_row_put_json(bill, out);
    }
    put_attrs(batch, row, out);
    put_events(batch, row, out);
    put_links(batch, row, out);
    tk_buf_putc(out, '}');
}

void tk_trace_view_json(const struct tk_trace_tree *tree, const struct tk_bill_lookup *bills,
                        struct tk_buf *out)
{
    const struct {
        const char *key;
        int64_t value;
    } figures[] = {
        {"start_ns", tree->start_ns},          {"duration_ns", tree->end_ns - tree->start_ns},
        {"span_count", tree->count},           {"service_count", tree->services},
        {"error_count", tree->errors},         {"root_count", tree->roots},
        {"orphan_count", tree->orphans},       {"cycle_count", tree->cycles},
        {"duplicate_count", tree->duplicates}, {"twin_count", tree->twins},
        {"moved_count", tree->moved},          {"outside_count", tree->outside},
    };
    char id[TK_TRACE_ID_MAX];
    tk_buf_putc(out, '{');
    put_text(out, "trace_id",
             tk_str_from(tk_trace_id_cstr(tree->batch->trace_ids[tree->nodes[0].row], id)));
    for (size_t i = 0; i < TK_COUNTOF(figures); i++)
        put_i64(out, figures[i].key, figures[i].value);
    tk_json_put_key(out, "spans");
    tk_buf_putc(out, '[');
    for (uint32_t k = 0; k < tree->count; k++)
        put_node(tree, k, tk_trace_bill_find(tree, k, bills), out);
    tk_buf_lit(out, "]}\n");
}
