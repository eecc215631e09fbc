/* SPDX-License-Identifier: Apache-2.0 */
#include "span/projection.h"

#include "base/number.h"
#include "span/any_value.h"

#define TEXT_MAX     ((size_t)64 << 20)
#define BODY_ENTRIES (TK_STR_FEATURES + TK_INT_FEATURES) /* a body of so many is kept whole */

static const char *const key_names[TK_PROJECTED_KEYS] = {
    [TK_KEY_COMPONENT] = "component",
    [TK_KEY_ERROR] = "error",
    [TK_KEY_METHOD] = "http.method",
    [TK_KEY_NEW_METHOD] = "http.request.method",
    [TK_KEY_CODE] = "http.status_code",
    [TK_KEY_NEW_CODE] = "http.response.status_code",
    [TK_KEY_PEER_ADDRESS] = "peer.address",
    [TK_KEY_URL] = "http.url",
    [TK_KEY_SERVICE] = "service.name",
    [TK_KEY_HOSTNAME] = "hostname",
    [TK_KEY_IP] = "ip",
    [TK_KEY_POD] = "k8s.pod.name",
    [TK_KEY_SPAN_ID] = "tracekit.span_id",
    [TK_KEY_TRACE_ID] = "tracekit.trace_id",
    [TK_KEY_TYPE] = "gent.service_type",
    [TK_KEY_ISSUE] = TK_ISSUE_KEY,
};

void tk_projector_init(struct tk_projector *projector)
{
    *projector = (struct tk_projector){0};
    for (size_t i = 0; i < TK_STR_FEATURES; i++)
        tk_buf_init(&projector->texts[i], TEXT_MAX);
}

void tk_projector_release(struct tk_projector *projector)
{
    for (size_t i = 0; i < TK_STR_FEATURES; i++)
        tk_buf_release(&projector->texts[i]);
}

void tk_projector_begin(struct tk_projector *projector, const struct tk_span_batch *batch)
{
    projector->batch = batch;
    for (size_t i = 0; i < TK_PROJECTED_KEYS; i++)
        projector->keys[i] = tk_texts_find(&batch->texts, tk_str_from(key_names[i]));
}

/* Attributes ----------------------------------------------------------------------------------- */

/* What is known of a row: its attributes and those of its resource, by what they mean. */
struct body {
    const struct tk_attr *attrs;
    size_t count;
    const struct tk_attr *resource;
    size_t resource_count;
    const struct tk_attr *found[TK_PROJECTED_KEYS]; /* NULL = none */
};

/* What an attribute means, of keys [from, to); `to` = nothing. */
static size_t meaning_of(const struct tk_projector *projector, uint32_t key, size_t from, size_t to)
{
    while (from < to && projector->keys[from] != key)
        from++;
    return from;
}

static void read_body(const struct tk_projector *projector, size_t row, struct body *ret)
{
    const struct tk_span_batch *batch = projector->batch;
    const struct tk_attr_range *range = &tk_span_resource_of(batch, row)->attrs;
    *ret = (struct body){.resource = batch->side_attrs + range->begin, .resource_count = range->n};
    ret->attrs = tk_span_attrs(batch, row, &ret->count);
    for (size_t i = 0; i < ret->count; i++) {
        size_t key = meaning_of(projector, ret->attrs[i].key, 0, TK_KEY_SERVICE);
        if (key == TK_KEY_SERVICE)
            key = meaning_of(projector, ret->attrs[i].key, TK_KEY_SPAN_ID, TK_PROJECTED_KEYS);
        if (key < TK_PROJECTED_KEYS)
            ret->found[key] = &ret->attrs[i];
    }
    for (size_t i = 0; i < range->n; i++) {
        size_t key = meaning_of(projector, ret->resource[i].key, TK_KEY_SERVICE, TK_KEY_SPAN_ID);
        if (key < TK_KEY_SPAN_ID)
            ret->found[key] = &ret->resource[i];
    }
}

/* Values --------------------------------------------------------------------------------------- */

static int64_t number_of(const struct tk_projector *projector, const struct tk_attr *attr)
{
    static const double limit = 9007199254740992.0; /* 2^53 */
    int64_t value = 0;
    if (!attr)
        return 0;
    if (attr->type == TK_ATTR_INT || attr->type == TK_ATTR_BOOL)
        return attr->i64;
    if (attr->type == TK_ATTR_DOUBLE)
        return attr->f64 > -limit && attr->f64 < limit ? (int64_t)attr->f64 : 0;
    if (attr->type == TK_ATTR_STRING)
        (void)tk_parse_whole(tk_texts_get(&projector->batch->texts, attr->text), &value);
    return value;
}

/* Ampersands of a text, or 0. */
static int64_t count_ampersands(const struct tk_projector *projector, const struct tk_attr *attr)
{
    int64_t count = 0;
    if (!attr || attr->type != TK_ATTR_STRING)
        return 0;
    tk_str text = tk_texts_get(&projector->batch->texts, attr->text);
    for (size_t i = 0; i < text.n; i++)
        count += text.p[i] == '&';
    return count;
}

static void set_text(struct tk_projector *projector, struct tk_projection *ret, size_t at,
                     const struct tk_attr *attr)
{
    struct tk_buf *text = &projector->texts[at];
    struct tk_projected_text *to = &ret->strings[at];
    *to = (struct tk_projected_text){TK_TEXTS_NONE, TK_STR("Unknown")};
    if (!attr)
        return;
    if (attr->type == TK_ATTR_STRING) {
        to->id = attr->text;
        return;
    }
    tk_buf_reset(text);
    tk_any_value_put_text(&projector->batch->texts, attr, text);
    to->text = tk_buf_str(text);
}

