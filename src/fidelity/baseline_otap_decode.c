/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fidelity/baseline_otap_internal.h"
#include "fidelity/pack.h"
#include "fidelity/whole_spans.h"
#include "table/varint.h"

#define TYPES 8U /* enum tk_attr_type */

/* Attributes by parent: of p they are [ends[p - 1], ends[p]), of 0 from 0. */
struct attr_table {
    struct tk_attr *attrs;
    uint32_t *ends;
    uint32_t parents;
};

/* A file, one batch of which is at hand. */
struct tk_otap_reader {
    struct tk_whole_spans head;
    tk_str file; /* what is left of it */
    uint64_t batches;
    struct tk_span_batch *batch;
    size_t row; /* the next one to hand on */

    /* While a batch is read: */
    struct tk_buf columns[TK_OTAP_COLUMNS];
    tk_str rest[TK_OTAP_COLUMNS]; /* of the columns */
    struct attr_table attrs[TK_OTAP_HOLDERS];
    uint64_t attr_counts[TK_OTAP_HOLDERS];
    uint64_t rows, text_count, resources, scopes, events, links;
    uint32_t *texts;                  /* ids in the batch */
    uint32_t event_count, link_count; /* so far */
    bool ok;
};

static uint64_t take(struct tk_otap_reader *reader, int column)
{
    return tk_pack_take(&reader->rest[column], &reader->ok);
}

/* A number below `limit`; 0 when it is not. */
static uint32_t take_below(struct tk_otap_reader *reader, int column, uint64_t limit)
{
    uint64_t value = take(reader, column);
    if (value >= limit)
        reader->ok = false;
    return reader->ok ? (uint32_t)value : 0;
}

static uint32_t take_u32(struct tk_otap_reader *reader, int column)
{
    return take_below(reader, column, (uint64_t)UINT32_MAX + 1);
}

static uint32_t take_text(struct tk_otap_reader *reader, int column)
{
    uint32_t number = take_below(reader, column, reader->text_count);
    return reader->ok ? reader->texts[number] : 0;
}

static void take_raw(struct tk_otap_reader *reader, int column, void *to, size_t n)
{
    tk_str bytes = tk_pack_take_bytes(&reader->rest[column], n, &reader->ok);
    if (reader->ok)
        memcpy(to, bytes.p, n);
}

static void check(struct tk_otap_reader *reader, bool ok)
{
    reader->ok = reader->ok && ok;
}

/* Attributes ----------------------------------------------------------------------------------- */

/* The value of an attribute whose key and type are known. */
static void take_value(struct tk_otap_reader *reader, int holder, struct tk_attr *attr,
                       int64_t *before)
{
    if (attr->type == TK_ATTR_DOUBLE) {
        take_raw(reader, tk_otap_attr_column(holder, TK_OTAP_DOUBLES), &attr->f64,
                 sizeof(attr->f64));
    } else if (attr->type != TK_ATTR_EMPTY) {
        uint64_t coded = take(reader, tk_otap_attr_column(holder, TK_OTAP_VALUES));
        *before = tk_wrap_add(*before, tk_unzigzag(coded));
        attr->i64 = *before;
    }
    if (tk_attr_is_text(attr->type)) {
        check(reader, *before >= 0 && (uint64_t)*before < reader->text_count);
        *attr = (struct tk_attr){
            attr->key, attr->type, {.text = reader->ok ? reader->texts[*before] : 0}};
    }
}

/* Where an attribute of the file belongs. */
struct place {
    uint32_t parent;
    uint32_t index; /* among those of the parent */
};

/* Attributes in the order of the file, with the place of each; counts them by parent. */
static void take_attrs(struct tk_otap_reader *reader, int holder, struct tk_attr *attrs,
                       struct place *places)
{
    struct attr_table *table = &reader->attrs[holder];
    int64_t parent = 0;
    int64_t value = 0;
    for (uint64_t i = 0; i < reader->attr_counts[holder] && reader->ok; i++) {
        uint64_t since = take(reader, tk_otap_attr_column(holder, TK_OTAP_PARENTS));
        parent = tk_wrap_add(parent, tk_unzigzag(since));
        check(reader, parent >= 0 && parent < table->parents);
        uint32_t index = take_u32(reader, tk_otap_attr_column(holder, TK_OTAP_PLACES));
        attrs[i].key = take_text(reader, tk_otap_attr_column(holder, TK_OTAP_KEYS));
        attrs[i].type = take_below(reader, tk_otap_attr_column(holder, TK_OTAP_TYPES), TYPES);
        take_value(reader, holder, &attrs[i], &value);
        if (reader->ok) {
            places[i] = (struct place){(uint32_t)parent, index};
            table->ends[parent]++;
        }
    }
}

