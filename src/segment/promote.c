/* SPDX-License-Identifier: Apache-2.0 */
#include "segment/promote.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define NAME_BYTES 120 /* of a column; longer keys are cut */

const char *tk_promoted_type_name(enum tk_attr_type type)
{
    static const char *const names[] = {
        [TK_ATTR_STRING] = "string",
        [TK_ATTR_BOOL] = "bool",
        [TK_ATTR_INT] = "int",
        [TK_ATTR_DOUBLE] = "double",
    };
    return names[type];
}

static bool may_promote(enum tk_attr_type type)
{
    return type >= TK_ATTR_STRING && type <= TK_ATTR_DOUBLE;
}

void tk_promotion_release(struct tk_promotion *promotion)
{
    tk_buf_release(&promotion->keys);
}

/* Counting ----------------------------------------------------------------------------------- */

static int begin(struct tk_promotion *promotion, const struct tk_texts *texts,
                 struct tk_arena *arena, struct tk_err *err)
{
    size_t bytes = (texts->count + 1U) * sizeof(*promotion->numbers);
    *promotion = (struct tk_promotion){.numbers = tk_arena_alloc(arena, bytes)};
    tk_buf_init(&promotion->keys, INT32_MAX);
    if (!promotion->numbers)
        return tk_fail(err, -ENOMEM, "attributes: out of memory");
    memset(promotion->numbers, 0, bytes);
    return 0;
}

static void add_key(struct tk_promotion *promotion, uint32_t key)
{
    struct tk_key_plan plan = {.key = key, .promoted = TK_NOT_PROMOTED};
    tk_buf_put(&promotion->keys, (tk_str){(const char *)&plan, sizeof(plan)});
    promotion->numbers[key] = (uint32_t)(promotion->keys.n / sizeof(plan));
}

static void add_attrs(struct tk_promotion *promotion, const struct tk_attr *attrs, size_t n,
                      size_t weight)
{
    for (size_t i = 0; i < n && tk_buf_ok(&promotion->keys); i++) {
        if (promotion->numbers[attrs[i].key] == 0)
            add_key(promotion, attrs[i].key);
        if (!tk_buf_ok(&promotion->keys))
            return;
        struct tk_key_plan *plans = (struct tk_key_plan *)(void *)promotion->keys.p;
        plans[promotion->numbers[attrs[i].key] - 1].counts[attrs[i].type] += weight;
    }
}

/* Choosing ----------------------------------------------------------------------------------- */

/* The type of a key that comes most often among those that may be promoted. */
static enum tk_attr_type type_of(const struct tk_key_plan *plan)
{
    enum tk_attr_type best = TK_ATTR_STRING;
    for (enum tk_attr_type type = TK_ATTR_STRING; may_promote(type); type++) {
        if (plan->counts[type] > plan->counts[best])
            best = type;
    }
    return best;
}

static int cmp_count(const void *a, const void *b)
{
    const struct tk_promoted *first = a;
    const struct tk_promoted *second = b;
    if (first->count != second->count)
        return first->count > second->count ? -1 : 1;
    return (first->key > second->key) - (first->key < second->key);
}

static int cmp_key(const void *a, const void *b, void *texts)
{
    return tk_str_cmp(tk_texts_get(texts, ((const struct tk_promoted *)a)->key),
                      tk_texts_get(texts, ((const struct tk_promoted *)b)->key));
}

/* PREFIX and the key in lower case, all but letters and digits as '_'. */
static void name_column(const char *prefix, tk_str key, char name[NAME_BYTES])
{
    size_t n = (size_t)snprintf(name, NAME_BYTES, "%s", prefix);
    for (size_t i = 0; i < key.n && n + 8 < NAME_BYTES; i++) {
        int c = (unsigned char)key.p[i];
        int lower = c | 0x20;
        bool is_letter = lower >= 'a' && lower <= 'z';
        bool is_digit = c >= '0' && c <= '9';
        name[n++] = (char)(is_letter ? lower : is_digit ? c : '_');
    }
    name[n] = '\0';
}

