/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/time_windows.h"

#include <errno.h>
#include <stdlib.h>

#include "codec/mixed.h"
#include "table/varint.h"

#define INPUTS     4
#define LEAST_BITS 8 /* of contexts, by nodes */
#define MOST_BITS  14
#define TRIES      256 /* draws of a trace */

/* Nodes of a block that are drawn again, at most: what a hostile file can ask for. */
#define SPARE_NODES(nodes) (16 * (uint64_t)(nodes) + 65536)

enum kind { KIND_LEAVES = 0, KIND_NODE, KINDS };

/* What a node's window is, by those before it. */
enum guess { GUESS_NEAR = 0, GUESS_LAST, GUESS_OTHER };

#define GUESS_BITS 2

struct tk_time_windows {
    const struct tk_forest *forest; /* borrowed */
    struct tk_coder coder;
    struct tk_mixed mixed;
    struct tk_exp_models others;
    int64_t unit;   /* of arrivals, ticks */
    int64_t window; /* ticks */
    uint32_t trace; /* the next one */
    uint64_t spare; /* nodes that may be drawn again */

    /* Of the trace at hand, for each node: windows since that of its start. */
    int64_t *steps; /* [max] owned */
    int64_t first;  /* the window of its start */
    bool leaves;    /* steps are not all 0 */
};

/* Ticks of the wall clock at the start of a trace, as the arrivals alone tell it, or as drawn. */
static int64_t start_of(const struct tk_time_windows *windows, uint32_t t, bool as_drawn)
{
    const struct tk_forest *forest = windows->forest;
    int64_t start = forest->trace_starts[t];
    start -= as_drawn ? 0 : start % windows->unit;
    return (int64_t)((uint64_t)(forest->origin_ns / forest->tick_ns) + (uint64_t)start);
}

static int64_t window_of(const struct tk_time_windows *windows, int64_t at)
{
    return at / windows->window - (at % windows->window < 0);
}

/* Length and the bit below the first one. */
static uint64_t half_octave(uint64_t value)
{
    unsigned n = value > 0 ? 64 - (unsigned)__builtin_clzll(value) : 0;
    return n < 2 ? value : (uint64_t)n << 1 | (value >> (n - 2) & 1);
}

/* Whether any span starts in another window than its trace: by what is left of that. */
static bool code_leaves(struct tk_time_windows *windows, int64_t start, uint32_t t, bool leaves)
{
    const struct tk_forest *forest = windows->forest;
    uint32_t begin = tk_forest_begin(forest, t);
    uint64_t symbol = forest->node_symbols[begin];
    uint64_t count = forest->trace_ends[t] - begin;
    int64_t gone = start % windows->window;
    int64_t left = gone < 0 ? -gone : windows->window - gone;
    uint64_t far = half_octave((uint64_t)(left * forest->tick_ns) / 1000000);
    const struct tk_mixed_context context = {
        .kind = KIND_LEAVES,
        .count = 3,
        .hashes = {
            tk_mixed_hash(0, far),
            tk_mixed_hash(tk_mixed_hash(1, far), symbol),
            tk_mixed_hash(tk_mixed_hash(tk_mixed_hash(2, far), symbol), count),
        }};
    return tk_code_mixed_value(&windows->coder, &windows->mixed, &context, 1, leaves) > 0;
}

static uint64_t fold(uint64_t value)
{
    return value << 1 ^ (0 - (value >> 63));
}

static uint64_t unfold(uint64_t value)
{
    return value >> 1 ^ (0 - (value & 1));
}

/* The step of a node: that of the sibling before or else of its parent, that of the node before (or
 * where that is the same, the next one), or another. */
