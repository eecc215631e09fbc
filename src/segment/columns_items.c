/* SPDX-License-Identifier: Apache-2.0 */
/* Events and links: lists of structs, each with a map of attributes. Levels (docs/format-spans.md
 * section 5): of a field of an item
 *
 *     definition  0 no item in the row, 2 the item, 3 an optional field of it is there
 *     repetition  0 first item of the row, 1 another one
 *
 * and of an entry of its map
 *
 *     definition  0 no item, 2 an item without attributes, 4 an entry
 *     repetition  0 first of the row, 1 first of another item, 2 another entry */
#include <errno.h>

#include "segment/columns_internal.h"

/* A field that fills: values that are there, and levels of all. */
struct field {
    union {
        uint32_t *ids;
        int64_t *i64;
        char *hex;
    };
    uint8_t *def;
    uint8_t *rep;
    size_t n; /* entries */
    size_t values;
};

static int field_init(struct tk_columns *columns, struct field *field, size_t entries, size_t each,
                      struct tk_err *err)
{
    *field = (struct field){
        .hex = tk_columns_alloc(columns, entries, each, err),
        .def = tk_columns_alloc(columns, entries, 1, err),
        .rep = tk_columns_alloc(columns, entries, 1, err),
    };
    return field->hex && field->def && field->rep ? 0 : -ENOMEM;
}

static void put_level(struct field *field, uint8_t def, uint8_t rep)
{
    field->def[field->n] = def;
    field->rep[field->n++] = rep;
}

/* What events and links share: attributes, their types, how many were dropped. */
struct holders {
    struct tk_columns *columns;
    struct field keys, values, types, dropped;
};

static int holders_init(struct holders *holders, struct tk_columns *columns, size_t items,
                        size_t attrs, struct tk_err *err)
{
    size_t most = columns->rows + items;
    holders->columns = columns;
    int rc = field_init(columns, &holders->keys, most + attrs, sizeof(uint32_t), err);
    if (rc == 0)
        rc = field_init(columns, &holders->values, most + attrs, sizeof(uint32_t), err);
    if (rc == 0)
        rc = field_init(columns, &holders->types, most, sizeof(uint32_t), err);
    if (rc == 0)
        rc = field_init(columns, &holders->dropped, most, sizeof(int64_t), err);
    return rc;
}

/* A row without items. */
static void put_none(struct holders *holders)
{
    put_level(&holders->keys, 0, 0);
    put_level(&holders->values, 0, 0);
    put_level(&holders->types, 0, 0);
    put_level(&holders->dropped, 0, 0);
}

/* The attributes of an item. Their letters become one text, unless all are strings. */
static void put_holder(struct holders *holders, const struct tk_attr_range *range, uint8_t rep)
{
    struct tk_columns *columns = holders->columns;
    const struct tk_attr *attrs = columns->batch->side_attrs + range->begin;
    TK_CLEANUP(tk_buf_release) struct tk_buf letters;
    tk_buf_init(&letters, INT32_MAX);
    bool all_strings = true;
    if (range->n == 0) {
        put_level(&holders->keys, 2, rep);
        put_level(&holders->values, 2, rep);
    }
    for (uint32_t i = 0; i < range->n; i++) {
        char letter;
        holders->keys.ids[holders->keys.values++] = attrs[i].key;
        holders->values.ids[holders->values.values++] =
            tk_columns_attr(columns, &attrs[i], &letter);
        put_level(&holders->keys, 4, i == 0 ? rep : 2);
        put_level(&holders->values, 4, i == 0 ? rep : 2);
        tk_buf_putc(&letters, letter);
        all_strings = all_strings && letter == 's';
    }
    if (!all_strings) {
        holders->types.ids[holders->types.values++] =
            tk_columns_make(columns, tk_buf_str(&letters));
    }
    put_level(&holders->types, all_strings ? 2 : 3, rep);
    if (range->dropped > 0)
        holders->dropped.i64[holders->dropped.values++] = range->dropped;
    put_level(&holders->dropped, range->dropped > 0 ? 3 : 2, rep);
}

static void write_ids(struct tk_columns *columns, size_t column, const struct field *field)
{
    tk_columns_put_ids(columns, column, field->ids, field->def, field->rep, field->n);
}

static void write_numbers(struct tk_columns *columns, size_t column, const struct field *field)
{
    tk_parquet_add_levels(columns->writer, column, field->i64, field->def, field->rep, field->n);
}

static void write_holders(const struct holders *holders, size_t key_column)
{
    write_ids(holders->columns, key_column, &holders->keys);
    write_ids(holders->columns, key_column + 1, &holders->values);
    write_ids(holders->columns, key_column + 2, &holders->types);
    write_numbers(holders->columns, key_column + 3, &holders->dropped);
}

