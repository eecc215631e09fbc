/* SPDX-License-Identifier: Apache-2.0 */
/* Spans as Zipkin v2 JSON (trace-protocols.md section 9). Times are whole microseconds and
 * durations at least one; attributes become texts, those without a value are left out. */
#include "base/number.h"
#include "span/any_value.h"
#include "span/writing.h"

/* A tag is a text: JSON of what is none. */
static void put_value(struct tk_buf *out, const struct tk_span_batch *batch,
                      const struct tk_attr *attr)
{
    if (attr->type == TK_ATTR_STRING) {
        tk_put_text(out, batch, attr->text);
        return;
    }
    struct tk_buf text;
    tk_buf_init(&text, out->max);
    tk_any_value_put_text(&batch->texts, attr, &text);
    if (!tk_buf_ok(&text))
        tk_buf_fail(out, text.failure);
    tk_json_put_str(out, tk_buf_str(&text));
    tk_buf_release(&text);
}

static void put_pair(struct tk_buf *out, const char *key, tk_str text)
{
    tk_json_put_key(out, key);
    tk_json_put_str(out, text);
}

static void put_attrs(struct tk_buf *out, const struct tk_span_batch *batch,
                      const struct tk_attr *attrs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        tk_str key = tk_span_text(batch, attrs[i].key);
        if (tk_str_eq(key, TK_STR("service.name")) || attrs[i].type == TK_ATTR_EMPTY)
            continue;
        tk_json_put_comma(out);
        tk_json_put_str(out, key);
        tk_buf_putc(out, ':');
        put_value(out, batch, &attrs[i]);
    }
}

/* The link as "TRACEID|SPANID|STATE|{attributes}|DROPPED", as the collector's exporter has it. */
static void put_link(struct tk_buf *out, const struct tk_span_batch *batch,
                     const struct tk_span_link *link, size_t i)
{
    struct tk_buf text;
    tk_buf_init(&text, out->max);
    tk_put_trace_id(&text, link->trace_id, false);
    tk_put_span_id(&text, link->span_id);
    if (tk_buf_ok(&text)) {
        /* Both in quotes: "T""S" becomes T|S. */
        text.p[33] = '|';
        memmove(text.p + 34, text.p + 35, 16);
        text.n = 50;
    }
    tk_buf_putc(&text, '|');
    tk_buf_put(&text, tk_span_text(batch, link->trace_state));
    tk_buf_putc(&text, '|');
    tk_put_attrs(&text, batch, batch->side_attrs + link->attrs.begin, link->attrs.n);
    tk_buf_putc(&text, '|');
    tk_buf_put_u64(&text, link->attrs.dropped);
    if (!tk_buf_ok(&text))
        tk_buf_fail(out, text.failure);
    tk_json_put_comma(out);
    tk_buf_lit(out, "\"otlp.link.");
    tk_buf_put_u64(out, i);
    tk_buf_lit(out, "\":");
    tk_json_put_str(out, (tk_str){text.p ? text.p + 1 : NULL, text.n > 0 ? text.n - 1 : 0});
    tk_buf_release(&text);
}

static void put_tags(struct tk_buf *out, const struct tk_span_batch *batch, size_t row)
{
    const struct tk_span_scope *scope = &batch->scopes[batch->scope_ids[row]];
    const struct tk_span_resource *resource = &batch->resources[scope->resource];
    tk_str message = tk_span_text(batch, batch->messages[row]);
    size_t n;
    const struct tk_attr *attrs = tk_span_attrs(batch, row, &n);
    size_t before = out->n;
    tk_put_key(out, "tags");
    tk_buf_putc(out, '{');
    size_t empty = out->n;
    put_attrs(out, batch, batch->side_attrs + resource->attrs.begin, resource->attrs.n);
    put_attrs(out, batch, attrs, n);
    if (scope->name != 0)
        put_pair(out, "otel.scope.name", tk_span_text(batch, scope->name));
    if (scope->version != 0)
        put_pair(out, "otel.scope.version", tk_span_text(batch, scope->version));
    if (batch->trace_states[row] != 0)
        put_pair(out, "w3c.tracestate", tk_span_text(batch, batch->trace_states[row]));
    if (batch->statuses[row] == TK_SPAN_OK)
        put_pair(out, "otel.status_code", TK_STR("OK"));
    if (batch->statuses[row] == TK_SPAN_ERROR) {
        put_pair(out, "otel.status_code", TK_STR("ERROR"));
        put_pair(out, "error", message);
    } else if (message.n > 0) {
        put_pair(out, "otel.status_description", message);
    }
    const struct tk_span_link *links = tk_span_links(batch, row, &n);
    for (size_t i = 0; i < n; i++)
        put_link(out, batch, &links[i], i);
    if (out->n == empty) {
        out->n = before;
    } else {
        tk_buf_putc(out, '}');
    }
}