static void code_step(struct tk_time_windows *windows, const struct tk_time_trace *trace,
                      uint32_t i)
{
    const struct tk_time_node *node = &trace->nodes[i];
    int64_t *steps = windows->steps;
    uint32_t beside = node->previous != TK_TIME_NONE ? node->previous : node->parent;
    int64_t near = beside == TK_TIME_NONE ? 0 : steps[beside];
    int64_t last = i > 0 && steps[i - 1] != near ? steps[i - 1] : (int64_t)((uint64_t)near + 1);
    uint64_t lead = fold((uint64_t)last - (uint64_t)near);
    uint64_t where =
        (lead < 15 ? lead : 15) << 2 | (uint64_t)(i > 0 && last == steps[i - 1]) << 1 | (near != 0);
    uint64_t left = half_octave(trace->count - i);
    const struct tk_mixed_context context = {
        .kind = KIND_NODE,
        .count = INPUTS,
        .hashes = {
            tk_mixed_hash(8, where),
            tk_mixed_hash(tk_mixed_hash(9, where), node->kind),
            tk_mixed_hash(tk_mixed_hash(10, where), node->path),
            tk_mixed_hash(tk_mixed_hash(11, where), left),
        }};
    uint32_t guess = steps[i] == near ? GUESS_NEAR : steps[i] == last ? GUESS_LAST : GUESS_OTHER;
    guess = tk_code_mixed_value(&windows->coder, &windows->mixed, &context, GUESS_BITS, guess);
    if (guess >= GUESS_OTHER) {
        uint64_t by = fold((uint64_t)steps[i] - (uint64_t)near);
        by = tk_code_exp(&windows->coder, &windows->others, by);
        steps[i] = (int64_t)((uint64_t)near + unfold(by));
    } else {
        steps[i] = guess == GUESS_NEAR ? near : last;
    }
}

/* The longest trace of a forest. */
static uint32_t most_nodes(const struct tk_forest *forest)
{
    uint32_t most = 1;
    for (uint32_t t = 0; t < forest->trace_count; t++) {
        uint32_t count = forest->trace_ends[t] - tk_forest_begin(forest, t);
        most = count > most ? count : most;
    }
    return most;
}

/* Arrivals tell their unit first: a window of theirs can be told when it is a millisecond or less.
 */
static bool take_unit(tk_str arrivals, const struct tk_forest *forest, int64_t *ret_unit)
{
    uint64_t unit;
    if (!tk_varint_read(&arrivals, &unit) || unit == 0 ||
        unit > (uint64_t)(1000000 / forest->tick_ns))
        return false;
    *ret_unit = (int64_t)unit;
    return true;
}

static int windows_new(const struct tk_forest *forest, int64_t unit,
                       struct tk_time_windows **ret_windows, struct tk_err *err)
{
    struct tk_time_windows *windows = calloc(1, sizeof(*windows));
    if (!windows)
        return tk_fail(err, -ENOMEM, "windows of times: out of memory");
    windows->forest = forest;
    windows->unit = unit;
    windows->window = TK_WINDOW_NS / forest->tick_ns;
    windows->spare = SPARE_NODES(forest->node_count);
    windows->steps = calloc(most_nodes(forest), sizeof(*windows->steps));
    tk_exp_models_init(&windows->others);
    unsigned bits = tk_mixed_bits(forest->node_count, LEAST_BITS, MOST_BITS);
    int rc = tk_mixed_init(&windows->mixed, bits, KINDS, INPUTS, err);
    if (rc == 0 && !windows->steps)
        rc = tk_fail(err, -ENOMEM, "windows of times: out of memory");
    if (rc < 0) {
        tk_time_windows_free(windows);
        return rc;
    }
    *ret_windows = windows;
    return 0;
}

void tk_time_windows_free(struct tk_time_windows *windows)
{
    if (!windows)
        return;
    tk_mixed_release(&windows->mixed);
    free(windows->steps);
    free(windows);
}

void tk_time_windows_freep(struct tk_time_windows **windows)
{
    tk_time_windows_free(*windows);
}

/* Encoding ------------------------------------------------------------------------------------- */

/* The steps of a trace out of its times. */
static void measure(struct tk_time_windows *windows, uint32_t t)
{
    const struct tk_forest *forest = windows->forest;
    uint32_t begin = tk_forest_begin(forest, t);
    int64_t start = start_of(windows, t, true);
    windows->leaves = false;
    for (uint32_t i = begin; i < forest->trace_ends[t]; i++) {
        int64_t at = (int64_t)((uint64_t)start + (uint64_t)forest->starts[i]);
        windows->steps[i - begin] = window_of(windows, at) - windows->first;
        windows->leaves |= windows->steps[i - begin] != 0;
    }
}

static void encode_trace(struct tk_time_windows *windows, struct tk_time_trace *trace, uint32_t t)
{
    int64_t start = start_of(windows, t, false);
    windows->first = window_of(windows, start);
    measure(windows, t);
    if (!code_leaves(windows, start, t, windows->leaves))
        return;
    tk_time_trace_load(trace, windows->forest, t);
    for (uint32_t i = 0; i < trace->count; i++)
        code_step(windows, trace, i);
}

