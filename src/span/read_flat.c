/* SPDX-License-Identifier: Apache-2.0 */
/* A span per JSON object, lines as a rule, with the names of OTLP in snake case: trace_id, span_id,
 * parent_span_id, name, kind, start_time_unix_nano, end_time_unix_nano, status {code, message},
 * attributes, resource, scope, events, links. Keys that are not known are attributes; nulls are
 * dropped. */
#include <errno.h>
#include <stdlib.h>

#include "base/number.h"
#include "span/span_fields.h"

#define EXTRAS_MAX 512 /* keys of an object that are attributes */

struct flat {
    struct tk_reading reading;
    struct tk_json_records records;
    struct tk_span_values values;
    tk_str events, links;                        /* as JSON; empty = none */
    tk_str keys[EXTRAS_MAX], extras[EXTRAS_MAX]; /* as JSON */
    size_t extra_count;
};

/* A text, number or word as text; parts as JSON. */
static int read_text(struct flat *flat, struct tk_json *json, tk_str *ret, struct tk_err *err)
{
    if (tk_json_peek(json) == TK_JSON_STRING)
        return tk_json_read_str(json, &flat->reading.scratch, ret, err);
    return tk_json_skip(json, ret, err);
}

/* {"code": 1, "message": "x"}, or {"name": "x", "version": "1"}: two of the values. */
static int read_pair(struct flat *flat, struct tk_json *json, enum tk_span_role role,
                     struct tk_err *err)
{
    tk_str key;
    const struct {
        const char *key;
        enum tk_span_role role;
    } places[] = {{role == TK_ROLE_STATUS ? "code" : "name", role},
                  {role == TK_ROLE_STATUS ? "message" : "version",
                   role == TK_ROLE_STATUS ? TK_ROLE_MESSAGE : TK_ROLE_VERSION}};
    int rc = tk_json_enter_object(json, err);
    while (rc == 0 && (rc = tk_json_next_key(json, &flat->reading.scratch, &key, err)) == 0) {
        tk_str ignored;
        tk_str *to = &ignored;
        for (size_t i = 0; i < TK_COUNTOF(places); i++) {
            if (tk_str_eq(key, tk_str_from(places[i].key)) && tk_json_peek(json) != TK_JSON_NULL)
                to = &flat->values.texts[places[i].role];
        }
        rc = read_text(flat, json, to, err);
    }
    return rc < 0 ? rc : 0;
}

static int read_extra(struct flat *flat, struct tk_json *json, tk_str key, struct tk_err *err)
{
    if (flat->extra_count == EXTRAS_MAX)
        return tk_fail(err, -EBADMSG, "an object with more than %d keys", EXTRAS_MAX);
    flat->keys[flat->extra_count] = key;
    return tk_json_skip(json, &flat->extras[flat->extra_count++], err);
}

static int read_member(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                       struct tk_err *err)
{
    struct flat *flat = into;
    struct tk_span_field field;
    enum tk_json_kind kind = tk_json_peek(json);
    (void)scratch;
    if (kind == TK_JSON_NULL)
        return 1;
    if (tk_str_eq(key, TK_STR("events")) && kind == TK_JSON_ARRAY)
        return tk_json_skip(json, &flat->events, err);
    if (tk_str_eq(key, TK_STR("links")) && kind == TK_JSON_ARRAY)
        return tk_json_skip(json, &flat->links, err);
    if (tk_str_eq(key, TK_STR("scope")) && kind == TK_JSON_OBJECT)
        return read_pair(flat, json, TK_ROLE_SCOPE, err);
    int rc = tk_span_field_find(flat->reading.input, key, &field, err);
    if (rc < 0)
        return rc;
    if (field.role == TK_ROLE_STATUS && kind == TK_JSON_OBJECT)
        return read_pair(flat, json, TK_ROLE_STATUS, err);
    if (field.role == TK_ROLE_COUNT)
        return read_extra(flat, json, key, err);
    flat->values.units[field.role] = field.unit;
    return read_text(flat, json, &flat->values.texts[field.role], err);
}

/* Events and links --------------------------------------------------------------------------- */

struct item {
    tk_str time, name, trace_id, span_id, trace_state, attributes;
};

static int read_item_member(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                            struct tk_err *err)
{
    struct item *item = into;
    const struct {
        const char *key;
        tk_str *to;
    } places[] = {{"time_unix_nano", &item->time},     {"name", &item->name},
                  {"trace_id", &item->trace_id},       {"span_id", &item->span_id},
                  {"trace_state", &item->trace_state}, {"attributes", &item->attributes}};
    for (size_t i = 0; i < TK_COUNTOF(places); i++) {
        if (!tk_str_eq(key, tk_str_from(places[i].key)) || tk_json_peek(json) == TK_JSON_NULL)
            continue;
        return tk_json_peek(json) == TK_JSON_STRING
                   ? tk_json_read_str(json, scratch, places[i].to, err)
                   : tk_json_skip(json, places[i].to, err);
    }
    return 1;
}

static int read_item_attrs(struct tk_reading *reading, const struct item *item,
                           struct tk_attr_range *ret_range, struct tk_err *err)
{
    struct tk_json json;
    if (item->attributes.n == 0)
        return 0;
    tk_reading_scan(reading, item->attributes, &json);
    return tk_reading_read_side_attrs(reading, &json, ret_range, err);
}

