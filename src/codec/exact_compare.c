/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/exact_compare.h"

#include <stdlib.h>

#include "base/hash.h"

const char *const tk_span_field_names[TK_FIELD_COUNT] = {
    [TK_FIELD_PARENT] = "parent",     [TK_FIELD_TIMES] = "times",
    [TK_FIELD_NAME] = "name",         [TK_FIELD_MESSAGE] = "message",
    [TK_FIELD_STATE] = "trace state", [TK_FIELD_ATTRS] = "attributes",
    [TK_FIELD_EVENTS] = "events",     [TK_FIELD_LINKS] = "links",
    [TK_FIELD_RESOURCE] = "resource", [TK_FIELD_SCOPE] = "scope",
};

struct print {
    uint8_t trace_id[16];
    uint64_t span_id;
    uint32_t kind;
    uint32_t fields[TK_FIELD_COUNT];
};

void tk_span_prints_init(struct tk_span_prints *prints, uint64_t max_spans)
{
    *prints = (struct tk_span_prints){0};
    tk_buf_init(&prints->items, (size_t)max_spans * sizeof(struct print));
    tk_buf_init(&prints->scratch, (size_t)1 << 30);
}

void tk_span_prints_release(struct tk_span_prints *prints)
{
    tk_buf_release(&prints->items);
    tk_buf_release(&prints->scratch);
    *prints = (struct tk_span_prints){0};
}

/* Fields as bytes ------------------------------------------------------------------------------ */

static void put_u64(struct tk_buf *out, uint64_t value)
{
    tk_buf_put(out, (tk_str){(const char *)&value, sizeof(value)});
}

static void put_text(struct tk_buf *out, const struct tk_span_batch *batch, uint32_t id)
{
    tk_str text = tk_texts_get(&batch->texts, id);
    put_u64(out, text.n);
    tk_buf_put(out, text);
}

static void put_attrs(struct tk_buf *out, const struct tk_span_batch *batch,
                      const struct tk_attr *attrs, size_t n)
{
    put_u64(out, n);
    for (size_t i = 0; i < n; i++) {
        put_text(out, batch, attrs[i].key);
        put_u64(out, attrs[i].type);
        if (tk_attr_is_text(attrs[i].type)) {
            put_text(out, batch, attrs[i].text);
        } else if (attrs[i].type != TK_ATTR_EMPTY) {
            put_u64(out, (uint64_t)attrs[i].i64);
        }
    }
}

static void put_range(struct tk_buf *out, const struct tk_span_batch *batch,
                      const struct tk_attr_range *range)
{
    put_attrs(out, batch, batch->side_attrs + range->begin, range->n);
    put_u64(out, range->dropped);
}

static void put_parent(struct tk_buf *out, const struct tk_span_batch *batch, size_t row)
{
    put_u64(out, batch->parent_ids[row]);
}

static void put_times(struct tk_buf *out, const struct tk_span_batch *batch, size_t row)
{
    put_u64(out, (uint64_t)batch->start_ns[row]);
    put_u64(out, (uint64_t)batch->duration_ns[row]);
}

static void put_name(struct tk_buf *out, const struct tk_span_batch *batch, size_t row)
{
    put_text(out, batch, batch->names[row]);
    put_u64(out, batch->statuses[row]);
}

static void put_message(struct tk_buf *out, const struct tk_span_batch *batch, size_t row)
{
    put_text(out, batch, batch->messages[row]);
}

static void put_state(struct tk_buf *out, const struct tk_span_batch *batch, size_t row)
{
    put_text(out, batch, batch->trace_states[row]);
    put_u64(out, batch->flags[row]);
    put_u64(out, batch->dropped_attrs[row]);
    put_u64(out, batch->dropped_events[row]);
    put_u64(out, batch->dropped_links[row]);
}

static void put_own_attrs(struct tk_buf *out, const struct tk_span_batch *batch, size_t row)
{
    size_t n;
    const struct tk_attr *attrs = tk_span_attrs(batch, row, &n);
    put_attrs(out, batch, attrs, n);
}

static void put_events(struct tk_buf *out, const struct tk_span_batch *batch, size_t row)
{
    size_t n;
    const struct tk_span_event *events = tk_span_events(batch, row, &n);
    for (size_t i = 0; i < n; i++) {
        put_u64(out, (uint64_t)events[i].time_ns);
        put_text(out, batch, events[i].name);
        put_range(out, batch, &events[i].attrs);
    }
}

static void put_links(struct tk_buf *out, const struct tk_span_batch *batch, size_t row)
{
    size_t n;
    const struct tk_span_link *links = tk_span_links(batch, row, &n);
    for (size_t i = 0; i < n; i++) {
        tk_buf_put(out, (tk_str){(const char *)links[i].trace_id, sizeof(links[i].trace_id)});
        put_u64(out, links[i].span_id);
        put_text(out, batch, links[i].trace_state);
        put_u64(out, links[i].flags);
        put_range(out, batch, &links[i].attrs);
    }
}

