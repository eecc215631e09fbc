/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as OTLP in protobuf. Sizes of attributes are known before they are written; those of spans
 * and envelopes are guessed from the one before and filled in behind. */
#include "span/otlp.h"

#include "span/any_value_internal.h"
#include "span/otlp_fields_internal.h"

#define EXPECTED_SPAN     512   /* bytes of the first one */
#define EXPECTED_ENVELOPE 65536 /* three bytes of length: right from 16 KiB to 2 MiB */

struct encoding {
    const struct tk_span_batch *batch;
    struct tk_buf *out;
    size_t span_bytes; /* of the last span */
};

static tk_str text_of(const struct encoding *encoding, uint32_t id)
{
    return tk_texts_get(&encoding->batch->texts, id);
}

static void put_text(struct encoding *encoding, uint32_t tag, uint32_t id)
{
    if (id != 0)
        tk_wire_put_bytes(encoding->out, tag, text_of(encoding, id));
}

static void put_count(struct encoding *encoding, uint32_t tag, uint32_t count)
{
    if (count != 0)
        tk_wire_put_number(encoding->out, tag, count);
}

static void put_flags(struct encoding *encoding, uint32_t tag, uint32_t flags)
{
    if (flags == 0)
        return;
    uint32_t bytes = htole32(flags);
    tk_wire_put_varint(encoding->out, tag);
    tk_buf_put(encoding->out, (tk_str){(const char *)&bytes, sizeof(bytes)});
}

static bool is_zero(const void *id, size_t n)
{
    static const char zeros[16] = {0};
    return memcmp(id, zeros, n) == 0;
}

static void put_id(struct encoding *encoding, uint32_t tag, const void *id, size_t n)
{
    if (!is_zero(id, n))
        tk_wire_put_bytes(encoding->out, tag, (tk_str){id, n});
}

/* Attributes -------------------------------------------------------------------------------- */

/* Bytes of a field of `n` bytes whose tag is one. */
static size_t field_size(size_t n)
{
    return 1 + tk_wire_varint_size(n) + n;
}

/* Append a KeyValue whose value is a text or an integer, all with one reservation. */
static void put_plain_pair(struct tk_buf *out, uint32_t tag, tk_str key, const struct tk_any *value)
{
    bool is_text = value->type == TK_ATTR_STRING;
    size_t value_n =
        is_text ? field_size(value->text.n) : 1 + tk_wire_varint_size((uint64_t)value->i64);
    size_t n = field_size(key.n) + field_size(value_n);
    char *to = tk_buf_reserve(out, 1 + TK_WIRE_VARINT_MAX + n);
    if (!to)
        return;
    *to++ = (char)tag;
    to = tk_wire_write_varint(to, n);
    *to++ = TK_PAIR_KEY;
    to = tk_wire_write_varint(to, key.n);
    if (key.n > 0)
        memcpy(to, key.p, key.n);
    to += key.n;
    *to++ = TK_PAIR_VALUE;
    to = tk_wire_write_varint(to, value_n);
    if (is_text) {
        *to++ = TK_ANY_STRING;
        to = tk_wire_write_varint(to, value->text.n);
        memcpy(to, value->text.n > 0 ? value->text.p : "", value->text.n);
        to += value->text.n;
    } else {
        *to++ = TK_ANY_INT;
        to = tk_wire_write_varint(to, (uint64_t)value->i64);
    }
    out->n = (size_t)(to - out->p);
}

static void put_pair(struct encoding *encoding, uint32_t tag, const struct tk_attr *attr)
{
    struct tk_buf *out = encoding->out;
    tk_str key = text_of(encoding, attr->key);
    struct tk_any value = tk_any_of(&encoding->batch->texts, attr);
    if (value.type == TK_ATTR_STRING || value.type == TK_ATTR_INT) {
        put_plain_pair(out, tag, key, &value);
        return;
    }
    size_t expected = key.n + (tk_attr_is_text(value.type) ? value.text.n : 0);
    size_t pair = tk_wire_begin(out, tag, expected);
    tk_wire_put_bytes(out, TK_PAIR_KEY, key);
    size_t at = tk_wire_begin(out, TK_PAIR_VALUE, expected);
    tk_any_put_wire(&value, out);
    tk_wire_end(out, at, expected);
    tk_wire_end(out, pair, expected);
}

