/* SPDX-License-Identifier: Apache-2.0 */
/* Jaeger JSON: the answer of the query API ({"data":[TRACE...]}), a trace, an array or lines of
 * them, and single spans with their process inside, as Jaeger puts them into Elasticsearch
 * (trace-protocols.md section 7.1). Tags become attributes but those that stand for something else;
 * the first CHILD_OF of the same trace is the parent, else the first FOLLOWS_FROM of it, and all
 * other references are links. A trace is walked twice: processes stand behind the spans. */
#include <errno.h>
#include <stdlib.h>

#include "span/any_value.h"
#include "span/reading.h"
#include "span/span_text.h"

enum { KIND_PROCESS = 16 };

static const int64_t ns_per_us = 1000;

struct jaeger {
    struct tk_reading reading;
    struct tk_json_records records;
    struct tk_json traces;             /* of "data" */
    struct tk_json spans;              /* of the trace at hand */
    tk_str processes;                  /* of it, as JSON; empty = none */
    bool in_traces, in_spans, is_span; /* the record is a single span */
};

/* Objects -------------------------------------------------------------------------------------- */

struct trace_members {
    tk_str data, spans, processes, span_id;
};

static int read_trace_member(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                             struct tk_err *err)
{
    struct trace_members *trace = into;
    (void)scratch;
    if (tk_str_eq(key, TK_STR("data")))
        return tk_json_skip(json, &trace->data, err);
    if (tk_str_eq(key, TK_STR("spans")))
        return tk_json_skip(json, &trace->spans, err);
    if (tk_str_eq(key, TK_STR("processes")))
        return tk_json_skip(json, &trace->processes, err);
    if (tk_str_eq(key, TK_STR("spanID")))
        return tk_json_skip(json, &trace->span_id, err);
    return 1;
}

struct span_members {
    tk_str trace_id, span_id, parent_id, name, process_id; /* decoded */
    tk_str process, references, tags, logs;                /* as JSON; empty = none */
    int64_t start, duration, flags;
    bool has_start;
};

/* Where a text, a number or a part of a span goes. */
static const struct span_field {
    const char *key;
    size_t offset;
    enum { IS_TEXT, IS_NUMBER, IS_PART } is;
} span_fields[] = {
    {"traceID", offsetof(struct span_members, trace_id), IS_TEXT},
    {"spanID", offsetof(struct span_members, span_id), IS_TEXT},
    {"parentSpanID", offsetof(struct span_members, parent_id), IS_TEXT},
    {"operationName", offsetof(struct span_members, name), IS_TEXT},
    {"processID", offsetof(struct span_members, process_id), IS_TEXT},
    {"startTime", offsetof(struct span_members, start), IS_NUMBER},
    {"duration", offsetof(struct span_members, duration), IS_NUMBER},
    {"flags", offsetof(struct span_members, flags), IS_NUMBER},
    {"process", offsetof(struct span_members, process), IS_PART},
    {"references", offsetof(struct span_members, references), IS_PART},
    {"tags", offsetof(struct span_members, tags), IS_PART},
    {"logs", offsetof(struct span_members, logs), IS_PART},
};

/* A text or a number as text, nothing for null. */
static int read_text(struct tk_json *json, struct tk_arena *scratch, tk_str *ret,
                     struct tk_err *err)
{
    enum tk_json_kind kind = tk_json_peek(json);
    if (kind == TK_JSON_STRING)
        return tk_json_read_str(json, scratch, ret, err);
    return kind == TK_JSON_NUMBER ? tk_json_skip(json, ret, err) : 1;
}

static int read_span_member(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                            struct tk_err *err)
{
    struct span_members *span = into;
    for (size_t i = 0; i < TK_COUNTOF(span_fields); i++) {
        const struct span_field *field = &span_fields[i];
        if (!tk_str_eq(key, tk_str_from(field->key)))
            continue;
        void *to = (char *)span + field->offset;
        span->has_start |= to == &span->start && tk_json_peek(json) != TK_JSON_NULL;
        if (tk_json_peek(json) == TK_JSON_NULL)
            return 1;
        if (field->is == IS_NUMBER)
            return tk_json_read_i64(json, to, err);
        return field->is == IS_TEXT ? read_text(json, scratch, to, err)
                                    : tk_json_skip(json, to, err);
    }
    return 1;
}

