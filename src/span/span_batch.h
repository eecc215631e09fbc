/* SPDX-License-Identifier: Apache-2.0 */
/* A batch of spans, held by column: what OpenTelemetry says of a span (opentelemetry-proto 1.x,
 * trace.proto), without loss. Texts are ids of the batch's dictionary; resources and scopes are
 * kept once; attributes, events and links of all rows stand in one array each, in the order of the
 * rows:
 *
 *     row r   names[r] ...   scopes[scope_ids[r]] -> resources[scope.resource]
 *             attrs[attr_ends[r - 1] .. attr_ends[r]]      (of row 0: from 0)
 *             events[event_ends[r - 1] .. event_ends[r]]   likewise links
 *
 * Attributes of events, links, resources and scopes stand in `side_attrs`, and each holder says
 * where. A reader fills a batch:
 *
 *     rc = tk_span_batch_begin(batch);          all columns of the row zero
 *     batch->names[batch->rows - 1] = tk_texts_add(&batch->texts, name); ...
 *     rc = tk_span_batch_add_attr(batch, &attr);
 *
 * and takes a request that turns out bad back with tk_span_batch_rewind(). Every add fails with
 * -ENOBUFS when the batch is full: hand it on, reset it, and read that record again. A text id may
 * be TK_TEXTS_NONE then; tk_span_batch_end() is where a row fails once texts are full.
 *
 * All texts are UTF-8 but those of BYTES, ARRAY and MAP: readers keep an attribute that is no UTF-8
 * as BYTES and put U+FFFD into names, keys and messages, and count both (span_tally.h). Memory is
 * reserved for the worst case and touched as it is used. One thread at a time. */
#ifndef TK_SPAN_SPAN_BATCH_H
#define TK_SPAN_SPAN_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "span/texts.h"

/* Types of attribute values: the members of AnyValue. */
enum tk_attr_type {
    TK_ATTR_EMPTY = 0, /* AnyValue without a member: legal */
    TK_ATTR_STRING,    /* `text`; UTF-8 */
    TK_ATTR_BOOL,      /* `i64`, 0 or 1 */
    TK_ATTR_INT,       /* `i64` */
    TK_ATTR_DOUBLE,    /* `f64` */
    TK_ATTR_BYTES,     /* `text`; also a string that was no UTF-8 */
    TK_ATTR_ARRAY,     /* `text`: the message ArrayValue as protobuf (any_value.h) */
    TK_ATTR_MAP,       /* `text`: the message KeyValueList as protobuf */
};

struct tk_attr {
    uint32_t key;  /* id of a text */
    uint32_t type; /* enum tk_attr_type */
    union {
        uint32_t text;
        int64_t i64;
        double f64;
    };
};

/* Whether a value of this type is in `text`. */
static inline bool tk_attr_is_text(uint32_t type)
{
    return type == TK_ATTR_STRING || type >= TK_ATTR_BYTES;
}

/* Attributes [begin, begin + n) of `side_attrs`, and how many the sender had dropped. */
struct tk_attr_range {
    uint32_t begin;
    uint32_t n;
    uint32_t dropped;
};

struct tk_span_resource {
    struct tk_attr_range attrs; /* service.name among them */
    uint32_t service;           /* text of service.name; 0 = none */
    uint32_t schema_url;
    uint32_t entity_refs; /* text: the repeated field entity_refs as protobuf; 0 = none */
};

struct tk_span_scope {
    uint32_t resource; /* index in `resources` */
    uint32_t name;
    uint32_t version;
    uint32_t schema_url;
    struct tk_attr_range attrs;
};

struct tk_span_event {
    int64_t time_ns;
    uint32_t name;
    struct tk_attr_range attrs;
};

struct tk_span_link {
    uint8_t trace_id[16];
    uint64_t span_id; /* as the column */
    uint32_t trace_state;
    uint32_t flags;
    struct tk_attr_range attrs;
};

/* SpanKind and StatusCode of trace.proto. */
enum tk_span_kind {
    TK_SPAN_UNSPECIFIED = 0,
    TK_SPAN_INTERNAL,
    TK_SPAN_SERVER,
    TK_SPAN_CLIENT,
    TK_SPAN_PRODUCER,
    TK_SPAN_CONSUMER,
    TK_SPAN_KIND_COUNT
};

