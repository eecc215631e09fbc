/* SPDX-License-Identifier: Apache-2.0 */
/* Zipkin v2: JSON (an array of spans, lines, or an array of traces) and protobuf (ListOfSpans), by
 * trace-protocols.md section 9. What a span tells is collected first, from either form. Shared ids
 * become two, by shared.h. A span without a timestamp starts with its first annotation, else where
 * untimed.h puts it. */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/checked.h"
#include "base/clock.h"
#include "base/number.h"
#include "span/reading.h"
#include "span/shared.h"
#include "span/span_text.h"
#include "span/untimed.h"
#include "span/wire.h"

#define TAGS_MAX 4096 /* of a span; and annotations */

static const int64_t ns_per_us = 1000;

struct pair {
    tk_str key, value;
};

struct annotation {
    int64_t timestamp;
    tk_str value;
};

struct endpoint {
    tk_str service, ipv4, ipv6;
    int64_t port;
};

struct zipkin_span {
    tk_str trace_id, id, parent_id, name, kind; /* digits; decoded */
    int64_t timestamp, duration;                /* 0 = not told */
    bool shared, debug;
    struct endpoint local, remote;
    struct pair *tags;
    struct annotation *annotations;
    size_t tag_count, annotation_count;
};

struct zipkin {
    struct tk_reading reading;
    struct tk_json_records records;
    struct zipkin_span span;
    struct tk_buf digits; /* of protobuf: ids and addresses as text */
    size_t first_row;     /* of the call at hand */
    int64_t arrival_ns;
    bool has_untimed, has_shared; /* rows of it */
};

static void begin_call(struct zipkin *zipkin, struct tk_span_input *input,
                       struct tk_span_batch *batch, struct tk_span_tally *tally)
{
    tk_reading_begin(&zipkin->reading, input, batch, tally);
    zipkin->first_row = batch->rows;
    zipkin->arrival_ns = tk_clock_real_ns();
    zipkin->has_untimed = zipkin->has_shared = false;
}

/* End a call of the reader that came to `rc`. */
static int end_call(struct zipkin *zipkin, int rc, struct tk_err *err)
{
    struct tk_span_batch *batch = zipkin->reading.batch;
    struct tk_err failure;
    int end = 0;
    if (zipkin->has_untimed)
        end = tk_untimed_place(batch, zipkin->first_row, zipkin->arrival_ns, &failure);
    if (zipkin->has_shared && end == 0)
        end = tk_shared_adopt(batch, zipkin->first_row, &failure);
    if (rc < 0 || end == 0)
        return rc;
    *err = failure;
    return end;
}

static struct zipkin_span *begin_span(struct zipkin *zipkin)
{
    struct pair *tags = zipkin->span.tags;
    struct annotation *annotations = zipkin->span.annotations;
    zipkin->span = (struct zipkin_span){.tags = tags, .annotations = annotations};
    tk_arena_reset(&zipkin->reading.scratch);
    tk_buf_reset(&zipkin->digits);
    zipkin->reading.before = *zipkin->reading.tally;
    return &zipkin->span;
}

/* From what is told to a row ------------------------------------------------------------------- */

/* "TRACEID|SPANID|STATE|{...}|N", as exporters of OpenTelemetry write a link. */
static int add_link(struct tk_reading *reading, tk_str text, struct tk_err *err)
{
    struct tk_span_batch *batch = reading->batch;
    struct tk_span_link link = {0};
    struct tk_json json;
    tk_str part = {NULL, 0};
    if (!tk_str_take_until(&text, '|', &part) || !tk_trace_id_parse(part, link.trace_id) ||
        !tk_str_take_until(&text, '|', &part) || !tk_span_id_parse(part, &link.span_id))
        return tk_fail(err, -EBADMSG, "a tag otlp.link that is no link");
    (void)tk_str_take_until(&text, '|', &part);
    link.trace_state = tk_texts_add(&batch->texts, part);
    size_t end = tk_str_find_last(text, '|');
    tk_reading_scan(reading, (tk_str){text.p, end}, &json);
    json.start = json.p;
    if (end > 0) {
        int rc = tk_reading_read_side_attrs(reading, &json, &link.attrs, err);
        if (rc < 0)
            return rc;
    }
    uint64_t dropped;
    if (end < text.n && tk_parse_u64((tk_str){text.p + end + 1, text.n - end - 1}, &dropped))
        link.attrs.dropped = (uint32_t)dropped;
    return link.trace_state == TK_TEXTS_NONE ? -ENOBUFS : tk_span_batch_add_link(batch, &link);
}