/* Tags ----------------------------------------------------------------------------------------- */

struct tag {
    tk_str key, type;
    tk_str value; /* as JSON; empty = none */
};

static int read_tag_member(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                           struct tk_err *err)
{
    struct tag *tag = into;
    if (tk_str_eq(key, TK_STR("key")))
        return read_text(json, scratch, &tag->key, err);
    if (tk_str_eq(key, TK_STR("type")))
        return read_text(json, scratch, &tag->type, err);
    return tk_str_eq(key, TK_STR("value")) ? tk_json_skip(json, &tag->value, err) : 1;
}

/* The value of a tag that is text, decoded. */
static int read_value_text(struct tk_reading *reading, const struct tag *tag, tk_str *ret,
                           struct tk_err *err)
{
    struct tk_json json;
    tk_reading_scan(reading, tag->value, &json);
    int rc = read_text(&json, &reading->scratch, ret, err);
    if (rc == 1)
        return tk_json_skip(&json, ret, err);
    return rc;
}

/* A binary value is base64 in a text: as the AnyValue of OTLP that it is. */
static int read_binary(struct tk_reading *reading, const struct tag *tag, struct tk_attr *ret,
                       struct tk_err *err)
{
    struct tk_json json;
    struct tk_buf wrapped;
    tk_buf_init(&wrapped, TK_READING_RECORD_MAX);
    tk_buf_lit(&wrapped, "{\"bytesValue\":");
    tk_buf_put(&wrapped, tag->value);
    tk_buf_putc(&wrapped, '}');
    int rc = tk_buf_check(&wrapped, "a tag", err);
    if (rc == 0) {
        tk_json_init(&json, tk_buf_str(&wrapped));
        rc = tk_any_value_read_otlp(&json, &reading->batch->texts, &reading->scratch, ret, err);
    }
    tk_buf_release(&wrapped);
    return rc;
}

/* Numbers and truth come as JSON or, from older versions, as text; what is not of its type stays
 * what it is. */
static bool read_typed(struct tk_reading *reading, const struct tag *tag, struct tk_attr *ret)
{
    struct tk_json json;
    struct tk_err ignored;
    tk_str text;
    tk_reading_scan(reading, tag->value, &json);
    if (tk_str_eq(tag->type, TK_STR("int64"))) {
        ret->type = TK_ATTR_INT;
        return tk_json_read_i64(&json, &ret->i64, &ignored) == 0;
    }
    if (tk_str_eq(tag->type, TK_STR("float64"))) {
        ret->type = TK_ATTR_DOUBLE;
        return tk_json_read_f64(&json, &ret->f64, &ignored) == 0;
    }
    if (tk_str_eq(tag->type, TK_STR("bool")) && tk_json_peek(&json) == TK_JSON_STRING &&
        tk_json_read_str(&json, &reading->scratch, &text, &ignored) == 0) {
        ret->type = TK_ATTR_BOOL;
        ret->i64 = tk_str_eq(text, TK_STR("true"));
        return true;
    }
    return false;
}

static int read_value(struct tk_reading *reading, const struct tag *tag, struct tk_attr *ret,
                      struct tk_err *err)
{
    struct tk_json json;
    *ret = (struct tk_attr){0};
    int rc = 0;
    if (tag->value.n == 0)
        return 0;
    if (read_typed(reading, tag, ret))
        return 0;
    *ret = (struct tk_attr){0};
    if (tk_str_eq(tag->type, TK_STR("binary")) && read_binary(reading, tag, ret, err) == 0)
        return 0;
    tk_reading_scan(reading, tag->value, &json);
    rc = tk_any_value_read_json(&json, &reading->batch->texts, &reading->scratch, ret, err);
    return rc;
}

/* What a tag stands for instead of an attribute. */
enum special { ATTRIBUTE, KIND, ERROR_TAG, STATUS, MESSAGE, STATE, SCOPE, VERSION };

