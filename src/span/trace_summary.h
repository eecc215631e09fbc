/* SPDX-License-Identifier: Apache-2.0 */
/* A trace in a line: for lists of traces. */
#ifndef TK_SPAN_TRACE_SUMMARY_H
#define TK_SPAN_TRACE_SUMMARY_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "base/err.h"
#include "span/span_batch.h"

struct tk_trace_service {
    uint32_t service; /* text of the batch */
    uint32_t spans;
    uint32_t errors;
};

struct tk_trace_summary {
    uint32_t root; /* row: of the spans without a parent the first to start, else of all */
    uint32_t spans;
    uint32_t errors;
    uint32_t orphans;                  /* name a parent that is not among the rows */
    int64_t start_ns;                  /* of the first to start */
    int64_t end_ns;                    /* of the last to end */
    struct tk_trace_service *services; /* in the arena, in the order of the rows */
    size_t service_count;
};

/* Sum up the rows of one trace, at least one. -ENOMEM. */
TK_MUST_USE int tk_trace_summary_read(const struct tk_span_rows *rows, struct tk_arena *memory,
                                      struct tk_trace_summary *ret, struct tk_err *err);

/* The row at place `i`. */
static inline uint32_t tk_span_row(const struct tk_span_rows *rows, size_t i)
{
    return rows->rows ? rows->rows[i] : (uint32_t)i;
}

#endif
