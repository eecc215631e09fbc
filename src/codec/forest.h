/* SPDX-License-Identifier: Apache-2.0 */
/* A block of whole traces as trees of numbered symbols: what all layers of the codec code and
 * decode. The encoder builds it from a batch of spans (forest_build.h), the decoder layer by layer.
 *
 *     traces      by start time, then trace id
 *     nodes       trace by trace, a parent before its children (preorder)
 *     of trace t  [trace_ends[t - 1], trace_ends[t])   (of trace 0: from 0)
 *     below i     [i + 1, i + sizes[i])
 *     children    for (k = i + 1; k < i + sizes[i]; k += sizes[k]), by start, symbol, duration, id
 *     symbols     by the texts of service and operation, then the other fields
 *
 * Several roots and orphans of a trace stand one after the other, as children of a virtual root
 * that has no node. Times are ticks of the block's clock. One thread at a time. */
#ifndef TK_CODEC_FOREST_H
#define TK_CODEC_FOREST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "base/err.h"
#include "span/span_batch.h"

#define TK_FOREST_MAX_NODES  ((uint32_t)1 << 20) /* of a block */
#define TK_FOREST_MAX_TRACES ((uint32_t)1 << 20)

/* What a span is, but for its times, ids and attributes (trace-compression.md section 6). */
struct tk_symbol {
    uint32_t service; /* texts of the dictionary */
    uint32_t operation;
    uint8_t kind;       /* enum tk_span_kind */
    uint8_t status;     /* enum tk_span_status */
    uint8_t code_class; /* of HTTP: 1 to 5; of gRPC: 8 + (code is not 0); 0 = none */
    uint8_t orphan;     /* 1 = names a parent but hangs below none: it is not in the trace, or would
                           have been below itself */
};

struct tk_forest {
    struct tk_texts dictionary; /* texts of symbols and attributes, each once */

    struct tk_symbol *symbols;
    uint32_t symbol_count;

    int64_t tick_ns;   /* 1, 1000 or 1000000 */
    int64_t origin_ns; /* start of the first trace; starts count from here */

    uint32_t trace_count;
    uint32_t *trace_ends;  /* [trace_count] */
    int64_t *trace_starts; /* [trace_count] ticks since the origin: earliest start of its spans */

    uint32_t node_count;
    uint32_t *node_symbols; /* [node_count] */
    uint32_t *sizes;        /* nodes of the subtree, this one among them */
    int64_t *starts;        /* ticks since the start of the trace, 0 or more */
    int64_t *durations;     /* ticks, 0 or more */
    uint32_t *rows;         /* encoder: in the batch; decoder: unused */

    /* What building met (section 4.3), in spans. Of spans with the same id and kind the one that
     * starts first is kept; a client's and a server's span may share an id, then the server's is
     * the child. */
    uint64_t orphans;            /* whose parent is not in the trace */
    uint64_t cycles;             /* cut off from what they would be above of */
    uint64_t duplicates;         /* left out */
    uint64_t unequal_duplicates; /* of those: with other times, symbol or parent */

    struct tk_arena memory; /* all arrays */
};

/* An empty forest with room for so many, within the limits above. -ENOMEM. Release it also after a
 * failure. */
TK_MUST_USE int tk_forest_init(struct tk_forest *forest, uint32_t max_traces, uint32_t max_nodes,
                               struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_forest_release(struct tk_forest *forest);

/* Build the forest of the rows of a batch, which are whole traces in any order: groups, links,
 * sorts and numbers them, finds the clock (1 ns, us or ms: the coarsest in which all starts and
 * ends are whole). A zeroed struct, or a forest that is given up for the new one; release it also
 * after a failure. The batch must stay as it is while `rows` are used. -EMSGSIZE over the limits,
 * -EBADMSG with the span for times that no int64 of ticks holds, -ENOMEM. */
TK_MUST_USE int tk_forest_build(struct tk_forest *forest, const struct tk_span_rows *rows,
                                struct tk_err *err);

/* The same, where nothing may stay that is of a few spans alone: names of services and operations
 * that fewer than `min_count` of the rows have become empty. */
TK_MUST_USE int tk_forest_build_common(struct tk_forest *forest, const struct tk_span_rows *rows,
                                       uint32_t min_count, struct tk_err *err);

/* The first node of a trace. */
static inline uint32_t tk_forest_begin(const struct tk_forest *forest, uint32_t trace)
{
    return trace > 0 ? forest->trace_ends[trace - 1] : 0;
}

/* The parent of each node by index in the forest, TK_FOREST_TOP for children of the virtual root;
 * `ret_parents` has room for node_count. */
#define TK_FOREST_TOP UINT32_MAX
void tk_forest_parents(const struct tk_forest *forest, uint32_t *ret_parents);

#endif