static enum special find_special(tk_str key)
{
    static const struct {
        const char *key;
        enum special special;
    } specials[] = {
        {"span.kind", KIND},
        {"error", ERROR_TAG},
        {"otel.status_code", STATUS},
        {"otel.status_description", MESSAGE},
        {"w3c.tracestate", STATE},
        {"otel.scope.name", SCOPE},
        {"otel.library.name", SCOPE},
        {"otel.scope.version", VERSION},
        {"otel.library.version", VERSION},
    };
    for (size_t i = 0; i < TK_COUNTOF(specials); i++) {
        if (tk_str_eq(key, tk_str_from(specials[i].key)))
            return specials[i].special;
    }
    return ATTRIBUTE;
}

/* What the tags of a span tell of it. */
struct told {
    tk_str scope, version;
    bool has_error, has_status;
};

/* Take a tag that is no attribute; 1 when it is one after all. */
static int take_special(struct tk_reading *reading, const struct tag *tag, struct told *told,
                        struct tk_err *err)
{
    struct tk_span_batch *batch = reading->batch;
    size_t row = batch->rows - 1;
    tk_str text = {NULL, 0};
    enum special special = find_special(tag->key);
    int rc =
        special == ATTRIBUTE || tag->value.n == 0 ? 1 : read_value_text(reading, tag, &text, err);
    if (rc != 0)
        return rc;
    switch (special) {
    case KIND:
        batch->kinds[row] = tk_span_kind_parse(text);
        return batch->kinds[row] == TK_SPAN_UNSPECIFIED;
    case ERROR_TAG:
        told->has_error |= !tk_str_eq(text, TK_STR("false"));
        return !tk_str_eq(text, TK_STR("true"));
    case STATUS:
        batch->statuses[row] = tk_span_status_parse(text);
        told->has_status = true;
        return 0;
    case MESSAGE:
        batch->messages[row] = tk_texts_add(&batch->texts, text);
        return 0;
    case STATE:
        batch->trace_states[row] = tk_texts_add(&batch->texts, text);
        return 0;
    case SCOPE:
        told->scope = text;
        return 0;
    case VERSION:
        told->version = text;
        return 0;
    case ATTRIBUTE:
        break;
    }
    return 1;
}

/* Take the next element of an array as a tag: 0, or 1 at the end. */
static int next_tag(struct tk_reading *reading, struct tk_json *json, struct tag *ret,
                    struct tk_err *err)
{
    *ret = (struct tag){0};
    int rc = tk_json_next_element(json, err);
    if (rc != 0)
        return rc;
    return tk_json_read_members(json, &reading->scratch, read_tag_member, ret, err);
}

static int read_span_tags(struct tk_reading *reading, tk_str tags, struct told *told,
                          struct tk_err *err)
{
    struct tk_json json;
    struct tag tag;
    if (tags.n == 0)
        return 0;
    tk_reading_scan(reading, tags, &json);
    int rc = tk_json_enter_array(&json, err);
    while (rc == 0 && (rc = next_tag(reading, &json, &tag, err)) == 0) {
        rc = take_special(reading, &tag, told, err);
        if (rc != 1)
            continue;
        struct tk_attr attr;
        rc = read_value(reading, &tag, &attr, err);
        attr.key = tk_texts_add(&reading->batch->texts, tag.key);
        rc = rc < 0 ? rc : tk_span_batch_add_attr(reading->batch, &attr);
    }
    return rc < 0 ? rc : 0;
}

/* Tags of a process, or fields of a log, whose name is the field "event" or else "message". */
static int read_side_tags(struct tk_reading *reading, tk_str tags, tk_str *ret_event,
                          struct tk_attr_range *ret_range, struct tk_err *err)
{
    struct tk_span_batch *batch = reading->batch;
    struct tk_json json;
    struct tag tag;
    struct tk_attr attr;
    if (tags.n == 0)
        return 0;
    tk_reading_scan(reading, tags, &json);
    int rc = tk_json_enter_array(&json, err);
    while (rc == 0 && (rc = next_tag(reading, &json, &tag, err)) == 0) {
        if (ret_event && ret_event->n == 0 && tk_str_eq(tag.key, TK_STR("event"))) {
            rc = read_value_text(reading, &tag, ret_event, err);
            continue;
        }
        rc = read_value(reading, &tag, &attr, err);
        attr.key = tk_texts_add(&batch->texts, tag.key);
        if (rc < 0)
            return rc;
        if (attr.key == TK_TEXTS_NONE || tk_span_batch_add_side_attr(batch, &attr) == UINT32_MAX)
            return -ENOBUFS;
        ret_range->n++;
    }
    return rc < 0 ? rc : 0;
}

