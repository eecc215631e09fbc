/* SPDX-License-Identifier: Apache-2.0 */
/* Edges by (operation of the parent, of the child): Pearson's correlation of the logarithms of
 * their durations, and how likely the parent of a failed child failed. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "fidelity/joint_internal.h"

/* One kind of edges on one side. Spans that took no time have no logarithm and are left out. */
struct edges {
    uint64_t timed;
    double weight;
    double mean_x, mean_y; /* of parents, of children */
    double xx, yy, xy;     /* around the means */
    double child_errors;   /* weights */
    double parent_errors_too;
    uint64_t failed; /* children with an error */
};

/* Welford's way: means and products of one more pair. */
static void add_pair(struct edges *edges, double x, double y, double weight)
{
    edges->timed++;
    edges->weight += weight;
    double dx = x - edges->mean_x;
    double dy = y - edges->mean_y;
    edges->mean_x += dx * weight / edges->weight;
    edges->mean_y += dy * weight / edges->weight;
    edges->xx += weight * dx * (x - edges->mean_x);
    edges->yy += weight * dy * (y - edges->mean_y);
    edges->xy += weight * dx * (y - edges->mean_y);
}

static void add_edge(struct edges *edges, const struct tk_span_table *table, uint32_t row,
                     double weight)
{
    uint32_t parent = table->parents[row];
    int64_t x = table->duration_ns[parent];
    int64_t y = table->duration_ns[row];
    if (x > 0 && y > 0)
        add_pair(edges, log((double)x), log((double)y), weight);
    if (table->statuses[row] == TK_SPAN_ERROR) {
        edges->failed++;
        edges->child_errors += weight;
        edges->parent_errors_too += table->statuses[parent] == TK_SPAN_ERROR ? weight : 0;
    }
}

/* Where nothing varies but rounding, there is no correlation. */
static double correlation_of(const struct edges *edges)
{
    double least_x = 1e-18 * edges->weight * (1 + edges->mean_x * edges->mean_x);
    double least_y = 1e-18 * edges->weight * (1 + edges->mean_y * edges->mean_y);
    if (edges->xx <= least_x || edges->yy <= least_y)
        return 0;
    return edges->xy / sqrt(edges->xx) / sqrt(edges->yy);
}

/* Kinds of edges, which stand in the order of their coming. */
struct kinds {
    struct tk_cells cells; /* key: parent's operation, child's */
    struct edges *edges[TK_SIDES];
};

static int number_edges(const struct joint *joint, struct kinds *kinds, struct tk_err *err)
{
    for (int side = 0; side < TK_SIDES; side++) {
        const struct tk_span_table *table = joint->sides.tables[side];
        for (uint32_t row = 0; row < table->rows; row++) {
            if (table->parents[row] == TK_ROW_TOP)
                continue;
            const struct tk_cell_key key = {{joint_operation(joint, side, table->parents[row]),
                                             joint_operation(joint, side, row)}};
            tk_cells_add(&kinds->cells, &key, side, 1);
        }
    }
    for (int side = 0; side < TK_SIDES; side++)
        kinds->edges[side] = calloc(kinds->cells.count + (size_t)1, sizeof(struct edges));
    if (!kinds->edges[TK_SIDE_A] || !kinds->edges[TK_SIDE_B])
        return tk_fail(err, -ENOMEM, "edges: out of memory");
    return tk_cells_check(&kinds->cells, err);
}

static void read_edges(const struct joint *joint, int side, struct kinds *kinds)
{
    const struct tk_span_table *table = joint->sides.tables[side];
    uint32_t trace = 0;
    for (uint32_t row = 0; row < table->rows; row++) {
        trace += row == table->trace_ends[trace];
        if (table->parents[row] == TK_ROW_TOP)
            continue;
        const struct tk_cell_key key = {
            {joint_operation(joint, side, table->parents[row]), joint_operation(joint, side, row)}};
        add_edge(&kinds->edges[side][tk_cells_find(&kinds->cells, &key)], table, row,
                 tk_sides_weight(&joint->sides, side, trace, TK_FIGURE_STRICT));
    }
}

static void compare_edges(const struct joint *joint, const struct kinds *kinds)
{
    struct tk_mean correlation = {0};
    struct tk_mean propagation = {0};
    for (uint32_t i = 0; i < kinds->cells.count; i++) {
        const struct edges *a = &kinds->edges[TK_SIDE_A][i];
        const struct edges *b = &kinds->edges[TK_SIDE_B][i];
        if (b->timed >= LEAST_EDGES) {
            tk_mean_add(&correlation, a->timed >= LEAST_EDGES_IN_A
                                          ? fabs(correlation_of(a) - correlation_of(b))
                                          : 1);
        }
        if (b->failed >= LEAST_CHILD_ERRORS) {
            tk_mean_add(&propagation, a->failed > 0 ? fabs(a->parent_errors_too / a->child_errors -
                                                           b->parent_errors_too / b->child_errors)
                                                    : 1);
        }
    }
    joint_add(joint, "correlation", TK_FIGURE_DISTANCE, &correlation,
              "no kind of edge with enough spans that took time");
    joint_add(joint, "error_propagation", TK_FIGURE_DISTANCE, &propagation,
              "no kind of edge with enough errors");
}

int joint_edges(const struct joint *joint, struct tk_err *err)
{
    struct kinds kinds = {.edges = {NULL, NULL}};
    int rc = number_edges(joint, &kinds, err);
    for (int side = 0; rc == 0 && side < TK_SIDES; side++)
        read_edges(joint, side, &kinds);
    if (rc == 0)
        compare_edges(joint, &kinds);
    tk_cells_release(&kinds.cells);
    for (int side = 0; side < TK_SIDES; side++)
        free(kinds.edges[side]);
    return rc;
}
