/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/keep_weights.h"

#include <errno.h>
#include <stdlib.h>

#include "codec/draw.h"

#define FIRST_OF_SHAPE 3
#define RARE_MIN       3   /* traces that a shape may have at least and be rare */
#define RARE_SHARE     500 /* and one in so many of the block */
#define TAIL_SHARE     100 /* one in so many traces of an entry may surprise */
#define FACTOR         4   /* and takes so many times as long as the median, or as short */

/* A trace among those like it. */
struct item {
    uint64_t key;  /* shape, or entry */
    int64_t value; /* ticks that it took */
    uint32_t trace;
};

static int by_key(const void *a, const void *b)
{
    const struct item *x = a;
    const struct item *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->trace < y->trace ? -1 : x->trace > y->trace;
}

static int by_key_and_value(const void *a, const void *b)
{
    const struct item *x = a;
    const struct item *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->trace < y->trace ? -1 : x->trace > y->trace;
}

/* Symbols and sizes of all nodes. */
static uint64_t hash_shape(const struct tk_forest *forest, uint32_t trace)
{
    uint64_t hash = 0;
    for (uint32_t i = tk_forest_begin(forest, trace); i < forest->trace_ends[trace]; i++)
        hash = tk_draw_round(hash + ((uint64_t)forest->sizes[i] << 32 | forest->node_symbols[i]));
    return hash;
}

bool tk_keep_has_error(const struct tk_forest *forest, uint32_t trace)
{
    bool found = false;
    for (uint32_t i = tk_forest_begin(forest, trace); i < forest->trace_ends[trace]; i++)
        found |= forest->symbols[forest->node_symbols[i]].status == TK_SPAN_ERROR;
    return found;
}

int64_t tk_keep_length(const struct tk_forest *forest, uint32_t trace)
{
    int64_t length = 0;
    for (uint32_t i = tk_forest_begin(forest, trace); i < forest->trace_ends[trace]; i++) {
        int64_t end;
        if (__builtin_add_overflow(forest->starts[i], forest->durations[i], &end))
            end = INT64_MAX;
        length = end > length ? end : length;
    }
    return length;
}

static void raise(uint8_t *reasons, uint32_t trace, enum tk_keep_reason reason)
{
    reasons[trace] = reasons[trace] > reason ? reasons[trace] : (uint8_t)reason;
}

/* The first traces of each shape; errors in rare ones. */
static void judge_shapes(const struct tk_forest *forest, struct item *items, uint8_t *reasons)
{
    uint32_t n = forest->trace_count;
    for (uint32_t i = 0; i < n; i++)
        items[i] = (struct item){.key = hash_shape(forest, i), .trace = i};
    qsort(items, n, sizeof(*items), by_key);
    for (uint32_t begin = 0, end = 0; begin < n; begin = end) {
        while (end < n && items[end].key == items[begin].key)
            end++;
        bool rare = end - begin <= RARE_MIN || end - begin <= n / RARE_SHARE;
        for (uint32_t i = begin; i < end; i++) {
            if (i - begin < FIRST_OF_SHAPE)
                raise(reasons, items[i].trace, TK_KEEP_SHAPE);
            if (rare && tk_keep_has_error(forest, items[i].trace))
                raise(reasons, items[i].trace, TK_KEEP_ERROR);
        }
    }
}

/* Both ends of the lengths of an entry's traces, as far as they are far from the median. */
static void judge_lengths(const struct tk_forest *forest, struct item *items, uint8_t *reasons)
{
    uint32_t n = forest->trace_count;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t first = tk_forest_begin(forest, i);
        bool empty = first == forest->trace_ends[i];
        items[i] = (struct item){.key = empty ? UINT64_MAX : forest->node_symbols[first],
                                 .value = tk_keep_length(forest, i),
                                 .trace = i};
    }
    qsort(items, n, sizeof(*items), by_key_and_value);
    for (uint32_t begin = 0, end = 0; begin < n; begin = end) {
        while (end < n && items[end].key == items[begin].key)
            end++;
        uint32_t tail = (end - begin) / TAIL_SHARE / 2;
        int64_t median = items[begin + (end - begin) / 2].value;
        for (uint32_t i = 0; i < tail; i++) {
            if (items[begin + i].value < median / FACTOR)
                raise(reasons, items[begin + i].trace, TK_KEEP_SURPRISE);
            if (items[end - 1 - i].value / FACTOR > median)
                raise(reasons, items[end - 1 - i].trace, TK_KEEP_SURPRISE);
        }
    }
}

int tk_keep_find_reasons(const struct tk_forest *forest, uint8_t *ret_reasons, struct tk_err *err)
{
    struct item *items = calloc((size_t)forest->trace_count + 1, sizeof(*items));
    if (!items)
        return tk_fail(err, -ENOMEM, "out of memory");
    memset(ret_reasons, TK_KEEP_ANY, forest->trace_count);
    judge_shapes(forest, items, ret_reasons);
    judge_lengths(forest, items, ret_reasons);
    free(items);
    return 0;
}