/* Processes ------------------------------------------------------------------------------------ */

struct process_members {
    tk_str service;
    tk_str tags;
};

static int read_process_member(struct tk_json *json, tk_str key, struct tk_arena *scratch,
                               void *into, struct tk_err *err)
{
    struct process_members *process = into;
    if (tk_str_eq(key, TK_STR("serviceName")))
        return read_text(json, scratch, &process->service, err);
    if (tk_str_eq(key, TK_STR("tags")) && tk_json_peek(json) == TK_JSON_ARRAY)
        return tk_json_skip(json, &process->tags, err);
    return 1;
}

/* The process of that id; empty when there is none. */
static int find_process(struct jaeger *jaeger, tk_str id, tk_str *ret_raw, struct tk_err *err)
{
    struct tk_json json;
    tk_str key;
    *ret_raw = (tk_str){NULL, 0};
    if (jaeger->processes.n == 0 || id.n == 0)
        return 0;
    tk_reading_scan(&jaeger->reading, jaeger->processes, &json);
    int rc = tk_json_enter_object(&json, err);
    while (rc == 0 && (rc = tk_json_next_key(&json, &jaeger->reading.scratch, &key, err)) == 0) {
        bool is_it = tk_str_eq(key, id);
        rc = tk_json_skip(&json, is_it ? ret_raw : NULL, err);
        if (is_it)
            return rc;
    }
    return rc < 0 ? rc : 0;
}

/* Make the resource and scope of a process. */
static int add_process(struct tk_reading *reading, tk_str raw, uint32_t *ret_scope,
                       struct tk_err *err)
{
    struct tk_span_batch *batch = reading->batch;
    struct process_members process = {0};
    struct tk_span_resource resource = {.attrs.begin = batch->side_attr_count};
    struct tk_json json;
    tk_reading_scan(reading, raw, &json);
    int rc = tk_json_read_members(&json, &reading->scratch, read_process_member, &process, err);
    if (rc < 0)
        return rc;
    if (process.service.n > 0 && !tk_str_eq(process.service, TK_STR(TK_JAEGER_NO_SERVICE))) {
        resource.service = tk_texts_add(&batch->texts, process.service);
        const struct tk_attr name = {.key = tk_texts_add(&batch->texts, TK_STR("service.name")),
                                     .type = TK_ATTR_STRING,
                                     .text = resource.service};
        if (name.key == TK_TEXTS_NONE || name.text == TK_TEXTS_NONE ||
            tk_span_batch_add_side_attr(batch, &name) == UINT32_MAX)
            return -ENOBUFS;
        resource.attrs.n = 1;
    }
    rc = read_side_tags(reading, process.tags, NULL, &resource.attrs, err);
    if (rc < 0)
        return rc;
    uint32_t index = tk_span_batch_add_resource(batch, &resource);
    *ret_scope = index == UINT32_MAX
                     ? UINT32_MAX
                     : tk_span_batch_add_scope(batch, &(struct tk_span_scope){.resource = index});
    if (*ret_scope == UINT32_MAX)
        return -ENOBUFS;
    tk_reading_add(reading, KIND_PROCESS, raw, *ret_scope);
    return 0;
}

static int set_scope(struct jaeger *jaeger, const struct span_members *span,
                     const struct told *told, struct tk_err *err)
{
    struct tk_reading *reading = &jaeger->reading;
    struct tk_span_batch *batch = reading->batch;
    tk_str raw = span->process;
    uint32_t scope;
    int rc = raw.n > 0 ? 0 : find_process(jaeger, span->process_id, &raw, err);
    if (rc < 0)
        return rc;
    if (raw.n == 0) {
        scope = tk_reading_service(reading, (tk_str){NULL, 0});
    } else if (!tk_reading_find(reading, KIND_PROCESS, raw, &scope)) {
        rc = add_process(reading, raw, &scope, err);
        if (rc < 0)
            return rc;
    }
    if (scope != UINT32_MAX && told->scope.n + told->version.n > 0) {
        scope =
            tk_reading_scope(reading, batch->scopes[scope].resource, told->scope, told->version);
    }
    batch->scope_ids[batch->rows - 1] = scope;
    return scope == UINT32_MAX ? -ENOBUFS : 0;
}