static void put_nothing(struct tk_columns *columns, size_t first, size_t last)
{
    for (size_t column = first; column <= last; column++)
        tk_parquet_add_nulls(columns->writer, column, columns->rows);
}

/* Events ------------------------------------------------------------------------------------- */

int tk_columns_put_events(struct tk_columns *columns, struct tk_err *err)
{
    const struct tk_span_batch *batch = columns->batch;
    struct holders holders = {0};
    struct field times = {0};
    struct field names = {0};
    size_t most = columns->rows + batch->event_count;
    if (batch->event_count == 0) {
        put_nothing(columns, TK_COLUMN_EVENT_TIME_NS, TK_COLUMN_EVENT_DROPPED);
        return 0;
    }
    if (field_init(columns, &times, most, sizeof(int64_t), err) < 0 ||
        field_init(columns, &names, most, sizeof(uint32_t), err) < 0 ||
        holders_init(&holders, columns, batch->event_count, batch->side_attr_count, err) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < columns->rows; i++) {
        size_t n;
        const struct tk_span_event *events = tk_span_events(batch, tk_columns_row(columns, i), &n);
        if (n == 0) {
            put_level(&times, 0, 0);
            put_level(&names, 0, 0);
            put_none(&holders);
        }
        for (size_t k = 0; k < n; k++) {
            uint8_t rep = k > 0;
            times.i64[times.values++] = events[k].time_ns;
            names.ids[names.values++] = events[k].name;
            put_level(&times, 2, rep);
            put_level(&names, 2, rep);
            put_holder(&holders, &events[k].attrs, rep);
        }
    }
    write_numbers(columns, TK_COLUMN_EVENT_TIME_NS, &times);
    write_ids(columns, TK_COLUMN_EVENT_NAME, &names);
    write_holders(&holders, TK_COLUMN_EVENT_KEY);
    return 0;
}

/* Links -------------------------------------------------------------------------------------- */

struct links {
    struct holders holders;
    struct field traces, spans, states, flags;
};

static void put_link(struct links *links, const struct tk_span_link *link, uint8_t rep)
{
    struct tk_columns *columns = links->holders.columns;
    char hex[32];
    uint8_t bytes[8];
    tk_hex_put(link->trace_id, 16, hex);
    links->traces.ids[links->traces.values++] = tk_columns_make(columns, (tk_str){hex, 32});
    memcpy(bytes, &link->span_id, sizeof(bytes));
    tk_hex_put(bytes, sizeof(bytes), hex);
    links->spans.ids[links->spans.values++] = tk_columns_make(columns, (tk_str){hex, 16});
    if (link->trace_state != 0)
        links->states.ids[links->states.values++] = link->trace_state;
    links->flags.i64[links->flags.values++] = link->flags;
    put_level(&links->traces, 2, rep);
    put_level(&links->spans, 2, rep);
    put_level(&links->states, link->trace_state != 0 ? 3 : 2, rep);
    put_level(&links->flags, 2, rep);
    put_holder(&links->holders, &link->attrs, rep);
}

int tk_columns_put_links(struct tk_columns *columns, struct tk_err *err)
{
    const struct tk_span_batch *batch = columns->batch;
    struct links links = {0};
    size_t most = columns->rows + batch->link_count;
    if (batch->link_count == 0) {
        put_nothing(columns, TK_COLUMN_LINK_TRACE_ID, TK_COLUMN_LINK_DROPPED);
        return 0;
    }
    if (field_init(columns, &links.traces, most, sizeof(uint32_t), err) < 0 ||
        field_init(columns, &links.spans, most, sizeof(uint32_t), err) < 0 ||
        field_init(columns, &links.states, most, sizeof(uint32_t), err) < 0 ||
        field_init(columns, &links.flags, most, sizeof(int64_t), err) < 0 ||
        holders_init(&links.holders, columns, batch->link_count, batch->side_attr_count, err) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < columns->rows; i++) {
        size_t n;
        const struct tk_span_link *list = tk_span_links(batch, tk_columns_row(columns, i), &n);
        if (n == 0) {
            put_level(&links.traces, 0, 0);
            put_level(&links.spans, 0, 0);
            put_level(&links.states, 0, 0);
            put_level(&links.flags, 0, 0);
            put_none(&links.holders);
        }
        for (size_t k = 0; k < n; k++)
            put_link(&links, &list[k], k > 0);
    }
    write_ids(columns, TK_COLUMN_LINK_TRACE_ID, &links.traces);
    write_ids(columns, TK_COLUMN_LINK_SPAN_ID, &links.spans);
    write_ids(columns, TK_COLUMN_LINK_TRACE_STATE, &links.states);
    write_numbers(columns, TK_COLUMN_LINK_FLAGS, &links.flags);
    write_holders(&links.holders, TK_COLUMN_LINK_KEY);
    return 0;
}
