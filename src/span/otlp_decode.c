/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP as protobuf into a batch, in one pass.
 *
 *     TracesData / ResourceSpans / ScopeSpans / Span / KeyValue
 *
 * Resources, scopes and what belongs to them may stand behind their spans, so rows get their scope
 * when the message of the resource ends; heads that came before are known by their bytes. An
 * attribute of one string or integer, which nearly all are, is read without the general reader of
 * values.
 *
 * bench/otlp.c measures it. */
#include <errno.h>

#include "span/any_value_internal.h"
#include "span/otlp_fields_internal.h"
#include "span/otlp_reader_internal.h"

/* Attributes -------------------------------------------------------------------------------- */

/* The only field of a message that has but one, of less than 16 KiB. Here and below: positions are
 * plain pointers, since a struct that is copied before its stores are through costs 15 cycles. */
static inline bool take_only(const char **p, const char *end, uint32_t tag, tk_str *ret)
{
    const unsigned char *in = (const unsigned char *)*p;
    if (end - *p < 2 || in[0] != tag)
        return false;
    size_t n = in[1];
    size_t head = 2;
    if (n >= 0x80) {
        if (end - *p < 3 || in[2] >= 0x80)
            return false;
        n = (n & 0x7F) | (size_t)in[2] << 7;
        head = 3;
    }
    if (n > (size_t)(end - *p) - head)
        return false;
    *ret = (tk_str){*p + head, n};
    *p += head + n;
    return true;
}

/* A key, and a value that is one text or one integer; false, and nothing is said, for all others.
 */
static bool read_plain_pair(struct tk_otlp_reader *reader, tk_str pair, struct tk_otlp_key **before,
                            struct tk_attr *ret)
{
    tk_str key;
    tk_str value;
    tk_str text;
    const char *p = pair.p;
    const char *end = pair.p + pair.n;
    if (!take_only(&p, end, TK_PAIR_KEY, &key) || !take_only(&p, end, TK_PAIR_VALUE, &value) ||
        p != end || value.n < 2)
        return false;
    p = value.p;
    if (take_only(&p, end, TK_ANY_STRING, &text)) {
        if (p != end)
            return false;
        *before = tk_otlp_key_next(reader, *before, key);
        tk_otlp_late_attr(reader, *before, text, ret);
        return true;
    }
    uint64_t number;
    struct tk_wire inner = {value.p + 1, end, &reader->fault};
    if (*value.p != TK_ANY_INT || tk_wire_varint(&inner, &number) < 0 || inner.p != end)
        return false;
    *before = tk_otlp_key_next(reader, *before, key);
    *ret = (struct tk_attr){.key = (*before)->id, .type = TK_ATTR_INT, .i64 = (int64_t)number};
    return true;
}

/* Read an attribute; `before` is the key before it, and then that of it. A text of it may be late:
 * `ret` stays, and tk_otlp_settle() is called, before it is looked at. */
static int read_pair(struct tk_otlp_reader *reader, struct tk_wire *outer,
                     struct tk_otlp_key **before, struct tk_attr *ret)
{
    tk_str pair;
    tk_str key;
    int rc = tk_wire_bytes(outer, &pair);
    if (rc < 0)
        return rc;
    if (read_plain_pair(reader, pair, before, ret))
        return 0;
    struct tk_wire in = tk_wire_inner(outer, pair);
    rc = tk_any_value_read_pair(&in, &reader->batch->texts, &reader->scratch, &key, ret,
                                &reader->not_utf8);
    if (rc < 0)
        return rc;
    *before = tk_otlp_key_next(reader, *before, key);
    ret->key = (*before)->id;
    return 0;
}

static int read_attr(struct tk_otlp_reader *reader, struct tk_wire *in, struct tk_otlp_key **before,
                     uint32_t *dropped)
{
    struct tk_attr cut;
    struct tk_attr *attr = tk_otlp_next_attr(reader, &cut);
    int rc = attr ? read_pair(reader, in, before, attr) : -ENOBUFS;
    if (attr == &cut)
        tk_otlp_settle(reader);
    if (rc == 0)
        tk_otlp_end_attr(reader, attr == &cut, dropped);
    return rc;
}