/* References and logs -------------------------------------------------------------------------- */

struct reference {
    tk_str type, trace_id, span_id;
};

static int read_reference_member(struct tk_json *json, tk_str key, struct tk_arena *scratch,
                                 void *into, struct tk_err *err)
{
    struct reference *reference = into;
    if (tk_str_eq(key, TK_STR("refType")))
        return read_text(json, scratch, &reference->type, err);
    if (tk_str_eq(key, TK_STR("traceID")))
        return read_text(json, scratch, &reference->trace_id, err);
    return tk_str_eq(key, TK_STR("spanID")) ? read_text(json, scratch, &reference->span_id, err)
                                            : 1;
}

static int add_link(struct tk_reading *reading, const struct tk_span_link *link, bool is_child)
{
    struct tk_span_batch *batch = reading->batch;
    struct tk_span_link whole = *link;
    if (is_child) {
        const struct tk_attr attr = {
            .key = tk_texts_add(&batch->texts, TK_STR("opentracing.ref_type")),
            .type = TK_ATTR_STRING,
            .text = tk_texts_add(&batch->texts, TK_STR("child_of")),
        };
        whole.attrs = (struct tk_attr_range){tk_span_batch_add_side_attr(batch, &attr), 1, 0};
        if (attr.key == TK_TEXTS_NONE || attr.text == TK_TEXTS_NONE ||
            whole.attrs.begin == UINT32_MAX)
            return -ENOBUFS;
    }
    return tk_span_batch_add_link(batch, &whole);
}

static int read_reference(struct tk_reading *reading, struct tk_json *json, uint64_t *follows,
                          struct tk_err *err)
{
    struct tk_span_batch *batch = reading->batch;
    size_t row = batch->rows - 1;
    struct reference reference = {0};
    struct tk_span_link link = {0};
    int rc = tk_json_read_members(json, &reading->scratch, read_reference_member, &reference, err);
    if (rc < 0)
        return rc;
    if (reference.trace_id.n == 0) {
        memcpy(link.trace_id, batch->trace_ids[row], sizeof(link.trace_id));
    } else {
        rc = tk_reading_trace_id(reference.trace_id, link.trace_id, err);
    }
    rc = rc < 0 ? rc : tk_reading_span_id(reference.span_id, &link.span_id, err);
    if (rc < 0)
        return rc;
    bool is_child = tk_str_eq(reference.type, TK_STR("CHILD_OF"));
    bool is_here = memcmp(link.trace_id, batch->trace_ids[row], sizeof(link.trace_id)) == 0;
    if (is_child && is_here && batch->parent_ids[row] == 0) {
        batch->parent_ids[row] = link.span_id;
        return 0;
    }
    if (!is_child && is_here && *follows == 0)
        *follows = link.span_id;
    return add_link(reading, &link, is_child);
}

static int read_references(struct tk_reading *reading, tk_str references, struct tk_err *err)
{
    struct tk_json json;
    uint64_t follows = 0;
    uint64_t *parent = &reading->batch->parent_ids[reading->batch->rows - 1];
    if (references.n == 0)
        return 0;
    uint64_t told = *parent;
    *parent = 0;
    tk_reading_scan(reading, references, &json);
    int rc = tk_json_enter_array(&json, err);
    while (rc == 0 && (rc = tk_json_next_element(&json, err)) == 0)
        rc = read_reference(reading, &json, &follows, err);
    if (*parent == 0)
        *parent = told != 0 ? told : follows;
    return rc < 0 ? rc : 0;
}

struct log_members {
    int64_t timestamp;
    tk_str fields;
};

static int read_log_member(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                           struct tk_err *err)
{
    struct log_members *log = into;
    (void)scratch;
    if (tk_str_eq(key, TK_STR("timestamp")))
        return tk_json_read_i64(json, &log->timestamp, err);
    if (tk_str_eq(key, TK_STR("fields")) && tk_json_peek(json) == TK_JSON_ARRAY)
        return tk_json_skip(json, &log->fields, err);
    return 1;
}

