/* SPDX-License-Identifier: Apache-2.0 */
/* What Gen-T's tests define over names of spans: ratios of durations along paths, and what monitors
 * of structures say. Both definitions are known from those tests only. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "fidelity/node_names.h"
#include "fidelity/tasks.h"
#include "fidelity/tasks_internal.h"

/* Children of each node, and the way down to where the walk is. */
struct walk {
    uint32_t *child_ends; /* [nodes]: of node n from child_ends[n - 1] */
    uint32_t *children;   /* [edges] */
    uint32_t *path;       /* nodes still to visit */
    size_t path_count, path_max;
    uint64_t steps;
};

static void walk_release(struct walk *walk)
{
    free(walk->child_ends);
    free(walk->children);
    free(walk->path);
}

static bool is_edge(const struct tk_ratio_graph *graph, uint32_t i)
{
    return graph->start_ns[graph->edges[i][1]] >= graph->start_ns[graph->edges[i][0]];
}

/* Edges by parent; those to children that start before it are left out. */
static int walk_init(struct walk *walk, const struct tk_ratio_graph *graph)
{
    walk->child_ends = calloc(graph->nodes + (size_t)2, sizeof(uint32_t));
    walk->children = calloc(graph->edge_count + (size_t)1, sizeof(uint32_t));
    if (!walk->child_ends || !walk->children)
        return -ENOMEM;
    uint32_t *begins = walk->child_ends + 1;
    for (uint32_t i = 0; i < graph->edge_count; i++)
        begins[graph->edges[i][0]] += is_edge(graph, i);
    for (uint32_t n = 0; n < graph->nodes; n++)
        begins[n] += walk->child_ends[n];
    /* What begins a node's children is moved on to where they end. */
    for (uint32_t i = 0; i < graph->edge_count; i++) {
        if (is_edge(graph, i))
            walk->children[walk->child_ends[graph->edges[i][0]]++] = graph->edges[i][1];
    }
    return 0;
}

static int push_children(struct walk *walk, uint32_t node)
{
    uint32_t begin = node > 0 ? walk->child_ends[node - 1] : 0;
    uint32_t n = walk->child_ends[node] - begin;
    if (walk->path_count + n > walk->path_max) {
        size_t max = (walk->path_count + n) * 2;
        uint32_t *path = realloc(walk->path, max * sizeof(*path));
        if (!path)
            return -ENOMEM;
        walk->path = path;
        walk->path_max = max;
    }
    for (uint32_t i = 0; i < n; i++)
        walk->path[walk->path_count++] = walk->children[begin + i];
    return 0;
}

/* All paths from one node. */
static int add_paths(const struct tk_ratio_graph *graph, uint32_t top, struct walk *walk,
                     struct tk_ratios *ratios, const struct tk_sample *like)
{
    walk->path_count = 0;
    int rc = push_children(walk, top);
    while (rc == 0 && walk->path_count > 0 && walk->steps > 0) {
        uint32_t node = walk->path[--walk->path_count];
        int side = (int)like->cell;
        uint32_t cell = tk_cells_add(
            &ratios->cells,
            &(struct tk_cell_key){{(int64_t)graph->names[top], (int64_t)graph->names[node]}}, side,
            1);
        tk_samples_add(&ratios->samples[side], cell,
                       (double)graph->duration_ns[node] / (double)graph->duration_ns[top],
                       like->weight);
        walk->steps--;
        rc = push_children(walk, node);
    }
    ratios->left_out += walk->path_count;
    return rc;
}

int tk_child_ratios(const struct tk_ratio_graph *graph, int side, double weight, uint64_t max_steps,
                    struct tk_ratios *ratios)
{
    struct walk walk = {.steps = max_steps};
    const struct tk_sample like = {.cell = (uint32_t)side, .weight = weight};
    int rc = walk_init(&walk, graph);
    for (uint32_t node = 0; rc == 0 && node < graph->nodes; node++) {
        if (graph->duration_ns[node] > 0)
            rc = add_paths(graph, node, &walk, ratios, &like);
    }
    walk_release(&walk);
    return rc;
}

