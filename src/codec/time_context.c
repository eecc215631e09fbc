/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/time_context.h"

#include <errno.h>
#include <stdlib.h>

#define ROOT_SYMBOL UINT32_MAX

int tk_time_trace_init(struct tk_time_trace *trace, const struct tk_forest *forest,
                       struct tk_err *err)
{
    *trace = (struct tk_time_trace){.max = 1};
    for (uint32_t t = 0; t < forest->trace_count; t++) {
        uint32_t count = forest->trace_ends[t] - tk_forest_begin(forest, t);
        trace->max = count > trace->max ? count : trace->max;
    }
    trace->nodes = calloc(trace->max, sizeof(*trace->nodes));
    if (!trace->nodes)
        return tk_fail(err, -ENOMEM, "timing: out of memory");
    return 0;
}

void tk_time_trace_release(struct tk_time_trace *trace)
{
    free(trace->nodes);
    *trace = (struct tk_time_trace){0};
}

/* Link the children in [begin, end) of a node, and hash the way to them. */
static void link_children(struct tk_time_trace *trace, uint32_t parent, uint32_t begin,
                          uint32_t end)
{
    uint32_t previous = TK_TIME_NONE;
    uint64_t position = 0;
    uint32_t symbol = parent == TK_TIME_NONE ? ROOT_SYMBOL : trace->nodes[parent].symbol;
    uint64_t path = parent == TK_TIME_NONE ? 0 : trace->nodes[parent].path;
    for (uint32_t i = begin; i < end; i += trace->nodes[i].size) {
        struct tk_time_node *node = &trace->nodes[i];
        node->parent = parent;
        node->previous = previous;
        node->next = i + node->size < end ? i + node->size : TK_TIME_NONE;
        bool is_last = node->next == TK_TIME_NONE;
        node->kind = tk_time_hash((uint64_t)symbol << 32 | node->symbol, is_last);
        node->path = tk_time_hash(path + node->symbol, position++);
        previous = i;
    }
}

/* Subtrees from below; then what is above and around each node is hashed in. */
static void hash_subtrees(struct tk_time_trace *trace)
{
    uint64_t whole = 0;
    for (uint32_t i = trace->count; i-- > 0;) {
        struct tk_time_node *node = &trace->nodes[i];
        node->subtree = tk_time_hash(node->subtree, (uint64_t)node->size << 32 | node->symbol);
        if (node->parent == TK_TIME_NONE) {
            whole = tk_time_hash(whole, node->subtree);
        } else {
            struct tk_time_node *parent = &trace->nodes[node->parent];
            parent->subtree = tk_time_hash(parent->subtree, node->subtree);
        }
    }
    for (uint32_t i = 0; i < trace->count; i++) {
        struct tk_time_node *node = &trace->nodes[i];
        node->subtree = tk_time_hash(node->subtree, node->kind);
        node->place = tk_time_hash(whole, i);
    }
}

void tk_time_trace_load(struct tk_time_trace *trace, const struct tk_forest *forest, uint32_t t)
{
    uint32_t begin = tk_forest_begin(forest, t);
    trace->count = forest->trace_ends[t] - begin;
    trace->open = TK_TIME_NONE;
    for (uint32_t i = 0; i < trace->count; i++) {
        trace->nodes[i] = (struct tk_time_node){.size = forest->sizes[begin + i],
                                                .symbol = forest->node_symbols[begin + i],
                                                .edge = TK_TIME_PARALLEL};
    }
    link_children(trace, TK_TIME_NONE, 0, trace->count);
    for (uint32_t i = 0; i < trace->count; i++)
        link_children(trace, i, i + 1, i + trace->nodes[i].size);
    hash_subtrees(trace);
}

static void set_number(struct tk_time_number *number, uint64_t value,
                       const struct tk_levels *levels)
{
    *number = (struct tk_time_number){.value = value, .state = TK_TIME_ZERO};
    if (value > 0) {
        number->state = TK_TIME_CELL;
        number->cell = (uint16_t)tk_levels_find(levels, value);
    }
}

