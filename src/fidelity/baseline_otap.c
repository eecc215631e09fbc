/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fidelity/baseline_otap_internal.h"
#include "fidelity/pack.h"
#include "fidelity/whole_spans.h"
#include "table/varint.h"

#define BATCHES_MAX ((size_t)4 << 30) /* bytes */

/* An attribute on its way into the table of its holders. */
struct attr_row {
    uint32_t parent;
    uint32_t place; /* among those of the parent */
    uint32_t key;
    uint32_t type;
    uint32_t text; /* of those in `text` */
    uint32_t rank; /* of the key */
    int64_t value; /* rank of the text, number, bits of a double, 0 when empty */
};

/* Things of the batch that rows refer to, numbered as they are met. */
struct numbering {
    uint32_t *numbers; /* + 1; 0 = not yet */
    uint32_t count;
};

struct coder {
    const struct tk_span_batch *batch;
    struct tk_buf columns[TK_OTAP_COLUMNS];
    struct tk_buf attrs[TK_OTAP_HOLDERS]; /* struct attr_row each */
    struct numbering ranks;               /* texts as attributes name them, by which they sort */
    struct numbering texts;               /* as they stand in the file */
    struct numbering resources;
    struct numbering scopes;
    uint32_t *order; /* [rows] */
    uint32_t events, links;
};

static uint32_t number_of(struct numbering *numbering, uint32_t id, bool *ret_is_new)
{
    *ret_is_new = numbering->numbers[id] == 0;
    if (*ret_is_new)
        numbering->numbers[id] = ++numbering->count;
    return numbering->numbers[id] - 1;
}

static void put(struct coder *coder, int column, uint64_t value)
{
    tk_varint_put(&coder->columns[column], value);
}

static void put_raw(struct coder *coder, int column, const void *bytes, size_t n)
{
    tk_buf_put(&coder->columns[column], (tk_str){bytes, n});
}

/* The number of a text in the file. */
static uint32_t text_of(struct coder *coder, uint32_t id)
{
    bool is_new;
    uint32_t number = number_of(&coder->texts, id, &is_new);
    if (is_new) {
        tk_str text = tk_texts_get(&coder->batch->texts, id);
        put(coder, TK_OTAP_TEXT_SIZES, text.n);
        put_raw(coder, TK_OTAP_TEXTS, text.p, text.n);
    }
    return number;
}

static void put_text(struct coder *coder, int column, uint32_t id)
{
    put(coder, column, text_of(coder, id));
}

/* Attributes ----------------------------------------------------------------------------------- */

static void keep_attrs(struct coder *coder, int holder, uint32_t parent,
                       const struct tk_attr *attrs, size_t n)
{
    bool is_new;
    for (size_t i = 0; i < n; i++) {
        struct attr_row row = {
            .parent = parent, .place = (uint32_t)i, .key = attrs[i].key, .type = attrs[i].type};
        row.rank = number_of(&coder->ranks, row.key, &is_new);
        if (tk_attr_is_text(row.type)) {
            row.text = attrs[i].text;
            row.value = number_of(&coder->ranks, row.text, &is_new);
        } else if (row.type != TK_ATTR_EMPTY) {
            row.value = attrs[i].i64; /* of a double its bits */
        }
        tk_buf_put(&coder->attrs[holder], (tk_str){(const char *)&row, sizeof(row)});
    }
}

static void keep_side_attrs(struct coder *coder, int holder, uint32_t parent,
                            const struct tk_attr_range *range)
{
    keep_attrs(coder, holder, parent, coder->batch->side_attrs + range->begin, range->n);
}

