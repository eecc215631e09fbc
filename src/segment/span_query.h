/* SPDX-License-Identifier: Apache-2.0 */
/* Which spans somebody asks for. Used by the command line, the Jaeger and Zipkin APIs and metrics
 * alike. A query is plain data; everything borrowed. */
#ifndef TK_SEGMENT_SPAN_QUERY_H
#define TK_SEGMENT_SPAN_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "span/span_batch.h"

enum tk_attr_test {
    TK_ATTR_EQUAL = 0, /* by the text that people see (any_value.h) */
    TK_ATTR_NOT_EQUAL, /* there, and another */
    TK_ATTR_EXISTS,
    TK_ATTR_ABOVE, /* numbers; texts that are numbers, too */
    TK_ATTR_BELOW,
    TK_ATTR_AT_LEAST,
    TK_ATTR_AT_MOST,
};

/* Of the span, or else of its resource. */
struct tk_attr_condition {
    tk_str key;
    enum tk_attr_test test;
    tk_str value;
};

/* Zero or NULL everywhere = all spans. All conditions must hold. */
struct tk_span_query {
    tk_str service; /* p == NULL = any, likewise below */
    tk_str name;
    int64_t from_ns; /* spans that start in [from_ns, to_ns); to_ns 0 = no end */
    int64_t to_ns;
    int64_t min_duration_ns;
    int64_t max_duration_ns; /* 0 = none */
    uint32_t kinds;          /* bit k = kind k; 0 = any */
    uint32_t statuses;       /* bit s; 0 = any */
    const struct tk_attr_condition *conditions;
    size_t condition_count;
    const uint8_t (*trace_ids)[16]; /* of these traces only */
    size_t trace_id_count;
    uint8_t trace_prefix[16];   /* whose ids begin with so many hexadecimal digits of this */
    size_t trace_prefix_digits; /* 0..32 */
    bool roots;                 /* only spans without a parent */
};

/* Read "KEY=VALUE", "KEY!=VALUE", "KEY>N", "KEY>=N", "KEY<N", "KEY<=N" or "KEY". Views of the text;
 * -EINVAL. */
TK_MUST_USE int tk_attr_condition_parse(tk_str text, struct tk_attr_condition *ret,
                                        struct tk_err *err);

/* Whether a row of a batch is asked for. */
bool tk_span_query_matches(const struct tk_span_query *query, const struct tk_span_batch *batch,
                           size_t row);

#endif
