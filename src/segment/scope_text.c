/* SPDX-License-Identifier: Apache-2.0 */
#include "segment/scope_text.h"

#include <errno.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/number.h"
#include "span/any_value.h"

/* Writing ------------------------------------------------------------------------------------ */

static void put_otlp_attrs(const struct tk_span_batch *batch, const struct tk_attr_range *range,
                           struct tk_buf *out)
{
    const struct tk_attr *attrs = batch->side_attrs + range->begin;
    tk_buf_putc(out, '[');
    for (uint32_t i = 0; i < range->n; i++) {
        tk_json_put_comma(out);
        tk_buf_putc(out, '{');
        tk_json_put_key(out, "key");
        tk_json_put_str(out, tk_texts_get(&batch->texts, attrs[i].key));
        tk_json_put_key(out, "value");
        tk_any_value_put_otlp(&batch->texts, &attrs[i], out);
        tk_buf_putc(out, '}');
    }
    tk_buf_putc(out, ']');
}

/* Whether a reader of plain JSON gets the value back. Strings, integers and booleans it does. */
static bool is_plain(struct tk_attr_coder *coder, const struct tk_span_batch *batch,
                     const struct tk_attr *attr)
{
    return attr->type == TK_ATTR_STRING || attr->type == TK_ATTR_INT ||
           attr->type == TK_ATTR_BOOL || tk_attr_is_plain(coder, &batch->texts, attr);
}

static bool has_key_before(const struct tk_attr *attrs, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++) {
        if (attrs[k].key == attrs[i].key)
            return true;
    }
    return false;
}

bool tk_resource_put(struct tk_attr_coder *coder, const struct tk_span_batch *batch, uint32_t index,
                     struct tk_buf *out)
{
    const struct tk_attr_range *range = &batch->resources[index].attrs;
    const struct tk_attr *attrs = batch->side_attrs + range->begin;
    bool is_exact = true;
    tk_buf_putc(out, '{');
    for (uint32_t i = 0; i < range->n; i++) {
        is_exact = is_exact && is_plain(coder, batch, &attrs[i]);
        if (has_key_before(attrs, i)) {
            is_exact = false;
            continue;
        }
        tk_json_put_comma(out);
        tk_json_put_str(out, tk_texts_get(&batch->texts, attrs[i].key));
        tk_buf_putc(out, ':');
        tk_any_value_put_json(&batch->texts, &attrs[i], out);
    }
    tk_buf_putc(out, '}');
    return is_exact;
}

/* Members that any of the two may have, after '{'. */
static void put_more(const struct tk_span_batch *batch, uint32_t schema_url,
                     const struct tk_attr_range *range, bool with_attrs, struct tk_buf *out)
{
    if (schema_url != 0) {
        tk_json_put_key(out, "schema_url");
        tk_json_put_str(out, tk_texts_get(&batch->texts, schema_url));
    }
    if (range->dropped > 0) {
        tk_json_put_key(out, "dropped");
        tk_buf_put_u64(out, range->dropped);
    }
    if (with_attrs) {
        tk_json_put_key(out, "attributes");
        put_otlp_attrs(batch, range, out);
    }
}

void tk_resource_put_more(const struct tk_span_batch *batch, uint32_t index, bool is_exact,
                          struct tk_buf *out)
{
    const struct tk_span_resource *resource = &batch->resources[index];
    if (resource->schema_url == 0 && resource->attrs.dropped == 0 && is_exact &&
        resource->entity_refs == 0)
        return;
    tk_buf_putc(out, '{');
    put_more(batch, resource->schema_url, &resource->attrs, !is_exact, out);
    if (resource->entity_refs != 0) {
        tk_json_put_key(out, "entity_refs");
        tk_buf_putc(out, '"');
        tk_base64_put(out, tk_texts_get(&batch->texts, resource->entity_refs));
        tk_buf_putc(out, '"');
    }
    tk_buf_putc(out, '}');
}

void tk_scope_put_more(const struct tk_span_batch *batch, uint32_t index, struct tk_buf *out)
{
    const struct tk_span_scope *scope = &batch->scopes[index];
    if (scope->schema_url == 0 && scope->attrs.dropped == 0 && scope->attrs.n == 0)
        return;
    tk_buf_putc(out, '{');
    put_more(batch, scope->schema_url, &scope->attrs, scope->attrs.n > 0, out);
    tk_buf_putc(out, '}');
}

/* Reading ------------------------------------------------------------------------------------ */

static int add_text(struct tk_span_batch *batch, tk_str text, uint32_t *ret_id, struct tk_err *err)
{
    uint32_t id = tk_texts_add(&batch->texts, text);
    if (id == TK_TEXTS_NONE)
        return tk_fail(err, -ENOBUFS, "no room for a text");
    *ret_id = id;
    return 0;
}

/* A string of JSON, its escapes decoded, as a text of the batch. */
static int read_text(struct tk_json *json, struct tk_span_batch *batch, struct tk_arena *scratch,
                     uint32_t *ret_id, struct tk_err *err)
{
    tk_str text;
    int rc = tk_json_read_str(json, scratch, &text, err);
    return rc < 0 ? rc : add_text(batch, text, ret_id, err);
}

static int add_attr(struct tk_span_batch *batch, const struct tk_attr *attr,
                    struct tk_attr_range *range, struct tk_err *err)
{
    uint32_t at = batch->texts.full ? UINT32_MAX : tk_span_batch_add_side_attr(batch, attr);
    if (at == UINT32_MAX)
        return tk_fail(err, -ENOBUFS, "no room for an attribute");
    range->begin = range->n == 0 ? at : range->begin;
    range->n++;
    return 0;
}

