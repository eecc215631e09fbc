/* SPDX-License-Identifier: Apache-2.0 */
/* Rows from batch to batch: texts, resources and scopes are translated once each. */
#include <errno.h>
#include <stdlib.h>

#include "span/span_batch.h"

#define LOOK_BACK 64 /* resources and scopes of `to` among which an equal one is looked for */

struct tk_span_copy {
    struct tk_span_batch *to;
    const struct tk_span_batch *from;
    /* [count] of `from`: id in `to` + 1, 0 = not there yet. One piece, of `n` ids. */
    uint32_t *texts;
    uint32_t *resources;
    uint32_t *scopes;
    size_t n;
};

int tk_span_copy_new(struct tk_span_batch *to, const struct tk_span_batch *from,
                     struct tk_span_copy **ret_copy, struct tk_err *err)
{
    struct tk_span_copy *copy = calloc(1, sizeof(*copy));
    size_t n = (size_t)from->texts.count + from->resource_count + from->scope_count;
    uint32_t *ids = calloc(n, sizeof(*ids));
    if (!copy || !ids) {
        free(copy);
        free(ids);
        return tk_fail(err, -ENOMEM, "out of memory");
    }
    *copy = (struct tk_span_copy){
        .to = to,
        .from = from,
        .texts = ids,
        .resources = ids + from->texts.count,
        .scopes = ids + from->texts.count + from->resource_count,
        .n = n,
    };
    *ret_copy = copy;
    return 0;
}

void tk_span_copy_reset(struct tk_span_copy *copy)
{
    memset(copy->texts, 0, copy->n * sizeof(*copy->texts));
}

void tk_span_copy_free(struct tk_span_copy *copy)
{
    if (!copy)
        return;
    free(copy->texts);
    free(copy);
}

static uint32_t copy_text(struct tk_span_copy *copy, uint32_t id)
{
    if (copy->texts[id] != 0)
        return copy->texts[id] - 1;
    uint32_t own = tk_texts_add(&copy->to->texts, tk_texts_get(&copy->from->texts, id));
    if (own != TK_TEXTS_NONE)
        copy->texts[id] = own + 1;
    return own;
}

static struct tk_attr copy_attr(struct tk_span_copy *copy, const struct tk_attr *attr)
{
    struct tk_attr own = *attr;
    own.key = copy_text(copy, attr->key);
    if (tk_attr_is_text(attr->type))
        own.text = copy_text(copy, attr->text);
    return own;
}

static int copy_range(struct tk_span_copy *copy, const struct tk_attr_range *range,
                      struct tk_attr_range *ret)
{
    *ret = (struct tk_attr_range){copy->to->side_attr_count, range->n, range->dropped};
    for (uint32_t i = 0; i < range->n; i++) {
        struct tk_attr attr = copy_attr(copy, &copy->from->side_attrs[range->begin + i]);
        if (tk_span_batch_add_side_attr(copy->to, &attr) == UINT32_MAX)
            return -ENOBUFS;
    }
    return 0;
}

/* Resources and scopes ---------------------------------------------------------------------- */

static bool same_attr(const struct tk_attr *a, const struct tk_attr *b)
{
    if (a->key != b->key || a->type != b->type)
        return false;
    return tk_attr_is_text(a->type) ? a->text == b->text
                                    : a->type == TK_ATTR_EMPTY || a->i64 == b->i64;
}

static bool same_range(const struct tk_span_batch *batch, const struct tk_attr_range *a,
                       const struct tk_attr_range *b)
{
    if (a->n != b->n || a->dropped != b->dropped)
        return false;
    for (uint32_t i = 0; i < a->n; i++) {
        if (!same_attr(&batch->side_attrs[a->begin + i], &batch->side_attrs[b->begin + i]))
            return false;
    }
    return true;
}

static bool same_resource(const struct tk_span_batch *batch, uint32_t a, uint32_t b)
{
    const struct tk_span_resource *x = &batch->resources[a];
    const struct tk_span_resource *y = &batch->resources[b];
    return x->schema_url == y->schema_url && x->entity_refs == y->entity_refs &&
           same_range(batch, &x->attrs, &y->attrs);
}

static bool same_scope(const struct tk_span_batch *batch, uint32_t a, uint32_t b)
{
    const struct tk_span_scope *x = &batch->scopes[a];
    const struct tk_span_scope *y = &batch->scopes[b];
    return x->resource == y->resource && x->name == y->name && x->version == y->version &&
           x->schema_url == y->schema_url && same_range(batch, &x->attrs, &y->attrs);
}

/* The last of `count` when none of those before is equal; else that one, and the last is gone with
 * its attributes. */
static uint32_t keep_or_find(struct tk_span_batch *batch, uint32_t *count, uint32_t side_attrs,
                             bool (*same)(const struct tk_span_batch *, uint32_t, uint32_t))
{
    uint32_t last = *count - 1;
    for (uint32_t i = last; i > 0 && last - i < LOOK_BACK; i--) {
        if (!same(batch, i - 1, last))
            continue;
        *count = last;
        batch->side_attr_count = side_attrs;
        return i - 1;
    }
    return last;
}

