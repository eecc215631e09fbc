/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/samplers.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fidelity/draws.h"

#define SLOW_SHARE 0.01 /* of traces that tail sampling takes for slow */
#define GENT_SLOW  190  /* Gen-T's DurationBased: above so many thousands of the clock's unit */

static bool has_error(const struct tk_span_table *table, uint32_t trace)
{
    for (uint32_t r = tk_span_table_begin(table, trace); r < table->trace_ends[trace]; r++) {
        if (table->issues[r])
            return true;
    }
    return false;
}

/* From the first start to the last end. */
static int64_t duration_ns(const struct tk_span_table *table, uint32_t trace)
{
    uint32_t begin = tk_span_table_begin(table, trace);
    int64_t first = INT64_MAX;
    int64_t last = INT64_MIN;
    for (uint32_t r = begin; r < table->trace_ends[trace]; r++) {
        int64_t end = table->start_ns[r] + table->duration_ns[r];
        first = table->start_ns[r] < first ? table->start_ns[r] : first;
        last = end > last ? end : last;
    }
    return last - first;
}

static bool is_drawn(const struct tk_span_table *table, uint32_t trace, double n, uint64_t seed)
{
    return tk_draw_trace(seed, table->trace_ids[trace]) * n < 1;
}

static int pick_head(const struct tk_span_table *table, double n, uint64_t seed,
                     struct tk_trace_pick *picks, size_t *ret_count, struct tk_err *err)
{
    size_t count = 0;
    (void)err;
    for (uint32_t t = 0; t < table->traces; t++) {
        if (is_drawn(table, t, n, seed))
            picks[count++] = (struct tk_trace_pick){t, n};
    }
    *ret_count = count;
    return 0;
}

/* Tail ----------------------------------------------------------------------------------------- */

