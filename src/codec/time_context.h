/* SPDX-License-Identifier: Apache-2.0 */
/* One trace as the timing layer sees it: for each span how it lies to its parent (edge), its gap
 * and its duration, and hashes of where it stands, from which contexts are made
 * (trace-compression.md section 10; docs/format-tkz.md, "Timing").
 *
 *     edge         starts                    gap from
 *     SEQUENTIAL   after the sibling before  that one's end    } and lie inside their parent
 *     PARALLEL     anywhere in the parent    the parent's start}
 *     AFTER        in or after the parent    the parent's start, ends after the parent's end
 *     BEFORE       before the parent         back from the parent's start
 *
 * Roots lie in a virtual root that begins with the first of them and never ends; that one has no
 * gap. One thread at a time. */
#ifndef TK_CODEC_TIME_CONTEXT_H
#define TK_CODEC_TIME_CONTEXT_H

#include "codec/forest.h"
#include "codec/levels.h"

/* No node: of a parent the virtual root. */
#define TK_TIME_NONE UINT32_MAX

/* No time is longer in estimates and draws, in ticks. */
#define TK_TIME_MAX ((UINT64_C(1) << 62) - 1)

/* AFTER and BEFORE also tell whether the span is at least as long as its parent. */
enum tk_time_edge {
    TK_TIME_SEQUENTIAL = 0,
    TK_TIME_PARALLEL,
    TK_TIME_AFTER,
    TK_TIME_AFTER_LONGER,
    TK_TIME_BEFORE,
    TK_TIME_BEFORE_LONGER,
    TK_TIME_EDGES
};

enum tk_time_state {
    TK_TIME_ZERO = 0,
    TK_TIME_CELL,  /* in a cell of levels.h */
    TK_TIME_TIGHT, /* a duration that ends with the last child inside */
};

struct tk_time_number {
    uint64_t value; /* exact: of the encoder, and of TIME_REST; ticks */
    uint64_t about; /* what is known of it so far */
    uint16_t cell;  /* fine; its lower bits are those that the decoder knows, else 0 */
    uint8_t state;  /* enum tk_time_state */
};

struct tk_time_node {
    uint32_t parent, previous, next; /* parent and siblings, in the trace */
    uint32_t size;
    uint32_t symbol;
    uint8_t edge;
    uint8_t rank; /* of its duration among those like it, in hundredths; of tables alone */
    struct tk_time_number gap, duration;

    int64_t start; /* since the first root's, once known */
    uint32_t open_below;

    /* What the children that are done take: ends of all, and of those inside, since the start. */
    uint64_t reach, reach_inside;
    uint64_t run; /* from its start to the end of the siblings that follow one another */

    uint64_t kind;    /* hash of symbol, parent's symbol, whether it is the last sibling */
    uint64_t subtree; /* of its subtree's symbols and sizes, and the parent's symbol */
    uint64_t path;    /* of the symbols and positions that lead to it */
    uint64_t place;   /* of the whole trace's subtrees, and its place there */
};

struct tk_time_trace {
    struct tk_time_node *nodes; /* owned */
    uint32_t count, max;
    uint32_t open; /* the innermost tight node that waits for its children; TK_TIME_NONE */
};

/* Two hashes as one: good in all bits. */
static inline uint64_t tk_time_hash(uint64_t a, uint64_t b)
{
    uint64_t x = (a ^ (b + 0x9E3779B97F4A7C15ULL) * 0xC4CEB9FE1A85EC53ULL) * 0xD6E8FEB86659FD93ULL;
    return x ^ x >> 32;
}

/* A sum of times, TK_TIME_MAX at most. */
static inline uint64_t tk_time_sum(uint64_t a, uint64_t b)
{
    uint64_t sum = a + b;
    return sum > TK_TIME_MAX ? TK_TIME_MAX : sum;
}

/* Whether a span lies inside its parent. */
static inline bool tk_time_is_inside(const struct tk_time_node *node)
{
    return node->edge <= TK_TIME_PARALLEL;
}