static int copy_resource(struct tk_span_copy *copy, uint32_t id, uint32_t *ret)
{
    struct tk_span_batch *to = copy->to;
    if (copy->resources[id] == 0) {
        const struct tk_span_resource *resource = &copy->from->resources[id];
        uint32_t side_attrs = to->side_attr_count;
        struct tk_span_resource own = {
            .service = copy_text(copy, resource->service),
            .schema_url = copy_text(copy, resource->schema_url),
            .entity_refs = copy_text(copy, resource->entity_refs),
        };
        int rc = copy_range(copy, &resource->attrs, &own.attrs);
        if (rc < 0 || tk_span_batch_add_resource(to, &own) == UINT32_MAX)
            return -ENOBUFS;
        uint32_t kept = keep_or_find(to, &to->resource_count, side_attrs, same_resource);
        copy->resources[id] = kept + 1;
    }
    *ret = copy->resources[id] - 1;
    return 0;
}

static int copy_scope(struct tk_span_copy *copy, uint32_t id, uint32_t *ret)
{
    struct tk_span_batch *to = copy->to;
    if (copy->scopes[id] == 0) {
        const struct tk_span_scope *scope = &copy->from->scopes[id];
        struct tk_span_scope own = {
            .name = copy_text(copy, scope->name),
            .version = copy_text(copy, scope->version),
            .schema_url = copy_text(copy, scope->schema_url),
        };
        int rc = copy_resource(copy, scope->resource, &own.resource);
        uint32_t side_attrs = to->side_attr_count;
        if (rc == 0)
            rc = copy_range(copy, &scope->attrs, &own.attrs);
        if (rc < 0 || tk_span_batch_add_scope(to, &own) == UINT32_MAX)
            return -ENOBUFS;
        uint32_t kept = keep_or_find(to, &to->scope_count, side_attrs, same_scope);
        copy->scopes[id] = kept + 1;
    }
    *ret = copy->scopes[id] - 1;
    return 0;
}

/* Rows -------------------------------------------------------------------------------------- */

static int copy_attrs(struct tk_span_copy *copy, size_t row)
{
    size_t n;
    int rc = 0;
    const struct tk_attr *attrs = tk_span_attrs(copy->from, row, &n);
    for (size_t i = 0; i < n && rc == 0; i++) {
        struct tk_attr attr = copy_attr(copy, &attrs[i]);
        rc = tk_span_batch_add_attr(copy->to, &attr);
    }
    return rc;
}

static int copy_events(struct tk_span_copy *copy, size_t row)
{
    size_t n;
    int rc = 0;
    const struct tk_span_event *events = tk_span_events(copy->from, row, &n);
    for (size_t i = 0; i < n && rc == 0; i++) {
        struct tk_span_event event = events[i];
        event.name = copy_text(copy, events[i].name);
        rc = copy_range(copy, &events[i].attrs, &event.attrs);
        if (rc == 0)
            rc = tk_span_batch_add_event(copy->to, &event);
    }
    return rc;
}

static int copy_links(struct tk_span_copy *copy, size_t row)
{
    size_t n;
    int rc = 0;
    const struct tk_span_link *links = tk_span_links(copy->from, row, &n);
    for (size_t i = 0; i < n && rc == 0; i++) {
        struct tk_span_link link = links[i];
        link.trace_state = copy_text(copy, links[i].trace_state);
        rc = copy_range(copy, &links[i].attrs, &link.attrs);
        if (rc == 0)
            rc = tk_span_batch_add_link(copy->to, &link);
    }
    return rc;
}

static void copy_columns(struct tk_span_copy *copy, size_t row, uint32_t scope)
{
    struct tk_span_batch *to = copy->to;
    const struct tk_span_batch *from = copy->from;
    size_t own = to->rows - 1;
    memcpy(to->trace_ids[own], from->trace_ids[row], sizeof(to->trace_ids[own]));
    to->span_ids[own] = from->span_ids[row];
    to->parent_ids[own] = from->parent_ids[row];
    to->start_ns[own] = from->start_ns[row];
    to->duration_ns[own] = from->duration_ns[row];
    to->names[own] = copy_text(copy, from->names[row]);
    to->scope_ids[own] = scope;
    tk_span_set_rare(&to->messages[own], copy_text(copy, from->messages[row]));
    tk_span_set_rare(&to->trace_states[own], copy_text(copy, from->trace_states[row]));
    tk_span_set_rare(&to->flags[own], from->flags[row]);
    to->kinds[own] = from->kinds[row];
    to->statuses[own] = from->statuses[row];
    tk_span_set_rare(&to->dropped_attrs[own], from->dropped_attrs[row]);
    tk_span_set_rare(&to->dropped_events[own], from->dropped_events[row]);
    tk_span_set_rare(&to->dropped_links[own], from->dropped_links[row]);
}

int tk_span_copy_row(struct tk_span_copy *copy, size_t row)
{
    uint32_t scope = 0;
    int rc = copy_scope(copy, copy->from->scope_ids[row], &scope);
    if (rc == 0)
        rc = tk_span_batch_begin(copy->to);
    if (rc < 0)
        return rc;
    copy_columns(copy, row, scope);
    rc = copy_attrs(copy, row);
    if (rc == 0)
        rc = copy_events(copy, row);
    if (rc == 0)
        rc = copy_links(copy, row);
    if (rc < 0) {
        tk_span_batch_remove(copy->to);
        return rc;
    }
    return tk_span_batch_end(copy->to);
}