/* {"key":"...","value":AnyValue} */
static int read_otlp_attr(struct tk_attr_coder *coder, struct tk_json *json,
                          struct tk_span_batch *batch, struct tk_attr_range *range,
                          struct tk_err *err)
{
    struct tk_attr attr = {0};
    tk_str key;
    int rc = tk_json_enter_object(json, err);
    while (rc == 0 && (rc = tk_json_next_key(json, NULL, &key, err)) == 0) {
        tk_str raw;
        if (tk_str_eq(key, TK_STR("key"))) {
            rc = read_text(json, batch, &coder->strings, &attr.key, err);
        } else if (tk_str_eq(key, TK_STR("value"))) {
            rc = tk_any_value_read_otlp(json, &batch->texts, &coder->strings, &attr, err);
        } else {
            rc = tk_json_skip(json, &raw, err);
        }
    }
    return rc < 0 ? rc : add_attr(batch, &attr, range, err);
}

struct more {
    uint32_t schema_url, entity_refs;
    struct tk_attr_range attrs;
    bool has_attrs;
};

static int read_more_member(struct tk_attr_coder *coder, struct tk_json *json, tk_str key,
                            struct tk_span_batch *batch, struct more *more, struct tk_err *err)
{
    int rc = 0;
    if (tk_str_eq(key, TK_STR("schema_url")))
        return read_text(json, batch, &coder->strings, &more->schema_url, err);
    if (tk_str_eq(key, TK_STR("dropped"))) {
        int64_t dropped = 0;
        rc = tk_json_read_i64(json, &dropped, err);
        more->attrs.dropped = (uint32_t)dropped;
        return rc;
    }
    if (tk_str_eq(key, TK_STR("entity_refs"))) {
        tk_str text;
        rc = tk_json_read_str(json, &coder->strings, &text, err);
        tk_buf_reset(&coder->first);
        if (rc == 0 && !tk_base64_decode(text, &coder->first))
            rc = tk_fail(err, -EBADMSG, "entity_refs: no base64");
        return rc < 0 ? rc : add_text(batch, tk_buf_str(&coder->first), &more->entity_refs, err);
    }
    if (tk_str_eq(key, TK_STR("attributes"))) {
        more->has_attrs = true;
        rc = tk_json_enter_array(json, err);
        while (rc == 0 && (rc = tk_json_next_element(json, err)) == 0)
            rc = read_otlp_attr(coder, json, batch, &more->attrs, err);
        return rc < 0 ? rc : 0;
    }
    tk_str raw;
    return tk_json_skip(json, &raw, err);
}

static int read_more(struct tk_attr_coder *coder, tk_str text, struct tk_span_batch *batch,
                     struct more *more, struct tk_err *err)
{
    struct tk_json json;
    tk_str key;
    if (!text.p)
        return 0;
    tk_json_init(&json, text);
    int rc = tk_json_enter_object(&json, err);
    while (rc == 0 && (rc = tk_json_next_key(&json, NULL, &key, err)) == 0)
        rc = read_more_member(coder, &json, key, batch, more, err);
    return rc < 0 ? rc : 0;
}

/* The plain object; the text of service.name goes to the resource in any case. */
static int read_plain(struct tk_attr_coder *coder, tk_str text, struct tk_span_batch *batch,
                      struct tk_attr_range *range, struct tk_err *err)
{
    struct tk_json json;
    tk_str key;
    tk_json_init(&json, text);
    int rc = tk_json_enter_object(&json, err);
    while (rc == 0 && (rc = tk_json_next_key(&json, &coder->strings, &key, err)) == 0) {
        struct tk_attr attr = {0};
        rc = add_text(batch, key, &attr.key, err);
        if (rc == 0)
            rc = tk_any_value_read_json(&json, &batch->texts, &coder->strings, &attr, err);
        if (rc == 0)
            rc = add_attr(batch, &attr, range, err);
    }
    return rc < 0 ? rc : 0;
}

/* The text of service.name, of several the last; 0 = none. */
static uint32_t service_of(const struct tk_span_batch *batch, const struct tk_attr_range *range)
{
    uint32_t service = 0;
    const struct tk_attr *attrs = batch->side_attrs + range->begin;
    for (uint32_t i = 0; i < range->n; i++) {
        if (attrs[i].type == TK_ATTR_STRING &&
            tk_str_eq(tk_texts_get(&batch->texts, attrs[i].key), TK_STR("service.name")))
            service = attrs[i].text;
    }
    return service;
}

int tk_resource_read(struct tk_attr_coder *coder, tk_str plain, tk_str more_text,
                     struct tk_span_batch *batch, uint32_t *ret_index, struct tk_err *err)
{
    struct more more = {0};
    struct tk_span_resource resource = {0};
    tk_arena_reset(&coder->strings);
    int rc = read_more(coder, more_text, batch, &more, err);
    if (rc == 0 && !more.has_attrs)
        rc = read_plain(coder, plain, batch, &more.attrs, err);
    if (rc < 0)
        return rc;
    resource.attrs = more.attrs;
    resource.schema_url = more.schema_url;
    resource.entity_refs = more.entity_refs;
    resource.service = service_of(batch, &more.attrs);
    uint32_t at = tk_span_batch_add_resource(batch, &resource);
    if (at == UINT32_MAX)
        return tk_fail(err, -ENOBUFS, "no room for a resource");
    *ret_index = at;
    return 0;
}

int tk_scope_read_more(struct tk_attr_coder *coder, tk_str text, struct tk_span_batch *batch,
                       struct tk_span_scope *scope, struct tk_err *err)
{
    struct more more = {0};
    tk_arena_reset(&coder->strings);
    int rc = read_more(coder, text, batch, &more, err);
    if (rc < 0)
        return rc;
    scope->attrs = more.attrs;
    scope->schema_url = more.schema_url;
    return 0;
}
