/* SPDX-License-Identifier: Apache-2.0 */
#include "span/service_links.h"

#include <errno.h>
#include <stdlib.h>

#include "base/map.h"
#include "span/span_join.h"
#include "span/trace_summary.h"

#define PART_SPANS ((uint64_t)4 << 20) /* that are joined at once: 256 MiB */
#define TEXT_BYTES ((size_t)64 << 20)
#define MOST       ((size_t)1 << 20) /* links */

/* Bits of a span that is joined. */
enum { FAILED = 1 };

struct tk_service_links {
    struct tk_span_join join;
    struct tk_texts texts;
    struct tk_map ids;   /* parent and child -> link */
    struct tk_buf items; /* struct tk_service_link each */
    int failure;
    uint32_t part, parts;
};

int tk_service_links_new(uint64_t max_spans, struct tk_service_links **ret_links,
                         struct tk_err *err)
{
    struct tk_service_links *links = calloc(1, sizeof(*links));
    if (!links)
        return tk_fail(err, -ENOMEM, "dependencies: out of memory");
    int rc = tk_texts_init(&links->texts, TEXT_BYTES, err);
    if (rc < 0) {
        free(links);
        return rc;
    }
    links->parts = (uint32_t)(max_spans / PART_SPANS) + 1;
    /* Parts are not of one size. */
    tk_span_join_init(&links->join, PART_SPANS * 4);
    tk_buf_init(&links->items, MOST * sizeof(struct tk_service_link));
    *ret_links = links;
    return 0;
}

void tk_service_links_freep(struct tk_service_links **links)
{
    struct tk_service_links *self = *links;
    if (!self)
        return;
    tk_span_join_release(&self->join);
    tk_texts_release(&self->texts);
    tk_map_release(&self->ids);
    tk_buf_release(&self->items);
    free(self);
}

uint32_t tk_service_links_parts(const struct tk_service_links *links)
{
    return links->parts;
}

int tk_service_links_add(struct tk_service_links *links, const struct tk_span_rows *rows,
                         struct tk_err *err)
{
    const struct tk_span_batch *batch = rows->batch;
    uint32_t known = UINT32_MAX; /* text of the batch whose service is `service` */
    uint32_t service = 0;
    for (size_t i = 0; i < rows->n; i++) {
        uint32_t row = tk_span_row(rows, i);
        if (tk_trace_part(batch->trace_ids[row], links->parts) != links->part)
            continue;
        uint32_t text = tk_span_resource_of(batch, row)->service;
        if (text != known)
            service = tk_texts_add(&links->texts, tk_texts_get(&batch->texts, text));
        known = text;
        if (service == TK_TEXTS_NONE)
            return tk_fail(err, -EMSGSIZE, "dependencies: too many names of services");
        uint32_t flags = batch->statuses[row] == TK_SPAN_ERROR ? FAILED : 0;
        tk_span_join_add_parent(&links->join, batch, row, service, flags);
        tk_span_join_add_child(&links->join, batch, row, service, flags);
    }
    return 0;
}

/* The link from one service to another; NULL when memory is short. */
static struct tk_service_link *link_of(struct tk_service_links *links, uint32_t parent,
                                       uint32_t child)
{
    uint64_t key = (uint64_t)parent << 32 | child;
    uint32_t id;
    if (!tk_map_find(&links->ids, key, &id)) {
        const struct tk_service_link made = {.parent = tk_texts_get(&links->texts, parent),
                                             .child = tk_texts_get(&links->texts, child)};
        id = (uint32_t)(links->items.n / sizeof(made));
        tk_buf_put(&links->items, (tk_str){(const char *)&made, sizeof(made)});
        if (!tk_buf_ok(&links->items) || tk_map_add(&links->ids, key, id) < 0)
            return NULL;
    }
    return &((struct tk_service_link *)(void *)links->items.p)[id];
}

static void count_calls(void *user, const struct tk_joined_span *parent,
                        const struct tk_joined_span *children, size_t n)
{
    struct tk_service_links *links = user;
    for (size_t i = 0; i < n; i++) {
        if (children[i].value == parent->value)
            continue;
        struct tk_service_link *link = link_of(links, parent->value, children[i].value);
        if (!link) {
            links->failure = -ENOMEM;
            return;
        }
        link->calls++;
        link->errors += (children[i].flags & FAILED) != 0;
    }
}

int tk_service_links_next_part(struct tk_service_links *links, struct tk_err *err)
{
    int rc = tk_span_join_run(&links->join, count_calls, links, err);
    tk_span_join_reset(&links->join);
    links->part++;
    return rc == 0 && links->failure < 0 ? tk_fail_code(err, links->failure, "dependencies") : rc;
}

static int by_names(const void *a, const void *b)
{
    const struct tk_service_link *x = a;
    const struct tk_service_link *y = b;
    int order = tk_str_cmp(x->parent, y->parent);
    return order ? order : tk_str_cmp(x->child, y->child);
}

int tk_service_links_finish(struct tk_service_links *links,
                            const struct tk_service_link **ret_items, size_t *ret_n,
                            struct tk_err *err)
{
    int rc = tk_buf_check(&links->items, "dependencies", err);
    if (rc < 0)
        return rc;
    struct tk_service_link *items = (struct tk_service_link *)(void *)links->items.p;
    *ret_n = links->items.n / sizeof(*items);
    if (*ret_n > 1)
        qsort(items, *ret_n, sizeof(*items), by_names);
    *ret_items = items;
    return 0;
}
