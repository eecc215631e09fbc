/* SPDX-License-Identifier: Apache-2.0 */
/* Shares of services in the critical paths of all traces, as span/trace_tree.h defines them
 * (CRISP): each trace goes through a batch that has what the path needs, starts, durations and
 * parents. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "fidelity/joint_internal.h"
#include "span/trace_tree.h"

#define MOST_ROWS ((uint32_t)1 << 20) /* of a batch; larger traces are left out and counted */

static uint32_t largest_trace(const struct tk_span_table *table)
{
    uint32_t most = 1;
    for (uint32_t trace = 0; trace < table->traces; trace++) {
        uint32_t n = table->trace_ends[trace] - tk_span_table_begin(table, trace);
        most = n > most && n <= MOST_ROWS ? n : most;
    }
    return most;
}

/* The rows of one trace; ids are their places, from 1. */
static int fill(struct tk_span_batch *batch, const struct tk_span_table *table, uint32_t trace)
{
    uint32_t begin = tk_span_table_begin(table, trace);
    int rc = 0;
    for (uint32_t row = begin; rc == 0 && row < table->trace_ends[trace]; row++) {
        uint32_t parent = table->parents[row];
        rc = tk_span_batch_begin(batch);
        if (rc < 0)
            return rc;
        size_t at = batch->rows - 1;
        batch->span_ids[at] = row - begin + (uint64_t)1;
        batch->parent_ids[at] = parent == TK_ROW_TOP ? 0 : parent - begin + (uint64_t)1;
        batch->start_ns[at] = table->start_ns[row];
        batch->duration_ns[at] = table->duration_ns[row];
        rc = tk_span_batch_end(batch);
    }
    return rc;
}

/* Add the path of the rows in the batch to the services' shares. */
static int add_path(const struct joint *joint, int side, uint32_t trace,
                    const struct tk_span_batch *batch, double *shares, struct tk_err *err)
{
    const struct tk_span_table *table = joint->sides.tables[side];
    uint32_t begin = tk_span_table_begin(table, trace);
    double weight = tk_sides_weight(&joint->sides, side, trace, TK_FIGURE_STRICT);
    struct tk_trace_tree tree = {.count = 0};
    int rc = tk_trace_tree_init(&tree, &(struct tk_span_rows){batch, NULL, batch->rows},
                                &(struct tk_trace_options){.raw = true}, err);
    for (uint32_t i = 0; rc == 0 && i < tree.count; i++) {
        uint32_t service = table->services[begin + tree.nodes[i].row];
        shares[tk_sides_text(&joint->sides, side, service)] +=
            weight * (double)tree.nodes[i].critical_ns;
    }
    tk_trace_tree_release(&tree);
    return rc;
}

static int read_side(const struct joint *joint, int side, double *shares, uint64_t *left_out,
                     struct tk_err *err)
{
    const struct tk_span_table *table = joint->sides.tables[side];
    struct tk_span_batch *batch = NULL;
    int rc = tk_span_batch_new(largest_trace(table), &batch, err);
    if (rc < 0)
        return rc;
    uint32_t resource = tk_span_batch_add_resource(batch, &(struct tk_span_resource){0});
    (void)tk_span_batch_add_scope(batch, &(struct tk_span_scope){.resource = resource});
    const struct tk_span_mark mark = tk_span_batch_mark(batch);
    for (uint32_t trace = 0; rc == 0 && trace < table->traces; trace++) {
        if (table->trace_ends[trace] - tk_span_table_begin(table, trace) > MOST_ROWS) {
            (*left_out)++;
            continue;
        }
        tk_span_batch_rewind(batch, &mark);
        rc = fill(batch, table, trace);
        if (rc < 0) {
            rc = tk_fail(err, rc, "critical paths: a trace does not fit into a batch");
        } else {
            rc = add_path(joint, side, trace, batch, shares, err);
        }
    }
    tk_span_batch_free(batch);
    return rc;
}

static double total_of(const double *shares, uint32_t count)
{
    double total = 0;
    for (uint32_t i = 0; i < count; i++)
        total += shares[i];
    return total;
}

/* Total variation; NaN when neither side has any time, 1 when one has none. */
static double variation(double *const shares[TK_SIDES], uint32_t count)
{
    double a = total_of(shares[TK_SIDE_A], count);
    double b = total_of(shares[TK_SIDE_B], count);
    if (a <= 0 || b <= 0)
        return a <= 0 && b <= 0 ? (double)NAN : 1;
    double sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += fabs(shares[TK_SIDE_A][i] / a - shares[TK_SIDE_B][i] / b);
    return sum / 2;
}

static int compare_paths(const struct joint *joint, double *const shares[TK_SIDES],
                         struct tk_err *err)
{
    uint64_t left_out = 0;
    int rc = 0;
    for (int side = 0; rc == 0 && side < TK_SIDES; side++)
        rc = read_side(joint, side, shares[side], &left_out, err);
    if (rc < 0)
        return rc;
    double value = variation(shares, joint->sides.texts);
    struct tk_mean mean = {0};
    if (!isnan(value))
        tk_mean_add(&mean, value);
    joint_add(joint, "critical_path", TK_FIGURE_DISTANCE, &mean, "no span that took time");
    joint_add(joint, "critical_paths_left_out", TK_FIGURE_COUNT,
              &(struct tk_mean){(double)left_out, 1}, NULL);
    return 0;
}

int joint_critical(const struct joint *joint, struct tk_err *err)
{
    size_t count = joint->sides.texts + (size_t)1;
    double *shares[TK_SIDES] = {calloc(count, sizeof(double)), calloc(count, sizeof(double))};
    int rc = -ENOMEM;
    if (shares[TK_SIDE_A] && shares[TK_SIDE_B]) {
        rc = compare_paths(joint, shares, err);
    } else {
        rc = tk_fail(err, rc, "critical paths: out of memory");
    }
    for (int side = 0; side < TK_SIDES; side++)
        free(shares[side]);
    return rc;
}