static int i64_cmp(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The duration that all but the slowest hundredth stay below or at. */
static int find_slow_ns(const struct tk_span_table *table, int64_t *ret_ns, struct tk_err *err)
{
    int64_t *durations = calloc((size_t)table->traces + 1, sizeof(*durations));
    if (!durations)
        return tk_fail(err, -ENOMEM, "out of memory");
    for (uint32_t t = 0; t < table->traces; t++)
        durations[t] = duration_ns(table, t);
    qsort(durations, table->traces, sizeof(*durations), i64_cmp);
    *ret_ns = durations[(size_t)((double)table->traces * (1 - SLOW_SHARE))];
    free(durations);
    return 0;
}

static int pick_tail(const struct tk_span_table *table, double n, uint64_t seed,
                     struct tk_trace_pick *picks, size_t *ret_count, struct tk_err *err)
{
    int64_t slow_ns = 0;
    size_t count = 0;
    int rc = find_slow_ns(table, &slow_ns, err);
    if (rc < 0)
        return rc;
    for (uint32_t t = 0; t < table->traces; t++) {
        if (has_error(table, t) || duration_ns(table, t) > slow_ns) {
            picks[count++] = (struct tk_trace_pick){t, 1};
        } else if (is_drawn(table, t, n, seed)) {
            picks[count++] = (struct tk_trace_pick){t, n};
        }
    }
    *ret_count = count;
    return 0;
}

/* Biased --------------------------------------------------------------------------------------- */

static int pick_errors(const struct tk_span_table *table, double n, uint64_t seed,
                       struct tk_trace_pick *picks, size_t *ret_count, struct tk_err *err)
{
    size_t count = 0;
    (void)err;
    for (uint32_t t = 0; t < table->traces; t++) {
        if (has_error(table, t) && is_drawn(table, t, n, seed))
            picks[count++] = (struct tk_trace_pick){t, n};
    }
    *ret_count = count;
    return 0;
}

static int pick_slow(const struct tk_span_table *table, double n, uint64_t seed,
                     struct tk_trace_pick *picks, size_t *ret_count, struct tk_err *err)
{
    size_t count = 0;
    (void)err;
    for (uint32_t t = 0; t < table->traces; t++) {
        double units = (double)duration_ns(table, t) / (double)table->unit_ns;
        if (units / 1000 > GENT_SLOW && is_drawn(table, t, n, seed))
            picks[count++] = (struct tk_trace_pick){t, n};
    }
    *ret_count = count;
    return 0;
}

/* Shapes --------------------------------------------------------------------------------------- */

/* Leaves first: a row is folded into its parent once all below it were. What siblings add does not
 * depend on their order. */
static void fold_rows(const struct tk_span_table *table, uint32_t *waiting, uint64_t *below)
{
    for (uint32_t r = 0; r < table->rows; r++) {
        if (table->parents[r] != TK_ROW_TOP)
            waiting[table->parents[r]]++;
    }
    for (uint32_t first = 0; first < table->rows; first++) {
        for (uint32_t r = first; r != TK_ROW_TOP && waiting[r] == 0;) {
            uint64_t symbol = tk_hash_mix((uint64_t)table->services[r] << 32 | table->operations[r],
                                          table->issues[r]);
            uint32_t parent = table->parents[r];
            below[r] = tk_hash_mix(symbol, below[r]);
            waiting[r] = UINT32_MAX; /* folded */
            if (parent == TK_ROW_TOP)
                break;
            below[parent] += tk_hash_mix(below[r], 1);
            waiting[parent]--;
            r = parent;
        }
    }
}

int tk_shapes_find(const struct tk_span_table *table, uint64_t *ret_shapes, struct tk_err *err)
{
    uint32_t *waiting = calloc((size_t)table->rows + 1, sizeof(*waiting));
    uint64_t *below = calloc((size_t)table->rows + 1, sizeof(*below));
    bool ok = waiting && below;
    if (ok)
        fold_rows(table, waiting, below);
    for (uint32_t t = 0; ok && t < table->traces; t++) {
        ret_shapes[t] = 0;
        for (uint32_t r = tk_span_table_begin(table, t); r < table->trace_ends[t]; r++) {
            if (table->parents[r] == TK_ROW_TOP)
                ret_shapes[t] += below[r];
        }
    }
    free(below);
    free(waiting);
    return ok ? 0 : tk_fail(err, -ENOMEM, "out of memory");
}

/* A trace among those of its shape. */
struct member {
    uint64_t shape;
    double draw;
    uint32_t trace;
};

static int by_shape_and_draw(const void *a, const void *b)
{
    const struct member *x = a;
    const struct member *y = b;
    if (x->shape != y->shape)
        return x->shape < y->shape ? -1 : 1;
    if (x->draw != y->draw)
        return x->draw < y->draw ? -1 : 1;
    return x->trace < y->trace ? -1 : x->trace > y->trace;
}

/* Of the members of each shape as many as `n` asks for, those with the least draws. */
static size_t pick_members(const struct member *members, uint32_t count, double n,
                           struct tk_trace_pick *picks)
{
    size_t picked = 0;
    for (uint32_t begin = 0, end; begin < count; begin = end) {
        for (end = begin; end < count && members[end].shape == members[begin].shape;)
            end++;
        uint32_t keep = (uint32_t)ceil((end - begin) / n);
        double weight = (double)(end - begin) / keep;
        for (uint32_t i = begin; i < begin + keep; i++)
            picks[picked++] = (struct tk_trace_pick){members[i].trace, weight};
    }
    return picked;
}

static int pick_stratified(const struct tk_span_table *table, double n, uint64_t seed,
                           struct tk_trace_pick *picks, size_t *ret_count, struct tk_err *err)
{
    struct member *members = calloc((size_t)table->traces + 1, sizeof(*members));
    uint64_t *shapes = calloc((size_t)table->traces + 1, sizeof(*shapes));
    bool ok = members && shapes;
    int rc = ok ? tk_shapes_find(table, shapes, err) : tk_fail(err, -ENOMEM, "out of memory");
    if (ok && rc == 0) {
        for (uint32_t t = 0; t < table->traces; t++)
            members[t] = (struct member){shapes[t], tk_draw_trace(seed, table->trace_ids[t]), t};
        qsort(members, table->traces, sizeof(*members), by_shape_and_draw);
        *ret_count = pick_members(members, table->traces, n, picks);
    }
    free(shapes);
    free(members);
    return rc;
}

/* First ---------------------------------------------------------------------------------------- */

static int pick_first(const struct tk_span_table *table, double n, uint64_t seed,
                      struct tk_trace_pick *picks, size_t *ret_count, struct tk_err *err)
{
    uint32_t count = n < table->traces ? (uint32_t)n : table->traces;
    (void)seed;
    (void)err;
    for (uint32_t t = 0; t < count; t++)
        picks[t] = (struct tk_trace_pick){t, 1};
    *ret_count = count;
    return 0;
}

/* All ------------------------------------------------------------------------------------------ */

const struct tk_sampler tk_sampler_head = {
    .name = "head", .help = "one of N traces, whatever is in them", .pick = pick_head};
const struct tk_sampler tk_sampler_tail = {
    .name = "tail",
    .help = "all with an error, the slowest hundredth, and one of N of the rest",
    .pick = pick_tail};
const struct tk_sampler tk_sampler_errors = {
    .name = "errors", .help = "of traces with an error one of N, no others", .pick = pick_errors};
const struct tk_sampler tk_sampler_slow = {
    .name = "slow",
    .help = "of traces above 190,000 units of the clock one of N, no others",
    .pick = pick_slow};
const struct tk_sampler tk_sampler_stratified = {
    .name = "stratified",
    .help = "of the traces of each shape one of N, at least one",
    .pick = pick_stratified};
const struct tk_sampler tk_sampler_first = {
    .name = "first", .help = "the first N traces by start", .is_first = true, .pick = pick_first};

const struct tk_sampler *const tk_samplers[] = {
    &tk_sampler_head,
    &tk_sampler_tail,
    &tk_sampler_errors,
    &tk_sampler_slow,
    &tk_sampler_stratified,
    &tk_sampler_first,
    NULL,
};

const struct tk_sampler *tk_sampler_find(const char *name)
{
    for (size_t i = 0; tk_samplers[i]; i++) {
        if (strcmp(tk_samplers[i]->name, name) == 0)
            return tk_samplers[i];
    }
    return NULL;
}

int tk_sampler_take(const struct tk_sampler *sampler, const struct tk_span_table *table, double n,
                    uint64_t seed, struct tk_span_table **ret_table, struct tk_err *err)
{
    size_t count = 0;
    struct tk_trace_pick *picks = calloc((size_t)table->traces + 1, sizeof(*picks));
    int rc = picks ? sampler->pick(table, n, seed, picks, &count, err)
                   : tk_fail(err, -ENOMEM, "out of memory");
    rc = rc < 0 ? rc : tk_span_table_pick(table, picks, count, ret_table, err);
    free(picks);
    return rc;
}
