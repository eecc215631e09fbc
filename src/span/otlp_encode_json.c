/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as OTLP/JSON (trace-protocols.md section 4): ids in hex, 64-bit numbers as strings, enums as
 * integers, what has its default value left out. */
#include "span/otlp.h"

#include <string.h>

#include "base/number.h"
#include "span/otlp_fields_internal.h"

struct encoding {
    const struct tk_span_batch *batch;
    struct tk_buf *out;
};

/* `"key":`, after a comma unless it is the first; `key` needs no escapes. */
static void put_key(struct encoding *encoding, tk_str key)
{
    tk_json_put_comma(encoding->out);
    tk_buf_putc(encoding->out, '"');
    tk_buf_put(encoding->out, key);
    tk_buf_lit(encoding->out, "\":");
}

static tk_str text_of(const struct encoding *encoding, uint32_t id)
{
    return tk_texts_get(&encoding->batch->texts, id);
}

static void put_text(struct encoding *encoding, tk_str key, uint32_t id)
{
    if (id == 0)
        return;
    put_key(encoding, key);
    tk_json_put_str(encoding->out, text_of(encoding, id));
}

static void put_count(struct encoding *encoding, tk_str key, uint32_t count)
{
    if (count == 0)
        return;
    put_key(encoding, key);
    tk_buf_put_u64(encoding->out, count);
}

static void put_time(struct encoding *encoding, tk_str key, uint64_t ns)
{
    put_key(encoding, key);
    tk_buf_putc(encoding->out, '"');
    tk_buf_put_u64(encoding->out, ns);
    tk_buf_putc(encoding->out, '"');
}

/* An id in hex; zero is none. */
static void put_id(struct encoding *encoding, tk_str key, const void *id, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    static const char zeros[16] = {0};
    if (memcmp(id, zeros, n) == 0)
        return;
    put_key(encoding, key);
    char *to = tk_buf_reserve(encoding->out, 2 * n + 2);
    if (!to)
        return;
    const unsigned char *bytes = id;
    *to++ = '"';
    for (size_t i = 0; i < n; i++) {
        *to++ = digits[bytes[i] >> 4];
        *to++ = digits[bytes[i] & 15];
    }
    *to = '"';
    encoding->out->n += 2 * n + 2;
}

static void put_attrs(struct encoding *encoding, const struct tk_attr *attrs, size_t n)
{
    struct tk_buf *out = encoding->out;
    if (n == 0)
        return;
    put_key(encoding, TK_STR("attributes"));
    for (size_t i = 0; i < n; i++) {
        tk_buf_puts(out, i == 0 ? "[{\"key\":" : ",{\"key\":");
        tk_json_put_str(out, text_of(encoding, attrs[i].key));
        tk_buf_lit(out, ",\"value\":");
        tk_any_value_put_otlp(&encoding->batch->texts, &attrs[i], out);
        tk_buf_putc(out, '}');
    }
    tk_buf_putc(out, ']');
}

static void put_range(struct encoding *encoding, const struct tk_attr_range *range)
{
    put_attrs(encoding, encoding->batch->side_attrs + range->begin, range->n);
    put_count(encoding, TK_STR("droppedAttributesCount"), range->dropped);
}

/* Spans ------------------------------------------------------------------------------------- */

static void put_event(struct encoding *encoding, const struct tk_span_event *event)
{
    tk_json_put_comma(encoding->out);
    tk_buf_putc(encoding->out, '{');
    if (event->time_ns != 0)
        put_time(encoding, TK_STR("timeUnixNano"), (uint64_t)event->time_ns);
    put_text(encoding, TK_STR("name"), event->name);
    put_range(encoding, &event->attrs);
    tk_buf_putc(encoding->out, '}');
}

static void put_events(struct encoding *encoding, size_t row)
{
    size_t n;
    const struct tk_span_event *events = tk_span_events(encoding->batch, row, &n);
    if (n > 0) {
        put_key(encoding, TK_STR("events"));
        tk_buf_putc(encoding->out, '[');
        for (size_t i = 0; i < n; i++)
            put_event(encoding, &events[i]);
        tk_buf_putc(encoding->out, ']');
    }
    put_count(encoding, TK_STR("droppedEventsCount"), encoding->batch->dropped_events[row]);
}

