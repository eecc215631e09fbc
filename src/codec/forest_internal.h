/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that build a forest of the rows of a batch. */
#ifndef TK_CODEC_FOREST_INTERNAL_H
#define TK_CODEC_FOREST_INTERNAL_H

#include "codec/forest.h"

#define TK_FOREST_NONE UINT32_MAX

/* What is sorted: a span of a trace (index = its row), or a trace (index = its number). */
struct tk_forest_item {
    int64_t start_ns;
    uint32_t symbol;
    uint32_t index;
};

/* Whether `a` stands before `b` where start and symbol are equal. */
typedef bool tk_forest_tie(const void *context, uint32_t a, uint32_t b);

/* Sort by start, then symbol, then `tie`; equal items keep their order. `spare` is room for all. */
void tk_forest_items_sort(struct tk_forest_item *items, size_t n, struct tk_forest_item *spare,
                          tk_forest_tie *tie, const void *context);

/* The different symbols of rows, none of them an orphan's, by their texts; `service` and
 * `operation` are texts of the batch. */
struct tk_forest_names {
    const struct tk_span_batch *batch;
    uint32_t min_count; /* names that fewer rows have are empty; 0 = all stay */
    uint32_t *of_rows;  /* [n] the symbol of the i-th row */
    struct tk_symbol *symbols;
    uint32_t count;
};

/* Find them, with min_count set by the caller; all arrays are taken from `scratch`. -ENOMEM. */
TK_MUST_USE int tk_forest_names_init(struct tk_forest_names *names, const struct tk_span_rows *rows,
                                     struct tk_arena *scratch, struct tk_err *err);

/* The spans of the trace at hand, by (start, symbol, duration, id), and their tree. Arrays have
 * room for the largest trace. */
struct tk_forest_trace {
    const struct tk_span_batch *batch;
    struct tk_forest_item *items, *spare;
    uint32_t n;
    uint32_t *parents;  /* item; TK_FOREST_NONE = below the virtual root */
    uint32_t *children; /* the first child, in the order of items */
    uint32_t *siblings; /* the next one */
    uint32_t *holders;  /* of the first item of an id: whose children name it */
    uint32_t *twins;    /* the next item of the same id */
    uint8_t *is_orphan; /* names a parent that it does not hang below */
    uint32_t *slots;    /* span id -> first item of that id + 1 */
    uint64_t seed;      /* of the hash of ids */
    uint32_t top;       /* the first item below the virtual root */
    uint64_t orphans;   /* counts over all traces */
    uint64_t cycles;
    uint64_t duplicates;
    uint64_t unequal_duplicates;
};

/* Room for traces of at most `max` spans. -ENOMEM. */
TK_MUST_USE int tk_forest_trace_init(struct tk_forest_trace *trace, uint32_t max,
                                     struct tk_arena *scratch, struct tk_err *err);

/* Sort the first `n` items, leave duplicates out, link the others. */
void tk_forest_trace_link(struct tk_forest_trace *trace, uint32_t n);

#endif