static void put_pairs(struct encoding *encoding, uint32_t tag, const struct tk_attr *attrs,
                      size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_pair(encoding, tag, &attrs[i]);
}

static void put_range(struct encoding *encoding, uint32_t tag, uint32_t dropped_tag,
                      const struct tk_attr_range *range)
{
    put_pairs(encoding, tag, encoding->batch->side_attrs + range->begin, range->n);
    put_count(encoding, dropped_tag, range->dropped);
}

/* Spans ------------------------------------------------------------------------------------- */

static void put_event(struct encoding *encoding, const struct tk_span_event *event)
{
    const size_t expected = 100;
    size_t at = tk_wire_begin(encoding->out, TK_SPAN_EVENTS, expected);
    if (event->time_ns != 0)
        tk_wire_put_fixed64(encoding->out, TK_EVENT_TIME, (uint64_t)event->time_ns);
    put_text(encoding, TK_EVENT_NAME, event->name);
    put_range(encoding, TK_EVENT_ATTRIBUTES, TK_EVENT_DROPPED, &event->attrs);
    tk_wire_end(encoding->out, at, expected);
}

static void put_link(struct encoding *encoding, const struct tk_span_link *link)
{
    const size_t expected = 100;
    size_t at = tk_wire_begin(encoding->out, TK_SPAN_LINKS, expected);
    put_id(encoding, TK_LINK_TRACE_ID, link->trace_id, sizeof(link->trace_id));
    put_id(encoding, TK_LINK_SPAN_ID, &link->span_id, sizeof(link->span_id));
    put_text(encoding, TK_LINK_TRACE_STATE, link->trace_state);
    put_range(encoding, TK_LINK_ATTRIBUTES, TK_LINK_DROPPED, &link->attrs);
    put_flags(encoding, TK_LINK_FLAGS, link->flags);
    tk_wire_end(encoding->out, at, expected);
}

static void put_status(struct encoding *encoding, size_t row)
{
    uint32_t message = encoding->batch->messages[row];
    uint32_t code = encoding->batch->statuses[row];
    if (message == 0 && code == 0)
        return;
    size_t expected = text_of(encoding, message).n + 8;
    size_t at = tk_wire_begin(encoding->out, TK_SPAN_STATUS, expected);
    put_text(encoding, TK_STATUS_MESSAGE, message);
    put_count(encoding, TK_STATUS_CODE, code);
    tk_wire_end(encoding->out, at, expected);
}

static void put_lists(struct encoding *encoding, size_t row)
{
    const struct tk_span_batch *batch = encoding->batch;
    size_t n;
    const struct tk_attr *attrs = tk_span_attrs(batch, row, &n);
    put_pairs(encoding, TK_SPAN_ATTRIBUTES, attrs, n);
    put_count(encoding, TK_SPAN_DROPPED_ATTRIBUTES, batch->dropped_attrs[row]);
    const struct tk_span_event *events = tk_span_events(batch, row, &n);
    for (size_t i = 0; i < n; i++)
        put_event(encoding, &events[i]);
    put_count(encoding, TK_SPAN_DROPPED_EVENTS, batch->dropped_events[row]);
    const struct tk_span_link *links = tk_span_links(batch, row, &n);
    for (size_t i = 0; i < n; i++)
        put_link(encoding, &links[i]);
    put_count(encoding, TK_SPAN_DROPPED_LINKS, batch->dropped_links[row]);
}