static int read_log(struct tk_reading *reading, struct tk_json *json, struct tk_err *err)
{
    struct tk_span_batch *batch = reading->batch;
    struct log_members log = {0};
    tk_str name = {NULL, 0};
    int rc = tk_json_read_members(json, &reading->scratch, read_log_member, &log, err);
    struct tk_span_event event = {.attrs.begin = batch->side_attr_count};
    if (rc < 0)
        return rc;
    if (log.timestamp < 0 || log.timestamp > INT64_MAX / ns_per_us)
        return tk_fail(err, -EBADMSG, "a log before 1970 or beyond 2262");
    rc = read_side_tags(reading, log.fields, &name, &event.attrs, err);
    if (rc < 0)
        return rc;
    event.time_ns = log.timestamp * ns_per_us;
    event.name = tk_texts_add(&batch->texts, name);
    return event.name == TK_TEXTS_NONE ? -ENOBUFS : tk_span_batch_add_event(batch, &event);
}

static int read_logs(struct tk_reading *reading, tk_str logs, struct tk_err *err)
{
    struct tk_json json;
    if (logs.n == 0)
        return 0;
    tk_reading_scan(reading, logs, &json);
    int rc = tk_json_enter_array(&json, err);
    while (rc == 0 && (rc = tk_json_next_element(&json, err)) == 0)
        rc = read_log(reading, &json, err);
    return rc < 0 ? rc : 0;
}

/* A span --------------------------------------------------------------------------------------- */

static int put_span(struct jaeger *jaeger, const struct span_members *span, struct tk_err *err)
{
    struct tk_reading *reading = &jaeger->reading;
    struct tk_span_batch *batch = reading->batch;
    struct told told = {0};
    tk_str parent = tk_str_eq(span->parent_id, TK_STR("0")) ? (tk_str){NULL, 0} : span->parent_id;
    int rc = tk_reading_begin_row(reading, span->trace_id, span->span_id, parent, err);
    if (rc == 0 && !span->has_start)
        rc = tk_fail(err, -EBADMSG, "a span without startTime");
    rc = rc < 0 ? rc : tk_reading_set_time(reading, span->start, span->duration, ns_per_us, err);
    if (rc < 0)
        return rc;
    size_t row = batch->rows - 1;
    batch->names[row] = tk_texts_add(&batch->texts, span->name);
    batch->flags[row] = (uint32_t)span->flags;
    rc = read_references(reading, span->references, err);
    rc = rc < 0 ? rc : read_span_tags(reading, span->tags, &told, err);
    if (told.has_error && !told.has_status)
        batch->statuses[row] = TK_SPAN_ERROR;
    rc = rc < 0 ? rc : read_logs(reading, span->logs, err);
    rc = rc < 0 ? rc : set_scope(jaeger, span, &told, err);
    return rc < 0 ? rc : tk_span_batch_end(batch);
}

/* Read a span: 0 when it became a row or was refused, -ENOBUFS when it has to wait. */
static int read_span(struct jaeger *jaeger, tk_str raw)
{
    struct tk_reading *reading = &jaeger->reading;
    struct tk_span_mark mark = tk_span_batch_mark(reading->batch);
    struct span_members span = {0};
    struct tk_json json;
    struct tk_err err = {0};
    tk_arena_reset(&reading->scratch);
    reading->before = *reading->tally;
    tk_reading_scan(reading, raw, &json);
    int rc = tk_json_read_members(&json, &reading->scratch, read_span_member, &span, &err);
    rc = rc < 0 ? rc : put_span(jaeger, &span, &err);
    if (rc < 0)
        return tk_reading_take_back(reading, &mark, rc, raw.p, err.msg);
    reading->tally->spans++;
    return 0;
}

/* The spans of the trace at hand: 0 at their end, -ENOBUFS. */
static int read_spans(struct jaeger *jaeger, struct tk_err *err)
{
    int rc = 0;
    while (rc == 0) {
        struct tk_json before = jaeger->spans;
        tk_str raw = {NULL, 0};
        rc = tk_json_next_element(&jaeger->spans, err);
        if (rc == 0)
            rc = tk_json_skip(&jaeger->spans, &raw, err);
        if (rc == 0 && read_span(jaeger, raw) < 0) {
            jaeger->spans = before;
            return -ENOBUFS;
        }
    }
    return rc < 0 ? rc : 0;
}

