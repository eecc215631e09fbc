/* SPDX-License-Identifier: Apache-2.0 */
#include "segment/operations.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/json.h"

void tk_operations_init(struct tk_operations *operations, struct tk_arena *arena)
{
    *operations = (struct tk_operations){.arena = arena};
    tk_buf_init(&operations->items, INT32_MAX);
}

void tk_operations_release(struct tk_operations *operations)
{
    tk_buf_release(&operations->items);
    tk_map_release(&operations->by_hash);
}

static struct tk_span_operation *item_at(struct tk_operations *operations, size_t i)
{
    return &((struct tk_span_operation *)(void *)operations->items.p)[i];
}

int tk_operations_add(struct tk_operations *operations, const struct tk_span_operation *operation,
                      struct tk_err *err)
{
    uint32_t at;
    uint64_t hash = tk_hash_mix(tk_hash_text(operation->service),
                                tk_hash_mix(tk_hash_text(operation->name), operation->kind));
    while (tk_map_find(&operations->by_hash, hash, &at)) {
        struct tk_span_operation *known = item_at(operations, at);
        if (known->kind == operation->kind && tk_str_eq(known->name, operation->name) &&
            tk_str_eq(known->service, operation->service)) {
            known->spans += operation->spans;
            return 0;
        }
        hash++;
    }
    struct tk_span_operation copy = *operation;
    copy.service = tk_arena_copy(operations->arena, operation->service);
    copy.name = tk_arena_copy(operations->arena, operation->name);
    size_t index = operations->items.n / sizeof(copy);
    tk_buf_put(&operations->items, (tk_str){(const char *)&copy, sizeof(copy)});
    if (copy.service.n != operation->service.n || copy.name.n != operation->name.n ||
        !tk_buf_ok(&operations->items) ||
        tk_map_add(&operations->by_hash, hash, (uint32_t)index) < 0)
        return tk_fail(err, -ENOMEM, "operations: out of memory");
    return 0;
}

/* ["service","name",kind,spans] */
static int read_operation(struct tk_json *json, struct tk_arena *scratch,
                          struct tk_span_operation *ret, struct tk_err *err)
{
    int64_t numbers[2] = {0, 0};
    tk_str *const texts[] = {&ret->service, &ret->name};
    int rc = tk_json_enter_array(json, err);
    for (size_t i = 0; rc == 0 && i < 4; i++) {
        rc = tk_json_next_element(json, err);
        if (rc == 0 && i < 2) {
            rc = tk_json_read_str(json, scratch, texts[i], err);
        } else if (rc == 0) {
            rc = tk_json_read_i64(json, &numbers[i - 2], err);
        }
    }
    if (rc == 0)
        rc = tk_json_next_element(json, err);
    if (rc != 1)
        return rc < 0 ? rc : tk_fail(err, -EBADMSG, "an operation has five members");
    ret->kind = (uint32_t)numbers[0];
    ret->spans = (uint64_t)numbers[1];
    return 0;
}

int tk_operations_add_json(struct tk_operations *operations, tk_str text, tk_str service,
                           struct tk_err *err)
{
    struct tk_json json;
    tk_json_init(&json, text);
    int rc = tk_json_enter_array(&json, err);
    while (rc == 0 && (rc = tk_json_next_element(&json, err)) == 0) {
        struct tk_span_operation operation = {0};
        rc = read_operation(&json, operations->arena, &operation, err);
        if (rc == 0 && (!service.p || tk_str_eq(service, operation.service)))
            rc = tk_operations_add(operations, &operation, err);
    }
    return rc < 0 ? tk_err_prefix(err, "operations") : 0;
}

int tk_operations_add_rows(struct tk_operations *operations, const struct tk_span_rows *rows,
                           tk_str service, struct tk_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < rows->n; i++) {
        size_t row = tk_span_rows_at(rows, i);
        struct tk_span_operation operation = {tk_span_service(rows->batch, row),
                                              tk_span_name(rows->batch, row),
                                              rows->batch->kinds[row], 1};
        if (!service.p || tk_str_eq(service, operation.service))
            rc = tk_operations_add(operations, &operation, err);
    }
    return rc;
}

static int cmp_operation(const void *a, const void *b)
{
    const struct tk_span_operation *first = a;
    const struct tk_span_operation *second = b;
    int order = tk_str_cmp(first->service, second->service);
    if (order == 0)
        order = tk_str_cmp(first->name, second->name);
    return order != 0 ? order : (first->kind > second->kind) - (first->kind < second->kind);
}

void tk_operations_sort(struct tk_operations *operations)
{
    size_t n = operations->items.n / sizeof(struct tk_span_operation);
    if (n > 0)
        qsort(operations->items.p, n, sizeof(struct tk_span_operation), cmp_operation);
}
