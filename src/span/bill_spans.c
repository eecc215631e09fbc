/* SPDX-License-Identifier: Apache-2.0 */
#include "span/bill_spans.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "span/any_value.h"
#include "span/trace_id.h"

#define TEXTS_MAX   ((size_t)1 << 30)
#define SCRATCH_MAX ((size_t)4 << 20)
#define ATTRS_MAX   1024
#define FIRST_CAP   4096

static int fail_memory(struct tk_err *err)
{
    return tk_fail(err, -ENOMEM, "join: out of memory");
}

int tk_bill_spans_init(struct tk_bill_spans *spans, struct tk_err *err)
{
    *spans = (struct tk_bill_spans){.count = 0};
    tk_buf_init(&spans->scratch, SCRATCH_MAX);
    return tk_texts_init(&spans->texts, TEXTS_MAX, err);
}

void tk_bill_spans_release(struct tk_bill_spans *spans)
{
    free(spans->items);
    free(spans->senders);
    free(spans->order);
    tk_texts_release(&spans->texts);
    tk_map_release(&spans->by_attrs);
    tk_buf_release(&spans->scratch);
    *spans = (struct tk_bill_spans){0};
}

/* Senders ------------------------------------------------------------------------------ */

/* Attributes of a Resource as texts in the scratch: first all keys and values, each with a NUL. */
static int format_attrs(struct tk_bill_spans *spans, const struct tk_span_batch *batch,
                        const struct tk_attr_range *range, struct tk_err *err)
{
    tk_buf_reset(&spans->scratch);
    for (uint32_t i = 0; i < range->n && i < ATTRS_MAX; i++) {
        const struct tk_attr *attr = &batch->side_attrs[range->begin + i];
        tk_buf_put(&spans->scratch, tk_texts_get(&batch->texts, attr->key));
        tk_buf_putc(&spans->scratch, '\0');
        tk_any_value_put_text(&batch->texts, attr, &spans->scratch);
        tk_buf_putc(&spans->scratch, '\0');
    }
    return tk_buf_check(&spans->scratch, "resource", err);
}

/* The texts apart again. */
static size_t split_attrs(tk_str text, struct tk_bill_attr *items)
{
    size_t count = 0;
    while (count < ATTRS_MAX && tk_str_take_until(&text, '\0', &items[count].key)) {
        if (!tk_str_take_until(&text, '\0', &items[count].value))
            items[count].value = (tk_str){"", 0};
        count++;
    }
    return count;
}

static uint32_t text_of(struct tk_bill_spans *spans, const struct tk_bill_attr *items, size_t count,
                        tk_str key)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t id =
            tk_str_eq(items[i].key, key) ? tk_texts_add(&spans->texts, items[i].value) : 0;
        if (id != 0)
            return id == TK_TEXTS_NONE ? 0 : id;
    }
    return 0;
}

static int add_sender(struct tk_bill_spans *spans, struct tk_bill_matcher *matcher, tk_str text,
                      uint32_t *ret, struct tk_err *err)
{
    static const size_t bytes = ATTRS_MAX * sizeof(struct tk_bill_attr);
    if (spans->sender_count == spans->sender_cap) {
        uint32_t cap = spans->sender_cap ? spans->sender_cap * 2 : 64;
        struct tk_bill_sender *senders = realloc(spans->senders, cap * sizeof(*senders));
        if (!senders)
            return fail_memory(err);
        spans->senders = senders;
        spans->sender_cap = cap;
    }
    struct tk_bill_attr *items = malloc(bytes);
    if (!items)
        return fail_memory(err);
    size_t count = split_attrs(text, items);
    struct tk_bill_sender *sender = &spans->senders[spans->sender_count];
    *sender = (struct tk_bill_sender){
        .service = text_of(spans, items, count, TK_STR("service.name")),
        .host = text_of(spans, items, count, TK_STR("host.name")),
    };
    int rc = tk_bill_matcher_read_resource(matcher, items, count, &sender->who, err);
    free(items);
    if (rc == 0)
        *ret = spans->sender_count++;
    return rc;
}

/* The sender of a resource of a batch, found again when it was there before. */
static int find_sender(struct tk_bill_spans *spans, struct tk_bill_matcher *matcher,
                       const struct tk_span_batch *batch, uint32_t resource, uint32_t *ret,
                       struct tk_err *err)
{
    int rc = format_attrs(spans, batch, &batch->resources[resource].attrs, err);
    if (rc < 0)
        return rc;
    uint32_t id = tk_texts_add(&spans->texts, tk_buf_str(&spans->scratch));
    if (id == TK_TEXTS_NONE)
        return tk_fail(err, -EMSGSIZE, "join: more than %zu bytes of names", TEXTS_MAX);
    if (tk_map_find(&spans->by_attrs, id, ret))
        return 0;
    rc = add_sender(spans, matcher, tk_texts_get(&spans->texts, id), ret, err);
    if (rc == 0 && tk_map_add(&spans->by_attrs, id, *ret) < 0)
        return fail_memory(err);
    return rc;
}

/* Rows --------------------------------------------------------------------------------- */

static int grow(struct tk_bill_spans *spans, size_t more, struct tk_err *err)
{
    size_t need = spans->count + more;
    size_t cap = spans->cap ? spans->cap : FIRST_CAP;
    if (need <= spans->cap)
        return 0;
    while (cap < need)
        cap *= 2;
    struct tk_bill_span *items =
        cap < UINT32_MAX / 2 ? realloc(spans->items, cap * sizeof(*items)) : NULL;
    if (!items)
        return fail_memory(err);
    spans->items = items;
    spans->cap = (uint32_t)cap;
    return 0;
}