/* The edges of a trace, parents and children as rows from its first. */
static uint32_t find_edges(const struct tk_span_table *table, uint32_t begin, uint32_t end,
                           uint32_t (*edges)[2])
{
    uint32_t count = 0;
    for (uint32_t row = begin; row < end; row++) {
        if (table->parents[row] != TK_ROW_TOP) {
            edges[count][0] = table->parents[row] - begin;
            edges[count++][1] = row - begin;
        }
    }
    return count;
}

static int add_table(const struct tasks *tasks, int side, const uint64_t *names,
                     struct tk_ratios *ratios)
{
    const struct tk_span_table *table = tasks->sides.tables[side];
    uint32_t(*edges)[2] = malloc((tk_span_table_longest(table) + (size_t)1) * sizeof(*edges));
    int rc = edges ? 0 : -ENOMEM;
    for (uint32_t trace = 0; rc == 0 && trace < table->traces; trace++) {
        uint32_t begin = tk_span_table_begin(table, trace);
        uint32_t end = table->trace_ends[trace];
        const struct tk_ratio_graph graph = {
            .names = names + begin,
            .start_ns = table->start_ns + begin,
            .duration_ns = table->duration_ns + begin,
            .nodes = end - begin,
            .edges = (const uint32_t(*)[2])edges,
            .edge_count = find_edges(table, begin, end, edges),
        };
        rc = tk_child_ratios(&graph, side,
                             tk_sides_weight(&tasks->sides, side, trace, TK_FIGURE_STRICT),
                             TRACE_KEYS_MAX, ratios);
    }
    free(edges);
    return rc;
}

/* Compatible: pairs that both sides have. Strict: all, missing ones the worst, none beyond 1. */
static void add_ratio_figure(const struct tasks *tasks, const struct tk_ratios *ratios,
                             enum tk_figure_rule rule)
{
    struct tk_mean mean = {0};
    size_t at[TK_SIDES] = {0, 0};
    for (uint32_t cell = 0; cell < ratios->cells.count; cell++) {
        struct tk_sample_run a = tk_samples_of(&ratios->samples[TK_SIDE_A], cell, &at[TK_SIDE_A]);
        struct tk_sample_run b = tk_samples_of(&ratios->samples[TK_SIDE_B], cell, &at[TK_SIDE_B]);
        if (a.count > 0 && b.count > 0) {
            double distance = tk_samples_w1(&a, &b);
            tk_mean_add(&mean, rule == TK_FIGURE_STRICT ? fmin(distance, 1) : distance);
        } else if (rule == TK_FIGURE_STRICT) {
            tk_mean_add(&mean, 1);
        }
    }
    tasks_add(tasks,
              &(struct tk_figure){.name = "child_ratio",
                                  .sense = TK_FIGURE_DISTANCE,
                                  .rule = rule,
                                  .value = tk_mean_of(&mean),
                                  .reason = mean.count > 0 ? NULL : "no pair of spans to compare",
                                  .samples = mean.count},
              (tk_str){0});
}

static void ratios_release(struct tk_ratios *ratios)
{
    tk_cells_release(&ratios->cells);
    for (int side = 0; side < TK_SIDES; side++)
        tk_samples_release(&ratios->samples[side]);
}

int tasks_child_ratios(struct tasks *tasks, struct tk_err *err)
{
    TK_CLEANUP(ratios_release) struct tk_ratios ratios = {.left_out = 0};
    for (int side = 0; side < TK_SIDES; side++) {
        uint64_t *names = NULL;
        int rc = tk_node_names_new(&tasks->sides, side, &names, err);
        if (rc == 0 && add_table(tasks, side, names, &ratios) < 0)
            rc = tk_fail(err, -ENOMEM, "ratios of children: out of memory");
        free(names);
        if (rc == 0)
            rc = tk_cells_check(&ratios.cells, err);
        if (rc == 0)
            rc = tk_samples_check(&ratios.samples[side], err);
        if (rc < 0)
            return rc;
        tk_samples_sort(&ratios.samples[side]);
    }
    tasks->left_out += ratios.left_out;
    add_ratio_figure(tasks, &ratios, TK_FIGURE_COMPAT);
    add_ratio_figure(tasks, &ratios, TK_FIGURE_STRICT);
    return 0;
}

