/* SPDX-License-Identifier: Apache-2.0 */
/* Whether two sources have the same spans, field by field, in whatever order (trace-compression.md
 * section 13.3): each span is known by its trace, its id and its kind, and by a hash of each field,
 * 64 bytes a span. One thread at a time. */
#ifndef TK_CODEC_EXACT_COMPARE_H
#define TK_CODEC_EXACT_COMPARE_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "span/span_batch.h"

enum tk_span_field {
    TK_FIELD_PARENT = 0,
    TK_FIELD_TIMES,
    TK_FIELD_NAME, /* and status */
    TK_FIELD_MESSAGE,
    TK_FIELD_STATE, /* trace state, flags, dropped counts */
    TK_FIELD_ATTRS,
    TK_FIELD_EVENTS,
    TK_FIELD_LINKS,
    TK_FIELD_RESOURCE,
    TK_FIELD_SCOPE,
    TK_FIELD_COUNT
};

/* "parent", "times", ... */
extern const char *const tk_span_field_names[TK_FIELD_COUNT];

/* Spans of one side. */
struct tk_span_prints {
    struct tk_buf items;
    uint64_t count;
    struct tk_buf scratch;
};

/* At most `max_spans`. */
void tk_span_prints_init(struct tk_span_prints *prints, uint64_t max_spans);

/* Accepts a zeroed struct. */
void tk_span_prints_release(struct tk_span_prints *prints);

/* Add rows. -ENOMEM, -EMSGSIZE. */
TK_MUST_USE int tk_span_prints_add(struct tk_span_prints *prints, const struct tk_span_rows *rows,
                                   struct tk_err *err);

struct tk_span_difference {
    uint64_t equal;  /* spans */
    uint64_t only_a; /* that B lacks */
    uint64_t only_b;
    uint64_t unequal;                /* on both sides, with different fields */
    uint64_t fields[TK_FIELD_COUNT]; /* spans of those that differ in it */
    uint8_t trace_id[16];            /* of the first that is not equal; zero when all are */
    uint64_t span_id;                /* as the column of a batch */
    bool has_first;
};

/* Compare; both sides are sorted by it. A span that stands there several times is compared with as
 * many. */
void tk_span_prints_compare(struct tk_span_prints *a, struct tk_span_prints *b,
                            struct tk_span_difference *ret_difference);

#endif