/* Traces --------------------------------------------------------------------------------------- */

/* A record: a trace, a span, or an answer that holds traces. */
static int open_record(struct jaeger *jaeger, tk_str raw, struct tk_err *err)
{
    struct tk_reading *reading = &jaeger->reading;
    struct trace_members trace = {0};
    struct tk_json json;
    struct tk_err fault;
    tk_arena_reset(&reading->scratch);
    tk_reading_scan(reading, raw, &json);
    if (tk_json_read_members(&json, &reading->scratch, read_trace_member, &trace, &fault) < 0) {
        tk_reading_refuse(reading, TK_SPAN_BAD_RECORD, raw.p, fault.msg);
        return 0;
    }
    jaeger->processes =
        trace.processes.n > 0 && *trace.processes.p == '{' ? trace.processes : (tk_str){NULL, 0};
    jaeger->is_span = trace.span_id.n > 0 && trace.spans.n == 0 && trace.data.n == 0;
    jaeger->in_spans = trace.spans.n > 0 && *trace.spans.p == '[';
    if (jaeger->in_spans) {
        tk_reading_scan(reading, trace.spans, &jaeger->spans);
        return tk_json_enter_array(&jaeger->spans, err);
    }
    if (trace.data.n > 0 && *trace.data.p == '[' && !jaeger->in_traces) {
        jaeger->in_traces = true;
        tk_reading_scan(reading, trace.data, &jaeger->traces);
        return tk_json_enter_array(&jaeger->traces, err);
    }
    if (!jaeger->is_span && trace.data.n == 0 && trace.spans.n == 0)
        tk_reading_refuse(reading, TK_SPAN_BAD_RECORD, raw.p, "neither a trace nor a span");
    return 0;
}

/* The next record, of "data" or of the text; 1 at the end. */
static int next_record(struct jaeger *jaeger, tk_str *ret_raw, struct tk_err *err)
{
    if (jaeger->in_traces) {
        int rc = tk_json_next_element(&jaeger->traces, err);
        if (rc == 0)
            return tk_json_skip(&jaeger->traces, ret_raw, err);
        jaeger->in_traces = false;
        if (rc < 0)
            return rc;
    }
    return tk_json_records_next(&jaeger->records, &jaeger->reading, ret_raw, err);
}

static int read(void *state, struct tk_span_input *input, struct tk_span_batch *batch,
                struct tk_span_tally *tally, struct tk_err *err)
{
    struct jaeger *jaeger = state;
    tk_reading_begin(&jaeger->reading, input, batch, tally);
    for (;;) {
        tk_str raw;
        int rc = jaeger->in_spans ? read_spans(jaeger, err) : 0;
        if (rc < 0)
            return rc == -ENOBUFS ? 0 : rc;
        jaeger->in_spans = false;
        rc = next_record(jaeger, &raw, err);
        if (rc != 0)
            return rc;
        rc = open_record(jaeger, raw, err);
        if (rc < 0)
            return rc;
        if (jaeger->is_span && read_span(jaeger, raw) < 0) {
            tk_json_rewind(jaeger->in_traces ? &jaeger->traces : &jaeger->records.json, raw);
            return 0;
        }
    }
}

static bool detect(tk_str head)
{
    return tk_head_has_key(head, "spanID") || tk_head_has_key(head, "traceID") ||
           (tk_head_has_key(head, "data") && tk_head_has_key(head, "processes"));
}

static void close(void *state)
{
    struct jaeger *jaeger = state;
    if (jaeger)
        tk_reading_release(&jaeger->reading);
    free(jaeger);
}

static int open(void **ret_state, struct tk_err *err)
{
    struct jaeger *jaeger = calloc(1, sizeof(*jaeger));
    if (!jaeger)
        return tk_fail(err, -ENOMEM, "out of memory");
    int rc = tk_reading_init(&jaeger->reading, err);
    if (rc < 0) {
        close(jaeger);
    } else {
        *ret_state = jaeger;
    }
    return rc;
}

const struct tk_span_reader tk_span_reader_jaeger = {
    .name = "jaeger",
    .help = "JSON of Jaeger's query API: an answer, a trace, lines",
    .detect = detect,
    .open = open,
    .read = read,
    .close = close,
};
