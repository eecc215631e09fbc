/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/joint_shapes.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "fidelity/joint_internal.h"

/* A child as its parent sees it. */
struct child {
    int64_t start_ns;
    uint64_t label, hash;
};

struct shaper {
    const struct tk_sides *sides;
    const struct tk_family *family;
    const struct tk_shape_options *options;
    int side;
    uint64_t *hashes; /* [rows] of subtrees */
    uint32_t *order;  /* [rows] of a trace: parents before children */
    struct child *children;
};

static int by_start(const void *a, const void *b)
{
    const struct child *x = a;
    const struct child *y = b;
    if (x->start_ns != y->start_ns)
        return x->start_ns < y->start_ns ? -1 : 1;
    if (x->label != y->label)
        return x->label < y->label ? -1 : 1;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

/* Service and operation, in the order of their texts. */
static uint64_t label_of(const struct shaper *shaper, uint32_t row)
{
    const struct tk_span_table *table = shaper->family->table;
    uint64_t service = tk_sides_text(shaper->sides, shaper->side, table->services[row]);
    return service << 32 | tk_sides_text(shaper->sides, shaper->side, table->operations[row]);
}

/* The hash of a node of `n` children, which are in `shaper->children`. */
static uint64_t hash_node(struct shaper *shaper, uint64_t label, uint32_t n)
{
    for (uint32_t i = 0; shaper->options->unordered && i < n; i++)
        shaper->children[i].start_ns = 0;
    if (n > 1)
        qsort(shaper->children, n, sizeof(*shaper->children), by_start);
    uint64_t hash = label;
    for (uint32_t i = 0; i < n; i++)
        hash = tk_hash_mix(hash, shaper->children[i].hash);
    return tk_hash_mix(hash, n);
}

static struct child child_of(const struct shaper *shaper, uint32_t row)
{
    return (struct child){shaper->family->table->start_ns[row], label_of(shaper, row),
                          shaper->hashes[row]};
}

static uint32_t child_begin(const struct tk_family *family, uint32_t row)
{
    return row > 0 ? family->child_ends[row - 1] : 0;
}

/* Rows of a trace level by level; its roots are the first `*ret_roots`. */
static uint32_t order_trace(struct shaper *shaper, uint32_t trace, uint32_t *ret_roots)
{
    const struct tk_family *family = shaper->family;
    const struct tk_span_table *table = family->table;
    uint32_t count = 0;
    for (uint32_t row = tk_span_table_begin(table, trace); row < table->trace_ends[trace]; row++) {
        if (table->parents[row] == TK_ROW_TOP)
            shaper->order[count++] = row;
    }
    *ret_roots = count;
    for (uint32_t at = 0; at < count; at++) {
        uint32_t row = shaper->order[at];
        for (uint32_t i = child_begin(family, row); i < family->child_ends[row]; i++)
            shaper->order[count++] = family->children[i];
    }
    return count;
}

static uint64_t shape_of(struct shaper *shaper, uint32_t trace)
{
    const struct tk_family *family = shaper->family;
    uint32_t roots;
    for (uint32_t at = order_trace(shaper, trace, &roots); at-- > 0;) {
        uint32_t row = shaper->order[at];
        uint32_t begin = child_begin(family, row);
        uint32_t n = family->child_ends[row] - begin;
        for (uint32_t i = 0; i < n; i++)
            shaper->children[i] = child_of(shaper, family->children[begin + i]);
        uint64_t status = shaper->options->with_errors ? family->table->statuses[row] + 1U : 0;
        shaper->hashes[row] = hash_node(shaper, tk_hash_mix(label_of(shaper, row), status), n);
    }
    for (uint32_t i = 0; i < roots; i++)
        shaper->children[i] = child_of(shaper, shaper->order[i]);
    return hash_node(shaper, 0, roots);
}

int tk_shapes_new(const struct tk_sides *sides, int side, const struct tk_family *family,
                  const struct tk_shape_options *options, struct tk_shapes *ret_shapes,
                  struct tk_err *err)
{
    const struct tk_span_table *table = family->table;
    size_t rows = table->rows + (size_t)1;
    struct shaper shaper = {.sides = sides,
                            .family = family,
                            .options = options,
                            .side = side,
                            .hashes = calloc(rows, sizeof(uint64_t)),
                            .order = calloc(rows, sizeof(uint32_t)),
                            .children = malloc(rows * sizeof(struct child))};
    uint64_t *traces = malloc((table->traces + (size_t)1) * sizeof(*traces));
    bool whole = shaper.hashes && shaper.order && shaper.children && traces;
    for (uint32_t trace = 0; whole && trace < table->traces; trace++)
        traces[trace] = shape_of(&shaper, trace);
    free(shaper.order);
    free(shaper.children);
    *ret_shapes = (struct tk_shapes){traces, shaper.hashes};
    if (whole)
        return 0;
    tk_shapes_release(ret_shapes);
    return tk_fail(err, -ENOMEM, "shapes: out of memory");
}

void tk_shapes_release(struct tk_shapes *shapes)
{
    free(shapes->traces);
    free(shapes->rows);
    *shapes = (struct tk_shapes){0};
}

static int count_shapes(const struct joint *joint, int side, const struct tk_shape_options *options,
                        struct tk_cells *cells, struct tk_err *err)
{
    struct tk_family family = {.table = NULL};
    struct tk_shapes shapes = {0};
    int rc = tk_family_init(&family, &joint->sides, side, err);
    if (rc == 0)
        rc = tk_shapes_new(&joint->sides, side, &family, options, &shapes, err);
    for (uint32_t trace = 0; shapes.traces && trace < family.table->traces; trace++)
        tk_cells_add(cells, &(struct tk_cell_key){{(int64_t)shapes.traces[trace]}}, side, 1);
    tk_shapes_release(&shapes);
    tk_family_release(&family);
    return rc < 0 ? rc : tk_cells_check(cells, err);
}

/* Shapes of B that A has: of all shapes, and of all traces. */
static void add_recall(const struct joint *joint, const struct tk_cells *cells,
                       const char *const names[3])
{
    struct tk_mean plain = {0};
    struct tk_mean weighted = {0};
    double traces = 0;
    for (uint32_t i = 0; i < cells->count; i++) {
        const double *sums = cells->items[i].sums;
        bool found = sums[TK_SIDE_A] > 0;
        if (sums[TK_SIDE_B] <= 0)
            continue;
        tk_mean_add(&plain, found);
        weighted.sum += found ? sums[TK_SIDE_B] : 0;
        traces += sums[TK_SIDE_B];
    }
    weighted.count = (uint64_t)traces;
    joint_add(joint, names[0], TK_FIGURE_SCORE, &plain, "no real trace");
    joint_add(joint, names[1], TK_FIGURE_SCORE, &weighted, "no real trace");
    joint_add(joint, names[2], TK_FIGURE_COUNT, &(struct tk_mean){(double)plain.count, 1}, NULL);
}

int joint_shapes(const struct joint *joint, struct tk_err *err)
{
    static const char *const names[2][3] = {
        {"shape_recall", "shape_recall_weighted", "shapes"},
        {"shape_recall_with_errors", "shape_recall_with_errors_weighted", "shapes_with_errors"}};
    int rc = 0;
    for (int errors = 0; rc == 0 && errors < 2; errors++) {
        struct tk_cells cells = {0};
        for (int side = 0; rc == 0 && side < TK_SIDES; side++) {
            rc = count_shapes(joint, side, &(struct tk_shape_options){.with_errors = errors},
                              &cells, err);
        }
        if (rc == 0)
            add_recall(joint, &cells, names[errors]);
        tk_cells_release(&cells);
    }
    return rc;
}
