/* SPDX-License-Identifier: Apache-2.0 */
/* Spans in columns after OTel-Arrow (OTAP): a star of tables, spans sorted by trace and start,
 * texts in one dictionary, attributes in tables of their own that name their parents by number, and
 * a zstd-19 frame a column. Ids are as they are. Unlike OTAP it keeps the order of attributes,
 * which Gen-T's features depend on.
 *
 *     head (whole_spans.h)   varint batches   (varint length, columns as in pack.h)...
 *
 * An attribute table is sorted by key, type, value and parent; numbers of parents and values are
 * differences to the row before, so that what is equal costs next to nothing. */
#ifndef TK_FIDELITY_BASELINE_OTAP_INTERNAL_H
#define TK_FIDELITY_BASELINE_OTAP_INTERNAL_H

#include "fidelity/baselines.h"

#define TK_OTAP_ROWS ((size_t)1 << 16) /* most spans of a batch */

/* What attributes belong to; each has a table of them. */
enum tk_otap_holder {
    TK_OTAP_OF_SPANS,
    TK_OTAP_OF_EVENTS,
    TK_OTAP_OF_LINKS,
    TK_OTAP_OF_RESOURCES,
    TK_OTAP_OF_SCOPES,
    TK_OTAP_HOLDERS
};

/* Columns of an attribute table. */
enum tk_otap_attr_column {
    TK_OTAP_PARENTS,
    TK_OTAP_PLACES, /* among those of the parent */
    TK_OTAP_KEYS,
    TK_OTAP_TYPES,
    TK_OTAP_VALUES,  /* texts and whole numbers; nothing of empty values and doubles */
    TK_OTAP_DOUBLES, /* 8 bytes */
    TK_OTAP_ATTR_COLUMNS
};

enum tk_otap_column {
    TK_OTAP_COUNTS, /* attributes by holder; then spans, texts, resources, scopes, events, links */
    TK_OTAP_TEXT_SIZES,
    TK_OTAP_TEXTS,
    TK_OTAP_TRACE_IDS,  /* 16 bytes */
    TK_OTAP_SPAN_IDS,   /* 8 bytes */
    TK_OTAP_PARENT_IDS, /* 8 bytes; 0 = none */
    TK_OTAP_STARTS,     /* since the row before, or since the first row of the trace before */
    TK_OTAP_DURATIONS,
    TK_OTAP_NAMES,
    TK_OTAP_SCOPES,
    TK_OTAP_KINDS,
    TK_OTAP_STATUSES,
    TK_OTAP_MESSAGES,
    TK_OTAP_STATES,
    TK_OTAP_FLAGS,
    TK_OTAP_DROPPED,      /* attributes, events, links */
    TK_OTAP_EVENT_COUNTS, /* of a span */
    TK_OTAP_LINK_COUNTS,
    TK_OTAP_EVENT_TIMES, /* since the span's start */
    TK_OTAP_EVENT_NAMES,
    TK_OTAP_EVENT_DROPPED,
    TK_OTAP_LINK_TRACES, /* 16 bytes */
    TK_OTAP_LINK_SPANS,  /* 8 bytes */
    TK_OTAP_LINK_STATES,
    TK_OTAP_LINK_FLAGS,
    TK_OTAP_LINK_DROPPED,
    TK_OTAP_RESOURCE_ROWS, /* service, schema, entities, dropped attributes */
    TK_OTAP_SCOPE_ROWS,    /* resource, name, version, schema, dropped attributes */
    TK_OTAP_ATTRS,         /* an attribute table for each holder */
    TK_OTAP_COLUMNS = TK_OTAP_ATTRS + TK_OTAP_HOLDERS * TK_OTAP_ATTR_COLUMNS
};

static inline int tk_otap_attr_column(int holder, int column)
{
    return TK_OTAP_ATTRS + holder * TK_OTAP_ATTR_COLUMNS + column;
}

/* The spans of a file, by batch; the file stays the caller's. -EBADMSG, -ENOMEM. */
struct tk_otap_reader;
TK_MUST_USE int tk_otap_reader_new(tk_str file, struct tk_otap_reader **ret_reader,
                                   struct tk_err *err);

/* Accepts NULL. */
void tk_otap_reader_free(struct tk_otap_reader *reader);

/* Valid until the reader is freed. */
struct tk_span_source tk_otap_reader_source(struct tk_otap_reader *reader);

/* The member of struct tk_baseline. */
TK_MUST_USE int tk_otap_decode(tk_str file, uint64_t seed, struct tk_span_table **ret_table,
                               struct tk_err *err);

#endif
