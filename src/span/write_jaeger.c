/* SPDX-License-Identifier: Apache-2.0 */
/* Spans as the JSON of Jaeger's query API (trace-protocols.md section 7.1), which its interface and
 * Grafana read. Times are whole microseconds there. */
#include "base/map.h"
#include "base/number.h"
#include "span/any_value.h"
#include "span/writing.h"

#define EXACT_MAX ((int64_t)1 << 53) /* larger whole numbers are no numbers of JavaScript */

/* What a trace is written with: the processes, by resource, in the order of their first span. */
struct trace {
    const struct tk_span_batch *batch;
    struct tk_buf *out;
    struct tk_map processes; /* resource to number, from 1 */
};

/* Tags --------------------------------------------------------------------------------------- */

static void begin_tag(struct tk_buf *out, tk_str key, const char *type)
{
    tk_json_put_comma(out);
    tk_buf_lit(out, "{\"key\":");
    tk_json_put_str(out, key);
    tk_buf_lit(out, ",\"type\":\"");
    tk_buf_puts(out, type);
    tk_buf_lit(out, "\",\"value\":");
}

static void put_text_tag(struct tk_buf *out, tk_str key, tk_str text)
{
    begin_tag(out, key, "string");
    tk_json_put_str(out, text);
    tk_buf_putc(out, '}');
}

/* Arrays and maps go as their JSON text. */
static void put_as_text(struct tk_buf *out, const struct tk_span_batch *batch,
                        const struct tk_attr *attr)
{
    struct tk_buf text;
    tk_buf_init(&text, out->max);
    tk_any_value_put_text(&batch->texts, attr, &text);
    if (!tk_buf_ok(&text))
        tk_buf_fail(out, text.failure);
    tk_json_put_str(out, tk_buf_str(&text));
    tk_buf_release(&text);
}

static void put_i64(struct tk_buf *out, int64_t value)
{
    bool is_exact = value <= EXACT_MAX && value >= -EXACT_MAX;
    if (!is_exact)
        tk_buf_putc(out, '"');
    tk_buf_put_i64(out, value);
    if (!is_exact)
        tk_buf_putc(out, '"');
}

static void put_tag(struct tk_buf *out, const struct tk_span_batch *batch,
                    const struct tk_attr *attr)
{
    static const char *const types[] = {
        [TK_ATTR_EMPTY] = "string", [TK_ATTR_STRING] = "string",  [TK_ATTR_BOOL] = "bool",
        [TK_ATTR_INT] = "int64",    [TK_ATTR_DOUBLE] = "float64", [TK_ATTR_BYTES] = "binary",
        [TK_ATTR_ARRAY] = "string", [TK_ATTR_MAP] = "string",
    };
    begin_tag(out, tk_span_text(batch, attr->key), types[attr->type]);
    switch ((enum tk_attr_type)attr->type) {
    case TK_ATTR_EMPTY:
        tk_buf_lit(out, "\"\"");
        break;
    case TK_ATTR_INT:
        put_i64(out, attr->i64);
        break;
    case TK_ATTR_STRING:
        tk_put_text(out, batch, attr->text);
        break;
    case TK_ATTR_ARRAY:
    case TK_ATTR_MAP:
        put_as_text(out, batch, attr);
        break;
    case TK_ATTR_BOOL:
    case TK_ATTR_DOUBLE:
    case TK_ATTR_BYTES:
        tk_any_value_put_json(&batch->texts, attr, out);
        break;
    }
    tk_buf_putc(out, '}');
}

static void put_tags(struct tk_buf *out, const struct tk_span_batch *batch,
                     const struct tk_attr *attrs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_tag(out, batch, &attrs[i]);
}

/* A span --------------------------------------------------------------------------------------- */

static void put_reference(struct tk_buf *out, bool is_parent, const uint8_t trace_id[16],
                          uint64_t span_id)
{
    tk_json_put_comma(out);
    tk_buf_puts(out, is_parent ? "{\"refType\":\"CHILD_OF\",\"traceID\":"
                               : "{\"refType\":\"FOLLOWS_FROM\",\"traceID\":");
    tk_put_trace_id(out, trace_id, true);
    tk_put_key(out, "spanID");
    tk_put_span_id(out, span_id);
    tk_buf_putc(out, '}');
}