static int read_side_attr(struct tk_otlp_reader *reader, struct tk_wire *in,
                          struct tk_otlp_key **before, struct tk_attr_range *range)
{
    struct tk_attr attr;
    int rc = read_pair(reader, in, before, &attr);
    tk_otlp_settle(reader);
    return rc < 0 ? rc : tk_otlp_add_side_attr(reader, range, &attr);
}

static int read_text(struct tk_otlp_reader *reader, struct tk_wire *in, uint32_t *ret_id)
{
    tk_str text;
    int rc = tk_wire_bytes(in, &text);
    if (rc == 0)
        *ret_id = tk_otlp_text(reader, text);
    return rc;
}

/* Spans ------------------------------------------------------------------------------------- */

static int read_event_field(struct tk_otlp_reader *reader, struct tk_wire *in, uint32_t tag,
                            struct tk_span_event *event, struct tk_otlp_key **before)
{
    uint64_t time_ns;
    int rc;
    switch (tag) {
    case TK_EVENT_TIME:
        rc = tk_wire_fixed64(in, &time_ns);
        if (rc == 0)
            event->time_ns = time_ns > INT64_MAX ? INT64_MAX : (int64_t)time_ns;
        return rc;
    case TK_EVENT_NAME:
        return read_text(reader, in, &event->name);
    case TK_EVENT_ATTRIBUTES:
        return read_side_attr(reader, in, before, &event->attrs);
    default:
        return tk_wire_skip(in, tag);
    }
}

static int read_event(struct tk_otlp_reader *reader, struct tk_wire *outer)
{
    tk_str message;
    int rc = tk_wire_bytes(outer, &message);
    if (rc < 0)
        return rc;
    struct tk_wire in = tk_wire_inner(outer, message);
    struct tk_span_event event = {.attrs.begin = reader->batch->side_attr_count};
    struct tk_otlp_key *before = &reader->keys[TK_OTLP_EVENT_KEYS];
    uint32_t dropped = 0;
    uint32_t tag;
    while ((rc = tk_wire_tag(&in, &tag)) == 0) {
        rc = tag == TK_EVENT_DROPPED ? tk_wire_u32(&in, &dropped)
                                     : read_event_field(reader, &in, tag, &event, &before);
        if (rc < 0)
            return rc;
    }
    event.attrs.dropped += dropped;
    return rc < 0 ? rc : tk_span_batch_add_event(reader->batch, &event);
}

/* A link on its way. */
struct link {
    struct tk_span_link row;
    tk_str trace_id;
    tk_str span_id;
    uint32_t dropped;
    struct tk_otlp_key *before;
};

static int read_link_field(struct tk_otlp_reader *reader, struct tk_wire *in, uint32_t tag,
                           struct link *link)
{
    switch (tag) {
    case TK_LINK_TRACE_ID:
        return tk_wire_bytes(in, &link->trace_id);
    case TK_LINK_SPAN_ID:
        return tk_wire_bytes(in, &link->span_id);
    case TK_LINK_TRACE_STATE:
        return read_text(reader, in, &link->row.trace_state);
    case TK_LINK_ATTRIBUTES:
        return read_side_attr(reader, in, &link->before, &link->row.attrs);
    case TK_LINK_DROPPED:
        return tk_wire_u32(in, &link->dropped);
    case TK_LINK_FLAGS:
        return tk_wire_fixed32(in, &link->row.flags);
    default:
        return tk_wire_skip(in, tag);
    }
}

static int read_link(struct tk_otlp_reader *reader, struct tk_wire *outer,
                     struct tk_otlp_span *span)
{
    tk_str message;
    uint32_t tag;
    int rc = tk_wire_bytes(outer, &message);
    if (rc < 0)
        return rc;
    struct tk_wire in = tk_wire_inner(outer, message);
    struct link link = {.row.attrs.begin = reader->batch->side_attr_count,
                        .before = &reader->keys[TK_OTLP_LINK_KEYS]};
    while ((rc = tk_wire_tag(&in, &tag)) == 0) {
        rc = read_link_field(reader, &in, tag, &link);
        if (rc < 0)
            return rc;
    }
    if (rc < 0)
        return rc;
    link.row.attrs.dropped += link.dropped;
    return tk_otlp_end_link(reader, span, &link.row, link.trace_id, link.span_id);
}

