/* SPDX-License-Identifier: Apache-2.0 */
/* Who calls whom: sets of services and of calls, sizes of trees, and the graph of services of each
 * window. Of two graphs in which a node keeps its name the edit distance is a sum: 1 for each node
 * that one lacks, and the difference of the weights of each edge. (GenTEval's cost of renaming
 * compares attributes that are never set, so that its first approximation may match any two
 * services; the definition of the page forbids renames, and is what stands here.) */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fidelity/time_internal.h"

/* Parts of a key of graphs. */
enum { NODE, EDGE };

static void collect_side(const struct over_time *time, int side, const struct reading *reading,
                         struct tk_cells *cells)
{
    const struct tk_span_table *table = time->sides.tables[side];
    uint32_t trace = 0;
    for (uint32_t row = 0; row < table->rows; row++) {
        trace += row == table->trace_ends[trace];
        int64_t window = tk_floor_div(table->start_ns[row], reading->window_ns);
        int64_t service = over_time_service(time, side, row);
        tk_cells_add(cells, &(struct tk_cell_key){{window, NODE, service}}, side, 1);
        if (table->parents[row] == TK_ROW_TOP)
            continue;
        int64_t parent = over_time_service(time, side, table->parents[row]);
        tk_cells_add(cells, &(struct tk_cell_key){{window, EDGE, parent << 32 | service}}, side,
                     tk_sides_weight(&time->sides, side, trace, reading->rule));
    }
}

static int collect_graph(const struct over_time *time, const struct reading *reading,
                         struct tk_cells *cells, struct tk_err *err)
{
    for (int side = 0; side < TK_SIDES; side++)
        collect_side(time, side, reading, cells);
    tk_cells_sort(cells);
    return tk_cells_check(cells, err);
}

/* The graphs of one window. */
struct graphs {
    double nodes[TK_SIDES];
    double weights[TK_SIDES];
    double distance;
};

static struct graphs compare_graphs(const struct tk_cell *cells, uint32_t count)
{
    struct graphs graphs = {.distance = 0};
    for (uint32_t i = 0; i < count; i++) {
        double a = cells[i].sums[TK_SIDE_A];
        double b = cells[i].sums[TK_SIDE_B];
        if (cells[i].key.part[1] == NODE) {
            graphs.nodes[TK_SIDE_A] += a > 0;
            graphs.nodes[TK_SIDE_B] += b > 0;
            graphs.distance += (a > 0) != (b > 0);
        } else {
            graphs.weights[TK_SIDE_A] += a;
            graphs.weights[TK_SIDE_B] += b;
            graphs.distance += fabs(a - b);
        }
    }
    return graphs;
}

static double graph_fidelity(const struct graphs *graphs)
{
    double size =
        graphs->nodes[TK_SIDE_B] + graphs->weights[TK_SIDE_A] + graphs->weights[TK_SIDE_B];
    return size > 0 ? fmax(0, 100 - 100 * graphs->distance / size) : 100;
}

static void score_graphs(const struct tk_cells *cells, enum tk_figure_rule rule,
                         struct tk_mean *fidelity, struct tk_mean *distance)
{
    for (uint32_t begin = 0; begin < cells->count;) {
        uint32_t end = begin + 1;
        while (end < cells->count &&
               cells->items[end].key.part[0] == cells->items[begin].key.part[0])
            end++;
        struct graphs graphs = compare_graphs(&cells->items[begin], end - begin);
        bool both = graphs.nodes[TK_SIDE_A] > 0 && graphs.nodes[TK_SIDE_B] > 0;
        if (both || rule == TK_FIGURE_STRICT) {
            tk_mean_add(fidelity, both ? graph_fidelity(&graphs) : 0);
            tk_mean_add(distance, graphs.distance);
        }
        begin = end;
    }
}