int tk_time_windows_encode(const struct tk_forest *forest, struct tk_section_set *set,
                           struct tk_err *err)
{
    TK_CLEANUP(tk_time_windows_freep) struct tk_time_windows *windows = NULL;
    TK_CLEANUP(tk_time_trace_release) struct tk_time_trace trace = {0};
    struct tk_buf *out = &set->bytes[TK_SECTION_TIME_WINDOWS];
    int64_t unit;
    if (!take_unit(tk_buf_str(&set->bytes[TK_SECTION_ARRIVALS]), forest, &unit))
        return 0;
    int rc = windows_new(forest, unit, &windows, err);
    rc = rc < 0 ? rc : tk_time_trace_init(&trace, forest, err);
    if (rc < 0)
        return rc;
    tk_coder_begin_encode(&windows->coder, out);
    for (uint32_t t = 0; t < forest->trace_count; t++)
        encode_trace(windows, &trace, t);
    tk_coder_end(&windows->coder);
    return tk_buf_check(out, "windows of times", err);
}

/* Decoding ------------------------------------------------------------------------------------- */

int tk_time_windows_new(const struct tk_block *block, const struct tk_forest *forest,
                        struct tk_time_windows **ret_windows, struct tk_err *err)
{
    const struct tk_section *arrivals = tk_block_find(block, TK_SECTION_ARRIVALS);
    const struct tk_section *section = tk_block_find(block, TK_SECTION_TIME_WINDOWS);
    int64_t unit;
    *ret_windows = NULL;
    if (!arrivals || !section || !take_unit(arrivals->bytes, forest, &unit))
        return 0;
    int rc = windows_new(forest, unit, ret_windows, err);
    if (rc == 0)
        tk_coder_begin_decode(&(*ret_windows)->coder, section->bytes);
    return rc;
}

/* Read those of the next trace. */
static int read_next(struct tk_time_windows *windows, const struct tk_time_trace *trace,
                     struct tk_err *err)
{
    uint32_t t = windows->trace++;
    int64_t start = start_of(windows, t, false);
    windows->first = window_of(windows, start);
    windows->leaves = code_leaves(windows, start, t, false);
    for (uint32_t i = 0; windows->leaves && i < trace->count; i++)
        code_step(windows, trace, i);
    if (tk_coder_is_over(&windows->coder))
        return tk_fail(err, -EBADMSG, "windows of times: end before trace %u", t);
    return 0;
}

/* How many spans of a trace that was drawn are not in their windows. */
static uint32_t count_wrong(const struct tk_time_windows *windows,
                            const struct tk_time_trace *trace)
{
    uint64_t start = (uint64_t)start_of(windows, windows->trace - 1, true);
    uint32_t wrong = 0;
    int64_t least = trace->nodes[0].start;
    for (uint32_t i = 1; i < trace->count; i++)
        least = trace->nodes[i].start < least ? trace->nodes[i].start : least;
    for (uint32_t i = 0; i < trace->count; i++) {
        uint64_t since = (uint64_t)trace->nodes[i].start - (uint64_t)least;
        uint64_t step = windows->leaves ? (uint64_t)windows->steps[i] : 0;
        wrong += (uint64_t)window_of(windows, (int64_t)(start + since)) !=
                 (uint64_t)windows->first + step;
    }
    return wrong;
}

static void draw_again(const struct tk_time_drawer *drawer, uint32_t n, struct tk_time_trace *trace)
{
    drawer->draw(drawer->user, n == 0 ? drawer->draw_key : tk_draw_block(drawer->draw_key, n),
                 trace);
}

int tk_time_windows_draw(struct tk_time_windows *windows, const struct tk_time_drawer *drawer,
                         struct tk_time_trace *trace, struct tk_err *err)
{
    uint32_t best = 0;
    uint32_t fewest = UINT32_MAX;
    int rc = windows ? read_next(windows, trace, err) : 0;
    draw_again(drawer, 0, trace);
    if (rc < 0 || !windows)
        return rc;
    for (uint32_t n = 0;;) {
        uint32_t wrong = count_wrong(windows, trace);
        if (wrong == 0)
            return 0;
        best = wrong < fewest ? n : best;
        fewest = wrong < fewest ? wrong : fewest;
        if (++n == TRIES || windows->spare < trace->count)
            break;
        windows->spare -= trace->count;
        draw_again(drawer, n, trace);
    }
    draw_again(drawer, best, trace);
    return 0;
}
