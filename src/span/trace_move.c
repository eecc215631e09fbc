/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks of hosts that do not agree: a span is moved to where it can have been. */
#include "span/trace_tree_internal.h"

/* The text of an attribute of a resource; 0 = it has none. */
static uint32_t resource_text(const struct tk_span_batch *batch,
                              const struct tk_span_resource *resource, tk_str key)
{
    const struct tk_attr *attrs = batch->side_attrs + resource->attrs.begin;
    for (uint32_t i = 0; i < resource->attrs.n; i++) {
        if (attrs[i].type == TK_ATTR_STRING &&
            tk_str_eq(tk_texts_get(&batch->texts, attrs[i].key), key))
            return attrs[i].text;
    }
    return 0;
}

/* A number of the host that a resource is of, larger than 0: the text of its id or name; without
 * them each resource is a host of its own. */
static uint32_t host_of(const struct tk_span_batch *batch, const struct tk_span_resource *resource)
{
    uint32_t host = resource_text(batch, resource, TK_STR("host.id"));
    host = host ? host : resource_text(batch, resource, TK_STR("host.name"));
    return host ? host : UINT32_MAX - (uint32_t)(resource - batch->resources);
}

/* By how much a span of another host has to be moved. */
static int64_t shift_of(const struct tk_span_batch *batch, const struct tk_trace_item *parent,
                        const struct tk_trace_item *item)
{
    bool is_call =
        batch->kinds[parent->row] == TK_SPAN_CLIENT && batch->kinds[item->row] == TK_SPAN_SERVER;
    int64_t spare_ns = (parent->end_ns - parent->start_ns) - (item->end_ns - item->start_ns);
    bool is_early = item->start_ns < parent->start_ns;
    if (is_call && spare_ns >= 0 && (is_early || item->end_ns > parent->end_ns))
        return parent->start_ns + spare_ns / 2 - item->start_ns;
    return is_early ? parent->start_ns - item->start_ns : 0;
}

/* Whether the span was inside its parent as both were sent: their clocks agree. */
static bool was_inside(const struct tk_trace_item *parent, const struct tk_trace_item *item)
{
    return item->start_ns >= parent->start_ns - parent->shift_ns &&
           item->end_ns <= parent->end_ns - parent->shift_ns;
}

static void item_move(const struct tk_span_batch *batch, struct tk_trace_item *items, uint32_t i)
{
    struct tk_trace_item *item = &items[i];
    item->host = host_of(batch, tk_span_resource_of(batch, item->row));
    if (item->parent == TK_TRACE_NONE)
        return;
    const struct tk_trace_item *parent = &items[item->parent];
    int64_t shift_ns = item->host == parent->host || was_inside(parent, item)
                           ? parent->shift_ns
                           : shift_of(batch, parent, item);
    if (shift_ns == 0)
        return;
    item->shift_ns = shift_ns;
    item->start_ns += shift_ns;
    item->end_ns += shift_ns;
    item->flags |= TK_TRACE_MOVED;
}

void tk_trace_items_move(const struct tk_span_batch *batch, struct tk_trace_item *items,
                         uint32_t count, const struct tk_trace_links *links, uint32_t *queue)
{
    uint32_t done = 0;
    uint32_t waiting = 0;
    for (uint32_t c = links->begins[count]; c < links->begins[count + 1]; c++)
        queue[waiting++] = links->children[c];
    while (done < waiting) {
        uint32_t i = queue[done++];
        item_move(batch, items, i);
        for (uint32_t c = links->begins[i]; c < links->begins[i + 1]; c++)
            queue[waiting++] = links->children[c];
    }
}