static void put_link(struct encoding *encoding, const struct tk_span_link *link)
{
    tk_json_put_comma(encoding->out);
    tk_buf_putc(encoding->out, '{');
    put_id(encoding, TK_STR("traceId"), link->trace_id, sizeof(link->trace_id));
    put_id(encoding, TK_STR("spanId"), &link->span_id, sizeof(link->span_id));
    put_text(encoding, TK_STR("traceState"), link->trace_state);
    put_range(encoding, &link->attrs);
    put_count(encoding, TK_STR("flags"), link->flags);
    tk_buf_putc(encoding->out, '}');
}

static void put_links(struct encoding *encoding, size_t row)
{
    size_t n;
    const struct tk_span_link *links = tk_span_links(encoding->batch, row, &n);
    if (n > 0) {
        put_key(encoding, TK_STR("links"));
        tk_buf_putc(encoding->out, '[');
        for (size_t i = 0; i < n; i++)
            put_link(encoding, &links[i]);
        tk_buf_putc(encoding->out, ']');
    }
    put_count(encoding, TK_STR("droppedLinksCount"), encoding->batch->dropped_links[row]);
}

static void put_status(struct encoding *encoding, size_t row)
{
    const struct tk_span_batch *batch = encoding->batch;
    if (batch->messages[row] == 0 && batch->statuses[row] == 0)
        return;
    put_key(encoding, TK_STR("status"));
    tk_buf_putc(encoding->out, '{');
    put_text(encoding, TK_STR("message"), batch->messages[row]);
    put_count(encoding, TK_STR("code"), batch->statuses[row]);
    tk_buf_putc(encoding->out, '}');
}

static void put_span(struct encoding *encoding, size_t row)
{
    const struct tk_span_batch *batch = encoding->batch;
    size_t n;
    const struct tk_attr *attrs = tk_span_attrs(batch, row, &n);
    uint64_t start_ns = (uint64_t)batch->start_ns[row];
    tk_json_put_comma(encoding->out);
    tk_buf_putc(encoding->out, '{');
    put_id(encoding, TK_STR("traceId"), batch->trace_ids[row], sizeof(batch->trace_ids[row]));
    put_id(encoding, TK_STR("spanId"), &batch->span_ids[row], sizeof(batch->span_ids[row]));
    put_text(encoding, TK_STR("traceState"), batch->trace_states[row]);
    put_id(encoding, TK_STR("parentSpanId"), &batch->parent_ids[row],
           sizeof(batch->parent_ids[row]));
    put_text(encoding, TK_STR("name"), batch->names[row]);
    put_count(encoding, TK_STR("kind"), batch->kinds[row]);
    put_time(encoding, TK_STR("startTimeUnixNano"), start_ns);
    put_time(encoding, TK_STR("endTimeUnixNano"), start_ns + (uint64_t)batch->duration_ns[row]);
    put_attrs(encoding, attrs, n);
    put_count(encoding, TK_STR("droppedAttributesCount"), batch->dropped_attrs[row]);
    put_events(encoding, row);
    put_links(encoding, row);
    put_status(encoding, row);
    put_count(encoding, TK_STR("flags"), batch->flags[row]);
    tk_buf_putc(encoding->out, '}');
}

/* Envelopes --------------------------------------------------------------------------------- */

/* A list of texts, or one text of which the last counts; nothing when there is none. */
static void put_texts(struct encoding *encoding, tk_str key, bool is_list, struct tk_wire in,
                      uint32_t tag)
{
    tk_str text = {NULL, 0};
    size_t n = 0;
    while (tk_wire_next(&in, tag, &text)) {
        if (n++ == 0)
            put_key(encoding, key);
        if (is_list) {
            tk_buf_putc(encoding->out, n == 1 ? '[' : ',');
            tk_json_put_str(encoding->out, text);
        }
    }
    if (n > 0 && is_list)
        tk_buf_putc(encoding->out, ']');
    if (n > 0 && !is_list)
        tk_json_put_str(encoding->out, text);
}

