/* SPDX-License-Identifier: Apache-2.0 */
#include "span/span_batch.h"

#include <errno.h>
#include <stdlib.h>

#define TEXT_BYTES      ((size_t)64 << 20) /* at least */
#define BYTES_PER_ROW   256                /* of text */
#define SPARE           65536              /* of what a row has many of: for a large one */
#define ATTRS_PER_ROW   32
#define SIDE_PER_ROW    16
#define EVENTS_PER_ROW  8
#define LINKS_PER_ROW   4
#define SPARE_RESOURCES 1024

/* An array of the batch: where its pointer stands, the size of an element, how many. */
struct array {
    size_t place;
    size_t size;
    size_t n;
};

#define ARRAY(member, count)                                                                       \
    {                                                                                              \
        offsetof(struct tk_span_batch, member), sizeof(*((struct tk_span_batch *)0)->member),      \
            (count)                                                                                \
    }

/* Lay all arrays into one piece of memory; returns its size. With p == NULL only that. */
static size_t lay_out(struct tk_span_batch *batch, char *p)
{
    const struct array arrays[] = {
        ARRAY(trace_ids, batch->max_rows),      ARRAY(span_ids, batch->max_rows),
        ARRAY(parent_ids, batch->max_rows),     ARRAY(start_ns, batch->max_rows),
        ARRAY(duration_ns, batch->max_rows),    ARRAY(names, batch->max_rows),
        ARRAY(scope_ids, batch->max_rows),      ARRAY(messages, batch->max_rows),
        ARRAY(trace_states, batch->max_rows),   ARRAY(flags, batch->max_rows),
        ARRAY(kinds, batch->max_rows),          ARRAY(statuses, batch->max_rows),
        ARRAY(dropped_attrs, batch->max_rows),  ARRAY(dropped_events, batch->max_rows),
        ARRAY(dropped_links, batch->max_rows),  ARRAY(attr_ends, batch->max_rows),
        ARRAY(event_ends, batch->max_rows),     ARRAY(link_ends, batch->max_rows),
        ARRAY(attrs, batch->max_attrs),         ARRAY(side_attrs, batch->max_side_attrs),
        ARRAY(events, batch->max_events),       ARRAY(links, batch->max_links),
        ARRAY(resources, batch->max_resources), ARRAY(scopes, batch->max_scopes),
    };
    size_t sum = 0;
    for (size_t i = 0; i < TK_COUNTOF(arrays); i++) {
        if (p) {
            void *at = p + sum;
            memcpy((char *)batch + arrays[i].place, &at, sizeof(at));
        }
        sum += (arrays[i].size * arrays[i].n + 63) & ~(size_t)63;
    }
    return sum;
}

int tk_span_batch_new(size_t max_rows, struct tk_span_batch **ret_batch, struct tk_err *err)
{
    if (max_rows == 0 || max_rows > TK_SPAN_BATCH_ROWS_MAX) {
        return tk_fail(err, -EINVAL, "a batch has 1 to %zu spans, not %zu", TK_SPAN_BATCH_ROWS_MAX,
                       max_rows);
    }
    struct tk_span_batch *batch = calloc(1, sizeof(*batch));
    if (!batch)
        return tk_fail(err, -ENOMEM, "out of memory");
    uint32_t rows = (uint32_t)max_rows;
    batch->max_rows = max_rows;
    batch->max_attrs = rows * ATTRS_PER_ROW + SPARE;
    batch->max_side_attrs = rows * SIDE_PER_ROW + SPARE;
    batch->max_events = rows * EVENTS_PER_ROW + SPARE;
    batch->max_links = rows * LINKS_PER_ROW + SPARE;
    batch->max_resources = rows + SPARE_RESOURCES;
    batch->max_scopes = rows + SPARE_RESOURCES;

    size_t text_bytes = max_rows * BYTES_PER_ROW;
    int rc = tk_arena_init(&batch->memory, lay_out(batch, NULL), err);
    if (rc == 0)
        rc = tk_texts_init(&batch->texts, text_bytes < TEXT_BYTES ? TEXT_BYTES : text_bytes, err);
    if (rc < 0) {
        tk_span_batch_free(batch);
        return rc;
    }
    (void)lay_out(batch, batch->memory.p);
    *ret_batch = batch;
    return 0;
}

void tk_span_batch_free(struct tk_span_batch *batch)
{
    if (!batch)
        return;
    tk_texts_release(&batch->texts);
    tk_arena_release(&batch->memory);
    free(batch);
}

void tk_span_batch_freep(struct tk_span_batch **batch)
{
    tk_span_batch_free(*batch);
}

void tk_span_batch_reset(struct tk_span_batch *batch)
{
    batch->rows = 0;
    batch->attr_count = 0;
    batch->side_attr_count = 0;
    batch->event_count = 0;
    batch->link_count = 0;
    batch->resource_count = 0;
    batch->scope_count = 0;
    tk_texts_reset(&batch->texts);
}

size_t tk_span_batch_bytes(const struct tk_span_batch *batch)
{
    const size_t row =
        sizeof(*batch->trace_ids) + sizeof(*batch->span_ids) + sizeof(*batch->parent_ids) +
        sizeof(*batch->start_ns) + sizeof(*batch->duration_ns) + sizeof(*batch->names) +
        sizeof(*batch->scope_ids) + sizeof(*batch->messages) + sizeof(*batch->trace_states) +
        sizeof(*batch->flags) + sizeof(*batch->kinds) + sizeof(*batch->statuses) +
        sizeof(*batch->dropped_attrs) + sizeof(*batch->dropped_events) +
        sizeof(*batch->dropped_links) + sizeof(*batch->attr_ends) + sizeof(*batch->event_ends) +
        sizeof(*batch->link_ends);
    return batch->rows * row +
           ((size_t)batch->attr_count + batch->side_attr_count) * sizeof(*batch->attrs) +
           batch->event_count * sizeof(*batch->events) + batch->link_count * sizeof(*batch->links) +
           batch->resource_count * sizeof(*batch->resources) +
           batch->scope_count * sizeof(*batch->scopes) + batch->texts.bytes.n +
           batch->texts.items.n;
}