static int add_event(struct tk_reading *reading, const struct item *item, struct tk_err *err)
{
    struct tk_span_event event = {0};
    tk_str time = item->time;
    if (time.n > 0 && (!tk_scan_i64(&time, &event.time_ns) || event.time_ns < 0))
        return tk_fail(err, -EBADMSG, "an event whose time_unix_nano is none");
    int rc = read_item_attrs(reading, item, &event.attrs, err);
    event.name = tk_texts_add(&reading->batch->texts, item->name);
    if (rc == 0 && event.name == TK_TEXTS_NONE)
        rc = -ENOBUFS;
    return rc < 0 ? rc : tk_span_batch_add_event(reading->batch, &event);
}

static int add_link(struct tk_reading *reading, const struct item *item, struct tk_err *err)
{
    struct tk_span_link link = {0};
    int rc = tk_reading_trace_id(item->trace_id, link.trace_id, err);
    rc = rc < 0 ? rc : tk_reading_span_id(item->span_id, &link.span_id, err);
    rc = rc < 0 ? rc : read_item_attrs(reading, item, &link.attrs, err);
    link.trace_state = tk_texts_add(&reading->batch->texts, item->trace_state);
    if (rc == 0 && link.trace_state == TK_TEXTS_NONE)
        rc = -ENOBUFS;
    return rc < 0 ? rc : tk_span_batch_add_link(reading->batch, &link);
}

typedef int (*add_fn)(struct tk_reading *reading, const struct item *item, struct tk_err *err);

static int read_items(struct tk_reading *reading, tk_str items, add_fn add, struct tk_err *err)
{
    struct tk_json json;
    if (items.n == 0)
        return 0;
    tk_reading_scan(reading, items, &json);
    int rc = tk_json_enter_array(&json, err);
    while (rc == 0 && (rc = tk_json_next_element(&json, err)) == 0) {
        struct item item = {0};
        rc = tk_json_read_members(&json, &reading->scratch, read_item_member, &item, err);
        rc = rc < 0 ? rc : add(reading, &item, err);
    }
    return rc < 0 ? rc : 0;
}

/* A span --------------------------------------------------------------------------------------- */

static int put_extras(struct flat *flat, struct tk_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < flat->extra_count && rc == 0; i++) {
        struct tk_json json;
        struct tk_attr attr;
        tk_reading_scan(&flat->reading, flat->extras[i], &json);
        rc = tk_reading_read_attr(&flat->reading, flat->keys[i], &json, &attr, err);
        rc = rc < 0 ? rc : tk_span_batch_add_attr(flat->reading.batch, &attr);
    }
    return rc;
}

static int put_span(struct flat *flat, struct tk_err *err)
{
    struct tk_reading *reading = &flat->reading;
    int rc = tk_span_values_put(reading, &flat->values, err);
    rc = rc < 0 ? rc : put_extras(flat, err);
    rc = rc < 0 ? rc : read_items(reading, flat->events, add_event, err);
    rc = rc < 0 ? rc : read_items(reading, flat->links, add_link, err);
    return rc < 0 ? rc : tk_span_batch_end(reading->batch);
}

static int read_span(struct flat *flat, tk_str raw, struct tk_err *err)
{
    struct tk_reading *reading = &flat->reading;
    struct tk_span_mark mark = tk_span_batch_mark(reading->batch);
    struct tk_json json;
    tk_arena_reset(&reading->scratch);
    reading->before = *reading->tally;
    flat->values = (struct tk_span_values){0};
    flat->events = flat->links = (tk_str){NULL, 0};
    flat->extra_count = 0;
    tk_reading_scan(reading, raw, &json);
    int rc = tk_json_read_members(&json, &reading->scratch, read_member, flat, err);
    if (rc == -EINVAL)
        return rc;
    rc = rc < 0 ? rc : put_span(flat, err);
    if (rc < 0)
        return tk_reading_take_back(reading, &mark, rc, raw.p, err->msg);
    reading->tally->spans++;
    return 0;
}

static int read(void *state, struct tk_span_input *input, struct tk_span_batch *batch,
                struct tk_span_tally *tally, struct tk_err *err)
{
    struct flat *flat = state;
    tk_reading_begin(&flat->reading, input, batch, tally);
    for (;;) {
        tk_str raw;
        int rc = tk_json_records_next(&flat->records, &flat->reading, &raw, err);
        if (rc != 0)
            return rc;
        rc = read_span(flat, raw, err);
        if (rc == -EINVAL)
            return rc;
        if (rc < 0) {
            tk_json_rewind(&flat->records.json, raw);
            return 0;
        }
    }
}

static bool detect(tk_str head)
{
    return tk_head_has_key(head, "trace_id") && tk_head_has_key(head, "span_id");
}

static void close(void *state)
{
    struct flat *flat = state;
    if (flat)
        tk_reading_release(&flat->reading);
    free(flat);
}

static int open(void **ret_state, struct tk_err *err)
{
    struct flat *flat = calloc(1, sizeof(*flat));
    if (!flat)
        return tk_fail(err, -ENOMEM, "out of memory");
    int rc = tk_reading_init(&flat->reading, err);
    if (rc < 0) {
        close(flat);
    } else {
        *ret_state = flat;
    }
    return rc;
}

const struct tk_span_reader tk_span_reader_flat = {
    .name = "flat",
    .help = "a span a line as JSON: trace_id, span_id, start_time_unix_nano ...",
    .detect = detect,
    .open = open,
    .read = read,
    .close = close,
};
