/* SPDX-License-Identifier: Apache-2.0 */
/* Where the time of a trace went: by service and operation, the most of the critical path first. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/human.h"
#include "cmd/screen_internal.h"
#include "cmd/trace_view_internal.h"
#include "report/report.h"

#define ROWS 8 /* of the table */

struct share {
    uint32_t row; /* of one of its spans */
    uint32_t spans;
    int64_t self_ns;
    int64_t critical_ns;
};

static int by_critical(const void *a, const void *b)
{
    const struct share *x = a;
    const struct share *y = b;
    if (x->critical_ns != y->critical_ns)
        return x->critical_ns > y->critical_ns ? -1 : 1;
    if (x->self_ns != y->self_ns)
        return x->self_ns > y->self_ns ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* Sum up by service and operation into `shares`, which has room for all; returns how many. */
static int find_shares(const struct tk_trace_tree *tree, struct share *shares)
{
    TK_CLEANUP(tk_map_release) struct tk_map ids = {0};
    uint32_t count = 0;
    for (uint32_t k = 0; k < tree->count; k++) {
        const struct tk_trace_node *node = &tree->nodes[k];
        uint64_t key = (uint64_t)tree->batch->names[node->row] << 32 |
                       tk_span_resource_of(tree->batch, node->row)->service;
        uint32_t id;
        if (!tk_map_find(&ids, key, &id)) {
            id = count++;
            shares[id] = (struct share){.row = node->row};
            if (tk_map_add(&ids, key, id) < 0)
                return -ENOMEM;
        }
        shares[id].spans++;
        shares[id].self_ns += node->self_ns;
        shares[id].critical_ns += node->critical_ns;
    }
    qsort(shares, count, sizeof(*shares), by_critical);
    return (int)count;
}

/* Below this width there are no counts and no self times. */
#define WIDE 60

static void add_row(struct tk_grid *grid, const struct tk_trace_tree *tree,
                    const struct tk_look *look, const struct share *share)
{
    char text[TK_HUMAN_MAX];
    struct tk_cell cell;
    size_t column = 0;
    const struct tk_trace_node *main = &tree->nodes[tree->main];
    double ratio = (double)share->critical_ns / (double)tk_trace_node_duration_ns(main);
    tk_str service = tk_span_service(tree->batch, share->row);
    tk_grid_add(grid);
    tk_grid_set(grid, column++, tk_cell_clean(look, service, &cell));
    tk_grid_set(grid, column++, tk_cell_clean(look, tk_span_name(tree->batch, share->row), &cell));
    if (look->width >= WIDE) {
        tk_grid_set(grid, column++, tk_count_format(share->spans, text));
        tk_grid_set(grid, column++, tk_duration_format(share->self_ns, text));
    }
    tk_grid_set(grid, column++, tk_duration_format(share->critical_ns, text));
    tk_grid_set(grid, column, tk_share_format(ratio, text));
}

static int put_table(const struct tk_trace_tree *tree, const struct tk_look *look,
                     const struct share *shares, size_t count, struct tk_buf *out,
                     struct tk_err *err)
{
    static const struct tk_grid_column wide[] = {
        {"service", .cut = true}, {"operation", .cut = true},  {"spans", .right = true},
        {"self", .right = true},  {"critical", .right = true}, {"of it", .right = true},
    };
    static const struct tk_grid_column narrow[] = {
        {"service", .cut = true},
        {"operation", .cut = true},
        {"critical", .right = true},
        {"of it", .right = true},
    };
    const struct tk_grid_options many = {wide, TK_COUNTOF(wide), .indent = 3};
    const struct tk_grid_options few = {narrow, TK_COUNTOF(narrow), .indent = 3};
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    int rc = tk_grid_new(look, look->width >= WIDE ? &many : &few, &grid, err);
    for (size_t i = 0; rc == 0 && i < count && i < ROWS; i++)
        add_row(grid, tree, look, &shares[i]);
    if (rc < 0)
        return rc;
    tk_buf_putc(out, '\n');
    return tk_grid_write(grid, out, err);
}

int tk_trace_view_put_shares(const struct tk_trace_tree *tree, const struct tk_look *look,
                             struct tk_buf *out, struct tk_err *err)
{
    struct share *shares = calloc(tree->count, sizeof(*shares));
    int count = shares ? find_shares(tree, shares) : -ENOMEM;
    int rc = count < 0 ? tk_fail(err, -ENOMEM, "trace: out of memory")
                       : put_table(tree, look, shares, (size_t)count, out, err);
    if (rc == 0 && count > ROWS) {
        tk_buf_printf(out, "%*s", 3, "");
        tk_style_printf(out, look, TK_STYLE_DIM, "and %d more", count - ROWS);
        tk_buf_putc(out, '\n');
    }
    free(shares);
    return rc;
}