enum tk_span_status { TK_SPAN_UNSET = 0, TK_SPAN_OK, TK_SPAN_ERROR, TK_SPAN_STATUS_COUNT };

/* Where a batch stood. Texts, resources and scopes that came since stay when it is rewound. */
struct tk_span_mark {
    size_t rows;
    uint32_t attrs, side_attrs, events, links, resources, scopes;
};

struct tk_span_batch {
    size_t rows;
    size_t max_rows;
    size_t used_rows; /* that were ever there: zero stands behind them, in pages never touched */

    /* [max_rows] each. Ids of spans are the eight bytes as sent, by memcpy; parent 0 = none. */
    uint8_t (*trace_ids)[16];
    uint64_t *span_ids;
    uint64_t *parent_ids;
    int64_t *start_ns;    /* since 1970 */
    int64_t *duration_ns; /* 0 or more */
    uint32_t *names;
    uint32_t *scope_ids; /* index in `scopes` */
    uint32_t *messages;  /* of the status */
    uint32_t *trace_states;
    uint32_t *flags;
    uint8_t *kinds;
    uint8_t *statuses;
    uint32_t *dropped_attrs;
    uint32_t *dropped_events;
    uint32_t *dropped_links;
    uint32_t *attr_ends;
    uint32_t *event_ends;
    uint32_t *link_ends;

    struct tk_attr *attrs;
    struct tk_attr *side_attrs;
    struct tk_span_event *events;
    struct tk_span_link *links;
    struct tk_span_resource *resources;
    struct tk_span_scope *scopes;
    uint32_t attr_count, max_attrs;
    uint32_t side_attr_count, max_side_attrs;
    uint32_t event_count, max_events;
    uint32_t link_count, max_links;
    uint32_t resource_count, max_resources;
    uint32_t scope_count, max_scopes;
    struct tk_span_mark row_mark; /* before the last row began */

    struct tk_texts texts;
    struct tk_arena memory; /* all arrays above */
};

#define TK_SPAN_BATCH_ROWS_MAX ((size_t)1 << 20)

/* A batch for at most `max_rows` spans, 1 to TK_SPAN_BATCH_ROWS_MAX. Other arrays are sized from
 * that, texts to 256 bytes a row and at least 64 MiB, as address space: 0.6 GiB for 262,144 spans.
 * -ENOMEM. */
TK_MUST_USE int tk_span_batch_new(size_t max_rows, struct tk_span_batch **ret_batch,
                                  struct tk_err *err);

/* Accepts NULL. */
void tk_span_batch_free(struct tk_span_batch *batch);

/* For TK_CLEANUP. */
void tk_span_batch_freep(struct tk_span_batch **batch);

/* Drop all rows, resources, scopes and texts, keep the memory. */
void tk_span_batch_reset(struct tk_span_batch *batch);

/* Bytes that the rows and texts take now. */
size_t tk_span_batch_bytes(const struct tk_span_batch *batch);

/* Where the batch stands, and back to there. */
struct tk_span_mark tk_span_batch_mark(const struct tk_span_batch *batch);
void tk_span_batch_rewind(struct tk_span_batch *batch, const struct tk_span_mark *mark);

/* Begin a row: every column zero. -ENOBUFS. */
TK_MUST_USE int tk_span_batch_begin(struct tk_span_batch *batch);

/* Add to the last row. -ENOBUFS. */
TK_MUST_USE int tk_span_batch_add_attr(struct tk_span_batch *batch, const struct tk_attr *attr);
TK_MUST_USE int tk_span_batch_add_event(struct tk_span_batch *batch,
                                        const struct tk_span_event *event);
TK_MUST_USE int tk_span_batch_add_link(struct tk_span_batch *batch,
                                       const struct tk_span_link *link);

/* Append to `side_attrs`; returns the index or UINT32_MAX when full. */
uint32_t tk_span_batch_add_side_attr(struct tk_span_batch *batch, const struct tk_attr *attr);