int over_time_graph(struct over_time *time, const struct reading *reading, struct tk_err *err)
{
    struct tk_cells cells = {0};
    int rc = collect_graph(time, reading, &cells, err);
    struct tk_mean fidelity = {0};
    struct tk_mean distance = {0};
    if (rc == 0)
        score_graphs(&cells, reading->rule, &fidelity, &distance);
    tk_cells_release(&cells);
    if (rc < 0)
        return rc;
    char window[TK_SECONDS_MAX];
    tk_str detail = tk_seconds_text(reading->window_ns, window);
    struct tk_figure figure = {.name = "graph",
                               .sense = TK_FIGURE_PERCENT,
                               .rule = reading->rule,
                               .value = tk_mean_of(&fidelity),
                               .reason = fidelity.count > 0 ? NULL : "no window that counts",
                               .samples = fidelity.count};
    over_time_add(time, &figure, detail);
    if (reading->is_main)
        over_time_add(time, &figure, (tk_str){0});
    figure.name = "graph_distance";
    figure.sense = TK_FIGURE_DISTANCE;
    figure.value = tk_mean_of(&distance);
    over_time_add(time, &figure, detail);
    return 0;
}

/* The operation of a row under the strict rule; of the original a set is one of services. */
static int64_t operation_of(const struct over_time *time, int side, uint32_t row,
                            enum tk_figure_rule rule)
{
    const struct tk_span_table *table = time->sides.tables[side];
    return rule == TK_FIGURE_STRICT ? tk_sides_text(&time->sides, side, table->operations[row]) : 0;
}

/* Add the service of a row, or the call that made it, to a set. */
static void add_member(const struct over_time *time, int side, uint32_t row, bool pairs,
                       enum tk_figure_rule rule, struct tk_cells *cells)
{
    uint32_t parent = time->sides.tables[side]->parents[row];
    struct tk_cell_key key = {
        {0, over_time_service(time, side, row), operation_of(time, side, row, rule)}};
    if (pairs && parent == TK_ROW_TOP)
        return;
    if (pairs) {
        key.part[0] = over_time_service(time, side, parent);
        key.part[2] |= operation_of(time, side, parent, rule) << 32;
    }
    tk_cells_add(cells, &key, side, 1);
}

static int collect_set(const struct over_time *time, bool pairs, enum tk_figure_rule rule,
                       struct tk_cells *cells, struct tk_err *err)
{
    for (int side = 0; side < TK_SIDES; side++) {
        for (uint32_t row = 0; row < time->sides.tables[side]->rows; row++)
            add_member(time, side, row, pairs, rule, cells);
    }
    return tk_cells_check(cells, err);
}

static int add_set(const struct over_time *time, bool pairs, enum tk_figure_rule rule,
                   struct tk_err *err)
{
    static const char *const names[2][3] = {
        {"operation_precision", "operation_recall", "operation_f1"},
        {"operation_pair_precision", "operation_pair_recall", "operation_pair_f1"}};
    struct tk_cells cells = {0};
    int rc = collect_set(time, pairs, rule, &cells, err);
    double in[TK_SIDES] = {0, 0};
    double both = 0;
    for (uint32_t i = 0; i < cells.count; i++) {
        for (int side = 0; side < TK_SIDES; side++)
            in[side] += cells.items[i].sums[side] > 0;
        both += cells.items[i].sums[TK_SIDE_A] > 0 && cells.items[i].sums[TK_SIDE_B] > 0;
    }
    tk_cells_release(&cells);
    if (rc < 0)
        return rc;
    const double values[3] = {in[TK_SIDE_A] > 0 ? both / in[TK_SIDE_A] : 0,
                              in[TK_SIDE_B] > 0 ? both / in[TK_SIDE_B] : 0,
                              both > 0 ? 2 * both / (in[TK_SIDE_A] + in[TK_SIDE_B]) : 0};
    bool none = rule == TK_FIGURE_STRICT && in[TK_SIDE_A] + in[TK_SIDE_B] == 0;
    for (int i = 0; i < 3; i++) {
        over_time_add(time,
                      &(struct tk_figure){.name = names[pairs][i],
                                          .sense = TK_FIGURE_SCORE,
                                          .rule = rule,
                                          .value = none ? (double)NAN : values[i],
                                          .reason = none ? "nothing on either side" : NULL,
                                          .samples = (uint64_t)in[TK_SIDE_B]},
                      (tk_str){0});
    }
    return 0;
}

