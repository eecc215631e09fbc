/* SPDX-License-Identifier: Apache-2.0 */
/* Trace by trace, for sets that keep all traces: are trees, errors and attributes those of the real
 * ones, and how far are times off (trace-fidelity.md section 10, last line). Every trace is looked
 * at, not one that is drawn.
 *
 * Traces are paired by their ids. Where these are not kept, those of one shape are paired by start,
 * the first with the first; that needs as many of each shape. Spans of a pair are paired along
 * their trees: siblings by name and what is below them, then by start. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fidelity/joint_shapes.h"

#define NS_PER_MS 1e6
#define LEAST_NS  1000.0 /* of what an error is relative to: nothing is measured finer */

enum timing { TIMING_DURATION, TIMING_GAP, TIMING_START, TIMINGS };

struct comparison {
    struct tk_sides sides;
    struct tk_family families[TK_SIDES];
    struct tk_shapes shapes[TK_SIDES]; /* children in any order */
    uint32_t *pairs;                   /* [traces of B] the trace of A */
    uint32_t *orders[TK_SIDES];
    struct tk_samples timings[TIMINGS];
    struct tk_mean trees, errors, attributes;
};

static void comparison_release(struct comparison *comparison)
{
    tk_sides_release(&comparison->sides);
    free(comparison->pairs);
    for (int side = 0; side < TK_SIDES; side++) {
        tk_family_release(&comparison->families[side]);
        tk_shapes_release(&comparison->shapes[side]);
        free(comparison->orders[side]);
    }
    for (int i = 0; i < TIMINGS; i++)
        tk_samples_release(&comparison->timings[i]);
}

/* Pairing -------------------------------------------------------------------------------------- */

/* A trace by what it is found by. */
struct handle {
    uint64_t key[2]; /* its id, or its shape */
    uint32_t trace;
};

static int by_handle(const void *a, const void *b)
{
    const struct handle *x = a;
    const struct handle *y = b;
    for (int i = 0; i < 2; i++) {
        if (x->key[i] != y->key[i])
            return x->key[i] < y->key[i] ? -1 : 1;
    }
    return (x->trace > y->trace) - (x->trace < y->trace);
}

/* Traces of a side by id, or by shape; NULL = out of memory. */
static struct handle *find_handles(const struct comparison *comparison, int side, bool by_shape)
{
    const struct tk_span_table *table = comparison->sides.tables[side];
    struct handle *handles = calloc(table->traces + (size_t)1, sizeof(*handles));
    for (uint32_t trace = 0; handles && trace < table->traces; trace++) {
        handles[trace].trace = trace;
        if (by_shape) {
            handles[trace].key[0] = comparison->shapes[side].traces[trace];
        } else {
            memcpy(handles[trace].key, table->trace_ids[trace], 16);
        }
    }
    if (handles)
        qsort(handles, table->traces, sizeof(*handles), by_handle);
    return handles;
}

/* Pair the k-th of each key with the k-th; false when a key is there more or less often. */
static bool pair_handles(const struct handle *a, const struct handle *b, uint32_t count,
                         uint32_t *pairs)
{
    for (uint32_t i = 0; i < count; i++) {
        if (a[i].key[0] != b[i].key[0] || a[i].key[1] != b[i].key[1])
            return false;
        pairs[b[i].trace] = a[i].trace;
    }
    return true;
}

/* 0, 1 when the traces cannot be paired so, -ENOMEM. */
static int pair_by(struct comparison *comparison, bool by_shape)
{
    struct handle *a = find_handles(comparison, TK_SIDE_A, by_shape);
    struct handle *b = find_handles(comparison, TK_SIDE_B, by_shape);
    uint32_t traces = comparison->sides.tables[TK_SIDE_B]->traces;
    int rc = a && b ? !pair_handles(a, b, traces, comparison->pairs) : -ENOMEM;
    free(a);
    free(b);
    return rc;
}

