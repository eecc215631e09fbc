/* SPDX-License-Identifier: Apache-2.0 */
/* Operations, one a line. All spans are looked at, also those that are not asked for: they are
 * children of those that are. */
#include "base/human.h"
#include "base/json.h"
#include "base/number.h"
#include "cmd/screen_internal.h"
#include "cmd/spans.h"
#include "span/operation_times.h"

struct counting {
    struct tk_operation_times *operations;
    const struct tk_span_query *query;
};

static bool is_wanted(const void *user, const struct tk_span_batch *batch, size_t row)
{
    return tk_span_query_matches(user, batch, row);
}

static int count(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    const struct counting *counting = user;
    return tk_operation_times_add(counting->operations, rows, is_wanted, counting->query, err);
}

enum { SERVICE, OPERATION, SPANS, ERRORS, P50, P95, P99, SELF, COLUMNS };

static void add_row(struct tk_grid *grid, const struct tk_look *look,
                    const struct tk_operation_time *item)
{
    char text[TK_HUMAN_MAX];
    struct tk_cell cell;
    tk_grid_add(grid);
    tk_grid_set(grid, SERVICE, tk_cell_clean(look, item->service, &cell));
    tk_grid_set(grid, OPERATION, tk_cell_clean(look, item->name, &cell));
    tk_grid_set(grid, SPANS, tk_count_format((int64_t)item->spans, text));
    tk_grid_set(grid, ERRORS, item->errors ? tk_count_format((int64_t)item->errors, text) : "-");
    if (item->errors)
        tk_grid_set_style(grid, ERRORS, TK_STYLE_BAD);
    tk_grid_set(grid, P50, tk_duration_format(item->p50_ns, text));
    tk_grid_set(grid, P95, tk_duration_format(item->p95_ns, text));
    tk_grid_set(grid, P99, tk_duration_format(item->p99_ns, text));
    tk_grid_set(grid, SELF, tk_seconds_format(item->self_ns, text));
}

static int put_table(struct tk_spans *spans, const struct tk_operation_time *items, size_t n,
                     struct tk_err *err)
{
    static const struct tk_grid_column columns[COLUMNS] = {
        [SERVICE] = {"service", .cut = true, .style = TK_STYLE_TITLE},
        [OPERATION] = {"operation", .cut = true},
        [SPANS] = {"spans", .right = true},
        [ERRORS] = {"err", .right = true},
        [P50] = {"p50", .right = true},
        [P95] = {"p95", .right = true},
        [P99] = {"p99", .right = true},
        [SELF] = {"self", .right = true},
    };
    const struct tk_grid_options options = {columns, COLUMNS};
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    int rc = tk_grid_new(spans->look, &options, &grid, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        add_row(grid, spans->look, &items[i]);
    return rc < 0 ? rc : tk_grid_write(grid, &spans->out, err);
}

static void put_json(struct tk_buf *out, const struct tk_operation_time *item)
{
    const struct {
        const char *key;
        int64_t value;
    } figures[] = {
        {"span_count", (int64_t)item->spans},
        {"error_count", (int64_t)item->errors},
        {"p50_ns", item->p50_ns},
        {"p95_ns", item->p95_ns},
        {"p99_ns", item->p99_ns},
        {"max_ns", item->max_ns},
        {"self_ns", item->self_ns},
    };
    tk_buf_lit(out, "{\"service\":");
    tk_json_put_str(out, item->service);
    tk_json_put_key(out, "name");
    tk_json_put_str(out, item->name);
    for (size_t i = 0; i < TK_COUNTOF(figures); i++) {
        tk_json_put_key(out, figures[i].key);
        tk_buf_put_i64(out, figures[i].value);
    }
    tk_buf_lit(out, "}\n");
}

static int put_items(struct tk_spans *spans, const struct tk_operation_time *items, size_t found,
                     struct tk_err *err)
{
    size_t limit = (size_t)spans->opts->limit;
    size_t n = limit && limit < found ? limit : found;
    if (!spans->opts->json) {
        int rc = put_table(spans, items, n, err);
        tk_spans_put_rest(spans, n, found, "operation");
        return rc;
    }
    for (size_t i = 0; i < n; i++)
        put_json(&spans->out, &items[i]);
    return 0;
}

int tk_spans_list_operations(struct tk_spans *spans, struct tk_err *err)
{
    size_t n;
    const struct tk_operation_time *items;
    struct tk_segment_totals totals;
    TK_CLEANUP(tk_operation_times_freep) struct tk_operation_times *operations = NULL;
    tk_segment_set_count(spans->set, &totals);
    int rc = tk_operation_times_new(totals.spans, &operations, err);
    struct counting counting = {operations, &spans->query};
    for (uint32_t part = 0; rc >= 0 && part < tk_operation_times_parts(operations); part++) {
        rc = tk_segment_set_scan(spans->set, &(struct tk_span_query){0}, count, &counting, err);
        rc = rc < 0 ? rc : tk_operation_times_next_part(operations, err);
    }
    rc = rc < 0 ? rc : tk_operation_times_finish(operations, &items, &n, err);
    return rc < 0 ? rc : put_items(spans, items, n, err);
}