static int add_row(struct tk_bill_spans *spans, const struct tk_span_batch *batch, size_t row,
                   uint32_t sender, struct tk_err *err)
{
    struct tk_bill_span *span = &spans->items[spans->count];
    *span = (struct tk_bill_span){
        .span_id = batch->span_ids[row],
        .parent_id = batch->parent_ids[row],
        .start_ns = batch->start_ns[row],
        .name = tk_texts_add(&spans->texts, tk_span_name(batch, row)),
        .resource = sender,
        .parent = TK_BILL_NONE,
        .above = TK_BILL_NONE,
        .answer = {.target = TK_BILL_NONE},
    };
    memcpy(span->trace_id, batch->trace_ids[row], sizeof(span->trace_id));
    if (__builtin_add_overflow(span->start_ns, batch->duration_ns[row], &span->end_ns))
        span->end_ns = INT64_MAX;
    if (span->name == TK_TEXTS_NONE)
        return tk_fail(err, -EMSGSIZE, "join: more than %zu bytes of names", TEXTS_MAX);
    spans->count++;
    return 0;
}

int tk_bill_spans_add(struct tk_bill_spans *spans, struct tk_bill_matcher *matcher,
                      const struct tk_span_rows *rows, struct tk_err *err)
{
    const struct tk_span_batch *batch = rows->batch;
    uint32_t *senders = malloc((batch->resource_count + 1U) * sizeof(*senders));
    if (!senders)
        return fail_memory(err);
    int rc = grow(spans, rows->n, err);
    for (uint32_t i = 0; rc == 0 && i < batch->resource_count; i++)
        rc = find_sender(spans, matcher, batch, i, &senders[i], err);
    for (size_t n = 0; rc == 0 && n < rows->n; n++) {
        size_t row = rows->rows ? rows->rows[n] : n;
        uint32_t resource = batch->scopes[batch->scope_ids[row]].resource;
        rc = add_row(spans, batch, row, senders[resource], err);
    }
    free(senders);
    return rc;
}

/* Trees -------------------------------------------------------------------------------- */

static int compare_starts(const void *a, const void *b)
{
    const struct tk_bill_span *first = a;
    const struct tk_bill_span *second = b;
    return (first->start_ns > second->start_ns) - (first->start_ns < second->start_ns);
}

/* Ids that differ but have the same 64-bit hash are taken for absent: one in 10^7 million spans. */
static int find_parents(struct tk_bill_spans *spans, struct tk_err *err)
{
    struct tk_map by_id = {.slots = NULL};
    int rc = 0;
    uint32_t found;
    for (uint32_t i = 0; rc == 0 && i < spans->count; i++) {
        uint64_t key = tk_span_id_hash(spans->items[i].trace_id, spans->items[i].span_id);
        if (tk_map_find(&by_id, key, &found)) {
            spans->duplicates++;
        } else {
            rc = tk_map_add(&by_id, key, i);
        }
    }
    for (uint32_t i = 0; rc == 0 && i < spans->count; i++) {
        struct tk_bill_span *span = &spans->items[i];
        if (span->parent_id == 0)
            continue;
        bool is_there =
            tk_map_find(&by_id, tk_span_id_hash(span->trace_id, span->parent_id), &found) &&
            found != i && spans->items[found].span_id == span->parent_id;
        span->parent = is_there ? found : TK_BILL_NONE;
        spans->orphans += !is_there;
    }
    tk_map_release(&by_id);
    return rc < 0 ? fail_memory(err) : 0;
}

/* Children first into `order` from its end; what is left then is in a cycle, which is cut. */
static uint32_t sort_children_first(struct tk_bill_spans *spans, uint32_t *waiting)
{
    uint32_t at = spans->count; /* order[at ..] is sorted */
    uint32_t read = spans->count;
    for (uint32_t i = 0; i < spans->count; i++) {
        if (spans->items[i].parent != TK_BILL_NONE)
            waiting[spans->items[i].parent]++;
    }
    for (uint32_t i = spans->count; i-- > 0;) {
        if (waiting[i] == 0)
            spans->order[--at] = i;
    }
    while (read > at) {
        uint32_t parent = spans->items[spans->order[--read]].parent;
        if (parent != TK_BILL_NONE && --waiting[parent] == 0)
            spans->order[--at] = parent;
    }
    return at;
}

static int sort_trees(struct tk_bill_spans *spans, struct tk_err *err)
{
    uint32_t *waiting = calloc(spans->count + 1U, sizeof(*waiting));
    spans->order = malloc((spans->count + 1U) * sizeof(*spans->order));
    if (!waiting || !spans->order) {
        free(waiting);
        return fail_memory(err);
    }
    uint32_t at = sort_children_first(spans, waiting);
    spans->cycles = at;
    for (uint32_t i = 0; i < spans->count && at > 0; i++) {
        if (waiting[i] == 0)
            continue;
        spans->items[i].parent = TK_BILL_NONE;
        spans->order[--at] = i;
    }
    free(waiting);
    return 0;
}

int tk_bill_spans_finish(struct tk_bill_spans *spans, struct tk_err *err)
{
    if (spans->count > 0)
        qsort(spans->items, spans->count, sizeof(*spans->items), compare_starts);
    int rc = find_parents(spans, err);
    return rc < 0 ? rc : sort_trees(spans, err);
}