/* Pair all traces: by id, by shape, and where shapes were changed by start alone. */
static int pair_traces(struct comparison *comparison, struct tk_err *err)
{
    uint32_t traces = comparison->sides.tables[TK_SIDE_B]->traces;
    comparison->pairs = calloc(traces + (size_t)1, sizeof(*comparison->pairs));
    if (!comparison->pairs)
        return tk_fail(err, -ENOMEM, "pairs of traces: out of memory");
    int rc = pair_by(comparison, false);
    if (rc == 1)
        rc = pair_by(comparison, true);
    for (uint32_t trace = 0; rc == 1 && trace < traces; trace++)
        comparison->pairs[trace] = trace;
    return rc < 0 ? tk_fail(err, rc, "pairs of traces: out of memory") : 0;
}

/* Comparing ------------------------------------------------------------------------------------ */

/* A span among its siblings. */
struct sibling {
    uint64_t shape;
    uint32_t row; /* rows stand by start */
};

static int by_shape_and_start(const void *a, const void *b)
{
    const struct sibling *x = a;
    const struct sibling *y = b;
    if (x->shape != y->shape)
        return x->shape < y->shape ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* Sort rows[0..n) in place; `siblings` has room for them. */
static void sort_rows(const struct comparison *comparison, int side, uint32_t *rows, uint32_t n,
                      struct sibling *siblings)
{
    for (uint32_t i = 0; i < n; i++)
        siblings[i] = (struct sibling){comparison->shapes[side].rows[rows[i]], rows[i]};
    if (n > 1)
        qsort(siblings, n, sizeof(*siblings), by_shape_and_start);
    for (uint32_t i = 0; i < n; i++)
        rows[i] = siblings[i].row;
}

/* The rows of a trace in an order that equal trees share: roots by shape, then level by level the
 * children of each span by shape. */
static void order_trace(struct comparison *comparison, int side, uint32_t trace,
                        struct sibling *siblings)
{
    const struct tk_family *family = &comparison->families[side];
    const struct tk_span_table *table = family->table;
    uint32_t begin = tk_span_table_begin(table, trace);
    uint32_t *order = comparison->orders[side] + begin;
    uint32_t count = 0;
    for (uint32_t row = begin; row < table->trace_ends[trace]; row++) {
        if (table->parents[row] == TK_ROW_TOP)
            order[count++] = row;
    }
    sort_rows(comparison, side, order, count, siblings);
    for (uint32_t at = 0; at < count; at++) {
        uint32_t row = order[at];
        uint32_t first = row > 0 ? family->child_ends[row - 1] : 0;
        uint32_t n = family->child_ends[row] - first;
        memcpy(order + count, family->children + first, n * sizeof(*order));
        sort_rows(comparison, side, order + count, n, siblings);
        count += n;
    }
}

static bool same_attributes(const struct comparison *comparison, uint32_t row_a, uint32_t row_b)
{
    const struct tk_span_table *a = comparison->sides.tables[TK_SIDE_A];
    const struct tk_span_table *b = comparison->sides.tables[TK_SIDE_B];
    const struct tk_sides *sides = &comparison->sides;
    bool same = a->http_codes[row_a] == b->http_codes[row_b] &&
                a->kinds[row_a] == b->kinds[row_b] &&
                tk_sides_text(sides, TK_SIDE_A, a->methods[row_a]) ==
                    tk_sides_text(sides, TK_SIDE_B, b->methods[row_b]);
    for (size_t i = 0; i < TK_STR_FEATURES; i++) {
        same &= tk_sides_text(sides, TK_SIDE_A, a->str_features[i][row_a]) ==
                tk_sides_text(sides, TK_SIDE_B, b->str_features[i][row_b]);
    }
    for (size_t i = 0; i < TK_INT_FEATURES; i++)
        same &= a->int_features[i][row_a] == b->int_features[i][row_b];
    return same;
}

/* |a - b| in parts of b. */
static double relative(int64_t a, int64_t b)
{
    return fabs((double)a - (double)b) / fmax(fabs((double)b), LEAST_NS);
}

static void compare_spans(struct comparison *comparison, uint32_t row_a, uint32_t row_b)
{
    const struct tk_span_table *a = comparison->sides.tables[TK_SIDE_A];
    const struct tk_span_table *b = comparison->sides.tables[TK_SIDE_B];
    tk_mean_add(&comparison->errors,
                a->issues[row_a] == b->issues[row_b] && a->statuses[row_a] == b->statuses[row_b]);
    tk_mean_add(&comparison->attributes, same_attributes(comparison, row_a, row_b));
    tk_samples_add(&comparison->timings[TIMING_DURATION], 0,
                   relative(a->duration_ns[row_a], b->duration_ns[row_b]), 1);
    if (a->parents[row_a] == TK_ROW_TOP)
        return;
    tk_samples_add(&comparison->timings[TIMING_GAP], 0,
                   relative(a->start_ns[row_a] - a->start_ns[a->parents[row_a]],
                            b->start_ns[row_b] - b->start_ns[b->parents[row_b]]),
                   1);
}

static void compare_pair(struct comparison *comparison, uint32_t trace, struct sibling *siblings)
{
    const struct tk_span_table *a = comparison->sides.tables[TK_SIDE_A];
    const struct tk_span_table *b = comparison->sides.tables[TK_SIDE_B];
    uint32_t other = comparison->pairs[trace];
    uint32_t begin_a = tk_span_table_begin(a, other);
    uint32_t begin_b = tk_span_table_begin(b, trace);
    uint32_t count = b->trace_ends[trace] - begin_b;
    bool same =
        a->trace_ends[other] - begin_a == count &&
        comparison->shapes[TK_SIDE_A].traces[other] == comparison->shapes[TK_SIDE_B].traces[trace];
    if (same) {
        order_trace(comparison, TK_SIDE_A, other, siblings);
        order_trace(comparison, TK_SIDE_B, trace, siblings);
    }
    tk_mean_add(&comparison->trees, same);
    tk_samples_add(&comparison->timings[TIMING_START], 0,
                   fabs((double)(a->start_ns[begin_a] - b->start_ns[begin_b])) / NS_PER_MS, 1);
    for (uint32_t i = 0; same && i < count; i++) {
        compare_spans(comparison, comparison->orders[TK_SIDE_A][begin_a + i],
                      comparison->orders[TK_SIDE_B][begin_b + i]);
    }
}

static int compare_all(struct comparison *comparison, struct tk_err *err)
{
    size_t rooms[TK_SIDES];
    for (int side = 0; side < TK_SIDES; side++) {
        rooms[side] = comparison->sides.tables[side]->rows + (size_t)1;
        comparison->orders[side] = calloc(rooms[side], sizeof(uint32_t));
    }
    size_t most = rooms[TK_SIDE_A] > rooms[TK_SIDE_B] ? rooms[TK_SIDE_A] : rooms[TK_SIDE_B];
    struct sibling *siblings = malloc(most * sizeof(*siblings));
    bool whole = siblings && comparison->orders[TK_SIDE_A] && comparison->orders[TK_SIDE_B];
    uint32_t traces = comparison->sides.tables[TK_SIDE_B]->traces;
    for (uint32_t trace = 0; whole && trace < traces; trace++)
        compare_pair(comparison, trace, siblings);
    free(siblings);
    if (!whole)
        return tk_fail(err, -ENOMEM, "pairs of traces: out of memory");
    int rc = 0;
    for (int i = 0; rc == 0 && i < TIMINGS; i++) {
        tk_samples_sort(&comparison->timings[i]);
        rc = tk_samples_check(&comparison->timings[i], err);
    }
    return rc;
}

/* Figures -------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    const char *reason;
} timing_names[TIMINGS] = {
    [TIMING_DURATION] = {"duration_error", "no tree is the same"},
    [TIMING_GAP] = {"gap_error", "no edge of a tree that is the same"},
    [TIMING_START] = {"start_error_ms", "no trace"},
};

static const struct {
    const char *detail;
    double q;
} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"max", 1}};

static void add(struct tk_figures *figures, const struct tk_figure *figure, const char *detail)
{
    struct tk_figure made = *figure;
    made.group = "trace";
    made.detail = tk_str_from(detail);
    tk_figures_add(figures, &made);
}

/* What is the same; `unpaired` NULL = the traces were compared. */
static void add_scores(struct tk_figures *figures, const struct comparison *comparison,
                       const char *unpaired)
{
    const struct {
        const char *name;
        const struct tk_mean *mean;
        const char *reason;
    } means[] = {{"same_tree", &comparison->trees, "no trace"},
                 {"same_errors", &comparison->errors, "no tree is the same"},
                 {"same_attributes", &comparison->attributes, "no tree is the same"}};
    for (size_t i = 0; i < TK_COUNTOF(means); i++) {
        struct tk_figure figure = {.name = means[i].name,
                                   .sense = TK_FIGURE_SCORE,
                                   .value = tk_mean_of(means[i].mean),
                                   .samples = means[i].mean->count};
        if (figure.samples == 0)
            figure.reason = unpaired ? unpaired : means[i].reason;
        add(figures, &figure, NULL);
    }
}

/* Quantiles of errors of times as details; the whole is the largest one, which bounds are of. */
static void add_timing(struct tk_figures *figures, const struct comparison *comparison,
                       size_t timing, const char *unpaired)
{
    const struct tk_samples *samples = &comparison->timings[timing];
    struct tk_sample_run run = {samples->items, samples->count};
    struct tk_figure figure = {.name = timing_names[timing].name,
                               .value = (double)NAN,
                               .reason = unpaired ? unpaired : timing_names[timing].reason,
                               .samples = samples->count};
    if (run.count > 0)
        figure.reason = NULL;
    for (size_t k = 0; k < TK_COUNTOF(quantiles); k++) {
        if (run.count > 0)
            figure.value = tk_samples_quantile(&run, quantiles[k].q);
        add(figures, &figure, quantiles[k].detail);
    }
    add(figures, &figure, NULL);
}

static int compare_tables(struct comparison *comparison, struct tk_err *err)
{
    static const struct tk_shape_options options = {.unordered = true};
    for (int side = 0; side < TK_SIDES; side++) {
        struct tk_family *family = &comparison->families[side];
        int rc = tk_family_init(family, &comparison->sides, side, err);
        if (rc == 0) {
            rc = tk_shapes_new(&comparison->sides, side, family, &options,
                               &comparison->shapes[side], err);
        }
        if (rc < 0)
            return rc;
    }
    int rc = pair_traces(comparison, err);
    return rc < 0 ? rc : compare_all(comparison, err);
}

static int trace_measure(const struct tk_span_table *a, const struct tk_span_table *b,
                         const struct tk_measure_options *options, struct tk_figures *figures,
                         struct tk_err *err)
{
    struct comparison comparison = {.pairs = NULL};
    bool all_kept = a->traces == b->traces && options->sample_of <= 1;
    int rc = tk_sides_init(&comparison.sides, a, b, options, err);
    if (rc == 0 && all_kept)
        rc = compare_tables(&comparison, err);
    const char *unpaired = all_kept ? NULL : "not all traces are kept";
    if (rc == 0)
        add_scores(figures, &comparison, unpaired);
    for (size_t i = 0; rc == 0 && i < TIMINGS; i++)
        add_timing(figures, &comparison, i, unpaired);
    comparison_release(&comparison);
    return rc < 0 ? rc : tk_figures_check(figures, err);
}

const struct tk_measure tk_measure_trace = {
    .name = "trace",
    .help = "trace by trace: trees, errors, attributes, times; of sets that keep all traces",
    .measure = trace_measure,
};