/* Counts become ends, and attributes go where they belong: one to each place. */
static void place_attrs(struct tk_otap_reader *reader, int holder, const struct tk_attr *attrs,
                        const struct place *places)
{
    struct attr_table *table = &reader->attrs[holder];
    uint64_t n = reader->attr_counts[holder];
    for (uint32_t p = 1; p < table->parents; p++)
        table->ends[p] += table->ends[p - 1];
    for (uint64_t i = 0; i < n; i++)
        table->attrs[i].type = TYPES; /* still free */
    for (uint64_t i = 0; i < n && reader->ok; i++) {
        uint32_t parent = places[i].parent;
        uint64_t to = (parent > 0 ? table->ends[parent - 1] : 0) + (uint64_t)places[i].index;
        check(reader, to < table->ends[parent] && table->attrs[to].type == TYPES);
        if (reader->ok)
            table->attrs[to] = attrs[i];
    }
}

static int read_attrs(struct tk_otap_reader *reader, int holder, uint64_t parents,
                      struct tk_err *err)
{
    struct attr_table *table = &reader->attrs[holder];
    uint64_t n = reader->attr_counts[holder];
    struct tk_attr *attrs = calloc(n + 1, sizeof(*attrs));
    struct place *places = calloc(n + 1, sizeof(*places));
    table->parents = (uint32_t)parents;
    table->attrs = calloc(n + 1, sizeof(*table->attrs));
    table->ends = calloc(parents + 1, sizeof(*table->ends));
    bool has_room = attrs && places && table->attrs && table->ends;
    if (has_room)
        take_attrs(reader, holder, attrs, places);
    if (has_room && reader->ok)
        place_attrs(reader, holder, attrs, places);
    free(attrs);
    free(places);
    return has_room ? 0 : tk_fail(err, -ENOMEM, "out of memory");
}

static const struct tk_attr *attrs_of(const struct tk_otap_reader *reader, int holder,
                                      uint32_t parent, uint32_t *ret_n)
{
    const struct attr_table *table = &reader->attrs[holder];
    uint32_t begin = parent > 0 ? table->ends[parent - 1] : 0;
    *ret_n = table->ends[parent] - begin;
    return table->attrs + begin;
}

/* The attributes of a holder that is no span, to where the batch keeps these. */
static struct tk_attr_range add_side_attrs(struct tk_otap_reader *reader, int holder,
                                           uint32_t parent, int dropped_column)
{
    struct tk_span_batch *batch = reader->batch;
    struct tk_attr_range range = {.begin = batch->side_attr_count};
    range.dropped = take_u32(reader, dropped_column);
    const struct tk_attr *attrs = attrs_of(reader, holder, parent, &range.n);
    for (uint32_t i = 0; i < range.n && reader->ok; i++)
        check(reader, tk_span_batch_add_side_attr(batch, &attrs[i]) != UINT32_MAX);
    return range;
}

/* Spans ---------------------------------------------------------------------------------------- */

static void read_resources(struct tk_otap_reader *reader)
{
    for (uint32_t i = 0; i < reader->resources && reader->ok; i++) {
        struct tk_span_resource resource = {.attrs = {0, 0, 0}};
        resource.service = take_text(reader, TK_OTAP_RESOURCE_ROWS);
        resource.schema_url = take_text(reader, TK_OTAP_RESOURCE_ROWS);
        resource.entity_refs = take_text(reader, TK_OTAP_RESOURCE_ROWS);
        resource.attrs = add_side_attrs(reader, TK_OTAP_OF_RESOURCES, i, TK_OTAP_RESOURCE_ROWS);
        check(reader, tk_span_batch_add_resource(reader->batch, &resource) == i);
    }
}