static void put_span(struct encoding *encoding, size_t row)
{
    const struct tk_span_batch *batch = encoding->batch;
    struct tk_buf *out = encoding->out;
    size_t expected = encoding->span_bytes;
    size_t at = tk_wire_begin(out, TK_OTLP_ITEMS, expected);
    size_t before = out->n;
    int64_t start_ns = batch->start_ns[row];
    put_id(encoding, TK_SPAN_TRACE_ID, batch->trace_ids[row], sizeof(batch->trace_ids[row]));
    put_id(encoding, TK_SPAN_SPAN_ID, &batch->span_ids[row], sizeof(batch->span_ids[row]));
    put_text(encoding, TK_SPAN_TRACE_STATE, batch->trace_states[row]);
    put_id(encoding, TK_SPAN_PARENT_ID, &batch->parent_ids[row], sizeof(batch->parent_ids[row]));
    put_text(encoding, TK_SPAN_NAME, batch->names[row]);
    put_count(encoding, TK_SPAN_KIND, batch->kinds[row]);
    tk_wire_put_fixed64(out, TK_SPAN_START, (uint64_t)start_ns);
    tk_wire_put_fixed64(out, TK_SPAN_END, (uint64_t)start_ns + (uint64_t)batch->duration_ns[row]);
    put_lists(encoding, row);
    put_status(encoding, row);
    put_flags(encoding, TK_SPAN_FLAGS, batch->flags[row]);
    encoding->span_bytes = out->n - before;
    tk_wire_end(out, at, expected);
}

/* Envelopes --------------------------------------------------------------------------------- */

static void put_resource(struct encoding *encoding, const struct tk_span_resource *resource)
{
    const size_t expected = 200;
    size_t at = tk_wire_begin(encoding->out, TK_OTLP_HEAD, expected);
    put_range(encoding, TK_RESOURCE_ATTRIBUTES, TK_RESOURCE_DROPPED, &resource->attrs);
    tk_buf_put(encoding->out, text_of(encoding, resource->entity_refs));
    tk_wire_end(encoding->out, at, expected);
}

static void put_scope(struct encoding *encoding, const struct tk_span_scope *scope)
{
    const size_t expected = 100;
    size_t at = tk_wire_begin(encoding->out, TK_OTLP_HEAD, expected);
    put_text(encoding, TK_SCOPE_NAME, scope->name);
    put_text(encoding, TK_SCOPE_VERSION, scope->version);
    put_range(encoding, TK_SCOPE_ATTRIBUTES, TK_SCOPE_DROPPED, &scope->attrs);
    tk_wire_end(encoding->out, at, expected);
}

/* Append the rows from `i` that share a scope; returns the first that does not. */
static size_t put_scope_spans(struct encoding *encoding, const struct tk_span_rows *rows, size_t i)
{
    const struct tk_span_batch *batch = encoding->batch;
    uint32_t id = batch->scope_ids[tk_span_rows_at(rows, i)];
    size_t at = tk_wire_begin(encoding->out, TK_OTLP_ITEMS, EXPECTED_ENVELOPE);
    put_scope(encoding, &batch->scopes[id]);
    for (; i < rows->n && batch->scope_ids[tk_span_rows_at(rows, i)] == id; i++)
        put_span(encoding, tk_span_rows_at(rows, i));
    put_text(encoding, TK_OTLP_SCHEMA_URL, batch->scopes[id].schema_url);
    tk_wire_end(encoding->out, at, EXPECTED_ENVELOPE);
    return i;
}

void tk_otlp_encode(const struct tk_span_rows *rows, struct tk_buf *out)
{
    const struct tk_span_batch *batch = rows->batch;
    struct encoding encoding = {.batch = batch, .out = out, .span_bytes = EXPECTED_SPAN};
    for (size_t i = 0; i < rows->n;) {
        uint32_t id = tk_span_resource_id(batch, tk_span_rows_at(rows, i));
        size_t at = tk_wire_begin(out, TK_OTLP_RESOURCE_SPANS, EXPECTED_ENVELOPE);
        put_resource(&encoding, &batch->resources[id]);
        while (i < rows->n && tk_span_resource_id(batch, tk_span_rows_at(rows, i)) == id)
            i = put_scope_spans(&encoding, rows, i);
        put_text(&encoding, TK_OTLP_SCHEMA_URL, batch->resources[id].schema_url);
        tk_wire_end(out, at, EXPECTED_ENVELOPE);
    }
}