struct tk_alerts tk_alerts_count(const struct tk_cells *cells, enum tk_figure_rule rule)
{
    struct tk_alerts alerts = {0};
    for (uint32_t i = 0; i < cells->count; i++) {
        const struct tk_cell *all = &cells->items[i];
        if (all->key.part[2] != 0 || (rule == TK_FIGURE_COMPAT && all->sums[TK_SIDE_B] <= 0))
            continue;
        const struct tk_cell_key key = {{all->key.part[0], all->key.part[1], 1}};
        uint32_t at = tk_cells_find(cells, &key);
        bool alerted = at != TK_CELL_NONE && cells->items[at].sums[TK_SIDE_A] > 0;
        bool real = at != TK_CELL_NONE && cells->items[at].sums[TK_SIDE_B] > 0;
        alerts.right += alerted && real;
        alerts.failed += real && !alerted;
        alerts.misfired += alerted && !real;
        alerts.silent += !alerted && !real;
    }
    return alerts;
}

static void add_structures(const struct tasks *tasks, int side, const uint64_t *names,
                           struct tk_cells *cells)
{
    const struct tk_span_table *table = tasks->sides.tables[side];
    uint32_t row = 0;
    for (uint32_t trace = 0; trace < table->traces; trace++) {
        struct tk_structure structure = {0};
        bool issues = false;
        for (; row < table->trace_ends[trace]; row++) {
            issues |= table->issues[row] != 0;
            if (table->parents[row] != TK_ROW_TOP)
                tk_structure_add(&structure, names[table->parents[row]], names[row]);
        }
        struct tk_cell_key key = {{(int64_t)structure.part[0], (int64_t)structure.part[1], 0}};
        tk_cells_add(cells, &key, side, 1);
        key.part[2] = 1;
        if (issues)
            tk_cells_add(cells, &key, side, 1);
    }
}

static void add_alert_figures(const struct tasks *tasks, const struct tk_alerts *alerts,
                              enum tk_figure_rule rule)
{
    const struct {
        const char *detail;
        uint64_t count;
    } parts[] = {{"alerted correctly", alerts->right},
                 {"failed", alerts->failed},
                 {"misfired", alerts->misfired},
                 {"correctly silent", alerts->silent}};
    uint64_t structures = 0;
    for (size_t i = 0; i < TK_COUNTOF(parts); i++)
        structures += parts[i].count;
    uint64_t alarms = 2 * alerts->right + alerts->failed + alerts->misfired;
    tasks_add(tasks,
              &(struct tk_figure){.name = "alerts",
                                  .sense = TK_FIGURE_SCORE,
                                  .rule = rule,
                                  .value = alarms > 0 ? 2 * (double)alerts->right / (double)alarms
                                                      : (double)NAN,
                                  .reason = alarms > 0 ? NULL : "no structure with issues",
                                  .samples = structures},
              (tk_str){0});
    for (size_t i = 0; i < TK_COUNTOF(parts); i++) {
        tasks_add(tasks,
                  &(struct tk_figure){.name = "alerts",
                                      .sense = TK_FIGURE_COUNT,
                                      .rule = rule,
                                      .value = (double)parts[i].count,
                                      .samples = structures},
                  tk_str_from(parts[i].detail));
    }
}

int tasks_alerts(struct tasks *tasks, struct tk_err *err)
{
    struct tk_cells cells = {0};
    int rc = 0;
    for (int side = 0; rc == 0 && side < TK_SIDES; side++) {
        uint64_t *names = NULL;
        rc = tk_node_names_new(&tasks->sides, side, &names, err);
        if (rc == 0)
            add_structures(tasks, side, names, &cells);
        free(names);
    }
    if (rc == 0)
        rc = tk_cells_check(&cells, err);
    for (int rule = 0; rc == 0 && rule < TK_FIGURE_RULE_COUNT; rule++) {
        struct tk_alerts alerts = tk_alerts_count(&cells, (enum tk_figure_rule)rule);
        add_alert_figures(tasks, &alerts, (enum tk_figure_rule)rule);
    }
    tk_cells_release(&cells);
    return rc;
}