static int read_status(struct tk_wire *outer, struct tk_otlp_span *span)
{
    tk_str message;
    uint32_t tag;
    int rc = tk_wire_bytes(outer, &message);
    if (rc < 0)
        return rc;
    struct tk_wire in = tk_wire_inner(outer, message);
    while ((rc = tk_wire_tag(&in, &tag)) == 0) {
        rc = tag == TK_STATUS_MESSAGE ? tk_wire_bytes(&in, &span->message)
             : tag == TK_STATUS_CODE  ? tk_wire_u32(&in, &span->status)
                                      : tk_wire_skip(&in, tag);
        if (rc < 0)
            return rc;
    }
    return rc < 0 ? rc : 0;
}

/* All fields but attributes. */
static int read_span_field(struct tk_otlp_reader *reader, struct tk_wire *in, uint32_t tag,
                           struct tk_otlp_span *span)
{
    switch (tag) {
    case TK_SPAN_TRACE_ID:
        return tk_wire_bytes(in, &span->trace_id);
    case TK_SPAN_SPAN_ID:
        return tk_wire_bytes(in, &span->span_id);
    case TK_SPAN_TRACE_STATE:
        return tk_wire_bytes(in, &span->trace_state);
    case TK_SPAN_PARENT_ID:
        return tk_wire_bytes(in, &span->parent_id);
    case TK_SPAN_NAME:
        return tk_wire_bytes(in, &span->name);
    case TK_SPAN_KIND:
        return tk_wire_u32(in, &span->kind);
    case TK_SPAN_START:
        return tk_wire_fixed64(in, &span->start_ns);
    case TK_SPAN_END:
        return tk_wire_fixed64(in, &span->end_ns);
    case TK_SPAN_DROPPED_ATTRIBUTES:
        return tk_wire_u32(in, &span->dropped_attrs);
    case TK_SPAN_EVENTS:
        return read_event(reader, in);
    case TK_SPAN_DROPPED_EVENTS:
        return tk_wire_u32(in, &span->dropped_events);
    case TK_SPAN_LINKS:
        return read_link(reader, in, span);
    case TK_SPAN_DROPPED_LINKS:
        return tk_wire_u32(in, &span->dropped_links);
    case TK_SPAN_STATUS:
        return read_status(in, span);
    case TK_SPAN_FLAGS:
        return tk_wire_fixed32(in, &span->flags);
    default:
        return tk_wire_skip(in, tag);
    }
}

static int read_span(struct tk_otlp_reader *reader, struct tk_wire in)
{
    struct tk_otlp_span span = {0};
    struct tk_otlp_key *before = &reader->keys[TK_OTLP_SPAN_KEYS];
    uint32_t tag;
    int rc = tk_span_batch_begin(reader->batch);
    if (rc < 0)
        return rc;
    while ((rc = tk_wire_tag(&in, &tag)) == 0) {
        rc = tag == TK_SPAN_ATTRIBUTES ? read_attr(reader, &in, &before, &span.cut_attrs)
                                       : read_span_field(reader, &in, tag, &span);
        if (rc < 0)
            return rc;
    }
    tk_otlp_settle(reader);
    return rc < 0 ? rc : tk_otlp_end_span(reader, &span);
}

/* Resources and scopes ---------------------------------------------------------------------- */

/* Keep the fields of a reference to an entity, all of them texts. */
static int read_entity_ref(struct tk_otlp_reader *reader, struct tk_wire *outer)
{
    tk_str message;
    uint32_t tag;
    int rc = tk_wire_bytes(outer, &message);
    if (rc < 0)
        return rc;
    struct tk_wire in = tk_wire_inner(outer, message);
    size_t at = tk_wire_begin(&reader->entities, TK_RESOURCE_ENTITY_REFS, message.n);
    while ((rc = tk_wire_tag(&in, &tag)) == 0) {
        uint32_t text = 0;
        bool is_known = tag >= TK_ENTITY_SCHEMA_URL && tag <= TK_ENTITY_DESCRIPTION_KEYS &&
                        (tag & 7) == (TK_ENTITY_TYPE & 7);
        rc = is_known ? read_text(reader, &in, &text) : tk_wire_skip(&in, tag);
        if (rc < 0)
            return rc;
        if (is_known && text != TK_TEXTS_NONE)
            tk_wire_put_bytes(&reader->entities, tag, tk_texts_get(&reader->batch->texts, text));
    }
    tk_wire_end(&reader->entities, at, message.n);
    return rc < 0 ? rc : 0;
}