/* A body of five ------------------------------------------------------------------------------- */

/* Entries of a body with different keys, at most one more than fit. */
struct entries {
    const struct tk_attr *items[BODY_ENTRIES + 1];
    size_t count;
};

static void add_entry(struct entries *entries, const struct tk_attr *attr, bool is_resource)
{
    for (size_t i = is_resource ? entries->count : 0; i < entries->count; i++) {
        if (entries->items[i]->key == attr->key) {
            entries->items[i] = attr;
            return;
        }
    }
    if (entries->count <= BODY_ENTRIES)
        entries->items[entries->count++] = attr;
}

static void list_entries(const struct tk_projector *projector, const struct body *body,
                         struct entries *entries)
{
    for (size_t i = 0; i < body->count && entries->count <= BODY_ENTRIES; i++) {
        uint32_t key = body->attrs[i].key;
        if (meaning_of(projector, key, TK_KEY_SPAN_ID, TK_PROJECTED_KEYS) == TK_PROJECTED_KEYS)
            add_entry(entries, &body->attrs[i], false);
    }
    for (size_t i = 0; i < body->resource_count && entries->count <= BODY_ENTRIES; i++) {
        if (&body->resource[i] != body->found[TK_KEY_SERVICE])
            add_entry(entries, &body->resource[i], true);
    }
}

/* Integers and strings in their order, the first ones; none is missing. */
static void keep_whole(struct tk_projector *projector, const struct entries *entries,
                       struct tk_projection *ret)
{
    size_t strings = 0;
    size_t integers = 0;
    for (size_t i = 0; i < entries->count; i++) {
        const struct tk_attr *attr = entries->items[i];
        bool is_integer = attr->type == TK_ATTR_INT || attr->type == TK_ATTR_BOOL;
        if (is_integer && integers < TK_INT_FEATURES)
            ret->integers[integers++] = attr->i64;
        if (attr->type == TK_ATTR_STRING && strings < TK_STR_FEATURES)
            set_text(projector, ret, strings++, attr);
    }
}

/* Rows ----------------------------------------------------------------------------------------- */

/* Where a resource is a pod and nothing else, as of Nezha's rows, the pod is the host. */
static const struct tk_attr *host_of(const struct body *body)
{
    if (body->found[TK_KEY_HOSTNAME])
        return body->found[TK_KEY_HOSTNAME];
    size_t others = body->resource_count - (body->found[TK_KEY_SERVICE] != NULL);
    return others == 1 ? body->found[TK_KEY_POD] : NULL;
}

static void keep_some(struct tk_projector *projector, const struct body *body,
                      struct tk_projection *ret)
{
    const struct tk_attr *const *found = body->found;
    if (!found[TK_KEY_METHOD]) {
        set_text(projector, ret, 0, host_of(body));
        set_text(projector, ret, 1, found[TK_KEY_IP]);
        return;
    }
    set_text(projector, ret, 0, found[TK_KEY_COMPONENT]);
    set_text(projector, ret, 1, found[TK_KEY_METHOD]);
    ret->integers[0] = number_of(projector, found[TK_KEY_CODE]);
    ret->integers[1] = count_ampersands(projector, found[TK_KEY_URL]);
}

/* A node of Gen-T says itself whether it has issues; elsewhere tags do. */
static bool has_issues(const struct tk_projector *projector, const struct body *body, size_t row)
{
    const struct tk_attr *error = body->found[TK_KEY_ERROR];
    const struct tk_attr *issue = body->found[TK_KEY_ISSUE];
    if (projector->batch->statuses[row] == TK_SPAN_ERROR)
        return true;
    if (issue && issue->type == TK_ATTR_BOOL && issue->i64 != 0)
        return true;
    if (body->found[TK_KEY_TYPE])
        return false;
    return (error && error->type == TK_ATTR_BOOL && error->i64 != 0) ||
           number_of(projector, body->found[TK_KEY_CODE]) > TK_ISSUE_ABOVE;
}

void tk_projector_read(struct tk_projector *projector, size_t row, struct tk_projection *ret)
{
    struct body body;
    struct entries entries = {.count = 0};
    read_body(projector, row, &body);
    *ret = (struct tk_projection){.has_issues = has_issues(projector, &body, row)};
    list_entries(projector, &body, &entries);
    if (entries.count == BODY_ENTRIES) {
        for (size_t i = 0; i < TK_STR_FEATURES; i++)
            ret->strings[i].id = 0;
        keep_whole(projector, &entries, ret);
    } else {
        keep_some(projector, &body, ret);
    }
    const struct tk_attr *method =
        body.found[TK_KEY_METHOD] ? body.found[TK_KEY_METHOD] : body.found[TK_KEY_NEW_METHOD];
    const struct tk_attr *code =
        body.found[TK_KEY_CODE] ? body.found[TK_KEY_CODE] : body.found[TK_KEY_NEW_CODE];
    int64_t number = number_of(projector, code);
    ret->method = method && method->type == TK_ATTR_STRING ? method->text : 0;
    ret->code = number > 0 && number <= UINT16_MAX ? (uint16_t)number : 0;
}