struct told {
    tk_str scope, version, error;
    bool has_error, has_status, has_peer;
};

/* Take one tag: as what it stands for, or as an attribute. */
static int take_tag(struct tk_reading *reading, const struct pair *tag, struct told *told,
                    struct tk_err *err)
{
    struct tk_span_batch *batch = reading->batch;
    size_t row = batch->rows - 1;
    if (tk_str_starts_with(tag->key, TK_STR("otlp.link.")))
        return add_link(reading, tag->value, err);
    if (tk_str_eq(tag->key, TK_STR("error"))) {
        told->has_error = true;
        told->error = tag->value;
        return 0;
    }
    if (tk_str_eq(tag->key, TK_STR("otel.status_code"))) {
        batch->statuses[row] = tk_span_status_parse(tag->value);
        told->has_status = true;
        return 0;
    }
    const struct {
        tk_str key;
        uint32_t *text; /* of the row */
        tk_str *told;
    } places[] = {
        {TK_STR("otel.status_description"), &batch->messages[row], NULL},
        {TK_STR("w3c.tracestate"), &batch->trace_states[row], NULL},
        {TK_STR("otel.scope.name"), NULL, &told->scope},
        {TK_STR("otel.library.name"), NULL, &told->scope},
        {TK_STR("otel.scope.version"), NULL, &told->version},
        {TK_STR("otel.library.version"), NULL, &told->version},
    };
    for (size_t i = 0; i < TK_COUNTOF(places); i++) {
        if (!tk_str_eq(tag->key, places[i].key))
            continue;
        if (places[i].text) {
            *places[i].text = tk_reading_add_name(reading, tag->value);
        } else if (places[i].told) {
            *places[i].told = tag->value;
        }
        return 0;
    }
    told->has_peer |= tk_str_eq(tag->key, TK_STR("peer.service"));
    return tk_reading_add_text(reading, tag->key, tag->value);
}

static int add_number(struct tk_reading *reading, tk_str key, int64_t value)
{
    const struct tk_attr attr = {
        .key = tk_texts_add(&reading->batch->texts, key), .type = TK_ATTR_INT, .i64 = value};
    return attr.key == TK_TEXTS_NONE ? -ENOBUFS : tk_span_batch_add_attr(reading->batch, &attr);
}

/* Addresses under the names that the semantic conventions have for them. */
static int add_endpoint(struct tk_reading *reading, const struct endpoint *endpoint, bool is_local)
{
    tk_str address = endpoint->ipv4.n > 0 ? endpoint->ipv4 : endpoint->ipv6;
    int rc = 0;
    if (address.n > 0) {
        rc = tk_reading_add_text(
            reading, is_local ? TK_STR("network.local.address") : TK_STR("network.peer.address"),
            address);
    }
    if (rc == 0 && endpoint->port > 0) {
        rc = add_number(reading,
                        is_local ? TK_STR("network.local.port") : TK_STR("network.peer.port"),
                        endpoint->port);
    }
    return rc;
}

/* The text of an annotation: a name, or "name": {attributes} as exporters of OpenTelemetry write
 * events. */