static void put_references(const struct trace *trace, size_t row)
{
    const struct tk_span_batch *batch = trace->batch;
    size_t n;
    const struct tk_span_link *links = tk_span_links(batch, row, &n);
    tk_put_key(trace->out, "references");
    tk_buf_putc(trace->out, '[');
    if (batch->parent_ids[row] != 0)
        put_reference(trace->out, true, batch->trace_ids[row], batch->parent_ids[row]);
    for (size_t i = 0; i < n; i++)
        put_reference(trace->out, false, links[i].trace_id, links[i].span_id);
    tk_buf_putc(trace->out, ']');
}

static void put_status(struct tk_buf *out, const struct tk_span_batch *batch, size_t row)
{
    if (batch->statuses[row] == TK_SPAN_OK)
        put_text_tag(out, TK_STR("otel.status_code"), TK_STR("OK"));
    if (batch->statuses[row] == TK_SPAN_ERROR) {
        put_text_tag(out, TK_STR("otel.status_code"), TK_STR("ERROR"));
        tk_json_put_comma(out);
        tk_buf_lit(out, "{\"key\":\"error\",\"type\":\"bool\",\"value\":true}");
    }
    if (batch->messages[row] != 0) {
        put_text_tag(out, TK_STR("otel.status_description"),
                     tk_span_text(batch, batch->messages[row]));
    }
}

static void put_span_tags(const struct trace *trace, size_t row)
{
    static const char *const kinds[] = {NULL,     "internal", "server",
                                        "client", "producer", "consumer"};
    const struct tk_span_batch *batch = trace->batch;
    const struct tk_span_scope *scope = &batch->scopes[batch->scope_ids[row]];
    struct tk_buf *out = trace->out;
    size_t n;
    const struct tk_attr *attrs = tk_span_attrs(batch, row, &n);
    tk_put_key(out, "tags");
    tk_buf_putc(out, '[');
    put_tags(out, batch, attrs, n);
    if (batch->kinds[row] < TK_COUNTOF(kinds) && kinds[batch->kinds[row]])
        put_text_tag(out, TK_STR("span.kind"), tk_str_from(kinds[batch->kinds[row]]));
    put_status(out, batch, row);
    if (scope->name != 0)
        put_text_tag(out, TK_STR("otel.scope.name"), tk_span_text(batch, scope->name));
    if (scope->version != 0)
        put_text_tag(out, TK_STR("otel.scope.version"), tk_span_text(batch, scope->version));
    if (batch->trace_states[row] != 0) {
        put_text_tag(out, TK_STR("w3c.tracestate"), tk_span_text(batch, batch->trace_states[row]));
    }
    tk_buf_putc(out, ']');
}

static void put_logs(const struct trace *trace, size_t row)
{
    const struct tk_span_batch *batch = trace->batch;
    struct tk_buf *out = trace->out;
    size_t n;
    const struct tk_span_event *events = tk_span_events(batch, row, &n);
    tk_put_key(out, "logs");
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < n; i++) {
        tk_json_put_comma(out);
        tk_buf_lit(out, "{\"timestamp\":");
        tk_buf_put_i64(out, events[i].time_ns / 1000);
        tk_put_key(out, "fields");
        tk_buf_putc(out, '[');
        if (events[i].name != 0)
            put_text_tag(out, TK_STR("event"), tk_span_text(batch, events[i].name));
        put_tags(out, batch, batch->side_attrs + events[i].attrs.begin, events[i].attrs.n);
        tk_buf_lit(out, "]}");
    }
    tk_buf_putc(out, ']');
}

static void put_span(const struct trace *trace, size_t row)
{
    const struct tk_span_batch *batch = trace->batch;
    struct tk_buf *out = trace->out;
    uint32_t process = 0;
    tk_json_put_comma(out);
    tk_buf_lit(out, "{\"traceID\":");
    tk_put_trace_id(out, batch->trace_ids[row], true);
    tk_put_key(out, "spanID");
    tk_put_span_id(out, batch->span_ids[row]);
    if (batch->flags[row] != 0) {
        tk_put_key(out, "flags");
        tk_buf_put_u64(out, batch->flags[row]);
    }
    tk_put_key(out, "operationName");
    tk_put_text(out, batch, batch->names[row]);
    put_references(trace, row);
    tk_put_key(out, "startTime");
    tk_buf_put_i64(out, batch->start_ns[row] / 1000);
    tk_put_key(out, "duration");
    tk_buf_put_i64(out, batch->duration_ns[row] / 1000);
    put_span_tags(trace, row);
    put_logs(trace, row);
    (void)tk_map_find(&trace->processes, tk_span_resource_id(batch, row), &process);
    tk_buf_lit(out, ",\"processID\":\"p");
    tk_buf_put_u64(out, process);
    tk_buf_lit(out, "\",\"warnings\":null}");
}