static void read_scopes(struct tk_otap_reader *reader)
{
    for (uint32_t i = 0; i < reader->scopes && reader->ok; i++) {
        struct tk_span_scope scope = {.attrs = {0, 0, 0}};
        scope.resource = take_below(reader, TK_OTAP_SCOPE_ROWS, reader->resources);
        scope.name = take_text(reader, TK_OTAP_SCOPE_ROWS);
        scope.version = take_text(reader, TK_OTAP_SCOPE_ROWS);
        scope.schema_url = take_text(reader, TK_OTAP_SCOPE_ROWS);
        scope.attrs = add_side_attrs(reader, TK_OTAP_OF_SCOPES, i, TK_OTAP_SCOPE_ROWS);
        check(reader, tk_span_batch_add_scope(reader->batch, &scope) == i);
    }
}

static void read_events(struct tk_otap_reader *reader, int64_t start_ns)
{
    uint32_t left = (uint32_t)reader->events - reader->event_count;
    uint32_t n = take_below(reader, TK_OTAP_EVENT_COUNTS, (uint64_t)left + 1);
    for (uint32_t i = 0; i < n && reader->ok; i++) {
        struct tk_span_event event = {.attrs = {0, 0, 0}};
        event.time_ns = tk_wrap_add(start_ns, tk_unzigzag(take(reader, TK_OTAP_EVENT_TIMES)));
        event.name = take_text(reader, TK_OTAP_EVENT_NAMES);
        event.attrs =
            add_side_attrs(reader, TK_OTAP_OF_EVENTS, reader->event_count++, TK_OTAP_EVENT_DROPPED);
        check(reader, tk_span_batch_add_event(reader->batch, &event) == 0);
    }
}

static void read_links(struct tk_otap_reader *reader)
{
    uint32_t left = (uint32_t)reader->links - reader->link_count;
    uint32_t n = take_below(reader, TK_OTAP_LINK_COUNTS, (uint64_t)left + 1);
    for (uint32_t i = 0; i < n && reader->ok; i++) {
        struct tk_span_link link = {.attrs = {0, 0, 0}};
        take_raw(reader, TK_OTAP_LINK_TRACES, link.trace_id, sizeof(link.trace_id));
        take_raw(reader, TK_OTAP_LINK_SPANS, &link.span_id, sizeof(link.span_id));
        link.trace_state = take_text(reader, TK_OTAP_LINK_STATES);
        link.flags = take_u32(reader, TK_OTAP_LINK_FLAGS);
        link.attrs =
            add_side_attrs(reader, TK_OTAP_OF_LINKS, reader->link_count++, TK_OTAP_LINK_DROPPED);
        check(reader, tk_span_batch_add_link(reader->batch, &link) == 0);
    }
}

/* The columns of a row whose start is known. */
static void read_span(struct tk_otap_reader *reader, uint32_t r)
{
    struct tk_span_batch *batch = reader->batch;
    uint32_t n;
    take_raw(reader, TK_OTAP_SPAN_IDS, &batch->span_ids[r], sizeof(batch->span_ids[r]));
    take_raw(reader, TK_OTAP_PARENT_IDS, &batch->parent_ids[r], sizeof(batch->parent_ids[r]));
    uint64_t duration_ns = take(reader, TK_OTAP_DURATIONS);
    check(reader, duration_ns <= INT64_MAX);
    batch->duration_ns[r] = (int64_t)duration_ns;
    batch->names[r] = take_text(reader, TK_OTAP_NAMES);
    batch->scope_ids[r] = take_below(reader, TK_OTAP_SCOPES, reader->scopes);
    batch->kinds[r] = (uint8_t)take_below(reader, TK_OTAP_KINDS, UINT8_MAX + 1);
    batch->statuses[r] = (uint8_t)take_below(reader, TK_OTAP_STATUSES, UINT8_MAX + 1);
    batch->messages[r] = take_text(reader, TK_OTAP_MESSAGES);
    batch->trace_states[r] = take_text(reader, TK_OTAP_STATES);
    batch->flags[r] = take_u32(reader, TK_OTAP_FLAGS);
    batch->dropped_attrs[r] = take_u32(reader, TK_OTAP_DROPPED);
    batch->dropped_events[r] = take_u32(reader, TK_OTAP_DROPPED);
    batch->dropped_links[r] = take_u32(reader, TK_OTAP_DROPPED);
    const struct tk_attr *attrs = attrs_of(reader, TK_OTAP_OF_SPANS, r, &n);
    for (uint32_t i = 0; i < n && reader->ok; i++)
        check(reader, tk_span_batch_add_attr(batch, &attrs[i]) == 0);
    read_events(reader, batch->start_ns[r]);
    read_links(reader);
}

