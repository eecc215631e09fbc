/* SPDX-License-Identifier: Apache-2.0 */
#include "span/operation_times.h"

#include <errno.h>
#include <stdlib.h>

#include "base/map.h"
#include "span/span_join.h"
#include "span/trace_summary.h"

#define PART_SPANS ((uint64_t)4 << 20) /* that are joined at once: 256 MiB */
#define TEXT_BYTES ((size_t)256 << 20)
#define MOST       ((size_t)1 << 20) /* operations */

struct duration {
    uint32_t operation;
    int64_t ns;
};

struct tk_operation_times {
    struct tk_span_join join;
    struct tk_texts texts;
    struct tk_map ids;       /* of service and name -> operation */
    struct tk_buf items;     /* struct tk_operation_time each */
    struct tk_buf durations; /* struct duration each */
    uint32_t part, parts;
};

int tk_operation_times_new(uint64_t max_spans, struct tk_operation_times **ret_operations,
                           struct tk_err *err)
{
    struct tk_operation_times *operations = calloc(1, sizeof(*operations));
    if (!operations)
        return tk_fail(err, -ENOMEM, "operations: out of memory");
    int rc = tk_texts_init(&operations->texts, TEXT_BYTES, err);
    if (rc < 0) {
        free(operations);
        return rc;
    }
    operations->parts = (uint32_t)(max_spans / PART_SPANS) + 1;
    /* Parts are not of one size. */
    tk_span_join_init(&operations->join, PART_SPANS * 4);
    tk_buf_init(&operations->items, MOST * sizeof(struct tk_operation_time));
    tk_buf_init(&operations->durations, SIZE_MAX / 2);
    *ret_operations = operations;
    return 0;
}

void tk_operation_times_freep(struct tk_operation_times **operations)
{
    struct tk_operation_times *self = *operations;
    if (!self)
        return;
    tk_span_join_release(&self->join);
    tk_texts_release(&self->texts);
    tk_map_release(&self->ids);
    tk_buf_release(&self->items);
    tk_buf_release(&self->durations);
    free(self);
}

uint32_t tk_operation_times_parts(const struct tk_operation_times *operations)
{
    return operations->parts;
}

static struct tk_operation_time *items_of(struct tk_operation_times *operations)
{
    return (struct tk_operation_time *)(void *)operations->items.p;
}

/* The operation of a row, known by its texts; -ENOMEM, -EMSGSIZE. */
static int64_t operation_find(struct tk_operation_times *operations,
                              const struct tk_span_batch *batch, size_t row)
{
    uint32_t service = tk_texts_add(&operations->texts, tk_span_service(batch, row));
    uint32_t name = tk_texts_add(&operations->texts, tk_span_name(batch, row));
    if (service == TK_TEXTS_NONE || name == TK_TEXTS_NONE)
        return -EMSGSIZE;
    uint64_t key = (uint64_t)service << 32 | name;
    uint32_t id;
    if (tk_map_find(&operations->ids, key, &id))
        return id;
    const struct tk_operation_time made = {.service = tk_texts_get(&operations->texts, service),
                                           .name = tk_texts_get(&operations->texts, name)};
    id = (uint32_t)(operations->items.n / sizeof(made));
    tk_buf_put(&operations->items, (tk_str){(const char *)&made, sizeof(made)});
    int rc = operations->items.failure;
    return rc < 0 ? rc : tk_map_add(&operations->ids, key, id) < 0 ? -ENOMEM : (int64_t)id;
}

/* `cache` knows the operations of the texts of this batch. */
static int64_t row_count(struct tk_operation_times *operations, const struct tk_span_batch *batch,
                         size_t row, struct tk_map *cache)
{
    uint64_t key = (uint64_t)tk_span_resource_of(batch, row)->service << 32 | batch->names[row];
    uint32_t known;
    int64_t id = tk_map_find(cache, key, &known) ? known : operation_find(operations, batch, row);
    if (id < 0 || tk_map_add(cache, key, (uint32_t)id) < 0)
        return id < 0 ? id : -ENOMEM;
    struct tk_operation_time *item = &items_of(operations)[id];
    item->spans++;
    item->errors += batch->statuses[row] == TK_SPAN_ERROR;
    const struct duration duration = {(uint32_t)id, batch->duration_ns[row]};
    tk_buf_put(&operations->durations, (tk_str){(const char *)&duration, sizeof(duration)});
    return id;
}