/* Add a resource or a scope without looking for an equal one: readers know which they have seen.
 * Index or UINT32_MAX when full. */
uint32_t tk_span_batch_add_resource(struct tk_span_batch *batch,
                                    const struct tk_span_resource *resource);
uint32_t tk_span_batch_add_scope(struct tk_span_batch *batch, const struct tk_span_scope *scope);

/* Set an element of a column that most spans leave zero: zero is not written over zero, so that a
 * column which no span fills takes no memory. */
static inline void tk_span_set_rare(uint32_t *element, uint32_t value)
{
    if (*element != value)
        *element = value;
}

/* The row is complete: -ENOBUFS when a text did not fit (the row is taken back then). */
TK_MUST_USE int tk_span_batch_end(struct tk_span_batch *batch);

/* Take the row that began last back, with its attributes, events and links, before or after its
 * end; not two in a row. */
void tk_span_batch_remove(struct tk_span_batch *batch);

/* Rows of one batch into another, with their resources and scopes, each once. What `from` holds at
 * the time of tk_span_copy_new() must not change; after a reset of `to` the copy has to forget
 * what is there by tk_span_copy_reset(). */
struct tk_span_copy;
TK_MUST_USE int tk_span_copy_new(struct tk_span_batch *to, const struct tk_span_batch *from,
                                 struct tk_span_copy **ret_copy, struct tk_err *err);

/* Append row `row` of `from`. -ENOBUFS, and nothing is appended. */
TK_MUST_USE int tk_span_copy_row(struct tk_span_copy *copy, size_t row);
void tk_span_copy_reset(struct tk_span_copy *copy);

/* Accepts NULL; both batches stay. */
void tk_span_copy_free(struct tk_span_copy *copy);

/* Reading ------------------------------------------------------------------------------ */

/* The attributes of a row, `*ret_n` of them. */
static inline const struct tk_attr *tk_span_attrs(const struct tk_span_batch *batch, size_t row,
                                                  size_t *ret_n)
{
    uint32_t begin = row > 0 ? batch->attr_ends[row - 1] : 0;
    *ret_n = batch->attr_ends[row] - begin;
    return batch->attrs + begin;
}

/* The events of a row. */
static inline const struct tk_span_event *tk_span_events(const struct tk_span_batch *batch,
                                                         size_t row, size_t *ret_n)
{
    uint32_t begin = row > 0 ? batch->event_ends[row - 1] : 0;
    *ret_n = batch->event_ends[row] - begin;
    return batch->events + begin;
}

/* The links of a row. */
static inline const struct tk_span_link *tk_span_links(const struct tk_span_batch *batch,
                                                       size_t row, size_t *ret_n)
{
    uint32_t begin = row > 0 ? batch->link_ends[row - 1] : 0;
    *ret_n = batch->link_ends[row] - begin;
    return batch->links + begin;
}

/* Index in `resources`. */
static inline uint32_t tk_span_resource_id(const struct tk_span_batch *batch, size_t row)
{
    return batch->scopes[batch->scope_ids[row]].resource;
}

/* The resource of a row. */
static inline const struct tk_span_resource *tk_span_resource_of(const struct tk_span_batch *batch,
                                                                 size_t row)
{
    return &batch->resources[tk_span_resource_id(batch, row)];
}

/* The service of a row; empty when its resource names none. */
static inline tk_str tk_span_service(const struct tk_span_batch *batch, size_t row)
{
    return tk_texts_get(&batch->texts, tk_span_resource_of(batch, row)->service);
}

/* The name of a row. */
static inline tk_str tk_span_name(const struct tk_span_batch *batch, size_t row)
{
    return tk_texts_get(&batch->texts, batch->names[row]);
}

/* Some rows of a batch, in an order of the caller's. */
struct tk_span_rows {
    const struct tk_span_batch *batch;
    const uint32_t *rows; /* [n]; NULL = the first n rows */
    size_t n;
};

/* The row of the batch that is the i-th. */
static inline size_t tk_span_rows_at(const struct tk_span_rows *rows, size_t i)
{
    return rows->rows ? rows->rows[i] : i;
}

#endif