/* A trace -------------------------------------------------------------------------------------- */

static void put_process(const struct trace *trace, const struct tk_span_resource *resource,
                        uint32_t number)
{
    const struct tk_span_batch *batch = trace->batch;
    struct tk_buf *out = trace->out;
    const struct tk_attr *attrs = batch->side_attrs + resource->attrs.begin;
    tk_json_put_comma(out);
    tk_buf_lit(out, "\"p");
    tk_buf_put_u64(out, number);
    tk_buf_lit(out, "\":{\"serviceName\":");
    tk_json_put_str(out, resource->service != 0 ? tk_span_text(batch, resource->service)
                                                : TK_STR(TK_JAEGER_NO_SERVICE));
    tk_put_key(out, "tags");
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < resource->attrs.n; i++) {
        if (!tk_str_eq(tk_span_text(batch, attrs[i].key), TK_STR("service.name")))
            put_tag(out, batch, &attrs[i]);
    }
    tk_buf_lit(out, "]}");
}

/* Give each resource a number in the order of the first span. */
static int number_processes(struct trace *trace, const struct tk_span_rows *rows)
{
    uint32_t count = 0;
    for (size_t i = 0; i < rows->n; i++) {
        uint32_t resource = tk_span_resource_id(rows->batch, tk_span_rows_at(rows, i));
        uint32_t number;
        if (tk_map_find(&trace->processes, resource, &number))
            continue;
        int rc = tk_map_add(&trace->processes, resource, ++count);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void put_processes(const struct trace *trace, const struct tk_span_rows *rows)
{
    uint32_t next = 1;
    for (size_t i = 0; i < rows->n && next <= trace->processes.count; i++) {
        uint32_t resource = tk_span_resource_id(rows->batch, tk_span_rows_at(rows, i));
        uint32_t number = 0;
        if (tk_map_find(&trace->processes, resource, &number) && number == next)
            put_process(trace, &rows->batch->resources[resource], next++);
    }
}

void tk_jaeger_put_trace(const struct tk_span_rows *rows, struct tk_buf *out)
{
    struct trace trace = {.batch = rows->batch, .out = out};
    if (rows->n == 0)
        return;
    int rc = number_processes(&trace, rows);
    if (rc < 0)
        tk_buf_fail(out, rc);
    tk_buf_lit(out, "{\"traceID\":");
    tk_put_trace_id(out, rows->batch->trace_ids[tk_span_rows_at(rows, 0)], true);
    tk_put_key(out, "spans");
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < rows->n; i++)
        put_span(&trace, tk_span_rows_at(rows, i));
    tk_buf_lit(out, "],\"processes\":{");
    put_processes(&trace, rows);
    tk_buf_lit(out, "},\"warnings\":null}");
    tk_map_release(&trace.processes);
}

/* The encoder
 * -------------------------------------------------------------------------------------- */

struct state {
    bool has_traces;
};

static void put_head(void *state, struct tk_buf *out)
{
    (void)state;
    tk_buf_lit(out, "{\"data\":[");
}

static int put_spans(void *user, const struct tk_span_rows *rows, struct tk_buf *out,
                     struct tk_err *err)
{
    struct state *state = user;
    struct tk_span_rows trace = {.batch = rows->batch};
    for (size_t i = 0; i < rows->n; i += trace.n) {
        trace.rows = rows->rows + i;
        trace.n = tk_span_rows_trace(rows, i);
        if (state->has_traces)
            tk_buf_lit(out, ",\n");
        state->has_traces = true;
        tk_jaeger_put_trace(&trace, out);
    }
    return tk_buf_check(out, "traces", err);
}

static void put_tail(void *state, struct tk_buf *out)
{
    (void)state;
    tk_buf_lit(out, "],\"total\":0,\"limit\":0,\"offset\":0,\"errors\":null}\n");
}

const struct tk_span_encoder tk_span_encoder_jaeger = {
    .name = "jaeger",
    .help = "JSON of Jaeger's query API, one document",
    .ending = ".jaeger.json",
    .state_size = sizeof(struct state),
    .by_trace = true,
    .head = put_head,
    .spans = put_spans,
    .tail = put_tail,
};