int tk_operation_times_add(struct tk_operation_times *operations, const struct tk_span_rows *rows,
                           tk_operation_times_wanted_fn wanted, const void *user,
                           struct tk_err *err)
{
    const struct tk_span_batch *batch = rows->batch;
    TK_CLEANUP(tk_map_release) struct tk_map cache = {0};
    for (size_t i = 0; i < rows->n; i++) {
        uint32_t row = tk_span_row(rows, i);
        if (tk_trace_part(batch->trace_ids[row], operations->parts) != operations->part)
            continue;
        tk_span_join_add_child(&operations->join, batch, row, 0, 0);
        if (!wanted(user, batch, row))
            continue;
        int64_t id = row_count(operations, batch, row, &cache);
        if (id < 0)
            return tk_fail_code(err, (int)id, "operations");
        tk_span_join_add_parent(&operations->join, batch, row, (uint32_t)id, 0);
    }
    return 0;
}

/* The time of a span in which none of its children ran. */
static void add_self_time(void *user, const struct tk_joined_span *parent,
                          const struct tk_joined_span *children, size_t n)
{
    struct tk_operation_times *operations = user;
    int64_t self_ns = 0;
    int64_t at = parent->start_ns;
    for (size_t i = 0; i < n && at < parent->end_ns; i++) {
        int64_t begin = children[i].start_ns;
        begin = begin < parent->end_ns ? begin : parent->end_ns;
        if (begin > at)
            self_ns += begin - at;
        at = children[i].end_ns > at ? children[i].end_ns : at;
    }
    if (at < parent->end_ns)
        self_ns += parent->end_ns - at;
    items_of(operations)[parent->value].self_ns += self_ns;
}

int tk_operation_times_next_part(struct tk_operation_times *operations, struct tk_err *err)
{
    int rc = tk_span_join_run(&operations->join, add_self_time, operations, err);
    tk_span_join_reset(&operations->join);
    operations->part++;
    return rc;
}

static int by_operation(const void *a, const void *b)
{
    const struct duration *x = a;
    const struct duration *y = b;
    if (x->operation != y->operation)
        return x->operation < y->operation ? -1 : 1;
    return (x->ns > y->ns) - (x->ns < y->ns);
}

static int by_self_time(const void *a, const void *b)
{
    const struct tk_operation_time *x = a;
    const struct tk_operation_time *y = b;
    if (x->self_ns != y->self_ns)
        return x->self_ns > y->self_ns ? -1 : 1;
    int order = tk_str_cmp(x->service, y->service);
    return order ? order : tk_str_cmp(x->name, y->name);
}

/* Of n sorted durations the one that so many per cent do not exceed. */
static int64_t percentile(const struct duration *durations, uint64_t n, uint64_t percent)
{
    return durations[(n * percent + 99) / 100 - 1].ns;
}

int tk_operation_times_finish(struct tk_operation_times *operations,
                              const struct tk_operation_time **ret_items, size_t *ret_n,
                              struct tk_err *err)
{
    int rc = tk_buf_check(&operations->durations, "operations", err);
    if (rc < 0)
        return rc;
    struct tk_operation_time *items = items_of(operations);
    size_t n = operations->items.n / sizeof(*items);
    struct duration *durations = (struct duration *)(void *)operations->durations.p;
    size_t count = operations->durations.n / sizeof(*durations);
    if (count > 0)
        qsort(durations, count, sizeof(*durations), by_operation);
    for (size_t i = 0; i < n; i++) {
        items[i].p50_ns = percentile(durations, items[i].spans, 50);
        items[i].p95_ns = percentile(durations, items[i].spans, 95);
        items[i].p99_ns = percentile(durations, items[i].spans, 99);
        items[i].max_ns = percentile(durations, items[i].spans, 100);
        durations += items[i].spans;
    }
    if (n > 0)
        qsort(items, n, sizeof(*items), by_self_time);
    *ret_items = items;
    *ret_n = n;
    return 0;
}