#define NO_ROOT UINT32_MAX

/* The root of a row; all on the way up remember it, so that a chain is walked once. */
static uint32_t find_root(const struct tk_span_table *table, uint32_t row, uint32_t *roots)
{
    uint32_t root = row;
    while (roots[root] == NO_ROOT && table->parents[root] != TK_ROW_TOP)
        root = table->parents[root];
    root = roots[root] == NO_ROOT ? root : roots[root];
    for (uint32_t at = row; at != root && roots[at] == NO_ROOT; at = table->parents[at])
        roots[at] = root;
    return root;
}

/* Sizes of the trees of a side: spans without a parent and what is below them. `roots` and `sizes`
 * are [rows]. */
static void find_sizes(const struct over_time *time, int side, enum tk_figure_rule rule,
                       uint32_t *restrict roots, uint32_t *restrict sizes,
                       struct tk_samples *samples)
{
    const struct tk_span_table *table = time->sides.tables[side];
    memset(roots, 0xFF, table->rows * sizeof(*roots)); /* NO_ROOT */
    for (uint32_t row = 0; row < table->rows; row++)
        sizes[find_root(table, row, roots)]++;
    uint32_t trace = 0;
    for (uint32_t row = 0; row < table->rows; row++) {
        trace += row == table->trace_ends[trace];
        if (sizes[row] > 0) {
            tk_samples_add(samples, 0, sizes[row],
                           tk_sides_weight(&time->sides, side, trace, rule));
        }
    }
    tk_samples_sort(samples);
}

static int collect_sizes(const struct over_time *time, int side, enum tk_figure_rule rule,
                         struct tk_samples *samples, struct tk_err *err)
{
    size_t rows = time->sides.tables[side]->rows + (size_t)1;
    uint32_t *roots = malloc(rows * sizeof(*roots));
    uint32_t *sizes = calloc(rows, sizeof(*sizes));
    bool whole = roots && sizes;
    if (whole)
        find_sizes(time, side, rule, roots, sizes, samples);
    free(roots);
    free(sizes);
    return whole ? tk_samples_check(samples, err)
                 : tk_fail(err, -ENOMEM, "sizes of trees: out of memory");
}

static int add_sizes(const struct over_time *time, enum tk_figure_rule rule, struct tk_err *err)
{
    struct tk_samples sizes[TK_SIDES] = {{0}, {0}};
    int rc = 0;
    for (int side = 0; rc == 0 && side < TK_SIDES; side++)
        rc = collect_sizes(time, side, rule, &sizes[side], err);
    if (rc == 0) {
        struct tk_sample_run a = {sizes[TK_SIDE_A].items, sizes[TK_SIDE_A].count};
        struct tk_sample_run b = {sizes[TK_SIDE_B].items, sizes[TK_SIDE_B].count};
        bool both = a.count > 0 && b.count > 0;
        over_time_add(time,
                      &(struct tk_figure){.name = "span_count",
                                          .sense = TK_FIGURE_DISTANCE,
                                          .rule = rule,
                                          .value = both ? tk_samples_w1(&a, &b) : (double)NAN,
                                          .reason = both ? NULL : "no tree on one side",
                                          .samples = a.count},
                      (tk_str){0});
    }
    for (int side = 0; side < TK_SIDES; side++)
        tk_samples_release(&sizes[side]);
    return rc;
}

int over_time_sets(struct over_time *time, struct tk_err *err)
{
    for (int rule = 0; rule < TK_FIGURE_RULE_COUNT; rule++) {
        int rc = add_set(time, false, (enum tk_figure_rule)rule, err);
        if (rc == 0)
            rc = add_set(time, true, (enum tk_figure_rule)rule, err);
        if (rc == 0)
            rc = add_sizes(time, (enum tk_figure_rule)rule, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