static int read_resource_field(struct tk_otlp_reader *reader, struct tk_wire *in, uint32_t tag,
                               struct tk_span_resource *resource, struct tk_otlp_key **before)
{
    struct tk_attr attr;
    int rc;
    if (tag == TK_RESOURCE_ENTITY_REFS)
        return read_entity_ref(reader, in);
    if (tag != TK_RESOURCE_ATTRIBUTES)
        return tk_wire_skip(in, tag);
    rc = read_pair(reader, in, before, &attr);
    tk_otlp_settle(reader);
    if (rc < 0)
        return rc;
    if (attr.type == TK_ATTR_STRING && tk_otlp_is_service_name(reader, attr.key))
        resource->service = attr.text;
    return tk_otlp_add_side_attr(reader, &resource->attrs, &attr);
}

static int read_resource(struct tk_otlp_reader *reader, struct tk_wire in, tk_str schema_url,
                         uint32_t *ret_id)
{
    struct tk_span_resource resource = {.attrs.begin = reader->batch->side_attr_count};
    struct tk_otlp_key *before = &reader->keys[TK_OTLP_RESOURCE_KEYS];
    uint32_t dropped = 0;
    uint32_t tag;
    int rc;
    tk_buf_reset(&reader->entities);
    while ((rc = tk_wire_tag(&in, &tag)) == 0) {
        rc = tag == TK_RESOURCE_DROPPED ? tk_wire_u32(&in, &dropped)
                                        : read_resource_field(reader, &in, tag, &resource, &before);
        if (rc < 0)
            return rc;
    }
    if (rc < 0)
        return rc;
    resource.attrs.dropped += dropped;
    return tk_otlp_end_resource(reader, &resource, schema_url, ret_id);
}

static int read_scope_field(struct tk_otlp_reader *reader, struct tk_wire *in, uint32_t tag,
                            struct tk_span_scope *scope, struct tk_otlp_key **before)
{
    switch (tag) {
    case TK_SCOPE_NAME:
        return read_text(reader, in, &scope->name);
    case TK_SCOPE_VERSION:
        return read_text(reader, in, &scope->version);
    case TK_SCOPE_ATTRIBUTES:
        return read_side_attr(reader, in, before, &scope->attrs);
    default:
        return tk_wire_skip(in, tag);
    }
}

static int read_scope(struct tk_otlp_reader *reader, struct tk_wire in, tk_str schema_url,
                      uint32_t resource, uint32_t *ret_id)
{
    struct tk_span_scope scope = {.resource = resource,
                                  .attrs.begin = reader->batch->side_attr_count};
    struct tk_otlp_key *before = &reader->keys[TK_OTLP_SCOPE_KEYS];
    uint32_t dropped = 0;
    uint32_t tag;
    int rc;
    while ((rc = tk_wire_tag(&in, &tag)) == 0) {
        rc = tag == TK_SCOPE_DROPPED ? tk_wire_u32(&in, &dropped)
                                     : read_scope_field(reader, &in, tag, &scope, &before);
        if (rc < 0)
            return rc;
    }
    if (rc < 0)
        return rc;
    scope.attrs.dropped += dropped;
    return tk_otlp_end_scope(reader, &scope, schema_url, ret_id);
}

/* For tk_otlp_resolve(). */
static int read_head(void *user, tk_str head, tk_str schema_url, uint32_t resource,
                     uint32_t *ret_id)
{
    struct tk_otlp_reader *reader = user;
    const char *p = head.n > 0 ? head.p : "";
    struct tk_wire in = {p, p + head.n, &reader->fault};
    return resource == UINT32_MAX ? read_resource(reader, in, schema_url, ret_id)
                                  : read_scope(reader, in, schema_url, resource, ret_id);
}

/* Envelopes --------------------------------------------------------------------------------- */

