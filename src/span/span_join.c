/* SPDX-License-Identifier: Apache-2.0 */
#include "span/span_join.h"

#include <stdlib.h>

#include "span/trace_id.h"

void tk_span_join_init(struct tk_span_join *join, size_t max_spans)
{
    tk_buf_init(&join->parents, max_spans * sizeof(struct tk_joined_span));
    tk_buf_init(&join->children, max_spans * sizeof(struct tk_joined_span));
}

void tk_span_join_release(struct tk_span_join *join)
{
    tk_buf_release(&join->parents);
    tk_buf_release(&join->children);
}

void tk_span_join_reset(struct tk_span_join *join)
{
    tk_buf_reset(&join->parents);
    tk_buf_reset(&join->children);
}

static void add(struct tk_buf *to, const struct tk_span_batch *batch, size_t row,
                struct tk_joined_span span)
{
    span.start_ns = batch->start_ns[row];
    span.end_ns = batch->start_ns[row] + batch->duration_ns[row];
    tk_buf_put(to, (tk_str){(const char *)&span, sizeof(span)});
}

void tk_span_join_add_parent(struct tk_span_join *join, const struct tk_span_batch *batch,
                             size_t row, uint32_t value, uint32_t flags)
{
    uint64_t key = tk_span_id_hash(batch->trace_ids[row], batch->span_ids[row]);
    add(&join->parents, batch, row,
        (struct tk_joined_span){.key = key, .value = value, .flags = flags});
}

void tk_span_join_add_child(struct tk_span_join *join, const struct tk_span_batch *batch,
                            size_t row, uint32_t value, uint32_t flags)
{
    if (batch->parent_ids[row] == 0)
        return;
    uint64_t key = tk_span_id_hash(batch->trace_ids[row], batch->parent_ids[row]);
    add(&join->children, batch, row,
        (struct tk_joined_span){.key = key, .value = value, .flags = flags});
}

static int by_key(const void *a, const void *b)
{
    const struct tk_joined_span *x = a;
    const struct tk_joined_span *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->start_ns > y->start_ns) - (x->start_ns < y->start_ns);
}

/* The spans of a buffer, sorted. */
static struct tk_joined_span *sorted(struct tk_buf *buf, size_t *ret_n)
{
    struct tk_joined_span *spans = (struct tk_joined_span *)(void *)buf->p;
    *ret_n = buf->n / sizeof(*spans);
    if (*ret_n > 1)
        qsort(spans, *ret_n, sizeof(*spans), by_key);
    return spans;
}

int tk_span_join_run(struct tk_span_join *join, tk_span_join_fn visit, void *user,
                     struct tk_err *err)
{
    int rc = tk_buf_check(&join->parents, "spans", err);
    rc = rc < 0 ? rc : tk_buf_check(&join->children, "spans", err);
    if (rc < 0)
        return rc;
    size_t parent_count;
    size_t child_count;
    const struct tk_joined_span *parents = sorted(&join->parents, &parent_count);
    const struct tk_joined_span *children = sorted(&join->children, &child_count);
    size_t begin = 0;
    for (size_t i = 0; i < parent_count; i++) {
        while (begin < child_count && children[begin].key < parents[i].key)
            begin++;
        size_t end = begin;
        while (end < child_count && children[end].key == parents[i].key)
            end++;
        visit(user, &parents[i], children + begin, end - begin);
    }
    return 0;
}
