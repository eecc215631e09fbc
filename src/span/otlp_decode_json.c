/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP as JSON (trace-protocols.md section 4) into a batch, in one pass without a tree. Each object
 * is a table of members; the member that stands next in its table is tried first, as writers keep
 * the order. An attribute of one string or integer, as compact writers make it, is taken as a
 * whole.
 *
 * Resource and scope often stand before their spans but their schema_url behind: the rows get their
 * scope when the object of the resource ends. Text that is no UTF-8 is no JSON: such a message is
 * refused. */
#include <errno.h>

#include "base/number.h"
#include "base/scan.h"
#include "span/any_value_internal.h"
#include "span/otlp_fields_internal.h"
#include "span/otlp_reader_internal.h"

struct reading {
    struct tk_otlp_reader *reader;
    struct tk_json json;
    struct tk_err *err;
};

/* A member of an object, read into what the object is read into. */
struct member {
    tk_str name;
    int (*read)(struct reading *reading, void *into);
};

#define MEMBER(name, read)                                                                         \
    {                                                                                              \
        {"" name, sizeof(name) - 1}, read                                                          \
    }

/* Objects and arrays ------------------------------------------------------------------------- */

static const struct member *find_member(const struct member *members, size_t n, size_t *next,
                                        tk_str name)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = *next + i < n ? *next + i : *next + i - n;
        if (!tk_str_eq(members[at].name, name))
            continue;
        *next = at + 1 < n ? at + 1 : 0;
        return &members[at];
    }
    return NULL;
}

/* Read the object that stands next; null is the default of a member. */
static int read_object(struct reading *reading, const struct member *members, size_t n, void *into)
{
    struct tk_json *json = &reading->json;
    size_t next = 0;
    tk_str name;
    int rc = tk_json_enter_object(json, reading->err);
    while (rc == 0 &&
           (rc = tk_json_next_key(json, &reading->reader->decoded, &name, reading->err)) == 0) {
        const struct member *member = find_member(members, n, &next, name);
        rc = !member || tk_json_peek(json) == TK_JSON_NULL ? tk_json_skip(json, NULL, reading->err)
                                                           : member->read(reading, into);
    }
    return rc < 0 ? rc : 0;
}

static int read_array(struct reading *reading, int (*read)(struct reading *reading, void *into),
                      void *into)
{
    int rc = tk_json_enter_array(&reading->json, reading->err);
    while (rc == 0 && (rc = tk_json_next_element(&reading->json, reading->err)) == 0)
        rc = read(reading, into);
    return rc < 0 ? rc : 0;
}

/* Scalars ----------------------------------------------------------------------------------- */

static int read_view(struct reading *reading, tk_str *ret)
{
    return tk_json_read_str(&reading->json, &reading->reader->decoded, ret, reading->err);
}

static int read_text(struct reading *reading, uint32_t *ret_id)
{
    tk_str text = {NULL, 0};
    int rc = read_view(reading, &text);
    if (rc == 0)
        *ret_id = tk_otlp_text(reading->reader, text);
    return rc;
}

static int read_u32(struct reading *reading, uint32_t *ret)
{
    int64_t value;
    int rc = tk_json_read_i64(&reading->json, &value, reading->err);
    if (rc == 0)
        *ret = (uint32_t)value;
    return rc == -ERANGE ? -EBADMSG : rc;
}

/* Take a string of 1 to 19 digits; false, and nothing taken, for all else. */
static bool take_digits(struct tk_json *json, uint64_t *ret)
{
    const char *p = json->p;
    uint64_t value = 0;
    if (json->end - p < 21 || *p != '"')
        return false;
    for (p++; tk_is_digit(*p) && p - json->p < 20; p++)
        value = value * 10 + (uint64_t)(*p - '0');
    if (*p != '"' || p - json->p < 2)
        return false;
    json->p = p + 1;
    *ret = value;
    return true;
}