static void set_mark(const struct tk_span_batch *batch, struct tk_span_mark *mark)
{
    mark->rows = batch->rows;
    mark->attrs = batch->attr_count;
    mark->side_attrs = batch->side_attr_count;
    mark->events = batch->event_count;
    mark->links = batch->link_count;
    mark->resources = batch->resource_count;
    mark->scopes = batch->scope_count;
}

struct tk_span_mark tk_span_batch_mark(const struct tk_span_batch *batch)
{
    struct tk_span_mark mark;
    set_mark(batch, &mark);
    return mark;
}

void tk_span_batch_rewind(struct tk_span_batch *batch, const struct tk_span_mark *mark)
{
    batch->rows = mark->rows;
    batch->attr_count = mark->attrs;
    batch->event_count = mark->events;
    batch->link_count = mark->links;
    /* Attributes of resources and scopes that stay have to stay, too. */
    if (batch->resource_count == mark->resources && batch->scope_count == mark->scopes)
        batch->side_attr_count = mark->side_attrs;
}

/* A row ------------------------------------------------------------------------------------- */

/* Zero the columns of a row that began before; those that most spans leave zero are read only. */
static void clear_row(struct tk_span_batch *batch, size_t row)
{
    memset(batch->trace_ids[row], 0, sizeof(batch->trace_ids[row]));
    batch->span_ids[row] = 0;
    batch->parent_ids[row] = 0;
    batch->start_ns[row] = 0;
    batch->duration_ns[row] = 0;
    batch->names[row] = 0;
    batch->scope_ids[row] = 0;
    tk_span_set_rare(&batch->messages[row], 0);
    tk_span_set_rare(&batch->trace_states[row], 0);
    tk_span_set_rare(&batch->flags[row], 0);
    batch->kinds[row] = 0;
    batch->statuses[row] = 0;
    tk_span_set_rare(&batch->dropped_attrs[row], 0);
    tk_span_set_rare(&batch->dropped_events[row], 0);
    tk_span_set_rare(&batch->dropped_links[row], 0);
}

int tk_span_batch_begin(struct tk_span_batch *batch)
{
    if (batch->rows == batch->max_rows)
        return -ENOBUFS;
    set_mark(batch, &batch->row_mark);
    size_t row = batch->rows++;
    if (row < batch->used_rows) {
        clear_row(batch, row);
    } else {
        batch->used_rows = row + 1;
    }
    tk_span_set_rare(&batch->attr_ends[row], batch->attr_count);
    tk_span_set_rare(&batch->event_ends[row], batch->event_count);
    tk_span_set_rare(&batch->link_ends[row], batch->link_count);
    return 0;
}

int tk_span_batch_add_attr(struct tk_span_batch *batch, const struct tk_attr *attr)
{
    if (batch->attr_count == batch->max_attrs)
        return -ENOBUFS;
    batch->attrs[batch->attr_count++] = *attr;
    batch->attr_ends[batch->rows - 1] = batch->attr_count;
    return 0;
}

int tk_span_batch_add_event(struct tk_span_batch *batch, const struct tk_span_event *event)
{
    if (batch->event_count == batch->max_events)
        return -ENOBUFS;
    batch->events[batch->event_count++] = *event;
    batch->event_ends[batch->rows - 1] = batch->event_count;
    return 0;
}

int tk_span_batch_add_link(struct tk_span_batch *batch, const struct tk_span_link *link)
{
    if (batch->link_count == batch->max_links)
        return -ENOBUFS;
    batch->links[batch->link_count++] = *link;
    batch->link_ends[batch->rows - 1] = batch->link_count;
    return 0;
}

void tk_span_batch_remove(struct tk_span_batch *batch)
{
    tk_span_batch_rewind(batch, &batch->row_mark);
}

int tk_span_batch_end(struct tk_span_batch *batch)
{
    if (!batch->texts.full)
        return 0;
    tk_span_batch_remove(batch);
    return -ENOBUFS;
}

/* Resources, scopes and the attributes of them, of events and links ------------------------- */

uint32_t tk_span_batch_add_side_attr(struct tk_span_batch *batch, const struct tk_attr *attr)
{
    if (batch->side_attr_count == batch->max_side_attrs)
        return UINT32_MAX;
    batch->side_attrs[batch->side_attr_count] = *attr;
    return batch->side_attr_count++;
}

uint32_t tk_span_batch_add_resource(struct tk_span_batch *batch,
                                    const struct tk_span_resource *resource)
{
    if (batch->resource_count == batch->max_resources || batch->texts.full)
        return UINT32_MAX;
    batch->resources[batch->resource_count] = *resource;
    return batch->resource_count++;
}

uint32_t tk_span_batch_add_scope(struct tk_span_batch *batch, const struct tk_span_scope *scope)
{
    if (batch->scope_count == batch->max_scopes || batch->texts.full)
        return UINT32_MAX;
    batch->scopes[batch->scope_count] = *scope;
    return batch->scope_count++;
}