static void put_resource(struct tk_buf *out, const struct tk_span_batch *batch, size_t row)
{
    const struct tk_span_resource *resource = tk_span_resource_of(batch, row);
    put_range(out, batch, &resource->attrs);
    put_text(out, batch, resource->schema_url);
    put_text(out, batch, resource->entity_refs);
}

static void put_scope(struct tk_buf *out, const struct tk_span_batch *batch, size_t row)
{
    const struct tk_span_scope *scope = &batch->scopes[batch->scope_ids[row]];
    put_text(out, batch, scope->name);
    put_text(out, batch, scope->version);
    put_text(out, batch, scope->schema_url);
    put_range(out, batch, &scope->attrs);
}

static void (*const puts_of_fields[TK_FIELD_COUNT])(struct tk_buf *, const struct tk_span_batch *,
                                                    size_t) = {
    [TK_FIELD_PARENT] = put_parent,     [TK_FIELD_TIMES] = put_times,
    [TK_FIELD_NAME] = put_name,         [TK_FIELD_MESSAGE] = put_message,
    [TK_FIELD_STATE] = put_state,       [TK_FIELD_ATTRS] = put_own_attrs,
    [TK_FIELD_EVENTS] = put_events,     [TK_FIELD_LINKS] = put_links,
    [TK_FIELD_RESOURCE] = put_resource, [TK_FIELD_SCOPE] = put_scope,
};

int tk_span_prints_add(struct tk_span_prints *prints, const struct tk_span_rows *rows,
                       struct tk_err *err)
{
    for (size_t i = 0; i < rows->n; i++) {
        size_t row = tk_span_rows_at(rows, i);
        struct print print = {.span_id = rows->batch->span_ids[row],
                              .kind = rows->batch->kinds[row]};
        memcpy(print.trace_id, rows->batch->trace_ids[row], sizeof(print.trace_id));
        for (size_t field = 0; field < TK_FIELD_COUNT; field++) {
            tk_buf_reset(&prints->scratch);
            puts_of_fields[field](&prints->scratch, rows->batch, row);
            if (!tk_buf_ok(&prints->scratch))
                return tk_buf_check(&prints->scratch, "a span", err);
            print.fields[field] = (uint32_t)tk_hash_bytes(tk_buf_str(&prints->scratch), 1);
        }
        tk_buf_put(&prints->items, (tk_str){(const char *)&print, sizeof(print)});
        prints->count++;
    }
    return tk_buf_check(&prints->items, "spans to compare", err);
}

/* Comparing ------------------------------------------------------------------------------------ */

static int by_id(const struct print *a, const struct print *b)
{
    int order = memcmp(a->trace_id, b->trace_id, sizeof(a->trace_id));
    if (order != 0)
        return order;
    if (a->span_id != b->span_id)
        return a->span_id < b->span_id ? -1 : 1;
    return a->kind < b->kind ? -1 : a->kind > b->kind;
}

/* Equal ids by their fields, so that repeated spans meet their like. */
static int by_all(const void *a, const void *b)
{
    int order = by_id(a, b);
    const struct print *x = a;
    const struct print *y = b;
    for (size_t i = 0; order == 0 && i < TK_FIELD_COUNT; i++) {
        if (x->fields[i] != y->fields[i])
            order = x->fields[i] < y->fields[i] ? -1 : 1;
    }
    return order;
}

static void note_first(struct tk_span_difference *difference, const struct print *print)
{
    if (difference->has_first)
        return;
    difference->has_first = true;
    memcpy(difference->trace_id, print->trace_id, sizeof(print->trace_id));
    difference->span_id = print->span_id;
}

static void compare_fields(const struct print *a, const struct print *b,
                           struct tk_span_difference *difference)
{
    uint64_t differing = 0;
    for (size_t i = 0; i < TK_FIELD_COUNT; i++) {
        difference->fields[i] += a->fields[i] != b->fields[i];
        differing += a->fields[i] != b->fields[i];
    }
    difference->equal += differing == 0;
    difference->unequal += differing > 0;
    if (differing > 0)
        note_first(difference, a);
}

void tk_span_prints_compare(struct tk_span_prints *a, struct tk_span_prints *b,
                            struct tk_span_difference *ret_difference)
{
    struct print *x = (struct print *)(void *)a->items.p;
    struct print *y = (struct print *)(void *)b->items.p;
    uint64_t i = 0;
    uint64_t k = 0;
    *ret_difference = (struct tk_span_difference){0};
    if (a->count > 0)
        qsort(x, (size_t)a->count, sizeof(*x), by_all);
    if (b->count > 0)
        qsort(y, (size_t)b->count, sizeof(*y), by_all);
    while (i < a->count || k < b->count) {
        int order = i == a->count ? 1 : k == b->count ? -1 : by_id(&x[i], &y[k]);
        if (order == 0) {
            compare_fields(&x[i++], &y[k++], ret_difference);
        } else if (order < 0) {
            note_first(ret_difference, &x[i++]);
            ret_difference->only_a++;
        } else {
            note_first(ret_difference, &y[k++]);
            ret_difference->only_b++;
        }
    }
}