static void read_spans(struct tk_otap_reader *reader)
{
    struct tk_span_batch *batch = reader->batch;
    int64_t first_ns = 0; /* of the trace */
    int64_t before_ns = 0;
    for (uint32_t r = 0; r < reader->rows && reader->ok; r++) {
        check(reader, tk_span_batch_begin(batch) == 0);
        if (!reader->ok)
            return;
        take_raw(reader, TK_OTAP_TRACE_IDS, batch->trace_ids[r], sizeof(batch->trace_ids[r]));
        bool is_first = r == 0 || memcmp(batch->trace_ids[r], batch->trace_ids[r - 1], 16) != 0;
        int64_t gap_ns = tk_unzigzag(take(reader, TK_OTAP_STARTS));
        before_ns = tk_wrap_add(is_first ? first_ns : before_ns, gap_ns);
        if (is_first)
            first_ns = before_ns;
        batch->start_ns[r] = before_ns;
        read_span(reader, r);
        check(reader, tk_span_batch_end(batch) == 0);
    }
}

/* Batches -------------------------------------------------------------------------------------- */

static void read_counts(struct tk_otap_reader *reader)
{
    const struct {
        uint64_t *count;
        int column; /* that holds a byte of each at least */
    } counts[] = {
        {&reader->rows, TK_OTAP_KINDS},
        {&reader->text_count, TK_OTAP_TEXT_SIZES},
        {&reader->resources, TK_OTAP_RESOURCE_ROWS},
        {&reader->scopes, TK_OTAP_SCOPE_ROWS},
        {&reader->events, TK_OTAP_EVENT_NAMES},
        {&reader->links, TK_OTAP_LINK_FLAGS},
    };
    for (int i = 0; i < TK_OTAP_HOLDERS; i++) {
        reader->attr_counts[i] = take(reader, TK_OTAP_COUNTS);
        check(reader,
              reader->attr_counts[i] <= reader->columns[tk_otap_attr_column(i, TK_OTAP_KEYS)].n);
    }
    for (size_t i = 0; i < TK_COUNTOF(counts); i++) {
        *counts[i].count = take(reader, TK_OTAP_COUNTS);
        check(reader, *counts[i].count <= reader->columns[counts[i].column].n);
    }
    check(reader, reader->rows <= TK_OTAP_ROWS);
}

static int read_texts(struct tk_otap_reader *reader, struct tk_err *err)
{
    reader->texts = calloc(reader->text_count + 1, sizeof(*reader->texts));
    if (!reader->texts)
        return tk_fail(err, -ENOMEM, "out of memory");
    for (uint64_t i = 0; i < reader->text_count && reader->ok; i++) {
        size_t n = (size_t)take(reader, TK_OTAP_TEXT_SIZES);
        tk_str text = tk_pack_take_bytes(&reader->rest[TK_OTAP_TEXTS], n, &reader->ok);
        if (reader->ok)
            reader->texts[i] = tk_texts_add(&reader->batch->texts, text);
        check(reader, reader->texts[i] != TK_TEXTS_NONE);
    }
    return 0;
}

/* All tables of the columns into the batch. */
static int read_columns(struct tk_otap_reader *reader, struct tk_err *err)
{
    reader->ok = true;
    reader->event_count = 0;
    reader->link_count = 0;
    for (int i = 0; i < TK_OTAP_COLUMNS; i++)
        reader->rest[i] = tk_buf_str(&reader->columns[i]);
    read_counts(reader);
    int rc = reader->ok ? read_texts(reader, err) : 0;
    const uint64_t parents[TK_OTAP_HOLDERS] = {reader->rows, reader->events, reader->links,
                                               reader->resources, reader->scopes};
    for (int i = 0; i < TK_OTAP_HOLDERS && rc == 0 && reader->ok; i++)
        rc = read_attrs(reader, i, parents[i], err);
    if (rc < 0)
        return rc;
    read_resources(reader);
    read_scopes(reader);
    read_spans(reader);
    check(reader, reader->event_count == reader->events && reader->link_count == reader->links);
    return reader->ok ? 0 : tk_fail(err, -EBADMSG, "columns of otap are damaged");
}