static void put_entity_ref(struct encoding *encoding, struct tk_wire in)
{
    tk_json_put_comma(encoding->out);
    tk_buf_putc(encoding->out, '{');
    put_texts(encoding, TK_STR("schemaUrl"), false, in, TK_ENTITY_SCHEMA_URL);
    put_texts(encoding, TK_STR("type"), false, in, TK_ENTITY_TYPE);
    put_texts(encoding, TK_STR("idKeys"), true, in, TK_ENTITY_ID_KEYS);
    put_texts(encoding, TK_STR("descriptionKeys"), true, in, TK_ENTITY_DESCRIPTION_KEYS);
    tk_buf_putc(encoding->out, '}');
}

/* References as they are on the wire, one after the other. */
static void put_entity_refs(struct encoding *encoding, tk_str refs)
{
    struct tk_wire_fault fault;
    struct tk_wire in = {refs.p, refs.p + refs.n, &fault};
    tk_str ref;
    if (refs.n == 0)
        return;
    put_key(encoding, TK_STR("entityRefs"));
    tk_buf_putc(encoding->out, '[');
    while (tk_wire_next(&in, TK_RESOURCE_ENTITY_REFS, &ref))
        put_entity_ref(encoding, tk_wire_inner(&in, ref));
    tk_buf_putc(encoding->out, ']');
}

static void put_resource(struct encoding *encoding, const struct tk_span_resource *resource)
{
    put_key(encoding, TK_STR("resource"));
    tk_buf_putc(encoding->out, '{');
    put_range(encoding, &resource->attrs);
    put_entity_refs(encoding, text_of(encoding, resource->entity_refs));
    tk_buf_putc(encoding->out, '}');
}

static void put_scope(struct encoding *encoding, const struct tk_span_scope *scope)
{
    put_key(encoding, TK_STR("scope"));
    tk_buf_putc(encoding->out, '{');
    put_text(encoding, TK_STR("name"), scope->name);
    put_text(encoding, TK_STR("version"), scope->version);
    put_range(encoding, &scope->attrs);
    tk_buf_putc(encoding->out, '}');
}

/* Append the rows from `i` that share a scope; returns the first that does not. */
static size_t put_scope_spans(struct encoding *encoding, const struct tk_span_rows *rows, size_t i)
{
    const struct tk_span_batch *batch = encoding->batch;
    uint32_t id = batch->scope_ids[tk_span_rows_at(rows, i)];
    tk_json_put_comma(encoding->out);
    tk_buf_putc(encoding->out, '{');
    put_scope(encoding, &batch->scopes[id]);
    put_key(encoding, TK_STR("spans"));
    tk_buf_putc(encoding->out, '[');
    for (; i < rows->n && batch->scope_ids[tk_span_rows_at(rows, i)] == id; i++)
        put_span(encoding, tk_span_rows_at(rows, i));
    tk_buf_putc(encoding->out, ']');
    put_text(encoding, TK_STR("schemaUrl"), batch->scopes[id].schema_url);
    tk_buf_putc(encoding->out, '}');
    return i;
}

void tk_otlp_encode_json(const struct tk_span_rows *rows, struct tk_buf *out)
{
    const struct tk_span_batch *batch = rows->batch;
    struct encoding encoding = {.batch = batch, .out = out};
    tk_buf_lit(out, "{\"resourceSpans\":[");
    for (size_t i = 0; i < rows->n;) {
        uint32_t id = tk_span_resource_id(batch, tk_span_rows_at(rows, i));
        tk_json_put_comma(out);
        tk_buf_putc(out, '{');
        put_resource(&encoding, &batch->resources[id]);
        put_key(&encoding, TK_STR("scopeSpans"));
        tk_buf_putc(out, '[');
        while (i < rows->n && tk_span_resource_id(batch, tk_span_rows_at(rows, i)) == id)
            i = put_scope_spans(&encoding, rows, i);
        tk_buf_putc(out, ']');
        put_text(&encoding, TK_STR("schemaUrl"), batch->resources[id].schema_url);
        tk_buf_putc(out, '}');
    }
    tk_buf_lit(out, "]}");
}