static int by_key_and_value(const void *a, const void *b)
{
    const struct attr_row *x = a;
    const struct attr_row *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    if (x->type != y->type)
        return x->type < y->type ? -1 : 1;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    if (x->parent != y->parent)
        return x->parent < y->parent ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static void put_attrs(struct coder *coder, int holder)
{
    struct attr_row *rows = (struct attr_row *)(void *)coder->attrs[holder].p;
    size_t n = coder->attrs[holder].n / sizeof(*rows);
    int64_t value_before = 0;
    uint32_t parent_before = 0;
    if (n > 0)
        qsort(rows, n, sizeof(*rows), by_key_and_value);
    for (size_t i = 0; i < n; i++) {
        const struct attr_row *row = &rows[i];
        put(coder, tk_otap_attr_column(holder, TK_OTAP_PARENTS),
            tk_zigzag((int64_t)row->parent - parent_before));
        put(coder, tk_otap_attr_column(holder, TK_OTAP_PLACES), row->place);
        put_text(coder, tk_otap_attr_column(holder, TK_OTAP_KEYS), row->key);
        put(coder, tk_otap_attr_column(holder, TK_OTAP_TYPES), row->type);
        parent_before = row->parent;
        if (row->type == TK_ATTR_DOUBLE) {
            put_raw(coder, tk_otap_attr_column(holder, TK_OTAP_DOUBLES), &row->value,
                    sizeof(row->value));
        } else if (row->type != TK_ATTR_EMPTY) {
            int64_t value = tk_attr_is_text(row->type) ? text_of(coder, row->text) : row->value;
            put(coder, tk_otap_attr_column(holder, TK_OTAP_VALUES),
                tk_zigzag(tk_wrap_sub(value, value_before)));
            value_before = value;
        }
    }
    put(coder, TK_OTAP_COUNTS, n);
}

/* Spans ---------------------------------------------------------------------------------------- */

static uint32_t resource_of(struct coder *coder, uint32_t id)
{
    const struct tk_span_resource *resource = &coder->batch->resources[id];
    bool is_new;
    uint32_t number = number_of(&coder->resources, id, &is_new);
    if (is_new) {
        put_text(coder, TK_OTAP_RESOURCE_ROWS, resource->service);
        put_text(coder, TK_OTAP_RESOURCE_ROWS, resource->schema_url);
        put_text(coder, TK_OTAP_RESOURCE_ROWS, resource->entity_refs);
        put(coder, TK_OTAP_RESOURCE_ROWS, resource->attrs.dropped);
        keep_side_attrs(coder, TK_OTAP_OF_RESOURCES, number, &resource->attrs);
    }
    return number;
}

static uint32_t scope_of(struct coder *coder, uint32_t id)
{
    const struct tk_span_scope *scope = &coder->batch->scopes[id];
    bool is_new;
    uint32_t number = number_of(&coder->scopes, id, &is_new);
    if (is_new) {
        put(coder, TK_OTAP_SCOPE_ROWS, resource_of(coder, scope->resource));
        put_text(coder, TK_OTAP_SCOPE_ROWS, scope->name);
        put_text(coder, TK_OTAP_SCOPE_ROWS, scope->version);
        put_text(coder, TK_OTAP_SCOPE_ROWS, scope->schema_url);
        put(coder, TK_OTAP_SCOPE_ROWS, scope->attrs.dropped);
        keep_side_attrs(coder, TK_OTAP_OF_SCOPES, number, &scope->attrs);
    }
    return number;
}

static void put_events(struct coder *coder, uint32_t r)
{
    size_t n;
    const struct tk_span_event *events = tk_span_events(coder->batch, r, &n);
    put(coder, TK_OTAP_EVENT_COUNTS, n);
    for (size_t i = 0; i < n; i++) {
        int64_t since = tk_wrap_sub(events[i].time_ns, coder->batch->start_ns[r]);
        put(coder, TK_OTAP_EVENT_TIMES, tk_zigzag(since));
        put_text(coder, TK_OTAP_EVENT_NAMES, events[i].name);
        put(coder, TK_OTAP_EVENT_DROPPED, events[i].attrs.dropped);
        keep_side_attrs(coder, TK_OTAP_OF_EVENTS, coder->events++, &events[i].attrs);
    }
}

static void put_links(struct coder *coder, uint32_t r)
{
    size_t n;
    const struct tk_span_link *links = tk_span_links(coder->batch, r, &n);
    put(coder, TK_OTAP_LINK_COUNTS, n);
    for (size_t i = 0; i < n; i++) {
        put_raw(coder, TK_OTAP_LINK_TRACES, links[i].trace_id, sizeof(links[i].trace_id));
        put_raw(coder, TK_OTAP_LINK_SPANS, &links[i].span_id, sizeof(links[i].span_id));
        put_text(coder, TK_OTAP_LINK_STATES, links[i].trace_state);
        put(coder, TK_OTAP_LINK_FLAGS, links[i].flags);
        put(coder, TK_OTAP_LINK_DROPPED, links[i].attrs.dropped);
        keep_side_attrs(coder, TK_OTAP_OF_LINKS, coder->links++, &links[i].attrs);
    }
}

static void put_span(struct coder *coder, uint32_t number, uint32_t r)
{
    const struct tk_span_batch *batch = coder->batch;
    size_t n;
    put_raw(coder, TK_OTAP_TRACE_IDS, batch->trace_ids[r], sizeof(batch->trace_ids[r]));
    put_raw(coder, TK_OTAP_SPAN_IDS, &batch->span_ids[r], sizeof(batch->span_ids[r]));
    put_raw(coder, TK_OTAP_PARENT_IDS, &batch->parent_ids[r], sizeof(batch->parent_ids[r]));
    put(coder, TK_OTAP_DURATIONS, (uint64_t)batch->duration_ns[r]);
    put_text(coder, TK_OTAP_NAMES, batch->names[r]);
    put(coder, TK_OTAP_SCOPES, scope_of(coder, batch->scope_ids[r]));
    put(coder, TK_OTAP_KINDS, batch->kinds[r]);
    put(coder, TK_OTAP_STATUSES, batch->statuses[r]);
    put_text(coder, TK_OTAP_MESSAGES, batch->messages[r]);
    put_text(coder, TK_OTAP_STATES, batch->trace_states[r]);
    put(coder, TK_OTAP_FLAGS, batch->flags[r]);
    put(coder, TK_OTAP_DROPPED, batch->dropped_attrs[r]);
    put(coder, TK_OTAP_DROPPED, batch->dropped_events[r]);
    put(coder, TK_OTAP_DROPPED, batch->dropped_links[r]);
    const struct tk_attr *attrs = tk_span_attrs(batch, r, &n);
    keep_attrs(coder, TK_OTAP_OF_SPANS, number, attrs, n);
    put_events(coder, r);
    put_links(coder, r);
}

static void put_spans(struct coder *coder)
{
    const struct tk_span_batch *batch = coder->batch;
    int64_t first_ns = 0; /* of the trace */
    int64_t before_ns = 0;
    for (uint32_t i = 0; i < batch->rows; i++) {
        uint32_t r = coder->order[i];
        bool is_first =
            i == 0 || memcmp(batch->trace_ids[r], batch->trace_ids[coder->order[i - 1]], 16) != 0;
        int64_t since_ns = is_first ? first_ns : before_ns;
        put(coder, TK_OTAP_STARTS, tk_zigzag(tk_wrap_sub(batch->start_ns[r], since_ns)));
        before_ns = batch->start_ns[r];
        if (is_first)
            first_ns = before_ns;
        put_span(coder, i, r);
    }
}

/* Batches -------------------------------------------------------------------------------------- */

static int by_trace_and_start(const void *a, const void *b, void *user)
{
    const struct tk_span_batch *batch = user;
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    int rc = memcmp(batch->trace_ids[x], batch->trace_ids[y], sizeof(batch->trace_ids[x]));
    if (rc != 0)
        return rc;
    if (batch->start_ns[x] != batch->start_ns[y])
        return batch->start_ns[x] < batch->start_ns[y] ? -1 : 1;
    return x < y ? -1 : x > y;
}

static int coder_init(struct coder *coder, struct tk_span_batch *batch, struct tk_err *err)
{
    *coder = (struct coder){.batch = batch};
    for (int i = 0; i < TK_OTAP_COLUMNS; i++)
        tk_buf_init(&coder->columns[i], TK_PACK_COLUMN_MAX);
    for (int i = 0; i < TK_OTAP_HOLDERS; i++)
        tk_buf_init(&coder->attrs[i], TK_PACK_COLUMN_MAX);
    const struct {
        struct numbering *numbering;
        uint32_t count;
    } sizes[] = {{&coder->ranks, batch->texts.count},
                 {&coder->texts, batch->texts.count},
                 {&coder->resources, batch->resource_count},
                 {&coder->scopes, batch->scope_count}};
    bool ok = true;
    for (size_t i = 0; i < TK_COUNTOF(sizes); i++) {
        sizes[i].numbering->numbers = calloc((size_t)sizes[i].count + 1, sizeof(uint32_t));
        ok = ok && sizes[i].numbering->numbers;
    }
    coder->order = calloc(batch->rows + 1, sizeof(*coder->order));
    if (!ok || !coder->order)
        return tk_fail(err, -ENOMEM, "out of memory");
    for (uint32_t i = 0; i < batch->rows; i++)
        coder->order[i] = i;
    qsort_r(coder->order, batch->rows, sizeof(*coder->order), by_trace_and_start, batch);
    return 0;
}

static void coder_release(struct coder *coder)
{
    for (int i = 0; i < TK_OTAP_COLUMNS; i++)
        tk_buf_release(&coder->columns[i]);
    for (int i = 0; i < TK_OTAP_HOLDERS; i++)
        tk_buf_release(&coder->attrs[i]);
    free(coder->ranks.numbers);
    free(coder->texts.numbers);
    free(coder->resources.numbers);
    free(coder->scopes.numbers);
    free(coder->order);
}

static int put_columns(struct coder *coder, struct tk_buf *out, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf packed;
    int rc = 0;
    tk_buf_init(&packed, BATCHES_MAX);
    put_spans(coder);
    for (int i = 0; i < TK_OTAP_HOLDERS && rc == 0; i++) {
        rc = tk_buf_check(&coder->attrs[i], "attributes", err);
        if (rc == 0)
            put_attrs(coder, i);
    }
    const uint64_t counts[] = {coder->batch->rows,  coder->texts.count, coder->resources.count,
                               coder->scopes.count, coder->events,      coder->links};
    for (size_t i = 0; i < TK_COUNTOF(counts); i++)
        put(coder, TK_OTAP_COUNTS, counts[i]);
    rc = rc < 0 ? rc : tk_pack_encode(coder->columns, TK_OTAP_COLUMNS, &packed, err);
    if (rc == 0) {
        tk_varint_put(out, packed.n);
        tk_buf_put(out, tk_buf_str(&packed));
    }
    return rc;
}

static int put_batch(struct tk_span_batch *batch, struct tk_buf *out, struct tk_err *err)
{
    struct coder coder;
    int rc = coder_init(&coder, batch, err);
    rc = rc < 0 ? rc : put_columns(&coder, out, err);
    coder_release(&coder);
    return rc;
}

static int encode(const struct tk_baseline_input *input, struct tk_buf *out, struct tk_err *err)
{
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = NULL;
    TK_CLEANUP(tk_buf_release) struct tk_buf batches;
    const struct tk_span_source *source = &input->spans;
    uint64_t count = 0;
    bool is_end = false;
    tk_buf_init(&batches, BATCHES_MAX);
    int rc = tk_whole_spans_put(input->table, "otap", out, err);
    rc = rc < 0 ? rc : tk_span_batch_new(TK_OTAP_ROWS, &batch, err);
    while (rc == 0 && !is_end) {
        tk_span_batch_reset(batch);
        rc = source->read(source->context, batch, err);
        is_end = rc == 1;
        if (rc >= 0 && batch->rows > 0) {
            rc = put_batch(batch, &batches, err);
            count++;
        }
        rc = rc > 0 ? 0 : rc;
    }
    rc = rc < 0 ? rc : tk_buf_check(&batches, "otap", err);
    tk_varint_put(out, count);
    tk_buf_put(out, tk_buf_str(&batches));
    return rc;
}

const struct tk_baseline tk_baseline_otap = {
    .name = "otap",
    .help = "all that spans hold as sorted columns after OTel-Arrow, zstd-19",
    .needs_spans = true,
    .has_ids = true,
    .encode = encode,
    .decode = tk_otap_decode,
};
