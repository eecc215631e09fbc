/* SPDX-License-Identifier: Apache-2.0 */
/* Spans as Parquet columns, both ways without loss (docs/format-spans.md): a row per span, its own
 * column for each attribute that many spans carry, a map for the rest.
 *
 * A file is written from one batch and has one row group. Rows of one trace stand together, traces
 * in the order in which they came: that makes ids small and a trace one place in the file. */
#ifndef TK_SEGMENT_COLUMNS_H
#define TK_SEGMENT_COLUMNS_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "span/span_batch.h"
#include "table/parquet.h"

/* Columns that every file has, in this order; promoted attributes follow. */
enum tk_column {
    TK_COLUMN_TRACE_ID = 0,
    TK_COLUMN_SPAN_ID,
    TK_COLUMN_PARENT_SPAN_ID,
    TK_COLUMN_SERVICE,
    TK_COLUMN_NAME,
    TK_COLUMN_KIND,
    TK_COLUMN_STATUS,
    TK_COLUMN_STATUS_MESSAGE,
    TK_COLUMN_START_US,
    TK_COLUMN_START_NS,
    TK_COLUMN_DURATION_NS,
    TK_COLUMN_TRACE_STATE,
    TK_COLUMN_FLAGS,
    TK_COLUMN_SCOPE_NAME,
    TK_COLUMN_SCOPE_VERSION,
    TK_COLUMN_RESOURCE,
    TK_COLUMN_RESOURCE_MORE,
    TK_COLUMN_SCOPE_MORE,
    TK_COLUMN_DROPPED_ATTRS,
    TK_COLUMN_DROPPED_EVENTS,
    TK_COLUMN_DROPPED_LINKS,
    TK_COLUMN_LAYOUT,
    TK_COLUMN_ATTRS_KEY,
    TK_COLUMN_ATTRS_VALUE,
    TK_COLUMN_EVENT_TIME_NS,
    TK_COLUMN_EVENT_NAME,
    TK_COLUMN_EVENT_KEY,
    TK_COLUMN_EVENT_VALUE,
    TK_COLUMN_EVENT_TYPES,
    TK_COLUMN_EVENT_DROPPED,
    TK_COLUMN_LINK_TRACE_ID,
    TK_COLUMN_LINK_SPAN_ID,
    TK_COLUMN_LINK_TRACE_STATE,
    TK_COLUMN_LINK_FLAGS,
    TK_COLUMN_LINK_KEY,
    TK_COLUMN_LINK_VALUE,
    TK_COLUMN_LINK_TYPES,
    TK_COLUMN_LINK_DROPPED,
    TK_COLUMN_COUNT
};

/* The nodes of these columns; groups among them. */
extern const struct tk_parquet_node tk_column_nodes[];
extern const size_t tk_column_node_count;

/* Path of each column, "attrs.key_value.key". */
extern const char *const tk_column_paths[TK_COLUMN_COUNT];

/* Texts of kinds and statuses, by number. */
extern const tk_str tk_kind_texts[TK_SPAN_KIND_COUNT];
extern const tk_str tk_status_texts[TK_SPAN_STATUS_COUNT];

/* Keys of the file's metadata. */
#define TK_SEGMENT_PAIR            "tracekit.spans"
#define TK_SEGMENT_ATTRS_PAIR      "tracekit.attributes"
#define TK_SEGMENT_RESOURCES_PAIR  "tracekit.resource_attributes"
#define TK_SEGMENT_OPERATIONS_PAIR "tracekit.operations"

#define TK_SEGMENT_VERSION        1
#define TK_SEGMENT_PAGE_ROWS      16384
#define TK_SEGMENT_OPERATIONS_MAX 4096 /* more are not listed, but counted from the columns */
#define TK_PROMOTED_MAX           256  /* columns of attributes, and as many of resources */
#define TK_PROMOTED_SHARE         20   /* one of so many spans carries the key */

/* What a file says of itself under TK_SEGMENT_PAIR. */
struct tk_segment_summary {
    uint64_t spans;
    int64_t first_ns, last_ns;
    const uint32_t *replaces;
    size_t replace_count;
};

/* {"version":1,"spans":12,"first_ns":...,"last_ns":...,"replaces":[3,4]} */
void tk_segment_summary_put(const struct tk_segment_summary *summary, struct tk_buf *out);

/* Memory that writing takes, kept from one file to the next: pages that are touched already cost
 * nothing. Zeroed at first. */
struct tk_columns_memory {
    struct tk_arena plan;    /* what lives as long as a file is written */
    struct tk_arena scratch; /* of one group of columns */
    struct tk_texts made;    /* numbers and structures as text */
};

/* Give it back; it may be used again. */
void tk_columns_memory_release(struct tk_columns_memory *memory);

struct tk_columns_opts {
    int level;                /* of zstd; 0 = 3 */
    const uint32_t *replaces; /* numbers of segments whose rows these are */
    size_t replace_count;
    struct tk_columns_memory *memory; /* for one writer at a time; NULL = of its own */
};

/* Write all rows of a batch, at least one, as a file to the sink. */
TK_MUST_USE int tk_columns_write(const struct tk_span_batch *batch,
                                 const struct tk_columns_opts *opts,
                                 const struct tk_parquet_sink *sink, struct tk_err *err);

#endif