static void release_columns(struct tk_otap_reader *reader)
{
    for (int i = 0; i < TK_OTAP_COLUMNS; i++) {
        tk_buf_release(&reader->columns[i]);
        reader->columns[i] = (struct tk_buf){0};
    }
    for (int i = 0; i < TK_OTAP_HOLDERS; i++) {
        free(reader->attrs[i].attrs);
        free(reader->attrs[i].ends);
        reader->attrs[i] = (struct attr_table){0};
    }
    free(reader->texts);
    reader->texts = NULL;
}

static int read_batch(struct tk_otap_reader *reader, struct tk_err *err)
{
    bool ok = true;
    size_t n = (size_t)tk_pack_take(&reader->file, &ok);
    tk_str packed = tk_pack_take_bytes(&reader->file, n, &ok);
    if (!ok)
        return tk_fail(err, -EBADMSG, "otap ends in the middle of a batch");
    tk_span_batch_reset(reader->batch);
    int rc = tk_pack_decode(packed, reader->columns, TK_OTAP_COLUMNS, err);
    rc = rc < 0 ? rc : read_columns(reader, err);
    release_columns(reader);
    reader->row = 0;
    reader->batches--;
    return rc;
}

/* Rows of the batch at hand; -ENOBUFS when no more fit. */
static int copy_rows(struct tk_otap_reader *reader, struct tk_span_batch *to, struct tk_err *err)
{
    struct tk_span_copy *copy = NULL;
    int rc = tk_span_copy_new(to, reader->batch, &copy, err);
    while (rc == 0 && reader->row < reader->batch->rows) {
        rc = tk_span_copy_row(copy, reader->row);
        if (rc == 0)
            reader->row++;
    }
    tk_span_copy_free(copy);
    return rc;
}

static int read_rows(void *context, struct tk_span_batch *to, struct tk_err *err)
{
    struct tk_otap_reader *reader = context;
    int rc = 0;
    while (rc == 0) {
        if (reader->row < reader->batch->rows) {
            rc = copy_rows(reader, to, err);
        } else if (reader->batches > 0) {
            rc = read_batch(reader, err);
        } else {
            return reader->file.n == 0 ? 1
                                       : tk_fail(err, -EBADMSG, "more than the batches of otap");
        }
    }
    if (rc == -ENOBUFS)
        return to->rows > 0 ? 0 : tk_fail(err, -EMSGSIZE, "a span is larger than a batch");
    return rc;
}

int tk_otap_reader_new(tk_str file, struct tk_otap_reader **ret_reader, struct tk_err *err)
{
    struct tk_otap_reader *reader = calloc(1, sizeof(*reader));
    bool ok = true;
    if (!reader)
        return tk_fail(err, -ENOMEM, "out of memory");
    reader->file = file;
    int rc = tk_whole_spans_take(&reader->file, "otap", &reader->head, err);
    if (rc < 0)
        goto fail;
    reader->batches = tk_pack_take(&reader->file, &ok);
    rc = ok ? tk_span_batch_new(TK_OTAP_ROWS, &reader->batch, err)
            : tk_fail(err, -EBADMSG, "head of otap is damaged");
    if (rc < 0)
        goto fail;
    *ret_reader = reader;
    return 0;

fail:
    tk_otap_reader_free(reader);
    return rc;
}

void tk_otap_reader_free(struct tk_otap_reader *reader)
{
    if (reader)
        tk_span_batch_free(reader->batch);
    free(reader);
}

struct tk_span_source tk_otap_reader_source(struct tk_otap_reader *reader)
{
    return (struct tk_span_source){read_rows, reader};
}

int tk_otap_decode(tk_str file, uint64_t seed, struct tk_span_table **ret_table, struct tk_err *err)
{
    struct tk_otap_reader *reader = NULL;
    (void)seed;
    int rc = tk_otap_reader_new(file, &reader, err);
    if (rc == 0)
        rc = tk_whole_spans_table(&reader->head, tk_otap_reader_source(reader), ret_table, err);
    tk_otap_reader_free(reader);
    return rc;
}