/* A time; one beyond int64 is the latest of all, which no span may have. */
static int read_time(struct reading *reading, uint64_t *ret_ns)
{
    int64_t value;
    if (take_digits(&reading->json, ret_ns))
        return 0;
    int rc = tk_json_read_i64(&reading->json, &value, reading->err);
    if (rc == -ERANGE) {
        *ret_ns = UINT64_MAX;
        return tk_json_skip(&reading->json, NULL, reading->err);
    }
    if (rc == 0)
        *ret_ns = value < 0 ? UINT64_MAX : (uint64_t)value;
    return rc;
}

/* An enum: an integer as OTLP wants it, or a name as other writers of protobuf's JSON have it. */
static int read_enum(struct reading *reading, const tk_str *names, uint32_t n, uint32_t *ret)
{
    tk_str name = {NULL, 0};
    struct tk_json ahead = reading->json;
    if (tk_json_peek(&ahead) != TK_JSON_STRING)
        return read_u32(reading, ret);
    int rc = tk_json_read_str(&ahead, &reading->reader->decoded, &name, reading->err);
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        if (!tk_str_eq(name, names[i]))
            continue;
        *ret = i;
        reading->json = ahead;
        return 0;
    }
    return rc < 0 ? rc : read_u32(reading, ret);
}

/* An id of `n` bytes in hex. One that is no such id has a length that none has. */
static int read_id(struct reading *reading, uint8_t *bytes, size_t n, tk_str *ret)
{
    static const char bad[1] = {0};
    tk_str text = {NULL, 0};
    int rc = read_view(reading, &text);
    if (rc < 0)
        return rc;
    int all = 0;
    for (size_t i = 0; text.n == 2 * n && i < n; i++) {
        int high = tk_hex_value(text.p[2 * i]);
        int low = tk_hex_value(text.p[2 * i + 1]);
        all |= high | low;
        bytes[i] = (uint8_t)((unsigned)high << 4 | (unsigned)low);
    }
    if (text.n == 0) {
        *ret = (tk_str){NULL, 0};
    } else if (text.n == 2 * n && all >= 0) {
        *ret = (tk_str){(const char *)bytes, n};
    } else {
        *ret = (tk_str){bad, sizeof(bad)};
    }
    return 0;
}

/* Attributes -------------------------------------------------------------------------------- */

/* Where attributes go, and the key before the next one. */
struct target {
    struct tk_otlp_key *before;
    struct tk_attr_range *range; /* NULL = those of the last span */
    uint32_t *cut;               /* of that span */
    uint32_t *service;           /* of a resource, else NULL */
    struct tk_attr attr;
    tk_str key;
};

static bool take_literal(const char **p, const char *end, tk_str literal)
{
    if ((size_t)(end - *p) < literal.n || memcmp(*p, literal.p, literal.n) != 0)
        return false;
    *p += literal.n;
    return true;
}

/* Take what stands for itself up to a quote, and the quote. */
static bool take_plain(const char **p, const char *end, tk_str *ret)
{
    const char *stop = tk_skip_plain(*p, end);
    if (stop == end || *stop != '"')
        return false;
    *ret = (tk_str){*p, (size_t)(stop - *p)};
    *p = stop + 1;
    return true;
}