/* How a span from `start` to `end` lies to its parent, which is as long as `parent_duration`. */
static uint64_t find_edge(const struct tk_time_trace *trace, struct tk_time_node *node,
                          int64_t start, int64_t previous_end, int64_t parent_duration)
{
    int64_t duration = (int64_t)node->duration.value;
    bool is_longer = duration >= parent_duration;
    if (start < 0) {
        node->edge = is_longer ? TK_TIME_BEFORE_LONGER : TK_TIME_BEFORE;
        return (uint64_t)-start;
    }
    if (start > parent_duration - duration) {
        node->edge = is_longer ? TK_TIME_AFTER_LONGER : TK_TIME_AFTER;
        return (uint64_t)start;
    }
    if (tk_time_may_follow(trace, node) && start >= previous_end) {
        node->edge = TK_TIME_SEQUENTIAL;
        return (uint64_t)(start - previous_end);
    }
    node->edge = TK_TIME_PARALLEL;
    return (uint64_t)start;
}

/* Of durations whether they end with the last child inside, from the last to the first. */
static void find_tight(struct tk_time_trace *trace)
{
    tk_time_trace_rewind(trace);
    for (uint32_t i = trace->count; i-- > 0;) {
        struct tk_time_node *node = &trace->nodes[i];
        node->gap.about = node->gap.value;
        node->duration.about = node->duration.value;
        if (node->duration.value > 0 && node->reach_inside == node->duration.value)
            node->duration.state = TK_TIME_TIGHT;
        tk_time_add(trace, node);
    }
}

void tk_time_trace_measure(struct tk_time_trace *trace, const struct tk_forest *forest, uint32_t t,
                           const struct tk_levels *levels)
{
    const int64_t *starts = forest->starts + tk_forest_begin(forest, t);
    const int64_t *durations = forest->durations + tk_forest_begin(forest, t);
    for (uint32_t i = 0; i < trace->count; i++) {
        struct tk_time_node *node = &trace->nodes[i];
        set_number(&node->duration, (uint64_t)durations[i], levels);
        if (tk_time_is_first(node))
            continue;
        bool is_root = node->parent == TK_TIME_NONE;
        int64_t origin = starts[is_root ? 0 : node->parent];
        int64_t length = is_root ? INT64_MAX : durations[node->parent];
        uint32_t previous = node->previous;
        int64_t end =
            previous == TK_TIME_NONE ? 0 : starts[previous] + durations[previous] - origin;
        set_number(&node->gap, find_edge(trace, node, starts[i] - origin, end, length), levels);
    }
    find_tight(trace);
}

void tk_time_trace_rewind(struct tk_time_trace *trace)
{
    for (uint32_t i = 0; i < trace->count; i++) {
        trace->nodes[i].reach = 0;
        trace->nodes[i].reach_inside = 0;
    }
}

void tk_time_open(struct tk_time_trace *trace, uint32_t i)
{
    trace->nodes[i].open_below = trace->open;
    trace->open = i;
}

void tk_time_close(struct tk_time_trace *trace, uint32_t i)
{
    while (trace->open != TK_TIME_NONE) {
        uint32_t at = trace->open;
        struct tk_time_node *node = &trace->nodes[at];
        if (at + node->size > i)
            return;
        uint64_t end = 0;
        for (uint32_t k = at + 1; k < at + node->size; k += trace->nodes[k].size) {
            const struct tk_time_node *child = &trace->nodes[k];
            uint64_t until = (uint64_t)child->start - (uint64_t)node->start + child->duration.value;
            end = tk_time_is_inside(child) && until > end ? until : end;
        }
        node->duration.value = end;
        trace->open = node->open_below;
    }
}

void tk_time_trace_store(const struct tk_time_trace *trace, struct tk_forest *forest, uint32_t t)
{
    uint32_t begin = tk_forest_begin(forest, t);
    int64_t least = trace->nodes[0].start;
    for (uint32_t i = 1; i < trace->count; i++)
        least = trace->nodes[i].start < least ? trace->nodes[i].start : least;
    for (uint32_t i = 0; i < trace->count; i++) {
        uint64_t start = (uint64_t)trace->nodes[i].start - (uint64_t)least;
        uint64_t duration = trace->nodes[i].duration.value;
        start = start > INT64_MAX ? INT64_MAX : start;
        forest->starts[begin + i] = (int64_t)start;
        forest->durations[begin + i] =
            (int64_t)(duration > INT64_MAX - start ? INT64_MAX - start : duration);
    }
}