static int read_event(struct tk_reading *reading, tk_str text, struct tk_span_event *event)
{
    struct tk_span_batch *batch = reading->batch;
    struct tk_json json;
    struct tk_err ignored;
    tk_str name;
    uint32_t begin = batch->side_attr_count;
    tk_json_init(&json, text);
    if (tk_str_starts_with(text, TK_STR("\"")) &&
        tk_json_read_str(&json, &reading->scratch, &name, &ignored) == 0 && json.p < json.end &&
        *json.p == ':') {
        json.p++;
        int rc = tk_reading_read_side_attrs(reading, &json, &event->attrs, &ignored);
        if (rc == -ENOBUFS)
            return rc;
        if (rc == 0 && tk_json_expect_end(&json, &ignored) == 0) {
            event->name = tk_texts_add(&batch->texts, name);
            return 0;
        }
        batch->side_attr_count = begin;
        event->attrs = (struct tk_attr_range){0};
    }
    event->name = tk_reading_add_name(reading, text);
    return 0;
}

static int add_events(struct tk_reading *reading, const struct zipkin_span *span,
                      struct tk_err *err)
{
    for (size_t i = 0; i < span->annotation_count; i++) {
        struct tk_span_event event = {0};
        int64_t timestamp = span->annotations[i].timestamp;
        if (timestamp < 0 || !tk_mul_i64(timestamp, ns_per_us, &event.time_ns))
            return tk_fail(err, -EBADMSG, "an annotation before 1970 or beyond 2262");
        int rc = read_event(reading, span->annotations[i].value, &event);
        if (rc == 0 && event.name == TK_TEXTS_NONE)
            rc = -ENOBUFS;
        rc = rc < 0 ? rc : tk_span_batch_add_event(reading->batch, &event);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int add_tags(struct tk_reading *reading, const struct zipkin_span *span, struct told *told,
                    struct tk_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < span->tag_count && rc == 0; i++)
        rc = take_tag(reading, &span->tags[i], told, err);
    rc = rc < 0 ? rc : add_endpoint(reading, &span->local, true);
    rc = rc < 0 ? rc : add_endpoint(reading, &span->remote, false);
    if (rc == 0 && span->remote.service.n > 0 && !told->has_peer)
        rc = tk_reading_add_text(reading, TK_STR("peer.service"), span->remote.service);
    if (rc == 0 && span->debug)
        rc = tk_reading_add_text(reading, TK_STR("zipkin.debug"), TK_STR("true"));
    return rc;
}

static void set_status(struct tk_reading *reading, const struct told *told)
{
    struct tk_span_batch *batch = reading->batch;
    size_t row = batch->rows - 1;
    if (!told->has_error)
        return;
    if (!told->has_status)
        batch->statuses[row] = TK_SPAN_ERROR;
    if (batch->messages[row] == 0 && !tk_str_eq(told->error, TK_STR("true")))
        batch->messages[row] = tk_reading_add_name(reading, told->error);
}

static int set_scope(struct tk_reading *reading, const struct zipkin_span *span,
                     const struct told *told)
{
    struct tk_span_batch *batch = reading->batch;
    uint32_t scope = tk_reading_service(reading, span->local.service);
    if (scope != UINT32_MAX && told->scope.n + told->version.n > 0) {
        scope =
            tk_reading_scope(reading, batch->scopes[scope].resource, told->scope, told->version);
    }
    batch->scope_ids[batch->rows - 1] = scope;
    return scope == UINT32_MAX ? -ENOBUFS : 0;
}

/* The first time that the annotations tell; 0 = none. */
static int64_t first_annotation(const struct zipkin_span *span)
{
    int64_t first = 0;
    for (size_t i = 0; i < span->annotation_count; i++) {
        int64_t timestamp = span->annotations[i].timestamp;
        if (timestamp > 0 && (first == 0 || timestamp < first))
            first = timestamp;
    }
    return first;
}

static int set_time(struct zipkin *zipkin, struct tk_err *err)
{
    struct tk_reading *reading = &zipkin->reading;
    const struct zipkin_span *span = &zipkin->span;
    if (span->timestamp != 0)
        return tk_reading_set_time(reading, span->timestamp, span->duration, ns_per_us, err);
    int64_t start = first_annotation(span);
    bool is_untimed = start == 0;
    if (is_untimed)
        start = zipkin->arrival_ns / ns_per_us + 1; /* rounded up: the duration fits behind both */
    int rc = tk_reading_set_time(reading, start, span->duration, ns_per_us, err);
    if (rc < 0)
        return rc;
    reading->tally->by_reason[TK_SPAN_NO_START]++;
    if (is_untimed) {
        reading->batch->start_ns[reading->batch->rows - 1] = TK_UNTIMED;
        zipkin->has_untimed = true;
    }
    return 0;
}

static int put_span(struct zipkin *zipkin, struct tk_err *err)
{
    struct tk_reading *reading = &zipkin->reading;
    const struct zipkin_span *span = &zipkin->span;
    struct tk_span_batch *batch = reading->batch;
    struct told told = {0};
    int rc = tk_reading_begin_row(reading, span->trace_id, span->id, span->parent_id, err);
    rc = rc < 0 ? rc : set_time(zipkin, err);
    if (rc < 0)
        return rc;
    size_t row = batch->rows - 1;
    batch->names[row] = tk_reading_add_name(reading, span->name);
    batch->kinds[row] = tk_span_kind_parse(span->kind);
    if (batch->kinds[row] == TK_SPAN_UNSPECIFIED)
        batch->kinds[row] = TK_SPAN_INTERNAL;
    if (span->shared)
        tk_shared_split(batch, row);
    zipkin->has_shared |= span->shared;
    rc = add_tags(reading, span, &told, err);
    set_status(reading, &told);
    rc = rc < 0 ? rc : add_events(reading, span, err);
    rc = rc < 0 ? rc : set_scope(reading, span, &told);
    return rc < 0 ? rc : tk_span_batch_end(batch);
}

/* JSON ----------------------------------------------------------------------------------------- */

static int read_text(struct tk_json *json, struct tk_arena *scratch, tk_str *ret,
                     struct tk_err *err)
{
    return tk_json_peek(json) == TK_JSON_STRING ? tk_json_read_str(json, scratch, ret, err) : 1;
}

static int read_endpoint_member(struct tk_json *json, tk_str key, struct tk_arena *scratch,
                                void *into, struct tk_err *err)
{
    struct endpoint *endpoint = into;
    if (tk_str_eq(key, TK_STR("serviceName")))
        return read_text(json, scratch, &endpoint->service, err);
    if (tk_str_eq(key, TK_STR("ipv4")))
        return read_text(json, scratch, &endpoint->ipv4, err);
    if (tk_str_eq(key, TK_STR("ipv6")))
        return read_text(json, scratch, &endpoint->ipv6, err);
    if (tk_str_eq(key, TK_STR("port")) && tk_json_peek(json) == TK_JSON_NUMBER)
        return tk_json_read_i64(json, &endpoint->port, err);
    return 1;
}

static int read_annotation_member(struct tk_json *json, tk_str key, struct tk_arena *scratch,
                                  void *into, struct tk_err *err)
{
    struct annotation *annotation = into;
    if (tk_str_eq(key, TK_STR("timestamp")))
        return tk_json_read_i64(json, &annotation->timestamp, err);
    return tk_str_eq(key, TK_STR("value")) ? read_text(json, scratch, &annotation->value, err) : 1;
}

static int read_annotations(struct tk_json *json, struct zipkin_span *span,
                            struct tk_arena *scratch, struct tk_err *err)
{
    int rc = tk_json_enter_array(json, err);
    while (rc == 0 && (rc = tk_json_next_element(json, err)) == 0) {
        if (span->annotation_count == TAGS_MAX)
            return tk_fail(err, -EBADMSG, "a span with more than %d annotations", TAGS_MAX);
        struct annotation *annotation = &span->annotations[span->annotation_count++];
        *annotation = (struct annotation){0};
        rc = tk_json_read_members(json, scratch, read_annotation_member, annotation, err);
    }
    return rc < 0 ? rc : 0;
}

static int read_tag(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                    struct tk_err *err)
{
    struct zipkin_span *span = into;
    if (span->tag_count == TAGS_MAX)
        return tk_fail(err, -EBADMSG, "a span with more than %d tags", TAGS_MAX);
    struct pair *tag = &span->tags[span->tag_count++];
    *tag = (struct pair){.key = key};
    int rc = read_text(json, scratch, &tag->value, err);
    return rc == 1 ? tk_json_skip(json, &tag->value, err) : rc;
}

static int read_flag(struct tk_json *json, bool *ret, struct tk_err *err)
{
    return tk_json_peek(json) == TK_JSON_BOOL ? tk_json_read_bool(json, ret, err) : 1;
}

static int read_part(struct tk_json *json, tk_str key, struct tk_arena *scratch,
                     struct zipkin_span *span, struct tk_err *err)
{
    enum tk_json_kind kind = tk_json_peek(json);
    if (kind == TK_JSON_OBJECT && tk_str_eq(key, TK_STR("localEndpoint")))
        return tk_json_read_members(json, scratch, read_endpoint_member, &span->local, err);
    if (kind == TK_JSON_OBJECT && tk_str_eq(key, TK_STR("remoteEndpoint")))
        return tk_json_read_members(json, scratch, read_endpoint_member, &span->remote, err);
    if (kind == TK_JSON_OBJECT && tk_str_eq(key, TK_STR("tags")))
        return tk_json_read_members(json, scratch, read_tag, span, err);
    if (kind == TK_JSON_ARRAY && tk_str_eq(key, TK_STR("annotations")))
        return read_annotations(json, span, scratch, err);
    if (tk_str_eq(key, TK_STR("shared")))
        return read_flag(json, &span->shared, err);
    return tk_str_eq(key, TK_STR("debug")) ? read_flag(json, &span->debug, err) : 1;
}

static int read_member(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                       struct tk_err *err)
{
    struct zipkin_span *span = into;
    const struct {
        const char *key;
        tk_str *to;
    } texts[] = {{"traceId", &span->trace_id},
                 {"id", &span->id},
                 {"parentId", &span->parent_id},
                 {"name", &span->name},
                 {"kind", &span->kind}};
    for (size_t i = 0; i < TK_COUNTOF(texts); i++) {
        if (tk_str_eq(key, tk_str_from(texts[i].key)))
            return read_text(json, scratch, texts[i].to, err);
    }
    bool is_timestamp = tk_str_eq(key, TK_STR("timestamp"));
    if (!is_timestamp && !tk_str_eq(key, TK_STR("duration")))
        return read_part(json, key, scratch, span, err);
    if (tk_json_peek(json) == TK_JSON_NULL)
        return 1;
    return tk_json_read_i64(json, is_timestamp ? &span->timestamp : &span->duration, err);
}

static int read_json_span(struct zipkin *zipkin, tk_str raw)
{
    struct tk_reading *reading = &zipkin->reading;
    struct zipkin_span *span = begin_span(zipkin);
    struct tk_span_mark mark = tk_span_batch_mark(reading->batch);
    struct tk_json json;
    struct tk_err err = {0};
    tk_reading_scan(reading, raw, &json);
    int rc = tk_json_read_members(&json, &reading->scratch, read_member, span, &err);
    rc = rc < 0 ? rc : put_span(zipkin, &err);
    if (rc < 0)
        return tk_reading_take_back(reading, &mark, rc, raw.p, err.msg);
    reading->tally->spans++;
    return 0;
}

static int read_json_spans(struct zipkin *zipkin, struct tk_err *err)
{
    for (;;) {
        tk_str raw;
        int rc = tk_json_records_next(&zipkin->records, &zipkin->reading, &raw, err);
        if (rc != 0)
            return rc;
        if (read_json_span(zipkin, raw) < 0) {
            tk_json_rewind(&zipkin->records.json, raw);
            return 0;
        }
    }
}

static int read_json(void *state, struct tk_span_input *input, struct tk_span_batch *batch,
                     struct tk_span_tally *tally, struct tk_err *err)
{
    begin_call(state, input, batch, tally);
    return end_call(state, read_json_spans(state, err), err);
}

static bool detect_json(tk_str head)
{
    return tk_head_has_key(head, "traceId") && tk_head_has_key(head, "id");
}

/* Protobuf ------------------------------------------------------------------------------------- */

/* Bytes as hexadecimal digits. */
static tk_str put_digits(struct zipkin *zipkin, tk_str bytes)
{
    static const char hex[] = "0123456789abcdef";
    size_t start = zipkin->digits.n;
    for (size_t i = 0; i < bytes.n; i++) {
        unsigned char byte = (unsigned char)bytes.p[i];
        tk_buf_put(&zipkin->digits, (tk_str){(char[]){hex[byte >> 4], hex[byte & 15]}, 2});
    }
    return (tk_str){zipkin->digits.p + start, zipkin->digits.n - start};
}

static tk_str put_address(struct zipkin *zipkin, tk_str bytes)
{
    char text[INET6_ADDRSTRLEN];
    int family = bytes.n == 4 ? AF_INET : AF_INET6;
    size_t start = zipkin->digits.n;
    if ((bytes.n != 4 && bytes.n != 16) || !inet_ntop(family, bytes.p, text, sizeof(text)))
        return (tk_str){NULL, 0};
    tk_buf_puts(&zipkin->digits, text);
    return (tk_str){zipkin->digits.p + start, zipkin->digits.n - start};
}

static int read_endpoint(struct zipkin *zipkin, struct tk_wire in, struct endpoint *endpoint)
{
    uint32_t tag;
    uint64_t port;
    tk_str bytes;
    tk_str *to;
    int rc;
    while ((rc = tk_wire_tag(&in, &tag)) == 0) {
        switch (tag) {
        case TK_WIRE_BYTES(1):
            rc = tk_wire_bytes(&in, &endpoint->service);
            break;
        case TK_WIRE_BYTES(2):
        case TK_WIRE_BYTES(3):
            rc = tk_wire_bytes(&in, &bytes);
            to = tag == TK_WIRE_BYTES(2) ? &endpoint->ipv4 : &endpoint->ipv6;
            *to = rc == 0 ? put_address(zipkin, bytes) : *to;
            break;
        case TK_WIRE_VARINT(4):
            rc = tk_wire_varint(&in, &port);
            endpoint->port = rc == 0 ? (int32_t)port : 0;
            break;
        default:
            rc = tk_wire_skip(&in, tag);
        }
        if (rc < 0)
            return rc;
    }
    return rc < 0 ? rc : 0;
}

/* A message of two fields: a number of 64 bits and a text, or two texts. */
static int read_two(struct tk_wire in, uint64_t *number, tk_str *first, tk_str *second)
{
    uint32_t tag;
    int rc;
    while ((rc = tk_wire_tag(&in, &tag)) == 0) {
        if (tag == TK_WIRE_FIXED64(1) && number) {
            rc = tk_wire_fixed64(&in, number);
        } else if (tag == TK_WIRE_BYTES(1) && first) {
            rc = tk_wire_bytes(&in, first);
        } else if (tag == TK_WIRE_BYTES(2)) {
            rc = tk_wire_bytes(&in, second);
        } else {
            rc = tk_wire_skip(&in, tag);
        }
        if (rc < 0)
            return rc;
    }
    return rc < 0 ? rc : 0;
}

static int read_inner(struct zipkin *zipkin, struct tk_wire *in, uint32_t tag)
{
    struct zipkin_span *span = &zipkin->span;
    uint64_t time = 0;
    tk_str bytes;
    int rc = tk_wire_bytes(in, &bytes);
    if (rc < 0)
        return rc;
    struct tk_wire inner = tk_wire_inner(in, bytes);
    if (tag == TK_WIRE_BYTES(8))
        return read_endpoint(zipkin, inner, &span->local);
    if (tag == TK_WIRE_BYTES(9))
        return read_endpoint(zipkin, inner, &span->remote);
    if (tag == TK_WIRE_BYTES(10)) {
        if (span->annotation_count == TAGS_MAX)
            return tk_wire_fail(in, -EBADMSG, bytes.p, "at most 4096 annotations of a span");
        struct annotation *annotation = &span->annotations[span->annotation_count++];
        *annotation = (struct annotation){0};
        rc = read_two(inner, &time, NULL, &annotation->value);
        annotation->timestamp = (int64_t)time;
        return rc;
    }
    if (span->tag_count == TAGS_MAX)
        return tk_wire_fail(in, -EBADMSG, bytes.p, "at most 4096 tags of a span");
    struct pair *pair = &span->tags[span->tag_count++];
    *pair = (struct pair){0};
    return read_two(inner, NULL, &pair->key, &pair->value);
}

static int read_number(struct zipkin_span *span, struct tk_wire *in, uint32_t tag)
{
    static const char *const kinds[] = {"", "client", "server", "producer", "consumer"};
    uint64_t number = 0;
    int rc = tag == TK_WIRE_FIXED64(6) ? tk_wire_fixed64(in, &number) : tk_wire_varint(in, &number);
    if (tag == TK_WIRE_VARINT(4) && number < TK_COUNTOF(kinds))
        span->kind = tk_str_from(kinds[number]);
    if (tag == TK_WIRE_FIXED64(6))
        span->timestamp = (int64_t)number;
    if (tag == TK_WIRE_VARINT(7))
        span->duration = (int64_t)number;
    if (tag == TK_WIRE_VARINT(12))
        span->debug = number != 0;
    if (tag == TK_WIRE_VARINT(13))
        span->shared = number != 0;
    return rc;
}

static int read_id(struct zipkin *zipkin, struct tk_wire *in, tk_str *ret)
{
    tk_str bytes;
    int rc = tk_wire_bytes(in, &bytes);
    if (rc == 0)
        *ret = put_digits(zipkin, bytes);
    return rc;
}

static int read_field(struct zipkin *zipkin, struct tk_wire *in, uint32_t tag)
{
    struct zipkin_span *span = &zipkin->span;
    switch (tag) {
    case TK_WIRE_BYTES(1):
        return read_id(zipkin, in, &span->trace_id);
    case TK_WIRE_BYTES(2):
        return read_id(zipkin, in, &span->parent_id);
    case TK_WIRE_BYTES(3):
        return read_id(zipkin, in, &span->id);
    case TK_WIRE_BYTES(5):
        return tk_wire_bytes(in, &span->name);
    case TK_WIRE_VARINT(4):
    case TK_WIRE_FIXED64(6):
    case TK_WIRE_VARINT(7):
    case TK_WIRE_VARINT(12):
    case TK_WIRE_VARINT(13):
        return read_number(span, in, tag);
    case TK_WIRE_BYTES(8):
    case TK_WIRE_BYTES(9):
    case TK_WIRE_BYTES(10):
    case TK_WIRE_BYTES(11):
        return read_inner(zipkin, in, tag);
    default:
        return tk_wire_skip(in, tag);
    }
}

static int read_proto_span(struct zipkin *zipkin, tk_str message)
{
    struct tk_reading *reading = &zipkin->reading;
    (void)begin_span(zipkin);
    struct tk_span_mark mark = tk_span_batch_mark(reading->batch);
    struct tk_wire_fault fault;
    struct tk_wire in = {message.p, message.p + message.n, &fault};
    struct tk_err err = {0};
    uint32_t tag;
    int rc = tk_buf_reserve(&zipkin->digits, 4 * message.n + 64) ? 0 : -ENOBUFS;
    while (rc == 0 && (rc = tk_wire_tag(&in, &tag)) == 0)
        rc = read_field(zipkin, &in, tag);
    if (rc < 0 && rc != -ENOBUFS)
        (void)tk_wire_tell(&fault, reading->input->text, &err);
    rc = rc < 0 ? rc : put_span(zipkin, &err);
    if (rc < 0)
        return tk_reading_take_back(reading, &mark, rc, message.p, err.msg);
    reading->tally->spans++;
    return 0;
}

static int read_proto_spans(struct zipkin *zipkin, struct tk_err *err)
{
    struct tk_span_input *input = zipkin->reading.input;
    struct tk_wire_fault fault;
    struct tk_wire in = {input->text.p + input->offset, input->text.p + input->text.n, &fault};
    uint32_t tag;
    int rc;
    while ((rc = tk_wire_tag(&in, &tag)) == 0) {
        tk_str message = {in.p, 0};
        bool is_span = tag == TK_WIRE_BYTES(1);
        rc = is_span ? tk_wire_bytes(&in, &message) : tk_wire_skip(&in, tag);
        if (rc < 0)
            break;
        if (is_span && read_proto_span(zipkin, message) < 0)
            return 0;
        input->offset = (size_t)(in.p - input->text.p);
    }
    return rc < 0 ? tk_wire_tell(&fault, input->text, err) : rc;
}

static int read_proto(void *state, struct tk_span_input *input, struct tk_span_batch *batch,
                      struct tk_span_tally *tally, struct tk_err *err)
{
    begin_call(state, input, batch, tally);
    return end_call(state, read_proto_spans(state, err), err);
}

/* A span that begins with its trace id of 8 or 16 bytes, behind which an id follows. */
static bool detect_proto(tk_str head)
{
    struct tk_wire_fault fault;
    struct tk_wire in = {head.p, head.p + head.n, &fault};
    uint32_t tag = 0;
    uint64_t n;
    tk_str id;
    if (tk_wire_tag(&in, &tag) != 0 || tag != TK_WIRE_BYTES(1) || tk_wire_varint(&in, &n) < 0)
        return false;
    if (tk_wire_tag(&in, &tag) != 0 || tag != TK_WIRE_BYTES(1) || tk_wire_bytes(&in, &id) < 0)
        return false;
    return (id.n == 8 || id.n == 16) && in.end - in.p > 2 && (in.p[0] == 0x12 || in.p[0] == 0x1A) &&
           in.p[1] == 8;
}

/* The readers ---------------------------------------------------------------------------------- */

static void close(void *state)
{
    struct zipkin *zipkin = state;
    if (!zipkin)
        return;
    tk_reading_release(&zipkin->reading);
    tk_buf_release(&zipkin->digits);
    free(zipkin->span.tags);
    free(zipkin->span.annotations);
    free(zipkin);
}

static int open(void **ret_state, struct tk_err *err)
{
    struct zipkin *zipkin = calloc(1, sizeof(*zipkin));
    if (!zipkin)
        return tk_fail(err, -ENOMEM, "out of memory");
    tk_buf_init(&zipkin->digits, (size_t)1 << 30);
    zipkin->span.tags = calloc(TAGS_MAX, sizeof(*zipkin->span.tags));
    zipkin->span.annotations = calloc(TAGS_MAX, sizeof(*zipkin->span.annotations));
    int rc = zipkin->span.tags && zipkin->span.annotations ? tk_reading_init(&zipkin->reading, err)
                                                           : tk_fail(err, -ENOMEM, "out of memory");
    if (rc < 0) {
        close(zipkin);
    } else {
        *ret_state = zipkin;
    }
    return rc;
}

const struct tk_span_reader tk_span_reader_zipkin = {
    .name = "zipkin",
    .help = "Zipkin v2 JSON: an array of spans or of traces, lines",
    .detect = detect_json,
    .open = open,
    .read = read_json,
    .close = close,
};

const struct tk_span_reader tk_span_reader_zipkin_proto = {
    .name = "zipkin-proto",
    .help = "Zipkin v2 protobuf: ListOfSpans",
    .detect = detect_proto,
    .open = open,
    .read = read_proto,
    .close = close,
};