static bool take_number(const char **p, int64_t *ret)
{
    const char *start = *p;
    uint64_t value = 0;
    bool negative = *start == '-';
    const char *digits = start + negative;
    const char *at = digits;
    for (; tk_is_digit(*at) && at - digits < 18; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    if (at == digits)
        return false;
    *ret = negative ? -(int64_t)value : (int64_t)value;
    *p = at;
    return true;
}

/* {"key":"K","value":{"stringValue":"V"}} or {"key":"K","value":{"intValue":"1"}} without space,
 * escapes and what is not ASCII; false, and nothing taken, for all else. */
static bool take_plain_attr(struct reading *reading, struct target *target)
{
    const char *end = reading->json.end;
    const char *p = reading->json.p;
    struct tk_otlp_reader *reader = reading->reader;
    tk_str key;
    tk_str text;
    int64_t number;
    if (!take_literal(&p, end, TK_STR("{\"key\":\"")) || !take_plain(&p, end, &key) ||
        !take_literal(&p, end, TK_STR(",\"value\":{\"")))
        return false;
    if (take_literal(&p, end, TK_STR("stringValue\":\""))) {
        if (!take_plain(&p, end, &text) || !take_literal(&p, end, TK_STR("}}")))
            return false;
        target->before = tk_otlp_key_next(reader, target->before, key);
        tk_otlp_text_attr(reader, target->before, text, &target->attr);
    } else {
        if (!take_literal(&p, end, TK_STR("intValue\":")) || end - p < 32)
            return false;
        bool quoted = *p == '"';
        p += quoted;
        if (!take_number(&p, &number) ||
            !take_literal(&p, end, quoted ? TK_STR("\"}}") : TK_STR("}}")))
            return false;
        target->before = tk_otlp_key_next(reader, target->before, key);
        target->attr =
            (struct tk_attr){.key = target->before->id, .type = TK_ATTR_INT, .i64 = number};
    }
    reading->json.p = p;
    return true;
}

static int read_attr_key(struct reading *reading, void *into)
{
    struct target *target = into;
    return read_view(reading, &target->key);
}

static int read_attr_value(struct reading *reading, void *into)
{
    struct target *target = into;
    return tk_any_value_read_otlp(&reading->json, &reading->reader->batch->texts,
                                  &reading->reader->decoded, &target->attr, reading->err);
}

static const struct member attr_members[] = {
    MEMBER("key", read_attr_key),
    MEMBER("value", read_attr_value),
};

/* Append the attribute to the last span. */
static int add_attr(struct tk_otlp_reader *reader, struct target *target)
{
    struct tk_attr cut;
    struct tk_attr *attr = tk_otlp_next_attr(reader, &cut);
    if (!attr)
        return -ENOBUFS;
    *attr = target->attr;
    tk_otlp_end_attr(reader, attr == &cut, target->cut);
    return 0;
}

static int read_attr(struct reading *reading, void *into)
{
    struct target *target = into;
    struct tk_otlp_reader *reader = reading->reader;
    if (!take_plain_attr(reading, target)) {
        target->attr = (struct tk_attr){.type = TK_ATTR_EMPTY};
        target->key = (tk_str){NULL, 0};
        int rc = read_object(reading, attr_members, TK_COUNTOF(attr_members), target);
        if (rc < 0)
            return rc;
        target->before = tk_otlp_key_next(reader, target->before, target->key);
        target->attr.key = target->before->id;
    }
    if (target->service && target->attr.type == TK_ATTR_STRING &&
        tk_otlp_is_service_name(reader, target->attr.key))
        *target->service = target->attr.text;
    return target->range ? tk_otlp_add_side_attr(reader, target->range, &target->attr)
                         : add_attr(reader, target);
}

/* Those of an event, a link, a resource or a scope. */
/* NOLINTBEGIN(readability-non-const-parameter): the service is written through the target */
static int read_side_attrs(struct reading *reading, enum tk_otlp_first first,
                           struct tk_attr_range *range, uint32_t *service)
{
    struct target target = {
        .before = &reading->reader->keys[first], .range = range, .service = service};
    return read_array(reading, read_attr, &target);
}
/* NOLINTEND(readability-non-const-parameter) */

/* Events and links -------------------------------------------------------------------------- */

struct event {
    struct tk_span_event row;
    uint32_t dropped;
};

static int read_event_time(struct reading *reading, void *into)
{
    struct event *event = into;
    uint64_t time_ns = 0;
    int rc = read_time(reading, &time_ns);
    event->row.time_ns = time_ns > INT64_MAX ? INT64_MAX : (int64_t)time_ns;
    return rc;
}

static int read_event_name(struct reading *reading, void *into)
{
    return read_text(reading, &((struct event *)into)->row.name);
}

static int read_event_attrs(struct reading *reading, void *into)
{
    return read_side_attrs(reading, TK_OTLP_EVENT_KEYS, &((struct event *)into)->row.attrs, NULL);
}

static int read_event_dropped(struct reading *reading, void *into)
{
    return read_u32(reading, &((struct event *)into)->dropped);
}

static const struct member event_members[] = {
    MEMBER("timeUnixNano", read_event_time),
    MEMBER("name", read_event_name),
    MEMBER("attributes", read_event_attrs),
    MEMBER("droppedAttributesCount", read_event_dropped),
};

static int read_event(struct reading *reading, void *into)
{
    (void)into;
    struct tk_span_batch *batch = reading->reader->batch;
    struct event event = {.row.attrs.begin = batch->side_attr_count};
    int rc = read_object(reading, event_members, TK_COUNTOF(event_members), &event);
    event.row.attrs.dropped += event.dropped;
    return rc < 0 ? rc : tk_span_batch_add_event(batch, &event.row);
}

struct link {
    struct tk_span_link row;
    tk_str trace_id;
    tk_str span_id;
    uint8_t trace_bytes[16];
    uint8_t span_bytes[8];
    uint32_t dropped;
};

static int read_link_trace_id(struct reading *reading, void *into)
{
    struct link *link = into;
    return read_id(reading, link->trace_bytes, sizeof(link->trace_bytes), &link->trace_id);
}

static int read_link_span_id(struct reading *reading, void *into)
{
    struct link *link = into;
    return read_id(reading, link->span_bytes, sizeof(link->span_bytes), &link->span_id);
}

static int read_link_state(struct reading *reading, void *into)
{
    return read_text(reading, &((struct link *)into)->row.trace_state);
}

static int read_link_attrs(struct reading *reading, void *into)
{
    return read_side_attrs(reading, TK_OTLP_LINK_KEYS, &((struct link *)into)->row.attrs, NULL);
}

static int read_link_dropped(struct reading *reading, void *into)
{
    return read_u32(reading, &((struct link *)into)->dropped);
}

static int read_link_flags(struct reading *reading, void *into)
{
    return read_u32(reading, &((struct link *)into)->row.flags);
}

static const struct member link_members[] = {
    MEMBER("traceId", read_link_trace_id),
    MEMBER("spanId", read_link_span_id),
    MEMBER("traceState", read_link_state),
    MEMBER("attributes", read_link_attrs),
    MEMBER("droppedAttributesCount", read_link_dropped),
    MEMBER("flags", read_link_flags),
};

/* Spans ------------------------------------------------------------------------------------- */

struct span {
    struct tk_otlp_span row;
    uint8_t trace_bytes[16];
    uint8_t span_bytes[8];
    uint8_t parent_bytes[8];
};

static int read_link(struct reading *reading, void *into)
{
    struct span *span = into;
    struct link link = {.row.attrs.begin = reading->reader->batch->side_attr_count};
    int rc = read_object(reading, link_members, TK_COUNTOF(link_members), &link);
    link.row.attrs.dropped += link.dropped;
    return rc < 0 ? rc
                  : tk_otlp_end_link(reading->reader, &span->row, &link.row, link.trace_id,
                                     link.span_id);
}

static int read_trace_id(struct reading *reading, void *into)
{
    struct span *span = into;
    return read_id(reading, span->trace_bytes, sizeof(span->trace_bytes), &span->row.trace_id);
}

static int read_span_id(struct reading *reading, void *into)
{
    struct span *span = into;
    return read_id(reading, span->span_bytes, sizeof(span->span_bytes), &span->row.span_id);
}

static int read_parent_id(struct reading *reading, void *into)
{
    struct span *span = into;
    return read_id(reading, span->parent_bytes, sizeof(span->parent_bytes), &span->row.parent_id);
}

static int read_trace_state(struct reading *reading, void *into)
{
    return read_view(reading, &((struct span *)into)->row.trace_state);
}

static int read_name(struct reading *reading, void *into)
{
    return read_view(reading, &((struct span *)into)->row.name);
}

static int read_kind(struct reading *reading, void *into)
{
    static const tk_str names[TK_SPAN_KIND_COUNT] = {
        {"SPAN_KIND_UNSPECIFIED", 21}, {"SPAN_KIND_INTERNAL", 18}, {"SPAN_KIND_SERVER", 16},
        {"SPAN_KIND_CLIENT", 16},      {"SPAN_KIND_PRODUCER", 18}, {"SPAN_KIND_CONSUMER", 18},
    };
    return read_enum(reading, names, TK_SPAN_KIND_COUNT, &((struct span *)into)->row.kind);
}

static int read_start(struct reading *reading, void *into)
{
    return read_time(reading, &((struct span *)into)->row.start_ns);
}

static int read_end(struct reading *reading, void *into)
{
    return read_time(reading, &((struct span *)into)->row.end_ns);
}

static int read_attrs(struct reading *reading, void *into)
{
    struct target target = {.before = &reading->reader->keys[TK_OTLP_SPAN_KEYS],
                            .cut = &((struct span *)into)->row.cut_attrs};
    return read_array(reading, read_attr, &target);
}

static int read_dropped_attrs(struct reading *reading, void *into)
{
    return read_u32(reading, &((struct span *)into)->row.dropped_attrs);
}

static int read_events(struct reading *reading, void *into)
{
    return read_array(reading, read_event, into);
}

static int read_dropped_events(struct reading *reading, void *into)
{
    return read_u32(reading, &((struct span *)into)->row.dropped_events);
}

static int read_links(struct reading *reading, void *into)
{
    return read_array(reading, read_link, into);
}

static int read_dropped_links(struct reading *reading, void *into)
{
    return read_u32(reading, &((struct span *)into)->row.dropped_links);
}

static int read_message(struct reading *reading, void *into)
{
    return read_view(reading, &((struct span *)into)->row.message);
}

static int read_code(struct reading *reading, void *into)
{
    static const tk_str names[TK_SPAN_STATUS_COUNT] = {
        {"STATUS_CODE_UNSET", 17}, {"STATUS_CODE_OK", 14}, {"STATUS_CODE_ERROR", 17}};
    return read_enum(reading, names, TK_SPAN_STATUS_COUNT, &((struct span *)into)->row.status);
}

static const struct member status_members[] = {
    MEMBER("message", read_message),
    MEMBER("code", read_code),
};

static int read_status(struct reading *reading, void *into)
{
    return read_object(reading, status_members, TK_COUNTOF(status_members), into);
}

static int read_flags(struct reading *reading, void *into)
{
    return read_u32(reading, &((struct span *)into)->row.flags);
}

static const struct member span_members[] = {
    MEMBER("traceId", read_trace_id),
    MEMBER("spanId", read_span_id),
    MEMBER("traceState", read_trace_state),
    MEMBER("parentSpanId", read_parent_id),
    MEMBER("name", read_name),
    MEMBER("kind", read_kind),
    MEMBER("startTimeUnixNano", read_start),
    MEMBER("endTimeUnixNano", read_end),
    MEMBER("attributes", read_attrs),
    MEMBER("droppedAttributesCount", read_dropped_attrs),
    MEMBER("events", read_events),
    MEMBER("droppedEventsCount", read_dropped_events),
    MEMBER("links", read_links),
    MEMBER("droppedLinksCount", read_dropped_links),
    MEMBER("status", read_status),
    MEMBER("flags", read_flags),
};

static int read_span(struct reading *reading, void *into)
{
    (void)into;
    struct span span = {0};
    int rc = tk_span_batch_begin(reading->reader->batch);
    if (rc == 0)
        rc = read_object(reading, span_members, TK_COUNTOF(span_members), &span);
    return rc < 0 ? rc : tk_otlp_end_span(reading->reader, &span.row);
}

/* Resources and scopes ---------------------------------------------------------------------- */

/* Read one that stood elsewhere in the message. */
static int read_apart(struct reading *reading, tk_str raw, const struct member *members, size_t n,
                      void *into)
{
    struct tk_json json = reading->json;
    if (raw.n == 0)
        return 0;
    tk_json_init(&reading->json, raw);
    reading->json.start = json.start;
    int rc = read_object(reading, members, n, into);
    if (rc == 0)
        reading->json = json;
    return rc;
}

struct resource {
    struct tk_span_resource row;
    uint32_t dropped;
};

static int read_resource_attrs(struct reading *reading, void *into)
{
    struct resource *resource = into;
    return read_side_attrs(reading, TK_OTLP_RESOURCE_KEYS, &resource->row.attrs,
                           &resource->row.service);
}

static int read_resource_dropped(struct reading *reading, void *into)
{
    return read_u32(reading, &((struct resource *)into)->dropped);
}

/* Append a text of a reference to an entity. */
static int put_entity_text(struct reading *reading, uint32_t tag)
{
    tk_str text = {NULL, 0};
    int rc = read_view(reading, &text);
    if (rc == 0)
        tk_wire_put_bytes(&reading->reader->entities, tag, text);
    return rc;
}

static int read_entity_schema_url(struct reading *reading, void *into)
{
    (void)into;
    return put_entity_text(reading, TK_ENTITY_SCHEMA_URL);
}

static int read_entity_type(struct reading *reading, void *into)
{
    (void)into;
    return put_entity_text(reading, TK_ENTITY_TYPE);
}

static int read_entity_key(struct reading *reading, void *into)
{
    return put_entity_text(reading, *(uint32_t *)into);
}

static int read_entity_id_keys(struct reading *reading, void *into)
{
    (void)into;
    uint32_t tag = TK_ENTITY_ID_KEYS;
    return read_array(reading, read_entity_key, &tag);
}

static int read_entity_description_keys(struct reading *reading, void *into)
{
    (void)into;
    uint32_t tag = TK_ENTITY_DESCRIPTION_KEYS;
    return read_array(reading, read_entity_key, &tag);
}

static const struct member entity_members[] = {
    MEMBER("schemaUrl", read_entity_schema_url),
    MEMBER("type", read_entity_type),
    MEMBER("idKeys", read_entity_id_keys),
    MEMBER("descriptionKeys", read_entity_description_keys),
};

static int read_entity_ref(struct reading *reading, void *into)
{
    struct tk_buf *entities = &reading->reader->entities;
    size_t at = tk_wire_begin(entities, TK_RESOURCE_ENTITY_REFS, 0);
    int rc = read_object(reading, entity_members, TK_COUNTOF(entity_members), into);
    tk_wire_end(entities, at, 0);
    return rc;
}

static int read_entity_refs(struct reading *reading, void *into)
{
    return read_array(reading, read_entity_ref, into);
}

static const struct member resource_members[] = {
    MEMBER("attributes", read_resource_attrs),
    MEMBER("droppedAttributesCount", read_resource_dropped),
    MEMBER("entityRefs", read_entity_refs),
};

static int read_resource(struct reading *reading, tk_str raw, tk_str schema_url, uint32_t *ret_id)
{
    struct tk_otlp_reader *reader = reading->reader;
    struct resource resource = {.row.attrs.begin = reader->batch->side_attr_count};
    tk_buf_reset(&reader->entities);
    int rc = read_apart(reading, raw, resource_members, TK_COUNTOF(resource_members), &resource);
    if (rc < 0)
        return rc;
    resource.row.attrs.dropped += resource.dropped;
    return tk_otlp_end_resource(reader, &resource.row, schema_url, ret_id);
}

struct scope {
    struct tk_span_scope row;
    uint32_t dropped;
};

static int read_scope_name(struct reading *reading, void *into)
{
    return read_text(reading, &((struct scope *)into)->row.name);
}

static int read_scope_version(struct reading *reading, void *into)
{
    return read_text(reading, &((struct scope *)into)->row.version);
}

static int read_scope_attrs(struct reading *reading, void *into)
{
    return read_side_attrs(reading, TK_OTLP_SCOPE_KEYS, &((struct scope *)into)->row.attrs, NULL);
}

static int read_scope_dropped(struct reading *reading, void *into)
{
    return read_u32(reading, &((struct scope *)into)->dropped);
}

static const struct member scope_members[] = {
    MEMBER("name", read_scope_name),
    MEMBER("version", read_scope_version),
    MEMBER("attributes", read_scope_attrs),
    MEMBER("droppedAttributesCount", read_scope_dropped),
};

static int read_scope(struct reading *reading, tk_str raw, tk_str schema_url, uint32_t resource,
                      uint32_t *ret_id)
{
    struct tk_otlp_reader *reader = reading->reader;
    struct scope scope = {.row.resource = resource,
                          .row.attrs.begin = reader->batch->side_attr_count};
    int rc = read_apart(reading, raw, scope_members, TK_COUNTOF(scope_members), &scope);
    if (rc < 0)
        return rc;
    scope.row.attrs.dropped += scope.dropped;
    return tk_otlp_end_scope(reader, &scope.row, schema_url, ret_id);
}

/* Envelopes --------------------------------------------------------------------------------- */

static int read_scope_raw(struct reading *reading, void *into)
{
    return tk_json_skip(&reading->json, &((struct tk_otlp_waiting *)into)->head, reading->err);
}

static int read_spans(struct reading *reading, void *into)
{
    return read_array(reading, read_span, into);
}

static int read_scope_schema_url(struct reading *reading, void *into)
{
    return read_view(reading, &((struct tk_otlp_waiting *)into)->schema_url);
}

static const struct member scope_spans_members[] = {
    MEMBER("scope", read_scope_raw),
    MEMBER("spans", read_spans),
    MEMBER("schemaUrl", read_scope_schema_url),
};

static int read_scope_spans(struct reading *reading, void *into)
{
    (void)into;
    struct tk_otlp_waiting scope = {.first_row = reading->reader->batch->rows};
    int rc = read_object(reading, scope_spans_members, TK_COUNTOF(scope_spans_members), &scope);
    tk_otlp_wait(reading->reader, scope.head, scope.schema_url, scope.first_row);
    return rc;
}

static int read_resource_raw(struct reading *reading, void *into)
{
    return tk_json_skip(&reading->json, &((struct tk_otlp_waiting *)into)->head, reading->err);
}

static int read_scope_spans_list(struct reading *reading, void *into)
{
    return read_array(reading, read_scope_spans, into);
}

static int read_resource_schema_url(struct reading *reading, void *into)
{
    return read_view(reading, &((struct tk_otlp_waiting *)into)->schema_url);
}

static const struct member resource_spans_members[] = {
    MEMBER("resource", read_resource_raw),
    MEMBER("scopeSpans", read_scope_spans_list),
    MEMBER("schemaUrl", read_resource_schema_url),
};

/* For tk_otlp_resolve(). */
static int read_head(void *user, tk_str head, tk_str schema_url, uint32_t resource,
                     uint32_t *ret_id)
{
    return resource == UINT32_MAX ? read_resource(user, head, schema_url, ret_id)
                                  : read_scope(user, head, schema_url, resource, ret_id);
}

static int read_resource_spans(struct reading *reading, void *into)
{
    (void)into;
    struct tk_otlp_waiting resource = {0};
    int rc =
        read_object(reading, resource_spans_members, TK_COUNTOF(resource_spans_members), &resource);
    if (rc == 0)
        rc = tk_buf_check(&reading->reader->waiting, "scopes of a resource", reading->err);
    if (rc < 0 || reading->reader->waiting.n == 0)
        return rc;
    return tk_otlp_resolve(reading->reader, TK_OTLP_IN_JSON, &resource, read_head, reading);
}

static int read_resource_spans_list(struct reading *reading, void *into)
{
    return read_array(reading, read_resource_spans, into);
}

static const struct member request_members[] = {
    MEMBER("resourceSpans", read_resource_spans_list),
};

int tk_otlp_decode_json(struct tk_otlp_reader *reader, tk_str text, struct tk_span_tally *tally,
                        struct tk_err *err)
{
    struct tk_span_mark mark = tk_span_batch_mark(reader->batch);
    struct reading reading = {.reader = reader, .err = err};
    tk_json_init(&reading.json, text);
    tk_otlp_begin(reader);
    int rc = read_object(&reading, request_members, TK_COUNTOF(request_members), NULL);
    if (rc == 0)
        rc = tk_json_expect_end(&reading.json, err);
    if (rc < 0) {
        tk_span_batch_rewind(reader->batch, &mark);
        return rc == -ENOBUFS ? tk_otlp_fail_full(err) : rc;
    }
    tk_span_tally_add(tally, &reader->tally);
    return 0;
}