static bool has_name(const struct tk_promoted *columns, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(columns[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Names that differ, whatever the case: "attr_http_route", "attr_http_route_2". */
static bool name_columns(struct tk_promotion *promotion, const char *prefix,
                         const struct tk_texts *texts, struct tk_arena *arena)
{
    for (size_t i = 0; i < promotion->count; i++) {
        char name[NAME_BYTES];
        name_column(prefix, tk_texts_get(texts, promotion->columns[i].key), name);
        size_t n = strlen(name);
        for (unsigned k = 2; has_name(promotion->columns, i, name); k++)
            (void)snprintf(name + n, NAME_BYTES - n, "_%u", k);
        char *copy = tk_arena_alloc(arena, strlen(name) + 1);
        if (!copy)
            return false;
        memcpy(copy, name, strlen(name) + 1);
        promotion->columns[i].name = copy;
    }
    return true;
}

static int choose(struct tk_promotion *promotion, const struct tk_span_batch *batch,
                  const char *prefix, struct tk_arena *arena, struct tk_err *err)
{
    struct tk_key_plan *plans = (struct tk_key_plan *)(void *)promotion->keys.p;
    size_t n = promotion->keys.n / sizeof(*plans);
    size_t least = (batch->rows + TK_PROMOTED_SHARE - 1) / TK_PROMOTED_SHARE;
    struct tk_promoted *columns = tk_arena_alloc(arena, (n + 1) * sizeof(*columns));
    if (!columns || !tk_buf_ok(&promotion->keys))
        return tk_fail(err, -ENOMEM, "attributes: out of memory");
    for (size_t i = 0; i < n; i++) {
        enum tk_attr_type type = type_of(&plans[i]);
        if (plans[i].counts[type] >= least && plans[i].counts[type] > 0) {
            columns[promotion->count++] =
                (struct tk_promoted){plans[i].key, type, NULL, plans[i].counts[type]};
        }
    }
    qsort(columns, promotion->count, sizeof(*columns), cmp_count);
    if (promotion->count > TK_PROMOTED_MAX)
        promotion->count = TK_PROMOTED_MAX;
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): qsort_r knows no const */
    struct tk_texts *texts = (struct tk_texts *)(uintptr_t)&batch->texts; /* only read */
    qsort_r(columns, promotion->count, sizeof(*columns), cmp_key, texts);
    promotion->columns = columns;
    for (size_t i = 0; i < promotion->count; i++) {
        struct tk_key_plan *plan = &plans[promotion->numbers[columns[i].key] - 1];
        plan->promoted = (uint32_t)i;
        plan->type = columns[i].type;
    }
    if (!name_columns(promotion, prefix, &batch->texts, arena))
        return tk_fail(err, -ENOMEM, "attributes: out of memory");
    return 0;
}

int tk_promotion_of_spans(const struct tk_span_batch *batch, struct tk_arena *arena,
                          struct tk_promotion *ret_promotion, struct tk_err *err)
{
    int rc = begin(ret_promotion, &batch->texts, arena, err);
    if (rc < 0)
        return rc;
    add_attrs(ret_promotion, batch->attrs, batch->attr_count, 1);
    return choose(ret_promotion, batch, "attr_", arena, err);
}

int tk_promotion_of_resources(const struct tk_span_batch *batch, const uint32_t *weights,
                              struct tk_arena *arena, struct tk_promotion *ret_promotion,
                              struct tk_err *err)
{
    int rc = begin(ret_promotion, &batch->texts, arena, err);
    for (uint32_t i = 0; rc == 0 && i < batch->resource_count; i++) {
        const struct tk_attr_range *range = &batch->resources[i].attrs;
        if (weights[i] > 0)
            add_attrs(ret_promotion, batch->side_attrs + range->begin, range->n, weights[i]);
    }
    if (rc == 0) { /* the column `service` has it */
        struct tk_key_plan *plans = (struct tk_key_plan *)(void *)ret_promotion->keys.p;
        for (size_t i = 0; i < ret_promotion->keys.n / sizeof(*plans); i++) {
            if (tk_str_eq(tk_texts_get(&batch->texts, plans[i].key), TK_STR("service.name")))
                memset(plans[i].counts, 0, sizeof(plans[i].counts));
        }
        rc = choose(ret_promotion, batch, "resource_", arena, err);
    }
    return rc;
}

void tk_promotion_put(const struct tk_promotion *promotion, const struct tk_texts *texts,
                      struct tk_buf *out)
{
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < promotion->count; i++) {
        const struct tk_promoted *column = &promotion->columns[i];
        tk_json_put_comma(out);
        tk_buf_printf(out, "{\"column\":\"%s\",\"key\":", column->name);
        tk_json_put_str(out, tk_texts_get(texts, column->key));
        tk_buf_printf(out, ",\"type\":\"%s\"}", tk_promoted_type_name(column->type));
    }
    tk_buf_putc(out, ']');
}
