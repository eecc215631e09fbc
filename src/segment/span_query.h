/* SPDX-License-Identifier: Apache-2.0 */
/* Which spans somebody asks for. Used by the command line, the Jaeger and Zipkin APIs and metrics
 * alike. A query is plain data; everything borrowed. */
#ifndef TK_SEGMENT_SPAN_QUERY_H
#define TK_SEGMENT_SPAN_QUERY_H

#include <regex.h>
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
    TK_ATTR_MATCHES,     /* the text that people see is what the pattern describes, all of it */
    TK_ATTR_NOT_MATCHES, /* there, and it does not */
};

/* What is tested: an attribute of the span, or else of its resource; or its name or service, of
 * which numbers are not asked. */
enum tk_condition_field { TK_CONDITION_ATTR = 0, TK_CONDITION_NAME, TK_CONDITION_SERVICE };

struct tk_attr_condition {
    tk_str key; /* of an attribute */
    tk_str value;
    const regex_t *pattern; /* of MATCHES, NOT_MATCHES; anchored at both ends */
    enum tk_attr_test test;
    enum tk_condition_field field;
};

/* Whether a text, that of a name or a service, is as the condition says. */
bool tk_attr_condition_holds(const struct tk_attr_condition *condition, tk_str text);

/* Zero or NULL everywhere = all spans. All conditions must hold. */
struct tk_span_query {
    tk_str service; /* p == NULL = any, likewise below */
    tk_str name;
    int64_t from_ns; /* spans that start in [from_ns, to_ns); 0 = without that bound, each */
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

    /* Or what another one asks for; NULL = none. tk_segment_set_find() and _matches_any() do. */
    const struct tk_span_query *otherwise;
};

/* The earliest start that is asked for: spans may be from before 1970, too. */
static inline int64_t tk_span_query_from_ns(const struct tk_span_query *query)
{
    return query->from_ns != 0 ? query->from_ns : INT64_MIN;
}

/* Read "KEY=VALUE", "KEY!=VALUE", "KEY>N", "KEY>=N", "KEY<N", "KEY<=N" or "KEY". Views of the text;
 * -EINVAL. */
TK_MUST_USE int tk_attr_condition_parse(tk_str text, struct tk_attr_condition *ret,
                                        struct tk_err *err);

/* Whether a row of a batch is asked for. */
bool tk_span_query_matches(const struct tk_span_query *query, const struct tk_span_batch *batch,
                           size_t row);

/* Likewise, of the query or one of those behind `otherwise`. */
bool tk_span_query_matches_any(const struct tk_span_query *query, const struct tk_span_batch *batch,
                               size_t row);

#endif