/* Whether a span may be SEQUENTIAL: the sibling before it lies inside the parent. */
static inline bool tk_time_may_follow(const struct tk_time_trace *trace,
                                      const struct tk_time_node *node)
{
    return node->previous != TK_TIME_NONE && tk_time_is_inside(&trace->nodes[node->previous]);
}

/* The first root: it has no edge and no gap. */
static inline bool tk_time_is_first(const struct tk_time_node *node)
{
    return node->parent == TK_TIME_NONE && node->previous == TK_TIME_NONE;
}

/* Room for the longest trace of a forest. -ENOMEM. */
TK_MUST_USE int tk_time_trace_init(struct tk_time_trace *trace, const struct tk_forest *forest,
                                   struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_time_trace_release(struct tk_time_trace *trace);

/* Links and hashes of a trace; numbers are zero. */
void tk_time_trace_load(struct tk_time_trace *trace, const struct tk_forest *forest, uint32_t t);

/* Edges and numbers of the trace that was loaded, from the forest's times. */
void tk_time_trace_measure(struct tk_time_trace *trace, const struct tk_forest *forest, uint32_t t,
                           const struct tk_levels *levels);

/* Walking forwards, when gaps and durations become known (`value`): tk_time_open() where a tight
 * node begins, tk_time_close() before node `i`, so that the durations of those that ended are
 * known; `count` at last. */
void tk_time_open(struct tk_time_trace *trace, uint32_t i);
void tk_time_close(struct tk_time_trace *trace, uint32_t i);

/* Where the gap of a node counts from. */
static inline int64_t tk_time_origin(const struct tk_time_trace *trace,
                                     const struct tk_time_node *node)
{
    if (node->edge == TK_TIME_SEQUENTIAL && node->previous != TK_TIME_NONE) {
        const struct tk_time_node *previous = &trace->nodes[node->previous];
        return (int64_t)((uint64_t)previous->start + previous->duration.value);
    }
    return node->parent == TK_TIME_NONE ? 0 : trace->nodes[node->parent].start;
}

/* A drawn start: that far behind (or before) an origin, within TK_TIME_MAX of the first root. */
static inline int64_t tk_time_place(int64_t origin, uint64_t gap, bool is_back)
{
    const int64_t most = (int64_t)TK_TIME_MAX;
    int64_t from = origin > most ? most : origin < -most ? -most : origin;
    int64_t by = (int64_t)(gap > TK_TIME_MAX ? TK_TIME_MAX : gap);
    int64_t start = is_back ? from - by : from + by;
    return start > most ? most : start < -most ? -most : start;
}

/* Starts and durations of the trace into the forest, once all are known. */
void tk_time_trace_store(const struct tk_time_trace *trace, struct tk_forest *forest, uint32_t t);

/* Forget what children take, before nodes are walked from the last to the first. */
void tk_time_trace_rewind(struct tk_time_trace *trace);

/* Add a node whose `about`s are known to what its parent's children take. Those behind it are
 * there. */
static inline void tk_time_add(struct tk_time_trace *trace, struct tk_time_node *node)
{
    node->run = node->duration.about;
    if (node->next != TK_TIME_NONE && trace->nodes[node->next].edge == TK_TIME_SEQUENTIAL) {
        const struct tk_time_node *next = &trace->nodes[node->next];
        node->run = tk_time_sum(node->run, tk_time_sum(next->gap.about, next->run));
    }
    if (node->parent == TK_TIME_NONE || node->edge == TK_TIME_SEQUENTIAL)
        return;
    struct tk_time_node *parent = &trace->nodes[node->parent];
    uint64_t end = node->edge < TK_TIME_BEFORE   ? tk_time_sum(node->gap.about, node->run)
                   : node->run > node->gap.about ? node->run - node->gap.about
                                                 : 0;
    if (end > parent->reach)
        parent->reach = end;
    if (tk_time_is_inside(node) && end > parent->reach_inside)
        parent->reach_inside = end;
}

#endif