/* Take a head. One in pieces is all of them behind each other. */
static int take_head(struct tk_otlp_reader *reader, struct tk_wire *in, tk_str *head)
{
    tk_str piece = {NULL, 0};
    int rc = tk_wire_bytes(in, &piece);
    if (rc < 0 || piece.n == 0)
        return rc;
    if (head->n == 0) {
        *head = piece;
        return 0;
    }
    char *whole = tk_arena_alloc(&reader->decoded, head->n + piece.n);
    if (!whole)
        return tk_wire_fail(in, -EMSGSIZE, in->p, "resources and scopes in fewer pieces");
    memcpy(whole, head->p, head->n);
    memcpy(whole + head->n, piece.p, piece.n);
    *head = (tk_str){whole, head->n + piece.n};
    return 0;
}

static int read_scope_spans(struct tk_otlp_reader *reader, struct tk_wire in)
{
    struct tk_otlp_waiting scope = {.first_row = reader->batch->rows};
    uint32_t tag;
    int rc;
    while ((rc = tk_wire_tag(&in, &tag)) == 0) {
        tk_str span = {NULL, 0};
        if (tag == TK_OTLP_ITEMS) {
            rc = tk_wire_bytes(&in, &span);
            if (rc == 0)
                rc = read_span(reader, tk_wire_inner(&in, span));
        } else if (tag == TK_OTLP_HEAD) {
            rc = take_head(reader, &in, &scope.head);
        } else {
            rc = tag == TK_OTLP_SCHEMA_URL ? tk_wire_bytes(&in, &scope.schema_url)
                                           : tk_wire_skip(&in, tag);
        }
        if (rc < 0)
            return rc;
    }
    tk_otlp_wait(reader, scope.head, scope.schema_url, scope.first_row);
    return rc < 0 ? rc : 0;
}

static int read_resource_spans(struct tk_otlp_reader *reader, struct tk_wire in)
{
    struct tk_otlp_waiting resource = {0};
    uint32_t tag;
    int rc;
    while ((rc = tk_wire_tag(&in, &tag)) == 0) {
        tk_str scope_spans = {NULL, 0};
        if (tag == TK_OTLP_ITEMS) {
            rc = tk_wire_bytes(&in, &scope_spans);
            if (rc == 0)
                rc = read_scope_spans(reader, tk_wire_inner(&in, scope_spans));
        } else if (tag == TK_OTLP_HEAD) {
            rc = take_head(reader, &in, &resource.head);
        } else {
            rc = tag == TK_OTLP_SCHEMA_URL ? tk_wire_bytes(&in, &resource.schema_url)
                                           : tk_wire_skip(&in, tag);
        }
        if (rc < 0)
            return rc;
    }
    if (rc < 0 || reader->waiting.n == 0)
        return rc < 0 ? rc : 0;
    if (!tk_buf_ok(&reader->waiting))
        return tk_wire_fail(&in, reader->waiting.failure, in.p, "memory for scopes");
    return tk_otlp_resolve(reader, TK_OTLP_IN_PROTO, &resource, read_head, reader);
}

static int read_message(struct tk_otlp_reader *reader, tk_str message)
{
    struct tk_wire_fault *fault = &reader->fault;
    const char *p = message.n > 0 ? message.p : "";
    struct tk_wire in = {p, p + message.n, fault};
    uint32_t tag;
    int rc;
    while ((rc = tk_wire_tag(&in, &tag)) == 0) {
        tk_str inner = {NULL, 0};
        rc = tag == TK_OTLP_RESOURCE_SPANS ? tk_wire_bytes(&in, &inner) : tk_wire_skip(&in, tag);
        if (rc == 0 && tag == TK_OTLP_RESOURCE_SPANS)
            rc = read_resource_spans(reader, tk_wire_inner(&in, inner));
        if (rc < 0)
            return rc;
    }
    return rc < 0 ? rc : 0;
}

int tk_otlp_decode(struct tk_otlp_reader *reader, tk_str message, struct tk_span_tally *tally,
                   struct tk_err *err)
{
    struct tk_span_mark mark = tk_span_batch_mark(reader->batch);
    tk_otlp_begin(reader);
    int rc = read_message(reader, message);
    if (rc < 0) {
        tk_span_batch_rewind(reader->batch, &mark);
        return rc == -ENOBUFS ? tk_otlp_fail_full(err) : tk_wire_tell(&reader->fault, message, err);
    }
    tk_span_tally_add(tally, &reader->tally);
    return 0;
}