/* An event as a time and a text: "name", or "name": {"k":"v"}. */
static void put_annotations(struct tk_buf *out, const struct tk_span_batch *batch, size_t row)
{
    size_t n;
    const struct tk_span_event *events = tk_span_events(batch, row, &n);
    struct tk_buf text;
    if (n == 0)
        return;
    tk_buf_init(&text, out->max);
    tk_put_key(out, "annotations");
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < n; i++) {
        const struct tk_attr_range *attrs = &events[i].attrs;
        tk_json_put_comma(out);
        tk_buf_lit(out, "{\"timestamp\":");
        tk_buf_put_i64(out, events[i].time_ns / 1000);
        tk_put_key(out, "value");
        tk_buf_reset(&text);
        if (attrs->n > 0) {
            tk_put_text(&text, batch, events[i].name);
            tk_buf_lit(&text, ": ");
            tk_put_attrs(&text, batch, batch->side_attrs + attrs->begin, attrs->n);
        } else {
            tk_buf_put(&text, tk_span_text(batch, events[i].name));
        }
        tk_json_put_str(out, tk_buf_str(&text));
        tk_buf_putc(out, '}');
    }
    tk_buf_putc(out, ']');
    if (!tk_buf_ok(&text))
        tk_buf_fail(out, text.failure);
    tk_buf_release(&text);
}

static void put_span(struct tk_buf *out, const struct tk_span_batch *batch, size_t row)
{
    static const char *const kinds[] = {NULL, NULL, "SERVER", "CLIENT", "PRODUCER", "CONSUMER"};
    tk_str service = tk_span_service(batch, row);
    int64_t micros = batch->duration_ns[row] / 1000;
    tk_buf_lit(out, "{\"traceId\":");
    tk_put_trace_id(out, batch->trace_ids[row], false);
    if (batch->parent_ids[row] != 0) {
        tk_put_key(out, "parentId");
        tk_put_span_id(out, batch->parent_ids[row]);
    }
    tk_put_key(out, "id");
    tk_put_span_id(out, batch->span_ids[row]);
    if (batch->kinds[row] < TK_COUNTOF(kinds) && kinds[batch->kinds[row]])
        put_pair(out, "kind", tk_str_from(kinds[batch->kinds[row]]));
    if (batch->names[row] != 0)
        put_pair(out, "name", tk_span_text(batch, batch->names[row]));
    tk_put_key(out, "timestamp");
    tk_buf_put_i64(out, batch->start_ns[row] / 1000);
    tk_put_key(out, "duration");
    tk_buf_put_i64(out, micros > 0 ? micros : 1);
    if (service.n > 0) {
        tk_buf_lit(out, ",\"localEndpoint\":{\"serviceName\":");
        tk_json_put_str(out, service);
        tk_buf_putc(out, '}');
    }
    put_annotations(out, batch, row);
    put_tags(out, batch, row);
    tk_buf_putc(out, '}');
}

struct state {
    bool has_spans;
};

static void put_head(void *state, struct tk_buf *out)
{
    (void)state;
    tk_buf_putc(out, '[');
}

static int put_spans(void *user, const struct tk_span_rows *rows, struct tk_buf *out,
                     struct tk_err *err)
{
    struct state *state = user;
    for (size_t i = 0; i < rows->n; i++) {
        if (state->has_spans)
            tk_buf_lit(out, ",\n");
        state->has_spans = true;
        put_span(out, rows->batch, tk_span_rows_at(rows, i));
    }
    return tk_buf_check(out, "spans", err);
}

static void put_tail(void *state, struct tk_buf *out)
{
    (void)state;
    tk_buf_lit(out, "]\n");
}

const struct tk_span_encoder tk_span_encoder_zipkin = {
    .name = "zipkin",
    .help = "Zipkin v2 JSON, one array",
    .ending = ".zipkin.json",
    .state_size = sizeof(struct state),
    .head = put_head,
    .spans = put_spans,
    .tail = put_tail,
};
