/* SPDX-License-Identifier: Apache-2.0 */
/* A set of whole traces as the measures read it: one row a span, by column, texts by number
 * (trace-fidelity.md section 2). Rows are grouped by trace, traces stand by their first start (then
 * their id), rows of a trace by start (then span id, as its bytes are):
 *
 *     trace t   rows [trace_ends[t - 1], trace_ends[t])     (of trace 0: from 0)
 *     row r     parents[r]: the row of its parent, or TK_ROW_TOP
 *
 * so that a join over traces or edges is a walk, never a product. The table is made once by
 * tk_span_table_new() and only read then: safe from any number of threads. */
#ifndef TK_FIDELITY_SPAN_TABLE_H
#define TK_FIDELITY_SPAN_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "span/projection.h"
#include "span/span_source.h"
#include "span/texts.h"

#define TK_ROW_TOP UINT32_MAX /* no parent in the trace: a root or an orphan */

struct tk_span_table {
    uint32_t rows;
    uint32_t traces;

    /* [traces] */
    uint32_t *trace_ends;
    uint8_t (*trace_ids)[16];
    double *weights; /* 1 / probability with which a sampler kept it; 1 of whole sets */

    /* [rows], as the const table of columns in span_table.c has them */
    uint64_t *span_ids; /* once in a trace: halves of a call that share one get two */
    uint32_t *parents;  /* rows */
    uint32_t *services;
    uint32_t *operations;
    uint32_t *methods;    /* HTTP method; 0 = none */
    uint16_t *http_codes; /* HTTP status code; 0 = none */
    uint8_t *kinds;
    uint8_t *statuses; /* enum tk_span_status */
    uint8_t *issues;   /* 1 = the status column of Gen-T: an error by the rule of 15.5.4 */
    uint8_t *orphans;  /* 1 = names a parent that is not there */
    int64_t *start_ns;
    int64_t *duration_ns;
    uint32_t *str_features[TK_STR_FEATURES];
    int64_t *int_features[TK_INT_FEATURES];

    int64_t unit_ns; /* of the source's clock as compat queries see it: 1000 of Jaeger and OTLP,
                        1,000,000 of Gen-T's data sets in ms */
    struct tk_texts texts;

    /* What was mended on the way in. */
    uint64_t duplicates; /* rows of a trace with the id and kind of an earlier one: left out */
    uint64_t cycles;     /* parents cut, before the span of the cycle that starts first */
    uint64_t edgeless;   /* traces left out */
};

struct tk_span_table_options {
    int64_t unit_ns;    /* 0 = 1000 */
    bool drop_edgeless; /* leave traces without an edge out, as Gen-T's loader does */
};

/* Read all spans of a source, which may come in any order: some 100 bytes of memory a span.
 * -ENOMEM, -EMSGSIZE above UINT32_MAX - 1 rows, or what the source fails with. */
TK_MUST_USE int tk_span_table_new(struct tk_span_source source,
                                  const struct tk_span_table_options *options,
                                  struct tk_span_table **ret_table, struct tk_err *err);

/* Accepts NULL. */
void tk_span_table_free(struct tk_span_table *table);

/* For TK_CLEANUP. */
void tk_span_table_freep(struct tk_span_table **table);

/* Bring traces and rows into order again, after a caller who owns the table has changed starts or
 * ids: controls, generators. -ENOMEM. */
TK_MUST_USE int tk_span_table_sort(struct tk_span_table *table, struct tk_err *err);

/* Rows of the trace that has most; 0 of an empty table. */
uint32_t tk_span_table_longest(const struct tk_span_table *table);

/* The first row of a trace. */
static inline uint32_t tk_span_table_begin(const struct tk_span_table *table, uint32_t trace)
{
    return trace > 0 ? table->trace_ends[trace - 1] : 0;
}

/* A table of the given traces of another, each as often and with the weight that is named, in the
 * order in which they start: samplers, halves. `from` may be freed afterwards. */
struct tk_trace_pick {
    uint32_t trace;
    double weight;
};
TK_MUST_USE int tk_span_table_pick(const struct tk_span_table *from,
                                   const struct tk_trace_pick *picks, size_t count,
                                   struct tk_span_table **ret_table, struct tk_err *err);

/* Whether a row is an entry: has no parent in its trace. */
static inline bool tk_span_table_is_top(const struct tk_span_table *table, uint32_t row)
{
    return table->parents[row] == TK_ROW_TOP;
}

#endif
